/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives every file of a corpus to a fuzz target, once, as an ordinary test:
 * tests/fuzz/fuzz-NAME reads tests/fuzz/corpus/NAME, or the files and
 * directories that it is given. Speaks TAP. A target that finds something
 * wrong aborts.
 *
 * To search for more: compile the target with -fsanitize=fuzzer,address,undefined
 * instead of linking it with this file.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/strlist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int collect(const char *path, struct strlist *files)
{
	struct stat st;
	DIR *directory;

	if (stat(path, &st) < 0)
		return -1;
	if (!S_ISDIR(st.st_mode)) {
		strlist_add(files, path);
		return 0;
	}
	directory = opendir(path);
	if (!directory)
		return -1;
	for (struct dirent *entry; (entry = readdir(directory));)
		if (entry->d_name[0] != '.')
			strlist_addf(files, "%s/%s", path, entry->d_name);
	closedir(directory);
	return 0;
}

static int replay(const char *path)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	auto_strbuf struct strbuf data = STRBUF_INIT;
	auto_free uint8_t *exact = NULL;
	struct err err = ERR_INIT;

	if (fd < 0 || fd_read_all(fd, 16 << 20, &data, path, &err) < 0)
		return -1;
	/* its very size, so that a sanitizer sees a read past its end */
	exact = mem_alloc(data.len ? data.len : 1);
	memcpy(exact, data.data, data.len);
	LLVMFuzzerTestOneInput(exact, data.len);
	return 0;
}

int main(int argc, char **argv)
{
	auto_strlist struct strlist files = STRLIST_INIT;
	const char *source = getenv("top_srcdir");
	const char *dash = strrchr(argv[0], '-');
	auto_free char *corpus = str_format("%s/tests/fuzz/corpus/%s", source ? source : ".",
					    dash ? dash + 1 : argv[0]);
	int failed = 0;

	for (int i = 1; i < argc || i == 1; i++) {
		const char *path = i < argc ? argv[i] : corpus;

		if (collect(path, &files) < 0) {
			printf("Bail out! %s: %s\n", path, strerror(errno));
			return 1;
		}
	}
	strlist_sort(&files);
	printf("1..%zu\n", files.count);
	for (size_t i = 0; i < files.count; i++) {
		int result = replay(files.items[i]);

		failed |= result;
		printf("%s %zu - %s\n", result < 0 ? "not ok" : "ok", i + 1,
		       strrchr(files.items[i], '/') ? strrchr(files.items[i], '/') + 1
						    : files.items[i]);
		fflush(stdout);
	}
	return failed || files.count == 0;
}
