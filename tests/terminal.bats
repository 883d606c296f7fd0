#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# imgrun -it in a real terminal (tmux): keys, sizes, signals, and that the terminal is as before.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
	make_scratch
	import_busybox
}
teardown_file() { remove_scratch; }
setup() { command -v tmux >/dev/null || skip "tmux is not installed"; }
teardown() {
	tm kill-server 2>/dev/null || true
	is_root && as root imgstore rm -f term there >/dev/null 2>&1 || true
	have_user && as user imgstore rm -f term there >/dev/null 2>&1 || true
}

tm() { tmux -L "imgbuild-$$" -f /dev/null "$@"; }
type_keys() { tm send-keys -t t "$@"; }
screen() { tm capture-pane -p -t t; }
# shows PATTERN: some line of the screen is so, half a minute at most
shows() {
	local i
	for i in $(seq 600); do
		screen | grep -qE -- "$1" && return 0
		sleep 0.05
	done
	screen
	return 1
}

# A shell in a terminal of 24 lines and 80 columns, which runs commands as WHO.
open_terminal() {
	need_builder "$1"
	export -f as as_user user_home user_runtime
	export TEST_USER ROOT_STORE USER_STORE top_builddir PATH
	tm new-session -d -s t -x 80 -y 24 "env PS1='outer> ' bash --norc --noprofile" 3>&-
	shows '^outer>$'
	type_keys 'stty -g >'"$T/before" Enter
	until [ -s "$T/before" ]; do sleep 0.05; done
}
# each with another prompt, for the screen still shows the one before
N=0
enter_container() { # WHO OPTIONS…
	local who=$1
	shift
	N=$((N + 1))
	type_keys "as $who imgrun -it --rm --name term $* -e PS1='inner$N> ' localhost/bb sh" Enter
	shows "^inner$N>\$"
}
# called COMMAND: the process that the shell in the terminal waits for; others may have such ones
called() { pgrep -o -P "$(tm display-message -p -t t '#{pane_pid}')" -f "$1"; }
# what stty says is what it said
is_as_before() {
	rm -f "$T/after"
	type_keys 'stty -g >'"$T/after" Enter
	until [ -s "$T/after" ]; do sleep 0.05; done
	cmp "$T/before" "$T/after"
}

editing() {
	open_terminal "$1"
	enter_container "$1"
	type_keys 'echo wrnng' BSpace BSpace BSpace 'ong-' Enter
	shows '^wrong-$'
	type_keys Up Enter # the shell's history is the container's
	type_keys 'tty; stty size' Enter
	shows '^/dev/pts/0$'
	shows '^24 80$'
	type_keys 'exit 7' Enter
	shows '^outer>$'
	is_as_before
	type_keys 'echo status $?' Enter
}
@test "root: line editing, exit" { editing root; }
@test "user: line editing, exit" { editing user; }

resizing() { # WHO OPTIONS…
	open_terminal "$1"
	enter_container "$@"
	type_keys 'stty size' Enter
	shows '^24 80$'
	tm resize-window -t t -x 101 -y 33
	type_keys 'sleep 0.2; stty size' Enter
	shows '^33 101$'
	type_keys C-d
	shows '^outer>$'
	is_as_before
}
@test "root: the container's terminal is resized" { resizing root; }
@test "user: the container's terminal is resized" { resizing user; }

keys_for_the_container() { # WHO OPTIONS…
	open_terminal "$1"
	enter_container "$@"
	# Ctrl-C is the command's in there, not imgrun's
	type_keys 'sleep 1000; echo after-$?' Enter
	sleep 0.3
	type_keys C-c
	shows "^inner$N>\$"
	# so is Ctrl-Z
	type_keys 'sleep 1001' Enter
	sleep 0.3
	type_keys C-z
	shows 'Stopped.*sleep 1001'
	type_keys 'kill -9 %1; echo alive' Enter
	shows '^alive$'
	# and Ctrl-\
	type_keys 'sleep 1002' Enter
	sleep 0.3
	type_keys 'C-\'
	shows 'Quit'
	type_keys 'exit' Enter
	screen | grep -q 'stopped jobs' && type_keys 'exit' Enter || true
	shows '^outer>$'
	is_as_before
}
@test "root: Ctrl-C, Ctrl-Z, Ctrl-\\ reach the command" { keys_for_the_container root; }
@test "user: Ctrl-C, Ctrl-Z, Ctrl-\\ reach the command" { keys_for_the_container user; }

by_runc() {
	command -v runc >/dev/null || skip "runc is not installed"
	"$@" --runtime=runc
}
@test "root: the terminal of a container of runc is resized" { by_runc resizing root; }
@test "user: the terminal of a container of runc is resized" { by_runc resizing user; }
@test "root: Ctrl-C, Ctrl-Z, Ctrl-\\ reach the command by way of runc" { by_runc keys_for_the_container root; }

with_an_init() {
	open_terminal "$1"
	type_keys "as $1 imgrun -it --rm --init -e PS1='inner> ' localhost/bb sh" Enter
	shows '^inner>$'
	type_keys 'sleep 1000' Enter
	sleep 0.3
	type_keys C-c
	shows '^inner>$'
	type_keys 'exit' Enter
	shows '^outer>$'
	is_as_before
}
@test "root: with --init, too" { with_an_init root; }
@test "user: with --init, too" { with_an_init user; }

restored_at_every_end() {
	local pid
	open_terminal "$1"
	# the command is killed
	enter_container "$1"
	as "$1" imgstore kill term
	shows 'outer>$' # behind what the container showed last
	is_as_before
	# imgrun is asked to end, and the command does not care
	enter_container "$1"
	type_keys 'trap "" TERM' Enter
	sleep 0.2
	pid=$(called "^imgrun -it --rm --name term -e PS1=inner$N>")
	kill -TERM $pid && sleep 0.2 && kill -TERM $pid && sleep 0.2 && kill -TERM $pid
	shows 'outer>$'
	is_as_before
	# a command that cannot be run
	type_keys "as $1 imgrun -it --rm localhost/bb nothing-of-that-name" Enter
	shows 'not found in PATH'
	is_as_before
	# one that leaves its own terminal in disorder
	type_keys "as $1 imgrun -it --rm localhost/bb sh -c 'stty raw -echo; exit 3'; echo ended-\$?" Enter
	shows '^ended-3$'
	is_as_before
	[ "$(as "$1" imgstore ps | wc -l)" = 1 ]
}
@test "root: the terminal is as before, whatever ended it" { restored_at_every_end root; }
@test "user: the terminal is as before, whatever ended it" { restored_at_every_end user; }

closed() {
	local i
	open_terminal "$1"
	enter_container "$1"
	tm kill-server
	for i in $(seq 100); do
		[ "$(as "$1" imgstore ps | wc -l)" = 1 ] && break
		sleep 0.05
	done
	[ "$(as "$1" imgstore ps | wc -l)" = 1 ]
	assert_store_idle "$(store_of "$1")"
}
@test "root: a container ends with its terminal" { closed root; }
@test "user: a container ends with its terminal" { closed user; }

entering() {
	open_terminal "$1"
	as "$1" imgrun -d --name there localhost/bb sleep 1000
	type_keys "as $1 imgstore exec -it -e PS1='guest> ' there sh" Enter
	shows '^guest>$'
	type_keys 'tty; stty size' Enter
	shows '^/dev/pts/'
	shows '^24 80$'
	type_keys 'sleep 1000' Enter
	sleep 0.3
	type_keys C-c
	shows '^guest>$'
	type_keys 'exit' Enter
	shows '^outer>$'
	is_as_before
	as "$1" imgstore rm -f there
}
@test "root: exec -it" { entering root; }
@test "user: exec -it" { entering user; }

is_gone() { # WHO: no container is left, nor what it was made of
	local i
	for i in $(seq 200); do
		[ "$(as "$1" imgstore ps | wc -l)" != 1 ] || break
		sleep 0.05
	done
	[ "$(as "$1" imgstore ps | wc -l)" = 1 ]
	# its files go after its name; those of a killed one with the next command after its end
	for i in $(seq 100); do
		as "$1" imgstore prune --age 24h >/dev/null
		! assert_store_idle "$(store_of "$1")" >/dev/null || break
		sleep 0.1
	done
	assert_store_idle "$(store_of "$1")"
}
leaving() {
	local i
	open_terminal "$1"
	enter_container "$1"
	# the first of the keys alone is the command's
	# what is typed before the shell has given up the terminal is no key to it
	type_keys 'echo now-$((1)); cat -v' Enter
	shows '^now-1$'
	type_keys C-p a Enter C-d
	shows '^\^Pa$'
	type_keys 'while :; do echo tick; sleep 0.1; done' Enter
	shows '^tick$'
	type_keys C-p C-q
	shows "^imgrun: container 'term' goes on in the background\$"
	type_keys 'echo left-$?' Enter
	shows '^left-0$'
	is_as_before
	as "$1" imgstore ps --format json | jq -e '.[0].Running'
	for i in $(seq 100); do ! as "$1" imgstore logs term 2>/dev/null | grep -q '^tick' || break; sleep 0.05; done
	as "$1" imgstore logs term | grep -q '^tick'
	[ "$(as "$1" imgstore exec term echo reached)" = reached ]
	# nor does it end with the terminal
	tm kill-server
	sleep 0.2
	as "$1" imgstore ps --format json | jq -e '.[0].Running'
	as "$1" imgstore kill term
	is_gone "$1"
}
@test "root: Ctrl-P Ctrl-Q leave a container to itself" { leaving root; }
@test "user: Ctrl-P Ctrl-Q leave a container to itself" { leaving user; }

@test "--detach-keys: others, or none" {
	local who=root
	is_root || who=user
	open_terminal $who
	type_keys "as $who imgrun -it --rm --name term --detach-keys ctrl-x,y localhost/bb sh -c 'echo one-\$((1)); exec cat'" Enter
	shows '^one-1$'
	type_keys C-p C-q C-x y
	shows 'goes on in the background$'
	as $who imgstore kill term
	is_gone $who
	type_keys clear Enter "as $who imgrun -it --rm --name term --detach-keys '' localhost/bb sh -c 'echo two-\$((2)); exec cat -v'" Enter
	shows '^two-2$'
	type_keys a C-p C-q b Enter C-d # Ctrl-Q is for the container's terminal
	shows '^a\^Pb$'
	shows 'outer>$'
	is_as_before
	refused $who 125 "--detach-keys: 'ab' is no key" imgrun --detach-keys ab localhost/bb true
}
front_ends() { # the process that the shell waits for
	local pid sig
	open_terminal "$1"
	for sig in TERM KILL; do
		enter_container "$1"
		type_keys 'trap "" TERM HUP' Enter
		sleep 0.2
		pid=$(called "imgrun -it --rm --name term -e PS1=inner$N>")
		for _ in 1 2 3; do kill -$sig "$pid" 2>/dev/null || break; sleep 0.2; done
		shows 'outer>$'
		# nobody was there to remove it
		[ $sig = TERM ] || { until as "$1" imgstore rm term; do sleep 0.05; done; }
		is_gone "$1"
		type_keys 'reset -I; clear' Enter
	done
}
@test "root: a container ends with the process that was called" { front_ends root; }
@test "user: a container ends with the process that was called" { front_ends user; }

leaving_a_command() {
	local who=$1 i
	open_terminal "$who"
	as "$who" imgrun -d --name term localhost/bb sleep 1000 3>&-
	type_keys "as $who imgstore exec -it -e PS1='entered> ' term sh" Enter
	shows '^entered> $|^entered>$'
	type_keys 'echo now-$((1)); cat -v' Enter
	shows '^now-1$'
	type_keys C-p a Enter C-d
	shows '^\^Pa$'
	type_keys 'while :; do echo tick; echo tick >>/ticks; sleep 0.1; done' Enter
	shows '^tick$'
	type_keys C-p C-q
	shows "^imgstore: the command in container 'term' goes on in the background\$"
	type_keys 'echo left-$?' Enter
	shows '^left-0$'
	is_as_before
	tm kill-server
	i=$(as "$who" imgstore exec term sh -c 'wc -l </ticks')
	for _ in $(seq 100); do [ "$(as "$who" imgstore exec term sh -c 'wc -l </ticks')" -le "$((i + 2))" ] || break; sleep 0.05; done
	[ "$(as "$who" imgstore exec term sh -c 'wc -l </ticks')" -gt "$((i + 2))" ]
	as "$who" imgstore rm -f term
	is_gone "$who"
	refused "$who" 125 "--detach-keys: 'ab' is no key" imgstore exec --detach-keys ab term true
}
@test "root: a command in a container is left to itself" { leaving_a_command root; }
@test "user: a command in a container is left to itself" { leaving_a_command user; }
command_ends() { # the process that the shell waits for
	local pid sig who=$1 mark
	open_terminal "$who"
	as "$who" imgrun -d --name term localhost/bb sleep 1000 3>&-
	for sig in TERM KILL; do
		type_keys "as $who imgstore exec -it -e PS1='entered-$sig> ' term sh" Enter
		shows "^entered-$sig>\$"
		type_keys 'trap "" TERM HUP; echo $$ >/pid' Enter
		sleep 0.2
		pid=$(called "exec -it -e PS1=entered-$sig>")
		for _ in 1 2 3; do kill -$sig "$pid" 2>/dev/null || break; sleep 0.2; done
		shows 'outer>$'
		for _ in $(seq 100); do as "$who" imgstore exec term sh -c 'kill -0 $(cat /pid)' 2>/dev/null || break; sleep 0.05; done
		not as "$who" imgstore exec term sh -c 'kill -0 $(cat /pid)'
		type_keys 'reset -I; clear' Enter
	done
	as "$who" imgstore rm -f term
	is_gone "$who"
}
@test "root: a command in a container ends with the process that was called" { command_ends root; }
@test "user: a command in a container ends with the process that was called" { command_ends user; }
