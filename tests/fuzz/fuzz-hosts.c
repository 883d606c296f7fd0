/* SPDX-License-Identifier: Apache-2.0 */
/* hosts.toml: every mirror that is read has a host and something that requests begin with, and no
 * header could end a line. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "registry/hosts-toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at(const struct hosts_entry *entry)
{
	if (!entry->base || (entry->base[0] != '/' && entry->base[0] != '\0') ||
	    strpbrk(entry->base, " \r\n?#@") || !entry->cert != !entry->key)
		abort();
	if (entry->host && (entry->host[0] == '\0' || strpbrk(entry->host, "/@?# \r\n")))
		abort();
	for (size_t i = 0; i < entry->headers.count; i++)
		if (strpbrk(entry->headers.items[i], "\r\n") ||
		    !strchr(entry->headers.items[i], ':'))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_hosts_toml struct hosts_toml hosts = HOSTS_TOML_INIT;
	struct err err = ERR_INIT;

	if (hosts_toml_parse((const char *)data, size, "hosts", &hosts, &err) < 0) {
		if (err.kind != ERR_INPUT || !err.text[0] || hosts.what)
			abort();
		return 0;
	}
	look_at(&hosts.server);
	for (size_t i = 0; i < hosts.mirror_count; i++) {
		if (!hosts.mirrors[i].host)
			abort();
		look_at(&hosts.mirrors[i]);
	}
	return 0;
}
