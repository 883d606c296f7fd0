/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RUN: a command in a sandbox above the stage's layers. Answers for what the command
 * sees (files, environment, user, network), for every byte that it writes being shown,
 * and for how its end is told. The sandbox itself is sandbox/'s.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "builder/step-mount.h"
#include "builder/step.h"
#include "common/beneath.h"
#include "common/fd.h"
#include "common/mem.h"
#include "sandbox/cgroup.h"
#include "sandbox/description.h"
#include "sandbox/device.h"
#include "sandbox/launch.h"
#include "sandbox/security.h"
#include "sandbox/user.h"

#define OUTPUT_BYTES 65536
/* Of what a failed command wrote, this much and so many lines at its end go into the error. */
#define TAIL_BYTES  2000
#define TAIL_LINES  20
#define TITLE_BYTES 100

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

static int describe(struct stage_run *run, const struct plan_run *plan,
		    const struct step_mounts *mounts, int root_fd, struct sandbox_description *out,
		    struct err *err)
{
	const struct security *security = &run->build->request->security;
	auto_user_ids struct user_ids ids = USER_IDS_INIT;

	sandbox_description_defaults(out);
	if (user_resolve(root_fd, plan->user, &ids, err) < 0 ||
	    run_settings_apply(&run->build->request->run_settings, root_fd, &ids, out, err) < 0)
		return -1;
	out->root_fd = root_fd;
	out->hostname = str_dup(run->build->plan->hostname);
	if (network_of(run, plan) == SANDBOX_NETWORK_NONE)
		out->namespaces |= SANDBOX_NS_NET;
	strlist_copy(&out->argv, &plan->argv);
	set_env(run, plan, &ids, &out->env);
	add_env(&mounts->env, &out->env);
	free(out->cwd);
	out->cwd = str_dup(plan->cwd);
	out->uid = ids.uid;
	out->gid = ids.gid;
	out->groups = ptr_steal(&ids.groups);
	out->group_count = ids.group_count;
	out->is_32bit = plan->is_32bit;
	security_apply_rights(security, out);
	if (plan->is_insecure)
		open_up(out);
	device_open_granted(out);
	step_mounts_describe(mounts, out);
	if (plan->is_insecure || security->is_unconfined)
		return 0;
	out->seccomp_fd = open_seccomp(run->build, out->capabilities, err);
	return out->seccomp_fd < 0 ? -1 : 0;
}

/* The end of what a command wrote. */
struct tail {
	struct strbuf text;
};

static void tail_add(struct tail *tail, const char *data, size_t len)
{
	struct strbuf *text = &tail->text;

	if (len > TAIL_BYTES) {
		data += len - TAIL_BYTES;
		len = TAIL_BYTES;
	}
	if (text->len + len > TAIL_BYTES) {
		size_t drop = text->len + len - TAIL_BYTES;

		memmove(text->data, text->data + drop, text->len - drop);
		strbuf_truncate(text, text->len - drop);
	}
	strbuf_add(text, data, len);
}

/* Whole lines, TAIL_LINES at most. */
static const char *tail_lines(struct tail *tail)
{
	struct strbuf *text = &tail->text;
	const char *at;

	while (text->len > 0 && text->data[text->len - 1] == '\n')
		strbuf_truncate(text, text->len - 1);
	at = text->data + text->len;
	for (int lines = 0; at > text->data; at--)
		if (at[-1] == '\n' && ++lines == TAIL_LINES)
			break;
	/* the first line may have lost its beginning: only a whole one is shown */
	if (at == text->data && text->len >= TAIL_BYTES - 1 && strchr(at, '\n'))
		at = strchr(at, '\n') + 1;
	return at;
}

struct watch {
	struct stage_run *run;
	unsigned progress_id;
	struct tail *tail;
	struct sandbox *sandbox;
	int pipe_fd;
	char *buffer;
};

/* What has come through the pipe; *out_open false at its end. */
static int drain(struct watch *watch, bool *out_open, struct err *err)
{
	ssize_t n = read(watch->pipe_fd, watch->buffer, OUTPUT_BYTES);

	if (n < 0)
		return errno == EINTR || errno == EAGAIN
			       ? 0
			       : err_sys(err, "read what the command writes");
	*out_open = n > 0;
	progress_output(watch->run->build->request->progress, watch->progress_id, watch->buffer,
			(size_t)n);
	tail_add(watch->tail, watch->buffer, (size_t)n);
	return 0;
}

/*
 * Read until nobody can write any more and the sandbox has ended. Both are waited for: the
 * pipe is closed early by a command that closes its output, late by none, since all its
 * processes end with the first one.
 */
static int watch_output(struct watch *watch, struct err *err)
{
	auto_close int ended_fd = -1;
	bool is_open = true;

	ended_fd = (int)syscall(SYS_pidfd_open, watch->sandbox->child.pid, 0);
	if (ended_fd < 0)
		return err_sys(err, "watch the sandbox");
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = watch->run->build->request->interrupt_fd, .events = POLLIN },
			{ .fd = is_open ? watch->pipe_fd : -1, .events = POLLIN },
			{ .fd = is_open ? -1 : ended_fd, .events = POLLIN },
		};

		if (poll(fds, 3, -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_sys(err, "wait for the command");
		}
		if (fds[0].revents)
			return err_set(err, ERR_INTERRUPTED, "interrupted");
		if (fds[1].revents && drain(watch, &is_open, err) < 0)
			return -1;
		if (fds[2].revents)
			return 0;
	}
}

static int start(const struct sandbox_description *description, struct sandbox *out,
		 int *out_pipe_fd, struct err *err)
{
	auto_close int null_fd = -1;
	auto_close int read_fd = -1;
	auto_close int write_fd = -1;
	int exec_errno = 0;
	int fds[2];

	null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null_fd < 0)
		return err_sys(err, "open '/dev/null'");
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	read_fd = fds[0];
	write_fd = fds[1];
	if (sandbox_start(description, (int[]){ null_fd, write_fd, write_fd }, out, &exec_errno,
			  err) < 0)
		return -1;
	*out_pipe_fd = fd_steal(&read_fd);
	return 0;
}

/* "Buildfile:7:1: RUN make: exit status 2", with the end of what was written. */
static int fail(struct stage_run *run, const struct step *step, int status, unsigned memory_kills,
		struct tail *tail, struct err *err)
{
	struct store *store = run->build->request->store;
	struct position at = { step->instruction->line_start, step->instruction->column };
	size_t len = strcspn(step->title, "\n");
	auto_free char *title = NULL;
	char text[64];

	title = len > TITLE_BYTES ? str_format("%.*s...", TITLE_BYTES, step->title)
				  : str_ndup(step->title, len);
	err_set(err, ERR_STEP, "%s%s", proc_status_text(status, text),
		memory_kills > 0 ? " (out of memory: --memory)" : "");
	/* not the command's fault, whatever it says of it */
	if (store_is_full(store))
		err_set(err, ERR_SYSTEM, "%s: the store '%s' is full: No space left on device",
			proc_status_text(status, text), store_root_path(store));
	if (tail->text.len > 0)
		err_detail(err, "what it wrote at last:\n%s", tail_lines(tail));
	return source_locate(err, &step->ast->source, at, title);
}

/* Run the command on @root_fd to its end. */
static int execute(struct stage_run *run, const struct step *step, const struct step_mounts *mounts,
		   unsigned progress_id, int root_fd, struct err *err)
{
	auto_sandbox_description struct sandbox_description description = SANDBOX_DESCRIPTION_INIT;
	auto_cgroup struct cgroup cgroup = CGROUP_INIT;
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	auto_free char *buffer = mem_alloc(OUTPUT_BYTES);
	auto_close int pipe_fd = -1;
	struct tail tail = { .text = STRBUF_INIT };
	struct watch watch = { .run = run,
			       .progress_id = progress_id,
			       .tail = &tail,
			       .sandbox = &sandbox,
			       .buffer = buffer };
	int status = 0;
	int result;

	if (ensure_cwd(root_fd, step->run.cwd, err) < 0 ||
	    describe(run, &step->run, mounts, root_fd, &description, err) < 0 ||
	    cgroup_create(run->build->request->store, NULL, &description.resources, &cgroup, err) <
		    0)
		return step_locate(err, step, NULL);
	cgroup_give(&cgroup, &description);
	if (start(&description, &sandbox, &pipe_fd, err) < 0)
		return step_locate(err, step, NULL);
	watch.pipe_fd = pipe_fd;
	result = layer_work_prepare(run, err);
	if (result == 0)
		result = watch_output(&watch, err);
	if (result == 0)
		result = sandbox_wait(&sandbox, &status, err);
	if (result == 0 && status != 0)
		result = fail(run, step, status, cgroup_memory_kills(&cgroup), &tail, err);
	strbuf_release(&tail.text);
	return result;
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
