/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_GRANTS_H
#define BUILDER_GRANTS_H

#include <stddef.h>

#include "common/err.h"
#include "common/strlist.h"

/*
 * What the command line lends to RUN steps: secrets (--secret) and agents for
 * SSH keys (--ssh). Secrets are kept in memory alone, and wiped there.
 */
#define GRANT_SECRET_MAX_BYTES ((size_t)500 * 1024)

struct grant_secret {
	char *id;
	char *value; /* len bytes and a NUL */
	size_t len;
};

struct grant_agent {
	char *id;
	char *path; /* of its socket */
};

struct grants {
	struct grant_secret *secrets;
	size_t secret_count;
	struct grant_agent *agents;
	size_t agent_count;
};
#define GRANTS_INIT             \
	{                       \
		.secrets = NULL \
	}
#define auto_grants __attribute__((cleanup(grants_release)))
void grants_release(struct grants *grants);

/*
 * One --secret:
 *
 *   secret = field { "," field }
 *   field  = "id=" NAME | ( "src=" | "source=" ) FILE | "env=" VARIABLE | "type=" ( "file" | "env"
 * )
 *
 * Without file and variable it is the variable NAME if there is one, else the file NAME.
 */
struct secret_spec {
	struct strlist fields; /* what the others point into */
	const char *id;
	const char *file; /* one of these two, the other is NULL */
	const char *variable;
};
#define SECRET_SPEC_INIT               \
	{                              \
		.fields = STRLIST_INIT \
	}
#define auto_secret_spec __attribute__((cleanup(secret_spec_release)))
void secret_spec_release(struct secret_spec *spec);
/* ERR_USAGE. Nothing is read yet. */
int grants_parse_secret(const char *text, struct secret_spec *out, struct err *err);

/* Parse one and read it now. ERR_USAGE; ERR_SYSTEM when it cannot be read. */
int grants_add_secret(struct grants *grants, const char *text, struct err *err);

/*
 * Once all are read: no core file and no other process of the user shall show what this one has,
 * and neither its environment nor that of a program it starts. Variables that our own programs
 * read stay.
 */
int grants_hide(const struct grants *grants, const struct strlist *texts, struct err *err);

/*
 * One --ssh: NAME, or NAME=SOCKET; without SOCKET that of SSH_AUTH_SOCK. A file with a
 * key is refused: an agent keeps keys from the step that uses them.
 */
int grants_add_ssh(struct grants *grants, const char *text, struct err *err);

/* By id; NULL when it was not given. */
const struct grant_secret *grants_secret(const struct grants *grants, const char *id);
const struct grant_agent *grants_agent(const struct grants *grants, const char *id);

#endif
