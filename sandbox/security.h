/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_SECURITY_H
#define SANDBOX_SECURITY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/strlist.h"
#include "sandbox/description.h"
#include "storage/store.h"

/*
 * What is granted beyond, or taken from, what every container has:
 *
 *   security-opt = "no-new-privileges" [ ( "=" | ":" ) bool ]
 *                | "seccomp" ( "=" | ":" ) ( "unconfined" | "builtin" | FILE )
 *                | "mask" "=" PATH { ":" PATH } | "unmask" "=" ( "ALL" | PATH { ":" PATH } )
 *                | "systempaths=unconfined"
 *                | "apparmor" "=" ( "unconfined" | PROFILE )
 *                | "label" "=" ( "disable" | ( "user" | "role" | "type" | "level" ) ":" TEXT )
 *
 * The last two are refused where the host has no such thing, unless they ask for nothing
 * ("unconfined", "disable"): the command runs under our own label then.
 */
struct security {
	bool is_privileged; /* nothing is held back that we have ourselves */
	bool no_new_privileges;
	bool is_unconfined; /* no system call filter */
	char *seccomp;      /* a profile's path; NULL: our own */
	char *apparmor;     /* a profile's name; NULL: as we have it; so below */
	char *selinux;      /* a label */
	bool unmasks_all;
	struct strlist masks;
	struct strlist unmasks;
	uint64_t capabilities;
};
void security_release(struct security *security);

struct security_texts {
	struct strlist cap_add;
	struct strlist cap_drop;
	struct strlist options;
	bool is_privileged;
};
void security_texts_release(struct security_texts *texts);

#define SECURITY_OPTIONS(texts)                                                                     \
	{ 0, "cap-add", OPTION_LIST, &(texts)->cap_add, "CAPABILITY", "grant a capability", NULL }, \
		{ 0,                                                                                \
		  "cap-drop",                                                                       \
		  OPTION_LIST,                                                                      \
		  &(texts)->cap_drop,                                                               \
		  "CAPABILITY",                                                                     \
		  "take a capability away",                                                         \
		  NULL },                                                                           \
	{                                                                                           \
		0, "security-opt", OPTION_LIST, &(texts)->options, "OPTION",                        \
			"no-new-privileges, seccomp=FILE|unconfined, mask=PATH, unmask=PATH|ALL, "  \
			"apparmor=PROFILE, label=type:NAME",                                        \
			NULL                                                                        \
	}

/* ERR_USAGE. */
int security_parse(const struct security_texts *texts, struct security *out, struct err *err);
/* All of it but the filter, into a description with all defaults. */
void security_apply_rights(const struct security *security, struct sandbox_description *out);
/* The filter that it says, unless it says none (is_unconfined): a descriptor. */
int security_open_filter(const struct security *security, struct store *store,
			 uint64_t capabilities, struct err *err);
/* Both. *out_seccomp_fd is the caller's to close, -1 for none. */
int security_apply(const struct security *security, struct store *store,
		   struct sandbox_description *out, int *out_seccomp_fd, struct err *err);

#endif
