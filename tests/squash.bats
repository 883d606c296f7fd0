#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# imgbuild --squash and --squash-all: fewer layers, the same tree. As root and as an ordinary user.

load lib

setup_file() {
	make_scratch
	busybox_tar "$T/bb.tar"
	chmod 644 "$T/bb.tar"
	mkdir -p "$T/ctx/copied"
	echo context >"$T/ctx/copied/file"
	touch -d @1600000000 "$T/ctx/copied/file" "$T/ctx/copied"
	# a base of two layers with all that later layers can hide
	cat >"$T/ctx/base" <<'E'
FROM localhost/bb
RUN mkdir -p /keep/sub /gone/sub /again/sub /hides /empty && \
	for i in keep/a keep/b keep/sub/c gone/x gone/sub/y again/old again/sub/old hides/in mine; do echo base $i >/$i; done && \
	ln /keep/a /keep/linked && ln -s keep /way && chmod 2750 /keep/sub && chown 1000:1001 /keep/b
E
	cat >"$T/ctx/steps" <<'E'
FROM localhost/base
RUN mkdir -p /new/d && echo 1 >/new/d/one && ln /new/d/one /new/two && echo temporary >/new/t
RUN rm -r /gone /new/t /keep/linked && echo 2 >>/new/two
RUN rm -r /again && mkdir /again && echo new >/again/new
RUN rm -r /hides && echo a file now >/hides && rm /mine && mkdir /mine && echo in >/mine/in
RUN rm /hides && mkdir /hides && ln -s ../keep/a /hides/link && mkfifo /hides/fifo
RUN chmod 700 /keep/sub /new/d && touch -d @1500000000 /keep/b && chown 1:2 /new/two
RUN echo x >/keep/changed && mv /keep/changed /keep/renamed
RUN rm -r /new/d && mkdir /new/d && touch /new/d/later && rmdir /empty && mkdir /empty
ENV A=b
COPY --link copied /copied
COPY copied/file /new/d/
WORKDIR /work/dir
RUN rm /copied/file
CMD ["sh"]
E
	chmod -R a+rX "$T/ctx"
	for who in root user; do
		can_build "$who" || continue
		as "$who" imgstore import "$T/bb.tar" localhost/bb >&2
		as "$who" imgbuild -q -f "$T/ctx/base" -t localhost/base "$T/ctx" >&2
	done
}
teardown_file() {
	remove_scratch
}

build() { # build WHO NAME OPTIONS…
	as "$1" imgbuild -q -f "$T/ctx/steps" -t "$2" "${@:3}" "$T/ctx" >&2
}
# How often a file has a name that does not show is overlayfs' own affair.
same_tree() { # same_tree WHO IMAGE IMAGE
	image_tree "$1" "$2" | without_links >"$T/one-tree"
	image_tree "$1" "$3" | without_links >"$T/other-tree"
	[ -s "$T/one-tree" ]
	diff "$T/one-tree" "$T/other-tree"
}
layers() { as "$1" imgstore inspect "$2" | jq -re '.[0].RootFS.Layers[]' || echo "none of $2"; }
id_of() { as "$1" imgstore inspect "$2" | jq -re '.[0].Id' || echo "none of $2"; }
config() { # config WHO IMAGE FILTER: of the image's configuration
	local id
	id=$(id_of "$1" "$2" | cut -d: -f2)
	as "$1" "$top_builddir/imgstore" unshare sh -c 'cat "$IMGBUILD_ROOT/blobs/sha256/$0"' "$id" | jq -rce "$3" || echo "no $3 in $2"
}
layer_tar() { # layer_tar WHO IMAGE N: sets TAR to the plain tar of layer N (0 is the lowest)
	local out=$T/out-$1-$2 manifest
	if [ "$1" = user ] && is_root; then install -d -o "$TEST_USER" "$out"; fi
	as "$1" imgpush -q --compression none "$2" "oci:$out:x" >&2
	manifest=$(jq -r '.manifests[0].digest' "$out/index.json" | cut -d: -f2)
	TAR=$out/blobs/sha256/$(jq -r ".layers[$3].digest" "$out/blobs/sha256/$manifest" | cut -d: -f2)
}

squash_new() {
	need_builder "$1"
	build "$1" plain
	build "$1" new --squash
	[ "$(layers "$1" plain | wc -l)" = 14 ]
	[ "$(layers "$1" new | wc -l)" = 3 ]
	[ "$(layers "$1" new | head -2)" = "$(layers "$1" localhost/base)" ]
	same_tree "$1" plain new
}
@test "--squash: one layer above the base's, the same tree (root)" { squash_new root; }
@test "--squash: one layer above the base's, the same tree (user)" { squash_new user; }

squash_all() {
	need_builder "$1"
	build "$1" plain
	build "$1" all --squash-all
	[ "$(layers "$1" all | wc -l)" = 1 ]
	same_tree "$1" plain all
	# nothing is left to be hidden
	layer_tar "$1" all 0
	tar -tf "$TAR" >"$T/names"
	grep -qx keep/a "$T/names"
	not grep -F .wh. "$T/names"
}
@test "--squash-all: a single layer without a deletion, the same tree (root)" { squash_all root; }
@test "--squash-all: a single layer without a deletion, the same tree (user)" { squash_all user; }

@test "the same squashed layer from root and from an ordinary user" {
	need_builder root
	need_builder user
	export SOURCE_DATE_EPOCH=1700000100
	sed 's,localhost/base,localhost/same,' "$T/ctx/steps" >"$T/ctx/same"
	for option in --squash --squash-all; do
		for who in root user; do
			as "$who" imgbuild -q -f "$T/ctx/base" -t localhost/same "$T/ctx"
			as "$who" imgbuild -q -f "$T/ctx/same" -t same $option "$T/ctx"
		done
		[ "$(layers root same)" = "$(layers user same)" ]
	done
}

@test "--squash keeps the deletions of the base's files, and no others" {
	need_root
	build root plain
	build root new --squash
	layer_tar root new 2
	tar -tf "$TAR" >"$T/names"
	cat "$T/names"
	[ "$(grep -F .wh. "$T/names" | sort | tr '\n' ' ')" = ".wh.gone again/.wh..wh..opq hides/.wh..wh..opq keep/.wh.linked " ]
	# what only had its time changed is whole, what stayed is not there, nor is what came and went
	tar --numeric-owner -tvf "$TAR" keep/b | grep -q '^-rw-r--r-- 1000/1001 .* keep/b$'
	not grep -qx keep/a "$T/names"
	not grep -qx new/t "$T/names"
	# unpacked by another program it is the same tree
	umoci unpack --image "$T/out-root-new:x" "$T/unpacked" >&2
	same_tree root plain new
	dump_tree "$T/unpacked/rootfs" | without_links | diff "$T/one-tree" -
}

@test "a file that was linked in two layers is one file with its names" {
	need_root
	printf 'FROM localhost/bb\nRUN echo x >/a && ln /a /b && ln /a /c\nRUN rm /b && ln /c /d\nRUN chmod 600 /d\nRUN echo y >/p && ln /p /q\nRUN touch /z\n' >"$T/links"
	as root imgbuild -q -f "$T/links" -t links "$T/ctx"
	image_tree root links | grep -q same-as
	for option in --squash --squash-all; do
		as root imgbuild -q -f "$T/links" $option -t links-squashed "$T/ctx"
		same_tree root links links-squashed
	done
}

@test "attributes of a directory that a later layer took away do not come back" {
	need_root
	command -v setfattr >/dev/null || skip "there is no setfattr"
	mkdir -p "$T/attrs/one/d" "$T/attrs/two/d"
	setfattr -n user.a -v 1 "$T/attrs/one/d"
	setfattr -n user.b -v 1 "$T/attrs/one/d"
	setfattr -n user.b -v 2 "$T/attrs/two/d"
	tar --xattrs -C "$T/attrs/one" -cf "$T/attrs/one.tar" d
	tar --xattrs -C "$T/attrs/two" -cf "$T/attrs/two.tar" d
	printf 'FROM localhost/bb\nADD one.tar /\nRUN rmdir /d\nADD two.tar /\n' >"$T/attributes"
	as root imgbuild -q -f "$T/attributes" -t attributes "$T/attrs"
	image_tree root attributes | grep '^d '
	as root imgbuild -q -f "$T/attributes" --squash -t attributes-squashed "$T/attrs"
	same_tree root attributes attributes-squashed
}

@test "a squash leaves the files of the layers it was made of as they are" {
	need_root
	build root plain
	image_tree root plain >"$T/before"
	build root new --squash
	build root all --squash-all
	# the number of names, which programs look at, too
	image_tree root plain | diff "$T/before" -
	[ "$(as root imgrun --rm plain stat -c %h /keep/b)" = 1 ]
}

@test "what was replaced or deleted is not copied, and the layer stays when the others go" {
	need_root
	ROOT_STORE=$T/room
	as root imgstore import "$T/bb.tar" localhost/bb
	printf 'FROM localhost/bb\nRUN dd if=/dev/urandom of=/big bs=1M count=8\nRUN rm /big && truncate -s 1G /sparse && touch /x\n' >"$T/room.build"
	as root imgbuild -q -f "$T/room.build" "$T/ctx"
	before=$(du -sk "$ROOT_STORE" | cut -f1)
	as root imgbuild -q -f "$T/room.build" --squash -t x "$T/ctx"
	after=$(du -sk "$ROOT_STORE" | cut -f1)
	echo "$before $after"
	[ $((after - before)) -lt 1024 ]
	as root imgstore rm localhost/bb
	as root imgstore prune
	[ "$(as root imgrun --rm x stat -c %s /sparse)" = $((1 << 30)) ]
	assert_store_idle "$ROOT_STORE"
}

@test "history keeps its steps without layers, and has one entry with the layer" {
	need_root
	build root plain
	build root new --squash
	build root all --squash-all
	steps='[.history[].created_by]'
	[ "$(config root new "$steps[:-1]")" = "$(config root plain "$steps")" ]
	[ "$(config root new '[.history[] | select(.empty_layer | not)] | length')" = 3 ]
	[ "$(config root new '.history[-1].comment')" = "squashed 12 layers" ]
	[ "$(config root all '[.history[] | select(.empty_layer | not) | .comment] | join(",")')" = "squashed 14 layers" ]
	[ "$(config root new '.config')" = "$(config root plain '.config')" ]
	[ "$(config root new '.created == .history[-1].created')" = true ]
}

@test "a squash comes from the cache the second time, and with SOURCE_DATE_EPOCH is the same again" {
	need_root
	build root one --squash
	as root imgbuild -f "$T/ctx/steps" -t two --squash "$T/ctx" 2>"$T/log"
	grep -A1 'squash 12 layers into one' "$T/log" | grep -q CACHED
	[ "$(id_of root one)" = "$(id_of root two)" ]
	export SOURCE_DATE_EPOCH=1700000100
	build root one --squash --no-cache
	sleep 1.1
	build root two --squash --no-cache
	[ "$(id_of root one)" = "$(id_of root two)" ]
}

@test "a base with fractions of seconds is not touched by a squash of it" {
	need_root
	mkdir "$T/ns"
	echo x >"$T/ns/f"
	ln "$T/ns/f" "$T/ns/g"
	ln -s f "$T/ns/s"
	touch -h -d '2020-01-01 00:00:00.5' "$T/ns/f" "$T/ns/s"
	tar --format=pax -C "$T/ns" -cf "$T/ns.tar" .
	printf 'FROM localhost/ns\nCOPY copied /copied\n' >"$T/ns.build"
	python3 "$top_srcdir/tests/layout-of.py" "$T/ns-layout" x "$T/ns.tar"
	as root imgpull -q "oci:$T/ns-layout:x" localhost/ns
	image_tree root localhost/ns >"$T/before"
	grep -q '\.5' "$T/before"
	as root imgbuild -q -f "$T/ns.build" -t ns-plain "$T/ctx"
	as root imgbuild -q -f "$T/ns.build" --squash-all -t ns "$T/ctx"
	image_tree root localhost/ns | diff "$T/before" -
	image_tree root ns-plain | sed 's/\.500000000$/.000000000/' >"$T/before"
	image_tree root ns | diff "$T/before" -
}

@test "a single layer is left alone" {
	need_root
	printf 'FROM localhost/bb\nRUN touch /x\n' >"$T/single"
	as root imgbuild -q -f "$T/single" -t single "$T/ctx"
	as root imgbuild -q -f "$T/single" --squash -t single-squashed "$T/ctx"
	[ "$(layers root single)" = "$(layers root single-squashed)" ]
	printf 'FROM localhost/bb\nENV A=b\n' >"$T/single"
	as root imgbuild -q -f "$T/single" --squash -t single-squashed "$T/ctx"
	[ "$(layers root localhost/bb)" = "$(layers root single-squashed)" ]
}

@test "stages below the target are squashed with it, as no base of it" {
	need_root
	printf 'FROM localhost/bb AS a\nRUN touch /a\nFROM a AS b\nRUN touch /b\nFROM b\nRUN rm /a\n' >"$T/stages"
	as root imgbuild -q -f "$T/stages" --squash -t stages "$T/ctx"
	[ "$(layers root stages | wc -l)" = 2 ]
	[ "$(layers root stages | head -1)" = "$(layers root localhost/bb)" ]
	as root imgrun --rm stages sh -c '[ -e /b ] && ! [ -e /a ]'
}

@test "what an ordinary user's store lacks is not lost: devices of a base" {
	need_builder user
	mkdir -p "$T/devices/dev" "$T/implicit/a"
	python3 - "$T/devices.tar" "$T/implicit.tar" <<'E'
import io, sys, tarfile
with tarfile.open(sys.argv[1], 'w') as tar:
    for name, kind in (('.', tarfile.DIRTYPE), ('dev', tarfile.DIRTYPE), ('dev/null', tarfile.CHRTYPE)):
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.devmajor, info.devminor = kind, 0o755, 1, 3
        tar.addfile(info)
with tarfile.open(sys.argv[2], 'w') as tar:
    info = tarfile.TarInfo('a/b/c')
    info.size = 2
    tar.addfile(info, io.BytesIO(b'x\n'))
E
	chmod 644 "$T/devices.tar" "$T/implicit.tar"
	as user imgstore import "$T/devices.tar" localhost/devices 2>/dev/null
	printf 'FROM localhost/devices\nCOPY copied /copied\nCOPY copied /again\n' >"$T/ctx/devices"
	bats_require_minimum_version 1.5.0
	run -3 as user imgbuild -q -f "$T/ctx/devices" --squash-all -t devices "$T/ctx"
	[[ $output == *"layer 1 has devices, which only root can make: use --squash"* ]]
	assert_store_idle "$USER_STORE"
	as user imgbuild -q -f "$T/ctx/devices" --squash -t devices "$T/ctx"
	layer_tar user devices 0
	tar -tvf "$TAR" | grep -q '^crw.* 1,3 .*dev/null$'
	# one that depends on what is below for another reason is no obstacle
	python3 "$top_srcdir/tests/layout-of.py" "$T/implicit-layout" x "$T/bb.tar" "$T/implicit.tar"
	chmod -R a+rX "$T/implicit-layout"
	as user imgpull -q "oci:$T/implicit-layout:x" localhost/implicit
	printf 'FROM localhost/implicit\nCOPY copied /copied\n' >"$T/ctx/implicit"
	as user imgbuild -q -f "$T/ctx/implicit" -t plain-implicit "$T/ctx"
	as user imgbuild -q -f "$T/ctx/implicit" --squash-all -t implicit "$T/ctx"
	[ "$(layers user implicit | wc -l)" = 1 ]
	same_tree user plain-implicit implicit
}
