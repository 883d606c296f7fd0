/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profiles of system calls, as a user gives them: what comes out is a whole program, which ends
 * with an answer and cannot be changed any more; what is no profile says so.
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "sandbox/seccomp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_program(int fd)
{
	const off_t step = sizeof(struct sock_filter);
	struct sock_filter last;
	struct stat st;

	if (fstat(fd, &st) < 0 || st.st_size == 0 || st.st_size % step != 0)
		abort();
	if (pread(fd, &last, sizeof(last), st.st_size - step) != sizeof(last) ||
	    BPF_CLASS(last.code) != BPF_RET)
		abort();
	if (!(fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE))
		abort();
}

/* The first byte says which capabilities there are. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	auto_close int fd = -1;

	if (size == 0)
		return 0;
	fd = seccomp_profile_compile((const char *)data + 1, size - 1, "profile",
				     data[0] == 'a' ? UINT64_MAX : data[0], &err);
	if (fd >= 0)
		check_program(fd);
	else if (err.kind == ERR_NONE || err.kind == ERR_BUG)
		abort();
	return 0;
}
