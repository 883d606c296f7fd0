/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_INITLAYER_H
#define SANDBOX_INITLAYER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/strbuf.h"
#include "common/strlist.h"
#include "layers/entry.h"

/*
 * The init layer: one more lower, above the image and below the upper, never
 * committed. It holds /etc/hosts, /etc/resolv.conf, /etc/hostname and the mount
 * points that the image lacks. Names are resolved in the merged image as
 * chroot(2) would: an image whose /etc is a link to usr/etc gets usr/etc/hosts;
 * a link at one of the three paths is replaced by the file. Its directories
 * have the very mode, owner, times and xattrs of the image's; those that the
 * image lacks are 0755 0:0.
 */
struct initlayer_point {
	const char *path; /* absolute, in the image */
	bool is_file;     /* an empty file instead of a directory */
};

struct initlayer_options {
	int view_fd; /* merged view of the image's layers (storage/mount.h), or -1 for none */
	int dir_fd;  /* an empty directory to fill */
	enum overlay_ns ns;
	const char *hosts; /* contents; NULL: not made */
	const char *resolv_conf;
	const char *hostname;
	/* Beyond /proc, /sys and /dev, which are always there, and must be no links. */
	const struct initlayer_point *points;
	size_t point_count;
};

/*
 * *out_drop_files (may be NULL): where the three files lie, relative
 * ("etc/hosts"): diff_options.drop_files. ERR_INPUT when the image has something
 * in the way.
 */
int initlayer_make(const struct initlayer_options *options, struct strlist *out_drop_files,
		   struct err *err);

enum sandbox_network {
	SANDBOX_NETWORK_HOST,
	SANDBOX_NETWORK_NONE,
	SANDBOX_NETWORK_PRIVATE, /* with a way out (network.h) */
};
/* "host", "none", "private" or what leads out of it, "default" (= host); others ERR_USAGE naming what is supported. */
int sandbox_network_parse(const char *text, enum sandbox_network *out, struct err *err);

/*
 * The texts, appended. hosts: as docker writes it, @hostname (may be NULL) at
 * 127.0.0.1, then @add_hosts (may be NULL); the host's own entries are not
 * copied. resolv.conf: the host's own for the host's network (a stub server on
 * its loopback is in reach there), empty for none; what @dns (may be NULL)
 * says goes before all that it says of that kind.
 *
 *   add_host = NAME { ";" NAME } ( ":" | "=" ) ( ADDRESS | "[" ADDRESS "]" | "host-gateway" )
 *
 * "host-gateway" is the host: 127.0.0.1, since the network is its own; for a private
 * one the address that others have of it; with none the line is left out.
 */
struct initlayer_dns {
	struct strlist servers;
	struct strlist searches; /* "." alone: none */
	struct strlist options;
};
int initlayer_hosts_text(const char *hostname, const struct strlist *add_hosts,
			 enum sandbox_network network, struct strbuf *out, struct err *err);
int initlayer_resolv_text(enum sandbox_network network, const struct initlayer_dns *dns,
			  struct strbuf *out, struct err *err);

/* ERR_USAGE when one is not written so, or wants the gateway of no network. */
int initlayer_hosts_check(const struct strlist *add_hosts, enum sandbox_network network,
			  struct err *err);
int initlayer_dns_check(const struct initlayer_dns *dns, struct err *err);
/* The names of each, with blanks between: what steps can depend on. */
int initlayer_host_names(const struct strlist *add_hosts, struct strlist *out, struct err *err);

#endif
