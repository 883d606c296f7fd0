/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the table of imgrun's options, in groups. What is meant is in run-options.c. */
#include "sandbox/run-table.h"

#include "common/cmdline.h"
#include "storage/image-pull.h"

void run_texts_release(struct run_texts *texts)
{
	run_setting_texts_release(&texts->settings);
	security_texts_release(&texts->security);
	strlist_release(&texts->env);
	strlist_release(&texts->env_files);
	strlist_release(&texts->labels);
	strlist_release(&texts->label_files);
	strlist_release(&texts->volumes);
	strlist_release(&texts->tmpfs);
	strlist_release(&texts->mounts);
	strlist_release(&texts->sysctls);
	strlist_release(&texts->args);
}

/* What becomes of it, and what it is called. */
static void frame_rows(struct run_options *run, struct run_texts *texts, struct cmdline_table *out)
{
	const struct cmdline_option rows[] = {
		{ 'i', "interactive", OPTION_FLAG, &run->interactive, NULL,
		  "the container reads our standard input", NULL },
		{ 't', "tty", OPTION_FLAG, &run->terminal, NULL,
		  "the container gets a terminal of its own", NULL },
		{ 'd', "detach", OPTION_FLAG, &run->is_detached, NULL,
		  "run it in the background and print its ID; see imgstore logs, stop, exec",
		  NULL },
		{ 0, "detach-keys", OPTION_STRING, &texts->detach_keys, "KEYS",
		  "with -it: what is typed to leave it to itself (default: " DETACH_KEYS_DEFAULT
		  ")",
		  NULL },
		{ 0, "rm", OPTION_FLAG, &run->remove_after, NULL,
		  "remove the container when it has ended", NULL },
		{ 0, "commit", OPTION_STRING, &run->commit_name, "NAME[:TAG]",
		  "make an image of what it has changed, when it ends with status 0", NULL },
		{ 0, "name", OPTION_STRING, &run->name, "NAME", "name the container", NULL },
		{ 'l', "label", OPTION_LIST, &texts->labels, "NAME=VALUE",
		  "what imgstore ps shows of it", NULL },
		{ 0, "label-file", OPTION_LIST, &texts->label_files, "FILE",
		  "labels from the lines of a file", NULL },
		{ 0, "cidfile", OPTION_STRING, &run->cid_file, "FILE", "write its ID to FILE",
		  NULL },
		{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL, NULL },
	};

	cmdline_table_add(out, rows);
}

/* What its command sees and is. */
static void command_rows(struct run_options *run, struct run_texts *texts,
			 struct cmdline_table *out)
{
	const struct cmdline_option rows[] = {
		{ 'e', "env", OPTION_LIST, &texts->env, "KEY[=VALUE]",
		  "set a variable, or hand on ours", NULL },
		{ 0, "env-file", OPTION_LIST, &texts->env_files, "FILE",
		  "set variables from the lines of a file", NULL },
		{ 'w', "workdir", OPTION_STRING, &run->workdir, "DIR", "start in this directory",
		  NULL },
		{ 'u', "user", OPTION_STRING, &run->user, "USER[:GROUP]",
		  "run as this user of the image, or as a number", NULL },
		{ 'v', "volume", OPTION_LIST, &texts->volumes, "SOURCE:CONTAINER[:ro|rw|O]",
		  "show a file or directory of the host, or a volume of that name", NULL },
		{ 0, "tmpfs", OPTION_LIST, &texts->tmpfs, "CONTAINER[:OPTIONS]",
		  "a file system in memory, as in /run:size=64m,mode=0755", NULL },
		{ 0, "mount", OPTION_LIST, &texts->mounts, "type=bind|volume|tmpfs,...",
		  "the same in words: source=, target=, readonly, tmpfs-size=, tmpfs-mode=", NULL },
		{ 0, "volumes-from", OPTION_LIST, &run->volumes_from, "CONTAINER[:ro|rw]",
		  "the volumes of another container, at the same places", NULL },
		{ 0, "entrypoint", OPTION_STRING, &run->entrypoint, "COMMAND",
		  "run this instead of the image's entrypoint", NULL },
		{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL, NULL },
	};

	cmdline_table_add(out, rows);
}

/* What it has of its own, and what it shares. */
static void namespace_rows(struct run_options *run, struct run_texts *texts,
			   struct cmdline_table *out)
{
	const struct cmdline_option rows[] = {
		{ 0, "network", OPTION_STRING, &texts->network, "host|none|private|container:NAME",
		  "the host's network (default), none, one of its own (by \"pasta\" or "
		  "\"slirp4netns\"), or another's",
		  NULL },
		{ 'p', "publish", OPTION_LIST, &run->ports, "[IP:]HOST:CONTAINER[/udp]",
		  "with --network=private: a port of the host that leads into it", NULL },
		{ 'P', "publish-all", OPTION_FLAG, &run->publishes_all, NULL,
		  "the same for each port that the image exposes, from one that is free", NULL },
		{ 0, "pid", OPTION_STRING, &run->namespaces.items[NAMESPACE_PID].text,
		  "private|host|container:NAME", "whose processes it sees (default: its own)",
		  NULL },
		{ 0, "ipc", OPTION_STRING, &run->namespaces.items[NAMESPACE_IPC].text,
		  "private|host|container:NAME", "whose System V IPC and message queues", NULL },
		{ 0, "uts", OPTION_STRING, &run->namespaces.items[NAMESPACE_UTS].text,
		  "private|host|container:NAME", "whose host name", NULL },
		{ 0, "cgroupns", OPTION_STRING, &run->namespaces.items[NAMESPACE_CGROUP].text,
		  "private|host|container:NAME", "whose view of control groups", NULL },
		{ 0, "userns", OPTION_STRING, &run->ids.text,
		  "host|private|keep-id|auto[:size=COUNT]",
		  "whose user ids it has; auto: some that nobody else has", NULL },
		{ 0, "uidmap", OPTION_LIST, &run->ids.uid_maps, "INSIDE:OUTSIDE[:COUNT]",
		  "users of the container and which they are on the host", NULL },
		{ 0, "gidmap", OPTION_LIST, &run->ids.gid_maps, "INSIDE:OUTSIDE[:COUNT]",
		  "the same of groups (default: as --uidmap)", NULL },
		{ 0, "subuidname", OPTION_STRING, &run->ids.uid_name, "USER",
		  "its users are the subordinate ids of USER", NULL },
		{ 0, "subgidname", OPTION_STRING, &run->ids.gid_name, "USER",
		  "its groups are (default: as --subuidname)", NULL },
		{ 0, "time-offset", OPTION_STRING, &texts->time_offset, "SECONDS",
		  "its monotonic and boot clocks are so far ahead of the host's", NULL },
		{ 'h', "hostname", OPTION_STRING, &run->hostname, "NAME",
		  "the container's host name", NULL },
		{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL, NULL },
	};

	cmdline_table_add(out, rows);
}

/* What it may do, and how much. */
static void right_rows(struct run_options *run, struct run_texts *texts, struct cmdline_table *out)
{
	const struct cmdline_option rows[] = {
		RUN_SETTING_OPTIONS(&texts->settings),
		{ 0, "limits-in-proc", OPTION_FLAG, &run->shows_limits, NULL,
		  "its /proc shows how much of the machine it may use, not all there is", NULL },
		{ 0, "read-only", OPTION_FLAG, &run->read_only, NULL,
		  "the container's root cannot be written to", NULL },
		SECURITY_OPTIONS(&texts->security),
		{ 0, "privileged", OPTION_FLAG, &texts->security.is_privileged, NULL,
		  "hold nothing back: all capabilities, devices and paths, no filter", NULL },
		{ 0, "sysctl", OPTION_LIST, &texts->sysctls, "NAME=VALUE",
		  "a setting of the kernel that it has of its own, as net.ipv4.ip_forward", NULL },
		{ 0, "init", OPTION_FLAG, &run->has_init, NULL,
		  "a first process that hands on signals and takes in orphans", NULL },
		{ 0, "stop-signal", OPTION_STRING, &texts->stop_signal, "SIGNAL",
		  "what imgstore stop sends (default: the image's, or TERM)", NULL },
		{ 0, "stop-timeout", OPTION_STRING, &texts->stop_timeout, "SECONDS",
		  "how long it has then (default: 10)", NULL },
		{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL, NULL },
	};

	cmdline_table_add(out, rows);
}

/* Where its image comes from, and who runs it. */
static void image_rows(struct run_options *run, struct run_texts *texts, struct cmdline_table *out)
{
	const struct cmdline_option rows[] = {
		{ 0, "pull", OPTION_CHOICE, &run->pull, "WHEN",
		  "bring the image from its registry (default: missing)", PULL_WHEN_CHOICES },
		{ 0, "authfile", OPTION_STRING, &run->authfile, "FILE", "credentials for that",
		  NULL },
		{ 0, "tls-verify", OPTION_SWITCH, &run->tls_verify, NULL,
		  "check the registry's certificate, and speak https only", NULL },
		{ 0, "runtime", OPTION_STRING, &run->runtime, "PROGRAM",
		  "have an OCI runtime run it, as runc or crun", NULL },
		{ 0, "bundle", OPTION_STRING, &run->bundle, "DIR",
		  "make an OCI bundle in DIR, and run nothing", NULL },
		{ 0, "platform", OPTION_STRING, &run->platform, "OS/ARCH[/VARIANT]",
		  "of an image for several platforms, run this one's (default: this machine's)",
		  NULL },
		{ 0, "print-description", OPTION_FLAG, &run->print_description, NULL,
		  "print what would be done, run nothing", NULL },
		{ 0, "isolation", OPTION_CHOICE, &run->isolation, "HOW",
		  "how the command is kept apart (default: auto, the first that this host allows)",
		  "auto|namespaces|single-id|chroot" },
		{ 0, "storage-driver", OPTION_STRING, &run->storage_driver, "NAME",
		  "how layers are put together: overlay, overlay-mount, fuse or copy "
		  "(default: the first that can be used here)",
		  NULL },
		{ 0, "root", OPTION_STRING, &run->root, "DIR",
		  "the store (default: $IMGBUILD_ROOT, else the user's own)", NULL },
		OPTION_ADD_STORE,
		{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL, NULL },
	};

	(void)texts;
	cmdline_table_add(out, rows);
}

int run_table_parse(int argc, char **argv, struct run_options *run, struct run_texts *texts,
		    struct err *err)
{
	static void (*const groups[])(struct run_options * run, struct run_texts * texts,
				      struct cmdline_table * out) = {
		frame_rows, command_rows, namespace_rows, right_rows, image_rows,
	};
	auto_cmdline_table struct cmdline_table table = { .rows = NULL };
	struct cmdline cmdline = {
		.program = "imgrun",
		.synopsis = "[OPTIONS] IMAGE [COMMAND [ARGUMENT…]]",
		.summary = "Run a container of an image. The exit status is the command's own, 125 "
			   "when\nimgrun failed, 126 or 127 when the command could not be run.",
		.min_args = 1,
		.max_args = SIZE_MAX,
		.stop_at_positional = true,
	};

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		groups[i](run, texts, &table);
	cmdline.options = table.rows;
	return cmdline_parse(&cmdline, argc, argv, &texts->args, &run->is_done, err);
}
