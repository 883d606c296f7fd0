/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for --volume: what is meant by one, and the descriptor of what it shows. */
#include "sandbox/volume.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"

#define SELINUX "/sys/fs/selinux/enforce"

void volumes_release(struct volumes *volumes)
{
	for (size_t i = 0; i < volumes->count; i++) {
		free(volumes->items[i].source);
		free(volumes->items[i].target);
		fd_close(&volumes->items[i].fd);
	}
	free(volumes->items);
	*volumes = (struct volumes)VOLUMES_INIT;
}

static int take_option(const char *text, const char *option, struct volume *out, struct err *err)
{
	if (strcmp(option, "ro") == 0)
		out->read_only = true;
	else if (strcmp(option, "O") == 0)
		out->is_overlay = true;
	else if (strcmp(option, "z") != 0 && strcmp(option, "Z") != 0 && strcmp(option, "rw") != 0)
		return err_set(err, ERR_USAGE,
			       "--volume '%s': '%s' is not supported (supported: ro, rw, O, z, Z)",
			       text, option);
	else if (option[0] != 'r' && access(SELINUX, F_OK) == 0)
		return err_set(err, ERR_USAGE,
			       "--volume '%s': labels of SELinux are not supported: '%s'", text,
			       option);
	return 0;
}

static int take_options(const char *text, char *options, struct volume *out, struct err *err)
{
	char *option;

	while ((option = strsep(&options, ",")))
		if (take_option(text, option, out, err) < 0)
			return -1;
	return 0;
}

static int volume_parse(const char *text, struct volume *out, struct err *err)
{
	auto_free char *copy = str_dup(text);
	char *rest = copy;
	char *source = strsep(&rest, ":");
	char *target = rest ? strsep(&rest, ":") : NULL;

	if (!target)
		return err_set(err, ERR_USAGE, "--volume '%s': not of the form HOST:CONTAINER",
			       text);
	if (*source != '/' && *source != '.')
		return err_set(err, ERR_USAGE,
			       "--volume '%s': '%s' is no path; volumes with names are not "
			       "supported",
			       text, source);
	if (*target != '/' || target[strspn(target, "/")] == '\0')
		return err_set(err, ERR_USAGE, "--volume '%s': '%s' is no absolute path below '/'",
			       text, target);
	if (rest && take_options(text, rest, out, err) < 0)
		return -1;
	out->source = str_dup(source);
	out->target = str_dup(target);
	return 0;
}

int volumes_parse(const struct strlist *texts, struct volumes *out, struct err *err)
{
	out->items = mem_array(texts->count + 1, sizeof(out->items[0]));
	for (size_t i = 0; i < texts->count; i++) {
		out->items[i] = (struct volume){ .fd = -1 };
		if (volume_parse(texts->items[i], &out->items[i], err) < 0)
			return -1;
		out->count++;
	}
	return 0;
}

/* The user's own paths: links in them are the user's too. */
int volumes_open(struct volumes *volumes, struct err *err)
{
	for (size_t i = 0; i < volumes->count; i++) {
		struct volume *volume = &volumes->items[i];
		struct stat st;

		volume->fd = open(volume->source, O_PATH | O_CLOEXEC);
		if (volume->fd < 0)
			return err_sys(err, "--volume: open '%s'", volume->source);
		if (fstat(volume->fd, &st) < 0)
			return err_sys(err, "--volume: stat '%s'", volume->source);
		volume->is_file = !S_ISDIR(st.st_mode);
		if (volume->is_overlay && volume->is_file)
			return err_set(err, ERR_USAGE,
				       "--volume: 'O' is for directories, and '%s' is none",
				       volume->source);
	}
	return 0;
}
