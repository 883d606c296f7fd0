/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_ATTEND_H
#define SANDBOX_ATTEND_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "sandbox/detach-keys.h"
#include "sandbox/launch.h"

/*
 * Stay with a running container: hand on signals, and with a terminal what is
 * typed and shown. Call attend_hold before sandbox_start, so that no signal is
 * lost in between; it blocks them in this process, which must have one thread.
 */
void attend_hold(void);

/* The size of whichever of 0, 1 and 2 is a terminal: for the container's. Else untouched. */
void attend_terminal_size(uint16_t *out_rows, uint16_t *out_columns);

/*
 * Until the container's end, whose status sandbox_wait then gives. The third
 * SIGINT or SIGTERM kills a container that does not care for them. Our own
 * terminal, where one is used, is raw meanwhile and always put back.
 */
struct attend_options {
	bool interactive; /* what is typed at our standard input goes to its terminal */
	int out_fd;       /* gets what its terminal shows */
	int control_fd;   /* a door for other commands (storage/container-control.h), or -1 */
	/*
	 * What is typed to leave it to itself; NULL: nothing. @leave is called when it was, with
	 * our terminal as before: what the container's shows goes to *out_fd from then on.
	 */
	const struct detach_keys *detach_keys;
	int (*leave)(void *context, int *out_fd, struct err *err);
	void *context;
};
int attend(struct sandbox *sandbox, const struct attend_options *options, struct err *err);

#endif
