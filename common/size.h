/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_SIZE_H
#define COMMON_SIZE_H

#include <stdint.h>

/* "3.2kB" as docker writes it. @buf holds 16 bytes; returns it. */
const char *size_text(uint64_t bytes, char *buf);

#endif
