/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RUN: a command in a sandbox above the stage's layers. Answers for what the command
 * sees: files, environment, user, network. How it is run is said in step-command.c; the
 * sandbox itself is sandbox/'s.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "builder/step-command.h"
#include "builder/step-mount.h"
#include "builder/step.h"
#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"
#include "sandbox/description.h"
#include "sandbox/device.h"
#include "sandbox/security.h"
#include "sandbox/user.h"

static enum sandbox_network network_of(const struct stage_run *run, const struct plan_run *plan)
{
	switch (plan->network) {
	case RUN_NETWORK_DEFAULT:
		return run->build->request->network;
	case RUN_NETWORK_NONE:
		return SANDBOX_NETWORK_NONE;
	case RUN_NETWORK_HOST:
		return SANDBOX_NETWORK_HOST;
	}
	return run->build->request->network;
}

static void volumes_key(const struct volumes *volumes, struct cachekey *key)
{
	for (size_t i = 0; i < volumes->count; i++) {
		cachekey_string(key, "volume", volumes->items[i].target);
		cachekey_number(key, "read-only", volumes->items[i].read_only);
		cachekey_number(key, "overlay", volumes->items[i].is_overlay);
	}
}

/*
 * What of the command line a step's result may depend on by right: no address, no file of the
 * host, and neither how fast it runs nor how much memory it has.
 */
static void settings_key(const struct run_settings *settings, struct cachekey *key)
{
	auto_strlist struct strlist devices = STRLIST_INIT;

	for (size_t i = 0; i < settings->host_names.count; i++)
		cachekey_string(key, "host", settings->host_names.items[i]);
	for (size_t i = 0; i < settings->limits.count; i++) {
		cachekey_number(key, "limit", settings->limits.items[i].resource);
		cachekey_number(key, "soft", (int64_t)settings->limits.items[i].soft);
		cachekey_number(key, "hard", (int64_t)settings->limits.items[i].hard);
	}
	for (size_t i = 0; i < settings->groups.count; i++)
		cachekey_string(key, "group", settings->groups.items[i]);
	if (settings->shm_bytes)
		cachekey_number(key, "shm", (int64_t)settings->shm_bytes);
	if (settings->no_hosts)
		cachekey_number(key, "no hosts", 1);
	if (settings->no_hostname)
		cachekey_number(key, "no hostname", 1);
	if (settings->no_resolv_conf)
		cachekey_number(key, "no resolv.conf", 1);
	volumes_key(&settings->volumes, key);
	device_grants_inside(&settings->devices, &devices);
	if (devices.count > 0)
		cachekey_list(key, "device", &devices);
}

/* Nothing where nothing was said, so that what is in the cache stays there. */
static void security_key(const struct build_request *request, struct cachekey *key)
{
	const struct security *security = &request->security;

	if (security->capabilities != SANDBOX_CAPS_DEFAULT)
		cachekey_number(key, "capabilities", (int64_t)security->capabilities);
	if (security->no_new_privileges)
		cachekey_number(key, "no new privileges", 1);
	if (security->is_unconfined)
		cachekey_number(key, "no filter", 1);
	if (request->seccomp_text)
		cachekey_string(key, "seccomp", request->seccomp_text);
	if (security->unmasks_all)
		cachekey_number(key, "unmask all", 1);
	if (security->masks.count > 0)
		cachekey_list(key, "mask", &security->masks);
	if (security->unmasks.count > 0)
		cachekey_list(key, "unmask", &security->unmasks);
}

/* Proxies and the contents of the init layer are not in the key: they leave no trace. */
static int run_key(const struct stage_run *run, const struct plan_run *plan,
		   const struct step_mounts *mounts, bool by_content, struct digest *out,
		   struct err *err)
{
	auto_cachekey struct cachekey key = { 0 };
	auto_strlist struct strlist env = STRLIST_INIT;

	strlist_copy(&env, &plan->env);
	strlist_sort(&env);
	step_key_init(run, by_content ? "run on content" : "run", &key);
	cachekey_list(&key, "arg", &plan->argv);
	cachekey_list(&key, "env", &env);
	cachekey_string(&key, "cwd", plan->cwd);
	cachekey_string(&key, "user", plan->user);
	cachekey_string(&key, "platform", plan->platform);
	cachekey_number(&key, "network", network_of(run, plan));
	cachekey_string(&key, "hostname", run->build->plan->hostname);
	if (plan->is_insecure)
		cachekey_number(&key, "insecure", 1);
	else
		security_key(run->build->request, &key);
	settings_key(&run->build->request->run_settings, &key);
	if (step_mounts_key(mounts, by_content, &key, err) < 0)
		return -1;
	cachekey_final(&key, out);
	return 0;
}

/* A working directory that only the image's configuration knows is made, as for containers. */
static int ensure_cwd(int root_fd, const char *cwd, struct err *err)
{
	auto_close int fd = -1;

	fd = beneath_open(root_fd, cwd, BENEATH_IN_ROOT, O_PATH | O_DIRECTORY, err);
	if (fd >= 0)
		return 0;
	if (errno != ENOENT)
		return -1;
	err_clear(err);
	fd = beneath_mkdirs(root_fd, cwd, BENEATH_IN_ROOT, 0755, err);
	return fd < 0 ? -1 : 0;
}

static void set_env(const struct stage_run *run, const struct plan_run *plan,
		    const struct user_ids *ids, struct strlist *out)
{
	const struct strlist *proxies = &run->build->plan->proxy_env;

	strlist_copy(out, &plan->env);
	if (!strlist_env_get(out, "PATH"))
		strlist_env_set(out, "PATH", PLAN_PATH_DEFAULT);
	if (!strlist_env_get(out, "HOME"))
		strlist_env_set(out, "HOME", ids->home ? ids->home : "/");
	for (size_t i = 0; i < proxies->count; i++) {
		const char *equals = strchr(proxies->items[i], '=');
		auto_free char *name =
			str_ndup(proxies->items[i], (size_t)(equals - proxies->items[i]));

		if (!strlist_env_get(out, name))
			strlist_env_set(out, name, equals + 1);
	}
}

static int open_seccomp(struct build *build, uint64_t capabilities, struct err *err)
{
	int fd;

	pthread_mutex_lock(&build->lock);
	if (build->seccomp_fd < 0)
		build->seccomp_fd = security_open_filter(&build->request->security,
							 build->request->store, capabilities, err);
	fd = build->seccomp_fd;
	pthread_mutex_unlock(&build->lock);
	return fd;
}

/* What a secret is called goes before all else of that name. */
static void add_env(const struct strlist *from, struct strlist *out)
{
	for (size_t i = 0; i < from->count; i++) {
		const char *equals = strchr(from->items[i], '=');
		auto_free char *name = str_ndup(from->items[i], (size_t)(equals - from->items[i]));

		strlist_env_set(out, name, equals + 1);
	}
}

/*
 * --security=insecure: nothing is held back that we have ourselves. As an ordinary user that
 * is what his user namespace gives him.
 */
static void open_up(struct sandbox_description *out)
{
	out->capabilities = UINT64_MAX;
	out->opens_devices = true;
	out->resources.confines_devices = false;
	/* nor is a filter left by which devices would be recorded: a command may want its own */
	if (out->supervision == SANDBOX_SUPERVISED_DEVICES)
		out->supervision = SANDBOX_UNSUPERVISED;
	strlist_release(&out->masked_paths);
	strlist_release(&out->read_only_paths);
	for (size_t i = 0; i < out->mount_count; i++)
		if (out->mounts[i].kind == SANDBOX_MOUNT_CGROUP ||
		    (out->mounts[i].kind == SANDBOX_MOUNT_SYSFS && !out->nested))
			out->mounts[i].flags &= ~(unsigned)SANDBOX_MOUNT_READ_ONLY;
}

/* What a command is described by. */
struct place {
	struct stage_run *run;
	const struct plan_run *plan;
	const struct step_mounts *mounts;
	int root_fd;
	struct device_grants *devices;
};

static int describe(const struct place *place, struct sandbox_description *out, struct err *err)
{
	const struct build_request *request = place->run->build->request;
	const struct plan_run *plan = place->plan;
	const struct security *security = &request->security;
	auto_user_ids struct user_ids ids = USER_IDS_INIT;

	sandbox_description_defaults(out);
	if (user_resolve(place->root_fd, plan->user, &ids, err) < 0 ||
	    run_settings_apply(&request->run_settings, place->root_fd, &ids, out, err) < 0)
		return -1;
	out->root_fd = place->root_fd;
	out->hostname = str_dup(place->run->build->plan->hostname);
	if (network_of(place->run, plan) == SANDBOX_NETWORK_NONE)
		out->namespaces |= SANDBOX_NS_NET;
	strlist_copy(&out->argv, &plan->argv);
	set_env(place->run, plan, &ids, &out->env);
	add_env(&place->mounts->env, &out->env);
	free(out->cwd);
	out->cwd = str_dup(plan->cwd);
	out->uid = ids.uid;
	out->gid = ids.gid;
	out->groups = ptr_steal(&ids.groups);
	out->group_count = ids.group_count;
	out->is_32bit = plan->is_32bit;
	security_apply_rights(security, out);
	strlist_copy(&place->devices->texts, &request->run_settings.devices);
	if (device_grants_apply(place->devices, false, out, err) < 0)
		return -1;
	if (plan->is_insecure)
		open_up(out);
	/* another runtime has groups of its own */
	if (!request->runtime)
		device_open_granted(out);
	step_mounts_describe(place->mounts, out);
	if (plan->is_insecure || security->is_unconfined)
		return 0;
	out->seccomp_fd = open_seccomp(place->run->build, out->capabilities, err);
	return out->seccomp_fd < 0 ? -1 : 0;
}

/* Run the command on @root_fd to its end. */
static int execute(struct stage_run *run, const struct step *step, const struct step_mounts *mounts,
		   unsigned progress_id, int root_fd, struct err *err)
{
	auto_sandbox_description struct sandbox_description description = SANDBOX_DESCRIPTION_INIT;
	auto_device_grants struct device_grants devices = { .fds = NULL };
	const struct place place = { .run = run,
				     .plan = &step->run,
				     .mounts = mounts,
				     .root_fd = root_fd,
				     .devices = &devices };
	const struct step_command command = {
		.run = run, .step = step, .progress_id = progress_id, .description = &description
	};

	if (ensure_cwd(root_fd, step->run.cwd, err) < 0 || describe(&place, &description, err) < 0)
		return step_locate(err, step, NULL);
	return step_command_run(&command, err);
}

/* Run the command above what the stage has, and make a layer of what it leaves. */
static int make_layer(struct stage_run *run, const struct step *step, struct step_mounts *mounts,
		      unsigned progress_id, struct step_outcome *out, struct err *err)
{
	auto_layer_work struct layer_work work = LAYER_WORK_INIT;
	auto_close int root_fd = -1;
	struct layer_extras extras;

	if (step_mounts_open(mounts, err) < 0 ||
	    init_room_prepare(run, network_of(run, &step->run), &mounts->points, err) < 0 ||
	    layer_work_open(run, &work, err) < 0)
		return -1;
	extras.init_fd = run->init.dir.fd;
	extras.drop_files = &run->init.drop_files;
	root_fd = layer_work_mount(run, &work, extras.init_fd, err);
	if (root_fd < 0 || execute(run, step, mounts, progress_id, root_fd, err) < 0)
		return -1;
	fd_close(&root_fd);
	/* caches are for the next one to use, before the layer is packed */
	step_mounts_release(mounts);
	return layer_work_finish(run, &work, &extras, out, err);
}

/*
 * The result of a step that shows paths of other stages. It is looked for by those stages as they
 * are, and by the content of the paths, which is the same when a stage was made again.
 */
static int run_on_content(struct stage_run *run, const struct step *step,
			  struct step_mounts *mounts, unsigned progress_id,
			  struct step_outcome *out, struct err *err)
{
	const struct digest as_a_whole = out->key;
	struct digest key;

	if (step_mounts_select_content(mounts, err) < 0 ||
	    run_key(run, &step->run, mounts, true, &key, err) < 0)
		return -1;
	if (step_lookup(run, &key, out, err) < 0)
		return -1;
	if (!out->is_cached && make_layer(run, step, mounts, progress_id, out, err) < 0)
		return -1;
	return stepcache_put(run->build->request->store, &as_a_whole, &out->result, err);
}

int step_run(struct stage_run *run, const struct step *step, unsigned progress_id,
	     struct step_outcome *out, struct err *err)
{
	auto_step_mounts struct step_mounts mounts = STEP_MOUNTS_INIT;
	bool have_content;
	struct digest key;

	if (step_mounts_select(run, step, &mounts, err) < 0)
		return -1;
	have_content = step_mounts_have_content(&mounts);
	if (run_key(run, &step->run, &mounts, false, &key, err) < 0)
		return -1;
	if (step_lookup(run, &key, out, err) < 0)
		return -1;
	if (!out->is_cached &&
	    (have_content ? run_on_content(run, step, &mounts, progress_id, out, err)
			  : make_layer(run, step, &mounts, progress_id, out, err)) < 0)
		return -1;
	if (have_content)
		step_key_settle(run, "ran", out);
	return 0;
}
