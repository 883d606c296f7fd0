/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_VOLUME_LENT_H
#define SANDBOX_VOLUME_LENT_H

#include "common/err.h"
#include "common/strlist.h"
#include "sandbox/volume.h"
#include "storage/store.h"

/*
 * Volumes of a container for others (--volumes-from), as its state keeps them:
 *
 *   lent = KIND [ ",ro" ] " " TARGET " " SOURCE
 *   KIND = "bind" (a path of the host) | "named" (a volume of the store)
 *        | "own" (one without a name, ID "/" DIRECTORY below the store's containers)
 *
 * with "%" and two digits for bytes up to the blank, and for "%". What is thrown away with a
 * container, file systems in memory and what is written over an "O", is not for others.
 */

/* Those of the container @id, in their order. */
void volumes_lend(const struct volumes *volumes, const char *id, struct strlist *out);

/* Appends one. ERR_INPUT when it is not written so. */
int volumes_add_lent(struct volumes *volumes, const char *text, struct err *err);

/*
 * All of the containers that @from names, "NAME[:ro|rw]", whatever state they are in; a place that
 * a volume has already keeps it.
 */
int volumes_add_from(struct volumes *volumes, const struct strlist *from, struct store *store,
		     struct err *err);
/* ERR_USAGE for one that is not written so. */
int volumes_from_check(const struct strlist *from, struct err *err);

#endif
