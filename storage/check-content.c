/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the bytes of layers and blobs: read once each, by as many threads as there are
 * processors, the largest first.
 *
 * Nothing is leased, so that looking changes nothing. A prune removes the row before the files, and
 * a repair changes the directory in the row's place: what is wrong is believed when row and
 * directory are still the same ones afterwards.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/thread.h"
#include "layers/pack.h"
#include "layers/stream.h"
#include "storage/check-internal.h"
#include "storage/layer-internal.h"

#define THREADS_MAX 16

struct job {
	uint64_t bytes;
	struct check_layer *layer; /* else */
	struct check_blob *blob;
};

struct work {
	struct checker *checker;
	struct job *jobs;
	size_t count;
};

/* ---- blobs ---- */

static int digest_blob(struct checker *checker, const struct check_blob *blob, struct err *err)
{
	char hex[DIGEST_HEX_MAX];
	struct digest got;
	uint64_t len = 0;
	struct source_digest_options options = {
		.expect = &blob->digest,
		.expect_len = blob->size_bytes,
		.out_digest = &got,
		.out_len = &len,
		.what = digest_hex(&blob->digest, hex),
	};
	auto_close int fd =
		openat(checker->store->blobs_fd, hex, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	auto_source struct source *source = NULL;

	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_INPUT, "it has no file");
	if (fd < 0)
		return err_sys(err, "open blob %s", hex);
	source = source_digest(source_from_fd(fd, UINT64_MAX, hex), &options);
	return source_drain(source, err);
}

static int check_blob(struct checker *checker, struct check_blob *blob, struct err *err)
{
	struct err found = ERR_INIT;
	bool is_same = false;

	if (digest_blob(checker, blob, &found) == 0)
		return 0;
	if (!check_is_damage(&found)) {
		*err = found;
		return -1;
	}
	if (check_row_is(checker, "SELECT 1 FROM blobs WHERE seq=? AND digest=?", blob->seq,
			 &blob->digest, &is_same, err) < 0)
		return -1;
	if (!is_same)
		return 0;
	blob->is_damaged = true;
	check_add(checker, CHECK_BLOB, "blob", &blob->digest, NULL, found.text);
	return 0;
}

/* ---- layers ---- */

/* What packing a tree gives. */
static int pack_digest(struct store *store, int fs_fd, struct digest *out, struct err *err)
{
	auto_sink struct sink *sink = sink_digest(sink_to_nothing(), out, NULL);

	if (pack_layer(fs_fd, store->ns, sink, err) < 0)
		return -1;
	return sink_finish(sink, err);
}

/*
 * The layer came in another form of tar than ours: whether unpacking its blob gives the tree that
 * packs to @packed. *out_why is set when that cannot be found out.
 */
static int compare_with_blob(struct checker *checker, const struct check_layer *layer,
			     const struct digest *packed, bool *out_equal, struct err *out_why,
			     struct err *err)
{
	auto_layer_draft struct layer_draft draft = LAYER_DRAFT_INIT;
	struct digest fresh;

	if (layer_draft_open(checker->store, &draft, out_why) < 0 ||
	    layer_kept_unpack(checker->store, &layer->layer, &draft, out_why) < 0 ||
	    pack_digest(checker->store, draft.fs_fd, &fresh, out_why) < 0) {
		bool is_full = out_why->sys_errno == ENOSPC || out_why->sys_errno == EDQUOT ||
			       out_why->sys_errno == EROFS;

		if (is_full || check_is_damage(out_why))
			return 0;
		*err = *out_why;
		return -1;
	}
	*out_equal = digest_equal(&fresh, packed);
	return 0;
}

static void say_content(const struct check_layer *layer, const struct digest *packed,
			struct err *out)
{
	char got[DIGEST_NAME_MAX];

	if (layer->layer.is_ours)
		err_set(out, ERR_INPUT, "its files are not those it was made with: they pack to %s",
			digest_name(packed, got));
	else
		err_set(out, ERR_INPUT, "its files are not those of its blob");
}

/*
 * 0 and @problem empty: all is well. *out_unproven: @problem tells why nothing can be said. -1:
 * looking failed.
 */
static int look_at_tree(struct checker *checker, struct check_layer *layer, int fs_fd,
			bool *out_unproven, struct err *problem, struct err *err)
{
	struct digest packed;
	bool is_equal = false;

	if (pack_digest(checker->store, fs_fd, &packed, problem) < 0) {
		if (check_is_damage(problem))
			return 0;
		*err = *problem;
		return -1;
	}
	layer->is_packable = digest_equal(&packed, &layer->layer.diff_id);
	if (layer->is_packable)
		return 0;
	if (!layer->layer.is_ours) {
		if (compare_with_blob(checker, layer, &packed, &is_equal, problem, err) < 0)
			return -1;
		*out_unproven = problem->kind != ERR_NONE;
		if (is_equal || *out_unproven)
			return 0;
	}
	say_content(layer, &packed, problem);
	return 0;
}

/* Is the directory that was looked at still the layer's, and the row still the one? */
static int is_still_layer(struct checker *checker, const struct check_layer *layer, int fs_fd,
			  bool *out, struct err *err)
{
	struct err ignored = ERR_INIT;
	auto_close int now_fd = layer_open(checker->store, &layer->layer, &ignored);
	struct stat seen;
	struct stat now;

	*out = false;
	if ((fs_fd < 0) != (now_fd < 0))
		return 0;
	if (fs_fd >= 0 && (fstat(fs_fd, &seen) < 0 || fstat(now_fd, &now) < 0 ||
			   seen.st_ino != now.st_ino || seen.st_dev != now.st_dev))
		return 0;
	return check_row_is(checker, "SELECT 1 FROM layers WHERE seq=? AND id=?", layer->seq,
			    &layer->layer.id, out, err);
}

/* What another store has is not read here. */
static int look_elsewhere(struct checker *checker, struct check_layer *layer, struct err *err)
{
	struct store *store = checker->store;
	auto_free char *problem = NULL;
	auto_strbuf struct strbuf place = STRBUF_INIT;
	bool is_added = false;
	bool implicit;
	bool found = false;

	if (layer_load(store, &layer->layer.id, &found, &implicit, &layer->layer, err) < 0 ||
	    layer_place(store, &layer->layer, &place, err) < 0)
		return -1;
	/* ours or gone by now */
	if (!found || place.len == 0)
		return 0;
	if (!layer->layer.is_out_of_reach) {
		struct err ignored = ERR_INIT;
		auto_close int fd = layer_open(store, &layer->layer, &ignored);

		if (fd >= 0)
			return 0;
	}
	for (size_t i = 0; i < store->added_count; i++)
		is_added |= strcmp(store->added[i]->root_path, place.data) == 0;
	problem =
		str_format(is_added ? "the store '%s' has it no more"
				    : "it lies in the store '%s', which is not in use: --add-store",
			   place.data);
	layer->is_damaged = is_added;
	check_add(checker, is_added ? CHECK_LAYER : CHECK_ELSEWHERE, "layer", &layer->layer.id,
		  NULL, problem);
	return 0;
}

static int check_layer(struct checker *checker, struct check_layer *layer, struct err *err)
{
	struct err problem = ERR_INIT;
	auto_close int fs_fd = layer_open(checker->store, &layer->layer, &problem);
	bool is_unproven = false;
	bool is_same = false;

	if (fs_fd < 0 && problem.kind != ERR_INPUT) {
		*err = problem;
		return -1;
	}
	if (fs_fd < 0)
		err_set(&problem, ERR_INPUT, "it has no directory");
	else if (look_at_tree(checker, layer, fs_fd, &is_unproven, &problem, err) < 0)
		return -1;
	if (problem.kind == ERR_NONE)
		return 0;
	if (is_still_layer(checker, layer, fs_fd, &is_same, err) < 0 || !is_same)
		return err->kind != ERR_NONE ? -1 : 0;
	if (is_unproven)
		err_prefix(&problem, "its files cannot be held against its blob");
	layer->is_damaged = !is_unproven;
	check_add(checker, is_unproven ? CHECK_UNPROVEN : CHECK_LAYER, "layer", &layer->layer.id,
		  NULL, problem.text);
	return 0;
}

/* ---- all of them ---- */

static struct job *take_job(struct work *work)
{
	struct checker *checker = work->checker;
	struct job *job = NULL;

	pthread_mutex_lock(&checker->lock);
	if (!checker->has_failed && checker->next_job < work->count)
		job = &work->jobs[checker->next_job++];
	pthread_mutex_unlock(&checker->lock);
	return job;
}

static void end_job(struct checker *checker, const struct job *job, const struct err *err)
{
	pthread_mutex_lock(&checker->lock);
	if (err->kind != ERR_NONE && !checker->has_failed) {
		checker->err = *err;
		checker->has_failed = true;
	}
	checker->done_bytes += job->bytes;
	if (checker->options->progress)
		checker->options->progress(checker->options->context, checker->done_bytes,
					   checker->all_bytes);
	pthread_mutex_unlock(&checker->lock);
}

static void *run_jobs(void *context)
{
	struct work *work = context;
	struct job *job;

	while ((job = take_job(work))) {
		struct err err = ERR_INIT;

		if (job->layer && job->layer->is_elsewhere)
			(void)look_elsewhere(work->checker, job->layer, &err);
		else if (job->layer)
			(void)check_layer(work->checker, job->layer, &err);
		else
			(void)check_blob(work->checker, job->blob, &err);
		end_job(work->checker, job, &err);
	}
	return NULL;
}

static int by_size(const void *a, const void *b)
{
	const struct job *left = a;
	const struct job *right = b;

	return (left->bytes < right->bytes) - (left->bytes > right->bytes);
}

static struct job *list_jobs(struct checker *checker, size_t *out_count)
{
	struct job *jobs = mem_array(checker->layer_count + checker->blob_count + 1, sizeof(*jobs));
	size_t count = 0;

	for (size_t i = 0; i < checker->layer_count; i++)
		if (checker->layers[i].is_wanted)
			jobs[count++] = (struct job){ checker->layers[i].layer.content_bytes,
						      &checker->layers[i], NULL };
	checker->report.layers = count;
	for (size_t i = 0; i < checker->blob_count; i++)
		if (checker->blobs[i].is_wanted)
			jobs[count++] = (struct job){ checker->blobs[i].size_bytes, NULL,
						      &checker->blobs[i] };
	checker->report.blobs = count - checker->report.layers;
	qsort(jobs, count, sizeof(*jobs), by_size);
	for (size_t i = 0; i < count; i++)
		checker->all_bytes += jobs[i].bytes;
	*out_count = count;
	return jobs;
}

int check_content(struct checker *checker, struct err *err)
{
	struct work work = { .checker = checker };
	auto_free struct job *jobs = list_jobs(checker, &work.count);
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t threads[THREADS_MAX];
	struct err ignored = ERR_INIT;
	size_t started = 0;

	work.jobs = jobs;
	/* this thread is one of them; with fewer it only takes longer */
	while (started + 1 < (size_t)(processors > 1 ? processors : 1) && started < THREADS_MAX &&
	       thread_start(&threads[started], run_jobs, &work, &ignored) == 0)
		started++;
	run_jobs(&work);
	for (size_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	checker->report.bytes = checker->done_bytes;
	if (!checker->has_failed)
		return 0;
	*err = checker->err;
	return -1;
}
