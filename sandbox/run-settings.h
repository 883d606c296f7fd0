/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_RUN_SETTINGS_H
#define BUILDER_RUN_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "builder/cachekey.h"
#include "common/err.h"
#include "common/strlist.h"
#include "sandbox/initlayer.h"
#include "sandbox/limits.h"
#include "sandbox/volume.h"

/* What the command line says about every RUN step, as it was given. */
struct run_setting_texts {
	struct strlist add_hosts;
	struct strlist dns; /* or "none" */
	struct strlist dns_searches;
	struct strlist dns_options;
	struct strlist ulimits;
	struct strlist groups;
	struct strlist volumes;
	const char *shm_size;
	bool no_hosts;
	bool no_hostname;
};
void run_setting_texts_release(struct run_setting_texts *texts);

/* The same, looked at. All zero is what a step has when nothing is said. */
struct run_settings {
	struct strlist add_hosts;
	struct strlist host_names; /* theirs */
	struct initlayer_dns dns;
	struct limits limits;
	struct strlist groups; /* beside those of its user, by name or number */
	struct volumes volumes;
	uint64_t shm_bytes; /* 0: as always */
	bool no_hosts;      /* the image's /etc/hosts is what it sees */
	bool no_hostname;
	bool no_resolv_conf;
};
void run_settings_release(struct run_settings *settings);

/* @network: of steps that do not say otherwise. ERR_USAGE. */
int run_settings_make(const struct run_setting_texts *texts, enum sandbox_network network,
		      struct run_settings *out, struct err *err);

/* What of them a step's result may depend on by right: no address, and no file of the host. */
void run_settings_key(const struct run_settings *settings, struct cachekey *key);

#endif
