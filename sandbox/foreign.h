/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_FOREIGN_H
#define SANDBOX_FOREIGN_H

#include "common/err.h"
#include "common/strbuf.h"
#include "layers/descriptor.h"
#include "storage/store.h"

/*
 * Can programs for @platform be run on this machine: by the processor itself, or by an
 * emulator that is registered with binfmt_misc? Found out by running a program that does
 * nothing but end, in a root where there is nothing else. Takes some milliseconds unless the
 * platform is this machine's. ERR_INPUT with a hint when they cannot.
 */
int foreign_check(struct store *store, const struct platform *platform, struct err *err);

/* That program; false when none is known for @architecture. */
bool foreign_program(const char *architecture, struct strbuf *out);

#endif
