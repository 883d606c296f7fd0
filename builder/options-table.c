/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the table of imgbuild's options, in groups. What is meant is in options.c. */
#include "builder/options.h"
#include "common/cmdline.h"

/* What is built, and from what. */
static void source_rows(struct options *out, struct cmdline_table *table)
{
	const struct cmdline_option rows[] = {
		{ 't', "tag", OPTION_LIST, &out->tags, "NAME[:TAG]",
		  "name the image (may be given several times)", NULL },
		{ 'f', "file", OPTION_STRING, &out->file, "FILE",
		  "the Buildfile, \"-\" for stdin (default: Buildfile, Containerfile or "
		  "Dockerfile in CONTEXT)",
		  NULL },
		{ 0, "ignorefile", OPTION_STRING, &out->ignorefile, "FILE",
		  "what of CONTEXT is left out (default: FILE.dockerignore or .containerignore "
		  "beside the Buildfile, else .containerignore or .dockerignore in CONTEXT)",
		  NULL },
		{ 0, "build-context", OPTION_LIST, &out->contexts, "NAME=VALUE",
		  "what FROM NAME and --from=NAME mean: a directory, docker-image://IMAGE, "
		  "oci-layout://DIR:TAG, a git repository or a URL of an archive",
		  NULL },
		{ 0, "build-arg", OPTION_LIST, &out->build_args, "NAME[=VALUE]",
		  "value of an ARG; without \"=VALUE\" that of the environment", NULL },
		{ 0, "build-arg-file", OPTION_LIST, &out->build_arg_files, "FILE",
		  "values of ARGs, a line each; --build-arg goes before them", NULL },
		{ 0, "from", OPTION_STRING, &out->from, "IMAGE",
		  "base of the first stage, instead of what its FROM says", NULL },
		{ 0, "env", OPTION_LIST, &out->env, "NAME[=VALUE]",
		  "an ENV at the head of each stage; without \"=VALUE\" that of the environment",
		  NULL },
		{ 0, "unsetenv", OPTION_LIST, &out->unset_env, "NAME",
		  "leave a variable out of the image; its steps still have it", NULL },
		{ 0, "unsetlabel", OPTION_LIST, &out->unset_labels, "NAME",
		  "leave a label out of the image, wherever it comes from", NULL },
		{ 0, "label", OPTION_LIST, &out->labels, "NAME=VALUE", "label of the image", NULL },
		{ 0, "annotation", OPTION_LIST, &out->annotations, "[PLACE:]KEY=VALUE",
		  "annotation of the image's manifest, or of PLACE: manifest, index or "
		  "manifest-descriptor, with \"[OS/ARCH]\" for one platform",
		  NULL },
		{ 0, "target", OPTION_STRING, &out->target, "STAGE",
		  "the stage to build (default: the last one)", NULL },
		{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL, NULL },
	};

	cmdline_table_add(table, rows);
}

/* Which steps run, and the layers that they make. */
static void layer_rows(struct options *out, struct cmdline_table *table)
{
	const struct cmdline_option rows[] = {
		{ 0, "no-cache", OPTION_FLAG, &out->no_cache, NULL,
		  "run every step; their results are remembered", NULL },
		{ 0, "no-cache-filter", OPTION_LIST, &out->uncached, "STAGE[,STAGE]",
		  "the same for the steps of these stages alone, by name or number", NULL },
		{ 0, "source-policy-file", OPTION_STRING, &out->policy_file, "FILE",
		  "rules for the images, URLs, repositories and directories that are used", NULL },
		{ 0, "skip-unused-stages", OPTION_FLAG, &out->skip_unused, NULL,
		  "leave out the stages that the target does not need (default: true)", NULL },
		{ 0, "layers", OPTION_FLAG, &out->layers, NULL,
		  "a layer for each step (default: true); false: as --squash --no-cache", NULL },
		{ 0, "squash", OPTION_FLAG, &out->squash, NULL,
		  "put the layers that are made into one, above those of the base", NULL },
		{ 0, "squash-all", OPTION_FLAG, &out->squash_all, NULL,
		  "put all layers into one, those of the base too", NULL },
		{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL, NULL },
	};

	cmdline_table_add(table, rows);
}

/* What becomes of the image, and its times. */
static void result_rows(struct options *out, struct cmdline_table *table)
{
	const struct cmdline_option rows[] = {
		{ 'o', "output", OPTION_LIST, &out->output, "type=TYPE[,NAME=VALUE]|DIR|-",
		  "also write the image (type registry, oci, docker) or its files (local, tar) "
		  "somewhere: dest=, name=, tar=, compression=, compression-level=, "
		  "force-compression=, oci-mediatypes=, registry.insecure=; image,push=true is "
		  "registry; cacheonly makes no image",
		  NULL },
		{ 0, "push", OPTION_FLAG, &out->push, NULL,
		  "send the image to the registries that its tags name: --output type=registry",
		  NULL },
		REGISTRY_FLAG_ROWS(&out->registry),
		{ 0, "load", OPTION_IGNORED, NULL, NULL, "accepted; the image is in the store",
		  NULL },
		{ 0, "report", OPTION_FLAG, &out->report, NULL,
		  "show with each step the size of its layer, its largest files, and what it "
		  "ships again for nothing",
		  NULL },
		{ 0, "report-file", OPTION_STRING, &out->report_file, "FILE",
		  "write the same to FILE, as JSON", NULL },
		{ 0, "verify", OPTION_FLAG, &out->verify, NULL,
		  "build twice without the cache, and fail where the two differ", NULL },
		{ 0, "timestamp", OPTION_STRING, &out->timestamp, "SECONDS",
		  "the time of the image and of all files in the layers that are made", NULL },
		{ 0, "source-date-epoch", OPTION_STRING, &out->source_date_epoch, "SECONDS",
		  "the time of the image; no file of the layers that are made is later "
		  "(default: $SOURCE_DATE_EPOCH)",
		  NULL },
		{ 0, "rewrite-timestamp", OPTION_FLAG, &out->rewrite_timestamp, NULL,
		  "have these two change the times of files (default: true)", NULL },
		{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL, NULL },
	};

	cmdline_table_add(table, rows);
}

/* What steps may use. */
static void step_rows(struct options *out, struct cmdline_table *table)
{
	const struct cmdline_option rows[] = {
		{ 0, "pull", OPTION_SWITCH, &out->pull, NULL,
		  "pull images that the Buildfile names: always (also --pull alone), missing, "
		  "newer, never (default: missing)",
		  PULL_WHEN_CHOICES },
		{ 0, "jobs", OPTION_STRING, &out->jobs, "N",
		  "stages that run at the same time (default: twice the processors, at least 8; "
		  "0: as many as can)",
		  NULL },
		{ 0, "network", OPTION_CHOICE, &out->network, "MODE",
		  "network of RUN steps (default: the host's)", "default|host|none" },
		RUN_SETTING_OPTIONS(&out->run),
		SECURITY_OPTIONS(&out->security),
		{ 'v', "volume", OPTION_LIST, &out->run.volumes, "DIR:TARGET[:ro|rw,O]",
		  "a directory or file that every RUN step sees at TARGET; O: what is written "
		  "is thrown away",
		  NULL },
		{ 0, "http-proxy", OPTION_FLAG, &out->http_proxy, NULL,
		  "RUN steps have the proxy variables of the environment (default: true)", NULL },
		{ 0, "secret", OPTION_LIST, &out->secrets, "id=NAME[,src=FILE|,env=VAR]",
		  "a secret for RUN --mount=type=secret,id=NAME", NULL },
		{ 0, "ssh", OPTION_LIST, &out->agents, "default|NAME[=SOCKET]",
		  "an SSH agent for RUN --mount=type=ssh,id=NAME (default: $SSH_AUTH_SOCK)", NULL },
		{ 0, "allow", OPTION_LIST, &out->allowed, "WHAT",
		  "let the Buildfile have network.host or security.insecure", NULL },
		{ 0, "unpack-limit", OPTION_LIST, &out->unpack_limits, "NAME=NUMBER",
		  "how much may come out of an archive: bytes, entries, depth, ratio", NULL },
		{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL, NULL },
	};

	cmdline_table_add(table, rows);
}

/* What the image is for, what is said of it, and what of this host is used. */
static void host_rows(struct options *out, struct cmdline_table *table)
{
	const struct cmdline_option rows[] = {
		{ 0, "platform", OPTION_LIST, &out->platforms, "OS/ARCH[/VARIANT],...",
		  "what the image is for (default: this machine); of several an index of "
		  "images is made",
		  NULL },
		{ 0, "iidfile", OPTION_STRING, &out->iidfile, "FILE", "write the image ID to FILE",
		  NULL },
		{ 0, "metadata-file", OPTION_STRING, &out->metadata_file, "FILE",
		  "write names and digests of what was built to FILE, as JSON", NULL },
		{ 0, "progress", OPTION_CHOICE, &out->progress, "MODE",
		  "what is shown on stderr (default: auto, which is plain)", "auto|plain|quiet" },
		{ 0, "call", OPTION_STRING, &out->call, "METHOD[,format=json]",
		  "ask the Buildfile instead of building it: check, outline or targets", NULL },
		{ 0, "check", OPTION_FLAG, &out->check, NULL,
		  "the same as --call=check: show what is unwise in the Buildfile", NULL },
		{ 'q', "quiet", OPTION_FLAG, &out->quiet, NULL, "show nothing but the image ID",
		  NULL },
		{ 0, "root", OPTION_STRING, &out->root, "DIR", "the store", NULL },
		OPTION_ADD_STORE,
		{ 0, "storage-driver", OPTION_STRING, &out->storage_driver, "NAME",
		  "how layers are put together: overlay, overlay-mount, fuse or copy (default: the "
		  "first that can "
		  "be "
		  "used here)",
		  NULL },
		{ 0, "isolation", OPTION_CHOICE, &out->isolation, "HOW",
		  "how commands are kept apart (default: auto, the first that this host allows)",
		  "auto|namespaces|single-id|chroot" },
		{ 0, "runtime", OPTION_STRING, &out->runtime, "PROGRAM",
		  "have an OCI runtime run the commands, as runc or crun", NULL },
		{ 0, "rm", OPTION_IGNORED, NULL, NULL, "accepted; nothing is ever left", NULL },
		{ 0, "force-rm", OPTION_IGNORED, NULL, NULL, "accepted; nothing is ever left",
		  NULL },
		{ 0, "compress", OPTION_IGNORED, NULL, NULL,
		  "accepted; layers are compressed when they leave", NULL },
		{ 0, "disable-content-trust", OPTION_IGNORED, NULL, NULL,
		  "accepted; there is no content trust", NULL },
		{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL, NULL },
	};

	cmdline_table_add(table, rows);
}

int options_table_parse(int argc, char **argv, struct options *out, struct strlist *out_args,
			bool *out_done, struct err *err)
{
	auto_cmdline_table struct cmdline_table table = { .rows = NULL };
	struct cmdline cmdline = {
		.program = "imgbuild",
		.synopsis = "[OPTIONS] CONTEXT",
		.summary = "Build an image from a Buildfile (or Dockerfile) and the files in "
			   "CONTEXT,\na directory, a git repository or a URL; with \"-\" stdin "
			   "is a tar of it, or the\nBuildfile. The ID of the image is printed on "
			   "stdout.",
		.min_args = 1,
		.max_args = 1,
	};

	source_rows(out, &table);
	layer_rows(out, &table);
	result_rows(out, &table);
	step_rows(out, &table);
	host_rows(out, &table);
	cmdline.options = table.rows;
	return cmdline_parse(&cmdline, argc, argv, out_args, out_done, err);
}
