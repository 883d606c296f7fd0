/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what builds remember of their steps. The digests of context files
 * are filecache.c's.
 */
#include "storage/stepcache.h"

#include "storage/layer-internal.h"
#include "storage/lease-internal.h"
#include "storage/store-internal.h"

static int load_step(struct store *store, const struct digest *key, bool *out_found,
		     struct digest *out_layer, int64_t *out_created_ns, struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db, "SELECT layer, created_ns FROM steps WHERE key=?", err) <
	    0)
		return -1;
	bind_digest(&query, key);
	if (query_step(&query, out_found, err) < 0)
		return -1;
	if (!*out_found)
		return 0;
	*out_created_ns = column_int(&query, 1);
	return column_digest(&query, 0, out_layer, err);
}

/* Does the layer, as it is stored, belong on top of @parent_chain? */
static bool fits(const struct layer *layer, bool implicit, const struct digest *parent_chain)
{
	struct digest chain;

	if (digest_equal(&layer->id, &layer->diff_id))
		return !implicit || !parent_chain;
	if (!parent_chain)
		return false;
	digest_chain(parent_chain, &layer->diff_id, &chain);
	return digest_equal(&layer->id, &chain);
}

int stepcache_find(struct store *store, const struct digest *key, const struct digest *parent_chain,
		   bool *out_found, struct step_result *out, struct err *err)
{
	struct step_result result;
	struct digest id;
	bool implicit = false;
	bool found = false;

	if (load_step(store, key, &found, &id, &result.created_ns, err) < 0)
		return -1;
	/* the lease first, then the look: what is there then stays */
	if (found && (lease_take(store, LEASE_LAYER, &id, err) < 0 ||
		      layer_load(store, &id, &found, &implicit, &result.layer, err) < 0))
		return -1;
	*out_found = found && !result.layer.is_out_of_reach &&
		     fits(&result.layer, implicit, parent_chain);
	if (*out_found)
		*out = result;
	return 0;
}

int stepcache_put(struct store *store, const struct digest *key, const struct step_result *result,
		  struct err *err)
{
	auto_query struct query query = QUERY_INIT;

	if (query_open(&query, store->db,
		       "INSERT OR REPLACE INTO steps(key, layer, created_ns) VALUES(?, ?, ?)",
		       err) < 0)
		return -1;
	bind_digest(&query, key);
	bind_digest(&query, &result->layer.id);
	bind_int(&query, result->created_ns);
	return query_run(&query, err);
}
