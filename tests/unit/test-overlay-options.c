/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imgoverlay's command line as container engines write it, the maps of ids in it, and the
 * attributes with an owner and a mode.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "common/mem.h"
#include "fuse-overlay/options.h"

/* Parses -o LIST /mnt; what was warned of comes back in *warned, to be freed. */
static int parse(const char *list, struct options *out, char **warned, struct err *err)
{
	auto_free char *copy = str_dup(list);
	const char *const argv[] = { "imgoverlay", "-o", copy, "/mnt", NULL };
	size_t len;
	FILE *warnings = open_memstream(warned, &len);
	int result = options_parse(out, 4, argv, warnings, err);

	fclose(warnings);
	return result;
}

static void assert_taken(const char *list, struct options *out, const char *warning)
{
	auto_free char *warned = NULL;
	struct err err = ERR_INIT;

	if (parse(list, out, &warned, &err) < 0)
		fail_msg("%s: %s", list, err.text);
	assert_string_equal(warned, warning);
}

static void assert_refused(const char *list, const char *part)
{
	auto_options struct options options = OPTIONS_INIT;
	auto_free char *warned = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(parse(list, &options, &warned, &err), -1);
	assert_int_equal(err.kind, ERR_USAGE);
	if (!strstr(err.text, part))
		fail_msg("'%s' does not say '%s'", err.text, part);
}

static void what_podman_says(void **state)
{
	auto_options struct options options = OPTIONS_INIT;

	(void)state;
	assert_taken(
		"lowerdir=/h/l/X:/ais/overlay/l/Y,upperdir=/h/1/diff,workdir=/h/1/work,volatile",
		&options, "");
	assert_int_equal(options.lowers.count, 2);
	assert_string_equal(options.lowers.items[0], "/h/l/X");
	assert_string_equal(options.lowers.items[1], "/ais/overlay/l/Y");
	assert_string_equal(options.upper, "/h/1/diff");
	assert_string_equal(options.work, "/h/1/work");
	assert_string_equal(options.mountpoint, "/mnt");
	assert_true(options.no_sync);
	assert_false(options.is_read_only);
	assert_false(options.redirect_dirs);
}

static void escapes(void **state)
{
	auto_options struct options options = OPTIONS_INIT;

	(void)state;
	assert_taken("lowerdir=a\\:b:c\\,d::\\\\e,upperdir=u\\,p:q,workdir=\"w,x\",context=\"a,b\"",
		     &options, "");
	assert_int_equal(options.lowers.count, 3);
	assert_string_equal(options.lowers.items[0], "a:b");
	assert_string_equal(options.lowers.items[1], "c,d");
	assert_string_equal(options.lowers.items[2], "\\e");
	assert_string_equal(options.upper, "u,p:q");
	assert_string_equal(options.work, "\"w,x\"");
}

static void unknown_is_told(void **state)
{
	auto_options struct options options = OPTIONS_INIT;

	(void)state;
	assert_taken("frob,lowerdir=a,volatile=1,lowerdir,lazytime,plugins=p", &options,
		     "unknown argument ignored: frob\n"
		     "unknown argument ignored: volatile=1\n"
		     "unknown argument ignored: lowerdir\n"
		     "unknown argument ignored: lazytime\n"
		     "option without effect: plugins=p\n");
	assert_true(options.is_read_only);
	assert_false(options.no_sync);
}

static void last_one_counts(void **state)
{
	auto_options struct options options = OPTIONS_INIT;

	(void)state;
	assert_taken(
		"lowerdir=a:b,lowerdir=c,ro,rw,upperdir=u,upperdir=v,workdir=w,fsync=0,fsync=1",
		&options, "");
	assert_int_equal(options.lowers.count, 1);
	assert_string_equal(options.lowers.items[0], "c");
	assert_string_equal(options.upper, "v");
	assert_false(options.is_read_only);
	assert_false(options.no_sync);
}

static void squash(void **state)
{
	auto_options struct options options = OPTIONS_INIT;
	struct stat st = { .st_uid = 33, .st_gid = 34 };

	(void)state;
	assert_taken("squash_to_root,squash_to_gid=7,lowerdir=a", &options, "");
	mapping_show(&options.mapping, &st);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(st.st_gid, 7);
	assert_true(mapping_squashes(&options.mapping));
}

static void assert_shown(const struct mapping *mapping, uid_t stored, uid_t shown)
{
	struct stat st = { .st_uid = stored };

	mapping_show(mapping, &st);
	assert_int_equal(st.st_uid, shown);
}

static void assert_stored(const struct mapping *mapping, uid_t shown, uid_t stored)
{
	gid_t gid = ID_NONE;

	mapping_store(mapping, &shown, &gid);
	assert_int_equal(shown, stored);
	assert_int_equal(gid, ID_NONE);
}

static void maps(void **state)
{
	auto_options struct options options = OPTIONS_INIT;

	(void)state;
	assert_taken("lowerdir=a,uidmapping=:0:100000:1000::1000:0:5:,gidmapping=0:1:1", &options,
		     "");
	assert_shown(&options.mapping, 0, 100000);
	assert_shown(&options.mapping, 999, 100999);
	assert_shown(&options.mapping, 1004, 4);
	assert_shown(&options.mapping, 1005, ID_OVERFLOW);
	assert_stored(&options.mapping, 100000, 0);
	assert_stored(&options.mapping, 4, 1004);
	assert_stored(&options.mapping, 5, ID_OVERFLOW);
	assert_stored(&options.mapping, ID_NONE, ID_NONE);
}

static void refused(void **state)
{
	(void)state;
	assert_refused("upperdir=u,workdir=w", "no lowerdir");
	assert_refused("lowerdir=a,upperdir=u", "workdir not specified");
	assert_refused("lowerdir=a,workdir=w", "without an upperdir");
	assert_refused("lowerdir=a,upperdir=,workdir=w", "option 'upperdir': want a directory");
	assert_refused("lowerdir=a,uidmapping=0:1", "id map '0:1': want triples");
	assert_refused("lowerdir=a,uidmapping=0:4294967290:65536", "goes beyond the last id");
	assert_refused("lowerdir=a,uidmapping=0:4294967296:1", "too large");
	assert_refused("lowerdir=a,gidmapping=0:-1:1", "'-1' is not an id");
	assert_refused("lowerdir=a,gidmapping=0:1:0", "a range of no ids");
	assert_refused("lowerdir=a,squash_to_uid=root", "option 'squash_to_uid': 'root'");
	assert_refused("lowerdir=a,timeout=x", "option 'timeout'");
	assert_refused("lowerdir=a,timeout=inf", "not a number of seconds");
	assert_refused("lowerdir=a,fsync=maybe", "option 'fsync'");
	assert_refused("lowerdir=a,xattr_permissions=3", "from 0 to 2");
	assert_refused("lowerdir=a,xino=perhaps", "none of off, auto and on");
	assert_refused("lowerdir=a,marks=all", "none of any, trusted and user");
	assert_refused("lowerdir=a,redirect_dir=nofollow", "neither off nor on");
	assert_refused("lowerdir=a,polling=always", "neither auto nor never");
	assert_refused("lowerdir=//plugin//data//path", "there are none");
}

static void letters(void **state)
{
	const char *const argv[] = { "imgoverlay", "-f", "-olowerdir=a", "source", "/mnt",
				     "--frob",     NULL };
	const char *const version[] = { "imgoverlay", "--version", NULL };
	const char *const dangling[] = { "imgoverlay", "/mnt", "-o", NULL };
	auto_options struct options options = OPTIONS_INIT;
	auto_options struct options asked = OPTIONS_INIT;
	auto_options struct options none = OPTIONS_INIT;
	auto_free char *warned = NULL;
	size_t len;
	FILE *warnings = open_memstream(&warned, &len);
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(options_parse(&options, 6, argv, warnings, &err), 0);
	assert_true(options.is_foreground);
	assert_string_equal(options.mountpoint, "/mnt");
	assert_int_equal(options_parse(&asked, 2, version, warnings, &err), 0);
	assert_int_equal(asked.ask, OPTIONS_VERSION);
	assert_int_equal(options_parse(&none, 3, dangling, warnings, &err), -1);
	fclose(warnings);
	assert_string_equal(warned, "unknown argument ignored: --frob\n");
}

static void assert_override(const char *text, uid_t uid, gid_t gid, mode_t mode, dev_t rdev)
{
	struct stat_override got;

	assert_int_equal(stat_override_parse(text, strlen(text), &got), 0);
	assert_int_equal(got.uid, uid);
	assert_int_equal(got.gid, gid);
	assert_int_equal(got.mode, mode);
	assert_int_equal(got.rdev, rdev);
}

static void overrides(void **state)
{
	static const char *const bad[] = { "",
					   "1:2",
					   "1:2:",
					   "1:2:8",
					   "1:2:7:",
					   "1:2:7:fil",
					   "1:2:7:char",
					   "1:2:7:char-1",
					   "1:2:7:char-1-",
					   "-1:2:7",
					   "4294967295:0:7",
					   "1:2:7:file-1-2",
					   "1:2:7777777" };
	const struct stat_override device = { 1, 2, S_IFBLK | 0640, makedev(8, 17) };
	struct stat_override got;
	char text[STAT_OVERRIDE_MAX];

	(void)state;
	assert_override("0:5:4755", 0, 5, 04755, 0);
	assert_override("7:8:0644:file", 7, 8, S_IFREG | 0644, 0);
	assert_override("7:8:100644", 7, 8, 0644, 0);
	assert_override("0:0:620:char-5-1", 0, 0, S_IFCHR | 0620, makedev(5, 1));
	stat_override_format(&device, text);
	assert_string_equal(text, "1:2:640:block-8-17");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (stat_override_parse(bad[i], strlen(bad[i]), &got) != -EINVAL)
			fail_msg("'%s' was taken", bad[i]);
	assert_true(stat_override_is_name("user.containers.override_stat"));
	assert_false(stat_override_is_name("user.containers.override"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_podman_says), cmocka_unit_test(escapes),
		cmocka_unit_test(unknown_is_told),  cmocka_unit_test(last_one_counts),
		cmocka_unit_test(squash),           cmocka_unit_test(maps),
		cmocka_unit_test(refused),          cmocka_unit_test(letters),
		cmocka_unit_test(overrides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
