/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for reading files of a directory that holds an image, whoever made it. */
#include "registry/image-dir.h"

#include <errno.h>
#include <fcntl.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"
#include "registry/region.h"

int image_dir_open_file(const struct image_dir *dir, const char *name, struct stat *out_st,
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
	auto_close int fd = image_dir_open_file(dir, name, &st, err);

	*out_found = fd >= 0;
	if (fd < 0 && err->sys_errno == ENOENT) {
		err_clear(err);
		return 0;
	}
	if (fd < 0)
		return -1;
	return fd_read_all(fd, limit, out, what, err);
}

struct source *image_dir_open_blob(const struct image_dir *dir, const char *name,
				   const struct descriptor *blob, struct err *err)
{
	auto_free char *what = str_format("%s/%s", dir->path, name);
	struct region region = { .owns_fd = true, .size_bytes = blob->size_bytes };
	char hex[DIGEST_HEX_MAX];
	struct stat st;

	region.fd = image_dir_open_file(dir, name, &st, err);
	if (region.fd < 0 && err->sys_errno == ENOENT)
		err_set(err, ERR_INPUT, "%s '%s' lacks the blob %s", dir->kind, dir->path,
			digest_hex(&blob->digest, hex));
	if (region.fd < 0)
		return NULL;
	if ((uint64_t)st.st_size != blob->size_bytes) {
		fd_close(&region.fd);
		err_set(err, ERR_INPUT, "'%s' has %lld bytes, but its descriptor says %llu", what,
			(long long)st.st_size, (unsigned long long)blob->size_bytes);
		return NULL;
	}
	return source_region(&region, what);
}
