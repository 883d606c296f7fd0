/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_NETWORK_H
#define SANDBOX_NETWORK_H

#include "common/err.h"
#include "common/proc.h"
#include "common/strlist.h"

/*
 * A network of a container's own with a way out, by slirp4netns(1), which needs no privilege. It
 * has the container at 10.0.2.100, the host at 10.0.2.2 and a name server at 10.0.2.3; ports of
 * the host lead into it when they are asked for:
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
 * Ready when it returns. ERR_SYSTEM when the program is not installed; when a port is taken the
 * error names it. @userns_fd: whose root it belongs to; -1: ours.
 */
int network_start(const struct strlist *ports, int userns_fd, struct network *out, struct err *err);

#endif
