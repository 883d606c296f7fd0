/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for contexts that come from the network: the files of a git commit, what is in an
 * archive behind a URL, or a Buildfile alone. All of it was made by somebody else: names are
 * resolved inside of it, as those of an unpacked tar.
 */
#include "builder/archive.h"
#include "builder/context.h"
#include "builder/download.h"
#include "common/fd.h"

static int fetch_git(const struct download_place *place, const struct remote *remote,
		     struct context *out, struct err *err)
{
	auto_download struct download download = DOWNLOAD_INIT;

	if (download_resolve(place, remote, &download, err) < 0 ||
	    download_git(place, remote, &download, err) < 0)
		return -1;
	*out = (struct context)CONTEXT_INIT;
	out->fd = fd_steal(&download.fd);
	out->tmp = download.dir;
	download.dir = (struct tmpdir)TMPDIR_INIT;
	return 0;
}

static int fetch_url(const struct download_place *place, const struct remote *remote,
		     struct context *out, int *out_file_fd, struct err *err)
{
	auto_download struct download download = DOWNLOAD_INIT;
	auto_source struct source *tar = NULL;
	auto_close int fd = -1;
	bool is_archive;

	if (download_url(place, remote, NULL, &download, err) < 0)
		return -1;
	fd = download_open(&download, err);
	if (fd < 0 || archive_detect(fd, remote->shown, &is_archive, err) < 0)
		return -1;
	if (is_archive) {
		tar = archive_open(fd, remote->shown, err);
		return tar ? context_unpack(place->store, tar, remote->shown, out, err) : -1;
	}
	if (context_empty(place->store, out, err) < 0)
		return -1;
	*out_file_fd = fd_steal(&fd);
	return 0;
}

int context_fetch(struct remote *remote, const struct download_place *place, struct context *out,
		  int *out_file_fd, struct err *err)
{
	if (!place->store)
		return err_set(err, ERR_SYSTEM,
			       "'%s' is fetched, and no store can be opened to put it in",
			       remote->shown);
	*out_file_fd = -1;
	if (policy_remote(place->policy, remote, err) < 0)
		return -1;
	if (remote->kind == REMOTE_GIT)
		return fetch_git(place, remote, out, err);
	return fetch_url(place, remote, out, out_file_fd, err);
}
