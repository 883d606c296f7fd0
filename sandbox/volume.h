/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_VOLUME_H
#define SANDBOX_VOLUME_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/strlist.h"

/*
 * Files and directories of the host that commands see, as --volume names them:
 *
 *   volume = HOST ":" CONTAINER [ ":" option { "," option } ]
 *   option = "ro" | "rw" | "O" | "z" | "Z"
 *
 * HOST is a path, CONTAINER an absolute one below "/". "z" and "Z" label files for
 * SELinux, so they do nothing on a host without it and are refused on one with it.
 */
struct volume {
	char *source;
	char *target;
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
/* ERR_USAGE for what is not supported. */
int volumes_parse(const struct strlist *texts, struct volumes *out, struct err *err);
/* Open all sources. Call after userns_enter. */
int volumes_open(struct volumes *volumes, struct err *err);

#endif
