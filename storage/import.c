/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for a root file system's tar as an image of one layer. The archive is
 * unpacked and packed again by our own rules: the same tree gives the same layer,
 * whichever program wrote the archive, and no copy of it is kept.
 */
#include <string.h>

#include "common/mem.h"
#include "layers/codec.h"
#include "layers/pack.h"
#include "layers/unpack.h"
#include "storage/image.h"
#include "storage/store-internal.h"

static int unpack_into(int tar_fd, const char *what, enum overlay_ns ns, int dir_fd,
		       struct err *err)
{
	const struct unpack_options options = { .whiteouts = UNPACK_REFUSE,
						.ns = ns,
						.what = what };
	auto_source struct source *source = NULL;
	struct unpack_result result;

	source = codec_decompress_any(source_from_fd(tar_fd, UINT64_MAX, what), what, NULL, err);
	if (!source)
		return -1;
	return unpack_tar(source, dir_fd, &options, &result, err);
}

static int make_layer(struct store *store, int tar_fd, const char *what, struct layer *out,
		      struct err *err)
{
	auto_layer_draft struct layer_draft draft = LAYER_DRAFT_INIT;
	struct diff_options options = DIFF_OPTIONS_INIT;
	struct layer_facts facts = { .is_ours = true };
	struct pack_result packed;

	options.ns = store->ns;
	options.settle = true;
	if (layer_draft_open(store, &draft, err) < 0 ||
	    unpack_into(tar_fd, what, store->ns, draft.fs_fd, err) < 0 ||
	    pack_upper(-1, draft.fs_fd, &options, &packed, err) < 0)
		return -1;
	facts.diff_id = &packed.diff_id;
	facts.tar_bytes = packed.tar_bytes;
	facts.content_bytes = packed.content_bytes;
	facts.entries = packed.entries;
	return layer_draft_commit(store, &draft, &facts, out, err);
}

static void make_config(const struct import_options *options, const struct layer *layer,
			const char *what, struct image_config *config)
{
	const struct timespec when = { .tv_sec = options->created_epoch };
	auto_strbuf struct strbuf comment = STRBUF_INIT;
	struct history_entry entry = { .created = NULL };
	char created[40];

	if (options->config)
		image_config_copy(config, options->config);
	if (!config->platform.os)
		platform_host(&config->platform);
	image_time_format(when, created);
	free(config->created);
	config->created = str_dup(created);
	image_config_add_layer(config, &layer->diff_id);
	if (options->comment)
		strbuf_puts(&comment, options->comment);
	else
		strbuf_printf(&comment, "Imported from %s", what);
	entry.created = created;
	entry.comment = comment.data;
	image_config_add_history(config, &entry);
}

int image_import_rootfs(struct store *store, int tar_fd, const char *what,
			const struct import_options *options, struct digest *out_id,
			struct err *err)
{
	auto_image_config struct image_config config = { .created = NULL };
	auto_strbuf struct strbuf bytes = STRBUF_INIT;
	struct layer layer;

	if (make_layer(store, tar_fd, what, &layer, err) < 0)
		return err_prefix(err, "import '%s'", what);
	make_config(options, &layer, what, &config);
	image_config_format(&config, &bytes);
	return image_put(store, bytes.data, bytes.len, NULL, 0, out_id, err);
}
