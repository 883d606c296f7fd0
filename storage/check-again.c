/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for lost blobs that can be had again: from the place where the image that needs them
 * was seen, by imgpull, which compares everything with its digest.
 */
#include <string.h>

#include "common/mem.h"
#include "storage/check-internal.h"
#include "storage/gc-internal.h"
#include "storage/image-internal.h"
#include "storage/image-pull.h"
#include "storage/origin.h"

/* The manifest that the image @id came with; *out_found false when it was made here. */
static int find_manifest(struct checker *checker, const struct digest *id, bool *out_found,
			 struct digest *out, struct err *err)
{
	auto_digests struct digests manifests = { .items = NULL };

	if (gc_select(checker->store,
		      "SELECT manifest FROM images WHERE id=? AND manifest IS NOT NULL", id,
		      &manifests, err) < 0)
		return -1;
	*out_found = manifests.count > 0;
	if (*out_found)
		*out = manifests.items[0];
	return 0;
}

static bool pull_from(struct checker *checker, const char *place, const struct digest *manifest,
		      const char *name)
{
	auto_strlist struct strlist args = STRLIST_INIT;
	auto_strbuf struct strbuf id = STRBUF_INIT;
	struct err ignored = ERR_INIT; /* what cannot be pulled is lost, and said to be */
	char digest[DIGEST_NAME_MAX];

	strlist_add(&args, "--quiet");
	strlist_add(&args, "--");
	strlist_addf(&args, "%s@%s", place, digest_name(manifest, digest));
	strlist_add(&args, name);
	return image_pull_run(checker->store, &args, &id, &ignored) == 0;
}

/* One of the images that need it, by its name; by an ID it could not be pulled. */
static int pull_image(struct checker *checker, const char *name, struct strbuf *out_place,
		      struct err *err)
{
	auto_image_match struct image_match match = IMAGE_MATCH_INIT;
	auto_strlist struct strlist places = STRLIST_INIT;
	struct digest manifest;
	bool found = false;

	if (strncmp(name, "sha256:", 7) == 0)
		return 0;
	if (image_resolve(checker->store, name, &found, &match, err) < 0)
		return -1;
	if (!found || match.is_index || match.home != checker->store)
		return 0;
	if (find_manifest(checker, &match.id, &found, &manifest, err) < 0 ||
	    origin_list(checker->store, &match.id, "", &places, err) < 0)
		return -1;
	for (size_t i = 0; found && i < places.count; i++)
		if (pull_from(checker, places.items[i], &manifest, name)) {
			strbuf_puts(out_place, places.items[i]);
			return 0;
		}
	return 0;
}

int check_pull_again(struct checker *checker, const struct check_finding *finding,
		     struct strbuf *out_place, struct err *err)
{
	for (size_t i = 0; i < finding->images.count && out_place->len == 0; i++)
		if (pull_image(checker, finding->images.items[i], out_place, err) < 0)
			return -1;
	return 0;
}
