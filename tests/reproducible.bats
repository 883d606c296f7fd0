#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# With SOURCE_DATE_EPOCH the same Buildfile gives the same manifest digest: again, in another store, on another
# file system, as root and as an ordinary user.

load lib

setup_file() {
	make_scratch
	busybox_tar "$T/bb.tar"
	chmod 644 "$T/bb.tar"
	mkdir "$T/ctx" "$T/ctx/dir"
	chmod 755 "$T/ctx" "$T/ctx/dir"
	for i in 1 2 3; do echo "file $i" >"$T/ctx/dir/f$i"; done
	chmod 644 "$T"/ctx/dir/*
	cat >"$T/ctx/Buildfile" <<'E'
FROM localhost/bb
LABEL a=b
COPY dir /dir
COPY --chown=alice dir/f1 /home/alice/
RUN mkdir -p /made/sub && echo x >/made/x && ln /made/x /made/y && chown 1000:1001 /made/sub && chmod 2775 /made/sub && rm /dir/f2 /tmp -r && mkdir /tmp
USER alice
WORKDIR /work
RUN id >/home/alice/id 2>/dev/null || true; echo made by $(id -u) >/work/who
FROM scratch
COPY --from=0 /made /made
COPY --from=0 /dir /dir
E
	chmod 644 "$T/ctx/Buildfile"
	export SOURCE_DATE_EPOCH=1700000100
}
teardown_file() {
	remove_scratch
}

build() { # build WHO TAG OPTIONS…: the manifest digest on stdout
	local who=$1 out=$T/out-$1-$2
	if [ "$who" = user ] && is_root; then install -d -o "$TEST_USER" "$out"; fi
	as "$who" imgstore inspect localhost/bb >/dev/null 2>&1 || as "$who" imgstore import "$T/bb.tar" localhost/bb >&2
	as "$who" imgbuild -q "${@:3}" -t "$2" "$T/ctx" >&2 || return 1
	as "$who" imgpush -q "$2" "oci:$out:latest" >&2 || return 1
	jq -r '.manifests[0].digest' "$out/index.json"
}

@test "building twice without cache gives the same manifest digest" {
	need_root
	a=$(build root a --no-cache --target 0)
	sleep 1.1
	touch "$T"/ctx/dir/*
	b=$(build root b --no-cache --target 0)
	[ -n "$a" ]
	[ "$a" = "$b" ]
}

@test "a cached build gives the same manifest digest as the first" {
	need_root
	a=$(build root c --no-cache)
	b=$(build root d)
	[ -n "$a" ]
	[ "$a" = "$b" ]
}

@test "root and an ordinary user give the same manifest digest" {
	need_root
	need_user
	for target in 0 1; do
		a=$(build root "e$target" --no-cache --target $target)
		b=$(build user "f$target" --no-cache --target $target)
		echo "$a $b"
		[ -n "$a" ]
		[ "$a" = "$b" ]
	done
}

@test "a store on tmpfs gives the same manifest digest" {
	need_root
	a=$(build root g --no-cache)
	mkdir "$T/tmpfs"
	b=$(unshare -m bash -ec '
		mount -t tmpfs none "$T/tmpfs"
		export IMGBUILD_ROOT=$T/tmpfs/store
		imgstore import "$T/bb.tar" localhost/bb >&2
		imgbuild -q -t h "$T/ctx" >&2
		imgpush -q h "oci:$T/tmpfs/out:latest" >&2
		jq -r ".manifests[0].digest" "$T/tmpfs/out/index.json"')
	echo "$a $b"
	[ -n "$a" ]
	[ "$a" = "$b" ]
}

@test "times are clamped in our own layers, config and history, and the base stays as it is" {
	need_root
	build root i --no-cache --target 0 >/dev/null
	dir=$T/out-root-i
	manifest=$(jq -r '.manifests[0].digest' "$dir/index.json" | cut -d: -f2)
	config=$dir/blobs/sha256/$(jq -r .config.digest "$dir/blobs/sha256/$manifest" | cut -d: -f2)
	[ "$(jq -r .created "$config")" = 2023-11-14T22:15:00Z ]
	[ "$(jq -r '[.history[1:][].created] | unique | .[]' "$config")" = 2023-11-14T22:15:00Z ]
	[ "$(jq '.layers | length' "$dir/blobs/sha256/$manifest")" -gt 1 ]
	for digest in $(jq -r '.layers[1:][].digest' "$dir/blobs/sha256/$manifest" | cut -d: -f2); do
		python3 - "$dir/blobs/sha256/$digest" <<'E'
import sys, tarfile
for entry in tarfile.open(sys.argv[1]):
    assert entry.mtime <= 1700000100, (entry.name, entry.mtime)
E
	done
	# the base's own layer is the very tar that was imported
	[ "$(jq -r '.rootfs.diff_ids[0]' "$config")" = "$(as root imgstore inspect localhost/bb | jq -r '.[0].RootFS.Layers[0]')" ]
}

# ---- row 71 ----

# What differs between two runs unless it is settled: times, order of links and attributes, whiteouts, sizes of directories
row71_context() {
	local d=$T/row71
	[ ! -d "$d" ] || return 0
	mkdir -p "$d/tree/sub"
	for i in 3 1 2; do echo "$i" >"$d/tree/$i"; done
	ln "$d/tree/3" "$d/tree/sub/link"
	ln -s 1 "$d/tree/symlink"
	for name in c a b; do setfattr -n "user.$name" -v "$name" "$d/tree/1" || true; done
	tar -C "$d" --sort=none -cf "$d/t.tar" tree
	cat >"$d/Buildfile" <<'E'
FROM localhost/bb AS one
RUN mkdir -p /made/z /made/a && for i in $(seq 300); do : >/made/many$i; done && echo x >/made/z/x && ln /made/z/x /made/a/x && ln /made/z/x /made/y && mkfifo /made/pipe && chown -R 1000:1001 /made/a
RUN rm -r /made/many* /tmp && mkdir /tmp && rm /etc/group && echo g >/etc/group && mv /made/z /made/b
COPY tree /tree
COPY --link --chown=alice tree /linked/
ADD t.tar /added/
COPY <<text /texts/
of a here document
text
WORKDIR /w/o/r/k
RUN --mount=type=cache,target=/c --mount=target=/m,rw touch /m/x /c/x && cp -a /m/tree /copied && touch -d @1234567890 /copied/1
FROM one
COPY --from=one --parents /tree /made /from/
ENV a=1
E
	chmod -R a+rX "$d"
}
# on FILESYSTEM WHO: the manifest's digest of an image, gzipped, that was built in a store on it
on() {
	mkdir -p "$T/fs"
	FS=$1 BUILDER=$2 unshare -m bash -euc '
		. "$top_srcdir/tests/lib.bash"
		case $FS in
		tmpfs) mount -t tmpfs none "$T/fs" ;;
		*)	truncate -s 400M "$T/$FS.img"
			case $FS in ext4) mkfs.ext4 -qF "$T/$FS.img" ;; xfs) mkfs.xfs -qf "$T/$FS.img" ;; esac
			mount -o loop "$T/$FS.img" "$T/fs" ;;
		esac
		mkdir "$T/fs/$BUILDER"
		[ "$BUILDER" = root ] || chown "$TEST_USER:" "$T/fs/$BUILDER"
		ROOT_STORE=$T/fs/root/store USER_STORE=$T/fs/user/store
		as "$BUILDER" imgstore import "$T/bb.tar" localhost/bb >&2
		as "$BUILDER" imgbuild -q -t row71 "$T/row71" >&2
		as "$BUILDER" imgpush -q row71 "oci:$T/fs/$BUILDER/out:latest" >&2
		jq -r ".manifests[0].digest" "$T/fs/$BUILDER/out/index.json"' || return 1
	rm -f "$T/$1.img"
}
row71() {
	local fs who first= digest
	row71_context
	for fs in ext4 xfs tmpfs; do
		for who in root user; do
			digest=$(on "$fs" "$who")
			echo "$fs $who $digest"
			: "${first:=$digest}"
			[ -n "$digest" ]
			[ "$digest" = "$first" ]
			# another time, other times of the context
			sleep 1
			touch "$T"/row71/tree/* "$T/row71/tree/sub"
			chmod -R a+rX "$T/row71"
		done
	done
}
@test "row 71: the same bits on ext4, xfs and tmpfs, as root and as an ordinary user" {
	need_root
	need_user
	command -v mkfs.xfs >/dev/null && command -v mkfs.ext4 >/dev/null || skip "mkfs.xfs or mkfs.ext4 is not installed"
	losetup -f >/dev/null 2>&1 || skip "there are no loop devices"
	row71
}
