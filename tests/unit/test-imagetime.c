/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 3339 times of image documents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "layers/imagetime.h"

static const struct {
	const char *text;
	int64_t seconds;
	long ns;
	const char *canonical; /* NULL: the same as text */
} good[] = {
	{ "1970-01-01T00:00:00Z", 0, 0, NULL },
	{ "2026-01-02T03:04:05Z", 1767323045, 0, NULL },
	{ "2026-01-02T03:04:05.5Z", 1767323045, 500000000, NULL },
	{ "2026-01-02T03:04:05.000000001Z", 1767323045, 1, NULL },
	{ "2026-01-02T03:04:05.1234567899Z", 1767323045, 123456789,
	  "2026-01-02T03:04:05.123456789Z" },
	{ "2026-01-02T05:34:05+02:30", 1767323045, 0, "2026-01-02T03:04:05Z" },
	{ "2026-01-01T23:04:05-04:00", 1767323045, 0, "2026-01-02T03:04:05Z" },
	{ "2024-02-29T00:00:00.0Z", 1709164800, 0, "2024-02-29T00:00:00Z" },
	{ "1969-12-31T23:59:59Z", -1, 0, NULL },
	{ "0001-01-01T00:00:00Z", -62135596800, 0, NULL },
	{ "9999-12-31T23:59:59Z", 253402300799, 0, NULL },
};

static const char *const bad[] = {
	"",
	"2026-01-02",
	"2026-01-02 03:04:05Z",
	"2026-01-02T03:04:05",
	"2026-01-02T03:04:05ZZ",
	"2026-1-02T03:04:05Z",
	"2026-13-02T03:04:05Z",
	"2026-00-02T03:04:05Z",
	"2026-02-29T03:04:05Z",
	"1900-02-29T03:04:05Z",
	"2026-01-00T03:04:05Z",
	"2026-01-02T24:04:05Z",
	"2026-01-02T03:60:05Z",
	"2026-01-02T03:04:60Z",
	"2026-01-02T03:04:05.Z",
	"2026-01-02T03:04:05+0100",
	"2026-01-02T03:04:05+24:00",
	"-026-01-02T03:04:05Z",
};

static void times_are_read_and_written(void **state)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct timespec when = { 0 };
		struct err err = ERR_INIT;
		char buf[40];

		if (image_time_parse(good[i].text, &when, &err) < 0)
			fail_msg("%s", err.text);
		assert_int_equal(when.tv_sec, good[i].seconds);
		assert_int_equal(when.tv_nsec, good[i].ns);
		assert_string_equal(image_time_format(when, buf),
				    good[i].canonical ? good[i].canonical : good[i].text);
	}
}

static void what_is_no_time_is_refused(void **state)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct timespec when = { .tv_sec = 7 };
		struct err err = ERR_INIT;

		if (image_time_parse(bad[i], &when, &err) == 0)
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(err.kind, ERR_INPUT);
		assert_non_null(strstr(err.text, "is not a time of the form"));
		assert_int_equal(when.tv_sec, 7);
	}
}

static void times_beyond_four_digits_become_the_ends(void **state)
{
	char buf[40];

	assert_string_equal(image_time_format((struct timespec){ .tv_sec = INT64_MAX }, buf),
			    "9999-12-31T23:59:59Z");
	assert_string_equal(image_time_format((struct timespec){ .tv_sec = INT64_MIN }, buf),
			    "0000-01-01T00:00:00Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_read_and_written),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(times_beyond_four_digits_become_the_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
