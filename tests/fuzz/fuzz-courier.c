/* SPDX-License-Identifier: Apache-2.0 */
/* What commands and the program "courier" say to each other: what is taken reads the same again, and nothing
 * slips into a request's lines. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "registry/client-wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_line(const char *text)
{
	if (text && strpbrk(text, "\r\n"))
		abort();
}

static void format(const struct wire_message *message, struct strbuf *out)
{
	struct client_request request = message->request;

	switch (message->kind) {
	case WIRE_SETTINGS:
		wire_settings_format(&message->settings, out);
		break;
	case WIRE_ENDPOINT:
		must_be_line(message->endpoint.host);
		must_be_line(message->endpoint.registry_token);
		wire_endpoint_format(&message->endpoint, out);
		break;
	case WIRE_REQUEST:
		must_be_line(request.path);
		must_be_line(request.repository);
		for (size_t i = 0; i < message->request_headers.count; i++)
			must_be_line(message->request_headers.items[i]);
		request.headers = &message->request_headers;
		wire_request_format(&request, out);
		break;
	}
}

static void check_message(const char *data, size_t size)
{
	auto_wire_message struct wire_message message = { .kind = WIRE_SETTINGS };
	auto_wire_message struct wire_message again = { .kind = WIRE_SETTINGS };
	auto_strbuf struct strbuf once = STRBUF_INIT;
	auto_strbuf struct strbuf twice = STRBUF_INIT;
	struct err err = ERR_INIT;

	if (wire_message_parse(data, size, &message, &err) < 0) {
		if (err.kind == ERR_NONE)
			abort();
		return;
	}
	format(&message, &once);
	if (wire_message_parse(once.data, once.len, &again, &err) < 0 || again.kind != message.kind)
		abort();
	format(&again, &twice);
	if (strcmp(once.data, twice.data) != 0)
		abort();
}

static void check_answer(const char *data, size_t size)
{
	auto_client_response struct client_response response = CLIENT_RESPONSE_INIT;
	auto_client_response struct client_response again = CLIENT_RESPONSE_INIT;
	auto_strbuf struct strbuf once = STRBUF_INIT;
	auto_strbuf struct strbuf twice = STRBUF_INIT;
	struct err err = ERR_INIT;

	if (wire_answer_parse(data, size, &response, &err) < 0) {
		if (err.kind == ERR_NONE)
			abort();
		return;
	}
	if (response.status < 100 || response.status > 999)
		abort();
	(void)client_response_header(&response, "location");
	wire_response_format(&response, &once);
	if (wire_answer_parse(once.data, once.len, &again, &err) < 0)
		abort();
	wire_response_format(&again, &twice);
	if (strcmp(once.data, twice.data) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_message((const char *)data, size);
	check_answer((const char *)data, size);
	return 0;
}
