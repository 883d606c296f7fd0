/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_HOSTS_TOML_H
#define REGISTRY_HOSTS_TOML_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/strlist.h"

/*
 * certs.d/HOST/hosts.toml, as containerd, nerdctl and newer dockers read it: where what is in the
 * registry HOST can be had, in the order of the file, and last from the registry itself.
 *
 *   server = "URL"      the registry itself; else https://HOST. What follows is for it, too.
 *   [host."URL"]        a mirror. URL: ("https" | "http") "://" HOST[:PORT] [PATH]
 *     capabilities      a list of "pull", "resolve", "push", "referrers"; else all
 *     ca                authorities to trust besides the system's: a file, or a list
 *     client            who we are: FILE with certificate and key, [FILE], or [[CERT, KEY]]
 *     skip_verify       true: certificates are not verified
 *     override_path     true: PATH takes the place of "/v2", else it stands in front
 *   [host."URL".header] "NAME" = "VALUE", or a list of values, with every request
 *
 * Files are relative to the directory of hosts.toml. Where it is: the first that is there of
 * ~/.config/containerd/certs.d, ~/.config/docker/certs.d, /etc/containerd/certs.d and
 * /etc/docker/certs.d, in each in HOST[:PORT]/ or else _default/.
 */
struct hosts_entry {
	char *host; /* with port, to talk to */
	char *base; /* what requests begin with: "/v2" */
	bool is_insecure;
	bool can_pull;
	bool can_resolve; /* a tag to a digest */
	struct strlist ca;
	char *cert;
	char *key;              /* may be the same file */
	struct strlist headers; /* "Name: value" */
	bool overrides_path;
};

struct hosts_toml {
	struct hosts_entry server; /* host NULL: HOST as it is */
	struct hosts_entry *mirrors;
	size_t mirror_count;
	char *what; /* the file's name; NULL: there is none */
};
#define HOSTS_TOML_INIT      \
	{                    \
		.what = NULL \
	}
void hosts_toml_release(struct hosts_toml *hosts);
#define auto_hosts_toml __attribute__((cleanup(hosts_toml_release)))

/* ERR_INPUT with its line. *out is empty before. */
int hosts_toml_parse(const char *text, size_t len, const char *what, struct hosts_toml *out,
		     struct err *err);
/* The one for @host, "docker.io" being called so; none is success with nothing set. */
int hosts_toml_load(const char *host, struct hosts_toml *out, struct err *err);

#endif
