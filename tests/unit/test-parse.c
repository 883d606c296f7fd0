/* SPDX-License-Identifier: Apache-2.0 */
/* What Buildfiles say: lines, directives, each instruction and each flag, as the tree's dump. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "builder/parse.h"
#include "builder/runmount.h"
#include "common/mem.h"

struct row {
	const char *rule;
	const char *text;
	const char *want; /* the dump */
};

/* Line 1 of each is "FROM scratch". */
#define F "FROM scratch\n"
#define S "stage 1 base=\"scratch\"\n"

static const struct row lines[] = {
	{ "L1 byte order mark", "\xef\xbb\xbf" F "USER a\n", S "  user 2 \"a\"\n" },
	{ "L3 CRLF", "FROM scratch\r\nUSER a\r\nRUN a \\\r\n b\r\n",
	  S "  user 2 \"a\"\n  run 3-4 shell \"a  b\"\n" },
	{ "L3 no end of the last line", F "USER a", S "  user 2 \"a\"\n" },
	{ "L4 comment", "# c\n  # d\n" F "RUN a # b\n",
	  "stage 3 base=\"scratch\"\n"
	  "  run 4 shell \"a # b\"\n" },
	{ "L4 comment in a continuation", F "RUN a \\\n# c\n  # d\n b\n",
	  S "  run 2-5 shell \"a  b\"\n" },
	{ "L5 blanks before", F "  \tRUN a \\\n   b\n", S "  run 2-3 shell \"a    b\"\n" },
	{ "L6 continuation, blanks behind", F "RUN a\\ \t\nb\n", S "  run 2-3 shell \"ab\"\n" },
	{ "L6 doubled does not continue", F "RUN a\\\\\nUSER b\n",
	  S "  run 2 shell \"a\\\\\\\\\"\n  user 3 \"b\"\n" },
	{ "L6 escape alone", F "RUN a\\\n\\\nb\n", S "  run 2-4 shell \"ab\"\n" },
	{ "L6 at the end of the file", F "RUN a\\\n", S "  run 2 shell \"a\"\n" },
	{ "L7 empty continuation", F "RUN a \\\n\n  \n b\n",
	  S "  run 2-5 shell \"a  b\"\nempty-continuation 3\n" },
	{ "L8 any case", "from scratch\nuSeR a\n", S "  user 2 \"a\"\n" },
	{ "L9 quotes and escapes", F "RUN --mount='type=tmpfs',\"target=/a b\",size=1\\k a\n",
	  S "  run 2 shell \"a\" mount=\"type=tmpfs,target=/a b,size=1k\"\n" },
	{ "L9 -- ends the flags", F "RUN --network=none -- --mount a\n",
	  S "  run 2 shell \"--mount a\" network=\"none\"\n" },
	{ "L9 switches", F "COPY --link --parents=false a b\nCOPY --link=TRUE a b\n",
	  S "  copy 2 \"a\" dest=\"b\" link\n  copy 3 \"a\" dest=\"b\" link\n" },
	{ "L10 JSON", F "CMD [ \"a\", \"\\u00e4\\n\" ]\n", S "  cmd 2 exec \"a\" \"ä\\n\"\n" },
	{ "L10 NUL", F "CMD [\"\\u0000\", \"a\\u0000b\\u00c0\"]\n",
	  S "  cmd 2 exec \"\\x00\" \"a\\x00bÀ\"\n" },
	{ "L10 no JSON", F "CMD ['a']\nCMD [\"a\"] b\nCMD [\"a\"\n",
	  S "  cmd 2 shell \"['a']\"\n  cmd 3 shell \"[\\\"a\\\"] b\"\n  cmd 4 shell "
	    "\"[\\\"a\\\"\"\n" },
	{ "L10 JSON in lists", F "COPY [\"a b\", \"c\"]\nVOLUME [\"/a b\"]\n",
	  S "  copy 2 \"a b\" dest=\"c\"\n  volume 3 \"/a b\"\n" },
	{ "L11 lists have no quotes", F "COPY 'a  b' \tc\\ d\nVOLUME /a '/b'\n",
	  S "  copy 2 \"'a\" \"b'\" \"c\\\\\" dest=\"d\"\n  volume 3 \"/a\" \"'/b'\"\n" },
	{ "L12 words have quotes", F "ENV a=\"b c\" d='e\\' f=g\\ h\nARG \"x y\"=z w\n",
	  S "  env 2 a=\"\\\"b c\\\"\" d=\"'e\\\\'\" f=\"g\\\\ h\"\n"
	    "  arg 3 \\\"x y\\\"=\"z\" w\n" },
	{ "L13 the rest", F "MAINTAINER a  \"b\"\nWORKDIR /a b\nUSER a:b # c\n",
	  S "  maintainer 2 \"a  \\\"b\\\"\"\n  workdir 3 \"/a b\"\n  user 4 \"a:b # c\"\n" },
	{ "L15 doc comments",
	  "# v is it\n#  w  is that \nARG v w=1 x\n# not s\n# s builds\nFROM scratch AS S\n",
	  "arg 3 v doc=\"is it\" w=\"1\" doc=\" is that\" x\nstage 6 base=\"scratch\" name=\"s\" "
	  "doc=\"builds\"\n" },
	{ "L15 an empty comment begins anew", "# v is it\n#\nARG v\n" F,
	  "arg 3 v\nstage 4 base=\"scratch\"\n" },
};

static const struct row directives[] = {
	{ "syntax", "# syntax=docker/dockerfile:1.4-labs x\n" F,
	  "syntax docker/dockerfile:1.4-labs x\nstage 2 base=\"scratch\"\n" },
	{ "any case, blanks", "  #\tSYNTAX  =  a \nFROM scratch\n",
	  "syntax a\nstage 2 base=\"scratch\"\n" },
	{ "escape", "# escape=`\nFROM scratch\nRUN a`\nb\\\n",
	  "escape `\nstage 2 base=\"scratch\"\n  run 3-4 shell \"ab\\\\\"\n" },
	{ "check", "#check=skip=all;error=true\n" F,
	  "check skip=all;error=true\nstage 2 base=\"scratch\"\n" },
	{ "all, behind #!", "#!/usr/bin/imgbuild\n# check=a\n# syntax=b\n# escape=\\\n" F,
	  "syntax b\ncheck a\nstage 5 base=\"scratch\"\n" },
	{ "none behind a comment", "# hello\n# syntax=a\n" F, "stage 3 base=\"scratch\"\n" },
	{ "none behind a blank line", "\n# escape=`\n" F, "stage 3 base=\"scratch\"\n" },
	{ "none behind an unknown one", "# parser=x\n# escape=`\n" F,
	  "stage 3 base=\"scratch\"\n" },
	{ "none without a value", "# escape=\n# syntax=a\n" F, "stage 3 base=\"scratch\"\n" },
	{ "none behind an instruction", F "# escape=`\nUSER a\n", S "  user 3 \"a\"\n" },
	{ "no continuation", "# syntax=a\\\n" F, "syntax a\\\\\nstage 2 base=\"scratch\"\n" },
	{ "no doc comments", "# escape=\\\n# a b\nARG a\n" F,
	  "arg 3 a doc=\"b\"\nstage 4 base=\"scratch\"\n" },
};

static const struct row heredocs[] = {
	{ "script", F "RUN <<EOF\na\n  b\n\nEOF\nUSER u\n",
	  S "  run 2-6 shell \"<<EOF\" script\n    heredoc \"EOF\" expand body=\"a\\n  b\\n\\n\"\n "
	    " user 7 \"u\"\n" },
	{ "empty", F "RUN <<EOF\nEOF\n",
	  S "  run 2-3 shell \"<<EOF\" script\n    heredoc \"EOF\" expand body=\"\"\n" },
	{ "with a command", F "RUN <<EOF cat\na\nEOF\n",
	  S "  run 2-4 shell \"<<EOF cat\"\n    heredoc \"EOF\" expand body=\"a\\n\"\n" },
	{ "number", F "RUN 3<<EOF\nEOF\n",
	  S "  run 2-3 shell \"3<<EOF\" script\n    heredoc \"EOF\" expand fd=3 body=\"\"\n" },
	{ "chomped end, kept tabs", F "RUN <<-EOF\n\ta\n\tEOF\n",
	  S "  run 2-4 shell \"<<-EOF\" script\n    heredoc \"EOF\" expand chomp "
	    "body=\"\\ta\\n\"\n" },
	{ "not chomped: no end", F "RUN <<EOF\n\tEOF\n EOF\nEOFx\nEOF\n",
	  S "  run 2-6 shell \"<<EOF\" script\n    heredoc \"EOF\" expand body=\"\\tEOF\\n "
	    "EOF\\nEOFx\\n\"\n" },
	{ "quoted", F "RUN <<'EOF'\nEOF\nRUN <<\"EOF\"\nEOF\nRUN <<E'O'F\nEOF\n",
	  S "  run 2-3 shell \"<<'EOF'\" script\n    heredoc \"EOF\" body=\"\"\n"
	    "  run 4-5 shell \"<<\\\"EOF\\\"\" script\n    heredoc \"EOF\" body=\"\"\n"
	    "  run 6-7 shell \"<<E'O'F\" script\n    heredoc \"EOF\" body=\"\"\n" },
	{ "escaped quote", F "RUN <<eo\\'f\neo'f\n",
	  S "  run 2-3 shell \"<<eo\\\\'f\" script\n    heredoc \"eo'f\" expand body=\"\"\n" },
	{ "blank in the name", F "RUN <<'a b'\na b\n",
	  S "  run 2-3 shell \"<<'a b'\" script\n    heredoc \"a b\" body=\"\"\n" },
	{ "blanks before the name", F "RUN <<  EOF\nEOF\n",
	  S "  run 2-3 shell \"<<  EOF\" script\n    heredoc \"EOF\" expand body=\"\"\n" },
	{ "variables are no variables", F "RUN <<$E\n$E\n",
	  S "  run 2-3 shell \"<<$E\" script\n    heredoc \"$E\" expand body=\"\"\n" },
	{ "several", F "RUN a <<A <<B\n1\nA\n2\nB\n",
	  S "  run 2-6 shell \"a <<A <<B\"\n    heredoc \"A\" expand body=\"1\\n\"\n    heredoc "
	    "\"B\" expand body=\"2\\n\"\n" },
	{ "comments and instructions inside", F "RUN <<E\n# c\nRUN x\\\nE\n",
	  S "  run 2-5 shell \"<<E\" script\n    heredoc \"E\" expand body=\"# c\\nRUN "
	    "x\\\\\\n\"\n" },
	{ "none: <<<, quoted, in a word, JSON",
	  F "RUN a <<<b\nRUN \"<<a\" '<<b'\nRUN a<<b\nRUN [\"<<a\"]\nCMD <<a\n",
	  S
	  "  run 2 shell \"a <<<b\"\n  run 3 shell \"\\\"<<a\\\" '<<b'\"\n  run 4 shell \"a<<b\"\n"
	  "  run 5 exec \"<<a\"\n  cmd 6 shell \"<<a\"\n" },
	{ "COPY", F "COPY <<a b <<'c' /d/\n$x\na\n2\nc\n",
	  S "  copy 2-6 <<\"a\" \"b\" <<\"c\" dest=\"/d/\"\n    heredoc \"a\" expand "
	    "body=\"$x\\n\"\n    heredoc \"c\" body=\"2\\n\"\n" },
	{ "ADD", F "ADD <<a /d\na\n",
	  S "  add 2-3 <<\"a\" dest=\"/d\"\n    heredoc \"a\" expand body=\"\"\n" },
	{ "ONBUILD", F "ONBUILD RUN <<a\nx\na\n",
	  S "  onbuild 2-4 text=\"RUN <<a\\nx\\na\"\n    trigger run 2-4 shell \"<<a\" script\n    "
	    "heredoc \"a\" expand body=\"x\\n\"\n" },
	{ "CRLF end", F "RUN <<a\r\nx\r\na\r\n",
	  S "  run 2-4 shell \"<<a\" script\n    heredoc \"a\" expand body=\"x\\x0d\\n\"\n" },
};

static const struct row instructions[] = {
	{ "ARG global", "ARG a\nARG b=1 c=\"$b\"\n" F,
	  "arg 1 a\narg 2 b=\"1\" c=\"\\\"$b\\\"\"\nstage 3 base=\"scratch\"\n" },
	{ "ARG in a stage", F "ARG a b=\n", S "  arg 2 a b=\"\"\n" },
	{ "FROM", "FROM --platform=$P a:1@sha256:x AS B.c-d_1\nFROM b\n",
	  "stage 1 base=\"a:1@sha256:x\" name=\"b.c-d_1\" platform=\"$P\"\nstage 2 base=\"b\"\n" },
	{ "RUN shell", F "RUN a  \"b\" && c\n", S "  run 2 shell \"a  \\\"b\\\" && c\"\n" },
	{ "RUN exec", F "RUN [\"a\",\"b c\"]\n", S "  run 2 exec \"a\" \"b c\"\n" },
	{ "RUN --mount", F "RUN --mount=type=$t,from=s --mount=target=/x a\n",
	  S "  run 2 shell \"a\" mount=\"type=$t,from=s\" mount=\"target=/x\"\n" },
	{ "RUN --network", F "RUN --network=host a\nRUN --network=default a\n",
	  S "  run 2 shell \"a\" network=\"host\"\n  run 3 shell \"a\" network=\"default\"\n" },
	{ "RUN --security", F "RUN --security=insecure a\nRUN --security=sandbox a\n",
	  S "  run 2 shell \"a\" insecure\n  run 3 shell \"a\"\n" },
	{ "RUN --device", F "RUN --device=v/c=n,required --device=name=v/d,required=false a\n",
	  S "  run 2 shell \"a\" device=\"v/c=n\" required device=\"v/d\"\n" },
	{ "COPY flags",
	  F "COPY --from=b --chown=$u:g --chmod=u=rwX --link --parents --exclude=*.o "
	    "--exclude=!a.o a b/ c/\n",
	  S "  copy 2 \"a\" \"b/\" dest=\"c/\" from=\"b\" chown=\"$u:g\" chmod=\"u=rwX\" link "
	    "parents exclude=\"*.o\" exclude=\"!a.o\"\n" },
	{ "ADD flags",
	  F "ADD --keep-git-dir --checksum=sha256:1 --unpack=false --link=false --chown=1 "
	    "--chmod=1 --exclude=x http://a /b\n",
	  S "  add 2 \"http://a\" dest=\"/b\" chown=\"1\" chmod=\"1\" exclude=\"x\" "
	    "checksum=\"sha256:1\" keep-git-dir=true unpack=false\n" },
	{ "LABEL", F "LABEL a=b \"c d\"=e\nLABEL f g h\n",
	  S "  label 2 a=\"b\" \\\"c d\\\"=\"e\"\n  label 3 f=\"g h\" legacy\n" },
	{ "ENV", F "ENV a=b c==\nENV f  g \"h\"\n",
	  S "  env 2 a=\"b\" c=\"=\"\n  env 3 f=\"g \\\"h\\\"\" legacy\n" },
	{ "EXPOSE", F "EXPOSE 80 $p/udp 1.2.3.4:1-3:7-9/TCP [::1]:2:3 :5\n",
	  S "  expose 2 \"$p/udp\" \"1.2.3.4:1-3:7-9/TCP\" \"80\" \":5\" \"[::1]:2:3\"\n" },
	{ "CMD, ENTRYPOINT", F "CMD a b\nENTRYPOINT []\nCMD []\n",
	  S "  cmd 2 shell \"a b\"\n  entrypoint 3 exec\n  cmd 4 exec\n" },
	{ "VOLUME", F "VOLUME /a $b\n", S "  volume 2 \"/a\" \"$b\"\n" },
	{ "ONBUILD", F "onbuild  Copy --from=a b c \n",
	  S "  onbuild 2 text=\"Copy --from=a b c\"\n    trigger copy 2 \"b\" dest=\"c\" "
	    "from=\"a\"\n" },
	{ "STOPSIGNAL", F "STOPSIGNAL sigTERM\nSTOPSIGNAL 9\nSTOPSIGNAL rtmin+3\nSTOPSIGNAL $s\n",
	  S "  stopsignal 2 \"sigTERM\"\n  stopsignal 3 \"9\"\n  stopsignal 4 \"rtmin+3\"\n  "
	    "stopsignal 5 \"$s\"\n" },
	{ "HEALTHCHECK",
	  F "HEALTHCHECK --interval=1m30s --timeout=1.5s --start-period=2h --start-interval=1ms "
	    "--retries=3 cmd a b\n",
	  S "  healthcheck 2 shell \"a b\" interval=90000000000 timeout=1500000000 "
	    "start-period=7200000000000 start-interval=1000000 retries=3\n" },
	{ "HEALTHCHECK exec, 0", F "HEALTHCHECK --interval=0s CMD [\"a\"]\nHEALTHCHECK NONE\n",
	  S "  healthcheck 2 exec \"a\"\n  healthcheck 3 none\n" },
	{ "SHELL", F "SHELL [\"/bin/bash\", \"-c\"]\n", S "  shell 2 exec \"/bin/bash\" \"-c\"\n" },
};

static void expect_dump(const struct row *row)
{
	struct err err = ERR_INIT;
	auto_ast struct ast *ast = parse_buildfile("Buildfile", row->text, strlen(row->text), &err);
	auto_strbuf struct strbuf dump = STRBUF_INIT;

	if (!ast)
		fail_msg("%s: %s", row->rule, err.text);
	ast_dump(ast, &dump);
	if (strcmp(dump.data, row->want) != 0)
		fail_msg("%s: gave\n%snot\n%s", row->rule, dump.data, row->want);
}

#define EXPECT_ALL(table)                                                     \
	for (size_t row = 0; row < sizeof(table) / sizeof((table)[0]); row++) \
	expect_dump(&(table)[row])

static void reads_lines(void **state)
{
	EXPECT_ALL(lines);
}

static void reads_directives(void **state)
{
	EXPECT_ALL(directives);
}

static void reads_heredocs(void **state)
{
	EXPECT_ALL(heredocs);
}

static void reads_instructions(void **state)
{
	EXPECT_ALL(instructions);
}

/* L2: 65535 bytes are a line, one more is none. */
static void bounds_lines(void **state)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	struct err err = ERR_INIT;
	struct ast *ast;

	strbuf_puts(&text, F "USER ");
	while (text.len < strlen(F) + 65535)
		strbuf_putc(&text, 'a');
	ast = parse_buildfile("B", text.data, text.len, &err);
	assert_non_null(ast);
	ast_free(ast);
	strbuf_putc(&text, 'a');
	assert_null(parse_buildfile("B", text.data, text.len, &err));
	assert_string_equal(err.text, "B:2:1: the line is longer than 65535 bytes");
}

/* Places and texts that the dump leaves out. */
static void keeps_what_was_written(void **state)
{
	static const char text[] = "from a As B\n"
				   "# check=skip=X\n"
				   "  Copy x \\\n"
				   "   y  \n"
				   "CMD ['a']\n";
	struct err err = ERR_INIT;
	auto_ast struct ast *ast = parse_buildfile("B", text, strlen(text), &err);
	const struct stage *stage = ast->stages[0];
	const struct instruction *copy = stage->instructions[0];

	assert_string_equal(stage->keyword, "from");
	assert_string_equal(stage->as_keyword, "As");
	assert_string_equal(stage->name_as_written, "B");
	assert_string_equal(stage->original, "from a As B");
	assert_int_equal(stage->base_at.column, 6);
	assert_string_equal(copy->keyword, "Copy");
	assert_string_equal(copy->original, "Copy x    y");
	assert_int_equal(copy->column, 3);
	assert_int_equal(copy->comments.count, 1);
	assert_string_equal(copy->comments.items[0], "check=skip=X");
	assert_non_null(stage->instructions[1]->command.json_fault);
}

static void finds_stages_by_name(void **state)
{
	static const char text[] = "FROM x AS a\nFROM x AS b\nFROM x AS A\nFROM a\n";
	struct err err = ERR_INIT;
	auto_ast struct ast *ast = parse_buildfile("B", text, strlen(text), &err);

	assert_int_equal(ast_find_stage(ast, "a", 3), 2);
	assert_int_equal(ast_find_stage(ast, "A", 2), 0);
	assert_int_equal(ast_find_stage(ast, "B", 99), 1);
	assert_int_equal(ast_find_stage(ast, "b", 1), -1);
	assert_int_equal(ast_find_stage(ast, "c", 4), -1);
}

static void gives_the_shells_text(void **state)
{
	static const struct row rows[] = {
		{ "line", F "RUN a b\n", "a b" },
		{ "script", F "RUN <<-E\n\ta\n\t\tb\nE\n", "a\nb\n" },
		{ "command", F "RUN cat <<-E <<F\n\ta\n\tE\nb\nF\n", "cat <<-E <<F\n\ta\nE\nb\nF" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = ERR_INIT;
		auto_ast struct ast *ast =
			parse_buildfile("B", rows[i].text, strlen(rows[i].text), &err);
		auto_free char *got = run_shell_text(&ast->stages[0]->instructions[0]->run);

		assert_string_equal(got, rows[i].want);
	}
}

static void reads_triggers(void **state)
{
	static const struct row bad[] = {
		{ "unknown", "FOO x", "ONBUILD trigger:1:1: unknown instruction 'FOO'" },
		{ "none", "# x\n", "ONBUILD trigger: there is no instruction in it" },
		{ "two", "RUN a\nRUN b",
		  "ONBUILD trigger:2:1: RUN: a trigger is one instruction only" },
		{ "FROM", "FROM x",
		  "ONBUILD trigger:1:1: FROM: is not allowed as an ONBUILD trigger" },
		{ "ONBUILD", "onbuild RUN x",
		  "ONBUILD trigger:1:1: ONBUILD: is not allowed as an ONBUILD trigger" },
	};
	struct err err = ERR_INIT;
	auto_ast struct ast *ast = parse_trigger("RUN <<E cat\nx\nE", &err);
	auto_strbuf struct strbuf dump = STRBUF_INIT;

	assert_non_null(ast);
	ast_dump(ast, &dump);
	assert_string_equal(dump.data, "stage 0\n  run 1-3 shell \"<<E cat\"\n"
				       "    heredoc \"E\" expand body=\"x\\n\"\n");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_null(parse_trigger(bad[i].text, &err));
		assert_string_equal(err.text, bad[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_lines),          cmocka_unit_test(reads_directives),
		cmocka_unit_test(reads_heredocs),       cmocka_unit_test(reads_instructions),
		cmocka_unit_test(bounds_lines),         cmocka_unit_test(keeps_what_was_written),
		cmocka_unit_test(finds_stages_by_name), cmocka_unit_test(gives_the_shells_text),
		cmocka_unit_test(reads_triggers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
