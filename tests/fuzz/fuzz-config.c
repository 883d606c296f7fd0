/* SPDX-License-Identifier: Apache-2.0 */
/* Image configurations: what is taken means the same when written and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "layers/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_image_config struct image_config config = { .created = NULL };
	auto_image_config struct image_config copy = { .created = NULL };
	auto_image_config struct image_config again = { .created = NULL };
	auto_strbuf struct strbuf once = STRBUF_INIT;
	auto_strbuf struct strbuf twice = STRBUF_INIT;
	struct err err = ERR_INIT;

	if (image_config_parse((const char *)data, size, "input", &config, &err) < 0)
		return 0;
	image_config_copy(&copy, &config);
	image_config_format(&copy, &once);
	if (image_config_parse(once.data, once.len, "again", &again, &err) < 0)
		abort();
	image_config_format(&again, &twice);
	if (strcmp(once.data, twice.data) != 0)
		abort();
	return 0;
}
