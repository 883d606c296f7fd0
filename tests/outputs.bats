#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# imgbuild --output: the image, or its files, somewhere else too. As root and as an ordinary user; other programs
# read what comes of it.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
	make_scratch
	busybox_tar "$T/bb.tar"
	chmod 644 "$T/bb.tar"
	mkdir "$T/ctx"
	cat >"$T/ctx/Buildfile" <<'E'
FROM localhost/bb
RUN mkdir -p /d/e && echo x >/d/f && ln /d/f /d/g && ln -s f /d/s && chown 1000:1001 /d/f && chmod 4755 /d/f && mkfifo /d/p
RUN rm /etc/group && rm -r /root && mkdir /root && touch -d @1500000000 /root/t
E
	chmod -R a+rX "$T/ctx"
	export SOURCE_DATE_EPOCH=1700000100
	for who in root user; do
		can_build "$who" || continue
		as "$who" imgstore import "$T/bb.tar" localhost/bb >&2
	done
}
teardown_file() {
	remove_scratch
}
place() { # place WHO NAME: a directory that WHO may write to, in $P
	P=$T/$1-$2
	mkdir "$P"
	if [ "$1" = user ] && is_root; then chown "$TEST_USER" "$P"; fi
}

@test "type=local: the files, owned as in the image (root)" {
	need_builder root
	place root local
	touch "$P/mine"
	run -0 --separate-stderr as root imgbuild -q -t made -o "$P" "$T/ctx"
	[ "$output" = "$(as root imgstore inspect made | jq -r '.[0].Id')" ]
	image_tree root made | without_links >"$T/want"
	[ -f "$P/mine" ]
	rm "$P/mine"
	dump_tree "$P" | without_links | diff "$T/want" -
	# again, over what is there
	as root imgbuild -q --output type=local,dest="$P" "$T/ctx"
	dump_tree "$P" | without_links | diff "$T/want" -
	as root imgbuild -q -o "$T/fresh" "$T/ctx"
	dump_tree "$T/fresh" | without_links | diff "$T/want" -
}

@test "type=local: the files are the user's own (user)" {
	need_builder user
	place user local
	as user imgbuild -q -t made -o "type=local,dest=$P" "$T/ctx"
	[ "$(find "$P" -mindepth 1 ! -user "$TEST_USER" | wc -l)" = 0 ]
	[ "$(stat -c '%a %s' "$P/d/f")" = "4755 2" ]
	[ "$P/d/f" -ef "$P/d/g" ]
	[ ! -e "$P/etc/group" ]
	[ "$(stat -c %Y "$P/root/t")" = 1500000000 ]
	as user rm -rf "$P/d"
	[ ! -e "$P/d" ]
}

as_tar() {
	need_builder "$1"
	place "$1" tar
	as "$1" imgbuild -q -t made -o "type=tar,dest=$P/x.tar" "$T/ctx"
	as "$1" imgbuild -q -o - "$T/ctx" | cmp - "$P/x.tar"
	as "$1" imgbuild -q -o type=tar "$T/ctx" >"$T/stdout.tar"
	cmp "$T/stdout.tar" "$P/x.tar"
	mkdir "$T/$1-untar"
	tar --numeric-owner --same-owner -C "$T/$1-untar" -xpf "$P/x.tar"
	if [ "$1" = root ]; then
		image_tree root made | without_links >"$T/want"
		[ -s "$T/want" ]
		dump_tree "$T/$1-untar" | without_links | diff "$T/want" -
	fi
	tar --numeric-owner -tvf "$P/x.tar" d/f | grep -q '^-rwsr-xr-x 1000/1001 '
}
@test "type=tar: into a file and to standard output, alone there (root)" { as_tar root; }
@test "type=tar: into a file and to standard output, alone there (user)" { as_tar user; }

as_oci() {
	need_builder "$1"
	place "$1" oci
	as "$1" imgbuild -q -t localhost/app:7 -o "type=oci,dest=$P/a.tar" "$T/ctx"
	as "$1" imgbuild -q -t localhost/app:7 -o "type=oci,tar=false,dest=$P/dir,name=localhost/other:8,compression=zstd,compression-level=9" "$T/ctx"
	as "$1" imgbuild -q -t localhost/app:7 -o type=oci "$T/ctx" | cmp - "$P/a.tar"
	[ "$(jq -r '.manifests[0].annotations["org.opencontainers.image.ref.name"]' "$P/dir/index.json")" = 8 ]
	manifest=$P/dir/blobs/sha256/$(jq -r '.manifests[0].digest' "$P/dir/index.json" | cut -d: -f2)
	[ "$(jq -r '.layers[].mediaType' "$manifest" | sort -u)" = application/vnd.oci.image.layer.v1.tar+zstd ]
	[ "$(tar -xOf "$P/a.tar" index.json | jq -r '.manifests[0].annotations["org.opencontainers.image.ref.name"]')" = 7 ]
	as "$1" imgbuild -q -o "type=oci,tar=false,dest=$P/docker,oci-mediatypes=false" "$T/ctx"
	[[ $(jq -r '.manifests[0].mediaType' "$P/docker/index.json") == application/vnd.docker.* ]]
	if command -v skopeo >/dev/null; then
		[ "$(skopeo inspect --config "oci-archive:$P/a.tar:7" | jq -r '.rootfs.diff_ids | length')" = 3 ]
		skopeo inspect "oci:$P/dir:8" >&2
	fi
}
@test "type=oci: an archive, a directory, standard output; compression (root)" { as_oci root; }
@test "type=oci: an archive, a directory, standard output; compression (user)" { as_oci user; }

as_docker() {
	need_builder "$1"
	place "$1" docker
	as "$1" imgbuild -q -t localhost/app:7 -o "type=docker,dest=$P/a.tar" "$T/ctx"
	[ "$(tar -xOf "$P/a.tar" manifest.json | jq -r '.[0].RepoTags[0]')" = localhost/app:7 ]
	as "$1" imgbuild -q -o "type=docker,name=other:1" "$T/ctx" >"$T/$1.tar"
	[ "$(tar -xOf "$T/$1.tar" manifest.json | jq -r '.[0].RepoTags[0]')" = other:1 ]
	[ "$(tar -xOf "$P/a.tar" manifest.json | jq -r '.[0].Config')" = "$(tar -xOf "$T/$1.tar" manifest.json | jq -r '.[0].Config')" ]
}
@test "type=docker: an archive that docker load reads (root)" { as_docker root; }
@test "type=docker: an archive that docker load reads (user)" { as_docker user; }

@test "several outputs at once; type=image gives names; the ID is printed once" {
	need_builder root
	place root several
	run -0 --separate-stderr as root imgbuild -q -o type=image,name=localhost/one -o "$P/files" -o "type=oci,dest=$P/a.tar" --load "$T/ctx"
	[ "$output" = "$(as root imgstore inspect localhost/one | jq -r '.[0].Id')" ]
	[ -f "$P/files/d/f" ]
	[ -f "$P/a.tar" ]
	run -0 as root imgbuild -q '--output=type=image,"name=localhost/two,localhost/three:x"' "$T/ctx"
	[ "$(as root imgstore inspect localhost/two | jq -r '.[0].Id')" = "$(as root imgstore inspect localhost/three:x | jq -r '.[0].Id')" ]
}

@test "type=cacheonly: no image, but the steps are done" {
	need_builder root
	ROOT_STORE=$T/cacheonly
	as root imgstore import "$T/bb.tar" localhost/bb
	run -0 --separate-stderr as root imgbuild -q -o type=cacheonly "$T/ctx"
	[ "$output" = "" ]
	[ "$(as root imgstore ls -aq | wc -l)" = 1 ]
	as root imgbuild "$T/ctx" 2>&1 | grep -c CACHED | grep -qx 2
}

@test "what is not honoured is refused before anything is done" {
	need_builder root
	refused() {
		run -2 as root imgbuild -q -t never "${@:2}" "$T/ctx"
		[ "$output" = "imgbuild: $1" ] || { echo "$output"; return 1; }
	}
	refused "--output: there is no type 'zip' (known: image, registry, oci, docker, local, tar, cacheonly)" -o type=zip
	refused "--output: 'dest=x' has no type (known: image, registry, oci, docker, local, tar, cacheonly)" -o dest=x
	refused "--output: 'x' is not NAME=VALUE" -o type=oci,x
	refused "--output: dest=DIR is missing" -o type=local
	refused "--output: dest=DIR is missing" -o type=oci,tar=false
	refused "--output: 'compression' has no meaning for this type" -o type=docker,compression=zstd
	refused "--output: 'unpack' is not known or not supported" -o type=image,unpack=true
	refused "--output: 'compression=zstd' has no meaning for an image that is not pushed" -o type=image,compression=zstd
	run -2 as root imgbuild -q --push "$T/ctx"
	[ "$output" = "imgbuild: what is pushed needs a name: give --tag REGISTRY/NAME" ]
	refused "--output: tar is true or false, not 'x'" -o type=oci,tar=x
	refused "--output: compression-level: gzip has no compression level 10 (0 to 9)" -o type=oci,compression-level=10
	refused "--output: compression-level: zstd has no compression level 23 (0 to 22)" -o type=oci,compression-level=23,compression=zstd
	refused "--output: unknown compression 'lz4' (known: none, gzip, zstd, bzip2, xz)" -o type=oci,compression=lz4
	run -2 as root imgbuild -q -o 'type=oci,"name=a' "$T/ctx"
	[[ $output == "imgbuild: --output: "* ]]
	refused "--output: only one can go to standard output" -o - -o type=oci
	run -2 as root imgbuild -q --platform linux/amd64,linux/arm64 -o "type=tar,dest=$T/never" "$T/ctx"
	[[ $output == "imgbuild: --output: types docker and tar are for one platform"* ]]
	not as root imgstore inspect never 2>/dev/null
}

@test "a place that cannot be written to is an error after the build, with no half of anything" {
	need_builder root
	place root bad
	echo x >"$P/file"
	run ! as root imgbuild -q -o "$P/file" "$T/ctx"
	[[ $output == *"write the files to '$P/file'"* ]]
	run ! as root imgbuild -q -o "type=tar,dest=$P/none/x.tar" "$T/ctx"
	run ! as root imgbuild -q -o "type=oci,dest=$P/none/x.tar" "$T/ctx"
	[[ $output == *"the image was built, but not written to '$P/none/x.tar'"* ]]
	[ "$(ls "$P")" = file ]
	assert_store_idle "$ROOT_STORE"
}
