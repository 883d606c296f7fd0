/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for finding the image and the transport of a push. The writing is the transport's. */
#include "registry/push.h"

#include <string.h>

#include "common/mem.h"
#include "layers/ref.h"
#include "registry/transport.h"

/* The canonical form of @text when the image goes by that name, else NULL. */
static int own_name(struct store *store, const struct image *image, const char *text, char **out,
		    struct err *err)
{
	auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
	auto_strlist struct strlist names = STRLIST_INIT;
	auto_strbuf struct strbuf name = STRBUF_INIT;
	struct err ignored = ERR_INIT;

	if (image_ref_parse(text, &ref, &ignored) < 0)
		return 0;
	image_ref_format(&ref, &name);
	if (image_names(store, &image->id, &names, err) < 0)
		return -1;
	if (strlist_has(&names, name.data))
		*out = strbuf_steal(&name);
	return 0;
}

int push_image(struct store *store, const char *text, const char *place,
	       const struct manifest_options *options, struct push_result *out, struct err *err)
{
	auto_image struct image image = IMAGE_INIT;
	auto_free char *name = NULL;
	const char *rest;
	const struct transport *transport = transport_find(place, &rest, err);
	struct push_job job = { .store = store, .image = &image, .options = options };

	if (!transport)
		return -1;
	if (options && !transport->has_compression)
		return err_set(err, ERR_USAGE,
			       "the options of format and compression have no meaning for %s",
			       transport->form);
	if (image_get(store, text, &image, err) < 0 ||
	    own_name(store, &image, text, &name, err) < 0)
		return -1;
	job.name = name;
	if (transport->write(rest, &job, err) < 0)
		return err_prefix(err, "push '%s' to '%s'", text, place);
	*out = (struct push_result){ .id = image.id, .used_stdout = job.out_used_stdout };
	return 0;
}
