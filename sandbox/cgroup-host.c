/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for which hierarchies of control groups this host has, and where we are in them. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "sandbox/cgroup-internal.h"

#define FILE_MAX_BYTES ((size_t)4 * 1024 * 1024)

void cgroup_host_release(struct cgroup_host *host)
{
	for (size_t i = 0; i < host->count; i++) {
		free(host->items[i].mount);
		free(host->items[i].own);
		strlist_release(&host->items[i].controllers);
	}
	free(host->items);
	*host = (struct cgroup_host){ .items = NULL };
}

/* Words at @at, parted by one of @separators. */
static void add_words(char *at, const char *separators, struct strlist *out)
{
	char *word;

	while ((word = strsep(&at, separators)))
		if (*word)
			strlist_add(out, word);
}

/* "ID PARENT MAJ:MIN ROOT MOUNT OPTIONS [TAGS…] - TYPE SOURCE SUPER-OPTIONS" */
static void take_mount(char *line, struct strlist *roots, struct cgroup_host *out)
{
	char *tail = strstr(line, " - ");
	char *words[5] = { NULL };
	char *type, *options;
	struct cgroup_hierarchy *row;

	for (size_t i = 0; tail && i < 5; i++)
		words[i] = strsep(&line, " ");
	if (!tail || !words[4])
		return;
	tail += 3;
	type = strsep(&tail, " ");
	strsep(&tail, " ");
	options = tail;
	if (!options || (strcmp(type, "cgroup") != 0 && strcmp(type, "cgroup2") != 0))
		return;
	out->items = mem_resize(out->items, out->count + 1, sizeof(out->items[0]));
	row = &out->items[out->count++];
	*row = (struct cgroup_hierarchy){ .is_v2 = type[6] == '2',
					  .mount = str_dup(words[4]),
					  .own = str_dup("") };
	strlist_add(roots, words[3]);
	if (!row->is_v2)
		add_words(options, ",", &row->controllers);
}

static bool has_all(const struct cgroup_hierarchy *row, const struct strlist *controllers)
{
	for (size_t i = 0; i < controllers->count; i++)
		if (!strlist_has(&row->controllers, controllers->items[i]))
			return false;
	return controllers->count > 0;
}

/* What the mount shows as its root may be a group itself. */
static void set_own(struct cgroup_hierarchy *row, const char *root, const char *path)
{
	size_t len = strlen(root);

	free(row->own);
	if (strcmp(root, "/") != 0 && strncmp(path, root, len) == 0 &&
	    (path[len] == '/' || path[len] == '\0'))
		path += len;
	row->own = str_dup(strcmp(path, "/") == 0 ? "" : path);
}

/* "NUMBER:CONTROLLERS:PATH"; version 2 is number 0 without controllers. */
static void take_own(char *line, const struct strlist *roots, struct cgroup_host *out)
{
	const char *number = strsep(&line, ":");
	char *controllers = line ? strsep(&line, ":") : NULL;
	auto_strlist struct strlist names = STRLIST_INIT;
	const bool is_v2 = strcmp(number, "0") == 0;

	if (!line)
		return;
	add_words(controllers, ",", &names);
	for (size_t i = 0; i < out->count; i++)
		if (out->items[i].is_v2 == is_v2 && (is_v2 || has_all(&out->items[i], &names)))
			set_own(&out->items[i], roots->items[i], line);
}

void cgroup_host_parse(char *mountinfo, char *cgroup, struct cgroup_host *out)
{
	auto_strlist struct strlist roots = STRLIST_INIT;
	char *line;

	while ((line = strsep(&mountinfo, "\n")))
		take_mount(line, &roots, out);
	while ((line = strsep(&cgroup, "\n")))
		take_own(line, &roots, out);
}

static int read_file(const char *path, struct strbuf *out, struct err *err)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	return fd_read_all(fd, FILE_MAX_BYTES, out, path, err);
}

/* Those of the root, and of our group where the root is not shown, are all that ours could have. */
static void read_controllers(struct cgroup_hierarchy *row)
{
	auto_free char *path = str_format("%s/cgroup.controllers", row->mount);
	auto_strbuf struct strbuf text = STRBUF_INIT;
	struct err ignored = ERR_INIT; /* then it has none */

	if (read_file(path, &text, &ignored) == 0 && text.data)
		add_words(text.data, " \n", &row->controllers);
}

int cgroup_host_read(struct cgroup_host *out, struct err *err)
{
	auto_strbuf struct strbuf mounts = STRBUF_INIT;
	auto_strbuf struct strbuf own = STRBUF_INIT;

	if (read_file("/proc/self/mountinfo", &mounts, err) < 0 ||
	    read_file("/proc/self/cgroup", &own, err) < 0)
		return -1;
	cgroup_host_parse(mounts.data, own.data, out);
	for (size_t i = 0; i < out->count; i++)
		if (out->items[i].is_v2)
			read_controllers(&out->items[i]);
	return 0;
}

const struct cgroup_hierarchy *cgroup_host_find(const struct cgroup_host *host,
						const char *controller)
{
	const char *v2_name = strcmp(controller, "blkio") == 0 ? "io" : controller;

	for (size_t i = 0; i < host->count; i++)
		if (strlist_has(&host->items[i].controllers,
				host->items[i].is_v2 ? v2_name : controller))
			return &host->items[i];
	for (size_t i = 0; i < host->count; i++)
		if (host->items[i].is_v2 && strcmp(controller, "devices") == 0)
			return &host->items[i];
	return NULL;
}
