/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the document that says what a container is and how it ended. */
#include "storage/container-state.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/strbuf.h"
#include "common/tmpfile.h"

#define STATE_FILE      "state"
#define STATE_MAX_BYTES ((size_t)16 * 1024 * 1024)

/* The members, in the order in which they are written. */
#define AT(member) offsetof(struct container_state, member)
static const struct row {
	const char *key;
	enum { ROW_INT, ROW_BOOL, ROW_TEXT, ROW_LIST } type;
	size_t offset;
} rows[] = {
	{ "Pid", ROW_INT, AT(pid) },
	{ "Command", ROW_LIST, AT(command) },
	{ "Env", ROW_LIST, AT(env) },
	{ "WorkingDir", ROW_TEXT, AT(cwd) },
	{ "User", ROW_TEXT, AT(user) },
	{ "Groups", ROW_LIST, AT(groups) },
	{ "Capabilities", ROW_INT, AT(capabilities) },
	{ "NoNewPrivileges", ROW_BOOL, AT(no_new_privileges) },
	{ "Privileged", ROW_BOOL, AT(is_privileged) },
	{ "Seccomp", ROW_TEXT, AT(seccomp) },
	{ "AppArmorProfile", ROW_TEXT, AT(apparmor_profile) },
	{ "ProcessLabel", ROW_TEXT, AT(selinux_label) },
	{ "Labels", ROW_LIST, AT(labels) },
	{ "Volumes", ROW_LIST, AT(volumes) },
	{ "Cgroups", ROW_LIST, AT(cgroups) },
	{ "Stubs", ROW_LIST, AT(stubs) },
	{ "Bundle", ROW_TEXT, AT(bundle) },
	{ "Ports", ROW_LIST, AT(ports) },
	{ "StopSignal", ROW_INT, AT(stop_signal) },
	{ "StopTimeout", ROW_INT, AT(stop_timeout_s) },
	{ "Detached", ROW_BOOL, AT(is_detached) },
	{ "AutoRemove", ROW_BOOL, AT(removes_itself) },
	{ "Tty", ROW_BOOL, AT(has_terminal) },
	{ "StartedAt", ROW_TEXT, AT(started) },
	{ "FinishedAt", ROW_TEXT, AT(ended) },
	{ "ExitCode", ROW_INT, AT(exit_status) },
	{ "OOMKilled", ROW_BOOL, AT(was_short_of_memory) },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

void container_state_release(struct container_state *state)
{
	for (size_t i = 0; i < ROWS; i++) {
		void *member = (char *)state + rows[i].offset;

		if (rows[i].type == ROW_LIST)
			strlist_release(member);
		else if (rows[i].type == ROW_TEXT)
			free(*(char **)member);
	}
	*state = (struct container_state){ .pid = 0 };
}

struct json *container_state_json(const struct container_state *state)
{
	struct json *json = json_object();

	for (size_t i = 0; i < ROWS; i++) {
		const void *member = (const char *)state + rows[i].offset;

		switch (rows[i].type) {
		case ROW_INT:
			json_set_int(json, rows[i].key, *(const int64_t *)member);
			break;
		case ROW_BOOL:
			json_set_bool(json, rows[i].key, *(const bool *)member);
			break;
		case ROW_TEXT:
			json_set_string(json, rows[i].key, *(char *const *)member);
			break;
		case ROW_LIST:
			json_set_strlist(json, rows[i].key, member);
			break;
		}
	}
	return json;
}

static int take_row(const struct json *json, const struct row *row, void *member, struct err *err)
{
	static const char *const what = "the state of a container";

	switch (row->type) {
	case ROW_INT:
		return json_take_int(json, row->key, member, what, err);
	case ROW_BOOL:
		return json_take_bool(json, row->key, member, what, err);
	case ROW_TEXT:
		return json_take_string(json, row->key, member, what, err);
	case ROW_LIST:
		return json_take_strlist(json, row->key, member, what, err);
	}
	return 0;
}

int container_state_parse(const char *data, size_t len, struct container_state *out,
			  struct err *err)
{
	auto_json struct json *json = json_parse(data, len, "the state of a container", err);
	auto_container_state struct container_state state = { .pid = 0 };

	if (!json)
		return -1;
	for (size_t i = 0; i < ROWS; i++)
		if (take_row(json, &rows[i], (char *)&state + rows[i].offset, err) < 0)
			return -1;
	*out = state;
	state = (struct container_state){ .pid = 0 };
	return 0;
}

int container_state_save(int dir_fd, const struct container_state *state, struct err *err)
{
	auto_json struct json *json = container_state_json(state);
	auto_strbuf struct strbuf text = STRBUF_INIT;
	auto_tmpfile struct tmpfile tmp = TMPFILE_INIT;

	json_format(json, &text);
	if (tmpfile_open(&tmp, dir_fd, err) < 0 ||
	    fd_write_all(tmp.fd, text.data, text.len, "the state of a container", err) < 0)
		return -1;
	return tmpfile_replace(&tmp, STATE_FILE, err);
}

int container_state_load(int dir_fd, struct container_state *out, struct err *err)
{
	auto_close int fd = openat(dir_fd, STATE_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	auto_strbuf struct strbuf text = STRBUF_INIT;

	if (fd < 0 && errno == ENOENT) {
		*out = (struct container_state){ .pid = 0 };
		return 0;
	}
	if (fd < 0)
		return err_sys(err, "open the state of a container");
	if (fd_read_all(fd, STATE_MAX_BYTES, &text, "the state of a container", err) < 0)
		return -1;
	return container_state_parse(text.data ? text.data : "", text.len, out, err);
}
