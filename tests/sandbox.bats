#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The sandbox by itself, in a plain directory tree: what a command finds itself in, what it cannot
# reach, and how it ends. Everything as root and as an ordinary user.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
	make_scratch
	local who
	for who in root user; do
		[ $who = root ] && ! is_root && continue
		[ $who = user ] && ! have_user && continue
		mkdir -p "$T/user" "$T/$who-tree" "$T/$who-cache"
		tree "$T/$who-tree"
		if [ $who = user ] && is_root; then chown -hR "$TEST_USER:" "$T/$who-tree" "$T/$who-cache"; fi
	done
	export TOOL=$top_builddir/tests/sandbox-tool
}
teardown_file() { remove_scratch; }

# tree DIR: busybox and what the sandbox mounts on
tree() {
	local a
	mkdir -p "$1"/{bin,proc,sys,dev,tmp,etc,data,home/secret,other}
	cp "$(command -v busybox)" "$1/bin/busybox"
	for a in $(busybox --list); do [ "$a" = busybox ] || ln -s busybox "$1/bin/$a"; done
	ln -s /proc/self/exe "$1/bin/again"
	printf '#!/proc/self/exe\n' >"$1/bin/script-of-exe"
	printf '#!/no/such/interpreter\n' >"$1/bin/script-of-none"
	printf 'no program\n' >"$1/bin/not-executable"
	printf '\1\2\3' >"$1/bin/garbage"
	chmod 755 "$1"/bin/script-* "$1/bin/garbage"
	ln -s /data "$1/link-to-data"
	ln -s ../../../../../../etc "$1/link-out"
	chmod 700 "$1/home/secret"
}

# sandbox WHO OPTION… COMMAND…, in WHO's tree; "--" parts the two
sandbox() {
	local who=$1 options=()
	shift
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	as "$who" "$TOOL" "${options[@]}" "${TREE:-$T/$who-tree}" "$@"
}
need() {
	case $1 in
	root) need_root ;;
	user) need_user; as_user unshare -U true 2>/dev/null || skip "this host allows no user namespaces" ;;
	esac
}
status_field() { grep "^$1:" <<<"$output" | tr -s '\t ' ' ' | cut -d' ' -f2-; }

# ---- what the command is ----

namespaces_are_new() {
	need "$1"
	run sandbox "$1" --net -- sh -c 'for n in mnt pid ipc uts cgroup net; do readlink /proc/self/ns/$n; done'
	[ "$status" = 0 ]
	[ "${#lines[@]}" = 6 ]
	local n i=0
	for n in mnt pid ipc uts cgroup net; do
		[[ "${lines[$i]}" = "$n:["* ]]
		[ "${lines[$i]}" != "$(readlink /proc/self/ns/$n)" ]
		i=$((i + 1))
	done
}
@test "root: the namespaces are new" { namespaces_are_new root; }
@test "user: the namespaces are new" { namespaces_are_new user; }

process_is_plain() {
	need "$1"
	run sandbox "$1" --group 5 --group 7 -- cat /proc/self/status
	[ "$status" = 0 ]
	[ "$(status_field Pid)" = 1 ]
	[ "$(status_field PPid)" = 0 ]
	[ "$(status_field NSsid)" = 1 ]
	[ "$(status_field Groups)" = "5 7 " ]
	[ "$(status_field Umask)" = 0022 ]
	[ "$(status_field CapInh)" = 0000000000000000 ]
	[ "$(status_field CapAmb)" = 0000000000000000 ]
	[ "$(status_field CapPrm)" = 00000000a80425fb ]
	[ "$(status_field CapEff)" = 00000000a80425fb ]
	[ "$(status_field CapBnd)" = 00000000a80425fb ]
	[ "$(status_field NoNewPrivs)" = 0 ]
	[ "$(status_field SigIgn)" = 0000000000000000 ]
	[ "$(status_field SigBlk)" = 0000000000000000 ]
}
@test "root: ids, capabilities, signals, umask" { process_is_plain root; }
@test "user: ids, capabilities, signals, umask" { process_is_plain user; }

nobody_is_powerless() {
	need "$1"
	run sandbox "$1" --nnp --seccomp "$T/$1-cache" --uid 1000 --gid 1001 -- cat /proc/self/status
	[ "$status" = 0 ]
	[ "$(status_field Uid)" = "1000 1000 1000 1000" ]
	[ "$(status_field Gid)" = "1001 1001 1001 1001" ]
	[ "$(status_field Groups)" = " " ] || [ -z "$(status_field Groups)" ]
	[ "$(status_field CapPrm)" = 0000000000000000 ]
	[ "$(status_field CapEff)" = 0000000000000000 ]
	[ "$(status_field CapBnd)" = 00000000a80425fb ]
	[ "$(status_field NoNewPrivs)" = 1 ]
	[ "$(status_field Seccomp)" = 2 ]
}
@test "root: another user has no capabilities" { nobody_is_powerless root; }
@test "user: another user has no capabilities" { nobody_is_powerless user; }

only_stdio_is_open() {
	need "$1"
	# descriptors that we have ourselves are not inherited
	run sandbox "$1" -- ls /proc/self/fd 5</etc/passwd 9</ 77</etc
	[ "$status" = 0 ]
	[ "$output" = $'0\n1\n2\n3' ] # 3 is the directory itself
}
@test "root: no descriptor but 0, 1 and 2" { only_stdio_is_open root; }
@test "user: no descriptor but 0, 1 and 2" { only_stdio_is_open user; }

environment_is_ours() {
	need "$1"
	LEAK=x run sandbox "$1" -e A=b -e 'C=d e' -- sh -c 'tr "\0" "|" </proc/1/environ; :'
	[ "$status" = 0 ]
	[ "$output" = "A=b|C=d e|" ]
}
@test "root: the environment is the description's" { environment_is_ours root; }
@test "user: the environment is the description's" { environment_is_ours user; }

names_and_places() {
	need "$1"
	run sandbox "$1" --hostname box --cwd /data --nofile 77 -- sh -c 'hostname; pwd; ulimit -n; cat /proc/1/comm; :'
	[ "$output" = $'box\n/data\n77\nsh' ]
}
@test "root: host name, directory, limits" { names_and_places root; }
@test "user: host name, directory, limits" { names_and_places user; }

# ---- what it sees ----

dev_is_small() {
	need "$1"
	run sandbox "$1" -- ls /dev
	[ "$output" = $'core\nfd\nfull\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero' ]
	run sandbox "$1" -- sh -ec 'echo x >/dev/null; head -c3 /dev/zero | wc -c; head -c3 /dev/urandom | wc -c
		readlink /dev/ptmx; readlink /dev/fd; touch /dev/shm/x; stat -c %a /dev/shm /dev/mqueue'
	[ "$status" = 0 ]
	[ "$output" = $'3\n3\npts/ptmx\n/proc/self/fd\n1777\n1777' ]
}
@test "root: /dev has what is needed and works" {
	dev_is_small root
	# a pipe is the user's to open again
	run sandbox root --uid 1000 --gid 1000 -- sh -c 'echo to-stderr >/dev/stderr'
	[ "$output" = to-stderr ]
}
@test "user: /dev has what is needed and works" { dev_is_small user; }

# the host's nodes would take a step's chmod and keep it
devices_are_its_own() {
	local before
	need "$1"
	before=$(stat -c '%n %a %u:%g' /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty)
	run sandbox "$1" -- sh -c 'chmod 600 /dev/null /dev/tty; chown 1:1 /dev/zero; rm -f /dev/full; mv /dev/random /dev/r; echo tried'
	[ "$status" = 0 ]
	[ "${lines[-1]}" = tried ]
	[ "$before" = "$(stat -c '%n %a %u:%g' /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty)" ]
}
@test "root: what a command does to its devices stays with it" { devices_are_its_own root; }
@test "user: what a command does to its devices stays with it" { devices_are_its_own user; }

host_is_out_of_sight() {
	need "$1"
	run sandbox "$1" -- cut -d' ' -f5 /proc/self/mountinfo
	[ "$status" = 0 ]
	not grep -vxE '/|/(proc|dev|sys)(/.*)?' <<<"$output"
	[ "$(grep -cx / <<<"$output")" = 1 ]
	run sandbox "$1" -- ls /
	[ "$output" = $'bin\ndata\ndev\netc\nhome\nlink-out\nlink-to-data\nother\nproc\nsys\ntmp' ]
	run sandbox "$1" -- ls -a /proc/1/root/..
	[[ "$output" = *link-to-data* ]]
	run sandbox "$1" -- sh -c 'ps | wc -l'
	[ "$output" -le 4 ]
}
@test "root: no host mount, file or process is visible" { host_is_out_of_sight root; }
@test "user: no host mount, file or process is visible" { host_is_out_of_sight user; }

kernel_is_covered() {
	need "$1"
	run sandbox "$1" -- sh -c 'for f in /proc/kcore /proc/keys /proc/timer_list /proc/interrupts; do
			[ ! -e $f ] || wc -c <$f; done | sort -u
		for d in /proc/acpi /proc/scsi /sys/firmware; do [ ! -e $d ] || ls -A $d; done
		(echo 0 >/proc/sys/kernel/hostname) 2>&1; (echo b >/proc/sysrq-trigger) 2>&1; (mkdir /sys/fs/cgroup/x) 2>&1
		touch /proc/acpi/x 2>&1 || :'
	[ "$(head -1 <<<"$output")" = 0 ]
	[[ "$output" = *"/proc/sys/kernel/hostname: Read-only file system"* ]]
	[ ! -e /proc/sysrq-trigger ] || [[ "$output" = *"/proc/sysrq-trigger: Read-only file system"* ]]
	[[ "$output" = *"/sys/fs/cgroup/x': Read-only file system"* ]] || [[ "$output" = *"/sys/fs/cgroup/x': No such file"* ]]
	[ ! -e /proc/acpi ] || [[ "$output" = *"/proc/acpi/x: Read-only file system"* ]]
	not sandbox "$1" -- sh -c 'ls -A /sys/firmware /proc/acpi 2>/dev/null | grep -v :$ | grep .'
}
@test "root: masked and read-only paths" { kernel_is_covered root; }
@test "user: masked and read-only paths" { kernel_is_covered user; }

own_network() {
	need "$1"
	run sandbox "$1" --net -- sh -c 'ls /sys/class/net; ip -o link | grep -c UP'
	[ "$output" = $'lo\n1' ]
}
@test "root: a network of its own has a loopback" { own_network root; }
@test "user: a network of its own has a loopback" { own_network user; }

root_can_be_read_only() {
	need "$1"
	run sandbox "$1" --read-only -- sh -c 'touch /x; touch /dev/shm/x && echo shm'
	[ "$output" = $'touch: /x: Read-only file system\nshm' ]
}
@test "root: a read-only root" { root_can_be_read_only root; }
@test "user: a read-only root" { root_can_be_read_only user; }

binds() {
	need "$1"
	local host=$T/$1-host
	as "$1" mkdir -p "$T/$1-tree/other" 2>/dev/null || true
	mkdir -p "$host"
	echo from-host >"$host/file"
	chmod -R a+rwX "$host"
	# a link in the way leads to a place inside
	run sandbox "$1" -v "$host:/link-to-data" -- sh -c 'cat /data/file; echo new >/data/written'
	[ "$output" = from-host ]
	[ "$(cat "$host/written")" = new ]
	run sandbox "$1" -v "$host:/data:ro" -- sh -c 'echo new >/data/other'
	[[ "$output" = *"/data/other: Read-only file system" ]]
	run sandbox "$1" -v "$host/file:/data" -- true
	[ "$status" = 125 ]
	[ "$output" = "sandbox-tool: mount '/data': '/data' is a directory, the source is a file" ]
	run sandbox "$1" -v "$host:/nowhere" -- true
	[ "$status" = 125 ]
	[ "$output" = "sandbox-tool: mount '/nowhere': open '/nowhere': No such file or directory" ]
	rm -rf "$host"
}
@test "root: bind mounts" { binds root; }
@test "user: bind mounts" { binds user; }

terminal() {
	need "$1"
	run sandbox "$1" -t -- sh -c 'tty; test -c /dev/console && echo console; ls -1 /dev/pts; echo hi >/dev/tty; cat /proc/self/stat | cut -d" " -f7'
	[ "$status" = 0 ]
	[ "$(tr -d '\r' <<<"$output" | head -5)" = $'/dev/pts/0\nconsole\n0\nptmx\nhi' ]
	[ "$(tr -d '\r' <<<"$output" | tail -1)" != 0 ]
}
@test "root: a terminal of its own" { terminal root; }
@test "user: a terminal of its own" { terminal user; }

# ---- what it cannot do ----

devices_do_not_open() {
	need_root
	run sandbox root -- sh -c 'mknod /data/null c 1 3 && stat -c %t:%T /data/null; cat /data/null; mknod /dev/x c 1 3; cat /dev/x; rm /data/null'
	[ "${lines[0]}" = 1:3 ]
	[ "${lines[1]}" = "cat: can't open '/data/null': Permission denied" ]
	[ "${lines[2]}" = "cat: can't open '/dev/x': Permission denied" ]
	run sandbox root --devices -- sh -ec 'mknod /data/null c 1 3; cat /data/null; rm /data/null'
	[ "$status" = 0 ]
	[ "$output" = "" ]
}
@test "root: a device node made in the container opens only when asked for" { devices_do_not_open; }

filter_holds() {
	need "$1"
	# a user namespace takes no capability: it is the filter that refuses it
	run sandbox "$1" --uid 1000 --gid 1000 -- unshare -U true
	[ "$status" = 0 ]
	run sandbox "$1" --uid 1000 --gid 1000 --seccomp "$T/$1-cache" -- unshare -U true
	[ "$status" = 1 ]
	[ "$output" = "unshare: unshare(0x10000000): Operation not permitted" ]
	# with "no new privileges" and without, as root and not
	run sandbox "$1" --nnp --seccomp "$T/$1-cache" -- sh -c 'grep ^Seccomp: /proc/self/status; unshare -U true'
	[ "$output" = $'Seccomp:\t2\nunshare: unshare(0x10000000): Operation not permitted' ]
}
@test "root: the system call filter" { filter_holds root; }
@test "user: the system call filter" { filter_holds user; }

magic_links_lead_nowhere() {
	need "$1"
	local n
	for n in 0 3 4 5 6 7 8 9 10 20; do
		run sandbox "$1" --cwd /proc/self/fd/$n -- pwd
		[ "$status" = 125 ]
		[[ "$output" = "sandbox-tool: working directory: open '/proc/self/fd/$n': "* ]]
	done
	run sandbox "$1" --cwd /proc/1/cwd -- pwd
	[ "$status" = 125 ]
	[[ "$output" = *"Too many levels of symbolic links" ]]
	run sandbox "$1" --cwd /link-out -- pwd
	[ "$output" = /etc ]
	run sandbox "$1" -- /proc/self/exe
	[ "$status" = 126 ]
	[ "$output" = "sandbox-tool: execute '/proc/self/exe': Permission denied" ]
	run sandbox "$1" -- again
	[ "$status" = 126 ]
	# our program as an interpreter: it takes nothing from a command line, without a description
	if ldd "$top_builddir/sandbox/sandbox" 2>&1 | grep -q 'not a dynamic'; then
		run sandbox "$1" -- /bin/script-of-exe
		[ "$status" = 125 ]
		[ "$output" = "" ]
	fi
}
@test "root: magic links of proc are no way out" { magic_links_lead_nowhere root; }
@test "user: magic links of proc are no way out" { magic_links_lead_nowhere user; }

proc_must_be_a_directory() {
	need "$1"
	local name
	for name in proc sys dev; do
		as "$1" mv "$T/$1-tree/$name" "$T/$1-tree/was"
		as "$1" ln -s other "$T/$1-tree/$name"
		run sandbox "$1" -- true
		as "$1" rm "$T/$1-tree/$name"
		as "$1" mv "$T/$1-tree/was" "$T/$1-tree/$name"
		[ "$status" = 125 ]
		[ "$output" = "sandbox-tool: mount '/$name': open '/$name': a symbolic link is in the path" ]
	done
}
@test "root: /proc, /sys, /dev as links are refused" { proc_must_be_a_directory root; }
@test "user: /proc, /sys, /dev as links are refused" {
	need user
	chown "$TEST_USER:" "$T/user-tree" 2>/dev/null || true
	proc_must_be_a_directory user
}

# ---- how it ends ----

statuses() {
	need "$1"
	run sandbox "$1" -- sh -c 'exit 0'; [ "$status" = 0 ]
	run sandbox "$1" -- sh -c 'exit 37'; [ "$status" = 37 ]
	run sandbox "$1" -- sh -c 'exit 255'; [ "$status" = 255 ]
	run sandbox "$1" --nofile 64 -- sh -c 'ulimit -t 1; while :; do :; done'
	[ "$status" = 137 ] || [ "$status" = 152 ]
}
@test "root: the status is the command's" { statuses root; }
@test "user: the status is the command's" { statuses user; }

exec_failures() {
	need "$1"
	run -127 sandbox "$1" -- nothing-of-that-name
	[ "$status" = 127 ]
	[ "$output" = "sandbox-tool: execute 'nothing-of-that-name': not found in PATH" ]
	run -127 sandbox "$1" -- ''
	[ "$status" = 127 ]
	run -127 sandbox "$1" -- /no/such/file
	[ "$status" = 127 ]
	[ "$output" = "sandbox-tool: execute '/no/such/file': No such file or directory" ]
	run -127 sandbox "$1" -- script-of-none
	[ "$status" = 127 ]
	run sandbox "$1" -- not-executable
	[ "$status" = 126 ]
	[ "$output" = "sandbox-tool: execute 'not-executable': Permission denied" ]
	run sandbox "$1" -- /data
	[ "$status" = 126 ]
	run sandbox "$1" -- garbage
	[ "$status" = 126 ]
	[ "$output" = "sandbox-tool: execute 'garbage': Exec format error" ]
	run sandbox "$1" -e PATH=/nowhere:/bin -- true
	[ "$status" = 0 ]
	run -127 sandbox "$1" -e PATH=/nowhere -- true
	[ "$status" = 127 ]
	run sandbox "$1" --cwd /bin -- ./true
	[ "$status" = 0 ]
}
@test "root: what cannot be executed is 126 or 127" { exec_failures root; }
@test "user: what cannot be executed is 126 or 127" { exec_failures user; }

setup_failures() {
	need "$1"
	run sandbox "$1" --cwd /nowhere -- true
	[ "$status" = 125 ]
	[ "$output" = "sandbox-tool: working directory: open '/nowhere': No such file or directory" ]
	run sandbox "$1" --cwd /bin/busybox -- true
	[ "$status" = 125 ]
	[ "$output" = "sandbox-tool: working directory: open '/bin/busybox': Not a directory" ]
	# root may work where the user could not have gone
	run sandbox "$1" --uid 1000 --gid 1000 --cwd /home/secret -- pwd
	[ "$output" = /home/secret ]
}
@test "root: what cannot be set up is told" { setup_failures root; }
@test "user: what cannot be set up is told" { setup_failures user; }

# A number of seconds that nobody else sleeps.
naps_of() { pgrep -fx "sleep $1" || true; }

killed_launcher_leaves_nothing() {
	need "$1"
	local nap=98$((RANDOM % 900 + 100))$([ "$1" = root ] && echo 1 || echo 2) pid i
	sandbox "$1" -- sh -c "sleep $nap & sleep $nap" &
	for i in $(seq 100); do
		[ "$(naps_of $nap | wc -l)" = 2 ] && break
		sleep 0.1
	done
	[ "$(naps_of $nap | wc -l)" = 2 ]
	pid=$(pgrep -f "sandbox-tool .*sleep $nap" | while read -r p; do
		[ "$(basename "$(readlink "/proc/$p/exe")")" != sandbox-tool ] || echo "$p"; done | tail -1)
	[ -n "$pid" ]
	kill -9 "$pid"
	for i in $(seq 100); do
		[ -n "$(naps_of $nap)" ] || break
		sleep 0.1
	done
	[ -z "$(naps_of $nap)" ]
	not grep -F "$T/$1-tree" /proc/self/mountinfo
}
@test "root: kill -9 of the launcher leaves no process and no mount" { killed_launcher_leaves_nothing root; }
@test "user: kill -9 of the launcher leaves no process and no mount" { killed_launcher_leaves_nothing user; }

@test "root: a program that undid its tie to us dies with the launcher" {
	need_root
	# a set-user-ID program: the kernel forgets the parent-death signal at its exec
	local nap=97$((RANDOM % 900 + 100)) pid i
	cp "$T/root-tree/bin/busybox" "$T/root-tree/bin/suid"
	chmod 4755 "$T/root-tree/bin/suid"
	ln -sf suid "$T/root-tree/bin/sleep"
	sandbox root --uid 1000 --gid 1000 -- sleep $nap &
	for i in $(seq 100); do
		[ -n "$(naps_of $nap)" ] && break
		sleep 0.1
	done
	pid=$(pgrep -fx "$TOOL.* sleep $nap")
	kill -9 "$pid"
	for i in $(seq 100); do
		[ -n "$(naps_of $nap)" ] || break
		sleep 0.1
	done
	ln -sf busybox "$T/root-tree/bin/sleep"
	[ -z "$(naps_of $nap)" ]
}
