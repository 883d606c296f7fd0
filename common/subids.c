/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for reading /etc/subuid and /etc/subgid. */
#include "common/subids.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/fd.h"

#define FILE_MAX_BYTES ((size_t)16 * 1024 * 1024)

/* A decimal number below 2^32 that ends at @end. Moves *text behind it. */
static bool parse_number(const char **text, char end, uint32_t *out)
{
	const char *p = *text;
	uint64_t value = 0;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		value = value * 10 + (uint64_t)(*p - '0');
		if (value > UINT32_MAX)
			return false;
	}
	if (*p != end && !(end == '\n' && *p == '\0'))
		return false;
	*text = *p ? p + 1 : p;
	*out = (uint32_t)value;
	return true;
}

static bool overlaps(const struct subid_range *a, uint64_t start, uint64_t count)
{
	return a->start < start + count && start < (uint64_t)a->start + a->count;
}

static void add_range(struct subid_range range, uint32_t own_id, struct subids *out)
{
	if (range.count == 0 || (uint64_t)range.start + range.count > UINT32_MAX)
		return;
	if (out->count == SUBID_RANGES_MAX || overlaps(&range, own_id, 1))
		return;
	for (size_t i = 0; i < out->count; i++)
		if (overlaps(&out->ranges[i], range.start, range.count))
			return;
	out->ranges[out->count++] = range;
}

static bool is_owner(const char *line, size_t len, const char *owner)
{
	return owner && strlen(owner) == len && strncmp(line, owner, len) == 0;
}

void subids_parse(const char *text, const char *name, uint32_t uid, uint32_t own_id,
		  struct subids *out)
{
	char uid_text[16];

	snprintf(uid_text, sizeof(uid_text), "%u", uid);
	while (*text) {
		size_t line_len = strcspn(text, "\n");
		size_t owner_len = strcspn(text, ":\n");
		const char *rest = text + owner_len + 1;
		struct subid_range range;

		if (text[owner_len] == ':' &&
		    (is_owner(text, owner_len, name) || is_owner(text, owner_len, uid_text)) &&
		    parse_number(&rest, ':', &range.start) &&
		    parse_number(&rest, '\n', &range.count))
			add_range(range, own_id, out);
		text += line_len;
		text += *text == '\n';
	}
}

int subids_load(const char *path, const char *name, uint32_t uid, uint32_t own_id,
		struct subids *out, struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	if (fd_read_all(fd, FILE_MAX_BYTES, &text, path, err) < 0)
		return -1;
	subids_parse(text.data, name, uid, own_id, out);
	return 0;
}
