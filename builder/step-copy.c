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
#include "builder/archive.h"
#include "builder/copying.h"
#include "common/fd.h"
#include "common/mem.h"
#include "layers/unpack.h"
#include "sandbox/user.h"

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
	fd = select_open(copying_tree_of(copying, source), path, err);
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
		request.tree = copying_tree_of(copying, i);
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

	if (copying_key_by_files(copying, false, out_bare, err) < 0)
		return -1;
	if (selection->missing_digests > 0) {
		if (step_lookup(copying->run, out_bare, out, err) < 0)
			return -1;
		if (!out->is_cached)
			return 0;
		if (select_digest_all(&copying->tree, selection, 0, err) < 0)
			return -1;
	}
	if (copying_key_by_files(copying, true, &key, err) < 0)
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
	if (copying_key_by_files(copying, true, &out->key, err) < 0 ||
	    layer_work_publish(copying->run, &work, &packed, out, err) < 0)
		return -1;
	return step_note(copying->run, bare, &out->result, err);
}

static int copy_step(struct copying *copying, struct step_outcome *out, struct err *err)
{
	struct digest as_a_whole;
	struct digest bare;
	bool is_whole;

	copying_find_tree(copying);
	if (copying->plan->is_link && resolve_owner(copying, err) < 0)
		return -1;
	if (copying_resolve(copying, err) < 0)
		return -1;
	is_whole = copying->from || copying_is_pinned(copying);
	if (is_whole) {
		if (copying->from)
			copying_key_by_chain(copying, &as_a_whole);
		else
			copying_key_by_pins(copying, &as_a_whole);
		if (step_lookup(copying->run, &as_a_whole, out, err) < 0)
			return -1;
		if (out->is_cached)
			return 0;
	}
	if (copying_select(copying, err) < 0 || lookup_files(copying, &bare, out, err) < 0)
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
