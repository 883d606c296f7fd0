/* SPDX-License-Identifier: Apache-2.0 */
/* Owners and devices that are written on the file itself. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "layers/record.h"
#include "tests/unit/scratch.h"

static void reads_what_it_writes(void **state)
{
	const struct {
		struct record record;
		const char *text;
	} cases[] = {
		{ { .uid = 0, .gid = 42 }, "0:42" },
		{ { .uid = UINT32_MAX - 1, .gid = UINT32_MAX - 1 }, "4294967294:4294967294" },
		{ { .device = S_IFCHR, .rdev = makedev(1, 3) }, "0:0:c:1:3" },
		{ { .uid = 5, .gid = 6, .device = S_IFBLK, .rdev = makedev(8, 17) }, "5:6:b:8:17" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct record got;
		char text[RECORD_TEXT_MAX];
		size_t len = record_format(&cases[i].record, text);

		assert_int_equal(len, strlen(cases[i].text));
		assert_memory_equal(text, cases[i].text, len);
		assert_true(record_parse(text, len, &got));
		assert_memory_equal(&got, &cases[i].record, sizeof(got));
	}
}

static void refuses_what_is_none(void **state)
{
	static const char *const bad[] = {
		"",          "1",    "1:",           ":1",
		"1:2 ",      "01:1", "1:4294967295", "1:2:c:1",
		"1:2:x:1:1", "-1:2", "1:2:c:1:3:",   "1:99999999999999999999"
	};
	struct record got;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (record_parse(bad[i], strlen(bad[i]), &got))
			fail_msg("'%s' was taken for a record", bad[i]);
}

static void keeps_owners_in_times(void **state)
{
	static const struct record cases[] = { { .uid = 1, .gid = 0 },
					       { .uid = 0, .gid = 1 },
					       { .uid = 65534, .gid = 65534 },
					       { .uid = INT32_MAX, .gid = INT32_MAX } };
	const struct record large = { .uid = (uid_t)INT32_MAX + 1, .gid = 0 };
	const struct timespec now = { .tv_sec = 1700000000, .tv_nsec = 5 };
	struct timespec time;
	struct record got;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(record_to_time(&cases[i], &time));
		assert_true(time.tv_sec >= RECORD_EPOCH && time.tv_nsec < 1000000000);
		assert_true(record_of_time(&time, &got));
		assert_memory_equal(&got, &cases[i], sizeof(got));
	}
	assert_false(record_to_time(&large, &time));
	assert_false(record_of_time(&now, &got));
}

static void expect_owner(const struct scratch *scratch, const char *name, uid_t uid, gid_t gid)
{
	struct stat st;

	assert_int_equal(record_stat(scratch->fd, name, OVERLAY_RECORDED, &st), 0);
	assert_int_equal(st.st_uid, uid);
	assert_int_equal(st.st_gid, gid);
}

/* In the scratch directory of whoever runs this: he is the owner of all that has no record. */
static void records_on_every_type(void **state)
{
	static const char *const names[] = { "file", "dir", "link", "pipe" };
	struct scratch scratch;

	scratch_make(&scratch);
	scratch_write(&scratch, "file", "text");
	scratch_mkdir(&scratch, "dir");
	scratch_symlink(&scratch, "nowhere", "link");
	assert_int_equal(mknodat(scratch.fd, "pipe", S_IFIFO | 0600, 0), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct stat st;

		expect_owner(&scratch, names[i], getuid(), getgid());
		assert_int_equal(record_chown(scratch.fd, names[i], OVERLAY_RECORDED, 33, 44), 0);
		expect_owner(&scratch, names[i], 33, 44);
		assert_int_equal(record_chown(scratch.fd, names[i], OVERLAY_RECORDED, -1, 45), 0);
		expect_owner(&scratch, names[i], 33, 45);
		assert_int_equal(fstatat(scratch.fd, names[i], &st, AT_SYMLINK_NOFOLLOW), 0);
		assert_int_equal(st.st_uid, getuid());
		assert_int_equal(record_chown(scratch.fd, names[i], OVERLAY_RECORDED, 0, 0), 0);
	}
	scratch_remove(&scratch);
}

static void reading_a_link_keeps_its_owner(void **state)
{
	struct scratch scratch;
	char text[16];

	scratch_make(&scratch);
	scratch_symlink(&scratch, "nowhere", "link");
	assert_int_equal(record_chown(scratch.fd, "link", OVERLAY_RECORDED, 7, 8), 0);
	assert_int_equal(readlinkat(scratch.fd, "link", text, sizeof(text)), strlen("nowhere"));
	expect_owner(&scratch, "link", 7, 8);
	scratch_remove(&scratch);
}

static void stands_for_devices(void **state)
{
	struct scratch scratch;
	struct stat st;

	scratch_make(&scratch);
	assert_int_equal(
		record_mknod(scratch.fd, "disk", OVERLAY_RECORDED, S_IFBLK | 0640, makedev(8, 1)),
		0);
	assert_int_equal(record_chown(scratch.fd, "disk", OVERLAY_RECORDED, 0, 6), 0);
	assert_int_equal(record_stat(scratch.fd, "disk", OVERLAY_RECORDED, &st), 0);
	assert_int_equal(st.st_mode, S_IFBLK | 0640);
	assert_int_equal(st.st_rdev, makedev(8, 1));
	assert_int_equal(st.st_gid, 6);
	/* where nothing is recorded it is a file */
	assert_int_equal(record_stat(scratch.fd, "disk", OVERLAY_TRUSTED, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	scratch_remove(&scratch);
}

/* An image that brings a record along brings nothing. */
static void is_no_attribute_of_a_layer(void **state)
{
	struct xattrs xattrs = { .items = NULL };
	struct scratch scratch;
	struct err err = ERR_INIT;
	int fd;

	scratch_make(&scratch);
	scratch_write(&scratch, "file", "text");
	assert_int_equal(record_chown(scratch.fd, "file", OVERLAY_RECORDED, 1, 1), 0);
	fd = openat(scratch.fd, "file", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fsetxattr(fd, "user.other", "x", 1, 0), 0);
	for (int ns = OVERLAY_TRUSTED; ns <= OVERLAY_RECORDED; ns++) {
		assert_int_equal(xattrs_load(fd, (enum overlay_ns)ns, &xattrs, "file", &err), 0);
		assert_int_equal(xattrs.count, 1);
		assert_string_equal(xattrs.items[0].name, "user.other");
		xattrs_release(&xattrs);
	}
	close(fd);
	scratch_remove(&scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_it_writes),
		cmocka_unit_test(refuses_what_is_none),
		cmocka_unit_test(keeps_owners_in_times),
		cmocka_unit_test(records_on_every_type),
		cmocka_unit_test(reading_a_link_keeps_its_owner),
		cmocka_unit_test(stands_for_devices),
		cmocka_unit_test(is_no_attribute_of_a_layer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
