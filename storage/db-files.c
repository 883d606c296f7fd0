/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for SQLite's way to its files: the system's own, but for what would lengthen paths or
 * touch the files of others.
 */
#include "storage/db-files-internal.h"

#include <pthread.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static sqlite3_vfs files = { .zName = "imgbuild" };
static sqlite3_vfs reading_files = { .zName = "imgbuild-reading" };

/*
 * SQLite would put the target of each link into a path, and takes none of more than
 * 512 bytes. Through a descriptor of the store's directory every path is short.
 */
static int keep_path(sqlite3_vfs *vfs, const char *path, int size, char *out)
{
	size_t len = strlen(path);

	(void)vfs;
	if (len >= (size_t)size)
		return SQLITE_CANTOPEN;
	memcpy(out, path, len + 1);
	return SQLITE_OK;
}

/* A log that is not there is made otherwise, even for a database that is only read. */
static int open_for_reading(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
			    int *out_flags)
{
	flags &= ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
	return files.xOpen(vfs, path, file, flags | SQLITE_OPEN_READONLY, out_flags);
}

/*
 * As root SQLite gives the log and its index to the database's owner. Theirs they are already,
 * and doing it again would show as a change.
 */
static int give_to_owner(int fd, uid_t uid, gid_t gid)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && st.st_uid == uid && st.st_gid == gid)
		return 0;
	return fchown(fd, uid, gid);
}

static void adapt(sqlite3_vfs *vfs, const sqlite3_vfs *system)
{
	const char *name = vfs->zName;

	*vfs = *system;
	vfs->zName = name;
	vfs->xFullPathname = keep_path;
}

static void register_files(void)
{
	sqlite3_vfs *system = sqlite3_vfs_find(NULL);

	system->xSetSystemCall(system, "fchown", (sqlite3_syscall_ptr)give_to_owner);
	adapt(&files, system);
	adapt(&reading_files, system);
	reading_files.xOpen = open_for_reading;
	sqlite3_vfs_register(&files, 0);
	sqlite3_vfs_register(&reading_files, 0);
}

static void register_once(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, register_files);
}

const char *db_files(void)
{
	register_once();
	return files.zName;
}

const char *db_files_for_reading(void)
{
	register_once();
	return reading_files.zName;
}
