/* SPDX-License-Identifier: Apache-2.0 */
/* Paths with links followed, what sources name, and where files go; on trees in a scratch
 * directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "builder/copy.h"
#include "common/fd.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "common/tree.h"

struct fixture {
	char path[32];
	int fd;   /* the scratch directory */
	int from; /* "from", "upper" and "view" in it */
	int upper;
	int view;
};

static int open_dir(int at_fd, const char *name)
{
	int fd;

	assert_int_equal(mkdirat(at_fd, name, 0755), 0);
	fd = openat(at_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	umask(022);
	strcpy(f->path, "/tmp/test-copy.XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->from = open_dir(f->fd, "from");
	f->upper = open_dir(f->fd, "upper");
	f->view = open_dir(f->fd, "view");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;

	close(f->from);
	close(f->upper);
	close(f->view);
	close(f->fd);
	assert_int_equal(tree_remove(AT_FDCWD, f->path, &err), 0);
	free(f);
	return 0;
}

static void put_file(int dir_fd, const char *name, const char *text, mode_t mode)
{
	auto_close int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
}

static void expect_text(int dir_fd, const char *name, const char *want)
{
	auto_close int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char text[64] = "";

	if (fd < 0)
		fail_msg("there is no '%s'", name);
	assert_true(read(fd, text, sizeof(text) - 1) >= 0);
	assert_string_equal(text, want);
}

/* ---- follow ---- */

static void follows_links_in_the_root(void **state)
{
	static const struct {
		const char *path;
		const char *want;
		bool is_found;
	} paths[] = {
		{ "", "", true },
		{ "/", "", true },
		{ "dir/f", "dir/f", true },
		{ "rel/f", "dir/f", true },
		{ "/abs/./f", "dir/f", true },
		{ "abs/../dir//f", "dir/f", true },
		{ "up", "dir/f", true }, /* stops at the root */
		{ "../../dir/f", "dir/f", true },
		{ "dir/new/x", "dir/new/x", false },
		{ "dangling", "dir/none", false },
		{ "dangling/below", "dir/none/below", false },
		{ "dir/f/below", "dir/f/below", false },
		{ "top/f", "top/f", true }, /* the upper's wins, and is a directory */
	};
	struct fixture *f = *state;
	struct follow_tree tree = { .fds = { f->upper, f->view }, .count = 2 };

	close(open_dir(f->view, "dir"));
	put_file(f->view, "dir/f", "x", 0644);
	assert_int_equal(symlinkat("dir", f->view, "rel"), 0);
	assert_int_equal(symlinkat("/dir", f->view, "abs"), 0);
	assert_int_equal(symlinkat("../../../dir/f", f->view, "up"), 0);
	assert_int_equal(symlinkat("dir/none", f->view, "dangling"), 0);
	assert_int_equal(symlinkat("dir", f->view, "top"), 0);
	close(open_dir(f->upper, "top"));
	put_file(f->upper, "top/f", "y", 0644);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		auto_strbuf struct strbuf out = STRBUF_INIT;
		struct err err = ERR_INIT;
		bool is_found;

		assert_int_equal(follow_path(&tree, paths[i].path, &out, &is_found, NULL, &err), 0);
		if (strcmp(out.len > 0 ? out.data : "", paths[i].want) != 0 ||
		    is_found != paths[i].is_found)
			fail_msg("'%s': '%s', %d", paths[i].path, out.data, is_found);
	}
}

static void refuses_loops(void **state)
{
	struct fixture *f = *state;
	struct follow_tree tree = { .fds = { f->view }, .count = 1 };
	auto_strbuf struct strbuf out = STRBUF_INIT;
	struct err err = ERR_INIT;
	bool is_found;

	assert_int_equal(symlinkat("b", f->view, "a"), 0);
	assert_int_equal(symlinkat("a", f->view, "b"), 0);
	assert_int_equal(follow_path(&tree, "a/x", &out, &is_found, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_INPUT);
	assert_non_null(strstr(err.text, "too many links on the way to"));
}

/* ---- select ---- */

static void make_tree(struct fixture *f)
{
	close(open_dir(f->from, "x"));
	close(open_dir(f->from, "x/y"));
	put_file(f->from, "x/a.txt", "a", 0640);
	put_file(f->from, "x/y/b.txt", "b", 0644);
	put_file(f->from, "x/y/c.md", "c", 0755);
	assert_int_equal(symlinkat("x/y", f->from, "link"), 0);
	assert_int_equal(mkdirat(f->from, "dangles", 0755), 0);
	put_file(f->from, "dangles/file", "f", 0644);
	assert_int_equal(symlinkat("nowhere", f->from, "dangles/to"), 0);
	assert_int_equal(linkat(f->from, "x/a.txt", f->from, "x/y/hard", 0), 0);
}

static struct select_tree tree_of(struct fixture *f)
{
	/* as of an image: no digests are looked for in a store */
	return (struct select_tree){ .fd = f->from, .what = "the tree" };
}

/* "NAME:below,below(way) " for each source. */
static void list(const struct selection *selection, struct strbuf *out)
{
	for (size_t i = 0; i < selection->source_count; i++) {
		const struct select_source *source = &selection->sources[i];
		auto_select_reader struct select_reader reader = SELECT_READER_INIT;
		struct err err = ERR_INIT;
		struct select_item *item;

		strbuf_printf(out, "%s:", source->name);
		select_reader_init(&reader, selection, i);
		for (size_t k = 0; select_next(&reader, &item, &err) == 0 && item; k++)
			strbuf_printf(out, "%s%s%s", k > 0 ? "," : "", item->below,
				      item->is_way ? "(way)" : "");
		strbuf_putc(out, ' ');
	}
}

static void selects_what_is_named(void **state)
{
	static const struct {
		const char *pattern;
		const char *want; /* or what the error says */
		const char *exclude;
		bool keeps_parents;
	} cases[] = {
		{ "x/a.txt", "a.txt: ", NULL, false },
		{ "/../x//a.txt/", "a.txt: ", NULL, false },
		{ "x", "x:,a.txt,y,y/b.txt,y/c.md,y/hard ", NULL, false },
		{ "link", "link:,b.txt,c.md,hard ", NULL, false },
		{ "link/b.txt", "b.txt: ", NULL, false },
		{ "x/*", "a.txt: y:,b.txt,c.md,hard ", NULL, false },
		{ "*/y/[b-c].*", "b.txt: c.md: ", NULL, false },
		{ "x/none", "'x/none' is not in the tree", NULL, false },
		{ "x/*.none", "no file in the tree matches 'x/*.none'", NULL, false },
		{ "dangles", "dangles:,file,to ", NULL, false },
		{ "dangles/t*", "'dangles/to' is a link to what is not in the tree", NULL, false },
		{ "dangles/*", "'dangles/to' is a link to what is not in the tree", NULL, false },
		{ "dangles/*", "file: ", "to", false },
		{ "x/[", "syntax error in pattern 'x/['", NULL, false },
		{ "x", "x:,y,y/c.md,y/hard ", "**/*.txt", false },
		{ "x/*", "y:,c.md,hard ", "*.txt", false },
		{ "x/a.txt", "", "a.*", false },
		{ "x/a.txt", ":(way),x(way),x/a.txt ", NULL, true },
		{ "x/./y/*.md", ":(way),y(way),y/c.md ", NULL, true },
		{ "**/*.txt", ":(way),x(way),x/a.txt,x/y(way),x/y/b.txt ", NULL, true },
		{ "x/y", ":(way),x(way),x/y,x/y/c.md,x/y/hard ", "**/b.txt", true },
		{ "link/./b.txt", ":(way),b.txt ", NULL, true },
		{ "link/b.txt", "'link/b.txt' is not in the tree", NULL, true },
		{ "x/none", "'x/none' is not in the tree", NULL, true },
		{ "*/./b", "'*/./b': a wildcard cannot stand before '/./'", NULL, true },
	};
	struct fixture *f = *state;

	make_tree(f);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_selection struct selection selection = SELECTION_INIT;
		auto_strbuf struct strbuf out = STRBUF_INIT;
		auto_ignore struct ignore exclude = IGNORE_INIT;
		struct select_tree tree = tree_of(f);
		struct err err = ERR_INIT;

		tree.keeps_parents = cases[i].keeps_parents;
		if (cases[i].exclude) {
			assert_int_equal(ignore_add(&exclude, cases[i].exclude, &err), 0);
			tree.exclude = &exclude;
		}
		if (select_pattern(&tree, cases[i].pattern, &selection, &err) < 0)
			strbuf_puts(&out, err.text);
		else
			list(&selection, &out);
		if (strcmp(out.len > 0 ? out.data : "", cases[i].want) != 0)
			fail_msg("%s: '%s', not '%s'", cases[i].pattern, out.data, cases[i].want);
	}
}

static void keys_tell_what_matters(void **state)
{
	struct fixture *f = *state;
	struct select_key_options options = { .with_content = true };
	struct digest keys[5];

	make_tree(f);
	for (size_t i = 0; i < 5; i++) {
		auto_selection struct selection selection = SELECTION_INIT;
		auto_cachekey struct cachekey key = { 0 };
		struct select_tree tree = tree_of(f);
		struct err err = ERR_INIT;
		const struct timespec times[2] = { { .tv_sec = 5 }, { .tv_sec = 6 } };

		if (i == 1) /* the time does not */
			utimensat(f->from, "x/a.txt", times, 0);
		if (i == 2)
			assert_int_equal(fchmodat(f->from, "x/a.txt", 0600, 0), 0);
		if (i == 3) /* unless it is given */
			options.has_mode = true;
		if (i == 4)
			assert_int_equal(fchmodat(f->from, "x/a.txt", 0640, 0), 0);
		assert_int_equal(select_pattern(&tree, "x", &selection, &err), 0);
		assert_int_equal(selection.missing_digests, 4);
		assert_int_equal(select_digest_all(&tree, &selection, 0, &err), 0);
		assert_int_equal(selection.missing_digests, 0);
		cachekey_init(&key, "test", NULL);
		assert_int_equal(select_key(&selection, &options, &key, &err), 0);
		cachekey_final(&key, &keys[i]);
	}
	assert_true(digest_equal(&keys[0], &keys[1]));
	assert_false(digest_equal(&keys[1], &keys[2]));
	assert_true(digest_equal(&keys[3], &keys[4]));
}

/* ---- copy ---- */

static int copy_to(struct fixture *f, const char *pattern, const char *dest, bool is_dir,
		   const char *mode, struct err *err)
{
	auto_selection struct selection selection = SELECTION_INIT;
	struct copy_target target = { .root_fd = f->upper, .view_fd = f->view };
	struct chmod chmod = { .is_set = false };
	struct select_tree tree = tree_of(f);
	struct copy_options options = { .has_owner = true, .uid = getuid(), .gid = getgid() };
	struct copy_request request = {
		.tree = &tree,
		.selection = &selection,
		.dest = dest,
		.dest_is_dir = is_dir,
		.options = &options,
		.interrupt_fd = -1,
	};

	if (mode) {
		assert_int_equal(chmod_parse(mode, &chmod, err), 0);
		options.chmod = &chmod;
	}
	if (select_pattern(&tree, pattern, &selection, err) < 0)
		fail_msg("%s", err->text);
	for (; request.source < selection.source_count; request.source++)
		if (copy_source_to(&target, &request, err) < 0)
			return -1;
	return 0;
}

static mode_t mode_of(int dir_fd, const char *name)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		fail_msg("there is no '%s'", name);
	return st.st_mode & 07777;
}

/* No owner is changed here but to our own: an ordinary user can run this. */
static void copies_to_where_it_goes(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;
	struct stat a, b;

	make_tree(f);
	close(open_dir(f->view, "there"));
	assert_int_equal(fchmodat(f->view, "there", 0750, 0), 0);
	assert_int_equal(symlinkat("there", f->view, "l"), 0);
	put_file(f->view, "file", "old", 0644);

	assert_int_equal(copy_to(f, "x/a.txt", "/new/name", false, NULL, &err), 0);
	expect_text(f->upper, "new/name", "a");
	assert_int_equal(mode_of(f->upper, "new"), 0755);
	assert_int_equal(mode_of(f->upper, "new/name"), 0640);
	/* into a directory of the view, through a link: it comes along as it is */
	assert_int_equal(copy_to(f, "x/y/b.txt", "/l", false, NULL, &err), 0);
	expect_text(f->upper, "there/b.txt", "b");
	assert_int_equal(mode_of(f->upper, "there"), 0750);
	assert_int_equal(faccessat(f->upper, "l", F_OK, AT_SYMLINK_NOFOLLOW), -1);
	/* over a file */
	assert_int_equal(copy_to(f, "x/y/c.md", "/file", false, "u=rwX,go=", &err), 0);
	expect_text(f->upper, "file", "c");
	assert_int_equal(mode_of(f->upper, "file"), 0700);
	/* a tree, its hard links kept, with a mode for the directories on the way too */
	assert_int_equal(copy_to(f, "x", "/deep/er", true, "711", &err), 0);
	assert_int_equal(mode_of(f->upper, "deep"), 0711);
	assert_int_equal(mode_of(f->upper, "deep/er/y"), 0711);
	assert_int_equal(fstatat(f->upper, "deep/er/a.txt", &a, 0), 0);
	assert_int_equal(fstatat(f->upper, "deep/er/y/hard", &b, 0), 0);
	assert_int_equal(a.st_ino, b.st_ino);
}

static void refuses_to_replace_other_types(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;

	make_tree(f);
	close(open_dir(f->view, "a.txt"));
	put_file(f->view, "y", "file", 0644);
	assert_int_equal(copy_to(f, "x/a.txt", "/", true, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_INPUT);
	assert_string_equal(err.text, "'a.txt' is a directory there: a file cannot take its place");
	err = (struct err)ERR_INIT;
	assert_int_equal(copy_to(f, "x/y", "/y", false, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_INPUT);
	assert_string_equal(err.text, "'y' is not a directory there");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(follows_links_in_the_root), TEST(refuses_loops),
		TEST(selects_what_is_named),     TEST(keys_tell_what_matters),
		TEST(copies_to_where_it_goes),   TEST(refuses_to_replace_other_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
