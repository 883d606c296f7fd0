/* SPDX-License-Identifier: Apache-2.0 */
/* The small grammars of values: what is taken is in its range, what is not is told. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "builder/value.h"
#include "common/mem.h"
#include "common/signals.h"
#include "common/size.h"

#define PORTS_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_told(int result, const struct err *err)
{
	if (result < 0 && (err->kind != ERR_INPUT || !err->text[0]))
		abort();
}

static void check_ports(const char *text)
{
	auto_strlist struct strlist ports = STRLIST_INIT;
	struct err err = ERR_INIT;
	struct err same = ERR_INIT;
	int result = value_ports(text, &ports, NULL, &err);

	must_be_told(result, &err);
	if (value_ports(text, NULL, NULL, &same) != result || ports.count > PORTS_MAX)
		abort();
	for (size_t i = 0; i < ports.count; i++) {
		long port = strtol(ports.items[i], NULL, 10);

		if (port < 0 || port > 65535 || !strchr(ports.items[i], '/'))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = str_ndup((const char *)data, size);
	struct err errs[4] = { ERR_INIT, ERR_INIT, ERR_INIT, ERR_INIT };
	uint64_t bytes;
	int64_t ns;
	bool flag;
	int number;

	must_be_told(value_duration(text, &ns, &errs[0]), &errs[0]);
	must_be_told(signal_parse(text, &number, &errs[1]), &errs[1]);
	must_be_told(value_bool(text, &flag, &errs[2]), &errs[2]);
	must_be_told(size_parse(text, &bytes, &errs[3]), &errs[3]);
	value_is_stage_name(text);
	check_ports(text);
	return 0;
}
