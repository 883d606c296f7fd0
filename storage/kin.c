/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for files of a tree of copies that are one file where they come from. */
#include "storage/kin-internal.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"
#include "layers/walk.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* In the file as it stands in memory: it never leaves this machine. */
struct line {
	uint64_t ino; /* of the copy */
	int64_t ctime_ns;
	uint64_t from_dev;
	uint64_t from_ino;
};

struct kin_member {
	uint64_t ino;
	int64_t ctime_ns;
	size_t group;
};

struct kin_group {
	unsigned scope; /* in which @first was seen */
	char *first;    /* path, or NULL */
};

void kin_release(struct kin *kin)
{
	for (size_t i = 0; i < kin->group_count; i++)
		free(kin->groups[i].first);
	free(kin->groups);
	free(kin->members);
	*kin = (struct kin)KIN_INIT;
}

static int64_t ctime_of(const struct stat *st)
{
	return st->st_ctim.tv_sec * INT64_C(1000000000) + st->st_ctim.tv_nsec;
}

int64_t birth_of(int dir_fd, const char *name)
{
	struct statx stx;

	if (statx(dir_fd, name, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, STATX_BTIME, &stx) < 0 ||
	    !(stx.stx_mask & STATX_BTIME))
		return 0;
	return stx.stx_btime.tv_sec * INT64_C(1000000000) + stx.stx_btime.tv_nsec;
}

/* ---- the file ---- */

int kin_note(int file_fd, const struct stat *copy, const struct stat *original, struct err *err)
{
	const struct line line = { .ino = copy->st_ino,
				   .ctime_ns = ctime_of(copy),
				   .from_dev = original->st_dev,
				   .from_ino = original->st_ino };

	return fd_write_all(file_fd, &line, sizeof(line), "the list of a tree's files", err);
}

static int by_origin(const void *a, const void *b)
{
	const struct line *x = a;
	const struct line *y = b;

	if (x->from_dev != y->from_dev)
		return x->from_dev < y->from_dev ? -1 : 1;
	return x->from_ino < y->from_ino ? -1 : x->from_ino > y->from_ino;
}

static int by_ino(const void *a, const void *b)
{
	const struct kin_member *x = a;
	const struct kin_member *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

/* @lines are in the order of what they are of; who is alone is no member. */
static void group(struct kin *kin, const struct line *lines, size_t count)
{
	kin->members = mem_array(count + 1, sizeof(*kin->members));
	for (size_t i = 0, end; i < count; i = end) {
		for (end = i + 1; end < count && by_origin(&lines[i], &lines[end]) == 0; end++)
			;
		if (end - i < 2)
			continue;
		for (size_t k = i; k < end; k++)
			kin->members[kin->count++] =
				(struct kin_member){ lines[k].ino, lines[k].ctime_ns,
						     kin->group_count };
		kin->group_count++;
	}
	kin->groups = mem_array(kin->group_count + 1, sizeof(*kin->groups));
	qsort(kin->members, kin->count, sizeof(*kin->members), by_ino);
}

int kin_load(int file_fd, struct kin *out, struct err *err)
{
	auto_free struct line *lines = NULL;
	struct stat st;
	size_t count;

	if (fstat(file_fd, &st) < 0 || lseek(file_fd, 0, SEEK_SET) < 0)
		return err_sys(err, "read the list of a tree's files");
	count = (size_t)st.st_size / sizeof(*lines);
	lines = mem_array(count + 1, sizeof(*lines));
	if (fd_read_full(file_fd, lines, count * sizeof(*lines), "the list of a tree's files",
			 err) < 0)
		return -1;
	qsort(lines, count, sizeof(*lines), by_origin);
	group(out, lines, count);
	return 0;
}

/* ---- joining ---- */

struct joining {
	struct kin *kin;
	int top_fd;
	int64_t before_ns;
	size_t depth;
	size_t renamed_at; /* the depth of the renamed directory that we are in; 0: of none */
};

/* The member that @st is still, or NULL. */
static const struct kin_member *find(const struct kin *kin, const struct stat *st)
{
	const struct kin_member key = { .ino = st->st_ino };
	const struct kin_member *found =
		bsearch(&key, kin->members, kin->count, sizeof(*kin->members), by_ino);

	return found && found->ctime_ns == ctime_of(st) ? found : NULL;
}

/* Its directory keeps its time. */
static int link_to(const struct joining *joining, const char *first, const struct walk_item *item,
		   struct err *err)
{
	char name[NAME_MAX + 1];
	auto_close int first_fd =
		beneath_parent(joining->top_fd, first, BENEATH_NO_LINKS, name, err);
	struct stat st;

	if (first_fd < 0)
		return -1;
	if (fstat(item->dir_fd, &st) < 0 || unlinkat(item->dir_fd, item->name, 0) < 0 ||
	    linkat(first_fd, name, item->dir_fd, item->name, 0) < 0 ||
	    futimens(item->dir_fd, (struct timespec[]){ st.st_atim, st.st_mtim }) < 0)
		return err_sys(err, "link '%s'", item->path);
	return 0;
}

static int join_file(struct joining *joining, const struct walk_item *item, struct err *err)
{
	const struct kin_member *member = find(joining->kin, item->st);
	struct kin_group *group;

	if (!member || joining->renamed_at == 0 || !S_ISREG(item->st->st_mode))
		return 0;
	group = &joining->kin->groups[member->group];
	if (group->first && group->scope == joining->kin->scope)
		return link_to(joining, group->first, item, err);
	free(group->first);
	group->first = str_dup(item->path);
	group->scope = joining->kin->scope;
	return 0;
}

static int visit(void *context, const struct walk_item *item, struct err *err)
{
	struct joining *joining = context;
	int64_t birth;

	switch (item->event) {
	case WALK_ENTER:
		joining->depth++;
		if (joining->renamed_at > 0)
			return 0;
		birth = birth_of(item->fd, "");
		if (birth > 0 && birth <= joining->before_ns) {
			joining->renamed_at = joining->depth;
			joining->kin->scope++;
		}
		return 0;
	case WALK_LEAVE:
		if (joining->renamed_at == joining->depth--)
			joining->renamed_at = 0;
		return 0;
	case WALK_FILE:
		return join_file(joining, item, err);
	}
	return 0;
}

int kin_join(struct kin *kin, int dir_fd, const char *name, int64_t before_ns, struct err *err)
{
	auto_close int top_fd = -1;
	auto_close int walk_fd = -1;
	struct joining joining = { .kin = kin, .before_ns = before_ns };

	if (kin->count == 0)
		return 0;
	top_fd = openat(dir_fd, name, DIR_FLAGS);
	walk_fd = openat(dir_fd, name, DIR_FLAGS);
	if (top_fd < 0 || walk_fd < 0)
		return err_sys(err, "open directory '%s' of a layer", name);
	joining.top_fd = top_fd;
	return walk_tree(walk_fd, visit, &joining, err);
}
