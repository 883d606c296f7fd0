/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_SPOOL_H
#define COMMON_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/strbuf.h"
#include "common/tmpfile.h"

/*
 * Bytes that are added at the end and read in order, for lists that may have a million members:
 * in memory up to a bound, what is more in a file without a name. A position is the number of bytes
 * before it.
 */
struct spool {
	int dir_fd;         /* borrowed: where the file is made; -1: all stays in memory */
	size_t bound_bytes; /* kept in memory */
	struct tmpfile file;
	uint64_t file_len;
	struct strbuf tail; /* what follows the file's bytes */
};

#define SPOOL_BOUND_BYTES ((size_t)2 * 1024 * 1024)
#define SPOOL_INIT                                                              \
	{                                                                       \
		.dir_fd = -1, .bound_bytes = SPOOL_BOUND_BYTES,                 \
		.file = TMPFILE_INIT, .tail = STRBUF_INIT                       \
	}
#define auto_spool __attribute__((cleanup(spool_release)))
void spool_release(struct spool *spool);

/* Where the next byte goes. */
uint64_t spool_end(const struct spool *spool);
/* A record of several calls may be changed as a whole only if spool_settle is not called within. */
void spool_add(struct spool *spool, const void *data, size_t len);
/* Put into the file what is more than the bound: between two records. */
int spool_settle(struct spool *spool, struct err *err);
/* Overwrite what is there, all of one record. */
int spool_change(struct spool *spool, uint64_t at, const void *data, size_t len, struct err *err);

/*
 * Reads on from a position. Nothing may be added meanwhile; what is changed before the reader's
 * place is no matter to it, what is changed behind it it may not see.
 */
struct spool_reader {
	const struct spool *spool;
	uint64_t at;
	char *window; /* of the file's bytes from window_at on */
	uint64_t window_at;
	size_t window_len;
};
#define auto_spool_reader __attribute__((cleanup(spool_reader_release)))
void spool_reader_init(struct spool_reader *reader, const struct spool *spool, uint64_t at);
void spool_reader_release(struct spool_reader *reader);
/* Exactly @len bytes, which must be there. */
int spool_read(struct spool_reader *reader, void *out, size_t len, struct err *err);

#endif
