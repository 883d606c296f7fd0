/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the one error type of the project: wording, kind, exit status.
 * Who prints an error and who exits is left to the commands.
 */
#include "common/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	err->kind = kind;
	err->sys_errno = 0;
	err->detail[0] = '\0';
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return -1;
}

int err_sys(struct err *err, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;
	size_t len;

	err->kind = ERR_SYSTEM;
	err->sys_errno = saved;
	err->detail[0] = '\0';
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	len = strlen(err->text);
	snprintf(err->text + len, sizeof(err->text) - len, ": %s", strerror(saved));
	errno = saved;
	return -1;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
	char prefix[ERR_TEXT_MAX];
	char text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(prefix, sizeof(prefix), fmt, ap);
	va_end(ap);
	memcpy(text, err->text, sizeof(text));
	prefix[sizeof(prefix) / 2] = '\0';
	snprintf(err->text, sizeof(err->text), "%s: %.*s", prefix,
		 (int)(sizeof(err->text) - strlen(prefix) - 3), text);
	return -1;
}

int err_detail(struct err *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->detail, sizeof(err->detail), fmt, ap);
	va_end(ap);
	return -1;
}

void err_clear(struct err *err)
{
	*err = (struct err)ERR_INIT;
}

int err_exit_status(const struct err *err)
{
	switch (err->kind) {
	case ERR_NONE:
		return 0;
	case ERR_STEP:
		return 1;
	case ERR_USAGE:
		return 2;
	case ERR_INPUT:
		return 3;
	case ERR_REMOTE:
		return 4;
	case ERR_SYSTEM:
		return 5;
	case ERR_BUG:
		return 70;
	case ERR_INTERRUPTED:
		return 130;
	}
	return 70;
}

void err_print(const struct err *err, const char *program)
{
	fprintf(stderr, "%s: %s\n", program, err->text);
	if (err->detail[0])
		fprintf(stderr, "%s\n", err->detail);
}
