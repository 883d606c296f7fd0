#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Stores that are only read: added to another one (--add-store), where images are used as they lie there, and the
# store itself on a read-only file system.

load lib

setup_file() {
	command -v jq >/dev/null || skip "needs jq"
	make_scratch
	export SOURCE_DATE_EPOCH=1700000000
	busybox_tar "$T/bb.tar"
	chmod 644 "$T/bb.tar"
	mkdir "$T/context"
	chmod 755 "$T/context"
	printf 'FROM base:1\nRUN echo mine >/mine && cat /d/new\n' >"$T/context/Buildfile"
	for who in root user; do
		can_build $who || continue
		base=$(base_of $who)
		as $who imgstore import --root "$base" "$T/bb.tar" localhost/bb >&2
		printf 'FROM localhost/bb\nRUN mkdir -p /d/e && echo 1 >/d/e/f && rm /bin/awk\nRUN rm -r /d && mkdir /d && echo 2 >/d/new\n' |
			as $who imgbuild --root "$base" -q -t base:1 - >&2
	done
}
teardown_file() { remove_scratch; }
setup() {
	ROOT_STORE=$T/root.$BATS_TEST_NUMBER
	USER_STORE=$T/user/own.$BATS_TEST_NUMBER
}

who_runs() { if is_root; then echo root; else echo user; fi; }
base_of() { if [ "$1" = root ]; then echo "$T/base"; else echo "$T/user/base"; fi; }
# Everything in a store and when it was last changed in any way
state_of() { as "$1" imgstore unshare find "$2" -printf '%P %y %m %U:%G %s %T@ %C@\n' | sort; }
layers_of() { as "$1" imgstore inspect "${@:2}" | jq -r '.[0].RootFS.Layers[]' | cut -d: -f2; }
without_db() { as "$1" imgstore unshare sqlite3 "$2/store.db" 'PRAGMA wal_checkpoint(TRUNCATE)' >&2; as "$1" imgstore unshare rm -f "$2/store.db-shm" "$2/store.db-wal"; }

in_place() {
	local who=$1 base own
	base=$(base_of "$who")
	own=$(store_of "$who")
	as "$who" imgstore --root "$base" export base:1 >"$T/there.tar"
	state_of "$who" "$base" >"$T/before"
	as "$who" imgbuild -q --add-store "$base" -t mine "$T/context" >&2
	[ "$(as "$who" imgrun --add-store "$base" --rm mine cat /mine /d/new)" = $'mine\n2' ]
	[ "$(as "$who" imgrun --add-store="$base" --rm base:1 sh -c 'cat /d/new; ls /d /bin/awk 2>/dev/null')" = $'2\n/d:\nnew' ]
	# by the variable, and before the command
	EXTRA_ENV="IMGBUILD_ADD_STORES=$base" IMGBUILD_ADD_STORES=$base as "$who" imgstore inspect base:1 >/dev/null
	as "$who" imgstore --add-store "$base" history base:1 >/dev/null
	# nothing is copied: of the four layers one is here
	[ "$(as "$who" imgstore unshare ls "$own/layers")" = "$(layers_of "$who" mine | tail -1)" ]
	[ "$(layers_of "$who" mine | wc -l)" = 4 ]
	# a push reads blobs and trees there, and the image is the same as from one store
	as "$who" imgpush -q --add-store "$base" mine "oci:$T/user/out-$who:x" >&2
	as "$who" imgpull -q --root "$own-2" "oci:$T/user/out-$who:x" mine >&2
	[ "$(as "$who" imgrun --root "$own-2" --rm mine cat /mine)" = mine ]
	as "$who" imgstore --add-store "$base" export base:1 >"$T/added.tar"
	cmp "$T/added.tar" "$T/there.tar"
	# what is there is not fetched
	as "$who" imgpull -q --root "$own-3" --add-store "$base" "oci:$T/user/out-$who:x" mine >&2
	[ "$(as "$who" imgstore unshare ls "$own-3/layers")" = "$(layers_of "$who" mine | tail -1)" ]
	as "$who" imgstore check --add-store "$base"
	as "$who" imgstore prune --all --force >&2
	state_of "$who" "$base" >"$T/after"
	diff "$T/before" "$T/after"
}
@test "images of another store are used in place (root)" { need_root; in_place root; }
@test "images of another store are used in place (user)" { need_builder user; in_place user; }

marks() {
	local who=$1 base
	base=$(base_of "$who")
	as "$who" imgbuild -q --add-store "$base" -t mine "$T/context" >&2
	as "$who" imgstore ls --add-store "$base" | tee "$T/ls"
	grep -q "^base  *1 .* $base\$" "$T/ls"
	grep -q '^mine .* -$' "$T/ls"
	[ "$(as "$who" imgstore ls --add-store "$base" --format json | jq -c '[.[] | select(.ReadOnly) | .Store] | unique')" = "[\"$base\"]" ]
	[ "$(as "$who" imgstore info --add-store "$base" --format json | jq -c .AddStores)" = "[\"$base\"]" ]
	[ "$(as "$who" imgstore ls | wc -l)" = 2 ]
	refused "$who" 3 "is in the store '$base', which is only read here" imgstore rm --add-store "$base" base:1
	# another name makes it an image of this store, without its layers
	as "$who" imgstore tag --add-store "$base" base:1 localhost/taken
	[ "$(as "$who" imgstore ls | wc -l)" = 3 ]
	[ "$(as "$who" imgrun --add-store "$base" --rm localhost/taken cat /d/new)" = 2 ]
	as "$who" imgstore rm localhost/taken mine
	as "$who" imgstore prune --force >&2
	[ "$(as "$who" imgstore info --format json | jq .Layers)" = 0 ]
	[ "$(as "$who" imgrun --add-store "$base" --rm base:1 cat /d/new)" = 2 ]
}
@test "they are marked, and removed where they are (root)" { need_root; marks root; }
@test "they are marked, and removed where they are (user)" { need_builder user; marks user; }

@test "without the store that an image needs, that is said; and it can be pulled again" {
	who=$(who_runs)
	base=$(base_of "$who")
	own=$(store_of "$who")
	as "$who" cp -a "$base" "$own-base"
	as "$who" imgbuild -q --add-store "$own-base" -t mine "$T/context" >&2
	as "$who" imgpush -q --add-store "$own-base" mine "oci:$T/user/again:x" >&2
	refused "$who" 125 "lies in the store '$own-base', which is not in use" imgrun --rm mine true
	as "$who" imgstore inspect mine >/dev/null
	as "$who" imgstore check | tee "$T/said"
	[ "$(grep -c "^elsewhere: layer .* it lies in the store '$own-base', .* needed by mine:latest" "$T/said")" = 3 ]
	as "$who" imgstore check --repair
	as "$who" imgstore inspect mine >/dev/null
	# there, and without the layer
	lost=$(layers_of "$who" mine | head -1)
	as "$who" imgstore --root "$own-base" rm -f base:1 localhost/bb >&2
	as "$who" imgstore --root "$own-base" prune --force >&2
	refused "$who" 3 "has it no more" imgstore check --add-store "$own-base"
	as "$who" imgpull -q "oci:$T/user/again:x" mine >&2
	[ "$(as "$who" imgrun --rm mine cat /mine)" = mine ]
	as "$who" imgstore check
	as "$who" imgstore unshare test -d "$own/layers/$lost"
}

@test "check --repair takes a layer from a blob that is here, or drops the image" {
	who=$(who_runs)
	base=$(base_of "$who")
	own=$(store_of "$who")
	as "$who" cp -a "$base" "$own-base"
	as "$who" imgbuild -q --add-store "$own-base" -t mine "$T/context" >&2
	as "$who" imgpush -q --add-store "$own-base" mine "oci:$T/user/blobs:x" >&2
	one=$(layers_of "$who" mine | sed -n 2p)
	as "$who" imgstore unshare rm -r "$own-base/layers/$one"
	as "$who" imgstore check --repair --add-store "$own-base" | tee "$T/said"
	grep -q "^repaired: layer sha256:$one: .*unpacked again from its blob" "$T/said"
	[ "$(as "$who" imgrun --add-store "$own-base" --rm mine cat /mine)" = mine ]
	as "$who" imgstore unshare rm -r "$own-base/layers/$(layers_of "$who" mine | sed -n 3p)"
	as "$who" imgstore unshare sh -c 'rm -rf "$1/layers/$2" && sqlite3 "$1/store.db" "DELETE FROM layer_blobs"' x "$own" "$(layers_of "$who" mine | sed -n 3p)"
	refused "$who" 3 "the store is damaged" imgstore check --repair --add-store "$own-base"
	[ "$(as "$who" imgstore ls -q | wc -l)" = 0 ]
}

@test "a store that others write to is read meanwhile" {
	who=$(who_runs)
	base=$(base_of "$who")
	as "$who" cp -a "$base" "$T/user/busy"
	(
		for i in $(seq 25); do
			printf 'FROM base:1\nRUN echo %s >/n\n' "$i" | as "$who" imgbuild --root "$T/user/busy" -q -t "n:$i" - >/dev/null || exit 1
			[ $((i % 5)) != 0 ] || as "$who" imgstore --root "$T/user/busy" rm "n:$i" >/dev/null || exit 1
		done
	) 2>"$T/writer" &
	writer=$!
	rounds=0
	while kill -0 $writer 2>/dev/null; do
		as "$who" imgstore ls --add-store "$T/user/busy" --format json >"$T/list"
		[ "$(jq '[.[] | select(.Names == ["base:1"])] | length' "$T/list")" = 1 ]
		newest=$(jq -r '[.[].Names[] | select(startswith("n:"))][0] // "base:1"' "$T/list")
		as "$who" imgstore inspect --add-store "$T/user/busy" "$newest" >/dev/null || [ "$newest" != base:1 ]
		[ "$(as "$who" imgrun --add-store "$T/user/busy" --rm base:1 cat /d/new)" = 2 ]
		rounds=$((rounds + 1))
	done
	wait $writer || { cat "$T/writer"; return 1; }
	echo "$rounds rounds"
	[ "$rounds" -ge 3 ]
	[ "$(as "$who" imgrun --add-store "$T/user/busy" --rm n:24 cat /n)" = 24 ]
}

@test "a copy of a store without its log's index, and one of an older form" {
	command -v sqlite3 >/dev/null || skip "sqlite3 is not installed"
	who=$(who_runs)
	base=$(base_of "$who")
	# changes that are in the log alone
	as "$who" cp -a "$base" "$T/user/copy"
	as "$who" imgstore --root "$T/user/copy" tag base:1 localhost/fresh
	as "$who" imgstore unshare rm "$T/user/copy/store.db-shm"
	state_of "$who" "$T/user/copy" >"$T/before"
	as "$who" imgstore ls --add-store "$T/user/copy" --format '{{.Repository}}' | grep -qx localhost/fresh
	[ "$(as "$who" imgrun --add-store "$T/user/copy" --rm localhost/fresh cat /d/new)" = 2 ]
	state_of "$who" "$T/user/copy" >"$T/after"
	diff "$T/before" "$T/after"
	# all in one file, of the form before last
	without_db "$who" "$T/user/copy"
	as "$who" imgstore unshare sqlite3 "$T/user/copy/store.db" \
		'DROP TABLE origins; ALTER TABLE layers DROP COLUMN place; ALTER TABLE images DROP COLUMN annotations; ALTER TABLE mounts DROP COLUMN container; PRAGMA user_version=2'
	without_db "$who" "$T/user/copy"
	state_of "$who" "$T/user/copy" >"$T/before"
	[ "$(as "$who" imgrun --add-store "$T/user/copy" --rm localhost/fresh cat /d/new)" = 2 ]
	state_of "$who" "$T/user/copy" >"$T/after"
	diff "$T/before" "$T/after"
	# and a newer one
	as "$who" imgstore unshare sqlite3 "$T/user/copy/store.db" 'PRAGMA user_version=99'
	refused "$who" 3 "made by a newer version" imgstore ls --add-store "$T/user/copy"
}

@test "what is no store to add" {
	who=$(who_runs)
	base=$(base_of "$who")
	as "$who" mkdir "$T/user/empty" "$T/user/a:b"
	refused "$who" 3 "there is no store at" imgstore ls --add-store "$T/none"
	refused "$who" 3 "is not a store" imgstore ls --add-store "$T/user/empty"
	refused "$who" 2 "has a colon" imgstore ls --add-store "$T/user/a:b"
	refused "$who" 2 "is named twice" imgstore ls --add-store "$base" --add-store "$base"
	refused "$who" 3 "is the store itself" imgstore ls --root "$base" --add-store "$base"
	refused "$who" 2 "needs a value" imgstore --add-store
	[ ! -e "$T/none" ]
}

@test "an ordinary user cannot use root's store in place, and is told what can be done" {
	need_root
	need_builder user
	as root cp -a "$(base_of root)" "$T/shared"
	chmod 755 "$T/shared"
	chmod -R a+rX "$T/shared/store.db"* "$T/shared/blobs" "$T/shared/layers" "$T/shared/empty"
	refused user 3 "its owner has no id in your user namespace" imgstore ls --add-store "$T/shared"
	[[ $output == *"imgpush oci:DIR"* ]]
	chmod 700 "$T/shared"
	refused user 5 "Permission denied" imgstore ls --add-store "$T/shared"
	[[ $output == *"imgpush oci:DIR"* ]]
	refused root 3 "was made in a user namespace" imgstore ls --add-store "$(base_of user)"
}

@test "a store on a read-only file system can be read, and added" {
	need_root
	[ "${IMGBUILD_STORAGE_DRIVER-}" != copy ] || skip "the copy driver needs room in the store to show a tree"
	base=$(base_of root)
	mkdir "$T/m"
	unshare -m --propagation private bash -euc '
		mount --bind "$1" "$2/m"
		mount -o remount,bind,ro "$2/m"
		imgstore --root "$2/m" ls --format "{{.Repository}}" | grep -qx base
		imgstore --root "$2/m" inspect base:1 | jq -e ".[0].RootFS.Layers | length == 3"
		imgstore --root "$2/m" history base:1
		imgstore --root "$2/m" info
		imgstore --root "$2/m" du
		imgstore --root "$2/m" check
		imgstore --root "$2/m" export base:1 | tar -tf - | grep -qx d/new
		imgstore --root "$2/m" diff base:1 | grep -q d/new
		not imgstore --root "$2/m" rm base:1
		not imgstore --root "$2/m" check --repair
		not imgrun --root "$2/m" --rm base:1 true
		not imgbuild --root "$2/m" "$2/context"
		not imgpull --root "$2/m" oci:nowhere x
		not imgpush --root "$2/m" base:1 "oci:$2/ro-out"
		imgbuild --root "$2/other" --add-store "$2/m" -q -t mine "$2/context"
		imgrun --root "$2/other" --add-store "$2/m" --rm mine cat /d/new
		imgpush --root "$2/other" --add-store "$2/m" base:1 "oci:$2/ro-out"
	' x "$base" "$T" >"$T/said" 2>&1 || { cat "$T/said"; return 1; }
	cat "$T/said"
	[ "$(grep -c "write to the store '$T/m': Read-only file system" "$T/said")" = 6 ]
	grep -q "beside a store of your own it can be used: --add-store $T/m" "$T/said"
	[ -e "$T/ro-out/index.json" ]
}
