/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUSE_OVERLAY_SESSION_H
#define FUSE_OVERLAY_SESSION_H

#include <stdbool.h>

#include "common/err.h"
#include "fuse-overlay/ops.h"
#include "fuse-overlay/options.h"

/*
 * The mount and the conversation with the kernel: what is agreed on at its beginning, the
 * threads that take requests, and what libfuse 3.14 has no words for: passthrough, that is
 * reads and writes that the kernel does on a file of ours without asking.
 *
 * Passthrough needs a kernel that has it (6.9), and CAP_SYS_ADMIN on the host. The kernel has
 * either it or the writeback cache; where it can be had, writes go straight to the file below
 * and there is nothing to write back. Its rules for an inode, as long as one open file of it has
 * a backing file: every open must have one, and the same. As long as one open file of it is
 * without, none may have one. An open that breaks them is EIO for the caller.
 */
struct session;

/*
 * @ops without init(). The requests' user data is @context, whose session is set here. Mounts
 * nothing yet. Borrows all three for as long as the session lives.
 */
int session_new(const struct options *options, const struct fuse_lowlevel_ops *ops,
		struct ops_context *context, struct session **out, struct err *err);
void session_free(struct session *session);

/* Called in a thread of the session when the kernel has answered: the mount is live. */
typedef void (*session_ready_fn)(void *context);

/*
 * Mount at @mountpoint, an absolute path, and serve until somebody unmounts, or sends SIGTERM,
 * SIGINT or SIGHUP; then unmount. Threads begin in here. ERR_SYSTEM when it cannot be
 * mounted, or the conversation broke.
 */
int session_mount(struct session *session, const char *mountpoint, struct err *err);
int session_serve(struct session *session, session_ready_fn ready, void *context, struct err *err);

/* Settled before the first request that is not INIT. */
bool session_has_passthrough(const struct session *session);

/*
 * Tell the kernel of @fd, a regular file open for reading, writing, or both, that shall be the
 * backing file of what is opened; the flags of the open itself decide what may be done. @fd can be
 * closed afterwards. Returns the id, above 0, or -errno: -ELOOP for a file on a file system that is
 * itself stacked, -EOPNOTSUPP without passthrough. session_backing_close gives it back, after the
 * last open with it was released.
 */
int session_backing_open(struct session *session, int fd);
void session_backing_close(struct session *session, int backing_id);

/*
 * Have the kernel write what it has of a file that we were not told of yet; best effort. Called while one
 * request is answered: other threads take the pages.
 */
void session_write_back(struct session *session, fuse_ino_t ino);

/*
 * A file without a name (O_TMPFILE), for which libfuse 3.14 has no operation either, comes as
 * create() with this name, which no other file can have.
 */
#define SESSION_TMPFILE_NAME "/"

/* fuse_reply_open and fuse_reply_create with a backing file; 0: none. */
int session_reply_open(fuse_req_t req, const struct fuse_file_info *file, int backing_id);
int session_reply_create(fuse_req_t req, const struct fuse_entry_param *entry,
			 const struct fuse_file_info *file, int backing_id);

#endif
