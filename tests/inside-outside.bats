#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Each namespace and each limit of a container, seen from inside and from outside at the same time.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
	wait_for_others
	make_scratch
	import_busybox
}
teardown_file() { remove_scratch; }
teardown() {
	is_root && as root imgstore rm -f box >/dev/null 2>&1 || true
	have_user && as user imgstore rm -f box >/dev/null 2>&1 || true
}
# begin WHO OPTIONS…: a container "box" that waits; its first process, as the host counts, is $pid
begin() {
	need_builder "$1"
	local who=$1
	shift
	as "$who" imgrun -d --name box "$@" localhost/bb sleep 1000 3>&- >/dev/null
	pid=$(as "$who" imgstore inspect box | jq '.[0].State.Pid')
	[ "$pid" -gt 1 ]
}
inside() { as "$who" imgstore exec box "$@"; }
# is_apart FILE: the namespace from inside is the one from outside, and not the host's
is_apart() {
	local seen
	seen=$(inside readlink "/proc/1/ns/$1")
	echo "$1: inside $seen, outside $(readlink "/proc/$pid/ns/$1"), the host's $(readlink "/proc/self/ns/$1")"
	[[ "$seen" == "$1:["* ]]
	[ "$seen" = "$(readlink "/proc/$pid/ns/$1")" ]
	[ "$seen" != "$(readlink "/proc/self/ns/$1")" ]
}
both() { # FUNCTION: for root and for the user
	who=$2
	"$1"
}

mounts() {
	begin "$who" --tmpfs /t
	is_apart mnt
	inside sh -c 'echo x >/t/inside'
	not grep -F ' /t ' /proc/self/mountinfo
	grep ' /t ' "/proc/$pid/mountinfo"
	[ ! -e /t/inside ]
	inside sh -c '! grep -F "$0" /proc/self/mountinfo | grep -v " / / "' "$T"
}
@test "root: mount namespace" { both mounts root; }
@test "user: mount namespace" { both mounts user; }

processes() {
	begin "$who"
	is_apart pid
	# the same process has two numbers, and sees nobody else
	[ "$(inside sed -n 's/^NSpid:.//p' /proc/1/status)" = 1 ]
	[ "$(sed -n 's/^NSpid:.*\t\([0-9]*\)$/\1/p' "/proc/$pid/status")" = 1 ]
	[ "$(inside sh -c 'for p in /proc/[0-9]*; do tr "\0" " " <$p/cmdline; echo; done' | grep -c sleep)" = 1 ]
	[ "$(inside sh -c 'kill -0 '"$$"' 2>&1 || echo none' | tail -1)" = none ]
}
@test "root: process namespace" { both processes root; }
@test "user: process namespace" { both processes user; }

# shm KEY: a segment of shared memory, by the host's python
shm='import ctypes, sys; sys.exit(ctypes.CDLL(None).shmget(int(sys.argv[1]), 4096, 0o1600) < 0)'
has_shm() { awk -v k="$1" '$1 == k' "$2" | grep -q .; }
ipc() {
	command -v python3 >/dev/null || skip "python3 is not installed"
	begin "$who" -v /usr:/usr:ro -v /usr/lib:/lib:ro -v /usr/lib64:/lib64:ro
	local key=$((100000 + RANDOM)) other=$((200000 + RANDOM))
	is_apart ipc
	inside /usr/bin/python3 -c "$shm" $key
	has_shm $key <(inside cat /proc/sysvipc/shm)
	not has_shm $key /proc/sysvipc/shm
	as "$who" python3 -c "$shm" $other
	has_shm $other /proc/sysvipc/shm
	ipcrm -M $other
	as "$who" python3 -c "$shm" $other
	not has_shm $other <(inside cat /proc/sysvipc/shm)
	ipcrm -M $other
	# queues of messages, too: by the file system of them
	inside sh -c ': >/dev/mqueue/of-the-box'
	inside test -e /dev/mqueue/of-the-box
	[ ! -e /dev/mqueue/of-the-box ]
}
@test "root: IPC namespace" { both ipc root; }
@test "user: IPC namespace" { both ipc user; }

names() {
	local before
	before=$(uname -n)
	begin "$who" -h of-the-box
	is_apart uts
	[ "$(inside uname -n)" = of-the-box ]
	[ "$(uname -n)" = "$before" ]
}
@test "root: UTS namespace" { both names root; }
@test "user: UTS namespace" { both names user; }

@test "user: user namespace" {
	who=user
	begin user
	is_apart user
	[ "$(inside id -u)" = 0 ]
	[ "$(stat -c %u "/proc/$pid")" = "$(id -u "$TEST_USER")" ]
	[ "$(awk '$1 == 0 { print $2 }' "/proc/$pid/uid_map")" = "$(id -u "$TEST_USER")" ]
}
@test "root: user namespace" {
	need_root
	who=root
	as root imgrun -d --name box --uidmap 0:200000:65536 localhost/bb sleep 1000 3>&- >/dev/null || skip "no ids can be mapped here"
	pid=$(as root imgstore inspect box | jq '.[0].State.Pid')
	is_apart user
	[ "$(inside id -u)" = 0 ]
	[ "$(stat -c %u "/proc/$pid")" = 200000 ]
}

groups() {
	local limits=(--pids-limit 30)
	[ "$who" = root ] || limits=()
	begin "$who" "${limits[@]}"
	is_apart cgroup
	# its own group is the root of what it sees
	not grep -v ':/$' <(inside cat /proc/1/cgroup)
	[ "$who" = user ] || grep imgbuild- "/proc/$pid/cgroup"
}
@test "root: cgroup namespace" { both groups root; }
@test "user: cgroup namespace" { both groups user; }

network() {
	begin "$who" --network none
	is_apart net
	local port=$((20000 + RANDOM % 10000)) hex
	hex=$(printf ':%04X' $port)
	[ "$(inside ls /sys/class/net)" = lo ]
	inside httpd -p 127.0.0.1:$port
	inside grep -q "$hex" /proc/net/tcp
	grep -q "$hex" "/proc/$pid/net/tcp"
	not grep -q "$hex" /proc/net/tcp
}
@test "root: network namespace" { both network root; }
@test "user: network namespace" { both network user; }

clocks() {
	begin "$who" --time-offset 500000
	[ "$(readlink "/proc/$pid/ns/time")" != "$(readlink /proc/self/ns/time)" ]
	grep -E '^boottime +500000 ' "/proc/$pid/timens_offsets"
	[ "$(nsenter_uptime)" -ge $(($(cut -d. -f1 /proc/uptime) + 499000)) ]
}
nsenter_uptime() { as "$who" imgrun --rm --time-offset 500000 localhost/bb cut -d. -f1 /proc/uptime; }
@test "root: time namespace" { both clocks root; }
@test "user: time namespace" { both clocks user; }

# ---- limits ----

ulimits() {
	begin "$who" --ulimit nofile=77:88 --ulimit core=0 --shm-size 3m
	[ "$(as "$who" imgrun --rm --ulimit nofile=77:88 localhost/bb sh -c 'ulimit -n; ulimit -Hn')" = $'77\n88' ]
	grep -E '^Max open files +77 +88 ' "/proc/$pid/limits"
	grep -E '^Max core file size +0 +0 ' "/proc/$pid/limits"
	[ "$(inside df -k /dev/shm | awk 'END { print $2 }')" = 3072 ]
	grep -E ' /dev/shm .*size=3072k' "/proc/$pid/mountinfo"
}
@test "root: limits of each process, and shared memory" { both ulimits root; }
@test "user: limits of each process, and shared memory" { both ulimits user; }

# group CONTROLLER: that of box, of version 1
group() {
	local dir=/sys/fs/cgroup/$1
	[ -e "$dir/cgroup.procs" ] || skip "no $1 controller of version 1"
	dir=$dir$(sed -n "s/^[0-9]*:$1:\(.*\)/\1/p" "/proc/$pid/cgroup")
	[[ "$dir" == */imgbuild-* ]]
	echo "$dir"
}
@test "root: memory" {
	who=root
	begin root -m 16m
	local dir
	dir=$(group memory)
	[ "$(cat "$dir/memory.limit_in_bytes")" = 16777216 ]
	run inside dd if=/dev/zero of=/dev/null bs=64M count=1
	[ "$status" = 137 ]
	[ "$(sed -n 's/^oom_kill //p' "$dir/memory.oom_control")" -ge 1 ]
	[ "$(cat "$dir/memory.max_usage_in_bytes")" -le 16777216 ]
	# the container goes on
	[ "$(inside echo alive)" = alive ]
}
@test "root: processes, against a fork bomb" {
	who=root
	begin root --pids-limit 20
	local dir i
	dir=$(group pids)
	inside sh -c 'bomb() { bomb | bomb & }; bomb' >/dev/null 2>&1 3>&- &
	for i in $(seq 100); do [ "$(cat "$dir/pids.current")" -lt 19 ] || break; sleep 0.05; done
	[ "$(cat "$dir/pids.max")" = 20 ]
	[ "$(cat "$dir/pids.current")" -le 20 ]
	for i in $(seq 100); do [ "$(sed -n 's/^max //p' "$dir/pids.events")" -lt 1 ] || break; sleep 0.05; done
	[ "$(sed -n 's/^max //p' "$dir/pids.events")" -ge 1 ]
	as root imgstore rm -f box
	wait
	[ ! -e "$dir" ]
}
@test "root: processor time" {
	who=root
	begin root --cpu-period=100000 --cpu-quota=20000 --cpu-shares 77
	local dir
	dir=$(group cpu)
	[ "$(cat "$dir/cpu.cfs_period_us") $(cat "$dir/cpu.cfs_quota_us") $(cat "$dir/cpu.shares")" = "100000 20000 77" ]
	# from inside: what it has used after two seconds, in ticks of 10 ms
	inside sh -c 'while :; do :; done & sleep 2; read -r _ _ _ _ _ _ _ _ _ _ _ _ _ u s _ </proc/$!/stat; echo $((u + s)); kill -9 $!' >"$T/used"
	cat "$T/used"
	# others may have the processor, too
	[ "$(cat "$T/used")" -ge 1 ]
	[ "$(cat "$T/used")" -le 60 ]
	inside sh -c 'while :; do :; done & sleep 30; kill -9 $!' 3>&- &
	local i
	for i in $(seq 300); do [ "$(sed -n 's/^nr_throttled //p' "$dir/cpu.stat")" -lt 5 ] || break; sleep 0.1; done
	[ "$(sed -n 's/^nr_throttled //p' "$dir/cpu.stat")" -ge 5 ]
}
@test "root: processors and memory nodes" {
	who=root
	begin root --cpuset-cpus 0 --cpuset-mems 0
	local dir
	dir=$(group cpuset)
	[ "$(cat "$dir/cpuset.cpus") $(cat "$dir/cpuset.mems")" = "0 0" ]
	[ "$(inside sed -n 's/^Cpus_allowed_list:.//p;s/^Mems_allowed_list:.//p' /proc/1/status | tr '\n' ' ')" = "0 0 " ]
	[ "$(inside nproc)" = 1 ]
	[ "$(sed -n 's/^Cpus_allowed_list:.//p' "/proc/$pid/status")" = 0 ]
}
@test "root: rates and weight of a disk" {
	need_root
	who=root
	[ -e /sys/fs/cgroup/blkio/cgroup.procs ] || skip "no blkio controller of version 1"
	local loop dir options=()
	truncate -s 64M "$T/rated"
	loop=$(losetup -f --show "$T/rated") || skip "this host has no loop device"
	[ ! -e /sys/fs/cgroup/blkio/blkio.bfq.weight ] && [ ! -e /sys/fs/cgroup/blkio/blkio.weight ] || options=(--blkio-weight 300)
	begin root --device "$loop" --device-read-bps "$loop:1m" --device-write-bps "$loop:2m" --device-read-iops "$loop:100" --device-write-iops "$loop:200" "${options[@]}"
	dir=$(group blkio)
	local number
	number=$((0x$(stat -c %t "$loop"))):$((0x$(stat -c %T "$loop")))
	[ "$(cat "$dir/blkio.throttle.read_bps_device")" = "$number 1048576" ]
	[ "$(cat "$dir/blkio.throttle.write_bps_device")" = "$number 2097152" ]
	[ "$(cat "$dir/blkio.throttle.read_iops_device")" = "$number 100" ]
	[ "$(cat "$dir/blkio.throttle.write_iops_device")" = "$number 200" ]
	local start took
	start=$(date +%s%N)
	inside dd if="$loop" of=/dev/null bs=64k count=40 2>/dev/null
	took=$((($(date +%s%N) - start) / 1000000))
	as root imgstore rm -f box
	losetup -d "$loop"
	echo "2.5 MiB at 1 MiB a second: $took ms"
	[ "$took" -ge 1200 ]
}
@test "root: devices" {
	who=root
	[ -c /dev/fuse ] || skip "this host has no /dev/fuse"
	begin root --device-cgroup-rule 'c 10:229 r'
	local dir
	dir=$(group devices)
	grep -x 'c 10:229 r' "$dir/devices.list"
	not grep -x 'a \*:\* rwm' "$dir/devices.list"
	inside sh -c 'mknod /fuse c 10 229 && mknod /mem c 1 1 && : </fuse && ! sh -c ": >/fuse" 2>/dev/null'
	run inside sh -c ': </mem'
	[[ "$output" == *"Operation not permitted"* ]]
}
