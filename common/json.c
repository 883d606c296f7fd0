/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for JSON: strict reading with line and column, limits, writing in
 * member order, text that is always UTF-8. The only room that knows jansson;
 * what members a document must have is its reader's business.
 */
#include <jansson.h>

#include <stdlib.h>

/* our header takes these names for itself */
static json_t *new_object(void)
{
	return json_object();
}

static json_t *new_array(void)
{
	return json_array();
}

static json_t *new_string(const char *s, size_t len)
{
	return json_stringn(s, len);
}

#undef json_is_object
#undef json_is_array
#undef json_is_string
#undef json_is_null
#include "common/json.h"

#include <assert.h>
#include <string.h>

#include "common/mem.h"

static json_t *theirs(const struct json *value)
{
	return (json_t *)(uintptr_t)value;
}

static struct json *ours(json_t *value)
{
	return (struct json *)value;
}

/* A new value; only memory can be lacking. */
static struct json *must(json_t *value)
{
	if (!value)
		mem_exhausted();
	return ours(value);
}

static void must_do(int result)
{
	if (result < 0)
		mem_exhausted();
}

void json_unref(struct json *value)
{
	json_decref(theirs(value));
}

void json_auto_unref(struct json **value)
{
	json_unref(*value);
	*value = NULL;
}

struct json *json_ref(const struct json *value)
{
	return ours(json_incref(theirs(value)));
}

/* ---- parsing -------------------------------------------------------------- */

/* Where we are in a text whose brackets are counted before it is parsed. */
struct scan {
	int line;
	int column; /* in characters, as jansson's */
	size_t depth;
	bool in_string;
	bool is_escaped;
	size_t members[JSON_DEPTH_MAX + 1]; /* commas so far, at each depth in use */
};

/* 0, or what is too much here. */
static const char *scan_structure(struct scan *scan, char c)
{
	switch (c) {
	case '"':
		scan->in_string = true;
		break;
	case '{':
	case '[':
		if (scan->depth == JSON_DEPTH_MAX)
			return "nested too deeply";
		scan->members[++scan->depth] = c == '{' ? 0 : SIZE_MAX;
		break;
	case '}':
	case ']':
		if (scan->depth > 0)
			scan->depth--;
		break;
	case ',':
		if (scan->depth == 0 || scan->members[scan->depth] == SIZE_MAX)
			break;
		if (++scan->members[scan->depth] >= JSON_MEMBERS_MAX)
			return "too many members in one object";
		break;
	default:
		break;
	}
	return NULL;
}

/* Limits, checked before anything is allocated. Whether it is JSON is not asked here. */
static int check_limits(const char *data, size_t len, const char *what, struct err *err)
{
	struct scan scan = { .line = 1 };

	for (size_t i = 0; i < len; i++) {
		char c = data[i];
		const char *fault = NULL;

		if (((unsigned char)c & 0xc0) != 0x80)
			scan.column++;
		if (!scan.in_string)
			fault = scan_structure(&scan, c);
		else if (scan.is_escaped)
			scan.is_escaped = false;
		else if (c == '\\')
			scan.is_escaped = true;
		else if (c == '"')
			scan.in_string = false;
		if (fault)
			return err_set(err, ERR_INPUT, "%s:%d:%d: %s", what, scan.line, scan.column,
				       fault);
		if (c == '\n') {
			scan.line++;
			scan.column = 0;
		}
	}
	return 0;
}

struct json *json_parse(const char *data, size_t len, const char *what, struct err *err)
{
	json_error_t error;
	json_t *value;

	if (len == 0)
		data = "";
	if (check_limits(data, len, what, err) < 0)
		return NULL;
	value = json_loadb(data, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL,
			   &error);
	if (value)
		return ours(value);
	if (json_error_code(&error) == json_error_out_of_memory)
		mem_exhausted();
	/* it quotes the text, which may hold what a terminal should not see */
	for (char *p = error.text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	err_set(err, ERR_INPUT, "%s:%d:%d: %s", what, error.line > 0 ? error.line : 1,
		error.column > 0 ? error.column : 0, error.text);
	return NULL;
}

/* ---- writing -------------------------------------------------------------- */

static int add_bytes(const char *data, size_t len, void *out)
{
	strbuf_add(out, data, len);
	return 0;
}

void json_format(const struct json *value, struct strbuf *out)
{
	assert(value);
	must_do(json_dump_callback(theirs(value), add_bytes, out, JSON_COMPACT | JSON_ENCODE_ANY));
}

void json_format_pretty(const struct json *value, struct strbuf *out)
{
	assert(value);
	must_do(json_dump_callback(theirs(value), add_bytes, out,
				   JSON_INDENT(2) | JSON_ENCODE_ANY));
}

/* ---- reading -------------------------------------------------------------- */

bool json_is_object(const struct json *value)
{
	return value && json_typeof(theirs(value)) == JSON_OBJECT;
}

bool json_is_array(const struct json *value)
{
	return value && json_typeof(theirs(value)) == JSON_ARRAY;
}

bool json_is_string(const struct json *value)
{
	return value && json_typeof(theirs(value)) == JSON_STRING;
}

bool json_is_null(const struct json *value)
{
	return value && json_typeof(theirs(value)) == JSON_NULL;
}

const struct json *json_get(const struct json *object, const char *key)
{
	return ours(json_object_get(theirs(object), key));
}

size_t json_count(const struct json *value)
{
	return json_is_object(value) ? json_object_size(theirs(value))
				     : json_array_size(theirs(value));
}

const struct json *json_at(const struct json *array, size_t index)
{
	return ours(json_array_get(theirs(array), index));
}

/* jansson keeps a list: the cost of a position is its index, bounded by JSON_MEMBERS_MAX. */
static void *member_at(const struct json *object, size_t index)
{
	void *iter = json_object_iter(theirs(object));

	while (iter && index-- > 0)
		iter = json_object_iter_next(theirs(object), iter);
	return iter;
}

const char *json_key_at(const struct json *object, size_t index)
{
	return json_object_iter_key(member_at(object, index));
}

const struct json *json_value_at(const struct json *object, size_t index)
{
	return ours(json_object_iter_value(member_at(object, index)));
}

bool json_has_nul(const char *s)
{
	return strstr(s, JSON_NUL);
}

const char *json_string(const struct json *value)
{
	const char *s = json_string_value(theirs(value));

	return s && strlen(s) == json_string_length(theirs(value)) ? s : NULL;
}

char *json_text(const struct json *value)
{
	auto_strbuf struct strbuf out = STRBUF_INIT;
	const char *s = json_string_value(theirs(value));
	size_t len = json_string_length(theirs(value));

	if (!s)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		if (s[i])
			strbuf_putc(&out, s[i]);
		else
			strbuf_puts(&out, JSON_NUL);
	}
	return strbuf_steal(&out);
}

int64_t json_int(const struct json *value, int64_t otherwise)
{
	return json_is_integer(theirs(value)) ? (int64_t)json_integer_value(theirs(value))
					      : otherwise;
}

bool json_bool(const struct json *value, bool otherwise)
{
	return json_is_boolean(theirs(value)) ? json_is_true(theirs(value)) : otherwise;
}

/* ---- checked reading ------------------------------------------------------ */

/* 1 and *out: there; 0: absent or null; -1: @object is something else. */
static int find_member(const struct json *object, const char *key, const struct json **out,
		       const char *what, struct err *err)
{
	const struct json *value;

	if (object && !json_is_object(object))
		return err_set(err, ERR_INPUT, "%s: not an object where '%s' should be", what, key);
	value = json_get(object, key);
	if (!value || json_is_null(value))
		return 0;
	*out = value;
	return 1;
}

static int wrong_type(const char *what, const char *key, const char *wanted, struct err *err)
{
	return err_set(err, ERR_INPUT, "%s: '%s' is not %s", what, key, wanted);
}

int json_take_string(const struct json *object, const char *key, char **out, const char *what,
		     struct err *err)
{
	const struct json *value = NULL;
	int found = find_member(object, key, &value, what, err);

	if (found <= 0)
		return found;
	if (!json_string(value))
		return wrong_type(what, key, "a string", err);
	free(*out);
	*out = str_dup(json_string(value));
	return 0;
}

int json_take_strlist(const struct json *object, const char *key, struct strlist *out,
		      const char *what, struct err *err)
{
	auto_strlist struct strlist fresh = STRLIST_INIT;
	const struct json *value = NULL;
	int found = find_member(object, key, &value, what, err);

	if (found <= 0)
		return found;
	if (!json_is_array(value))
		return wrong_type(what, key, "a list of strings", err);
	for (size_t i = 0; i < json_count(value); i++) {
		char *s = json_text(json_at(value, i));

		if (!s)
			return wrong_type(what, key, "a list of strings", err);
		strlist_take(&fresh, s);
	}
	strlist_release(out);
	*out = fresh;
	fresh = (struct strlist)STRLIST_INIT;
	return 0;
}

int json_take_int(const struct json *object, const char *key, int64_t *out, const char *what,
		  struct err *err)
{
	const struct json *value = NULL;
	int found = find_member(object, key, &value, what, err);

	if (found <= 0)
		return found;
	if (!json_is_integer(theirs(value)))
		return wrong_type(what, key, "a whole number", err);
	*out = json_int(value, 0);
	return 0;
}

int json_take_bool(const struct json *object, const char *key, bool *out, const char *what,
		   struct err *err)
{
	const struct json *value = NULL;
	int found = find_member(object, key, &value, what, err);

	if (found <= 0)
		return found;
	if (!json_is_boolean(theirs(value)))
		return wrong_type(what, key, "true or false", err);
	*out = json_bool(value, false);
	return 0;
}

/* ---- making --------------------------------------------------------------- */

static bool is_within(unsigned char c, unsigned int low, unsigned int high)
{
	return c >= low && c <= high;
}

/*
 * Length of the UTF-8 character (RFC 3629) that a NUL-terminated text begins
 * with, 0 when it is none. The second byte alone tells overlong forms,
 * surrogates and what is past U+10FFFF.
 */
static size_t utf8_length(const unsigned char *s)
{
	unsigned int low = 0x80;
	unsigned int high = 0xbf;
	size_t len;

	if (s[0] < 0x80)
		return s[0] ? 1 : 0;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (s[0] == 0xe0)
		low = 0xa0;
	if (s[0] == 0xf0)
		low = 0x90;
	if (s[0] == 0xed)
		high = 0x9f;
	if (s[0] == 0xf4)
		high = 0x8f;
	if (!is_within(s[1], low, high))
		return 0;
	for (size_t i = 2; i < len; i++)
		if (!is_within(s[i], 0x80, 0xbf))
			return 0;
	return len;
}

/* @s up to @end with U+FFFD for each byte that is not UTF-8. */
static void put_clean(const char *s, const char *end, struct strbuf *out)
{
	while (s < end) {
		size_t len = utf8_length((const unsigned char *)s);

		if (len)
			strbuf_add(out, s, len);
		else
			strbuf_puts(out, "\xef\xbf\xbd");
		s += len ? len : 1;
	}
}

struct json *json_object(void)
{
	return must(new_object());
}

struct json *json_array(void)
{
	return must(new_array());
}

struct json *json_new_string(const char *s)
{
	auto_strbuf struct strbuf clean = STRBUF_INIT;
	const char *nul;

	for (; (nul = strstr(s, JSON_NUL)); s = nul + strlen(JSON_NUL)) {
		put_clean(s, nul, &clean);
		strbuf_putc(&clean, '\0');
	}
	put_clean(s, s + strlen(s), &clean);
	return must(new_string(clean.data, clean.len));
}

struct json *json_new_int(int64_t n)
{
	return must(json_integer(n));
}

struct json *json_new_bool(bool b)
{
	return must(json_boolean(b));
}

struct json *json_new_null(void)
{
	return must(json_null());
}

void json_set(struct json *object, const char *key, struct json *take)
{
	auto_strbuf struct strbuf clean = STRBUF_INIT;

	assert(json_is_object(object) && take && take != object);
	put_clean(key, key + strlen(key), &clean);
	must_do(json_object_set_new(theirs(object), clean.data, theirs(take)));
}

void json_set_string(struct json *object, const char *key, const char *s)
{
	if (s)
		json_set(object, key, json_new_string(s));
}

void json_set_int(struct json *object, const char *key, int64_t n)
{
	json_set(object, key, json_new_int(n));
}

void json_set_bool(struct json *object, const char *key, bool b)
{
	json_set(object, key, json_new_bool(b));
}

void json_set_strlist(struct json *object, const char *key, const struct strlist *list)
{
	struct json *array = json_array();

	for (size_t i = 0; i < list->count; i++)
		json_append(array, json_new_string(list->items[i]));
	json_set(object, key, array);
}

void json_append(struct json *array, struct json *take)
{
	assert(json_is_array(array) && take && take != array);
	must_do(json_array_append_new(theirs(array), theirs(take)));
}
