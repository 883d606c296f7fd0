/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program "fetch": one request on standard input, one thing brought from the network
 * into a descriptor, one answer on standard output. Started by registry/fetch-start.c, with
 * no descriptor but those, so that what a hostile server can reach is little.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/mem.h"
#include "registry/confine.h"
#include "registry/disposition.h"
#include "registry/fetch-internal.h"
#include "registry/transport-http.h"

#define REQUEST_MAX_BYTES ((size_t)1 << 20)

int fetch_http(const struct fetch_request *request, struct fetch_result *out, struct err *err)
{
	const struct http_request http = {
		.url = request->url,
		.user = request->user,
		.password = request->password,
		.etag = request->etag,
		.last_modified = request->last_modified,
		.max_bytes = request->max_bytes,
		.idle_seconds = request->idle_seconds,
	};
	auto_http_response struct http_response response = { .status = 0 };
	auto_sink struct sink *body = NULL;

	/* git is a program of its own, and needs files and, for an agent of another user, root's rights */
	if (confine_network_program(err) < 0)
		return -1;
	body = sink_digest(sink_to_fd(FETCH_INTO_FD, "what was fetched"), &out->digest,
			   &out->size_bytes);
	if (http_get(&http, body, &response, err) < 0)
		return -1;
	out->not_modified = response.status == 304;
	out->etag = ptr_steal(&response.etag);
	out->last_modified = ptr_steal(&response.last_modified);
	out->mtime = response.mtime;
	if (response.disposition)
		out->filename = disposition_filename(response.disposition);
	return 0;
}

static int perform(struct fetch_result *out, struct err *err)
{
	auto_fetch_request struct fetch_request request = { .url = NULL };
	auto_strbuf struct strbuf text = STRBUF_INIT;
	int result = -1;

	if (fd_read_all(STDIN_FILENO, REQUEST_MAX_BYTES, &text, "the request", err) < 0 ||
	    fetch_request_parse(text.data, text.len, &request, err) < 0)
		return -1;
	switch (request.kind) {
	case FETCH_HTTP:
		result = fetch_http(&request, out, err);
		break;
	case FETCH_GIT_RESOLVE:
		result = fetch_git_resolve(&request, out, err);
		break;
	case FETCH_GIT:
		result = fetch_git(&request, out, err);
		break;
	}
	return result;
}

int main(void)
{
	auto_fetch_result struct fetch_result result = { .etag = NULL };
	auto_strbuf struct strbuf answer = STRBUF_INIT;
	struct err err = ERR_INIT;
	int status = 0;

	log_init("imgbuild", LOG_INFO);
	/* nobody reads the memory that holds a password, nothing is gained by an exec, and nothing
	 * runs on when the builder is gone */
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		err_sys(&err, "give up what is not needed");
	umask(022);
	if (err.kind != ERR_NONE || perform(&result, &err) < 0) {
		fetch_error_format(&err, &answer);
		status = err_exit_status(&err);
	} else {
		fetch_result_format(&result, &answer);
	}
	err_clear(&err);
	if (fd_write_all(STDOUT_FILENO, answer.data, answer.len, "the answer", &err) < 0)
		status = err_exit_status(&err);
	return status;
}
