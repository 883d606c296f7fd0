/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_THREAD_H
#define COMMON_THREAD_H

#include <pthread.h>

#include "common/err.h"

/*
 * Start a worker that no signal is delivered to: they are for the threads that know what
 * to do about them. ERR_SYSTEM when the host gives none; a caller for whom a worker is a matter of
 * speed alone goes on without.
 */
int thread_start(pthread_t *out, void *(*fn)(void *arg), void *arg, struct err *err);

#endif
