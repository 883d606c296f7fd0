#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What is on the disk at random moments while images are built, pulled and named.
#
# The store lies on a file system in a file, on a loop device. A clone of that file (reflink: atomic) is what the device
# had been given up to one moment, in the order in which it was given: pages that the inner file system had not written
# yet are missing from it, as after a power cut. Mounted, the journal is replayed, and another boot looks at the store.
# This proves that the store asks for its data to be written before it relies on it. It does not prove anything about
# disks that lose writes which they have acknowledged, or reorder them between two flushes: the loop device does neither.
# CUTS=100 SEED=7 for another, longer run.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
	make_scratch
	CUTS=${CUTS-6}
	SEED=${SEED-1}
	export CUTS SEED
	is_root || return 0
	busybox_tar "$T/bb.tar"
	mkdir -p "$T/ctx" "$T/l/a"
	seq 200000 >"$T/ctx/file"
	printf 'FROM base\nARG N\nCOPY file /file\nRUN seq $N 100000 >/seq\nRUN echo $N >/n\n' >"$T/ctx/Buildfile"
	for i in 1 2; do
		seq "$i" 40000 >"$T/l/a/$i"
		tar -C "$T/l" -cf "$T/$i.tar" --sort=name --mtime=@1700000000 .
	done
	python3 "$top_srcdir/tests/layout-of.py" "$T/layout" t "$T/1.tar" "$T/2.tar"
}
teardown_file() {
	remove_scratch
}
# unmount DIR: a loop device lets go of its file a moment after the umount, and imgoverlay of the layers
unmount() {
	for _ in $(seq 200); do
		umount "$1" 2>/dev/null || sleep 0.1
		mountpoint -q "$1" || return 0
	done
	umount "$1"
}
teardown() {
	[ -z "${WORKER-}" ] || { : >"$T/stop"; wait "$WORKER" 2>/dev/null || true; }
	for dir in cut in; do
		! mountpoint -q "$T/$dir" || unmount "$T/$dir"
	done
	# another mount namespace may have the disk in it as long as that lasts
	! mountpoint -q "$T/out" || umount "$T/out" || umount --lazy "$T/out"
}

# Names what it has done only when the command is over.
worker() {
	local n=0
	while [ ! -e "$T/stop" ]; do
		n=$((n + 1))
		as root imgbuild -q -t "b$n" --build-arg "N=$n" "$T/ctx" >/dev/null 2>"$T/worker.err" || return 1
		echo "b$n:latest" >>"$T/named"
		as root imgpull -q "oci:$T/layout:t" "p$n" >/dev/null 2>>"$T/worker.err" || return 1
		echo "p$n:latest" >>"$T/named"
		if [ $((n % 3)) = 0 ]; then
			echo "-p$n:latest" >>"$T/named" # from here on it may be gone
			as root imgstore rm -f "p$n" >/dev/null || return 1
		fi
		[ $((n % 4)) != 0 ] || as root imgstore prune >/dev/null || return 1
	done
}

look_after_cut() {
	local clone=$1 known=$2
	mount -o loop "$clone" "$T/cut"
	# this kernel is still up: another one would have another ID
	sqlite3 "$T/cut/store/store.db" "UPDATE meta SET boot='00000000-0000-0000-0000-000000000000'"
	run --separate-stderr env IMGBUILD_ROOT="$T/cut/store" imgstore check --format json
	[ "$status" = 0 ] && jq -e .Clean <<<"$output" >/dev/null || { echo "cut: $status $output $stderr"; return 1; }
	jq -c '[.Findings[] | [.State, .Problem]]' <<<"$output"
	run --separate-stderr env IMGBUILD_ROOT="$T/cut/store" imgstore check --repair --format json
	[ "$status" = 0 ] || { echo "repair: $output $stderr"; return 1; }
	env IMGBUILD_ROOT="$T/cut/store" imgstore check --format json | jq -e '.Findings == []'
	# every name that was given before is there, and what is there runs
	env IMGBUILD_ROOT="$T/cut/store" imgstore ls --format json | jq -r '.[].Names[]' | sort >"$T/names"
	grep -v '^-' "$known" | while read -r name; do grep -qx -- "-$name" "$known" || echo "$name"; done | sort >"$T/expected"
	[ -z "$(comm -23 "$T/expected" "$T/names")" ] || { echo "lost: $(comm -23 "$T/expected" "$T/names")"; return 1; }
	env IMGBUILD_ROOT="$T/cut/store" imgrun --rm "$(grep '^b[0-9]' "$T/names" | tail -1)" cat /n
	unmount "$T/cut"
}

@test "4a.2: power cuts at random moments: no image that had a name is damaged or lost (ext4)" {
	need_root
	command -v mkfs.xfs >/dev/null || skip "mkfs.xfs is not installed"
	command -v sqlite3 >/dev/null || skip "sqlite3 is not installed"
	RANDOM=$SEED
	mkdir "$T/out" "$T/in" "$T/cut"
	truncate -s 2G "$T/out.img"
	mkfs.xfs -q -m reflink=1 "$T/out.img" >/dev/null || skip "no xfs with reflinks"
	mount -o loop "$T/out.img" "$T/out" || skip "no loop mounts here"
	truncate -s 400M "$T/out/disk"
	mkfs.ext4 -q "$T/out/disk"
	# the journal writes every second: else nothing at all would be there in a test of this length
	mount -o loop,commit=1 "$T/out/disk" "$T/in"
	ROOT_STORE=$T/in/store
	as root imgstore import "$T/bb.tar" base
	: >"$T/named"
	worker 3>&- &
	WORKER=$!
	for cut in $(seq "$CUTS"); do
		sleep "$((RANDOM % 2)).$(printf %03d $((RANDOM % 1000)))"
		cp "$T/named" "$T/known$cut"
		cp --reflink=always "$T/out/disk" "$T/out/cut$cut" || skip "no reflinks"
		kill -0 "$WORKER" || { cat "$T/worker.err"; return 1; }
	done
	: >"$T/stop"
	wait "$WORKER"
	WORKER=
	for cut in $(seq "$CUTS"); do
		echo "cut $cut of $CUTS, seed $SEED: $(wc -l <"$T/known$cut") names"
		[ ! -s "$T/known$cut" ] || look_after_cut "$T/out/cut$cut" "$T/known$cut"
	done
	[ "$(wc -l <"$T/known$CUTS")" -gt 4 ]
}
