/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for how numbers of bytes are written for people, and read from them. */
#include "common/size.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *size_text(uint64_t bytes, char *buf)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 999.5 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1000;
		unit++;
	}
	snprintf(buf, 16, "%.3g%s", value, units[unit]);
	return buf;
}

int size_parse(const char *text, uint64_t *out_bytes, struct err *err)
{
	static const char units[] = "kmgtp";
	const char *number_end = text + strspn(text, "0123456789.");
	const char *unit = number_end + (*number_end == ' ');
	char *end;
	double bytes = text[0] >= '0' && text[0] <= '9' ? strtod(text, &end) : -1;
	const char *found;

	if (bytes < 0 || end != number_end)
		return err_set(err, ERR_INPUT, "'%s' is no size, such as 64m or 1.5GiB", text);
	found = *unit ? strchr(units, tolower((unsigned char)*unit)) : NULL;
	if (found) {
		for (const char *u = units; u <= found; u++)
			bytes *= 1024;
		unit++;
		unit += (*unit | 0x20) == 'i' && (unit[1] | 0x20) == 'b';
	}
	unit += (*unit | 0x20) == 'b';
	if (*unit || bytes >= 9.2e18)
		return err_set(err, ERR_INPUT, "'%s' is no size, such as 64m or 1.5GiB", text);
	*out_bytes = (uint64_t)bytes;
	return 0;
}
