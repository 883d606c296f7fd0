/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the requests by which a repository is written to, and for what their answers mean. In
 * which order they are made is upload's and registry-push's; how they are carried is client's.
 */
#include "registry/repository.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/strlist.h"
#include "storage/origin.h"

#define MOUNTS_MAX      3
#define CHUNK_MAX_BYTES ((uint64_t)1 << 30) /* whatever a registry says */

int repository_open(struct store *store, struct client *client, const struct endpoint *endpoint,
		    struct repository *out, struct err *err)
{
	const struct client_endpoint values = endpoint_for_client(endpoint);

	*out = (struct repository){ .store = store, .client = client, .endpoint = endpoint };
	return client_add_endpoint(client, &values, &out->endpoint_id, err);
}

void upload_release(struct upload *upload)
{
	free(upload->location);
	*upload = (struct upload)UPLOAD_INIT;
}

static struct client_request request_to(const struct repository *repository,
					enum client_method method, const char *path)
{
	return (struct client_request){
		.endpoint = repository->endpoint_id,
		.method = method,
		.path = path,
		.repository = repository->endpoint->repository,
		.is_push = true,
	};
}

int repository_has_blob(const struct repository *repository, const struct digest *digest,
			bool *out_has, struct err *err)
{
	auto_client_response struct client_response response = CLIENT_RESPONSE_INIT;
	char name[DIGEST_NAME_MAX];
	auto_free char *path =
		endpoint_path(repository->endpoint, "/blobs/%s", digest_name(digest, name));
	const struct client_request request = request_to(repository, CLIENT_HEAD, path);

	if (client_perform(repository->client, &request, &response, err) < 0)
		return err_prefix(err, "blob %s", name);
	if (response.status != 200 && response.status != 404)
		return client_refused(&response, name, err);
	*out_has = response.status == 200;
	return 0;
}

/* ---- what answers say ---- */

/* The Location of an answer, which is to be used as it is. */
static int take_location(const struct client_response *response, struct upload *upload,
			 struct err *err)
{
	const char *location = client_response_header(response, "location");

	if (!location)
		return err_set(err, ERR_REMOTE, "the registry does not say where to upload to");
	if (location[0] != '/' && strncmp(location, "https://", 8) != 0 &&
	    strncmp(location, "http://", 7) != 0)
		return err_set(err, ERR_REMOTE, "the registry wants an upload to '%.100s'",
			       location);
	free(upload->location);
	upload->location = str_dup(location);
	return 0;
}

/* "0-N", or "bytes=0-N": N + 1 bytes are there. Nothing is "0-0", too. */
static bool parse_range(const char *text, uint64_t *out)
{
	char *end;
	unsigned long long last;

	if (strncmp(text, "bytes=", 6) == 0)
		text += 6;
	if (strncmp(text, "0-", 2) != 0 || text[2] < '0' || text[2] > '9')
		return false;
	errno = 0;
	last = strtoull(text + 2, &end, 10);
	if (*end != '\0' || errno != 0 || last > UINT64_MAX / 2)
		return false;
	*out = last == 0 ? 0 : last + 1;
	return true;
}

static void take_range(const struct client_response *response, uint64_t otherwise,
		       struct upload *upload)
{
	const char *range = client_response_header(response, "range");

	if (!range || !parse_range(range, &upload->offset))
		upload->offset = otherwise;
}

static enum upload_answer judge(int status)
{
	switch (status) {
	case 416:
		return UPLOAD_BEHIND;
	case 404:
		return UPLOAD_GONE;
	case 400:
	case 405:
	case 411:
	case 413:
	case 501:
		return UPLOAD_REFUSED;
	default:
		return UPLOAD_OK;
	}
}

/* What may be over soon. */
static bool is_passing(int status)
{
	return status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504);
}

/* *out for the statuses that have a remedy; else an error unless it is @wanted or @also. */
static int demand(const struct client_response *response, int wanted, int also, const char *what,
		  enum upload_answer *out, struct err *err)
{
	*out = UPLOAD_OK;
	if (response->status == wanted || response->status == also)
		return 0;
	*out = judge(response->status);
	if (*out == UPLOAD_OK)
		return client_refused(response, what, err);
	/* kept for who has no other remedy left */
	client_refused(response, what, err);
	return 0;
}

/* ---- uploads ---- */

static int take_begun(const struct client_response *response, struct upload *out, struct err *err)
{
	const char *least = client_response_header(response, "oci-chunk-min-length");

	out->offset = 0;
	out->min_chunk = least ? strtoull(least, NULL, 10) : 0;
	if (out->min_chunk > CHUNK_MAX_BYTES)
		out->min_chunk = CHUNK_MAX_BYTES;
	return take_location(response, out, err);
}

/* Ask for the blob to be taken over from @from; out->location is set when an upload was begun. */
static int try_mount(const struct repository *repository, const char *digest, const char *from,
		     struct upload *out, bool *out_mounted, struct err *err)
{
	auto_client_response struct client_response response = CLIENT_RESPONSE_INIT;
	auto_free char *path = endpoint_path(repository->endpoint,
					     "/blobs/uploads/?mount=%s&from=%s", digest, from);
	struct client_request request = request_to(repository, CLIENT_POST, path);

	request.from_repository = from;
	if (client_perform(repository->client, &request, &response, err) < 0)
		return err_prefix(err, "blob %s", digest);
	*out_mounted = response.status == 201;
	if (*out_mounted)
		log_info("blob %s is taken over from %s", digest, from);
	/* anything else is no reason to give up: it is only a way to save an upload */
	return response.status == 202 ? take_begun(&response, out, err) : 0;
}

/* The repositories of this registry where @blob was seen, the last one first. */
static int list_sources(const struct repository *repository, const struct digest *blob,
			struct strlist *out, struct err *err)
{
	const struct endpoint *endpoint = repository->endpoint;
	size_t host_len = strlen(endpoint->place) - strlen(endpoint->repository);
	auto_free char *prefix = str_ndup(endpoint->place, host_len);
	auto_strlist struct strlist places = STRLIST_INIT;

	if (origin_list(repository->store, blob, prefix, &places, err) < 0)
		return -1;
	for (size_t i = 0; i < places.count && out->count < MOUNTS_MAX; i++)
		if (strcmp(places.items[i], endpoint->place) != 0)
			strlist_add(out, places.items[i] + host_len);
	return 0;
}

int repository_begin_upload(const struct repository *repository, const struct digest *blob,
			    struct upload *out, bool *out_mounted, struct err *err)
{
	auto_client_response struct client_response response = CLIENT_RESPONSE_INIT;
	auto_strlist struct strlist sources = STRLIST_INIT;
	auto_free char *path = endpoint_path(repository->endpoint, "/blobs/uploads/");
	const struct client_request request = request_to(repository, CLIENT_POST, path);
	char name[DIGEST_NAME_MAX];

	*out_mounted = false;
	if (blob && list_sources(repository, blob, &sources, err) < 0)
		return -1;
	for (size_t i = 0; i < sources.count && !*out_mounted && !out->location; i++)
		if (try_mount(repository, digest_name(blob, name), sources.items[i], out,
			      out_mounted, err) < 0)
			return -1;
	if (*out_mounted || out->location)
		return 0;
	if (client_perform(repository->client, &request, &response, err) < 0)
		return err_prefix(err, "begin an upload");
	if (response.status != 202)
		return client_refused(&response, "begin an upload", err);
	return take_begun(&response, out, err);
}

int upload_ask(const struct repository *repository, struct upload *upload, enum upload_answer *out,
	       struct err *err)
{
	auto_client_response struct client_response response = CLIENT_RESPONSE_INIT;
	const struct client_request request = request_to(repository, CLIENT_GET, upload->location);

	if (client_perform(repository->client, &request, &response, err) < 0)
		return err_prefix(err, "ask how far an upload is");
	*out = UPLOAD_GONE;
	/* that it cannot say so now does not mean that it has nothing */
	if (is_passing(response.status) || response.status == 401 || response.status == 403)
		return client_refused(&response, "ask how far an upload is", err);
	if (response.status != 204 && response.status != 202 && response.status != 200)
		return 0;
	/* an upload without a word about its length is as good as none */
	if (!client_response_header(&response, "range"))
		return 0;
	take_range(&response, 0, upload);
	*out = UPLOAD_OK;
	return client_response_header(&response, "location") ? take_location(&response, upload, err)
							     : 0;
}

/* Content-Range, for what does not go from the beginning to the end. */
static void add_range(const struct upload *upload, uint64_t length, struct strlist *headers)
{
	strlist_addf(headers, "Content-Range: %" PRIu64 "-%" PRIu64, upload->offset,
		     upload->offset + length - 1);
}

/* @length bytes of @fd from where the upload is. */
static void set_piece(const struct upload *upload, int fd, uint64_t length,
		      struct client_request *request)
{
	request->body = (struct client_body){
		.kind = CLIENT_BODY_FILE, .fd = fd, .offset = upload->offset, .length = length
	};
	request->has_note = upload->has_note;
	request->note_fd = upload->note_fd;
}

/*
 * Carry a piece. *out: OK when there is an answer to be looked at. Again as it was it would only be
 * refused, for the registry may have got a part of it.
 */
static int carry(const struct repository *repository, struct client_request *request,
		 struct client_response *response, enum upload_answer *out, struct err *err)
{
	request->no_retry = true;
	*out = UPLOAD_BEHIND;
	if (client_perform(repository->client, request, response, err) < 0)
		return err->kind == ERR_REMOTE ? 0 : -1;
	if (is_passing(response->status)) {
		client_refused(response, "upload", err);
		return 0;
	}
	*out = UPLOAD_OK;
	return 0;
}

int upload_send(const struct repository *repository, struct upload *upload, int fd, uint64_t length,
		enum upload_answer *out, struct err *err)
{
	auto_client_response struct client_response response = CLIENT_RESPONSE_INIT;
	auto_strlist struct strlist headers = STRLIST_INIT;
	struct client_request request = request_to(repository, CLIENT_PATCH, upload->location);
	const uint64_t end = upload->offset + length;

	strlist_add(&headers, "Content-Type: application/octet-stream");
	add_range(upload, length, &headers);
	request.headers = &headers;
	set_piece(upload, fd, length, &request);
	if (carry(repository, &request, &response, out, err) < 0)
		return -1;
	if (*out != UPLOAD_OK)
		return 0;
	if (demand(&response, 202, 204, "upload", out, err) < 0)
		return -1;
	if (*out != UPLOAD_OK)
		return 0;
	take_range(&response, end, upload);
	return take_location(&response, upload, err);
}

void upload_take_note(struct upload *upload, const struct client_response *response)
{
	struct err ignored = ERR_INIT;

	if (response->status != 202 && response->status != 204)
		return;
	take_range(response, 0, upload);
	(void)take_location(response, upload, &ignored);
}

int upload_finish(const struct repository *repository, struct upload *upload, int fd,
		  uint64_t length, const struct digest *digest, enum upload_answer *out,
		  struct err *err)
{
	auto_client_response struct client_response response = CLIENT_RESPONSE_INIT;
	auto_strlist struct strlist headers = STRLIST_INIT;
	char hex[DIGEST_HEX_MAX];
	auto_free char *path =
		str_format("%s%cdigest=sha256%%3A%s", upload->location,
			   strchr(upload->location, '?') ? '&' : '?', digest_hex(digest, hex));
	struct client_request request = request_to(repository, CLIENT_PUT, path);

	strlist_add(&headers, "Content-Type: application/octet-stream");
	request.headers = &headers;
	*out = UPLOAD_OK;
	if (length > 0)
		set_piece(upload, fd, length, &request);
	if (length > 0 && upload->offset > 0) {
		add_range(upload, length, &headers);
		if (carry(repository, &request, &response, out, err) < 0)
			return -1;
	} else if (client_perform(repository->client, &request, &response, err) < 0) {
		return -1;
	}
	return *out == UPLOAD_OK ? demand(&response, 201, 204, "upload", out, err) : 0;
}

void upload_cancel(const struct repository *repository, struct upload *upload)
{
	auto_client_response struct client_response response = CLIENT_RESPONSE_INIT;
	struct client_request request;
	struct err ignored = ERR_INIT;

	if (!upload->location)
		return;
	request = request_to(repository, CLIENT_DELETE, upload->location);
	if (client_perform(repository->client, &request, &response, &ignored) < 0)
		log_debug("an upload is left to the registry: %s", ignored.text);
}

/* ---- manifests ---- */

int repository_put_manifest(const struct repository *repository, const char *reference,
			    const char *media_type, const struct strbuf *bytes,
			    const struct digest *digest, bool *out_knows_subject, struct err *err)
{
	auto_client_response struct client_response response = CLIENT_RESPONSE_INIT;
	auto_strlist struct strlist headers = STRLIST_INIT;
	auto_free char *path = endpoint_path(repository->endpoint, "/manifests/%s", reference);
	struct client_request request = request_to(repository, CLIENT_PUT, path);
	char name[DIGEST_NAME_MAX];
	const char *said;

	strlist_addf(&headers, "Content-Type: %s", media_type);
	request.headers = &headers;
	request.body = (struct client_body){ .kind = CLIENT_BODY_MEMORY,
					     .data = bytes->data,
					     .length = bytes->len };
	if (client_perform(repository->client, &request, &response, err) < 0)
		return err_prefix(err, "manifest '%s'", reference);
	if (response.status != 201 && response.status != 200 && response.status != 202)
		return client_refused(&response, reference, err);
	said = client_response_header(&response, "docker-content-digest");
	if (said && strcmp(said, digest_name(digest, name)) != 0)
		return err_set(err, ERR_REMOTE,
			       "the registry took manifest %s for %.100s: what is there is not "
			       "what was sent",
			       name, said);
	*out_knows_subject = client_response_header(&response, "oci-subject") != NULL;
	return 0;
}
