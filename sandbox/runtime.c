/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for containers that another runtime runs: what is in its bundle, and what it sees of the
 * host. Namespaces that the bundle's language cannot name well, since they are others' or have
 * clocks of their own, it is in itself, and so is what it makes.
 */
#include "sandbox/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/isolation.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "sandbox/oci-config.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

void runtime_release(struct runtime *runtime)
{
	sandbox_description_release(&runtime->description);
	fd_close(&runtime->host_fd);
}

/* It is looked for with the rights of who will run it. */
static int fail_missing(const char *program, struct err *err)
{
	err_set(err, ERR_SYSTEM, "runtime '%s' is not here", program);
	return err_detail(err, "install it, or say --runtime=PATH");
}

int runtime_check(const char *program, struct err *err)
{
	if (isolation_current() != ISOLATION_NAMESPACES)
		return err_set(err, ERR_SYSTEM,
			       "--runtime needs isolation 'namespaces', and here it is '%s'",
			       isolation_name(isolation_current()));
	if (strchr(program, '/') ? access(program, X_OK) == 0 : proc_is_in_path(program))
		return 0;
	return fail_missing(program, err);
}

/* ---- the bundle ---- */

static char *path_of(int fd, struct err *err)
{
	char link[FD_PATH_MAX];
	char *path = realpath(fd_path(fd, link), NULL);

	if (!path)
		err_sys(err, "look for the container's directory");
	return path;
}

static int make_dir(int dir_fd, const char *name, struct err *err)
{
	return mkdirat(dir_fd, name, 0700) < 0 && errno != EEXIST ? err_sys(err, "make '%s'", name)
								  : 0;
}

static int make_file(int dir_fd, const char *name, const struct strbuf *text, struct err *err)
{
	auto_close int fd =
		openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(err, "make '%s'", name);
	return fd_write_all(fd, text->data, text->len, name, err);
}

static int write_config(int bundle_fd, const struct oci_config_options *options,
			const struct sandbox_description *container, struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;

	if (oci_config_format(container, options, &text, err) < 0)
		return -1;
	return make_file(bundle_fd, "config.json", &text, err);
}

/* ---- what is mounted into it ---- */

/* A file is put on a file, a directory on a directory. Only the latter can hold a link to follow.
 */
static int make_point(int bundle_fd, const char *name, const struct sandbox_mount *mount,
		      struct err *err)
{
	const struct strbuf empty = STRBUF_INIT;
	struct stat st;

	if (mount->data) {
		auto_close int fd =
			beneath_open(mount->source_fd, mount->data, BENEATH_IN_ROOT, O_PATH, err);

		if (fd < 0 || fstat(fd, &st) < 0)
			return err_sys(err, "look for the source of '%s'", mount->target);
	} else if (fstat(mount->source_fd, &st) < 0) {
		return err_sys(err, "stat the source of '%s'", mount->target);
	}
	return S_ISDIR(st.st_mode) ? make_dir(bundle_fd, name, err)
				   : make_file(bundle_fd, name, &empty, err);
}

/* Each of the container's sources where oci_config_source says. */
static int add_sources(int bundle_fd, const char *bundle,
		       const struct sandbox_description *container, struct sandbox_description *out,
		       struct err *err)
{
	for (size_t i = 0; i < container->mount_count; i++) {
		const struct sandbox_mount *mount = &container->mounts[i];
		auto_free char *path = oci_config_source(bundle, i);

		if (mount->source_fd < 0)
			continue;
		if (make_point(bundle_fd, strrchr(path, '/') + 1, mount, err) < 0)
			return -1;
		sandbox_description_add_mount(out, mount->kind, path, mount->flags,
					      mount->source_fd, mount->data);
	}
	return 0;
}

/* ---- the sandbox ---- */

static void describe_namespaces(const struct sandbox_description *container,
				struct sandbox_description *out)
{
	const unsigned own = container->namespaces & (SANDBOX_NS_PID | SANDBOX_NS_TIME);

	out->namespaces = SANDBOX_NS_MOUNT | own;
	out->time_offset_s = container->time_offset_s;
	out->boot_offset_s = container->boot_offset_s;
	for (size_t i = 0; i < container->join_count; i++)
		sandbox_description_add_join(out, container->joins[i].ns, container->joins[i].fd);
}

static int describe_command(const struct runtime_spec *spec, const char *bundle,
			    struct sandbox_description *out, struct err *err)
{
	const char *path = getenv("PATH");

	strlist_addf(&out->env, "PATH=%s", path ? path : "/usr/sbin:/usr/bin:/sbin:/bin");
	if (strchr(spec->program, '/')) {
		auto_free char *program = realpath(spec->program, NULL);

		if (!program)
			return err_sys(err, "look for '%s'", spec->program);
		strlist_add(&out->argv, program);
	} else {
		strlist_add(&out->argv, spec->program);
	}
	strlist_add(&out->argv, "--root");
	strlist_addf(&out->argv, "%s/state", bundle);
	strlist_add(&out->argv, "run");
	strlist_add(&out->argv, "--bundle");
	strlist_add(&out->argv, bundle);
	strlist_add(&out->argv, spec->id);
	return 0;
}

/* All that we may do ourselves. */
static void describe_rights(struct sandbox_description *out)
{
	sandbox_description_bare(out);
	out->capabilities = UINT64_MAX;
	out->opens_devices = true;
	out->supervision = SANDBOX_UNSUPERVISED;
}

static int open_bundle(int dir_fd, struct err *err)
{
	int fd;

	if (make_dir(dir_fd, "bundle", err) < 0)
		return -1;
	fd = openat(dir_fd, "bundle", DIR_FLAGS);
	return fd < 0 ? err_sys(err, "open the bundle") : fd;
}

int runtime_prepare(const struct runtime_spec *spec, const struct sandbox_description *container,
		    struct runtime *out, struct err *err)
{
	struct sandbox_description *description = &out->description;
	auto_close int bundle_fd = open_bundle(spec->dir_fd, err);
	auto_free char *bundle = bundle_fd < 0 ? NULL : path_of(bundle_fd, err);
	auto_free char *root = bundle ? str_format("%s/rootfs", bundle) : NULL;
	const struct oci_config_options options = { .root_path = "rootfs",
						    .bundle = bundle,
						    .cgroups_path = spec->cgroups_path,
						    .has_filter = spec->has_filter };

	if (!bundle || make_dir(bundle_fd, "rootfs", err) < 0 ||
	    write_config(bundle_fd, &options, container, err) < 0)
		return -1;
	out->host_fd = open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (out->host_fd < 0)
		return err_sys(err, "copy the tree of mounts");
	describe_rights(description);
	describe_namespaces(container, description);
	description->root_fd = out->host_fd;
	if (container->namespaces & SANDBOX_NS_PID ||
	    sandbox_description_joins(container, SANDBOX_NS_PID))
		sandbox_description_add_mount(description, SANDBOX_MOUNT_PROC, "/proc",
					      SANDBOX_MOUNT_NOSUID | SANDBOX_MOUNT_NODEV |
						      SANDBOX_MOUNT_NOEXEC,
					      -1, NULL);
	sandbox_description_add_mount(description, SANDBOX_MOUNT_TREE, root, 0, container->root_fd,
				      NULL);
	if (add_sources(bundle_fd, bundle, container, description, err) < 0)
		return -1;
	return describe_command(spec, bundle, description, err);
}

int runtime_start(const struct runtime_spec *spec, const struct runtime *runtime,
		  const int stdio[3], struct sandbox *out, struct err *err)
{
	int exec_errno = 0;

	if (sandbox_start(&runtime->description, stdio, out, &exec_errno, err) == 0)
		return 0;
	if (exec_errno == ENOENT)
		return fail_missing(spec->program, err);
	if (exec_errno)
		err->kind = ERR_SYSTEM; /* no step has failed */
	return err_prefix(err, "runtime '%s'", spec->program);
}

/* ---- one that stays ---- */

int runtime_leave_bundle(const char *path, const struct sandbox_description *container,
			 bool has_filter, struct err *err)
{
	const struct oci_config_options options = { .root_path = "rootfs",
						    .has_filter = has_filter };
	auto_close int bundle_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (bundle_fd < 0)
		return err_sys(err, "open '%s'", path);
	if (make_dir(bundle_fd, "rootfs", err) < 0 ||
	    write_config(bundle_fd, &options, container, err) < 0)
		return err_prefix(err, "bundle '%s'", path);
	if (move_mount(container->root_fd, "", bundle_fd, "rootfs", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(err, "attach the root at '%s/rootfs'", path);
	return 0;
}
