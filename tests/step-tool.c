/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For steps of tests, in images that hold little else: what a busybox cannot do to files. Static,
 * so that it runs in any image.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char usage[] =
	"usage: step-tool xattr PATH NAME HEX     set an attribute\n"
	"       step-tool times PATH SEC NSEC     set the mtime\n"
	"       step-tool socket PATH             make a socket\n"
	"       step-tool write PATH OFFSET TEXT  write into a file, after a hole\n"
	"       step-tool change PATH             mode, owner and times of an open file, to what\n"
	"                                         they are: only its ctime tells\n"
	"       step-tool flip A B COUNT          change owners and make files by a path that\n"
	"                                         another thread changes from A to B and back\n";

static int set_xattr(char **argv)
{
	size_t len = strlen(argv[2]) / 2;
	char *value = malloc(len + 1);

	if (!value)
		abort();
	for (size_t i = 0; i < len; i++) {
		unsigned byte;

		if (sscanf(argv[2] + 2 * i, "%2x", &byte) != 1)
			return -1;
		value[i] = (char)byte;
	}
	return lsetxattr(argv[0], argv[1], value, len, 0);
}

static int set_times(char **argv)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };

	times[1].tv_sec = strtoll(argv[1], NULL, 10);
	times[1].tv_nsec = strtol(argv[2], NULL, 10);
	return utimensat(AT_FDCWD, argv[0], times, AT_SYMLINK_NOFOLLOW);
}

static int make_socket(char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strncpy(address.sun_path, argv[0], sizeof(address.sun_path) - 1);
	return bind(fd, (const struct sockaddr *)&address, sizeof(address));
}

static int write_at(char **argv)
{
	size_t len = strlen(argv[2]);
	int fd = open(argv[0], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0)
		return -1;
	return pwrite(fd, argv[2], len, strtoll(argv[1], NULL, 10)) == (ssize_t)len ? 0 : -1;
}

#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif
#define FCHMODAT2     452
#define SETXATTRAT    463
#define REMOVEXATTRAT 466

/* By later calls, older ones, and ways around. */
static int change_otherwise(int fd, const struct stat *st)
{
	static const char acl[] = "\2\0\0\0\1\0\6\0\377\377\377\377\4\0\6\0\377\377\377\377"
				  "\40\0\6\0\377\377\377\377";
	const struct {
		uint64_t value;
		uint32_t size;
		uint32_t flags;
	} args = { (uintptr_t)acl, 28, 0 };
	const char *name = "system.posix_acl_access";
	const struct timespec times[] = { st->st_atim, st->st_mtim };
	char path[64];
	int done = 0;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	done += chmod(path, st->st_mode & 07777) == 0;
	done += chown(path, st->st_uid, st->st_gid) == 0;
	done += utimensat(AT_FDCWD, path, times, 0) == 0;
	done += setxattr(path, name, acl, 28, 0) == 0;
	done += syscall(FCHMODAT2, fd, "", st->st_mode & 07777, AT_EMPTY_PATH) == 0;
	done += syscall(SETXATTRAT, fd, "", AT_EMPTY_PATH, name, &args, sizeof(args)) == 0;
	done += syscall(REMOVEXATTRAT, fd, "", AT_EMPTY_PATH, name) == 0;
	done += fremovexattr(fd, name) == 0;
	done += utimensat(fd, "", times, AT_EMPTY_PATH) == 0;
	done += fchownat(fd, "", st->st_uid, st->st_gid, AT_EMPTY_PATH) == 0;
#ifdef SYS_futimesat
	done += syscall(SYS_futimesat, fd, NULL, NULL) == 0;
#endif
	done += linkat(fd, "", AT_FDCWD, "/linked", AT_EMPTY_PATH) == 0;
	done += linkat(AT_FDCWD, path, AT_FDCWD, "/linked", AT_SYMLINK_FOLLOW) == 0;
	return done;
}

struct turn {
	int fds[2];
	int fd;
	volatile int is_over;
};

static void *turn_over(void *arg)
{
	struct turn *turn = arg;

	for (unsigned i = 0; !turn->is_over; i++)
		dup2(turn->fds[i % 2], turn->fd);
	return NULL;
}

/* What a descriptor is, another thread changes in the middle of the call. */
static int change_by_race(int fd, const struct stat *st)
{
	struct turn turn = { .fds = { fd, open("/file-of-race", O_RDWR | O_CREAT, 0600) } };
	pthread_t thread;
	int done = 0;

	turn.fd = dup(turn.fds[1]);
	if (turn.fd < 0 || pthread_create(&thread, NULL, turn_over, &turn) != 0)
		abort();
	for (int i = 0; i < 2000; i++)
		done += fchmod(turn.fd, st->st_mode & 07777) == 0;
	turn.is_over = 1;
	pthread_join(thread, NULL);
	return done > 0;
}

/* Each is tried; whether one came through, whoever started this sees. */
static int change_open(char **argv)
{
	struct stat st;
	int fd = open(argv[0], O_RDWR | O_CLOEXEC);
	int done = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	done += fchmod(fd, st.st_mode & 07777) == 0;
	done += fchown(fd, st.st_uid, st.st_gid) == 0;
	done += futimens(fd, (struct timespec[]){ st.st_atim, st.st_mtim }) == 0;
	/* that of mode 0666 */
	done += fsetxattr(fd, "system.posix_acl_access",
			  "\2\0\0\0\1\0\6\0\377\377\377\377\4\0\6\0\377\377\377\377"
			  "\40\0\6\0\377\377\377\377",
			  28, 0) == 0;
	done += change_otherwise(fd, &st);
	done += change_by_race(fd, &st);
	printf("%d\n", done);
	return 0;
}

static char flipping[4096];
static volatile int is_done;

static void *flip_path(void *arg)
{
	char *const *paths = arg;

	for (unsigned i = 0; !is_done; i++)
		memcpy(flipping, paths[i % 2], strlen(paths[i % 2]) + 1);
	return NULL;
}

static int flip(char **argv)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, flip_path, argv) != 0)
		return -1;
	for (long i = strtol(argv[2], NULL, 10); i > 0; i--) {
		/* whatever comes of it: who started this looks where it should not have come */
		int owned = lchown(flipping, 7, 7);
		int fd = open(flipping, O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0644);

		if (fd >= 0)
			close(fd);
		if (owned < 0 && fd < 0)
			mkdir(flipping, 0755);
	}
	is_done = 1;
	return pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int args;
		int (*run)(char **argv);
	} commands[] = {
		{ "xattr", 3, set_xattr }, { "times", 3, set_times }, { "socket", 1, make_socket },
		{ "write", 3, write_at },  { "flip", 3, flip },       { "change", 1, change_open },
	};

	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name) != 0 || argc != commands[i].args + 2)
			continue;
		if (commands[i].run(argv + 2) == 0)
			return 0;
		perror(argv[2]);
		return 1;
	}
	fputs(usage, stderr);
	return 2;
}
