/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for access control lists that an archive has as text (SCHILY.acl.access and .default, as
 * GNU tar and bsdtar write them): from them come the attributes that the kernel reads. Knows
 * libarchive, which parses the text.
 *
 *   value = version entries          version: 2, as 32 bits
 *   entry = tag permissions id       16, 16, 32 bits; all little endian
 *
 * Entries are in the order of their tags, those of one tag in the order of their ids.
 */
#include <archive.h>
#include <archive_entry.h>
#include <endian.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"
#include "layers/unpack-internal.h"

#define ACL_VERSION 2
#define NO_ID       UINT32_MAX
#define TAG_MASK    0x10
#define ENTRIES_MAX ((XATTR_SIZE_MAX - sizeof(uint32_t)) / sizeof(struct acl_entry))

struct acl_entry {
	uint16_t tag;
	uint16_t permissions;
	uint32_t id;
};
_Static_assert(sizeof(struct acl_entry) == 8, "an entry has eight bytes");

struct acl {
	struct acl_entry *entries; /* of this machine's endianness */
	size_t count;
	bool has_unknown; /* somebody is given by a name alone */
};

static void acl_release(struct acl *acl)
{
	free(acl->entries);
}

/* What the kernel calls it; 0: nothing that it knows. */
static uint16_t tag_of(int tag)
{
	static const struct {
		int theirs;
		uint16_t tag;
	} tags[] = {
		{ ARCHIVE_ENTRY_ACL_USER_OBJ, 0x01 },  { ARCHIVE_ENTRY_ACL_USER, 0x02 },
		{ ARCHIVE_ENTRY_ACL_GROUP_OBJ, 0x04 }, { ARCHIVE_ENTRY_ACL_GROUP, 0x08 },
		{ ARCHIVE_ENTRY_ACL_MASK, TAG_MASK },  { ARCHIVE_ENTRY_ACL_OTHER, 0x20 },
	};

	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
		if (tags[i].theirs == tag)
			return tags[i].tag;
	return 0;
}

static void add(struct acl *acl, int tag, int permissions, int id)
{
	bool is_named = tag == ARCHIVE_ENTRY_ACL_USER || tag == ARCHIVE_ENTRY_ACL_GROUP;
	struct acl_entry entry = { .tag = tag_of(tag), .id = is_named ? (uint32_t)id : NO_ID };

	if (entry.tag == 0)
		return;
	acl->has_unknown |= is_named && id < 0;
	entry.permissions = (uint16_t)(permissions & 7);
	acl->entries = mem_resize(acl->entries, acl->count + 1, sizeof(*acl->entries));
	acl->entries[acl->count++] = entry;
}

static int by_tag(const void *a, const void *b)
{
	const struct acl_entry *x = a;
	const struct acl_entry *y = b;

	if (x->tag != y->tag)
		return x->tag < y->tag ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* The kernel wants to know how much all that are named, and the group, may have at most. */
static void add_mask(struct acl *acl)
{
	int permissions = 0;
	bool has_named = false;

	for (size_t i = 0; i < acl->count; i++) {
		if (acl->entries[i].tag == TAG_MASK)
			return;
		has_named |= acl->entries[i].id != NO_ID;
		if (acl->entries[i].id != NO_ID || acl->entries[i].tag == 0x04)
			permissions |= acl->entries[i].permissions;
	}
	if (has_named)
		add(acl, ARCHIVE_ENTRY_ACL_MASK, permissions, -1);
}

static void set_attribute(struct acl *acl, const char *name, struct entry *out)
{
	size_t len = sizeof(uint32_t) + acl->count * sizeof(struct acl_entry);
	auto_free char *value = mem_alloc(len);
	uint32_t version = htole32(ACL_VERSION);

	qsort(acl->entries, acl->count, sizeof(*acl->entries), by_tag);
	memcpy(value, &version, sizeof(version));
	for (size_t i = 0; i < acl->count; i++) {
		const struct acl_entry entry = { .tag = htole16(acl->entries[i].tag),
						 .permissions =
							 htole16(acl->entries[i].permissions),
						 .id = htole32(acl->entries[i].id) };

		memcpy(value + sizeof(version) + i * sizeof(entry), &entry, sizeof(entry));
	}
	xattrs_set(&out->xattrs, name, value, len);
}

static void take(struct archive_entry *from, int type, const char *name, struct entry *out)
{
	__attribute__((cleanup(acl_release))) struct acl acl = { .entries = NULL };
	int got_type, permissions, tag, id;
	const char *who;

	if (xattrs_get(&out->xattrs, name) || archive_entry_acl_reset(from, type) == 0)
		return;
	while (archive_entry_acl_next(from, type, &got_type, &permissions, &tag, &id, &who) ==
	       ARCHIVE_OK)
		add(&acl, tag, permissions, id);
	if (acl.count == 0)
		return;
	add_mask(&acl);
	if (acl.has_unknown || acl.count > ENTRIES_MAX)
		log_warn("the access control list of '%s' %s: left out", out->path,
			 acl.has_unknown ? "names users or groups without their ids"
					 : "is too long");
	else
		set_attribute(&acl, name, out);
}

void unpack_take_acls(struct archive_entry *from, struct entry *out)
{
	take(from, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, "system.posix_acl_access", out);
	take(from, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, "system.posix_acl_default", out);
}
