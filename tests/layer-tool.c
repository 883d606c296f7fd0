/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program for the tests alone: shows what a diff gives, a line per entry,
 * and writes layers as tars. LOWER and --init may be "-" for none.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/digest.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/strlist.h"
#include "layers/diff.h"
#include "layers/pack.h"

static const char usage[] =
	"usage: layer-tool [--user] [--settle] [--clamp N] [--init DIR] [--drop PATH]… COMMAND\n"
	"  diff LOWER UPPER     a line per entry\n"
	"  pack LOWER UPPER     the layer's tar to stdout\n"
	"  digest LOWER UPPER   diff ID, tar bytes, entries, content bytes\n"
	"  layer DIR            the tar of a settled layer directory to stdout\n"
	"  dump TREE            a line per file of a plain tree\n"
	"  whole TREE           the tar of a plain tree to stdout\n";

static void show_text(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (isgraph((unsigned char)s[i]) && s[i] != '\\')
			putchar(s[i]);
		else
			printf("\\%03o", (unsigned char)s[i]);
}

static int show_content(const struct entry *entry, int fd, struct err *err)
{
	auto_digest_state struct digest_state state = { .ctx = NULL };
	static char chunk[65536];
	struct digest digest;
	char hex[DIGEST_HEX_MAX];
	ssize_t n;

	printf(" size=%llu", (unsigned long long)entry->size_bytes);
	if (entry->size_bytes > (64u << 20))
		return 0;
	digest_state_init(&state);
	while ((n = fd_read_full(fd, chunk, sizeof(chunk), entry->path, err)) > 0)
		digest_state_update(&state, chunk, (size_t)n);
	if (n < 0)
		return -1;
	digest_state_final(&state, &digest);
	printf(" content=%.12s", digest_hex(&digest, hex));
	return 0;
}

static int show_entry(void *context, const struct entry *entry, int content_fd, struct err *err)
{
	printf("%s ", entry_type_name(entry->type));
	putchar('/');
	show_text(entry->path, strlen(entry->path));
	if (entry->link) {
		fputs(" -> ", stdout);
		show_text(entry->link, strlen(entry->link));
	}
	if (entry->type != ENTRY_WHITEOUT && entry->type != ENTRY_OPAQUE) {
		printf(" %04o %u:%u %lld", entry->mode, entry->uid, entry->gid,
		       (long long)entry->mtime.tv_sec);
		if (entry->mtime.tv_nsec)
			return err_set(err, ERR_BUG, "'%s' has a fraction of a second",
				       entry->path);
	}
	if (entry->type == ENTRY_CHAR_DEVICE || entry->type == ENTRY_BLOCK_DEVICE)
		printf(" %u,%u", entry->dev_major, entry->dev_minor);
	if (entry->type == ENTRY_FILE && show_content(entry, content_fd, err) < 0)
		return -1;
	for (size_t i = 0; i < entry->xattrs.count; i++) {
		printf(" %s=", entry->xattrs.items[i].name);
		show_text(entry->xattrs.items[i].value, entry->xattrs.items[i].value_len);
	}
	putchar('\n');
	return 0;
}

static int open_tree(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		err_sys(err, "open '%s'", path);
	return fd;
}

struct request {
	struct diff_options options;
	struct strlist drop;
	const char *init;
};

static int pack_with(struct request *request, int lower, int upper, bool is_whole, struct err *err)
{
	auto_sink struct sink *sink = sink_to_fd(STDOUT_FILENO, "stdout");
	auto_pack struct pack *pack = pack_new(sink);
	int r;

	if (is_whole)
		r = diff_whole_tree(upper, &request->options, pack_diff_fn, pack, err);
	else
		r = diff_upper(lower, upper, &request->options, pack_diff_fn, pack, err);
	if (r < 0 || pack_finish(pack, err) < 0)
		return -1;
	return sink_finish(sink, err);
}

static int show_digest(struct request *request, int lower, int upper, struct err *err)
{
	struct pack_result result;
	char name[DIGEST_NAME_MAX];

	if (pack_upper(lower, upper, &request->options, &result, err) < 0)
		return -1;
	printf("%s %llu %llu %llu\n", digest_name(&result.diff_id, name),
	       (unsigned long long)result.tar_bytes, (unsigned long long)result.entries,
	       (unsigned long long)result.content_bytes);
	return 0;
}

static int on_pair(struct request *request, const char *command, const char *lower_path,
		   const char *upper_path, struct err *err)
{
	auto_close int lower = -1;
	auto_close int init = -1;
	auto_close int upper = open_tree(upper_path, err);

	if (upper < 0)
		return -1;
	if (strcmp(lower_path, "-") != 0 && (lower = open_tree(lower_path, err)) < 0)
		return -1;
	if (request->init && (init = open_tree(request->init, err)) < 0)
		return -1;
	request->options.init_fd = init;
	if (strcmp(command, "diff") == 0)
		return diff_upper(lower, upper, &request->options, show_entry, NULL, err);
	if (strcmp(command, "digest") == 0)
		return show_digest(request, lower, upper, err);
	if (strcmp(command, "pack") == 0)
		return pack_with(request, lower, upper, false, err);
	return err_set(err, ERR_USAGE, "no such command: '%s'", command);
}

static int write_layer(struct request *request, int fd, struct err *err)
{
	auto_sink struct sink *sink = sink_to_fd(STDOUT_FILENO, "stdout");

	if (pack_layer(fd, request->options.ns, sink, err) < 0)
		return -1;
	return sink_finish(sink, err);
}

static int on_tree(struct request *request, const char *command, const char *path, struct err *err)
{
	auto_close int fd = open_tree(path, err);

	if (fd < 0)
		return -1;
	if (strcmp(command, "dump") == 0)
		return diff_whole_tree(fd, &request->options, show_entry, NULL, err);
	if (strcmp(command, "whole") == 0)
		return pack_with(request, -1, fd, true, err);
	if (strcmp(command, "layer") == 0)
		return write_layer(request, fd, err);
	return err_set(err, ERR_USAGE, "no such command: '%s'", command);
}

static int parse_options(struct request *request, int argc, char **argv)
{
	static const struct option options[] = {
		{ "user", no_argument, NULL, 'u' },        { "settle", no_argument, NULL, 's' },
		{ "clamp", required_argument, NULL, 'c' }, { "init", required_argument, NULL, 'i' },
		{ "drop", required_argument, NULL, 'd' },  { NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (c == 'u')
			request->options.ns = OVERLAY_USER;
		else if (c == 's')
			request->options.settle = true;
		else if (c == 'c')
			request->options.clamp_epoch = strtoll(optarg, NULL, 10);
		else if (c == 'i')
			request->init = optarg;
		else if (c == 'd')
			strlist_add(&request->drop, optarg);
		else
			return -1;
	}
	request->options.drop_files = (const char *const *)request->drop.items;
	return 0;
}

int main(int argc, char **argv)
{
	struct request request = { .options = DIFF_OPTIONS_INIT, .drop = STRLIST_INIT };
	struct err err = ERR_INIT;
	int r = -1;

	log_init("layer-tool", LOG_INFO);
	if (parse_options(&request, argc, argv) < 0 || argc - optind < 2 || argc - optind > 3) {
		fputs(usage, stderr);
		return 2;
	}
	argv += optind;
	if (argc - optind == 3)
		r = on_pair(&request, argv[0], argv[1], argv[2], &err);
	else
		r = on_tree(&request, argv[0], argv[1], &err);
	strlist_release(&request.drop);
	if (r == 0 && fflush(stdout) == 0)
		return 0;
	err_print(&err, "layer-tool");
	return err_exit_status(&err);
}
