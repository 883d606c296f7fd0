/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the names of places: which transport reads and writes one. */
#include "registry/transport.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "registry/docker-archive.h"
#include "registry/oci-archive.h"
#include "registry/oci-layout.h"
#include "registry/plain-dir.h"
#include "registry/registry-push.h"

#define SUPPORTED \
	"use docker://REF, oci:DIR[:TAG], oci-archive:FILE[:TAG] or docker-archive:FILE[:REF]"

static const struct transport transports[] = {
	{
		.name = "oci",
		.form = "oci:DIR[:TAG]",
		.read = oci_layout_read,
		.write = oci_layout_write,
		.has_compression = true,
		.has_indexes = true,
		.has_blobs = true,
	},
	{
		.name = "docker-archive",
		.form = "docker-archive:FILE[:REF]",
		.read = docker_archive_read,
		.write = docker_archive_write,
	},
	{
		.name = "docker",
		.form = "docker://[HOST[:PORT]/]PATH[:TAG]",
		.write = registry_write,
		.has_compression = true,
		.has_indexes = true,
		.has_blobs = true,
		.is_registry = true,
	},
	{
		.name = "oci-archive",
		.form = OCI_ARCHIVE_FORM,
		.read = oci_archive_read,
		.write = oci_archive_write,
		.has_compression = true,
		.has_indexes = true,
		.has_blobs = true,
	},
	{
		.name = "dir",
		.form = PLAIN_DIR_FORM,
		.read = plain_dir_read,
		.write = plain_dir_write,
		.has_compression = true,
		.has_indexes = true,
		.has_blobs = true,
	},
	{ .name = "docker-daemon",
	  .instead = "a daemon's store is not read; use 'docker save' or 'docker load' and "
		     "docker-archive:FILE[:REF]" },
	{ .name = "containers-storage",
	  .instead = "podman's store is not read; use 'podman save' or 'podman load' and "
		     "docker-archive:FILE[:REF]" },
};

void image_reader_free(struct image_reader *reader)
{
	if (!reader)
		return;
	index_release(&reader->roots);
	strlist_release(&reader->names);
	reader->free(reader);
}

void image_reader_auto_free(struct image_reader **reader)
{
	image_reader_free(*reader);
	*reader = NULL;
}

static const struct transport *row_of(const char *place)
{
	size_t len = strcspn(place, ":");

	for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++)
		if (strlen(transports[i].name) == len && place[len] == ':' &&
		    strncmp(place, transports[i].name, len) == 0)
			return &transports[i];
	return NULL;
}

bool transport_is_named(const char *place)
{
	return row_of(place) != NULL;
}

const struct transport *transport_find(const char *place, const char **out_rest, struct err *err)
{
	const struct transport *transport = row_of(place);

	if (!transport) {
		err_set(err, ERR_USAGE, "'%s' is no place for images; " SUPPORTED, place);
		return NULL;
	}
	if (!transport->write) {
		err_set(err, ERR_USAGE, "'%s': %s", place, transport->instead);
		return NULL;
	}
	*out_rest = strchr(place, ':') + 1;
	return transport;
}

int transport_split_path(const char *text, const char *form, char **out_path, char **out_rest,
			 struct err *err)
{
	const char *colon = strchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);

	if (len == 0 || (colon && colon[1] == '\0'))
		return err_set(err, ERR_USAGE, "'%s' is not of the form %s", text, form);
	*out_path = str_ndup(text, len);
	*out_rest = colon ? str_dup(colon + 1) : NULL;
	return 0;
}
