/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store costs a build, and a store with many images:
 *
 *   bookkeeping-tool ROOT steps N    N steps that write nothing: a look into the step cache, a
 * draft, its layer published, the step remembered; prints the time that one takes: microseconds on
 * the wall, of the processor bookkeeping-tool ROOT images N   N images of their own, named image-1
 * …
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/digest.h"
#include "common/mem.h"
#include "storage/image.h"
#include "storage/layer.h"
#include "storage/stepcache.h"
#include "storage/store.h"

static int64_t now_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static int step(struct store *store, long n, const struct digest *parent, struct digest *out_chain,
		struct err *err)
{
	auto_layer_draft struct layer_draft draft = LAYER_DRAFT_INIT;
	auto_free char *key_text = str_format("key %ld", n);
	auto_free char *text = str_format("layer %ld", n);
	struct layer_facts facts = { .is_ours = true, .parent_chain = parent };
	struct step_result result = { .created_ns = 1 };
	struct digest diff_id;
	struct digest key;
	bool found = false;

	digest_of(key_text, strlen(key_text), &key);
	digest_of(text, strlen(text), &diff_id);
	facts.diff_id = &diff_id;
	if (stepcache_find(store, &key, parent, &found, &result, err) < 0)
		return -1;
	if (found)
		return err_set(err, ERR_INPUT, "step %ld is there already", n);
	if (layer_draft_open(store, &draft, err) < 0 ||
	    layer_draft_commit(store, &draft, &facts, &result.layer, err) < 0)
		return -1;
	if (parent)
		digest_chain(out_chain, &diff_id, out_chain);
	else
		*out_chain = diff_id;
	return stepcache_put(store, &key, &result, err);
}

static int steps(struct store *store, long count, struct err *err)
{
	const int64_t wall = now_us(CLOCK_MONOTONIC);
	const int64_t processor = now_us(CLOCK_PROCESS_CPUTIME_ID);
	struct digest chain;

	for (long n = 0; n < count; n++)
		if (step(store, n, n > 0 ? &chain : NULL, &chain, err) < 0)
			return -1;
	printf("%" PRId64 " %" PRId64 "\n", (now_us(CLOCK_MONOTONIC) - wall) / count,
	       (now_us(CLOCK_PROCESS_CPUTIME_ID) - processor) / count);
	return 0;
}

static int images(struct store *store, long count, struct err *err)
{
	for (long n = 1; n <= count; n++) {
		auto_free char *name = str_format("image-%ld", n);
		auto_free char *config = str_format(
			"{\"architecture\":\"amd64\",\"os\":\"linux\",\"author\":\"%ld\","
			"\"created\":"
			"\"2024-01-01T00:00:00Z\",\"config\":{},\"rootfs\":{\"type\":\"layers\","
			"\"diff_ids\":[]}}",
			n);
		struct digest id;

		if (image_put(store, config, strlen(config), NULL, 0, &id, err) < 0 ||
		    image_tag(store, &id, name, err) < 0)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	auto_store struct store *store = NULL;
	struct err err = ERR_INIT;
	int result;

	if (argc != 4) {
		fprintf(stderr, "usage: bookkeeping-tool ROOT steps|images N\n");
		return 2;
	}
	if (store_open(argv[1], &store, &err) < 0) {
		err_print(&err, "bookkeeping-tool");
		return 1;
	}
	result = strcmp(argv[2], "steps") == 0 ? steps(store, atol(argv[3]), &err)
					       : images(store, atol(argv[3]), &err);
	if (result < 0)
		err_print(&err, "bookkeeping-tool");
	return result < 0;
}
