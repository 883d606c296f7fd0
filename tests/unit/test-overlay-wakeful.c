/* SPDX-License-Identifier: Apache-2.0 */
/* Where processors are kept awake, from when to when. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "common/fd.h"
#include "fuse-overlay/wakeful.h"
#include "tests/unit/scratch.h"

#define BUSY 100u

static const char *const dirs[] = {
	"dev",
	"sys",
	"sys/devices",
	"sys/devices/system",
	"sys/devices/system/cpu",
	"sys/devices/system/cpu/cpuidle",
	"sys/module",
	"sys/module/haltpoll",
	"sys/module/haltpoll/parameters",
};

/* A machine with this idle driver, and this long a poll before each halt. */
static void make_machine(struct scratch *scratch, const char *driver, const char *polls)
{
	scratch_make(scratch);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		scratch_mkdir(scratch, dirs[i]);
	scratch_write(scratch, "sys/devices/system/cpu/cpuidle/current_driver", driver);
	scratch_write(scratch, "sys/module/haltpoll/parameters/guest_halt_poll_ns", polls);
	scratch_write(scratch, "dev/cpu_dma_latency", "");
}

/* What was asked of the kernel, so far: "0" and "-" for a bound and none. */
static void assert_asked(const struct scratch *scratch, const char *expected)
{
	auto_close int fd = openat(scratch->fd, "dev/cpu_dma_latency", O_RDONLY | O_CLOEXEC);
	char asked[16] = "";
	int32_t bound;

	assert_true(fd >= 0);
	for (size_t i = 0; read(fd, &bound, sizeof(bound)) == sizeof(bound); i++) {
		assert_true(i < sizeof(asked) - 1);
		assert_true(bound == 0 || bound == -1);
		asked[i] = bound == 0 ? '0' : '-';
	}
	assert_string_equal(asked, expected);
}

static void as_long_as_there_is_much_to_do(void **state)
{
	struct scratch scratch;
	struct wakeful wakeful;

	(void)state;
	make_machine(&scratch, "haltpoll\n", "0\n");
	wakeful_open(&wakeful, scratch.path);
	wakeful_tick(&wakeful, 0);
	wakeful_tick(&wakeful, 2);
	assert_asked(&scratch, "");
	wakeful_tick(&wakeful, BUSY);
	wakeful_tick(&wakeful, BUSY);
	wakeful_tick(&wakeful, 0); /* one pause is none */
	wakeful_tick(&wakeful, BUSY);
	assert_asked(&scratch, "0");
	wakeful_tick(&wakeful, 2);
	wakeful_tick(&wakeful, 0);
	assert_asked(&scratch, "0-");
	wakeful_tick(&wakeful, 0);
	wakeful_tick(&wakeful, BUSY);
	assert_asked(&scratch, "0-0");
	wakeful_close(&wakeful);
	scratch_remove(&scratch);
}

static void assert_left_alone(const char *driver, const char *polls)
{
	struct scratch scratch;
	struct wakeful wakeful;

	make_machine(&scratch, driver, polls);
	wakeful_open(&wakeful, scratch.path);
	wakeful_tick(&wakeful, BUSY);
	assert_asked(&scratch, "");
	wakeful_close(&wakeful);
	scratch_remove(&scratch);
}

static void not_where_it_is_of_no_use(void **state)
{
	(void)state;
	assert_left_alone("intel_idle\n", "0\n");
	assert_left_alone("none\n", "0\n");
	assert_left_alone("haltpoll\n", "200000\n");
}

static void not_where_it_is_not_allowed(void **state)
{
	struct scratch scratch;
	struct wakeful wakeful;

	(void)state;
	make_machine(&scratch, "haltpoll\n", "0\n");
	assert_int_equal(unlinkat(scratch.fd, "dev/cpu_dma_latency", 0), 0);
	wakeful_open(&wakeful, scratch.path);
	wakeful_tick(&wakeful, BUSY);
	wakeful_close(&wakeful);
	scratch_remove(&scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_long_as_there_is_much_to_do),
		cmocka_unit_test(not_where_it_is_of_no_use),
		cmocka_unit_test(not_where_it_is_not_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
