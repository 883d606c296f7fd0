/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_CHALLENGE_H
#define REGISTRY_CHALLENGE_H

#include <stddef.h>

#include "common/err.h"

/*
 * How a registry says that it wants to know who asks (RFC 9110, 11.6.1):
 *
 *   WWW-Authenticate = challenge *( "," challenge )
 *   challenge        = scheme [ token68 | param *( "," param ) ]
 *   param            = name "=" ( token | quoted-string )
 */
enum challenge_kind {
	CHALLENGE_OTHER,
	CHALLENGE_BASIC,
	CHALLENGE_BEARER,
};

struct challenge {
	enum challenge_kind kind;
	char *realm; /* each NULL when it is not there */
	char *service;
	char *scope;
	char *error; /* "insufficient_scope", "invalid_token" */
};

struct challenges {
	struct challenge *items;
	size_t count;
};
#define CHALLENGES_MAX 16
#define auto_challenges __attribute__((cleanup(challenges_release)))
void challenges_release(struct challenges *list);

/* Append what the header's value has; where it is broken, what stands before that counts. */
void challenges_parse(const char *value, struct challenges *list);
/* The first of that kind, or NULL. */
const struct challenge *challenges_find(const struct challenges *list, enum challenge_kind kind);

/*
 * What a token server answers:  {"token" or "access_token": …, "expires_in": seconds}.
 * A token lives for 60 seconds at least. ERR_REMOTE when there is none that can stand in a header.
 */
struct token_answer {
	char *token;
	long lifetime_seconds;
};
int token_answer_parse(const char *data, size_t len, struct token_answer *out, struct err *err);

#endif
