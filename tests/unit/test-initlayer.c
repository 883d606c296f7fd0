/* SPDX-License-Identifier: Apache-2.0 */
/* The init layer of images of all shapes, and the texts that go into it. */
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

#include "sandbox/initlayer.h"
#include "tests/unit/scratch.h"

struct fixture {
	struct scratch image;
	struct scratch layer;
	struct initlayer_options options;
	struct strlist drop;
	struct err err;
};

static void fixture_make(struct fixture *fixture)
{
	scratch_make(&fixture->image);
	scratch_make(&fixture->layer);
	fixture->options = (struct initlayer_options){
		.view_fd = fixture->image.fd,
		.dir_fd = fixture->layer.fd,
		.ns = OVERLAY_USER,
		.hosts = "the hosts\n",
		.resolv_conf = "",
		.hostname = "box\n",
	};
	fixture->drop = (struct strlist)STRLIST_INIT;
	fixture->err = (struct err)ERR_INIT;
}

static void fixture_remove(struct fixture *fixture)
{
	strlist_release(&fixture->drop);
	scratch_remove(&fixture->image);
	scratch_remove(&fixture->layer);
}

static int make(struct fixture *fixture)
{
	return initlayer_make(&fixture->options, &fixture->drop, &fixture->err);
}

static void makes(struct fixture *fixture)
{
	if (make(fixture) < 0)
		fail_msg("%s", fixture->err.text);
}

static void refuses(struct fixture *fixture, const char *words)
{
	assert_int_equal(make(fixture), -1);
	assert_int_equal(fixture->err.kind, ERR_INPUT);
	assert_string_equal(fixture->err.text, words);
}

static void layer_has(const struct fixture *fixture, const char *name, const char *content)
{
	char buf[100];
	struct stat st;

	assert_int_equal(fstatat(fixture->layer.fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_string_equal(scratch_read(&fixture->layer, name, buf, sizeof(buf)), content);
}

static void layer_has_dir(const struct fixture *fixture, const char *name, mode_t mode)
{
	struct stat st;

	assert_int_equal(fstatat(fixture->layer.fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(st.st_mode & 07777, mode);
}

static void an_empty_image_gets_all(void **state)
{
	struct fixture f;

	fixture_make(&f);
	makes(&f);
	layer_has(&f, "etc/hosts", "the hosts\n");
	layer_has(&f, "etc/resolv.conf", "");
	layer_has(&f, "etc/hostname", "box\n");
	layer_has_dir(&f, "etc", 0755);
	layer_has_dir(&f, "proc", 0755);
	layer_has_dir(&f, "sys", 0755);
	layer_has_dir(&f, "dev", 0755);
	assert_int_equal(f.drop.count, 3);
	assert_string_equal(f.drop.items[0], "etc/hosts");
	assert_string_equal(f.drop.items[1], "etc/resolv.conf");
	assert_string_equal(f.drop.items[2], "etc/hostname");
	fixture_remove(&f);
}

static void no_image_is_an_empty_one(void **state)
{
	struct fixture f;

	fixture_make(&f);
	f.options.view_fd = -1;
	makes(&f);
	layer_has(&f, "etc/hosts", "the hosts\n");
	layer_has_dir(&f, "proc", 0755);
	fixture_remove(&f);
}

static void what_is_there_is_not_made(void **state)
{
	struct fixture f;

	fixture_make(&f);
	f.options.hosts = f.options.resolv_conf = f.options.hostname = NULL;
	scratch_mkdir(&f.image, "proc");
	scratch_mkdir(&f.image, "sys");
	makes(&f);
	assert_false(scratch_has(&f.layer, "proc"));
	assert_false(scratch_has(&f.layer, "sys"));
	assert_false(scratch_has(&f.layer, "etc"));
	layer_has_dir(&f, "dev", 0755);
	assert_int_equal(f.drop.count, 0);
	fixture_remove(&f);
}

/* In an overlay the topmost directory's looks win: they must be the image's. */
static void directories_look_as_the_image_has_them(void **state)
{
	const struct timespec times[2] = { { 1000, 0 }, { 1700000001, 5 } };
	struct fixture f;
	struct stat st;

	fixture_make(&f);
	scratch_mkdir(&f.image, "etc");
	assert_int_equal(fchmodat(f.image.fd, "etc", 01751, 0), 0);
	assert_int_equal(utimensat(f.image.fd, "etc", times, 0), 0);
	assert_int_equal(fchmod(f.image.fd, 0711), 0);
	assert_int_equal(futimens(f.image.fd, times), 0);
	makes(&f);
	assert_int_equal(fstatat(f.layer.fd, "etc", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 01751);
	assert_int_equal(st.st_mtim.tv_sec, 1700000001);
	assert_int_equal(st.st_mtim.tv_nsec, 5);
	assert_int_equal(fstat(f.layer.fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
	assert_int_equal(st.st_mtim.tv_sec, 1700000001);
	fixture_remove(&f);
}

static void etc_may_be_a_link(void **state)
{
	struct fixture f;

	fixture_make(&f);
	scratch_mkdir(&f.image, "usr");
	scratch_mkdir(&f.image, "usr/etc");
	assert_int_equal(fchmodat(f.image.fd, "usr", 0710, 0), 0);
	scratch_symlink(&f.image, "/x/../usr/./etc/", "etc");
	scratch_mkdir(&f.image, "x");
	makes(&f);
	layer_has(&f, "usr/etc/hosts", "the hosts\n");
	layer_has_dir(&f, "usr", 0710);
	assert_false(scratch_has(&f.layer, "etc"));
	assert_string_equal(f.drop.items[0], "usr/etc/hosts");
	fixture_remove(&f);
}

static void a_link_out_of_the_image_stays_in_it(void **state)
{
	struct fixture f;

	fixture_make(&f);
	scratch_symlink(&f.image, "../../../../../../../tmp", "etc");
	scratch_mkdir(&f.image, "tmp");
	makes(&f);
	layer_has(&f, "tmp/hosts", "the hosts\n");
	assert_int_not_equal(access("/tmp/hosts", F_OK), 0);
	fixture_remove(&f);
}

static void a_link_at_the_file_is_covered(void **state)
{
	struct fixture f;

	fixture_make(&f);
	scratch_mkdir(&f.image, "etc");
	scratch_symlink(&f.image, "../run/systemd/resolve/stub-resolv.conf", "etc/resolv.conf");
	makes(&f);
	layer_has(&f, "etc/resolv.conf", "");
	assert_false(scratch_has(&f.layer, "run"));
	fixture_remove(&f);
}

static void what_is_in_the_way_is_told(void **state)
{
	struct fixture f;

	fixture_make(&f);
	scratch_write(&f.image, "etc", "a file");
	refuses(&f, "'/etc' of the image is not a directory");
	fixture_remove(&f);

	fixture_make(&f);
	scratch_symlink(&f.image, "usr/etc", "etc");
	refuses(&f, "'/etc' of the image is a link to '/usr/etc', which is not there");
	fixture_remove(&f);

	fixture_make(&f);
	scratch_symlink(&f.image, "etc", "etc");
	refuses(&f, "'/etc' of the image: too many links");
	fixture_remove(&f);

	fixture_make(&f);
	scratch_mkdir(&f.image, "etc");
	scratch_mkdir(&f.image, "etc/hosts");
	refuses(&f, "'/etc/hosts' of the image is a directory");
	fixture_remove(&f);

	fixture_make(&f);
	scratch_symlink(&f.image, "etc", "proc");
	scratch_mkdir(&f.image, "etc");
	refuses(&f, "'/proc' of the image is a symbolic link");
	fixture_remove(&f);

	fixture_make(&f);
	scratch_write(&f.image, "dev", "");
	refuses(&f, "'/dev' of the image is not a directory");
	fixture_remove(&f);
}

static void mount_points_are_made_where_they_lie(void **state)
{
	static const struct initlayer_point points[] = {
		{ "/var/run/new/deep", false }, { "/data", false },    { "/file", true },
		{ "/new/socket", true },        { "/var/run", false }, { "/../up", false },
		{ "/etc/hosts", true },
	};
	struct fixture f;

	fixture_make(&f);
	f.options.points = points;
	f.options.point_count = sizeof(points) / sizeof(points[0]);
	scratch_mkdir(&f.image, "var");
	scratch_mkdir(&f.image, "run");
	scratch_symlink(&f.image, "../run", "var/run");
	scratch_mkdir(&f.image, "data");
	scratch_write(&f.image, "file", "x");
	makes(&f);
	layer_has_dir(&f, "run/new/deep", 0755);
	layer_has(&f, "new/socket", "");
	layer_has_dir(&f, "up", 0755);
	layer_has(&f, "etc/hosts", "the hosts\n");
	assert_false(scratch_has(&f.layer, "var"));
	assert_false(scratch_has(&f.layer, "data"));
	assert_false(scratch_has(&f.layer, "file"));
	fixture_remove(&f);
}

static void mount_points_of_another_kind_are_told(void **state)
{
	static const struct initlayer_point file_on_directory = { "/data", true };
	static const struct initlayer_point directory_on_file = { "/file", false };
	static const struct initlayer_point below_file = { "/file/x", false };
	struct fixture f;

	fixture_make(&f);
	f.options.point_count = 1;
	scratch_mkdir(&f.image, "data");
	scratch_write(&f.image, "file", "x");
	f.options.points = &file_on_directory;
	refuses(&f, "mount point '/data' of the image is a directory, its source is none");
	f.options.points = &directory_on_file;
	refuses(&f, "mount point '/file' of the image is not a directory");
	f.options.points = &below_file;
	refuses(&f, "'/file/x': '/file' of the image is not a directory");
	fixture_remove(&f);
}

static void hosts_are_written_as_docker_does(void **state)
{
	struct strlist add = STRLIST_INIT;
	struct strlist names = STRLIST_INIT;
	struct strbuf text = STRBUF_INIT;
	struct err err = ERR_INIT;

	strlist_add(&add, "db:10.0.0.7");
	strlist_add(&add, "six=[::2]");
	strlist_add(&add, "six-too:fe80::1");
	strlist_add(&add, "one;two=10.0.0.8");
	strlist_add(&add, "here:host-gateway");
	assert_int_equal(initlayer_hosts_text("box", &add, SANDBOX_NETWORK_HOST, &text, &err), 0);
	assert_string_equal(text.data, "127.0.0.1\tlocalhost box\n"
				       "::1\tlocalhost ip6-localhost ip6-loopback\n"
				       "fe00::\tip6-localnet\n"
				       "ff00::\tip6-mcastprefix\n"
				       "ff02::1\tip6-allnodes\n"
				       "ff02::2\tip6-allrouters\n"
				       "10.0.0.7\tdb\n"
				       "::2\tsix\n"
				       "fe80::1\tsix-too\n"
				       "10.0.0.8\tone two\n"
				       "127.0.0.1\there\n");
	strbuf_truncate(&text, 0);
	assert_int_equal(initlayer_hosts_text("box", &add, SANDBOX_NETWORK_NONE, &text, &err), 0);
	assert_non_null(strstr(text.data, "10.0.0.8\tone two\n"));
	assert_null(strstr(text.data, "here"));
	assert_int_equal(initlayer_host_names(&add, &names, &err), 0);
	assert_int_equal(names.count, 5);
	assert_string_equal(names.items[1], "six");
	assert_string_equal(names.items[3], "one two");
	strlist_release(&names);
	strbuf_release(&text);
	strlist_release(&add);
}

static void hosts_that_are_none_are_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "db", "--add-host 'db': not of the form NAME:ADDRESS" },
		{ "db:", "--add-host 'db:': '' is not an address" },
		{ "db:1.2.3", "--add-host 'db:1.2.3': '1.2.3' is not an address" },
		{ "db:1.2.3.4\n5.6.7.8 x",
		  "--add-host 'db:1.2.3.4\n5.6.7.8 x': '1.2.3.4\n5.6.7.8 x' is not an address" },
		{ "a b:1.2.3.4", "--add-host 'a b:1.2.3.4': 'a b' is not a host name" },
		{ ":1.2.3.4", "--add-host ':1.2.3.4': '' is not a host name" },
		{ "a;:1.2.3.4", "--add-host 'a;:1.2.3.4': '' is not a host name" },
		{ "h:[host-gateway", "--add-host 'h:[host-gateway': '[host-gateway' is not an "
				     "address" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct strlist add = STRLIST_INIT;
		struct strbuf text = STRBUF_INIT;
		struct err err = ERR_INIT;

		strlist_add(&add, rows[i][0]);
		assert_int_equal(
			initlayer_hosts_text("box", &add, SANDBOX_NETWORK_HOST, &text, &err), -1);
		assert_int_equal(err.kind, ERR_USAGE);
		assert_string_equal(err.text, rows[i][1]);
		assert_int_equal(initlayer_hosts_check(&add, SANDBOX_NETWORK_HOST, &err), -1);
		assert_int_equal(text.len, 0);
		strlist_release(&add);
	}
}

static void a_gateway_needs_a_network(void **state)
{
	struct strlist add = STRLIST_INIT;
	struct err err = ERR_INIT;

	strlist_add(&add, "h=host-gateway");
	assert_int_equal(initlayer_hosts_check(&add, SANDBOX_NETWORK_HOST, &err), 0);
	assert_int_equal(initlayer_hosts_check(&add, SANDBOX_NETWORK_NONE, &err), -1);
	assert_string_equal(err.text,
			    "--add-host 'h=host-gateway': without a network there is no gateway");
	strlist_release(&add);
}

/* Whatever the host's file says, what is given stands in the place of its kind. */
static void name_servers_replace_the_hosts(void **state)
{
	struct initlayer_dns dns = { .servers = STRLIST_INIT };
	struct strbuf text = STRBUF_INIT;
	struct err err = ERR_INIT;

	strlist_add(&dns.servers, "10.0.0.1");
	strlist_add(&dns.servers, "fe80::1");
	strlist_add(&dns.searches, "a.example");
	strlist_add(&dns.searches, "b.example");
	strlist_add(&dns.options, "ndots:3");
	assert_int_equal(initlayer_resolv_text(SANDBOX_NETWORK_HOST, &dns, &text, &err), 0);
	assert_non_null(strstr(text.data, "nameserver 10.0.0.1\nnameserver fe80::1\n"
					  "search a.example b.example\noptions ndots:3\n"));
	assert_ptr_equal(strstr(text.data, "nameserver"), strstr(text.data, "nameserver 10.0.0.1"));
	strbuf_truncate(&text, 0);
	assert_int_equal(initlayer_resolv_text(SANDBOX_NETWORK_NONE, &dns, &text, &err), 0);
	assert_int_equal(text.len, 0);
	strlist_release(&dns.searches);
	strlist_add(&dns.searches, ".");
	assert_int_equal(initlayer_resolv_text(SANDBOX_NETWORK_HOST, &dns, &text, &err), 0);
	assert_null(strstr(text.data, "search"));
	strbuf_release(&text);
	strlist_release(&dns.servers);
	strlist_release(&dns.searches);
	strlist_release(&dns.options);
}

static void name_servers_that_are_none_are_refused(void **state)
{
	struct initlayer_dns dns = { .servers = STRLIST_INIT };
	struct err err = ERR_INIT;

	strlist_add(&dns.options, "ndots:1\nnameserver 1.2.3.4");
	assert_int_equal(initlayer_dns_check(&dns, &err), -1);
	assert_int_equal(err.kind, ERR_USAGE);
	strlist_add(&dns.searches, "a b");
	assert_int_equal(initlayer_dns_check(&dns, &err), -1);
	assert_string_equal(err.text, "--dns-search 'a b' is not a domain");
	strlist_add(&dns.servers, "localhost");
	assert_int_equal(initlayer_dns_check(&dns, &err), -1);
	assert_string_equal(err.text, "--dns 'localhost' is not an address");
	strlist_release(&dns.servers);
	strlist_release(&dns.searches);
	strlist_release(&dns.options);
}

static void networks_have_names(void **state)
{
	enum sandbox_network network = SANDBOX_NETWORK_HOST;
	struct err err = ERR_INIT;

	assert_int_equal(sandbox_network_parse("none", &network, &err), 0);
	assert_int_equal(network, SANDBOX_NETWORK_NONE);
	assert_int_equal(sandbox_network_parse("default", &network, &err), 0);
	assert_int_equal(network, SANDBOX_NETWORK_HOST);
	assert_int_equal(sandbox_network_parse("pasta", &network, &err), 0);
	assert_int_equal(network, SANDBOX_NETWORK_PRIVATE);
	assert_int_equal(sandbox_network_parse("bridge", &network, &err), -1);
	assert_int_equal(err.kind, ERR_USAGE);
	assert_string_equal(err.text,
			    "network 'bridge' is not supported (supported: host, none, private, "
			    "pasta, slirp4netns, default)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_image_gets_all),
		cmocka_unit_test(no_image_is_an_empty_one),
		cmocka_unit_test(what_is_there_is_not_made),
		cmocka_unit_test(directories_look_as_the_image_has_them),
		cmocka_unit_test(etc_may_be_a_link),
		cmocka_unit_test(a_link_out_of_the_image_stays_in_it),
		cmocka_unit_test(a_link_at_the_file_is_covered),
		cmocka_unit_test(what_is_in_the_way_is_told),
		cmocka_unit_test(mount_points_are_made_where_they_lie),
		cmocka_unit_test(mount_points_of_another_kind_are_told),
		cmocka_unit_test(hosts_are_written_as_docker_does),
		cmocka_unit_test(hosts_that_are_none_are_refused),
		cmocka_unit_test(a_gateway_needs_a_network),
		cmocka_unit_test(name_servers_replace_the_hosts),
		cmocka_unit_test(name_servers_that_are_none_are_refused),
		cmocka_unit_test(networks_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
