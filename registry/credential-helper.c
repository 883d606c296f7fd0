/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the programs that keep credentials: starting one, asking it, reading its answer. */
#include "registry/credential-helper.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/json.h"
#include "common/mem.h"
#include "common/proc.h"

#define ANSWER_MAX_BYTES ((size_t)1 << 20)
#define TOKEN_USER       "<token>"
#define PROGRAM_PREFIX   "docker-credential-"

bool credential_helper_is_suffix(const char *suffix)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	return suffix[0] != '\0' && strspn(suffix, allowed) == strlen(suffix);
}

int credential_helper_parse(const char *data, size_t len, const char *what,
			    struct credentials *out, struct err *err)
{
	auto_credentials struct credentials found = CREDENTIALS_INIT;
	auto_json struct json *answer = json_parse(data, len, what, err);
	auto_free char *secret = NULL;

	if (!answer)
		/* the parser's words may hold a piece of the answer */
		return err_set(err, ERR_INPUT, "what '%s' says is not JSON", what);
	if (json_take_string(answer, "Username", &found.user, what, err) < 0 ||
	    json_take_string(answer, "Secret", &secret, what, err) < 0)
		return -1;
	if (!found.user || !secret)
		return err_set(err, ERR_INPUT, "what '%s' says has no Username and Secret", what);
	if (strcmp(found.user, TOKEN_USER) == 0) {
		free(ptr_steal(&found.user));
		found.identity_token = ptr_steal(&secret);
	} else {
		found.password = ptr_steal(&secret);
	}
	*out = found;
	found = (struct credentials)CREDENTIALS_INIT;
	return 0;
}

/* The question in a file that is nowhere, so that nobody has to write while the helper reads. */
static int open_question(const char *question, struct err *err)
{
	auto_close int fd = memfd_create("credential-helper", MFD_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "make a file in memory");
	if (fd_write_all(fd, question, strlen(question), "a file in memory", err) < 0)
		return -1;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, "seek in a file in memory");
	return fd_steal(&fd);
}

/* What a helper says instead of an answer: its first line, as far as it can be shown. */
static void cut_to_line(struct strbuf *text)
{
	size_t len = 0;

	while (len < text->len && len < 200 && text->data[len] >= ' ' && text->data[len] < 0x7f)
		len++;
	strbuf_truncate(text, len);
}

/* *out_ok false when it ended otherwise than with success; *answer is then what it said of that. */
static int ask(const char *suffix, const char *action, const char *question,
	       struct strbuf *answer, bool *out_ok, struct err *err)
{
	auto_free char *program = str_format(PROGRAM_PREFIX "%s", suffix);
	auto_child struct child child = CHILD_INIT;
	auto_close int in = open_question(question, err);
	auto_close int answer_fd = -1;
	const char *argv[] = { program, action, NULL };
	struct proc_fd fds[] = { { in, STDIN_FILENO }, { -1, STDOUT_FILENO } };
	struct proc_spec spec = { .argv = argv, .fds = fds, .fd_count = 2 };
	int ends[2];
	int status;

	if (in < 0)
		return -1;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	answer_fd = ends[0];
	fds[1].from = ends[1];
	status = child_start(&child, &spec, err);
	close(ends[1]);
	if (status < 0)
		return err_prefix(err, "credential helper");
	if (fd_read_all(answer_fd, ANSWER_MAX_BYTES, answer, program, err) < 0 ||
	    child_wait(&child, &status, err) < 0)
		return err_prefix(err, "credential helper '%s'", program);
	*out_ok = status == 0;
	if (!*out_ok)
		cut_to_line(answer);
	return 0;
}

static int refused(const char *suffix, const char *action, const struct strbuf *answer,
		   struct err *err)
{
	return err_set(err, ERR_SYSTEM, "credential helper '" PROGRAM_PREFIX "%s %s' failed%s%s",
		       suffix, action, answer->len ? ": " : "", answer->data);
}

int credential_helper_get(const char *suffix, const char *server, struct credentials *out,
			  struct err *err)
{
	auto_strbuf struct strbuf answer = STRBUF_INIT;
	auto_free char *what = str_format(PROGRAM_PREFIX "%s get", suffix);
	bool ok = false;
	int result;

	if (ask(suffix, "get", server, &answer, &ok, err) < 0)
		return -1;
	if (!ok)
		return strstr(answer.data, "credentials not found")
			       ? 0
			       : refused(suffix, "get", &answer, err);
	result = credential_helper_parse(answer.data, answer.len, what, out, err);
	explicit_bzero(answer.data, answer.len);
	return result;
}

int credential_helper_store(const char *suffix, const char *server,
			    const struct credentials *credentials, struct err *err)
{
	auto_json struct json *question = json_object();
	auto_strbuf struct strbuf text = STRBUF_INIT;
	auto_strbuf struct strbuf answer = STRBUF_INIT;
	const bool is_token = credentials->identity_token != NULL;
	bool ok = false;
	int result;

	json_set_string(question, "ServerURL", server);
	json_set_string(question, "Username", is_token ? TOKEN_USER : credentials->user);
	json_set_string(question, "Secret",
			is_token ? credentials->identity_token : credentials->password);
	json_format(question, &text);
	result = ask(suffix, "store", text.data, &answer, &ok, err);
	explicit_bzero(text.data, text.len);
	if (result < 0)
		return -1;
	return ok ? 0 : refused(suffix, "store", &answer, err);
}

int credential_helper_erase(const char *suffix, const char *server, struct err *err)
{
	auto_strbuf struct strbuf answer = STRBUF_INIT;
	bool ok = false;

	if (ask(suffix, "erase", server, &answer, &ok, err) < 0)
		return -1;
	return ok ? 0 : refused(suffix, "erase", &answer, err);
}
