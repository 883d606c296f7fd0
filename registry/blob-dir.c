/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for writing blobs of the store into a directory that holds images. */
#include "registry/blob-dir.h"

#include <errno.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/tmpfile.h"
#include "layers/config.h"
#include "registry/interrupt.h"
#include "storage/blob.h"

int blob_dir_put_bytes(int dir_fd, const char *name, const char *data, size_t len, bool replace,
		       struct err *err)
{
	auto_tmpfile struct tmpfile tmp = TMPFILE_INIT;

	if (tmpfile_open(&tmp, dir_fd, err) < 0 || fd_write_all(tmp.fd, data, len, name, err) < 0)
		return -1;
	return replace ? tmpfile_replace(&tmp, name, err) : tmpfile_commit(&tmp, name, err);
}

static int has_blob(const struct blob_dir *dir, const char *hex, uint64_t size, bool *out_has,
		    struct err *err)
{
	struct stat st;

	*out_has = false;
	if (fstatat(dir->fd, hex, &st, 0) < 0)
		return errno == ENOENT ? 0 : err_sys(err, "stat '%s/%s'", dir->path, hex);
	*out_has = S_ISREG(st.st_mode) && (uint64_t)st.st_size == size;
	return 0;
}

/* Copy a blob of the store; a file of that name with another length is damaged, and replaced. */
static int put_blob(const struct blob_dir *dir, struct store *store, const struct descriptor *blob,
		    struct err *err)
{
	auto_tmpfile struct tmpfile tmp = TMPFILE_INIT;
	auto_close int fd = -1;
	char hex[DIGEST_HEX_MAX];
	uint64_t copied = 0;
	bool has = false;

	digest_hex(&blob->digest, hex);
	if (interrupt_check(err) < 0 || has_blob(dir, hex, blob->size_bytes, &has, err) < 0)
		return -1;
	if (has)
		return 0;
	log_info("blob sha256:%s (%llu bytes)", hex, (unsigned long long)blob->size_bytes);
	fd = blob_open(store, &blob->digest, err);
	if (fd < 0 || tmpfile_open(&tmp, dir->fd, err) < 0 ||
	    fd_copy_uncached(fd, tmp.fd, &copied, hex, err) < 0)
		return -1;
	if (copied != blob->size_bytes)
		return err_set(err, ERR_INPUT,
			       "the store is damaged: blob %s has %llu bytes instead of %llu", hex,
			       (unsigned long long)copied, (unsigned long long)blob->size_bytes);
	return tmpfile_replace(&tmp, hex, err);
}

int blob_dir_put_document(const struct blob_dir *dir, const struct digest *digest,
			  const struct strbuf *bytes, struct err *err)
{
	char hex[DIGEST_HEX_MAX];
	auto_free char *name = str_format("%s%s", digest_hex(digest, hex), dir->suffix);

	return blob_dir_put_bytes(dir->fd, name, bytes->data, bytes->len, true, err);
}

int blob_dir_put_blobs(const struct blob_dir *dir, struct store *store,
		       const struct manifest *manifest, struct err *err)
{
	auto_strbuf struct strbuf config = STRBUF_INIT;
	char hex[DIGEST_HEX_MAX];

	for (size_t i = 0; i < manifest->layer_count; i++)
		if (put_blob(dir, store, &manifest->layers[i], err) < 0)
			return -1;
	/* documents are short: read whole and compared with their digest on the way */
	if (blob_load(store, &manifest->config.digest, CONFIG_MAX_BYTES, &config, err) < 0)
		return -1;
	return blob_dir_put_bytes(dir->fd, digest_hex(&manifest->config.digest, hex), config.data,
				  config.len, true, err);
}

/* The store took an index in no deeper than it may be. */
int blob_dir_put_parts(const struct blob_dir *dir, struct store *store, const struct index *index,
		       struct err *err)
{
	for (size_t i = 0; i < index->manifest_count; i++)
		if (blob_dir_put_part(dir, store, &index->manifests[i], err) < 0)
			return -1;
	return 0;
}

int blob_dir_put_part(const struct blob_dir *dir, struct store *store,
		      const struct descriptor *part, struct err *err)
{
	auto_strbuf struct strbuf bytes = STRBUF_INIT;

	if (blob_dir_put_below(dir, store, part, &bytes, err) < 0)
		return -1;
	return blob_dir_put_document(dir, &part->digest, &bytes, err);
}

int blob_dir_put_below(const struct blob_dir *dir, struct store *store,
		       const struct descriptor *part, struct strbuf *out_bytes, struct err *err)
{
	auto_manifest struct manifest manifest = { .layers = NULL };
	auto_index struct index index = { .manifests = NULL };
	enum media_kind kind = MEDIA_UNKNOWN;
	char name[DIGEST_NAME_MAX];

	digest_name(&part->digest, name);
	if (blob_load(store, &part->digest, MANIFEST_MAX_BYTES, out_bytes, err) < 0 ||
	    manifest_detect(out_bytes->data, out_bytes->len, part->media_type, name, &kind, err) <
		    0)
		return -1;
	if (kind == MEDIA_INDEX)
		return index_parse(out_bytes->data, out_bytes->len, part->media_type, name, &index,
				   err) < 0
			       ? -1
			       : blob_dir_put_parts(dir, store, &index, err);
	if (manifest_parse(out_bytes->data, out_bytes->len, part->media_type, name, &manifest,
			   err) < 0)
		return -1;
	return blob_dir_put_blobs(dir, store, &manifest, err);
}
