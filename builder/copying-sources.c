/* SPDX-License-Identifier: Apache-2.0 */
/* Where the sources of a COPY or ADD are, and which files they have. */
#include "builder/copying.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "builder/archive.h"
#include "common/fd.h"
#include "common/mem.h"

void copying_release(struct copying *copying)
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

void copying_find_tree(struct copying *copying)
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

const struct select_tree *copying_tree_of(const struct copying *copying, size_t source)
{
	size_t word = copying->words[source];

	if (copying->plan->sources[word].remote)
		return &copying->remotes[word].tree;
	return &copying->tree;
}

int copying_resolve(struct copying *copying, struct err *err)
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
	fd = select_open(copying_tree_of(copying, source), path, err);
	if (fd < 0 || archive_detect(fd, path, &copying->is_archive[source], err) < 0)
		return -1;
	copying->has_archive = copying->has_archive || copying->is_archive[source];
	return 0;
}

int copying_select(struct copying *copying, struct err *err)
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
