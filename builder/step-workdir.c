/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WORKDIR: makes the directory, and those on the way to it, 0755 and owned by
 * the user that holds. One that is there already stays as it is: the layer is empty.
 */
#include <fcntl.h>

#include "builder/copy.h"
#include "builder/step.h"
#include "common/fd.h"
#include "common/mem.h"
#include "sandbox/user.h"

static int make_directory(struct stage_run *run, const struct plan_workdir *workdir,
			  struct layer_work *work, struct err *err)
{
	struct store *store = run->build->request->store;
	struct copy_options options = { .has_owner = false };
	struct copy_target target = { .root_fd = work->draft.fs_fd, .ns = store_overlay_ns(store) };
	auto_strbuf struct strbuf path = STRBUF_INIT;
	struct follow_tree tree;
	auto_close int fd = -1;
	struct stat st;
	bool found;

	target.view_fd = chain_view(&run->result->chain, err);
	if (target.view_fd < 0)
		return -1;
	tree = copy_target_tree(&target);
	if (follow_path(&tree, workdir->path, &path, &found, &st, err) < 0)
		return -1;
	if (found && S_ISDIR(st.st_mode))
		return 0;
	if (found)
		return err_set(err, ERR_INPUT, "'%s' is there and is not a directory",
			       workdir->path);
	/* as --chown has it: of a number, the group is the same number */
	if (workdir->user[0] &&
	    user_resolve_chown(target.view_fd, workdir->user, &options.uid, &options.gid, err) < 0)
		return -1;
	options.has_owner = true;
	fd = copy_open_directory(&target, path.data, &options, NULL, NULL, err);
	return fd < 0 ? -1 : 0;
}

int step_workdir(struct stage_run *run, const struct step *step, struct step_outcome *out,
		 struct err *err)
{
	auto_layer_work struct layer_work work = LAYER_WORK_INIT;
	auto_cachekey struct cachekey key = { 0 };
	struct digest digest;

	step_key_init(run, "workdir", &key);
	cachekey_string(&key, "path", step->workdir.path);
	cachekey_string(&key, "user", step->workdir.user);
	cachekey_final(&key, &digest);
	if (step_lookup(run, &digest, out, err) < 0)
		return -1;
	if (out->is_cached)
		return 0;

	if (layer_work_open(run, &work, err) < 0 ||
	    make_directory(run, &step->workdir, &work, err) < 0)
		return -1;
	return layer_work_finish(run, &work, NULL, out, err);
}
