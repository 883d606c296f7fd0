#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Memory does not grow with the number of files, nor with their size: what makes, digests, packs, compresses and unpacks a
# layer of MANY files, or of LARGE MiB, takes at its peak hardly more than for a tenth of them, and all of them come through.

load lib

FEW=6000 MANY=60000
SMALL=20 LARGE=200

setup_file() {
	# hundreds of thousands of files come and go, which takes a disk minutes
	if [ "$(stat -f -c %T /dev/shm)" = tmpfs ] && [ "$(df -k --output=avail /dev/shm | tail -1)" -gt 3000000 ]; then
		export TMPDIR=/dev/shm
	fi
	make_scratch
	is_root || export ROOT_STORE=$USER_STORE
	busybox_tar "$T/bb.tar"
	as root imgstore import "$T/bb.tar" localhost/bb >&2
	make_tree "$T/few" "$FEW"
	make_tree "$T/many" "$MANY"
}
teardown_file() {
	remove_scratch
}

# make_tree DIR COUNT: files of a thousand a directory, the first and the last one file
make_tree() {
	python3 -c '
import os, sys
top, count = sys.argv[1], int(sys.argv[2])
for i in range(count):
    d = "%s/tree/d%03d" % (top, i // 1000)
    if i % 1000 == 0:
        os.makedirs(d)
    with open("%s/file-%06d.txt" % (d, i), "w") as f:
        f.write("content of file %d\n" % i)
os.link("%s/tree/d000/file-000000.txt" % top, d + "/zz-first-again")
' "$1" "$2"
}
# peak CMD…: the most memory that it or a process of its own had, in KiB, in $PEAK
peak() {
	IMGBUILD_ROOT=$ROOT_STORE python3 -c '
import resource, subprocess, sys
subprocess.run(sys.argv[2:], stdout=sys.stderr, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=open(sys.argv[1], "w"))
' "$T/peak" "$@" >&2
	PEAK=$(cat "$T/peak")
}
# flat WHAT FEW MANY: ten times as much took no more than 3 MiB beyond
flat() {
	echo "# $1: $2 KiB, $3 KiB for ten times as much" >&3
	[ "$3" -lt $(($2 + 3072)) ]
	[ "$3" -lt 65536 ]
}
# Buildfile: what a COPY step is
copies() { printf 'FROM scratch\nCOPY tree /tree/\n' >"$T/$1/Buildfile"; }

@test "COPY of many files, again, and without the cache" {
	local few how
	copies few
	copies many
	for how in "" "" --no-cache; do
		peak imgbuild -q $how -t few "$T/few"
		few=$PEAK
		peak imgbuild -q $how -t many "$T/many"
		flat "COPY $how" "$few" "$PEAK"
	done
	IMGBUILD_ROOT=$ROOT_STORE imgstore mount many >"$T/mounted"
	diff -r "$T/many/tree" "$(cat "$T/mounted")/tree"
	# by the copy driver a mount is further names of the layer's files
	[ "$(find "$(cat "$T/mounted")/tree" -samefile "$(cat "$T/mounted")/tree/d000/file-000000.txt" | wc -l)" = 2 ]
	IMGBUILD_ROOT=$ROOT_STORE imgstore umount many >&2
}

@test "the differences of many files" {
	local few which count
	for which in few many; do
		count=$FEW
		[ "$which" = few ] || count=$MANY
		peak sh -c 'imgstore diff localhost/bb "$1" >"$0"' "$T/rows" "$which"
		[ "$(grep -c '^A .* /tree/d[0-9]*/file-[0-9]*.txt$' "$T/rows")" = "$count" ]
		[ "$which" = few ] || flat diff "$few" "$PEAK"
		few=$PEAK
	done
	for which in few many; do
		count=$FEW
		[ "$which" = few ] || count=$MANY
		peak sh -c 'imgstore diff --format json localhost/bb "$1" >"$0"' "$T/rows" "$which"
		[ "$(jq '[.[] | select(.Kind == "added" and .Type == "file") | .Path] | unique | length' "$T/rows")" = $((count + 1)) ]
		[ "$which" = few ] || flat "diff --format json" "$few" "$PEAK"
		few=$PEAK
	done
}

@test "an image of many files: exported in gzip, and pulled" {
	local few which
	for which in few many; do
		peak imgpush -q "$which" "oci:$T/$which-oci:v1"
		[ "$which" = few ] || flat export "$few" "$PEAK"
		few=$PEAK
	done
	for which in few many; do
		ROOT_STORE=$T/root-store/pulled peak imgpull -q "oci:$T/$which-oci:v1"
		[ "$which" = few ] || flat pull "$few" "$PEAK"
		few=$PEAK
	done
}

@test "RUN that makes many files in one directory" {
	local count few
	for count in "$FEW" "$MANY"; do
		cat >"$T/Buildfile" <<-E
			FROM localhost/bb
			RUN awk 'BEGIN { for (i = 0; i < $count; i++) { f = sprintf("/f%06d", i); print i > f; close(f) } }'
		E
		peak imgbuild -q -t made -f "$T/Buildfile" "$T/user"
		[ "$count" = "$FEW" ] || flat RUN "$few" "$PEAK"
		few=$PEAK
	done
}

@test "one file, and one ten times as large" {
	local size before codec alone=
	for size in "$SMALL" "$LARGE"; do
		mkdir "$T/of-$size"
		printf 'FROM scratch\nCOPY file /\n' >"$T/of-$size/Buildfile"
		python3 -c '
import random, sys
r = random.Random(1)
for i in range(int(sys.argv[1])):
    sys.stdout.buffer.write(r.randbytes(1 << 20) if i % 2 else b"%08d and so on\n" % i * (1 << 16))
' "$size" >"$T/of-$size/file"
		peak imgbuild -q -t "of-$size" "$T/of-$size"
		[ "$size" = "$SMALL" ] || flat COPY "$before" "$PEAK"
		before=$PEAK
	done
	# zstd has buffers for each processor, which fill one after the other
	for codec in none gzip zstd; do
		[ "$codec" != zstd ] || alone="taskset -c 0"
		for size in "$SMALL" "$LARGE"; do
			peak $alone imgpush -q --compression "$codec" "of-$size" "oci:$T/of-$size-$codec:v1"
			[ "$size" = "$SMALL" ] || flat "$codec" "$before" "$PEAK"
			before=$PEAK
		done
		for size in "$SMALL" "$LARGE"; do
			ROOT_STORE=$T/root-store/$codec peak imgpull -q "oci:$T/of-$size-$codec:v1" back
			[ "$size" = "$SMALL" ] || flat "pull of $codec" "$before" "$PEAK"
			before=$PEAK
		done
		IMGBUILD_ROOT=$T/root-store/$codec imgstore mount back >"$T/mounted"
		cmp "$T/of-$LARGE/file" "$(cat "$T/mounted")/file"
		IMGBUILD_ROOT=$T/root-store/$codec imgstore umount back >&2
		rm -rf "$T/root-store/$codec" "$T"/of-*-"$codec"
	done
}
