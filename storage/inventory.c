/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for which files of a tree changed, by what cannot be changed back: a file whose
 * inode number and ctime are what they were is what it was; a directory, whose ctime is that of
 * what was put into it, when it was born at the same moment, for numbers are given again. Whether a
 * change makes a difference is the differ's business, which gets an upper directory as from a union
 * mount.
 */
#include "storage/inventory-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/fd.h"
#include "layers/stream.h"
#include "layers/walk.h"
#include "layers/walk-internal.h"
#include "layers/whiteout.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* In the file as it stands in memory: it never leaves this machine. */
struct record {
	uint64_t ino;
	int64_t ctime_sec;
	int64_t birth_ns; /* of a directory, see birth_of; of the root: of the latest of all */
	uint64_t size;
	uint32_t ctime_nsec;
	uint32_t mode;
	uint16_t event; /* enum walk_event */
	uint16_t name_len;
};

/* ---- taking it ---- */

struct taking {
	struct sink *sink;
	struct timespec last; /* the latest ctime */
};

static bool is_later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

static int note(void *context, const struct walk_item *item, struct err *err)
{
	struct taking *taking = context;
	struct record record;

	memset(&record, 0, sizeof(record)); /* the padding too: it is written */
	record.event = (uint16_t)item->event;
	if (item->event != WALK_LEAVE) {
		record.ino = item->st->st_ino;
		record.ctime_sec = item->st->st_ctim.tv_sec;
		record.ctime_nsec = (uint32_t)item->st->st_ctim.tv_nsec;
		record.size = (uint64_t)item->st->st_size;
		record.mode = item->st->st_mode;
		record.name_len = (uint16_t)strlen(item->name);
		if (item->event == WALK_ENTER && record.name_len > 0)
			record.birth_ns = birth_of(item->dir_fd, item->name);
		if (is_later(&item->st->st_ctim, &taking->last))
			taking->last = item->st->st_ctim;
	}
	if (sink_write(taking->sink, &record, sizeof(record), err) < 0)
		return -1;
	return sink_write(taking->sink, item->name, record.name_len, err);
}

/* Times of files come from a clock of a few milliseconds on older kernels. */
static void wait_beyond(const struct timespec *last)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	struct timespec now;

	for (int i = 0; i < 20; i++) {
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
		if (is_later(&now, last))
			return;
		nanosleep(&pause, NULL);
	}
}

int inventory_take(int tree_fd, int file_fd, struct err *err)
{
	auto_sink struct sink *sink = sink_to_fd(file_fd, "inventory");
	auto_close int walk_fd = openat(tree_fd, ".", DIR_FLAGS);
	struct taking taking = { .sink = sink };
	int64_t last_ns;

	if (walk_fd < 0)
		return err_sys(err, "open a tree to take its inventory");
	if (walk_tree(walk_fd, note, &taking, err) < 0 || sink_finish(sink, err) < 0)
		return -1;
	/* the root's record is the first */
	last_ns = taking.last.tv_sec * INT64_C(1000000000) + taking.last.tv_nsec;
	if (pwrite(file_fd, &last_ns, sizeof(last_ns), offsetof(struct record, birth_ns)) !=
	    sizeof(last_ns))
		return err_sys(err, "write the inventory of a tree");
	wait_beyond(&taking.last);
	return 0;
}

/* ---- reading it again ---- */

struct collecting {
	FILE *file;
	const char *const *covered; /* see struct mount_request */
	enum overlay_ns ns;
	struct kin *kin;
	int64_t before_ns;  /* what was born later was made by who worked there */
	struct record next; /* read, and not yet used */
	char name[NAME_MAX + 1];
};

static int advance(struct collecting *collecting, struct err *err)
{
	struct record *next = &collecting->next;

	if (fread(next, sizeof(*next), 1, collecting->file) != 1)
		return err_set(err, ERR_SYSTEM, "the inventory of a tree ends too early");
	if (next->name_len > NAME_MAX ||
	    fread(collecting->name, 1, next->name_len, collecting->file) != next->name_len)
		return err_set(err, ERR_SYSTEM, "the inventory of a tree is damaged");
	collecting->name[next->name_len] = '\0';
	return 0;
}

/* A file, or a directory with all that it had. */
static int skip(struct collecting *collecting, struct err *err)
{
	size_t depth = 0;

	do {
		if (collecting->next.event == WALK_ENTER)
			depth++;
		else if (collecting->next.event == WALK_LEAVE)
			depth--;
		if (advance(collecting, err) < 0)
			return -1;
	} while (depth > 0);
	return 0;
}

static bool has_changed(const struct record *record, const struct stat *st)
{
	return record->ino != st->st_ino || record->ctime_sec != st->st_ctim.tv_sec ||
	       record->ctime_nsec != (uint32_t)st->st_ctim.tv_nsec ||
	       record->size != (uint64_t)st->st_size || record->mode != st->st_mode;
}

/* ---- what changed ---- */

/* A directory that was there and still is, while its children are looked at. */
struct level {
	struct level *parent; /* NULL: the root */
	const char *name;
	int fd;
	int upper_fd;   /* the same of the upper; -1: not made */
	struct stat st; /* before anything was moved out of it */
};

static int collect_children(struct collecting *collecting, struct level *level, struct err *err);

static void level_release(struct level *level)
{
	fd_close(&level->fd);
	fd_close(&level->upper_fd);
}

/* What was set under overlay's own names is the file's own. */
static int escape(const struct collecting *collecting, int dir_fd, const char *name,
		  struct err *err)
{
	auto_close int fd = -1;

	if (!xattrs_need_escape(dir_fd, name, collecting->ns))
		return 0;
	fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open '%s' of a layer", name);
	return xattrs_escape(fd, collecting->ns, name, err);
}

static int escape_item(void *context, const struct walk_item *item, struct err *err)
{
	const struct collecting *collecting = context;

	switch (item->event) {
	case WALK_ENTER:
		return xattrs_escape(item->fd, collecting->ns, item->path, err);
	case WALK_LEAVE:
		return 0;
	case WALK_FILE:
		return escape(collecting, item->dir_fd, item->name, err);
	}
	return 0;
}

/* With all that is in it. */
static int escape_moved(struct collecting *collecting, int dir_fd, const char *name,
			struct err *err)
{
	auto_close int fd = openat(dir_fd, name, DIR_FLAGS);

	if (fd >= 0)
		return walk_tree(fd, escape_item, collecting, err);
	if (errno != ENOTDIR && errno != ELOOP)
		return err_sys(err, "open '%s' of a layer", name);
	return escape(collecting, dir_fd, name, err);
}

static int copy_looks(const struct collecting *collecting, const struct level *level,
		      const char *path, struct err *err)
{
	if (xattrs_escape(level->fd, collecting->ns, path, err) < 0)
		return -1;
	return entry_copy_on_disk(level->fd, level->upper_fd, collecting->ns, path, err);
}

/* Its directory in the upper, and those on the way. */
static int make_upper(const struct collecting *collecting, struct level *level, struct err *err)
{
	if (level->upper_fd >= 0)
		return 0;
	if (make_upper(collecting, level->parent, err) < 0)
		return -1;
	/* EEXIST: a collection before this one did not come to its end */
	if (mkdirat(level->parent->upper_fd, level->name, 0700) < 0 && errno != EEXIST)
		return err_sys(err, "make directory '%s' of a layer", level->name);
	level->upper_fd = openat(level->parent->upper_fd, level->name, DIR_FLAGS);
	if (level->upper_fd < 0)
		return err_sys(err, "open directory '%s' of a layer", level->name);
	return copy_looks(collecting, level, level->name, err);
}

static int move(struct collecting *collecting, struct level *level, const char *name,
		struct err *err)
{
	if (make_upper(collecting, level, err) < 0)
		return -1;
	if (renameat(level->fd, name, level->upper_fd, name) < 0)
		return err_sys(err, "move '%s' into a layer", name);
	return escape_moved(collecting, level->upper_fd, name, err);
}

/* A directory in the place of another: nothing of that one is to be seen. */
static int move_opaque(struct collecting *collecting, struct level *level, const char *name,
		       struct err *err)
{
	auto_close int fd = -1;

	if (move(collecting, level, name, err) < 0)
		return -1;
	fd = openat(level->upper_fd, name, DIR_FLAGS);
	if (fd < 0)
		return err_sys(err, "open directory '%s' of a layer", name);
	if (opaque_set(fd, collecting->ns, err) < 0)
		return -1;
	return kin_join(collecting->kin, level->upper_fd, name, collecting->before_ns, err);
}

/* What was not there before. */
static int move_new(struct collecting *collecting, struct level *level, const char *name,
		    struct err *err)
{
	struct stat st;

	if (move(collecting, level, name, err) < 0)
		return -1;
	if (fstatat(level->upper_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "stat '%s' of a layer", name);
	if (!S_ISDIR(st.st_mode))
		return 0;
	return kin_join(collecting->kin, level->upper_fd, name, collecting->before_ns, err);
}

/*
 * It is in the upper and not in the tree any more: a collection that did not come to its end has
 * moved it, and perhaps not said yet that a directory took the place of another.
 */
static int finish_moved(struct collecting *collecting, struct level *level, const struct stat *st,
			struct err *err)
{
	auto_close int fd = -1;

	if (!S_ISDIR(st->st_mode) || collecting->next.event != WALK_ENTER)
		return skip(collecting, err);
	fd = openat(level->upper_fd, collecting->name, DIR_FLAGS);
	if (fd < 0)
		return err_sys(err, "open directory '%s' of a layer", collecting->name);
	if (opaque_set(fd, collecting->ns, err) < 0)
		return -1;
	return skip(collecting, err);
}

static int mark_deleted(struct collecting *collecting, struct level *level, struct err *err)
{
	struct stat st;

	if (make_upper(collecting, level, err) < 0)
		return -1;
	if (fstatat(level->upper_fd, collecting->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return finish_moved(collecting, level, &st, err);
	if (errno != ENOENT)
		return err_sys(err, "stat '%s' of a layer", collecting->name);
	if (whiteout_make(level->upper_fd, collecting->name, collecting->ns, err) < 0)
		return -1;
	return skip(collecting, err);
}

static int descend(struct collecting *collecting, struct level *parent, const char *name,
		   const struct stat *st, struct err *err)
{
	__attribute__((cleanup(level_release))) struct level level = {
		.parent = parent, .name = name, .fd = -1, .upper_fd = -1, .st = *st
	};
	const struct timespec times[2] = { st->st_atim, st->st_mtim };

	level.fd = openat(parent->fd, name, DIR_FLAGS);
	if (level.fd < 0)
		return err_sys(err, "open directory '%s'", name);
	if (has_changed(&collecting->next, st) && make_upper(collecting, &level, err) < 0)
		return -1;
	if (advance(collecting, err) < 0 || collect_children(collecting, &level, err) < 0)
		return -1;
	if (level.upper_fd >= 0 && futimens(level.upper_fd, times) < 0)
		return err_sys(err, "set the times of '%s'", name);
	return 0;
}

static bool is_covered(const struct collecting *collecting, const struct level *level,
		       const char *name)
{
	if (!collecting->covered || level->parent)
		return false;
	for (const char *const *covered = collecting->covered; *covered; covered++)
		if (strcmp(*covered, name) == 0)
			return true;
	return false;
}

/* What has the name of a record: the same file, or another. */
static int compare(struct collecting *collecting, struct level *level, const char *name,
		   struct err *err)
{
	const struct record *was = &collecting->next;
	bool was_directory = was->event == WALK_ENTER;
	struct stat st;
	int result = 0;

	if (fstatat(level->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "stat '%s'", name);
	if (is_covered(collecting, level, name))
		return skip(collecting, err);
	if (was_directory && S_ISDIR(st.st_mode) && was->ino == st.st_ino &&
	    was->birth_ns == birth_of(level->fd, name))
		return descend(collecting, level, name, &st, err);
	if (was_directory && S_ISDIR(st.st_mode))
		result = move_opaque(collecting, level, name, err);
	else if (has_changed(was, &st))
		result = move(collecting, level, name, err);
	return result < 0 ? -1 : skip(collecting, err);
}

/* Two lists in the order of names, beside each other. */
static int collect_children(struct collecting *collecting, struct level *level, struct err *err)
{
	auto_dir_names struct dir_names names = DIR_NAMES_INIT;
	size_t i = 0;

	if (dir_names_read(level->fd, &names, level->name, err) < 0)
		return -1;
	while (collecting->next.event != WALK_LEAVE || i < names.count) {
		const char *name = i < names.count ? dir_names_at(&names, i) : NULL;
		int order;
		int result;

		if (!name)
			order = -1;
		else if (collecting->next.event == WALK_LEAVE)
			order = 1;
		else
			order = strcmp(collecting->name, name);
		if (order < 0)
			result = mark_deleted(collecting, level, err);
		else if (order > 0)
			result = move_new(collecting, level, name, err);
		else
			result = compare(collecting, level, name, err);
		if (result < 0)
			return -1;
		i += order >= 0;
	}
	/* the root's end is the end of the file */
	return level->parent ? advance(collecting, err) : 0;
}

static int collect(struct collecting *collecting, struct level *root, struct err *err)
{
	const struct timespec times[2] = { root->st.st_atim, root->st.st_mtim };

	if (advance(collecting, err) < 0)
		return -1;
	collecting->before_ns = collecting->next.birth_ns;
	if (has_changed(&collecting->next, &root->st) && copy_looks(collecting, root, "/", err) < 0)
		return -1;
	if (advance(collecting, err) < 0 || collect_children(collecting, root, err) < 0)
		return -1;
	if (futimens(root->upper_fd, times) < 0)
		return err_sys(err, "set the times of '/'");
	return 0;
}

int inventory_collect(int tree_fd, int file_fd, struct kin *kin,
		      const struct mount_request *request, enum overlay_ns ns, struct err *err)
{
	__attribute__((cleanup(level_release))) struct level root = { .name = "", .fd = -1 };
	auto_close int fd = fcntl(file_fd, F_DUPFD_CLOEXEC, 0);
	struct collecting collecting = { .ns = ns, .kin = kin, .covered = request->covered };
	int result;

	root.upper_fd = fcntl(request->upper_fd, F_DUPFD_CLOEXEC, 0);
	root.fd = openat(tree_fd, ".", DIR_FLAGS);
	if (fd < 0 || root.upper_fd < 0 || root.fd < 0 || fstat(root.fd, &root.st) < 0 ||
	    lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, "open a tree to see what changed");
	collecting.file = fdopen(fd, "r");
	if (!collecting.file)
		return err_sys(err, "read the inventory of a tree");
	fd = -1; /* the file's now */
	result = collect(&collecting, &root, err);
	fclose(collecting.file);
	return result;
}
