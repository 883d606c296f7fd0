/* SPDX-License-Identifier: Apache-2.0 */
/* Tar indexes: every file that is found lies inside the archive. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "common/fd.h"
#include "layers/tarindex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_tarindex struct tarindex index = TARINDEX_INIT;
	auto_close int fd = memfd_create("input", MFD_CLOEXEC);
	struct err err = ERR_INIT;

	if (fd < 0 || !fd_write_quiet(fd, data, size))
		return 0;
	if (tarindex_load(fd, "input", &index, &err) < 0)
		return 0;
	for (size_t i = 0; i < index.count; i++) {
		const struct tarindex_entry *found = tarindex_find(&index, index.entries[i].name);

		if (!found && !index.entries[i].is_link)
			abort();
		if (found && (found->is_link || found->offset > size ||
			      found->size_bytes > size - found->offset))
			abort();
	}
	return 0;
}
