/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/strbuf.h"
#include "common/strlist.h"

/*
 * JSON values (RFC 8259), strict: one value, no duplicate members, valid
 * UTF-8, at most JSON_DEPTH_MAX levels and JSON_MEMBERS_MAX members in
 * an object: what exceeds them is refused before it is read. Members keep their order, so the same
 * values always give the same bytes. jansson is known to this room alone.
 */
struct json; /* reference counted */

/* jansson exports three of these names: ours must not take their place inside of it */
#define json_object img_json_object
#define json_array  img_json_array
#define json_string img_json_string

/*
 * A string of JSON may hold U+0000, which a C string cannot. In lists of strings, and where a
 * function says so, it stands as these two bytes, which are never UTF-8, and is U+0000 again
 * when it is written. Nothing that the kernel is told may hold it.
 */
#define JSON_NUL "\xc0\x80"
bool json_has_nul(const char *s);

#define JSON_DEPTH_MAX   64
#define JSON_MEMBERS_MAX 4096
#define auto_json        __attribute__((cleanup(json_auto_unref)))
void json_auto_unref(struct json **value);

/* NULL and ERR_INPUT, naming @what and line and column, when it is not JSON. */
struct json *json_parse(const char *data, size_t len, const char *what, struct err *err);
struct json *json_ref(const struct json *value); /* NULL gives NULL */
void json_unref(struct json *value);

/* Compact, in member order; "\n" is not added. '/' is not escaped. */
void json_format(const struct json *value, struct strbuf *out);
/* The same, indented by two blanks, for people. */
void json_format_pretty(const struct json *value, struct strbuf *out);

/* ---- reading: each accepts NULL and a value of another type, and says "none" ---- */
bool json_is_object(const struct json *value);
bool json_is_array(const struct json *value);
bool json_is_string(const struct json *value);
bool json_is_null(const struct json *value); /* the JSON null; false for NULL */
const struct json *json_get(const struct json *object,
			    const char *key); /* borrowed, NULL if absent */
size_t json_count(const struct json *value);  /* members or elements; 0 for all else */
const struct json *json_at(const struct json *array, size_t index);
/* Members in order: the @index-th key and value of an object. */
const char *json_key_at(const struct json *object, size_t index);
const struct json *json_value_at(const struct json *object, size_t index);
const char *json_string(const struct json *value); /* NULL if it is none, or has a NUL inside */
char *json_text(const struct json *value);         /* with JSON_NUL, the caller's; NULL if none */
int64_t json_int(const struct json *value, int64_t otherwise);
bool json_bool(const struct json *value, bool otherwise);

/* ---- checked reading, for documents from outside: ERR_INPUT names @what and the member ---- */
/*
 * Absent or null: *out untouched. Of another type: error. *out is the caller's;
 * what it held before (NULL, an empty list, a default) is released.
 */
int json_take_string(const struct json *object, const char *key, char **out, const char *what,
		     struct err *err);
int json_take_strlist(const struct json *object, const char *key, struct strlist *out,
		      const char *what, struct err *err);
int json_take_int(const struct json *object, const char *key, int64_t *out, const char *what,
		  struct err *err);
int json_take_bool(const struct json *object, const char *key, bool *out, const char *what,
		   struct err *err);

/* ---- making: setters take a new reference away from the caller ("take") ---- */
struct json *json_object(void);
struct json *json_array(void);
struct json *json_new_string(const char *s); /* JSON_NUL becomes U+0000, bytes not UTF-8 U+FFFD */
struct json *json_new_int(int64_t n);
struct json *json_new_bool(bool b);
struct json *json_new_null(void);
void json_set(struct json *object, const char *key, struct json *take);
void json_set_string(struct json *object, const char *key, const char *s); /* NULL: not set */
void json_set_int(struct json *object, const char *key, int64_t n);
void json_set_bool(struct json *object, const char *key, bool b);
void json_set_strlist(struct json *object, const char *key, const struct strlist *list);
void json_append(struct json *array, struct json *take);

#endif
