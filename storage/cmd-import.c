/* SPDX-License-Identifier: Apache-2.0 */
/* imgstore import: a root file system's tar as an image. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/fd.h"
#include "layers/ref.h"
#include "layers/unpack.h"
#include "storage/cmd-internal.h"
#include "storage/image.h"
#include "storage/meter-internal.h"

static int created_epoch(int64_t *out, struct err *err)
{
	const char *text = getenv("SOURCE_DATE_EPOCH");
	long long value;
	char *end;

	if (!text || !text[0]) {
		*out = (int64_t)time(NULL);
		return 0;
	}
	errno = 0;
	value = strtoll(text, &end, 10);
	/* years beyond 9999 cannot be written as RFC 3339 */
	if (errno != 0 || *end || text[0] < '0' || text[0] > '9' || value > 253402300799LL)
		return err_set(err, ERR_USAGE, "SOURCE_DATE_EPOCH '%s' is not a number of seconds",
			       text);
	*out = value;
	return 0;
}

/* Opened as the caller, before the user namespace: what he may read, he may import. */
static int open_tar(const char *path, struct err *err)
{
	int fd;

	if (strcmp(path, "-") != 0) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		return fd < 0 ? err_sys(err, "open '%s'", path) : fd;
	}
	if (isatty(STDIN_FILENO))
		return err_set(err, ERR_USAGE, "a tar is expected on stdin, which is a terminal");
	fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? err_sys(err, "read stdin") : fd;
}

static int read_tar(struct store *store, int fd, const char *path,
		    const struct import_options *options, struct digest *out, struct err *err)
{
	struct meter meter;
	struct stat st;
	int result;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "stat '%s'", path);
	meter_begin(&meter, "read");
	meter_watch(&meter, fd, S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0);
	result = image_import_rootfs(store, fd, path, options, out, err);
	meter_end(&meter);
	return result;
}

static int import(const char *root, const char *path, const char *name, const char *message,
		  struct err *err)
{
	struct import_options options = { .comment = message };
	auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
	auto_close int fd = -1;
	auto_store struct store *store = NULL;
	char text[DIGEST_NAME_MAX];
	struct digest id;

	/* what can be wrong is found before the work */
	if (name && image_ref_parse(name, &ref, err) < 0)
		return -1;
	if (ref.has_digest)
		return err_set(err, ERR_USAGE, "a digest cannot be given as a name: '%s'", name);
	if (created_epoch(&options.created_epoch, err) < 0)
		return -1;
	fd = open_tar(path, err);
	if (fd < 0 || command_open(root, NULL, &store, err) < 0 ||
	    read_tar(store, fd, path, &options, &id, err) < 0)
		return -1;
	if ((name ? image_tag(store, &id, name, err) : store_sync(store, err)) < 0)
		return -1;
	printf("%s\n", digest_name(&id, text));
	return 0;
}

int cmd_import(int argc, char **argv)
{
	const char *root = NULL;
	const char *message = NULL;
	auto_strlist struct strlist limits = STRLIST_INIT;
	const struct cmdline_option options[] = { { 'm', "message", OPTION_STRING, &message, "TEXT",
						    "comment in the image's history", NULL },
						  { 0, "unpack-limit", OPTION_LIST, &limits,
						    "NAME=NUMBER",
						    "how much may come out of FILE: bytes, "
						    "entries, depth, ratio",
						    NULL },
						  OPTION_ROOT(&root),
						  OPTION_END };
	const struct cmdline cmdline = { .program = "imgstore import",
					 .synopsis = "[OPTIONS] FILE|- [NAME[:TAG]]",
					 .summary = "Make an image of one layer of the tar of a "
						    "root file system, compressed or not.\nThe "
						    "image's ID is printed.",
					 .options = options,
					 .min_args = 1,
					 .max_args = 2 };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (command_begin(&cmdline, argc, argv, &args, &err) &&
	    unpack_limits_raise(&limits, &err) == 0)
		import(root, args.items[0], args.count > 1 ? args.items[1] : NULL, message, &err);
	return command_end(&err);
}
