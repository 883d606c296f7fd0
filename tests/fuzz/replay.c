/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives every file of a corpus to a fuzz target, once, as an ordinary test:
 * tests/fuzz/fuzz-NAME reads tests/fuzz/corpus/NAME, or the files and
 * directories that it is given. Speaks TAP: a test for each file with a name, one
 * for all those that a search gathered, which are called by their digests. A
 * target that finds something wrong aborts.
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

/* Forty hex digits: nobody gave it a name. */
static int is_gathered(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	return strlen(name) == 40 && strspn(name, "0123456789abcdef") == 40;
}

static int replay_gathered(const struct strlist *files)
{
	int failed = 0;

	for (size_t i = 0; i < files->count; i++) {
		if (!is_gathered(files->items[i]))
			continue;
		/* which one it was, should this be the last line */
		printf("# %s\n", files->items[i]);
		fflush(stdout);
		failed |= replay(files->items[i]);
	}
	return failed;
}

static int replay_all(const struct strlist *files)
{
	size_t gathered = 0, number = 0;
	int failed = 0;

	for (size_t i = 0; i < files->count; i++)
		gathered += is_gathered(files->items[i]) ? 1 : 0;
	printf("1..%zu\n", files->count - gathered + (gathered > 0));
	for (size_t i = 0; i < files->count; i++) {
		const char *slash = strrchr(files->items[i], '/');
		int result;

		if (is_gathered(files->items[i]))
			continue;
		result = replay(files->items[i]);
		failed |= result;
		printf("%s %zu - %s\n", result < 0 ? "not ok" : "ok", ++number,
		       slash ? slash + 1 : files->items[i]);
		fflush(stdout);
	}
	if (gathered > 0) {
		int result = replay_gathered(files);

		failed |= result;
		printf("%s %zu - %zu that a search gathered\n", result < 0 ? "not ok" : "ok",
		       ++number, gathered);
	}
	return failed;
}

int main(int argc, char **argv)
{
	auto_strlist struct strlist files = STRLIST_INIT;
	const char *source = getenv("top_srcdir");
	const char *dash = strrchr(argv[0], '-');
	auto_free char *corpus = str_format("%s/tests/fuzz/corpus/%s", source ? source : ".",
					    dash ? dash + 1 : argv[0]);

	for (int i = 1; i < argc || i == 1; i++) {
		const char *path = i < argc ? argv[i] : corpus;

		if (collect(path, &files) < 0) {
			printf("Bail out! %s: %s\n", path, strerror(errno));
			return 1;
		}
	}
	strlist_sort(&files);
	return replay_all(&files) || files.count == 0;
}
