/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_RUN_SETTINGS_H
#define SANDBOX_RUN_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/strlist.h"
#include "sandbox/description.h"
#include "sandbox/initlayer.h"
#include "sandbox/limits.h"
#include "sandbox/resources.h"
#include "sandbox/user.h"
#include "sandbox/volume.h"

/* What the command line says about how commands run, as it was given: imgbuild and imgrun. */
struct run_setting_texts {
	struct strlist add_hosts;
	struct strlist dns; /* or "none" */
	struct strlist dns_searches;
	struct strlist dns_options;
	struct strlist ulimits;
	struct strlist groups;
	struct strlist volumes;
	struct strlist devices;
	struct resource_texts resources;
	const char *shm_size;
	bool no_hosts;
	bool no_hostname;
};
void run_setting_texts_release(struct run_setting_texts *texts);

/* Rows for a table of struct cmdline_option. */
#define RUN_SETTING_OPTIONS(texts)                                               \
	{ 0,                                                                     \
	  "add-host",                                                            \
	  OPTION_LIST,                                                           \
	  &(texts)->add_hosts,                                                   \
	  "NAME:ADDRESS",                                                        \
	  "a line of /etc/hosts; the address of this machine is host-gateway",   \
	  NULL },                                                                \
		{ 0,           "no-hosts",                                       \
		  OPTION_FLAG, &(texts)->no_hosts,                               \
		  NULL,        "commands see the image's own /etc/hosts",        \
		  NULL },                                                        \
		{ 0,           "no-hostname",                                    \
		  OPTION_FLAG, &(texts)->no_hostname,                            \
		  NULL,        "commands see the image's own /etc/hostname",     \
		  NULL },                                                        \
		{ 0,                                                             \
		  "dns",                                                         \
		  OPTION_LIST,                                                   \
		  &(texts)->dns,                                                 \
		  "ADDRESS|none",                                                \
		  "name server; none: the image's own /etc/resolv.conf",         \
		  NULL },                                                        \
		{ 0,           "dns-search",                                     \
		  OPTION_LIST, &(texts)->dns_searches,                           \
		  "DOMAIN|.",  "where short names are looked for; . is nowhere", \
		  NULL },                                                        \
		{ 0,           "dns-option",                                     \
		  OPTION_LIST, &(texts)->dns_options,                            \
		  "OPTION",    "option of /etc/resolv.conf",                     \
		  NULL },                                                        \
		{ 0,                                                             \
		  "ulimit",                                                      \
		  OPTION_LIST,                                                   \
		  &(texts)->ulimits,                                             \
		  "NAME=SOFT[:HARD]|host",                                       \
		  "limit of each process",                                       \
		  NULL },                                                        \
		{ 0,                                                             \
		  "shm-size",                                                    \
		  OPTION_STRING,                                                 \
		  &(texts)->shm_size,                                            \
		  "SIZE",                                                        \
		  "size of /dev/shm (default: 64m)",                             \
		  NULL },                                                        \
		{ 0,           "group-add",                                      \
		  OPTION_LIST, &(texts)->groups,                                 \
		  "GROUP",     "one more group for the processes",               \
		  NULL },                                                        \
		{ 0,                                                             \
		  "device",                                                      \
		  OPTION_LIST,                                                   \
		  &(texts)->devices,                                             \
		  "HOST[:CONTAINER][:rwm]",                                      \
		  "a device of the host, or all in a directory",                 \
		  NULL },                                                        \
		RESOURCE_OPTIONS(&(texts)->resources)

/* The same, looked at. All zero is what a step has when nothing is said. */
struct run_settings {
	struct strlist add_hosts;
	struct strlist host_names; /* theirs */
	struct initlayer_dns dns;
	struct limits limits;
	struct strlist groups; /* beside those of its user, by name or number */
	struct volumes volumes;
	struct strlist devices; /* as given */
	struct resources resources;
	uint64_t shm_bytes; /* 0: as always */
	bool no_hosts;      /* the image's /etc/hosts is what it sees */
	bool no_hostname;
	bool no_resolv_conf;
};
void run_settings_release(struct run_settings *settings);

/* @network: of steps that do not say otherwise. ERR_USAGE. */
int run_settings_make(const struct run_setting_texts *texts, enum sandbox_network network,
		      struct run_settings *out, struct err *err);

/*
 * Into a description, but for hosts, volumes, devices and resources, which are others' affair.
 * Groups are looked up in the root and added to @ids.
 */
int run_settings_apply(const struct run_settings *settings, int root_fd, struct user_ids *ids,
		       struct sandbox_description *out, struct err *err);

#endif
