/* SPDX-License-Identifier: Apache-2.0 */
/* Durations, signals, sizes, ports, names, comma-separated fields, and the options of mounts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "builder/csv.h"
#include "builder/runmount.h"
#include "builder/value.h"
#include "common/mem.h"
#include "common/signals.h"
#include "common/size.h"
#include "common/strbuf.h"

static void reads_durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} good[] = {
		{ "0", 0 },
		{ "0s", 0 },
		{ "-0", 0 },
		{ "5s", 5000000000 },
		{ "1h2m3s4ms5us6ns", 3723004005006 },
		{ "1.5h", 5400000000000 },
		{ ".5s", 500000000 },
		{ "1.s", 1000000000 },
		{ "-1.5s", -1500000000 },
		{ "+1ms", 1000000 },
		{ "3\xc2\xb5s", 3000 },
		{ "0.000000001s", 1 },
		{ "2562047h", 9223369200000000000 },
	};
	static const char *const bad[] = { "",
					   "5",
					   "s",
					   "5x",
					   "5 s",
					   "s5",
					   ".s",
					   "1m5",
					   "-",
					   "1,5s",
					   "2562048h",
					   "--1s",
					   "9223372036854775808ns" };
	int64_t ns;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct err err = ERR_INIT;

		if (value_duration(good[i].text, &ns, &err) < 0 || ns != good[i].ns)
			fail_msg("'%s' gave %lld %s", good[i].text, (long long)ns, err.text);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err err = ERR_INIT;

		if (value_duration(bad[i], &ns, &err) == 0)
			fail_msg("'%s' was taken", bad[i]);
		assert_non_null(strstr(err.text, "is no duration"));
	}
}

static void knows_signals(void **state)
{
	static const char *const good[] = { "TERM",     "SIGTERM", "sigterm", "15",
					    "1",        "64",      "RTMIN",   "SIGRTMIN+15",
					    "RTMAX-14", "RTMAX",   "POLL" };
	static const char *const bad[] = { "",         "0",      "65",       "-1",      "SIG",
					   "SIGFOO",   "15x",    "RTMIN+16", "RTMIN-1", "RTMAX+1",
					   "RTMAX-15", "RTMIN+", "RTMINx",   " 9" };
	struct err err = ERR_INIT;
	int number = 0;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (signal_parse(good[i], &number, &err) < 0)
			fail_msg("%s", err.text);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (signal_parse(bad[i], &number, &err) == 0)
			fail_msg("'%s' was taken", bad[i]);
		assert_non_null(strstr(err.text, "is no signal"));
	}
}

static void reads_sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "0", 0 },
		{ "4096", 4096 },
		{ "4b", 4 },
		{ "2k", 2048 },
		{ "2KB", 2048 },
		{ "1.5MiB", 1572864 },
		{ "3 g", 3221225472 },
		{ "1t", 1099511627776 },
		{ "1P", 1125899906842624 },
	};
	static const char *const bad[] = { "",       "-1",    "k",        "1x",  "1kk",
					   "1 kb x", "1.2.3", "9999999p", "0x10" };
	uint64_t bytes;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (size_parse(good[i].text, &bytes, &err) < 0 || bytes != good[i].bytes)
			fail_msg("'%s' %s", good[i].text, err.text);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (size_parse(bad[i], &bytes, &err) == 0)
			fail_msg("'%s' was taken", bad[i]);
		assert_non_null(strstr(err.text, "is no size"));
	}
}

static void reads_switches(void **state)
{
	struct err err = ERR_INIT;
	bool is_true = false;

	assert_int_equal(value_bool("T", &is_true, &err), 0);
	assert_true(is_true);
	assert_int_equal(value_bool("False", &is_true, &err), 0);
	assert_false(is_true);
	assert_int_equal(value_bool("yes", &is_true, &err), -1);
	assert_string_equal(err.text, "'yes' is neither true nor false");
}

static void expands_ports(void **state)
{
	static const struct {
		const char *text;
		const char *want; /* the list, or a part of the error */
		unsigned notes;
		bool is_bad;
	} rows[] = {
		{ "80", "80/tcp ", 0, false },
		{ "80/udp", "80/udp ", 0, false },
		{ "80/SCTP", "80/sctp ", VALUE_PORT_CASE, false },
		{ "80/", "80/tcp ", 0, false },
		{ "7-9", "7/tcp 8/tcp 9/tcp ", 0, false },
		{ "7-7", "7/tcp ", 0, false },
		{ "0", "0/tcp ", 0, false },
		{ "1:2", "2/tcp ", VALUE_PORT_MAPPING, false },
		{ "1-2:3-4/Udp", "3/udp 4/udp ", VALUE_PORT_MAPPING | VALUE_PORT_CASE, false },
		{ "1-5:3", "3/tcp ", VALUE_PORT_MAPPING, false },
		{ "127.0.0.1:1:2", "2/tcp ", VALUE_PORT_MAPPING, false },
		{ "127.0.0.1::2", "2/tcp ", VALUE_PORT_MAPPING, false },
		{ "[::1]:1:2", "2/tcp ", VALUE_PORT_MAPPING, false },
		{ "::1:1:2", "2/tcp ", VALUE_PORT_MAPPING, false },
		{ "", "neither a port", 0, true },
		{ "/tcp", "neither a port", 0, true },
		{ "x", "neither a port", 0, true },
		{ "-1", "neither a port", 0, true },
		{ "9-7", "neither a port", 0, true },
		{ "65536", "neither a port", 0, true },
		{ "1-2-3", "neither a port", 0, true },
		{ "99999999999999", "neither a port", 0, true },
		{ "80/icmp", "the protocol is tcp, udp or sctp, not 'icmp'", 0, true },
		{ "x:80", "no host port from 0 to 65535", 0, true },
		{ "1-2:3-5", "the two ranges differ in length", 0, true },
		{ "foo:1:2", "no IP address before the ports", 0, true },
		{ "1.2.3:1:2", "no IP address before the ports", 0, true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_strlist struct strlist ports = STRLIST_INIT;
		auto_strbuf struct strbuf got = STRBUF_INIT;
		struct err err = ERR_INIT;
		unsigned notes = 0;
		int r = value_ports(rows[i].text, &ports, &notes, &err);

		for (size_t j = 0; j < ports.count; j++)
			strbuf_printf(&got, "%s ", ports.items[j]);
		if (rows[i].is_bad ? r == 0 || !strstr(err.text, rows[i].want)
				   : r < 0 || strcmp(got.data, rows[i].want) != 0)
			fail_msg("'%s' gave '%s' '%s'", rows[i].text, got.data, err.text);
		assert_int_equal(notes, rows[i].notes);
	}
}

static void knows_stage_names(void **state)
{
	assert_true(value_is_stage_name("a"));
	assert_true(value_is_stage_name("a-b_c.9"));
	assert_false(value_is_stage_name(""));
	assert_false(value_is_stage_name("1a"));
	assert_false(value_is_stage_name("A"));
	assert_false(value_is_stage_name("a/b"));
	assert_false(value_is_stage_name("a b"));
}

static void splits_fields(void **state)
{
	static const struct {
		const char *line;
		const char *want;
	} rows[] = {
		{ "", "[]" },
		{ "a", "[a]" },
		{ "a,b=c,", "[a][b=c][]" },
		{ "\"a,b\",c", "[a,b][c]" },
		{ "\"a\"\"b\"", "[a\"b]" },
		{ " a", "[ a]" },
		{ "a\"b", "a quote inside a field" },
		{ "\"a\"b", "a quote inside a field" },
		{ "\"a", "a quote without its end" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_strlist struct strlist fields = STRLIST_INIT;
		auto_strbuf struct strbuf got = STRBUF_INIT;
		struct err err = ERR_INIT;

		if (csv_split(rows[i].line, &fields, &err) < 0)
			strbuf_puts(&got, strstr(err.text, "a quote"));
		else
			for (size_t j = 0; j < fields.count; j++)
				strbuf_printf(&got, "[%s]", fields.items[j]);
		assert_string_equal(got.data, rows[i].want);
	}
}

/* ---- RUN --mount ---- */

static void show_string(struct strbuf *out, const char *name, const char *value)
{
	if (value)
		strbuf_printf(out, " %s=%s", name, value);
}

static void show_mount(struct strbuf *out, const struct run_mount *mount)
{
	strbuf_printf(out, "%s %s", run_mount_type_names[mount->type],
		      mount->is_read_only ? "ro" : "rw");
	show_string(out, "from", mount->from);
	show_string(out, "source", mount->source);
	show_string(out, "target", mount->target);
	show_string(out, "id", mount->id);
	show_string(out, "env", mount->env);
	if (mount->is_required)
		strbuf_puts(out, " required");
	if (mount->sharing)
		strbuf_printf(out, " sharing=%d", mount->sharing);
	if (mount->size_bytes)
		strbuf_printf(out, " size=%llu", (unsigned long long)mount->size_bytes);
	if (mount->has_mode)
		strbuf_printf(out, " mode=%o", mount->mode);
	if (mount->has_uid)
		strbuf_printf(out, " uid=%u", mount->uid);
	if (mount->has_gid)
		strbuf_printf(out, " gid=%u", mount->gid);
}

static const struct {
	const char *text;
	const char *want; /* what is mounted, or the error */
} mounts[] = {
	{ "target=/a", "bind ro target=/a" },
	{ "type=bind,source=s,dst=/a,from=st", "bind ro from=st source=s target=/a" },
	{ "TYPE=Bind,src=s,destination=a,rw", "bind rw source=s target=a" },
	{ "target=/a,rw=false", "bind ro target=/a" },
	{ "target=/a,ro=0", "bind rw target=/a" },
	{ "type=cache,target=/c", "cache rw target=/c" },
	{ "type=cache,target=/c,id=i,sharing=Locked,ro,mode=0750,uid=1,gid=2,from=f,source=s",
	  "cache ro from=f source=s target=/c id=i sharing=2 mode=750 uid=1 gid=2" },
	{ "type=cache,target=/c,sharing=private", "cache rw target=/c sharing=1" },
	{ "type=tmpfs,target=/t,size=64m", "tmpfs rw target=/t size=67108864" },
	{ "size=1k,target=/t,type=tmpfs", "tmpfs rw target=/t size=1024" },
	{ "type=secret,id=s", "secret ro id=s" },
	{ "type=secret,source=s,target=/x,required,mode=0400,env=E",
	  "secret ro source=s target=/x env=E required mode=400" },
	{ "required=true,id=s,type=secret", "secret ro id=s required" },
	{ "type=secret,id=s,env=", "secret ro id=s env=" },
	{ "type=ssh", "ssh ro" },
	{ "type=ssh,id=k,target=/s,required=1,mode=0600,uid=0,gid=0",
	  "ssh ro target=/s id=k required mode=600 uid=0 gid=0" },
	{ "type=$t,target=/${d}x,id='$t'", "cache rw target=/dirx id=$t" },
	{ "\"target=/a,b\"", "bind ro target=/a,b" },
	{ "target=/a,from=$t", "bind ro from=$t target=/a" },

	{ "type=bnd,target=/a", "mount option 'type': unknown value 'bnd'" },
	{ "tagret=/a", "unknown mount option 'tagret'" },
	{ "target", "the mount option 'target' needs a value" },
	{ "type=bind", "a bind mount needs a 'target'" },
	{ "type=cache", "a cache mount needs a 'target'" },
	{ "target=/a,rw=x", "mount option 'rw': 'x' is neither true nor false" },
	{ "target=/a,mode=0755", "a bind mount has no 'mode' option" },
	{ "target=/a,uid=1", "a bind mount has no 'uid' option" },
	{ "type=tmpfs,target=/a,gid=1", "a tmpfs mount has no 'gid' option" },
	{ "type=cache,target=/a,required", "a cache mount has no 'required' option" },
	{ "type=cache,target=/a,size=1k", "a cache mount has no 'size' option" },
	{ "target=/a,sharing=shared", "a bind mount has no 'sharing' option" },
	{ "type=cache,target=/a,sharing=x", "mount option 'sharing': unknown value 'x'" },
	{ "type=cache,target=/a,mode=9", "mount option 'mode': '9' is no octal number" },
	{ "type=cache,target=/a,uid=-1", "mount option 'uid': '-1' is no decimal number" },
	{ "type=cache,target=/a,uid=4294967296",
	  "mount option 'uid': '4294967296' is no decimal number" },
	{ "type=tmpfs,target=/a,size=x",
	  "mount option 'size': 'x' is no size, such as 64m or 1.5GiB" },
	{ "type=tmpfs,target=/a,source=b", "a tmpfs mount has no 'source' option" },
	{ "type=tmpfs,target=/a,from=b", "a tmpfs mount has no 'from' option" },
	{ "target=/a,id=b", "a bind mount has no 'id' option" },
	{ "target=/a,env=b", "a bind mount has no 'env' option" },
	{ "type=secret", "a secret mount needs 'id', 'source' or 'target'" },
	{ "type=secret,id=a,source=b", "a secret mount has 'source' or 'id', not both" },
	{ "type=secret,id=a,from=b", "a secret mount has no 'from' option" },
	{ "type=ssh,source=a", "a ssh mount has no 'source' option" },
	{ "target=//", "nothing can be mounted on '/'" },
	{ "target=${", "mount option 'target': in '${': missing '}'" },
	{ "\"target=/a", "'\"target=/a': a quote without its end" },
};

static void resolves_mounts(void **state)
{
	auto_strlist struct strlist env = STRLIST_INIT;
	struct expand_scope scope = { .env = &env };

	strlist_env_set(&env, "t", "cache");
	strlist_env_set(&env, "d", "dir");
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		auto_free char *text = str_dup(mounts[i].text);
		auto_run_mount struct run_mount mount = RUN_MOUNT_INIT;
		auto_strbuf struct strbuf got = STRBUF_INIT;
		struct mount_flag flag = { .text = text };
		struct err err = ERR_INIT;

		if (run_mount_resolve(&flag, &scope, '\\', &mount, &err) < 0)
			strbuf_puts(&got, err.text);
		else
			show_mount(&got, &mount);
		if (strcmp(got.data, mounts[i].want) != 0)
			fail_msg("'%s' gave '%s'", text, got.data);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_durations), cmocka_unit_test(knows_signals),
		cmocka_unit_test(reads_sizes),     cmocka_unit_test(reads_switches),
		cmocka_unit_test(expands_ports),   cmocka_unit_test(knows_stage_names),
		cmocka_unit_test(splits_fields),   cmocka_unit_test(resolves_mounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
