/* SPDX-License-Identifier: Apache-2.0 */
/* The programs by which it is found out whether a platform's programs run: they do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "sandbox/foreign.h"

static const struct emulator {
	const char *architecture;
	const char *name;
} emulators[] = {
	{ "amd64", "x86_64" },      { "386", "i386" },
	{ "arm64", "aarch64" },     { "arm", "arm" },
	{ "riscv64", "riscv64" },   { "ppc64le", "ppc64le" },
	{ "s390x", "s390x" },       { "loong64", "loongarch64" },
	{ "mips64le", "mips64el" }, { "mips64", "mips64" },
	{ "mipsle", "mipsel" },     { "mips", "mips" },
};

/* The waitpid(2) status of @emulator (or NULL) with the program of @architecture. */
static int run(const char *emulator, const char *architecture)
{
	char path[] = "/tmp/test-foreign-XXXXXX";
	auto_strbuf struct strbuf program = STRBUF_INIT;
	struct err err = ERR_INIT;
	int status = -1;
	int fd = mkstemp(path);
	pid_t pid;

	assert_true(fd >= 0);
	assert_true(foreign_program(architecture, &program));
	assert_int_equal(fd_write_all(fd, program.data, program.len, path, &err), 0);
	assert_int_equal(fchmod(fd, 0755), 0);
	close(fd);
	pid = fork();
	if (pid == 0) {
		if (emulator)
			execl(emulator, emulator, path, (char *)NULL);
		else
			execl(path, path, (char *)NULL);
		_exit(99);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	unlink(path);
	return status;
}

static void the_own_one_runs(void **state)
{
	auto_platform struct platform native = { .os = NULL };
	auto_strbuf struct strbuf program = STRBUF_INIT;

	(void)state;
	platform_host(&native);
	if (!foreign_program(native.architecture, &program))
		skip();
	assert_int_equal(run(NULL, native.architecture), 0);
}

static void each_runs_in_its_emulator(void **state)
{
	size_t count = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(emulators) / sizeof(emulators[0]); i++) {
		auto_free char *path = str_format("/usr/bin/qemu-%s-static", emulators[i].name);
		int status;

		if (access(path, X_OK) < 0)
			continue;
		count++;
		status = run(path, emulators[i].architecture);
		if (status != 0)
			fail_msg("the program for %s ends with %#x", emulators[i].architecture,
				 status);
	}
	if (count == 0)
		skip();
}

static void what_is_not_known_has_none(void **state)
{
	auto_strbuf struct strbuf program = STRBUF_INIT;

	(void)state;
	assert_false(foreign_program("pdp11", &program));
	assert_int_equal(program.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_own_one_runs),
		cmocka_unit_test(each_runs_in_its_emulator),
		cmocka_unit_test(what_is_not_known_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
