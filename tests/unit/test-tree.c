/* SPDX-License-Identifier: Apache-2.0 */
/* Whole trees are removed: deep ones, locked ones, and nothing beside them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "common/tree.h"
#include "tests/unit/scratch.h"

#define DEEP_LEVELS 3000

static void remove_ok(const struct scratch *scratch, const char *name)
{
	struct err err = ERR_INIT;

	if (tree_remove(scratch->fd, name, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(err.kind, ERR_NONE);
	assert_false(scratch_has(scratch, name));
}

static void removes_what_there_is(void **state)
{
	struct scratch scratch;

	scratch_make(&scratch);
	remove_ok(&scratch, "none");
	remove_ok(&scratch, "none/deeper");
	scratch_write(&scratch, "file", "");
	remove_ok(&scratch, "file");
	scratch_mkdir(&scratch, "empty");
	remove_ok(&scratch, "empty");
	scratch_mkdir(&scratch, "a");
	scratch_mkdir(&scratch, "a/b");
	scratch_mkdir(&scratch, "a/c");
	scratch_mkdir(&scratch, "a/c/d");
	scratch_write(&scratch, "a/c/d/file", "text");
	assert_int_equal(mkfifoat(scratch.fd, "a/b/fifo", 0600), 0);
	remove_ok(&scratch, "a/c");
	assert_true(scratch_has(&scratch, "a/b/fifo"));
	remove_ok(&scratch, "a");
	scratch_remove(&scratch);
}

static void follows_no_link(void **state)
{
	struct scratch scratch;
	struct err err = ERR_INIT;

	scratch_make(&scratch);
	scratch_mkdir(&scratch, "keep");
	scratch_write(&scratch, "keep/file", "text");
	scratch_mkdir(&scratch, "gone");
	scratch_symlink(&scratch, "../keep", "gone/link");
	scratch_symlink(&scratch, "keep", "link");
	remove_ok(&scratch, "gone");
	assert_int_equal(tree_remove(scratch.fd, "link/file", &err), -1);
	assert_int_equal(errno, ELOOP);
	remove_ok(&scratch, "link");
	assert_true(scratch_has(&scratch, "keep/file"));
	assert_int_equal(tree_remove(scratch.fd, "keep/..", &err), -1);
	assert_int_equal(err.kind, ERR_INPUT);
	assert_true(scratch_has(&scratch, "keep/file"));
	scratch_remove(&scratch);
}

static void empties_but_keeps_the_top(void **state)
{
	struct scratch scratch;
	struct err err = ERR_INIT;
	char name[16];

	scratch_make(&scratch);
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "dir%d", i);
		scratch_mkdir(&scratch, name);
		snprintf(name, sizeof(name), "dir%d/file", i);
		scratch_write(&scratch, name, "");
	}
	assert_int_equal(tree_empty(scratch.fd, &err), 0);
	assert_false(scratch_has(&scratch, "dir0"));
	assert_int_equal(rmdir(scratch.path), 0);
	assert_int_equal(tree_empty(scratch.fd, &err), 0);
	close(scratch.fd);
}

static void make_deep(const struct scratch *scratch)
{
	int fd = dup(scratch->fd);

	for (int i = 0; i < DEEP_LEVELS; i++) {
		int below;

		assert_int_equal(mkdirat(fd, "d", 0755), 0);
		if (i % 100 == 0) {
			assert_int_equal(mkdirat(fd, "e", 0755), 0);
			assert_int_equal(symlinkat("d", fd, "s"), 0);
		}
		below = openat(fd, "d", O_PATH | O_CLOEXEC);
		assert_true(below >= 0);
		close(fd);
		fd = below;
	}
	close(fd);
}

/* More levels than descriptors. */
static void removes_a_deep_tree(void **state)
{
	const struct rlimit few = { 64, 64 };
	struct scratch scratch;
	int status;
	pid_t pid;

	scratch_make(&scratch);
	make_deep(&scratch);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct err err = ERR_INIT;

		if (setrlimit(RLIMIT_NOFILE, &few) < 0)
			_exit(2);
		_exit(tree_empty(scratch.fd, &err) < 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	scratch_remove(&scratch);
}

/* Who is not root meets directories that keep their owner out. */
static void opens_up_what_is_locked(void **state)
{
	struct scratch scratch;
	int status;
	pid_t pid;

	scratch_make(&scratch);
	assert_int_equal(chmod(scratch.path, 0777), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct err err = ERR_INIT;

		if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
			_exit(2);
		if (mkdirat(scratch.fd, "a", 0700) < 0 || mkdirat(scratch.fd, "a/b", 0700) < 0 ||
		    mkdirat(scratch.fd, "a/b/c", 0) < 0 ||
		    fchmodat(scratch.fd, "a/b", 0500, 0) < 0 || fchmodat(scratch.fd, "a", 0, 0) < 0)
			_exit(3);
		if (tree_remove(scratch.fd, "a", &err) < 0) {
			fprintf(stderr, "%s\n", err.text);
			_exit(1);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_false(scratch_has(&scratch, "a"));
	scratch_remove(&scratch);
}

static void names_what_cannot_be_removed(void **state)
{
	struct scratch scratch;
	int status;
	pid_t pid;

	scratch_make(&scratch);
	assert_int_equal(chmod(scratch.path, 0777), 0);
	scratch_mkdir(&scratch, "a");
	scratch_mkdir(&scratch, "a/b");
	scratch_write(&scratch, "a/b/file", "");
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct err err = ERR_INIT;

		if (geteuid() != 0)
			_exit(77);
		if (setresuid(65534, 65534, 65534) < 0)
			_exit(2);
		if (tree_remove(scratch.fd, "a", &err) == 0)
			_exit(3);
		_exit(strcmp(err.text, "remove 'a/b/file': Permission denied") ? 4 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(scratch_has(&scratch, "a/b/file"));
	scratch_remove(&scratch);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

/* In a child with mounts of its own; needs root. */
static int remove_with_mount(const struct scratch *scratch)
{
	struct err err = ERR_INIT;
	char path[128];

	snprintf(path, sizeof(path), "%s/a/mnt", scratch->path);
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(scratch->path, path, NULL, MS_BIND, NULL) < 0)
		return 77;
	if (tree_remove(scratch->fd, "a", &err) == 0)
		return 1;
	if (strcmp(err.text, "remove 'a/mnt': Device or resource busy") != 0) {
		fprintf(stderr, "%s\n", err.text);
		return 2;
	}
	/* the mounted one itself */
	if (tree_remove(scratch->fd, "a/mnt", &err) == 0 || err.sys_errno != EBUSY)
		return 3;
	return 0;
}

static void does_not_cross_a_mount(void **state)
{
	struct scratch scratch;
	int status;
	pid_t pid;

	scratch_make(&scratch);
	scratch_mkdir(&scratch, "a");
	scratch_mkdir(&scratch, "a/mnt");
	scratch_write(&scratch, "keep", "text");
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(remove_with_mount(&scratch));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(scratch_has(&scratch, "keep"));
	scratch_remove(&scratch);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(removes_what_there_is),
		cmocka_unit_test(follows_no_link),
		cmocka_unit_test(empties_but_keeps_the_top),
		cmocka_unit_test(removes_a_deep_tree),
		cmocka_unit_test(opens_up_what_is_locked),
		cmocka_unit_test(names_what_cannot_be_removed),
		cmocka_unit_test(does_not_cross_a_mount),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
