#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Looking after the store: what it takes, what is listed, what prune leaves, tars of whole trees, an empty store.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
	make_scratch
	busybox_tar "$T/bb.tar"
	mkdir -p "$T/ctx"
	printf 'FROM bb\nLABEL kind=test\nRUN mkdir /d; echo one >/d/one; ln /d/one /d/uno; rm /etc/group\nRUN rm -r /tmp\n' >"$T/ctx/Buildfile"
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
fill() {
	as "$1" imgstore import "$T/bb.tar" bb
	as "$1" imgbuild -q -t built "$T/ctx"
	as "$1" imgpull "oci:$T/layout:a" pulled
}
listed() { as root imgstore ls --format '{{.Repository}}:{{.Tag}}' "$@" | sort | tr '\n' ' '; }
refused() {
	local want=$1 pattern=$2
	shift 2
	run as root "$@"
	echo "status $status: $output"
	[ "$status" = "$want" ]
	[[ $output == *"$pattern"* ]]
}

measure() {
	local who=$1 store
	store=$(store_of "$who")
	fill "$who"
	as "$who" imgrun --name c bb sh -c 'seq 100000 >/x; ln /x /y'
	# the parts are the whole, and the whole is what the disk says; what is written back between the two looks
	# may take other blocks than were set aside for it, so they look again
	local disk
	for _ in 1 2 3; do
		sync -f "$store"
		as "$who" imgstore du --format json >"$T/du"
		disk=$(as "$who" imgstore unshare du -sB1 "$store" | cut -f1)
		echo "du: $(jq -c 'del(.Images)' "$T/du"), the disk: $disk"
		[ "$(jq .Total "$T/du")" != "$disk" ] || break
	done
	jq -e '.Total == .ImagesOwn + .ImagesShared + .BuildCache + .Containers + .CacheMounts + .Fetched + .Database + .Temporary + .Other' "$T/du"
	[ "$(jq .Total "$T/du")" = "$disk" ]
	jq -e '.ImagesOwn == ([.Images[].Own] | add) and .BuildCache == 0 and .Containers > 500000' "$T/du"
	jq -e '(.Images[] | select(.Names == ["bb:latest"])) as $bb | (.Images[] | select(.Names == ["built:latest"])) as $b |
		$bb.Shared == $b.Shared and $b.Own > $bb.Own and $bb.Size == $bb.Own + $bb.Shared' "$T/du"
	[ "$(as "$who" imgstore du --format json pulled | jq -c '[.Images[].Names[]]')" = '["pulled:latest"]' ]
	as "$who" imgstore du | grep -q '^total  '
	# without its image, the cache has the layers
	as "$who" imgstore rm built
	as "$who" imgstore du --format json | jq -e '.BuildCache > 0'
}
@test "du adds up to what the disk has (root)" { need_root; measure root; }
@test "du adds up to what the disk has (user)" { need_user; measure user; }

export_trees() {
	local who=$1
	fill "$who"
	as "$who" imgstore export built >"$T/$who-1.tar"
	as "$who" imgstore export -o "$T/user/$who-2.tar" built
	cmp "$T/$who-1.tar" "$T/user/$who-2.tar"
	tar -tf "$T/$who-1.tar" >"$T/names"
	grep -qx 'd/one' "$T/names"
	grep -qx 'bin/busybox' "$T/names"
	not grep -E '^(tmp/|etc/group)$|\.wh\.' "$T/names"
	tar -tvf "$T/$who-1.tar" d/uno | grep -q 'link to d/one'
	# one layer of the same files
	as "$who" imgstore export bb | as "$who" imgstore import - again
	[ "$(as "$who" imgstore inspect bb again | jq -c '.[].RootFS.Layers' | sort -u | wc -l)" = 1 ]
	as "$who" imgrun --name c bb sh -c 'echo mine >/mine; rm -r /tmp'
	as "$who" imgstore export c | tar -tf - >"$T/names"
	grep -qx mine "$T/names"
	not grep -E '^(tmp/|proc/|etc/resolv.conf)$' "$T/names"
}
@test "export of images and containers (root)" { need_root; export_trees root; }
@test "export of images and containers (user)" { need_user; export_trees user; }
@test "root's and an ordinary user's exports are the same bytes" {
	need_root
	need_user
	export SOURCE_DATE_EPOCH=1700000000
	fill root
	fill user
	as root imgstore export built >"$T/by-root.tar"
	as user imgstore export built | cmp "$T/by-root.tar" -
}
@test "export: what cannot be" {
	need_root
	fill root
	refused 3 "there is no image and no container 'none'" imgstore export none
	refused 5 "open '/nowhere/at/all/'" imgstore export -o /nowhere/at/all/x bb
	as root imgrun --name r bb sleep 30 3>&- &
	until as root imgstore ps --format json | jq -e '.[0].Running' >/dev/null 2>&1; do sleep 0.05; done
	refused 3 "container 'r' is running" imgstore export r
	refused 3 "container 'r' is running" imgstore reset --force
	pkill -P $! || true
	kill $! 2>/dev/null || true
	wait || true
}

@test "ls: filters, templates, digests" {
	need_root
	fill root
	as root imgstore tag bb localhost:5000/team/bb:1
	[ "$(listed)" = 'bb:latest built:latest localhost:5000/team/bb:1 pulled:latest ' ]
	[ "$(listed -f reference=bb)" = 'bb:latest localhost:5000/team/bb:1 ' ]
	[ "$(listed -f 'reference=b*:latest')" = 'bb:latest built:latest ' ]
	[ "$(listed -f label=kind=test)" = 'built:latest ' ]
	[ "$(listed -f label=kind)" = 'built:latest ' ]
	[ "$(listed -f label=kind=other)" = '' ]
	[ "$(listed -f since=bb)" = 'built:latest ' ]
	[ "$(listed -f before=bb)" = 'pulled:latest ' ]
	[ "$(listed -f dangling=true)" = '' ]
	as root imgstore rm -f bb
	id=$(as root imgbuild -q "$T/ctx" -f - <<<'FROM built
RUN echo nameless >/n')
	[ "$(as root imgstore ls -f dangling=true --no-trunc -q)" = "$id" ]
	[ "$(listed -a -f dangling=false)" = 'built:latest localhost:5000/team/bb:1 pulled:latest ' ]
	[[ $(as root imgstore ls --digests --no-trunc | grep ^pulled) =~ sha256:[0-9a-f]{64}\ +sha256:[0-9a-f]{64} ]]
	[ "$(as root imgstore ls -f reference=pulled --format '{{ .ID }} {{.Size}} {{.CreatedAt}}')" = "$(as root imgstore ls -q -f reference=pulled) 20kB N/A" ]
	refused 2 'known are reference=PATTERN' imgstore ls --filter color=red
	refused 2 "'.Colour' is not known" imgstore ls --format '{{.Colour}}'
	refused 2 "table, json, or a template" imgstore ls --format yaml
	refused 3 "image 'none' is not in the store" imgstore ls -f since=none
}

@test "ls: half a second later is newer" {
	need_root
	command -v sqlite3 >/dev/null || skip "sqlite3 is not installed"
	fill root
	sqlite3 "$ROOT_STORE/store.db" "UPDATE images SET created='2026-01-01T00:00:01Z' WHERE id=(SELECT image FROM names WHERE name LIKE '%/built:%')"
	sqlite3 "$ROOT_STORE/store.db" "UPDATE images SET created='2026-01-01T00:00:01.5Z' WHERE id=(SELECT image FROM names WHERE name LIKE '%/bb:%')"
	[ "$(as root imgstore ls --format '{{.Repository}}' | tr '\n' ' ')" = 'bb built pulled ' ]
}

@test "prune: a dry run does nothing, --all takes named images, what is in use stays" {
	need_root
	fill root
	as root imgrun --name c bb true
	as root imgstore prune --all --dry-run --format json >"$T/dry"
	jq -e '.DryRun and .Images == 2 and .Layers == 4 and (.Untagged | length == 2)' "$T/dry"
	[ "$(listed)" = 'bb:latest built:latest pulled:latest ' ]
	as root imgstore prune --all --format json >"$T/wet"
	[ "$(jq -c 'del(.DryRun)' "$T/dry")" = "$(jq -c 'del(.DryRun)' "$T/wet")" ]
	[ "$(listed)" = 'bb:latest ' ]
	as root imgrun --rm bb true
	as root imgstore check --format json | jq -e '.Findings == []'
}

@test "prune: by age" {
	need_root
	fill root
	as root imgstore rm built
	[ "$(as root imgstore prune --age 1h --format json | jq -c '[.Images, .Layers, .CacheEntries]')" = '[0,0,0]' ]
	[ "$(as root imgstore prune --filter until=2001-01-01T00:00:00Z -n --format json | jq -c .Layers)" = 0 ]
	sleep 2.1
	[ "$(as root imgstore prune --filter until=1s -n --format json | jq -c .Layers)" = 2 ]
	[ "$(as root imgstore prune --age "$(date +%s)" --format json | jq -c .Layers)" = 2 ]
	refused 2 "--age: 'old' is neither" imgstore prune --age old
	refused 2 'only until=AGE is known' imgstore prune --filter color=red
}

@test "prune: so much of the build cache as is wished, the oldest first" {
	need_root
	as root imgstore import "$T/bb.tar" bb
	for i in 1 2 3 4; do
		printf 'FROM bb\nRUN head -c 1000000 /dev/urandom >/r%s\n' "$i" | as root imgbuild -q -f - "$T/ctx"
	done
	as root imgstore prune --keep-storage 1GB --format json | jq -e '.Layers == 0'
	limit=2200000
	as root imgstore prune --keep-storage $limit --format json >"$T/out"
	cat "$T/out"
	jq -e '.Layers == 2 and .CacheEntries == 2' "$T/out"
	used=$(as root imgstore du --format json | jq '.BuildCache + .CacheMounts + .Fetched')
	[ "$used" -le $limit ]
	[ "$used" -gt 1900000 ]
	# the newest are still there
	printf 'FROM bb\nRUN head -c 1000000 /dev/urandom >/r4\n' | as root imgbuild --progress=plain -f - "$T/ctx" 2>&1 | grep -q CACHED
	# more than the disk has
	as root imgstore prune --free-space 100TB --format json | jq -e '.Layers == 2'
	as root imgstore prune --free-space 1 --format json | jq -e '.Layers == 0'
	refused 2 "--keep-storage: 'much' is not a number of bytes" imgstore prune --keep-storage much
	refused 2 "is not a number of bytes" imgstore prune --free-space 99999999999GiB
}

@test "reset: everything goes, but not while it is in use" {
	need_root
	fill root
	as root imgrun --name c bb true
	refused 2 'give --force' imgstore reset
	unshare -m bash -eux -c '
		export IMGBUILD_ROOT='"$ROOT_STORE"'
		imgstore mount pulled
		not imgstore reset --force
		imgstore umount pulled'
	[ "$(listed)" = 'bb:latest built:latest pulled:latest ' ]
	as root imgstore reset --force
	[ "$(as root imgstore ls -a -q)" = '' ]
	[ "$(as root imgstore ps --format json)" = '[]' ]
	[ "$(find "$ROOT_STORE"/{layers,blobs/sha256,containers,tmp,cache-mounts} -mindepth 1 | wc -l)" = 0 ]
	fill root
	as root imgstore check --format json | jq -e '.Findings == []'
}

@test "4a.8: a command waits for another one's lock, and a look does not" {
	need_root
	command -v sqlite3 >/dev/null || skip "sqlite3 is not installed"
	fill root
	mkfifo "$T/hold"
	sqlite3 "$ROOT_STORE/store.db" <"$T/hold" 3>&- &
	exec 4>"$T/hold"
	echo 'BEGIN IMMEDIATE; DELETE FROM files WHERE 0;' >&4
	sleep 0.3
	# reading does not wait
	[ "$(listed)" = 'bb:latest built:latest pulled:latest ' ]
	printf 'FROM bb\nRUN echo waited >/w\n' | as root imgbuild -q -t waited -f - "$T/ctx" >"$T/build.out" 2>&1 3>&- 4>&- &
	build=$!
	sleep 1.5
	kill -0 "$build"
	echo 'COMMIT;' >&4
	exec 4>&-
	wait "$build"
	[ "$(as root imgrun --rm waited cat /w)" = waited ]
}

@test "4a.13: an upper is one container's alone" {
	need_root
	fill root
	as root imgrun --name one bb sleep 30 3>&- &
	run=$!
	until as root imgstore ps --format json | jq -e '.[0].Running' >/dev/null 2>&1; do sleep 0.05; done
	refused 125 "there is a container 'one' already" imgrun --name one bb true
	refused 3 "container 'one' is running" imgstore rm one
	refused 3 "container 'one' is running" imgstore export one
	refused 3 'is used by container' imgstore rm bb
	[ "$(as root imgrun --rm bb sh -c 'echo other >/x; cat /x')" = other ]
	[ ! -e "$(echo "$ROOT_STORE"/containers/*/fs)/x" ]
	pkill -P "$run" || true
	kill "$run" 2>/dev/null || true
	wait || true
}

# What lazy formats put around a layer: frames that decompressors skip, a table of contents at the end
@test "4a.10: a layer with a table of contents is pulled whole, by its final digest" {
	need_root
	fill root
	command -v python3 >/dev/null || skip "needs python3"
	as root imgpush -q --compression zstd --force-compression built "oci:$T/plain:x" >&2
	python3 - "$T/plain" "$T/chunked" "$T/bad" <<-'P'
		import hashlib, json, os, shutil, struct, sys
		def rewrite(src, dst, change):
		    shutil.copytree(src, dst)
		    blob = lambda d: os.path.join(dst, "blobs", "sha256", d.split(":")[1])
		    def put(data):
		        d = "sha256:" + hashlib.sha256(data).hexdigest()
		        open(blob(d), "wb").write(data)
		        return {"digest": d, "size": len(data)}
		    index = json.load(open(os.path.join(dst, "index.json")))
		    manifest = json.load(open(blob(index["manifests"][0]["digest"])))
		    for layer in manifest["layers"]:
		        data = open(blob(layer["digest"]), "rb").read()
		        layer.update(put(change(data)))
		    index["manifests"][0].update(put(json.dumps(manifest).encode()))
		    json.dump(index, open(os.path.join(dst, "index.json"), "w"))
		frame = lambda data: struct.pack("<II", 0x184D2A50, len(data)) + data
		rewrite(sys.argv[1], sys.argv[2], lambda d: d + frame(b"contents" * 100) + frame(b"footer"))
		rewrite(sys.argv[1], sys.argv[3], lambda d: d[:-40] + bytes(8) + d[-32:] + frame(b"contents"))
	P
	as root imgpull -q --root "$T/lazy" "oci:$T/chunked:x" localhost/lazy >&2
	as root imgstore --root "$T/lazy" check
	[ "$(as root imgstore --root "$T/lazy" inspect localhost/lazy | jq -c '.[0].RootFS.Layers')" = "$(as root imgstore inspect built | jq -c '.[0].RootFS.Layers')" ]
	# and goes on as it came
	as root imgpush -q --root "$T/lazy" localhost/lazy "oci:$T/on:x" >&2
	[ "$(jq -r '.manifests[0].digest' "$T/on/index.json")" = "$(jq -r '.manifests[0].digest' "$T/chunked/index.json")" ]
	refused 3 "" imgpull --root "$T/lazy" "oci:$T/bad:x" localhost/bad
	[ "$(as root imgstore --root "$T/lazy" ls -q | wc -l)" = 1 ]
}

@test "what takes long says on a terminal how far it is, and nothing elsewhere" {
	need_root
	command -v script >/dev/null || skip "needs script(1)"
	# more than any machine reads or writes before the line is shown for the first time
	python3 - "$T/wide.tar" <<-'P'
		import sys, tarfile
		zeros = tarfile.TarInfo("zeros")
		zeros.size = 1500 << 20
		with open(sys.argv[1], "wb") as tar:
		    tar.write(zeros.tobuf())
		    tar.truncate(512 + zeros.size + 1024)
	P
	IMGBUILD_ROOT=$ROOT_STORE script -qec "imgstore import $T/wide.tar wide" /dev/null >"$T/said"
	grep -aE $'\rread [0-9.]+[MG]B of 1.57GB' "$T/said"
	grep -aE $'\x1b\\[Ksha256:[0-9a-f]{64}' "$T/said" # where the line was
	IMGBUILD_ROOT=$ROOT_STORE script -qec "imgstore export -o $T/out.tar wide" /dev/null >"$T/said"
	grep -aE $'\rwritten [0-9.]+[MG]B ' "$T/said"
	IMGBUILD_ROOT=$ROOT_STORE script -qec "imgstore check" /dev/null >"$T/said"
	grep -aE $'\rchecked [0-9.]+[MG]B of ' "$T/said"
	as root imgstore export wide >"$T/out.tar" 2>"$T/said"
	[ ! -s "$T/said" ]
	as root imgstore import - other <"$T/wide.tar" >"$T/id" 2>"$T/said"
	[ ! -s "$T/said" ]
	[ "$(wc -l <"$T/id")" = 1 ]
	rm -f "$T/wide.tar" "$T/out.tar"
}

@test "nothing is put into TMPDIR" {
	need_root
	export TMPDIR=$T/tmpdir
	mkdir "$TMPDIR"
	touch -d @1000000000 "$TMPDIR"
	fill root
	as root imgpush -q built "oci:$T/on-$N"
	as root imgpush -q built "docker-archive:$T/on-$N.tar"
	as root imgpull -q "docker-archive:$T/on-$N.tar" back
	as root imgrun --commit committed bb sh -c 'echo x >/x'
	as root imgstore export built >"$T/export-$N.tar"
	as root imgstore check --repair
	as root imgbuild -q --verify -t verified --squash -o "type=oci,dest=$T/out-$N.tar" "$T/ctx"
	as root imgstore prune --all --force
	[ "$(stat -c %Y "$TMPDIR")" = 1000000000 ]
	# and it need not be there
	rmdir "$TMPDIR"
	as root imgbuild -q --no-cache -t built "$T/ctx"
}
