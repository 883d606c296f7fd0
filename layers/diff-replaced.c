/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for directories of the upper through which nothing shows from below: whether
 * a layer says so of them as a whole (opaque), or tells only what differs, with deletions
 * of what is gone, as if each had been removed by itself. A tree that was moved there and
 * back, or copied and put in its own place, is then no more than what changed in it.
 *
 * What is said is decided before anything of the directory is told, by names and stat(2)
 * alone: contents do not change what is right, only what is shorter.
 */
#include "layers/diff-internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uthash.h>

#include "common/fd.h"
#include "common/mem.h"
#include "layers/walk-internal.h"
#include "layers/whiteout.h"

#define DIRECTORY_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define DEPTH_MAX       64 /* of what is looked at beforehand; each has two descriptors */

/* Entries of a layer that tells what differs. */
struct weight {
	uint64_t same;  /* that it need not have */
	uint64_t given; /* that it has, of what is there */
	uint64_t gone;  /* deletions */
};

static int weigh(struct diff *diff, int upper_fd, int lower_fd, unsigned depth, struct weight *out,
		 struct err *err);

/*
 * The mark of an opaque directory is an entry too. As many entries are as good when
 * something need not be shipped again.
 */
static bool is_better_told(const struct weight *weight)
{
	return weight->gone <= weight->same + (weight->same > 0);
}

static int weigh_directories(struct diff *diff, int upper_fd, int lower_fd, const char *name,
			     bool is_same, unsigned depth, struct weight *out, struct err *err)
{
	auto_close int upper = openat(upper_fd, name, DIRECTORY_FLAGS);
	auto_close int lower = openat(lower_fd, name, DIRECTORY_FLAGS);
	struct weight below = { .same = 0 };

	if (upper < 0 || lower < 0)
		return err_sys(err, "open directory '%s' in '%s'", name, diff_shown_path(diff));
	if (weigh(diff, upper, lower, depth + 1, &below, err) < 0)
		return -1;
	if (!is_better_told(&below))
		below = (struct weight){ .given = below.same + below.given + 1 };
	out->same += below.same;
	out->gone += below.gone;
	out->given += below.given;
	if (is_same && below.gone + below.given == 0)
		out->same++;
	else
		out->given++;
	return 0;
}

/* A name that both have. */
static int weigh_pair(struct diff *diff, int upper_fd, int lower_fd, const char *name,
		      unsigned depth, struct weight *out, struct err *err)
{
	struct stat upper, lower;
	bool is_same;

	if (fstatat(upper_fd, name, &upper, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fstatat(lower_fd, name, &lower, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "stat '%s' in '%s'", name, diff_shown_path(diff));
	if (whiteout_is(upper_fd, name, &upper, diff->options->ns) || S_ISSOCK(upper.st_mode)) {
		out->gone++;
		return 0;
	}
	is_same = diff_is_same_stat(diff, &upper, &lower);
	if (S_ISDIR(upper.st_mode) && S_ISDIR(lower.st_mode) && depth < DEPTH_MAX)
		return weigh_directories(diff, upper_fd, lower_fd, name, is_same, depth, out, err);
	if (is_same)
		out->same++;
	else
		out->given++;
	return 0;
}

static int weigh(struct diff *diff, int upper_fd, int lower_fd, unsigned depth, struct weight *out,
		 struct err *err)
{
	auto_dir_names struct dir_names upper = DIR_NAMES_INIT;
	auto_dir_names struct dir_names lower = DIR_NAMES_INIT;
	size_t i = 0;
	size_t k = 0;

	if (dir_names_read(upper_fd, &upper, diff->path.data, err) < 0 ||
	    dir_names_read(lower_fd, &lower, diff->path.data, err) < 0)
		return -1;
	while (i < upper.count || k < lower.count) {
		int order = dir_names_order(&upper, i, &lower, k);

		if (order == 0 && weigh_pair(diff, upper_fd, lower_fd, dir_names_at(&upper, i),
					     depth, out, err) < 0)
			return -1;
		out->given += order < 0;
		out->gone += order > 0;
		i += order <= 0;
		k += order >= 0;
	}
	return 0;
}

/* ---- what was decided ---- */

struct diff_decision {
	struct {
		uint64_t device;
		uint64_t inode;
	} key;
	bool is_opaque;
	UT_hash_handle hh;
};

void diff_decisions_release(struct diff_decisions *decisions)
{
	struct diff_decision *decision;
	struct diff_decision *next;

	HASH_ITER (hh, decisions->table, decision, next) {
		HASH_DEL(decisions->table, decision);
		free(decision);
	}
}

/* Decided once: a settled directory, or one that is being settled, would be weighed otherwise. */
int diff_decide_opaque(struct diff *diff, const struct diff_level *level, bool *out_is_opaque,
		       struct err *err)
{
	struct diff_decision *decision;
	struct diff_decision fresh = { .key = { level->st.st_dev, level->st.st_ino } };
	struct weight weight = { .same = 0 };

	HASH_FIND(hh, diff->decisions->table, &fresh.key, sizeof(fresh.key), decision);
	if (!decision) {
		if (weigh(diff, level->fd, level->lower_fd, 0, &weight, err) < 0)
			return -1;
		fresh.is_opaque = !is_better_told(&weight);
		decision = mem_dup(&fresh, sizeof(fresh));
		HASH_ADD(hh, diff->decisions->table, key, sizeof(decision->key), decision);
	}
	*out_is_opaque = decision->is_opaque;
	return 0;
}
