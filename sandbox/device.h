/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_DEVICE_H
#define SANDBOX_DEVICE_H

#include "common/err.h"
#include "common/strlist.h"
#include "sandbox/description.h"

/*
 * Devices of the host that a container gets:
 *
 *   device = HOST [ ":" CONTAINER ] [ ":" { "r" | "w" | "m" } ]
 *
 * A directory is all devices in it and below.
 * Real root makes nodes of the container's own below /dev, with the host's mode and owner, and
 * confines it to those; an ordinary user has the host's shown, as far as he may open them.
 */
struct device_grants {
	struct strlist texts;
	int *fds; /* of the host's, for those that are shown */
	size_t fd_count;
};
#define auto_device_grants __attribute__((cleanup(device_grants_release)))
void device_grants_release(struct device_grants *grants);

/* ERR_USAGE for one that is not written so. */
int device_grants_check(const struct strlist *texts, struct err *err);
/* Where they are in the container, and what may be done with them: "/dev/x:rwm". */
void device_grants_inside(const struct strlist *texts, struct strlist *out);
/* Into a description with all defaults; @is_all: every device of the host, too. */
int device_grants_apply(struct device_grants *grants, bool is_all, struct sandbox_description *out,
			struct err *err);
/*
 * Behind all grants: nodes that are found or made in the container, by real root, open as far as
 * it has the device, where a control group confines it to those. Else none opens.
 */
void device_open_granted(struct sandbox_description *out);

#endif
