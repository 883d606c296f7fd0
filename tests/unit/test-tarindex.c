/* SPDX-License-Identifier: Apache-2.0 */
/* Finding files in a tar by name: dialects, links, damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fd.h"
#include "common/mem.h"
#include "layers/tarindex.h"

#define BLOCK 512

static void seal(char *header)
{
	unsigned sum = 0;

	memset(header + 148, ' ', 8);
	for (int i = 0; i < BLOCK; i++)
		sum += (unsigned char)header[i];
	snprintf(header + 148, 8, "%06o", sum);
}

/* One entry; content is text. */
static void add(struct strbuf *tar, char type, const char *name, const char *link,
		const char *content)
{
	char header[BLOCK] = { 0 };
	size_t len = content ? strlen(content) : 0;
	char zero[BLOCK] = { 0 };

	strncpy(header, name, 100);
	memcpy(header + 100, "0000644", 8);
	snprintf(header + 124, 12, "%011zo", len);
	header[156] = type;
	if (link)
		strncpy(header + 157, link, 100);
	memcpy(header + 257, "ustar\00000", 8);
	seal(header);
	strbuf_add(tar, header, BLOCK);
	if (len > 0) {
		strbuf_add(tar, content, len);
		strbuf_add(tar, zero, (BLOCK - len % BLOCK) % BLOCK);
	}
}

static void add_end(struct strbuf *tar)
{
	char zero[2 * BLOCK] = { 0 };

	strbuf_add(tar, zero, sizeof(zero));
}

static int file_of(const struct strbuf *tar)
{
	int fd = memfd_create("tar", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(fd_write_quiet(fd, tar->data, tar->len));
	return fd;
}

static void load(const struct strbuf *tar, struct tarindex *out)
{
	auto_close int fd = file_of(tar);
	struct err err = ERR_INIT;

	if (tarindex_load(fd, "t.tar", out, &err) < 0)
		fail_msg("%s", err.text);
}

static void must_hold(const struct strbuf *tar, const struct tarindex *index, const char *path,
		      const char *content)
{
	const struct tarindex_entry *entry = tarindex_find(index, path);

	if (!entry)
		fail_msg("'%s' is not found", path);
	assert_int_equal(entry->size_bytes, strlen(content));
	assert_memory_equal(tar->data + entry->offset, content, strlen(content));
}

static void files_are_found_by_any_spelling_of_their_name(void **state)
{
	auto_strbuf struct strbuf tar = STRBUF_INIT;
	auto_tarindex struct tarindex index = TARINDEX_INIT;

	add(&tar, '5', "a/", NULL, NULL);
	add(&tar, '0', "./a/one", NULL, "first");
	add(&tar, '\0', "/two", NULL, "second");
	add(&tar, '0', "empty", NULL, "");
	add(&tar, '0', "two", NULL, "second again");
	add_end(&tar);
	load(&tar, &index);
	must_hold(&tar, &index, "a/one", "first");
	must_hold(&tar, &index, "./a//one", "first");
	must_hold(&tar, &index, "a/../a/one", "first");
	must_hold(&tar, &index, "two", "second again");
	must_hold(&tar, &index, "empty", "");
	assert_null(tarindex_find(&index, "a"));
	assert_null(tarindex_find(&index, "three"));
	assert_null(tarindex_find(&index, "../two"));
	assert_null(tarindex_find(&index, ""));
	assert_int_equal(index.count, 3);
}

static void links_are_followed_inside_the_archive(void **state)
{
	auto_strbuf struct strbuf tar = STRBUF_INIT;
	auto_tarindex struct tarindex index = TARINDEX_INIT;

	add(&tar, '0', "x/layer.tar", NULL, "bytes");
	add(&tar, '2', "y/layer.tar", "../x/layer.tar", NULL);
	add(&tar, '2', "z/layer.tar", "../y/layer.tar", NULL);
	add(&tar, '1', "hard", "x/layer.tar", NULL);
	add(&tar, '2', "out", "../../etc/passwd", NULL);
	add(&tar, '2', "absolute", "/x/layer.tar", NULL);
	add(&tar, '2', "loop", "loop", NULL);
	add(&tar, '2', "none", "nothing", NULL);
	add_end(&tar);
	load(&tar, &index);
	must_hold(&tar, &index, "y/layer.tar", "bytes");
	must_hold(&tar, &index, "z/layer.tar", "bytes");
	must_hold(&tar, &index, "hard", "bytes");
	must_hold(&tar, &index, "absolute", "bytes");
	assert_null(tarindex_find(&index, "out"));
	assert_null(tarindex_find(&index, "loop"));
	assert_null(tarindex_find(&index, "none"));
}

static void long_names_of_both_kinds_are_read(void **state)
{
	auto_strbuf struct strbuf tar = STRBUF_INIT;
	auto_tarindex struct tarindex index = TARINDEX_INIT;
	char name[202];
	auto_free char *record = NULL;

	memset(name, 'n', 200);
	name[200] = '\0';
	add(&tar, 'L', "././@LongLink", NULL, name);
	add(&tar, '0', "short", NULL, "gnu");
	name[0] = 'p';
	record = str_format("210 path=%s\n9 size=3\n11 mtime=1\n", name);
	add(&tar, 'x', "PaxHeaders/x", NULL, record);
	add(&tar, '0', "short", NULL, "pax");
	add(&tar, 'K', "././@LongLink", NULL, name);
	add(&tar, '2', "link", "short", NULL);
	add(&tar, 'g', "pax_global_header", NULL, "20 comment=whatever\n");
	add(&tar, '0', "plain", NULL, "plain");
	add_end(&tar);
	load(&tar, &index);
	must_hold(&tar, &index, name, "pax");
	must_hold(&tar, &index, "link", "pax");
	name[0] = 'n';
	must_hold(&tar, &index, name, "gnu");
	must_hold(&tar, &index, "plain", "plain");
	assert_null(tarindex_find(&index, "short"));
}

static void a_tar_may_end_without_its_mark(void **state)
{
	auto_strbuf struct strbuf tar = STRBUF_INIT;
	auto_tarindex struct tarindex index = TARINDEX_INIT;

	add(&tar, '0', "one", NULL, "first");
	load(&tar, &index);
	must_hold(&tar, &index, "one", "first");
}

static void must_refuse(const struct strbuf *tar, const char *error)
{
	auto_close int fd = file_of(tar);
	struct tarindex index = TARINDEX_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(tarindex_load(fd, "t.tar", &index, &err), -1);
	assert_int_equal(err.kind, ERR_INPUT);
	assert_string_equal(err.text, error);
	assert_null(index.entries);
}

static void damage_is_refused_with_its_place(void **state)
{
	auto_strbuf struct strbuf tar = STRBUF_INIT;
	auto_free char *huge = NULL;

	must_refuse(&tar, "'t.tar' is cut off at byte 0");
	add(&tar, '0', "one", NULL, "first");
	strbuf_truncate(&tar, 300);
	must_refuse(&tar, "'t.tar' is cut off at byte 300");
	strbuf_truncate(&tar, 0);
	add(&tar, '0', "one", NULL, "first");
	add(&tar, '0', "two", NULL, "second");
	strbuf_truncate(&tar, 3 * BLOCK + 3);
	must_refuse(&tar, "'t.tar' is cut off: an entry at byte 1024 ends after it");
	tar.data[1024 + 20] ^= 1;
	must_refuse(&tar, "'t.tar': a damaged header at byte 1024");
	tar.data[20] ^= 1;
	must_refuse(&tar, "'t.tar': no tar header at byte 0");

	strbuf_truncate(&tar, 0);
	add(&tar, 'x', "x", NULL, "999 path=x\n");
	must_refuse(&tar, "'t.tar': a damaged PAX header at byte 0");
	strbuf_truncate(&tar, 0);
	add(&tar, 'x', "x", NULL, "10 size=-1\n");
	must_refuse(&tar, "'t.tar': a damaged PAX header at byte 0");
	strbuf_truncate(&tar, 0);
	add(&tar, 'x', "x", NULL, "11 size=-1\n");
	must_refuse(&tar, "'t.tar': a PAX size that is no number at byte 0");
	strbuf_truncate(&tar, 0);
	add(&tar, 'x', "x", NULL, "22 GNU.sparse.major=1\n");
	must_refuse(&tar, "'t.tar': a sparse file, which is not supported, at byte 0");
	strbuf_truncate(&tar, 0);
	huge = mem_alloc(5001);
	memset(huge, 'h', 5000);
	add(&tar, 'L', "long", NULL, huge);
	must_refuse(&tar, "'t.tar': a name of more than 4096 bytes at byte 0");
}

static void a_size_beyond_the_file_is_refused_in_every_notation(void **state)
{
	auto_strbuf struct strbuf tar = STRBUF_INIT;

	add(&tar, '0', "one", NULL, "first");
	memcpy(tar.data + 124, "77777777777", 12);
	seal(tar.data);
	must_refuse(&tar, "'t.tar' is cut off: an entry at byte 0 ends after it");
	memcpy(tar.data + 124, "\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 12);
	seal(tar.data);
	must_refuse(&tar, "'t.tar' is cut off: an entry at byte 0 ends after it");
	memcpy(tar.data + 124, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12);
	seal(tar.data);
	must_refuse(&tar, "'t.tar': no tar header at byte 0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_found_by_any_spelling_of_their_name),
		cmocka_unit_test(links_are_followed_inside_the_archive),
		cmocka_unit_test(long_names_of_both_kinds_are_read),
		cmocka_unit_test(a_tar_may_end_without_its_mark),
		cmocka_unit_test(damage_is_refused_with_its_place),
		cmocka_unit_test(a_size_beyond_the_file_is_refused_in_every_notation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
