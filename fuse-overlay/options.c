/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line as a table: an option's name, what it sets, and how its value is read. What
 * the values mean for files is for those who use them.
 */
#include "fuse-overlay/options.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/strbuf.h"

struct row;
/* Reads @value (NULL: none was given) into the place that the row names. */
typedef int (*take_fn)(struct options *options, const struct row *row, const char *value,
		       struct err *err);

enum row_value {
	VALUE_NONE,
	VALUE_WANTED,
	VALUE_EITHER,
};

struct row {
	const char *name;
	enum row_value value;
	take_fn take;
	size_t offset;
};

static void *place(struct options *options, const struct row *row)
{
	return (char *)options + row->offset;
}

/* ---- how values are read ------------------------------------------------------- */

static int number(const char *value, long max, long *out, struct err *err)
{
	char *end;
	long got;

	errno = 0;
	got = strtol(value, &end, 10);
	if (errno || end == value || *end || got < 0 || got > max)
		return err_set(err, ERR_USAGE, "'%s' is not a number from 0 to %ld", value, max);
	*out = got;
	return 0;
}

static int take_true(struct options *options, const struct row *row, const char *value,
		     struct err *err)
{
	(void)value;
	(void)err;
	*(bool *)place(options, row) = true;
	return 0;
}

static int take_bool(struct options *options, const struct row *row, const char *value,
		     struct err *err)
{
	long got;

	if (number(value, INT32_MAX, &got, err) < 0)
		return -1;
	*(bool *)place(options, row) = got != 0;
	return 0;
}

/* 0 sets what the row names, for a name that says the opposite. */
static int take_not(struct options *options, const struct row *row, const char *value,
		    struct err *err)
{
	long got;

	if (number(value, INT32_MAX, &got, err) < 0)
		return -1;
	*(bool *)place(options, row) = got == 0;
	return 0;
}

static int take_writeback(struct options *options, const struct row *row, const char *value,
			  struct err *err)
{
	long got;

	(void)row;
	if (number(value, INT32_MAX, &got, err) < 0)
		return -1;
	options->no_writeback = got == 0;
	options->wants_writeback = got != 0;
	return 0;
}

static int take_path(struct options *options, const struct row *row, const char *value,
		     struct err *err)
{
	char **path = place(options, row);

	if (!value[0])
		return err_set(err, ERR_USAGE, "want a directory");
	free(*path);
	*path = str_dup(value);
	for (char *to = *path; (*to = *value) != '\0'; to++, value++)
		if (*value == '\\' && value[1])
			*to = *++value;
	return 0;
}

static int lower_add(struct strlist *lowers, struct strbuf *path, struct err *err)
{
	if (path->len == 0)
		return 0;
	if (strncmp(path->data, "//", 2) == 0 && strstr(path->data + 2, "//"))
		return err_set(err, ERR_USAGE, "'%s' wants a plugin, and there are none",
			       path->data);
	strlist_add(lowers, path->data);
	strbuf_truncate(path, 0);
	return 0;
}

static int take_lowers(struct options *options, const struct row *row, const char *value,
		       struct err *err)
{
	auto_strbuf struct strbuf path = STRBUF_INIT;
	struct strlist *lowers = place(options, row);

	strlist_release(lowers);
	for (; *value; value++) {
		if (*value == ':') {
			if (lower_add(lowers, &path, err) < 0)
				return -1;
			continue;
		}
		if (*value == '\\' && value[1])
			value++;
		strbuf_putc(&path, *value);
	}
	return lower_add(lowers, &path, err);
}

static int take_id_map(struct options *options, const struct row *row, const char *value,
		       struct err *err)
{
	return id_map_parse(value, place(options, row), err);
}

static int take_id(struct options *options, const struct row *row, const char *value,
		   struct err *err)
{
	uint32_t id;

	/* what an engine says that wants none */
	if (strcmp(value, "-1") == 0) {
		*(int64_t *)place(options, row) = -1;
		return 0;
	}
	if (id_parse(value, &id, err) < 0)
		return -1;
	*(int64_t *)place(options, row) = id;
	return 0;
}

static int take_seconds(struct options *options, const struct row *row, const char *value,
			struct err *err)
{
	char *end;
	double got = strtod(value, &end);

	if (end == value || *end || !isfinite(got) || got < 0)
		return err_set(err, ERR_USAGE, "'%s' is not a number of seconds", value);
	*(double *)place(options, row) = got;
	return 0;
}

/* The numbers are one each and stay, whichever of them was asked for. */
static int take_xino(struct options *options, const struct row *row, const char *value,
		     struct err *err)
{
	(void)options;
	(void)row;
	if (strcmp(value, "off") != 0 && strcmp(value, "auto") != 0 && strcmp(value, "on") != 0)
		return err_set(err, ERR_USAGE, "'%s' is none of off, auto and on", value);
	return 0;
}

static int take_marks(struct options *options, const struct row *row, const char *value,
		      struct err *err)
{
	static const char *const words[] = {
		[MARKS_ANY] = "any", [MARKS_TRUSTED] = "trusted", [MARKS_USER] = "user"
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i], value) != 0)
			continue;
		*(enum marks *)place(options, row) = (enum marks)i;
		return 0;
	}
	return err_set(err, ERR_USAGE, "'%s' is none of any, trusted and user", value);
}

static int take_polling(struct options *options, const struct row *row, const char *value,
			struct err *err)
{
	bool is_never = strcmp(value, "never") == 0;

	if (!is_never && strcmp(value, "auto") != 0)
		return err_set(err, ERR_USAGE, "'%s' is neither auto nor never", value);
	*(enum polling *)place(options, row) = is_never ? POLLING_NEVER : POLLING_AUTO;
	return 0;
}

static int take_on_off(struct options *options, const struct row *row, const char *value,
		       struct err *err)
{
	if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
		return err_set(err, ERR_USAGE, "'%s' is neither off nor on", value);
	*(bool *)place(options, row) = strcmp(value, "on") == 0;
	return 0;
}

static int take_xattr_permissions(struct options *options, const struct row *row, const char *value,
				  struct err *err)
{
	static const enum xattr_permissions numbers[] = {
		XATTR_PERMISSIONS_NONE,
		XATTR_PERMISSIONS_PRIVILEGED,
		XATTR_PERMISSIONS_CONTAINERS,
	};
	long got;

	if (number(value, 2, &got, err) < 0)
		return -1;
	*(enum xattr_permissions *)place(options, row) = numbers[got];
	return 0;
}

/* Accepted, and without effect here. */
static int take_nothing(struct options *options, const struct row *row, const char *value,
			struct err *err)
{
	(void)options;
	(void)row;
	(void)value;
	(void)err;
	return 0;
}

static int take_mount(struct options *options, const struct row *row, const char *value,
		      struct err *err)
{
	(void)err;
	if (value)
		strlist_addf(&options->mount_options, "%s=%s", row->name, value);
	else
		strlist_add(&options->mount_options, row->name);
	return 0;
}

static int take_read_only(struct options *options, const struct row *row, const char *value,
			  struct err *err)
{
	(void)value;
	(void)err;
	options->is_read_only = strcmp(row->name, "ro") == 0;
	return 0;
}

#define AT(member) offsetof(struct options, member)

static const struct row rows[] = {
	{ "lowerdir", VALUE_WANTED, take_lowers, AT(lowers) },
	{ "upperdir", VALUE_WANTED, take_path, AT(upper) },
	{ "workdir", VALUE_WANTED, take_path, AT(work) },
	{ "uidmapping", VALUE_WANTED, take_id_map, AT(mapping.uids) },
	{ "gidmapping", VALUE_WANTED, take_id_map, AT(mapping.gids) },
	{ "squash_to_uid", VALUE_WANTED, take_id, AT(mapping.squash_uid) },
	{ "squash_to_gid", VALUE_WANTED, take_id, AT(mapping.squash_gid) },
	{ "squash_to_root", VALUE_NONE, take_true, AT(squash_to_root) },
	{ "xattr_permissions", VALUE_WANTED, take_xattr_permissions, AT(xattr_permissions) },
	{ "static_nlink", VALUE_NONE, take_true, AT(static_nlink) },
	{ "noacl", VALUE_NONE, take_true, AT(no_acl) },
	{ "noxattrs", VALUE_WANTED, take_bool, AT(no_xattrs) },
	{ "xino", VALUE_WANTED, take_xino, 0 },
	{ "marks", VALUE_WANTED, take_marks, AT(marks) },
	{ "ino32_t", VALUE_NONE, take_true, AT(is_ino32) },
	{ "volatile", VALUE_NONE, take_true, AT(is_volatile) },
	{ "fsync", VALUE_WANTED, take_not, AT(no_sync) },
	{ "sync", VALUE_WANTED, take_not, AT(no_sync) },
	{ "timeout", VALUE_WANTED, take_seconds, AT(timeout_s) },
	{ "threaded", VALUE_WANTED, take_not, AT(is_single) },
	{ "writeback", VALUE_WANTED, take_writeback, 0 },
	{ "passthrough", VALUE_WANTED, take_not, AT(no_passthrough) },
	{ "polling", VALUE_WANTED, take_polling, AT(polling) },
	/* listings have the numbers that stat(2) gives, for nothing */
	{ "fast_ino", VALUE_WANTED, take_nothing, 0 },
	{ "fast_ino_check", VALUE_WANTED, take_nothing, 0 },
	{ "redirect_dir", VALUE_WANTED, take_on_off, AT(redirect_dirs) },
	{ "context", VALUE_WANTED, take_nothing, 0 },
	{ "debug", VALUE_NONE, take_true, AT(is_debug) },
	{ "ro", VALUE_NONE, take_read_only, 0 },
	{ "rw", VALUE_NONE, take_read_only, 0 },
	/* how libfuse's own loop was told to read requests; ours does what is best */
	{ "splice_write", VALUE_NONE, take_nothing, 0 },
	{ "splice_read", VALUE_NONE, take_nothing, 0 },
	{ "splice_move", VALUE_NONE, take_nothing, 0 },
	{ "kernel_cache", VALUE_NONE, take_nothing, 0 },
	{ "max_write", VALUE_EITHER, take_nothing, 0 },
	{ "clone_fd", VALUE_NONE, take_nothing, 0 },
	{ "max_idle_threads", VALUE_WANTED, take_nothing, 0 },
	/* the kernel's, and libfuse's about the mount itself */
	{ "allow_other", VALUE_NONE, take_mount, 0 },
	{ "allow_root", VALUE_NONE, take_mount, 0 },
	{ "default_permissions", VALUE_NONE, take_mount, 0 },
	{ "auto_unmount", VALUE_NONE, take_mount, 0 },
	{ "fsname", VALUE_WANTED, take_mount, 0 },
	{ "subtype", VALUE_WANTED, take_mount, 0 },
	{ "suid", VALUE_NONE, take_mount, 0 },
	{ "nosuid", VALUE_NONE, take_mount, 0 },
	{ "dev", VALUE_NONE, take_mount, 0 },
	{ "nodev", VALUE_NONE, take_mount, 0 },
	{ "exec", VALUE_NONE, take_mount, 0 },
	{ "noexec", VALUE_NONE, take_mount, 0 },
	{ "atime", VALUE_NONE, take_mount, 0 },
	{ "noatime", VALUE_NONE, take_mount, 0 },
	/* libfuse has no word for these */
	{ "diratime", VALUE_NONE, take_nothing, 0 },
	{ "nodiratime", VALUE_NONE, take_nothing, 0 },
};

/* ---- -o, and the rest of the command line --------------------------------------- */

static const struct row *row_find(const char *name, const char *value)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum row_value wants = rows[i].value;

		if (strcmp(rows[i].name, name) != 0)
			continue;
		if (wants == VALUE_EITHER || (wants == VALUE_WANTED) == (value != NULL))
			return &rows[i];
	}
	return NULL;
}

static int option_take(struct options *options, char *text, FILE *warnings, struct err *err)
{
	auto_free char *name = str_dup(text);
	char *value = strchr(name, '=');
	const struct row *row;

	if (value)
		*value++ = '\0';
	row = row_find(name, value);
	if (row)
		return row->take(options, row, value, err) < 0
			       ? err_prefix(err, "option '%s'", row->name)
			       : 0;
	fprintf(warnings, "%s: %s\n",
		value && strcmp(name, "plugins") == 0 ? "option without effect"
						      : "unknown argument ignored",
		text);
	return 0;
}

/* The end of the option that begins at @at: a comma that is neither escaped nor quoted, or NUL. */
static char *option_end(char *at)
{
	bool is_quoted = false;

	for (; *at && (*at != ',' || is_quoted); at++) {
		if (*at == '"')
			is_quoted = !is_quoted;
		if (*at == '\\' && at[1])
			at++;
	}
	return at;
}

static int list_take(struct options *options, const char *list, FILE *warnings, struct err *err)
{
	auto_free char *copy = str_dup(list);
	char *at = copy;
	bool is_last = false;

	while (!is_last) {
		char *end = option_end(at);

		is_last = !*end;
		*end = '\0';
		if (*at && option_take(options, at, warnings, err) < 0)
			return -1;
		at = end + 1;
	}
	return 0;
}

static void ask(struct options *options, enum options_ask what)
{
	if (options->ask == OPTIONS_MOUNT)
		options->ask = what;
}

static bool letter_take(struct options *options, const char *arg)
{
	if (strcmp(arg, "-f") == 0)
		options->is_foreground = true;
	else if (strcmp(arg, "-d") == 0 || strcmp(arg, "--debug") == 0)
		options->is_debug = true;
	else if (strcmp(arg, "-s") == 0)
		options->is_single = true;
	else if (strcmp(arg, "-h") == 0 || strcmp(arg, "--help") == 0)
		ask(options, OPTIONS_HELP);
	else if (strcmp(arg, "-V") == 0 || strcmp(arg, "--version") == 0)
		ask(options, OPTIONS_VERSION);
	else
		return false;
	return true;
}

static int args_take(struct options *options, int argc, const char *const *argv, FILE *warnings,
		     struct err *err)
{
	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i];

		if (letter_take(options, arg))
			continue;
		if (strncmp(arg, "-o", 2) == 0) {
			const char *list = arg[2] ? arg + 2 : argv[++i];

			if (!list)
				return err_set(err, ERR_USAGE, "-o wants options");
			if (list_take(options, list, warnings, err) < 0)
				return -1;
		} else if (arg[0] == '-' && arg[1]) {
			fprintf(warnings, "unknown argument ignored: %s\n", arg);
		} else {
			free(options->mountpoint);
			options->mountpoint = str_dup(arg);
		}
	}
	return 0;
}

static int options_check(const struct options *options, struct err *err)
{
	if (!options->mountpoint || !options->mountpoint[0])
		return err_set(err, ERR_USAGE, "no mountpoint specified");
	if (options->lowers.count == 0)
		return err_set(err, ERR_USAGE, "no lowerdir specified");
	if (options->upper && !options->work)
		return err_set(err, ERR_USAGE,
			       "workdir not specified: an upperdir needs one on the "
			       "same file system");
	if (options->work && !options->upper)
		return err_set(err, ERR_USAGE, "a workdir is of no use without an upperdir");
	if (options->no_xattrs && options->xattr_permissions != XATTR_PERMISSIONS_NONE)
		return err_set(err, ERR_USAGE,
			       "noxattrs leaves xattr_permissions no attribute to keep owners in");
	return 0;
}

/* What follows from several options, or from none. */
static void options_settle(struct options *options)
{
	struct mapping *mapping = &options->mapping;

	if (options->squash_to_root && mapping->squash_uid < 0)
		mapping->squash_uid = 0;
	if (options->squash_to_root && mapping->squash_gid < 0)
		mapping->squash_gid = 0;
	options->is_foreground |= options->is_debug;
	options->no_sync |= options->is_volatile;
	options->is_read_only |= !options->upper;
	options->no_device_whiteouts |= getenv("FUSE_OVERLAYFS_DISABLE_OVL_WHITEOUT") != NULL;
	strlist_add(&options->mount_options, options->is_read_only ? "ro" : "rw");
}

static void defaults(struct options *options)
{
	static const char *const of_all[] = { "default_permissions", "noatime" };
	static const char *const of_root[] = { "allow_other", "suid" };

	for (size_t i = 0; i < sizeof(of_all) / sizeof(of_all[0]); i++)
		strlist_add(&options->mount_options, of_all[i]);
	for (size_t i = 0; i < sizeof(of_root) / sizeof(of_root[0]) && geteuid() == 0; i++)
		strlist_add(&options->mount_options, of_root[i]);
}

int options_parse(struct options *out, int argc, const char *const *argv, FILE *warnings,
		  struct err *err)
{
	defaults(out);
	if (args_take(out, argc, argv, warnings, err) < 0)
		return -1;
	if (out->ask != OPTIONS_MOUNT)
		return 0;
	if (options_check(out, err) < 0)
		return -1;
	options_settle(out);
	return 0;
}

char *options_mount_string(const struct options *options)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;

	for (size_t i = 0; i < options->mount_options.count; i++)
		strbuf_printf(&text, "%s%s", i > 0 ? "," : "", options->mount_options.items[i]);
	return strbuf_steal(&text);
}

void options_release(struct options *options)
{
	strlist_release(&options->lowers);
	strlist_release(&options->mount_options);
	mapping_release(&options->mapping);
	free(options->upper);
	free(options->work);
	free(options->mountpoint);
	*options = (struct options){ 0 };
}
