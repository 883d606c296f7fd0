#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# imgpush's compression: codecs, levels, what is compressed again and what is not; the bytes depend on neither
# processors nor the store. And archives of OCI layouts.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
	make_scratch
	mkdir "$T/ctx"
	# two chunks and more of what compresses, and of what does not
	seq 400000 >"$T/ctx/text"
	head -c 3000000 /dev/urandom >"$T/ctx/noise"
	chmod -R a+rX "$T/ctx"
	printf 'FROM scratch\nCOPY text /\nCOPY noise /\nCMD ["x"]\n' >"$T/ctx/Buildfile"
	export SOURCE_DATE_EPOCH=1700000100
	WHO=user
	! is_root || WHO=root
	export WHO
	as $WHO imgbuild -q -t localhost/a "$T/ctx" >&2
}
teardown_file() {
	remove_scratch
}

push() { # push OPTIONS…: into a fresh layout; sets MANIFEST
	OUT=$BATS_TEST_TMPDIR/out.$RANDOM$RANDOM
	as $WHO imgpush -q "${@}" "${IMAGE:-localhost/a}" "oci:$OUT:x" >&2
	MANIFEST=$OUT/blobs/sha256/$(jq -r '.manifests[0].digest' "$OUT/index.json" | cut -d: -f2)
}
kinds() { jq -r '[.layers[].mediaType | sub(".*tar"; "")] | join(" ")' "$MANIFEST"; }
size() { jq '[.layers[].size] | add' "$MANIFEST"; }
layer() { echo "$OUT/blobs/sha256/$(jq -r ".layers[$1].digest" "$MANIFEST" | cut -d: -f2)"; }

@test "every level of each codec gives the same files" {
	push --compression none
	[ "$(kinds)" = " " ]
	want=$(sha256sum <"$(layer 0)")
	for level in 0 1 2 3 6 9; do
		push --compression=gzip --compression-level=$level
		[ "$(kinds)" = "+gzip +gzip" ]
		[ "$(gzip -dc <"$(layer 0)" | sha256sum)" = "$want" ]
		echo "gzip $level $(size)"
	done
	for level in 0 1 3 12 22; do
		push --compression-format zstd --compression-level $level
		[ "$(kinds)" = "+zstd +zstd" ]
		[ "$(zstd -dcq --long=31 <"$(layer 0)" | sha256sum)" = "$want" ]
		echo "zstd $level $(size)"
	done
	push --compression=uncompressed
	[ "$(kinds)" = " " ]
}

@test "levels do what they say" {
	push --compression gzip --compression-level 0
	stored=$(size)
	push --compression gzip --compression-level 1
	usual=$(size)
	push --compression gzip --compression-level 9
	nine=$(size)
	[ "$stored" -gt "$usual" ]
	[ "$usual" -gt "$nine" ]
	# without a level what is there goes out, the first that was made
	push --compression gzip
	[ "$(size)" = "$stored" ]
	push --compression zstd --compression-level 0
	zero=$(size)
	push --compression zstd --compression-level 3
	[ "$(size)" = "$zero" ]
	push --compression zstd --compression-level 15
	[ "$(size)" != "$zero" ]
}

@test "levels out of range, and for what has none, are refused" {
	for bad in "gzip 10" "zstd 23" "gzip -1" "gzip 9x" "none 1" "uncompressed 1" "gzip 99999999999999999999"; do
		set -- $bad
		run -2 as $WHO imgpush --compression "$1" --compression-level="$2" localhost/a "oci:$BATS_TEST_TMPDIR/bad"
		[[ $output == "imgpush: --compression-level: "* ]]
	done
	run -2 as $WHO imgpush --compression gzip --compression-level 10 localhost/a "oci:$BATS_TEST_TMPDIR/bad"
	[ "$output" = "imgpush: --compression-level: gzip has no compression level 10 (0 to 9)" ]
	run -2 as $WHO imgpush --compression bzip2 localhost/a "oci:$BATS_TEST_TMPDIR/bad"
	[ ! -e "$BATS_TEST_TMPDIR/bad" ]
}

@test "the bytes depend on no number of processors, and on no store" {
	[ "$(nproc)" -gt 1 ] || skip "one processor"
	for how in "gzip 1" "gzip 6" "zstd 3" "zstd 12"; do
		set -- $how
		# a blob that there is would be taken: stores of their own
		digests=
		for cpus in 0 0-1 1; do
			ROOT_STORE=$BATS_TEST_TMPDIR/store-$1-$2-$cpus
			USER_STORE=$T/user/store-$1-$2-$cpus
			as $WHO imgbuild -q -t localhost/a "$T/ctx" >&2
			OUT=$BATS_TEST_TMPDIR/cpus-$1-$2-$cpus
			as $WHO taskset -c $cpus imgpush -q --compression "$1" --compression-level "$2" localhost/a "oci:$OUT:x" >&2
			digests+=$(jq -r '.manifests[0].digest' "$OUT/index.json")$'\n'
		done
		[ "$(sort -u <<<"$digests" | grep -c .)" = 1 ]
	done
}

# cached FILE: its bytes that are in memory
cached() { fincore -nbo RES "$1"; }
# forget FILE: it has to come from the disk
forget() { python3 -c 'import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
os.fsync(fd)
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)' "$1"; }

@test "a large file that is not in memory gives the same layer, and is not there afterwards" {
	command -v fincore >/dev/null || skip "no fincore"
	mkdir "$T/large"
	python3 -c 'import random; print("\n".join(str(random.Random(i).random()) * 9 for i in range(100000)))' >"$T/large/file"
	truncate -s 13000001 "$T/large/file"
	printf 'FROM scratch\nCOPY file /\n' >"$T/large/Buildfile"
	digests=
	for which in warm cold; do
		ROOT_STORE=$BATS_TEST_TMPDIR/store-$which
		USER_STORE=$T/user/store-$which
		store=$ROOT_STORE
		[ "$WHO" = root ] || store=$USER_STORE
		as $WHO imgbuild -q -t localhost/large "$T/large" >&2
		file=$(find "$store/layers" -name file -size +12M)
		cmp "$T/large/file" "$file"
		[ "$which" = warm ] || forget "$file"
		before=$(cached "$file")
		OUT=$BATS_TEST_TMPDIR/large-$which
		as $WHO imgpush -q localhost/large "oci:$OUT:x" >&2
		digests+=$(jq -r '.manifests[0].digest' "$OUT/index.json")$'\n'
		[ "$(cached "$file")" -le $((before + 65536)) ]
		[ "$which" = cold ] || [ "$before" -gt 12000000 ]
	done
	[ "$(sort -u <<<"$digests" | grep -c .)" = 1 ]
	[ "$before" -lt 1000000 ] || skip "what is on this disk is always in memory"
}

@test "what came compressed is compressed again only when that is asked for" {
	push --compression gzip --compression-level 6
	as $WHO imgpull -q "oci:$OUT:x" localhost/pulled >&2
	first=$MANIFEST
	IMAGE=localhost/pulled
	push
	cmp "$MANIFEST" "$first"
	push --compression zstd --force-compression=false
	[ "$(kinds)" = "+gzip +gzip" ]
	push --compression zstd
	[ "$(kinds)" = "+zstd +zstd" ]
	push --compression zstd --force-compression
	[ "$(kinds)" = "+zstd +zstd" ]
	run -2 as $WHO imgpush --force-compression=maybe localhost/pulled "oci:$BATS_TEST_TMPDIR/bad"
}

@test "an archive of a layout: its bytes are the image's alone, and others read it" {
	for n in 1 2; do
		as $WHO imgpush -q localhost/a "oci-archive:$BATS_TEST_TMPDIR/$n.tar:v1" >&2
		sleep 1.1
	done
	cmp "$BATS_TEST_TMPDIR/1.tar" "$BATS_TEST_TMPDIR/2.tar"
	as $WHO imgpush localhost/a oci-archive:/dev/stdout:v1 | cmp - "$BATS_TEST_TMPDIR/1.tar"
	tar -tvf "$BATS_TEST_TMPDIR/1.tar" --numeric-owner >"$BATS_TEST_TMPDIR/list"
	not grep -v ' 0/0 .* 1970-01-01 00:00 ' "$BATS_TEST_TMPDIR/list"
	grep -q ' oci-layout$' "$BATS_TEST_TMPDIR/list"
	mkdir "$BATS_TEST_TMPDIR/layout"
	tar -C "$BATS_TEST_TMPDIR/layout" -xf "$BATS_TEST_TMPDIR/1.tar"
	push
	diff <(jq -S .manifests[0].digest "$BATS_TEST_TMPDIR/layout/index.json") <(jq -S .manifests[0].digest "$OUT/index.json")
	[ "$(jq -r '.manifests[0].annotations["org.opencontainers.image.ref.name"]' "$BATS_TEST_TMPDIR/layout/index.json")" = v1 ]
	as $WHO imgpull -q "oci:$BATS_TEST_TMPDIR/layout:v1" localhost/back >&2
	if command -v skopeo >/dev/null; then
		skopeo inspect "oci-archive:$BATS_TEST_TMPDIR/1.tar:v1" >&2
	fi
	case $WHO in root) assert_store_idle "$ROOT_STORE" ;; user) assert_store_idle "$USER_STORE" ;; esac
}
