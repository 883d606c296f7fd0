#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Bad input: one clear error with its place, the exit status of its kind, and nothing left behind.

load lib

setup_file() {
	make_scratch
	import_busybox
}
teardown_file() {
	remove_scratch
}

context() { # Buildfile on stdin; directory on stdout
	local dir
	dir=$(mktemp -d "$T/ctx.XXXXXX")
	cat >"$dir/Buildfile"
	chmod -R a+rX "$dir"
	echo "$dir"
}
layers() { as "$1" imgstore unshare ls "$(store_of "$1")/layers" 2>/dev/null || ls "$(store_of "$1")/layers"; }

# fails WHO STATUS CONTEXT PATTERN…: each pattern is in the one error; nothing is left
fails() {
	local who=$1 want=$2 dir=$3 before after
	shift 3
	before=$(layers "$who")
	run as "$who" imgbuild --progress=quiet -t broken "$dir"
	echo "status $status: $output"
	[ "$status" = "$want" ]
	local pattern
	for pattern in "$@"; do
		[[ $output == *"$pattern"* ]] || { echo "not said: $pattern"; return 1; }
	done
	[ "$(grep -c '^imgbuild: ' <<<"$output")" = 1 ]
	after=$(layers "$who")
	[ "$before" = "$after" ] || { diff <(echo "$before") <(echo "$after"); return 1; }
	run as "$who" imgstore inspect broken
	[ "$status" = 3 ]
	assert_store_idle "$(store_of "$who")"
}

missing_file() { fails "$1" 3 "$(printf 'FROM localhost/bb\n\nCOPY none /x\n' | context)" 'Buildfile:3:' "'none'"; }
@test "COPY of a missing file (root)" { need_root; missing_file root; }
@test "COPY of a missing file (user)" { need_user; missing_file user; }

unknown() { fails "$1" 3 "$(printf 'FROM localhost/bb\nCOPPY a b\n' | context)" 'Buildfile:2:1' 'COPPY' 'COPY'; }
@test "an unknown instruction is refused with a suggestion (root)" { need_root; unknown root; }
@test "an unknown instruction is refused with a suggestion (user)" { need_user; unknown user; }

failing_run() { fails "$1" 1 "$(printf 'FROM localhost/bb\nRUN echo last words && exit 7\n' | context)" 'Buildfile:2' 'exit status 7' 'last words'; }
@test "a failing RUN shows its status and its last words (root)" { need_root; failing_run root; }
@test "a failing RUN shows its status and its last words (user)" { need_user; failing_run user; }

nul() { fails "$1" 3 "$(printf 'FROM localhost/bb\nCMD ["\\u0000"]\nRUN ["echo", "a\\u0000b"]\n' | context)" 'Buildfile:3:1: RUN: an argument cannot hold a NUL'; }
@test "a NUL in what RUN is to run is refused (root)" { need_root; nul root; }
@test "a NUL in what RUN is to run is refused (user)" { need_user; nul user; }

unknown_base() { fails "$1" 3 "$(printf 'FROM localhost/none\nRUN true\n' | context)" 'Buildfile:1' 'localhost/none'; }
@test "a base that is not in the store (root)" { need_root; unknown_base root; }
@test "a base that is not in the store (user)" { need_user; unknown_base user; }

@test "what is not executed yet is refused by name before anything runs" {
	need_root
	fails root 3 "$(printf 'FROM localhost/bb\nRUN echo ran >/dev/null\nRUN --device=vendor/class=name true\n' | context)" 'Buildfile:3' '--device'
}

@test "a tar that is cut off is refused by import, with its name" {
	need_root
	for cut in 100 511 700 5000 100000 1000000; do
		head -c "$cut" "$T/bb.tar" >"$T/cut.tar"
		run as root imgstore import "$T/cut.tar" localhost/cut
		echo "$cut: $status $output"
		[ "$status" = 3 ]
		[[ $output == *cut.tar* ]]
		run as root imgstore inspect localhost/cut
		[ "$status" = 3 ]
		assert_store_idle "$ROOT_STORE"
	done
}

@test "a tar that is cut off is refused by ADD" {
	need_root
	dir=$(printf 'FROM scratch\nADD cut.tar /\n' | context)
	head -c 100000 "$T/bb.tar" >"$dir/cut.tar"
	fails root 3 "$dir" 'Buildfile:2' 'cut.tar'
}

@test "a manifest, config or layer whose digest is wrong is refused, and nothing of it stays" {
	need_root
	as root imgpush -q localhost/bb "oci:$T/good:latest" >&2
	manifest=$(jq -r '.manifests[0].digest' "$T/good/index.json" | cut -d: -f2)
	config=$(jq -r .config.digest "$T/good/blobs/sha256/$manifest" | cut -d: -f2)
	layer=$(jq -r '.layers[0].digest' "$T/good/blobs/sha256/$manifest" | cut -d: -f2)
	for blob in $manifest $config $layer; do
		rm -rf "$T/bad" "$T/fresh"
		cp -r "$T/good" "$T/bad"
		# one byte in the middle, the length stays
		size=$(stat -c %s "$T/bad/blobs/sha256/$blob")
		python3 - "$T/bad/blobs/sha256/$blob" <<'E'
import sys
with open(sys.argv[1], 'r+b') as f:
    data = f.read(); i = len(data) // 2
    f.seek(i); f.write(bytes([data[i] ^ 1]))
E
		IMGBUILD_ROOT=$T/fresh run imgpull "oci:$T/bad:latest" localhost/bad
		echo "$status $output"
		[ "$status" = 3 ]
		[[ $output == *"${blob:0:12}"* ]]
		[ -z "$(ls "$T/fresh/layers")" ]
		assert_store_idle "$T/fresh"
		run env IMGBUILD_ROOT="$T/fresh" imgstore inspect localhost/bad
		[ "$status" = 3 ]
	done
}

@test "a full disk is one error with status 5, and nothing of the build stays" {
	need_root
	truncate -s 24M "$T/small.img"
	mkfs.ext4 -q -F -m 0 "$T/small.img"
	cp "$(command -v busybox)" "$T/busybox"
	unshare -m bash -eu -c '
		mkdir -p "$T/small"
		mount -o loop "$T/small.img" "$T/small"
		export IMGBUILD_ROOT=$T/small/store
		imgstore import "$T/bb.tar" localhost/bb >/dev/null
		before=$(ls "$IMGBUILD_ROOT/layers")
		ctx=$(mktemp -d "$T/ctx.XXXXXX")
		printf "FROM localhost/bb\nRUN dd if=/dev/zero of=/small bs=64k count=1\nCOPY big /big\n" >"$ctx/Buildfile"
		head -c 64M /dev/urandom >"$ctx/big"
		status=0
		imgbuild --progress=quiet -t broken "$ctx" >"$T/full.out" 2>&1 || status=$?
		cat "$T/full.out"
		[ "$status" = 5 ]
		[ "$(grep -c "^imgbuild: " "$T/full.out")" = 1 ]
		grep -q "No space left on device" "$T/full.out"
		grep -q "Buildfile:3" "$T/full.out"
		[ -z "$(ls "$IMGBUILD_ROOT/tmp")" ]
		not imgstore inspect broken 2>/dev/null
		# and the store still works
		imgrun --rm localhost/bb true
		imgstore rm localhost/bb >/dev/null
	'
}

@test "Ctrl-C stops the step, leaves nothing, and exits 130" {
	need_root
	dir=$(printf 'FROM localhost/bb\nRUN echo started && sleep 300.47\n' | context)
	before=$(ls "$ROOT_STORE/layers")
	IMGBUILD_ROOT=$ROOT_STORE setsid imgbuild --progress=plain -t broken "$dir" >"$T/int.out" 2>&1 3>&- &
	for i in $(seq 50); do
		grep -q started "$T/int.out" && break
		sleep 0.1
	done
	pid=$(pgrep -f "imgbuild --progress=plain -t broken $dir" | head -1)
	kill -INT "$pid"
	status=0
	wait $! || status=$?
	cat "$T/int.out"
	[ "$status" = 130 ]
	[ "$before" = "$(ls "$ROOT_STORE/layers")" ]
	assert_store_idle "$ROOT_STORE"
	not pgrep -f 'sleep 300\.47'
}

@test "a user without subordinate ids builds the same layers, and is told what is missing" {
	need_user
	dir=$(printf 'FROM scratch\nCOPY busybox /busybox\nRUN ["/busybox", "touch", "-d", "2020-01-01 00:00", "/made"]\nRUN ["/busybox", "chown", "5:5", "/made"]\n' | context)
	cp "$(command -v busybox)" "$dir/busybox"
	# where newuidmap is not found, the namespace has one id
	run as_user env PATH="$top_builddir" IMGBUILD_ROOT="$T/user/single" "$top_builddir/imgbuild" -t it --source-date-epoch=1600000000 --progress=quiet "$dir"
	echo "$status: $output"
	[ "$status" = 0 ]
	[ "$(grep -c "^imgbuild: isolation 'single-id': new[ug]idmap" <<<"$output")" = 1 ]
	as user imgbuild -t it --source-date-epoch=1600000000 --progress=quiet "$dir"
	as user imgstore inspect it | jq -c '.[0].RootFS' >"$T/with"
	as_user env PATH="$top_builddir" IMGBUILD_ROOT="$T/user/single" "$top_builddir/imgstore" inspect it | jq -c '.[0].RootFS' >"$T/without"
	grep sha256: "$T/with"
	cmp "$T/with" "$T/without"
	assert_store_idle "$T/user/single"
}

@test "command lines: unknown options, missing and surplus arguments are status 2, of imgrun 125" {
	for command in imgbuild imgpull imgpush "imgstore ls" "imgstore import" imgrun; do
		run $command --no-such-option
		echo "$command: $status $output"
		[ "$status" = "$([ "$command" = imgrun ] && echo 125 || echo 2)" ]
		[[ $output == *--no-such-option* ]]
	done
	for command in imgpull imgpush imgstore "imgstore import" "imgstore tag one" imgrun; do
		run $command
		echo "$command: $status $output"
		[ "$status" = "$([ "$command" = imgrun ] && echo 125 || echo 2)" ]
	done
	run imgbuild one two
	[ "$status" = 2 ]
}
