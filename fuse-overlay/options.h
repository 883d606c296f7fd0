/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUSE_OVERLAY_OPTIONS_H
#define FUSE_OVERLAY_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "common/err.h"
#include "common/strlist.h"
#include "fuse-overlay/mapping.h"
#include "fuse-overlay/stat-override.h"

/*
 * The command line that container engines know: fuse-overlayfs' own.
 *
 *	imgoverlay [-f] [-d] [-s] [-o OPTION[,OPTION…]]… MOUNTPOINT
 *
 *	options = option *( "," option )
 *	option  = name [ "=" value ]
 *
 * In options a backslash takes the next character's meaning away, and double quotes that of the
 * commas between them. A list of directories is separated by colons; "\:" is a colon in a name.
 * The last of several options of a name counts. What is not known is told and ignored.
 */

/* Whose attributes are an overlay's marks, and not the files'. */
enum marks {
	MARKS_ANY,     /* all that overlays have written */
	MARKS_TRUSTED, /* trusted.overlay.*, as for the kernel's overlay */
	MARKS_USER,    /* user.overlay.*, as for that with userxattr */
};

enum polling {
	POLLING_AUTO, /* processors stay awake while there is work, where that is of use */
	POLLING_NEVER,
};

enum options_ask {
	OPTIONS_MOUNT,
	OPTIONS_HELP,
	OPTIONS_VERSION,
};

struct options {
	enum options_ask ask;
	struct strlist lowers; /* top first */
	char *upper;           /* NULL: read-only */
	char *work;            /* NULL exactly when upper is */
	char *mountpoint;
	struct mapping mapping;
	bool squash_to_root; /* mapping says so too, where no other id was named */
	enum xattr_permissions xattr_permissions; /* of what we write */
	enum marks marks;
	double timeout_s; /* how long the kernel may rely on entries and attributes */
	bool is_foreground;
	bool is_debug;
	bool is_single; /* one thread */
	bool is_read_only;
	bool no_sync;     /* fsync does nothing */
	bool is_volatile; /* another word for that */
	bool no_acl;
	bool no_xattrs;
	bool no_writeback;
	bool wants_writeback; /* even where it does more harm than good */
	bool no_passthrough;
	enum polling polling;
	bool no_device_whiteouts; /* deletions are .wh. files */
	bool is_ino32;
	bool static_nlink;            /* directories have one link */
	bool redirect_dirs;           /* directories of lower layers can be renamed */
	struct strlist mount_options; /* for the kernel and libfuse */
};

#define OPTIONS_INIT                                                                            \
	{                                                                                       \
		.lowers = STRLIST_INIT, .mapping = MAPPING_INIT, .mount_options = STRLIST_INIT, \
		.timeout_s = 1e9,                                                               \
	}

#define auto_options __attribute__((cleanup(options_release)))
void options_release(struct options *options);

/*
 * Parse argv[1…] into *out, which is initialised; *out may be half filled on failure. ERR_USAGE
 * names the option. Warnings go to @warnings, a line each. Opens nothing; reads the environment
 * (FUSE_OVERLAYFS_DISABLE_OVL_WHITEOUT) and whether we are root.
 */
int options_parse(struct options *out, int argc, const char *const *argv, FILE *warnings,
		  struct err *err);

/* The mount options as libfuse wants them, separated by commas. The caller frees. */
char *options_mount_string(const struct options *options);

#endif
