/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for where two layers that should be the same first differ: entry by
 * entry as they are packed, so that nothing that their digests see is missed.
 */
#include "layers/compare.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"
#include "layers/diff-internal.h"

struct comparison {
	int first_fd;
	struct entry *entries; /* of the first layer */
	size_t count;
	size_t next;
	bool found;
	struct strbuf *out;
	struct strbuf directory; /* the first directory of another time */
};

static void comparison_release(struct comparison *comparison)
{
	for (size_t i = 0; i < comparison->count; i++)
		entry_release(&comparison->entries[i]);
	free(comparison->entries);
	strbuf_release(&comparison->directory);
}

static int collect(void *context, const struct entry *entry, int content_fd, struct err *err)
{
	struct comparison *comparison = context;
	struct entry copy = *entry;

	copy.path = str_dup(entry->path);
	copy.link = entry->link ? str_dup(entry->link) : NULL;
	copy.xattrs = (struct xattrs){ .items = NULL };
	xattrs_copy(&copy.xattrs, &entry->xattrs);
	comparison->entries = mem_resize(comparison->entries, comparison->count + 1, sizeof(copy));
	comparison->entries[comparison->count++] = copy;
	return 0;
}

/* ---- words ---- */

static void say(struct comparison *comparison, const char *path)
{
	comparison->found = true;
	strbuf_printf(comparison->out, "%s: ", path[0] ? path : "/");
}

static void say_only(struct comparison *comparison, const struct entry *entry, const char *where)
{
	say(comparison, entry->path);
	if (entry->type == ENTRY_WHITEOUT)
		strbuf_printf(comparison->out, "deleted only in the %s", where);
	else if (entry->type == ENTRY_OPAQUE)
		strbuf_printf(comparison->out, "what is below is hidden only in the %s", where);
	else
		strbuf_printf(comparison->out, "only in the %s", where);
}

/* Is it what its tar would call by the same name? */
static bool same_name(const struct entry *a, const struct entry *b)
{
	return strcmp(a->path, b->path) == 0 &&
	       (a->type == ENTRY_WHITEOUT) == (b->type == ENTRY_WHITEOUT) &&
	       (a->type == ENTRY_OPAQUE) == (b->type == ENTRY_OPAQUE);
}

/* That of a directory is most often only what came of another difference, which comes later. */
static void say_mtime(struct comparison *comparison, const struct entry *a, const struct entry *b)
{
	struct strbuf *out = comparison->out;

	if (a->type == ENTRY_DIRECTORY) {
		if (comparison->directory.len > 0)
			return;
		out = &comparison->directory;
	}
	comparison->found = a->type != ENTRY_DIRECTORY;
	strbuf_printf(out, "%s: mtime %" PRId64 " vs %" PRId64, a->path[0] ? a->path : "/",
		      (int64_t)a->mtime.tv_sec, (int64_t)b->mtime.tv_sec);
}

static bool compare_type(struct comparison *comparison, const struct entry *a,
			 const struct entry *b)
{
	if (a->type != b->type) {
		say(comparison, a->path);
		strbuf_printf(comparison->out, "%s vs %s", entry_type_name(a->type),
			      entry_type_name(b->type));
		return true;
	}
	if (a->link && strcmp(a->link, b->link) != 0) {
		say(comparison, a->path);
		strbuf_printf(comparison->out, "%s to '%s' vs '%s'", entry_type_name(a->type),
			      a->link, b->link);
		return true;
	}
	if (a->dev_major != b->dev_major || a->dev_minor != b->dev_minor) {
		say(comparison, a->path);
		strbuf_printf(comparison->out, "device %u,%u vs %u,%u", a->dev_major, a->dev_minor,
			      b->dev_major, b->dev_minor);
		return true;
	}
	return false;
}

static void compare_xattrs(struct comparison *comparison, const struct entry *a,
			   const struct entry *b)
{
	for (size_t i = 0; i < a->xattrs.count; i++) {
		const struct xattr *x = &a->xattrs.items[i];
		const struct xattr *y = xattrs_get(&b->xattrs, x->name);

		if (y && y->value_len == x->value_len &&
		    (x->value_len == 0 || memcmp(x->value, y->value, x->value_len) == 0))
			continue;
		say(comparison, a->path);
		strbuf_printf(comparison->out, "attribute %s %s", x->name,
			      y ? "differs" : "only in the first");
		return;
	}
	for (size_t i = 0; i < b->xattrs.count && !comparison->found; i++) {
		if (xattrs_get(&a->xattrs, b->xattrs.items[i].name))
			continue;
		say(comparison, a->path);
		strbuf_printf(comparison->out, "attribute %s only in the second",
			      b->xattrs.items[i].name);
	}
}

static void compare_metadata(struct comparison *comparison, const struct entry *a,
			     const struct entry *b)
{
	if (a->mode != b->mode) {
		say(comparison, a->path);
		strbuf_printf(comparison->out, "mode %04o vs %04o", a->mode, b->mode);
	} else if (a->uid != b->uid || a->gid != b->gid) {
		say(comparison, a->path);
		strbuf_printf(comparison->out, "owner %u:%u vs %u:%u", a->uid, a->gid, b->uid,
			      b->gid);
	} else if (a->mtime.tv_sec != b->mtime.tv_sec) {
		say_mtime(comparison, a, b);
	} else {
		compare_xattrs(comparison, a, b);
	}
}

/* ---- content ---- */

static int compare_content(struct comparison *comparison, const struct entry *a,
			   const struct entry *b, int b_fd, struct err *err)
{
	auto_close int a_fd = beneath_open(comparison->first_fd, a->path, BENEATH_NO_LINKS,
					   O_RDONLY | O_NOFOLLOW, err);
	auto_free char *chunks = mem_alloc(2 * DIFF_CHUNK_BYTES);
	char *other = chunks + DIFF_CHUNK_BYTES;
	uint64_t at = 0;
	ssize_t n = a_fd < 0 ? -1 : 0;
	ssize_t m = 0;

	do {
		size_t i = 0;

		if (n >= 0)
			n = fd_read_full(a_fd, chunks, DIFF_CHUNK_BYTES, a->path, err);
		m = n < 0 ? -1 : fd_read_full(b_fd, other, DIFF_CHUNK_BYTES, b->path, err);
		if (m < 0)
			return -1;
		while (i < (size_t)n && i < (size_t)m && chunks[i] == other[i])
			i++;
		at += i;
		if (i == (size_t)n && i == (size_t)m)
			continue;
		say(comparison, a->path);
		strbuf_printf(comparison->out, "content differs at byte %" PRIu64, at);
		if (a->size_bytes != b->size_bytes)
			strbuf_printf(comparison->out, " (%" PRIu64 " vs %" PRIu64 " bytes)",
				      a->size_bytes, b->size_bytes);
		return 0;
	} while (n > 0);
	return 0;
}

/* ---- the walk ---- */

static int compare_entries(struct comparison *comparison, const struct entry *a,
			   const struct entry *b, int b_fd, struct err *err)
{
	if (compare_type(comparison, a, b))
		return 0;
	if (a->type == ENTRY_FILE && compare_content(comparison, a, b, b_fd, err) < 0)
		return -1;
	if (!comparison->found)
		compare_metadata(comparison, a, b);
	return 0;
}

/* The two layers do not go on with the same name: one of them has one more. */
static void tell_missing(struct comparison *comparison, const struct entry *b)
{
	for (size_t i = comparison->next; i < comparison->count; i++)
		if (same_name(&comparison->entries[i], b)) {
			say_only(comparison, &comparison->entries[comparison->next], "first");
			return;
		}
	say_only(comparison, b, "second");
}

static int compare_next(void *context, const struct entry *b, int content_fd, struct err *err)
{
	struct comparison *comparison = context;
	const struct entry *a;

	if (comparison->found)
		return 0;
	a = comparison->next < comparison->count ? &comparison->entries[comparison->next] : NULL;
	if (!a || !same_name(a, b)) {
		tell_missing(comparison, b);
		return 0;
	}
	comparison->next++;
	return compare_entries(comparison, a, b, content_fd, err);
}

int compare_layers(int first_fd, int second_fd, enum overlay_ns ns, bool *out_differ,
		   struct strbuf *out, struct err *err)
{
	__attribute__((cleanup(comparison_release))) struct comparison comparison = {
		.first_fd = first_fd,
		.out = out,
		.directory = STRBUF_INIT,
	};
	struct diff_options options = DIFF_OPTIONS_INIT;

	options.ns = ns;
	if (diff_layer(first_fd, &options, collect, &comparison, err) < 0 ||
	    diff_layer(second_fd, &options, compare_next, &comparison, err) < 0)
		return -1;
	if (!comparison.found && comparison.next < comparison.count)
		say_only(&comparison, &comparison.entries[comparison.next], "first");
	if (!comparison.found)
		strbuf_puts(out, comparison.directory.data);
	*out_differ = comparison.found || comparison.directory.len > 0;
	return 0;
}
