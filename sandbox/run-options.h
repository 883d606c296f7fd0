/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_RUN_OPTIONS_H
#define SANDBOX_RUN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/strlist.h"
#include "sandbox/detach-keys.h"
#include "sandbox/initlayer.h"
#include "sandbox/namespaces.h"
#include "sandbox/own-ids.h"
#include "sandbox/run-settings.h"
#include "sandbox/security.h"

/* What imgrun is asked for. Texts are argv's; lists and the rest are its own. */
struct run_options {
	const char *image;
	const char *platform;   /* as given, or NULL */
	const char *name;       /* of the container; NULL: made up */
	const char *entrypoint; /* NULL: the image's; "": none */
	const char *user;       /* NULL: the image's */
	const char *workdir;    /* NULL: the image's */
	const char *hostname; /* NULL: the host's own, or for a network of its own the ID's begin */
	enum sandbox_network network;
	const char *network_helper; /* what leads out of a private one; NULL: what is installed */
	struct namespaces namespaces;
	struct own_ids ids;
	struct strlist command; /* empty: the image's, unless entrypoint is given */
	struct strlist env;     /* "K=V", the later one wins */
	struct strlist labels;
	struct strlist ports;   /* as given */
	struct strlist volumes_from; /* containers, as given */
	struct strlist sysctls; /* as sysctl_parse has them */
	struct run_settings settings;
	struct security security;
	const char *commit_name; /* its changes become an image of this name */
	const char *cid_file;
	const char *runtime; /* an OCI runtime in our place; NULL: we run it */
	const char *bundle;  /* make an OCI bundle there, run nothing; NULL: run it */
	const char *pull;    /* as image-pull.h has it */
	const char *authfile;
	const char *tls_verify;
	int stop_signal; /* 0: the image's */
	int64_t stop_timeout_s;
	int64_t time_offset_s;
	bool has_time_offset;
	bool publishes_all; /* that the image exposes */
	bool has_init;
	bool shows_limits; /* in its /proc */
	bool is_detached;
	bool remove_after;
	bool read_only;
	bool interactive; /* stdin goes to the container; else it reads nothing */
	bool terminal;
	struct detach_keys detach_keys;
	bool print_description; /* instead of running */
	/* of the command, not of the container */
	const char *root;
	const char *storage_driver;
	const char *isolation;
	bool is_done; /* --help and the like were answered */
};
#define RUN_OPTIONS_INIT                                                           \
	{                                                                          \
		.image = NULL, .namespaces = NAMESPACES_INIT, .ids = OWN_IDS_INIT, \
		.stop_timeout_s = STOP_TIMEOUT_DEFAULT_S                           \
	}
#define STOP_TIMEOUT_DEFAULT_S 10
void run_options_release(struct run_options *options);

/* ERR_USAGE, and what files say. */
int run_options_parse(int argc, char **argv, struct run_options *out, struct err *err);

#endif
