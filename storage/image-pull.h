/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_IMAGE_PULL_H
#define STORAGE_IMAGE_PULL_H

#include "common/err.h"
#include "common/strbuf.h"
#include "common/strlist.h"
#include "layers/descriptor.h"
#include "storage/store.h"

/*
 * Images that a Buildfile or a command names: those of the store, or brought into it by imgpull, a
 * process of its own, which this floor knows nothing more of.
 */
enum pull_when {
	PULL_MISSING, /* when the store has none of that name, or not for the platform */
	PULL_ALWAYS,
	PULL_NEWER, /* always, but what the store has will do when the registry cannot be asked */
	PULL_NEVER,
};

/* "missing", "always", "newer", "never", "true" (always), "false" and NULL (missing); else ERR_USAGE. */
int pull_when_parse(const char *text, enum pull_when *out, struct err *err);

struct image_pull {
	struct store *store;
	enum pull_when when;
	bool is_quiet;
	const struct strlist *arguments; /* further ones of imgpull: how to speak to registries; or NULL */
};
#define PULL_WHEN_CHOICES "always|missing|newer|never"

/* Whether image_pull_ensure would run imgpull. */
int image_pull_is_needed(const struct image_pull *pull, const char *name,
			 const struct platform *platform, bool *out_is_needed, struct err *err);

/*
 * See to it that the store has the image that @name means for @platform; *out_text is what it is
 * found by. What has no registry (an ID, a host "localhost"
 * without a port), and what is not to be pulled, may not be there: that is for who looks it up.
 * ERR_REMOTE when it cannot be had.
 */
int image_pull_ensure(const struct image_pull *pull, const char *name,
		      const struct platform *platform, struct strbuf *out_text, struct err *err);

/*
 * Run imgpull with @args (after its name and --root); the ID that it prints. What it says on the
 * way goes to stderr; its last words, when it fails, are the error.
 */
int image_pull_run(struct store *store, const struct strlist *args, struct strbuf *out_id,
		   struct err *err);

#endif
