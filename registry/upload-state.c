/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for remembering uploads across processes. What a registry says of one is upload's. */
#include "registry/upload-state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/digest.h"
#include "common/fd.h"
#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "registry/interrupt.h"
#include "storage/blob.h"

#define STATE_MAX_BYTES ((size_t)64 * 1024)

void upload_state_release(struct upload_state *state)
{
	fd_close(&state->fd);
}

/* Whether the name still leads to the file that was locked: its last owner removes it when done. */
static bool is_current(int dir_fd, const char *name, int fd)
{
	struct stat here;
	struct stat there;

	return fstat(fd, &here) == 0 && fstatat(dir_fd, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       here.st_ino == there.st_ino;
}

/*
 * It is held by an upload under way, or, for a moment, by the program that brings the last piece
 * of one to its end whose process was killed.
 */
static int take_lock(int fd, struct err *err)
{
	const struct timespec pause = { .tv_nsec = 50L * 1000 * 1000 };

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(err, "lock");
		if (interrupt_check(err) < 0)
			return -1;
		nanosleep(&pause, NULL);
	}
	return 0;
}

int upload_state_open(struct store *store, const char *place, const char *what,
		      struct upload_state *out, struct err *err)
{
	auto_free char *key = str_format("%s %s", place, what);
	auto_close int fd = -1;
	struct digest digest;
	char hex[DIGEST_HEX_MAX];

	digest_of(key, strlen(key), &digest);
	out->dir_fd = store_cache_fd(store);
	snprintf(out->name, sizeof(out->name), BLOB_UPLOAD_PREFIX "%s", digest_hex(&digest, hex));
	fd = openat(out->dir_fd, out->name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(err, "open '%s' in the store's cache", out->name);
	if (take_lock(fd, err) < 0)
		return err_prefix(err, "lock '%s' in the store's cache", out->name);
	if (is_current(out->dir_fd, out->name, fd))
		out->fd = fd_steal(&fd);
	return 0;
}

int upload_state_load(const struct upload_state *state, struct upload *out, struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	auto_client_response struct client_response note = CLIENT_RESPONSE_INIT;
	auto_json struct json *document = NULL;
	struct err ignored = ERR_INIT;
	int64_t offset = 0;

	if (state->fd < 0)
		return 0;
	if (lseek(state->fd, 0, SEEK_SET) < 0)
		return err_sys(err, "read '%s'", state->name);
	if (fd_read_all(state->fd, STATE_MAX_BYTES, &text, state->name, err) < 0)
		return -1;
	if (client_note_parse(text.data, text.len, &note, &ignored) == 0) {
		upload_take_note(out, &note);
		return 0;
	}
	/* new, or its writer was killed in the middle */
	document = text.len ? json_parse(text.data, text.len, state->name, &ignored) : NULL;
	if (!document || json_take_int(document, "offset", &offset, state->name, &ignored) < 0 ||
	    offset < 0 ||
	    json_take_string(document, "location", &out->location, state->name, &ignored) < 0)
		return 0;
	out->offset = (uint64_t)offset;
	return 0;
}

void upload_state_save(const struct upload_state *state, const struct upload *upload)
{
	auto_json struct json *document = json_object();
	auto_strbuf struct strbuf text = STRBUF_INIT;

	if (state->fd < 0)
		return;
	json_set_string(document, "location", upload->location);
	json_set_int(document, "offset", (int64_t)upload->offset);
	json_format(document, &text);
	strbuf_putc(&text, '\n');
	/* in this order: who is killed between the two leaves something that cannot be understood
	 */
	if (pwrite(state->fd, text.data, text.len, 0) != (ssize_t)text.len ||
	    ftruncate(state->fd, (off_t)text.len) < 0)
		log_warn("an upload that breaks off will begin anew: write '%s': %s", state->name,
			 strerror(errno));
}

void upload_state_forget(struct upload_state *state)
{
	if (state->fd < 0)
		return;
	unlinkat(state->dir_fd, state->name, 0);
	fd_close(&state->fd);
}
