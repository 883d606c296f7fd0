/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the content of a file that is unpacked, and for its holes: those
 * that a sparse entry tells of, and the zeros that a layer has in their place,
 * since not all readers know sparse entries. A file of 1 TB that holds nothing
 * takes no room on disk here, wherever it was packed.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "layers/unpack-internal.h"

#define PAGE_BYTES ((size_t)4096)
/* smaller runs of zeros are written: a hole in every program would only scatter it */
#define HOLE_MIN_BYTES ((size_t)64 * 1024)

/* All of a file counts, with what of it will be a hole: some day it is read, or packed again. */
int unpack_take_room(struct unpack_budget *budget, const struct tar_entry *entry,
		     const struct tar_reader *reader, struct err *err)
{
	uint64_t size = entry->entry.size_bytes;
	uint64_t allowed = unpack_ratio_allows(tar_reader_bytes(reader), budget->max_ratio);

	if (size > budget->bytes_left)
		return err_set(err, ERR_INPUT,
			       "its files are larger than the limit allows: if they may, give "
			       "--unpack-limit bytes=NUMBER");
	budget->bytes_left -= size;
	if (!entry->is_sparse)
		return 0;
	if (size > allowed || budget->holes > allowed - size)
		return err_set(err, ERR_INPUT,
			       "the holes of its sparse files are more than %llu times its size: "
			       "if they may, give --unpack-limit ratio=NUMBER",
			       (unsigned long long)budget->max_ratio);
	budget->holes += size;
	return 0;
}

static int write_at(int fd, const char *data, size_t len, uint64_t offset, const char *path,
		    struct err *err)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, data, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "write '%s'", path);
		data += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static bool is_zeros(const char *data, size_t len)
{
	return data[0] == '\0' && memcmp(data, data + 1, len - 1) == 0;
}

/* How many of the @len bytes come first in pages that are zeros, or in such as are not. */
static size_t run_length(const char *data, size_t len, uint64_t offset, bool is_hole)
{
	size_t done = 0;

	while (done < len) {
		size_t piece = PAGE_BYTES - (size_t)((offset + done) % PAGE_BYTES);

		if (piece > len - done)
			piece = len - done;
		if (is_zeros(data + done, piece) != is_hole)
			return done;
		done += piece;
	}
	return done;
}

/*
 * Write what is not zeros; nothing was written there before. At the ends of the
 * piece a run may go on in the next one, so it counts whatever its length.
 */
static int write_around_holes(int fd, const char *data, size_t len, uint64_t offset,
			      const char *path, struct err *err)
{
	size_t from = 0; /* first byte not yet written */
	size_t at = 0;

	while (at < len) {
		size_t hole = run_length(data + at, len - at, offset + at, true);

		if (hole >= HOLE_MIN_BYTES || (hole > 0 && (at == 0 || at + hole == len))) {
			if (write_at(fd, data + from, at - from, offset + from, path, err) < 0)
				return -1;
			from = at + hole;
		}
		at += hole;
		at += run_length(data + at, len - at, offset + at, false);
	}
	return write_at(fd, data + from, len - from, offset + from, path, err);
}

static int write_piece(int fd, const struct tar_entry *entry, const void *data, size_t len,
		       uint64_t offset, struct err *err)
{
	uint64_t size = entry->entry.size_bytes;
	const char *path = entry->entry.path;

	if (offset > size || len > size - offset)
		return err_set(err, ERR_INPUT, "'%s' has data beyond its size", path);
	if (size < HOLE_MIN_BYTES)
		return write_at(fd, data, len, offset, path, err);
	return write_around_holes(fd, data, len, offset, path, err);
}

int unpack_fill(int fd, const struct tar_entry *entry, struct tar_reader *reader, struct err *err)
{
	uint64_t size = entry->entry.size_bytes;
	uint64_t end = 0;

	for (;;) {
		const void *data;
		uint64_t offset;
		size_t len;

		if (tar_reader_data(reader, &data, &len, &offset, err) < 0)
			return -1;
		if (len == 0)
			break;
		if (write_piece(fd, entry, data, len, offset, err) < 0)
			return -1;
		end = offset + len;
	}
	if (end < size && !entry->is_sparse)
		return err_set(err, ERR_INPUT, "'%s' has less data than its size",
			       entry->entry.path);
	/* a hole at the end was not written */
	if ((end < size || size >= HOLE_MIN_BYTES) && ftruncate(fd, (off_t)size) < 0)
		return err_sys(err, "make '%s' %llu bytes long", entry->entry.path,
			       (unsigned long long)size);
	return 0;
}
