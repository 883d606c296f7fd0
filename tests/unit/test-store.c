/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store without mounts: opening, blobs, layers, leases, the step cache, and
 * what another boot or a killed process leaves. Works as root or as any user.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "layers/pack.h"
#include "layers/stream.h"
#include "storage/blob.h"
#include "storage/container.h"
#include "storage/layer.h"
#include "storage/lease-internal.h"
#include "storage/stepcache.h"
#include "tests/unit/store-scratch.h"

/* A layer of one file, published with the digest of @text as its diff ID. */
static void make_layer(struct store *store, const char *text, const struct digest *parent,
		       bool implicit, struct layer *out)
{
	auto_layer_draft struct layer_draft draft = LAYER_DRAFT_INIT;
	struct layer_facts facts = { .content_bytes = strlen(text), .entries = 1 };
	struct err err = ERR_INIT;
	struct digest diff_id;

	digest_of(text, strlen(text), &diff_id);
	facts.diff_id = &diff_id;
	facts.parent_chain = parent;
	facts.implicit_parents = implicit;
	assert_ok(layer_draft_open(store, &draft, &err));
	make_file(draft.fs_fd, "f", text);
	assert_ok(layer_draft_commit(store, &draft, &facts, out, &err));
	assert_true(digest_equal(&out->diff_id, &diff_id));
}

static bool has_layer(struct store *store, const struct digest *parent,
		      const struct digest *diff_id)
{
	struct err err = ERR_INIT;
	struct layer layer;
	bool found = false;

	assert_ok(layer_find(store, parent, diff_id, &found, &layer, &err));
	return found;
}

static bool has_blob(struct store *store, const struct digest *digest)
{
	struct err err = ERR_INIT;
	bool found = false;

	assert_ok(blob_find(store, digest, &found, NULL, &err));
	return found;
}

/* The names in a directory of the store. */
static size_t count_names(const char *name)
{
	auto_free char *command = str_format("ls -A %s/%s | wc -l", root, name);
	FILE *pipe = popen(command, "re");
	size_t count = 9999;

	assert_non_null(pipe);
	assert_int_equal(fscanf(pipe, "%zu", &count), 1);
	pclose(pipe);
	return count;
}

/* ---- opening --------------------------------------------------------------- */

static void test_open_is_private_whatever_the_umask(void **state)
{
	static const char *const names[] = { "",     "/blobs", "/blobs/sha256", "/layers",
					     "/tmp", "/cache", "/containers" };
	mode_t old = umask(0);
	struct stat st;

	assert_int_equal(chmod(root, 0755), 0);
	store_close(open_store());
	umask(0777);
	store_close(open_store());
	umask(old);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		auto_free char *path = str_format("%s%s", root, names[i]);

		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0700);
	}
}

static void test_open_refuses_a_strange_directory(void **state)
{
	auto_free char *path = str_format("%s/precious", root);
	struct store *store = NULL;
	struct err err = ERR_INIT;
	struct stat st;

	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(chmod(root, 0755), 0);
	assert_int_equal(store_open(root, &store, &err), -1);
	assert_error(&err, ERR_INPUT, "is not a store: it holds 'precious'");
	assert_int_equal(stat(root, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
}

static void test_open_refuses_a_newer_store(void **state)
{
	struct store *store = NULL;
	struct err err = ERR_INIT;

	store_close(open_store());
	sql("PRAGMA user_version=99");
	assert_int_equal(store_open(root, &store, &err), -1);
	assert_error(&err, ERR_INPUT, "made by a newer version (its form is 99");
}

static void test_open_refuses_the_other_kind_of_namespace(void **state)
{
	struct store *store = NULL;
	struct err err = ERR_INIT;

	store_close(open_store());
	sql("UPDATE meta SET overlay_ns=1-overlay_ns");
	assert_int_equal(store_open(root, &store, &err), -1);
	assert_error(&err, ERR_INPUT, "a user namespace and cannot be used");
}

static void test_open_says_that_the_database_is_damaged(void **state)
{
	auto_free char *path = str_format("%s/store.db", root);
	struct store *store = NULL;
	struct err err = ERR_INIT;

	make_file(AT_FDCWD, path, "this is no database, but it is long enough to look at it");
	assert_int_equal(store_open(root, &store, &err), -1);
	assert_error(&err, ERR_INPUT, "store.db is damaged");
}

/* Eight processes make one store at the same moment. */
static void test_open_by_many_at_once(void **state)
{
	pid_t pids[8];
	int status;

	for (size_t i = 0; i < 8; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0) {
			struct store *store = NULL;
			struct digest digest;
			struct err err = ERR_INIT;

			if (store_open(root, &store, &err) < 0 ||
			    blob_put(store, &i, sizeof(i), &digest, &err) < 0) {
				fprintf(stderr, "# %s\n", err.text);
				_exit(1);
			}
			store_close(store);
			_exit(0);
		}
	}
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(count_names("blobs/sha256"), 8);
}

/* ---- blobs and layers ------------------------------------------------------ */

static void test_blob_comes_back(void **state)
{
	auto_store struct store *store = open_store();
	auto_strbuf struct strbuf out = STRBUF_INIT;
	struct err err = ERR_INIT;
	struct digest digest;
	struct digest again;
	uint64_t size = 0;
	bool found = false;

	assert_ok(blob_put(store, "hello", 5, &digest, &err));
	assert_ok(blob_put(store, "hello", 5, &again, &err));
	assert_true(digest_equal(&digest, &again));
	assert_ok(blob_find(store, &digest, &found, &size, &err));
	assert_true(found);
	assert_int_equal(size, 5);
	assert_ok(blob_load(store, &digest, 5, &out, &err));
	assert_string_equal(out.data, "hello");
	assert_int_equal(blob_load(store, &digest, 4, &out, &err), -1);
	assert_int_equal(err.kind, ERR_INPUT);
}

static void test_blob_that_changed_on_disk_is_refused(void **state)
{
	auto_store struct store *store = open_store();
	auto_strbuf struct strbuf out = STRBUF_INIT;
	char hex[DIGEST_HEX_MAX];
	struct err err = ERR_INIT;
	struct digest digest;

	assert_ok(blob_put(store, "hello", 5, &digest, &err));
	make_file(store->blobs_fd, digest_hex(&digest, hex), "jello");
	assert_int_equal(blob_load(store, &digest, 100, &out, &err), -1);
	assert_error(&err, ERR_INPUT, "other content than its name says");
	assert_int_equal(out.len, 0);
	assert_int_equal(unlinkat(store->blobs_fd, hex, 0), 0);
	assert_int_equal(blob_load(store, &digest, 100, &out, &err), -1);
	assert_error(&err, ERR_INPUT, "has no file");
	digest_of("other", 5, &digest);
	assert_int_equal(blob_load(store, &digest, 100, &out, &err), -1);
	assert_error(&err, ERR_INPUT, "is not in the store");
}

static void test_blob_not_committed_is_gone(void **state)
{
	struct store *store = open_store();
	struct err err = ERR_INIT;

	{
		auto_blob_writer struct blob_writer writer = BLOB_WRITER_INIT;

		assert_ok(blob_writer_open(store, &writer, &err));
		assert_ok(fd_write_all(writer.tmp.fd, "x", 1, "x", &err));
	}
	store_close(store);
	assert_int_equal(count_names("blobs/sha256"), 0);
}

static void test_layer_is_published_once(void **state)
{
	struct store *store = open_store();
	struct layer first;
	struct layer second;
	struct err err = ERR_INIT;
	struct stat st;
	int fd;

	make_layer(store, "one", NULL, false, &first);
	make_layer(store, "one", NULL, false, &second);
	assert_true(digest_equal(&first.id, &second.id));
	assert_true(digest_equal(&first.id, &first.diff_id));
	assert_int_equal(first.content_bytes, 3);
	fd = layer_open(store, &first, &err);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(faccessat(fd, "f", F_OK, 0), 0);
	close(fd);
	store_close(store);
	assert_int_equal(count_names("layers"), 1);
	assert_int_equal(count_names("tmp"), 0);
}

static void test_layer_with_implicit_parents_belongs_to_its_chain(void **state)
{
	auto_store struct store *store = open_store();
	struct layer base;
	struct layer other;
	struct layer top;
	struct layer lowest;
	struct digest diff_id;

	make_layer(store, "base", NULL, false, &base);
	make_layer(store, "other", NULL, false, &other);
	make_layer(store, "top", &base.diff_id, true, &top);
	digest_of("top", 3, &diff_id);
	assert_false(digest_equal(&top.id, &diff_id));
	assert_true(has_layer(store, &base.diff_id, &diff_id));
	assert_false(has_layer(store, &other.diff_id, &diff_id));
	assert_false(has_layer(store, NULL, &diff_id));
	make_layer(store, "top", NULL, true, &lowest);
	assert_true(digest_equal(&lowest.id, &diff_id));
	assert_true(has_layer(store, NULL, &diff_id));
	assert_false(has_layer(store, &other.diff_id, &diff_id));
	assert_true(has_layer(store, &base.diff_id, &diff_id));
}

static void test_layer_does_not_adopt_rubbish(void **state)
{
	auto_store struct store *store = open_store();
	char hex[DIGEST_HEX_MAX];
	char path[128];
	struct layer layer;
	struct digest diff_id;
	struct stat st;

	digest_of("one", 3, &diff_id);
	assert_int_equal(mkdirat(store->layers_fd, digest_hex(&diff_id, hex), 0700), 0);
	snprintf(path, sizeof(path), "%s/old", hex);
	make_file(store->layers_fd, path, "half-made");
	assert_false(has_layer(store, NULL, &diff_id));
	make_layer(store, "one", NULL, false, &layer);
	assert_int_equal(fstatat(store->layers_fd, path, &st, 0), -1);
	snprintf(path, sizeof(path), "%s/fs/f", hex);
	assert_int_equal(fstatat(store->layers_fd, path, &st, 0), 0);
}

static void test_layer_tar_is_checked(void **state)
{
	auto_store struct store *store = open_store();
	auto_layer_draft struct layer_draft draft = LAYER_DRAFT_INIT;
	auto_strbuf struct strbuf tar = STRBUF_INIT;
	auto_sink struct sink *sink = sink_to_strbuf(&tar);
	struct diff_options options = DIFF_OPTIONS_INIT;
	struct layer_facts facts = { .is_ours = true };
	struct layer_blob blob;
	struct pack_result packed;
	struct layer layer;
	struct digest got;
	struct err err = ERR_INIT;
	int fd;

	options.ns = store->ns;
	options.settle = true;
	assert_ok(layer_draft_open(store, &draft, &err));
	make_file(draft.fs_fd, "f", "content");
	assert_ok(pack_upper(-1, draft.fs_fd, &options, &packed, &err));
	facts.diff_id = &packed.diff_id;
	facts.tar_bytes = packed.tar_bytes;
	assert_ok(layer_draft_commit(store, &draft, &facts, &layer, &err));

	assert_ok(layer_write_tar(store, &layer, sink, &err));
	assert_ok(sink_finish(sink, &err));
	digest_of(tar.data, tar.len, &got);
	assert_true(digest_equal(&got, &layer.diff_id));
	assert_int_equal(tar.len, layer.tar_bytes);
	assert_ok(layer_blob_make(store, &layer, CODEC_GZIP, CODEC_LEVEL_DEFAULT, &blob, &err));
	assert_true(has_blob(store, &blob.digest));

	fd = layer_open(store, &layer, &err);
	make_file(fd, "g", "slipped in");
	close(fd);
	assert_int_equal(layer_write_tar(store, &layer, sink, &err), -1);
	assert_error(&err, ERR_INPUT, "the store is damaged: layer");
	/* one of another codec would have to be packed anew */
	assert_int_equal(
		layer_blob_make(store, &layer, CODEC_ZSTD, CODEC_LEVEL_DEFAULT, &blob, &err), -1);
	assert_error(&err, ERR_INPUT, "the store is damaged: layer");
	/* but as one that came from elsewhere it is still there, in its blob */
	layer.is_ours = false;
	strbuf_truncate(&tar, 0);
	assert_ok(layer_write_tar(store, &layer, sink, &err));
	assert_ok(sink_finish(sink, &err));
	assert_int_equal(tar.len, layer.tar_bytes);
}

/* ---- the step cache -------------------------------------------------------- */

static void test_stepcache_hit_needs_its_layer(void **state)
{
	struct store *store = open_store();
	struct step_result put = { .created_ns = 42 };
	struct step_result got;
	struct layer base;
	struct err err = ERR_INIT;
	struct digest key;
	bool found = true;

	digest_of("key", 3, &key);
	make_layer(store, "base", NULL, false, &base);
	make_layer(store, "step", &base.diff_id, true, &put.layer);
	assert_ok(stepcache_find(store, &key, &base.diff_id, &found, &got, &err));
	assert_false(found);
	assert_ok(stepcache_put(store, &key, &put, &err));
	assert_ok(stepcache_find(store, &key, &base.diff_id, &found, &got, &err));
	assert_true(found);
	assert_int_equal(got.created_ns, 42);
	assert_true(digest_equal(&got.layer.id, &put.layer.id));
	/* made on top of something else: another tree */
	assert_ok(stepcache_find(store, &key, &key, &found, &got, &err));
	assert_false(found);
	store_close(store);

	sql("DELETE FROM layers WHERE implicit");
	store = open_store();
	assert_ok(stepcache_find(store, &key, &base.diff_id, &found, &got, &err));
	assert_false(found);
	store_close(store);
}

static void test_filecache_forgets_what_may_still_change(void **state)
{
	struct store *store = open_store();
	struct stat st = { .st_dev = 1, .st_ino = 2, .st_size = 3 };
	struct err err = ERR_INIT;
	struct digest digest;
	struct digest got;
	bool found = true;

	digest_of("x", 1, &digest);
	st.st_mtim.tv_sec = st.st_ctim.tv_sec = time(NULL);
	assert_ok(filecache_put(store, &st, &digest, &err));
	assert_ok(filecache_flush(store, &err));
	assert_ok(filecache_find(store, &st, &found, &got, &err));
	assert_false(found);

	st.st_mtim.tv_sec = st.st_ctim.tv_sec = time(NULL) - 3;
	assert_ok(filecache_put(store, &st, &digest, &err));
	store_close(store); /* writes it */
	store = open_store();
	assert_ok(filecache_find(store, &st, &found, &got, &err));
	assert_true(found);
	assert_true(digest_equal(&got, &digest));
	st.st_ctim.tv_nsec = 1;
	assert_ok(filecache_find(store, &st, &found, &got, &err));
	assert_false(found);
	store_close(store);
}

/* ---- crashes --------------------------------------------------------------- */

static void test_another_boot_trusts_only_what_was_synced(void **state)
{
	struct store *store = open_store();
	struct layer synced;
	struct layer unsynced;
	struct digest synced_blob;
	struct digest unsynced_blob;
	struct err err = ERR_INIT;

	make_layer(store, "synced", NULL, false, &synced);
	assert_ok(blob_put(store, "synced", 6, &synced_blob, &err));
	assert_ok(store_sync(store, &err));
	make_layer(store, "unsynced", NULL, false, &unsynced);
	assert_ok(blob_put(store, "unsynced", 8, &unsynced_blob, &err));
	store_close(store);

	store = open_store(); /* the same boot: all is there */
	assert_true(has_layer(store, NULL, &unsynced.diff_id));
	store_close(store);

	sql("UPDATE meta SET boot='another'");
	store = open_store();
	assert_true(has_layer(store, NULL, &synced.diff_id));
	assert_true(has_blob(store, &synced_blob));
	assert_false(has_layer(store, NULL, &unsynced.diff_id));
	assert_false(has_blob(store, &unsynced_blob));
	store_close(store);
	assert_int_equal(count_names("layers"), 1);
	assert_int_equal(count_names("blobs/sha256"), 1);
}

static size_t count_containers(struct store *store)
{
	auto_container_list struct container_list list = CONTAINER_LIST_INIT;
	struct err err = ERR_INIT;

	assert_ok(container_list(store, &list, &err));
	return list.count;
}

static void test_another_boot_forgets_containers_without_files(void **state)
{
	struct store *store = open_store();
	struct container kept = CONTAINER_INIT;
	struct container lost = CONTAINER_INIT;
	const struct image image = IMAGE_INIT;
	struct err err = ERR_INIT;

	assert_ok(container_create(store, &image, "kept", &kept, &err));
	assert_int_equal(container_create(store, &image, "kept", &lost, &err), -1);
	assert_error(&err, ERR_INPUT, "there is a container 'kept' already");
	assert_int_equal(container_create(store, &image, "../kept", &lost, &err), -1);
	assert_error(&err, ERR_INPUT, "no name for a container");
	err_clear(&err);
	assert_ok(container_create(store, &image, "lost", &lost, &err));
	assert_int_equal(container_remove_named(store, "lost", &err), -1);
	assert_error(&err, ERR_INPUT, "container 'lost' is running");
	err_clear(&err);
	assert_ok(tree_remove(store->containers_fd, lost.id, &err));
	container_release(&lost);
	container_release(&kept);
	store_close(store);
	assert_int_equal(count_names("tmp"), 0);

	store = open_store();
	assert_int_equal(count_containers(store), 2);
	store_close(store);
	sql("UPDATE meta SET boot='another'");
	store = open_store();
	assert_int_equal(count_containers(store), 1);
	assert_ok(container_remove_named(store, "kept", &err));
	assert_int_equal(count_containers(store), 0);
	store_close(store);
	assert_int_equal(count_names("containers"), 0);
}

/* A process is killed with a draft open and a lease held, and rubbish about. */
static void test_the_next_open_sweeps_after_the_killed(void **state)
{
	struct store *store;
	int ready[2];
	char byte;
	pid_t pid;

	store_close(open_store());
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		struct layer_draft draft = LAYER_DRAFT_INIT;
		struct err err = ERR_INIT;
		struct layer layer;

		store = open_store();
		make_layer(store, "published", NULL, false, &layer);
		if (layer_draft_open(store, &draft, &err) == 0 &&
		    mkdirat(store->layers_fd, "rubbish", 0700) == 0)
			make_file(store->blobs_fd, "rubbish", "x");
		(void)!write(ready[1], "x", 1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	store_close(open_store()); /* it lives: nothing is taken from it */
	assert_int_equal(count_names("tmp"), 2);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(ready[0]);
	close(ready[1]);

	store = open_store();
	assert_int_equal(count_names("tmp"), 0);
	assert_int_equal(count_names("layers"), 1);
	assert_int_equal(count_names("blobs/sha256"), 0);
	store_close(store);
}

/* In a process of its own: take the lock when told, and say how it went. */
static void wait_for_lock(int go_fd, const struct digest *id)
{
	struct layer_lock lock = LAYER_LOCK_INIT;
	struct err err = ERR_INIT;
	struct store *store;
	struct stat st;
	char byte;

	(void)!read(go_fd, &byte, 1);
	store = open_store();
	if (layer_lock_take(store, id, &lock, &err) < 0)
		_exit(1);
	/* the first one has said so before it let go */
	if (fstatat(store->root_fd, "said", &st, 0) < 0)
		_exit(2);
	layer_lock_release(&lock);
	store_close(store);
	_exit(0);
}

static void test_layer_lock_waits(void **state)
{
	struct layer_lock lock = LAYER_LOCK_INIT;
	struct err err = ERR_INIT;
	struct store *store;
	struct digest id;
	int go[2];
	int status;
	pid_t pid;

	digest_of("x", 1, &id);
	assert_int_equal(pipe(go), 0);
	pid = fork();
	if (pid == 0)
		wait_for_lock(go[0], &id);
	store = open_store();
	assert_ok(layer_lock_take(store, &id, &lock, &err));
	assert_int_equal(write(go[1], "x", 1), 1);
	usleep(50000);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	make_file(store->root_fd, "said", "so");
	layer_lock_release(&lock);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	store_close(store);
	close(go[0]);
	close(go[1]);
	assert_int_equal(count_names("tmp"), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_open_is_private_whatever_the_umask),
		TEST(test_open_refuses_a_strange_directory),
		TEST(test_open_refuses_a_newer_store),
		TEST(test_open_refuses_the_other_kind_of_namespace),
		TEST(test_open_says_that_the_database_is_damaged),
		TEST(test_open_by_many_at_once),
		TEST(test_blob_comes_back),
		TEST(test_blob_that_changed_on_disk_is_refused),
		TEST(test_blob_not_committed_is_gone),
		TEST(test_layer_is_published_once),
		TEST(test_layer_with_implicit_parents_belongs_to_its_chain),
		TEST(test_layer_does_not_adopt_rubbish),
		TEST(test_layer_tar_is_checked),
		TEST(test_stepcache_hit_needs_its_layer),
		TEST(test_filecache_forgets_what_may_still_change),
		TEST(test_another_boot_trusts_only_what_was_synced),
		TEST(test_another_boot_forgets_containers_without_files),
		TEST(test_the_next_open_sweeps_after_the_killed),
		TEST(test_layer_lock_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
