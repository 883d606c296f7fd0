/* SPDX-License-Identifier: Apache-2.0 */
/* Users and groups of an image: what is meant by USER and --chown, and files made to hurt. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fd.h"
#include "common/strbuf.h"
#include "sandbox/user.h"
#include "tests/unit/scratch.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     "\n"
			     "# a comment\n"
			     "short:x\n"
			     "huge:x:4294967296:5::/:\n"
			     "minus:x:-1:5::/:\n"
			     "hex:x:0x10:5::/:\n"
			     "last:x:4294967295:5::/:\n"
			     "alice:x:1000:1001:Alice:/home/alice:/bin/sh\n"
			     "twin:x:1000:7::/twin:\n"
			     "12:x:3000:3000::/:\n"
			     "bob:x:1002:1003"; /* no home, no newline */
static const char group[] = "root:x:0:\n"
			    "users:x:100:alice,bob\n"
			    "wheel:x:10:root,alice\n"
			    "bad:x:99999999999:alice\n"
			    "not:x:11:malice,alicex\n"
			    "alice:x:1001:\n"
			    "one:x:12:alice";

static void make_root(struct scratch *root)
{
	scratch_make(root);
	scratch_mkdir(root, "etc");
	scratch_write(root, "etc/passwd", passwd);
	scratch_write(root, "etc/group", group);
}

static void resolves(const char *text, uid_t uid, gid_t gid, const char *groups, const char *home)
{
	auto_user_ids struct user_ids ids = USER_IDS_INIT;
	auto_strbuf struct strbuf got = STRBUF_INIT;
	struct err err = ERR_INIT;
	struct scratch root;

	make_root(&root);
	if (user_resolve(root.fd, text, &ids, &err) < 0)
		fail_msg("'%s': %s", text, err.text);
	for (size_t i = 0; i < ids.group_count; i++)
		strbuf_printf(&got, " %u", ids.groups[i]);
	assert_int_equal(ids.uid, uid);
	assert_int_equal(ids.gid, gid);
	assert_string_equal(got.data, groups);
	if (home)
		assert_string_equal(ids.home, home);
	else
		assert_null(ids.home);
	scratch_remove(&root);
}

static void users_are_found(void **state)
{
	resolves("", 0, 0, " 10", "/root");
	resolves("root", 0, 0, " 10", "/root");
	resolves("alice", 1000, 1001, " 100 10 12", "/home/alice");
	resolves("1000", 1000, 1001, " 100 10 12", "/home/alice");
	resolves("bob", 1002, 1003, " 100", NULL);
	resolves("5", 5, 0, "", NULL);
	resolves("4294967294", UINT32_MAX - 1, 0, "", NULL);
	resolves("12", 12, 0, "", NULL); /* a number, though there is a user of that name */
	resolves("alice:", 1000, 1001, " 100 10 12", "/home/alice");
}

static void groups_are_found(void **state)
{
	resolves("alice:users", 1000, 100, "", "/home/alice");
	resolves("alice:5", 1000, 5, "", "/home/alice");
	resolves("7:8", 7, 8, "", NULL);
	resolves(":wheel", 0, 10, "", "/root");
	resolves("0:0", 0, 0, "", "/root");
}

static void refused(const char *text, const char *words)
{
	auto_user_ids struct user_ids ids = USER_IDS_INIT;
	struct err err = ERR_INIT;
	struct scratch root;

	make_root(&root);
	assert_int_equal(user_resolve(root.fd, text, &ids, &err), -1);
	assert_int_equal(err.kind, ERR_INPUT);
	assert_string_equal(err.text, words);
	scratch_remove(&root);
}

static void numbers_never_wrap(void **state)
{
	refused("4294967295", "'4294967295' is too large for a user or group id");
	refused("4294967296", "'4294967296' is too large for a user or group id");
	refused("18446744073709551616",
		"'18446744073709551616' is too large for a user or group id");
	refused("1:4294967296", "'4294967296' is too large for a user or group id");
	refused("-1", "there is no user '-1' in /etc/passwd of the image");
	refused("0x10", "there is no user '0x10' in /etc/passwd of the image");
	refused("+1", "there is no user '+1' in /etc/passwd of the image");
	refused("65536:abc", "there is no group 'abc' in /etc/group of the image");
	refused("huge", "there is no user 'huge' in /etc/passwd of the image");
	refused("minus", "there is no user 'minus' in /etc/passwd of the image");
	refused("hex", "there is no user 'hex' in /etc/passwd of the image");
	refused("last", "there is no user 'last' in /etc/passwd of the image");
	refused("short", "there is no user 'short' in /etc/passwd of the image");
	refused("1:bad", "there is no group 'bad' in /etc/group of the image");
}

static void chown_takes_numbers_and_names(void **state)
{
	const struct {
		const char *text;
		uid_t uid;
		gid_t gid;
	} rows[] = {
		{ "5", 5, 5 },          { "alice", 1000, 1001 }, { "alice:users", 1000, 100 },
		{ "5:wheel", 5, 10 },   { "5:6", 5, 6 },         { ":users", 0, 100 },
		{ "alice:0", 1000, 0 }, { "12", 12, 12 },        { "bob", 1002, 1003 },
	};
	struct scratch root;

	make_root(&root);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = ERR_INIT;
		uid_t uid = 99;
		gid_t gid = 99;

		if (user_resolve_chown(root.fd, rows[i].text, &uid, &gid, &err) < 0)
			fail_msg("'%s': %s", rows[i].text, err.text);
		assert_int_equal(uid, rows[i].uid);
		assert_int_equal(gid, rows[i].gid);
	}
	scratch_remove(&root);
}

static void chown_of_root_and_numbers_needs_no_file(void **state)
{
	static const char *const texts[] = { "root", "root:root", "0:root", "0" };
	struct scratch root;

	scratch_make(&root);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct err err = ERR_INIT;
		uid_t uid = 99;
		gid_t gid = 99;

		if (user_resolve_chown(root.fd, texts[i], &uid, &gid, &err) < 0)
			fail_msg("'%s': %s", texts[i], err.text);
		assert_int_equal(uid, 0);
		assert_int_equal(gid, 0);
	}
	scratch_remove(&root);
}

static void chown_of_nobody_is_refused(void **state)
{
	struct err err = ERR_INIT;
	struct scratch root;
	uid_t uid;
	gid_t gid;

	make_root(&root);
	assert_int_equal(user_resolve_chown(root.fd, "", &uid, &gid, &err), -1);
	assert_string_equal(err.text, "'' names neither a user nor a group");
	assert_int_equal(user_resolve_chown(root.fd, ":", &uid, &gid, &err), -1);
	assert_string_equal(err.text, "':' names neither a user nor a group");
	assert_int_equal(user_resolve_chown(root.fd, "mallory", &uid, &gid, &err), -1);
	assert_string_equal(err.text, "there is no user 'mallory' in /etc/passwd of the image");
	scratch_remove(&root);
}

/* The kind and words that looking up @text gives in @root. */
static void root_refuses(const struct scratch *root, const char *text, enum err_kind kind,
			 const char *words)
{
	auto_user_ids struct user_ids ids = USER_IDS_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(user_resolve(root->fd, text, &ids, &err), -1);
	assert_int_equal(err.kind, kind);
	if (!strstr(err.text, words))
		fail_msg("'%s' does not say '%s'", err.text, words);
}

static void an_image_without_files_has_numbers_only(void **state)
{
	auto_user_ids struct user_ids ids = USER_IDS_INIT;
	struct err err = ERR_INIT;
	struct scratch root;

	scratch_make(&root);
	assert_int_equal(user_resolve(root.fd, "7:8", &ids, &err), 0);
	assert_int_equal(ids.uid, 7);
	assert_int_equal(ids.gid, 8);
	root_refuses(&root, "alice", ERR_INPUT, "there is no user 'alice'");
	scratch_write(&root, "etc", "not a directory");
	root_refuses(&root, "alice", ERR_INPUT, "there is no user 'alice'");
	scratch_remove(&root);
}

static void what_is_no_file_is_not_opened(void **state)
{
	struct scratch root;

	scratch_make(&root);
	scratch_mkdir(&root, "etc");
	assert_int_equal(mkfifoat(root.fd, "etc/passwd", 0644), 0);
	root_refuses(&root, "0", ERR_INPUT, "'/etc/passwd' of the image is not a regular file");
	assert_int_equal(unlinkat(root.fd, "etc/passwd", 0), 0);
	scratch_mkdir(&root, "etc/passwd");
	root_refuses(&root, "0", ERR_INPUT, "'/etc/passwd' of the image is not a regular file");
	scratch_remove(&root);
}

/* A link out of the root means what it means inside. */
static void links_stay_in_the_root(void **state)
{
	auto_user_ids struct user_ids ids = USER_IDS_INIT;
	struct err err = ERR_INIT;
	struct scratch root;

	scratch_make(&root);
	scratch_mkdir(&root, "etc");
	scratch_symlink(&root, "../../../../../../etc/passwd", "etc/passwd");
	root_refuses(&root, "root", ERR_INPUT,
		     "'/etc/passwd' of the image is a circle of symbolic links");
	assert_int_equal(unlinkat(root.fd, "etc/passwd", 0), 0);
	scratch_mkdir(&root, "usr");
	scratch_write(&root, "usr/passwd", "in:x:55:56::/:\n");
	scratch_symlink(&root, "/usr/passwd", "etc/passwd");
	assert_int_equal(user_resolve(root.fd, "in", &ids, &err), 0);
	assert_int_equal(ids.uid, 55);
	scratch_remove(&root);
}

static void a_file_without_end_is_refused(void **state)
{
	struct scratch root;
	int fd;

	make_root(&root);
	fd = openat(root.fd, "etc/passwd", O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, (off_t)10 << 30), 0);
	close(fd);
	root_refuses(&root, "root", ERR_INPUT, "/etc/passwd");
	scratch_remove(&root);
}

static void too_many_groups_are_refused(void **state)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	struct scratch root;

	for (int i = 0; i <= USER_GROUPS_MAX; i++)
		strbuf_puts(&text, "g:x:1:root\n");
	scratch_make(&root);
	scratch_mkdir(&root, "etc");
	scratch_write(&root, "etc/passwd", passwd);
	scratch_write(&root, "etc/group", text.data);
	root_refuses(&root, "root", ERR_INPUT, "user 'root' is in more than 65536 groups");
	scratch_remove(&root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(users_are_found),
		cmocka_unit_test(groups_are_found),
		cmocka_unit_test(numbers_never_wrap),
		cmocka_unit_test(chown_takes_numbers_and_names),
		cmocka_unit_test(chown_of_root_and_numbers_needs_no_file),
		cmocka_unit_test(chown_of_nobody_is_refused),
		cmocka_unit_test(an_image_without_files_has_numbers_only),
		cmocka_unit_test(what_is_no_file_is_not_opened),
		cmocka_unit_test(links_stay_in_the_root),
		cmocka_unit_test(a_file_without_end_is_refused),
		cmocka_unit_test(too_many_groups_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
