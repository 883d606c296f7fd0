/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for memory: what cannot be allocated ends the program with one line.
 */
#include "common/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void *must(void *ptr)
{
	static const char text[] = "out of memory\n";
	ssize_t n;

	if (ptr)
		return ptr;
	n = write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(n < 0 ? 5 : 5);
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
	return memcpy(mem_alloc(size), data, size);
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
