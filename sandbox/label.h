/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_LABEL_H
#define SANDBOX_LABEL_H

#include "common/err.h"
#include "common/strlist.h"

/*
 * The label of SELinux that a command gets: ours, "user:role:type[:level]", with the parts that
 * were asked for, "type:container_t". The caller's to free; ERR_USAGE for a part that is none,
 * ERR_SYSTEM for a label of ours that cannot be read.
 */
char *label_with_parts(const char *ours, const struct strlist *parts, struct err *err);

#endif
