/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacking: cuts at every byte, whole streams, errors of the source, telling a tar. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fd.h"
#include "common/tree.h"
#include "layers/unpack.h"

#define BLOCK 512

/* One header, and content if there is any. */
static void add_entry(struct strbuf *tar, const char *name, char type, const char *content)
{
	char block[BLOCK] = { 0 };
	size_t len = content ? strlen(content) : 0;
	unsigned sum = 0;

	snprintf(block, 100, "%s", name);
	memcpy(block + 100, type == '5' ? "0000755" : "0000644", 8);
	memcpy(block + 108, "0000000", 8);
	memcpy(block + 116, "0000000", 8);
	snprintf(block + 124, 12, "%011zo", len);
	memcpy(block + 136, "14000000000", 12);
	memset(block + 148, ' ', 8);
	block[156] = type;
	memcpy(block + 257,
	       "ustar\0"
	       "00",
	       8);
	for (size_t i = 0; i < BLOCK; i++)
		sum += (unsigned char)block[i];
	snprintf(block + 148, 8, "%06o", sum);
	strbuf_add(tar, block, BLOCK);
	if (len > 0) {
		memset(block, 0, BLOCK);
		memcpy(block, content, len);
		strbuf_add(tar, block, BLOCK);
	}
}

static void add_end(struct strbuf *tar)
{
	static const char zeros[2 * BLOCK];

	strbuf_add(tar, zeros, sizeof(zeros));
}

static char *top;
static int top_fd;

static int make_top(void **state)
{
	static char name[64];

	strcpy(name, "/tmp/test-unpack.XXXXXX");
	top = mkdtemp(name);
	top_fd = top ? open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	return top_fd < 0 ? -1 : 0;
}

static int remove_top(void **state)
{
	struct err err = ERR_INIT;

	if (tree_empty(top_fd, &err) < 0)
		return -1;
	fd_close(&top_fd);
	return rmdir(top);
}

/* As the one who runs the test. */
static int unpack_as_me(struct source *from, struct unpack_result *out, struct err *err)
{
	const struct unpack_options options = {
		.whiteouts = UNPACK_REFUSE,
		.ns = OVERLAY_USER,
		.owner = { .set = true, .uid = geteuid(), .gid = getegid() },
		.what = "a.tar",
	};

	return unpack_tar(from, top_fd, &options, out, err);
}

static int unpack_bytes(const char *data, size_t len, struct err *err)
{
	auto_source struct source *source = source_from_memory(data, len);
	struct unpack_result result;

	return unpack_as_me(source, &result, err);
}

static void a_cut_anywhere_is_told(void **state)
{
	auto_strbuf struct strbuf tar = STRBUF_INIT;
	struct err err = ERR_INIT;

	add_entry(&tar, "dir/", '5', NULL);
	add_entry(&tar, "dir/file", '0', "content");
	add_entry(&tar, "PaxHeaders/x", 'x', "20 path=longer/path\n");
	add_entry(&tar, "short", '0', "more");
	/* whole between entries: some writers leave the end mark out */
	for (size_t len = 0; len <= tar.len; len++) {
		bool is_whole = len == BLOCK || len == 3 * BLOCK || len == tar.len;
		int r;

		err_clear(&err);
		r = unpack_bytes(tar.data, len, &err);
		if (is_whole) {
			assert_int_equal(r, 0);
			continue;
		}
		assert_int_equal(r, -1);
		assert_int_equal(err.kind, ERR_INPUT);
		if (len == 0)
			assert_string_equal(err.text, "archive 'a.tar' is empty");
		else if (len < BLOCK)
			assert_string_equal(err.text, "'a.tar' is not a tar archive");
		else if (len > 2 * BLOCK && len < 3 * BLOCK)
			assert_string_equal(err.text,
					    "archive 'a.tar' ends in the middle of 'dir/file'");
		else if (len > 3 * BLOCK && len < 5 * BLOCK)
			assert_string_equal(err.text, "archive 'a.tar' ends in the middle of the "
						      "header after 'dir/file'");
		else if (len > 6 * BLOCK)
			assert_string_equal(err.text,
					    "archive 'a.tar' ends in the middle of 'longer/path'");
	}
	assert_int_equal(faccessat(top_fd, "longer/path", F_OK, 0), 0);
}

static void the_source_is_read_to_its_end(void **state)
{
	auto_strbuf struct strbuf tar = STRBUF_INIT;
	struct digest want, got;
	struct source_digest_options options = {
		.expect = &want,
		.out_digest = &got,
		.what = "blob",
	};
	auto_source struct source *source = NULL;
	auto_source struct source *other = NULL;
	struct unpack_result result;
	struct err err = ERR_INIT;

	add_entry(&tar, "file", '0', "content");
	add_end(&tar);
	for (int i = 0; i < 2000; i++)
		strbuf_puts(&tar,
			    "what follows the end mark is of the blob, though not of the tar");
	digest_of(tar.data, tar.len, &want);
	options.expect_len = tar.len;
	source = source_digest(source_from_memory(tar.data, tar.len), &options);
	assert_int_equal(unpack_as_me(source, &result, &err), 0);
	assert_true(digest_equal(&want, &got));
	assert_int_equal(result.entries, 1);
	assert_int_equal(result.content_bytes, 7);
	assert_false(result.has_implicit_parents);

	/* a wrong digest is found out though all entries were good */
	want.bytes[0] ^= 1;
	other = source_digest(source_from_memory(tar.data, tar.len), &options);
	assert_int_equal(unpack_as_me(other, &result, &err), -1);
	assert_int_equal(err.kind, ERR_INPUT);
	assert_non_null(strstr(err.text, "'blob' has the digest "));
}

struct failing_source {
	struct source source;
	struct strbuf *tar;
	size_t pos;
	size_t left;
};

static ssize_t failing_read(struct source *source, void *data, size_t len, struct err *err)
{
	struct failing_source *self = (struct failing_source *)source;

	if (self->left == 0)
		return err_set(err, ERR_REMOTE, "the connection broke");
	if (len > self->left)
		len = self->left;
	memcpy(data, self->tar->data + self->pos, len);
	self->pos += len;
	self->left -= len;
	return (ssize_t)len;
}

static void an_error_of_the_source_stays_as_it_is(void **state)
{
	auto_strbuf struct strbuf tar = STRBUF_INIT;
	struct unpack_result result;

	add_entry(&tar, "file", '0', "content");
	for (size_t left = 0; left <= tar.len; left += 128) {
		struct failing_source self = {
			.source = { .read = failing_read },
			.tar = &tar,
			.left = left,
		};
		struct err err = ERR_INIT;

		assert_int_equal(unpack_as_me(&self.source, &result, &err), -1);
		assert_string_equal(err.text, "the connection broke");
		assert_int_equal(err.kind, ERR_REMOTE);
	}
}

/* What libarchive passes over in silence or with a warning. */
static void unreadable_parts_are_errors(void **state)
{
	static const char *const records[] = {
		"19 path=longer/path\n",
		"x0 path=longer/path\n",
		"20 path longer/path\n",
		"20 =ath=longer/path\n",
	};

	for (size_t i = 0; i < sizeof(records) / sizeof(*records); i++) {
		auto_strbuf struct strbuf tar = STRBUF_INIT;
		struct err err = ERR_INIT;

		add_entry(&tar, "PaxHeaders/x", 'x', records[i]);
		add_entry(&tar, "short", '0', "more");
		add_end(&tar);
		assert_int_equal(unpack_bytes(tar.data, tar.len, &err), -1);
		assert_int_equal(err.kind, ERR_INPUT);
		assert_non_null(strstr(err.text, "archive 'a.tar' is damaged: "));
	}
}

static void global_records_and_volume_labels_are_passed_over(void **state)
{
	auto_strbuf struct strbuf tar = STRBUF_INIT;
	struct err err = ERR_INIT;

	add_entry(&tar, "label", 'V', NULL);
	add_entry(&tar, "pax_global_header", 'g', "19 comment=abcdefg\n");
	add_entry(&tar, "after-global", '0', "more");
	add_end(&tar);
	assert_int_equal(unpack_bytes(tar.data, tar.len, &err), 0);
	assert_int_equal(faccessat(top_fd, "after-global", F_OK, 0), 0);
	assert_int_equal(faccessat(top_fd, "label", F_OK, 0), -1);
}

static void types_that_cannot_be_made_are_refused(void **state)
{
	auto_strbuf struct strbuf part = STRBUF_INIT;
	struct err err = ERR_INIT;

	add_entry(&part, "rest", 'M', "rest of a file");
	add_end(&part);
	assert_int_equal(unpack_bytes(part.data, part.len, &err), -1);
	assert_int_equal(err.kind, ERR_INPUT);
	assert_string_equal(err.text,
			    "archive 'a.tar': entry 'rest' is of a type that cannot be unpacked");
}

static void a_layer_needs_an_empty_directory(void **state)
{
	const struct unpack_options options = {
		.whiteouts = UNPACK_TO_OVERLAY,
		.ns = OVERLAY_USER,
		.what = "a.tar",
	};
	auto_strbuf struct strbuf tar = STRBUF_INIT;
	auto_source struct source *source = NULL;
	struct unpack_result result;
	struct err err = ERR_INIT;

	assert_int_equal(mkdirat(top_fd, "there", 0700), 0);
	add_end(&tar);
	source = source_from_memory(tar.data, tar.len);
	assert_int_equal(unpack_tar(source, top_fd, &options, &result, &err), -1);
	assert_int_equal(err.kind, ERR_BUG);
	assert_string_equal(
		err.text, "archive 'a.tar': a layer is to be unpacked where something is already");
}

static void a_tar_is_told_by_its_header(void **state)
{
	auto_strbuf struct strbuf tar = STRBUF_INIT;
	char zeros[BLOCK] = { 0 };

	add_entry(&tar, "file", '0', "content");
	assert_true(unpack_is_tar(tar.data, tar.len));
	assert_true(unpack_is_tar(tar.data, BLOCK));
	assert_false(unpack_is_tar(tar.data, BLOCK - 1));
	assert_false(unpack_is_tar(tar.data + BLOCK, BLOCK));
	assert_false(unpack_is_tar(zeros, BLOCK));
	tar.data[0] ^= 1;
	assert_false(unpack_is_tar(tar.data, BLOCK));
	tar.data[0] ^= 1;
	/* blanks before the digits, as some write them, and a sum of signed bytes */
	memcpy(tar.data + 148, "        ", 8);
	assert_false(unpack_is_tar(tar.data, BLOCK));
}

static void old_sums_of_signed_bytes_are_known(void **state)
{
	auto_strbuf struct strbuf tar = STRBUF_INIT;
	struct err err = ERR_INIT;
	int sum = 0;

	add_entry(&tar, "f\xe9", '0', "content");
	add_end(&tar);
	memset(tar.data + 148, ' ', 8);
	for (size_t i = 0; i < BLOCK; i++)
		sum += (signed char)tar.data[i];
	snprintf(tar.data + 148, 8, "%06o", (unsigned)sum);
	assert_true(unpack_is_tar(tar.data, BLOCK));
	assert_int_equal(unpack_bytes(tar.data, tar.len, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_cut_anywhere_is_told, make_top, remove_top),
		cmocka_unit_test_setup_teardown(the_source_is_read_to_its_end, make_top,
						remove_top),
		cmocka_unit_test_setup_teardown(an_error_of_the_source_stays_as_it_is, make_top,
						remove_top),
		cmocka_unit_test_setup_teardown(unreadable_parts_are_errors, make_top, remove_top),
		cmocka_unit_test_setup_teardown(global_records_and_volume_labels_are_passed_over,
						make_top, remove_top),
		cmocka_unit_test_setup_teardown(types_that_cannot_be_made_are_refused, make_top,
						remove_top),
		cmocka_unit_test_setup_teardown(a_layer_needs_an_empty_directory, make_top,
						remove_top),
		cmocka_unit_test(a_tar_is_told_by_its_header),
		cmocka_unit_test_setup_teardown(old_sums_of_signed_bytes_are_known, make_top,
						remove_top),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
