/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for how ports of the host that lead into a container are written. */
#include "sandbox/network-internal.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

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
