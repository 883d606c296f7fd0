/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for --build-context: what its value is, and which name of a Buildfile
 * means it. Layouts are read by imgpull, a process of its own.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "builder/named.h"
#include "common/fd.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "layers/ref.h"
#include "storage/image-pull.h"

static void item_release(struct named_context *item)
{
	free(item->name);
	free(item->image);
	context_release(&item->context);
}

void named_release(struct named_contexts *contexts)
{
	for (size_t i = 0; i < contexts->count; i++)
		item_release(&contexts->items[i]);
	free(contexts->items);
	*contexts = (struct named_contexts)NAMED_INIT;
}

/* ---- images of a layout ---- */

/* "localhost/build-context/NAME", with '-' for what a name cannot have. */
static char *store_name(const char *name)
{
	struct strbuf out = STRBUF_INIT;
	bool is_word = false;

	strbuf_puts(&out, "localhost/build-context/");
	for (; *name; name++) {
		if (isalnum((unsigned char)*name)) {
			strbuf_putc(&out, (char)tolower((unsigned char)*name));
			is_word = true;
		} else if (is_word && name[1]) {
			strbuf_putc(&out, '-');
			is_word = false;
		}
	}
	if (out.data[out.len - 1] == '-')
		strbuf_truncate(&out, out.len - 1);
	if (out.data[out.len - 1] == '/')
		strbuf_puts(&out, "x");
	return strbuf_steal(&out);
}

static int open_layout(struct named_context *item, const char *rest, struct store *store,
		       struct err *err)
{
	auto_strlist struct strlist args = STRLIST_INIT;
	auto_strbuf struct strbuf id = STRBUF_INIT;
	auto_free char *name = store_name(item->name);

	if (!store) {
		item->kind = NAMED_IMAGE;
		item->image = ptr_steal(&name);
		return 0;
	}
	strlist_add(&args, "--quiet");
	if (item->all_platforms)
		strlist_add(&args, "--all-platforms");
	strlist_addf(&args, "oci:%s", rest);
	strlist_add(&args, name);
	if (image_pull_run(store, &args, &id, err) < 0)
		return err_prefix(err, "oci-layout://%s", rest);
	item->kind = NAMED_IMAGE;
	item->image = strbuf_steal(&id);
	return 0;
}

/* ---- what a value is ---- */

static const char *after(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

static int open_image(struct named_context *item, const char *image, struct err *err)
{
	auto_image_ref struct image_ref ref = IMAGE_REF_INIT;

	if (image_ref_parse(image, &ref, err) < 0)
		return -1;
	item->kind = NAMED_IMAGE;
	item->image = str_dup(image);
	return 0;
}

/* A directory, else an image: what is written like a path can only be the first. */
static int open_plain(struct named_context *item, const char *value,
		      const struct download_place *place, struct err *err)
{
	struct err no_image = ERR_INIT;

	if (context_open(value, &item->context, err) == 0) {
		if (policy_local(place->policy, item->name, err) < 0)
			return -1;
		return context_load_ignore(&item->context, NULL, NULL, err);
	}
	if (err->sys_errno != ENOENT || value[0] == '/' || value[0] == '.')
		return -1;
	return open_image(item, value, &no_image) < 0 ? -1 : (err_clear(err), 0);
}

/* A repository, or an archive. */
static int open_remote(struct named_context *item, const char *value,
		       const struct download_place *place, struct err *err)
{
	auto_remote struct remote *remote = remote_parse(value, err);
	auto_close int file_fd = -1;

	if (!remote)
		return -1;
	if (!place->store)
		return context_empty(NULL, &item->context, err);
	if (context_fetch(remote, place, &item->context, &file_fd, err) < 0)
		return -1;
	if (file_fd >= 0)
		return err_set(err, ERR_INPUT, "'%s' is not an archive", remote->shown);
	return context_load_ignore(&item->context, NULL, NULL, err);
}

static int open_value(struct named_context *item, const char *value,
		      const struct download_place *place, struct err *err)
{
	static const char *const images[] = { "docker-image://", "container-image://",
					      "docker://" };
	const char *rest;

	for (size_t i = 0; i < sizeof(images) / sizeof(images[0]); i++) {
		rest = after(value, images[i]);
		if (rest)
			return open_image(item, rest, err);
	}
	rest = after(value, "oci-layout://");
	if (rest)
		return open_layout(item, rest, place->store, err);
	if (remote_is(value))
		return open_remote(item, value, place, err);
	return open_plain(item, value, place, err);
}

int named_add(struct named_contexts *contexts, const char *text, const struct download_place *place,
	      struct err *err)
{
	struct named_context item = { .context = CONTEXT_INIT,
				      .all_platforms = contexts->all_platforms };
	size_t len = strcspn(text, "=");

	if (len == 0 || text[len] == '\0' || text[len + 1] == '\0')
		return err_set(err, ERR_USAGE,
			       "--build-context '%s' is not NAME=VALUE: a directory, "
			       "docker-image://IMAGE or oci-layout://PATH:TAG",
			       text);
	item.name = str_ndup(text, len);
	if (open_value(&item, text + len + 1, place, err) < 0) {
		err_prefix(err, "--build-context %s", item.name);
		item_release(&item);
		return -1;
	}
	for (size_t i = 0; i < contexts->count; i++) {
		if (strcasecmp(contexts->items[i].name, item.name) != 0)
			continue;
		item_release(&contexts->items[i]);
		contexts->items[i] = item;
		return 0;
	}
	contexts->items =
		mem_resize(contexts->items, contexts->count + 1, sizeof(*contexts->items));
	contexts->items[contexts->count++] = item;
	return 0;
}

/* ---- who is meant ---- */

/* As the key of an image in the store, or NULL. */
static char *canonical(const char *name)
{
	auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
	struct strbuf out = STRBUF_INIT;
	struct err ignored = ERR_INIT;

	if (image_ref_parse(name, &ref, &ignored) < 0)
		return NULL;
	image_ref_format(&ref, &out);
	return strbuf_steal(&out);
}

const struct named_context *named_find(const struct named_contexts *contexts, const char *name)
{
	auto_free char *wanted = NULL;

	if (!contexts || contexts->count == 0)
		return NULL;
	for (size_t i = 0; i < contexts->count; i++)
		if (strcasecmp(contexts->items[i].name, name) == 0)
			return &contexts->items[i];
	wanted = canonical(name);
	for (size_t i = 0; wanted && i < contexts->count; i++) {
		auto_free char *have = canonical(contexts->items[i].name);

		if (have && strcmp(have, wanted) == 0)
			return &contexts->items[i];
	}
	return NULL;
}
