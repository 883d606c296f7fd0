/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for how worker threads begin. What they do, and who waits for them, is their makers'. */
#include "common/thread.h"

#include <errno.h>
#include <signal.h>

int thread_start(pthread_t *out, void *(*fn)(void *arg), void *arg, struct err *err)
{
	sigset_t all;
	sigset_t before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(out, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = error;
	return error ? err_sys(err, "start a thread") : 0;
}
