/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_OCI_ARCHIVE_H
#define REGISTRY_OCI_ARCHIVE_H

#include "registry/transport.h"

/* The tar of an OCI image layout (oci-layout.h); what we write has one image in it. */
#define OCI_ARCHIVE_FORM "oci-archive:FILE[:TAG]"

/* Functions of the transport's row. */
int oci_archive_read(const char *rest, struct store *store, struct image_reader **out,
		     struct err *err);
/*
 * The same image and options always give the same bytes: no
 * owner and no time is in the tar. Needs room for a layout in the store's tmp/ on the way.
 */
int oci_archive_write(const char *rest, struct push_job *job, struct err *err);

#endif
