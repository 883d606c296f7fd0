/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the places where credentials are looked for, and their order. What a file says is
 * authfile's, what a helper says credential-helper's.
 */
#include "registry/credentials.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"
#include "registry/authfile.h"
#include "registry/credential-helper.h"

static void wipe(char **secret)
{
	if (*secret)
		explicit_bzero(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}

void credentials_release(struct credentials *credentials)
{
	wipe(&credentials->user);
	wipe(&credentials->password);
	wipe(&credentials->identity_token);
	wipe(&credentials->registry_token);
}

bool credentials_are_there(const struct credentials *credentials)
{
	return credentials->user || credentials->identity_token || credentials->registry_token;
}

int credentials_parse(const char *text, struct credentials *out, struct err *err)
{
	const char *colon = strchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);

	if (len == 0)
		return err_set(err, ERR_USAGE, "credentials are written user:password");
	out->user = str_ndup(text, len);
	out->password = str_dup(colon ? colon + 1 : "");
	return 0;
}

/* ---- where the files are ---- */

struct place {
	char *path; /* NULL: this place does not exist here */
	bool is_legacy;
	bool is_demanded;
};

enum { PLACES_MAX = 4 };

/* "$VARIABLE/rest", or "~/home_rest" without the variable. */
static char *below_variable(const char *variable, const char *rest, const char *home_rest)
{
	const char *dir = getenv(variable);
	const char *home = getenv("HOME");

	if (dir && dir[0] != '\0')
		return str_format("%s/%s", dir, rest);
	return home && home[0] != '\0' && home_rest ? str_format("%s/%s", home, home_rest) : NULL;
}

static const char *given_file(const struct credentials_options *options)
{
	const char *variable = getenv("REGISTRY_AUTH_FILE");

	if (options->authfile && options->authfile[0] != '\0')
		return options->authfile;
	return variable && variable[0] != '\0' ? variable : NULL;
}

static char *runtime_file(const struct credentials_options *options)
{
	char *path = below_variable("XDG_RUNTIME_DIR", "containers/auth.json", NULL);

	return path ? path : str_format("/run/containers/%u/auth.json", (unsigned)options->uid);
}

char *credentials_login_file(const struct credentials_options *options)
{
	const char *given = given_file(options);

	return given ? str_dup(given) : runtime_file(options);
}

static char *docker_file(void)
{
	return below_variable("DOCKER_CONFIG", "config.json", ".docker/config.json");
}

static size_t list_places(const struct credentials_options *options, struct place *places)
{
	const char *given = given_file(options);

	if (given) {
		places[0] = (struct place){ .path = str_dup(given), .is_demanded = true };
		return 1;
	}
	places[0] = (struct place){ .path = runtime_file(options) };
	places[1] = (struct place){ .path = below_variable("XDG_CONFIG_HOME",
							   "containers/auth.json",
							   ".config/containers/auth.json") };
	places[2] = (struct place){ .path = docker_file() };
	places[3] = (struct place){ .path = below_variable("", "", ".dockercfg"),
				    .is_legacy = true };
	return PLACES_MAX;
}

/* ---- asking them ---- */

/* docker keeps its own registry under a URL. */
static int ask_helper(const char *suffix, const char *host, struct credentials *out,
		      struct err *err)
{
	if (strcmp(host, "docker.io") == 0) {
		if (credential_helper_get(suffix, "https://index.docker.io/v1/", out, err) < 0)
			return -1;
		if (credentials_are_there(out))
			return 0;
	}
	return credential_helper_get(suffix, host, out, err);
}

static int ask_place(const struct place *place, const char *host, const char *repository,
		     struct credentials *out, struct err *err)
{
	auto_authfile struct authfile file = AUTHFILE_INIT;
	auto_free char *helper = NULL;
	bool found = false;

	if (!place->path)
		return 0;
	if (authfile_load(place->path, place->is_legacy, &found, &file, err) < 0)
		return -1;
	if (!found && place->is_demanded)
		return err_set(err, ERR_USAGE, "there is no file of credentials '%s'", place->path);
	if (!found)
		return 0;
	if (authfile_find(&file, host, repository, out, &helper, err) < 0 ||
	    (helper && ask_helper(helper, host, out, err) < 0))
		return -1;
	if (credentials_are_there(out))
		log_debug("credentials for %s are from '%s'%s%s", host, place->path,
			  helper ? " by docker-credential-" : "", helper ? helper : "");
	return 0;
}

int credentials_find(const struct credentials_options *options, const char *host,
		     const char *repository, struct credentials *out, struct err *err)
{
	auto_credentials struct credentials found = CREDENTIALS_INIT;
	struct place places[PLACES_MAX];
	size_t count;
	int result = 0;

	if (options->creds)
		return credentials_parse(options->creds, out, err);
	count = list_places(options, places);
	for (size_t i = 0; i < count && result == 0 && !credentials_are_there(&found); i++)
		result = ask_place(&places[i], host, repository, &found, err);
	for (size_t i = 0; i < count; i++)
		free(places[i].path);
	if (result < 0)
		return -1;
	*out = found;
	found = (struct credentials)CREDENTIALS_INIT;
	return 0;
}

int credentials_headers(struct strlist *out, struct err *err)
{
	auto_authfile struct authfile file = AUTHFILE_INIT;
	auto_free char *path = docker_file();
	bool found = false;

	if (!path || authfile_load(path, false, &found, &file, err) < 0)
		return path ? -1 : 0;
	return found ? authfile_headers(&file, out, err) : 0;
}
