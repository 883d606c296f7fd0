/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_TMPFILE_H
#define COMMON_TMPFILE_H

#include "common/err.h"

/*
 * What is on disk is gone unless committed.
 *
 * A tmpfile lives in the directory it will be committed to (O_TMPFILE, so that
 * nothing is left after kill -9; a file ".tmp-<random>" where the file system
 * has no O_TMPFILE). Commit links it under @name; a name that is already there
 * is success, for names are content digests, and the old file stays. The mode is
 * 0644 less the umask. After the commit tmp.fd stays open until the release.
 */
struct tmpfile {
	int fd;        /* O_RDWR; the caller writes through it */
	int dir_fd;    /* borrowed */
	char name[32]; /* empty with O_TMPFILE */
};

#define TMPFILE_INIT                   \
	{                              \
		.fd = -1, .dir_fd = -1 \
	}
#define auto_tmpfile __attribute__((cleanup(tmpfile_release)))

int tmpfile_open(struct tmpfile *tmp, int dir_fd, struct err *err);
int tmpfile_commit(struct tmpfile *tmp, const char *name, struct err *err);
/*
 * The same, but replaces a file of that name (atomically). Where there is one, a
 * kill between two system calls can leave a ".tmp-<random>" behind.
 */
int tmpfile_replace(struct tmpfile *tmp, const char *name, struct err *err);
void tmpfile_release(struct tmpfile *tmp);

/*
 * A directory with a random name below @parent_fd that is removed with all it
 * holds unless it is committed, which renames it. An flock(2) on the directory
 * itself is held while it is open: it is the owner lock by which a later
 * process tells the half-made of the dead (tmpdir_sweep) from that of the living.
 *
 * Between mkdir and flock a directory looks like one of the dead. The maker
 * therefore locks without waiting and then looks whether the name still leads to
 * what it locked; if a sweep was faster, it makes another. A sweep removes only
 * while it holds the lock and after the same look, so one of the two always
 * sees the other.
 */
struct tmpdir {
	int parent_fd; /* borrowed */
	int fd;        /* O_RDONLY | O_DIRECTORY, locked */
	char name[32]; /* empty when there is none */
};

#define TMPDIR_INIT                       \
	{                                 \
		.parent_fd = -1, .fd = -1 \
	}
#define auto_tmpdir __attribute__((cleanup(tmpdir_release)))

int tmpdir_make(struct tmpdir *tmp, int parent_fd, struct err *err);
/* Rename to @name below @to_fd. Already there (EEXIST, ENOTEMPTY): success, ours is removed. */
int tmpdir_commit(struct tmpdir *tmp, int to_fd, const char *name, struct err *err);
void tmpdir_release(struct tmpdir *tmp);

/* Remove every directory below @parent_fd whose owner is gone. */
int tmpdir_sweep(int parent_fd, struct err *err);

#endif
