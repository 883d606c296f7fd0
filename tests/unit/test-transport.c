/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places of images: their names, and what layouts and archives are refused
 * for, before anything of them is used. The rest needs a store and is tested
 * with the commands.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/tree.h"
#include "registry/region.h"
#include "registry/transport.h"

#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ENTRY(size, annotations)                                                                 \
	"{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:" HEX \
	"\",\"size\":" size ",\"annotations\":{" annotations "}}"
#define REF(name)      "\"org.opencontainers.image.ref.name\":\"" name "\""
#define INDEX(entries) "{\"schemaVersion\":2,\"manifests\":[" entries "]}"
#define LAYOUT         "{\"imageLayoutVersion\":\"1.0.0\"}"

/* ---- a directory to work in ---- */

struct scratch {
	char path[64];
	int fd;
};

static int make_scratch(void **state)
{
	struct scratch *scratch = mem_alloc(sizeof(*scratch));

	snprintf(scratch->path, sizeof(scratch->path), "/tmp/test-transport-XXXXXX");
	assert_non_null(mkdtemp(scratch->path));
	scratch->fd = open(scratch->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(scratch->fd >= 0);
	*state = scratch;
	return 0;
}

static int remove_scratch(void **state)
{
	struct scratch *scratch = *state;
	struct err err = ERR_INIT;

	assert_int_equal(tree_empty(scratch->fd, &err), 0);
	fd_close(&scratch->fd);
	assert_int_equal(rmdir(scratch->path), 0);
	free(scratch);
	return 0;
}

static void put(const struct scratch *scratch, const char *name, const void *data, size_t len)
{
	auto_close int fd =
		openat(scratch->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_true(fd_write_quiet(fd, data, len));
}

static void put_text(const struct scratch *scratch, const char *name, const char *text)
{
	put(scratch, name, text, strlen(text));
}

/* Open "TRANSPORT:<scratch>REST"; NULL with the error. */
static struct image_reader *read_place(const struct scratch *scratch, const char *transport_name,
				       const char *rest, struct err *err)
{
	auto_free char *place = str_format("%s:%s%s", transport_name, scratch->path, rest);
	struct image_reader *reader = NULL;
	const char *after;
	const struct transport *transport = transport_find(place, &after, err);

	assert_non_null(transport);
	return transport->read(after, NULL, &reader, err) < 0 ? NULL : reader;
}

static void must_refuse(const struct scratch *scratch, const char *transport, const char *rest,
			enum err_kind kind, const char *error)
{
	struct err err = ERR_INIT;

	assert_null(read_place(scratch, transport, rest, &err));
	if (!strstr(err.text, error))
		fail_msg("'%s' is not in: %s", error, err.text);
	assert_int_equal(err.kind, kind);
}

/* ---- names of places ---- */

static void places_that_are_not_supported_are_refused_by_name(void **state)
{
	static const struct {
		const char *place;
		const char *error;
	} rows[] = {
		{ "debian", "'debian' is no place for images; use docker://REF" },
		{ "localhost:5000/x", "'localhost:5000/x' is no place for images" },
		{ "docker-daemon:x", "use 'docker save'" },
		{ "containers-storage:x", "use 'podman save'" },
		{ "oci", "'oci' is no place for images" },
		{ "", "'' is no place for images" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = ERR_INIT;
		const char *rest;

		assert_null(transport_find(rows[i].place, &rest, &err));
		assert_int_equal(err.kind, ERR_USAGE);
		if (!strstr(err.text, rows[i].error))
			fail_msg("'%s' is not in: %s", rows[i].error, err.text);
	}
}

static void a_path_ends_at_the_first_colon(void **state)
{
	static const struct {
		const char *text;
		const char *path; /* NULL: refused */
		const char *rest;
	} rows[] = {
		{ "dir", "dir", NULL },
		{ "/a/dir:tag", "/a/dir", "tag" },
		{ "dir:localhost/x:1", "dir", "localhost/x:1" },
		{ "dir:", NULL, NULL },
		{ ":tag", NULL, NULL },
		{ "", NULL, NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_free char *path = NULL;
		auto_free char *rest = NULL;
		struct err err = ERR_INIT;
		int result =
			transport_split_path(rows[i].text, "oci:DIR[:TAG]", &path, &rest, &err);

		assert_int_equal(result, rows[i].path ? 0 : -1);
		if (!rows[i].path) {
			assert_int_equal(err.kind, ERR_USAGE);
			assert_non_null(strstr(err.text, "is not of the form oci:DIR[:TAG]"));
			continue;
		}
		assert_string_equal(path, rows[i].path);
		if (rows[i].rest)
			assert_string_equal(rest, rows[i].rest);
		else
			assert_null(rest);
	}
}

/* ---- layouts ---- */

static void put_layout(const struct scratch *scratch, const char *index)
{
	put_text(scratch, "oci-layout", LAYOUT);
	put_text(scratch, "index.json", index);
}

static void what_is_no_layout_is_refused(void **state)
{
	struct scratch *scratch = *state;

	must_refuse(scratch, "oci", "/none", ERR_SYSTEM, "No such file or directory");
	must_refuse(scratch, "oci", "", ERR_INPUT, "is not an OCI layout: it has no file");
	put_text(scratch, "oci-layout", "{}");
	must_refuse(scratch, "oci", "", ERR_INPUT, "has no 'imageLayoutVersion'");
	put_text(scratch, "oci-layout", "{\"imageLayoutVersion\":\"2.0.0\"}");
	must_refuse(scratch, "oci", "", ERR_INPUT, "version '2.0.0' of the layout");
	put_text(scratch, "oci-layout", LAYOUT);
	must_refuse(scratch, "oci", "", ERR_INPUT, "has no index.json");
	put_text(scratch, "index.json", "{");
	must_refuse(scratch, "oci", "", ERR_INPUT, "index.json:");
	put_text(scratch, "index.json", INDEX(""));
	must_refuse(scratch, "oci", "", ERR_INPUT, "holds no image");
	must_refuse(scratch, "oci", ":x", ERR_INPUT, "has no image 'x'; there are: none");
	must_refuse(scratch, "oci", ":", ERR_USAGE, "is not of the form");
}

static void files_that_lead_elsewhere_are_not_read(void **state)
{
	struct scratch *scratch = *state;

	assert_int_equal(symlinkat("/etc/passwd", scratch->fd, "oci-layout"), 0);
	must_refuse(scratch, "oci", "", ERR_INPUT, "oci-layout");
	assert_int_equal(unlinkat(scratch->fd, "oci-layout", 0), 0);
	assert_int_equal(mkfifoat(scratch->fd, "oci-layout", 0644), 0);
	must_refuse(scratch, "oci", "", ERR_INPUT, "oci-layout' is not a regular file");
}

static void must_offer(const struct scratch *scratch, const char *rest, size_t roots,
		       const char *name)
{
	struct err err = ERR_INIT;
	auto_image_reader struct image_reader *reader = read_place(scratch, "oci", rest, &err);

	if (!reader)
		fail_msg("%s: %s", rest, err.text);
	assert_int_equal(reader->roots.manifest_count, roots);
	assert_int_equal(reader->names.count, name ? 1 : 0);
	if (name)
		assert_string_equal(reader->names.items[0], name);
}

static void a_layout_gives_the_image_that_is_meant(void **state)
{
	struct scratch *scratch = *state;
	auto_free char *by_directory =
		str_format("localhost/%s:v1", strrchr(scratch->path, '/') + 1);

	/* mkdtemp's letters are upper case, too: then there is no such name */
	for (const char *p = by_directory; *p; p++)
		if (*p >= 'A' && *p <= 'Z') {
			free(ptr_steal(&by_directory));
			break;
		}
	put_layout(scratch, INDEX(ENTRY("1", "")));
	must_offer(scratch, "", 1, NULL);
	put_layout(scratch, INDEX(ENTRY("1", REF("v1"))));
	must_offer(scratch, "", 1, by_directory);
	must_offer(scratch, ":v1", 1, by_directory);
	must_refuse(scratch, "oci", ":v2", ERR_INPUT, "has no image 'v2'; there are: v1");

	put_layout(
		scratch,
		INDEX(ENTRY("1", REF("localhost/a:1")) "," ENTRY(
			"1", "\"io.containerd.image.name\":\"docker.io/library/b:2\"," REF("2"))));
	must_offer(scratch, ":localhost/a:1", 1, "localhost/a:1");
	must_offer(scratch, ":2", 1, "docker.io/library/b:2");
	must_offer(scratch, ":b:2", 1, "docker.io/library/b:2");
	/* two names for one thing */
	must_offer(scratch, "", 2, "localhost/a:1");
}

static void a_layout_with_several_images_needs_a_tag(void **state)
{
	struct scratch *scratch = *state;
	static const char other[] =
		"{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"size\":1,"
		"\"digest\":\"sha256:00000000000000000000000000000000000000000000000000000000000000"
		"00\"}";
	auto_free char *index = str_format(INDEX(ENTRY("1", REF("v1")) ",%s"), other);

	put_layout(scratch, index);
	must_refuse(scratch, "oci", "", ERR_INPUT,
		    "has several images; say which, as in oci:/tmp/test-transport-");
	must_refuse(scratch, "oci", "", ERR_INPUT, "There are: v1, (without a tag)");
}

static void a_blob_with_another_size_is_refused(void **state)
{
	struct scratch *scratch = *state;
	auto_image_reader struct image_reader *reader = NULL;
	struct err err = ERR_INIT;

	put_layout(scratch, INDEX(ENTRY("3", "")));
	reader = read_place(scratch, "oci", "", &err);
	assert_non_null(reader);
	assert_null(reader->open_blob(reader, &reader->roots.manifests[0], &err));
	assert_non_null(strstr(err.text, "lacks the blob " HEX));
	assert_int_equal(err.kind, ERR_INPUT);

	assert_int_equal(mkdirat(scratch->fd, "blobs", 0755), 0);
	assert_int_equal(mkdirat(scratch->fd, "blobs/sha256", 0755), 0);
	put_text(scratch, "blobs/sha256/" HEX, "abcd");
	assert_null(reader->open_blob(reader, &reader->roots.manifests[0], &err));
	assert_non_null(strstr(err.text, "has 4 bytes, but its descriptor says 3"));

	put_text(scratch, "blobs/sha256/" HEX, "abc");
	{
		auto_source struct source *source =
			reader->open_blob(reader, &reader->roots.manifests[0], &err);
		char data[8];

		assert_non_null(source);
		assert_int_equal(source_read(source, data, sizeof(data), &err), 3);
		assert_memory_equal(data, "abc", 3);
	}
}

/* ---- archives ---- */

static void add_file(struct strbuf *tar, const char *name, const char *content)
{
	char header[512] = { 0 };
	char zero[512] = { 0 };
	size_t len = strlen(content);
	unsigned sum = 8 * ' ';

	snprintf(header, 100, "%s", name);
	snprintf(header + 124, 12, "%011zo", len);
	header[156] = '0';
	memcpy(header + 257, "ustar\00000", 8);
	for (size_t i = 0; i < sizeof(header); i++)
		sum += (unsigned char)header[i];
	snprintf(header + 148, 8, "%06o", sum);
	strbuf_add(tar, header, sizeof(header));
	strbuf_add(tar, content, len);
	strbuf_add(tar, zero, (512 - len % 512) % 512);
}

#define CONFIG                                                                                 \
	"{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_" \
	"ids\":[\"sha256:" HEX "\"]}}"

static void put_archive(const struct scratch *scratch, const char *manifest, const char *config)
{
	auto_strbuf struct strbuf tar = STRBUF_INIT;

	if (config)
		add_file(&tar, "c.json", config);
	add_file(&tar, "l.tar", "abc");
	if (config)
		add_file(&tar, HEX ".json", config);
	if (manifest)
		add_file(&tar, "manifest.json", manifest);
	put(scratch, "a.tar", tar.data, tar.len);
}

static void what_is_no_image_archive_is_refused(void **state)
{
	static const struct {
		const char *manifest;
		const char *config;
		const char *error;
	} rows[] = {
		{ NULL, NULL, "is not an image archive of docker's: it has no manifest.json" },
		{ "{", NULL, "manifest.json:1:" },
		{ "{}", NULL, "manifest.json is not a list of images" },
		{ "[]", NULL, "manifest.json is not a list of images" },
		{ "[1]", NULL, "not an object where 'RepoTags' should be" },
		{ "[{}]", NULL, "an image without 'Config'" },
		{ "[{\"Config\":\"none\"}]", NULL, "has no file 'none'" },
		{ "[{\"Config\":\"../c.json\"}]", CONFIG, "has no file '../c.json'" },
		{ "[{\"Config\":\"c.json\",\"RepoTags\":\"x\"}]", CONFIG, "RepoTags" },
		{ "[{\"Config\":\"l.tar\"}]", CONFIG, "a.tar/l.tar:1:" },
		{ "[{\"Config\":\"" HEX ".json\"}]", CONFIG, "not the one in its name" },
		{ "[{\"Config\":\"c.json\"}]", CONFIG, "names 0 layers, the config 1" },
		{ "[{\"Config\":\"c.json\",\"Layers\":[\"none\"]}]", CONFIG, "has no file 'none'" },
		{ "[{\"Config\":\"c.json\",\"Layers\":[\"/etc/passwd\"]}]", CONFIG,
		  "has no file '/etc/passwd'" },
		{ "[{},{\"RepoTags\":[\"a\",\"b:1\"]}]", CONFIG,
		  "has several images; say which, as in docker-archive:/tmp/test-transport-" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		put_archive(*state, rows[i].manifest, rows[i].config);
		must_refuse(*state, "docker-archive", "/a.tar", ERR_INPUT, rows[i].error);
	}
	must_refuse(*state, "docker-archive", "/a.tar:c", ERR_INPUT,
		    "has no image 'c'; there are: docker.io/library/a:latest, "
		    "docker.io/library/b:1");
	must_refuse(*state, "docker-archive", "/a.tar:C", ERR_USAGE, "'C' is not an image name");
	must_refuse(*state, "docker-archive", "/none.tar", ERR_SYSTEM, "No such file");
	put_text(*state, "a.tar", "no tar at all, but a text of some length");
	must_refuse(*state, "docker-archive", "/a.tar", ERR_INPUT, "is cut off at byte 40");
}

static void an_archive_gives_a_manifest_of_its_files(void **state)
{
	auto_image_reader struct image_reader *reader = NULL;
	auto_manifest struct manifest manifest = { .layers = NULL };
	auto_source struct source *source = NULL;
	auto_strbuf struct strbuf bytes = STRBUF_INIT;
	auto_sink struct sink *sink = sink_to_strbuf(&bytes);
	struct err err = ERR_INIT;
	char data[8];

	put_archive(*state,
		    "[{\"Config\":\"c.json\",\"RepoTags\":[\"a:1\",\"Bad Name\",\"ghcr.io/b\"],"
		    "\"Layers\":[\"./l.tar\"]}]",
		    CONFIG);
	reader = read_place(*state, "docker-archive", "/a.tar", &err);
	assert_non_null(reader);
	assert_true(reader->is_manifest_made);
	assert_int_equal(reader->names.count, 2);
	assert_string_equal(reader->names.items[0], "docker.io/library/a:1");
	assert_string_equal(reader->names.items[1], "ghcr.io/b:latest");

	source = reader->open_blob(reader, &reader->roots.manifests[0], &err);
	assert_int_equal(stream_copy(source, sink, &err), 0);
	assert_int_equal(sink_finish(sink, &err), 0);
	assert_int_equal(manifest_parse(bytes.data, bytes.len, NULL, "it", &manifest, &err), 0);
	assert_int_equal(manifest.layer_count, 1);
	assert_int_equal(manifest.layers[0].size_bytes, 3);
	source_free(source);
	source = reader->open_blob(reader, &manifest.layers[0], &err);
	assert_int_equal(source_read(source, data, sizeof(data), &err), 3);
	assert_memory_equal(data, "abc", 3);
}

/* ---- regions ---- */

static void a_region_ends_where_it_should(void **state)
{
	struct region region = { .owns_fd = true, .offset = 2, .size_bytes = 5 };
	auto_source struct source *source = NULL;
	auto_strbuf struct strbuf copy = STRBUF_INIT;
	auto_sink struct sink *sink = sink_to_strbuf(&copy);
	struct err err = ERR_INIT;
	char data[16];

	region.fd = memfd_create("region", MFD_CLOEXEC);
	assert_true(fd_write_quiet(region.fd, "0123456789", 10));
	source = source_tee(source_region(&region, "file"), sink);
	assert_int_equal(source_read(source, data, 3, &err), 3);
	assert_int_equal(source_read(source, data + 3, 13, &err), 2);
	assert_int_equal(source_read(source, data, 16, &err), 0);
	assert_memory_equal(data, "23456", 5);
	assert_int_equal(sink_finish(sink, &err), 0);
	assert_string_equal(copy.data, "23456");
}

static void a_region_of_a_shorter_file_is_refused(void **state)
{
	struct region region = { .owns_fd = true, .offset = 8, .size_bytes = 5 };
	auto_source struct source *source = NULL;
	struct err err = ERR_INIT;
	char data[16];

	region.fd = memfd_create("region", MFD_CLOEXEC);
	assert_true(fd_write_quiet(region.fd, "0123456789", 10));
	source = source_region(&region, "file");
	assert_int_equal(source_read(source, data, 16, &err), 2);
	assert_int_equal(source_read(source, data, 16, &err), -1);
	assert_int_equal(err.kind, ERR_INPUT);
	assert_string_equal(err.text, "file is cut off after 2 bytes");
}

#define WITH_SCRATCH(test) cmocka_unit_test_setup_teardown(test, make_scratch, remove_scratch)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_that_are_not_supported_are_refused_by_name),
		cmocka_unit_test(a_path_ends_at_the_first_colon),
		WITH_SCRATCH(what_is_no_layout_is_refused),
		WITH_SCRATCH(files_that_lead_elsewhere_are_not_read),
		WITH_SCRATCH(a_layout_gives_the_image_that_is_meant),
		WITH_SCRATCH(a_layout_with_several_images_needs_a_tag),
		WITH_SCRATCH(a_blob_with_another_size_is_refused),
		WITH_SCRATCH(what_is_no_image_archive_is_refused),
		WITH_SCRATCH(an_archive_gives_a_manifest_of_its_files),
		cmocka_unit_test(a_region_ends_where_it_should),
		cmocka_unit_test(a_region_of_a_shorter_file_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
