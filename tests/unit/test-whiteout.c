/* SPDX-License-Identifier: Apache-2.0 */
/* Deletions: their names in a tar, their marks on disk. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fd.h"
#include "common/tree.h"
#include "layers/whiteout.h"

struct place {
	char path[64];
	int fd;
};

static int make_place(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	strcpy(place->path, "/tmp/test-whiteout.XXXXXX");
	assert_non_null(mkdtemp(place->path));
	place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(place->fd >= 0);
	*state = place;
	return 0;
}

static int remove_place(void **state)
{
	struct place *place = *state;
	struct err err = ERR_INIT;

	assert_int_equal(tree_empty(place->fd, &err), 0);
	close(place->fd);
	rmdir(place->path);
	free(place);
	return 0;
}

static void names_are_understood(void **state)
{
	static const struct {
		const char *name;
		enum whiteout_name is;
		const char *target;
	} rows[] = {
		{ "file", WHITEOUT_NONE, NULL },
		{ ".wh", WHITEOUT_NONE, NULL },
		{ ".why.not", WHITEOUT_NONE, NULL },
		{ "a.wh.b", WHITEOUT_NONE, NULL },
		{ ".wh.file", WHITEOUT_FILE, "file" },
		{ ".wh..hidden", WHITEOUT_FILE, ".hidden" },
		{ ".wh..wh", WHITEOUT_FILE, ".wh" },
		{ ".wh....", WHITEOUT_FILE, "..." },
		{ ".wh.\xff\xfe", WHITEOUT_FILE, "\xff\xfe" },
		{ ".wh..wh..opq", WHITEOUT_OPAQUE, NULL },
		{ ".wh..wh..opq2", WHITEOUT_RESERVED, NULL },
		{ ".wh..wh.", WHITEOUT_RESERVED, NULL },
		{ ".wh..wh.plnk", WHITEOUT_RESERVED, NULL },
		{ ".wh..wh.aufs", WHITEOUT_RESERVED, NULL },
		{ ".wh.", WHITEOUT_INVALID, NULL },
		{ ".wh..", WHITEOUT_INVALID, NULL },
		{ ".wh...", WHITEOUT_INVALID, NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *target = NULL;

		assert_int_equal(whiteout_parse(rows[i].name, &target), rows[i].is);
		assert_int_equal(whiteout_is_reserved(rows[i].name), rows[i].is != WHITEOUT_NONE);
		if (rows[i].target)
			assert_string_equal(target, rows[i].target);
		else
			assert_null(target);
	}
}

static void devices_are_made(void **state)
{
	struct place *place = *state;
	struct err err = ERR_INIT;
	struct stat st;

	assert_int_equal(whiteout_make(place->fd, "gone", OVERLAY_USER, &err), 0);
	assert_int_equal(fstatat(place->fd, "gone", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(whiteout_is_device(&st));
	assert_int_equal(whiteout_make(place->fd, "gone", OVERLAY_USER, &err), -1);
	assert_int_equal(err.kind, ERR_SYSTEM);
	assert_int_equal(err.sys_errno, EEXIST);
	assert_int_equal(fstatat(place->fd, ".", &st, 0), 0);
	assert_false(whiteout_is_device(&st));
}

static void marks_are_set_and_cleared(void **state)
{
	struct place *place = *state;
	struct err err = ERR_INIT;
	bool is = true;

	assert_int_equal(opaque_get(place->fd, OVERLAY_USER, &is, &err), 0);
	assert_false(is);
	if (opaque_set(place->fd, OVERLAY_USER, &err) < 0) {
		assert_int_equal(err.sys_errno, EOPNOTSUPP);
		skip();
	}
	assert_int_equal(opaque_get(place->fd, OVERLAY_USER, &is, &err), 0);
	assert_true(is);
	assert_int_equal(opaque_clear(place->fd, OVERLAY_USER, &err), 0);
	assert_int_equal(opaque_clear(place->fd, OVERLAY_USER, &err), 0);
	assert_int_equal(opaque_get(place->fd, OVERLAY_USER, &is, &err), 0);
	assert_false(is);

	/* "x" says that files may be whiteouts, not that the directory is opaque */
	assert_int_equal(fsetxattr(place->fd, "user.overlay.opaque", "x", 1, 0), 0);
	assert_int_equal(opaque_get(place->fd, OVERLAY_USER, &is, &err), 0);
	assert_false(is);

	assert_int_equal(implied_root_get(place->fd, OVERLAY_USER, &is, &err), 0);
	assert_false(is);
	assert_int_equal(implied_root_set(place->fd, OVERLAY_USER, &err), 0);
	assert_int_equal(implied_root_get(place->fd, OVERLAY_USER, &is, &err), 0);
	assert_true(is);
}

static bool has(int fd, const char *name)
{
	return fgetxattr(fd, name, NULL, 0) >= 0;
}

static void bookkeeping_is_stripped(void **state)
{
	static const char *const gone[] = { "user.overlay.origin", "user.overlay.impure",
					    "user.overlay.nlink",  "user.overlay.uuid",
					    "user.overlay.upper",  "user.overlay.protattr" };
	static const char *const kept[] = { "user.overlay.opaque", "user.overlay.overlay.origin",
					    "user.overlay.implied-root", "user.plain" };
	struct place *place = *state;
	struct err err = ERR_INIT;

	if (fsetxattr(place->fd, "user.plain", "y", 1, 0) < 0)
		skip();
	for (size_t i = 0; i < sizeof(gone) / sizeof(*gone); i++)
		assert_int_equal(fsetxattr(place->fd, gone[i], "y", 1, 0), 0);
	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		assert_int_equal(fsetxattr(place->fd, kept[i], "y", 1, 0), 0);
	assert_int_equal(overlay_xattrs_strip(place->fd, OVERLAY_USER, "place", &err), 0);
	for (size_t i = 0; i < sizeof(gone) / sizeof(*gone); i++)
		assert_false(has(place->fd, gone[i]));
	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		assert_true(has(place->fd, kept[i]));
}

static void redirects_and_metacopies_are_bugs(void **state)
{
	static const char *const names[] = { "user.overlay.redirect", "user.overlay.metacopy" };
	struct place *place = *state;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < 2; i++) {
		if (fsetxattr(place->fd, names[i], "y", 1, 0) < 0)
			skip();
		assert_int_equal(overlay_xattrs_strip(place->fd, OVERLAY_USER, "place", &err), -1);
		assert_int_equal(err.kind, ERR_BUG);
		assert_non_null(strstr(err.text, names[i]));
		assert_true(has(place->fd, names[i]));
		assert_int_equal(fremovexattr(place->fd, names[i]), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_understood),
		cmocka_unit_test_setup_teardown(devices_are_made, make_place, remove_place),
		cmocka_unit_test_setup_teardown(marks_are_set_and_cleared, make_place,
						remove_place),
		cmocka_unit_test_setup_teardown(bookkeeping_is_stripped, make_place, remove_place),
		cmocka_unit_test_setup_teardown(redirects_and_metacopies_are_bugs, make_place,
						remove_place),
	};

	return cmocka_run_group_tests_name("whiteout", tests, NULL, NULL);
}
