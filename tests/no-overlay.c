/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded: a kernel that seems to have no overlayfs, or, with NO_OVERLAY=plus, one whose
 * overlayfs takes all its layers in one option (before Linux 6.8).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_plus(void)
{
	const char *what = getenv("NO_OVERLAY");

	return what && strcmp(what, "plus") == 0;
}

int fsopen(const char *name, unsigned int flags)
{
	int (*real)(const char *, unsigned int) =
		(int (*)(const char *, unsigned int))dlsym(RTLD_NEXT, "fsopen");

	if (strcmp(name, "overlay") == 0 && !is_plus()) {
		errno = ENODEV;
		return -1;
	}
	return real(name, flags);
}

int mount(const char *source, const char *target, const char *type, unsigned long flags,
	  const void *data)
{
	int (*real)(const char *, const char *, const char *, unsigned long, const void *) =
		(int (*)(const char *, const char *, const char *, unsigned long,
			 const void *))dlsym(RTLD_NEXT, "mount");

	if (type && strcmp(type, "overlay") == 0 && !is_plus()) {
		errno = ENODEV;
		return -1;
	}
	return real(source, target, type, flags, data);
}

int fsconfig(int fd, unsigned int command, const char *key, const void *value, int aux)
{
	int (*real)(int, unsigned int, const char *, const void *, int) =
		(int (*)(int, unsigned int, const char *, const void *, int))dlsym(RTLD_NEXT,
										   "fsconfig");

	if (key && strcmp(key, "lowerdir+") == 0 && is_plus()) {
		errno = EINVAL;
		return -1;
	}
	return real(fd, command, key, value, aux);
}
