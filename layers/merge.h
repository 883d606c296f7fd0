/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAYERS_MERGE_H
#define LAYERS_MERGE_H

#include "common/err.h"
#include "layers/entry.h"

/*
 * Several layers as one: from the topmost down, each is laid beneath what
 * @upper_fd, a directory that begins empty, holds already, which then says what all of
 * them together change. From the top, since what a higher layer hides is never copied.
 *
 * Files are copied, cloned where the file system can. They are not further names of the layer's
 * own: programs look at the number of names (cron(8) takes no table with two), and an
 * image does not change because another one was squashed.
 *
 * Deletions are all kept, in the kernel's form: diff_upper with settle drops those
 * that delete nothing. The root's metadata is the caller's to set, at the end.
 */
int merge_layer(int layer_fd, int upper_fd, enum overlay_ns ns, struct err *err);

#endif
