/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for finding files in a tar by name. Reads headers itself, since what
 * is wanted are offsets, and those libarchive does not tell. Unpacking is
 * unpack.c's, over libarchive.
 */
#include "layers/tarindex.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "common/strlist.h"

#define BLOCK          512
#define EXTENDED_MAX   ((uint64_t)1024 * 1024) /* a PAX or long-name record */
#define LINKS_MAX      8
#define NAME_MAX_BYTES 4096

struct header { /* POSIX ustar, and the fields GNU puts in the same places */
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char link[100];
	char magic[8]; /* "ustar\0" "00", or GNU's "ustar  \0" */
	char uname[32];
	char gname[32];
	char dev_major[8];
	char dev_minor[8];
	char prefix[155];
	char rest[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a tar header is one block");

struct reader {
	int fd;
	const char *what;
	uint64_t size_bytes; /* of the file */
	uint64_t offset;     /* of the next header */
	/* what extended headers say of the next entry */
	char *next_name;
	char *next_link;
	bool has_next_size;
	uint64_t next_size;
};

static void entry_clear(struct tarindex_entry *entry)
{
	free(entry->name);
	free(entry->link);
}

void tarindex_release(struct tarindex *index)
{
	for (size_t i = 0; i < index->count; i++)
		entry_clear(&index->entries[i]);
	free(index->entries);
	*index = (struct tarindex){ .entries = NULL };
}

static int read_at(struct reader *reader, void *data, size_t len, uint64_t offset, struct err *err)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n =
			pread(reader->fd, (char *)data + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "read '%s'", reader->what);
		if (n == 0)
			return err_set(err, ERR_INPUT, "'%s' is cut off at byte %llu", reader->what,
				       (unsigned long long)(offset + done));
		done += (size_t)n;
	}
	return 0;
}

static int refuse(const struct reader *reader, const char *why, struct err *err)
{
	return err_set(err, ERR_INPUT, "'%s': %s at byte %llu", reader->what, why,
		       (unsigned long long)reader->offset);
}

/* ---- fields ---- */

/* Octal digits, blanks around them allowed; or GNU's base 256 with the top bit set. */
static bool parse_number(const char *field, size_t len, uint64_t *out)
{
	uint64_t value = 0;
	size_t i = 0;

	if ((unsigned char)field[0] == 0x80) {
		for (i = 1; i < len; i++) {
			if (value >> 56)
				return false;
			value = value << 8 | (unsigned char)field[i];
		}
		*out = value;
		return true;
	}
	while (i < len && field[i] == ' ')
		i++;
	for (; i < len && field[i] >= '0' && field[i] <= '7'; i++)
		value = value << 3 | (uint64_t)(field[i] - '0');
	if (i < len && field[i] != ' ' && field[i] != '\0')
		return false;
	*out = value;
	return true;
}

static bool has_checksum(const struct header *header)
{
	const unsigned char *bytes = (const unsigned char *)header;
	size_t start = offsetof(struct header, checksum);
	uint64_t want;
	uint64_t sum = 0;

	if (!parse_number(header->checksum, sizeof(header->checksum), &want))
		return false;
	for (size_t i = 0; i < BLOCK; i++)
		sum += i >= start && i < start + sizeof(header->checksum) ? ' ' : bytes[i];
	return sum == want;
}

static bool is_zero_block(const struct header *header)
{
	static const char zero[BLOCK];

	return memcmp(header, zero, BLOCK) == 0;
}

/*
 * "./a//b/../c" as "a/c"; *@base is where a relative name starts ("" is the
 * top), "/" begins at the top too. NULL when it leads out of the archive.
 */
static char *clean_path(const char *base, const char *path)
{
	auto_strbuf struct strbuf out = STRBUF_INIT;
	auto_free char *copy = str_dup(path);
	char *rest = copy;

	if (path[0] != '/')
		strbuf_puts(&out, base);
	for (char *word; (word = strsep(&rest, "/"));) {
		if (strcmp(word, "..") == 0) {
			const char *slash = memrchr(out.data, '/', out.len);

			if (out.len == 0)
				return NULL;
			strbuf_truncate(&out, slash ? (size_t)(slash - out.data) : 0);
			continue;
		}
		if (word[0] == '\0' || strcmp(word, ".") == 0)
			continue;
		if (out.len > 0)
			strbuf_putc(&out, '/');
		strbuf_puts(&out, word);
	}
	return strbuf_steal(&out);
}

/* ---- extended headers ---- */

static int load_extended(struct reader *reader, uint64_t size, char **out, struct err *err)
{
	auto_free char *data = NULL;

	if (size > EXTENDED_MAX)
		return refuse(reader, "an extended header of more than 1 MiB", err);
	data = mem_alloc((size_t)size + 1);
	if (read_at(reader, data, (size_t)size, reader->offset + BLOCK, err) < 0)
		return -1;
	*out = ptr_steal(&data);
	return 0;
}

static int keep(struct reader *reader, char **target, const char *text, size_t len, struct err *err)
{
	if (len > NAME_MAX_BYTES)
		return refuse(reader, "a name of more than 4096 bytes", err);
	free(*target);
	*target = str_ndup(text, len);
	return 0;
}

static int take_pax_size(struct reader *reader, const char *text, size_t len, struct err *err)
{
	uint64_t value = 0;

	if (len == 0 || len > 19)
		return refuse(reader, "a PAX size that is no number", err);
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return refuse(reader, "a PAX size that is no number", err);
		value = 10 * value + (uint64_t)(text[i] - '0');
	}
	reader->next_size = value;
	reader->has_next_size = true;
	return 0;
}

static int take_pax_record(struct reader *reader, const char *key, size_t key_len,
			   const char *value, size_t value_len, struct err *err)
{
	if (key_len == 4 && memcmp(key, "path", 4) == 0)
		return keep(reader, &reader->next_name, value, value_len, err);
	if (key_len == 8 && memcmp(key, "linkpath", 8) == 0)
		return keep(reader, &reader->next_link, value, value_len, err);
	if (key_len == 4 && memcmp(key, "size", 4) == 0)
		return take_pax_size(reader, value, value_len, err);
	if (key_len > 11 && memcmp(key, "GNU.sparse.", 11) == 0)
		return refuse(reader, "a sparse file, which is not supported,", err);
	return 0;
}

/* "<length> <key>=<value>\n", the length counting the whole record. */
static int take_pax(struct reader *reader, uint64_t size, struct err *err)
{
	auto_free char *data = NULL;
	const char *p;
	const char *end;

	if (load_extended(reader, size, &data, err) < 0)
		return -1;
	for (p = data, end = data + size; p < end;) {
		size_t left = (size_t)(end - p);
		size_t len = 0;
		size_t i = 0;
		const char *equals;

		for (; i < left && i < 8 && p[i] >= '0' && p[i] <= '9'; i++)
			len = 10 * len + (size_t)(p[i] - '0');
		if (i == 0 || i == left || p[i] != ' ' || len > left || len < i + 3 ||
		    p[len - 1] != '\n')
			return refuse(reader, "a damaged PAX header", err);
		equals = memchr(p + i + 1, '=', len - i - 1);
		if (!equals)
			return refuse(reader, "a damaged PAX header", err);
		if (take_pax_record(reader, p + i + 1, (size_t)(equals - p) - i - 1, equals + 1,
				    len - (size_t)(equals - p) - 2, err) < 0)
			return -1;
		p += len;
	}
	return 0;
}

static int take_long_name(struct reader *reader, uint64_t size, char **target, struct err *err)
{
	auto_free char *data = NULL;

	if (load_extended(reader, size, &data, err) < 0)
		return -1;
	return keep(reader, target, data, strlen(data), err);
}

/* ---- entries ---- */

static char *header_name(const struct header *header)
{
	auto_free char *name = str_ndup(header->name, sizeof(header->name));
	auto_free char *prefix = str_ndup(header->prefix, sizeof(header->prefix));

	/* GNU tar keeps other things where ustar has the prefix */
	if (memcmp(header->magic, "ustar\0", 6) == 0 && prefix[0] != '\0')
		return str_format("%s/%s", prefix, name);
	return ptr_steal(&name);
}

/* Where a link leads: a hard link from the top, a symbolic one from its directory. */
static char *link_target(const char *name, const char *link, char type)
{
	const char *slash = strrchr(name, '/');
	auto_free char *base = NULL;

	if (type == '1')
		return clean_path("", link);
	base = str_ndup(name, slash ? (size_t)(slash - name) : 0);
	return clean_path(base, link);
}

static void add_entry(struct reader *reader, const struct header *header, uint64_t size,
		      struct tarindex *index, size_t *cap)
{
	auto_free char *raw =
		reader->next_name ? ptr_steal(&reader->next_name) : header_name(header);
	auto_free char *link = reader->next_link ? ptr_steal(&reader->next_link)
						 : str_ndup(header->link, sizeof(header->link));
	auto_free char *name = clean_path("", raw);
	bool is_link = header->type == '1' || header->type == '2';
	struct tarindex_entry *entry;

	/* a name that leads out is never asked for */
	if (!name || name[0] == '\0')
		return;
	if (index->count == *cap) {
		*cap = *cap ? 2 * *cap : 64;
		index->entries = mem_resize(index->entries, *cap, sizeof(*index->entries));
	}
	entry = &index->entries[index->count++];
	*entry = (struct tarindex_entry){
		.offset = reader->offset + BLOCK,
		.size_bytes = size,
		.is_link = is_link,
		.link = is_link ? link_target(name, link, header->type) : NULL,
	};
	entry->name = ptr_steal(&name);
}

static bool is_extended(char type)
{
	return type == 'x' || type == 'g' || type == 'L' || type == 'K';
}

/* One header and what belongs to it; *out_end at the end mark. */
static int take_entry(struct reader *reader, struct tarindex *index, size_t *cap, bool *out_end,
		      struct err *err)
{
	struct header header;
	uint64_t size = 0;
	int result = 0;

	if (read_at(reader, &header, BLOCK, reader->offset, err) < 0)
		return -1;
	if (is_zero_block(&header)) {
		*out_end = true;
		return 0;
	}
	if (!has_checksum(&header) || !parse_number(header.size, sizeof(header.size), &size))
		return refuse(reader, index->count == 0 ? "no tar header" : "a damaged header",
			      err);
	if (!is_extended(header.type) && reader->has_next_size)
		size = reader->next_size;
	/* the link types have no content, whatever their size field says */
	if (header.type >= '1' && header.type <= '6')
		size = 0;
	if (size > reader->size_bytes || reader->offset + BLOCK > reader->size_bytes - size)
		return err_set(err, ERR_INPUT,
			       "'%s' is cut off: an entry at byte %llu ends after it", reader->what,
			       (unsigned long long)reader->offset);
	switch (header.type) {
	case 'x':
		result = take_pax(reader, size, err);
		break;
	case 'g':
		break;
	case 'L':
		result = take_long_name(reader, size, &reader->next_name, err);
		break;
	case 'K':
		result = take_long_name(reader, size, &reader->next_link, err);
		break;
	case 'S':
		return refuse(reader, "a sparse file, which is not supported,", err);
	case '\0':
	case '0':
	case '1':
	case '2':
	case '7':
		add_entry(reader, &header, size, index, cap);
		/* fall through */
	default: /* directories, devices: nothing to be read */
		free(ptr_steal(&reader->next_name));
		free(ptr_steal(&reader->next_link));
		reader->has_next_size = false;
	}
	if (index->count > TARINDEX_MAX_ENTRIES)
		return refuse(reader, "too many entries", err);
	reader->offset += BLOCK + (size + BLOCK - 1) / BLOCK * BLOCK;
	return result;
}

static int by_name_then_offset(const void *a, const void *b)
{
	const struct tarindex_entry *x = a;
	const struct tarindex_entry *y = b;
	int order = strcmp(x->name, y->name);

	if (order != 0)
		return order;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* By name; of equal names only the last. */
static void settle(struct tarindex *index)
{
	size_t kept = 0;

	if (index->count < 2)
		return;
	qsort(index->entries, index->count, sizeof(*index->entries), by_name_then_offset);
	for (size_t i = 0; i < index->count; i++) {
		bool is_last = i + 1 == index->count ||
			       strcmp(index->entries[i].name, index->entries[i + 1].name) != 0;

		if (is_last)
			index->entries[kept++] = index->entries[i];
		else
			entry_clear(&index->entries[i]);
	}
	index->count = kept;
}

int tarindex_load(int fd, const char *what, struct tarindex *out, struct err *err)
{
	auto_tarindex struct tarindex index = TARINDEX_INIT;
	struct reader reader = { .fd = fd, .what = what };
	struct stat st;
	size_t cap = 0;
	bool is_end = false;
	int result = 0;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "stat '%s'", what);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INPUT, "'%s' is not a regular file", what);
	reader.size_bytes = (uint64_t)st.st_size;
	/* a tar may end without its mark, exactly at the end of an entry */
	while (result == 0 && !is_end && (reader.offset < reader.size_bytes || reader.offset == 0))
		result = take_entry(&reader, &index, &cap, &is_end, err);
	free(reader.next_name);
	free(reader.next_link);
	if (result < 0)
		return -1;

	settle(&index);
	*out = index;
	index = (struct tarindex)TARINDEX_INIT;
	return 0;
}

static int compare_name(const void *key, const void *entry)
{
	return strcmp(key, ((const struct tarindex_entry *)entry)->name);
}

const struct tarindex_entry *tarindex_find(const struct tarindex *index, const char *path)
{
	auto_free char *name = clean_path("", path);

	for (int hops = 0; name && hops <= LINKS_MAX; hops++) {
		const struct tarindex_entry *entry = NULL;

		if (index->count > 0)
			entry = bsearch(name, index->entries, index->count, sizeof(*index->entries),
					compare_name);
		if (!entry || !entry->is_link)
			return entry;
		free(name);
		name = str_dup(entry->link);
	}
	return NULL;
}
