#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# imgbuild --annotation: in the manifest wherever the image goes, read back by skopeo. As root and as an ordinary user.

bats_require_minimum_version 1.5.0
load lib
load registry
load peers

setup_file() {
	make_scratch
	if command -v docker-registry >/dev/null && command -v skopeo >/dev/null; then
		peers_setup
		registry_start plain plain
		chmod a+rX "$T" "$T/registry"
	fi
	mkdir "$T/ctx"
	printf 'FROM scratch\nCOPY Buildfile /\nLABEL for=%s\n' '$TARGETARCH' >"$T/ctx/Buildfile"
	chmod -R a+rX "$T/ctx"
	export SOURCE_DATE_EPOCH=1700000100
}
teardown_file() {
	registry_stop_all
	peers_unmount
	remove_scratch
}
# place WHO: an empty directory that WHO may write to, in $P
place() {
	P=$(mktemp -d "$T/out.XXXXXX")
	chmod 755 "$P"
	if [ "$1" = user ] && is_root; then chown "$TEST_USER" "$P"; fi
}
same() { [ "$1" = "$2" ] || { printf 'got:    %s\nwanted: %s\n' "$1" "$2"; return 1; }; }
told() { as "$1" imgstore inspect "$2" | jq -c '.[0].Annotations'; }
found() { p_skopeo inspect --raw "$@" | jq -c .annotations; }

travels() {
	local want='{"a":"1=x","org.example/k:z":"two words"}'
	need_builder "$1"
	command -v skopeo >/dev/null || skip "skopeo is not installed"
	place "$1"
	as "$1" imgbuild -q -t kept:1 --annotation a=0 --annotation 'manifest:org.example/k:z=two words' --annotation a=1=x \
		-o "type=oci,tar=false,dest=$P/built" "$T/ctx"
	same "$(found "oci:$P/built:1")" "$want"
	as "$1" imgstore tag kept:1 other:2
	same "$(told "$1" other:2)" "$want"
	as "$1" imgpush -q other:2 "oci:$P/layout:2"
	same "$(found "oci:$P/layout:2")" "$want"
	as "$1" imgpush -q --compression zstd --force-compression other:2 "oci-archive:$P/a.tar:2"
	same "$(found "oci-archive:$P/a.tar:2")" "$want"
	as "$1" imgpush -q other:2 "dir:$P/dir"
	same "$(found "dir:$P/dir")" "$want"
	as "$1" imgpush -q --format docker other:2 "dir:$P/docker"
	same "$(found "dir:$P/docker")" null
	if command -v docker-registry >/dev/null; then
		ref=docker://$(registry_of plain)/$1/a:1
		as "$1" imgpush -q other:2 "$ref"
		same "$(found --tls-verify=false "$ref")" "$want"
	fi
	# what comes with annotations goes with them, byte for byte
	as "$1" imgstore rm -f kept:1 other:2
	as "$1" imgpull -q "oci:$P/layout:2" again:3
	same "$(told "$1" again:3)" "$want"
	as "$1" imgpush -q again:3 "oci:$P/back:2"
	cmp "$P/layout/index.json" "$P/back/index.json"
	# the last build decides
	as "$1" imgbuild -q -t again:3 "$T/ctx"
	same "$(told "$1" again:3)" null
	as "$1" imgpush -q again:3 "oci:$P/none:1"
	same "$(found "oci:$P/none:1")" null
	as "$1" imgstore check >&2
}
@test "annotations of the manifest go everywhere with the image (root)" { travels root; }
@test "annotations of the manifest go everywhere with the image (user)" { travels user; }

of_an_index() {
	local store
	need_builder "$1"
	place "$1"
	as "$1" imgbuild -q -t many:1 --platform linux/amd64,linux/arm64 --annotation 'index,manifest:q=1' \
		--annotation 'manifest-descriptor[linux/arm64]:d=2' --annotation 'manifest[linux/amd64]:q=amd' \
		-o "type=oci,tar=false,dest=$P/o" "$T/ctx"
	blobs=$P/o/blobs/sha256
	jq -c . "$blobs/$(jq -r '.manifests[0].digest' "$P/o/index.json" | cut -d: -f2)" >"$P.index"
	same "$(jq -c '[.annotations, .manifests[].annotations]' "$P.index")" '[{"q":"1"},null,{"d":"2"}]'
	same "$(jq -r '.manifests[].digest' "$P.index" | cut -d: -f2 | while read -r d; do jq -c .annotations "$blobs/$d"; done)" \
		$'{"q":"amd"}\n{"q":"1"}'
	same "$(as "$1" imgstore inspect --platform linux/amd64 many:1 | jq -c '.[0].Annotations')" '{"q":"amd"}'
	# one of them, used where it is by another store
	store=$(store_of "$1")
	as "$1" imgbuild -q -t one:1 --platform linux/arm64 --annotation q=3 "$T/ctx"
	as "$1" imgstore --root "$P/second" tag --add-store "$store" one:1 here:1
	same "$(as "$1" imgstore --root "$P/second" inspect --platform linux/arm64 here:1 | jq -c '.[0].Annotations')" '{"q":"3"}'
	as "$1" imgstore --root "$P/second" reset -f
}
@test "annotations of an index, of its entries and for one platform (root)" { of_an_index root; }
@test "annotations of an index, of its entries and for one platform (user)" { of_an_index user; }

@test "what is no annotation is refused before anything is built" {
	local who
	who=$(is_root && echo root || echo user)
	refused "$who" 2 "--annotation 'x': it is not KEY=VALUE" imgbuild --annotation x "$T/ctx"
	refused "$who" 2 "write manifest:" imgbuild --annotation a:b=c "$T/ctx"
	refused "$who" 2 "name several with --platform" imgbuild --annotation index:b=c "$T/ctx"
}
