/* SPDX-License-Identifier: Apache-2.0 */
/* Children get the descriptors that they are given, and how they ended is worded. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "common/fd.h"
#include "common/proc.h"
#include "tests/unit/scratch.h"

/* Run @argv with @fds and return its wait status. */
static int run(const char *const *argv, const struct proc_fd *fds, size_t fd_count)
{
	auto_child struct child child = CHILD_INIT;
	struct proc_spec spec = { .argv = argv, .fds = fds, .fd_count = fd_count };
	struct err err = ERR_INIT;
	int status;

	if (child_start(&child, &spec, &err) < 0 || child_wait(&child, &status, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(child.pid, 0);
	return status;
}

static int open_file(const struct scratch *scratch, const char *name)
{
	int fd = openat(scratch->fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	return fd;
}

static void has_no_descriptor_but_the_named(void **state)
{
	const char *argv[] = {
		"sh", "-c",
		"for fd in 0 1 3 4 5 6 7 8 9; do readlink /proc/self/fd/$fd; done; :", NULL
	};
	struct scratch scratch;
	char text[512];
	char want[512];
	int out_fd;
	int status;

	scratch_make(&scratch);
	out_fd = open_file(&scratch, "out");
	struct proc_fd fds[] = { { out_fd, 1 } };
	/* as if whoever started us had left it open */
	int stray = open("/dev/null", O_RDONLY);

	status = run(argv, fds, 1);
	close(stray);
	close(out_fd);
	assert_int_equal(status, 0);
	scratch_read(&scratch, "out", text, sizeof(text));
	snprintf(want, sizeof(want), "/dev/null\n%s/out\n", scratch.path);
	assert_string_equal(text, want);
	scratch_remove(&scratch);
}

/* 10 and 11 change places, 12 stays, 0 gets one that another needs too. */
static void puts_descriptors_in_place(void **state)
{
	const char *argv[] = { "bash", "-c",
			       "echo ten >&10; echo eleven >&11; echo twelve >&12; cat >&10",
			       NULL };
	struct proc_fd fds[] = { { 10, 11 }, { 11, 10 }, { 12, 12 }, { 13, 0 } };
	struct scratch scratch;
	char text[64];

	scratch_make(&scratch);
	scratch_write(&scratch, "d", "input\n");
	for (int i = 0; i < 4; i++) {
		static const char *const names[] = { "a", "b", "c", "d" };
		int fd = open_file(&scratch, names[i]);

		assert_int_equal(dup3(fd, 10 + i, O_CLOEXEC), 10 + i);
		close(fd);
	}
	/* in a gap between the child's, and not close-on-exec */
	assert_int_equal(dup2(13, 9), 9);
	assert_int_equal(run(argv, fds, 4), 0);
	close(9);
	for (int i = 10; i < 14; i++) {
		/* ours are as they were */
		assert_int_equal(fcntl(i, F_GETFD), FD_CLOEXEC);
		close(i);
	}
	assert_string_equal(scratch_read(&scratch, "a", text, sizeof(text)), "eleven\n");
	assert_string_equal(scratch_read(&scratch, "b", text, sizeof(text)), "ten\ninput\n");
	assert_string_equal(scratch_read(&scratch, "c", text, sizeof(text)), "twelve\n");
	scratch_remove(&scratch);
}

static void resets_signals(void **state)
{
	/* SigIgn and SigBlk of the child itself */
	const char *argv[] = { "grep", "-cE", "^Sig(Ign|Blk):\t0+$", "/proc/self/status", NULL };
	struct scratch scratch;
	sigset_t set;
	sigset_t old;
	char text[16];
	int out_fd;

	scratch_make(&scratch);
	out_fd = open_file(&scratch, "out");
	struct proc_fd fds[] = { { out_fd, 1 } };

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &old);
	assert_int_equal(run(argv, fds, 1), 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
	signal(SIGPIPE, SIG_DFL);
	close(out_fd);
	assert_string_equal(scratch_read(&scratch, "out", text, sizeof(text)), "2\n");
	scratch_remove(&scratch);
}

static void gives_environment_and_group(void **state)
{
	const char *argv[] = { "sh", "-c", "test \"$ONLY\" = this && test -z \"$HOME\" && sleep 30",
			       NULL };
	const char *envp[] = { "ONLY=this", "PATH=/usr/bin:/bin", NULL };
	struct proc_spec spec = { .argv = argv, .envp = envp, .new_group = true };
	struct child child = CHILD_INIT;
	struct err err = ERR_INIT;
	pid_t pid;

	assert_int_equal(child_start(&child, &spec, &err), 0);
	pid = child.pid;
	assert_int_equal(getpgid(pid), pid);
	assert_int_equal(kill(-pid, SIGTERM), 0);
	int status;

	assert_int_equal(child_wait(&child, &status, &err), 0);
	assert_true(WIFSIGNALED(status));
}

static void release_kills(void **state)
{
	const char *argv[] = { "sleep", "100", NULL };
	struct proc_spec spec = { .argv = argv };
	struct child child = CHILD_INIT;
	struct err err = ERR_INIT;
	pid_t pid;

	assert_int_equal(child_start(&child, &spec, &err), 0);
	pid = child.pid;
	child_release(&child);
	assert_int_equal(child.pid, 0);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
	child_release(&child);
}

static void says_what_cannot_be_started(void **state)
{
	const char *argv[] = { "no-such-program-here", NULL };
	struct proc_spec spec = { .argv = argv };
	struct child child = CHILD_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(child_start(&child, &spec, &err), -1);
	assert_string_equal(err.text, "start 'no-such-program-here': No such file or directory");
	assert_int_equal(err.kind, ERR_SYSTEM);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(child.pid, 0);
	struct proc_fd closed[] = { { 999, 0 } };

	argv[0] = "true";
	spec.fds = closed;
	spec.fd_count = 1;
	assert_int_equal(child_start(&child, &spec, &err), -1);
	assert_string_equal(err.text, "start 'true': Bad file descriptor");
}

static void expect_run(const char *script, const char *want)
{
	const char *argv[] = { "sh", "-c", script, NULL };
	struct err err = ERR_INIT;

	if (!want) {
		assert_int_equal(proc_run(argv, &err), 0);
		return;
	}
	assert_int_equal(proc_run(argv, &err), -1);
	assert_int_equal(err.kind, ERR_SYSTEM);
	assert_string_equal(err.text, want);
}

static void run_tells_the_last_line(void **state)
{
	expect_run("echo nothing wrong >&2", NULL);
	expect_run("exit 3", "'sh' failed: exit status 3");
	expect_run("echo first >&2; echo the reason >&2; exit 1",
		   "'sh' failed: exit status 1: the reason");
	expect_run("printf 'a\\033[1mb \\n\\n' >&2; exit 1", "'sh' failed: exit status 1: a [1mb");
	expect_run("kill -KILL $$", "'sh' failed: killed by signal 9 (Killed)");
	/* one that stays behind with our stderr is not waited for */
	expect_run("sleep 20 & echo bye >&2; exit 4", "'sh' failed: exit status 4: bye");
	/* too much is cut off, not kept, and does not block */
	expect_run("head -c 1000000 /dev/zero >&2 2>/dev/null; exit 0", NULL);
}

static void words_a_status(void **state)
{
	char text[64];

	assert_string_equal(proc_status_text(0, text), "exit status 0");
	assert_string_equal(proc_status_text(3 << 8, text), "exit status 3");
	assert_string_equal(proc_status_text(15, text), "killed by signal 15 (Terminated)");
	assert_string_equal(proc_status_text(11 | 0x80, text),
			    "killed by signal 11 (Segmentation fault)");
	assert_string_equal(proc_status_text(40, text), "killed by signal 40");
}

static void finds_its_own_directory(void **state)
{
	auto_strbuf struct strbuf dir = STRBUF_INIT;
	struct err err = ERR_INIT;
	struct stat here;
	struct stat exe;

	assert_int_equal(proc_self_dir(&dir, &err), 0);
	assert_int_equal(stat("/proc/self/exe", &exe), 0);
	strbuf_puts(&dir, "/test-proc");
	assert_int_equal(stat(dir.data, &here), 0);
	assert_int_equal(here.st_ino, exe.st_ino);
}

static void finds_its_own_programs(void **state)
{
	auto_strbuf struct strbuf path = STRBUF_INIT;
	struct err err = ERR_INIT;
	const char *tail = "/../../tests/unit/test-proc";

	assert_int_equal(proc_find_own("tests/unit", "test-proc", &path, &err), 0);
	assert_string_equal(path.data + path.len - strlen(tail), tail);
	strbuf_truncate(&path, 0);
	assert_int_equal(proc_find_own("nowhere", "nothing", &path, &err), 0);
	assert_string_equal(path.data, LIBEXEC_DIR "/nothing");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_no_descriptor_but_the_named),
		cmocka_unit_test(puts_descriptors_in_place),
		cmocka_unit_test(resets_signals),
		cmocka_unit_test(gives_environment_and_group),
		cmocka_unit_test(release_kills),
		cmocka_unit_test(says_what_cannot_be_started),
		cmocka_unit_test(run_tells_the_last_line),
		cmocka_unit_test(words_a_status),
		cmocka_unit_test(finds_its_own_directory),
		cmocka_unit_test(finds_its_own_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
