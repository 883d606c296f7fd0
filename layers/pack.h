/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAYERS_PACK_H
#define LAYERS_PACK_H

#include "common/digest.h"
#include "common/err.h"
#include "layers/diff.h"
#include "layers/entry.h"
#include "layers/stream.h"

/*
 * Entries into a layer tar. The same entries always give the same bytes, with
 * every version of this program's libraries: the framing is our own.
 *
 * Form: POSIX ustar headers (magic "ustar\0" "00"); what does not fit goes into one PAX extended
 * header before it (name "PaxHeaders/<first 80 bytes or so of the base name>", mode 0644, ids 0,
 * mtime 0) with its records sorted by key: path, linkpath, size, uid, gid, mtime (only when
 * negative or beyond 33 bits), SCHILY.xattr.NAME. Records hold raw bytes; there is no charset
 * record. uname and gname are empty, device numbers 0 but for devices. What is too large for its
 * field is there the largest number it holds. Whiteouts and opaque marks are empty files of mode 0,
 * owner 0:0 and time 0. A hard link carries its file's attributes again. Directories end in "/",
 * the root is "./". Two zero blocks end it. PAX mode is per entry: an entry that fits in ustar has
 * no record.
 */
struct pack;

/* Borrows @sink; pack_finish writes the end mark but does not finish the sink. */
struct pack *pack_new(struct sink *sink);
void pack_free(struct pack *pack);
#define auto_pack __attribute__((cleanup(pack_auto_free)))
void pack_auto_free(struct pack **pack);

/*
 * Write one entry; a file's content is read from @content_fd. ERR_INPUT when
 * the entry cannot be expressed (a name with ".wh." in front, an attribute name with '=');
 * ERR_SYSTEM when the file is shorter than its size says or grew meanwhile.
 */
int pack_entry(struct pack *pack, const struct entry *entry, int content_fd, struct err *err);
int pack_finish(struct pack *pack, struct err *err);

/* A diff_fn whose context is a struct pack. */
int pack_diff_fn(void *pack, const struct entry *entry, int content_fd, struct err *err);

struct pack_result {
	struct digest diff_id;
	uint64_t tar_bytes;
	uint64_t entries;
	uint64_t content_bytes; /* sum of file sizes */
};

/*
 * The diff ID of an upper: diff, pack and digest in one walk; nothing is
 * stored. With options->settle the upper is ready to become a layer afterwards.
 */
int pack_upper(int lower_fd, int upper_fd, const struct diff_options *options,
	       struct pack_result *out, struct err *err);

/*
 * Write the tar of a published layer directory (one that was settled, or unpacked from
 * a tar of ours) into @sink again: the same bytes as when it was made. Does not finish the sink.
 * All entries of the directory are written, whiteouts and opaque marks included.
 */
int pack_layer(int layer_fd, enum overlay_ns ns, struct sink *sink, struct err *err);

/* The diff ID of a layer without entries (1,024 zero bytes). */
extern const struct digest pack_empty_diff_id;

#endif
