/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for long lists that take no memory: where their bytes are, and that they are
 * read in large pieces. What a record is, is its owner's.
 */
#include "common/spool.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"

#define WINDOW_BYTES ((size_t)64 * 1024)

void spool_release(struct spool *spool)
{
	tmpfile_release(&spool->file);
	strbuf_release(&spool->tail);
	*spool = (struct spool)SPOOL_INIT;
}

uint64_t spool_end(const struct spool *spool)
{
	return spool->file_len + spool->tail.len;
}

void spool_add(struct spool *spool, const void *data, size_t len)
{
	strbuf_add(&spool->tail, data, len);
}

int spool_settle(struct spool *spool, struct err *err)
{
	if (spool->tail.len < spool->bound_bytes || spool->dir_fd < 0)
		return 0;
	if (spool->file.fd < 0 && tmpfile_open(&spool->file, spool->dir_fd, err) < 0)
		return -1;
	if (fd_write_all(spool->file.fd, spool->tail.data, spool->tail.len, "a temporary file",
			 err) < 0)
		return -1;
	spool->file_len += spool->tail.len;
	strbuf_truncate(&spool->tail, 0);
	return 0;
}

int spool_change(struct spool *spool, uint64_t at, const void *data, size_t len, struct err *err)
{
	assert(at + len <= spool_end(spool));
	if (at >= spool->file_len) {
		memcpy(spool->tail.data + (at - spool->file_len), data, len);
		return 0;
	}
	assert(at + len <= spool->file_len);
	if (pwrite(spool->file.fd, data, len, (off_t)at) != (ssize_t)len)
		return err_sys(err, "write a temporary file");
	return 0;
}

void spool_reader_init(struct spool_reader *reader, const struct spool *spool, uint64_t at)
{
	*reader = (struct spool_reader){ .spool = spool, .at = at };
}

void spool_reader_release(struct spool_reader *reader)
{
	free(reader->window);
	reader->window = NULL;
}

static int fill_window(struct spool_reader *reader, struct err *err)
{
	const struct spool *spool = reader->spool;
	uint64_t left = spool->file_len - reader->at;
	size_t len = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;
	ssize_t n;

	if (!reader->window)
		reader->window = mem_alloc(WINDOW_BYTES);
	do
		n = pread(spool->file.fd, reader->window, len, (off_t)reader->at);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "read a temporary file");
	if (n == 0)
		return err_set(err, ERR_SYSTEM, "a temporary file was cut off");
	reader->window_at = reader->at;
	reader->window_len = (size_t)n;
	return 0;
}

/* Up to @len bytes from where the reader is: the count, or -1. */
static ssize_t read_some(struct spool_reader *reader, void *out, size_t len, struct err *err)
{
	const struct spool *spool = reader->spool;
	const char *from;
	size_t have;

	if (reader->at >= spool->file_len) {
		from = spool->tail.data + (reader->at - spool->file_len);
		have = (size_t)(spool_end(spool) - reader->at);
	} else {
		if ((reader->at < reader->window_at ||
		     reader->at >= reader->window_at + reader->window_len) &&
		    fill_window(reader, err) < 0)
			return -1;
		from = reader->window + (reader->at - reader->window_at);
		have = (size_t)(reader->window_at + reader->window_len - reader->at);
	}
	if (have > len)
		have = len;
	assert(have > 0);
	memcpy(out, from, have);
	reader->at += have;
	return (ssize_t)have;
}

int spool_read(struct spool_reader *reader, void *out, size_t len, struct err *err)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = read_some(reader, (char *)out + done, len - done, err);

		if (n < 0)
			return -1;
		done += (size_t)n;
	}
	return 0;
}
