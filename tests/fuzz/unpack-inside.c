/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for unpacking what a fuzzer made, and for looking whether anything came of it outside. */
#include "tests/fuzz/unpack-inside.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/tree.h"
#include "layers/codec.h"

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

void unpack_inside(const uint8_t *data, size_t size, enum unpack_whiteouts whiteouts)
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
	const char *tmp = getenv("TMPDIR");
	auto_free char *top = str_format("%s/fuzz-untar.XXXXXX", tmp ? tmp : "/tmp");
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
	source = unpack_open(source_from_memory(data, size), "input", NULL, &err);
	if (source)
		unpack_tar(source, in_fd, &options, NULL, &err);
	/* an error is worded, and none is a bug of ours */
	if (err.kind == ERR_BUG || (err.kind != ERR_NONE && !err.text[0]))
		abort();
	must_be_untouched(top);
	if (tree_empty(top_fd, &err) < 0 || rmdir(top) < 0)
		abort();
}
