/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_NETWORK_H
#define SANDBOX_NETWORK_H

#include "common/err.h"
#include "common/proc.h"
#include "common/strlist.h"

/*
 * A network of a container's own with a way out, by pasta(1) or slirp4netns(1), which need no
 * privilege. The container is at 10.0.2.100, its gateway at 10.0.2.2 and a name server, which asks
 * the host's, at 10.0.2.3; nothing leads to the host's loopback. pasta gives it the host's IPv6
 * addresses, too. Ports of the host lead into it when they are asked for:
 *
 *   port = [ ADDRESS ":" ] [ HOST ":" ] CONTAINER [ "/" ( "tcp" | "udp" ) ]
 *
 * Without ADDRESS all of the host's; without HOST the same number.
 */
#define NETWORK_ADDRESS "10.0.2.100"
#define NETWORK_GATEWAY "10.0.2.2"
#define NETWORK_SERVER  "10.0.2.3"

struct network {
	int ns_fd; /* the network namespace, to be joined */
	struct child helper;
	int keep_fd; /* the helper ends when this is closed, by whatever end of ours */
};
#define NETWORK_INIT                                             \
	{                                                        \
		.ns_fd = -1, .helper = CHILD_INIT, .keep_fd = -1 \
	}
#define auto_network __attribute__((cleanup(network_release)))
void network_release(struct network *network);

/* ERR_USAGE. */
int network_ports_check(const struct strlist *ports, struct err *err);
/*
 * What of @exposed ("80/tcp") @ports does not lead to already, added to it with ports of the host
 * that are free. ERR_SYSTEM when there are none.
 */
int network_ports_publish(const struct strlist *exposed, struct strlist *ports, struct err *err);
/* @text as the name of such a program, or NULL. */
const char *network_helper_name(const char *text);
/*
 * Ready when it returns. @name: as network_helper_name() has it; NULL: what is installed.
 * ERR_SYSTEM when it is not installed; when a port is taken the error names it. @userns_fd: whose
 * root it belongs to; -1: ours.
 */
int network_start(const char *name, const struct strlist *ports, int userns_fd, struct network *out,
		  struct err *err);

/* The host's address as others see it, where it is reached from there; or the gateway's. */
#define NETWORK_ADDRESS_MAX 16
void network_host_address(char out[NETWORK_ADDRESS_MAX]);

#endif
