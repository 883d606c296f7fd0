/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_SUPERVISE_INTERNAL_H
#define SANDBOX_SUPERVISE_INTERNAL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "sandbox/supervise.h"

/*
 * Functions return 0 or -errno, or one of these two, for a process is the reader.
 */
/* The same numbers everywhere. */
#define SUPERVISE_FCHMODAT2     452 /* Linux 6.6 */
#define SUPERVISE_SETXATTRAT    463 /* 6.13 */
#define SUPERVISE_REMOVEXATTRAT 466 /* 6.13 */
#define SUPERVISE_FILE_SETATTR  469 /* 6.17 */

#define CALL_PASS 1 /* the kernel shall do it */
#define CALL_SENT 2 /* the answer is on its way */

/* The ids and capabilities that a process believes to have. */
enum { ID_REAL, ID_EFFECTIVE, ID_SAVED, ID_FILE, ID_COUNT };
struct ids {
	uid_t uid[ID_COUNT];
	gid_t gid[ID_COUNT];
	uint64_t permitted;
	uint64_t effective;
	uint64_t inheritable;
	bool keeps_permitted; /* PR_SET_KEEPCAPS */
	gid_t *groups;
	size_t group_count;
};

struct supervisor {
	int listener_fd;
	int dev_fd;        /* the host's /dev where the command has none mounted, else -1 */
	int proc_fd;       /* the host's /proc, which is our working directory too */
	uint64_t root_ino; /* where our root is: that of the process we answered last */
	uint64_t root_mount;
	struct ids *ids; /* every set that was asked for; the first is the container's */
	size_t ids_count;
	uint64_t capabilities;         /* the most that anybody has */
	char *hostname;                /* that a chroot has; may be NULL */
	bool only_devices;             /* all else is the kernel's: ids, owners */
	bool reads_by_file;            /* memory by /proc: the other way is forbidden here */
	struct seccomp_notif *request; /* as large as this kernel's */
	struct seccomp_notif_resp *response;
	size_t request_bytes;
	size_t response_bytes;
};

/* One call that is held. */
struct call {
	struct supervisor *supervisor;
	uint64_t id;
	pid_t pid; /* of the thread, as the host sees it */
	int number;
	const uint64_t *args;
	int64_t value; /* what it returns, when the answer is 0 */
	bool is_outer; /* call_open gave a file of the outer /proc or /dev */
};
typedef int (*call_fn)(struct call *call);

/* supervise-calls.c: which calls are held. */
struct held {
	int number;
	call_fn answer;
	unsigned arg;  /* only when this argument */
	uint32_t mask; /* has one of these bits; 0: always */
	enum { HELD_ALIKE, HELD_ONLY_IN_CHROOT } in_chroot;
};
extern const struct held supervise_held[];
extern const size_t supervise_held_count;
/* In a chroot the kernel answers these, with @error. */
struct refused {
	int number;
	int error;
	unsigned arg; /* as above */
	uint32_t mask;
};
extern const struct refused supervise_refused[];
extern const size_t supervise_refused_count;
extern const struct held supervise_held_devices[];
extern const size_t supervise_held_devices_count;

/* ---- supervise-process.c: the process that called ---- */

/* Is it still waiting? If not, its number may be another's by now. */
bool call_is_alive(const struct call *call);
int call_read(const struct call *call, uint64_t address, void *buffer, size_t size);
int call_write(const struct call *call, uint64_t address, const void *buffer, size_t size);
/* A text of less than @size bytes; -ENAMETOOLONG. */
int call_read_text(const struct call *call, uint64_t address, char *buffer, size_t size);
/* The file behind its descriptor @fd, by O_PATH. */
int call_open_fd(const struct call *call, int fd);
/*
 * The file that it calls so, by O_PATH, in its own root and from its own directories. @flags:
 * AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW. -ELOOP too where a magic link of /proc is on the way, which
 * would lead to something of ours.
 */
int call_open(struct call *call, int dir_fd, uint64_t path, int flags);
/*
 * Where the path @text begins for it: its root or the directory @dir_fd. Its root is ours from then
 * on. Negative on failure.
 */
int call_open_start(struct call *call, int dir_fd, const char *text);
/* The directory of what it calls so, and the last name ("" for none: it ends with a slash). */
int call_open_parent(struct call *call, int dir_fd, uint64_t path, char name[NAME_MAX + 1]);
/*
 * supervise-outer.c: what it calls so of /proc and /dev, where the command has none mounted, opened
 * with @flags. -ENOENT when it is nothing that it may see.
 */
int call_open_outer(const struct call *call, const char *text, int flags);
/* The same by O_PATH, to be looked at by us and not given away: of some directories too. */
int call_look_outer(const struct call *call, const char *text, int flags);
/* An O_PATH descriptor as one that reads. */
int call_reopen(const struct call *call, int fd);
mode_t call_umask(const struct call *call);
/* Has the kernel's own effective capability. */
bool call_can(const struct call *call, int capability);

/* ---- supervise-record.c: what is recorded of an open file ---- */

/* stat(2) of it; *out_is_recorded when a record changed something. @fd may be O_PATH. */
int supervise_stat(const struct call *call, int fd, struct stat *out, bool *out_is_recorded);
int supervise_chown(const struct call *call, int fd, uid_t uid, gid_t gid);

/* ---- supervise-files.c: the file that a call is about, by its number ---- */

int call_open_subject(struct call *call);
/* One that is a device in truth: no layer holds it, it was lent to the command. */
bool call_is_lent(int fd);

/* ---- supervise-access.c: what the kernel would refuse, were it whom it believes to be ---- */

/* A path among the arguments. */
struct at {
	int dir_fd;
	uint64_t path; /* where it is in memory */
	int flags;     /* AT_SYMLINK_NOFOLLOW */
};

/* There all files are root's, whoever the processes believe to be. */
bool supervise_is_of_proc(int fd);
/* Is there anything that might be refused? Not to who has root's rights. */
bool supervise_is_checked(const struct call *call, const struct ids *ids);
/* To read, write, execute or search an open file (R_OK, W_OK, X_OK): 0 or -EACCES. */
int supervise_may(const struct call *call, const struct ids *ids, int fd, int want);
/* What only the owner may: 0 or -EPERM. */
int supervise_may_change(const struct call *call, int fd);
/*
 * The same by path, whose directories must be searchable; 0 too where there is no such file, for
 * the kernel finds that out itself. @want is 0 for being there.
 */
int supervise_may_reach(struct call *call, struct at at, int want);
int supervise_may_reach_subject(struct call *call, int want);
/* As access(2) asks. */
int supervise_may_access(struct call *call, struct at at, int want);
/* To give it another name. */
int supervise_may_link(struct call *call, struct at at);
int supervise_may_open(struct call *call, struct at at, int open_flags);
/* To make a name, take it away, or whichever of the two it comes to. */
enum enter { ENTER_NEW, ENTER_GONE, ENTER_EITHER };
int supervise_may_enter(struct call *call, struct at at, enum enter enter);

/* Where a path ends. */
struct place {
	int dir_fd; /* -1: it has no last name, as "/" */
	char name[NAME_MAX + 1];
	int fd; /* -1: nothing is there */
};
#define PLACE_INIT                      \
	{                               \
		.dir_fd = -1, .fd = -1, \
	}
#define auto_place __attribute__((cleanup(place_release)))
void place_release(struct place *place);

/* ---- supervise-ids.c ---- */

void supervise_ids_init(struct supervisor *supervisor,
			const struct sandbox_description *description);
void supervise_ids_release(struct supervisor *supervisor);
const struct ids *supervise_ids(const struct call *call);
bool supervise_has_group(const struct ids *ids, gid_t gid);
bool supervise_can(const struct ids *ids, int capability);

/* ---- the calls ---- */
int answer_set_uid(struct call *call);
int answer_set_gid(struct call *call);
int answer_set_groups(struct call *call);
int answer_get_ids(struct call *call);
int answer_get_groups(struct call *call);
int answer_exec(struct call *call);
int answer_limit(struct call *call);
int answer_prctl(struct call *call);
int answer_capset(struct call *call);
int answer_capget(struct call *call);

int answer_access(struct call *call);
int answer_readlink(struct call *call);
int answer_statfs(struct call *call);
int answer_uname(struct call *call);

int answer_chown(struct call *call);
int answer_change_open(struct call *call);
int answer_chmod(struct call *call);
int answer_set_attribute(struct call *call);
int answer_remove(struct call *call);
int answer_rename(struct call *call);
int answer_link(struct call *call);
int answer_chdir(struct call *call);
int answer_truncate(struct call *call);
int answer_chroot(struct call *call);
int answer_utimens(struct call *call);
int answer_listxattr(struct call *call);
int answer_stat(struct call *call);
int answer_statx(struct call *call);

int answer_open(struct call *call);
int answer_mkdir(struct call *call);
int answer_symlink(struct call *call);
int answer_mknod(struct call *call);

#endif
