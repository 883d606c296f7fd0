/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does the same random things to two directories and compares what came of each: results, errors,
 * owners, modes, contents. The first is what is tested, the second a plain directory.
 *
 *	fs-tester run SEED COUNT THREADS TESTED PLAIN
 *	fs-tester fill SEED COUNT THREADS DIR	  the first half of a test: something to begin with
 *	fs-tester compare TESTED PLAIN
 *	fs-tester crowd SEED COUNT THREADS DIR	  all threads in one directory; nothing is compared
 *
 * Each thread has a directory of its own in both, tN, and a seed of its own: the same seed does the
 * same things. What is drawn is an action; it is performed on either side and gives an outcome.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/fs-actions.h"

#define TREE_EVERY  100
#define THREADS_MAX 64
#define DEPTH_MAX   40

struct worker {
	pthread_t thread;
	unsigned number;
	uint64_t random;
	unsigned long count;
	unsigned long done;
	unsigned long skipped;
	unsigned long failed_alike; /* both sides refused: a test of nothing but that */
	struct side sides[2];
	unsigned side_count;
	bool is_compared;
	bool has_links;
	bool is_in_crowd;
	bool is_wrong;
};

/* ---- chance -------------------------------------------------------------------- */

static unsigned draw(struct worker *worker, unsigned below)
{
	uint64_t x = worker->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	worker->random = x;
	return (unsigned)((x * 0x2545f4914f6cdd1dull) >> 33) % below;
}

static void draw_path(struct worker *worker, char *path, bool is_dir)
{
	/* few names, so that they meet; few directories, so that they fill */
	static const char *const dirs[] = { "p", "p", "p", "q" };
	static const char *const files[] = { "a", "b", "c", "d", "e", "a long name with blanks" };
	unsigned depth = draw(worker, 7) / 2;

	path[0] = '\0';
	for (unsigned i = 0; i < depth; i++)
		strcat(strcat(path, dirs[draw(worker, 4)]), "/");
	if (draw(worker, 12) == 0)
		is_dir = !is_dir;
	strcat(path, is_dir ? dirs[draw(worker, 4)] : files[draw(worker, 6)]);
}

static const struct kind *draw_kind(struct worker *worker)
{
	static unsigned total;
	unsigned at;
	size_t i = 0;

	if (total == 0)
		for (size_t k = 0; k < kind_count; k++)
			total += kinds[k].weight;
	for (at = draw(worker, total); at >= kinds[i].weight; i++)
		at -= kinds[i].weight;
	return &kinds[i];
}

static void draw_action(struct worker *worker, struct action *action)
{
	const struct kind *kind = draw_kind(worker);
	bool is_dir = (kind->flags & ON_DIR) || draw(worker, 8) == 0;

	*action = (struct action){ .kind = kind };
	draw_path(worker, action->path, is_dir);
	draw_path(worker, action->other, is_dir);
	action->slot = draw(worker, SLOTS);
	for (unsigned i = 0; i < SLOTS && (kind->flags & ON_SLOT); i++)
		if (worker->sides[0].slots[action->slot] < 0)
			action->slot = (action->slot + 1) % SLOTS;
	action->offset = draw(worker, draw(worker, 4) ? 8192 : FILE_MAX - DATA_MAX);
	action->len = 1 + draw(worker, draw(worker, 4) ? 5000 : DATA_MAX);
	action->number = draw(worker, 1u << 20);
}

/* ---- what came of it ---------------------------------------------------------------- */

static void add(struct outcome *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct outcome *out, const char *fmt, ...)
{
	size_t len = strlen(out->text);
	va_list args;

	va_start(args, fmt);
	vsnprintf(out->text + len, sizeof(out->text) - len, fmt, args);
	va_end(args);
}

static uint64_t content(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	static __thread char data[65536];
	uint64_t hash = 7;
	ssize_t got;

	if (fd < 0)
		return 1;
	while ((got = read(fd, data, sizeof(data))) > 0)
		hash = digest(hash, data, (size_t)got);
	close(fd);
	return got < 0 ? 2 : hash;
}

static void xattrs(int dir_fd, const char *name, struct outcome *out)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char list[1024];
	char value[1024];
	char *names[32];
	size_t count = 0;
	ssize_t len = fd < 0 ? 0 : flistxattr(fd, list, sizeof(list));

	for (char *at = list; at < list + len && count < 32; at += strlen(at) + 1)
		names[count++] = at;
	qsort(names, count, sizeof(names[0]), by_text);
	for (size_t i = 0; i < count; i++) {
		ssize_t got = fgetxattr(fd, names[i], value, sizeof(value));

		add(out, " %s=%lx", names[i],
		    got < 0 ? (long)-errno : (long)digest(7, value, (size_t)got));
	}
	if (fd >= 0)
		close(fd);
}

/* A file as a line; sizes and links of directories are the file system's affair. */
static void describe(int dir_fd, const char *name, struct outcome *out)
{
	char target[PATH_ROOM * 2] = "";
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		add(out, "%s: %s\n", name, strerror(errno));
		return;
	}
	add(out, "%s: %o %u:%u", name, st.st_mode, st.st_uid, st.st_gid);
	if (!S_ISDIR(st.st_mode))
		add(out, " links %lu", (unsigned long)st.st_nlink);
	if (S_ISREG(st.st_mode))
		add(out, " size %ld content %lx", (long)st.st_size, (long)content(dir_fd, name));
	if (S_ISLNK(st.st_mode) && readlinkat(dir_fd, name, target, sizeof(target) - 1) >= 0)
		add(out, " -> %s", target);
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		xattrs(dir_fd, name, out);
	add(out, "\n");
}

static void describe_slot(const struct side *side, unsigned slot, struct outcome *out)
{
	int fd = side->slots[slot];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	add(out, "open: %o %u:%u links %lu size %ld\n", st.st_mode, st.st_uid, st.st_gid,
	    S_ISDIR(st.st_mode) ? 0ul : (unsigned long)st.st_nlink,
	    S_ISDIR(st.st_mode) ? 0l : (long)st.st_size);
}

static size_t names_of(int fd, char **names, size_t max)
{
	DIR *dir = fdopendir(dup(fd));
	const struct dirent *entry;
	size_t count = 0;

	if (!dir)
		return 0;
	rewinddir(dir);
	while ((entry = readdir(dir)) && count < max)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			names[count++] = strdup(entry->d_name);
	closedir(dir);
	qsort(names, count, sizeof(names[0]), by_text);
	return count;
}

static bool same_trees(const int *fds, const char *path, int depth);

static bool same_entry(const int *fds, const char *path, const char *name, int depth)
{
	char below[4096];
	struct outcome outs[2];
	int subs[2] = { -1, -1 };
	bool is_same;

	for (int s = 0; s < 2; s++) {
		outs[s].text[0] = '\0';
		describe(fds[s], name, &outs[s]);
	}
	is_same = strcmp(outs[0].text, outs[1].text) == 0;
	if (!is_same)
		fprintf(stderr, "in '%s':\n  tested %s  plain  %s", path, outs[0].text,
			outs[1].text);
	for (int s = 0; s < 2; s++)
		subs[s] = openat(fds[s], name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	snprintf(below, sizeof(below), "%s/%s", path, name);
	if (is_same && subs[0] >= 0 && subs[1] >= 0 && depth < DEPTH_MAX)
		is_same = same_trees(subs, below, depth + 1);
	for (int s = 0; s < 2; s++)
		if (subs[s] >= 0)
			close(subs[s]);
	return is_same;
}

static bool same_trees(const int *fds, const char *path, int depth)
{
	static const size_t max = 4096;
	char **names[2];
	size_t counts[2];
	bool is_same = true;
	size_t i = 0;

	for (int s = 0; s < 2; s++) {
		names[s] = calloc(max, sizeof(char *));
		counts[s] = names_of(fds[s], names[s], max);
	}
	for (; i < counts[0] && i < counts[1] && strcmp(names[0][i], names[1][i]) == 0; i++)
		is_same &= same_entry(fds, path, names[0][i], depth);
	if (i < counts[0] || i < counts[1]) {
		fprintf(stderr, "in '%s': tested has '%s' where plain has '%s'\n", path,
			i < counts[0] ? names[0][i] : "no more",
			i < counts[1] ? names[1][i] : "no more");
		is_same = false;
	}
	for (int s = 0; s < 2; s++) {
		for (size_t k = 0; k < counts[s]; k++)
			free(names[s][k]);
		free(names[s]);
	}
	return is_same;
}

/* ---- the work ------------------------------------------------------------------------- */

static bool is_same_outcome(const struct worker *worker, const struct action *action,
			    const struct outcome *outs)
{
	if (outs[0].error == outs[1].error && outs[0].value == outs[1].value &&
	    strcmp(outs[0].text, outs[1].text) == 0)
		return true;
	fprintf(stderr,
		"thread %u, action %lu: %s '%s' '%s' slot %u offset %ld len %zu number %u\n",
		worker->number, worker->done, action->kind->name, action->path, action->other,
		action->slot, (long)action->offset, action->len, action->number);
	for (int s = 0; s < 2; s++)
		fprintf(stderr, "  %s: error '%s' value %ld\n%s", s ? "plain " : "tested",
			outs[s].error ? strerror(outs[s].error) : "none", outs[s].value,
			outs[s].text);
	return false;
}

static bool act(struct worker *worker)
{
	struct outcome outs[2] = { { .text = "" }, { .text = "" } };
	struct action action;

	draw_action(worker, &action);
	/* names of one file in a lower layer become different files when one is copied up */
	if (!worker->has_links && (action.kind->flags & ADDS_LINK))
		return true;
	if (worker->is_in_crowd && (action.kind->flags & NOT_IN_CROWD))
		return true;
	for (unsigned s = 0; s < worker->side_count; s++) {
		action.kind->perform(&worker->sides[s], &action, &outs[s]);
		/* such as to rename a directory of a lower layer: then it is not done at all */
		if (s == 0 && worker->is_compared && cannot_be_done(&outs[0])) {
			worker->skipped++;
			return true;
		}
	}
	if (!worker->is_compared)
		return true;
	for (unsigned s = 0; s < 2; s++) {
		describe(worker->sides[s].root, action.path, &outs[s]);
		describe(worker->sides[s].root, action.other, &outs[s]);
		describe_slot(&worker->sides[s], action.slot, &outs[s]);
	}
	worker->failed_alike += outs[0].error != 0;
	return is_same_outcome(worker, &action, outs);
}

static bool same_sides(const struct worker *worker)
{
	const int fds[] = { worker->sides[0].root, worker->sides[1].root };

	if (same_trees(fds, ".", 0))
		return true;
	fprintf(stderr, "thread %u: the trees differ after %lu actions\n", worker->number,
		worker->done);
	return false;
}

static void *work(void *arg)
{
	struct worker *worker = arg;

	for (; worker->done < worker->count && !worker->is_wrong; worker->done++) {
		worker->is_wrong = !act(worker);
		if (worker->is_compared && worker->done % TREE_EVERY == 0)
			worker->is_wrong |= !same_sides(worker);
	}
	if (worker->is_compared && !worker->is_wrong)
		worker->is_wrong = !same_sides(worker);
	for (unsigned s = 0; s < worker->side_count; s++)
		for (unsigned i = 0; i < SLOTS; i++)
			keep(&worker->sides[s], i, -1);
	return NULL;
}

static int open_place(const char *dir, const char *name)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (mkdir(path, 0755) < 0 && errno != EEXIST) {
		perror(path);
		exit(99);
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		perror(path);
		exit(99);
	}
	return fd;
}

struct job {
	uint64_t seed;
	unsigned long count;
	unsigned threads;
	const char *dirs[2];
	unsigned dir_count;
	bool is_crowd;
	bool is_fill;
};

static void make_dirs(int fd)
{
	static const char *const dirs[] = {
		"p", "q", "p/p", "p/q", "q/p", "p/p/p", "p/p/q", "p/q/p"
	};

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		mkdirat(fd, dirs[i], 0755);
}

static void prepare(struct worker *worker, const struct job *job, unsigned number)
{
	char place[16];

	*worker = (struct worker){ .number = number, .count = job->count };
	worker->random = (job->seed * 1000003 + number + 1) * 0x9e3779b97f4a7c15ull | 1;
	worker->side_count = job->dir_count;
	worker->is_compared = job->dir_count == 2;
	worker->has_links = !job->is_fill;
	worker->is_in_crowd = job->is_crowd;
	snprintf(place, sizeof(place), "t%u", job->is_crowd ? 0 : number);
	for (unsigned s = 0; s < job->dir_count; s++) {
		worker->sides[s].root = open_place(job->dirs[s], place);
		make_dirs(worker->sides[s].root);
		for (unsigned i = 0; i < SLOTS; i++)
			worker->sides[s].slots[i] = -1;
	}
}

static int run(const struct job *job)
{
	struct worker *workers = calloc(job->threads, sizeof(*workers));
	unsigned long done = 0;
	unsigned long failed = 0;
	unsigned long skipped = 0;
	bool is_wrong = false;

	umask(022);
	for (unsigned i = 0; i < job->threads; i++)
		prepare(&workers[i], job, i);
	for (unsigned i = 0; i < job->threads; i++)
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
			exit(99);
	for (unsigned i = 0; i < job->threads; i++) {
		pthread_join(workers[i].thread, NULL);
		is_wrong |= workers[i].is_wrong;
		done += workers[i].done;
		failed += workers[i].failed_alike;
		skipped += workers[i].skipped;
	}
	free(workers);
	printf("%lu actions, %lu refused on both sides, %lu not possible here, seed %lu: %s\n",
	       done, failed, skipped, (unsigned long)job->seed,
	       is_wrong ? "DIFFERENT" : "the same");
	return is_wrong;
}

static int compare(const char *tested, const char *plain)
{
	const int fds[] = { open(tested, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
			    open(plain, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };

	if (fds[0] < 0 || fds[1] < 0) {
		perror("open");
		return 99;
	}
	return same_trees(fds, ".", 0) ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct job job = { 0 };
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "compare") == 0 && argc == 4)
		return compare(argv[2], argv[3]);
	job.is_crowd = strcmp(what, "crowd") == 0;
	job.is_fill = strcmp(what, "fill") == 0;
	if ((strcmp(what, "run") == 0 && argc == 7) ||
	    ((job.is_fill || job.is_crowd) && argc == 6)) {
		job.seed = strtoull(argv[2], NULL, 10);
		job.count = strtoul(argv[3], NULL, 10);
		job.threads = (unsigned)strtoul(argv[4], NULL, 10);
		for (int i = 5; i < argc; i++)
			job.dirs[job.dir_count++] = argv[i];
		if (job.threads > 0 && job.threads <= THREADS_MAX)
			return run(&job);
	}
	fputs("usage: fs-tester run|fill|crowd SEED COUNT THREADS DIR [PLAIN]\n"
	      "       fs-tester compare TESTED PLAIN\n",
	      stderr);
	return 2;
}
