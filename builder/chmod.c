/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what --chmod means: parsed once, applied to each file. A symbolic mode
 * knows no umask here, so that who builds makes no difference.
 */
#include <string.h>
#include <sys/stat.h>

#include "builder/chmod.h"

static bool parse_octal(const char *text, mode_t *out)
{
	mode_t mode = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '7')
			return false;
		mode = mode * 8 + (mode_t)(*text - '0');
		if (mode > 07777)
			return false;
	}
	*out = mode;
	return true;
}

/* "ugoa" before the first action; nothing is all of them. */
static mode_t parse_who(const char **at)
{
	mode_t who = 0;

	for (;; (*at)++) {
		switch (**at) {
		case 'u':
			who |= S_ISUID | S_ISVTX | 0700;
			continue;
		case 'g':
			who |= S_ISGID | S_ISVTX | 0070;
			continue;
		case 'o':
			who |= S_ISVTX | 0007;
			continue;
		case 'a':
			who |= 07777;
			continue;
		}
		return who ? who : 07777;
	}
}

static mode_t parse_copy(char c)
{
	return c == 'u' ? 0700 : c == 'g' ? 0070 : c == 'o' ? 0007 : 0;
}

static void parse_bits(const char **at, struct chmod_action *action)
{
	for (;; (*at)++) {
		switch (**at) {
		case 'r':
			action->bits |= 0444;
			continue;
		case 'w':
			action->bits |= 0222;
			continue;
		case 'x':
			action->bits |= 0111;
			continue;
		case 'X':
			action->if_exec = true;
			continue;
		case 's':
			action->bits |= S_ISUID | S_ISGID;
			continue;
		case 't':
			action->bits |= S_ISVTX;
			continue;
		}
		return;
	}
}

/* One clause; false when it is none. */
static bool parse_clause(const char **at, struct chmod *out)
{
	mode_t who = parse_who(at);

	if (!**at || !strchr("+-=", **at))
		return false;
	while (**at && strchr("+-=", **at)) {
		struct chmod_action action = { .who = who, .what = *(*at)++ };

		if (out->count == CHMOD_ACTIONS_MAX)
			return false;
		action.copy = parse_copy(**at);
		if (action.copy)
			(*at)++;
		else
			parse_bits(at, &action);
		out->actions[out->count++] = action;
	}
	return true;
}

int chmod_parse(const char *text, struct chmod *out, struct err *err)
{
	struct chmod chmod = { .is_set = true };
	const char *at = text;

	chmod.is_octal = parse_octal(text, &chmod.octal);
	while (!chmod.is_octal) {
		if (!parse_clause(&at, &chmod) || (*at && *at != ','))
			return err_set(err, ERR_INPUT,
				       "--chmod=%s is neither an octal mode up to 07777 nor "
				       "symbolic as in 'u=rwX,go=rX'",
				       text);
		if (!*at)
			break;
		at++;
	}
	*out = chmod;
	return 0;
}

/* rwx of one of the three, three times. */
static mode_t spread(mode_t mode, mode_t from)
{
	mode_t bits = mode & from;

	bits = from == 0700 ? bits >> 6 : from == 0070 ? bits >> 3 : bits;
	return bits | bits << 3 | bits << 6;
}

static mode_t apply_action(const struct chmod_action *action, mode_t mode)
{
	mode_t bits = action->copy ? spread(mode, action->copy) : action->bits;
	mode_t cleared = action->who;

	if (action->if_exec && (S_ISDIR(mode) || (mode & 0111)))
		bits |= 0111;
	bits &= action->who;
	switch (action->what) {
	case '+':
		return mode | bits;
	case '-':
		return mode & ~bits;
	case '=':
		/* the sticky bit belongs to nobody: it stays unless all are set */
		if (action->who != 07777)
			cleared &= ~(mode_t)S_ISVTX;
		return (mode & ~cleared) | bits;
	}
	return mode;
}

mode_t chmod_apply(const struct chmod *chmod, mode_t mode)
{
	if (chmod->is_set && chmod->is_octal)
		return chmod->octal;
	for (size_t i = 0; i < chmod->count; i++)
		mode = apply_action(&chmod->actions[i], mode);
	return mode & 07777;
}
