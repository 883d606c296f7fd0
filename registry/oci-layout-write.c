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
#include "registry/interrupt.h"
#include "registry/oci-layout.h"
#include "storage/blob.h"

struct layout_writer {
	const char *path; /* as the user wrote it */
	int dir_fd;       /* locked while the index is changed */
	int blobs_fd;
};

static int put_bytes(int dir_fd, const char *name, const char *data, size_t len, bool replace,
		     struct err *err)
{
	auto_tmpfile struct tmpfile tmp = TMPFILE_INIT;

	if (tmpfile_open(&tmp, dir_fd, err) < 0 || fd_write_all(tmp.fd, data, len, name, err) < 0)
		return -1;
	return replace ? tmpfile_replace(&tmp, name, err) : tmpfile_commit(&tmp, name, err);
}

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
		if (put_bytes(layout->dir_fd, "oci-layout", version, strlen(version), false, err) <
		    0)
			return -1;
	}
	layout->blobs_fd = beneath_mkdirs(layout->dir_fd, "blobs/sha256", BENEATH_STAY, 0755, err);
	return layout->blobs_fd < 0 ? -1 : 0;
}

/* ---- blobs ---- */

static int has_blob(const struct layout_writer *layout, const char *hex, uint64_t size,
		    bool *out_has, struct err *err)
{
	struct stat st;

	*out_has = false;
	if (fstatat(layout->blobs_fd, hex, &st, 0) < 0)
		return errno == ENOENT
			       ? 0
			       : err_sys(err, "stat '%s/blobs/sha256/%s'", layout->path, hex);
	*out_has = S_ISREG(st.st_mode) && (uint64_t)st.st_size == size;
	return 0;
}

/* Copy a blob of the store; a file of that name with another length is damaged, and replaced. */
static int put_blob(const struct layout_writer *layout, struct store *store,
		    const struct descriptor *blob, struct err *err)
{
	auto_tmpfile struct tmpfile tmp = TMPFILE_INIT;
	auto_close int fd = -1;
	char hex[DIGEST_HEX_MAX];
	uint64_t copied = 0;
	bool has = false;

	digest_hex(&blob->digest, hex);
	if (interrupt_check(err) < 0 || has_blob(layout, hex, blob->size_bytes, &has, err) < 0)
		return -1;
	if (has)
		return 0;
	log_info("blob sha256:%s (%llu bytes)", hex, (unsigned long long)blob->size_bytes);
	fd = blob_open(store, &blob->digest, err);
	if (fd < 0 || tmpfile_open(&tmp, layout->blobs_fd, err) < 0 ||
	    fd_copy(fd, tmp.fd, UINT64_MAX, &copied, hex, err) < 0)
		return -1;
	if (copied != blob->size_bytes)
		return err_set(err, ERR_INPUT,
			       "the store is damaged: blob %s has %llu bytes instead of %llu", hex,
			       (unsigned long long)copied, (unsigned long long)blob->size_bytes);
	return tmpfile_replace(&tmp, hex, err);
}

static int put_document(const struct layout_writer *layout, const struct digest *digest,
			const struct strbuf *bytes, struct err *err)
{
	char hex[DIGEST_HEX_MAX];

	return put_bytes(layout->blobs_fd, digest_hex(digest, hex), bytes->data, bytes->len, true,
			 err);
}

static int put_blobs(const struct layout_writer *layout, struct store *store,
		     const struct manifest *manifest, const struct strbuf *bytes,
		     const struct digest *digest, struct err *err)
{
	auto_strbuf struct strbuf config = STRBUF_INIT;

	for (size_t i = 0; i < manifest->layer_count; i++)
		if (put_blob(layout, store, &manifest->layers[i], err) < 0)
			return -1;
	/* documents are short: read whole and compared with their digest on the way */
	if (blob_load(store, &manifest->config.digest, CONFIG_MAX_BYTES, &config, err) < 0 ||
	    put_document(layout, &manifest->config.digest, &config, err) < 0)
		return -1;
	return put_document(layout, digest, bytes, err);
}

static int put_index(const struct layout_writer *layout, struct store *store,
		     const struct index *index, const struct strbuf *bytes,
		     const struct digest *digest, struct err *err);

/* One of an index's, with all that it names: an image, an attestation, or an index again. */
static int put_part(const struct layout_writer *layout, struct store *store,
		    const struct descriptor *part, struct err *err)
{
	auto_strbuf struct strbuf bytes = STRBUF_INIT;
	auto_manifest struct manifest manifest = { .layers = NULL };
	auto_index struct index index = { .manifests = NULL };
	enum media_kind kind = MEDIA_UNKNOWN;
	char name[DIGEST_NAME_MAX];

	digest_name(&part->digest, name);
	if (blob_load(store, &part->digest, MANIFEST_MAX_BYTES, &bytes, err) < 0 ||
	    manifest_detect(bytes.data, bytes.len, part->media_type, name, &kind, err) < 0)
		return -1;
	if (kind == MEDIA_INDEX)
		return index_parse(bytes.data, bytes.len, part->media_type, name, &index, err) < 0
			       ? -1
			       : put_index(layout, store, &index, &bytes, &part->digest, err);
	if (manifest_parse(bytes.data, bytes.len, part->media_type, name, &manifest, err) < 0)
		return -1;
	return put_blobs(layout, store, &manifest, &bytes, &part->digest, err);
}

/* The store took it in no deeper than it may be. */
static int put_index(const struct layout_writer *layout, struct store *store,
		     const struct index *index, const struct strbuf *bytes,
		     const struct digest *digest, struct err *err)
{
	for (size_t i = 0; i < index->manifest_count; i++)
		if (put_part(layout, store, &index->manifests[i], err) < 0)
			return -1;
	return put_document(layout, digest, bytes, err);
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
	return put_bytes(layout->dir_fd, "index.json", bytes.data, bytes.len, true, err);
}

/* All that the image is, but for its name; *out is its entry. */
static int write_image(const struct layout_writer *layout, const struct push_job *job,
		       struct descriptor *out, struct err *err)
{
	const struct platform *platform = &job->image->config.platform;
	auto_manifest struct manifest manifest = { .layers = NULL };
	auto_strbuf struct strbuf bytes = STRBUF_INIT;
	struct digest digest;

	if (image_manifest(job->store, job->image, job->options, &bytes, &manifest, err) < 0)
		return -1;
	digest_of(bytes.data, bytes.len, &digest);
	if (put_blobs(layout, job->store, &manifest, &bytes, &digest, err) < 0)
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

	if (put_index(layout, job->store, &index->document, &index->bytes, &index->id, err) < 0)
		return -1;
	descriptor_set(out, index_media_type(&index->document), &index->id, index->bytes.len);
	return 0;
}

/* Blobs that somebody brought into the store. */
static int write_root(const struct layout_writer *layout, const struct push_job *job,
		      struct descriptor *out, struct err *err)
{
	descriptor_set(out, job->root->media_type, &job->root->digest, job->root->size_bytes);
	return put_part(layout, job->store, job->root, err);
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
