/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for images that are not there yet when a container is to be made of them. */
#include "sandbox/pull.h"

#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/proc.h"
#include "common/strbuf.h"
#include "storage/image.h"

static int is_there(struct store *store, const char *image, bool *out, struct err *err)
{
	auto_image struct image found = IMAGE_INIT;

	return image_find(store, image, NULL, out, &found, err);
}

/* In the store that we use, whatever options named it. What it prints goes to stderr. */
static int start_imgpull(struct store *store, const char *image, const char *platform,
			 struct err *err)
{
	auto_strbuf struct strbuf path = STRBUF_INIT;
	auto_child struct child child = CHILD_INIT;
	const struct proc_fd fds[] = { { STDERR_FILENO, STDOUT_FILENO },
				       { STDERR_FILENO, STDERR_FILENO } };
	const char *argv[8];
	struct proc_spec spec = { .argv = argv, .fds = fds, .fd_count = 2 };
	size_t count = 0;
	char text[64];
	int status;

	if (proc_self_dir(&path, err) < 0)
		return -1;
	strbuf_puts(&path, "/imgpull");
	argv[count++] = path.data;
	argv[count++] = "--root";
	argv[count++] = store_root_path(store);
	if (platform) {
		argv[count++] = "--platform";
		argv[count++] = platform;
	}
	argv[count++] = image;
	argv[count] = NULL;
	if (child_start(&child, &spec, err) < 0 || child_wait(&child, &status, err) < 0)
		return -1;
	if (status != 0)
		return err_set(err, ERR_REMOTE, "image '%s' could not be pulled: imgpull: %s",
			       image, proc_status_text(status, text));
	return 0;
}

int pull_image(struct store *store, const char *image, const char *platform, const char *when,
	       struct err *err)
{
	bool is_here = false;

	if (when && strcmp(when, "never") == 0)
		return 0;
	if (!when || strcmp(when, "missing") == 0) {
		/* what is wrong with a name is told by who opens it */
		if (strncmp(image, "localhost/", 10) == 0 ||
		    is_there(store, image, &is_here, err) < 0) {
			err_clear(err);
			return 0;
		}
		if (is_here)
			return 0;
	}
	return start_imgpull(store, image, platform, err);
}
