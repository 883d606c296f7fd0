/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks the mount table, for no call tells of a mount that it is id-mapped.
 */
#include "fuse-overlay/idmapped.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/err.h"
#include "common/lines.h"

#define MOUNTINFO_MAX (64 << 20)

struct search {
	uint64_t id;
	bool is_idmapped;
};

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime,idmapped …": the sixth field has the mount's options */
static int look_at_mount(void *context, char *line, struct err *err)
{
	struct search *search = context;
	char *rest = line;
	char *field = NULL;

	(void)err;
	if (strtoull(line, NULL, 10) != search->id)
		return 0;
	for (int i = 0; i < 6 && rest; i++)
		field = strsep(&rest, " ");
	while (field && !search->is_idmapped) {
		const char *option = strsep(&field, ",");

		search->is_idmapped = strcmp(option, "idmapped") == 0;
	}
	return 0;
}

bool idmapped_is(int fd)
{
	struct search search = { 0 };
	struct err err = ERR_INIT;
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0 ||
	    !(stx.stx_mask & STATX_MNT_ID))
		return false;
	search.id = stx.stx_mnt_id;
	if (lines_each("/proc/self/mountinfo", MOUNTINFO_MAX, look_at_mount, &search, &err) < 0)
		return false;
	return search.is_idmapped;
}
