#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Limits on all processes of a container or step together: seen from inside and from outside, as root, and as an
# ordinary user in groups that were given to him.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
	wait_for_others
	make_scratch
	import_busybox
	delegate
}
teardown_file() {
	local dir
	for dir in $(cat "$T/delegated" 2>/dev/null); do rmdir "$dir" || true; done
	remove_scratch
}

# Where the host has version 1: groups that belong to the user, so that he may divide them.
delegate() {
	local c dir
	is_root && have_user || return 0
	: >"$T/delegated"
	for c in memory cpu cpuacct cpuset pids devices; do
		[ -e "/sys/fs/cgroup/$c/cgroup.procs" ] || continue
		dir=/sys/fs/cgroup/$c$(own_group "$c")/${T##*/}
		mkdir "$dir"
		chown "$TEST_USER:" "$dir" "$dir"/cgroup.procs
		if [ "$c" = cpuset ]; then
			cat "${dir%/*}/cpuset.cpus" >"$dir/cpuset.cpus"
			cat "${dir%/*}/cpuset.mems" >"$dir/cpuset.mems"
		fi
		echo "$dir" >>"$T/delegated"
	done
}
own_group() { sed -n "s/^[0-9]*:$1:\(.*\)/\1/p" /proc/self/cgroup | sed 's,^/$,,'; }

# limited WHO CMD…: where that one may set limits
limited() {
	local who=$1 dir
	shift
	if [ "$who" = root ]; then
		as root "$@"
		return
	fi
	(
		while read -r dir; do echo $BASHPID >"$dir/cgroup.procs"; done <"$T/delegated"
		as user "$@"
	)
}
need() {
	need_builder "$1"
	if [ "$1" = user ]; then
		[ -s "$T/delegated" ] || skip "no cgroup can be given to the user here"
	else
		mkdir "/sys/fs/cgroup/memory$(own_group memory)/$$.probe" 2>/dev/null ||
			[ -e /sys/fs/cgroup/cgroup.controllers ] || skip "this host lets root make no cgroup"
		rmdir "/sys/fs/cgroup/memory$(own_group memory)/$$.probe" 2>/dev/null || true
	fi
}
# a name of a container that can be told from others' groups
id_of() { as "$1" imgstore ps --format json | jq -r ".[] | select(.name == \"$2\") | .id" 2>/dev/null; }

hog_is_killed() {
	need "$1"
	run limited "$1" imgrun --rm -m 16m localhost/bb sh -c 'dd if=/dev/zero of=/dev/null bs=64M count=1; echo $?'
	echo "$output"
	[[ "$output" == *137* ]]
	[[ "$output" == *"ran out of memory (--memory)"* ]]
	run limited "$1" imgrun --rm -m 16m localhost/bb dd if=/dev/zero of=/dev/null bs=64M count=1
	[ "$status" = 137 ]
	# the same with room for it
	run limited "$1" imgrun --rm -m 256m localhost/bb dd if=/dev/zero of=/dev/null bs=64M count=1
	[ "$status" = 0 ]
	[[ "$output" != *"ran out of memory"* ]]
}
@test "root: who needs more than --memory is killed, and that is told" { hog_is_killed root; }
@test "user: who needs more than --memory is killed, and that is told" { hog_is_killed user; }

fork_bomb_stops() {
	need "$1"
	run limited "$1" imgrun --rm --pids-limit 5 localhost/bb sh -c 'for i in 1 2 3 4 5 6 7 8 9; do sleep 5 & done; echo never'
	echo "$output"
	[[ "$output" == *"can't fork"* ]]
	[[ "$output" != *never* ]]
}
@test "root: processes stop at --pids-limit" { fork_bomb_stops root; }
@test "user: processes stop at --pids-limit" { fork_bomb_stops user; }

# what its processes used, in percent of the time that went by
cpu_percent() {
	python3 -c '
import resource, subprocess, sys, time
t = time.monotonic()
subprocess.run(sys.argv[1:])
u = resource.getrusage(resource.RUSAGE_CHILDREN)
print(int(100 * (u.ru_utime + u.ru_stime) / (time.monotonic() - t)))' "$@"
}
# the first process cannot be ended by one of its own
SPIN='while :; do :; done & sleep 3; kill -9 $!'
spinning_is_slowed() {
	need "$1"
	export -f limited as as_user user_home user_runtime
	export TEST_USER
	local percent
	percent=$(cpu_percent bash -c 'limited "$@"' - "$1" imgrun --rm --cpu-period=100000 --cpu-quota=20000 localhost/bb \
		sh -c "$SPIN")
	echo "$percent %"
	[ "$percent" -le 28 ] # starting it is not under its limit
	percent=$(cpu_percent bash -c 'limited "$@"' - "$1" imgrun --rm --cpus 0.1 localhost/bb sh -c "$SPIN")
	echo "$percent %"
	[ "$percent" -le 18 ]
}
@test "root: a spinning process gets its part of a processor" { spinning_is_slowed root; }
@test "user: a spinning process gets its part of a processor" { spinning_is_slowed user; }

processors() {
	need "$1"
	run limited "$1" imgrun --rm --cpuset-cpus 0 localhost/bb grep Cpus_allowed_list /proc/self/status
	[ "$output" = $'Cpus_allowed_list:\t0' ]
	run -125 limited "$1" imgrun --rm --cpuset-cpus 4000 localhost/bb true
	[[ "$output" == *"limit of processors and memory nodes: write '4000' into "* ]]
}
@test "root: --cpuset-cpus" { processors root; }
@test "user: --cpuset-cpus" { processors user; }

# what is written where, from outside
seen_from_outside() {
	need "$1"
	[ -e /sys/fs/cgroup/memory/memory.limit_in_bytes ] || skip "the files of version 2 are other ones"
	local groups
	limited "$1" imgrun --rm --name "out-$1" -m 32m --memory-swap 40m --memory-reservation 20m --cpu-shares 77 --cpus 1.5 --pids-limit 99 \
		-i localhost/bb sh -c 'cat /proc/self/cgroup; echo ready; cat' <"$T/hold.$1" >"$T/out.$1" &
	exec {hold}>"$T/hold.$1"
	until grep -q ready "$T/out.$1"; do sleep 0.05; done
	# inside, each group looks like the root
	not grep -v ':/$' <(grep : "$T/out.$1")
	groups=$(groups_of "$1")
	mem=$(grep /memory/ <<<"$groups")
	cpu=$(grep /cpu/ <<<"$groups")
	pids=$(grep /pids/ <<<"$groups")
	[ "$(cat "$mem/memory.limit_in_bytes")" = 33554432 ]
	[ "$(cat "$mem/memory.memsw.limit_in_bytes")" = 41943040 ]
	[ "$(cat "$mem/memory.soft_limit_in_bytes")" = 20971520 ]
	[ "$(cat "$cpu/cpu.shares")" = 77 ]
	[ "$(cat "$cpu/cpu.cfs_quota_us")" = 150000 ]
	[ "$(cat "$pids/pids.max")" = 99 ]
	# its command is in it, and nothing of ours
	[ "$(ps -o comm= -p "$(paste -sd, "$pids/cgroup.procs")" | sort -u)" = cat ]
	exec {hold}>&-
	wait
	groups_are_gone "$groups"
	[ -z "$(ls -A "$(store_of "$1")/cgroups")" ]
}
@test "root: limits seen from outside, and gone with the container" {
	mkfifo "$T/hold.root"
	seen_from_outside root
}
@test "user: limits seen from outside, and gone with the container" {
	mkfifo -m 666 "$T/hold.user"
	seen_from_outside user
}

killed_leaves_no_group() {
	need "$1"
	local groups
	limited "$1" sh -c 'echo $$ >"$0"; exec imgrun --rm --pids-limit 50 localhost/bb sleep 1000' "$T/user/pid.$1" &
	until groups=$(groups_of "$1") && [ -n "$groups" ] && pgrep -P "$(pgrep -d, -P "$(cat "$T/user/pid.$1")")" -x sleep >/dev/null; do sleep 0.05; done
	kill -KILL "$(cat "$T/user/pid.$1")"
	wait || true
	not groups_are_gone "$groups"
	limited "$1" imgrun --rm localhost/bb true
	groups_are_gone "$groups"
}
@test "root: groups that a killed imgrun left are removed by the next command" { killed_leaves_no_group root; }
@test "user: groups that a killed imgrun left are removed by the next command" { killed_leaves_no_group user; }

steps_are_limited() {
	need "$1"
	local c=$T/context.$1
	mkdir -p "$c"
	printf 'FROM localhost/bb\nRUN dd if=/dev/zero of=/dev/null bs=64M count=1\n' >"$c/Buildfile"
	run -1 limited "$1" imgbuild -m 16m "$c"
	echo "$output"
	[[ "$output" == *"exit status 137 (out of memory: --memory)"* ]] || [[ "$output" == *"killed by signal 9 (Killed) (out of memory: --memory)"* ]]
	limited "$1" imgbuild -m 256m "$c" >"$T/id"
	printf 'FROM localhost/bb\nRUN for i in 1 2 3 4 5 6 7 8 9; do sleep 5 & done; echo never\n' >"$c/Buildfile"
	run -1 limited "$1" imgbuild --pids-limit 5 --no-cache "$c"
	[[ "$output" == *"can't fork"* ]]
	# how much it may have makes no other step of it
	printf 'FROM localhost/bb\nRUN echo same >/f\n' >"$c/Buildfile"
	limited "$1" imgbuild -q -m 256m "$c" >"$T/id1"
	limited "$1" imgbuild -q -m 128m --cpus 1 "$c" >"$T/id2"
	cmp "$T/id1" "$T/id2"
	[ -z "$(ls -A "$(store_of "$1")/cgroups")" ]
}
@test "root: limits of RUN steps" { steps_are_limited root; }
@test "user: limits of RUN steps" { steps_are_limited user; }

@test "user: without a group of his own the limit is refused, with the remedy" {
	need_builder user
	run -125 as user imgrun --rm -m 64m localhost/bb true
	echo "$output"
	[[ "$output" == *"limit of memory: "* ]]
	[[ "$output" == *"systemd-run --user --scope --property=Delegate=yes"* ]]
	run as user imgstore ps
	[[ "$output" != *localhost/bb* ]]
}

@test "root: rates of a disk" {
	need root
	[ -e /sys/fs/cgroup/blkio/cgroup.procs ] || skip "no blkio controller of version 1"
	command -v mkfs.ext4 >/dev/null || skip "mkfs.ext4 is not installed"
	truncate -s 16M "$T/disk"
	mkfs.ext4 -q "$T/disk"
	loop=$(losetup -f --show "$T/disk") || skip "this host has no loop device"
	mkdir "$T/mnt"
	mount "$loop" "$T/mnt"
	head -c 3M /dev/urandom >"$T/mnt/file"
	umount "$T/mnt"
	mount "$loop" "$T/mnt"
	# somebody's mount namespace may still have the first one, and keep what was written in memory
	dd of="$T/mnt/file" oflag=nocache conv=notrunc,fdatasync count=0 status=none
	start=$(date +%s%N)
	run as root imgrun --rm --device-read-bps "$loop:1m" -v "$T/mnt:/mnt" localhost/bb cp /mnt/file /file
	took=$((($(date +%s%N) - start) / 1000000))
	umount "$T/mnt"
	losetup -d "$loop"
	echo "status $status, $took ms"
	[ "$status" = 0 ]
	[ "$took" -ge 1500 ]
}

@test "what is no limit is refused" {
	local who=root
	is_root || who=user
	while IFS='|' read -r args says; do
		run -125 as $who imgrun --rm $args localhost/bb true
		echo "$args: $output"
		[[ "$output" == *"$says"* ]]
	done <<-'END'
		-m x|--memory: 'x' is no size
		-m 1k|--memory: '1k' is less than any process needs
		--memory-swap 1g|--memory-swap: it is memory and swap together: give --memory too
		-m 64m --memory-swap 32m|--memory-swap: '32m' is memory and swap together, and less than --memory
		-m 64m --memory-reservation 65m|--memory-reservation: '65m' is more than --memory
		--cpus 0|--cpus: '0' is no number of processors
		--cpus 1 --cpu-quota 1000|--cpus: it says the same as --cpu-period and --cpu-quota
		--cpu-period 1|--cpu-period: '1' is not within 1000 and 1000000
		--cpu-quota 9|--cpu-quota: '9' is not within 1000
		--cpu-shares 1|--cpu-shares: '1' is not within 2 and 262144
		--cpuset-cpus 1-|--cpuset-cpus: '1-' is no list of numbers
		--cpuset-mems ,|--cpuset-mems: ',' is no list of numbers
		--pids-limit 0|--pids-limit: '0' is not within 1
		--blkio-weight 5|--blkio-weight: '5' is not within 10 and 1000
		--device-read-bps /dev/null|'/dev/null' is not DEVICE:SIZE
		--device-read-bps /dev/null:1m|'/dev/null' is no block device
		--device-cgroup-rule c|--device-cgroup-rule: 'c' is no rule for devices
		--cgroup-parent /a/../b|--cgroup-parent: '/a/../b' is no path of a cgroup
	END
}

@test "root: --cgroup-parent" {
	need root
	[ -e /sys/fs/cgroup/pids/cgroup.procs ] || skip "no pids controller of version 1"
	run as root imgrun --rm --cgroup-parent "/${T##*/}-p/q" --pids-limit 10 localhost/bb true
	[ "$status" = 0 ]
	rmdir "/sys/fs/cgroup/pids/${T##*/}-p/q" "/sys/fs/cgroup/pids/${T##*/}-p"
}

# what /proc says of the machine, as programs of the host read it: those of busybox ask the kernel
proc_shows_limits() {
	need "$1"
	[ -c /dev/fuse ] || skip "no /dev/fuse here"
	local out=$T/user/shown.$1
	limited "$1" imgrun --rm -m 64m --cpus 0.5 --limits-in-proc -v /usr:/usr:ro -v /usr/lib:/lib:ro -v /usr/lib64:/lib64:ro \
		--tmpfs /run localhost/bb sh -euc '
		free -b | sed -n "s/^Mem: *\([0-9]*\) .*/total \1/p"
		dd if=/dev/zero of=/run/f bs=1M count=20 2>/dev/null
		free -k | sed -n "s/^Mem: *[0-9]* *\([0-9]*\) .*/used \1/p"
		echo processors $(grep -c ^processor /proc/cpuinfo) $(grep -c "^cpu[0-9]" /proc/stat)
		sleep 1.1
		echo up $(cut -d. -f1 /proc/uptime) $(awk "{ print int(\$1) }" /proc/uptime)
		echo boot $(($(date +%s) - $(sed -n "s/btime //p" /proc/stat)))
		echo age $(/usr/bin/ps -o etimes= 1)
		echo threads $(cut -d" " -f4 /proc/loadavg)
		sh -c "echo x >/proc/meminfo" 2>&1 | grep -o Read-only
	' >"$out"
	cat "$out"
	grep -qx 'total 67108864' "$out"
	[ "$(sed -n 's/^used //p' "$out")" -ge 20000 ]
	[ "$(sed -n 's/^used //p' "$out")" -lt 60000 ]
	grep -qx 'processors 1 1' "$out"
	grep -qE '^up [1-9][0-9]? [1-9][0-9]?$' "$out"
	grep -qE '^boot [1-9][0-9]?$' "$out"
	grep -qE '^age [1-9][0-9]?$' "$out"
	grep -qE '^threads [12]/[23]$' "$out"
	grep -qx 'Read-only' "$out"
}
@test "root: --limits-in-proc" { proc_shows_limits root; }
@test "user: --limits-in-proc" { proc_shows_limits user; }

servers() { pgrep -x procview | sort; }
# the program ends with the container, whoever ends that
server_ends() {
	need "$1"
	[ -c /dev/fuse ] || skip "no /dev/fuse here"
	local before server
	before=$(servers)
	limited "$1" sh -c 'echo $$ >"$0"; exec imgrun --rm --name "$1" --limits-in-proc localhost/bb sleep 50' "$T/user/shower.$1" "shower-$1" &
	until [ -s "$T/user/shower.$1" ] && pgrep -P "$(pgrep -d, -P "$(cat "$T/user/shower.$1")")" -x sleep >/dev/null 2>&1; do sleep 0.05; done
	server=$(pgrep -P "$(cat "$T/user/shower.$1")" -x procview)
	# another command in there sees the same
	[ "$(limited "$1" imgstore exec "shower-$1" cat /proc/uptime | cut -d. -f1)" -lt 60 ]
	kill -KILL "$(cat "$T/user/shower.$1")"
	wait || true
	for _ in $(seq 100); do [ -e "/proc/$server" ] || break; sleep 0.05; done
	[ ! -e "/proc/$server" ]
	[ "$(servers)" = "$before" ]
	limited "$1" imgrun --rm localhost/bb true
}
@test "root: what serves --limits-in-proc ends with a killed imgrun" { server_ends root; }
@test "user: what serves --limits-in-proc ends with a killed imgrun" { server_ends user; }

@test "--limits-in-proc without FUSE, without a group, and where it cannot be" {
	local who=root
	is_root || who=user
	need "$who"
	if is_root; then
		# the fuse driver could not even begin
		IMGBUILD_STORAGE_DRIVER='' run -125 as root unshare -m sh -c 'mount --bind /dev/null /dev/fuse && exec imgrun --rm --limits-in-proc localhost/bb true'
		echo "$output"
		[[ "$output" == *"--limits-in-proc: FUSE: "* ]]
		[[ "$output" == *"it needs FUSE: the kernel's module, and /dev/fuse to be opened"* ]]
		mkdir "$T/chroot"
		printf 'FROM scratch\nADD bb.tar /\n' >"$T/chroot/Buildfile"
		cp "$T/bb.tar" "$T/chroot"
		IMGBUILD_STORAGE_DRIVER='' imgbuild --root "$T/chroot-store" -q --isolation chroot -t bb "$T/chroot"
		IMGBUILD_STORAGE_DRIVER='' run -125 imgrun --root "$T/chroot-store" --rm --isolation chroot --limits-in-proc bb true
		echo "$output"
		[[ "$output" == *"--limits-in-proc: nothing can be mounted in a container that is a chroot"* ]]
	fi
	if have_user && [ ! -w /sys/fs/cgroup/memory ] || is_root; then
		run -125 as user imgrun --rm --limits-in-proc localhost/bb true
		echo "$output"
		[[ "$output" == *"--limits-in-proc: no cgroup can be made that counts what it uses"* ]]
		[[ "$output" == *"Delegate=yes"* ]]
	fi
	run -125 as "$who" imgrun --rm --limits-in-proc --time-offset 5 localhost/bb true
	[[ "$output" == *"--limits-in-proc with --time-offset"* ]]
	run -125 as "$who" imgrun --rm --limits-in-proc --runtime runc localhost/bb true
	[[ "$output" == *"--limits-in-proc with --runtime is not supported"* ]]
}
