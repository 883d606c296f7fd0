/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the ids that processes believe to have. Each set of ids that anybody asked for has a
 * place in a table, and a process carries the number of its set in a limit that means nothing to
 * the kernel since Linux 2.4.25, RLIMIT_LOCKS: so a child has those of its parent, however it was
 * made and whoever else has ended meanwhile, and no call has to be held for that.
 */
#include "sandbox/supervise-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"

#define TOKEN_BASE ((rlim_t)1 << 40)
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

	if (prlimit(call->pid, RLIMIT_LOCKS, NULL, &limit) < 0 || limit.rlim_cur < TOKEN_BASE ||
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

static bool same_ids(const struct ids *a, const struct ids *b)
{
	return memcmp(a->uid, b->uid, sizeof(a->uid)) == 0 &&
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
	if (prlimit(call->pid, RLIMIT_LOCKS, NULL, &limit) < 0)
		return -errno;
	limit.rlim_cur = TOKEN_BASE + at;
	return prlimit(call->pid, RLIMIT_LOCKS, &limit, NULL) < 0 ? -errno : 0;
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

int answer_set_uid(struct call *call)
{
	struct ids ids = *supervise_ids(call);
	struct change change = { .now = ids.uid, .is_privileged = ids.uid[ID_EFFECTIVE] == 0 };
	int result = set_ids(call, &change);

	return result < 0 ? result : become(call, &ids);
}

int answer_set_gid(struct call *call)
{
	struct ids ids = *supervise_ids(call);
	struct change change = { .now = ids.gid, .is_privileged = ids.uid[ID_EFFECTIVE] == 0 };
	int result = set_ids(call, &change);

	return result < 0 ? result : become(call, &ids);
}

int answer_set_groups(struct call *call)
{
	struct ids ids = *supervise_ids(call);
	auto_free gid_t *groups = NULL;
	const size_t count = (size_t)call->args[0];
	int result = 0;

	if (ids.uid[ID_EFFECTIVE] != 0)
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

/* ---- programs that are somebody else's ---- */

static bool is_script(const struct call *call, int fd)
{
	auto_close int reading_fd = call_reopen(call, fd);
	char head[2];

	return reading_fd >= 0 && pread(reading_fd, head, 2, 0) == 2 && memcmp(head, "#!", 2) == 0;
}

/* A program with the setuid or setgid bit. The kernel executes it; whether it can is not known
 * before. */
int answer_exec(struct call *call)
{
	const bool is_at = call->number == SYS_execveat;
	const int flags = is_at ? (int)call->args[4] : 0;
	struct ids ids = *supervise_ids(call);
	auto_close int fd = call_open(call, is_at ? (int)call->args[0] : AT_FDCWD,
				      call->args[is_at ? 1 : 0], flags);
	bool is_recorded;
	struct stat st;

	if (fd < 0 || supervise_stat(call, fd, &st, &is_recorded) < 0 || !S_ISREG(st.st_mode) ||
	    !(st.st_mode & (S_ISUID | S_ISGID)) || is_script(call, fd))
		return CALL_PASS;
	if (st.st_mode & S_ISUID)
		ids.uid[ID_EFFECTIVE] = st.st_uid;
	if ((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		ids.gid[ID_EFFECTIVE] = st.st_gid;
	ids.uid[ID_SAVED] = ids.uid[ID_FILE] = ids.uid[ID_EFFECTIVE];
	ids.gid[ID_SAVED] = ids.gid[ID_FILE] = ids.gid[ID_EFFECTIVE];
	become(call, &ids);
	return CALL_PASS;
}
