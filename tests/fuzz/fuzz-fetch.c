/* SPDX-License-Identifier: Apache-2.0 */
/* What imgbuild and the program "fetch" say to each other: what is taken reads the same again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "registry/fetch-wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_request(const char *data, size_t size)
{
	auto_fetch_request struct fetch_request request = { .url = NULL };
	auto_fetch_request struct fetch_request again = { .url = NULL };
	auto_strbuf struct strbuf once = STRBUF_INIT;
	auto_strbuf struct strbuf twice = STRBUF_INIT;
	struct err err = ERR_INIT;

	if (fetch_request_parse(data, size, &request, &err) < 0) {
		if (!err.text[0])
			abort();
		return;
	}
	if (!request.url || request.kind > FETCH_GIT)
		abort();
	fetch_request_format(&request, &once);
	if (fetch_request_parse(once.data, once.len, &again, &err) < 0)
		abort();
	fetch_request_format(&again, &twice);
	if (strcmp(once.data, twice.data) != 0)
		abort();
}

static void check_result(const char *data, size_t size)
{
	auto_fetch_result struct fetch_result result = { .etag = NULL };
	auto_fetch_result struct fetch_result again = { .etag = NULL };
	auto_strbuf struct strbuf once = STRBUF_INIT;
	auto_strbuf struct strbuf twice = STRBUF_INIT;
	struct err err = ERR_INIT;

	if (fetch_result_parse(data, size, &result, &err) < 0) {
		if (err.kind == ERR_NONE || err.kind == ERR_BUG)
			abort();
		return;
	}
	if (result.commit && !fetch_is_commit(result.commit))
		abort();
	/* which the program made clean; but who asked does not rely on that */
	if (result.filename && strchr(result.filename, '/'))
		abort();
	fetch_result_format(&result, &once);
	if (fetch_result_parse(once.data, once.len, &again, &err) < 0)
		abort();
	fetch_result_format(&again, &twice);
	if (strcmp(once.data, twice.data) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_request((const char *)data, size);
	check_result((const char *)data, size);
	return 0;
}
