/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_CMDLINE_INTERNAL_H
#define COMMON_CMDLINE_INTERNAL_H

#include <stdbool.h>

#include "common/cmdline.h"
#include "common/strbuf.h"

/* Whether the option is followed by a value. */
bool option_takes_value(const struct cmdline_option *option);

/* What --help, --version and --completion=bash answer. */
void cmdline_format_help(const struct cmdline *cmdline, struct strbuf *out);
void cmdline_format_version(const char *program, struct strbuf *out);
void cmdline_format_completion(const struct cmdline *cmdline, struct strbuf *out);

/* The same for a program with subcommands. */
void dispatch_format_help(const char *program, const char *summary, const struct subcommand *table,
			  struct strbuf *out);
void dispatch_format_completion(const char *program, const struct subcommand *table,
				struct strbuf *out);

#endif
