/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the init layer: where in the image each name really lies, what
 * has to be made for it, and that the directories made on the way look as the
 * image's own do. The image is read only and hostile; nobody changes it while
 * we look.
 */
#include "sandbox/initlayer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"

#define LINKS_MAX 40 /* as the kernel */

/* Where a name lies in the image. */
struct place {
	struct strbuf path; /* relative, no links in it; "" is the root */
	mode_t type;        /* S_IFMT bits, or 0 when there is nothing */
	bool dangles;       /* nothing there, but a link on the way said so */
};
#define PLACE_INIT                  \
	{                           \
		.path = STRBUF_INIT \
	}
#define auto_place __attribute__((cleanup(place_release)))

static void place_release(struct place *place)
{
	strbuf_release(&place->path);
}

/* ---- looking ---- */

/* The directory at @path, known to have no links in it, of the view; ENOENT when there is no view.
 */
static int open_view(int view_fd, const char *path, struct err *err)
{
	if (view_fd < 0) {
		errno = ENOENT;
		return err_sys(err, "open '%s'", path);
	}
	return beneath_open(view_fd, path, BENEATH_NO_LINKS, O_RDONLY | O_DIRECTORY, err);
}

static void pop(struct strbuf *path)
{
	const char *slash = strrchr(path->data, '/');

	strbuf_truncate(path, slash ? (size_t)(slash - path->data) : 0);
}

static void push(struct strbuf *path, const char *name)
{
	strbuf_printf(path, "%s%s", path->len ? "/" : "", name);
}

/*
 * What @name in the directory @dir is: its type in *out_type (0: nothing), and
 * of a link the target in @out_target.
 */
static int look(int view_fd, const char *dir, const char *name, mode_t *out_type,
		char out_target[PATH_MAX], struct err *err)
{
	auto_close int fd = open_view(view_fd, dir, err);
	struct stat st;
	ssize_t n;

	*out_type = 0;
	if (fd < 0 && errno == ENOENT) {
		err_clear(err);
		return 0;
	}
	if (fd < 0)
		return -1;
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(err, "stat '%s/%s'", dir, name);
	*out_type = st.st_mode & S_IFMT;
	if (!S_ISLNK(st.st_mode))
		return 0;
	n = readlinkat(fd, name, out_target, PATH_MAX - 1);
	if (n < 0)
		return err_sys(err, "read the link '%s/%s'", dir, name);
	out_target[n] = '\0';
	return 0;
}

/* A walk in progress: what is still to be looked at, and how many links were met. */
struct walk {
	int view_fd;
	char *rest;
	unsigned links;
};

static void follow(struct walk *walk, const char *target, const char *after, struct place *out)
{
	char *rest = str_format("%s/%s", target, after);

	if (target[0] == '/')
		strbuf_truncate(&out->path, 0);
	free(walk->rest);
	walk->rest = rest;
	walk->links++;
}

/* One component of the name. */
static int step(struct walk *walk, const char *whole, struct place *out, struct err *err)
{
	size_t blank = strspn(walk->rest, "/");
	size_t len = strcspn(walk->rest + blank, "/");
	auto_free char *name = str_ndup(walk->rest + blank, len);
	auto_free char *after = str_dup(walk->rest + blank + len);
	char target[PATH_MAX];

	free(walk->rest);
	walk->rest = str_dup(after);
	if (!*name || strcmp(name, ".") == 0)
		return 0;
	if (out->type && !S_ISDIR(out->type))
		return err_set(err, ERR_INPUT, "'%s': '/%s' of the image is not a directory", whole,
			       out->path.data);
	if (strcmp(name, "..") == 0) {
		pop(&out->path);
		out->type = S_IFDIR; /* or missing, as the next look tells */
		return 0;
	}
	if (look(walk->view_fd, out->path.data, name, &out->type, target, err) < 0)
		return -1;
	if (S_ISLNK(out->type)) {
		if (walk->links == LINKS_MAX)
			return err_set(err, ERR_INPUT, "'%s' of the image: too many links", whole);
		follow(walk, target, after, out);
		out->type = S_IFDIR;
		return 0;
	}
	push(&out->path, name);
	out->dangles = !out->type && walk->links > 0;
	return 0;
}

/* Follow @path to its end, as in a chroot(2) to the image. */
static int find(int view_fd, const char *path, struct place *out, struct err *err)
{
	struct walk walk = { .view_fd = view_fd, .rest = str_dup(path) };
	int r = 0;

	out->type = S_IFDIR;
	while (r == 0 && walk.rest[strspn(walk.rest, "/")])
		r = step(&walk, path, out, err);
	free(walk.rest);
	return r;
}

/* ---- making ---- */

struct making {
	const struct initlayer_options *options;
	struct strlist dirs; /* all that were made, relative; their looks come last */
};

static void note_dir(struct making *making, const char *path, size_t len)
{
	auto_free char *dir = str_ndup(path, len);

	if (!strlist_has(&making->dirs, dir))
		strlist_add(&making->dirs, dir);
}

/* @path and all above it. */
static int make_dirs(struct making *making, const char *path, struct err *err)
{
	auto_close int fd =
		beneath_mkdirs(making->options->dir_fd, path, BENEATH_NO_LINKS, 0755, err);

	if (fd < 0)
		return -1;
	for (size_t i = 0; path[i]; i++) {
		if (path[i] == '/')
			note_dir(making, path, i);
	}
	if (*path)
		note_dir(making, path, strlen(path));
	return 0;
}

static int make_parents(struct making *making, const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	auto_free char *parent = str_ndup(path, slash ? (size_t)(slash - path) : 0);

	return make_dirs(making, parent, err);
}

static int make_file(struct making *making, const char *path, const char *content, struct err *err)
{
	auto_close int fd = -1;

	if (make_parents(making, path, err) < 0)
		return -1;
	fd = beneath_create(making->options->dir_fd, path, O_WRONLY, 0644, err);
	if (fd < 0)
		return -1;
	return fd_write_all(fd, content, strlen(content), path, err);
}

/* @name in the image's /etc, wherever that lies; a link of that name is covered. */
static int make_etc_file(struct making *making, const char *name, const char *content,
			 struct strlist *out_drop_files, struct err *err)
{
	auto_place struct place etc = PLACE_INIT;
	char target[PATH_MAX];
	mode_t type;

	if (find(making->options->view_fd, "/etc", &etc, err) < 0)
		return -1;
	if (etc.dangles)
		return err_set(err, ERR_INPUT,
			       "'/etc' of the image is a link to '/%s', which is not there",
			       etc.path.data);
	if (etc.type && !S_ISDIR(etc.type))
		return err_set(err, ERR_INPUT, "'/etc' of the image is not a directory");
	if (look(making->options->view_fd, etc.path.data, name, &type, target, err) < 0)
		return -1;
	if (S_ISDIR(type))
		return err_set(err, ERR_INPUT, "'/etc/%s' of the image is a directory", name);
	push(&etc.path, name);
	if (out_drop_files)
		strlist_add(out_drop_files, etc.path.data);
	return make_file(making, etc.path.data, content, err);
}

/* /proc, /sys, /dev: mounted over, and never by way of a link. */
static int make_kernel_point(struct making *making, const char *name, struct err *err)
{
	char target[PATH_MAX];
	mode_t type;

	if (look(making->options->view_fd, "", name, &type, target, err) < 0)
		return -1;
	if (S_ISLNK(type))
		return err_set(err, ERR_INPUT, "'/%s' of the image is a symbolic link", name);
	if (type && !S_ISDIR(type))
		return err_set(err, ERR_INPUT, "'/%s' of the image is not a directory", name);
	return type ? 0 : make_dirs(making, name, err);
}

static int make_point(struct making *making, const struct initlayer_point *point, struct err *err)
{
	auto_place struct place place = PLACE_INIT;

	if (find(making->options->view_fd, point->path, &place, err) < 0)
		return -1;
	if (place.type && !point->is_file && !S_ISDIR(place.type))
		return err_set(err, ERR_INPUT, "mount point '%s' of the image is not a directory",
			       point->path);
	if (place.type && point->is_file && S_ISDIR(place.type))
		return err_set(err, ERR_INPUT,
			       "mount point '%s' of the image is a directory, its source is none",
			       point->path);
	if (place.type)
		return 0;
	return point->is_file ? make_file(making, place.path.data, "", err)
			      : make_dirs(making, place.path.data, err);
}

/* ---- looks ---- */

static int copy_look(const struct making *making, const char *path, struct err *err)
{
	auto_close int from_fd = open_view(making->options->view_fd, path, err);
	auto_close int to_fd = -1;

	if (from_fd < 0 && errno == ENOENT) {
		err_clear(err);
		return 0;
	}
	if (from_fd < 0)
		return -1;
	to_fd = beneath_open(making->options->dir_fd, path, BENEATH_NO_LINKS,
			     O_RDONLY | O_DIRECTORY, err);
	if (to_fd < 0)
		return -1;
	return entry_copy_metadata(from_fd, to_fd, making->options->ns, path, err);
}

/* Deepest first: making something in a directory changes its times. */
static int copy_looks(struct making *making, struct err *err)
{
	strlist_sort(&making->dirs);
	for (size_t i = making->dirs.count; i > 0; i--) {
		if (copy_look(making, making->dirs.items[i - 1], err) < 0)
			return -1;
	}
	return copy_look(making, "", err);
}

static int make_all(struct making *making, struct strlist *out_drop_files, struct err *err)
{
	const struct initlayer_options *options = making->options;
	const struct {
		const char *name;
		const char *content;
	} files[] = {
		{ "hosts", options->hosts },
		{ "resolv.conf", options->resolv_conf },
		{ "hostname", options->hostname },
	};
	static const char *const kernel_points[] = { "proc", "sys", "dev" };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (files[i].content &&
		    make_etc_file(making, files[i].name, files[i].content, out_drop_files, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < sizeof(kernel_points) / sizeof(kernel_points[0]); i++) {
		if (make_kernel_point(making, kernel_points[i], err) < 0)
			return -1;
	}
	for (size_t i = 0; i < options->point_count; i++) {
		if (make_point(making, &options->points[i], err) < 0)
			return -1;
	}
	return copy_looks(making, err);
}

int initlayer_make(const struct initlayer_options *options, struct strlist *out_drop_files,
		   struct err *err)
{
	struct making making = { .options = options };
	int r = make_all(&making, out_drop_files, err);

	strlist_release(&making.dirs);
	return r;
}
