/* SPDX-License-Identifier: Apache-2.0 */
/* imgstore export: a root file system as a tar. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/tmpfile.h"
#include "storage/cmd-internal.h"
#include "storage/export.h"
#include "storage/image-internal.h"
#include "storage/meter-internal.h"

struct values {
	const char *root;
	const char *output;
	const char *platform;
};

/* Where the tar goes: a file that has its name when it is complete, or what was open already. */
struct target {
	struct tmpfile tmp;
	int dir_fd;
	int fd; /* stdout, or a device; else -1 */
	const char *name;
};
#define TARGET_INIT                                         \
	{                                                   \
		.tmp = TMPFILE_INIT, .dir_fd = -1, .fd = -1 \
	}
#define auto_target __attribute__((cleanup(target_release)))

static void target_release(struct target *target)
{
	tmpfile_release(&target->tmp);
	fd_close(&target->dir_fd);
	fd_close(&target->fd);
}

static int open_stdout(struct target *target, struct err *err)
{
	if (isatty(STDOUT_FILENO))
		return err_set(err, ERR_USAGE,
			       "a tar is not written to a terminal: give a file with --output");
	target->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
	return target->fd < 0 ? err_sys(err, "write to stdout") : 0;
}

/* Opened as the caller, before the user namespace. */
static int target_open(struct target *target, const char *path, struct err *err)
{
	auto_free char *directory = NULL;
	const char *slash;
	struct stat st;

	if (!path || strcmp(path, "-") == 0)
		return open_stdout(target, err);
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		target->fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
		return target->fd < 0 ? err_sys(err, "open '%s'", path) : 0;
	}
	slash = strrchr(path, '/');
	target->name = slash ? slash + 1 : path;
	directory = slash ? str_ndup(path, (size_t)(slash - path) + 1) : str_dup(".");
	target->dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (target->dir_fd < 0)
		return err_sys(err, "open '%s'", directory);
	if (tmpfile_open(&target->tmp, target->dir_fd, err) < 0)
		return err_prefix(err, "write '%s'", path);
	return 0;
}

/* An image; a container when no image is called so. */
static int export_named(struct store *store, const struct values *values, const char *text,
			struct sink *sink, struct err *err)
{
	auto_image_match struct image_match match = IMAGE_MATCH_INIT;
	auto_image struct image image = IMAGE_INIT;
	struct err no_image = ERR_INIT;
	bool found = false;

	/* a container's name may be none for an image ("Web") */
	if (image_resolve(store, text, &found, &match, &no_image) < 0 &&
	    no_image.kind != ERR_INPUT && no_image.kind != ERR_USAGE) {
		*err = no_image;
		return -1;
	}
	if (found) {
		if (image_get_for(store, text, values->platform, &image, err) < 0)
			return -1;
		return export_image(store, &image, sink, err);
	}
	if (export_container(store, text, sink, err) == 0)
		return 0;
	if (strstr(err->text, "there is no container"))
		err_set(err, ERR_INPUT, "there is no image and no container '%s'", text);
	return -1;
}

static int export(const struct values *values, const char *text, struct err *err)
{
	auto_target struct target target = TARGET_INIT;
	auto_store struct store *store = NULL;
	auto_sink struct sink *sink = NULL;
	struct meter meter;
	int result;
	int fd;

	if (target_open(&target, values->output, err) < 0 ||
	    command_open_reading(values->root, NULL, &store, err) < 0)
		return -1;
	fd = target.fd >= 0 ? target.fd : target.tmp.fd;
	sink = sink_to_fd(fd, values->output ? values->output : "stdout");
	meter_begin(&meter, "written");
	meter_watch(&meter, fd, 0);
	result = export_named(store, values, text, sink, err);
	meter_end(&meter);
	if (result < 0)
		return -1;
	return target.fd >= 0 ? 0 : tmpfile_replace(&target.tmp, target.name, err);
}

int cmd_export(int argc, char **argv)
{
	struct values values = { .root = NULL };
	const struct cmdline_option options[] = {
		{ 'o', "output", OPTION_STRING, &values.output, "FILE",
		  "where to (default: stdout, as \"-\")", NULL },
		{ 0, "platform", OPTION_STRING, &values.platform, "OS/ARCH[/VARIANT]",
		  "which image of an index", NULL },
		OPTION_ROOT(&values.root),
		OPTION_END
	};
	const struct cmdline cmdline = { .program = "imgstore export",
					 .synopsis = "[OPTIONS] IMAGE|CONTAINER",
					 .summary =
						 "Write the root file system of an image, or of a "
						 "stopped container, as one tar.",
					 .options = options,
					 .min_args = 1,
					 .max_args = 1 };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (command_begin(&cmdline, argc, argv, &args, &err))
		export(&values, args.items[0], &err);
	return command_end(&err);
}
