#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The store through imgstore: as root and as an ordinary user, after kill -9, with many at once, on a full disk.

load lib

setup_file() {
	make_scratch
	busybox_tar "$T/bb.tar"
	mkdir -p "$T/small/etc"
	echo small >"$T/small/etc/name"
	tar --sort=name --mtime=@1700000000 --owner=0 --group=0 -C "$T/small" -cf "$T/small.tar" .
	gzip -nk "$T/small.tar"
	chmod 644 "$T"/*.tar*
}
teardown_file() {
	remove_scratch
}
setup() { # every test has stores of its own
	N=$BATS_TEST_NUMBER
	ROOT_STORE=$T/root-$N
	USER_STORE=$T/user/store-$N
}
count() { in_store "$1" find "$(store_of "$1")/$2" -mindepth 1 -maxdepth 1 | wc -l; }

import_and_look() {
	local who=$1 id
	id=$(SOURCE_DATE_EPOCH=1700000000 as "$who" imgstore import -m 'by hand' "$T/small.tar" small:1)
	[[ $id =~ ^sha256:[0-9a-f]{64}$ ]]
	[ "$(as "$who" imgstore ls --format json | jq -c '.[0] | [.Id, .Names, .Created, .Size, .Layers]')" = \
		"[\"$id\",[\"small:1\"],\"2023-11-14T22:13:20Z\",6,1]" ]
	[ "$(as "$who" imgstore ls -q)" = "${id:7:12}" ]
	[[ $(as "$who" imgstore ls | tail -1) =~ ^small\ +1\ +${id:7:12}\ .*\ years?\ ago\ +6B$ ]]
	[ "$(as "$who" imgstore inspect small:1 | jq -c '.[0] | [.Id, .RepoTags, .Os, .Comment, .RootFS.Type]')" = \
		"[\"$id\",[\"small:1\"],\"linux\",\"by hand\",\"layers\"]" ]
	[ "$(as "$who" imgstore history --format json "${id:7:6}" | jq -c '.[0] | [.Id, .Size, .Comment]')" = \
		"[\"$id\",6,\"by hand\"]" ]
	# the same tree, compressed, is the same layer and, at the same time, the same image
	[ "$(SOURCE_DATE_EPOCH=1700000000 as "$who" imgstore import -m 'by hand' - <"$T/small.tar.gz")" = "$id" ]
	[ "$(count "$who" layers)" = 1 ]
	# the store's own root is closed to others, the layer's root is not
	[ "$(stat -c %a "$(store_of "$who")")" = 700 ]
	[ "$(in_store "$who" sh -c 'stat -c %a "$IMGBUILD_ROOT"/layers/*/fs')" = 755 ]
	assert_store_idle "$(store_of "$who")"
}
@test "import, ls, inspect, history (root)" { need_root; import_and_look root; }
@test "import, ls, inspect, history (user)" { need_user; import_and_look user; }

@test "root and an ordinary user get the same image from the same tar" {
	need_root
	need_user
	export SOURCE_DATE_EPOCH=1700000000
	by_root=$(as root imgstore import "$T/bb.tar")
	by_user=$(as user imgstore import "$T/bb.tar")
	[ "$by_root" = "$by_user" ]
}

names() {
	local who=$1 id
	id=$(as "$who" imgstore import "$T/small.tar" one)
	as "$who" imgstore tag one localhost:5000/two:x
	as "$who" imgstore import "$T/bb.tar" bb
	[ "$(as "$who" imgstore ls --format json | jq -c --arg id "$id" '.[] | select(.Id == $id) | .Names')" = \
		'["one:latest","localhost:5000/two:x"]' ]
	refused "$who" 3 'has 2 names' imgstore rm "${id:7:12}"
	[ "$(as "$who" imgstore rm one)" = 'Untagged: one:latest' ]
	refused "$who" 3 "image 'one' is not in the store" imgstore inspect one
	# a name is moved from one image to another
	as "$who" imgstore tag bb localhost:5000/two:x
	[ "$(as "$who" imgstore ls -a --format json | jq -c --arg id "$id" '.[] | select(.Id == $id) | .Names')" = '[]' ]
	[ "$(as "$who" imgstore ls -q | wc -l)" = 1 ]
	[ "$(as "$who" imgstore rm "$id")" = "Deleted: $id" ]
	[ "$(count "$who" layers)" = 1 ]
	[ "$(as "$who" imgstore rm -f "$(as "$who" imgstore ls -q)" | grep -c Untagged)" = 2 ]
	[ "$(count "$who" layers)" = 0 ]
	[ "$(count "$who" blobs/sha256)" = 0 ]
	refused "$who" 3 "'UPPER'" imgstore tag UPPER x
	refused "$who" 3 "there is no image and no container 'nothing'" imgstore rm nothing
	assert_store_idle "$(store_of "$who")"
}
@test "tag and rm (root)" { need_root; names root; }
@test "tag and rm (user)" { need_user; names user; }

@test "names that would be IDs: the name wins, an ambiguous prefix is an error" {
	need_root
	command -v sqlite3 >/dev/null || skip "sqlite3 is not installed"
	id=$(as root imgstore import "$T/small.tar" one)
	as root imgstore import "$T/bb.tar" "${id:7:8}"
	[ "$(as root imgstore inspect "${id:7:8}" | jq -r '.[0].RepoTags[0]')" = "${id:7:8}:latest" ]
	[ "$(as root imgstore inspect "sha256:${id:7:8}" | jq -r '.[0].Id')" = "$id" ]
	refused root 3 'not in the store' imgstore inspect "${id:7:3}"
	sqlite3 "$ROOT_STORE/store.db" "INSERT INTO images(seq, id) SELECT (SELECT max(seq) + 1 FROM images), CAST(substr(id, 1, 31)||x'00' AS BLOB) FROM images WHERE hex(id) LIKE '${id:7:12}%'"
	refused root 3 'several images have an ID that begins with' imgstore inspect "${id:7:12}"
}

@test "mount and umount: read-only, protected from rm and prune, gone afterwards" {
	need_root
	id=$(as root imgstore import "$T/small.tar" small)
	mkdir "$T/here"
	unshare -m bash -eux -c '
		export IMGBUILD_ROOT='"$ROOT_STORE"'
		path=$(imgstore mount small)
		[ "$path" = "$(imgstore mount small)" ]
		[ "$(cat "$path/etc/name")" = small ]
		not touch "$path/new"
		[ "$(imgstore mount small "$T/here")" = "$T/here" ]
		[ "$(cat "$T/here/etc/name")" = small ]
		not imgstore rm small 2>"$T/rm.err"
		grep -q "is mounted" "$T/rm.err"
		[ "$(imgstore rm -f small)" = "Untagged: small:latest" ]
		imgstore prune
		[ "$(cat "$path/etc/name")" = small ]
		imgstore umount "$T/here"
		[ -z "$(ls "$T/here")" ]
		imgstore umount '"${id:7:12}"'
		not grep -F "$IMGBUILD_ROOT" /proc/self/mountinfo
		not imgstore umount "$T/here" 2>"$T/um.err"
		grep -q "no image or container is mounted at" "$T/um.err"
		imgstore mount '"${id:7:12}"'
		imgstore prune
	'
	# its mount namespace is gone: nothing protects the image any more
	[ "$(count root layers)" = 1 ]
	as root imgstore prune
	[ "$(count root layers)" = 0 ]
}

@test "a mount namespace that is gone is not taken for the next one of its number" {
	need_root
	unshare -m python3 -c 'import fcntl; fcntl.ioctl(open("/proc/self/ns/mnt"), 0x8008b705, bytearray(8))' ||
		skip "before Linux 6.11 there is no better number"
	as root imgstore import "$T/small.tar" small
	for try in $(seq 20); do # others make namespaces, too
		was=$(IMGBUILD_ROOT=$ROOT_STORE unshare -m sh -ec 'imgstore mount small >&2; readlink /proc/self/ns/mnt')
		unshare -m sh -c 'readlink /proc/self/ns/mnt >"$1"; exec sleep 60' - "$T/is" &
		holder=$!
		for i in $(seq 100); do [ ! -s "$T/is" ] || break; sleep 0.02; done
		[ "$(cat "$T/is")" != "$was" ] || break
		kill $holder
		rm "$T/is"
	done
	[ -e "$T/is" ] || skip "the number is not given again"
	run as root imgstore rm small
	kill $holder
	echo "$output"
	[ "$status" = 0 ]
}

@test "an ordinary user mounts in imgstore unshare, and is told so elsewhere" {
	need_user
	as user imgstore import "$T/small.tar" small
	refused user 2 'would end with this command' imgstore mount small
	[[ $output == *'imgstore unshare'* ]]
	run as user imgstore unshare sh -ec 'p=$(imgstore mount small); cat "$p/etc/name"; id -u; imgstore umount small; ls "$p" 2>&1'
	[ "${lines[0]}" = small ]
	[ "${lines[1]}" = 0 ]
	[[ ${lines[2]} == *'No such file'* ]]
}

@test "a deletion in the only layer of an image is no device to anybody" {
	need_root
	# squashed by somebody: its only layer deletes what was never there
	as root imgstore import "$T/small.tar" small
	layer=$(ls -d "$ROOT_STORE"/layers/*/fs)
	mknod "$layer/etc/gone" c 0 0
	unshare -m bash -eux -c '
		export IMGBUILD_ROOT='"$ROOT_STORE"'
		path=$(imgstore mount small)
		[ "$(cat "$path/etc/name")" = small ]
		[ ! -e "$path/etc/gone" ]
	'
}

# a root file system with devices, and a hard link to one
device_tar() {
	python3 "$top_srcdir/tests/make-tar.py" "$1" <<-'END'
		dir ./ mtime=1700000000
		dir dev mtime=1700000001
		char dev/console 5 1 mode=600 gid=5
		dir dev/fd
		char dev/null 1 3 mode=666 mtime=1700000002.5
		hard dev/none dev/null
		file dev-file content=x
		block disk 8 0
		fifo dev/pipe
		file a content=a
	END
}
devices() {
	local who=$1 id out
	out=$(dirname "$(store_of "$who")")
	device_tar "$T/devices.tar"
	id=$(SOURCE_DATE_EPOCH=1700000000 as "$who" imgstore import -m x "$T/devices.tar" localhost/devices 2>"$T/err-$who")
	echo "$id" >"$T/id-$who"
	as "$who" imgpush -q localhost/devices "docker-archive:$out/$who.tar" >&2
	[ "$(as "$who" imgpush -q localhost/devices "oci:$out/out-$who:v1")" = "$id" ]
	in_store "$who" sh -c 'cd "$IMGBUILD_ROOT"/layers/*/fs && stat -c "%n %F %t:%T %Y" dev dev/*' >"$T/tree-$who"
	assert_store_idle "$(store_of "$who")"
}
@test "devices: an ordinary user's tree is without them, the image is root's" {
	need_root
	need_user
	devices root
	devices user
	[ ! -s "$T/err-root" ]
	[ "$(cat "$T/err-user")" = "imgstore: warning: $T/devices.tar: 4 devices are left out of the unpacked tree: only root on the host may make them" ]
	cat "$T/tree-user"
	[ "$(cat "$T/tree-user")" = 'dev directory 0:0 1700000001
dev/fd directory 0:0 1600000000
dev/pipe fifo 0:0 1600000000' ]
	[ "$(grep -c 'special file' "$T/tree-root")" = 3 ]
	cmp "$T/id-root" "$T/id-user"
	cmp "$T/root.tar" "$T/user/user.tar"
	diff -r "$T/out-root" "$T/user/out-user"
	# and so is what is built on it
	mkdir -p "$T/on-devices"
	printf 'FROM localhost/devices\nCOPY f /dev/f\n' >"$T/on-devices/Buildfile"
	echo f >"$T/on-devices/f"
	touch -d @1700000000 "$T/on-devices/f"
	chmod -R a+rX "$T/on-devices"
	export SOURCE_DATE_EPOCH=1700000000
	by_root=$(as root imgbuild -q "$T/on-devices")
	by_user=$(as user imgbuild -q "$T/on-devices")
	[ "$by_root" = "$by_user" ]
}

# not a tar, cut short, empty, with whiteouts, leading outside: status 3, a clear word, nothing stays
bad_tars() {
	local who=$1 dir=$T/bad-$1
	mkdir -p "$dir"
	echo 'this is no tar at all' >"$dir/text"
	head -c 1000000 "$T/bb.tar" >"$dir/cut.tar"
	head -c 500000 "$T/small.tar.gz" | head -c 150 >"$dir/cut.tar.gz"
	: >"$dir/empty"
	mkdir -p "$dir/w"
	: >"$dir/w/.wh.x"
	tar -C "$dir/w" -cf "$dir/whiteout.tar" .
	tar -C "$dir/w" --transform 's,.*,../../outside,' -P -cf "$dir/outside.tar" .wh.x
	chmod -R a+rX "$dir"
	for tar in text cut.tar cut.tar.gz empty whiteout.tar outside.tar; do
		refused "$who" 3 "$tar" imgstore import "$dir/$tar" bad
		[ "$(grep -c '^imgstore: ' <<<"$output")" = 1 ]
	done
	refused "$who" 5 'No such file' imgstore import "$dir/none" bad
	[ "$(as "$who" imgstore ls -a --format json)" = '[]' ]
	[ "$(count "$who" layers)" = 0 ]
	[ "$(count "$who" blobs/sha256)" = 0 ]
	assert_store_idle "$(store_of "$who")"
}
@test "tars that are none, cut, or hostile (root)" { need_root; bad_tars root; }
@test "tars that are none, cut, or hostile (user)" { need_user; bad_tars user; }

killed_import() {
	local who=$1 store pid
	store=$(store_of "$who")
	as "$who" imgstore import "$T/small.tar" small
	# half of the tar, then nothing: it waits in the middle of unpacking
	mkfifo -m 666 "$T/fifo-$who"
	as "$who" imgstore import "$T/fifo-$who" killed 3>&- >/dev/null 2>&1 &
	exec 9>"$T/fifo-$who"
	head -c 1500000 "$T/bb.tar" >&9
	for _ in $(seq 50); do
		[ "$(ls "$store/tmp" | wc -l)" = 0 ] || break
		sleep 0.1
	done
	[ "$(ls "$store/tmp" | wc -l)" -ge 1 ]
	# while it lives nobody takes its work away
	as "$who" imgstore prune
	[ "$(ls "$store/tmp" | wc -l)" -ge 1 ]
	pid=$(pgrep -f "^imgstore import $T/fifo-$who")
	kill -9 "$pid"
	exec 9>&-
	wait || true
	[ "$(ls "$store/tmp" | wc -l)" -ge 1 ]
	[ "$(as "$who" imgstore ls --format json | jq -r '.[].Names[0]')" = small:latest ]
	assert_store_idle "$store"
	[ "$(count "$who" layers)" = 1 ]
}
@test "kill -9 in the middle of an import: the next command sweeps (root)" { need_root; killed_import root; }
@test "kill -9 in the middle of an import: the next command sweeps (user)" { need_user; killed_import user; }

@test "kill -9 at any moment: nothing published is lost, nothing half-made stays" {
	need_root
	export IMGBUILD_ROOT=$ROOT_STORE
	kept=$(imgstore import "$T/small.tar" kept)
	for i in $(seq 12); do
		# from before the store is open to after the image has its name
		setsid bash -c 'imgstore import "$T/bb.tar" killed && imgstore rm killed && imgstore prune' >/dev/null 2>&1 3>&- &
		sleep "0.0$((i * 7 % 10))$i"
		kill -9 -- "-$!" 2>/dev/null || true
		wait "$!" || true
		# its children may take longer to be gone
		while kill -0 -- "-$!" 2>/dev/null; do sleep 0.01; done
		imgstore ls -a --format json >"$T/after.json"
		[ "$(jq -r --arg id "$kept" '.[] | select(.Id == $id) | .Names[0]' "$T/after.json")" = kept:latest ]
		# what has a name is whole
		for name in $(jq -r '.[].Names[]' "$T/after.json"); do
			imgstore inspect "$name" >/dev/null
			unshare -m bash -ec 'p=$(imgstore mount "$1"); ls -R "$p" >/dev/null' - "$name"
		done
		assert_store_idle "$ROOT_STORE"
	done
	imgstore rm killed 2>/dev/null || true
	imgstore prune
	[ "$(count root layers)" = 1 ]
	[ "$(count root blobs/sha256)" = 1 ]
}

@test "naming waits for the disk once, and not at all when nothing is new" {
	need_root
	command -v strace >/dev/null || skip 'strace is not installed'
	export IMGBUILD_ROOT=$ROOT_STORE
	imgstore import "$T/small.tar" one
	strace -f -o "$T/trace" -e trace=fsync,fdatasync,syncfs imgstore import "$T/bb.tar" two
	cat "$T/trace"
	[ "$(grep -c syncfs "$T/trace")" = 1 ]
	# the data, then the row
	grep -A9 syncfs "$T/trace" | grep -q 'fdatasync\|fsync'
	strace -f -o "$T/trace" -e trace=fsync,fdatasync,syncfs imgstore tag two two
	cat "$T/trace"
	not grep -q sync "$T/trace"
}

@test "many imports of the same tar at once give one layer" {
	need_root
	export SOURCE_DATE_EPOCH=1700000000 IMGBUILD_ROOT=$ROOT_STORE
	for i in 1 2 3 4; do
		imgstore import "$T/bb.tar" "bb:$i" >"$T/many-$i" 2>&1 3>&- &
	done
	wait
	cat "$T"/many-*
	[ "$(sort -u "$T"/many-* | wc -l)" = 1 ]
	[ "$(count root layers)" = 1 ]
	[ "$(imgstore ls --format json | jq -c '.[0].Names | length')" = 4 ]
	assert_store_idle "$ROOT_STORE"
}

@test "imports, removals and prunes at the same time never fail" {
	need_root
	export IMGBUILD_ROOT=$ROOT_STORE
	for i in 1 2 3; do
		(
			for round in 1 2 3 4; do
				imgstore import -m "$i $round" "$T/small.tar" "it:$i"
				imgstore inspect "it:$i" >/dev/null
				imgstore rm "it:$i" >/dev/null
			done
		) >/dev/null 2>"$T/race-$i" 3>&- &
	done
	for round in 1 2 3 4 5 6; do imgstore prune; done >/dev/null 2>"$T/race-prune"
	wait
	cat "$T"/race-*
	[ -z "$(cat "$T"/race-*)" ]
	imgstore prune
	[ "$(count root layers)" = 0 ]
	[ "$(count root blobs/sha256)" = 0 ]
	assert_store_idle "$ROOT_STORE"
}

@test "a full disk: one error with status 5, nothing stays, rm works" {
	need_root
	truncate -s 8M "$T/disk.img"
	mkfs.ext4 -q -F -m 0 "$T/disk.img"
	unshare -m bash -eux -c '
		mkdir "$T/disk"
		mount -o loop "$T/disk.img" "$T/disk"
		export IMGBUILD_ROOT=$T/disk/store
		imgstore import "$T/small.tar" small
		imgstore import "$T/bb.tar" bb:1
		status=0
		head -c 64M /dev/urandom >"$T/big"
		tar -C "$T" -cf - big | imgstore import - big 2>"$T/full.err" || status=$?
		cat "$T/full.err"
		[ "$status" = 5 ]
		grep -q "^imgstore: .*No space left on device" "$T/full.err"
		[ -z "$(ls "$IMGBUILD_ROOT/tmp")" ]
		[ "$(ls "$IMGBUILD_ROOT/layers" | wc -l)" = 2 ]
		# to the last byte: a large file does not get what ext4 has for small ones
		n=0
		fill() {
			cat /dev/zero >>"$T/disk/fill" || true
			while head -c 1k /dev/zero >"$T/disk/fill-$n"; do n=$((n + 1)); done
		}
		fill
		not cp "$T/small.tar" "$T/disk/more"
		imgstore rm bb:1
		[ "$(ls "$IMGBUILD_ROOT/layers" | wc -l)" = 1 ]
		fill
		imgstore rm small
		fill
		imgstore prune
		[ "$(ls "$IMGBUILD_ROOT/layers" | wc -l)" = 0 ]
	'
}

@test "a store of a newer form, a damaged one, and a directory that is none are refused" {
	need_root
	command -v sqlite3 >/dev/null || skip "sqlite3 is not installed"
	mkdir "$T/none"
	touch "$T/none/file"
	refused root 3 'is not a store' imgstore --root "$T/none" ls
	mkdir "$T/damaged"
	echo 'no database, however long this line of text may be' >"$T/damaged/store.db"
	refused root 3 'store.db is damaged' imgstore --root "$T/damaged" ls
	as root imgstore ls
	sqlite3 "$ROOT_STORE/store.db" 'PRAGMA user_version=99'
	refused root 3 'newer version (its form is 99' imgstore ls
}

@test "a damaged layer or config is named, the other images stay usable" {
	need_root
	id=$(as root imgstore import "$T/small.tar" small)
	as root imgstore import "$T/bb.tar" bb
	echo x >>"$ROOT_STORE/blobs/sha256/${id:7}"
	refused root 3 'the store is damaged: blob' imgstore inspect small
	as root imgstore inspect bb
	as root imgstore rm small
	refused root 3 'not in the store' imgstore inspect small
}

@test "prune frees what nothing names and says how much" {
	need_root
	as root imgstore import "$T/small.tar" small
	as root imgstore import "$T/bb.tar" >/dev/null
	before=$(as root imgstore info --format json)
	[ "$(jq -c '[.Images, .Names, .Layers]' <<<"$before")" = '[2,1,2]' ]
	bytes=$(as root imgstore prune --format json | jq .Bytes)
	[ "$bytes" -gt 1000000 ]
	[ "$(as root imgstore info --format json | jq -c '[.Images, .Names, .Layers, .Driver]')" = '[1,1,1,"'"${IMGBUILD_STORAGE_DRIVER:-overlay}"'"]' ]
	[ "$(as root imgstore prune --format json | jq -c .)" = '{"Bytes":0,"Images":0,"Layers":0,"Blobs":0,"CacheEntries":0,"CacheMounts":0,"DryRun":false,"Untagged":[]}' ]
}

@test "127 layers and more, below a long path" {
	need_root
	long=$T/$(printf 'd%.0s' $(seq 200))/$(printf 'e%.0s' $(seq 200))
	mkdir -p "$long" "$T/oci" "$T/layer"
	python3 "$top_srcdir/tests/many-layers.py" 200 "$T/oci"
	export IMGBUILD_ROOT=$long/store
	imgpull "oci:$T/oci:latest" many
	unshare -m bash -eux -c '
		path=$(imgstore mount many)
		[ "$(ls "$path" | wc -l)" = 200 ]
		[ "$(cat "$path/f199")" = 199 ]
	'
}

@test "command lines: what is unknown or missing is status 2" {
	for command in ls ps inspect history tag rm import mount umount unshare prune info; do
		run imgstore $command --no-such-option
		echo "$command: $status $output"
		[ "$status" = 2 ]
		[[ $output == *--no-such-option* ]]
		run imgstore $command --help
		[ "$status" = 0 ]
		[[ $output == *"imgstore $command"* ]]
	done
	for command in nothing 'inspect' 'history' 'tag one' 'rm' 'import' 'mount' 'umount' 'unshare' 'ls surplus'; do
		run imgstore $command
		echo "$command: $status $output"
		[ "$status" = 2 ]
	done
}

@test "an image that has the same layer twice" {
	need_root
	IMGBUILD_ROOT=$ROOT_STORE
	export IMGBUILD_ROOT
	mkdir "$T/twice"
	printf 'FROM small\nRUN true\nRUN true\nRUN touch -d @1 /x\nRUN rm /x\nRUN touch -d @1 /x\nRUN [ -e /x ]\n' >"$T/twice/Buildfile"
	imgstore import "$T/bb.tar" small
	imgbuild -q -t twice "$T/twice"
	[ "$(imgrun --rm twice stat -c %Y /x)" = 1 ]
}
