/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for RUN --mount as a value: what from= names, where the target is, and
 * the names that options leave to the type. What is mounted is step-mount.c's.
 */
#include <stdlib.h>
#include <string.h>

#include "builder/plan-internal.h"
#include "common/mem.h"

#define SECRET_DIRECTORY "/run/secrets/"
#define AGENT_TARGET     "/run/buildkit/ssh_agent."

void plan_mounts_release(struct plan_run *run)
{
	for (size_t i = 0; i < run->mount_count; i++) {
		run_mount_release(&run->mounts[i].options);
		free(run->mounts[i].target);
		free(run->mounts[i].id);
		free(run->mounts[i].env);
	}
	free(run->mounts);
	run->mounts = NULL;
	run->mount_count = 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* A variable that "=" or nothing names cannot be set. */
static int check_variable(const char *name, struct err *err)
{
	if (name[0] == '\0' || strchr(name, '='))
		return err_set(err, ERR_INPUT, "'%s' cannot be the name of a variable", name);
	return 0;
}

/* id is another word for source; each gives the other names, if they are not given. */
static int name_secret(struct plan_mount *mount, struct err *err)
{
	const struct run_mount *options = &mount->options;
	const char *id = options->id ? options->id : options->source;

	if (!id)
		id = base_name(options->target);
	if (id[0] == '\0')
		return err_set(err, ERR_INPUT, "a secret without a name");
	mount->id = str_dup(id);
	if (options->env) {
		mount->env = str_dup(options->env[0] ? options->env : id);
		if (check_variable(mount->env, err) < 0)
			return -1;
	}
	if (!mount->target && !mount->env)
		mount->target = str_format(SECRET_DIRECTORY "%s", base_name(id));
	return 0;
}

static void name_agent(struct plan_mount *mount, const struct plan_run *run)
{
	size_t number = 0;

	for (size_t i = 0; &run->mounts[i] < mount; i++)
		number += run->mounts[i].options.type == RUN_MOUNT_SSH;
	mount->id = str_dup(mount->options.id ? mount->options.id : "default");
	if (!mount->target)
		mount->target = str_format(AGENT_TARGET "%zu", number);
}

/* The kernel's own file systems are what the sandbox makes of them. */
static int check_target(const struct plan_mount *mount, struct err *err)
{
	static const char *const kernel[] = { "/proc", "/sys" };
	const char *target = mount->target;

	if (!target)
		return 0;
	if (strcmp(target, "/") == 0)
		return err_set(err, ERR_INPUT, "nothing can be mounted on '/'");
	for (size_t i = 0; i < sizeof(kernel) / sizeof(kernel[0]); i++) {
		size_t len = strlen(kernel[i]);

		if (strncmp(target, kernel[i], len) == 0 &&
		    (target[len] == '\0' || target[len] == '/'))
			return err_set(err, ERR_INPUT, "nothing can be mounted in '%s'", kernel[i]);
	}
	return 0;
}

static int name_mount(struct plan_mount *mount, const struct plan_run *run, struct err *err)
{
	const struct run_mount *options = &mount->options;

	if (options->target)
		mount->target = plan_path(run->cwd, options->target);
	switch (options->type) {
	case RUN_MOUNT_BIND:
	case RUN_MOUNT_TMPFS:
		break;
	case RUN_MOUNT_CACHE:
		mount->id = str_dup(options->id && options->id[0] ? options->id : mount->target);
		if (options->source && !options->from)
			return err_set(err, ERR_INPUT,
				       "a cache mount has a 'source' only together with 'from'");
		break;
	case RUN_MOUNT_SECRET:
		if (name_secret(mount, err) < 0)
			return -1;
		break;
	case RUN_MOUNT_SSH:
		name_agent(mount, run);
		break;
	}
	return check_target(mount, err);
}

static int plan_mount_from(struct planner *planner, const struct origin *origin,
			   struct plan_mount *mount, struct err *err)
{
	const char *from = mount->options.from;

	mount->from = COPY_FROM_CONTEXT;
	if (!from || from[0] == '\0')
		return 0;
	if (plan_from(planner, origin, from, "from", &mount->from, &mount->from_index, err) < 0)
		return -1;
	mount->has_layers = mount->from != COPY_FROM_CONTEXT;
	mount->has_seed = mount->options.type == RUN_MOUNT_CACHE;
	return 0;
}

/* An error that has no place yet gets that of the option. */
static int locate(const struct planner *planner, const struct origin *origin,
		  const struct mount_flag *flag, struct err *err)
{
	auto_free char *place = str_format("%s:", planner->ast->source.name);

	if (strncmp(err->text, place, strlen(place)) == 0)
		return -1;
	return source_locate(err, &origin->ast->source, flag->at, "RUN");
}

int plan_mounts(struct planner *planner, struct plan_stage *stage, const struct origin *origin,
		const struct instruction *instruction, struct plan_run *run, struct err *err)
{
	const struct run_instruction *from = &instruction->run;
	struct expand_scope scope = { .env = &stage->env };

	run->mounts = mem_array(from->mount_count + 1, sizeof(*run->mounts));
	for (size_t i = 0; i < from->mount_count; i++) {
		struct plan_mount *mount = &run->mounts[run->mount_count++];

		mount->flag = &from->mounts[i];
		if (run_mount_resolve(mount->flag, &scope, origin->ast->directives.escape,
				      &mount->options, err) < 0 ||
		    name_mount(mount, run, err) < 0 ||
		    plan_mount_from(planner, origin, mount, err) < 0)
			return locate(planner, origin, mount->flag, err);
	}
	return 0;
}
