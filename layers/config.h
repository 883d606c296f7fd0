/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAYERS_CONFIG_H
#define LAYERS_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/strbuf.h"
#include "common/strlist.h"
#include "layers/descriptor.h"
#include "layers/imagetime.h"

/*
 * The image configuration (image-spec config.md, and the fields docker adds:
 * Healthcheck, OnBuild, Shell, ArgsEscaped). Written compactly and in one fixed order (config.c
 * draws it), so that the same values always give the same image ID. Members of a parsed document
 * that are not listed here are dropped, as BuildKit drops them.
 */
#define CONFIG_MAX_BYTES ((size_t)4 * 1024 * 1024)

struct healthcheck {
	struct strlist test; /* empty: inherit; "NONE"; "CMD", args…; "CMD-SHELL", text */
	int64_t interval_ns;
	int64_t timeout_ns;
	int64_t start_period_ns;
	int64_t start_interval_ns;
	int64_t retries;
};

struct history_entry {
	char *created; /* RFC 3339, or NULL */
	char *created_by;
	char *author;
	char *comment;
	bool empty_layer;
};

struct run_config { /* the member "config" */
	char *user;
	struct strlist exposed_ports; /* "80/tcp", sorted */
	struct strlist env;
	bool has_entrypoint; /* false: null */
	struct strlist entrypoint;
	bool has_cmd;
	struct strlist cmd;
	bool args_escaped;
	bool has_healthcheck;
	struct healthcheck healthcheck;
	struct strlist volumes; /* sorted */
	char *working_dir;
	struct strlist labels; /* "key=value", sorted by key */
	char *stop_signal;
	struct strlist on_build;
	bool has_shell;
	struct strlist shell;
};

struct image_config {
	char *created; /* RFC 3339 UTC, "2026-01-02T03:04:05Z" or with nanoseconds */
	char *author;
	struct platform platform; /* architecture, os, variant, os.version */
	struct run_config config;
	struct digest *diff_ids; /* lowest first */
	size_t diff_id_count;
	struct history_entry *history;
	size_t history_count;
};

#define auto_image_config __attribute__((cleanup(image_config_release)))
void image_config_release(struct image_config *config);
void image_config_copy(struct image_config *to, const struct image_config *from);
void image_config_add_layer(struct image_config *config, const struct digest *diff_id);
/* Copies the strings. */
void image_config_add_history(struct image_config *config, const struct history_entry *entry);

/* ERR_INPUT names @what and the member. rootfs.type must be "layers", every diff ID a digest. */
int image_config_parse(const char *data, size_t len, const char *what, struct image_config *out,
		       struct err *err);
void image_config_format(const struct image_config *config, struct strbuf *out);

#endif
