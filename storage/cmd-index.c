/* SPDX-License-Identifier: Apache-2.0 */
/* imgstore index: several images, each for another platform, under one name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "layers/pairs.h"
#include "storage/cmd-internal.h"
#include "storage/image-index.h"

/* The images that go into it. */
struct gathered {
	struct image *images;
	struct image_index_part *parts; /* of each; platform: the image's own */
	size_t count;
	struct strlist platforms;
};

static void gathered_release(struct gathered *gathered)
{
	for (size_t i = 0; i < gathered->count; i++)
		image_release(&gathered->images[i]);
	free(gathered->images);
	free(gathered->parts);
	strlist_release(&gathered->platforms);
}
#define auto_gathered __attribute__((cleanup(gathered_release)))

/* Takes @image. */
static int add_image(struct gathered *gathered, struct image *image, const char *text,
		     struct err *err)
{
	auto_strbuf struct strbuf platform = STRBUF_INIT;

	if (!image->config.platform.os || !image->config.platform.architecture)
		return err_set(err, ERR_INPUT, "'%s' does not say for which platform it is", text);
	platform_format(&image->config.platform, &platform);
	if (strlist_has(&gathered->platforms, platform.data))
		return err_set(err, ERR_USAGE, "'%s': there is an image for %s already", text,
			       platform.data);
	strlist_add(&gathered->platforms, platform.data);
	gathered->images = mem_resize(gathered->images, gathered->count + 1, sizeof(*image));
	gathered->images[gathered->count++] = *image;
	*image = (struct image)IMAGE_INIT;
	return 0;
}

/* All images of an index that is there already. */
static int add_index(struct gathered *gathered, struct store *store,
		     const struct image_index *index, const char *text, struct err *err)
{
	for (size_t i = 0; i < index->document.manifest_count; i++) {
		auto_image struct image image = IMAGE_INIT;
		bool found = false;

		if (!index_is_image(&index->document.manifests[i]))
			continue;
		if (image_index_image(store, index, &index->document.manifests[i].digest, &found,
				      &image, err) < 0)
			return -1;
		if (!found)
			return err_set(err, ERR_INPUT, "'%s' is an index of indexes", text);
		if (add_image(gathered, &image, text, err) < 0)
			return -1;
	}
	return 0;
}

static int gather(struct store *store, const struct strlist *args, struct gathered *out,
		  struct err *err)
{
	for (size_t i = 2; i < args->count; i++) {
		const char *text = args->items[i];
		auto_image_index struct image_index index = IMAGE_INDEX_INIT;
		auto_image struct image image = IMAGE_INIT;
		bool is_index = false;

		if (image_index_find(store, text, &is_index, &index, err) < 0)
			return -1;
		if ((is_index ? add_index(out, store, &index, text, err)
			      : image_get(store, text, NULL, &image, err)) < 0 ||
		    (!is_index && add_image(out, &image, text, err) < 0))
			return -1;
	}
	return 0;
}

static int check_annotations(const struct strlist *annotations, struct err *err)
{
	for (size_t i = 0; i < annotations->count; i++) {
		const char *equals = strchr(annotations->items[i], '=');

		if (!equals || equals == annotations->items[i])
			return err_set(err, ERR_USAGE, "--annotation: '%s' is not KEY=VALUE",
				       annotations->items[i]);
	}
	return 0;
}

static int create(const char *root, const struct strlist *args, struct strlist *annotations,
		  struct err *err)
{
	auto_store struct store *store = NULL;
	auto_gathered struct gathered gathered = { .images = NULL };
	struct image_index_request request = { .annotations = annotations };
	struct digest id;
	char name[DIGEST_NAME_MAX];

	if (strcmp(args->items[0], "create") != 0)
		return err_set(err, ERR_USAGE, "imgstore index: '%s' is not known (known: create)",
			       args->items[0]);
	pairs_sort(annotations);
	if (check_annotations(annotations, err) < 0 || command_open(root, NULL, &store, err) < 0 ||
	    gather(store, args, &gathered, err) < 0)
		return -1;
	gathered.parts = mem_array(gathered.count, sizeof(*gathered.parts));
	for (size_t i = 0; i < gathered.count; i++)
		gathered.parts[i] = (struct image_index_part){
			.platform = &gathered.images[i].config.platform,
			.image_id = gathered.images[i].id,
		};
	request.parts = gathered.parts;
	request.count = gathered.count;
	if (image_index_make(store, &request, &id, err) < 0 ||
	    image_tag(store, &id, args->items[1], err) < 0)
		return -1;
	printf("%s\n", digest_name(&id, name));
	return 0;
}

int cmd_index(int argc, char **argv)
{
	const char *root = NULL;
	auto_strlist struct strlist annotations = STRLIST_INIT;
	auto_strlist struct strlist args = STRLIST_INIT;
	const struct cmdline_option options[] = { { 0, "annotation", OPTION_LIST, &annotations,
						    "KEY=VALUE", "write this into the index",
						    NULL },
						  OPTION_ROOT(&root),
						  OPTION_END };
	const struct cmdline cmdline = {
		.program = "imgstore index",
		.synopsis = "create [OPTIONS] NAME IMAGE...",
		.summary = "Make an index of images that are each for another platform, and name\n"
			   "it NAME. Of an IMAGE that is an index, all images go into it.",
		.options = options,
		.min_args = 3,
		.max_args = SIZE_MAX,
	};
	struct err err = ERR_INIT;

	if (command_begin(&cmdline, argc, argv, &args, &err))
		create(root, &args, &annotations, &err);
	return command_end(&err);
}
