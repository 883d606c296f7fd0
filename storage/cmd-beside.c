/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imgstore exec: it needs the sandbox, which is on a floor above: a program
 * of its own does it.
 */
#include <stdio.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/proc.h"
#include "common/strbuf.h"
#include "storage/cmd-internal.h"

#define EXIT_OURS 125

static int become(int argc, char **argv)
{
	auto_strbuf struct strbuf path = STRBUF_INIT;
	auto_free char **args = mem_array((size_t)argc + 2, sizeof(args[0]));
	struct err err = ERR_INIT;

	if (proc_find_own("sandbox", "container", &path, &err) == 0) {
		args[0] = path.data;
		for (int i = 0; i < argc; i++)
			args[i + 1] = argv[i];
		execv(path.data, args);
		err_sys(&err, "start '%s'", path.data);
	}
	err_print(&err, "imgstore");
	return EXIT_OURS;
}

int cmd_exec(int argc, char **argv)
{
	return become(argc, argv);
}
