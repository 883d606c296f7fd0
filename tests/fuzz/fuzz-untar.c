/* SPDX-License-Identifier: Apache-2.0 */
/* Tars: whatever is in one, nothing appears outside the directory it is unpacked into. */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/tree.h"
#include "layers/codec.h"
#include "layers/unpack.h"

#define BLOCK 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Only "in" and the untouched "out" are there. */
static void must_be_untouched(const char *top)
{
	DIR *dir = opendir(top);
	struct stat st;

	if (!dir || fstatat(dirfd(dir), "out", &st, AT_SYMLINK_NOFOLLOW) < 0)
		abort();
	if (!S_ISREG(st.st_mode) || (st.st_mode & 07777) != 0640 || st.st_size != 0 ||
	    st.st_nlink != 1)
		abort();
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, "in") != 0 &&
		    strcmp(entry->d_name, "out") != 0)
			abort();
	}
	closedir(dir);
}

static void unpack(const uint8_t *data, size_t size, enum unpack_whiteouts whiteouts)
{
	const struct unpack_limits limits = {
		.max_bytes = 1 << 20,
		.max_entries = 1000,
		.max_depth = 64,
	};
	const struct unpack_options options = {
		.whiteouts = whiteouts,
		.ns = OVERLAY_USER,
		.limits = &limits,
		.owner = { .set = true, .uid = geteuid(), .gid = getegid() },
		.what = "input",
	};
	char top[] = "/tmp/fuzz-untar.XXXXXX";
	auto_close int top_fd = -1;
	auto_close int out_fd = -1;
	auto_close int in_fd = -1;
	auto_source struct source *source = NULL;
	struct err err = ERR_INIT;

	if (!mkdtemp(top))
		abort();
	top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	out_fd = openat(top_fd, "out", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (top_fd < 0 || out_fd < 0 || fchmod(out_fd, 0640) < 0 || mkdirat(top_fd, "in", 0700) < 0)
		abort();
	in_fd = openat(top_fd, "in", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	source = codec_decompress_any(source_from_memory(data, size), "input", NULL, &err);
	if (source)
		unpack_tar(source, in_fd, &options, NULL, &err);
	/* an error is worded, and none is a bug of ours */
	if (err.kind == ERR_BUG || (err.kind != ERR_NONE && !err.text[0]))
		abort();
	must_be_untouched(top);
	if (tree_empty(top_fd, &err) < 0 || rmdir(top) < 0)
		abort();
}

/* Put the right sum into every header: else whatever a mutation changes is seen no further. */
static void mend(uint8_t *data, size_t size)
{
	size_t pos = 0;

	while (size - pos >= BLOCK) {
		uint8_t *head = data + pos;
		unsigned sum = 0;
		size_t content = 0;

		memset(head + 148, ' ', 8);
		for (size_t i = 0; i < BLOCK; i++)
			sum += head[i];
		snprintf((char *)head + 148, 8, "%06o", sum);
		for (size_t i = 124; i < 135 && head[i] >= '0' && head[i] <= '7'; i++)
			content = content * 8 + (head[i] - '0');
		pos += BLOCK;
		if (content > size - pos)
			return;
		pos += (content + BLOCK - 1) / BLOCK * BLOCK;
		if (pos > size)
			return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free uint8_t *mended = size > 0 ? mem_dup(data, size) : NULL;

	unpack(data, size, UNPACK_REFUSE);
	if (!mended)
		return 0;
	mend(mended, size);
	unpack(mended, size, UNPACK_REFUSE);
	unpack(mended, size, UNPACK_TO_OVERLAY);
	return 0;
}
