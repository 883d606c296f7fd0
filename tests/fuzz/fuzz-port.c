/* SPDX-License-Identifier: Apache-2.0 */
/* --publish: a port that was taken has numbers that are ports, and is the same when written out. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "sandbox/network-internal.h"

#define PORT_MAX 65535

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_port(unsigned number)
{
	return number >= 1 && number <= PORT_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = str_ndup((const char *)data, size);
	auto_free char *again_text = NULL;
	auto_network_port struct network_port port = { .address = NULL };
	auto_network_port struct network_port again = { .address = NULL };
	struct err err = ERR_INIT;

	if (network_port_parse(text, &port, &err) < 0)
		return 0;
	if (!is_port(port.host) || !is_port(port.container))
		abort();
	again_text = str_format("%s%s%u:%u/%s", port.address ? port.address : "",
				port.address ? ":" : "", port.host, port.container,
				port.is_udp ? "udp" : "tcp");
	if (network_port_parse(again_text, &again, &err) < 0 || again.host != port.host ||
	    again.container != port.container || again.is_udp != port.is_udp ||
	    !again.address != !port.address ||
	    (port.address && strcmp(port.address, again.address) != 0))
		abort();
	return 0;
}
