/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAYERS_DESCRIPTOR_H
#define LAYERS_DESCRIPTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "common/strlist.h"

/* Content descriptors (image-spec descriptor.md) and media types. */

#define MEDIA_OCI_MANIFEST      "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_INDEX         "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_CONFIG        "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER         "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_OCI_LAYER_GZIP    "application/vnd.oci.image.layer.v1.tar+gzip"
#define MEDIA_OCI_LAYER_ZSTD    "application/vnd.oci.image.layer.v1.tar+zstd"
#define MEDIA_DOCKER_MANIFEST   "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_LIST       "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_CONFIG     "application/vnd.docker.container.image.v1+json"
#define MEDIA_DOCKER_LAYER      "application/vnd.docker.image.rootfs.diff.tar"
#define MEDIA_DOCKER_LAYER_GZIP "application/vnd.docker.image.rootfs.diff.tar.gzip"
#define MEDIA_DOCKER_LAYER_ZSTD "application/vnd.docker.image.rootfs.diff.tar.zstd"

enum media_kind {
	MEDIA_UNKNOWN,
	MEDIA_MANIFEST,
	MEDIA_INDEX,
	MEDIA_CONFIG,
	MEDIA_LAYER, /* of either family, any compression (the nondistributable too) */
};
enum media_kind media_kind_of(const char *media_type);

struct platform {
	char *os;
	char *architecture; /* Go's names: amd64, arm64, … */
	char *variant;      /* NULL when none */
	char *os_version;
};
#define auto_platform __attribute__((cleanup(platform_release)))
void platform_release(struct platform *platform);
void platform_copy(struct platform *to, const struct platform *from);
/* "linux/amd64", "linux/arm/v7", or just "amd64"/"linux". Normalises aliases (x86_64, aarch64). */
int platform_parse(const char *text, struct platform *out, struct err *err);
void platform_format(const struct platform *platform, struct strbuf *out);
/* Are they written alike? */
bool platform_is_same(const struct platform *a, const struct platform *b);
/* Do its processors count with 32 bits? */
bool platform_is_32bit(const struct platform *platform);
/* That of this machine: linux and uname -m by Go's name. */
void platform_host(struct platform *out);
/* How well @have serves @want: -1 not at all, else the larger the better (exact variant first). */
int platform_match(const struct platform *want, const struct platform *have);
/* The members architecture, os, os.version and variant, which a descriptor's platform and a
 * config have in common; those that are empty are NULL afterwards. */
int platform_from_json(const struct json *json, struct platform *out, const char *what,
		       struct err *err);
void platform_to_json(const struct platform *platform, struct json *object);

struct descriptor {
	char *media_type;
	struct digest digest;
	uint64_t size_bytes;
	bool has_platform;
	struct platform platform;
	struct strlist annotations; /* "key=value", sorted by key */
};
#define auto_descriptor __attribute__((cleanup(descriptor_release)))
void descriptor_release(struct descriptor *descriptor);
void descriptor_copy(struct descriptor *to, const struct descriptor *from);
void descriptor_set(struct descriptor *descriptor, const char *media_type,
		    const struct digest *digest, uint64_t size_bytes);
/* ERR_INPUT names @what and the member that is missing or wrong. */
int descriptor_from_json(const struct json *json, struct descriptor *out, const char *what,
			 struct err *err);
struct json *descriptor_to_json(const struct descriptor *descriptor);

#endif
