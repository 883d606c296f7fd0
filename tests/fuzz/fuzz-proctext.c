/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a host's files say: what is made of them has lines that end, and no processor too many.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "fuse-overlay/proctext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct strbuf *out)
{
	if (out->len > 0 && out->data[out->len - 1] != '\n')
		abort();
}

/* A first line lists processors, all else is the file. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = str_ndup((const char *)data, size);
	const struct proctext_memory memory = { .limit_bytes = 1000000, .used_bytes = 2000000 };
	const struct proctext_threads threads = { .running = 1 };
	struct proctext_times times = { .up = 5, .user = 7 };
	struct proctext_cpus cpus = { .bits = { 1 } };
	auto_strbuf struct strbuf out = STRBUF_INIT;
	char *host = strchr(text, '\n');

	host = host ? host : text;
	if (*host)
		*host++ = '\0';
	if (proctext_parse_cpus(text, &cpus) && proctext_count_cpus(&cpus) == 0)
		abort();
	proctext_limit_cpus(&cpus, 3);
	if (proctext_count_cpus(&cpus) > 3)
		abort();
	proctext_meminfo(host, &memory, &out);
	check(&out);
	proctext_cpuinfo(host, &cpus, &out);
	check(&out);
	proctext_stat(host, &cpus, &times, &threads, &out);
	times.has_used = true;
	proctext_stat(host, &cpus, &times, &threads, &out);
	check(&out);
	return 0;
}
