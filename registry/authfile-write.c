/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for changing files of credentials. Secrets: a file is made with mode 0600 before
 * anything is in it, and takes the old one's place by a rename. Logins at the same time
 * wait for each other at a lock on the directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base64.h"
#include "common/fd.h"
#include "common/mem.h"
#include "common/tmpfile.h"
#include "registry/authfile-internal.h"
#include "registry/credential-helper.h"

/* A file that is being changed. */
struct change {
	int dir_fd; /* locked */
	char *name; /* of the file in it */
	struct authfile file;
};

static void change_release(struct change *change)
{
	fd_close(&change->dir_fd);
	free(change->name);
	authfile_release(&change->file);
}
#define auto_change __attribute__((cleanup(change_release)))

/* The directories on the way to @path, each of mode 0700 when it is new. */
static int make_dirs(const char *path, struct err *err)
{
	auto_free char *dir = str_dup(path);

	for (char *slash = strchr(dir + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(dir, 0700) < 0 && errno != EEXIST && errno != EROFS && errno != EACCES)
			return err_sys(err, "make '%s'", dir);
		*slash = '/';
	}
	return 0;
}

static int open_change(const char *path, bool make, struct change *out, struct err *err)
{
	const char *slash = strrchr(path, '/');
	auto_free char *dir = slash ? str_ndup(path, (size_t)(slash - path) + 1) : str_dup(".");
	auto_json struct json *empty = NULL;
	bool found = false;

	out->name = str_dup(slash ? slash + 1 : path);
	if (make && make_dirs(path, err) < 0)
		return -1;
	out->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (out->dir_fd < 0 && !(errno == ENOENT && !make))
		return err_sys(err, "open '%s'", dir);
	while (out->dir_fd >= 0 && flock(out->dir_fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_sys(err, "lock '%s'", dir);
	if (authfile_load(path, false, &found, &out->file, err) < 0)
		return -1;
	if (!found)
		out->file = (struct authfile){ .path = str_dup(path), .document = json_object() };
	return 0;
}

/* Without @without (may be NULL; "" leaves out all), a copy. */
static struct json *copy_entries(const struct authfile *file, const char *without,
				 bool *out_dropped)
{
	const struct json *entries = authfile_entries(file);
	struct json *copy = json_object();

	for (size_t i = 0; json_is_object(entries) && i < json_count(entries); i++) {
		const char *key = json_key_at(entries, i);

		if (without && (without[0] == '\0' || strcmp(key, without) == 0))
			*out_dropped = true;
		else
			json_set(copy, key, json_ref(json_value_at(entries, i)));
	}
	return copy;
}

static int save(struct change *change, struct json *entries, struct err *err)
{
	auto_tmpfile struct tmpfile tmp = TMPFILE_INIT;
	auto_strbuf struct strbuf text = STRBUF_INIT;
	int result;

	json_set(change->file.document, "auths", entries);
	json_format_pretty(change->file.document, &text);
	strbuf_putc(&text, '\n');
	if (tmpfile_open(&tmp, change->dir_fd, err) < 0)
		return err_prefix(err, "write '%s'", change->file.path);
	if (fchmod(tmp.fd, 0600) < 0)
		return err_sys(err, "set the mode of '%s'", change->file.path);
	result = fd_write_all(tmp.fd, text.data, text.len, change->file.path, err);
	explicit_bzero(text.data, text.len);
	if (result == 0 && fsync(tmp.fd) < 0)
		return err_sys(err, "write '%s'", change->file.path);
	return result < 0 ? -1 : tmpfile_replace(&tmp, change->name, err);
}

/* The helper that keeps what belongs to @key, if one does. A helper knows hosts only. */
static int find_helper(const struct change *change, const char *key, char **out, struct err *err)
{
	if (strchr(key, '/'))
		return 0;
	if (authfile_helper(&change->file, key, false, out, err) < 0)
		return -1;
	return *out ? 0 : authfile_helper(&change->file, key, true, out, err);
}

static struct json *make_entry(const struct credentials *credentials)
{
	auto_free char *pair = str_format("%s:%s", credentials->user ? credentials->user : "",
					  credentials->password ? credentials->password : "");
	auto_free char *auth = base64_format(pair, strlen(pair));
	struct json *entry = json_object();

	json_set_string(entry, "auth", auth);
	json_set_string(entry, "identitytoken", credentials->identity_token);
	explicit_bzero(pair, strlen(pair));
	explicit_bzero(auth, strlen(auth));
	return entry;
}

int authfile_set(const char *path, const char *key, const struct credentials *credentials,
		 struct err *err)
{
	auto_change struct change change = { .dir_fd = -1 };
	auto_free char *helper = NULL;
	struct json *entries;
	bool dropped;

	if (open_change(path, true, &change, err) < 0 || find_helper(&change, key, &helper, err) < 0)
		return -1;
	if (helper)
		return credential_helper_store(helper, key, credentials, err);
	entries = copy_entries(&change.file, NULL, &dropped);
	json_set(entries, key, make_entry(credentials));
	return save(&change, entries, err);
}

int authfile_unset(const char *path, const char *key, bool *out_found, struct err *err)
{
	auto_change struct change change = { .dir_fd = -1 };
	auto_free char *helper = NULL;
	struct json *entries;

	*out_found = false;
	if (open_change(path, false, &change, err) < 0 ||
	    find_helper(&change, key, &helper, err) < 0)
		return -1;
	if (helper) {
		*out_found = true;
		return credential_helper_erase(helper, key, err);
	}
	entries = copy_entries(&change.file, key, out_found);
	if (*out_found)
		return save(&change, entries, err);
	json_unref(entries);
	return 0;
}

int authfile_unset_all(const char *path, struct err *err)
{
	auto_change struct change change = { .dir_fd = -1 };
	struct json *entries;
	bool dropped = false;

	if (open_change(path, false, &change, err) < 0)
		return -1;
	entries = copy_entries(&change.file, "", &dropped);
	if (dropped)
		return save(&change, entries, err);
	json_unref(entries);
	return 0;
}
