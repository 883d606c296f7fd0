/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what imgstore shows to people: columns, sizes, ages. Programs read
 * --format json instead.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/mem.h"
#include "layers/config.h"
#include "storage/cmd-internal.h"

static void forget_cells(struct table *table)
{
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i]);
	table->count = 0;
}

void table_release(struct table *table)
{
	forget_cells(table);
	free(table->cells);
	free(table->widths);
}

/* Control characters of an image's texts do not reach the terminal. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = ' ';
}

void table_add(struct table *table, const char *cell)
{
	table->cells = mem_resize(table->cells, table->count + 1, sizeof(*table->cells));
	table->cells[table->count] = str_dup(cell ? cell : "");
	make_printable(table->cells[table->count++]);
}

/* Characters, not bytes: what is cut ends in one of three bytes. */
static size_t shown_width(const char *cell)
{
	size_t width = 0;

	for (; *cell; cell++)
		if (((unsigned char)*cell & 0xc0) != 0x80)
			width++;
	return width;
}

static void widen_columns(struct table *table)
{
	if (!table->widths)
		table->widths = mem_array(table->columns, sizeof(*table->widths));
	for (size_t i = 0; i < table->count; i++) {
		size_t *width = &table->widths[i % table->columns];
		size_t shown = shown_width(table->cells[i]);

		*width = shown > *width ? shown : *width;
	}
}

void table_print(struct table *table)
{
	widen_columns(table);
	for (size_t i = 0; i < table->count; i++) {
		size_t column = i % table->columns;

		if (column + 1 == table->columns)
			printf("%s\n", table->cells[i]);
		else
			printf("%s%*s", table->cells[i],
			       (int)(table->widths[column] - shown_width(table->cells[i])) + 3, "");
	}
	forget_cells(table);
}

const char *age_text(const char *created, char *buf)
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = { { INT64_C(365) * 86400, "year" },
		      { INT64_C(30) * 86400, "month" },
		      { INT64_C(7) * 86400, "week" },
		      { 86400, "day" },
		      { 3600, "hour" },
		      { 60, "minute" } };
	struct err ignored = ERR_INIT;
	struct timespec when;
	int64_t age;

	if (!created || image_time_parse(created, &when, &ignored) < 0) {
		snprintf(buf, 40, "N/A");
		return buf;
	}
	age = (int64_t)time(NULL) - (int64_t)when.tv_sec;
	snprintf(buf, 40, "%s", age < 0 ? "in the future" : "less than a minute ago");
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		int64_t count = age / units[i].seconds;

		if (count < 1)
			continue;
		snprintf(buf, 40, "%lld %s%s ago", (long long)count, units[i].name,
			 count == 1 ? "" : "s");
		break;
	}
	return buf;
}

const char *short_id(const struct digest *digest, char *buf)
{
	char hex[DIGEST_HEX_MAX];

	snprintf(buf, 13, "%.12s", digest_hex(digest, hex));
	return buf;
}
