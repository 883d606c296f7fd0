/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for which layers are below a step, and that each is opened once in a
 * stage, however many steps stand on it.
 */
#include <string.h>

#include "builder/chain.h"
#include "common/fd.h"
#include "common/mem.h"
#include "storage/mount.h"

void chain_init(struct chain *chain, struct store *store)
{
	*chain = (struct chain)CHAIN_INIT;
	chain->store = store;
}

void chain_close_layers(struct chain *chain)
{
	for (size_t i = 0; i < chain->fd_count; i++)
		fd_close(&chain->fds[i]);
	chain->fd_count = 0;
	chain->opened = 0;
}

void chain_close(struct chain *chain)
{
	chain_close_layers(chain);
	fd_close(&chain->view_fd);
}

void chain_release(struct chain *chain)
{
	chain_close(chain);
	free(chain->fds);
	free(chain->layers);
	*chain = (struct chain)CHAIN_INIT;
}

void chain_add(struct chain *chain, const struct layer *layer)
{
	struct digest id;

	digest_chain(chain_id(chain), &layer->diff_id, &id);
	chain->id = id;
	chain->layers = mem_resize(chain->layers, chain->count + 1, sizeof(*layer));
	chain->layers[chain->count++] = *layer;
	if (layer->entries > 0)
		fd_close(&chain->view_fd);
}

void chain_copy(struct chain *to, const struct chain *from)
{
	for (size_t i = 0; i < from->count; i++)
		chain_add(to, &from->layers[i]);
}

const struct digest *chain_id(const struct chain *chain)
{
	return chain->count > 0 ? &chain->id : NULL;
}

int chain_open(struct chain *chain, struct err *err)
{
	for (; chain->opened < chain->count; chain->opened++) {
		const struct layer *layer = &chain->layers[chain->opened];
		int fd;

		if (layer->entries == 0)
			continue;
		fd = layer_open(chain->store, layer, err);
		if (fd < 0)
			return -1;
		chain->fds = mem_resize(chain->fds, chain->fd_count + 1, sizeof(int));
		chain->fds[chain->fd_count++] = fd;
	}
	return 0;
}

int chain_view(struct chain *chain, struct err *err)
{
	struct mount_request request = { .upper_fd = -1, .work_fd = -1 };

	if (chain->view_fd >= 0)
		return chain->view_fd;
	if (chain_open(chain, err) < 0)
		return -1;
	request.lowers = chain->fds;
	request.lower_count = chain->fd_count;
	chain->view_fd = mount_layers(chain->store, &request, err);
	return chain->view_fd;
}
