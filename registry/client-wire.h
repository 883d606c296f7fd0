/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_CLIENT_WIRE_H
#define REGISTRY_CLIENT_WIRE_H

#include "common/err.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "registry/client.h"

/*
 * What is said to the program "courier", over a socket of sequenced packets that is its
 * standard input. A packet is one byte; what counts are the descriptors with it:
 *
 *   message = text-fd [ answer-fd body-fd [ upload-fd [ note-fd ] ] ]
 *
 * text-fd: memory that holds one JSON object, of one of three kinds. With a request come a
 * socket for its answer (one JSON object, then the end), a pipe for the body that comes, and
 * what is to be sent as a body. Who closes the answer's socket has given up; with a note-fd he
 * has died, and the answer is written there.
 */
#define WIRE_TEXT_MAX   ((size_t)4 << 20)
#define WIRE_ANSWER_MAX ((size_t)512 << 10)
#define WIRE_FDS_MAX    5

enum wire_kind {
	WIRE_SETTINGS, /* the first message */
	WIRE_ENDPOINT, /* the next one by number */
	WIRE_REQUEST,
};

struct wire_message {
	enum wire_kind kind;
	struct json *json; /* holds all strings of the following */
	struct client_options settings;
	const char *program; /* with the settings: whose messages are shown, and which */
	int log_level;
	struct client_endpoint endpoint;
	struct client_request request; /* headers: below; body: FILE or STREAM, no fd */
	struct strlist request_headers;
};
#define auto_wire_message __attribute__((cleanup(wire_message_release)))
void wire_message_release(struct wire_message *message);

/* With our own name and log level: what the courier shows, it shows as we would. */
void wire_settings_format(const struct client_options *settings, struct strbuf *out);
void wire_endpoint_format(const struct client_endpoint *endpoint, struct strbuf *out);
void wire_request_format(const struct client_request *request, struct strbuf *out);

/* ERR_USAGE for what could not stand in a request: line ends in headers, blanks in a host. */
int wire_message_parse(const char *data, size_t len, struct wire_message *out, struct err *err);

/* The response without its body. */
void wire_response_format(const struct client_response *response, struct strbuf *out);
void wire_error_format(const struct err *error, struct strbuf *out);
/* An answer that is an error becomes ours. ERR_SYSTEM for what is no answer. */
int wire_answer_parse(const char *data, size_t len, struct client_response *out, struct err *err);

#endif
