/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for memory: what cannot be allocated ends the program with one line.
 */
#include "common/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void mem_exhausted(void)
{
	static const char text[] = "out of memory\n";

	/* the status tells it too */
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(5);
}

static void *must(void *ptr)
{
	if (!ptr)
		mem_exhausted();
	return ptr;
}

void *mem_alloc(size_t size)
{
	return must(calloc(1, size ? size : 1));
}

void *mem_array(size_t count, size_t size)
{
	return must(calloc(count ? count : 1, size ? size : 1));
}

void *mem_resize(void *ptr, size_t count, size_t size)
{
	return must(reallocarray(ptr, count ? count : 1, size ? size : 1));
}

void *mem_dup(const void *data, size_t size)
{
	void *out = mem_alloc(size);

	return size ? memcpy(out, data, size) : out;
}

char *str_dup(const char *s)
{
	return s ? must(strdup(s)) : NULL;
}

char *str_ndup(const char *s, size_t len)
{
	return must(strndup(s, len));
}

char *str_format(const char *fmt, ...)
{
	va_list ap;
	char *out = NULL;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&out, fmt, ap);
	va_end(ap);
	return must(n < 0 ? NULL : out);
}
