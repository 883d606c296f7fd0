/* SPDX-License-Identifier: Apache-2.0 */
/* registries.conf: what is read gives each name a place, the registry itself last. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "registry/registries-conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct registries_conf *conf, const char *name)
{
	auto_registry_locations struct registry_locations found = { .items = NULL };
	auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
	auto_free char *full = NULL;
	struct err err = ERR_INIT;

	if (registries_conf_short_name(conf, name, &full, &err) < 0 ||
	    image_ref_parse(full ? full : name, &ref, &err) < 0 ||
	    registries_conf_locate(conf, &ref, true, &found, &err) < 0) {
		if (err.kind != ERR_INPUT || found.count)
			abort();
		return;
	}
	if (found.count == 0 || found.items[found.count - 1].is_mirror)
		abort();
	for (size_t i = 0; i < found.count; i++)
		if (found.items[i].host[0] == '\0' || found.items[i].repository[0] == '\0')
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_registries_conf struct registries_conf conf = REGISTRIES_CONF_INIT;
	struct err err = ERR_INIT;

	if (registries_conf_parse((const char *)data, size, "conf", &conf, &err) < 0) {
		if (err.kind != ERR_INPUT || !err.text[0])
			abort();
		return 0;
	}
	ask(&conf, "a");
	ask(&conf, "a/b:1");
	ask(&conf, "a.io/b/c");
	ask(&conf, "x.a.io/b@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	return 0;
}
