/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the description of a container: what its options and its image mean to the sandbox.
 */
#include "sandbox/run-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"
#include "sandbox/attend.h"
#include "sandbox/container-volumes.h"
#include "sandbox/run-plan.h"

/* As docker: a working directory that is not there is made, and is root's. */
static int describe_workdir(struct run *run, struct sandbox_description *out, struct err *err)
{
	const char *image_dir = run->image.config.config.working_dir;
	const char *dir = run->options->workdir ? run->options->workdir : image_dir;
	auto_close int fd = -1;

	if (!dir || !*dir)
		return 0;
	if (run->options->workdir && *dir != '/')
		return err_set(err, ERR_USAGE, "--workdir '%s': not an absolute path", dir);
	free(out->cwd);
	out->cwd = str_format("%s%s", *dir == '/' ? "" : "/", dir);
	fd = beneath_open(run->root_fd, out->cwd, BENEATH_IN_ROOT, O_PATH, err);
	if (fd >= 0 || errno != ENOENT) {
		err_clear(err); /* what else is wrong, the sandbox says, with the mounts in place */
		return 0;
	}
	if (mount_owners_become(own_ids_owners(run->ids), err) < 0)
		return -1;
	fd = beneath_mkdirs(run->root_fd, out->cwd, BENEATH_IN_ROOT, 0755, err);
	mount_owners_unbecome(own_ids_owners(run->ids));
	return fd < 0 ? err_prefix(err, "working directory") : 0;
}

static int describe_network(struct run *run, struct sandbox_description *out, struct err *err)
{
	switch (run->options->network) {
	case SANDBOX_NETWORK_HOST:
		return 0;
	case SANDBOX_NETWORK_NONE:
		out->namespaces |= SANDBOX_NS_NET;
		return 0;
	case SANDBOX_NETWORK_PRIVATE:
		break;
	}
	if (run->options->print_description)
		return 0; /* it would have one, made for it */
	strlist_copy(&run->ports, &run->options->ports);
	if (run->options->publishes_all &&
	    network_ports_publish(&run->image.config.config.exposed_ports, &run->ports, err) < 0)
		return -1;
	if (network_start(run->options->network_helper, &run->ports, run->ids->owners.userns_fd,
			  &run->network, err) < 0)
		return -1;
	sandbox_description_add_join(out, SANDBOX_NS_NET, run->network.ns_fd);
	return 0;
}

static void describe_process(const struct run *run, struct sandbox_description *out)
{
	const struct run_options *options = run->options;

	out->uid = run->user.uid;
	out->gid = run->user.gid;
	out->groups = mem_array(run->user.group_count + 1, sizeof(out->groups[0]));
	for (size_t i = 0; i < run->user.group_count; i++)
		out->groups[out->group_count++] = run->user.groups[i];
	out->is_32bit = platform_is_32bit(&run->image.config.platform);
	out->has_init = options->has_init;
	out->terminal = options->terminal;
	attend_terminal_size(&out->terminal_rows, &out->terminal_columns);
	if (options->has_time_offset) {
		out->namespaces |= SANDBOX_NS_TIME;
		out->time_offset_s = options->time_offset_s;
	}
	strlist_copy(&out->argv, &run->argv);
	run_plan_env(&run->image.config.config, options, run->hostname, run->user.home, &out->env);
}

int run_describe(struct run *run, struct sandbox_description *out, struct err *err)
{
	const struct run_options *options = run->options;
	uint32_t tty;

	sandbox_description_defaults(out);
	if (own_ids_owners(run->ids))
		sandbox_description_nest(out, run->ids->owners.userns_fd,
					 idmap_find(&run->ids->gids, SANDBOX_TTY_GID, &tty));
	out->root_fd = run->root_fd;
	out->read_only_root = options->read_only;
	if (run_settings_apply(run->settings, run->root_fd, &run->user, out, err) < 0)
		return -1;
	describe_process(run, out);
	container_volumes_describe(run->volumes, out);
	strlist_copy(&run->devices.texts, &run->settings->devices);
	if (security_apply(&options->security, run->store, out, &run->seccomp_fd, err) < 0 ||
	    device_grants_apply(&run->devices, options->security.is_privileged, out, err) < 0)
		return -1;
	/* another runtime has groups of its own */
	if (!options->runtime && !options->bundle)
		device_open_granted(out);
	namespaces_describe(&options->namespaces, out);
	strlist_copy(&out->sysctls, &options->sysctls);
	if (out->sysctls.count > 0 && sandbox_is_chroot(out))
		return err_set(err, ERR_SYSTEM,
			       "--sysctl: a chroot has no settings of the kernel of its own");
	if (out->namespaces & SANDBOX_NS_UTS)
		out->hostname = str_dup(run->hostname);
	if (describe_workdir(run, out, err) < 0)
		return -1;
	return describe_network(run, out, err);
}
