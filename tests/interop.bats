#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What we write is read by skopeo, umoci, podman and docker; what they write is read by us.

load lib
load peers

setup_file() {
	is_root || return 0
	make_scratch
	peers_setup
	busybox_tar "$T/bb.tar"
	as root imgstore import "$T/bb.tar" localhost/bb >&2
	mkdir "$T/ctx"
	printf 'one\n' >"$T/ctx/one"
	cat >"$T/ctx/Buildfile" <<'E'
FROM localhost/bb
LABEL made.by="imgbuild tests"
RUN mkdir -p /d/sub && echo 1 >/d/a && ln /d/a /d/b && echo gone >/d/sub/gone && chmod 4755 /d/a
COPY --chown=1000:1001 one /d/one
RUN rm -rf /d/sub && mkdir /d/sub && echo new >/d/sub/new && rm /root -r
ENV WORD=said
WORKDIR /d
ENTRYPOINT ["/bin/sh", "-c"]
CMD ["echo $WORD by $(cat one) in $(pwd)"]
E
	as root imgbuild -q -t made "$T/ctx" >&2
	as root imgpush -q made "oci:$T/made:latest" >&2
	as root imgpush -q made "docker-archive:$T/made.tar" >&2
	docker_start
}
teardown_file() {
	is_root || return 0
	docker_stop
	peers_unmount
	remove_scratch
}
setup() { need_root; }

said="said by one in /d"
diff_ids() { as root imgstore inspect "$1" | jq -cS '.[0].RootFS.Layers'; }

@test "our own container says what it should" {
	run as root imgrun --rm made
	[ "$status" = 0 ]
	[ "$output" = "$said" ]
}

@test "skopeo inspects and copies the OCI layout" {
	p_skopeo inspect --config "oci:$T/made:latest" >"$T/config.json"
	[ "$(jq -cS .rootfs.diff_ids "$T/config.json")" = "$(diff_ids made)" ]
	p_skopeo copy -q "oci:$T/made:latest" "dir:$T/made-dir"
	cmp "$T/made-dir/manifest.json" "$T/made/blobs/sha256/$(jq -r '.manifests[0].digest' "$T/made/index.json" | cut -d: -f2)"
}

@test "skopeo reads the docker-archive" {
	p_skopeo inspect --config "docker-archive:$T/made.tar" >"$T/config2.json"
	[ "$(jq -cS .rootfs.diff_ids "$T/config2.json")" = "$(diff_ids made)" ]
}

@test "umoci unpacks the same tree as our mount" {
	umoci unpack --image "$T/made:latest" "$T/umoci" >&2
	mkdir "$T/mnt"
	unshare -m bash -ec '
		IMGBUILD_ROOT=$ROOT_STORE imgstore mount made "$T/mnt" >&2
		python3 "$top_srcdir/tests/dump-tree.py" "$T/mnt" >"$T/ours.txt"'
	dump_tree "$T/umoci/rootfs" >"$T/theirs.txt"
	diff "$T/ours.txt" "$T/theirs.txt"
	grep -q '^d/sub/new' "$T/ours.txt"
	not grep -q gone "$T/ours.txt"
}

@test "podman runs it from the layout, with the same diff IDs" {
	p_podman pull -q "oci:$T/made:latest" >"$T/podman-id"
	run p_podman run --rm --network host "$(cat "$T/podman-id")"
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = "$said" ]
	[ "$(p_podman inspect "$(cat "$T/podman-id")" | jq -cS '.[0].RootFS.Layers')" = "$(diff_ids made)" ]
}

@test "podman loads the docker-archive" {
	p_podman load -q -i "$T/made.tar" >&2
	run p_podman run --rm --network host localhost/made:latest
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = "$said" ]
}

@test "docker loads the docker-archive and runs it, with the same diff IDs" {
	p_docker load -q -i "$T/made.tar" >&2
	run p_docker run --rm --network host made
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = "$said" ]
	[ "$(p_docker image inspect made | jq -cS '.[0].RootFS.Layers')" = "$(diff_ids made)" ]
	# docker's image ID is the digest of the config: the very same bytes
	[ "$(p_docker image inspect -f '{{.Id}}' made)" = "$(as root imgstore inspect made | jq -r '.[0].Id')" ]
}

@test "a layout that skopeo wrote is pulled and run" {
	p_skopeo copy -q "docker-archive:$T/made.tar" "oci:$T/by-skopeo:v1"
	as root imgpull -q "oci:$T/by-skopeo:v1" localhost/by-skopeo >&2
	run as root imgrun --rm localhost/by-skopeo
	[ "$status" = 0 ]
	[ "$output" = "$said" ]
	[ "$(diff_ids localhost/by-skopeo)" = "$(diff_ids made)" ]
}

@test "an image that buildah built is pulled, run, and pushed on with the same digest" {
	printf 'FROM scratch\nADD bb.tar /\nRUN echo by buildah >/said && rm /etc/group\nCMD ["cat", "/said"]\n' >"$T/Dockerfile.b"
	p_buildah build -q --isolation chroot --layers -t built -f "$T/Dockerfile.b" "$T" >&2
	p_buildah push -q built "oci:$T/by-buildah:x" >&2
	p_buildah push -q built "docker-archive:$T/by-buildah.tar:localhost/built:x" >&2
	as root imgpull -q "oci:$T/by-buildah:x" localhost/by-buildah >&2
	run as root imgrun --rm localhost/by-buildah
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = "by buildah" ]
	run as root imgrun --rm localhost/by-buildah ls /etc/group
	[ "$status" = 1 ]
	as root imgpush -q localhost/by-buildah "oci:$T/again:x" >&2
	[ "$(jq -r '.manifests[0].digest' "$T/again/index.json")" = "$(jq -r '.manifests[0].digest' "$T/by-buildah/index.json")" ]
	as root imgpull -q "docker-archive:$T/by-buildah.tar" >&2
	[ "$(diff_ids localhost/built:x)" = "$(diff_ids localhost/by-buildah)" ]
}

@test "an image that docker built and saved is pulled and run" {
	mkdir -p "$T/dctx"
	cp "$T/bb.tar" "$T/dctx/"
	printf 'FROM scratch\nADD bb.tar /\nRUN echo by docker >/said && rm -r /tmp\nRUN mkdir /tmp\nCMD ["cat", "/said"]\n' >"$T/dctx/Dockerfile"
	DOCKER_BUILDKIT=1 p_docker build -q --network host -t by-docker "$T/dctx" >&2
	p_docker save by-docker -o "$T/by-docker.tar"
	as root imgpull -q "docker-archive:$T/by-docker.tar" >&2
	run as root imgrun --rm by-docker
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = "by docker" ]
	[ "$(p_docker image inspect by-docker | jq -cS '.[0].RootFS.Layers')" = "$(diff_ids by-docker)" ]
}

@test "a Dockerfile of ours FROM an image of docker's goes back to docker" {
	printf 'FROM by-docker\nRUN echo and imgbuild >>/said\n' >"$T/ctx/Dockerfile.back"
	as root imgbuild -q -t back -f "$T/ctx/Dockerfile.back" "$T/ctx" >&2
	as root imgpush -q back "docker-archive:$T/back.tar" >&2
	p_docker load -q -i "$T/back.tar" >&2
	run p_docker run --rm --network host back
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = "by docker
and imgbuild" ]
}
