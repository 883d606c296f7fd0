/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what a host allows, told to people who wonder why a rung was taken. What the rest of
 * the code does is decided elsewhere, by trying it; here nothing is decided.
 */
#include "storage/host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/isolation.h"
#include "common/mem.h"
#include "common/proc.h"
#include "common/strbuf.h"
#include "common/tmpfile.h"
#include "layers/record.h"
#include "storage/mount.h"
#include "storage/store-internal.h"

__attribute__((format(printf, 3, 4))) static void say(struct host_answer *answer, bool is_yes,
						      const char *fmt, ...)
{
	va_list ap;

	answer->is_yes = is_yes;
	va_start(ap, fmt);
	vsnprintf(answer->detail, sizeof(answer->detail), fmt, ap);
	va_end(ap);
}

/* ---- before anything is entered ---- */

static void ask_namespaces(struct host_answer *answer)
{
	char why[512] = "";

	if (userns_try(false, why, sizeof(why)))
		say(answer, true, "can be made");
	else
		say(answer, false, "%s", why);
}

static void ask_proc(struct host_answer *answer)
{
	char why[512] = "";

	if (userns_try(true, why, sizeof(why)))
		say(answer, true, "can be mounted in them");
	else
		say(answer, false, "%s", why);
}

/* The own cgroup of version 2, where it is mounted, or "". */
static void find_cgroup(struct strbuf *out)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	const char *top = access("/sys/fs/cgroup/cgroup.procs", F_OK) == 0
				  ? "/sys/fs/cgroup"
				  : "/sys/fs/cgroup/unified";
	char line[4096];

	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::", 3) == 0)
			strbuf_printf(out, "%s%s", top, line + 3);
	}
	if (file)
		fclose(file);
}

static void ask_cgroup(struct host_answer *answer)
{
	auto_strbuf struct strbuf path = STRBUF_INIT;
	auto_free char *procs = NULL;

	find_cgroup(&path);
	procs = str_format("%s/cgroup.procs", path.data ? path.data : "");
	if (!path.len || access(procs, F_OK) < 0)
		say(answer, false,
		    "there is no cgroup of version 2: no limits for ordinary users; "
		    "boot with systemd.unified_cgroup_hierarchy=1");
	else if (access(procs, W_OK) < 0)
		say(answer, false,
		    "'%s' is not ours: no limits here; systemd-run --user --scope "
		    "-p Delegate=yes gives one that is",
		    path.data);
	else
		say(answer, true, "'%s' is ours", path.data);
}

static void ask_fuse(struct host_answer *answer)
{
	auto_close int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		say(answer, true, "/dev/fuse can be opened");
	else
		say(answer, false,
		    "/dev/fuse: %s; as root: modprobe fuse; for a container: --device "
		    "/dev/fuse",
		    strerror(errno));
}

/* As the sandbox prefers them. */
static void ask_network(struct host_answer *answer)
{
	static const char *const names[] = { "pasta", "slirp4netns" };
	auto_close int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	const char *name = NULL;

	for (size_t i = 0; !name && i < sizeof(names) / sizeof(names[0]); i++)
		if (proc_is_in_path(names[i]))
			name = names[i];
	if (!name)
		say(answer, false,
		    "neither pasta nor slirp4netns is installed: no --network=private; as root: "
		    "apt-get install passt");
	else if (fd < 0)
		say(answer, false, "/dev/net/tun: %s: no --network=private; as root: %s",
		    strerror(errno), errno == EACCES ? "chmod 666 /dev/net/tun" : "modprobe tun");
	else
		say(answer, true, "--network=private by %s", name);
}

/* The order is that of the lines that people read. */
size_t host_ask_outside(struct host_answer out[HOST_ANSWERS_MAX])
{
	static const struct {
		const char *name;
		void (*ask)(struct host_answer *answer);
	} questions[] = {
		{ "user-namespaces", ask_namespaces },
		{ "proc", ask_proc },
		{ "fuse", ask_fuse },
		{ "cgroup", ask_cgroup },
		{ "network", ask_network },
	};
	const size_t count = sizeof(questions) / sizeof(questions[0]);

	for (size_t i = 0; i < count; i++) {
		out[i] = (struct host_answer){ .name = questions[i].name };
		questions[i].ask(&out[i]);
	}
	return count;
}

/* ---- from the rung that was taken ---- */

static void ask_ids(const struct userns *userns, struct host_answer *answer)
{
	switch (userns->mode) {
	case USERNS_HOST:
		say(answer, true, "root has all ids");
		return;
	case USERNS_SUBIDS:
		say(answer, true, "those of /etc/subuid and /etc/subgid");
		return;
	case USERNS_INSIDE:
		if (isolation_has_one_id())
			say(answer, false, "the user namespace that this runs in has one only");
		else
			say(answer, true, "those of the user namespace that this runs in");
		return;
	case USERNS_SINGLE:
	case USERNS_NONE:
		say(answer, false, "%s", userns->why[0] ? userns->why : "not asked for");
		return;
	}
}

static void ask_seccomp(struct host_answer *answer)
{
	const uint32_t action = SECCOMP_RET_USER_NOTIF;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0)
		say(answer, true, "commands can be supervised%s",
		    isolation_current() == ISOLATION_NAMESPACES
			    ? ""
			    : "; what is not imitated for them: imgbuild(1), --isolation");
	else
		say(answer, false, "commands cannot be supervised: %s; it takes Linux 5.0",
		    strerror(errno));
}

static void ask_landlock(struct host_answer *answer)
{
	const long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (version > 0)
		say(answer, true, "version %ld", version);
	else
		say(answer, false,
		    "%s: in a chroot, commands can reach what is outside; boot with "
		    "lsm=landlock,…",
		    strerror(errno));
}

static void ask_overlay(struct store *store, struct host_answer *answer)
{
	struct mount_ability drivers[MOUNT_DRIVER_COUNT];

	if (!store) {
		say(answer, false, "the store cannot be opened");
		return;
	}
	mount_probe(store, drivers);
	for (size_t i = 0; i < MOUNT_DRIVER_COUNT; i++)
		if (strcmp(drivers[i].driver, "overlay") == 0)
			say(answer, drivers[i].is_possible, "%s", drivers[i].reason);
}

/* On a file and on a link, which bear it in different ways. */
static int try_record(int dir_fd, struct err *err)
{
	auto_close int fd = openat(dir_fd, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || symlinkat("file", dir_fd, "link") < 0)
		return err_sys(err, "make files in the store");
	if (record_chown(fd, "", OVERLAY_RECORDED, 1, 1) < 0)
		return err_sys(err, "the file system of the store has no attributes for users");
	if (record_chown(dir_fd, "link", OVERLAY_RECORDED, 1, 1) < 0)
		return err_sys(err, "the file system of the store has no times after 2106");
	return 0;
}

static void ask_records(struct store *store, struct host_answer *answer)
{
	auto_tmpdir struct tmpdir tmp = TMPDIR_INIT;
	struct err err = ERR_INIT;

	if (!store)
		say(answer, false, "the store cannot be opened");
	else if (tmpdir_make(&tmp, store->tmp_fd, &err) < 0 || try_record(tmp.fd, &err) < 0)
		say(answer, false, "%s", err.text);
	else
		say(answer, true, "the store can record owners and devices");
}

static void ask_rung(const struct userns *userns, struct host_answer *answer)
{
	const enum isolation isolation = isolation_current();

	say(answer, isolation == ISOLATION_NAMESPACES, "%s%s%s", isolation_name(isolation),
	    userns->why[0] ? ": " : "", userns->why);
}

size_t host_ask_inside(struct store *store, const struct userns *userns,
		       struct host_answer out[HOST_ANSWERS_MAX])
{
	static const char *const names[] = { "ids",      "overlay", "seccomp",
					     "landlock", "records", "isolation" };
	const size_t count = sizeof(names) / sizeof(names[0]);

	for (size_t i = 0; i < count; i++)
		out[i] = (struct host_answer){ .name = names[i] };
	ask_ids(userns, &out[0]);
	ask_overlay(store, &out[1]);
	ask_seccomp(&out[2]);
	ask_landlock(&out[3]);
	ask_records(store, &out[4]);
	ask_rung(userns, &out[5]);
	return count;
}
