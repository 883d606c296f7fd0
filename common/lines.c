/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for files of lines being read, and for errors saying in which. What a line means is the
 * caller's. */
#include "common/lines.h"

#include <fcntl.h>
#include <string.h>

#include "common/fd.h"
#include "common/strbuf.h"

int lines_each(const char *path, size_t limit, line_fn fn, void *context, struct err *err)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	auto_strbuf struct strbuf text = STRBUF_INIT;
	char *rest;
	char *line;

	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	if (fd_read_all(fd, limit, &text, path, err) < 0)
		return -1;
	if (strlen(text.data) != text.len)
		return err_set(err, ERR_INPUT, "'%s' holds a NUL byte", path);
	rest = text.data;
	for (size_t number = 1; (line = strsep(&rest, "\n")); number++) {
		line[strcspn(line, "\r")] = '\0';
		if (fn(context, line, err) < 0)
			return err_prefix(err, "%s:%zu", path, number);
	}
	return 0;
}
