#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What union mounts got wrong while files are in use, on the kernel's overlayfs as builds mount it and on imgoverlay: rows
# 75 to 81. What a step left behind is checked in four ways (overlay-step.bash), as root and as an ordinary user.

load lib
load overlay

setup() {
	make_scratch
	export top_srcdir top_builddir
	OVERLAYS="kernel fuse"
}
teardown() {
	remove_overlay_work
	remove_scratch
}

database='python3 - <<"P"
import mmap, os, random, sqlite3
def rows(db): return db.execute("select count(*), sum(length(v)), sum(k) from t").fetchone()
'
@test "row 75: a database of a lower layer: pages written after copy-up, mapped, read" {
	check "$database"'
db = sqlite3.connect("rpmdb")
db.execute("pragma journal_mode=wal")
db.execute("create table t (k integer primary key, v blob)")
db.executemany("insert into t values (?, ?)", ((i, bytes([i % 256]) * 900) for i in range(20000)))
db.commit()
db.close()
P' "$database"'
r = random.Random(1)
# a reader that has the lower file open and mapped before it is copied up
early = os.open("rpmdb", os.O_RDONLY)
before = os.pread(early, 4096, 0)
db = sqlite3.connect("rpmdb", isolation_level=None)
db.execute("pragma mmap_size=100000000")
db.execute("pragma wal_autocheckpoint=50")
want = rows(db)
for n in range(600):
    k = r.randrange(20000)
    db.execute("update t set v=? where k=?", (bytes([n % 256]) * 900, k))
    if n % 100 == 0:
        assert rows(db) == want, n
        assert db.execute("pragma quick_check").fetchone() == ("ok",), n
assert os.pread(early, 4096, 0) == before
db.execute("pragma wal_checkpoint(truncate)")
assert db.execute("pragma integrity_check").fetchone() == ("ok",)
db.close()
# through a shared mapping and through writes in turn
fd = os.open("rpmdb", os.O_RDWR)
size = os.fstat(fd).st_size
m = mmap.mmap(fd, size)
copy = bytearray(os.pread(fd, size, 0))
for n in range(300):
    at = r.randrange(size // 4096) * 4096 + r.randrange(4000)
    data = bytes(r.randrange(256) for _ in range(16))
    copy[at:at + 16] = data
    if n % 2:
        m[at:at + 16] = data
    else:
        os.pwrite(fd, data, at)
    assert m[at:at + 16] == data and os.pread(fd, 16, at) == data
m.flush()
assert os.pread(fd, size, 0) == bytes(copy)
os.close(fd)
# nothing was to be changed in the end but the content
os.utime("rpmdb", (1000, 1000))
os.utime(".", (1000, 1000))
P
[ $(stat -c %s rpmdb) -gt 18000000 ] && mv rpmdb x && head -c 4096 x >rpmdb && rm x && chmod 600 rpmdb && touch -d @1000 rpmdb .' \
		'file /rpmdb 0600 0:0 1000 size=4096'
}

@test "row 76: copies of a file that nobody may write, by every call" {
	check 'head -c 300000 /dev/zero | tr "\0" x >f; chmod 444 f; chmod 555 .' 'python3 - <<"P"
import os, shutil
size = os.stat("f").st_size
def made(name): assert os.stat(name).st_size == size and os.stat(name).st_mode & 0o777 == 0o444, name
for name, call in (("range", lambda a, b: os.copy_file_range(a, b, size)), ("sendfile", lambda a, b: os.sendfile(b, a, 0, size))):
    a = os.open("f", os.O_RDONLY)
    b = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
    assert call(a, b) == size
    os.close(a), os.close(b)
    made(name)
P
cp f copy; cp --reflink=auto -p f copy2; cp --sparse=always f copy3; cmp f copy && cmp f copy2 && cmp f copy3 && cmp f range && cmp f sendfile
rm copy2 copy3 range sendfile; touch -d @1000 copy .' 'file /copy 0444 0:0 1000 size=300000'
}

@test "row 77: a directory that is read while it is filled and emptied" {
	check 'mkdir d; for i in $(seq 3000); do : >d/lower$i; done' 'python3 - <<"P"
import os
lower = {"lower%d" % i for i in range(1, 3001)}
def listed():
    names = os.listdir("d")
    assert len(names) == len(set(names)), "a name twice"
    return set(names)
assert listed() == lower
# deleted while it is read: all that stays is given once
with os.scandir("d") as d:
    seen = []
    for n, entry in enumerate(d):
        seen.append(entry.name)
        if n % 2:
            os.unlink("d/" + entry.name)
assert len(seen) == len(set(seen)) and set(seen) == lower
left = listed()
assert left == {name for n, name in enumerate(seen) if n % 2 == 0}
# filled while it is read: what was there is given once
with os.scandir("d") as d:
    seen = []
    for n, entry in enumerate(d):
        seen.append(entry.name)
        if n < 2000:
            os.close(os.open("d/new%d" % n, os.O_CREAT | os.O_WRONLY, 0o644))
assert len(seen) == len(set(seen)) and left <= set(seen), "missing or twice"
first, second = os.listdir("d"), os.listdir("d")
assert first == second
for name in list(first):
    if name.startswith("new") or name != "lower1":
        os.unlink("d/" + name)
left = listed()
assert left <= {"lower1"}
for name in left:
    os.unlink("d/" + name)
assert listed() == set()
os.rmdir("d")
os.mkdir("d")
os.close(os.open("d/f", os.O_CREAT | os.O_WRONLY, 0o644))
os.utime("d/f", (1000, 1000)), os.utime("d", (1000, 1000)), os.utime(".", (1000, 1000))
P' 'directory /d 0755 0:0 1000
opaque mark /d
file /d/f 0644 0:0 1000 size=0'
}

@test "row 78: files that are open and deleted" {
	check 'printf "%s" 0123456789 >f; printf "%s" 0123456789 >g; printf "%s" kept >h' 'python3 - <<"P"
import os
here = os.open(".", os.O_PATH) # makes of link(2) a linkat(2) that follows
def check(fd, want):
    size = os.fstat(fd).st_size
    assert size == len(want) and os.pread(fd, size + 1, 0) == want, (size, want)
for name in "f", "new":
    fd = os.open(name, os.O_RDWR | os.O_CREAT, 0o644)
    os.pwrite(fd, b"0123456789", 0)
    os.unlink(name)
    assert os.fstat(fd).st_nlink == 0
    check(fd, b"0123456789")
    os.ftruncate(fd, 4)
    os.posix_fallocate(fd, 0, 6)
    check(fd, b"0123\0\0")
    other = os.open("h", os.O_RDONLY)
    assert os.copy_file_range(other, fd, 4, 0, 0) == 4
    check(fd, b"kept\0\0")
    os.fchmod(fd, 0o600), os.utime(fd, (1, 1)), os.fsync(fd)
    assert os.fstat(fd).st_mode & 0o777 == 0o600
    try:
        os.link("/proc/self/fd/%d" % fd, "linked", src_dir_fd=here, follow_symlinks=True)
        raise AssertionError("a deleted file got a name")
    except FileNotFoundError:
        pass
    # another one by the same name is another one
    again = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
    check(again, b"")
    check(fd, b"kept\0\0")
    os.unlink(name)
    os.close(fd), os.close(again), os.close(other)
# read-only, from the lower layer, replaced while it is open
fd = os.open("g", os.O_RDONLY)
os.rename("h", "g")
check(fd, b"0123456789")
os.close(fd)
# never had a name
fd = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o644)
os.write(fd, b"x")
os.link("/proc/self/fd/%d" % fd, "named", src_dir_fd=here, follow_symlinks=True)
os.close(fd)
os.utime("g", (1000, 1000)), os.utime("named", (1000, 1000)), os.utime(".", (1000, 1000))
P' 'whiteout /f
whiteout /h
file /g 0644 0:0 1000 size=4
file /named 0644 0:0 1000 size=1'
}

@test "row 79: names that were deleted are used again, renames that must not replace" {
	check 'echo f >f; echo g >g; mkdir d e; echo x >d/x; echo y >e/y; ln -s f l' 'python3 - <<"P"
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
NOREPLACE, EXCHANGE = 1, 2
def rename2(a, b, flags):
    r = libc.renameat2(-100, a.encode(), -100, b.encode(), flags)
    return 0 if r == 0 else ctypes.get_errno()
EEXIST, ENOENT, EXDEV = 17, 2, 18
os.unlink("f")
try:
    os.unlink("f")
    raise AssertionError("deleted twice")
except FileNotFoundError:
    pass
assert rename2("f", "h", 0) == ENOENT
# onto a whiteout, which is nothing to a rename that must not replace
assert rename2("g", "f", NOREPLACE) == 0
assert open("f").read() == "g\n" and not os.path.lexists("g")
os.symlink("f", "g")
assert rename2("l", "g", NOREPLACE) == EEXIST
os.unlink("g")
os.mkdir("g")
os.rmdir("g")
assert rename2("f", "l", EXCHANGE) == 0
assert os.readlink("f") == "f" and open("l").read() == "g\n"
os.unlink("d/x")
os.rename("e/y", "d/x")
assert os.listdir("e") == [] and os.listdir("d") == ["x"]
os.rmdir("e")
os.mkdir("e")
assert os.listdir("e") == []
# a directory of a lower layer cannot be moved, one of this step can; both say so plainly
assert rename2("d", "moved", 0) in (0, EXDEV)
if not os.path.lexists("d"):
    os.rename("moved", "d")
os.rename("e", "e2")
os.mkdir("n"); open("n/f", "w").close(); os.rename("n", "e")
for name in "f", "l", "d/x", "d", "e2", "e/f", "e", ".":
    os.utime(name, (1000, 1000), follow_symlinks=False)
P' 'whiteout /g
directory /d 0755 0:0 1000
file /d/x 0644 0:0 1000 size=2
directory /e 0755 0:0 1000
opaque mark /e
file /e/f 0644 0:0 1000 size=0
directory /e2 0755 0:0 1000
symlink /f -> f 0777 0:0 1000
file /l 0644 0:0 1000 size=2'
}

@test "row 80: inode numbers are unique and stay, links are one file, directories count theirs" {
	check 'mkdir -p d/sub; for i in 1 2 3; do echo $i >d/f$i; done; ln d/f1 d/g1; echo x >single' 'python3 - <<"P"
import os
def identity(name):
    st = os.lstat(name)
    return st.st_dev, st.st_ino
names = ["d", "d/sub", "d/f1", "d/f2", "d/f3", "single"]
before = {name: identity(name) for name in names}
assert len(set(before.values())) == len(names)
assert {name: identity(name) for name in names} == before
assert identity("d/f1") == identity("d/g1") and os.stat("d/f1").st_nlink == 2
# a file is itself after it was copied up, and what has it open agrees
fd = os.open("single", os.O_RDONLY)
with open("single", "a") as f:
    f.write("y\n")
assert os.stat("single").st_ino == before["single"][1]
os.close(fd)
open("new", "w").close()
os.link("new", "d/new2")
assert identity("new") == identity("d/new2") and os.stat("new").st_nlink == 2
with open("d/new2", "w") as f:
    f.write("seen")
assert open("new").read() == "seen"
everything = {}
for base, dirs, files in os.walk("."):
    for name in dirs + files:
        everything.setdefault(identity(os.path.join(base, name)), []).append(name)
shared = sorted(sorted(v) for v in everything.values() if len(v) > 1)
assert shared == [["f1", "g1"], ["new", "new2"]], shared
for name in "single", "new", "d", ".":
    os.utime(name, (1000, 1000))
assert os.stat("d").st_nlink >= 1
P' 'directory /d 0755 0:0 1000
file /d/new2 0644 0:0 1000 size=4
hard link /new -> d/new2 0644 0:0 1000
file /single 0644 0:0 1000 size=4'
}

row81() { # a store whose path has what separates mount options
	local store="$T/$1 a:b,c\\d\"e=f"
	mkdir -p "$T/ctx-$1"
	printf 'FROM localhost/bb\nRUN echo x >/x && rm /etc/group\nRUN ls /x && mv /etc /etc2\n' >"$T/ctx-$1/Buildfile"
	chmod -R a+rX "$T/ctx-$1"
	[ -e "$T/bb.tar" ] || busybox_tar "$T/bb.tar"
	chmod 644 "$T/bb.tar"
	if [ "$1" = user ]; then USER_STORE=$T/user/${store##*/}; else ROOT_STORE=$store; fi
	# the store's name has a blank: not by EXTRA_ENV
	as_store() { if [ "$1" = user ]; then as_user "${@:2}"; else as root "${@:2}"; fi; }
	as_store "$1" imgstore import "$T/bb.tar" localhost/bb >&2
	as_store "$1" imgbuild -q -t odd "$T/ctx-$1" >&2
	[ "$(as_store "$1" imgrun --rm odd sh -c 'cat /x && ls /etc2/passwd')" = $'x\n/etc2/passwd' ]
	as_store "$1" imgstore rm odd >&2
	as_store "$1" imgstore prune >&2
}
@test "row 81: colons, commas, blanks and quotes in the store's path (root)" { need_root; row81 root; }
@test "row 81: the same as an ordinary user" { need_user; row81 user; }

@test "row 81: a layer that is its own lower layer is refused" {
	need_root
	mkdir "$T/l" "$T/w" "$T/m"
	not unshare -m mount -t overlay overlay -o "lowerdir=$T/l,upperdir=$T/l,workdir=$T/w" "$T/m"
	not unshare -m mount -t overlay overlay -o "lowerdir=$T/l,upperdir=$T/w,workdir=$T/w" "$T/m"
}
