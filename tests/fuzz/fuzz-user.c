/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users of an image. The input is what USER says, up to the first line end, then
 * /etc/passwd, then, behind a NUL, /etc/group. No number wraps (CVE-2024-40635).
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/tree.h"
#include "sandbox/user.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_file(int root_fd, const char *name, const uint8_t *data, size_t size)
{
	auto_close int fd = openat(root_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || !fd_write_quiet(fd, data, size))
		abort();
}

static void must_be_right(const char *text, uid_t uid, gid_t gid)
{
	size_t len = strspn(text, "0123456789");

	if (uid == UINT32_MAX || gid == UINT32_MAX)
		abort();
	if (len > 0 && (text[len] == '\0' || text[len] == ':') && strtoull(text, NULL, 10) != uid)
		abort();
}

static void resolve(int root_fd, const char *text)
{
	auto_user_ids struct user_ids ids = USER_IDS_INIT;
	struct err err = ERR_INIT;
	struct err chown_err = ERR_INIT;
	uid_t uid;
	gid_t gid;

	if (user_resolve(root_fd, text, &ids, &err) == 0)
		must_be_right(text, ids.uid, ids.gid);
	else if (err.kind != ERR_INPUT || !err.text[0])
		abort();
	if (user_resolve_chown(root_fd, text, &uid, &gid, &chown_err) == 0)
		must_be_right(text, uid, gid);
	else if (chown_err.kind != ERR_INPUT)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *line_end = size ? memchr(data, '\n', size) : NULL;
	const uint8_t *passwd = line_end ? line_end + 1 : data + size;
	size_t left = size - (size_t)(passwd - data);
	const uint8_t *nul = left ? memchr(passwd, '\0', left) : NULL;
	size_t passwd_len = nul ? (size_t)(nul - passwd) : left;
	auto_free char *text =
		str_ndup((const char *)data, line_end ? (size_t)(line_end - data) : size);
	const char *tmp = getenv("TMPDIR");
	auto_free char *top = str_format("%s/fuzz-user.XXXXXX", tmp ? tmp : "/tmp");
	auto_close int root_fd = -1;
	struct err err = ERR_INIT;

	if (!mkdtemp(top))
		abort();
	root_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0 || mkdirat(root_fd, "etc", 0700) < 0)
		abort();
	write_file(root_fd, "etc/passwd", passwd, passwd_len);
	if (nul)
		write_file(root_fd, "etc/group", nul + 1, left - passwd_len - 1);
	resolve(root_fd, text);
	if (tree_empty(root_fd, &err) < 0 || rmdir(top) < 0)
		abort();
	return 0;
}
