/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the groups of containers that another runtime runs: where it is to make them, and
 * that they do not outlive it. */
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/userns.h"
#include "sandbox/cgroup-internal.h"
#include "sandbox/cgroup-notes-internal.h"
#include "sandbox/cgroup.h"

/* One path is for all hierarchies: where we are in them it is below us, else below their roots. */
static char *v1_base(const struct cgroup_host *host, const struct cgroup_hierarchy *found)
{
	bool is_same = true;

	for (size_t i = 0; i < host->count; i++)
		if (!host->items[i].is_v2 && strcmp(host->items[i].own, found->own) != 0)
			is_same = false;
	return str_format("%s%s", found->mount, is_same ? found->own : "");
}

static char *find_base(const struct cgroup_host *host, const struct cgroup_hierarchy *found,
		       const char *parent)
{
	struct err ignored =
		ERR_INIT; /* none that we may make: cgroup_check has spoken of limits */
	auto_free char *base = NULL;

	if (found->is_v2 || parent)
		base = cgroup_base(found, parent, &ignored);
	else if (!userns_is_nested())
		base = v1_base(host, found);
	if (!base || (!parent && access(base, W_OK) < 0))
		return NULL;
	return ptr_steal(&base);
}

int cgroup_foresee(struct store *store, const char *name, const struct resources *resources,
		   struct cgroup *out, char **out_path, struct err *err)
{
	auto_cgroup_host struct cgroup_host host = { .items = NULL };
	auto_cgroup struct cgroup cgroup = CGROUP_INIT;
	const struct cgroup_hierarchy *found;
	auto_free char *base = NULL;
	auto_free char *path = NULL;
	char made[CGROUP_NAME_BYTES];

	if (cgroup_host_read(&host, err) < 0 || cgroup_check(&host, resources, err) < 0 ||
	    (!name && cgroup_random_name(made, err) < 0))
		return -1;
	found = cgroup_host_find(&host, "pids");
	base = found ? find_base(&host, found, resources->parent) : NULL;
	if (!base)
		return 0;
	path = str_format("%s/imgbuild-%s", base + strlen(found->mount), name ? name : made);
	for (size_t i = 0; i < host.count; i++)
		strlist_addf(&cgroup.dirs, "%s%s", host.items[i].mount, path);
	if (cgroup_notes_begin(store, name ? name : made, &cgroup, err) < 0)
		return -1;
	*out = cgroup;
	cgroup = (struct cgroup)CGROUP_INIT;
	*out_path = ptr_steal(&path);
	return 0;
}
