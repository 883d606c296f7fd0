#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# OCI bundles of our images and options, run by other runtimes.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
	need_root
	make_scratch
	busybox_tar "$T/bb.tar"
	as root imgstore import "$T/bb.tar" localhost/bb >&2
}
teardown_file() { [ -z "${T-}" ] || remove_scratch; }
setup() { need_root; }
runs() { command -v "$1" >/dev/null || skip "$1 is not installed"; }

# by RUNTIME: what a container is does not depend on who runs it
by() {
	runs "$1"
	local why
	why=$("$1" run 2>&1 <<<'' || true)
	[[ "$(as root imgrun --rm --runtime "$1" localhost/bb true 2>&1)" != *"hybrid mode not supported"* ]] ||
		skip "$1: cgroups in hybrid mode not supported"
	local look='id; pwd; echo $A; grep -E "^(Cap|NoNew|Seccomp:)" /proc/self/status; hostname; ls /proc | grep -c "^[0-9]*$"; umask; cat /etc/hosts; stat -c "%n %a %F" /dev/null /dev/pts /dev/shm'
	as root imgrun --rm -h box -u alice -w /tmp -e A=b --cap-drop KILL localhost/bb sh -c "$look" >"$T/ours"
	as root imgrun --rm --runtime "$1" -h box -u alice -w /tmp -e A=b --cap-drop KILL localhost/bb sh -c "$look" >"$T/theirs"
	diff -u "$T/ours" "$T/theirs"
	run as root imgrun --rm --runtime "$1" localhost/bb sh -c 'echo out; echo err >&2; exit 6'
	[ "$status" = 6 ]
	mkdir -p "$T/shared"
	echo shown >"$T/shared/f"
	run as root imgrun --rm --runtime "$1" -v "$T/shared:/s:ro" --tmpfs /t:size=64k --network=none localhost/bb sh -c 'cat /s/f; echo x >/s/g; ls /sys/class/net; df -k /t | tail -1 | { read a b c; echo $b; }'
	echo "$output"
	[[ "$output" == *shown* ]]
	[[ "$output" == *"Read-only file system"* ]]
	[[ "$output" == *$'lo\n'* ]]
	[ "${lines[-1]}" = 64 ] || [ "${lines[-2]}" = 64 ]
	run as root imgrun --rm --runtime "$1" -m 16m localhost/bb dd if=/dev/zero of=/dev/null bs=64M count=1
	[ "$status" = 137 ]
	run as root imgrun --rm --runtime "$1" localhost/bb mkdir /sys/kernel/x
	[ "$status" = 1 ]
	# nodes can be made and not opened, but by who is held back from nothing
	run as root imgrun --rm --runtime "$1" localhost/bb sh -c 'mknod /loop b 7 0 && dd if=/loop of=/dev/null bs=1 count=1'
	[ "$status" = 1 ]
	[[ "$output" == *"Operation not permitted"* ]]
	as root imgrun --rm --privileged localhost/bb grep CapEff /proc/self/status >"$T/ours"
	as root imgrun --rm --runtime "$1" --privileged localhost/bb sh -c 'mknod /none b 4095 1048575; dd if=/none 2>&1 | grep "No such device" >&2; grep CapEff /proc/self/status' >"$T/theirs" 2>"$T/err"
	diff -u "$T/ours" "$T/theirs"
	grep "No such device" "$T/err"
	# what it wrote can be kept
	as root imgrun --rm --runtime "$1" --commit localhost/kept localhost/bb sh -c 'echo kept >/kept'
	[ "$(as root imgrun --rm localhost/kept cat /kept)" = kept ]
	as root imgrun --rm --runtime "$1" --cidfile "$T/cid.$1" localhost/bb true
	[ "$(wc -c <"$T/cid.$1")" = 64 ]
	[ "$(as root imgstore ps | wc -l)" = 1 ]
	not grep -F "$T/root-store" /proc/self/mountinfo
}
# more RUNTIME: what its language has no words for is done around it
more() {
	runs "$1"
	[[ "$(as root imgrun --rm --runtime "$1" localhost/bb true 2>&1)" != *"hybrid mode not supported"* ]] ||
		skip "$1: cgroups in hybrid mode not supported"
	local here there
	read -r here _ </proc/uptime
	there=$(as root imgrun --rm --runtime "$1" --time-offset 100000 localhost/bb cut -d. -f1 /proc/uptime)
	[ "$there" -ge $((${here%.*} + 100000)) ]
	mkdir -p "$T/lower"
	echo below >"$T/lower/f"
	[ "$(as root imgrun --rm --runtime "$1" -v "$T/lower:/o:O" localhost/bb sh -c 'echo above >/o/f; cat /o/f')" = above ]
	[ "$(cat "$T/lower/f")" = below ]
	# another's namespaces
	as root imgrun -d --name first -h of-first --network none localhost/bb sleep 1000 3>&-
	[ "$(as root imgrun --rm --runtime "$1" --uts container:first --network container:first --pid container:first localhost/bb \
		sh -c 'hostname; ls /sys/class/net; ps | grep -c "[s]leep 1000"')" = $'of-first\nlo\n1' ]
	as root imgstore rm -f first
	# processes are ended by imgstore, too
	as root imgrun --runtime "$1" --name second localhost/bb sh -c 'trap "exit 9" TERM; echo is here; while :; do sleep 0.1; done' >"$T/second" 3>&- &
	until grep -q here "$T/second" 2>/dev/null; do sleep 0.05; done
	as root imgstore stop second
	local how=0
	wait $! || how=$?
	[ "$how" = 9 ]
	as root imgstore rm second
	[ -z "$(ls "$T/root-store/cgroups" 2>/dev/null)" ]
}
@test "imgrun --runtime=runc: volumes, clocks, namespaces of others" { more runc; }
@test "imgrun --runtime=crun: volumes, clocks, namespaces of others" { more crun; }

@test "user: imgrun --runtime=runc" {
	need_user
	runs runc
	as user imgstore import "$T/bb.tar" localhost/bb >&2
	local look='id; pwd; grep -E "^(Cap|NoNew|Seccomp:)" /proc/self/status; hostname; umask; stat -c "%n %a %F" /dev/null /dev/pts /dev/shm; touch /sys/x 2>/dev/null || echo ro; echo hi >/tmp/made; stat -c "%u:%g" /tmp/made'
	as user imgrun --rm -u alice -w /tmp localhost/bb sh -c "$look" >"$T/ours"
	as user imgrun --rm --runtime runc -u alice -w /tmp localhost/bb sh -c "$look" >"$T/theirs"
	diff -u "$T/ours" "$T/theirs"
	refused user 125 "limit of memory" imgrun --rm --runtime runc -m 16m localhost/bb true
}
@test "imgrun --runtime needs namespaces" {
	need_user
	refused user 125 "--runtime needs isolation 'namespaces', and here it is 'single-id'" imgrun --rm --isolation single-id --runtime runc localhost/bb true
}

@test "imgrun --runtime=runc" { by runc; }
@test "imgrun --runtime=crun" { by crun; }

@test "a bundle: config.json, a root that can be written to, and nothing when it is removed" {
	local id
	id=$(as root imgstore bundle localhost/bb "$T/b")
	jq -e '.ociVersion and .process.args == ["sh"] and .root.path == "rootfs"' "$T/b/config.json"
	[ -x "$T/b/rootfs/bin/busybox" ]
	echo new >"$T/b/rootfs/new"
	if command -v runc >/dev/null; then
		jq '.process.args=["sh","-c","cat /new; echo more >/more"]' "$T/b/config.json" >"$T/c" && mv "$T/c" "$T/b/config.json"
		[ "$(runc --root "$T/runc" run --bundle "$T/b" "imgbuild-test-$$")" = new ]
		[ "$(cat "$T/b/rootfs/more")" = more ]
	fi
	if command -v podman >/dev/null; then
		run podman --cgroup-manager cgroupfs --runtime runc --root "$T/podman" --runroot "$T/podman-run" run --rm --network host --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --rootfs "$T/b/rootfs" /bin/cat /new
		echo "$output"
		[[ "$output" == *new ]]
	fi
	as root imgstore rm "$id"
	not grep -F "$T/b" /proc/self/mountinfo
	[ -z "$(ls -A "$T/b/rootfs")" ]
}

@test "a bundle with the options of imgrun" {
	local id
	id=$(as root imgrun --bundle "$T/o" -e A=b -u alice --read-only --cap-drop ALL -m 64m --pids-limit 7 --blkio-weight 300 --security-opt no-new-privileges --network none -v "$T:/x:ro" localhost/bb echo hi)
	jq -c '[.process.args, .process.user, .process.noNewPrivileges, .process.capabilities.bounding, .root.readonly, .linux.resources.memory.limit, .linux.resources.pids.limit, .linux.resources.blockIO.weight]' "$T/o/config.json" >"$T/said"
	[ "$(cat "$T/said")" = '[["echo","hi"],{"uid":1000,"gid":1001,"additionalGids":[100]},true,[],true,67108864,7,300]' ]
	jq -e '.process.env | index("A=b")' "$T/o/config.json"
	jq -e --arg t "$T" '.mounts[] | select(.destination == "/x") | .source == $t' "$T/o/config.json"
	jq -e '[.linux.namespaces[].type] | index("network")' "$T/o/config.json"
	as root imgstore rm "$id"
}

@test "what a bundle cannot say is refused" {
	refused root 125 "an init is not part of a bundle" imgrun --bundle "$T/r" --init localhost/bb true
	mkdir -p "$T/over"
	refused root 125 "has no path" imgrun --bundle "$T/r" -v "$T/over:/x:O" localhost/bb true
	refused root 125 "runtime 'no-such-runtime' is not here" imgrun --rm --runtime no-such-runtime localhost/bb true
	refused root 125 "is not supported" imgrun -d --runtime runc localhost/bb true
	[ "$(as root imgstore ps | wc -l)" = 1 ]
}
@test "user: a bundle is made in a namespace that stays" {
	need_user
	as user imgstore import "$T/bb.tar" localhost/bb >&2
	refused user 125 "an ordinary user's mount would end with this command" imgrun --bundle "$T/user/b" localhost/bb
	run as user imgstore unshare sh -c 'id=$(imgstore bundle localhost/bb "$0") && ls "$0/rootfs/bin/busybox" && imgstore rm $id' "$T/user/b"
	echo "$output"
	[ "$status" = 0 ]
}
