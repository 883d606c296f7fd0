/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for --squash: which layers become one, that one in the step cache, and
 * what the history says of it. Laying layers onto each other is layers/merge's.
 */
#include "builder/squash.h"

#include <stdlib.h>
#include <time.h>

#include "builder/copy.h"
#include "builder/epoch.h"
#include "builder/history.h"
#include "common/fd.h"
#include "common/mem.h"
#include "layers/merge.h"
#include "layers/pack.h"

/* The layers of the target: those that stay, and all. */
struct squash {
	struct build *build;
	struct chain below;
	struct chain *all; /* borrowed */
	struct digest key;
};

static void make_key(struct squash *squash)
{
	const struct digest *below = chain_id(&squash->below);
	auto_cachekey struct cachekey key = { 0 };

	cachekey_init(&key, "squash", NULL);
	if (below)
		cachekey_digest(&key, "below", below);
	cachekey_digest(&key, "chain", chain_id(squash->all));
	epoch_key(squash->build->request, &key);
	cachekey_final(&key, &squash->key);
}

/* The base's tars have them, what is made of their directories would not. */
static int refuse_devices(struct squash *squash, const struct layer *layer, size_t index,
			  struct err *err)
{
	bool lacks = false;

	if (layer_lacks_devices(squash->build->request->store, layer, &lacks, err) < 0)
		return -1;
	if (!lacks)
		return 0;
	return err_set(err, ERR_INPUT,
		       "layer %zu has devices, which only root can make: use --squash, which "
		       "leaves the base's layers as they are, or build as root",
		       index + 1);
}

static int merge_layers(struct squash *squash, int upper_fd, struct err *err)
{
	struct store *store = squash->build->request->store;
	const struct chain *all = squash->all;

	for (size_t i = all->count; i-- > squash->below.count;) {
		auto_close int fd = -1;

		if (copy_check_interrupt(squash->build->request->interrupt_fd, err) < 0)
			return -1;
		/* the topmost first: what it hides is never copied */
		if (all->layers[i].entries == 0)
			continue;
		if (refuse_devices(squash, &all->layers[i], i, err) < 0)
			return -1;
		fd = layer_open(store, &all->layers[i], err);
		if (fd < 0 || merge_layer(fd, upper_fd, store_overlay_ns(store), err) < 0)
			return -1;
	}
	return 0;
}

static int pack(struct squash *squash, int upper_fd, struct pack_result *out, struct err *err)
{
	struct diff_options options = DIFF_OPTIONS_INIT;
	int below_fd = chain_view(&squash->below, err);
	int all_fd = below_fd < 0 ? -1 : chain_view(squash->all, err);

	options.ns = store_overlay_ns(squash->build->request->store);
	options.settle = true;
	epoch_of_files(squash->build->request, &options);
	if (all_fd < 0 || entry_copy_metadata(all_fd, upper_fd, options.ns, "/", err) < 0)
		return -1;
	return pack_upper(below_fd, upper_fd, &options, out, err);
}

static int make_layer(struct squash *squash, struct step_result *out, struct err *err)
{
	struct store *store = squash->build->request->store;
	auto_layer_draft struct layer_draft draft = LAYER_DRAFT_INIT;
	struct pack_result packed;
	struct layer_facts facts = {
		.diff_id = &packed.diff_id,
		.parent_chain = chain_id(&squash->below),
		.is_ours = true,
	};
	struct timespec now;

	if (layer_draft_open(store, &draft, err) < 0 ||
	    merge_layers(squash, draft.fs_fd, err) < 0 ||
	    pack(squash, draft.fs_fd, &packed, err) < 0)
		return -1;
	facts.tar_bytes = packed.tar_bytes;
	facts.content_bytes = packed.content_bytes;
	facts.entries = packed.entries;
	if (layer_draft_commit(store, &draft, &facts, &out->layer, err) < 0)
		return -1;
	clock_gettime(CLOCK_REALTIME, &now);
	out->created_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	return step_remember(squash->build, &squash->key, out, err);
}

static int find_or_make(struct squash *squash, struct step_result *out, bool *out_found,
			struct err *err)
{
	const struct build_request *request = squash->build->request;

	*out_found = false;
	if (!request->no_cache && stepcache_find(request->store, &squash->key,
						 chain_id(&squash->below), out_found, out, err) < 0)
		return -1;
	return *out_found ? 0 : make_layer(squash, out, err);
}

static int perform(struct squash *squash, struct step_result *out, struct err *err)
{
	struct progress *progress = squash->build->request->progress;
	auto_free char *title =
		str_format("squash %zu layers into one", squash->all->count - squash->below.count);
	unsigned id = progress_begin(progress, title);
	enum progress_end end = PROGRESS_FAILED;
	bool found = false;
	int result = find_or_make(squash, out, &found, err);

	if (result == 0)
		end = found ? PROGRESS_CACHED : PROGRESS_DONE;
	else if (err->kind == ERR_INTERRUPTED)
		end = PROGRESS_CANCELED;
	progress_finish(progress, id, end);
	return result < 0 ? err_prefix(err, "squash the layers") : 0;
}

/* As docker's --squash writes it: all steps stay readable, none has a layer but the last entry. */
static void tell(struct squash *squash, const struct step_result *made, struct image_config *config)
{
	const struct build_request *request = squash->build->request;
	struct timespec when = { .tv_sec = made->created_ns / 1000000000,
				 .tv_nsec = made->created_ns % 1000000000 };
	size_t count = squash->all->count - squash->below.count;
	auto_free char *comment = str_format("squashed %zu layers", count);
	struct history_entry entry = { .created_by = (char *)"", .comment = comment };
	char created[40];
	size_t layer = 0;

	for (size_t i = 0; i < config->history_count; i++)
		if (!config->history[i].empty_layer && layer++ >= squash->below.count)
			config->history[i].empty_layer = true;
	config->diff_id_count = squash->below.count;
	image_config_add_layer(config, &made->layer.diff_id);
	if (request->has_epoch)
		when = (struct timespec){ .tv_sec = request->epoch };
	entry.created = (char *)image_time_format(when, created);
	image_config_add_history(config, &entry);
	free(config->created);
	config->created = str_dup(created);
}

int squash_layers(struct build *build, size_t target, struct image_config *config,
		  struct chain *out_chain, bool *out_is_squashed, struct err *err)
{
	struct squash squash = { .build = build, .all = &build->results[target].chain };
	struct step_result made;
	int result = 0;

	chain_init(&squash.below, build->request->store);
	if (build->request->squash == SQUASH_NEW)
		for (size_t i = 0; i < build->plan->stages[target]->image.diff_id_count; i++)
			chain_add(&squash.below, &squash.all->layers[i]);
	if (squash.all->count > squash.below.count + 1) {
		make_key(&squash);
		result = perform(&squash, &made, err);
		if (result == 0) {
			tell(&squash, &made, config);
			chain_init(out_chain, build->request->store);
			chain_copy(out_chain, &squash.below);
			chain_add(out_chain, &made.layer);
			*out_is_squashed = true;
		}
	}
	chain_close(squash.all);
	chain_release(&squash.below);
	return result;
}
