/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for users and groups by name, as the files of an image have them.
 * Image and files are hostile: nothing but a regular file of bounded size is
 * read, and no number is taken that does not fit.
 */
#include "sandbox/user.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"
#include "common/strbuf.h"

#define PASSWD "/etc/passwd"
#define GROUP  "/etc/group"
#define ID_MAX (UINT32_MAX - 1) /* the last one means "no id" to the kernel */
#define FIELDS 7

void user_ids_release(struct user_ids *ids)
{
	free(ids->groups);
	free(ids->home);
	*ids = (struct user_ids)USER_IDS_INIT;
}

/* ---- numbers ---- */

static bool is_digits(const char *text)
{
	return *text && text[strspn(text, "0123456789")] == '\0';
}

static bool number(const char *text, uint32_t *out)
{
	uint64_t n = 0;

	if (!is_digits(text))
		return false;
	for (; *text; text++) {
		n = 10 * n + (uint64_t)(*text - '0');
		if (n > ID_MAX)
			return false;
	}
	*out = (uint32_t)n;
	return true;
}

/* ---- the two files ---- */

/* By O_PATH first: opening a FIFO or a device to look at it is already too much. */
static int open_regular(int root_fd, const char *path, struct err *err)
{
	auto_close int path_fd = beneath_open(root_fd, path, BENEATH_IN_ROOT, O_PATH, err);
	char self[FD_PATH_MAX];
	struct stat st;
	int fd;

	if (path_fd < 0 && errno == ELOOP) {
		err_clear(err);
		return err_set(err, ERR_INPUT, "'%s' of the image is a circle of symbolic links",
			       path);
	}
	if (path_fd < 0)
		return -1;
	if (fstat(path_fd, &st) < 0)
		return err_sys(err, "stat '%s'", path);
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return err_set(err, ERR_INPUT, "'%s' of the image is not a regular file", path);
	}
	fd = open(fd_path(path_fd, self), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	return fd;
}

/* The whole file; one that is not there is empty. */
static int load(int root_fd, const char *path, struct strbuf *out, struct err *err)
{
	auto_close int fd = open_regular(root_fd, path, err);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		err_clear(err);
		return 0;
	}
	if (fd < 0)
		return -1;
	return fd_read_all(fd, USER_FILE_MAX_BYTES, out, path, err);
}

struct lines {
	char *rest;
	char *end;
};

/* The next line, cut into fields in place; missing ones are "". False at the end. */
static bool next_line(struct lines *lines, char *fields[FIELDS])
{
	char *line = lines->rest;
	char *newline;

	if (line >= lines->end)
		return false;
	newline = memchr(line, '\n', (size_t)(lines->end - line));
	if (!newline)
		newline = lines->end; /* the buffer's own NUL */
	*newline = '\0';
	lines->rest = newline + 1;
	for (size_t i = 0; i < FIELDS; i++) {
		fields[i] = line ? line : newline;
		if (line)
			line = strchr(line, ':');
		if (line)
			*line++ = '\0';
	}
	return true;
}

static struct lines lines_of(struct strbuf *file)
{
	return (struct lines){ .rest = file->data, .end = file->data + file->len };
}

struct account {
	bool found;
	uint32_t uid;
	uint32_t gid;
	char *name; /* both point into the file */
	char *home;
};

/* By @name, or by @uid when @name is NULL; the first that fits. */
static void find_account(struct strbuf *passwd, const char *name, uint32_t uid, struct account *out)
{
	struct lines lines = lines_of(passwd);
	char *fields[FIELDS];

	while (!out->found && next_line(&lines, fields)) {
		uint32_t line_uid, line_gid;

		if (!number(fields[2], &line_uid) || !number(fields[3], &line_gid))
			continue;
		if (name ? strcmp(name, fields[0]) != 0 : line_uid != uid)
			continue;
		*out = (struct account){ true, line_uid, line_gid, fields[0], fields[5] };
	}
}

static bool find_group(struct strbuf *group, const char *name, uint32_t *out)
{
	struct lines lines = lines_of(group);
	char *fields[FIELDS];

	while (next_line(&lines, fields)) {
		if (strcmp(name, fields[0]) == 0 && number(fields[2], out))
			return true;
	}
	return false;
}

static bool has_member(char *members, const char *name)
{
	char *member;

	while ((member = strsep(&members, ","))) {
		if (strcmp(member, name) == 0)
			return true;
	}
	return false;
}

static int append_group(struct user_ids *ids, gid_t gid, const char *name, struct err *err)
{
	if (ids->group_count == USER_GROUPS_MAX)
		return err_set(err, ERR_INPUT, "user '%s' is in more than %d groups", name,
			       USER_GROUPS_MAX);
	/* grow at powers of two */
	if ((ids->group_count & (ids->group_count - 1)) == 0)
		ids->groups =
			mem_resize(ids->groups, 2 * ids->group_count + 1, sizeof(ids->groups[0]));
	ids->groups[ids->group_count++] = gid;
	return 0;
}

/* All groups that list @name as a member. */
static int add_groups(struct strbuf *group, const char *name, struct user_ids *ids, struct err *err)
{
	struct lines lines = lines_of(group);
	char *fields[FIELDS];
	uint32_t gid;

	while (next_line(&lines, fields)) {
		if (!number(fields[2], &gid) || !has_member(fields[3], name))
			continue;
		if (append_group(ids, gid, name, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- resolving ---- */

struct names {
	char *user;  /* "" when none was given */
	char *group; /* NULL when none was given */
};

static void split(char *text, struct names *out)
{
	char *colon = strchr(text, ':');

	out->user = text;
	out->group = NULL;
	if (colon) {
		*colon = '\0';
		out->group = colon[1] ? colon + 1 : NULL;
	}
}

static int not_a_number(const char *text, struct err *err)
{
	return err_set(err, ERR_INPUT, "'%s' is too large for a user or group id", text);
}

/* @out: what passwd says, or the number itself with found false. */
static int resolve_account(struct strbuf *passwd, const char *user, struct account *out,
			   struct err *err)
{
	uint32_t uid = 0;

	if (is_digits(user) && !number(user, &uid))
		return not_a_number(user, err);
	if (!*user || is_digits(user)) {
		find_account(passwd, NULL, uid, out);
		out->uid = uid;
		return 0;
	}
	find_account(passwd, user, 0, out);
	if (!out->found)
		return err_set(err, ERR_INPUT, "there is no user '%s' in " PASSWD " of the image",
			       user);
	return 0;
}

static int resolve_group(int root_fd, const char *name, gid_t *out, struct err *err)
{
	auto_strbuf struct strbuf group = STRBUF_INIT;
	uint32_t gid;

	if (is_digits(name)) {
		if (!number(name, &gid))
			return not_a_number(name, err);
		*out = gid;
		return 0;
	}
	if (load(root_fd, GROUP, &group, err) < 0)
		return -1;
	if (!find_group(&group, name, &gid))
		return err_set(err, ERR_INPUT, "there is no group '%s' in " GROUP " of the image",
			       name);
	*out = gid;
	return 0;
}

/* The account's own group and those that list it. */
static int own_groups(int root_fd, const struct account *account, struct user_ids *ids,
		      struct err *err)
{
	auto_strbuf struct strbuf group = STRBUF_INIT;

	ids->gid = account->gid;
	if (!account->found)
		return 0;
	if (load(root_fd, GROUP, &group, err) < 0)
		return -1;
	return add_groups(&group, account->name, ids, err);
}

int user_resolve(int root_fd, const char *text, struct user_ids *out, struct err *err)
{
	auto_user_ids struct user_ids ids = USER_IDS_INIT;
	auto_strbuf struct strbuf passwd = STRBUF_INIT;
	auto_free char *copy = str_dup(text);
	struct account account = { .found = false };
	struct names names;

	split(copy, &names);
	if (load(root_fd, PASSWD, &passwd, err) < 0 ||
	    resolve_account(&passwd, names.user, &account, err) < 0)
		return -1;
	if ((names.group ? resolve_group(root_fd, names.group, &ids.gid, err)
			 : own_groups(root_fd, &account, &ids, err)) < 0)
		return -1;
	ids.uid = account.uid;
	if (account.found && account.home[0])
		ids.home = str_dup(account.home);
	*out = ids;
	ids = (struct user_ids)USER_IDS_INIT;
	return 0;
}

int user_add_group(int root_fd, const char *text, struct user_ids *ids, struct err *err)
{
	gid_t gid;

	if (resolve_group(root_fd, text, &gid, err) < 0)
		return -1;
	return append_group(ids, gid, text, err);
}

static bool is_root(const char *name)
{
	return strcmp(name, "root") == 0;
}

int user_resolve_chown(int root_fd, const char *text, uid_t *out_uid, gid_t *out_gid,
		       struct err *err)
{
	auto_strbuf struct strbuf passwd = STRBUF_INIT;
	auto_free char *copy = str_dup(text);
	struct account account = { .found = false };
	struct names names;
	bool is_name;
	gid_t gid;

	split(copy, &names);
	is_name = *names.user && !is_digits(names.user) && !is_root(names.user);
	if (!*names.user && !names.group)
		return err_set(err, ERR_INPUT, "'%s' names neither a user nor a group", text);
	/* numbers need no file, so that a scratch image can be the target */
	if (is_name && load(root_fd, PASSWD, &passwd, err) < 0)
		return -1;
	if (resolve_account(&passwd, is_root(names.user) ? "0" : names.user, &account, err) < 0)
		return -1;
	gid = is_name ? account.gid : account.uid;
	if (names.group &&
	    resolve_group(root_fd, is_root(names.group) ? "0" : names.group, &gid, err) < 0)
		return -1;
	*out_uid = account.uid;
	*out_gid = gid;
	return 0;
}
