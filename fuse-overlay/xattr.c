/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for extended attributes: those of the file, without what overlays write there for
 * themselves.
 */
#include <errno.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "common/mem.h"
#include "fuse-overlay/copyup.h"
#include "fuse-overlay/marks.h"
#include "fuse-overlay/place.h"

#define ACL_PREFIX "system.posix_acl_"

/* The name on disk, or NULL with the errno in *r. */
static const char *name_on_disk(const struct overlay *overlay, const char *name, char *buf, int *r)
{
	const char *on_disk = NULL;

	*r = -EOPNOTSUPP;
	if (overlay->options->no_xattrs ||
	    (overlay->options->no_acl && strncmp(name, ACL_PREFIX, strlen(ACL_PREFIX)) == 0))
		return NULL;
	if (!stat_override_is_name(name))
		on_disk = mark_escape(overlay, name, buf);
	if (!on_disk)
		*r = -EPERM;
	return on_disk;
}

ssize_t overlay_getxattr(struct overlay *overlay, struct node *node, const char *name, void *value,
			 size_t size)
{
	auto_latch struct latch *held = node_is_dir(node) ? NULL : latch_hold(&node->latch);
	auto_where struct where where = WHERE_INIT;
	char buf[XATTR_NAME_MAX + 1];
	const char *on_disk;
	int r;

	on_disk = name_on_disk(overlay, name, buf, &r);
	if (!on_disk)
		return r == -EPERM ? -ENODATA : r;
	r = where_get(overlay, node, &where);
	if (r < 0)
		return r;
	return where_getxattr(&where, on_disk, value, size);
}

ssize_t overlay_listxattr(struct overlay *overlay, struct node *node, char *list, size_t size)
{
	auto_latch struct latch *held = node_is_dir(node) ? NULL : latch_hold(&node->latch);
	auto_where struct where where = WHERE_INIT;
	auto_free char *on_disk = NULL;
	char buf[XATTR_NAME_MAX + 1];
	ssize_t len, used = 0;

	if (overlay->options->no_xattrs)
		return -EOPNOTSUPP;
	len = where_get(overlay, node, &where);
	if (len == 0)
		len = where_listxattr(&where, &on_disk);
	if (len < 0)
		return len;
	for (const char *at = on_disk; at < on_disk + len; at += strlen(at) + 1) {
		const char *name = mark_unescape(overlay, at, buf);
		size_t name_len = name ? strlen(name) + 1 : 0;

		if (!name || stat_override_is_name(name) ||
		    (overlay->options->no_acl &&
		     strncmp(name, ACL_PREFIX, strlen(ACL_PREFIX)) == 0))
			continue;
		if (size > 0 && (size_t)used + name_len > size)
			return -ERANGE;
		if (size > 0)
			memcpy(list + used, name, name_len);
		used += (ssize_t)name_len;
	}
	return used;
}

/* Set with @value, else remove. */
static int change(struct overlay *overlay, struct node *node, const char *name, const void *value,
		  size_t size, int flags)
{
	auto_where struct where where = WHERE_INIT;
	char buf[XATTR_NAME_MAX + 1];
	const char *on_disk;
	int r;

	on_disk = name_on_disk(overlay, name, buf, &r);
	if (!on_disk)
		return r;
	r = copyup(overlay, node, COPYUP_ALL);
	if (r < 0)
		return r;
	latch_lock(&node->latch);
	r = where_get(overlay, node, &where);
	if (r == 0)
		r = value ? where_setxattr(&where, on_disk, value, size, flags)
			  : where_removexattr(&where, on_disk);
	latch_unlock(&node->latch);
	return r;
}

int overlay_setxattr(struct overlay *overlay, struct node *node, const char *name,
		     const void *value, size_t size, int flags)
{
	return change(overlay, node, name, value ? value : "", size, flags);
}

int overlay_removexattr(struct overlay *overlay, struct node *node, const char *name)
{
	ssize_t len = overlay_getxattr(overlay, node, name, NULL, 0);

	/* what is not there must not cost a copy */
	return len < 0 ? (int)len : change(overlay, node, name, NULL, 0, 0);
}
