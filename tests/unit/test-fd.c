/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors are closed once, read whole, and copied whole. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "common/mem.h"
#include "tests/unit/scratch.h"

static void closes_and_gives_away(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int kept = fd_steal(&fd);

	assert_int_equal(fd, -1);
	errno = EXDEV;
	fd_close(&fd);
	assert_int_equal(fcntl(kept, F_GETFD), FD_CLOEXEC);
	errno = EXDEV;
	fd_close(&kept);
	assert_int_equal(kept, -1);
	assert_int_equal(errno, EXDEV);
	{
		auto_close int scoped = open("/dev/null", O_RDONLY | O_CLOEXEC);

		kept = scoped;
	}
	assert_int_equal(fcntl(kept, F_GETFD), -1);
}

static void writes_and_reads_whole(void **state)
{
	auto_strbuf struct strbuf got = STRBUF_INIT;
	struct err err = ERR_INIT;
	char buf[16];
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fd_write_all(ends[1], "hello world", 11, "pipe", &err), 0);
	assert_int_equal(fd_read_full(ends[0], buf, 5, "pipe", &err), 5);
	assert_memory_equal(buf, "hello", 5);
	close(ends[1]);
	assert_int_equal(fd_read_full(ends[0], buf, sizeof(buf), "pipe", &err), 6);
	assert_int_equal(fd_read_full(ends[0], buf, sizeof(buf), "pipe", &err), 0);
	close(ends[0]);
	assert_int_equal(fd_write_all(ends[1], "x", 1, "pipe", &err), -1);
	assert_string_equal(err.text, "write 'pipe': Bad file descriptor");
	assert_int_equal(fd_read_full(ends[0], buf, 1, "pipe", &err), -1);
	assert_string_equal(err.text, "read 'pipe': Bad file descriptor");
	assert_false(fd_write_quiet(ends[1], "x", 1));
}

static void reads_no_more_than_the_limit(void **state)
{
	struct scratch scratch;
	struct err err = ERR_INIT;

	scratch_make(&scratch);
	scratch_write(&scratch, "file", "0123456789");
	for (size_t limit = 8; limit < 13; limit++) {
		auto_close int fd = openat(scratch.fd, "file", O_RDONLY | O_CLOEXEC);
		auto_strbuf struct strbuf text = STRBUF_INIT;
		int result;

		strbuf_puts(&text, "before ");
		result = fd_read_all(fd, limit, &text, "file", &err);
		assert_int_equal(result, limit < 10 ? -1 : 0);
		if (result == 0)
			assert_string_equal(text.data, "before 0123456789");
		else
			assert_int_equal(err.kind, ERR_INPUT);
	}
	assert_string_equal(err.text, "'file' is larger than 9 bytes");
	scratch_remove(&scratch);
}

static void reads_small_texts(void **state)
{
	struct scratch scratch;
	char text[8] = "before";

	scratch_make(&scratch);
	scratch_write(&scratch, "file", "0123456789");
	assert_true(fd_read_text(scratch.fd, "file", text, sizeof(text)));
	assert_string_equal(text, "0123456");
	scratch_write(&scratch, "short", "ab");
	assert_true(fd_read_text(scratch.fd, "short", text, sizeof(text)));
	assert_string_equal(text, "ab");
	assert_false(fd_read_text(scratch.fd, "none", text, sizeof(text)));
	assert_int_equal(errno, ENOENT);
	assert_false(fd_read_text(scratch.fd, ".", text, sizeof(text)));
	assert_int_equal(errno, EISDIR);
	scratch_remove(&scratch);
}

/* Copy @len bytes of @from's offset 3 and compare. */
static void check_copy(const struct scratch *scratch, int oflags, uint64_t len, const char *want)
{
	auto_close int from = openat(scratch->fd, "from", O_RDONLY | O_CLOEXEC);
	auto_close int to =
		openat(scratch->fd, "to", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | oflags, 0600);
	struct err err = ERR_INIT;
	uint64_t copied = 99;
	char text[32];

	assert_int_equal(lseek(from, 3, SEEK_SET), 3);
	if (fd_copy(from, to, len, &copied, "from", &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(copied, strlen(want));
	assert_string_equal(scratch_read(scratch, "to", text, sizeof(text)), want);
}

static void copies(void **state)
{
	struct scratch scratch;

	scratch_make(&scratch);
	scratch_write(&scratch, "from", "0123456789");
	check_copy(&scratch, 0, UINT64_MAX, "3456789");
	check_copy(&scratch, 0, 4, "3456");
	check_copy(&scratch, 0, 0, "");
	check_copy(&scratch, 0, 100, "3456789");
	/* where the kernel does not copy: through a buffer */
	check_copy(&scratch, O_APPEND, UINT64_MAX, "3456789");
	check_copy(&scratch, O_APPEND, 4, "3456");
	scratch_remove(&scratch);
}

/* By whatever the file system can; a pipe can nothing but be written. */
static void copies_that_leave_no_pages(void **state)
{
	const size_t len = 300000;
	auto_free char *want = mem_alloc(len);
	auto_free char *got = mem_alloc(len);
	struct scratch scratch;
	struct err err = ERR_INIT;
	uint64_t copied = 0;

	for (size_t i = 0; i < len; i++)
		want[i] = (char)(i / 7);
	scratch_make(&scratch);
	auto_close int from = openat(scratch.fd, "from", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	auto_close int to = openat(scratch.fd, "to", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	auto_close int none = openat(scratch.fd, "none", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	auto_close int directory = open("/", O_RDONLY | O_CLOEXEC);
	auto_close int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	assert_int_equal(fd_write_all(from, want, len, "from", &err), 0);
	assert_int_equal(lseek(from, 0, SEEK_SET), 0);
	assert_int_equal(fd_copy_uncached(from, to, &copied, "from", &err), 0);
	assert_int_equal(copied, len);
	assert_int_equal(pread(to, got, len, 0), (ssize_t)len);
	assert_memory_equal(got, want, len);
	assert_int_equal(pread(to, got, 1, (off_t)len), 0);
	assert_int_equal(fd_copy_uncached(none, to, &copied, "none", &err), 0);
	assert_int_equal(copied, 0);

	assert_int_equal(lseek(from, 0, SEEK_SET), 0);
	assert_int_equal(fd_copy_uncached(from, full, &copied, "from", &err), -1);
	assert_non_null(strstr(err.text, "write 'from': No space left on device"));
	err_clear(&err);
	assert_int_equal(fd_copy_uncached(directory, to, &copied, "root", &err), -1);
	assert_string_equal(err.text, "read 'root': Is a directory");
	scratch_remove(&scratch);
}

static void copies_between_unlike_descriptors(void **state)
{
	auto_close int proc = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
	auto_close int directory = open("/", O_RDONLY | O_CLOEXEC);
	struct scratch scratch;
	struct err err = ERR_INIT;
	int ends[2];
	char buf[64];

	scratch_make(&scratch);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fd_copy(proc, ends[1], UINT64_MAX, NULL, "comm", &err), 0);
	close(ends[1]);
	assert_int_equal(fd_read_full(ends[0], buf, 4, "pipe", &err), 4);
	assert_memory_equal(buf, "test", 4);
	close(ends[0]);
	auto_close int to = openat(scratch.fd, "to", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(fd_copy(directory, to, UINT64_MAX, NULL, "root", &err), -1);
	assert_string_equal(err.text, "read 'root': Is a directory");
	scratch_remove(&scratch);
}

static void copies_files_with_their_holes(void **state)
{
	struct scratch scratch;
	struct err err = ERR_INIT;
	struct stat st;
	char text[8];

	scratch_make(&scratch);
	auto_close int from = openat(scratch.fd, "from", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	auto_close int to = openat(scratch.fd, "to", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(pwrite(from, "begin", 5, 0), 5);
	assert_int_equal(pwrite(from, "middle", 6, 8 << 20), 6);
	assert_int_equal(ftruncate(from, 64 << 20), 0);
	assert_int_equal(fstat(from, &st), 0);
	assert_int_equal(fd_copy_file(from, to, &st, "from", &err), 0);
	assert_int_equal(fstat(to, &st), 0);
	assert_int_equal(st.st_size, 64 << 20);
	assert_true(st.st_blocks < (1 << 20) / 512);
	assert_int_equal(pread(to, text, 5, 0), 5);
	assert_memory_equal(text, "begin", 5);
	assert_int_equal(pread(to, text, 7, 8 << 20), 7);
	assert_memory_equal(text, "middle", 7); /* with the zero after it */
	scratch_remove(&scratch);
}

static void names_a_descriptor(void **state)
{
	char path[FD_PATH_MAX];

	assert_string_equal(fd_path(7, path), "/proc/self/fd/7");
	assert_string_equal(fd_path(INT32_MAX, path), "/proc/self/fd/2147483647");
}

static void what_was_dropped_from_memory_is_not_cached(void **state)
{
	char path[] = "/tmp/imgbuild-unit.XXXXXX";
	int fd = mkstemp(path);
	auto_free char *block = mem_alloc(1 << 20);
	struct err err = ERR_INIT;

	(void)state;
	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(fd_write_all(fd, block, 1 << 20, "file", &err), 0);
	fd_write_behind(fd);
	if (!fd_is_cached(fd, 1 << 20)) {
		close(fd);
		print_message("this file system does not tell\n");
		skip();
	}
	fsync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	assert_false(fd_is_cached(fd, 1 << 20));
	/* a part is not all */
	assert_int_equal(pread(fd, block, 4096, 0), 4096);
	assert_false(fd_is_cached(fd, 1 << 20));
	close(fd);
}

/* On disk, where the kernel may keep no pages of it, and in memory, which knows no such thing. */
static void what_is_written_uncached_is_read_the_same(void **state)
{
	char path[] = "/tmp/imgbuild-unit.XXXXXX";
	int fds[] = { mkstemp(path), memfd_create("test", MFD_CLOEXEC) };
	const size_t len = ((size_t)1 << 20) + 77;
	auto_free char *block = mem_alloc(len);
	auto_free char *back = mem_alloc(len);
	struct err err = ERR_INIT;

	(void)state;
	unlink(path);
	for (size_t i = 0; i < len; i++)
		block[i] = (char)(i * 31 >> 3);
	for (size_t i = 0; i < 2; i++) {
		assert_true(fds[i] >= 0);
		assert_int_equal(fd_write_uncached(fds[i], block, 1 << 20, "file", &err), 0);
		assert_int_equal(fd_write_uncached(fds[i], block + (1 << 20), 77, "file", &err), 0);
		assert_int_equal(lseek(fds[i], 3, SEEK_SET), 3);
		for (size_t have = 3; have < len;) {
			ssize_t n = fd_read_uncached(fds[i], back + have, len - have);

			assert_true(n > 0);
			have += (size_t)n;
		}
		assert_int_equal(fd_read_uncached(fds[i], back, 1), 0);
		assert_memory_equal(back + 3, block + 3, len - 3);
		close(fds[i]);
		assert_int_equal(fd_write_uncached(fds[i], "x", 1, "gone", &err), -1);
		assert_string_equal(err.text, "write 'gone': Bad file descriptor");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(closes_and_gives_away),
		cmocka_unit_test(writes_and_reads_whole),
		cmocka_unit_test(reads_no_more_than_the_limit),
		cmocka_unit_test(reads_small_texts),
		cmocka_unit_test(copies),
		cmocka_unit_test(copies_that_leave_no_pages),
		cmocka_unit_test(copies_between_unlike_descriptors),
		cmocka_unit_test(copies_files_with_their_holes),
		cmocka_unit_test(names_a_descriptor),
		cmocka_unit_test(what_was_dropped_from_memory_is_not_cached),
		cmocka_unit_test(what_is_written_uncached_is_read_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
