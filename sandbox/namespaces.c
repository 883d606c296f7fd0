/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for namespaces that are not a container's own, and for getting at those of others. */
#include "sandbox/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/userns.h"
#include "storage/container-state.h"
#include "storage/container.h"

#define OF_CONTAINER "container:"

static const struct {
	const char *option;
	const char *file; /* below /proc/PID/ns */
	unsigned ns;
} rows[NAMESPACES_MAX] = {
	[NAMESPACE_PID] = { "pid", "pid", SANDBOX_NS_PID },
	[NAMESPACE_IPC] = { "ipc", "ipc", SANDBOX_NS_IPC },
	[NAMESPACE_UTS] = { "uts", "uts", SANDBOX_NS_UTS },
	[NAMESPACE_CGROUP] = { "cgroupns", "cgroup", SANDBOX_NS_CGROUP },
	[NAMESPACE_NET] = { "network", "net", SANDBOX_NS_NET },
};

void namespaces_release(struct namespaces *namespaces)
{
	for (size_t i = 0; i < NAMESPACES_MAX; i++)
		fd_close(&namespaces->items[i].fd);
}

int namespaces_parse(struct namespaces *namespaces, struct err *err)
{
	for (size_t i = 0; i < NAMESPACES_MAX; i++) {
		const char *text = namespaces->items[i].text;

		if (!text || strcmp(text, "private") == 0)
			continue;
		if (strcmp(text, "host") == 0) {
			namespaces->items[i].choice = NAMESPACE_HOST;
		} else if (strncmp(text, OF_CONTAINER, strlen(OF_CONTAINER)) == 0 &&
			   text[strlen(OF_CONTAINER)]) {
			namespaces->items[i].choice = NAMESPACE_OF_CONTAINER;
			namespaces->items[i].container = text + strlen(OF_CONTAINER);
		} else {
			return err_set(err, ERR_USAGE,
				       "--%s is private, host or container:NAME, not '%s'",
				       rows[i].option, text);
		}
	}
	return 0;
}

const char *namespaces_container(const struct namespaces *namespaces)
{
	for (size_t i = 0; i < NAMESPACES_MAX; i++)
		if (namespaces->items[i].choice == NAMESPACE_OF_CONTAINER)
			return namespaces->items[i].container;
	return NULL;
}

int container_first_process(struct store *store, const char *name, pid_t *out, struct err *err)
{
	auto_container struct container container = CONTAINER_INIT;
	auto_container_state struct container_state state = { .pid = 0 };
	bool is_running = false;

	if (container_look(store, name, &container, &is_running, err) < 0 ||
	    container_state_load(container.dir_fd, &state, err) < 0)
		return -1;
	if (!is_running || state.pid <= 0)
		return err_set(err, ERR_INPUT, "container '%s' is not running", name);
	*out = (pid_t)state.pid;
	return 0;
}

bool namespace_is_ours(int fd, const char *file)
{
	char path[64];
	struct stat theirs, ours;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", file);
	return fstat(fd, &theirs) == 0 && stat(path, &ours) == 0 && theirs.st_ino == ours.st_ino &&
	       theirs.st_dev == ours.st_dev;
}

static int open_namespace(pid_t pid, const char *file, struct err *err)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(err, "open '%s'", path) : fd;
}

int namespace_of_container(struct store *store, const char *name, const char *kind, struct err *err)
{
	pid_t pid;

	if (container_first_process(store, name, &pid, err) < 0)
		return -1;
	return open_namespace(pid, kind, err);
}

/* Then its namespaces belong to them, and a process with other ids could not do much there. */
static bool has_own_ids(struct store *store, const char *name, struct err *err)
{
	auto_close int fd = namespace_of_container(store, name, "user", err);

	if (fd < 0)
		return true;
	if (namespace_is_ours(fd, "user"))
		return false;
	err_set(err, ERR_INPUT,
		"container '%s' has user ids of its own (--userns): its namespaces are not for "
		"others",
		name);
	return true;
}

int namespaces_open(struct namespaces *namespaces, struct store *store, struct err *err)
{
	for (size_t i = 0; i < NAMESPACES_MAX; i++) {
		if (namespaces->items[i].choice != NAMESPACE_OF_CONTAINER)
			continue;
		namespaces->items[i].fd = namespace_of_container(
			store, namespaces->items[i].container, rows[i].file, err);
		if (namespaces->items[i].fd < 0)
			return err_prefix(err, "--%s", rows[i].option);
		/* both have the host's */
		if (namespace_is_ours(namespaces->items[i].fd, rows[i].file))
			fd_close(&namespaces->items[i].fd);
		else if (has_own_ids(store, namespaces->items[i].container, err))
			return -1;
	}
	return 0;
}

void namespaces_describe(const struct namespaces *namespaces, struct sandbox_description *out)
{
	for (size_t i = 0; i < NAMESPACES_MAX; i++) {
		if (namespaces->items[i].choice != NAMESPACE_OWN)
			out->namespaces &= ~rows[i].ns;
		if (namespaces->items[i].fd >= 0)
			sandbox_description_add_join(out, rows[i].ns, namespaces->items[i].fd);
	}
}

/* ---- the user namespace of a container ---- */

struct answer {
	pid_t pid;
	struct err err;
};

/* In a child: whoever is to join another user namespace must not be in one of its own. */
static _Noreturn void find_in_child(const char *root, const char *name, int fd)
{
	struct answer answer = { .err = ERR_INIT };
	struct store *store = NULL;
	struct userns userns;

	if (userns_enter(&userns, &answer.err) == 0 && store_open(root, &store, &answer.err) == 0)
		(void)container_first_process(store, name, &answer.pid, &answer.err);
	(void)fd_write_quiet(fd, &answer, sizeof(answer)); /* else its end tells */
	store_close(store);
	_exit(0);
}

static int find_pid(const char *root, const char *name, pid_t *out, struct err *err)
{
	struct answer answer;
	auto_close int ours = -1;
	int fds[2];
	pid_t child;
	ssize_t n;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	ours = fds[0];
	child = fork();
	if (child == 0)
		find_in_child(root, name, fds[1]);
	close(fds[1]);
	if (child < 0)
		return err_sys(err, "fork");
	n = fd_read_full(ours, &answer, sizeof(answer), "an answer", err);
	waitpid(child, NULL, 0);
	if (n != sizeof(answer))
		return n < 0 ? -1 : err_set(err, ERR_SYSTEM, "look for container '%s'", name);
	if (answer.err.kind != ERR_NONE) {
		*err = answer.err;
		return -1;
	}
	*out = answer.pid;
	return 0;
}

/*
 * One of --userns=keep-id is made in the one that imgrun is in, whose are the others that it has:
 * that is the one to be joined, and theirs is entered from there.
 */
static int leave_own_ids(int *fd, struct err *err)
{
	auto_close int parent_fd = ioctl(*fd, NS_GET_PARENT);

	/* EPERM: it is above us */
	if (parent_fd < 0)
		return errno == EPERM ? 0 : err_sys(err, "look for the user namespace above");
	if (namespace_is_ours(parent_fd, "user") && !userns_is_nested())
		return 0;
	fd_close(fd);
	*fd = fd_steal(&parent_fd);
	return 0;
}

int container_join_userns(const char *root, const char *name, struct err *err)
{
	struct userns userns;
	auto_close int fd = -1;
	pid_t pid;

	if (find_pid(root, name, &pid, err) < 0)
		return -1;
	fd = open_namespace(pid, "user", err);
	if (fd < 0 || leave_own_ids(&fd, err) < 0)
		return -1;
	/* made without one: from the same rung that it stands on */
	if (namespace_is_ours(fd, "user"))
		return userns_enter(&userns, err);
	/* root of the host reaches into one of its own ids from outside */
	if (geteuid() == 0 && !userns_is_nested())
		return 0;
	if (setns(fd, CLONE_NEWUSER) < 0)
		return err_sys(err, "join the user namespace of container '%s'", name);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(err, "make a mount namespace");
	return 0;
}
