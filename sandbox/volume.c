/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for --volume: what is meant by one, and the descriptor of what it shows. */
#include "sandbox/volume.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "sandbox/description.h"

#define SELINUX      "/sys/fs/selinux/enforce"
#define NAME_CHARS   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define NAME_LEN_MAX 128

void volumes_release(struct volumes *volumes)
{
	for (size_t i = 0; i < volumes->count; i++) {
		free(volumes->items[i].source);
		free(volumes->items[i].target);
		free(volumes->items[i].data);
		fd_close(&volumes->items[i].fd);
	}
	free(volumes->items);
	*volumes = (struct volumes)VOLUMES_INIT;
}

static int take_option(const char *text, const char *option, struct volume *out, struct err *err)
{
	if (strcmp(option, "ro") == 0)
		out->read_only = true;
	else if (strcmp(option, "O") == 0)
		out->is_overlay = true;
	else if (strcmp(option, "z") != 0 && strcmp(option, "Z") != 0 && strcmp(option, "rw") != 0)
		return err_set(err, ERR_USAGE,
			       "--volume '%s': '%s' is not supported (supported: ro, rw, O, z, Z)",
			       text, option);
	else if (option[0] != 'r' && access(SELINUX, F_OK) == 0)
		return err_set(err, ERR_USAGE,
			       "--volume '%s': labels of SELinux are not supported: '%s'", text,
			       option);
	return 0;
}

static int take_options(const char *text, char *options, struct volume *out, struct err *err)
{
	char *option;

	while ((option = strsep(&options, ",")))
		if (take_option(text, option, out, err) < 0)
			return -1;
	return 0;
}

static struct volume *add(struct volumes *volumes, enum volume_kind kind)
{
	volumes->items = mem_resize(volumes->items, volumes->count + 1, sizeof(volumes->items[0]));
	volumes->items[volumes->count] = (struct volume){ .kind = kind, .fd = -1 };
	return &volumes->items[volumes->count++];
}

static int check_target(const char *option, const char *text, const char *target, struct err *err)
{
	if (*target != '/' || target[strspn(target, "/")] == '\0')
		return err_set(err, ERR_USAGE, "%s '%s': '%s' is no absolute path below '/'",
			       option, text, target);
	return 0;
}

static bool is_path(const char *source)
{
	return *source == '/' || *source == '.';
}

static int check_name(const char *option, const char *text, const char *name, struct err *err)
{
	size_t len = strlen(name);

	if (len > 0 && len <= NAME_LEN_MAX && strspn(name, NAME_CHARS "_.-") == len &&
	    strchr(NAME_CHARS, name[0]))
		return 0;
	return err_set(err, ERR_USAGE, "%s '%s': '%s' is neither a path nor a volume's name",
		       option, text, name);
}

/* "SOURCE:CONTAINER[:OPTIONS]" */
static int parse_volume(const char *text, char *source, char *rest, struct volume *out,
			struct err *err)
{
	const char *target = strsep(&rest, ":");

	if (check_target("--volume", text, target, err) < 0 ||
	    (rest && take_options(text, rest, out, err) < 0))
		return -1;
	out->kind = is_path(source) ? VOLUME_BIND : VOLUME_NAMED;
	if (out->kind == VOLUME_NAMED && check_name("--volume", text, source, err) < 0)
		return -1;
	if (out->kind == VOLUME_NAMED && out->is_overlay)
		return err_set(err, ERR_USAGE, "--volume '%s': 'O' is for paths of the host", text);
	out->source = str_dup(source);
	out->target = str_dup(target);
	return 0;
}

int volumes_add(struct volumes *volumes, const char *text, struct err *err)
{
	struct volume *out = add(volumes, VOLUME_BIND);
	auto_free char *copy = str_dup(text);
	char *rest = copy;
	char *source = strsep(&rest, ":");

	if (rest)
		return parse_volume(text, source, rest, out, err);
	if (check_target("--volume", text, source, err) < 0)
		return -1;
	out->kind = VOLUME_NAMED;
	out->target = str_dup(source);
	return 0;
}

int volumes_parse(const struct strlist *texts, struct volumes *out, struct err *err)
{
	for (size_t i = 0; i < texts->count; i++) {
		const char *text = texts->items[i];
		const struct volume *volume;

		if (!strchr(text, ':'))
			return err_set(err, ERR_USAGE,
				       "--volume '%s': not of the form HOST:CONTAINER", text);
		if (volumes_add(out, text, err) < 0)
			return -1;
		volume = &out->items[out->count - 1];
		if (volume->kind == VOLUME_NAMED)
			return err_set(err, ERR_USAGE,
				       "--volume '%s': '%s' is no path; volumes with names are not "
				       "supported here",
				       text, volume->source);
	}
	return 0;
}

/* ---- tmpfs ---- */

static const struct {
	const char *name;
	unsigned set;
	unsigned clear;
} tmpfs_flags[] = {
	{ "ro", SANDBOX_MOUNT_READ_ONLY, 0 },  { "rw", 0, SANDBOX_MOUNT_READ_ONLY },
	{ "noexec", SANDBOX_MOUNT_NOEXEC, 0 }, { "exec", 0, SANDBOX_MOUNT_NOEXEC },
	{ "nosuid", SANDBOX_MOUNT_NOSUID, 0 }, { "suid", 0, SANDBOX_MOUNT_NOSUID },
	{ "nodev", SANDBOX_MOUNT_NODEV, 0 },   { "dev", 0, SANDBOX_MOUNT_NODEV },
};

static bool is_tmpfs_value(const char *option)
{
	static const char *const keys[] = { "size=", "mode=", "uid=", "gid=", "nr_inodes=" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strncmp(option, keys[i], strlen(keys[i])) == 0)
			return option[strlen(keys[i])] != '\0';
	return false;
}

static int take_tmpfs_option(const char *option, struct volume *out, struct err *err)
{
	for (size_t i = 0; i < sizeof(tmpfs_flags) / sizeof(tmpfs_flags[0]); i++)
		if (strcmp(option, tmpfs_flags[i].name) == 0) {
			out->flags = (out->flags | tmpfs_flags[i].set) & ~tmpfs_flags[i].clear;
			return 0;
		}
	if (!is_tmpfs_value(option))
		return err_set(err, ERR_USAGE, "'%s' is no option of a tmpfs", option);
	if (out->data) {
		auto_free char *before = out->data;

		out->data = str_format("%s,%s", before, option);
	} else {
		out->data = str_dup(option);
	}
	return 0;
}

static struct volume *add_tmpfs(struct volumes *volumes)
{
	struct volume *out = add(volumes, VOLUME_TMPFS);

	out->flags = SANDBOX_MOUNT_NOSUID | SANDBOX_MOUNT_NODEV | SANDBOX_MOUNT_NOEXEC;
	return out;
}

int volumes_add_tmpfs(struct volumes *volumes, const char *text, struct err *err)
{
	struct volume *out = add_tmpfs(volumes);
	auto_free char *copy = str_dup(text);
	char *rest = copy;
	const char *option;

	out->target = str_dup(strsep(&rest, ":"));
	if (check_target("--tmpfs", text, out->target, err) < 0)
		return -1;
	while ((option = strsep(&rest, ",")))
		if (take_tmpfs_option(option, out, err) < 0)
			return err_prefix(err, "--tmpfs '%s'", text);
	return 0;
}

/* ---- --mount ---- */

struct mount_words {
	const char *type;
	const char *source;
	const char *target;
	const char *size;
	const char *mode;
	const char *read_only; /* "true", "false", …; NULL: not given */
};

static int take_word(char *word, struct mount_words *out, struct err *err)
{
	const struct {
		const char *key;
		const char **value;
	} rows[] = {
		{ "type", &out->type },          { "source", &out->source },
		{ "src", &out->source },         { "target", &out->target },
		{ "dst", &out->target },         { "destination", &out->target },
		{ "tmpfs-size", &out->size },    { "tmpfs-mode", &out->mode },
		{ "readonly", &out->read_only }, { "ro", &out->read_only },
	};
	char *rest = word;
	const char *key = strsep(&rest, "=");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].key, key) == 0) {
			if (!rest && rows[i].value != &out->read_only)
				return err_set(err, ERR_USAGE, "'%s' has no value", key);
			*rows[i].value = rest ? rest : "true";
			return 0;
		}
	return err_set(err, ERR_USAGE, "'%s' is not supported", key);
}

static int make_mount(struct volumes *volumes, const struct mount_words *words, const char *text,
		      struct err *err)
{
	const char *type = words->type ? words->type : "volume";
	const bool is_tmpfs = strcmp(type, "tmpfs") == 0;
	struct volume *out;

	if (!is_tmpfs && strcmp(type, "bind") != 0 && strcmp(type, "volume") != 0)
		return err_set(err, ERR_USAGE, "there is no type '%s'", type);
	if (!words->target)
		return err_set(err, ERR_USAGE, "it has no target");
	out = is_tmpfs ? add_tmpfs(volumes) : add(volumes, VOLUME_BIND);
	out->target = str_dup(words->target);
	out->source = is_tmpfs ? NULL : str_dup(words->source);
	out->read_only = words->read_only && strcmp(words->read_only, "false") != 0 &&
			 strcmp(words->read_only, "0") != 0;
	if (is_tmpfs && out->read_only)
		out->flags |= SANDBOX_MOUNT_READ_ONLY;
	if (is_tmpfs && words->size)
		out->data = str_format("size=%s%s%s", words->size, words->mode ? ",mode=" : "",
				       words->mode ? words->mode : "");
	else if (is_tmpfs && words->mode)
		out->data = str_format("mode=%s", words->mode);
	if (strcmp(type, "volume") == 0)
		out->kind = VOLUME_NAMED;
	if (check_target("--mount", text, out->target, err) < 0)
		return -1;
	if (out->kind == VOLUME_NAMED && out->source)
		return check_name("--mount", text, out->source, err);
	if (out->kind == VOLUME_BIND && (!out->source || !is_path(out->source)))
		return err_set(err, ERR_USAGE, "its source is no path");
	return 0;
}

int volumes_add_mount(struct volumes *volumes, const char *text, struct err *err)
{
	struct mount_words words = { .type = NULL };
	auto_free char *copy = str_dup(text);
	char *rest = copy;
	char *word;

	while ((word = strsep(&rest, ",")))
		if (take_word(word, &words, err) < 0)
			return err_prefix(err, "--mount '%s'", text);
	if (make_mount(volumes, &words, text, err) < 0)
		return strncmp(err->text, "--mount", 7) == 0
			       ? -1
			       : err_prefix(err, "--mount '%s'", text);
	return 0;
}

/* ---- opening ---- */

/* The user's own paths: links in them are the user's too. */
int volumes_open(struct volumes *volumes, struct err *err)
{
	for (size_t i = 0; i < volumes->count; i++) {
		struct volume *volume = &volumes->items[i];
		struct stat st;

		if (volume->kind != VOLUME_BIND)
			continue;
		volume->fd = open(volume->source, O_PATH | O_CLOEXEC);
		if (volume->fd < 0)
			return err_sys(err, "--volume: open '%s'", volume->source);
		if (fstat(volume->fd, &st) < 0)
			return err_sys(err, "--volume: stat '%s'", volume->source);
		volume->is_file = !S_ISDIR(st.st_mode);
		if (volume->is_overlay && volume->is_file)
			return err_set(err, ERR_USAGE,
				       "--volume: 'O' is for directories, and '%s' is none",
				       volume->source);
	}
	return 0;
}
