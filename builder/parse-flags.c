/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for flags of instructions: which are known, given once, and have
 * the value that their type needs. What the values mean is the instruction's.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "builder/parse-internal.h"
#include "common/cmdline.h"
#include "common/mem.h"

static int fail_unknown(struct parse *p, const struct flag_spec *specs, const struct word *flag,
			const char *name)
{
	const char *names[FLAG_SPECS_MAX + 1];
	const char *near;
	size_t n = 0;

	for (; specs[n].name && n < FLAG_SPECS_MAX; n++)
		names[n] = specs[n].name;
	names[n] = NULL;
	near = cmdline_nearest(name, names);
	parse_error(p, flag->offset, "unknown flag '--%s'", name);
	return near ? source_hint(p->err, "did you mean '--%s'?", near) : -1;
}

static int set_switch(struct parse *p, const struct word *flag, const char *name, const char *value,
		      enum tristate *target)
{
	if (!value || strcasecmp(value, "true") == 0)
		*target = TRISTATE_TRUE;
	else if (strcasecmp(value, "false") == 0)
		*target = TRISTATE_FALSE;
	else
		return parse_error(p, flag->offset, "flag '--%s' is true or false, not '%s'", name,
				   value);
	return 0;
}

static int fail_twice(struct parse *p, const struct word *flag, const char *name)
{
	return parse_error(p, flag->offset, "duplicate flag '--%s'", name);
}

static void add_borrowed(struct words *words, char *value, size_t offset)
{
	words->items = mem_resize(words->items, words->count + 1, sizeof(*words->items));
	words->items[words->count++] = (struct word){ value, offset };
}

static int set_flag(struct parse *p, const struct flag_spec *spec, const struct word *flag,
		    char *value)
{
	if (spec->type != FLAG_SWITCH && !value) {
		parse_error(p, flag->offset, "flag '--%s' needs a value", spec->name);
		return source_hint(p->err, "--%s=VALUE", spec->name);
	}
	switch (spec->type) {
	case FLAG_SWITCH:
		if (*(enum tristate *)spec->target != TRISTATE_UNSET)
			return fail_twice(p, flag, spec->name);
		return set_switch(p, flag, spec->name, value, spec->target);
	case FLAG_STRING:
		if (*(char **)spec->target)
			return fail_twice(p, flag, spec->name);
		*(char **)spec->target = str_dup(value);
		return 0;
	case FLAG_LIST:
		add_borrowed(spec->target, value, flag->offset);
		return 0;
	}
	return 0;
}

int parse_flags(struct parse *p, const struct flag_spec *specs)
{
	for (size_t i = 0; i < p->st->flags.count; i++) {
		const struct word *flag = &p->st->flags.items[i];
		char *value = strchr(flag->text, '=');
		auto_free char *name =
			str_ndup(flag->text + 2,
				 value ? (size_t)(value - flag->text) - 2 : strlen(flag->text + 2));
		const struct flag_spec *spec = specs;

		while (spec->name && strcmp(spec->name, name) != 0)
			spec++;
		if (!spec->name)
			return fail_unknown(p, specs, flag, name);
		if (set_flag(p, spec, flag, value ? value + 1 : NULL) < 0)
			return -1;
	}
	return 0;
}
