/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the container's /dev: devices, links, and its terminal. The
 * tmpfs that it is opens no device, so that one made beside ours is of no use;
 * each of ours is a mount of its own. Real root gets nodes made for this
 * container alone: a chmod of a host's would be the host's. In a user namespace
 * none can be made, and the host's are bound, which nobody in there may change.
 */
#include "sandbox/perform-internal.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"
#include "sandbox/report.h"
#include "sandbox/wire.h"

static const struct {
	const char *name;
	unsigned major;
	unsigned minor;
} devices[] = {
	{ "null", 1, 3 },   { "zero", 1, 5 },    { "full", 1, 7 },
	{ "random", 1, 8 }, { "urandom", 1, 9 }, { "tty", 5, 0 },
};

static const char *const directories[] = { "pts", "shm", "mqueue" };

static const struct {
	const char *name;
	const char *target;
} links[] = {
	{ "ptmx", "pts/ptmx" },          { "fd", "/proc/self/fd" },
	{ "stdin", "/proc/self/fd/0" },  { "stdout", "/proc/self/fd/1" },
	{ "stderr", "/proc/self/fd/2" }, { "core", "/proc/kcore" },
};

/* Put @mount_fd on the new file @name in our own, still empty, tmpfs. */
static int attach_file(int dev_fd, const char *name, int mount_fd, struct err *err)
{
	auto_close int fd =
		openat(dev_fd, name, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);

	if (fd < 0)
		return err_sys(err, "create '/dev/%s'", name);
	return mountfd_attach(mount_fd, fd, name, err);
}

/* The host's, for a user namespace. */
static int bind_device(int dev_fd, const char *name, struct err *err)
{
	auto_close int fd = -1;
	char path[32];

	snprintf(path, sizeof(path), "/dev/%s", name);
	/* read-only: it is written to all the same, but whose it is and its mode stay */
	fd = mountfd_clone_path(path, false,
				MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, err);
	if (fd < 0)
		return -1;
	return attach_file(dev_fd, name, fd, err);
}

static int bind_devices(int dev_fd, struct err *err)
{
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		if (bind_device(dev_fd, devices[i].name, err) < 0)
			return -1;
	}
	return 0;
}

/* A node of the container's own, and over it a mount of it that keeps the present flags. */
static int make_device(int dir_fd, const char *name, const struct sandbox_device *device,
		       bool opens_devices, struct err *err)
{
	auto_close int node_fd = -1;
	auto_close int mount_fd = -1;

	if (mknodat(dir_fd, name, (device->mode & S_IFMT) | 0600,
		    makedev(device->major, device->minor)) < 0)
		return err_sys(err, "make '/dev/%s'", name);
	/* whatever the umask is */
	if (fchownat(dir_fd, name, device->uid, device->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(dir_fd, name, device->mode & 07777, 0) < 0)
		return err_sys(err, "change owner and mode of '/dev/%s'", name);
	if (opens_devices)
		return 0;
	node_fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (node_fd < 0)
		return err_sys(err, "open '/dev/%s'", name);
	mount_fd = mountfd_clone(node_fd, false, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, name, err);
	if (mount_fd < 0)
		return -1;
	return mountfd_attach(mount_fd, node_fd, name, err);
}

/* The directory in our own tmpfs that @path goes to, made; its last part in @name. */
static int open_dir_of(int dev_fd, const char *path, char *name, struct err *err)
{
	const char *slash = strrchr(path, '/');
	auto_free char *parent = str_ndup(path, slash ? (size_t)(slash - path) : 0);

	if (strlen(slash ? slash + 1 : path) > NAME_MAX)
		return err_set(err, ERR_INPUT, "the name of device '/dev/%s' is too long", path);
	snprintf(name, NAME_MAX + 1, "%s", slash ? slash + 1 : path);
	return beneath_mkdirs(dev_fd, parent, BENEATH_NO_LINKS, 0755, err);
}

/* Those that were asked for; "net/tun" gets its directory. */
static int make_others(int dev_fd, const struct sandbox_description *description, struct err *err)
{
	for (size_t i = 0; i < description->device_count; i++) {
		const struct sandbox_device *device = &description->devices[i];
		char name[NAME_MAX + 1];
		auto_close int dir_fd = open_dir_of(dev_fd, device->name, name, err);

		if (dir_fd < 0 ||
		    make_device(dir_fd, name, device, description->opens_devices, err) < 0)
			return -1;
	}
	return 0;
}

/* While the tmpfs still opens devices its copies do; then it does so no longer, as a rule. */
static int make_devices(int dev_fd, const struct sandbox_description *description, struct err *err)
{
	struct mount_attr closed = { .attr_set = MOUNT_ATTR_NODEV };

	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		const struct sandbox_device device = { .mode = S_IFCHR | 0666,
						       .major = devices[i].major,
						       .minor = devices[i].minor };

		if (make_device(dev_fd, devices[i].name, &device, description->opens_devices, err) <
		    0)
			return -1;
	}
	if (make_others(dev_fd, description, err) < 0)
		return -1;
	if (description->opens_devices)
		return 0;
	if (mount_setattr(dev_fd, "", AT_EMPTY_PATH, &closed, sizeof(closed)) < 0)
		return err_sys(err, "set the flags of '/dev'");
	return 0;
}

int perform_dev(const struct sandbox_description *description, int dev_fd, struct err *err)
{
	if ((description->nested ? bind_devices(dev_fd, err)
				 : make_devices(dev_fd, description, err)) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		if (mkdirat(dev_fd, directories[i], 0755) < 0)
			return err_sys(err, "make '/dev/%s'", directories[i]);
	}
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		if (symlinkat(links[i].target, dev_fd, links[i].name) < 0)
			return err_sys(err, "link '/dev/%s'", links[i].name);
	}
	return 0;
}

/* ---- the terminal ---- */

/* The slave is taken from its master, so that no name is looked up in between. */
static int open_pair(int pts_fd, int *out_master, int *out_slave, struct err *err)
{
	auto_close int master_fd =
		openat(pts_fd, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	int unlocked = 0;
	int slave_fd;

	if (master_fd < 0)
		return err_sys(err, "open a pseudo terminal");
	if (ioctl(master_fd, TIOCSPTLCK, &unlocked) < 0)
		return err_sys(err, "unlock the pseudo terminal");
	slave_fd = ioctl(master_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave_fd < 0)
		return err_sys(err, "open the pseudo terminal's other end");
	*out_master = fd_steal(&master_fd);
	*out_slave = slave_fd;
	return 0;
}

/* Before anybody can ask for it. */
static int set_size(int slave_fd, const struct sandbox_description *description, struct err *err)
{
	const struct winsize size = { .ws_row = description->terminal_rows,
				      .ws_col = description->terminal_columns };

	if (size.ws_row == 0 && size.ws_col == 0)
		return 0;
	if (ioctl(slave_fd, TIOCSWINSZ, &size) < 0)
		return err_sys(err, "set the size of the pseudo terminal");
	return 0;
}

static int hand_over(int master_fd, struct err *err)
{
	const struct report report = { .type = REPORT_TERMINAL };

	if (report_send(WIRE_REPORT_FD, &report, master_fd) < 0)
		return err_sys(err, "hand over the pseudo terminal");
	return 0;
}

static int become_stdio(int slave_fd, struct err *err)
{
	if (ioctl(slave_fd, TIOCSCTTY, 0) < 0)
		return err_sys(err, "make the pseudo terminal the controlling one");
	for (int i = 0; i < 3; i++) {
		if (dup2(slave_fd, i) < 0)
			return err_sys(err, "make the pseudo terminal standard input and output");
	}
	return 0;
}

/* A container that was joined has one of its own, or none. */
static int make_console(int dev_fd, int slave_fd, struct err *err)
{
	auto_close int fd = mountfd_clone(slave_fd, false, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
					  "/dev/console", err);

	return fd < 0 ? -1 : attach_file(dev_fd, "console", fd, err);
}

int perform_terminal(const struct sandbox_description *description, const struct perform_fds *fds,
		     struct err *err)
{
	auto_close int master_fd = -1;
	auto_close int slave_fd = -1;

	if (fds->pts_fd < 0)
		return err_set(err, ERR_BUG, "a terminal without /dev/pts");
	if (open_pair(fds->pts_fd, &master_fd, &slave_fd, err) < 0 ||
	    set_size(slave_fd, description, err) < 0)
		return -1;
	if (fchown(slave_fd, description->uid, (gid_t)-1) < 0)
		return err_sys(err, "give the pseudo terminal to its user");
	if (fds->dev_fd >= 0 && make_console(fds->dev_fd, slave_fd, err) < 0)
		return -1;
	if (hand_over(master_fd, err) < 0)
		return -1;
	return become_stdio(slave_fd, err);
}
