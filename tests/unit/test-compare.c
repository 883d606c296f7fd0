/* SPDX-License-Identifier: Apache-2.0 */
/* The first difference of two layer directories, in words. Trees are made by shell lines. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/tree.h"
#include "layers/compare.h"

static char place[64];
static int place_fd = -1;

static void sh(const char *lines)
{
	struct strbuf command = STRBUF_INIT;

	strbuf_printf(&command, "cd %s && set -e && umask 022\n%s\n", place, lines);
	assert_int_equal(system(command.data), 0);
	strbuf_release(&command);
}

static int make_place(void **state)
{
	strcpy(place, "/tmp/test-compare.XXXXXX");
	assert_non_null(mkdtemp(place));
	place_fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(place_fd >= 0);
	sh("mkdir a b");
	return 0;
}

static int remove_place(void **state)
{
	struct err err = ERR_INIT;

	assert_int_equal(tree_empty(place_fd, &err), 0);
	close(place_fd);
	return rmdir(place);
}

/* All times are 1000 but those set to small numbers on purpose. */
static void expect(const char *lines, const char *words)
{
	struct strbuf out = STRBUF_INIT;
	struct err err = ERR_INIT;
	bool differ = false;
	int a;
	int b;

	sh("rm -rf a b; mkdir a; mkdir b");
	sh(lines);
	sh("find a b -newermt @100000 -print0 | sort -rz | xargs -0r touch -hd @1000");
	a = openat(place_fd, "a", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	b = openat(place_fd, "b", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(compare_layers(a, b, OVERLAY_USER, &differ, &out, &err), 0);
	assert_string_equal(out.data, words);
	assert_int_equal(differ, words[0] != '\0');
	strbuf_release(&out);
	close(a);
	close(b);
}

static void equal_is_silent(void **state)
{
	expect("", "");
	expect("mkdir a/d; echo x > a/d/f; ln a/d/f a/g; ln -s f a/l; cp -a a/. b", "");
}

static void content_and_sizes(void **state)
{
	expect("echo abcd > a/f; echo abXd > b/f", "f: content differs at byte 2");
	expect("echo abcd > a/f; echo abcdef > b/f", "f: content differs at byte 4 (5 vs 7 bytes)");
	expect("head -c 300000 /dev/zero > a/f; (head -c 299999 /dev/zero; echo) > b/f",
	       "f: content differs at byte 299999");
	/* content goes before what else differs */
	expect("echo a > a/f; echo b > b/f; chmod 700 b/f", "f: content differs at byte 0");
}

static void metadata(void **state)
{
	expect("echo a > a/f; echo a > b/f; chmod 700 b/f", "f: mode 0644 vs 0700");
	expect("echo a > a/f; echo a > b/f; touch -d @7 b/f", "f: mtime 1000 vs 7");
	expect("ln -s x a/l; ln -s y b/l", "l: symlink to 'x' vs 'y'");
	expect("touch a/k; mkdir b/k", "k: file vs directory");
	expect("echo a > a/f; ln a/f a/g; echo a > b/f; echo a > b/g", "g: hard link vs file");
}

static void what_is_missing(void **state)
{
	expect("touch a/a a/c b/a b/b b/c", "b: only in the second");
	expect("touch a/a a/b a/c b/a b/c", "b: only in the first");
	expect("touch a/z", "z: only in the first");
	expect("mkdir b/d; touch b/d/x", "d: only in the second");
}

static void times_of_directories_come_last(void **state)
{
	expect("mkdir a/d b/d; touch -d @7 a/d; touch -d @8 b/d", "d: mtime 7 vs 8");
	expect("mkdir a/d b/d; echo 1 > a/d/f; echo 2 > b/d/f; touch -d @7 a/d; touch -d @8 b/d",
	       "d/f: content differs at byte 0");
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(equal_is_silent),
		WITH_PLACE(content_and_sizes),
		WITH_PLACE(metadata),
		WITH_PLACE(what_is_missing),
		WITH_PLACE(times_of_directories_come_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
