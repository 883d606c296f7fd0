/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for logging in to registries and out again, as podman does it. Files and helpers are
 * authfile's; here people are asked, and the registry.
 */
#include "registry/login.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "common/cmdline.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/mem.h"
#include "registry/authfile.h"
#include "registry/client.h"
#include "registry/endpoint.h"

#define SECRET_MAX_BYTES ((size_t)64 * 1024)

struct login {
	const char *authfile;
	const char *cert_dir;
	const char *tls_verify;
	const char *user;
	const char *password;
	bool password_stdin;
	bool get_login;
	bool all; /* logout */
	struct strlist args;
	bool is_done;
};

/* ---- which registry ---- */

/*
 * "https://host/" is the host, nothing is docker.io. "host/namespace" is a key for that part
 * of it alone. *out_host and *out_key are the caller's.
 */
static int take_registry(const struct login *options, char **out_host, char **out_key,
			 struct err *err)
{
	const char *text = options->args.count > 0 ? options->args.items[0] : "docker.io";
	auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
	auto_free char *key = NULL;
	auto_free char *probe = NULL;
	size_t len;

	if (strncmp(text, "https://", 8) == 0)
		text += 8;
	else if (strncmp(text, "http://", 7) == 0)
		text += 7;
	len = strlen(text);
	while (len > 0 && text[len - 1] == '/')
		len--;
	key = str_ndup(text, len);
	/* a host is what is one in front of a name: at least it must be good for that */
	probe = str_format("%s/x", key);
	if (image_ref_parse(probe, &ref, err) < 0 || strncmp(key, ref.host, strlen(ref.host)) != 0)
		return err_set(err, ERR_USAGE, "'%s' is not of the form HOST[:PORT][/PATH]", text);
	*out_host = str_dup(ref.host);
	*out_key = ptr_steal(&key);
	return 0;
}

static struct credentials_options places_of(const struct login *options)
{
	return (struct credentials_options){ .authfile = options->authfile, .uid = getuid() };
}

/* ---- asking people ---- */

/* A line of a terminal; @is_secret: nobody sees it. */
static int ask(const char *prompt, bool is_secret, char **out, struct err *err)
{
	auto_close int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios before;
	struct termios quiet;
	char line[1024] = { 0 };
	ssize_t len;

	if (fd < 0)
		return err_set(err, ERR_USAGE,
			       "there is no terminal to ask for user and password: give "
			       "--username and --password-stdin");
	if (fd_write_all(fd, prompt, strlen(prompt), "terminal", err) < 0)
		return -1;
	if (tcgetattr(fd, &before) < 0)
		return err_sys(err, "ask the terminal");
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	if (is_secret && tcsetattr(fd, TCSAFLUSH, &quiet) < 0)
		return err_sys(err, "have the terminal show no password");
	len = read(fd, line, sizeof(line) - 1);
	if (is_secret) {
		tcsetattr(fd, TCSAFLUSH, &before);
		fd_write_quiet(fd, "\n", 1);
	}
	if (len <= 1 || line[len - 1] != '\n')
		return err_set(err, ERR_USAGE, "nothing was typed");
	line[len - 1] = '\0';
	*out = str_dup(line);
	explicit_bzero(line, sizeof(line));
	return 0;
}

/* All of standard input, without the end of its line. */
static int read_password(char **out, struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;

	if (fd_read_all(STDIN_FILENO, SECRET_MAX_BYTES, &text, "standard input", err) < 0)
		return -1;
	while (text.len > 0 && strchr("\r\n", text.data[text.len - 1]))
		strbuf_truncate(&text, text.len - 1);
	if (text.len == 0 || strlen(text.data) != text.len)
		return err_set(err, ERR_USAGE, "there is no password on standard input");
	*out = strbuf_steal(&text);
	return 0;
}

static int take_credentials(const struct login *options, struct credentials *out, struct err *err)
{
	if (options->password && options->password_stdin)
		return err_set(err, ERR_USAGE,
			       "--password and --password-stdin exclude each other");
	if (options->password_stdin && !options->user)
		return err_set(err, ERR_USAGE, "--password-stdin needs --username");
	if (options->user && (options->user[0] == '\0' || strchr(options->user, ':')))
		return err_set(err, ERR_USAGE, "a user's name is not empty and has no colon");
	if (options->user)
		out->user = str_dup(options->user);
	else if (ask("Username: ", false, &out->user, err) < 0)
		return -1;
	if (options->password)
		out->password = str_dup(options->password);
	else
		return options->password_stdin ? read_password(&out->password, err)
					       : ask("Password: ", true, &out->password, err);
	return 0;
}

/* ---- asking the registry ---- */

static int check(const struct login *options, const char *host,
		 const struct credentials *credentials, struct err *err)
{
	auto_free char *creds = str_format("%s:%s", credentials->user, credentials->password);
	const struct access_options access = {
		.creds = creds,
		.cert_dir = options->cert_dir,
		.tls_verify = options->tls_verify,
		.uid = getuid(),
	};
	const struct client_options once = { .retries = 1, .retry_delay_ms = 500 };
	auto_endpoint struct endpoint endpoint = { .host = NULL };
	auto_client struct client *client = NULL;
	auto_client_response struct client_response response = CLIENT_RESPONSE_INIT;
	struct client_endpoint values;
	struct client_request request = { .method = CLIENT_GET, .path = "/v2/" };
	int result = endpoint_of_host(host, &access, &endpoint, err);

	explicit_bzero(creds, strlen(creds));
	if (result < 0 || client_start(&once, &client, err) < 0)
		return -1;
	values = endpoint_for_client(&endpoint);
	if (client_add_endpoint(client, &values, &request.endpoint, err) < 0 ||
	    client_perform(client, &request, &response, err) < 0)
		return -1;
	if (response.status == 200)
		return 0;
	if (response.status == 401 || response.status == 403)
		return err_set(err, ERR_REMOTE, "%s does not know this user with this password",
			       host);
	return client_refused(&response, host, err);
}

/* ---- the commands ---- */

static int show_login(const struct login *options, const char *host, struct err *err)
{
	const struct credentials_options places = places_of(options);
	auto_credentials struct credentials found = CREDENTIALS_INIT;

	if (credentials_find(&places, host, NULL, &found, err) < 0)
		return -1;
	if (!credentials_are_there(&found))
		return err_set(err, ERR_INPUT, "not logged in to %s", host);
	if (printf("%s\n", found.user ? found.user : "<token>") < 0 || fflush(stdout) < 0)
		return err_sys(err, "write to standard output");
	return 0;
}

static int login(const struct login *options, struct err *err)
{
	const struct credentials_options places = places_of(options);
	auto_credentials struct credentials credentials = CREDENTIALS_INIT;
	auto_free char *host = NULL;
	auto_free char *key = NULL;
	auto_free char *path = credentials_login_file(&places);

	if (take_registry(options, &host, &key, err) < 0)
		return -1;
	if (options->get_login)
		return show_login(options, host, err);
	if (take_credentials(options, &credentials, err) < 0 ||
	    check(options, host, &credentials, err) < 0 ||
	    authfile_set(path, key, &credentials, err) < 0)
		return err_prefix(err, "login");
	log_info("logged in to %s; the credentials are in '%s'", key, path);
	return 0;
}

static int logout(const struct login *options, struct err *err)
{
	const struct credentials_options places = places_of(options);
	auto_credentials struct credentials others = CREDENTIALS_INIT;
	auto_free char *host = NULL;
	auto_free char *key = NULL;
	auto_free char *path = credentials_login_file(&places);
	bool found = false;

	if (options->all && options->args.count > 0)
		return err_set(err, ERR_USAGE, "--all and a registry exclude each other");
	if (options->all)
		return authfile_unset_all(path, err);
	if (take_registry(options, &host, &key, err) < 0 ||
	    authfile_unset(path, key, &found, err) < 0)
		return -1;
	if (found) {
		log_info("logged out of %s", key);
		return 0;
	}
	if (credentials_find(&places, host, NULL, &others, err) == 0 &&
	    credentials_are_there(&others))
		return err_set(err, ERR_INPUT,
			       "the credentials for %s are not in '%s' but in another program's "
			       "file; log out with that program",
			       key, path);
	return err_set(err, ERR_INPUT, "not logged in to %s", key);
}

static int run(const struct cmdline *cmdline, int argc, char **argv, struct login *options,
	       int (*act)(const struct login *options, struct err *err))
{
	struct err err = ERR_INIT;
	int result = cmdline_parse(cmdline, argc, argv, &options->args, &options->is_done, &err);

	log_init("imgpull", LOG_INFO);
	if (result == 0 && !options->is_done)
		result = act(options, &err);
	strlist_release(&options->args);
	if (result == 0)
		return 0;
	err_print(&err, "imgpull");
	return err_exit_status(&err);
}

int login_main(int argc, char **argv)
{
	struct login options = { .authfile = NULL };
	const struct cmdline_option table[] = {
		{ 0, "authfile", OPTION_STRING, &options.authfile, "FILE",
		  "where to keep them (default: $REGISTRY_AUTH_FILE, else podman's auth.json)",
		  NULL },
		{ 0, "cert-dir", OPTION_STRING, &options.cert_dir, "DIR",
		  "certificates to trust (*.crt) and to show (*.cert, *.key)", NULL },
		{ 0, "get-login", OPTION_FLAG, &options.get_login, NULL,
		  "only print who is logged in", NULL },
		{ 'p', "password", OPTION_STRING, &options.password, "PASSWORD",
		  "the password; others see it among the processes", NULL },
		{ 0, "password-stdin", OPTION_FLAG, &options.password_stdin, NULL,
		  "read the password from standard input", NULL },
		{ 0, "tls-verify", OPTION_SWITCH, &options.tls_verify, NULL,
		  "check the registry's certificate, and speak https only", NULL },
		{ 'u', "username", OPTION_STRING, &options.user, "USER", "who to be there", NULL },
		{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL, NULL },
	};
	const struct cmdline cmdline = {
		.program = "imgpull login",
		.synopsis = "[OPTIONS] [REGISTRY]",
		.summary = "Log in to a registry (docker.io when none is given): user and password "
			   "are asked for,\ntried there, and kept for pulls and pushes.",
		.options = table,
		.max_args = 1,
	};

	return run(&cmdline, argc, argv, &options, login);
}

int logout_main(int argc, char **argv)
{
	struct login options = { .authfile = NULL };
	const struct cmdline_option table[] = {
		{ 'a', "all", OPTION_FLAG, &options.all, NULL, "of all registries", NULL },
		{ 0, "authfile", OPTION_STRING, &options.authfile, "FILE",
		  "where they are (default: $REGISTRY_AUTH_FILE, else podman's auth.json)", NULL },
		{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL, NULL },
	};
	const struct cmdline cmdline = {
		.program = "imgpull logout",
		.synopsis = "[OPTIONS] [REGISTRY]",
		.summary = "Forget the credentials for a registry (docker.io when none is given).",
		.options = table,
		.max_args = 1,
	};

	return run(&cmdline, argc, argv, &options, logout);
}
