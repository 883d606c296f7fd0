/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints how a Buildfile is read, for comparison in tests:
 *
 *   parser-dump FILE          its statements as nested lists
 *                             (keyword ["--flag"] "argument" ...)
 *   parser-dump --ast FILE    its syntax tree, a line per node
 *   parser-dump --check FILE  nothing; only the status says whether it is right
 *
 * The status is 3 when it is not, as of imgbuild.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "builder/parse.h"
#include "builder/rune.h"
#include "builder/statement.h"
#include "common/fd.h"
#include "common/mem.h"

/* As a C-like string: what cannot be seen is \xNN, \uNNNN or a letter behind '\'. */
static void put_quoted(struct strbuf *out, const char *s)
{
	static const char letters[] = "\a\b\f\n\r\t\v\"\\";
	size_t len = strlen(s);

	strbuf_putc(out, '"');
	for (size_t i = 0, n; i < len; i += n) {
		uint32_t rune = rune_next(s + i, len - i, &n);
		const char *letter = rune && rune < 0x80 ? strchr(letters, (int)rune) : NULL;

		if (letter)
			strbuf_printf(out, "\\%c", "abfnrtv\"\\"[letter - letters]);
		else if (rune < 0x20 || rune == 0x7f || rune >= RUNE_BAD)
			strbuf_printf(out, "\\x%02x", rune & 0xff);
		else if (rune >= 0x80 && rune < 0xa0)
			strbuf_printf(out, "\\u%04x", rune);
		else
			strbuf_add(out, s + i, n);
	}
	strbuf_putc(out, '"');
}

/* NAME=VALUE as its parts. */
static void put_pair(struct strbuf *out, const char *text)
{
	auto_free char *key = str_ndup(text, strcspn(text, "="));

	strbuf_putc(out, ' ');
	put_quoted(out, key);
	strbuf_putc(out, ' ');
	put_quoted(out, text[strlen(key)] ? text + strlen(key) + 1 : "");
	strbuf_puts(out, " \"=\"");
}

static bool is_pairs(const struct statement *st)
{
	return st->is_known && !st->is_legacy &&
	       (st->kind == INSTRUCTION_ENV || st->kind == INSTRUCTION_LABEL);
}

static void put_statement(struct strbuf *out, const struct statement *st)
{
	for (const char *c = st->keyword.text; *c; c++)
		strbuf_putc(out, *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c);
	for (size_t i = 0; i < st->flags.count; i++) {
		strbuf_puts(out, i == 0 ? " [" : " ");
		put_quoted(out, st->flags.items[i].text);
	}
	strbuf_puts(out, st->flags.count > 0 ? "]" : "");
	for (size_t i = 0; i < st->args.count; i++) {
		if (is_pairs(st)) {
			put_pair(out, st->args.items[i].text);
			continue;
		}
		strbuf_putc(out, ' ');
		put_quoted(out, st->args.items[i].text);
	}
	strbuf_puts(out, st->is_legacy ? " \"\"" : "");
	if (st->child) {
		strbuf_puts(out, " (");
		put_statement(out, st->child);
		strbuf_puts(out, ")");
	}
}

static int dump_statements(const char *name, int fd, struct strbuf *out, struct err *err)
{
	auto_source_file struct source_file source = SOURCE_INIT;
	auto_lexer struct lexer lexer = LEXER_INIT;
	struct directives directives;
	bool is_found = true;

	if (source_load(&source, name, fd, err) < 0 ||
	    lexer_init(&lexer, &source, &directives, err) < 0)
		return -1;
	directives_release(&directives);
	for (;;) {
		auto_lex_line struct lex_line line = LEX_LINE_INIT;
		auto_statement struct statement st = STATEMENT_INIT;

		if (lex_next(&lexer, &line, &is_found, err) < 0)
			return -1;
		if (!is_found)
			return 0;
		if (statement_read(&lexer, &line, &st, err) < 0)
			return -1;
		strbuf_putc(out, '(');
		put_statement(out, &st);
		strbuf_puts(out, ")\n");
	}
}

static int dump(const char *mode, const char *name, struct strbuf *out, struct err *err)
{
	auto_close int fd = open(name, O_RDONLY | O_CLOEXEC);
	auto_ast struct ast *ast = NULL;

	if (fd < 0)
		return err_sys(err, "open '%s'", name);
	if (!mode[0])
		return dump_statements(name, fd, out, err);
	ast = parse_fd(name, fd, err);
	if (!ast)
		return -1;
	if (strcmp(mode, "--ast") == 0)
		ast_dump(ast, out);
	return 0;
}

int main(int argc, char **argv)
{
	auto_strbuf struct strbuf out = STRBUF_INIT;
	struct err err = ERR_INIT;

	if (argc < 2)
		return 2;
	if (dump(argc > 2 ? argv[1] : "", argv[argc - 1], &out, &err) < 0) {
		err_print(&err, "parser-dump");
		return err_exit_status(&err);
	}
	fputs(out.data, stdout);
	return 0;
}
