/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for git: which commit a name stands for, and the files of a commit, by
 * running git(1) where it can do nothing but that. It sees no configuration, hook,
 * credential helper or terminal of the user's; it may speak only the protocol of the URL (or
 * https instead of http and ssh); what is checked out cannot bring any of these either, for
 * git keeps ".git" to itself. A password goes as a header to the one host.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base64.h"
#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"
#include "common/proc.h"
#include "common/tree.h"
#include "layers/walk.h"
#include "registry/fetch-internal.h"

#define OUTPUT_MAX_BYTES ((size_t)16 << 20)
#define LINE_MAX_BYTES   512

/* What of our environment git may see. */
static const char *const kept_names[] = {
	"PATH",      "http_proxy", "HTTP_PROXY", "https_proxy",   "HTTPS_PROXY", "all_proxy",
	"ALL_PROXY", "no_proxy",   "NO_PROXY",   "SSL_CERT_FILE", "TMPDIR",
};

/* The part of @url that says to whom: "https://host:port/". */
static char *url_origin(const char *url)
{
	const char *host = strstr(url, "://");
	size_t len = host ? (size_t)(host - url) + 3 + strcspn(host + 3, "/?#") : strlen(url);

	return str_format("%.*s/", (int)len, url);
}

static void set_config(unsigned index, const char *key, const char *value)
{
	auto_free char *key_name = str_format("GIT_CONFIG_KEY_%u", index);
	auto_free char *value_name = str_format("GIT_CONFIG_VALUE_%u", index);
	auto_free char *count = str_format("%u", index + 1);

	setenv(key_name, key, 1);
	setenv(value_name, value, 1);
	setenv("GIT_CONFIG_COUNT", count, 1);
}

static unsigned set_fixed_config(const struct fetch_request *request)
{
	auto_free char *idle = str_format("%llu", (unsigned long long)request->idle_seconds);
	const char *const config[][2] = {
		{ "core.hooksPath", "/dev/null" },
		{ "core.fsmonitor", "false" },
		{ "core.attributesFile", "/dev/null" },
		{ "core.autocrlf", "false" },
		{ "core.symlinks", "true" },
		{ "core.fsync", "none" },
		{ "credential.helper", "" },
		{ "protocol.version", "2" },
		{ "http.lowSpeedLimit", "16" },
		{ "http.lowSpeedTime", idle },
		{ "gc.auto", "0" },
		{ "maintenance.auto", "false" },
		{ "advice.detachedHead", "false" },
		{ "init.defaultBranch", "main" },
	};
	unsigned count = sizeof(config) / sizeof(config[0]);

	for (unsigned i = 0; i < count; i++)
		set_config(i, config[i][0], config[i][1]);
	return count;
}

static void set_password(const struct fetch_request *request, unsigned index)
{
	auto_free char *origin = url_origin(request->url);
	auto_free char *key = str_format("http.%s.extraHeader", origin);
	auto_free char *pair = NULL;
	auto_free char *coded = NULL;
	auto_free char *header = NULL;

	if (!request->user)
		return;
	pair = str_format("%s:%s", request->user, request->password ? request->password : "");
	coded = base64_format(pair, strlen(pair));
	header = str_format("Authorization: Basic %s", coded);
	set_config(index, key, header);
}

/* The form of ssh that is no URL: "git@host:path". */
static bool is_ssh(const char *url)
{
	return strncmp(url, "ssh://", 6) == 0 || !strstr(url, "://");
}

static int set_protocols(const char *url, struct err *err)
{
	static const char *const allowed[][2] = {
		{ "https://", "https" },
		{ "http://", "http:https" },
		{ "git://", "git" },
	};

	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		if (strncmp(url, allowed[i][0], strlen(allowed[i][0])) != 0)
			continue;
		setenv("GIT_ALLOW_PROTOCOL", allowed[i][1], 1);
		return 0;
	}
	if (is_ssh(url)) {
		setenv("GIT_ALLOW_PROTOCOL", "ssh:https", 1);
		return 0;
	}
	return err_set(err, ERR_INPUT, "git: '%s' is neither https, http, ssh nor git", url);
}

/* Nothing of who started us but what is needed to get at the network. */
static int prepare_environment(const struct fetch_request *request, struct err *err)
{
	size_t count = sizeof(kept_names) / sizeof(kept_names[0]);
	const struct rlimit size = { request->max_bytes, request->max_bytes };
	char *values[sizeof(kept_names) / sizeof(kept_names[0])];

	for (size_t i = 0; i < count; i++)
		values[i] = str_dup(getenv(kept_names[i]));
	clearenv();
	for (size_t i = 0; i < count; i++) {
		if (values[i])
			setenv(kept_names[i], values[i], 1);
		free(values[i]);
	}
	if (getenv("SSL_CERT_FILE"))
		setenv("GIT_SSL_CAINFO", getenv("SSL_CERT_FILE"), 1);
	setenv("HOME", "/nonexistent", 1);
	setenv("LC_ALL", "C", 1);
	setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
	setenv("GIT_CONFIG_SYSTEM", "/dev/null", 1);
	setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
	setenv("GIT_ATTR_NOSYSTEM", "1", 1);
	setenv("GIT_TERMINAL_PROMPT", "0", 1);
	setenv("GIT_PROTOCOL_FROM_USER", "0", 1);
	set_password(request, set_fixed_config(request));
	/* a pack without end stops here, like every other file */
	if (setrlimit(RLIMIT_FSIZE, &size) < 0)
		return err_sys(err, "limit the size of files");
	if (set_protocols(request->url, err) < 0)
		return -1;
	return is_ssh(request->url) ? fetch_ssh_prepare(request, err) : 0;
}

/* Said after whatever is the matter with ssh. */
static bool is_empty_talk(const char *line)
{
	static const char *const known[] = {
		"fatal: Could not read from remote repository.",
		"Please make sure you have the correct access rights",
		"and the repository exists.",
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(line, known[i]) == 0)
			return true;
	return false;
}

/* The last line of what git said that says something, without control characters. */
static void last_words(int fd, char *buf)
{
	off_t end = lseek(fd, 0, SEEK_END);
	off_t start = end > LINE_MAX_BYTES - 1 ? end - (LINE_MAX_BYTES - 1) : 0;
	ssize_t len = end > 0 ? pread(fd, buf, (size_t)(end - start), start) : 0;
	char *line;

	buf[len > 0 ? len : 0] = '\0';
	for (;;) {
		len = (ssize_t)strlen(buf);
		while (len > 0 && strchr("\r\n ", buf[len - 1]))
			len--;
		buf[len] = '\0';
		line = strrchr(buf, '\n');
		if (!line || !is_empty_talk(line + 1))
			break;
		*line = '\0';
	}
	line = line ? line + 1 : buf;
	memmove(buf, line, strlen(line) + 1);
	for (char *p = buf; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
}

static int memory_file(const char *name, struct err *err)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	return fd < 0 ? err_sys(err, "make a file in memory") : fd;
}

/* Run git; what it prints goes to @out (may be NULL). ERR_REMOTE with its last words. */
static int git(const char *const *argv, struct strbuf *out, struct err *err)
{
	auto_child struct child child = CHILD_INIT;
	auto_close int out_fd = memory_file("git-output", err);
	auto_close int log_fd = memory_file("git-messages", err);
	const struct proc_fd fds[] = { { out_fd, STDOUT_FILENO }, { log_fd, STDERR_FILENO } };
	const struct proc_spec spec = { .argv = argv, .fds = fds, .fd_count = 2 };
	char line[LINE_MAX_BYTES];
	char text[64];
	int status;

	if (out_fd < 0 || log_fd < 0)
		return -1;
	if (child_start(&child, &spec, err) < 0) {
		if (err->sys_errno == ENOENT)
			err_set(err, ERR_SYSTEM,
				"git is not installed, and a git repository is asked for");
		return -1;
	}
	if (child_wait(&child, &status, err) < 0)
		return -1;
	if (status != 0) {
		last_words(log_fd, line);
		proc_status_text(status, text);
		return err_set(err, ERR_REMOTE, "git %s: %s", argv[1], line[0] ? line : text);
	}
	if (!out)
		return 0;
	if (lseek(out_fd, 0, SEEK_SET) < 0)
		return err_sys(err, "read what git says");
	return fd_read_all(out_fd, OUTPUT_MAX_BYTES, out, "what git says", err);
}

/* What the lines "COMMIT<TAB>NAME" of ls-remote say of the names that @ref can stand for. */
struct ref_choice {
	char *exact; /* "refs/…" in full, or HEAD */
	char *head;
	char *tag;
	char *peeled; /* the commit behind an annotated tag */
};

static void ref_choice_release(struct ref_choice *choice)
{
	free(choice->exact);
	free(choice->head);
	free(choice->tag);
	free(choice->peeled);
}

static void take_ref(const char *line, size_t len, const char *ref, struct ref_choice *choice)
{
	const char *tab = memchr(line, '\t', len);
	auto_free char *name = tab ? str_ndup(tab + 1, len - (size_t)(tab + 1 - line)) : NULL;
	auto_free char *commit = tab ? str_ndup(line, (size_t)(tab - line)) : NULL;
	auto_free char *head = str_format("refs/heads/%s", ref);
	auto_free char *tag = str_format("refs/tags/%s", ref);
	auto_free char *peeled = str_format("refs/tags/%s^{}", ref);
	auto_free char *full_peeled = str_format("%s^{}", ref);
	char **to = NULL;

	if (!commit || !fetch_is_commit(commit))
		return;
	if (strcmp(name, ref) == 0)
		to = &choice->exact;
	else if (strcmp(name, head) == 0)
		to = &choice->head;
	else if (strcmp(name, tag) == 0)
		to = &choice->tag;
	else if (strcmp(name, peeled) == 0 || strcmp(name, full_peeled) == 0)
		to = &choice->peeled;
	if (!to)
		return;
	free(*to);
	*to = ptr_steal(&commit);
}

/* A branch goes before a tag of the same name. */
static int choose_ref(const struct ref_choice *choice, const char *ref, struct fetch_result *out,
		      struct err *err)
{
	if (choice->exact) {
		out->commit = str_dup(choice->peeled && strncmp(ref, "refs/tags/", 10) == 0
					      ? choice->peeled
					      : choice->exact);
		out->ref = str_dup(ref);
	} else if (choice->head) {
		out->commit = str_dup(choice->head);
		out->ref = str_format("refs/heads/%s", ref);
	} else if (choice->tag) {
		out->commit = str_dup(choice->peeled ? choice->peeled : choice->tag);
		out->ref = str_format("refs/tags/%s", ref);
	} else {
		return err_set(err, ERR_INPUT, "it has no branch or tag '%s'", ref);
	}
	return 0;
}

static int resolve(const struct fetch_request *request, struct fetch_result *out, struct err *err)
{
	const char *ref = request->ref ? request->ref : "HEAD";
	auto_free char *peeled = str_format("%s^{}", ref);
	const char *const argv[] = { "git",        "ls-remote", "--quiet", "--",
				     request->url, ref,         peeled,    NULL };
	auto_strbuf struct strbuf text = STRBUF_INIT;
	struct ref_choice choice = { .exact = NULL };
	int result;

	if (git(argv, &text, err) < 0)
		return -1;
	for (const char *line = text.data; *line;) {
		size_t len = strcspn(line, "\n");

		take_ref(line, len, ref, &choice);
		line += len + (line[len] == '\n');
	}
	result = choose_ref(&choice, ref, out, err);
	ref_choice_release(&choice);
	return result;
}

int fetch_git_resolve(const struct fetch_request *request, struct fetch_result *out,
		      struct err *err)
{
	if (request->ref && fetch_is_commit(request->ref)) {
		out->commit = str_dup(request->ref);
		return 0;
	}
	if (prepare_environment(request, err) < 0 || resolve(request, out, err) < 0)
		return err_prefix(err, "git repository '%s'", request->url);
	return 0;
}

/*
 * Only the one commit; where the server cannot give that (a plain directory behind
 * a web server, or a commit that no name stands for), all that has a name.
 */
static int fetch_commit(const struct fetch_request *request, struct err *err)
{
	const char *const shallow[] = {
		"git",
		"fetch",
		"--quiet",
		"--no-tags",
		"--no-recurse-submodules",
		"--no-write-fetch-head",
		"--depth=1",
		"--",
		request->url,
		request->ref ? request->ref : request->commit,
		NULL,
	};
	const char *const whole[] = {
		"git",
		"fetch",
		"--quiet",
		"--no-tags",
		"--no-recurse-submodules",
		"--no-write-fetch-head",
		"--",
		request->url,
		"+refs/heads/*:refs/remotes/origin/*",
		"+refs/tags/*:refs/tags/*",
		NULL,
	};
	struct err ignored = ERR_INIT;

	if (git(shallow, NULL, &ignored) == 0)
		return 0;
	return git(whole, NULL, err);
}

static int check_out(const struct fetch_request *request, struct err *err)
{
	const char *const init[] = { "git", "init", "--quiet", "--template=", ".", NULL };
	const char *const checkout[] = { "git",      "checkout",      "--quiet", "--force",
					 "--detach", request->commit, "--",      NULL };
	const char *const known[] = { "git", "cat-file", "-e", request->commit, NULL };
	const char *const modules[] = { "git",    "submodule",   "--quiet",   "update",
					"--init", "--recursive", "--depth=1", NULL };
	/* the URLs of submodules may be relative to it */
	const char *const remote[] = { "git", "remote", "add", "origin", request->url, NULL };
	struct err ignored = ERR_INIT;

	if (git(init, NULL, err) < 0 || git(remote, NULL, err) < 0 ||
	    fetch_commit(request, err) < 0)
		return -1;
	if (git(known, NULL, &ignored) < 0)
		return err_set(err, ERR_REMOTE, "it does not give commit %s", request->commit);
	if (git(checkout, NULL, err) < 0)
		return -1;
	/* most repositories have none, and the command takes its time to find that out */
	if (!request->has_submodules || access(".gitmodules", F_OK) < 0)
		return 0;
	return git(modules, NULL, err);
}

static int commit_time(const char *commit, time_t *out, struct err *err)
{
	const char *const argv[] = { "git",          "show", "-s", "--no-show-signature",
				     "--format=%ct", commit, NULL };
	auto_strbuf struct strbuf text = STRBUF_INIT;
	char *end;

	if (git(argv, &text, err) < 0)
		return -1;
	*out = (time_t)strtoll(text.data, &end, 10);
	if (end == text.data || *out < 0)
		return err_set(err, ERR_REMOTE, "commit %s has no time", commit);
	return 0;
}

/* ".git" of submodules too: no file of a repository can have that name. */
struct settling {
	time_t when;
	bool keeps_git_dir;
};

static int settle(void *context, const struct walk_item *at, struct err *err)
{
	const struct settling *settling = context;
	const struct timespec times[2] = { { .tv_sec = settling->when },
					   { .tv_sec = settling->when } };

	if (at->event == WALK_ENTER) {
		if (!settling->keeps_git_dir && tree_remove(at->fd, ".git", err) < 0)
			return -1;
		return 0;
	}
	if (at->event == WALK_LEAVE
		    ? futimens(at->fd, times) < 0
		    : utimensat(at->dir_fd, at->name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "set the time of '%s'", at->path);
	return 0;
}

int fetch_git(const struct fetch_request *request, struct fetch_result *out, struct err *err)
{
	struct settling settling = { .keeps_git_dir = request->keeps_git_dir };

	if (fchdir(FETCH_INTO_FD) < 0)
		return err_sys(err, "enter the directory for a checkout");
	if (prepare_environment(request, err) < 0 || check_out(request, err) < 0 ||
	    commit_time(request->commit, &settling.when, err) < 0)
		return err_prefix(err, "git repository '%s'", request->url);
	out->commit = str_dup(request->commit);
	out->mtime = settling.when;
	return walk_tree(FETCH_INTO_FD, settle, &settling, err);
}
