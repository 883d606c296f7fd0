/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the filter that holds calls, and for the way of a held call: taken, given to whoever
 * knows it, answered.
 */
#include "sandbox/supervise.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "sandbox/report.h"
#include "sandbox/supervise-internal.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS      SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#elif defined(__powerpc64__)
#define OUR_ARCH AUDIT_ARCH_PPC64LE
#elif defined(__s390x__)
#define OUR_ARCH AUDIT_ARCH_S390X
#elif defined(__riscv)
#define OUR_ARCH AUDIT_ARCH_RISCV64
#endif

/* ---- the filter ---- */

#define X32_BIT    0x40000000u /* x86_64 calls of 32 bit pointers; nowhere else a number */
#define PER_CALL   5
#define CALLS_MAX  112
#define FILTER_MAX (CALLS_MAX * PER_CALL + 12)

struct filter {
	struct sock_filter code[FILTER_MAX];
	unsigned short len;
};

static void put(struct filter *filter, struct sock_filter instruction)
{
	filter->code[filter->len++] = instruction;
}

static void put_load(struct filter *filter, size_t offset)
{
	put(filter, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void put_return(struct filter *filter, uint32_t what)
{
	put(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, what));
}

/* The lower half of an argument. */
static size_t arg_offset(unsigned arg)
{
	const size_t half = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? sizeof(uint32_t) : 0;

	return offsetof(struct seccomp_data, args) + arg * sizeof(uint64_t) + half;
}

/* @mask 0: whatever its argument is. */
static void put_call(struct filter *filter, int number, unsigned arg, uint32_t mask, uint32_t what)
{
	const uint8_t rest = mask ? 4 : 1;

	put(filter,
	    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, rest));
	if (mask) {
		put_load(filter, arg_offset(arg));
		put(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, mask, 1, 0));
		put_return(filter, SECCOMP_RET_ALLOW);
	}
	put_return(filter, what);
}

static void put_held(struct filter *filter, const struct held *held)
{
	put_call(filter, held->number, held->arg, held->mask, SECCOMP_RET_USER_NOTIF);
}

static void put_refused(struct filter *filter, const struct refused *refused)
{
	put_call(filter, refused->number, refused->arg, refused->mask,
		 SECCOMP_RET_ERRNO | ((uint32_t)refused->error & SECCOMP_RET_DATA));
}

static void build_filter(struct filter *filter, const struct sandbox_description *description)
{
	const bool only_devices = description->supervision == SANDBOX_SUPERVISED_DEVICES;
	const bool is_chroot = sandbox_is_chroot(description);
	const struct held *held = only_devices ? supervise_held_devices : supervise_held;
	size_t count = only_devices ? supervise_held_devices_count : supervise_held_count;
	/* in a chroot what is held is what keeps the host's devices as they are */
	const uint32_t of_others =
		is_chroot ? SECCOMP_RET_ERRNO | (ENOSYS & SECCOMP_RET_DATA) : SECCOMP_RET_ALLOW;

	/* the tables are ours */
	assert(count + supervise_refused_count <= CALLS_MAX);
	filter->len = 0;
	put_load(filter, offsetof(struct seccomp_data, arch));
	put(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0));
	put_return(filter, of_others);
	put_load(filter, offsetof(struct seccomp_data, nr));
	put(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1));
	put_return(filter, of_others);
	for (size_t i = 0; i < count; i++)
		if (held[i].in_chroot != HELD_ONLY_IN_CHROOT || is_chroot)
			put_held(filter, &held[i]);
	for (size_t i = 0; is_chroot && i < supervise_refused_count; i++)
		put_refused(filter, &supervise_refused[i]);
	put_return(filter, SECCOMP_RET_ALLOW);
}

/* Once we have it in hand, a signal does not take a call back: its effect would come twice. */
static int load_filter(const struct sock_fprog *program)
{
	const unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	int fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			      flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, program);

	if (fd < 0 && errno == EINVAL) /* before Linux 5.19 */
		fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program);
	return fd;
}

int supervise_install(int socket_fd, const struct sandbox_description *description, struct err *err)
{
	const struct report report = { .type = REPORT_LISTENER };
	auto_close int listener_fd = -1;
	struct filter filter;
	struct sock_fprog program = { .filter = filter.code };

	build_filter(&filter, description);
	program.len = filter.len;
	listener_fd = load_filter(&program);
	if (listener_fd < 0 && errno == EBUSY)
		return err_set(err, ERR_SYSTEM,
			       "supervise the command: somebody supervises this process already, "
			       "and the kernel allows only one to do so");
	if (listener_fd < 0)
		return err_sys(err, "load the filter by which the command is supervised");
	if (report_send(socket_fd, &report, listener_fd) < 0)
		return err_sys(err, "hand the command to its supervisor");
	return 0;
}

/* ---- the supervisor ---- */

static struct supervisor *supervisor_new(int listener_fd, int proc_fd)
{
	struct supervisor *supervisor = mem_alloc(sizeof(*supervisor));

	supervisor->listener_fd = listener_fd;
	supervisor->proc_fd = proc_fd;
	supervisor->dev_fd = -1;
	return supervisor;
}

void supervisor_free(struct supervisor **pointer)
{
	struct supervisor *supervisor = *pointer;

	if (!supervisor)
		return;
	supervise_ids_release(supervisor);
	fd_close(&supervisor->listener_fd);
	fd_close(&supervisor->proc_fd);
	fd_close(&supervisor->dev_fd);
	free(supervisor->hostname);
	free(supervisor->request);
	free(supervisor->response);
	free(supervisor);
	*pointer = NULL;
}

static int make_buffers(struct supervisor *supervisor, struct err *err)
{
	struct seccomp_notif_sizes sizes;

	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0)
		return err_sys(err, "supervise the command");
	supervisor->request_bytes = sizes.seccomp_notif > sizeof(struct seccomp_notif)
					    ? sizes.seccomp_notif
					    : sizeof(struct seccomp_notif);
	supervisor->response_bytes = sizes.seccomp_notif_resp > sizeof(struct seccomp_notif_resp)
					     ? sizes.seccomp_notif_resp
					     : sizeof(struct seccomp_notif_resp);
	supervisor->request = mem_alloc(supervisor->request_bytes);
	supervisor->response = mem_alloc(supervisor->response_bytes);
	return 0;
}

struct supervisor *supervisor_open(int socket_fd, const struct sandbox_description *description,
				   struct err *err)
{
	auto_supervisor struct supervisor *supervisor = supervisor_new(-1, -1);
	struct report report;

	supervisor->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (supervisor->proc_fd < 0 || fchdir(supervisor->proc_fd) < 0) {
		err_sys(err, "supervise the command: open '/proc'");
		return NULL;
	}
	if (sandbox_is_chroot(description)) {
		supervisor->dev_fd = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (supervisor->dev_fd < 0) {
			err_sys(err, "supervise the command: open '/dev'");
			return NULL;
		}
	}
	if (description->hostname)
		supervisor->hostname = str_dup(description->hostname);
	supervisor->only_devices = description->supervision == SANDBOX_SUPERVISED_DEVICES;
	supervise_ids_init(supervisor, description);
	if (make_buffers(supervisor, err) < 0 ||
	    report_receive(socket_fd, &report, &supervisor->listener_fd, err) <= 0)
		return NULL;
	/* whoever answers is awake at once, on the same processor; since Linux 6.6 */
	ioctl(supervisor->listener_fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
	      SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	return ptr_steal(&supervisor);
}

int supervisor_fd(const struct supervisor *supervisor)
{
	return supervisor->listener_fd;
}

static int answer(struct call *call)
{
	for (size_t i = 0; i < supervise_held_count; i++)
		if (supervise_held[i].number == call->number)
			return supervise_held[i].answer(call);
	return CALL_PASS;
}

/* A process that is gone by now needs no answer. */
void supervisor_answer(struct supervisor *supervisor)
{
	struct seccomp_notif *request = supervisor->request;
	struct seccomp_notif_resp *response = supervisor->response;
	struct call call = { .supervisor = supervisor };
	int result;

	memset(request, 0, supervisor->request_bytes);
	if (ioctl(supervisor->listener_fd, SECCOMP_IOCTL_NOTIF_RECV, request) < 0)
		return;
	call.id = request->id;
	call.pid = (pid_t)request->pid;
	call.number = request->data.nr;
	call.args = (const uint64_t *)request->data.args;
	result = answer(&call);
	if (result == CALL_SENT)
		return;
	memset(response, 0, supervisor->response_bytes);
	response->id = request->id;
	response->flags = result == CALL_PASS ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0;
	response->error = result < 0 ? result : 0;
	response->val = result == 0 ? call.value : 0;
	ioctl(supervisor->listener_fd, SECCOMP_IOCTL_NOTIF_SEND, response);
}
