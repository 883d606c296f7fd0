/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a layer's tar: headers, records, content, the end. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/strbuf.h"
#include "common/tree.h"
#include "layers/pack.h"
#include "layers/tar-header-internal.h"

#define LONG_100                                             \
	"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee" \
	"ffffffffffgggggggggghhhhhhhhhhiiiiiiiiiijjjjjjjjjj"

static void header_of(struct entry *entry, const char *name, struct strbuf *out)
{
	struct err err = ERR_INIT;

	strbuf_truncate(out, 0);
	assert_int_equal(tar_header_format(entry, name, out, &err), 0);
	assert_int_equal(out->len % TAR_BLOCK_BYTES, 0);
}

/* The sum of the block with the field itself as blanks, as a reader does it. */
static void check_sum(const char *block)
{
	unsigned sum = 8 * ' ';

	for (int i = 0; i < 512; i++)
		if (i < 148 || i >= 156)
			sum += (unsigned char)block[i];
	assert_int_equal(strtoul(block + 148, NULL, 8), sum);
	assert_int_equal(block[154], '\0');
	assert_int_equal(block[155], ' ');
}

static void a_plain_file_is_one_block(void **state)
{
	struct strbuf out = STRBUF_INIT;
	struct entry entry = { .type = ENTRY_FILE,
			       .path = (char *)"a/b",
			       .mode = 04755,
			       .uid = 1000,
			       .gid = 100,
			       .size_bytes = 5,
			       .mtime = { .tv_sec = 1700000000 } };

	header_of(&entry, "a/b", &out);
	assert_int_equal(out.len, 512);
	check_sum(out.data);
	assert_memory_equal(out.data, "a/b\0", 4);
	assert_memory_equal(out.data + 100, "0004755\0", 8);
	assert_memory_equal(out.data + 108, "0001750\0", 8);
	assert_memory_equal(out.data + 116, "0000144\0", 8);
	assert_memory_equal(out.data + 124, "00000000005\0", 12);
	assert_memory_equal(out.data + 136, "14524770400\0", 12);
	assert_int_equal(out.data[156], '0');
	assert_memory_equal(out.data + 257, "ustar\00000", 8);
	/* no user name, no group name */
	assert_int_equal(out.data[265], 0);
	assert_int_equal(out.data[297], 0);
	assert_memory_equal(out.data + 329, "0000000\0000000000\0", 16);
	strbuf_release(&out);
}

static void names_of_100_bytes_fit(void **state)
{
	struct strbuf out = STRBUF_INIT;
	struct entry entry = { .type = ENTRY_FILE, .path = (char *)LONG_100 };

	header_of(&entry, LONG_100, &out);
	assert_int_equal(out.len, 512);
	assert_memory_equal(out.data, LONG_100, 100);
	assert_memory_equal(out.data + 100, "0000000", 8);
	strbuf_release(&out);
}

static void longer_names_get_a_record(void **state)
{
	struct strbuf out = STRBUF_INIT;
	struct entry entry = { .type = ENTRY_DIRECTORY, .path = (char *)LONG_100 };

	header_of(&entry, LONG_100 "/", &out);
	assert_int_equal(out.len, 3 * 512);
	check_sum(out.data);
	check_sum(out.data + 1024);
	assert_memory_equal(out.data, "PaxHeaders/aaaaaaaaaa", 21);
	assert_int_equal(strlen(out.data), 91); /* 80 bytes of the name */
	assert_memory_equal(out.data + 100, "0000644\0", 8);
	assert_int_equal(out.data[156], 'x');
	assert_memory_equal(out.data + 124, "00000000157\0", 12); /* 111 */
	assert_string_equal(out.data + 512, "111 path=" LONG_100 "/\n");
	assert_int_equal(out.data[1024 + 156], '5');
	assert_memory_equal(out.data + 1024, LONG_100, 100);
	strbuf_release(&out);
}

static void a_cut_file_name_has_no_slash_at_its_end(void **state)
{
	static const char name[] = "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee"
				   "ffffffffffgggggggggghhhhhhhhhhiiiiiiiiiijjjjjjjjj/k";
	struct strbuf out = STRBUF_INIT;
	struct entry entry = { .type = ENTRY_FILE, .path = (char *)name };

	header_of(&entry, name, &out);
	assert_string_equal(out.data, "PaxHeaders/k");
	assert_int_equal(strnlen(out.data + 1024, 100), 99);
	strbuf_release(&out);
}

static void records_are_sorted_and_raw(void **state)
{
	struct strbuf out = STRBUF_INIT;
	struct entry entry = { .type = ENTRY_SYMLINK,
			       .path = (char *)"\xff\xfe",
			       .link = (char *)"x" LONG_100,
			       .uid = 4294967294u,
			       .gid = 2097152,
			       .mtime = { .tv_sec = -5 } };

	xattrs_set(&entry.xattrs, "user.z", "a\0b", 3);
	xattrs_set(&entry.xattrs, "user.\xff", "", 0);
	header_of(&entry, entry.path, &out);
	assert_int_equal(out.len, 3 * 512);
	assert_memory_equal(out.data, "PaxHeaders/\xff\xfe", 14);
	static const char records[] = "27 SCHILY.xattr.user.z=a\0b\n"
				      "24 SCHILY.xattr.user.\xff=\n"
				      "15 gid=2097152\n"
				      "115 linkpath=x" LONG_100 "\n"
				      "12 mtime=-5\n"
				      "18 uid=4294967294\n";
	assert_memory_equal(out.data + 512, records, sizeof(records));
	/* the fields themselves hold the most they can, never root's 0 */
	assert_memory_equal(out.data + 1024 + 108, "7777777\0007777777\0", 16);
	assert_memory_equal(out.data + 1024 + 136, "00000000000\0", 12);
	assert_memory_equal(out.data + 1024 + 157, "xaaaaaaaaaabb", 13);
	xattrs_release(&entry.xattrs);
	strbuf_release(&out);
}

static void record_lengths_count_themselves(void **state)
{
	struct strbuf out = STRBUF_INIT;
	struct entry entry = { .type = ENTRY_FILE, .path = (char *)"f" };
	char value[200];

	memset(value, 'v', sizeof(value));
	for (size_t len = 60; len < 90; len++) { /* around 99 → 101 */
		xattrs_set(&entry.xattrs, "user.a", value, len);
		header_of(&entry, "f", &out);
		size_t said = strtoul(out.data + 512, NULL, 10);

		assert_int_equal(out.data[512 + said - 1], '\n');
		assert_int_equal(out.data[512 + said], '\0');
		assert_int_equal(strtoul(out.data + 124, NULL, 8), said);
	}
	xattrs_release(&entry.xattrs);
	strbuf_release(&out);
}

static void large_numbers_get_records(void **state)
{
	struct strbuf out = STRBUF_INIT;
	struct entry entry = { .type = ENTRY_FILE,
			       .path = (char *)"f",
			       .size_bytes = 8589934591,
			       .uid = 2097151,
			       .gid = 2097151,
			       .mtime = { .tv_sec = 8589934591 } };

	header_of(&entry, "f", &out);
	assert_int_equal(out.len, 512);
	assert_memory_equal(out.data + 124, "77777777777\00077777777777\0", 24);
	entry.size_bytes++;
	entry.mtime.tv_sec++;
	header_of(&entry, "f", &out);
	assert_string_equal(out.data + 512, "20 mtime=8589934592\n"
					    "19 size=8589934592\n");
	strbuf_release(&out);
}

static void an_equals_sign_in_an_attribute_is_refused(void **state)
{
	struct strbuf out = STRBUF_INIT;
	struct err err = ERR_INIT;
	struct entry entry = { .type = ENTRY_FILE, .path = (char *)"some/file" };

	xattrs_set(&entry.xattrs, "user.a=b", "1", 1);
	assert_int_equal(tar_header_format(&entry, "some/file", &out, &err), -1);
	assert_int_equal(err.kind, ERR_INPUT);
	assert_non_null(strstr(err.text, "'some/file' has the attribute 'user.a=b'"));
	xattrs_release(&entry.xattrs);
	strbuf_release(&out);
}

/* ---- whole tars ---- */

static int file_of(const void *data, size_t len)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void check_empty(const struct strbuf *tar)
{
	struct digest digest;

	assert_int_equal(tar->len, 1024);
	digest_of(tar->data, tar->len, &digest);
	assert_true(digest_equal(&digest, &pack_empty_diff_id));
}

static void an_empty_layer_has_its_known_digest(void **state)
{
	struct strbuf tar = STRBUF_INIT;
	struct err err = ERR_INIT;
	struct sink *sink = sink_to_strbuf(&tar);
	struct pack *pack = pack_new(sink);
	char name[DIGEST_NAME_MAX];

	assert_int_equal(pack_finish(pack, &err), 0);
	assert_int_equal(sink_finish(sink, &err), 0);
	check_empty(&tar);
	assert_string_equal(
		digest_name(&pack_empty_diff_id, name),
		"sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef");
	pack_free(pack);
	sink_free(sink);
	strbuf_release(&tar);
}

static void members_have_the_names_of_their_kind(void **state)
{
	struct strbuf tar = STRBUF_INIT;
	struct err err = ERR_INIT;
	struct sink *sink = sink_to_strbuf(&tar);
	struct pack *pack = pack_new(sink);
	static const struct {
		struct entry entry;
		const char *name;
		char typeflag;
	} rows[] = {
		{ { .type = ENTRY_DIRECTORY, .path = (char *)"" }, "./", '5' },
		{ { .type = ENTRY_OPAQUE, .path = (char *)"" }, ".wh..wh..opq", '0' },
		{ { .type = ENTRY_WHITEOUT, .path = (char *)"gone" }, ".wh.gone", '0' },
		{ { .type = ENTRY_DIRECTORY, .path = (char *)"a/b" }, "a/b/", '5' },
		{ { .type = ENTRY_OPAQUE, .path = (char *)"a/b" }, "a/b/.wh..wh..opq", '0' },
		{ { .type = ENTRY_WHITEOUT, .path = (char *)"a/b/c" }, "a/b/.wh.c", '0' },
		{ { .type = ENTRY_SYMLINK, .path = (char *)"l", .link = (char *)"t" }, "l", '2' },
		{ { .type = ENTRY_HARDLINK, .path = (char *)"h", .link = (char *)"f" }, "h", '1' },
		{ { .type = ENTRY_CHAR_DEVICE, .path = (char *)"c" }, "c", '3' },
		{ { .type = ENTRY_BLOCK_DEVICE, .path = (char *)"d" }, "d", '4' },
		{ { .type = ENTRY_FIFO, .path = (char *)"p" }, "p", '6' },
	};
	const size_t count = sizeof(rows) / sizeof(*rows);

	for (size_t i = 0; i < count; i++)
		assert_int_equal(pack_entry(pack, &rows[i].entry, -1, &err), 0);
	assert_int_equal(pack_finish(pack, &err), 0);
	assert_int_equal(tar.len, (count + 2) * 512);
	for (size_t i = 0; i < count; i++) {
		check_sum(tar.data + 512 * i);
		assert_string_equal(tar.data + 512 * i, rows[i].name);
		assert_int_equal(tar.data[512 * i + 156], rows[i].typeflag);
	}
	pack_free(pack);
	sink_free(sink);
	strbuf_release(&tar);
}

static void reserved_names_are_refused(void **state)
{
	static const enum entry_type types[] = { ENTRY_FILE, ENTRY_DIRECTORY, ENTRY_SYMLINK,
						 ENTRY_WHITEOUT };
	struct strbuf tar = STRBUF_INIT;
	struct sink *sink = sink_to_strbuf(&tar);
	struct pack *pack = pack_new(sink);

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		struct entry entry = { .type = types[i], .path = (char *)"dir/.wh.x" };
		struct err err = ERR_INIT;

		assert_int_equal(pack_entry(pack, &entry, -1, &err), -1);
		assert_int_equal(err.kind, ERR_INPUT);
		assert_non_null(strstr(err.text, "'dir/.wh.x' cannot be stored in a layer"));
	}
	pack_free(pack);
	sink_free(sink);
	strbuf_release(&tar);
}

static int pack_one(uint64_t said, const void *data, size_t len, struct strbuf *tar,
		    struct err *err)
{
	struct entry entry = { .type = ENTRY_FILE, .path = (char *)"f", .size_bytes = said };
	struct sink *sink = sink_to_strbuf(tar);
	struct pack *pack = pack_new(sink);
	int fd = file_of(data, len);
	int r = pack_entry(pack, &entry, fd, err);

	if (r == 0)
		r = pack_finish(pack, err);
	close(fd);
	pack_free(pack);
	sink_free(sink);
	return r;
}

static void content_is_whole_and_padded(void **state)
{
	static const size_t sizes[] = { 0,
					1,
					511,
					512,
					513,
					256 * 1024 - 513,
					256 * 1024 - 512,
					256 * 1024 - 511,
					256 * 1024,
					1024 * 1024 - 1,
					1024 * 1024,
					3 * 1024 * 1024 + 7 };
	char *data = malloc(4 * 1024 * 1024);

	assert_non_null(data);
	for (size_t i = 0; i < 4 * 1024 * 1024; i++)
		data[i] = (char)(i * 7 + i / 251);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct strbuf tar = STRBUF_INIT;
		struct err err = ERR_INIT;
		size_t blocks = (sizes[i] + 511) / 512;

		assert_int_equal(pack_one(sizes[i], data, sizes[i], &tar, &err), 0);
		assert_int_equal(tar.len, (1 + blocks + 2) * 512);
		assert_memory_equal(tar.data + 512, data, sizes[i]);
		for (size_t at = 512 + sizes[i]; at < tar.len; at++)
			assert_int_equal(tar.data[at], 0);
		strbuf_release(&tar);
	}
	free(data);
}

static void a_file_that_changes_is_an_error(void **state)
{
	static const size_t sizes[] = { 10, 256 * 1024 - 512, 2 * 1024 * 1024 };
	char *data = calloc(1, 4 * 1024 * 1024);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct strbuf tar = STRBUF_INIT;
		struct err err = ERR_INIT;

		assert_int_equal(pack_one(sizes[i], data, sizes[i] + 1, &tar, &err), -1);
		assert_int_equal(err.kind, ERR_SYSTEM);
		assert_string_equal(err.text, "'f' grew while it was read");
		strbuf_truncate(&tar, 0);
		assert_int_equal(pack_one(sizes[i], data, sizes[i] - 1, &tar, &err), -1);
		assert_int_equal(err.kind, ERR_SYSTEM);
		assert_string_equal(err.text, "'f' shrank while it was read");
		strbuf_release(&tar);
	}
	free(data);
}

static void holes_are_zeros(void **state)
{
	struct entry entry = { .type = ENTRY_FILE, .path = (char *)"f", .size_bytes = 5u << 20 };
	struct strbuf tar = STRBUF_INIT;
	struct err err = ERR_INIT;
	struct sink *sink = sink_to_strbuf(&tar);
	struct pack *pack = pack_new(sink);
	int fd = file_of("", 0);

	assert_int_equal(ftruncate(fd, 5 << 20), 0);
	assert_int_equal(pwrite(fd, "start", 5, 0), 5);
	assert_int_equal(pwrite(fd, "middle", 6, 3000000), 6);
	assert_int_equal(pack_entry(pack, &entry, fd, &err), 0);
	assert_int_equal(pack_finish(pack, &err), 0);
	assert_int_equal(tar.len, 512 + (5 << 20) + 1024);
	assert_memory_equal(tar.data + 512, "start", 5);
	assert_memory_equal(tar.data + 512 + 3000000, "middle", 6);
	for (size_t i = 5; i < 5u << 20; i++)
		if (i < 3000000 || i >= 3000006)
			assert_int_equal(tar.data[512 + i], 0);
	pack_free(pack);
	sink_free(sink);
	close(fd);
	strbuf_release(&tar);
}

/* One tree with one digest, for ever: when this fails, every layer has another name. */
static void the_golden_tree_keeps_its_digest(void **state)
{
	char place[] = "/tmp/test-pack.XXXXXX";
	struct diff_options options = DIFF_OPTIONS_INIT;
	struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 1600000000, .tv_nsec = 7 } };
	struct pack_result result;
	struct err err = ERR_INIT;
	char name[DIGEST_NAME_MAX];
	int root;
	int fd;

	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(place));
	root = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(root, "d", 0755), 0);
	assert_int_equal(fchmodat(root, "d", 01755, 0), 0);
	fd = openat(root, "d/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, "hello\n", 6), 6);
	assert_int_equal(fchown(fd, 3000000, 7), 0);
	assert_int_equal(fchmod(fd, 04755), 0);
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
	assert_int_equal(linkat(root, "d/file", root, "a-link", 0), 0);
	assert_int_equal(symlinkat(LONG_100 "x", root, "sym"), 0);
	assert_int_equal(mkfifoat(root, "fifo", 0600), 0);
	assert_int_equal(utimensat(root, "fifo", times, 0), 0);
	assert_int_equal(utimensat(root, "sym", times, AT_SYMLINK_NOFOLLOW), 0);
	times[1].tv_sec = -1;
	assert_int_equal(utimensat(root, "d", times, 0), 0);
	assert_int_equal(futimens(root, times), 0);
	assert_int_equal(pack_upper(-1, root, &options, &result, &err), 0);
	assert_int_equal(result.entries, 6);
	assert_int_equal(result.content_bytes, 6);
	assert_string_equal(
		digest_name(&result.diff_id, name),
		"sha256:e714a1894b653f087a4306c4b4e9497295734aa9091ec7ea64746f63c6c25a51");
	assert_int_equal(tree_empty(root, &err), 0);
	close(root);
	rmdir(place);
}

static int other_content(void *context, const struct stat *st)
{
	const int *fd = context;

	return st->st_size == 6 && lseek(*fd, 0, SEEK_SET) == 0 ? *fd : -1;
}

static struct digest digest_with(int root, const struct diff_options *options)
{
	struct pack_result result;
	struct err err = ERR_INIT;

	assert_int_equal(pack_upper(-1, root, options, &result, &err), 0);
	return result.diff_id;
}

/* The layer is that of the descriptor that is given for a file. */
static void a_file_is_read_by_the_descriptor_given_for_it(void **state)
{
	char place[] = "/tmp/test-pack.XXXXXX";
	struct diff_options options = DIFF_OPTIONS_INIT;
	struct timespec times[2] = { { 5, 0 }, { 5, 0 } };
	struct digest wanted, got, plain;
	struct err err = ERR_INIT;
	int root, fd, other;

	assert_non_null(mkdtemp(place));
	root = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(root, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	other = memfd_create("other", MFD_CLOEXEC);
	assert_int_equal(write(other, "HELLO\n", 6), 6);
	assert_int_equal(write(fd, "HELLO\n", 6), 6);
	assert_int_equal(futimens(fd, times), 0);
	assert_int_equal(futimens(root, times), 0);
	wanted = digest_with(root, &options);
	assert_int_equal(pwrite(fd, "hello\n", 6, 0), 6);
	assert_int_equal(futimens(fd, times), 0);
	plain = digest_with(root, &options);
	options.content_of = other_content;
	options.content_context = &other;
	got = digest_with(root, &options);
	assert_true(digest_equal(&got, &wanted));
	assert_false(digest_equal(&got, &plain));
	assert_int_equal(ftruncate(fd, 5), 0); /* for this one there is none */
	assert_int_equal(futimens(fd, times), 0);
	got = digest_with(root, &options);
	options.content_of = NULL;
	plain = digest_with(root, &options);
	assert_true(digest_equal(&got, &plain));
	close(fd);
	close(other);
	assert_int_equal(tree_empty(root, &err), 0);
	close(root);
	rmdir(place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_file_is_one_block),
		cmocka_unit_test(names_of_100_bytes_fit),
		cmocka_unit_test(longer_names_get_a_record),
		cmocka_unit_test(a_cut_file_name_has_no_slash_at_its_end),
		cmocka_unit_test(records_are_sorted_and_raw),
		cmocka_unit_test(record_lengths_count_themselves),
		cmocka_unit_test(large_numbers_get_records),
		cmocka_unit_test(an_equals_sign_in_an_attribute_is_refused),
		cmocka_unit_test(an_empty_layer_has_its_known_digest),
		cmocka_unit_test(members_have_the_names_of_their_kind),
		cmocka_unit_test(reserved_names_are_refused),
		cmocka_unit_test(content_is_whole_and_padded),
		cmocka_unit_test(a_file_that_changes_is_an_error),
		cmocka_unit_test(holes_are_zeros),
		cmocka_unit_test(the_golden_tree_keeps_its_digest),
		cmocka_unit_test(a_file_is_read_by_the_descriptor_given_for_it),
	};

	return cmocka_run_group_tests_name("pack", tests, NULL, NULL);
}
