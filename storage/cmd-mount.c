/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imgstore mount, umount and unshare: an image's files as a directory. An
 * ordinary user's mounts live in the user namespace that unshare enters, and end
 * with it.
 */
#include <errno.h>
#include <fcntl.h>
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
static char *own_target(struct store *store, const struct image *image, struct err *err)
{
	auto_free char *dir = str_format("%s/" MOUNTS_DIR, store_root_path(store));
	auto_free char *target = NULL;
	char hex[DIGEST_HEX_MAX];

	target = str_format("%s/%s", dir, digest_hex(&image->id, hex));
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

static int open_owners(const struct strlist *values, struct mount_owners *out, struct err *err)
{
	auto_free struct idmaps *maps = mem_alloc(sizeof(*maps));

	if (load_maps(values, maps, err) < 0)
		return -1;
	if (!idmap_find(&maps->uids, 0, &out->root_uid) ||
	    !idmap_find(&maps->gids, 0, &out->root_gid))
		return err_set(err, ERR_USAGE, "--idmap: the id 0 of the image is not mapped");
	out->userns_fd = idmap_open(&maps->uids, &maps->gids, err);
	return out->userns_fd < 0 ? -1 : 0;
}

static int open_view(struct store *store, const struct image *image, const struct strlist *idmap,
		     struct view *out, struct err *err)
{
	struct mount_owners owners = { .userns_fd = -1 };
	int result;

	if (idmap->count > 0 && open_owners(idmap, &owners, err) < 0)
		return -1;
	result = view_open(store, image, idmap->count > 0 ? &owners : NULL, out, err);
	fd_close(&owners.userns_fd);
	return result;
}

/* @target may be NULL (find_target); *out_target: where it is. */
static int mount_at(struct store *store, const struct image *image, const struct strlist *idmap,
		    const char *target, char **out_target, struct err *err)
{
	auto_view struct view view = VIEW_INIT;

	if (open_view(store, image, idmap, &view, err) < 0)
		return -1;
	if (view.mount_fd >= 0 && mount_attach(view.mount_fd, target, true, err) < 0)
		return -1;
	*out_target = view.path ? str_dup(view.path) : str_dup(target);
	if (attach_record(store, *out_target, &image->id, err) == 0)
		return 0;
	/* what is not known cannot be protected from removal */
	if (view.mount_fd >= 0)
		(void)umount2(target, MNT_DETACH);
	return -1;
}

struct mount_values {
	const char *root;
	const char *platform;
	struct strlist idmap;
};

/* NULL where nothing can be mounted: the files will be in a directory of the store. */
static int find_target(struct store *store, const struct image *image, const char *dir, char **out,
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
	*out = dir ? given_target(dir, err) : own_target(store, image, err);
	return *out ? 0 : -1;
}

static int do_mount(const struct mount_values *values, const struct strlist *args, struct err *err)
{
	const char *dir = args->count > 1 ? args->items[1] : NULL;
	auto_store struct store *store = NULL;
	auto_image struct image image = IMAGE_INIT;
	auto_free char *target = NULL;
	auto_free char *shown = NULL;
	struct userns userns;
	bool is_known = false;

	if (values->idmap.count > 0 && !dir)
		return err_set(err, ERR_USAGE,
			       "--idmap needs a directory: the store is closed to others");
	if (command_open(values->root, &userns, &store, err) < 0 || check_mode(&userns, err) < 0 ||
	    image_get_for(store, args->items[0], values->platform, &image, err) < 0)
		return -1;
	if (find_target(store, &image, dir, &target, err) < 0 || attach_sweep(store, err) < 0 ||
	    (target && attach_is_known(store, target, &is_known, err) < 0))
		return -1;
	if (is_known && dir)
		return err_set(err, ERR_INPUT, "there is an image mounted at '%s' already", dir);
	if (!is_known && mount_at(store, &image, &values->idmap, target, &shown, err) < 0)
		return -1;
	printf("%s\n", shown ? shown : target);
	return 0;
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
					 .synopsis = "[OPTIONS] IMAGE [DIR]",
					 .summary = "Show an image's files, read-only, at DIR or "
						    "at a directory of the store.\nThe path is "
						    "printed.",
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

/* A directory where something of ours is mounted, else an image's name. */
static int find_paths(struct store *store, const char *text, struct strlist *out, struct err *err)
{
	auto_free char *path = realpath(text, NULL);
	auto_image_match struct image_match match = IMAGE_MATCH_INIT;
	struct err no_image = ERR_INIT;
	bool found = false;

	if (path && attach_is_known(store, path, &found, err) < 0)
		return -1;
	if (found) {
		strlist_add(out, path);
		return 0;
	}
	/* a path is no name of an image */
	if (image_resolve(store, text, &found, &match, &no_image) < 0 &&
	    no_image.kind != ERR_INPUT && no_image.kind != ERR_USAGE) {
		*err = no_image;
		return -1;
	}
	if (found && attach_paths(store, &match.id, out, err) < 0)
		return -1;
	if (out->count == 0)
		return err_set(err, ERR_INPUT, "no image is mounted at or called '%s'", text);
	return 0;
}

static int do_umount(const char *root, const char *text, struct err *err)
{
	auto_store struct store *store = NULL;
	auto_strlist struct strlist paths = STRLIST_INIT;
	struct userns userns;

	if (command_open(root, &userns, &store, err) < 0 || check_mode(&userns, err) < 0 ||
	    find_paths(store, text, &paths, err) < 0)
		return -1;
	for (size_t i = 0; i < paths.count; i++)
		if (umount_path(store, paths.items[i], err) < 0)
			return -1;
	return view_sweep(store, err);
}

int cmd_umount(int argc, char **argv)
{
	const char *root = NULL;
	const struct cmdline_option options[] = { OPTION_ROOT(&root), OPTION_END };
	const struct cmdline cmdline = { .program = "imgstore umount",
					 .synopsis = "[OPTIONS] DIR|IMAGE",
					 .summary = "Unmount what imgstore mount has mounted: at "
						    "DIR, or all of an image.",
					 .options = options,
					 .min_args = 1,
					 .max_args = 1 };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (command_begin(&cmdline, argc, argv, &args, &err))
		do_umount(root, args.items[0], &err);
	return command_end(&err);
}

/* ---- unshare --------------------------------------------------------------- */

static int unshare_exec(const char *root, char **command, struct err *err)
{
	struct userns userns;

	if (root && setenv("IMGBUILD_ROOT", root, 1) < 0)
		return err_sys(err, "set IMGBUILD_ROOT");
	if (userns_enter(&userns, err) < 0)
		return -1;
	execvp(command[0], command);
	return err_sys(err, "execute '%s'", command[0]);
}

int cmd_unshare(int argc, char **argv)
{
	const char *root = NULL;
	const struct cmdline_option options[] = { OPTION_ROOT(&root), OPTION_END };
	const struct cmdline cmdline = { .program = "imgstore unshare",
					 .synopsis = "[OPTIONS] COMMAND [ARG...]",
					 .summary = "Run a command in the user namespace in which "
						    "the store is used; as root, just run it.\n"
						    "There an ordinary user can mount images "
						    "and look at their files as their owner.",
					 .options = options,
					 .min_args = 1,
					 .max_args = SIZE_MAX,
					 .stop_at_positional = true };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (command_begin(&cmdline, argc, argv, &args, &err))
		unshare_exec(root, args.items, &err);
	return command_end(&err);
}
