/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the names of capabilities. Who gets which is the description's business. */
#include "sandbox/caps.h"

#include <stddef.h>
#include <strings.h>
#include <linux/capability.h>

#define CAP_ROW(name) [CAP_##name] = #name

static const char *const cap_names[] = {
	CAP_ROW(CHOWN),
	CAP_ROW(DAC_OVERRIDE),
	CAP_ROW(DAC_READ_SEARCH),
	CAP_ROW(FOWNER),
	CAP_ROW(FSETID),
	CAP_ROW(KILL),
	CAP_ROW(SETGID),
	CAP_ROW(SETUID),
	CAP_ROW(SETPCAP),
	CAP_ROW(LINUX_IMMUTABLE),
	CAP_ROW(NET_BIND_SERVICE),
	CAP_ROW(NET_BROADCAST),
	CAP_ROW(NET_ADMIN),
	CAP_ROW(NET_RAW),
	CAP_ROW(IPC_LOCK),
	CAP_ROW(IPC_OWNER),
	CAP_ROW(SYS_MODULE),
	CAP_ROW(SYS_RAWIO),
	CAP_ROW(SYS_CHROOT),
	CAP_ROW(SYS_PTRACE),
	CAP_ROW(SYS_PACCT),
	CAP_ROW(SYS_ADMIN),
	CAP_ROW(SYS_BOOT),
	CAP_ROW(SYS_NICE),
	CAP_ROW(SYS_RESOURCE),
	CAP_ROW(SYS_TIME),
	CAP_ROW(SYS_TTY_CONFIG),
	CAP_ROW(MKNOD),
	CAP_ROW(LEASE),
	CAP_ROW(AUDIT_WRITE),
	CAP_ROW(AUDIT_CONTROL),
	CAP_ROW(SETFCAP),
	CAP_ROW(MAC_OVERRIDE),
	CAP_ROW(MAC_ADMIN),
	CAP_ROW(SYSLOG),
	CAP_ROW(WAKE_ALARM),
	CAP_ROW(BLOCK_SUSPEND),
	CAP_ROW(AUDIT_READ),
	CAP_ROW(PERFMON),
	CAP_ROW(BPF),
	CAP_ROW(CHECKPOINT_RESTORE),
};

#define CAP_COUNT (sizeof(cap_names) / sizeof(cap_names[0]))

_Static_assert(CAPS_ALL == (UINT64_C(1) << CAP_COUNT) - 1, "CAPS_ALL has every name's bit");

int caps_parse(const char *text, uint64_t *out, struct err *err)
{
	const char *name = strncasecmp(text, "CAP_", 4) == 0 ? text + 4 : text;

	if (strcasecmp(text, "ALL") == 0) {
		*out = CAPS_ALL;
		return 0;
	}
	for (size_t i = 0; i < CAP_COUNT; i++) {
		if (strcasecmp(name, cap_names[i]) == 0) {
			*out = CAPS_BIT(i);
			return 0;
		}
	}
	return err_set(err, ERR_USAGE, "'%s' is not a capability", text);
}

void caps_format(uint64_t caps, struct strbuf *out)
{
	const char *between = "";

	for (size_t i = 0; i < CAP_COUNT; i++) {
		if (!(caps & CAPS_BIT(i)))
			continue;
		strbuf_puts(out, between);
		strbuf_puts(out, cap_names[i]);
		between = " ";
	}
	if (!(caps & CAPS_ALL))
		strbuf_puts(out, "none");
}
