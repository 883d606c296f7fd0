#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# kill -9 at random moments of everything that writes into the store. After each kill the store is undamaged as it lies
# there, the next command removes what the dead left, and all that had a name before is whole. The moments come from a
# seeded generator: COUNT=500 SEED=7 for another, longer run.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
	make_scratch
	COUNT=${COUNT-20}
	SEED=${SEED-1}
	export COUNT SEED
	busybox_tar "$T/bb.tar"
	mkdir -p "$T/ctx/files"
	for i in 1 2 3 4 5 6; do seq "$i" 20000 >"$T/ctx/files/$i"; done
	printf 'FROM keep\nARG N\nCOPY files /files\nRUN echo %s $N >/n; sleep 0.02; seq 20000 >/seq\nRUN rm -r /files; mkdir /d; echo $N >/d/n\n' "$T" >"$T/ctx/Buildfile"
	# three layers of which no two are alike, and one that lies in a chain
	mkdir -p "$T/l/a/b"
	for i in 1 2 3; do
		seq "$i" 40000 >"$T/l/a/$i"
		tar -C "$T/l" -cf "$T/$i.tar" --sort=name --mtime=@1700000000 .
	done
	tar -C "$T/l" -cf "$T/4.tar" --mtime=@1700000000 a/3
	python3 "$top_srcdir/tests/layout-of.py" "$T/layout" t "$T/1.tar" "$T/2.tar" "$T/3.tar" "$T/4.tar"
	chmod -R a+rX "$T"
}
teardown_file() {
	remove_scratch
}

# one operation, of which it does not matter whether it has been done before or not
operation() {
	local who=$1 n=$2 kind=$3
	case $kind in
	0 | 1 | 2) as "$who" imgbuild -q -t "built$((n % 3))" --build-arg "N=$n" "$T/ctx" ;;
	3 | 4) as "$who" imgpull "oci:$T/layout:t" "pulled$((n % 2))" ;;
	5) as "$who" imgrun --rm keep sh -c "echo $T $n >/x; sleep 0.02" ;;
	6) as "$who" imgrun --name "c$n" keep sh -c "seq 10000 >/x" ;;
	7) as "$who" imgstore prune ;;
	8) as "$who" imgstore rm -f "built$((n % 3))" "pulled$((n % 2))" ;;
	9) as "$who" imgpush keep "oci:$T/$who-out:$n" ;;
	esac
}

# how many milliseconds each kind takes on this machine, the first time and once its cache is warm, so that a random
# moment lies within it
measure() {
	local who=$1 kind round from
	SPANS=()
	for round in 0 1; do
		for kind in 0 1 2 3 4 5 6 7 8 9; do
			from=$(date +%s%N)
			operation "$who" $((900 + 10 * round + kind)) "$kind" >"$T/log" 2>&1 3>&- || true
			SPANS[10*round+kind]=$((($(date +%s%N) - from) / 1000000 + 1))
		done
	done
}

# the command alone is killed, not what it has started: that must end by itself
kill_after() {
	local who=$1 n=$2 kind=$((RANDOM % 10)) shell child='' delay
	delay=$((RANDOM % SPANS[RANDOM % 2 * 10 + kind]))
	operation "$who" "$n" "$kind" >"$T/log" 2>&1 3>&- &
	shell=$!
	sleep "$(printf %d.%03d $((delay / 1000)) $((delay % 1000)))"
	# the shell's child, setpriv's own process in the case of the user
	read -r child <"/proc/$shell/task/$shell/children" || true
	[ -z "$child" ] || ! kill -9 $child 2>/dev/null || killed=$((killed + 1))
	wait 2>/dev/null || true
}

gone_within_a_second() {
	for _ in $(seq 20); do
		pgrep -f "echo $T" >/dev/null || return 0
		sleep 0.05
	done
	pgrep -af "echo $T"
	return 1
}

look() {
	local who=$1 store=$2 moment=$3
	run --separate-stderr as "$who" imgstore check --format json
	[ "$status" = 0 ] && jq -e '.Clean and all(.Findings[]; .State == "leftover")' <<<"$output" >/dev/null || {
		echo "$moment: status $status: $output $stderr; the command said: $(cat "$T/log")"
		return 1
	}
	# the next command
	as "$who" imgstore ls --format json >"$T/names"
	jq -e '[.[].Names[]] | index("keep:latest") and index("also:latest")' "$T/names" >/dev/null || {
		echo "$moment: $(cat "$T/names")"
		return 1
	}
	assert_store_idle "$store" || { echo "$moment"; return 1; }
	as "$who" imgstore check --format json | jq -e '.Findings == []' || { echo "$moment: after the next command"; return 1; }
	gone_within_a_second || { echo "$moment"; return 1; }
}

kill_many() {
	local who=$1 store n
	RANDOM=$SEED
	killed=0
	store=$(store_of "$who")
	as "$who" imgstore import "$T/bb.tar" keep
	as "$who" imgpull "oci:$T/layout:t" also
	mkdir -p "$T/$who-out"
	[ "$who" = root ] || ! is_root || chown "$TEST_USER:" "$T/$who-out"
	measure "$who"
	for n in $(seq "$COUNT"); do
		kill_after "$who" "$n"
		look "$who" "$store" "kill $n of $COUNT, seed $SEED"
	done
	echo "$killed of $COUNT were still at work" | tee -a "${KILL_LOG:-/dev/null}"
	[ "$killed" -ge $((COUNT / 5)) ]
	[ "$(as "$who" imgrun --rm keep echo runs)" = runs ]
	as "$who" imgpush also "oci:$T/$who-out:also"
	# and what all the dead have left can be removed
	as "$who" imgstore ps --format json | jq -r '.[].Name' | while read -r name; do as "$who" imgstore rm "$name" </dev/null; done
	as "$who" imgstore ls -a --format json | jq -r '.[].Id' | while read -r id; do as "$who" imgstore rm -f "$id" </dev/null; done
	as "$who" imgstore prune
	[ "$(as "$who" imgstore unshare find "$store/layers" "$store/blobs/sha256" "$store/containers" "$store/tmp" -mindepth 1 | wc -l)" = 0 ]
}
@test "4a.1, 4a.5, 4a.6: kill -9 at random moments (root)" { need_root; kill_many root; }
@test "4a.1, 4a.5, 4a.6: kill -9 at random moments (user)" { need_user; kill_many user; }

@test "4a.1: three pulls at the same time after a killed one" {
	need_root
	ROOT_STORE=$T/root-pulls
	for delay in 0.002 0.005 0.01 0.02 0.03 0.05 0.08; do
		as root imgpull "oci:$T/layout:t" p >/dev/null 2>&1 3>&- &
		sleep "$delay"
		kill -9 $! 2>/dev/null || true
		wait $! 2>/dev/null || true
		for i in 1 2 3; do as root imgpull "oci:$T/layout:t" "p$i" >"$T/pull$i" 2>&1 3>&- & done
		for i in 1 2 3; do wait -n || { cat "$T"/pull?; return 1; }; done
		[ "$(as root imgstore ls -q | wc -l)" = 1 ]
		as root imgstore check --format json | jq -e '.Findings == []'
		as root imgstore rm -f "$(as root imgstore ls -q)"
		as root imgstore prune
		assert_store_idle "$ROOT_STORE"
	done
}
