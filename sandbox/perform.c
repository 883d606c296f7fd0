/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the order in which the container's first process turns a
 * description into what it says: the tree first, while we are still allowed
 * everything, then what the process itself is, then exec.
 */
#include "sandbox/perform-internal.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/fd.h"

/* A new network has a loopback only, and that one down. */
static int bring_loopback_up(struct err *err)
{
	struct ifreq request = { .ifr_name = "lo" };
	auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_sys(err, "open a socket");
	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return err_sys(err, "look at the loopback interface");
	request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		return err_sys(err, "bring the loopback interface up");
	return 0;
}

static int set_hostname(const struct sandbox_description *description, struct err *err)
{
	if (!description->hostname || sandbox_is_chroot(description))
		return 0;
	if (!(description->namespaces & SANDBOX_NS_UTS))
		return err_set(err, ERR_BUG, "a host name without a namespace of its own");
	if (sethostname(description->hostname, strlen(description->hostname)) < 0)
		return err_sys(err, "set the host name '%s'", description->hostname);
	return 0;
}

int perform_tie(int alive_fd, struct err *err)
{
	struct pollfd alive = { .fd = alive_fd, .events = POLLIN };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_sys(err, "tie the container to the sandbox");
	if (poll(&alive, 1, 0) != 0)
		return err_set(err, ERR_INTERRUPTED, "the outer sandbox process is gone");
	return 0;
}

/* Of the container whose mounts we have joined: what is no devpts there has no ptmx of ours. */
static int open_terminals(struct perform_fds *fds, struct err *err)
{
	struct statfs fs;

	fds->pts_fd = open("/dev/pts", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fds->pts_fd < 0 || fstatfs(fds->pts_fd, &fs) < 0)
		return err_sys(err, "open '/dev/pts' of the container");
	if (fs.f_type != DEVPTS_SUPER_MAGIC)
		return err_set(err, ERR_INPUT, "'/dev/pts' of the container has no terminals");
	return 0;
}

static int set_up_root(const struct sandbox_description *description, struct perform_fds *fds,
		       struct err *err)
{
	return sandbox_is_chroot(description) ? confine(description, err)
					      : perform_mounts(description, fds, err);
}

int perform(const struct sandbox_description *description, const struct perform_ties *ties,
	    int *out_exec_errno, struct err *err)
{
	const bool is_guest = sandbox_description_joins(description, SANDBOX_NS_MOUNT);
	struct perform_fds fds = { .dev_fd = -1, .pts_fd = -1 };

	if (perform_tie(ties->alive_fd, err) < 0)
		return -1;
	/* no way back to the caller's terminal: TIOCSTI works on one's own only */
	if (setsid() < 0)
		return err_sys(err, "make a session");
	if (!is_guest && set_up_root(description, &fds, err) < 0)
		return -1;
	if (is_guest && description->terminal && open_terminals(&fds, err) < 0)
		return -1;
	if (description->terminal && perform_terminal(description, &fds, err) < 0)
		return -1;
	if ((description->namespaces & SANDBOX_NS_NET) && bring_loopback_up(err) < 0)
		return -1;
	if (set_hostname(description, err) < 0)
		return -1;
	return perform_process(description, ties, out_exec_errno, err);
}
