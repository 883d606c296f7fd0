#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Entering the user namespace at the start of a command, in each of its modes.

load lib

setup_file() {
	probe=$top_builddir/tests/userns-probe
	export probe
}
need_userns() {
	need_user
	as_user test -x "$probe" || skip "the ordinary user cannot reach $probe"
	as_user unshare -U true 2>/dev/null || skip "this host allows no user namespaces"
}
user_id() { if is_root; then id -u "$TEST_USER"; else id -u; fi; }

@test "root stays in its namespace" {
	need_root
	[ "$(readlink /proc/self/ns/user)" = "user:[4026531837]" ] || skip "in a user namespace already"
	run "$probe"
	[ "$status" = 0 ]
	[ "${lines[0]}" = "mode host" ]
	[ "${lines[1]}" = "host 0:0" ]
	[ "${lines[3]}" = "nested 0" ]
}

@test "a user with subordinate ids is root with all of them" {
	need_userns
	run as_user "$probe" cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups
	[ "$status" = 0 ]
	[ "${lines[0]}" = "mode subids" ] || skip "no subordinate ids: ${lines[4]}"
	[ "${lines[1]}" = "host $(user_id):$(as_user id -g)" ]
	[ "${lines[2]}" = "now 0:0" ]
	[ "${lines[3]}" = "nested 1" ]
	[ "${lines[4]}" = "why " ]
	[ "$(echo "${lines[5]}" | xargs)" = "0 $(user_id) 1" ]
	[ "$(echo "${lines[6]}" | xargs)" = "1 $(as_user sh -c 'grep "^$(id -un):" /etc/subuid' | cut -d: -f2,3 | tr : ' ')" ]
	[ "${lines[-1]}" = allow ]
}

@test "root of the namespace owns its /proc, has no groups, and can mount and chown" {
	need_userns
	run as_user "$probe" sh -ec 'stat -c %u /proc/self/; id -G; mount -t tmpfs none /mnt
		echo x >/mnt/file; chown 5:6 /mnt/file; stat -c %u:%g /mnt/file'
	[ "${lines[0]}" = "mode subids" ] || skip "no subordinate ids: ${lines[4]}"
	[ "$status" = 0 ]
	[ "${lines[5]}" = 0 ]
	[ "${lines[6]}" = 0 ]
	[ "${lines[7]}" = 5:6 ]
}

@test "mounts do not leak out" {
	need_userns
	as_user "$probe" sh -c 'mount -t tmpfs leaked-from-probe /mnt && grep -q leaked-from-probe /proc/self/mountinfo'
	not grep leaked-from-probe /proc/self/mountinfo
}

@test "without newuidmap there is one id, and the remedy is told" {
	need_userns
	run as_user env PATH=/nonexistent "$probe"
	[ "$status" = 0 ]
	[ "${lines[0]}" = "mode single" ]
	[ "${lines[2]}" = "now 0:0" ]
	[[ "${lines[4]}" == "why new"[ug]"idmap cannot be started: install it (Debian: apt install uidmap)" ]] ||
		[[ "${lines[4]}" == "why /etc/sub"[ug]"id has no range for user "*"; as root: usermod --add-sub"* ]]
}

@test "a newuidmap that fails leaves one id, and its words are told" {
	need_userns
	make_scratch
	mkdir "$T/bin"
	printf '#!/bin/sh\necho "no map for you" >&2\nexit 1\n' >"$T/bin/newuidmap"
	cp "$T/bin/newuidmap" "$T/bin/newgidmap"
	chmod -R a+rx "$T/bin"
	run as_user env PATH="$T/bin:$PATH" "$probe" /bin/cat /proc/self/uid_map
	remove_scratch
	[ "$status" = 0 ]
	[ "${lines[0]}" = "mode single" ]
	[[ "${lines[4]}" == *"no map for you"* ]] || [[ "${lines[4]}" == *"has no range"* ]]
	[ "$(echo "${lines[5]}" | xargs)" = "0 $(user_id) 1" ]
	[ "${#lines[@]}" = 6 ]
}

@test "one of the two failing still gives a whole namespace" {
	need_userns
	make_scratch
	mkdir "$T/bin"
	printf '#!/bin/sh\nexit 1\n' >"$T/bin/newgidmap"
	chmod -R a+rx "$T/bin"
	run as_user env PATH="$T/bin:$PATH" "$probe" cat /proc/self/gid_map /proc/self/setgroups
	remove_scratch
	[ "$status" = 0 ]
	[ "${lines[0]}" = "mode single" ]
	[ "${lines[2]}" = "now 0:0" ]
	[ "$(echo "${lines[5]}" | xargs)" = "0 $(as_user id -g) 1" ]
	[ "${lines[6]}" = deny ]
}

@test "in somebody's namespace as its root nothing is entered" {
	need_userns
	run as_user unshare -Ur sh -c 'readlink /proc/self/ns/user; "$0" readlink /proc/self/ns/user' "$probe"
	[ "$status" = 0 ]
	[ "${lines[1]}" = "mode inside" ]
	[ "${lines[2]}" = "host $(user_id):$(as_user id -g)" ]
	[ "${lines[0]}" = "${lines[-1]}" ]
}

@test "a host that allows none says what to change" {
	need_userns
	run as_user unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces
		setpriv --bounding-set -sys_admin,-sys_chroot "$0"; echo "status $?"
		setpriv --bounding-set -sys_admin "$0" --possible
		setpriv --bounding-set -sys_admin "$0"' "$probe"
	[ "${lines[0]}" = "userns-probe: make a user namespace: No space left on device" ]
	[[ "${lines[1]}" == *"sysctl user.max_user_namespaces="* ]]
	[ "${lines[2]}" = "status 5" ]
	[ "${lines[3]}" = "possible 0" ]
	# root that can at least chroot does with that
	[ "${lines[4]}" = "mode chroot" ]
	[[ "${lines[-1]}" == "why make a user namespace: No space left on device: "*"sysctl user.max_user_namespaces="* ]]
}

@test "what is possible is known beforehand" {
	need_userns
	run as_user "$probe" --possible
	[ "$output" = "possible 1" ]
	run "$probe" --possible
	[ "$output" = "possible 1" ]
}
