/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_TRANSPORT_H
#define REGISTRY_TRANSPORT_H

#include <stdbool.h>

#include "common/err.h"
#include "common/strlist.h"
#include "layers/descriptor.h"
#include "layers/manifest.h"
#include "layers/stream.h"
#include "registry/client.h"
#include "storage/image-index.h"
#include "storage/image.h"
#include "storage/store.h"

/*
 * The places that images come from and go to. A place is written
 *
 *   NAME:REST      oci:DIR[:TAG]   docker-archive:FILE[:REF]
 *
 * and each NAME is one row of a table with a reader and a writer.
 */

/* An image, or several to choose from by platform, as one place offers it. */
struct image_reader {
	/*
	 * The bytes that @blob names: a manifest, a config or a layer. What comes is not yet
	 * compared with its digest. Called by several threads at once.
	 */
	struct source *(*open_blob)(struct image_reader *reader, const struct descriptor *blob,
				    struct err *err);
	/*
	 * The same from a byte on, for a place that is far away: what comes is kept even when not
	 * all of it does. NULL: the place is at hand.
	 */
	struct source *(*open_blob_at)(struct image_reader *reader, const struct descriptor *blob,
				       uint64_t offset, struct err *err);
	void (*free)(struct image_reader *reader);

	struct index roots;    /* manifests or indexes: at least one */
	struct strlist names;  /* how the place calls the image, if it does */
	bool is_manifest_made; /* the manifest is the reader's own, not worth keeping */
	const char *place;     /* as storage/origin.h has it, or NULL; the reader's */
	unsigned jobs;         /* layers to be read at a time; 0: as many as can be worked on */
};
void image_reader_free(struct image_reader *reader);
#define auto_image_reader __attribute__((cleanup(image_reader_auto_free)))
void image_reader_auto_free(struct image_reader **reader);

struct destination;
struct transfers;

#define PUSH_JOBS_DEFAULT 5
#define PUSH_JOBS_MAX     64

/* What goes out. */
struct push_job {
	struct store *store;
	const struct image *image;
	const struct image_index *index;        /* then there is no image; NULL: an image */
	const struct descriptor *root;          /* then neither: blobs alone (registry/copy.h) */
	const char *name;                       /* how the user called it, or NULL when by ID */
	const struct manifest_options *options; /* NULL: as it was pulled, else the defaults */
	/* for a registry (registry/registry-push.h); else NULL */
	const struct destination *destination;
	const struct client_options *client;
	struct transfers *transfers; /* NULL: nothing is shown */
	unsigned jobs;               /* blobs at a time; 0: PUSH_JOBS_DEFAULT */
	bool out_used_stdout;        /* set by a writer whose place was our standard output */
	struct digest out_digest;    /* of the manifest or index, set by a registry's writer */
};

struct transport {
	const char *name;
	const char *form;    /* for messages: "oci:DIR[:TAG]" */
	const char *instead; /* of a row without functions: what to say */
	/* @rest is what follows "NAME:". @store is for room for half-made things. */
	int (*read)(const char *rest, struct store *store, struct image_reader **out,
		    struct err *err);
	int (*write)(const char *rest, struct push_job *job, struct err *err);
	bool has_compression; /* layers can be compressed there */
	bool has_indexes;     /* images for several platforms can go there as one */
	bool has_blobs;       /* what goes there is blobs: they need not be unpacked */
	bool is_registry;
};

/*
 * The row for @place, which can be written to, *out_rest what follows its name. ERR_USAGE when
 * there is none, or when what it names is not supported yet.
 */
const struct transport *transport_find(const char *place, const char **out_rest, struct err *err);

/* Whether @place begins with the name of a row, supported or not; else it is in a registry. */
bool transport_is_named(const char *place);

/* "PATH[:REST]" at the first colon; *out_rest is NULL when there is none. ERR_USAGE for an empty
 * part. */
int transport_split_path(const char *text, const char *form, char **out_path, char **out_rest,
			 struct err *err);

#endif
