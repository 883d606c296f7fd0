/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_STEP_COMMAND_H
#define BUILDER_STEP_COMMAND_H

#include "builder/step.h"
#include "sandbox/description.h"

/* The command of a RUN step, described. */
struct step_command {
	struct stage_run *run;
	const struct step *step;
	unsigned progress_id;
	const struct sandbox_description *description;
};

/*
 * Run it to its end, by our sandbox or by the runtime that the request names; what it writes is
 * shown. ERR_STEP, at its place in the Buildfile, when it fails.
 */
int step_command_run(const struct step_command *command, struct err *err);

#endif
