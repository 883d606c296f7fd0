#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Images from and to layouts and archives: ours, and those of skopeo, umoci, podman and docker.

load lib
load peers

setup_file() {
	make_scratch
	peers_setup
	python3 "$top_srcdir/tests/make-layout.py" "$T/in" v1 -
	chmod -R a+rX "$T/in"
	if is_root && command -v dockerd >/dev/null; then
		docker_start || true
	fi
}
teardown_file() {
	if is_root; then
		docker_stop
		# podman leaves its store mounted on itself
		! mountpoint -q "$T/c-store/overlay" || umount "$T/c-store/overlay"
	fi
	remove_scratch
}
setup() {
	# a store and a place to write, both empty and both the user's own, for every test
	OUT=$T/out-$BATS_TEST_NUMBER
	ROOT_STORE=$OUT/root-store
	USER_STORE=$OUT/user-store
	mkdir -p "$OUT"
	if is_root && have_user; then chown "$TEST_USER:" "$OUT"; fi
}
teardown() {
	rm -rf "$OUT" 2>/dev/null || as_user unshare -r rm -rf "$OUT/user-store" || true
}

manifest_of() { jq -r '.manifests[0].digest' "$1/index.json"; }
blob() { echo "$1/blobs/sha256/${2#sha256:}"; }
config_of() { jq -r .config.digest "$(blob "$1" "$(manifest_of "$1")")"; }
diff_ids_of() { jq -c .rootfs.diff_ids "$(blob "$1" "$(config_of "$1")")"; }
need() { command -v "$1" >/dev/null || skip "$1 is not installed"; }
need_docker() {
	need_root
	p_docker version >/dev/null 2>&1 || skip "there is no docker daemon"
}

# ---- ours to ours ----

round_trip() {
	id=$(as "$1" imgpull -q "oci:$T/in:v1" localhost/a)
	[ "$id" = "$(config_of "$T/in")" ]
	[ "$(as "$1" imgpush -q localhost/a "oci:$OUT/back:v1")" = "$id" ]
	[ "$(manifest_of "$OUT/back")" = "$(manifest_of "$T/in")" ]
	(cd "$T/in/blobs/sha256" && sha256sum *) >"$T/want"
	(cd "$OUT/back/blobs/sha256" && sha256sum *) >"$T/got"
	diff "$T/want" "$T/got"
	# by ID, and by the beginning of one
	[ "$(as "$1" imgpush -q "$id" "oci:$OUT/by-id")" = "$id" ]
	[ "$(as "$1" imgpush -q "$(cut -c8-19 <<<"$id")" "oci:$OUT/by-prefix")" = "$id" ]
	assert_store_idle "$OUT/$1-store"
}
@test "a layout comes back byte for byte (root)" { need_root; round_trip root; }
@test "a layout comes back byte for byte (user)" { need_user; round_trip user; }

layout_archive_round_trip() {
	id=$(as "$1" imgpull -q "oci:$T/in:v1" localhost/a)
	as "$1" imgpush -q localhost/a "oci-archive:$OUT/x.tar:v1" >&2
	# into another store; its name is the file's and the tag
	ROOT_STORE=$OUT/other USER_STORE=$OUT/other
	[ "$(as "$1" imgpull -q "oci-archive:$OUT/x.tar")" = "$id" ]
	as "$1" imgpush -q localhost/x:v1 "oci:$OUT/back:v1" >&2
	diff -r "$T/in/blobs" "$OUT/back/blobs"
	# compressed, through a pipe, with "./" before the names, and by digest
	tar -C "$T/in" -czf "$OUT/x.tgz" .
	[ "$(as "$1" sh -c "cat '$OUT/x.tgz' | imgpull -q oci-archive:/dev/stdin:v1 localhost/b")" = "$id" ]
	[ "$(as "$1" imgpull -q "oci-archive:$OUT/x.tar@$(manifest_of "$T/in")" localhost/c)" = "$id" ]
	assert_store_idle "$OUT/other"
}
@test "an archive of a layout comes back byte for byte (root)" { need_root; layout_archive_round_trip root; }
@test "an archive of a layout comes back byte for byte (user)" { need_user; layout_archive_round_trip user; }

@test "an archive that holds no layout, or not all of one, is refused" {
	who=$(who_runs)
	bad() { # bad STATUS TEXT FILE…: the archive of these files of the layout
		local status_wanted=$1 text=$2
		shift 2
		tar -C "$T/in" -cf "$OUT/bad.tar" "$@"
		run as "$who" imgpull "oci-archive:$OUT/bad.tar${TAG-}" localhost/bad
		echo "$output" >&2
		[ "$status" = "$status_wanted" ]
		[[ $output == *"$text"* ]]
	}
	bad 3 "it has no file 'oci-layout'" index.json
	bad 3 "has no index.json" oci-layout
	bad 3 "lacks the blob $(manifest_of "$T/in" | cut -d: -f2)" oci-layout index.json
	TAG=:v2 bad 3 "has no image 'v2'; there are: v1" oci-layout index.json blobs
	tar -C "$T/in" -cf - index.json | head -c 600 >"$OUT/cut.tar"
	run as "$who" imgpull "oci-archive:$OUT/cut.tar" localhost/bad
	[ "$status" = 3 ]
	[[ $output == *"cut off"* ]]
	run as "$who" imgpull "oci-archive:$OUT/none.tar" localhost/bad
	[ "$status" = 5 ]
	[[ $output == *"No such file"* ]]
	run as "$who" imgpull "oci-archive:$OUT/bad.tar:"
	[ "$status" = 2 ]
	[[ $output == *"is not of the form oci-archive:FILE[:TAG]"* ]]
	cp -r "$T/in" "$OUT/two"
	jq '.manifests += [.manifests[0] | .digest = "sha256:" + ("0" * 64) | .annotations["org.opencontainers.image.ref.name"] = "v2"]' \
		"$T/in/index.json" >"$OUT/two/index.json"
	tar -C "$OUT/two" -cf "$OUT/two.tar" .
	run as "$who" imgpull "oci-archive:$OUT/two.tar" localhost/bad
	[ "$status" = 3 ]
	[[ $output == *"say which, as in oci-archive:$OUT/two.tar:TAG. There are: v1, v2"* ]]
}

archive_round_trip() {
	id=$(as "$1" imgpull -q "oci:$T/in:v1" localhost/a:1)
	[ "$(as "$1" imgpush -q localhost/a:1 "docker-archive:$OUT/one.tar")" = "$id" ]
	as "$1" imgpush -q localhost/a:1 "docker-archive:$OUT/two.tar" >&2
	cmp "$OUT/one.tar" "$OUT/two.tar"
	[ "$(tar -xOf "$OUT/one.tar" manifest.json | jq -r '.[0].RepoTags[0]')" = localhost/a:1 ]
	# into another store, where it gets its name from the archive
	ROOT_STORE=$OUT/other USER_STORE=$OUT/other
	[ "$(as "$1" imgpull -q "docker-archive:$OUT/one.tar")" = "$id" ]
	as "$1" imgpush -q localhost/a:1 "oci:$OUT/back:v1" >&2
	[ "$(config_of "$OUT/back")" = "$id" ]
	as "$1" imgpush -q localhost/a:1 "docker-archive:$OUT/three.tar" >&2
	cmp "$OUT/one.tar" "$OUT/three.tar"
	as "$1" imgpush -q "$id" "docker-archive:$OUT/named.tar:other/name" >&2
	[ "$(tar -xOf "$OUT/named.tar" manifest.json | jq -r '.[0].RepoTags[0]')" = other/name:latest ]
	as "$1" imgpush -q "$id" "docker-archive:$OUT/nameless.tar" >&2
	[ "$(tar -xOf "$OUT/nameless.tar" manifest.json | jq -c '.[0].RepoTags')" = '[]' ]
	assert_store_idle "$OUT/other"
}
@test "an archive keeps image ID and bytes (root)" { need_root; archive_round_trip root; }
@test "an archive keeps image ID and bytes (user)" { need_user; archive_round_trip user; }

who_runs() { if is_root; then echo root; else echo user; fi; }

@test "compressed archives and pipes are read, pipes are written" {
	who=$(who_runs)
	id=$(as "$who" imgpull -q "oci:$T/in:v1" localhost/a:1)
	as "$who" imgpush -q localhost/a:1 "docker-archive:$OUT/one.tar" >&2
	as "$who" imgpush localhost/a:1 docker-archive:/dev/stdout 2>/dev/null | cmp - "$OUT/one.tar"
	gzip -k "$OUT/one.tar"
	zstd -q "$OUT/one.tar" -o "$OUT/one.tar.zst"
	for form in "docker-archive:$OUT/one.tar.gz" "docker-archive:$OUT/one.tar.zst"; do
		ROOT_STORE=$OUT/other USER_STORE=$OUT/other
		[ "$(as "$who" imgpull -q "$form")" = "$id" ]
		assert_store_idle "$OUT/other"
		rm -rf "$OUT/other"
	done
	[ "$(as "$who" imgpull -q docker-archive:/dev/stdin < <(cat "$OUT/one.tar"))" = "$id" ]
	rm -rf "$OUT/other"
	[ "$(as "$who" imgpull -q docker-archive:/dev/stdin < <(cat "$OUT/one.tar.gz"))" = "$id" ]
	assert_store_idle "$OUT/other"
}

@test "standard output is written to, whatever it is, and its name stays" {
	who=$(who_runs)
	as "$who" imgpull -q "oci:$T/in:v1" localhost/a:1 >&2
	as "$who" imgpush -q localhost/a:1 "docker-archive:$OUT/one.tar" >&2
	# a link like /dev/stdout
	ln -s /proc/self/fd/1 "$OUT/stdout"
	{ echo before; as "$who" imgpush -q localhost/a:1 "docker-archive:$OUT/stdout"; } >"$OUT/file"
	[ -L "$OUT/stdout" ]
	tail -c +8 "$OUT/file" | cmp - "$OUT/one.tar"
	[ "$(head -1 "$OUT/file" | head -c 6)" = before ]
}

@test "a tag of a layout is replaced, the others stay" {
	who=$(who_runs)
	as "$who" imgpull -q "oci:$T/in:v1" localhost/a >&2
	python3 "$top_srcdir/tests/make-layout.py" "$OUT/other-in" x - linux/s390x
	as "$who" imgpull -q --platform linux/s390x "oci:$OUT/other-in" localhost/b >&2
	as "$who" imgpush -q localhost/a "oci:$OUT/l:one" >&2
	as "$who" imgpush -q localhost/a "oci:$OUT/l:two" >&2
	as "$who" imgpush -q localhost/b "oci:$OUT/l:one" >&2
	as "$who" imgpush -q localhost/b "oci:$OUT/l" >&2
	as "$who" imgpush -q localhost/b "oci:$OUT/l" >&2
	a=$(manifest_of "$T/in")
	b=$(jq -r '.manifests[0].digest' "$(blob "$OUT/other-in" "$(manifest_of "$OUT/other-in")")")
	jq -r '.manifests[] | [.annotations["org.opencontainers.image.ref.name"], .digest, .platform.architecture] | @tsv' \
		"$OUT/l/index.json" >"$OUT/got"
	arch=$(jq -r .architecture "$(blob "$T/in" "$(config_of "$T/in")")")
	printf 'two\t%s\t%s\none\t%s\ts390x\n\t%s\ts390x\n' "$a" "$arch" "$b" "$b" | diff - "$OUT/got"
	run as "$who" imgpull -q "oci:$OUT/l" localhost/c
	[ "$status" = 3 ]
	[[ $output == *"several images; say which"*"There are: two, one, (without a tag)"* ]]
	[ "$(as "$who" imgpull -q "oci:$OUT/l:two" localhost/c)" = "$(config_of "$T/in")" ]
}

@test "layers are compressed as asked, and have the same tars" {
	who=$(who_runs)
	as "$who" imgpull -q "oci:$T/in:v1" localhost/a >&2
	want=$(diff_ids_of "$T/in")
	for how in none gzip zstd; do
		as "$who" imgpush -q --compression $how localhost/a "oci:$OUT/$how:x" >&2
		[ "$(diff_ids_of "$OUT/$how")" = "$want" ]
		for layer in $(jq -r '.layers[].digest' "$(blob "$OUT/$how" "$(manifest_of "$OUT/$how")")"); do
			case $how in
			none) cat "$(blob "$OUT/$how" "$layer")" | sha256sum ;;
			gzip) gzip -dc <"$(blob "$OUT/$how" "$layer")" | sha256sum ;;
			zstd) zstd -dc <"$(blob "$OUT/$how" "$layer")" | sha256sum ;;
			esac
		done | sed 's/^/sha256:/; s/ .*//' | jq -Rnc '[inputs]' >"$OUT/got"
		[ "$(cat "$OUT/got")" = "$want" ]
	done
	jq -r '.layers[].mediaType' "$(blob "$OUT/zstd" "$(manifest_of "$OUT/zstd")")" | grep -qx 'application/vnd.oci.image.layer.v1.tar+zstd'
	as "$who" imgpush -q --compression gzip --compression-level 9 localhost/a "oci:$OUT/nine:x" >&2
	[ "$(diff_ids_of "$OUT/nine")" = "$want" ]
	[ "$(manifest_of "$OUT/nine")" != "$(manifest_of "$OUT/gzip")" ]
	as "$who" imgpush -q --format docker localhost/a "oci:$OUT/docker:x" >&2
	[ "$(jq -r .mediaType "$(blob "$OUT/docker" "$(manifest_of "$OUT/docker")")")" = application/vnd.docker.distribution.manifest.v2+json ]
	# what an archive brought is compressed, too, unless told otherwise
	as "$who" imgpush -q localhost/a "docker-archive:$OUT/a.tar:localhost/from-archive" >&2
	ROOT_STORE=$OUT/other USER_STORE=$OUT/other
	as "$who" imgpull -q "docker-archive:$OUT/a.tar" >&2
	as "$who" imgpush -q localhost/from-archive "oci:$OUT/from-archive:x" >&2
	[ "$(jq -r '.layers[].mediaType' "$(blob "$OUT/from-archive" "$(manifest_of "$OUT/from-archive")")" | sort -u)" = \
		application/vnd.oci.image.layer.v1.tar+gzip ]
	ROOT_STORE=$OUT/root-store USER_STORE=$OUT/user-store
	# and the one it came with is still there
	as "$who" imgpush -q localhost/a "oci:$OUT/as-it-came:x" >&2
	[ "$(manifest_of "$OUT/as-it-came")" = "$(manifest_of "$T/in")" ]
}

@test "of an image for several platforms the right one is taken" {
	who=$(who_runs)
	python3 "$top_srcdir/tests/make-layout.py" "$OUT/many" v1 - linux/amd64 linux/arm64 linux/arm/v7 linux/s390x
	for platform in amd64 arm64 arm s390x; do
		id=$(as "$who" imgpull -q --platform "linux/$platform" "oci:$OUT/many" "localhost/$platform")
		as "$who" imgpush -q "localhost/$platform" "oci:$OUT/$platform" >&2
		[ "$(jq -r .architecture "$(blob "$OUT/$platform" "$id")")" = "$platform" ]
	done
	as "$who" imgpull -q --platform linux/arm64/v9 "oci:$OUT/many" localhost/v9 >&2
	run as "$who" imgpull --platform linux/riscv64 "oci:$OUT/many" localhost/none
	echo "$output"
	[ "$status" = 3 ]
	[[ $output == *"has no image for linux/riscv64; there are: linux/amd64, linux/arm64, linux/arm/v7, linux/s390x"* ]]
	run as "$who" imgpull --platform linux/riscv64 "oci:$T/in" localhost/none
	[ "$status" = 3 ]
	[[ $output == *"not for linux/riscv64"* ]]
	run as "$who" imgpull --platform 'linux/../x/y' "oci:$T/in" localhost/none
	[ "$status" = 2 ]
}

@test "what is in the store already is not read again" {
	who=$(who_runs)
	as "$who" imgpull -q "oci:$T/in:v1" localhost/a >&2
	cp -r "$T/in" "$OUT/hollow"
	for layer in $(jq -r '.layers[].digest' "$(blob "$T/in" "$(manifest_of "$T/in")")"); do rm "$(blob "$OUT/hollow" "$layer")"; done
	[ "$(as "$who" imgpull -q "oci:$OUT/hollow:v1" localhost/b)" = "$(config_of "$T/in")" ]
	# but a layer is not believed to be in another blob only because an image says so
	python3 - "$OUT/hollow" <<'P'
import hashlib, json, sys
d = sys.argv[1]
def load(h): return json.load(open(f'{d}/blobs/sha256/{h[7:]}'))
def put(v):
    b = json.dumps(v).encode(); h = hashlib.sha256(b).hexdigest()
    open(f'{d}/blobs/sha256/{h}', 'wb').write(b); return 'sha256:' + h, len(b)
index = json.load(open(d + '/index.json'))
m = load(index['manifests'][0]['digest'])
m['layers'][1] = m['layers'][0]
e = index['manifests'][0]; e['digest'], e['size'] = put(m)
json.dump(index, open(d + '/index.json', 'w'))
P
	run as "$who" imgpull "oci:$OUT/hollow:v1" localhost/c
	echo "$output"
	[ "$status" = 3 ]
	# and what we have is still what it was
	as "$who" imgpush -q localhost/a "oci:$OUT/back:v1" >&2
	[ "$(manifest_of "$OUT/back")" = "$(manifest_of "$T/in")" ]
	as "$who" imgpush -q --compression none localhost/a "oci:$OUT/plain:v1" >&2
}

@test "several processes pull the same image into one store" {
	who=$(who_runs)
	want=$(config_of "$T/in")
	for i in 1 2 3 4 5 6; do
		as "$who" imgpull -q "oci:$T/in:v1" "localhost/p:$i" >"$OUT/id-$i" 2>"$OUT/err-$i" 3>&- &
	done
	wait
	for i in 1 2 3 4 5 6; do
		cat "$OUT/err-$i"
		[ "$(cat "$OUT/id-$i")" = "$want" ]
	done
	assert_store_idle "$OUT/$who-store"
}

# ---- names ----

@test "an image gets the name that it is given, or that it has" {
	who=$(who_runs)
	cp -r "$T/in" "$OUT/by-dir"
	as "$who" imgpull -q "oci:$OUT/by-dir" >&2
	as "$who" imgpush -q localhost/by-dir:v1 "oci:$OUT/x" >&2
	sed -i 's/"v1"/"ghcr.io\/some\/app:3"/' "$OUT/by-dir/index.json"
	as "$who" imgpull -q "oci:$OUT/by-dir:ghcr.io/some/app:3" >&2
	as "$who" imgpush -q ghcr.io/some/app:3 "oci:$OUT/x" >&2
	python3 "$top_srcdir/tests/make-layout.py" "$OUT/Nameless" '' -
	run as "$who" imgpull "oci:$OUT/Nameless"
	echo "$output"
	[ "$status" = 2 ]
	[[ $output == *"has no name for the image: give one, as in 'imgpull oci:$OUT/Nameless NAME'"* ]]
	run as "$who" imgpull "oci:$OUT/Nameless" Not/A/Name
	[ "$status" = 3 ]
	[[ $output == *"must be lower case"* || $output == *"is not an image name"* ]]
	run as "$who" imgpush -q localhost/none "oci:$OUT/x"
	[ "$status" = 3 ]
	[[ $output == *localhost/none* ]]
}

@test "what cannot be done is refused before anything is written" {
	who=$(who_runs)
	as "$who" imgpull -q "oci:$T/in:v1" localhost/a >&2
	for place in docker-daemon:x containers-storage:x; do
		run as "$who" imgpush localhost/a "$place"
		[ "$status" = 2 ]
		[[ $output == *"store is not read"* ]]
		run as "$who" imgpull "$place"
		[ "$status" = 2 ]
		[[ $output == *"store is not read"* ]]
	done
	run as "$who" imgpush --authfile x localhost/a "oci:$OUT/x"
	[ "$status" = 2 ]
	[[ $output == *"--authfile is for registries"* ]]
	run as "$who" imgpush --compression zstd localhost/a "docker-archive:$OUT/x.tar"
	[ "$status" = 2 ]
	[[ $output == *"have no meaning for docker-archive"* ]]
	[ ! -e "$OUT/x.tar" ]
	run as "$who" imgpush --compression lzma localhost/a "oci:$OUT/x"
	[ "$status" = 2 ]
	run as "$who" imgpush --compression none --compression-level 3 localhost/a "oci:$OUT/x"
	[ "$status" = 2 ]
	run as "$who" imgpush --compression-level 3x localhost/a "oci:$OUT/x"
	[ "$status" = 2 ]
	run as "$who" imgpull --tls-verify=false "oci:$T/in" localhost/a
	[ "$status" = 2 ]
	[[ $output == *"--tls-verify is for registries"* ]]
	[ ! -e "$OUT/x" ]
	mkdir "$OUT/full"
	touch "$OUT/full/file"
	chmod a+rwx "$OUT/full"
	run as "$who" imgpush localhost/a "oci:$OUT/full"
	[ "$status" = 3 ]
	[[ $output == *"neither an OCI layout nor an empty directory"* ]]
	[ "$(ls "$OUT/full")" = file ]
	run as "$who" imgpush localhost/a "docker-archive:$OUT/full"
	[ "$status" = 2 ]
	[[ $output == *"is a directory"* ]]
}

# ---- damage ----

# bad FAULT TEXT: an image with that fault is refused with status 3 and that text, and nothing of it is named
bad() {
	python3 "$top_srcdir/tests/make-layout.py" "$OUT/bad-$1" v1 "$1"
	run as "$who" imgpull "oci:$OUT/bad-$1:v1" localhost/bad
	echo "$1: $status $output"
	[ "$status" = 3 ]
	[[ $output == *"$2"* ]]
	[ "$(grep -c '^imgpull: ' <<<"$(grep -v '^imgpull: layer' <<<"$output")")" = 1 ]
	run as "$who" imgpush -q localhost/bad "oci:$OUT/never"
	[ "$status" = 3 ]
	[ ! -e "$OUT/never" ] || [ ! -e "$OUT/never/index.json" ]
	assert_store_idle "$OUT/$who-store"
}
@test "damaged images are refused, each with its reason" {
	who=$(who_runs)
	bad diff-id 'layer sha256:'
	bad diff-id-count 'names 1 layers, its manifest 2'
	bad layer-cut-off 'layer sha256:'
	bad layer-goes-on 'layer sha256:'
	bad layer-size 'but its descriptor says'
	bad layer-missing 'lacks the blob'
	bad entry-outside "outside"
	bad artifact 'no container image'
	bad manifest-and-index 'members of a manifest and of an index'
	bad digest-is-a-path 'is not a digest'
	[ ! -e "$OUT/outside" ]
	[ ! -e "$T/outside" ]
}

@test "one changed byte in any file of an archive is refused" {
	who=$(who_runs)
	as "$who" imgpull -q "oci:$T/in:v1" localhost/a:1 >&2
	as "$who" imgpush -q localhost/a:1 "docker-archive:$OUT/good.tar" >&2
	[ "$(tar -tf "$OUT/good.tar" | wc -l)" -ge 3 ]
	for name in $(tar -tf "$OUT/good.tar"); do
		[ "$name" != manifest.json ] || continue
		python3 - "$OUT/good.tar" "$OUT/bad.tar" "$name" <<'P'
import sys, tarfile
data = bytearray(open(sys.argv[1], 'rb').read())
with tarfile.open(sys.argv[1]) as t:
    m = t.getmember(sys.argv[3])
    # a byte of a member's content or of the config's text: the length stays
    at = m.offset_data + (m.size // 2 if m.size < 4096 else 5000)
    data[at] ^= 1
open(sys.argv[2], 'wb').write(data)
P
		run as "$who" env IMGBUILD_ROOT="$OUT/fresh" imgpull "docker-archive:$OUT/bad.tar" localhost/bad
		echo "$name: $status $output"
		[ "$status" = 3 ]
		assert_store_idle "$OUT/fresh"
		rm -rf "$OUT/fresh"
	done
	size=$(stat -c %s "$OUT/good.tar")
	for cut in 0 100 512 $((size / 2)) $((size - 1500)); do
		head -c "$cut" "$OUT/good.tar" >"$OUT/bad.tar"
		run as "$who" env IMGBUILD_ROOT="$OUT/fresh" imgpull "docker-archive:$OUT/bad.tar" localhost/bad
		echo "$cut: $status $output"
		[ "$status" = 3 ]
		[[ $output == *bad.tar* ]]
	done
}

@test "a full disk leaves no archive and no changed index" {
	need_root
	head -c 3M /dev/urandom | base64 -w 100 >"$OUT/random"
	as root imgpull -q "oci:$T/in:v1" localhost/a >&2
	tar -C "$OUT" -cf "$OUT/random.tar" random
	python3 - "$OUT/random.tar" "$OUT/big.tar" <<'P'
import hashlib, io, json, sys, tarfile
layer = open(sys.argv[1], 'rb').read()
config = json.dumps(dict(architecture='amd64', os='linux', rootfs=dict(type='layers', diff_ids=['sha256:' + hashlib.sha256(layer).hexdigest()]))).encode()
with tarfile.open(sys.argv[2], 'w') as t:
    for n, d in (('l.tar', layer), ('c.json', config), ('manifest.json', json.dumps([dict(Config='c.json', RepoTags=['localhost/big:1'], Layers=['l.tar'])]).encode())):
        i = tarfile.TarInfo(n); i.size = len(d); t.addfile(i, io.BytesIO(d))
P
	as root imgpull -q "docker-archive:$OUT/big.tar" >&2
	unshare -m bash -eu -c '
		mkdir "$1/small"
		mount -t tmpfs -o size=2M none "$1/small"
		IMGBUILD_ROOT=$1/root-store imgpush -q localhost/a "oci:$1/small/l:a" >/dev/null
		before=$(sha256sum <"$1/small/l/index.json")
		for place in "docker-archive:$1/small/x.tar" "oci:$1/small/l:big"; do
			status=0
			IMGBUILD_ROOT=$1/root-store imgpush -q localhost/big:1 "$place" >"$1/full.out" 2>&1 || status=$?
			cat "$1/full.out"
			[ "$status" = 5 ]
			grep -q "No space left on device" "$1/full.out"
		done
		[ "$(ls -A "$1/small")" = l ]
		[ "$(sha256sum <"$1/small/l/index.json")" = "$before" ]
		[ -z "$(find "$1/small/l" -name ".tmp*")" ]
	' - "$OUT"
}

@test "an interrupt while waiting for a pipe ends the pull and leaves nothing" {
	who=$(who_runs)
	mkfifo "$OUT/fifo"
	chmod a+r "$OUT/fifo"
	as "$who" imgpull -q "docker-archive:$OUT/fifo" localhost/x 2>"$OUT/err" 3>&- &
	pid=$!
	exec 9>"$OUT/fifo"
	printf 'something' >&9
	sleep 0.3
	# the command itself, below what starts it
	child=$pid
	while next=$(pgrep -P "$child" | head -1) && [ -n "$next" ]; do child=$next; done
	kill -TERM "$child"
	status=0
	wait "$pid" || status=$?
	exec 9>&-
	cat "$OUT/err"
	[ "$status" != 0 ]
	assert_store_idle "$OUT/$who-store"
}

# ---- the others ----

@test "skopeo reads and verifies what we write" {
	need skopeo
	who=$(who_runs)
	id=$(as "$who" imgpull -q "oci:$T/in:v1" localhost/a:1)
	as "$who" imgpush -q localhost/a:1 "oci:$OUT/l:v1" >&2
	as "$who" imgpush -q --compression zstd localhost/a:1 "oci:$OUT/l:zstd" >&2
	as "$who" imgpush -q localhost/a:1 "docker-archive:$OUT/a.tar" >&2
	for from in "oci:$OUT/l:v1" "oci:$OUT/l:zstd" "docker-archive:$OUT/a.tar" "docker-archive:$OUT/a.tar:localhost/a:1"; do
		rm -rf "$OUT/copy"
		p_skopeo copy -q "$from" "dir:$OUT/copy"
		[ "$(jq -r .config.digest "$OUT/copy/manifest.json")" = "$id" ]
	done
}

@test "what skopeo writes comes in" {
	need skopeo
	who=$(who_runs)
	id=$(config_of "$T/in")
	p_skopeo copy -q "oci:$T/in:v1" "oci:$OUT/l:x"
	p_skopeo copy -q --dest-compress-format zstd --dest-compress "oci:$T/in:v1" "oci:$OUT/l:zstd"
	p_skopeo copy -q "oci:$T/in:v1" "docker-archive:$OUT/a.tar:localhost/by-skopeo:1"
	chmod -R a+rX "$OUT"
	[ "$(as "$who" imgpull -q "oci:$OUT/l:x" localhost/x)" = "$id" ]
	[ "$(as "$who" imgpull -q "oci:$OUT/l:zstd" localhost/z)" = "$id" ]
	[ "$(as "$who" imgpull -q "docker-archive:$OUT/a.tar")" = "$id" ]
	as "$who" imgpush -q localhost/by-skopeo:1 "oci:$OUT/back:1" >&2
	[ "$(diff_ids_of "$OUT/back")" = "$(diff_ids_of "$T/in")" ]
}

@test "umoci lists, unpacks and repacks our layout" {
	need umoci
	need_root
	as root imgpull -q "oci:$T/in:v1" localhost/a:1 >&2
	as root imgpush -q localhost/a:1 "oci:$OUT/l:v1" >&2
	[ "$(umoci ls --layout "$OUT/l")" = v1 ]
	umoci unpack --image "$OUT/l:v1" "$OUT/bundle" >&2
	[ "$(cat "$OUT/bundle/rootfs/etc/three")" = three ]
	[ ! -e "$OUT/bundle/rootfs/etc/two" ]
	echo four >"$OUT/bundle/rootfs/etc/four"
	umoci repack --image "$OUT/l:v2" "$OUT/bundle" >&2
	as root imgpull -q "oci:$OUT/l:v2" localhost/a:2 >&2
	as root imgpush -q localhost/a:2 "oci:$OUT/back:v2" >&2
	[ "$(manifest_of "$OUT/back")" = "$(jq -r '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == "v2").digest' "$OUT/l/index.json")" ]
}

@test "podman loads our archive and pulls our layout; its archives come in" {
	need podman
	need_root
	id=$(as root imgpull -q "oci:$T/in:v1" localhost/a:1)
	as root imgpush -q localhost/a:1 "oci:$OUT/l:v1" >&2
	as root imgpush -q localhost/a:1 "docker-archive:$OUT/a.tar" >&2
	p_podman load -q -i "$OUT/a.tar" >&2
	[ "sha256:$(p_podman inspect -f '{{.Id}}' localhost/a:1)" = "$id" ]
	# it makes a name of the path, which has capital letters
	[ "sha256:$(cd "$OUT" && p_podman pull -q oci:l:v1)" = "$id" ]
	p_podman save -q -o "$OUT/docker.tar" --format docker-archive localhost/a:1
	p_podman save -q -o "$OUT/oci" --format oci-dir localhost/a:1
	ROOT_STORE=$OUT/other
	[ "$(as root imgpull -q "docker-archive:$OUT/docker.tar")" = "$id" ]
	[ "$(as root imgpull -q "oci:$OUT/oci" localhost/b)" = "$id" ]
}

@test "docker loads our archive; what it saves comes in" {
	need_docker
	id=$(as root imgpull -q "oci:$T/in:v1" localhost/a:1)
	as root imgpush -q localhost/a:1 docker-archive:/dev/stdout | p_docker load -q >&2
	[ "$(p_docker image inspect -f '{{.Id}}' localhost/a:1)" = "$id" ]
	[ "$(p_docker image inspect localhost/a:1 | jq -c '.[0].RootFS.Layers')" = "$(diff_ids_of "$T/in")" ]
	p_docker tag localhost/a:1 second:2
	p_docker save localhost/a:1 second:2 >"$OUT/saved.tar"
	ROOT_STORE=$OUT/other
	[ "$(as root imgpull -q "docker-archive:$OUT/saved.tar")" = "$id" ]
	as root imgpush -q second:2 "docker-archive:$OUT/again.tar" >&2
	[ "$(as root imgpull -q "docker-archive:$OUT/saved.tar:second:2" localhost/chosen)" = "$id" ]
	p_docker load -q -i "$OUT/again.tar" >&2
	[ "$(p_docker image inspect -f '{{.Id}}' second:2)" = "$id" ]
}
