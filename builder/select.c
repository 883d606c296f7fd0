/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for which files a source names: links on the way to it are followed,
 * those inside of it are not; what the ignore file leaves out does not exist. How
 * they are placed is copy.c's.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "builder/follow.h"
#include "builder/match.h"
#include "builder/select-internal.h"
#include "builder/source.h"
#include "common/beneath.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/mem.h"
#include "layers/record.h"
#include "layers/walk.h"
#include "storage/stepcache.h"

/* Attributes are rare: one call tells that there are none, without opening the file. */
static int load_xattrs(const struct select_tree *tree, int dir_fd, const char *name,
		       const struct stat *st, struct select_item *item, struct err *err)
{
	char path[FD_PATH_MAX + NAME_MAX + 2];
	size_t dir_len;
	auto_close int fd = -1;
	ssize_t n;

	if (S_ISLNK(st->st_mode) && tree->is_context)
		return 0;
	dir_len = strlen(fd_path(dir_fd, path));
	path[dir_len++] = '/';
	memcpy(path + dir_len, name, strlen(name) + 1); /* at most NAME_MAX: it is a file's */
	n = llistxattr(path, NULL, 0);
	if (n == 0 || (n < 0 && (errno == ENOTSUP || errno == EPERM || errno == EACCES)))
		return 0;
	if (n < 0)
		return err_sys(err, "list attributes of '%s'", item->path);
	fd = openat(dir_fd, name[0] ? name : ".", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open '%s'", item->path);
	return xattrs_load_view(fd, tree->ns, &item->xattrs, item->path, err);
}

static int load_link(int dir_fd, const char *name, struct select_item *item, struct err *err)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(dir_fd, name, text, sizeof(text) - 1);

	if (n < 0)
		return err_sys(err, "read link '%s'", item->path);
	text[n] = '\0';
	item->link = str_dup(text);
	return 0;
}

/* All about one file but its content. @path is taken; its last @below_len bytes are below the
 * source. */
static int load_item(const struct select_tree *tree, int dir_fd, const char *name,
		     const struct stat *found, char *path, size_t below_len,
		     struct select_item *out, struct err *err)
{
	struct stat recorded = *found;
	const struct stat *st = &recorded;

	*out = (struct select_item){ .path = path };
	if (!tree->is_context && tree->ns != OVERLAY_TRUSTED &&
	    record_stat(dir_fd, name, tree->ns, &recorded) < 0)
		return err_sys(err, "stat '%s'", path);
	*out = (struct select_item){
		.path = path,
		.below = path + strlen(path) - below_len,
		.mode = st->st_mode,
		.uid = tree->is_context ? 0 : st->st_uid,
		.gid = tree->is_context ? 0 : st->st_gid,
		.size = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0,
		.rdev = S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode) ? st->st_rdev : 0,
		.mtime = st->st_mtim,
	};
	if (S_ISREG(st->st_mode) && st->st_nlink > 1) {
		out->dev = st->st_dev;
		out->ino = st->st_ino;
	}
	if (S_ISLNK(st->st_mode) && load_link(dir_fd, name, out, err) < 0)
		return -1;
	if (load_xattrs(tree, dir_fd, name, st, out, err) < 0)
		return -1;
	return 0;
}

/* A directory that is left out itself, but may hold files that are not. */
struct pending {
	struct select_item item;
	struct stat st;
	bool is_added;
};

struct tree_walk {
	const struct select_tree *tree;
	struct selection *selection;
	const char *source;          /* path of the directory that is walked, "" for the root */
	const struct match *pattern; /* NULL, or only what matches, and the directories to it */
	bool root_is_way;            /* the destination takes nothing of the source itself */
	struct pending *pending;
	size_t pending_count;
};

static char *join(const char *dir, const char *below)
{
	size_t dir_len = strlen(dir);
	size_t below_len = strlen(below);
	char *path;

	if (dir_len == 0 || below_len == 0)
		return str_dup(dir_len == 0 ? below : dir);
	path = mem_alloc(dir_len + below_len + 2);
	memcpy(path, dir, dir_len);
	path[dir_len] = '/';
	memcpy(path + dir_len + 1, below, below_len + 1);
	return path;
}

static bool is_ignored(const struct select_tree *tree, const char *path)
{
	return tree->ignore && path[0] && ignore_match(tree->ignore, path);
}

static bool is_excluded(const struct select_tree *tree, const char *below)
{
	return tree->exclude && below[0] && ignore_match(tree->exclude, below);
}

/* Is the file or directory itself left out? Its path in the tree, and that below the source. */
static bool is_left_out(const struct tree_walk *walk, const char *path, const char *below)
{
	if (walk->pattern && (!below[0] || !match_test_tree(walk->pattern, below, strlen(below))))
		return true;
	return is_ignored(walk->tree, path) || is_excluded(walk->tree, below);
}

/* Of a directory that is left out: may something below it not be? */
static bool may_descend(const struct tree_walk *walk, const char *path, const char *below)
{
	const struct select_tree *tree = walk->tree;

	if (tree->ignore && path[0] && !ignore_may_descend(tree->ignore, path))
		return false;
	if (tree->exclude && below[0] && !ignore_may_descend(tree->exclude, below))
		return false;
	return !walk->pattern || !below[0] ||
	       match_test_tree(walk->pattern, below, strlen(below)) ||
	       match_test_below(walk->pattern, below, strlen(below));
}

static int add_pending(struct tree_walk *walk, struct err *err)
{
	for (size_t i = 0; i < walk->pending_count; i++) {
		struct pending *pending = &walk->pending[i];

		if (pending->is_added)
			continue;
		pending->is_added = true;
		pending->item.is_way = pending->item.is_way || walk->pattern;
		if (select_add_item(walk->tree, walk->selection, &pending->item,
				    &pending->st, err) < 0)
			return -1;
	}
	return 0;
}

static void leave_directory(struct tree_walk *walk, const char *path)
{
	struct pending *last;

	if (walk->pending_count == 0)
		return;
	last = &walk->pending[walk->pending_count - 1];
	if (strcmp(last->item.below, path) != 0)
		return;
	select_item_release(&last->item);
	walk->pending_count--;
}

static int visit(void *context, const struct walk_item *at, struct err *err)
{
	struct tree_walk *walk = context;
	struct select_item item;
	auto_free char *path = NULL;
	bool left_out;
	int result;

	if (at->event == WALK_LEAVE) {
		leave_directory(walk, at->path);
		return 0;
	}
	path = join(walk->source, at->path);
	left_out = is_left_out(walk, path, at->path);
	if (left_out && (at->event == WALK_FILE || !may_descend(walk, path, at->path))) {
		if (at->event == WALK_ENTER)
			*at->out_descend = false;
		return 0;
	}
	if (S_ISSOCK(at->st->st_mode)) {
		log_warn("'%s' is a socket, which no image can hold: left out", path);
		return 0;
	}

	if (load_item(walk->tree, at->event == WALK_ENTER ? at->fd : at->dir_fd,
		      at->event == WALK_ENTER ? "" : at->name, at->st, str_dup(path),
		      strlen(at->path), &item, err) < 0) {
		select_item_release(&item);
		return -1;
	}
	item.is_way = walk->root_is_way && !at->path[0];
	if (!left_out) {
		result = add_pending(walk, err);
		if (result == 0)
			result = select_add_item(walk->tree, walk->selection, &item, at->st, err);
		select_item_release(&item);
		return result;
	}
	walk->pending = mem_resize(walk->pending, walk->pending_count + 1, sizeof(struct pending));
	walk->pending[walk->pending_count++] = (struct pending){ .item = item, .st = *at->st };
	return 0;
}

static int add_directory(const struct select_tree *tree, const char *path,
			 const struct match *pattern, struct selection *selection, struct err *err)
{
	struct tree_walk walk = { .tree = tree,
				  .selection = selection,
				  .source = path,
				  .pattern = pattern,
				  .root_is_way = tree->keeps_parents };
	auto_close int fd = -1;
	int result;

	fd = beneath_open(tree->fd, path, BENEATH_NO_LINKS, O_RDONLY | O_DIRECTORY, err);
	if (fd < 0)
		return -1;
	result = walk_tree(fd, visit, &walk, err);
	for (size_t i = 0; i < walk.pending_count; i++)
		select_item_release(&walk.pending[i].item);
	free(walk.pending);
	return result;
}

static int add_file(const struct select_tree *tree, const char *path, const char *named,
		    struct selection *selection, struct err *err)
{
	char name[NAME_MAX + 1];
	auto_close int dir_fd = -1;
	struct select_item item;
	struct stat st;
	int result;

	if (is_ignored(tree, path) || is_excluded(tree, named))
		return 0;
	dir_fd = beneath_parent(tree->fd, path, BENEATH_NO_LINKS, name, err);
	if (dir_fd < 0)
		return -1;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "stat '%s'", path);
	if (S_ISSOCK(st.st_mode))
		return err_set(err, ERR_INPUT, "'%s' is a socket, which no image can hold", path);
	if (load_item(tree, dir_fd, name, &st, str_dup(path), 0, &item, err) < 0) {
		select_item_release(&item);
		return -1;
	}
	result = select_add_item(tree, selection, &item, &st, err);
	select_item_release(&item);
	return result;
}

/* One named path; *out_found false when there is nothing. */
static int add_source(const struct select_tree *tree, const char *named,
		      struct selection *selection, bool *out_found, struct err *err)
{
	struct follow_tree follow = { .fds = { tree->fd }, .count = 1 };
	struct select_mark mark = select_mark(selection);
	auto_strbuf struct strbuf path = STRBUF_INIT;
	const char *slash = strrchr(named, '/');
	const char *name = slash ? slash + 1 : named;
	bool is_directory;
	struct stat st;
	int result;

	if (follow_path(&follow, named, &path, out_found, &st, err) < 0)
		return -1;
	if (!*out_found)
		return 0;
	is_directory = S_ISDIR(st.st_mode);
	result = is_directory ? add_directory(tree, path.data, NULL, selection, err)
			      : add_file(tree, path.data, name, selection, err);
	if (result < 0)
		return -1;
	if (selection->count > mark.count)
		select_add_source(selection, &mark, name, path.data, is_directory);
	else
		*out_found = is_excluded(tree, name) && !is_ignored(tree, path.data);
	return 0;
}

/* "/a/./b/../c/" → "a/c"; what leads out at the top is cut. */
static char *clean(const char *path)
{
	struct strbuf out = STRBUF_INIT;

	for (const char *part = path; *part;) {
		size_t len = strcspn(part, "/");

		if (len == 2 && memcmp(part, "..", 2) == 0) {
			const char *slash = memrchr(out.data, '/', out.len);

			strbuf_truncate(&out, slash ? (size_t)(slash - out.data) : 0);
		} else if (len > 0 && !(len == 1 && part[0] == '.')) {
			if (out.len > 0)
				strbuf_putc(&out, '/');
			strbuf_add(&out, part, len);
		}
		part += len;
		part += strspn(part, "/");
	}
	return strbuf_steal(&out);
}

/* Names in directory @dir (a path without links) that match @pattern; none when it is no directory.
 */
static int match_names(const struct select_tree *tree, const char *dir, const char *pattern,
		       struct strlist *out, struct err *err)
{
	auto_strlist struct strlist names = STRLIST_INIT;
	auto_close int fd = -1;

	fd = beneath_open(tree->fd, dir, BENEATH_NO_LINKS, O_RDONLY | O_DIRECTORY, err);
	if (fd < 0) {
		if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
			return -1;
		err_clear(err);
		return 0;
	}
	if (walk_names(fd, &names, dir, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++)
		if (match_glob(pattern, names.items[i]))
			strlist_take(out, join(dir, names.items[i]));
	return 0;
}

/*
 * All paths that @pattern matches, in the order of their names. The part before
 * the first wildcard may lead through links; below it only real directories count.
 */
static int expand_pattern(const struct select_tree *tree, const char *pattern, struct strlist *out,
			  struct err *err)
{
	struct follow_tree follow = { .fds = { tree->fd }, .count = 1 };
	auto_strbuf struct strbuf base = STRBUF_INIT;
	auto_free char *fixed = NULL;
	const char *rest = pattern;
	bool found;

	for (;;) {
		size_t len = strcspn(rest, "/");
		auto_free char *part = str_ndup(rest, len);

		if (match_is_pattern(part))
			break;
		rest += len + 1;
	}
	fixed = str_ndup(pattern, (size_t)(rest - pattern));
	if (follow_path(&follow, fixed, &base, &found, NULL, err) < 0)
		return -1;
	if (!found)
		return 0;

	strlist_add(out, base.data);
	while (*rest) {
		auto_strlist struct strlist next = STRLIST_INIT;
		size_t len = strcspn(rest, "/");
		auto_free char *part = str_ndup(rest, len);

		for (size_t i = 0; i < out->count; i++)
			if (match_names(tree, out->items[i], part, &next, err) < 0)
				return -1;
		strlist_copy(out, &next);
		rest += len;
		rest += strspn(rest, "/");
	}
	return 0;
}

static int missing(const struct select_tree *tree, const char *pattern, bool is_wildcard,
		   struct err *err)
{
	auto_free char *path = clean(pattern);

	if (is_wildcard)
		err_set(err, ERR_INPUT, "no file in %s matches '%s'", tree->what, pattern);
	else
		err_set(err, ERR_INPUT, "'%s' is not in %s", pattern, tree->what);
	if (is_ignored(tree, path))
		source_hint(err, "it is left out by %s", tree->ignore_name);
	return -1;
}

/*
 * The part before the first "/./", or nothing, is a directory to which links may
 * lead; what is behind it is matched as it stands there.
 */
static int select_with_parents(const struct select_tree *tree, const char *pattern,
			       struct selection *selection, struct err *err)
{
	struct follow_tree follow = { .fds = { tree->fd }, .count = 1 };
	struct select_mark mark = select_mark(selection);
	const char *pivot = strstr(pattern, "/./");
	auto_free char *before = str_ndup(pattern, pivot ? (size_t)(pivot - pattern) : 0);
	auto_free char *below = clean(pivot ? pivot + 3 : pattern);
	auto_free char *base = clean(before);
	auto_strbuf struct strbuf path = STRBUF_INIT;
	auto_match struct match *match = NULL;
	struct stat st;
	bool found;

	if (match_has_wildcard(base))
		return err_set(err, ERR_INPUT, "'%s': a wildcard cannot stand before '/./'",
			       pattern);
	if (follow_path(&follow, base, &path, &found, &st, err) < 0)
		return -1;
	if (!found || !S_ISDIR(st.st_mode))
		return missing(tree, pattern, false, err);
	if (below[0]) {
		match = match_new(below, true, err);
		if (!match)
			return -1;
	}
	if (add_directory(tree, path.data, match, selection, err) < 0)
		return -1;
	if (match && !select_has_solid(selection, &mark) && !tree->exclude)
		return missing(tree, pattern, match_has_wildcard(below), err);
	if (selection->count > mark.count)
		select_add_source(selection, &mark, "", path.data, true);
	return 0;
}

int select_path(const struct select_tree *tree, const char *path, struct selection *selection,
		struct err *err)
{
	auto_free char *cleaned = clean(path);
	bool found;

	if (add_source(tree, cleaned, selection, &found, err) < 0)
		return -1;
	if (!found)
		return missing(tree, path, false, err);
	return select_find_digests(tree, selection, err);
}

/* A link that a wildcard found and that gave nothing: what it names would be lost in silence. */
static int check_link(const struct select_tree *tree, const char *path, struct err *err)
{
	struct follow_tree follow = { .fds = { tree->fd }, .count = 1 };
	const char *slash = strrchr(path, '/');
	struct stat st;
	bool found;

	if (follow_stat(&follow, path, &found, &st, err) < 0)
		return -1;
	if (!found || !S_ISLNK(st.st_mode) || is_ignored(tree, path) ||
	    is_excluded(tree, slash ? slash + 1 : path))
		return 0;
	return err_set(err, ERR_INPUT, "'%s' is a link to what is not in %s", path, tree->what);
}

static int select_matches(const struct select_tree *tree, const char *pattern,
			  struct selection *selection, struct err *err)
{
	auto_strlist struct strlist paths = STRLIST_INIT;
	auto_free char *path = clean(pattern);
	bool is_wildcard = match_is_pattern(path);
	bool found_any = false;

	if (is_wildcard) {
		if (match_check(path, err) < 0 || expand_pattern(tree, path, &paths, err) < 0)
			return -1;
	} else {
		strlist_add(&paths, path);
	}
	for (size_t i = 0; i < paths.count; i++) {
		bool found;

		if (add_source(tree, paths.items[i], selection, &found, err) < 0)
			return -1;
		if (!found && is_wildcard && check_link(tree, paths.items[i], err) < 0)
			return -1;
		found_any = found_any || found;
	}
	return found_any ? 0 : missing(tree, pattern, is_wildcard, err);
}

int select_pattern(const struct select_tree *tree, const char *pattern, struct selection *selection,
		   struct err *err)
{
	int result = tree->keeps_parents ? select_with_parents(tree, pattern, selection, err)
					 : select_matches(tree, pattern, selection, err);

	return result < 0 ? -1 : select_find_digests(tree, selection, err);
}
