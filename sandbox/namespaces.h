/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_NAMESPACES_H
#define SANDBOX_NAMESPACES_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/err.h"
#include "sandbox/description.h"
#include "storage/store.h"

/*
 * Which namespaces a container has of its own, shares with the host, or with another
 * container:
 *
 *   choice = "private" | "host" | "container:" NAME
 */
enum namespace_choice {
	NAMESPACE_OWN,
	NAMESPACE_HOST,
	NAMESPACE_OF_CONTAINER,
};

/* The rows of namespaces.c, in this order. */
enum { NAMESPACE_PID, NAMESPACE_IPC, NAMESPACE_UTS, NAMESPACE_CGROUP, NAMESPACE_NET };
#define NAMESPACES_MAX 5

struct namespaces {
	struct {
		const char *text; /* of the option; NULL: as always */
		enum namespace_choice choice;
		const char *container; /* in text */
		int fd;                /* of the container's; -1 */
	} items[NAMESPACES_MAX];
};
#define NAMESPACES_INIT                                                                           \
	{                                                                                         \
		.items = { { .fd = -1 }, { .fd = -1 }, { .fd = -1 }, { .fd = -1 }, { .fd = -1 } } \
	}
void namespaces_release(struct namespaces *namespaces);

/* Look at the texts. ERR_USAGE. */
int namespaces_parse(struct namespaces *namespaces, struct err *err);
/* The name of a container that one of them is of, or NULL. */
const char *namespaces_container(const struct namespaces *namespaces);
/* Open those of containers, which must be running. */
int namespaces_open(struct namespaces *namespaces, struct store *store, struct err *err);
/* Into a description that has all of its own but the network. */
void namespaces_describe(const struct namespaces *namespaces, struct sandbox_description *out);

/* "host", "none", "private" … are network.h's: this one is shared with the container @name. */
int namespace_of_container(struct store *store, const char *name, const char *kind,
			   struct err *err);

/* Is the namespace at @fd, called so below /proc/PID/ns, the one that we are in? */
bool namespace_is_ours(int fd, const char *file);

/* The first process of a running container. ERR_INPUT when it does not run. */
int container_first_process(struct store *store, const char *name, pid_t *out, struct err *err);

/*
 * In place of userns_enter for who needs a running container's namespaces: those of an ordinary
 * user belong to the user namespace that the container was made in. Root of the host stays where it
 * is. @root: as for store_open.
 */
int container_join_userns(const char *root, const char *name, struct err *err);

#endif
