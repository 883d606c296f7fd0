/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the system call filter as a BPF program: built from the tables
 * by libseccomp, with a prologue of our own for calls that it does not know,
 * and kept in the store's cache, for building takes longer than a step.
 */
#include "sandbox/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/digest.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "common/tmpfile.h"
#include "sandbox/caps.h"
#include "sandbox/seccomp-internal.h"

#define NAME_BYTES    96
#define PROGRAM_BYTES (BPF_MAXINSNS * sizeof(struct sock_filter))
#define SEALS         (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

/* The namespaces that clone(2) makes: NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
#define CLONE_NAMESPACES UINT64_C(0x7e020000)

/* x32 calls carry this bit, and have numbers of their own up to X32_END. */
#define X32_BIT   UINT32_C(0x40000000)
#define X32_FIRST 512
#define X32_END   548
#define ARM_FIRST UINT32_C(0x10000) /* arm's private calls lie above */

struct arch {
	unsigned ours; /* enum seccomp_arch: what grants look at */
	uint32_t native;
	uint32_t subs[2];  /* SCMP_ARCH_* that a process may switch to, or 0 */
	uint32_t audit[2]; /* AUDIT_ARCH_* of them all, or 0 */
};

static const struct arch archs[] = {
	{ SECCOMP_ARCH_X86_64 | SECCOMP_ARCH_X86,
	  SCMP_ARCH_X86_64,
	  { SCMP_ARCH_X86, SCMP_ARCH_X32 },
	  { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386 } },
	{ SECCOMP_ARCH_ARM64,
	  SCMP_ARCH_AARCH64,
	  { SCMP_ARCH_ARM, 0 },
	  { AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM } },
	{ SECCOMP_ARCH_PPC64LE, SCMP_ARCH_PPC64LE, { 0, 0 }, { AUDIT_ARCH_PPC64LE, 0 } },
	{ SECCOMP_ARCH_S390X, SCMP_ARCH_S390X, { 0, 0 }, { AUDIT_ARCH_S390X, 0 } },
	{ SECCOMP_ARCH_RISCV64, SCMP_ARCH_RISCV64, { 0, 0 }, { AUDIT_ARCH_RISCV64, 0 } },
};

static const struct arch *native_arch(struct err *err)
{
	uint32_t native = seccomp_arch_native();

	for (size_t i = 0; i < sizeof(archs) / sizeof(archs[0]); i++) {
		if (archs[i].native == native)
			return &archs[i];
	}
	err_set(err, ERR_SYSTEM, "there is no system call filter for this architecture");
	return NULL;
}

/* ---- rules ---- */

struct filter {
	const struct arch *arch;
	uint64_t capabilities;
	scmp_filter_ctx ctx;
	unsigned unknown[64]; /* numbers for the prologue */
	size_t unknown_count;
};

static int failed(int r, const char *what, struct err *err)
{
	errno = -r;
	return err_sys(err, "make the system call filter: %s", what);
}

/* A name that this libseccomp does not know: by number, if it has one that is the same everywhere.
 */
static void allow_unknown(struct filter *filter, const char *name)
{
	const size_t room = sizeof(filter->unknown) / sizeof(filter->unknown[0]);

	for (const struct seccomp_number *row = seccomp_numbers; row->name; row++) {
		if (strcmp(row->name, name) != 0 ||
		    (row->archs && !(row->archs & filter->arch->ours)))
			continue;
		if (filter->unknown_count < room)
			filter->unknown[filter->unknown_count++] = row->number;
	}
}

static int allow(struct filter *filter, const char *name, struct err *err)
{
	int nr = seccomp_syscall_resolve_name(name);
	int r;

	if (nr == __NR_SCMP_ERROR) {
		allow_unknown(filter, name);
		return 0;
	}
	r = seccomp_rule_add_array(filter->ctx, SCMP_ACT_ALLOW, nr, 0, NULL);
	return r < 0 ? failed(r, name, err) : 0;
}

static int allow_all(struct filter *filter, const char *const *names, struct err *err)
{
	for (; *names; names++) {
		if (allow(filter, *names, err) < 0)
			return -1;
	}
	return 0;
}

static int allow_if(struct filter *filter, const char *name, struct scmp_arg_cmp cmp,
		    struct err *err)
{
	int r = seccomp_rule_add_array(filter->ctx, SCMP_ACT_ALLOW,
				       seccomp_syscall_resolve_name(name), 1, &cmp);

	return r < 0 ? failed(r, name, err) : 0;
}

/* The kernel's own crypto and the way to a hypervisor stay closed. */
static int add_socket_rules(struct filter *filter, struct err *err)
{
	if (allow_if(filter, "socket", SCMP_A0(SCMP_CMP_LT, AF_ALG), err) < 0 ||
	    allow_if(filter, "socket", SCMP_A0(SCMP_CMP_EQ, AF_NFC), err) < 0 ||
	    allow_if(filter, "socket", SCMP_A0(SCMP_CMP_GT, AF_VSOCK), err) < 0)
		return -1;
	return 0;
}

/* Linux, 32 bit Linux, each with and without the old uname; and asking which. */
static int add_personality_rules(struct filter *filter, struct err *err)
{
	static const uint64_t allowed[] = { 0x0, 0x8, 0x20000, 0x20008, 0xffffffff };

	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		if (allow_if(filter, "personality", SCMP_A0(SCMP_CMP_EQ, allowed[i]), err) < 0)
			return -1;
	}
	return 0;
}

/*
 * Without CAP_SYS_ADMIN clone(2) makes no namespaces; the flags of clone3(2)
 * lie in memory, where no filter sees them: ENOSYS sends the C library to clone(2).
 */
static int add_clone_rules(struct filter *filter, struct err *err)
{
	const bool is_s390 = filter->arch->ours & SECCOMP_ARCH_S390X;
	const struct scmp_arg_cmp cmp = is_s390 ? SCMP_A1(SCMP_CMP_MASKED_EQ, CLONE_NAMESPACES, 0)
						: SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NAMESPACES, 0);
	int r;

	if (filter->capabilities & CAPS_BIT(CAP_SYS_ADMIN))
		return 0;
	if (allow_if(filter, "clone", cmp, err) < 0)
		return -1;
	r = seccomp_rule_add_array(filter->ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0, NULL);
	return r < 0 ? failed(r, "clone3", err) : 0;
}

static int add_rules(struct filter *filter, struct err *err)
{
	if (allow_all(filter, seccomp_allowed, err) < 0)
		return -1;
	for (const struct seccomp_grant *grant = seccomp_grants; grant->names; grant++) {
		if (grant->archs && !(grant->archs & filter->arch->ours))
			continue;
		if (grant->capabilities && !(grant->capabilities & filter->capabilities))
			continue;
		if (allow_all(filter, grant->names, err) < 0)
			return -1;
	}
	if (add_socket_rules(filter, err) < 0 || add_personality_rules(filter, err) < 0 ||
	    add_clone_rules(filter, err) < 0)
		return -1;
	return 0;
}

/* ---- the program ---- */

static void put(struct strbuf *out, struct sock_filter instruction)
{
	strbuf_add(out, &instruction, sizeof(instruction));
}

/*
 * Before libseccomp's part, for the architectures that it handles too:
 *
 *	of another architecture → its part
 *	arm's private calls, x32's own → its part
 *	newer than all that the tables were written for → ENOSYS
 *	one of the numbers it has no name for → allowed
 */
static void put_prologue(struct strbuf *out, const struct filter *filter)
{
	const uint8_t numbers = (uint8_t)filter->unknown_count;
	const uint8_t is_allowed = (uint8_t)(numbers + 2);

	put(out, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					      offsetof(struct seccomp_data, arch)));
	put(out,
	    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, filter->arch->audit[0], 1, 0));
	put(out, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, filter->arch->audit[1], 0,
					      (uint8_t)(numbers + 9)));
	put(out, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					      offsetof(struct seccomp_data, nr)));
	put(out, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~X32_BIT));
	put(out, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, ARM_FIRST,
					      (uint8_t)(numbers + 6), 0));
	put(out, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_END, 2, 0));
	put(out, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_FIRST,
					      (uint8_t)(numbers + 4), 0));
	put(out, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, SECCOMP_NEWEST, 0, 1));
	put(out, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS));
	for (size_t i = 0; i < filter->unknown_count; i++)
		put(out, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, filter->unknown[i],
						      (uint8_t)(is_allowed - 1 - i - 1), 0));
	put(out, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0));
	put(out, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
}

/* libseccomp writes to a descriptor only. */
static int put_program(struct strbuf *out, const struct filter *filter, struct err *err)
{
	auto_close int fd = memfd_create("seccomp", MFD_CLOEXEC);
	int r;

	if (fd < 0)
		return err_sys(err, "make a memory file");
	r = seccomp_export_bpf(filter->ctx, fd);
	if (r < 0)
		return failed(r, "export", err);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, "rewind a memory file");
	if (fd_read_all(fd, PROGRAM_BYTES, out, "the system call filter", err) < 0)
		return -1;
	if (out->len > PROGRAM_BYTES)
		return err_set(err, ERR_BUG, "the system call filter has too many instructions");
	return 0;
}

static int prepare(struct filter *filter, struct err *err)
{
	int r = seccomp_attr_set(filter->ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);

	for (size_t i = 0; r == 0 && i < 2; i++) {
		if (filter->arch->subs[i])
			r = seccomp_arch_add(filter->ctx, filter->arch->subs[i]);
	}
	return r < 0 ? failed(r, "architectures", err) : 0;
}

static int build(const struct arch *arch, uint64_t capabilities, struct strbuf *out,
		 struct err *err)
{
	struct filter filter = { .arch = arch, .capabilities = capabilities };
	int r = -1;

	filter.ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (!filter.ctx)
		return err_set(err, ERR_SYSTEM, "make the system call filter: no memory");
	if (prepare(&filter, err) == 0 && add_rules(&filter, err) == 0) {
		put_prologue(out, &filter);
		r = put_program(out, &filter, err);
	}
	seccomp_release(filter.ctx);
	return r;
}

/* ---- the cache: the program's digest, then the program ---- */

/* All that the program depends on. */
static void cache_name(const struct arch *arch, uint64_t capabilities, char *buf)
{
	const struct scmp_version *version = seccomp_version();

	snprintf(buf, NAME_BYTES, "seccomp-%d-%x-%u.%u.%u-%" PRIx64, SECCOMP_TABLE_VERSION,
		 arch->native, version->major, version->minor, version->micro, capabilities);
}

static bool is_sound(const struct strbuf *file)
{
	struct digest got;

	if (file->len <= DIGEST_BYTES)
		return false;
	digest_of(file->data + DIGEST_BYTES, file->len - DIGEST_BYTES, &got);
	return memcmp(got.bytes, file->data, DIGEST_BYTES) == 0;
}

/* 1 when it was there and sound, its program appended to @out. */
static int load(int dir_fd, const char *name, struct strbuf *out, struct err *err)
{
	auto_close int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	auto_strbuf struct strbuf file = STRBUF_INIT;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_sys(err, "open '%s'", name);
	if (fd_read_all(fd, PROGRAM_BYTES + DIGEST_BYTES, &file, name, err) < 0) {
		if (err->kind != ERR_INPUT) /* that is: too long */
			return -1;
		err_clear(err);
		return 0;
	}
	if (!is_sound(&file))
		return 0;
	strbuf_add(out, file.data + DIGEST_BYTES, file.len - DIGEST_BYTES);
	return 1;
}

static int save(int dir_fd, const char *name, const struct strbuf *program, struct err *err)
{
	auto_tmpfile struct tmpfile tmp = TMPFILE_INIT;
	struct digest digest;

	digest_of(program->data, program->len, &digest);
	if (tmpfile_open(&tmp, dir_fd, err) < 0)
		return -1;
	if (fd_write_all(tmp.fd, digest.bytes, DIGEST_BYTES, name, err) < 0 ||
	    fd_write_all(tmp.fd, program->data, program->len, name, err) < 0)
		return -1;
	return tmpfile_replace(&tmp, name, err);
}

static int to_memfd(const struct strbuf *program, struct err *err)
{
	auto_close int fd = memfd_create("seccomp", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return err_sys(err, "make a memory file");
	if (fd_write_all(fd, program->data, program->len, "the system call filter", err) < 0)
		return -1;
	if (lseek(fd, 0, SEEK_SET) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return err_sys(err, "seal the system call filter");
	return fd_steal(&fd);
}

int seccomp_default_filter(int cache_dir_fd, uint64_t capabilities, struct err *err)
{
	const struct arch *arch = native_arch(err);
	auto_strbuf struct strbuf program = STRBUF_INIT;
	char name[NAME_BYTES];
	int found;

	if (!arch)
		return -1;
	cache_name(arch, capabilities, name);
	found = load(cache_dir_fd, name, &program, err);
	if (found < 0)
		return err_prefix(err, "system call filter");
	if (!found) {
		if (build(arch, capabilities, &program, err) < 0)
			return -1;
		/* the filter is good without its copy, which saves time only */
		if (save(cache_dir_fd, name, &program, err) < 0) {
			log_warn("the system call filter was not kept: %s", err->text);
			err_clear(err);
		}
	}
	return to_memfd(&program, err);
}
