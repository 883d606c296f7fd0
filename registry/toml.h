/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_TOML_H
#define REGISTRY_TOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/strlist.h"

/*
 * The part of TOML 1.0 that the configuration files of containers use; what is
 * TOML beyond it is an error that says so:
 *
 *   line   = [ header | key "=" value ] [ "#" comment ]
 *   header = "[" name { "." name } "]" | "[[" name { "." name } "]]"
 *   key    = name = bare | string
 *   value  = string | "true" | "false" | integer | list | "[" list { "," list } [ "," ] "]"
 *   list   = "[" [ string { "," string } [ "," ] ] "]"
 *   string = '"' with escapes '"' | "'" as it is "'"       both on one line
 *
 * An array may go over several lines. Not read: dotted keys, inline tables, strings over several
 * lines, floats, dates, arrays of other things than strings, or than arrays of as many strings
 * each.
 */
enum toml_type {
	TOML_STRING,
	TOML_BOOL,
	TOML_INT,
	TOML_LIST,
	TOML_LISTS,
};

struct toml_value {
	enum toml_type type;
	char *string;
	bool boolean;
	int64_t integer;
	struct strlist list; /* of LISTS, the strings of all of them */
	size_t width;        /* of LISTS, how many strings each has */
};

/* What a file says, from the top. Each may refuse; the error gets the place in front. */
struct toml_reader {
	/* "registry.mirror": what follows belongs to it. @is_element: written [[…]], one more. */
	int (*table)(void *context, const char *name, bool is_element, struct err *err);
	/* @key is unique in its table; may take what @value owns (by ptr_steal). */
	int (*value)(void *context, const char *key, struct toml_value *value, struct err *err);
	void *context;
};

/* ERR_INPUT "@what:LINE: …". */
int toml_parse(const char *text, size_t len, const char *what, const struct toml_reader *reader,
	       struct err *err);

/* ERR_INPUT unless @value is of that type. */
int toml_demand(const struct toml_value *value, enum toml_type type, const char *key,
		struct err *err);

#endif
