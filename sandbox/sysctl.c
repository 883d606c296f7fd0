/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for --sysctl: which settings of the kernel are a container's own. */
#include "sandbox/sysctl.h"

#include <string.h>

#include "common/mem.h"
#include "sandbox/description.h"

/* One that ends in "/" stands for all below it. */
static const struct {
	const char *path;
	unsigned ns;
} owned[] = {
	{ "kernel/msgmax", SANDBOX_NS_IPC },     { "kernel/msgmnb", SANDBOX_NS_IPC },
	{ "kernel/msgmni", SANDBOX_NS_IPC },     { "kernel/sem", SANDBOX_NS_IPC },
	{ "kernel/shmall", SANDBOX_NS_IPC },     { "kernel/shmmax", SANDBOX_NS_IPC },
	{ "kernel/shmmni", SANDBOX_NS_IPC },     { "kernel/shm_rmid_forced", SANDBOX_NS_IPC },
	{ "fs/mqueue/", SANDBOX_NS_IPC },        { "net/", SANDBOX_NS_NET },
	{ "kernel/domainname", SANDBOX_NS_UTS },
};

static unsigned owner_of(const char *path)
{
	for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++) {
		const size_t len = strlen(owned[i].path);
		const bool is_all = owned[i].path[len - 1] == '/';

		if (is_all ? strncmp(path, owned[i].path, len) == 0 && path[len]
			   : strcmp(path, owned[i].path) == 0)
			return owned[i].ns;
	}
	return 0;
}

/* In place: the first separator becomes "/", and "/" becomes the other. */
static void swap(char *name)
{
	if (name[strcspn(name, "./")] != '.')
		return;
	for (; *name; name++)
		*name = *name == '.' ? '/' : *name == '/' ? '.' : *name;
}

static bool is_path(const char *path)
{
	return path[0] && path[0] != '/' && path[strlen(path) - 1] != '/' && !strstr(path, "//") &&
	       !strstr(path, "..");
}

int sysctl_parse(const char *text, struct strlist *out, unsigned *out_ns, struct err *err)
{
	const char *equals = strchr(text, '=');
	auto_free char *path = equals ? str_ndup(text, (size_t)(equals - text)) : NULL;
	unsigned ns;

	if (path)
		swap(path);
	if (!path || !is_path(path) || !equals[1])
		return err_set(err, ERR_USAGE, "--sysctl '%s' is not NAME=VALUE", text);
	ns = owner_of(path);
	if (!ns) {
		err_set(err, ERR_USAGE, "--sysctl '%s': no container has that of its own", text);
		return err_detail(err,
				  "those that can be set are net.*, fs.mqueue.*, kernel.msg*, "
				  "kernel.sem, kernel.shm* and kernel.domainname; %s",
				  strcmp(path, "kernel/hostname") == 0
					  ? "--hostname gives a host name"
					  : "others are the whole host's");
	}
	strlist_addf(out, "%s=%s", path, equals + 1);
	*out_ns = ns;
	return 0;
}

char *sysctl_name(const char *item)
{
	char *name = str_ndup(item, strcspn(item, "="));

	for (char *c = name; *c; c++)
		*c = *c == '/' ? '.' : *c == '.' ? '/' : *c;
	return name;
}
