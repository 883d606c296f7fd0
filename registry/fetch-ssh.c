/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for how git gets at a server over ssh: with the keys of the agent that was lent and no
 * others, and only where the server's key is one that the user knows. Nothing is asked of
 * anybody, and the user's configuration has no say: it could start programs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/proc.h"
#include "registry/fetch-internal.h"

#define GLOBAL_KNOWN_HOSTS "/etc/ssh/ssh_known_hosts"

/* What neither the shell nor ssh takes for anything but itself between their quotes. */
static bool can_be_quoted(const char *path)
{
	for (const char *p = path; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f || strchr("'\"\\$%", *p))
			return false;
	return true;
}

static int check_installed(struct err *err)
{
	static const char *const argv[] = { "ssh", "-V", NULL };

	if (proc_run(argv, err) == 0)
		return 0;
	if (err->sys_errno == ENOENT)
		err_set(err, ERR_SYSTEM,
			"ssh is not installed, and a git repository is asked for over it");
	return -1;
}

static char *command(const struct fetch_request *request)
{
	const char *known = request->known_hosts ? request->known_hosts : "/dev/null";
	unsigned long long idle = request->idle_seconds;

	/* a key that is not on the agent is none: those of the user's files were not lent */
	return str_format("ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes "
			  "-o 'UserKnownHostsFile=\"%s\"' "
			  "-o GlobalKnownHostsFile=" GLOBAL_KNOWN_HOSTS " "
			  "-o UpdateHostKeys=no -o CheckHostIP=no -o IdentityFile=none "
			  "-o PreferredAuthentications=publickey -o ClearAllForwardings=yes "
			  "-o ForwardAgent=no -o PermitLocalCommand=no -o ControlPath=none "
			  "-o ConnectTimeout=%llu -o ServerAliveInterval=%llu "
			  "-o ServerAliveCountMax=1 -o LogLevel=ERROR",
			  known, idle, idle);
}

int fetch_ssh_prepare(const struct fetch_request *request, struct err *err)
{
	auto_free char *text = NULL;

	if (!request->agent)
		return err_set(err, ERR_INPUT, "no SSH agent was lent to it");
	if (request->known_hosts && !can_be_quoted(request->known_hosts))
		return err_set(err, ERR_INPUT, "ssh cannot be told of a file with the name '%s'",
			       request->known_hosts);
	if (check_installed(err) < 0)
		return -1;
	text = command(request);
	setenv("GIT_SSH_COMMAND", text, 1);
	setenv("GIT_SSH_VARIANT", "ssh", 1);
	setenv("SSH_AUTH_SOCK", request->agent, 1);
	return 0;
}
