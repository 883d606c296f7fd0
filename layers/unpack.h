/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAYERS_UNPACK_H
#define LAYERS_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/strlist.h"
#include "layers/codec.h"
#include "layers/entry.h"
#include "layers/stream.h"

/*
 * A layer tar (any dialect libarchive reads: ustar, PAX, GNU, star, v7) into a
 * directory. Nothing is ever written outside it: names are cleaned (leading "/" and "./"
 * cut; ".." in a name: refused), parents are resolved inside the directory, the last
 * component is never followed. Files are made relative to a directory descriptor with O_EXCL after
 * removing what was there. Order per file: content, owner, mode, xattrs, times; directories' times
 * and modes last. Names and attribute values are the archive's own bytes.
 *
 * Of several entries for one name the last wins. What this archive made and is no directory gives
 * way to one when an entry is to be below it; what was there before does not. A hard link must name
 * an earlier entry of this tar (or, with `existing_links`, a file already in the directory); its
 * own owner, mode and times are not looked at. Attributes that belong to the host
 * (security.selinux, security.ima and the like) are left out.
 */
enum unpack_whiteouts {
	/*
	 * ".wh.X" becomes a device 0:0, ".wh..wh..opq" the opaque mark: a layer directory of the
	 * store, which must be empty at the call. Whiteouts may come before or after their
	 * siblings: an entry of the same layer wins over its own whiteout (a directory then is
	 * opaque, as is one that replaces what this layer had there before). Without an entry for
	 * it the root gets 0755, 0:0, time 0 and the mark of an implied root; so do implicit
	 * parents, without the mark. An opaque mark on the root itself says that no layer below
	 * shows; the kernel does not look at it, whoever mounts the layer must.
	 */
	UNPACK_TO_OVERLAY,
	UNPACK_REFUSE, /* an archive for ADD, or a root file system: ".wh." names are an error */
};

/*
 * How much may come out of one archive. IMGBUILD_UNPACK_LIMITS changes the defaults, and with it
 * --unpack-limit does, which puts its values there, for this process and those that it starts:
 *
 *   limits = limit { "," limit }
 *   limit  = ( "bytes" | "entries" | "depth" | "ratio" ) "=" digits [ "k" | "m" | "g" | "t" ]
 */
struct unpack_limits {
	uint64_t max_bytes; /* content of all files, their holes too */
	uint64_t max_entries;
	uint64_t max_depth; /* components of a path */
	/* Beyond UNPACK_FREE_BYTES: bytes that come out for each compressed one, and of holes for
	 * each of the tar. */
	uint64_t max_ratio;
};
#define UNPACK_FREE_BYTES ((uint64_t)1 << 30)

extern const struct unpack_limits unpack_limits_default; /* 1 TiB, 16 Mi entries, 512, 1100 */
/* On top of what @limits has. ERR_USAGE. */
int unpack_limits_parse(const char *text, struct unpack_limits *limits, struct err *err);
/* The defaults and what changes them. ERR_USAGE. */
int unpack_limits_load(struct unpack_limits *out, struct err *err);
/* The values of --unpack-limit, before there is a thread. ERR_USAGE. */
int unpack_limits_raise(const struct strlist *options, struct err *err);
uint64_t unpack_ratio_allows(uint64_t packed_bytes, uint64_t max_ratio);

struct unpack_owner { /* ADD --chown */
	bool set;
	uid_t uid;
	gid_t gid;
};

/*
 * Devices that were left out of a tree, in the order of a walk (parents first, siblings by name
 * bytes), with all that a layer says of them. Further names of one are hard links to its first.
 */
struct unpack_devices {
	struct entry *items;
	size_t count;
};
#define UNPACK_DEVICES_INIT   \
	{                     \
		.items = NULL \
	}
#define auto_unpack_devices __attribute__((cleanup(unpack_devices_release)))
void unpack_devices_release(struct unpack_devices *devices);
/* The order that they are in: negative, 0 or positive, as strcmp. */
int unpack_walk_order(const char *path_a, const char *path_b);

struct unpack_options {
	enum unpack_whiteouts whiteouts;
	enum overlay_ns ns;
	const struct unpack_limits *limits; /* NULL: those that are loaded */
	struct unpack_owner owner;          /* overrides every entry's owner */
	/* NULL, or the permissions (07777) of each file and directory from its mode, which has the
	 * type: ADD --chmod */
	mode_t (*new_mode)(const void *context, mode_t mode);
	const void *new_mode_context;
	bool existing_links;
	bool is_mounted; /* the directory is where layers are mounted, with one to be written */
	/* What the archive says of its root ("./") is passed over: ADD, where it is the destination
	 */
	bool keeps_root;
	const char *what; /* names the archive in errors */
	/*
	 * NULL, or (UNPACK_TO_OVERLAY) the merged view of the layers below: implicit parents then
	 * are what they are there, a directory with its owner, mode, times and attributes, or a
	 * link, which is followed. For a layer whose first unpacking said has_implicit_parents.
	 */
	const int *below_fd;
	/*
	 * Make nothing more once an implicit parent was made, only read on (result.is_cut): for a
	 * layer that is then to be unpacked again, onto what is below.
	 */
	bool stops_at_implicit;
	/*
	 * Leave out character and block devices, which only root on the host may make, and hard
	 * links to them. What has their names in the layers below is hidden all the same, with
	 * below_fd: a layer with such devices depends on those below.
	 */
	bool skip_devices;
	struct unpack_devices *out_devices; /* NULL, or gets them */
};

struct unpack_result {
	uint64_t entries;
	uint64_t content_bytes;
	bool has_implicit_parents; /* a/b came without an entry for a: the layer depends on what is
				      below */
	bool is_cut;               /* not all of it was made: stops_at_implicit. Where no parent is
				      implicit in the end, it is to be unpacked without that */
	uint64_t devices_skipped;  /* names, hard links included */
};

/*
 * codec_decompress_any, with the limit on what a few bytes may become: for all that is unpacked
 * and comes from outside. @from is taken.
 */
struct source *unpack_open(struct source *from, const char *what, enum codec *out_codec,
			   struct err *err);

/*
 * @from gives the uncompressed tar. Reads it to its very end (also what follows the end mark), so
 * that a digest over it is complete. ERR_INPUT names archive and entry; the directory is then
 * half-filled: it is the caller's tmpdir. An empty stream is an error; 1,024 zero bytes are an
 * empty layer.
 */
int unpack_tar(struct source *from, int dir_fd, const struct unpack_options *options,
	       struct unpack_result *out, struct err *err);

/* Tell the user of devices that were left out of @what, if there are any. */
void unpack_warn_devices(const char *what, uint64_t devices_skipped);

/* True if @head (the first bytes, uncompressed; 512 are enough) begins with a valid tar header
 * (checksum) of an entry. */
bool unpack_is_tar(const void *head, size_t len);

#endif
