/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for taking URLs apart. */
#include "registry/url.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"

static CURLU *parse_url(const char *url, struct err *err)
{
	CURLU *parsed = curl_url();

	if (!parsed)
		mem_exhausted();
	if (curl_url_set(parsed, CURLUPART_URL, url, 0) != CURLUE_OK) {
		curl_url_cleanup(parsed);
		err_set(err, ERR_INPUT, "not a URL");
		return NULL;
	}
	return parsed;
}

static char *url_part(CURLU *url, CURLUPart part, unsigned flags)
{
	char *text = NULL;
	char *copy;

	if (curl_url_get(url, part, &text, flags) != CURLUE_OK)
		return str_dup("");
	copy = str_dup(text);
	curl_free(text);
	return copy;
}

char *url_clean(const char *url, struct err *err)
{
	CURLU *parsed = parse_url(url, err);
	auto_free char *scheme = NULL;
	char *clean = NULL;

	if (!parsed)
		return NULL;
	curl_url_set(parsed, CURLUPART_USER, NULL, 0);
	curl_url_set(parsed, CURLUPART_PASSWORD, NULL, 0);
	curl_url_set(parsed, CURLUPART_FRAGMENT, NULL, 0);
	scheme = url_part(parsed, CURLUPART_SCHEME, 0);
	if (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0)
		clean = url_part(parsed, CURLUPART_URL, 0);
	else
		err_set(err, ERR_REMOTE, "'%s://' is neither http nor https", scheme);
	curl_url_cleanup(parsed);
	return clean;
}

char *url_origin(const char *url, struct err *err)
{
	CURLU *parsed = parse_url(url, err);
	auto_free char *scheme = NULL;
	auto_free char *host = NULL;
	auto_free char *port = NULL;

	if (!parsed)
		return NULL;
	scheme = url_part(parsed, CURLUPART_SCHEME, 0);
	host = url_part(parsed, CURLUPART_HOST, 0);
	port = url_part(parsed, CURLUPART_PORT, CURLU_DEFAULT_PORT);
	curl_url_cleanup(parsed);
	return str_format("%s://%s:%s", scheme, host, port);
}

char *url_host(const char *url, struct err *err)
{
	CURLU *parsed = parse_url(url, err);
	char *host;
	size_t len;

	if (!parsed)
		return NULL;
	host = url_part(parsed, CURLUPART_HOST, 0);
	curl_url_cleanup(parsed);
	len = strlen(host);
	if (host[0] == '[' && len > 2) {
		memmove(host, host + 1, len - 2);
		host[len - 2] = '\0';
	}
	for (char *c = host; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	return host;
}

bool url_is_https(const char *url)
{
	return strncasecmp(url, "https:", 6) == 0;
}
