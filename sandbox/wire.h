/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_WIRE_H
#define SANDBOX_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "common/strbuf.h"
#include "sandbox/description.h"

/*
 * A description as bytes, from the launcher to the sandbox program on the same
 * machine (numbers are in the host's order):
 *
 *   wire   = magic:u32 version:u32 launcher:u32 fds:u32 field*
 *   field  = tag:u32 length:u32 byte{length}
 *   text   = byte* without NUL        number = u64
 *   mount  = kind:u32 flags:u32 fd:u32 target-length:u32 byte{target-length} data:text
 *   rlimit = resource:u64 soft:u64 hard:u64
 *   groups = u32*
 *   join   = kind:u32 fd:u32
 *   device = mode:u32 uid:u32 gid:u32 major:u32 minor:u32 name:text
 *
 * A descriptor is an index into the list that is passed beside the bytes; the
 * list begins at WIRE_FIRST_FD in the program. WIRE_NO_FD is none. A mount's
 * data of no bytes is NULL.
 */
#define WIRE_MAGIC     UINT32_C(0x78627369) /* "isbx" */
#define WIRE_VERSION   1
#define WIRE_MAX_BYTES ((size_t)16 * 1024 * 1024)
#define WIRE_MAX_FDS   512
#define WIRE_NO_FD     UINT32_MAX

/* The sandbox program's descriptors besides stdio. */
#define WIRE_DESCRIPTION_FD 3
#define WIRE_REPORT_FD      4
#define WIRE_FIRST_FD       5

/* Who started the program, and how many descriptors follow WIRE_FIRST_FD. */
struct wire_head {
	pid_t launcher;
	size_t fd_count;
};

/* Descriptors in the order of their indices; items are the description's, not ours. */
struct wire_fds {
	int items[WIRE_MAX_FDS];
	size_t count;
};

/* ERR_INPUT when the description is larger than the limits above. */
int wire_encode(const struct sandbox_description *description, pid_t launcher, struct strbuf *out,
		struct wire_fds *out_fds, struct err *err);

/* ERR_BUG for bytes that wire_encode did not write. Touches no descriptor. */
int wire_decode(const char *data, size_t len, struct wire_head *out_head,
		struct sandbox_description *out, struct err *err);

#endif
