/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for child processes: starting them with exactly the descriptors they
 * are given, waiting, wording how they ended. Processes in namespaces are the
 * sandbox's business.
 */
#include "common/proc.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/proc-internal.h"

#define STDERR_MAX_BYTES ((off_t)64 * 1024)

extern char **environ;

/* The descriptors of a child, each at a number of ours that is no number of the child's. */
struct fd_plan {
	struct proc_fd *fds;
	size_t count;
	int *copies; /* ours to close */
	size_t copy_count;
	int null_fd; /* -1: the child's 0 is given */
	int highest; /* number of the child's */
};

static void fd_plan_release(struct fd_plan *plan)
{
	for (size_t i = 0; i < plan->copy_count; i++)
		fd_close(&plan->copies[i]);
	fd_close(&plan->null_fd);
	free(plan->copies);
	free(plan->fds);
}

static bool is_target(const struct fd_plan *plan, int fd)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->fds[i].to == fd)
			return true;
	return false;
}

/*
 * The child puts its descriptors in place one after the other, and must not
 * overwrite one that it still needs: whatever lies at a number that is a target
 * is first copied, by us, to a number above all of them.
 */
static int plan_fds(const struct proc_spec *spec, struct fd_plan *plan, struct err *err)
{
	plan->highest = STDERR_FILENO;
	plan->fds = mem_array(spec->fd_count + 1, sizeof(plan->fds[0]));
	plan->copies = mem_array(spec->fd_count + 1, sizeof(plan->copies[0]));
	for (; plan->count < spec->fd_count; plan->count++)
		plan->fds[plan->count] = spec->fds[plan->count];
	if (!is_target(plan, STDIN_FILENO)) {
		plan->null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (plan->null_fd < 0)
			return err_sys(err, "open '/dev/null'");
		plan->fds[plan->count++] = (struct proc_fd){ plan->null_fd, STDIN_FILENO };
	}
	for (size_t i = 0; i < plan->count; i++)
		if (plan->fds[i].to > plan->highest)
			plan->highest = plan->fds[i].to;
	for (size_t i = 0; i < plan->count; i++) {
		struct proc_fd *fd = &plan->fds[i];

		if (fd->from == fd->to || !is_target(plan, fd->from))
			continue;
		fd->from = fcntl(fd->from, F_DUPFD_CLOEXEC, plan->highest + 1);
		if (fd->from < 0)
			return err_sys(err, "copy a descriptor");
		plan->copies[plan->copy_count++] = fd->from;
	}
	return 0;
}

/* 0 or an error number, as all of posix_spawn. */
static int set_attributes(posix_spawnattr_t *attr, const struct proc_spec *spec)
{
	short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
	sigset_t set;
	int error;

	if (spec->new_group)
		flags |= POSIX_SPAWN_SETPGROUP;
	sigemptyset(&set);
	error = posix_spawnattr_setsigmask(attr, &set);
	/* not sigfillset: it spares the C library's own two, which would stay ignored then */
	memset(&set, 0xff, sizeof(set));
	if (!error)
		error = posix_spawnattr_setsigdefault(attr, &set);
	return error ? error : posix_spawnattr_setflags(attr, flags);
}

static int spawn(const struct proc_spec *spec, const struct fd_plan *plan,
		 posix_spawn_file_actions_t *actions, posix_spawnattr_t *attr, pid_t *out_pid)
{
	/*
	 * One at a time in the process. Until its exec a child has copies of all that is
	 * open, so a program just written by one thread could not be executed (ETXTBSY) while
	 * the child of another has it open for writing. The lock is not held any more when
	 * all copies from before are gone.
	 */
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	int error = set_attributes(attr, spec);

	/* with from == to it clears close-on-exec */
	for (size_t i = 0; !error && i < plan->count; i++)
		error = posix_spawn_file_actions_adddup2(actions, plan->fds[i].from,
							 plan->fds[i].to);
	/* ours are close-on-exec; those that we were started with may not be */
	for (int fd = STDERR_FILENO + 1; !error && fd < plan->highest; fd++)
		if (!is_target(plan, fd))
			error = posix_spawn_file_actions_addclose(actions, fd);
	if (!error)
		error = posix_spawn_file_actions_addclosefrom_np(actions, plan->highest + 1);
	if (error)
		return error;
	pthread_mutex_lock(&lock);
	error = posix_spawnp(out_pid, spec->argv[0], actions, attr, (char *const *)spec->argv,
			     spec->envp ? (char *const *)spec->envp : environ);
	pthread_mutex_unlock(&lock);
	return error;
}

int child_start(struct child *child, const struct proc_spec *spec, struct err *err)
{
	struct fd_plan plan = { .null_fd = -1 };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	pid_t pid = 0;
	int error;

	assert(child->pid == 0);
	if (plan_fds(spec, &plan, err) < 0) {
		int saved = errno;

		fd_plan_release(&plan);
		errno = saved;
		return -1;
	}
	/* neither of the two can fail but for memory, and with glibc not even then */
	if (posix_spawn_file_actions_init(&actions) || posix_spawnattr_init(&attr))
		mem_exhausted();
	error = spawn(spec, &plan, &actions, &attr, &pid);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	fd_plan_release(&plan);
	errno = error;
	if (error)
		return err_sys(err, "start '%s'", spec->argv[0]);
	child->pid = pid;
	return 0;
}

static int wait_for(pid_t pid, int *out_status)
{
	while (waitpid(pid, out_status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return 0;
}

int child_wait(struct child *child, int *out_status, struct err *err)
{
	pid_t pid = child->pid;
	int status = 0;

	assert(pid > 0);
	child->pid = 0;
	if (wait_for(pid, &status) < 0)
		return err_sys(err, "wait for process %d", (int)pid);
	*out_status = status;
	return 0;
}

void child_release(struct child *child)
{
	int saved = errno;
	int status;

	/* not yet waited for, so the number is still its own */
	if (child->pid > 0 && kill(child->pid, SIGKILL) == 0)
		(void)wait_for(child->pid, &status);
	child->pid = 0;
	errno = saved;
}

const char *proc_status_text(int status, char *buf)
{
	const char *name;

	if (WIFEXITED(status)) {
		snprintf(buf, 64, "exit status %d", WEXITSTATUS(status));
		return buf;
	}
	name = sigdescr_np(WTERMSIG(status));
	if (name)
		snprintf(buf, 64, "killed by signal %d (%s)", WTERMSIG(status), name);
	else
		snprintf(buf, 64, "killed by signal %d", WTERMSIG(status));
	return buf;
}

int proc_stderr_open(struct err *err)
{
	auto_close int fd = memfd_create("stderr", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, STDERR_MAX_BYTES) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) < 0)
		return err_sys(err, "make a file in memory");
	return fd_steal(&fd);
}

const char *proc_stderr_line(int fd, char *buf)
{
	off_t end = lseek(fd, 0, SEEK_CUR); /* shared with the child, that is what it wrote */
	off_t start = end > PROC_LINE_MAX - 1 ? end - (PROC_LINE_MAX - 1) : 0;
	ssize_t len = end > 0 ? pread(fd, buf, (size_t)(end - start), start) : 0;
	char *line;

	if (len < 0)
		len = 0;
	while (len > 0 && strchr("\r\n ", buf[len - 1]))
		len--;
	buf[len] = '\0';
	line = strrchr(buf, '\n');
	if (line)
		memmove(buf, line + 1, strlen(line));
	for (char *p = buf; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	return buf;
}

int proc_run(const char *const *argv, struct err *err)
{
	auto_child struct child child = CHILD_INIT;
	auto_close int log_fd = proc_stderr_open(err);
	struct proc_fd fds[] = { { log_fd, STDERR_FILENO } };
	struct proc_spec spec = { .argv = argv, .fds = fds, .fd_count = 1 };
	char line[PROC_LINE_MAX];
	char text[64];
	int status;

	if (log_fd < 0)
		return -1;
	if (child_start(&child, &spec, err) < 0 || child_wait(&child, &status, err) < 0)
		return -1;
	if (status == 0)
		return 0;
	proc_status_text(status, text);
	proc_stderr_line(log_fd, line);
	return err_set(err, ERR_SYSTEM, "'%s' failed: %s%s%s", argv[0], text, line[0] ? ": " : "",
		       line);
}

bool proc_is_in_path(const char *name)
{
	const char *search = getenv("PATH");
	auto_free char *dirs = str_dup(search ? search : "/bin:/usr/bin");
	char *rest = dirs;
	char *dir;

	while ((dir = strsep(&rest, ":"))) {
		auto_free char *path = str_format("%s/%s", *dir ? dir : ".", name);
		struct stat st;

		if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0)
			return true;
	}
	return false;
}

int proc_self_dir(struct strbuf *out, struct err *err)
{
	char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	if (len >= 0)
		path[len] = '\0';
	/* without /proc: as the kernel was given it */
	else if (errno != ENOENT || !realpath((const char *)getauxval(AT_EXECFN), path))
		return err_sys(err, "find the directory of this program");
	slash = strrchr(path, '/');
	if (!slash)
		return err_set(err, ERR_SYSTEM, "'%s' is not the path of this program", path);
	strbuf_add(out, path, slash == path ? 1 : (size_t)(slash - path));
	return 0;
}

int proc_find_beside(const char *relative, struct strbuf *out, bool *out_found, struct err *err)
{
	/* a build tree has it below the commands, beside other folders, and beside unit tests */
	static const char *const ways[] = { "", "/..", "/../.." };
	size_t len;

	if (proc_self_dir(out, err) < 0)
		return -1;
	len = out->len;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		strbuf_truncate(out, len);
		strbuf_printf(out, "%s/%s", ways[i], relative);
		if (access(out->data, X_OK) == 0) {
			*out_found = true;
			return 0;
		}
	}
	strbuf_truncate(out, 0);
	*out_found = false;
	return 0;
}

int proc_find_own(const char *folder, const char *name, struct strbuf *out, struct err *err)
{
	auto_free char *relative = str_format("%s/%s", folder, name);
	bool found;

	if (proc_find_beside(relative, out, &found, err) < 0)
		return -1;
	if (!found)
		strbuf_printf(out, "%s/%s", LIBEXEC_DIR, name);
	return 0;
}
