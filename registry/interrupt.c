/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for signals that ask a transfer to stop. */
#include "registry/interrupt.h"

#include <signal.h>
#include <string.h>

static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
#define SIGNAL_COUNT (sizeof(signals) / sizeof(signals[0]))

static void change_mask(int how)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < SIGNAL_COUNT; i++)
		sigaddset(&set, signals[i]);
	pthread_sigmask(how, &set, NULL);
}

void interrupt_hold(void)
{
	change_mask(SIG_BLOCK);
}

int interrupt_check(struct err *err)
{
	sigset_t pending;

	if (sigpending(&pending) < 0)
		return 0;
	for (size_t i = 0; i < SIGNAL_COUNT; i++)
		if (sigismember(&pending, signals[i]) == 1)
			return err_set(err, ERR_INTERRUPTED, "interrupted by signal %d (%s)",
				       signals[i], strsignal(signals[i]));
	return 0;
}

void interrupt_let_through(void)
{
	change_mask(SIG_UNBLOCK);
}

void interrupt_hold_again(void)
{
	change_mask(SIG_BLOCK);
}
