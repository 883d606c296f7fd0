/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for which ids of the host a container with a user namespace of its own has, and that
 * two that were left to choose do not have the same.
 */
#include "sandbox/own-ids.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/subids.h"
#include "common/userns.h"

#define AUTO_USER  "containers"
#define AUTO_COUNT 65536
#define AUTO_SIZE  "auto:size="
#define LOCK_FILE  "/run/imgbuild-userns.lock"

void own_ids_release(struct own_ids *ids)
{
	strlist_release(&ids->uid_maps);
	strlist_release(&ids->gid_maps);
	fd_close(&ids->owners.userns_fd);
	fd_close(&ids->lock_fd);
}

/* ---- what is meant ---- */

static int parse_auto(struct own_ids *ids, struct err *err)
{
	const char *text = ids->text + strlen("auto");
	unsigned long long size;
	char *end;

	ids->is_wanted = ids->is_auto = true;
	ids->size = AUTO_COUNT;
	if (!*text)
		return 0;
	text = ids->text + strlen(AUTO_SIZE);
	errno = 0;
	size = strtoull(text, &end, 10);
	if (strncmp(ids->text, AUTO_SIZE, strlen(AUTO_SIZE)) != 0 || *text < '0' || *text > '9' ||
	    *end || errno || size == 0 || size >= UINT32_MAX)
		return err_set(err, ERR_USAGE, "--userns=auto takes ':size=COUNT' alone, not '%s'",
			       ids->text);
	ids->size = (uint32_t)size;
	return 0;
}

static int parse_maps(const struct strlist *texts, const char *option, struct idmap *out,
		      struct err *err)
{
	for (size_t i = 0; i < texts->count; i++)
		if (idmap_parse(texts->items[i], out, err) < 0)
			return err_prefix(err, "--%s", option);
	return 0;
}

static int parse_given(struct own_ids *ids, struct err *err)
{
	if ((ids->uid_maps.count > 0 && ids->uid_name) ||
	    (ids->gid_maps.count > 0 && ids->gid_name))
		return err_set(err, ERR_USAGE, "ids are of a map or of a user, not of both");
	if (parse_maps(&ids->uid_maps, "uidmap", &ids->uids, err) < 0 ||
	    parse_maps(&ids->gid_maps, "gidmap", &ids->gids, err) < 0)
		return -1;
	if (ids->uids.count == 0 && !ids->uid_name)
		return err_set(err, ERR_USAGE,
			       "a user namespace needs its users: --uidmap, --subuidname, or "
			       "--userns=auto");
	ids->is_wanted = true;
	return 0;
}

int own_ids_parse(struct own_ids *ids, struct err *err)
{
	const bool are_given = ids->uid_maps.count > 0 || ids->gid_maps.count > 0 ||
			       ids->uid_name || ids->gid_name;
	const char *text = ids->text;

	if (text && strcmp(text, "private") != 0 && are_given)
		return err_set(err, ERR_USAGE,
			       "--userns=%s is not for --uidmap, --gidmap, --subuidname or "
			       "--subgidname",
			       text);
	if (are_given || (text && strcmp(text, "private") == 0))
		return parse_given(ids, err);
	if (!text || !*text || strcmp(text, "host") == 0)
		return 0;
	if (strcmp(text, "auto") == 0 || strncmp(text, "auto:", 5) == 0)
		return parse_auto(ids, err);
	return err_set(err, ERR_USAGE,
		       "--userns is host, private, auto or auto:size=COUNT, not '%s'", text);
}

/* ---- which ids ---- */

static int load(const char *path, const char *name, struct subids *out, struct err *err)
{
	/* nobody has the last one, so that no line of the file is passed over */
	if (subids_load(path, name, UINT32_MAX, UINT32_MAX, out, err) < 0)
		return -1;
	if (out->count > 0)
		return 0;
	err_set(err, ERR_SYSTEM, "%s has no range for user %s", path, name);
	return err_detail(err, "as root: echo %s:2147483648:1073741824 >>%s", name, path);
}

static int map_user(const char *path, const char *name, struct idmap *out, struct err *err)
{
	auto_free struct subids *subids = mem_alloc(sizeof(*subids));
	uint32_t next = 0;

	subids->count = 0;
	if (load(path, name, subids, err) < 0)
		return -1;
	for (size_t i = 0; i < subids->count && next + subids->ranges[i].count > next; i++) {
		out->ranges[out->count++] = (struct idmap_range){ next, subids->ranges[i].start,
								  subids->ranges[i].count };
		next += subids->ranges[i].count;
	}
	return 0;
}

static bool holds(const struct subids *subids, uint32_t first, uint32_t count)
{
	for (size_t i = 0; i < subids->count; i++)
		if (first >= subids->ranges[i].start &&
		    first - subids->ranges[i].start <= subids->ranges[i].count - 1 &&
		    count <= subids->ranges[i].count - (first - subids->ranges[i].start))
			return true;
	return false;
}

/*
 * A lock of so many bytes of the file as there are ids, at the place of the first: who has one in
 * common with it is refused by the kernel, and with the process it is gone.
 */
static int lock(int fd, uint32_t first, uint32_t count, bool *out_got, struct err *err)
{
	struct flock range = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = first, .l_len = count
	};

	*out_got = fcntl(fd, F_OFD_SETLK, &range) == 0;
	if (!*out_got && errno != EAGAIN && errno != EACCES)
		return err_sys(err, "lock '" LOCK_FILE "'");
	return 0;
}

/* The first @ids->size of @uids that are in @gids too, and free. */
static int take_free(struct own_ids *ids, const struct subids *uids, const struct subids *gids,
		     struct err *err)
{
	for (size_t i = 0; i < uids->count; i++) {
		const uint64_t end = (uint64_t)uids->ranges[i].start + uids->ranges[i].count;
		uint64_t first = uids->ranges[i].start;

		for (; first + ids->size <= end; first += ids->size) {
			bool is_free = false;

			if (!holds(gids, (uint32_t)first, ids->size))
				continue;
			if (lock(ids->lock_fd, (uint32_t)first, ids->size, &is_free, err) < 0)
				return -1;
			if (!is_free)
				continue;
			ids->uids.ranges[0] = (struct idmap_range){ 0, (uint32_t)first, ids->size };
			ids->uids.count = 1;
			ids->gids = ids->uids;
			return 0;
		}
	}
	err_set(err, ERR_SYSTEM,
		"no %u ids in a row of user " AUTO_USER " are free in both /etc/subuid and "
		"/etc/subgid",
		ids->size);
	return err_detail(err, "ask for fewer by --userns=auto:size=COUNT, or give it more");
}

static int choose(struct own_ids *ids, struct err *err)
{
	auto_free struct subids *uids = mem_alloc(sizeof(*uids));
	auto_free struct subids *gids = mem_alloc(sizeof(*gids));

	uids->count = gids->count = 0;
	if (load("/etc/subuid", AUTO_USER, uids, err) < 0 ||
	    load("/etc/subgid", AUTO_USER, gids, err) < 0)
		return -1;
	ids->lock_fd = open(LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (ids->lock_fd < 0)
		return err_sys(err, "open '" LOCK_FILE "'");
	return take_free(ids, uids, gids, err);
}

static int take_given(struct own_ids *ids, struct err *err)
{
	if (ids->uid_name && map_user("/etc/subuid", ids->uid_name, &ids->uids, err) < 0)
		return err_prefix(err, "--subuidname");
	if (ids->gid_name)
		return map_user("/etc/subgid", ids->gid_name, &ids->gids, err) < 0
			       ? err_prefix(err, "--subgidname")
			       : 0;
	if (ids->gids.count > 0)
		return 0;
	if (ids->uid_name)
		return map_user("/etc/subgid", ids->uid_name, &ids->gids, err) < 0
			       ? err_prefix(err, "--subuidname")
			       : 0;
	ids->gids = ids->uids;
	return 0;
}

int own_ids_open(struct own_ids *ids, struct err *err)
{
	if (!ids->is_wanted)
		return 0;
	if (geteuid() != 0 || userns_is_nested()) {
		err_set(err, ERR_INPUT,
			"--userns: only root of the host can give a container "
			"other ids");
		return err_detail(err, "an ordinary user's container has a user namespace of its "
				       "own in any case");
	}
	if ((ids->is_auto ? choose(ids, err) : take_given(ids, err)) < 0)
		return err_prefix(err, "--userns");
	if (!idmap_find(&ids->uids, 0, &ids->owners.root_uid) ||
	    !idmap_find(&ids->gids, 0, &ids->owners.root_gid))
		return err_set(err, ERR_USAGE,
			       "--userns: the id 0 of the container is not mapped: it is its root");
	ids->owners.userns_fd = idmap_open(&ids->uids, &ids->gids, err);
	return ids->owners.userns_fd < 0 ? err_prefix(err, "--userns") : 0;
}
