/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the wording of history entries and for the order of their times.
 * The words are those of BuildKit, whose images other tools know how to show;
 * they go back to how Go prints lists, structures and durations.
 */
#include <inttypes.h>
#include <string.h>

#include "builder/history.h"
#include "builder/rune.h"
#include "common/mem.h"

static void put_escape(uint32_t rune, struct strbuf *out)
{
	static const char names[] = "abtnvfr"; /* \a is 7, \r is 13 */

	if (rune >= 7 && rune <= 13)
		strbuf_printf(out, "\\%c", names[rune - 7]);
	else if (rune < 0x80)
		strbuf_printf(out, "\\x%02" PRIx32, rune);
	else if (rune >= RUNE_BAD)
		strbuf_printf(out, "\\x%02" PRIx32, rune - RUNE_BAD);
	else if (rune < 0x10000)
		strbuf_printf(out, "\\u%04" PRIx32, rune);
	else
		strbuf_printf(out, "\\U%08" PRIx32, rune);
}

static bool is_printable(uint32_t rune)
{
	if (rune < 0x20 || (rune >= 0x7f && rune <= 0xa0) || rune == 0xad)
		return false;
	/* format and private characters, separators, surrogates, and what begins no sequence */
	if ((rune >= 0x2000 && rune <= 0x200f) || (rune >= 0x2028 && rune <= 0x202f) ||
	    (rune >= 0x205f && rune <= 0x206f) || (rune >= 0xd800 && rune <= 0xf8ff))
		return false;
	return rune != 0xfeff && rune < 0xe0000;
}

static void put_quoted(const char *text, struct strbuf *out)
{
	size_t left = strlen(text);

	strbuf_putc(out, '"');
	while (left > 0) {
		size_t len;
		uint32_t rune = rune_next(text, left, &len);

		if (rune == '"' || rune == '\\')
			strbuf_printf(out, "\\%c", (int)rune);
		else if (is_printable(rune))
			strbuf_add(out, text, len);
		else
			put_escape(rune, out);
		text += len;
		left -= len;
	}
	strbuf_putc(out, '"');
}

void history_quoted_list(const struct strlist *list, struct strbuf *out)
{
	strbuf_putc(out, '[');
	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			strbuf_putc(out, ' ');
		put_quoted(list->items[i], out);
	}
	strbuf_putc(out, ']');
}

void history_plain_list(const struct strlist *list, struct strbuf *out)
{
	strbuf_putc(out, '[');
	for (size_t i = 0; i < list->count; i++)
		strbuf_printf(out, "%s%s", i > 0 ? " " : "", list->items[i]);
	strbuf_putc(out, ']');
}

/* @value / @unit with up to @digits decimals, without zeros at the end. */
static void put_fraction(uint64_t value, uint64_t unit, int digits, struct strbuf *out)
{
	uint64_t rest = value % unit;

	strbuf_printf(out, "%" PRIu64, value / unit);
	if (rest == 0)
		return;
	while (rest % 10 == 0) {
		rest /= 10;
		digits--;
	}
	strbuf_printf(out, ".%0*" PRIu64, digits, rest);
}

void history_duration(int64_t ns, struct strbuf *out)
{
	uint64_t value = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
	uint64_t minutes = value / UINT64_C(60000000000);

	if (ns < 0)
		strbuf_putc(out, '-');
	if (value == 0) {
		strbuf_puts(out, "0s");
	} else if (value < 1000) {
		strbuf_printf(out, "%" PRIu64 "ns", value);
	} else if (value < 1000000) {
		put_fraction(value, 1000, 3, out);
		strbuf_puts(out, "\xc2\xb5s");
	} else if (value < 1000000000) {
		put_fraction(value, 1000000, 6, out);
		strbuf_puts(out, "ms");
	} else {
		if (minutes >= 60)
			strbuf_printf(out, "%" PRIu64 "h", minutes / 60);
		if (minutes > 0)
			strbuf_printf(out, "%" PRIu64 "m", minutes % 60);
		put_fraction(value % UINT64_C(60000000000), 1000000000, 9, out);
		strbuf_putc(out, 's');
	}
}

void history_healthcheck(const struct healthcheck *healthcheck, struct strbuf *out)
{
	const struct {
		const char *name;
		int64_t ns;
	} times[] = {
		{ "Interval", healthcheck->interval_ns },
		{ "Timeout", healthcheck->timeout_ns },
		{ "StartPeriod", healthcheck->start_period_ns },
		{ "StartInterval", healthcheck->start_interval_ns },
	};

	strbuf_puts(out, "{Test:");
	history_plain_list(&healthcheck->test, out);
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		strbuf_printf(out, " %s:", times[i].name);
		history_duration(times[i].ns, out);
	}
	strbuf_printf(out, " Retries:%" PRId64 "}", healthcheck->retries);
}

void history_run(const struct strlist *args, const struct strlist *env, const struct strlist *argv,
		 struct strbuf *out)
{
	auto_strlist struct strlist values = STRLIST_INIT;

	for (size_t i = 0; i < args->count; i++) {
		const char *equals = strchr(args->items[i], '=');
		auto_free char *key =
			equals ? str_ndup(args->items[i], (size_t)(equals - args->items[i]))
			       : str_dup(args->items[i]);
		const char *value = strlist_env_get(env, key);

		if (!value)
			value = equals ? equals + 1 : "";
		strlist_env_set(&values, key, value);
	}

	strbuf_puts(out, "RUN");
	if (values.count > 0)
		strbuf_printf(out, " |%zu", values.count);
	for (size_t i = 0; i < values.count; i++)
		strbuf_printf(out, " %s", values.items[i]);
	for (size_t i = 0; i < argv->count; i++)
		strbuf_printf(out, " %s", argv->items[i]);
}

/* Entries with a layer and layers are to be of one number. */
static void settle_layers(struct image_config *config)
{
	size_t layers = 0;

	for (size_t i = 0; i < config->history_count; i++) {
		if (config->history[i].empty_layer)
			continue;
		if (layers == config->diff_id_count)
			config->history[i].empty_layer = true;
		else
			layers++;
	}
	while (layers < config->diff_id_count) {
		struct history_entry entry = { .comment = (char *)HISTORY_COMMENT_ADDED };

		image_config_add_history(config, &entry);
		layers++;
	}
}

/* The time for entries at the front that have none: the first that follows one of them. */
static const char *first_new_time(const struct image_config *config)
{
	const char *found = NULL;
	bool is_missing = false;

	for (size_t i = 0; i < config->history_count; i++) {
		if (!config->history[i].created) {
			is_missing = true;
			continue;
		}
		found = config->history[i].created;
		if (is_missing)
			break;
	}
	return found;
}

void history_settle(struct image_config *config, const char *epoch_text)
{
	const char *time;
	bool was_missing = false;

	settle_layers(config);
	time = epoch_text ? epoch_text : first_new_time(config);
	for (size_t i = 0; i < config->history_count; i++) {
		struct history_entry *entry = &config->history[i];

		if (!entry->created) {
			entry->created = str_dup(time);
			was_missing = true;
		} else if (was_missing && !epoch_text) {
			time = entry->created;
		}
	}

	free(config->created);
	config->created = NULL;
	if (config->history_count > 0)
		config->created = str_dup(config->history[config->history_count - 1].created);
	else if (epoch_text)
		config->created = str_dup(epoch_text);
}
