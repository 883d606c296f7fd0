/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_SIZE_H
#define COMMON_SIZE_H

#include <stdint.h>

#include "common/err.h"

/* "3.2kB" as docker writes it. @buf holds 16 bytes; returns it. */
const char *size_text(uint64_t bytes, char *buf);

/*
 * "64m", "1.5GiB", "4096": binary units k m g t p, with or without "b" or "ib".
 * ERR_INPUT.
 */
int size_parse(const char *text, uint64_t *out_bytes, struct err *err);

#endif
