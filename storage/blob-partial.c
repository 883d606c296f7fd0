/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for blobs that come in pieces: what has come of one is a file that any later process
 * finds by the blob's digest, and that one process at a time goes on with. It is never trusted:
 * whoever goes on digests it from its beginning.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/strlist.h"
#include "layers/walk.h"
#include "storage/blob.h"
#include "storage/store-internal.h"

/* Half of the digest is enough for a name, and tmpfile.name is short. */
#define PARTIAL_PREFIX ".part-"
#define PARTIAL_DIGITS 24

static bool is_named(const struct tmpfile *tmp)
{
	struct stat locked;
	struct stat named;

	return fstat(tmp->fd, &locked) == 0 &&
	       fstatat(tmp->dir_fd, tmp->name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       locked.st_ino == named.st_ino && locked.st_dev == named.st_dev;
}

static int open_locked(struct tmpfile *tmp, struct err *err)
{
	tmp->fd = openat(tmp->dir_fd, tmp->name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (tmp->fd < 0)
		return err_sys(err, "open what is there of a blob");
	if (flock(tmp->fd, LOCK_EX) == 0)
		return 0;
	if (errno == EINTR)
		return err_set(err, ERR_INTERRUPTED, "interrupted while waiting for a blob");
	return err_sys(err, "lock what is there of a blob");
}

int blob_writer_resume(struct store *store, const struct digest *digest, struct blob_writer *out,
		       uint64_t *out_have, struct err *err)
{
	struct tmpfile tmp = { .fd = -1, .dir_fd = store->blobs_fd };
	char hex[DIGEST_HEX_MAX];
	struct stat st;

	snprintf(tmp.name, sizeof(tmp.name), PARTIAL_PREFIX "%.*s", PARTIAL_DIGITS,
		 digest_hex(digest, hex));
	do {
		fd_close(&tmp.fd);
		if (open_locked(&tmp, err) < 0) {
			fd_close(&tmp.fd);
			return -1;
		}
		/* the one before us has made a blob of it, or thrown it away */
	} while (!is_named(&tmp));
	if (fstat(tmp.fd, &st) < 0 || lseek(tmp.fd, st.st_size, SEEK_SET) < 0) {
		err_sys(err, "look at what is there of a blob");
		fd_close(&tmp.fd);
		return -1;
	}
	out->store = store;
	out->tmp = tmp;
	*out_have = (uint64_t)st.st_size;
	return 0;
}

void blob_writer_keep(struct blob_writer *writer)
{
	struct stat st;

	/* of nothing there is nothing to keep */
	if (writer->tmp.fd >= 0 && fstat(writer->tmp.fd, &st) == 0 && st.st_size > 0)
		writer->tmp.name[0] = '\0';
	tmpfile_release(&writer->tmp);
}

/* Files of @dir_fd that begin so and that nobody has locked. */
static int sweep(int dir_fd, const char *what, const char *prefix, struct err *err)
{
	auto_strlist struct strlist names = STRLIST_INIT;

	if (walk_names(dir_fd, &names, what, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		const char *name = names.items[i];
		auto_close int fd = -1;

		if (strncmp(name, prefix, strlen(prefix)) != 0)
			continue;
		fd = openat(dir_fd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
			continue; /* somebody is at it */
		if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
			return err_sys(err, "remove '%s'", name);
	}
	return 0;
}

int blob_partial_sweep(struct store *store, struct err *err)
{
	if (sweep(store->blobs_fd, "blobs/sha256", PARTIAL_PREFIX, err) < 0)
		return -1;
	return sweep(store_cache_fd(store), "cache", BLOB_UPLOAD_PREFIX, err);
}
