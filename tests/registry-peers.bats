#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# One registry between us and the others: what we push docker, podman, buildah and skopeo pull and run, with the digest
# that we said; what they push we pull and run, with theirs.

bats_require_minimum_version 1.5.0
load lib
load registry
load peers

setup_file() {
	make_scratch
	is_root || return 0
	command -v docker-registry >/dev/null || return 0
	peers_setup
	registry_start plain plain
	registry_start token token
	busybox_tar "$T/rootfs.tar"
	mkdir "$T/ctx"
	cp "$T/rootfs.tar" "$T/ctx/"
	printf 'FROM scratch\nADD rootfs.tar /\nENV GREETING=hello\nRUN echo $GREETING >/greeting && chown alice /greeting\nUSER alice\nCMD ["cat", "/greeting"]\n' >"$T/ctx/Buildfile"
	as root imgbuild -q -t ours:1 "$T/ctx" >&2
	if command -v dockerd >/dev/null; then docker_start >&2; fi
}
teardown_file() {
	docker_stop
	registry_stop_all
	peers_unmount
	remove_scratch
}
setup() {
	need_root
	need_registry
	P=$(registry_of plain)/r$BATS_TEST_NUMBER/a
}
need_docker() { command -v dockerd >/dev/null || skip "dockerd is not installed"; }
# docker_digest REF: which docker knows it by in that repository
docker_digest() { p_docker image inspect --format '{{join .RepoDigests "\n"}}' "$1" | sed -n "s,^${1%:*}@,,p" | head -1; }
# ours REF DIGEST: we pull just that, and it runs
ours() {
	as root imgpull -q "$1"
	as root imgpush -q "$1" "oci:$T/out-$BATS_TEST_NUMBER:1" >/dev/null
	[ "$(jq -r '.manifests[0].digest' "$T/out-$BATS_TEST_NUMBER/index.json")" = "$2" ]
	[ "$(as root imgrun --rm "$1" sh -c 'cat /greeting; id -un' | paste -sd' ')" = "hello alice" ]
}

@test "docker runs what we push" {
	need_docker
	local digest
	digest=$(as root imgpush -q --format docker ours:1 "$P:docker")
	p_docker pull -q "$P:docker"
	[ "$(docker_digest "$P:docker")" = "$digest" ]
	[ "$(p_docker run --rm --network none "$P:docker")" = hello ]
	digest=$(as root imgpush -q ours:1 "$P:oci")
	p_docker pull -q "$P:oci"
	[ "$(p_docker run --rm --network none "$P@$digest")" = hello ]
}
@test "we run what docker pushes" {
	need_docker
	as root imgpush -q ours:1 "docker-archive:$T/ours.tar:$P:theirs"
	p_docker load -q -i "$T/ours.tar"
	p_docker push -q "$P:theirs"
	ours "$P:theirs" "$(docker_digest "$P:theirs")"
}
@test "podman runs what we push, zstd too" {
	local digest how
	for how in gzip zstd; do
		digest=$(as root imgpush -q --compression $how ours:1 "$P:$how")
		p_podman pull -q --tls-verify=false "$P:$how"
		[[ "$(p_podman image inspect --format '{{.RepoDigests}}' "$P:$how")" == *"@$digest"* ]]
		[ "$(p_podman run --rm --network none "$P:$how")" = hello ]
	done
}
@test "we run what podman pushes" {
	as root imgpush -q ours:1 "docker-archive:$T/podman.tar:$P:theirs"
	p_podman load -q -i "$T/podman.tar"
	p_podman push -q --tls-verify=false --digestfile "$T/podman.digest" "$P:theirs"
	ours "$P:theirs" "$(cat "$T/podman.digest")"
}
@test "buildah builds on what we push, and we run it" {
	as root imgpush -q ours:1 "$P:base"
	printf 'FROM %s\nCOPY new /new\n' "$P:base" >"$T/ctx/Next"
	echo new >"$T/ctx/new"
	p_buildah bud -q --tls-verify=false --isolation chroot -f "$T/ctx/Next" -t "$P:next" "$T/ctx"
	p_buildah push -q --tls-verify=false --digestfile "$T/buildah.digest" "$P:next"
	ours "$P:next" "$(cat "$T/buildah.digest")"
	[ "$(as root imgrun --rm "$P:next" cat /new)" = new ]
}
@test "podman and docker run their image of our index, and we run ours of podman's" {
	local digest
	printf 'FROM scratch\nADD rootfs.tar /\nARG TARGETARCH\nENV ARCH=$TARGETARCH\nCMD ["sh", "-c", "echo $ARCH"]\n' >"$T/ctx/Multi"
	as root imgbuild -q -f "$T/ctx/Multi" --platform linux/amd64,linux/arm64 -t many:1 "$T/ctx"
	digest=$(as root imgpush -q many:1 "$P:many")
	p_podman pull -q --tls-verify=false "$P:many"
	[ "$(p_podman run --rm --network none "$P:many")" = amd64 ]
	if command -v dockerd >/dev/null; then
		p_docker pull -q "$P:many"
		[ "$(docker_digest "$P:many")" = "$digest" ]
		[ "$(p_docker run --rm --network none "$P:many")" = amd64 ]
	fi
	p_podman manifest create theirs:1
	p_podman manifest add --all --tls-verify=false theirs:1 "docker://$P:many"
	p_podman manifest push -q --all --tls-verify=false --digestfile "$T/many.digest" theirs:1 "docker://$P:theirs"
	[ "$(as root imgpull -q --all-platforms "$P:theirs")" = "$(cat "$T/many.digest")" ]
	[ "$(as root imgrun --rm "$P:theirs")" = amd64 ]
}
@test "skopeo copies what we push, with tokens, and we what it copies" {
	local digest ref
	ref=$(registry_of token)/r/a
	digest=$(as root imgpush -q --creds "$REGISTRY_USER:$REGISTRY_PASSWORD" ours:1 "$ref:1")
	p_skopeo copy -q --preserve-digests --src-tls-verify=false --dest-tls-verify=false --src-creds "$REGISTRY_USER:$REGISTRY_PASSWORD" \
		"docker://$ref:1" "docker://$P:1"
	ours "$P:1" "$digest"
}
