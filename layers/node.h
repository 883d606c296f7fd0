/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAYERS_NODE_H
#define LAYERS_NODE_H

#include "common/err.h"
#include "layers/entry.h"

/*
 * Copy the file @name of @from_fd, which is no directory, to the free name @name of @to_fd, with
 * content (cloned where the file system can, with its holes), owner, mode, attributes and times.
 * The copy is a file of its own, however many names the original has. Overlay's own attributes stay
 * behind; both sides write escaped ones as @ns says. Neither is followed. @path is for messages.
 * What was made when it fails is left to the caller, who throws the whole tree away.
 */
int node_copy(int from_fd, const char *name, int to_fd, enum overlay_ns ns, const char *path,
	      struct err *err);

#endif
