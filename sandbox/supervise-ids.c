/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the ids that processes believe to have. Each set of ids that anybody asked for has a
 * place in a table, and a process carries the number of its set in a limit: so a child has those
 * of its parent, however it was made and whoever else has ended meanwhile, and no call has to be
 * held for that. The limit is RLIMIT_RTTIME, which counts for processes of realtime priority only;
 * the numbers are weeks of it. Nobody else sets it: pam_limits would, to what process 1 has.
 */
#include "sandbox/supervise-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "sandbox/caps.h"

#define TOKEN_BASE ((rlim_t)1 << 40) /* microseconds */
#define IDS_MAX    65536
#define GROUPS_MAX 65536
#define KEEP       UINT32_MAX

void supervise_ids_init(struct supervisor *supervisor,
			const struct sandbox_description *description)
{
	struct ids *first = mem_alloc(sizeof(*first));

	for (int i = 0; i < ID_COUNT; i++) {
		first->uid[i] = description->uid;
		first->gid[i] = description->gid;
	}
	supervisor->capabilities = description->capabilities & CAPS_ALL;
	if (description->uid == 0)
		first->permitted = first->effective = supervisor->capabilities;
	if (description->group_count)
		first->groups =
			mem_dup(description->groups, description->group_count * sizeof(gid_t));
	first->group_count = description->group_count;
	supervisor->ids = first;
	supervisor->ids_count = 1;
}

void supervise_ids_release(struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->ids_count; i++)
		free(supervisor->ids[i].groups);
	free(supervisor->ids);
}

const struct ids *supervise_ids(const struct call *call)
{
	struct rlimit limit;

	/* nobody has asked for others yet */
	if (call->supervisor->ids_count == 1)
		return &call->supervisor->ids[0];
	if (prlimit(call->pid, RLIMIT_RTTIME, NULL, &limit) < 0 || limit.rlim_cur < TOKEN_BASE ||
	    limit.rlim_cur - TOKEN_BASE >= call->supervisor->ids_count)
		return &call->supervisor->ids[0];
	return &call->supervisor->ids[limit.rlim_cur - TOKEN_BASE];
}

bool supervise_has_group(const struct ids *ids, gid_t gid)
{
	for (size_t i = 0; i < ids->group_count; i++)
		if (ids->groups[i] == gid)
			return true;
	return ids->gid[ID_FILE] == gid;
}

bool supervise_can(const struct ids *ids, int capability)
{
	return ids->effective & CAPS_BIT(capability);
}

static bool same_ids(const struct ids *a, const struct ids *b)
{
	return a->permitted == b->permitted && a->effective == b->effective &&
	       a->inheritable == b->inheritable && a->keeps_permitted == b->keeps_permitted &&
	       memcmp(a->uid, b->uid, sizeof(a->uid)) == 0 &&
	       memcmp(a->gid, b->gid, sizeof(a->gid)) == 0 && a->group_count == b->group_count &&
	       (a->group_count == 0 ||
		memcmp(a->groups, b->groups, a->group_count * sizeof(gid_t)) == 0);
}

/* The place of @wanted, whose groups are the caller's. */
static size_t intern(struct supervisor *supervisor, const struct ids *wanted)
{
	struct ids *fresh;
	size_t at = 0;

	while (at < supervisor->ids_count && !same_ids(&supervisor->ids[at], wanted))
		at++;
	if (at < supervisor->ids_count || at == IDS_MAX)
		return at;
	supervisor->ids = mem_resize(supervisor->ids, at + 1, sizeof(*fresh));
	fresh = &supervisor->ids[at];
	*fresh = *wanted;
	fresh->groups = wanted->group_count
				? mem_dup(wanted->groups, wanted->group_count * sizeof(gid_t))
				: NULL;
	supervisor->ids_count++;
	return at;
}

static int become(const struct call *call, const struct ids *wanted)
{
	size_t at = intern(call->supervisor, wanted);
	struct rlimit limit;

	if (at == IDS_MAX)
		return -EAGAIN;
	if (!call_is_alive(call))
		return -ESRCH;
	if (prlimit(call->pid, RLIMIT_RTTIME, NULL, &limit) < 0)
		return -errno;
	limit.rlim_cur = TOKEN_BASE + at;
	return prlimit(call->pid, RLIMIT_RTTIME, &limit, NULL) < 0 ? -errno : 0;
}

/* The limit that carries the number: it seems to be none, and to be set. */
int answer_limit(struct call *call)
{
	const struct rlimit none = { .rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY };
	const bool is_old = call->number != SYS_prlimit64; /* setrlimit(2) */
	const uint64_t old = is_old ? 0 : call->args[3];

	if (call->args[is_old ? 0 : 1] != RLIMIT_RTTIME)
		return CALL_PASS;
	return old ? call_write(call, old, &none, sizeof(none)) : 0;
}

/* ---- setting: users and groups have the same rules ---- */

struct change {
	uint32_t *now; /* the four of them */
	bool is_privileged;
};

static bool is_one_of(uint32_t id, const uint32_t *now, unsigned kinds)
{
	for (unsigned i = 0; i < ID_COUNT; i++)
		if ((kinds & (1U << i)) && now[i] == id)
			return true;
	return false;
}

#define OF(kind)  (1U << (kind))
#define ANY_THREE (OF(ID_REAL) | OF(ID_EFFECTIVE) | OF(ID_SAVED))

static int set_one(struct change *change, uint32_t id)
{
	uint32_t *now = change->now;

	if (id == KEEP)
		return -EINVAL;
	if (change->is_privileged)
		now[ID_REAL] = now[ID_SAVED] = id;
	else if (!is_one_of(id, now, OF(ID_REAL) | OF(ID_SAVED)))
		return -EPERM;
	now[ID_EFFECTIVE] = now[ID_FILE] = id;
	return 0;
}

static int set_two(struct change *change, uint32_t real, uint32_t effective)
{
	uint32_t *now = change->now;
	const uint32_t old_real = now[ID_REAL];

	if (!change->is_privileged &&
	    ((real != KEEP && !is_one_of(real, now, OF(ID_REAL) | OF(ID_EFFECTIVE))) ||
	     (effective != KEEP && !is_one_of(effective, now, ANY_THREE))))
		return -EPERM;
	if (real != KEEP)
		now[ID_REAL] = real;
	if (effective != KEEP)
		now[ID_EFFECTIVE] = effective;
	if (real != KEEP || (effective != KEEP && effective != old_real))
		now[ID_SAVED] = now[ID_EFFECTIVE];
	now[ID_FILE] = now[ID_EFFECTIVE];
	return 0;
}

static int set_three(struct change *change, const uint64_t *args)
{
	uint32_t *now = change->now;
	const uint32_t old[ID_COUNT] = { now[0], now[1], now[2], now[3] };

	for (int i = ID_REAL; i <= ID_SAVED; i++) {
		const uint32_t id = (uint32_t)args[i];

		if (id == KEEP)
			continue;
		if (!change->is_privileged && !is_one_of(id, old, ANY_THREE))
			return -EPERM;
		now[i] = id;
	}
	now[ID_FILE] = now[ID_EFFECTIVE];
	return 0;
}

/* Returns the old one, whatever comes of it. */
static int set_file(struct change *change, uint32_t id, int64_t *out_old)
{
	uint32_t *now = change->now;

	*out_old = now[ID_FILE];
	if (change->is_privileged || is_one_of(id, now, ANY_THREE | OF(ID_FILE)))
		now[ID_FILE] = id == KEEP ? now[ID_FILE] : id;
	return 0;
}

static int set_ids(struct call *call, struct change *change)
{
	const uint64_t *args = call->args;

	switch (call->number) {
	case SYS_setuid:
	case SYS_setgid:
		return set_one(change, (uint32_t)args[0]);
	case SYS_setreuid:
	case SYS_setregid:
		return set_two(change, (uint32_t)args[0], (uint32_t)args[1]);
	case SYS_setresuid:
	case SYS_setresgid:
		return set_three(change, args);
	case SYS_setfsuid:
	case SYS_setfsgid:
		return set_file(change, (uint32_t)args[0], &call->value);
	}
	return -ENOSYS;
}

static bool is_root_in_any(const struct ids *ids)
{
	return !ids->uid[ID_REAL] || !ids->uid[ID_EFFECTIVE] || !ids->uid[ID_SAVED];
}

/* What becomes of the capabilities when user ids change; capabilities(7). */
static void follow_change(const struct ids *before, struct ids *ids)
{
	if (is_root_in_any(before) && !is_root_in_any(ids) && !before->keeps_permitted)
		ids->permitted = ids->effective = 0;
	if (before->uid[ID_EFFECTIVE] == 0 && ids->uid[ID_EFFECTIVE] != 0)
		ids->effective = 0;
	if (before->uid[ID_EFFECTIVE] != 0 && ids->uid[ID_EFFECTIVE] == 0)
		ids->effective = ids->permitted;
}

int answer_set_uid(struct call *call)
{
	struct ids ids = *supervise_ids(call);
	struct change change = { .now = ids.uid, .is_privileged = supervise_can(&ids, CAP_SETUID) };
	const struct ids before = ids;
	int result = set_ids(call, &change);

	if (result < 0)
		return result;
	/* of the files' id alone nothing follows that matters here */
	if (call->number != SYS_setfsuid)
		follow_change(&before, &ids);
	return become(call, &ids);
}

int answer_set_gid(struct call *call)
{
	struct ids ids = *supervise_ids(call);
	struct change change = { .now = ids.gid, .is_privileged = supervise_can(&ids, CAP_SETGID) };
	int result = set_ids(call, &change);

	return result < 0 ? result : become(call, &ids);
}

int answer_set_groups(struct call *call)
{
	struct ids ids = *supervise_ids(call);
	auto_free gid_t *groups = NULL;
	const size_t count = (size_t)call->args[0];
	int result = 0;

	if (!supervise_can(&ids, CAP_SETGID))
		return -EPERM;
	if (count > GROUPS_MAX)
		return -EINVAL;
	groups = mem_array(count + 1, sizeof(*groups));
	if (count)
		result = call_read(call, call->args[1], groups, count * sizeof(*groups));
	if (result < 0)
		return result;
	ids.groups = groups;
	ids.group_count = count;
	return become(call, &ids);
}

/* ---- asking ---- */

static int put_three(struct call *call, const uint32_t *ids)
{
	for (int i = ID_REAL; i <= ID_SAVED; i++) {
		int result = call_write(call, call->args[i], &ids[i], sizeof(ids[i]));

		if (result < 0)
			return result;
	}
	return 0;
}

int answer_get_ids(struct call *call)
{
	const struct ids *ids = supervise_ids(call);

	switch (call->number) {
	case SYS_getuid:
		call->value = ids->uid[ID_REAL];
		return 0;
	case SYS_geteuid:
		call->value = ids->uid[ID_EFFECTIVE];
		return 0;
	case SYS_getgid:
		call->value = ids->gid[ID_REAL];
		return 0;
	case SYS_getegid:
		call->value = ids->gid[ID_EFFECTIVE];
		return 0;
	case SYS_getresuid:
		return put_three(call, ids->uid);
	case SYS_getresgid:
		return put_three(call, ids->gid);
	}
	return -ENOSYS;
}

int answer_get_groups(struct call *call)
{
	const struct ids *ids = supervise_ids(call);
	const int32_t room = (int32_t)call->args[0];

	if (room < 0 || (room > 0 && (size_t)room < ids->group_count))
		return -EINVAL;
	call->value = (int64_t)ids->group_count;
	if (room == 0 || ids->group_count == 0)
		return 0;
	return call_write(call, call->args[1], ids->groups, ids->group_count * sizeof(gid_t));
}

/* ---- capabilities ---- */

int answer_prctl(struct call *call)
{
	struct ids ids = *supervise_ids(call);

	/* else we could not look into it where we have no right over others' processes */
	if (call->args[0] == PR_SET_DUMPABLE)
		return 0;
	/* the filter cannot tell them from others with the same bits */
	if (call->args[0] != PR_SET_KEEPCAPS || call->args[1] > 1)
		return CALL_PASS;
	ids.keeps_permitted = call->args[1];
	return become(call, &ids);
}

/* The older form has only one half of each set. */
static int read_halves(struct call *call, struct __user_cap_header_struct *out_header,
		       unsigned *out_halves)
{
	int result = call_read(call, call->args[0], out_header, sizeof(*out_header));

	*out_halves = out_header->version == _LINUX_CAPABILITY_VERSION_1 ? 1 : 2;
	return result;
}

static uint64_t join(uint32_t low, uint32_t high)
{
	return low | (uint64_t)high << 32;
}

/* Of somebody else, or in a form that is none, the kernel tells. */
int answer_capget(struct call *call)
{
	const struct ids *ids = supervise_ids(call);
	struct __user_cap_header_struct header;
	struct __user_cap_data_struct data[2];
	unsigned halves;

	if (read_halves(call, &header, &halves) < 0 || header.pid != 0 || !call->args[1] ||
	    (halves == 2 && header.version != _LINUX_CAPABILITY_VERSION_2 &&
	     header.version != _LINUX_CAPABILITY_VERSION_3))
		return CALL_PASS;
	for (unsigned i = 0; i < halves; i++) {
		data[i].effective = (uint32_t)(ids->effective >> (32 * i));
		data[i].permitted = (uint32_t)(ids->permitted >> (32 * i));
		data[i].inheritable = (uint32_t)(ids->inheritable >> (32 * i));
	}
	return call_write(call, call->args[1], data, halves * sizeof(data[0]));
}

/* The kernel's own are left alone: who gave up some of his still has to be able to write files
 * that are his, and in truth root's. */
int answer_capset(struct call *call)
{
	struct ids ids = *supervise_ids(call);
	struct __user_cap_header_struct header;
	struct __user_cap_data_struct data[2] = { 0 }; /* one half: the other one is empty */
	uint64_t permitted;
	unsigned halves;

	if (read_halves(call, &header, &halves) < 0 ||
	    call_read(call, call->args[1], data, halves * sizeof(data[0])) < 0)
		return -EFAULT;
	permitted = join(data[0].permitted, data[1].permitted);
	ids.effective = join(data[0].effective, data[1].effective);
	ids.inheritable = join(data[0].inheritable, data[1].inheritable);
	if ((permitted & ~ids.permitted) || (ids.effective & ~permitted))
		return -EPERM;
	ids.permitted = permitted;
	return become(call, &ids);
}

/* ---- programs ---- */

static bool is_script(const struct call *call, int fd)
{
	auto_close int reading_fd = call_reopen(call, fd);
	char head[2];

	return reading_fd >= 0 && pread(reading_fd, head, 2, 0) == 2 && memcmp(head, "#!", 2) == 0;
}

/* A program with the setuid or setgid bit is its owner's. */
static void take_ids_of(const struct stat *st, struct ids *ids)
{
	if (st->st_mode & S_ISUID)
		ids->uid[ID_EFFECTIVE] = st->st_uid;
	if ((st->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		ids->gid[ID_EFFECTIVE] = st->st_gid;
}

/* Root begins with all, everybody else with nothing. */
static void begin_anew(const struct supervisor *supervisor, struct ids *ids)
{
	ids->uid[ID_SAVED] = ids->uid[ID_FILE] = ids->uid[ID_EFFECTIVE];
	ids->gid[ID_SAVED] = ids->gid[ID_FILE] = ids->gid[ID_EFFECTIVE];
	ids->keeps_permitted = false;
	ids->permitted = ids->effective = 0;
	if (ids->uid[ID_REAL] == 0 || ids->uid[ID_EFFECTIVE] == 0)
		ids->permitted = supervisor->capabilities;
	if (ids->uid[ID_EFFECTIVE] == 0)
		ids->effective = ids->permitted;
}

/* The kernel executes it; whether it can is not known before. */
int answer_exec(struct call *call)
{
	const bool is_at = call->number == SYS_execveat;
	const int flags = is_at ? (int)call->args[4] : 0;
	const struct ids *before = supervise_ids(call);
	struct ids ids = *before;
	const struct at at = { .dir_fd = is_at ? (int)call->args[0] : AT_FDCWD,
			       .path = call->args[is_at ? 1 : 0],
			       .flags = flags & AT_SYMLINK_NOFOLLOW };
	const int refused = supervise_may_reach(call, at, X_OK);
	auto_close int fd = refused ? refused : call_open(call, at.dir_fd, at.path, flags);
	bool is_recorded;
	struct stat st;

	if (refused)
		return refused;
	if (fd < 0 || supervise_stat(call, fd, &st, &is_recorded) < 0 || !S_ISREG(st.st_mode))
		return CALL_PASS;
	if ((st.st_mode & (S_ISUID | S_ISGID)) && !is_script(call, fd))
		take_ids_of(&st, &ids);
	begin_anew(call->supervisor, &ids);
	if (!same_ids(&ids, before))
		become(call, &ids);
	return CALL_PASS;
}
