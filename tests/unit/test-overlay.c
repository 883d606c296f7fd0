/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The work of the union without a mount: the layers are directories, the test is the kernel, which
 * holds what it looked up and forgets it again.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/mem.h"
#include "fuse-overlay/latch.h"
#include "fuse-overlay/node.h"
#include "fuse-overlay/overlay.h"
#include "tests/unit/scratch.h"

/* Two lower layers, an upper and a work directory. */
struct union_dir {
	struct scratch scratch;
	struct options options;
	struct overlay *overlay;
};

static char *below(const struct union_dir *u, const char *name)
{
	return str_format("%s/%s", u->scratch.path, name);
}

static void union_prepare(struct union_dir *u)
{
	static const char *const dirs[] = { "top", "base", "upper", "work" };

	*u = (struct union_dir){ .options = OPTIONS_INIT };
	scratch_make(&u->scratch);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		scratch_mkdir(&u->scratch, dirs[i]);
	strlist_take(&u->options.lowers, below(u, "top"));
	strlist_take(&u->options.lowers, below(u, "base"));
	u->options.upper = below(u, "upper");
	u->options.work = below(u, "work");
}

static void union_open(struct union_dir *u)
{
	struct err err = ERR_INIT;

	if (overlay_open(&u->overlay, &u->options, &err) < 0)
		fail_msg("%s", err.text);
}

static void union_reopen(struct union_dir *u)
{
	overlay_free(u->overlay);
	union_open(u);
}

static void union_remove(struct union_dir *u)
{
	overlay_free(u->overlay);
	options_release(&u->options);
	scratch_remove(&u->scratch);
}

static const struct caller *me(void)
{
	static struct caller caller;

	caller = (struct caller){ .uid = getuid(), .gid = getgid(), .umask = 022 };
	return &caller;
}

/* The node of a path, held; NULL where there is none. What is on the way is let go. */
static struct node *find(struct union_dir *u, const char *path, struct stat *st)
{
	struct node *node = node_hold(overlay_root(u->overlay));
	auto_free char *rest = str_dup(path);
	char *state = NULL;

	for (char *part = strtok_r(rest, "/", &state); part && node;
	     part = strtok_r(NULL, "/", &state)) {
		struct entry_reply reply = { .node = NULL };

		assert_int_equal(overlay_lookup(u->overlay, node, part, &reply), 0);
		overlay_forget(u->overlay, node, 1);
		node = reply.node;
		if (node && st)
			*st = reply.st;
	}
	return node;
}

static bool shows(struct union_dir *u, const char *path)
{
	struct node *node = find(u, path, NULL);

	if (node)
		overlay_forget(u->overlay, node, 1);
	return node != NULL;
}

static uint64_t ino_of(struct union_dir *u, const char *path)
{
	struct stat st = { 0 };
	struct node *node = find(u, path, &st);

	assert_non_null(node);
	overlay_forget(u->overlay, node, 1);
	return st.st_ino;
}

static void let_go(struct union_dir *u, struct node *node)
{
	overlay_forget(u->overlay, node, 1);
}

static struct handle *open_file(struct union_dir *u, const char *path, int flags)
{
	struct node *node = find(u, path, NULL);
	struct handle *handle = NULL;

	assert_non_null(node);
	assert_int_equal(overlay_file_open(u->overlay, me(), node, flags, &handle), 0);
	let_go(u, node);
	return handle;
}

static void expect_content(struct union_dir *u, struct handle *handle, const char *content)
{
	char buf[256];
	ssize_t n = pread(overlay_file_fd(u->overlay, handle), buf, sizeof(buf) - 1, 0);

	assert_true(n >= 0);
	buf[n] = '\0';
	assert_string_equal(buf, content);
}

static void append(struct union_dir *u, const char *path, const char *text)
{
	struct handle *handle = open_file(u, path, O_WRONLY);
	int fd = overlay_file_fd(u->overlay, handle);

	assert_int_equal(pwrite(fd, text, strlen(text), lseek(fd, 0, SEEK_END)), strlen(text));
	overlay_file_close(u->overlay, handle);
}

static void make_dir(struct union_dir *u, const char *name)
{
	const struct making making = { .mode = S_IFDIR | 0755 };
	struct entry_reply reply = { .node = NULL };

	assert_int_equal(overlay_make(u->overlay, me(), overlay_root(u->overlay), name, &making,
				      &reply),
			 0);
	let_go(u, reply.node);
}

static int rename_in_root(struct union_dir *u, const char *from, const char *to, unsigned flags)
{
	const struct renaming renaming = { .parent = overlay_root(u->overlay),
					   .name = from,
					   .new_parent = overlay_root(u->overlay),
					   .new_name = to,
					   .flags = flags };

	return overlay_rename(u->overlay, &renaming);
}

static int remove_dir(struct union_dir *u, const char *name)
{
	return overlay_rmdir(u->overlay, overlay_root(u->overlay), name);
}

static int remove_file(struct union_dir *u, const char *dir, const char *name)
{
	struct node *node = find(u, dir, NULL);
	int r;

	assert_non_null(node);
	r = overlay_unlink(u->overlay, node, name);
	let_go(u, node);
	return r;
}

/* The upper shows @name as a character device 0:0. */
static bool has_whiteout(struct union_dir *u, const char *name)
{
	struct stat st;

	return fstatat(u->scratch.fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISCHR(st.st_mode) && st.st_rdev == 0;
}

/* ---- reading ---------------------------------------------------------------------- */

static void layers_hide_and_join(void **state)
{
	struct union_dir u;

	union_prepare(&u);
	scratch_mkdir(&u.scratch, "base/dir");
	scratch_write(&u.scratch, "base/dir/low", "low");
	scratch_write(&u.scratch, "base/dir/both", "base");
	scratch_write(&u.scratch, "base/dir/gone", "");
	scratch_write(&u.scratch, "base/dir/gone-too", "");
	scratch_mkdir(&u.scratch, "base/file-above");
	scratch_mkdir(&u.scratch, "base/opaque");
	scratch_write(&u.scratch, "base/opaque/hidden", "");
	scratch_mkdir(&u.scratch, "top/dir");
	scratch_write(&u.scratch, "top/dir/both", "top");
	scratch_write(&u.scratch, "top/dir/.wh.gone", "");
	assert_int_equal(mknodat(u.scratch.fd, "top/dir/gone-too", S_IFCHR, 0), 0);
	scratch_write(&u.scratch, "top/file-above", "");
	scratch_mkdir(&u.scratch, "top/opaque");
	scratch_write(&u.scratch, "top/opaque/.wh..wh..opq", "");
	scratch_write(&u.scratch, "top/opaque/shown", "");
	union_open(&u);

	assert_true(shows(&u, "dir/low"));
	assert_false(shows(&u, "dir/gone"));
	assert_false(shows(&u, "dir/gone-too"));
	assert_false(shows(&u, "dir/.wh.gone"));
	assert_true(shows(&u, "file-above"));
	assert_true(shows(&u, "opaque/shown"));
	assert_false(shows(&u, "opaque/hidden"));
	assert_false(shows(&u, "opaque/.wh..wh..opq"));
	struct handle *handle = open_file(&u, "dir/both", O_RDONLY);
	expect_content(&u, handle, "top");
	overlay_file_close(u.overlay, handle);
	union_remove(&u);
}

#define MANY 500

/* Goes on behind the cookie, whatever the directory has become. */
static void listings_go_on(void **state)
{
	bool seen[MANY] = { false };
	struct listing *listing = NULL;
	struct listing_entry entry;
	struct union_dir u;
	uint64_t cookie = 0;
	unsigned count = 0, number;
	char name[32];

	union_prepare(&u);
	scratch_mkdir(&u.scratch, "base/d");
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "base/d/%u", i);
		scratch_write(&u.scratch, name, "");
	}
	union_open(&u);
	struct node *dir = find(&u, "d", NULL);

	for (;;) {
		assert_int_equal(overlay_list(u.overlay, dir, &listing), 0);
		if (!listing_next(listing, cookie, &entry))
			break;
		assert_int_equal(sscanf(entry.name, "%u", &number), 1);
		assert_false(seen[number]);
		seen[number] = true;
		assert_true(entry.cookie > cookie);
		cookie = entry.cookie;
		listing_put(listing);
		/* names that were seen go; those that come are seen or not */
		if (count++ % 3 == 0)
			assert_int_equal(overlay_unlink(u.overlay, dir, entry.name), 0);
	}
	listing_put(listing);
	assert_int_equal(count, MANY);
	let_go(&u, dir);
	union_remove(&u);
}

/* ---- copying up ---------------------------------------------------------------------- */

static void numbers_stay(void **state)
{
	struct union_dir u;
	uint64_t file, dir;

	union_prepare(&u);
	scratch_mkdir(&u.scratch, "base/d");
	scratch_write(&u.scratch, "base/d/f", "one");
	union_open(&u);
	file = ino_of(&u, "d/f");
	dir = ino_of(&u, "d");
	append(&u, "d/f", " two");
	assert_true(scratch_has(&u.scratch, "upper/d/f"));
	assert_true(ino_of(&u, "d/f") == file);
	assert_true(ino_of(&u, "d") == dir);
	union_reopen(&u);
	assert_true(ino_of(&u, "d/f") == file);
	assert_true(ino_of(&u, "d") == dir);
	union_remove(&u);
}

/* Who has a lower file open reads what others write to it. */
static void readers_follow(void **state)
{
	struct union_dir u;
	struct handle *reader;

	union_prepare(&u);
	scratch_write(&u.scratch, "base/f", "one");
	union_open(&u);
	reader = open_file(&u, "f", O_RDONLY);
	expect_content(&u, reader, "one");
	append(&u, "f", " two");
	expect_content(&u, reader, "one two");
	overlay_file_close(u.overlay, reader);
	union_remove(&u);
}

static void nameless_files_live(void **state)
{
	struct union_dir u;
	struct handle *handle;
	struct node *node;
	struct stat st;

	union_prepare(&u);
	scratch_write(&u.scratch, "base/f", "lower");
	union_open(&u);
	node = find(&u, "f", NULL);
	assert_int_equal(overlay_unlink(u.overlay, overlay_root(u.overlay), "f"), 0);
	assert_true(has_whiteout(&u, "upper/f"));
	assert_false(shows(&u, "f"));
	assert_int_equal(overlay_file_open(u.overlay, me(), node, O_RDWR, &handle), 0);
	expect_content(&u, handle, "lower");
	overlay_file_close(u.overlay, handle);
	/* what is written to it goes nowhere */
	assert_int_equal(overlay_getattr(u.overlay, node, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	let_go(&u, node);
	assert_true(has_whiteout(&u, "upper/f"));
	union_remove(&u);
}

/* ---- names ------------------------------------------------------------------------------ */

static unsigned count_open(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* A connection can end while the kernel has files open and holds what was deleted. */
static void what_is_left_is_freed(void **state)
{
	struct entry_reply reply = { .node = NULL };
	struct handle *handle = NULL;
	struct union_dir u;
	unsigned before = count_open();

	union_prepare(&u);
	scratch_write(&u.scratch, "base/f", "");
	scratch_write(&u.scratch, "base/g", "");
	scratch_mkdir(&u.scratch, "base/d");
	union_open(&u);
	open_file(&u, "f", O_RDWR);
	open_file(&u, "g", O_RDONLY);
	assert_non_null(find(&u, "g", NULL));
	assert_int_equal(remove_file(&u, "", "f"), 0);
	assert_int_equal(remove_file(&u, "", "g"), 0);
	assert_non_null(find(&u, "d", NULL));
	assert_int_equal(remove_dir(&u, "d"), 0);
	assert_int_equal(overlay_tmpfile(u.overlay, me(), overlay_root(u.overlay), 0644, O_RDWR,
					 &reply, &handle),
			 0);
	union_remove(&u);
	assert_int_equal(count_open(), before);
}

static void new_dirs_hide_old_ones(void **state)
{
	struct union_dir u;

	union_prepare(&u);
	scratch_mkdir(&u.scratch, "base/d");
	scratch_write(&u.scratch, "base/d/old", "");
	union_open(&u);
	assert_int_equal(remove_dir(&u, "d"), -ENOTEMPTY);
	assert_int_equal(remove_file(&u, "d", "old"), 0);
	assert_int_equal(remove_dir(&u, "d"), 0);
	assert_true(has_whiteout(&u, "upper/d"));
	make_dir(&u, "d");
	assert_false(shows(&u, "d/old"));
	union_reopen(&u);
	assert_true(shows(&u, "d"));
	assert_false(shows(&u, "d/old"));
	union_remove(&u);
}

static void lower_dirs_move_when_asked(void **state)
{
	struct union_dir u;

	union_prepare(&u);
	scratch_mkdir(&u.scratch, "base/d");
	scratch_mkdir(&u.scratch, "base/d/sub");
	scratch_write(&u.scratch, "base/d/sub/f", "");
	union_open(&u);
	assert_int_equal(rename_in_root(&u, "d", "e", 0), -EXDEV);
	assert_true(shows(&u, "d/sub/f"));
	u.options.redirect_dirs = true;
	union_reopen(&u);
	assert_int_equal(rename_in_root(&u, "d", "e", 0), 0);
	make_dir(&u, "d");
	assert_true(shows(&u, "e/sub/f"));
	assert_false(shows(&u, "d/sub"));
	union_reopen(&u);
	assert_true(shows(&u, "e/sub/f"));
	assert_false(shows(&u, "d/sub"));
	union_remove(&u);
}

static void names_change_places(void **state)
{
	struct union_dir u;
	uint64_t a, b;

	union_prepare(&u);
	scratch_write(&u.scratch, "base/a", "a");
	scratch_write(&u.scratch, "base/b", "b");
	union_open(&u);
	a = ino_of(&u, "a");
	b = ino_of(&u, "b");
	assert_int_equal(rename_in_root(&u, "a", "b", RENAME_NOREPLACE), -EEXIST);
	assert_int_equal(rename_in_root(&u, "a", "none", RENAME_EXCHANGE), -ENOENT);
	assert_int_equal(rename_in_root(&u, "a", "b", RENAME_EXCHANGE), 0);
	assert_true(ino_of(&u, "a") == b);
	assert_true(ino_of(&u, "b") == a);
	assert_int_equal(rename_in_root(&u, "a", "b", 0), 0);
	assert_true(has_whiteout(&u, "upper/a"));
	assert_true(ino_of(&u, "b") == b);
	union_remove(&u);
}

static void links_are_one_node(void **state)
{
	struct union_dir u;
	struct node *a, *b;

	union_prepare(&u);
	scratch_write(&u.scratch, "upper/a", "");
	assert_int_equal(linkat(u.scratch.fd, "upper/a", u.scratch.fd, "upper/b", 0), 0);
	union_open(&u);
	a = find(&u, "a", NULL);
	b = find(&u, "b", NULL);
	assert_ptr_equal(a, b);
	assert_int_equal(overlay_unlink(u.overlay, overlay_root(u.overlay), "a"), 0);
	let_go(&u, a);
	assert_true(shows(&u, "b"));
	let_go(&u, b);
	assert_true(shows(&u, "b"));
	union_remove(&u);
}

/* A redirect that leads out of the layers is none. */
static void redirects_stay_inside(void **state)
{
	static const char *const bad[] = { "/../outside", "..", "/d/../../outside", "a/b", "" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		auto_free char *path = NULL;
		struct union_dir u;

		union_prepare(&u);
		scratch_mkdir(&u.scratch, "outside");
		scratch_write(&u.scratch, "outside/secret", "");
		scratch_mkdir(&u.scratch, "upper/d");
		path = below(&u, "upper/d");
		if (setxattr(path, "user.overlay.redirect", bad[i], strlen(bad[i]), 0) < 0)
			print_message("# no user attributes here\n");
		union_open(&u);
		assert_true(shows(&u, "d"));
		assert_false(shows(&u, "d/secret"));
		union_remove(&u);
	}
}

/* ---- locks ---------------------------------------------------------------------------------- */

#define ROUNDS 20000

static struct latch latch;
static unsigned counted;

static void *count_up(void *arg)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		latch_lock(&latch);
		counted++;
		latch_unlock(&latch);
	}
	return NULL;
}

static void latches_exclude(void **state)
{
	pthread_t threads[4];

	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_up, NULL), 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(counted, 4 * ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layers_hide_and_join),
		cmocka_unit_test(listings_go_on),
		cmocka_unit_test(numbers_stay),
		cmocka_unit_test(readers_follow),
		cmocka_unit_test(nameless_files_live),
		cmocka_unit_test(what_is_left_is_freed),
		cmocka_unit_test(new_dirs_hide_old_ones),
		cmocka_unit_test(lower_dirs_move_when_asked),
		cmocka_unit_test(names_change_places),
		cmocka_unit_test(links_are_one_node),
		cmocka_unit_test(redirects_stay_inside),
		cmocka_unit_test(latches_exclude),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
