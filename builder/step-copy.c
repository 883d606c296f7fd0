/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COPY and ADD. Answers for when a copy is the same as one made before, and
 * for reading no file twice to find that out:
 *
 *   - the key is made from the content of the selected files, not from their times;
 *   - of files whose digest is remembered nothing is read for it;
 *   - where some digest is not known, the key without contents tells whether
 *     there can be a result at all: if not, files are digested while they are copied;
 *   - a stage or image that is copied from is known by its chain ID, so that an
 *     unchanged one need not be looked into;
 *   - a URL with a checksum and a git repository by its commit are known as well, and
 *     need not be brought here again.
 */
#include <stdlib.h>
#include <string.h>

#include "builder/archive.h"
#include "builder/copy.h"
#include "builder/download.h"
#include "builder/step.h"
#include "common/fd.h"
#include "common/mem.h"
#include "layers/unpack.h"
#include "sandbox/user.h"

/* A source that comes from the network, and the tree that it is here. */
struct remote_tree {
	struct download download;
	struct select_tree tree;
};

/* One COPY or ADD at work. */
struct copying {
	struct stage_run *run;
	const struct step *step;
	const struct plan_copy *plan;
	struct select_tree tree;
	char *what;
	struct chain image_chain;    /* of an image that is copied from */
	struct chain *from;          /* of the stage or image that is copied from, or NULL */
	struct remote_tree *remotes; /* of each of the plan's sources */
	struct selection selection;
	size_t *words;    /* of each source of the selection: which of the plan's */
	bool *is_archive; /* of each source of the selection */
	bool has_archive;
	struct copy_options options;
	struct late_digests *late;
	struct originals *originals;
};

static void copying_release(struct copying *copying)
{
	for (size_t i = 0; copying->remotes && i < copying->plan->source_count; i++)
		download_release(&copying->remotes[i].download);
	free(copying->remotes);
	free(copying->what);
	chain_release(&copying->image_chain);
	selection_release(&copying->selection);
	free(copying->words);
	free(copying->is_archive);
	late_digests_free(copying->late);
	originals_free(copying->originals);
}

static void use_context(struct copying *copying, const struct build_request *request)
{
	const struct context *context = request->context;
	size_t index = copying->plan->from_index;
	struct select_tree *tree = &copying->tree;

	if (index > 0) {
		context = &request->named->items[index - 1].context;
		copying->what = str_format("context '%s'", request->named->items[index - 1].name);
	}
	tree->fd = context->fd;
	tree->ignore = &context->ignore;
	tree->ignore_name = context->ignore_name;
	tree->is_context = true;
	tree->is_new = context_is_unpacked(context);
	tree->what = index > 0 ? copying->what : "the context";
}

/* Where the sources are; nothing is opened yet. */
static void find_tree(struct copying *copying)
{
	struct build *build = copying->run->build;
	const struct plan_copy *plan = copying->plan;
	struct select_tree *tree = &copying->tree;

	tree->store = build->request->store;
	tree->ns = store_overlay_ns(tree->store);
	tree->keeps_parents = plan->keeps_parents;
	tree->exclude = plan->exclude.count > 0 ? &plan->exclude : NULL;
	switch (plan->from) {
	case COPY_FROM_CONTEXT:
		use_context(copying, build->request);
		return;
	case COPY_FROM_STAGE:
		copying->from = &build->results[plan->from_index].chain;
		copying->what = str_format("stage '%s'", copying->step->instruction->copy.from);
		break;
	case COPY_FROM_IMAGE:
		chain_init(&copying->image_chain, tree->store);
		for (size_t i = 0; i < build->images[plan->from_index]->image.config.diff_id_count;
		     i++)
			chain_add(&copying->image_chain,
				  &build->images[plan->from_index]->image.layers[i]);
		copying->from = &copying->image_chain;
		copying->what = str_format("image '%s'", copying->step->instruction->copy.from);
		break;
	}
	tree->fd = -1;
	tree->what = copying->what;
}

static int open_tree_view(struct copying *copying, struct err *err)
{
	if (!copying->from)
		return 0;
	/* the chain of a stage is looked into by other stages at the same time */
	copying->tree.fd = copying->plan->from == COPY_FROM_STAGE
				   ? stage_view(copying->run->build, copying->plan->from_index, err)
				   : chain_view(copying->from, err);
	return copying->tree.fd < 0 ? -1 : 0;
}

static struct download_place download_place(const struct copying *copying)
{
	const struct build_request *request = copying->run->build->request;
	const struct grant_agent *agent = grants_agent(request->grants, "default");

	return (struct download_place){
		.agent = agent ? agent->path : NULL,
		.store = request->store,
		.no_cache = request->no_cache || copying->run->plan->is_uncached,
		.interrupt_fd = request->interrupt_fd,
	};
}

/* Where the files of a source of the selection are. */
static const struct select_tree *tree_of(const struct copying *copying, size_t source)
{
	size_t word = copying->words[source];

	if (copying->plan->sources[word].remote)
		return &copying->remotes[word].tree;
	return &copying->tree;
}

/* Sources from the network: make room for each, and find out what git's names stand for. */
static int resolve_remotes(struct copying *copying, struct err *err)
{
	const struct plan_copy *plan = copying->plan;
	struct download_place place = download_place(copying);

	copying->remotes = mem_array(plan->source_count, sizeof(*copying->remotes));
	for (size_t i = 0; i < plan->source_count; i++)
		copying->remotes[i].download = (struct download)DOWNLOAD_INIT;
	for (size_t i = 0; i < plan->source_count; i++) {
		const struct remote *remote = plan->sources[i].remote;

		if (remote && remote->kind == REMOTE_GIT &&
		    download_resolve(&place, remote, &copying->remotes[i].download, err) < 0)
			return step_locate(err, copying->step, plan->sources[i].word);
	}
	return 0;
}

/* Bring it here and add what it has. */
static int select_remote(struct copying *copying, size_t word, struct err *err)
{
	const struct plan_copy *plan = copying->plan;
	const struct remote *remote = plan->sources[word].remote;
	struct remote_tree *to = &copying->remotes[word];
	struct download_place place = download_place(copying);
	int result;

	if (remote->kind == REMOTE_GIT)
		result = download_git(&place, remote, &to->download, err);
	else
		result = download_url(&place, remote, plan->has_checksum ? &plan->checksum : NULL,
				      &to->download, err);
	if (result < 0)
		return -1;
	return download_select(&place, remote, &to->download, copying->tree.exclude, &to->tree,
			       &copying->selection, err);
}

static int select_word(struct copying *copying, size_t word, struct err *err)
{
	const struct plan_source *source = &copying->plan->sources[word];

	if (source->remote)
		return select_remote(copying, word, err);
	return select_pattern(&copying->tree, source->path, &copying->selection, err);
}

static int is_regular_file(const struct copying *copying, size_t source, bool *out_is,
			   struct err *err)
{
	auto_select_reader struct select_reader reader = SELECT_READER_INIT;
	struct select_item *item;

	select_reader_init(&reader, &copying->selection, source);
	if (select_next(&reader, &item, err) < 0)
		return -1;
	*out_is = S_ISREG(item->mode);
	return 0;
}

/* A regular file that ADD is to unpack. */
static int look_for_archive(struct copying *copying, size_t source, struct err *err)
{
	const char *path = copying->selection.sources[source].path;
	auto_close int fd = -1;
	bool is_regular;

	if (!copying->plan->is_add || copying->plan->never_unpack)
		return 0;
	if (copying->plan->sources[copying->words[source]].remote && !copying->plan->unpacks_urls)
		return 0;
	if (is_regular_file(copying, source, &is_regular, err) < 0)
		return -1;
	if (!is_regular)
		return 0;
	fd = select_open(tree_of(copying, source), path, err);
	if (fd < 0 || archive_detect(fd, path, &copying->is_archive[source], err) < 0)
		return -1;
	copying->has_archive = copying->has_archive || copying->is_archive[source];
	return 0;
}

/* All sources, with the word of each for messages. */
static int select_all(struct copying *copying, struct err *err)
{
	const struct plan_copy *plan = copying->plan;
	struct selection *selection = &copying->selection;

	if (open_tree_view(copying, err) < 0)
		return -1;
	for (size_t i = 0; i < plan->source_count; i++) {
		size_t before = selection->source_count;

		if (plan->sources[i].text)
			continue;
		if (select_word(copying, i, err) < 0)
			return step_locate(err, copying->step, plan->sources[i].word);
		copying->words =
			mem_resize(copying->words, selection->source_count, sizeof(size_t));
		copying->is_archive =
			mem_resize(copying->is_archive, selection->source_count, sizeof(bool));
		for (size_t k = before; k < selection->source_count; k++) {
			copying->words[k] = i;
			copying->is_archive[k] = false;
			if (look_for_archive(copying, k, err) < 0)
				return step_locate(err, copying->step, plan->sources[i].word);
		}
		if (selection->source_count > 1 && !plan->dest_is_dir) {
			err_set(err, ERR_INPUT,
				"'%s' matches several files, but the destination '%s' is not said "
				"to be a directory",
				plan->sources[i].path, plan->dest);
			source_hint(err, "end it with a slash: '%s/'", plan->dest);
			return step_locate(err, copying->step, plan->sources[i].word);
		}
	}
	return 0;
}

static void key_init(const struct copying *copying, const char *kind, struct cachekey *key)
{
	const struct plan_copy *plan = copying->plan;

	if (plan->is_link)
		step_key_init_alone(copying->run, kind, key);
	else
		step_key_init(copying->run, kind, key);
	cachekey_string(key, "instruction", plan->is_add ? "ADD" : "COPY");
	cachekey_string(key, "destination", plan->dest);
	cachekey_number(key, "is directory", plan->dest_is_dir);
	cachekey_number(key, "unpack", plan->unpacks_urls);
	/* a name means what the image below says: its number tells */
	if (plan->is_link && plan->chown) {
		cachekey_number(key, "uid", copying->options.uid);
		cachekey_number(key, "gid", copying->options.gid);
	} else {
		cachekey_string(key, "chown", plan->chown);
	}
	cachekey_string(key, "chmod", plan->chmod_text);
	cachekey_number(key, "never unpack", plan->never_unpack);
	cachekey_number(key, "parents", plan->keeps_parents);
	cachekey_list(key, "exclude", plan->exclude_texts);
	for (size_t i = 0; i < plan->source_count; i++) {
		if (!plan->sources[i].text)
			continue;
		cachekey_string(key, "text name", plan->sources[i].path);
		cachekey_string(key, "text", plan->sources[i].text);
	}
}

/* By what is copied from as a whole. */
static void key_by_chain(const struct copying *copying, struct digest *out)
{
	auto_cachekey struct cachekey key = { 0 };

	key_init(copying, "copy from chain", &key);
	if (chain_id(copying->from))
		cachekey_digest(&key, "from", chain_id(copying->from));
	for (size_t i = 0; i < copying->plan->source_count; i++)
		if (!copying->plan->sources[i].text)
			cachekey_string(&key, "source", copying->plan->sources[i].path);
	cachekey_final(&key, out);
}

/* Whether it is known what each source holds before it is brought here. */
static bool are_pinned(const struct copying *copying)
{
	const struct plan_copy *plan = copying->plan;
	bool has_remote = false;

	for (size_t i = 0; i < plan->source_count; i++) {
		const struct remote *remote = plan->sources[i].remote;

		if (!remote && !plan->sources[i].text)
			return false;
		if (remote && remote->kind == REMOTE_URL && (!plan->has_checksum || !remote->name))
			return false;
		has_remote = has_remote || remote;
	}
	return has_remote;
}

/* By checksums and commits: neither the URL nor the name of a branch matters. */
static void key_by_pins(const struct copying *copying, struct digest *out)
{
	const struct plan_copy *plan = copying->plan;
	auto_cachekey struct cachekey key = { 0 };

	key_init(copying, "copy from pins", &key);
	for (size_t i = 0; i < plan->source_count; i++) {
		const struct remote *remote = plan->sources[i].remote;

		if (!remote)
			continue;
		if (remote->kind == REMOTE_URL) {
			cachekey_string(&key, "name", remote->name);
			cachekey_digest(&key, "content", &plan->checksum);
			continue;
		}
		cachekey_string(&key, "commit", copying->remotes[i].download.commit);
		cachekey_string(&key, "directory", remote->subdir);
		cachekey_number(&key, "git directory", remote->keeps_git_dir == TRISTATE_TRUE);
		cachekey_number(&key, "submodules", remote->has_submodules);
	}
	cachekey_final(&key, out);
}

static int key_by_files(const struct copying *copying, bool with_content, struct digest *out,
			struct err *err)
{
	struct select_key_options options = {
		.has_owner = copying->plan->chown != NULL,
		.has_mode = chmod_is_fixed(&copying->plan->chmod),
		.with_content = with_content,
	};
	auto_cachekey struct cachekey key = { 0 };

	key_init(copying, with_content ? "copy" : "copy without content", &key);
	if (select_key(&copying->selection, &options, &key, err) < 0)
		return -1;
	cachekey_final(&key, out);
	return 0;
}

static int resolve_owner(struct copying *copying, struct err *err)
{
	const char *chown = copying->plan->chown;
	int view_fd;

	if (!chown || copying->options.has_owner)
		return 0;
	view_fd = chain_view(&copying->run->result->chain, err);
	if (view_fd < 0)
		return -1;
	if (user_resolve_chown(view_fd, chown, &copying->options.uid, &copying->options.gid, err) <
	    0) {
		err_prefix(err, "--chown=%s", chown);
		source_hint(err, "names are looked up in the image that the file goes to; a "
				 "number needs no entry there");
		return step_locate(err, copying->step, copying->step->instruction->copy.chown);
	}
	copying->options.has_owner = true;
	return 0;
}

static mode_t new_mode(const void *context, mode_t mode)
{
	return chmod_apply(context, mode);
}

static int unpack_source(struct copying *copying, const struct copy_target *target, size_t source,
			 struct err *err)
{
	const char *path = copying->selection.sources[source].path;
	struct unpack_options options = {
		.whiteouts = UNPACK_REFUSE,
		.ns = target->ns,
		.owner = { .set = copying->options.has_owner,
			   .uid = copying->options.uid,
			   .gid = copying->options.gid },
		.existing_links = true,
		.is_mounted = target->view_fd < 0,
		.keeps_root = true,
		.new_mode = copying->options.chmod ? new_mode : NULL,
		.new_mode_context = copying->options.chmod,
		.what = path,
	};
	struct follow_tree tree = copy_target_tree(target);
	auto_source struct source *tar = NULL;
	auto_strbuf struct strbuf dest = STRBUF_INIT;
	struct unpack_result unpacked;
	auto_close int dir_fd = -1;
	auto_close int fd = -1;
	bool found;

	if (follow_path(&tree, copying->plan->dest, &dest, &found, NULL, err) < 0)
		return -1;
	dir_fd = copy_open_directory(target, dest.data, &copying->options, NULL, NULL, err);
	if (dir_fd < 0)
		return -1;
	fd = select_open(tree_of(copying, source), path, err);
	if (fd < 0)
		return -1;
	tar = archive_open(fd, path, err);
	if (!tar)
		return -1;
	return unpack_tar(tar, dir_fd, &options, &unpacked, err);
}

static int place_sources(struct copying *copying, const struct copy_target *target, struct err *err)
{
	struct copy_request request = {
		.selection = &copying->selection,
		.dest = copying->plan->dest,
		.dest_is_dir = copying->plan->dest_is_dir,
		.options = &copying->options,
		.late = copying->late,
		.originals = copying->originals,
		.interrupt_fd = copying->run->build->request->interrupt_fd,
	};
	const struct plan_copy *plan = copying->plan;

	for (size_t i = 0; i < copying->selection.source_count; i++) {
		int result;

		request.source = i;
		request.tree = tree_of(copying, i);
		result = copying->is_archive[i] ? unpack_source(copying, target, i, err)
						: copy_source_to(target, &request, err);
		if (result < 0) {
			/* what is in the way is named as it is there */
			if (err->kind == ERR_INPUT)
				err_prefix(err, "into '%s'", plan->dest);
			return step_locate(err, copying->step,
					   plan->sources[copying->words[i]].word);
		}
	}
	for (size_t i = 0; i < plan->source_count; i++)
		if (plan->sources[i].text && copy_text_to(target, plan->sources[i].path,
							  plan->sources[i].text, &request, err) < 0)
			return step_locate(err, copying->step, NULL);
	return 0;
}

static int open_work(struct copying *copying, struct layer_work *work, struct err *err)
{
	if (copying->plan->is_link)
		return layer_work_open_alone(copying->run, work, err);
	return layer_work_open(copying->run, work, err);
}

/* Only archives need a mount: what they hold may take the place of what is below. */
static int make_layer(struct copying *copying, struct layer_work *work, struct err *err)
{
	struct stage_run *run = copying->run;
	struct copy_target target = { .root_fd = work->draft.fs_fd,
				      .view_fd = -1,
				      .ns = copying->tree.ns };
	auto_close int mount_fd = -1;

	if (copying->has_archive) {
		mount_fd = layer_work_mount(run, work, -1, err);
		if (mount_fd < 0)
			return -1;
		target.root_fd = mount_fd;
	} else {
		target.view_fd = layer_work_view(run, work, err);
		if (target.view_fd < 0)
			return -1;
	}
	return place_sources(copying, &target, err);
}

/*
 * Look for a result by the files. When not all digests are known, and there can be one,
 * the missing are made first.
 */
static int lookup_files(struct copying *copying, struct digest *out_bare, struct step_outcome *out,
			struct err *err)
{
	struct selection *selection = &copying->selection;
	struct digest key;

	if (key_by_files(copying, false, out_bare, err) < 0)
		return -1;
	if (selection->missing_digests > 0) {
		if (step_lookup(copying->run, out_bare, out, err) < 0)
			return -1;
		if (!out->is_cached)
			return 0;
		if (select_digest_all(&copying->tree, selection, 0, err) < 0)
			return -1;
	}
	if (key_by_files(copying, true, &key, err) < 0)
		return -1;
	return step_lookup(copying->run, &key, out, err);
}

static int make_copy(struct copying *copying, const struct digest *bare, struct step_outcome *out,
		     struct err *err)
{
	auto_layer_work struct layer_work work = LAYER_WORK_INIT;
	struct pack_result packed;

	copying->late = late_digests_new();
	work.originals = copying->originals = originals_new();
	if (resolve_owner(copying, err) < 0 || open_work(copying, &work, err) < 0 ||
	    make_layer(copying, &work, err) < 0 ||
	    layer_work_pack(copying->run, &work, NULL, &packed, err) < 0)
		return -1;
	/* archives were not copied, so not digested either */
	if (late_digests_finish(copying->late, &copying->selection, err) < 0 ||
	    select_digest_all(&copying->tree, &copying->selection, 0, err) < 0)
		return -1;
	if (key_by_files(copying, true, &out->key, err) < 0 ||
	    layer_work_publish(copying->run, &work, &packed, out, err) < 0)
		return -1;
	return step_note(copying->run, bare, &out->result, err);
}

static int copy_step(struct copying *copying, struct step_outcome *out, struct err *err)
{
	struct digest as_a_whole;
	struct digest bare;
	bool is_whole;

	find_tree(copying);
	if (copying->plan->is_link && resolve_owner(copying, err) < 0)
		return -1;
	if (resolve_remotes(copying, err) < 0)
		return -1;
	is_whole = copying->from || are_pinned(copying);
	if (is_whole) {
		if (copying->from)
			key_by_chain(copying, &as_a_whole);
		else
			key_by_pins(copying, &as_a_whole);
		if (step_lookup(copying->run, &as_a_whole, out, err) < 0)
			return -1;
		if (out->is_cached)
			return 0;
	}
	if (select_all(copying, err) < 0 || lookup_files(copying, &bare, out, err) < 0)
		return -1;
	if (!out->is_cached && make_copy(copying, &bare, out, err) < 0)
		return -1;
	if (!is_whole)
		return 0;
	return step_note(copying->run, &as_a_whole, &out->result, err);
}

int step_copy(struct stage_run *run, const struct step *step, struct step_outcome *out,
	      struct err *err)
{
	struct copying copying = {
		.run = run,
		.step = step,
		.plan = &step->copy,
		.image_chain = CHAIN_INIT,
		.selection = SELECTION_INIT,
		.options = { .chmod = step->copy.chmod.is_set ? &step->copy.chmod : NULL },
	};
	int result;

	result = copy_step(&copying, out, err);
	if (result == 0)
		step_key_settle(run, "copied", out);
	copying_release(&copying);
	return result;
}
