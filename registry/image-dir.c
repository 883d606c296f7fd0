/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for reading files of a directory that holds an image, whoever made it. */
#include "registry/image-dir.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"
#include "registry/region.h"

/* A regular file, for a pipe or a device would keep us waiting. sys_errno ENOENT when it is not
 * there. */
static int open_file(const struct image_dir *dir, const char *name, struct stat *out_st,
		     struct err *err)
{
	auto_close int fd =
		beneath_open(dir->fd, name, BENEATH_STAY, O_RDONLY | O_NONBLOCK | O_NOCTTY, err);

	if (fd < 0)
		return err_prefix(err, "%s '%s'", dir->kind, dir->path);
	if (fstat(fd, out_st) < 0)
		return err_sys(err, "stat '%s/%s'", dir->path, name);
	if (!S_ISREG(out_st->st_mode))
		return err_set(err, ERR_INPUT, "'%s/%s' is not a regular file", dir->path, name);
	return fd_steal(&fd);
}

int image_dir_load_file(const struct image_dir *dir, const char *name, size_t limit,
			bool *out_found, struct strbuf *out, struct err *err)
{
	auto_free char *what = str_format("%s/%s", dir->path, name);
	struct stat st;
	auto_close int fd = -1;

	if (dir->tar) {
		*out_found = tarindex_find(&dir->tar->index, name) != NULL;
		return *out_found ? archive_tar_load(dir->tar, name, limit, out, err) : 0;
	}
	fd = open_file(dir, name, &st, err);

	*out_found = fd >= 0;
	if (fd < 0 && err->sys_errno == ENOENT) {
		err_clear(err);
		return 0;
	}
	if (fd < 0)
		return -1;
	return fd_read_all(fd, limit, out, what, err);
}

/* Where the file is. sys_errno ENOENT when it is not there. */
static int find_region(const struct image_dir *dir, const char *name, struct region *out,
		       struct err *err)
{
	const struct tarindex_entry *entry;
	struct stat st;

	if (!dir->tar) {
		out->owns_fd = true;
		out->fd = open_file(dir, name, &st, err);
		out->size_bytes = out->fd >= 0 ? (uint64_t)st.st_size : 0;
		return out->fd >= 0 ? 0 : -1;
	}
	entry = tarindex_find(&dir->tar->index, name);
	if (!entry) {
		errno = ENOENT;
		return err_sys(err, "find '%s' in '%s'", name, dir->path);
	}
	*out = (struct region){ .fd = dir->tar->fd,
				.offset = entry->offset,
				.size_bytes = entry->size_bytes };
	return 0;
}

struct source *image_dir_open_blob(const struct image_dir *dir, const char *name,
				   const struct descriptor *blob, struct err *err)
{
	auto_free char *what = str_format("%s/%s", dir->path, name);
	struct region region = { .fd = -1 };
	char hex[DIGEST_HEX_MAX];

	if (find_region(dir, name, &region, err) < 0) {
		if (err->sys_errno == ENOENT)
			err_set(err, ERR_INPUT, "%s '%s' lacks the blob %s", dir->kind, dir->path,
				digest_hex(&blob->digest, hex));
		return NULL;
	}
	if (region.size_bytes != blob->size_bytes) {
		if (region.owns_fd)
			fd_close(&region.fd);
		err_set(err, ERR_INPUT, "'%s' has %llu bytes, but its descriptor says %llu", what,
			(unsigned long long)region.size_bytes,
			(unsigned long long)blob->size_bytes);
		return NULL;
	}
	return source_region(&region, what);
}
