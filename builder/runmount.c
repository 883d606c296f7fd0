/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the options of RUN --mount: which there are, what type has
 * which, and what their values may be. What is mounted where is the plan's.
 */
#include "builder/runmount.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "builder/csv.h"
#include "builder/value.h"
#include "common/cmdline.h"
#include "common/mem.h"
#include "common/size.h"

const char *const run_mount_type_names[] = {
	[RUN_MOUNT_BIND] = "bind",     [RUN_MOUNT_CACHE] = "cache", [RUN_MOUNT_TMPFS] = "tmpfs",
	[RUN_MOUNT_SECRET] = "secret", [RUN_MOUNT_SSH] = "ssh",     NULL,
};

static const char *const sharing_names[] = {
	[RUN_SHARING_SHARED] = "shared",
	[RUN_SHARING_PRIVATE] = "private",
	[RUN_SHARING_LOCKED] = "locked",
	NULL,
};

enum key {
	KEY_TYPE,
	KEY_FROM,
	KEY_SOURCE,
	KEY_TARGET,
	KEY_READ_ONLY,
	KEY_READ_WRITE,
	KEY_REQUIRED,
	KEY_SIZE,
	KEY_ID,
	KEY_SHARING,
	KEY_MODE,
	KEY_UID,
	KEY_GID,
	KEY_ENV,
};

static const char *const key_names[] = {
	"type",     "from", "source",    "src", "target",   "dst",  "destination",
	"readonly", "ro",   "readwrite", "rw",  "required", "size", "id",
	"sharing",  "mode", "uid",       "gid", "env",      NULL,
};

static const enum key key_of_name[] = {
	KEY_TYPE,       KEY_FROM,     KEY_SOURCE,    KEY_SOURCE,    KEY_TARGET,
	KEY_TARGET,     KEY_TARGET,   KEY_READ_ONLY, KEY_READ_ONLY, KEY_READ_WRITE,
	KEY_READ_WRITE, KEY_REQUIRED, KEY_SIZE,      KEY_ID,        KEY_SHARING,
	KEY_MODE,       KEY_UID,      KEY_GID,       KEY_ENV,
};

/* A mount while its options come in; the order of options must not matter. */
struct draft {
	struct run_mount mount;
	bool has_access; /* ro or rw was said */
	bool has_sharing;
	bool has_size;
	bool has_required;
};

void run_mount_release(struct run_mount *mount)
{
	free(mount->from);
	free(mount->source);
	free(mount->target);
	free(mount->id);
	free(mount->env);
	*mount = (struct run_mount)RUN_MOUNT_INIT;
}

/* The index of @word in @names, case aside, or -1. */
static int name_index(const char *const *names, const char *word)
{
	for (int i = 0; names[i]; i++)
		if (strcasecmp(names[i], word) == 0)
			return i;
	return -1;
}

static int fail_unknown(const char *what, const char *word, const char *const *names,
			struct err *err)
{
	const char *near = cmdline_nearest(word, names);

	err_set(err, ERR_INPUT, "unknown %s '%s'", what, word);
	return near ? source_hint(err, "did you mean '%s'?", near) : -1;
}

static int set_string(char **field, const char *value)
{
	free(*field);
	*field = str_dup(value);
	return 0;
}

static int set_number(uint32_t *field, bool *has, int base, const char *value, struct err *err)
{
	unsigned long long number;

	errno = 0;
	number = strtoull(value, NULL, base);
	if (strspn(value, base == 8 ? "01234567" : "0123456789") != strlen(value) || !value[0] ||
	    errno || number > UINT32_MAX)
		return err_set(err, ERR_INPUT, "'%s' is no %s number", value,
			       base == 8 ? "octal" : "decimal");
	*field = (uint32_t)number;
	*has = true;
	return 0;
}

static int set_bool(bool *field, bool *has, bool is_inverse, const char *value, struct err *err)
{
	bool is_true;

	if (value_bool(value, &is_true, err) < 0)
		return -1;
	*field = is_true != is_inverse;
	*has = true;
	return 0;
}

static int set_type(struct run_mount *mount, const char *value, struct err *err)
{
	int index = name_index(run_mount_type_names, value);

	if (index < 0)
		return fail_unknown("value", value, run_mount_type_names, err);
	mount->type = (enum run_mount_type)index;
	return 0;
}

static int set_sharing(struct draft *draft, const char *value, struct err *err)
{
	int index = name_index(sharing_names, value);

	if (index < 0)
		return fail_unknown("value", value, sharing_names, err);
	draft->mount.sharing = (enum run_mount_sharing)index;
	draft->has_sharing = true;
	return 0;
}

static int set_option(struct draft *draft, enum key key, const char *value, struct err *err)
{
	struct run_mount *mount = &draft->mount;

	switch (key) {
	case KEY_TYPE:
		return set_type(mount, value, err);
	case KEY_FROM:
		return set_string(&mount->from, value);
	case KEY_SOURCE:
		return set_string(&mount->source, value);
	case KEY_TARGET:
		return set_string(&mount->target, value);
	case KEY_READ_ONLY:
		return set_bool(&mount->is_read_only, &draft->has_access, false, value, err);
	case KEY_READ_WRITE:
		return set_bool(&mount->is_read_only, &draft->has_access, true, value, err);
	case KEY_REQUIRED:
		return set_bool(&mount->is_required, &draft->has_required, false, value, err);
	case KEY_SIZE:
		draft->has_size = true;
		return size_parse(value, &mount->size_bytes, err);
	case KEY_ID:
		return set_string(&mount->id, value);
	case KEY_SHARING:
		return set_sharing(draft, value, err);
	case KEY_MODE:
		return set_number(&mount->mode, &mount->has_mode, 8, value, err);
	case KEY_UID:
		return set_number(&mount->uid, &mount->has_uid, 10, value, err);
	case KEY_GID:
		return set_number(&mount->gid, &mount->has_gid, 10, value, err);
	case KEY_ENV:
		return set_string(&mount->env, value);
	}
	return 0;
}

/* One "key=value", or a key that may stand alone. */
static int read_field(struct draft *draft, const char *field, const struct expand_scope *scope,
		      char escape, struct err *err)
{
	size_t name_len = strcspn(field, "=");
	auto_free char *name = str_ndup(field, name_len);
	auto_free char *value = NULL;
	int index = name_index(key_names, name);
	enum key key;

	if (index < 0)
		return fail_unknown("mount option", name, key_names, err);
	key = key_of_name[index];
	if (!field[name_len]) {
		if (key != KEY_READ_ONLY && key != KEY_READ_WRITE && key != KEY_REQUIRED)
			return err_set(err, ERR_INPUT, "the mount option '%s' needs a value", name);
		value = str_dup("true");
	} else if (key == KEY_FROM) {
		value = str_dup(field + name_len + 1);
	} else if (expand_word(field + name_len + 1, scope, escape, EXPAND_WORD, &value, err) < 0) {
		return err_prefix(err, "mount option '%s'", name);
	}
	if (set_option(draft, key, value, err) < 0)
		return err_prefix(err, "mount option '%s'", name);
	return 0;
}

static int refuse(const struct run_mount *mount, const char *option, struct err *err)
{
	return err_set(err, ERR_INPUT, "a %s mount has no '%s' option",
		       run_mount_type_names[mount->type], option);
}

/* What fits which type. */
static int check_options(const struct draft *draft, struct err *err)
{
	const struct run_mount *mount = &draft->mount;
	bool is_secret = mount->type == RUN_MOUNT_SECRET;
	bool is_granted = is_secret || mount->type == RUN_MOUNT_SSH;
	bool is_owned = is_granted || mount->type == RUN_MOUNT_CACHE;

	if (!is_owned && (mount->has_mode || mount->has_uid || mount->has_gid))
		return refuse(mount,
			      mount->has_mode  ? "mode"
			      : mount->has_uid ? "uid"
					       : "gid",
			      err);
	if (draft->has_required && !is_granted)
		return refuse(mount, "required", err);
	if (draft->has_size && mount->type != RUN_MOUNT_TMPFS)
		return refuse(mount, "size", err);
	if (draft->has_sharing && mount->type != RUN_MOUNT_CACHE)
		return refuse(mount, "sharing", err);
	if (mount->env && !is_secret)
		return refuse(mount, "env", err);
	if (mount->from && is_granted)
		return refuse(mount, "from", err);
	if (mount->from && mount->type == RUN_MOUNT_TMPFS)
		return refuse(mount, "from", err);
	if (mount->source && (mount->type == RUN_MOUNT_SSH || mount->type == RUN_MOUNT_TMPFS))
		return refuse(mount, "source", err);
	if (mount->id && (mount->type == RUN_MOUNT_BIND || mount->type == RUN_MOUNT_TMPFS))
		return refuse(mount, "id", err);
	if (is_secret && !mount->source && !mount->target && !mount->id)
		return err_set(err, ERR_INPUT, "a secret mount needs 'id', 'source' or 'target'");
	if (is_secret && mount->source && mount->id)
		return err_set(err, ERR_INPUT, "a secret mount has 'source' or 'id', not both");
	if (!is_granted && !mount->target)
		return err_set(err, ERR_INPUT, "a %s mount needs a 'target'",
			       run_mount_type_names[mount->type]);
	if (mount->target && mount->target[0] && !mount->target[strspn(mount->target, "/")])
		return err_set(err, ERR_INPUT, "nothing can be mounted on '/'");
	return 0;
}

int run_mount_resolve(const struct mount_flag *flag, const struct expand_scope *scope, char escape,
		      struct run_mount *out, struct err *err)
{
	auto_strlist struct strlist fields = STRLIST_INIT;
	struct draft draft = { .mount = RUN_MOUNT_INIT };
	auto_run_mount struct run_mount made = RUN_MOUNT_INIT;
	int r = 0;

	if (csv_split(flag->text, &fields, err) < 0)
		return -1;
	for (size_t i = 0; i < fields.count && r == 0; i++)
		r = read_field(&draft, fields.items[i], scope, escape, err);
	if (r == 0)
		r = check_options(&draft, err);
	made = draft.mount; /* to be released in any case */
	if (r < 0)
		return -1;
	if (!draft.has_access)
		made.is_read_only = made.type != RUN_MOUNT_CACHE && made.type != RUN_MOUNT_TMPFS;
	*out = made;
	made = (struct run_mount)RUN_MOUNT_INIT;
	return 0;
}
