/* SPDX-License-Identifier: Apache-2.0 */
/* imgstore tag and imgstore rm: names given, names and images taken away. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "common/mem.h"
#include "layers/ref.h"
#include "storage/cmd-internal.h"
#include "storage/container-state.h"
#include "storage/container.h"
#include "storage/image-internal.h"

/* ---- tag ------------------------------------------------------------------- */

static int tag(const char *root, const char *from, const char *to, struct err *err)
{
	auto_image_match struct image_match match = IMAGE_MATCH_INIT;
	auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
	auto_store struct store *store = NULL;

	if (image_ref_parse(to, &ref, err) < 0)
		return -1;
	if (ref.has_digest)
		return err_set(err, ERR_USAGE, "a digest cannot be given as a name: '%s'", to);
	if (command_open(root, NULL, &store, err) < 0 ||
	    image_must_resolve(store, from, &match, err) < 0 ||
	    image_take_over(store, &match, err) < 0)
		return -1;
	return image_tag(store, &match.id, to, err);
}

int cmd_tag(int argc, char **argv)
{
	const char *root = NULL;
	const struct cmdline_option options[] = { OPTION_ROOT(&root), OPTION_END };
	const struct cmdline cmdline = { .program = "imgstore tag",
					 .synopsis = "[OPTIONS] IMAGE NAME[:TAG]",
					 .summary = "Give an image another name. A name that "
						    "another image has is moved.",
					 .options = options,
					 .min_args = 2,
					 .max_args = 2 };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (command_begin(&cmdline, argc, argv, &args, &err))
		tag(root, args.items[0], args.items[1], &err);
	return command_end(&err);
}

/* ---- rm -------------------------------------------------------------------- */

static int remove_image(struct store *store, const char *text, const struct digest *id, bool force,
			struct err *err)
{
	auto_image_removal struct image_removal removal = IMAGE_REMOVAL_INIT;
	char name[DIGEST_NAME_MAX];

	if (image_remove(store, text, force, &removal, err) < 0)
		return -1;
	for (size_t i = 0; i < removal.untagged.count; i++)
		printf("Untagged: %s\n", removal.untagged.items[i]);
	if (removal.image_removed)
		printf("Deleted: %s\n", digest_name(id, name));
	return 0;
}

/* Who else uses it keeps it. */
static int unmount_bundle(const struct container_state *state, struct err *err)
{
	auto_free char *root = str_format("%s/rootfs", state->bundle);

	if (umount2(root, UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
		return err_sys(err, "unmount '%s' of the bundle", root);
	return 0;
}

/* With @force one that runs is killed first; it may have removed itself then. */
static int remove_container(struct store *store, const char *text, bool force, struct err *err)
{
	auto_container struct container container = CONTAINER_INIT;
	auto_container_state struct container_state state = { .pid = 0 };
	bool is_running = false;
	size_t mounts = 0;

	if (container_look(store, text, &container, &is_running, err) < 0)
		return -1;
	if (is_running && !force) {
		err_set(err, ERR_INPUT, "container '%s' is running", text);
		return err_detail(err, "imgstore stop ends it, imgstore rm --force kills it");
	}
	if (container_state_load(container.dir_fd, &state, err) < 0)
		return -1;
	if (state.bundle && unmount_bundle(&state, err) < 0)
		return -1;
	if (is_running && command_kill(store, &container, err) < 0)
		return -1;
	if (force && !is_running && container_detach(store, container.id, &mounts, err) < 0)
		return -1;
	return is_running && state.removes_itself ? 0 : container_remove_named(store, text, err);
}

/* An image; a container when no image is called so. */
static int remove_one(struct store *store, const char *text, bool force, struct err *err)
{
	auto_image_match struct image_match match = IMAGE_MATCH_INIT;
	struct err no_image = ERR_INIT;
	bool found = false;

	/* a container's name may be none for an image ("Web") */
	if (image_resolve(store, text, &found, &match, &no_image) < 0 &&
	    no_image.kind != ERR_INPUT && no_image.kind != ERR_USAGE) {
		*err = no_image;
		return -1;
	}
	if (found)
		return remove_image(store, text, &match.id, force, err);
	if (remove_container(store, text, force, err) == 0) {
		printf("Removed: %s\n", text);
		return 0;
	}
	if (strstr(err->text, "there is no container"))
		err_set(err, ERR_INPUT, "there is no image and no container '%s'", text);
	return -1;
}

static void remove_all(const char *root, const struct strlist *names, bool force, struct err *err)
{
	auto_store struct store *store = NULL;

	if (command_open(root, NULL, &store, err) < 0)
		return;
	/* one that cannot be removed does not keep the others; the last error is told at the end */
	for (size_t i = 0; i < names->count; i++) {
		struct err one = ERR_INIT;

		if (remove_one(store, names->items[i], force, &one) == 0)
			continue;
		if (err->kind != ERR_NONE)
			err_print(err, "imgstore");
		*err = one;
	}
}

int cmd_rm(int argc, char **argv)
{
	const char *root = NULL;
	bool force = false;
	const struct cmdline_option options[] = { { 'f', "force", OPTION_FLAG, &force, NULL,
						    "take all names of an image, those of one that "
						    "is used, too; kill a container that runs, "
						    "unmount one that is mounted",
						    NULL },
						  OPTION_ROOT(&root),
						  OPTION_END };
	const struct cmdline cmdline = { .program = "imgstore rm",
					 .synopsis = "[OPTIONS] NAME...",
					 .summary = "Remove images, or stopped containers. An "
						    "image with further names loses the one "
						    "given.",
					 .options = options,
					 .min_args = 1,
					 .max_args = SIZE_MAX };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (command_begin(&cmdline, argc, argv, &args, &err))
		remove_all(root, &args, force, &err);
	return command_end(&err);
}
