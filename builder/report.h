/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_REPORT_H
#define BUILDER_REPORT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "builder/chain.h"
#include "common/err.h"
#include "common/strbuf.h"

/*
 * What each step adds to an image, for who wants to have it smaller: the size of
 * its layer, its largest files, and files that it ships again although only their owner,
 * mode, time or attributes were changed.
 */
#define REPORT_LARGEST 5

struct report_file {
	char *path;
	uint64_t bytes;
};

struct report_step {
	size_t stage; /* its place in the plan, and that of the step in it: they order the report */
	size_t number;
	char *title;
	struct digest diff_id;
	bool is_cached;
	uint64_t bytes;                             /* content of the layer */
	uint64_t entries;                           /* of its tar */
	struct report_file largest[REPORT_LARGEST]; /* changed content, the largest first */
	size_t largest_count;
	uint64_t again_files;
	uint64_t again_bytes;
	unsigned again_fields;    /* enum change_field */
	struct report_file again; /* the largest of them */
};

struct report {
	pthread_mutex_t lock; /* stages add to it from their threads */
	struct report_step *steps;
	size_t count;
};
#define REPORT_INIT                                \
	{                                          \
		.lock = PTHREAD_MUTEX_INITIALIZER, \
	}
#define auto_report __attribute__((cleanup(report_release)))
void report_release(struct report *report);

/*
 * Look at the last layer of @chain, which @step (stage, number, title, is_cached) made; takes
 * the title. @out_text gets lines for people. Compares metadata of the layer's files with what is
 * below, and content where that is all that is left.
 */
int report_add(struct report *report, const struct chain *chain, const struct report_step *step,
	       struct strbuf *out_text, struct err *err);

/*
 * The whole as JSON, indented:
 *
 *   { "steps": [ { "title": …, "diffId": …, "cached": bool, "size": bytes, "entries": n,
 *                  "largest": [ { "path": …, "size": bytes }, … ],
 *                  "again": { "files": n, "size": bytes, "fields": [ "owner", … ],
 *                             "largest": …, "advice": … } }, … ],
 *     "size": bytes, "again": bytes }
 *
 * "again" is there only where something is shipped again.
 */
void report_format(struct report *report, struct strbuf *out);

#endif
