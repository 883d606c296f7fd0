/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for whether programs of other platforms run here. The list of handlers in
 * binfmt_misc would not tell: it need not be mounted to be in force, a processor may need no
 * handler, and a handler without the flag F does not find its emulator in a container. So one
 * is run.
 */
#include "sandbox/foreign.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/tmpfile.h"
#include "sandbox/description.h"
#include "sandbox/launch.h"
#include "storage/mount.h"

#define PROGRAM_NAME "program"
#define LOAD_ADDRESS 0x400000

/* exit(0), as each kind of processor reads it. */
static const struct machine {
	const char *architecture;
	uint16_t machine;
	bool is_64bit;
	bool is_big_endian;
	uint32_t flags;
	uint8_t code_len;
	uint8_t code[16];
} machines[] = {
	{ "amd64", EM_X86_64, true, false, 0, 9, "\xb8\x3c\0\0\0\x31\xff\x0f\x05" },
	{ "386", EM_386, false, false, 0, 9, "\xb8\x01\0\0\0\x31\xdb\xcd\x80" },
	{ "arm64", EM_AARCH64, true, false, 0, 12, "\0\0\x80\xd2\xa8\x0b\x80\xd2\x01\0\0\xd4" },
	{ "arm", EM_ARM, false, false, EF_ARM_EABI_VER5, 12,
	  "\0\0\xa0\xe3\x01\x70\xa0\xe3\0\0\0\xef" },
	{ "riscv64", EM_RISCV, true, false, 0, 12, "\x13\x05\0\0\x93\x08\xd0\x05\x73\0\0\0" },
	{ "ppc64le", EM_PPC64, true, false, 2, 12, "\x01\0\0\x38\0\0\x60\x38\x02\0\0\x44" },
	{ "s390x", EM_S390, true, true, 0, 6, "\xa7\x29\0\0\x0a\x01" },
	{ "loong64", 258, true, false, 3, 12, "\x04\0\x80\x02\x0b\x74\x81\x02\0\0\x2b\0" },
	{ "mips64le", EM_MIPS, true, false, 0x60000004, 12,
	  "\0\0\x04\x24\xc2\x13\x02\x24\x0c\0\0\0" },
	{ "mips64", EM_MIPS, true, true, 0x60000004, 12, "\x24\x04\0\0\x24\x02\x13\xc2\0\0\0\x0c" },
	{ "mipsle", EM_MIPS, false, false, 0x50001004, 12,
	  "\0\0\x04\x24\xa1\x0f\x02\x24\x0c\0\0\0" },
	{ "mips", EM_MIPS, false, true, 0x50001004, 12, "\x24\x04\0\0\x24\x02\x0f\xa1\0\0\0\x0c" },
};

/* ---- the program ---- */

static void put(const struct machine *machine, struct strbuf *out, size_t bytes, uint64_t number)
{
	for (size_t i = 0; i < bytes; i++) {
		size_t shift = 8 * (machine->is_big_endian ? bytes - 1 - i : i);

		strbuf_putc(out, (char)(number >> shift & 0xff));
	}
}

static void put_header(const struct machine *machine, size_t word, size_t head, size_t part,
		       struct strbuf *out)
{
	const char ident[EI_NIDENT] = {
		ELFMAG0,
		ELFMAG1,
		ELFMAG2,
		ELFMAG3,
		machine->is_64bit ? ELFCLASS64 : ELFCLASS32,
		machine->is_big_endian ? ELFDATA2MSB : ELFDATA2LSB,
		EV_CURRENT,
	};

	strbuf_add(out, ident, sizeof(ident));
	put(machine, out, 2, ET_EXEC);
	put(machine, out, 2, machine->machine);
	put(machine, out, 4, EV_CURRENT);
	put(machine, out, word, LOAD_ADDRESS + head + part);
	put(machine, out, word, head);
	put(machine, out, word, 0);
	put(machine, out, 4, machine->flags);
	put(machine, out, 2, head);
	put(machine, out, 2, part);
	put(machine, out, 2, 1);
	put(machine, out, 2, 0);
	put(machine, out, 2, 0);
	put(machine, out, 2, 0);
}

/* All of the file, loaded as it is. */
static void put_segment(const struct machine *machine, size_t word, size_t size, struct strbuf *out)
{
	put(machine, out, 4, PT_LOAD);
	if (machine->is_64bit)
		put(machine, out, 4, PF_R | PF_X);
	put(machine, out, word, 0);
	put(machine, out, word, LOAD_ADDRESS);
	put(machine, out, word, LOAD_ADDRESS);
	put(machine, out, word, size);
	put(machine, out, word, size);
	if (!machine->is_64bit)
		put(machine, out, 4, PF_R | PF_X);
	put(machine, out, word, 0x10000);
}

bool foreign_program(const char *architecture, struct strbuf *out)
{
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
		const struct machine *machine = &machines[i];
		size_t word = machine->is_64bit ? 8 : 4;
		size_t head = machine->is_64bit ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
		size_t part = machine->is_64bit ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);

		if (strcmp(machine->architecture, architecture) != 0)
			continue;
		put_header(machine, word, head, part, out);
		put_segment(machine, word, head + part + machine->code_len, out);
		strbuf_add(out, (const char *)machine->code, machine->code_len);
		return true;
	}
	return false;
}

/* ---- whether it runs ---- */

static int write_program(int dir_fd, const struct strbuf *program, struct err *err)
{
	auto_close int fd = openat(dir_fd, PROGRAM_NAME,
				   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0755);

	if (fd < 0 || fchmod(fd, 0755) < 0 || fchmod(dir_fd, 0755) < 0)
		return err_sys(err, "make a program");
	return fd_write_all(fd, program->data, program->len, PROGRAM_NAME, err);
}

/* Alone in its root: *out_reason is 0 when it ran to its end, else why it was not executed. */
static int run_program(int root_fd, int *out_reason, struct err *err)
{
	auto_sandbox_description struct sandbox_description description = SANDBOX_DESCRIPTION_INIT;
	auto_close int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	const int stdio[3] = { null_fd, null_fd, null_fd };
	int status = 0;

	if (null_fd < 0)
		return err_sys(err, "open '/dev/null'");
	sandbox_description_bare(&description);
	description.root_fd = root_fd;
	strlist_add(&description.argv, "/" PROGRAM_NAME);
	if (sandbox_start(&description, stdio, &sandbox, out_reason, err) < 0) {
		if (*out_reason == 0)
			return -1;
		err_clear(err);
		return 0;
	}
	if (sandbox_wait(&sandbox, &status, err) < 0)
		return -1;
	*out_reason = WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : ENOEXEC;
	return 0;
}

static int try_program(struct store *store, const struct strbuf *program, int *out_reason,
		       struct err *err)
{
	auto_tmpdir struct tmpdir dir = TMPDIR_INIT;
	auto_close int root_fd = -1;
	struct mount_request request = { .lower_count = 1, .upper_fd = -1, .work_fd = -1 };

	if (tmpdir_make(&dir, store_tmp_fd(store), err) < 0 ||
	    write_program(dir.fd, program, err) < 0)
		return -1;
	request.lowers = &dir.fd;
	root_fd = mount_layers(store, &request, err);
	return root_fd < 0 ? -1 : run_program(root_fd, out_reason, err);
}

/* The message; @reason is the errno of the exec. */
static int refuse(const struct platform *platform, int reason, struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;

	platform_format(platform, &text);
	err_set(err, ERR_INPUT, "programs for %s cannot be run on this machine", text.data);
	if (reason == ENOENT)
		return err_detail(err,
				  "an emulator is registered with binfmt_misc, but without the "
				  "flag F containers do not find it");
	return err_detail(err, "hint: install an emulator and have it registered: in Debian the "
			       "packages qemu-user-static and binfmt-support");
}

int foreign_check(struct store *store, const struct platform *platform, struct err *err)
{
	auto_platform struct platform native = { .os = NULL };
	auto_strbuf struct strbuf program = STRBUF_INIT;
	int reason = 0;

	platform_host(&native);
	if (strcmp(platform->os, native.os) != 0)
		return refuse(platform, ENOEXEC, err);
	if (strcmp(platform->architecture, native.architecture) == 0)
		return 0;
	if (!foreign_program(platform->architecture, &program))
		return refuse(platform, ENOEXEC, err);
	if (try_program(store, &program, &reason, err) < 0)
		return err_prefix(err, "try to run a program for another platform");
	return reason == 0 ? 0 : refuse(platform, reason, err);
}
