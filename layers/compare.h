/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAYERS_COMPARE_H
#define LAYERS_COMPARE_H

#include <stdbool.h>

#include "common/err.h"
#include "common/strbuf.h"
#include "layers/entry.h"

/*
 * Two published layer directories that should be the same: the first entry, in
 * the order of their tars, that is not, in words for people:
 *
 *   etc/motd: content differs at byte 7
 *   etc/motd: mtime 1700000000 vs 1700000001
 *   tmp/x: only in the second
 *
 * A directory that differs in its time alone counts only when nothing else does.
 * *out_differ is false, and nothing appended to @out, exactly when their tars are the same bytes.
 * Keeps what @first_fd holds in memory, but no content.
 */
int compare_layers(int first_fd, int second_fd, enum overlay_ns ns, bool *out_differ,
		   struct strbuf *out, struct err *err);

#endif
