/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the time that a build is given: which of the ways to say it counts, and for what. */
#include "builder/epoch.h"

#include <errno.h>
#include <stdlib.h>

static int parse(const char *text, const char *what, struct build_request *request, struct err *err)
{
	char *end;

	errno = 0;
	request->epoch = strtoll(text, &end, 10);
	/* years beyond 9999 cannot be written as RFC 3339 */
	if (errno != 0 || *end != '\0' || text[0] < '0' || text[0] > '9' ||
	    request->epoch > INT64_C(253402300799))
		return err_set(err, ERR_USAGE, "%s '%s' is not a number of seconds", what, text);
	request->has_epoch = true;
	request->file_times = FILE_TIMES_CLAMP;
	return 0;
}

static int take_source_date(const struct epoch_options *options, struct build_request *request,
			    struct err *err)
{
	const char *text = strlist_env_get(request->build_args, "SOURCE_DATE_EPOCH");

	if (options->source_date_epoch)
		return parse(options->source_date_epoch, "--source-date-epoch", request, err);
	if (!text)
		text = getenv("SOURCE_DATE_EPOCH");
	return text && text[0] ? parse(text, "SOURCE_DATE_EPOCH", request, err) : 0;
}

int epoch_take(const struct epoch_options *options, struct build_request *request, struct err *err)
{
	if (options->timestamp && options->source_date_epoch)
		return err_set(err, ERR_USAGE,
			       "--timestamp and --source-date-epoch are two times for one thing: "
			       "give one of them");
	if (!options->timestamp && take_source_date(options, request, err) < 0)
		return -1;
	if (options->timestamp) {
		if (parse(options->timestamp, "--timestamp", request, err) < 0)
			return -1;
		request->file_times = FILE_TIMES_SET;
	}
	request->keeps_file_times = options->keeps_files;
	if (options->keeps_files)
		request->file_times = FILE_TIMES_KEEP;
	return 0;
}

void epoch_of_files(const struct build_request *request, struct diff_options *out)
{
	if (request->file_times == FILE_TIMES_KEEP)
		return;
	out->clamp_epoch = request->epoch;
	out->sets_times = request->file_times == FILE_TIMES_SET;
}

void epoch_key(const struct build_request *request, struct cachekey *key)
{
	if (request->file_times != FILE_TIMES_KEEP)
		cachekey_number(key, request->file_times == FILE_TIMES_SET ? "timestamp" : "epoch",
				request->epoch);
}
