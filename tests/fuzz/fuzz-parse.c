/* SPDX-License-Identifier: Apache-2.0 */
/* Buildfiles: every one gives a tree or an error of the right kind that is safe to print. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "builder/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_printable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 && *text != '\n')
			abort();
}

static void must_be_input_error(const struct err *err)
{
	if (err->kind != ERR_INPUT || !err->text[0] || strchr(err->text, '\n'))
		abort();
	must_be_printable(err->text);
	must_be_printable(err->detail);
}

static void read_triggers(const struct ast *ast)
{
	for (size_t i = 0; i < ast->stage_count; i++) {
		const struct stage *stage = ast->stages[i];

		for (size_t j = 0; j < stage->instruction_count; j++) {
			struct err err = ERR_INIT;

			if (stage->instructions[j]->kind != INSTRUCTION_ONBUILD)
				continue;
			ast_free(parse_trigger(stage->instructions[j]->onbuild.text, &err));
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	auto_ast struct ast *ast = parse_buildfile("B", (const char *)data, size, &err);
	auto_strbuf struct strbuf dump = STRBUF_INIT;

	if (!ast) {
		must_be_input_error(&err);
		return 0;
	}
	ast_dump(ast, &dump);
	must_be_printable(dump.data);
	read_triggers(ast);
	return 0;
}
