/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_HISTORY_H
#define BUILDER_HISTORY_H

#include "common/strbuf.h"
#include "common/strlist.h"
#include "layers/config.h"

/*
 * The texts that BuildKit writes into an image's history, which docker history
 * and scanners read, and the times in it.
 */
#define HISTORY_COMMENT       "buildkit.dockerfile.v0"
#define HISTORY_COMMENT_ADDED "buildkit.exporter.image.v0"
#define HISTORY_LAYER_SUFFIX  " # buildkit"

/* ["a" "b"], quoted as Go quotes. */
void history_quoted_list(const struct strlist *list, struct strbuf *out);
/* [a b] */
void history_plain_list(const struct strlist *list, struct strbuf *out);
/* {Test:[CMD x] Interval:5s Timeout:0s StartPeriod:0s StartInterval:0s Retries:3} */
void history_healthcheck(const struct healthcheck *healthcheck, struct strbuf *out);
/* "1m30s", as Go writes durations. */
void history_duration(int64_t ns, struct strbuf *out);
/* "RUN |2 A=1 B= /bin/sh -c make": @args "KEY=value" or "KEY", their values taken from @env. */
void history_run(const struct strlist *args, const struct strlist *env, const struct strlist *argv,
		 struct strbuf *out);

/*
 * Settle what the whole history must satisfy: as many entries with a layer as
 * there are layers (missing ones are added, surplus ones turned empty), and a
 * time for each entry that has none: that of the next new layer, else of the
 * last layer. Sets the image's own time to that of its last entry. With @epoch_text
 * (may be NULL) the entries without a time, those of this build, get it instead.
 */
void history_settle(struct image_config *config, const char *epoch_text);

#endif
