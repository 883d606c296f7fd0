/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUSE_OVERLAY_WORKERS_H
#define FUSE_OVERLAY_WORKERS_H

#include <stdbool.h>

#define FUSE_USE_VERSION 312
#include <fuse3/fuse_lowlevel.h>

/*
 * Serve the requests of a session with up to @max threads until it ends; @fd is its descriptor.
 * Returns 0, or -errno when the conversation broke. A signal handler ends it by
 * fuse_session_exit(), in the thread that called this one.
 *
 * One thread does all as long as it keeps up, for to wake another one costs more than most
 * requests: it finds its data where it left them, and who asked sleeps on its processor. More join in
 * when requests are always waiting, or when one takes long.
 *
 * @may_keep_awake: where that makes wake-ups faster, see wakeful.h.
 */
int workers_run(struct fuse_session *fuse, int fd, unsigned int max, bool may_keep_awake);

#endif
