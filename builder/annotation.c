/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the values of --annotation. Where they are kept is storage/image.h's. */
#include "builder/annotation.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "layers/pairs.h"

static const struct {
	const char *name;
	enum annotation_place place;
} places[] = {
	{ "manifest", ANNOTATION_MANIFEST },
	{ "index", ANNOTATION_INDEX },
	{ "manifest-descriptor", ANNOTATION_DESCRIPTOR },
};

void annotations_release(struct annotations *annotations)
{
	for (size_t i = 0; i < annotations->count; i++) {
		platform_release(&annotations->items[i].platform);
		free(annotations->items[i].key);
		free(annotations->items[i].value);
	}
	free(annotations->items);
	*annotations = (struct annotations)ANNOTATIONS_INIT;
}

static int parse_place(const char *name, enum annotation_place *out, struct err *err)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (strcmp(places[i].name, name) == 0) {
			*out = places[i].place;
			return 0;
		}
	}
	return err_set(
		err, ERR_USAGE,
		"what is before ':' is manifest, index or manifest-descriptor, not '%.100s'; "
		"before a key with ':' write manifest:",
		name);
}

/* "NAME[PLATFORM]", of which the brackets are made string ends. */
static int parse_platform(char *text, const struct platforms *platforms, struct platform *out,
			  struct err *err)
{
	char *open = strchr(text, '[');
	size_t len = strlen(text);

	if (!open)
		return 0;
	if (text[len - 1] != ']')
		return err_set(err, ERR_USAGE, "'%.100s' has no ']' at its end", text);
	*open = '\0';
	text[len - 1] = '\0';
	if (platform_parse(open + 1, out, err) < 0) {
		err->kind = ERR_USAGE;
		return -1;
	}
	for (size_t i = 0; i < platforms->count; i++)
		if (platform_is_same(&platforms->targets[i], out))
			return 0;
	return err_set(err, ERR_USAGE, "nothing is built for '%.100s': name it with --platform",
		       open + 1);
}

/* One image has no index: what was meant for it would be lost in silence. */
static int check_place(const struct annotation *annotation, const struct platforms *platforms,
		       struct err *err)
{
	if (annotation->place == ANNOTATION_INDEX && annotation->platform.os)
		return err_set(err, ERR_USAGE, "an index is not of one platform");
	if (annotation->place != ANNOTATION_MANIFEST && !platforms->is_index)
		return err_set(err, ERR_USAGE,
			       "there is no index for one platform: name several with --platform");
	return 0;
}

/* What an annotation is of, taken from @place, which is changed. */
static int parse_target(char *place, const struct platforms *platforms,
			struct annotation *annotation, struct err *err)
{
	if (parse_platform(place, platforms, &annotation->platform, err) < 0 ||
	    parse_place(place, &annotation->place, err) < 0)
		return -1;
	return check_place(annotation, platforms, err);
}

static int add(struct annotations *annotations, char *place, const char *key, const char *value,
	       const struct platforms *platforms, struct err *err)
{
	struct annotation annotation = { .place = ANNOTATION_MANIFEST };

	if (place && parse_target(place, platforms, &annotation, err) < 0) {
		platform_release(&annotation.platform);
		return -1;
	}
	annotation.key = str_dup(key);
	annotation.value = str_dup(value);
	annotations->items =
		mem_resize(annotations->items, annotations->count + 1, sizeof(*annotations->items));
	annotations->items[annotations->count++] = annotation;
	return 0;
}

static int parse(const char *text, const struct platforms *platforms,
		 struct annotations *annotations, struct err *err)
{
	auto_free char *copy = str_dup(text);
	char *equals = strchr(copy, '=');
	char *key = copy;
	char *colon;
	char *rest;

	if (!equals)
		return err_set(err, ERR_USAGE, "it is not KEY=VALUE");
	*equals = '\0';
	colon = strchr(copy, ':');
	if (colon) {
		*colon = '\0';
		key = colon + 1;
	}
	if (key[0] == '\0')
		return err_set(err, ERR_USAGE, "it has no key");
	if (!colon)
		return add(annotations, NULL, key, equals + 1, platforms, err);
	rest = copy;
	for (char *place; (place = strsep(&rest, ","));)
		if (add(annotations, place, key, equals + 1, platforms, err) < 0)
			return -1;
	return 0;
}

int annotations_parse(const struct strlist *texts, const struct platforms *platforms,
		      struct annotations *out, struct err *err)
{
	auto_annotations struct annotations annotations = ANNOTATIONS_INIT;

	for (size_t i = 0; i < texts->count; i++)
		if (parse(texts->items[i], platforms, &annotations, err) < 0)
			return err_prefix(err, "--annotation '%.200s'", texts->items[i]);
	*out = annotations;
	annotations = (struct annotations)ANNOTATIONS_INIT;
	return 0;
}

void annotations_pick(const struct annotations *annotations, enum annotation_place place,
		      const struct platform *platform, struct strlist *out)
{
	for (size_t i = 0; i < annotations->count; i++) {
		const struct annotation *item = &annotations->items[i];

		if (item->place == place &&
		    (!item->platform.os || platform_is_same(&item->platform, platform)))
			strlist_env_set(out, item->key, item->value);
	}
	pairs_sort(out);
}
