/* SPDX-License-Identifier: Apache-2.0 */
/* Memory, growing strings, and lists of strings. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "common/strlist.h"

static void copies(void **state)
{
	auto_free char *s = str_format("%s-%d", "a", 5);
	auto_free char *part = str_ndup("abcdef", 3);
	auto_free char *data = mem_dup("a\0b", 3);
	auto_free char *none = mem_dup(NULL, 0);
	auto_free int *zero = mem_array(4, sizeof(int));
	char *taken;

	assert_string_equal(s, "a-5");
	assert_string_equal(part, "abc");
	assert_memory_equal(data, "a\0b", 3);
	assert_non_null(none);
	assert_int_equal(zero[3], 0);
	assert_null(str_dup(NULL));
	taken = ptr_steal(&s);
	assert_null(s);
	assert_string_equal(taken, "a-5");
	free(taken);
}

/* Under AddressSanitizer too, an allocation that cannot be had is to give NULL. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

/* Too much memory ends the program with status 5, an overflow of the product too. */
static void ends_when_memory_does(void **state)
{
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();
		int status;

		assert_true(pid >= 0);
		if (pid == 0) {
			int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
			volatile size_t count = SIZE_MAX / 2;

			dup2(fd, STDERR_FILENO);
			if (i == 0)
				mem_exhausted();
			free(mem_resize(NULL, count, 4));
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 5);
	}
}

static void strings_grow(void **state)
{
	auto_strbuf struct strbuf sb = STRBUF_INIT;
	char *taken;

	assert_string_equal(sb.data, "");
	strbuf_truncate(&sb, 0);
	strbuf_puts(&sb, "ab");
	strbuf_putc(&sb, 'c');
	strbuf_printf(&sb, "%d", 12);
	strbuf_add(&sb, "\0x", 2);
	assert_int_equal(sb.len, 7);
	assert_memory_equal(sb.data, "abc12\0x", 8);
	strbuf_truncate(&sb, 3);
	assert_string_equal(sb.data, "abc");
	for (int i = 0; i < 10000; i++)
		strbuf_printf(&sb, "%04d", i);
	assert_int_equal(sb.len, 40003);
	assert_string_equal(sb.data + 39999, "9999");
	taken = strbuf_steal(&sb);
	assert_int_equal(strlen(taken), 40003);
	free(taken);
	assert_int_equal(sb.len, 0);
	assert_string_equal(sb.data, "");
	taken = strbuf_steal(&sb);
	assert_string_equal(taken, "");
	free(taken);
}

static void lists_grow_and_end(void **state)
{
	auto_strlist struct strlist list = STRLIST_INIT;
	auto_strlist struct strlist copy = STRLIST_INIT;

	assert_null(list.items);
	for (int i = 0; i < 100; i++) {
		strlist_addf(&list, "%d", 99 - i);
		assert_null(list.items[list.count]);
	}
	strlist_take(&list, str_dup("last"));
	assert_int_equal(list.count, 101);
	assert_true(strlist_has(&list, "42"));
	assert_false(strlist_has(&list, "4 2"));
	strlist_add(&copy, "old");
	strlist_copy(&copy, &list);
	assert_int_equal(copy.count, 101);
	strlist_sort(&copy);
	assert_string_equal(copy.items[0], "0");
	assert_string_equal(copy.items[1], "1");
	assert_string_equal(copy.items[2], "10");
	assert_string_equal(copy.items[100], "last");
	assert_string_equal(list.items[0], "99");
}

static void lists_are_environments(void **state)
{
	auto_strlist struct strlist env = STRLIST_INIT;

	assert_null(strlist_env_get(&env, "A"));
	strlist_env_set(&env, "A", "1");
	strlist_env_set(&env, "AB", "2");
	strlist_env_set(&env, "A", "3=4");
	assert_int_equal(env.count, 2);
	assert_string_equal(env.items[0], "A=3=4");
	assert_string_equal(strlist_env_get(&env, "A"), "3=4");
	assert_string_equal(strlist_env_get(&env, "AB"), "2");
	assert_null(strlist_env_get(&env, "B"));
	strlist_add(&env, "A=later");
	assert_string_equal(strlist_env_get(&env, "A"), "later");
	strlist_add(&env, "C");
	assert_null(strlist_env_get(&env, "C"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies),
		cmocka_unit_test(ends_when_memory_does),
		cmocka_unit_test(strings_grow),
		cmocka_unit_test(lists_grow_and_end),
		cmocka_unit_test(lists_are_environments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
