/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUSE_OVERLAY_WAKEFUL_H
#define FUSE_OVERLAY_WAKEFUL_H

#include <stdbool.h>

/*
 * Processors that stay awake while requests come in quick succession.
 *
 * A request and its answer are two wake-ups, and each finds the other processor halted. In some
 * virtual machines it takes tens of microseconds to wake that, many times what is done for a
 * request: halting leaves the machine, and so does the interrupt that ends it. A processor that waits by
 * looking needs no interrupt. The kernel has a way to ask for this, for root: a bound for the
 * latency of wake-ups, which here is 0 as long as there is work, and none otherwise. A processor that
 * waits in this way still runs whatever comes.
 */
struct wakeful {
	int fd; /* of the bound; -1: there is none to be set, or no need */
	unsigned int calm;
	bool is_held;
};

/*
 * Look whether this machine is one of those: a virtual one whose halts nothing softens, with so few processors that it
 * matters little what the others do meanwhile. @root is where its files are looked for, "" but in tests.
 */
void wakeful_open(struct wakeful *wakeful, const char *root);
void wakeful_close(struct wakeful *wakeful);

/* So many requests were answered in the last two milliseconds or so. */
void wakeful_tick(struct wakeful *wakeful, unsigned int requests);

#endif
