/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_CAPS_H
#define SANDBOX_CAPS_H

#include <stdint.h>

#include "common/err.h"
#include "common/strbuf.h"

/* Capabilities by name (linux/capability.h) and as a set, bit N for capability N. */
#define CAPS_ALL         ((UINT64_C(1) << 41) - 1)
#define CAPS_BIT(number) (UINT64_C(1) << (number))

/*
 * "NET_ADMIN", "cap_net_admin", "ALL" as --cap-add and --cap-drop take them:
 * the set in *out, or ERR_USAGE.
 */
int caps_parse(const char *text, uint64_t *out, struct err *err);

/* The names in number order, parted by blanks, without "CAP_"; "none" for the empty set. */
void caps_format(uint64_t caps, struct strbuf *out);

#endif
