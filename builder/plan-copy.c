/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what COPY and ADD ask for: the sources, where they come from, and
 * the destination. Refuses by name the variants that no step knows how to do.
 */
#include <ctype.h>
#include <string.h>

#include "builder/expand.h"
#include "builder/history.h"
#include "builder/plan-internal.h"
#include "common/mem.h"

/* A source that is not a file here. */
static int plan_remote(const struct planner *planner, const struct origin *origin,
		       const struct instruction *instruction, const struct plan_copy *copy,
		       struct plan_source *source, struct err *err)
{
	if (!copy->is_add) {
		err_set(err, ERR_INPUT, "COPY takes files, not URLs");
		source_hint(err, "ADD takes a URL or a git repository");
		return ast_locate(err, origin->ast, instruction);
	}
	source->remote = remote_parse(source->path, err);
	if (!source->remote || policy_remote(planner->input->policy, source->remote, err) < 0)
		return ast_locate(err, origin->ast, instruction);
	free(source->path);
	source->path = str_dup(source->remote->shown);
	return 0;
}

/* --checksum: of a URL's content, or the commit of a repository. */
static int plan_checksum(const char *text, struct plan_copy *copy, struct err *err)
{
	struct remote *remote = copy->source_count > 0 ? copy->sources[0].remote : NULL;

	if (!remote)
		return err_set(err, ERR_INPUT,
			       "--checksum is for a URL or a git repository, and '%s' is none",
			       copy->source_count > 0 ? copy->sources[0].path : "a heredoc");
	if (remote->kind == REMOTE_GIT)
		return remote_set_commit(remote, text, err);
	copy->has_checksum = true;
	if (digest_parse(text, &copy->checksum, err) < 0)
		return err_prefix(err, "--checksum");
	if (remote->has_checksum && !digest_equal(&remote->checksum, &copy->checksum))
		return err_set(err, ERR_INPUT,
			       "the source policy demands another --checksum of '%s'",
			       remote->shown);
	return 0;
}

static int plan_git_dir(enum tristate keeps, struct plan_copy *copy, struct err *err)
{
	bool has_git = false;

	for (size_t i = 0; i < copy->source_count; i++) {
		struct remote *remote = copy->sources[i].remote;

		if (!remote || remote->kind != REMOTE_GIT)
			continue;
		has_git = true;
		if (remote->keeps_git_dir != TRISTATE_UNSET && remote->keeps_git_dir != keeps)
			return err_set(err, ERR_INPUT, "'%s' says the opposite of --keep-git-dir",
				       remote->shown);
		remote->keeps_git_dir = keeps;
	}
	if (!has_git)
		return err_set(err, ERR_INPUT,
			       "--keep-git-dir is for git repositories, and there is none");
	return 0;
}

/* The value of a flag; NULL when it is not given, or comes out empty, which is the same. */
static int expand_flag(struct plan_stage *stage, const struct origin *origin,
		       const struct instruction *instruction, const char *word, char **out,
		       struct err *err)
{
	auto_free char *text = NULL;

	if (!word)
		return 0;
	if (plan_expand(stage, origin, instruction, word, &text, err) < 0)
		return -1;
	if (text[0])
		*out = ptr_steal(&text);
	return 0;
}

/* What ADD alone has. */
static int plan_add(struct plan_stage *stage, const struct origin *origin,
		    const struct instruction *instruction, struct plan_copy *copy, struct err *err)
{
	const struct copy_instruction *from = &instruction->copy;
	auto_free char *checksum = NULL;

	copy->unpacks_urls = from->unpack == TRISTATE_TRUE;
	if (expand_flag(stage, origin, instruction, from->checksum, &checksum, err) < 0)
		return -1;
	if (checksum && plan_checksum(checksum, copy, err) < 0)
		return ast_locate(err, origin->ast, instruction);
	if (from->keep_git_dir != TRISTATE_UNSET && plan_git_dir(from->keep_git_dir, copy, err) < 0)
		return ast_locate(err, origin->ast, instruction);
	return 0;
}

static int plan_from_image(struct planner *planner, const char *name, const char *from,
			   const char *what, size_t *out_index, struct err *err)
{
	const struct image_config *image;

	if (planner->input->get_image(planner->input->context, name, planner->target, &image,
				      out_index, err) == 0)
		return 0;
	return err_prefix(err, "%s=%s", what, from);
}

int plan_from(struct planner *planner, const struct origin *origin, const char *from,
	      const char *what, enum copy_from *out_kind, size_t *out_index, struct err *err)
{
	const struct named_context *named = named_find(planner->input->named, from);
	char *end;
	unsigned long index = strtoul(from, &end, 10);
	int number = ast_find_stage(planner->ast, from, origin->stage);

	*out_kind = COPY_FROM_IMAGE;
	if (named && named->kind == NAMED_IMAGE)
		return plan_from_image(planner, named->image, from, what, out_index, err);
	if (named) {
		*out_kind = COPY_FROM_CONTEXT;
		*out_index = (size_t)(named - planner->input->named->items) + 1;
		return 0;
	}
	if (number < 0 && isdigit((unsigned char)from[0]) && *end == '\0') {
		if (index >= origin->stage)
			return err_set(err, ERR_INPUT,
				       "%s=%s: there is no such stage before this one", what, from);
		number = (int)index;
	}
	if (number >= 0) {
		*out_kind = COPY_FROM_STAGE;
		return plan_stage(planner, (size_t)number, out_index, err);
	}
	if (ast_find_stage(planner->ast, from, planner->ast->stage_count) >= 0)
		return err_set(err, ERR_INPUT, "%s=%s: that stage must stand before this one", what,
			       from);
	return plan_from_image(planner, from, from, what, out_index, err);
}

static int plan_copy_from(struct planner *planner, const struct origin *origin,
			  const struct instruction *instruction, struct plan_copy *copy,
			  struct err *err)
{
	/* an error in the stage itself has its own place */
	auto_free char *place = str_format("%s:", planner->ast->source.name);

	if (plan_from(planner, origin, instruction->copy.from, "--from", &copy->from,
		      &copy->from_index, err) == 0)
		return 0;
	return strncmp(err->text, place, strlen(place)) == 0
		       ? -1
		       : ast_locate(err, origin->ast, instruction);
}

static int plan_sources(const struct planner *planner, struct plan_stage *stage,
			const struct origin *origin, const struct instruction *instruction,
			struct plan_copy *copy, struct strbuf *text, struct err *err)
{
	const struct copy_instruction *from = &instruction->copy;

	copy->sources = mem_array(from->source_count, sizeof(*copy->sources));
	for (size_t i = 0; i < from->source_count; i++) {
		struct plan_source *source = &copy->sources[copy->source_count];
		const struct heredoc *heredoc = from->sources[i].heredoc;

		if (heredoc)
			continue;
		if (plan_expand(stage, origin, instruction, from->sources[i].path, &source->path,
				err) < 0)
			return -1;
		source->word = from->sources[i].path;
		copy->source_count++;
		if (source->path[0] == '\0') {
			err_set(err, ERR_INPUT, "the source '%s' comes out empty", source->word);
			return ast_locate(err, origin->ast, instruction);
		}
		if (!from->from && remote_is(source->path) &&
		    plan_remote(planner, origin, instruction, copy, source, err) < 0)
			return -1;
		strbuf_printf(text, " %s", source->path);
	}
	return 0;
}

/* Texts in the Buildfile come after the files. */
static int plan_texts(struct plan_stage *stage, const struct origin *origin,
		      const struct instruction *instruction, struct plan_copy *copy,
		      struct strbuf *text, struct err *err)
{
	const struct copy_instruction *from = &instruction->copy;
	struct expand_scope scope = { .env = &stage->env };

	for (size_t i = 0; i < from->source_count; i++) {
		struct plan_source *source = &copy->sources[copy->source_count];
		const struct heredoc *heredoc = from->sources[i].heredoc;
		auto_free char *body = NULL;

		if (!heredoc)
			continue;
		body = heredoc_text(heredoc);
		if (!heredoc->should_expand)
			source->text = ptr_steal(&body);
		else if (expand_word(body, &scope, '\\', EXPAND_HEREDOC, &source->text, err) < 0)
			return source_locate(err, &origin->ast->source, heredoc->at,
					     instruction_name(instruction->kind));
		source->path = str_dup(heredoc->name);
		copy->source_count++;
		strbuf_printf(text, " <<%s", heredoc->name);
	}
	return 0;
}

static bool says_directory(const char *dest)
{
	size_t len = strlen(dest);
	const char *last = strrchr(dest, '/');

	if (len == 0 || dest[len - 1] == '/')
		return true;
	last = last ? last + 1 : dest;
	return strcmp(last, ".") == 0 || strcmp(last, "..") == 0;
}

static int plan_dest(struct plan_stage *stage, const struct origin *origin,
		     const struct instruction *instruction, struct plan_copy *copy,
		     struct strbuf *text, struct err *err)
{
	const char *cwd = stage->image.config.working_dir;
	auto_free char *dest = NULL;

	if (plan_expand(stage, origin, instruction, instruction->copy.dest, &dest, err) < 0)
		return -1;
	copy->dest = plan_path(cwd ? cwd : "/", dest);
	copy->dest_is_dir =
		says_directory(dest) || strcmp(copy->dest, "/") == 0 || copy->keeps_parents;
	strbuf_printf(text, " %s" HISTORY_LAYER_SUFFIX, dest);
	if (copy->source_count > 1 && !copy->dest_is_dir) {
		err_set(err, ERR_INPUT,
			"several sources, but the destination '%s' is not said to "
			"be a directory",
			dest);
		source_hint(err, "end it with a slash: '%s/'", dest);
		return ast_locate(err, origin->ast, instruction);
	}
	return 0;
}

static int plan_owner(struct plan_stage *stage, const struct origin *origin,
		      const struct instruction *instruction, struct plan_copy *copy,
		      struct strbuf *text, struct err *err)
{
	const struct copy_instruction *from = &instruction->copy;

	if (expand_flag(stage, origin, instruction, from->chown, &copy->chown, err) < 0 ||
	    expand_flag(stage, origin, instruction, from->chmod, &copy->chmod_text, err) < 0)
		return -1;
	if (copy->chown)
		strbuf_printf(text, " --chown=%s", copy->chown);
	if (!copy->chmod_text)
		return 0;
	if (chmod_parse(copy->chmod_text, &copy->chmod, err) < 0)
		return ast_locate(err, origin->ast, instruction);
	strbuf_printf(text, " --chmod=%s", copy->chmod_text);
	return 0;
}

/* Flags that are not expanded; --parents is all that the history tells of them. */
static int plan_flags(const struct origin *origin, const struct instruction *instruction,
		      struct plan_copy *copy, struct strbuf *text, struct err *err)
{
	const struct copy_instruction *from = &instruction->copy;

	copy->is_link = from->is_link;
	copy->never_unpack = from->unpack == TRISTATE_FALSE;
	copy->keeps_parents = from->keeps_parents;
	if (copy->keeps_parents)
		strbuf_puts(text, " --parents");
	copy->exclude_texts = &from->excludes;
	for (size_t i = 0; i < from->excludes.count; i++) {
		if (ignore_add(&copy->exclude, from->excludes.items[i], err) == 0)
			continue;
		err_prefix(err, "--exclude=%s", from->excludes.items[i]);
		return ast_locate(err, origin->ast, instruction);
	}
	return 0;
}

int plan_copy(struct planner *planner, struct plan_stage *stage, const struct origin *origin,
	      const struct instruction *instruction, struct err *err)
{
	auto_strbuf struct strbuf text = STRBUF_INIT;
	struct plan_copy *copy;
	struct step *step;

	step = plan_add_step(stage, STEP_COPY, origin, instruction);
	copy = &step->copy;
	copy->is_add = instruction->kind == INSTRUCTION_ADD;
	if (instruction->copy.from && plan_copy_from(planner, origin, instruction, copy, err) < 0)
		return -1;
	strbuf_puts(&text, instruction_name(instruction->kind));
	if (plan_flags(origin, instruction, copy, &text, err) < 0 ||
	    plan_owner(stage, origin, instruction, copy, &text, err) < 0 ||
	    plan_sources(planner, stage, origin, instruction, copy, &text, err) < 0 ||
	    plan_add(stage, origin, instruction, copy, err) < 0 ||
	    plan_texts(stage, origin, instruction, copy, &text, err) < 0 ||
	    plan_dest(stage, origin, instruction, copy, &text, err) < 0)
		return -1;
	step->created_by = strbuf_steal(&text);
	return 0;
}
