/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUSE_OVERLAY_OPS_INTERNAL_H
#define FUSE_OVERLAY_OPS_INTERNAL_H

#include "fuse-overlay/ops.h"

/* Between the files that make up the table of operations. */
struct overlay *overlay_of(fuse_req_t req);
struct node *node_of(fuse_req_t req, fuse_ino_t ino);
struct caller caller_of(fuse_req_t req);
double timeout_of(fuse_req_t req);
void fill_entry(fuse_req_t req, const struct entry_reply *reply, struct fuse_entry_param *out);
void reply_entry(fuse_req_t req, int r, const struct entry_reply *reply);
void reply_done(fuse_req_t req, int r);

/* ops-dir.c */
void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file);
void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		struct fuse_file_info *file);
void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *file);
void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *file);

/* ops-file.c */
void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file);
void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	     struct fuse_file_info *file);
void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file);

#endif
