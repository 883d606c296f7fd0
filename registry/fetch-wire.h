/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_FETCH_WIRE_H
#define REGISTRY_FETCH_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/strbuf.h"

/*
 * What is said to the program "fetch" and what it answers: one JSON object on its
 * standard input, one on its standard output. Credentials go this way, never
 * on a command line, and come back in nothing.
 */
enum fetch_kind {
	FETCH_HTTP,        /* the body of a URL, into a file */
	FETCH_GIT_RESOLVE, /* which commit a name stands for */
	FETCH_GIT,         /* the files of a commit, into a directory */
};

struct fetch_request {
	enum fetch_kind kind;
	char *url;             /* without user and password */
	char *user;            /* or NULL */
	char *password;        /* or NULL */
	char *etag;            /* HTTP: what the caller has already, or NULL */
	char *last_modified;   /* the same, by time; or NULL */
	char *ref;             /* git: branch, tag, "refs/…" or commit; NULL is HEAD */
	char *agent;           /* git: socket of the agent that ssh may use; or NULL */
	char *known_hosts;     /* git: where the user keeps the keys of servers; or NULL */
	char *commit;          /* FETCH_GIT: as FETCH_GIT_RESOLVE gave it */
	bool has_submodules;   /* git: theirs too */
	bool keeps_git_dir;    /* git: .git stays */
	uint64_t max_bytes;    /* of a body, or of one file that git writes */
	uint64_t idle_seconds; /* give up when so long nearly nothing came */
};

struct fetch_result {
	bool not_modified;   /* HTTP: what the caller has is right */
	char *etag;          /* or NULL */
	char *last_modified; /* as the server writes it, or NULL */
	int64_t mtime;       /* the same in seconds; 0 without */
	char *filename;      /* that the server suggests, a clean last component; or NULL */
	struct digest digest;
	uint64_t size_bytes;
	char *commit; /* git: 40 or 64 hex digits */
	char *ref;    /* git: full name of what is to be fetched for it, or NULL */
};

#define auto_fetch_request __attribute__((cleanup(fetch_request_release)))
void fetch_request_release(struct fetch_request *request);
#define auto_fetch_result __attribute__((cleanup(fetch_result_release)))
void fetch_result_release(struct fetch_result *result);

void fetch_request_format(const struct fetch_request *request, struct strbuf *out);
int fetch_request_parse(const char *data, size_t len, struct fetch_request *out, struct err *err);

void fetch_result_format(const struct fetch_result *result, struct strbuf *out);
void fetch_error_format(const struct err *error, struct strbuf *out);
/* An answer that is an error becomes ours: kind, text and errno. */
int fetch_result_parse(const char *data, size_t len, struct fetch_result *out, struct err *err);

/* 40 or 64 lower-case hex digits. */
bool fetch_is_commit(const char *text);

/* Descriptor of the file or directory that it fills. */
#define FETCH_INTO_FD 3

#endif
