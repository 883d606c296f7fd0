/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the instructions that hold a command: RUN with its mounts and
 * devices, CMD, ENTRYPOINT, SHELL and HEALTHCHECK.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "builder/csv.h"
#include "builder/parse-internal.h"
#include "builder/runmount.h"
#include "builder/value.h"
#include "common/mem.h"

#define MINIMUM_NS INT64_C(1000000)

/* ---- command lines ---- */

/* The arguments from @first on. */
static void take_command(struct parse *p, size_t first, struct command_line *out)
{
	out->is_exec = p->st->is_json;
	out->json_fault = ptr_steal(&p->st->json_fault);
	for (size_t i = first; i < p->st->args.count; i++)
		strlist_add(&out->args, p->st->args.items[i].text);
}

int parse_command(struct parse *p, struct command_line *out)
{
	static const struct flag_spec none[] = { { .name = NULL } };

	if (parse_flags(p, none) < 0)
		return -1;
	take_command(p, 0, out);
	if (!out->is_exec && out->args.count == 0)
		return parse_error(p, p->st->keyword.offset, "a command is missing");
	return 0;
}

int parse_shell(struct parse *p, struct command_line *out)
{
	static const struct flag_spec none[] = { { .name = NULL } };

	if (parse_flags(p, none) < 0)
		return -1;
	take_command(p, 0, out);
	if (out->args.count == 0)
		return parse_error(p, p->st->keyword.offset, "needs at least one argument");
	if (!out->is_exec) {
		parse_error(p, p->st->args.items[0].offset, "needs the JSON form");
		return source_hint(p->err, "SHELL [\"/bin/sh\", \"-c\"]");
	}
	return 0;
}

/* ---- RUN ---- */

/* What is left of from= when no other says otherwise: the last one. */
static char *find_from(const struct strlist *fields)
{
	for (size_t i = fields->count; i-- > 0;)
		if (strncasecmp(fields->items[i], "from=", 5) == 0)
			return str_dup(fields->items[i] + 5);
	return NULL;
}

static int check_mount(struct parse *p, const struct mount_flag *mount)
{
	static const struct expand_scope nothing = { .lookup = NULL };
	auto_run_mount struct run_mount resolved = RUN_MOUNT_INIT;

	if (strchr(mount->text, '$'))
		return 0; /* can only be judged with values */
	return run_mount_resolve(mount, &nothing, p->escape, &resolved, p->err);
}

static int add_mount(struct parse *p, const struct word *flag, struct run_instruction *out)
{
	auto_strlist struct strlist fields = STRLIST_INIT;
	struct mount_flag *mount;

	out->mounts = mem_resize(out->mounts, out->mount_count + 1, sizeof(*out->mounts));
	mount = &out->mounts[out->mount_count++];
	*mount = (struct mount_flag){ .text = str_dup(flag->text),
				      .at = lex_position(p->line, flag->offset) };
	if (csv_split(mount->text, &fields, p->err) < 0)
		return parse_locate(p, flag->offset);
	mount->from = find_from(&fields);
	if (mount->from && strchr(mount->from, '$')) {
		parse_error(p, flag->offset, "variables are not expanded in 'from'");
		return source_hint(p->err, "give it a name: FROM %s AS NAME", mount->from);
	}
	if (check_mount(p, mount) < 0)
		return parse_locate(p, flag->offset);
	return 0;
}

/* name=NAME, or NAME alone; required[=BOOL] */
static int read_device_field(struct device_flag *device, const char *field, struct err *err)
{
	const char *value = strchr(field, '=');
	size_t key_len = value ? (size_t)(value - field) : strlen(field);

	if (key_len == 8 && strncasecmp(field, "required", 8) == 0) {
		device->is_required = true;
		return value ? value_bool(value + 1, &device->is_required, err) : 0;
	}
	if (device->name)
		return err_set(err, ERR_INPUT, "a second name '%s'", field);
	if (value && key_len == 4 && strncasecmp(field, "name", 4) == 0)
		field = value + 1;
	device->name = str_dup(field);
	return 0;
}

static int add_device(struct parse *p, const struct word *flag, struct run_instruction *out)
{
	auto_strlist struct strlist fields = STRLIST_INIT;
	struct device_flag *device;

	out->devices = mem_resize(out->devices, out->device_count + 1, sizeof(*out->devices));
	device = &out->devices[out->device_count++];
	*device = (struct device_flag){ .name = NULL };
	if (csv_split(flag->text, &fields, p->err) < 0)
		return parse_locate(p, flag->offset);
	for (size_t i = 0; i < fields.count; i++)
		if (read_device_field(device, fields.items[i], p->err) < 0)
			return parse_locate(p, flag->offset);
	if (!device->name || !device->name[0])
		return parse_error(p, flag->offset, "flag '--device' needs a name");
	return 0;
}

/* The index of the value among @values, or -1 with the error. */
static int pick_value(struct parse *p, const char *flag, const char *value,
		      const char *const *values, const char *all)
{
	for (int i = 0; values[i]; i++)
		if (strcmp(value, values[i]) == 0)
			return i;
	return parse_error(p, p->st->flags.items[0].offset, "flag '--%s' is %s, not '%s'", flag,
			   all, value);
}

static int set_modes(struct parse *p, const char *network, const char *security,
		     struct run_instruction *out)
{
	static const char *const networks[] = { "default", "none", "host", NULL };
	static const char *const securities[] = { "sandbox", "insecure", NULL };
	int i = 0;

	out->has_network = network != NULL;
	if (network)
		i = pick_value(p, "network", network, networks, "default, none or host");
	if (i < 0)
		return -1;
	out->network = (enum run_network)i;
	i = 0;
	if (security)
		i = pick_value(p, "security", security, securities, "sandbox or insecure");
	if (i < 0)
		return -1;
	out->security = (enum run_security)i;
	return 0;
}

/* Is the whole command one heredoc? Then its body is the script. */
static int find_script(struct parse *p, struct run_instruction *out)
{
	struct heredoc alone = { .name = NULL };
	bool is_one = false;

	if (out->heredoc_count != 1 || out->command.args.count != 1)
		return 0;
	if (heredoc_parse_word(out->command.args.items[0], &alone, &is_one, p->err) < 0)
		return parse_locate(p, p->st->args.items[0].offset);
	heredoc_release(&alone);
	out->is_script = is_one;
	if (is_one && strchr(out->heredocs[0].name, '/')) {
		auto_free char *text = heredoc_text(&out->heredocs[0]);

		if (strncmp(text, "#!", 2) == 0)
			return parse_error(p, p->st->args.items[0].offset,
					   "the heredoc's name '%s' cannot be a file's",
					   out->heredocs[0].name);
	}
	return 0;
}

static int read_run_flags(struct parse *p, struct run_instruction *out, struct words *mounts,
			  struct words *devices)
{
	auto_free char *network = NULL;
	auto_free char *security = NULL;
	const struct flag_spec specs[] = {
		{ "mount", FLAG_LIST, mounts },
		{ "device", FLAG_LIST, devices },
		{ "network", FLAG_STRING, &network },
		{ "security", FLAG_STRING, &security },
		{ .name = NULL },
	};

	if (parse_flags(p, specs) < 0)
		return -1;
	for (size_t i = 0; i < mounts->count; i++)
		if (add_mount(p, &mounts->items[i], out) < 0)
			return -1;
	for (size_t i = 0; i < devices->count; i++)
		if (add_device(p, &devices->items[i], out) < 0)
			return -1;
	return set_modes(p, network, security, out);
}

int parse_run(struct parse *p, struct run_instruction *out)
{
	struct words mounts = { NULL, 0 };
	struct words devices = { NULL, 0 };
	int r = read_run_flags(p, out, &mounts, &devices);

	free(mounts.items);
	free(devices.items);
	if (r < 0)
		return -1;
	take_command(p, 0, &out->command);
	if (out->command.args.count == 0)
		return parse_error(p, p->st->keyword.offset, "a command is missing");
	out->heredocs = p->st->heredocs;
	out->heredoc_count = p->st->heredoc_count;
	p->st->heredocs = NULL;
	p->st->heredoc_count = 0;
	return find_script(p, out);
}

/* ---- HEALTHCHECK ---- */

static int set_interval(struct parse *p, const char *flag, const char *text, int64_t *out)
{
	if (!text || !text[0])
		return 0;
	if (value_duration(text, out, p->err) < 0)
		return parse_locate(p, p->st->flags.items[0].offset);
	if (*out != 0 && *out < MINIMUM_NS)
		return parse_error(p, p->st->flags.items[0].offset,
				   "flag '--%s' cannot be less than 1ms", flag);
	return 0;
}

static int set_retries(struct parse *p, const char *text, int32_t *out)
{
	char *end;
	long number;

	if (!text || !text[0])
		return 0;
	errno = 0;
	number = strtol(text, &end, 10);
	if (*end || errno || number < 0 || number > INT32_MAX || strchr(" \t", text[0]))
		return parse_error(p, p->st->flags.items[0].offset,
				   "flag '--retries' is a number from 0 on, not '%s'", text);
	*out = (int32_t)number;
	return 0;
}

static int read_health_flags(struct parse *p, struct healthcheck_instruction *out)
{
	auto_free char *interval = NULL;
	auto_free char *timeout = NULL;
	auto_free char *start_period = NULL;
	auto_free char *start_interval = NULL;
	auto_free char *retries = NULL;
	const struct flag_spec specs[] = {
		{ "interval", FLAG_STRING, &interval },
		{ "timeout", FLAG_STRING, &timeout },
		{ "start-period", FLAG_STRING, &start_period },
		{ "start-interval", FLAG_STRING, &start_interval },
		{ "retries", FLAG_STRING, &retries },
		{ .name = NULL },
	};

	if (parse_flags(p, specs) < 0 ||
	    set_interval(p, "interval", interval, &out->interval_ns) < 0 ||
	    set_interval(p, "timeout", timeout, &out->timeout_ns) < 0 ||
	    set_interval(p, "start-period", start_period, &out->start_period_ns) < 0 ||
	    set_interval(p, "start-interval", start_interval, &out->start_interval_ns) < 0)
		return -1;
	return set_retries(p, retries, &out->retries);
}

int parse_healthcheck(struct parse *p, struct healthcheck_instruction *out)
{
	const struct words *args = &p->st->args;

	if (read_health_flags(p, out) < 0)
		return -1;
	if (args->count == 0)
		return parse_error(p, p->st->keyword.offset, "needs CMD or NONE");
	if (strcasecmp(args->items[0].text, "NONE") == 0) {
		if (args->count > 1)
			return parse_error(p, args->items[1].offset, "NONE takes no arguments");
		out->is_none = true;
		return 0;
	}
	if (strcasecmp(args->items[0].text, "CMD") != 0)
		return parse_error(p, args->items[0].offset, "needs CMD or NONE, not '%s'",
				   args->items[0].text);
	if (args->count == 1)
		return parse_error(p, args->items[0].offset, "a command is missing");
	take_command(p, 1, &out->command);
	return 0;
}
