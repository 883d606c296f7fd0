/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAYERS_IMAGETIME_H
#define LAYERS_IMAGETIME_H

#include <time.h>

#include "common/err.h"

/* Times in image documents: RFC 3339. */

/*
 * Text of a time, UTC; with nanoseconds (trailing zeros cut) only when they are not 0. Years before
 * 0000 and after 9999, which the form cannot hold, become its ends. @buf holds 40 bytes.
 */
const char *image_time_format(struct timespec when, char *buf);

/* Back, from any offset and number of digits; ERR_INPUT when it is none. */
int image_time_parse(const char *text, struct timespec *out, struct err *err);

#endif
