/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for which file is the Buildfile, where the context comes from, and
 * what standard input holds when it is one of the two: told by its content.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "builder/input.h"
#include "builder/parse.h"
#include "common/fd.h"
#include "common/mem.h"
#include "layers/codec.h"
#include "layers/unpack.h"

#define HEAD_BYTES 512

void input_release(struct input *input)
{
	ast_free(input->ast);
	context_release(&input->context);
	*input = (struct input)INPUT_INIT;
}

/* ---- standard input, which may keep us waiting ---- */

struct waiting_source {
	struct source source;
	int interrupt_fd;
};

static ssize_t waiting_read(struct source *source, void *data, size_t len, struct err *err)
{
	struct waiting_source *waiting = (struct waiting_source *)source;
	struct pollfd fds[2] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = waiting->interrupt_fd, .events = POLLIN },
	};
	ssize_t n;

	do {
		while (poll(fds, 2, -1) < 0)
			if (errno != EINTR)
				return err_sys(err, "wait for stdin");
		if (fds[1].revents)
			return err_set(err, ERR_INTERRUPTED, "interrupted");
		n = read(STDIN_FILENO, data, len);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	return n < 0 ? err_sys(err, "read stdin") : n;
}

static void waiting_free(struct source *source)
{
	free(source);
}

static struct source *source_waiting(int interrupt_fd)
{
	struct waiting_source *waiting = mem_alloc(sizeof(*waiting));

	waiting->source = (struct source){ .read = waiting_read, .free = waiting_free };
	waiting->interrupt_fd = interrupt_fd;
	return &waiting->source;
}

/* A stream whose beginning was looked at: it comes again. */
struct peeked_source {
	struct source source;
	struct source *from;
	unsigned char head[HEAD_BYTES];
	size_t len;
	size_t at;
};

static ssize_t peeked_read(struct source *source, void *data, size_t len, struct err *err)
{
	struct peeked_source *peeked = (struct peeked_source *)source;
	size_t left = peeked->len - peeked->at;

	if (left == 0)
		return source_read(peeked->from, data, len, err);
	if (len > left)
		len = left;
	memcpy(data, peeked->head + peeked->at, len);
	peeked->at += len;
	return (ssize_t)len;
}

static void peeked_free(struct source *source)
{
	source_free(((struct peeked_source *)source)->from);
	free(source);
}

/* Takes @from; NULL when it cannot be read. */
static struct peeked_source *peek(struct source *from, struct err *err)
{
	auto_source struct source *source = NULL;
	struct peeked_source *peeked = mem_alloc(sizeof(*peeked));

	peeked->source = (struct source){ .read = peeked_read, .free = peeked_free };
	peeked->from = from;
	source = &peeked->source;
	while (peeked->len < HEAD_BYTES) {
		ssize_t n = source_read(from, peeked->head + peeked->len, HEAD_BYTES - peeked->len,
					err);

		if (n < 0)
			return NULL;
		if (n == 0)
			break;
		peeked->len += (size_t)n;
	}
	source = NULL;
	return peeked;
}

/* ---- the Buildfile ---- */

static const char *const default_names[] = { "Buildfile", "Containerfile", "Dockerfile" };

/* Not there is no error: *out_fd stays -1. */
static int try_open(const struct context *context, const char *path, int *out_fd, struct err *err)
{
	*out_fd = context_open_file(context, path, err);
	if (*out_fd >= 0)
		return 0;
	if (err->sys_errno != ENOENT)
		return -1;
	err_clear(err);
	return 0;
}

/* From the working directory, as docker; else from the context, as podman. Of a tar only from that.
 */
static int open_given(const struct input_options *options, const struct context *context,
		      char **out_path, struct err *err)
{
	auto_free char *path = str_dup(options->file);
	auto_close int fd = -1;

	if (try_open(context, path, &fd, err) < 0)
		return -1;
	if (fd < 0 && !context_is_unpacked(context) && path[0] != '/') {
		free(path);
		path = str_format("%s/%s", options->context, options->file);
		if (try_open(context, path, &fd, err) < 0)
			return -1;
	}
	if (fd < 0) {
		errno = ENOENT;
		return err_sys(err, "open '%s'", options->file);
	}
	*out_path = ptr_steal(&path);
	return fd_steal(&fd);
}

static int open_default(const struct input_options *options, const struct context *context,
			const char **out_name, char **out_path, struct err *err)
{
	auto_free char *shown =
		str_dup(strcmp(options->context, "-") == 0 ? "stdin" : options->context);

	source_mask_passwords(shown);

	for (size_t i = 0; i < sizeof(default_names) / sizeof(default_names[0]); i++) {
		auto_free char *path =
			context_is_unpacked(context)
				? str_dup(default_names[i])
				: str_format("%s/%s", options->context, default_names[i]);
		int fd;

		if (try_open(context, path, &fd, err) < 0)
			return -1;
		if (fd < 0)
			continue;
		*out_name = default_names[i];
		*out_path = ptr_steal(&path);
		return fd;
	}
	return err_set(err, ERR_INPUT, "there is no Buildfile, Containerfile or Dockerfile in '%s'",
		       shown);
}

/* *out_path stays NULL for stdin. */
static int load_buildfile(const struct input_options *options, struct input *input, char **out_path,
			  struct err *err)
{
	const char *name = options->file;
	auto_close int fd = -1;

	if (name && strcmp(name, "-") == 0) {
		input->ast = parse_fd("stdin", STDIN_FILENO, err);
		return input->ast ? 0 : -1;
	}
	fd = name ? open_given(options, &input->context, out_path, err)
		  : open_default(options, &input->context, &name, out_path, err);
	if (fd < 0)
		return -1;
	input->ast = parse_fd(name, fd, err);
	return input->ast ? 0 : -1;
}

/* The stream is the Buildfile itself; there are no files. */
static int take_text(const struct input_options *options, struct store *store,
		     struct peeked_source *from, struct input *input, struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	char part[4096];
	ssize_t n;

	if (options->file)
		return err_set(err, ERR_USAGE,
			       "stdin is a Buildfile, and '--file %s' names another: give the "
			       "context as a tar, or as a directory",
			       options->file);
	while ((n = source_read(&from->source, part, sizeof(part), err)) > 0) {
		strbuf_add(&text, part, (size_t)n);
		if (text.len > SOURCE_MAX_BYTES)
			return err_set(err, ERR_INPUT, "'stdin' is larger than %u MiB",
				       SOURCE_MAX_BYTES >> 20);
	}
	if (n < 0 || context_empty(store, &input->context, err) < 0)
		return -1;
	input->ast = parse_buildfile("stdin", text.len > 0 ? text.data : "", text.len, err);
	return input->ast ? 0 : -1;
}

/* A tar becomes the context. */
static int take_stdin(const struct input_options *options, const struct download_place *place,
		      struct input *input, struct err *err)
{
	auto_source struct source *source = NULL;
	struct peeked_source *peeked;

	if (options->file && strcmp(options->file, "-") == 0)
		return err_set(err, ERR_USAGE,
			       "the Buildfile and the context cannot both come from stdin");
	source = unpack_open(source_waiting(place->interrupt_fd), "stdin", NULL, err);
	if (!source)
		return -1;
	peeked = peek(ptr_steal(&source), err);
	if (!peeked)
		return -1;
	source = &peeked->source;
	if (unpack_is_tar(peeked->head, peeked->len))
		return context_unpack(place->store, source, "stdin", &input->context, err);
	return take_text(options, place->store, peeked, input, err);
}

/* @fd is the Buildfile itself; there are no files. */
static int take_file(const struct input_options *options, const char *shown, int fd,
		     struct input *input, struct err *err)
{
	if (options->file && strcmp(options->file, "-") != 0)
		return err_set(err, ERR_USAGE, "'%s' is a Buildfile, and '--file %s' names another",
			       shown, options->file);
	if (options->file)
		return 0;
	input->ast = parse_fd(shown, fd, err);
	return input->ast ? 0 : -1;
}

static int take_remote(const struct input_options *options, const struct download_place *place,
		       struct input *input, struct err *err)
{
	auto_remote struct remote *remote = remote_parse(options->context, err);
	auto_close int fd = -1;

	if (remote && remote->keeps_git_dir == TRISTATE_UNSET && options->keeps_git_dir)
		remote->keeps_git_dir = TRISTATE_TRUE;
	if (!remote || context_fetch(remote, place, &input->context, &fd, err) < 0)
		return -1;
	return fd < 0 ? 0 : take_file(options, remote->shown, fd, input, err);
}

static int take_context(const struct input_options *options, const struct download_place *place,
			struct input *input, struct err *err)
{
	if (remote_is(options->context))
		return take_remote(options, place, input, err);
	if (policy_local(place->policy, "dockerfile", err) < 0 ||
	    policy_local(place->policy, "context", err) < 0)
		return -1;
	if (strcmp(options->context, "-") == 0)
		return take_stdin(options, place, input, err);
	return context_open(options->context, &input->context, err);
}

int input_load(const struct input_options *options, const struct download_place *place,
	       struct input *out, struct err *err)
{
	auto_input struct input input = INPUT_INIT;
	auto_free char *path = NULL;

	if (take_context(options, place, &input, err) < 0)
		return -1;
	if (!input.ast && load_buildfile(options, &input, &path, err) < 0)
		return -1;
	if (context_load_ignore(&input.context, options->ignorefile, path, err) < 0)
		return -1;
	*out = input;
	input = (struct input)INPUT_INIT;
	return 0;
}
