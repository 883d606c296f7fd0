#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# imgoverlay: its command line, what it shows of its layers, what it writes into the upper one, which the kernel's
# overlayfs must then show as the same, and what is left when it is killed. Rows 75 to 81 are in cases-overlay.bats.

load lib
load overlay
load fuse

setup() {
	make_scratch
	export top_srcdir top_builddir
}
teardown() {
	remove_overlay_work
	remove_scratch
}

@test "the command line: live at its end, relative paths, escapes, unknown options told" {
	both '
echo x >l/f; mkdir "a:b,c"; echo y >"a:b,c/g"
is "$(imgoverlay -o "lowerdir=l:a\\:b\\,c,upperdir=u,workdir=w,frob=1,lazytime" m 2>&1)" "unknown argument ignored: frob=1
unknown argument ignored: lazytime"
is "$(cat m/f m/g)" "x
y"
is "$(stat -f -c %t m)" 65735546
unmount
imgoverlay -o lowerdir=l -o upperdir=u -o workdir=w /source "$PWD/m"
echo z >m/f; is "$(cat u/f l/f)" "z
x"
unmount'
}

@test "the command line: what is wrong is one line and status 1, and nothing is mounted" {
	both '
refused() { # TEXT ARG…
	local text=$1 out status=0
	shift
	out=$(imgoverlay "$@" 2>&1) || status=$?
	is "$status" 1
	case $out in "imgoverlay: "*"$text"*) ;; *) is "$out" "$text" ;; esac
	is "$(wc -l <<<"$out")" 1
	not mountpoint -q m
}
refused "no mountpoint" -o lowerdir=l
refused "no lowerdir" m
refused "mountpoint" -o lowerdir=l none
refused "workdir not specified" -o lowerdir=l,upperdir=u m
refused none -o lowerdir=l:none m
refused "neither off nor on" -o lowerdir=l,redirect_dir=nofollow m
refused "none of off, auto and on" -o lowerdir=l,xino=x m
refused "no attribute" -o lowerdir=l,noxattrs=1,xattr_permissions=2 m
refused "want triples" -o lowerdir=l,uidmapping=1:2 m
: >l/file
refused l/file -o lowerdir=l/file m
refused u -o lowerdir=l,upperdir=u,workdir=u m
refused u -o lowerdir=l:u,upperdir=u,workdir=w m
imgoverlay --version | head -1 | grep -qE "^fuse-overlayfs: version [0-9.]+ \(imgoverlay "
imgoverlay -h | grep -q "^Usage: imgoverlay"'
}

@test "without an upper nothing can be written" {
	both '
mkdir l/d; echo x >l/d/f; echo y >l2/g
imgoverlay -o lowerdir=l:l2 m
is "$(cat m/d/f m/g)" "x
y"
not touch m/new
not rm m/g
umount m
same l <(true) 2>/dev/null || true
is "$(ls u)" ""'
}

@test "both forms of whiteouts and all names of opaque directories are understood in every layer" {
	both '
for d in l2 l; do mkdir $d/{a,b,c,e,n}; done
for x in a b c e n; do echo $x >l2/$x/low; echo $x >l/$x/up; done
for x in 1 2 3 4; do echo $x >l2/gone$x; done
mkdir l2/gone4d; echo x >l2/gone4d/f
mknod l/gone1 c 0 0
: >l/.wh.gone2
mknod u/gone3 c 0 0
: >u/.wh.gone4d
if [ -z "$own" ]; then setfattr -n trusted.overlay.opaque -v y l/a; fi
setfattr -n user.overlay.opaque -v y l/b
setfattr -n user.fuseoverlayfs.opaque -v y l/c
: >l/e/.wh..wh..opq
[ -z "$own" ] || touch l/a/.wh..wh..opq
LOWERS=l:l2 overlay
is "$(cd m && find . -mindepth 1 | sort | tr "\n" " ")" \
	"./a ./a/up ./b ./b/up ./c ./c/up ./e ./e/up ./gone4 ./n ./n/low ./n/up "
# what is hidden can be made again, and deleted again
mkdir m/gone4d; is "$(ls -A m/gone4d)" ""
echo new >m/gone1; is "$(cat m/gone1)" new
rm m/gone1; not test -e m/gone1
echo new >m/e/low; rm m/e/low; not test -e m/e/low
rm m/gone4; not test -e m/gone4
unmount
LOWERS=l:l2 overlay
not test -e m/gone1; not test -e m/gone4; is "$(ls m/gone4d)" ""
unmount'
}

@test "marks=user and marks=trusted leave the other attributes to the files" {
	both '
mkdir l2/a l/a; echo low >l2/a/low; echo up >l/a/up
setfattr -n user.overlay.opaque -v y l/a
setfattr -n user.fuseoverlayfs.origin -v o l/a
LOWERS=l:l2 overlay marks=user
is "$(ls m/a)" up
is "$(getfattr -d m/a | grep -v "^[#]")" "user.fuseoverlayfs.origin=\"o\""
unmount
LOWERS=l:l2 overlay marks=trusted
is "$(ls m/a | tr "\n" " ")" "low up "
is "$(getfattr -n user.overlay.opaque --only-values m/a)" y
chmod 700 m/a; echo x >>m/a/up; setfattr -n user.overlay.upper -v x m/a/up
unmount
is "$(getfattr -n user.overlay.opaque --only-values u/a)" y
is "$(getfattr -n user.overlay.upper --only-values u/a/up)" x
'
}

@test "what is written is an upper for the kernel, and the other way round" {
	both '
mkdir -p l/d/sub l/r l/o; echo 1 >l/d/f; echo 2 >l/d/sub/g; echo 3 >l/r/h; ln -s f l/d/s; echo 4 >l/o/x; ln l/o/x l/o/y
mkfifo l/fifo; echo cap >l/cap; chmod 4755 l/cap
overlay
echo more >>m/d/f; rm m/d/sub/g; rm -r m/r; mkdir m/r; echo n >m/r/n; mv m/d/s m/d/t; ln m/d/f m/d/hard; chmod 600 m/o/x
setfattr -n user.k -v v m/o; mkdir m/new; mv m/new m/newer; mknod m/p p; truncate -s 1M m/d/sub/sparse
rm m/fifo; mkdir m/fifo; touch -d @1000 m/fifo; rmdir m/d/sub 2>/dev/null || true
dump m >seen
unmount
kernel; dump k >kernel; umount k
diff -u seen kernel
mkdir -p w2; mount -t overlay overlay -o "lowerdir=l,upperdir=u,workdir=w2$own" k
rm k/d/hard; mkdir k/d/dir; rm -r k/newer; echo k >k/d/dir/k; rm -r k/o; mkdir k/o; mv k/d/t k/d/f2
dump k >kernel; umount k
overlay; dump m >seen; unmount
diff -u kernel seen'
}

@test "whiteouts are .wh. files when devices are not wanted" {
	both '
mkdir l/d; echo x >l/d/f; echo y >l/g
FUSE_OVERLAYFS_DISABLE_OVL_WHITEOUT=1 overlay
rm m/g m/d/f; rmdir m/d; mkdir m/d
not test -e m/g; is "$(ls -A m/d)" ""
is "$(ls -A m)" d
unmount
is "$(find u -type c)" ""
test -f u/.wh.g
overlay; is "$(cd m && find .)" ".
./d"; unmount'
}

@test "an upper or work directory that another mount uses is refused, and free as soon as that is gone" {
	both '
mkdir u2 w2
overlay
echo x >m/f
refused() { # NAME OPTIONS
	local out status=0
	out=$(imgoverlay -o "lowerdir=l,$2" p 2>&1) || status=$?
	is "$status" 1
	is "$out" "imgoverlay: '"'\$1'"' is in use by another mount: unmount that, or end its imgoverlay"
	not mountpoint -q p
}
refused u upperdir=u,workdir=w2 & first=$!
refused w upperdir=u2,workdir=w & second=$!
wait $first; wait $second
echo y >m/g; is "$(cat u/f u/g | tr "\\n" " ")" "x y "
# what unmounts does not wait for the daemon
for i in 1 2 3 4 5; do umount m; overlay; done
kill -9 "$(daemon | tail -1)"; umount -l m; overlay; unmount'
}

# A disk that is full: told by open, or where nobody is asked by the first call that can, and never by none
told='
mount -t tmpfs -o size=1m tmpfs u; mkdir u/{u,w}
for f in w x y z; do head -c 2M /dev/zero >l/$f; done
imgoverlay -o "lowerdir=l,upperdir=u/u,workdir=u/w,$1" m
is "$(python3 - <<"P"
import errno, mmap, os
def told(name, *calls):
    try:
        fd = os.open("m/" + name, os.O_RDWR)
    except OSError as e:
        return "open" if e.errno == errno.ENOSPC else e
    m = mmap.mmap(fd, 4096) if calls[0] == "map" else None
    for call in calls:
        try:
            {"write": lambda: os.write(fd, b"x"), "fsync": lambda: os.fsync(fd), "close": lambda: os.close(fd),
             "map": lambda: m.__setitem__(0, 1), "msync": lambda: m.flush()}[call]()
        except OSError as e:
            return call if e.errno == errno.ENOSPC else e
print(told("w", "write", "fsync", "close"), told("x", "write", "close"), told("y", "map", "msync", "close"),
      told("z", "map", "close"))
P
)" "$2"
is "$(ls -A u/u)" ""
unmount; umount u'
@test "a copy-up that fails is told to who writes" {
	both "$told" passthrough=0 "write write msync close"
	both "$told" passthrough=0,writeback=1 "fsync close msync close"
	need_root
	fuse_as root "$told" passthrough=1 "open open open open"
}

# on_overlay SCRIPT: in a directory of an overlay, which takes no devices 0:0
on_overlay() {
	need_root
	fuse_as root 'mkdir below; mount -t tmpfs tmpfs below; mkdir below/{l,u,w} below/u/at
mount -t overlay overlay -o lowerdir=below/l,upperdir=below/u,workdir=below/w below/l
cd below/l/at; mkdir l l2 u w m p k
'"$1"
}
@test "on a disk that is an overlay whiteouts are files with an attribute, which the kernel understands" {
	on_overlay '
not mknod x c 0 0 2>/dev/null
mkdir -p l/d/sub l/o/deep l/e l/q; for f in l/d/f l/d/g l/d/h l/d/sub/x l/o/deep/y l/e/z l/q/w l/top; do echo $f >$f; done
overlay
rm m/top m/d/f; mv m/d/g m/d/g2; rm -r m/o m/d/sub; mkdir m/o; echo new >m/o/n; echo again >m/d/f; rm m/d/f
mv m/d/h m/e/h; rm m/e/z; mkdir m/e/z; rm m/q/w; echo 1 >m/q/v; mv m/q/v m/q/w; rm m/q/w; ln m/e/h m/q/w; rm m/q/w
touch m/a; not mv -T m/a m/o 2>/dev/null; mkdir m/n; mv m/n m/top; rmdir m/top
dump m >seen
is "$(cd m && find . -mindepth 1 | sort | tr "\n" " ")" "./a ./d ./d/g2 ./e ./e/h ./e/z ./o ./o/n ./q "
unmount
is "$(find u -name ".wh*" -o -type c)" ""
for f in u/top u/d/f u/d/g u/e/z/../../q/w; do getfattr -n trusted.overlay.whiteout $f >/dev/null 2>&1; is "$(stat -c %s $f)" 0; done
for d in u u/d u/q; do is "$(getfattr -n trusted.overlay.opaque --only-values $d 2>/dev/null)" x; done
is "$(getfattr -n trusted.overlay.opaque --only-values u/o 2>/dev/null)" y
# two names of one
is "$(stat -c %i u/top)" "$(stat -c %i u/q/w)"
overlay; dump m | diff seen -; unmount
# as a layer among others, for us and for the kernel
LOWERS=u:l; mv u upper; mkdir u; LOWERS=upper:l
overlay; dump m | diff seen -; echo >m/d/f; rm m/d/f; rm -r m/o; unmount
mount -t overlay overlay -o lowerdir=upper:l k
dump k | diff seen -; umount k'
}
@test "random operations on a disk that is an overlay" {
	# always the same: below is a tmpfs, which has no FALLOC_FL_ZERO_RANGE, and FUSE takes capabilities from a file
	# before it hears of that
	SEED=${SEED:-5}; echo "seed $SEED"
	on_overlay '
tester fill '$SEED' 200 2 l
cp -a l/. p/
overlay; tester run '$SEED' 800 3 m p; unmount
overlay; tester compare m p; unmount
mount -t overlay overlay -o lowerdir=u:l k; tester compare k p; umount k'
}

@test "names that the marks need cannot be made" {
	both '
overlay
not touch m/.wh.f 2>/dev/null; not mkdir m/.wh..wh..opq 2>/dev/null
touch m/f; not mv m/f m/.wh.f 2>/dev/null; not ln m/f m/.wh.g 2>/dev/null; not ln -s f m/.wh.s 2>/dev/null
touch m/.whx; is "$(ls -A m | tr "\n" " ")" ".whx f "
unmount'
}

@test "owners are mapped both ways, and squashed" {
	both '
echo x >l/f; chown 1:2 l/f
overlay uidmapping=:0:1000:10,gidmapping=:0:2000:10
is "$(stat -c %u:%g m/f)" 1001:2002
chown 1005:2005 m/f; is "$(stat -c %u:%g m/f u/f | tr "\n" " ")" "1005:2005 5:5 "
unmount; rm -rf u/* w/*
overlay squash_to_root; is "$(stat -c %u:%g m/f)" 0:0; chown 7:7 m/f; unmount; rm -rf u/* w/*
overlay squash_to_uid=3,squash_to_gid=4; is "$(stat -c %u:%g m/f m | tr "\n" " ")" "3:4 3:4 "; unmount'
}

@test "a lower layer to which the map of ids has been applied by an id-mapped mount" {
	need_root
	fuse_as root '
mkdir mapped l/d; echo x >l/f; chown 5:6 l/f
python3 - l mapped <<P || exit 77
import ctypes, os, struct, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
sleeper = subprocess.Popen(["unshare", "-U", "sleep", "60"])
while os.readlink("/proc/%d/ns/user" % sleeper.pid) == os.readlink("/proc/self/ns/user"):
    pass
for what in "uid", "gid":
    open("/proc/%d/%s_map" % (sleeper.pid, what), "w").write("0 100000 65536")
namespace = os.open("/proc/%d/ns/user" % sleeper.pid, os.O_RDONLY)
tree = libc.syscall(428, -100, sys.argv[1].encode(), 1 | os.O_CLOEXEC)                       # open_tree
attr = struct.pack("QQQQ", 0x100000, 0, 0, namespace)
ok = libc.syscall(442, tree, b"", 0x1000, attr, len(attr)) == 0                               # mount_setattr
ok = ok and libc.syscall(429, tree, b"", -100, sys.argv[2].encode(), 4) == 0                  # move_mount
sleeper.kill()
sys.exit(not ok)
P
is "$(stat -c %u mapped/f)" 100005
LOWERS=mapped overlay uidmapping=0:100000:65536,gidmapping=0:100000:65536
umount -l mapped
is "$(stat -c %u:%g m/f m/d | tr "\n" " ")" "100005:100006 100000:100000 "
echo y >>m/f; touch m/d/new; chown 100007:100007 m/d/new
is "$(stat -c %u:%g m/f m/d m/d/new | tr "\n" " ")" "100005:100006 100000:100000 100007:100007 "
is "$(stat -c %u:%g u/f u/d u/d/new | tr "\n" " ")" "5:6 0:0 7:7 "
unmount' || { [ $? = 77 ] && skip "this file system cannot be id-mapped"; false; }
}

@test "owner and mode in an attribute" {
	both '
echo x >l/f; setfattr -n user.containers.override_stat -v 33:34:4750 l/f; echo y >l/plain
setfattr -n user.containers.override_stat -v 0:0:755 l
overlay xattr_permissions=2
is "$(stat -c %u:%g:%a m/f)" 33:34:4750
chmod 640 m/f; is "$(stat -c %u:%g:%a m/f)" 33:34:640
chown 5:6 m/f; is "$(stat -c %u:%g:%a m/f)" 5:6:640
touch m/new; chown 9:9 m/new; chmod 604 m/new
is "$(stat -c %u:%g:%a m/new)" 9:9:604
is "$(getfattr -d -m - m/new)" ""
unmount
overlay xattr_permissions=2; is "$(stat -c %u:%g:%a m/f m/new | tr "\n" " ")" "5:6:640 9:9:604 "; unmount
is "$(getfattr --only-values -n user.containers.override_stat u/new)" 9:9:604
# one that makes no sense is an error of that file alone
setfattr -n user.containers.override_stat -v nonsense l/plain
overlay xattr_permissions=2; not stat m/plain 2>/dev/null; is "$(stat -c %a m/f)" 640; unmount'
}

@test "owner and mode in an attribute that only the host's root may write, or in its stand-in" {
	both '
name=security.fuseoverlayfs.override_stat
[ -z "$own" ] || name=user.fuseoverlayfs.override_stat
echo x >l/f; setfattr -n user.fuseoverlayfs.override_stat -v 33:34:4750 l/f
overlay xattr_permissions=1
is "$(stat -c %u:%g:%a m/f)" 33:34:4750
chown 5:6 m/f; mkdir m/d; chown 7:8 m/d; chmod 1751 m/d
is "$(stat -c %u:%g:%a m/f m/d | tr "\n" " ")" "5:6:750 7:8:1751 "
is "$(getfattr -d -m - m/f m/d)" ""
not setfattr -n user.fuseoverlayfs.override_stat -v 0:0:7777 m/f 2>/dev/null
unmount
is "$(getfattr --only-values -n $name u/f)" 5:6:750
is "$(getfattr --only-values -n $name u/d)" 7:8:1751
overlay xattr_permissions=1; is "$(stat -c %u:%g:%a m/f m/d | tr "\n" " ")" "5:6:750 7:8:1751 "; unmount'
}

@test "what the options leave out: links of directories, ACLs, attributes, wide inode numbers, syncs" {
	both '
mkdir l/d l/d/a l/d/b; echo x >l/f; setfattr -n user.x -v 1 l/f
overlay; is "$(stat -c %h m/d)" 4; unmount
overlay static_nlink; is "$(stat -c %h m/d)" 1; unmount

overlay; setfacl -m u:7:r m/f; getfacl -cnp m/f | grep -q "user:7:r"; unmount; rm -rf u/* w/*
overlay noacl
not setfacl -m u:7:r m/f 2>/dev/null; is "$(getfacl -cnp m/f | grep -c user:)" 1
is "$(getfattr --only-values -n user.x m/f)" 1
unmount

overlay noxattrs=1
is "$(getfattr -d -m - m/f 2>/dev/null)" ""; not setfattr -n user.y -v 1 m/f 2>/dev/null
echo y >>m/f; is "$(cat m/f)" "x
y"
rm m/f; mkdir m/f; rm -r m/d; mkdir m/d; is "$(ls -A m m/d m/f | tr "\n" " ")" "m: d f  m/d:  m/f: "
unmount
overlay noxattrs=1; is "$(ls -A m/d m/f | tr "\n" " ")" "m/d:  m/f: "; unmount; rm -rf u/* w/*

mount -t tmpfs t l2; touch l2/g
LOWERS=l:l2 overlay xino=on; is "$(stat -c %i m/g | wc -c)" 20; unmount
LOWERS=l:l2 overlay ino32_t; [ "$(stat -c %i m/g | wc -c)" -lt 12 ]; unmount'
}

@test "fsync=0 and volatile sync nothing" {
	need_root
	command -v strace >/dev/null || skip "strace is not installed"
	fuse_as root '
# synced [OPTION]: how often, while a file is copied up and synced
mount -t tmpfs t l2; seq 10000 >l2/f
synced() {
	rm -rf u/* w/*
	strace -f -qq -o trace -e trace=fdatasync,fsync,syncfs,sync imgoverlay -f -o "lowerdir=l2,upperdir=u,workdir=w$1" m &
	for _ in $(seq 200); do ! mountpoint -q m || break; sleep 0.05; done
	echo x >>m/f; sync m/f; sync -d m; sync -f m/f
	umount m; wait
	grep -c sync trace || :
}
[ "$(synced "")" -ge 2 ]
is "$(synced ,fsync=0)" 0
is "$(synced ,sync=0)" 0
is "$(synced ,volatile)" 0'
}

@test "options of the mount itself" {
	both '
flags() { awk "\$2 == \"$PWD/m\" { print \$4 }" /proc/self/mounts | tr , "\n" | grep -xE "$1" | tr "\n" " "; }
all="ro|rw|nosuid|nodev|noexec|noatime|allow_other|default_permissions"
overlay; is "$(flags "rw|noexec|noatime|allow_other|default_permissions")" "rw noatime default_permissions allow_other "; unmount
overlay nosuid,nodev,noexec,ro
is "$(flags "$all")" "ro nosuid nodev noexec noatime default_permissions allow_other "
unmount
printf "#!/bin/sh\n" >l/run; chmod 755 l/run
overlay; m/run; unmount
overlay noexec; is "$(m/run 2>/dev/null || echo $?)" 126; unmount'
}

@test "set-id bits and capabilities that are given after a write, but before it is on disk, stay" {
	local script='
head -c 10000 /dev/zero >l/low
overlay ${1-}
python3 - <<P
import os
capability = bytes.fromhex("0100000201") + bytes(15)
for name in "m/low", "m/new":
    fd = os.open(name, os.O_RDWR | os.O_CREAT, 0o755)
    os.write(fd, b"y" * 200000)
    os.fchmod(fd, 0o6755)
    os.setxattr(fd, "security.capability", capability)
    os.fsync(fd)
    os.close(fd)
    assert os.stat(name).st_mode & 0o7777 == 0o6755, oct(os.stat(name).st_mode)
    assert os.getxattr(name, "security.capability")[4:5] == b"\1"
    with open(name, "r+b") as f:
        f.write(b"z")
    assert "security.capability" not in os.listxattr(name)
P
unmount
is "$(stat -c %s u/low u/new | tr "\n" " ")" "200000 200000 "'
	local option
	for option in "" passthrough=0 passthrough=0,writeback=1; do both "$script" $option; done
}

@test "five hundred lower layers" {
	both '
lowers=
for i in $(seq 500); do
	mkdir -p many/$i/d; echo $i >many/$i/d/f$i; echo $i >many/$i/top
	lowers=many/$i:$lowers
done
imgoverlay -o "lowerdir=${lowers%:},upperdir=u,workdir=w" m
is "$(cat m/top)" 500
is "$(ls m/d | wc -l)" 500
is "$(cat m/d/f1 m/d/f250 m/d/f500 | tr "\n" " ")" "1 250 500 "
rm m/d/f1; echo x >m/d/f250; rm -r m/d; not test -e m/d
umount m'
}

@test "layers on several file systems: inode numbers are one each, and stay" {
	both '
mount -t tmpfs t l; mount -t tmpfs t l2
for i in $(seq 50); do echo $i >l/a$i; echo $i >l2/b$i; done
for i in $(seq 50); do echo $i >u/c$i; done
LOWERS=l:l2 overlay
stat -c %i m/* | sort | uniq -d >twice; is "$(cat twice)" ""
stat -c "%n %i" m/* >before
ls -i m | sort >listed
for i in $(seq 50); do echo more >>m/a$i; echo more >>m/b$i; done
stat -c "%n %i" m/* >after; diff before after
ls -i m | sort | diff listed -
unmount
for o in xino=off xino=auto xino=on; do LOWERS=l:l2 overlay $o; stat -c "%n %i" m/* | diff before -; unmount; done'
}

@test "a copy-up that shares what is in the file syncs nothing; one that copies does, before the rename" {
	need_root
	for tool in strace mkfs.xfs; do command -v $tool >/dev/null || skip "$tool is not installed"; done
	truncate -s 300M "$T/xfs.img"
	mkfs.xfs -q "$T/xfs.img" && mkdir "$T/xfs"
	unshare -m bash -eu -c "mount -t xfs -o loop $T/xfs.img $T/xfs || exit 77; cd $T/xfs; $(fuse_functions)"'
# copied LOWERS: the calls of a copy-up of f
copied() {
	: >trace
	strace -f -qq -o trace -e trace=ioctl,fdatasync,fsync,renameat imgoverlay -f -o "lowerdir=$1,upperdir=u,workdir=w" m &
	for _ in $(seq 200); do ! mountpoint -q m || break; sleep 0.05; done
	chown 1:1 m/f
	umount m; wait
	cmp u/f "$1/f"
	grep -oE "fdatasync|fsync|FICLONE|renameat" trace | tr "\n" " "
}
mount -t tmpfs t l2
seq 10000 >l/f; seq 10000 >l2/f
is "$(copied l)" "FICLONE renameat "
rm u/f
is "$(copied l2)" "FICLONE FICLONE fdatasync renameat "' || [ $? = 77 ]
}

killed='
for i in $(seq 40); do mkdir -p l/d$i; for j in 1 2 3 4 5; do seq $((i * j * 50)) >l/d$i/f$j; done; done
dump l >lower-before
overlay redirect_dir=$1
p=$(daemon)
( for i in $(seq 40); do
	echo x >>m/d$i/f1; mv m/d$i/f2 m/d$i/g; rm m/d$i/f3; mkdir m/d$i/n; ln m/d$i/f4 m/d$i/hard
	rm -r m/d$((41 - i)) ; mkdir m/d$((41 - i)); cp m/d$i/f5 m/d$((41 - i))/copy
done ) >/dev/null 2>&1 &
sleep 0.$2
kill -9 $p
wait || true
umount -l m 2>/dev/null || fusermount3 -uz m
dump l | diff lower-before -
kernel
# every file is whole: as it was, or as it was written
for f in $(find k -type f); do
	{ cat $f; } >content
	sed -i "/^x$/d" content
	[ ! -s content ] || seq $(wc -l <content) | cmp - content
done
dump k >kernel; umount k
overlay; dump m | diff - kernel
is "$(find m -name "*#*" -o -name ".wh*")" ""
unmount'
@test "killed at any moment: lowers untouched, the upper valid, files whole" {
	for delay in 02 05 1 2 3; do both "$killed" off $delay; done
}

@test "an ordinary user without a namespace, by fusermount3" {
	have_user || skip "there is no user $TEST_USER"
	command -v fusermount3 >/dev/null || skip "fusermount3 is not installed"
	local place=$T/user/plain
	as_user mkdir "$place"
	as_user env top_srcdir="$top_srcdir" top_builddir="$top_builddir" bash -c "cd $place && $(fuse_functions)"'
umount() { fusermount3 -u "$1"; }
mkdir l/d; echo x >l/d/f; echo y >l/g
overlay
echo more >>m/d/f; rm m/g; mkdir m/n; mv m/n m/n2
dump m >seen
is "$(cut -d" " -f1 seen | tr "\n" " ")" ". d d/f n2 "
unmount
is "$(cat l/d/f u/d/f | tr "\n" " ")" "x x more "
overlay; dump m | diff seen -; unmount'
}
