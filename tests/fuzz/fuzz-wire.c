/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox program's input: whatever is taken as a description has what the
 * program relies on, and is the same after another way there and back.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/description.h"
#include "sandbox/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_usable(const struct sandbox_description *description,
			   const struct wire_head *head)
{
	const int end = WIRE_FIRST_FD + (int)head->fd_count;

	if (description->root_fd < WIRE_FIRST_FD || description->root_fd >= end)
		abort();
	if (description->seccomp_fd >= end || description->argv.count == 0)
		abort();
	for (size_t i = 0; i < description->mount_count; i++)
		if (description->mounts[i].source_fd >= end || !description->mounts[i].target)
			abort();
}

static void must_survive(const struct sandbox_description *description)
{
	auto_sandbox_description struct sandbox_description again = SANDBOX_DESCRIPTION_INIT;
	auto_strbuf struct strbuf bytes = STRBUF_INIT;
	auto_strbuf struct strbuf first = STRBUF_INIT;
	auto_strbuf struct strbuf second = STRBUF_INIT;
	struct wire_fds fds;
	struct wire_head head;
	struct err err = ERR_INIT;

	if (wire_encode(description, 1, &bytes, &fds, &err) < 0)
		return;
	if (wire_decode(bytes.data, bytes.len, &head, &again, &err) < 0)
		abort();
	sandbox_description_print(description, &first);
	sandbox_description_print(&again, &second);
	if (strcmp(first.data, second.data) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_sandbox_description struct sandbox_description got = SANDBOX_DESCRIPTION_INIT;
	struct wire_head head;
	struct err err = ERR_INIT;

	if (wire_decode((const char *)data, size, &head, &got, &err) < 0)
		return 0;
	must_be_usable(&got, &head);
	must_survive(&got);
	return 0;
}
