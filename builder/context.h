/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CONTEXT_H
#define BUILDER_CONTEXT_H

#include "builder/download.h"
#include "builder/ignore.h"
#include "builder/remote.h"
#include "common/err.h"
#include "common/tmpfile.h"
#include "layers/stream.h"
#include "storage/store.h"

/*
 * A directory that COPY and ADD take files from, less what its ignore file
 * leaves out.
 */
struct context {
	int fd;
	struct ignore ignore;
	char *ignore_name; /* as messages call it; NULL when there is none */
	struct tmpdir tmp; /* what it was unpacked or fetched into: removed with the context */
};

#define CONTEXT_INIT                         \
	{                                    \
		.fd = -1, .tmp = TMPDIR_INIT \
	}
#define auto_context __attribute__((cleanup(context_release)))
void context_release(struct context *context);

/* The directory @path of the user's. */
int context_open(const char *path, struct context *out, struct err *err);

/*
 * What the tar @from (uncompressed, read to its end) holds, unpacked in the store's tmp/; all of
 * it belongs to 0:0, like all of any context. @what names the tar in errors.
 */
int context_unpack(struct store *store, struct source *from, const char *what, struct context *out,
		   struct err *err);

/* Nothing at all; not even a directory without a store. */
int context_empty(struct store *store, struct context *out, struct err *err);

/*
 * What @remote names: the files of a repository, or what is in an archive, in the store's tmp/. A
 * URL of anything else leaves the context empty and *out_file_fd (else -1) open for reading.
 */
int context_fetch(struct remote *remote, const struct download_place *place, struct context *out,
		  int *out_file_fd, struct err *err);

/*
 * Find the ignore file: @ignorefile if it is given; else that of the Buildfile (@buildfile: its
 * path, or NULL when it has none), NAME.containerignore or NAME.dockerignore; else
 * .containerignore or .dockerignore of the context. Paths of an unpacked tar lead
 * into it.
 */
int context_load_ignore(struct context *context, const char *ignorefile, const char *buildfile,
			struct err *err);

/* Open a regular file of an unpacked tar, or of the user's (any path). */
int context_open_file(const struct context *context, const char *path, struct err *err);

/* True for what was unpacked or fetched: paths are those inside of it. */
static inline bool context_is_unpacked(const struct context *context)
{
	return context->tmp.fd >= 0;
}

#endif
