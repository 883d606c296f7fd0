/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAYERS_TAR_HEADER_INTERNAL_H
#define LAYERS_TAR_HEADER_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/strbuf.h"
#include "layers/entry.h"

#define TAR_BLOCK_BYTES 512

/*
 * The bytes before a member's content:
 *
 *   header   = [ extended ] ustar
 *   extended = ustar (typeflag "x") records padding
 *   record   = length " " key "=" value "\n"      length: decimal, of the whole record
 *
 * @name is the entry's name in the tar, with the "/" of a directory. Appends to @out, whole blocks.
 * ERR_INPUT when an attribute has a name that no record can hold.
 */
int tar_header_format(const struct entry *entry, const char *name, struct strbuf *out,
		      struct err *err);

#endif
