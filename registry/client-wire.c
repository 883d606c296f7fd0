/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the form of what is said to the program "courier" and what it answers. */
#include "registry/client-wire.h"

#include <string.h>

#include "common/log.h"
#include "common/mem.h"

#define MESSAGE "message to the courier"
#define ANSWER  "answer of the courier"

void wire_message_release(struct wire_message *message)
{
	strlist_release(&message->endpoint.headers);
	strlist_release(&message->request_headers);
	json_unref(message->json);
	message->json = NULL;
}

/* ---- writing ---- */

void wire_settings_format(const struct client_options *settings, struct strbuf *out)
{
	auto_json struct json *root = json_object();

	json_set_int(root, "kind", WIRE_SETTINGS);
	json_set_int(root, "idleSeconds", (int64_t)settings->idle_seconds);
	json_set_int(root, "retries", settings->retries);
	json_set_int(root, "retryDelay", (int64_t)settings->retry_delay_ms);
	json_set_string(root, "program", log_program());
	json_set_int(root, "logLevel", log_level());
	json_format(root, out);
}

void wire_endpoint_format(const struct client_endpoint *endpoint, struct strbuf *out)
{
	auto_json struct json *root = json_object();

	json_set_int(root, "kind", WIRE_ENDPOINT);
	json_set_string(root, "host", endpoint->host);
	json_set_bool(root, "insecure", endpoint->is_insecure);
	json_set_string(root, "user", endpoint->user);
	json_set_string(root, "password", endpoint->password);
	json_set_string(root, "identityToken", endpoint->identity_token);
	json_set_string(root, "registryToken", endpoint->registry_token);
	json_set_string(root, "ca", endpoint->ca_pem);
	json_set_string(root, "cert", endpoint->cert_pem);
	json_set_string(root, "key", endpoint->key_pem);
	json_set_strlist(root, "headers", &endpoint->headers);
	json_format(root, out);
}

void wire_request_format(const struct client_request *request, struct strbuf *out)
{
	auto_json struct json *root = json_object();

	json_set_int(root, "kind", WIRE_REQUEST);
	json_set_int(root, "endpoint", request->endpoint);
	json_set_int(root, "method", request->method);
	json_set_string(root, "path", request->path);
	json_set_string(root, "repository", request->repository);
	json_set_bool(root, "push", request->is_push);
	json_set_bool(root, "noRetry", request->no_retry);
	json_set_string(root, "from", request->from_repository);
	if (request->headers)
		json_set_strlist(root, "headers", request->headers);
	json_set_int(root, "body", request->body.kind);
	json_set_int(root, "bodyOffset", (int64_t)request->body.offset);
	json_set_int(root, "bodyLength", (int64_t)request->body.length);
	json_set_int(root, "maxBytes", (int64_t)request->max_bytes);
	json_set_int(root, "offset", (int64_t)request->offset);
	json_set_int(root, "total", (int64_t)request->total);
	json_format(root, out);
}

/* ---- reading ---- */

/* Nothing in it could end a header line, or a request line. */
static bool is_line(const char *text, char lowest)
{
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < (unsigned char)lowest || *c == 0x7f)
			return false;
	return true;
}

static int take_text(const struct json *root, const char *key, const char **out, struct err *err)
{
	const struct json *value = json_get(root, key);

	*out = json_string(value);
	if (value && !*out)
		return err_set(err, ERR_USAGE, MESSAGE ": '%s' is no text", key);
	return 0;
}

/* A text that becomes a part of a line: without control characters, and, @lowest '!', blanks. */
static int take_line(const struct json *root, const char *key, char lowest, const char **out,
		     struct err *err)
{
	if (take_text(root, key, out, err) < 0)
		return -1;
	if (*out && !is_line(*out, lowest))
		return err_set(err, ERR_USAGE, "the %s holds characters that it cannot have", key);
	return 0;
}

static int take_headers(const struct json *root, struct strlist *out, struct err *err)
{
	if (json_take_strlist(root, "headers", out, MESSAGE, err) < 0)
		return -1;
	for (size_t i = 0; i < out->count; i++) {
		const char *line = out->items[i];
		size_t name = strcspn(line, ": \t");

		if (name == 0 || line[name] != ':' || !is_line(line, ' '))
			return err_set(err, ERR_USAGE, "header %zu is not of the form 'Name: value'",
				       i + 1);
	}
	return 0;
}

static int take_endpoint(struct wire_message *message, struct err *err)
{
	const struct json *root = message->json;
	struct client_endpoint *endpoint = &message->endpoint;

	if (take_line(root, "host", '!', &endpoint->host, err) < 0 ||
	    json_take_bool(root, "insecure", &endpoint->is_insecure, MESSAGE, err) < 0 ||
	    take_text(root, "user", &endpoint->user, err) < 0 ||
	    take_text(root, "password", &endpoint->password, err) < 0 ||
	    take_line(root, "identityToken", '!', &endpoint->identity_token, err) < 0 ||
	    take_line(root, "registryToken", '!', &endpoint->registry_token, err) < 0 ||
	    take_text(root, "ca", &endpoint->ca_pem, err) < 0 ||
	    take_text(root, "cert", &endpoint->cert_pem, err) < 0 ||
	    take_text(root, "key", &endpoint->key_pem, err) < 0 ||
	    take_headers(root, &endpoint->headers, err) < 0)
		return -1;
	if (!endpoint->host || !endpoint->host[0] || strpbrk(endpoint->host, "/@?#\\"))
		return err_set(err, ERR_USAGE, "'%s' is no host",
			       endpoint->host ? endpoint->host : "");
	return 0;
}

static int take_request(struct wire_message *message, struct err *err)
{
	const struct json *root = message->json;
	struct client_request *request = &message->request;
	int64_t method = json_int(json_get(root, "method"), -1);
	int64_t body = json_int(json_get(root, "body"), CLIENT_BODY_NONE);

	if (take_line(root, "path", '!', &request->path, err) < 0 ||
	    take_line(root, "repository", '!', &request->repository, err) < 0 ||
	    take_line(root, "from", '!', &request->from_repository, err) < 0 ||
	    json_take_bool(root, "push", &request->is_push, MESSAGE, err) < 0 ||
	    json_take_bool(root, "noRetry", &request->no_retry, MESSAGE, err) < 0 ||
	    take_headers(root, &message->request_headers, err) < 0)
		return -1;
	if (!request->path || method < CLIENT_GET || method > CLIENT_DELETE ||
	    body < CLIENT_BODY_NONE || body > CLIENT_BODY_STREAM || body == CLIENT_BODY_MEMORY)
		return err_set(err, ERR_USAGE, MESSAGE ": something is missing");
	request->endpoint = (unsigned)json_int(json_get(root, "endpoint"), 0);
	request->method = (enum client_method)method;
	request->body.kind = (enum client_body_kind)body;
	request->body.offset = (uint64_t)json_int(json_get(root, "bodyOffset"), 0);
	request->body.length = (uint64_t)json_int(json_get(root, "bodyLength"), 0);
	request->max_bytes = (uint64_t)json_int(json_get(root, "maxBytes"), 0);
	request->offset = (uint64_t)json_int(json_get(root, "offset"), 0);
	request->total = (uint64_t)json_int(json_get(root, "total"), 0);
	return 0;
}

static int take_settings(struct wire_message *message, struct err *err)
{
	int64_t idle = json_int(json_get(message->json, "idleSeconds"), 0);
	int64_t retries = json_int(json_get(message->json, "retries"), 0);
	int64_t delay = json_int(json_get(message->json, "retryDelay"), 0);

	if (take_line(message->json, "program", ' ', &message->program, err) < 0)
		return -1;
	message->log_level = (int)json_int(json_get(message->json, "logLevel"), LOG_QUIET);
	if (idle < 0 || retries < 0 || retries > UINT32_MAX || delay < 0)
		return err_set(err, ERR_USAGE, MESSAGE ": settings below 0");
	message->settings.idle_seconds = (uint64_t)idle;
	message->settings.retries = (unsigned)retries;
	message->settings.retry_delay_ms = (uint64_t)delay;
	return 0;
}

int wire_message_parse(const char *data, size_t len, struct wire_message *out, struct err *err)
{
	auto_wire_message struct wire_message message = { .kind = WIRE_SETTINGS };
	int (*const take[])(struct wire_message *, struct err *) = {
		[WIRE_SETTINGS] = take_settings,
		[WIRE_ENDPOINT] = take_endpoint,
		[WIRE_REQUEST] = take_request,
	};
	int64_t kind;

	message.json = json_parse(data, len, MESSAGE, err);
	if (!message.json)
		return -1;
	kind = json_int(json_get(message.json, "kind"), -1);
	if (kind < WIRE_SETTINGS || kind > WIRE_REQUEST)
		return err_set(err, ERR_USAGE, MESSAGE ": unknown kind %lld", (long long)kind);
	message.kind = (enum wire_kind)kind;
	if (take[kind](&message, err) < 0)
		return -1;
	*out = message;
	message = (struct wire_message){ .kind = WIRE_SETTINGS };
	return 0;
}

/* ---- answers ---- */

void wire_response_format(const struct client_response *response, struct strbuf *out)
{
	auto_json struct json *root = json_object();

	json_set_int(root, "status", response->status);
	json_set_strlist(root, "headers", &response->headers);
	json_set_string(root, "code", response->code);
	json_set_string(root, "message", response->message);
	json_set_int(root, "received", (int64_t)response->received_bytes);
	json_set_int(root, "sent", (int64_t)response->sent_bytes);
	json_format(root, out);
}

void wire_error_format(const struct err *error, struct strbuf *out)
{
	auto_json struct json *root = json_object();

	json_set_string(root, "error", error->text);
	json_set_int(root, "errorKind", error->kind);
	json_format(root, out);
}

static int take_error(const struct json *root, struct err *err)
{
	const char *text = json_string(json_get(root, "error"));
	int64_t kind = json_int(json_get(root, "errorKind"), ERR_REMOTE);

	if (!text)
		return 0;
	if (kind <= ERR_NONE || kind > ERR_INTERRUPTED)
		kind = ERR_REMOTE;
	return err_set(err, (enum err_kind)kind, "%s", text);
}

int wire_answer_parse(const char *data, size_t len, struct client_response *out, struct err *err)
{
	auto_json struct json *root = json_parse(data, len, ANSWER, err);
	auto_client_response struct client_response response = CLIENT_RESPONSE_INIT;
	int64_t status;

	if (!root || take_error(root, err) < 0 ||
	    json_take_strlist(root, "headers", &response.headers, ANSWER, err) < 0 ||
	    json_take_string(root, "code", &response.code, ANSWER, err) < 0 ||
	    json_take_string(root, "message", &response.message, ANSWER, err) < 0)
		return -1;
	status = json_int(json_get(root, "status"), 0);
	if (status < 100 || status > 999)
		return err_set(err, ERR_SYSTEM, ANSWER ": no status");
	response.status = (int)status;
	response.received_bytes = (uint64_t)json_int(json_get(root, "received"), 0);
	response.sent_bytes = (uint64_t)json_int(json_get(root, "sent"), 0);
	*out = response;
	response = (struct client_response)CLIENT_RESPONSE_INIT;
	return 0;
}
