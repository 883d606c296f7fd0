/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the names that servers suggest for files: read from a header, and made harmless. */
#include "registry/disposition.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"
#include "common/strbuf.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *disposition_percent_decode(const char *text)
{
	auto_strbuf struct strbuf out = STRBUF_INIT;

	for (const char *p = text; *p; p++) {
		int high = *p == '%' ? hex_digit(p[1]) : -1;
		int low = high >= 0 ? hex_digit(p[2]) : -1;

		if (low < 0) {
			strbuf_putc(&out, *p);
			continue;
		}
		if (high == 0 && low == 0)
			return NULL;
		strbuf_putc(&out, (char)(high * 16 + low));
		p += 2;
	}
	return strbuf_steal(&out);
}

char *disposition_clean_name(const char *path)
{
	const char *name = path;
	size_t len;

	for (const char *p = path; *p; p++)
		if (*p == '/' || *p == '\\')
			name = p + 1;
	len = strlen(name);
	if (len == 0 || len > NAME_MAX || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return NULL;
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return NULL;
	return str_dup(name);
}

/* A token or a quoted string at *@at, which is moved behind it. */
static char *take_value(const char **at)
{
	auto_strbuf struct strbuf out = STRBUF_INIT;
	const char *p = *at;

	if (*p != '"') {
		size_t len = strcspn(p, "; \t");

		*at = p + len;
		return str_ndup(p, len);
	}
	for (p++; *p && *p != '"'; p++) {
		if (*p == '\\' && p[1])
			p++;
		strbuf_putc(&out, *p);
	}
	*at = *p ? p + 1 : p;
	return strbuf_steal(&out);
}

/* charset'language'percent-encoded; only UTF-8 is read. */
static char *extended(const char *value)
{
	const char *quote = strchr(value, '\'');

	if (!quote || strncasecmp(value, "UTF-8'", 6) != 0)
		return NULL;
	quote = strchr(quote + 1, '\'');
	return quote ? disposition_percent_decode(quote + 1) : NULL;
}

static void take_parameter(const char **at, char **plain, char **better)
{
	const char *p = *at + strspn(*at, "; \t");
	size_t len = strcspn(p, "=; \t");
	const char *name = p;
	bool is_plain = len == 8 && strncasecmp(name, "filename", 8) == 0;
	bool is_better = len == 9 && strncasecmp(name, "filename*", 9) == 0;
	auto_free char *value = NULL;

	p += len;
	p += strspn(p, " \t");
	if (*p != '=') {
		*at = p;
		return;
	}
	p += 1 + strspn(p + 1, " \t");
	value = take_value(&p);
	*at = p;
	if (is_plain && !*plain)
		*plain = ptr_steal(&value);
	else if (is_better && !*better)
		*better = extended(value);
}

char *disposition_filename(const char *header)
{
	const char *at = header + strcspn(header, ";");
	auto_free char *plain = NULL;
	auto_free char *better = NULL;

	while (*at) {
		const char *before = at;

		take_parameter(&at, &plain, &better);
		if (at == before)
			break;
	}
	if (better)
		return disposition_clean_name(better);
	return plain ? disposition_clean_name(plain) : NULL;
}
