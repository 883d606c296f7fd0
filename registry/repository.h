/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_REPOSITORY_H
#define REGISTRY_REPOSITORY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/strbuf.h"
#include "registry/client.h"
#include "registry/endpoint.h"
#include "registry/transfers.h"
#include "storage/store.h"

/*
 * A repository that is written to, by the requests that the distribution specification has for
 * it: what is there, uploads of blobs in pieces, manifests. May be used by several threads.
 */
struct repository {
	struct store *store;             /* borrowed; knows where blobs were seen */
	struct client *client;           /* borrowed */
	const struct endpoint *endpoint; /* borrowed */
	struct transfers *transfers;     /* borrowed; NULL: nothing is shown */
	unsigned endpoint_id;
};

int repository_open(struct store *store, struct client *client, const struct endpoint *endpoint,
		    struct repository *out, struct err *err);

int repository_has_blob(const struct repository *repository, const struct digest *digest,
			bool *out_has, struct err *err);

/* ---- uploads ---- */

struct upload {
	char *location;     /* where the next request goes; changes with each */
	uint64_t offset;    /* so many bytes are there */
	uint64_t min_chunk; /* the registry wants no fewer at a time, but for the last; or 0 */
	bool has_note;      /* of what comes of a piece, should we die: client.h */
	int note_fd;        /* borrowed */
};
#define UPLOAD_INIT              \
	{                        \
		.location = NULL \
	}
void upload_release(struct upload *upload);
#define auto_upload __attribute__((cleanup(upload_release)))

/* What the registry made of a request: whatever else it says is an error. */
enum upload_answer {
	UPLOAD_OK,
	UPLOAD_BEHIND,  /* 416: ask where it stands, and go on there */
	UPLOAD_GONE,    /* it knows this upload no more, or says that it is spoilt */
	UPLOAD_REFUSED, /* it does not want it so: another way may do */
};

/*
 * Begin an upload of @blob (NULL: not known yet). When the blob was seen in other repositories of
 * this registry, it is asked to take it over from there first; *out_mounted: it did, and
 * there is nothing to upload.
 */
int repository_begin_upload(const struct repository *repository, const struct digest *blob,
			    struct upload *out, bool *out_mounted, struct err *err);
/* Where an upload of an earlier time stands; *out is UPLOAD_OK or UPLOAD_GONE. */
int upload_ask(const struct repository *repository, struct upload *upload, enum upload_answer *out,
	       struct err *err);
/* Send @length bytes of @fd from upload->offset on. */
int upload_send(const struct repository *repository, struct upload *upload, int fd, uint64_t length,
		enum upload_answer *out, struct err *err);
/* End it: all bytes are there, or all that are missing are these. The registry compares the digest.
 */
int upload_finish(const struct repository *repository, struct upload *upload, int fd,
		  uint64_t length, const struct digest *digest, enum upload_answer *out,
		  struct err *err);
/* What an earlier process did not live to hear of a piece that it sent, as far as it is good. */
void upload_take_note(struct upload *upload, const struct client_response *response);
/* Let the registry forget it; nobody minds if it does not. */
void upload_cancel(const struct repository *repository, struct upload *upload);

/* ---- manifests ---- */

/*
 * @reference: a tag or a digest. What it names must be there. *out_knows_subject: the registry says
 * that it has seen what the manifest is about (registry/referrers.h).
 */
int repository_put_manifest(const struct repository *repository, const char *reference,
			    const char *media_type, const struct strbuf *bytes,
			    const struct digest *digest, bool *out_knows_subject, struct err *err);

#endif
