/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_OCI_CONFIG_H
#define SANDBOX_OCI_CONFIG_H

#include "common/err.h"
#include "common/json.h"
#include "sandbox/description.h"

/*
 * A description as the config.json of an OCI bundle (runtime-spec 1.0.2), so that another runtime
 * does the same. ERR_INPUT for what a bundle cannot say: an init; one that stays has no mounts
 * without a path, and no namespaces that end with somebody else.
 */
struct oci_config_options {
	const char *root_path;    /* "rootfs" */
	const char *cgroups_path; /* NULL: the runtime's choice */
	/*
	 * Where sources are mounted (oci_config_source); who runs it is in the namespaces to be
	 * joined, and in a time namespace, already. NULL: a bundle that stays.
	 */
	const char *bundle;
	bool has_filter; /* our own */
};
int oci_config_format(const struct sandbox_description *description,
		      const struct oci_config_options *options, struct strbuf *out,
		      struct err *err);

/* The source of mount @index: below the bundle. The caller's to free. */
char *oci_config_source(const char *bundle, size_t index);

/* Our own filter in docker's JSON form, for these capabilities (oci-seccomp.c). */
struct json *oci_seccomp_json(uint64_t capabilities);

#endif
