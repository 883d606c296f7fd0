/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for unpacking as a whole: which entries are allowed, what their
 * names mean, the limits, and the order of things. Reading the tar is
 * unpack-read's, finding the place unpack-tree's, making files unpack-write's,
 * leaving devices out unpack-devices', the directories at the end unpack-dirs'.
 */
#include "layers/unpack.h"

#include <string.h>

#include "common/mem.h"
#include "layers/unpack-internal.h"
#include "layers/whiteout.h"

#define BLOCK_BYTES 512

struct unpack {
	const struct unpack_options *options;
	struct unpack_limits limits;
	struct tar_reader *reader;
	struct unpack_tree tree;
	struct tar_entry entry;
	struct unpack_budget budget;
	struct unpack_result result;
};

/* ---- what a name means ---- */

enum meaning {
	MEANS_ENTRY,
	MEANS_WHITEOUT, /* *out_path is what it deletes */
	MEANS_OPAQUE,
	MEANS_NOTHING, /* AUFS's own */
};

static int refuse_name(const char *path, const char *why, struct err *err)
{
	return err_set(err, ERR_INPUT, "entry '%s': %s", path, why);
}

/* The directories of a path: "" or what lies in AUFS's own is no entry of anybody. */
static int check_dirs(const char *path, enum meaning *out, struct err *err)
{
	const char *slash;

	for (; (slash = strchr(path, '/')); path = slash + 1) {
		auto_free char *name = str_ndup(path, (size_t)(slash - path));
		const char *target;

		switch (whiteout_parse(name, &target)) {
		case WHITEOUT_NONE:
			continue;
		case WHITEOUT_RESERVED:
			*out = MEANS_NOTHING;
			return 0;
		case WHITEOUT_FILE:
		case WHITEOUT_OPAQUE:
		case WHITEOUT_INVALID:
			return err_set(err, ERR_INPUT, "a deletion, '%s', has entries below it",
				       name);
		}
	}
	*out = MEANS_ENTRY;
	return 0;
}

static int name_meaning(const char *path, enum meaning *out, char **out_path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	const char *target;

	if (check_dirs(path, out, err) < 0)
		return err_prefix(err, "entry '%s'", path);
	if (*out != MEANS_ENTRY)
		return 0;
	switch (whiteout_parse(name, &target)) {
	case WHITEOUT_NONE:
		return 0;
	case WHITEOUT_FILE:
		*out = MEANS_WHITEOUT;
		*out_path = str_format("%.*s%s", (int)(name - path), path, target);
		return 0;
	case WHITEOUT_OPAQUE:
		*out = MEANS_OPAQUE;
		return 0;
	case WHITEOUT_RESERVED:
		*out = MEANS_NOTHING;
		return 0;
	case WHITEOUT_INVALID:
		return refuse_name(path, "it would delete its own directory or the one above", err);
	}
	return 0;
}

static bool has_reserved_name(const char *path)
{
	for (;;) {
		if (whiteout_is_reserved(path))
			return true;
		path = strchr(path, '/');
		if (!path)
			return false;
		path++;
	}
}

/* ---- one entry ---- */

static int check_limits(struct unpack *unpack, struct err *err)
{
	const char *path = unpack->entry.entry.path;
	uint64_t depth = *path ? 1 : 0;

	for (const char *p = path; (p = strchr(p, '/')); p++)
		depth++;
	if (depth > unpack->limits.max_depth)
		return refuse_name(path,
				   "its path has more components than are allowed: if it may, give "
				   "--unpack-limit depth=NUMBER",
				   err);
	if (unpack->result.entries >= unpack->limits.max_entries)
		return err_set(err, ERR_INPUT,
			       "it has more than the %llu entries that are allowed: if it may, "
			       "give --unpack-limit entries=NUMBER",
			       (unsigned long long)unpack->limits.max_entries);
	unpack->result.entries++;
	return 0;
}

static int put_hardlink(struct unpack_tree *tree, const struct entry *entry, struct err *err)
{
	bool is_skipped = false;

	if (unpack_skip_link(tree, entry, &is_skipped, err) < 0)
		return -1;
	return is_skipped ? 0 : unpack_put_hardlink(tree, entry, err);
}

static void change_mode(const struct unpack_options *options, struct entry *entry)
{
	mode_t type = entry->type == ENTRY_FILE        ? S_IFREG
		      : entry->type == ENTRY_DIRECTORY ? S_IFDIR
						       : 0;

	if (options->new_mode && entry->type != ENTRY_SYMLINK && entry->type != ENTRY_HARDLINK)
		entry->mode = options->new_mode(options->new_mode_context, type | entry->mode);
}

static int put_entry(struct unpack *unpack, struct err *err)
{
	struct entry *entry = &unpack->entry.entry;
	struct unpack_tree *tree = &unpack->tree;

	if (!*entry->path && entry->type != ENTRY_DIRECTORY)
		return err_set(err, ERR_INPUT, "its root is not a directory but a %s",
			       entry_type_name(entry->type));
	if (!*entry->path && unpack->options->keeps_root)
		return 0;
	change_mode(unpack->options, entry);
	switch (entry->type) {
	case ENTRY_FILE:
		if (unpack_put_file(tree, &unpack->entry, unpack->reader, &unpack->budget, err) < 0)
			return -1;
		unpack->result.content_bytes += entry->size_bytes;
		return 0;
	case ENTRY_DIRECTORY:
		return unpack_put_dir(tree, entry, err);
	case ENTRY_SYMLINK:
		return unpack_put_symlink(tree, entry, err);
	case ENTRY_HARDLINK:
		return put_hardlink(tree, entry, err);
	case ENTRY_CHAR_DEVICE:
	case ENTRY_BLOCK_DEVICE:
		if (tree->options->skip_devices)
			return unpack_skip_device(tree, entry, err);
		return unpack_put_special(tree, entry, err);
	case ENTRY_FIFO:
		return unpack_put_special(tree, entry, err);
	case ENTRY_WHITEOUT:
	case ENTRY_OPAQUE:
		break; /* the reader gives none */
	}
	return err_set(err, ERR_BUG, "entry '%s' has the type %d", entry->path, (int)entry->type);
}

/* The kernel's own form of a deletion, which a tar of an upper directory can hold. */
static bool is_whiteout_device(const struct entry *entry)
{
	return entry->type == ENTRY_CHAR_DEVICE && entry->dev_major == 0 && entry->dev_minor == 0;
}

static int put_plain(struct unpack *unpack, struct err *err)
{
	const struct entry *entry = &unpack->entry.entry;

	if (has_reserved_name(entry->path))
		return refuse_name(entry->path,
				   "names beginning with \".wh.\" mean deletions in a layer", err);
	if (is_whiteout_device(entry))
		return refuse_name(entry->path, "a device 0:0 means a deletion in a layer", err);
	return put_entry(unpack, err);
}

static int put_layered(struct unpack *unpack, struct err *err)
{
	const struct entry *entry = &unpack->entry.entry;
	auto_free char *deleted = NULL;
	enum meaning meaning;

	if (name_meaning(entry->path, &meaning, &deleted, err) < 0)
		return -1;
	switch (meaning) {
	case MEANS_ENTRY:
		break;
	case MEANS_WHITEOUT:
		return unpack_put_whiteout(&unpack->tree, deleted, err);
	case MEANS_OPAQUE:
		return unpack_put_opaque(&unpack->tree, entry->path, err);
	case MEANS_NOTHING:
		return 0;
	}
	if (is_whiteout_device(entry) && *entry->path)
		return unpack_put_whiteout(&unpack->tree, entry->path, err);
	return put_entry(unpack, err);
}

/* What is not made any more counts all the same, and may be what a parent was made for. */
static int pass_over(struct unpack *unpack, struct err *err)
{
	const struct entry *entry = &unpack->entry.entry;
	struct unpack_dir *dir;

	if (entry->type == ENTRY_FILE)
		return unpack_take_room(&unpack->budget, &unpack->entry, unpack->reader, err);
	dir = entry->type == ENTRY_DIRECTORY ? unpack_dir_find(&unpack->tree, entry->path) : NULL;
	if (dir)
		dir->is_explicit = true;
	return 0;
}

/* ---- all of them ---- */

/* For errors that have no name of the archive in them yet. */
static int name_archive(const struct unpack *unpack, struct err *err)
{
	if (!tar_reader_has_failed(unpack->reader))
		err_prefix(err, "archive '%s'", unpack->options->what);
	return -1;
}

static int unpack_all(struct unpack *unpack, struct err *err)
{
	bool is_end = false;

	for (;;) {
		int r;

		if (tar_reader_next(unpack->reader, &unpack->entry, &is_end, err) < 0)
			return -1;
		if (is_end)
			break;
		if (check_limits(unpack, err) < 0)
			return name_archive(unpack, err);
		if (unpack->result.is_cut)
			r = pass_over(unpack, err);
		else if (unpack->options->whiteouts == UNPACK_TO_OVERLAY)
			r = put_layered(unpack, err);
		else
			r = put_plain(unpack, err);
		if (r < 0)
			return name_archive(unpack, err);
		unpack->result.is_cut =
			unpack->options->stops_at_implicit && unpack->tree.has_implied;
	}
	if (!unpack->result.is_cut &&
	    (unpack_devices_finish(&unpack->tree, &unpack->result.devices_skipped, err) < 0 ||
	     unpack_dirs_finish(&unpack->tree, err) < 0))
		return name_archive(unpack, err);
	unpack->result.has_implicit_parents = unpack_has_implicit(&unpack->tree);
	return tar_reader_drain(unpack->reader, err);
}

/* Names come from outside: what they hold must not reach a terminal, nor make a second line. */
static void hide_controls(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p; p++) {
		if (*p < ' ' || *p == 0x7f)
			*p = '?';
	}
}

int unpack_tar(struct source *from, int dir_fd, const struct unpack_options *options,
	       struct unpack_result *out, struct err *err)
{
	struct unpack unpack = {
		.options = options,
		.entry = { .entry = ENTRY_INIT },
	};
	int r;

	if (options->limits)
		unpack.limits = *options->limits;
	else if (unpack_limits_load(&unpack.limits, err) < 0)
		return -1;
	unpack.budget = (struct unpack_budget){ .bytes_left = unpack.limits.max_bytes,
						.max_ratio = unpack.limits.max_ratio };
	unpack.reader = tar_reader_new(from, options->what);
	r = unpack_tree_open(&unpack.tree, dir_fd, options, err);
	r = r < 0 ? name_archive(&unpack, err) : unpack_all(&unpack, err);
	unpack_tree_release(&unpack.tree);
	entry_release(&unpack.entry.entry);
	tar_reader_free(unpack.reader);
	if (r < 0) {
		hide_controls(err->text);
		return -1;
	}
	if (out)
		*out = unpack.result;
	return 0;
}

/* ---- telling a tar ---- */

/* The sum of a header's bytes, its own field counted as blanks; some old tars added signed bytes.
 */
static void header_sums(const unsigned char *head, long *out_unsigned, long *out_signed)
{
	*out_unsigned = 0;
	*out_signed = 0;
	for (size_t i = 0; i < BLOCK_BYTES; i++) {
		unsigned char c = i >= 148 && i < 156 ? ' ' : head[i];

		*out_unsigned += c;
		*out_signed += (signed char)c;
	}
}

bool unpack_is_tar(const void *head, size_t len)
{
	const unsigned char *bytes = head;
	long want = 0, sum, signed_sum;
	size_t i = 148;

	if (len < BLOCK_BYTES || bytes[0] == '\0')
		return false;
	while (i < 156 && bytes[i] == ' ')
		i++;
	if (i == 156 || bytes[i] < '0' || bytes[i] > '7')
		return false;
	for (; i < 156 && bytes[i] >= '0' && bytes[i] <= '7'; i++)
		want = want * 8 + (bytes[i] - '0');
	if (i < 156 && bytes[i] != ' ' && bytes[i] != '\0')
		return false;
	header_sums(bytes, &sum, &signed_sum);
	return want == sum || want == signed_sum;
}
