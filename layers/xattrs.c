/* SPDX-License-Identifier: Apache-2.0 */
/* A file's extended attributes, as a set in name order. */
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "layers/entry.h"
#include "layers/xattrs-internal.h"

void xattrs_release(struct xattrs *xattrs)
{
	for (size_t i = 0; i < xattrs->count; i++) {
		free(xattrs->items[i].name);
		free(xattrs->items[i].value);
	}
	free(xattrs->items);
	*xattrs = (struct xattrs){ .items = NULL };
}

bool xattrs_equal(const struct xattrs *a, const struct xattrs *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct xattr *x = &a->items[i];
		const struct xattr *y = &b->items[i];

		if (strcmp(x->name, y->name) != 0 || x->value_len != y->value_len)
			return false;
		if (x->value_len && memcmp(x->value, y->value, x->value_len) != 0)
			return false;
	}
	return true;
}

/* Where @name is, or where it would go. */
static size_t position_of(const struct xattrs *xattrs, const char *name, bool *out_found)
{
	size_t low = 0;
	size_t high = xattrs->count;

	*out_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(xattrs->items[middle].name, name);

		if (order == 0) {
			*out_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void xattrs_put(struct xattrs *xattrs, const char *name, void *value, size_t value_len)
{
	bool found;
	size_t at = position_of(xattrs, name, &found);
	struct xattr *item;

	if (!found) {
		xattrs->items = mem_resize(xattrs->items, xattrs->count + 1, sizeof(*item));
		memmove(&xattrs->items[at + 1], &xattrs->items[at],
			(xattrs->count - at) * sizeof(*item));
		xattrs->items[at] = (struct xattr){ .name = str_dup(name) };
		xattrs->count++;
	}
	item = &xattrs->items[at];
	free(item->value);
	item->value = value;
	item->value_len = value_len;
}

void xattrs_set(struct xattrs *xattrs, const char *name, const void *value, size_t value_len)
{
	xattrs_put(xattrs, name, value_len ? mem_dup(value, value_len) : NULL, value_len);
}

const struct xattr *xattrs_get(const struct xattrs *xattrs, const char *name)
{
	bool found;
	size_t at = position_of(xattrs, name, &found);

	return found ? &xattrs->items[at] : NULL;
}

void xattrs_copy(struct xattrs *to, const struct xattrs *from)
{
	struct xattrs fresh = { .items = NULL };

	for (size_t i = 0; i < from->count; i++)
		xattrs_set(&fresh, from->items[i].name, from->items[i].value,
			   from->items[i].value_len);
	xattrs_release(to);
	*to = fresh;
}
