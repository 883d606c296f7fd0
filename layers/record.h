/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAYERS_RECORD_H
#define LAYERS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "layers/entry.h"

/*
 * Owners and devices that the kernel does not let us have (one id only, no right to make
 * devices), as the layer has them. They are written on the file itself, so that they go with it
 * through renames, copy-ups, hard links and clones. Files and directories bear them in an
 * attribute, which no layer carries and no image can bring along:
 *
 *   RECORD_NAME = owner [ ":" device ]
 *   owner       = UID ":" GID
 *   device      = ( "c" | "b" ) ":" MAJOR ":" MINOR     an empty file stands for it
 *
 * The kernel gives no attributes to links, pipes and sockets. These bear their owner in the time
 * of last access, which no layer has: RECORD_EPOCH (the year 2106) seconds and more, so that no
 * reading of the file moves it. Ids of 2^31 and above do not fit there.
 *
 *   seconds = RECORD_EPOCH + ( UID << 2 | GID >> 29 )     nanoseconds = GID & ( 2^29 - 1 )
 *
 * Mode and other attributes are the file's own. What has no record belongs to 0:0.
 */
#define RECORD_NAME     "user.imgbuild.record"
#define RECORD_TEXT_MAX 64
#define RECORD_EPOCH    ((int64_t)1 << 32)

struct record {
	uid_t uid;
	gid_t gid;
	mode_t device; /* S_IFCHR, S_IFBLK, or 0 */
	dev_t rdev;
};

/*
 * Are owners recorded in trees of this form; are devices? In a user namespace with many ids the
 * latter alone are, and a device's owner is its file's.
 */
static inline bool record_has_owners(enum overlay_ns ns)
{
	return ns == OVERLAY_RECORDED;
}
static inline bool record_has_devices(enum overlay_ns ns)
{
	return ns != OVERLAY_TRUSTED;
}

/* Does a file of this type bear its record in an attribute? Else in its time. */
static inline bool record_is_attribute(mode_t mode)
{
	return S_ISREG(mode) || S_ISDIR(mode);
}

/* The attribute's value. false: it is none. */
bool record_parse(const char *value, size_t len, struct record *out);
/* Returns its length, of RECORD_TEXT_MAX at most. */
size_t record_format(const struct record *record, char *out);

/* The time. */
bool record_of_time(const struct timespec *atime, struct record *out);
bool record_to_time(const struct record *record, struct timespec *out);

/* What stat(2) says, changed to what the record says. */
void record_apply(const struct record *record, struct stat *st);

/*
 * As the calls of these names, never following a link; @name "" is @dir_fd itself, which may be
 * O_PATH. Where nothing is recorded they are those calls. -1 with errno.
 */
int record_stat(int dir_fd, const char *name, enum overlay_ns ns, struct stat *out);
int record_chown(int dir_fd, const char *name, enum overlay_ns ns, uid_t uid, gid_t gid);
int record_mknod(int dir_fd, const char *name, enum overlay_ns ns, mode_t mode, dev_t rdev);

#endif
