/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for opening the context directory and reading its ignore file, once
 * for a build. Which files a step takes from it is select.c's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "builder/context.h"
#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"
#include "common/strbuf.h"

#define IGNORE_MAX_BYTES ((size_t)16 * 1024 * 1024)

void context_release(struct context *context)
{
	fd_close(&context->fd);
	ignore_release(&context->ignore);
	free(context->ignore_name);
	*context = (struct context)CONTEXT_INIT;
}

static int load_ignore(struct context *context, int fd, const char *name, struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;

	if (fd_read_all(fd, IGNORE_MAX_BYTES, &text, name, err) < 0 ||
	    ignore_parse(&context->ignore, name, text.data, text.len, err) < 0)
		return -1;
	context->ignore_name = str_dup(name);
	return 0;
}

static int find_ignore(struct context *context, const char *buildfile, struct err *err)
{
	auto_close int fd = -1;

	if (buildfile) {
		auto_free char *name = str_format("%s.dockerignore", buildfile);

		/* the user's own path, from the command line */
		fd = open(name, O_RDONLY | O_CLOEXEC);
		if (fd >= 0)
			return load_ignore(context, fd, name, err);
		if (errno != ENOENT)
			return err_sys(err, "open '%s'", name);
	}
	fd = beneath_open(context->fd, ".dockerignore", BENEATH_STAY, O_RDONLY, err);
	if (fd >= 0)
		return load_ignore(context, fd, ".dockerignore", err);
	if (errno != ENOENT)
		return -1;
	err_clear(err);
	return 0;
}

int context_open(const char *path, const char *buildfile, struct context *out, struct err *err)
{
	auto_context struct context context = CONTEXT_INIT;

	context.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (context.fd < 0)
		return err_sys(err, "open the context '%s'", path);
	if (find_ignore(&context, buildfile, err) < 0)
		return -1;
	*out = context;
	context = (struct context)CONTEXT_INIT;
	return 0;
}
