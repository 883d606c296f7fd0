#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Eight processes build, pull, run, remove and prune on one store at random: none of them sees an error that it would not
# have seen alone, and afterwards the store is what it says. SECONDS_LONG=600 for a longer run, SEED for another.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
	make_scratch
	SEED=${SEED-1}
	SECONDS_LONG=${SECONDS_LONG-15}
	export SEED SECONDS_LONG
	busybox_tar "$T/bb.tar"
	mkdir -p "$T/ctx/files" "$T/l/a"
	for i in 1 2 3; do seq "$i" 5000 >"$T/ctx/files/$i"; done
	printf 'FROM base\nARG N\nCOPY files /files\nRUN echo $N >/n\n' >"$T/ctx/Buildfile"
	for i in 1 2; do
		seq "$i" 20000 >"$T/l/a/$i"
		tar -C "$T/l" -cf "$T/$i.tar" --sort=name --mtime=@1700000000 .
	done
	tar -C "$T/l" -cf "$T/3.tar" --mtime=@1700000000 a/2
	python3 "$top_srcdir/tests/layout-of.py" "$T/layout" t "$T/1.tar" "$T/2.tar" "$T/3.tar"
	chmod -R a+rX "$T"
}
teardown_file() {
	remove_scratch
}

# What a process would be told alone, too: somebody has removed what it wanted, or has it in use.
is_fair() {
	grep -qE "is not in the store|was removed just now|there is no image and no container|is used by container|has [0-9]+ names|is running|there is a container '.*' already" "$1"
}
worker() {
	local who=$1 me=$2 n=0 end=$((SECONDS + SECONDS_LONG)) status
	RANDOM=$((SEED * 100 + me))
	while [ "$SECONDS" -lt "$end" ] && [ ! -e "$T/$who-failed" ]; do
		n=$((n + 1))
		set -- $((RANDOM % 12)) $((RANDOM % 4))
		status=0
		case $1 in
		0 | 1 | 2) as "$who" imgbuild -q -t "built$2" --build-arg "N=$2" "$T/ctx" ;;
		3 | 4) as "$who" imgpull "oci:$T/layout:t" "pulled$2" ;;
		5) as "$who" imgrun --pull=never --rm base sh -c 'echo x >/x' ;;
		6) as "$who" imgrun --pull=never --rm "built$2" cat /n ;;
		7) as "$who" imgstore prune ;;
		8) as "$who" imgstore rm -f "built$2" ;;
		9) as "$who" imgstore rm "pulled$2" ;;
		10) as "$who" imgstore tag "built$2" "built$(((${2} + 1) % 4))" ;;
		11) as "$who" imgstore check ;;
		esac >"$T/$who-$me.out" 2>&1 || status=$?
		echo "$1 $status" >>"$T/$who-$me.log"
		# what a check says is never fair: there is no damage
		[ "$status" = 0 ] || { [ "$1" != 11 ] && is_fair "$T/$who-$me.out"; } || {
			echo "worker $me, operation $1 $2, status $status: $(cat "$T/$who-$me.out")" >>"$T/$who-failed"
			return 1
		}
	done
}
stress() {
	local who=$1 store me
	store=$(store_of "$who")
	as "$who" imgstore import "$T/bb.tar" base
	for me in 1 2 3 4 5 6 7 8; do worker "$who" "$me" 3>&- & done
	wait
	[ ! -e "$T/$who-failed" ] || { cat "$T/$who-failed"; return 1; }
	run --separate-stderr as "$who" imgstore check --format json
	echo "$output $stderr"
	[ "$status" = 0 ]
	jq -e '.Findings == []' <<<"$output"
	assert_store_idle "$store"
	# every operation was done, and done with success
	sort "$T/$who"-?.log | uniq -c | tee "${STRESS_LOG:-/dev/null}"
	[ "$(cat "$T/$who"-?.log | grep ' 0$' | sort -u | wc -l)" = 12 ]
	as "$who" imgrun --pull=never --rm base true
}
@test "4a.7, 4a.8: eight at once for $((${SECONDS_LONG-15})) seconds (root)" { need_root; stress root; }
@test "4a.7, 4a.8: eight at once for $((${SECONDS_LONG-15})) seconds (user)" { need_user; stress user; }
