/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for a container's groups from their places to their end: where each is made,
 * what is written into it, what the host refuses. Which files that are is said in
 * cgroup-v1.c and cgroup-v2.c, what outlives us in cgroup-notes.c.
 */
#include "sandbox/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "common/userns.h"
#include "sandbox/cgroup-internal.h"
#include "sandbox/cgroup-notes-internal.h"

#define FILE_MAX_BYTES 65536

static bool wants_memory(const struct resources *resources)
{
	return resources->memory_bytes || resources->swap_total_bytes ||
	       resources->reservation_bytes;
}

static bool wants_cpu(const struct resources *resources)
{
	return resources->cpu_period_us || resources->cpu_quota_us || resources->cpu_shares;
}

static bool wants_cpuset(const struct resources *resources)
{
	return resources->cpus || resources->memory_nodes;
}

static bool wants_pids(const struct resources *resources)
{
	return resources->pids > 0;
}

static bool wants_io(const struct resources *resources)
{
	return resources->io_weight || resources->rate_count > 0;
}

static bool wants_devices(const struct resources *resources)
{
	return resources->confines_devices;
}

/* It only counts. */
static bool wants_none(const struct resources *resources)
{
	(void)resources;
	return false;
}

static const struct controller {
	const char *name;
	const char *limit_of;
	bool (*is_wanted)(const struct resources *resources);
	bool counts; /* what is shown to the container, with a limit or without */
} controllers[] = {
	{ "memory", "memory", wants_memory, true },
	{ "cpu", "processor time", wants_cpu, true },
	{ "cpuacct", "processor time", wants_none, true },
	{ "cpuset", "processors and memory nodes", wants_cpuset, false },
	{ "pids", "processes", wants_pids, false },
	{ "blkio", "block I/O", wants_io, false },
	{ "devices", "devices", wants_devices, false },
};
#define CONTROLLERS (sizeof(controllers) / sizeof(controllers[0]))

/* A controller that is wanted, and the group that will have it. */
struct place {
	const struct controller *controller;
	const struct cgroup_hierarchy *hierarchy;
	char *base;
	char *dir;
};

struct places {
	struct place items[CONTROLLERS];
	size_t count;
};
#define auto_places __attribute__((cleanup(places_release)))

static void places_release(struct places *places)
{
	for (size_t i = 0; i < places->count; i++) {
		free(places->items[i].base);
		free(places->items[i].dir);
	}
}

void cgroup_release(struct cgroup *cgroup)
{
	for (size_t i = 0; i < cgroup->enter_count; i++)
		fd_close(&cgroup->enter_fds[i]);
	free(cgroup->enter_fds);
	cgroup_notes_end(cgroup);
	strlist_release(&cgroup->dirs);
	free(cgroup->memory_events);
	free(cgroup->note);
	fd_close(&cgroup->note_fd);
	fd_close(&cgroup->notes_fd);
	*cgroup = (struct cgroup)CGROUP_INIT;
}

/* ---- files of a group ---- */

/* What the file says, without the newline at its end; NULL and errno. */
static char *read_text(const char *dir, const char *file)
{
	auto_free char *path = str_format("%s/%s", dir, file);
	auto_free char *text = mem_alloc(FILE_MAX_BYTES);

	if (!fd_read_text(AT_FDCWD, path, text, FILE_MAX_BYTES))
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	return str_dup(text);
}

/* In one write(2): each is a command of its own to the kernel. */
static int write_text(const char *dir, const char *file, const char *text)
{
	auto_free char *path = str_format("%s/%s", dir, file);
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t len = strlen(text);

	if (fd < 0)
		return -1;
	return write(fd, text, len) == (ssize_t)len ? 0 : -1;
}

static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = text; at && (at = strstr(at, word)); at += len)
		if ((at == text || at[-1] == ' ') && (at[len] == '\0' || at[len] == ' '))
			return true;
	return false;
}

/* ---- where ---- */

/* Not the root of a container's view, which is a group like others. */
static bool is_true_root(const char *dir)
{
	auto_free char *path = str_format("%s/cgroup.type", dir);

	return access(path, F_OK) < 0 && errno == ENOENT;
}

static bool may_divide(const char *dir)
{
	auto_free char *path = str_format("%s/cgroup.procs", dir);
	auto_free char *procs = NULL;

	if (access(dir, W_OK) < 0 || access(path, W_OK) < 0)
		return false;
	if (is_true_root(dir))
		return true;
	procs = read_text(dir, "cgroup.procs");
	return procs && procs[0] == '\0';
}

static void explain_delegation(struct err *err)
{
	if (userns_is_nested())
		err_detail(err,
			   "start the command in a group of this user's own: systemd-run --user "
			   "--scope --property=Delegate=yes COMMAND");
	else
		err_detail(err, "move all processes of that group into one below it first");
}

static char *v2_base(const struct cgroup_hierarchy *hierarchy, struct err *err)
{
	auto_free char *path = str_dup(hierarchy->own);

	for (;;) {
		auto_free char *dir = str_format("%s%s", hierarchy->mount, path);
		char *slash;

		if (may_divide(dir))
			return ptr_steal(&dir);
		slash = strrchr(path, '/');
		if (!slash)
			break;
		*slash = '\0';
	}
	err_set(err, ERR_SYSTEM,
		"no cgroup from '%s' upwards in '%s' can be divided: it must be ours, and hold no "
		"process",
		hierarchy->own[0] ? hierarchy->own : "/", hierarchy->mount);
	explain_delegation(err);
	return NULL;
}

char *cgroup_base(const struct cgroup_hierarchy *hierarchy, const char *parent, struct err *err)
{
	if (parent)
		return str_format("%s/%s", hierarchy->mount, parent);
	if (hierarchy->is_v2)
		return v2_base(hierarchy, err);
	return str_format("%s%s", hierarchy->mount, hierarchy->own);
}

static int find_place(const struct cgroup_host *host, const struct controller *controller,
		      const char *name, const struct resources *resources, struct places *out,
		      struct err *err)
{
	const struct cgroup_hierarchy *hierarchy = cgroup_host_find(host, controller->name);
	struct place *place;
	char *base;

	if (!hierarchy) {
		err_set(err, ERR_SYSTEM, "this host has no cgroup controller '%s'",
			controller->name);
		return err_detail(err, "the kernel lacks it, it is switched off "
				       "(cgroup_disable=), or no cgroup file system is mounted");
	}
	base = cgroup_base(hierarchy, resources->parent, err);
	if (!base)
		return -1;
	place = &out->items[out->count++];
	*place = (struct place){ .controller = controller,
				 .hierarchy = hierarchy,
				 .base = base,
				 .dir = str_format("%s/imgbuild-%s", base, name) };
	return 0;
}

/* ---- making ---- */

/* Those below --cgroup-parent that are not there; they stay, for others use them too. */
static int make_parents(const struct place *place, struct err *err)
{
	auto_free char *path = str_dup(place->base);
	size_t start = strlen(place->hierarchy->mount) + 1;

	for (char *at = path + start;; at++) {
		char was = *at;

		if (was != '/' && was != '\0')
			continue;
		*at = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return err_sys(err, "make the cgroup '%s'", path);
		*at = was;
		if (was == '\0')
			return 0;
	}
}

/* Version 2: each group on the way must hand the controller on. Those above may have done so. */
static int enable(const struct place *place, struct err *err)
{
	const char *name =
		strcmp(place->controller->name, "blkio") == 0 ? "io" : place->controller->name;
	auto_free char *plus = str_format("+%s", name);
	auto_free char *path = str_dup(place->base);
	size_t start = strlen(place->hierarchy->mount);
	bool is_on = false;

	for (char *at = path + start;; at++) {
		char was = *at;

		if (was != '/' && was != '\0')
			continue;
		*at = '\0';
		auto_free char *on = read_text(path, "cgroup.subtree_control");
		is_on = has_word(on, name) || write_text(path, "cgroup.subtree_control", plus) == 0;
		*at = was;
		if (was == '\0')
			break;
	}
	if (is_on)
		return 0;
	err_sys(err, "have the cgroup '%s' hand on the controller '%s'", place->base, name);
	return err_detail(err, "it must be enabled in each cgroup.subtree_control from the root "
			       "down to it");
}

/* Groups that nobody asked for by name are made where that is no trouble. */
static bool is_offered(const struct place *place, const struct resources *resources)
{
	struct err ignored = ERR_INIT;

	if (resources->parent && make_parents(place, &ignored) < 0)
		return false;
	if (place->hierarchy->is_v2 && enable(place, &ignored) < 0)
		return false;
	return access(place->base, W_OK) == 0;
}

static void drop_place(struct places *places)
{
	struct place *last = &places->items[--places->count];

	free(last->base);
	free(last->dir);
}

static int find_places(const struct cgroup_host *host, const char *name,
		       const struct resources *resources, struct places *out, struct err *err)
{
	struct err why = ERR_INIT;

	for (size_t i = 0; i < CONTROLLERS; i++) {
		const struct controller *row = &controllers[i];

		if (row->is_wanted(resources)) {
			if (find_place(host, row, name, resources, out, err) < 0)
				return err_prefix(err, "limit of %s", row->limit_of);
		} else if (resources->are_shown && row->counts &&
			   find_place(host, row, name, resources, out, &why) == 0 &&
			   !is_offered(&out->items[out->count - 1], resources)) {
			drop_place(out);
		}
	}
	if (out->count > 0)
		return 0;
	err_set(err, ERR_SYSTEM,
		"--limits-in-proc: no cgroup can be made that counts what it uses");
	explain_delegation(err);
	return -1;
}

static int fail_to_make(const struct place *place, struct err *err)
{
	const int reason = errno;

	err_sys(err, "make a cgroup in '%s'", place->base);
	if (reason == EACCES || reason == EPERM || reason == EROFS)
		explain_delegation(err);
	return -1;
}

static int make_dir(struct cgroup *cgroup, const struct place *place, struct err *err)
{
	for (size_t i = 0; i < cgroup->enter_count; i++)
		if (strcmp(cgroup->dirs.items[i], place->dir) == 0)
			return 0;
	if (mkdir(place->dir, 0755) < 0)
		return fail_to_make(place, err);
	cgroup->enter_fds[cgroup->enter_count++] = -1;
	return 0;
}

/* What stands in the group above, which may be a fresh one itself. */
static int inherit(const char *dir, const char *file, struct err *err)
{
	auto_free char *above = str_ndup(dir, (size_t)(strrchr(dir, '/') - dir));
	auto_free char *value = read_text(above, file);

	if (!value)
		return err_sys(err, "read '%s/%s'", above, file);
	if (value[0] == '\0') {
		free(value);
		if (inherit(above, file, err) < 0)
			return -1;
		value = read_text(above, file);
	}
	if (!value || write_text(dir, file, value) < 0)
		return err_sys(err, "write '%s/%s'", dir, file);
	return 0;
}

static int apply(const char *dir, const struct cgroup_setting *setting, struct err *err)
{
	if (!setting->value)
		return inherit(dir, setting->file, err);
	if (write_text(dir, setting->file, setting->value) == 0)
		return 0;
	if (errno == ENOENT && setting->or_file &&
	    write_text(dir, setting->or_file, setting->value) == 0)
		return 0;
	if (errno == ENOENT && setting->is_optional)
		return 0;
	err_sys(err, "write '%s' into '%s/%s'", setting->value, dir, setting->file);
	return errno == ENOENT || errno == EACCES
		       ? err_detail(err, "this kernel does not have it, or not for us")
		       : -1;
}

static int apply_all(const struct place *place, const struct resources *resources, struct err *err)
{
	auto_cgroup_plan struct cgroup_plan plan = { .items = NULL };
	auto_close int dir_fd = -1;

	(place->hierarchy->is_v2 ? cgroup_v2_plan : cgroup_v1_plan)(place->controller->name,
								    resources, &plan);
	for (size_t i = 0; i < plan.count; i++)
		if (apply(place->dir, &plan.items[i], err) < 0)
			return -1;
	if (!place->hierarchy->is_v2 || !wants_devices(resources) ||
	    strcmp(place->controller->name, "devices") != 0)
		return 0;
	dir_fd = open(place->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return err_sys(err, "open the cgroup '%s'", place->dir);
	return cgroup_devices_attach(dir_fd, resources, err);
}

int cgroup_open_door(const char *dir, struct err *err)
{
	auto_free char *tasks = str_format("%s/tasks", dir);
	auto_free char *procs = str_format("%s/cgroup.procs", dir);
	int fd = open(tasks, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		fd = open(procs, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(err, "open '%s'", procs) : fd;
}

static int open_doors(struct cgroup *cgroup, struct err *err)
{
	for (size_t i = 0; i < cgroup->dirs.count; i++) {
		cgroup->enter_fds[i] = cgroup_open_door(cgroup->dirs.items[i], err);
		if (cgroup->enter_fds[i] < 0)
			return -1;
	}
	return 0;
}

static int make_place(struct cgroup *cgroup, const struct place *place,
		      const struct resources *resources, struct err *err)
{
	const bool has_controller = strcmp(place->controller->name, "devices") != 0;

	if (resources->parent && make_parents(place, err) < 0)
		return -1;
	if (place->hierarchy->is_v2 && has_controller && enable(place, err) < 0)
		return -1;
	if (make_dir(cgroup, place, err) < 0)
		return -1;
	if (wants_memory(resources) && strcmp(place->controller->name, "memory") == 0)
		cgroup->memory_events = str_format("%s/%s", place->dir,
						   place->hierarchy->is_v2 ? "memory.events"
									   : "memory.oom_control");
	return apply_all(place, resources, err);
}

int cgroup_random_name(char *out, struct err *err)
{
	uint64_t number;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return err_sys(err, "get random bytes");
	snprintf(out, CGROUP_NAME_BYTES, "%016" PRIx64, number);
	return 0;
}

int cgroup_create(struct store *store, const char *name, const struct resources *resources,
		  struct cgroup *out, struct err *err)
{
	auto_cgroup struct cgroup cgroup = CGROUP_INIT;
	auto_cgroup_host struct cgroup_host host = { .items = NULL };
	auto_places struct places places = { .count = 0 };
	char made[CGROUP_NAME_BYTES];

	if (!resources_any(resources))
		return 0;
	if (!name) {
		if (cgroup_random_name(made, err) < 0)
			return -1;
		name = made;
	}
	if (cgroup_host_read(&host, err) < 0)
		return -1;
	if (find_places(&host, name, resources, &places, err) < 0)
		return -1;
	for (size_t i = 0; i < places.count; i++)
		if (!strlist_has(&cgroup.dirs, places.items[i].dir))
			strlist_add(&cgroup.dirs, places.items[i].dir);
	cgroup.enter_fds = mem_array(cgroup.dirs.count + 1, sizeof(cgroup.enter_fds[0]));
	if (cgroup_notes_begin(store, name, &cgroup, err) < 0)
		return -1;
	for (size_t i = 0; i < places.count; i++)
		if (make_place(&cgroup, &places.items[i], resources, err) < 0)
			return err_prefix(err, "limit of %s", places.items[i].controller->limit_of);
	if (open_doors(&cgroup, err) < 0)
		return -1;
	*out = cgroup;
	cgroup = (struct cgroup)CGROUP_INIT;
	return 0;
}

void cgroup_give(const struct cgroup *cgroup, struct sandbox_description *out)
{
	out->cgroup_fds =
		mem_dup(cgroup->enter_fds, cgroup->enter_count * sizeof(cgroup->enter_fds[0]));
	out->cgroup_fd_count = cgroup->enter_count;
}

/* ---- questions ---- */

int cgroup_check(const struct cgroup_host *host, const struct resources *resources, struct err *err)
{
	auto_places struct places places = { .count = 0 };

	if (!resources_any(resources))
		return 0;
	if (find_places(host, "", resources, &places, err) < 0)
		return -1;
	for (size_t i = 0; i < places.count; i++) {
		const struct place *place = &places.items[i];

		if (!resources->parent && access(place->base, W_OK) < 0) {
			fail_to_make(place, err);
			return err_prefix(err, "limit of %s", place->controller->limit_of);
		}
	}
	return 0;
}

/* "oom_kill 3" is a line of either version's file. */
unsigned cgroup_memory_kills(const struct cgroup *cgroup)
{
	FILE *file = cgroup->memory_events ? fopen(cgroup->memory_events, "re") : NULL;
	char name[64];
	unsigned long value;
	unsigned kills = 0;

	while (file && fscanf(file, "%63s %lu", name, &value) == 2)
		if (strcmp(name, "oom_kill") == 0)
			kills = (unsigned)value;
	if (file)
		fclose(file);
	return kills;
}

/* Who is confined himself may not grant what every container has. */
static bool opens_all(const char *dir)
{
	auto_free char *list = read_text(dir, "devices.list");

	return list && strcmp(list, "a *:* rwm") == 0;
}

bool cgroup_confines_devices(void)
{
	auto_cgroup_host struct cgroup_host host = { .items = NULL };
	struct err ignored = ERR_INIT;
	const struct cgroup_hierarchy *hierarchy;
	auto_free char *base = NULL;

	if (userns_is_nested() || cgroup_host_read(&host, &ignored) < 0)
		return false;
	hierarchy = cgroup_host_find(&host, "devices");
	base = hierarchy ? cgroup_base(hierarchy, NULL, &ignored) : NULL;
	if (!base || access(base, W_OK) < 0)
		return false;
	return hierarchy->is_v2 ? cgroup_devices_can_attach() : opens_all(base);
}
