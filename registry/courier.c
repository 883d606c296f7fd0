/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program "courier": carries requests to registries for who started it, over the socket
 * that is its standard input (client-wire.h). Its one thread serves all errands; libcurl's
 * multi interface moves their bytes. It can open no file and has no capability by the time the
 * first byte of a server comes, and ends when its parent does, but for a piece of an upload that
 * would be lost.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/mem.h"
#include "registry/confine.h"
#include "registry/courier-internal.h"
#include "registry/http-status.h"

#define POLL_MAX_MS  1000
#define ALONE_MAX_MS 30000

int64_t courier_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- errands ---- */

struct errand *errand_new(struct courier *courier, struct courier_endpoint *endpoint)
{
	struct errand *errand = mem_alloc(sizeof(*errand));

	errand->courier = courier;
	errand->endpoint = endpoint;
	errand->request = &errand->message.request;
	errand->answer_fd = -1;
	errand->body_fd = -1;
	errand->upload_fd = -1;
	errand->note_fd = -1;
	errand->pending = (struct strbuf)STRBUF_INIT;
	errand->exchange.refusal = (struct strbuf)STRBUF_INIT;
	errand->answer = (struct client_response)CLIENT_RESPONSE_INIT;
	errand->next = courier->errands;
	courier->errands = errand;
	return errand;
}

void errand_free(struct errand *errand)
{
	scheme_give_up(errand);
	exchange_end(errand);
	exchange_release(&errand->exchange);
	wire_message_release(&errand->message);
	client_response_release(&errand->answer);
	strbuf_release(&errand->pending);
	free(errand->form);
	free(errand->url);
	free(errand->scopes);
	fd_close(&errand->body_fd);
	fd_close(&errand->upload_fd);
	fd_close(&errand->answer_fd);
	fd_close(&errand->note_fd);
	free(errand);
}

int errand_fail(struct errand *errand, enum err_kind kind, const char *fmt, ...)
{
	auto_free char *what = errand_what(errand);
	char text[ERR_TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	errand->has_failed = true;
	return err_set(&errand->err, kind, "%s: %s", what, text);
}

static void take_token(struct errand *errand)
{
	const struct strbuf *body = &errand->pending;
	struct token_answer answer = { .token = NULL };

	if (errand->has_failed)
		return;
	if (errand->answer.status != 200) {
		errand_fail(errand, ERR_REMOTE, "the token server says %d%s%s", errand->answer.status,
			    errand->answer.message ? ": "
						   : http_status_meaning(errand->answer.status),
			    errand->answer.message ? errand->answer.message : "");
		return;
	}
	if (token_answer_parse(body->data, body->len, &answer, &errand->err) < 0) {
		auto_free char *what = errand_what(errand);

		errand->has_failed = true;
		err_prefix(&errand->err, "%s", what);
		return;
	}
	errand->token->text = answer.token;
	errand->token->expires_ms = courier_now_ms() + answer.lifetime_seconds * 1000;
}

void errand_end(struct errand *errand)
{
	if (!errand->token) {
		errand->state = ERRAND_DRAINING;
		return;
	}
	take_token(errand);
	auth_token_came(errand);
	errand->state = ERRAND_DONE;
}

static void send_answer(struct errand *errand)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;

	errand->answer.received_bytes = errand->received;
	errand->answer.sent_bytes = errand->sent;
	if (errand->has_failed)
		wire_error_format(&errand->err, &text);
	else
		wire_response_format(&errand->answer, &text);
	if (errand->is_orphan) {
		/* of a piece that was not taken, what was known before is worth more */
		if (errand->has_failed || errand->answer.status / 100 != 2)
			return;
		/* in place of what was there; half of it would be nothing, and no harm */
		(void)(ftruncate(errand->note_fd, 0) < 0 ||
		       pwrite(errand->note_fd, text.data, text.len, 0) < 0);
		return;
	}
	/* it fits a socket's buffer; who is gone is told nothing */
	(void)send(errand->answer_fd, text.data, text.len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Write what came to the parent's pipe, as much as it takes now. */
static void flush_errand(struct errand *errand)
{
	if (errand->is_orphan)
		errand->pending_done = errand->pending.len;
	while (errand->pending_done < errand->pending.len) {
		ssize_t n = write(errand->body_fd, errand->pending.data + errand->pending_done,
				  errand->pending.len - errand->pending_done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			errand->state = ERRAND_DONE; /* nobody reads it any more */
			return;
		}
		errand->pending_done += (size_t)n;
	}
	strbuf_truncate(&errand->pending, 0);
	errand->pending_done = 0;
	if (errand->is_paused)
		exchange_resume_body(errand);
	if (errand->state != ERRAND_DRAINING)
		return;
	fd_close(&errand->body_fd);
	send_answer(errand);
	errand->state = ERRAND_DONE;
}

/* ---- what the parent says ---- */

static void add_endpoint(struct courier *courier, struct wire_message *message)
{
	struct courier_endpoint *endpoint = mem_alloc(sizeof(*endpoint));

	endpoint->message = *message;
	*message = (struct wire_message){ .kind = WIRE_SETTINGS };
	endpoint->values = &endpoint->message.endpoint;
	endpoint->scheme = endpoint->values->is_insecure ? SCHEME_UNKNOWN : SCHEME_HTTPS;
	courier->endpoints = mem_resize(courier->endpoints, courier->endpoint_count + 1,
					sizeof(struct courier_endpoint *));
	courier->endpoints[courier->endpoint_count++] = endpoint;
}

static int set_nonblocking(int fd, struct err *err)
{
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return err_sys(err, "prepare a pipe");
	return 0;
}

/* @fds: as in client-wire.h; taken from the list. */
static int add_errand(struct courier *courier, struct wire_message *message, int *fds,
		      struct err *err)
{
	const struct client_request *request = &message->request;
	bool has_upload = request->body.kind != CLIENT_BODY_NONE;
	struct errand *errand;

	if (request->endpoint >= courier->endpoint_count || fds[1] < 0 || fds[2] < 0 ||
	    has_upload != (fds[3] >= 0))
		return err_set(err, ERR_BUG, "a request without what belongs to it");
	if (set_nonblocking(fds[2], err) < 0 ||
	    (request->body.kind == CLIENT_BODY_STREAM && set_nonblocking(fds[3], err) < 0))
		return -1;
	errand = errand_new(courier, courier->endpoints[request->endpoint]);
	errand->message = *message;
	*message = (struct wire_message){ .kind = WIRE_SETTINGS };
	errand->answer_fd = fd_steal(&fds[1]);
	errand->body_fd = fd_steal(&fds[2]);
	errand->upload_fd = fd_steal(&fds[3]);
	errand->note_fd = fd_steal(&fds[4]);
	return 0;
}

static int hear(struct courier *courier, int *fds, struct err *err)
{
	auto_wire_message struct wire_message message = { .kind = WIRE_SETTINGS };
	auto_strbuf struct strbuf text = STRBUF_INIT;

	if (lseek(fds[0], 0, SEEK_SET) < 0)
		return err_sys(err, "read a message");
	if (fd_read_all(fds[0], WIRE_TEXT_MAX, &text, "a message", err) < 0 ||
	    wire_message_parse(text.data, text.len, &message, err) < 0)
		return -1;
	switch (message.kind) {
	case WIRE_SETTINGS:
		courier->settings = message.settings;
		if (message.program && message.log_level >= LOG_INFO)
			log_init(str_dup(message.program), LOG_INFO);
		break;
	case WIRE_ENDPOINT:
		add_endpoint(courier, &message);
		break;
	case WIRE_REQUEST:
		return add_errand(courier, &message, fds, err);
	}
	return 0;
}

/* -1: nothing is there, or nobody. */
static int receive_fds(struct courier *courier, int *fds)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
		struct cmsghdr align;
	} control;
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n = recvmsg(courier->socket_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *header;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -1;
	if (n <= 0) {
		fd_close(&courier->socket_fd);
		return -1;
	}
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_type == SCM_RIGHTS)
		memcpy(fds, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
	return 0;
}

static void hear_all(struct courier *courier)
{
	for (;;) {
		int fds[WIRE_FDS_MAX] = { -1, -1, -1, -1, -1 };
		struct err err = ERR_INIT;

		if (receive_fds(courier, fds) < 0)
			return;
		if (hear(courier, fds, &err) < 0 && fds[1] >= 0) {
			auto_strbuf struct strbuf text = STRBUF_INIT;

			wire_error_format(&err, &text);
			(void)send(fds[1], text.data, text.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		}
		for (size_t i = 0; i < WIRE_FDS_MAX; i++)
			fd_close(&fds[i]);
	}
}

/* ---- the loop ---- */

/* Beginning one may add another: a token is fetched first. */
static void begin_ready(struct courier *courier)
{
	int64_t now = courier_now_ms();
	bool is_any;

	do {
		is_any = false;
		for (struct errand *errand = courier->errands; errand; errand = errand->next) {
			if (errand->state == ERRAND_SLEEPING && errand->wake_ms <= now)
				errand->state = ERRAND_READY;
			if (errand->state != ERRAND_READY)
				continue;
			exchange_begin(errand);
			is_any = true;
		}
	} while (is_any);
}

static void judge_ended(struct courier *courier)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(courier->multi, &left))) {
		struct errand *errand = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&errand);
		errand_judge(errand, message->data.result);
	}
}

static void flush_all(struct courier *courier)
{
	for (struct errand *errand = courier->errands; errand; errand = errand->next)
		if (!errand->token && errand->state != ERRAND_DONE)
			flush_errand(errand);
}

static void remove_done(struct courier *courier)
{
	struct errand **at = &courier->errands;

	while (*at) {
		struct errand *errand = *at;

		if (errand->state == ERRAND_DONE) {
			*at = errand->next;
			errand_free(errand);
		} else {
			at = &errand->next;
		}
	}
}

/* One descriptor to wait for, and whose it is. */
struct watch {
	struct errand *errand;
	int fd;
};

struct watches {
	struct curl_waitfd *fds;
	struct watch *owners;
	unsigned count;
};

static void watch(struct watches *list, struct errand *errand, int fd, short events)
{
	list->fds = mem_resize(list->fds, list->count + 1, sizeof(*list->fds));
	list->owners = mem_resize(list->owners, list->count + 1, sizeof(*list->owners));
	list->fds[list->count] = (struct curl_waitfd){ .fd = fd, .events = events };
	list->owners[list->count++] = (struct watch){ .errand = errand, .fd = fd };
}

static void watch_all(struct courier *courier, struct watches *list)
{
	watch(list, NULL, courier->socket_fd, CURL_WAIT_POLLIN);
	for (struct errand *errand = courier->errands; errand; errand = errand->next) {
		if (errand->token || errand->is_orphan)
			continue;
		watch(list, errand, errand->answer_fd, CURL_WAIT_POLLIN);
		if (errand->pending_done < errand->pending.len)
			watch(list, errand, errand->body_fd, CURL_WAIT_POLLOUT);
		if (errand->is_upload_paused)
			watch(list, errand, errand->upload_fd, CURL_WAIT_POLLIN);
	}
}

static int wait_ms(const struct courier *courier)
{
	int64_t now = courier_now_ms();
	int64_t wait = POLL_MAX_MS;

	for (const struct errand *errand = courier->errands; errand; errand = errand->next) {
		if (errand->state == ERRAND_READY)
			return 0;
		if (errand->state == ERRAND_SLEEPING && errand->wake_ms - now < wait)
			wait = errand->wake_ms > now ? errand->wake_ms - now : 0;
	}
	return (int)wait;
}

/* Nobody waits for it any more. What can be of use to a later process is brought to its end. */
static void abandon(struct errand *errand)
{
	if (errand->note_fd >= 0 && errand->request->body.kind == CLIENT_BODY_FILE)
		errand->is_orphan = true;
	else
		errand->state = ERRAND_DONE;
}

static void wait_for_any(struct courier *courier)
{
	struct watches list = { .count = 0 };
	int ready = 0;

	watch_all(courier, &list);
	curl_multi_poll(courier->multi, list.fds, list.count, wait_ms(courier), &ready);
	for (unsigned i = 1; i < list.count; i++) {
		struct errand *errand = list.owners[i].errand;

		if (list.fds[i].revents == 0)
			continue;
		if (list.owners[i].fd == errand->answer_fd)
			abandon(errand);
		else if (list.owners[i].fd == errand->upload_fd)
			exchange_resume_upload(errand);
	}
	free(list.fds);
	free(list.owners);
	hear_all(courier);
}

/* Without a parent: as long as an errand is worth it, and not for ever. */
static bool is_needed(struct courier *courier)
{
	if (courier->socket_fd >= 0)
		return true;
	if (courier->alone_ms == 0) {
		courier->alone_ms = courier_now_ms();
		for (struct errand *errand = courier->errands; errand; errand = errand->next)
			if (!errand->token)
				abandon(errand);
	}
	if (courier_now_ms() - courier->alone_ms > ALONE_MAX_MS)
		return false;
	for (struct errand *errand = courier->errands; errand; errand = errand->next)
		if (errand->is_orphan && errand->state != ERRAND_DONE)
			return true;
	return false;
}

static void run(struct courier *courier)
{
	int running;

	while (is_needed(courier)) {
		begin_ready(courier);
		curl_multi_perform(courier->multi, &running);
		judge_ended(courier);
		flush_all(courier);
		remove_done(courier);
		wait_for_any(courier);
	}
	while (courier->errands) {
		courier->errands->state = ERRAND_DONE;
		remove_done(courier);
	}
}

static int prepare(struct courier *courier, struct err *err)
{
	/* nobody reads the memory that holds a password */
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return err_sys(err, "prepare to speak to registries");
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(err, ERR_SYSTEM, "libcurl cannot be used");
	if (confine_network_program(err) < 0)
		return -1;
	courier->multi = curl_multi_init();
	if (!courier->multi)
		mem_exhausted();
	return 0;
}

int main(void)
{
	struct courier courier = { .socket_fd = STDIN_FILENO };
	struct err err = ERR_INIT;

	log_init("imgbuild", LOG_QUIET);
	if (prepare(&courier, &err) < 0) {
		err_print(&err, "imgbuild");
		return err_exit_status(&err);
	}
	run(&courier);
	curl_multi_cleanup(courier.multi);
	for (size_t i = 0; i < courier.endpoint_count; i++)
		endpoint_free(courier.endpoints[i]);
	free(courier.endpoints);
	curl_global_cleanup();
	return 0;
}
