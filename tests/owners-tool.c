/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a shell script as root of a user namespace in a union of an image's layers and an upper
 * whose owners are shown as that namespace's, for tests: prints what is in the upper then, as it is
 * on disk.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/idmap.h"
#include "common/mem.h"
#include "layers/entry.h"
#include "storage/image.h"
#include "storage/mount.h"

static _Noreturn void run_inside(int userns_fd, int mount_fd, const char *script)
{
	if (setns(userns_fd, CLONE_NEWUSER) < 0 || setgid(0) < 0 || setuid(0) < 0 ||
	    fchdir(mount_fd) < 0)
		_exit(125);
	execlp("sh", "sh", "-euc", script, (char *)NULL);
	_exit(126);
}

static int list_upper(int upper_fd)
{
	auto_free char *command = str_format(
		"cd /proc/%d/fd/%d && find . -mindepth 1 -printf '%%P %%y %%m %%U:%%G\\n' | sort",
		(int)getpid(), upper_fd);

	fflush(stdout);
	return system(command) == 0 ? 0 : -1;
}

static int work(const char *image_name, const char *range, const char *script, struct err *err)
{
	auto_free struct idmap *map = mem_alloc(sizeof(*map));
	auto_store struct store *store = NULL; /* released last */
	auto_layer_draft struct layer_draft draft = LAYER_DRAFT_INIT;
	auto_image struct image image = IMAGE_INIT;
	struct mount_owners owners;
	int fds[16];
	struct mount_request request = { .lowers = fds, .owners = &owners };
	int mount_fd;
	int status;
	pid_t pid;

	if (idmap_parse(range, map, err) < 0 || store_open(NULL, &store, err) < 0 ||
	    image_get(store, image_name, NULL, &image, err) < 0 ||
	    layer_draft_open(store, &draft, err) < 0 ||
	    mount_open_layers(store, image.layers, image.config.diff_id_count, fds, err) < 0)
		return -1;
	request.lower_count = image.config.diff_id_count;
	request.upper_fd = draft.fs_fd;
	request.work_fd = draft.work_fd;
	owners.uids = owners.gids = map;
	owners.userns_fd = idmap_open(map, map, err);
	if (owners.userns_fd < 0 || !idmap_find(map, 0, &owners.root_uid))
		return -1;
	owners.root_gid = owners.root_uid;
	mount_fd = mount_layers(store, &request, err);
	if (mount_fd < 0)
		return -1;
	pid = fork();
	if (pid == 0)
		run_inside(owners.userns_fd, mount_fd, script);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return err_sys(err, "wait for the script");
	close(mount_fd);
	close(owners.userns_fd);
	if (status != 0)
		return err_set(err, ERR_SYSTEM, "the script ended with %d", status);
	return list_upper(draft.fs_fd);
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;

	if (argc != 4)
		return 2;
	if (work(argv[1], argv[2], argv[3], &err) == 0)
		return 0;
	err_print(&err, "owners-tool");
	return 1;
}
