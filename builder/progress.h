/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_PROGRESS_H
#define BUILDER_PROGRESS_H

#include <stddef.h>

/*
 * What is shown while a build goes on. Steps are numbered as they begin; what they
 * do is posted as events, from any thread, and drawn by one renderer:
 *
 *   PLAIN  a line per event, as BuildKit's plain output:
 *            #3 [2/4] RUN make
 *            #3 0.012 cc -c a.c
 *            #3 DONE 0.1s          (or CACHED, ERROR, CANCELED)
 *          A step that is not at its end when another one has something to show is left with
 *          "#3 ...", and taken up again with its title.
 *   QUIET  nothing
 *
 * What cannot be written is not an error of the build.
 */
enum progress_mode {
	PROGRESS_PLAIN,
	PROGRESS_QUIET,
};

enum progress_end {
	PROGRESS_DONE,
	PROGRESS_CACHED,
	PROGRESS_FAILED,
	PROGRESS_CANCELED,
};

struct progress;

/* @fd is borrowed. */
struct progress *progress_new(enum progress_mode mode, int fd);
void progress_free(struct progress *progress); /* NULL is fine */
#define auto_progress __attribute__((cleanup(progress_auto_free)))
static inline void progress_auto_free(struct progress **progress)
{
	progress_free(*progress);
}

/* A step begins; its number is for the calls below. @title is one line. */
unsigned progress_begin(struct progress *progress, const char *title);
/* Bytes that the step's command wrote, as they came: lines are put together here. */
void progress_output(struct progress *progress, unsigned id, const void *data, size_t len);
/* The end of a step: an unfinished line is shown first. */
void progress_finish(struct progress *progress, unsigned id, enum progress_end end);

#endif
