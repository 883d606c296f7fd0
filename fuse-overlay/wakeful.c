/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for when processors shall stay awake, and where that is of use. */
#include "fuse-overlay/wakeful.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"

#define DRIVER "/sys/devices/system/cpu/cpuidle/current_driver"
#define POLLS  "/sys/module/haltpoll/parameters/guest_halt_poll_ns"
#define BOUND  "/dev/cpu_dma_latency"

/* all of them would look around instead of halting */
#define MOST_PROCESSORS 16
/* who polls that long before a halt is awake for the next request anyway */
#define POLLS_ENOUGH_NS 20000

#define BUSY_REQUESTS 8 /* in a tick: a client that waits for nothing but us */
#define CALM_TICKS    2

#define BOUND_NONE (-1)

/* The first line of a small file, or false. */
static bool read_line(const char *root, const char *name, char *out, size_t size)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s%s", root, name) >= (int)sizeof(path) ||
	    !fd_read_text(AT_FDCWD, path, out, size))
		return false;
	out[strcspn(out, "\n")] = '\0';
	return true;
}

/* The driver of guests whose halts cost so much that polling was thought of; if it does not poll itself. */
static bool halts_are_slow(const char *root)
{
	char line[64];

	if (!read_line(root, DRIVER, line, sizeof(line)) || strcmp(line, "haltpoll") != 0)
		return false;
	return !read_line(root, POLLS, line, sizeof(line)) ||
	       strtoul(line, NULL, 10) < POLLS_ENOUGH_NS;
}

void wakeful_open(struct wakeful *wakeful, const char *root)
{
	char path[PATH_MAX];

	*wakeful = (struct wakeful){ .fd = -1 };
	if (sysconf(_SC_NPROCESSORS_ONLN) > MOST_PROCESSORS || !halts_are_slow(root))
		return;
	if (snprintf(path, sizeof(path), "%s" BOUND, root) < (int)sizeof(path))
		/* sets no bound by itself */
		wakeful->fd = open(path, O_WRONLY | O_CLOEXEC);
}

static void set_bound(struct wakeful *wakeful, int32_t bound_us)
{
	/* what does not help does no harm */
	if (write(wakeful->fd, &bound_us, sizeof(bound_us)) == sizeof(bound_us))
		wakeful->is_held = bound_us != BOUND_NONE;
	else
		fd_close(&wakeful->fd);
}

void wakeful_tick(struct wakeful *wakeful, unsigned int requests)
{
	if (wakeful->fd < 0)
		return;
	wakeful->calm = requests >= BUSY_REQUESTS ? 0 : wakeful->calm + 1;
	if (!wakeful->is_held && wakeful->calm == 0)
		set_bound(wakeful, 0);
	else if (wakeful->is_held && wakeful->calm >= CALM_TICKS)
		set_bound(wakeful, BOUND_NONE);
}

void wakeful_close(struct wakeful *wakeful)
{
	fd_close(&wakeful->fd);
}
