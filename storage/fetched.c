/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what stays of a download: found again by its URL, replaced as a whole. A
 * description that cannot be read, or whose body is gone or of another size, is as
 * good as none: a kill or a power cut can leave that.
 */
#include "storage/fetched.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/json.h"
#include "common/mem.h"
#include "common/tmpfile.h"
#include "layers/walk.h"
#include "storage/store-internal.h"

#define PREFIX         "fetched-"
#define NOTE_MAX_BYTES ((size_t)64 * 1024)

void fetched_release(struct fetched *fetched)
{
	free(fetched->etag);
	free(fetched->last_modified);
	free(fetched->filename);
	*fetched = (struct fetched){ .etag = NULL };
}

static char *note_name(const char *url)
{
	char hex[DIGEST_HEX_MAX];
	struct digest digest;

	digest_of(url, strlen(url), &digest);
	return str_format(PREFIX "%s", digest_hex(&digest, hex));
}

static bool read_fields(const struct json *root, struct fetched *out, char **out_body)
{
	struct err ignored = ERR_INIT;
	auto_free char *digest = NULL;
	int64_t size = -1;

	if (json_take_string(root, "etag", &out->etag, PREFIX, &ignored) < 0 ||
	    json_take_string(root, "lastModified", &out->last_modified, PREFIX, &ignored) < 0 ||
	    json_take_string(root, "filename", &out->filename, PREFIX, &ignored) < 0 ||
	    json_take_int(root, "mtime", &out->mtime, PREFIX, &ignored) < 0 ||
	    json_take_int(root, "size", &size, PREFIX, &ignored) < 0 ||
	    json_take_string(root, "digest", &digest, PREFIX, &ignored) < 0 ||
	    json_take_string(root, "body", out_body, PREFIX, &ignored) < 0)
		return false;
	out->size_bytes = (uint64_t)size;
	return size >= 0 && digest && *out_body && !strchr(*out_body, '/') &&
	       digest_parse(digest, &out->digest, &ignored) == 0;
}

/* *out_body NULL: there is none that can be used. */
static int load_note(struct store *store, const char *url, struct fetched *out, char **out_body,
		     struct err *err)
{
	auto_free char *name = note_name(url);
	auto_strbuf struct strbuf text = STRBUF_INIT;
	auto_json struct json *root = NULL;
	auto_close int fd = -1;
	struct err ignored = ERR_INIT;

	fd = beneath_open(store->cache_fd, name, BENEATH_NO_LINKS, O_RDONLY, err);
	if (fd < 0 && errno == ENOENT) {
		err_clear(err);
		return 0;
	}
	if (fd < 0 || fd_read_all(fd, NOTE_MAX_BYTES, &text, name, err) < 0)
		return -1;
	root = json_parse(text.data, text.len, name, &ignored);
	if (!root || !read_fields(root, out, out_body)) {
		free(*out_body);
		*out_body = NULL;
	}
	return 0;
}

int fetched_find(struct store *store, const char *url, int dir_fd, const char *name,
		 bool *out_found, struct fetched *out, struct err *err)
{
	auto_fetched struct fetched fetched = { .etag = NULL };
	auto_free char *body = NULL;
	struct stat st;

	*out_found = false;
	if (load_note(store, url, &fetched, &body, err) < 0)
		return -1;
	if (!body)
		return 0;
	if (linkat(store->cache_fd, body, dir_fd, name, 0) < 0)
		return errno == ENOENT ? 0 : err_sys(err, "link 'cache/%s'", body);
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "stat 'cache/%s'", body);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != fetched.size_bytes) {
		if (unlinkat(dir_fd, name, 0) < 0)
			return err_sys(err, "remove '%s'", name);
		return 0;
	}
	*out = fetched;
	fetched = (struct fetched){ .etag = NULL };
	*out_found = true;
	return 0;
}

static void format_note(const struct fetched *fetched, const char *body, struct strbuf *out)
{
	auto_json struct json *root = json_object();
	char name[DIGEST_NAME_MAX];

	json_set_string(root, "etag", fetched->etag);
	json_set_string(root, "lastModified", fetched->last_modified);
	json_set_string(root, "filename", fetched->filename);
	json_set_int(root, "mtime", fetched->mtime);
	json_set_int(root, "size", (int64_t)fetched->size_bytes);
	json_set_string(root, "digest", digest_name(&fetched->digest, name));
	json_set_string(root, "body", body);
	json_format(root, out);
}

static int write_note(struct store *store, const char *url, const struct strbuf *text,
		      struct err *err)
{
	auto_tmpfile struct tmpfile tmp = TMPFILE_INIT;
	auto_free char *name = note_name(url);

	if (tmpfile_open(&tmp, store->cache_fd, err) < 0 ||
	    fd_write_all(tmp.fd, text->data, text->len, name, err) < 0)
		return -1;
	return tmpfile_replace(&tmp, name, err);
}

int fetched_put(struct store *store, const char *url, const struct fetched *fetched, int dir_fd,
		const char *name, struct err *err)
{
	auto_fetched struct fetched before = { .etag = NULL };
	auto_strbuf struct strbuf text = STRBUF_INIT;
	auto_free char *old_body = NULL;
	auto_free char *body = NULL;
	auto_close int fd = -1;
	char random[17];

	if (store_random_name(random, err) < 0 ||
	    load_note(store, url, &before, &old_body, err) < 0)
		return -1;
	body = str_format(PREFIX "%s", random);
	fd = beneath_open(dir_fd, name, BENEATH_NO_LINKS, O_RDONLY, err);
	if (fd < 0)
		return -1;
	if (fdatasync(fd) < 0)
		return err_sys(err, "sync '%s'", name);
	if (linkat(dir_fd, name, store->cache_fd, body, 0) < 0)
		return err_sys(err, "link 'cache/%s'", body);
	format_note(fetched, body, &text);
	if (write_note(store, url, &text, err) < 0)
		return -1;
	/* who has it in use has linked it */
	if (old_body && unlinkat(store->cache_fd, old_body, 0) < 0 && errno != ENOENT)
		return err_sys(err, "remove 'cache/%s'", old_body);
	return 0;
}

int fetched_forget(struct store *store, int64_t until_epoch, bool is_dry, uint64_t *out_bytes,
		   struct err *err)
{
	auto_strlist struct strlist names = STRLIST_INIT;
	uint64_t bytes = 0;

	if (walk_names(store->cache_fd, &names, "cache", err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		const char *name = names.items[i];
		struct stat st = { .st_size = 0 };

		if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
			continue;
		if (fstatat(store->cache_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_mtim.tv_sec >= until_epoch)
			continue;
		bytes += (uint64_t)st.st_size;
		if (!is_dry && unlinkat(store->cache_fd, name, 0) < 0 && errno != ENOENT)
			return err_sys(err, "remove 'cache/%s'", name);
	}
	*out_bytes = bytes;
	return 0;
}
