/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the mounts of a RUN step as a whole: what of them is in its key,
 * in which order they are opened and mounted, and that nothing is left of them.
 * How a single one is opened is step-mount-open.c's.
 */
#include "builder/step-mount.h"

#include <stdlib.h>
#include <string.h>

#include "builder/plan-internal.h"
#include "common/fd.h"
#include "common/mem.h"

static void mount_release(struct step_mount *mount)
{
	relay_stop(mount->relay);
	cachemount_release(&mount->cache);
	if (mount->kind != SANDBOX_MOUNT_TMPFS)
		fd_close(&mount->fd);
	free(mount->data);
	free(mount->what);
	chain_release(&mount->chain);
	layer_draft_release(&mount->draft);
	selection_release(&mount->selection);
}

void step_mounts_release(struct step_mounts *mounts)
{
	for (size_t i = 0; i < mounts->count; i++)
		mount_release(&mounts->items[i]);
	free(mounts->items);
	for (size_t i = 0; i < mounts->env.count; i++)
		explicit_bzero(mounts->env.items[i], strlen(mounts->env.items[i]));
	strlist_release(&mounts->env);
	strlist_release(&mounts->points);
	*mounts = (struct step_mounts)STEP_MOUNTS_INIT;
}

/* An error of a mount points at its option. */
static int locate(const struct step_mounts *mounts, const struct step_mount *mount, struct err *err)
{
	const struct step *step = mounts->step;

	if (!mount->plan || err->kind == ERR_INTERRUPTED)
		return -1;
	return source_locate(err, &step->ast->source, mount->plan->flag->at, "RUN");
}

/* ---- selecting ---- */

static struct step_mount *add_mount(struct step_mounts *mounts, const struct plan_mount *plan,
				    const char *target)
{
	struct step_mount *mount = &mounts->items[mounts->count++];

	*mount = (struct step_mount){
		.plan = plan,
		.target = target,
		.fd = -1,
		.selection = SELECTION_INIT,
		.chain = CHAIN_INIT,
		.draft = LAYER_DRAFT_INIT,
		.cache = CACHEMOUNT_INIT,
	};
	if (plan && plan->options.from && plan->options.from[0])
		mount->what = str_format("'%s'", plan->options.from);
	return mount;
}

/* The layers of a stage or image: its own list, so that nobody else's is touched. */
static void find_chain(struct step_mounts *mounts, struct step_mount *mount)
{
	struct build *build = mounts->run->build;
	const struct plan_mount *plan = mount->plan;
	const struct image *image;

	chain_init(&mount->chain, build->request->store);
	switch (plan->from) {
	case COPY_FROM_CONTEXT:
		break;
	case COPY_FROM_STAGE:
		chain_copy(&mount->chain, &build->results[plan->from_index].chain);
		break;
	case COPY_FROM_IMAGE:
		image = &build->images[plan->from_index]->image;
		for (size_t i = 0; i < image->config.diff_id_count; i++)
			chain_add(&mount->chain, &image->layers[i]);
		break;
	}
}

static int select_source(const struct step_mounts *mounts, struct step_mount *mount,
			 struct err *err)
{
	const char *source = mount->plan->options.source;
	struct select_tree tree;

	step_mount_tree(mounts, mount, &tree);
	if (select_path(&tree, source ? source : "/", &mount->selection, err) < 0)
		return -1;
	return select_digest_all(&tree, &mount->selection, 0, err);
}

static int select_mount(struct step_mounts *mounts, struct step_mount *mount, struct err *err)
{
	if (mount->plan->has_layers)
		find_chain(mounts, mount);
	if (mount->plan->options.type != RUN_MOUNT_BIND || mount->plan->has_layers)
		return 0;
	return select_source(mounts, mount, err);
}

int step_mounts_select(struct stage_run *run, const struct step *step, struct step_mounts *out,
		       struct err *err)
{
	const struct volumes *volumes = &run->build->request->run_settings.volumes;
	const struct plan_run *plan = &step->run;

	out->run = run;
	out->step = step;
	out->items = mem_array(volumes->count + plan->mount_count + 1, sizeof(*out->items));
	/* first: at the same place the step's own mount is what it sees */
	for (size_t i = 0; i < volumes->count; i++)
		add_mount(out, NULL, volumes->items[i].target)->volume = &volumes->items[i];
	for (size_t i = 0; i < plan->mount_count; i++) {
		struct step_mount *mount = add_mount(out, &plan->mounts[i], plan->mounts[i].target);

		if (select_mount(out, mount, err) < 0)
			return locate(out, mount, err);
	}
	if (plan->script)
		add_mount(out, NULL, plan->script_path);
	return 0;
}

/* A path in a stage or image that the step can do nothing to. */
static bool has_content(const struct step_mount *mount)
{
	const struct run_mount *options = mount->plan ? &mount->plan->options : NULL;

	return options && options->type == RUN_MOUNT_BIND && mount->plan->has_layers &&
	       options->is_read_only && options->source &&
	       options->source[strspn(options->source, "/.")] != '\0';
}

bool step_mounts_have_content(const struct step_mounts *mounts)
{
	for (size_t i = 0; i < mounts->count; i++)
		if (has_content(&mounts->items[i]))
			return true;
	return false;
}

int step_mounts_select_content(struct step_mounts *mounts, struct err *err)
{
	for (size_t i = 0; i < mounts->count; i++) {
		struct step_mount *mount = &mounts->items[i];

		if (!has_content(mount))
			continue;
		if (chain_view(&mount->chain, err) < 0 || select_source(mounts, mount, err) < 0)
			return locate(mounts, mount, err);
	}
	return 0;
}

/* ---- the key ---- */

/* What from= and source= say; a context by its name. */
static void seed_key(const struct step_mount *mount, struct cachekey *key)
{
	if (!mount->plan->has_layers)
		cachekey_string(key, "context", mount->plan->options.from);
	else if (chain_id(&mount->chain))
		cachekey_digest(key, "from", chain_id(&mount->chain));
	cachekey_string(key, "source", mount->plan->options.source);
}

static int bind_key(const struct step_mount *mount, bool by_content, struct cachekey *key,
		    struct err *err)
{
	const struct select_key_options options = { .with_content = true };

	if (!mount->plan->has_layers || (by_content && has_content(mount)))
		return select_key(&mount->selection, &options, key, err);
	seed_key(mount, key);
	return 0;
}

/*
 * What a cache holds may change with every use: no result depends on it by right, so none on
 * which of them it is. One that is said to be another than the target's is told apart from it.
 */
static void cache_key(const struct step_mount *mount, struct cachekey *key)
{
	const struct plan_mount *plan = mount->plan;

	cachekey_number(key, "default",
			strcmp(plan->id, plan->target) == 0 &&
				plan->options.sharing == RUN_SHARING_SHARED);
	if (plan->has_seed)
		seed_key(mount, key);
}

/* Which one is asked for and how it looks, but not what it is, nor whether there was one. */
static void lent_key(const struct step_mount *mount, struct cachekey *key)
{
	const struct run_mount *options = &mount->plan->options;

	cachekey_string(key, "id", mount->plan->id);
	cachekey_string(key, "variable", mount->plan->env);
	cachekey_number(key, "required", options->is_required);
	if (options->has_mode)
		cachekey_number(key, "mode", options->mode);
	cachekey_number(key, "uid", options->uid);
	cachekey_number(key, "gid", options->gid);
}

static int mount_key(const struct step_mount *mount, bool by_content, struct cachekey *key,
		     struct err *err)
{
	const struct run_mount *options = &mount->plan->options;

	cachekey_string(key, "mount", run_mount_type_names[options->type]);
	cachekey_string(key, "target", mount->target);
	cachekey_number(key, "read-only", options->is_read_only);
	switch (options->type) {
	case RUN_MOUNT_BIND:
		return bind_key(mount, by_content, key, err);
	case RUN_MOUNT_CACHE:
		cache_key(mount, key);
		break;
	case RUN_MOUNT_TMPFS:
		cachekey_number(key, "size", (int64_t)options->size_bytes);
		break;
	case RUN_MOUNT_SECRET:
	case RUN_MOUNT_SSH:
		lent_key(mount, key);
		break;
	}
	return 0;
}

int step_mounts_key(const struct step_mounts *mounts, bool by_content, struct cachekey *key,
		    struct err *err)
{
	const struct plan_run *plan = &mounts->step->run;

	for (size_t i = 0; i < mounts->count; i++)
		if (mounts->items[i].plan && mount_key(&mounts->items[i], by_content, key, err) < 0)
			return -1;
	if (plan->script)
		cachekey_string(key, "script", plan->script);
	return 0;
}

/* ---- opening ---- */

static bool is_cache(const struct step_mount *mount)
{
	return mount->plan && mount->plan->options.type == RUN_MOUNT_CACHE;
}

static int make_cache_key(const struct step_mounts *mounts, struct step_mount *mount)
{
	auto_cachekey struct cachekey key = { 0 };

	cachekey_init(&key, "cache mount", NULL);
	cachekey_string(&key, "name space", mounts->run->build->plan->cache_ns);
	cachekey_string(&key, "id", mount->plan->id);
	if (mount->plan->has_seed)
		seed_key(mount, &key);
	cachekey_final(&key, &mount->cache_key);
	return 0;
}

static int compare_cache(const void *a, const void *b)
{
	const struct step_mount *const *first = a;
	const struct step_mount *const *second = b;

	return memcmp((*first)->cache_key.bytes, (*second)->cache_key.bytes, DIGEST_BYTES);
}

/* All steps take their caches in the same order, so no two wait for each other. */
static int open_caches(struct step_mounts *mounts, struct err *err)
{
	auto_free struct step_mount **order = mem_array(mounts->count + 1, sizeof(*order));
	size_t count = 0;

	for (size_t i = 0; i < mounts->count; i++) {
		if (!is_cache(&mounts->items[i]))
			continue;
		make_cache_key(mounts, &mounts->items[i]);
		order[count++] = &mounts->items[i];
	}
	qsort(order, count, sizeof(*order), compare_cache);
	for (size_t i = 0; i < count; i++)
		if (step_mount_open(mounts, order[i], err) < 0)
			return locate(mounts, order[i], err);
	return 0;
}

static void add_point(struct step_mounts *mounts, const struct step_mount *mount)
{
	bool is_there = mount->kind == SANDBOX_MOUNT_TMPFS || mount->fd >= 0;

	/* the script is in /dev, which is the sandbox's own */
	if ((mount->plan || mount->volume) && mount->target && is_there)
		strlist_addf(&mounts->points, "%c%s", mount->is_file ? 'f' : 'd', mount->target);
}

int step_mounts_open(struct step_mounts *mounts, struct err *err)
{
	for (size_t i = 0; i < mounts->count; i++)
		if (!is_cache(&mounts->items[i]) &&
		    step_mount_open(mounts, &mounts->items[i], err) < 0)
			return locate(mounts, &mounts->items[i], err);
	if (open_caches(mounts, err) < 0)
		return -1;
	for (size_t i = 0; i < mounts->count; i++)
		add_point(mounts, &mounts->items[i]);
	return 0;
}

/* ---- describing ---- */

static size_t depth(const char *path)
{
	size_t n = 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

void step_mounts_describe(const struct step_mounts *mounts, struct sandbox_description *out)
{
	size_t deepest = 0;

	for (size_t i = 0; i < mounts->count; i++)
		if (mounts->items[i].target && depth(mounts->items[i].target) > deepest)
			deepest = depth(mounts->items[i].target);
	for (size_t level = 1; level <= deepest; level++)
		for (size_t i = 0; i < mounts->count; i++) {
			const struct step_mount *mount = &mounts->items[i];

			if (!mount->target || depth(mount->target) != level ||
			    (mount->kind != SANDBOX_MOUNT_TMPFS && mount->fd < 0))
				continue;
			sandbox_description_add_mount(out, mount->kind, mount->target,
						      mount->flags | SANDBOX_MOUNT_MAKE_TARGET,
						      mount->fd, mount->data);
		}
}
