/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for reading OCI image layouts, and archives of them: which of its images is
 * meant, and its blobs. Digests are compared by who reads them (pull.c).
 */
#include "registry/oci-layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/json.h"
#include "common/mem.h"
#include "layers/ref.h"
#include "registry/archive-tar.h"
#include "registry/image-dir.h"
#include "registry/oci-archive.h"

#define CONTAINERD_NAME "io.containerd.image.name"

struct layout_reader {
	struct image_reader reader;
	const char *form; /* how it is written, for messages: "oci" */
	int dir_fd;
	struct archive_tar tar; /* in place of it, when is_archive */
	bool is_archive;
	char *path;  /* as the user wrote it */
	char *place; /* of storage/origin.h, or NULL */
};

static struct image_dir dir_at(int dir_fd, const char *path)
{
	return (struct image_dir){ .kind = "OCI layout", .path = path, .fd = dir_fd };
}

static struct image_dir dir_of(const struct layout_reader *layout)
{
	struct image_dir dir = dir_at(layout->dir_fd, layout->path);

	dir.tar = layout->is_archive ? &layout->tar : NULL;
	return dir;
}

static int check_version(const struct image_dir *dir, bool *out_found, struct err *err)
{
	auto_free char *what = str_format("%s/oci-layout", dir->path);
	auto_strbuf struct strbuf data = STRBUF_INIT;
	auto_json struct json *json = NULL;
	auto_free char *version = NULL;

	if (image_dir_load_file(dir, "oci-layout", OCI_LAYOUT_MAX, out_found, &data, err) < 0)
		return -1;
	if (!*out_found)
		return 0;
	json = json_parse(data.data, data.len, what, err);
	if (!json || json_take_string(json, "imageLayoutVersion", &version, what, err) < 0)
		return -1;
	if (!version)
		return err_set(err, ERR_INPUT, "%s has no 'imageLayoutVersion'", what);
	if (strcmp(version, OCI_LAYOUT_VERSION) != 0)
		return err_set(
			err, ERR_INPUT,
			"%s: version '%.60s' of the layout is not supported (" OCI_LAYOUT_VERSION
			" is)",
			what, version);
	return 0;
}

int oci_layout_check(int dir_fd, const char *path, bool *out_found, struct err *err)
{
	const struct image_dir dir = dir_at(dir_fd, path);

	return check_version(&dir, out_found, err);
}

static int load_index(const struct image_dir *dir, bool *out_found, struct index *out,
		      struct err *err)
{
	auto_free char *what = str_format("%s/index.json", dir->path);
	auto_strbuf struct strbuf data = STRBUF_INIT;

	if (image_dir_load_file(dir, "index.json", MANIFEST_MAX_BYTES, out_found, &data, err) < 0)
		return -1;
	if (!*out_found)
		return 0;
	return index_parse(data.data, data.len, NULL, what, out, err);
}

int oci_layout_load_index(int dir_fd, const char *path, bool *out_found, struct index *out,
			  struct err *err)
{
	const struct image_dir dir = dir_at(dir_fd, path);

	return load_index(&dir, out_found, out, err);
}

static struct source *open_blob(struct image_reader *reader, const struct descriptor *blob,
				struct err *err)
{
	struct layout_reader *layout = (struct layout_reader *)reader;
	const struct image_dir dir = dir_of(layout);
	char hex[DIGEST_HEX_MAX];
	auto_free char *name = str_format("blobs/sha256/%s", digest_hex(&blob->digest, hex));

	return image_dir_open_blob(&dir, name, blob, err);
}

static void layout_free(struct image_reader *reader)
{
	struct layout_reader *layout = (struct layout_reader *)reader;

	fd_close(&layout->dir_fd);
	archive_tar_release(&layout->tar);
	free(layout->path);
	free(layout->place);
	free(layout);
}

/* ---- which image is meant ---- */

/* The canonical form of a full name, or NULL: a tag alone names nothing. */
static char *canonical_name(const char *text)
{
	auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
	struct strbuf out = STRBUF_INIT;
	struct err ignored = ERR_INIT;

	if (!text || !strpbrk(text, ":/") || image_ref_parse(text, &ref, &ignored) < 0)
		return NULL;
	image_ref_format(&ref, &out);
	return strbuf_steal(&out);
}

static const char *ref_name(const struct descriptor *entry)
{
	return strlist_env_get(&entry->annotations, OCI_REF_NAME);
}

/* The full name that the layout itself gives an entry, or NULL. */
static char *full_name(const struct descriptor *entry)
{
	char *name = canonical_name(strlist_env_get(&entry->annotations, CONTAINERD_NAME));

	return name ? name : canonical_name(ref_name(entry));
}

static bool is_wanted(const struct descriptor *entry, const char *tag)
{
	auto_free char *want = canonical_name(tag);
	auto_free char *have = full_name(entry);

	if (ref_name(entry) && strcmp(ref_name(entry), tag) == 0)
		return true;
	return want && have && strcmp(want, have) == 0;
}

static bool is_image(const struct descriptor *entry)
{
	enum media_kind kind = media_kind_of(entry->media_type);

	return (kind == MEDIA_MANIFEST || kind == MEDIA_INDEX) &&
	       !strlist_env_get(&entry->annotations, "vnd.docker.reference.type");
}

static void list_tags(const struct index *index, struct strbuf *out)
{
	for (size_t i = 0; i < index->manifest_count && out->len < 400; i++) {
		const char *name = ref_name(&index->manifests[i]);

		if (is_image(&index->manifests[i]))
			strbuf_printf(out, "%s%.100s", out->len ? ", " : "",
				      name ? name : "(without a tag)");
	}
}

static int choose_by_tag(const struct index *index, const char *path, const char *tag,
			 struct index *out, struct err *err)
{
	auto_strbuf struct strbuf tags = STRBUF_INIT;

	for (size_t i = 0; i < index->manifest_count; i++)
		if (is_image(&index->manifests[i]) && is_wanted(&index->manifests[i], tag))
			index_add(out, &index->manifests[i]);
	if (out->manifest_count > 0)
		return 0;
	list_tags(index, &tags);
	return err_set(err, ERR_INPUT, "OCI layout '%s' has no image '%s'; there are: %s", path,
		       tag, tags.len ? tags.data : "none");
}

static int choose_by_digest(const struct index *index, const char *path,
			    const struct digest *digest, struct index *out, struct err *err)
{
	char name[DIGEST_NAME_MAX];

	for (size_t i = 0; i < index->manifest_count; i++)
		if (digest_equal(&index->manifests[i].digest, digest)) {
			index_add(out, &index->manifests[i]);
			return 0;
		}
	return err_set(err, ERR_INPUT, "OCI layout '%s' has no image %s in its index.json", path,
		       digest_name(digest, name));
}

static bool is_same_name(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* Without a tag: all there is, provided that it goes by one name (several platforms) or is one
 * thing. */
static int choose_only(const struct index *index, const struct layout_reader *layout,
		       struct index *out, struct err *err)
{
	auto_strbuf struct strbuf tags = STRBUF_INIT;
	bool is_one_name = true;
	bool is_one_digest = true;

	for (size_t i = 0; i < index->manifest_count; i++) {
		const struct descriptor *entry = &index->manifests[i];

		if (!is_image(entry))
			continue;
		index_add(out, entry);
		is_one_name &= is_same_name(ref_name(entry), ref_name(&out->manifests[0]));
		is_one_digest &= digest_equal(&entry->digest, &out->manifests[0].digest);
	}
	if (out->manifest_count == 0)
		return err_set(err, ERR_INPUT, "OCI layout '%s' holds no image", layout->path);
	if (is_one_name || is_one_digest)
		return 0;
	list_tags(index, &tags);
	return err_set(
		err, ERR_INPUT,
		"OCI layout '%s' has several images; say which, as in %s:%s:TAG. There are: %s",
		layout->path, layout->form, layout->path, tags.data);
}

/* "localhost/BASENAME:TAG", when the name of the directory can be one, or the archive's without
 * ".tar". */
static char *name_by_path(const char *path, const char *tag)
{
	auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
	auto_free char *real = realpath(path, NULL);
	auto_free char *text = NULL;
	struct err ignored = ERR_INIT;
	const char *base;
	const char *end;

	if (!real || !tag || !image_ref_is_tag(tag))
		return NULL;
	base = strrchr(real, '/') + 1;
	end = strstr(base, ".tar");
	text = str_format("localhost/%.*s:%s", end ? (int)(end - base) : (int)strlen(base), base,
			  tag);
	if (image_ref_parse(text, &ref, &ignored) < 0)
		return NULL;
	return ptr_steal(&text);
}

static void add_name(struct layout_reader *layout, const char *tag)
{
	const struct descriptor *entry = &layout->reader.roots.manifests[0];
	auto_free char *name = full_name(entry);

	if (!name)
		name = name_by_path(layout->path, tag ? tag : ref_name(entry));
	if (name)
		strlist_add(&layout->reader.names, name);
}

static int open_place(struct layout_reader *layout, struct store *store, struct err *err)
{
	if (layout->is_archive)
		return archive_tar_open(layout->path, store, &layout->tar, err);
	layout->dir_fd = open(layout->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (layout->dir_fd < 0)
		return err_sys(err, "open OCI layout '%s'", layout->path);
	return 0;
}

/* The image with @tag or @digest; both NULL: the only one. */
static int open_layout(struct layout_reader *layout, const char *tag, const struct digest *digest,
		       struct err *err)
{
	auto_index struct index index = { .manifests = NULL };
	const struct image_dir dir = dir_of(layout);
	bool found = false;

	if (check_version(&dir, &found, err) < 0)
		return -1;
	if (!found)
		return err_set(err, ERR_INPUT,
			       "'%s' is not an OCI layout: it has no file 'oci-layout'",
			       layout->path);
	if (load_index(&dir, &found, &index, err) < 0)
		return -1;
	if (!found)
		return err_set(err, ERR_INPUT, "OCI layout '%s' has no index.json", layout->path);
	if (digest)
		return choose_by_digest(&index, layout->path, digest, &layout->reader.roots, err);
	if (tag)
		return choose_by_tag(&index, layout->path, tag, &layout->reader.roots, err);
	return choose_only(&index, layout, &layout->reader.roots, err);
}

/* By which it can be found again, unless the form cannot hold it, or it came through a pipe. */
static void note_place(struct layout_reader *layout)
{
	auto_free char *path = realpath(layout->path, NULL);
	struct stat st;

	if (!path || strpbrk(path, ":@") || stat(path, &st) < 0 ||
	    !(S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)))
		return;
	layout->place = str_format("%s:%s", layout->form, path);
	layout->reader.place = layout->place;
}

/* @form and @rest: "oci", "DIR[:TAG]". */
static int read_layout(struct layout_reader *layout, const char *rest, struct store *store,
		       struct err *err)
{
	auto_free char *form =
		str_format("%s:%s[:TAG]", layout->form, layout->is_archive ? "FILE" : "DIR");
	const char *at = strstr(rest, "@sha256:");
	auto_free char *tag = NULL;
	struct digest digest;

	if (at) {
		layout->path = str_ndup(rest, (size_t)(at - rest));
		if (digest_parse(at + 1, &digest, err) < 0)
			return -1;
	} else if (transport_split_path(rest, form, &layout->path, &tag, err) < 0) {
		return -1;
	}
	if (open_place(layout, store, err) < 0 ||
	    open_layout(layout, tag, at ? &digest : NULL, err) < 0)
		return -1;
	note_place(layout);
	add_name(layout, tag);
	return 0;
}

static int read_as(const char *form, bool is_archive, const char *rest, struct store *store,
		   struct image_reader **out, struct err *err)
{
	auto_image_reader struct image_reader *reader = NULL;
	struct layout_reader *layout = mem_alloc(sizeof(*layout));

	reader = &layout->reader;
	*reader = (struct image_reader){ .open_blob = open_blob, .free = layout_free };
	layout->form = form;
	layout->is_archive = is_archive;
	layout->dir_fd = -1;
	layout->tar = (struct archive_tar)ARCHIVE_TAR_INIT;
	if (read_layout(layout, rest, store, err) < 0)
		return -1;
	*out = ptr_steal(&reader);
	return 0;
}

int oci_layout_read(const char *rest, struct store *store, struct image_reader **out,
		    struct err *err)
{
	return read_as("oci", false, rest, store, out, err);
}

int oci_archive_read(const char *rest, struct store *store, struct image_reader **out,
		     struct err *err)
{
	return read_as("oci-archive", true, rest, store, out, err);
}
