/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the plain stages of byte streams: descriptors, memory, digests,
 * and moving bytes from a source to a sink. Stages that change the bytes
 * (compression, tar) live with what they do.
 */
#include "layers/stream.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"

#define FD_BUFFER_BYTES   ((size_t)128 * 1024)
#define COPY_BUFFER_BYTES ((size_t)256 * 1024)

int sink_room(struct sink *sink, char **out, size_t *out_len, struct err *err)
{
	*out = NULL;
	return sink->room ? sink->room(sink, out, out_len, err) : 0;
}

void sink_free(struct sink *sink)
{
	if (sink)
		sink->free(sink);
}

void sink_auto_free(struct sink **sink)
{
	sink_free(*sink);
	*sink = NULL;
}

void source_free(struct source *source)
{
	if (source)
		source->free(source);
}

void source_auto_free(struct source **source)
{
	source_free(*source);
	*source = NULL;
}

/* ---- into a descriptor ---- */

struct fd_sink {
	struct sink sink;
	int fd;
	char *what;
	bool is_kept;
	size_t len;
	char buf[FD_BUFFER_BYTES];
};

static int fd_sink_put(struct fd_sink *self, const void *data, size_t len, struct err *err)
{
	if (self->is_kept)
		return fd_write_uncached(self->fd, data, len, self->what, err);
	return fd_write_all(self->fd, data, len, self->what, err);
}

static int fd_sink_flush(struct fd_sink *self, struct err *err)
{
	size_t len = self->len;

	self->len = 0;
	return fd_sink_put(self, self->buf, len, err);
}

/* Whatever comes, what goes is a multiple of FD_BUFFER_BYTES: no page is written twice. */
static int fd_sink_write(struct sink *sink, const void *data, size_t len, struct err *err)
{
	struct fd_sink *self = (struct fd_sink *)sink;
	const char *from = data;

	while (len > 0) {
		size_t part = sizeof(self->buf) - self->len;

		if (self->len == 0 && len >= part) {
			part = len - len % part;
			if (fd_sink_put(self, from, part, err) < 0)
				return -1;
		} else {
			part = len < part ? len : part;
			memcpy(self->buf + self->len, from, part);
			self->len += part;
			if (self->len == sizeof(self->buf) && fd_sink_flush(self, err) < 0)
				return -1;
		}
		from += part;
		len -= part;
	}
	return 0;
}

static int fd_sink_finish(struct sink *sink, struct err *err)
{
	return fd_sink_flush((struct fd_sink *)sink, err);
}

static void fd_sink_free(struct sink *sink)
{
	struct fd_sink *self = (struct fd_sink *)sink;

	free(self->what);
	free(self);
}

struct sink *sink_to_fd(int fd, const char *what)
{
	struct fd_sink *self = mem_alloc(sizeof(*self));

	self->sink = (struct sink){
		.write = fd_sink_write,
		.finish = fd_sink_finish,
		.free = fd_sink_free,
	};
	self->fd = fd;
	self->what = str_dup(what);
	return &self->sink;
}

struct sink *sink_to_kept_fd(int fd, const char *what)
{
	struct sink *sink = sink_to_fd(fd, what);

	((struct fd_sink *)sink)->is_kept = true;
	return sink;
}

/* ---- into memory, to nowhere ---- */

struct strbuf_sink {
	struct sink sink;
	struct strbuf *out;
};

static int strbuf_sink_write(struct sink *sink, const void *data, size_t len, struct err *err)
{
	strbuf_add(((struct strbuf_sink *)sink)->out, data, len);
	return 0;
}

static int nothing_write(struct sink *sink, const void *data, size_t len, struct err *err)
{
	return 0;
}

static int nothing_finish(struct sink *sink, struct err *err)
{
	return 0;
}

static void plain_sink_free(struct sink *sink)
{
	free(sink);
}

struct sink *sink_to_strbuf(struct strbuf *out)
{
	struct strbuf_sink *self = mem_alloc(sizeof(*self));

	self->sink = (struct sink){
		.write = strbuf_sink_write,
		.finish = nothing_finish,
		.free = plain_sink_free,
	};
	self->out = out;
	return &self->sink;
}

struct sink *sink_to_nothing(void)
{
	struct sink *self = mem_alloc(sizeof(*self));

	*self = (struct sink){
		.write = nothing_write,
		.finish = nothing_finish,
		.free = plain_sink_free,
	};
	return self;
}

/* ---- digest on the way ---- */

struct digest_sink {
	struct sink sink;
	struct sink *next;
	struct digest_state state;
	struct digest *out_digest;
	uint64_t *out_len;
};

static int digest_sink_write(struct sink *sink, const void *data, size_t len, struct err *err)
{
	struct digest_sink *self = (struct digest_sink *)sink;

	digest_state_update(&self->state, data, len);
	return sink_write(self->next, data, len, err);
}

static int digest_sink_room(struct sink *sink, char **out, size_t *out_len, struct err *err)
{
	return sink_room(((struct digest_sink *)sink)->next, out, out_len, err);
}

static int digest_sink_finish(struct sink *sink, struct err *err)
{
	struct digest_sink *self = (struct digest_sink *)sink;
	struct digest digest;

	if (sink_finish(self->next, err) < 0)
		return -1;
	digest_state_final(&self->state, &digest);
	if (self->out_digest)
		*self->out_digest = digest;
	if (self->out_len)
		*self->out_len = self->state.len_bytes;
	return 0;
}

static void digest_sink_free(struct sink *sink)
{
	struct digest_sink *self = (struct digest_sink *)sink;

	digest_state_release(&self->state);
	sink_free(self->next);
	free(self);
}

struct sink *sink_digest(struct sink *next, struct digest *out_digest, uint64_t *out_len)
{
	struct digest_sink *self = mem_alloc(sizeof(*self));

	self->sink = (struct sink){
		.write = digest_sink_write,
		.finish = digest_sink_finish,
		.free = digest_sink_free,
		.room = digest_sink_room,
	};
	self->next = next;
	self->out_digest = out_digest;
	self->out_len = out_len;
	digest_state_init(&self->state);
	return &self->sink;
}

/* ---- to both ---- */

struct tee_sink {
	struct sink sink;
	struct sink *first;
	struct sink *second;
};

static int tee_write(struct sink *sink, const void *data, size_t len, struct err *err)
{
	struct tee_sink *self = (struct tee_sink *)sink;

	if (sink_write(self->first, data, len, err) < 0)
		return -1;
	return sink_write(self->second, data, len, err);
}

static int tee_finish(struct sink *sink, struct err *err)
{
	struct tee_sink *self = (struct tee_sink *)sink;

	if (sink_finish(self->first, err) < 0)
		return -1;
	return sink_finish(self->second, err);
}

static void tee_free(struct sink *sink)
{
	struct tee_sink *self = (struct tee_sink *)sink;

	sink_free(self->first);
	sink_free(self->second);
	free(self);
}

struct sink *sink_tee(struct sink *first, struct sink *second)
{
	struct tee_sink *self = mem_alloc(sizeof(*self));

	self->sink = (struct sink){
		.write = tee_write,
		.finish = tee_finish,
		.free = tee_free,
	};
	self->first = first;
	self->second = second;
	return &self->sink;
}

/* ---- from a descriptor, from memory ---- */

struct fd_source {
	struct source source;
	int fd;
	uint64_t left;
	char *what;
};

static ssize_t fd_source_read(struct source *source, void *data, size_t len, struct err *err)
{
	struct fd_source *self = (struct fd_source *)source;
	ssize_t n;

	if (len > self->left)
		len = (size_t)self->left;
	if (len == 0)
		return 0;
	do
		n = read(self->fd, data, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "read '%s'", self->what);
	if (self->left != UINT64_MAX)
		self->left -= (uint64_t)n;
	return n;
}

static void fd_source_free(struct source *source)
{
	struct fd_source *self = (struct fd_source *)source;

	free(self->what);
	free(self);
}

struct source *source_from_fd(int fd, uint64_t limit, const char *what)
{
	struct fd_source *self = mem_alloc(sizeof(*self));

	self->source = (struct source){ .read = fd_source_read, .free = fd_source_free };
	self->fd = fd;
	self->left = limit;
	self->what = str_dup(what);
	return &self->source;
}

struct memory_source {
	struct source source;
	const char *data;
	size_t left;
};

static ssize_t memory_source_read(struct source *source, void *data, size_t len, struct err *err)
{
	struct memory_source *self = (struct memory_source *)source;

	if (len > self->left)
		len = self->left;
	if (len == 0)
		return 0;
	memcpy(data, self->data, len);
	self->data += len;
	self->left -= len;
	return (ssize_t)len;
}

static void plain_source_free(struct source *source)
{
	free(source);
}

struct source *source_from_memory(const void *data, size_t len)
{
	struct memory_source *self = mem_alloc(sizeof(*self));

	self->source = (struct source){ .read = memory_source_read, .free = plain_source_free };
	self->data = data;
	self->left = len;
	return &self->source;
}

/* ---- digest of what is read ---- */

struct digest_source {
	struct source source;
	struct source *from;
	struct digest_state state;
	bool has_expect;
	struct digest expect;
	uint64_t expect_len;
	struct digest *out_digest;
	uint64_t *out_len;
	char *what;
	bool ended;
	struct digest digest; /* valid once ended */
};

/* Asked again after a failure it fails again: nobody may take a bad stream's end for a good one. */
static int digest_source_end(struct digest_source *self, struct err *err)
{
	char want[DIGEST_NAME_MAX], have[DIGEST_NAME_MAX];
	uint64_t len = self->state.len_bytes;

	if (self->expect_len != UINT64_MAX && len != self->expect_len)
		return err_set(err, ERR_INPUT, "'%s' ends after %llu bytes, expected %llu",
			       self->what, (unsigned long long)len,
			       (unsigned long long)self->expect_len);
	if (!self->ended)
		digest_state_final(&self->state, &self->digest);
	self->ended = true;
	if (self->has_expect && !digest_equal(&self->digest, &self->expect))
		return err_set(err, ERR_INPUT, "'%s' has the digest %s, expected %s", self->what,
			       digest_name(&self->digest, have), digest_name(&self->expect, want));
	if (self->out_digest)
		*self->out_digest = self->digest;
	if (self->out_len)
		*self->out_len = len;
	return 0;
}

static ssize_t digest_source_read(struct source *source, void *data, size_t len, struct err *err)
{
	struct digest_source *self = (struct digest_source *)source;
	ssize_t n;

	if (len == 0)
		return 0;
	n = self->ended ? 0 : source_read(self->from, data, len, err);
	if (n < 0)
		return -1;
	if (n == 0)
		return digest_source_end(self, err);
	digest_state_update(&self->state, data, (size_t)n);
	if (self->expect_len != UINT64_MAX && self->state.len_bytes > self->expect_len)
		return err_set(err, ERR_INPUT, "'%s' is longer than the expected %llu bytes",
			       self->what, (unsigned long long)self->expect_len);
	return n;
}

static void digest_source_free(struct source *source)
{
	struct digest_source *self = (struct digest_source *)source;

	digest_state_release(&self->state);
	source_free(self->from);
	free(self->what);
	free(self);
}

struct source *source_digest(struct source *from, const struct source_digest_options *options)
{
	struct digest_source *self = mem_alloc(sizeof(*self));

	self->source = (struct source){ .read = digest_source_read, .free = digest_source_free };
	self->from = from;
	if (options->expect) {
		self->has_expect = true;
		self->expect = *options->expect;
	}
	self->expect_len = options->expect_len;
	self->out_digest = options->out_digest;
	self->out_len = options->out_len;
	self->what = str_dup(options->what ? options->what : "stream");
	digest_state_init(&self->state);
	return &self->source;
}

/* ---- moving ---- */

int stream_copy(struct source *from, struct sink *to, struct err *err)
{
	auto_free char *buf = mem_alloc(COPY_BUFFER_BYTES);

	for (;;) {
		ssize_t n = source_read(from, buf, COPY_BUFFER_BYTES, err);

		if (n <= 0)
			return (int)n;
		if (sink_write(to, buf, (size_t)n, err) < 0)
			return -1;
	}
}

int source_drain(struct source *from, struct err *err)
{
	auto_free char *buf = mem_alloc(COPY_BUFFER_BYTES);
	ssize_t n;

	do
		n = source_read(from, buf, COPY_BUFFER_BYTES, err);
	while (n > 0);
	return (int)n;
}
