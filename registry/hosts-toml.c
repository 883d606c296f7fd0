/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for hosts.toml: which one is a registry's, and what it says of its mirrors. */
#include "registry/hosts-toml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "registry/toml.h"

#define HOSTS_MAX_BYTES ((size_t)1 << 20)
#define HOSTS_NAME      "hosts.toml"
#define HOST_TABLE      "host."
#define OWN_HEADERS     "header"
#define HEADER_TABLE    "." OWN_HEADERS

static void entry_release(struct hosts_entry *entry)
{
	free(entry->host);
	free(entry->base);
	strlist_release(&entry->ca);
	free(entry->cert);
	free(entry->key);
	strlist_release(&entry->headers);
}

void hosts_toml_release(struct hosts_toml *hosts)
{
	entry_release(&hosts->server);
	for (size_t i = 0; i < hosts->mirror_count; i++)
		entry_release(&hosts->mirrors[i]);
	free(hosts->mirrors);
	free(hosts->what);
	*hosts = (struct hosts_toml)HOSTS_TOML_INIT;
}

/* One file on its way in. */
struct reading {
	struct hosts_toml *hosts;
	const char *what;
	struct hosts_entry *entry; /* that the lines are about; NULL: nothing known */
	bool in_header;
};

/* ---- places ---- */

static bool is_host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr(".-_:[]", c));
}

/* The path is put in front of others: without a slash at its end. */
static int take_path(struct hosts_entry *entry, const char *path, struct err *err)
{
	size_t len = strlen(path);

	while (len > 0 && path[len - 1] == '/')
		len--;
	for (size_t i = 0; i < len; i++)
		if (!is_host_char(path[i]) && !strchr("/~", path[i]))
			return err_set(err, ERR_INPUT, "the path '%.100s' of a host cannot be",
				       path);
	free(entry->base);
	entry->base = str_ndup(path, len);
	return 0;
}

static int take_url(struct hosts_entry *entry, const char *url, struct err *err)
{
	const bool is_plain = strncmp(url, "http://", 7) == 0;
	const char *host = strstr(url, "://");
	const char *end;

	if (!is_plain && strncmp(url, "https://", 8) != 0)
		return err_set(err, ERR_INPUT,
			       "'%.100s' is no place: it begins with https:// or http://", url);
	host += 3;
	for (end = host; is_host_char(*end); end++)
		;
	if (end == host || host[0] == '.' || (*end != '/' && *end != '\0'))
		return err_set(err, ERR_INPUT, "'%.100s' is no URL of a host", url);
	free(entry->host);
	entry->host = str_ndup(host, (size_t)(end - host));
	entry->is_insecure |= is_plain;
	return take_path(entry, end, err);
}

/* ---- what is said of one ---- */

static int take_strings(const char *key, struct toml_value *value, struct strlist *out,
			struct err *err)
{
	if (value->type == TOML_STRING) {
		strlist_take(out, ptr_steal(&value->string));
		return 0;
	}
	if (toml_demand(value, TOML_LIST, key, err) < 0)
		return -1;
	strlist_copy(out, &value->list);
	return 0;
}

static int take_capabilities(struct hosts_entry *entry, const struct toml_value *value,
			     struct err *err)
{
	static const char *const names[] = { "pull", "resolve", "push", "referrers" };

	if (toml_demand(value, TOML_LIST, "capabilities", err) < 0)
		return -1;
	for (size_t i = 0; i < value->list.count; i++) {
		bool is_known = false;

		for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++)
			is_known |= strcmp(value->list.items[i], names[j]) == 0;
		if (!is_known)
			return err_set(err, ERR_INPUT,
				       "'%.100s' is none of pull, resolve, push and referrers",
				       value->list.items[i]);
	}
	entry->can_pull = strlist_has(&value->list, "pull");
	entry->can_resolve = strlist_has(&value->list, "resolve");
	return 0;
}

/* Of several pairs the first is ours, as with certs.d. */
static int take_client(struct hosts_entry *entry, const struct toml_value *value, struct err *err)
{
	const char *const *items = (const char *const *)value->list.items;
	const bool is_text = value->type == TOML_STRING;

	if (!is_text && value->type != TOML_LIST && value->type != TOML_LISTS)
		return toml_demand(value, TOML_LIST, "client", err);
	if (value->type == TOML_LISTS && value->width > 2)
		return err_set(err, ERR_INPUT, "'client' has lists of a certificate and a key");
	if (!is_text && value->list.count == 0)
		return 0;
	free(entry->cert);
	free(entry->key);
	entry->cert = str_dup(is_text ? value->string : items[0]);
	entry->key = str_dup(is_text                                          ? value->string
			     : value->type == TOML_LISTS && value->width == 2 ? items[1]
									      : items[0]);
	if (value->list.count > (value->type == TOML_LISTS ? value->width : 1))
		log_warn("'%s' is the certificate that is sent: others are passed over",
			 entry->cert);
	return 0;
}

static int take_flag(const char *key, const struct toml_value *value, bool *out, struct err *err)
{
	if (toml_demand(value, TOML_BOOL, key, err) < 0)
		return -1;
	*out = value->boolean;
	return 0;
}

static int take_header(struct hosts_entry *entry, const char *key, struct toml_value *value,
		       struct err *err)
{
	auto_strlist struct strlist values = STRLIST_INIT;

	if (key[0] == '\0' || strpbrk(key, ": \t\r\n"))
		return err_set(err, ERR_INPUT, "'%.100s' is no name of a header", key);
	if (take_strings(key, value, &values, err) < 0)
		return -1;
	for (size_t i = 0; i < values.count; i++) {
		if (strpbrk(values.items[i], "\r\n"))
			return err_set(err, ERR_INPUT, "the header '%.100s' is of several lines",
				       key);
		strlist_addf(&entry->headers, "%s: %s", key, values.items[i]);
	}
	return 0;
}

static int entry_value(struct reading *reading, const char *key, struct toml_value *value,
		       struct err *err)
{
	struct hosts_entry *entry = reading->entry;
	bool skips = false;

	if (strcmp(key, "capabilities") == 0)
		return take_capabilities(entry, value, err);
	if (strcmp(key, "ca") == 0)
		return take_strings(key, value, &entry->ca, err);
	if (strcmp(key, "client") == 0)
		return take_client(entry, value, err);
	if (strcmp(key, "override_path") == 0)
		return take_flag(key, value, &entry->overrides_path, err);
	if (strcmp(key, "skip_verify") == 0) {
		if (take_flag(key, value, &skips, err) < 0)
			return -1;
		entry->is_insecure |= skips;
		return 0;
	}
	log_debug("%s: '%s' is passed over", reading->what, key);
	return 0;
}

static int any_value(void *context, const char *key, struct toml_value *value, struct err *err)
{
	struct reading *reading = context;

	if (!reading->entry)
		return 0;
	if (reading->in_header)
		return take_header(reading->entry, key, value, err);
	if (reading->entry != &reading->hosts->server || strcmp(key, "server") != 0)
		return entry_value(reading, key, value, err);
	if (toml_demand(value, TOML_STRING, key, err) < 0)
		return -1;
	return take_url(reading->entry, value->string, err);
}

/* ---- tables ---- */

/* [host."URL"], or its headers, which may come without it. The tables of one stand together. */
static int begin_mirror(struct reading *reading, const char *url, struct err *err)
{
	struct hosts_toml *hosts = reading->hosts;
	struct hosts_entry entry = { .can_pull = true, .can_resolve = true };
	struct hosts_entry *last =
		hosts->mirror_count ? &hosts->mirrors[hosts->mirror_count - 1] : NULL;

	if (take_url(&entry, url, err) < 0) {
		entry_release(&entry);
		return -1;
	}
	if (reading->in_header && last && strcmp(last->host, entry.host) == 0 &&
	    strcmp(last->base, entry.base) == 0) {
		entry_release(&entry);
		reading->entry = last;
		return 0;
	}
	hosts->mirrors = mem_resize(hosts->mirrors, hosts->mirror_count + 1, sizeof(entry));
	hosts->mirrors[hosts->mirror_count] = entry;
	reading->entry = &hosts->mirrors[hosts->mirror_count++];
	return 0;
}

static int any_table(void *context, const char *name, bool is_element, struct err *err)
{
	struct reading *reading = context;
	const size_t len = strlen(name);
	const size_t end = strlen(HEADER_TABLE);
	auto_free char *url = NULL;

	reading->entry = NULL;
	if (is_element)
		return err_set(err, ERR_INPUT, "[[%.100s]]: a host is written [host.\"URL\"]",
			       name);
	/* the server's own */
	reading->in_header = strcmp(name, OWN_HEADERS) == 0;
	if (reading->in_header) {
		reading->entry = &reading->hosts->server;
		return 0;
	}
	if (strncmp(name, HOST_TABLE, strlen(HOST_TABLE)) != 0) {
		log_debug("%s: '%s' is passed over", reading->what, name);
		return 0;
	}
	/* no host's name ends so */
	reading->in_header = len > end && strcmp(name + len - end, HEADER_TABLE) == 0;
	url = str_ndup(name + strlen(HOST_TABLE),
		       len - strlen(HOST_TABLE) - (reading->in_header ? end : 0));
	return begin_mirror(reading, url, err);
}

/* ---- the whole ---- */

/* What the requests begin with, once it is known whether the path is in front of that. */
static void settle_path(struct hosts_entry *entry)
{
	char *path = entry->base;

	if (entry->overrides_path && path && path[0])
		return;
	entry->base = str_format("%s/v2", path && !entry->overrides_path ? path : "");
	free(path);
}

int hosts_toml_parse(const char *text, size_t len, const char *what, struct hosts_toml *out,
		     struct err *err)
{
	auto_hosts_toml struct hosts_toml hosts = HOSTS_TOML_INIT;
	struct reading reading = { .hosts = &hosts, .what = what, .entry = &hosts.server };
	const struct toml_reader reader = { any_table, any_value, &reading };

	hosts.server.can_pull = true;
	hosts.server.can_resolve = true;
	hosts.what = str_dup(what);
	if (toml_parse(text, len, what, &reader, err) < 0)
		return -1;
	settle_path(&hosts.server);
	for (size_t i = 0; i < hosts.mirror_count; i++)
		settle_path(&hosts.mirrors[i]);
	*out = hosts;
	hosts = (struct hosts_toml)HOSTS_TOML_INIT;
	return 0;
}

/* ---- which file ---- */

/* Files that it names are relative to where it is. */
static void make_absolute(char **path, const char *dir)
{
	char *relative = *path;

	if (!relative || relative[0] == '/')
		return;
	*path = str_format("%s/%s", dir, relative);
	free(relative);
}

static void settle_files(struct hosts_entry *entry, const char *dir)
{
	for (size_t i = 0; i < entry->ca.count; i++)
		make_absolute(&entry->ca.items[i], dir);
	make_absolute(&entry->cert, dir);
	make_absolute(&entry->key, dir);
}

/* *out->what stays NULL when it is not there. */
static int load_file(const char *dir, struct hosts_toml *out, struct err *err)
{
	auto_free char *path = str_format("%s/" HOSTS_NAME, dir);
	auto_strbuf struct strbuf text = STRBUF_INIT;
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	if (fd_read_all(fd, HOSTS_MAX_BYTES, &text, path, err) < 0 ||
	    hosts_toml_parse(text.data, text.len, path, out, err) < 0)
		return -1;
	settle_files(&out->server, dir);
	for (size_t i = 0; i < out->mirror_count; i++)
		settle_files(&out->mirrors[i], dir);
	return 0;
}

static void list_dirs(struct strlist *out)
{
	static const char *const owners[] = { "containerd", "docker" };
	const char *config = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");

	for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
		if (config && config[0] != '\0')
			strlist_addf(out, "%s/%s/certs.d", config, owners[i]);
		else if (home && home[0] != '\0')
			strlist_addf(out, "%s/.config/%s/certs.d", home, owners[i]);
	}
	for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++)
		strlist_addf(out, "/etc/%s/certs.d", owners[i]);
}

int hosts_toml_load(const char *host, struct hosts_toml *out, struct err *err)
{
	auto_strlist struct strlist dirs = STRLIST_INIT;
	const char *const names[] = { host, "_default" };

	/* a host is no path: it was made of a name's grammar, or of registries.conf */
	if (host[0] == '.' || strchr(host, '/'))
		return 0;
	list_dirs(&dirs);
	for (size_t i = 0; i < dirs.count; i++)
		for (size_t j = 0; j < sizeof(names) / sizeof(names[0]) && !out->what; j++) {
			auto_free char *dir = str_format("%s/%s", dirs.items[i], names[j]);

			if (load_file(dir, out, err) < 0)
				return -1;
		}
	return 0;
}
