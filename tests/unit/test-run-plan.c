/* SPDX-License-Identifier: Apache-2.0 */
/* What a container runs: image and options put together as docker does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/strbuf.h"
#include "sandbox/caps.h"
#include "sandbox/description.h"
#include "sandbox/run-plan.h"
#include "sandbox/security.h"
#include "sandbox/volume.h"
#include "tests/unit/scratch.h"

/* "a b" as a list. */
static void words(struct strlist *out, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, " ");

		strlist_addf(out, "%.*s", (int)len, text);
		text += len + (text[len] ? 1 : 0);
	}
}

static void joined(const struct strlist *list, const char *expected)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;

	for (size_t i = 0; i < list->count; i++)
		strbuf_printf(&text, "%s%s", i ? " " : "", list->items[i]);
	assert_string_equal(text.data, expected);
}

static void arguments_follow_dockers_rules(void **state)
{
	const struct {
		const char *entrypoint, *cmd; /* of the image */
		const char *option, *command; /* of the command line */
		const char *expected;
	} rows[] = {
		{ "", "sh", NULL, "", "sh" },
		{ "", "sh", NULL, "ls -l", "ls -l" },
		{ "tini --", "sh", NULL, "", "tini -- sh" },
		{ "tini --", "sh", NULL, "ls", "tini -- ls" },
		{ "tini --", "sh", "env", "", "env" },
		{ "tini --", "sh", "env", "A=b ls", "env A=b ls" },
		{ "tini --", "sh", "", "ls", "ls" },
		{ "tini", "", NULL, "", "tini" },
		{ "tini --", "sh", "", "", NULL },
		{ "", "", NULL, "", NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct run_config config = { .user = NULL };
		struct run_options options = { .image = "img", .entrypoint = rows[i].option };
		auto_strlist struct strlist argv = STRLIST_INIT;
		struct err err = ERR_INIT;
		int r;

		words(&config.entrypoint, rows[i].entrypoint);
		words(&config.cmd, rows[i].cmd);
		words(&options.command, rows[i].command);
		r = run_plan_argv(&config, &options, &argv, &err);
		assert_int_equal(r, rows[i].expected ? 0 : -1);
		if (rows[i].expected)
			joined(&argv, rows[i].expected);
		else
			assert_string_equal(err.text,
					    "no command was given, and the image 'img' names none");
		strlist_release(&config.entrypoint);
		strlist_release(&config.cmd);
		run_options_release(&options);
	}
}

static void the_environment_is_layered(void **state)
{
	struct run_config config = { .user = NULL };
	struct run_options options = { .terminal = true };
	auto_strlist struct strlist env = STRLIST_INIT;
	auto_strlist struct strlist bare = STRLIST_INIT;

	words(&config.env, "PATH=/p A=image B=image broken =x C=\xc0\x80");
	words(&options.env, "A=ours HOME=/h A=last");
	run_plan_env(&config, &options, "box", "/home/u", &env);
	joined(&env, "PATH=/p HOSTNAME=box TERM=xterm A=last B=image HOME=/h");
	strlist_release(&config.env);
	run_options_release(&options);
	options.terminal = false;
	run_plan_env(&config, &options, "box", "/home/u", &bare);
	joined(&bare, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "
		      "HOSTNAME=box HOME=/home/u");
}

static void capabilities_are_added_and_dropped(void **state)
{
	const uint64_t admin = CAPS_BIT(12), chown_cap = CAPS_BIT(0);
	const struct {
		const char *add, *drop;
		uint64_t expected;
	} rows[] = {
		{ "", "", SANDBOX_CAPS_DEFAULT },
		{ "NET_ADMIN", "", SANDBOX_CAPS_DEFAULT | admin },
		{ "", "CHOWN", SANDBOX_CAPS_DEFAULT & ~chown_cap },
		{ "", "ALL", 0 },
		{ "net_admin", "all", admin },
		{ "ALL", "", CAPS_ALL },
		{ "ALL", "CAP_CHOWN", CAPS_ALL & ~chown_cap },
	};
	struct security_texts bad = { .is_privileged = false };
	struct security security = { .capabilities = 0 };
	struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct security_texts texts = { .is_privileged = false };

		words(&texts.cap_add, rows[i].add);
		words(&texts.cap_drop, rows[i].drop);
		assert_int_equal(security_parse(&texts, &security, &err), 0);
		assert_true(security.capabilities == rows[i].expected);
		security_texts_release(&texts);
	}
	strlist_add(&bad.cap_drop, "FLY");
	assert_int_equal(security_parse(&bad, &security, &err), -1);
	assert_string_equal(err.text, "'FLY' is not a capability");
	security_texts_release(&bad);
}

static void volumes_are_paths(void **state)
{
	auto_volumes struct volumes volumes = VOLUMES_INIT;
	auto_strlist struct strlist texts = STRLIST_INIT;
	struct err err = ERR_INIT;

	words(&texts, "/a:/b ./x:/y:ro /c:/d/e:rw /f:/g:O,ro");
	assert_int_equal(volumes_parse(&texts, &volumes, &err), 0);
	assert_int_equal(volumes.count, 4);
	assert_string_equal(volumes.items[0].source, "/a");
	assert_string_equal(volumes.items[0].target, "/b");
	assert_false(volumes.items[0].read_only);
	assert_string_equal(volumes.items[1].source, "./x");
	assert_true(volumes.items[1].read_only);
	assert_false(volumes.items[2].read_only);
	assert_false(volumes.items[2].is_overlay);
	assert_true(volumes.items[3].read_only && volumes.items[3].is_overlay);
}

static void volumes_that_are_none_are_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "/a", "--volume '/a': not of the form HOST:CONTAINER" },
		{ "name:/b",
		  "--volume 'name:/b': 'name' is no path; volumes with names are not supported here" },
		{ ":/b", "--volume ':/b': '' is neither a path nor a volume's name" },
		{ "/a:b", "--volume '/a:b': 'b' is no absolute path below '/'" },
		{ "/a:", "--volume '/a:': '' is no absolute path below '/'" },
		{ "/a://", "--volume '/a://': '//' is no absolute path below '/'" },
		{ "/a:/b:U",
		  "--volume '/a:/b:U': 'U' is not supported (supported: ro, rw, O, z, Z)" },
		{ "/a:/b:ro,",
		  "--volume '/a:/b:ro,': '' is not supported (supported: ro, rw, O, z, Z)" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_volumes struct volumes volumes = VOLUMES_INIT;
		auto_strlist struct strlist texts = STRLIST_INIT;
		struct err err = ERR_INIT;

		strlist_add(&texts, rows[i][0]);
		assert_int_equal(volumes_parse(&texts, &volumes, &err), -1);
		assert_int_equal(err.kind, ERR_USAGE);
		assert_string_equal(err.text, rows[i][1]);
	}
}

static void a_file_sets_variables(void **state)
{
	auto_strlist struct strlist env = STRLIST_INIT;
	struct err err = ERR_INIT;
	struct scratch dir;
	char path[100];

	scratch_make(&dir);
	snprintf(path, sizeof(path), "%s/env", dir.path);
	scratch_write(&dir, "env",
		      "# a comment\n\nA=1\r\n  B=two words \nRUN_PLAN_SET\nRUN_PLAN_UNSET\nC=");
	setenv("RUN_PLAN_SET", "x y", 1);
	assert_int_equal(run_env_file(path, &env, &err), 0);
	assert_int_equal(env.count, 4);
	assert_string_equal(env.items[0], "A=1");
	assert_string_equal(env.items[1], "B=two words ");
	assert_string_equal(env.items[2], "RUN_PLAN_SET=x y");
	assert_string_equal(env.items[3], "C=");
	scratch_write(&dir, "bad", "A=1\n=2\n");
	snprintf(path, sizeof(path), "%s/bad", dir.path);
	assert_int_equal(run_env_file(path, &env, &err), -1);
	assert_int_equal(err.kind, ERR_USAGE);
	assert_non_null(strstr(err.text, "/bad:2: '=2' is not of the form KEY=VALUE"));
	scratch_remove(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_follow_dockers_rules),
		cmocka_unit_test(the_environment_is_layered),
		cmocka_unit_test(capabilities_are_added_and_dropped),
		cmocka_unit_test(volumes_are_paths),
		cmocka_unit_test(volumes_that_are_none_are_refused),
		cmocka_unit_test(a_file_sets_variables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
