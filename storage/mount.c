/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for layers put together as one tree: what kind of mount a request
 * needs, and whether this host can do it. How overlayfs is asked is overlay.c's.
 */
#include "storage/mount.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "common/tmpfile.h"
#include "layers/whiteout.h"
#include "storage/overlay-internal.h"
#include "storage/rootdir-internal.h"
#include "storage/store-internal.h"

/*
 * A layer whose root is opaque hides all layers below it. overlayfs does not look
 * for the mark there, so they are not given to it.
 */
static int drop_hidden(struct store *store, struct mount_request *request, struct err *err)
{
	for (size_t i = request->lower_count; i > 1; i--) {
		bool is_opaque = false;

		if (opaque_get(request->lowers[i - 1], store->ns, &is_opaque, err) < 0)
			return err_prefix(err, "mount layers");
		if (!is_opaque)
			continue;
		request->lowers += i - 1;
		request->lower_count -= i - 1;
		return 0;
	}
	return 0;
}

/*
 * A layer may be in a chain more than once (two steps that did the same), and
 * overlayfs refuses that. What its lower places show, its topmost place shows
 * too. @out has room for all.
 */
static int drop_repeated(struct mount_request *request, int *out, struct err *err)
{
	auto_free struct stat *seen = mem_array(request->lower_count + 1, sizeof(*seen));
	size_t first = request->lower_count;

	for (size_t i = request->lower_count; i > 0; i--) {
		struct stat st;
		size_t k = first;

		if (fstat(request->lowers[i - 1], &st) < 0)
			return err_sys(err, "mount layers: stat a layer");
		while (k < request->lower_count &&
		       (seen[k].st_dev != st.st_dev || seen[k].st_ino != st.st_ino))
			k++;
		if (k < request->lower_count)
			continue;
		seen[--first] = st;
		out[first] = request->lowers[i - 1];
	}
	request->lower_count -= first;
	request->lowers = out + first;
	return 0;
}

static int mount_shown(struct store *store, struct mount_request *shown, struct err *err)
{
	int two[2] = { store->empty_fd, -1 };

	if (shown->lower_count > MOUNT_LOWERS_MAX)
		return err_set(err, ERR_INPUT,
			       "%zu layers are more than the kernel's overlayfs can put together "
			       "(%d)",
			       shown->lower_count, MOUNT_LOWERS_MAX);
	if (shown->lower_count == 0 && shown->upper_fd < 0)
		return overlay_bind(store->empty_fd, err);

	/*
	 * overlayfs wants one lower below an upper, and two where there is none. A
	 * single layer is not shown as it lies on disk: it may hold marks of
	 * deletions (an image squashed by somebody) that nobody must see.
	 */
	if (shown->lower_count == 0) {
		shown->lowers = two;
		shown->lower_count = 1;
	} else if (shown->lower_count == 1 && shown->upper_fd < 0) {
		two[1] = shown->lowers[0];
		shown->lowers = two;
		shown->lower_count = 2;
	}
	return overlay_mount(shown, store->ns, err);
}

int mount_layers(struct store *store, const struct mount_request *request, struct err *err)
{
	auto_free int *lowers = mem_array(request->lower_count + 1, sizeof(*lowers));
	auto_free int *distinct = mem_array(request->lower_count + 1, sizeof(*distinct));
	struct mount_request shown = *request;
	auto_close int root_fd = -1;

	for (size_t i = 0; i < request->lower_count; i++)
		lowers[i] = request->lowers[i];
	shown.lowers = lowers;
	/* an upper has been given the looks of the view below it */
	if (request->upper_fd < 0 && rootdir_open(store, request, &root_fd, err) < 0)
		return err_prefix(err, "mount layers");
	if (root_fd >= 0)
		lowers[shown.lower_count++] = root_fd;
	if (drop_hidden(store, &shown, err) < 0 || drop_repeated(&shown, distinct, err) < 0)
		return -1;
	return mount_shown(store, &shown, err);
}

int mount_attach(int mount_fd, const char *target, bool read_only, struct err *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	if (read_only && mount_setattr(mount_fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return err_sys(err, "make the mount at '%s' read-only", target);
	if (move_mount(mount_fd, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(err, "mount at '%s'", target);
	return 0;
}

int mount_open_layers(struct store *store, const struct layer *layers, size_t count, int *out_fds,
		      struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		out_fds[i] = layer_open(store, &layers[i], err);
		if (out_fds[i] >= 0)
			continue;
		while (i > 0)
			fd_close(&out_fds[--i]);
		return -1;
	}
	return 0;
}

int mount_view(struct store *store, const struct layer *layers, size_t count, struct err *err)
{
	auto_free int *fds = mem_array(count + 1, sizeof(*fds));
	struct mount_request request = {
		.lowers = fds, .lower_count = count, .upper_fd = -1, .work_fd = -1
	};
	int mount_fd;

	if (mount_open_layers(store, layers, count, fds, err) < 0)
		return -1;
	mount_fd = mount_layers(store, &request, err);
	for (size_t i = 0; i < count; i++)
		fd_close(&fds[i]);
	return mount_fd;
}

/* ---- what the host can do --------------------------------------------------- */

/*
 * What the trial found is kept in cache/ for the rest of this boot; the name
 * holds all it depends on besides the store's own file system.
 */
static char *ability_name(struct store *store)
{
	return str_format("overlay-%s-%s", store->ns == OVERLAY_USER ? "user" : "host",
			  store->boot_id);
}

static bool load_ability(struct store *store, const char *name)
{
	auto_close int fd = openat(store->cache_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct err ignored = ERR_INIT;
	char text[3];

	return fd >= 0 && fd_read_full(fd, text, sizeof(text), name, &ignored) == 3 &&
	       memcmp(text, "yes", 3) == 0;
}

static void save_ability(struct store *store, const char *name)
{
	auto_tmpfile struct tmpfile tmp = TMPFILE_INIT;
	struct err ignored = ERR_INIT;

	/* not kept: tried again the next time */
	if (tmpfile_open(&tmp, store->cache_fd, &ignored) == 0 &&
	    fd_write_quiet(tmp.fd, "yes\n", 4))
		(void)tmpfile_replace(&tmp, name, &ignored);
}

static void probe(struct store *store, struct mount_ability *out)
{
	auto_free char *name = ability_name(store);
	struct err err = ERR_INIT;
	struct utsname uts;

	out->overlay = load_ability(store, name);
	if (!out->overlay && overlay_try(store->tmp_fd, store->ns, &err) == 0) {
		out->overlay = true;
		save_ability(store, name);
	}
	if (!out->overlay) {
		snprintf(out->reason, sizeof(out->reason), "%s", err.text);
		return;
	}
	uname(&uts);
	snprintf(out->reason, sizeof(out->reason), "overlayfs of Linux %s%s", uts.release,
		 store->ns == OVERLAY_USER ? ", in a user namespace" : "");
}

void mount_probe(struct store *store, struct mount_ability *out)
{
	pthread_mutex_lock(&store->lock);
	if (!store->has_probed) {
		probe(store, &store->ability);
		store->has_probed = true;
	}
	*out = store->ability;
	pthread_mutex_unlock(&store->lock);
}
