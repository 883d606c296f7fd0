/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for how ports of the host that lead into a container are written. */
#include "sandbox/network-internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/fd.h"
#include "common/mem.h"

#define PORT_MAX 65535

void network_port_release(struct network_port *port)
{
	free(port->address);
}

static bool parse_number(const char *text, unsigned *out)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	*out = (unsigned)number;
	return text[0] >= '0' && text[0] <= '9' && !*end && number >= 1 && number <= PORT_MAX;
}

/* Only IPv4 is led in. */
static bool parse(char *text, struct network_port *out)
{
	char *protocol = strchr(text, '/');
	char *last, *middle;
	struct in_addr address;

	if (protocol)
		*protocol++ = '\0';
	if (protocol && strcmp(protocol, "tcp") != 0 && strcmp(protocol, "udp") != 0)
		return false;
	out->is_udp = protocol && protocol[0] == 'u';
	last = strrchr(text, ':');
	if (!last)
		return parse_number(text, &out->container) && parse_number(text, &out->host);
	*last++ = '\0';
	middle = strrchr(text, ':');
	if (middle) {
		*middle++ = '\0';
		if (inet_pton(AF_INET, text, &address) != 1)
			return false;
		out->address = str_dup(text);
	} else {
		middle = text;
	}
	if (!parse_number(last, &out->container))
		return false;
	out->host = out->container;
	return !*middle || parse_number(middle, &out->host);
}

int network_port_parse(const char *text, struct network_port *out, struct err *err)
{
	auto_free char *copy = str_dup(text);

	if (parse(copy, out))
		return 0;
	return err_set(err, ERR_USAGE,
		       "--publish '%s' is not [ADDRESS:][HOST:]CONTAINER[/tcp|/udp]", text);
}

int network_ports_check(const struct strlist *ports, struct err *err)
{
	for (size_t i = 0; i < ports->count; i++) {
		auto_network_port struct network_port port = { .address = NULL };

		if (network_port_parse(ports->items[i], &port, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- all that an image exposes ---- */

/* It is free now; who takes it before the helper does is told of as with any other. */
static int find_free(bool is_udp, unsigned *out, struct err *err)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	socklen_t len = sizeof(any);
	auto_close int fd = socket(AF_INET, (is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&any, &len) < 0)
		return err_sys(err, "--publish-all: find a free port");
	*out = ntohs(any.sin_port);
	return 0;
}

static bool is_led_to(const struct strlist *ports, unsigned container, bool is_udp)
{
	for (size_t i = 0; i < ports->count; i++) {
		auto_network_port struct network_port port = { .address = NULL };
		struct err ignored = ERR_INIT; /* they were checked */

		if (network_port_parse(ports->items[i], &port, &ignored) == 0 &&
		    port.container == container && port.is_udp == is_udp)
			return true;
	}
	return false;
}

int network_ports_publish(const struct strlist *exposed, struct strlist *ports, struct err *err)
{
	for (size_t i = 0; i < exposed->count; i++) {
		auto_network_port struct network_port port = { .address = NULL };
		auto_free char *text = str_dup(exposed->items[i]);
		unsigned host = 0;

		/* others than tcp and udp are led by nobody, and an image may hold anything */
		if (!parse(text, &port) || is_led_to(ports, port.container, port.is_udp))
			continue;
		if (find_free(port.is_udp, &host, err) < 0)
			return -1;
		strlist_addf(ports, "%u:%u%s", host, port.container, port.is_udp ? "/udp" : "");
	}
	return 0;
}
