/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the init layer of RUN steps: the files that tell a command of its network
 * and its name, and the mount points that the image lacks. One is kept as long as it fits.
 */
#include <stdlib.h>
#include <string.h>

#include "builder/step.h"
#include "common/fd.h"
#include "common/mem.h"

void init_room_release(struct init_room *room)
{
	tmpdir_release(&room->dir);
	strlist_release(&room->drop_files);
	strlist_release(&room->points);
	*room = (struct init_room)INIT_ROOM_INIT;
}

static int fill_init_room(struct stage_run *run, enum sandbox_network network,
			  const struct strlist *points, struct init_room *room, struct err *err)
{
	struct store *store = run->build->request->store;
	const char *hostname = run->build->plan->hostname;
	auto_free char *hostname_text = str_format("%s\n", hostname);
	auto_strbuf struct strbuf hosts = STRBUF_INIT;
	auto_strbuf struct strbuf resolv = STRBUF_INIT;
	auto_free struct initlayer_point *list = NULL;
	const struct run_settings *settings = &run->build->request->run_settings;
	struct initlayer_options options = { .ns = store_overlay_ns(store) };

	if (initlayer_hosts_text(hostname, &settings->add_hosts, network, &hosts, err) < 0 ||
	    initlayer_resolv_text(network, &settings->dns, &resolv, err) < 0)
		return -1;
	options.hosts = settings->no_hosts ? NULL : hosts.data;
	options.resolv_conf = settings->no_resolv_conf ? NULL : resolv.data;
	options.hostname = settings->no_hostname ? NULL : hostname_text;
	options.view_fd = chain_view(&run->result->chain, err);
	if (options.view_fd < 0 || tmpdir_make(&room->dir, store_tmp_fd(store), err) < 0)
		return -1;
	options.dir_fd = room->dir.fd;
	list = mem_array(points->count + 1, sizeof(*list));
	for (size_t i = 0; i < points->count; i++)
		list[i] = (struct initlayer_point){ .path = points->items[i] + 1,
						    .is_file = points->items[i][0] == 'f' };
	options.points = list;
	options.point_count = points->count;
	return initlayer_make(&options, &room->drop_files, err);
}

static bool same_points(const struct strlist *a, const struct strlist *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}

/* The init layer for what is below this step: that of the step before, if nothing has changed. */
int init_room_prepare(struct stage_run *run, enum sandbox_network network,
		      const struct strlist *points, struct err *err)
{
	struct init_room *room = &run->init;

	if (chain_open(&run->result->chain, err) < 0)
		return -1;
	if (room->dir.fd >= 0 && room->fd_count == run->result->chain.fd_count &&
	    room->network == network && same_points(&room->points, points))
		return 0;
	init_room_release(room);
	if (fill_init_room(run, network, points, room, err) < 0) {
		init_room_release(room);
		return err_prefix(err, "prepare the root");
	}
	room->fd_count = run->result->chain.fd_count;
	room->network = network;
	strlist_copy(&room->points, points);
	return 0;
}
