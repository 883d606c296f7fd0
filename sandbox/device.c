/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for --device, and for the devices of a container that has all privileges. */
#include "sandbox/device.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "sandbox/cgroup.h"

#define DEV       "/dev/"
#define DEPTH_MAX 4

void device_grants_release(struct device_grants *grants)
{
	for (size_t i = 0; i < grants->fd_count; i++)
		fd_close(&grants->fds[i]);
	free(grants->fds);
	strlist_release(&grants->texts);
	*grants = (struct device_grants){ .fds = NULL };
}

struct grant {
	char *host;
	char *container;
	char *access;
};
#define auto_grant __attribute__((cleanup(grant_release)))

static void grant_release(struct grant *grant)
{
	free(grant->host);
	free(grant->container);
	free(grant->access);
}

static bool is_access(const char *text)
{
	return *text && text[strspn(text, "rwm")] == '\0';
}

static int parse(const char *text, struct grant *out, struct err *err)
{
	auto_free char *copy = str_dup(text);
	char *rest = copy;
	const char *host = strsep(&rest, ":");
	const char *second = rest ? strsep(&rest, ":") : NULL;
	const char *third = rest;

	if (second && !third && is_access(second)) {
		third = second;
		second = NULL;
	}
	if (strchr(text, '=') && host[0] != '/')
		return err_set(err, ERR_USAGE,
			       "--device '%s': names of CDI are not supported, name its files",
			       text);
	if (host[0] != '/' || (second && second[0] != '/') || (third && !is_access(third)))
		return err_set(err, ERR_USAGE, "--device '%s' is not HOST[:CONTAINER][:rwm]", text);
	out->host = str_dup(host);
	out->container = str_dup(second ? second : host);
	out->access = str_dup(third ? third : "rwm");
	return 0;
}

int device_grants_check(const struct strlist *texts, struct err *err)
{
	for (size_t i = 0; i < texts->count; i++) {
		auto_grant struct grant grant = { .host = NULL };

		if (parse(texts->items[i], &grant, err) < 0)
			return -1;
	}
	return 0;
}

void device_grants_inside(const struct strlist *texts, struct strlist *out)
{
	for (size_t i = 0; i < texts->count; i++) {
		auto_grant struct grant grant = { .host = NULL };
		struct err ignored = ERR_INIT; /* they were checked */

		if (parse(texts->items[i], &grant, &ignored) == 0)
			strlist_addf(out, "%s:%s", grant.container, grant.access);
	}
}

/* ---- nodes of its own ---- */

static void add_node(const char *name, const struct stat *st, struct sandbox_description *out)
{
	sandbox_description_add_device(out,
				       &(struct sandbox_device){ .name = (char *)name,
								 .mode = st->st_mode,
								 .uid = st->st_uid,
								 .gid = st->st_gid,
								 .major = major(st->st_rdev),
								 .minor = minor(st->st_rdev) });
}

static void add_rule(const struct grant *grant, const struct stat *st,
		     struct sandbox_description *out)
{
	struct resource_device rule = {
		.type = S_ISBLK(st->st_mode) ? 'b' : 'c',
		.major = major(st->st_rdev),
		.minor = minor(st->st_rdev),
		.reads = strchr(grant->access, 'r'),
		.writes = strchr(grant->access, 'w'),
		.makes = strchr(grant->access, 'm'),
	};

	resources_add_device(&out->resources, &rule);
}

/* ---- the host's, shown ---- */

static int show(struct device_grants *grants, const struct grant *grant,
		struct sandbox_description *out, struct err *err)
{
	int fd = open(grant->host, O_PATH | O_CLOEXEC);
	unsigned flags = SANDBOX_MOUNT_NOSUID | SANDBOX_MOUNT_NOEXEC | SANDBOX_MOUNT_MAKE_TARGET |
			 SANDBOX_MOUNT_RECURSIVE;

	if (fd < 0)
		return err_sys(err, "open '%s'", grant->host);
	grants->fds = mem_resize(grants->fds, grants->fd_count + 1, sizeof(grants->fds[0]));
	grants->fds[grants->fd_count++] = fd;
	sandbox_description_add_mount(out, SANDBOX_MOUNT_BIND, grant->container, flags, fd, NULL);
	return 0;
}

/* ---- many ---- */

/* What every container has, or its own instance of. */
static bool is_the_containers(const char *name)
{
	static const char *const names[] = { "null", "zero",    "full", "random", "urandom", "tty",
					     "ptmx", "console", "pts",  "shm",    "mqueue",  "fd" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* Devices in a directory and below; @grant: its rules for them, NULL for none. */
static void add_all(int dir_fd, const char *prefix, int depth, const struct grant *grant,
		    struct sandbox_description *out)
{
	DIR *dir = fdopendir(dir_fd);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		auto_free char *name = str_format("%s%s", prefix, entry->d_name);
		auto_free char *below = str_format("%s/", name);
		struct stat st;
		int fd;

		if (entry->d_name[0] == '.' || is_the_containers(name) ||
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
			add_node(name, &st, out);
			if (grant)
				add_rule(grant, &st, out);
		}
		if (!S_ISDIR(st.st_mode) || depth >= DEPTH_MAX)
			continue;
		fd = openat(dirfd(dir), entry->d_name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			add_all(fd, below, depth + 1, grant, out);
	}
	if (dir)
		closedir(dir);
	else
		close(dir_fd);
}

static int add_directory(const struct grant *grant, struct sandbox_description *out,
			 struct err *err)
{
	auto_free char *prefix = str_format("%s/", grant->container + strlen(DEV));
	const size_t before = out->device_count;
	int fd = open(grant->host, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "--device: open '%s'", grant->host);
	add_all(fd, prefix, 0, grant, out);
	if (out->device_count > before)
		return 0;
	return err_set(err, ERR_USAGE, "--device: there is no device in '%s'", grant->host);
}

static int apply_one(struct device_grants *grants, const char *text, bool is_all,
		     struct sandbox_description *out, struct err *err)
{
	auto_grant struct grant grant = { .host = NULL };
	struct stat st;

	if (parse(text, &grant, err) < 0)
		return -1;
	if (stat(grant.host, &st) < 0)
		return err_sys(err, "--device: stat '%s'", grant.host);
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode) && !S_ISDIR(st.st_mode))
		return err_set(err, ERR_USAGE, "--device: '%s' is no device", grant.host);
	if (is_all && !out->nested && strcmp(grant.host, grant.container) == 0 &&
	    strncmp(grant.host, DEV, strlen(DEV)) == 0)
		return 0; /* it is there */
	if (out->nested || strncmp(grant.container, DEV, strlen(DEV)) != 0)
		return show(grants, &grant, out, err);
	if (S_ISDIR(st.st_mode))
		return add_directory(&grant, out, err);
	add_node(grant.container + strlen(DEV), &st, out);
	add_rule(&grant, &st, out);
	return 0;
}

int device_grants_apply(struct device_grants *grants, bool is_all, struct sandbox_description *out,
			struct err *err)
{
	/* an ordinary user has none that he could show beyond the usual ones */
	if (is_all && !out->nested) {
		int fd = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0)
			return err_sys(err, "open '/dev'");
		add_all(fd, "", 0, NULL, out);
	}
	if (grants->texts.count > 0 && !is_all && !out->nested)
		resources_confine_devices(&out->resources);
	if (grants->texts.count > 0 && sandbox_is_chroot(out))
		return err_set(err, ERR_SYSTEM,
			       "--device '%s': a chroot gets no device of the host, for nothing "
			       "can be mounted in it",
			       grants->texts.items[0]);
	for (size_t i = 0; i < grants->texts.count; i++)
		if (apply_one(grants, grants->texts.items[i], is_all, out, err) < 0)
			return -1;
	return 0;
}

void device_open_granted(struct sandbox_description *out)
{
	if (out->nested || out->opens_devices || sandbox_is_chroot(out) ||
	    !cgroup_confines_devices())
		return;
	resources_confine_devices(&out->resources);
	out->opens_devices = true;
}
