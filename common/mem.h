/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MEM_H
#define COMMON_MEM_H

#include <stddef.h>
#include <stdlib.h>

/*
 * Memory that cannot be had ends the program (status 5, one line on stderr):
 * none of these returns NULL.
 */
void *mem_alloc(size_t size);                           /* zeroed */
void *mem_array(size_t count, size_t size);             /* zeroed; checks the product */
void *mem_resize(void *ptr, size_t count, size_t size); /* as realloc; checks the product */
_Noreturn void mem_exhausted(void); /* for a library that says it had no memory */
void *mem_dup(const void *data, size_t size);
char *str_dup(const char *s); /* NULL gives NULL */
char *str_ndup(const char *s, size_t len);
char *str_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A pointer that is freed at the end of its scope. */
#define auto_free __attribute__((cleanup(mem_auto_free)))
static inline void mem_auto_free(void *ptr)
{
	free(*(void **)ptr);
}

/* Give an auto_free pointer away. */
#define ptr_steal(ptr)                                  \
	({                                              \
		__auto_type steal_from_ = (ptr);        \
		__auto_type steal_what_ = *steal_from_; \
		*steal_from_ = NULL;                    \
		steal_what_;                            \
	})

#endif
