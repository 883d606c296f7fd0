/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what an upper directory changes, and in which order it is told:
 * one walk over the upper that looks up the same names below. Whether two files
 * are the same is left to diff-compare, what becomes of the upper to diff-settle.
 */
#include "layers/diff.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"
#include "layers/diff-internal.h"
#include "layers/record.h"
#include "layers/walk-internal.h"
#include "layers/whiteout.h"

#define TYPE_DONE DT_WHT /* of a dir_name that has had its turn */

static int visit_children(struct diff *diff, struct diff_level *level, struct err *err);

/* ---- giving ---- */

static int give(struct diff *diff, struct entry *entry, int content_fd, struct err *err)
{
	if (entry->type != ENTRY_OPAQUE && whiteout_refuse_reserved(entry->path, err) < 0)
		return -1;
	return diff->fn(diff->context, entry, content_fd, err);
}

static void fill(const struct diff *diff, const struct stat *st, struct entry *out)
{
	out->mode = st->st_mode & 07777;
	out->uid = st->st_uid;
	out->gid = st->st_gid;
	out->mtime = diff_published_mtime(diff, st);
}

/* @path is that of the level. */
static int give_directory(struct diff *diff, const struct diff_level *level, char *path,
			  struct err *err)
{
	struct entry entry = { .type = ENTRY_DIRECTORY, .path = path, .xattrs = level->xattrs };

	fill(diff, &level->st, &entry);
	return give(diff, &entry, -1, err);
}

/* The directories on the way to something that is given, and @level itself. */
static int give_parents(struct diff *diff, struct diff_level *level, struct err *err)
{
	char *end = diff->path.data + level->path_len;
	char kept = *end;
	int r;

	if (level->is_given)
		return 0;
	if (give_parents(diff, level->parent, err) < 0)
		return -1;
	*end = '\0';
	r = give_directory(diff, level, diff->path.data, err);
	*end = kept;
	level->is_given = true;
	return r;
}

static enum entry_type type_of(mode_t mode)
{
	if (S_ISLNK(mode))
		return ENTRY_SYMLINK;
	if (S_ISCHR(mode))
		return ENTRY_CHAR_DEVICE;
	if (S_ISBLK(mode))
		return ENTRY_BLOCK_DEVICE;
	return S_ISFIFO(mode) ? ENTRY_FIFO : ENTRY_FILE;
}

static int fill_node(struct diff *diff, const struct diff_level *level,
		     const struct diff_node *node, struct entry *out, struct err *err)
{
	const char *first = NULL;

	fill(diff, &node->st, out);
	out->type = type_of(node->st.st_mode);
	out->xattrs = node->xattrs;
	if (node->st.st_nlink > 1)
		first = diff_links_first(diff->links, &node->st, diff->path.data);
	if (first) {
		/* with its attributes: readers change the owner again, which clears capabilities */
		out->type = ENTRY_HARDLINK;
		out->link = (char *)first;
		return 0;
	}
	if (S_ISREG(node->st.st_mode))
		out->size_bytes = (uint64_t)node->st.st_size;
	if (S_ISCHR(node->st.st_mode) || S_ISBLK(node->st.st_mode)) {
		out->dev_major = major(node->st.st_rdev);
		out->dev_minor = minor(node->st.st_rdev);
	}
	if (!S_ISLNK(node->st.st_mode))
		return 0;
	if (diff_read_link(diff, level->fd, node->name, &node->st, &diff->target, err) < 0)
		return -1;
	out->link = diff->target.data;
	return 0;
}

static int content_fd(const struct diff *diff, const struct diff_node *node)
{
	const struct diff_options *options = diff->options;
	int fd =
		options->content_of ? options->content_of(options->content_context, &node->st) : -1;

	return fd < 0 ? node->fd : fd;
}

static int give_node(struct diff *diff, struct diff_level *level, struct diff_node *node,
		     struct err *err)
{
	struct entry entry = { .path = diff->path.data };

	if (diff_node_open(diff, level, node, err) < 0)
		return -1;
	if (fill_node(diff, level, node, &entry, err) < 0)
		return -1;
	if (give_parents(diff, level, err) < 0)
		return -1;
	if (give(diff, &entry, entry.type == ENTRY_FILE ? content_fd(diff, node) : -1, err) < 0)
		return -1;
	return diff_settle_given(diff, level, node, err);
}

static int give_mark(struct diff *diff, struct diff_level *level, enum entry_type type,
		     struct err *err)
{
	struct entry entry = { .type = type, .path = diff->path.data };

	if (give_parents(diff, level, err) < 0)
		return -1;
	return give(diff, &entry, -1, err);
}

/* ---- files ---- */

static bool is_dropped(const struct diff *diff, const struct stat *st)
{
	const char *const *drop = diff->options->drop_files;

	if (!drop || diff->mode != DIFF_UPPER || !S_ISREG(st->st_mode))
		return false;
	for (; *drop; drop++)
		if (strcmp(*drop, diff->path.data) == 0)
			return true;
	return false;
}

/* Look at every name in the upper, to learn which inodes have one that must be given. */
static int scan_links(struct diff *diff, struct err *err)
{
	struct diff scan = *diff;
	struct diff_level root = *diff->root;
	int r;

	scan.is_scanning = true;
	scan.root = &root;
	scan.path = (struct strbuf)STRBUF_INIT;
	scan.target = (struct strbuf)STRBUF_INIT;
	scan.base_target = (struct strbuf)STRBUF_INIT;
	scan.chunks = NULL;
	r = visit_children(&scan, &root, err);
	strbuf_release(&scan.path);
	strbuf_release(&scan.target);
	strbuf_release(&scan.base_target);
	free(scan.chunks);
	diff->links->is_complete = true;
	return r;
}

/* A file that is as it was is given nevertheless if another name of it is. */
static int other_name_is_given(struct diff *diff, const struct diff_node *node, bool *out_given,
			       struct err *err)
{
	*out_given = false;
	if (node->st.st_nlink < 2)
		return 0;
	if (!diff_links_is_given(diff->links, &node->st) && !diff->links->is_complete &&
	    scan_links(diff, err) < 0)
		return -1;
	*out_given = diff_links_is_given(diff->links, &node->st);
	return 0;
}

static int decide_node(struct diff *diff, struct diff_level *level, struct diff_node *node,
		       struct err *err)
{
	struct diff_base base;
	bool is_same = false;
	bool is_given = true;

	if (diff->mode == DIFF_UPPER) {
		if (diff_find_base(diff, level, node->name, &base, err) < 0)
			return -1;
		if (diff_is_same_file(diff, level, node, &base, &is_same, err) < 0)
			return -1;
	}
	if (diff->is_scanning) {
		if (node->st.st_nlink > 1)
			diff_links_note(diff->links, &node->st, !is_same);
		return 0;
	}
	if (is_same && other_name_is_given(diff, node, &is_given, err) < 0)
		return -1;
	if (is_given)
		return give_node(diff, level, node, err);
	return diff_settle_dropped(diff, level, node->name, err);
}

static int visit_file(struct diff *diff, struct diff_level *level, const char *name,
		      const struct stat *st, struct err *err)
{
	__attribute__((cleanup(diff_node_release))) struct diff_node node = { .name = name,
									      .st = *st,
									      .fd = -1 };

	if (is_dropped(diff, st))
		return diff_settle_dropped(diff, level, name, err);
	return decide_node(diff, level, &node, err);
}

/* ---- deletions ---- */

static int exists_below(const struct diff *diff, const struct diff_level *level, const char *name,
			bool *out_exists, struct err *err)
{
	struct stat st;

	*out_exists = false;
	if (level->lower_fd < 0)
		return 0;
	if (fstatat(level->lower_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		*out_exists = true;
	else if (errno != ENOENT)
		return err_sys(err, "stat '%s' in the layers below", diff->path.data);
	return 0;
}

static int visit_whiteout(struct diff *diff, struct diff_level *level, const char *name,
			  struct err *err)
{
	bool is_given = diff->mode == DIFF_LAYER;

	if (diff->is_scanning)
		return 0;
	if (!is_given && exists_below(diff, level, name, &is_given, err) < 0)
		return -1;
	if (!is_given)
		return diff_settle_dropped(diff, level, name, err);
	level->has_whiteouts = true;
	return give_mark(diff, level, ENTRY_WHITEOUT, err);
}

/* What a replaced directory has no longer. */
static int visit_gone(struct diff *diff, struct diff_level *level, const char *name,
		      struct err *err)
{
	level->has_whiteouts = true;
	if (give_mark(diff, level, ENTRY_WHITEOUT, err) < 0)
		return -1;
	return diff_settle_gone(diff, level, name, err);
}

static int visit_socket(struct diff *diff, struct diff_level *level, const char *name,
			struct err *err)
{
	bool hides = false;

	if (diff->is_scanning)
		return 0;
	log_warn("'%s' is a socket, which a layer cannot hold: left out", diff->path.data);
	if (diff->mode == DIFF_UPPER && exists_below(diff, level, name, &hides, err) < 0)
		return -1;
	if (!hides)
		return diff_settle_dropped(diff, level, name, err);
	level->has_whiteouts = true;
	if (give_mark(diff, level, ENTRY_WHITEOUT, err) < 0)
		return -1;
	return diff_settle_socket(diff, level, name, err);
}

static int has_whiteout_mark(struct diff *diff, const struct diff_level *level, const char *name,
			     bool *out_has, struct err *err)
{
	auto_close int fd = openat(level->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct xattrs xattrs = { .items = NULL };
	struct xattr_marks marks;
	int r;

	if (fd < 0)
		return err_sys(err, "open '%s'", diff->path.data);
	r = xattrs_scan(fd, diff->upper_form, &xattrs, &marks, diff->path.data, err);
	xattrs_release(&xattrs);
	if (r == 0)
		*out_has = marks.is_whiteout;
	return r;
}

/* Deletions and sockets have their turn before all else that the directory holds. */
static int visit_if_mark(struct diff *diff, struct diff_level *level, const char *name,
			 struct dir_name *item, struct err *err)
{
	bool may_be_file = level->marks.has_file_whiteouts && item->type == DT_REG;
	bool is_mark = false;
	struct stat st;

	if (item->type != DT_CHR && item->type != DT_SOCK && item->type != DT_UNKNOWN &&
	    !may_be_file)
		return 0;
	if (fstatat(level->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "stat '%s'", diff->path.data);
	if (S_ISSOCK(st.st_mode)) {
		item->type = TYPE_DONE;
		return visit_socket(diff, level, name, err);
	}
	if (diff->mode == DIFF_PLAIN)
		return 0;
	is_mark = whiteout_is_device(&st);
	if (level->marks.has_file_whiteouts && S_ISREG(st.st_mode) && st.st_size == 0 &&
	    has_whiteout_mark(diff, level, name, &is_mark, err) < 0)
		return -1;
	if (!is_mark)
		return 0;
	item->type = TYPE_DONE;
	return visit_whiteout(diff, level, name, err);
}

/* ---- directories ---- */

static int visit_directory(struct diff *diff, struct diff_level *parent, const char *name,
			   const struct stat *st, struct err *err)
{
	__attribute__((cleanup(diff_level_release))) struct diff_level level = {
		.parent = parent,
		.name = name,
		.path_len = diff->path.len,
		.depth = parent->depth + 1,
		.fd = -1,
		.lower_fd = -1,
		.init_fd = -1,
		.st = *st,
	};
	bool is_same = false;

	if (diff_level_open(diff, &level, err) < 0)
		return -1;
	level.is_replaced = parent->is_replaced || level.marks.is_opaque;
	if (diff->mode == DIFF_UPPER && diff_level_compare(diff, &level, &is_same, err) < 0)
		return -1;
	if (diff->mode == DIFF_LAYER)
		level.is_opaque = level.marks.is_opaque;
	if (level.is_opaque)
		fd_close(&level.lower_fd);
	if (!is_same && !diff->is_scanning && give_parents(diff, &level, err) < 0)
		return -1;
	diff_level_park_ancestor(&level);
	if (visit_children(diff, &level, err) < 0)
		return -1;
	if (diff_level_unpark_parent(diff, &level, err) < 0)
		return -1;
	return diff_settle_directory(diff, &level, err);
}

static int visit_child(struct diff *diff, struct diff_level *level, const char *name,
		       struct err *err)
{
	struct stat st;

	if (record_stat(level->fd, name, diff->options->ns, &st) < 0)
		return err_sys(err, "stat '%s'", diff->path.data);
	if (S_ISDIR(st.st_mode))
		return visit_directory(diff, level, name, &st, err);
	return visit_file(diff, level, name, &st, err);
}

static void enter_name(struct diff *diff, const struct diff_level *level, const char *name)
{
	strbuf_truncate(&diff->path, level->path_len);
	if (level->path_len > 0)
		strbuf_putc(&diff->path, '/');
	strbuf_puts(&diff->path, name);
}

/* In one order: the deletions of the upper itself, and of what it has no longer. */
static int visit_marks(struct diff *diff, struct diff_level *level, struct dir_names *names,
		       struct err *err)
{
	auto_dir_names struct dir_names below = DIR_NAMES_INIT;
	size_t i = 0;
	size_t k = 0;

	if (level->is_replaced && level->lower_fd >= 0 && !diff->is_scanning &&
	    dir_names_read(level->lower_fd, &below, diff->path.data, err) < 0)
		return -1;
	while (i < names->count || k < below.count) {
		int order = dir_names_order(names, i, &below, k);
		const char *name = order <= 0 ? dir_names_at(names, i) : dir_names_at(&below, k);

		enter_name(diff, level, name);
		if ((order <= 0 ? visit_if_mark(diff, level, name, &names->items[i], err)
				: visit_gone(diff, level, name, err)) < 0)
			return -1;
		i += order <= 0;
		k += order >= 0;
	}
	return 0;
}

static int visit_children(struct diff *diff, struct diff_level *level, struct err *err)
{
	auto_dir_names struct dir_names names = DIR_NAMES_INIT;

	if (level->is_opaque && !diff->is_scanning && give_mark(diff, level, ENTRY_OPAQUE, err) < 0)
		return -1;
	if (dir_names_read(level->fd, &names, diff->path.data, err) < 0)
		return -1;
	if (visit_marks(diff, level, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		const char *name = dir_names_at(&names, i);

		if (names.items[i].type == TYPE_DONE)
			continue;
		enter_name(diff, level, name);
		if (visit_child(diff, level, name, err) < 0)
			return -1;
	}
	strbuf_truncate(&diff->path, level->path_len);
	return 0;
}

/* ---- the root ---- */

static int visit_root(struct diff *diff, struct diff_level *root, struct err *err)
{
	struct timespec base_mtime = { .tv_sec = 0 };
	bool is_left_out = false;

	if (record_stat(root->fd, "", diff->options->ns, &root->st) < 0)
		return err_sys(err, "stat '/'");
	if (diff_scan_upper(diff, root->fd, &root->xattrs, &root->marks, err) < 0)
		return -1;
	if (diff->mode == DIFF_UPPER &&
	    diff_level_compare_root(diff, root, &is_left_out, &base_mtime, err) < 0)
		return -1;
	if (diff->mode == DIFF_LAYER) {
		is_left_out = root->marks.has_implied_root;
		root->is_opaque = root->marks.is_opaque;
	}
	if (root->is_opaque)
		root->lower_fd = -1; /* borrowed */
	if (!is_left_out && give_directory(diff, root, diff->path.data, err) < 0)
		return -1;
	root->is_given = true; /* never on the way to anything */
	if (visit_children(diff, root, err) < 0)
		return -1;
	return diff_settle_root(diff, root, is_left_out ? &base_mtime : NULL, err);
}

/* Descriptors of the root level are the caller's. */
static int run(struct diff *diff, int lower_fd, int upper_fd, struct err *err)
{
	struct diff_links links = { .table = NULL };
	struct diff_decisions decisions = { .table = NULL };
	struct diff_level root = { .name = "", .fd = upper_fd, .lower_fd = lower_fd };
	int r = 0;

	root.init_fd = diff->mode == DIFF_UPPER ? diff->options->init_fd : -1;
	diff->root = &root;
	diff->links = &links;
	diff->decisions = &decisions;
	diff->path = diff->target = diff->base_target = (struct strbuf)STRBUF_INIT;
	diff->lower_form = diff->upper_form;
	if (lower_fd >= 0)
		r = xattr_form_at(lower_fd, diff->upper_form, &diff->lower_form, err);
	if (r == 0)
		r = visit_root(diff, &root, err);
	xattrs_release(&root.xattrs);
	diff_links_release(&links);
	diff_decisions_release(&decisions);
	strbuf_release(&diff->path);
	strbuf_release(&diff->target);
	strbuf_release(&diff->base_target);
	free(diff->chunks);
	return r;
}

int diff_upper(int lower_fd, int upper_fd, const struct diff_options *options, diff_fn fn,
	       void *context, struct err *err)
{
	struct diff diff = { .mode = DIFF_UPPER, .options = options, .fn = fn };

	diff.context = context;
	diff.upper_form = xattr_form_of(options->ns);
	return run(&diff, lower_fd, upper_fd, err);
}

int diff_layer(int layer_fd, const struct diff_options *options, diff_fn fn, void *context,
	       struct err *err)
{
	struct diff_options kept = *options;
	struct diff diff = { .mode = DIFF_LAYER, .options = &kept, .fn = fn };

	kept.settle = false;
	diff.context = context;
	diff.upper_form = xattr_form_of(options->ns);
	return run(&diff, -1, layer_fd, err);
}

int diff_whole_tree(int root_fd, const struct diff_options *options, diff_fn fn, void *context,
		    struct err *err)
{
	struct diff_options kept = *options;
	struct diff diff = { .mode = DIFF_PLAIN, .options = &kept, .fn = fn };

	kept.settle = false;
	diff.context = context;
	diff.upper_form = XATTR_FORM_MERGED;
	return run(&diff, -1, root_fd, err);
}
