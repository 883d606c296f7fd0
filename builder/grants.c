/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what --secret and --ssh lend to a build: where it comes from, and
 * that no copy of a secret stays in memory longer than it is needed. Who gets it
 * is step-mount.c's.
 */
#include "builder/grants.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "builder/csv.h"
#include "builder/source.h"
#include "common/fd.h"
#include "common/mem.h"

void grants_release(struct grants *grants)
{
	for (size_t i = 0; i < grants->secret_count; i++) {
		if (grants->secrets[i].value) /* one that could not be read has none */
			explicit_bzero(grants->secrets[i].value, grants->secrets[i].len);
		free(grants->secrets[i].value);
		free(grants->secrets[i].id);
	}
	free(grants->secrets);
	for (size_t i = 0; i < grants->agent_count; i++) {
		free(grants->agents[i].path);
		free(grants->agents[i].id);
	}
	free(grants->agents);
	*grants = (struct grants)GRANTS_INIT;
}

const struct grant_secret *grants_secret(const struct grants *grants, const char *id)
{
	for (size_t i = 0; i < grants->secret_count; i++)
		if (strcmp(grants->secrets[i].id, id) == 0)
			return &grants->secrets[i];
	return NULL;
}

const struct grant_agent *grants_agent(const struct grants *grants, const char *id)
{
	for (size_t i = 0; i < grants->agent_count; i++)
		if (strcmp(grants->agents[i].id, id) == 0)
			return &grants->agents[i];
	return NULL;
}

/* ---- secrets ---- */

void secret_spec_release(struct secret_spec *spec)
{
	strlist_release(&spec->fields);
	*spec = (struct secret_spec)SECRET_SPEC_INIT;
}

static int read_field(struct secret_spec *spec, const char **type, const char *field,
		      struct err *err)
{
	static const char *const names[] = { "id", "src", "source", "env", "type", NULL };
	const char **const targets[] = { &spec->id, &spec->file, &spec->file, &spec->variable,
					 type };
	size_t len = strcspn(field, "=");

	for (size_t i = 0; names[i]; i++) {
		if (strlen(names[i]) != len || strncmp(field, names[i], len) != 0)
			continue;
		if (field[len] == '\0')
			return err_set(err, ERR_USAGE, "--secret: '%s' needs a value", names[i]);
		*targets[i] = field + len + 1;
		return 0;
	}
	return err_set(err, ERR_USAGE, "--secret: '%.*s' is not one of id, src, env, type",
		       (int)len, field);
}

/* What type= says, and what is left out. */
static int settle(struct secret_spec *spec, const char *type, struct err *err)
{
	bool is_env = strcmp(type, "env") == 0;

	if (!is_env && strcmp(type, "file") != 0)
		return err_set(err, ERR_USAGE, "--secret: type is file or env, not '%s'", type);
	if (!spec->id || spec->id[0] == '\0')
		return err_set(err, ERR_USAGE, "--secret needs 'id=NAME'");
	if (is_env && !spec->variable) {
		spec->variable = spec->file;
		spec->file = NULL;
	}
	if (spec->file && spec->variable)
		return err_set(err, ERR_USAGE, "--secret '%s': a file or a variable, not both",
			       spec->id);
	if (!spec->file && !spec->variable) {
		if (is_env || getenv(spec->id))
			spec->variable = spec->id;
		else
			spec->file = spec->id;
	}
	return 0;
}

int grants_parse_secret(const char *text, struct secret_spec *out, struct err *err)
{
	auto_secret_spec struct secret_spec spec = SECRET_SPEC_INIT;
	const char *type = "file";

	if (csv_split(text, &spec.fields, err) < 0) {
		err->kind = ERR_USAGE;
		return err_prefix(err, "--secret");
	}
	for (size_t i = 0; i < spec.fields.count; i++)
		if (read_field(&spec, &type, spec.fields.items[i], err) < 0)
			return -1;
	if (settle(&spec, type, err) < 0)
		return -1;
	*out = spec;
	spec = (struct secret_spec)SECRET_SPEC_INIT;
	return 0;
}

static int read_file(const char *path, struct grant_secret *out, struct err *err)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	if (fstat(fd, &st) < 0)
		return err_sys(err, "stat '%s'", path);
	if (S_ISDIR(st.st_mode))
		return err_set(err, ERR_USAGE, "'%s' is a directory", path);
	/* in one piece, so that no copy is left where memory was moved to grow */
	out->value = mem_alloc(GRANT_SECRET_MAX_BYTES + 2);
	n = fd_read_full(fd, out->value, GRANT_SECRET_MAX_BYTES + 1, path, err);
	out->len = n < 0 ? GRANT_SECRET_MAX_BYTES + 1 : (size_t)n;
	if (n < 0)
		return -1;
	if (out->len > GRANT_SECRET_MAX_BYTES)
		return err_set(err, ERR_USAGE, "'%s' is larger than %zu bytes", path,
			       GRANT_SECRET_MAX_BYTES);
	return 0;
}

static int read_secret(const struct secret_spec *spec, struct grant_secret *out, struct err *err)
{
	const char *value;

	if (spec->file)
		return read_file(spec->file, out, err);
	value = getenv(spec->variable);
	if (!value)
		return err_set(err, ERR_USAGE, "the variable '%s' is not set", spec->variable);
	out->value = str_dup(value);
	out->len = strlen(value);
	return 0;
}

int grants_add_secret(struct grants *grants, const char *text, struct err *err)
{
	auto_secret_spec struct secret_spec spec = SECRET_SPEC_INIT;
	struct grant_secret *secret;

	if (grants_parse_secret(text, &spec, err) < 0)
		return -1;
	if (grants_secret(grants, spec.id))
		return err_set(err, ERR_USAGE, "--secret '%s' is given twice", spec.id);
	grants->secrets =
		mem_resize(grants->secrets, grants->secret_count + 1, sizeof(*grants->secrets));
	secret = &grants->secrets[grants->secret_count++];
	*secret = (struct grant_secret){ .id = str_dup(spec.id) };
	if (read_secret(&spec, secret, err) < 0)
		return err_prefix(err, "--secret '%s'", spec.id);
	return 0;
}

static bool is_read_by_us(const char *variable)
{
	static const char *const names[] = { "HOME", "PATH", "TMPDIR", "SSH_AUTH_SOCK", NULL };

	for (size_t i = 0; names[i]; i++)
		if (strcmp(variable, names[i]) == 0)
			return true;
	return strncmp(variable, "XDG_", 4) == 0 || strncmp(variable, "IMGBUILD_", 9) == 0;
}

/* What /proc/PID/environ shows is the very memory that getenv(3) points to. */
static void wipe_variable(const char *name)
{
	char *value = getenv(name);

	if (!value || is_read_by_us(name))
		return;
	explicit_bzero(value, strlen(value));
	unsetenv(name);
}

int grants_hide(const struct grants *grants, const struct strlist *texts, struct err *err)
{
	if (grants->secret_count == 0)
		return 0;
	for (size_t i = 0; i < texts->count; i++) {
		auto_secret_spec struct secret_spec spec = SECRET_SPEC_INIT;

		if (grants_parse_secret(texts->items[i], &spec, err) < 0)
			return -1;
		if (spec.variable)
			wipe_variable(spec.variable);
	}
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return err_sys(err, "keep secrets out of core files");
	return 0;
}

/* ---- agents ---- */

static int check_socket(const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_sys(err, "stat '%s'", path);
	if (S_ISSOCK(st.st_mode))
		return 0;
	err_set(err, ERR_USAGE, "'%s' is not the socket of an agent", path);
	return source_hint(err, "give keys to an agent: eval \"$(ssh-agent)\"; ssh-add %s", path);
}

int grants_add_ssh(struct grants *grants, const char *text, struct err *err)
{
	size_t len = strcspn(text, "=");
	auto_free char *id = str_ndup(text, len);
	const char *path = text[len] == '=' ? text + len + 1 : getenv("SSH_AUTH_SOCK");

	if (len == 0)
		return err_set(err, ERR_USAGE, "--ssh '%s' has no name", text);
	if (grants_agent(grants, id))
		return err_set(err, ERR_USAGE, "--ssh '%s' is given twice", id);
	if (!path || path[0] == '\0')
		return err_set(err, ERR_USAGE,
			       "--ssh '%s': no socket is given and SSH_AUTH_SOCK is not set", id);
	if (check_socket(path, err) < 0)
		return err_prefix(err, "--ssh '%s'", id);
	grants->agents =
		mem_resize(grants->agents, grants->agent_count + 1, sizeof(*grants->agents));
	grants->agents[grants->agent_count++] =
		(struct grant_agent){ .id = ptr_steal(&id), .path = str_dup(path) };
	return 0;
}
