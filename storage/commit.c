/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for a container becoming an image: its upper is packed as a step's is, and a
 * line of history says what it ran.
 */
#include "storage/commit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "layers/merge.h"
#include "layers/pack.h"
#include "storage/container-state.h"
#include "storage/image.h"
#include "storage/layer.h"
#include "storage/mount.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/*
 * The draft's fs is what is packed, settled and published. A directory is moved there whole:
 * the container's rename and ours are on one file system.
 */
static int move_files(struct container *container, struct layer_draft *draft, struct err *err)
{
	fd_close(&draft->fs_fd);
	if (unlinkat(draft->tmp.fd, "fs", AT_REMOVEDIR) < 0 ||
	    renameat(container->dir_fd, "fs", draft->tmp.fd, "fs") < 0)
		return err_sys(err, "take the container's files");
	fd_close(&container->fs_fd);
	draft->fs_fd = openat(draft->tmp.fd, "fs", DIR_FLAGS);
	return draft->fs_fd < 0 ? err_sys(err, "open the container's files") : 0;
}

static int fill_draft(struct store *store, struct container *container, bool copies,
		      struct layer_draft *draft, struct err *err)
{
	if (layer_draft_open(store, draft, err) < 0)
		return -1;
	if (!copies)
		return move_files(container, draft, err);
	if (merge_layer(container->fs_fd, draft->fs_fd, store_overlay_ns(store), err) < 0)
		return -1;
	return entry_copy_on_disk(container->fs_fd, draft->fs_fd, store_overlay_ns(store), "/",
				  err);
}

static int pack(struct store *store, const struct container *container, int view_fd,
		struct layer_draft *draft, struct pack_result *out, struct err *err)
{
	auto_container_state struct container_state state = { .pid = 0 };
	auto_close int init_fd = openat(container->dir_fd, "init", DIR_FLAGS);
	struct diff_options options = DIFF_OPTIONS_INIT;

	if (init_fd < 0 && errno != ENOENT)
		return err_sys(err, "open the init layer of the container");
	if (container_state_load(container->dir_fd, &state, err) < 0)
		return -1;
	options.ns = store_overlay_ns(store);
	options.settle = true;
	options.init_fd = init_fd;
	options.drop_files = (const char *const *)state.stubs.items;
	return pack_upper(view_fd, draft->fs_fd, &options, out, err);
}

static void chain_of(const struct image *image, struct digest *out)
{
	*out = image->layers[0].diff_id;
	for (size_t i = 1; i < image->config.diff_id_count; i++)
		digest_chain(out, &image->layers[i].diff_id, out);
}

static int publish(struct store *store, const struct image *image, struct layer_draft *draft,
		   const struct pack_result *packed, struct layer *out, struct err *err)
{
	struct digest parent;
	const bool has_parent = image->config.diff_id_count > 0;
	struct layer_facts facts = {
		.diff_id = &packed->diff_id,
		.parent_chain = has_parent ? &parent : NULL,
		.is_ours = true,
		.tar_bytes = packed->tar_bytes,
		.content_bytes = packed->content_bytes,
		.entries = packed->entries,
	};

	if (has_parent)
		chain_of(image, &parent);
	return layer_draft_commit(store, draft, &facts, out, err);
}

static void describe(const struct commit_options *options, const struct digest *diff_id,
		     struct image_config *config)
{
	auto_strbuf struct strbuf command = STRBUF_INIT;
	struct timespec now;
	char created[40];

	clock_gettime(CLOCK_REALTIME, &now);
	image_time_format(now, created);
	for (size_t i = 0; options->command && i < options->command->count; i++)
		strbuf_printf(&command, "%s%s", i ? " " : "", options->command->items[i]);
	if (diff_id)
		image_config_add_layer(config, diff_id);
	image_config_add_history(
		config, &(struct history_entry){ .created = created,
						 .created_by = command.data ? command.data : NULL,
						 .author = (char *)options->author,
						 .comment = (char *)options->comment,
						 .empty_layer = !diff_id });
	free(config->created);
	config->created = str_dup(created);
	if (options->author) {
		free(config->author);
		config->author = str_dup(options->author);
	}
}

static int record(struct store *store, const struct image_config *config, const char *name,
		  struct digest *out_id, struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;

	image_config_format(config, &text);
	if (image_put(store, text.data, text.len, NULL, 0, out_id, err) < 0)
		return -1;
	return name ? image_tag(store, out_id, name, err) : 0;
}

int container_commit(struct store *store, struct container *container,
		     const struct commit_options *options, struct digest *out_id, struct err *err)
{
	auto_layer_draft struct layer_draft draft = LAYER_DRAFT_INIT;
	auto_image struct image image = IMAGE_INIT;
	auto_image_config struct image_config config = { .created = NULL };
	auto_close int view_fd = -1;
	struct pack_result packed;
	struct layer layer;
	char name[DIGEST_NAME_MAX];

	if (image_get_for(store, digest_name(&container->image_id, name), NULL, &image, err) < 0 ||
	    fill_draft(store, container, options->keeps_container, &draft, err) < 0)
		return -1;
	view_fd = mount_view(store, image.layers, image.config.diff_id_count, err);
	if (view_fd < 0 || pack(store, container, view_fd, &draft, &packed, err) < 0)
		return err_prefix(err, "commit container '%s'", container->name);
	fd_close(&view_fd);
	image_config_copy(&config, &image.config);
	if (packed.entries > 0 && publish(store, &image, &draft, &packed, &layer, err) < 0)
		return -1;
	describe(options, packed.entries > 0 ? &packed.diff_id : NULL, &config);
	return record(store, &config, options->name, out_id, err);
}
