/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_SECCOMP_INTERNAL_H
#define SANDBOX_SECCOMP_INTERNAL_H

#include <stdint.h>

/*
 * The rules as data (seccomp-table.c): docker's default profile. What no row
 * allows fails with EPERM; what is newer than SECCOMP_NEWEST fails with
 * ENOSYS, so that a C library falls back as on an older kernel.
 */
#define SECCOMP_TABLE_VERSION 1   /* part of the cache's name: raise with each change */
#define SECCOMP_NEWEST        469 /* file_setattr, Linux 6.17 */

enum seccomp_arch {
	SECCOMP_ARCH_ANY = 0,
	SECCOMP_ARCH_X86_64 = 1 << 0, /* and x32 */
	SECCOMP_ARCH_X86 = 1 << 1,
	SECCOMP_ARCH_ARM64 = 1 << 2, /* and arm */
	SECCOMP_ARCH_PPC64LE = 1 << 3,
	SECCOMP_ARCH_S390X = 1 << 4,
	SECCOMP_ARCH_RISCV64 = 1 << 5,
};

/* Names allowed to all, ended by NULL. */
extern const char *const seccomp_allowed[];

/* Names allowed to some: on one of @archs, with one of @capabilities (0: no matter). */
struct seccomp_grant {
	unsigned archs;
	uint64_t capabilities;
	const char *const *names;
};
extern const struct seccomp_grant seccomp_grants[]; /* ended by names NULL */

/*
 * Numbers of calls that the installed libseccomp may not know by name. From 424
 * on they are the same everywhere.
 */
struct seccomp_number {
	const char *name;
	unsigned number;
	unsigned archs;
};
extern const struct seccomp_number seccomp_numbers[]; /* ended by name NULL */

#endif
