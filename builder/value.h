/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_VALUE_H
#define BUILDER_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/strlist.h"

/*
 * The small grammars of values that instructions take. All fail with
 * ERR_INPUT without a place.
 */

/* "1h2m3.5s", "-1ms", "0": decimal numbers with the units ns us µs ms s m h. */
int value_duration(const char *text, int64_t *out_ns, struct err *err);

/* "1" "t" "true" … "0" "f" "false" … as in mount options. */
int value_bool(const char *text, bool *out, struct err *err);

enum value_port_note {
	VALUE_PORT_CASE = 1 << 0,    /* "80/TCP": the protocol is not lower case */
	VALUE_PORT_MAPPING = 1 << 1, /* "8080:80": only the container's port counts */
};

/*
 * [[IP:]HOST:]PORT[-PORT][/tcp|/udp|/sctp], already expanded: "80/tcp" for
 * each port is appended; with @out NULL it is only checked. *out_notes (may be NULL) gets
 * value_port_note bits.
 */
int value_ports(const char *text, struct strlist *out, unsigned *out_notes, struct err *err);

/* [a-z][a-z0-9-_.]* */
bool value_is_stage_name(const char *text);

#endif
