/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FS_ACTIONS_H
#define TESTS_FS_ACTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What fs-tester can do to a directory. */
#define SLOTS     8
#define PATH_ROOM 64
#define TEXT_ROOM 4096
#define DATA_MAX  (96 * 1024)
#define FILE_MAX  (256 * 1024)

struct side {
	int root;
	int slots[SLOTS]; /* open files, -1: none */
};

struct action {
	const struct kind *kind;
	char path[PATH_ROOM];
	char other[PATH_ROOM];
	unsigned slot;
	off_t offset;
	size_t len;
	unsigned number; /* whatever else is to be chosen */
};

struct outcome {
	int error;
	long value;
	char text[TEXT_ROOM];
};

typedef void (*perform_fn)(struct side *side, const struct action *action, struct outcome *out);

enum {
	ON_SLOT = 1 << 0, /* wants an open file in the slot */
	ON_DIR = 1 << 1,  /* is mostly about directories */
	ADDS_LINK = 1 << 2,
	NOT_IN_CROWD = 1 << 3, /* somebody else might cut the file short: SIGBUS */
};

struct kind {
	const char *name;
	unsigned weight;
	unsigned flags;
	perform_fn perform;
};

extern const struct kind kinds[];
extern const size_t kind_count;

/* Which of them may have something to say that is no difference: "cannot be done here". */
bool cannot_be_done(const struct outcome *out);

/* Put @fd (-1: nothing) into a slot, and close what was there. */
void keep(struct side *side, unsigned slot, int fd);
/* To find out whether two contents are the same. Begin with 7. */
uint64_t digest(uint64_t hash, const void *data, size_t len);
/* For qsort over strings. */
int by_text(const void *a, const void *b);

#endif
