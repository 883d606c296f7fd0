/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the kinds of sources that transports need: a part of a file, one after the other, a
 * copy on the way.
 */
#include "registry/region.h"

#include <errno.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "registry/interrupt.h"

struct region_source {
	struct source source;
	struct region region;
	uint64_t done;
	char *what;
};

static ssize_t region_read(struct source *source, void *data, size_t len, struct err *err)
{
	struct region_source *from = (struct region_source *)source;
	uint64_t left = from->region.size_bytes - from->done;
	ssize_t n;

	if (left == 0)
		return 0;
	if (interrupt_check(err) < 0)
		return -1;
	if (len > left)
		len = (size_t)left;
	do
		n = pread(from->region.fd, data, len, (off_t)(from->region.offset + from->done));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "read %s", from->what);
	if (n == 0)
		return err_set(err, ERR_INPUT, "%s is cut off after %llu bytes", from->what,
			       (unsigned long long)from->done);
	from->done += (uint64_t)n;
	return n;
}

static void region_free(struct source *source)
{
	struct region_source *from = (struct region_source *)source;

	if (from->region.owns_fd)
		fd_close(&from->region.fd);
	free(from->what);
	free(from);
}

struct source *source_region(const struct region *region, const char *what)
{
	struct region_source *from = mem_alloc(sizeof(*from));

	from->source = (struct source){ .read = region_read, .free = region_free };
	from->region = *region;
	from->what = str_dup(what);
	return &from->source;
}

struct chain_source {
	struct source source;
	struct source *first; /* NULL: at its end */
	struct source *second;
};

static ssize_t chain_read(struct source *source, void *data, size_t len, struct err *err)
{
	struct chain_source *chain = (struct chain_source *)source;
	ssize_t n;

	if (chain->first) {
		n = source_read(chain->first, data, len, err);
		if (n != 0)
			return n;
		source_free(chain->first);
		chain->first = NULL;
	}
	return source_read(chain->second, data, len, err);
}

static void chain_free(struct source *source)
{
	struct chain_source *chain = (struct chain_source *)source;

	source_free(chain->first);
	source_free(chain->second);
	free(chain);
}

struct source *source_chain(struct source *first, struct source *second)
{
	struct chain_source *chain = mem_alloc(sizeof(*chain));

	chain->source = (struct source){ .read = chain_read, .free = chain_free };
	chain->first = first;
	chain->second = second;
	return &chain->source;
}

struct tee_source {
	struct source source;
	struct source *from;
	struct sink *to;
};

static ssize_t tee_read(struct source *source, void *data, size_t len, struct err *err)
{
	struct tee_source *tee = (struct tee_source *)source;
	ssize_t n = source_read(tee->from, data, len, err);

	if (n > 0 && sink_write(tee->to, data, (size_t)n, err) < 0)
		return -1;
	return n;
}

static void tee_free(struct source *source)
{
	struct tee_source *tee = (struct tee_source *)source;

	source_free(tee->from);
	free(tee);
}

struct source *source_tee(struct source *from, struct sink *to)
{
	struct tee_source *tee = mem_alloc(sizeof(*tee));

	tee->source = (struct source){ .read = tee_read, .free = tee_free };
	tee->from = from;
	tee->to = to;
	return &tee->source;
}
