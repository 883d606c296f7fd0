/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CHMOD_H
#define BUILDER_CHMOD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"

/*
 * What --chmod says of modes, as chmod(1) reads it with a umask of 0:
 *
 *   octal  = up to "7777", all of the mode
 *   clause = { "u" | "g" | "o" | "a" } action { action }, clauses joined by ","
 *   action = ( "+" | "-" | "=" ) ( { "r" | "w" | "x" | "X" | "s" | "t" } | "u" | "g" | "o" )
 *
 * "X" is "x" for directories and for files that somebody may execute.
 */
#define CHMOD_ACTIONS_MAX 64

struct chmod_action {
	mode_t who;   /* of 07777: what it may change */
	mode_t bits;  /* rwx three times, setuid, setgid, sticky */
	mode_t copy;  /* 0, or 0700, 0070, 0007: the bits are those that the file has there */
	char what;    /* '+', '-', '=' */
	bool if_exec; /* X was among the bits */
};

struct chmod {
	bool is_set;
	bool is_octal;
	mode_t octal;
	struct chmod_action actions[CHMOD_ACTIONS_MAX];
	size_t count;
};

/* ERR_INPUT "--chmod=… is neither …". */
int chmod_parse(const char *text, struct chmod *out, struct err *err);

/* The new permissions (07777) of a file with @mode, its type included. Those it has when not set.
 */
mode_t chmod_apply(const struct chmod *chmod, mode_t mode);

/* True when the outcome does not depend on the mode that a file had. */
static inline bool chmod_is_fixed(const struct chmod *chmod)
{
	return chmod->is_set && chmod->is_octal;
}

#endif
