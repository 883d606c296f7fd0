/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the devices of a group of version 2, where no file says which may be
 * opened: the kernel asks a program, which is written here, instruction by instruction.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "sandbox/cgroup-internal.h"

/* Of a device's access, as the kernel gives it to the program. */
#define ACCESS_SHIFT 16
#define TYPE_MASK    0xffff

/* Registers: 1 the question; 2 type, 3 access, 4 major, 5 minor; 6 for counting. */
enum reg {
	R_RESULT = 0,
	R_CONTEXT = 1,
	R_TYPE = 2,
	R_ACCESS = 3,
	R_MAJOR = 4,
	R_MINOR = 5,
	R_WORK = 6
};

#define RULE_MAX 9 /* instructions of a rule */
#define HEAD_MAX 8

struct program {
	struct bpf_insn *items;
	size_t count;
};

static void add(struct program *program, struct bpf_insn insn)
{
	program->items[program->count++] = insn;
}

static struct bpf_insn load_word(enum reg to, size_t offset)
{
	return (struct bpf_insn){ .code = BPF_LDX | BPF_W | BPF_MEM,
				  .dst_reg = to,
				  .src_reg = R_CONTEXT,
				  .off = (int16_t)offset };
}

static struct bpf_insn alu(unsigned char operation, enum reg reg, int32_t value)
{
	return (struct bpf_insn){ .code = (unsigned char)(BPF_ALU | operation | BPF_K),
				  .dst_reg = reg,
				  .imm = value };
}

static struct bpf_insn jump_unless_equal(enum reg reg, int32_t value)
{
	return (struct bpf_insn){ .code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = reg, .imm = value };
}

static void add_answer(struct program *program, int32_t is_allowed)
{
	add(program, (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_K,
					.dst_reg = R_RESULT,
					.imm = is_allowed });
	add(program, (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT });
}

static void add_head(struct program *program)
{
	add(program, load_word(R_TYPE, offsetof(struct bpf_cgroup_dev_ctx, access_type)));
	add(program, load_word(R_ACCESS, offsetof(struct bpf_cgroup_dev_ctx, access_type)));
	add(program, alu(BPF_AND, R_TYPE, TYPE_MASK));
	add(program, alu(BPF_RSH, R_ACCESS, ACCESS_SHIFT));
	add(program, load_word(R_MAJOR, offsetof(struct bpf_cgroup_dev_ctx, major)));
	add(program, load_word(R_MINOR, offsetof(struct bpf_cgroup_dev_ctx, minor)));
}

/* A jump in it that is not followed yet leads behind its end: to the next rule. */
static void add_rule(struct program *program, const struct resource_device *device)
{
	const int32_t granted = (device->makes ? BPF_DEVCG_ACC_MKNOD : 0) |
				(device->reads ? BPF_DEVCG_ACC_READ : 0) |
				(device->writes ? BPF_DEVCG_ACC_WRITE : 0);
	size_t first = program->count;

	if (device->type != 'a')
		add(program, jump_unless_equal(R_TYPE, device->type == 'c' ? BPF_DEVCG_DEV_CHAR
									   : BPF_DEVCG_DEV_BLOCK));
	add(program, (struct bpf_insn){ .code = BPF_ALU | BPF_MOV | BPF_X,
					.dst_reg = R_WORK,
					.src_reg = R_ACCESS });
	add(program, alu(BPF_AND, R_WORK, ~granted));
	add(program, jump_unless_equal(R_WORK, 0));
	if (device->major >= 0)
		add(program, jump_unless_equal(R_MAJOR, (int32_t)device->major));
	if (device->minor >= 0)
		add(program, jump_unless_equal(R_MINOR, (int32_t)device->minor));
	add_answer(program, 1);
	for (size_t i = first; i < program->count; i++)
		if (program->items[i].code == (BPF_JMP | BPF_JNE | BPF_K))
			program->items[i].off = (int16_t)(program->count - i - 1);
}

static int load(const struct resources *resources, struct err *err)
{
	auto_free struct bpf_insn *items =
		mem_array(HEAD_MAX + RULE_MAX * resources->device_count, sizeof(items[0]));
	struct program program = { .items = items };
	union bpf_attr attr;
	int fd;

	add_head(&program);
	for (size_t i = 0; i < resources->device_count; i++)
		add_rule(&program, &resources->devices[i]);
	add_answer(&program, 0);
	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (uintptr_t)program.items;
	attr.insn_cnt = (uint32_t)program.count;
	attr.license = (uintptr_t) "Apache-2.0";
	fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd < 0)
		return err_sys(err, "load the program that knows its devices");
	return fd;
}

int cgroup_devices_attach(int dir_fd, const struct resources *resources, struct err *err)
{
	auto_close int fd = load(resources, err);
	union bpf_attr attr;

	if (fd < 0)
		return -1;
	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)dir_fd;
	attr.attach_bpf_fd = (uint32_t)fd;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	if (syscall(SYS_bpf, BPF_PROG_ATTACH, &attr, sizeof(attr)) < 0)
		return err_sys(err, "attach the program that knows its devices");
	return 0;
}

bool cgroup_devices_can_attach(void)
{
	const struct resources none = { .confines_devices = true };
	struct err ignored = ERR_INIT;
	auto_close int fd = load(&none, &ignored);

	return fd >= 0;
}
