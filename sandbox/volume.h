/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_VOLUME_H
#define SANDBOX_VOLUME_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/strlist.h"

/*
 * Files and directories that commands see besides the image's, as the options name them:
 *
 *   volume = SOURCE ":" CONTAINER [ ":" option { "," option } ] | CONTAINER
 *   option = "ro" | "rw" | "O" | "z" | "Z"
 *   tmpfs  = CONTAINER [ ":" option { "," option } ]
 *   option = "ro" | "rw" | "exec" | "noexec" | "suid" | "nosuid" | "dev" | "nodev"
 *          | ( "size" | "mode" | "uid" | "gid" | "nr_inodes" ) "=" VALUE
 *   mount  = "type=" ( "bind" | "volume" | "tmpfs" ) { "," KEY [ "=" VALUE ] }
 *   KEY    = source, src | target, dst, destination | readonly, ro | tmpfs-size | tmpfs-mode
 *
 * SOURCE is a path of the host, or the name of a volume of the store; without one it is a volume
 * without a name. CONTAINER is an absolute path below "/". "z" and "Z" label files for SELinux, so
 * they do nothing on a host without it and are refused on one with it.
 */
enum volume_kind {
	VOLUME_BIND,
	VOLUME_NAMED, /* source: its name; NULL for one that nobody named */
	VOLUME_TMPFS, /* data: for the file system; flags: of the mount */
	VOLUME_LENT,  /* source: "ID/DIRECTORY" of another container (volume-lent.h) */
};
#define VOLUME_OWN_FORMAT "volume-%zu" /* the directory of one without a name */
struct volume {
	enum volume_kind kind;
	char *source;
	char *target;
	char *data;
	unsigned flags; /* enum sandbox_mount_flag */
	bool read_only;
	bool is_overlay; /* "O": what is written is thrown away */
	int fd;          /* of the source, once it was opened; else -1 */
	bool is_file;
};
struct volumes {
	struct volume *items;
	size_t count;
};
#define VOLUMES_INIT          \
	{                     \
		.items = NULL \
	}
#define auto_volumes __attribute__((cleanup(volumes_release)))
void volumes_release(struct volumes *volumes);
/* Paths of the host alone. ERR_USAGE for what is not supported. */
int volumes_parse(const struct strlist *texts, struct volumes *out, struct err *err);
/* The same with volumes of the store; --tmpfs; --mount. Each adds. */
int volumes_add(struct volumes *volumes, const char *text, struct err *err);
int volumes_add_tmpfs(struct volumes *volumes, const char *text, struct err *err);
int volumes_add_mount(struct volumes *volumes, const char *text, struct err *err);
/* Open all paths of the host. Call after userns_enter. */
int volumes_open(struct volumes *volumes, struct err *err);

#endif
