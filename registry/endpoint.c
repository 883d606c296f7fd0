/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for what is known about a registry before it is asked: registries.conf, credentials and
 * certificates put together. */
#include "registry/endpoint.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "registry/hosts-toml.h"
#include "registry/registries-conf.h"

void endpoint_release(struct endpoint *endpoint)
{
	free(endpoint->host);
	free(endpoint->repository);
	free(endpoint->place);
	free(endpoint->base);
	free(endpoint->ns);
	credentials_release(&endpoint->credentials);
	strlist_release(&endpoint->headers);
	certs_release(&endpoint->certs);
	*endpoint = (struct endpoint){ .host = NULL };
}

void endpoints_release(struct endpoints *endpoints)
{
	for (size_t i = 0; i < endpoints->count; i++)
		endpoint_release(&endpoints->items[i]);
	free(endpoints->items);
	*endpoints = (struct endpoints){ .items = NULL };
}

/* Whoever could listen on the way is on this machine, and has better ways. */
static bool is_this_machine(const char *host)
{
	size_t len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
	size_t digits = strspn(host, "0123456789.");

	return (len == 9 && strncmp(host, "localhost", 9) == 0) ||
	       (len == 5 && strncmp(host, "[::1]", 5) == 0) ||
	       (strncmp(host, "127.", 4) == 0 && digits == len);
}

static bool is_insecure(const struct access_options *options, const char *host, bool by_conf)
{
	if (options->tls_verify)
		return strcmp(options->tls_verify, "false") == 0;
	return by_conf || is_this_machine(host);
}

/* The part that files and helpers know. @host is as people write it. */
static int fill(struct endpoint *endpoint, const char *host, const struct access_options *options,
		bool use_creds, struct err *err)
{
	const struct credentials_options credentials = {
		.creds = use_creds ? options->creds : NULL,
		.authfile = options->authfile,
		.uid = options->uid,
	};

	endpoint->host = str_dup(strcmp(host, "docker.io") == 0 ? "registry-1.docker.io" : host);
	if (credentials_find(&credentials, host, endpoint->repository, &endpoint->credentials,
			     err) < 0 ||
	    credentials_headers(&endpoint->headers, err) < 0)
		return -1;
	return certs_load(options->cert_dir, host, &endpoint->certs, err);
}

static int add(const struct registry_location *location, const struct access_options *options,
	       struct endpoints *out, struct err *err)
{
	struct endpoint *endpoint;

	out->items = mem_resize(out->items, out->count + 1, sizeof(out->items[0]));
	endpoint = &out->items[out->count++];
	*endpoint = (struct endpoint){
		.repository = str_dup(location->repository),
		.base = str_dup("/v2"),
		.place = str_format("docker://%s/%s", location->host, location->repository),
		.is_mirror = location->is_mirror,
		.is_insecure = is_insecure(options, location->host, location->is_insecure),
	};
	return fill(endpoint, location->host, options, !location->is_mirror, err);
}

/* ---- by hosts.toml ---- */

/* What the entry says beside the place. */
static int fill_by_entry(struct endpoint *endpoint, const struct hosts_entry *entry,
			 struct err *err)
{
	free(endpoint->base);
	endpoint->base = str_dup(entry->base);
	for (size_t i = 0; i < entry->headers.count; i++)
		strlist_add(&endpoint->headers, entry->headers.items[i]);
	return certs_add(&entry->ca, entry->cert, entry->key, &endpoint->certs, err);
}

static int add_mirror(const struct hosts_entry *entry, const struct image_ref *ref,
		      const struct access_options *options, struct endpoints *out, struct err *err)
{
	const struct registry_location location = {
		.host = entry->host,
		.repository = ref->path,
		.is_insecure = entry->is_insecure,
		.is_mirror = true,
	};
	struct endpoint *endpoint;

	if (!entry->can_pull)
		return 0;
	if (add(&location, options, out, err) < 0)
		return -1;
	endpoint = &out->items[out->count - 1];
	endpoint->by_digest_only = !entry->can_resolve;
	endpoint->ns = str_dup(ref->host);
	return fill_by_entry(endpoint, entry, err);
}

static int add_server(const struct hosts_entry *entry, const struct registry_location *itself,
		      const struct access_options *options, struct endpoints *out, struct err *err)
{
	struct registry_location location = *itself;

	/* people write the one for the other, and are known to it by the first name */
	if (entry->host && strcmp(entry->host, "registry-1.docker.io") != 0)
		location.host = entry->host;
	location.is_insecure |= entry->is_insecure;
	if (add(&location, options, out, err) < 0)
		return -1;
	return fill_by_entry(&out->items[out->count - 1], entry, err);
}

static int add_hosts(const struct hosts_toml *hosts, const struct registry_location *itself,
		     const struct image_ref *ref, const struct access_options *options,
		     enum endpoint_use use, struct endpoints *out, struct err *err)
{
	for (size_t i = 0; use == ENDPOINT_PULL && i < hosts->mirror_count; i++)
		if (add_mirror(&hosts->mirrors[i], ref, options, out, err) < 0)
			return -1;
	return add_server(&hosts->server, itself, options, out, err);
}

/* registries.conf has no mirror and no other place for it. */
static bool is_left_alone(const struct registry_locations *locations, const struct image_ref *ref)
{
	return locations->count == 1 && strcmp(locations->items[0].host, ref->host) == 0 &&
	       strcmp(locations->items[0].repository, ref->path) == 0;
}

char *endpoint_path(const struct endpoint *endpoint, const char *fmt, ...)
{
	struct strbuf path = STRBUF_INIT;
	auto_free char *rest = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&rest, fmt, args) < 0)
		mem_exhausted();
	va_end(args);
	strbuf_printf(&path, "%s/%s%s", endpoint->base, endpoint->repository, rest);
	if (endpoint->ns)
		strbuf_printf(&path, "%cns=%s", strchr(rest, '?') ? '&' : '?', endpoint->ns);
	return strbuf_steal(&path);
}

int endpoints_find(const struct image_ref *ref, const struct access_options *options,
		   enum endpoint_use use, struct endpoints *out, struct err *err)
{
	auto_registries_conf struct registries_conf conf = REGISTRIES_CONF_INIT;
	auto_registry_locations struct registry_locations locations = { .items = NULL };
	auto_endpoints struct endpoints found = { .items = NULL };
	auto_hosts_toml struct hosts_toml hosts = HOSTS_TOML_INIT;

	if (registries_conf_load(&conf, err) < 0 ||
	    registries_conf_locate(&conf, ref, use == ENDPOINT_PULL, &locations, err) < 0 ||
	    (is_left_alone(&locations, ref) && hosts_toml_load(ref->host, &hosts, err) < 0))
		return -1;
	if (hosts.what &&
	    add_hosts(&hosts, &locations.items[0], ref, options, use, &found, err) < 0)
		return err_prefix(err, "%s", hosts.what);
	for (size_t i = 0; !hosts.what && i < locations.count; i++)
		if (add(&locations.items[i], options, &found, err) < 0)
			return -1;
	*out = found;
	found = (struct endpoints){ .items = NULL };
	return 0;
}

int endpoint_of_host(const char *host, const struct access_options *options, struct endpoint *out,
		     struct err *err)
{
	auto_endpoint struct endpoint endpoint = { .host = NULL };
	auto_registries_conf struct registries_conf conf = REGISTRIES_CONF_INIT;
	auto_registry_locations struct registry_locations locations = { .items = NULL };
	/* any name there: insecure and blocked are said of hosts */
	struct image_ref ref = { .host = (char *)host, .path = (char *)"-" };

	if (registries_conf_load(&conf, err) < 0 ||
	    registries_conf_locate(&conf, &ref, false, &locations, err) < 0)
		return -1;
	endpoint.is_insecure = is_insecure(options, host, locations.items[0].is_insecure);
	if (fill(&endpoint, host, options, true, err) < 0)
		return -1;
	*out = endpoint;
	endpoint = (struct endpoint){ .host = NULL };
	return 0;
}

struct client_endpoint endpoint_for_client(const struct endpoint *endpoint)
{
	return (struct client_endpoint){
		.host = endpoint->host,
		.is_insecure = endpoint->is_insecure,
		.user = endpoint->credentials.user,
		.password = endpoint->credentials.password,
		.identity_token = endpoint->credentials.identity_token,
		.registry_token = endpoint->credentials.registry_token,
		.ca_pem = endpoint->certs.ca,
		.cert_pem = endpoint->certs.cert,
		.key_pem = endpoint->certs.key,
		.headers = endpoint->headers,
	};
}

int endpoint_parse_ref(const char *text, struct image_ref *out, struct err *err)
{
	auto_registries_conf struct registries_conf conf = REGISTRIES_CONF_INIT;
	auto_free char *full = NULL;

	if (strncmp(text, "docker://", 9) == 0)
		text += 9;
	if (registries_conf_load(&conf, err) < 0 ||
	    registries_conf_short_name(&conf, text, &full, err) < 0)
		return -1;
	return image_ref_parse(full ? full : text, out, err);
}
