/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacks an archive by layers/unpack, for tests: prints what it found, or the error. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cmdline.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/userns.h"
#include "layers/codec.h"
#include "layers/unpack.h"

struct request {
	bool layer;
	bool user_marks;
	bool existing_links;
	bool userns;
	const char *owner;
	const char *max_bytes;
	const char *max_entries;
	const char *max_depth;
	const char *max_ratio;
	const char *below;
	bool skip_devices;
};

static int parse(int argc, char **argv, struct request *request, struct strlist *args,
		 bool *out_done, struct err *err)
{
	const struct cmdline_option options[] = {
		{ 0, "layer", OPTION_FLAG, &request->layer, NULL, "as a layer", NULL },
		{ 0, "user-marks", OPTION_FLAG, &request->user_marks, NULL, "user.overlay", NULL },
		{ 0, "existing-links", OPTION_FLAG, &request->existing_links, NULL, "links", NULL },
		{ 0, "userns", OPTION_FLAG, &request->userns, NULL, "user namespace", NULL },
		{ 0, "owner", OPTION_STRING, &request->owner, "UID:GID", "owner", NULL },
		{ 0, "max-bytes", OPTION_STRING, &request->max_bytes, "N", "limit", NULL },
		{ 0, "max-entries", OPTION_STRING, &request->max_entries, "N", "limit", NULL },
		{ 0, "max-depth", OPTION_STRING, &request->max_depth, "N", "limit", NULL },
		{ 0, "max-ratio", OPTION_STRING, &request->max_ratio, "N", "limit", NULL },
		{ 0, "skip-devices", OPTION_FLAG, &request->skip_devices, NULL, "devices", NULL },
		{ 0, "below", OPTION_STRING, &request->below, "DIR", "layers below", NULL },
		{ 0 },
	};
	const struct cmdline cmdline = {
		.program = "untar-tool",
		.synopsis = "[OPTIONS] ARCHIVE DIR",
		.summary = "Unpack an archive.",
		.options = options,
		.min_args = 2,
		.max_args = 2,
	};

	return cmdline_parse(&cmdline, argc, argv, args, out_done, err);
}

static int unpack(const struct request *request, const char *archive, const char *dir,
		  struct unpack_result *result, struct unpack_devices *devices, struct err *err)
{
	struct unpack_limits limits = unpack_limits_default;
	struct unpack_options options = {
		.whiteouts = request->layer ? UNPACK_TO_OVERLAY : UNPACK_REFUSE,
		.ns = request->user_marks ? OVERLAY_USER : OVERLAY_TRUSTED,
		.limits = &limits,
		.existing_links = request->existing_links,
		.skip_devices = request->skip_devices,
		.out_devices = devices,
		.what = strrchr(archive, '/') ? strrchr(archive, '/') + 1 : archive,
	};
	auto_close int fd = open(archive, O_RDONLY | O_CLOEXEC);
	auto_close int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_close int below_fd = -1;
	auto_source struct source *source = NULL;

	if (fd < 0 || dir_fd < 0)
		return err_sys(err, "open '%s' and '%s'", archive, dir);
	if (request->max_bytes)
		limits.max_bytes = strtoull(request->max_bytes, NULL, 10);
	if (request->max_entries)
		limits.max_entries = strtoull(request->max_entries, NULL, 10);
	if (request->max_depth)
		limits.max_depth = strtoull(request->max_depth, NULL, 10);
	if (request->max_ratio)
		limits.max_ratio = strtoull(request->max_ratio, NULL, 10);
	if (request->owner)
		options.owner.set = sscanf(request->owner, "%u:%u", &options.owner.uid,
					   &options.owner.gid) == 2;
	if (request->below) {
		below_fd = open(request->below, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		options.below_fd = &below_fd;
	}
	source = unpack_open(source_from_fd(fd, UINT64_MAX, options.what), options.what, NULL, err);
	if (!source)
		return -1;
	return unpack_tar(source, dir_fd, &options, result, err);
}

static void print_device(const struct entry *entry)
{
	printf("%s %s ", entry->path, entry_type_name(entry->type));
	if (entry->type == ENTRY_HARDLINK)
		printf("%s\n", entry->link);
	else
		printf("%u:%u\n", entry->dev_major, entry->dev_minor);
}

int main(int argc, char **argv)
{
	auto_strlist struct strlist args = STRLIST_INIT;
	struct request request = { .layer = false };
	struct unpack_result result = { .entries = 0 };
	auto_unpack_devices struct unpack_devices devices = UNPACK_DEVICES_INIT;
	struct err err = ERR_INIT;
	struct userns userns;
	bool is_done = false;

	log_init("untar-tool", LOG_INFO);
	if (parse(argc, argv, &request, &args, &is_done, &err) < 0 || is_done ||
	    (request.userns && userns_enter(&userns, &err) < 0) ||
	    unpack(&request, args.items[0], args.items[1], &result, &devices, &err) < 0) {
		if (is_done)
			return 0;
		err_print(&err, "untar-tool");
		return err_exit_status(&err);
	}
	printf("entries=%llu bytes=%llu implicit=%d\n", (unsigned long long)result.entries,
	       (unsigned long long)result.content_bytes, result.has_implicit_parents);
	for (size_t j = 0; j < devices.count; j++)
		print_device(&devices.items[j]);
	return 0;
}
