/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for whether a layer's directory lacks devices of its tar: an ordinary
 * user's does, and whoever makes another layer of the directory must know.
 */
#include <string.h>

#include "common/digest.h"
#include "common/fd.h"
#include "common/mem.h"
#include "common/userns.h"
#include "layers/unpack.h"
#include "storage/layer-internal.h"
#include "storage/store-internal.h"

/* No row says so: the tar is unpacked once more, and thrown away. */
static int count_devices(struct store *store, const struct layer *layer, uint64_t *out,
			 struct err *err)
{
	auto_layer_draft struct layer_draft draft = LAYER_DRAFT_INIT;
	auto_close int fd = -1;
	auto_source struct source *source = layer_kept_open(store, layer, &fd, err);
	char hex[DIGEST_HEX_MAX];
	const struct unpack_options options = { .whiteouts = UNPACK_TO_OVERLAY,
						.ns = store->ns,
						.what = digest_hex(&layer->diff_id, hex),
						.skip_devices = true };
	struct unpack_result result;

	if (!source || layer_draft_open(store, &draft, err) < 0 ||
	    unpack_tar(source, draft.fs_fd, &options, &result, err) < 0)
		return -1;
	*out = result.devices_skipped;
	return 0;
}

int layer_lacks_devices(struct store *store, const struct layer *layer, bool *out, struct err *err)
{
	struct layer loaded;
	bool found = false;
	bool depends = false;
	uint64_t count = 0;

	*out = false;
	if (layer->is_ours || !store_lacks_devices(store))
		return 0;
	if (layer_load(store, &layer->id, &found, &depends, &loaded, err) < 0)
		return -1;
	/* one that does not depend on what is below has all that its tar has */
	if (!depends)
		return 0;
	if (count_devices(store, layer, &count, err) < 0)
		return -1;
	*out = count > 0;
	return 0;
}
