/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for strings that grow. */
#include "common/strbuf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

char strbuf_empty[1] = "";

void strbuf_release(struct strbuf *sb)
{
	if (sb->cap)
		free(sb->data);
	*sb = (struct strbuf)STRBUF_INIT;
}

void strbuf_reserve(struct strbuf *sb, size_t more)
{
	size_t want = sb->len + more + 1;

	assert(want > more);
	if (want <= sb->cap)
		return;
	if (want < sb->cap + sb->cap / 2)
		want = sb->cap + sb->cap / 2;
	if (want < 64)
		want = 64;
	sb->data = mem_resize(sb->cap ? sb->data : NULL, want, 1);
	sb->data[sb->len] = '\0';
	sb->cap = want;
}

void strbuf_add(struct strbuf *sb, const void *data, size_t len)
{
	strbuf_reserve(sb, len);
	if (len)
		memcpy(sb->data + sb->len, data, len);
	sb->len += len;
	sb->data[sb->len] = '\0';
}

void strbuf_puts(struct strbuf *sb, const char *s)
{
	strbuf_add(sb, s, strlen(s));
}

void strbuf_putc(struct strbuf *sb, char c)
{
	strbuf_add(sb, &c, 1);
}

void strbuf_printf(struct strbuf *sb, const char *fmt, ...)
{
	va_list ap;
	int need;

	va_start(ap, fmt);
	need = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	assert(need >= 0);
	strbuf_reserve(sb, (size_t)need);
	va_start(ap, fmt);
	vsnprintf(sb->data + sb->len, (size_t)need + 1, fmt, ap);
	va_end(ap);
	sb->len += (size_t)need;
}

void strbuf_truncate(struct strbuf *sb, size_t len)
{
	assert(len <= sb->len);
	if (!sb->cap)
		return;
	sb->len = len;
	sb->data[len] = '\0';
}

char *strbuf_steal(struct strbuf *sb)
{
	char *out = sb->cap ? sb->data : str_dup("");

	*sb = (struct strbuf)STRBUF_INIT;
	return out;
}
