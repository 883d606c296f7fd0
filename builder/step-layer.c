/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what every step that makes a layer does before and after its own
 * work: the key's beginning, an upper like the root below it, the packing, the
 * publishing, and the note in the step cache.
 */
#include <stdlib.h>
#include <time.h>

#include "builder/epoch.h"
#include "builder/step.h"
#include "common/fd.h"
#include "common/mem.h"
#include "layers/pack.h"
#include "storage/mount.h"

void step_key_init(const struct stage_run *run, const char *kind, struct cachekey *key)
{
	const struct build_request *request = run->build->request;
	const struct digest *chain = chain_id(&run->result->chain);

	cachekey_init(key, kind, &run->result->key);
	/* a step may have been made again with another result: then what follows is made again too
	 */
	if (chain)
		cachekey_digest(key, "below", chain);
	epoch_key(request, key);
}

void step_key_init_alone(const struct stage_run *run, const char *kind, struct cachekey *key)
{
	const struct build_request *request = run->build->request;

	cachekey_init(key, kind, NULL);
	epoch_key(request, key);
}

void step_key_settle(const struct stage_run *run, const char *kind, struct step_outcome *out)
{
	auto_cachekey struct cachekey key = { 0 };

	step_key_init(run, kind, &key);
	cachekey_digest(&key, "layer", &out->result.layer.diff_id);
	cachekey_final(&key, &out->key);
}

static bool is_uncached(const struct stage_run *run)
{
	return run->build->request->no_cache || run->plan->is_uncached;
}

/* By the same stage for another platform. */
static void made_find(struct stage_run *run, const struct digest *key, struct step_outcome *out)
{
	struct build *build = run->build;

	pthread_mutex_lock(&build->lock);
	for (size_t i = 0; i < build->made_count && !out->is_cached; i++) {
		const struct made *made = &build->made[i];

		if (made->number != run->plan->number || !digest_equal(&made->key, key))
			continue;
		out->is_cached = true;
		out->result = made->result;
	}
	pthread_mutex_unlock(&build->lock);
}

static void made_note(struct stage_run *run, const struct digest *key,
		      const struct step_result *result)
{
	struct build *build = run->build;

	if (!is_uncached(run) || build->plan->target_count == 1)
		return;
	pthread_mutex_lock(&build->lock);
	build->made = mem_resize(build->made, build->made_count + 1, sizeof(*build->made));
	build->made[build->made_count++] =
		(struct made){ .key = *key, .number = run->plan->number, .result = *result };
	pthread_mutex_unlock(&build->lock);
}

int step_lookup(struct stage_run *run, const struct digest *key, struct step_outcome *out,
		struct err *err)
{
	out->key = *key;
	out->is_cached = false;
	if (is_uncached(run) && run->build->plan->target_count == 1)
		return 0;
	claims_take(&run->build->claims, key, run);
	if (is_uncached(run)) {
		made_find(run, key, out);
		return 0;
	}
	return stepcache_find(run->build->request->store, key, chain_id(&run->result->chain),
			      &out->is_cached, &out->result, err);
}

int step_remember(const struct build *build, const struct digest *key,
		  const struct step_result *result, struct err *err)
{
	if (build->request->forgets)
		return 0;
	return stepcache_put(build->request->store, key, result, err);
}

int step_note(struct stage_run *run, const struct digest *key, const struct step_result *result,
	      struct err *err)
{
	made_note(run, key, result);
	return step_remember(run->build, key, result, err);
}

void layer_work_release(struct layer_work *work)
{
	layer_draft_release(&work->draft);
	chain_release(&work->empty);
}

static struct chain *chain_below(struct stage_run *run, struct layer_work *work)
{
	return work->is_alone ? &work->empty : &run->result->chain;
}

int layer_work_view(struct stage_run *run, struct layer_work *work, struct err *err)
{
	return chain_view(chain_below(run, work), err);
}

int layer_work_open_alone(struct stage_run *run, struct layer_work *work, struct err *err)
{
	chain_init(&work->empty, run->build->request->store);
	work->is_alone = true;
	return layer_work_open(run, work, err);
}

int layer_work_open(struct stage_run *run, struct layer_work *work, struct err *err)
{
	struct store *store = run->build->request->store;
	int view_fd;

	run->layers_made++;
	if (run->spare.tmp.name[0]) {
		work->draft = run->spare;
		run->spare = (struct layer_draft)LAYER_DRAFT_INIT;
	} else if (layer_draft_open(store, &work->draft, err) < 0) {
		return -1;
	}
	/* the topmost directory's owner, mode and times are those that are seen */
	view_fd = layer_work_view(run, work, err);
	if (view_fd < 0)
		return -1;
	return entry_copy_metadata(view_fd, work->draft.fs_fd, store_overlay_ns(store), "/", err);
}

int layer_work_prepare(struct stage_run *run, struct err *err)
{
	if (run->spare.tmp.name[0] || run->layers_made >= run->plan->layer_count)
		return 0;
	return layer_draft_open(run->build->request->store, &run->spare, err);
}

int layer_work_mount(struct stage_run *run, struct layer_work *work, int init_fd, struct err *err)
{
	struct chain *chain = chain_below(run, work);
	struct mount_request request = {
		.upper_fd = work->draft.fs_fd,
		.work_fd = work->draft.work_fd,
	};
	auto_free int *lowers = NULL;

	if (chain_open(chain, err) < 0)
		return -1;
	lowers = mem_array(chain->fd_count + 1, sizeof(int));
	for (size_t i = 0; i < chain->fd_count; i++)
		lowers[i] = chain->fds[i];
	work->is_mounted = true;
	request.lowers = lowers;
	request.lower_count = chain->fd_count;
	if (init_fd >= 0)
		lowers[request.lower_count++] = init_fd;
	return mount_layers(run->build->request->store, &request, err);
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int pack_work(struct stage_run *run, struct layer_work *work,
		     const struct layer_extras *extras, struct pack_result *out, struct err *err)
{
	const struct build_request *request = run->build->request;
	struct diff_options options = DIFF_OPTIONS_INIT;
	int view_fd;
	int result;

	options.ns = store_overlay_ns(request->store);
	options.settle = true;
	epoch_of_files(request, &options);
	if (extras) {
		options.init_fd = extras->init_fd;
		options.drop_files = (const char *const *)extras->drop_files->items;
	}
	view_fd = layer_work_view(run, work, err);
	if (view_fd < 0)
		return -1;
	if (work->originals) {
		options.content_of = originals_find;
		options.content_context = work->originals;
	}
	result = pack_upper(view_fd, work->draft.fs_fd, &options, out, err);
	if (!originals_have_changed(work->originals))
		return result;
	/* whether it went well or not, it may have read something else than what is in the layer */
	options.content_of = NULL;
	err_clear(err);
	return pack_upper(view_fd, work->draft.fs_fd, &options, out, err);
}

/*
 * What is in "/" changes its time, but a layer that stands alone must not set the root's: it
 * looks like the root below it, and says nothing of it. Before packing it is like the
 * empty one it is compared with, after that like the one it is first laid on.
 */
static int hide_root(struct layer_work *work, int view_fd, enum overlay_ns ns, struct err *err)
{
	return work->is_alone ? entry_copy_metadata(view_fd, work->draft.fs_fd, ns, "/", err) : 0;
}

static int collect(struct stage_run *run, struct layer_work *work, struct err *err)
{
	const struct mount_request request = {
		.upper_fd = work->draft.fs_fd,
		.work_fd = work->draft.work_fd,
		.covered = mount_covered(),
	};

	if (!work->is_mounted)
		return 0;
	work->is_mounted = false;
	return mount_collect(run->build->request->store, &request, err);
}

int layer_work_pack(struct stage_run *run, struct layer_work *work,
		    const struct layer_extras *extras, struct pack_result *out, struct err *err)
{
	enum overlay_ns ns = store_overlay_ns(run->build->request->store);
	int view_fd;

	if (collect(run, work, err) < 0 || hide_root(work, work->empty.view_fd, ns, err) < 0 ||
	    pack_work(run, work, extras, out, err) < 0)
		return -1;
	if (!work->is_alone)
		return 0;
	view_fd = chain_view(&run->result->chain, err);
	return view_fd < 0 ? -1 : hide_root(work, view_fd, ns, err);
}

int layer_work_publish(struct stage_run *run, struct layer_work *work,
		       const struct pack_result *packed, struct step_outcome *out, struct err *err)
{
	struct store *store = run->build->request->store;
	struct layer_facts facts = {
		.diff_id = &packed->diff_id,
		.parent_chain = chain_id(&run->result->chain),
		.is_ours = true,
		.tar_bytes = packed->tar_bytes,
		.content_bytes = packed->content_bytes,
		.entries = packed->entries,
	};

	if (layer_draft_commit(store, &work->draft, &facts, &out->result.layer, err) < 0)
		return -1;
	out->result.created_ns = now_ns();
	return step_note(run, &out->key, &out->result, err);
}

int layer_work_finish(struct stage_run *run, struct layer_work *work,
		      const struct layer_extras *extras, struct step_outcome *out, struct err *err)
{
	struct pack_result packed;

	if (layer_work_pack(run, work, extras, &packed, err) < 0)
		return -1;
	return layer_work_publish(run, work, &packed, out, err);
}
