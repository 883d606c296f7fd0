/* SPDX-License-Identifier: Apache-2.0 */
/* Image names, platforms and times: both forms of a name mean the same name. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "layers/descriptor.h"
#include "layers/imagetime.h"
#include "layers/ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_mean_the_same(const struct strbuf *form, const struct strbuf *full)
{
	auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
	auto_strbuf struct strbuf again = STRBUF_INIT;
	struct err err = ERR_INIT;

	if (image_ref_parse(form->data, &ref, &err) < 0)
		abort();
	image_ref_format(&ref, &again);
	if (strcmp(again.data, full->data) != 0)
		abort();
}

static void check_ref(const char *text)
{
	auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
	auto_strbuf struct strbuf full = STRBUF_INIT;
	auto_strbuf struct strbuf familiar = STRBUF_INIT;
	struct err err = ERR_INIT;

	if (image_ref_parse(text, &ref, &err) < 0)
		return;
	if (strstr(ref.path, "..") || ref.path[0] == '/')
		abort();
	image_ref_format(&ref, &full);
	image_ref_format_familiar(&ref, &familiar);
	must_mean_the_same(&full, &full);
	must_mean_the_same(&familiar, &full);
}

static void check_platform(const char *text)
{
	auto_platform struct platform platform = { .os = NULL };
	struct err err = ERR_INIT;

	if (platform_parse(text, &platform, &err) == 0 &&
	    platform_match(&platform, &platform) != 100)
		abort();
}

static void check_time(const char *text)
{
	struct timespec when;
	struct timespec again;
	struct err err = ERR_INIT;
	char buf[40];

	if (image_time_parse(text, &when, &err) < 0)
		return;
	if (image_time_parse(image_time_format(when, buf), &again, &err) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = str_ndup((const char *)data, size);

	check_ref(text);
	check_platform(text);
	check_time(text);
	return 0;
}
