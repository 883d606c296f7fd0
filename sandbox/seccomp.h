/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_SECCOMP_H
#define SANDBOX_SECCOMP_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/*
 * Docker's default seccomp profile as a BPF program. Which rules hold depends
 * on the capabilities granted and the architecture. Compiled once by libseccomp, then kept in
 * @cache_dir_fd (storage: store_cache_fd) under a name that holds all it depends on; a damaged file
 * is made again. Returns a descriptor to read the program from (struct sock_filter array).
 */
int seccomp_default_filter(int cache_dir_fd, uint64_t capabilities, struct err *err);

/*
 * A profile in docker's JSON form, from a file of the user's. Nothing is cached. ERR_INPUT for what
 * is none.
 */
int seccomp_profile_filter(const char *path, uint64_t capabilities, struct err *err);
int seccomp_profile_compile(const char *data, size_t len, const char *path, uint64_t capabilities,
			    struct err *err);

#endif
