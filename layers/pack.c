/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the tar of a layer: members in the order they come, their
 * content, the padding, the end. Headers are tar-header's business, what
 * belongs into a layer diff's.
 */
#include "layers/pack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "layers/coldfile-internal.h"
#include "layers/diff-internal.h"
#include "layers/tar-header-internal.h"
#include "layers/whiteout.h"

#define BUFFER_BYTES       ((size_t)256 * 1024)
#define SPARSE_MIN_BYTES   ((uint64_t)1024 * 1024)
#define UNCACHED_MIN_BYTES ((uint64_t)1024 * 1024)
#define HOLES_TOLD_BYTES   ((uint64_t)8 * 1000 * 1000 * 1000)

struct pack {
	struct sink *sink;
	/* where headers and small files are put together: the sink's own memory, if it has any */
	char *buffer;
	size_t size;
	size_t used;
	char *own; /* BUFFER_BYTES; or NULL, not needed yet */
	struct strbuf header;
	struct strbuf name;
	uint64_t entries;
	uint64_t content_bytes;
	bool is_last_look;    /* nobody reads these files again soon */
	struct coldfile cold; /* the one that is being read, if it is such a one */
};

static const char zeros[64 * 1024];

const struct digest pack_empty_diff_id = {
	.bytes = { 0x5f, 0x70, 0xbf, 0x18, 0xa0, 0x86, 0x00, 0x70, 0x16, 0xe9, 0x48,
		   0xb0, 0x4a, 0xed, 0x3b, 0x82, 0x10, 0x3a, 0x36, 0xbe, 0xa4, 0x17,
		   0x55, 0xb6, 0xcd, 0xdf, 0xaf, 0x10, 0xac, 0xe3, 0xc6, 0xef },
};

struct pack *pack_new(struct sink *sink)
{
	struct pack *pack = mem_alloc(sizeof(*pack));

	pack->sink = sink;
	pack->cold = (struct coldfile)COLDFILE_INIT;
	pack->header = (struct strbuf)STRBUF_INIT;
	pack->name = (struct strbuf)STRBUF_INIT;
	return pack;
}

void pack_free(struct pack *pack)
{
	if (!pack)
		return;
	free(pack->own);
	strbuf_release(&pack->header);
	strbuf_release(&pack->name);
	free(pack);
}

void pack_auto_free(struct pack **pack)
{
	pack_free(*pack);
}

static int flush(struct pack *pack, struct err *err)
{
	size_t len = pack->used;

	pack->used = 0;
	pack->size = 0;
	return len ? sink_write(pack->sink, pack->buffer, len, err) : 0;
}

/* More bytes are to come: at least one has a place in the buffer afterwards. */
static int make_room(struct pack *pack, struct err *err)
{
	if (pack->used < pack->size)
		return 0;
	if (flush(pack, err) < 0 || sink_room(pack->sink, &pack->buffer, &pack->size, err) < 0)
		return -1;
	if (pack->buffer && pack->size <= BUFFER_BYTES)
		return 0;
	pack->size = BUFFER_BYTES;
	if (pack->buffer)
		return 0;
	if (!pack->own)
		pack->own = mem_alloc(BUFFER_BYTES);
	pack->buffer = pack->own;
	return 0;
}

static int put(struct pack *pack, const char *data, size_t len, struct err *err)
{
	while (len > 0) {
		size_t part;

		if (make_room(pack, err) < 0)
			return -1;
		part = pack->size - pack->used;
		if (part > len)
			part = len;
		memcpy(pack->buffer + pack->used, data, part);
		pack->used += part;
		data += part;
		len -= part;
	}
	return 0;
}

static int put_zeros(struct pack *pack, uint64_t len, struct err *err)
{
	while (len > 0) {
		size_t part = len < sizeof(zeros) ? (size_t)len : sizeof(zeros);

		if (put(pack, zeros, part, err) < 0)
			return -1;
		len -= part;
	}
	return 0;
}

static int changed(const struct entry *entry, const char *how, struct err *err)
{
	return err_set(err, ERR_SYSTEM, "'%s' %s while it was read", entry->path, how);
}

static ssize_t read_some(struct pack *pack, const struct entry *entry, int fd, void *data,
			 size_t len)
{
	if (pack->cold.is_open)
		return coldfile_read(&pack->cold, data, len);
	if (pack->is_last_look && entry->size_bytes >= UNCACHED_MIN_BYTES)
		return fd_read_uncached(fd, data, len);
	return read(fd, data, len);
}

/*
 * @left bytes from where @fd stands, straight into the buffer. At the end of
 * the file one byte more is asked for each time: that it does not come says
 * that the file did not grow, at no cost for a small one.
 */
static int put_file(struct pack *pack, const struct entry *entry, int fd, uint64_t left,
		    bool is_to_end, struct err *err)
{
	while (left + is_to_end > 0) {
		size_t want;
		ssize_t n;

		if (make_room(pack, err) < 0)
			return -1;
		want = pack->size - pack->used;
		if (want > left + is_to_end)
			want = (size_t)(left + is_to_end);
		n = read_some(pack, entry, fd, pack->buffer + pack->used, want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "read '%s'", entry->path);
		if ((uint64_t)n > left)
			return changed(entry, "grew", err);
		if (n == 0 && left > 0)
			return changed(entry, "shrank", err);
		left -= (uint64_t)n;
		pack->used += (size_t)n;
		if (left == 0 && (size_t)n < want)
			break;
	}
	return 0;
}

/* It takes a second for each 1 or 2 GB: said before, so that nobody wonders. */
static void warn_of_holes(const struct entry *entry, const struct stat *st)
{
	uint64_t holes = (uint64_t)(st->st_size - st->st_blocks * 512);

	if (holes >= HOLES_TOLD_BYTES)
		log_warn("'%s' has %llu GB of holes, which a layer holds as zeros: this takes time",
			 entry->path, (unsigned long long)(holes / 1000000000));
}

/* Holes are not read; a tar has them as zeros, since not all readers know sparse files. */
static int put_sparse(struct pack *pack, const struct entry *entry, int fd, struct err *err)
{
	off_t size = (off_t)entry->size_bytes;
	off_t at = 0;

	while (at < size) {
		off_t data = lseek(fd, at, SEEK_DATA);
		off_t hole;

		if (data < 0 && errno != ENXIO)
			return err_sys(err, "seek in '%s'", entry->path);
		if (data < 0 || data > size)
			data = size;
		if (put_zeros(pack, (uint64_t)(data - at), err) < 0)
			return -1;
		if (data == size)
			return 0;
		hole = lseek(fd, data, SEEK_HOLE);
		if (hole < 0 || lseek(fd, data, SEEK_SET) < 0)
			return err_sys(err, "seek in '%s'", entry->path);
		if (hole > size)
			return changed(entry, "grew", err);
		if (put_file(pack, entry, fd, (uint64_t)(hole - data), false, err) < 0)
			return -1;
		at = hole;
	}
	return 0;
}

static int put_whole(struct pack *pack, const struct entry *entry, int fd, struct err *err)
{
	int result;

	coldfile_open(&pack->cold, fd, (off_t)entry->size_bytes, pack->is_last_look);
	result = put_file(pack, entry, fd, entry->size_bytes, true, err);
	coldfile_close(&pack->cold);
	return result;
}

static int put_large(struct pack *pack, const struct entry *entry, int fd, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "stat '%s'", entry->path);
	if ((uint64_t)st.st_size != entry->size_bytes)
		return changed(entry, (uint64_t)st.st_size > entry->size_bytes ? "grew" : "shrank",
			       err);
	if (st.st_blocks >= st.st_size / 512)
		return put_whole(pack, entry, fd, err);
	warn_of_holes(entry, &st);
	if (put_sparse(pack, entry, fd, err) < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		return err_sys(err, "stat '%s'", entry->path);
	if ((uint64_t)st.st_size != entry->size_bytes)
		return changed(entry, "changed its size", err);
	return 0;
}

static int put_content(struct pack *pack, const struct entry *entry, int fd, struct err *err)
{
	uint64_t rest = entry->size_bytes % TAR_BLOCK_BYTES;
	int r;

	if (entry->size_bytes >= SPARSE_MIN_BYTES)
		r = put_large(pack, entry, fd, err);
	else
		r = put_file(pack, entry, fd, entry->size_bytes, true, err);
	if (r < 0)
		return -1;
	pack->content_bytes += entry->size_bytes;
	return rest ? put_zeros(pack, TAR_BLOCK_BYTES - rest, err) : 0;
}

static int put_header(struct pack *pack, const struct entry *entry, struct err *err)
{
	strbuf_truncate(&pack->header, 0);
	if (tar_header_format(entry, pack->name.data, &pack->header, err) < 0)
		return -1;
	return put(pack, pack->header.data, pack->header.len, err);
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The name in the tar. */
static void form_name(const struct entry *entry, struct strbuf *out)
{
	const char *base = base_of(entry->path);

	strbuf_truncate(out, 0);
	switch (entry->type) {
	case ENTRY_WHITEOUT:
		strbuf_add(out, entry->path, (size_t)(base - entry->path));
		strbuf_puts(out, ".wh.");
		strbuf_puts(out, base);
		return;
	case ENTRY_OPAQUE:
		strbuf_puts(out, entry->path);
		strbuf_puts(out, *entry->path ? "/.wh..wh..opq" : ".wh..wh..opq");
		return;
	case ENTRY_DIRECTORY:
		strbuf_puts(out, *entry->path ? entry->path : ".");
		strbuf_putc(out, '/');
		return;
	case ENTRY_FILE:
	case ENTRY_SYMLINK:
	case ENTRY_HARDLINK:
	case ENTRY_CHAR_DEVICE:
	case ENTRY_BLOCK_DEVICE:
	case ENTRY_FIFO:
		strbuf_puts(out, entry->path);
		return;
	}
}

int pack_entry(struct pack *pack, const struct entry *entry, int content_fd, struct err *err)
{
	if (entry->type != ENTRY_OPAQUE && whiteout_refuse_reserved(entry->path, err) < 0)
		return -1;
	form_name(entry, &pack->name);
	if (put_header(pack, entry, err) < 0)
		return -1;
	if (entry->type == ENTRY_FILE && put_content(pack, entry, content_fd, err) < 0)
		return -1;
	pack->entries++;
	return 0;
}

int pack_finish(struct pack *pack, struct err *err)
{
	if (put_zeros(pack, 2 * TAR_BLOCK_BYTES, err) < 0)
		return -1;
	return flush(pack, err);
}

int pack_diff_fn(void *pack, const struct entry *entry, int content_fd, struct err *err)
{
	return pack_entry(pack, entry, content_fd, err);
}

int pack_upper(int lower_fd, int upper_fd, const struct diff_options *options,
	       struct pack_result *out, struct err *err)
{
	struct pack_result result = { .entries = 0 };
	auto_sink struct sink *sink =
		sink_thread(sink_digest(sink_to_nothing(), &result.diff_id, &result.tar_bytes));
	auto_pack struct pack *pack = pack_new(sink);

	if (diff_upper(lower_fd, upper_fd, options, pack_diff_fn, pack, err) < 0)
		return -1;
	if (pack_finish(pack, err) < 0 || sink_finish(sink, err) < 0)
		return -1;
	result.entries = pack->entries;
	result.content_bytes = pack->content_bytes;
	*out = result;
	return 0;
}

int pack_layer(int layer_fd, enum overlay_ns ns, struct sink *sink, struct err *err)
{
	struct diff_options options = DIFF_OPTIONS_INIT;
	auto_pack struct pack *pack = pack_new(sink);

	options.ns = ns;
	pack->is_last_look = true;
	if (diff_layer(layer_fd, &options, pack_diff_fn, pack, err) < 0)
		return -1;
	return pack_finish(pack, err);
}
