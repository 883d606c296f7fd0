/* SPDX-License-Identifier: Apache-2.0 */
/* imgstore ps: what containers there are. */
#include <stdio.h>
#include <string.h>

#include "storage/cmd-internal.h"
#include "storage/container-state.h"
#include "storage/container.h"

/* One that is being removed has none. */
static void load_state(struct store *store, const struct container_summary *item,
		       struct container_state *out)
{
	auto_container struct container container = CONTAINER_INIT;
	struct err ignored = ERR_INIT;

	if (container_look(store, item->id, &container, NULL, &ignored) == 0)
		(void)container_state_load(container.dir_fd, out, &ignored);
}

/* "running", "exited (3)"; one of which nobody saw the end is "stopped". */
static const char *status_text(bool is_running, const struct container_state *state, char *buf,
			       size_t size)
{
	if (is_running)
		return "running";
	if (!state->ended)
		return "stopped";
	snprintf(buf, size, "exited (%jd)%s", (intmax_t)state->exit_status,
		 state->was_short_of_memory ? ", out of memory" : "");
	return buf;
}

/* As they were asked for, while they lead anywhere. */
static void ports_text(bool is_running, const struct container_state *state, struct strbuf *out)
{
	for (size_t i = 0; is_running && i < state->ports.count; i++)
		strbuf_printf(out, "%s%s", i ? ", " : "", state->ports.items[i]);
}

static struct json *container_json(struct store *store, const struct container_summary *item)
{
	auto_container_state struct container_state state = { .pid = 0 };
	struct json *json = json_object();
	char id[DIGEST_NAME_MAX];

	json_set_string(json, "Id", item->id);
	json_set_string(json, "Name", item->name);
	json_set_string(json, "Image", digest_name(&item->image_id, id));
	json_set_string(json, "Created", item->created);
	json_set_bool(json, "Running", item->running);
	load_state(store, item, &state);
	json_set(json, "State", container_state_json(&state));
	return json;
}

static struct json *containers_json(struct store *store, const struct container_list *list)
{
	struct json *array = json_array();

	for (size_t i = 0; i < list->count; i++)
		json_append(array, container_json(store, &list->items[i]));
	return array;
}

struct json *command_container_json(struct store *store, const char *text, struct err *err)
{
	auto_container_list struct container_list list = CONTAINER_LIST_INIT;
	auto_container struct container container = CONTAINER_INIT;

	if (container_look(store, text, &container, NULL, err) < 0 ||
	    container_list(store, &list, err) < 0)
		return NULL;
	for (size_t i = 0; i < list.count; i++)
		if (strcmp(list.items[i].id, container.id) == 0)
			return container_json(store, &list.items[i]);
	err_set(err, ERR_INPUT, "there is no container '%s'", text); /* any more */
	return NULL;
}

static void print_containers(struct store *store, const struct container_list *list)
{
	auto_table struct table table = { .columns = 6 };
	char buf[40];

	table_add(&table, "CONTAINER ID");
	table_add(&table, "IMAGE");
	table_add(&table, "CREATED");
	table_add(&table, "STATUS");
	table_add(&table, "PORTS");
	table_add(&table, "NAME");
	for (size_t i = 0; i < list->count; i++) {
		const struct container_summary *item = &list->items[i];
		auto_container_state struct container_state state = { .pid = 0 };
		auto_strbuf struct strbuf ports = STRBUF_INIT;

		load_state(store, item, &state);
		ports_text(item->running, &state, &ports);
		snprintf(buf, sizeof(buf), "%.12s", item->id);
		table_add(&table, buf);
		table_add(&table, short_id(&item->image_id, buf));
		table_add(&table, age_text(item->created, buf));
		table_add(&table, status_text(item->running, &state, buf, sizeof(buf)));
		table_add(&table, ports.data);
		table_add(&table, item->name);
	}
	table_print(&table);
}

static int ps(const char *root, const char *format, struct err *err)
{
	auto_container_list struct container_list list = CONTAINER_LIST_INIT;
	auto_store struct store *store = NULL;

	if (command_open_reading(root, NULL, &store, err) < 0 ||
	    container_list(store, &list, err) < 0)
		return -1;
	if (command_wants_json(format))
		command_print_json(containers_json(store, &list));
	else
		print_containers(store, &list);
	return 0;
}

int cmd_ps(int argc, char **argv)
{
	const char *root = NULL;
	const char *format = NULL;
	const struct cmdline_option options[] = { OPTION_FORMAT(&format), OPTION_ROOT(&root),
						  OPTION_END };
	const struct cmdline cmdline = { .program = "imgstore ps",
					 .synopsis = "[OPTIONS]",
					 .summary = "List containers, running and stopped, the "
						    "newest first.",
					 .options = options };
	auto_strlist struct strlist args = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (command_begin(&cmdline, argc, argv, &args, &err))
		ps(root, format, &err);
	return command_end(&err);
}
