/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for making on disk what one entry says: the file, then its owner,
 * its mode (which a change of owner may cut), its attributes (which a change
 * of either may clear) and its times. Nothing is opened that was there before:
 * a file is made with O_EXCL, after what was in its place is removed. Where it
 * goes is unpack-tree's business, its content unpack-content's.
 */
#include "layers/unpack-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"
#include "layers/record.h"
#include "layers/whiteout.h"

/* ---- owner, mode, attributes, times ---- */

int unpack_set_owner(const struct unpack_tree *tree, int fd, const char *name, uid_t uid, gid_t gid,
		     const char *path, struct err *err)
{
	const enum overlay_ns ns = tree->options->ns;

	if (record_chown(fd, name, ns, uid, gid) == 0)
		return 0;
	if (record_has_owners(ns) || (errno != EINVAL && errno != EPERM))
		return err_sys(err, "change the owner of '%s'", path);
	err_sys(err, "give '%s' to the owner %u:%u", path, uid, gid);
	if (errno == EINVAL)
		err_detail(err, "this id does not exist in the user namespace: give the user more"
				" subordinate ids in /etc/subuid and /etc/subgid");
	return -1;
}

static uid_t uid_of(const struct unpack_tree *tree, const struct entry *entry)
{
	return tree->options->owner.set ? tree->options->owner.uid : entry->uid;
}

static gid_t gid_of(const struct unpack_tree *tree, const struct entry *entry)
{
	return tree->options->owner.set ? tree->options->owner.gid : entry->gid;
}

static int set_times(int fd, const char *name, const struct entry *entry, struct err *err)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, entry->mtime };
	int r = name ? utimensat(fd, name, times, AT_SYMLINK_NOFOLLOW) : futimens(fd, times);

	return r < 0 ? err_sys(err, "set the times of '%s'", entry->path) : 0;
}

/* ---- directories ---- */

static int dir_at_place(struct unpack_tree *tree, const struct place *place,
			struct unpack_dir **out, struct err *err)
{
	enum stood stood = STOOD_NOTHING;
	struct stat st;

	if (fstatat(place->dir_fd, place->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode))
		return unpack_dir_record(tree, place, out, err);
	if (unpack_clear(tree, place, &stood, err) < 0)
		return -1;
	return unpack_make_dir(tree, place, stood == STOOD_OTHER, out, err);
}

int unpack_put_dir(struct unpack_tree *tree, const struct entry *entry, struct err *err)
{
	struct unpack_dir *dir = NULL;
	struct place place;

	if (!*entry->path) {
		if (unpack_dir_record(tree, NULL, &dir, err) < 0)
			return -1;
	} else if (unpack_place(tree, entry->path, &place, err) < 0 ||
		   dir_at_place(tree, &place, &dir, err) < 0) {
		return -1;
	}
	dir->is_explicit = true;
	dir->mode = entry->mode;
	dir->uid = uid_of(tree, entry);
	dir->gid = gid_of(tree, entry);
	dir->has_mtime = true;
	dir->mtime = entry->mtime;
	xattrs_copy(&dir->xattrs, &entry->xattrs);
	return 0;
}

/* ---- files ---- */

static int create(struct unpack_tree *tree, const struct place *place, const char *path,
		  struct err *err)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(place->dir_fd, place->name, flags, 0600);
	enum stood stood;

	if (fd < 0 && errno == EEXIST) {
		if (unpack_clear(tree, place, &stood, err) < 0)
			return -1;
		fd = openat(place->dir_fd, place->name, flags, 0600);
	}
	if (fd < 0)
		return err_sys(err, "create '%s'", path);
	return fd;
}

int unpack_put_file(struct unpack_tree *tree, const struct tar_entry *from,
		    struct tar_reader *reader, struct unpack_budget *budget, struct err *err)
{
	const struct entry *entry = &from->entry;
	auto_close int fd = -1;
	struct place place;

	if (unpack_take_room(budget, from, reader, err) < 0 ||
	    unpack_place(tree, entry->path, &place, err) < 0)
		return -1;
	fd = create(tree, &place, entry->path, err);
	if (fd < 0 || unpack_note_made(tree, &place, err) < 0)
		return -1;
	if (unpack_fill(fd, from, reader, err) < 0)
		return -1;
	if (unpack_set_owner(tree, fd, "", uid_of(tree, entry), gid_of(tree, entry), entry->path,
			     err) < 0)
		return -1;
	if (fchmod(fd, entry->mode) < 0)
		return err_sys(err, "change mode of '%s'", entry->path);
	if (unpack_set_xattrs(tree, fd, &entry->xattrs, entry->path, err) < 0)
		return -1;
	return set_times(fd, NULL, entry, err);
}

/* ---- links ---- */

static int no_target(const struct entry *entry, const char *why, struct err *err)
{
	return err_set(err, ERR_INPUT, "the hard link '%s' names '%s', which %s", entry->path,
		       entry->link, why);
}

/* On top of layers below, what a link there made of the target's own path counts for it too. */
static int open_target_dir(struct unpack_tree *tree, const struct entry *entry, char *out_name,
			   struct err *err)
{
	struct place place;
	int fd;

	if (!tree->options->below_fd)
		return beneath_parent(tree->root_fd, entry->link, BENEATH_IN_ROOT, out_name, err);
	if (unpack_place(tree, entry->link, &place, err) < 0)
		return -1;
	strcpy(out_name, place.name);
	fd = fcntl(place.dir_fd, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? err_sys(err, "open the directory of '%s'", entry->link) : fd;
}

/* The file that a hard link names, by O_PATH: one of this archive's, made before. */
static int open_target(struct unpack_tree *tree, const struct entry *entry, struct stat *st,
		       struct err *err)
{
	char name[NAME_MAX + 1];
	auto_close int dir_fd = -1;
	auto_close int fd = -1;

	if (!*entry->link)
		return no_target(entry, "is the root", err);
	dir_fd = open_target_dir(tree, entry, name, err);
	if (dir_fd >= 0)
		fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return no_target(entry, "is not an earlier entry of the archive", err);
	if (dir_fd < 0)
		return -1;
	if (fd < 0)
		return err_sys(err, "open '%s'", entry->link);
	if (fstat(fd, st) < 0)
		return err_sys(err, "stat '%s'", entry->link);
	if (S_ISDIR(st->st_mode))
		return no_target(entry, "is a directory", err);
	if (unpack_is_layer(tree) && whiteout_is(dir_fd, name, st, tree->options->ns))
		return no_target(entry, "the archive deletes", err);
	if (!tree->options->existing_links && !unpack_is_made(tree, st))
		return no_target(entry, "is not an earlier entry of the archive", err);
	return fd_steal(&fd);
}

/* Through /proc the kernel goes to that very file, whatever has its name by now. */
static int link_fd(int fd, const struct place *place)
{
	char buf[FD_PATH_MAX];

	return linkat(AT_FDCWD, fd_path(fd, buf), place->dir_fd, place->name, AT_SYMLINK_FOLLOW);
}

int unpack_put_hardlink(struct unpack_tree *tree, const struct entry *entry, struct err *err)
{
	struct stat target, there;
	auto_close int fd = open_target(tree, entry, &target, err);
	struct place place;
	enum stood stood;

	if (fd < 0 || unpack_place(tree, entry->path, &place, err) < 0)
		return -1;
	if (link_fd(fd, &place) == 0)
		return unpack_note_made(tree, &place, err);
	if (errno != EEXIST)
		return err_sys(err, "link '%s' to '%s'", entry->path, entry->link);
	/* the same file already: by this very name, or by a second entry that says the same */
	if (fstatat(place.dir_fd, place.name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	    there.st_dev == target.st_dev && there.st_ino == target.st_ino)
		return 0;
	if (unpack_clear(tree, &place, &stood, err) < 0)
		return -1;
	if (link_fd(fd, &place) == 0)
		return unpack_note_made(tree, &place, err);
	if (errno == ENOENT)
		return no_target(entry, "it replaces", err);
	return err_sys(err, "link '%s' to '%s'", entry->path, entry->link);
}

static int open_path(const struct place *place, const char *path, struct err *err)
{
	int fd = openat(place->dir_fd, place->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_sys(err, "open '%s'", path) : fd;
}

int unpack_put_symlink(struct unpack_tree *tree, const struct entry *entry, struct err *err)
{
	auto_close int fd = -1;
	struct place place;
	enum stood stood;
	int r;

	if (unpack_place(tree, entry->path, &place, err) < 0)
		return -1;
	r = symlinkat(entry->link, place.dir_fd, place.name);
	if (r < 0 && errno == EEXIST) {
		if (unpack_clear(tree, &place, &stood, err) < 0)
			return -1;
		r = symlinkat(entry->link, place.dir_fd, place.name);
	}
	if (r < 0)
		return err_sys(err, "make the symbolic link '%s'", entry->path);
	if (unpack_note_made(tree, &place, err) < 0 ||
	    unpack_set_owner(tree, place.dir_fd, place.name, uid_of(tree, entry),
			     gid_of(tree, entry), entry->path, err) < 0)
		return -1;
	if (entry->xattrs.count > 0) {
		fd = open_path(&place, entry->path, err);
		if (fd < 0 || unpack_set_xattrs(tree, fd, &entry->xattrs, entry->path, err) < 0)
			return -1;
	}
	return set_times(place.dir_fd, place.name, entry, err);
}

/* ---- devices and fifos ---- */

static mode_t special_type(enum entry_type type)
{
	if (type == ENTRY_FIFO)
		return S_IFIFO;
	return type == ENTRY_BLOCK_DEVICE ? S_IFBLK : S_IFCHR;
}

static int make_node(struct unpack_tree *tree, const struct place *place, const struct entry *entry,
		     struct err *err)
{
	mode_t mode = special_type(entry->type) | 0600;
	dev_t dev = makedev(entry->dev_major, entry->dev_minor);
	int r = record_mknod(place->dir_fd, place->name, tree->options->ns, mode, dev);
	enum stood stood;

	if (r < 0 && errno == EEXIST) {
		if (unpack_clear(tree, place, &stood, err) < 0)
			return -1;
		r = record_mknod(place->dir_fd, place->name, tree->options->ns, mode, dev);
	}
	if (r == 0)
		return 0;
	err_sys(err, "make the %s '%s'", entry_type_name(entry->type), entry->path);
	if (errno == EPERM && entry->type != ENTRY_FIFO)
		err_detail(err, "only root on the host may make devices: run this as root");
	return -1;
}

int unpack_put_special(struct unpack_tree *tree, const struct entry *entry, struct err *err)
{
	char buf[FD_PATH_MAX];
	auto_close int fd = -1;
	struct place place;

	if (unpack_place(tree, entry->path, &place, err) < 0 ||
	    make_node(tree, &place, entry, err) < 0 || unpack_note_made(tree, &place, err) < 0)
		return -1;
	fd = open_path(&place, entry->path, err);
	if (fd < 0 || unpack_set_owner(tree, fd, "", uid_of(tree, entry), gid_of(tree, entry),
				       entry->path, err) < 0)
		return -1;
	/* an O_PATH descriptor: the call by descriptor is younger than the kernels we run on */
	if (chmod(fd_path(fd, buf), entry->mode) < 0)
		return err_sys(err, "change mode of '%s'", entry->path);
	if (unpack_set_xattrs(tree, fd, &entry->xattrs, entry->path, err) < 0)
		return -1;
	return set_times(place.dir_fd, place.name, entry, err);
}

/* ---- deletions ---- */

/*
 * A whiteout is of what lies below, never of what this layer itself has at the
 * name: a directory there then shows nothing of the one below.
 */
int unpack_put_whiteout(struct unpack_tree *tree, const char *path, struct err *err)
{
	struct unpack_dir *dir;
	struct place place;
	struct stat st;

	if (unpack_place(tree, path, &place, err) < 0)
		return -1;
	if (fstatat(place.dir_fd, place.name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (!S_ISDIR(st.st_mode))
			return 0;
		if (unpack_dir_record(tree, &place, &dir, err) < 0)
			return -1;
		dir->is_new = true;
		dir->is_opaque = true;
		return 0;
	}
	if (errno != ENOENT)
		return err_sys(err, "stat '%s'", path);
	if (unpack_is_hidden(tree, place.dir_path))
		return 0;
	if (unpack_dir_of(tree, &place, &dir, err) < 0)
		return -1;
	dir->has_whiteouts = true;
	return whiteout_make(place.dir_fd, place.name, tree->options->ns, err);
}

int unpack_put_opaque(struct unpack_tree *tree, const char *path, struct err *err)
{
	struct unpack_dir *dir;
	struct place place;

	if (unpack_place(tree, path, &place, err) < 0 || unpack_dir_of(tree, &place, &dir, err) < 0)
		return -1;
	dir->is_opaque = true;
	return 0;
}
