/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for a root file system's tar as an image of one layer. The archive is
 * unpacked and packed again by our own rules: the same tree gives the same layer,
 * whichever program wrote the archive, and no copy of it is kept.
 *
 * An ordinary user cannot make the devices in it. His layer is the same as
 * root's all the same: they are left out of the tree only, and packed from what
 * the archive says of them.
 */
#include <string.h>

#include "common/mem.h"
#include "common/userns.h"
#include "layers/codec.h"
#include "layers/pack.h"
#include "layers/unpack.h"
#include "storage/blob.h"
#include "storage/image.h"
#include "storage/store-internal.h"

static int unpack_into(int tar_fd, const char *what, enum overlay_ns ns, int dir_fd,
		       struct unpack_devices *out_devices, struct err *err)
{
	const struct unpack_options options = { .whiteouts = UNPACK_REFUSE,
						.ns = ns,
						.what = what,
						.skip_devices = ns == OVERLAY_USER,
						.out_devices = out_devices };
	auto_source struct source *source = NULL;
	struct unpack_result result;

	source = unpack_open(source_from_fd(tar_fd, UINT64_MAX, what), what, NULL, err);
	if (!source || unpack_tar(source, dir_fd, &options, &result, err) < 0)
		return -1;
	unpack_warn_devices(what, result.devices_skipped);
	return 0;
}

/* ---- a layer whose directory lacks its devices ---- */

struct packing {
	struct pack *pack;
	const struct unpack_devices *devices;
	size_t next; /* of the devices */
	uint64_t entries;
	uint64_t content_bytes;
};

/* The devices that come before @path in a walk; all that are left when it is NULL. */
static int pack_devices(struct packing *packing, const char *path, struct err *err)
{
	const struct unpack_devices *devices = packing->devices;

	for (; packing->next < devices->count; packing->next++) {
		struct entry entry = devices->items[packing->next];

		if (path && unpack_walk_order(entry.path, path) > 0)
			return 0;
		entry.mtime.tv_nsec = 0;
		if (pack_entry(packing->pack, &entry, -1, err) < 0)
			return -1;
		packing->entries++;
	}
	return 0;
}

static int pack_in_order(void *context, const struct entry *entry, int content_fd, struct err *err)
{
	struct packing *packing = context;

	if (pack_devices(packing, entry->path, err) < 0)
		return -1;
	packing->entries++;
	packing->content_bytes += entry->size_bytes;
	return pack_entry(packing->pack, entry, content_fd, err);
}

static int write_packed(int fs_fd, const struct diff_options *options, struct packing *packing,
			struct sink *sink, struct err *err)
{
	auto_pack struct pack *pack = pack_new(sink);

	packing->pack = pack;
	if (diff_upper(-1, fs_fd, options, pack_in_order, packing, err) < 0 ||
	    pack_devices(packing, NULL, err) < 0 || pack_finish(pack, err) < 0)
		return -1;
	return sink_finish(sink, err);
}

/*
 * The directory cannot give the layer's bytes again, so they are kept: the ones
 * that a push of the whole tree would make.
 */
static int pack_kept(struct store *store, int fs_fd, const struct diff_options *options,
		     const struct unpack_devices *devices, struct pack_result *out,
		     struct layer_blob *out_blob, struct err *err)
{
	auto_blob_writer struct blob_writer writer = BLOB_WRITER_INIT;
	struct layer_blob blob = { .codec = CODEC_GZIP, .level = CODEC_LEVEL_DEFAULT };
	struct packing packing = { .devices = devices };
	auto_sink struct sink *sink = NULL;

	if (blob_writer_open(store, &writer, err) < 0)
		return -1;
	sink = sink_digest(sink_to_fd(writer.tmp.fd, "blob"), &blob.digest, &blob.size_bytes);
	sink = codec_compress(sink, blob.codec, blob.level, err);
	if (!sink)
		return -1;
	sink = sink_digest(sink, &out->diff_id, &out->tar_bytes);
	if (write_packed(fs_fd, options, &packing, sink, err) < 0 ||
	    blob_writer_commit(&writer, &blob.digest, blob.size_bytes, err) < 0)
		return -1;
	out->entries = packing.entries;
	out->content_bytes = packing.content_bytes;
	*out_blob = blob;
	return 0;
}

/* ---- the layer ---- */

static int make_layer(struct store *store, int tar_fd, const char *what, struct layer *out,
		      struct err *err)
{
	auto_layer_draft struct layer_draft draft = LAYER_DRAFT_INIT;
	auto_unpack_devices struct unpack_devices devices = UNPACK_DEVICES_INIT;
	struct diff_options options = DIFF_OPTIONS_INIT;
	struct layer_facts facts = { .diff_id = NULL };
	struct layer_blob blob;
	struct pack_result packed;

	options.ns = store->ns;
	options.settle = true;
	if (layer_draft_open(store, &draft, err) < 0 ||
	    unpack_into(tar_fd, what, store->ns, draft.fs_fd, &devices, err) < 0)
		return -1;
	facts.is_ours = devices.count == 0;
	facts.implicit_parents = devices.count > 0;
	if ((facts.is_ours
		     ? pack_upper(-1, draft.fs_fd, &options, &packed, err)
		     : pack_kept(store, draft.fs_fd, &options, &devices, &packed, &blob, err)) < 0)
		return -1;
	facts.diff_id = &packed.diff_id;
	facts.tar_bytes = packed.tar_bytes;
	facts.content_bytes = packed.content_bytes;
	facts.entries = packed.entries;
	if (layer_draft_commit(store, &draft, &facts, out, err) < 0)
		return -1;
	return facts.is_ours ? 0 : layer_blob_record(store, &packed.diff_id, &blob, err);
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
