/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_INTERRUPT_H
#define REGISTRY_INTERRUPT_H

#include "common/err.h"

/*
 * Ctrl-C and its like (SIGINT, SIGTERM, SIGHUP), asked for instead of caught:
 * the signals are blocked and stay pending, and whoever moves bytes looks now
 * and then. So every half-made thing is let go of on the ordinary way out.
 */

/* Block them; call before any thread is started. */
void interrupt_hold(void);

/* -1 and ERR_INTERRUPTED when one is pending. One system call. */
int interrupt_check(struct err *err);

/* Around a call that may wait for another process: let them end this one at once. */
void interrupt_let_through(void);
void interrupt_hold_again(void);

#endif
