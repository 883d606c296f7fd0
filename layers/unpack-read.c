/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the framing of a tar: from bytes to entries as plain values. It
 * and unpack-acl are the only places that know libarchive, of which it uses the tar format and
 * nothing else.
 *
 * Names must come out as the bytes that the archive holds. libarchive would
 * turn PAX names from UTF-8 into the locale's charset, and even between UTF-8
 * and UTF-8 it composes what was decomposed. In the C locale it finds that a
 * name that is not ASCII has no form there, gives the very bytes, and returns
 * a warning: so the calls are made in the C locale (of this thread) and this one warning is
 * passed over. Any other warning means that something was ignored, and is an error.
 */
#include "layers/unpack-internal.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <linux/limits.h>
#include <locale.h>
#include <string.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "layers/xattrs-internal.h"

#define READ_BYTES ((size_t)256 * 1024)
/* what may stand between the data of two entries: PAX records, long names, sparse maps */
#define HEADERS_MAX_BYTES ((size_t)8 * 1024 * 1024)
#define ID_NONE           UINT32_MAX /* (uid_t)-1 means "leave as it is" to chown(2) */
#define SHOWN_MAX         256
#define MAJOR_END         (1 << 12)
#define MINOR_END         (1 << 20)

struct tar_reader {
	struct source *from; /* borrowed */
	const char *what;
	struct archive *archive;
	char *last; /* name of the latest entry, as messages give it */
	bool in_headers;
	size_t header_bytes;
	uint64_t bytes; /* read in all */
	bool headers_too_large;
	bool has_bytes;
	bool ended;
	bool has_failed; /* the source has, with source_err */
	struct err source_err;
	bool has_refused; /* an error was given */
	uint8_t buf[READ_BYTES];
};

/* ---- the source, as libarchive reads it ---- */

static la_ssize_t read_block(struct archive *archive, void *context, const void **out)
{
	struct tar_reader *reader = context;
	ssize_t n;

	if (reader->in_headers && reader->header_bytes > HEADERS_MAX_BYTES) {
		reader->headers_too_large = true;
		archive_set_error(archive, EINVAL, "headers too large");
		return -1;
	}
	n = source_read(reader->from, reader->buf, sizeof(reader->buf), &reader->source_err);
	if (n < 0) {
		reader->has_failed = true;
		archive_set_error(archive, EIO, "source failed");
		return -1;
	}
	*out = reader->buf;
	reader->header_bytes += (size_t)n;
	reader->bytes += (uint64_t)n;
	reader->has_bytes = reader->has_bytes || n > 0;
	reader->ended = n == 0;
	return n;
}

struct tar_reader *tar_reader_new(struct source *from, const char *what)
{
	struct tar_reader *reader = mem_alloc(sizeof(*reader));

	reader->from = from;
	reader->what = what;
	reader->archive = archive_read_new();
	if (!reader->archive || archive_read_support_format_tar(reader->archive) != ARCHIVE_OK)
		abort();
	if (archive_read_open(reader->archive, reader, NULL, read_block, NULL) != ARCHIVE_OK)
		reader->has_failed = reader->source_err.kind != ERR_NONE;
	return reader;
}

void tar_reader_free(struct tar_reader *reader)
{
	if (!reader)
		return;
	archive_read_free(reader->archive);
	free(reader->last);
	free(reader);
}

/* ---- errors ---- */

static bool is_cut_off(const struct tar_reader *reader)
{
	const char *text = archive_error_string(reader->archive);

	return reader->ended && (!text || strncmp(text, "Truncated", 9) == 0);
}

static int fail(struct tar_reader *reader, struct err *err)
{
	const char *text = archive_error_string(reader->archive);
	const char *where = reader->in_headers ? "the header after " : "";

	reader->has_refused = true;
	if (reader->has_failed) {
		*err = reader->source_err;
		return -1;
	}
	if (!reader->has_bytes)
		return err_set(err, ERR_INPUT, "archive '%s' is empty", reader->what);
	if (reader->headers_too_large)
		return err_set(
			err, ERR_INPUT,
			"archive '%s': an entry after '%s' has more than %zu bytes of headers",
			reader->what, reader->last ? reader->last : "", HEADERS_MAX_BYTES);
	if (archive_format(reader->archive) == 0)
		return err_set(err, ERR_INPUT, "'%s' is not a tar archive", reader->what);
	if (!reader->last && is_cut_off(reader))
		return err_set(err, ERR_INPUT, "archive '%s' ends in the middle of its first entry",
			       reader->what);
	if (is_cut_off(reader))
		return err_set(err, ERR_INPUT, "archive '%s' ends in the middle of %s'%s'",
			       reader->what, where, reader->last);
	if (!reader->last)
		return err_set(err, ERR_INPUT, "archive '%s' is damaged: first entry: %s",
			       reader->what, text ? text : "invalid data");
	return err_set(err, ERR_INPUT, "archive '%s' is damaged: %s'%s': %s", reader->what, where,
		       reader->last, text ? text : "invalid data");
}

static int refuse(const struct tar_reader *reader, const char *why, struct err *err)
{
	return err_set(err, ERR_INPUT, "archive '%s': entry '%s' %s", reader->what, reader->last,
		       why);
}

/* ---- from libarchive's values to ours ---- */

/*
 * Clean a name: no "/" at either end, no "." and no empty components. NULL for
 * one with "..": it is not removed by counting, for a link could be before it.
 */
static char *clean_name(const char *name)
{
	auto_strbuf struct strbuf out = STRBUF_INIT;

	while (*name) {
		size_t len = strcspn(name, "/");

		if (len == 2 && name[0] == '.' && name[1] == '.')
			return NULL;
		if (len > 0 && !(len == 1 && name[0] == '.')) {
			if (out.len > 0)
				strbuf_putc(&out, '/');
			strbuf_add(&out, name, len);
		}
		name += len;
		name += strspn(name, "/");
	}
	return out.len > 0 ? strbuf_steal(&out) : str_dup("");
}

/* A name as messages give it: one of thousands of bytes would leave no room for the reason. */
static char *shown_name(const char *name)
{
	bool is_long = strlen(name) > SHOWN_MAX;

	return str_format("%.*s%s", SHOWN_MAX, name, is_long ? "..." : "");
}

static int take_name(const struct tar_reader *reader, const char *name, const char *which,
		     char **out, struct err *err)
{
	auto_free char *clean = clean_name(name);
	auto_free char *shown = shown_name(name);

	if (!clean)
		return err_set(err, ERR_INPUT, "archive '%s': the %s '%s' leads upwards (\"..\")",
			       reader->what, which, shown);
	if (strlen(clean) >= PATH_MAX)
		return refuse(reader, "has a path of more than 4095 bytes", err);
	for (const char *p = clean; *p;) {
		size_t len = strcspn(p, "/");

		if (len > NAME_MAX)
			return refuse(reader, "has a name of more than 255 bytes in its path", err);
		p += len;
		p += *p == '/';
	}
	*out = ptr_steal(&clean);
	return 0;
}

static int take_type(const struct tar_reader *reader, struct archive_entry *from,
		     const char *raw_path, struct entry *out, struct err *err)
{
	size_t len = strlen(raw_path);

	if (archive_entry_hardlink(from)) {
		out->type = ENTRY_HARDLINK;
		return 0;
	}
	switch (archive_entry_filetype(from)) {
	case AE_IFREG:
		/* the oldest form of a directory */
		out->type = len > 0 && raw_path[len - 1] == '/' ? ENTRY_DIRECTORY : ENTRY_FILE;
		return 0;
	case AE_IFDIR:
		out->type = ENTRY_DIRECTORY;
		return 0;
	case AE_IFLNK:
		out->type = ENTRY_SYMLINK;
		return 0;
	case AE_IFCHR:
		out->type = ENTRY_CHAR_DEVICE;
		return 0;
	case AE_IFBLK:
		out->type = ENTRY_BLOCK_DEVICE;
		return 0;
	case AE_IFIFO:
		out->type = ENTRY_FIFO;
		return 0;
	default: /* not an enum there */
		return refuse(reader, "is of a type that cannot be unpacked", err);
	}
}

static int take_link(const struct tar_reader *reader, struct archive_entry *from, struct entry *out,
		     struct err *err)
{
	const char *target;

	if (out->type == ENTRY_HARDLINK)
		return take_name(reader, archive_entry_hardlink(from), "hard-link target",
				 &out->link, err);
	if (out->type != ENTRY_SYMLINK)
		return 0;
	target = archive_entry_symlink(from);
	if (!target || !*target)
		return refuse(reader, "is a symbolic link without a target", err);
	if (strlen(target) >= PATH_MAX)
		return refuse(reader, "is a symbolic link of more than 4095 bytes", err);
	out->link = str_dup(target);
	return 0;
}

static int take_ids(const struct tar_reader *reader, struct archive_entry *from, struct entry *out,
		    struct err *err)
{
	int64_t uid = archive_entry_uid(from);
	int64_t gid = archive_entry_gid(from);

	if (uid < 0 || uid >= ID_NONE || gid < 0 || gid >= ID_NONE)
		return err_set(err, ERR_INPUT,
			       "archive '%s': entry '%s' has the owner %lld:%lld, which is none",
			       reader->what, reader->last, (long long)uid, (long long)gid);
	out->uid = (uid_t)uid;
	out->gid = (gid_t)gid;
	return 0;
}

static int take_device(const struct tar_reader *reader, struct archive_entry *from,
		       struct entry *out, struct err *err)
{
	uint64_t major = archive_entry_rdevmajor(from);
	uint64_t minor = archive_entry_rdevminor(from);

	if (out->type != ENTRY_CHAR_DEVICE && out->type != ENTRY_BLOCK_DEVICE)
		return 0;
	if (major >= MAJOR_END || minor >= MINOR_END)
		return refuse(reader, "has device numbers that Linux has not", err);
	out->dev_major = (unsigned)major;
	out->dev_minor = (unsigned)minor;
	return 0;
}

/* A fraction counts upwards also in a negative number of seconds: "-1.25" is 0.75 after -2. */
static int take_time(const struct tar_reader *reader, struct archive_entry *from, struct entry *out,
		     struct err *err)
{
	int64_t sec = archive_entry_mtime(from);
	long nsec = archive_entry_mtime_nsec(from);

	if (sec == INT64_MIN || sec == INT64_MAX)
		return refuse(reader, "has a time that is none", err);
	if (sec < 0 && nsec > 0) {
		sec--;
		nsec = 1000000000L - nsec;
	}
	out->mtime = (struct timespec){ .tv_sec = sec, .tv_nsec = nsec };
	return 0;
}

/* libarchive gives the last record of the header first: of two with one name, the last counts. */
static int take_xattrs(const struct tar_reader *reader, struct archive_entry *from,
		       struct entry *out, struct err *err)
{
	const char *name;
	const void *value;
	size_t len;

	archive_entry_xattr_reset(from);
	while (archive_entry_xattr_next(from, &name, &value, &len) == ARCHIVE_OK) {
		if (strlen(name) > XATTR_NAME_MAX || len > XATTR_SIZE_MAX)
			return refuse(reader, "has an extended attribute that is too large", err);
		/* labels of the host it was packed on; what no Linux file can have */
		if (xattr_role(name, OVERLAY_TRUSTED) == XATTR_HOST)
			continue;
		if (!xattrs_get(&out->xattrs, name))
			xattrs_set(&out->xattrs, name, value, len);
	}
	return 0;
}

static int take_size(const struct tar_reader *reader, struct archive_entry *from,
		     struct tar_entry *out, struct err *err)
{
	int64_t size = archive_entry_size_is_set(from) ? archive_entry_size(from) : 0;

	if (size < 0)
		return refuse(reader, "has a negative size", err);
	if (out->entry.type == ENTRY_HARDLINK && size > 0)
		return refuse(reader, "is a hard link with content of its own", err);
	if (out->entry.type != ENTRY_FILE)
		return 0;
	out->entry.size_bytes = (uint64_t)size;
	out->is_sparse = archive_entry_sparse_count(from) > 0;
	return 0;
}

static int take_entry(struct tar_reader *reader, struct archive_entry *from, struct tar_entry *out,
		      struct err *err)
{
	const char *raw_path = archive_entry_pathname(from);
	struct entry *entry = &out->entry;

	free(reader->last);
	reader->last = shown_name(raw_path ? raw_path : "");
	if (!raw_path)
		return refuse(reader, "has no name", err);
	if (take_name(reader, raw_path, "name", &entry->path, err) < 0 ||
	    take_type(reader, from, raw_path, entry, err) < 0 ||
	    take_link(reader, from, entry, err) < 0 || take_ids(reader, from, entry, err) < 0 ||
	    take_device(reader, from, entry, err) < 0 || take_time(reader, from, entry, err) < 0 ||
	    take_xattrs(reader, from, entry, err) < 0 || take_size(reader, from, out, err) < 0)
		return -1;
	if (entry->type != ENTRY_SYMLINK)
		unpack_take_acls(from, entry);
	entry->mode = archive_entry_perm(from) & 07777;
	return 0;
}

/* ---- in the C locale ---- */

static int next_header(struct tar_reader *reader, struct archive_entry **out)
{
	locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	locale_t before = uselocale(c_locale);
	const char *text;
	int r;

	r = archive_read_next_header(reader->archive, out);
	uselocale(before);
	freelocale(c_locale);
	text = archive_error_string(reader->archive);
	if (r == ARCHIVE_WARN && text && strstr(text, "to current locale"))
		return ARCHIVE_OK;
	return r;
}

int tar_reader_next(struct tar_reader *reader, struct tar_entry *out, bool *out_end,
		    struct err *err)
{
	struct archive_entry *from;
	int r;

	entry_release(&out->entry);
	out->is_sparse = false;
	if (reader->has_failed)
		return fail(reader, err);
	/* here, and not with the header: this may be much and is no header */
	if (reader->last && archive_read_data_skip(reader->archive) != ARCHIVE_OK)
		return fail(reader, err);
	reader->header_bytes = 0;
	reader->in_headers = true;
	r = next_header(reader, &from);
	if (r == ARCHIVE_EOF && reader->has_bytes) {
		*out_end = true;
		return 0;
	}
	if (r != ARCHIVE_OK)
		return fail(reader, err);
	reader->in_headers = false;
	*out_end = false;
	if (take_entry(reader, from, out, err) == 0)
		return 0;
	reader->has_refused = true;
	return -1;
}

int tar_reader_data(struct tar_reader *reader, const void **out, size_t *out_len,
		    uint64_t *out_offset, struct err *err)
{
	la_int64_t offset = 0;
	size_t len = 0;
	int r = archive_read_data_block(reader->archive, out, &len, &offset);

	if (r == ARCHIVE_EOF)
		len = 0;
	else if (r != ARCHIVE_OK || offset < 0)
		return fail(reader, err);
	*out_len = len;
	*out_offset = (uint64_t)offset;
	return 0;
}

uint64_t tar_reader_bytes(const struct tar_reader *reader)
{
	return reader->bytes;
}

int tar_reader_drain(struct tar_reader *reader, struct err *err)
{
	if (reader->ended || source_drain(reader->from, err) == 0)
		return 0;
	reader->has_refused = true;
	return -1;
}

bool tar_reader_has_failed(const struct tar_reader *reader)
{
	return reader->has_refused;
}
