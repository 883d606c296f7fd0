/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for whether a driver works on this host and in this store: by doing it. */
#include "storage/trial-internal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/tmpfile.h"
#include "layers/whiteout.h"
#include "storage/store-internal.h"

static int make_dir(int dir_fd, const char *name, struct err *err)
{
	int fd;

	if (mkdirat(dir_fd, name, 0755) < 0)
		return err_sys(err, "make '%s' for a trial mount", name);
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open '%s' for a trial mount", name);
	return fd;
}

static int delete_through(struct store *store, const struct mount_driver *driver,
			  const struct mount_request *request, struct err *err)
{
	auto_close int mount_fd = driver->mount(store, request, err);

	if (mount_fd < 0)
		return -1;
	if (unlinkat(mount_fd, "f", 0) < 0)
		return err_sys(err, "delete a file through a trial mount");
	return 0;
}

static int look_at_mark(int upper_fd, enum overlay_ns ns, struct err *err)
{
	struct stat st;

	if (fstatat(upper_fd, "f", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "a trial mount left no mark of a deletion");
	if (!whiteout_is(upper_fd, "f", &st, ns))
		return err_set(err, ERR_SYSTEM, "deletions are marked in a form not known");
	return 0;
}

int trial_run(struct store *store, const struct mount_driver *driver, struct err *err)
{
	auto_tmpdir struct tmpdir tmp = TMPDIR_INIT;
	auto_close int lower_fd = -1;
	auto_close int upper_fd = -1;
	auto_close int work_fd = -1;
	auto_close int file_fd = -1;
	struct mount_request request = { .lowers = &lower_fd, .lower_count = 1 };

	if (tmpdir_make(&tmp, store->tmp_fd, err) < 0 ||
	    (lower_fd = make_dir(tmp.fd, "lower", err)) < 0 ||
	    (upper_fd = make_dir(tmp.fd, "upper", err)) < 0 ||
	    (work_fd = make_dir(tmp.fd, "work", err)) < 0)
		return -1;
	file_fd = openat(lower_fd, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (file_fd < 0)
		return err_sys(err, "make a file for a trial mount");
	request.upper_fd = upper_fd;
	request.work_fd = work_fd;
	if (delete_through(store, driver, &request, err) < 0 ||
	    (driver->collect && driver->collect(store, &request, err) < 0))
		return -1;
	return look_at_mark(upper_fd, store->ns, err);
}
