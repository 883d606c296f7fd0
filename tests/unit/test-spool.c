/* SPDX-License-Identifier: Apache-2.0 */
/* A spool gives back what was put in, wherever it is kept, and leaves nothing behind. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdbool.h>

#include "common/spool.h"
#include "tests/unit/scratch.h"

#define RECORDS 50000u

/* Records of different lengths, so that they lie across the edges of what is read at once. */
static size_t make_record(unsigned number, bool is_changed, char *out)
{
	size_t len = 1 + number % 37;

	memset(out, (int)('a' + number % 26), len);
	out[0] = is_changed ? '#' : '.';
	return len;
}

static void add_all(struct spool *spool)
{
	struct err err = ERR_INIT;
	char record[64];

	for (unsigned i = 0; i < RECORDS; i++) {
		spool_add(spool, record, make_record(i, false, record));
		assert_int_equal(spool_settle(spool, &err), 0);
	}
}

/* Every third record is changed while all are read. */
static void read_all(struct spool *spool, bool is_changed)
{
	auto_spool_reader struct spool_reader reader = { .window = NULL };
	struct err err = ERR_INIT;

	spool_reader_init(&reader, spool, 0);
	for (unsigned i = 0; i < RECORDS; i++) {
		uint64_t at = reader.at;
		char want[64], got[64];
		size_t len = make_record(i, is_changed && i % 3 == 0, want);

		assert_int_equal(spool_read(&reader, got, len, &err), 0);
		assert_memory_equal(got, want, len);
		if (!is_changed && i % 3 == 0)
			assert_int_equal(spool_change(spool, at, "#", 1, &err), 0);
	}
	assert_int_equal(reader.at, spool_end(spool));
}

static void what_is_put_in_comes_out(void **state)
{
	static const size_t bounds[] = { 1, 1000, 300000, SIZE_MAX };
	struct scratch scratch;

	(void)state;
	scratch_make(&scratch);
	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		auto_spool struct spool spool = SPOOL_INIT;

		spool.dir_fd = scratch.fd;
		spool.bound_bytes = bounds[i];
		add_all(&spool);
		assert_true(spool.tail.len < bounds[i]);
		assert_int_equal(spool.file_len > 0, bounds[i] < SIZE_MAX);
		read_all(&spool, false);
		read_all(&spool, true);
	}
	scratch_remove(&scratch);
}

static void without_a_directory_all_is_in_memory(void **state)
{
	auto_spool struct spool spool = SPOOL_INIT;

	(void)state;
	spool.bound_bytes = 1;
	add_all(&spool);
	assert_int_equal(spool.file_len, 0);
	read_all(&spool, false);
	read_all(&spool, true);
}

static void a_reader_begins_anywhere(void **state)
{
	auto_spool struct spool spool = SPOOL_INIT;
	struct scratch scratch;
	struct err err = ERR_INIT;

	(void)state;
	scratch_make(&scratch);
	spool.dir_fd = scratch.fd;
	spool.bound_bytes = 4;
	spool_add(&spool, "abcd", 4);
	assert_int_equal(spool_settle(&spool, &err), 0);
	spool_add(&spool, "ef", 2);
	for (uint64_t at = 0; at < 6; at++) {
		auto_spool_reader struct spool_reader reader = { .window = NULL };
		char got[7] = "";

		spool_reader_init(&reader, &spool, at);
		assert_int_equal(spool_read(&reader, got, 6 - at, &err), 0);
		assert_string_equal(got, "abcdef" + at);
	}
	spool_release(&spool);
	scratch_remove(&scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_put_in_comes_out),
		cmocka_unit_test(without_a_directory_all_is_in_memory),
		cmocka_unit_test(a_reader_begins_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
