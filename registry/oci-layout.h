/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_OCI_LAYOUT_H
#define REGISTRY_OCI_LAYOUT_H

#include "registry/transport.h"

/*
 * OCI image layouts (image-spec image-layout.md): a directory with
 *
 *   oci-layout             {"imageLayoutVersion":"1.0.0"}
 *   index.json             what it holds, a tag in the annotation org.opencontainers.image.ref.name
 *   blobs/sha256/HEX
 */
#define OCI_LAYOUT_FORM    "oci:DIR[:TAG]"
#define OCI_LAYOUT_VERSION "1.0.0"
#define OCI_LAYOUT_MAX     ((size_t)4096) /* bytes of the file oci-layout */
#define OCI_REF_NAME       "org.opencontainers.image.ref.name"

/* Functions of the transport's row. */
int oci_layout_read(const char *rest, struct store *store, struct image_reader **out,
		    struct err *err);
int oci_layout_write(const char *rest, struct push_job *job, struct err *err);

/* The same, said in parts; @tag may be NULL. */
int oci_layout_write_at(const char *path, const char *tag, const struct push_job *job,
			struct err *err);

/* Check the version in the file oci-layout. *out_found false, and no error, when there is no such
 * file. */
int oci_layout_check(int dir_fd, const char *path, bool *out_found, struct err *err);
/* Load index.json. *out_found false, and no error, when there is none. */
int oci_layout_load_index(int dir_fd, const char *path, bool *out_found, struct index *out,
			  struct err *err);

#endif
