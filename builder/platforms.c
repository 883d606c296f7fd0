/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the values of --platform. What a platform is, is layers/descriptor.c's. */
#include "builder/platforms.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

void platforms_release(struct platforms *platforms)
{
	platform_release(&platforms->native);
	for (size_t i = 0; i < platforms->count; i++)
		platform_release(&platforms->targets[i]);
	free(platforms->targets);
	*platforms = (struct platforms)PLATFORMS_INIT;
}

/* Unless it is there already. */
static void add_target(struct platforms *platforms, const struct platform *target)
{
	struct platform copy = { .os = NULL };

	for (size_t i = 0; i < platforms->count; i++)
		if (platform_is_same(&platforms->targets[i], target))
			return;
	platform_copy(&copy, target);
	platforms->targets =
		mem_resize(platforms->targets, platforms->count + 1, sizeof(*platforms->targets));
	platforms->targets[platforms->count++] = copy;
}

static int parse_target(struct platforms *platforms, const char *text, struct err *err)
{
	auto_platform struct platform target = { .os = NULL };

	if (strcmp(text, "local") == 0) {
		add_target(platforms, &platforms->native);
		return 0;
	}
	if (platform_parse(text, &target, err) < 0) {
		err->kind = ERR_USAGE;
		return err_prefix(err, "--platform");
	}
	add_target(platforms, &target);
	return 0;
}

static int parse_list(struct platforms *platforms, const char *list, struct err *err)
{
	auto_free char *copy = str_dup(list);
	char *rest = copy;

	for (char *item; (item = strsep(&rest, ","));) {
		size_t len;

		item += strspn(item, " ");
		for (len = strlen(item); len > 0 && item[len - 1] == ' '; len--)
			item[len - 1] = '\0';
		if (parse_target(platforms, item, err) < 0)
			return -1;
	}
	return 0;
}

int platforms_parse(const struct strlist *texts, struct platforms *out, struct err *err)
{
	auto_platforms struct platforms platforms = PLATFORMS_INIT;

	platform_host(&platforms.native);
	for (size_t i = 0; i < texts->count; i++)
		if (parse_list(&platforms, texts->items[i], err) < 0)
			return -1;
	platforms.is_explicit = platforms.count > 0;
	if (!platforms.is_explicit)
		add_target(&platforms, &platforms.native);
	platforms.is_index = platforms.count > 1;
	*out = platforms;
	platforms = (struct platforms)PLATFORMS_INIT;
	return 0;
}
