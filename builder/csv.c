/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for comma-separated values. What the fields mean is the caller's.
 */
#include "builder/csv.h"

#include <string.h>

#include "common/strbuf.h"

/* A quoted field at @p, behind its first quote; where it ends, or NULL without an end. */
static const char *take_quoted(const char *p, struct strbuf *field)
{
	for (;;) {
		size_t n = strcspn(p, "\"");

		strbuf_add(field, p, n);
		p += n;
		if (!*p)
			return NULL;
		if (p[1] != '"')
			return p + 1;
		strbuf_putc(field, '"');
		p += 2;
	}
}

int csv_split(const char *line, struct strlist *out, struct err *err)
{
	const char *p = line;

	for (;;) {
		auto_strbuf struct strbuf field = STRBUF_INIT;

		if (*p == '"') {
			p = take_quoted(p + 1, &field);
			if (!p)
				return err_set(err, ERR_INPUT, "'%s': a quote without its end",
					       line);
		} else {
			size_t n = strcspn(p, ",\"");

			strbuf_add(&field, p, n);
			p += n;
		}
		if (*p && *p != ',')
			return err_set(err, ERR_INPUT, "'%s': a quote inside a field", line);
		strlist_take(out, strbuf_steal(&field));
		if (!*p)
			return 0;
		p++;
	}
}
