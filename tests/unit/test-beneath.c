/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names from outside stay beneath their root. Each row is tried with what the
 * kernel offers and with the walk that stands in for it: both must say the same.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "common/beneath-internal.h"
#include "common/beneath.h"
#include "tests/unit/scratch.h"

struct row {
	const char *path;
	enum beneath_policy policy;
	int oflags;
	const char *want; /* the file that must have been opened, below the scratch; or */
	int want_errno;
};

#define NO   BENEATH_NO_LINKS
#define STAY BENEATH_STAY
#define ROOT BENEATH_IN_ROOT

static const struct row rows[] = {
	/* the root itself */
	{ "", NO, O_PATH, "root", 0 },
	{ ".", NO, O_PATH, "root", 0 },
	{ "/", NO, O_PATH, "root", 0 },
	{ "//.//", STAY, O_PATH, "root", 0 },
	{ "/", ROOT, O_RDONLY, "root", 0 },
	{ "", ROOT, O_PATH | O_NOFOLLOW, "root", 0 },
	/* no links at all */
	{ "dir/file", NO, O_RDONLY, "root/dir/file", 0 },
	{ "/dir/file", NO, O_RDONLY, "root/dir/file", 0 },
	{ "./dir//./file", NO, O_RDONLY, "root/dir/file", 0 },
	{ "dir/sub/", NO, O_PATH, "root/dir/sub", 0 },
	{ "dir/file/", NO, O_RDONLY, NULL, ENOTDIR },
	{ "dir/file/x", NO, O_RDONLY, NULL, ENOTDIR },
	{ "dir/none", NO, O_RDONLY, NULL, ENOENT },
	{ "none/x", NO, O_RDONLY, NULL, ENOENT },
	{ "dir/..", NO, O_PATH, NULL, EXDEV },
	{ "dir/../dir/file", NO, O_RDONLY, NULL, EXDEV },
	{ "..", NO, O_PATH, NULL, EXDEV },
	{ "/../outside", NO, O_RDONLY, NULL, EXDEV },
	{ "..file", NO, O_RDONLY, "root/..file", 0 },
	{ "link-file", NO, O_RDONLY, NULL, ELOOP },
	{ "link-file", NO, O_PATH, NULL, ELOOP },
	{ "link-file", NO, O_PATH | O_NOFOLLOW, "root/link-file", 0 },
	{ "link-file", NO, O_RDONLY | O_NOFOLLOW, NULL, ELOOP },
	{ "link-dir/file", NO, O_RDONLY, NULL, ELOOP },
	{ "link-dir/", NO, O_PATH | O_NOFOLLOW, NULL, ELOOP },
	/* links that stay */
	{ "link-file", STAY, O_RDONLY, "root/dir/file", 0 },
	{ "link-file", STAY, O_PATH, "root/dir/file", 0 },
	{ "link-file", STAY, O_PATH | O_NOFOLLOW, "root/link-file", 0 },
	{ "link-file", STAY, O_RDONLY | O_NOFOLLOW, NULL, ELOOP },
	{ "link-dir/file", STAY, O_RDONLY, "root/dir/file", 0 },
	{ "link-dir", STAY, O_RDONLY | O_DIRECTORY, "root/dir", 0 },
	{ "link-dir/", STAY, O_PATH | O_NOFOLLOW, "root/dir", 0 },
	{ "link-slash", STAY, O_PATH, "root/dir", 0 },
	{ "link-slash", STAY, O_PATH | O_NOFOLLOW, "root/link-slash", 0 },
	{ "dir/up", STAY, O_RDONLY, "root/dir/file", 0 },
	{ "dir/sub/../file", STAY, O_RDONLY, "root/dir/file", 0 },
	{ "dir/sub/../..", STAY, O_PATH, "root", 0 },
	{ "dir/sub/../../..", STAY, O_PATH, NULL, EXDEV },
	{ "dir/sub/../../../root/dir", STAY, O_PATH, NULL, EXDEV },
	{ "link-dir/../dir/sub", STAY, O_PATH, "root/dir/sub", 0 },
	{ "dir/file/..", STAY, O_PATH, NULL, ENOTDIR },
	{ "none/..", STAY, O_PATH, NULL, ENOENT },
	{ "link-abs", STAY, O_RDONLY, NULL, EXDEV },
	{ "link-up", STAY, O_RDONLY, NULL, EXDEV },
	{ "dir/link-up2/x", STAY, O_RDONLY, NULL, EXDEV },
	{ "loop-a", STAY, O_RDONLY, NULL, ELOOP },
	{ "dangling", STAY, O_RDONLY, NULL, ENOENT },
	{ "dangling", STAY, O_PATH | O_NOFOLLOW, "root/dangling", 0 },
	/* as chroot would */
	{ "link-abs", ROOT, O_RDONLY, "root/dir/file", 0 },
	{ "link-abs", ROOT, O_PATH, "root/dir/file", 0 },
	{ "link-up", ROOT, O_RDONLY, NULL, ENOENT },
	{ "link-far-up", ROOT, O_RDONLY, "root/dir/file", 0 },
	{ "../../../dir/file", ROOT, O_RDONLY, "root/dir/file", 0 },
	{ "/..", ROOT, O_PATH, "root", 0 },
	{ "dir/link-root/dir/file", ROOT, O_RDONLY, "root/dir/file", 0 },
	{ "dir/link-root", ROOT, O_PATH, "root", 0 },
	{ "dir/link-root/../../dir/sub/..", ROOT, O_PATH, "root/dir", 0 },
	{ "loop-a/x", ROOT, O_RDONLY, NULL, ELOOP },
	{ "dir/link-up2/outside", ROOT, O_RDONLY, NULL, ENOENT },
};

static void make_tree(struct scratch *scratch)
{
	scratch_make(scratch);
	scratch_write(scratch, "outside", "secret");
	scratch_mkdir(scratch, "root");
	scratch_mkdir(scratch, "root/dir");
	scratch_mkdir(scratch, "root/dir/sub");
	scratch_write(scratch, "root/dir/file", "text");
	scratch_write(scratch, "root/..file", "text");
	scratch_symlink(scratch, "dir/file", "root/link-file");
	scratch_symlink(scratch, "dir", "root/link-dir");
	scratch_symlink(scratch, "dir/", "root/link-slash");
	scratch_symlink(scratch, "/dir/file", "root/link-abs");
	scratch_symlink(scratch, "../outside", "root/link-up");
	scratch_symlink(scratch, "../../../../../../../dir/file", "root/link-far-up");
	scratch_symlink(scratch, "../..", "root/dir/link-up2");
	scratch_symlink(scratch, "/", "root/dir/link-root");
	scratch_symlink(scratch, "../dir/file", "root/dir/up");
	scratch_symlink(scratch, "loop-b", "root/loop-a");
	scratch_symlink(scratch, "loop-a", "root/loop-b");
	scratch_symlink(scratch, "nowhere", "root/dangling");
}

static int by_walk(int root_fd, const char *path, enum beneath_policy policy, int oflags)
{
	path += strspn(path, "/");
	/* the caller of the walk has refused these already */
	if (policy == NO &&
	    (strstr(path, "../") == path || strstr(path, "/..") || strcmp(path, "..") == 0)) {
		errno = EXDEV;
		return -1;
	}
	return beneath_walk(root_fd, path, policy, oflags, 0);
}

static void check_row(const struct scratch *scratch, const struct row *row, int fd)
{
	int error = errno;
	struct stat got;
	struct stat want;

	if (!row->want) {
		if (fd >= 0)
			fail_msg("'%s' was opened", row->path);
		if (error != row->want_errno)
			fail_msg("'%s' policy %d: %s", row->path, row->policy, strerror(error));
		return;
	}
	if (fd < 0)
		fail_msg("'%s' policy %d: %s", row->path, row->policy, strerror(error));
	assert_int_equal(fstatat(scratch->fd, row->want, &want, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(fstat(fd, &got), 0);
	if (got.st_ino != want.st_ino || got.st_dev != want.st_dev)
		fail_msg("'%s' policy %d led elsewhere", row->path, row->policy);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
}

static void opens_what_the_policy_allows(void **state)
{
	struct scratch scratch;
	struct err err = ERR_INIT;
	int root_fd;

	make_tree(&scratch);
	root_fd = openat(scratch.fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];

		check_row(&scratch, row,
			  beneath_open(root_fd, row->path, row->policy, row->oflags, &err));
		check_row(&scratch, row, by_walk(root_fd, row->path, row->policy, row->oflags));
	}
	close(root_fd);
	scratch_remove(&scratch);
}

static void words_what_is_refused(void **state)
{
	struct scratch scratch;
	struct err err = ERR_INIT;
	int root_fd;

	make_tree(&scratch);
	root_fd = openat(scratch.fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(beneath_open(root_fd, "link-abs", STAY, O_RDONLY, &err), -1);
	assert_string_equal(err.text, "open 'link-abs': the path leads out of its root");
	assert_int_equal(err.kind, ERR_INPUT);
	assert_int_equal(beneath_open(root_fd, "link-dir/x", NO, O_RDONLY, &err), -1);
	assert_string_equal(err.text, "open 'link-dir/x': a symbolic link is in the path");
	assert_int_equal(err.kind, ERR_INPUT);
	assert_int_equal(beneath_open(root_fd, "/none", ROOT, O_RDONLY, &err), -1);
	assert_string_equal(err.text, "open '/none': No such file or directory");
	assert_int_equal(err.sys_errno, ENOENT);
	close(root_fd);
	scratch_remove(&scratch);
}

/* A link of proc leads anywhere; neither way follows it. */
static void refuses_magic_links(void **state)
{
	struct err err = ERR_INIT;
	int fd = open("/proc/self", O_PATH | O_CLOEXEC);

	if (fd < 0)
		skip();
	assert_int_equal(beneath_open(fd, "root/etc", ROOT, O_PATH, &err), -1);
	assert_int_equal(errno, ELOOP);
	assert_int_equal(beneath_open(fd, "exe", STAY, O_RDONLY, &err), -1);
	assert_int_equal(errno, ELOOP);
	assert_int_equal(beneath_walk(fd, "root/etc", ROOT, O_PATH, 0), -1);
	assert_int_equal(errno, ELOOP);
	assert_int_equal(beneath_walk(fd, "exe", STAY, O_RDONLY, 0), -1);
	assert_int_equal(errno, ELOOP);
	close(fd);
}

static void refuses_long_names(void **state)
{
	struct err err = ERR_INIT;
	int fd = open("/", O_PATH | O_CLOEXEC);
	char path[PATH_MAX + 2];
	char name[NAME_MAX + 1];

	memset(path, '/', sizeof(path));
	path[0] = 'a';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(beneath_open(fd, path, ROOT, O_PATH, &err), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	assert_int_equal(beneath_walk(fd, path, ROOT, O_PATH, 0), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	memset(path, 'a', 300);
	path[300] = '\0';
	assert_int_equal(beneath_open(fd, path, ROOT, O_PATH, &err), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	assert_int_equal(beneath_walk(fd, path, ROOT, O_PATH, 0), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	assert_int_equal(beneath_parent(fd, path, ROOT, name, &err), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	close(fd);
}

static mode_t mode_of(const struct scratch *scratch, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(scratch->fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_mode & 07777;
}

static void creates_with_the_exact_mode(void **state)
{
	struct scratch scratch;
	struct err err = ERR_INIT;
	mode_t old = umask(077);
	char text[16];
	int fd;

	make_tree(&scratch);
	fd = beneath_create(scratch.fd, "root/dir/new", O_WRONLY, 0666, &err);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(mode_of(&scratch, "root/dir/new"), 0666);
	/* one that is there keeps its mode */
	fd = beneath_create(scratch.fd, "root/dir/new", O_WRONLY, 0600, &err);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(mode_of(&scratch, "root/dir/new"), 0666);
	assert_int_equal(beneath_create(scratch.fd, "root/dir/new", O_WRONLY | O_EXCL, 0600, &err),
			 -1);
	assert_int_equal(errno, EEXIST);
	assert_string_equal(err.text, "create 'root/dir/new': File exists");
	/* through no link, whether it leads somewhere or not */
	assert_int_equal(
		beneath_create(scratch.fd, "root/link-file", O_WRONLY | O_TRUNC, 0600, &err), -1);
	assert_int_equal(errno, ELOOP);
	assert_string_equal(scratch_read(&scratch, "root/dir/file", text, sizeof(text)), "text");
	assert_int_equal(beneath_create(scratch.fd, "root/dangling", O_WRONLY, 0600, &err), -1);
	assert_int_equal(errno, ELOOP);
	assert_false(scratch_has(&scratch, "root/nowhere"));
	assert_int_equal(beneath_create(scratch.fd, "root/link-dir/x", O_WRONLY, 0600, &err), -1);
	assert_int_equal(errno, ELOOP);
	assert_int_equal(beneath_create(scratch.fd, "root/../x", O_WRONLY, 0600, &err), -1);
	assert_int_equal(errno, EXDEV);
	scratch_remove(&scratch);
	umask(old);
}

static void walk_creates_where_a_link_leads(void **state)
{
	struct scratch scratch;
	int root_fd;
	int fd;

	make_tree(&scratch);
	root_fd = openat(scratch.fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = beneath_walk(root_fd, "dangling", STAY, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_true(scratch_has(&scratch, "root/nowhere"));
	assert_int_equal(beneath_walk(root_fd, "dangling", STAY, O_CREAT | O_EXCL | O_WRONLY, 0600),
			 -1);
	assert_int_equal(errno, EEXIST);
	close(root_fd);
	scratch_remove(&scratch);
}

static void gives_the_parent_and_the_name(void **state)
{
	static const char *const none[] = {
		"", "/", "///", ".", "..", "dir/.", "dir/..", "dir/../"
	};
	struct scratch scratch;
	struct err err = ERR_INIT;
	char name[NAME_MAX + 1];
	int root_fd;
	int fd;

	make_tree(&scratch);
	root_fd = openat(scratch.fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		assert_int_equal(beneath_parent(root_fd, none[i], ROOT, name, &err), -1);
		assert_int_equal(err.kind, ERR_INPUT);
		assert_int_equal(errno, EINVAL);
	}
	fd = beneath_parent(root_fd, "/link-dir/sub/new//", ROOT, name, &err);
	assert_true(fd >= 0);
	assert_string_equal(name, "new");
	assert_int_equal(mkdirat(fd, name, 0700), 0);
	close(fd);
	assert_true(scratch_has(&scratch, "root/dir/sub/new"));
	/* the last one is not resolved */
	fd = beneath_parent(root_fd, "link-up", NO, name, &err);
	assert_true(fd >= 0);
	assert_string_equal(name, "link-up");
	close(fd);
	assert_int_equal(beneath_parent(root_fd, "link-dir/x", NO, name, &err), -1);
	assert_int_equal(errno, ELOOP);
	assert_int_equal(beneath_parent(root_fd, "dir/file/x", NO, name, &err), -1);
	assert_int_equal(errno, ENOTDIR);
	close(root_fd);
	scratch_remove(&scratch);
}

static void check_mkdirs(const struct scratch *scratch, int root_fd, const char *path,
			 enum beneath_policy policy, const char *want)
{
	struct err err = ERR_INIT;
	struct row row = { path, policy, 0, want, 0 };
	int fd = beneath_mkdirs(root_fd, path, policy, 0751, &err);

	if (fd < 0)
		print_error("%s\n", err.text);
	check_row(scratch, &row, fd);
}

static void refuse_mkdirs(int root_fd, const char *path, enum beneath_policy policy, int error)
{
	struct err err = ERR_INIT;

	assert_int_equal(beneath_mkdirs(root_fd, path, policy, 0751, &err), -1);
	if (errno != error)
		fail_msg("'%s': %s", path, err.text);
}

static void makes_missing_directories(void **state)
{
	struct scratch scratch;
	mode_t old = umask(077);
	int root_fd;

	make_tree(&scratch);
	root_fd = openat(scratch.fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	check_mkdirs(&scratch, root_fd, "a/b/c", NO, "root/a/b/c");
	assert_int_equal(mode_of(&scratch, "root/a"), 0751);
	assert_int_equal(mode_of(&scratch, "root/a/b/c"), 0751);
	check_mkdirs(&scratch, root_fd, "dir/sub/", NO, "root/dir/sub");
	assert_int_equal(mode_of(&scratch, "root/dir/sub"), 0700);
	check_mkdirs(&scratch, root_fd, "", NO, "root");
	check_mkdirs(&scratch, root_fd, "/link-dir/./m//n/", STAY, "root/dir/m/n");
	check_mkdirs(&scratch, root_fd, "dir/link-root/../p/../q", ROOT, "root/q");
	assert_true(scratch_has(&scratch, "root/p"));
	refuse_mkdirs(root_fd, "dir/../x", NO, EXDEV);
	refuse_mkdirs(root_fd, "link-dir/x", NO, ELOOP);
	refuse_mkdirs(root_fd, "dangling/x", ROOT, ENOENT);
	refuse_mkdirs(root_fd, "dangling", STAY, ENOENT);
	refuse_mkdirs(root_fd, "dir/file/x", ROOT, ENOTDIR);
	refuse_mkdirs(root_fd, "dir/file", ROOT, ENOTDIR);
	refuse_mkdirs(root_fd, "link-up/x", STAY, EXDEV);
	refuse_mkdirs(root_fd, "../x", STAY, EXDEV);
	assert_false(scratch_has(&scratch, "x"));
	assert_false(scratch_has(&scratch, "root/nowhere"));
	close(root_fd);
	scratch_remove(&scratch);
	umask(old);
}

/* ---- somebody changes the tree meanwhile ----------------------------------- */

struct swapper {
	int root_fd;
	atomic_bool stop;
};

/* "swap" is by turns a directory and a link that leads out. */
static void *keep_swapping(void *data)
{
	struct swapper *swapper = data;

	while (!atomic_load(&swapper->stop))
		renameat2(swapper->root_fd, "swap", swapper->root_fd, "bait", RENAME_EXCHANGE);
	return NULL;
}

static void check_inside(int fd, const struct stat *outside)
{
	struct stat st;

	if (fd < 0)
		return;
	assert_int_equal(fstat(fd, &st), 0);
	assert_false(st.st_ino == outside->st_ino && st.st_dev == outside->st_dev);
	close(fd);
}

static void stays_inside_while_the_tree_changes(void **state)
{
	struct swapper swapper = { .stop = false };
	struct scratch scratch;
	struct err err = ERR_INIT;
	struct stat outside;
	pthread_t thread;

	make_tree(&scratch);
	scratch_mkdir(&scratch, "root/swap");
	scratch_write(&scratch, "root/swap/outside", "inside");
	scratch_symlink(&scratch, scratch.path, "root/bait");
	assert_int_equal(fstatat(scratch.fd, "outside", &outside, 0), 0);
	swapper.root_fd = openat(scratch.fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(pthread_create(&thread, NULL, keep_swapping, &swapper), 0);
	for (int i = 0; i < 3000; i++) {
		static const char *const paths[] = { "swap/outside", "dir/../swap/outside",
						     "swap/../swap/outside" };
		const char *path = paths[i % 3];
		enum beneath_policy policy = (enum beneath_policy)(i / 3 % 3);

		check_inside(beneath_open(swapper.root_fd, path, policy, O_RDONLY, &err), &outside);
		check_inside(by_walk(swapper.root_fd, path, policy, O_RDONLY), &outside);
	}
	atomic_store(&swapper.stop, true);
	pthread_join(thread, NULL);
	close(swapper.root_fd);
	scratch_remove(&scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_what_the_policy_allows),
		cmocka_unit_test(words_what_is_refused),
		cmocka_unit_test(refuses_magic_links),
		cmocka_unit_test(refuses_long_names),
		cmocka_unit_test(creates_with_the_exact_mode),
		cmocka_unit_test(walk_creates_where_a_link_leads),
		cmocka_unit_test(gives_the_parent_and_the_name),
		cmocka_unit_test(makes_missing_directories),
		cmocka_unit_test(stays_inside_while_the_tree_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
