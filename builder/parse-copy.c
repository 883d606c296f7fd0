/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for COPY and ADD: their flags, their sources, the files that they
 * hold themselves.
 */
#include <stdlib.h>
#include <string.h>

#include "builder/parse-internal.h"
#include "common/mem.h"

static int read_flags(struct parse *p, struct copy_instruction *out, struct words *excludes)
{
	enum tristate link = TRISTATE_UNSET, parents = TRISTATE_UNSET;
	const struct flag_spec copy_specs[] = {
		{ "from", FLAG_STRING, &out->from },
		{ "chown", FLAG_STRING, &out->chown },
		{ "chmod", FLAG_STRING, &out->chmod },
		{ "link", FLAG_SWITCH, &link },
		{ "parents", FLAG_SWITCH, &parents },
		{ "exclude", FLAG_LIST, excludes },
		{ .name = NULL },
	};
	const struct flag_spec add_specs[] = {
		{ "chown", FLAG_STRING, &out->chown },
		{ "chmod", FLAG_STRING, &out->chmod },
		{ "link", FLAG_SWITCH, &link },
		{ "exclude", FLAG_LIST, excludes },
		{ "checksum", FLAG_STRING, &out->checksum },
		{ "keep-git-dir", FLAG_SWITCH, &out->keep_git_dir },
		{ "unpack", FLAG_SWITCH, &out->unpack },
		{ .name = NULL },
	};

	if (parse_flags(p, p->st->kind == INSTRUCTION_COPY ? copy_specs : add_specs) < 0)
		return -1;
	for (size_t i = 0; i < excludes->count; i++)
		strlist_add(&out->excludes, excludes->items[i].text);
	out->is_link = link == TRISTATE_TRUE;
	out->keeps_parents = parents == TRISTATE_TRUE;
	return 0;
}

static int check_flags(struct parse *p, const struct copy_instruction *copy)
{
	if (copy->from && strchr(copy->from, '$')) {
		parse_error(p, p->st->flags.items[0].offset,
			    "variables are not expanded in '--from'");
		return source_hint(p->err, "give it a name: FROM %s AS NAME", copy->from);
	}
	if (copy->checksum && copy->source_count != 1)
		return parse_error(p, p->st->flags.items[0].offset,
				   "flag '--checksum' is for one source only");
	return 0;
}

/* Is the word one of the instruction's heredocs? */
static int is_heredoc(struct parse *p, const struct word *word, bool *out)
{
	struct heredoc found = { .name = NULL };

	*out = false;
	if (p->st->is_json)
		return 0;
	if (heredoc_parse_word(word->text, &found, out, p->err) < 0)
		return parse_locate(p, word->offset);
	heredoc_release(&found);
	return 0;
}

/* A heredoc becomes a file of its name: that must be one. */
static int check_name(struct parse *p, const struct word *word, const struct heredoc *heredoc)
{
	if (strchr(heredoc->name, '/') || strcmp(heredoc->name, ".") == 0 ||
	    strcmp(heredoc->name, "..") == 0)
		return parse_error(p, word->offset, "the heredoc's name '%s' cannot be a file's",
				   heredoc->name);
	return 0;
}

static int read_sources(struct parse *p, struct copy_instruction *out)
{
	const struct words *args = &p->st->args;
	size_t next = 0;
	bool is_one;

	out->sources = mem_array(args->count, sizeof(*out->sources));
	for (size_t i = 0; i + 1 < args->count; i++) {
		struct copy_source *source = &out->sources[i];

		if (is_heredoc(p, &args->items[i], &is_one) < 0)
			return -1;
		if (is_one && next < out->heredoc_count) {
			source->heredoc = &out->heredocs[next++];
			if (check_name(p, &args->items[i], source->heredoc) < 0)
				return -1;
		} else {
			source->path = str_dup(args->items[i].text);
		}
		out->source_count++;
	}
	if (is_heredoc(p, &args->items[args->count - 1], &is_one) < 0)
		return -1;
	if (is_one)
		return parse_error(p, args->items[args->count - 1].offset,
				   "a heredoc cannot be the destination");
	if (next != out->heredoc_count) {
		parse_error(p, args->items[0].offset, "the heredoc '%s' is not written as one word",
			    out->heredocs[next].name);
		return source_hint(p->err, "no blanks behind '<<' or in the name");
	}
	out->dest = str_dup(args->items[args->count - 1].text);
	return 0;
}

int parse_copy(struct parse *p, struct copy_instruction *out)
{
	struct words excludes = { NULL, 0 };
	int r = read_flags(p, out, &excludes);

	free(excludes.items);
	if (r < 0)
		return -1;
	if (p->st->args.count < 2) {
		parse_error(p, p->st->keyword.offset, "needs a source and a destination");
		return p->st->args.count == 0
			       ? -1
			       : source_hint(p->err, "is '%s' the source or the destination?",
					     p->st->args.items[0].text);
	}
	out->heredocs = p->st->heredocs;
	out->heredoc_count = p->st->heredoc_count;
	p->st->heredocs = NULL;
	p->st->heredoc_count = 0;
	if (read_sources(p, out) < 0)
		return -1;
	return check_flags(p, out);
}
