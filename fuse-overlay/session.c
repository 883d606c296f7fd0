/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The FUSE session. libfuse reads, parses and answers requests; its custom I/O lets us see INIT
 * as it comes in and change the answer as it goes out. What requests mean is for the operations.
 */
#include "fuse-overlay/session.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/userns.h"
#include "fuse-overlay/kept.h"
#include "fuse-overlay/workers.h"

/* ---- the protocol, where it is newer than the headers of Debian 12 ---------------- */

#define INIT_FLAGS2_PASSTHROUGH (1u << (37 - 32)) /* protocol 7.40, Linux 6.9 */
#define OPCODE_TMPFILE          51                /* protocol 7.37, Linux 6.1 */
#define OPEN_PASSTHROUGH        (1u << 7)

/* struct fuse_init_out up to max_stack_depth, which takes the first word of its "unused" */
struct init_reply {
	uint32_t major;
	uint32_t minor;
	uint32_t max_readahead;
	uint32_t flags;
	uint16_t max_background;
	uint16_t congestion_threshold;
	uint32_t max_write;
	uint32_t time_gran;
	uint16_t max_pages;
	uint16_t map_alignment;
	uint32_t flags2;
	uint32_t max_stack_depth;
};

struct open_reply {
	uint64_t fh;
	uint32_t open_flags;
	int32_t backing_id;
};

struct create_reply {
	struct fuse_entry_out entry;
	struct open_reply open;
};

struct backing_map {
	int32_t fd;
	uint32_t flags;
	uint64_t padding;
};

#define BACKING_OPEN  _IOW(FUSE_DEV_IOC_MAGIC, 1, struct backing_map)
#define BACKING_CLOSE _IOW(FUSE_DEV_IOC_MAGIC, 2, uint32_t)

_Static_assert(sizeof(struct open_reply) == sizeof(struct fuse_open_out), "as the kernel has it");
_Static_assert(offsetof(struct init_reply, flags2) == offsetof(struct fuse_init_out, flags2),
	       "as the kernel has it");

/* The kernel stacks file systems two high: ours counts as one above its backing files. */
#define STACK_DEPTH    1
#define MAX_WRITE      (1u << 20)
#define MAX_BACKGROUND 64
#define MAX_THREADS    16
/* as many of the threads may wait for what others do */
#define MAX_WAITING 4

struct session {
	struct fuse_session *fuse;
	struct fuse_lowlevel_ops ops; /* the operations', and init() */
	const struct options *options;
	struct ops_context *context;
	session_ready_fn ready;
	void *ready_context;
	int fuse_fd; /* the session's own; borrowed */
	bool is_mounted;
	bool may_passthrough; /* as far as we are concerned */
	/* of INIT, which one thread takes while nothing else is sent: */
	atomic_bool is_init_over;
	uint64_t init_unique;
	uint32_t offered;
	uint32_t offered2;
	bool has_passthrough;
	bool has_writeback;
	atomic_uint waiting;
};

static struct session *session_of(void *userdata)
{
	return ((struct ops_context *)userdata)->session;
}

/* ---- the beginning of the conversation ----------------------------------------- */

static void init_look(struct session *session, const void *data, size_t len)
{
	const struct fuse_in_header *header = data;
	const struct fuse_init_in *init = (const void *)(header + 1);

	if (len < sizeof(*header) + offsetof(struct fuse_init_in, flags2) ||
	    header->opcode != FUSE_INIT)
		return;
	session->init_unique = header->unique;
	session->offered = init->flags;
	if (len >= sizeof(*header) + sizeof(*init) && (init->flags & FUSE_INIT_EXT))
		session->offered2 = init->flags2;
	session->has_passthrough =
		session->may_passthrough && (session->offered2 & INIT_FLAGS2_PASSTHROUGH);
}

/* The answer to INIT, which libfuse has in one piece behind the header. */
static void init_amend(struct session *session, const struct iovec *iov, int count)
{
	const struct fuse_out_header *header = iov[0].iov_base;
	struct init_reply *reply = count > 1 ? iov[1].iov_base : NULL;

	if (iov[0].iov_len != sizeof(*header) || header->unique != session->init_unique)
		return;
	if (header->error || !reply || iov[1].iov_len < sizeof(*reply))
		return;
	/* without it the kernel asks for security.capability before every write */
	reply->flags |= session->offered & FUSE_HANDLE_KILLPRIV_V2;
	if (session->has_passthrough) {
		reply->flags |= FUSE_INIT_EXT;
		reply->flags2 |= INIT_FLAGS2_PASSTHROUGH;
		reply->max_stack_depth = STACK_DEPTH;
	}
}

/* TMPFILE has what CREATE has, and the name "/". */
static void tmpfile_rename(void *data, size_t len)
{
	struct fuse_in_header *header = data;

	if (len >= sizeof(*header) && header->opcode == OPCODE_TMPFILE)
		header->opcode = FUSE_CREATE;
}

static ssize_t io_read(int fd, void *buf, size_t len, void *userdata)
{
	struct session *session = session_of(userdata);
	ssize_t got = read(fd, buf, len);

	if (got <= 0)
		return got;
	if (atomic_load_explicit(&session->is_init_over, memory_order_acquire))
		tmpfile_rename(buf, (size_t)got);
	else
		init_look(session, buf, (size_t)got);
	return got;
}

static ssize_t io_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	struct session *session = session_of(userdata);
	ssize_t written;

	if (atomic_load_explicit(&session->is_init_over, memory_order_acquire))
		return writev(fd, iov, count);
	init_amend(session, iov, count);
	/* the kernel may ask for the next thing in the middle of the write */
	atomic_store_explicit(&session->is_init_over, true, memory_order_release);
	written = writev(fd, iov, count);
	if (written > 0 && session->ready)
		session->ready(session->ready_context);
	return written;
}

static ssize_t io_splice(int from, off_t *from_offset, int to, off_t *to_offset, size_t len,
			 unsigned int flags, void *userdata)
{
	(void)userdata;
	return splice(from, from_offset, to, to_offset, len, flags);
}

/* Requests are read and not spliced: one system call less for all but the largest writes. */
static const struct fuse_custom_io custom_io = {
	.writev = io_writev,
	.read = io_read,
	.splice_send = io_splice,
};

/*
 * A kernel that collects writes asks for a file's attributes after each time it was closed, read
 * or written. Where opens are free that would be all there is to pay for reading.
 */
static bool may_write_back(const struct session *session)
{
	const struct options *options = session->options;

	return !options->no_writeback && !session->has_passthrough &&
	       (!session->context->kept || options->wants_writeback);
}

/* What we would like of what the kernel can do. */
static unsigned int wanted(const struct session *session)
{
	const struct options *options = session->options;
	unsigned int want = FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO | FUSE_CAP_ATOMIC_O_TRUNC |
			    FUSE_CAP_DONT_MASK | FUSE_CAP_EXPORT_SUPPORT | FUSE_CAP_IOCTL_DIR |
			    FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_READDIRPLUS |
			    FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_EXPLICIT_INVAL_DATA |
			    FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE;

	/* who does not hear of opens must hear of truncations */
	if (session->context->kept)
		want &= ~(unsigned int)FUSE_CAP_ATOMIC_O_TRUNC;
	if (may_write_back(session))
		want |= FUSE_CAP_WRITEBACK_CACHE;
	if (!options->no_acl && !options->no_xattrs)
		want |= FUSE_CAP_POSIX_ACL;
	return want;
}

static void session_init(void *userdata, struct fuse_conn_info *conn)
{
	struct session *session = session_of(userdata);

	/*
	 * Without passthrough there is nothing to say at an open, and files that are cached can be
	 * opened without asking. But who is not root in here may be unable to open again what it
	 * made with a mode of 0444.
	 */
	if (!session->has_passthrough && geteuid() == 0)
		session->context->kept = kept_new();
	conn->want = wanted(session) & conn->capable;
	session->has_writeback = conn->want & FUSE_CAP_WRITEBACK_CACHE;
	conn->max_write = MAX_WRITE;
	conn->max_background = MAX_BACKGROUND;
	conn->congestion_threshold = MAX_BACKGROUND * 3 / 4;
}

void session_write_back(struct session *session, fuse_ino_t ino)
{
	if (!session->has_writeback || session->options->is_single)
		return;
	if (atomic_fetch_add(&session->waiting, 1) < MAX_WAITING)
		fuse_lowlevel_notify_inval_inode(session->fuse, ino, 0, 0);
	atomic_fetch_sub(&session->waiting, 1);
}

/* ---- the session ---------------------------------------------------------------- */

static void arg_add(struct fuse_args *args, const char *arg)
{
	if (fuse_opt_add_arg(args, arg) != 0)
		mem_exhausted();
}

static int fuse_open_session(struct session *session, struct err *err)
{
	auto_free char *mount = options_mount_string(session->options);
	auto_free char *list = str_format("subtype=imgoverlay,fsname=fuse-overlayfs,%s%s", mount,
					  session->options->is_debug ? ",debug" : "");
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);

	arg_add(&args, "imgoverlay");
	arg_add(&args, "-o");
	arg_add(&args, list);
	session->fuse =
		fuse_session_new(&args, &session->ops, sizeof(session->ops), session->context);
	fuse_opt_free_args(&args);
	if (!session->fuse)
		return err_set(err, ERR_SYSTEM, "libfuse does not take the mount options '%s'",
			       list);
	return 0;
}

int session_new(const struct options *options, const struct fuse_lowlevel_ops *ops,
		struct ops_context *context, struct session **out, struct err *err)
{
	struct session *session = mem_alloc(sizeof(*session));

	session->ops = *ops;
	session->ops.init = session_init;
	session->options = options;
	session->context = context;
	context->session = session;
	session->fuse_fd = -1;
	/* the kernel asks for CAP_SYS_ADMIN in the first user namespace */
	session->may_passthrough =
		!options->no_passthrough && geteuid() == 0 && !userns_is_nested();
	if (fuse_open_session(session, err) < 0) {
		session_free(session);
		return -1;
	}
	*out = session;
	return 0;
}

void session_free(struct session *session)
{
	if (!session)
		return;
	if (session->is_mounted)
		fuse_session_unmount(session->fuse);
	if (session->fuse)
		fuse_session_destroy(session->fuse);
	kept_free(session->context->kept, session->context->overlay);
	session->context->kept = NULL;
	session->context->session = NULL;
	free(session);
}

int session_mount(struct session *session, const char *mountpoint, struct err *err)
{
	int r;

	if (fuse_session_mount(session->fuse, mountpoint) != 0)
		return err_set(err, ERR_SYSTEM, "cannot mount at '%s'", mountpoint);
	session->is_mounted = true;
	session->fuse_fd = fuse_session_fd(session->fuse);
	r = fuse_session_custom_io(session->fuse, &custom_io, session->fuse_fd);
	if (r != 0)
		return err_set(err, ERR_SYSTEM, "libfuse: %s", strerror(-r));
	return 0;
}

static int session_loop(struct session *session)
{
	if (session->options->is_single)
		return fuse_session_loop(session->fuse);
	return workers_run(session->fuse, session->fuse_fd, MAX_THREADS,
			   session->options->polling != POLLING_NEVER);
}

int session_serve(struct session *session, session_ready_fn ready, void *context, struct err *err)
{
	int r;

	session->ready = ready;
	session->ready_context = context;
	if (fuse_set_signal_handlers(session->fuse) != 0)
		return err_set(err, ERR_SYSTEM, "set signal handlers");
	r = session_loop(session);
	fuse_remove_signal_handlers(session->fuse);
	/* above 0 is the signal that ended it */
	if (r < 0)
		return err_set(err, ERR_SYSTEM, "requests from the kernel: %s", strerror(-r));
	return 0;
}

/* ---- passthrough ----------------------------------------------------------------- */

bool session_has_passthrough(const struct session *session)
{
	return session->has_passthrough;
}

int session_backing_open(struct session *session, int fd)
{
	const struct backing_map map = { .fd = fd };
	int id;

	if (!session->has_passthrough)
		return -EOPNOTSUPP;
	id = ioctl(session->fuse_fd, BACKING_OPEN, &map);
	return id < 0 ? -errno : id;
}

void session_backing_close(struct session *session, int backing_id)
{
	const uint32_t id = (uint32_t)backing_id;

	/* fails only for an id that is none */
	ioctl(session->fuse_fd, BACKING_CLOSE, &id);
}

static struct open_reply open_reply(const struct fuse_file_info *file, int backing_id)
{
	struct open_reply reply = { .fh = file->fh };

	reply.open_flags = (file->direct_io ? FOPEN_DIRECT_IO : 0) |
			   (file->keep_cache ? FOPEN_KEEP_CACHE : 0) |
			   (file->nonseekable ? FOPEN_NONSEEKABLE : 0) |
			   (file->noflush ? FOPEN_NOFLUSH : 0);
	if (backing_id > 0) {
		reply.open_flags |= OPEN_PASSTHROUGH;
		reply.backing_id = backing_id;
	}
	return reply;
}

int session_reply_open(fuse_req_t req, const struct fuse_file_info *file, int backing_id)
{
	const struct open_reply reply = open_reply(file, backing_id);

	return fuse_reply_buf(req, (const char *)&reply, sizeof(reply));
}

static void seconds_split(double seconds, uint64_t *out_s, uint32_t *out_ns)
{
	/* a moment far beyond is for ever */
	uint64_t whole = seconds > 1e15 ? (uint64_t)1e15 : (uint64_t)seconds;
	double part = seconds - (double)whole;

	*out_s = whole;
	*out_ns = part > 0 && part < 1 ? (uint32_t)(part * 1e9) : 0;
}

static void attr_fill(const struct stat *st, struct fuse_attr *out)
{
	*out = (struct fuse_attr){
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.blocks = (uint64_t)st->st_blocks,
		.atime = (uint64_t)st->st_atim.tv_sec,
		.mtime = (uint64_t)st->st_mtim.tv_sec,
		.ctime = (uint64_t)st->st_ctim.tv_sec,
		.atimensec = (uint32_t)st->st_atim.tv_nsec,
		.mtimensec = (uint32_t)st->st_mtim.tv_nsec,
		.ctimensec = (uint32_t)st->st_ctim.tv_nsec,
		.mode = st->st_mode,
		.nlink = (uint32_t)st->st_nlink,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.rdev = (uint32_t)st->st_rdev,
		.blksize = (uint32_t)st->st_blksize,
	};
}

int session_reply_create(fuse_req_t req, const struct fuse_entry_param *entry,
			 const struct fuse_file_info *file, int backing_id)
{
	struct create_reply reply = { .open = open_reply(file, backing_id) };

	reply.entry.nodeid = entry->ino;
	reply.entry.generation = entry->generation;
	seconds_split(entry->entry_timeout, &reply.entry.entry_valid,
		      &reply.entry.entry_valid_nsec);
	seconds_split(entry->attr_timeout, &reply.entry.attr_valid, &reply.entry.attr_valid_nsec);
	attr_fill(&entry->attr, &reply.entry.attr);
	return fuse_reply_buf(req, (const char *)&reply, sizeof(reply));
}
