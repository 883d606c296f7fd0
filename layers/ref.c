/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the names of images: their grammar, what is filled in when a
 * part is left out, and the long and the short way to write them. Knows no
 * registry and no configuration: a short name is docker.io's.
 */
#include "layers/ref.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

#define DEFAULT_HOST   "docker.io"
#define DEFAULT_PREFIX "library/"
#define NAME_MAX_BYTES 255
#define TAG_MAX_BYTES  128

void image_ref_release(struct image_ref *ref)
{
	free(ref->host);
	free(ref->path);
	free(ref->tag);
	*ref = (struct image_ref)IMAGE_REF_INIT;
}

static bool is_lower_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_letter_or_digit(char c)
{
	return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z');
}

bool image_ref_is_tag(const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len > TAG_MAX_BYTES || text[0] == '.' || text[0] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_letter_or_digit(text[i]) && !strchr("_.-", text[i]))
			return false;
	return true;
}

/* One of "." "_" "__" or any number of "-"; its length, 0 when there is none. */
static size_t separator_length(const char *s)
{
	if (s[0] == '-')
		return strspn(s, "-");
	if (s[0] == '_' && s[1] == '_')
		return 2;
	return s[0] == '.' || s[0] == '_';
}

/* word ( separator word )*, words of [a-z0-9]+; the length of the longest match. */
static size_t component_length(const char *s)
{
	size_t len = 0;

	while (is_lower_or_digit(s[len])) {
		size_t skip;

		while (is_lower_or_digit(s[len]))
			len++;
		skip = separator_length(s + len);
		if (skip == 0 || !is_lower_or_digit(s[len + skip]))
			break;
		len += skip;
	}
	return len;
}

static bool is_path(const char *path)
{
	for (;;) {
		size_t len = component_length(path);

		if (len == 0)
			return false;
		if (path[len] == '\0')
			return true;
		if (path[len] != '/')
			return false;
		path += len + 1;
	}
}

/* [A-Za-z0-9-]+ not beginning or ending in '-', joined by '.'; or an IPv6 address in brackets. */
static size_t host_name_length(const char *host)
{
	size_t len = 0;

	if (host[0] == '[') {
		len = 1 + strspn(host + 1, "0123456789abcdefABCDEF:");
		return len > 1 && host[len] == ']' ? len + 1 : 0;
	}
	while (is_letter_or_digit(host[len])) {
		while (is_letter_or_digit(host[len]) || host[len] == '-')
			len++;
		if (host[len - 1] == '-')
			return 0;
		if (host[len] != '.')
			return len;
		len++;
	}
	return 0;
}

static bool is_host(const char *host)
{
	size_t len = host_name_length(host);
	size_t digits;

	if (len == 0)
		return false;
	if (host[len] == '\0')
		return true;
	digits = strspn(host + len + 1, "0123456789");
	return host[len] == ':' && digits >= 1 && digits <= 5 && host[len + 1 + digits] == '\0';
}

/* Whether the first @len bytes of a name are meant as a host. */
static bool looks_like_host(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (name[i] == '.' || name[i] == ':' || (name[i] >= 'A' && name[i] <= 'Z'))
			return true;
	return len == strlen("localhost") && strncmp(name, "localhost", len) == 0;
}

/* Set host and path from a name without tag and digest. */
static int split_name(const char *name, const char *text, struct image_ref *ref, struct err *err)
{
	const char *slash = strchr(name, '/');
	size_t host_len = slash ? (size_t)(slash - name) : 0;

	if (slash && looks_like_host(name, host_len)) {
		ref->host = str_ndup(name, host_len);
		name = slash + 1;
	} else {
		ref->host = str_dup(DEFAULT_HOST);
	}
	if (strcmp(ref->host, "index." DEFAULT_HOST) == 0) {
		free(ref->host);
		ref->host = str_dup(DEFAULT_HOST);
	}
	if (strcmp(ref->host, DEFAULT_HOST) == 0 && !strchr(name, '/'))
		ref->path = str_format(DEFAULT_PREFIX "%s", name);
	else
		ref->path = str_dup(name);

	if (!is_host(ref->host))
		return err_set(err, ERR_INPUT, "'%.300s' is not an image name: '%.300s' is no host",
			       text, ref->host);
	for (const char *p = name; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			return err_set(err, ERR_INPUT,
				       "'%.300s' is not an image name: it must be lower case",
				       text);
	if (!is_path(name))
		return err_set(err, ERR_INPUT,
			       "'%.300s' is not an image name: words of a-z and 0-9, joined by "
			       "'/', '.', '_', '__' or '-', are wanted",
			       text);
	if (strlen(ref->host) + 1 + strlen(ref->path) > NAME_MAX_BYTES)
		return err_set(err, ERR_INPUT, "the image name '%.60s…' is longer than %d bytes",
			       text, NAME_MAX_BYTES);
	return 0;
}

/* Cut "@digest" off @name. */
static int split_digest(char *name, const char *text, struct image_ref *ref, struct err *err)
{
	char *at = strchr(name, '@');

	if (!at)
		return 0;
	if (digest_parse(at + 1, &ref->digest, err) < 0)
		return err_prefix(err, "image name '%.300s'", text);
	ref->has_digest = true;
	*at = '\0';
	return 0;
}

/* Cut ":tag" off @name: the last colon, unless a slash follows (it is a port then). */
static int split_tag(char *name, const char *text, struct image_ref *ref, struct err *err)
{
	char *colon = strrchr(name, ':');

	if (!colon || strchr(colon, '/'))
		return 0;
	if (!image_ref_is_tag(colon + 1))
		return err_set(err, ERR_INPUT, "'%.300s' is not an image name: '%.130s' is no tag",
			       text, colon + 1);
	ref->tag = str_dup(colon + 1);
	*colon = '\0';
	return 0;
}

int image_ref_parse(const char *text, struct image_ref *out, struct err *err)
{
	auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
	auto_free char *name = str_dup(text);
	struct digest id;
	struct err ignored = ERR_INIT;

	if (text[0] == '\0')
		return err_set(err, ERR_INPUT, "the image name is empty");
	if (split_digest(name, text, &ref, err) < 0 || split_tag(name, text, &ref, err) < 0)
		return -1;
	if (digest_parse_hex(text, &id, &ignored) == 0)
		return err_set(err, ERR_INPUT,
			       "'%.300s' is not an image name: 64 hex digits are an image ID",
			       text);
	if (split_name(name, text, &ref, err) < 0)
		return -1;

	*out = ref;
	ref = (struct image_ref)IMAGE_REF_INIT;
	return 0;
}

static void add_tag_and_digest(const struct image_ref *ref, struct strbuf *out)
{
	char digest[DIGEST_NAME_MAX];

	if (ref->tag)
		strbuf_printf(out, ":%s", ref->tag);
	else if (!ref->has_digest)
		strbuf_puts(out, ":latest");
	if (ref->has_digest)
		strbuf_printf(out, "@%s", digest_name(&ref->digest, digest));
}

void image_ref_format(const struct image_ref *ref, struct strbuf *out)
{
	strbuf_printf(out, "%s/%s", ref->host, ref->path);
	add_tag_and_digest(ref, out);
}

/* What of host and path can be left out without changing what the name means. */
static const char *familiar_name(const struct image_ref *ref)
{
	const char *path = ref->path;
	const char *slash = strchr(path, '/');

	if (strcmp(ref->host, DEFAULT_HOST) != 0)
		return NULL;
	if (!slash || looks_like_host(path, (size_t)(slash - path)))
		return NULL;
	if (strncmp(path, DEFAULT_PREFIX, strlen(DEFAULT_PREFIX)) == 0 && !strchr(slash + 1, '/'))
		return slash + 1;
	return path;
}

void image_ref_format_familiar(const struct image_ref *ref, struct strbuf *out)
{
	const char *name = familiar_name(ref);

	if (name)
		strbuf_puts(out, name);
	else
		strbuf_printf(out, "%s/%s", ref->host, ref->path);
	add_tag_and_digest(ref, out);
}
