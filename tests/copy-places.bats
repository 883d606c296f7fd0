#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# imgpush from one place to another: nothing is unpacked, and all digests stay.

bats_require_minimum_version 1.5.0
load lib
load registry
load peers

setup_file() {
	make_scratch
	command -v docker-registry >/dev/null || return 0
	peers_setup
	registry_start plain plain
	registry_start htpasswd htpasswd
	bad_registry_start bad
	chmod a+rX "$T" "$T/registry"
	busybox_tar "$T/rootfs.tar"
	local a
	mkdir "$T/ctx"
	printf 'FROM scratch\nARG TARGETARCH\nADD rootfs.tar /\nCOPY $TARGETARCH /\n' >"$T/ctx/Buildfile"
	for a in amd64 arm64; do echo $a >"$T/ctx/$a"; done
	cp "$T/rootfs.tar" "$T/ctx/"
	chmod -R a+rX "$T/ctx"
	if can_build root; then
		as root imgbuild -q --platform linux/amd64,linux/arm64 -t multi:1 "$T/ctx" >&2
		as root imgpush -q multi:1 "oci:$T/multi:1" >&2
		as root imgpush -q --platform linux/amd64 multi:1 "oci:$T/one:1" >&2
		chmod -R a+rX "$T/multi" "$T/one"
	fi
}
teardown_file() {
	registry_stop_all
	peers_unmount
	remove_scratch
}
setup() {
	need_registry
	need_root
	P=$(registry_of plain)/r$BATS_TEST_NUMBER
	MULTI=$(jq -r '.manifests[0].digest' "$T/multi/index.json")
	ONE=$(jq -r '.manifests[0].digest' "$T/one/index.json")
	ROOT_STORE=$T/store-$BATS_TEST_NUMBER
}

@test "a layout to a registry to a layout, an index whole" {
	[ "$(as root imgpush -q "oci:$T/multi:1" "docker://$P/a:1")" = "$MULTI" ]
	[ "$(p_skopeo inspect --raw --tls-verify=false "docker://$P/a:1" | sha256sum | cut -d' ' -f1)" = "${MULTI#sha256:}" ]
	[ "$(as root imgpush -q "docker://$P/a:1" "oci:$T/back:1")" = "$MULTI" ]
	diff -r "$T/multi/blobs" "$T/back/blobs"
	# nothing became an image, nothing was unpacked
	[ -z "$(as root imgstore ls -aq)" ]
	[ -z "$(ls "$ROOT_STORE/layers")" ]
}
@test "from registry to registry, with other credentials there" {
	as root imgpush -q "oci:$T/one:1" "$P/a:1"
	[ "$(as root imgpush -q --creds "$REGISTRY_USER:$REGISTRY_PASSWORD" --cert-dir "$T/registry/certs" "docker://$P/a:1" "$(registry_of htpasswd)/c/d:1")" = "$ONE" ]
	[ "$(as root imgpush -q --src-creds "$REGISTRY_USER:$REGISTRY_PASSWORD" --src-cert-dir "$T/registry/certs" "docker://$(registry_of htpasswd)/c/d:1" "$P/back:1")" = "$ONE" ]
	refused root 4 "401" imgpush -q --src-creds x:y "docker://$(registry_of htpasswd)/c/d:1" "$P/back:2"
}
@test "one image of an index" {
	as root imgpush -q --platform linux/arm64 "oci:$T/multi:1" "docker://$P/a:arm"
	p_skopeo inspect --raw --tls-verify=false "docker://$P/a:arm" >"$T/m"
	[ "sha256:$(sha256sum <"$T/m" | cut -d' ' -f1)" = "$(jq -r '.manifests[] | select(.platform.architecture == "arm64") | .digest' "$T/multi/blobs/sha256/${MULTI#sha256:}")" ]
}
@test "from docker's archive, to an archive of a layout" {
	p_skopeo copy -q "oci:$T/one:1" "docker-archive:$T/docker.tar:localhost/x:1"
	as root imgpush -q "docker-archive:$T/docker.tar" "docker://$P/a:1"
	p_skopeo copy -q --src-tls-verify=false "docker://$P/a:1" "oci:$T/from-archive:1"
	as root imgpush -q "oci:$T/one:1" "docker://$P/b:1"
	as root imgpush -q "docker://$P/b:1" "oci-archive:$T/oci.tar:1"
	p_skopeo inspect "oci-archive:$T/oci.tar:1" >/dev/null
	p_skopeo copy -q --all "oci:$T/multi:1" "oci-archive:$T/theirs.tar:1"
	[ "$(as root imgpush -q "oci-archive:$T/theirs.tar:1" "docker://$P/b:all")" = "$MULTI" ]
}
@test "as an ordinary user" {
	need_builder user
	[ "$(as user imgpush -q "oci:$T/multi:1" "docker://$P/a:1")" = "$MULTI" ]
}
@test "what is damaged on the way is not handed on" {
	cp -r "$T/one" "$T/bad"
	local layer
	layer=$(jq -r '.layers[0].digest' "$T/one/blobs/sha256/${ONE#sha256:}" | cut -d: -f2)
	printf x | dd of="$T/bad/blobs/sha256/$layer" bs=1 seek=100 conv=notrunc status=none
	refused root 3 "$layer" imgpush -q "oci:$T/bad:1" "docker://$P/a:1"
	run p_skopeo inspect --raw --tls-verify=false "docker://$P/a:1"
	[ "$status" != 0 ]
}
@test "what has no meaning for a copy is refused" {
	refused root 2 "imgpull it first" imgpush -q --compression zstd "oci:$T/one:1" "docker://$P/a:1"
	refused root 2 "imgpull the image first" imgpush -q "oci:$T/one:1" "docker-archive:$T/x.tar"
	refused root 2 "where shall" imgpush -q "oci:$T/one:1"
}

@test "skopeo's directories, both ways, images and indexes" {
	[ "$(as root imgpush -q "oci:$T/multi:1" "dir:$T/dir")" = "$MULTI" ]
	p_skopeo copy -q --all "dir:$T/dir" "oci:$T/dir-back:1"
	diff -r "$T/multi/blobs" "$T/dir-back/blobs"
	p_skopeo copy -q "oci:$T/one:1" "dir:$T/dir-theirs"
	[ "$(as root imgpush -q "dir:$T/dir-theirs" "oci:$T/theirs:1")" = "$ONE" ]
	p_skopeo copy -q --all "oci:$T/multi:1" "dir:$T/dir-theirs-all"
	[ "$(as root imgpush -q "dir:$T/dir-theirs-all" "oci:$T/theirs-all:1")" = "$MULTI" ]
	# the store's own images, and what was there is replaced
	as root imgpull -q "dir:$T/dir-theirs" here:1
	as root imgpush -q here:1 "dir:$T/dir"
	[ "sha256:$(sha256sum <"$T/dir/manifest.json" | cut -d' ' -f1)" = "$ONE" ]
	mkdir "$T/somebodys"
	touch "$T/somebodys/file"
	refused root 3 "neither a directory of skopeo's nor an empty one" imgpush -q here:1 "dir:$T/somebodys"
	refused root 3 "has no manifest.json" imgpull -q "dir:$T/somebodys" x
	refused root 2 "no name for the image" imgpull -q "dir:$T/dir-theirs"
}

@test "an index is made of images that are there" {
	local a id
	for a in amd64 arm64; do
		as root imgpull -q --platform linux/$a "oci:$T/multi:1" one-$a:1
	done
	id=$(as root imgstore index create --annotation b=2 --annotation a=1 made:1 one-arm64:1 one-amd64:1)
	[ "$(as root imgpush -q made:1 "$P/made:1")" = "$id" ]
	p_skopeo inspect --raw --tls-verify=false "docker://$P/made:1" >"$T/made"
	[ "sha256:$(sha256sum <"$T/made" | cut -d' ' -f1)" = "$id" ]
	[ "$(jq -c '[.annotations, [.manifests[].platform.architecture]]' "$T/made")" = '[{"a":"1","b":"2"},["arm64","amd64"]]' ]
	# the manifests are those that came
	[ "$(jq -r '.manifests[].digest' "$T/made" | sort)" = "$(jq -r '.manifests[].digest' "$T/multi/blobs/sha256/${MULTI#sha256:}" | sort)" ]
	# an index gives all of its own
	[ "$(as root imgstore index create --annotation a=1 --annotation b=2 again:1 made:1)" = "$id" ]
	refused root 2 "there is an image for linux/arm64 already" imgstore index create x:1 made:1 one-arm64:1
	refused root 2 "not KEY=VALUE" imgstore index create --annotation x y:1 made:1
	refused root 2 "known: create" imgstore index make x:1 made:1
	refused root 3 "not in the store" imgstore index create x:1 nothing
}

# referrer NAME: a layout $T/NAME with an artifact that is about the image $ONE; prints its digest
referrer() {
	local d=$T/$1 empty manifest size
	empty=$(printf '{}' | sha256sum | cut -d' ' -f1)
	size=$(stat -c %s "$T/one/blobs/sha256/${ONE#sha256:}")
	mkdir -p "$d/blobs/sha256"
	printf '{}' >"$d/blobs/sha256/$empty"
	printf '{"imageLayoutVersion":"1.0.0"}' >"$d/oci-layout"
	manifest='{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/x.'$1'","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:'$empty'","size":2},"layers":[{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:'$empty'","size":2}],"subject":{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"'$ONE'","size":'$size'},"annotations":{"a":"b"}}'
	printf %s "$manifest" >"$d/m"
	mv "$d/m" "$d/blobs/sha256/$(sha256sum <"$d/m" | cut -d' ' -f1)"
	jq -nc --arg d "sha256:$(printf %s "$manifest" | sha256sum | cut -d' ' -f1)" --argjson s "${#manifest}" \
		'{schemaVersion:2,manifests:[{mediaType:"application/vnd.oci.image.manifest.v1+json",digest:$d,size:$s,annotations:{"org.opencontainers.image.ref.name":"1"}}]}' >"$d/index.json"
	jq -r '.manifests[0].digest' "$d/index.json"
}

@test "what refers to an image is listed by the registry, or by us" {
	local sig sbom b kind
	sig=$(referrer sig)
	sbom=$(referrer sbom)
	for kind in bad plain; do
		b=$(registry_of $kind)/r$BATS_TEST_NUMBER
		[ $kind != bad ] || bad_registry_rules bad '{"referrers": false}'
		as root imgpush -q "oci:$T/one:1" "docker://$b:1"
		[ "$(as root imgpush -q "oci:$T/sig:1" "docker://$b:sig")" = "$sig" ]
		as root imgpush -q "oci:$T/sbom:1" "docker://$b:sbom"
		as root imgpush -q "oci:$T/sig:1" "docker://$b:again"
		curl -sf -H 'Accept: application/vnd.oci.image.index.v1+json' "http://${b%%/*}/v2/${b#*/}/manifests/${ONE/:/-}" >"$T/list"
		[ "$(jq -c '[.mediaType, [.manifests[] | [.digest, .artifactType, .annotations.a]]]' "$T/list")" = \
			'["application/vnd.oci.image.index.v1+json",[["'$sig'","application/x.sig","b"],["'$sbom'","application/x.sbom","b"]]]' ]
		[ "$(as root imgpull referrers "$b:1" | cut -d' ' -f1,2)" = "$sig application/x.sig"$'\n'"$sbom application/x.sbom" ]
		[ "$(as root imgpull referrers --artifact-type application/x.sbom "$b@$ONE" | cut -d' ' -f1,2)" = "$sbom application/x.sbom" ]
		[ "$(as root imgpull referrers --format json "$b@$ONE" | jq -c .)" = "$(jq -c . "$T/list")" ]
		[ "$(as root imgpull referrers "$b:sig")" = "" ]
	done
	# one that keeps the list itself
	bad_registry_rules bad '{}'
	b=$(registry_of bad)/other
	as root imgpush -q "oci:$T/one:1" "docker://$b:1"
	as root imgpush -q "oci:$T/sig:1" "docker://$b:sig"
	[ "$(curl -sf "http://${b%%/*}/v2/other/referrers/$ONE" | jq -r '.manifests[].digest')" = "$sig" ]
	[ "$(as root imgpull referrers "$b:1" | cut -d' ' -f1,2)" = "$sig application/x.sig" ]
	[ "$(as root imgpull referrers --artifact-type application/x.sbom "$b:1")" = "" ]
	[ -z "$(bad_registry_log bad 'select(.path | test("manifests/sha256-")) | .path')" ]
}
