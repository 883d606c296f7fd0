#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# imgoverlay beside a plain directory: thousands of random operations give the same on both (fs-tester.c), and so does a
# database. The seed of a run is in its output; SEED=… repeats it.

load lib
load overlay
load fuse

setup() {
	make_scratch
	export top_srcdir top_builddir
	export SEED=${SEED:-$((RANDOM * 32768 + RANDOM))}
	echo "seed $SEED"
}
teardown() {
	remove_overlay_work
	remove_scratch
}

random='
tester fill $1 400 3 l
cp -a l/. p/
overlay $2
tester run $1 2500 3 m p
unmount
# what a new daemon sees, and what the kernel does
overlay $2
tester compare m p
tester run $(($1 + 1)) 500 3 m p
unmount
# in a user namespace the kernel follows no redirect
if [ "$own$2" != ,userxattrredirect_dir=on ]; then
	kernel
	tester compare k p
	umount k
fi'
@test "random operations" {
	both "$random" "$SEED" ""
}
@test "random operations, where files are opened without asking" {
	need_root
	fuse_as root "$random" "$SEED" passthrough=0
}
@test "random operations, where the kernel collects writes" {
	both "$random" "$SEED" passthrough=0,writeback=1
}
@test "random operations, with renames of lower directories" {
	both "$random" "$SEED" redirect_dir=on
}
@test "random operations without caches, by one thread" {
	both "$random" "$SEED" timeout=0,writeback=0,threaded=0,passthrough=0
}

@test "random operations of many threads in one directory end in a tree that stays" {
	both '
tester fill $1 400 1 l
overlay
tester crowd $1 1500 8 m
dump m >seen
unmount
overlay
dump m | diff -u seen - >&2
unmount' "$SEED"
}

database='
options=${3-}
python3 - "$1" <<P
import sqlite3
db = sqlite3.connect("l/db")
db.execute("pragma journal_mode=%s" % "$2")
db.execute("create table t (k integer primary key, n integer, v blob)")
db.executemany("insert into t values (?, 0, ?)", ((i, bytes([i % 256]) * 500) for i in range(2000)))
db.commit()
db.close()
P
overlay $options
cat >load.py <<P
import random, sqlite3, sys
r = random.Random(int(sys.argv[1]))
db = sqlite3.connect("m/db", timeout=60, isolation_level=None)
db.execute("pragma mmap_size=%d" % (r.randrange(2) * 50000000))
for n in range(150):
    db.execute("begin immediate")
    for _ in range(5):
        db.execute("update t set n = n + 1, v = ? where k = ?", (bytes([r.randrange(256)]) * r.randrange(1500), r.randrange(2000)))
    db.execute("commit" if n % 10 else "rollback")
    if n % 50 == 0:
        assert db.execute("pragma quick_check").fetchone() == ("ok",)
P
for i in 1 2 3 4; do python3 load.py $(($1 + i)) & pids="${pids-} $!"; done
for p in $pids; do wait $p; done
check="pragma integrity_check; select sum(n) from t"
is "$(sqlite3 m/db "$check" | tr "\n" " ")" "ok $((4 * 135 * 5)) "
unmount
overlay $options
is "$(sqlite3 m/db "$check" | tr "\n" " ")" "ok $((4 * 135 * 5)) "
unmount'
@test "a database of a lower layer with four writers, rollback journal" {
	command -v sqlite3 >/dev/null || skip "sqlite3 is not installed"
	both "$database" "$SEED" delete
}
@test "a database of a lower layer with four writers, write-ahead log" {
	command -v sqlite3 >/dev/null || skip "sqlite3 is not installed"
	both "$database" "$SEED" wal
	both "$database" "$SEED" wal passthrough=0,writeback=1
}
