/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for amounts as people write them on a command line: bytes, and moments in the past. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "layers/config.h"
#include "storage/cmd-internal.h"

int amount_bytes(const char *option, const char *text, uint64_t *out, struct err *err)
{
	static const struct {
		const char *name;
		uint64_t factor;
	} units[] = {
		{ "", 1 },
		{ "b", 1 },
		{ "k", 1000 },
		{ "kb", 1000 },
		{ "kib", UINT64_C(1) << 10 },
		{ "m", 1000000 },
		{ "mb", 1000000 },
		{ "mib", UINT64_C(1) << 20 },
		{ "g", 1000000000 },
		{ "gb", 1000000000 },
		{ "gib", UINT64_C(1) << 30 },
		{ "t", UINT64_C(1000000000000) },
		{ "tb", UINT64_C(1000000000000) },
		{ "tib", UINT64_C(1) << 40 },
	};
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(text, &end, 10);
	for (size_t i = 0;
	     errno == 0 && text[0] >= '0' && text[0] <= '9' && i < sizeof(units) / sizeof(units[0]);
	     i++)
		if (strcasecmp(end, units[i].name) == 0 && number <= UINT64_MAX / units[i].factor) {
			*out = number * units[i].factor;
			return 0;
		}
	return err_set(err, ERR_USAGE, "%s: '%s' is not a number of bytes, as in 512MB or 10GiB",
		       option, text);
}

/* "1h30m", "7d": the sum of its parts; false when it is none. */
static bool parse_age(const char *text, int64_t *out_seconds)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
	int64_t sum = 0;

	if (!text[0])
		return false;
	while (*text) {
		char *end;
		long long number;
		size_t i = 0;

		if (*text < '0' || *text > '9')
			return false;
		errno = 0;
		number = strtoll(text, &end, 10);
		while (i < sizeof(units) / sizeof(units[0]) && units[i].unit != *end)
			i++;
		if (errno != 0 || i == sizeof(units) / sizeof(units[0]) || number > 1000000000)
			return false;
		sum += number * units[i].seconds;
		text = end + 1;
	}
	*out_seconds = sum;
	return true;
}

int amount_moment(const char *option, const char *text, int64_t *out_epoch, struct err *err)
{
	struct err ignored = ERR_INIT;
	struct timespec when;
	int64_t seconds;
	char *end;

	if (parse_age(text, &seconds)) {
		*out_epoch = (int64_t)time(NULL) - seconds;
		return 0;
	}
	if (image_time_parse(text, &when, &ignored) == 0) {
		*out_epoch = when.tv_sec;
		return 0;
	}
	errno = 0;
	*out_epoch = strtoll(text, &end, 10);
	if (errno == 0 && text[0] >= '0' && text[0] <= '9' && !*end)
		return 0;
	return err_set(err, ERR_USAGE,
		       "%s: '%s' is neither an age, as in 24h or 7d, nor a time, as in "
		       "2026-01-31T00:00:00Z, nor seconds since 1970",
		       option, text);
}

int amount_whole(const char *option, const char *text, int64_t max, int64_t *out, struct err *err)
{
	char *end;

	errno = 0;
	*out = strtoll(text, &end, 10);
	if (errno != 0 || text[0] < '0' || text[0] > '9' || *end || *out > max)
		return err_set(err, ERR_USAGE, "%s: '%s' is no whole number up to %jd", option,
			       text, (intmax_t)max);
	return 0;
}
