/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_CONTAINER_H
#define STORAGE_CONTAINER_H

#include <stdbool.h>

#include "common/digest.h"
#include "common/err.h"
#include "storage/image.h"
#include "storage/store.h"

/*
 * A container's files: containers/ID/{fs,work,init}. Its row keeps image and
 * name; a lock on its directory tells whether it is in use.
 */
struct container {
	char id[65]; /* 64 hex digits, random */
	char *name;  /* unique; made from the ID when none was given */
	struct digest image_id;
	int dir_fd;
	int fs_fd; /* upper */
	int work_fd;
	int init_fd;
};
#define CONTAINER_INIT                                                  \
	{                                                               \
		.dir_fd = -1, .fs_fd = -1, .work_fd = -1, .init_fd = -1 \
	}
#define auto_container __attribute__((cleanup(container_release)))
void container_release(struct container *container); /* closes; the files stay */

/* ERR_INPUT when @name (may be NULL) is taken or no name ([A-Za-z0-9][A-Za-z0-9_.-]*). Locked until
 * release. */
int container_create(struct store *store, const struct image *image, const char *name,
		     struct container *out, struct err *err);
/*
 * A stopped one, by name or unique ID prefix, to look at its files, of which none are left
 * elsewhere (mount_recover): locked until release, without init. ERR_INPUT when unknown, running,
 * or mounted.
 */
int container_open(struct store *store, const char *text, struct container *out, struct err *err);
/*
 * One in whatever state, not locked, and without its files: to read its state and talk to it.
 * *out_running may be NULL.
 */
int container_look(struct store *store, const char *text, struct container *out, bool *out_running,
		   struct err *err);
/* A directory in another one's: "ID/NAME". ERR_INPUT when that container is gone. */
int container_open_lent(struct store *store, const char *path, struct err *err);
/* One that is gone does not run. */
int container_is_running(struct store *store, const char *id, bool *out, struct err *err);
/*
 * Show a stopped one's files as it saw them, to be written to, at the directory @target (NULL:
 * where nothing can be mounted, then they are in a directory of the store). What is written stays
 * the container's. Until container_detach, or the end of the mount namespace, it is in use.
 * *out_path: where. One that is mounted there already is left as it is.
 */
int container_attach(struct store *store, const char *text, const char *target, char **out_path,
		     struct err *err);
/* Unmount it at all places of this mount namespace; *out_count of them. */
int container_detach(struct store *store, const char *id, size_t *out_count, struct err *err);

/* Remove files and row. */
int container_remove(struct store *store, struct container *container, struct err *err);
/* By name or unique ID prefix: ERR_INPUT when unknown, running, or mounted. */
int container_remove_named(struct store *store, const char *text, struct err *err);

struct container_summary {
	char id[65];
	char *name;
	struct digest image_id;
	char *created;
	bool running;
};
struct container_list {
	struct container_summary *items;
	size_t count;
};
#define CONTAINER_LIST_INIT   \
	{                     \
		.items = NULL \
	}
#define auto_container_list __attribute__((cleanup(container_list_release)))
int container_list(struct store *store, struct container_list *out, struct err *err);
void container_list_release(struct container_list *list);

#endif
