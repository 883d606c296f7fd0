#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The first process of the machine that cgroup2.sh makes: lines after "TAP " are its results.
# shellcheck disable=SC2086

export PATH=/build:/bin:/usr/bin:/usr/sbin:/sbin HOME=/
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm /dev/pts
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs run /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for m in loop fuse overlay; do insmod /modules/$m.ko; done
chmod 666 /dev/fuse
ip link set lo up
CG=/sys/fs/cgroup

# the ordinary user's store is on a file system with attributes of users
truncate -s 200M /disk
/usr/sbin/mke2fs -F -q -t ext4 /disk || /usr/bin/mke2fs -F -q -t ext4 /disk || echo "no file system"
losetup /dev/loop0 /disk
mount -t ext4 /dev/loop0 /store
mkdir -m 700 /store/root /store/u
chown 1000:1000 /store/u /home/u

# groups: ours below one of our own, so that the root may be divided; the user's is his
mkdir $CG/system $CG/user
echo $$ >$CG/system/cgroup.procs
echo '+memory +cpu +pids +cpuset +io' >$CG/cgroup.subtree_control
chown 1000:1000 $CG/user $CG/user/cgroup.procs $CG/user/cgroup.subtree_control

n=0
ok() { n=$((n + 1)); echo "TAP ok $n - $*"; }
bad() { n=$((n + 1)); echo "TAP not ok $n - $*"; sed 's/^/TAP # /' /tmp/said; }
# check NAME CMD…: all of what it says is in /tmp/said
check() {
	name=$1
	shift
	: >/tmp/said
	if "$@" >>/tmp/said 2>&1; then ok "$name"; else bad "$name"; fi
}
# as WHO CMD…: the user in a group of his own
as() {
	who=$1
	shift
	if [ $who = root ]; then
		IMGBUILD_ROOT=/store/root "$@"
	else
		(
			mkdir -p $CG/user/shell
			chown 1000:1000 $CG/user/shell $CG/user/shell/cgroup.procs
			sh -c 'echo $PPID' >$CG/user/shell/cgroup.procs
			IMGBUILD_ROOT=/store/u HOME=/home/u exec /usr/bin/setpriv --reuid 1000 --regid 1000 --clear-groups "$@"
		)
	fi
}
# begin WHO OPTIONS…: a container "box" that waits; $g is its group
begin() {
	w=$1
	shift
	as $w imgstore rm -f box 2>/dev/null
	as $w imgrun -d --name box "$@" localhost/bb sleep 1000 || return 1
	p=$(as $w imgstore inspect box | sed -n 's/.*"Pid": \([0-9]*\).*/\1/p' | head -1)
	g=$CG$(cut -d: -f3 /proc/$p/cgroup)
	echo "group $g"
	case $g in */imgbuild-*) ;; *) return 1 ;; esac
}
inside() { as $w imgstore exec box "$@"; }
is() { # FILE TEXT: of the group
	echo "$1: $(cat $g/$1 2>&1), wanted: $2"
	[ "$(cat $g/$1)" = "$2" ]
}

memory() {
	begin $1 -m 16m --memory-swap 24m --memory-reservation 8m || return 1
	is memory.max 16777216 && is memory.low 8388608 || return 1
	[ ! -e $g/memory.swap.max ] || is memory.swap.max 8388608 || return 1
	inside dd if=/dev/zero of=/dev/null bs=64M count=1
	[ $? = 137 ] || return 1
	[ "$(sed -n 's/^oom_kill //p' $g/memory.events)" -ge 1 ] && [ "$(inside echo alive)" = alive ] || return 1
	as $1 imgrun --rm -m 16m localhost/bb dd if=/dev/zero of=/dev/null bs=64M count=1 >/tmp/oom 2>&1
	[ $? = 137 ] && grep "ran out of memory" /tmp/oom
}
cpu() {
	begin $1 --cpu-period=100000 --cpu-quota=20000 --cpu-shares 512 || return 1
	is cpu.max '20000 100000' || return 1
	cat $g/cpu.weight
	[ "$(cat $g/cpu.weight)" -lt 100 ] || return 1
	before=$(sed -n 's/^usage_usec //p' $g/cpu.stat)
	start=$(tr -d . </proc/uptime | cut -d' ' -f1) # in hundredths of a second
	inside sh -c 'while :; do :; done & sleep 3; kill -9 $!'
	used=$((($(sed -n 's/^usage_usec //p' $g/cpu.stat) - before) / 1000))
	took=$((($(tr -d . </proc/uptime | cut -d' ' -f1) - start) * 10))
	echo "$used ms of $took"
	[ $((used * 100 / took)) -le 25 ] && [ $((used * 100 / took)) -ge 5 ] && [ "$(sed -n 's/^nr_throttled //p' $g/cpu.stat)" -ge 5 ]
}
pids() {
	begin $1 --pids-limit 20 || return 1
	is pids.max 20 || return 1
	inside sh -c 'bomb() { bomb | bomb & }; bomb' >/dev/null 2>&1 &
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		[ "$(sed -n 's/^max //p' $g/pids.events)" -lt 1 ] || break
		sleep 0.5
	done
	cat $g/pids.events $g/pids.current
	[ "$(sed -n 's/^max //p' $g/pids.events)" -ge 1 ] && [ "$(cat $g/pids.current)" -le 20 ] || return 1
	as $1 imgstore rm -f box
	[ ! -e $g ]
}
cpuset() {
	begin $1 --cpuset-cpus 1 --cpuset-mems 0 || return 1
	is cpuset.cpus 1 && is cpuset.cpus.effective 1 && is cpuset.mems 0 || return 1
	[ "$(inside nproc)" = 1 ] && inside grep -x 'Cpus_allowed_list:.1' /proc/self/status
}
io() {
	[ -e /rated ] || { truncate -s 64M /rated && losetup /dev/loop3 /rated; } || return 1
	chmod 666 /dev/loop3
	begin $1 --device-read-bps /dev/loop3:1m --device-write-iops /dev/loop3:50 --device /dev/loop3 || return 1
	is io.max '7:3 rbps=1048576 wbps=max riops=max wiops=50' || return 1
	start=$(cut -d. -f1 /proc/uptime)
	inside dd if=/dev/loop3 of=/dev/null bs=64k count=48 || return 1
	took=$(($(cut -d. -f1 /proc/uptime) - start))
	echo "3 MiB at 1 MiB a second: $took s"
	[ $took -ge 2 ]
}
devices() {
	begin $1 --device-cgroup-rule 'c 10:229 r' || return 1
	inside sh -c 'mknod /fuse c 10 229 && mknod /mem c 1 1 && : </fuse && echo opened; sh -c ": >/fuse" || echo closed; sh -c ": </mem" || echo closed' >/tmp/devices 2>&1
	cat /tmp/devices
	grep -q opened /tmp/devices && [ "$(grep -c closed /tmp/devices)" = 2 ] && grep "not permitted" /tmp/devices
}
namespace() {
	begin $1 --pids-limit 20 || return 1
	inside cat /proc/self/cgroup
	[ "$(inside cat /proc/self/cgroup)" = 0::/ ] || return 1
	# its own group is the root of what is mounted there, to be read alone
	[ "$(inside cat /sys/fs/cgroup/pids.max)" = 20 ] || return 1
	! inside sh -c 'echo 30 >/sys/fs/cgroup/pids.max'
}
left() {
	before=$(ls -d $CG/imgbuild-* $CG/user/imgbuild-* 2>/dev/null | wc -l)
	as $1 sh -c 'echo $$ >/tmp/pid.'$1'; exec imgrun --rm --pids-limit 50 localhost/bb sleep 1000' &
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		[ "$(ls -d $CG/imgbuild-* $CG/user/imgbuild-* 2>/dev/null | wc -l)" -gt "$before" ] && break
		sleep 0.3
	done
	sleep 1
	kill -9 "$(cat /tmp/pid.$1)"
	wait
	[ "$(ls -d $CG/imgbuild-* $CG/user/imgbuild-* 2>/dev/null | wc -l)" -gt "$before" ] || return 1
	as $1 imgrun --rm localhost/bb true || return 1
	[ "$(ls -d $CG/imgbuild-* $CG/user/imgbuild-* 2>/dev/null | wc -l)" = "$before" ]
}
steps() {
	mkdir -p /tmp/c
	printf 'FROM localhost/bb\nRUN dd if=/dev/zero of=/dev/null bs=64M count=1\n' >/tmp/c/Buildfile
	chmod -R a+rX /tmp/c
	as $1 imgbuild -m 256m /tmp/c || return 1
	as $1 imgbuild --no-cache -m 16m /tmp/c >/tmp/step 2>&1
	[ $? = 1 ] || return 1
	cat /tmp/step
	grep "out of memory: --memory" /tmp/step
}
shown() {
	as $1 imgrun --rm -m 64m --cpus 0.5 --limits-in-proc localhost/bb sh -c 'grep MemTotal /proc/meminfo; grep -c ^processor /proc/cpuinfo' >/tmp/shown 2>&1
	cat /tmp/shown
	grep -q 'MemTotal: *65536 kB' /tmp/shown && grep -qx 1 /tmp/shown
}
runtime() { # WHO PROGRAM
	command -v $2 || return 1
	[ "$(as $1 imgrun --rm --runtime $2 localhost/bb echo ran)" = ran ] || return 1
	[ $1 = user ] && return 0
	as $1 imgrun --rm --runtime $2 -m 16m localhost/bb dd if=/dev/zero of=/dev/null bs=64M count=1
	[ $? = 137 ] || return 1
	printf 'FROM localhost/bb\nRUN mkdir /a && echo %s >/a/f && chown 3:4 /a/f\n' x >/tmp/c/Buildfile
	as $1 env SOURCE_DATE_EPOCH=1 imgbuild -q --no-cache /tmp/c >/tmp/ours && as $1 env SOURCE_DATE_EPOCH=1 imgbuild -q --no-cache --runtime $2 --pids-limit 50 /tmp/c >/tmp/theirs || return 1
	cat /tmp/ours /tmp/theirs
	cmp /tmp/ours /tmp/theirs || return 1
	# both ended at once
	as $1 sh -c 'echo $$ >/tmp/pid.runtime; exec imgrun --rm --runtime '$2' localhost/bb sleep 4321' &
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do pidof sleep >/dev/null && ps | grep -q '[s]leep 4321$' && break; sleep 0.5; done
	sleep 1
	kill -9 $(cat /tmp/pid.runtime) $(pidof sandbox)
	wait
	as $1 imgrun --rm localhost/bb true
	! ps | grep '[s]leep 4321$' && [ -z "$(ls -d $CG/imgbuild-* 2>/dev/null)" ]
}
undelegated() {
	(
		echo 0 >$CG/system/cgroup.procs
		IMGBUILD_ROOT=/store/u HOME=/home/u exec /usr/bin/setpriv --reuid 1000 --regid 1000 --clear-groups imgrun --rm -m 64m localhost/bb true
	) >/tmp/undelegated 2>&1
	[ $? = 125 ] || return 1
	cat /tmp/undelegated
	grep "systemd-run --user --scope --property=Delegate=yes" /tmp/undelegated
}

mkdir -p /tmp/bb/bin /tmp/bb/etc
cp /bin/busybox /tmp/bb/bin/
for a in $(busybox --list); do ln -s busybox /tmp/bb/bin/$a 2>/dev/null; done
echo 'root:x:0:0::/:/bin/sh' >/tmp/bb/etc/passwd
tar -C /tmp/bb -cf /tmp/bb.tar .
chmod 1777 /tmp
chmod 644 /tmp/bb.tar
mkdir -p /run/user
runtimes=$(for r in runc crun; do command -v $r >/dev/null && echo $r; done)

echo "TAP 1..$((2 + 2 * 9 + 2 + $(echo $runtimes | wc -w)))"
for who_ in root user; do
	check "$who_: an image" as $who_ imgstore import /tmp/bb.tar localhost/bb
	for t in memory cpu pids cpuset io namespace left steps shown; do
		check "$who_: $t" $t $who_
	done
	as $who_ imgstore rm -f box >/dev/null 2>&1
done
check "root: devices" devices root
as root imgstore rm -f box >/dev/null 2>&1
check "user: without a group of his own" undelegated
for r in $runtimes; do check "root: limits by $r" runtime root $r; done
sync
poweroff -f
