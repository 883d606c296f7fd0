/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_NETWORK_INTERNAL_H
#define SANDBOX_NETWORK_INTERNAL_H

#include <stdbool.h>

#include "common/strbuf.h"
#include "sandbox/network.h"

/* Both helpers call it so, and have NETWORK_ADDRESS and the others there. */
#define NETWORK_DEVICE "tap0"
#define NETWORK_MTU    "65520"

struct network_port {
	char *address; /* NULL: all */
	unsigned host;
	unsigned container;
	bool is_udp;
};
#define auto_network_port __attribute__((cleanup(network_port_release)))
void network_port_release(struct network_port *port);

/* As network.h has it. ERR_USAGE. */
int network_port_parse(const char *text, struct network_port *out, struct err *err);

int network_pipe(int *out_read, int *out_write, struct err *err);
/* The helper writes a byte, or its end closes it. */
bool network_is_ready(int ready_fd);
/* What it wrote to its standard error, appended as far as it can be read. */
void network_said(int log_fd, struct strbuf *out);

/*
 * Start the program on @network->ns_fd and lead the ports into it; ready when it returns. Each
 * ends when @network->keep_fd is closed.
 */
int network_pasta_start(struct network *network, const struct strlist *ports, struct err *err);
int network_slirp_start(struct network *network, const struct strlist *ports, struct err *err);

#endif
