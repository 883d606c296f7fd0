#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Pulled layers that are more than what their own entries make of an empty directory: those without
# entries for their directories, marks that hide every layer below, devices that a user may not make.

load lib

setup_file() {
	make_scratch
	busybox_tar "$T/busybox.tar"
	mkdir "$T/bb"
	tar -C "$T/bb" -xf "$T/busybox.tar" --wildcards './bin/*'
	(cd "$T/bb" && tar --owner=0 --group=0 -cf "$T/busybox-rootless.tar" bin/*)
	# the metadata that a layer above must not hide
	mk base.tar <<-'END'
		dir tmp mode=1777 mtime=1500000001
		dir etc mode=750 uid=1 gid=2 mtime=1500000002
		file etc/old content=old
		dir usr mtime=1500000003
		dir usr/lib mode=711 uid=3 gid=4 mtime=1500000004
		link lib usr/lib
		dir deep mode=700 mtime=1500000005
		dir deep/er mode=705 mtime=1500000006
	END
	mk other.tar <<-'END'
		dir tmp mode=700 uid=7 mtime=1500000011
		dir etc mode=755 gid=8 mtime=1500000012
		dir lib mode=500 mtime=1500000013
		dir deep mode=711 mtime=1500000014
		dir deep/er mode=751 mtime=1500000015
	END
	mk top.tar <<-'END'
		file tmp/x content=x
		file etc/y content=y
		file lib/z content=z
		hard lib/z2 lib/z
		file deep/er/file
		file deep/er/.wh.none
	END
	mk more.tar <<-'END'
		file deep/new/file
		file tmp/more
	END
	mk links.tar <<-'END'
		file lib/q content=q
		dir usr mtime=1500000021
		dir usr/lib mode=755 mtime=1500000022
	END
	mk opaque.tar <<-'END'
		file only
		file .wh..wh..opq
	END
	mk devices.tar <<-'END'
		dir dev mtime=1500000031
		char dev/null 1 3 mode=666
		hard dev/other dev/null
		block dev/disk 8 0
		dir dir
		file dir/file content=f
	END
	mk files.tar <<-'END'
		dir dev mtime=1500000032
		file dev/null content=old
		file dev/disk content=old
		file dev/kept content=kept
	END
	layout devices "$T/busybox.tar" "$T/devices.tar"
	layout devices-on-files "$T/busybox.tar" "$T/files.tar" "$T/devices.tar"
	mk late.tar <<-'END'
		file deep/q content=q
		file lib/r content=r
		dir deep mode=750 mtime=1500000051
		dir lib mode=755 mtime=1500000052
	END
	layout late "$T/busybox.tar" "$T/base.tar" "$T/late.tar"
	layout late-two "$T/busybox.tar" "$T/other.tar" "$T/late.tar"
	layout opaque "$T/base.tar" "$T/opaque.tar" "$T/busybox.tar"
	layout opaque-top "$T/base.tar" "$T/opaque.tar" "$T/busybox.tar" "$T/top.tar"
	mk root.tar <<-'END'
		dir ./ mode=711 uid=5 gid=6 mtime=1500000041 pax:SCHILY.xattr.user.of=root
		file base-file
	END
	mk closed.tar <<-'END'
		file tmp/only
		file tmp/.wh..wh..opq
		file etc/.wh..wh..opq
		file .wh.deep
		file deep/anew
	END
	layout rooted "$T/busybox.tar" "$T/root.tar" "$T/base.tar" "$T/top.tar"
	layout opaque-rootless "$T/opaque.tar" "$T/busybox-rootless.tar"
	layout rooted-opaque "$T/root.tar" "$T/base.tar" "$T/opaque.tar" "$T/busybox-rootless.tar"
	layout closed "$T/busybox.tar" "$T/base.tar" "$T/closed.tar"
	layout one "$T/busybox.tar" "$T/base.tar" "$T/top.tar"
	layout two "$T/busybox.tar" "$T/other.tar" "$T/top.tar"
	layout stack "$T/busybox.tar" "$T/base.tar" "$T/top.tar" "$T/more.tar"
	layout links "$T/busybox.tar" "$T/base.tar" "$T/links.tar"
	layout links-two "$T/busybox.tar" "$T/other.tar" "$T/links.tar"
	chmod -R a+rX "$T/in"
}
teardown_file() { remove_scratch; }
setup() {
	OUT=$T/out-$BATS_TEST_NUMBER
	ROOT_STORE=$OUT/root-store
	USER_STORE=$OUT/user-store
	mkdir -p "$OUT"
	if is_root && have_user; then chown "$TEST_USER:" "$OUT"; fi
}
teardown() {
	rm -rf "$OUT" 2>/dev/null || as_user "$top_builddir/imgstore" unshare rm -rf "$OUT/user-store" || true
}

mk() { python3 "$top_srcdir/tests/make-tar.py" "$T/$1"; }
layout() {
	local name=$1
	shift
	python3 "$top_srcdir/tests/layout-of.py" "$T/in/$name" v1 "$@"
}
pull() { as "$1" imgpull -q "oci:$T/in/$2:v1" "localhost/$2"; }
manifest_of() { jq -r '.manifests[0].digest' "$1/index.json"; }
# look WHO IMAGE PATH…: mode, owner, time and type of each
look() {
	local who=$1 image=$2
	shift 2
	as "$who" imgrun --rm "$image" stat -c '%n %a %u %g %Y %F' "$@"
}

# ---- directories without an entry ----

base_shows() {
	pull "$1" one >&2
	look "$1" localhost/one tmp etc usr usr/lib lib deep deep/er >"$T/got"
	cat >"$T/want" <<-'END'
		tmp 1777 0 0 1500000001 directory
		etc 750 1 2 1500000002 directory
		usr 755 0 0 1500000003 directory
		usr/lib 711 3 4 1500000004 directory
		lib 777 0 0 1600000000 symbolic link
		deep 700 0 0 1500000005 directory
		deep/er 705 0 0 1500000006 directory
	END
	diff "$T/want" "$T/got"
	as "$1" imgrun --rm localhost/one sh -c 'cat tmp/x etc/old etc/y usr/lib/z lib/z2; ls -d deep/er/*' >"$T/got"
	[ "$(cat "$T/got")" = xoldyzzdeep/er/file ]
	# in a container of the copy driver each name is a file of its own
	image_tree "$1" localhost/one | grep -E '^/?usr/lib/z2 .* same-as:/?usr/lib/z '

	# the same layer on top of something else is what that says
	pull "$1" two >&2
	look "$1" localhost/two tmp etc lib deep deep/er >"$T/got"
	cat >"$T/want" <<-'END'
		tmp 700 7 0 1500000011 directory
		etc 755 0 8 1500000012 directory
		lib 500 0 0 1500000013 directory
		deep 711 0 0 1500000014 directory
		deep/er 751 0 0 1500000015 directory
	END
	diff "$T/want" "$T/got"
	[ "$(as "$1" imgrun --rm localhost/two cat lib/z)" = z ]
	not as "$1" imgrun --rm localhost/two ls usr/lib/z

	# it goes on as it came
	as "$1" imgpush -q localhost/one "oci:$OUT/back:v1" >&2
	[ "$(manifest_of "$OUT/back")" = "$(manifest_of "$T/in/one")" ]
	as "$1" imgpush -q localhost/two "oci:$OUT/back-two:v1" >&2
	[ "$(manifest_of "$OUT/back-two")" = "$(manifest_of "$T/in/two")" ]
	assert_store_idle "$OUT/$1-store"
}
@test "a directory without an entry is what the layers below say (root)" { need_root; base_shows root; }
@test "a directory without an entry is what the layers below say (user)" { need_user; base_shows user; }

stacked() {
	pull "$1" stack >&2
	look "$1" localhost/stack tmp deep deep/er deep/new >"$T/got"
	cat >"$T/want" <<-'END'
		tmp 1777 0 0 1500000001 directory
		deep 700 0 0 1500000005 directory
		deep/er 705 0 0 1500000006 directory
		deep/new 755 0 0 0 directory
	END
	diff "$T/want" "$T/got"
	# what one image has, the next one with the same layers finds
	as "$1" imgpull "oci:$T/in/one:v1" localhost/one 2>"$T/log"
	[ "$(grep -c 'is there already' "$T/log")" = 3 ]
	# and a second pull of all of it reads nothing
	as "$1" imgpull "oci:$T/in/stack:v1" localhost/stack 2>"$T/log"
	[ "$(grep -c 'is there already' "$T/log")" = 4 ]
	assert_store_idle "$OUT/$1-store"
}
@test "one such layer on another (root)" { need_root; stacked root; }
@test "one such layer on another (user)" { need_user; stacked user; }

@test "a layer that went through a link below is not taken for another image's" {
	who=$(if is_root; then echo root; else echo user; fi)
	pull "$who" links >&2
	[ "$(as "$who" imgrun --rm localhost/links stat -c '%a %Y' usr/lib)" = '755 1500000022' ]
	[ "$(as "$who" imgrun --rm localhost/links cat usr/lib/q)" = q ]
	pull "$who" links-two >&2
	[ "$(as "$who" imgrun --rm localhost/links-two cat lib/q)" = q ]
	not as "$who" imgrun --rm localhost/links-two ls usr/lib/q
}

late_entries() {
	pull "$1" late >&2
	look "$1" localhost/late deep lib >"$T/got"
	cat >"$T/want" <<-'END'
		deep 750 0 0 1500000051 directory
		lib 755 0 0 1500000052 directory
	END
	diff "$T/want" "$T/got"
	[ "$(as "$1" imgrun --rm localhost/late cat deep/q lib/r)" = qr ]
	not as "$1" imgrun --rm localhost/late ls usr/lib/r
	# and so it is one layer for all
	pull "$1" late-two >&2
	[ "$(as "$1" imgrun --rm localhost/late-two cat deep/q lib/r)" = qr ]
	[ "$(find "$OUT/$1-store" -path '*/lib/r' | wc -l)" = 1 ]
	assert_store_idle "$OUT/$1-store"
}
@test "a directory whose entry comes after what is in it depends on nothing below (root)" { need_root; late_entries root; }
@test "a directory whose entry comes after what is in it depends on nothing below (user)" { need_user; late_entries user; }

@test "pulls of the same layers in another order, at the same time" {
	who=$(if is_root; then echo root; else echo user; fi)
	layout ab "$T/base.tar" "$T/top.tar" "$T/more.tar"
	layout ba "$T/more.tar" "$T/top.tar" "$T/base.tar"
	layout aa "$T/top.tar" "$T/base.tar" "$T/top.tar" "$T/top.tar"
	chmod -R a+rX "$T/in"
	for round in 1 2 3; do
		pids=()
		for name in ab ba aa; do
			timeout 60 bash -c "$(declare -f as as_user user_home user_runtime pull); pull $who $name" \
				>/dev/null 2>"$OUT/log-$name" 3>&- &
			pids+=($!)
		done
		for pid in "${pids[@]}"; do wait "$pid" || { cat "$OUT"/log-*; false; }; done
		as "$who" imgstore rm localhost/ab localhost/ba localhost/aa >&2
		as "$who" imgstore prune >&2
	done
	assert_store_idle "$OUT/$who-store"
}

@test "umoci unpacks the same tree" {
	need_root
	command -v umoci >/dev/null || skip "umoci is not installed"
	for name in one two stack links closed rooted; do
		pull root $name >&2
		umoci unpack --image "$T/in/$name:v1" "$OUT/umoci-$name" >&2
		unshare -m bash -eu -c '
			p=$(IMGBUILD_ROOT=$1 imgstore mount localhost/$2)
			python3 "$3/tests/dump-tree.py" "$p" >"$4/ours"
		' - "$ROOT_STORE" $name "$top_srcdir" "$OUT"
		dump_tree "$OUT/umoci-$name/rootfs" >"$OUT/theirs"
		# to umoci a new file in a directory changes that one's time
		case $name in stack | closed) sed -Ei 's/^(deep|deep\/new) (dir .*) @.*/\1 \2/' "$OUT/ours" "$OUT/theirs" ;; esac
		diff "$OUT/ours" "$OUT/theirs"
	done
}

# ---- the root without an entry ----

root_shows() {
	pull "$1" rooted >&2
	[ "$(look "$1" localhost/rooted /)" = '/ 711 5 6 1500000041 directory' ]
	pull "$1" rooted-opaque >&2
	[ "$(look "$1" localhost/rooted-opaque /)" = '/ 711 5 6 1500000041 directory' ]
	pull "$1" one >&2
	[ "$(look "$1" localhost/one /)" = '/ 755 0 0 1700000000 directory' ]
	# nobody says anything of it
	pull "$1" opaque-rootless >&2
	[ "$(look "$1" localhost/opaque-rootless /)" = '/ 755 0 0 0 directory' ]
	assert_store_idle "$OUT/$1-store"
}
@test "the root is what the topmost layer with an entry for it says (root)" { need_root; root_shows root; }
@test "the root is what the topmost layer with an entry for it says (user)" { need_user; root_shows user; }

# the same COPY on a root of another mode is the same layer
root_of_a_build() {
	pull "$1" one >&2
	pull "$1" rooted >&2
	mkdir "$OUT/context"
	printf 'x' >"$OUT/context/x"
	touch -d @1600000000 "$OUT/context/x"
	chmod -R a+rX "$OUT/context"
	for base in rooted one; do
		printf 'FROM localhost/%s\nCOPY x /usr/x\n' $base >"$OUT/context/$base"
		SOURCE_DATE_EPOCH=1700000000 as "$1" imgbuild -q -t localhost/on-$base -f "$OUT/context/$base" "$OUT/context" >&2
		as "$1" imgstore inspect localhost/on-$base | jq -r '.[0].RootFS.Layers[-1]' >"$OUT/layer-$base"
	done
	cmp "$OUT/layer-one" "$OUT/layer-rooted"
	[ "$(look "$1" localhost/on-one /)" = '/ 755 0 0 1700000000 directory' ]
	[ "$(look "$1" localhost/on-rooted /)" = '/ 711 5 6 1500000041 directory' ]
	printf 'FROM localhost/on-one\nRUN stat -c "%%a %%u %%Y" / >/tmp/seen\n' >"$OUT/context/seen"
	as "$1" imgbuild -q -t localhost/seen -f "$OUT/context/seen" "$OUT/context" >&2
	[ "$(as "$1" imgrun --rm localhost/seen cat /tmp/seen)" = '755 0 1700000000' ]
}
@test "a layer of ours does not carry one image's root into another (root)" { need_root; root_of_a_build root; }
@test "a layer of ours does not carry one image's root into another (user)" { need_user; root_of_a_build user; }

# ---- a mark on the root ----

all_hidden() {
	pull "$1" opaque >&2
	[ "$(as "$1" imgrun --rm localhost/opaque sh -c 'ls -d usr lib deep etc/old tmp only' 2>/dev/null)" = $'only\ntmp' ]
	# an implicit directory takes nothing from what is hidden
	pull "$1" opaque-top >&2
	[ "$(look "$1" localhost/opaque-top deep)" = 'deep 755 0 0 0 directory' ]
	as "$1" imgpush -q localhost/opaque-top "oci:$OUT/back:v1" >&2
	[ "$(manifest_of "$OUT/back")" = "$(manifest_of "$T/in/opaque-top")" ]
}
@test "an opaque mark on a layer's root hides all layers below (root)" { need_root; all_hidden root; }
@test "an opaque mark on a layer's root hides all layers below (user)" { need_user; all_hidden user; }

builds_on_hidden() {
	pull "$1" opaque >&2
	mkdir -p "$OUT/context"
	printf 'old' >"$OUT/context/old"
	touch -d @1600000000 "$OUT/context/old"
	cat >"$OUT/context/Buildfile" <<-'END'
		FROM localhost/opaque
		COPY old /etc/old
		RUN mkdir -m 700 deep && touch -d @1500000005 deep && ls -d usr lib 2>/dev/null | wc -l >seen
		FROM scratch
		COPY --from=0 / /
	END
	as "$1" imgbuild -q --target 0 -t localhost/on-it "$OUT/context" >&2
	[ "$(as "$1" imgrun --rm localhost/on-it cat seen)" = 0 ]
	# what is the same as a hidden file is not left out of a layer
	as "$1" imgpush -q --compression none localhost/on-it "oci:$OUT/on-it:v1" >&2
	for layer in $(jq -r '.layers[3:][].digest' "$OUT/on-it/blobs/sha256/$(manifest_of "$OUT/on-it" | cut -c8-)"); do
		tar -tf "$OUT/on-it/blobs/sha256/${layer#sha256:}"
	done >"$OUT/names"
	grep -x etc/old "$OUT/names"
	grep -x deep/ "$OUT/names"
	as "$1" imgbuild -q -t localhost/copied "$OUT/context" >&2
	as "$1" imgrun --rm localhost/copied sh -c '[ -e only ] && [ ! -e usr ]'
}
@test "builds on such an image do not see what is hidden (root)" { need_root; builds_on_hidden root; }
@test "builds on such an image do not see what is hidden (user)" { need_user; builds_on_hidden user; }

@test "umoci hides the same" {
	need_root
	command -v umoci >/dev/null || skip "umoci is not installed"
	pull root opaque >&2
	umoci unpack --image "$T/in/opaque:v1" "$OUT/umoci" >&2
	unshare -m bash -eu -c '
		p=$(IMGBUILD_ROOT=$1 imgstore mount localhost/opaque)
		python3 "$2/tests/dump-tree.py" "$p" >"$3/ours"
	' - "$ROOT_STORE" "$top_srcdir" "$OUT"
	dump_tree "$OUT/umoci/rootfs" | diff "$OUT/ours" -
}

# ---- devices ----

need_no_devices() {
	need_user
	! as_user "$top_builddir/imgstore" unshare mknod "$OUT/null" c 1 3 2>/dev/null || skip "the user may make devices"
}
tree_of() {
	as "$1" "$top_builddir/imgstore" unshare sh -euc 'm=$(imgstore mount "$0") && cd "$m" && ls dev dir; imgstore umount "$0"' "$2"
}
@test "an ordinary user pulls devices: left out of the tree, not of the layer" {
	need_no_devices
	as user imgpull "oci:$T/in/devices:v1" localhost/devices 2>"$OUT/log"
	cat "$OUT/log"
	[ "$(grep -c warning "$OUT/log")" = 1 ]
	[[ $(grep warning "$OUT/log") == "imgpull: warning: layer sha256:"*": 3 devices are left out of the unpacked tree: only root on the host may make them" ]]
	[ "$(tree_of user localhost/devices)" = $'dev:\n\ndir:\nfile' ]
	as user imgpush -q localhost/devices "oci:$OUT/back:v1" >&2
	[ "$(manifest_of "$OUT/back")" = "$(manifest_of "$T/in/devices")" ]
	as user imgpush -q --compression none localhost/devices "oci:$OUT/plain:v1" >&2
	digest=$(sha256sum <"$T/devices.tar")
	cmp "$OUT/plain/blobs/sha256/${digest%% *}" "$T/devices.tar"
	assert_store_idle "$USER_STORE"
}

@test "a device that is left out does not show the file below it" {
	need_no_devices
	as user imgpull "oci:$T/in/devices-on-files:v1" localhost/devices-on-files 2>"$OUT/log"
	[ "$(grep -c warning "$OUT/log")" = 1 ]
	[ "$(tree_of user localhost/devices-on-files)" = $'dev:\nkept\n\ndir:\nfile' ]
	as user imgpush -q localhost/devices-on-files "oci:$OUT/back:v1" >&2
	[ "$(manifest_of "$OUT/back")" = "$(manifest_of "$T/in/devices-on-files")" ]
}

@test "root pulls devices as they are, and an archive with them gives the same layer to all" {
	need_root
	as root imgpull "oci:$T/in/devices:v1" localhost/devices 2>"$OUT/log"
	not grep warning "$OUT/log"
	[ "$(stat -c '%F %t:%T %a %h' "$ROOT_STORE"/layers/*/fs/dev/null)" = 'character special file 1:3 666 2' ]
	need_no_devices
	mkdir "$OUT/context"
	cp "$T/devices.tar" "$OUT/context"
	printf 'FROM scratch\nADD devices.tar /\n' >"$OUT/context/Buildfile"
	for who in root user; do
		# the root of an image from scratch is as old as the build
		as $who imgbuild -q --source-date-epoch 1700000000 -t localhost/added "$OUT/context"
		as $who imgstore inspect localhost/added | jq -c '.[0].RootFS' >"$OUT/$who"
	done
	grep -q sha256: "$OUT/root"
	cmp "$OUT/root" "$OUT/user"
}
