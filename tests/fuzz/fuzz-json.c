/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: what was read is written so that it reads the same; any text can be written. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_read_the_same(const struct json *value)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	auto_strbuf struct strbuf pretty = STRBUF_INIT;
	auto_strbuf struct strbuf again = STRBUF_INIT;
	auto_json struct json *copy = NULL;
	struct err err = ERR_INIT;

	json_format(value, &text);
	json_format_pretty(value, &pretty);
	copy = json_parse(pretty.data, pretty.len, "pretty", &err);
	if (!copy)
		abort();
	json_format(copy, &again);
	if (strcmp(text.data, again.data) != 0)
		abort();
}

static void check_document(const char *data, size_t size)
{
	auto_json struct json *value = NULL;
	struct err err = ERR_INIT;

	value = json_parse(data, size, "fuzz", &err);
	if (value)
		must_read_the_same(value);
	else if (err.kind != ERR_INPUT || strncmp(err.text, "fuzz:", 5) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_json struct json *made = json_object();
	auto_free char *text = str_ndup((const char *)data, size);

	check_document((const char *)data, size);
	json_set_string(made, text, text);
	must_read_the_same(made);
	return 0;
}
