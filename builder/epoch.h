/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_EPOCH_H
#define BUILDER_EPOCH_H

#include "builder/build.h"
#include "builder/cachekey.h"
#include "common/err.h"
#include "layers/diff.h"

/*
 * The time that a build is given, so that it comes out the same again: what is
 * new in the configuration and its history gets it, and the files of the layers that are
 * made. Those of base layers are never touched.
 */
struct epoch_options {
	const char *timestamp;         /* --timestamp: all files get it */
	const char *source_date_epoch; /* --source-date-epoch: later ones get it */
	bool keeps_files;              /* --rewrite-timestamp=false */
};

/*
 * In this order: --timestamp, --source-date-epoch, --build-arg SOURCE_DATE_EPOCH, the
 * environment's. ERR_USAGE for what is no number of seconds, or for both of the first two.
 */
int epoch_take(const struct epoch_options *options, struct build_request *request, struct err *err);

/* What it means for packing a layer of ours, and for the key of the step that makes it. */
void epoch_of_files(const struct build_request *request, struct diff_options *out);
void epoch_key(const struct build_request *request, struct cachekey *key);

#endif
