/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for archives whose files are read by name: getting at a plain tar, and finding them in
 * it. */
#include "registry/archive-tar.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "layers/codec.h"
#include "layers/unpack.h"
#include "registry/interrupt.h"
#include "registry/region.h"

#define HEAD_BYTES  6
#define BLOCK_BYTES ((size_t)1 << 17)

void archive_tar_release(struct archive_tar *tar)
{
	free(tar->path);
	fd_close(&tar->fd);
	tmpfile_release(&tar->spool);
	tarindex_release(&tar->index);
	*tar = (struct archive_tar)ARCHIVE_TAR_INIT;
}

/* Write the uncompressed archive into room of the store that has no name. */
static int spool(struct archive_tar *tar, int fd, struct store *store, struct err *err)
{
	auto_source struct source *source = NULL;
	auto_free char *block = mem_alloc(BLOCK_BYTES);
	struct unpack_limits limits;
	uint64_t total = 0;
	ssize_t n;

	if (unpack_limits_load(&limits, err) < 0 ||
	    tmpfile_open(&tar->spool, store_tmp_fd(store), err) < 0)
		return -1;
	source = unpack_open(source_from_fd(fd, UINT64_MAX, tar->path), tar->path, NULL, err);
	if (!source)
		return -1;
	while ((n = source_read(source, block, BLOCK_BYTES, err)) > 0) {
		total += (uint64_t)n;
		if (total > limits.max_bytes)
			return err_set(err, ERR_INPUT,
				       "'%s' has more than %llu bytes: if it may, give "
				       "--unpack-limit bytes=NUMBER",
				       tar->path, (unsigned long long)limits.max_bytes);
		if (fd_write_all(tar->spool.fd, block, (size_t)n, tar->path, err) < 0)
			return -1;
	}
	return n < 0 ? -1 : 0;
}

/* Open it so that it can be read by offset: as it is, or spooled when it is compressed or a pipe.
 */
static int open_file(struct archive_tar *tar, struct store *store, struct err *err)
{
	auto_close int fd = open(tar->path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	unsigned char head[HEAD_BYTES];
	struct stat st;
	ssize_t n;
	int result;

	if (fd < 0)
		return err_sys(err, "open '%s'", tar->path);
	if (fstat(fd, &st) < 0)
		return err_sys(err, "stat '%s'", tar->path);
	if (S_ISREG(st.st_mode)) {
		n = pread(fd, head, sizeof(head), 0);
		if (n < 0)
			return err_sys(err, "read '%s'", tar->path);
		if (codec_detect(head, (size_t)n) == CODEC_NONE) {
			tar->fd = fd_steal(&fd);
			return 0;
		}
	}
	/* a pipe can keep us waiting for ever; nothing with a name has been made yet */
	interrupt_let_through();
	result = spool(tar, fd, store, err);
	interrupt_hold_again();
	if (result < 0)
		return -1;
	tar->fd = fd_steal(&tar->spool.fd);
	return 0;
}

int archive_tar_load(const struct archive_tar *tar, const char *name, size_t limit,
		     struct strbuf *out, struct err *err)
{
	const struct tarindex_entry *entry = tarindex_find(&tar->index, name);
	auto_source struct source *source = NULL;
	auto_sink struct sink *sink = sink_to_strbuf(out);
	struct region region = { .fd = tar->fd };

	if (!entry)
		return err_set(err, ERR_INPUT, "'%s' has no file '%.200s'", tar->path, name);
	if (entry->size_bytes > limit)
		return err_set(err, ERR_INPUT, "'%.200s' in '%s' has more than %zu bytes", name,
			       tar->path, limit);
	region.offset = entry->offset;
	region.size_bytes = entry->size_bytes;
	source = source_region(&region, tar->path);
	if (stream_copy(source, sink, err) < 0)
		return -1;
	return sink_finish(sink, err);
}

int archive_tar_open(const char *path, struct store *store, struct archive_tar *out,
		     struct err *err)
{
	struct archive_tar tar = ARCHIVE_TAR_INIT;

	tar.path = str_dup(path);
	if (open_file(&tar, store, err) < 0 || tarindex_load(tar.fd, path, &tar.index, err) < 0) {
		archive_tar_release(&tar);
		return -1;
	}
	*out = tar;
	return 0;
}
