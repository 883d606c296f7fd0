/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_OUTPUT_H
#define BUILDER_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "builder/platforms.h"
#include "common/digest.h"
#include "common/err.h"
#include "common/strlist.h"
#include "layers/codec.h"
#include "registry/flags.h"
#include "storage/store.h"

/*
 * Where else a build's result goes: --output, as docker buildx names it.
 *
 *   output = DIR | "-" | field { "," field }      fields as csv.h has them
 *   field  = NAME "=" VALUE                       type=local,dest=DIR
 *
 * DIR alone is type=local, "-" alone is type=tar on standard output. An attribute that we
 * do not honour is refused.
 */
enum output_type {
	OUTPUT_IMAGE,     /* in the store, as always; with names of its own; perhaps pushed */
	OUTPUT_OCI,       /* an OCI layout: a tar of it, or the directory */
	OUTPUT_DOCKER,    /* an archive for docker load */
	OUTPUT_LOCAL,     /* the files, in a directory */
	OUTPUT_TAR,       /* the files, as a tar */
	OUTPUT_CACHEONLY, /* nothing: the image is not recorded either */
};

struct output {
	enum output_type type;
	char *dest; /* "-": standard output; NULL for those that have none */
	struct strlist names;
	bool is_directory; /* of OUTPUT_OCI: tar=false */
	bool is_pushed;    /* of OUTPUT_IMAGE: to the registries of its names, or of the tags */
	enum codec codec;
	char *level;                 /* or NULL */
	struct strlist push_options; /* for imgpush: "--compression=zstd", … */
};

struct outputs {
	struct output *items;
	size_t count;
};
#define OUTPUTS_INIT          \
	{                     \
		.items = NULL \
	}
#define auto_outputs __attribute__((cleanup(outputs_release)))
void outputs_release(struct outputs *outputs);

/* One more. ERR_USAGE names the attribute, or the second one that would use standard output. */
int outputs_add(struct outputs *outputs, const char *text, struct err *err);

/* Is there one of this type? */
bool outputs_have(const struct outputs *outputs, enum output_type type);
/* Does one write to standard output? Then the ID is not printed there. */
bool outputs_use_stdout(const struct outputs *outputs);
/* Names that the image gets besides its tags, appended to @out. */
void outputs_names(const struct outputs *outputs, struct strlist *out);

/* ERR_USAGE when something is to be pushed that has no name. */
int outputs_check_names(const struct outputs *outputs, const struct strlist *tags, struct err *err);

struct output_job {
	struct store *store;
	const struct registry_flags *registry;
	const struct platforms *platforms;
	const struct digest *image; /* recorded */
	const struct strlist *tags; /* the first one is what an archive calls it */
};

/* Write them, one after the other. What is half-written has no name. */
int outputs_write(const struct outputs *outputs, const struct output_job *job, struct err *err);

/* ---- output-files.c ---- */
int output_write_files(const struct output *output, const struct output_job *job, struct err *err);

#endif
