/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for base 64, both ways. */
#include "common/base64.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_format(const void *data, size_t len)
{
	const unsigned char *bytes = data;
	struct strbuf out = STRBUF_INIT;

	strbuf_reserve(&out, len / 3 * 4 + 5);
	for (size_t i = 0; i < len; i += 3) {
		unsigned n = (unsigned)bytes[i] << 16;

		if (i + 1 < len)
			n |= (unsigned)bytes[i + 1] << 8;
		if (i + 2 < len)
			n |= (unsigned)bytes[i + 2];
		strbuf_putc(&out, digits[n >> 18 & 63]);
		strbuf_putc(&out, digits[n >> 12 & 63]);
		strbuf_putc(&out, i + 1 < len ? digits[n >> 6 & 63] : '=');
		strbuf_putc(&out, i + 2 < len ? digits[n & 63] : '=');
	}
	return strbuf_steal(&out);
}

/* Four digits, the last @padding of them '='; what they do not stand for must be zero. */
static int add_group(const char *text, size_t padding, struct strbuf *out)
{
	unsigned n = 0;

	for (size_t i = 0; i < 4; i++) {
		const char *digit = i < 4 - padding ? strchr(digits, text[i]) : digits;

		if (!digit)
			return -1;
		n = n << 6 | (unsigned)(digit - digits);
	}
	if (padding > 0 && (n & (padding == 1 ? 0xffu : 0xffffu)) != 0)
		return -1;
	for (size_t i = 0; i < 3 - padding; i++)
		strbuf_putc(out, (char)(n >> (16 - 8 * i) & 0xff));
	return 0;
}

int base64_parse(const char *text, struct strbuf *out, struct err *err)
{
	size_t len = strlen(text);
	size_t start = out->len;

	for (size_t i = 0; i < len; i += 4) {
		size_t padding = 0;

		if (i + 4 == len && text[i + 3] == '=')
			padding = text[i + 2] == '=' ? 2 : 1;
		if (len % 4 != 0 || add_group(text + i, padding, out) < 0) {
			strbuf_truncate(out, start);
			return err_set(err, ERR_INPUT, "not base 64");
		}
	}
	return 0;
}
