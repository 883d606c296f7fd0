/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CALL_H
#define BUILDER_CALL_H

#include <stdbool.h>

#include "builder/build.h"
#include "common/err.h"
#include "common/strbuf.h"

/*
 * What a Buildfile is asked instead of being built:
 *
 *   call    = method { "," option }
 *   method  = "build" | "check" | "outline" | "targets"       ("lint" is "check")
 *   option  = "format=" ( "text" | "json" ) | "ignorestatus" [ "=" boolean ]
 */
enum call_method { CALL_BUILD, CALL_CHECK, CALL_OUTLINE, CALL_TARGETS };

struct call {
	enum call_method method;
	bool is_json;
	bool ignores_status; /* an answer that was found is a success, whatever it says */
};

#define CALL_INIT                     \
	{                             \
		.method = CALL_BUILD, \
	}

/* NULL means "build". ERR_USAGE for what is none. */
int call_parse(const char *text, struct call *out, struct err *err);

/*
 * Answer @call into @out. Nothing runs, nothing is fetched: of base images is known what the store
 * has; @request->store may be NULL. *out_found: a check has findings. On failure @out may hold
 * an answer too: what was found before it, or the failure as JSON.
 */
int call_answer(const struct call *call, const struct build_request *request, struct strbuf *out,
		bool *out_found, struct err *err);

/* The answer, when the Buildfile could not even be read: with JSON the failure is part of it. */
void call_answer_unread(const struct call *call, const struct err *failure, struct strbuf *out);

#endif
