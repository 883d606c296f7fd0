/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_ERR_H
#define COMMON_ERR_H

/*
 * What went wrong, in words, with the kind that decides the exit status.
 *
 * A function that can fail returns 0 or -1 (a descriptor or -1, a pointer or
 * NULL) and takes a `struct err *` as its last parameter, never NULL. Each of
 * the functions below returns -1, so that `return err_set(err, …)` reads well.
 * The text is one line: no capital, no full stop, the subject in quotes.
 */

#define ERR_TEXT_MAX   2048
#define ERR_DETAIL_MAX 4096

enum err_kind {
	ERR_NONE,
	ERR_STEP,        /* a step of a build failed */
	ERR_USAGE,       /* the command line */
	ERR_INPUT,       /* Buildfile, image, archive; a digest that does not match */
	ERR_REMOTE,      /* registry or network */
	ERR_SYSTEM,      /* I/O, permissions, no space */
	ERR_BUG,         /* ours */
	ERR_INTERRUPTED, /* a signal asked us to stop */
};

struct err {
	enum err_kind kind;
	int sys_errno; /* the errno behind ERR_SYSTEM, else 0 */
	char text[ERR_TEXT_MAX];
	char detail[ERR_DETAIL_MAX]; /* further lines (a source excerpt, a hint), or empty */
};

#define ERR_INIT                 \
	{                        \
		.kind = ERR_NONE \
	}

/* Set kind and text; forgets what @err held before. */
int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* ERR_SYSTEM with ": strerror(errno)" appended. Keeps errno. */
int err_sys(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Put "fmt: " before the text of an error that is already set. */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Set the further lines; without a trailing newline. */
int err_detail(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Forget the error. */
void err_clear(struct err *err);

/* DESIGN: 0 done, 1 step, 2 usage, 3 input, 4 remote, 5 system, 70 bug, 130 interrupted. */
int err_exit_status(const struct err *err);

/* Print "PROGRAM: text" and the detail to stderr. Only commands call this. */
void err_print(const struct err *err, const char *program);

#endif
