/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for what is said on stderr besides errors and progress. */
#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/strbuf.h"

static const char *program_name = "imgbuild";
static enum log_level current_level = LOG_INFO;

void log_init(const char *program, enum log_level level)
{
	program_name = program;
	current_level = level;
}

const char *log_program(void)
{
	return program_name;
}

enum log_level log_level(void)
{
	return current_level;
}

static void say(const char *mark, const char *fmt, va_list ap)
{
	auto_strbuf struct strbuf line = STRBUF_INIT;
	char text[4096];

	vsnprintf(text, sizeof(text), fmt, ap);
	strbuf_printf(&line, "%s: %s%s\n", program_name, mark, text);
	/* nobody is left to tell when stderr is gone */
	(void)fd_write_quiet(STDERR_FILENO, line.data, line.len);
}

void log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("warning: ", fmt, ap);
	va_end(ap);
}

void log_info(const char *fmt, ...)
{
	va_list ap;

	if (current_level < LOG_INFO)
		return;
	va_start(ap, fmt);
	say("", fmt, ap);
	va_end(ap);
}

void log_debug(const char *fmt, ...)
{
	va_list ap;

	if (current_level < LOG_DEBUG)
		return;
	va_start(ap, fmt);
	say("debug: ", fmt, ap);
	va_end(ap);
}
