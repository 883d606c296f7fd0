#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Whatever signal ends whichever of our processes: no process, mount, control group or directory is left after the
# next command.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
	wait_for_others
	make_scratch
	busybox_tar "$T/bb.tar"
	chmod 644 "$T/bb.tar"
	mkdir -p "$T/shown"
	! is_root || as root imgstore import "$T/bb.tar" localhost/bb >&2
	! have_user || as user imgstore import "$T/bb.tar" localhost/bb >&2
}
teardown_file() { remove_scratch; }

# A number that no other process has as its argument.
marker() { echo $((100000 + $$ % 10000 * 10 + $1)); }
# processes WHAT: how many have it in their command line
processes() { ps -eo args | grep -F -- "$1" | grep -vc grep || true; }
wait_for() { # WHAT COUNT
	local i
	for i in $(seq 200); do
		[ "$(processes "$1")" "$2" "$3" ] && return 0
		sleep 0.05
	done
	ps -eo pid,ppid,args | grep -F -- "$1"
	return 1
}
is_clean() { # WHO MARK GROUPS
	wait_for "$2" -eq 0
	as "$1" imgrun --rm localhost/bb true
	groups_are_gone "$3"
	assert_store_idle "$(store_of "$1")"
	not grep -F "$T" <(awk '{print $5}' /proc/self/mountinfo)
	[ -z "$(ls "$(store_of "$1")/cgroups" 2>/dev/null)" ]
	[ -z "$(find /tmp -maxdepth 1 -name 'imgrun-net.*' -newer "$T/bb.tar")" ]
}

# ends WHO VICTIM OPTIONS…: by each signal; the victim is imgrun, sandbox, both at once, runtime (another one), or the
# first process of the container
ends() {
	local who=$1 victim=$2 sig mark groups pid n=0 signals id ids=
	shift 2
	need_builder "$who"
	case $victim in
	imgrun) signals="INT TERM KILL" ;;
	sandbox) signals="TERM KILL" ;; # it takes no other
	both | runtime) signals=KILL ;;
	command) signals=KILL ;;	# as the first process it hears no other
	esac
	for sig in $signals; do
		n=$((n + 1))
		mark=$(marker $n)
		as "$who" sh -c 'echo $$ >"$0"; exec imgrun "$@"' "$T/user/pid.$who" --name victim "$@" localhost/bb sleep "$mark" 3>&- &
		wait_for "sleep $mark" -ge 2
		until [ -n "$(pgrep -f "^sleep $mark\$" || true)" ]; do sleep 0.05; done
		pid=$(cat "$T/user/pid.$who")
		groups=$(groups_of "$who")
		ids="$ids $(ls "$(store_of "$who")/containers")"
		case $victim in
		imgrun) ;;
		sandbox) pid=$(pgrep -P "$pid" -x sandbox) ;;
		both) pid="$pid $(pgrep -P "$pid" -x sandbox)" ;;
		runtime) pid=$(pgrep -P "$(pgrep -P "$pid" -x sandbox)") ;;
		command) pid=$(pgrep -f "^sleep $mark\$") ;;
		esac
		# the third one is not asked for: the first process of a container may do without the others
		for i in 1 2 3; do kill -$sig $pid 2>/dev/null || break; sleep 0.1; done
		wait
		wait_for "sleep $mark" -eq 0
		as "$who" imgstore rm victim >/dev/null 2>&1 || true
		is_clean "$who" "$mark" "$groups"
	done
	[ -z "$(ls "$(store_of "$who")/containers")" ]
	# groups that another runtime made have its number
	for id in $ids; do
		[ -z "$(find /sys/fs/cgroup -type d -name "*$id*")" ]
	done
}

@test "root: imgrun is ended" { ends root imgrun -v "$T/shown:/s:O" --tmpfs /t -v /anon --init; }
@test "user: imgrun is ended" { ends user imgrun -v "$T/shown:/s:O" --tmpfs /t -v /anon --init; }
@test "root: imgrun --rm with limits is ended" {
	need_root
	rmdir "$(mkdir -p "/sys/fs/cgroup/pids/${T##*/}" 2>/dev/null && echo "/sys/fs/cgroup/pids/${T##*/}")" 2>/dev/null || skip "no pids controller of version 1"
	ends root imgrun --rm --pids-limit 50 --cpus 1
}
@test "root: the sandbox is ended" { ends root sandbox --rm; }
@test "user: the sandbox is ended" { ends user sandbox --rm; }
@test "root: the sandbox without a process namespace is ended" { ends root sandbox --rm --pid=host; }
by_runtime() { # RUNTIME WHO
	need_builder "$2"
	command -v "$1" >/dev/null || skip "$1 is not installed"
	[[ "$(as "$2" imgrun --rm --runtime "$1" localhost/bb true 2>&1)" != *"hybrid mode not supported"* ]] ||
		skip "$1: cgroups in hybrid mode not supported"
	local limits=()
	[ "$2" = user ] || limits=(--pids-limit 50)
	ends "$2" imgrun --runtime "$1"
	ends "$2" sandbox --rm --runtime "$1"
	ends "$2" both --runtime "$1" "${limits[@]}"
	ends "$2" runtime --runtime "$1"
	ends "$2" command --rm --runtime "$1"
}
@test "root: a container of runc is ended" { by_runtime runc root; }
@test "user: a container of runc is ended" { by_runtime runc user; }
@test "root: a container of crun is ended" { by_runtime crun root; }
@test "root: the command is ended" { ends root command --rm; }
ends_network() { # WHO PROGRAM WHAT
	need_builder "$1"
	command -v "$2" >/dev/null || skip "$2 is not installed"
	as "$1" test -w /dev/net/tun || skip "$1 may not use /dev/net/tun here"
	[ "$2" = slirp4netns ] || [ -n "$(awk '$2 == "00000000" && $8 == "00000000"' /proc/net/route)" ] || skip "this host has no way out"
	local before
	before=$(processes "$3")
	ends "$1" imgrun --rm --network="$2"
	wait_for "$3" -eq "$before"
}
@test "root: a container with a network of its own by pasta is ended" { ends_network root pasta 'pasta --config-net'; }
@test "root: a container with a network of its own by slirp4netns is ended" { ends_network root slirp4netns 'slirp4netns --configure'; }
@test "user: a container with a network of its own by pasta is ended" { ends_network user pasta 'pasta --config-net'; }

builds_end() { # WHO OPTIONS…
	local sig mark groups n=4 who=$1 c=$T/context.$1
	shift
	need_builder "$who"
	mkdir -p "$c"
	for sig in INT TERM KILL both; do
		n=$((n + 1))
		mark=$(marker $n)
		printf 'FROM localhost/bb\nRUN --mount=type=tmpfs,target=/t echo half >/half && sleep %s\n' "$mark" >"$c/Buildfile"
		as "$who" sh -c 'echo $$ >"$0"; exec imgbuild "$@"' "$T/user/pid.$who" -q "$@" -v "$T/shown:/s:O" "$c" 3>&- >"$T/said" 2>&1 &
		until [ -n "$(pgrep -f "^sleep $mark\$" || true)" ]; do sleep 0.05; done
		groups=$(groups_of "$who")
		local pid
		pid=$(cat "$T/user/pid.$who")
		if [ $sig = both ]; then kill -KILL "$pid" $(pgrep -P "$pid" -x sandbox); else kill -$sig "$pid"; fi
		wait
		is_clean "$who" "sleep $mark" "$groups"
	done
}
@test "root: a build is ended" { builds_end root; }
@test "user: a build is ended" { builds_end user; }
builds_end_by_runc() { # WHO OPTIONS…
	need_builder "$1"
	command -v runc >/dev/null || skip "runc is not installed"
	builds_end "$@" --runtime=runc
}
@test "root: a build by runc is ended" { builds_end_by_runc root --pids-limit=50; }
@test "user: a build by runc is ended" { builds_end_by_runc user; }

exec_ends() {
	local sig mark n=8
	need_builder "$1"
	as "$1" imgrun -d --name host localhost/bb sleep 99999 3>&-
	for sig in INT TERM KILL; do
		n=$((n + 1))
		mark=$(marker $n)
		as "$1" sh -c 'echo $$ >"$0"; exec imgstore exec host sleep "$1"' "$T/user/pid.$1" "$mark" 3>&- &
		until [ -n "$(pgrep -f "^sleep $mark\$" || true)" ]; do sleep 0.05; done
		kill -$sig "$(cat "$T/user/pid.$1")"
		wait
		wait_for "sleep $mark" -eq 0
		as "$1" imgstore exec host true
	done
	as "$1" imgstore rm -f host
	assert_store_idle "$(store_of "$1")"
}
@test "root: a command in a running container is ended" { exec_ends root; }
@test "user: a command in a running container is ended" { exec_ends user; }
