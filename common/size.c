/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for how numbers of bytes are written for people. */
#include "common/size.h"

#include <stdio.h>

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
