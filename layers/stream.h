/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAYERS_STREAM_H
#define LAYERS_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/strbuf.h"

/*
 * Bytes run through chains: pack → digest → gzip → digest → file. Each stage
 * knows only the next. A sink takes bytes; a source gives them.
 *
 * Closing: sink_finish writes what is buffered and finishes the stages after
 * it too; sink_free lets go of a stage and all stages after it that it took. A
 * sink that was freed unfinished has written an incomplete stream: the
 * caller's tmpfile then never gets its name.
 */
struct sink {
	int (*write)(struct sink *sink, const void *data, size_t len, struct err *err);
	int (*finish)(struct sink *sink, struct err *err);
	void (*free)(struct sink *sink);
	/* NULL: it has none */
	int (*room)(struct sink *sink, char **out, size_t *out_len, struct err *err);
};

static inline int sink_write(struct sink *sink, const void *data, size_t len, struct err *err)
{
	return sink->write(sink, data, len, err);
}
static inline int sink_finish(struct sink *sink, struct err *err)
{
	return sink->finish(sink, err);
}
/*
 * Memory of a stage to put the next bytes into: to write some of them from its beginning copies
 * nothing. *out NULL: there is none. Who asks writes at least one byte next; until then it is good.
 */
int sink_room(struct sink *sink, char **out, size_t *out_len, struct err *err);
void sink_free(struct sink *sink); /* NULL is fine */
#define auto_sink __attribute__((cleanup(sink_auto_free)))
void sink_auto_free(struct sink **sink);

/* Into a descriptor (borrowed), buffered; @what names it in errors (copied). */
struct sink *sink_to_fd(int fd, const char *what);
/*
 * The same for a large file that is to be on disk in the end and is not read again soon: the disk
 * begins while it is written, and no pages of it are kept.
 */
struct sink *sink_to_kept_fd(int fd, const char *what);
/* Into memory (borrowed buffer). */
struct sink *sink_to_strbuf(struct strbuf *out);
/* To nowhere. */
struct sink *sink_to_nothing(void);
/* Pass on to @next (taken) and digest what passes; result in *out_digest and *out_len (may be NULL)
 * at finish. */
struct sink *sink_digest(struct sink *next, struct digest *out_digest, uint64_t *out_len);
/* Copy to both (both taken). */
struct sink *sink_tee(struct sink *first, struct sink *second);
/*
 * Pass on to @next (taken) in a thread of its own, so that what is slow there holds nobody up.
 * Keeps 2 MiB at the most; a short stream starts no thread. What fails behind it is told by a
 * later write, or at finish.
 */
struct sink *sink_thread(struct sink *next);

struct source {
	/* Up to @len bytes; 0 at the end, -1 on error. May be short. */
	ssize_t (*read)(struct source *source, void *data, size_t len, struct err *err);
	void (*free)(struct source *source);
};

static inline ssize_t source_read(struct source *source, void *data, size_t len, struct err *err)
{
	return source->read(source, data, len, err);
}
void source_free(struct source *source); /* frees the sources before it that it took */
#define auto_source __attribute__((cleanup(source_auto_free)))
void source_auto_free(struct source **source);

/* From a descriptor (borrowed) at its current offset; at most @limit bytes (UINT64_MAX: to the
 * end). */
struct source *source_from_fd(int fd, uint64_t limit, const char *what);
struct source *source_from_memory(const void *data, size_t len); /* borrowed */
/*
 * Digest what is read through it. When @expect is not NULL, the end of the stream is an ERR_INPUT
 * unless digest (and length, when expect_len is not UINT64_MAX) match; @what names the stream. More
 * bytes than expect_len is an error as soon as they come. *out_digest and *out_len (may be NULL)
 * are set at the end of the stream.
 */
struct source_digest_options {
	const struct digest *expect;
	uint64_t expect_len; /* UINT64_MAX: any */
	struct digest *out_digest;
	uint64_t *out_len;
	const char *what;
};
struct source *source_digest(struct source *from, const struct source_digest_options *options);
/*
 * Read @from (taken) ahead in a thread of its own: 2 MiB at the most; a short stream starts none.
 * What the sources before it set at their end is set when a read gave 0, and they are left alone
 * once it is freed.
 */
struct source *source_ahead(struct source *from);

/* Read @from to its end into @to; does not finish @to. */
int stream_copy(struct source *from, struct sink *to, struct err *err);
/* Read @from to its end and forget the bytes: drives a source_digest over a tail. */
int source_drain(struct source *from, struct err *err);

#endif
