/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the near end of the registry client: the program "courier" is started, told
 * what is wanted, and waited for. Every request brings its own socket for the answer, so that
 * threads do not meet, and closing it is giving up.
 */
#include "registry/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/proc.h"
#include "registry/client-wire.h"
#include "registry/http-status.h"
#include "registry/interrupt.h"

#define PIPE_BYTES     (1024 * 1024)
#define LOOK_EVERY_MS  200 /* for a signal that waits */
#define WARNINGS_MAX   20
#define DEFAULT_IDLE   60
#define DEFAULT_DELAY  2000

struct client {
	struct child courier;
	int socket_fd;
	unsigned retries;
	pthread_mutex_t lock; /* protects all below */
	struct strlist hosts; /* of the endpoints */
	struct strlist warnings;
};

/* ---- telling ---- */

static int memory_with(const void *data, size_t len, struct err *err)
{
	auto_close int fd = memfd_create("request", MFD_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "make room for a request");
	if (fd_write_all(fd, data, len, "a request", err) < 0)
		return -1;
	return fd_steal(&fd);
}

static int send_fds(struct client *client, const int *fds, size_t count, struct err *err)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
		struct cmsghdr align;
	} control;
	char byte = 'm';
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *header;
	ssize_t n;

	memset(&control, 0, sizeof(control));
	message.msg_control = control.bytes;
	message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
	header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int) * count);
	memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
	do
		n = sendmsg(client->socket_fd, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EPIPE)
		return err_set(err, ERR_SYSTEM, "the program that speaks to registries has ended");
	return n < 0 ? err_sys(err, "tell the program that speaks to registries") : 0;
}

static int tell(struct client *client, const struct strbuf *text, struct err *err)
{
	auto_close int fd = memory_with(text->data, text->len, err);

	return fd < 0 ? -1 : send_fds(client, &fd, 1, err);
}

/* ---- its beginning and end ---- */

static int start(struct client *client, struct err *err)
{
	auto_strbuf struct strbuf path = STRBUF_INIT;
	auto_close int theirs = -1;
	int ends[2];

	if (proc_find_own("registry", "courier", &path, err) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_sys(err, "make a socket");
	client->socket_fd = ends[0];
	theirs = ends[1];

	const char *const argv[] = { path.data, NULL };
	const struct proc_fd fds[] = { { theirs, STDIN_FILENO } };
	/* Ctrl-C is for us: it ends with us, in order */
	const struct proc_spec spec = {
		.argv = argv,
		.fds = fds,
		.fd_count = 1,
		.new_group = true,
	};

	return child_start(&client->courier, &spec, err);
}

int client_start(const struct client_options *options, struct client **out, struct err *err)
{
	auto_client struct client *client = mem_alloc(sizeof(*client));
	auto_strbuf struct strbuf text = STRBUF_INIT;
	struct client_options settings = { .retries = CLIENT_RETRIES };

	client->socket_fd = -1;
	pthread_mutex_init(&client->lock, NULL);
	if (options)
		settings = *options;
	if (settings.idle_seconds == 0)
		settings.idle_seconds = DEFAULT_IDLE;
	if (settings.retry_delay_ms == 0)
		settings.retry_delay_ms = DEFAULT_DELAY;
	wire_settings_format(&settings, &text);
	if (start(client, err) < 0 || tell(client, &text, err) < 0)
		return -1;
	*out = ptr_steal(&client);
	return 0;
}

void client_free(struct client *client)
{
	if (!client)
		return;
	fd_close(&client->socket_fd);
	child_release(&client->courier);
	strlist_release(&client->hosts);
	strlist_release(&client->warnings);
	pthread_mutex_destroy(&client->lock);
	free(client);
}

void client_auto_free(struct client **client)
{
	client_free(*client);
	*client = NULL;
}

int client_add_endpoint(struct client *client, const struct client_endpoint *endpoint,
			unsigned *out_id, struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	auto_wire_message struct wire_message checked = { .kind = WIRE_SETTINGS };
	int result;

	wire_endpoint_format(endpoint, &text);
	if (text.len > WIRE_TEXT_MAX)
		return err_set(err, ERR_INPUT, "the certificates for '%s' are too large",
			       endpoint->host);
	/* what it cannot read would be missed only later, by the first request */
	if (wire_message_parse(text.data, text.len, &checked, err) < 0)
		return err_prefix(err, "registry");
	pthread_mutex_lock(&client->lock);
	result = tell(client, &text, err);
	if (result == 0) {
		*out_id = (unsigned)client->hosts.count;
		strlist_add(&client->hosts, endpoint->host);
	}
	pthread_mutex_unlock(&client->lock);
	return result;
}

/* ---- one request ---- */

void client_call_release(struct client_call *call)
{
	fd_close(&call->answer_fd);
	fd_close(&call->body_fd);
}

void client_response_release(struct client_response *response)
{
	strlist_release(&response->headers);
	strbuf_release(&response->body);
	free(response->code);
	free(response->message);
	*response = (struct client_response)CLIENT_RESPONSE_INIT;
}

const char *client_response_header(const struct client_response *response, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < response->headers.count; i++) {
		const char *line = response->headers.items[i];

		if (strncmp(line, name, len) == 0 && strncmp(line + len, ": ", 2) == 0)
			return line + len + 2;
	}
	return NULL;
}

/* Send it, with the far ends of two channels that are made for it. */
static int send_request(struct client *client, const struct client_request *request, int upload_fd,
			struct client_call *call, struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	auto_close int text_fd = -1;
	auto_close int answer_fd = -1;
	auto_close int body_fd = -1;
	int ends[2];

	wire_request_format(request, &text);
	text_fd = memory_with(text.data, text.len, err);
	if (text_fd < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return err_sys(err, "make a socket");
	call->answer_fd = ends[0];
	answer_fd = ends[1];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	call->body_fd = ends[0];
	body_fd = ends[1];
	/* fewer system calls; where it may not be that large, it is as it was */
	(void)fcntl(body_fd, F_SETPIPE_SZ, PIPE_BYTES);

	const int fds[WIRE_FDS_MAX] = { text_fd, answer_fd, body_fd, upload_fd, request->note_fd };
	const size_t count = upload_fd < 0 ? 3 : request->has_note ? 5 : 4;

	return send_fds(client, fds, count, err);
}

int client_begin(struct client *client, const struct client_request *request,
		 struct client_call *out, struct err *err)
{
	auto_client_call struct client_call call = CLIENT_CALL_INIT;
	struct client_request told = *request;
	auto_close int memory_fd = -1;

	call.client = client;
	call.max_bytes = request->max_bytes ? request->max_bytes : CLIENT_DOCUMENT_MAX;
	told.max_bytes = call.max_bytes;
	if (request->body.kind == CLIENT_BODY_MEMORY) {
		memory_fd = memory_with(request->body.data, (size_t)request->body.length, err);
		if (memory_fd < 0)
			return -1;
		told.body.kind = CLIENT_BODY_FILE;
		told.body.fd = memory_fd;
		told.body.offset = 0;
	}
	if (send_request(client, &told,
			 told.body.kind == CLIENT_BODY_NONE ? -1 : told.body.fd, &call, err) < 0)
		return -1;
	*out = call;
	call = (struct client_call)CLIENT_CALL_INIT;
	return 0;
}

/* One of the two: @fd has something, or a signal waits. */
static int wait_for(int fd, struct err *err)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	int n;

	do {
		if (interrupt_check(err) < 0)
			return -1;
		n = poll(&poll_fd, 1, LOOK_EVERY_MS);
		if (n < 0 && errno != EINTR)
			return err_sys(err, "wait for a registry");
	} while (n <= 0);
	return 0;
}

static ssize_t read_some(int fd, void *data, size_t len, struct err *err)
{
	ssize_t n;

	if (wait_for(fd, err) < 0)
		return -1;
	do
		n = read(fd, data, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? err_sys(err, "read what a registry says") : n;
}

static int read_to_end(int fd, uint64_t limit, struct strbuf *out, struct err *err)
{
	char buffer[16384];
	ssize_t n;

	while ((n = read_some(fd, buffer, sizeof(buffer), err)) > 0) {
		if (out->len + (size_t)n > limit)
			return err_set(err, ERR_REMOTE, "an answer of more than %llu bytes",
				       (unsigned long long)limit);
		strbuf_add(out, buffer, (size_t)n);
	}
	return n < 0 ? -1 : 0;
}

/* "Warning: 299 - "text"": once for each. */
static void show_warnings(struct client *client, const struct client_response *response)
{
	for (size_t i = 0; i < response->headers.count; i++) {
		const char *line = response->headers.items[i];
		bool is_new;

		if (strncmp(line, "warning: ", 9) != 0)
			continue;
		pthread_mutex_lock(&client->lock);
		is_new = client->warnings.count < WARNINGS_MAX &&
			 !strlist_has(&client->warnings, line);
		if (is_new)
			strlist_add(&client->warnings, line);
		pthread_mutex_unlock(&client->lock);
		if (is_new)
			log_warn("the registry says: %s", line + 9);
	}
}

int client_finish(struct client_call *call, struct client_response *out, struct err *err)
{
	auto_client_response struct client_response response = CLIENT_RESPONSE_INIT;
	auto_strbuf struct strbuf body = STRBUF_INIT;
	auto_strbuf struct strbuf answer = STRBUF_INIT;

	if (read_to_end(call->body_fd, call->max_bytes, &body, err) < 0 ||
	    read_to_end(call->answer_fd, WIRE_ANSWER_MAX, &answer, err) < 0)
		return -1;
	if (answer.len == 0)
		return err_set(err, ERR_SYSTEM,
			       "the program that speaks to registries ended without an answer");
	if (wire_answer_parse(answer.data, answer.len, &response, err) < 0)
		return -1;
	show_warnings(call->client, &response);
	response.body = body;
	body = (struct strbuf)STRBUF_INIT;
	client_call_release(call);
	*out = response;
	response = (struct client_response)CLIENT_RESPONSE_INIT;
	return 0;
}

int client_perform(struct client *client, const struct client_request *request,
		   struct client_response *out, struct err *err)
{
	auto_client_call struct client_call call = CLIENT_CALL_INIT;

	if (client_begin(client, request, &call, err) < 0)
		return -1;
	return client_finish(&call, out, err);
}

int client_note_parse(const char *data, size_t len, struct client_response *out, struct err *err)
{
	return wire_answer_parse(data, len, out, err);
}

int client_refused(const struct client_response *response, const char *what, struct err *err)
{
	const char *meaning = http_status_meaning(response->status);

	if (response->message && response->message[0])
		return err_set(err, ERR_REMOTE, "%s: the registry says %d: %s", what,
			       response->status, response->message);
	if (response->code)
		return err_set(err, ERR_REMOTE, "%s: the registry says %d: %s", what,
			       response->status, response->code);
	return err_set(err, ERR_REMOTE, "%s: the registry says %d%s", what, response->status,
		       meaning);
}

/* ---- the body of a GET ---- */

struct get_source {
	struct source source;
	struct client_call call;
	char *what;
	bool is_done;
};

static int finish_get(struct get_source *get, struct err *err)
{
	auto_client_response struct client_response response = CLIENT_RESPONSE_INIT;

	get->is_done = true;
	if (client_finish(&get->call, &response, err) < 0)
		return err_prefix(err, "%s", get->what);
	if (response.status != 200 && response.status != 206)
		return client_refused(&response, get->what, err);
	return 0;
}

static ssize_t get_read(struct source *source, void *data, size_t len, struct err *err)
{
	struct get_source *get = (struct get_source *)source;
	ssize_t n;

	if (get->is_done)
		return 0;
	n = read_some(get->call.body_fd, data, len, err);
	if (n < 0)
		return -1;
	return n > 0 ? n : finish_get(get, err);
}

static void get_free(struct source *source)
{
	struct get_source *get = (struct get_source *)source;

	client_call_release(&get->call);
	free(get->what);
	free(get);
}

struct source *client_get(struct client *client, const struct client_request *request,
			  const char *what, struct err *err)
{
	auto_client_call struct client_call call = CLIENT_CALL_INIT;
	struct get_source *get;

	if (client_begin(client, request, &call, err) < 0)
		return NULL;
	get = mem_alloc(sizeof(*get));
	get->source = (struct source){ .read = get_read, .free = get_free };
	get->call = call;
	call = (struct client_call)CLIENT_CALL_INIT;
	get->what = str_dup(what);
	return &get->source;
}
