/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what the command line says about every RUN step: whether it can be,
 * and what of it is in the keys of steps.
 */
#include "builder/run-settings.h"

#include <string.h>

#include "builder/value.h"

static void dns_release(struct initlayer_dns *dns)
{
	strlist_release(&dns->servers);
	strlist_release(&dns->searches);
	strlist_release(&dns->options);
}

void run_setting_texts_release(struct run_setting_texts *texts)
{
	strlist_release(&texts->add_hosts);
	strlist_release(&texts->dns);
	strlist_release(&texts->dns_searches);
	strlist_release(&texts->dns_options);
	strlist_release(&texts->ulimits);
	strlist_release(&texts->groups);
	strlist_release(&texts->volumes);
}

void run_settings_release(struct run_settings *settings)
{
	strlist_release(&settings->add_hosts);
	strlist_release(&settings->host_names);
	dns_release(&settings->dns);
	limits_release(&settings->limits);
	strlist_release(&settings->groups);
	volumes_release(&settings->volumes);
	*settings = (struct run_settings){ .shm_bytes = 0 };
}

static int take_hosts(const struct run_setting_texts *texts, enum sandbox_network network,
		      struct run_settings *out, struct err *err)
{
	out->no_hosts = texts->no_hosts;
	out->no_hostname = texts->no_hostname;
	if (texts->no_hosts && texts->add_hosts.count > 0)
		return err_set(err, ERR_USAGE,
			       "--no-hosts leaves no file that --add-host '%s' could be added to",
			       texts->add_hosts.items[0]);
	strlist_copy(&out->add_hosts, &texts->add_hosts);
	if (initlayer_hosts_check(&out->add_hosts, network, err) < 0)
		return -1;
	return initlayer_host_names(&out->add_hosts, &out->host_names, err);
}

static int take_dns(const struct run_setting_texts *texts, enum sandbox_network network,
		    struct run_settings *out, struct err *err)
{
	bool is_none = strlist_has(&texts->dns, "none");
	size_t count = texts->dns.count + texts->dns_searches.count + texts->dns_options.count;

	if (count > 0 && network == SANDBOX_NETWORK_NONE)
		return err_set(err, ERR_USAGE,
			       "--dns, --dns-search and --dns-option mean nothing "
			       "without a network");
	out->no_resolv_conf = is_none;
	if (is_none && count > 1)
		return err_set(err, ERR_USAGE,
			       "--dns none leaves no file that says anything else of it");
	if (is_none)
		return 0;
	strlist_copy(&out->dns.servers, &texts->dns);
	strlist_copy(&out->dns.searches, &texts->dns_searches);
	strlist_copy(&out->dns.options, &texts->dns_options);
	return initlayer_dns_check(&out->dns, err);
}

static int take_shm(const char *text, uint64_t *out, struct err *err)
{
	if (!text)
		return 0;
	if (value_size(text, out, err) < 0) {
		err->kind = ERR_USAGE;
		return err_prefix(err, "--shm-size");
	}
	return *out > 0 ? 0 : err_set(err, ERR_USAGE, "--shm-size '%s' leaves no room", text);
}

static int take_groups(const struct strlist *texts, struct strlist *out, struct err *err)
{
	for (size_t i = 0; i < texts->count; i++)
		if (texts->items[i][0] == '\0' || strcmp(texts->items[i], "keep-groups") == 0)
			return err_set(err, ERR_USAGE,
				       "--group-add '%s': a group by name or number is needed",
				       texts->items[i]);
	strlist_copy(out, texts);
	return 0;
}

int run_settings_make(const struct run_setting_texts *texts, enum sandbox_network network,
		      struct run_settings *out, struct err *err)
{
	if (take_hosts(texts, network, out, err) < 0 || take_dns(texts, network, out, err) < 0 ||
	    take_shm(texts->shm_size, &out->shm_bytes, err) < 0 ||
	    take_groups(&texts->groups, &out->groups, err) < 0)
		return -1;
	for (size_t i = 0; i < texts->ulimits.count; i++)
		if (limits_add(&out->limits, texts->ulimits.items[i], err) < 0)
			return -1;
	return volumes_parse(&texts->volumes, &out->volumes, err);
}

static void volumes_key(const struct volumes *volumes, struct cachekey *key)
{
	for (size_t i = 0; i < volumes->count; i++) {
		cachekey_string(key, "volume", volumes->items[i].target);
		cachekey_number(key, "read-only", volumes->items[i].read_only);
		cachekey_number(key, "overlay", volumes->items[i].is_overlay);
	}
}

void run_settings_key(const struct run_settings *settings, struct cachekey *key)
{
	for (size_t i = 0; i < settings->host_names.count; i++)
		cachekey_string(key, "host", settings->host_names.items[i]);
	for (size_t i = 0; i < settings->limits.count; i++) {
		cachekey_number(key, "limit", settings->limits.items[i].resource);
		cachekey_number(key, "soft", (int64_t)settings->limits.items[i].soft);
		cachekey_number(key, "hard", (int64_t)settings->limits.items[i].hard);
	}
	for (size_t i = 0; i < settings->groups.count; i++)
		cachekey_string(key, "group", settings->groups.items[i]);
	if (settings->shm_bytes)
		cachekey_number(key, "shm", (int64_t)settings->shm_bytes);
	if (settings->no_hosts)
		cachekey_number(key, "no hosts", 1);
	if (settings->no_hostname)
		cachekey_number(key, "no hostname", 1);
	if (settings->no_resolv_conf)
		cachekey_number(key, "no resolv.conf", 1);
	volumes_key(&settings->volumes, key);
}
