/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program procview: a file system of the files of /proc in which a container finds how much
 * of the machine is its own. It is given an open connection, whose mount somebody else has made,
 * and the control groups of the container:
 *
 *   procview /dev/fd/N BEGAN GROUP…
 *
 * where BEGAN are the seconds of the boot clock when the container's own began.
 * It lives as long as the mount. Each file is made when it is opened, and read in one piece.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "fuse-overlay/group.h"
#include "fuse-overlay/proctext.h"

#define PROGRAM        "procview"
#define HOST_MAX_BYTES ((size_t)16 * 1024 * 1024)
#define FOREVER        1e9
#define MS_PER_S       1000
#define NS_PER_TICK    10000000

struct view {
	struct fuse_session *fuse;
	struct group group;
	int64_t began_ms; /* by the boot clock */
	int64_t next_load_ms;
	struct proctext_load load;
	struct proctext_cpus cpus; /* that we may run on ourselves */
};

/* ---- what there is to tell ---- */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / (NS_PER_TICK / 10);
}

static void own_cpus(struct proctext_cpus *out)
{
	const size_t size = CPU_ALLOC_SIZE(PROCTEXT_CPUS_MAX);
	cpu_set_t *set = CPU_ALLOC(PROCTEXT_CPUS_MAX);

	if (!set)
		mem_exhausted();
	CPU_ZERO_S(size, set);
	sched_getaffinity(0, size, set);
	for (unsigned i = 0; i < PROCTEXT_CPUS_MAX; i++)
		if (CPU_ISSET_S(i, size, set))
			proctext_add_cpu(out, i);
	CPU_FREE(set);
}

static void shown_cpus(const struct view *view, struct proctext_cpus *out)
{
	const unsigned quota = group_cpu_quota(&view->group);

	*out = view->cpus;
	group_cpus(&view->group, out);
	if (quota > 0)
		proctext_limit_cpus(out, quota);
}

static void get_times(const struct view *view, struct proctext_times *out)
{
	const int64_t up_ms = now_ms() - view->began_ms;

	*out = (struct proctext_times){ .up = (uint64_t)up_ms / 10,
					.began_s = time(NULL) - up_ms / MS_PER_S };
	out->has_used = group_cpu_used(&view->group, &out->user, &out->system);
}

/* ---- the files ---- */

static void make_cpuinfo(const struct view *view, const char *host, struct strbuf *out)
{
	struct proctext_cpus cpus;

	shown_cpus(view, &cpus);
	proctext_cpuinfo(host, &cpus, out);
}

/* Who reads this is running, though it waits for us. */
static void get_threads(const struct view *view, struct proctext_threads *out)
{
	group_threads(&view->group, out);
	if (out->running == 0)
		out->running = 1;
}

static void make_loadavg(const struct view *view, const char *host, struct strbuf *out)
{
	struct proctext_threads threads;

	(void)host;
	get_threads(view, &threads);
	proctext_loadavg(&view->load, &threads, out);
}

static void make_meminfo(const struct view *view, const char *host, struct strbuf *out)
{
	struct proctext_memory memory;

	group_memory(&view->group, &memory);
	proctext_meminfo(host, &memory, out);
}

static void make_stat(const struct view *view, const char *host, struct strbuf *out)
{
	struct proctext_cpus cpus;
	struct proctext_times times;
	struct proctext_threads threads;

	shown_cpus(view, &cpus);
	get_times(view, &times);
	get_threads(view, &threads);
	proctext_stat(host, &cpus, &times, &threads, out);
}

static void make_uptime(const struct view *view, const char *host, struct strbuf *out)
{
	struct proctext_cpus cpus;
	struct proctext_times times;

	(void)host;
	shown_cpus(view, &cpus);
	get_times(view, &times);
	proctext_uptime(&cpus, &times, out);
}

static const struct file {
	const char *name;
	void (*make)(const struct view *view, const char *host, struct strbuf *out);
} files[] = {
	{ "cpuinfo", make_cpuinfo }, { "loadavg", make_loadavg }, { "meminfo", make_meminfo },
	{ "stat", make_stat },       { "uptime", make_uptime },
};
#define FILES     (sizeof(files) / sizeof(files[0]))
#define FIRST_INO (FUSE_ROOT_ID + 1)

static const struct file *file_of(fuse_ino_t ino)
{
	return ino >= FIRST_INO && ino < FIRST_INO + FILES ? &files[ino - FIRST_INO] : NULL;
}

static int make(const struct view *view, const struct file *file, struct strbuf *out)
{
	auto_free char *path = str_format("/proc/%s", file->name);
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	auto_strbuf struct strbuf host = STRBUF_INIT;
	struct err err = ERR_INIT;

	if (fd < 0 || fd_read_all(fd, HOST_MAX_BYTES, &host, path, &err) < 0)
		return -EIO;
	file->make(view, host.data, out);
	return 0;
}

/* ---- operations ---- */

static void fill_attr(fuse_ino_t ino, struct stat *out)
{
	*out = (struct stat){ .st_ino = ino,
			      .st_uid = geteuid(),
			      .st_gid = getegid(),
			      .st_nlink = ino == FUSE_ROOT_ID ? 2 : 1,
			      .st_mode = ino == FUSE_ROOT_ID ? S_IFDIR | 0555 : S_IFREG | 0444 };
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = { .attr_timeout = FOREVER, .entry_timeout = FOREVER };

	for (size_t i = 0; parent == FUSE_ROOT_ID && i < FILES; i++)
		if (strcmp(files[i].name, name) == 0)
			entry.ino = FIRST_INO + i;
	if (!entry.ino) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	fill_attr(entry.ino, &entry.attr);
	fuse_reply_entry(req, &entry);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct stat st;

	(void)info;
	fill_attr(ino, &st);
	fuse_reply_attr(req, &st, FOREVER);
}

/*
 * sendfile(2) reads no further than the size that the kernel knows: let it be as long as this
 * text. (Where it was longer, the first short answer tells.)
 */
static void grow(const struct view *view, fuse_ino_t ino, const struct strbuf *text)
{
	struct fuse_bufvec last = FUSE_BUFVEC_INIT(1);

	if (text->len == 0)
		return;
	last.buf[0].mem = text->data + text->len - 1;
	fuse_lowlevel_notify_store(view->fuse, ino, (off_t)text->len - 1, &last, 0);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	const struct view *view = fuse_req_userdata(req);
	const struct file *file = file_of(ino);
	struct strbuf *text;
	int r;

	if (!file || (info->flags & O_ACCMODE) != O_RDONLY) {
		fuse_reply_err(req, file ? EACCES : EISDIR);
		return;
	}
	text = mem_alloc(sizeof(*text));
	*text = (struct strbuf)STRBUF_INIT;
	r = make(view, file, text);
	info->fh = (uintptr_t)text;
	info->direct_io = 1; /* of a size that nobody knows beforehand */
	if (r == 0) {
		grow(view, ino, text);
		r = fuse_reply_open(req, info) == 0 ? 0 : -EINTR;
	} else {
		fuse_reply_err(req, -r);
	}
	if (r < 0) {
		strbuf_release(text);
		free(text);
	}
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *info)
{
	const struct strbuf *text = (const struct strbuf *)(uintptr_t)info->fh;
	const size_t at = (uint64_t)offset < text->len ? (size_t)offset : text->len;

	(void)ino;
	fuse_reply_buf(req, text->data + at, size < text->len - at ? size : text->len - at);
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct strbuf *text = (struct strbuf *)(uintptr_t)info->fh;

	(void)ino;
	strbuf_release(text);
	free(text);
	fuse_reply_err(req, 0);
}

static const struct fuse_lowlevel_ops operations = {
	.lookup = op_lookup,
	.getattr = op_getattr,
	.open = op_open,
	.read = op_read,
	.release = op_release,
};

/* ---- serving ---- */

/* How long until the next count is due; counted, if it is now. */
static int count_load(struct view *view)
{
	int64_t now = now_ms();
	struct proctext_threads threads;

	if (now >= view->next_load_ms) {
		group_threads(&view->group, &threads);
		proctext_load_add(&view->load, &threads);
		view->next_load_ms += PROCTEXT_LOAD_MS;
		/* after a pause of the whole machine */
		if (view->next_load_ms <= now)
			view->next_load_ms = now + PROCTEXT_LOAD_MS;
	}
	return (int)(view->next_load_ms - now);
}

static int serve(struct fuse_session *fuse, struct view *view)
{
	struct pollfd poller = { .fd = fuse_session_fd(fuse), .events = POLLIN };
	struct fuse_buf buf = { .mem = NULL };
	int r = 0;

	while (!fuse_session_exited(fuse)) {
		r = poll(&poller, 1, count_load(view));
		if (r == 0 || (r < 0 && errno == EINTR))
			continue;
		r = r < 0 ? -errno : fuse_session_receive_buf(fuse, &buf);
		if (r == -EINTR)
			continue;
		if (r <= 0)
			break;
		fuse_session_process_buf(fuse, &buf);
	}
	free(buf.mem);
	return r < 0 ? r : 0;
}

static int run(const char *place, int64_t began_s, char *const *groups, size_t count,
	       struct err *err)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct view view = { .began_ms = began_s * MS_PER_S };
	int r = group_open(&view.group, groups, count);

	if (r < 0)
		return err_set(err, ERR_SYSTEM, "open the container's cgroups: %s", strerror(-r));
	own_cpus(&view.cpus);
	view.next_load_ms = now_ms() + PROCTEXT_LOAD_MS;
	if (fuse_opt_add_arg(&args, PROGRAM) != 0)
		mem_exhausted();
	view.fuse = fuse_session_new(&args, &operations, sizeof(operations), &view);
	fuse_opt_free_args(&args);
	if (!view.fuse || fuse_session_mount(view.fuse, place) != 0)
		r = err_set(err, ERR_SYSTEM, "serve '%s'", place);
	else if ((r = serve(view.fuse, &view)) < 0)
		r = err_set(err, ERR_SYSTEM, "requests from the kernel: %s", strerror(-r));
	if (view.fuse)
		fuse_session_destroy(view.fuse);
	group_close(&view.group);
	return r;
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	int64_t began_s = argc > 2 ? strtoll(argv[2], NULL, 10) : -1;

	if (argc < 4 || began_s < 0 || began_s > now_ms() / MS_PER_S) {
		fputs("Usage: procview /dev/fd/N BEGAN GROUP...\n", stderr);
		return EXIT_FAILURE;
	}
	if (run(argv[1], began_s, argv + 3, (size_t)argc - 3, &err) < 0) {
		err_print(&err, PROGRAM);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
