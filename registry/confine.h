/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_CONFINE_H
#define REGISTRY_CONFINE_H

#include "common/err.h"

/*
 * For a program that reads what the network says: give up all capabilities for good, and, where
 * the kernel has Landlock, every file but those that names are resolved with and certificates are
 * checked with, listening, and signals to others. Descriptors that are open stay usable. Call before
 * any thread is started. What the kernel does not have is not an error.
 */
int confine_network_program(struct err *err);

#endif
