/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fuse driver: layers put together by our own daemon, imgoverlay, where the kernel's overlayfs
 * cannot be used. Answers for the daemon's life, between the connection (connection.h) and its end.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/proc-internal.h"
#include "common/proc.h"
#include "common/strbuf.h"
#include "storage/connection.h"
#include "storage/driver-internal.h"
#include "storage/store-internal.h"
#include "storage/trial-internal.h"

#define PROGRAM      "imgoverlay"
#define END_LIMIT_MS 60000

/* Numbers of the daemon's descriptors. */
enum {
	FD_CONNECTION = 3,
	FD_UPPER,
	FD_WORK,
	FD_LOWERS,
};

/* One that we have started, and not waited for yet. Protected by daemons_lock. */
struct fuse_daemon {
	struct fuse_daemon *next;
	pid_t pid;
	dev_t dev; /* of its upper; 0: it has none */
	ino_t ino;
};

/* ---- the daemon ---- */

/* Beside our own program, or in a directory above it as where it was built; else of PATH. */
static int find_program(struct strbuf *out, struct err *err)
{
	bool found;

	if (proc_find_beside(PROGRAM, out, &found, err) < 0)
		return -1;
	if (!found)
		strbuf_puts(out, PROGRAM);
	return 0;
}

/* STORED:SHOWN:COUNT: on disk are the container's ids, and what is shown are those outside */
static void format_map(const char *option, const struct idmap *map, struct strbuf *out)
{
	strbuf_printf(out, ",%s=", option);
	for (size_t i = 0; i < map->count; i++)
		strbuf_printf(out, "%s%" PRIu32 ":%" PRIu32 ":%" PRIu32, i > 0 ? ":" : "",
			      map->ranges[i].inside, map->ranges[i].outside, map->ranges[i].count);
}

static void format_options(enum overlay_ns ns, const struct mount_request *request,
			   struct strbuf *out)
{
	/* the attributes of the other kind are the image's own, as with the kernel's overlay */
	strbuf_printf(out, "marks=%s,lowerdir=", ns == OVERLAY_TRUSTED ? "trusted" : "user");
	for (size_t i = request->lower_count; i > 0; i--)
		strbuf_printf(out, "%s/proc/self/fd/%zu", i < request->lower_count ? ":" : "",
			      FD_LOWERS + i - 1);
	if (request->upper_fd >= 0)
		strbuf_printf(out, ",upperdir=/proc/self/fd/%d,workdir=/proc/self/fd/%d,volatile",
			      FD_UPPER, FD_WORK);
	if (request->owners) {
		format_map("uidmapping", request->owners->uids, out);
		format_map("gidmapping", request->owners->gids, out);
	}
}

static int start_daemon(enum overlay_ns ns, const struct mount_request *request, int connection_fd,
			int log_fd, struct child *child, struct err *err)
{
	auto_free struct proc_fd *fds = mem_array(request->lower_count + 5, sizeof(*fds));
	auto_close int nothing_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	auto_strbuf struct strbuf options = STRBUF_INIT;
	auto_strbuf struct strbuf program = STRBUF_INIT;
	char place[24];
	const char *argv[] = { NULL, "-f", "-o", NULL, place, NULL };
	/* Ctrl-C is for those who use the mount: it ends when they have */
	struct proc_spec spec = { .argv = argv, .fds = fds, .new_group = true };

	if (nothing_fd < 0)
		return err_sys(err, "open '/dev/null'");
	if (find_program(&program, err) < 0)
		return -1;
	format_options(ns, request, &options);
	snprintf(place, sizeof(place), "/dev/fd/%d", FD_CONNECTION);
	argv[0] = program.data;
	argv[3] = options.data;
	/* it may live longer than we do, and must not keep a pipe of ours open */
	fds[spec.fd_count++] = (struct proc_fd){ nothing_fd, STDOUT_FILENO };
	fds[spec.fd_count++] = (struct proc_fd){ log_fd, STDERR_FILENO };
	fds[spec.fd_count++] = (struct proc_fd){ connection_fd, FD_CONNECTION };
	if (request->upper_fd >= 0) {
		fds[spec.fd_count++] = (struct proc_fd){ request->upper_fd, FD_UPPER };
		fds[spec.fd_count++] = (struct proc_fd){ request->work_fd, FD_WORK };
	}
	for (size_t i = 0; i < request->lower_count; i++)
		fds[spec.fd_count++] = (struct proc_fd){ request->lowers[i], (int)(FD_LOWERS + i) };
	return child_start(child, &spec, err);
}

/* ---- those that were started ---- */

/* Without waiting: those that have ended. */
static void reap(struct store *store)
{
	struct fuse_daemon **at = &store->daemons;

	while (*at) {
		struct fuse_daemon *daemon = *at;

		if (waitpid(daemon->pid, NULL, WNOHANG) == 0) {
			at = &daemon->next;
			continue;
		}
		*at = daemon->next;
		free(daemon);
	}
}

static void note(struct store *store, const struct mount_request *request, struct child *child)
{
	struct fuse_daemon *daemon = mem_alloc(sizeof(*daemon));
	struct stat st;

	*daemon = (struct fuse_daemon){ .pid = child->pid };
	child->pid = 0;
	if (request->upper_fd >= 0 && fstat(request->upper_fd, &st) == 0) {
		daemon->dev = st.st_dev;
		daemon->ino = st.st_ino;
	}
	pthread_mutex_lock(&store->daemons_lock);
	reap(store);
	daemon->next = store->daemons;
	store->daemons = daemon;
	pthread_mutex_unlock(&store->daemons_lock);
}

/* Takes the one of that upper out of the list; 0: there is none. */
static pid_t take(struct store *store, const struct stat *upper)
{
	struct fuse_daemon **at = &store->daemons;
	pid_t pid = 0;

	pthread_mutex_lock(&store->daemons_lock);
	while (*at && ((*at)->dev != upper->st_dev || (*at)->ino != upper->st_ino))
		at = &(*at)->next;
	if (*at) {
		struct fuse_daemon *daemon = *at;

		pid = daemon->pid;
		*at = daemon->next;
		free(daemon);
	}
	pthread_mutex_unlock(&store->daemons_lock);
	return pid;
}

void fuse_forget_daemons(struct store *store)
{
	/* they end with their mounts, which may go on */
	reap(store);
	while (store->daemons) {
		struct fuse_daemon *next = store->daemons->next;

		free(store->daemons);
		store->daemons = next;
	}
}

static int wait_for_end(pid_t pid, struct err *err)
{
	auto_close int pid_fd = pidfd_open(pid, 0);
	struct pollfd poller = { .fd = pid_fd, .events = POLLIN };
	int status = 0;
	int ready;

	if (pid_fd < 0)
		return err_sys(err, "look after " PROGRAM);
	do
		ready = poll(&poller, 1, END_LIMIT_MS);
	while (ready < 0 && errno == EINTR);
	if (ready <= 0)
		return err_set(err, ERR_SYSTEM, "a mount of layers is still in use somewhere");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status == 0)
		return 0;
	return err_set(err, ERR_SYSTEM, PROGRAM " was lost, and with it what was written");
}

/* ---- the driver ---- */

static int fuse_mount(struct store *store, const struct mount_request *request, struct err *err)
{
	auto_close int connection_fd = -1;
	auto_close int mount_fd = -1;
	auto_close int log_fd = -1;
	auto_child struct child child = CHILD_INIT;
	struct mount_request shown = *request;

	if (shown.lower_count == 0) {
		shown.lowers = &store->empty_fd;
		shown.lower_count = 1;
	}
	connection_fd = connection_open(err);
	if (connection_fd < 0)
		return err_prefix(err, "mount layers");
	mount_fd = connection_mount(connection_fd, shown.upper_fd < 0 ? MOUNT_ATTR_RDONLY : 0, err);
	if (mount_fd < 0)
		return err_prefix(err, "mount layers");
	log_fd = proc_stderr_open(err);
	if (log_fd < 0 || start_daemon(store->ns, &shown, connection_fd, log_fd, &child, err) < 0)
		return -1;
	/* when the daemon's goes, too, whoever waits for an answer gets an error */
	fd_close(&connection_fd);
	if (connection_wait(mount_fd, PROGRAM, &child, log_fd, err) < 0)
		return err_prefix(err, "mount layers");
	note(store, &shown, &child);
	return fd_steal(&mount_fd);
}

/* The daemon's end is when all has been written. */
static int fuse_collect(struct store *store, const struct mount_request *request, struct err *err)
{
	struct stat st;
	pid_t pid;

	if (fstat(request->upper_fd, &st) < 0)
		return err_sys(err, "stat an upper");
	pid = take(store, &st);
	return pid ? wait_for_end(pid, err) : 0;
}

static int fuse_probe(struct store *store, struct err *err)
{
	return trial_run(store, &mount_driver_fuse, err);
}

const struct mount_driver mount_driver_fuse = {
	.name = "fuse",
	.description = "our own daemon, " PROGRAM,
	.is_lasting = true,
	.has_owners = true,
	.has_owners_of_users = true,
	.probe = fuse_probe,
	.mount = fuse_mount,
	.collect = fuse_collect,
};
