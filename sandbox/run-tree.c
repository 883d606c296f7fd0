/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the files that a container sees: layers, init layer, volumes and its own on top. */
#include "sandbox/run-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "layers/entry.h"
#include "sandbox/container-volumes.h"
#include "storage/mount.h"

#define SHORT_ID 12

void run_release_mounts(struct run *run)
{
	fd_close(&run->root_fd);
	fd_close(&run->view_fd);
	for (size_t i = 0; i < run->lower_count; i++)
		fd_close(&run->lowers[i]);
	free(run->lowers);
	run->lowers = NULL;
	run->lower_count = 0;
}

static int open_view(struct run *run, struct err *err)
{
	const size_t count = run->image.config.diff_id_count;
	struct mount_request request = { .upper_fd = -1, .work_fd = -1 };

	run->lowers = mem_array(count + 1, sizeof(run->lowers[0]));
	if (mount_open_layers(run->store, run->image.layers, count, run->lowers, err) < 0)
		return -1;
	run->lower_count = count;
	request.lowers = run->lowers;
	request.lower_count = count;
	run->view_fd = mount_layers(run->store, &request, err);
	return run->view_fd < 0 ? -1 : 0;
}

const char *run_user(const struct run *run)
{
	const char *user = run->options->user ? run->options->user : run->image.config.config.user;

	return run->ids->is_keep && (!user || !*user) ? run->kept_user : user;
}

static int resolve_user(struct run *run, struct err *err)
{
	const char *user;

	snprintf(run->kept_user, sizeof(run->kept_user), "%" PRIu32 ":%" PRIu32, run->ids->kept_uid,
		 run->ids->kept_gid);
	user = run_user(run);
	return user_resolve(run->view_fd, user ? user : "", &run->user, err);
}

/* With the host's network the host's name, else one that tells containers apart. */
static int choose_hostname(struct run *run, struct err *err)
{
	if (run->options->hostname) {
		if (strlen(run->options->hostname) > HOST_NAME_MAX)
			return err_set(err, ERR_USAGE, "the host name '%s' is too long",
				       run->options->hostname);
		strcpy(run->hostname, run->options->hostname);
	} else if (run->options->network != SANDBOX_NETWORK_HOST) {
		snprintf(run->hostname, sizeof(run->hostname), "%.*s", SHORT_ID, run->container.id);
	} else if (gethostname(run->hostname, sizeof(run->hostname)) < 0) {
		return err_sys(err, "ask for the host's name");
	}
	/* a host that was given no name says "(none)" */
	if (!run->options->hostname && run->hostname[0] == '(')
		strcpy(run->hostname, "localhost");
	return 0;
}

static int make_initlayer(struct run *run, struct err *err)
{
	auto_strbuf struct strbuf hosts = STRBUF_INIT;
	auto_strbuf struct strbuf resolv_conf = STRBUF_INIT;
	auto_free char *hostname = str_format("%s\n", run->hostname);
	auto_free struct initlayer_point *points =
		mem_array(run->volumes->count + 1, sizeof(points[0]));
	struct initlayer_options options = {
		.view_fd = run->view_fd,
		.dir_fd = run->container.init_fd,
		.ns = store_overlay_ns(run->store),
		.hostname = run->settings->no_hostname ? NULL : hostname,
		.points = points,
		.point_count = run->volumes->count,
	};

	if (initlayer_hosts_text(run->hostname, &run->settings->add_hosts, run->options->network,
				 &hosts, err) < 0 ||
	    initlayer_resolv_text(run->options->network, &run->settings->dns, &resolv_conf, err) <
		    0)
		return -1;
	options.hosts = run->settings->no_hosts ? NULL : hosts.data;
	options.resolv_conf = run->settings->no_resolv_conf ? NULL : resolv_conf.data;
	for (size_t i = 0; i < run->volumes->count; i++)
		points[i] = (struct initlayer_point){ run->volumes->items[i].target,
						      run->volumes->items[i].is_file };
	return initlayer_make(&options, &run->state.stubs, err);
}

/* The init layer above the image, the container's own files on top, its root as the image's. */
static int mount_root(struct run *run, struct err *err)
{
	struct mount_request request = {
		.upper_fd = run->container.fs_fd,
		.work_fd = run->container.work_fd,
		.owners = own_ids_owners(run->ids),
	};

	if (entry_copy_on_disk(run->container.init_fd, run->container.fs_fd,
			       store_overlay_ns(run->store), "/", err) < 0)
		return -1;
	run->lowers[run->lower_count] = fcntl(run->container.init_fd, F_DUPFD_CLOEXEC, 0);
	if (run->lowers[run->lower_count] < 0)
		return err_sys(err, "duplicate a descriptor");
	run->lower_count++;
	request.lowers = run->lowers;
	request.lower_count = run->lower_count;
	run->root_fd = mount_layers(run->store, &request, err);
	return run->root_fd < 0 ? -1 : 0;
}

static int open_own_volumes(struct run *run, struct err *err)
{
	const struct volume_room room = { .store = run->store,
					  .container = &run->container,
					  .view_fd = run->view_fd };

	return container_volumes_open(&room, run->volumes, err);
}

int run_make_tree(struct run *run, struct err *err)
{
	if (open_view(run, err) < 0 || resolve_user(run, err) < 0)
		return -1;
	if (container_create(run->store, &run->image, run->options->name, &run->container, err) < 0)
		return -1;
	if (choose_hostname(run, err) < 0 || open_own_volumes(run, err) < 0 ||
	    make_initlayer(run, err) < 0)
		return -1;
	return mount_root(run, err);
}
