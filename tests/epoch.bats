#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The time that a build is given: SOURCE_DATE_EPOCH, --source-date-epoch, --timestamp, --rewrite-timestamp. What of
# the configuration, the history and the files gets it, and what does not.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
	make_scratch
	busybox_tar "$T/bb.tar"
	chmod 644 "$T/bb.tar"
	mkdir -p "$T/ctx/dir/sub"
	echo old >"$T/ctx/dir/old"
	echo new >"$T/ctx/dir/sub/new"
	tar -C "$T/ctx" --mtime=@1800000000 -cf "$T/ctx/later.tar" dir/old
	touch -d @1500000000 "$T/ctx/dir/old" "$T/ctx/dir"
	cat >"$T/ctx/Buildfile" <<'E'
FROM localhost/bb
COPY dir /copied
COPY --link dir /linked
COPY <<T /written
text
T
ADD later.tar /added/
WORKDIR /work/in
RUN echo x >/ran && ln /ran /ran2 && ln -s ran /ran3 && mkfifo /fifo && rm /etc/group && touch /etc/passwd && rm -r /tmp && mkdir /tmp
RUN <<T
touch -d @1400000000 /before
T
E
	chmod -R a+rX "$T/ctx"
	unset SOURCE_DATE_EPOCH
	for who in root user; do
		can_build "$who" || continue
		as "$who" imgstore import "$T/bb.tar" localhost/bb >&2
	done
	BASE_LAYERS=1
	EPOCH=1600000000
	export EPOCH
}
teardown_file() {
	remove_scratch
}

# build WHO OPTIONS…: sets OUT (the layout), CONFIG (of the image), LAYERS (plain tars)
build() {
	local who=$1 manifest
	OUT=$T/out-$1
	rm -rf "$OUT"
	if [ "$who" = user ] && is_root; then install -d -o "$TEST_USER" "$OUT"; fi
	as "$who" imgbuild -q -t made "${@:2}" "$T/ctx" >&2
	as "$who" imgpush -q --compression none made "oci:$OUT:x" >&2
	manifest=$OUT/blobs/sha256/$(jq -r '.manifests[0].digest' "$OUT/index.json" | cut -d: -f2)
	CONFIG=$OUT/blobs/sha256/$(jq -r .config.digest "$manifest" | cut -d: -f2)
	mapfile -t LAYERS < <(jq -r '.layers[].digest' "$manifest" | sed "s|sha256:|$OUT/blobs/sha256/|")
}
times() { # times N…: of all entries of these layers but deletions, "SECONDS NAME"
	local n
	for n; do
		python3 -c '
import sys, tarfile
for m in tarfile.open(sys.argv[1]):
    if "/.wh." not in "/" + m.name:
        print(int(m.mtime), m.name)' "${LAYERS[$n]}"
	done
}
deletions() { python3 -c '
import sys, tarfile
for m in tarfile.open(sys.argv[1]):
    if "/.wh." in "/" + m.name:
        print(int(m.mtime), m.name)' "${LAYERS[$1]}"; }

documents() { # the image and the new history have the time, the base's entries theirs
	[ "$(jq -r .created "$CONFIG")" = "$1" ]
	[ "$(jq -r '.history[1:][] | .created' "$CONFIG" | sort -u)" = "$1" ]
	[ "$(jq -r '.history[0].created' "$CONFIG")" != "$1" ]
}
base_is_untouched() {
	[ "$(times 0 | cut -d' ' -f1 | sort -u)" = 1700000000 ]
}

set_all() {
	need_builder "$1"
	build "$1" --timestamp $EPOCH
	documents 2020-09-13T12:26:40Z
	base_is_untouched
	[ "${#LAYERS[@]}" = 8 ]
	times 1 2 3 4 5 6 7 >"$T/times"
	cat "$T/times"
	grep -q ' linked/sub/new$' "$T/times"
	grep -q ' written$' "$T/times"
	grep -q ' work/in$' "$T/times"
	grep -q ' before$' "$T/times"
	grep -q ' added/dir/old$' "$T/times"
	grep -q ' ran3$' "$T/times"
	[ "$(cut -d' ' -f1 "$T/times" | sort -u)" = $EPOCH ]
	[ "$(deletions 6)" = "0 etc/.wh.group" ]
	# what is seen of the layer is what its tar says
	as "$1" imgrun --rm made stat -c %Y /before /copied/old /work/in >"$T/seen"
	[ "$(sort -u "$T/seen")" = $EPOCH ]
}
@test "--timestamp: the image, its new history and all files of its layers (root)" { set_all root; }
@test "--timestamp: the image, its new history and all files of its layers (user)" { set_all user; }

clamp() {
	need_builder "$1"
	build "$1" --source-date-epoch $EPOCH
	documents 2020-09-13T12:26:40Z
	base_is_untouched
	times 1 2 3 4 5 6 7 >"$T/times"
	cat "$T/times"
	[ "$(grep -c "^1500000000 .*/old$" "$T/times")" = 2 ]
	grep -qx '1400000000 before' "$T/times"
	grep -qx "$EPOCH linked/sub/new" "$T/times"
	grep -qx "$EPOCH added/dir/old" "$T/times"
	[ "$(cut -d' ' -f1 "$T/times" | sort -n | tail -1)" = $EPOCH ]
}
@test "--source-date-epoch: no file is later, earlier ones stay (root)" { clamp root; }
@test "--source-date-epoch: no file is later, earlier ones stay (user)" { clamp user; }

@test "--rewrite-timestamp=false leaves the files alone" {
	need_root
	build root --source-date-epoch $EPOCH --rewrite-timestamp=false
	documents 2020-09-13T12:26:40Z
	times 4 | grep -qx '1800000000 added/dir/old'
	build root --timestamp $EPOCH --rewrite-timestamp=false
	documents 2020-09-13T12:26:40Z
	times 4 | grep -qx '1800000000 added/dir/old'
	build root --timestamp $EPOCH --rewrite-timestamp
	times 4 | grep -qx "$EPOCH added/dir/old"
}

@test "the option goes before the build argument, that before the environment" {
	need_root
	export SOURCE_DATE_EPOCH=1
	build root
	documents 1970-01-01T00:00:01Z
	build root --build-arg SOURCE_DATE_EPOCH=2
	documents 1970-01-01T00:00:02Z
	build root --build-arg SOURCE_DATE_EPOCH=2 --source-date-epoch 3
	documents 1970-01-01T00:00:03Z
	build root --build-arg SOURCE_DATE_EPOCH=2 --timestamp 4
	documents 1970-01-01T00:00:04Z
	run -2 as root imgbuild -q --timestamp 4 --source-date-epoch 3 "$T/ctx"
	[ "$output" = "imgbuild: --timestamp and --source-date-epoch are two times for one thing: give one of them" ]
	run -2 as root imgbuild -q --timestamp yesterday "$T/ctx"
	[ "$output" = "imgbuild: --timestamp 'yesterday' is not a number of seconds" ]
}

@test "steps made for one time are not found for another" {
	need_root
	build root --timestamp 5
	build root --source-date-epoch 5
	times 7 | grep -qx '5 before'
	build root
	times 7 | grep -qx '1400000000 before'
	build root --timestamp 6
	[ "$(times 1 2 3 4 5 6 7 | cut -d' ' -f1 | sort -u)" = 6 ]
}

@test "an image without a new layer has the time, too" {
	need_root
	printf 'FROM localhost/bb\n' >"$T/only-from"
	build root -f "$T/only-from" --timestamp $EPOCH
	[ "$(jq -r .created "$CONFIG")" = 2020-09-13T12:26:40Z ]
	printf 'FROM localhost/bb\nENV A=b\n' >"$T/only-env"
	build root -f "$T/only-env" --timestamp $EPOCH
	documents 2020-09-13T12:26:40Z
}

@test "a layer of everything is a layer that was made: --squash-all obeys" {
	need_root
	build root --squash-all --timestamp $EPOCH
	[ "${#LAYERS[@]}" = 1 ]
	[ "$(times 0 | cut -d' ' -f1 | sort -u)" = $EPOCH ]
	build root --squash --timestamp $EPOCH
	[ "${#LAYERS[@]}" = 2 ]
	base_is_untouched
	[ "$(times 1 | cut -d' ' -f1 | sort -u)" = $EPOCH ]
	[ "$(jq -r '.history[-1].created' "$CONFIG")" = 2020-09-13T12:26:40Z ]
}
