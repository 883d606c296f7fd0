/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_CONNECTION_H
#define STORAGE_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/proc.h"

/*
 * Connections to the kernel by which a program of ours serves a file system. The mount is made
 * here, detached like any other; the program is given the connection as the place where to
 * serve. So nothing stands in a mount table, and when the last reference to the mount goes,
 * however that comes, the kernel ends the connection and with it the program.
 */

/* ERR_SYSTEM where there is no /dev/fuse for us. */
int connection_open(struct err *err);
/* @attributes: MOUNT_ATTR_*. Once for each connection. */
int connection_mount(int connection_fd, uint64_t attributes, struct err *err);
/*
 * Wait for the first answer. When there is none ERR_SYSTEM says why @program ended: what it has
 * written to @log_fd (proc_stderr_open) and its status; @child is waited for then.
 */
int connection_wait(int mount_fd, const char *program, struct child *child, int log_fd,
		    struct err *err);

#endif
