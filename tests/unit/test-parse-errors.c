/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a Buildfile is said with its place, and with what would be right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "builder/parse.h"
#include "common/mem.h"

struct row {
	const char *rule;
	const char *text; /* behind "FROM scratch\n", so that it begins in line 2 */
	const char *error;
	const char *hint; /* NULL: none */
};

static const struct row rows[] = {
	/* lines and words */
	{ "L6 continues nothing", "\\\n", "2:1: '\\' continues nothing", NULL },
	{ "L8 unknown", "COPPY a b", "2:1: unknown instruction 'COPPY'", "did you mean 'COPY'?" },
	{ "L8 unknown, lower case", " fron x", "2:2: unknown instruction 'fron'",
	  "did you mean 'FROM'?" },
	{ "L8 unknown, nothing near", "XYZZYX", "2:1: unknown instruction 'XYZZYX'", NULL },
	{ "L9 unknown flag", "COPY --form=a b c", "2:6: COPY: unknown flag '--form'",
	  "did you mean '--from'?" },
	{ "L9 unknown flag, second line", "RUN \\\n  --bar a", "3:3: RUN: unknown flag '--bar'",
	  NULL },
	{ "L9 no flags at all", "USER --x a", "2:6: USER: unknown flag '--x'", NULL },
	{ "L9 twice", "COPY --chown=1 --chown=2 a b", "2:16: COPY: duplicate flag '--chown'",
	  NULL },
	{ "L9 switch twice", "COPY --link --link=false a b", "2:13: COPY: duplicate flag '--link'",
	  NULL },
	{ "L9 no value", "COPY --chown a b", "2:6: COPY: flag '--chown' needs a value",
	  "--chown=VALUE" },
	{ "L9 no value of a list", "RUN --mount a", "2:5: RUN: flag '--mount' needs a value",
	  "--mount=VALUE" },
	{ "L9 switch", "COPY --link=yes a b",
	  "2:6: COPY: flag '--link' is true or false, not 'yes'", NULL },
	{ "L9 empty switch", "COPY --link= a b",
	  "2:6: COPY: flag '--link' is true or false, not ''", NULL },
	{ "L10 number", "CMD [\"a\", 1]", "2:5: CMD: the JSON form is an array of strings only",
	  "element 2 is no string" },
	{ "L10 null", "RUN [null]", "2:5: RUN: the JSON form is an array of strings only",
	  "element 1 is no string" },
	{ "L10 nested", "COPY [\"a\",[\"b\"]]",
	  "2:6: COPY: the JSON form is an array of strings only", "element 2 is no string" },
	{ "L10 NUL in a path", "VOLUME [\"a\\u0000\"]", "2:8: VOLUME: a path cannot hold a NUL",
	  NULL },
	/* heredocs */
	{ "heredoc without end", "RUN cat <<EOF\nx", "2:9: the heredoc 'EOF' has no end",
	  "a line that is exactly 'EOF' ends it" },
	{ "second without end", "RUN cat <<A <<B\nA\nx", "2:9: the heredoc 'B' has no end",
	  "a line that is exactly 'B' ends it" },
	{ "as destination", "COPY a <<E\nE", "2:8: COPY: a heredoc cannot be the destination",
	  NULL },
	{ "in two words", "COPY << E b\nE", "2:6: COPY: the heredoc 'E' is not written as one word",
	  "no blanks behind '<<' or in the name" },
	{ "name of a path", "COPY <<../e b\n../e",
	  "2:6: COPY: the heredoc's name '../e' cannot be a file's", NULL },
	{ "name ..", "COPY <<.. b\n..", "2:6: COPY: the heredoc's name '..' cannot be a file's",
	  NULL },
	{ "#! and a path", "RUN <<a/b\n#!/bin/sh\na/b",
	  "2:5: RUN: the heredoc's name 'a/b' cannot be a file's", NULL },
	/* instructions */
	{ "FROM nothing", "FROM", "2:1: FROM: needs either one or three arguments",
	  "FROM IMAGE, or FROM IMAGE AS NAME" },
	{ "FROM two", "FROM a b", "2:8: FROM: needs either one or three arguments",
	  "FROM IMAGE, or FROM IMAGE AS NAME" },
	{ "FROM not AS", "FROM a IS b", "2:8: FROM: needs either one or three arguments",
	  "FROM IMAGE, or FROM IMAGE AS NAME" },
	{ "FROM name", "FROM a AS 1b",
	  "2:11: FROM: '1b' is no name for a stage: a letter, then letters, digits, '-', '_' and "
	  "'.'",
	  NULL },
	{ "FROM name", "FROM a AS b/c",
	  "2:11: FROM: 'b/c' is no name for a stage: a letter, then letters, digits, '-', '_' and "
	  "'.'",
	  NULL },
	{ "ARG nothing", "ARG", "2:1: ARG: needs at least one argument", NULL },
	{ "ARG no name", "ARG a =b", "2:7: ARG: a name is missing before '='", NULL },
	{ "ENV nothing", "ENV", "2:1: ENV: needs at least one argument", NULL },
	{ "ENV one word", "ENV a", "2:5: ENV: a name needs a value: NAME=VALUE", NULL },
	{ "ENV no =", "ENV a=b c", "2:9: ENV: 'c' has no '='",
	  "NAME=VALUE; a value with blanks goes in quotes" },
	{ "ENV no name", "ENV =b", "2:5: ENV: a name is missing before '='", NULL },
	{ "LABEL nothing", "LABEL", "2:1: LABEL: needs at least one argument", NULL },
	{ "LABEL no =", "LABEL a=b c", "2:11: LABEL: 'c' has no '='",
	  "NAME=VALUE; a value with blanks goes in quotes" },
	{ "RUN nothing", "RUN", "2:1: RUN: a command is missing", NULL },
	{ "RUN []", "RUN []", "2:1: RUN: a command is missing", NULL },
	{ "RUN --network", "RUN --network=x a",
	  "2:5: RUN: flag '--network' is default, none or host, not 'x'", NULL },
	{ "RUN --security", "RUN --security=x a",
	  "2:5: RUN: flag '--security' is sandbox or insecure, not 'x'", NULL },
	{ "RUN --device", "RUN --device=required a", "2:5: RUN: flag '--device' needs a name",
	  NULL },
	{ "RUN --device", "RUN --device=a,b a", "2:5: RUN: a second name 'b'", NULL },
	{ "RUN --mount from", "RUN --mount=from=$a,target=/x a",
	  "2:5: RUN: variables are not expanded in 'from'", "give it a name: FROM $a AS NAME" },
	{ "RUN --mount type", "RUN --network=none --mount=type=bnd a",
	  "2:20: RUN: mount option 'type': unknown value 'bnd'", "did you mean 'bind'?" },
	{ "COPY nothing", "COPY", "2:1: COPY: needs a source and a destination", NULL },
	{ "COPY one", "COPY a", "2:1: COPY: needs a source and a destination",
	  "is 'a' the source or the destination?" },
	{ "ADD one", "ADD [\"a\"]", "2:1: ADD: needs a source and a destination",
	  "is 'a' the source or the destination?" },
	{ "COPY --from", "COPY --from=$a b c", "2:6: COPY: variables are not expanded in '--from'",
	  "give it a name: FROM $a AS NAME" },
	{ "ADD has no --from", "ADD --from=a b c", "2:5: ADD: unknown flag '--from'", NULL },
	{ "COPY has no --checksum", "COPY --checksum=a b c", "2:6: COPY: unknown flag '--checksum'",
	  NULL },
	{ "ADD --checksum", "ADD --checksum=sha256:a b c d",
	  "2:5: ADD: flag '--checksum' is for one source only", NULL },
	{ "EXPOSE nothing", "EXPOSE", "2:1: EXPOSE: needs at least one argument", NULL },
	{ "EXPOSE", "EXPOSE 80 65536",
	  "2:11: EXPOSE: port '65536': neither a port from 0 to 65535 nor a range", NULL },
	{ "CMD nothing", "CMD", "2:1: CMD: a command is missing", NULL },
	{ "ENTRYPOINT nothing", "ENTRYPOINT", "2:1: ENTRYPOINT: a command is missing", NULL },
	{ "VOLUME nothing", "VOLUME", "2:1: VOLUME: needs at least one argument", NULL },
	{ "VOLUME []", "VOLUME []", "2:1: VOLUME: needs at least one argument", NULL },
	{ "VOLUME empty", "VOLUME [\"/a\", \" \"]", "2:8: VOLUME: an argument is empty", NULL },
	{ "USER nothing", "USER", "2:1: USER: needs exactly one argument", NULL },
	{ "WORKDIR nothing", "WORKDIR", "2:1: WORKDIR: needs exactly one argument", NULL },
	{ "MAINTAINER nothing", "MAINTAINER", "2:1: MAINTAINER: needs exactly one argument", NULL },
	{ "MAINTAINER flag", "MAINTAINER --boo joe", "2:12: MAINTAINER: unknown flag '--boo'",
	  NULL },
	{ "STOPSIGNAL nothing", "STOPSIGNAL", "2:1: STOPSIGNAL: needs exactly one argument", NULL },
	{ "STOPSIGNAL", "STOPSIGNAL SIGFOO", "2:12: STOPSIGNAL: 'SIGFOO' is no signal", NULL },
	{ "SHELL nothing", "SHELL", "2:1: SHELL: needs at least one argument", NULL },
	{ "SHELL []", "SHELL []", "2:1: SHELL: needs at least one argument", NULL },
	{ "SHELL no JSON", "SHELL sh -c", "2:7: SHELL: needs the JSON form",
	  "SHELL [\"/bin/sh\", \"-c\"]" },
	{ "HEALTHCHECK nothing", "HEALTHCHECK", "2:1: HEALTHCHECK: needs CMD or NONE", NULL },
	{ "HEALTHCHECK type", "HEALTHCHECK CONNECT a",
	  "2:13: HEALTHCHECK: needs CMD or NONE, not 'CONNECT'", NULL },
	{ "HEALTHCHECK CMD", "HEALTHCHECK CMD", "2:13: HEALTHCHECK: a command is missing", NULL },
	{ "HEALTHCHECK NONE", "HEALTHCHECK NONE a", "2:18: HEALTHCHECK: NONE takes no arguments",
	  NULL },
	{ "HEALTHCHECK < 1ms", "HEALTHCHECK --timeout=50ns CMD a",
	  "2:13: HEALTHCHECK: flag '--timeout' cannot be less than 1ms", NULL },
	{ "HEALTHCHECK < 0", "HEALTHCHECK --interval=-1s CMD a",
	  "2:13: HEALTHCHECK: flag '--interval' cannot be less than 1ms", NULL },
	{ "HEALTHCHECK no duration", "HEALTHCHECK --start-period=5 CMD a",
	  "2:13: HEALTHCHECK: '5' is no duration: numbers with h, m, s, ms, us or ns", NULL },
	{ "HEALTHCHECK --retries", "HEALTHCHECK --retries=-1 CMD a",
	  "2:13: HEALTHCHECK: flag '--retries' is a number from 0 on, not '-1'", NULL },
	{ "ONBUILD nothing", "ONBUILD", "2:1: ONBUILD: needs an instruction", NULL },
	{ "ONBUILD ONBUILD", "ONBUILD onbuild RUN a",
	  "2:9: ONBUILD: is not allowed as an ONBUILD trigger", NULL },
	{ "ONBUILD FROM", "ONBUILD FROM a", "2:9: FROM: is not allowed as an ONBUILD trigger",
	  NULL },
	{ "ONBUILD MAINTAINER", "ONBUILD MAINTAINER a",
	  "2:9: MAINTAINER: is not allowed as an ONBUILD trigger", NULL },
	{ "ONBUILD unknown", "ONBUILD FOO a", "2:9: unknown instruction 'FOO'", NULL },
	{ "ONBUILD flag", "ONBUILD --x RUN a", "2:9: ONBUILD: unknown flag '--x'", NULL },
	{ "ONBUILD wrong", "ONBUILD COPY a", "2:9: COPY: needs a source and a destination",
	  "is 'a' the source or the destination?" },
};

/* Whole files. */
static const struct row files[] = {
	{ "L14 empty", "", "B: the file has no instructions", NULL },
	{ "L14 comments", "# a\n\n  # b\n", "B: the file has no instructions", NULL },
	{ "no FROM", "ARG a\n", "B: no FROM, so there is nothing to build", NULL },
	{ "before FROM", "ARG a\nRUN a\nFROM b\n", "B:2:1: RUN: stands before the first FROM",
	  "only ARG may" },
	{ "escape", "# escape=x\nFROM a\n", "B:1:1: the escape directive is '\\' or '`', not 'x'",
	  NULL },
	{ "directive twice", "# escape=`\n# Escape=`\nFROM a\n",
	  "B:2:1: a second 'Escape' directive", NULL },
	{ "// syntax", "// syntax=a/b:1\nx\n",
	  "B:1:1: the file is for the front end 'a/b:1', not a Buildfile", NULL },
	{ "JSON syntax", "{\"syntax\": \"a\"}\n",
	  "B:1:1: the file is for the front end 'a', not a Buildfile", NULL },
	{ "columns are characters", "FROM a\nENV ä=b ü\n", "B:2:9: ENV: 'ü' has no '='",
	  "NAME=VALUE; a value with blanks goes in quotes" },
	{ "no control characters", "FROM a\n\033[31m\x9bX\n",
	  "B:2:1: unknown instruction '?[31m?X'", NULL },
};

static void expect_error(const struct row *row, const char *text, const char *want)
{
	struct err err = ERR_INIT;
	struct ast *ast = parse_buildfile("B", text, strlen(text), &err);
	const char *hint = strstr(err.detail, "hint: ");

	if (ast)
		fail_msg("%s: '%s' was taken", row->rule, row->text);
	assert_int_equal(err.kind, ERR_INPUT);
	if (strcmp(err.text, want) != 0)
		fail_msg("%s: gave '%s', not '%s'", row->rule, err.text, want);
	if (!row->hint != !hint || (hint && strcmp(hint + 6, row->hint) != 0))
		fail_msg("%s: the detail is '%s'", row->rule, err.detail);
}

static void refuses_wrong_instructions(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_free char *text = str_format("FROM scratch\n%s\n", rows[i].text);
		auto_free char *want = str_format("B:%s", rows[i].error);

		expect_error(&rows[i], text, want);
	}
}

static void refuses_wrong_files(void **state)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		expect_error(&files[i], files[i].text, files[i].error);
}

static void refuses_nul_and_size(void **state)
{
	auto_free char *huge = mem_alloc(SOURCE_MAX_BYTES + 1);
	struct err err = ERR_INIT;

	assert_null(parse_buildfile("B", "FROM a\nRUN \0\n", 13, &err));
	assert_string_equal(err.text, "B:2:5: a NUL byte is not text");
	memset(huge, '\n', SOURCE_MAX_BYTES + 1);
	assert_null(parse_buildfile("B", huge, SOURCE_MAX_BYTES + 1, &err));
	assert_string_equal(err.text, "'B' is larger than 16 MiB");
	assert_null(parse_buildfile("B", huge, SOURCE_MAX_BYTES, &err));
	assert_string_equal(err.text, "B: the file has no instructions");
}

/* The whole of what people see. */
static void shows_the_place(void **state)
{
	struct err err = ERR_INIT;
	static const char text[] = "FROM a\nRUN x\n\n\tCOPY \\\n\t  --form=b c d\n";
	auto_strbuf struct strbuf line = STRBUF_INIT;

	assert_null(parse_buildfile("dir/Buildfile", text, strlen(text), &err));
	assert_string_equal(err.text, "dir/Buildfile:5:4: COPY: unknown flag '--form'");
	assert_string_equal(err.detail, "    5 |    --form=b c d\n"
					"      |    ^\n"
					"hint: did you mean '--from'?");

	strbuf_puts(&line, "FROM a\nENV ");
	for (int i = 0; i < 300; i++)
		strbuf_puts(&line, "k=v ");
	strbuf_puts(&line, "x y=z");
	for (int i = 0; i < 300; i++)
		strbuf_puts(&line, " k=v");
	assert_null(parse_buildfile("B", line.data, line.len, &err));
	assert_string_equal(err.text, "B:2:1205: ENV: 'x' has no '='");
	assert_non_null(strstr(err.detail,
			       "    2 | ...k=v k=v k=v k=v k=v k=v k=v k=v k=v k=v k=v k=v k=v "
			       "k=v k=v x y=z k=v "));
	assert_non_null(strstr(err.detail, "...\n      | "));
	/* 60 characters and "..." are left of the caret */
	assert_int_equal(strcspn(strstr(err.detail, "\n      | ") + 9, "^"), 63);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_wrong_instructions),
		cmocka_unit_test(refuses_wrong_files),
		cmocka_unit_test(refuses_nul_and_size),
		cmocka_unit_test(shows_the_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
