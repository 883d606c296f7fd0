/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for archives of OCI layouts: a layout that is made in the store's tmp/, and its tar. */
#include "registry/oci-archive.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "common/mem.h"
#include "common/tmpfile.h"
#include "layers/diff.h"
#include "layers/pack.h"
#include "registry/archive-file.h"
#include "registry/oci-layout.h"

/* Who made the layout, and when, is not of the image; its directory has no entry. */
static int pack_entry_plain(void *pack, const struct entry *entry, int content_fd, struct err *err)
{
	struct entry plain = *entry;

	if (entry->path[0] == '\0')
		return 0;
	plain.uid = 0;
	plain.gid = 0;
	plain.mtime = (struct timespec){ .tv_sec = 0 };
	plain.mode = entry->type == ENTRY_DIRECTORY ? 0755 : 0644;
	plain.xattrs = (struct xattrs){ .items = NULL };
	return pack_entry(pack, &plain, content_fd, err);
}

static int write_tar(void *context, struct sink *sink, struct err *err)
{
	const struct diff_options options = DIFF_OPTIONS_INIT;
	auto_pack struct pack *pack = pack_new(sink);

	if (diff_whole_tree(*(const int *)context, &options, pack_entry_plain, pack, err) < 0)
		return -1;
	return pack_finish(pack, err);
}

int oci_archive_write(const char *rest, struct push_job *job, struct err *err)
{
	auto_tmpdir struct tmpdir tmp = TMPDIR_INIT;
	auto_free char *path = NULL;
	auto_free char *tag = NULL;
	auto_free char *layout = NULL;
	auto_close int fd = -1;

	if (transport_split_path(rest, OCI_ARCHIVE_FORM, &path, &tag, err) < 0 ||
	    tmpdir_make(&tmp, store_tmp_fd(job->store), err) < 0)
		return -1;
	layout = str_format("%s/tmp/%s/layout", store_root_path(job->store), tmp.name);
	if (mkdirat(tmp.fd, "layout", 0700) < 0)
		return err_sys(err, "make directory '%s'", layout);
	fd = openat(tmp.fd, "layout", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open directory '%s'", layout);
	if (oci_layout_write_at(layout, tag, job, err) < 0)
		return -1;
	return archive_file_write(path, write_tar, &fd, &job->out_used_stdout, err);
}
