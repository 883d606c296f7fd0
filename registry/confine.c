/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what a program that reads the network's bytes can do if one of these bytes takes
 * it over: no capability, no file of anybody's, nothing to write to but the descriptors it was
 * given.
 */
#include "registry/confine.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/fd.h"

#define CAP_NUMBER_MAX 63

/* Landlock's rules by the ABI that brought them: the kernel's headers may be older than the kernel. */
struct rules {
	uint64_t files;
	uint64_t net;   /* ABI 4 */
	uint64_t scope; /* ABI 6 */
};
static const struct {
	long abi;
	struct rules add;
} rules_by_abi[] = {
	{ 1, { .files = (UINT64_C(1) << 13) - 1 } },
	{ 2, { .files = UINT64_C(1) << 13 } },  /* to rename and link across directories */
	{ 3, { .files = UINT64_C(1) << 14 } },  /* to truncate */
	{ 4, { .net = UINT64_C(1) } },          /* to bind a TCP port */
	{ 5, { .files = UINT64_C(1) << 15 } },  /* ioctl on devices */
	{ 6, { .scope = UINT64_C(3) } },        /* abstract sockets and signals of others */
};

/*
 * What libc resolves names with, and what certificates are checked with. /lib holds what NSS
 * loads. Links lead to files that are on the list.
 */
static const char *const readable[] = {
	"/etc/resolv.conf",
	"/etc/hosts",
	"/etc/nsswitch.conf",
	"/etc/host.conf",
	"/etc/gai.conf",
	"/etc/services",
	"/etc/ld.so.cache",
	"/etc/localtime",
	"/etc/ssl/certs",
	"/etc/ssl/openssl.cnf",
	"/etc/ssl/cert.pem",
	"/etc/pki",
	"/etc/ca-certificates",
	"/etc/crypto-policies",
	"/usr/share/ca-certificates",
	"/usr/local/share/ca-certificates",
	"/usr/share/zoneinfo",
	"/usr/lib",
	"/usr/lib64",
	"/lib",
	"/lib64",
	"/run/systemd/resolve",
	"/run/NetworkManager",
	"/run/resolvconf",
	"/dev/null",
	"/dev/urandom",
	"/proc/sys/crypto",
};

static int drop_capabilities(struct err *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];

	memset(none, 0, sizeof(none));
	/* an ordinary user's process cannot, and has none that an exec could give back */
	for (unsigned long cap = 0; cap <= CAP_NUMBER_MAX; cap++)
		(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_capset, &header, none) < 0)
		return err_sys(err, "give up capabilities");
	return 0;
}

static void allow_reading(int rules_fd, const char *path)
{
	auto_close int fd = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr rule = {
		.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE,
		.parent_fd = fd,
	};
	struct stat st;

	/* what is not there need not be readable */
	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	if (S_ISDIR(st.st_mode))
		rule.allowed_access |= LANDLOCK_ACCESS_FS_READ_DIR;
	(void)syscall(SYS_landlock_add_rule, rules_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

static int shut_files(struct err *err)
{
	struct rules rules = { .files = 0 };
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	const char *trusted = getenv("SSL_CERT_FILE");
	auto_close int rules_fd = -1;

	/* not in this kernel, or not switched on */
	if (abi < 1)
		return 0;
	for (size_t i = 0; i < sizeof(rules_by_abi) / sizeof(rules_by_abi[0]); i++) {
		if (rules_by_abi[i].abi > abi)
			break;
		rules.files |= rules_by_abi[i].add.files;
		rules.net |= rules_by_abi[i].add.net;
		rules.scope |= rules_by_abi[i].add.scope;
	}
	/* an older kernel takes a longer structure when what it does not know is zero */
	rules_fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);
	if (rules_fd < 0)
		return err_sys(err, "make a rule set for files");
	for (size_t i = 0; i < sizeof(readable) / sizeof(readable[0]); i++)
		allow_reading(rules_fd, readable[i]);
	if (trusted && trusted[0])
		allow_reading(rules_fd, trusted);
	if (syscall(SYS_landlock_restrict_self, rules_fd, 0) < 0)
		return err_sys(err, "shut the file system");
	return 0;
}

int confine_network_program(struct err *err)
{
	if (drop_capabilities(err) < 0)
		return -1;
	return shut_files(err);
}
