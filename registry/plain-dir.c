/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for directories as skopeo writes and reads them: one image, no name. */
#include "registry/plain-dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "registry/blob-dir.h"
#include "registry/image-dir.h"
#include "registry/interrupt.h"

#define VERSION_FILE  "version"
#define VERSION_TEXT  "Directory Transport Version: "
#define VERSION       VERSION_TEXT "1.1\n"
#define MANIFEST_FILE "manifest.json"
#define SUFFIX        "." MANIFEST_FILE

struct plain_reader {
	struct image_reader reader;
	int dir_fd;
	char *path;
};

static struct image_dir dir_at(int dir_fd, const char *path)
{
	return (struct image_dir){ .kind = "directory", .path = path, .fd = dir_fd };
}

/* ---- reading ---- */

static bool is_document(const struct descriptor *blob)
{
	enum media_kind kind = media_kind_of(blob->media_type);

	return kind == MEDIA_MANIFEST || kind == MEDIA_INDEX;
}

static struct source *open_blob(struct image_reader *reader, const struct descriptor *blob,
				struct err *err)
{
	struct plain_reader *plain = (struct plain_reader *)reader;
	const struct image_dir dir = dir_at(plain->dir_fd, plain->path);
	const struct descriptor *root = &reader->roots.manifests[0];
	char hex[DIGEST_HEX_MAX];
	auto_free char *name =
		str_format("%s%s", digest_hex(&blob->digest, hex), is_document(blob) ? SUFFIX : "");

	if (digest_equal(&blob->digest, &root->digest))
		return image_dir_open_blob(&dir, MANIFEST_FILE, blob, err);
	return image_dir_open_blob(&dir, name, blob, err);
}

static void plain_free(struct image_reader *reader)
{
	struct plain_reader *plain = (struct plain_reader *)reader;

	fd_close(&plain->dir_fd);
	free(plain->path);
	free(plain);
}

/* The one document that says what there is; its type is what it says of itself. */
static int load_root(struct plain_reader *plain, struct err *err)
{
	const struct image_dir dir = dir_at(plain->dir_fd, plain->path);
	auto_strbuf struct strbuf bytes = STRBUF_INIT;
	auto_descriptor struct descriptor root = { .media_type = NULL };
	auto_manifest struct manifest manifest = { .layers = NULL };
	auto_index struct index index = { .manifests = NULL };
	auto_free char *what = str_format("%s/" MANIFEST_FILE, plain->path);
	enum media_kind kind = MEDIA_UNKNOWN;
	struct digest digest;
	bool found = false;

	if (image_dir_load_file(&dir, MANIFEST_FILE, MANIFEST_MAX_BYTES, &found, &bytes, err) < 0)
		return -1;
	if (!found)
		return err_set(err, ERR_INPUT,
			       "'%s' is no directory of skopeo's: it has no " MANIFEST_FILE,
			       plain->path);
	if (manifest_detect(bytes.data, bytes.len, NULL, what, &kind, err) < 0 ||
	    (kind == MEDIA_INDEX
		     ? index_parse(bytes.data, bytes.len, NULL, what, &index, err)
		     : manifest_parse(bytes.data, bytes.len, NULL, what, &manifest, err)) < 0)
		return -1;
	digest_of(bytes.data, bytes.len, &digest);
	descriptor_set(&root,
		       kind == MEDIA_INDEX ? index_media_type(&index)
					   : manifest_media_type(&manifest),
		       &digest, bytes.len);
	index_add(&plain->reader.roots, &root);
	return 0;
}

int plain_dir_read(const char *rest, struct store *store, struct image_reader **out,
		   struct err *err)
{
	auto_image_reader struct image_reader *reader = NULL;
	struct plain_reader *plain = mem_alloc(sizeof(*plain));

	reader = &plain->reader;
	*reader = (struct image_reader){ .open_blob = open_blob, .free = plain_free };
	plain->path = str_dup(rest);
	plain->dir_fd = open(rest, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (plain->dir_fd < 0)
		return err_sys(err, "open '%s'", rest);
	if (load_root(plain, err) < 0)
		return -1;
	*out = ptr_steal(&reader);
	return 0;
}

/* ---- writing ---- */

static bool is_listed(const char *name)
{
	return strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* Nothing is there, or an image that is to be replaced: anything else is somebody's. */
static int check_taken(const struct image_dir *dir, struct err *err)
{
	auto_strbuf struct strbuf version = STRBUF_INIT;
	auto_close int fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	bool is_empty = true;
	bool found = false;

	if (!list)
		return err_sys(err, "read '%s'", dir->path);
	fd = -1; /* list's now */
	while (is_empty && (entry = readdir(list)))
		is_empty = !is_listed(entry->d_name);
	closedir(list);
	if (is_empty)
		return 0;
	if (image_dir_load_file(dir, VERSION_FILE, strlen(VERSION) * 2, &found, &version, err) < 0)
		return -1;
	if (found && strncmp(version.data, VERSION_TEXT, strlen(VERSION_TEXT)) == 0)
		return 0;
	return err_set(err, ERR_INPUT, "'%s' is neither a directory of skopeo's nor an empty one",
		       dir->path);
}

/* What @job sends, as one document with all below it written. */
static int write_below(const struct blob_dir *blobs, const struct push_job *job,
		       struct strbuf *out_bytes, struct err *err)
{
	auto_manifest struct manifest manifest = { .layers = NULL };

	if (job->root)
		return blob_dir_put_below(blobs, job->store, job->root, out_bytes, err);
	if (job->index) {
		strbuf_add(out_bytes, job->index->bytes.data, job->index->bytes.len);
		return blob_dir_put_parts(blobs, job->store, &job->index->document, err);
	}
	if (image_manifest(job->store, job->image, job->options, out_bytes, &manifest, err) < 0)
		return -1;
	return blob_dir_put_blobs(blobs, job->store, &manifest, err);
}

/* The manifest comes last: until then the image that was there is whole. */
int plain_dir_write(const char *rest, struct push_job *job, struct err *err)
{
	auto_strbuf struct strbuf bytes = STRBUF_INIT;
	auto_close int fd = -1;
	struct image_dir dir;
	struct blob_dir blobs;

	if (rest[0] == '\0')
		return err_set(err, ERR_USAGE, "'dir:' is not of the form " PLAIN_DIR_FORM);
	if (mkdir(rest, 0755) < 0 && errno != EEXIST)
		return err_sys(err, "make '%s'", rest);
	fd = open(rest, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open '%s'", rest);
	dir = dir_at(fd, rest);
	blobs = (struct blob_dir){ .path = rest, .suffix = SUFFIX, .fd = fd };
	if (check_taken(&dir, err) < 0 ||
	    blob_dir_put_bytes(fd, VERSION_FILE, VERSION, strlen(VERSION), true, err) < 0 ||
	    write_below(&blobs, job, &bytes, err) < 0 || interrupt_check(err) < 0)
		return -1;
	return blob_dir_put_bytes(fd, MANIFEST_FILE, bytes.data, bytes.len, true, err);
}
