/* SPDX-License-Identifier: Apache-2.0 */
/* One table gives parsing, help and completion; mistakes get a hint. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cmdline.h"
#include "common/fd.h"
#include "config.h"

struct values {
	bool no_cache;
	bool interactive;
	bool tty;
	const char *file;
	const char *progress;
	struct strlist tags;
	struct strlist args;
	bool done;
};

static void release(struct values *values)
{
	strlist_release(&values->tags);
	strlist_release(&values->args);
}

/* Parse the words of @line into @values. */
static int parse(struct values *values, const char *line, bool stop, struct err *err)
{
	const struct cmdline_option options[] = {
		{ 'f', "file", OPTION_STRING, &values->file, "PATH", "where the Buildfile is",
		  NULL },
		{ 't', "tag", OPTION_LIST, &values->tags, "NAME", "name the image", NULL },
		{ 'i', "interactive", OPTION_FLAG, &values->interactive, NULL, "keep stdin open",
		  NULL },
		{ 'T', "tty", OPTION_FLAG, &values->tty, NULL, "give a terminal", NULL },
		{ 0, "no-cache", OPTION_FLAG, &values->no_cache, NULL, "run every step", NULL },
		{ 0, "progress", OPTION_CHOICE, &values->progress, NULL, "how progress is shown",
		  "auto|plain|quiet" },
		{ 0, "compat-with-a-long-name", OPTION_IGNORED, NULL, "VALUE", "of old scripts",
		  NULL },
		{ 0, "rm", OPTION_IGNORED, NULL, NULL, NULL, NULL },
		{ 0 },
	};
	struct cmdline cmdline = { .program = "prog",
				   .synopsis = "[OPTIONS] CONTEXT",
				   .summary = "Does things.",
				   .options = options,
				   .min_args = 1,
				   .max_args = 2,
				   .stop_at_positional = stop };
	/* the values point into it */
	static char words[512];
	char *argv[32] = { words };
	int argc = 1;
	char *save = NULL;

	snprintf(words, sizeof(words), "prog %s", line);
	strtok_r(words, " ", &save);
	while ((argv[argc] = strtok_r(NULL, " ", &save)))
		argc++;
	return cmdline_parse(&cmdline, argc, argv, &values->args, &values->done, err);
}

static struct values parse_ok(const char *line)
{
	struct values values = { .file = NULL };
	struct err err = ERR_INIT;

	if (parse(&values, line, false, &err) < 0)
		fail_msg("%s", err.text);
	assert_false(values.done);
	return values;
}

static void reads_options_in_every_form(void **state)
{
	struct values v = parse_ok("--file=a -t x ctx --tag y -tz -t=w --progress plain");

	assert_string_equal(v.file, "a");
	assert_int_equal(v.tags.count, 4);
	assert_string_equal(v.tags.items[0], "x");
	assert_string_equal(v.tags.items[2], "z");
	assert_string_equal(v.tags.items[3], "w");
	assert_string_equal(v.progress, "plain");
	assert_int_equal(v.args.count, 1);
	assert_string_equal(v.args.items[0], "ctx");
	release(&v);
	v = parse_ok("--file a --file b -iT ctx");
	assert_string_equal(v.file, "b");
	assert_true(v.interactive && v.tty && !v.no_cache);
	release(&v);
	v = parse_ok("-iTf b --no-cache ctx");
	assert_string_equal(v.file, "b");
	assert_true(v.interactive && v.tty && v.no_cache);
	release(&v);
	v = parse_ok("--no-cache --no-cache=false --tty=true -i=false ctx");
	assert_true(!v.no_cache && v.tty && !v.interactive);
	release(&v);
	v = parse_ok("--file= --compat-with-a-long-name x --rm --rm=false ctx");
	assert_string_equal(v.file, "");
	assert_int_equal(v.args.count, 1);
	release(&v);
}

static void ends_options_where_told(void **state)
{
	struct values v = parse_ok("- -- --file");
	struct err err = ERR_INIT;

	assert_int_equal(v.args.count, 2);
	assert_string_equal(v.args.items[0], "-");
	assert_string_equal(v.args.items[1], "--file");
	assert_null(v.file);
	release(&v);
	v = (struct values){ .file = NULL };
	assert_int_equal(parse(&v, "-i image -t", true, &err), 0);
	assert_true(v.interactive);
	assert_int_equal(v.tags.count, 0);
	assert_string_equal(v.args.items[1], "-t");
	release(&v);
}

static void refuses(const char *line, const char *want)
{
	struct values values = { .file = NULL };
	struct err err = ERR_INIT;

	if (parse(&values, line, false, &err) == 0)
		fail_msg("'%s' was accepted", line);
	assert_int_equal(err.kind, ERR_USAGE);
	assert_string_equal(err.text, want);
	assert_int_equal(values.args.count, 0);
	release(&values);
}

static void names_what_is_wrong(void **state)
{
	refuses("--fiel x", "unknown option '--fiel' (did you mean '--file'?)");
	refuses("--fiel=x", "unknown option '--fiel' (did you mean '--file'?)");
	refuses("--prog x", "unknown option '--prog' (did you mean '--progress'?)");
	refuses("--quux x", "unknown option '--quux'; see 'prog --help'");
	refuses("-x", "unknown option '-x'; see 'prog --help'");
	refuses("-ix", "unknown option '-x'; see 'prog --help'");
	refuses("ctx --file", "option '--file' needs a value (PATH)");
	refuses("ctx -if", "option '-f' needs a value (PATH)");
	refuses("ctx --progress", "option '--progress' needs a value (auto|plain|quiet)");
	refuses("--progress fancy", "option '--progress' is auto, plain or quiet, not 'fancy'");
	refuses("--progress=auto|plain", "option '--progress' is auto, plain or quiet, not "
					 "'auto|plain'");
	refuses("--progress=", "option '--progress' is auto, plain or quiet, not ''");
	refuses("--tty=maybe", "option '--tty' is true or false, not 'maybe'");
	refuses("--completion=fish", "option '--completion' is bash, not 'fish'");
	refuses("--help=x", "option '--help' takes no value");
	refuses("", "an argument is missing; usage: prog [OPTIONS] CONTEXT");
	refuses("a b c", "unexpected argument 'c'; usage: prog [OPTIONS] CONTEXT");
}

static void a_switch_may_have_choices(void **state)
{
	static const struct {
		const char *word;
		const char *value; /* NULL: refused */
	} rows[] = {
		{ "--pull", "true" },        { "--pull=false", "false" },
		{ "--pull=never", "never" }, { "--pull=sometimes", NULL },
		{ "--pull=", NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *pull = NULL;
		const struct cmdline_option options[] = {
			{ 0, "pull", OPTION_SWITCH, &pull, NULL, "get it", "always|never" },
			{ 0 },
		};
		const struct cmdline cmdline = {
			.program = "prog", .synopsis = "", .options = options, .max_args = 1
		};
		char word[32];
		/* what follows is no value of it */
		char *argv[] = { (char[]){ "prog" }, word, (char[]){ "never" }, NULL };
		auto_strlist struct strlist args = STRLIST_INIT;
		struct err err = ERR_INIT;
		bool done = false;
		int result;

		snprintf(word, sizeof(word), "%s", rows[i].word);
		result = cmdline_parse(&cmdline, 3, argv, &args, &done, &err);
		assert_int_equal(result, rows[i].value ? 0 : -1);
		if (rows[i].value)
			assert_string_equal(pull, rows[i].value);
		else
			assert_non_null(strstr(err.text, "option '--pull' is always or never"));
	}
}

/* ---- what goes to stdout --------------------------------------------------- */

static void paths_gather_in_a_variable(void **state)
{
	const struct cmdline_option options[] = {
		{ 0, "add", OPTION_PATHS, NULL, "DIR", "one more", "TEST_CMDLINE_PATHS" },
		{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL, NULL },
	};
	const struct cmdline cmdline = { .program = "prog", .synopsis = "", .options = options };
	char *good[] = { (char[]){ "prog" }, (char[]){ "--add" }, (char[]){ "/../tmp" },
			 (char[]){ "--add=/not/there" }, NULL };
	char *bad[] = { (char[]){ "prog" }, (char[]){ "--add" }, (char[]){ "/a:b" }, NULL };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;
	bool done = false;

	assert_int_equal(unsetenv("TEST_CMDLINE_PATHS"), 0);
	assert_int_equal(cmdline_parse(&cmdline, 4, good, &args, &done, &err), 0);
	assert_string_equal(getenv("TEST_CMDLINE_PATHS"), "/tmp:/not/there");
	assert_int_equal(cmdline_parse(&cmdline, 3, bad, &args, &done, &err), -1);
	assert_int_equal(err.kind, ERR_USAGE);
	assert_string_equal(err.text, "option '--add': a path that has a colon cannot be used");
}

struct capture {
	int saved;
	int file;
	int to;
};

static void capture_start(struct capture *capture, int to)
{
	fflush(NULL);
	capture->to = to;
	capture->saved = dup(to);
	capture->file = memfd_create("out", MFD_CLOEXEC);
	assert_int_equal(dup2(capture->file, to), to);
}

static void capture_end(struct capture *capture, char *buf, size_t size)
{
	ssize_t len;

	fflush(NULL);
	dup2(capture->saved, capture->to);
	close(capture->saved);
	len = pread(capture->file, buf, size - 1, 0);
	buf[len > 0 ? len : 0] = '\0';
	close(capture->file);
}

static void answer_of(const char *line, char *buf, size_t size)
{
	struct values values = { .file = NULL };
	struct err err = ERR_INIT;
	struct capture capture;
	int result;

	capture_start(&capture, STDOUT_FILENO);
	result = parse(&values, line, false, &err);
	capture_end(&capture, buf, size);
	assert_int_equal(result, 0);
	assert_true(values.done);
	release(&values);
}

static void helps(void **state)
{
	char text[4096];
	char again[4096];

	answer_of("--help", text, sizeof(text));
	assert_string_equal(text, "Usage: prog [OPTIONS] CONTEXT\n"
				  "\n"
				  "Does things.\n"
				  "\n"
				  "Options:\n"
				  "  -f, --file PATH    where the Buildfile is\n"
				  "  -t, --tag NAME     name the image\n"
				  "  -i, --interactive  keep stdin open\n"
				  "  -T, --tty          give a terminal\n"
				  "      --no-cache     run every step\n"
				  "      --progress auto|plain|quiet\n"
				  "                     how progress is shown\n"
				  "      --compat-with-a-long-name VALUE\n"
				  "                     of old scripts (accepted, does nothing)\n"
				  "      --rm           (accepted, does nothing)\n"
				  "  -h, --help         Print this help and exit\n"
				  "      --version      Print the version and exit\n");
	answer_of("ctx -ih", again, sizeof(again));
	assert_string_equal(again, text);
	answer_of("--version", text, sizeof(text));
	assert_string_equal(text, "prog " PACKAGE_VERSION "\n");
}

/* What bash makes of it, asked by bash itself. */
static void completion_gives(const char *script, const char *words, const char *want)
{
	char command[8192];
	char got[512] = "";
	char name[] = "/tmp/imgbuild-unit.XXXXXX";
	int fd = mkstemp(name);
	FILE *bash;
	size_t len;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, script, strlen(script)), strlen(script));
	close(fd);
	snprintf(command, sizeof(command),
		 "bash -c '. %s; COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _prog; "
		 "echo \"${COMPREPLY[*]}\"'",
		 name, words);
	bash = popen(command, "re");
	assert_non_null(bash);
	len = fread(got, 1, sizeof(got) - 1, bash);
	got[len] = '\0';
	assert_int_equal(pclose(bash), 0);
	unlink(name);
	assert_string_equal(got, want);
}

static void completes(void **state)
{
	char script[4096];

	answer_of("--completion=bash", script, sizeof(script));
	completion_gives(script, "prog --no", "--no-cache\n");
	completion_gives(script, "prog --t", "--tag --tty\n");
	completion_gives(script, "prog --progress p", "plain\n");
	completion_gives(script, "prog --progress = q", "quiet\n");
	completion_gives(script, "prog --progress =", "auto plain quiet\n");
	completion_gives(script, "prog --file /proc/uptim", "/proc/uptime\n");
	completion_gives(script, "prog /proc/uptim", "/proc/uptime\n");
}

/* A letter of the table goes before the help's. */
static void the_table_may_have_its_own_h(void **state)
{
	const char *hostname = NULL;
	const struct cmdline_option options[] = {
		{ 'h', "hostname", OPTION_STRING, &hostname, "NAME", "of the container", NULL },
		{ 0 },
	};
	struct cmdline cmdline = { .program = "prog sub",
				   .synopsis = "",
				   .summary = "Runs.",
				   .options = options,
				   .max_args = SIZE_MAX };
	char *argv[] = { (char[]){ "prog" }, (char[]){ "-h" }, (char[]){ "box" }, NULL };
	char *help[] = { (char[]){ "prog" }, (char[]){ "--help" }, NULL };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;
	struct capture capture;
	char text[1024];
	bool done = true;

	assert_int_equal(cmdline_parse(&cmdline, 3, argv, &args, &done, &err), 0);
	assert_false(done);
	assert_string_equal(hostname, "box");
	capture_start(&capture, STDOUT_FILENO);
	cmdline_parse(&cmdline, 2, help, &args, &done, &err);
	capture_end(&capture, text, sizeof(text));
	assert_true(done);
	assert_non_null(strstr(text, "\n      --help "));
}

/* ---- subcommands ----------------------------------------------------------- */

static char seen[256];

static int run_ls(int argc, char **argv)
{
	seen[0] = '\0';
	for (int i = 0; i < argc; i++) {
		strcat(seen, argv[i]);
		strcat(seen, i + 1 < argc ? " " : "");
	}
	assert_null(argv[argc]);
	return 42;
}

static int run_rm(int argc, char **argv)
{
	return 43;
}

static const struct subcommand table[] = {
	{ "ls", "list the images", run_ls },
	{ "remove", "remove an image", run_rm },
	{ NULL, NULL, NULL },
};

/* Dispatch the words of @line; what was printed to @to ends in @text. */
static int dispatch(const char *line, int to, char *text, size_t size)
{
	char words[256];
	char *argv[16] = { words };
	char *save = NULL;
	struct capture capture;
	int argc = 1;
	int status;

	snprintf(words, sizeof(words), "prog %s", line);
	strtok_r(words, " ", &save);
	while ((argv[argc] = strtok_r(NULL, " ", &save)))
		argc++;
	capture_start(&capture, to);
	status = cmdline_dispatch("prog", "Keeps images.", table, argc, argv);
	capture_end(&capture, text, size);
	return status;
}

static void picks_the_subcommand(void **state)
{
	char text[1024];

	assert_int_equal(dispatch("ls -a x", STDERR_FILENO, text, sizeof(text)), 42);
	assert_string_equal(seen, "ls -a x");
	assert_int_equal(dispatch("--root /r ls -a", STDERR_FILENO, text, sizeof(text)), 42);
	assert_string_equal(seen, "ls --root=/r -a");
	assert_int_equal(dispatch("--root=/r ls", STDERR_FILENO, text, sizeof(text)), 42);
	assert_string_equal(seen, "ls --root=/r");
	assert_int_equal(dispatch("--add-store /a --root=/r --add-store=/b ls x", STDERR_FILENO,
				  text, sizeof(text)),
			 42);
	assert_string_equal(seen, "ls --add-store=/a --root=/r --add-store=/b x");
	assert_int_equal(dispatch("ls --help", STDERR_FILENO, text, sizeof(text)), 42);
	assert_int_equal(dispatch("remove", STDERR_FILENO, text, sizeof(text)), 43);
	assert_string_equal(text, "");
}

static void words_a_wrong_subcommand(void **state)
{
	char text[1024];

	assert_int_equal(dispatch("removee x", STDERR_FILENO, text, sizeof(text)), 2);
	assert_string_equal(text, "prog: unknown command 'removee' (did you mean 'remove'?)\n");
	assert_int_equal(dispatch("zzz", STDERR_FILENO, text, sizeof(text)), 2);
	assert_string_equal(text, "prog: unknown command 'zzz'; see 'prog --help'\n");
	assert_int_equal(dispatch("", STDERR_FILENO, text, sizeof(text)), 2);
	assert_string_equal(text, "prog: a command is missing; see 'prog --help'\n");
	assert_int_equal(dispatch("-a ls", STDERR_FILENO, text, sizeof(text)), 2);
	assert_string_equal(text, "prog: option '-a' is not known before the command; see "
				  "'prog --help'\n");
	assert_int_equal(dispatch("--root", STDERR_FILENO, text, sizeof(text)), 2);
	assert_string_equal(text, "prog: option '--root' needs a value (DIR)\n");
}

static void lists_the_subcommands(void **state)
{
	char text[4096];

	assert_int_equal(dispatch("--help", STDOUT_FILENO, text, sizeof(text)), 0);
	assert_string_equal(text, "Usage: prog [--root DIR] COMMAND [OPTIONS] ...\n\n"
				  "Keeps images.\n\n"
				  "Commands:\n"
				  "  ls      list the images\n"
				  "  remove  remove an image\n\n"
				  "'prog COMMAND --help' describes a command.\n");
	assert_int_equal(dispatch("--version", STDOUT_FILENO, text, sizeof(text)), 0);
	assert_string_equal(text, "prog " PACKAGE_VERSION "\n");
	assert_int_equal(dispatch("--completion=bash", STDOUT_FILENO, text, sizeof(text)), 0);
	completion_gives(text, "prog re", "remove\n");
	/* the subcommand brings its own */
	strcat(text, "prog() { echo \"_prog_$1() { COMPREPLY=(from-$1); }\"; }\n");
	completion_gives(text, "prog ls x", "from-ls\n");
}

static void finds_the_nearest(void **state)
{
	static const char *const names[] = {
		"tag", "target", "no-cache", "build-arg", "pull", NULL
	};

	assert_string_equal(cmdline_nearest("tga", names), "tag");
	assert_string_equal(cmdline_nearest("taget", names), "target");
	assert_string_equal(cmdline_nearest("nocache", names), "no-cache");
	assert_string_equal(cmdline_nearest("buidl-arg", names), "build-arg");
	assert_string_equal(cmdline_nearest("build", names), "build-arg");
	assert_string_equal(cmdline_nearest("pull", names), "pull");
	assert_null(cmdline_nearest("x", names));
	assert_null(cmdline_nearest("", names));
	assert_null(cmdline_nearest("squash", names));
	assert_null(cmdline_nearest("a-word-that-is-much-longer-than-anybody-would-ever-write-"
				    "on-a-command-line",
				    names));
}

static void tables_are_put_together(void **state)
{
	bool first = false;
	bool second = false;
	bool is_done = false;
	const struct cmdline_option one[] = { { 'a', "aa", OPTION_FLAG, &first, NULL, "", NULL },
					      { 0, NULL, OPTION_FLAG, NULL, NULL, NULL, NULL } };
	const struct cmdline_option other[] = { { 'b', "bb", OPTION_FLAG, &second, NULL, "", NULL },
						{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL, NULL } };
	const struct cmdline_option none[] = { { 0, NULL, OPTION_FLAG, NULL, NULL, NULL, NULL } };
	auto_cmdline_table struct cmdline_table whole = { .rows = NULL };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct cmdline cmdline = { .program = "p", .synopsis = "", .summary = "" };
	char name[] = "p", letter[] = "-b", word[] = "--aa";
	char *argv[] = { name, letter, word, NULL };
	struct err err = ERR_INIT;

	(void)state;
	cmdline_table_add(&whole, none);
	cmdline_table_add(&whole, one);
	cmdline_table_add(&whole, none);
	cmdline_table_add(&whole, other);
	assert_int_equal(whole.count, 2);
	cmdline.options = whole.rows;
	assert_int_equal(cmdline_parse(&cmdline, 3, argv, &args, &is_done, &err), 0);
	assert_true(first);
	assert_true(second);
	assert_null(whole.rows[2].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_options_in_every_form),
		cmocka_unit_test(ends_options_where_told),
		cmocka_unit_test(names_what_is_wrong),
		cmocka_unit_test(helps),
		cmocka_unit_test(completes),
		cmocka_unit_test(the_table_may_have_its_own_h),
		cmocka_unit_test(paths_gather_in_a_variable),
		cmocka_unit_test(a_switch_may_have_choices),
		cmocka_unit_test(picks_the_subcommand),
		cmocka_unit_test(words_a_wrong_subcommand),
		cmocka_unit_test(lists_the_subcommands),
		cmocka_unit_test(finds_the_nearest),
		cmocka_unit_test(tables_are_put_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
