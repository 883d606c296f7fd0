/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what is behind each kind of RUN --mount. Sources are resolved in
 * the context, stage or image by descriptor and handed on as such; what a step
 * writes into one goes to a directory that is thrown away, or into a cache.
 */
#include "builder/step-mount.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "builder/copy.h"
#include "builder/plan-internal.h"
#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"
#include "sandbox/memfile.h"
#include "storage/mount.h"

#define WAIT_MS     50
#define COPY_NAME   "copy"
#define SECRET_MODE 0400
#define AGENT_MODE  0600
#define SCRIPT_MODE 0755

static const struct run_mount *options_of(const struct step_mount *mount)
{
	return &mount->plan->options;
}

static struct store *store_of(const struct step_mounts *mounts)
{
	return mounts->run->build->request->store;
}

void step_mount_tree(const struct step_mounts *mounts, const struct step_mount *mount,
		     struct select_tree *out)
{
	const struct build_request *request = mounts->run->build->request;
	const struct context *context = request->context;
	size_t index = mount->plan->from_index;

	*out = (struct select_tree){ .store = request->store,
				     .ns = store_overlay_ns(request->store) };
	out->what = mount->what ? mount->what : "the context";
	if (mount->plan->has_layers) {
		out->fd = mount->chain.view_fd;
		return;
	}
	if (index > 0)
		context = &request->named->items[index - 1].context;
	out->fd = context->fd;
	out->ignore = &context->ignore;
	out->ignore_name = context->ignore_name;
	out->is_context = true;
	out->is_new = context_is_unpacked(context);
}

/* Copy the selected source to @name in @dir_fd, with its own mode, owner and times. */
static int copy_selected(const struct step_mounts *mounts, const struct select_tree *tree,
			 struct selection *selection, int dir_fd, const char *name, struct err *err)
{
	const struct copy_options options = { .has_owner = false };
	const struct copy_target target = { .root_fd = dir_fd, .view_fd = -1, .ns = tree->ns };
	const struct copy_request request = {
		.tree = tree,
		.selection = selection,
		.dest = name,
		.options = &options,
		.interrupt_fd = mounts->run->build->request->interrupt_fd,
	};

	return copy_source_to(&target, &request, err);
}

static int note_type(struct step_mount *mount, int fd, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "stat '%s'", mount->target);
	mount->is_file = !S_ISDIR(st.st_mode);
	return 0;
}

/* ---- bind ---- */

/*
 * The files themselves can be shown only when the step would see nothing else in a
 * copy: nothing left out, all owned by 0:0, nothing to be written.
 */
static bool can_show_context(const struct select_tree *tree, const struct step_mount *mount)
{
	return options_of(mount)->is_read_only && !tree->ignore_name &&
	       !mount->selection.has_foreign;
}

static int open_context(struct step_mounts *mounts, struct step_mount *mount, struct err *err)
{
	struct select_tree tree;

	mount->kind = SANDBOX_MOUNT_BIND;
	step_mount_tree(mounts, mount, &tree);
	if (can_show_context(&tree, mount)) {
		/* in a user namespace what is mounted below must come along */
		mount->flags |= SANDBOX_MOUNT_RECURSIVE;
		mount->fd = beneath_open(tree.fd, mount->selection.sources[0].path,
					 BENEATH_NO_LINKS, O_PATH, err);
	} else {
		if (layer_draft_open(store_of(mounts), &mount->draft, err) < 0 ||
		    copy_selected(mounts, &tree, &mount->selection, mount->draft.fs_fd, COPY_NAME,
				  err) < 0)
			return -1;
		mount->fd =
			beneath_open(mount->draft.fs_fd, COPY_NAME, BENEATH_NO_LINKS, O_PATH, err);
	}
	return mount->fd < 0 ? -1 : note_type(mount, mount->fd, err);
}

/* An upper for writes that nobody will see again; its root looks like that of @view_fd. */
static int open_upper(struct step_mounts *mounts, struct step_mount *mount, int view_fd,
		      struct mount_request *request, struct err *err)
{
	struct store *store = store_of(mounts);

	if (layer_draft_open(store, &mount->draft, err) < 0 ||
	    entry_copy_metadata(view_fd, mount->draft.fs_fd, store_overlay_ns(store), "/", err) < 0)
		return -1;
	request->upper_fd = mount->draft.fs_fd;
	request->work_fd = mount->draft.work_fd;
	return 0;
}

static int open_from(struct step_mounts *mounts, struct step_mount *mount, struct err *err)
{
	const struct run_mount *options = options_of(mount);
	auto_free char *path = plan_path("/", options->source ? options->source : "/");
	struct mount_request request = { .upper_fd = -1, .work_fd = -1 };
	auto_close int fd = -1;

	if (chain_open(&mount->chain, err) < 0)
		return -1;
	if (!options->is_read_only) {
		int view_fd = chain_view(&mount->chain, err);

		if (view_fd < 0 || open_upper(mounts, mount, view_fd, &request, err) < 0)
			return -1;
	}
	request.lowers = mount->chain.fds;
	request.lower_count = mount->chain.fd_count;
	mount->kind = SANDBOX_MOUNT_TREE;
	mount->fd = mount_layers(store_of(mounts), &request, err);
	if (mount->fd < 0)
		return -1;
	fd = beneath_open(mount->fd, path, BENEATH_IN_ROOT, O_PATH, err);
	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_INPUT, "'%s' is not in '%s'", options->source,
			       options->from);
	if (fd < 0)
		return -1;
	if (strcmp(path, "/") != 0)
		mount->data = ptr_steal(&path);
	return note_type(mount, fd, err);
}

static int open_bind(struct step_mounts *mounts, struct step_mount *mount, struct err *err)
{
	mount->flags |= SANDBOX_MOUNT_NODEV;
	return mount->plan->has_layers ? open_from(mounts, mount, err)
				       : open_context(mounts, mount, err);
}

/* ---- volumes ---- */

/* The host's directory below an upper that is thrown away. */
static int open_overlay(struct step_mounts *mounts, struct step_mount *mount, struct err *err)
{
	struct mount_request request = { .upper_fd = -1, .work_fd = -1, .lower_count = 1 };
	char self[FD_PATH_MAX];
	auto_close int fd = -1;

	fd = open(fd_path(mount->volume->fd, self), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open the directory '%s'", mount->volume->source);
	if (!mount->volume->read_only && open_upper(mounts, mount, fd, &request, err) < 0)
		return -1;
	request.lowers = &fd;
	mount->kind = SANDBOX_MOUNT_TREE;
	mount->fd = mount_layers(store_of(mounts), &request, err);
	return mount->fd < 0 ? -1 : 0;
}

static int open_volume(struct step_mounts *mounts, struct step_mount *mount, struct err *err)
{
	const struct volume *volume = mount->volume;

	mount->is_file = volume->is_file;
	mount->flags |= SANDBOX_MOUNT_NODEV;
	if (volume->read_only)
		mount->flags |= SANDBOX_MOUNT_READ_ONLY;
	if (volume->is_overlay && open_overlay(mounts, mount, err) < 0)
		return err_prefix(err, "--volume");
	if (volume->is_overlay)
		return 0;
	mount->kind = SANDBOX_MOUNT_BIND;
	mount->flags |= SANDBOX_MOUNT_RECURSIVE;
	mount->fd = fcntl(volume->fd, F_DUPFD_CLOEXEC, 0);
	return mount->fd < 0 ? err_sys(err, "duplicate a descriptor") : 0;
}

/* ---- cache ---- */

struct filling {
	struct step_mounts *mounts;
	struct step_mount *mount;
};

/* What a new cache begins with. */
static int fill_cache(void *context, int dir_fd, struct err *err)
{
	struct filling *filling = context;
	struct step_mount *mount = filling->mount;
	const char *source = options_of(mount)->source;
	auto_selection struct selection selection = SELECTION_INIT;
	struct select_tree tree;

	if (mount->plan->has_layers && chain_view(&mount->chain, err) < 0)
		return -1;
	step_mount_tree(filling->mounts, mount, &tree);
	if (select_path(&tree, source ? source : "/", &selection, err) < 0)
		return -1;
	if (!selection.sources[0].is_directory)
		return err_set(err, ERR_INPUT, "'%s' in '%s' is not a directory", source,
			       options_of(mount)->from);
	return copy_selected(filling->mounts, &tree, &selection, dir_fd, "fs", err);
}

/* What the step has already, if it names the same cache twice. */
static const struct step_mount *same_cache(const struct step_mounts *mounts,
					   const struct step_mount *mount)
{
	for (size_t i = 0; i < mounts->count; i++) {
		const struct step_mount *other = &mounts->items[i];

		if (other != mount && other->cache.fs_fd >= 0 &&
		    digest_equal(&other->cache_key, &mount->cache_key))
			return other;
	}
	return NULL;
}

/* The strictest that any of the step's mounts of this cache asks for. */
static enum cachemount_sharing sharing_of(const struct step_mounts *mounts,
					  const struct step_mount *mount)
{
	static const enum cachemount_sharing of[] = {
		[RUN_SHARING_SHARED] = CACHEMOUNT_SHARED,
		[RUN_SHARING_PRIVATE] = CACHEMOUNT_PRIVATE,
		[RUN_SHARING_LOCKED] = CACHEMOUNT_LOCKED,
	};
	enum cachemount_sharing found = of[options_of(mount)->sharing];

	for (size_t i = 0; i < mounts->count; i++) {
		const struct step_mount *other = &mounts->items[i];

		if (other->plan && options_of(other)->type == RUN_MOUNT_CACHE &&
		    digest_equal(&other->cache_key, &mount->cache_key) &&
		    found == CACHEMOUNT_SHARED)
			found = of[options_of(other)->sharing];
	}
	return found;
}

static int wait_for_cache(struct step_mounts *mounts, const struct cachemount_request *request,
			  struct cachemount *out, struct err *err)
{
	struct pollfd interrupt = { .fd = mounts->run->build->request->interrupt_fd,
				    .events = POLLIN };
	bool is_busy = true;

	for (;;) {
		if (cachemount_take(store_of(mounts), request, out, &is_busy, err) < 0)
			return -1;
		if (!is_busy)
			return 0;
		if (poll(&interrupt, 1, WAIT_MS) > 0)
			return err_set(err, ERR_INTERRUPTED, "interrupted");
	}
}

static int open_cache(struct step_mounts *mounts, struct step_mount *mount, struct err *err)
{
	const struct run_mount *options = options_of(mount);
	const struct step_mount *same = same_cache(mounts, mount);
	struct filling filling = { .mounts = mounts, .mount = mount };
	const struct cachemount_request request = {
		.key = &mount->cache_key,
		.id = mount->plan->id,
		.sharing = sharing_of(mounts, mount),
		.has_owner = options->has_uid || options->has_gid,
		.uid = options->uid,
		.gid = options->gid,
		.has_mode = options->has_mode,
		.mode = options->mode & 07777,
		.fill = mount->plan->has_seed ? fill_cache : NULL,
		.context = &filling,
	};

	mount->kind = SANDBOX_MOUNT_BIND;
	mount->flags |= SANDBOX_MOUNT_NODEV;
	if (!same && wait_for_cache(mounts, &request, &mount->cache, err) < 0)
		return -1;
	mount->fd = fcntl(same ? same->cache.fs_fd : mount->cache.fs_fd, F_DUPFD_CLOEXEC, 0);
	return mount->fd < 0 ? err_sys(err, "duplicate a descriptor") : 0;
}

/* ---- the others ---- */

static void open_tmpfs(struct step_mount *mount)
{
	const struct run_mount *options = options_of(mount);

	mount->kind = SANDBOX_MOUNT_TMPFS;
	mount->flags |= SANDBOX_MOUNT_NOSUID | SANDBOX_MOUNT_NODEV;
	mount->data = options->size_bytes
			      ? str_format("mode=1777,size=%" PRIu64, options->size_bytes)
			      : str_dup("mode=1777");
}

/* What was not lent is left out, unless the step cannot do without. */
static int not_lent(const struct step_mount *mount, const char *what, struct err *err)
{
	if (!options_of(mount)->is_required)
		return 0;
	return err_set(err, ERR_INPUT, "the %s '%s' is required and was not given", what,
		       mount->plan->id);
}

static int open_memory(struct step_mount *mount, const struct memfile_spec *spec, struct err *err)
{
	mount->kind = SANDBOX_MOUNT_TREE;
	mount->is_file = true;
	mount->flags |= SANDBOX_MOUNT_NOSUID | SANDBOX_MOUNT_NODEV;
	mount->data = str_dup(MEMFILE_NAME);
	mount->fd = memfile_mount(spec, err);
	return mount->fd < 0 ? -1 : 0;
}

static int open_secret(struct step_mounts *mounts, struct step_mount *mount, struct err *err)
{
	const struct run_mount *options = options_of(mount);
	const struct grants *grants = mounts->run->build->request->grants;
	const struct grant_secret *secret = grants_secret(grants, mount->plan->id);
	struct memfile_spec spec = {
		.mode = options->has_mode ? options->mode & 07777 : SECRET_MODE,
		.uid = options->uid,
		.gid = options->gid,
	};

	if (!secret)
		return not_lent(mount, "secret", err) < 0
			       ? source_hint(err, "imgbuild --secret id=%s,src=FILE gives it",
					     mount->plan->id)
			       : 0;
	if (mount->plan->env) {
		if (strlen(secret->value) != secret->len)
			return err_set(err, ERR_INPUT,
				       "the secret '%s' has a NUL in it and can be no variable",
				       secret->id);
		strlist_env_set(&mounts->env, mount->plan->env, secret->value);
	}
	if (!mount->target)
		return 0;
	spec.data = secret->value;
	spec.len = secret->len;
	mount->flags |= SANDBOX_MOUNT_NOEXEC;
	return open_memory(mount, &spec, err);
}

static int open_agent(struct step_mounts *mounts, struct step_mount *mount, struct err *err)
{
	const struct run_mount *options = options_of(mount);
	const struct build_request *request = mounts->run->build->request;
	const struct grant_agent *agent = grants_agent(request->grants, mount->plan->id);
	struct relay_spec spec = {
		.tmp_fd = store_tmp_fd(request->store),
		.mode = options->has_mode ? options->mode & 0777 : AGENT_MODE,
		.uid = options->uid,
		.gid = options->gid,
	};

	if (!agent)
		return not_lent(mount, "SSH agent", err) < 0
			       ? source_hint(err, "imgbuild --ssh %s gives it", mount->plan->id)
			       : 0;
	spec.path = agent->path;
	if (relay_start(&spec, &mount->relay, err) < 0)
		return -1;
	mount->kind = SANDBOX_MOUNT_BIND;
	mount->is_file = true;
	mount->fd = fcntl(relay_socket_fd(mount->relay), F_DUPFD_CLOEXEC, 0);
	if (mount->fd < 0)
		return err_sys(err, "duplicate a descriptor");
	if (!strlist_env_get(&mounts->step->run.env, "SSH_AUTH_SOCK") &&
	    !strlist_env_get(&mounts->env, "SSH_AUTH_SOCK"))
		strlist_env_set(&mounts->env, "SSH_AUTH_SOCK", mount->target);
	return 0;
}

static int open_script(const struct step_mounts *mounts, struct step_mount *mount, struct err *err)
{
	const char *text = mounts->step->run.script;
	const struct memfile_spec spec = { .data = text, .len = strlen(text), .mode = SCRIPT_MODE };

	mount->flags |= SANDBOX_MOUNT_READ_ONLY;
	return open_memory(mount, &spec, err);
}

int step_mount_open(struct step_mounts *mounts, struct step_mount *mount, struct err *err)
{
	if (mount->volume)
		return open_volume(mounts, mount, err);
	if (!mount->plan)
		return open_script(mounts, mount, err);
	if (options_of(mount)->is_read_only)
		mount->flags |= SANDBOX_MOUNT_READ_ONLY;
	switch (options_of(mount)->type) {
	case RUN_MOUNT_BIND:
		return open_bind(mounts, mount, err);
	case RUN_MOUNT_CACHE:
		return open_cache(mounts, mount, err);
	case RUN_MOUNT_TMPFS:
		open_tmpfs(mount);
		return 0;
	case RUN_MOUNT_SECRET:
		return open_secret(mounts, mount, err);
	case RUN_MOUNT_SSH:
		return open_agent(mounts, mount, err);
	}
	return err_set(err, ERR_BUG, "a mount of no known type");
}
