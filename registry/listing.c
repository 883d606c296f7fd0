/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the lists that a registry keeps of a repository: which pages are asked for, and what
 * is believed of them. */
#include "registry/listing.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"
#include "layers/descriptor.h"
#include "layers/manifest.h"
#include "registry/interrupt.h"

#define PAGE_ENTRIES 1000
#define PAGES_MAX    2000
#define ENTRIES_MAX  ((size_t)1000000)
#define TAG_MAX      128

/* A repository that is asked. */
struct listing {
	struct endpoints endpoints;
	const struct endpoint *endpoint; /* the registry itself */
	struct client *client;
	unsigned id;
};

static void listing_release(struct listing *listing)
{
	client_free(listing->client);
	endpoints_release(&listing->endpoints);
}
#define auto_listing __attribute__((cleanup(listing_release)))

static int open_listing(const struct image_ref *ref, const struct access_options *access,
			const struct client_options *options, struct listing *out, struct err *err)
{
	struct client_endpoint values;

	if (endpoints_find(ref, access, ENDPOINT_PUSH, &out->endpoints, err) < 0 ||
	    client_start(options, &out->client, err) < 0)
		return -1;
	out->endpoint = &out->endpoints.items[out->endpoints.count - 1];
	values = endpoint_for_client(out->endpoint);
	return client_add_endpoint(out->client, &values, &out->id, err);
}

static int ask(const struct listing *listing, const char *path, const char *accept,
	       struct client_response *out, struct err *err)
{
	auto_strlist struct strlist headers = STRLIST_INIT;
	const struct client_request request = {
		.endpoint = listing->id,
		.method = CLIENT_GET,
		.path = path,
		.repository = listing->endpoint->repository,
		.headers = &headers,
	};

	strlist_addf(&headers, "Accept: %s", accept);
	if (interrupt_check(err) < 0)
		return -1;
	return client_perform(listing->client, &request, out, err);
}

/* ---- pages ---- */

/* Where @target leads from @path, which has a query behind it or not. */
static char *resolve(const char *target, size_t len, const char *path)
{
	if (len == 0 || memchr(target, '#', len))
		return NULL;
	if (target[0] == '?')
		return str_format("%.*s%.*s", (int)strcspn(path, "?"), path, (int)len, target);
	if ((target[0] == '/' && (len == 1 || target[1] != '/')) ||
	    strncmp(target, "https://", 8) == 0 || strncmp(target, "http://", 7) == 0)
		return str_ndup(target, len);
	return NULL;
}

/* The parameters of one link, from behind its '>' to the next one. */
static bool is_next(const char *text, size_t len)
{
	auto_free char *parameters = str_ndup(text, len);
	const char *rel = strcasestr(parameters, "rel=");
	size_t end;

	if (!rel)
		return false;
	rel += 4;
	if (*rel == '"')
		rel++;
	end = strcspn(rel, "\"; \t");
	return end == 4 && strncasecmp(rel, "next", 4) == 0;
}

char *listing_next(const char *link, const char *path)
{
	const char *open = strchr(link, '<');

	while (open) {
		const char *target = open + 1;
		const char *close = strchr(target, '>');
		const char *following;

		if (!close)
			return NULL;
		following = strchr(close, '<');
		if (is_next(close + 1,
			    following ? (size_t)(following - close - 1) : strlen(close + 1)))
			return resolve(target, (size_t)(close - target), path);
		open = following;
	}
	return NULL;
}

/* @path becomes the next page's; *out_is_more false at the end. */
static int turn_page(const struct client_response *response, char **path, bool *out_is_more,
		     struct err *err)
{
	const char *link = client_response_header(response, "link");
	char *next = link ? listing_next(link, *path) : NULL;
	const bool is_circle = next && strcmp(next, *path) == 0;

	*out_is_more = next != NULL;
	if (!next)
		return 0;
	free(*path);
	*path = next;
	return is_circle ? err_set(err, ERR_REMOTE, "the registry's list leads back to where it is")
			 : 0;
}

/* ---- tags ---- */

static bool is_tag(const char *text)
{
	static const char first[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
	size_t len = strlen(text);

	return len > 0 && len <= TAG_MAX && strchr(first, text[0]) &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
		       len;
}

/* What comes from a registry is its fault. */
static int remote(struct err *err)
{
	err->kind = ERR_REMOTE;
	return -1;
}

static void add_all(struct strlist *out, const struct strlist *page)
{
	for (size_t i = 0; i < page->count; i++)
		strlist_add(out, page->items[i]);
}

int listing_parse_tags(const char *data, size_t len, struct strlist *out, struct err *err)
{
	auto_json struct json *root = json_parse(data, len, "list of tags", err);
	auto_strlist struct strlist tags = STRLIST_INIT;

	if (!root)
		return remote(err);
	if (!json_is_object(root))
		return err_set(err, ERR_REMOTE, "list of tags: it is no object");
	if (json_take_strlist(root, "tags", &tags, "list of tags", err) < 0)
		return remote(err);
	for (size_t i = 0; i < tags.count; i++)
		if (!is_tag(tags.items[i]))
			return err_set(err, ERR_REMOTE, "list of tags: entry %zu is no tag", i + 1);
	add_all(out, &tags);
	return 0;
}

/* A registry without links that gave as much as was asked for may have more. */
static void go_on_from_last(const struct listing *listing, const struct strlist *page, char **path,
			    bool *out_is_more)
{
	if (page->count != PAGE_ENTRIES)
		return;
	free(*path);
	*path = endpoint_path(listing->endpoint, "/tags/list?n=%d&last=%s", PAGE_ENTRIES,
			      page->items[page->count - 1]);
	*out_is_more = true;
}

static int list_tags(const struct listing *listing, struct strlist *out, struct err *err)
{
	auto_free char *path = endpoint_path(listing->endpoint, "/tags/list?n=%d", PAGE_ENTRIES);

	for (unsigned i = 0; i < PAGES_MAX && out->count < ENTRIES_MAX; i++) {
		auto_client_response struct client_response response = CLIENT_RESPONSE_INIT;
		auto_strlist struct strlist page = STRLIST_INIT;
		bool is_more = false;

		if (ask(listing, path, "application/json", &response, err) < 0)
			return -1;
		if (response.status != 200)
			return client_refused(&response, "list of tags", err);
		if (listing_parse_tags(response.body.data, response.body.len, &page, err) < 0 ||
		    turn_page(&response, &path, &is_more, err) < 0)
			return -1;
		/* a registry that knows no pages gives the first one again */
		if (out->count > 0 && page.count > 0 && strcmp(page.items[0], out->items[0]) == 0)
			return 0;
		add_all(out, &page);
		if (!is_more)
			go_on_from_last(listing, &page, &path, &is_more);
		if (!is_more)
			return 0;
	}
	return err_set(err, ERR_REMOTE, "list of tags: it never ends");
}

int listing_tags(const struct image_ref *ref, const struct access_options *access,
		 const struct client_options *options, struct strlist *out, struct err *err)
{
	auto_listing struct listing listing = { .client = NULL };
	auto_strlist struct strlist tags = STRLIST_INIT;

	if (open_listing(ref, access, options, &listing, err) < 0 ||
	    list_tags(&listing, &tags, err) < 0)
		return -1;
	strlist_copy(out, &tags);
	return 0;
}

/* ---- referrers ---- */

int listing_parse_referrers(const char *data, size_t len, const char *artifact_type,
			    struct json *out, struct err *err)
{
	auto_json struct json *root = json_parse(data, len, "list of referrers", err);
	const struct json *entries = json_get(root, "manifests");

	if (!root)
		return remote(err);
	if (!json_is_array(entries))
		return err_set(err, ERR_REMOTE, "list of referrers: it is no index");
	for (size_t i = 0; i < json_count(entries); i++) {
		auto_descriptor struct descriptor checked = { .media_type = NULL };
		const struct json *entry = json_at(entries, i);
		const char *type = json_string(json_get(entry, "artifactType"));

		if (descriptor_from_json(entry, &checked, "list of referrers", err) < 0)
			return remote(err);
		if (!artifact_type || (type && strcmp(type, artifact_type) == 0))
			json_append(out, json_ref(entry));
	}
	return 0;
}

/* A digest as it is, else that of the manifest. */
static int find_subject(const struct listing *listing, const struct image_ref *ref,
			struct digest *out, struct err *err)
{
	auto_client_response struct client_response response = CLIENT_RESPONSE_INIT;
	const char *tag = ref->tag ? ref->tag : "latest";
	auto_free char *path = endpoint_path(listing->endpoint, "/manifests/%s", tag);

	if (ref->has_digest) {
		*out = ref->digest;
		return 0;
	}
	if (ask(listing, path,
		MEDIA_OCI_MANIFEST ", " MEDIA_DOCKER_MANIFEST ", " MEDIA_OCI_INDEX
				   ", " MEDIA_DOCKER_LIST,
		&response, err) < 0)
		return -1;
	if (response.status != 200)
		return client_refused(&response, tag, err);
	digest_of(response.body.data, response.body.len, out);
	return 0;
}

/* *out_found false: the registry keeps no such list. */
static int list_by_registry(const struct listing *listing, const struct digest *subject,
			    const char *artifact_type, struct json *out, bool *out_found,
			    struct err *err)
{
	char name[DIGEST_NAME_MAX];
	auto_free char *path =
		endpoint_path(listing->endpoint, "/referrers/%s", digest_name(subject, name));

	*out_found = true;
	for (unsigned page = 0; page < PAGES_MAX && json_count(out) < ENTRIES_MAX; page++) {
		auto_client_response struct client_response response = CLIENT_RESPONSE_INIT;
		bool is_more = false;

		if (ask(listing, path, MEDIA_OCI_INDEX, &response, err) < 0)
			return -1;
		*out_found = response.status != 404;
		if (page == 0 && !*out_found)
			return 0;
		if (response.status != 200)
			return client_refused(&response, "list of referrers", err);
		if (listing_parse_referrers(response.body.data, response.body.len, artifact_type,
					    out, err) < 0 ||
		    turn_page(&response, &path, &is_more, err) < 0)
			return -1;
		if (!is_more)
			return 0;
	}
	return err_set(err, ERR_REMOTE, "list of referrers: it never ends");
}

static int list_by_tag(const struct listing *listing, const struct digest *subject,
		       const char *artifact_type, struct json *out, struct err *err)
{
	auto_client_response struct client_response response = CLIENT_RESPONSE_INIT;
	char hex[DIGEST_HEX_MAX];
	auto_free char *path =
		endpoint_path(listing->endpoint, "/manifests/sha256-%s", digest_hex(subject, hex));

	if (ask(listing, path, MEDIA_OCI_INDEX, &response, err) < 0)
		return -1;
	if (response.status == 404)
		return 0;
	if (response.status != 200)
		return client_refused(&response, "list of referrers", err);
	return listing_parse_referrers(response.body.data, response.body.len, artifact_type, out,
				       err);
}

int listing_referrers(const struct image_ref *ref, const char *artifact_type,
		      const struct access_options *access, const struct client_options *options,
		      struct json **out, struct err *err)
{
	auto_listing struct listing listing = { .client = NULL };
	auto_json struct json *all = json_array();
	struct digest subject;
	bool found = false;

	if (open_listing(ref, access, options, &listing, err) < 0 ||
	    find_subject(&listing, ref, &subject, err) < 0 ||
	    list_by_registry(&listing, &subject, artifact_type, all, &found, err) < 0 ||
	    (!found && list_by_tag(&listing, &subject, artifact_type, all, err) < 0))
		return -1;
	*out = ptr_steal(&all);
	return 0;
}
