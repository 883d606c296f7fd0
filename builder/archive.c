/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for whether ADD unpacks a file or copies it.
 */
#include <unistd.h>

#include "builder/archive.h"
#include "common/fd.h"
#include "layers/codec.h"
#include "layers/unpack.h"

#define HEAD_BYTES 512

struct source *archive_open(int fd, const char *what, struct err *err)
{
	return unpack_open(source_from_fd(fd, UINT64_MAX, what), what, NULL, err);
}

/* The first bytes of the stream; fewer when it is shorter or broken. */
static size_t read_head(struct source *source, unsigned char *head)
{
	struct err ignored = ERR_INIT;
	size_t len = 0;

	while (len < HEAD_BYTES) {
		ssize_t n = source_read(source, head + len, HEAD_BYTES - len, &ignored);

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	return len;
}

int archive_detect(int fd, const char *what, bool *out_is_archive, struct err *err)
{
	auto_source struct source *source = NULL;
	unsigned char head[HEAD_BYTES];
	size_t len;
	ssize_t n;

	n = fd_read_full(fd, head, sizeof(head), what, err);
	if (n < 0)
		return -1;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, "seek in '%s'", what);
	len = (size_t)n;
	if (codec_detect(head, len) != CODEC_NONE) {
		source = archive_open(fd, what, err);
		if (!source)
			return -1;
		len = read_head(source, head);
		if (lseek(fd, 0, SEEK_SET) < 0)
			return err_sys(err, "seek in '%s'", what);
	}
	*out_is_archive = unpack_is_tar(head, len);
	return 0;
}
