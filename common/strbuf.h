/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_STRBUF_H
#define COMMON_STRBUF_H

#include <stddef.h>

/*
 * A growing string. `data` is always NUL-terminated and never NULL, so an
 * empty buffer can be printed; NULs inside are allowed, `len` counts them.
 */
struct strbuf {
	char *data;
	size_t len;
	size_t cap; /* 0: data is not ours */
};

extern char strbuf_empty[];
#define STRBUF_INIT                  \
	{                            \
		.data = strbuf_empty \
	}

#define auto_strbuf __attribute__((cleanup(strbuf_release)))

void strbuf_release(struct strbuf *sb);
void strbuf_reserve(struct strbuf *sb, size_t more);
void strbuf_add(struct strbuf *sb, const void *data, size_t len);
void strbuf_puts(struct strbuf *sb, const char *s);
void strbuf_putc(struct strbuf *sb, char c);
void strbuf_printf(struct strbuf *sb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strbuf_truncate(struct strbuf *sb, size_t len);

/* The string, now the caller's to free; the buffer is empty again. */
char *strbuf_steal(struct strbuf *sb);

#endif
