/* SPDX-License-Identifier: Apache-2.0 */
/* Errors are worded, prefixed, cut where they must be, and give the exit status. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"

static void words_errors(void **state)
{
	struct err err = ERR_INIT;

	assert_int_equal(err_set(&err, ERR_INPUT, "'%s' is not %d", "x", 7), -1);
	assert_string_equal(err.text, "'x' is not 7");
	assert_int_equal(err.kind, ERR_INPUT);
	errno = ENOENT;
	assert_int_equal(err_sys(&err, "open '%s'", "f"), -1);
	assert_int_equal(errno, ENOENT);
	assert_string_equal(err.text, "open 'f': No such file or directory");
	assert_int_equal(err.kind, ERR_SYSTEM);
	assert_int_equal(err.sys_errno, ENOENT);
	assert_int_equal(err_prefix(&err, "%s:%d", "Buildfile", 7), -1);
	assert_string_equal(err.text, "Buildfile:7: open 'f': No such file or directory");
	assert_int_equal(err.sys_errno, ENOENT);
	err_detail(&err, "COPY %s", "f");
	assert_string_equal(err.detail, "COPY f");
	/* a new error forgets all of the old one */
	err_set(&err, ERR_USAGE, "no");
	assert_string_equal(err.detail, "");
	assert_int_equal(err.sys_errno, 0);
	err_clear(&err);
	assert_int_equal(err.kind, ERR_NONE);
	assert_string_equal(err.text, "");
}

static void gives_the_exit_status(void **state)
{
	static const int want[] = { 0, 1, 2, 3, 4, 5, 70, 130 };

	for (int kind = ERR_NONE; kind <= ERR_INTERRUPTED; kind++) {
		struct err err = { .kind = (enum err_kind)kind };

		assert_int_equal(err_exit_status(&err), want[kind]);
	}
}

static void cuts_what_is_too_long(void **state)
{
	char text[3 * ERR_TEXT_MAX];
	struct err err = ERR_INIT;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set(&err, ERR_INPUT, "%s", text);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	errno = EIO;
	err_sys(&err, "%s", text);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	err_prefix(&err, "%s", text);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	/* some of both is left */
	err_set(&err, ERR_INPUT, "tail");
	err_prefix(&err, "%s", text);
	assert_non_null(strstr(err.text, "xxx: tail"));
	err_detail(&err, "%s", text);
	assert_int_equal(strlen(err.detail), ERR_DETAIL_MAX - 1);
}

/* What the stderr of @say holds. */
static void capture(void (*say)(void), char *buf, size_t size)
{
	int saved = dup(STDERR_FILENO);
	int file = memfd_create("err", MFD_CLOEXEC);
	ssize_t len;

	dup2(file, STDERR_FILENO);
	say();
	dup2(saved, STDERR_FILENO);
	close(saved);
	len = pread(file, buf, size - 1, 0);
	buf[len > 0 ? len : 0] = '\0';
	close(file);
}

static void print_one(void)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_INPUT, "bad");
	err_print(&err, "prog");
	err_detail(&err, "line 1\nline 2");
	err_print(&err, "prog");
}

static void log_all(void)
{
	log_init("prog", LOG_QUIET);
	log_warn("careful, %s", "you");
	log_info("unseen");
	log_init("prog", LOG_INFO);
	log_info("seen");
	log_debug("unseen");
	log_init("prog", LOG_DEBUG);
	log_debug("also");
}

static void prints(void **state)
{
	char text[256];

	capture(print_one, text, sizeof(text));
	assert_string_equal(text, "prog: bad\nprog: bad\nline 1\nline 2\n");
	capture(log_all, text, sizeof(text));
	assert_string_equal(text, "prog: warning: careful, you\nprog: seen\nprog: debug: also\n");
	assert_string_equal(log_program(), "prog");
	assert_int_equal(log_level(), LOG_DEBUG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_errors),
		cmocka_unit_test(gives_the_exit_status),
		cmocka_unit_test(cuts_what_is_too_long),
		cmocka_unit_test(prints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
