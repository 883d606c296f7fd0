/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for new files: made in the upper at once where nothing stands in the way, else
 * in the work directory, from where they replace the whiteout by one rename.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "fuse-overlay/attr.h"
#include "fuse-overlay/copyup.h"
#include "fuse-overlay/handle.h"
#include "fuse-overlay/lookup.h"
#include "fuse-overlay/marks.h"
#include "fuse-overlay/upper.h"

#define ACL_DEFAULT "system.posix_acl_default"
#define ACL_MAX     65536

/* A file that is being made. */
struct work {
	struct overlay *overlay;
	const struct caller *caller;
	const struct making *making;
	struct stat parent; /* of the directory in the upper */
	bool is_opaque;     /* a directory that hides what is below */
	int fd;             /* of a regular file, open; else -1 */
	struct stat st;
};

static bool fakes_modes(const struct overlay *overlay)
{
	return overlay->permissions != XATTR_PERMISSIONS_NONE;
}

/* ---- the file ---------------------------------------------------------------------------- */

static int make_node(struct work *work, int dir_fd, const char *name, mode_t mode)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;

	if (S_ISREG(mode)) {
		work->fd = openat(dir_fd, name, flags, mode & 07777);
		return work->fd < 0 ? -errno : 0;
	}
	if (S_ISDIR(mode))
		return mkdirat(dir_fd, name, mode & 07777) < 0 ? -errno : 0;
	if (S_ISLNK(mode))
		return symlinkat(work->making->target, dir_fd, name) < 0 ? -errno : 0;
	return mknodat(dir_fd, name, mode, work->making->rdev) < 0 ? -errno : 0;
}

/* Where modes are kept in attributes, we at least must get at the file, whatever it is to be. */
static int make_faked(struct work *work, int dir_fd, const char *name)
{
	mode_t mode = work->making->mode;
	int r;

	if (S_ISLNK(mode))
		return make_node(work, dir_fd, name, mode);
	if (S_ISDIR(mode))
		return make_node(work, dir_fd, name, S_IFDIR | 0700 | (mode & 0777));
	r = make_node(work, dir_fd, name, S_IFREG | 0600 | (mode & 0777));
	return r;
}

static void owner_of(const struct work *work, uid_t *uid, gid_t *gid)
{
	*uid = work->caller->uid;
	*gid = work->caller->gid;
	mapping_store(&work->overlay->options->mapping, uid, gid);
	if (work->parent.st_mode & S_ISGID)
		*gid = work->parent.st_gid;
}

static int save_override(struct work *work, const struct where *at)
{
	auto_close int fd = -1;
	struct stat st = work->st;
	mode_t mode = work->making->mode & ~(S_ISLNK(work->making->mode) ? 0 : work->caller->umask);

	if (S_ISLNK(mode))
		return 0;
	st.st_mode = mode;
	st.st_rdev = work->making->rdev;
	owner_of(work, &st.st_uid, &st.st_gid);
	if (S_ISDIR(mode) && (work->parent.st_mode & S_ISGID))
		st.st_mode |= S_ISGID;
	fd = openat(at->fd, at->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return stat_override_save(fd, work->overlay->permissions, &st);
}

static int give_owner(struct work *work, const struct where *at)
{
	mode_t mode = work->st.st_mode;
	char path[WHERE_PATH_MAX];
	uid_t uid;
	gid_t gid;

	owner_of(work, &uid, &gid);
	if (S_ISDIR(mode) && (work->parent.st_mode & S_ISGID))
		mode |= S_ISGID;
	if (uid != work->st.st_uid || gid != work->st.st_gid) {
		if (fchownat(at->fd, at->name, uid, gid, at->flags) < 0 &&
		    !mapping_squashes(&work->overlay->options->mapping))
			return -errno;
	} else if (mode == work->st.st_mode) {
		return 0;
	}
	/* a change of the owner takes these bits away */
	if (mode & (S_ISUID | S_ISGID) && !S_ISLNK(mode) &&
	    chmod(where_path(at, path), mode & 07777) < 0)
		return -errno;
	return fstatat(at->fd, at->name, &work->st, at->flags) < 0 ? -errno : 0;
}

/* Make the file with all that belongs to it at a name that is free; -EEXIST if it is not. */
static int make_whole(struct work *work, int dir_fd, const char *name)
{
	const struct where at = { .fd = dir_fd, .name = name, .flags = AT_SYMLINK_NOFOLLOW };
	const struct overlay *overlay = work->overlay;
	int r;

	upper_use_umask(fakes_modes(overlay) ? 0 : work->caller->umask);
	r = fakes_modes(overlay) ? make_faked(work, dir_fd, name) :
				   make_node(work, dir_fd, name, work->making->mode);
	if (r < 0)
		return r;
	r = fstatat(dir_fd, name, &work->st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	if (r == 0)
		r = fakes_modes(overlay) ? save_override(work, &at) : give_owner(work, &at);
	if (r == 0 && work->is_opaque) {
		auto_close int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		r = fd < 0 ? -errno : mark_set_opaque(work->overlay, fd);
	}
	if (r == 0)
		return 0;
	unlinkat(dir_fd, name, S_ISDIR(work->making->mode) ? AT_REMOVEDIR : 0);
	fd_close(&work->fd);
	return r;
}

/* ---- in place of a whiteout ------------------------------------------------------------------ */

/*
 * What is made in the work directory inherits nothing from its real parent. Where that has a
 * default ACL, a directory with the same one stands in for it.
 */
static int open_stand_in(struct overlay *overlay, int parent_fd, char *name)
{
	auto_free char *acl = mem_alloc(ACL_MAX);
	char path[FD_PATH_MAX];
	ssize_t len = getxattr(fd_path(parent_fd, path), ACL_DEFAULT, acl, ACL_MAX);
	int fd;

	name[0] = '\0';
	if (len <= 0)
		return fcntl(overlay->work_fd, F_DUPFD_CLOEXEC, 0);
	work_name(overlay, name);
	if (mkdirat(overlay->work_fd, name, 0700) < 0)
		return -errno;
	fd = openat(overlay->work_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		fsetxattr(fd, ACL_DEFAULT, acl, (size_t)len, 0);
	return fd < 0 ? -errno : fd;
}

static int put_in_place(struct work *work, int from_fd, const char *from, int dir_fd,
			const char *name, enum standing standing)
{
	/* a directory cannot replace what is none; so they change places */
	bool swaps = S_ISDIR(work->making->mode) && standing == STANDING_WHITEOUT;

	if (renameat2(from_fd, from, dir_fd, name, swaps ? RENAME_EXCHANGE : 0) < 0)
		return -errno;
	if (swaps)
		unlinkat(from_fd, from, 0);
	return 0;
}

static int make_aside(struct work *work, int dir_fd, const char *name, enum standing standing)
{
	char stand_in[WORK_NAME_MAX], temporary[WORK_NAME_MAX];
	auto_close int aside_fd = open_stand_in(work->overlay, dir_fd, stand_in);
	int r;

	if (aside_fd < 0)
		return aside_fd;
	work_name(work->overlay, temporary);
	r = make_whole(work, aside_fd, temporary);
	if (r == 0) {
		r = put_in_place(work, aside_fd, temporary, dir_fd, name, standing);
		if (r < 0)
			unlinkat(aside_fd, temporary,
				 S_ISDIR(work->making->mode) ? AT_REMOVEDIR : 0);
	}
	if (stand_in[0])
		unlinkat(work->overlay->work_fd, stand_in, AT_REMOVEDIR);
	return r;
}

static int make_in(struct work *work, int dir_fd, const char *name)
{
	bool is_dir = S_ISDIR(work->making->mode);
	enum standing standing;
	bool has_file;
	int r;

	has_file = work->overlay->layers[0].has_whiteout_files &&
		   mark_has_whiteout_file(dir_fd, name);
	if (has_file && is_dir) {
		work->is_opaque = true;
		r = make_aside(work, dir_fd, name, STANDING_NOTHING);
	} else {
		r = make_whole(work, dir_fd, name);
	}
	if (r == -EEXIST) {
		r = upper_standing(work->overlay, dir_fd, name, &standing);
		if (r < 0)
			return r;
		if (standing != STANDING_WHITEOUT)
			return -EEXIST;
		work->is_opaque = is_dir;
		r = make_aside(work, dir_fd, name, standing);
	}
	if (r == 0 && has_file)
		r = mark_remove_whiteout_file(work->overlay, dir_fd, name);
	return r;
}

/* ---- requests ------------------------------------------------------------------------------------ */

static int check(const struct overlay *overlay, const char *name, const struct making *making)
{
	if (mark_is_name(name))
		return -EINVAL; /* it would delete what it names */
	if (S_ISCHR(making->mode) && making->rdev == 0 && !fakes_modes(overlay))
		return -EPERM; /* that is a whiteout */
	return 0;
}

static void reply_made(struct work *work, struct node *parent, const char *name,
		       struct entry_reply *out)
{
	struct overlay *overlay = work->overlay;
	const struct node_draft draft = {
		.type = work->making->mode & S_IFMT,
		.ino = attr_ino(overlay, &overlay->layers[0], work->st.st_ino),
		.is_upper = true,
		.lower = NO_LAYER,
		.dir = S_ISDIR(work->making->mode) ? dir_new(0) : NULL,
	};

	out->node = name ? node_find_or_make(overlay, parent, name, &draft) :
			   node_new_nameless(overlay, &draft);
	out->generation = out->node->id;
	out->st = work->st;
}

static int make(struct work *work, struct node *parent, const char *name, struct entry_reply *out)
{
	auto_place struct place place = PLACE_INIT;
	struct overlay *overlay = work->overlay;
	int r = check(overlay, name, work->making);

	if (r == 0)
		r = upper_open(overlay, parent, &place);
	if (r == 0)
		r = attr_load(overlay, place.fd, "", AT_EMPTY_PATH, &work->parent);
	if (r < 0)
		return r;
	dir_change_begin(parent);
	r = make_in(work, place.fd, name);
	dir_change_end(parent, r == 0 && S_ISDIR(work->making->mode) ? 1 : 0);
	if (r < 0)
		return r;
	if (fakes_modes(overlay)) {
		r = attr_load(overlay, place.fd, name, AT_SYMLINK_NOFOLLOW, &work->st);
		if (r < 0)
			return r;
	}
	reply_made(work, parent, name, out);
	attr_show(overlay, out->node, &out->st);
	return 0;
}

int overlay_make(struct overlay *overlay, const struct caller *caller, struct node *parent,
		 const char *name, const struct making *making, struct entry_reply *out)
{
	struct work work = { .overlay = overlay, .caller = caller, .making = making, .fd = -1 };
	int r = make(&work, parent, name, out);

	fd_close(&work.fd);
	return r;
}

int overlay_create(struct overlay *overlay, const struct caller *caller, struct node *parent,
		   const char *name, mode_t mode, int flags, struct entry_reply *out,
		   struct handle **out_handle)
{
	const struct making making = { .mode = S_IFREG | (mode & 07777) };
	struct work work = { .overlay = overlay, .caller = caller, .making = &making, .fd = -1 };
	int r = make(&work, parent, name, out);

	if (r < 0)
		return r;
	*out_handle = handle_new(overlay, out->node, work.fd, flags & ~(O_CREAT | O_EXCL | O_TRUNC));
	return 0;
}

int overlay_tmpfile(struct overlay *overlay, const struct caller *caller, struct node *parent,
		    mode_t mode, int flags, struct entry_reply *out, struct handle **out_handle)
{
	const struct making making = { .mode = S_IFREG | (mode & 07777) };
	struct work work = { .overlay = overlay, .caller = caller, .making = &making, .fd = -1 };
	auto_place struct place place = PLACE_INIT;
	struct where at = { .name = "", .flags = AT_EMPTY_PATH };
	char path[FD_PATH_MAX];
	int kept = -1;
	int r = upper_open(overlay, parent, &place);

	if (r == 0)
		r = attr_load(overlay, place.fd, "", AT_EMPTY_PATH, &work.parent);
	if (r < 0)
		return r;
	upper_use_umask(caller->umask);
	/* O_EXCL: it can never get a name */
	at.fd = openat(place.fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC | (flags & O_EXCL),
		       mode & 07777);
	if (at.fd < 0)
		return -errno;
	kept = open(fd_path(at.fd, path), O_PATH | O_CLOEXEC);
	r = kept < 0 || fstat(at.fd, &work.st) < 0 ? -errno : give_owner(&work, &at);
	if (r < 0) {
		close(at.fd);
		fd_close(&kept);
		return r;
	}
	reply_made(&work, parent, NULL, out);
	out->node->fd = kept;
	attr_show(overlay, out->node, &out->st);
	*out_handle = handle_new(overlay, out->node, at.fd, flags & ~(O_CREAT | O_EXCL | O_TRUNC));
	return 0;
}
