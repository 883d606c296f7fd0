/* SPDX-License-Identifier: Apache-2.0 */
/* Files of /proc as a container with limits sees them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "common/mem.h"
#include "fuse-overlay/proctext.h"

#define MIB (UINT64_C(1) << 20)

static struct proctext_cpus cpus_of(const char *text)
{
	struct proctext_cpus cpus;

	assert_true(proctext_parse_cpus(text, &cpus));
	return cpus;
}

static void memory_is_the_containers(void **state)
{
	const char *host = "MemTotal:        8000000 kB\nMemFree:         7000000 kB\n"
			   "MemAvailable:    7500000 kB\nCached:            11111 kB\n"
			   "SwapTotal:       2000000 kB\nSwapFree:        1999999 kB\n"
			   "Active(anon):       5555 kB\nHugePages_Total:       3\n";
	const struct proctext_memory memory = { .limit_bytes = 64 * MIB,
						.used_bytes = 40 * MIB,
						.swap_limit_bytes = 16 * MIB,
						.swap_used_bytes = MIB,
						.cached = 10 * MIB,
						.active_file = 4 * MIB,
						.inactive_file = 6 * MIB,
						.active_anon = 2 * MIB };
	auto_strbuf struct strbuf text = STRBUF_INIT;

	proctext_meminfo(host, &memory, &text);
	assert_string_equal(text.data, "MemTotal:          65536 kB\nMemFree:           24576 kB\n"
				       "MemAvailable:      34816 kB\nCached:            10240 kB\n"
				       "SwapTotal:         16384 kB\nSwapFree:          15360 kB\n"
				       "Active(anon):       2048 kB\nHugePages_Total:       3\n");
}

static void memory_without_limits_is_the_hosts(void **state)
{
	const char *host = "MemTotal:        8000000 kB\nMemFree:         7000000 kB\n";
	struct proctext_memory memory = { .limit_bytes = PROCTEXT_UNKNOWN,
					  .used_bytes = 1000 * 1024,
					  .swap_limit_bytes = PROCTEXT_UNKNOWN };
	auto_strbuf struct strbuf text = STRBUF_INIT;

	proctext_meminfo(host, &memory, &text);
	assert_string_equal(text.data,
			    "MemTotal:        8000000 kB\nMemFree:         7999000 kB\n");
	memory.used_bytes = PROCTEXT_UNKNOWN;
	strbuf_truncate(&text, 0);
	proctext_meminfo(host, &memory, &text);
	assert_string_equal(text.data, host);
}

static void lists_of_processors(void **state)
{
	static const char *const bad[] = { "",       "\n",  "a",  "1-",
					   "3-1",    "1,",  ",1", "8192",
					   "0-8192", "1 2", "-1", "99999999999999999999" };
	struct proctext_cpus cpus = cpus_of("0-2,5\n");

	assert_int_equal(proctext_count_cpus(&cpus), 4);
	assert_true(proctext_has_cpu(&cpus, 5) && !proctext_has_cpu(&cpus, 3));
	proctext_limit_cpus(&cpus, 2);
	assert_int_equal(proctext_count_cpus(&cpus), 2);
	assert_true(proctext_has_cpu(&cpus, 1) && !proctext_has_cpu(&cpus, 2));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(proctext_parse_cpus(bad[i], &cpus));
}

static void processors_are_numbered_from_0(void **state)
{
	const char *host = "processor\t: 0\nmodel\t: a\n\nprocessor\t: 1\nmodel\t: b\n\n"
			   "processor\t: 2\nmodel\t: c\n\nHardware\t: d\n";
	const struct proctext_cpus cpus = cpus_of("1-2");
	auto_strbuf struct strbuf text = STRBUF_INIT;

	proctext_cpuinfo(host, &cpus, &text);
	assert_string_equal(text.data,
			    "processor\t: 0\nmodel\t: b\n\nprocessor\t: 1\nmodel\t: c\n\n"
			    "Hardware\t: d\n");
}

static const char host_stat[] = "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 1 0 0 0 0 0 0 0 0 0\n"
				"cpu3 3 0 0 0 0 0 0 0 0 0\nintr 5 6\nbtime 100\n"
				"procs_running 77\nprocs_blocked 66\n";

static void times_are_what_was_used(void **state)
{
	const struct proctext_cpus cpus = cpus_of("0,3");
	const struct proctext_threads threads = { .running = 2, .blocked = 1 };
	struct proctext_times times = {
		.up = 1000, .began_s = 4000, .has_used = true, .user = 300, .system = 100
	};
	auto_strbuf struct strbuf text = STRBUF_INIT;

	proctext_stat(host_stat, &cpus, &times, &threads, &text);
	assert_string_equal(text.data, "cpu  300 0 100 1600 0 0 0 0 0 0\n"
				       "cpu0 150 0 50 800 0 0 0 0 0 0\n"
				       "cpu1 150 0 50 800 0 0 0 0 0 0\nintr 5 6\nbtime 4000\n"
				       "procs_running 2\nprocs_blocked 1\n");
	strbuf_truncate(&text, 0);
	proctext_uptime(&cpus, &times, &text);
	assert_string_equal(text.data, "10.00 16.00\n");
	times.has_used = false;
	strbuf_truncate(&text, 0);
	proctext_stat(host_stat, &cpus, &times, &threads, &text);
	assert_string_equal(text.data, "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 1 0 0 0 0 0 0 0 0 0\n"
				       "cpu1 3 0 0 0 0 0 0 0 0 0\nintr 5 6\nbtime 4000\n"
				       "procs_running 2\nprocs_blocked 1\n");
}

static void load_is_a_mean(void **state)
{
	const struct proctext_threads threads = { .running = 2, .total = 7, .last = 9 };
	struct proctext_load load = { .means = { 0 } };
	auto_strbuf struct strbuf text = STRBUF_INIT;

	for (int i = 0; i < 12; i++)
		proctext_load_add(&load, &threads);
	proctext_loadavg(&load, &threads, &text);
	/* 2 (1 - 1/e) after the first minute */
	assert_string_equal(text.data, "1.26 0.36 0.13 2/7 9\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_the_containers),
		cmocka_unit_test(memory_without_limits_is_the_hosts),
		cmocka_unit_test(lists_of_processors),
		cmocka_unit_test(processors_are_numbered_from_0),
		cmocka_unit_test(times_are_what_was_used),
		cmocka_unit_test(load_is_a_mean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
