/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for which ids of the host a container with a user namespace of its own has, and that
 * two that were left to choose do not have the same.
 */
#include "sandbox/own-ids.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/isolation.h"
#include "common/mem.h"
#include "common/subids.h"
#include "common/userns.h"

#define AUTO_USER  "containers"
#define AUTO_COUNT 65536
#define AUTO_SIZE  "auto:size="
#define LOCK_FILE  "/run/imgbuild-userns.lock"
#define ID_OWN     UINT32_MAX

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

/* "uid=UID" at *at, which goes on to what comes after it; false: it is something else. */
static bool take_kept(const char **at, const char *name, uint32_t *out)
{
	const size_t len = strlen(name);
	unsigned long long id;
	char *end;

	if (strncmp(*at, name, len) != 0 || (*at)[len] < '0' || (*at)[len] > '9')
		return false;
	errno = 0;
	id = strtoull(*at + len, &end, 10);
	if ((*end && *end != ',') || errno || id >= UINT32_MAX)
		return false;
	*out = (uint32_t)id;
	*at = end;
	return true;
}

static int parse_keep(struct own_ids *ids, struct err *err)
{
	const char *at = ids->text + strlen("keep-id");
	char wanted = ':';

	ids->is_wanted = ids->is_keep = true;
	ids->kept_uid = ids->kept_gid = ID_OWN;
	while (*at) {
		const bool is_good = *at++ == wanted && (take_kept(&at, "uid=", &ids->kept_uid) ||
							 take_kept(&at, "gid=", &ids->kept_gid));

		if (!is_good)
			return err_set(err, ERR_USAGE,
				       "--userns=keep-id takes ':uid=UID,gid=GID' alone, not '%s'",
				       ids->text);
		wanted = ',';
	}
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
	if (strncmp(text, "keep-id", strlen("keep-id")) == 0)
		return parse_keep(ids, err);
	return err_set(err, ERR_USAGE,
		       "--userns is host, private, keep-id, auto or auto:size=COUNT, not '%s'",
		       text);
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

/* ---- the user's own ---- */

/* Of the namespace that we are in: who its 0 is outside, and how many ids more it has. */
static int read_own_map(const char *path, uint32_t *out_own, uint32_t *out_more, struct err *err)
{
	FILE *file = fopen(path, "re");
	uint32_t inside, outside, count;

	if (!file)
		return err_sys(err, "open '%s'", path);
	*out_own = ID_OWN;
	*out_more = 0;
	while (fscanf(file, "%" SCNu32 " %" SCNu32 " %" SCNu32, &inside, &outside, &count) == 3) {
		if (inside == 0)
			*out_own = outside;
		*out_more += count;
	}
	fclose(file);
	if (*out_own == ID_OWN || *out_more < 2)
		return err_set(err, ERR_SYSTEM, "'%s' has one id alone", path);
	*out_more -= 1;
	return 0;
}

static void add_range(struct idmap *map, uint32_t inside, uint32_t outside, uint32_t count)
{
	if (count > 0)
		map->ranges[map->count++] = (struct idmap_range){ inside, outside, count };
}

/* @kept is our 0; the others are those below and above it, in their order, as far as they go. */
static void arrange(uint32_t kept, uint32_t more, struct idmap *out)
{
	const uint32_t below = kept < more ? kept : more;

	add_range(out, 0, 1, below);
	add_range(out, kept, 0, 1);
	add_range(out, kept + 1, below + 1, more - below);
}

static int keep(struct own_ids *ids, struct err *err)
{
	uint32_t uid, gid, more_uids, more_gids;

	if (!userns_is_nested())
		return err_set(err, ERR_INPUT,
			       "--userns=keep-id is for ordinary users: root is root in the "
			       "container");
	if (isolation_has_one_id()) {
		err_set(err, ERR_SYSTEM, "--userns=keep-id needs subordinate ids");
		return err_detail(err, "imgstore doctor says what gives some");
	}
	if (read_own_map("/proc/self/uid_map", &uid, &more_uids, err) < 0 ||
	    read_own_map("/proc/self/gid_map", &gid, &more_gids, err) < 0)
		return -1;
	if (ids->kept_uid == ID_OWN)
		ids->kept_uid = uid;
	if (ids->kept_gid == ID_OWN)
		ids->kept_gid = gid;
	arrange(ids->kept_uid, more_uids, &ids->uids);
	arrange(ids->kept_gid, more_gids, &ids->gids);
	return 0;
}

/* ---- the namespace ---- */

static int find_ids(struct own_ids *ids, struct err *err)
{
	if (ids->is_keep)
		return keep(ids, err);
	if (geteuid() != 0 || userns_is_nested()) {
		err_set(err, ERR_INPUT,
			"--userns: only root of the host can give a container "
			"other ids");
		return err_detail(err, "an ordinary user's container has a user namespace of its "
				       "own in any case; --userns=keep-id gives the user his own "
				       "number there");
	}
	return (ids->is_auto ? choose(ids, err) : take_given(ids, err)) < 0
		       ? err_prefix(err, "--userns")
		       : 0;
}

int own_ids_open(struct own_ids *ids, struct store *store, struct err *err)
{
	if (!ids->is_wanted)
		return 0;
	if (find_ids(ids, err) < 0)
		return -1;
	if (!idmap_find(&ids->uids, 0, &ids->owners.root_uid) ||
	    !idmap_find(&ids->gids, 0, &ids->owners.root_gid))
		return err_set(err, ERR_USAGE,
			       "--userns: the id 0 of the container is not mapped: it is its root");
	ids->owners.uids = &ids->uids;
	ids->owners.gids = &ids->gids;
	ids->owners.userns_fd = idmap_open(&ids->uids, &ids->gids, err);
	if (ids->owners.userns_fd < 0)
		return err_prefix(err, "--userns");
	return mount_choose_for_owners(store, err);
}
