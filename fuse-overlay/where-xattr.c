/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended attributes of what a `where` names. They are reached by path: a name in a directory must
 * not be followed, while a descriptor's own path is a link that must be.
 */
#include <errno.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <sys/xattr.h>

#include "common/mem.h"
#include "fuse-overlay/place.h"

#define LIST_FIRST 1024

ssize_t where_getxattr(const struct where *where, const char *name, void *value, size_t size)
{
	char path[WHERE_PATH_MAX];
	ssize_t len;

	where_path(where, path);
	len = where->name[0] ? lgetxattr(path, name, value, size)
			     : getxattr(path, name, value, size);
	return len < 0 ? -errno : len;
}

ssize_t where_listxattr(const struct where *where, char **out)
{
	char path[WHERE_PATH_MAX];
	auto_free char *list = NULL;
	ssize_t len;

	where_path(where, path);
	for (size_t size = LIST_FIRST;; size *= 4) {
		free(list);
		list = mem_alloc(size);
		len = where->name[0] ? llistxattr(path, list, size) : listxattr(path, list, size);
		if (len >= 0 || errno != ERANGE || size > XATTR_LIST_MAX)
			break;
	}
	if (len < 0)
		return -errno;
	*out = ptr_steal(&list);
	return len;
}

int where_setxattr(const struct where *where, const char *name, const void *value, size_t size,
		   int flags)
{
	char path[WHERE_PATH_MAX];
	int r;

	where_path(where, path);
	r = where->name[0] ? lsetxattr(path, name, value, size, flags)
			   : setxattr(path, name, value, size, flags);
	return r < 0 ? -errno : 0;
}

int where_removexattr(const struct where *where, const char *name)
{
	char path[WHERE_PATH_MAX];
	int r;

	where_path(where, path);
	r = where->name[0] ? lremovexattr(path, name) : removexattr(path, name);
	return r < 0 ? -errno : 0;
}
