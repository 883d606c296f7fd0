/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_BASE64_H
#define COMMON_BASE64_H

#include <stddef.h>

#include "common/err.h"
#include "common/strbuf.h"

/* Base 64 (RFC 4648, section 4): letters, digits, '+', '/', and '=' up to a multiple of four. */

char *base64_format(const void *data, size_t len);

/*
 * Append the bytes that @text stands for. ERR_INPUT for anything else in it, spaces too; the text
 * itself, which may be a secret, is not in the error.
 */
int base64_parse(const char *text, struct strbuf *out, struct err *err);

#endif
