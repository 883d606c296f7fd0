/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for digesting files beside everything else: one worker that takes them in the
 * order in which they were copied. Nothing of the selection is touched by it; the caller
 * notes the results when it needs them.
 */
#include "builder/late-digest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "builder/originals.h"
#include "common/digest.h"
#include "common/fd.h"
#include "common/mem.h"
#include "common/thread.h"

#define READ_BYTES  ((size_t)256 * 1024)
#define PENDING_MAX 64 /* descriptors that are open at the same time */

struct job {
	const struct select_tree *tree;
	struct select_item item; /* which one it is: no more of it is ours */
	char *path;
	struct stat st;
	int fd;       /* the copy; -1: done */
	int original; /* or -1 */
	struct digest digest;
};

struct late_digests {
	struct job **jobs;
	size_t count;
	pthread_t worker;
	bool is_running;
	pthread_mutex_t lock; /* jobs, count and the members below; nothing is locked under it */
	pthread_cond_t changed;
	size_t done;
	bool is_ending;  /* no more will come */
	bool is_stopped; /* nobody wants them any more */
	bool has_failed;
	struct err err;
};

static bool is_stopped(struct late_digests *late)
{
	bool stopped;

	pthread_mutex_lock(&late->lock);
	stopped = late->is_stopped;
	pthread_mutex_unlock(&late->lock);
	return stopped;
}

static int digest_file(struct late_digests *late, struct job *job, int fd, void *buffer,
		       struct err *err)
{
	auto_digest_state struct digest_state state = { 0 };
	off_t at = 0;
	ssize_t n;

	digest_state_init(&state);
	while (!is_stopped(late)) {
		n = pread(fd, buffer, READ_BYTES, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "read the copy of '%s'", job->path);
		if (n == 0)
			break;
		digest_state_update(&state, buffer, (size_t)n);
		at += n;
	}
	digest_state_final(&state, &job->digest);
	return 0;
}

static int digest_job(struct late_digests *late, struct job *job, void *buffer, struct err *err)
{
	if (job->original >= 0) {
		if (digest_file(late, job, job->original, buffer, err) < 0)
			return -1;
		if (original_is_unchanged(job->original, &job->st))
			return 0;
	}
	return digest_file(late, job, job->fd, buffer, err);
}

static void *work(void *arg)
{
	auto_free void *buffer = mem_alloc(READ_BYTES);
	struct late_digests *late = arg;

	pthread_mutex_lock(&late->lock);
	for (;;) {
		struct err err = ERR_INIT;
		struct job *job;
		int result;

		while (late->done == late->count && !late->is_ending)
			pthread_cond_wait(&late->changed, &late->lock);
		if (late->done == late->count)
			break;
		job = late->jobs[late->done];
		pthread_mutex_unlock(&late->lock);
		result = digest_job(late, job, buffer, &err);
		fd_close(&job->fd);
		fd_close(&job->original);
		pthread_mutex_lock(&late->lock);
		if (result < 0 && !late->has_failed) {
			late->has_failed = true;
			late->err = err;
		}
		late->done++;
		pthread_cond_signal(&late->changed);
	}
	pthread_mutex_unlock(&late->lock);
	return NULL;
}

struct late_digests *late_digests_new(void)
{
	struct late_digests *late = mem_alloc(sizeof(*late));

	pthread_mutex_init(&late->lock, NULL);
	pthread_cond_init(&late->changed, NULL);
	return late;
}

static void end_worker(struct late_digests *late, bool is_stopped)
{
	if (!late->is_running)
		return;
	pthread_mutex_lock(&late->lock);
	late->is_ending = true;
	late->is_stopped = is_stopped;
	pthread_cond_signal(&late->changed);
	pthread_mutex_unlock(&late->lock);
	pthread_join(late->worker, NULL);
	late->is_running = false;
}

void late_digests_free(struct late_digests *late)
{
	if (!late)
		return;
	end_worker(late, true);
	for (size_t i = 0; i < late->count; i++) {
		fd_close(&late->jobs[i]->fd);
		fd_close(&late->jobs[i]->original);
		free(late->jobs[i]->path);
		free(late->jobs[i]);
	}
	free(late->jobs);
	pthread_cond_destroy(&late->changed);
	pthread_mutex_destroy(&late->lock);
	free(late);
}

int late_digests_add(struct late_digests *late, const struct select_tree *tree,
		     const struct select_item *item, int copy_fd, int original_fd,
		     const struct stat *st, struct err *err)
{
	auto_close int fd = fcntl(copy_fd, F_DUPFD_CLOEXEC, 0);
	auto_close int original = original_fd < 0 ? -1 : fcntl(original_fd, F_DUPFD_CLOEXEC, 0);
	struct job *job;

	if (fd < 0 || (original_fd >= 0 && original < 0))
		return err_sys(err, "duplicate a descriptor");
	if (!late->is_running) {
		if (thread_start(&late->worker, work, late, err) < 0)
			return -1;
		late->is_running = true;
	}
	job = mem_alloc(sizeof(*job));
	*job = (struct job){ .tree = tree,
			     .item = { .at = item->at },
			     .path = str_dup(item->path),
			     .st = *st,
			     .fd = fd_steal(&fd),
			     .original = fd_steal(&original) };
	pthread_mutex_lock(&late->lock);
	while (late->count - late->done >= PENDING_MAX)
		pthread_cond_wait(&late->changed, &late->lock);
	late->jobs = mem_resize(late->jobs, late->count + 1, sizeof(*late->jobs));
	late->jobs[late->count++] = job;
	pthread_cond_signal(&late->changed);
	pthread_mutex_unlock(&late->lock);
	return 0;
}

int late_digests_finish(struct late_digests *late, struct selection *selection, struct err *err)
{
	end_worker(late, false);
	if (late->has_failed) {
		*err = late->err;
		return -1;
	}
	for (size_t i = 0; i < late->count; i++) {
		struct job *job = late->jobs[i];

		if (select_set_digest(job->tree, selection, &job->item, &job->st, &job->digest,
				      err) < 0)
			return -1;
	}
	return 0;
}
