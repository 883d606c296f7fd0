/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for profiles of --security-opt seccomp=FILE: docker's JSON, read and turned into
 * a program by libseccomp.
 *
 *   profile = { defaultAction, [defaultErrnoRet], [architectures | archMap], syscalls: [ rule ] }
 *   rule    = { names | name, action, [errnoRet], [args], [includes], [excludes] }
 *   arg     = { index, value, [valueTwo], op }
 *   when    = { [caps], [arches], [minKernel] }
 */
#include "sandbox/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "sandbox/caps.h"
#include "sandbox/seccomp-internal.h"

#define PROFILE_MAX_BYTES ((size_t)4 * 1024 * 1024)
#define ARGS_MAX          6

struct profile {
	const char *path;
	uint64_t capabilities;
	scmp_filter_ctx ctx;
	uint32_t fallback; /* the default action */
};

static int refuse(const struct profile *profile, struct err *err, const char *what,
		  const char *word)
{
	return err_set(err, ERR_INPUT, "seccomp profile '%s': %s '%s'", profile->path, what,
		       word ? word : "");
}

/* ---- words ---- */

static int parse_action(const struct profile *profile, const char *text, int64_t errno_ret,
			uint32_t *out, struct err *err)
{
	const struct {
		const char *name;
		uint32_t action;
	} rows[] = {
		{ "SCMP_ACT_ALLOW", SCMP_ACT_ALLOW },
		{ "SCMP_ACT_ERRNO", SCMP_ACT_ERRNO((uint32_t)errno_ret & 0xffff) },
		{ "SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD },
		{ "SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD },
		{ "SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS },
		{ "SCMP_ACT_TRAP", SCMP_ACT_TRAP },
		{ "SCMP_ACT_TRACE", SCMP_ACT_TRACE((uint32_t)errno_ret & 0xffff) },
		{ "SCMP_ACT_LOG", SCMP_ACT_LOG },
	};

	for (size_t i = 0; text && i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].name, text) == 0) {
			*out = rows[i].action;
			return 0;
		}
	return refuse(profile, err, "no known action", text);
}

static int parse_operator(const struct profile *profile, const char *text, enum scmp_compare *out,
			  struct err *err)
{
	static const struct {
		const char *name;
		enum scmp_compare op;
	} rows[] = {
		{ "SCMP_CMP_NE", SCMP_CMP_NE },
		{ "SCMP_CMP_LT", SCMP_CMP_LT },
		{ "SCMP_CMP_LE", SCMP_CMP_LE },
		{ "SCMP_CMP_EQ", SCMP_CMP_EQ },
		{ "SCMP_CMP_GE", SCMP_CMP_GE },
		{ "SCMP_CMP_GT", SCMP_CMP_GT },
		{ "SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ },
	};

	for (size_t i = 0; text && i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].name, text) == 0) {
			*out = rows[i].op;
			return 0;
		}
	return refuse(profile, err, "no known comparison", text);
}

/* ---- when a rule holds ---- */

static bool has_capability(const struct profile *profile, const char *name)
{
	struct err ignored = ERR_INIT; /* one that we do not know nobody has */
	uint64_t bit;

	return name && caps_parse(name, &bit, &ignored) == 0 && (profile->capabilities & bit);
}

/* As docker calls them. */
static bool is_our_arch(const char *name)
{
	static const struct {
		const char *name;
		uint32_t arch;
	} rows[] = {
		{ "amd64", SCMP_ARCH_X86_64 },    { "x32", SCMP_ARCH_X86_64 },
		{ "x86", SCMP_ARCH_X86_64 },      { "arm64", SCMP_ARCH_AARCH64 },
		{ "arm", SCMP_ARCH_AARCH64 },     { "ppc64le", SCMP_ARCH_PPC64LE },
		{ "s390x", SCMP_ARCH_S390X },     { "s390", SCMP_ARCH_S390X },
		{ "riscv64", SCMP_ARCH_RISCV64 },
	};

	for (size_t i = 0; name && i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].name, name) == 0)
			return rows[i].arch == seccomp_arch_native();
	return false;
}

static bool has_kernel(const char *least)
{
	unsigned want[2] = { 0, 0 };
	unsigned have[2] = { 0, 0 };
	struct utsname name;

	if (!least || sscanf(least, "%u.%u", &want[0], &want[1]) < 1 || uname(&name) < 0)
		return true;
	(void)sscanf(name.release, "%u.%u", &have[0], &have[1]);
	return have[0] > want[0] || (have[0] == want[0] && have[1] >= want[1]);
}

/* Of what is included all must hold, of what is excluded none may. */
static bool is_included(const struct profile *profile, const struct json *when)
{
	const struct json *caps = json_get(when, "caps");
	const struct json *arches = json_get(when, "arches");
	bool is_ours = json_count(arches) == 0;

	for (size_t i = 0; i < json_count(caps); i++)
		if (!has_capability(profile, json_string(json_at(caps, i))))
			return false;
	for (size_t i = 0; i < json_count(arches); i++)
		is_ours |= is_our_arch(json_string(json_at(arches, i)));
	return is_ours && has_kernel(json_string(json_get(when, "minKernel")));
}

static bool is_excluded(const struct profile *profile, const struct json *when)
{
	const struct json *caps = json_get(when, "caps");
	const struct json *arches = json_get(when, "arches");
	const char *least = json_string(json_get(when, "minKernel"));

	for (size_t i = 0; i < json_count(caps); i++)
		if (has_capability(profile, json_string(json_at(caps, i))))
			return true;
	for (size_t i = 0; i < json_count(arches); i++)
		if (is_our_arch(json_string(json_at(arches, i))))
			return true;
	return least && has_kernel(least);
}

/* ---- rules ---- */

static int parse_args(const struct profile *profile, const struct json *args,
		      struct scmp_arg_cmp *out, unsigned *out_count, struct err *err)
{
	size_t count = json_count(args);

	if (count > ARGS_MAX)
		return refuse(profile, err, "more arguments than a call has", NULL);
	for (size_t i = 0; i < count; i++) {
		const struct json *arg = json_at(args, i);
		int64_t index = json_int(json_get(arg, "index"), -1);

		if (index < 0 || index >= ARGS_MAX)
			return refuse(profile, err, "an argument without its index", NULL);
		out[i] = (struct scmp_arg_cmp){
			.arg = (unsigned)index,
			.datum_a = (uint64_t)json_int(json_get(arg, "value"), 0),
			.datum_b = (uint64_t)json_int(json_get(arg, "valueTwo"), 0),
		};
		if (parse_operator(profile, json_string(json_get(arg, "op")), &out[i].op, err) < 0)
			return -1;
	}
	*out_count = (unsigned)count;
	return 0;
}

/* libseccomp compares an argument once in a rule: several that share one are several rules. */
static bool share_an_argument(const struct scmp_arg_cmp *args, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		for (unsigned k = 0; k < i; k++)
			if (args[i].arg == args[k].arg)
				return true;
	return false;
}

static int add_call(const struct profile *profile, const char *name, uint32_t action,
		    const struct scmp_arg_cmp *args, unsigned count, struct err *err)
{
	int nr = name ? seccomp_syscall_resolve_name(name) : __NR_SCMP_ERROR;
	int r = 0;

	/* a call that is not known here cannot be made by name; the default holds for it */
	if (nr == __NR_SCMP_ERROR || action == profile->fallback)
		return 0;
	if (share_an_argument(args, count)) {
		for (unsigned i = 0; i < count && r == 0; i++)
			r = seccomp_rule_add_array(profile->ctx, action, nr, 1, &args[i]);
	} else {
		r = seccomp_rule_add_array(profile->ctx, action, nr, count, args);
	}
	if (r == 0 || r == -EEXIST)
		return 0;
	errno = -r;
	return err_sys(err, "seccomp profile '%s': %s", profile->path, name);
}

static int add_rule(const struct profile *profile, const struct json *rule, struct err *err)
{
	const struct json *names = json_get(rule, "names");
	const char *single = json_string(json_get(rule, "name"));
	struct scmp_arg_cmp args[ARGS_MAX];
	unsigned count = 0;
	uint32_t action;

	if (parse_action(profile, json_string(json_get(rule, "action")),
			 json_int(json_get(rule, "errnoRet"), EPERM), &action, err) < 0 ||
	    parse_args(profile, json_get(rule, "args"), args, &count, err) < 0)
		return -1;
	if (!is_included(profile, json_get(rule, "includes")) ||
	    is_excluded(profile, json_get(rule, "excludes")))
		return 0;
	if (single && add_call(profile, single, action, args, count, err) < 0)
		return -1;
	for (size_t i = 0; i < json_count(names); i++)
		if (add_call(profile, json_string(json_at(names, i)), action, args, count, err) < 0)
			return -1;
	return 0;
}

/* What a process may switch to is filtered too, whatever the profile lists. */
static int add_architectures(const struct profile *profile, struct err *err)
{
	int r = seccomp_attr_set(profile->ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);

	if (r == 0 && seccomp_arch_native() == SCMP_ARCH_X86_64) {
		r = seccomp_arch_add(profile->ctx, SCMP_ARCH_X86);
		if (r == 0)
			r = seccomp_arch_add(profile->ctx, SCMP_ARCH_X32);
	} else if (r == 0 && seccomp_arch_native() == SCMP_ARCH_AARCH64) {
		r = seccomp_arch_add(profile->ctx, SCMP_ARCH_ARM);
	}
	errno = -r;
	return r < 0 ? err_sys(err, "make the system call filter: architectures") : 0;
}

static int export_program(const struct profile *profile, struct err *err)
{
	auto_close int fd = memfd_create("seccomp", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return err_sys(err, "make a memory file");
	r = seccomp_export_bpf(profile->ctx, fd);
	if (r < 0) {
		errno = -r;
		return err_sys(err, "make the system call filter: export");
	}
	if (lseek(fd, 0, SEEK_SET) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return err_sys(err, "seal the system call filter");
	return fd_steal(&fd);
}

static int add_all(struct profile *profile, const struct json *json, struct err *err)
{
	const struct json *rules = json_get(json, "syscalls");

	profile->ctx = seccomp_init(profile->fallback);
	if (!profile->ctx)
		return err_set(err, ERR_SYSTEM, "make the system call filter: no memory");
	if (add_architectures(profile, err) < 0)
		return -1;
	for (size_t i = 0; i < json_count(rules); i++)
		if (add_rule(profile, json_at(rules, i), err) < 0)
			return -1;
	return export_program(profile, err);
}

int seccomp_profile_compile(const char *data, size_t len, const char *path, uint64_t capabilities,
			    struct err *err)
{
	auto_json struct json *json = json_parse(data, len, path, err);
	struct profile profile = { .path = path, .capabilities = capabilities };
	int fd;

	if (!json || parse_action(&profile, json_string(json_get(json, "defaultAction")),
				  json_int(json_get(json, "defaultErrnoRet"), EPERM),
				  &profile.fallback, err) < 0)
		return -1;
	fd = add_all(&profile, json, err);
	if (profile.ctx)
		seccomp_release(profile.ctx);
	return fd;
}

int seccomp_profile_filter(const char *path, uint64_t capabilities, struct err *err)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	auto_strbuf struct strbuf text = STRBUF_INIT;

	if (fd < 0)
		return err_sys(err, "open the seccomp profile '%s'", path);
	if (fd_read_all(fd, PROFILE_MAX_BYTES, &text, path, err) < 0)
		return -1;
	return seccomp_profile_compile(text.data ? text.data : "", text.len, path, capabilities,
				       err);
}
