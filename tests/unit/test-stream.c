/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: sinks and sources of descriptors and memory, digests, copies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fd.h"
#include "common/mem.h"
#include "layers/stream.h"

#define ABC_NAME "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static int memory_file(void)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void small_and_large_writes_keep_their_order(void **state)
{
	auto_close int fd = memory_file();
	auto_sink struct sink *sink = sink_to_fd(fd, "file");
	auto_free char *large = mem_alloc(300000);
	auto_strbuf struct strbuf got = STRBUF_INIT;
	struct err err = ERR_INIT;

	memset(large, 'L', 300000);
	assert_int_equal(sink_write(sink, "first", 5, &err), 0);
	assert_int_equal(sink_write(sink, large, 300000, &err), 0);
	assert_int_equal(sink_write(sink, "last", 4, &err), 0);
	assert_int_equal(sink_finish(sink, &err), 0);

	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(fd_read_all(fd, 1 << 20, &got, "file", &err), 0);
	assert_int_equal(got.len, 300009);
	assert_memory_equal(got.data, "firstL", 6);
	assert_memory_equal(got.data + got.len - 5, "Llast", 5);
}

static void a_kept_file_is_written_whole(void **state)
{
	const size_t block_bytes = 3000000;
	auto_close int fd = memory_file();
	auto_sink struct sink *sink = sink_to_kept_fd(fd, "file");
	auto_free char *block = mem_alloc(block_bytes);
	auto_strbuf struct strbuf want = STRBUF_INIT;
	auto_strbuf struct strbuf got = STRBUF_INIT;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < block_bytes; i++)
		block[i] = (char)(i * 31 >> 5);
	for (size_t i = 0; i < 10; i++) {
		/* smaller than what is written together, and larger */
		size_t len = block_bytes >> (3 * (i % 4));

		assert_int_equal(sink_write(sink, block + i, len - i, &err), 0);
		strbuf_add(&want, block + i, len - i);
	}
	assert_int_equal(sink_write(sink, "end", 3, &err), 0);
	strbuf_add(&want, "end", 3);
	assert_int_equal(sink_finish(sink, &err), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(fd_read_all(fd, 1 << 25, &got, "file", &err), 0);
	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.data, want.data, want.len);
}

static void writing_to_a_closed_descriptor_is_an_error(void **state)
{
	auto_close int fd = memory_file();
	auto_sink struct sink *sink = sink_to_fd(fd, "gone");
	struct err err = ERR_INIT;

	fd_close(&fd);
	assert_int_equal(sink_write(sink, "x", 1, &err), 0);
	assert_int_equal(sink_finish(sink, &err), -1);
	assert_int_equal(err.kind, ERR_SYSTEM);
	assert_string_equal(err.text, "write 'gone': Bad file descriptor");
}

static void tee_and_digest_see_the_same_bytes(void **state)
{
	auto_strbuf struct strbuf left = STRBUF_INIT;
	auto_strbuf struct strbuf right = STRBUF_INIT;
	struct digest digest;
	uint64_t len = 0;
	char name[DIGEST_NAME_MAX];
	struct err err = ERR_INIT;
	auto_sink struct sink *sink =
		sink_tee(sink_digest(sink_to_strbuf(&left), &digest, &len), sink_to_strbuf(&right));

	assert_int_equal(sink_write(sink, "ab", 2, &err), 0);
	assert_int_equal(sink_write(sink, "c", 1, &err), 0);
	assert_int_equal(len, 0);
	assert_int_equal(sink_finish(sink, &err), 0);
	assert_int_equal(len, 3);
	assert_string_equal(digest_name(&digest, name), ABC_NAME);
	assert_string_equal(left.data, "abc");
	assert_string_equal(right.data, "abc");
}

static void a_limit_ends_a_descriptor_source(void **state)
{
	auto_close int fd = memory_file();
	auto_strbuf struct strbuf got = STRBUF_INIT;
	auto_sink struct sink *sink = sink_to_strbuf(&got);
	auto_source struct source *source = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(fd_write_all(fd, "0123456789", 10, "file", &err), 0);
	assert_int_equal(lseek(fd, 2, SEEK_SET), 2);
	source = source_from_fd(fd, 5, "file");
	assert_int_equal(stream_copy(source, sink, &err), 0);
	assert_string_equal(got.data, "23456");
}

static void no_limit_reads_to_the_end(void **state)
{
	auto_close int fd = memory_file();
	auto_strbuf struct strbuf got = STRBUF_INIT;
	auto_sink struct sink *sink = sink_to_strbuf(&got);
	auto_source struct source *source = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(fd_write_all(fd, "0123456789", 10, "file", &err), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	source = source_from_fd(fd, UINT64_MAX, "file");
	assert_int_equal(stream_copy(source, sink, &err), 0);
	assert_string_equal(got.data, "0123456789");
}

static struct source *expecting(const char *data, const struct digest *want, uint64_t len)
{
	struct source_digest_options options = {
		.expect = want,
		.expect_len = len,
		.what = "blob",
	};

	return source_digest(source_from_memory(data, strlen(data)), &options);
}

static void the_expected_digest_passes(void **state)
{
	struct err err = ERR_INIT;
	struct digest want, got;
	uint64_t len = 0;
	auto_source struct source *source = NULL;
	struct source_digest_options options = {
		.expect = &want,
		.expect_len = 3,
		.out_digest = &got,
		.out_len = &len,
		.what = "blob",
	};

	digest_of("abc", 3, &want);
	source = source_digest(source_from_memory("abc", 3), &options);
	assert_int_equal(source_drain(source, &err), 0);
	assert_true(digest_equal(&want, &got));
	assert_int_equal(len, 3);
	assert_int_equal(source_drain(source, &err), 0);
}

static void another_digest_is_refused_every_time(void **state)
{
	struct err err = ERR_INIT;
	struct digest want;
	auto_source struct source *source = NULL;

	digest_of("abc", 3, &want);
	source = expecting("abd", &want, 3);
	assert_int_equal(source_drain(source, &err), -1);
	assert_int_equal(err.kind, ERR_INPUT);
	assert_non_null(strstr(err.text, "'blob' has the digest sha256:"));
	assert_non_null(strstr(err.text, "expected " ABC_NAME));
	err_clear(&err);
	assert_int_equal(source_drain(source, &err), -1);
	assert_int_equal(err.kind, ERR_INPUT);
}

static void another_length_is_refused(void **state)
{
	struct err err = ERR_INIT;
	auto_source struct source *shorter = expecting("abc", NULL, 4);
	auto_source struct source *longer = expecting("abc", NULL, 2);

	assert_int_equal(source_drain(shorter, &err), -1);
	assert_string_equal(err.text, "'blob' ends after 3 bytes, expected 4");
	assert_int_equal(err.kind, ERR_INPUT);
	assert_int_equal(source_drain(longer, &err), -1);
	assert_string_equal(err.text, "'blob' is longer than the expected 2 bytes");
	assert_int_equal(err.kind, ERR_INPUT);
}

/* Takes what comes slowly, so that the writer is ahead of it; fails from the n-th write on. */
struct slow_sink {
	struct sink sink;
	struct strbuf *out;
	unsigned writes_left;
	bool *freed;
};

static int slow_write(struct sink *sink, const void *data, size_t len, struct err *err)
{
	struct slow_sink *self = (struct slow_sink *)sink;

	if (self->writes_left == 0)
		return err_set(err, ERR_SYSTEM, "the disk is full");
	self->writes_left--;
	usleep(2000);
	strbuf_add(self->out, data, len);
	return 0;
}

static int slow_finish(struct sink *sink, struct err *err)
{
	strbuf_puts(((struct slow_sink *)sink)->out, "end");
	return 0;
}

static void slow_free(struct sink *sink)
{
	*((struct slow_sink *)sink)->freed = true;
	free(sink);
}

static struct sink *slow_sink(struct strbuf *out, unsigned writes, bool *freed)
{
	struct slow_sink *self = mem_alloc(sizeof(*self));

	self->sink = (struct sink){ .write = slow_write, .finish = slow_finish, .free = slow_free };
	self->out = out;
	self->writes_left = writes;
	self->freed = freed;
	return &self->sink;
}

static void a_thread_keeps_the_order_of_what_is_written(void **state)
{
	auto_strbuf struct strbuf got = STRBUF_INIT;
	auto_strbuf struct strbuf want = STRBUF_INIT;
	struct err err = ERR_INIT;
	bool is_freed = false;

	{
		auto_sink struct sink *sink = sink_thread(slow_sink(&got, UINT32_MAX, &is_freed));

		for (unsigned i = 0; i < 400000; i++) {
			size_t from = want.len;

			strbuf_printf(&want, "%u,", i);
			assert_int_equal(sink_write(sink, want.data + from, want.len - from, &err),
					 0);
		}
		assert_int_equal(sink_finish(sink, &err), 0);
		strbuf_puts(&want, "end");
		assert_int_equal(got.len, want.len);
		assert_memory_equal(got.data, want.data, want.len);
	}
	assert_true(is_freed);
}

static void a_thread_passes_on_what_is_short(void **state)
{
	auto_strbuf struct strbuf got = STRBUF_INIT;
	struct err err = ERR_INIT;
	bool is_freed = false;
	auto_sink struct sink *sink = sink_thread(slow_sink(&got, 1, &is_freed));

	assert_int_equal(sink_write(sink, "short", 5, &err), 0);
	assert_int_equal(sink_finish(sink, &err), 0);
	assert_string_equal(got.data, "shortend");
}

static void a_failure_behind_a_thread_is_told(void **state)
{
	auto_free char *block = mem_alloc(1 << 20);
	auto_strbuf struct strbuf got = STRBUF_INIT;
	struct err err = ERR_INIT;
	bool is_freed = false;
	auto_sink struct sink *sink = sink_thread(slow_sink(&got, 2, &is_freed));
	unsigned writes = 0;

	/* it never waits for room that nobody makes */
	while (writes < 20 && sink_write(sink, block, 1 << 20, &err) == 0)
		writes++;
	assert_in_range(writes, 0, 5);
	assert_string_equal(err.text, "the disk is full");

	/* and at the end, when nothing was written since */
	sink_free(sink);
	sink = sink_thread(slow_sink(&got, 0, &is_freed));
	err_clear(&err);
	assert_int_equal(sink_write(sink, block, (1 << 18) + 1, &err), 0);
	assert_int_equal(sink_finish(sink, &err), -1);
	assert_string_equal(err.text, "the disk is full");
}

static void a_thread_that_is_given_up_ends(void **state)
{
	auto_free char *block = mem_alloc(1 << 20);
	auto_strbuf struct strbuf got = STRBUF_INIT;
	struct err err = ERR_INIT;
	bool is_freed = false;
	struct sink *sink = sink_thread(slow_sink(&got, UINT32_MAX, &is_freed));

	assert_int_equal(sink_write(sink, block, 1 << 20, &err), 0);
	sink_free(sink);
	assert_true(is_freed);
	assert_true(got.len % (1 << 18) == 0 && got.len <= 1 << 20);
}

/* ---- read ahead ---- */

/* Gives numbers in pieces of odd sizes, and in the end nothing, or an error. */
struct number_source {
	struct source source;
	uint64_t at, end; /* bytes */
	bool fails;
	bool *freed;
};

static ssize_t number_read(struct source *source, void *data, size_t len, struct err *err)
{
	struct number_source *self = (struct number_source *)source;
	size_t piece = 1 + (size_t)(self->at * 7919 % 30000);

	if (self->at == self->end)
		return self->fails ? err_set(err, ERR_INPUT, "it is cut off") : 0;
	if (piece > len)
		piece = len;
	if (piece > self->end - self->at)
		piece = (size_t)(self->end - self->at);
	for (size_t i = 0; i < piece; i++)
		((uint8_t *)data)[i] = (uint8_t)((self->at + i) * 31 >> 3);
	self->at += piece;
	return (ssize_t)piece;
}

static void number_free(struct source *source)
{
	*((struct number_source *)source)->freed = true;
	free(source);
}

static struct source *number_source(uint64_t end, bool fails, bool *freed)
{
	struct number_source *self = mem_alloc(sizeof(*self));

	self->source = (struct source){ .read = number_read, .free = number_free };
	self->end = end;
	self->fails = fails;
	self->freed = freed;
	return &self->source;
}

static const uint64_t ends[] = { 0, 1, 262143, 262144, 262145, 524288, 1048576, 1048577, 5000001 };

static void what_is_read_ahead_is_the_same(void **state)
{
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		auto_strbuf struct strbuf got = STRBUF_INIT;
		struct digest plain = { .bytes = { 0 } }, ahead = { .bytes = { 1 } };
		struct source_digest_options options = { .expect_len = ends[i] };
		struct err err = ERR_INIT;
		bool is_freed = false;
		struct source *source;
		auto_sink struct sink *sink = sink_to_strbuf(&got);

		options.out_digest = &plain;
		source = source_digest(number_source(ends[i], false, &is_freed), &options);
		assert_int_equal(source_drain(source, &err), 0);
		source_free(source);

		options.out_digest = &ahead;
		source = source_ahead(
			source_digest(number_source(ends[i], false, &is_freed), &options));
		assert_int_equal(stream_copy(source, sink, &err), 0);
		assert_true(digest_equal(&plain, &ahead));
		assert_int_equal(got.len, ends[i]);
		for (size_t k = 0; k < got.len; k++)
			assert_int_equal((uint8_t)got.data[k], (uint8_t)(k * 31 >> 3));
		assert_int_equal(source_read(source, &plain, 1, &err), 0);
		is_freed = false;
		source_free(source);
		assert_true(is_freed);
	}
}

static void an_error_ahead_comes_after_what_was_read(void **state)
{
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		bool is_freed = false;
		auto_source struct source *source =
			source_ahead(number_source(ends[i], true, &is_freed));
		auto_strbuf struct strbuf got = STRBUF_INIT;
		auto_sink struct sink *sink = sink_to_strbuf(&got);

		for (int times = 0; times < 2; times++) {
			struct err err = ERR_INIT;

			assert_int_equal(stream_copy(source, sink, &err), -1);
			assert_string_equal(err.text, "it is cut off");
			assert_int_equal(got.len, ends[i]);
		}
	}
}

static void who_reads_ahead_for_nobody_ends(void **state)
{
	for (size_t read = 0; read < 40; read++) {
		bool is_freed = false;
		struct source *source = source_ahead(number_source(UINT64_MAX, false, &is_freed));
		auto_free char *block = mem_alloc(100000);
		struct err err = ERR_INIT;

		for (size_t i = 0; i < read; i++)
			assert_true(source_read(source, block, 100000, &err) > 0);
		source_free(source);
		assert_true(is_freed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_and_large_writes_keep_their_order),
		cmocka_unit_test(a_kept_file_is_written_whole),
		cmocka_unit_test(writing_to_a_closed_descriptor_is_an_error),
		cmocka_unit_test(tee_and_digest_see_the_same_bytes),
		cmocka_unit_test(a_limit_ends_a_descriptor_source),
		cmocka_unit_test(no_limit_reads_to_the_end),
		cmocka_unit_test(the_expected_digest_passes),
		cmocka_unit_test(another_digest_is_refused_every_time),
		cmocka_unit_test(another_length_is_refused),
		cmocka_unit_test(a_thread_keeps_the_order_of_what_is_written),
		cmocka_unit_test(a_thread_passes_on_what_is_short),
		cmocka_unit_test(a_failure_behind_a_thread_is_told),
		cmocka_unit_test(a_thread_that_is_given_up_ends),
		cmocka_unit_test(what_is_read_ahead_is_the_same),
		cmocka_unit_test(an_error_ahead_comes_after_what_was_read),
		cmocka_unit_test(who_reads_ahead_for_nobody_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
