/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what the root of several layers looks like, and for the empty
 * directories of the store that look so. They are named by the digest of their
 * looks, never changed, and few: images have few different roots.
 */
#include "storage/rootdir-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/digest.h"
#include "common/fd.h"
#include "common/strbuf.h"
#include "common/tmpfile.h"
#include "layers/entry.h"
#include "layers/record.h"
#include "layers/whiteout.h"
#include "storage/store-internal.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

struct look {
	mode_t mode;
	uid_t uid;
	gid_t gid;
	struct timespec mtime;
	struct xattrs xattrs;
};
#define auto_look __attribute__((cleanup(look_release)))

static void look_release(struct look *look)
{
	xattrs_release(&look->xattrs);
}

static int look_load(int fd, enum overlay_ns ns, struct look *out, struct err *err)
{
	struct stat st;

	if (record_stat(fd, "", ns, &st) < 0)
		return err_sys(err, "stat the root of a layer");
	out->mode = st.st_mode & 07777;
	out->uid = st.st_uid;
	out->gid = st.st_gid;
	out->mtime = st.st_mtim;
	return xattrs_load(fd, ns, &out->xattrs, "/", err);
}

static void look_digest(const struct look *look, struct digest *out)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;

	strbuf_printf(&text, "%o %u:%u %lld.%09ld", (unsigned)look->mode, look->uid, look->gid,
		      (long long)look->mtime.tv_sec, look->mtime.tv_nsec);
	for (size_t i = 0; i < look->xattrs.count; i++) {
		const struct xattr *xattr = &look->xattrs.items[i];

		strbuf_printf(&text, " %s=%zu:", xattr->name, xattr->value_len);
		strbuf_add(&text, xattr->value, xattr->value_len);
	}
	digest_of(text.data, text.len, out);
}

static bool look_equal(const struct look *a, const struct look *b)
{
	return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
	       a->mtime.tv_sec == b->mtime.tv_sec && a->mtime.tv_nsec == b->mtime.tv_nsec &&
	       xattrs_equal(&a->xattrs, &b->xattrs);
}

/* What the layers say, @out being what it is when none says anything. */
static int look_of_layers(const struct mount_request *request, enum overlay_ns ns, struct look *out,
			  struct err *err)
{
	for (size_t i = request->lower_count; i > 0; i--) {
		bool is_implied = false;

		if (implied_root_get(request->lowers[i - 1], ns, &is_implied, err) < 0)
			return -1;
		if (!is_implied)
			return look_load(request->lowers[i - 1], ns, out, err);
	}
	return 0;
}

/* ---- the directory that looks so ---- */

static int give_look(int fd, const struct look *look, enum overlay_ns ns, struct err *err)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, look->mtime };

	if (record_chown(fd, "", ns, look->uid, look->gid) < 0 || fchmod(fd, look->mode) < 0)
		return err_sys(err, "change owner and mode of a root directory");
	if (xattrs_apply(fd, ns, &look->xattrs, "/", err) < 0)
		return -1;
	if (futimens(fd, times) < 0)
		return err_sys(err, "set the times of a root directory");
	return 0;
}

static int make(struct store *store, const char *name, const struct look *look, struct err *err)
{
	auto_tmpdir struct tmpdir tmp = TMPDIR_INIT;

	if (tmpdir_make(&tmp, store->tmp_fd, err) < 0 ||
	    give_look(tmp.fd, look, store->ns, err) < 0)
		return -1;
	return tmpdir_commit(&tmp, store->cache_fd, name, err);
}

static int open_or_make(struct store *store, const struct look *look, struct err *err)
{
	char name[DIGEST_HEX_MAX + 8];
	char hex[DIGEST_HEX_MAX];
	struct digest digest;
	int fd;

	look_digest(look, &digest);
	snprintf(name, sizeof(name), "root-%s", digest_hex(&digest, hex));
	fd = openat(store->cache_fd, name, DIR_FLAGS);
	if (fd < 0 && errno == ENOENT) {
		if (make(store, name, look, err) < 0)
			return -1;
		fd = openat(store->cache_fd, name, DIR_FLAGS);
	}
	return fd < 0 ? err_sys(err, "open '%s' of the store", name) : fd;
}

int rootdir_open(struct store *store, const struct mount_request *request, int *out_fd,
		 struct err *err)
{
	auto_look struct look top = { .mode = 0 };
	auto_look struct look wanted = { .mode = 0755 };
	bool is_implied = false;
	int top_fd;

	*out_fd = -1;
	if (request->lower_count == 0)
		return 0;
	top_fd = request->lowers[request->lower_count - 1];
	if (implied_root_get(top_fd, store->ns, &is_implied, err) < 0)
		return -1;
	if (!is_implied)
		return 0;
	if (look_load(top_fd, store->ns, &top, err) < 0 ||
	    look_of_layers(request, store->ns, &wanted, err) < 0)
		return -1;
	if (look_equal(&top, &wanted))
		return 0;
	*out_fd = open_or_make(store, &wanted, err);
	return *out_fd < 0 ? -1 : 0;
}
