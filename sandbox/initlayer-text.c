/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what a container is told about its network: the texts of
 * /etc/hosts and /etc/resolv.conf. Where they lie is initlayer.c's business.
 */
#include "sandbox/initlayer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "common/mem.h"
#include "sandbox/network.h"

#define RESOLV_CONF      "/etc/resolv.conf"
#define RESOLV_MAX_BYTES ((size_t)1024 * 1024)
#define GATEWAY          "host-gateway"
#define HOST_NAME_CHARS  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"

int sandbox_network_parse(const char *text, enum sandbox_network *out, struct err *err)
{
	if (strcmp(text, "host") == 0 || strcmp(text, "default") == 0)
		*out = SANDBOX_NETWORK_HOST;
	else if (strcmp(text, "none") == 0)
		*out = SANDBOX_NETWORK_NONE;
	else if (strcmp(text, "private") == 0 || network_helper_name(text))
		*out = SANDBOX_NETWORK_PRIVATE;
	else
		return err_set(
			err, ERR_USAGE,
			"network '%s' is not supported (supported: host, none, private, pasta, "
			"slirp4netns, default)",
			text);
	return 0;
}

static bool is_host_name(const char *name)
{
	return *name && name[strspn(name, HOST_NAME_CHARS)] == '\0';
}

static bool is_address(const char *text)
{
	struct in6_addr address; /* large enough for both */

	return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

/* NAME { ";" NAME } ( ":" | "=" ) ADDRESS; an IPv6 address may stand in brackets. */
struct host {
	char *names; /* with blanks between */
	char *address;
};

static void host_release(struct host *host)
{
	free(host->names);
	free(host->address);
}
#define auto_host __attribute__((cleanup(host_release)))

static bool is_gateway(const struct host *host)
{
	return strcmp(host->address, GATEWAY) == 0;
}

static int parse_names(const char *text, char *names, struct err *err)
{
	for (char *name = names; name;) {
		char *next = strchr(name, ';');

		if (next)
			*next++ = '\0';
		if (!is_host_name(name))
			return err_set(err, ERR_USAGE, "--add-host '%s': '%s' is not a host name",
				       text, name);
		if (next)
			next[-1] = ' ';
		name = next;
	}
	return 0;
}

static int parse_host(const char *text, struct host *out, struct err *err)
{
	size_t len = strcspn(text, ":=");
	auto_host struct host host = { .names = str_ndup(text, len) };
	const char *address = text + len + 1;
	size_t address_len;

	if (!text[len])
		return err_set(err, ERR_USAGE, "--add-host '%s': not of the form NAME:ADDRESS",
			       text);
	address_len = strlen(address);
	if (address_len > 1 && address[0] == '[' && address[address_len - 1] == ']')
		host.address = str_ndup(address + 1, address_len - 2);
	else
		host.address = str_dup(address);
	if (parse_names(text, host.names, err) < 0)
		return -1;
	if (!is_gateway(&host) && !is_address(host.address))
		return err_set(err, ERR_USAGE, "--add-host '%s': '%s' is not an address", text,
			       host.address);
	*out = host;
	host = (struct host){ .names = NULL };
	return 0;
}

int initlayer_hosts_check(const struct strlist *add_hosts, enum sandbox_network network,
			  struct err *err)
{
	for (size_t i = 0; i < add_hosts->count; i++) {
		auto_host struct host host = { .names = NULL };

		if (parse_host(add_hosts->items[i], &host, err) < 0)
			return -1;
		if (is_gateway(&host) && network == SANDBOX_NETWORK_NONE)
			return err_set(err, ERR_USAGE,
				       "--add-host '%s': without a network there is no gateway",
				       add_hosts->items[i]);
	}
	return 0;
}

int initlayer_host_names(const struct strlist *add_hosts, struct strlist *out, struct err *err)
{
	for (size_t i = 0; i < add_hosts->count; i++) {
		auto_host struct host host = { .names = NULL };

		if (parse_host(add_hosts->items[i], &host, err) < 0)
			return -1;
		strlist_add(out, host.names);
	}
	return 0;
}

static void put_outer_host(const char *names, struct strbuf *out)
{
	char address[NETWORK_ADDRESS_MAX];

	network_host_address(address);
	strbuf_printf(out, "%s\t%s\n", address, names);
}

/* On the host's network the way to the host is the loopback; on none there is none. */
static int put_host(const char *text, enum sandbox_network network, struct strbuf *out,
		    struct err *err)
{
	auto_host struct host host = { .names = NULL };

	if (parse_host(text, &host, err) < 0)
		return -1;
	if (!is_gateway(&host))
		strbuf_printf(out, "%s\t%s\n", host.address, host.names);
	else if (network == SANDBOX_NETWORK_HOST)
		strbuf_printf(out, "127.0.0.1\t%s\n", host.names);
	else if (network == SANDBOX_NETWORK_PRIVATE)
		put_outer_host(host.names, out);
	return 0;
}

int initlayer_hosts_text(const char *hostname, const struct strlist *add_hosts,
			 enum sandbox_network network, struct strbuf *out, struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;

	if (hostname && !is_host_name(hostname))
		return err_set(err, ERR_USAGE, "'%s' is not a host name", hostname);
	strbuf_printf(&text, "127.0.0.1\tlocalhost%s%s\n", hostname ? " " : "",
		      hostname ? hostname : "");
	strbuf_puts(&text, "::1\tlocalhost ip6-localhost ip6-loopback\n"
			   "fe00::\tip6-localnet\n"
			   "ff00::\tip6-mcastprefix\n"
			   "ff02::1\tip6-allnodes\n"
			   "ff02::2\tip6-allrouters\n");
	for (size_t i = 0; add_hosts && i < add_hosts->count; i++) {
		if (put_host(add_hosts->items[i], network, &text, err) < 0)
			return -1;
	}
	strbuf_add(out, text.data, text.len);
	return 0;
}

/* ---- resolv.conf ---- */

int initlayer_dns_check(const struct initlayer_dns *dns, struct err *err)
{
	for (size_t i = 0; i < dns->servers.count; i++)
		if (!is_address(dns->servers.items[i]))
			return err_set(err, ERR_USAGE, "--dns '%s' is not an address",
				       dns->servers.items[i]);
	for (size_t i = 0; i < dns->searches.count; i++)
		if (!is_host_name(dns->searches.items[i]))
			return err_set(err, ERR_USAGE, "--dns-search '%s' is not a domain",
				       dns->searches.items[i]);
	for (size_t i = 0; i < dns->options.count; i++) {
		const char *option = dns->options.items[i];

		if (!*option || option[strcspn(option, " \t\r\n#;")])
			return err_set(err, ERR_USAGE, "--dns-option '%s' is not an option of %s",
				       option, RESOLV_CONF);
	}
	return 0;
}

/* The host's file is the host's to get right: its links are followed, its stub server is in reach.
 */
static int read_ours(struct strbuf *out, struct err *err)
{
	auto_close int fd = open(RESOLV_CONF, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0)
		return err_sys(err, "open '%s'", RESOLV_CONF);
	return fd_read_all(fd, RESOLV_MAX_BYTES, out, RESOLV_CONF, err);
}

static bool is_keyword(const char *line, const char *word)
{
	size_t len = strlen(word);

	return strncmp(line, word, len) == 0 && (line[len] == ' ' || line[len] == '\t');
}

/* Whether @dns says what @line does. */
static bool is_replaced(const char *line, const struct initlayer_dns *dns)
{
	return (dns->servers.count > 0 && is_keyword(line, "nameserver")) ||
	       (dns->searches.count > 0 &&
		(is_keyword(line, "search") || is_keyword(line, "domain"))) ||
	       (dns->options.count > 0 && is_keyword(line, "options"));
}

static void put_words(const char *keyword, const struct strlist *words, struct strbuf *out)
{
	if (words->count == 0)
		return;
	strbuf_puts(out, keyword);
	for (size_t i = 0; i < words->count; i++)
		strbuf_printf(out, " %s", words->items[i]);
	strbuf_putc(out, '\n');
}

static void put_dns(const struct initlayer_dns *dns, struct strbuf *out)
{
	static const struct strlist none = STRLIST_INIT;
	bool searches_nothing =
		dns->searches.count == 1 && strcmp(dns->searches.items[0], ".") == 0;

	for (size_t i = 0; i < dns->servers.count; i++)
		strbuf_printf(out, "nameserver %s\n", dns->servers.items[i]);
	put_words("search", searches_nothing ? &none : &dns->searches, out);
	put_words("options", &dns->options, out);
}

/* Servers of the host may be on its loopback: the network's own asks them. */
static void put_private(const struct initlayer_dns *dns, char *ours, struct strbuf *out)
{
	static const struct initlayer_dns none = { .servers = STRLIST_INIT };
	char *line;

	if (!dns)
		dns = &none;
	if (dns->servers.count == 0)
		strbuf_puts(out, "nameserver " NETWORK_SERVER "\n");
	while ((line = strsep(&ours, "\n")))
		if (*line && !is_keyword(line, "nameserver") && !is_replaced(line, dns))
			strbuf_printf(out, "%s\n", line);
	put_dns(dns, out);
}

int initlayer_resolv_text(enum sandbox_network network, const struct initlayer_dns *dns,
			  struct strbuf *out, struct err *err)
{
	auto_strbuf struct strbuf ours = STRBUF_INIT;
	char *rest = NULL;
	char *line;

	if (network == SANDBOX_NETWORK_NONE)
		return 0;
	if (read_ours(&ours, err) < 0)
		return -1;
	if (network == SANDBOX_NETWORK_PRIVATE) {
		put_private(dns, ours.len > 0 ? ours.data : NULL, out);
		return 0;
	}
	if (!dns ||
	    (dns->servers.count == 0 && dns->searches.count == 0 && dns->options.count == 0)) {
		strbuf_add(out, ours.data, ours.len);
		return 0;
	}
	rest = ours.len > 0 ? ours.data : NULL;
	while ((line = strsep(&rest, "\n")))
		if (*line && !is_replaced(line, dns))
			strbuf_printf(out, "%s\n", line);
	put_dns(dns, out);
	return 0;
}
