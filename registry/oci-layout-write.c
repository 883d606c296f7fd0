/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for writing into OCI image layouts, new ones or such as there are:
 * blobs first, then, under a lock, the one file that names them. Who reads
 * meanwhile sees the old index or the new one.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/tmpfile.h"
#include "layers/pairs.h"
#include "layers/ref.h"
#include "registry/blob-dir.h"
#include "registry/interrupt.h"
#include "registry/oci-layout.h"
#include "storage/blob.h"

struct layout_writer {
	const char *path; /* as the user wrote it */
	int dir_fd;       /* locked while the index is changed */
	int blobs_fd;
};

/* ---- the directory ---- */

/* Nothing in it, so that it can become a layout. */
static int is_empty(int dir_fd, const char *path, bool *out_is_empty, struct err *err)
{
	auto_close int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	size_t count = 0;

	if (!dir)
		return err_sys(err, "read '%s'", path);
	fd = -1; /* dir's now */
	while (readdir(dir))
		count++;
	closedir(dir);
	*out_is_empty = count <= 2; /* "." and ".." */
	return 0;
}

/* Open the layout, made when there is none: a new directory, or an empty one. */
static int open_layout(struct layout_writer *layout, struct err *err)
{
	static const char version[] = "{\"imageLayoutVersion\":\"" OCI_LAYOUT_VERSION "\"}";
	bool found = false;
	bool empty = false;

	if (mkdir(layout->path, 0755) < 0 && errno != EEXIST)
		return err_sys(err, "make '%s'", layout->path);
	layout->dir_fd = open(layout->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (layout->dir_fd < 0)
		return err_sys(err, "open '%s'", layout->path);
	if (oci_layout_check(layout->dir_fd, layout->path, &found, err) < 0)
		return -1;
	if (!found) {
		if (is_empty(layout->dir_fd, layout->path, &empty, err) < 0)
			return -1;
		if (!empty)
			return err_set(err, ERR_INPUT,
				       "'%s' is neither an OCI layout nor an empty directory",
				       layout->path);
		if (blob_dir_put_bytes(layout->dir_fd, "oci-layout", version, strlen(version),
				       false, err) < 0)
			return -1;
	}
	layout->blobs_fd = beneath_mkdirs(layout->dir_fd, "blobs/sha256", BENEATH_STAY, 0755, err);
	return layout->blobs_fd < 0 ? -1 : 0;
}

/* ---- the index ---- */

static bool is_replaced(const struct descriptor *old, const struct descriptor *fresh,
			const char *tag)
{
	const char *old_tag = strlist_env_get(&old->annotations, OCI_REF_NAME);

	if (tag)
		return old_tag && strcmp(old_tag, tag) == 0;
	return !old_tag && digest_equal(&old->digest, &fresh->digest);
}

/* The index with @entry in place of what had its tag, the others as they were. */
static int put_entry(struct layout_writer *layout, const struct descriptor *entry, const char *tag,
		     struct err *err)
{
	auto_index struct index old = { .manifests = NULL };
	auto_index struct index fresh = { .format = IMAGE_OCI };
	auto_strbuf struct strbuf bytes = STRBUF_INIT;
	bool found = false;

	while (flock(layout->dir_fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_sys(err, "lock '%s'", layout->path);
	if (oci_layout_load_index(layout->dir_fd, layout->path, &found, &old, err) < 0)
		return -1;
	strlist_copy(&fresh.annotations, &old.annotations);
	for (size_t i = 0; i < old.manifest_count; i++)
		if (!is_replaced(&old.manifests[i], entry, tag))
			index_add(&fresh, &old.manifests[i]);
	index_add(&fresh, entry);
	index_format(&fresh, &bytes);
	return blob_dir_put_bytes(layout->dir_fd, "index.json", bytes.data, bytes.len, true, err);
}

static struct blob_dir blobs_of(const struct layout_writer *layout)
{
	return (struct blob_dir){ .path = layout->path, .suffix = "", .fd = layout->blobs_fd };
}

/* All that the image is, but for its name; *out is its entry. */
static int write_image(const struct layout_writer *layout, const struct push_job *job,
		       struct descriptor *out, struct err *err)
{
	const struct platform *platform = &job->image->config.platform;
	const struct blob_dir blobs = blobs_of(layout);
	auto_manifest struct manifest manifest = { .layers = NULL };
	auto_strbuf struct strbuf bytes = STRBUF_INIT;
	struct digest digest;

	if (image_manifest(job->store, job->image, job->options, &bytes, &manifest, err) < 0)
		return -1;
	digest_of(bytes.data, bytes.len, &digest);
	if (blob_dir_put_blobs(&blobs, job->store, &manifest, err) < 0 ||
	    blob_dir_put_document(&blobs, &digest, &bytes, err) < 0)
		return -1;
	descriptor_set(out, manifest_media_type(&manifest), &digest, bytes.len);
	if (platform->os && platform->architecture) {
		out->has_platform = true;
		platform_copy(&out->platform, platform);
	}
	return 0;
}

static int write_index(const struct layout_writer *layout, const struct push_job *job,
		       struct descriptor *out, struct err *err)
{
	const struct image_index *index = job->index;
	const struct blob_dir blobs = blobs_of(layout);

	if (blob_dir_put_parts(&blobs, job->store, &index->document, err) < 0 ||
	    blob_dir_put_document(&blobs, &index->id, &index->bytes, err) < 0)
		return -1;
	descriptor_set(out, index_media_type(&index->document), &index->id, index->bytes.len);
	return 0;
}

/* Blobs that somebody brought into the store. */
static int write_root(const struct layout_writer *layout, const struct push_job *job,
		      struct descriptor *out, struct err *err)
{
	const struct blob_dir blobs = blobs_of(layout);

	descriptor_set(out, job->root->media_type, &job->root->digest, job->root->size_bytes);
	return blob_dir_put_part(&blobs, job->store, job->root, err);
}

static void layout_release(struct layout_writer *layout)
{
	fd_close(&layout->blobs_fd);
	fd_close(&layout->dir_fd);
}
#define auto_layout_writer __attribute__((cleanup(layout_release)))

int oci_layout_write_at(const char *path, const char *tag, const struct push_job *job,
			struct err *err)
{
	auto_layout_writer struct layout_writer layout = { .dir_fd = -1, .blobs_fd = -1 };
	auto_descriptor struct descriptor entry = { .media_type = NULL };
	auto_image_ref struct image_ref ref = IMAGE_REF_INIT;
	struct err ignored = ERR_INIT;
	int result;

	if (tag && !image_ref_is_tag(tag) && image_ref_parse(tag, &ref, &ignored) < 0)
		return err_set(err, ERR_USAGE, "'%s' is neither a tag nor an image name", tag);
	layout.path = path;
	if (open_layout(&layout, err) < 0)
		return -1;
	if (job->root)
		result = write_root(&layout, job, &entry, err);
	else
		result = job->index ? write_index(&layout, job, &entry, err)
				    : write_image(&layout, job, &entry, err);
	if (result < 0 || interrupt_check(err) < 0)
		return -1;
	if (tag)
		strlist_env_set(&entry.annotations, OCI_REF_NAME, tag);
	return put_entry(&layout, &entry, tag, err);
}

int oci_layout_write(const char *rest, struct push_job *job, struct err *err)
{
	auto_free char *path = NULL;
	auto_free char *tag = NULL;

	if (transport_split_path(rest, OCI_LAYOUT_FORM, &path, &tag, err) < 0)
		return -1;
	return oci_layout_write_at(path, tag, job, err);
}
