/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_REMOTE_H
#define BUILDER_REMOTE_H

#include <stdbool.h>

#include "builder/ast.h"
#include "common/digest.h"
#include "common/err.h"

/*
 * A source that is not a file here: a URL, or a git repository.
 *
 *   url  = ( "http://" | "https://" ) [ user [ ":" password ] "@" ] host [ "/" path ] …
 *   git  = "git://" … | "ssh://" [ user "@" ] host [ ":" port ] "/" path | user "@" host ":" path |
 *          an http(s) url whose path ends with ".git"; then
 *          [ "?" key [ "=" value ] { "&" … } ] [ "#" [ ref ] [ ":" subdir ] ]
 *   key  = "ref" | "branch" | "tag" | "subdir" | "commit" | "checksum" | "keep-git-dir" |
 *          "submodules"
 *
 * User and password are taken out of the text: nothing but a fetch ever sees them.
 */
enum remote_kind { REMOTE_URL, REMOTE_GIT };

struct remote {
	enum remote_kind kind;
	char *shown;       /* as written, without user and password: for history and messages */
	char *url;         /* to fetch from, without user and password; git: without "?" and "#" */
	char *user;        /* or NULL */
	char *password;    /* or NULL */
	bool has_checksum; /* url: of what it must be, beside what the Buildfile says */
	struct digest checksum;
	char *name; /* url: the last part of its path, a clean file name; or NULL */
	char *ref;  /* git, all of these; or NULL */
	char *subdir;
	char *commit; /* the first digits, or all, of what the commit must be */
	enum tristate keeps_git_dir;
	bool has_submodules; /* true unless the text says no */
	bool is_ssh;         /* git: user is part of url */
};

void remote_free(struct remote *remote); /* NULL is fine */
#define auto_remote __attribute__((cleanup(remote_auto_free)))
static inline void remote_auto_free(struct remote **remote)
{
	remote_free(*remote);
}

/* Whether @text is written like one; all else is a path. */
bool remote_is(const char *text);

/* NULL and ERR_INPUT, without a place, when it is wrong, or a form that is not supported. */
struct remote *remote_parse(const char *text, struct err *err);

/* git: what its commit must be, or begin with. ERR_INPUT when it is no commit, or another one. */
int remote_set_commit(struct remote *remote, const char *value, struct err *err);

#endif
