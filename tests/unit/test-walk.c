/* SPDX-License-Identifier: Apache-2.0 */
/* Directories in one fixed order. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/strbuf.h"
#include "common/tree.h"
#include "layers/walk.h"

static char place[64];
static int root = -1;

static int make_tree(void **state)
{
	int fd;

	strcpy(place, "/tmp/test-walk.XXXXXX");
	assert_non_null(mkdtemp(place));
	root = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(root >= 0);
	assert_int_equal(mkdirat(root, "b", 0755), 0);
	assert_int_equal(mkdirat(root, "b/z", 0755), 0);
	assert_int_equal(mkdirat(root, "b/empty", 0755), 0);
	assert_int_equal(symlinkat("b", root, "a"), 0);
	assert_int_equal(symlinkat("..", root, "b/z/up"), 0);
	fd = openat(root, "b.c", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(mkdirat(root, "\xff", 0755), 0);
	return 0;
}

static int remove_tree(void **state)
{
	struct err err = ERR_INIT;

	assert_int_equal(tree_empty(root, &err), 0);
	close(root);
	return rmdir(place);
}

struct record {
	struct strbuf text;
	const char *skip; /* do not go below it */
	const char *stop; /* fail there */
};

static int note(void *context, const struct walk_item *item, struct err *err)
{
	static const char marks[] = "f>";
	struct record *record = context;
	struct stat st;

	if (item->event == WALK_LEAVE) {
		strbuf_printf(&record->text, "<%s\n", item->path);
		return 0;
	}
	strbuf_printf(&record->text, "%c%s\n", marks[item->event], item->path);
	if (*item->name) {
		assert_int_equal(fstatat(item->dir_fd, item->name, &st, AT_SYMLINK_NOFOLLOW), 0);
		assert_int_equal(st.st_ino, item->st->st_ino);
	}
	if (item->event == WALK_ENTER) {
		assert_int_equal(fstat(item->fd, &st), 0);
		assert_int_equal(st.st_ino, item->st->st_ino);
		assert_true(*item->out_descend);
	}
	if (record->skip && strcmp(record->skip, item->path) == 0)
		*item->out_descend = false;
	if (record->stop && strcmp(record->stop, item->path) == 0)
		return err_set(err, ERR_INPUT, "stopped");
	return 0;
}

static void order_is_by_bytes(void **state)
{
	struct record record = { .text = STRBUF_INIT };
	struct err err = ERR_INIT;

	for (int again = 0; again < 2; again++) {
		strbuf_truncate(&record.text, 0);
		assert_int_equal(walk_tree(root, note, &record, &err), 0);
		assert_string_equal(record.text.data, ">\nfa\n>b\n>b/empty\n<b/empty\n>b/z\n"
						      "fb/z/up\n<b/z\n<b\nfb.c\n>\xff\n<\xff\n"
						      "<\n");
	}
	strbuf_release(&record.text);
}

static void directories_can_be_skipped(void **state)
{
	struct record record = { .text = STRBUF_INIT, .skip = "b" };
	struct err err = ERR_INIT;

	assert_int_equal(walk_tree(root, note, &record, &err), 0);
	assert_string_equal(record.text.data, ">\nfa\n>b\n<b\nfb.c\n>\xff\n<\xff\n<\n");
	strbuf_release(&record.text);
}

static void the_callers_error_stops(void **state)
{
	struct record record = { .text = STRBUF_INIT, .stop = "b/z" };
	struct err err = ERR_INIT;

	assert_int_equal(walk_tree(root, note, &record, &err), -1);
	assert_int_equal(err.kind, ERR_INPUT);
	assert_string_equal(err.text, "stopped");
	assert_string_equal(record.text.data, ">\nfa\n>b\n>b/empty\n<b/empty\n>b/z\n");
	strbuf_release(&record.text);
}

static void names_come_sorted(void **state)
{
	struct strlist names = STRLIST_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(walk_names(root, &names, "", &err), 0);
	assert_int_equal(names.count, 4);
	assert_string_equal(names.items[0], "a");
	assert_string_equal(names.items[1], "b");
	assert_string_equal(names.items[2], "b.c");
	assert_string_equal(names.items[3], "\xff");
	strlist_release(&names);
}

static void large_directories_are_whole(void **state)
{
	struct strlist names = STRLIST_INIT;
	struct err err = ERR_INIT;
	char name[64];

	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "b/empty/a-rather-long-name-%d", i);
		assert_int_equal(symlinkat("x", root, name), 0);
	}
	int fd = openat(root, "b/empty", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(walk_names(fd, &names, "b/empty", &err), 0);
	assert_int_equal(names.count, 3000);
	for (size_t i = 1; i < names.count; i++)
		assert_true(strcmp(names.items[i - 1], names.items[i]) < 0);
	strlist_release(&names);
	close(fd);
}

static void deep_trees_are_walked(void **state)
{
	struct record record = { .text = STRBUF_INIT };
	struct err err = ERR_INIT;
	int fd = dup(root);

	/* 40 × 128 bytes: a path that no single call takes */
	for (int i = 0; i < 40; i++) {
		char name[129];
		int below;

		memset(name, 'd', 128);
		name[128] = '\0';
		assert_int_equal(mkdirat(fd, name, 0755), 0);
		below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(below >= 0);
		close(fd);
		fd = below;
	}
	close(fd);
	assert_int_equal(walk_tree(root, note, &record, &err), 0);
	assert_true(record.text.len > 5000);
	strbuf_release(&record.text);
}

static void what_is_no_directory_is_an_error(void **state)
{
	struct record record = { .text = STRBUF_INIT };
	struct err err = ERR_INIT;
	int fd = openat(root, "b.c", O_RDONLY | O_CLOEXEC);

	assert_int_equal(walk_tree(fd, note, &record, &err), -1);
	assert_int_equal(err.kind, ERR_SYSTEM);
	assert_int_equal(err.sys_errno, ENOTDIR);
	strbuf_release(&record.text);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(order_is_by_bytes, make_tree, remove_tree),
		cmocka_unit_test_setup_teardown(directories_can_be_skipped, make_tree, remove_tree),
		cmocka_unit_test_setup_teardown(the_callers_error_stops, make_tree, remove_tree),
		cmocka_unit_test_setup_teardown(names_come_sorted, make_tree, remove_tree),
		cmocka_unit_test_setup_teardown(large_directories_are_whole, make_tree,
						remove_tree),
		cmocka_unit_test_setup_teardown(deep_trees_are_walked, make_tree, remove_tree),
		cmocka_unit_test_setup_teardown(what_is_no_directory_is_an_error, make_tree,
						remove_tree),
	};

	return cmocka_run_group_tests_name("walk", tests, NULL, NULL);
}
