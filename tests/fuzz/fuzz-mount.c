/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of RUN --mount, first as fields (CSV), then typed: every line gives a
 * mount that a step can rely on, or an error of the right kind.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "builder/csv.h"
#include "builder/runmount.h"
#include "common/mem.h"
#include "common/strbuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_input_error(const struct err *err)
{
	if (err->kind != ERR_INPUT || !err->text[0])
		abort();
}

/* Fields that are written in quotes are read as the same fields. */
static void must_split_the_same(const struct strlist *fields)
{
	auto_strlist struct strlist again = STRLIST_INIT;
	auto_strbuf struct strbuf line = STRBUF_INIT;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < fields->count; i++) {
		strbuf_puts(&line, i > 0 ? ",\"" : "\"");
		for (const char *p = fields->items[i]; *p; p++) {
			if (*p == '"')
				strbuf_putc(&line, '"');
			strbuf_putc(&line, *p);
		}
		strbuf_putc(&line, '"');
	}
	if (csv_split(line.data, &again, &err) < 0 || again.count != fields->count)
		abort();
	for (size_t i = 0; i < fields->count; i++)
		if (strcmp(again.items[i], fields->items[i]) != 0)
			abort();
}

static const char *look_up(const char *name, void *data)
{
	return name[0] == 'e' ? "" : name[0] == 'u' ? NULL : "a,b=/c";
}

static void must_fit_its_type(const struct run_mount *mount)
{
	bool is_secret = mount->type == RUN_MOUNT_SECRET;
	bool is_granted = is_secret || mount->type == RUN_MOUNT_SSH;
	bool is_owned = is_granted || mount->type == RUN_MOUNT_CACHE;

	if ((mount->has_mode || mount->has_uid || mount->has_gid) && !is_owned)
		abort();
	if ((mount->is_required && !is_granted) || (mount->env && !is_secret))
		abort();
	if (mount->size_bytes > 0 && mount->type != RUN_MOUNT_TMPFS)
		abort();
	if (mount->from && mount->type != RUN_MOUNT_BIND && mount->type != RUN_MOUNT_CACHE)
		abort();
	if (!is_granted && !mount->target)
		abort();
	if (mount->target && mount->target[0] && !mount->target[strspn(mount->target, "/")])
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct expand_scope scope = { .lookup = look_up };
	auto_free char *line = str_ndup((const char *)data, size);
	const struct mount_flag flag = { .text = line };
	auto_strlist struct strlist fields = STRLIST_INIT;
	auto_run_mount struct run_mount mount = RUN_MOUNT_INIT;
	struct err err = ERR_INIT;

	if (csv_split(line, &fields, &err) < 0) {
		must_be_input_error(&err);
		return 0;
	}
	must_split_the_same(&fields);
	if (run_mount_resolve(&flag, &scope, '\\', &mount, &err) < 0)
		must_be_input_error(&err);
	else
		must_fit_its_type(&mount);
	return 0;
}
