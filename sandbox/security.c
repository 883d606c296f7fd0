/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for --cap-add, --cap-drop, --security-opt and --privileged. */
#include "sandbox/security.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "sandbox/caps.h"
#include "sandbox/label.h"
#include "sandbox/seccomp.h"

#define APPARMOR "/sys/kernel/security/apparmor"
#define SELINUX  "/sys/fs/selinux/enforce"

#define OWN_LABEL       "/proc/self/attr/current"
#define LABEL_MAX_BYTES ((size_t)4096)

void security_release(struct security *security)
{
	free(security->seccomp);
	free(security->apparmor);
	free(security->selinux);
	strlist_release(&security->masks);
	strlist_release(&security->unmasks);
}

void security_texts_release(struct security_texts *texts)
{
	strlist_release(&texts->cap_add);
	strlist_release(&texts->cap_drop);
	strlist_release(&texts->options);
}

/* ---- capabilities ---- */

/* "ALL" among the names, or all of them together. */
static int sum(const struct strlist *names, bool *out_all, uint64_t *out, struct err *err)
{
	*out_all = false;
	*out = 0;
	for (size_t i = 0; i < names->count; i++) {
		uint64_t one;

		if (caps_parse(names->items[i], &one, err) < 0)
			return -1;
		if (one == CAPS_ALL)
			*out_all = true;
		else
			*out |= one;
	}
	return 0;
}

static int parse_capabilities(const struct security_texts *texts, uint64_t *out, struct err *err)
{
	uint64_t added, dropped;
	bool add_all, drop_all;

	if (sum(&texts->cap_add, &add_all, &added, err) < 0 ||
	    sum(&texts->cap_drop, &drop_all, &dropped, err) < 0)
		return -1;
	*out = add_all || texts->is_privileged ? CAPS_ALL : drop_all ? 0 : SANDBOX_CAPS_DEFAULT;
	if (drop_all && texts->is_privileged)
		*out = 0;
	*out = (*out | added) & ~dropped;
	return 0;
}

/* ---- --security-opt ---- */

static int take_no_new(const char *value, struct security *out, struct err *err)
{
	if (value && strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
		return err_set(err, ERR_USAGE, "it is true or false, not '%s'", value);
	out->no_new_privileges = !value || strcmp(value, "true") == 0;
	return 0;
}

static int take_seccomp(const char *value, struct security *out, struct err *err)
{
	free(out->seccomp);
	out->seccomp = NULL;
	out->is_unconfined = value && strcmp(value, "unconfined") == 0;
	if (!value || !*value)
		return err_set(err, ERR_USAGE, "it is a file, unconfined or builtin");
	if (!out->is_unconfined && strcmp(value, "builtin") != 0)
		out->seccomp = str_dup(value);
	return 0;
}

static int take_paths(const char *value, struct strlist *out, struct err *err)
{
	auto_free char *copy = str_dup(value ? value : "");
	char *rest = copy;
	char *path;

	while ((path = strsep(&rest, ":"))) {
		if (*path != '/')
			return err_set(err, ERR_USAGE, "'%s' is no absolute path", path);
		strlist_add(out, path);
	}
	return 0;
}

static int take_mask(const char *value, struct security *out, struct err *err)
{
	return take_paths(value, &out->masks, err);
}

static int take_unmask(const char *value, struct security *out, struct err *err)
{
	if (value && strcasecmp(value, "ALL") == 0) {
		out->unmasks_all = true;
		return 0;
	}
	return take_paths(value, &out->unmasks, err);
}

static int take_systempaths(const char *value, struct security *out, struct err *err)
{
	if (!value || strcmp(value, "unconfined") != 0)
		return err_set(err, ERR_USAGE, "it is unconfined, or not given");
	out->unmasks_all = true;
	return 0;
}

/* Our own profile would have to be loaded by root first: nothing is as if nobody asked. */
static int take_apparmor(const char *value, struct security *out, struct err *err)
{
	free(out->apparmor);
	out->apparmor = NULL;
	if (!value || !*value)
		return err_set(err, ERR_USAGE, "it is a profile, or unconfined");
	if (access(APPARMOR, F_OK) == 0)
		out->apparmor = str_dup(value);
	else if (strcmp(value, "unconfined") != 0)
		return err_set(err, ERR_USAGE, "this host has no AppArmor");
	return 0;
}

/* Each adds a part to what those before it made of ours. */
static int take_label(const char *value, struct security *out, struct err *err)
{
	auto_strbuf struct strbuf ours = STRBUF_INIT;
	auto_strlist struct strlist part = STRLIST_INIT;
	auto_close int fd = -1;
	char *label;

	if (value && strcmp(value, "disable") == 0) {
		free(out->selinux);
		out->selinux = NULL;
		return 0;
	}
	if (access(SELINUX, F_OK) < 0)
		return err_set(err, ERR_USAGE, "this host has no SELinux");
	fd = open(OWN_LABEL, O_RDONLY | O_CLOEXEC);
	if (!out->selinux &&
	    (fd < 0 || fd_read_all(fd, LABEL_MAX_BYTES, &ours, OWN_LABEL, err) < 0))
		return err->kind ? -1 : err_sys(err, "open '" OWN_LABEL "'");
	strlist_add(&part, value ? value : "");
	label = label_with_parts(out->selinux ? out->selinux
				 : ours.data  ? ours.data
					      : "",
				 &part, err);
	if (!label)
		return -1;
	free(out->selinux);
	out->selinux = label;
	return 0;
}

static const struct {
	const char *name;
	int (*take)(const char *value, struct security *out, struct err *err);
} rows[] = {
	{ "no-new-privileges", take_no_new },
	{ "seccomp", take_seccomp },
	{ "mask", take_mask },
	{ "unmask", take_unmask },
	{ "systempaths", take_systempaths },
	{ "apparmor", take_apparmor },
	{ "label", take_label },
};

static int take_option(const char *text, struct security *out, struct err *err)
{
	size_t len = strcspn(text, "=:");
	const char *value = text[len] ? text + len + 1 : NULL;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strlen(rows[i].name) == len && strncmp(rows[i].name, text, len) == 0) {
			if (rows[i].take(value, out, err) < 0)
				return err_prefix(err, "--security-opt %s", text);
			return 0;
		}
	return err_set(err, ERR_USAGE, "--security-opt: '%s' is not supported", text);
}

int security_parse(const struct security_texts *texts, struct security *out, struct err *err)
{
	out->is_privileged = texts->is_privileged;
	out->is_unconfined = texts->is_privileged;
	out->unmasks_all = texts->is_privileged;
	if (parse_capabilities(texts, &out->capabilities, err) < 0)
		return -1;
	for (size_t i = 0; i < texts->options.count; i++)
		if (take_option(texts->options.items[i], out, err) < 0)
			return -1;
	return 0;
}

/* ---- into a description ---- */

/* Without those that are @unmasks, and below them. */
static void take_out(struct strlist *paths, const struct strlist *unmasks)
{
	auto_strlist struct strlist kept = STRLIST_INIT;

	for (size_t i = 0; i < paths->count; i++) {
		bool is_out = false;

		for (size_t k = 0; k < unmasks->count; k++) {
			size_t len = strlen(unmasks->items[k]);

			is_out |= strncmp(paths->items[i], unmasks->items[k], len) == 0 &&
				  (paths->items[i][len] == '\0' || paths->items[i][len] == '/');
		}
		if (!is_out)
			strlist_add(&kept, paths->items[i]);
	}
	strlist_copy(paths, &kept);
}

/* As an ordinary user that is what his user namespace gives him. */
static void open_up(struct sandbox_description *out)
{
	out->opens_devices = true;
	for (size_t i = 0; i < out->mount_count; i++)
		if (out->mounts[i].kind == SANDBOX_MOUNT_CGROUP ||
		    (out->mounts[i].kind == SANDBOX_MOUNT_SYSFS && !out->nested))
			out->mounts[i].flags &= ~(unsigned)SANDBOX_MOUNT_READ_ONLY;
}

void security_apply_rights(const struct security *security, struct sandbox_description *out)
{
	/* by which root leaves one chroot through another */
	const uint64_t never = sandbox_is_chroot(out) ? CAPS_BIT(CAP_SYS_CHROOT) : 0;

	out->capabilities = security->capabilities & ~never;
	if (security->apparmor)
		out->apparmor_profile = str_dup(security->apparmor);
	if (security->selinux)
		out->selinux_label = str_dup(security->selinux);
	out->no_new_privileges |= security->no_new_privileges; /* the ladder may need it */
	if (security->is_privileged)
		open_up(out);
	if (security->unmasks_all) {
		strlist_release(&out->masked_paths);
		strlist_release(&out->read_only_paths);
	}
	take_out(&out->masked_paths, &security->unmasks);
	take_out(&out->read_only_paths, &security->unmasks);
	for (size_t i = 0; i < security->masks.count; i++)
		strlist_add(&out->masked_paths, security->masks.items[i]);
}

int security_open_filter(const struct security *security, struct store *store,
			 uint64_t capabilities, struct err *err)
{
	return security->seccomp ? seccomp_profile_filter(security->seccomp, capabilities, err)
				 : seccomp_default_filter(store_cache_fd(store), capabilities, err);
}

int security_apply(const struct security *security, struct store *store,
		   struct sandbox_description *out, int *out_seccomp_fd, struct err *err)
{
	security_apply_rights(security, out);
	if (security->is_unconfined)
		return 0;
	*out_seccomp_fd = security_open_filter(security, store, out->capabilities, err);
	out->seccomp_fd = *out_seccomp_fd;
	return *out_seccomp_fd < 0 ? -1 : 0;
}
