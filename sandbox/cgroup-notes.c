/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for groups not outliving who made them: the notes that say which there are,
 * and their removal, by their maker or by the next command.
 */
#include "sandbox/cgroup-notes-internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "layers/walk.h"

#define NOTES_DIR      "cgroups"
#define NOTE_MAX_BYTES ((size_t)64 * 1024)
#define PREFIX         "imgbuild-"
#define DEPTH_MAX      32
#define TRIES          200
#define PAUSE_NS       5000000

/* ---- removing ---- */

/* Version 2 has one word for it; version 1 is asked until nobody is there. */
static void kill_all(const char *dir)
{
	auto_free char *kill_path = str_format("%s/cgroup.kill", dir);
	auto_free char *procs_path = str_format("%s/cgroup.procs", dir);
	auto_close int fd = open(kill_path, O_WRONLY | O_CLOEXEC);
	FILE *file;
	long pid;

	if (fd >= 0 && write(fd, "1", 1) == 1)
		return;
	file = fopen(procs_path, "re");
	while (file && fscanf(file, "%ld", &pid) == 1)
		if (pid > 1 && pid != getpid())
			(void)kill((pid_t)pid, SIGKILL); /* whoever is gone already is gone */
	if (file)
		fclose(file);
}

static int remove_tree(const char *dir, int depth);

/* A container with all rights may have made groups of its own. */
static void remove_children(const char *dir, int depth)
{
	DIR *list = opendir(dir);
	const struct dirent *entry;

	while (list && (entry = readdir(list))) {
		auto_free char *path = str_format("%s/%s", dir, entry->d_name);

		if (entry->d_type == DT_DIR && entry->d_name[0] != '.' && depth < DEPTH_MAX)
			(void)remove_tree(path, depth + 1); /* the one above tells */
	}
	if (list)
		closedir(list);
}

/* Who was killed stays a member until the kernel has done with him. */
static int remove_tree(const char *dir, int depth)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };

	for (int i = 0; i < TRIES; i++) {
		if (rmdir(dir) == 0 || errno == ENOENT)
			return 0;
		if (errno != EBUSY && errno != ENOTEMPTY)
			return -1;
		kill_all(dir);
		remove_children(dir, depth);
		if (i > 0)
			nanosleep(&pause, NULL);
	}
	return -1;
}

static bool remove_dirs(const struct strlist *dirs)
{
	bool all = true;

	for (size_t i = 0; i < dirs->count; i++) {
		const char *name = strrchr(dirs->items[i], '/');

		/* a note that somebody else wrote leads to nothing but groups of ours */
		if (!name || strncmp(name + 1, PREFIX, strlen(PREFIX)) != 0 ||
		    remove_tree(dirs->items[i], 0) == 0)
			continue;
		log_warn("the cgroup '%s' stays: %s", dirs->items[i], strerror(errno));
		all = false;
	}
	return all;
}

/* ---- notes ---- */

/* *out_fd -1 when there is none and @makes is false. */
static int open_notes(struct store *store, bool makes, int *out_fd, struct err *err)
{
	auto_free char *path = str_format("%s/" NOTES_DIR, store_root_path(store));

	if (makes && mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_sys(err, "make '%s'", path);
	*out_fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*out_fd < 0 && (makes || errno != ENOENT))
		return err_sys(err, "open '%s'", path);
	return 0;
}

/* A sweep that comes in between finds an empty note and removes it: then it is made again. */
static int make_note(struct cgroup *cgroup, const char *name, struct err *err)
{
	struct stat st;

	for (;;) {
		auto_close int fd =
			openat(cgroup->notes_fd, name,
			       O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

		if (fd < 0)
			return err_sys(err, "note the cgroups of '%s'", name);
		if (flock(fd, LOCK_EX) < 0 || fstat(fd, &st) < 0)
			return err_sys(err, "lock the note of the cgroups of '%s'", name);
		if (st.st_nlink == 0)
			continue;
		cgroup->note_fd = fd_steal(&fd);
		return 0;
	}
}

int cgroup_notes_begin(struct store *store, const char *name, struct cgroup *cgroup,
		       struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;

	if (open_notes(store, true, &cgroup->notes_fd, err) < 0)
		return -1;
	if (make_note(cgroup, name, err) < 0)
		return -1;
	cgroup->note = str_dup(name);
	for (size_t i = 0; i < cgroup->dirs.count; i++)
		strbuf_printf(&text, "%s\n", cgroup->dirs.items[i]);
	return fd_write_all(cgroup->note_fd, text.data, text.len, "the note of cgroups", err);
}

void cgroup_notes_end(struct cgroup *cgroup)
{
	if (!cgroup->note)
		return;
	if (remove_dirs(&cgroup->dirs))
		(void)unlinkat(cgroup->notes_fd, cgroup->note, 0); /* else a sweep will */
}

static void sweep_note(int notes_fd, const char *name)
{
	auto_close int fd = openat(notes_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	auto_strbuf struct strbuf text = STRBUF_INIT;
	auto_strlist struct strlist dirs = STRLIST_INIT;
	struct err ignored = ERR_INIT; /* what cannot be read now, the next one reads */
	char *line, *at;

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 ||
	    fd_read_all(fd, NOTE_MAX_BYTES, &text, "a note of cgroups", &ignored) < 0)
		return;
	at = text.data;
	while (at && (line = strsep(&at, "\n")))
		if (*line)
			strlist_add(&dirs, line);
	if (remove_dirs(&dirs))
		(void)unlinkat(notes_fd, name, 0);
}

int cgroup_sweep(struct store *store, struct err *err)
{
	auto_strlist struct strlist names = STRLIST_INIT;
	auto_close int fd = -1;

	if (open_notes(store, false, &fd, err) < 0)
		return -1;
	if (fd < 0)
		return 0;
	if (walk_names(fd, &names, NOTES_DIR, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++)
		sweep_note(fd, names.items[i]);
	return 0;
}
