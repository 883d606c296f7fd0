/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of credentials, both forms, and what helpers say. What comes out can be sent: tokens have
 * no control characters, a helper's name leads nowhere.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "registry/authfile.h"
#include "registry/credential-helper.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const char *text, size_t len, const char *host, const char *repository,
		bool is_legacy)
{
	auto_credentials struct credentials found = CREDENTIALS_INIT;
	auto_authfile struct authfile file = AUTHFILE_INIT;
	auto_strlist struct strlist headers = STRLIST_INIT;
	auto_free char *helper = NULL;
	struct err err = ERR_INIT;

	if (authfile_parse(text, len, "file", is_legacy, &file, &err) < 0 ||
	    authfile_find(&file, host, repository, &found, &helper, &err) < 0) {
		if (err.kind != ERR_INPUT || helper)
			abort();
		return;
	}
	if (authfile_headers(&file, &headers, &err) < 0 && err.kind != ERR_INPUT)
		abort();
	for (size_t i = 0; i < headers.count; i++)
		if (strpbrk(headers.items[i], "\r\n") || !strstr(headers.items[i], ": "))
			abort();
	if (helper && (credentials_are_there(&found) || strchr(helper, '/')))
		abort();
	if (found.registry_token && strpbrk(found.registry_token, "\r\n "))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_credentials struct credentials answer = CREDENTIALS_INIT;
	struct err err = ERR_INIT;

	ask((const char *)data, size, "a.io", "team/app", false);
	ask((const char *)data, size, "docker.io", NULL, false);
	ask((const char *)data, size, "a.io", "team/app", true);
	if (credential_helper_parse((const char *)data, size, "helper", &answer, &err) < 0) {
		if (err.kind != ERR_INPUT || credentials_are_there(&answer))
			abort();
	} else if (!answer.identity_token && !(answer.user && answer.password)) {
		abort();
	}
	return 0;
}
