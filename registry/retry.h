/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_RETRY_H
#define REGISTRY_RETRY_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* When to ask again. */
#define RETRY_DELAY_MAX_MS UINT64_C(60000)

/* Whether a status says "not now": 408, 429, and what servers say that are in trouble. */
bool retry_is_worth(long status);

/* "Retry-After: 120" or a date (RFC 9110, 10.2.3): milliseconds from @now, -1 when it is neither. */
int64_t retry_after_ms(const char *value, time_t now);

/*
 * How long to wait before try @attempt (0: the first repeated one): @base_ms doubled each time,
 * or what the server asked for (@after_ms, -1: nothing), never longer than RETRY_DELAY_MAX_MS; up to
 * a quarter longer by @random, so that those who failed together do not come back together.
 */
uint64_t retry_delay_ms(uint64_t base_ms, unsigned attempt, int64_t after_ms, uint32_t random);

#endif
