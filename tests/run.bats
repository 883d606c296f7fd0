#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# imgrun: containers of an imported image, as root and as an ordinary user.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
	wait_for_others
	make_scratch
	import_busybox
}
teardown_file() { remove_scratch; }

need() {
	case $1 in
	root) need_root ;;
	user) need_user; as_user unshare -U true 2>/dev/null || skip "this host allows no user namespaces" ;;
	esac
}
containers() { ls "$(store_of "$1")/containers" | wc -l; }
# in a pseudo terminal of 33 lines and 77 columns; standard input is typed
in_terminal() {
	python3 -c 'import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    os.execvp(sys.argv[1], sys.argv[1:])
typed = sys.stdin.buffer.read()
if typed: os.write(fd, typed)
try:
    while True:
        data = os.read(fd, 4096)
        if not data: break
        os.write(1, data)
except OSError: pass
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status) % 256)' "$@"
}

runs() {
	need "$1"
	run as "$1" imgrun --rm localhost/bb sh -c 'echo out; echo err >&2; id -u; pwd; exit 3'
	[ "$status" = 3 ]
	[ "$output" = $'out\nerr\n0\n/' ]
	run as "$1" imgrun --rm localhost/bb cat /proc/self/status
	[[ "$output" = *$'CapEff:\t00000000a80425fb'* ]]
	[[ "$output" = *$'Seccomp:\t2'* ]]
}
@test "root: a command runs, its status comes back" { runs root; }
@test "user: a command runs, its status comes back" { runs user; }

failures() {
	need "$1"
	run -127 as "$1" imgrun --rm localhost/bb nothing-of-that-name
	[ "$output" = "imgrun: execute 'nothing-of-that-name': not found in PATH" ]
	run as "$1" imgrun --rm localhost/bb /etc/passwd
	[ "$status" = 126 ]
	[ "$output" = "imgrun: execute '/etc/passwd': Permission denied" ]
	run as "$1" imgrun --rm localhost/bb
	[ "$status" = 125 ]
	[ "$output" = "imgrun: no command was given, and the image 'localhost/bb' names none" ]
	run as "$1" imgrun localhost/not-there true
	[ "$status" = 125 ]
	[[ "$output" = "imgrun: image 'localhost/not-there' is not in the store"* ]]
	run as "$1" imgrun --user nobody-of-that-name localhost/bb true
	[ "$status" = 125 ]
	[ "$output" = "imgrun: there is no user 'nobody-of-that-name' in /etc/passwd of the image" ]
	run as "$1" imgrun --network bridge localhost/bb true
	[ "$status" = 125 ]
	[ "$output" = "imgrun: network 'bridge' is not supported (supported: host, none, private, pasta, slirp4netns, default)" ]
	run as "$1" imgrun -v /no/such/path:/x localhost/bb true
	[ "$status" = 125 ]
	[ "$output" = "imgrun: --volume: open '/no/such/path': No such file or directory" ]
	run as "$1" imgrun --no-such-option localhost/bb true
	[ "$status" = 125 ]
	# none of them left a container
	[ "$(containers "$1")" = 0 ]
}
@test "root: failures are told, 125, 126, 127" { failures root; }
@test "user: failures are told, 125, 126, 127" { failures user; }

killed() {
	need "$1"
	local pid
	# the shell is no first process here, so that it can be killed
	run as "$1" imgrun --rm localhost/bb sh -c 'sh -c "kill -TERM \$\$"; exit $?'
	[ "$status" = 143 ]
	as "$1" imgrun --rm localhost/bb sh -c 'trap "echo got it; exit 7" TERM; echo ready; while :; do sleep 0.1; done' >"$T/out" 3>&- &
	pid=$!
	for _ in $(seq 100); do grep -q ready "$T/out" && break; sleep 0.1; done
	pid=$(pgrep -n -fx "imgrun --rm localhost/bb sh -c trap.*")
	kill -TERM "$pid"
	for _ in $(seq 50); do [ -e "/proc/$pid" ] || break; sleep 0.1; done
	[ ! -e "/proc/$pid" ]
	grep -q "got it" "$T/out"
}
@test "root: signals are handed on" { killed root; }
@test "user: signals are handed on" { killed user; }

impatience_is_heard() {
	need "$1"
	local pid i
	as "$1" imgrun --rm localhost/bb sh -c 'echo ready; while :; do sleep 0.1; done' >"$T/out" 3>&- &
	for _ in $(seq 100); do grep -q ready "$T/out" && break; sleep 0.1; done
	pid=$(pgrep -n -fx "imgrun --rm localhost/bb sh -c echo ready.*")
	for i in 1 2 3; do kill -TERM "$pid"; sleep 0.2; done
	for _ in $(seq 50); do [ -e "/proc/$pid" ] || break; sleep 0.1; done
	[ ! -e "/proc/$pid" ]
	[ "$(containers "$1")" = 0 ]
}
@test "root: the third SIGTERM kills" { impatience_is_heard root; }
@test "user: the third SIGTERM kills" { impatience_is_heard user; }

network_files() {
	need "$1"
	run as "$1" imgrun --rm --hostname box --add-host db:10.0.0.7 localhost/bb sh -c 'hostname; head -1 /etc/hosts; tail -1 /etc/hosts; cat /etc/hostname'
	[ "$output" = $'box\n127.0.0.1\tlocalhost box\n10.0.0.7\tdb\nbox' ]
	run as "$1" imgrun --rm localhost/bb cat /etc/resolv.conf
	[ "$output" = "$(cat /etc/resolv.conf)" ]
	run as "$1" imgrun --rm --network none localhost/bb sh -c 'wc -c </etc/resolv.conf; ls /sys/class/net'
	[ "$output" = $'0\nlo' ]
	# real files: they can be edited, replaced and removed
	run as "$1" imgrun --rm localhost/bb sh -ec 'sed -i s/localhost/elsewhere/ /etc/hosts; rm -rf /etc/resolv.conf /etc/hosts; ls /etc'
	[ "$status" = 0 ]
	[ "$output" = $'group\nhostname\npasswd' ]
}
@test "root: hosts, resolv.conf, hostname" { network_files root; }
@test "user: hosts, resolv.conf, hostname" { network_files user; }

users() {
	need "$1"
	run as "$1" imgrun --rm -u alice localhost/bb sh -c 'id; echo $HOME'
	[ "$output" = $'uid=1000(alice) gid=1001(alice) groups=100(users)\n/home/alice' ]
	run as "$1" imgrun --rm -u 5:users localhost/bb id
	[ "$output" = "uid=5 gid=100(users)" ]
	run as "$1" imgrun --rm -u 4294967296 localhost/bb id
	[ "$status" = 125 ]
	[ "$output" = "imgrun: '4294967296' is too large for a user or group id" ]
}
@test "root: users" { users root; }
@test "user: users" { users user; }

environment() {
	need "$1"
	printf 'FROM_FILE=1\nA=file\n' >"$T/env"
	chmod 644 "$T/env"
	EXTRA_ENV="OURS=mine" OURS=mine run as "$1" imgrun --rm --env-file "$T/env" -e A=b -e OURS -e UNSET_ONE localhost/bb \
		sh -c 'tr "\0" "\n" </proc/1/environ | sort; :'
	[ "$output" = $'A=b\nFROM_FILE=1\nHOME=/root\nHOSTNAME='"$(uname -n)"$'\nOURS=mine\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' ]
}
@test "root: environment" { environment root; }
@test "user: environment" { environment user; }

volumes() {
	need "$1"
	local host=$T/user/host-$1
	as "$1" mkdir -p "$host"
	as "$1" sh -c "echo hello >'$host/file'"
	run as "$1" imgrun --rm -v "$host:/mnt/new/place" -v "$host/file:/etc/one-file:ro" localhost/bb \
		sh -c 'cat /mnt/new/place/file /etc/one-file; echo more >/mnt/new/place/made; echo x >/etc/one-file'
	[ "$status" = 1 ]
	[ "${lines[0]}" = hello ]
	[ "${lines[1]}" = hello ]
	[ "${lines[2]}" = "sh: can't create /etc/one-file: Read-only file system" ]
	[ "$(cat "$host/made")" = more ]
}
@test "root: volumes" { volumes root; }
@test "user: volumes" { volumes user; }

workdir() {
	need "$1"
	run as "$1" imgrun --rm -w /a/b localhost/bb sh -c 'pwd; stat -c %a:%u:%g /a /a/b'
	[ "$output" = $'/a/b\n755:0:0\n755:0:0' ]
	run as "$1" imgrun --rm -w /etc/passwd localhost/bb pwd
	[ "$status" = 125 ]
	[[ "$output" = *"working directory: open '/etc/passwd': Not a directory" ]]
	run as "$1" imgrun --rm -w /proc/self/fd/3 localhost/bb pwd
	[ "$status" = 125 ]
	[ "$(containers "$1")" = 0 ]
}
@test "root: the working directory is made" { workdir root; }
@test "user: the working directory is made" { workdir user; }

restrictions() {
	need "$1"
	run as "$1" imgrun --rm --read-only localhost/bb sh -c 'touch /x'
	[ "$output" = "touch: /x: Read-only file system" ]
	run as "$1" imgrun --rm --cap-drop ALL --cap-add chown localhost/bb grep CapBnd /proc/self/status
	[ "$output" = $'CapBnd:\t0000000000000001' ]
	run as "$1" imgrun --rm --entrypoint echo localhost/bb hi there
	[ "$output" = "hi there" ]
}
@test "root: read-only, capabilities, entrypoint" { restrictions root; }
@test "user: read-only, capabilities, entrypoint" { restrictions user; }

stdin_is_asked_for() {
	need "$1"
	run as "$1" imgrun --rm localhost/bb cat <<<"typed"
	[ "$status" = 0 ]
	[ "$output" = "" ]
	run as "$1" imgrun --rm -i localhost/bb cat <<<"typed"
	[ "$output" = "typed" ]
	run as "$1" imgrun --rm -it localhost/bb cat <<<"typed"
	[ "$status" = 125 ]
	[ "$output" = "imgrun: --tty with --interactive: standard input is not a terminal" ]
}
@test "root: standard input only with -i" { stdin_is_asked_for root; }
@test "user: standard input only with -i" { stdin_is_asked_for user; }

terminals() {
	need "$1"
	run as "$1" imgrun --rm -t localhost/bb sh -c 'tty; echo $TERM; exit 4' </dev/null
	[ "$status" = 4 ]
	[ "$(tr -d '\r' <<<"$output")" = $'/dev/pts/0\nxterm' ]
	run in_terminal bash -c 'source "$top_srcdir/tests/lib.bash"; as '"$1"' imgrun --rm -it localhost/bb sh -c "stty size; read line; echo got \$line"; echo status $?; stty -a | grep -o " icanon"' <<<"hello"
	[[ "$output" = *"33 77"* ]]
	[[ "$output" = *"got hello"* ]]
	[[ "$output" = *"status 0"* ]]
	# our terminal is as it was
	[[ "$output" = *" icanon"* ]]
}
@test "root: a terminal" { terminals root; }
@test "user: a terminal" { terminals user; }

containers_stay() {
	need "$1"
	run as "$1" imgrun --name keeper localhost/bb sh -c 'echo kept >/kept'
	[ "$status" = 0 ]
	[ "$(containers "$1")" = 1 ]
	as "$1" test -s "$(store_of "$1")/containers/"*/fs/kept
	run as "$1" imgrun --name keeper localhost/bb true
	[ "$status" = 125 ]
	[[ "$output" = *keeper* ]]
	[ "$(containers "$1")" = 1 ]
	as "$1" imgstore rm keeper >&2
	[ "$(containers "$1")" = 0 ]
	assert_store_idle "$(store_of "$1")"
}
@test "root: a container stays in the store unless --rm" { containers_stay root; }
@test "user: a container stays in the store unless --rm" { containers_stay user; }

killed_leaves_nothing() {
	need "$1"
	local nap=96$((RANDOM % 900 + 100)) pid
	as "$1" imgrun --rm localhost/bb sleep $nap 3>&- &
	for _ in $(seq 100); do pgrep -fx "sleep $nap" >/dev/null && break; sleep 0.1; done
	pid=$(pgrep -fx "imgrun --rm localhost/bb sleep $nap")
	kill -9 "$pid"
	for _ in $(seq 100); do pgrep -fx "sleep $nap" >/dev/null || break; sleep 0.1; done
	not pgrep -fx "sleep $nap"
	as "$1" imgstore ls >&2 # whoever comes next sweeps
	assert_store_idle "$(store_of "$1")"
}
@test "root: kill -9 leaves no process and no mount" { killed_leaves_nothing root; }
@test "user: kill -9 leaves no process and no mount" { killed_leaves_nothing user; }

@test "the description can be printed" {
	need root
	run as root imgrun --print-description --network none -u alice -v /etc:/data:ro localhost/bb true
	[ "$status" = 0 ]
	[[ "$output" = *$'namespaces mount pid ipc uts cgroup net\n'* ]]
	[[ "$output" = *$'mount bind ro nodev rbind "/data"\n'* ]]
	[[ "$output" = *$'uid 1000\ngid 1001\ngroups 100\n'* ]]
	[[ "$output" = *$'arg "true"\n'* ]]
}
