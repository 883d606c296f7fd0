/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_FRONTEND_H
#define BUILDER_FRONTEND_H

#include <stdbool.h>

/*
 * The images that "# syntax=" names hold programs which read a Buildfile. None of them is run
 * here: those of docker's own language mean what is built in.
 *
 *   builtin = "dockerfile.v0" | [ "docker.io/" ] "docker/dockerfile" [ "-upstream" ] [ ":" tag ] [
 * "@" digest ]
 */

/* The first word of @text counts, as for docker. */
bool frontend_is_builtin(const char *text);

#endif
