/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for reading directories in one fixed order, whatever order the file
 * system gives. What is made of the files is left to the callers.
 */
#include "layers/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "layers/walk-internal.h"

#define DIRENT_CHUNK_BYTES 32768

void dir_names_release(struct dir_names *names)
{
	strbuf_release(&names->bytes);
	free(names->items);
	*names = (struct dir_names)DIR_NAMES_INIT;
}

static const char *shown(const char *path)
{
	return *path ? path : "/";
}

static bool is_dots(const char *name)
{
	return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

static void names_add(struct dir_names *names, const char *name, uint8_t type)
{
	if (names->count == names->room) {
		names->room = names->room ? 2 * names->room : 32;
		names->items = mem_resize(names->items, names->room, sizeof(*names->items));
	}
	names->items[names->count].offset = names->bytes.len;
	names->items[names->count].type = type;
	names->count++;
	strbuf_add(&names->bytes, name, strlen(name) + 1);
}

static int by_name_bytes(const void *a, const void *b, void *bytes)
{
	const struct dir_name *x = a;
	const struct dir_name *y = b;

	return strcmp((const char *)bytes + x->offset, (const char *)bytes + y->offset);
}

int dir_names_read(int dir_fd, struct dir_names *out, const char *path, struct err *err)
{
	_Alignas(struct dirent64) char chunk[DIRENT_CHUNK_BYTES];
	ssize_t len;

	if (lseek(dir_fd, 0, SEEK_SET) < 0)
		return err_sys(err, "read directory '%s'", shown(path));
	while ((len = getdents64(dir_fd, chunk, sizeof(chunk))) > 0) {
		for (ssize_t at = 0; at < len;) {
			const struct dirent64 *d = (const struct dirent64 *)(chunk + at);

			if (!is_dots(d->d_name))
				names_add(out, d->d_name, d->d_type);
			at += d->d_reclen;
		}
	}
	if (len < 0)
		return err_sys(err, "read directory '%s'", shown(path));
	if (out->count > 1)
		qsort_r(out->items, out->count, sizeof(*out->items), by_name_bytes,
			out->bytes.data);
	return 0;
}

int walk_names(int dir_fd, struct strlist *out, const char *path, struct err *err)
{
	auto_dir_names struct dir_names names = DIR_NAMES_INIT;

	if (dir_names_read(dir_fd, &names, path, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++)
		strlist_add(out, dir_names_at(&names, i));
	return 0;
}

/* One open directory of the walk; `next` is the name to visit next. */
struct walk_level {
	int dir_fd; /* that holds it */
	int fd;
	struct stat st;
	size_t parent_len; /* of the path of the directory that holds it */
	size_t name_at;    /* where its name begins in the path */
	struct dir_names names;
	size_t next;
};

struct walk {
	walk_fn fn;
	void *context;
	struct strbuf path;
	struct walk_level *levels;
	size_t depth;
	size_t room;
};

static void walk_pop(struct walk *walk)
{
	struct walk_level *level = &walk->levels[--walk->depth];

	if (walk->depth > 0)
		fd_close(&level->fd);
	dir_names_release(&level->names);
	strbuf_truncate(&walk->path, level->parent_len);
}

static void walk_release(struct walk *walk)
{
	while (walk->depth > 0)
		walk_pop(walk);
	free(walk->levels);
	strbuf_release(&walk->path);
}

static int tell(struct walk *walk, const struct walk_level *level, enum walk_event event,
		bool *descend, struct err *err)
{
	struct walk_item item = {
		.event = event,
		.dir_fd = level->dir_fd,
		.fd = level->fd,
		.name = walk->path.data + level->name_at,
		.path = walk->path.data,
		.st = &level->st,
		.out_descend = descend,
	};

	return walk->fn(walk->context, &item, err);
}

/* Make @level, whose directory is open, the innermost, unless the callback skips it. */
static int walk_push(struct walk *walk, const struct walk_level *fresh, struct err *err)
{
	struct walk_level *level;
	bool descend = true;

	if (walk->depth == walk->room) {
		walk->room = walk->room ? 2 * walk->room : 16;
		walk->levels = mem_resize(walk->levels, walk->room, sizeof(*walk->levels));
	}
	level = &walk->levels[walk->depth++];
	*level = *fresh;
	if (tell(walk, level, WALK_ENTER, &descend, err) < 0)
		return -1;
	if (!descend)
		return 0;
	return dir_names_read(level->fd, &level->names, walk->path.data, err);
}

static int visit_directory(struct walk *walk, struct walk_level *found, struct err *err)
{
	const char *name = walk->path.data + found->name_at;
	int fd = openat(found->dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open directory '%s'", walk->path.data);
	found->fd = fd;
	return walk_push(walk, found, err); /* the level owns the descriptor now */
}

static int visit_next(struct walk *walk, struct err *err)
{
	struct walk_level *level = &walk->levels[walk->depth - 1];
	const char *name = dir_names_at(&level->names, level->next++);
	struct walk_level found = { .dir_fd = level->fd, .fd = -1, .names = DIR_NAMES_INIT };

	found.parent_len = walk->path.len;
	if (walk->path.len > 0)
		strbuf_putc(&walk->path, '/');
	found.name_at = walk->path.len;
	strbuf_puts(&walk->path, name);
	if (fstatat(level->fd, name, &found.st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "stat '%s'", walk->path.data);
	if (S_ISDIR(found.st.st_mode))
		return visit_directory(walk, &found, err);
	if (tell(walk, &found, WALK_FILE, NULL, err) < 0)
		return -1;
	strbuf_truncate(&walk->path, found.parent_len);
	return 0;
}

int walk_tree(int root_fd, walk_fn fn, void *context, struct err *err)
{
	__attribute__((cleanup(walk_release))) struct walk walk = {
		.fn = fn,
		.context = context,
		.path = STRBUF_INIT,
	};
	struct walk_level root = { .dir_fd = root_fd, .fd = root_fd, .names = DIR_NAMES_INIT };

	if (fstat(root_fd, &root.st) < 0)
		return err_sys(err, "stat '/'");
	if (walk_push(&walk, &root, err) < 0)
		return -1;
	while (walk.depth > 0) {
		struct walk_level *level = &walk.levels[walk.depth - 1];

		if (level->next < level->names.count) {
			if (visit_next(&walk, err) < 0)
				return -1;
			continue;
		}
		if (tell(&walk, level, WALK_LEAVE, NULL, err) < 0)
			return -1;
		walk_pop(&walk);
	}
	return 0;
}
