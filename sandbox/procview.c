/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the program procview's life, and for where a container finds its files. */
#include "sandbox/procview.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/proc-internal.h"
#include "common/strbuf.h"
#include "storage/connection.h"

#define PROGRAM       "procview"
#define FD_CONNECTION 3
#define FILES         "cpuinfo,loadavg,meminfo,stat,uptime"

void procview_release(struct procview *procview)
{
	fd_close(&procview->mount_fd);
	child_release(&procview->server);
}

static int start_server(const struct strlist *groups, int connection_fd, int log_fd,
			struct procview *out, struct err *err)
{
	static const char *const env[] = { NULL };
	auto_free const char **argv = mem_array(groups->count + 4, sizeof(argv[0]));
	auto_close int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	auto_strbuf struct strbuf path = STRBUF_INIT;
	char place[24];
	char began[24];
	const struct proc_fd fds[] = { { null_fd, STDIN_FILENO },
				       { null_fd, STDOUT_FILENO },
				       { log_fd, STDERR_FILENO },
				       { connection_fd, FD_CONNECTION } };
	/* Ctrl-C is for the container */
	const struct proc_spec spec = { .argv = argv,
					.envp = env,
					.fds = fds,
					.fd_count = sizeof(fds) / sizeof(fds[0]),
					.new_group = true };

	if (null_fd < 0)
		return err_sys(err, "open '/dev/null'");
	if (proc_find_own("fuse-overlay", PROGRAM, &path, err) < 0)
		return -1;
	snprintf(place, sizeof(place), "/dev/fd/%d", FD_CONNECTION);
	argv[0] = path.data;
	snprintf(began, sizeof(began), "%" PRId64, out->began_s);
	argv[1] = place;
	argv[2] = began;
	for (size_t i = 0; i < groups->count; i++)
		argv[i + 3] = groups->items[i];
	return child_start(&out->server, &spec, err);
}

static int start(const struct strlist *groups, struct procview *out, struct err *err)
{
	auto_close int connection_fd = connection_open(err);
	auto_close int log_fd = -1;
	struct timespec now;

	if (connection_fd < 0)
		return -1;
	if (clock_gettime(CLOCK_BOOTTIME, &now) < 0)
		return err_sys(err, "look at the boot clock");
	out->began_s = now.tv_sec;
	out->mount_fd = connection_mount(
		connection_fd,
		MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, err);
	if (out->mount_fd < 0)
		return -1;
	log_fd = proc_stderr_open(err);
	if (log_fd < 0 || start_server(groups, connection_fd, log_fd, out, err) < 0)
		return -1;
	/* when the program's goes, too, whoever waits for an answer gets an error */
	fd_close(&connection_fd);
	return connection_wait(out->mount_fd, PROGRAM, &out->server, log_fd, err);
}

int procview_start(const struct strlist *groups, struct procview *out, struct err *err)
{
	auto_procview struct procview procview = PROCVIEW_INIT;

	if (start(groups, &procview, err) < 0) {
		err_prefix(err, "--limits-in-proc");
		return err_detail(err, "it needs FUSE: the kernel's module, and /dev/fuse to be "
				       "opened");
	}
	*out = procview;
	procview = (struct procview)PROCVIEW_INIT;
	return 0;
}

void procview_describe(const struct procview *procview, struct sandbox_description *out)
{
	sandbox_description_add_mount(out, SANDBOX_MOUNT_FILES, "/proc", 0, procview->mount_fd,
				      FILES);
	out->namespaces |= SANDBOX_NS_TIME;
	out->boot_offset_s = -procview->began_s;
}
