/* SPDX-License-Identifier: Apache-2.0 */
/* The cache keys of a COPY or ADD: by what is copied from as a whole, by pins, by the files. */
#include "builder/copying.h"

static void key_init(const struct copying *copying, const char *kind, struct cachekey *key)
{
	const struct plan_copy *plan = copying->plan;

	if (plan->is_link)
		step_key_init_alone(copying->run, kind, key);
	else
		step_key_init(copying->run, kind, key);
	cachekey_string(key, "instruction", plan->is_add ? "ADD" : "COPY");
	cachekey_string(key, "destination", plan->dest);
	cachekey_number(key, "is directory", plan->dest_is_dir);
	cachekey_number(key, "unpack", plan->unpacks_urls);
	/* a name means what the image below says: its number tells */
	if (plan->is_link && plan->chown) {
		cachekey_number(key, "uid", copying->options.uid);
		cachekey_number(key, "gid", copying->options.gid);
	} else {
		cachekey_string(key, "chown", plan->chown);
	}
	cachekey_string(key, "chmod", plan->chmod_text);
	cachekey_number(key, "never unpack", plan->never_unpack);
	cachekey_number(key, "parents", plan->keeps_parents);
	cachekey_list(key, "exclude", plan->exclude_texts);
	for (size_t i = 0; i < plan->source_count; i++) {
		if (!plan->sources[i].text)
			continue;
		cachekey_string(key, "text name", plan->sources[i].path);
		cachekey_string(key, "text", plan->sources[i].text);
	}
}

void copying_key_by_chain(const struct copying *copying, struct digest *out)
{
	auto_cachekey struct cachekey key = { 0 };

	key_init(copying, "copy from chain", &key);
	if (chain_id(copying->from))
		cachekey_digest(&key, "from", chain_id(copying->from));
	for (size_t i = 0; i < copying->plan->source_count; i++)
		if (!copying->plan->sources[i].text)
			cachekey_string(&key, "source", copying->plan->sources[i].path);
	cachekey_final(&key, out);
}

bool copying_is_pinned(const struct copying *copying)
{
	const struct plan_copy *plan = copying->plan;
	bool has_remote = false;

	for (size_t i = 0; i < plan->source_count; i++) {
		const struct remote *remote = plan->sources[i].remote;

		if (!remote && !plan->sources[i].text)
			return false;
		if (remote && remote->kind == REMOTE_URL && (!plan->has_checksum || !remote->name))
			return false;
		has_remote = has_remote || remote;
	}
	return has_remote;
}

void copying_key_by_pins(const struct copying *copying, struct digest *out)
{
	const struct plan_copy *plan = copying->plan;
	auto_cachekey struct cachekey key = { 0 };

	key_init(copying, "copy from pins", &key);
	for (size_t i = 0; i < plan->source_count; i++) {
		const struct remote *remote = plan->sources[i].remote;

		if (!remote)
			continue;
		if (remote->kind == REMOTE_URL) {
			cachekey_string(&key, "name", remote->name);
			cachekey_digest(&key, "content", &plan->checksum);
			continue;
		}
		cachekey_string(&key, "commit", copying->remotes[i].download.commit);
		cachekey_string(&key, "directory", remote->subdir);
		cachekey_number(&key, "git directory", remote->keeps_git_dir == TRISTATE_TRUE);
		cachekey_number(&key, "submodules", remote->has_submodules);
	}
	cachekey_final(&key, out);
}

int copying_key_by_files(const struct copying *copying, bool with_content, struct digest *out,
			 struct err *err)
{
	struct select_key_options options = {
		.has_owner = copying->plan->chown != NULL,
		.has_mode = chmod_is_fixed(&copying->plan->chmod),
		.with_content = with_content,
	};
	auto_cachekey struct cachekey key = { 0 };

	key_init(copying, with_content ? "copy" : "copy without content", &key);
	if (select_key(&copying->selection, &options, &key, err) < 0)
		return -1;
	cachekey_final(&key, out);
	return 0;
}
