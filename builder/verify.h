/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_VERIFY_H
#define BUILDER_VERIFY_H

#include "builder/build.h"
#include "common/strbuf.h"

/*
 * Build twice, without the cache, and record the image only if both came to the
 * same. If not: ERR_INPUT, and @out_report, for people, has a line for each layer
 * with the first file in which it differs, and one for each value of the configuration.
 * What the first build made is in the cache then, what the second made is gone.
 *
 * A request that gives no time gets that of the first build's beginning (epoch.h): time
 * itself would always differ. The second begins no less than a second later.
 */
int verify_run(const struct build_request *request, struct strbuf *out_report,
	       struct digest *out_image_id, struct err *err);

/* Lines for values that differ in two configurations, but for the layers' digests; their number. */
size_t verify_configs(const struct image_config *first, const struct image_config *second,
		      struct strbuf *out);

#endif
