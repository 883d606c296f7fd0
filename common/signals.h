/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_SIGNALS_H
#define COMMON_SIGNALS_H

#include "common/err.h"

/*
 * A signal's name with or without SIG, in any case ("term", "SIGRTMIN+3"), or its
 * number 1…64. ERR_INPUT.
 */
int signal_parse(const char *text, int *out, struct err *err);

#endif
