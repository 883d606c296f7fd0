/* SPDX-License-Identifier: Apache-2.0 */
/* An original stands for its clone, and for no other file, until it changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "builder/originals.h"
#include "common/fd.h"

static int new_file(const char *text)
{
	char path[] = "/tmp/imgbuild-unit.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(write(fd, text, 4), 4);
	return fd;
}

static struct stat stat_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st;
}

static void is_found_by_its_clone_alone(void **state)
{
	auto_originals struct originals *originals = originals_new();
	auto_close int original = new_file("same");
	auto_close int clone = new_file("same");
	auto_close int stranger = new_file("same");
	struct stat st = stat_of(original);
	struct stat clone_st = stat_of(clone);
	struct stat stranger_st = stat_of(stranger);
	struct err err = ERR_INIT;
	char text[4];
	int fd;

	assert_int_equal(originals_find(originals, &clone_st), -1);
	assert_int_equal(originals_add(originals, clone, original, &st, &err), 0);
	fd_close(&original); /* they have their own */
	fd = originals_find(originals, &clone_st);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, text, 4), 4); /* from its beginning, each time */
	assert_int_equal(read(originals_find(originals, &clone_st), text, 4), 4);
	assert_memory_equal(text, "same", 4);
	assert_int_equal(originals_find(originals, &stranger_st), -1);
	assert_false(originals_have_changed(originals));
}

static void is_one_no_more_once_it_changes(void **state)
{
	auto_originals struct originals *originals = originals_new();
	auto_close int original = new_file("same");
	auto_close int clone = new_file("same");
	struct stat st = stat_of(original);
	struct stat clone_st = stat_of(clone);
	struct timespec times[2];
	struct err err = ERR_INIT;

	assert_int_equal(originals_add(originals, clone, original, &st, &err), 0);
	usleep(20000); /* the file system's clock is behind */
	assert_int_equal(pwrite(original, "diff", 4, 0), 4);
	assert_true(originals_have_changed(originals));
	assert_int_equal(originals_find(originals, &clone_st), -1);
	/* nor does it help to set its time back */
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	assert_int_equal(futimens(original, times), 0);
	assert_true(originals_have_changed(originals));
	assert_false(original_is_unchanged(original, &st));
}

static void what_was_just_written_or_is_small_is_none(void **state)
{
	auto_close int fd = new_file("same");
	struct stat st = stat_of(fd);

	assert_false(original_is_usable(fd, &st));
	assert_int_equal(ftruncate(fd, ORIGINAL_MIN_BYTES), 0);
	st = stat_of(fd);
	assert_false(original_is_usable(fd, &st));
}

static void there_is_room_for_a_few(void **state)
{
	auto_originals struct originals *originals = originals_new();
	auto_close int fd = new_file("same");
	struct stat st = stat_of(fd);
	struct err err = ERR_INIT;
	size_t count = 0;

	for (; originals_has_room(originals); count++)
		assert_int_equal(originals_add(originals, fd, fd, &st, &err), 0);
	assert_true(count >= 16 && count <= 256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_found_by_its_clone_alone),
		cmocka_unit_test(is_one_no_more_once_it_changes),
		cmocka_unit_test(what_was_just_written_or_is_small_is_none),
		cmocka_unit_test(there_is_room_for_a_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
