/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the small grammars of values: durations, signals, sizes, ports,
 * stage names. Which instruction takes which is builder/parse's.
 */
#include "builder/value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"

#define PORT_MAX 65535

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ---- durations ---- */

static int64_t unit_ns(const char *unit, size_t len)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = {
		{ "ns", 1 },
		{ "us", 1000 },
		{ "\xc2\xb5s", 1000 },
		{ "\xce\xbcs", 1000 },
		{ "ms", 1000000 },
		{ "s", 1000000000 },
		{ "m", INT64_C(60000000000) },
		{ "h", INT64_C(3600000000000) },
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strlen(units[i].name) == len && memcmp(unit, units[i].name, len) == 0)
			return units[i].ns;
	return 0;
}

/* One "1.5h" at *text; false when it is none, or too large. Added to *out. */
static bool take_duration(const char **text, int64_t *out)
{
	const char *p = *text;
	const char *unit;
	int64_t whole = 0, ns, part = 0;
	int64_t scale = 1; /* of the digits behind the point */
	bool has_digits = false;

	for (; is_digit(*p); p++, has_digits = true)
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		    __builtin_add_overflow(whole, *p - '0', &whole))
			return false;
	if (*p == '.')
		for (p++; is_digit(*p); p++, has_digits = true) {
			if (scale < INT64_C(1000000000000000)) {
				part = part * 10 + (*p - '0');
				scale *= 10;
			}
		}
	unit = p;
	p += strcspn(p, ".0123456789");
	ns = unit_ns(unit, (size_t)(p - unit));
	if (!has_digits || ns == 0 || __builtin_mul_overflow(whole, ns, &whole) ||
	    __builtin_add_overflow(*out, whole, out) ||
	    __builtin_add_overflow(*out, (int64_t)((double)part * ((double)ns / (double)scale)),
				   out))
		return false;
	*text = p;
	return true;
}

int value_duration(const char *text, int64_t *out_ns, struct err *err)
{
	bool is_negative = text[0] == '-';
	const char *p = text + (text[0] == '-' || text[0] == '+');
	int64_t total = 0;

	if (strcmp(p, "0") == 0) {
		*out_ns = 0;
		return 0;
	}
	do {
		if (!take_duration(&p, &total))
			return err_set(err, ERR_INPUT,
				       "'%s' is no duration: numbers with h, m, s, ms, us or ns",
				       text);
	} while (*p);
	*out_ns = is_negative ? -total : total;
	return 0;
}

/* ---- switches ---- */

int value_bool(const char *text, bool *out, struct err *err)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		bool is_yes = strcmp(text, yes[i]) == 0;

		if (is_yes || strcmp(text, no[i]) == 0) {
			*out = is_yes;
			return 0;
		}
	}
	return err_set(err, ERR_INPUT, "'%s' is neither true nor false", text);
}

/* ---- ports ---- */

static bool parse_port(const char *text, size_t len, int *out)
{
	int port = 0;

	if (len == 0 || len > 9)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!is_digit(text[i]))
			return false;
		port = port * 10 + (text[i] - '0');
	}
	*out = port;
	return port <= PORT_MAX;
}

static bool parse_port_range(const char *text, size_t len, int *out_first, int *out_last)
{
	const char *dash = memchr(text, '-', len);
	size_t first_len = dash ? (size_t)(dash - text) : len;

	if (!parse_port(text, first_len, out_first))
		return false;
	*out_last = *out_first;
	if (dash && !parse_port(dash + 1, len - first_len - 1, out_last))
		return false;
	return *out_first <= *out_last;
}

static bool is_address(const char *text, size_t len)
{
	unsigned char binary[sizeof(struct in6_addr)];
	char copy[64];

	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len == 0)
		return true;
	if (len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return inet_pton(AF_INET, copy, binary) == 1 || inet_pton(AF_INET6, copy, binary) == 1;
}

/* [[IP:]HOST:] before the container's port; its length in *out_len. */
static int check_mapping(const char *text, const char *port, int width, struct err *err)
{
	const char *host_end = port - 1;
	const char *host = host_end;
	int first, last;

	while (host > text && host[-1] != ':')
		host--;
	if (host > text && !is_address(text, (size_t)(host - 1 - text)))
		return err_set(err, ERR_INPUT, "port '%s': no IP address before the ports", text);
	if (host == host_end)
		return 0;
	if (!parse_port_range(host, (size_t)(host_end - host), &first, &last))
		return err_set(err, ERR_INPUT, "port '%s': no host port from 0 to %d", text,
			       PORT_MAX);
	if (width > 0 && last - first != width)
		return err_set(err, ERR_INPUT, "port '%s': the two ranges differ in length", text);
	return 0;
}

int value_ports(const char *text, struct strlist *out, unsigned *out_notes, struct err *err)
{
	static const char *const protocols[] = { "tcp", "udp", "sctp" };
	size_t len = strcspn(text, "/");
	const char *protocol = text[len] && text[len + 1] ? text + len + 1 : "tcp";
	const char *colon = memrchr(text, ':', len);
	const char *port = colon ? colon + 1 : text;
	const char *known = NULL;
	int first, last;

	for (size_t i = 0; i < 3; i++)
		if (strcasecmp(protocol, protocols[i]) == 0)
			known = protocols[i];
	if (!known)
		return err_set(err, ERR_INPUT,
			       "port '%s': the protocol is tcp, udp or sctp, not '%s'", text,
			       protocol);
	if (!parse_port_range(port, (size_t)(text + len - port), &first, &last))
		return err_set(err, ERR_INPUT, "port '%s': neither a port from 0 to %d nor a range",
			       text, PORT_MAX);
	if (colon && check_mapping(text, port, last - first, err) < 0)
		return -1;
	for (int n = first; out && n <= last; n++)
		strlist_addf(out, "%d/%s", n, known);
	if (out_notes)
		*out_notes |= (strcmp(protocol, known) != 0 ? VALUE_PORT_CASE : 0u) |
			      (colon ? VALUE_PORT_MAPPING : 0u);
	return 0;
}

/* ---- names ---- */

bool value_is_stage_name(const char *text)
{
	return text[0] >= 'a' && text[0] <= 'z' &&
	       !text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-_.")];
}
