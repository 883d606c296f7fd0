/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for which driver a process uses: what the user said, else the first one that
 * this host can do. A trial that went well is remembered for the rest of the boot.
 */
#include "storage/driver-internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/isolation.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "common/tmpfile.h"
#include "storage/store-internal.h"

static const struct mount_driver *const drivers[MOUNT_DRIVER_COUNT] = {
	&mount_driver_overlay,
	&mount_driver_overlay_mount,
	&mount_driver_fuse,
	&mount_driver_copy,
};

/* The name holds all that the outcome depends on besides the store's own file system. */
static char *trial_name(const struct store *store, const struct mount_driver *driver)
{
	return str_format("%s-%s-%s-%s", driver->name, isolation_name(isolation_current()),
			  store->ns == OVERLAY_TRUSTED ? "host" : "user", store->boot_id);
}

static bool is_remembered(const struct store *store, const char *name)
{
	return faccessat(store->cache_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void remember(const struct store *store, const char *name)
{
	auto_tmpfile struct tmpfile tmp = TMPFILE_INIT;
	struct err ignored = ERR_INIT; /* tried again the next time */

	if (tmpfile_open(&tmp, store->cache_fd, &ignored) == 0)
		(void)tmpfile_commit(&tmp, name, &ignored);
}

/* -1 with the reason why not. */
static int is_possible(struct store *store, const struct mount_driver *driver, struct err *err)
{
	auto_free char *name = trial_name(store, driver);

	if (store->is_read_only && driver->needs_room)
		return err_set(err, ERR_SYSTEM, "the store cannot be written");
	/* nothing can be tried out in a store that is only read: the mount itself will tell */
	if (store->is_read_only || is_remembered(store, name))
		return 0;
	if (driver->probe(store, err) < 0)
		return -1;
	remember(store, name);
	return 0;
}

static const struct mount_driver *find_named(const char *name, struct err *err)
{
	auto_strbuf struct strbuf names = STRBUF_INIT;

	for (size_t i = 0; i < MOUNT_DRIVER_COUNT; i++) {
		if (strcmp(drivers[i]->name, name) == 0)
			return drivers[i];
		strbuf_printf(&names, "%s'%s'", i > 0 ? " or " : "", drivers[i]->name);
	}
	err_set(err, ERR_USAGE, "the storage driver is %s, not '%s'", names.data, name);
	return NULL;
}

static const struct mount_driver *choose_best(struct store *store, struct err *err)
{
	struct err first = ERR_INIT;

	for (size_t i = 0; i < MOUNT_DRIVER_COUNT; i++) {
		struct err why = ERR_INIT;

		if (is_possible(store, drivers[i], &why) == 0) {
			if (i > 0 && !drivers[i]->is_as_good)
				log_warn("layers are put together by the %s driver: %s",
					 drivers[i]->name, first.text);
			return drivers[i];
		}
		if (i == 0)
			first = why;
	}
	*err = first;
	return NULL;
}

static const struct mount_driver *choose(struct store *store, const char *name, struct err *err)
{
	const struct mount_driver *driver;

	if (!name || !name[0])
		return choose_best(store, err);
	driver = find_named(name, err);
	if (!driver)
		return NULL;
	if (is_possible(store, driver, err) < 0) {
		err_prefix(err, "the %s driver cannot be used here", name);
		return NULL;
	}
	return driver;
}

int mount_choose_driver(struct store *store, const char *name, struct err *err)
{
	const struct mount_driver *driver = choose(store, name, err);

	if (!driver)
		return -1;
	pthread_mutex_lock(&store->lock);
	store->driver = driver;
	pthread_mutex_unlock(&store->lock);
	return 0;
}

int mount_choose_for_owners(struct store *store, struct err *err)
{
	const char *named = getenv("IMGBUILD_STORAGE_DRIVER");
	const struct mount_driver *driver = mount_driver_get(store, err);
	struct err no_owners = ERR_INIT;

	if (!driver)
		return -1;
	if ((named && named[0]) || mount_check_owners(store, driver, &no_owners) == 0)
		return 0; /* or it is refused when it comes to it */
	for (size_t i = 0; i < MOUNT_DRIVER_COUNT; i++) {
		struct err ignored = ERR_INIT;

		if (mount_check_owners(store, drivers[i], &ignored) == 0)
			return mount_choose_driver(store, drivers[i]->name, err);
	}
	*err = no_owners;
	return -1;
}

const struct mount_driver *mount_driver_get(struct store *store, struct err *err)
{
	const struct mount_driver *driver;

	pthread_mutex_lock(&store->lock);
	if (!store->driver)
		store->driver = choose(store, getenv("IMGBUILD_STORAGE_DRIVER"), err);
	driver = store->driver;
	pthread_mutex_unlock(&store->lock);
	return driver;
}

void mount_probe(struct store *store, struct mount_ability out[MOUNT_DRIVER_COUNT])
{
	struct err ignored = ERR_INIT; /* none is used then */
	const struct mount_driver *used = mount_driver_get(store, &ignored);

	for (size_t i = 0; i < MOUNT_DRIVER_COUNT; i++) {
		struct mount_ability *ability = &out[i];
		struct err why = ERR_INIT;

		ability->driver = drivers[i]->name;
		ability->is_used = drivers[i] == used;
		ability->is_possible = is_possible(store, drivers[i], &why) == 0;
		snprintf(ability->reason, sizeof(ability->reason), "%s",
			 ability->is_possible ? drivers[i]->description : why.text);
	}
}

int mount_recover(struct store *store, int upper_fd, int work_fd, struct err *err)
{
	const struct mount_request request = { .upper_fd = upper_fd,
					       .work_fd = work_fd,
					       .covered = mount_covered() };

	for (size_t i = 0; i < MOUNT_DRIVER_COUNT; i++)
		if (drivers[i]->recover && drivers[i]->recover(store, &request, err) < 0)
			return -1;
	return 0;
}
