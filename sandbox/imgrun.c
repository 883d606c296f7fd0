/* SPDX-License-Identifier: Apache-2.0 */
/* The command imgrun: runs a container of an image, in the foreground or in the background. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/isolation.h"
#include "common/log.h"
#include "common/userns.h"
#include "sandbox/container-run.h"
#include "sandbox/front.h"
#include "sandbox/runtime.h"
#include "storage/image-pull.h"
#include "storage/mount.h"

#define EXIT_OURS      125
#define EXIT_NOT_RUN   126
#define EXIT_NOT_FOUND 127

#define KEPT_FD 3

static int enter(const struct run_options *options, struct err *err)
{
	const char *container = namespaces_container(&options->namespaces);
	struct userns userns;

	if (isolation_want(options->isolation, err) < 0)
		return -1;
	if (container)
		return container_join_userns(options->root, container, err);
	return userns_enter(&userns, err);
}

static int pull(const struct run_options *options, struct store *store, struct err *err)
{
	auto_platform struct platform platform = { .os = NULL };
	auto_strlist struct strlist arguments = STRLIST_INIT;
	auto_strbuf struct strbuf found_by = STRBUF_INIT;
	struct image_pull pull = { .store = store, .arguments = &arguments };

	if (options->authfile)
		strlist_addf(&arguments, "--authfile=%s", options->authfile);
	if (options->tls_verify)
		strlist_addf(&arguments, "--tls-verify=%s", options->tls_verify);
	if (pull_when_parse(options->pull, &pull.when, err) < 0)
		return -1;
	if (!options->platform)
		platform_host(&platform);
	else if (platform_parse(options->platform, &platform, err) < 0)
		return err_prefix(err, "--platform");
	/* it has its name then */
	return image_pull_ensure(&pull, options->image, &platform, &found_by, err);
}

/* A mount of an ordinary user's ends with the namespace that we enter, and so with us. */
static int check_bundle(const struct run_options *options, struct err *err)
{
	if (!options->bundle || geteuid() == 0)
		return 0;
	err_set(err, ERR_USAGE, "an ordinary user's mount would end with this command");
	return err_detail(err, "run it in a namespace that stays: imgstore unshare sh, and there "
			       "imgrun --bundle");
}

static int run(struct run_options *options, const struct run_observer *observer,
	       struct run_outcome *out, struct err *err)
{
	auto_store struct store *store = NULL;

	if (check_bundle(options, err) < 0 || enter(options, err) < 0 ||
	    (options->runtime && runtime_check(options->runtime, err) < 0) ||
	    store_open(options->root, &store, err) < 0)
		return -1;
	if (options->storage_driver && mount_choose_driver(store, options->storage_driver, err) < 0)
		return -1;
	if (pull(options, store, err) < 0)
		return -1;
	return container_run(store, options, observer, out, err);
}

/* ---- in the background ---- */

/* What the process in the background tells the one that was called. */
struct message {
	struct err err;
	int exec_errno;
	char id[65];
};

struct teller {
	int fd;
	bool has_told;
};

static void tell(struct teller *teller, const struct message *message)
{
	if (!teller->has_told)
		(void)fd_write_quiet(teller->fd, message, sizeof(*message)); /* nobody is there */
	teller->has_told = true;
	fd_close(&teller->fd);
}

/* From here on nobody reads what we say, and no terminal is ours. */
static void tell_started(void *context, const char *id)
{
	struct message message = { .err = ERR_INIT };
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	snprintf(message.id, sizeof(message.id), "%s", id);
	tell(context, &message);
	for (int i = 0; null_fd >= 0 && i < 3; i++)
		(void)dup2(null_fd, i);
	fd_close(&null_fd);
}

static _Noreturn void run_behind(struct run_options *options, int fd)
{
	struct teller teller = { .fd = fd };
	const struct run_observer observer = { .started = tell_started, .context = &teller };
	struct message message = { .err = ERR_INIT };
	struct run_outcome outcome = { .status = 0 };
	int result;

	setsid();
	/* whoever waits for the end of a pipe of our caller's does not wait for us */
	if (fd != KEPT_FD)
		(void)dup3(fd, KEPT_FD, O_CLOEXEC);
	teller.fd = KEPT_FD;
	(void)syscall(SYS_close_range, KEPT_FD + 1, ~0U, 0);
	result = run(options, &observer, &outcome, &message.err);
	message.exec_errno = outcome.exec_errno;
	tell(&teller, &message);
	_exit(result < 0 ? EXIT_OURS : 0);
}

static int detach(struct run_options *options, struct run_outcome *out, struct err *err)
{
	struct message message;
	auto_close int ours = -1;
	int fds[2];
	ssize_t n;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	ours = fds[0];
	pid = fork();
	if (pid == 0)
		run_behind(options, fds[1]);
	close(fds[1]);
	if (pid < 0)
		return err_sys(err, "fork");
	n = fd_read_full(ours, &message, sizeof(message), "the container's begin", err);
	if (n != sizeof(message))
		return n < 0 ? -1 : err_set(err, ERR_SYSTEM, "the container did not begin");
	if (message.err.kind != ERR_NONE) {
		*err = message.err;
		out->exec_errno = message.exec_errno;
		return -1;
	}
	printf("%s\n", message.id);
	return 0;
}

/* ---- at a terminal, until it is left ---- */

static bool can_be_left(const struct run_options *options)
{
	return options->terminal && options->interactive && options->detach_keys.count > 0 &&
	       !options->runtime && !options->bundle && !options->print_description;
}

static void hold_front(void *context, const char *id)
{
	(void)id;
	front_hold(context);
}

static void leave_front(void *context, const char *name)
{
	log_info("container '%s' goes on in the background", name);
	front_leave(context);
}

static int run_before(struct run_options *options, struct run_outcome *out, struct err *err)
{
	struct front front;
	const struct run_observer observer = { .started = hold_front,
					       .left = leave_front,
					       .context = &front };

	return front_make(&front, err) < 0 ? -1 : run(options, &observer, out, err);
}

static int run_as_asked(struct run_options *options, struct run_outcome *out, struct err *err)
{
	if (options->is_detached && !options->print_description)
		return detach(options, out, err);
	if (can_be_left(options))
		return run_before(options, out, err);
	return run(options, NULL, out, err);
}

int main(int argc, char **argv)
{
	struct run_options options = RUN_OPTIONS_INIT;
	struct run_outcome outcome = { .status = 0 };
	struct err err = ERR_INIT;
	int result;

	log_init("imgrun", LOG_INFO);
	result = run_options_parse(argc, argv, &options, &err);
	if (result == 0 && !options.is_done)
		result = run_as_asked(&options, &outcome, &err);
	run_options_release(&options);
	if (result < 0) {
		err_print(&err, "imgrun");
		if (outcome.exec_errno)
			return outcome.exec_errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUN;
		return EXIT_OURS;
	}
	return run_exit_status(outcome.status);
}
