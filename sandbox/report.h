/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_REPORT_H
#define SANDBOX_REPORT_H

#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

/*
 * What the sandbox program tells its launcher, a record a packet over a
 * SOCK_SEQPACKET pair. Its end (nobody holds the other side any more) means
 * that the command was exec'd, or that all died without a word.
 */
#define REPORT_TEXT_MAX 1024

enum report_type {
	REPORT_STARTED = 1, /* pid; with a pidfd of the container's first process */
	REPORT_TERMINAL,    /* with the master of its pseudo terminal */
	REPORT_FAILED,      /* set-up: kind, sys_errno, text */
	REPORT_EXEC_FAILED, /* the command itself: sys_errno, text */
	REPORT_LISTENER,    /* between processes of the program: with what answers held calls */
};

struct report {
	uint32_t type;
	int32_t pid;
	int32_t kind;
	int32_t sys_errno;
	char text[REPORT_TEXT_MAX];
};

/* @pass_fd: a descriptor that goes along, or -1. The receiver may be gone: -1, errno EPIPE. */
int report_send(int socket_fd, const struct report *report, int pass_fd);

/*
 * The next record, its descriptor (or -1) in *out_fd. 1, or 0 at the end, or
 * -1 when what came is no record.
 */
int report_receive(int socket_fd, struct report *out, int *out_fd, struct err *err);

#endif
