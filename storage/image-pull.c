/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for whether an image is pulled, and for imgpull as a child: so nothing that a
 * registry says is read by the builder itself.
 */
#include "storage/image-pull.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/proc.h"
#include "layers/ref.h"
#include "storage/image.h"

#define ID_MAX_BYTES   4096
#define LINE_MAX_BYTES ((size_t)64 * 1024)
#define SAYS           "imgpull: "

int pull_when_parse(const char *text, enum pull_when *out, struct err *err)
{
	static const struct {
		const char *text;
		enum pull_when when;
	} known[] = {
		{ "missing", PULL_MISSING }, { "always", PULL_ALWAYS }, { "newer", PULL_NEWER },
		{ "never", PULL_NEVER },     { "true", PULL_ALWAYS },   { "false", PULL_MISSING },
	};

	*out = PULL_MISSING;
	if (!text)
		return 0;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i].text, text) != 0)
			continue;
		*out = known[i].when;
		return 0;
	}
	return err_set(err, ERR_USAGE, "--pull: '%s' is none of always, missing, newer, never",
		       text);
}

/* ---- imgpull as a child ---- */

/* What it says: all but the last line is passed on at once. */
struct words {
	struct strbuf last;
	bool is_ended; /* last is a whole line, which the next one shows to be not the last */
};

static void hear(struct words *words, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (words->is_ended) {
			strbuf_putc(&words->last, '\n');
			fd_write_quiet(STDERR_FILENO, words->last.data, words->last.len);
			strbuf_truncate(&words->last, 0);
			words->is_ended = false;
		}
		if (data[i] == '\n')
			words->is_ended = true;
		else if (words->last.len < LINE_MAX_BYTES)
			strbuf_putc(&words->last, data[i]);
	}
}

/* Both of its outputs to their ends. */
static int listen_to(int id_fd, int words_fd, struct strbuf *id, struct words *words,
		     struct err *err)
{
	struct pollfd fds[] = {
		{ .fd = id_fd, .events = POLLIN },
		{ .fd = words_fd, .events = POLLIN },
	};

	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return err_sys(err, "wait for imgpull");
		for (int i = 0; i < 2; i++) {
			char buffer[4096];
			ssize_t n;

			if (fds[i].fd < 0 || fds[i].revents == 0)
				continue;
			n = read(fds[i].fd, buffer, sizeof(buffer));
			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				fds[i].fd = -1;
			else if (i == 1)
				hear(words, buffer, (size_t)n);
			else if (id->len + (size_t)n <= ID_MAX_BYTES)
				strbuf_add(id, buffer, (size_t)n);
		}
	}
	return 0;
}

static int judge(int status, const struct words *words, struct err *err)
{
	static const enum err_kind kinds[] = {
		[2] = ERR_USAGE,
		[3] = ERR_INPUT,
		[4] = ERR_REMOTE,
		[5] = ERR_SYSTEM,
	};
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	const char *text = words->last.data;
	char buffer[64];

	if (code == 0)
		return 0;
	if (code == 130)
		return err_set(err, ERR_INTERRUPTED, "interrupted");
	if (strncmp(text, SAYS, strlen(SAYS)) == 0)
		text += strlen(SAYS);
	if (code >= 2 && code <= 5 && text[0])
		return err_set(err, kinds[code], "%s", text);
	return err_set(err, ERR_SYSTEM, "imgpull: %s", proc_status_text(status, buffer));
}

static int start(const struct strlist *argv, struct child *child, int *out_id_fd, int *out_words_fd,
		 struct err *err)
{
	auto_close int id_write = -1;
	auto_close int words_write = -1;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	*out_id_fd = ends[0];
	id_write = ends[1];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	*out_words_fd = ends[0];
	words_write = ends[1];

	const struct proc_fd fds[] = {
		{ .from = id_write, .to = STDOUT_FILENO },
		{ .from = words_write, .to = STDERR_FILENO },
	};
	const struct proc_spec spec = {
		.argv = (const char *const *)argv->items,
		.fds = fds,
		.fd_count = 2,
	};

	return child_start(child, &spec, err);
}

int image_pull_run(struct store *store, const struct strlist *args, struct strbuf *out_id,
		   struct err *err)
{
	auto_strbuf struct strbuf program = STRBUF_INIT;
	auto_strlist struct strlist argv = STRLIST_INIT;
	auto_child struct child child = CHILD_INIT;
	auto_close int id_fd = -1;
	auto_close int words_fd = -1;
	struct words words = { .last = STRBUF_INIT };
	int status = 0;
	int result;

	if (proc_self_dir(&program, err) < 0)
		return -1;
	strlist_addf(&argv, "%s/imgpull", program.data);
	strlist_addf(&argv, "--root=%s", store_root_path(store));
	for (size_t i = 0; i < args->count; i++)
		strlist_add(&argv, args->items[i]);
	if (start(&argv, &child, &id_fd, &words_fd, err) < 0)
		return -1;
	result = listen_to(id_fd, words_fd, out_id, &words, err);
	if (result == 0)
		result = child_wait(&child, &status, err);
	if (result == 0)
		result = judge(status, &words, err);
	if (result == 0 && words.last.len > 0) {
		words.is_ended = true;
		hear(&words, "\n", 1);
	}
	strbuf_release(&words.last);
	while (out_id->len > 0 && out_id->data[out_id->len - 1] == '\n')
		strbuf_truncate(out_id, out_id->len - 1);
	return result;
}

/* ---- whether ---- */

static bool has_registry(const char *name)
{
	auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
	struct err ignored = ERR_INIT;

	return strncmp(name, "sha256:", 7) != 0 && image_ref_parse(name, &ref, &ignored) == 0 &&
	       strcmp(ref.host, "localhost") != 0;
}

static bool is_for(const struct image *image, const struct platform *platform)
{
	const struct platform *have = &image->config.platform;

	return !have->os || !have->architecture || platform_match(platform, have) >= 0;
}

static int pull_now(const struct image_pull *pull, const char *name,
		    const struct platform *platform, struct strbuf *out_id, struct err *err)
{
	auto_strlist struct strlist args = STRLIST_INIT;
	auto_platform struct platform host = { .os = NULL };
	auto_strbuf struct strbuf text = STRBUF_INIT;

	platform_host(&host);
	platform_format(platform, &text);
	if (pull->is_quiet)
		strlist_add(&args, "--quiet");
	/* asked for by name only where it is not what comes by itself */
	if (!platform_is_same(&host, platform))
		strlist_addf(&args, "--platform=%s", text.data);
	for (size_t i = 0; pull->arguments && i < pull->arguments->count; i++)
		strlist_add(&args, pull->arguments->items[i]);
	strlist_add(&args, "--");
	strlist_addf(&args, "docker://%s", name);
	return image_pull_run(pull->store, &args, out_id, err);
}

/* Whether the store has it, and for the platform. */
static int look(const struct image_pull *pull, const char *name, const struct platform *platform,
		bool *out_is_here, bool *out_is_right, struct err *err)
{
	auto_image struct image here = IMAGE_INIT;

	*out_is_here = false;
	*out_is_right = false;
	/* an index that lacks the platform is no reason to fail: the registry's may have it */
	if (image_find(pull->store, name, platform, out_is_here, &here, err) < 0) {
		if (err->kind != ERR_INPUT)
			return -1;
		err_clear(err);
	}
	*out_is_right = *out_is_here && is_for(&here, platform);
	return 0;
}

int image_pull_is_needed(const struct image_pull *pull, const char *name,
			 const struct platform *platform, bool *out_is_needed, struct err *err)
{
	bool is_here;
	bool is_right;

	*out_is_needed = false;
	if (pull->when == PULL_NEVER || !has_registry(name))
		return 0;
	if (look(pull, name, platform, &is_here, &is_right, err) < 0)
		return -1;
	*out_is_needed = !is_right || pull->when != PULL_MISSING;
	return 0;
}

int image_pull_ensure(const struct image_pull *pull, const char *name,
		      const struct platform *platform, struct strbuf *out_text, struct err *err)
{
	bool is_here;
	bool is_right;

	if (pull->when == PULL_NEVER || !has_registry(name)) {
		strbuf_puts(out_text, name);
		return 0;
	}
	if (look(pull, name, platform, &is_here, &is_right, err) < 0)
		return -1;
	if (!is_right || pull->when != PULL_MISSING) {
		if (pull_now(pull, name, platform, out_text, err) == 0)
			return 0;
		/* the registry does not answer, which is not the same as that it says no */
		if (!is_here || pull->when == PULL_ALWAYS || err->kind != ERR_REMOTE)
			return -1;
		log_warn("%s; what the store has is used", err->text);
		err_clear(err);
	}
	strbuf_truncate(out_text, 0);
	strbuf_puts(out_text, name);
	return 0;
}
