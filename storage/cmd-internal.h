/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_CMD_INTERNAL_H
#define STORAGE_CMD_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cmdline.h"
#include "common/digest.h"
#include "common/err.h"
#include "common/json.h"
#include "common/size.h"
#include "common/strbuf.h"
#include "common/strlist.h"
#include "common/userns.h"
#include "storage/container.h"
#include "storage/store.h"

/* The subcommands of imgstore; each returns the exit status. */
int cmd_bundle(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_commit(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_du(int argc, char **argv);
int cmd_exec(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_history(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_index(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_kill(int argc, char **argv);
int cmd_logs(int argc, char **argv);
int cmd_ls(int argc, char **argv);
int cmd_mount(int argc, char **argv);
int cmd_prune(int argc, char **argv);
int cmd_ps(int argc, char **argv);
int cmd_reset(int argc, char **argv);
int cmd_rm(int argc, char **argv);
int cmd_stop(int argc, char **argv);
int cmd_tag(int argc, char **argv);
int cmd_umount(int argc, char **argv);
int cmd_unshare(int argc, char **argv);

/* ---- what they share ------------------------------------------------------- */

#define OPTION_PLATFORM(target)                                               \
	{                                                                     \
		0, "platform", OPTION_STRING, (target), "OS/ARCH[/VARIANT]",  \
			"of an image for several platforms, this one's", NULL \
	}
#define OPTION_ROOT(target)                                                                         \
	{ 0, "root", OPTION_STRING, (target), "DIR", "the store (default: $IMGBUILD_ROOT)", NULL }, \
		OPTION_ADD_STORE
#define OPTION_FORMAT(target)                                                                     \
	{                                                                                         \
		0, "format", OPTION_CHOICE, (target), "FORMAT", "table or json (default: table)", \
			"table|json"                                                              \
	}
#define OPTION_END                                           \
	{                                                    \
		0, NULL, OPTION_FLAG, NULL, NULL, NULL, NULL \
	}

/* Parse the command line; true when there is something to do that --help and the like did not. */
bool command_begin(const struct cmdline *cmdline, int argc, char **argv, struct strlist *out_args,
		   struct err *err);
/* Enter the user namespace where one is needed, and open the store. @out_userns may be NULL. */
int command_open(const char *root, struct userns *out_userns, struct store **out, struct err *err);
/* The same for a command that only reads: store_open_reading. */
int command_open_reading(const char *root, struct userns *out_userns, struct store **out,
			 struct err *err);
/* Print the error if there is one, see that all of stdout was written; the exit status. */
int command_end(struct err *err);
bool command_wants_json(const char *format);
/* On stdout, for people, with a newline. Takes the value. */
void command_print_json(struct json *take);

/* ---- amounts from people: ERR_USAGE names @option ---- */

/* "512MB", "10GiB", "1000". */
int amount_bytes(const char *option, const char *text, uint64_t *out, struct err *err);
/* "24h", "1h30m", "7d" ago; an RFC 3339 time; seconds since the epoch. */
int amount_moment(const char *option, const char *text, int64_t *out_epoch, struct err *err);

/* "10", up to @max. */
int amount_whole(const char *option, const char *text, int64_t max, int64_t *out, struct err *err);

/* ---- containers ---- */

/* Kill a running one, and wait for its end (cmd-stop.c). */
int command_kill(struct store *store, const struct container *container, struct err *err);

/* One as imgstore ps --format json has it (cmd-ps.c). */
struct json *command_container_json(struct store *store, const char *text, struct err *err);

/* ---- tables for people ----------------------------------------------------- */

/* Rows of cells, printed in columns as wide as their widest cell. */
struct table {
	char **cells;
	size_t count;
	size_t columns;
	size_t *widths; /* of what was printed */
};
#define auto_table __attribute__((cleanup(table_release)))
void table_release(struct table *table);
/* Copies. The first @columns cells are the head. */
void table_add(struct table *table, const char *cell);
/* Let go of what was added. What is added then goes on in columns that are no narrower. */
void table_print(struct table *table);

/* "2 weeks ago" of an RFC 3339 time, "N/A" for NULL or nonsense. @buf holds 40 bytes; returns it.
 */
const char *age_text(const char *created, char *buf);
/* The first 12 digits of a digest. @buf holds 13 bytes; returns it. */
const char *short_id(const struct digest *digest, char *buf);

#endif
