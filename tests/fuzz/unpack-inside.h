/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_UNPACK_INSIDE_H
#define TESTS_FUZZ_UNPACK_INSIDE_H

#include <stddef.h>
#include <stdint.h>

#include "layers/unpack.h"

/*
 * Unpack the bytes into a directory of its own below $TMPDIR, and abort when
 * anything beside it was touched, or an error is not worded. Nothing stays.
 */
void unpack_inside(const uint8_t *data, size_t size, enum unpack_whiteouts whiteouts);

#endif
