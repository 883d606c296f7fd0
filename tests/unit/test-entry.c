/* SPDX-License-Identifier: Apache-2.0 */
/* Values of a tree's files: attributes in order, read and set on disk. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/mem.h"
#include "layers/entry.h"

/* A file without a name. */
static int open_file(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static bool has_user_attributes(int fd)
{
	return fsetxattr(fd, "user.probe", "", 0, 0) == 0 && fremovexattr(fd, "user.probe") == 0;
}

static void attributes_keep_their_order(void **state)
{
	struct xattrs a = { .items = NULL };
	struct xattrs b = { .items = NULL };

	xattrs_set(&a, "user.b", "2", 1);
	xattrs_set(&a, "user.a", "1", 1);
	xattrs_set(&a, "user.c", "a\0b", 3);
	xattrs_set(&a, "user.B", "", 0);
	assert_int_equal(a.count, 4);
	assert_string_equal(a.items[0].name, "user.B");
	assert_string_equal(a.items[1].name, "user.a");
	assert_string_equal(a.items[2].name, "user.b");
	assert_string_equal(a.items[3].name, "user.c");
	xattrs_copy(&b, &a);
	assert_true(xattrs_equal(&a, &b));
	xattrs_set(&b, "user.c", "a\0c", 3);
	assert_int_equal(b.count, 4);
	assert_false(xattrs_equal(&a, &b));
	assert_memory_equal(xattrs_get(&b, "user.c")->value, "a\0c", 3);
	assert_null(xattrs_get(&b, "user.d"));
	xattrs_release(&a);
	assert_false(xattrs_equal(&a, &b));
	xattrs_release(&b);
	assert_true(xattrs_equal(&a, &b));
}

static void overlay_names_are_translated(void **state)
{
	int fd = open_file();
	struct xattrs x = { .items = NULL };
	struct err err = ERR_INIT;

	if (!has_user_attributes(fd))
		skip();
	assert_int_equal(fsetxattr(fd, "user.z", "z\0", 2, 0), 0);
	assert_int_equal(fsetxattr(fd, "user.overlay.origin", "o", 1, 0), 0);
	assert_int_equal(fsetxattr(fd, "user.overlay.overlay.opaque", "y", 1, 0), 0);
	assert_int_equal(fsetxattr(fd, "user.overlay.overlay.overlay.opaque", "n", 1, 0), 0);

	assert_int_equal(xattrs_load(fd, OVERLAY_USER, &x, "f", &err), 0);
	assert_int_equal(x.count, 3);
	assert_string_equal(x.items[0].name, "user.overlay.opaque");
	assert_string_equal(x.items[1].name, "user.overlay.overlay.opaque");
	assert_string_equal(x.items[2].name, "user.z");
	assert_int_equal(x.items[2].value_len, 2);

	/* for the other mount nothing of it is special */
	assert_int_equal(xattrs_load(fd, OVERLAY_TRUSTED, &x, "f", &err), 0);
	assert_int_equal(x.count, 4);
	assert_string_equal(x.items[0].name, "user.overlay.origin");
	xattrs_release(&x);
	close(fd);
}

static void attributes_survive_a_round(void **state)
{
	int from = open_file();
	int to = open_file();
	struct xattrs x = { .items = NULL };
	struct xattrs y = { .items = NULL };
	struct err err = ERR_INIT;
	char large[3000];

	if (!has_user_attributes(from))
		skip();
	memset(large, 0, sizeof(large));
	xattrs_set(&x, "user.overlay.opaque", "y", 1);
	xattrs_set(&x, "user.large", large, sizeof(large));
	xattrs_set(&x, "user.empty", "", 0);
	assert_int_equal(xattrs_apply(from, OVERLAY_USER, &x, "f", &err), 0);
	assert_true(fgetxattr(from, "user.overlay.overlay.opaque", NULL, 0) == 1);
	assert_true(fgetxattr(from, "user.overlay.opaque", NULL, 0) < 0);
	assert_int_equal(xattrs_load(from, OVERLAY_USER, &y, "f", &err), 0);
	assert_true(xattrs_equal(&x, &y));
	assert_int_equal(xattrs_apply(to, OVERLAY_TRUSTED, &y, "f", &err), 0);
	assert_true(fgetxattr(to, "user.overlay.opaque", NULL, 0) == 1);
	xattrs_release(&x);
	xattrs_release(&y);
	close(from);
	close(to);
}

static void an_unknown_namespace_is_left_out(void **state)
{
	int fd = open_file();
	struct xattrs x = { .items = NULL };
	struct err err = ERR_INIT;

	xattrs_set(&x, "nonsense.name", "1", 1);
	assert_int_equal(xattrs_apply(fd, OVERLAY_TRUSTED, &x, "f", &err), 0);
	xattrs_release(&x);
	assert_int_equal(xattrs_load(fd, OVERLAY_TRUSTED, &x, "f", &err), 0);
	assert_null(xattrs_get(&x, "nonsense.name"));
	xattrs_release(&x);
	close(fd);
}

static void links_are_read_by_path_descriptor(void **state)
{
	char dir[] = "/tmp/test-entry.XXXXXX";
	char name[64];
	struct xattrs x = { .items = NULL };
	struct err err = ERR_INIT;
	int fd;

	assert_non_null(mkdtemp(dir));
	snprintf(name, sizeof(name), "%s/link", dir);
	assert_int_equal(symlink("/nowhere", name), 0);
	fd = open(name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(xattrs_load(fd, OVERLAY_TRUSTED, &x, "link", &err), 0);
	assert_int_equal(x.count, 0);
	/* the link is what is asked, not what it names: user.* on it is refused and left out */
	xattrs_set(&x, "user.a", "1", 1);
	assert_int_equal(xattrs_apply(fd, OVERLAY_TRUSTED, &x, "link", &err), 0);
	xattrs_release(&x);
	close(fd);
	unlink(name);
	rmdir(dir);
}

static void types_have_names(void **state)
{
	struct entry entry = ENTRY_INIT;

	assert_string_equal(entry_type_name(ENTRY_FILE), "file");
	assert_string_equal(entry_type_name(ENTRY_OPAQUE), "opaque mark");
	entry.path = str_dup("a");
	entry.link = str_dup("b");
	xattrs_set(&entry.xattrs, "user.a", "1", 1);
	entry_release(&entry);
	assert_null(entry.path);
	assert_int_equal(entry.xattrs.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attributes_keep_their_order),
		cmocka_unit_test(overlay_names_are_translated),
		cmocka_unit_test(attributes_survive_a_round),
		cmocka_unit_test(an_unknown_namespace_is_left_out),
		cmocka_unit_test(links_are_read_by_path_descriptor),
		cmocka_unit_test(types_have_names),
	};

	return cmocka_run_group_tests_name("entry", tests, NULL, NULL);
}
