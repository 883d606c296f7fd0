/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors and digests: what is taken is written so that it means the same,
 * and a digest is safe as a part of a path (CVE-2024-3727).
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "layers/descriptor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_digest(const char *text)
{
	char name[DIGEST_NAME_MAX];
	struct err err = ERR_INIT;
	struct digest digest;

	if (digest_parse(text, &digest, &err) == 0 && strcmp(digest_name(&digest, name), text) != 0)
		abort();
	media_kind_of(text);
}

static void must_mean_the_same(const struct descriptor *descriptor)
{
	auto_descriptor struct descriptor again = { .media_type = NULL };
	auto_json struct json *written = descriptor_to_json(descriptor);
	auto_json struct json *twice = NULL;
	auto_strbuf struct strbuf first = STRBUF_INIT;
	auto_strbuf struct strbuf second = STRBUF_INIT;
	struct err err = ERR_INIT;

	if (descriptor_from_json(written, &again, "again", &err) < 0)
		abort();
	twice = descriptor_to_json(&again);
	json_format(written, &first);
	json_format(twice, &second);
	if (strcmp(first.data, second.data) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = str_ndup((const char *)data, size);
	auto_descriptor struct descriptor descriptor = { .media_type = NULL };
	auto_json struct json *json = NULL;
	struct err err = ERR_INIT;

	check_digest(text);
	json = json_parse((const char *)data, size, "input", &err);
	if (!json)
		return 0;
	if (descriptor_from_json(json, &descriptor, "input", &err) == 0)
		must_mean_the_same(&descriptor);
	else if (err.kind != ERR_INPUT || !err.text[0])
		abort();
	return 0;
}
