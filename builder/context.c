/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for opening a context, a directory or what a tar holds, and reading
 * its ignore file, once for a build. Which files a step takes from it is
 * select.c's. What comes out of a tar is trusted as little as any tar: its links lead
 * nowhere but into itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "builder/context.h"
#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "layers/unpack.h"

#define IGNORE_MAX_BYTES ((size_t)16 * 1024 * 1024)

void context_release(struct context *context)
{
	fd_close(&context->fd);
	ignore_release(&context->ignore);
	free(context->ignore_name);
	tmpdir_release(&context->tmp);
	*context = (struct context)CONTEXT_INIT;
}

int context_open(const char *path, struct context *out, struct err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open the context '%s'", path);
	*out = (struct context)CONTEXT_INIT;
	out->fd = fd;
	return 0;
}

int context_empty(struct store *store, struct context *out, struct err *err)
{
	int fd = store ? fcntl(store_empty_fd(store), F_DUPFD_CLOEXEC, 0) : -1;

	if (store && fd < 0)
		return err_sys(err, "duplicate a descriptor");
	*out = (struct context)CONTEXT_INIT;
	out->fd = fd;
	return 0;
}

int context_unpack(struct store *store, struct source *from, const char *what, struct context *out,
		   struct err *err)
{
	struct unpack_options options = {
		.whiteouts = UNPACK_REFUSE,
		.ns = store_overlay_ns(store),
		.owner = { .set = true },
		.what = what,
	};
	auto_context struct context context = CONTEXT_INIT;
	struct unpack_result result;

	if (!store)
		return err_set(err, ERR_SYSTEM,
			       "%s is a tar, and no store can be opened to unpack it", what);
	if (tmpdir_make(&context.tmp, store_tmp_fd(store), err) < 0)
		return -1;
	if (mkdirat(context.tmp.fd, "context", 0755) < 0)
		return err_sys(err, "make a directory for the context");
	context.fd = openat(context.tmp.fd, "context", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (context.fd < 0)
		return err_sys(err, "open the context's directory");
	if (unpack_tar(from, context.fd, &options, &result, err) < 0)
		return -1;
	*out = context;
	context = (struct context)CONTEXT_INIT;
	return 0;
}

int context_open_file(const struct context *context, const char *path, struct err *err)
{
	auto_close int fd = -1;
	struct stat st;

	if (context_is_unpacked(context)) {
		fd = beneath_open(context->fd, path, BENEATH_IN_ROOT, O_RDONLY | O_NONBLOCK, err);
		if (fd < 0)
			return -1;
		if (fstat(fd, &st) < 0)
			return err_sys(err, "stat '%s'", path);
		if (!S_ISREG(st.st_mode))
			return err_set(err, ERR_INPUT, "'%s' is not a regular file", path);
	} else {
		/* the user's own path, from the command line: a pipe will do */
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return err_sys(err, "open '%s'", path);
	}
	return fd_steal(&fd);
}

/* Read the ignore file that is open. */
static int load_ignore(struct context *context, int fd, const char *name, struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;

	if (fd_read_all(fd, IGNORE_MAX_BYTES, &text, name, err) < 0 ||
	    ignore_parse(&context->ignore, name, text.data, text.len, err) < 0)
		return -1;
	context->ignore_name = str_dup(name);
	return 0;
}

/* Load @path if it is there. */
static int try_file(struct context *context, const char *path, struct err *err)
{
	auto_close int fd = context_open_file(context, path, err);

	if (fd >= 0)
		return load_ignore(context, fd, path, err);
	if (err->sys_errno != ENOENT)
		return -1;
	err_clear(err);
	return 0;
}

/* The same for a file of the context itself. */
static int try_own(struct context *context, const char *name, struct err *err)
{
	auto_close int fd = beneath_open(context->fd, name, BENEATH_STAY, O_RDONLY, err);

	if (fd >= 0)
		return load_ignore(context, fd, name, err);
	if (errno != ENOENT)
		return -1;
	err_clear(err);
	return 0;
}

int context_load_ignore(struct context *context, const char *ignorefile, const char *buildfile,
			struct err *err)
{
	static const char *const names[] = { ".containerignore", ".dockerignore" };
	auto_close int fd = -1;

	if (ignorefile) {
		fd = context_open_file(context, ignorefile, err);
		return fd < 0 ? -1 : load_ignore(context, fd, ignorefile, err);
	}
	for (size_t i = 0; buildfile && i < 2 && !context->ignore_name; i++) {
		auto_free char *path = str_format("%s%s", buildfile, names[i]);

		if (try_file(context, path, err) < 0)
			return -1;
	}
	for (size_t i = 0; context->fd >= 0 && i < 2 && !context->ignore_name; i++)
		if (try_own(context, names[i], err) < 0)
			return -1;
	return 0;
}
