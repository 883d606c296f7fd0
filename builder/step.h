/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_STEP_H
#define BUILDER_STEP_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "builder/bases.h"
#include "builder/build.h"
#include "builder/cachekey.h"
#include "builder/chain.h"
#include "builder/claims.h"
#include "builder/graph.h"
#include "builder/originals.h"
#include "builder/plan.h"
#include "common/tmpfile.h"
#include "layers/config.h"
#include "layers/pack.h"
#include "storage/image.h"
#include "storage/stepcache.h"

/* An image that a plan names, found once for each platform. */
struct build_image {
	char *name;
	struct platform platform; /* that was asked for; what it is for, its config says */
	struct image image;
};

/*
 * A step of a stage that is planned for several platforms: what does not depend on them is made
 * once in a build, also where the cache is not to be used.
 */
struct made {
	struct digest key;
	size_t number; /* of the stage in the Buildfile */
	struct step_result result;
};

/* What a stage came to. */
struct stage_result {
	struct chain chain;
	struct image_config image; /* layers and history; new entries may have no time yet */
	struct digest key;         /* of its last step */
};

/* A build in progress: what all stages share. */
struct build {
	const struct build_request *request;
	const struct plan *plan;
	struct bases bases;
	struct build_image **images;
	size_t image_count;
	struct graph *graph;
	struct stage_result *results; /* by position in the plan */
	struct claims claims;         /* keys of steps that are being made; a stage_run owns them */
	struct strlist runnable;      /* platforms whose programs run here, as far as asked */

	pthread_mutex_t lock; /* protects what follows, and views of stages that are done */
	struct made *made;    /* what was made although it might have been found */
	size_t made_count;
	int seccomp_fd; /* -1 until a command is run */
};

/* The init layer of RUN steps: the same one as long as what is below stays the same. */
struct init_room {
	struct tmpdir dir;
	struct strlist drop_files;
	struct strlist points; /* of the step's mounts: step-mount.h */
	size_t fd_count;       /* of the chain it was made for */
	enum sandbox_network network;
};

#define INIT_ROOM_INIT             \
	{                          \
		.dir = TMPDIR_INIT \
	}
void init_room_release(struct init_room *room);

/* A stage in progress. */
struct stage_run {
	struct build *build;
	const struct plan_stage *plan;
	struct stage_result *result;
	struct init_room init;
	struct layer_draft spare; /* made while a command ran, for the layer after its own */
	size_t layers_made;
	size_t shown; /* steps that progress was told of */
};

/*
 * run->init for what is below its next step: that of the step before, if nothing has changed.
 * @points: as of step_mounts.
 */
int init_room_prepare(struct stage_run *run, enum sandbox_network network,
		      const struct strlist *points, struct err *err);

/* Tell the graph what the stages need before they can begin. */
void stage_add_needs(struct build *build);
/* One stage, in a thread of its own. */
int stage_execute(struct build *build, size_t index, struct err *err);
/* The merged tree of a stage that is done; borrowed until the end of the build. */
int stage_view(struct build *build, size_t index, struct err *err);

/* ---- steps: each finds its result in the cache, or makes it ---- */
struct step_outcome {
	bool is_cached;
	struct digest key;
	struct step_result result;
};

int step_run(struct stage_run *run, const struct step *step, unsigned progress_id,
	     struct step_outcome *out, struct err *err);
int step_copy(struct stage_run *run, const struct step *step, struct step_outcome *out,
	      struct err *err);
int step_workdir(struct stage_run *run, const struct step *step, struct step_outcome *out,
		 struct err *err);

/* ---- what they have in common ---- */
/* Begin the key of a step: what is below, and what bears on every layer. */
void step_key_init(const struct stage_run *run, const char *kind, struct cachekey *key);
/* The same for a layer that is made of nothing below it. */
void step_key_init_alone(const struct stage_run *run, const char *kind, struct cachekey *key);

/*
 * The key of a result that several keys can find: what follows must not depend on which of them
 * did.
 */
void step_key_settle(const struct stage_run *run, const char *kind, struct step_outcome *out);

/*
 * The result under @key, unless the cache is not to be used; out->is_cached tells. One that
 * another stage is making is waited for; none that comes after a miss is made elsewhere before
 * this step is done. A step with several keys asks for the most general one first.
 */
int step_lookup(struct stage_run *run, const struct digest *key, struct step_outcome *out,
		struct err *err);

/* Note a result in the cache, unless this build is not to leave any. */
int step_remember(const struct build *build, const struct digest *key,
		  const struct step_result *result, struct err *err);

/* The same of what a step made, under each key that it is looked for by; without the cache
 * it is known to the same stage for other platforms, of this build. */
int step_note(struct stage_run *run, const struct digest *key, const struct step_result *result,
	      struct err *err);

/* A layer in the making, on top of what the stage has. */
struct layer_work {
	struct layer_draft draft;
	bool is_alone;      /* made as if there was nothing below */
	bool is_mounted;    /* was: what it holds has to be collected */
	struct originals *originals; /* by which clones in it are read, or NULL; borrowed */
	struct chain empty; /* what is below then */
};
#define LAYER_WORK_INIT                                        \
	{                                                      \
		.draft = LAYER_DRAFT_INIT, .empty = CHAIN_INIT \
	}
#define auto_layer_work __attribute__((cleanup(layer_work_release)))
void layer_work_release(struct layer_work *work);
int layer_work_open(struct stage_run *run, struct layer_work *work, struct err *err);
/* While there is nothing to do but to wait: begin the next layer, if there will be one. */
int layer_work_prepare(struct stage_run *run, struct err *err);
/* The same for a layer that does not depend on those below it (COPY --link). */
int layer_work_open_alone(struct stage_run *run, struct layer_work *work, struct err *err);
/* The merged tree that the layer is laid on, borrowed. */
int layer_work_view(struct stage_run *run, struct layer_work *work, struct err *err);
/* Mount it above the stage's layers, and @init_fd (or -1) between them. The mount's descriptor. */
int layer_work_mount(struct stage_run *run, struct layer_work *work, int init_fd, struct err *err);

struct layer_extras { /* of the init layer; NULL: none */
	int init_fd;
	const struct strlist *drop_files;
};
/* Pack what was made. It must not be mounted any more. */
int layer_work_pack(struct stage_run *run, struct layer_work *work,
		    const struct layer_extras *extras, struct pack_result *out, struct err *err);
/* Publish what was packed, and remember it under out->key. */
int layer_work_publish(struct stage_run *run, struct layer_work *work,
		       const struct pack_result *packed, struct step_outcome *out, struct err *err);
/* Both, one after the other. */
int layer_work_finish(struct stage_run *run, struct layer_work *work,
		      const struct layer_extras *extras, struct step_outcome *out, struct err *err);

#endif
