/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_BUILD_H
#define BUILDER_BUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "builder/annotation.h"
#include "builder/ast.h"
#include "builder/check.h"
#include "builder/context.h"
#include "builder/named.h"
#include "builder/platforms.h"
#include "builder/grants.h"
#include "builder/plan-changes.h"
#include "builder/progress.h"
#include "common/digest.h"
#include "common/err.h"
#include "common/strlist.h"
#include "sandbox/initlayer.h"
#include "sandbox/run-settings.h"
#include "sandbox/security.h"
#include "storage/image-pull.h"
#include "storage/store.h"

/* What the time that a build was given means for the files of the layers that are made. */
enum file_times {
	FILE_TIMES_KEEP,
	FILE_TIMES_CLAMP, /* no file is later */
	FILE_TIMES_SET,   /* all files have it */
};

/* Which layers become one in the end. */
enum squash_mode {
	SQUASH_NONE,
	SQUASH_NEW, /* those that the build made; the base's stay as they are */
	SQUASH_ALL,
};

struct report;

/* A whole build: plan, steps, image. */
struct build_request {
	struct store *store;
	const struct ast *ast;
	const struct context *context;
	const struct named_contexts *named; /* or NULL */
	struct progress *progress;
	const struct strlist *build_args; /* "KEY=value" */
	const struct strlist *labels;     /* "KEY=value" */
	const struct strlist *tags;
	struct annotations annotations;
	const char *target; /* NULL: the last stage */
	struct platforms platforms;
	bool no_cache;
	enum pull_when pull;                  /* images that are named */
	const struct strlist *pull_arguments; /* how to speak to where they are; or NULL */
	bool is_quiet;
	const struct grants *grants; /* what RUN --mount=type=secret and ssh may have */
	unsigned allowed;            /* enum plan_allowed */
	struct plan_changes changes;
	struct policy *policy; /* of all that it uses; or NULL */
	bool is_unrecorded;    /* no image comes of it, only what the cache has */
	bool forgets;          /* steps that are done are not remembered */
	enum squash_mode squash;
	struct run_settings run_settings; /* of every RUN */
	struct security security;         /* but of RUN --security=insecure */
	const char *runtime;              /* an OCI runtime in our place, or NULL */
	char *seccomp_text;               /* of the profile that it names, or NULL */
	enum sandbox_network network;     /* of RUN without --network */
	bool has_epoch;
	int64_t epoch; /* of what is new in the configuration: epoch.h */
	enum file_times file_times;
	bool keeps_file_times; /* --rewrite-timestamp=false: also of a time that is added later */
	size_t jobs;           /* stages that may run at the same time; 0: as many as can */
	int interrupt_fd;      /* readable when all is to stop; or -1 */
	struct report *sizes;  /* gets what each step adds, report.h; or NULL */
	bool shows_sizes;      /* and shows it with the step */
	/* gets what the checks of the stages that are built found, also when that fails the
	 * build; empty before */
	struct check_report *report;
};

/* How its images are pulled. */
struct image_pull build_image_pull(const struct build_request *request);

/* All but the record of what is built: built.h. */
struct built;
int build_make(const struct build_request *request, struct built *out, struct err *err);

/* What is made is in the store, named by the tags. A failure names nothing, and leaves only
 * results of steps that were done. */
/* @out_id: of the image, or of the index when that was asked for. */
int build_run(const struct build_request *request, struct digest *out_id, struct err *err);

#endif
