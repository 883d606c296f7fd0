/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to Buildfiles: each has an answer or an error, and both are safe to print. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "builder/call.h"
#include "builder/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_printable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 && *text != '\n')
			abort();
}

static void ask(struct build_request *request, enum call_method method, bool is_json)
{
	struct call call = { .method = method, .is_json = is_json };
	auto_strbuf struct strbuf out = STRBUF_INIT;
	struct err err = ERR_INIT;
	bool is_found = false;

	if (call_answer(&call, request, &out, &is_found, &err) < 0) {
		if (err.kind != ERR_INPUT)
			abort();
		must_be_printable(err.text);
		must_be_printable(err.detail);
	}
	must_be_printable(out.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct strlist nothing = STRLIST_INIT;
	struct err err = ERR_INIT;
	auto_ast struct ast *ast = parse_buildfile("B", (const char *)data, size, &err);
	auto_context struct context context = CONTEXT_INIT;
	struct platform targets[] = {
		{ .os = (char *)"linux", .architecture = (char *)"amd64" },
		{ .os = (char *)"linux", .architecture = (char *)"arm64" },
	};
	struct build_request request = {
		.ast = ast,
		.context = &context,
		.build_args = &nothing,
		.labels = &nothing,
		.platforms = { .native = targets[0], .targets = targets, .count = 2 },
		.interrupt_fd = -1,
	};

	if (!ast || ignore_add(&context.ignore, "a*", &err) < 0)
		return 0;
	for (unsigned method = CALL_CHECK; method <= CALL_TARGETS; method++) {
		ask(&request, (enum call_method)method, false);
		ask(&request, (enum call_method)method, true);
	}
	return 0;
}
