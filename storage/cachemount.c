/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the directories of cache mounts: found or made, used by one or by
 * many, and taken away when nobody uses them. What is in them is their users'.
 */
#include "storage/cachemount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/strlist.h"
#include "common/tmpfile.h"
#include "layers/record.h"
#include "layers/walk.h"
#include "storage/store-internal.h"

#define DIR_FLAGS     (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define NAME_MAX_HERE (DIGEST_HEX_MAX + 8)
#define PRIVATE_MAX   1000

void cachemount_release(struct cachemount *cachemount)
{
	fd_close(&cachemount->fs_fd);
	fd_close(&cachemount->dir_fd);
}

/* ---- making ---- */

static int make_fs(const struct cachemount_request *request, int dir_fd, struct err *err)
{
	if (request->fill)
		return request->fill(request->context, dir_fd, err);
	if (mkdirat(dir_fd, "fs", 0755) < 0)
		return err_sys(err, "make a cache");
	return 0;
}

static int set_looks(struct store *store, const struct cachemount_request *request, int dir_fd,
		     struct err *err)
{
	auto_close int fd = openat(dir_fd, "fs", DIR_FLAGS);
	bool has_mode = request->has_mode || !request->fill;

	if (fd < 0)
		return err_sys(err, "open a cache");
	if (request->has_owner && record_chown(fd, "", store->ns, request->uid, request->gid) < 0)
		return errno == EINVAL
			       ? err_set(err, ERR_INPUT,
					 "owner %ju:%ju does not exist in this user namespace",
					 (uintmax_t)request->uid, (uintmax_t)request->gid)
			       : err_sys(err, "set the owner of a cache");
	/* whatever the umask is, and after the owner, whose change takes bits away */
	if (has_mode && fchmod(fd, request->has_mode ? request->mode : 0755) < 0)
		return err_sys(err, "set the mode of a cache");
	return 0;
}

static int write_id(const struct cachemount_request *request, int dir_fd, struct err *err)
{
	auto_close int fd =
		openat(dir_fd, "id", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(err, "make a cache");
	return fd_write_all(fd, request->id, strlen(request->id), "a cache's name", err);
}

/* Complete, then by its name; should another have been faster, that one is as good. */
static int make(struct store *store, const struct cachemount_request *request, const char *name,
		struct err *err)
{
	auto_tmpdir struct tmpdir tmp = TMPDIR_INIT;

	if (tmpdir_make(&tmp, store->tmp_fd, err) < 0 || make_fs(request, tmp.fd, err) < 0 ||
	    set_looks(store, request, tmp.fd, err) < 0 || write_id(request, tmp.fd, err) < 0)
		return -1;
	return tmpdir_commit(&tmp, store->cachemounts_fd, name, err);
}

/* ---- using ---- */

enum lock_result { LOCK_GOT, LOCK_BUSY, LOCK_GONE };

/* Lock the directory @fd and look whether it still is @name. */
static int lock(int fd, int dir_fd, const char *name, int operation, enum lock_result *out,
		struct err *err)
{
	struct stat locked;
	struct stat named;

	while (flock(fd, operation | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK) {
			*out = LOCK_BUSY;
			return 0;
		}
		if (errno != EINTR)
			return err_sys(err, "lock a cache");
	}
	if (fstat(fd, &locked) < 0)
		return err_sys(err, "stat a cache");
	if (fstatat(dir_fd, name, &named, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return err_sys(err, "stat a cache");
		*out = LOCK_GONE;
		return 0;
	}
	*out = locked.st_dev == named.st_dev && locked.st_ino == named.st_ino ? LOCK_GOT
									      : LOCK_GONE;
	return 0;
}

static int open_named(struct store *store, const char *name, int operation, struct cachemount *out,
		      enum lock_result *out_result, struct err *err)
{
	auto_cachemount struct cachemount got = CACHEMOUNT_INIT;

	*out_result = LOCK_GONE;
	got.dir_fd = openat(store->cachemounts_fd, name, DIR_FLAGS);
	if (got.dir_fd < 0 && errno == ENOENT)
		return 0;
	if (got.dir_fd < 0)
		return err_sys(err, "open a cache");
	if (lock(got.dir_fd, store->cachemounts_fd, name, operation, out_result, err) < 0)
		return -1;
	if (*out_result != LOCK_GOT)
		return 0;
	got.fs_fd = openat(got.dir_fd, "fs", DIR_FLAGS);
	if (got.fs_fd < 0)
		return err_sys(err, "open a cache");
	*out = got;
	got = (struct cachemount)CACHEMOUNT_INIT;
	return 0;
}

/* The one called @name, made when there is none. */
static int take_named(struct store *store, const struct cachemount_request *request,
		      const char *name, struct cachemount *out, bool *out_busy, struct err *err)
{
	int operation = request->sharing == CACHEMOUNT_SHARED ? LOCK_SH : LOCK_EX;
	enum lock_result result;

	for (;;) {
		if (open_named(store, name, operation, out, &result, err) < 0)
			return -1;
		*out_busy = result == LOCK_BUSY;
		if (result != LOCK_GONE)
			return 0;
		if (make(store, request, name, err) < 0)
			return -1;
	}
}

int cachemount_take(struct store *store, const struct cachemount_request *request,
		    struct cachemount *out, bool *out_busy, struct err *err)
{
	int count = request->sharing == CACHEMOUNT_PRIVATE ? PRIVATE_MAX : 1;
	char hex[DIGEST_HEX_MAX];
	char name[NAME_MAX_HERE];

	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%s-%d", digest_hex(request->key, hex), i);
		if (take_named(store, request, name, out, out_busy, err) < 0)
			return err_prefix(err, "cache '%s'", request->id);
		if (!*out_busy)
			return 0;
	}
	return 0;
}

/* ---- removing ---- */

/* The top of its files; what cannot be looked at is old. */
static bool is_younger(int dir_fd, int64_t epoch)
{
	struct stat st;

	return dir_fd >= 0 && fstatat(dir_fd, "fs", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_mtim.tv_sec >= epoch;
}

int cachemount_discard_unused(struct store *store, int to_fd, int64_t until_epoch,
			      uint64_t *out_count, struct err *err)
{
	auto_strlist struct strlist names = STRLIST_INIT;

	*out_count = 0;
	if (walk_names(store->cachemounts_fd, &names, "cache-mounts", err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		auto_cachemount struct cachemount got = CACHEMOUNT_INIT;
		enum lock_result result = LOCK_GONE;

		got.dir_fd = openat(store->cachemounts_fd, names.items[i], DIR_FLAGS);
		if (got.dir_fd >= 0 && lock(got.dir_fd, store->cachemounts_fd, names.items[i],
					    LOCK_EX, &result, err) < 0)
			return -1;
		if ((got.dir_fd >= 0 && result != LOCK_GOT) || is_younger(got.dir_fd, until_epoch))
			continue;
		if (to_fd >= 0 &&
		    sweep_discard(store->cachemounts_fd, names.items[i], to_fd, err) < 0)
			return -1;
		(*out_count)++;
	}
	return 0;
}
