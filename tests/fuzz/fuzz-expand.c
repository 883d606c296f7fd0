/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words with variables. The first byte of the input chooses how: bits 0 to 3
 * are the mode, bit 4 the escape character.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "builder/expand.h"
#include "common/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *look_up(const char *name, void *data)
{
	switch (name[0]) {
	case 'a':
		return "a value of a/b/c.tar.gz";
	case 'b':
		return "";
	case 'p':
		return "*?/";
	default:
		return NULL;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct expand_scope scope = { .lookup = look_up };
	auto_free char *word = size ? str_ndup((const char *)data + 1, size - 1) : str_dup("");
	enum expand_mode mode = size ? data[0] & 0xfu : EXPAND_WORD;
	char escape = size && (data[0] & 0x10) ? '`' : '\\';
	auto_strlist struct strlist words = STRLIST_INIT;
	auto_free char *out = NULL;
	struct err words_err = ERR_INIT;
	struct err err = ERR_INIT;
	int one = expand_word(word, &scope, escape, mode, &out, &err);
	int many = expand_words(word, &scope, escape, mode, &words, &words_err);

	/* words have limits of their own, which one text knows nothing of */
	if (one != many && !(many < 0 && strstr(words_err.text, "more than")) &&
	    !strstr(words_err.text, "together"))
		abort();
	if ((one < 0 && (err.kind != ERR_INPUT || !err.text[0])) ||
	    (many < 0 && words_err.kind != ERR_INPUT) || words.count > EXPAND_WORDS_MAX)
		abort();
	if (one == 0 && !strpbrk(word, "$'\"\\`") && strcmp(out, word) != 0)
		abort();
	return 0;
}
