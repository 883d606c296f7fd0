/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_IMAGE_PULL_H
#define BUILDER_IMAGE_PULL_H

#include "common/err.h"
#include "common/strbuf.h"
#include "common/strlist.h"
#include "layers/descriptor.h"
#include "registry/flags.h"
#include "storage/image.h"
#include "storage/store.h"

/* Images that a Buildfile names, from the store or, by imgpull, a process of its own, from where they are. */
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
	const struct registry_flags *flags; /* or NULL */
};

/*
 * The image that @name means for @platform. What has no registry (an ID, a host "localhost"
 * without a port) is looked up in the store alone. ERR_INPUT when it is not there, ERR_REMOTE
 * when it cannot be had.
 */
int image_pull_get(const struct image_pull *pull, const char *name, const struct platform *platform,
		   struct image *out, struct err *err);

/*
 * Run imgpull with @args (after its name and --root); the ID that it prints. What it says on the
 * way goes to stderr; its last words, when it fails, are the error.
 */
int image_pull_run(struct store *store, const struct strlist *args, struct strbuf *out_id,
		   struct err *err);

#endif
