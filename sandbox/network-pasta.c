/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for pasta(1). It goes into the background when all is set up, and knows no descriptor
 * whose end is its own: it runs in a process namespace whose first process, the keeper, is ours and
 * ends with us. What is left there the kernel kills, whatever ended the keeper.
 */
#include "sandbox/network-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"

#define HELPER       "pasta"
#define STACK_BYTES  ((size_t)64 * 1024)
#define FIRST_UNUSED 3

extern char **environ;

/* ---- its command line ---- */

/* As pasta writes it, and repeats it when the port cannot be had. */
static char *port_text(const struct network_port *port)
{
	return str_format("%s/%u:%u", port->address ? port->address : "0.0.0.0", port->host,
			  port->container);
}

static int add_ports(const struct strlist *ports, struct strlist *argv, struct err *err)
{
	bool has_kind[2] = { false, false };

	for (size_t i = 0; i < ports->count; i++) {
		auto_network_port struct network_port port = { .address = NULL };
		auto_free char *text = NULL;

		if (network_port_parse(ports->items[i], &port, err) < 0)
			return -1;
		text = port_text(&port);
		strlist_add(argv, port.is_udp ? "-u" : "-t");
		strlist_add(argv, text);
		has_kind[port.is_udp] = true;
	}
	for (size_t i = 0; i < 2; i++) {
		if (has_kind[i])
			continue;
		strlist_add(argv, i ? "-u" : "-t");
		strlist_add(argv, "none");
	}
	return 0;
}

/*
 * Its standard input is the namespace: newer ones close all descriptors but three. It stays root,
 * which it is not in a user namespace: as nobody it could not enter a namespace of root's. By
 * default the gateway and ports of the loopback would lead to the host's.
 */
static int make_argv(const struct strlist *ports, struct strlist *argv, struct err *err)
{
	static const char *const words[] = {
		HELPER,
		"--config-net",
		"--quiet",
		"--runas",
		"0",
		"--netns",
		"/proc/self/fd/0",
		"--no-netns-quit",
		"-I",
		NETWORK_DEVICE,
		"-m",
		NETWORK_MTU,
		"-a",
		NETWORK_ADDRESS,
		"-n",
		"24",
		"-g",
		NETWORK_GATEWAY,
		"--dns-forward",
		NETWORK_SERVER,
		"--no-map-gw",
		"-T",
		"none",
		"-U",
		"none",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		strlist_add(argv, words[i]);
	return add_ports(ports, argv, err);
}

/* ---- the keeper ---- */

/* All is made beforehand: other threads of ours may hold locks that are for ever held in it. */
struct keeper {
	char *const *argv;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int ready_fd;
	int exit_fd;
};

static int keep(void *data)
{
	const struct keeper *keeper = data;
	int status = 0;
	char byte = 0;
	pid_t pid;

	(void)setpgid(0, 0);
	if (posix_spawnp(&pid, HELPER, &keeper->actions, &keeper->attr, keeper->argv, environ) !=
		    0 ||
	    waitpid(pid, &status, 0) != pid || status != 0 ||
	    !fd_write_quiet(keeper->ready_fd, &byte, 1))
		_exit(1);
	/* nothing of ours may last because of it: locks, pipes, the terminal */
	if (dup2(keeper->exit_fd, STDIN_FILENO) < 0 || close_range(1, ~0U, 0) < 0)
		_exit(1);
	while (read(STDIN_FILENO, &byte, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

static int start_keeper(struct keeper *keeper, struct child *out, struct err *err)
{
	auto_free char *stack = mem_array(STACK_BYTES, 1);
	pid_t pid = clone(keep, stack + STACK_BYTES, CLONE_NEWPID | SIGCHLD, keeper);

	if (pid < 0)
		return err_sys(err, "make a process namespace for " HELPER);
	out->pid = pid;
	return 0;
}

static void set_signals(posix_spawnattr_t *attr)
{
	sigset_t set;

	sigemptyset(&set);
	posix_spawnattr_setsigmask(attr, &set);
	/* as in common/proc.c: sigfillset spares two of the C library's own */
	memset(&set, 0xff, sizeof(set));
	posix_spawnattr_setsigdefault(attr, &set);
	posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int start(struct network *network, char *const *argv, int log_fd, int *out_ready_fd,
		 struct err *err)
{
	auto_close int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	auto_close int ready_read = -1;
	auto_close int ready_write = -1;
	auto_close int exit_read = -1;
	struct keeper keeper = { .argv = argv };
	int result;

	if (null_fd < 0)
		return err_sys(err, "open '/dev/null'");
	if (network_pipe(&ready_read, &ready_write, err) < 0 ||
	    network_pipe(&exit_read, &network->keep_fd, err) < 0)
		return -1;
	keeper.ready_fd = ready_write;
	keeper.exit_fd = exit_read;
	posix_spawn_file_actions_init(&keeper.actions);
	posix_spawn_file_actions_adddup2(&keeper.actions, network->ns_fd, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&keeper.actions, null_fd, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&keeper.actions, log_fd, STDERR_FILENO);
	posix_spawn_file_actions_addclosefrom_np(&keeper.actions, FIRST_UNUSED);
	posix_spawnattr_init(&keeper.attr);
	set_signals(&keeper.attr);
	result = start_keeper(&keeper, &network->helper, err);
	posix_spawnattr_destroy(&keeper.attr);
	posix_spawn_file_actions_destroy(&keeper.actions);
	if (result == 0)
		*out_ready_fd = fd_steal(&ready_read);
	return result;
}

/* ---- what it says ---- */

/* The last line: before it may be what it could not do without ending. */
static const char *last_line(struct strbuf *said)
{
	char *line;

	while (said->len > 0 && said->data[said->len - 1] == '\n')
		strbuf_truncate(said, said->len - 1);
	if (said->len == 0)
		return "it said nothing";
	line = strrchr(said->data, '\n');
	return line ? line + 1 : said->data;
}

/* NULL: it speaks of none of them. */
static const char *port_of_line(const char *line, const struct strlist *ports)
{
	for (size_t i = 0; i < ports->count; i++) {
		auto_network_port struct network_port port = { .address = NULL };
		auto_free char *text = NULL;
		struct err ignored = ERR_INIT; /* they were parsed before */

		if (network_port_parse(ports->items[i], &port, &ignored) < 0)
			continue;
		text = port_text(&port);
		if (strstr(line, text))
			return ports->items[i];
	}
	return NULL;
}

/* "default" in version 4: its destination and mask are 0. */
static bool is_v4_default(const char *line)
{
	char to[16];
	char mask[16];

	return sscanf(line, "%*s %15s %*s %*s %*s %*s %*s %15s", to, mask) == 2 &&
	       strcmp(to, "00000000") == 0 && strcmp(mask, "00000000") == 0;
}

/* In version 6 that of the loopback, which is always there, leads nowhere. */
static bool is_v6_default(const char *line)
{
	const char *device = strrchr(line, ' ');

	return strncmp(line, "00000000000000000000000000000000 00 ", 36) == 0 && device &&
	       strcmp(device, " lo\n") != 0;
}

static bool has_route(const char *path, bool (*is_default)(const char *line))
{
	FILE *file = fopen(path, "re");
	bool found = false;
	char line[512];

	while (file && !found && fgets(line, sizeof(line), file))
		found = is_default(line);
	if (file)
		fclose(file);
	return found;
}

static bool has_way_out(void)
{
	return has_route("/proc/net/route", is_v4_default) ||
	       has_route("/proc/net/ipv6_route", is_v6_default);
}

static int fail(int log_fd, const struct strlist *ports, struct err *err)
{
	auto_strbuf struct strbuf said = STRBUF_INIT;
	const char *line, *port;

	network_said(log_fd, &said);
	line = last_line(&said);
	port = port_of_line(line, ports);
	if (port)
		return err_set(err, ERR_SYSTEM, "--publish '%s': " HELPER ": %s", port, line);
	if (has_way_out()) {
		err_set(err, ERR_SYSTEM, HELPER " could not set up the network");
		return err_detail(err, "%s", line);
	}
	err_set(err, ERR_SYSTEM,
		HELPER " could not set up the network: this host has no default route: %s", line);
	return err_detail(err, "give it one (ip route add default ...), or use "
			       "--network=slirp4netns, which needs none, or --network=none");
}

int network_pasta_start(struct network *network, const struct strlist *ports, struct err *err)
{
	auto_strlist struct strlist words = STRLIST_INIT;
	auto_free char **argv = NULL;
	auto_close int ready_fd = -1;
	auto_close int log_fd = memfd_create(HELPER, MFD_CLOEXEC);

	if (log_fd < 0)
		return err_sys(err, "make a memory file");
	if (make_argv(ports, &words, err) < 0)
		return -1;
	argv = mem_array(words.count + 1, sizeof(argv[0]));
	for (size_t i = 0; i < words.count; i++)
		argv[i] = words.items[i];
	if (start(network, argv, log_fd, &ready_fd, err) < 0)
		return -1;
	return network_is_ready(ready_fd) ? 0 : fail(log_fd, ports, err);
}
