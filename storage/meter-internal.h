/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_METER_INTERNAL_H
#define STORAGE_METER_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * How far a command is, on one line of stderr that is gone when it has ended; nothing where stderr
 * is no terminal, nor for what is over at once.
 */
struct meter {
	const char *verb; /* "imported" */
	int64_t last_ms;
	bool is_on;
	bool is_shown;
	/* meter_watch */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	bool is_watching;
	bool has_ended; /* protected by lock */
	int fd;         /* borrowed */
	uint64_t all_bytes;
};

void meter_begin(struct meter *meter, const char *verb);
/* @all_bytes: 0 when nobody knows. By one thread at a time. */
void meter_show(struct meter *meter, uint64_t done_bytes, uint64_t all_bytes);
/* Show now and then how far @fd has been read or written, until the end; a pipe says nothing. */
void meter_watch(struct meter *meter, int fd, uint64_t all_bytes);
void meter_end(struct meter *meter);

#endif
