/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for volumes that containers have of each other: how they are noted, and taken up. */
#include "sandbox/volume-lent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "storage/container-state.h"
#include "storage/container.h"

static const char *const kind_names[] = {
	[VOLUME_BIND] = "bind",
	[VOLUME_NAMED] = "named",
	[VOLUME_LENT] = "own",
};

/* ---- written ---- */

static void put_word(struct strbuf *out, const char *word)
{
	for (const unsigned char *c = (const unsigned char *)word; *c; c++) {
		if (*c <= ' ' || *c == '%')
			strbuf_printf(out, "%%%02x", *c);
		else
			strbuf_putc(out, (char)*c);
	}
}

static void lend(const struct volume *volume, const char *source, const char *kind,
		 struct strlist *out)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;

	strbuf_printf(&text, "%s%s ", kind, volume->read_only ? ",ro" : "");
	put_word(&text, volume->target);
	strbuf_putc(&text, ' ');
	put_word(&text, source);
	strlist_add(out, text.data);
}

void volumes_lend(const struct volumes *volumes, const char *id, struct strlist *out)
{
	for (size_t i = 0; i < volumes->count; i++) {
		const struct volume *volume = &volumes->items[i];
		auto_free char *own = str_format("%s/" VOLUME_OWN_FORMAT, id, i);
		auto_free char *path = NULL;

		if (volume->kind == VOLUME_TMPFS || volume->is_overlay)
			continue;
		if (volume->kind == VOLUME_BIND)
			path = realpath(volume->source, NULL);
		if (volume->kind == VOLUME_NAMED && !volume->source)
			lend(volume, own, kind_names[VOLUME_LENT], out);
		else
			lend(volume, path ? path : volume->source, kind_names[volume->kind], out);
	}
}

/* ---- read ---- */

/* In place. */
static bool take_word(char *word)
{
	char *to = word;
	unsigned byte;

	for (; *word; word++) {
		if (*word != '%') {
			*to++ = *word;
			continue;
		}
		if (strspn(word + 1, "0123456789abcdef") < 2 ||
		    sscanf(word + 1, "%2x", &byte) != 1 || byte == 0)
			return false;
		*to++ = (char)byte;
		word += 2;
	}
	*to = '\0';
	return true;
}

static bool take_kind(const char *word, struct volume *out)
{
	const size_t len = strcspn(word, ",");

	out->read_only = word[len];
	if (word[len] && strcmp(word + len, ",ro") != 0)
		return false;
	for (size_t i = 0; i < sizeof(kind_names) / sizeof(kind_names[0]); i++) {
		out->kind = (enum volume_kind)i;
		if (kind_names[i] && strlen(kind_names[i]) == len &&
		    strncmp(kind_names[i], word, len) == 0)
			return true;
	}
	return false;
}

/* "ID/volume-N", and nothing that leads elsewhere. */
static bool is_own(const char *source)
{
	const size_t id_len = strspn(source, "0123456789abcdef");

	return id_len == 64 && strncmp(source + id_len, "/volume-", 8) == 0 && source[id_len + 8] &&
	       source[id_len + 8 + strspn(source + id_len + 8, "0123456789")] == '\0';
}

static bool parse(char *text, struct volume *out)
{
	char *kind = strsep(&text, " ");
	char *target = strsep(&text, " ");
	char *source = text;

	if (!target || !source || !take_kind(kind, out) || !take_word(target) ||
	    !take_word(source) || target[0] != '/' || !source[0])
		return false;
	if ((out->kind == VOLUME_LENT && !is_own(source)) ||
	    (out->kind == VOLUME_NAMED && (strchr(source, '/') || source[0] == '.')))
		return false;
	out->target = str_dup(target);
	out->source = str_dup(source);
	return true;
}

static bool has_target(const struct volumes *volumes, const char *target)
{
	for (size_t i = 0; i < volumes->count; i++)
		if (strcmp(volumes->items[i].target, target) == 0)
			return true;
	return false;
}

int volumes_add_lent(struct volumes *volumes, const char *text, struct err *err)
{
	auto_free char *copy = str_dup(text);
	struct volume volume = { .fd = -1 };

	if (!parse(copy, &volume))
		return err_set(err, ERR_INPUT, "'%s' is no volume of a container", text);
	if (has_target(volumes, volume.target)) {
		free(volume.target);
		free(volume.source);
		return 0;
	}
	volumes->items = mem_resize(volumes->items, volumes->count + 1, sizeof(volumes->items[0]));
	volumes->items[volumes->count++] = volume;
	return 0;
}

/* ---- --volumes-from ---- */

int volumes_from_check(const struct strlist *from, struct err *err)
{
	for (size_t i = 0; i < from->count; i++) {
		const char *colon = strchr(from->items[i], ':');

		if (from->items[i][0] == ':' || from->items[i][0] == '\0' ||
		    (colon && strcmp(colon, ":ro") != 0 && strcmp(colon, ":rw") != 0))
			return err_set(err, ERR_USAGE, "--volumes-from '%s' is not NAME[:ro|rw]",
				       from->items[i]);
	}
	return 0;
}

static int add_from(struct volumes *volumes, const char *text, struct store *store, struct err *err)
{
	const char *colon = strchr(text, ':');
	auto_free char *name = str_ndup(text, strcspn(text, ":"));
	auto_container struct container container = CONTAINER_INIT;
	auto_container_state struct container_state state = { .pid = 0 };
	const size_t before = volumes->count;

	if (container_look(store, name, &container, NULL, err) < 0 ||
	    container_state_load(container.dir_fd, &state, err) < 0)
		return -1;
	for (size_t i = 0; i < state.volumes.count; i++)
		if (volumes_add_lent(volumes, state.volumes.items[i], err) < 0)
			return -1;
	for (size_t i = before; i < volumes->count; i++)
		if (colon && strcmp(colon, ":ro") == 0)
			volumes->items[i].read_only = true;
	return 0;
}

int volumes_add_from(struct volumes *volumes, const struct strlist *from, struct store *store,
		     struct err *err)
{
	for (size_t i = 0; i < from->count; i++)
		if (add_from(volumes, from->items[i], store, err) < 0)
			return err_prefix(err, "--volumes-from");
	return 0;
}
