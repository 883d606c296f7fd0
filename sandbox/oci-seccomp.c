/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for our own system call filter in docker's JSON form: the tables, and the rules beside
 * them. */
#include <errno.h>
#include <linux/capability.h>
#include <sys/socket.h>

#include "sandbox/caps.h"
#include "sandbox/oci-config.h"
#include "sandbox/seccomp-internal.h"

#define CLONE_NAMESPACES INT64_C(0x7e020000)

#if defined(__x86_64__)
#define ARCH_OURS (SECCOMP_ARCH_X86_64 | SECCOMP_ARCH_X86)
static const char *const architectures[] = { "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32",
					     NULL };
#elif defined(__aarch64__)
#define ARCH_OURS SECCOMP_ARCH_ARM64
static const char *const architectures[] = { "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", NULL };
#elif defined(__s390x__)
#define ARCH_OURS SECCOMP_ARCH_S390X
static const char *const architectures[] = { "SCMP_ARCH_S390X", NULL };
#elif defined(__powerpc64__)
#define ARCH_OURS SECCOMP_ARCH_PPC64LE
static const char *const architectures[] = { "SCMP_ARCH_PPC64LE", NULL };
#else
#define ARCH_OURS SECCOMP_ARCH_RISCV64
static const char *const architectures[] = { "SCMP_ARCH_RISCV64", NULL };
#endif

static struct json *names_json(const char *const *names)
{
	struct json *list = json_array();

	for (; *names; names++)
		json_append(list, json_new_string(*names));
	return list;
}

static struct json *rule_json(struct json *names, const char *action)
{
	struct json *rule = json_object();

	json_set(rule, "names", names);
	json_set_string(rule, "action", action);
	return rule;
}

/* One call, allowed where an argument is as said. */
static void allow_if(struct json *rules, const char *name, int64_t index, const char *op,
		     int64_t value, int64_t second)
{
	const char *const names[] = { name, NULL };
	struct json *rule = rule_json(names_json(names), "SCMP_ACT_ALLOW");
	struct json *args = json_array();
	struct json *arg = json_object();

	json_set_int(arg, "index", index);
	json_set_int(arg, "value", value);
	json_set_int(arg, "valueTwo", second);
	json_set_string(arg, "op", op);
	json_append(args, arg);
	json_set(rule, "args", args);
	json_append(rules, rule);
}

static void add_special(struct json *rules, uint64_t capabilities)
{
	static const int64_t personalities[] = { 0x0, 0x8, 0x20000, 0x20008, 0xffffffff };
	static const char *const clone3[] = { "clone3", NULL };
	struct json *refused;

	allow_if(rules, "socket", 0, "SCMP_CMP_LT", AF_ALG, 0);
	allow_if(rules, "socket", 0, "SCMP_CMP_EQ", AF_NFC, 0);
	allow_if(rules, "socket", 0, "SCMP_CMP_GT", AF_VSOCK, 0);
	for (size_t i = 0; i < sizeof(personalities) / sizeof(personalities[0]); i++)
		allow_if(rules, "personality", 0, "SCMP_CMP_EQ", personalities[i], 0);
	if (capabilities & CAPS_BIT(CAP_SYS_ADMIN))
		return;
	allow_if(rules, "clone", ARCH_OURS & SECCOMP_ARCH_S390X ? 1 : 0, "SCMP_CMP_MASKED_EQ",
		 CLONE_NAMESPACES, 0);
	refused = rule_json(names_json(clone3), "SCMP_ACT_ERRNO");
	json_set_int(refused, "errnoRet", ENOSYS);
	json_append(rules, refused);
}

struct json *oci_seccomp_json(uint64_t capabilities)
{
	struct json *filter = json_object();
	struct json *rules = json_array();

	json_set_string(filter, "defaultAction", "SCMP_ACT_ERRNO");
	json_set_int(filter, "defaultErrnoRet", EPERM);
	json_set(filter, "architectures", names_json(architectures));
	json_append(rules, rule_json(names_json(seccomp_allowed), "SCMP_ACT_ALLOW"));
	for (const struct seccomp_grant *grant = seccomp_grants; grant->names; grant++)
		if ((!grant->archs || (grant->archs & ARCH_OURS)) &&
		    (!grant->capabilities || (grant->capabilities & capabilities)))
			json_append(rules, rule_json(names_json(grant->names), "SCMP_ACT_ALLOW"));
	add_special(rules, capabilities);
	json_set(filter, "syscalls", rules);
	return filter;
}
