/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for an archive's way to its place: a file that is complete or not there, or a stream. */
#include "registry/archive-file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/tmpfile.h"

static int write_to(int fd, const char *path, archive_fn fn, void *context, struct err *err)
{
	auto_sink struct sink *sink = sink_to_fd(fd, path);

	if (fn(context, sink, err) < 0)
		return -1;
	return sink_finish(sink, err);
}

/* A new file beside the name, which it gets at the end. */
static int write_file(const char *path, archive_fn fn, void *context, struct err *err)
{
	const char *slash = strrchr(path, '/');
	auto_free char *directory =
		slash ? str_ndup(path, (size_t)(slash - path) + 1) : str_dup(".");
	const char *name = slash ? slash + 1 : path;
	auto_tmpfile struct tmpfile tmp = TMPFILE_INIT;
	auto_close int dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (name[0] == '\0')
		return err_set(err, ERR_USAGE, "'%s' is not the name of a file", path);
	if (dir_fd < 0)
		return err_sys(err, "open '%s'", directory);
	if (tmpfile_open(&tmp, dir_fd, err) < 0 || write_to(tmp.fd, path, fn, context, err) < 0)
		return -1;
	return tmpfile_replace(&tmp, name, err);
}

static bool is_stdout(const struct stat *st)
{
	struct stat ours;

	return fstat(STDOUT_FILENO, &ours) == 0 && ours.st_dev == st->st_dev &&
	       ours.st_ino == st->st_ino;
}

/* A pipe, a terminal, a device, or what standard output is: written as it comes. */
static int write_stream(const char *path, bool is_ours, archive_fn fn, void *context,
			struct err *err)
{
	/* not opened anew: it has its place in a file, and may be closed to us by name */
	auto_close int fd = is_ours ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)
				    : open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	if (isatty(fd))
		return err_set(err, ERR_USAGE, "'%s' is a terminal: an archive is not shown there",
			       path);
	return write_to(fd, path, fn, context, err);
}

int archive_file_write(const char *path, archive_fn fn, void *context, bool *out_used_stdout,
		       struct err *err)
{
	struct stat st;

	/* a name like /dev/stdout must not be replaced when that is a file */
	if (stat(path, &st) < 0)
		return write_file(path, fn, context, err);
	if (S_ISDIR(st.st_mode))
		return err_set(err, ERR_USAGE, "'%s' is a directory", path);
	*out_used_stdout = is_stdout(&st);
	if (*out_used_stdout || !S_ISREG(st.st_mode))
		return write_stream(path, *out_used_stdout, fn, context, err);
	return write_file(path, fn, context, err);
}
