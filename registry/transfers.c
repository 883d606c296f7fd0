/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for what is shown of blobs on their way. */
#include "registry/transfers.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/size.h"
#include "common/strbuf.h"
#include "common/thread.h"

#define TTY_EVERY_MS  100
#define JSON_EVERY_MS 500
#define SHORT_DIGEST  12
#define BAR_CELLS     24
#define ROWS_DEFAULT  24
#define COLUMNS_MIN   20

struct transfer {
	char *blob;
	uint64_t total;
	uint64_t present;
	uint64_t moved;
	double began;
	double took;
	bool has_ended;
	enum transfer_end end;
};

struct transfers {
	enum transfers_mode mode;
	int fd;
	pthread_t drawer;
	bool has_drawer;
	pthread_mutex_t lock; /* protects all that follows */
	pthread_cond_t over;
	bool is_over;
	struct transfer *items;
	size_t count;
	unsigned drawn; /* lines on the terminal that are ours to draw again */
};

enum transfers_mode transfers_mode_of(const char *text, int fd)
{
	static const struct {
		const char *text;
		enum transfers_mode mode;
	} known[] = {
		{ "tty", TRANSFERS_TTY },
		{ "plain", TRANSFERS_PLAIN },
		{ "json", TRANSFERS_JSON },
		{ "quiet", TRANSFERS_QUIET },
	};
	const char *term = getenv("TERM");

	for (size_t i = 0; text && i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].text, text) == 0)
			return known[i].mode;
	return isatty(fd) && term && strcmp(term, "dumb") != 0 ? TRANSFERS_TTY : TRANSFERS_PLAIN;
}

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Bytes a second since it began; 0 when nothing can be said yet. */
static double rate_of(const struct transfer *transfer)
{
	double seconds = transfer->has_ended ? transfer->took : now_seconds() - transfer->began;

	return seconds > 0.05 ? (double)transfer->moved / seconds : 0;
}

/* ---- a terminal ---- */

static const char *short_name(const char *blob)
{
	const char *colon = strchr(blob, ':');

	return colon ? colon + 1 : blob;
}

static void add_bar(const struct transfer *transfer, struct strbuf *out)
{
	uint64_t have = transfer->present + transfer->moved;
	size_t filled = transfer->total > 0
				? (size_t)((double)have / (double)transfer->total * BAR_CELLS)
				: 0;

	strbuf_putc(out, '[');
	for (size_t i = 0; i < BAR_CELLS; i++)
		strbuf_putc(out, i < filled ? '=' : i == filled ? '>' : ' ');
	strbuf_puts(out, "] ");
}

static void add_remaining(const struct transfer *transfer, double rate, struct strbuf *out)
{
	uint64_t have = transfer->present + transfer->moved;
	double left;

	if (rate < 1 || transfer->total <= have)
		return;
	left = (double)(transfer->total - have) / rate;
	if (left < 60)
		strbuf_printf(out, " %.0fs", left + 0.5);
	else if (left < 3600)
		strbuf_printf(out, " %.0fm%02.0fs", (double)((int)left / 60),
			      (double)((int)left % 60));
	else
		strbuf_printf(out, " %.1fh", left / 3600);
}

static void add_line(const struct transfer *transfer, struct strbuf *out)
{
	uint64_t have = transfer->present + transfer->moved;
	double rate = rate_of(transfer);
	char buffer[16];

	strbuf_printf(out, "%.*s ", SHORT_DIGEST, short_name(transfer->blob));
	if (transfer->has_ended && transfer->end == TRANSFER_PRESENT) {
		strbuf_puts(out, "is there already");
		return;
	}
	if (transfer->has_ended && transfer->end == TRANSFER_FAILED) {
		strbuf_puts(out, "failed");
		return;
	}
	if (!transfer->has_ended) {
		add_bar(transfer, out);
		strbuf_printf(out, "%s/", size_text(have, buffer));
	}
	strbuf_puts(out, size_text(transfer->total, buffer));
	if (rate >= 1)
		strbuf_printf(out, " %s/s", size_text((uint64_t)rate, buffer));
	if (transfer->has_ended)
		strbuf_printf(out, " in %.1fs", transfer->took);
	else
		add_remaining(transfer, rate, out);
}

/* As many as the terminal has lines for: those under way first, for they change. */
static void add_lines(struct transfers *transfers, const struct winsize *size, struct strbuf *out)
{
	unsigned room = size->ws_row > 2 ? size->ws_row - 1U : ROWS_DEFAULT;
	size_t first = transfers->count > room ? transfers->count - room : 0;
	unsigned columns = size->ws_col >= COLUMNS_MIN ? size->ws_col : 80;

	/* what has scrolled out of reach cannot be drawn again, and has ended, mostly */
	for (size_t i = first; i < transfers->count; i++) {
		auto_strbuf struct strbuf line = STRBUF_INIT;

		add_line(&transfers->items[i], &line);
		if (line.len > columns - 1)
			strbuf_truncate(&line, columns - 1);
		strbuf_printf(out, "\r%s\033[K\n", line.data);
		transfers->drawn++;
	}
}

/* With the lock. */
static void draw(struct transfers *transfers)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	struct winsize size = { .ws_row = 0 };

	(void)ioctl(transfers->fd, TIOCGWINSZ, &size);
	if (transfers->drawn > 0)
		strbuf_printf(&text, "\033[%uA", transfers->drawn);
	transfers->drawn = 0;
	add_lines(transfers, &size, &text);
	fd_write_quiet(transfers->fd, text.data, text.len);
}

/* ---- JSON ---- */

static struct json *event(const char *name, const struct transfer *transfer)
{
	struct json *root = json_object();

	json_set_string(root, "event", name);
	json_set_string(root, "blob", transfer->blob);
	return root;
}

static void post(struct transfers *transfers, struct json *take)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;

	json_format(take, &text);
	json_unref(take);
	strbuf_putc(&text, '\n');
	fd_write_quiet(transfers->fd, text.data, text.len);
}

static void post_progress(struct transfers *transfers)
{
	for (size_t i = 0; i < transfers->count; i++) {
		const struct transfer *transfer = &transfers->items[i];
		struct json *root;

		if (transfer->has_ended)
			continue;
		root = event("progress", transfer);
		json_set_int(root, "total", (int64_t)transfer->total);
		json_set_int(root, "current", (int64_t)(transfer->present + transfer->moved));
		json_set_int(root, "rate", (int64_t)rate_of(transfer));
		post(transfers, root);
	}
}

static void post_begin(struct transfers *transfers, const struct transfer *transfer)
{
	struct json *root = event("begin", transfer);

	json_set_int(root, "total", (int64_t)transfer->total);
	json_set_int(root, "present", (int64_t)transfer->present);
	post(transfers, root);
}

static void post_end(struct transfers *transfers, const struct transfer *transfer)
{
	static const char *const results[] = {
		[TRANSFER_DONE] = "done",
		[TRANSFER_PRESENT] = "present",
		[TRANSFER_FAILED] = "failed",
	};
	struct json *root = event("end", transfer);

	json_set_string(root, "result", results[transfer->end]);
	json_set_int(root, "milliseconds", (int64_t)(transfer->took * 1000));
	post(transfers, root);
}

/* ---- plain ---- */

static void say_begin(const struct transfer *transfer)
{
	log_info("layer %s (%" PRIu64 " bytes)", transfer->blob, transfer->total);
	if (transfer->present > 0)
		log_info("layer %s: %" PRIu64 " bytes are there already", transfer->blob,
			 transfer->present);
}

static void say_end(const struct transfer *transfer)
{
	char size[16];
	char rate[16];

	if (transfer->end == TRANSFER_PRESENT)
		log_info("layer %s is there already", transfer->blob);
	if (transfer->end == TRANSFER_DONE)
		log_info("layer %s is there: %s in %.1fs, %s/s", transfer->blob,
			 size_text(transfer->moved, size), transfer->took,
			 size_text((uint64_t)rate_of(transfer), rate));
}

/* ---- from outside ---- */

static void *keep_drawing(void *context)
{
	struct transfers *transfers = context;
	long every_ms = transfers->mode == TRANSFERS_TTY ? TTY_EVERY_MS : JSON_EVERY_MS;

	pthread_mutex_lock(&transfers->lock);
	while (!transfers->is_over) {
		struct timespec until;

		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += every_ms * 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		if (pthread_cond_timedwait(&transfers->over, &transfers->lock, &until) != ETIMEDOUT)
			continue;
		if (transfers->mode == TRANSFERS_TTY)
			draw(transfers);
		else
			post_progress(transfers);
	}
	pthread_mutex_unlock(&transfers->lock);
	return NULL;
}

struct transfers *transfers_new(enum transfers_mode mode, int fd)
{
	struct transfers *transfers = mem_alloc(sizeof(*transfers));
	pthread_condattr_t attr;
	struct err ignored = ERR_INIT;

	transfers->mode = mode;
	transfers->fd = fd;
	pthread_mutex_init(&transfers->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&transfers->over, &attr);
	pthread_condattr_destroy(&attr);
	if (mode == TRANSFERS_TTY || mode == TRANSFERS_JSON)
		transfers->has_drawer =
			thread_start(&transfers->drawer, keep_drawing, transfers, &ignored) == 0;
	return transfers;
}

void transfers_free(struct transfers *transfers)
{
	if (!transfers)
		return;
	pthread_mutex_lock(&transfers->lock);
	transfers->is_over = true;
	pthread_cond_signal(&transfers->over);
	pthread_mutex_unlock(&transfers->lock);
	if (transfers->has_drawer)
		pthread_join(transfers->drawer, NULL);
	if (transfers->mode == TRANSFERS_TTY)
		draw(transfers);
	for (size_t i = 0; i < transfers->count; i++)
		free(transfers->items[i].blob);
	free(transfers->items);
	pthread_cond_destroy(&transfers->over);
	pthread_mutex_destroy(&transfers->lock);
	free(transfers);
}

void transfers_auto_free(struct transfers **transfers)
{
	transfers_free(*transfers);
	*transfers = NULL;
}

/* With the lock. */
static struct transfer *add(struct transfers *transfers, const char *blob, uint64_t total)
{
	struct transfer *transfer;

	transfers->items =
		mem_resize(transfers->items, transfers->count + 1, sizeof(*transfers->items));
	transfer = &transfers->items[transfers->count++];
	*transfer = (struct transfer){
		.blob = str_dup(blob),
		.total = total,
		.began = now_seconds(),
	};
	return transfer;
}

unsigned transfers_begin(struct transfers *transfers, const char *blob, uint64_t total,
			 uint64_t present)
{
	struct transfer *transfer;
	unsigned number;

	if (!transfers)
		return 0;
	pthread_mutex_lock(&transfers->lock);
	transfer = add(transfers, blob, total);
	transfer->present = present;
	number = (unsigned)transfers->count - 1;
	if (transfers->mode == TRANSFERS_PLAIN)
		say_begin(transfer);
	if (transfers->mode == TRANSFERS_JSON)
		post_begin(transfers, transfer);
	pthread_mutex_unlock(&transfers->lock);
	return number;
}

/* With the lock. */
static void finish(struct transfers *transfers, struct transfer *transfer, enum transfer_end end)
{
	transfer->has_ended = true;
	transfer->end = end;
	transfer->took = now_seconds() - transfer->began;
	if (transfers->mode == TRANSFERS_PLAIN)
		say_end(transfer);
	if (transfers->mode == TRANSFERS_JSON)
		post_end(transfers, transfer);
}

void transfers_present(struct transfers *transfers, const char *blob, uint64_t total)
{
	if (!transfers)
		return;
	pthread_mutex_lock(&transfers->lock);
	finish(transfers, add(transfers, blob, total), TRANSFER_PRESENT);
	pthread_mutex_unlock(&transfers->lock);
}

void transfers_move(struct transfers *transfers, unsigned number, uint64_t bytes)
{
	if (!transfers)
		return;
	pthread_mutex_lock(&transfers->lock);
	transfers->items[number].moved += bytes;
	pthread_mutex_unlock(&transfers->lock);
}

void transfers_end(struct transfers *transfers, unsigned number, enum transfer_end end)
{
	if (!transfers)
		return;
	pthread_mutex_lock(&transfers->lock);
	finish(transfers, &transfers->items[number], end);
	pthread_mutex_unlock(&transfers->lock);
}

/* ---- a source that is watched ---- */

struct transfer_source {
	struct source source;
	struct source *from;
	struct transfers *transfers;
	unsigned number;
};

static ssize_t transfer_read(struct source *source, void *data, size_t len, struct err *err)
{
	struct transfer_source *watched = (struct transfer_source *)source;
	ssize_t n = source_read(watched->from, data, len, err);

	if (n > 0)
		transfers_move(watched->transfers, watched->number, (uint64_t)n);
	return n;
}

static void transfer_free(struct source *source)
{
	struct transfer_source *watched = (struct transfer_source *)source;

	source_free(watched->from);
	free(watched);
}

struct source *source_transfer(struct source *from, struct transfers *transfers, unsigned number)
{
	struct transfer_source *watched = mem_alloc(sizeof(*watched));

	watched->source = (struct source){ .read = transfer_read, .free = transfer_free };
	watched->from = from;
	watched->transfers = transfers;
	watched->number = number;
	return &watched->source;
}
