/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_COPY_H
#define BUILDER_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "builder/chmod.h"
#include "builder/follow.h"
#include "builder/late-digest.h"
#include "builder/originals.h"
#include "builder/select.h"
#include "common/err.h"
#include "layers/entry.h"

/*
 * Placing files in an image.
 *
 * The target is an upper directory with the view of what lies below it: COPY
 * only adds, so nothing needs to be mounted, and files can be cloned. Directories that
 * are in the view are made in the upper when something is put into them, with all that they
 * have. For archives, which also remove, the target is a mount, and view_fd is -1.
 */
struct copy_target {
	int root_fd;
	int view_fd;
	enum overlay_ns ns;
};

/* What --chown and --chmod say of all that is made, the directories on the way included. */
struct copy_options {
	bool has_owner;
	uid_t uid;
	gid_t gid;
	const struct chmod *chmod; /* or NULL */
};

/* The permissions that a copied file gets; @mode with its type. */
mode_t copy_mode(const struct copy_options *options, mode_t mode);
/* Those of a directory that is made on the way: a symbolic mode says nothing of it. */
mode_t copy_parent_mode(const struct copy_options *options);

/* The tree that the target shows: for follow_path. */
struct follow_tree copy_target_tree(const struct copy_target *target);

/*
 * Open the directory @path of the target (without links), for reading; what is
 * missing is made, 0755 0:0 unless @options say otherwise. *out_view_fd (may be NULL) is
 * the same directory of the view, or -1; *out_made (may be NULL) whether it was made.
 */
int copy_open_directory(const struct copy_target *target, const char *path,
			const struct copy_options *options, int *out_view_fd, bool *out_made,
			struct err *err);

/*
 * Put one source of @selection at @dest (absolute or not, links are followed in the target). A
 * file goes into @dest when @dest_is_dir or it is a directory, else it becomes @dest; of a
 * directory the contents go into @dest. Digests that were not known are, afterwards, or once @late
 * is finished.
 * @interrupt_fd: readable when the user wants to stop: ERR_INTERRUPTED.
 */
struct copy_request {
	const struct select_tree *tree;
	struct selection *selection;
	size_t source;
	const char *dest;
	bool dest_is_dir;
	const struct copy_options *options;
	struct late_digests *late;   /* gets those of large files; NULL: none are put off */
	struct originals *originals; /* gets large files that are cloned; NULL: these are copied */
	int interrupt_fd;
};
int copy_source_to(const struct copy_target *target, const struct copy_request *request,
		   struct err *err);

/* A file with the given text, 0644 0:0 unless the options say otherwise. */
int copy_text_to(const struct copy_target *target, const char *name, const char *text,
		 const struct copy_request *request, struct err *err);

/* ERR_INTERRUPTED when @fd (or -1) is readable. */
int copy_check_interrupt(int fd, struct err *err);

#endif
