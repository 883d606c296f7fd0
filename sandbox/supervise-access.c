/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what the kernel would refuse a process that were whom it believes to be. The kernel
 * knows one id, which is root's: it refuses nothing. So modes and recorded owners are compared here
 * with the ids that are remembered, on each directory of a path too. Only those are looked at who
 * have given up root's rights; for root it is the kernel that finds out all that can be wrong.
 *
 * No boundary: a path may be another one when the kernel does what was allowed here.
 */
#include "sandbox/supervise-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/fd.h"

#define LINKS_MAX 40 /* the kernel's own limit */

/* ---- one file ---- */

bool supervise_is_of_proc(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

static bool overrides(const struct ids *ids, mode_t mode, int want)
{
	if (supervise_can(ids, CAP_DAC_OVERRIDE) &&
	    (S_ISDIR(mode) || !(want & X_OK) || (mode & 0111)))
		return true;
	return supervise_can(ids, CAP_DAC_READ_SEARCH) &&
	       (S_ISDIR(mode) ? !(want & W_OK) : want == R_OK);
}

static bool is_granted(const struct ids *ids, const struct stat *st, int want)
{
	int shift = 0;

	if (ids->uid[ID_FILE] == st->st_uid)
		shift = 6;
	else if (supervise_has_group(ids, st->st_gid))
		shift = 3;
	return !(want & ~(int)(st->st_mode >> shift)) || overrides(ids, st->st_mode, want);
}

int supervise_may(const struct call *call, const struct ids *ids, int fd, int want)
{
	const mode_t for_all = (mode_t)(want << 6 | want << 3 | want);
	bool is_recorded;
	struct stat st;

	if (fstat(fd, &st) < 0 || (st.st_mode & for_all) == for_all || S_ISLNK(st.st_mode))
		return 0;
	/* one in truth, lent to the command */
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		return 0;
	if (supervise_stat(call, fd, &st, &is_recorded) < 0 || is_granted(ids, &st, want))
		return 0;
	return supervise_is_of_proc(fd) ? 0 : -EACCES;
}

int supervise_may_change(const struct call *call, int fd)
{
	const struct ids *ids = supervise_ids(call);
	bool is_recorded;
	struct stat st;

	if (!supervise_is_checked(call, ids) || supervise_can(ids, CAP_FOWNER))
		return 0;
	if (supervise_stat(call, fd, &st, &is_recorded) < 0 || ids->uid[ID_FILE] == st.st_uid ||
	    supervise_is_of_proc(fd))
		return 0;
	return -EPERM;
}

/* ---- a path ---- */

struct walk {
	int dir_fd;
	char rest[PATH_MAX];
	unsigned link_count;
};
#define auto_walk __attribute__((cleanup(walk_release)))

static void walk_release(struct walk *walk)
{
	fd_close(&walk->dir_fd);
}

void place_release(struct place *place)
{
	fd_close(&place->dir_fd);
	fd_close(&place->fd);
}

/* The next name of what is left; false at the end. */
static bool take_name(struct walk *walk, char out[NAME_MAX + 1])
{
	const char *begin = walk->rest + strspn(walk->rest, "/");
	const size_t len = strcspn(begin, "/");

	if (len == 0 || len > NAME_MAX)
		return false;
	memcpy(out, begin, len);
	out[len] = '\0';
	memmove(walk->rest, begin + len, strlen(begin + len) + 1);
	return true;
}

/* A link's text comes before the rest. CALL_PASS where it is magic, or too long. */
static int follow(struct walk *walk, int link_fd)
{
	char text[PATH_MAX];
	ssize_t len = readlinkat(link_fd, "", text, sizeof(text));
	size_t rest = strlen(walk->rest);

	if (len <= 0 || supervise_is_of_proc(link_fd) || ++walk->link_count > LINKS_MAX ||
	    (size_t)len + rest >= sizeof(walk->rest))
		return CALL_PASS;
	memmove(walk->rest + len, walk->rest, rest + 1);
	memcpy(walk->rest, text, (size_t)len);
	if (text[0] != '/')
		return 0;
	fd_close(&walk->dir_fd);
	walk->dir_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return walk->dir_fd < 0 ? CALL_PASS : 0;
}

static bool is_last(const struct walk *walk)
{
	return !walk->rest[strspn(walk->rest, "/")];
}

/* One name further. 0: *out is where it ends; 1: there is more; CALL_PASS: who knows. */
enum { WALK_ENDED, WALK_ON = CALL_SENT + 1 };
static int step(struct call *call, const struct ids *ids, struct walk *walk, int flags,
		struct place *out)
{
	auto_close int fd = -1;
	struct stat st;
	int result = supervise_may(call, ids, walk->dir_fd, X_OK);

	if (result < 0)
		return result;
	fd = openat(walk->dir_fd, out->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && !(errno == ENOENT && is_last(walk)))
		return CALL_PASS;
	if (fd >= 0 && fstat(fd, &st) < 0)
		return CALL_PASS;
	if (fd >= 0 && S_ISLNK(st.st_mode) &&
	    (walk->rest[0] == '/' || !(flags & AT_SYMLINK_NOFOLLOW))) {
		result = follow(walk, fd);
		return result == 0 ? WALK_ON : result;
	}
	if (is_last(walk)) {
		out->dir_fd = fd_steal(&walk->dir_fd);
		out->fd = fd_steal(&fd);
		return WALK_ENDED;
	}
	fd_close(&walk->dir_fd);
	walk->dir_fd = fd_steal(&fd);
	return WALK_ON;
}

static int walk_path(struct call *call, const struct ids *ids, int dir_fd, const char *text,
		     int flags, struct place *out)
{
	auto_walk struct walk walk = { .dir_fd = call_open_start(call, dir_fd, text) };
	int result = WALK_ON;

	if (walk.dir_fd < 0 || strlen(text) >= sizeof(walk.rest))
		return CALL_PASS;
	strcpy(walk.rest, text);
	while (result == WALK_ON) {
		if (!take_name(&walk, out->name)) {
			if (!is_last(&walk))
				return CALL_PASS; /* a name too long */
			out->name[0] = '\0';
			out->fd = fd_steal(&walk.dir_fd);
			return 0;
		}
		result = step(call, ids, &walk, flags, out);
	}
	return result;
}

/* ---- what a call wants ---- */

bool supervise_is_checked(const struct call *call, const struct ids *ids)
{
	if (call->supervisor->only_devices) /* there the kernel knows who everybody is */
		return false;
	return !supervise_can(ids, CAP_DAC_OVERRIDE) || !supervise_can(ids, CAP_FOWNER);
}

/* To where @path leads; CALL_PASS also when there is nothing to find out. */
static int find_place(struct call *call, const struct ids *ids, struct at at, struct place *out)
{
	char text[PATH_MAX];

	if (!supervise_is_checked(call, ids) ||
	    call_read_text(call, at.path, text, sizeof(text)) < 0 || !text[0])
		return CALL_PASS;
	return walk_path(call, ids, at.dir_fd, text, at.flags, out);
}

static int may_reach(struct call *call, const struct ids *ids, struct at at, int want)
{
	auto_place struct place place = PLACE_INIT;
	int result = find_place(call, ids, at, &place);

	if (result < 0)
		return result;
	return result == CALL_PASS || place.fd < 0 || !want
		       ? 0
		       : supervise_may(call, ids, place.fd, want);
}

int supervise_may_reach(struct call *call, struct at at, int want)
{
	return may_reach(call, supervise_ids(call), at, want);
}

/* For who he is, not for whom he acts as. */
int supervise_may_access(struct call *call, struct at at, int want)
{
	struct ids ids = *supervise_ids(call);

	ids.uid[ID_FILE] = ids.uid[ID_REAL];
	ids.gid[ID_FILE] = ids.gid[ID_REAL];
	ids.effective = ids.uid[ID_REAL] == 0 ? ids.permitted : 0;
	return may_reach(call, &ids, at, want);
}

/* In a sticky directory only who owns one of the two. */
static int may_replace(const struct call *call, const struct ids *ids, const struct place *place)
{
	bool is_recorded;
	struct stat dir;
	struct stat st;

	if (supervise_stat(call, place->dir_fd, &dir, &is_recorded) < 0 ||
	    supervise_stat(call, place->fd, &st, &is_recorded) < 0)
		return 0;
	if (!(dir.st_mode & S_ISVTX) || supervise_can(ids, CAP_FOWNER) ||
	    ids->uid[ID_FILE] == st.st_uid || ids->uid[ID_FILE] == dir.st_uid)
		return 0;
	return -EPERM;
}

int supervise_may_enter(struct call *call, struct at at, enum enter enter)
{
	const struct ids *ids = supervise_ids(call);
	auto_place struct place place = PLACE_INIT;
	int result;

	at.flags |= AT_SYMLINK_NOFOLLOW;
	result = find_place(call, ids, at, &place);
	if (result < 0)
		return result;
	if (result == CALL_PASS || place.dir_fd < 0)
		return 0;
	/* there is nothing to remove, or it is there already: the kernel says so */
	if ((enter == ENTER_GONE && place.fd < 0) || (enter == ENTER_NEW && place.fd >= 0))
		return 0;
	result = supervise_may(call, ids, place.dir_fd, W_OK | X_OK);
	return result < 0 || place.fd < 0 ? result : may_replace(call, ids, &place);
}

/* Is the host one that lets nobody link what he could not change? proc(5), protected_hardlinks. */
static bool protects_links(const struct call *call)
{
	auto_close int fd = openat(call->supervisor->proc_fd, "sys/fs/protected_hardlinks",
				   O_RDONLY | O_CLOEXEC);
	char value = '1';

	return fd < 0 || read(fd, &value, 1) != 1 || value != '0';
}

int supervise_may_link(struct call *call, struct at at)
{
	const struct ids *ids = supervise_ids(call);
	auto_place struct place place = PLACE_INIT;
	int result = find_place(call, ids, at, &place);
	struct stat st;

	if (result < 0)
		return result;
	if (result == CALL_PASS || place.fd < 0 || fstat(place.fd, &st) < 0 ||
	    supervise_may_change(call, place.fd) == 0 || !protects_links(call))
		return 0;
	if (!S_ISREG(st.st_mode) || (st.st_mode & S_ISUID) ||
	    (st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		return -EPERM;
	return supervise_may(call, ids, place.fd, R_OK | W_OK) < 0 ? -EPERM : 0;
}

int supervise_may_open(struct call *call, struct at at, int open_flags)
{
	static const int wanted[] = { [O_RDONLY] = R_OK,
				      [O_WRONLY] = W_OK,
				      [O_RDWR] = R_OK | W_OK,
				      [O_ACCMODE] = R_OK | W_OK };
	const struct ids *ids = supervise_ids(call);
	int want = wanted[open_flags & O_ACCMODE];
	auto_place struct place place = PLACE_INIT;
	int result;

	at.flags = open_flags & O_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0;
	result = find_place(call, ids, at, &place);
	if (result < 0)
		return result;
	if (result == CALL_PASS || (open_flags & O_PATH))
		return 0;
	if (place.fd < 0)
		return open_flags & O_CREAT ? supervise_may(call, ids, place.dir_fd, W_OK | X_OK)
					    : 0;
	/* it is there, and should not be */
	if ((open_flags & O_CREAT) && (open_flags & O_EXCL))
		return 0;
	if (open_flags & O_TRUNC)
		want |= W_OK;
	if ((open_flags & O_TMPFILE) == O_TMPFILE)
		want = W_OK | X_OK;
	return supervise_may(call, ids, place.fd, want);
}
