/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the times in image documents: RFC 3339 text and back, without
 * time zone data and without locale.
 */
#include "layers/imagetime.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* 0000-01-01 and 9999-12-31T23:59:59, the first and last second that the form can hold */
#define FIRST_SECOND (-62167219200)
#define LAST_SECOND  253402300799

const char *image_time_format(struct timespec when, char *buf)
{
	time_t seconds = when.tv_sec;
	struct tm tm;
	int len;

	if (seconds < FIRST_SECOND)
		seconds = FIRST_SECOND;
	if (seconds > LAST_SECOND)
		seconds = LAST_SECOND;
	gmtime_r(&seconds, &tm);
	len = snprintf(buf, 40, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1,
		       tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	if (when.tv_nsec > 0 && when.tv_nsec < 1000000000) {
		len += snprintf(buf + len, 40 - (size_t)len, ".%09ld", when.tv_nsec);
		while (buf[len - 1] == '0')
			len--;
	}
	memcpy(buf + len, "Z", 2);
	return buf;
}

/* Exactly @count digits at *@p, as a number; moves *@p past them. -1 when there are fewer. */
static int take_digits(const char **p, int count)
{
	int value = 0;

	for (int i = 0; i < count; i++) {
		char c = (*p)[i];

		if (c < '0' || c > '9')
			return -1;
		value = 10 * value + (c - '0');
	}
	*p += count;
	return value;
}

static bool take_char(const char **p, char wanted)
{
	if (**p != wanted)
		return false;
	(*p)++;
	return true;
}

/* ".123": up to nine digits count, further ones are passed over. */
static bool take_fraction(const char **p, long *out_ns)
{
	long ns = 0;
	int digits = 0;

	if (!take_char(p, '.'))
		return true;
	for (; **p >= '0' && **p <= '9'; (*p)++, digits++)
		if (digits < 9)
			ns = 10 * ns + (**p - '0');
	if (digits == 0)
		return false;
	for (; digits < 9; digits++)
		ns *= 10;
	*out_ns = ns;
	return true;
}

/* "Z" or "+hh:mm", as seconds to take off. */
static bool take_offset(const char **p, long *out_seconds)
{
	int sign = **p == '-' ? -1 : 1;
	int hours;
	int minutes;

	if (take_char(p, 'Z')) {
		*out_seconds = 0;
		return true;
	}
	if (!take_char(p, '+') && !take_char(p, '-'))
		return false;
	hours = take_digits(p, 2);
	if (hours < 0 || hours > 23 || !take_char(p, ':'))
		return false;
	minutes = take_digits(p, 2);
	if (minutes < 0 || minutes > 59)
		return false;
	*out_seconds = sign * (hours * 3600L + minutes * 60L);
	return true;
}

static bool take_clock(const char **p, struct tm *tm)
{
	tm->tm_hour = take_digits(p, 2);
	if (tm->tm_hour < 0 || tm->tm_hour > 23 || !take_char(p, ':'))
		return false;
	tm->tm_min = take_digits(p, 2);
	if (tm->tm_min < 0 || tm->tm_min > 59 || !take_char(p, ':'))
		return false;
	tm->tm_sec = take_digits(p, 2);
	return tm->tm_sec >= 0 && tm->tm_sec <= 59;
}

static bool take_date(const char **p, struct tm *tm)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int year = take_digits(p, 4);
	bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	if (year < 0 || !take_char(p, '-'))
		return false;
	tm->tm_year = year - 1900;
	tm->tm_mon = take_digits(p, 2) - 1;
	if (tm->tm_mon < 0 || tm->tm_mon > 11 || !take_char(p, '-'))
		return false;
	tm->tm_mday = take_digits(p, 2);
	return tm->tm_mday >= 1 && tm->tm_mday <= days[tm->tm_mon] + (is_leap && tm->tm_mon == 1);
}

int image_time_parse(const char *text, struct timespec *out, struct err *err)
{
	const char *p = text;
	struct tm tm = { .tm_isdst = 0 };
	long offset = 0;
	long ns = 0;

	if (!take_date(&p, &tm) || !take_char(&p, 'T') || !take_clock(&p, &tm) ||
	    !take_fraction(&p, &ns) || !take_offset(&p, &offset) || *p != '\0')
		return err_set(err, ERR_INPUT,
			       "'%.60s' is not a time of the form 2026-01-02T03:04:05Z", text);
	*out = (struct timespec){ .tv_sec = timegm(&tm) - offset, .tv_nsec = ns };
	return 0;
}
