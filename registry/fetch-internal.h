/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_FETCH_INTERNAL_H
#define REGISTRY_FETCH_INTERNAL_H

#include "common/err.h"
#include "registry/fetch-wire.h"

/* What the program "fetch" can do, each into FETCH_INTO_FD. */
int fetch_http(const struct fetch_request *request, struct fetch_result *out, struct err *err);
int fetch_git_resolve(const struct fetch_request *request, struct fetch_result *out,
		      struct err *err);
int fetch_git(const struct fetch_request *request, struct fetch_result *out, struct err *err);

/* What git needs in its environment to go by ssh. */
int fetch_ssh_prepare(const struct fetch_request *request, struct err *err);

#endif
