/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for maps of ids and for user namespaces made for the sake of one. Who runs
 * in such a namespace is not its business (common/userns.h, the sandbox).
 */
#include "common/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/strbuf.h"

/* ---- words ---- */

/* The number up to a colon or the end; NULL: there is none that fits. */
static const char *take_number(const char *text, uint32_t *out)
{
	unsigned long long number;
	char *end;

	if (*text < '0' || *text > '9')
		return NULL;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || number >= UINT32_MAX || (*end && *end != ':'))
		return NULL;
	*out = (uint32_t)number;
	return end;
}

static bool parse_range(const char *text, struct idmap_range *out)
{
	const char *end = take_number(text, &out->inside);

	if (!end || *end != ':')
		return false;
	end = take_number(end + 1, &out->outside);
	if (!end)
		return false;
	out->count = 1;
	if (*end)
		end = take_number(end + 1, &out->count);
	return end && !*end && out->count > 0 && UINT32_MAX - out->count >= out->inside &&
	       UINT32_MAX - out->count >= out->outside;
}

static bool overlaps(uint32_t a, uint32_t a_count, uint32_t b, uint32_t b_count)
{
	return a < b + b_count && b < a + a_count;
}

int idmap_parse(const char *text, struct idmap *out, struct err *err)
{
	struct idmap_range range;

	if (!parse_range(text, &range))
		return err_set(err, ERR_USAGE, "'%s' is not INSIDE:OUTSIDE[:COUNT], three numbers",
			       text);
	for (size_t i = 0; i < out->count; i++)
		if (overlaps(range.inside, range.count, out->ranges[i].inside,
			     out->ranges[i].count) ||
		    overlaps(range.outside, range.count, out->ranges[i].outside,
			     out->ranges[i].count))
			return err_set(err, ERR_USAGE,
				       "'%s' maps an id that is mapped by an earlier range", text);
	if (out->count == SUBID_RANGES_MAX + 1)
		return err_set(err, ERR_USAGE, "more than %d ranges of ids", SUBID_RANGES_MAX + 1);
	out->ranges[out->count++] = range;
	return 0;
}

bool idmap_find(const struct idmap *map, uint32_t inside, uint32_t *out_outside)
{
	for (size_t i = 0; i < map->count; i++) {
		const struct idmap_range *range = &map->ranges[i];

		if (inside < range->inside || inside - range->inside >= range->count)
			continue;
		*out_outside = range->outside + (inside - range->inside);
		return true;
	}
	return false;
}

/* ---- users ---- */

static int map_subids(const char *path, const struct passwd *user, uint32_t own_id,
		      struct idmap *out, struct err *err)
{
	auto_free struct subids *subids = mem_alloc(sizeof(*subids));
	uint32_t next = 1;

	if (subids_load(path, user->pw_name, user->pw_uid, own_id, subids, err) < 0)
		return -1;
	if (subids->count == 0) {
		err_set(err, ERR_SYSTEM, "%s has no range for user %s", path, user->pw_name);
		return err_detail(err,
				  "as root: usermod --add-subuids 100000-165535 "
				  "--add-subgids 100000-165535 %s",
				  user->pw_name);
	}
	out->ranges[out->count++] = (struct idmap_range){ 0, own_id, 1 };
	for (size_t i = 0; i < subids->count && next + subids->ranges[i].count > next; i++) {
		out->ranges[out->count++] = (struct idmap_range){ next, subids->ranges[i].start,
								  subids->ranges[i].count };
		next += subids->ranges[i].count;
	}
	return 0;
}

int idmap_of_user(const char *name, struct idmap *out_uids, struct idmap *out_gids, struct err *err)
{
	const struct passwd *user = getpwnam(name);
	uint32_t uid;
	const char *end = take_number(name, &uid);

	if (!user && end && !*end)
		user = getpwuid(uid);
	if (!user)
		return err_set(err, ERR_INPUT, "there is no user '%s'", name);
	out_uids->count = out_gids->count = 0;
	if (map_subids("/etc/subuid", user, user->pw_uid, out_uids, err) < 0)
		return -1;
	return map_subids("/etc/subgid", user, user->pw_gid, out_gids, err);
}

/* ---- the namespace ---- */

/* In the child: a namespace, word of it, and to wait for the end. */
static _Noreturn void hold_namespace(int word_fd, int end_fd)
{
	int result = unshare(CLONE_NEWUSER) < 0 ? errno : 0;

	if (write(word_fd, &result, sizeof(result)) != sizeof(result))
		_exit(1);
	while (read(end_fd, &result, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

static int write_map(pid_t pid, const char *name, const struct idmap *map, struct err *err)
{
	auto_free char *path = str_format("/proc/%d/%s", (int)pid, name);
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
	auto_strbuf struct strbuf text = STRBUF_INIT;

	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	for (size_t i = 0; i < map->count; i++)
		strbuf_printf(&text, "%" PRIu32 " %" PRIu32 " %" PRIu32 "\n", map->ranges[i].inside,
			      map->ranges[i].outside, map->ranges[i].count);
	/* the kernel takes it in one write or not at all */
	return fd_write_all(fd, text.data ? text.data : "", text.len, path, err);
}

static int open_of(pid_t pid, const struct idmap *uids, const struct idmap *gids, struct err *err)
{
	auto_free char *path = str_format("/proc/%d/ns/user", (int)pid);
	int fd;

	if (write_map(pid, "uid_map", uids, err) < 0 || write_map(pid, "gid_map", gids, err) < 0)
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(err, "open '%s'", path) : fd;
}

static int wait_for_word(int word_fd, struct err *err)
{
	int result = 0;

	if (fd_read_full(word_fd, &result, sizeof(result), "a pipe", err) != sizeof(result))
		return err->kind != ERR_NONE ? -1 : err_set(err, ERR_SYSTEM, "a child has died");
	if (result == 0)
		return 0;
	errno = result;
	return err_sys(err, "make a user namespace");
}

int idmap_open(const struct idmap *uids, const struct idmap *gids, struct err *err)
{
	int word[2];
	int end[2];
	int fd = -1;
	pid_t pid;

	if (pipe2(word, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	if (pipe2(end, O_CLOEXEC) < 0) {
		close(word[0]);
		close(word[1]);
		return err_sys(err, "make a pipe");
	}
	pid = fork();
	if (pid == 0) {
		close(end[1]);
		hold_namespace(word[1], end[0]);
	}
	close(word[1]);
	close(end[0]);
	if (pid < 0)
		err_sys(err, "start a process for a user namespace");
	else if (wait_for_word(word[0], err) == 0)
		fd = open_of(pid, uids, gids, err);
	close(end[1]);
	close(word[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return fd;
}
