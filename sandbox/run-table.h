/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_RUN_TABLE_H
#define SANDBOX_RUN_TABLE_H

#include "sandbox/run-options.h"

/* Texts that are looked at after the table. */
struct run_texts {
	struct run_setting_texts settings;
	struct security_texts security;
	struct strlist env;
	struct strlist env_files;
	struct strlist labels;
	struct strlist label_files;
	struct strlist volumes;
	struct strlist tmpfs;
	struct strlist mounts;
	struct strlist sysctls;
	struct strlist args;
	const char *network;
	const char *stop_signal;
	const char *stop_timeout;
	const char *time_offset;
	const char *detach_keys;
};
#define auto_run_texts __attribute__((cleanup(run_texts_release)))
void run_texts_release(struct run_texts *texts);

/* What argv says goes into @run as it is, and into @texts. As cmdline_parse: run->is_done. */
int run_table_parse(int argc, char **argv, struct run_options *run, struct run_texts *texts,
		    struct err *err);

#endif
