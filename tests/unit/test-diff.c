/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a diff gives, from plain directories that look as overlayfs leaves them.
 * Trees are made by shell lines in a scratch directory with lower/, upper/ and
 * init/; all times are 1000 unless a line sets another.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fd.h"
#include "common/strbuf.h"
#include "common/tree.h"
#include "layers/diff.h"
#include "layers/pack.h"
#include "layers/whiteout.h"

static char place[64];
static int place_fd = -1;
static struct diff_options options;
static struct strbuf got = STRBUF_INIT;

static void sh(const char *lines)
{
	struct strbuf command = STRBUF_INIT;

	strbuf_printf(&command, "cd %s && set -e && umask 022\n%s\n", place, lines);
	assert_int_equal(system(command.data), 0);
	strbuf_release(&command);
}

/* Every time that was not set on purpose (set ones are small numbers) becomes 1000. */
static void settle_times(void)
{
	sh("find lower upper init -newermt @100000 -print0 | sort -rz | xargs -0r touch -hd @1000");
}

static int make_place(void **state)
{
	strcpy(place, "/tmp/test-diff.XXXXXX");
	assert_non_null(mkdtemp(place));
	place_fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(place_fd >= 0);
	sh("mkdir lower upper init");
	options = (struct diff_options)DIFF_OPTIONS_INIT;
	options.ns = OVERLAY_USER;
	return 0;
}

static int remove_place(void **state)
{
	struct err err = ERR_INIT;

	strbuf_release(&got);
	assert_int_equal(tree_empty(place_fd, &err), 0);
	close(place_fd);
	return rmdir(place);
}

static int note(void *context, const struct entry *entry, int content_fd, struct err *err)
{
	static const char letters[] = "fdlhcbpwo";

	assert_int_equal(entry->mtime.tv_nsec, 0);
	assert_int_equal(entry->type == ENTRY_FILE, content_fd >= 0);
	if (content_fd >= 0)
		assert_int_equal(lseek(content_fd, 0, SEEK_CUR), 0);
	strbuf_printf(&got, "%c /%s", letters[entry->type], entry->path);
	if (entry->link)
		strbuf_printf(&got, ">%s", entry->link);
	if (entry->mtime.tv_sec != 1000 && entry->type < ENTRY_WHITEOUT)
		strbuf_printf(&got, " @%lld", (long long)entry->mtime.tv_sec);
	for (size_t i = 0; i < entry->xattrs.count; i++)
		strbuf_printf(&got, " %s", entry->xattrs.items[i].name);
	strbuf_putc(&got, '\n');
	return 0;
}

static int open_tree(const char *name)
{
	int fd = openat(place_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static int diff(struct err *err)
{
	auto_close int lower = open_tree("lower");
	auto_close int upper = open_tree("upper");

	strbuf_truncate(&got, 0);
	return diff_upper(lower, upper, &options, note, NULL, err);
}

static void expect(const char *lines)
{
	struct err err = ERR_INIT;

	if (diff(&err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(got.data, lines);
}

/* The upper as a layer: settled, it packs to the same bytes again. */
static void expect_settled(const char *lines)
{
	auto_close int lower = open_tree("lower");
	auto_close int upper = open_tree("upper");
	struct strbuf tar = STRBUF_INIT;
	struct sink *sink = sink_to_strbuf(&tar);
	struct err err = ERR_INIT;
	struct pack_result result;
	struct digest digest;

	expect(lines);
	options.settle = true;
	if (pack_upper(lower, upper, &options, &result, &err) < 0)
		fail_msg("%s", err.text);
	if (pack_layer(upper, options.ns, sink, &err) < 0)
		fail_msg("%s", err.text);
	digest_of(tar.data, tar.len, &digest);
	assert_true(digest_equal(&digest, &result.diff_id));
	assert_int_equal(tar.len, result.tar_bytes);
	sink_free(sink);
	strbuf_release(&tar);
	/* and says the same of itself a second time */
	expect(lines);
	options.settle = false;
}

static void nothing_changed_gives_nothing(void **state)
{
	struct pack_result result;
	struct err err = ERR_INIT;

	sh("mkdir -p lower/a/b; echo x > lower/a/b/f; ln -s x lower/a/l");
	settle_times();
	sh("cp -a lower/. upper");
	{
		auto_close int lower = open_tree("lower");
		auto_close int upper = open_tree("upper");

		assert_int_equal(pack_upper(lower, upper, &options, &result, &err), 0);
		assert_true(digest_equal(&result.diff_id, &pack_empty_diff_id));
	}
	expect_settled("");
	sh("test -z \"$(ls upper)\"");
	sh("test $(stat -c %Y upper) = 1000");
}

static void each_difference_counts(void **state)
{
	sh("cd lower; for f in content mode size mtime same; do echo x > $f; done;"
	   "ln -s a target; mkfifo fifo; mkdir dmode dtime dsame");
	settle_times();
	sh("cp -a lower/. upper; cd upper; echo y > content; touch -d @1000 content; chmod 600 "
	   "mode;"
	   "echo xx > size; touch -d @1000 size; touch -d @999 mtime; ln -sf b target;"
	   "touch -hd @1000 target; chmod 700 dmode; touch -d @5 dtime; chmod 600 fifo;"
	   "rm same; echo x > same; touch -d @1000 same; touch -d @1000 .");
	expect_settled("f /content\nd /dmode\nd /dtime @5\np /fifo\nf /mode\nf /mtime @999\n"
		       "f /size\nl /target>b\n");
}

static void parents_come_with_a_child(void **state)
{
	sh("mkdir -p lower/a/b/c lower/x/y; echo x > lower/x/y/f");
	settle_times();
	sh("cp -a lower/. upper; echo 1 > upper/a/b/c/new; echo 2 > upper/a/b/new;"
	   "touch -d @1000 upper/a/b/c/new upper/a/b/new upper/a/b/c upper/a/b");
	expect_settled("d /a\nd /a/b\nd /a/b/c\nf /a/b/c/new\nf /a/b/new\n");
	sh("test ! -e upper/x");
}

static void order_is_by_bytes_and_marks_first(void **state)
{
	sh("mkdir -p lower/d lower/d.x; touch lower/d/b lower/d/z lower/z");
	settle_times();
	sh("cp -a lower/. upper; cd upper; rm -r d/* z; mknod d/z c 0 0; mknod d/b c 0 0;"
	   "mknod z c 0 0; touch d/a d/c a A d.x/n 'd!'; mkdir d/B; touch d/B/n");
	settle_times();
	expect_settled("w /z\nf /A\nf /a\nd /d\nw /d/b\nw /d/z\nd /d/B\nf /d/B/n\nf /d/a\nf /d/c\n"
		       "f /d!\nd /d.x\nf /d.x/n\n");
}

static void whiteouts_need_something_below(void **state)
{
	sh("mkdir lower/d; touch lower/f; ln -s nowhere lower/dangling");
	settle_times();
	sh("cd upper; for f in d f never dangling; do mknod $f c 0 0; done;"
	   "mkdir n; mknod n/never c 0 0");
	settle_times();
	expect_settled("w /d\nw /dangling\nw /f\nd /n\n");
	sh("test ! -e upper/never && test ! -e upper/n/never && test -c upper/f");
}

static void set_opaque(const char *name)
{
	auto_close int fd = open_tree(name);
	struct err err = ERR_INIT;

	if (opaque_set(fd, OVERLAY_USER, &err) < 0)
		skip();
}

static bool is_opaque(const char *name)
{
	auto_close int fd = open_tree(name);
	struct err err = ERR_INIT;
	bool is = false;

	assert_int_equal(opaque_get(fd, OVERLAY_USER, &is, &err), 0);
	return is;
}

static void opaque_hides_what_is_below(void **state)
{
	sh("mkdir -p lower/d/sub lower/bare; echo x > lower/d/f; echo x > lower/d/g;"
	   "touch lower/file");
	settle_times();
	sh("mkdir -p upper/d/sub upper/bare upper/new upper/file; cp -p lower/d/f upper/d/f;"
	   "mknod upper/d/g c 0 0");
	set_opaque("upper/d");
	set_opaque("upper/bare");
	set_opaque("upper/new");
	set_opaque("upper/file");
	settle_times();
	/* bare hid nothing and is as it was; of d most is there again */
	expect_settled("d /d\nw /d/g\nd /file\nd /new\n");
	assert_false(is_opaque("upper/d"));
	assert_false(is_opaque("upper/new"));
	assert_false(is_opaque("upper/file"));
	sh("test ! -e upper/bare && test -c upper/d/g && test ! -e upper/d/f");
}

/* Above it what differs is told, and in it that nothing shows from below. */
static void an_opaque_directory_may_be_in_one_that_is_not(void **state)
{
	sh("mkdir -p lower/d/sub/sub; cd lower/d; touch a b c sub/1 sub/2 sub/3 sub/sub/1");
	settle_times();
	sh("mkdir -p upper/d/sub/sub; cp -p lower/d/a lower/d/b upper/d; touch upper/d/sub/4");
	set_opaque("upper/d");
	settle_times();
	expect_settled("d /d\nw /d/c\nd /d/sub\no /d/sub\nf /d/sub/4\nd /d/sub/sub\n");
	assert_false(is_opaque("upper/d"));
	assert_true(is_opaque("upper/d/sub"));
	sh("test -c upper/d/c && test ! -e upper/d/a && test -d upper/d/sub/sub");
}

static void an_emptied_directory_is_opaque(void **state)
{
	sh("mkdir lower/d; touch lower/d/f");
	settle_times();
	sh("mkdir upper/d");
	set_opaque("upper/d");
	settle_times();
	expect_settled("d /d\no /d\n");
}

static void types_may_change(void **state)
{
	sh("cd lower; touch f2d; mkdir d2f d2l; touch d2f/x d2l/x; ln -s f2d l2d; ln -s d2f l2f");
	settle_times();
	sh("cd upper; mkdir f2d l2d; touch f2d/x l2d/x d2f l2f; ln -s f2d d2l");
	settle_times();
	expect_settled("f /d2f\nl /d2l>f2d\nd /f2d\nf /f2d/x\nd /l2d\nf /l2d/x\nf /l2f\n");
}

static void whole_seconds_are_published(void **state)
{
	sh("cd lower; echo x > whole; echo x > fraction; mkdir d; echo x > moved");
	settle_times();
	sh("touch -d @1000.5 lower/fraction lower/d lower/moved; cp -a lower/. upper;"
	   "touch -d @1000.7 upper/whole upper/moved; echo n > upper/d/new;"
	   "touch -d @2000.9 upper/d/new; touch -d @1000.5 upper/d;"
	   "echo n > upper/old; touch -d @-1.5 upper/old; touch -d @1000 upper");
	expect_settled("d /d\nf /d/new @2000\nf /moved\nf /old @-2\n");
	sh("test $(stat -c %.Y upper/d/new) = 2000.000000000");
	sh("test $(stat -c %.Y upper/d) = 1000.000000000");
}

static void times_are_clamped(void **state)
{
	sh("echo x > lower/f; echo x > lower/late; echo x > lower/kept");
	settle_times();
	sh("touch -d @5000 lower/kept; cp -a lower/. upper; touch -d @3000 upper/f upper/late;"
	   "touch -d @2500 lower/late; echo n > upper/new; touch -d @4000 upper/new;"
	   "touch -d @10 upper; touch -d @10 lower");
	options.clamp_epoch = 2500;
	/* late is 3000 → 2500 as below; kept is as it was though later than the clamp */
	expect_settled("f /f @2500\nf /new @2500\n");
}

static void times_are_set(void **state)
{
	sh("mkdir lower/d; echo x > lower/d/f; echo x > lower/kept; echo x > lower/ours");
	settle_times();
	sh("touch -d @5000 lower/kept; touch -d @2500 lower/ours; cp -a lower/. upper;"
	   "touch -d @3000 upper/ours; touch -d @9 upper/d/f; echo n > upper/old;"
	   "touch -d @-4 upper/old; touch -d @7 upper/d; touch -d @10 upper; touch -d @10 lower");
	options.clamp_epoch = 2500;
	options.sets_times = true;
	/* what has the time below already, and what was not touched, is as it was */
	expect_settled("d /d @2500\nf /d/f @2500\nf /old @2500\n");
}

static void hard_links_name_the_first(void **state)
{
	sh("cd upper; mkdir a z; echo x > a/f; ln a/f b; ln a/f z/g; ln -s t s; ln s s2;"
	   "mkfifo p; ln p p2");
	settle_times();
	expect_settled("d /a\nf /a/f\nh /b>a/f\np /p\nh /p2>p\nl /s>t\nh /s2>s\nd /z\n"
		       "h /z/g>a/f\n");
}

static void one_name_given_gives_all(void **state)
{
	sh("cd lower; for f in a m z same only; do echo $f > $f; done");
	settle_times();
	sh("cp -a lower/. upper; cd upper; rm z; ln a new; ln m z; rm only; ln same only;"
	   "rm only; cp -p ../lower/only only; touch -d @1000 .");
	/* a is as it was, but new is not; m is as it was, but z has m's content now */
	expect_settled("f /a\nf /m\nh /new>a\nh /z>m\n");
	sh("test ! -e upper/same && test ! -e upper/only");
}

static void links_that_changed_nothing_go(void **state)
{
	sh("cd lower; echo x > a; ln a b");
	settle_times();
	sh("cp -a lower/. upper; touch -d @1000 upper");
	expect_settled("");
	sh("test -z \"$(ls upper)\"");
}

static void dropped_files_are_not_given(void **state)
{
	static const char *const drop[] = { "etc/hosts", "etc/resolv.conf", "etc/hostname", NULL };

	sh("mkdir lower/etc; echo image > lower/etc/hosts; echo image > lower/etc/hostname");
	settle_times();
	sh("cp -a lower/etc upper; cd upper/etc; echo step > hosts; ln -s ../run/r resolv.conf;"
	   "rm hostname; mknod hostname c 0 0; ln hosts hosts.bak; mkdir -p ../x/etc;"
	   "touch ../x/etc/hosts");
	settle_times();
	options.drop_files = drop;
	expect_settled("d /etc\nw /etc/hostname\nf /etc/hosts.bak\nl /etc/resolv.conf>../run/r\n"
		       "d /x\nd /x/etc\nf /x/etc/hosts\n");
	sh("test ! -e upper/etc/hosts");
}

static void the_init_layer_leaves_no_trace(void **state)
{
	static const char *const drop[] = { "etc/hosts", NULL };

	sh("mkdir -p init/etc init/proc init/dev/pts init/run/a init/opt lower/dev;"
	   "echo h > init/etc/hosts; echo m > init/etc/mount");
	settle_times();
	sh("cp -a init/. upper; cd upper; echo edited > etc/hosts; touch etc; mknod proc2 c 0 0;"
	   "rmdir proc; mknod proc c 0 0; touch run/a/new; chmod 700 opt; touch -d @1000 run/a/new "
	   ".");
	{
		auto_close int init = open_tree("init");

		options.drop_files = drop;
		options.init_fd = init;
		sh("touch -d @1000 upper/run/a upper/run upper/opt upper/dev");
		expect_settled("d /opt\nd /run\nd /run/a\nf /run/a/new\n");
	}
	sh("test \"$(ls upper | tr '\\n' ' ')\" = 'opt run '");
}

static void a_directory_made_anew_over_the_init_layer_is_given(void **state)
{
	sh("mkdir -p init/etc; mkdir upper/etc");
	set_opaque("upper/etc");
	settle_times();
	auto_close int init = open_tree("init");

	options.init_fd = init;
	expect("d /etc\n");
}

static void the_root_is_given_when_it_differs(void **state)
{
	settle_times();
	sh("chmod 700 upper");
	expect_settled("d /\n");
	sh("chmod 755 upper; touch -d @5 upper");
	expect_settled("d / @5\n");
}

static void without_a_lower_all_is_given(void **state)
{
	auto_close int upper = open_tree("upper");
	struct err err = ERR_INIT;

	sh("cd upper; touch f; mkdir d; mknod gone c 0 0");
	settle_times();
	assert_int_equal(diff_upper(-1, upper, &options, note, NULL, &err), 0);
	assert_string_equal(got.data, "d /\nd /d\nf /f\n");
	strbuf_truncate(&got, 0);
	assert_int_equal(diff_whole_tree(upper, &options, note, NULL, &err), 0);
	assert_string_equal(got.data, "d /\nd /d\nf /f\nc /gone\n");
}

static void sockets_are_left_out(void **state)
{
	sh("echo x > lower/was-file");
	settle_times();
	sh("python3 -c 'import socket\n"
	   "for n in (\"upper/s\",\"upper/was-file\"): socket.socket(socket.AF_UNIX).bind(n)' &&"
	   "touch upper/f");
	settle_times();
	expect("w /was-file\nf /f\n");
	expect_settled("w /was-file\nf /f\n");
	sh("test ! -e upper/s && test -c upper/was-file");
}

static void reserved_names_are_refused(void **state)
{
	struct err err = ERR_INIT;

	sh("mkdir upper/d; touch upper/d/.wh.x");
	assert_int_equal(diff(&err), -1);
	assert_int_equal(err.kind, ERR_INPUT);
	assert_non_null(strstr(err.text, "'d/.wh.x' cannot be stored in a layer"));
}

static void mark(const char *name, const char *attribute)
{
	auto_close int fd = openat(place_fd, name, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	if (fsetxattr(fd, attribute, "y", 1, 0) < 0)
		skip();
}

static void redirects_and_metacopies_are_bugs(void **state)
{
	struct err err = ERR_INIT;

	sh("mkdir upper/d; echo x > upper/f");
	mark("upper/d", "user.overlay.redirect");
	assert_int_equal(diff(&err), -1);
	assert_int_equal(err.kind, ERR_BUG);
	assert_non_null(strstr(err.text, "'d' was written with overlay's redirect_dir on"));
	sh("rmdir upper/d");
	mark("upper/f", "user.overlay.metacopy");
	assert_int_equal(diff(&err), -1);
	assert_int_equal(err.kind, ERR_BUG);
	assert_non_null(strstr(err.text, "'f' was written with overlay's metacopy on"));
}

static void own_attributes_stay_and_overlays_go(void **state)
{
	sh("echo x > lower/f; echo x > lower/g; mkdir lower/d");
	settle_times();
	sh("cp -a lower/. upper");
	mark("upper/f", "user.overlay.origin");
	mark("upper/d", "user.overlay.impure");
	mark("upper/g", "user.overlay.overlay.opaque");
	mark("upper/g", "user.plain");
	mark("upper/g", "user.overlay.origin");
	sh("touch -d @5 upper/d; touch -d @1000 upper");
	expect_settled("d /d @5\nf /g user.overlay.opaque user.plain\n");
	auto_close int fd = openat(place_fd, "upper/g", O_RDONLY | O_CLOEXEC);

	assert_true(fgetxattr(fd, "user.overlay.origin", NULL, 0) < 0);
	assert_int_equal(fgetxattr(fd, "user.overlay.overlay.opaque", NULL, 0), 1);
}

static void whiteouts_may_be_files(void **state)
{
	auto_close int dir = -1;

	sh("mkdir lower/d; echo x > lower/d/gone; echo x > lower/d/kept");
	settle_times();
	sh("mkdir upper/d; touch upper/d/gone upper/d/kept");
	dir = open_tree("upper/d");
	if (fsetxattr(dir, "user.overlay.opaque", "x", 1, 0) < 0)
		skip();
	mark("upper/d/gone", "user.overlay.whiteout");
	settle_times();
	expect("d /d\nw /d/gone\nf /d/kept\n");
}

static void deep_trees_need_few_descriptors(void **state)
{
	struct err err = ERR_INIT;
	size_t lines = 0;

	/* 1,500 levels in both, one file at the bottom that differs */
	sh("python3 -c 'import os\n"
	   "for top in (\"lower\",\"upper\"):\n"
	   "  fd = os.open(top, os.O_RDONLY)\n"
	   "  for i in range(1500):\n"
	   "    os.mkdir(\"d\", dir_fd=fd); os.utime(\"d\", (1000, 1000), dir_fd=fd)\n"
	   "    new = os.open(\"d\", os.O_RDONLY, dir_fd=fd); os.close(fd); fd = new\n"
	   "  f = os.open(\"f\", os.O_CREAT|os.O_WRONLY, dir_fd=fd); os.write(f, "
	   "top[:1].encode())\n"
	   "'");
	if (diff(&err) < 0)
		fail_msg("%s", err.text);
	for (const char *p = got.data; *p; p++)
		lines += *p == '\n';
	assert_true(lines >= 1501);
	assert_non_null(strstr(got.data, "/d/d/f @"));
}

static void bottomless_trees_are_refused(void **state)
{
	struct err err = ERR_INIT;

	sh("python3 -c 'import os\n"
	   "fd = os.open(\"upper\", os.O_RDONLY)\n"
	   "for i in range(2100):\n"
	   "  os.mkdir(\"d\", dir_fd=fd)\n"
	   "  new = os.open(\"d\", os.O_RDONLY, dir_fd=fd); os.close(fd); fd = new\n"
	   "'");
	assert_int_equal(diff(&err), -1);
	assert_int_equal(err.kind, ERR_INPUT);
	assert_non_null(strstr(err.text, "nested deeper than 2048 directories"));
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(nothing_changed_gives_nothing),
		WITH_PLACE(each_difference_counts),
		WITH_PLACE(parents_come_with_a_child),
		WITH_PLACE(order_is_by_bytes_and_marks_first),
		WITH_PLACE(whiteouts_need_something_below),
		WITH_PLACE(opaque_hides_what_is_below),
		WITH_PLACE(an_opaque_directory_may_be_in_one_that_is_not),
		WITH_PLACE(an_emptied_directory_is_opaque),
		WITH_PLACE(types_may_change),
		WITH_PLACE(whole_seconds_are_published),
		WITH_PLACE(times_are_clamped),
		WITH_PLACE(times_are_set),
		WITH_PLACE(hard_links_name_the_first),
		WITH_PLACE(one_name_given_gives_all),
		WITH_PLACE(links_that_changed_nothing_go),
		WITH_PLACE(dropped_files_are_not_given),
		WITH_PLACE(the_init_layer_leaves_no_trace),
		WITH_PLACE(a_directory_made_anew_over_the_init_layer_is_given),
		WITH_PLACE(the_root_is_given_when_it_differs),
		WITH_PLACE(without_a_lower_all_is_given),
		WITH_PLACE(sockets_are_left_out),
		WITH_PLACE(reserved_names_are_refused),
		WITH_PLACE(redirects_and_metacopies_are_bugs),
		WITH_PLACE(own_attributes_stay_and_overlays_go),
		WITH_PLACE(whiteouts_may_be_files),
		WITH_PLACE(deep_trees_need_few_descriptors),
		WITH_PLACE(bottomless_trees_are_refused),
	};

	return cmocka_run_group_tests_name("diff", tests, NULL, NULL);
}
