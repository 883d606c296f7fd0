/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_FETCH_H
#define REGISTRY_FETCH_H

#include "common/err.h"
#include "registry/fetch-wire.h"

/*
 * Have the program "fetch" bring something from the network: whoever calls it
 * speaks no protocol, links no such library, and parses nothing of what a server says.
 *
 * @into_fd: for FETCH_HTTP an empty file, open for writing, for FETCH_GIT an empty directory;
 * what it holds after a failure is rubbish. @interrupt_fd (or -1): readable when the
 * user wants to stop. ERR_REMOTE when the other side is to blame, ERR_INTERRUPTED.
 */
int fetch_run(const struct fetch_request *request, int into_fd, int interrupt_fd,
	      struct fetch_result *out, struct err *err);

/*
 * The limits of every fetch: IMGBUILD_FETCH_MAX_BYTES and IMGBUILD_FETCH_TIMEOUT (seconds) of the
 * environment, else 16 GiB and 60. ERR_USAGE when one is no number.
 */
int fetch_limits(struct fetch_request *request, struct err *err);

#endif
