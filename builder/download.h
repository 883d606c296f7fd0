/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_DOWNLOAD_H
#define BUILDER_DOWNLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "builder/policy.h"
#include "builder/remote.h"
#include "builder/select.h"
#include "common/digest.h"
#include "common/err.h"
#include "common/tmpfile.h"
#include "storage/store.h"

/*
 * A remote source, brought here: the file that a URL names, or the files of a commit,
 * in a directory of the store's tmp/ that is gone with the download.
 */
struct download_place {
	struct store *store;
	bool no_cache;               /* ask for all of a URL, even if it was fetched before */
	const struct policy *policy; /* of contexts; or NULL */
	const char *agent; /* socket of the agent whose keys may be used over ssh; or NULL */
	int interrupt_fd;  /* readable when the user wants to stop; or -1 */
};

struct download {
	struct tmpdir dir;
	int fd;     /* where the files are: git: the subdirectory that is meant; -1 */
	char *name; /* url: of the file in the copy */
	struct digest digest;
	uint64_t size_bytes;
	int64_t mtime;
	char *commit; /* git */
	char *ref;    /* git: what to ask the server for, or NULL */
};

#define DOWNLOAD_INIT                         \
	{                                     \
		.dir = TMPDIR_INIT, .fd = -1, \
	}
#define auto_download __attribute__((cleanup(download_release)))
void download_release(struct download *download);

/* The file of a URL. ERR_INPUT when @want (may be NULL) is not its digest. */
int download_url(const struct download_place *place, const struct remote *remote,
		 const struct digest *want, struct download *out, struct err *err);

/* The name of the file, if the URL itself tells it. */
#define DOWNLOAD_UNNAMED "__unnamed__"

/*
 * git, first: which commit is meant; asks the server unless the source says a whole
 * commit. ERR_INPUT when it is not the one that the source demands.
 */
int download_resolve(const struct download_place *place, const struct remote *remote,
		     struct download *out, struct err *err);
/* git, then: its files. */
int download_git(const struct download_place *place, const struct remote *remote,
		 struct download *download, struct err *err);

/*
 * Append it to @selection as one source; every file has its digest. @out_tree: to open them by.
 * What
 * @exclude (may be NULL) names is left out of a repository.
 */
int download_select(const struct download_place *place, const struct remote *remote,
		    const struct download *download, const struct ignore *exclude,
		    struct select_tree *out_tree, struct selection *selection, struct err *err);

/* The file of a URL, for reading. */
int download_open(const struct download *download, struct err *err);

#endif
