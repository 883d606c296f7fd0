/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the records between the sandbox program and its launcher, both ways. */
#include "sandbox/report.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "common/fd.h"

union fd_message {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

int report_send(int socket_fd, const struct report *report, int pass_fd)
{
	union fd_message control = { .space = { 0 } };
	struct iovec part = { .iov_base = (void *)report, .iov_len = sizeof(*report) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t n;

	if (pass_fd >= 0) {
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&control.header), &pass_fd, sizeof(int));
		message.msg_control = control.space;
		message.msg_controllen = sizeof(control.space);
	}
	do {
		n = sendmsg(socket_fd, &message, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -1 : 0;
}

static int passed_fd(struct msghdr *message)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	int fd;

	if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
	    header->cmsg_len != CMSG_LEN(sizeof(int)))
		return -1;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

int report_receive(int socket_fd, struct report *out, int *out_fd, struct err *err)
{
	union fd_message control;
	struct iovec part = { .iov_base = out, .iov_len = sizeof(*out) };
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space),
	};
	auto_close int fd = -1;
	ssize_t n;

	do {
		n = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "read the report of the sandbox");
	if (n == 0)
		return 0;
	fd = passed_fd(&message);
	if ((size_t)n != sizeof(*out) || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
	    !memchr(out->text, '\0', sizeof(out->text)))
		return err_set(err, ERR_BUG, "the sandbox reported something that is no record");
	*out_fd = fd_steal(&fd);
	return 1;
}
