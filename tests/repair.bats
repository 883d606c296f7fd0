#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# imgstore check: each kind of damage is found and named, nothing else is; --repair mends it or removes what needs it.
# "4a.N" names the rows of the list of faults that stores of this kind are known for.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
	make_scratch
	busybox_tar "$T/bb.tar"
	mkdir -p "$T/ctx"
	printf 'FROM bb\nRUN echo one >/one && ln /one /uno && mkdir -m 700 /dir && rm /etc/group\nCOPY file /file\n' >"$T/ctx/Buildfile"
	echo content >"$T/ctx/file"
	python3 "$top_srcdir/tests/make-layout.py" "$T/layout" a -
	chmod -R a+rX "$T"
}
teardown_file() {
	remove_scratch
}
setup() {
	N=$BATS_TEST_NUMBER
	ROOT_STORE=$T/root-$N
	USER_STORE=$T/user/store-$N
}
# A store with an image built here, one pulled, and a blob of a layer of ours.
fill() {
	local who=$1
	as "$who" imgstore import "$T/bb.tar" bb
	as "$who" imgbuild -q -t built "$T/ctx"
	# from a place that is not there any more
	cp -r "$T/layout" "$T/gone-$N"
	as "$who" imgpull "oci:$T/gone-$N:a" pulled
	rm -r "$T/gone-$N"
	as "$who" imgpush built "oci:$(store_of "$who")-out:x"
}
# found WHO STATE KIND PATTERN: check (with what is in $CHECK) exits with $WANT and has such a finding
found() {
	run --separate-stderr as "$1" imgstore check --format json ${CHECK-}
	echo "status $status: $output $stderr"
	[ "$status" = "${WANT:-3}" ]
	jq -e --arg s "$2" --arg k "$3" --arg p "$4" \
		'.Findings | any(.State == $s and .Kind == $k and ((.Problem + "|" + (.Outcome // "") + "|" + (.Images | join(","))) | test($p)))' <<<"$output"
}
# No damage, nothing left over, nothing unproven.
clean() {
	run --separate-stderr as "$1" imgstore check --format json
	echo "status $status: $output $stderr"
	[ "$status" = 0 ]
	jq -e '.Clean and (.Findings | length == 0) and .Layers > 0' <<<"$output"
}
# layer_of WHO IMAGE N: directory of a layer, counted from 0
layer_of() { echo "$(store_of "$1")/layers/$(as "$1" imgstore inspect "$2" | jq -r ".[0].RootFS.Layers[$3]" | cut -d: -f2)/fs"; }
row() { in_store "$1" sqlite3 "$(store_of "$1")/store.db" "$2"; }

healthy() {
	local who=$1
	fill "$who"
	clean "$who"
	[ "$(as "$who" imgstore check | tail -1 | cut -d'(' -f1)" = 'checked 3 images, 5 layers, 9 blobs ' ]
	# images alone, by name
	[ "$(as "$who" imgstore check --format json pulled | jq -c '[.Images, .Layers, .Blobs, .Clean]')" = '[1,2,4,true]' ]
	WANT=3 run as "$who" imgstore check nothing
	[ "$status" = 3 ]
	[[ $output == *"image 'nothing' is not in the store"* ]]
}
@test "a healthy store is clean (root)" { need_root; healthy root; }
@test "a healthy store is clean (user)" { need_user; healthy user; }

@test "4a.9: looking, mounting, reading and running change nothing that is compared; check changes nothing" {
	need_root
	fill root
	in_store root find "$ROOT_STORE" -not -path '*/store.db*' -printf '%p %s %T@ %C@ %m\n' | sort >"$T/before"
	clean root
	in_store root find "$ROOT_STORE" -not -path '*/store.db*' -printf '%p %s %T@ %C@ %m\n' | sort >"$T/after"
	# unpacking for comparison was done below tmp/, and taken away
	diff <(grep -v "$ROOT_STORE/tmp " "$T/before") <(grep -v "$ROOT_STORE/tmp " "$T/after")
	unshare -m bash -eux -c '
		export IMGBUILD_ROOT='"$ROOT_STORE"'
		path=$(imgstore mount pulled)
		find "$path" -type f -exec cat {} + >/dev/null
		imgstore check
		[ "$(cat "$path/arch")" ]
		imgstore umount pulled'
	as root imgrun --rm built sh -c 'touch /file; echo x >/one; chmod 700 /etc; rm -r /dir'
	clean root
}

mend_ours() {
	local who=$1 dir
	fill "$who"
	dir=$(layer_of "$who" built 1)
	# another content of the same length and times
	in_store "$who" sh -c 'printf "two\n" >'"$dir/one && touch -r $dir/dir $dir/one"
	found "$who" damaged layer 'pack to sha256:.*\|\|built:latest$'
	as "$who" imgstore check pulled
	CHECK=--repair WANT=0 found "$who" repaired layer 'unpacked again from its blob'
	clean "$who"
	[ "$(as "$who" imgrun --rm built cat /one)" = one ]
	# a directory that is gone, and one whose file has another owner
	in_store "$who" rm -rf "$(dirname "$dir")"
	found "$who" damaged layer 'it has no directory'
	CHECK=--repair WANT=0 found "$who" repaired layer 'unpacked again from its blob'
	in_store "$who" chown 5:5 "$dir/dir"
	CHECK=--repair WANT=0 found "$who" repaired layer 'unpacked again from its blob'
	clean "$who"
	assert_store_idle "$(store_of "$who")"
}
@test "a damaged layer of ours is mended from its blob (root)" { need_root; mend_ours root; }
@test "a damaged layer of ours is mended from its blob (user)" { need_user; mend_ours user; }

mend_pulled() {
	local who=$1 dir
	fill "$who"
	for n in 0 1; do
		dir=$(layer_of "$who" pulled $n)
		in_store "$who" sh -c "echo more >>$dir/etc/$([ $n = 0 ] && echo one || echo three)"
		found "$who" damaged layer 'not those of its blob\|\|pulled:latest'
		CHECK=--repair WANT=0 found "$who" repaired layer 'unpacked again from its blob'
		clean "$who"
	done
	# a file too many, and one too few
	in_store "$who" touch "$dir/extra"
	found "$who" damaged layer 'not those of its blob'
	in_store "$who" rm "$dir/extra" "$dir/etc/three"
	CHECK=--repair WANT=0 found "$who" repaired layer 'unpacked again'
	clean "$who"
}
@test "a damaged pulled layer is found and mended from its blob (root)" { need_root; mend_pulled root; }
@test "a damaged pulled layer is found and mended from its blob (user)" { need_user; mend_pulled user; }

@test "4a.3: what cannot be mended takes its images along, and no other; pulled and built again, all is well" {
	need_root
	fill root
	as root imgstore tag bb also:1
	blob=$(row root "SELECT lower(hex(blob)) FROM layer_blobs b JOIN layers l ON l.diff_id=b.diff_id JOIN image_layers x ON x.layer=l.id JOIN names n ON n.image=x.image WHERE n.name LIKE '%/pulled:%' AND x.position=1")
	echo bad >"$ROOT_STORE/blobs/sha256/$blob"
	# the tree alone proves nothing any more, and the image still runs
	found root damaged blob "\|pulled:latest"
	found root unproven layer 'pulled:latest'
	echo more >>"$(layer_of root pulled 1)/etc/three"
	CHECK=--repair found root lost blob 'removed'
	[ "$(as root imgstore ls --format json | jq -c '[.[].Names[]] | sort')" = '["also:1","bb:latest","built:latest","pulled:latest"]' ]
	rm -rf "$(layer_of root pulled 1)"
	CHECK=--repair found root lost layer 'removed, and the images that needed it: pull or build them again\|pulled:latest'
	[ "$(jq -c .Lost <<<"$output")" = '["pulled:latest"]' ]
	clean root
	[ "$(as root imgstore ls --format json | jq -c '[.[].Names[]] | sort')" = '["also:1","bb:latest","built:latest"]' ]
	as root imgpull "oci:$T/layout:a" pulled
	clean root
	as root imgpush pulled "oci:$T/again:x"
	# a layer of ours without a blob: the images on top of it go too, the pulled one stays
	dir=$(layer_of root bb 0)
	for blob in $(row root "SELECT lower(hex(blob)) FROM layer_blobs b JOIN layers l ON l.diff_id=b.diff_id WHERE is_ours"); do
		rm "$ROOT_STORE/blobs/sha256/$blob"
	done
	rm "$dir/etc/passwd"
	found root damaged layer 'bb:latest,built:latest'
	CHECK=--repair found root lost layer 'removed'
	[ "$(as root imgstore ls --format json | jq -c '[.[].Names[]] | sort')" = '["pulled:latest"]' ]
	clean root
	as root imgstore import "$T/bb.tar" bb
	as root imgbuild -q -t built "$T/ctx"
	clean root
	assert_store_idle "$ROOT_STORE"
}

@test "blobs: ours are packed again, a manifest is written anew, a config takes its image along" {
	need_root
	fill root
	ours=$(row root "SELECT lower(hex(blob)) FROM layer_blobs b JOIN layers l ON l.diff_id=b.diff_id WHERE l.is_ours LIMIT 1")
	rm "$ROOT_STORE/blobs/sha256/$ours"
	found root damaged blob 'it has no file'
	CHECK=--repair WANT=0 found root repaired blob 'packed again from the layer'
	clean root
	manifest=$(row root "SELECT lower(hex(manifest)) FROM images JOIN names ON image=id WHERE name LIKE '%/pulled:%'")
	printf x >>"$ROOT_STORE/blobs/sha256/$manifest"
	CHECK=--repair WANT=0 found root repaired blob 'new manifest'
	clean root
	as root imgpush pulled "oci:$T/out2:x"
	config=$(as root imgstore inspect pulled | jq -r '.[0].Id' | cut -d: -f2)
	: >"$ROOT_STORE/blobs/sha256/$config"
	CHECK=--repair found root lost blob 'pulled:latest'
	clean root
	[ "$(as root imgstore ls --format json | jq -c '[.[].Names[]] | sort')" = '["bb:latest","built:latest"]' ]
}

@test "what a container or a mount uses is neither removed nor exchanged" {
	need_root
	fill root
	as root imgrun --name keep bb touch /mine
	rm "$(layer_of root bb 0)/etc/passwd"
	blob=$(row root "SELECT lower(hex(blob)) FROM layer_blobs b JOIN layers l ON l.diff_id=b.diff_id JOIN image_layers x ON x.layer=l.id JOIN names n ON n.image=x.image WHERE n.name LIKE '%/bb:%'")
	rm "$ROOT_STORE/blobs/sha256/$blob"
	CHECK=--repair found root damaged layer 'a container, a mount or a running command'
	[ -e "$ROOT_STORE"/containers/*/fs/mine ]
	[ "$(as root imgstore ls -q | wc -l)" = 3 ]
	as root imgstore rm keep
	CHECK=--repair found root lost layer 'bb:latest,built:latest'
	clean root
	dir=$(layer_of root pulled 0)
	unshare -m bash -eux -c '
		export IMGBUILD_ROOT='"$ROOT_STORE"'
		path=$(imgstore mount pulled)
		echo more >>'"$dir"'/etc/one
		imgstore check --repair | grep "damaged: layer.*a mount or a running command uses it"
		[ "$(cat "$path/arch")" ]
		imgstore umount pulled'
	CHECK=--repair WANT=0 found root repaired layer 'unpacked again'
	clean root
}

@test "rows: names of nothing, containers of nothing, layers that are not there, a broken index" {
	need_root
	command -v sqlite3 >/dev/null || skip "sqlite3 is not installed"
	fill root
	row root "INSERT INTO names VALUES('localhost/ghost:1', zeroblob(32))"
	found root damaged name 'its image is not in the store'
	CHECK=--repair found root lost name 'removed'
	clean root
	row root "INSERT INTO containers VALUES('$(printf %064d 0)', 'lonely', zeroblob(32), '2020-01-01T00:00:00Z')"
	mkdir "$ROOT_STORE/containers/$(printf %064d 0)"
	CHECK=--repair found root damaged container 'kept until imgstore rm'
	as root imgstore rm lonely
	clean root
	row root "DELETE FROM image_layers WHERE position=1 AND image IN (SELECT image FROM names WHERE name LIKE '%/pulled:%')"
	found root damaged image 'names 2 layers, the store knows 1\|\|pulled'
	CHECK=--repair found root lost image 'removed'
	clean root
	row root "PRAGMA writable_schema=on; UPDATE sqlite_master SET sql='CREATE INDEX steps_layer ON steps(created_ns)' WHERE name='steps_layer'"
	CHECK=--repair WANT=0 found root repaired database 'indexes were made again'
	clean root
}

@test "a store.db that is none, or cut off: said plainly, status 3, nothing else is touched" {
	need_root
	fill root
	row root 'PRAGMA wal_checkpoint(TRUNCATE)'
	before=$(find "$ROOT_STORE/layers" | wc -l)
	head -c 4096 /dev/zero | tr '\0' x | dd of="$ROOT_STORE/store.db" conv=notrunc bs=4096 seek=2 count=4 2>/dev/null
	run as root imgstore check
	echo "$output"
	[ "$status" = 3 ]
	[[ $output == *'store.db'* ]]
	printf 'no database at all, and long enough to be looked at as one' >"$ROOT_STORE/store.db"
	rm -f "$ROOT_STORE"/store.db-*
	run as root imgstore check --repair
	[ "$status" = 3 ]
	[[ $output == *'store.db is damaged'* ]]
	[ "$(find "$ROOT_STORE/layers" | wc -l)" = "$before" ]
	run as root imgstore --root "$T/none" check
	[ "$status" = 3 ]
	[[ $output == *"there is no store at '$T/none'"* ]]
	[ ! -e "$T/none" ]
}

@test "4a.5: rubbish of the dead is told of, does no harm, and is gone after --repair and after the next command" {
	need_root
	fill root
	litter() {
		mkdir -p "$ROOT_STORE/tmp/0123456789abcdef/fs" "$ROOT_STORE/layers/$(printf %064d 1)/fs" "$ROOT_STORE/containers/x"
		echo x >"$ROOT_STORE/blobs/sha256/$(printf %064d 1)"
		: >"$ROOT_STORE/tmp/lease-0000000000000000"
		row root "INSERT INTO leases VALUES(0, zeroblob(32), 'lease-0000000000000001')"
	}
	litter
	WANT=0 found root leftover file 'the process that made it is gone'
	WANT=0 found root leftover file 'nothing in store.db speaks of it'
	WANT=0 found root leftover lease 'the process that took it is gone'
	[ "$(jq '.Findings | length' <<<"$output")" = 6 ]
	CHECK=--repair WANT=0 found root repaired file 'removed'
	clean root
	litter
	as root imgstore ls
	clean root
}

@test "4a.2: what an older boot has not synced is told of, and forgotten" {
	need_root
	command -v sqlite3 >/dev/null || skip "sqlite3 is not installed"
	fill root
	# a step of a build that failed later
	printf 'FROM bb\nRUN echo unsynced >/u\nRUN false\n' | not as root imgbuild -q -f - "$T/ctx"
	row root "UPDATE meta SET boot='00000000-0000-0000-0000-000000000000'"
	# its data never came to the disk
	layer=$(row root "SELECT lower(hex(id)) FROM layers WHERE seq>(SELECT synced FROM meta)")
	: >"$ROOT_STORE/layers/$layer/fs/u"
	WANT=0 found root unsynced boot '1 layers, 3 blobs and 0 nameless images'
	[ "$(jq '.Findings | length' <<<"$output")" = 1 ]
	CHECK=--repair WANT=0 found root repaired boot 'forgotten'
	[ ! -e "$ROOT_STORE/layers/$layer" ]
	clean root
	[ "$(as root imgstore ls -q | wc -l)" = 3 ]
}

@test "check beside builds, pulls and removals: never a false word" {
	need_root
	fill root
	(
		for i in $(seq 12); do
			printf 'FROM bb\nRUN echo %s >/n\n' "$i" | as root imgbuild -q -t "n$i" -f - "$T/ctx" >/dev/null
			as root imgpull "oci:$T/layout:a" "p$i" >/dev/null 2>&1
			as root imgstore rm "n$i" "p$i" >/dev/null
			as root imgstore prune >/dev/null
		done
		: >"$T/over"
	) 3>&- &
	count=0
	until [ -e "$T/over" ]; do
		as root imgstore check --format json >"$T/report" || { cat "$T/report"; return 1; }
		jq -e .Clean "$T/report"
		count=$((count + 1))
	done
	wait
	[ "$count" -gt 2 ]
	clean root
}

@test "a layer with implicit parents is compared and mended on top of what lies below it" {
	need_root
	mkdir -p "$T/low/a" "$T/up/a"
	chmod 751 "$T/low/a"
	echo low >"$T/low/a/low"
	echo up >"$T/up/a/up"
	tar -C "$T/low" -cf "$T/low.tar" --sort=name --mtime=@1700000000 a
	tar -C "$T/up" -cf "$T/up.tar" --mtime=@1700000000 a/up
	python3 "$top_srcdir/tests/layout-of.py" "$T/lay-implicit" t "$T/low.tar" "$T/up.tar"
	as root imgpull "oci:$T/lay-implicit:t" implicit
	clean root
	dir=$(find "$ROOT_STORE/layers" -path '*/fs/a/up')
	echo other >"$dir"
	found root damaged layer 'implicit:latest'
	CHECK=--repair WANT=0 found root repaired layer 'unpacked again'
	[ "$(cat "$dir")" = up ]
	[ "$(stat -c %a "$(dirname "$dir")")" = 751 ]
	clean root
}

@test "an index: its own documents, its images of other platforms; the other names stay" {
	need_root
	fill root
	python3 "$top_srcdir/tests/make-layout.py" "$T/many-$N" m - linux/amd64 linux/arm64
	fetch() { as root imgpull --all-platforms "oci:$T/many-$N:m" many; }
	fetch
	clean root
	[ "$(as root imgstore check --format json many | jq -c '[.Images, .Clean]')" = '[2,true]' ]
	index=$(row root "SELECT lower(hex(id)) FROM indexes")
	: >"$ROOT_STORE/blobs/sha256/$index"
	CHECK=--repair found root lost blob 'many:latest'
	[ "$(jq -c .Lost <<<"$output")" = '["many:latest"]' ]
	clean root
	fetch
	config=$(row root "SELECT lower(hex(image)) FROM index_images WHERE image NOT IN (SELECT image FROM names)")
	rm "$ROOT_STORE/blobs/sha256/$config"
	CHECK=--repair found root lost blob 'it has no file'
	jq -e '.Lost | index("many:latest")' <<<"$output"
	clean root
	fetch
	clean root
	row root "DELETE FROM index_blobs; DELETE FROM images WHERE id=(SELECT image FROM index_images WHERE image NOT IN (SELECT image FROM names))"
	found root damaged index 'many:latest'
	CHECK=--repair found root lost index 'removed'
	as root imgstore prune
	clean root
	[ "$(as root imgstore ls --format json | jq -c '[.[].Names[]] | sort')" = '["bb:latest","built:latest","pulled:latest"]' ]
}

# What is lost and can be had from where it came
pulls_again() {
	local who=$1 hex blob config
	fill "$who"
	as "$who" imgpull "oci:$T/layout:a" again >&2
	hex=$(row "$who" "SELECT lower(hex(blob)) FROM layer_blobs WHERE diff_id=x'$(as "$who" imgstore inspect again | jq -r '.[0].RootFS.Layers[0]' | cut -d: -f2)'")
	blob=$(store_of "$who")/blobs/sha256/$hex
	# a blob with other bytes; a blob and the tree that it would mend; a config
	in_store "$who" sh -c 'printf x >"$1"' x "$blob"
	CHECK=--repair WANT=0 found "$who" repaired blob "pulled again from oci:$T/layout"
	clean "$who"
	in_store "$who" rm -r "$blob" "$(layer_of "$who" again 0)" "$(layer_of "$who" again 1)"
	found "$who" damaged layer 'it has no directory'
	CHECK=--repair WANT=0 found "$who" repaired layer 'unpacked again from its blob'
	clean "$who"
	# without a row of the blob, too
	in_store "$who" rm -r "$blob" "$(layer_of "$who" again 0)"
	row "$who" "DELETE FROM layer_blobs WHERE blob=x'$hex'; DELETE FROM blobs WHERE digest=x'$hex'"
	CHECK=--repair WANT=0 found "$who" repaired layer 'unpacked again from its blob'
	clean "$who"
	config=$(as "$who" imgstore inspect again | jq -r '.[0].Id' | cut -d: -f2)
	in_store "$who" rm "$(store_of "$who")/blobs/sha256/$config"
	found "$who" damaged blob 'it has no file'
	CHECK=--repair WANT=0 found "$who" repaired blob "pulled again from oci:$T/layout"
	clean "$who"
	[ "$(as "$who" imgstore inspect again | jq -r '.[0].Id')" = "sha256:$config" ]
	as "$who" imgrun --rm again true || true
	# where it is not any more, it is lost as before
	mv "$T/layout" "$T/moved"
	in_store "$who" rm -r "$blob" "$(layer_of "$who" again 0)"
	CHECK=--repair WANT=3 found "$who" lost layer 'removed, and the images that needed it'
	mv "$T/moved" "$T/layout"
	[ "$(as "$who" imgrun --rm built cat /one)" = one ]
}
@test "4a.3: what is lost is pulled again from where it came (root)" { need_root; pulls_again root; }
@test "4a.3: what is lost is pulled again from where it came (user)" { need_user; pulls_again user; }
