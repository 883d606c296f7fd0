/* SPDX-License-Identifier: Apache-2.0 */
/* Codecs: round trips, members and frames in a row, streams cut and damaged, stable bytes. */
#include <config.h>

#include <dirent.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#ifdef HAVE_ISAL
#include <isa-l.h>
#endif

#include <cmocka.h>

#include "common/mem.h"
#include "layers/codec.h"
#include "layers/codec-internal.h"

/* Text that compresses to about a half, the same on every host. */
static void make_text(struct strbuf *out, size_t len)
{
	uint32_t x = 12345;

	while (out->len < len) {
		x = x * 1664525 + 1013904223;
		strbuf_printf(out, "/usr/share/doc/%u/line %u\n", x >> 24, x >> 8);
	}
	strbuf_truncate(out, len);
}

static void make_noise(struct strbuf *out, size_t len)
{
	uint32_t x = 1;

	while (out->len < len) {
		x = x * 1664525 + 1013904223;
		strbuf_putc(out, (char)(x >> 24));
	}
}

/* Written in pieces of @piece bytes. */
static void pack_into(enum codec codec, int level, const struct strbuf *in, size_t piece,
		      struct strbuf *out)
{
	struct err err = ERR_INIT;
	auto_sink struct sink *sink = codec_compress(sink_to_strbuf(out), codec, level, &err);

	assert_non_null(sink);
	for (size_t pos = 0; pos < in->len; pos += piece) {
		size_t n = in->len - pos < piece ? in->len - pos : piece;

		assert_int_equal(sink_write(sink, in->data + pos, n, &err), 0);
	}
	assert_int_equal(sink_finish(sink, &err), 0);
}

/* Gives its bytes one by one. */
struct slow_source {
	struct source source;
	const char *data;
	size_t left;
};

static ssize_t slow_read(struct source *source, void *data, size_t len, struct err *err)
{
	struct slow_source *self = (struct slow_source *)source;

	if (self->left == 0 || len == 0)
		return 0;
	*(char *)data = *self->data++;
	self->left--;
	return 1;
}

static void slow_free(struct source *source)
{
	free(source);
}

static struct source *slow_source(const struct strbuf *in)
{
	struct slow_source *self = mem_alloc(sizeof(*self));

	self->source = (struct source){ .read = slow_read, .free = slow_free };
	self->data = in->data;
	self->left = in->len;
	return &self->source;
}

static int read_all(struct source *source, struct strbuf *out, size_t piece, struct err *err)
{
	auto_source struct source *from = source;

	for (;;) {
		ssize_t n;

		strbuf_reserve(out, piece);
		n = source_read(from, out->data + out->len, piece, err);
		if (n < 0)
			return -1;
		if (n == 0)
			return 0;
		out->len += (size_t)n;
		out->data[out->len] = '\0';
	}
}

static int decompress(const struct strbuf *in, enum codec codec, struct strbuf *out,
		      struct err *err)
{
	struct source *source =
		codec_decompress(source_from_memory(in->data, in->len), codec, "blob", err);

	assert_non_null(source);
	return read_all(source, out, 65536, err);
}

static void assert_same(const struct strbuf *a, const struct strbuf *b)
{
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->data, b->data, a->len);
}

static void round_trip(enum codec codec, int level, const struct strbuf *plain)
{
	auto_strbuf struct strbuf packed = STRBUF_INIT;
	auto_strbuf struct strbuf again = STRBUF_INIT;
	auto_strbuf struct strbuf got = STRBUF_INIT;
	struct err err = ERR_INIT;
	enum codec found;

	pack_into(codec, level, plain, 100000, &packed);
	pack_into(codec, level, plain, 3333333, &again);
	assert_same(&packed, &again);
	assert_int_equal(decompress(&packed, codec, &got, &err), 0);
	assert_same(plain, &got);
	strbuf_truncate(&got, 0);
	assert_int_equal(read_all(codec_decompress_any(source_from_memory(packed.data, packed.len),
						       "blob", &found, &err),
				  &got, 1000, &err),
			 0);
	assert_int_equal(found, codec);
	assert_same(plain, &got);
}

static void every_level_gives_back_what_it_got(void **state)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	auto_strbuf struct strbuf noise = STRBUF_INIT;
	auto_strbuf struct strbuf nothing = STRBUF_INIT;

	make_text(&text, 3 * DEFLATE_CHUNK_BYTES + 77);
	make_noise(&noise, 2 * DEFLATE_CHUNK_BYTES);
	for (int level = 0; level <= 9; level++) {
		round_trip(CODEC_GZIP, level, &text);
		round_trip(CODEC_GZIP, level, &noise);
		round_trip(CODEC_GZIP, level, &nothing);
	}
	for (int level = 1; level <= 7; level += 2) {
		round_trip(CODEC_ZSTD, level, &text);
		round_trip(CODEC_ZSTD, level, &noise);
		round_trip(CODEC_ZSTD, level, &nothing);
	}
}

static void sizes_around_a_chunk(void **state)
{
	for (int d = -1; d <= 1; d++) {
		for (size_t chunks = 1; chunks <= 12; chunks += 11) {
			auto_strbuf struct strbuf text = STRBUF_INIT;

			make_text(&text, chunks * DEFLATE_CHUNK_BYTES + (size_t)d);
			round_trip(CODEC_GZIP, 1, &text);
		}
	}
}

/* Into memory that the stages themselves have, with a write from elsewhere now and then. */
static void pack_into_room(enum codec codec, const struct strbuf *in, struct strbuf *out)
{
	struct err err = ERR_INIT;
	struct digest digest;
	struct digest want;
	auto_sink struct sink *sink =
		codec_compress(sink_to_strbuf(out), codec, CODEC_LEVEL_DEFAULT, &err);
	size_t n;

	sink = sink_digest(sink, &digest, NULL);
	for (size_t pos = 0; pos < in->len; pos += n) {
		size_t room;
		char *to;

		n = in->len - pos < 200000 ? in->len - pos : 200000;
		if (pos % 3 == 0) {
			assert_int_equal(sink_write(sink, in->data + pos, n, &err), 0);
			continue;
		}
		assert_int_equal(sink_room(sink, &to, &room, &err), 0);
		assert_non_null(to);
		assert_true(room > 0);
		n = room < n ? room : n;
		memcpy(to, in->data + pos, n);
		assert_int_equal(sink_write(sink, to, n, &err), 0);
	}
	assert_int_equal(sink_finish(sink, &err), 0);
	digest_of(in->data, in->len, &want);
	assert_true(digest_equal(&digest, &want));
}

static void what_is_put_into_a_stage_itself_is_the_same(void **state)
{
	static const enum codec codecs[] = { CODEC_GZIP, CODEC_NONE };
	auto_strbuf struct strbuf text = STRBUF_INIT;

	make_text(&text, 11 * DEFLATE_CHUNK_BYTES);
	for (size_t c = 0; c < 2; c++) {
		auto_strbuf struct strbuf written = STRBUF_INIT;
		auto_strbuf struct strbuf put = STRBUF_INIT;

		pack_into(codecs[c], CODEC_LEVEL_DEFAULT, &text, 65536, &written);
		pack_into_room(codecs[c], &text, &put);
		assert_same(&written, &put);
	}
}

static void one_processor_writes_the_same_bytes(void **state)
{
	static const enum codec codecs[] = { CODEC_GZIP, CODEC_ZSTD };
	auto_strbuf struct strbuf text = STRBUF_INIT;
	cpu_set_t all, one;

	make_text(&text, 9 * DEFLATE_CHUNK_BYTES);
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	for (int cpu = 0; CPU_COUNT(&one) == 0; cpu++) {
		if (CPU_ISSET(cpu, &all))
			CPU_SET(cpu, &one);
	}
	for (size_t c = 0; c < 2; c++) {
		auto_strbuf struct strbuf by_all = STRBUF_INIT;
		auto_strbuf struct strbuf by_one = STRBUF_INIT;

		pack_into(codecs[c], 1, &text, 65536, &by_all);
		assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
		pack_into(codecs[c], 1, &text, 65536, &by_one);
		assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
		assert_same(&by_all, &by_one);
	}
}

static void the_header_tells_nothing(void **state)
{
	auto_strbuf struct strbuf plain = STRBUF_INIT;
	auto_strbuf struct strbuf packed = STRBUF_INIT;

	strbuf_puts(&plain, "x");
	pack_into(CODEC_GZIP, CODEC_LEVEL_DEFAULT, &plain, 1, &packed);
	assert_memory_equal(packed.data, "\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
}

/* Other library versions may write other bytes, so that these hold for those named only. */
static void golden_bytes(void **state)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	auto_strbuf struct strbuf packed = STRBUF_INIT;
	struct digest digest;
	char name[DIGEST_NAME_MAX];

	make_text(&text, 5000000);
	if (strcmp(zlibVersion(), "1.2.13") == 0) {
		pack_into(CODEC_GZIP, 6, &text, 65536, &packed);
		digest_of(packed.data, packed.len, &digest);
		assert_string_equal(
			digest_name(&digest, name),
			"sha256:d13c7f61f43a7c139827c994c37d366cf94b1e90bb6ed375c49b7ec4807409da");
	}
#if defined(HAVE_ISAL) && defined(__x86_64__) && ISAL_MAJOR_VERSION == 2 && ISAL_MINOR_VERSION == 30
	if (__builtin_cpu_supports("sse4.2")) {
		strbuf_truncate(&packed, 0);
		pack_into(CODEC_GZIP, 1, &text, 65536, &packed);
		digest_of(packed.data, packed.len, &digest);
		assert_string_equal(
			digest_name(&digest, name),
			"sha256:81dec2aec972617bdc58887c3fd13b439afc187b576b70a1e12899518b6b8727");
	}
#endif
}

static void gunzip_both(const struct strbuf *in, int want, struct strbuf *out, struct err *err)
{
	struct err other = ERR_INIT;
	int got = read_all(codec_gunzip(slow_source(in), "blob"), out, 7, err);

	assert_int_equal(got, want);
	strbuf_truncate(out, 0);
	got = read_all(
		codec_gunzip_with(source_from_memory(in->data, in->len), "blob", &inflate_by_zlib),
		out, 65536, &other);
	assert_int_equal(got, want);
	assert_int_equal(other.kind, err->kind);
	strbuf_truncate(out, 0);
	err_clear(err);
	got = read_all(codec_gunzip(source_from_memory(in->data, in->len), "blob"), out, 65536,
		       err);
	assert_int_equal(got, want);
}

static void members_in_a_row_are_one_stream(void **state)
{
	auto_strbuf struct strbuf one = STRBUF_INIT;
	auto_strbuf struct strbuf packed = STRBUF_INIT;
	auto_strbuf struct strbuf got = STRBUF_INIT;
	struct err err = ERR_INIT;

	strbuf_puts(&one, "one ");
	pack_into(CODEC_GZIP, 1, &one, 4, &packed);
	pack_into(CODEC_GZIP, 9, &one, 4, &packed);
	strbuf_truncate(&one, 0);
	pack_into(CODEC_GZIP, 1, &one, 4, &packed);
	strbuf_puts(&one, "end");
	pack_into(CODEC_GZIP, 1, &one, 4, &packed);
	gunzip_both(&packed, 0, &got, &err);
	assert_string_equal(got.data, "one one end");

	strbuf_add(&packed, "\0\0\0\0", 4);
	gunzip_both(&packed, 0, &got, &err);
	assert_string_equal(got.data, "one one end");

	strbuf_puts(&packed, "x");
	gunzip_both(&packed, -1, &got, &err);
	assert_int_equal(err.kind, ERR_INPUT);
	assert_string_equal(err.text, "'blob' is damaged: gzip: other data follows its end");
}

static void garbage_after_a_member_is_refused(void **state)
{
	auto_strbuf struct strbuf one = STRBUF_INIT;
	auto_strbuf struct strbuf packed = STRBUF_INIT;
	auto_strbuf struct strbuf got = STRBUF_INIT;
	struct err err = ERR_INIT;

	strbuf_puts(&one, "one");
	pack_into(CODEC_GZIP, 1, &one, 4, &packed);
	strbuf_puts(&packed, "garbage after");
	gunzip_both(&packed, -1, &got, &err);
	assert_int_equal(err.kind, ERR_INPUT);
	assert_string_equal(err.text, "'blob' is damaged: gzip: other data follows its end");
}

/* Every optional field of a header, its checksum right and wrong. */
static void optional_header_fields_are_skipped(void **state)
{
	auto_strbuf struct strbuf plain = STRBUF_INIT;
	auto_strbuf struct strbuf packed = STRBUF_INIT;
	auto_strbuf struct strbuf full = STRBUF_INIT;
	auto_strbuf struct strbuf got = STRBUF_INIT;
	struct err err = ERR_INIT;
	uint32_t crc;

	strbuf_puts(&plain, "content");
	pack_into(CODEC_GZIP, 1, &plain, 100, &packed);
	strbuf_add(&full,
		   "\x1f\x8b\x08\x1e"
		   "\1\2\3\4\0\3"
		   "\5\0hello"
		   "name\0"
		   "comment",
		   29);
	strbuf_add(&full, "", 1);
	crc = (uint32_t)crc32(0, (const Bytef *)full.data, (uInt)full.len);
	strbuf_putc(&full, (char)crc);
	strbuf_putc(&full, (char)(crc >> 8));
	strbuf_add(&full, packed.data + 10, packed.len - 10);
	gunzip_both(&full, 0, &got, &err);
	assert_string_equal(got.data, "content");

	full.data[13] ^= 1;
	gunzip_both(&full, -1, &got, &err);
	assert_string_equal(err.text, "'blob' is damaged: gzip: wrong checksum of the header");
}

static void a_stream_cut_anywhere_is_refused(void **state)
{
	static const enum codec codecs[] = { CODEC_GZIP, CODEC_ZSTD };
	auto_strbuf struct strbuf plain = STRBUF_INIT;

	make_text(&plain, 1500);
	for (size_t c = 0; c < 2; c++) {
		auto_strbuf struct strbuf packed = STRBUF_INIT;
		auto_strbuf struct strbuf got = STRBUF_INIT;
		size_t whole;

		pack_into(codecs[c], CODEC_LEVEL_DEFAULT, &plain, 1500, &packed);
		whole = packed.len;
		for (size_t len = 0; len < whole; len++) {
			struct err err = ERR_INIT;

			packed.len = len;
			strbuf_truncate(&got, 0);
			assert_int_equal(decompress(&packed, codecs[c], &got, &err), -1);
			assert_int_equal(err.kind, ERR_INPUT);
			assert_string_equal(err.text,
					    "'blob' ends in the middle of its compressed data");
			if (codecs[c] == CODEC_GZIP)
				gunzip_both(&packed, -1, &got, &err);
			assert_int_equal(err.kind, ERR_INPUT);
		}
		packed.len = whole;
	}
}

/* A changed byte is found, or (in a header's free fields) changes nothing. */
static void a_changed_byte_is_never_wrong_content(void **state)
{
	static const enum codec codecs[] = { CODEC_GZIP, CODEC_ZSTD };
	auto_strbuf struct strbuf plain = STRBUF_INIT;

	make_text(&plain, 1500);
	for (size_t c = 0; c < 2; c++) {
		auto_strbuf struct strbuf packed = STRBUF_INIT;
		auto_strbuf struct strbuf got = STRBUF_INIT;
		size_t found = 0;

		pack_into(codecs[c], CODEC_LEVEL_DEFAULT, &plain, 1500, &packed);
		for (size_t pos = 0; pos < packed.len; pos++) {
			struct err err = ERR_INIT;

			packed.data[pos] ^= 0x04;
			strbuf_truncate(&got, 0);
			if (decompress(&packed, codecs[c], &got, &err) < 0) {
				assert_int_equal(err.kind, ERR_INPUT);
				found++;
			} else {
				assert_same(&plain, &got);
			}
			packed.data[pos] ^= 0x04;
		}
		assert_true(found > packed.len - 10);
	}
}

static void a_wrong_checksum_says_so(void **state)
{
	auto_strbuf struct strbuf plain = STRBUF_INIT;
	auto_strbuf struct strbuf packed = STRBUF_INIT;
	auto_strbuf struct strbuf got = STRBUF_INIT;
	struct err err = ERR_INIT;

	strbuf_puts(&plain, "content");
	pack_into(CODEC_GZIP, 1, &plain, 100, &packed);
	packed.data[packed.len - 8] ^= 1;
	gunzip_both(&packed, -1, &got, &err);
	assert_int_equal(err.kind, ERR_INPUT);
#ifdef HAVE_ISAL
	assert_string_equal(err.text, "'blob' is damaged: gzip: wrong checksum or length");
#endif
	packed.data[packed.len - 8] ^= 1;
	packed.data[packed.len - 1] ^= 1;
	gunzip_both(&packed, -1, &got, &err);
	assert_int_equal(err.kind, ERR_INPUT);
}

static void frames_in_a_row_are_one_stream(void **state)
{
	auto_strbuf struct strbuf one = STRBUF_INIT;
	auto_strbuf struct strbuf packed = STRBUF_INIT;
	auto_strbuf struct strbuf got = STRBUF_INIT;
	struct err err = ERR_INIT;

	strbuf_puts(&one, "one ");
	strbuf_add(&packed, "\x50\x2a\x4d\x18\3\0\0\0abc", 11);
	pack_into(CODEC_ZSTD, 3, &one, 4, &packed);
	pack_into(CODEC_ZSTD, 9, &one, 4, &packed);
	assert_int_equal(codec_detect(packed.data, packed.len), CODEC_ZSTD);
	assert_int_equal(decompress(&packed, CODEC_ZSTD, &got, &err), 0);
	assert_string_equal(got.data, "one one ");

	strbuf_puts(&packed, "more than four");
	strbuf_truncate(&got, 0);
	assert_int_equal(decompress(&packed, CODEC_ZSTD, &got, &err), -1);
	assert_int_equal(err.kind, ERR_INPUT);
	assert_non_null(strstr(err.text, "'blob' is damaged: zstd: "));
}

/* A frame that promises eight bytes, then an empty last block behind a first one of @have bytes. */
static void make_frame(struct strbuf *out, const char *have)
{
	size_t len = strlen(have);

	strbuf_truncate(out, 0);
	strbuf_add(out, "\x28\xb5\x2f\xfd\x20\x08", 6);
	strbuf_putc(out, (char)(len << 3));
	strbuf_add(out, "\0\0", 2);
	strbuf_puts(out, have);
	strbuf_add(out, "\1\0\0", 3);
}

static void a_frame_gives_what_its_header_promises(void **state)
{
	static const char *const haves[] = { "eight by", "seven b", "" };
	auto_strbuf struct strbuf packed = STRBUF_INIT;

	for (size_t i = 0; i < 3; i++) {
		auto_strbuf struct strbuf got = STRBUF_INIT;
		struct err err = ERR_INIT;
		int want = i == 0 ? 0 : -1;

		make_frame(&packed, haves[i]);
		assert_int_equal(decompress(&packed, CODEC_ZSTD, &got, &err), want);
		strbuf_truncate(&got, 0);
		assert_int_equal(
			read_all(codec_unzstd(slow_source(&packed), "blob"), &got, 100, &err),
			want);
		if (i == 0)
			assert_string_equal(got.data, "eight by");
		else
			assert_string_equal(err.text, "'blob' is damaged: zstd: a frame has "
						      "another size than its header says");
	}
}

static const unsigned char hello_bz2[] = { 0x42, 0x5a, 0x68, 0x39, 0x31, 0x41, 0x59, 0x26, 0x53,
					   0x59, 0xc1, 0xc0, 0x80, 0xe2, 0x00, 0x00, 0x01, 0x41,
					   0x00, 0x00, 0x10, 0x02, 0x44, 0xa0, 0x00, 0x30, 0xcd,
					   0x00, 0xc3, 0x46, 0x29, 0x97, 0x17, 0x72, 0x45, 0x38,
					   0x50, 0x90, 0xc1, 0xc0, 0x80, 0xe2 };
static const unsigned char hello_xz[] = {
	0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x04, 0xe6, 0xd6, 0xb4, 0x46, 0x02,
	0x00, 0x21, 0x01, 0x0c, 0x00, 0x00, 0x00, 0x8f, 0x98, 0x41, 0x9c, 0x01, 0x00,
	0x05, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x0a, 0x00, 0x00, 0x00, 0xa5, 0x60, 0x97,
	0xf1, 0x94, 0xf6, 0xfd, 0xe0, 0x00, 0x01, 0x1e, 0x06, 0xc1, 0x2f, 0xa4, 0x1d,
	0x1f, 0xb6, 0xf3, 0x7d, 0x01, 0x00, 0x00, 0x00, 0x00, 0x04, 0x59, 0x5a
};

/* Formats that are read only, in whole, twice in a row, cut, damaged, or not built in. */
static void check_read_only(enum codec codec, const unsigned char *data, size_t len, bool built_in)
{
	auto_strbuf struct strbuf packed = STRBUF_INIT;
	auto_strbuf struct strbuf got = STRBUF_INIT;
	struct err err = ERR_INIT;
	char want[80];

	strbuf_add(&packed, data, len);
	assert_int_equal(codec_detect(packed.data, packed.len), codec);
	if (!built_in) {
		assert_null(codec_decompress(source_from_memory(data, len), codec, "blob", &err));
		assert_int_equal(err.kind, ERR_INPUT);
		snprintf(want, sizeof(want), "'blob' is %s data, which this build cannot read",
			 codec_name(codec));
		assert_non_null(strstr(err.text, want));
		return;
	}
	strbuf_add(&packed, data, len);
	assert_int_equal(decompress(&packed, codec, &got, &err), 0);
	assert_string_equal(got.data, "hello\nhello\n");
	for (size_t cut = 0; cut < len; cut++) {
		strbuf_truncate(&got, 0);
		packed.len = cut;
		assert_int_equal(decompress(&packed, codec, &got, &err), -1);
		assert_string_equal(err.text, "'blob' ends in the middle of its compressed data");
	}
	packed.len = len;
	packed.data[len / 2] ^= 0x10;
	strbuf_truncate(&got, 0);
	assert_int_equal(decompress(&packed, codec, &got, &err), -1);
	assert_int_equal(err.kind, ERR_INPUT);
	assert_non_null(strstr(err.text, "'blob' is damaged: "));
}

static void bzip2_and_xz_are_read(void **state)
{
#ifdef HAVE_BZIP2
	check_read_only(CODEC_BZIP2, hello_bz2, sizeof(hello_bz2), true);
#else
	check_read_only(CODEC_BZIP2, hello_bz2, sizeof(hello_bz2), false);
#endif
#ifdef HAVE_LZMA
	check_read_only(CODEC_XZ, hello_xz, sizeof(hello_xz), true);
#else
	check_read_only(CODEC_XZ, hello_xz, sizeof(hello_xz), false);
#endif
}

static void names_and_magics(void **state)
{
	struct err err = ERR_INIT;
	enum codec codec = CODEC_NONE;

	assert_int_equal(codec_parse("zstd", &codec, &err), 0);
	assert_int_equal(codec, CODEC_ZSTD);
	assert_int_equal(codec_parse("uncompressed", &codec, &err), 0);
	assert_int_equal(codec, CODEC_NONE);
	assert_int_equal(codec_parse("lz4", &codec, &err), -1);
	assert_int_equal(err.kind, ERR_USAGE);
	assert_string_equal(err.text,
			    "unknown compression 'lz4' (known: none, gzip, zstd, bzip2, xz)");
	assert_int_equal(codec_detect("\x1f\x8b\x08\0\0", 5), CODEC_NONE);
	assert_int_equal(codec_detect("\x1f\x8b\x08\0\0\0", 6), CODEC_GZIP);
	assert_int_equal(codec_detect("BZh0..", 6), CODEC_NONE);
	assert_int_equal(codec_detect("plain text", 10), CODEC_NONE);
}

static void plain_data_passes_unchanged(void **state)
{
	auto_strbuf struct strbuf got = STRBUF_INIT;
	struct err err = ERR_INIT;
	enum codec codec = CODEC_GZIP;

	assert_int_equal(
		read_all(codec_decompress_any(source_from_memory("tiny", 4), "blob", &codec, &err),
			 &got, 10, &err),
		0);
	assert_int_equal(codec, CODEC_NONE);
	assert_string_equal(got.data, "tiny");
}

static void levels_out_of_range_are_refused(void **state)
{
	struct err err = ERR_INIT;

	assert_null(codec_compress(sink_to_nothing(), CODEC_GZIP, 10, &err));
	assert_int_equal(err.kind, ERR_USAGE);
	assert_string_equal(err.text, "gzip has no compression level 10 (0 to 9)");
	assert_null(codec_compress(sink_to_nothing(), CODEC_ZSTD, 23, &err));
	assert_string_equal(err.text, "zstd has no compression level 23 (0 to 22)");
	assert_null(codec_compress(sink_to_nothing(), CODEC_XZ, 1, &err));
	assert_string_equal(err.text, "layers are not written with xz (known: none, gzip, zstd)");
}

struct failing_sink {
	struct sink sink;
	size_t left;
};

static int failing_write(struct sink *sink, const void *data, size_t len, struct err *err)
{
	struct failing_sink *self = (struct failing_sink *)sink;

	if (len > self->left)
		return err_set(err, ERR_SYSTEM, "full");
	self->left -= len;
	return 0;
}

static int failing_finish(struct sink *sink, struct err *err)
{
	return 0;
}

static void failing_free(struct sink *sink)
{
	free(sink);
}

static void a_full_disk_stops_it(void **state)
{
	static const enum codec codecs[] = { CODEC_GZIP, CODEC_ZSTD, CODEC_NONE };
	auto_strbuf struct strbuf noise = STRBUF_INIT;

	make_noise(&noise, 24 * DEFLATE_CHUNK_BYTES);
	for (size_t c = 0; c < 3; c++) {
		struct failing_sink *full = mem_alloc(sizeof(*full));
		struct err err = ERR_INIT;
		auto_sink struct sink *sink = NULL;
		int r;

		full->sink = (struct sink){
			.write = failing_write,
			.finish = failing_finish,
			.free = failing_free,
		};
		full->left = 2 * DEFLATE_CHUNK_BYTES;
		sink = codec_compress(&full->sink, codecs[c], CODEC_LEVEL_DEFAULT, &err);
		r = sink_write(sink, noise.data, noise.len, &err);
		if (r == 0)
			r = sink_finish(sink, &err);
		assert_int_equal(r, -1);
		assert_string_equal(err.text, "full");
	}
}

static size_t count_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	size_t count = 0;

	assert_non_null(dir);
	for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

static void what_is_given_up_ends(void **state)
{
	static const enum codec codecs[] = { CODEC_GZIP, CODEC_ZSTD, CODEC_NONE };
	auto_strbuf struct strbuf noise = STRBUF_INIT;
	size_t threads = count_threads();

	make_noise(&noise, 24 * DEFLATE_CHUNK_BYTES);
	for (size_t c = 0; c < 3; c++) {
		for (size_t chunks = 0; chunks <= 24; chunks += 6) {
			auto_strbuf struct strbuf packed = STRBUF_INIT;
			struct err err = ERR_INIT;
			struct sink *sink = codec_compress(sink_to_strbuf(&packed), codecs[c],
							   CODEC_LEVEL_DEFAULT, &err);

			assert_int_equal(
				sink_write(sink, noise.data, chunks * DEFLATE_CHUNK_BYTES, &err),
				0);
			sink_free(sink);
			/* one that was waited for is to be seen for a moment more */
			for (int i = 0; i < 1000 && count_threads() > threads; i++)
				usleep(1000);
			assert_int_equal(count_threads(), threads);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_level_gives_back_what_it_got),
		cmocka_unit_test(sizes_around_a_chunk),
		cmocka_unit_test(what_is_put_into_a_stage_itself_is_the_same),
		cmocka_unit_test(one_processor_writes_the_same_bytes),
		cmocka_unit_test(the_header_tells_nothing),
		cmocka_unit_test(golden_bytes),
		cmocka_unit_test(members_in_a_row_are_one_stream),
		cmocka_unit_test(garbage_after_a_member_is_refused),
		cmocka_unit_test(optional_header_fields_are_skipped),
		cmocka_unit_test(a_stream_cut_anywhere_is_refused),
		cmocka_unit_test(a_changed_byte_is_never_wrong_content),
		cmocka_unit_test(a_wrong_checksum_says_so),
		cmocka_unit_test(frames_in_a_row_are_one_stream),
		cmocka_unit_test(a_frame_gives_what_its_header_promises),
		cmocka_unit_test(bzip2_and_xz_are_read),
		cmocka_unit_test(names_and_magics),
		cmocka_unit_test(plain_data_passes_unchanged),
		cmocka_unit_test(levels_out_of_range_are_refused),
		cmocka_unit_test(a_full_disk_stops_it),
		cmocka_unit_test(what_is_given_up_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
