/* SPDX-License-Identifier: Apache-2.0 */
/* The default system call filter, loaded into a child and asked; and its cache. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fd.h"
#include "common/mem.h"
#include "sandbox/caps.h"
#include "sandbox/description.h"
#include "sandbox/seccomp.h"
#include "tests/unit/scratch.h"

#define ALLOWED (-1) /* any answer but the filter's */

struct question {
	long nr;
	long args[2];
	int answer;
};

static int load(int fd)
{
	struct stat st;
	struct sock_filter *program;
	struct sock_fprog what;

	if (fstat(fd, &st) < 0)
		return -1;
	program = mem_alloc((size_t)st.st_size);
	if (pread(fd, program, (size_t)st.st_size, 0) != st.st_size)
		return -1;
	what.len = (unsigned short)((size_t)st.st_size / sizeof(*program));
	what.filter = program;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &what);
}

/* In a child: the number of the first question with another answer, or 0. */
static int ask(int fd, const struct question *questions)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (load(fd) < 0)
			_exit(200);
		for (int i = 0; questions[i].nr >= 0; i++) {
			const struct question *q = &questions[i];
			long r = syscall(q->nr, q->args[0], q->args[1], 0, 0, 0, 0);
			int got = r < 0 ? errno : 0;

			if (q->answer == ALLOWED ? got == EPERM || got == ENOSYS : got != q->answer)
				_exit(i + 1);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int make(const struct scratch *cache, uint64_t capabilities)
{
	struct err err = ERR_INIT;
	int fd = seccomp_default_filter(cache->fd, capabilities, &err);

	if (fd < 0)
		fail_msg("%s", err.text);
	return fd;
}

static void the_default_filter_answers(void **state)
{
	static const struct question questions[] = {
		{ SYS_getpid, { 0 }, 0 },
		{ SYS_keyctl, { 0 }, EPERM },
		{ SYS_unshare, { CLONE_NEWUTS }, EPERM },
		{ SYS_clone3, { 0 }, ENOSYS },
		{ SYS_mount, { 0 }, EPERM },
		{ SYS_open_tree, { 0 }, EPERM },
		{ SYS_bpf, { 0 }, EPERM },
		{ SYS_clone, { CLONE_NEWUSER | SIGCHLD }, EPERM },
		{ SYS_personality, { 0xffffffff }, 0 },
		{ SYS_personality, { 0x0040000 }, EPERM },
		{ SYS_socket, { 38, 5 }, EPERM },  /* AF_ALG */
		{ SYS_socket, { 40, 1 }, EPERM },  /* AF_VSOCK */
		{ SYS_socket, { 1, 1 }, ALLOWED }, /* AF_UNIX */
		{ SYS_openat2, { -1, 0 }, ALLOWED },
		{ SYS_close_range, { 900, 901 }, ALLOWED },
		{ SYS_ptrace, { -1, 0 }, ALLOWED },
		{ 425, { 0 }, EPERM },  /* io_uring_setup */
		{ 999, { 0 }, ENOSYS }, /* newer than the tables */
		{ 470, { 0 }, ENOSYS },
		{ 467, { 0 }, EPERM }, /* open_tree_attr: known, and not allowed */
		{ -1, { 0 }, 0 },
	};
	struct scratch cache;
	int fd;

	scratch_make(&cache);
	fd = make(&cache, SANDBOX_CAPS_DEFAULT);
	assert_int_equal(ask(fd, questions), 0);
	close(fd);
	scratch_remove(&cache);
}

/* Newer than the libseccomp that may be installed, and allowed: EPERM would break a C library. */
static void new_calls_are_allowed_by_number(void **state)
{
	static const struct question questions[] = {
		{ 451, { -1, 0 }, ALLOWED }, /* cachestat */
		{ 452, { -1, 0 }, ALLOWED }, /* fchmodat2 */
		{ 462, { 1, 0 }, ALLOWED },  /* mseal */
		{ -1, { 0 }, 0 },
	};
	struct scratch cache;
	int fd;

	if (syscall(462, 1, 0, 0) < 0 && errno == ENOSYS)
		skip(); /* this kernel does not have them itself */
	scratch_make(&cache);
	fd = make(&cache, SANDBOX_CAPS_DEFAULT);
	assert_int_equal(ask(fd, questions), 0);
	close(fd);
	scratch_remove(&cache);
}

static void capabilities_open_calls(void **state)
{
	static const struct question admin[] = {
		{ SYS_clone3, { 0 }, EINVAL },
		{ SYS_mount, { 0 }, ALLOWED },
		{ SYS_unshare, { 0 }, 0 },
		{ SYS_acct, { 0 }, EPERM },
		{ -1, { 0 }, 0 },
	};
	static const struct question chroot_only[] = {
		{ SYS_chroot, { 0 }, EFAULT },
		{ SYS_mount, { 0 }, EPERM },
		{ -1, { 0 }, 0 },
	};
	static const struct question none[] = {
		{ SYS_chroot, { 0 }, EPERM },
		{ -1, { 0 }, 0 },
	};
	const struct {
		uint64_t capabilities;
		const struct question *questions;
	} rows[] = {
		{ CAPS_BIT(CAP_SYS_ADMIN), admin },
		{ CAPS_BIT(CAP_SYS_CHROOT), chroot_only },
		{ 0, none },
	};
	struct scratch cache;

	scratch_make(&cache);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = make(&cache, rows[i].capabilities);

		assert_int_equal(ask(fd, rows[i].questions), 0);
		close(fd);
	}
	scratch_remove(&cache);
}

static void read_all(int fd, struct strbuf *out)
{
	struct err err = ERR_INIT;

	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(fd_read_all(fd, 1 << 20, out, "filter", &err), 0);
}

/* The only file in the cache. */
static int open_cached(const struct scratch *cache, char *name)
{
	auto_free char *command = str_format("ls -A %s", cache->path);
	FILE *list = popen(command, "r");
	int fd;

	assert_non_null(list);
	assert_int_equal(fscanf(list, "%99s", name), 1);
	pclose(list);
	fd = openat(cache->fd, name, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* @damage is done to the cached file; what is given out afterwards is good again. */
static void cache_mends(void (*damage)(int fd))
{
	auto_strbuf struct strbuf first = STRBUF_INIT;
	auto_strbuf struct strbuf second = STRBUF_INIT;
	auto_strbuf struct strbuf good = STRBUF_INIT;
	auto_strbuf struct strbuf mended = STRBUF_INIT;
	struct scratch cache;
	char name[100];
	int fd;

	scratch_make(&cache);
	fd = make(&cache, SANDBOX_CAPS_DEFAULT);
	read_all(fd, &first);
	close(fd);
	fd = open_cached(&cache, name);
	read_all(fd, &good);
	damage(fd);
	close(fd);
	fd = make(&cache, SANDBOX_CAPS_DEFAULT);
	read_all(fd, &second);
	close(fd);
	assert_int_equal(first.len, second.len);
	assert_memory_equal(first.data, second.data, first.len);
	fd = open_cached(&cache, name);
	read_all(fd, &mended);
	close(fd);
	assert_int_equal(good.len, mended.len);
	assert_memory_equal(good.data, mended.data, good.len);
	scratch_remove(&cache);
}

static void nothing(int fd)
{
}

static void truncate_it(int fd)
{
	assert_int_equal(ftruncate(fd, 40), 0);
}

static void empty_it(int fd)
{
	assert_int_equal(ftruncate(fd, 0), 0);
}

static void lengthen_it(int fd)
{
	assert_int_equal(ftruncate(fd, 100 << 20), 0);
}

static void flip_a_bit(int fd)
{
	char byte;

	assert_int_equal(pread(fd, &byte, 1, 100), 1);
	byte ^= 4;
	assert_int_equal(pwrite(fd, &byte, 1, 100), 1);
}

static void a_damaged_cache_is_made_again(void **state)
{
	cache_mends(nothing);
	cache_mends(truncate_it);
	cache_mends(empty_it);
	cache_mends(lengthen_it);
	cache_mends(flip_a_bit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_default_filter_answers),
		cmocka_unit_test(new_calls_are_allowed_by_number),
		cmocka_unit_test(capabilities_open_calls),
		cmocka_unit_test(a_damaged_cache_is_made_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
