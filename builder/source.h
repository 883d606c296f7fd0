/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_SOURCE_H
#define BUILDER_SOURCE_H

#include <stddef.h>

#include "common/err.h"
#include "common/strbuf.h"

/*
 * The text of a Buildfile with the table of its lines, and the errors that
 * point into it:
 *
 *     Buildfile:7:3: unknown instruction 'COPPY'
 *        7 |   COPPY a b
 *          |   ^
 *     hint: did you mean 'COPY'?
 *
 * The first line is the err's text, the rest its detail. What is quoted from
 * the file never sends control characters to a terminal.
 */
#define SOURCE_MAX_BYTES      (16u << 20)
#define SOURCE_LINE_MAX_BYTES 65535u /* a line without its end */

/* Lines and columns count from 1; a column counts bytes. Line 0: no place is known. */
struct position {
	int line;
	int column;
};

struct source_file {
	char *name; /* as the user wrote it */
	char *data; /* NUL-terminated; a byte order mark is already dropped */
	size_t len;
	size_t *line_starts; /* offsets; line_count of them, and len after the last */
	size_t line_count;
};

#define SOURCE_INIT          \
	{                    \
		.name = NULL \
	}
#define auto_source_file __attribute__((cleanup(source_release)))
void source_release(struct source_file *source);

/*
 * Copy @len bytes of @data. ERR_INPUT when it is larger than SOURCE_MAX_BYTES,
 * when a line is longer than SOURCE_LINE_MAX_BYTES, or when it holds a NUL.
 */
int source_init(struct source_file *source, const char *name, const char *data, size_t len,
		struct err *err);

/* The same with the rest of what @fd gives (a file, a pipe). */
int source_load(struct source_file *source, const char *name, int fd, struct err *err);

/* Line @line (from 1) without its line end; *out_len bytes, not terminated. */
const char *source_line(const struct source_file *source, int line, size_t *out_len);

/* ERR_INPUT "NAME:LINE:COLUMN: message" with the excerpt as detail. Returns -1. */
int source_error(struct err *err, const struct source_file *source, struct position at,
		 const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/*
 * Give an error that is already set its place: "NAME:LINE:COLUMN: WHAT: "
 * goes before its text, the excerpt before its detail; the kind stays. @what
 * (an instruction's name) may be NULL. Returns -1.
 */
int source_locate(struct err *err, const struct source_file *source, struct position at,
		  const char *what);

/* Put @text with everything that could steer a terminal made harmless. */
void source_put_plain(struct strbuf *out, const char *text, size_t len);

/* Make "user:password" of each URL in @text stars, as many; for what is shown. */
void source_mask_passwords(char *text);

/* Add a line "hint: …" to the detail of an error that is set. Returns -1. */
int source_hint(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
