/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for how a report of checks reads: a line for each finding at the end of a
 * build, all that is known of each for people who asked, and JSON for programs.
 */
#include <stdlib.h>
#include <string.h>

#include "builder/check.h"
#include "common/mem.h"

#define PAGES      "https://docs.docker.com/go/dockerfile/rule/"
#define LINES_MAX  12 /* of the Buildfile, shown for one finding */
#define LINE_BYTES 160

void check_print_short(const struct check_report *report, struct strbuf *out)
{
	if (report->count == 0)
		return;
	strbuf_printf(out, "\n %zu warning%s found (imgbuild --check shows the places):\n",
		      report->count, report->count == 1 ? "" : "s");
	for (size_t i = 0; i < report->count; i++) {
		const struct check_warning *warning = &report->items[i];

		strbuf_printf(out, " - %s: ", check_rules[warning->rule].name);
		source_put_plain(out, warning->detail, strlen(warning->detail));
		strbuf_printf(out, " (line %d)\n", warning->line_start);
	}
}

static void print_lines(const struct check_warning *warning, const struct source_file *source,
			struct strbuf *out)
{
	for (int line = warning->line_start; line <= warning->line_end; line++) {
		size_t len;
		const char *text = source_line(source, line, &len);

		if (line - warning->line_start == LINES_MAX) {
			strbuf_puts(out, "      | ...\n");
			return;
		}
		strbuf_printf(out, "%5d | ", line);
		source_put_plain(out, text, len > LINE_BYTES ? LINE_BYTES : len);
		strbuf_puts(out, len > LINE_BYTES ? "...\n" : "\n");
	}
}

void check_print_long(const struct check_report *report, const struct ast *ast, struct strbuf *out)
{
	if (report->count == 0)
		strbuf_puts(out, "Check complete, no warnings found.\n");
	else
		strbuf_printf(out, "Check complete, %zu warning%s found.\n", report->count,
			      report->count == 1 ? "" : "s");
	for (size_t i = 0; i < report->count; i++) {
		const struct check_warning *warning = &report->items[i];
		const struct check_rule_text *rule = &check_rules[warning->rule];

		strbuf_printf(out, "\nWARNING: %s", rule->name);
		if (rule->page)
			strbuf_printf(out, " - " PAGES "%s/", rule->page);
		strbuf_putc(out, '\n');
		source_put_plain(out, warning->detail, strlen(warning->detail));
		strbuf_printf(out, "\n%s:%d\n", ast->source.name, warning->line_start);
		print_lines(warning, &ast->source, out);
	}
}

/* ---- JSON ---- */

static struct json *line_to_json(int line)
{
	struct json *object = json_object();

	json_set_int(object, "line", line);
	return object;
}

struct json *check_location_to_json(int line_start, int line_end)
{
	struct json *location = json_object();
	struct json *ranges = json_array();

	for (int line = line_start; line <= line_end && line > 0; line++) {
		struct json *range = json_object();

		json_set(range, "start", line_to_json(line));
		json_set(range, "end", line_to_json(line));
		json_append(ranges, range);
	}
	json_set(location, "ranges", ranges);
	return location;
}

static struct json *warning_to_json(const struct check_warning *warning)
{
	const struct check_rule_text *rule = &check_rules[warning->rule];
	struct json *object = json_object();

	json_set_string(object, "ruleName", rule->name);
	json_set_string(object, "description", rule->summary);
	if (rule->page) {
		auto_free char *url = str_format(PAGES "%s/", rule->page);

		json_set_string(object, "url", url);
	}
	json_set_string(object, "detail", warning->detail);
	json_set(object, "location",
		 check_location_to_json(warning->line_start, warning->line_end));
	return object;
}

/* The line of "NAME:LINE:COLUMN: …", or 0. */
static int failure_line(const struct err *failure, const struct ast *ast)
{
	size_t len = ast ? strlen(ast->source.name) : 0;

	if (!ast || strncmp(failure->text, ast->source.name, len) != 0 || failure->text[len] != ':')
		return 0;
	return atoi(failure->text + len + 1);
}

struct json *check_to_json(const struct check_report *report, const struct ast *ast,
			   const struct err *failure)
{
	struct json *object = json_object();
	struct json *warnings = json_array();
	struct json *sources = json_array();

	for (size_t i = 0; i < report->count; i++)
		json_append(warnings, warning_to_json(&report->items[i]));
	json_set(object, "warnings", warnings);
	if (ast) {
		struct json *source = json_object();

		json_set_string(source, "filename", ast->source.name);
		json_set_string(source, "language", "Dockerfile");
		json_append(sources, source);
	}
	json_set(object, "sources", sources);
	if (failure) {
		struct json *error = json_object();
		int line = failure_line(failure, ast);

		json_set_string(error, "message", failure->text);
		json_set(error, "location", check_location_to_json(line, line));
		json_set(object, "buildError", error);
	}
	return object;
}
