/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the lists of what refers to a manifest, at registries that keep none. */
#include "registry/referrers.h"

#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "layers/descriptor.h"
#include "layers/manifest.h"

#define TRIES 4

int referrers_subject(const struct strbuf *manifest, const char *what, bool *out_has,
		      struct digest *out, struct err *err)
{
	auto_json struct json *document = json_parse(manifest->data, manifest->len, what, err);
	auto_descriptor struct descriptor subject = { .media_type = NULL };
	const struct json *member;

	if (!document)
		return -1;
	member = json_get(document, "subject");
	*out_has = member && !json_is_null(member);
	if (!*out_has)
		return 0;
	if (descriptor_from_json(member, &subject, what, err) < 0)
		return err_prefix(err, "subject");
	*out = subject.digest;
	return 0;
}

/* The entry for a manifest: what it is comes from its artifactType, else from its config. */
static struct json *make_entry(const struct json *manifest, size_t size, const char *media_type,
			       const char *name)
{
	const char *type = json_string(json_get(manifest, "artifactType"));
	const struct json *annotations = json_get(manifest, "annotations");
	struct json *entry = json_object();

	if (!type || type[0] == '\0')
		type = json_string(json_get(json_get(manifest, "config"), "mediaType"));
	json_set_string(entry, "mediaType", media_type);
	json_set_string(entry, "digest", name);
	json_set_int(entry, "size", (int64_t)size);
	json_set_string(entry, "artifactType", type);
	if (json_is_object(annotations))
		json_set(entry, "annotations", json_ref(annotations));
	return entry;
}

int referrers_format(const struct strbuf *list, const struct strbuf *manifest,
		     const char *media_type, const struct digest *digest, bool *out_is_new,
		     struct strbuf *out, struct err *err)
{
	auto_json struct json *old =
		list->len ? json_parse(list->data, list->len, "list of referrers", err)
			  : json_object();
	auto_json struct json *document =
		json_parse(manifest->data, manifest->len, "manifest", err);
	auto_json struct json *index = json_object();
	const struct json *entries = json_get(old, "manifests");
	struct json *all = json_array();
	char name[DIGEST_NAME_MAX];

	digest_name(digest, name);
	*out_is_new = true;
	json_set_int(index, "schemaVersion", 2);
	json_set_string(index, "mediaType", MEDIA_OCI_INDEX);
	for (size_t i = 0; json_is_array(entries) && i < json_count(entries); i++) {
		const struct json *entry = json_at(entries, i);
		const char *of = json_string(json_get(entry, "digest"));

		*out_is_new = *out_is_new && !(of && strcmp(of, name) == 0);
		json_append(all, json_ref(entry));
	}
	if (document)
		json_append(all, make_entry(document, manifest->len, media_type, name));
	json_set(index, "manifests", all);
	if (!old || !document)
		return -1;
	if (old && list->len && !json_is_array(entries))
		return err_set(err, ERR_REMOTE,
			       "what is under the tag of the referrers is no index");
	json_format(index, out);
	return 0;
}

/* The list as it is; empty when there is none. *out_etag NULL where the registry says none. */
static int load_list(const struct repository *repository, const char *path, struct strbuf *out,
		     char **out_etag, struct err *err)
{
	auto_client_response struct client_response response = CLIENT_RESPONSE_INIT;
	auto_strlist struct strlist headers = STRLIST_INIT;
	const struct client_request request = {
		.endpoint = repository->endpoint_id,
		.method = CLIENT_GET,
		.path = path,
		.repository = repository->endpoint->repository,
		.is_push = true,
		.headers = &headers,
	};
	const char *etag;

	strlist_add(&headers, "Accept: " MEDIA_OCI_INDEX);
	if (client_perform(repository->client, &request, &response, err) < 0)
		return -1;
	if (response.status != 200 && response.status != 404)
		return client_refused(&response, "list of referrers", err);
	if (response.status == 200)
		strbuf_add(out, response.body.data, response.body.len);
	etag = client_response_header(&response, "etag");
	*out_etag = response.status == 200 && etag ? str_dup(etag) : NULL;
	return 0;
}

/* *out_is_late: somebody else was faster. */
static int save_list(const struct repository *repository, const char *path,
		     const struct strbuf *list, const char *etag, bool *out_is_late,
		     struct err *err)
{
	auto_client_response struct client_response response = CLIENT_RESPONSE_INIT;
	auto_strlist struct strlist headers = STRLIST_INIT;
	const struct client_request request = {
		.endpoint = repository->endpoint_id,
		.method = CLIENT_PUT,
		.path = path,
		.repository = repository->endpoint->repository,
		.is_push = true,
		.headers = &headers,
		.body = { .kind = CLIENT_BODY_MEMORY, .data = list->data, .length = list->len },
	};

	strlist_add(&headers, "Content-Type: " MEDIA_OCI_INDEX);
	if (etag)
		strlist_addf(&headers, "If-Match: %s", etag);
	if (client_perform(repository->client, &request, &response, err) < 0)
		return -1;
	*out_is_late = response.status == 412;
	if (!*out_is_late && response.status != 201 && response.status != 200)
		return client_refused(&response, "list of referrers", err);
	return 0;
}

int referrers_add(const struct repository *repository, const struct digest *subject,
		  const struct strbuf *manifest, const char *media_type,
		  const struct digest *digest, struct err *err)
{
	char hex[DIGEST_HEX_MAX];
	auto_free char *path = endpoint_path(repository->endpoint, "/manifests/sha256-%s",
					     digest_hex(subject, hex));

	for (int i = 0; i < TRIES; i++) {
		auto_strbuf struct strbuf list = STRBUF_INIT;
		auto_strbuf struct strbuf fresh = STRBUF_INIT;
		auto_free char *etag = NULL;
		bool is_new = false;
		bool is_late = false;

		if (load_list(repository, path, &list, &etag, err) < 0 ||
		    referrers_format(&list, manifest, media_type, digest, &is_new, &fresh, err) <
			    0 ||
		    (is_new && save_list(repository, path, &fresh, etag, &is_late, err) < 0))
			return -1;
		if (!is_late)
			return 0;
	}
	return err_set(err, ERR_REMOTE, "the list of referrers changes all the time");
}
