/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUSE_OVERLAY_OPS_INTERNAL_H
#define FUSE_OVERLAY_OPS_INTERNAL_H

#include "fuse-overlay/ops.h"

/* Between the files that make up the table of operations. */
/* A request is gone with its reply: what is needed after that is asked for before. */
struct ops_context *context_of(fuse_req_t req);
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
struct handle *handle_of(const struct fuse_file_info *file);
void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *file);
void op_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *in, off_t offset,
		  struct fuse_file_info *file);
void op_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *file);
void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
		  struct fuse_file_info *file);
void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence,
	      struct fuse_file_info *file);
void op_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t from, struct fuse_file_info *in,
			fuse_ino_t ino_out, off_t to, struct fuse_file_info *out, size_t length,
			int flags);

/* ops-backing.c */
struct handle;
/* How the kernel is to treat an open file: 0, through us, or the id of the file it uses itself. */
int backing_choose(struct ops_context *context, struct handle *handle);
void backing_release(struct ops_context *context, struct handle *handle);

/* ops-change.c */
void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name);
void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
	       const char *new_name, unsigned int flags);
void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		struct fuse_file_info *file);
void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
		 int flags);
void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);
void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int command, void *arg,
	      struct fuse_file_info *file, unsigned int flags, const void *in, size_t in_size,
	      size_t out_size);

#endif
