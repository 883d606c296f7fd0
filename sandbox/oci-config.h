/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_OCI_CONFIG_H
#define SANDBOX_OCI_CONFIG_H

#include "common/err.h"
#include "common/json.h"
#include "sandbox/description.h"

/*
 * A description as the config.json of an OCI bundle (runtime-spec 1.0.2), so that another runtime
 * does the same. Of what is bound the path is given, of a namespace to be joined
 * "/proc/PID/fd/N" of this process, good as long as it lives and holds it. ERR_INPUT for what a
 * bundle cannot say: mounts without a path, rates of disks, an init.
 */
struct oci_config_options {
	const char *root_path; /* "rootfs" */
	bool has_filter;       /* our own */
	bool is_lasting;       /* for who comes after us: no namespace of ours is in it */
};
int oci_config_format(const struct sandbox_description *description,
		      const struct oci_config_options *options, struct strbuf *out,
		      struct err *err);

/* Our own filter in docker's JSON form, for these capabilities (oci-seccomp.c). */
struct json *oci_seccomp_json(uint64_t capabilities);

#endif
