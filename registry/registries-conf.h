/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_REGISTRIES_CONF_H
#define REGISTRY_REGISTRIES_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/strlist.h"
#include "layers/ref.h"

/*
 * registries.conf, version 2, as podman, skopeo and buildah read it: where registries have
 * mirrors, which may be spoken to without TLS, which not at all, and what short names mean.
 *
 *   unqualified-search-registries = ["HOST"…]
 *   [[registry]]         prefix, location, insecure, blocked, mirror-by-digest-only
 *   [[registry.mirror]]  location, insecure, pull-from-mirror = "all" | "digest-only" | "tag-only"
 *   [aliases]            "NAME" = "HOST/PATH"
 *
 * The file is $CONTAINERS_REGISTRIES_CONF, and then no other one; or
 * ~/.config/containers/registries.conf with the *.conf of registries.conf.d beside it; or
 * /etc/containers/registries.conf with those of /etc/containers/registries.conf.d and of the user's. What comes later
 * replaces a registry of the same prefix, an alias of the same name, the list.
 */
enum mirror_use {
	MIRROR_ALL,
	MIRROR_DIGEST_ONLY,
	MIRROR_TAG_ONLY,
};

struct registry_mirror {
	char *location;
	bool is_insecure;
	enum mirror_use use;
};

struct registry_rule {
	char *prefix;   /* "HOST[/PATH]" or "*.DOMAIN" */
	char *location; /* what takes the prefix's place; NULL: nothing does */
	bool is_insecure;
	bool is_blocked;
	bool mirrors_by_digest_only;
	struct registry_mirror *mirrors;
	size_t mirror_count;
};

struct registries_conf {
	struct registry_rule *rules;
	size_t rule_count;
	struct strlist search;
	struct strlist aliases; /* "name=host/path" */
};
#define REGISTRIES_CONF_INIT  \
	{                     \
		.rules = NULL \
	}
void registries_conf_release(struct registries_conf *conf);
#define auto_registries_conf __attribute__((cleanup(registries_conf_release)))

/* Add what one file says. ERR_INPUT with its line. */
int registries_conf_parse(const char *text, size_t len, const char *what,
			  struct registries_conf *conf, struct err *err);
/* All files of this user. */
int registries_conf_load(struct registries_conf *out, struct err *err);

/* One of the places where an image can be, in the order in which they are to be asked. */
struct registry_location {
	char *host;       /* with port */
	char *repository; /* there */
	bool is_insecure;
	bool is_mirror;
};
struct registry_locations {
	struct registry_location *items;
	size_t count;
};
void registry_locations_release(struct registry_locations *locations);
#define auto_registry_locations __attribute__((cleanup(registry_locations_release)))

/* Mirrors first when it is a pull, the registry itself last. ERR_INPUT when it is blocked. */
int registries_conf_locate(const struct registries_conf *conf, const struct image_ref *ref,
			   bool is_pull, struct registry_locations *out, struct err *err);

/*
 * What a short name ("debian", "debian:12@sha256:…", no host) means: *out is the name with its
 * host, the caller's; NULL when nothing is said about it, or it has a host. ERR_INPUT when
 * it could be of several registries.
 */
int registries_conf_short_name(const struct registries_conf *conf, const char *text, char **out,
			       struct err *err);

#endif
