/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for one file: its content, cloned where the file system can, read once
 * where its digest is wanted too, with its holes; then owner, mode, attributes and
 * times, in the order in which none undoes another. Names are single components
 * below directories that copy.c opened, and are never followed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

#include "builder/copy-internal.h"
#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"
#include "layers/record.h"
#include "storage/stepcache.h"

struct copy_link {
	struct {
		dev_t dev;
		ino_t ino;
	} key;
	char *path; /* of its first copy, from the target's root */
	bool has_digest;
	struct digest digest;
	UT_hash_handle hh;
};

void copy_links_release(struct copier *copier)
{
	struct copy_link *link;
	struct copy_link *next;

	HASH_ITER (hh, copier->links, link, next) {
		HASH_DEL(copier->links, link);
		free(link->path);
		free(link);
	}
}

int copy_clear_name(int dir_fd, const char *name, struct err *err)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(err, "stat '%s'", name);
	if (S_ISDIR(st.st_mode))
		return err_set(err, ERR_INPUT,
			       "'%s' is a directory there: a file cannot take its "
			       "place",
			       name);
	if (unlinkat(dir_fd, name, 0) < 0)
		return err_sys(err, "remove '%s'", name);
	return 0;
}

/* What only the view has would be hidden: fine for a file, wrong for a directory. */
static int check_view(const struct copy_place *place, struct err *err)
{
	struct stat st;

	if (place->view_fd < 0 ||
	    fstatat(place->view_fd, place->to, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISDIR(st.st_mode))
		return 0;
	return err_set(err, ERR_INPUT, "'%s' is a directory there: a file cannot take its place",
		       place->to);
}

/* To ask costs a fraction of what it costs to set what is there already. */
static bool has_owner(const struct stat *st, enum overlay_ns ns, uid_t uid, gid_t gid)
{
	return st->st_uid == uid && st->st_gid == gid && !record_has_owners(ns);
}

int copy_set_owner(const struct copier *copier, const struct select_item *item, int fd,
		   struct err *err)
{
	const struct copy_options *options = copier->options;
	uid_t uid = options->has_owner ? options->uid : item->uid;
	gid_t gid = options->has_owner ? options->gid : item->gid;
	mode_t mode = copy_mode(options, item->mode);
	struct stat st;
	bool is_given;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "stat the copy of '%s'", item->path);
	is_given = !has_owner(&st, copier->target->ns, uid, gid);
	if (is_given && record_chown(fd, "", copier->target->ns, uid, gid) < 0)
		return err_sys(err, "give '%s' to %u:%u", item->path, (unsigned)uid, (unsigned)gid);
	if ((is_given || (st.st_mode & 07777) != mode) && fchmod(fd, mode) < 0)
		return err_sys(err, "set the mode of '%s'", item->path);
	if (item->xattrs.count > 0)
		return xattrs_apply(fd, copier->target->ns, &item->xattrs, item->path, err);
	return 0;
}

/*
 * Read all that is there, into the digest and, with @to_fd ≥ 0, the copy. What a file that grows
 * meanwhile has beyond @size is not of this copy, and a read that would only find the end is saved.
 */
static int pump(struct copier *copier, int from_fd, int to_fd, off_t size,
		struct digest_state *state, const char *path, struct err *err)
{
	uint64_t unwritten = 0;
	ssize_t n = 0;

	for (off_t left = size; left > 0; left -= n) {
		size_t len = left < (off_t)COPY_BUFFER_BYTES ? (size_t)left : COPY_BUFFER_BYTES;

		n = fd_read_full(from_fd, copier->buffer, len, path, err);
		if (n <= 0)
			break;
		if (state)
			digest_state_update(state, copier->buffer, (size_t)n);
		if (to_fd >= 0 && fd_write_all(to_fd, copier->buffer, (size_t)n, path, err) < 0)
			return -1;
		if ((size_t)n < COPY_BUFFER_BYTES)
			break;
		unwritten += to_fd >= 0 ? (uint64_t)n : 0;
		if (unwritten >= FD_WRITE_BEHIND_BYTES) {
			fd_write_behind(to_fd);
			unwritten = 0;
		}
		if (copy_check_interrupt(copier->request->interrupt_fd, err) < 0)
			return -1;
	}
	return n < 0 ? -1 : 0;
}

/* A clone that is digested by reading the original, which is in memory. */
static int clone_original(struct copier *copier, int from_fd, int to_fd, const struct stat *st,
			  bool *out_is_clone, struct err *err)
{
	struct originals *originals = copier->request->originals;

	*out_is_clone = originals && originals_has_room(originals) &&
			original_is_usable(from_fd, st) && ioctl(to_fd, FICLONE, from_fd) == 0;
	return *out_is_clone ? originals_add(originals, to_fd, from_fd, st, err) : 0;
}

/*
 * Clone or copy, and digest if @state is not NULL. A small file is read and written: that
 * is faster than to ask whether it can be cloned. So is a large one that is in memory, where it
 * cannot stand for its clone: the layer is digested next, and the pages of a clone would have to
 * come from the disk.
 */
static int copy_content(struct copier *copier, int from_fd, int to_fd, const struct stat *st,
			struct digest_state *state, const char *path, struct err *err)
{
	bool is_sparse = (uint64_t)st->st_blocks * 512 < (uint64_t)st->st_size;

	if ((uint64_t)st->st_size <= COPY_BUFFER_BYTES && !is_sparse)
		return pump(copier, from_fd, to_fd, st->st_size, state, path, err);
	if (!is_sparse &&
	    (fd_is_cached(from_fd, st->st_size) || ioctl(to_fd, FICLONE, from_fd) < 0))
		return pump(copier, from_fd, to_fd, st->st_size, state, path, err);
	if (is_sparse && fd_copy_file(from_fd, to_fd, st, path, err) < 0)
		return -1;
	if (!state)
		return 0;
	if (lseek(from_fd, 0, SEEK_SET) < 0)
		return err_sys(err, "seek in '%s'", path);
	return pump(copier, from_fd, -1, st->st_size, state, path, err);
}

/* The image is to be on disk in the end: that takes as long as all else, and begins now. */
static void note_written(struct copier *copier, off_t size)
{
	copier->unwritten += (uint64_t)size;
	if (copier->unwritten < STORE_WRITE_BEHIND_BYTES)
		return;
	copier->unwritten = 0;
	store_write_behind(copier->tree->store);
}

/*
 * A new file of that name, with as much of @mode as the umask leaves; what was there is removed.
 * Nobody but who builds gets at it before it is published.
 */
static int make_file(const struct copy_place *place, mode_t mode, struct err *err)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(place->to_fd, place->to, flags, mode & 0777);

	if (fd < 0 && errno == EEXIST) {
		if (copy_clear_name(place->to_fd, place->to, err) < 0)
			return -1;
		fd = openat(place->to_fd, place->to, flags, mode & 0777);
	}
	if (fd < 0)
		return err_sys(err, "make '%s'", place->to);
	return fd;
}

static int copy_regular(struct copier *copier, struct select_item *item,
			const struct copy_place *place, struct err *err)
{
	auto_digest_state struct digest_state state = { 0 };
	bool wants_digest = !item->has_digest;
	bool has_original = false;
	bool is_late;
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, item->mtime };
	auto_close int from_fd = -1;
	auto_close int to_fd = -1;
	struct digest digest;
	struct stat st;

	from_fd =
		openat(place->from_fd, place->from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (from_fd < 0)
		return err_sys(err, "open '%s'", item->path);
	if (fstat(from_fd, &st) < 0)
		return err_sys(err, "stat '%s'", item->path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INPUT, "'%s' was changed while it was copied", item->path);
	is_late = wants_digest && copier->request->late && st.st_size >= LATE_DIGEST_MIN_BYTES;
	wants_digest = wants_digest && !is_late;
	to_fd = make_file(place, copy_mode(copier->options, item->mode), err);
	if (to_fd < 0)
		return -1;
	if (wants_digest)
		digest_state_init(&state);
	if (!wants_digest && clone_original(copier, from_fd, to_fd, &st, &has_original, err) < 0)
		return -1;
	if (!has_original && copy_content(copier, from_fd, to_fd, &st, wants_digest ? &state : NULL,
					  item->path, err) < 0)
		return -1;
	if (wants_digest) {
		digest_state_final(&state, &digest);
		if (select_set_digest(copier->tree, copier->request->selection, item, &st, &digest,
				      err) < 0)
			return -1;
	}
	if (is_late && late_digests_add(copier->request->late, copier->tree, item, to_fd,
					has_original ? from_fd : -1, &st, err) < 0)
		return -1;
	if (copy_set_owner(copier, item, to_fd, err) < 0)
		return -1;
	if (futimens(to_fd, times) < 0)
		return err_sys(err, "set the time of '%s'", item->path);
	if (!has_original)
		note_written(copier, st.st_size);
	return 0;
}

static void link_key(const struct select_item *item, struct copy_link *out)
{
	memset(out, 0, sizeof(*out)); /* the padding too: it is hashed */
	out->key.dev = item->dev;
	out->key.ino = item->ino;
}

/* The copy of @item, which has several names, is there: the next ones become links to it. */
static void note_link(struct copier *copier, const struct select_item *item,
		      const struct copy_place *place)
{
	struct copy_link *link = mem_alloc(sizeof(*link));

	link_key(item, link);
	link->path = str_dup(place->to_path);
	link->has_digest = item->has_digest;
	link->digest = item->digest;
	HASH_ADD(hh, copier->links, key, sizeof(link->key), link);
}

/* Another name of a file that was copied already; *out_done false when this is its first. */
static int copy_hard_link(struct copier *copier, struct select_item *item,
			  const struct copy_place *place, bool *out_done, struct err *err)
{
	struct copy_link *link;
	auto_close int first_fd = -1;
	char name[NAME_MAX + 1];
	struct copy_link probe;

	link_key(item, &probe);
	HASH_FIND(hh, copier->links, &probe.key, sizeof(probe.key), link);
	*out_done = link != NULL;
	if (!link)
		return 0;
	first_fd = beneath_parent(copier->target->root_fd, link->path, BENEATH_NO_LINKS, name, err);
	if (first_fd < 0 || copy_clear_name(place->to_fd, place->to, err) < 0)
		return -1;
	if (linkat(first_fd, name, place->to_fd, place->to, 0) < 0)
		return err_sys(err, "link '%s' to '%s'", item->path, link->path);
	if (!link->has_digest)
		return 0;
	return select_share_digest(copier->request->selection, item, &link->digest, err);
}

/* Links, devices and pipes: by name, for they cannot be opened. */
static int copy_special(struct copier *copier, const struct select_item *item,
			const struct copy_place *place, struct err *err)
{
	const struct copy_options *options = copier->options;
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, item->mtime };
	mode_t mode = copy_mode(options, item->mode);
	auto_close int fd = -1;
	int result;

	if (copy_clear_name(place->to_fd, place->to, err) < 0)
		return -1;
	if (S_ISLNK(item->mode))
		result = symlinkat(item->link, place->to_fd, place->to);
	else
		result = record_mknod(place->to_fd, place->to, copier->target->ns,
				      (item->mode & S_IFMT) | 0600, item->rdev);
	if (result < 0)
		return err_sys(err, "make '%s'", item->path);
	if (record_chown(place->to_fd, place->to, copier->target->ns,
			 options->has_owner ? options->uid : item->uid,
			 options->has_owner ? options->gid : item->gid) < 0)
		return err_sys(err, "set the owner of '%s'", item->path);
	if (!S_ISLNK(item->mode) && fchmodat(place->to_fd, place->to, mode, 0) < 0)
		return err_sys(err, "set the mode of '%s'", item->path);
	if (item->xattrs.count > 0) {
		fd = openat(place->to_fd, place->to, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return err_sys(err, "open '%s'", item->path);
		if (xattrs_apply(fd, copier->target->ns, &item->xattrs, item->path, err) < 0)
			return -1;
	}
	if (utimensat(place->to_fd, place->to, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "set the time of '%s'", item->path);
	return 0;
}

int copy_file(struct copier *copier, struct select_item *item, const struct copy_place *place,
	      struct err *err)
{
	bool is_done = false;

	if (++copier->done % 64 == 0 &&
	    copy_check_interrupt(copier->request->interrupt_fd, err) < 0)
		return -1;
	if (check_view(place, err) < 0)
		return -1;
	if (item->ino != 0 && copy_hard_link(copier, item, place, &is_done, err) < 0)
		return -1;
	if (is_done)
		return 0;
	if (!S_ISREG(item->mode))
		return copy_special(copier, item, place, err);
	if (copy_regular(copier, item, place, err) < 0)
		return -1;
	if (item->ino != 0)
		note_link(copier, item, place);
	return 0;
}
