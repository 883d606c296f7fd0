/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what the command line says about how commands run, in steps of a build as in
 * containers: whether it can be, and what of a description it decides.
 */
#include "sandbox/run-settings.h"

#include <string.h>

#include "common/size.h"
#include "sandbox/device.h"

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
	strlist_release(&texts->devices);
	resource_texts_release(&texts->resources);
}

void run_settings_release(struct run_settings *settings)
{
	strlist_release(&settings->add_hosts);
	strlist_release(&settings->host_names);
	dns_release(&settings->dns);
	limits_release(&settings->limits);
	strlist_release(&settings->groups);
	volumes_release(&settings->volumes);
	strlist_release(&settings->devices);
	resources_release(&settings->resources);
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
	if (size_parse(text, out, err) < 0) {
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
	    take_groups(&texts->groups, &out->groups, err) < 0 ||
	    resources_parse(&texts->resources, &out->resources, err) < 0 ||
	    device_grants_check(&texts->devices, err) < 0)
		return -1;
	strlist_copy(&out->devices, &texts->devices);
	for (size_t i = 0; i < texts->ulimits.count; i++)
		if (limits_add(&out->limits, texts->ulimits.items[i], err) < 0)
			return -1;
	return volumes_parse(&texts->volumes, &out->volumes, err);
}

int run_settings_apply(const struct run_settings *settings, int root_fd, struct user_ids *ids,
		       struct sandbox_description *out, struct err *err)
{
	for (size_t i = 0; i < settings->groups.count; i++)
		if (user_add_group(root_fd, settings->groups.items[i], ids, err) < 0)
			return err_prefix(err, "--group-add");
	for (size_t i = 0; i < settings->limits.count; i++)
		sandbox_description_add_rlimit(out, &settings->limits.items[i]);
	if (settings->shm_bytes)
		sandbox_description_set_shm(out, settings->shm_bytes);
	resources_copy(&out->resources, &settings->resources);
	return 0;
}
