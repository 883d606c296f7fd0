/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for what the options of commands mean that speak to registries. */
#include "registry/flags.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RETRIES_MAX  100
#define DELAY_MAX_MS 60000
#define IDLE_MAX     86400

int registry_flags_number(const char *text, const char *what, unsigned least, unsigned most,
			  unsigned *out, struct err *err)
{
	size_t len = strlen(text);
	unsigned long value = strtoul(text, NULL, 10);

	if (len == 0 || len > 9 || strspn(text, "0123456789") != len || value < least ||
	    value > most)
		return err_set(err, ERR_USAGE, "%s: '%s' is not a number from %u to %u", what, text,
			       least, most);
	*out = (unsigned)value;
	return 0;
}

/* "500ms", "2s", "1m"; without a unit, seconds. */
static int parse_delay(const char *text, uint64_t *out_ms, struct err *err)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "", 1000 }, { "m", 60000 } };
	size_t digits = strspn(text, "0123456789");

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		uint64_t ms = strtoull(text, NULL, 10) * units[i].ms;

		if (digits == 0 || digits > 6 || strcmp(text + digits, units[i].name) != 0 ||
		    ms == 0 || ms > DELAY_MAX_MS)
			continue;
		*out_ms = ms;
		return 0;
	}
	return err_set(err, ERR_USAGE, "--retry-delay: '%s' is no time from 1ms to 1m", text);
}

int registry_flags_refuse(const struct registry_flags *flags, const char *place, struct err *err)
{
	const struct {
		const char *name;
		const char *value;
	} given[] = {
		{ "authfile", flags->authfile }, { "creds", flags->creds },
		{ "cert-dir", flags->cert_dir }, { "tls-verify", flags->tls_verify },
		{ "retry", flags->retry },       { "retry-delay", flags->retry_delay },
	};

	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++)
		if (given[i].value)
			return err_set(err, ERR_USAGE, "--%s is for registries, '%s' is in none",
				       given[i].name, place);
	return 0;
}

int registry_flags_take(const struct registry_flags *flags, struct access_options *out_access,
			struct client_options *out_client, struct err *err)
{
	const char *idle = getenv("IMGBUILD_REGISTRY_TIMEOUT");
	unsigned idle_seconds = 0;

	*out_access = (struct access_options){
		.authfile = flags->authfile,
		.creds = flags->creds,
		.cert_dir = flags->cert_dir,
		.tls_verify = flags->tls_verify,
		.uid = getuid(),
	};
	*out_client = (struct client_options){ .retries = CLIENT_RETRIES };
	if (idle && idle[0] &&
	    registry_flags_number(idle, "IMGBUILD_REGISTRY_TIMEOUT", 1, IDLE_MAX, &idle_seconds,
				  err) < 0)
		return -1;
	out_client->idle_seconds = idle_seconds;
	if (flags->retry && registry_flags_number(flags->retry, "--retry", 0, RETRIES_MAX,
						  &out_client->retries, err) < 0)
		return -1;
	if (flags->retry_delay)
		return parse_delay(flags->retry_delay, &out_client->retry_delay_ms, err);
	return 0;
}

void registry_flags_arguments(const struct registry_flags *flags, struct strlist *out)
{
	const struct {
		const char *name;
		const char *value;
	} rows[] = {
		{ "authfile", flags->authfile }, { "creds", flags->creds },
		{ "cert-dir", flags->cert_dir }, { "tls-verify", flags->tls_verify },
		{ "retry", flags->retry },       { "retry-delay", flags->retry_delay },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].value)
			strlist_addf(out, "--%s=%s", rows[i].name, rows[i].value);
}
