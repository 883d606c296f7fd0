/* SPDX-License-Identifier: Apache-2.0 */
/* --chmod: what is taken gives permissions and nothing else, for every mode that a file can have.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "builder/chmod.h"
#include "common/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const mode_t types[] = { S_IFREG, S_IFDIR };
	auto_free char *text = str_ndup((const char *)data, size);
	struct chmod chmod = { .is_set = false };
	struct err err = ERR_INIT;

	if (chmod_parse(text, &chmod, &err) < 0) {
		if (err.kind != ERR_INPUT)
			abort();
		return 0;
	}
	if (!chmod.is_set || chmod.count > CHMOD_ACTIONS_MAX)
		abort();
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		mode_t first = chmod_apply(&chmod, types[i]);

		for (mode_t mode = 0; mode <= 07777; mode += 0111) {
			mode_t got = chmod_apply(&chmod, types[i] | mode);

			if (got & ~(mode_t)07777)
				abort();
			if (chmod_is_fixed(&chmod) && got != first)
				abort();
		}
	}
	return 0;
}
