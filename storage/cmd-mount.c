/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imgstore mount and umount: the files of an image or container as a directory. An ordinary
 * user's mounts live in the user namespace that imgstore unshare enters, and end with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/idmap.h"
#include "common/isolation.h"
#include "common/mem.h"
#include "storage/attach-internal.h"
#include "storage/cmd-internal.h"
#include "storage/container-state.h"
#include "storage/container.h"
#include "storage/image-internal.h"
#include "storage/mount.h"
#include "storage/view-internal.h"

#define MOUNTS_DIR "mounts"

static int check_mode(const struct userns *userns, struct err *err)
{
	switch (userns->mode) {
	case USERNS_HOST:
	case USERNS_INSIDE:
		return 0;
	case USERNS_NONE: /* then an image is a directory */
		return 0;
	case USERNS_SUBIDS:
	case USERNS_SINGLE:
		break;
	}
	err_set(err, ERR_USAGE, "an ordinary user's mount would end with this command");
	return err_detail(err, "run it in a namespace that stays: imgstore unshare sh, and there "
			       "imgstore mount");
}

/* ROOT/mounts/ID, made. */
static char *own_target(struct store *store, const char *id, struct err *err)
{
	auto_free char *dir = str_format("%s/" MOUNTS_DIR, store_root_path(store));
	auto_free char *target = str_format("%s/%s", dir, id);

	if ((mkdir(dir, 0700) < 0 && errno != EEXIST) ||
	    (mkdir(target, 0700) < 0 && errno != EEXIST)) {
		err_sys(err, "make '%s'", target);
		return NULL;
	}
	return ptr_steal(&target);
}

static char *given_target(const char *path, struct err *err)
{
	auto_free char *target = realpath(path, NULL);
	struct stat st;

	if (!target || stat(target, &st) < 0) {
		err_sys(err, "mount at '%s'", path);
		return NULL;
	}
	if (!S_ISDIR(st.st_mode)) {
		err_set(err, ERR_INPUT, "mount at '%s': it is not a directory", path);
		return NULL;
	}
	return ptr_steal(&target);
}

/* An image; a container when no image is called so; neither when nothing is. */
static int find_named(struct store *store, const char *text, struct image_match *match,
		      bool *out_image, bool *out_container, struct err *err)
{
	auto_container struct container container = CONTAINER_INIT;
	struct err no_image = ERR_INIT;
	struct err no_container = ERR_INIT;

	/* a container's name, or a path, may be none for an image */
	if (image_resolve(store, text, out_image, match, &no_image) < 0 &&
	    no_image.kind != ERR_INPUT && no_image.kind != ERR_USAGE) {
		*err = no_image;
		return -1;
	}
	if (*out_image)
		return 0;
	*out_container = container_look(store, text, &container, NULL, &no_container) == 0;
	if (*out_container || no_container.kind == ERR_INPUT)
		return 0;
	*err = no_container;
	return -1;
}

struct idmaps {
	struct idmap uids;
	struct idmap gids;
};

/* Of --idmap: a user, or ranges for users and groups alike. */
static int load_maps(const struct strlist *values, struct idmaps *out, struct err *err)
{
	if (values->count == 1 && !strchr(values->items[0], ':'))
		return idmap_of_user(values->items[0], &out->uids, &out->gids, err);
	for (size_t i = 0; i < values->count; i++)
		if (idmap_parse(values->items[i], &out->uids, err) < 0)
			return err_prefix(err, "--idmap");
	out->gids = out->uids;
	return 0;
}

static int open_owners(const struct strlist *values, struct idmaps *maps, struct mount_owners *out,
		       struct err *err)
{
	if (load_maps(values, maps, err) < 0)
		return -1;
	out->uids = &maps->uids;
	out->gids = &maps->gids;
	if (!idmap_find(&maps->uids, 0, &out->root_uid) ||
	    !idmap_find(&maps->gids, 0, &out->root_gid))
		return err_set(err, ERR_USAGE, "--idmap: the id 0 of the image is not mapped");
	out->userns_fd = idmap_open(&maps->uids, &maps->gids, err);
	return out->userns_fd < 0 ? -1 : 0;
}

static int open_mapped(struct store *store, const struct image *image, const struct strlist *idmap,
		       struct view *out, struct err *err)
{
	auto_free struct idmaps *maps = mem_alloc(sizeof(*maps));
	struct mount_owners owners = { .userns_fd = -1 };
	int result = open_owners(idmap, maps, &owners, err);

	if (result == 0)
		result = mount_choose_for_owners(store, err);
	if (result == 0)
		result = view_open(store, image, &owners, out, err);
	fd_close(&owners.userns_fd);
	return result;
}

/* @target may be NULL (find_target); *out_target: where it is. */
static int mount_at(struct store *store, const struct image *image, const struct strlist *idmap,
		    const char *target, char **out_target, struct err *err)
{
	auto_view struct view view = VIEW_INIT;

	if ((idmap->count > 0 ? open_mapped(store, image, idmap, &view, err)
			      : view_open(store, image, NULL, &view, err)) < 0)
		return -1;
	*out_target = view.path ? str_dup(view.path) : str_dup(target);
	return attach_mount(store,
			    &(struct attachment){ .mount_fd = view.mount_fd,
						  .path = *out_target,
						  .is_read_only = true,
						  .image = &image->id },
			    err);
}

struct mount_values {
	const char *root;
	const char *platform;
	struct strlist idmap;
};

/* NULL where nothing can be mounted: the files will be in a directory of the store. */
static int find_target(struct store *store, const char *id, const char *dir, char **out,
		       struct err *err)
{
	const bool is_chroot = isolation_current() == ISOLATION_CHROOT;

	if (dir && is_chroot) {
		err_set(err, ERR_INPUT, "mount at '%s': this host allows no mount", dir);
		return err_detail(err, "without DIR the files are put into a directory of the "
				       "store, and its path is printed");
	}
	if (is_chroot)
		return 0;
	*out = dir ? given_target(dir, err) : own_target(store, id, err);
	return *out ? 0 : -1;
}

static int mount_image(struct store *store, const struct mount_values *values, const char *text,
		       const char *dir, struct err *err)
{
	auto_image struct image image = IMAGE_INIT;
	auto_free char *target = NULL;
	auto_free char *shown = NULL;
	char hex[DIGEST_HEX_MAX];
	bool is_known = false;

	if (image_get_for(store, text, values->platform, &image, err) < 0 ||
	    find_target(store, digest_hex(&image.id, hex), dir, &target, err) < 0 ||
	    attach_sweep(store, err) < 0 ||
	    (target && attach_is_known(store, target, &is_known, err) < 0))
		return -1;
	if (is_known && dir)
		return err_set(err, ERR_INPUT, "there is an image mounted at '%s' already", dir);
	if (!is_known && mount_at(store, &image, &values->idmap, target, &shown, err) < 0)
		return -1;
	printf("%s\n", shown ? shown : target);
	return 0;
}

/* One that runs has its files mounted, in a namespace that the kernel shows below /proc. */
static int show_running(const struct container *container, const struct userns *userns,
			const char *dir, struct err *err)
{
	auto_container_state struct container_state state = { .pid = 0 };
	auto_free char *path = NULL;

	if (dir)
		return err_set(err, ERR_INPUT,
			       "container '%s' is running: its files are where they are, which "
			       "imgstore mount without a directory says",
			       container->name);
	if (container_state_load(container->dir_fd, &state, err) < 0)
		return -1;
	if (state.pid <= 0)
		return err_set(err, ERR_INPUT, "container '%s' has not begun yet", container->name);
	path = str_format("/proc/%" PRId64 "/root", state.pid);
	/* whose own user namespace is not above the container's asks from outside */
	if ((userns->mode == USERNS_HOST || userns->mode == USERNS_INSIDE) &&
	    access(path, F_OK) < 0) {
		err_sys(err, "show the files of container '%s', which is running", container->name);
		return err_detail(err, userns->mode == USERNS_INSIDE
					       ? "outside of imgstore unshare they can be seen; "
						 "imgstore exec enters the container"
					       : "imgstore exec enters the container");
	}
	printf("%s\n", path);
	return 0;
}

static int mount_container(struct store *store, const struct userns *userns, const char *text,
			   const char *dir, struct err *err)
{
	auto_container struct container container = CONTAINER_INIT;
	auto_free char *target = NULL;
	auto_free char *path = NULL;
	bool is_running = false;

	if (container_look(store, text, &container, &is_running, err) < 0)
		return -1;
	if (is_running)
		return show_running(&container, userns, dir, err);
	if (check_mode(userns, err) < 0 ||
	    find_target(store, container.id, dir, &target, err) < 0 ||
	    container_attach(store, container.id, target, &path, err) < 0)
		return -1;
	printf("%s\n", path);
	return 0;
}

/* An image; a container when no image is called so. */
static int do_mount(const struct mount_values *values, const struct strlist *args, struct err *err)
{
	const char *text = args->items[0];
	const char *dir = args->count > 1 ? args->items[1] : NULL;
	auto_image_match struct image_match match = IMAGE_MATCH_INIT;
	auto_store struct store *store = NULL;
	struct userns userns;
	bool is_image = false;
	bool is_container = false;

	if (values->idmap.count > 0 && !dir)
		return err_set(err, ERR_USAGE,
			       "--idmap needs a directory: the store is closed to others");
	if (command_open(values->root, &userns, &store, err) < 0 ||
	    find_named(store, text, &match, &is_image, &is_container, err) < 0)
		return -1;
	if (!is_image && !is_container)
		return err_set(err, ERR_INPUT, "there is no image and no container '%s'", text);
	if (is_image && check_mode(&userns, err) < 0)
		return -1;
	if (is_image)
		return mount_image(store, values, text, dir, err);
	if (values->idmap.count > 0 || values->platform)
		return err_set(err, ERR_USAGE, "%s is for images, and '%s' is a container",
			       values->platform ? "--platform" : "--idmap", text);
	return mount_container(store, &userns, text, dir, err);
}

int cmd_mount(int argc, char **argv)
{
	struct mount_values values = { .idmap = STRLIST_INIT };
	const struct cmdline_option options[] = {
		{ 0, "idmap", OPTION_LIST, &values.idmap, "USER|INSIDE:OUTSIDE[:COUNT]",
		  "show the files' owners as ids of a user namespace: USER's, or these", NULL },
		OPTION_PLATFORM(&values.platform),
		OPTION_ROOT(&values.root),
		OPTION_END
	};
	const struct cmdline cmdline = { .program = "imgstore mount",
					 .synopsis = "[OPTIONS] IMAGE|CONTAINER [DIR]",
					 .summary = "Show an image's files, read-only, or those of "
						    "a stopped container, to be\nwritten to, at "
						    "DIR or at a directory of the store. The path "
						    "is printed;\nof a container that runs, the "
						    "one at which its files can be seen.",
					 .options = options,
					 .min_args = 1,
					 .max_args = 2 };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (command_begin(&cmdline, argc, argv, &args, &err))
		do_mount(&values, &args, &err);
	strlist_release(&values.idmap);
	return command_end(&err);
}

/* ---- umount ---------------------------------------------------------------- */

static int umount_path(struct store *store, const char *path, struct err *err)
{
	auto_free char *own = str_format("%s/" MOUNTS_DIR "/", store_root_path(store));

	/* EINVAL: somebody has unmounted it already */
	if (!view_is_at(store, path) && umount2(path, UMOUNT_NOFOLLOW) < 0 && errno != EINVAL &&
	    errno != ENOENT)
		return err_sys(err, "unmount '%s'", path);
	if (strncmp(path, own, strlen(own)) == 0 && rmdir(path) < 0 && errno != ENOENT)
		return err_sys(err, "remove '%s'", path);
	return attach_forget(store, path, err);
}

static int say_not_mounted(const char *text, const char *elsewhere, struct err *err)
{
	if (elsewhere)
		return err_set(err, ERR_INPUT,
			       "container '%s' is mounted at '%s' of another mount namespace", text,
			       elsewhere);
	return err_set(err, ERR_INPUT, "container '%s' is not mounted", text);
}

static int umount_container(struct store *store, const struct userns *userns, const char *text,
			    struct err *err)
{
	auto_container struct container container = CONTAINER_INIT;
	auto_free char *path = NULL;
	bool is_running = false;
	size_t count = 0;

	if (container_look(store, text, &container, &is_running, err) < 0 ||
	    attach_sweep(store, err) < 0 ||
	    attach_of_container(store, container.id, &path, err) < 0)
		return -1;
	/* what imgstore mount said of one that runs is no mount of ours */
	if (!path && is_running)
		return 0;
	if (check_mode(userns, err) < 0)
		return -1;
	if (path && container_detach(store, container.id, &count, err) < 0)
		return -1;
	return count > 0 ? 0 : say_not_mounted(text, path, err);
}

static int umount_image(struct store *store, const struct image_match *match, const char *text,
			struct err *err)
{
	auto_strlist struct strlist paths = STRLIST_INIT;

	if (attach_paths(store, &match->id, &paths, err) < 0)
		return -1;
	if (paths.count == 0)
		return err_set(err, ERR_INPUT, "image '%s' is not mounted", text);
	for (size_t i = 0; i < paths.count; i++)
		if (umount_path(store, paths.items[i], err) < 0)
			return -1;
	return view_sweep(store, err);
}

/* 1: something of ours was mounted there; 0: not. */
static int umount_at(struct store *store, const struct userns *userns, const char *text,
		     struct err *err)
{
	auto_free char *path = realpath(text, NULL);
	auto_free char *container = NULL;
	bool found = false;

	if (!path)
		return 0;
	if (attach_is_known(store, path, &found, err) < 0 ||
	    attach_container_at(store, path, &container, err) < 0)
		return -1;
	if (!found)
		return 0;
	if (container)
		return umount_container(store, userns, container, err) < 0 ? -1 : 1;
	if (umount_path(store, path, err) < 0)
		return -1;
	return view_sweep(store, err) < 0 ? -1 : 1;
}

/* A directory where something of ours is mounted, else a name as for mount. */
static int do_umount(const char *root, const char *text, struct err *err)
{
	auto_image_match struct image_match match = IMAGE_MATCH_INIT;
	auto_store struct store *store = NULL;
	struct userns userns;
	bool is_image = false;
	bool is_container = false;
	int done;

	if (command_open(root, &userns, &store, err) < 0)
		return -1;
	done = umount_at(store, &userns, text, err);
	if (done != 0)
		return done < 0 ? -1 : 0;
	if (find_named(store, text, &match, &is_image, &is_container, err) < 0)
		return -1;
	if (is_container)
		return umount_container(store, &userns, text, err);
	if (check_mode(&userns, err) < 0)
		return -1;
	if (is_image)
		return umount_image(store, &match, text, err);
	return err_set(err, ERR_INPUT, "no image or container is mounted at or called '%s'", text);
}

int cmd_umount(int argc, char **argv)
{
	const char *root = NULL;
	const struct cmdline_option options[] = { OPTION_ROOT(&root), OPTION_END };
	const struct cmdline cmdline = { .program = "imgstore umount",
					 .synopsis = "[OPTIONS] DIR|IMAGE|CONTAINER",
					 .summary = "Unmount what imgstore mount has mounted: at "
						    "DIR, or all of an image or container.",
					 .options = options,
					 .min_args = 1,
					 .max_args = 1 };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (command_begin(&cmdline, argc, argv, &args, &err))
		do_umount(root, args.items[0], &err);
	return command_end(&err);
}
