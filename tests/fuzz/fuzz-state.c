/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a container: what is read is written again as it was, and read so; else ERR_INPUT. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/strbuf.h"
#include "storage/container-state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_state(const struct container_state *state, struct strbuf *out)
{
	auto_json struct json *json = container_state_json(state);

	json_format(json, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_container_state struct container_state state = { .pid = 0 };
	auto_container_state struct container_state again = { .pid = 0 };
	auto_strbuf struct strbuf text = STRBUF_INIT;
	auto_strbuf struct strbuf text_again = STRBUF_INIT;
	struct err err = ERR_INIT;

	if (container_state_parse((const char *)data, size, &state, &err) < 0) {
		if (err.kind != ERR_INPUT || state.command.count > 0 || state.cwd)
			abort();
		return 0;
	}
	write_state(&state, &text);
	if (container_state_parse(text.data, text.len, &again, &err) < 0)
		abort();
	write_state(&again, &text_again);
	if (text.len != text_again.len || memcmp(text.data, text_again.data, text.len) != 0)
		abort();
	return 0;
}
