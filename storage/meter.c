/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the line that tells people how far a long command is. */
#include "storage/meter-internal.h"

#include <stdio.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "common/size.h"
#include "common/thread.h"

#define INTERVAL_MS 200

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void meter_begin(struct meter *meter, const char *verb)
{
	*meter =
		(struct meter){ .verb = verb, .last_ms = now_ms(), .is_on = isatty(STDERR_FILENO) };
}

static void show(struct meter *meter, uint64_t done_bytes, uint64_t all_bytes)
{
	char done[16];
	char all[16];

	meter->is_shown = true;
	fprintf(stderr, "\r%s %s", meter->verb, size_text(done_bytes, done));
	if (all_bytes > 0)
		fprintf(stderr, " of %s", size_text(all_bytes, all));
	fputs(" \033[K", stderr);
}

void meter_show(struct meter *meter, uint64_t done_bytes, uint64_t all_bytes)
{
	int64_t now;

	if (!meter->is_on)
		return;
	now = now_ms();
	if (now - meter->last_ms < INTERVAL_MS)
		return;
	meter->last_ms = now;
	show(meter, done_bytes, all_bytes);
}

/* Whoever reads or writes the file moves its offset, which is all that is looked at. */
static void *watch(void *arg)
{
	struct meter *meter = arg;
	struct timespec next;

	clock_gettime(CLOCK_MONOTONIC, &next);
	pthread_mutex_lock(&meter->lock);
	while (!meter->has_ended) {
		off_t at;

		next.tv_nsec += INTERVAL_MS * 1000000L;
		next.tv_sec += next.tv_nsec / 1000000000L;
		next.tv_nsec %= 1000000000L;
		while (!meter->has_ended &&
		       pthread_cond_timedwait(&meter->ended, &meter->lock, &next) == 0)
			;
		at = lseek(meter->fd, 0, SEEK_CUR);
		if (!meter->has_ended && at > 0)
			show(meter, (uint64_t)at, meter->all_bytes);
	}
	pthread_mutex_unlock(&meter->lock);
	return NULL;
}

void meter_watch(struct meter *meter, int fd, uint64_t all_bytes)
{
	struct err ignored = ERR_INIT; /* then nothing is shown */
	pthread_condattr_t attr;

	if (!meter->is_on)
		return;
	meter->fd = fd;
	meter->all_bytes = all_bytes;
	pthread_mutex_init(&meter->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&meter->ended, &attr);
	pthread_condattr_destroy(&attr);
	meter->is_watching = thread_start(&meter->thread, watch, meter, &ignored) == 0;
}

void meter_end(struct meter *meter)
{
	if (meter->is_watching) {
		pthread_mutex_lock(&meter->lock);
		meter->has_ended = true;
		pthread_cond_signal(&meter->ended);
		pthread_mutex_unlock(&meter->lock);
		pthread_join(meter->thread, NULL);
		pthread_cond_destroy(&meter->ended);
		pthread_mutex_destroy(&meter->lock);
	}
	if (meter->is_shown)
		fputs("\r\033[K", stderr);
	*meter = (struct meter){ .is_on = false };
}
