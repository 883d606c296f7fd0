/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the bytes of a tar header: ustar, and a PAX extended header where
 * ustar is too small. Written here and not by a library, so that the digest of
 * a layer is the same for every version of every library.
 */
#include "layers/tar-header-internal.h"

#include <stdio.h>
#include <string.h>

#define NAME_BYTES      100
#define ID_MAX          ((uint64_t)07777777)
#define SIZE_MAX_USTAR  ((uint64_t)077777777777)
#define PAX_NAME_PREFIX "PaxHeaders/"
#define PAX_BASE_BYTES  80

/* POSIX ustar; `prefix` stays empty. */
struct ustar {
	char name[NAME_BYTES];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char typeflag;
	char linkname[NAME_BYTES];
	char magic[6];
	char version[2];
	char uname[32];
	char gname[32];
	char devmajor[8];
	char devminor[8];
	char prefix[155];
	char padding[12];
};
_Static_assert(sizeof(struct ustar) == TAR_BLOCK_BYTES, "a header is one block");

/* Digits to the field's end but for a NUL. What is too large is the largest there is. */
static void put_octal(char *field, size_t size, uint64_t value)
{
	uint64_t most = ((uint64_t)1 << (3 * (size - 1))) - 1;

	if (value > most)
		value = most;
	field[size - 1] = '\0';
	for (size_t i = size - 1; i-- > 0; value >>= 3)
		field[i] = (char)('0' + (value & 7));
}

/* Cut to fit, then without slashes at the end: old readers would see a directory. */
static void put_name(char *field, const char *name, bool is_directory)
{
	size_t len = strlen(name);

	if (len > NAME_BYTES) {
		len = NAME_BYTES;
		while (!is_directory && len > 0 && name[len - 1] == '/')
			len--;
	}
	memcpy(field, name, len);
}

static void put_checksum(struct ustar *header)
{
	const unsigned char *byte = (const unsigned char *)header;
	unsigned sum = 0;

	memset(header->checksum, ' ', sizeof(header->checksum));
	for (size_t i = 0; i < sizeof(*header); i++)
		sum += byte[i];
	put_octal(header->checksum, 7, sum);
}

static struct ustar *add_header(struct strbuf *out, char typeflag)
{
	struct ustar *header;

	strbuf_reserve(out, sizeof(*header));
	header = (struct ustar *)(out->data + out->len);
	out->len += sizeof(*header);
	out->data[out->len] = '\0';
	memset(header, 0, sizeof(*header));
	header->typeflag = typeflag;
	memcpy(header->magic, "ustar", 6);
	memcpy(header->version, "00", 2);
	return header;
}

static char typeflag_of(enum entry_type type)
{
	switch (type) {
	case ENTRY_FILE:
	case ENTRY_WHITEOUT:
	case ENTRY_OPAQUE:
		return '0';
	case ENTRY_HARDLINK:
		return '1';
	case ENTRY_SYMLINK:
		return '2';
	case ENTRY_CHAR_DEVICE:
		return '3';
	case ENTRY_BLOCK_DEVICE:
		return '4';
	case ENTRY_DIRECTORY:
		return '5';
	case ENTRY_FIFO:
		return '6';
	}
	return '0';
}

static void add_ustar(const struct entry *entry, const char *name, struct strbuf *out)
{
	struct ustar *header = add_header(out, typeflag_of(entry->type));
	int64_t mtime = entry->mtime.tv_sec;

	put_name(header->name, name, entry->type == ENTRY_DIRECTORY);
	put_octal(header->mode, sizeof(header->mode), entry->mode & 07777);
	put_octal(header->uid, sizeof(header->uid), entry->uid);
	put_octal(header->gid, sizeof(header->gid), entry->gid);
	put_octal(header->size, sizeof(header->size), entry->size_bytes);
	put_octal(header->mtime, sizeof(header->mtime), mtime > 0 ? (uint64_t)mtime : 0);
	if (entry->link)
		put_name(header->linkname, entry->link, true);
	put_octal(header->devmajor, sizeof(header->devmajor), entry->dev_major);
	put_octal(header->devminor, sizeof(header->devminor), entry->dev_minor);
	put_checksum(header);
}

static size_t digits_of(size_t n)
{
	size_t digits = 1;

	while (n /= 10)
		digits++;
	return digits;
}

/* The length counts its own digits. */
static void add_record(struct strbuf *out, const char *prefix, const char *key, const void *value,
		       size_t value_len)
{
	size_t rest = strlen(prefix) + strlen(key) + value_len + 3; /* " ", "=", "\n" */
	size_t len = rest + digits_of(rest);

	len = rest + digits_of(len);
	strbuf_printf(out, "%zu %s%s=", len, prefix, key);
	strbuf_add(out, value, value_len);
	strbuf_putc(out, '\n');
}

static void add_text(struct strbuf *out, const char *key, const char *text)
{
	add_record(out, "", key, text, strlen(text));
}

static void add_number(struct strbuf *out, const char *key, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	add_text(out, key, text);
}

static bool fits_time(int64_t mtime)
{
	return mtime >= 0 && (uint64_t)mtime <= SIZE_MAX_USTAR;
}

/* In the order of their keys. */
static int add_records(const struct entry *entry, const char *name, struct strbuf *out,
		       struct err *err)
{
	for (size_t i = 0; i < entry->xattrs.count; i++) {
		const struct xattr *x = &entry->xattrs.items[i];

		if (strchr(x->name, '='))
			return err_set(err, ERR_INPUT,
				       "'%s' has the attribute '%s': a layer cannot hold a name "
				       "with '=' in it",
				       entry->path, x->name);
		add_record(out, "SCHILY.xattr.", x->name, x->value, x->value_len);
	}
	if (entry->gid > ID_MAX)
		add_number(out, "gid", entry->gid);
	if (entry->link && strlen(entry->link) > NAME_BYTES)
		add_text(out, "linkpath", entry->link);
	if (!fits_time(entry->mtime.tv_sec))
		add_number(out, "mtime", entry->mtime.tv_sec);
	if (strlen(name) > NAME_BYTES)
		add_text(out, "path", name);
	if (entry->size_bytes > SIZE_MAX_USTAR)
		add_number(out, "size", (int64_t)entry->size_bytes);
	if (entry->uid > ID_MAX)
		add_number(out, "uid", entry->uid);
	return 0;
}

static bool needs_records(const struct entry *entry, const char *name)
{
	return entry->xattrs.count > 0 || entry->uid > ID_MAX || entry->gid > ID_MAX ||
	       entry->size_bytes > SIZE_MAX_USTAR || !fits_time(entry->mtime.tv_sec) ||
	       strlen(name) > NAME_BYTES || (entry->link && strlen(entry->link) > NAME_BYTES);
}

static void put_extended_name(struct ustar *header, const char *name)
{
	size_t end = strlen(name);
	size_t start;

	while (end > 0 && name[end - 1] == '/')
		end--;
	for (start = end; start > 0 && name[start - 1] != '/';)
		start--;
	snprintf(header->name, sizeof(header->name), PAX_NAME_PREFIX "%.*s",
		 (int)(end - start < PAX_BASE_BYTES ? end - start : PAX_BASE_BYTES), name + start);
}

static int add_extended(const struct entry *entry, const char *name, struct strbuf *out,
			struct err *err)
{
	size_t at = out->len;
	struct ustar *header = add_header(out, 'x');
	size_t start = out->len;
	size_t len;

	put_extended_name(header, name);
	put_octal(header->mode, sizeof(header->mode), 0644);
	put_octal(header->uid, sizeof(header->uid), 0);
	put_octal(header->gid, sizeof(header->gid), 0);
	put_octal(header->mtime, sizeof(header->mtime), 0);
	put_octal(header->devmajor, sizeof(header->devmajor), 0);
	put_octal(header->devminor, sizeof(header->devminor), 0);
	if (add_records(entry, name, out, err) < 0)
		return -1;
	len = out->len - start;
	while (out->len % TAR_BLOCK_BYTES)
		strbuf_putc(out, '\0');
	header = (struct ustar *)(out->data + at); /* the buffer may have moved */
	put_octal(header->size, sizeof(header->size), len);
	put_checksum(header);
	return 0;
}

int tar_header_format(const struct entry *entry, const char *name, struct strbuf *out,
		      struct err *err)
{
	if (needs_records(entry, name) && add_extended(entry, name, out, err) < 0)
		return -1;
	add_ustar(entry, name, out);
	return 0;
}
