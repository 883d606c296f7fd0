/* SPDX-License-Identifier: Apache-2.0 */
/* What registries and token servers say of who may come in, and when to come again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "registry/challenge.h"
#include "registry/retry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_challenges(const char *text)
{
	auto_challenges struct challenges list = { .items = NULL };
	size_t len = strlen(text);

	challenges_parse(text, &list);
	if (list.count > CHALLENGES_MAX)
		abort();
	for (size_t i = 0; i < list.count; i++) {
		const struct challenge *challenge = &list.items[i];
		const char *const values[] = { challenge->realm, challenge->service,
					       challenge->scope, challenge->error };

		for (size_t k = 0; k < sizeof(values) / sizeof(values[0]); k++)
			if (values[k] && strlen(values[k]) > len)
				abort();
	}
}

static void check_token(const char *data, size_t size)
{
	struct token_answer answer = { .token = NULL };
	struct err err = ERR_INIT;

	if (token_answer_parse(data, size, &answer, &err) < 0) {
		if (err.kind != ERR_REMOTE || answer.token)
			abort();
		return;
	}
	/* it becomes a part of a header */
	for (const char *c = answer.token; *c; c++)
		if (*c <= ' ' || *c > '~')
			abort();
	if (!answer.token[0] || answer.lifetime_seconds < 60)
		abort();
	free(answer.token);
}

static void check_retry(const char *text)
{
	int64_t after = retry_after_ms(text, 784111777);

	if (after < -1 || retry_delay_ms(2000, 3, after, UINT32_MAX) >
				  RETRY_DELAY_MAX_MS + RETRY_DELAY_MAX_MS / 4)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = str_ndup((const char *)data, size);

	check_challenges(text);
	check_retry(text);
	check_token((const char *)data, size);
	return 0;
}
