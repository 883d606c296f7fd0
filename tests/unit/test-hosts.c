/* SPDX-License-Identifier: Apache-2.0 */
/* hosts.toml: what it says of a registry and of its mirrors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "registry/hosts-toml.h"

static void show(const struct hosts_entry *entry, struct strbuf *out)
{
	strbuf_printf(out, "%s %s%s%s%s", entry->host ? entry->host : "itself", entry->base,
		      entry->is_insecure ? " insecure" : "", entry->can_pull ? " pull" : "",
		      entry->can_resolve ? " resolve" : "");
	for (size_t i = 0; i < entry->ca.count; i++)
		strbuf_printf(out, " ca=%s", entry->ca.items[i]);
	if (entry->cert)
		strbuf_printf(out, " cert=%s key=%s", entry->cert, entry->key);
	for (size_t i = 0; i < entry->headers.count; i++)
		strbuf_printf(out, " (%s)", entry->headers.items[i]);
	strbuf_putc(out, '\n');
}

/* The server, and then a line for each mirror; or the error. */
static char *said(const char *text)
{
	auto_hosts_toml struct hosts_toml hosts = HOSTS_TOML_INIT;
	struct strbuf out = STRBUF_INIT;
	struct err err = ERR_INIT;

	if (hosts_toml_parse(text, strlen(text), "hosts", &hosts, &err) < 0) {
		assert_int_equal(err.kind, ERR_INPUT);
		return str_dup(err.text);
	}
	show(&hosts.server, &out);
	for (size_t i = 0; i < hosts.mirror_count; i++)
		show(&hosts.mirrors[i], &out);
	return strbuf_steal(&out);
}

static void is_said(const char *text, const char *wanted)
{
	auto_free char *got = said(text);

	assert_string_equal(got, wanted);
}

static void all_that_is_said_is_read(void **state)
{
	(void)state;
	is_said("", "itself /v2 pull resolve\n");
	is_said("server = 'https://registry-1.docker.io/'\n"
		"ca = ['a.crt', 'b.crt']\n"
		"[host.'https://m.example:5000']\n"
		"capabilities = ['pull']\n"
		"client = [['c.cert', 'c.key'], ['d.cert', 'd.key']]\n"
		"dial_timeout = '1s'\n"
		"[host.'https://m.example:5000'.header]\n"
		"X-One = '1'\n"
		"X-Two = ['2', '3']\n"
		"[host.'http://[::1]:5001/v2/cache']\n"
		"override_path = true\n"
		"client = 'me.pem'\n"
		"[host.'https://n.example/sub/']\n"
		"skip_verify = true\n"
		"ca = 'n.crt'\n"
		"client = ['me.pem']\n"
		"[other]\n"
		"ca = 1\n",
		"registry-1.docker.io /v2 pull resolve ca=a.crt ca=b.crt\n"
		"m.example:5000 /v2 pull cert=c.cert key=c.key (X-One: 1) (X-Two: 2) (X-Two: 3)\n"
		"[::1]:5001 /v2/cache insecure pull resolve cert=me.pem key=me.pem\n"
		"n.example /sub/v2 insecure pull resolve ca=n.crt cert=me.pem key=me.pem\n");
	is_said("[header]\nx = 'y'\n", "itself /v2 pull resolve (x: y)\n");
	is_said("[host.'https://a'.header]\nx = 'y'\n",
		"itself /v2 pull resolve\na /v2 pull resolve (x: y)\n");
}

static void what_cannot_be_is_said_with_its_line(void **state)
{
	(void)state;
	is_said("\nserver = 'a'", "hosts:2: 'a' is no place: it begins with https:// or http://");
	is_said("[host.'https://a?b']", "hosts:1: 'https://a?b' is no URL of a host");
	is_said("[host.'https://a/b?c']", "hosts:1: the path '/b?c' of a host cannot be");
	is_said("[[host]]", "hosts:1: [[host]]: a host is written [host.\"URL\"]");
	is_said("capabilities = ['pul']",
		"hosts:1: 'pul' is none of pull, resolve, push and referrers");
	is_said("client = [['a', 'b', 'c']]",
		"hosts:1: 'client' has lists of a certificate and a key");
	is_said("client = [['a', 'b'], ['c']]",
		"hosts:1: client: lists in a list are read here when all are as long");
	is_said("client = [['a'], 'b']", "hosts:1: client: a list is of strings, or of lists");
	is_said("client = true", "hosts:1: 'client' is true or false, not a list of strings");
	is_said("ca = [['a']]", "hosts:1: 'ca' is a list of lists, not a list of strings");
	is_said("[header]\nx = \"a\\nb\"", "hosts:2: the header 'x' is of several lines");
	is_said("[header]\n'x y' = 'a'", "hosts:2: 'x y' is no name of a header");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_is_said_is_read),
		cmocka_unit_test(what_cannot_be_is_said_with_its_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
