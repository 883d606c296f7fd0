/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests and indexes: what is taken is of the kind that was detected, and
 * what we write for it means the same again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "layers/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int parse_again(const struct strbuf *text, const char *media_type, bool is_index,
		       struct strbuf *out)
{
	struct err err = ERR_INIT;

	if (is_index) {
		auto_index struct index index = { .manifests = NULL };
		auto_platform struct platform host = { .os = NULL };
		size_t position;

		if (index_parse(text->data, text->len, media_type, "input", &index, &err) < 0)
			return -1;
		platform_host(&host);
		if (index_choose(&index, &host, "input", &position, &err) == 0 &&
		    position >= index.manifest_count)
			abort();
		index_format(&index, out);
	} else {
		auto_manifest struct manifest manifest = { .layers = NULL };

		if (manifest_parse(text->data, text->len, media_type, "input", &manifest, &err) < 0)
			return -1;
		manifest_check_image(&manifest, "input", &err);
		manifest_format(&manifest, out);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	auto_strbuf struct strbuf once = STRBUF_INIT;
	auto_strbuf struct strbuf twice = STRBUF_INIT;
	enum media_kind kind = MEDIA_UNKNOWN;
	struct err err = ERR_INIT;

	strbuf_add(&text, data, size);
	if (manifest_detect(text.data, text.len, NULL, "input", &kind, &err) < 0)
		return 0;
	if (kind != MEDIA_INDEX && kind != MEDIA_MANIFEST)
		abort();
	if (parse_again(&text, NULL, kind != MEDIA_INDEX, &once) == 0)
		abort();
	if (parse_again(&text, NULL, kind == MEDIA_INDEX, &once) < 0)
		return 0;
	if (parse_again(&once, NULL, kind == MEDIA_INDEX, &twice) < 0)
		abort();
	if (strcmp(once.data, twice.data) != 0)
		abort();
	return 0;
}
