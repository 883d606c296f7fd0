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
# shows PATTERN: some line of the screen is so, ten seconds at most
shows() {
	local i
	for i in $(seq 200); do
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
enter_container() {
	N=$((N + 1))
	type_keys "as $1 imgrun -it --rm --name term -e PS1='inner$N> ' localhost/bb sh" Enter
	shows "^inner$N>\$"
}
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

resizing() {
	open_terminal "$1"
	enter_container "$1"
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

keys_for_the_container() {
	open_terminal "$1"
	enter_container "$1"
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
	pid=$(pgrep -n -f "^imgrun -it --rm --name term -e PS1=inner$N>")
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
