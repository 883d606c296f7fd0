/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Source policies: what is read is asked of some sources, and every answer is one. Regular
 * expressions are left out: they are the C library's, which takes its time with some.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "builder/policy.h"
#include "common/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask_for_image(const struct policy *policy)
{
	auto_free char *name = NULL;
	struct err err = ERR_INIT;

	if (policy_image(policy, "debian:12", &name, &err) < 0 ? err.kind != ERR_INPUT : !name)
		abort();
}

static void ask_for_remote(const struct policy *policy, const char *url)
{
	struct err err = ERR_INIT;
	auto_remote struct remote *remote = remote_parse(url, &err);

	if (!remote || (policy_remote(policy, remote, &err) < 0 && err.kind != ERR_INPUT))
		abort();
	if (!remote->url || strchr(remote->url, '#'))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	struct policy *policy;

	if (memmem(data, size, "match", 5))
		return 0;
	policy = policy_parse((const char *)data, size, "policy", &err);
	if (!policy) {
		if (err.kind != ERR_INPUT || !err.text[0])
			abort();
		return 0;
	}
	ask_for_image(policy);
	ask_for_remote(policy, "https://h/a#b");
	ask_for_remote(policy, "git@h:a/r.git#main:dir");
	if (policy_local(policy, "context", &err) < 0 && err.kind != ERR_INPUT)
		abort();
	policy_free(policy);
	return 0;
}
