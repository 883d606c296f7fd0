#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Images for several platforms under one name: pulled, looked at, run, sent on, removed.

load lib

setup_file() {
	make_scratch
	machine=$(uname -m)
	case $machine in
	x86_64) NATIVE=amd64 ;;
	aarch64) NATIVE=arm64 ;;
	*) NATIVE=$machine ;;
	esac
	export NATIVE
	python3 "$top_srcdir/tests/make-layout.py" "$T/in" v1 attested "linux/$NATIVE" linux/s390x linux/arm/v7
	chmod -R a+rX "$T/in"
}
teardown_file() {
	remove_scratch
}
setup() {
	OUT=$T/out-$BATS_TEST_NUMBER
	ROOT_STORE=$OUT/root-store
	USER_STORE=$OUT/user-store
	mkdir -p "$OUT"
	if is_root && have_user; then chown "$TEST_USER:" "$OUT"; fi
}
teardown() {
	rm -rf "$OUT" 2>/dev/null || as_user unshare -r rm -rf "$OUT/user-store" || true
}

blob() { echo "$1/blobs/sha256/${2#sha256:}"; }
top_of() { jq -r '.manifests[0].digest' "$1/index.json"; }
# image_of PLATFORM-ARCHITECTURE: the ID of that image of the layout
image_of() {
	local manifest
	manifest=$(jq -r ".manifests[] | select(.platform.architecture == \"$1\").digest" "$(blob "$T/in" "$(top_of "$T/in")")")
	jq -r .config.digest "$(blob "$T/in" "$manifest")"
}
# all_blobs DIR: names and contents
all_blobs() { (cd "$1/blobs/sha256" && sha256sum *); }
who_runs() { if is_root; then echo root; else echo user; fi; }

whole_round_trip() {
	local who=$1
	[ "$(as "$who" imgpull -q --all-platforms "oci:$T/in:v1" localhost/many)" = "$(top_of "$T/in")" ]
	[ "$(as "$who" imgstore ls --format json | jq -c '[.[] | [.Id, .Names, .Platforms]]')" = \
		"[[\"$(top_of "$T/in")\",[\"localhost/many:latest\"],[\"linux/$NATIVE\",\"linux/s390x\",\"linux/arm/v7\"]]]" ]
	# with the attestation, and byte for byte
	[ "$(as "$who" imgpush -q localhost/many "oci:$OUT/back:v1")" = "$(top_of "$T/in")" ]
	diff <(all_blobs "$T/in") <(all_blobs "$OUT/back")
	[ "$(top_of "$OUT/back")" = "$(top_of "$T/in")" ]
	# prune takes nothing away that it needs
	as "$who" imgstore prune >&2
	as "$who" imgpush -q localhost/many "oci:$OUT/again:v1" >&2
	diff <(all_blobs "$T/in") <(all_blobs "$OUT/again")
	assert_store_idle "$(store_of "$who")"
}
@test "an index is pulled and sent on whole as root" {
	need_root
	whole_round_trip root
}
@test "an index is pulled and sent on whole as an ordinary user" {
	need_user
	whole_round_trip user
}

@test "skopeo reads and copies what we write" {
	command -v skopeo >/dev/null || skip "skopeo is not installed"
	who=$(who_runs)
	as "$who" imgpull -q --all-platforms "oci:$T/in:v1" localhost/many >&2
	as "$who" imgpush -q localhost/many "oci:$OUT/out:x" >&2
	[ "$(skopeo inspect --raw "oci:$OUT/out:x" | jq -c '[.manifests[].platform.architecture]')" = "[\"$NATIVE\",\"s390x\",\"arm\",\"unknown\"]" ]
	skopeo --insecure-policy copy -q --all "oci:$OUT/out:x" "oci:$OUT/copy:x"
	diff <(all_blobs "$T/in") <(all_blobs "$OUT/copy")
	skopeo inspect --override-arch s390x "oci:$OUT/out:x" | jq -e '.Architecture == "s390x"'
}

# What is asked of the name is asked of this machine's image, or of the one for --platform.
one_is_chosen() {
	local who=$1 native
	native=$(image_of "$NATIVE")
	as "$who" imgpull -q --all-platforms "oci:$T/in:v1" localhost/many >&2
	[ "$(as "$who" imgstore inspect localhost/many | jq -c '.[0] | [.Id, .Architecture, .Index, .RepoDigests]')" = \
		"[\"$native\",\"$NATIVE\",\"$(top_of "$T/in")\",[\"localhost/many@$(top_of "$T/in")\"]]" ]
	[ "$(as "$who" imgstore inspect --platform linux/s390x localhost/many | jq -r '.[0].Id')" = "$(image_of s390x)" ]
	[ "$(as "$who" imgstore history --platform linux/arm localhost/many --format json | jq -r '.[0].Id')" = "$(image_of arm)" ]
	[ "$(as "$who" imgstore inspect "localhost/many@$(top_of "$T/in")" | jq -r '.[0].Id')" = "$native" ]
	# by the beginning of the index's ID, and by the ID of one of its images
	[ "$(as "$who" imgstore inspect "$(top_of "$T/in" | cut -c8-19)" | jq -r '.[0].Id')" = "$native" ]
	[ "$(as "$who" imgstore inspect "$(image_of s390x)" | jq -r '.[0].Architecture')" = s390x ]
	refused "$who" 3 "'localhost/many' has no image for linux/riscv64; there are: linux/$NATIVE, linux/s390x, linux/arm/v7" \
		imgstore inspect --platform linux/riscv64 localhost/many
	refused "$who" 3 "is for linux/s390x, not for linux/arm/v7" imgstore inspect --platform linux/arm/v7 "$(image_of s390x)"
	refused "$who" 2 "--platform: 'x y' is not a platform" imgstore inspect --platform 'x y' localhost/many
	as "$who" imgrun --print-description localhost/many | grep -q '^arg "/bin/true"'
	refused "$who" 125 "has no image for linux/ppc64le" imgrun --platform linux/ppc64le localhost/many
	# an archive holds one image
	as "$who" imgpush -q localhost/many "docker-archive:$OUT/one.tar" >&2
	[ "$(tar -xOf "$OUT/one.tar" manifest.json | jq -r '.[0] | .Config, .RepoTags[0]' | paste -s)" = "${native#sha256:}.json	localhost/many:latest" ]
	as "$who" imgpush -q --platform linux/s390x localhost/many "docker-archive:$OUT/other.tar" >&2
	[ "$(tar -xOf "$OUT/other.tar" manifest.json | jq -r '.[0].Config')" = "$(image_of s390x | cut -c8-).json" ]
	[ "$(as "$who" imgpush -q --platform linux/s390x localhost/many "oci:$OUT/one:x")" = "$(image_of s390x)" ]
	[ "$(jq -r '.manifests[0].mediaType' "$OUT/one/index.json")" = application/vnd.oci.image.manifest.v1+json ]
}
@test "one image of an index is chosen as root" {
	need_root
	one_is_chosen root
}
@test "one image of an index is chosen as an ordinary user" {
	need_user
	one_is_chosen user
}

@test "an index goes out in another form" {
	who=$(who_runs)
	as "$who" imgpull -q --all-platforms "oci:$T/in:v1" localhost/many >&2
	run as "$who" imgpush --format docker --compression gzip localhost/many "oci:$OUT/docker:x"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *"attestations are left out"* ]]
	top=$(blob "$OUT/docker" "$(top_of "$OUT/docker")")
	[ "$(jq -r .mediaType "$top")" = application/vnd.docker.distribution.manifest.list.v2+json ]
	[ "$(jq -c '[.manifests[] | [.mediaType, .platform.architecture]]' "$top")" = \
		"$(for a in "$NATIVE" s390x arm; do echo "$a"; done | jq -Rc '["application/vnd.docker.distribution.manifest.v2+json", .]' | jq -sc .)" ]
	as "$who" imgpush -q --format docker --compression gzip localhost/many "oci:$OUT/docker2:x" >&2
	[ "$(top_of "$OUT/docker2")" = "$(top_of "$OUT/docker")" ]
	# the one in the store is as it was, and what was made for the way goes with prune
	as "$who" imgstore prune >&2
	[ "$(as "$who" imgstore ls -a -q | wc -l)" = 4 ]
	as "$who" imgpush -q localhost/many "oci:$OUT/back:v1" >&2
	[ "$(top_of "$OUT/back")" = "$(top_of "$T/in")" ]
}

removed() {
	local who=$1 store
	store=$(store_of "$who")
	as "$who" imgpull -q --all-platforms "oci:$T/in:v1" localhost/many >&2
	as "$who" imgstore tag localhost/many localhost/more
	as "$who" imgstore tag "$(image_of s390x)" localhost/single
	[ "$(as "$who" imgstore rm localhost/many)" = "Untagged: localhost/many:latest" ]
	refused "$who" 3 "is one of the images of an index" imgstore rm "$(image_of arm)"
	# one of its images may go on under a name of its own
	[ "$(as "$who" imgstore rm localhost/more)" = "Untagged: localhost/more:latest
Deleted: $(top_of "$T/in")" ]
	[ "$(as "$who" imgstore ls -a --format json | jq -c '[.[].Names]')" = '[["localhost/single:latest"]]' ]
	as "$who" imgpush -q localhost/single "oci:$OUT/single:x" >&2
	as "$who" imgstore rm localhost/single >&2
	as "$who" imgstore prune >&2
	[ "$(as "$who" imgstore info --format json | jq -c '[.Images, .Layers, .Blobs]')" = '[0,0,0]' ]
	[ -z "$(as "$who" imgstore unshare find "$store/blobs/sha256" "$store/layers" -mindepth 1)" ]
	assert_store_idle "$store"
}
@test "an index is removed with what it alone needs as root" {
	need_root
	removed root
}
@test "an index is removed with what it alone needs as an ordinary user" {
	need_user
	removed user
}

@test "a container keeps its image when the index goes" {
	who=$(who_runs)
	busybox_tar "$OUT/bb.tar"
	as "$who" imgstore import "$OUT/bb.tar" localhost/bb >&2
	as "$who" imgpush -q localhost/bb "oci:$OUT/l:x" >&2
	python3 - "$OUT/l" "$NATIVE" <<'E'
import hashlib, json, sys
d, arch = sys.argv[1:]
top = json.load(open(d + '/index.json'))
entry = top['manifests'][0]
entry.pop('annotations', None)
data = json.dumps(dict(schemaVersion=2, mediaType='application/vnd.oci.image.index.v1+json', manifests=[entry])).encode()
h = hashlib.sha256(data).hexdigest()
open(d + '/blobs/sha256/' + h, 'wb').write(data)
top['manifests'] = [dict(mediaType='application/vnd.oci.image.index.v1+json', digest='sha256:' + h, size=len(data),
                         annotations={'org.opencontainers.image.ref.name': 'x'})]
json.dump(top, open(d + '/index.json', 'w'))
E
	as "$who" imgstore rm localhost/bb >&2
	as "$who" imgpull -q --all-platforms "oci:$OUT/l:x" localhost/bb >&2
	as "$who" imgrun --name box localhost/bb true
	refused "$who" 3 "is used by container 'box'" imgstore rm localhost/bb
	as "$who" imgstore rm --force localhost/bb >&2
	as "$who" imgstore prune >&2
	[ "$(as "$who" imgstore ls -a -q | wc -l)" = 1 ]
	as "$who" imgstore rm box >&2
	as "$who" imgstore prune >&2
	[ "$(as "$who" imgstore ls -a -q | wc -l)" = 0 ]
}

@test "several manifests of one name are pulled as an index" {
	who=$(who_runs)
	# as umoci and buildah leave them: no index but the layout's own
	cp -r "$T/in" "$OUT/flat"
	jq '{schemaVersion: 2, manifests: [.manifests[] | select(.platform.architecture != "unknown") | .annotations = {"org.opencontainers.image.ref.name": "v1"}]}' \
		"$(blob "$T/in" "$(top_of "$T/in")")" >"$OUT/flat/index.json"
	chmod -R a+rX "$OUT/flat"
	as "$who" imgpull -q --all-platforms "oci:$OUT/flat:v1" localhost/many >&2
	[ "$(as "$who" imgstore ls --format json | jq -c '.[0].Platforms')" = "[\"linux/$NATIVE\",\"linux/s390x\",\"linux/arm/v7\"]" ]
	# and a single image is a single image
	[ "$(as "$who" imgpull -q --all-platforms "oci:$OUT/flat@$(jq -r '.manifests[1].digest' "$OUT/flat/index.json")" localhost/one)" = "$(image_of s390x)" ]
	refused "$who" 2 "exclude each other" imgpull --all-platforms --platform linux/arm "oci:$T/in:v1" localhost/x
}

@test "an index that lacks a part is not taken" {
	who=$(who_runs)
	cp -r "$T/in" "$OUT/broken"
	statement=$(jq -r '.manifests[-1].digest' "$(blob "$T/in" "$(top_of "$T/in")")")
	rm "$(blob "$OUT/broken" "$(jq -r '.layers[0].digest' "$(blob "$T/in" "$statement")")")"
	refused "$who" 3 "lacks the blob" imgpull --all-platforms "oci:$OUT/broken:v1" localhost/many
	[ "$(as "$who" imgstore ls -q | wc -l)" = 0 ]
	# the image for one platform is whole
	as "$who" imgpull -q "oci:$OUT/broken:v1" localhost/one >&2
}

@test "a store of the form before has its names and gets indexes" {
	command -v sqlite3 >/dev/null || skip "sqlite3 is not installed"
	who=$(who_runs)
	as "$who" imgpull -q "oci:$T/in:v1" localhost/one >&2
	as "$who" imgstore unshare sqlite3 "$(store_of "$who")/store.db" \
		'DROP TABLE indexes; DROP TABLE index_images; DROP TABLE index_blobs; DROP TABLE origins; ALTER TABLE layers DROP COLUMN place; ALTER TABLE images DROP COLUMN annotations; ALTER TABLE mounts DROP COLUMN container; PRAGMA user_version=1'
	[ "$(as "$who" imgstore inspect localhost/one | jq -r '.[0].Id')" = "$(image_of "$NATIVE")" ]
	[ "$(as "$who" imgstore info --format json | jq .StoreVersion)" = 6 ]
	as "$who" imgpull -q --all-platforms "oci:$T/in:v1" localhost/many >&2
	[ "$(as "$who" imgstore ls -q | wc -l)" = 2 ]
}
