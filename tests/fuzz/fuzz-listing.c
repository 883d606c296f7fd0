/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of a registry: tags are tags, descriptors are descriptors, and a link leads to a path or a
 * URL. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "layers/descriptor.h"
#include "registry/listing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tags(const char *data, size_t size)
{
	auto_strlist struct strlist tags = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (listing_parse_tags(data, size, &tags, &err) < 0 &&
	    (err.kind != ERR_REMOTE || !err.text[0] || tags.count > 0))
		abort();
	for (size_t i = 0; i < tags.count; i++)
		if (tags.items[i][0] == '\0' || strlen(tags.items[i]) > 128 ||
		    strpbrk(tags.items[i], " /:?&#\r\n\033"))
			abort();
}

static void check_referrers(const char *data, size_t size, const char *type)
{
	auto_json struct json *all = json_array();
	struct err err = ERR_INIT;

	if (listing_parse_referrers(data, size, type, all, &err) < 0 &&
	    (err.kind != ERR_REMOTE || !err.text[0]))
		abort();
	for (size_t i = 0; i < json_count(all); i++) {
		auto_descriptor struct descriptor descriptor = { .media_type = NULL };
		struct err ignored = ERR_INIT;

		if (descriptor_from_json(json_at(all, i), &descriptor, "entry", &ignored) < 0)
			abort();
	}
}

static void check_link(const char *text)
{
	auto_free char *next = listing_next(text, "/v2/a/tags/list?n=2");

	if (next && next[0] != '/' && strncmp(next, "http", 4) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = str_ndup((const char *)data, size);

	check_tags((const char *)data, size);
	check_referrers((const char *)data, size, NULL);
	check_referrers((const char *)data, size, "a/b");
	check_link(text);
	return 0;
}
