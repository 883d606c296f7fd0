/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for where files go: which directories are made on the way, what an
 * existing file or directory at the destination means, and the walk through
 * a copied tree with both sides open beside each other. How one file is made is
 * copy-file.c's.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "builder/copy-internal.h"
#include "common/fd.h"
#include "common/mem.h"
#include "layers/record.h"

int copy_check_interrupt(int fd, struct err *err)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	if (fd >= 0 && poll(&poll_fd, 1, 0) > 0)
		return err_set(err, ERR_INTERRUPTED, "interrupted");
	return 0;
}

mode_t copy_mode(const struct copy_options *options, mode_t mode)
{
	return options->chmod ? chmod_apply(options->chmod, mode) : mode & 07777;
}

mode_t copy_parent_mode(const struct copy_options *options)
{
	return options->chmod && chmod_is_fixed(options->chmod) ? options->chmod->octal : 0755;
}

struct follow_tree copy_target_tree(const struct copy_target *target)
{
	struct follow_tree tree = { .fds = { target->root_fd, target->view_fd }, .count = 2 };

	if (target->view_fd < 0)
		tree.count = 1;
	return tree;
}

/* A directory of the target, and the same of the view. */
struct pair {
	int to_fd;
	int view_fd;
	bool is_made; /* new in the image */
};

#define PAIR_INIT                          \
	{                                  \
		.to_fd = -1, .view_fd = -1 \
	}
#define auto_pair __attribute__((cleanup(pair_release)))
static void pair_release(struct pair *pair)
{
	fd_close(&pair->to_fd);
	fd_close(&pair->view_fd);
}

/* Open @name of a directory; -1 with *out_is_other false when there is nothing. */
static int open_child(int dir_fd, const char *name, bool *out_is_other)
{
	int fd;

	*out_is_other = false;
	if (dir_fd < 0)
		return -1;
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		*out_is_other = errno != ENOENT;
	return fd;
}

/* As it is in the view, and without its parent having changed: it only comes up from below. */
static int mirror_child(const struct copy_target *target, const struct pair *dir,
			const struct pair *child, const struct stat *dir_before, const char *name,
			struct err *err)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, dir_before->st_mtim };

	if (entry_copy_metadata(child->view_fd, child->to_fd, target->ns, name, err) < 0)
		return -1;
	if (futimens(dir->to_fd, times) < 0)
		return err_sys(err, "set the time of the directory of '%s'", name);
	return 0;
}

/*
 * Enter the child directory @name, made if it is missing. One that only the view has is
 * made in the target with all that it has there, so that it stays what it was.
 */
static int enter_child(const struct copy_target *target, const struct pair *dir, const char *name,
		       struct pair *out, struct err *err)
{
	auto_pair struct pair child = PAIR_INIT;
	struct stat before;
	bool is_other;
	bool is_hidden;

	child.to_fd = open_child(dir->to_fd, name, &is_other);
	if (is_other)
		return err_set(err, ERR_INPUT, "'%s' is not a directory there", name);
	child.view_fd = open_child(dir->view_fd, name, &is_hidden);
	if (child.to_fd < 0) {
		if (is_hidden)
			return err_set(err, ERR_INPUT, "'%s' is not a directory there", name);
		if (fstat(dir->to_fd, &before) < 0 || mkdirat(dir->to_fd, name, 0755) < 0)
			return err_sys(err, "make directory '%s'", name);
		child.to_fd = open_child(dir->to_fd, name, &is_other);
		if (child.to_fd < 0)
			return err_sys(err, "open directory '%s'", name);
		child.is_made = child.view_fd < 0;
		if (!child.is_made && mirror_child(target, dir, &child, &before, name, err) < 0)
			return -1;
	}
	*out = child;
	child = (struct pair)PAIR_INIT;
	return 0;
}

static int set_made(const struct copy_target *target, const struct pair *pair,
		    const struct copy_options *options, const char *name, struct err *err)
{
	if (!pair->is_made)
		return 0;
	if (record_chown(pair->to_fd, "", target->ns, options->has_owner ? options->uid : 0,
			 options->has_owner ? options->gid : 0) < 0)
		return err_sys(err, "set the owner of '%s'", name);
	if (fchmod(pair->to_fd, copy_parent_mode(options)) < 0)
		return err_sys(err, "set the mode of '%s'", name);
	return 0;
}

static int open_root(const struct copy_target *target, struct pair *out, struct err *err)
{
	auto_pair struct pair root = PAIR_INIT;

	root.to_fd = fcntl(target->root_fd, F_DUPFD_CLOEXEC, 0);
	if (root.to_fd < 0)
		return err_sys(err, "duplicate a descriptor");
	if (target->view_fd >= 0) {
		root.view_fd = fcntl(target->view_fd, F_DUPFD_CLOEXEC, 0);
		if (root.view_fd < 0)
			return err_sys(err, "duplicate a descriptor");
	}
	*out = root;
	root = (struct pair)PAIR_INIT;
	return 0;
}

/* @path without links, made as far as it is missing. */
static int open_pair(const struct copy_target *target, const char *path,
		     const struct copy_options *options, struct pair *out, struct err *err)
{
	auto_pair struct pair dir = PAIR_INIT;

	if (open_root(target, &dir, err) < 0)
		return -1;
	while (*path) {
		size_t len = strcspn(path, "/");
		auto_free char *name = str_ndup(path, len);
		struct pair child;

		if (enter_child(target, &dir, name, &child, err) < 0)
			return -1;
		pair_release(&dir);
		dir = child;
		if (set_made(target, &dir, options, name, err) < 0)
			return -1;
		path += len;
		path += strspn(path, "/");
	}
	*out = dir;
	dir = (struct pair)PAIR_INIT;
	return 0;
}

int copy_open_directory(const struct copy_target *target, const char *path,
			const struct copy_options *options, int *out_view_fd, bool *out_made,
			struct err *err)
{
	auto_pair struct pair dir = PAIR_INIT;

	if (open_pair(target, path, options, &dir, err) < 0)
		return -1;
	if (out_view_fd)
		*out_view_fd = fd_steal(&dir.view_fd);
	if (out_made)
		*out_made = dir.is_made;
	return fd_steal(&dir.to_fd);
}

/* A directory on the way through a copied tree. */
struct frame {
	struct pair pair;
	int from_fd;
	char *path;   /* below the source; "" for the source itself */
	bool has_time; /* it is new, or becomes like the source's */
	struct timespec mtime;
};

struct stack {
	struct frame *frames;
	size_t count;
};

static void frame_release(struct frame *frame)
{
	pair_release(&frame->pair);
	fd_close(&frame->from_fd);
	free(frame->path);
}

/* Times last: what was made in it has changed them. */
static int pop_frame(struct stack *stack, struct err *err)
{
	struct frame *frame = &stack->frames[stack->count - 1];
	int result = 0;

	if (frame->has_time) {
		struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, frame->mtime };

		if (futimens(frame->pair.to_fd, times) < 0)
			result = err_sys(err, "set the time of '%s'", frame->path);
	}
	frame_release(frame);
	stack->count--;
	return result;
}

static bool is_in(const char *below, const char *dir)
{
	size_t len = strlen(dir);

	return len == 0 || (strncmp(below, dir, len) == 0 && below[len] == '/');
}

static void push_frame(struct stack *stack, const struct frame *frame)
{
	stack->frames = mem_resize(stack->frames, stack->count + 1, sizeof(*frame));
	stack->frames[stack->count++] = *frame;
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int enter_directory(struct copier *copier, struct stack *stack,
			   const struct select_item *item, struct err *err)
{
	const struct frame *top = &stack->frames[stack->count - 1];
	struct frame frame = { .pair = PAIR_INIT, .from_fd = -1, .mtime = item->mtime };
	const char *name = last_part(item->below);

	if (enter_child(copier->target, &top->pair, name, &frame.pair, err) < 0)
		return -1;
	frame.from_fd = openat(top->from_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (frame.from_fd < 0) {
		err_sys(err, "open '%s'", item->path);
		frame_release(&frame);
		return -1;
	}
	frame.path = str_dup(item->below);
	frame.has_time = !item->is_way || frame.pair.is_made;
	push_frame(stack, &frame);
	if (!frame.has_time)
		return 0;
	return copy_set_owner(copier, item, frame.pair.to_fd, err);
}

static int copy_below(struct copier *copier, const struct stack *stack, const char *dest,
		      struct select_item *item, struct err *err)
{
	const struct frame *top = &stack->frames[stack->count - 1];
	auto_free char *to_path = NULL;
	struct copy_place place = {
		.from_fd = top->from_fd,
		.from = last_part(item->below),
		.to_fd = top->pair.to_fd,
		.view_fd = top->pair.view_fd,
		.to = last_part(item->below),
	};

	if (item->ino != 0)
		to_path = str_format("%s%s%s", dest, dest[0] ? "/" : "", item->below);
	place.to_path = to_path;
	return copy_file(copier, item, &place, err);
}

/* All that is below the source directory, in the order of the selection. */
static int copy_contents(struct copier *copier, struct stack *stack, const char *dest,
			 struct select_reader *reader, struct err *err)
{
	for (;;) {
		struct select_item *item;
		int result;

		if (select_next(reader, &item, err) < 0)
			return -1;
		if (!item)
			break;
		while (!is_in(item->below, stack->frames[stack->count - 1].path))
			if (pop_frame(stack, err) < 0)
				return -1;
		result = S_ISDIR(item->mode) ? enter_directory(copier, stack, item, err)
					     : copy_below(copier, stack, dest, item, err);
		if (result < 0)
			return -1;
	}
	while (stack->count > 0)
		if (pop_frame(stack, err) < 0)
			return -1;
	return 0;
}

static int open_source_dir(const struct copier *copier, const char *path, struct err *err)
{
	int fd = select_open(copier->tree, path, err);
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode))) {
		err_set(err, ERR_INPUT, "'%s' was changed while it was copied", path);
		fd_close(&fd);
	}
	return fd;
}

/* The source's own item, of which there always is one. */
static int read_first(const struct copier *copier, struct select_reader *reader,
		      struct select_item **out, struct err *err)
{
	select_reader_init(reader, copier->request->selection, copier->request->source);
	return select_next(reader, out, err);
}

/* The contents go into @dest; only a new @dest becomes like the source, if that is the only one. */
static int copy_directory(struct copier *copier, const char *dest, struct err *err)
{
	auto_select_reader struct select_reader reader = SELECT_READER_INIT;
	struct stack stack = { .count = 0 };
	struct frame frame = { .pair = PAIR_INIT, .from_fd = -1 };
	struct select_item *item;
	int result;

	if (read_first(copier, &reader, &item, err) < 0)
		return -1;
	frame.from_fd = open_source_dir(copier, item->path, err);
	if (frame.from_fd < 0)
		return -1;
	frame.path = str_dup("");
	frame.mtime = item->mtime;
	result = open_pair(copier->target, dest, copier->options, &frame.pair, err);
	frame.has_time = result == 0 && frame.pair.is_made && !item->is_way &&
			 copier->request->selection->source_count == 1;
	if (frame.has_time)
		result = copy_set_owner(copier, item, frame.pair.to_fd, err);
	push_frame(&stack, &frame);
	if (result == 0)
		result = copy_contents(copier, &stack, dest, &reader, err);
	while (stack.count > 0)
		frame_release(&stack.frames[--stack.count]);
	free(stack.frames);
	return result;
}

/* Where a file goes, links followed: @out_dir and the name in it. */
static int place_file(const struct copy_target *target, const struct copy_request *request,
		      const char *name, struct strbuf *out_dir, struct strbuf *out_name,
		      struct err *err)
{
	struct follow_tree tree = copy_target_tree(target);
	auto_strbuf struct strbuf path = STRBUF_INIT;
	const char *slash;
	struct stat st;
	bool found;

	if (follow_path(&tree, request->dest, &path, &found, &st, err) < 0)
		return -1;
	if (request->dest_is_dir || (found && S_ISDIR(st.st_mode))) {
		strbuf_add(out_dir, path.data, path.len);
		strbuf_puts(out_name, name);
		return 0;
	}
	slash = strrchr(path.data, '/');
	if (slash)
		strbuf_add(out_dir, path.data, (size_t)(slash - path.data));
	strbuf_puts(out_name, slash ? slash + 1 : path.data);
	return 0;
}

static int copy_one_file(struct copier *copier, const struct select_source *source, struct err *err)
{
	const char *slash = strrchr(source->path, '/');
	auto_free char *from_dir =
		str_ndup(source->path, slash ? (size_t)(slash - source->path) : 0);
	auto_select_reader struct select_reader reader = SELECT_READER_INIT;
	auto_strbuf struct strbuf dir = STRBUF_INIT;
	auto_strbuf struct strbuf name = STRBUF_INIT;
	auto_strbuf struct strbuf path = STRBUF_INIT;
	auto_pair struct pair pair = PAIR_INIT;
	auto_close int from_fd = -1;
	struct select_item *item;

	if (read_first(copier, &reader, &item, err) < 0)
		return -1;
	if (place_file(copier->target, copier->request, source->name, &dir, &name, err) < 0 ||
	    open_pair(copier->target, dir.data, copier->options, &pair, err) < 0)
		return -1;
	from_fd = open_source_dir(copier, from_dir, err);
	if (from_fd < 0)
		return -1;
	strbuf_printf(&path, "%s%s%s", dir.data, dir.len > 0 ? "/" : "", name.data);
	return copy_file(copier, item,
			 &(struct copy_place){ .from_fd = from_fd,
					       .from = last_part(item->path),
					       .to_fd = pair.to_fd,
					       .view_fd = pair.view_fd,
					       .to = name.data,
					       .to_path = path.data },
			 err);
}

static int copy_tree(struct copier *copier, struct err *err)
{
	struct follow_tree tree = copy_target_tree(copier->target);
	auto_strbuf struct strbuf dest = STRBUF_INIT;
	bool found;

	if (follow_path(&tree, copier->request->dest, &dest, &found, NULL, err) < 0)
		return -1;
	return copy_directory(copier, dest.data, err);
}

int copy_source_to(const struct copy_target *target, const struct copy_request *request,
		   struct err *err)
{
	const struct select_source *source = &request->selection->sources[request->source];
	struct copier copier = {
		.target = target,
		.request = request,
		.options = request->options,
		.tree = request->tree,
	};
	int result;

	copier.buffer = mem_alloc(COPY_BUFFER_BYTES);
	result = source->is_directory ? copy_tree(&copier, err)
				      : copy_one_file(&copier, source, err);
	copy_links_release(&copier);
	free(copier.buffer);
	return result;
}

int copy_text_to(const struct copy_target *target, const char *name, const char *text,
		 const struct copy_request *request, struct err *err)
{
	const struct copy_options *options = request->options;
	auto_strbuf struct strbuf dir = STRBUF_INIT;
	auto_strbuf struct strbuf to = STRBUF_INIT;
	auto_pair struct pair pair = PAIR_INIT;
	auto_close int fd = -1;
	struct stat st;

	if (place_file(target, request, name, &dir, &to, err) < 0 ||
	    open_pair(target, dir.data, options, &pair, err) < 0)
		return -1;
	if (pair.view_fd >= 0 && fstatat(pair.view_fd, to.data, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode))
		return err_set(err, ERR_INPUT, "'%s' is a directory there", to.data);
	if (copy_clear_name(pair.to_fd, to.data, err) < 0)
		return -1;
	fd = openat(pair.to_fd, to.data, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return err_sys(err, "make '%s'", to.data);
	if (fd_write_all(fd, text, strlen(text), to.data, err) < 0)
		return -1;
	if (record_chown(fd, "", target->ns, options->has_owner ? options->uid : 0,
			 options->has_owner ? options->gid : 0) < 0 ||
	    fchmod(fd, copy_mode(options, S_IFREG | 0644)) < 0)
		return err_sys(err, "set owner and mode of '%s'", to.data);
	return 0;
}
