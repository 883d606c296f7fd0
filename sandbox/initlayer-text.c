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
#include <string.h>

#include "common/fd.h"
#include "common/mem.h"

#define RESOLV_CONF      "/etc/resolv.conf"
#define RESOLV_MAX_BYTES ((size_t)1024 * 1024)
#define HOST_NAME_CHARS  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"

int sandbox_network_parse(const char *text, enum sandbox_network *out, struct err *err)
{
	if (strcmp(text, "host") == 0 || strcmp(text, "default") == 0)
		*out = SANDBOX_NETWORK_HOST;
	else if (strcmp(text, "none") == 0)
		*out = SANDBOX_NETWORK_NONE;
	else
		return err_set(err, ERR_USAGE,
			       "network '%s' is not supported (supported: host, none, default)",
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

/* "name:ip" or "name=ip"; an IPv6 address may stand in brackets. */
static int add_host(const char *text, struct strbuf *out, struct err *err)
{
	auto_free char *copy = str_dup(text);
	char *address = copy + strcspn(copy, ":=");
	size_t len;

	if (!*address)
		return err_set(err, ERR_USAGE, "--add-host '%s': not of the form NAME:ADDRESS",
			       text);
	*address++ = '\0';
	len = strlen(address);
	if (len > 1 && address[0] == '[' && address[len - 1] == ']') {
		address[len - 1] = '\0';
		address++;
	}
	if (!is_host_name(copy))
		return err_set(err, ERR_USAGE, "--add-host '%s': '%s' is not a host name", text,
			       copy);
	if (strcmp(address, "host-gateway") == 0)
		return err_set(err, ERR_USAGE,
			       "--add-host '%s': there is no gateway, the network is the host's "
			       "own or none",
			       text);
	if (!is_address(address))
		return err_set(err, ERR_USAGE, "--add-host '%s': '%s' is not an address", text,
			       address);
	strbuf_printf(out, "%s\t%s\n", address, copy);
	return 0;
}

int initlayer_hosts_text(const char *hostname, const struct strlist *add_hosts, struct strbuf *out,
			 struct err *err)
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
		if (add_host(add_hosts->items[i], &text, err) < 0)
			return -1;
	}
	strbuf_add(out, text.data, text.len);
	return 0;
}

/* The host's file is the host's to get right: its links are followed, its stub server is in reach.
 */
int initlayer_resolv_text(enum sandbox_network network, struct strbuf *out, struct err *err)
{
	auto_close int fd = -1;

	if (network == SANDBOX_NETWORK_NONE)
		return 0;
	fd = open(RESOLV_CONF, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0)
		return err_sys(err, "open '%s'", RESOLV_CONF);
	return fd_read_all(fd, RESOLV_MAX_BYTES, out, RESOLV_CONF, err);
}
