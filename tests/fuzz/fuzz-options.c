/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What --secret, --ssh, --build-context, --output and --annotation take. Nothing is read here but a
 * directory of that name, which a named context is: it is looked at, not into.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "builder/annotation.h"
#include "builder/grants.h"
#include "builder/named.h"
#include "builder/output.h"
#include "common/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_worded(const struct err *err)
{
	if (err->kind == ERR_NONE || err->kind == ERR_BUG || !err->text[0])
		abort();
}

static void check_secret(const char *text)
{
	auto_secret_spec struct secret_spec spec = SECRET_SPEC_INIT;
	struct err err = ERR_INIT;

	if (grants_parse_secret(text, &spec, &err) < 0) {
		if (err.kind != ERR_USAGE)
			abort();
		must_be_worded(&err);
		return;
	}
	if (!spec.id[0] || !spec.file == !spec.variable)
		abort();
}

static void check_ssh(const char *text)
{
	auto_grants struct grants grants = GRANTS_INIT;
	struct err err = ERR_INIT;

	if (grants_add_ssh(&grants, text, &err) < 0)
		must_be_worded(&err);
	else if (grants.agent_count != 1 || !grants.agents[0].id[0])
		abort();
}

static void check_context(const char *text)
{
	const struct download_place nowhere = { .store = NULL, .interrupt_fd = -1 };
	auto_named struct named_contexts contexts = NAMED_INIT;
	struct err err = ERR_INIT;

	if (named_add(&contexts, text, &nowhere, &err) < 0) {
		must_be_worded(&err);
		return;
	}
	if (contexts.count != 1 || !contexts.items[0].name[0])
		abort();
	if (named_find(&contexts, contexts.items[0].name) != &contexts.items[0])
		abort();
}

static void check_output(const char *text)
{
	auto_outputs struct outputs outputs = OUTPUTS_INIT;
	struct err err = ERR_INIT;

	if (outputs_add(&outputs, text, &err) == 0 && outputs.count == 1)
		return;
	/* what is wrong with an option is wrong use */
	if (err.kind != ERR_USAGE)
		abort();
	must_be_worded(&err);
}

static void check_annotation(const char *text)
{
	auto_platforms struct platforms platforms = PLATFORMS_INIT;
	auto_annotations struct annotations annotations = ANNOTATIONS_INIT;
	auto_strlist struct strlist texts = STRLIST_INIT;
	struct err err = ERR_INIT;

	strlist_add(&texts, "linux/amd64,linux/arm64");
	if (platforms_parse(&texts, &platforms, &err) < 0)
		abort();
	strlist_release(&texts);
	strlist_add(&texts, text);
	if (annotations_parse(&texts, &platforms, &annotations, &err) < 0) {
		if (err.kind != ERR_USAGE)
			abort();
		must_be_worded(&err);
		return;
	}
	if (annotations.count == 0 || !annotations.items[0].key[0])
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = str_ndup((const char *)data, size);

	check_secret(text);
	check_ssh(text);
	check_context(text);
	check_output(text);
	check_annotation(text);
	return 0;
}
