/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the files of an image as a build's result: as a tar, or in a
 * directory, which is that tar unpacked.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "builder/chain.h"
#include "builder/output.h"
#include "common/fd.h"
#include "common/mem.h"
#include "common/thread.h"
#include "common/userns.h"
#include "layers/pack.h"
#include "layers/unpack.h"
#include "registry/archive-file.h"
#include "storage/image.h"

/* The directory itself is the user's, what it is in the image does not count. */
static int pack_below_root(void *pack, const struct entry *entry, int content_fd, struct err *err)
{
	return entry->path[0] ? pack_entry(pack, entry, content_fd, err) : 0;
}

static int put_tar(int view_fd, enum overlay_ns ns, diff_fn fn, struct sink *sink, struct err *err)
{
	struct diff_options options = DIFF_OPTIONS_INIT;
	auto_pack struct pack *pack = pack_new(sink);

	options.ns = ns;
	if (diff_whole_tree(view_fd, &options, fn, pack, err) < 0)
		return -1;
	return pack_finish(pack, err);
}

/* ---- a tar ---- */

struct whole {
	int view_fd;
	enum overlay_ns ns;
};

static int put_all(void *context, struct sink *sink, struct err *err)
{
	const struct whole *whole = context;

	return put_tar(whole->view_fd, whole->ns, pack_diff_fn, sink, err);
}

/* ---- a directory ---- */

struct writer {
	int view_fd;
	enum overlay_ns ns;
	int to_fd; /* closed at the end, so that the reader sees it */
	int result;
	struct err err;
};

static void *run_writer(void *arg)
{
	struct writer *writer = arg;
	auto_sink struct sink *sink = sink_to_fd(writer->to_fd, "a pipe");

	writer->result = put_tar(writer->view_fd, writer->ns, pack_below_root, sink, &writer->err);
	if (writer->result == 0)
		writer->result = sink_finish(sink, &writer->err);
	fd_close(&writer->to_fd);
	return NULL;
}

static int unpack(int from_fd, int to_fd, enum overlay_ns ns, const char *path, struct err *err)
{
	/* an ordinary user's files are his own: he can remove them again */
	const struct unpack_options options = { .whiteouts = UNPACK_REFUSE,
						/* nothing is recorded outside of the store */
						.ns = ns == OVERLAY_TRUSTED ? ns : OVERLAY_USER,
						.owner = { .set = userns_is_nested() },
						.existing_links = false,
						.what = path,
						.skip_devices = userns_is_nested() };
	auto_source struct source *source = source_from_fd(from_fd, UINT64_MAX, path);
	struct unpack_result result;

	if (unpack_tar(source, to_fd, &options, &result, err) < 0)
		return -1;
	unpack_warn_devices(path, result.devices_skipped);
	return 0;
}

static int open_directory(const char *path, struct err *err)
{
	int fd;

	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return err_sys(err, "make directory '%s'", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(err, "open directory '%s'", path) : fd;
}

static int write_directory(int view_fd, const char *path, enum overlay_ns ns, struct err *err)
{
	auto_close int to_fd = open_directory(path, err);
	auto_close int from_fd = -1;
	struct writer writer = { .view_fd = view_fd, .ns = ns, .to_fd = -1, .err = ERR_INIT };
	pthread_t thread;
	int fds[2];
	int result;

	if (to_fd < 0)
		return -1;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	from_fd = fds[0];
	writer.to_fd = fds[1];
	if (thread_start(&thread, run_writer, &writer, err) < 0) {
		fd_close(&writer.to_fd);
		return -1;
	}
	result = unpack(from_fd, to_fd, ns, path, err);
	/* one that writes still gets EPIPE, whose error is of no interest then */
	fd_close(&from_fd);
	pthread_join(thread, NULL);
	if (result < 0)
		return -1;
	if (writer.result < 0)
		*err = writer.err;
	return writer.result;
}

/* ---- both ---- */

static int write_view(const struct output *output, const char *dest, struct store *store,
		      int view_fd, struct err *err)
{
	struct whole whole = { .view_fd = view_fd, .ns = store_overlay_ns(store) };
	bool is_stdout = false;

	if (output->type == OUTPUT_LOCAL)
		return write_directory(view_fd, dest, whole.ns, err);
	if (strcmp(dest, "-") == 0)
		dest = "/dev/stdout";
	return archive_file_write(dest, put_all, &whole, &is_stdout, err);
}

static int write_image(const struct output *output, const struct output_job *job,
		       const struct platform *platform, const char *dest, struct err *err)
{
	auto_image struct image image = IMAGE_INIT;
	auto_chain struct chain chain = CHAIN_INIT;
	auto_close int fd = -1;
	char name[DIGEST_NAME_MAX];
	int view_fd;

	if (image_get(job->store, digest_name(job->image, name), platform, &image, err) < 0)
		return -1;
	chain_init(&chain, job->store);
	for (size_t i = 0; i < image.config.diff_id_count; i++)
		chain_add(&chain, &image.layers[i]);
	view_fd = chain_view(&chain, err);
	if (view_fd < 0)
		return -1;
	/* a mount's own descriptor does not read */
	fd = openat(view_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open the image's files");
	if (write_view(output, dest, job->store, fd, err) < 0)
		return err_prefix(err, "write the files to '%s'", dest);
	return 0;
}

/* Of an index, each image's files in a directory of their own, "linux_arm64". */
static int write_images(const struct output *output, const struct output_job *job, struct err *err)
{
	auto_close int dir_fd = open_directory(output->dest, err);

	if (dir_fd < 0)
		return err_prefix(err, "write the files to '%s'", output->dest);
	for (size_t i = 0; i < job->platforms->count; i++) {
		const struct platform *platform = &job->platforms->targets[i];
		auto_strbuf struct strbuf name = STRBUF_INIT;
		auto_free char *dest = NULL;

		platform_format(platform, &name);
		for (char *slash; (slash = strchr(name.data, '/'));)
			*slash = '_';
		dest = str_format("%s/%s", output->dest, name.data);
		if (write_image(output, job, platform, dest, err) < 0)
			return -1;
	}
	return 0;
}

int output_write_files(const struct output *output, const struct output_job *job, struct err *err)
{
	if (output->type == OUTPUT_LOCAL && job->platforms->is_index)
		return write_images(output, job, err);
	return write_image(output, job, &job->platforms->targets[0], output->dest, err);
}
