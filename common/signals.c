/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for what signals are called. */
#include "common/signals.h"

#include <ctype.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The kernel's: a C library keeps the first two or three to itself. */
#define RT_FIRST 34
#define RT_LAST  64

static const struct {
	const char *name;
	int number;
} rows[] = {
	{ "HUP", SIGHUP },    { "INT", SIGINT },     { "QUIT", SIGQUIT },  { "ILL", SIGILL },
	{ "TRAP", SIGTRAP },  { "ABRT", SIGABRT },   { "IOT", SIGABRT },   { "BUS", SIGBUS },
	{ "FPE", SIGFPE },    { "KILL", SIGKILL },   { "USR1", SIGUSR1 },  { "SEGV", SIGSEGV },
	{ "USR2", SIGUSR2 },  { "PIPE", SIGPIPE },   { "ALRM", SIGALRM },  { "TERM", SIGTERM },
	{ "STKFLT", 16 },     { "CHLD", SIGCHLD },   { "CLD", SIGCHLD },   { "CONT", SIGCONT },
	{ "STOP", SIGSTOP },  { "TSTP", SIGTSTP },   { "TTIN", SIGTTIN },  { "TTOU", SIGTTOU },
	{ "URG", SIGURG },    { "XCPU", SIGXCPU },   { "XFSZ", SIGXFSZ },  { "VTALRM", SIGVTALRM },
	{ "PROF", SIGPROF },  { "WINCH", SIGWINCH }, { "IO", SIGIO },      { "POLL", SIGIO },
	{ "PWR", SIGPWR },    { "SYS", SIGSYS },     { "UNUSED", SIGSYS }, { "RTMIN", RT_FIRST },
	{ "RTMAX", RT_LAST },
};

/* "RTMIN+1" … "RTMIN+15", "RTMAX-1" … "RTMAX-14"; else 0. */
static int parse_realtime(const char *name)
{
	const bool is_min = strncasecmp(name, "RTMIN+", 6) == 0;
	char *end;
	long number;

	if (!is_min && strncasecmp(name, "RTMAX-", 6) != 0)
		return 0;
	if (!isdigit((unsigned char)name[6]))
		return 0;
	number = strtol(name + 6, &end, 10);
	if (*end || number < 1 || number > (is_min ? 15 : 14))
		return 0;
	return (int)(is_min ? RT_FIRST + number : RT_LAST - number);
}

static int parse_number(const char *text)
{
	char *end;
	long number = isdigit((unsigned char)text[0]) ? strtol(text, &end, 10) : 0;

	return number >= 1 && number <= RT_LAST && !*end ? (int)number : 0;
}

int signal_parse(const char *text, int *out, struct err *err)
{
	const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
	int number = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcasecmp(name, rows[i].name) == 0)
			number = rows[i].number;
	if (!number)
		number = parse_realtime(name);
	if (!number)
		number = parse_number(text);
	if (!number)
		return err_set(err, ERR_INPUT, "'%s' is no signal", text);
	*out = number;
	return 0;
}
