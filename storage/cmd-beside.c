/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imgstore exec and bundle: they need the sandbox, which is on a floor above: other programs do
 * them.
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

/* "imgstore bundle [OPTIONS] IMAGE DIR" is "imgrun --bundle DIR IMAGE". */
static int bundle(const char *root, const char *image, const char *dir, struct err *err)
{
	auto_strbuf struct strbuf path = STRBUF_INIT;
	const char *argv[8];
	size_t count = 0;

	if (proc_self_dir(&path, err) < 0)
		return -1;
	strbuf_puts(&path, "/imgrun");
	argv[count++] = path.data;
	if (root) {
		argv[count++] = "--root";
		argv[count++] = root;
	}
	argv[count++] = "--bundle";
	argv[count++] = dir;
	argv[count++] = image;
	argv[count] = NULL;
	execv(path.data, (char *const *)argv);
	return err_sys(err, "start '%s'", path.data);
}

int cmd_bundle(int argc, char **argv)
{
	const char *root = NULL;
	const struct cmdline_option options[] = { OPTION_ROOT(&root), OPTION_END };
	const struct cmdline cmdline = { .program = "imgstore bundle",
					 .synopsis = "[OPTIONS] IMAGE DIR",
					 .summary = "Make an OCI bundle in DIR, for runc and other "
						    "runtimes: config.json, and the\nimage's files "
						    "below rootfs, which can be written to. The ID "
						    "of the container\nthat has them is printed; "
						    "imgstore rm takes all of it away. More can be "
						    "said by\nimgrun --bundle.",
					 .options = options,
					 .min_args = 2,
					 .max_args = 2 };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (command_begin(&cmdline, argc, argv, &args, &err))
		(void)bundle(root, args.items[0], args.items[1], &err); /* returns only to tell */
	return command_end(&err);
}
