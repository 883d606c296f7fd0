/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_UPLOAD_STATE_H
#define REGISTRY_UPLOAD_STATE_H

#include <stdbool.h>

#include "common/err.h"
#include "registry/repository.h"
#include "storage/store.h"

/*
 * Where an upload goes on after this process, if it should die: a file in the store's cache/,
 *
 *   upload-<SHA-256 of the place and of what is uploaded>    { "location": URL, "offset": BYTES }
 *
 * or what the registry said to a piece that was under way when its process died (client.h,
 * note_fd). Locked while an upload is under way: a second process that uploads the same to
 * the same place waits for the first, and finds the blob there then. A prune forgets all
 * that are not under way.
 */
struct upload_state {
	int dir_fd; /* borrowed */
	int fd;     /* -1: nothing is remembered */
	char name[80];
};
#define UPLOAD_STATE_INIT              \
	{                              \
		.dir_fd = -1, .fd = -1 \
	}
/* Lets go of the lock; the file stays. */
void upload_state_release(struct upload_state *state);
#define auto_upload_state __attribute__((cleanup(upload_state_release)))

/* @what: a digest, or whatever else always stands for the same bytes. */
int upload_state_open(struct store *store, const char *place, const char *what,
		      struct upload_state *out, struct err *err);

/* *out->location stays NULL when nothing is remembered, or it cannot be understood. */
int upload_state_load(const struct upload_state *state, struct upload *out, struct err *err);
/* Failing is no reason to stop: it is told as a warning. */
void upload_state_save(const struct upload_state *state, const struct upload *upload);
void upload_state_forget(struct upload_state *state);

#endif
