/* SPDX-License-Identifier: Apache-2.0 */
/* What is not committed is gone; what its owner holds is not swept. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "common/tmpfile.h"
#include "tests/unit/scratch.h"

static size_t count_entries(const struct scratch *scratch)
{
	DIR *dir = opendir(scratch->path);
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2;
}

static void write_tmp(struct tmpfile *tmp, int dir_fd, const char *text)
{
	struct err err = ERR_INIT;

	if (tmpfile_open(tmp, dir_fd, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(write(tmp->fd, text, strlen(text)), strlen(text));
}

/* The same as a file system without O_TMPFILE makes of it. */
static void write_named_tmp(struct tmpfile *tmp, int dir_fd, const char *text)
{
	strcpy(tmp->name, ".tmp-0123456789abcdef");
	tmp->dir_fd = dir_fd;
	tmp->fd = openat(dir_fd, tmp->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	assert_true(tmp->fd >= 0);
	assert_int_equal(write(tmp->fd, text, strlen(text)), strlen(text));
}

typedef void (*write_fn)(struct tmpfile *tmp, int dir_fd, const char *text);
static const write_fn ways[] = { write_tmp, write_named_tmp };

static void an_uncommitted_file_is_gone(void **state)
{
	struct scratch scratch;

	scratch_make(&scratch);
	for (size_t i = 0; i < 2; i++) {
		struct tmpfile tmp = TMPFILE_INIT;

		ways[i](&tmp, scratch.fd, "text");
		tmpfile_release(&tmp);
		assert_int_equal(tmp.fd, -1);
		assert_int_equal(count_entries(&scratch), 0);
		tmpfile_release(&tmp);
	}
	scratch_remove(&scratch);
}

static void a_committed_file_stays(void **state)
{
	struct scratch scratch;
	struct err err = ERR_INIT;
	char text[16];

	scratch_make(&scratch);
	for (size_t i = 0; i < 2; i++) {
		const char *name = i ? "second" : "first";
		struct tmpfile tmp = TMPFILE_INIT;

		ways[i](&tmp, scratch.fd, name);
		assert_int_equal(tmpfile_commit(&tmp, name, &err), 0);
		/* still open for reading */
		assert_int_equal(lseek(tmp.fd, 0, SEEK_END), strlen(name));
		tmpfile_release(&tmp);
		assert_string_equal(scratch_read(&scratch, name, text, sizeof(text)), name);
		assert_int_equal(count_entries(&scratch), i + 1);
	}
	scratch_remove(&scratch);
}

static void the_first_of_a_name_stays(void **state)
{
	struct scratch scratch;
	struct err err = ERR_INIT;
	char text[16];

	scratch_make(&scratch);
	scratch_write(&scratch, "name", "old");
	for (size_t i = 0; i < 2; i++) {
		struct tmpfile tmp = TMPFILE_INIT;

		ways[i](&tmp, scratch.fd, "new");
		assert_int_equal(tmpfile_commit(&tmp, "name", &err), 0);
		tmpfile_release(&tmp);
		assert_string_equal(scratch_read(&scratch, "name", text, sizeof(text)), "old");
		assert_int_equal(count_entries(&scratch), 1);
	}
	scratch_remove(&scratch);
}

static void replace_replaces(void **state)
{
	struct scratch scratch;
	struct err err = ERR_INIT;
	char text[16];

	scratch_make(&scratch);
	for (size_t i = 0; i < 4; i++) {
		const char *content = i % 2 ? "odd" : "even";
		struct tmpfile tmp = TMPFILE_INIT;

		ways[i / 2](&tmp, scratch.fd, content);
		if (tmpfile_replace(&tmp, "name", &err) < 0)
			fail_msg("%s", err.text);
		tmpfile_release(&tmp);
		assert_string_equal(scratch_read(&scratch, "name", text, sizeof(text)), content);
		assert_int_equal(count_entries(&scratch), 1);
	}
	scratch_remove(&scratch);
}

static void a_commit_that_fails_says_so(void **state)
{
	struct scratch scratch;
	struct err err = ERR_INIT;

	scratch_make(&scratch);
	for (size_t i = 0; i < 2; i++) {
		struct tmpfile tmp = TMPFILE_INIT;

		ways[i](&tmp, scratch.fd, "text");
		assert_int_equal(tmpfile_commit(&tmp, "none/name", &err), -1);
		assert_string_equal(err.text, "create 'none/name': No such file or directory");
		assert_int_equal(tmpfile_replace(&tmp, "none/name", &err), -1);
		assert_int_equal(err.sys_errno, ENOENT);
		tmpfile_release(&tmp);
		assert_int_equal(count_entries(&scratch), 0);
	}
	scratch_remove(&scratch);
}

/* ---- directories ---------------------------------------------------------- */

static void an_uncommitted_directory_is_gone(void **state)
{
	struct scratch scratch;
	struct err err = ERR_INIT;
	struct tmpdir tmp = TMPDIR_INIT;

	scratch_make(&scratch);
	assert_int_equal(tmpdir_make(&tmp, scratch.fd, &err), 0);
	assert_int_equal(mkdirat(tmp.fd, "inside", 0700), 0);
	assert_int_equal(count_entries(&scratch), 1);
	tmpdir_release(&tmp);
	assert_int_equal(count_entries(&scratch), 0);
	tmpdir_release(&tmp);
	scratch_remove(&scratch);
}

static void a_committed_directory_stays(void **state)
{
	struct scratch scratch;
	struct err err = ERR_INIT;
	char text[16];
	int to_fd;

	scratch_make(&scratch);
	scratch_mkdir(&scratch, "to");
	to_fd = openat(scratch.fd, "to", O_PATH | O_CLOEXEC);
	for (int i = 0; i < 2; i++) {
		struct tmpdir tmp = TMPDIR_INIT;
		int fd;

		assert_int_equal(tmpdir_make(&tmp, scratch.fd, &err), 0);
		fd = openat(tmp.fd, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
		assert_int_equal(write(fd, i ? "second" : "first", 5), 5);
		close(fd);
		/* the second finds the name taken: success, the first stays */
		assert_int_equal(tmpdir_commit(&tmp, to_fd, "name", &err), 0);
		tmpdir_release(&tmp);
		assert_string_equal(scratch_read(&scratch, "to/name/file", text, sizeof(text)),
				    "first");
		assert_int_equal(count_entries(&scratch), 1);
	}
	close(to_fd);
	scratch_remove(&scratch);
}

static void a_sweep_takes_only_the_dead_ones(void **state)
{
	struct scratch scratch;
	struct err err = ERR_INIT;
	struct tmpdir mine = TMPDIR_INIT;
	int status;
	pid_t pid;

	scratch_make(&scratch);
	scratch_write(&scratch, "file", "no directory");
	scratch_symlink(&scratch, "/tmp", "link");
	assert_int_equal(tmpdir_make(&mine, scratch.fd, &err), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct tmpdir tmp = TMPDIR_INIT;

		if (tmpdir_make(&tmp, scratch.fd, &err) < 0 || mkdirat(tmp.fd, "inside", 0700) < 0)
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(count_entries(&scratch), 4);
	if (tmpdir_sweep(scratch.fd, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(count_entries(&scratch), 3);
	assert_true(scratch_has(&scratch, mine.name));
	tmpdir_release(&mine);
	assert_int_equal(count_entries(&scratch), 2);
	scratch_remove(&scratch);
}

struct sweeper {
	int fd;
	atomic_bool stop;
};

static void *keep_sweeping(void *data)
{
	struct sweeper *sweeper = data;
	struct err err = ERR_INIT;

	while (!atomic_load(&sweeper->stop))
		if (tmpdir_sweep(sweeper->fd, &err) < 0)
			return sweeper;
	return NULL;
}

/* A directory that was just made is never taken from its maker. */
static void making_wins_against_sweeping(void **state)
{
	struct sweeper sweeper = { .stop = false };
	struct scratch scratch;
	struct err err = ERR_INIT;
	pthread_t thread;
	void *failed;

	scratch_make(&scratch);
	sweeper.fd = scratch.fd;
	assert_int_equal(pthread_create(&thread, NULL, keep_sweeping, &sweeper), 0);
	for (int i = 0; i < 2000; i++) {
		struct tmpdir tmp = TMPDIR_INIT;

		if (tmpdir_make(&tmp, scratch.fd, &err) < 0)
			fail_msg("%s", err.text);
		assert_int_equal(mkdirat(tmp.fd, "inside", 0700), 0);
		assert_true(scratch_has(&scratch, tmp.name));
		tmpdir_release(&tmp);
	}
	atomic_store(&sweeper.stop, true);
	pthread_join(thread, &failed);
	assert_null(failed);
	assert_int_equal(count_entries(&scratch), 0);
	scratch_remove(&scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_uncommitted_file_is_gone),
		cmocka_unit_test(a_committed_file_stays),
		cmocka_unit_test(the_first_of_a_name_stays),
		cmocka_unit_test(replace_replaces),
		cmocka_unit_test(a_commit_that_fails_says_so),
		cmocka_unit_test(an_uncommitted_directory_is_gone),
		cmocka_unit_test(a_committed_directory_stays),
		cmocka_unit_test(a_sweep_takes_only_the_dead_ones),
		cmocka_unit_test(making_wins_against_sweeping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
