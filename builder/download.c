/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for bringing a remote source here: by the program "fetch", or from what an
 * earlier build fetched, when the server says that it is still the same or a checksum tells.
 */
#include "builder/download.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "builder/source.h"
#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"
#include "registry/fetch.h"
#include "storage/fetched.h"

#define BODY  "body"
#define FILES "files"

void download_release(struct download *download)
{
	fd_close(&download->fd);
	tmpdir_release(&download->dir);
	free(download->name);
	free(download->commit);
	free(download->ref);
	*download = (struct download)DOWNLOAD_INIT;
}

static int lend_agent(const struct download_place *place, const struct remote *remote,
		      struct fetch_request *out, struct err *err)
{
	const char *home = getenv("HOME");

	if (!place->agent) {
		err_set(err, ERR_INPUT, "'%s' is reached over ssh, and no SSH agent was lent",
			remote->shown);
		return source_hint(err, "imgbuild --ssh default lends that of $SSH_AUTH_SOCK");
	}
	out->agent = str_dup(place->agent);
	if (home && home[0] == '/')
		out->known_hosts = str_format("%s/.ssh/known_hosts", home);
	return 0;
}

static int init_request(const struct download_place *place, const struct remote *remote,
			enum fetch_kind kind, struct fetch_request *out, struct err *err)
{
	if (remote->is_ssh && lend_agent(place, remote, out, err) < 0)
		return -1;
	out->kind = kind;
	out->url = str_dup(remote->url);
	out->user = str_dup(remote->user);
	out->password = str_dup(remote->password);
	return fetch_limits(out, err);
}

/* ---- URLs ---- */

static int check_digest(const struct remote *remote, const struct digest *want,
			const struct digest *got, struct err *err)
{
	char want_name[DIGEST_NAME_MAX];
	char got_name[DIGEST_NAME_MAX];

	if (!want || digest_equal(want, got))
		return 0;
	return err_set(err, ERR_INPUT, "'%s' has the digest %s, and %s is asked for", remote->shown,
		       digest_name(got, got_name), digest_name(want, want_name));
}

static void take_fetched(const struct remote *remote, const struct fetched *fetched,
			 struct download *out)
{
	const char *name = remote->name ? remote->name : fetched->filename;

	out->name = str_dup(name ? name : DOWNLOAD_UNNAMED);
	out->digest = fetched->digest;
	out->size_bytes = fetched->size_bytes;
	out->mtime = fetched->mtime;
}

/* The whole answer, into a new file. */
static int take_answer(const struct download_place *place, const struct remote *remote,
		       const struct digest *want, struct fetch_result *result, struct download *out,
		       struct err *err)
{
	auto_fetched struct fetched fetched = {
		.etag = ptr_steal(&result->etag),
		.last_modified = ptr_steal(&result->last_modified),
		.filename = ptr_steal(&result->filename),
		.mtime = result->mtime,
		.digest = result->digest,
		.size_bytes = result->size_bytes,
	};

	if (check_digest(remote, want, &fetched.digest, err) < 0)
		return -1;
	take_fetched(remote, &fetched, out);
	/* without any of these nothing could ever tell that it is still right */
	if (!want && !fetched.etag && !fetched.last_modified)
		return 0;
	return fetched_put(place->store, remote->url, &fetched, out->dir.fd, BODY, err);
}

static int ask(const struct download_place *place, const struct remote *remote,
	       const struct fetched *known, int into_fd, struct fetch_result *out, struct err *err)
{
	auto_fetch_request struct fetch_request request = { .url = NULL };

	if (init_request(place, remote, FETCH_HTTP, &request, err) < 0)
		return -1;
	if (known) {
		request.etag = str_dup(known->etag);
		request.last_modified = str_dup(known->last_modified);
	}
	return fetch_run(&request, into_fd, place->interrupt_fd, out, err);
}

static int fetch_url(const struct download_place *place, const struct remote *remote,
		     const struct digest *want, const struct fetched *known, struct download *out,
		     struct err *err)
{
	static const char *const fresh = "fresh";
	auto_fetch_result struct fetch_result result = { .etag = NULL };
	auto_close int fd = -1;

	fd = beneath_create(out->dir.fd, fresh, O_WRONLY | O_EXCL, 0600, err);
	if (fd < 0 || ask(place, remote, known, fd, &result, err) < 0)
		return -1;
	if (known && result.not_modified) {
		if (check_digest(remote, want, &known->digest, err) < 0)
			return -1;
		take_fetched(remote, known, out);
		return 0;
	}
	if (result.not_modified)
		return err_set(err, ERR_REMOTE, "get '%s': not modified since never", remote->url);
	if (renameat(out->dir.fd, fresh, out->dir.fd, BODY) < 0)
		return err_sys(err, "keep what was fetched");
	return take_answer(place, remote, want, &result, out, err);
}

int download_url(const struct download_place *place, const struct remote *remote,
		 const struct digest *want, struct download *out, struct err *err)
{
	auto_fetched struct fetched known = { .etag = NULL };
	auto_download struct download made = DOWNLOAD_INIT;
	bool found = false;

	if (!want && remote->has_checksum)
		want = &remote->checksum;
	if (tmpdir_make(&made.dir, store_tmp_fd(place->store), err) < 0)
		return -1;
	if (!place->no_cache &&
	    fetched_find(place->store, remote->url, made.dir.fd, BODY, &found, &known, err) < 0)
		return -1;
	if (found && want && digest_equal(want, &known.digest))
		take_fetched(remote, &known, &made);
	else if (fetch_url(place, remote, want, found ? &known : NULL, &made, err) < 0)
		return -1;
	made.fd = fcntl(made.dir.fd, F_DUPFD_CLOEXEC, 0);
	if (made.fd < 0)
		return err_sys(err, "copy a descriptor");
	*out = made;
	made = (struct download)DOWNLOAD_INIT;
	return 0;
}

int download_open(const struct download *download, struct err *err)
{
	return beneath_open(download->fd, BODY, BENEATH_NO_LINKS, O_RDONLY, err);
}

/* ---- git ---- */

/* What ssh is content with is for the user to say, not for whoever answers there. */
static int fetch_commit(const struct download_place *place, const struct fetch_request *request,
			int into_fd, struct fetch_result *out, struct err *err)
{
	if (fetch_run(request, into_fd, place->interrupt_fd, out, err) == 0)
		return 0;
	if (request->agent && strstr(err->text, "Host key verification failed"))
		source_hint(err,
			    "the server's key is not, or not so, in %s: ssh-keyscan shows it; "
			    "add it there when it is the right one",
			    request->known_hosts ? request->known_hosts
						 : "/etc/ssh/ssh_known_hosts");
	else if (request->agent && strstr(err->text, "Permission denied"))
		source_hint(err, "ssh-add -l shows the keys that the agent has");
	return -1;
}

int download_resolve(const struct download_place *place, const struct remote *remote,
		     struct download *out, struct err *err)
{
	auto_fetch_request struct fetch_request request = { .url = NULL };
	auto_fetch_result struct fetch_result result = { .etag = NULL };

	if (remote->ref && fetch_is_commit(remote->ref)) {
		result.commit = str_dup(remote->ref);
	} else {
		if (init_request(place, remote, FETCH_GIT_RESOLVE, &request, err) < 0)
			return -1;
		request.ref = str_dup(remote->ref);
		if (fetch_commit(place, &request, -1, &result, err) < 0)
			return -1;
	}
	if (remote->commit && strncmp(result.commit, remote->commit, strlen(remote->commit)) != 0)
		return err_set(err, ERR_INPUT, "'%s' is at commit %s, and %s is asked for",
			       remote->shown, result.commit, remote->commit);
	out->commit = ptr_steal(&result.commit);
	out->ref = ptr_steal(&result.ref);
	return 0;
}

/* A link may lead to it, as long as it stays in the repository. */
static int open_subdir(const struct remote *remote, int files_fd, struct err *err)
{
	int fd = beneath_open(files_fd, remote->subdir ? remote->subdir : ".", BENEATH_STAY,
			      O_RDONLY | O_DIRECTORY, err);

	if (fd >= 0)
		return fd;
	err->kind = ERR_INPUT;
	return err_prefix(err, "'%s'", remote->shown);
}

int download_git(const struct download_place *place, const struct remote *remote,
		 struct download *download, struct err *err)
{
	auto_fetch_request struct fetch_request request = {
		.ref = str_dup(download->ref),
		.commit = str_dup(download->commit),
		.has_submodules = remote->has_submodules,
		.keeps_git_dir = remote->keeps_git_dir == TRISTATE_TRUE,
	};
	auto_fetch_result struct fetch_result result = { .etag = NULL };
	auto_close int files_fd = -1;

	if (tmpdir_make(&download->dir, store_tmp_fd(place->store), err) < 0 ||
	    init_request(place, remote, FETCH_GIT, &request, err) < 0)
		return -1;
	files_fd = beneath_mkdirs(download->dir.fd, FILES, BENEATH_NO_LINKS, 0755, err);
	if (files_fd < 0 || fetch_commit(place, &request, files_fd, &result, err) < 0)
		return -1;
	download->mtime = result.mtime;
	download->fd = open_subdir(remote, files_fd, err);
	return download->fd < 0 ? -1 : 0;
}

/* ---- as a source of a copy ---- */

static int select_body(const struct download *download, struct selection *selection,
		       struct err *err)
{
	auto_free char *path = str_dup(BODY);
	struct select_item item = {
		.path = path,
		.mode = S_IFREG | 0600,
		.size = download->size_bytes,
		.mtime = { .tv_sec = download->mtime },
		.has_digest = true,
		.digest = download->digest,
	};

	item.below = item.path + strlen(item.path);
	return select_add_file(selection, download->name, &item, err);
}

int download_select(const struct download_place *place, const struct remote *remote,
		    const struct download *download, const struct ignore *exclude,
		    struct select_tree *out_tree, struct selection *selection, struct err *err)
{
	size_t first = selection->source_count;

	*out_tree = (struct select_tree){
		.fd = download->fd,
		.exclude = exclude,
		.ns = store_overlay_ns(place->store),
		.store = place->store,
		.is_context = true,
		.what = remote->shown,
	};
	if (remote->kind == REMOTE_URL)
		return select_body(download, selection, err);
	if (select_pattern(out_tree, "/", selection, err) < 0)
		return -1;
	return select_digest_all(out_tree, selection, first, err);
}
