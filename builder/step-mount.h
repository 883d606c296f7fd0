/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_STEP_MOUNT_H
#define BUILDER_STEP_MOUNT_H

#include <stdbool.h>
#include <stddef.h>

#include "builder/chain.h"
#include "builder/relay.h"
#include "builder/select.h"
#include "builder/step.h"
#include "common/strlist.h"
#include "sandbox/description.h"
#include "storage/cachemount.h"

/*
 * The mounts of one RUN step, in the order of what is done with them: selected
 * (what of the context they show), told to the key, opened, described. All that
 * they write but caches is gone with the release.
 */
struct step_mount {
	const struct plan_mount *plan; /* NULL: a volume, or the step's script */
	const struct volume *volume;   /* of the command line; or NULL */
	const char *target;            /* NULL: nothing is mounted */
	unsigned flags;                /* enum sandbox_mount_flag */
	enum sandbox_mount_kind kind;
	bool is_file;
	int fd;     /* the source; -1: none, or nothing was lent */
	char *data; /* as in a sandbox_mount */
	/* what is behind the source */
	char *what;                 /* "'stage'"; NULL: the context */
	struct selection selection; /* of the context */
	struct chain chain;         /* of a stage or image */
	struct layer_draft draft;   /* writes, or a copy, to be thrown away */
	struct digest cache_key;
	struct cachemount cache;
	struct relay *relay;
};

struct step_mounts {
	struct stage_run *run;
	const struct step *step;
	struct step_mount *items;
	size_t count;
	struct strlist points; /* "d/PATH" and "f/PATH": what the init layer has to have */
	struct strlist env;    /* what they add to the environment */
};

#define STEP_MOUNTS_INIT      \
	{                     \
		.items = NULL \
	}
#define auto_step_mounts __attribute__((cleanup(step_mounts_release)))
void step_mounts_release(struct step_mounts *mounts);

/* Look up what binds of the context hold; nothing is opened. Errors have their place. */
int step_mounts_select(struct stage_run *run, const struct step *step, struct step_mounts *out,
		       struct err *err);

/*
 * Part of the step's key: no secret, and of caches no more than that there are some. What is shown
 * of a stage or image is known by all its layers, or, @by_content, where only a path of it is
 * shown and not to be changed, by what is there; step_mounts_select_content comes before that.
 */
int step_mounts_key(const struct step_mounts *mounts, bool by_content, struct cachekey *key,
		    struct err *err);
/* Whether the two differ. */
bool step_mounts_have_content(const struct step_mounts *mounts);
int step_mounts_select_content(struct step_mounts *mounts, struct err *err);

/*
 * Open the sources, wait for locked caches (ERR_INTERRUPTED when the user does not), start
 * relays; points and env are known then.
 */
int step_mounts_open(struct step_mounts *mounts, struct err *err);

/* Parents before what is in them. Borrows the descriptors. */
void step_mounts_describe(const struct step_mounts *mounts, struct sandbox_description *out);

/* ---- step-mount-open.c ---- */
/* Where @mount's source is selected from; of a stage or image its chain must be open. */
void step_mount_tree(const struct step_mounts *mounts, const struct step_mount *mount,
		     struct select_tree *out);
int step_mount_open(struct step_mounts *mounts, struct step_mount *mount, struct err *err);

#endif
