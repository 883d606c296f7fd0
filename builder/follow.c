/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what a path in a tree means when its links are followed. Gives a
 * name, not a descriptor: who opens it does so without following links, so a
 * tree that changes meanwhile leads to an error and not out of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "builder/follow.h"
#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"

#define FOLLOW_LINKS_MAX 255

/* lstat @path below one directory; *out_parent_fd and @name for readlinkat. */
static int stat_in(int root_fd, const char *path, int *out_parent_fd, char *name, bool *out_found,
		   struct stat *out_st, struct err *err)
{
	auto_close int parent_fd = -1;

	*out_found = false;
	if (path[0] == '\0') {
		if (fstat(root_fd, out_st) < 0)
			return err_sys(err, "stat the root");
		*out_found = true;
		return 0;
	}
	parent_fd = beneath_parent(root_fd, path, BENEATH_NO_LINKS, name, err);
	if (parent_fd < 0) {
		if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
			return -1;
		err_clear(err);
		return 0;
	}
	if (fstatat(parent_fd, name, out_st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno == ENOENT)
			return 0;
		return err_sys(err, "stat '%s'", path);
	}
	*out_found = true;
	*out_parent_fd = fd_steal(&parent_fd);
	return 0;
}

static int stat_any(const struct follow_tree *tree, const char *path, int *out_parent_fd,
		    char *name, bool *out_found, struct stat *out_st, struct err *err)
{
	*out_found = false;
	for (size_t i = 0; i < tree->count && !*out_found; i++)
		if (stat_in(tree->fds[i], path, out_parent_fd, name, out_found, out_st, err) < 0)
			return -1;
	return 0;
}

int follow_stat(const struct follow_tree *tree, const char *path, bool *out_found,
		struct stat *out_st, struct err *err)
{
	auto_close int parent_fd = -1;
	char name[NAME_MAX + 1];

	return stat_any(tree, path, &parent_fd, name, out_found, out_st, err);
}

/* The state of a walk: where it is, and what is still to go. */
struct walk {
	const struct follow_tree *tree;
	struct strbuf *at;
	char *rest;
	unsigned links;
	bool is_missing; /* nothing is looked up any more */
	struct stat st;
};

/* Put the text of a link in front of what is still to go. */
static int push_link(struct walk *walk, int parent_fd, const char *name, const char *rest,
		     struct err *err)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(parent_fd, name, text, sizeof(text) - 1);
	char *joined;

	if (n < 0)
		return err_sys(err, "read link '%s'", name);
	text[n] = '\0';
	if (++walk->links > FOLLOW_LINKS_MAX) {
		err_set(err, ERR_INPUT, "too many links on the way to '%s'", name);
		errno = ELOOP;
		return -1;
	}
	if (text[0] == '/')
		strbuf_truncate(walk->at, 0);
	joined = str_format("%s/%s", text, rest);
	free(walk->rest);
	walk->rest = joined;
	return 0;
}

static void pop(struct strbuf *path)
{
	const char *slash = memrchr(path->data, '/', path->len);

	strbuf_truncate(path, slash ? (size_t)(slash - path->data) : 0);
}

/* Go to the child @part; when it is a link, to where it points. @rest: after it. */
static int step_into(struct walk *walk, const char *part, size_t len, const char *rest,
		     bool *out_jumped, struct err *err)
{
	auto_close int parent_fd = -1;
	char name[NAME_MAX + 1];
	size_t before = walk->at->len;
	bool found;

	*out_jumped = false;
	if (before > 0)
		strbuf_putc(walk->at, '/');
	strbuf_add(walk->at, part, len);
	if (walk->is_missing)
		return 0;
	if (stat_any(walk->tree, walk->at->data, &parent_fd, name, &found, &walk->st, err) < 0)
		return -1;
	if (!found) {
		walk->is_missing = true;
	} else if (S_ISLNK(walk->st.st_mode)) {
		strbuf_truncate(walk->at, before);
		*out_jumped = true;
		return push_link(walk, parent_fd, name, rest, err);
	}
	return 0;
}

static int walk_all(struct walk *walk, struct err *err)
{
	const char *part = walk->rest;

	while (*part) {
		size_t len = strcspn(part, "/");
		bool jumped = false;

		if (len == 2 && memcmp(part, "..", 2) == 0)
			pop(walk->at);
		else if (len > 0 && !(len == 1 && part[0] == '.') &&
			 step_into(walk, part, len, part + len, &jumped, err) < 0)
			return -1;
		if (jumped) {
			part = walk->rest;
			continue;
		}
		part += len;
		part += strspn(part, "/");
	}
	return 0;
}

int follow_path(const struct follow_tree *tree, const char *path, struct strbuf *out,
		bool *out_found, struct stat *out_st, struct err *err)
{
	auto_strbuf struct strbuf at = STRBUF_INIT;
	struct walk walk = { .tree = tree, .at = &at, .rest = str_dup(path) };
	struct stat st = { 0 };
	bool found = false;
	int result = walk_all(&walk, err);

	free(walk.rest);
	if (result < 0 || follow_stat(tree, at.data, &found, &st, err) < 0)
		return -1;
	strbuf_truncate(out, 0);
	strbuf_add(out, at.data, at.len);
	*out_found = found && !S_ISLNK(st.st_mode);
	if (out_st)
		*out_st = st;
	return 0;
}
