/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands before an entry and changes it. The first byte of the input is the
 * type of the header ('x', 'g', 'L', 'K' or any other), the rest its content;
 * behind it come a file, a link and a file below the link, all with the right sums.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "layers/tarindex.h"
#include "tests/fuzz/unpack-inside.h"

#define BLOCK 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add_entry(struct strbuf *tar, char type, const char *name, const char *link,
		      const void *content, size_t len)
{
	static const char zeros[BLOCK];
	char head[BLOCK] = { 0 };
	unsigned sum = 0;

	snprintf(head, 100, "%s", name);
	memcpy(head + 100, "0000644\0000000000\0000000000", 24);
	snprintf(head + 124, 12, "%011zo", len);
	memcpy(head + 136, "14000000000", 12);
	memset(head + 148, ' ', 8);
	head[156] = type;
	snprintf(head + 157, 100, "%s", link);
	memcpy(head + 257, "ustar\00000", 8);
	for (size_t i = 0; i < BLOCK; i++)
		sum += (unsigned char)head[i];
	snprintf(head + 148, 8, "%06o", sum);
	strbuf_add(tar, head, BLOCK);
	strbuf_add(tar, content, len);
	if (len % BLOCK)
		strbuf_add(tar, zeros, BLOCK - len % BLOCK);
}

/* An index of it has only files that lie inside. */
static void must_be_indexed(const struct strbuf *tar)
{
	auto_tarindex struct tarindex index = TARINDEX_INIT;
	auto_close int fd = memfd_create("input", MFD_CLOEXEC);
	struct err err = ERR_INIT;

	if (fd < 0 || !fd_write_quiet(fd, tar->data, tar->len) ||
	    tarindex_load(fd, "input", &index, &err) < 0)
		return;
	for (size_t i = 0; i < index.count; i++) {
		const struct tarindex_entry *entry = &index.entries[i];

		if (!entry->is_link &&
		    (entry->offset > tar->len || entry->size_bytes > tar->len - entry->offset))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char zeros[2 * BLOCK];
	auto_strbuf struct strbuf tar = STRBUF_INIT;

	if (size < 1)
		return 0;
	add_entry(&tar, (char)data[0], "././@PaxHeader", "", data + 1, size - 1);
	add_entry(&tar, '0', "file", "", "content", 7);
	add_entry(&tar, '2', "link", "..", "", 0);
	add_entry(&tar, (char)data[0], "././@PaxHeader", "", data + 1, size - 1);
	add_entry(&tar, '0', "link/out", "", "0123456789", 10);
	add_entry(&tar, '1', "hard", "file", "", 0);
	strbuf_add(&tar, zeros, sizeof(zeros));
	unpack_inside((const uint8_t *)tar.data, tar.len, UNPACK_REFUSE);
	unpack_inside((const uint8_t *)tar.data, tar.len, UNPACK_TO_OVERLAY);
	must_be_indexed(&tar);
	return 0;
}
