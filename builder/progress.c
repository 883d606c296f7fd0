/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what a build shows on its way. A line is written by one write(2)
 * together with others that came at the same time, so that lines of several
 * steps never mix. What a command writes is shown as it is, but for carriage
 * returns, which begin a line anew.
 */
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "builder/progress.h"
#include "common/fd.h"
#include "common/mem.h"
#include "common/strbuf.h"

/* Longer lines are cut in pieces: a command without newlines must not fill the memory. */
#define LINE_MAX_BYTES 65536

struct vertex {
	struct timespec start;
	char *title;
	bool has_ended;
	struct strbuf line; /* not yet ended */
};

struct progress {
	enum progress_mode mode;
	int fd;
	pthread_mutex_t lock; /* protects all that follows */
	struct vertex *vertices;
	size_t count;
	unsigned last; /* shown last, or 0 */
};

struct progress *progress_new(enum progress_mode mode, int fd)
{
	struct progress *progress = mem_alloc(sizeof(*progress));

	progress->mode = mode;
	progress->fd = fd;
	pthread_mutex_init(&progress->lock, NULL);
	return progress;
}

void progress_free(struct progress *progress)
{
	if (!progress)
		return;
	for (size_t i = 0; i < progress->count; i++) {
		strbuf_release(&progress->vertices[i].line);
		free(progress->vertices[i].title);
	}
	free(progress->vertices);
	pthread_mutex_destroy(&progress->lock);
	free(progress);
}

static double seconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

/*
 * Before something of step @id: when the last thing shown was another's, that one is left with
 * "..." if it goes on, and after an empty line comes the title.
 */
static void begin_text(struct progress *progress, unsigned id, struct strbuf *out)
{
	if (progress->last == id)
		return;
	if (progress->last != 0) {
		if (!progress->vertices[progress->last - 1].has_ended)
			strbuf_printf(out, "#%u ...\n", progress->last);
		strbuf_putc(out, '\n');
	}
	strbuf_printf(out, "#%u %s\n", id, progress->vertices[id - 1].title);
	progress->last = id;
}

unsigned progress_begin(struct progress *progress, const char *title)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	struct vertex *vertex;
	unsigned id;

	pthread_mutex_lock(&progress->lock);
	progress->vertices =
		mem_resize(progress->vertices, progress->count + 1, sizeof(struct vertex));
	vertex = &progress->vertices[progress->count++];
	*vertex = (struct vertex){ .title = str_dup(title), .line = STRBUF_INIT };
	clock_gettime(CLOCK_MONOTONIC, &vertex->start);
	id = (unsigned)progress->count;
	if (progress->mode == PROGRESS_PLAIN) {
		begin_text(progress, id, &text);
		fd_write_quiet(progress->fd, text.data, text.len);
	}
	pthread_mutex_unlock(&progress->lock);
	return id;
}

static void put_line(struct vertex *vertex, unsigned id, struct strbuf *out)
{
	struct strbuf *line = &vertex->line;
	const char *text = line->data;
	const char *last;

	while (line->len > 0 && line->data[line->len - 1] == '\r')
		strbuf_truncate(line, line->len - 1);
	last = memrchr(line->data, '\r', line->len);
	if (last)
		text = last + 1;
	strbuf_printf(out, "#%u %.3f ", id, seconds_since(&vertex->start));
	strbuf_add(out, text, line->len - (size_t)(text - line->data));
	strbuf_putc(out, '\n');
	strbuf_truncate(line, 0);
}

void progress_output(struct progress *progress, unsigned id, const void *data, size_t len)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	const char *p = data;
	struct vertex *vertex;

	if (progress->mode == PROGRESS_QUIET)
		return;
	pthread_mutex_lock(&progress->lock);
	vertex = &progress->vertices[id - 1];
	begin_text(progress, id, &text);
	while (len > 0) {
		const char *newline = memchr(p, '\n', len);
		size_t take = newline ? (size_t)(newline - p) : len;

		if (vertex->line.len + take > LINE_MAX_BYTES && vertex->line.len > 0)
			put_line(vertex, id, &text);
		strbuf_add(&vertex->line, p, take);
		if (newline)
			take++;
		if (newline || vertex->line.len > LINE_MAX_BYTES)
			put_line(vertex, id, &text);
		p += take;
		len -= take;
	}
	fd_write_quiet(progress->fd, text.data, text.len);
	pthread_mutex_unlock(&progress->lock);
}

void progress_finish(struct progress *progress, unsigned id, enum progress_end end)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	struct vertex *vertex;

	if (progress->mode == PROGRESS_QUIET)
		return;
	pthread_mutex_lock(&progress->lock);
	vertex = &progress->vertices[id - 1];
	begin_text(progress, id, &text);
	if (vertex->line.len > 0)
		put_line(vertex, id, &text);
	vertex->has_ended = true;
	switch (end) {
	case PROGRESS_DONE:
		strbuf_printf(&text, "#%u DONE %.1fs\n", id, seconds_since(&vertex->start));
		break;
	case PROGRESS_CACHED:
		strbuf_printf(&text, "#%u CACHED\n", id);
		break;
	case PROGRESS_FAILED:
		strbuf_printf(&text, "#%u ERROR\n", id);
		break;
	case PROGRESS_CANCELED:
		strbuf_printf(&text, "#%u CANCELED\n", id);
		break;
	}
	fd_write_quiet(progress->fd, text.data, text.len);
	pthread_mutex_unlock(&progress->lock);
}
