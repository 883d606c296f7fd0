/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for content descriptors, media types and platforms. What a manifest
 * or an index may hold is manifest.c's.
 */
#include "layers/descriptor.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "common/mem.h"
#include "layers/pairs.h"

/* ---- media types ---- */

static const struct {
	const char *name;
	enum media_kind kind;
} media_types[] = {
	{ MEDIA_OCI_MANIFEST, MEDIA_MANIFEST },
	{ MEDIA_DOCKER_MANIFEST, MEDIA_MANIFEST },
	{ MEDIA_OCI_INDEX, MEDIA_INDEX },
	{ MEDIA_DOCKER_LIST, MEDIA_INDEX },
	{ MEDIA_OCI_CONFIG, MEDIA_CONFIG },
	{ MEDIA_DOCKER_CONFIG, MEDIA_CONFIG },
	{ MEDIA_OCI_LAYER, MEDIA_LAYER },
	{ MEDIA_OCI_LAYER_GZIP, MEDIA_LAYER },
	{ MEDIA_OCI_LAYER_ZSTD, MEDIA_LAYER },
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar", MEDIA_LAYER },
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", MEDIA_LAYER },
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", MEDIA_LAYER },
	{ MEDIA_DOCKER_LAYER, MEDIA_LAYER },
	{ MEDIA_DOCKER_LAYER_GZIP, MEDIA_LAYER },
	{ MEDIA_DOCKER_LAYER_ZSTD, MEDIA_LAYER },
	{ "application/vnd.docker.image.rootfs.foreign.diff.tar", MEDIA_LAYER },
	{ "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", MEDIA_LAYER },
};

enum media_kind media_kind_of(const char *media_type)
{
	for (size_t i = 0; i < sizeof(media_types) / sizeof(media_types[0]); i++)
		if (strcmp(media_type, media_types[i].name) == 0)
			return media_types[i].kind;
	return MEDIA_UNKNOWN;
}

/* ---- platforms ---- */

static const struct {
	const char *alias;
	const char *architecture;
	const char *variant;
} architectures[] = {
	{ "x86_64", "amd64", NULL },      { "x86-64", "amd64", NULL },
	{ "aarch64", "arm64", NULL },     { "armhf", "arm", "v7" },
	{ "armel", "arm", "v6" },         { "armv5l", "arm", "v5" },
	{ "armv6l", "arm", "v6" },        { "armv7l", "arm", "v7" },
	{ "armv8l", "arm", "v7" },        { "i386", "386", NULL },
	{ "i486", "386", NULL },          { "i586", "386", NULL },
	{ "i686", "386", NULL },          { "loongarch64", "loong64", NULL },
	{ "mips64el", "mips64le", NULL }, { "mipsel", "mipsle", NULL },
};

static const char *const known_architectures[] = {
	"386",    "amd64", "arm",     "arm64",   "loong64", "mips", "mips64", "mips64le",
	"mipsle", "ppc64", "ppc64le", "riscv64", "s390x",   "wasm", NULL,
};
static const char *const known_systems[] = {
	"aix",    "android", "darwin", "dragonfly", "freebsd", "illumos", "linux",
	"netbsd", "openbsd", "plan9",  "solaris",   "wasip1",  "windows", NULL,
};

void platform_release(struct platform *platform)
{
	free(platform->os);
	free(platform->architecture);
	free(platform->variant);
	free(platform->os_version);
	*platform = (struct platform){ .os = NULL };
}

void platform_copy(struct platform *to, const struct platform *from)
{
	struct platform fresh = {
		.os = str_dup(from->os),
		.architecture = str_dup(from->architecture),
		.variant = str_dup(from->variant),
		.os_version = str_dup(from->os_version),
	};

	platform_release(to);
	*to = fresh;
}

static bool in_list(const char *const *list, const char *word)
{
	for (; *list; list++)
		if (strcmp(*list, word) == 0)
			return true;
	return false;
}

/* Set architecture and variant by Go's names; arm64 v8 and amd64 v1 are what no variant means. */
static void set_architecture(struct platform *platform, const char *name, const char *variant)
{
	for (size_t i = 0; i < sizeof(architectures) / sizeof(architectures[0]); i++) {
		if (strcmp(name, architectures[i].alias) != 0)
			continue;
		name = architectures[i].architecture;
		variant = variant ? variant : architectures[i].variant;
		break;
	}
	platform->architecture = str_dup(name);
	if (!variant || (strcmp(name, "arm64") == 0 && strcmp(variant, "v8") == 0) ||
	    (strcmp(name, "amd64") == 0 && strcmp(variant, "v1") == 0))
		return;
	if (strcmp(name, "arm") == 0 && strspn(variant, "0123456789") == strlen(variant))
		platform->variant = str_format("v%s", variant);
	else
		platform->variant = str_dup(variant);
}

static bool is_known_architecture(const char *name)
{
	for (size_t i = 0; i < sizeof(architectures) / sizeof(architectures[0]); i++)
		if (strcmp(name, architectures[i].alias) == 0)
			return true;
	return in_list(known_architectures, name);
}

static bool is_platform_word(const char *word)
{
	if (word[0] == '\0')
		return false;
	for (; *word; word++)
		if (!(*word >= 'a' && *word <= 'z') && !(*word >= '0' && *word <= '9') &&
		    *word != '_' && *word != '-' && *word != '.')
			return false;
	return true;
}

static void to_lower(char *text)
{
	for (; *text; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text - 'A' + 'a');
}

/* Fill @out from the words of "os/arch/variant"; one word alone is whichever it names. */
static int platform_from_words(char **words, size_t count, struct platform *out, const char *text,
			       struct err *err)
{
	struct platform host = { .os = NULL };

	for (size_t i = 0; i < count; i++)
		if (!is_platform_word(words[i]))
			return err_set(err, ERR_INPUT, "'%.100s' is not a platform", text);
	if (count >= 2) {
		out->os = str_dup(strcmp(words[0], "macos") == 0 ? "darwin" : words[0]);
		set_architecture(out, words[1], count == 3 ? words[2] : NULL);
		return 0;
	}
	if (is_known_architecture(words[0])) {
		out->os = str_dup("linux");
		set_architecture(out, words[0], NULL);
		return 0;
	}
	if (!in_list(known_systems, words[0]))
		return err_set(err, ERR_INPUT,
			       "'%.100s' is neither an operating system nor an architecture that "
			       "is known",
			       text);
	platform_host(&host);
	out->os = str_dup(words[0]);
	out->architecture = ptr_steal(&host.architecture);
	out->variant = ptr_steal(&host.variant);
	platform_release(&host);
	return 0;
}

int platform_parse(const char *text, struct platform *out, struct err *err)
{
	auto_free char *copy = str_dup(text);
	struct platform platform = { .os = NULL };
	char *words[3];
	size_t count = 0;
	char *rest = copy;

	to_lower(copy);
	for (char *word; (word = strsep(&rest, "/"));) {
		if (count == 3)
			return err_set(
				err, ERR_INPUT,
				"'%.100s' is not a platform: os/architecture/variant at most",
				text);
		words[count++] = word;
	}
	if (platform_from_words(words, count, &platform, text, err) < 0)
		return -1;
	*out = platform;
	return 0;
}

void platform_format(const struct platform *platform, struct strbuf *out)
{
	strbuf_printf(out, "%s/%s", platform->os ? platform->os : "unknown",
		      platform->architecture ? platform->architecture : "unknown");
	if (platform->variant)
		strbuf_printf(out, "/%s", platform->variant);
}

bool platform_is_same(const struct platform *a, const struct platform *b)
{
	auto_strbuf struct strbuf left = STRBUF_INIT;
	auto_strbuf struct strbuf right = STRBUF_INIT;

	platform_format(a, &left);
	platform_format(b, &right);
	return strcmp(left.data, right.data) == 0;
}

bool platform_is_32bit(const struct platform *platform)
{
	static const char *const narrow[] = { "386", "arm", "mips", "mipsle", "ppc", NULL };

	return platform->architecture && in_list(narrow, platform->architecture);
}

void platform_host(struct platform *out)
{
	struct platform platform = { .os = str_dup("linux") };
	struct utsname name;

	/* uname(2) fails only for a bad address */
	set_architecture(&platform, uname(&name) == 0 ? name.machine : "unknown", NULL);
	*out = platform;
}

/* The level in "v7"; what has no variant is the base of its architecture; -1 is no level. */
static int variant_level(const struct platform *platform)
{
	const char *variant = platform->variant;

	if (!variant || variant[0] == '\0')
		return strcmp(platform->architecture, "arm64") == 0 ? 8 : 1;
	if (variant[0] == 'v' && variant[1] >= '1' && variant[1] <= '9' && variant[2] == '\0')
		return variant[1] - '0';
	return -1;
}

static bool has_variant(const struct platform *platform)
{
	return platform->variant && platform->variant[0] != '\0';
}

/* arm: without a variant asked, none is best, then the newest; else never a newer one than asked.
 */
static int match_arm(const struct platform *want, const struct platform *have)
{
	int have_level = variant_level(have);

	if (!has_variant(want))
		return has_variant(have) ? have_level : 100;
	if (!has_variant(have))
		return 0;
	return have_level > 0 && have_level <= variant_level(want) ? have_level : -1;
}

static int match_variant(const struct platform *want, const struct platform *have)
{
	const char *architecture = want->architecture;
	int want_level = variant_level(want);
	int have_level = variant_level(have);

	if (has_variant(want) == has_variant(have) &&
	    (!has_variant(want) || strcmp(want->variant, have->variant) == 0))
		return 100;
	if (strcmp(architecture, "arm") == 0)
		return match_arm(want, have);
	if (strcmp(architecture, "arm64") == 0 || strcmp(architecture, "amd64") == 0)
		return have_level > 0 && have_level <= want_level ? have_level : -1;
	return has_variant(have) ? -1 : 0;
}

int platform_match(const struct platform *want, const struct platform *have)
{
	if (!want->os || !want->architecture || !have->os || !have->architecture)
		return -1;
	if (strcmp(want->os, have->os) != 0 || strcmp(want->architecture, have->architecture) != 0)
		return -1;
	if (want->os_version &&
	    (!have->os_version || strcmp(want->os_version, have->os_version) != 0))
		return -1;
	return match_variant(want, have);
}

int platform_from_json(const struct json *json, struct platform *out, const char *what,
		       struct err *err)
{
	auto_platform struct platform platform = { .os = NULL };

	if (text_take(json, "architecture", &platform.architecture, what, err) < 0 ||
	    text_take(json, "os", &platform.os, what, err) < 0 ||
	    text_take(json, "os.version", &platform.os_version, what, err) < 0 ||
	    text_take(json, "variant", &platform.variant, what, err) < 0)
		return -1;
	*out = platform;
	platform = (struct platform){ .os = NULL };
	return 0;
}

void platform_to_json(const struct platform *platform, struct json *object)
{
	json_set_string(object, "architecture",
			platform->architecture ? platform->architecture : "");
	json_set_string(object, "os", platform->os ? platform->os : "");
	json_set_string(object, "os.version", platform->os_version);
	json_set_string(object, "variant", platform->variant);
}

/* ---- descriptors ---- */

void descriptor_release(struct descriptor *descriptor)
{
	free(descriptor->media_type);
	platform_release(&descriptor->platform);
	strlist_release(&descriptor->annotations);
	*descriptor = (struct descriptor){ .media_type = NULL };
}

void descriptor_copy(struct descriptor *to, const struct descriptor *from)
{
	struct descriptor fresh = {
		.media_type = str_dup(from->media_type),
		.digest = from->digest,
		.size_bytes = from->size_bytes,
		.has_platform = from->has_platform,
	};

	platform_copy(&fresh.platform, &from->platform);
	strlist_copy(&fresh.annotations, &from->annotations);
	descriptor_release(to);
	*to = fresh;
}

void descriptor_set(struct descriptor *descriptor, const char *media_type,
		    const struct digest *digest, uint64_t size_bytes)
{
	struct descriptor fresh = {
		.media_type = str_dup(media_type),
		.digest = *digest,
		.size_bytes = size_bytes,
	};

	descriptor_release(descriptor);
	*descriptor = fresh;
}

/* mediaType, digest and size: each must be there. */
static int take_required(const struct json *json, struct descriptor *out, const char *what,
			 struct err *err)
{
	auto_free char *digest = NULL;
	int64_t size = -1;

	if (json_take_string(json, "mediaType", &out->media_type, what, err) < 0 ||
	    json_take_string(json, "digest", &digest, what, err) < 0 ||
	    json_take_int(json, "size", &size, what, err) < 0)
		return -1;
	if (!out->media_type || out->media_type[0] == '\0')
		return err_set(err, ERR_INPUT, "%s: a descriptor without 'mediaType'", what);
	if (!digest)
		return err_set(err, ERR_INPUT, "%s: a descriptor without 'digest'", what);
	if (digest_parse(digest, &out->digest, err) < 0)
		return err_prefix(err, "%s: 'digest' of a descriptor", what);
	if (size < 0)
		return err_set(err, ERR_INPUT, "%s: a descriptor without a 'size' of 0 or more",
			       what);
	out->size_bytes = (uint64_t)size;
	return 0;
}

int descriptor_from_json(const struct json *json, struct descriptor *out, const char *what,
			 struct err *err)
{
	auto_descriptor struct descriptor descriptor = { .media_type = NULL };
	const struct json *platform = json_get(json, "platform");

	if (!json_is_object(json))
		return err_set(err, ERR_INPUT, "%s: a descriptor is not an object", what);
	if (take_required(json, &descriptor, what, err) < 0 ||
	    pairs_take(json, "annotations", &descriptor.annotations, what, err) < 0)
		return -1;
	if (platform && !json_is_null(platform)) {
		if (!json_is_object(platform))
			return err_set(err, ERR_INPUT, "%s: 'platform' is not an object", what);
		if (platform_from_json(platform, &descriptor.platform, what, err) < 0)
			return -1;
		descriptor.has_platform = true;
	}
	*out = descriptor;
	descriptor = (struct descriptor){ .media_type = NULL };
	return 0;
}

struct json *descriptor_to_json(const struct descriptor *descriptor)
{
	struct json *json = json_object();
	char digest[DIGEST_NAME_MAX];

	json_set_string(json, "mediaType", descriptor->media_type);
	json_set_string(json, "digest", digest_name(&descriptor->digest, digest));
	json_set_int(json, "size", (int64_t)descriptor->size_bytes);
	pairs_set(json, "annotations", &descriptor->annotations);
	if (descriptor->has_platform) {
		struct json *platform = json_object();

		platform_to_json(&descriptor->platform, platform);
		json_set(json, "platform", platform);
	}
	return json;
}
