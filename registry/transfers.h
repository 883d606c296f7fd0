/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_TRANSFERS_H
#define REGISTRY_TRANSFERS_H

#include <stdint.h>

#include "common/err.h"
#include "layers/stream.h"

/*
 * What is shown of blobs on their way, posted from any thread:
 *
 *   TTY    a line for each, drawn anew ten times a second: how much, how fast, how long yet
 *   PLAIN  a line when one begins and one when it ends
 *   JSON   a line of JSON for each event, and for what is under way twice a second:
 *            {"event":"begin","blob":"sha256:…","total":n,"present":n}
 *            {"event":"progress","blob":"sha256:…","total":n,"current":n,"rate":bytes/s}
 *            {"event":"end","blob":"sha256:…","result":"done"|"present"|"failed","milliseconds":n}
 *   QUIET  nothing
 *
 * "present" is what had come before. What cannot be written is nobody's error. All functions
 * take NULL for @transfers: nothing is shown then.
 */
enum transfers_mode {
	TRANSFERS_QUIET,
	TRANSFERS_PLAIN,
	TRANSFERS_TTY,
	TRANSFERS_JSON,
};
/* The values of an option --progress, for a table. */
#define TRANSFERS_CHOICES "auto|tty|plain|json|quiet"
/* NULL and "auto": TTY where @fd is a terminal, else PLAIN. */
enum transfers_mode transfers_mode_of(const char *text, int fd);

enum transfer_end {
	TRANSFER_DONE,
	TRANSFER_PRESENT, /* nothing had to be moved: see transfers_present */
	TRANSFER_FAILED,
};

struct transfers;

/* @fd is borrowed. May start a thread; call after interrupt_hold. */
struct transfers *transfers_new(enum transfers_mode mode, int fd);
/* Shows how it ended. */
void transfers_free(struct transfers *transfers);
#define auto_transfers __attribute__((cleanup(transfers_auto_free)))
void transfers_auto_free(struct transfers **transfers);

/* @blob: its digest's name; @present bytes of @total had come before. Returns its number. */
unsigned transfers_begin(struct transfers *transfers, const char *blob, uint64_t total,
			 uint64_t present);
/* One that is there already: begin and end in one. */
void transfers_present(struct transfers *transfers, const char *blob, uint64_t total);
/* @bytes more. */
void transfers_move(struct transfers *transfers, unsigned number, uint64_t bytes);
void transfers_end(struct transfers *transfers, unsigned number, enum transfer_end end);

/* What is read from @from (taken) is moved. */
struct source *source_transfer(struct source *from, struct transfers *transfers, unsigned number);

#endif
