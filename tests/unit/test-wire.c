/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptions of a sandbox: as text, as bytes and back, and bytes that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/mem.h"
#include "sandbox/caps.h"
#include "sandbox/description.h"
#include "sandbox/wire.h"

/* One of everything; the descriptors are numbers that nobody opens. */
static void fill(struct sandbox_description *out)
{
	out->root_fd = 10;
	out->read_only_root = true;
	out->no_new_privileges = true;
	out->nested = true;
	out->namespaces = SANDBOX_NS_MOUNT | SANDBOX_NS_PID | SANDBOX_NS_NET;
	out->hostname = str_dup("box");
	sandbox_description_add_mount(out, SANDBOX_MOUNT_PROC, "/proc",
				      SANDBOX_MOUNT_NOSUID | SANDBOX_MOUNT_NODEV, -1, NULL);
	sandbox_description_add_mount(out, SANDBOX_MOUNT_TMPFS, "/dev/shm", SANDBOX_MOUNT_NOEXEC,
				      -1, "mode=1777,size=64m");
	sandbox_description_add_mount(out, SANDBOX_MOUNT_BIND, "/da\"ta",
				      SANDBOX_MOUNT_RECURSIVE | SANDBOX_MOUNT_READ_ONLY, 11, NULL);
	strlist_add(&out->masked_paths, "/proc/kcore");
	strlist_add(&out->read_only_paths, "/proc/sys");
	strlist_add(&out->sysctls, "net/ipv4/ip_forward=1");
	strlist_add(&out->argv, "sh");
	strlist_add(&out->argv, "");
	strlist_add(&out->argv, "-c\n\xff");
	strlist_add(&out->env, "A=b c");
	out->cwd = str_dup("/w");
	out->uid = 4294967294U;
	out->gid = 7;
	out->groups = mem_array(2, sizeof(gid_t));
	out->groups[0] = 5;
	out->groups[1] = 100000;
	out->group_count = 2;
	out->capabilities = SANDBOX_CAPS_DEFAULT;
	out->seccomp_fd = 12;
	out->rlimits = mem_array(1, sizeof(out->rlimits[0]));
	out->rlimits[0] = (struct sandbox_rlimit){ 7, 1024, UINT64_MAX };
	out->rlimit_count = 1;
	out->apparmor_profile = str_dup("box-profile");
	out->selinux_label = str_dup("u:r:t:s0:c1,c2");
}

static const char golden[] =
	"namespaces mount pid net\n"
	"flags read-only-root no-new-privileges seccomp nested\n"
	"hostname \"box\"\n"
	"mount proc nosuid nodev \"/proc\"\n"
	"mount tmpfs noexec mode=1777,size=64m \"/dev/shm\"\n"
	"mount bind ro rbind \"/da\\\"ta\"\n"
	"masked \"/proc/kcore\"\n"
	"read-only \"/proc/sys\"\n"
	"sysctl \"net/ipv4/ip_forward=1\"\n"
	"uid 4294967294\n"
	"gid 7\n"
	"groups 5 100000\n"
	"capabilities CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE "
	"NET_RAW SYS_CHROOT MKNOD AUDIT_WRITE SETFCAP\n"
	"rlimit 7 1024 18446744073709551615\n"
	"apparmor \"box-profile\"\n"
	"selinux \"u:r:t:s0:c1,c2\"\n"
	"cwd \"/w\"\n"
	"arg \"sh\"\n"
	"arg \"\"\n"
	"arg \"-c\\x0a\\xff\"\n"
	"env \"A=b c\"\n";

static void a_description_is_printed_a_line_per_value(void **state)
{
	auto_sandbox_description struct sandbox_description description = SANDBOX_DESCRIPTION_INIT;
	auto_strbuf struct strbuf text = STRBUF_INIT;

	fill(&description);
	sandbox_description_print(&description, &text);
	assert_string_equal(text.data, golden);
}

static void encode(struct strbuf *out, struct wire_fds *fds)
{
	auto_sandbox_description struct sandbox_description description = SANDBOX_DESCRIPTION_INIT;
	struct err err = ERR_INIT;

	fill(&description);
	if (wire_encode(&description, 4711, out, fds, &err) < 0)
		fail_msg("%s", err.text);
}

static void bytes_carry_every_value(void **state)
{
	auto_sandbox_description struct sandbox_description got = SANDBOX_DESCRIPTION_INIT;
	auto_strbuf struct strbuf bytes = STRBUF_INIT;
	auto_strbuf struct strbuf text = STRBUF_INIT;
	struct wire_fds fds;
	struct wire_head head;
	struct err err = ERR_INIT;

	encode(&bytes, &fds);
	assert_int_equal(wire_decode(bytes.data, bytes.len, &head, &got, &err), 0);
	sandbox_description_print(&got, &text);
	assert_string_equal(text.data, golden);
	assert_int_equal(head.launcher, 4711);
	assert_int_equal(head.fd_count, 3);
	assert_int_equal(fds.items[0], 10);
	assert_int_equal(fds.items[1], 11);
	assert_int_equal(fds.items[2], 12);
	assert_int_equal(got.root_fd, WIRE_FIRST_FD);
	assert_int_equal(got.mounts[0].source_fd, -1);
	assert_null(got.mounts[0].data);
	assert_int_equal(got.mounts[2].source_fd, WIRE_FIRST_FD + 1);
	assert_int_equal(got.seccomp_fd, WIRE_FIRST_FD + 2);
}

static void flags_are_each_their_own(void **state)
{
	for (int i = 0; i < 7; i++) {
		auto_sandbox_description struct sandbox_description description =
			SANDBOX_DESCRIPTION_INIT;
		auto_sandbox_description struct sandbox_description got = SANDBOX_DESCRIPTION_INIT;
		auto_strbuf struct strbuf bytes = STRBUF_INIT;
		struct wire_fds fds;
		struct wire_head head;
		struct err err = ERR_INIT;

		fill(&description);
		description.read_only_root = i == 0;
		description.opens_devices = i == 1;
		description.no_new_privileges = i == 2;
		description.terminal = i == 3;
		description.terminal_rows = i == 3 ? 65535 : 0;
		description.terminal_columns = i == 3 ? 77 : 0;
		description.nested = i == 4;
		description.supervision = i == 5 ? SANDBOX_SUPERVISED : SANDBOX_UNSUPERVISED;
		description.is_32bit = i == 6;
		assert_int_equal(wire_encode(&description, 1, &bytes, &fds, &err), 0);
		assert_int_equal(wire_decode(bytes.data, bytes.len, &head, &got, &err), 0);
		assert_int_equal(got.read_only_root, i == 0);
		assert_int_equal(got.opens_devices, i == 1);
		assert_int_equal(got.no_new_privileges, i == 2);
		assert_int_equal(got.terminal, i == 3);
		assert_int_equal(got.terminal_rows, i == 3 ? 65535 : 0);
		assert_int_equal(got.terminal_columns, i == 3 ? 77 : 0);
		assert_int_equal(got.nested, i == 4);
		assert_int_equal(got.supervision, description.supervision);
		assert_int_equal(got.is_32bit, i == 6);
	}
}

/* @bytes are refused, with @what in the words. */
static void refused(const char *bytes, size_t len, const char *what)
{
	auto_sandbox_description struct sandbox_description got = SANDBOX_DESCRIPTION_INIT;
	auto_free char *exact = mem_dup(bytes, len);
	struct wire_head head;
	struct err err = ERR_INIT;

	assert_int_equal(wire_decode(exact, len, &head, &got, &err), -1);
	assert_int_equal(err.kind, ERR_BUG);
	if (!strstr(err.text, what))
		fail_msg("'%s' does not say '%s'", err.text, what);
	assert_int_equal(got.root_fd, -1);
}

static void bytes_cut_short_are_refused(void **state)
{
	auto_strbuf struct strbuf bytes = STRBUF_INIT;
	struct wire_fds fds;

	encode(&bytes, &fds);
	for (size_t len = 0; len < bytes.len; len++) {
		auto_sandbox_description struct sandbox_description got = SANDBOX_DESCRIPTION_INIT;
		auto_free char *exact = mem_dup(bytes.data, len + 1);
		struct wire_head head;
		struct err err = ERR_INIT;

		/* between two fields it may be whole already: no crash, no descriptor not passed */
		if (wire_decode(exact, len, &head, &got, &err) == 0)
			assert_true(got.root_fd == WIRE_FIRST_FD && got.argv.count > 0);
	}
	refused(bytes.data, 15, "length");
	refused(bytes.data, 16, "no root");
	refused(bytes.data, 20, "cut short");
	refused(bytes.data, 16 + 8 + 7, "cut short");
}

struct field {
	uint32_t tag;
	uint32_t len;
	uint32_t words[6];
};

/* The good bytes with one more field. */
static void refused_field(struct field field, size_t len, const char *what)
{
	auto_strbuf struct strbuf bytes = STRBUF_INIT;
	struct wire_fds fds;

	encode(&bytes, &fds);
	field.len = (uint32_t)len;
	strbuf_add(&bytes, &field, 2 * sizeof(uint32_t) + len);
	refused(bytes.data, bytes.len, what);
}

static void fields_that_lie_are_refused(void **state)
{
	refused_field((struct field){ .tag = 99 }, 0, "unknown field");
	refused_field((struct field){ .tag = 0 }, 4, "unknown field");
	refused_field((struct field){ .tag = 1, .words = { 3 } }, 8, "not passed");
	refused_field((struct field){ .tag = 1, .words = { 0, 1 } }, 8, "out of its range");
	refused_field((struct field){ .tag = 1, .words = { 0 } }, 4, "another length");
	refused_field((struct field){ .tag = 2, .words = { 512 } }, 8, "out of its range");
	refused_field((struct field){ .tag = 3, .words = { 256 } }, 8, "out of its range");
	refused_field((struct field){ .tag = 4, .words = { 0x610061 } }, 4, "NUL");
	refused_field((struct field){ .tag = 5, .words = { 0, 0, UINT32_MAX } }, 12, "cut short");
	refused_field((struct field){ .tag = 5, .words = { 10, 0, UINT32_MAX, 0 } }, 16,
		      "unknown kind");
	refused_field((struct field){ .tag = 5, .words = { 0, 0, UINT32_MAX, 5, 0x2f2f2f2f } }, 20,
		      "target is cut short");
	refused_field((struct field){ .tag = 5, .words = { 0, 0, 7, 4, 0x2f2f2f2f } }, 20,
		      "not passed");
	refused_field((struct field){ .tag = 5, .words = { 7, 0, UINT32_MAX, 4, 0x2f2f2f2f } }, 20,
		      "has a source");
	refused_field((struct field){ .tag = 5, .words = { 8, 0, UINT32_MAX, 4, 0x2f2f2f2f } }, 20,
		      "has a source");
	refused_field((struct field){ .tag = 5, .words = { 0, 0, 1, 4, 0x2f2f2f2f } }, 20,
		      "has a source");
	refused_field((struct field){ .tag = 5, .words = { 0, 0, UINT32_MAX, 4, 0x2f002f2f } }, 20,
		      "NUL");
	refused_field((struct field){ .tag = 11, .words = { UINT32_MAX } }, 8, "out of its range");
	refused_field((struct field){ .tag = 12, .words = { 0, 1 } }, 8, "out of its range");
	refused_field((struct field){ .tag = 13 }, 6, "groups");
	refused_field((struct field){ .tag = 16 }, 16, "another length");
	refused_field((struct field){ .tag = 16, .words = { 0, 1 } }, 24, "unknown resource");
	refused_field((struct field){ .tag = 18 }, 4, "another length");
	refused_field((struct field){ .tag = 18, .words = { 3, 0 } }, 8, "unknown kind");
	refused_field((struct field){ .tag = 18, .words = { 1, 9 } }, 8, "not passed");
	refused_field((struct field){ .tag = 18, .words = { 1, UINT32_MAX } }, 8, "without a");
	refused_field((struct field){ .tag = 19, .words = { UINT32_MAX } }, 8, "without a");
	refused_field((struct field){ .tag = 21 }, 20, "cut short");
	refused_field((struct field){ .tag = 10, .words = { 0x61616161 } }, 4,
		      "no working directory");
}

static void heads_that_lie_are_refused(void **state)
{
	const struct {
		size_t at;
		uint32_t value;
		const char *what;
	} rows[] = {
		{ 0, 1, "another version" },
		{ 4, WIRE_VERSION + 1, "another version" },
		{ 8, 0, "no launcher" },
		{ 8, UINT32_MAX, "no launcher" },
		{ 12, WIRE_MAX_FDS + 1, "too many descriptors" },
		{ 12, 0, "not passed" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_strbuf struct strbuf bytes = STRBUF_INIT;
		struct wire_fds fds;

		encode(&bytes, &fds);
		memcpy(bytes.data + rows[i].at, &rows[i].value, sizeof(rows[i].value));
		refused(bytes.data, bytes.len, rows[i].what);
	}
}

static void what_is_too_large_is_not_sent(void **state)
{
	auto_sandbox_description struct sandbox_description description = SANDBOX_DESCRIPTION_INIT;
	auto_free char *large = mem_alloc(WIRE_MAX_BYTES + 1);
	auto_strbuf struct strbuf bytes = STRBUF_INIT;
	struct wire_fds fds;
	struct err err = ERR_INIT;

	fill(&description);
	memset(large, 'x', WIRE_MAX_BYTES);
	strlist_add(&description.env, large);
	assert_int_equal(wire_encode(&description, 1, &bytes, &fds, &err), -1);
	assert_int_equal(err.kind, ERR_INPUT);
	assert_non_null(strstr(err.text, "arguments and environment"));
}

static void too_many_mounts_are_not_sent(void **state)
{
	auto_sandbox_description struct sandbox_description description = SANDBOX_DESCRIPTION_INIT;
	auto_strbuf struct strbuf bytes = STRBUF_INIT;
	struct wire_fds fds;
	struct err err = ERR_INIT;

	fill(&description);
	for (int i = 0; i < WIRE_MAX_FDS; i++)
		sandbox_description_add_mount(&description, SANDBOX_MOUNT_BIND, "/x", 0, 9, NULL);
	assert_int_equal(wire_encode(&description, 1, &bytes, &fds, &err), -1);
	assert_int_equal(err.kind, ERR_INPUT);
	assert_non_null(strstr(err.text, "mounts"));
}

static void capabilities_have_names(void **state)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	struct err err = ERR_INIT;
	uint64_t caps = 0;

	assert_int_equal(caps_parse("NET_ADMIN", &caps, &err), 0);
	assert_int_equal(caps, 1 << 12);
	assert_int_equal(caps_parse("cap_sys_admin", &caps, &err), 0);
	assert_int_equal(caps, 1 << 21);
	assert_int_equal(caps_parse("all", &caps, &err), 0);
	assert_true(caps == CAPS_ALL);
	assert_int_equal(caps_parse("CAP_", &caps, &err), -1);
	assert_int_equal(err.kind, ERR_USAGE);
	assert_string_equal(err.text, "'CAP_' is not a capability");
	caps_format(0, &text);
	assert_string_equal(text.data, "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_description_is_printed_a_line_per_value),
		cmocka_unit_test(bytes_carry_every_value),
		cmocka_unit_test(flags_are_each_their_own),
		cmocka_unit_test(bytes_cut_short_are_refused),
		cmocka_unit_test(fields_that_lie_are_refused),
		cmocka_unit_test(heads_that_lie_are_refused),
		cmocka_unit_test(what_is_too_large_is_not_sent),
		cmocka_unit_test(too_many_mounts_are_not_sent),
		cmocka_unit_test(capabilities_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
