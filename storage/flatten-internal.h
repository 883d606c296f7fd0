/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_FLATTEN_INTERNAL_H
#define STORAGE_FLATTEN_INTERNAL_H

#include "common/err.h"
#include "layers/entry.h"

enum flatten_how {
	FLATTEN_LINK, /* files are further names of the layer's: for trees that nobody writes to */
	FLATTEN_COPY, /* files are copies, each name one of its own, as a union shows them to a
		       * writer
		       */
	FLATTEN_SHOW, /* links for people: attributes have the names that users set, and a file
		       * that has others on disk is a copy */
	FLATTEN_SHOW_COPY,
};

/*
 * Lay a layer's directory on top of a plain tree, as a union would show it: what the layer
 * deletes goes, what it has takes the place of what was there. The root looks as the layer says,
 * if it says anything of it. @tree_fd is changed by nobody else meanwhile; half done when it fails.
 * Copies of files with several names are noted in @kin_fd (kin-internal.h), unless it is -1.
 */
int flatten_layer(int layer_fd, int tree_fd, enum overlay_ns ns, enum flatten_how how, int kin_fd,
		  struct err *err);

/*
 * The root alone, whether the layer says anything of it or not: of a union it is the topmost
 * layer's, which looks as it should (rootdir-internal.h).
 */
int flatten_root(int layer_fd, int tree_fd, enum overlay_ns ns, enum flatten_how how,
		 struct err *err);

#endif
