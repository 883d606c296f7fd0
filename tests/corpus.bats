#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# One tree of every kind of file (make-corpus.py), by all ways: packed by GNU tar, bsdtar, python, docker, buildah and
# umoci and unpacked by us, packed by us and unpacked by umoci, podman, docker, GNU tar and bsdtar. And
# packed by us on four file systems, as root and as an ordinary user: the same bytes.

load lib
load layers
load peers

all="plain links special names latin attributes acls times holes"
# the digest of the layer of these, whoever packs them and wherever
same=$all
golden=sha256:7d4108fc71ff0a67d7c22d20efc7380cdf1d0094787fa1770f7461abd680598f

setup_file() {
	is_root || return 0
	make_scratch
	peers_setup
	make_corpus "$T/all" $all
	dump "$T/all" >"$T/all.dump"
	tar_of "$T/all" "$T/all.tar" --format=posix --xattrs --xattrs-include='*'
	docker_start
}
teardown_file() {
	is_root || return 0
	docker_stop
	peers_unmount
	remove_scratch
}
setup() { need_root; }

make_corpus() { python3 "$top_srcdir/tests/make-corpus.py" "$@"; }
dump() { python3 "$top_srcdir/tests/dump-tree.py" --whole "$1"; }
need() { command -v "$1" >/dev/null || skip "$1 is not installed"; }
# tar_of DIR TAR OPTION…: by GNU tar
tar_of() { tar --numeric-owner --sort=name -C "$1" "${@:3}" -cf "$2" .; }

# of DUMP KIND…: these kinds only, and the root
of() {
	local dump=$1 words
	shift
	words=$(tr ' ' '|' <<<"$*")
	grep -aE "^(\.|($words)(/[^ ]*.*)?) " "$dump"
}
# came NAME TAR KIND…: we unpack TAR as an image's layer, and see those kinds of the corpus
came() {
	local name=$1 tar=$2
	shift 2
	python3 "$top_srcdir/tests/layout-of.py" "$T/in-$name" latest "$tar"
	as root imgpull -q "oci:$T/in-$name:latest" "localhost/$name" >&2
	shown "$name" "$@"
}
# What a peer does not keep, as changes of what is expected (in $LESS).
no_root='/^\. /d'
no_acls='s/ system\.posix_acl_(access|default)=[0-9a-f]*//g'
no_user='s/ user\.[a-z]*=[0-9a-f]*//g'
no_before='/^times\/before /s/@.*/@0.000000000/' # Go programs begin at 1970
expected() { sed -E "${LESS-}" "$T/all.dump"; }
# the root's own time is of the expectation's making where the peer has none
actual() { sed -E "$(grep -oF "$no_root" <<<"${LESS-}")" "$1"; }

# shown NAME KIND…: the image's tree is those kinds of the corpus
shown() {
	local name=$1
	shift
	as root unshare -m bash -eu -c 'python3 "$1/tests/dump-tree.py" --whole "$(imgstore mount "$2")"' - "$top_srcdir" "localhost/$name" \
		>"$T/$name.dump"
	diff -a <(of <(expected) "$@") <(actual "$T/$name.dump") >&2
}

# ---- others pack, we unpack ----

@test "GNU tar packs, in its five dialects" {
	local format
	came gnu-posix "$T/all.tar" $all
	# access control lists as text
	tar_of "$T/all" "$T/acls.tar" --format=posix --acls --xattrs --xattrs-include='user.*' --xattrs-include='security.*'
	grep -aq 'SCHILY.acl.default=user::rwx' "$T/acls.tar"
	came gnu-acls "$T/acls.tar" $all
	make_corpus "$T/gnu" plain links special names latin times holes
	tar_of "$T/gnu" "$T/gnu.tar" --format=gnu
	came gnu-gnu "$T/gnu.tar" plain links special names latin times holes
	tar_of "$T/gnu" "$T/gnu.tar" --format=oldgnu -S
	came gnu-oldgnu "$T/gnu.tar" plain links special names latin times holes
	make_corpus "$T/ustar" plain links special
	tar_of "$T/ustar" "$T/ustar.tar" --format=ustar
	came gnu-ustar "$T/ustar.tar" plain links special
	make_corpus "$T/v7" plain links
	tar_of "$T/v7" "$T/v7.tar" --format=v7
	came gnu-v7 "$T/v7.tar" plain links
	for version in 0.0 0.1 1.0; do
		tar_of "$T/all" "$T/sparse.tar" --format=posix -S --sparse-version=$version --xattrs --xattrs-include='*'
		came gnu-sparse-$version "$T/sparse.tar" $all
	done
}

@test "entries come in any order" {
	local seed
	for seed in 1 2 3; do
		# hard links alone must come after what they name
		python3 - "$T/all.tar" "$T/shuffled.tar" $seed <<-'P'
			import random, sys, tarfile
			with tarfile.open(sys.argv[1], errors='surrogateescape') as tar, \
			     tarfile.open(sys.argv[2], 'w', format=tarfile.PAX_FORMAT, errors='surrogateescape') as out:
			    members = tar.getmembers()
			    random.Random(int(sys.argv[3])).shuffle(members)
			    for m in sorted(members, key=lambda m: m.islnk()):
			        for key in 'path', 'linkpath', 'size', 'uid', 'gid', 'atime', 'ctime', 'mtime':
			            m.pax_headers.pop(key, None)
			        out.addfile(m, tar.extractfile(m) if m.isreg() else None)
		P
		came shuffled-$seed "$T/shuffled.tar" $all
	done
}

@test "deletions come in any order" {
	local seed
	mk below.tar <<-'END'
		dir d
		file d/old
		file d/gone
		dir d/sub
		file d/sub/deep
		dir e
		file e/x
		file top
	END
	for seed in 1 2 3 4 5 6; do
		# a directory that is deleted and made, one that is emptied, whiteouts of what is there again
		shuf --random-source=<(yes $seed) <<-'END' | mk shuffled.tar
			dir d mtime=1500000001
			file d/.wh..wh..opq
			file d/.wh.old
			link d/old new
			dir d/sub mtime=1500000002
			file d/sub/new
			file .wh.e
			dir e mode=700 mtime=1500000003
			file e/y
			file .wh.top
			file top/in
			dir ./ mtime=1500000004
		END
		python3 "$top_srcdir/tests/layout-of.py" "$T/in-order" latest "$T/below.tar" "$T/shuffled.tar"
		as root imgpull -q "oci:$T/in-order:latest" localhost/order >&2
		as root unshare -m bash -eu -c 'python3 "$1/tests/dump-tree.py" --whole "$(imgstore mount localhost/order)"' - "$top_srcdir" >"$T/order.dump"
		rm -rf "$T/in-order"
		diff - <(sed -E 's/ [0-9a-f]{16}( |$)/\1/' "$T/order.dump") <<-'END'
			. dir 0755 0:0 @1500000004.000000000
			d dir 0755 0:0 @1500000001.000000000
			d/old link 0777 0:0 -> new @1600000000.000000000
			d/sub dir 0755 0:0 @1500000002.000000000
			d/sub/new file 0644 0:0 0 @1600000000.000000000
			e dir 0700 0:0 @1500000003.000000000
			e/y file 0644 0:0 0 @1600000000.000000000
			top dir 0755 0:0 @0.000000000
			top/in file 0644 0:0 0 @1600000000.000000000
		END
	done
}

@test "bsdtar packs" {
	need bsdtar
	bsdtar -C "$T/all" --numeric-owner --format=pax --xattrs --acls -cf "$T/bsd.tar" .
	came bsd-pax "$T/bsd.tar" $all
	make_corpus "$T/bsd" plain links special
	bsdtar -C "$T/bsd" --numeric-owner --format=ustar -cf "$T/bsd.tar" .
	came bsd-ustar "$T/bsd.tar" plain links special
	bsdtar -C "$T/bsd" --numeric-owner --format=gnutar -cf "$T/bsd.tar" .
	came bsd-gnutar "$T/bsd.tar" plain links special
}

@test "python packs" {
	local format
	make_corpus "$T/py" plain links special names latin times holes
	for format in pax gnu; do
		(cd "$T/py" && python3 -c 'import sys, tarfile
with tarfile.open(sys.argv[1], "w", format=getattr(tarfile, sys.argv[2].upper() + "_FORMAT")) as tar: tar.add(".")' "$T/py.tar" $format)
		came py-$format "$T/py.tar" plain links special names latin times holes
	done
}

@test "a rule of a build system packs: names with ./ or without, no directories, no times" {
	local prefix name
	for prefix in "" ./ /; do
		name=rule$(tr -d ./ <<<"$prefix")${#prefix}
		mk rule.tar <<-END
			file ${prefix}usr/bin/tool content=tool mode=755 mtime=0
			link ${prefix}usr/bin/alias tool mtime=0
			file ${prefix}etc/conf content=conf mtime=0 uid=1000
			hard ${prefix}etc/also ${prefix}etc/conf mtime=0 uid=1000
			file ${prefix}usr/bin/late content=late mtime=0
		END
		python3 "$top_srcdir/tests/layout-of.py" "$T/in-$name" latest "$T/rule.tar"
		as root imgpull -q "oci:$T/in-$name:latest" "localhost/$name" >&2
		as root unshare -m bash -eu -c 'python3 "$1/tests/dump-tree.py" --whole "$(imgstore mount "$2")"' - "$top_srcdir" "localhost/$name" \
			>"$T/$name.dump"
		diff - <(sed -E 's/ [0-9a-f]{16}( |$)/\1/' "$T/$name.dump") <<-'END'
			. dir 0755 0:0 @0.000000000
			etc dir 0755 0:0 @0.000000000
			etc/also file 0644 1000:0 4 same-as:etc/also @0.000000000
			etc/conf file 0644 1000:0 4 same-as:etc/also @0.000000000
			usr dir 0755 0:0 @0.000000000
			usr/bin dir 0755 0:0 @0.000000000
			usr/bin/alias link 0777 0:0 -> tool @0.000000000
			usr/bin/late file 0644 0:0 4 @0.000000000
			usr/bin/tool file 0755 0:0 4 @0.000000000
		END
	done
}

@test "umoci packs" {
	need umoci
	umoci init --layout "$T/umoci"
	umoci new --image "$T/umoci:x"
	umoci insert --image "$T/umoci:x" "$T/all" / >&2
	as root imgpull -q "oci:$T/umoci:x" localhost/by-umoci >&2
	shown by-umoci $all
}

@test "buildah packs" {
	need buildah
	local c
	c=$(p_buildah from scratch)
	p_buildah add -q "$c" "$T/all.tar" / >&2
	p_buildah commit -q --format oci "$c" "oci:$T/by-buildah:x" >&2
	as root imgpull -q "oci:$T/by-buildah:x" localhost/by-buildah >&2
	LESS="$no_root;$no_acls" shown by-buildah $all
}

@test "docker packs" {
	mkdir "$T/dctx"
	ln "$T/all.tar" "$T/dctx/all.tar"
	printf 'FROM scratch\nADD all.tar /\n' >"$T/dctx/Dockerfile"
	DOCKER_BUILDKIT=1 p_docker build -q -t localhost/by-docker "$T/dctx" >&2
	p_docker save localhost/by-docker -o "$T/by-docker.tar"
	as root imgpull -q "docker-archive:$T/by-docker.tar" >&2
	LESS="$no_root;$no_acls;$no_user;$no_before" shown by-docker $all
}

# ---- we pack, others unpack ----

packed() {
	[ ! -e "$T/packed" ] || return 0
	as root imgstore import "$T/all.tar" localhost/packed >&2
	shown packed $all
	as root imgpush -q localhost/packed "oci:$T/packed:x" >&2
	as root imgpush -q --compression none localhost/packed "oci:$T/plain:x" >&2
	as root imgpush -q localhost/packed "docker-archive:$T/packed.tar" >&2
}
same_as_ours() { diff -a <(expected) <(actual <(dump "$1")) >&2; }

@test "GNU tar and bsdtar unpack" {
	packed
	local layer
	layer=$T/plain/blobs/sha256/$(as root imgstore inspect localhost/packed | jq -r '.[0].RootFS.Layers[0]' | cut -d: -f2)
	mkdir "$T/by-gnu"
	tar --xattrs --xattrs-include='*' --numeric-owner -xpf "$layer" -C "$T/by-gnu"
	same_as_ours "$T/by-gnu"
	need bsdtar
	mkdir "$T/by-bsd"
	bsdtar --numeric-owner -xpf "$layer" -C "$T/by-bsd"
	# it takes access control lists from records of its own only
	LESS="$no_root;$no_acls" same_as_ours "$T/by-bsd"
}

@test "umoci unpacks" {
	packed
	umoci unpack --image "$T/packed:x" "$T/umoci-bundle" >&2
	same_as_ours "$T/umoci-bundle/rootfs"
}

@test "podman unpacks" {
	packed
	local id
	id=$(p_podman pull -q "oci:$T/packed:x")
	LESS="$no_root;$no_before" same_as_ours "$(p_podman image mount "$id")"
	p_podman image unmount "$id" >&2
}

@test "docker unpacks" {
	packed
	p_docker load -q -i "$T/packed.tar" >&2
	LESS="$no_root;$no_before" same_as_ours "$(p_docker image inspect -f '{{.GraphDriver.Data.UpperDir}}' localhost/packed)"
}

# ---- the same bytes everywhere ----

# diff_id_on WHO DIR: that of the import of $T/same.tar into a store in DIR
diff_id_on() {
	as "$1" env IMGBUILD_ROOT="$2/store" imgstore import "$T/same.tar" localhost/same >/dev/null
	as "$1" env IMGBUILD_ROOT="$2/store" imgstore inspect localhost/same | jq -r '.[0].RootFS.Layers[0]'
}
make_same() {
	[ ! -e "$T/same.tar" ] || return 0
	make_corpus "$T/same-tree" $same
	tar_of "$T/same-tree" "$T/same.tar" --format=posix --xattrs --xattrs-include='*'
	chmod 644 "$T/same.tar"
}
# fs_test TYPE MKFS…: on a file system of that type, in a mount namespace of its own
fs_test() {
	local type=$1
	shift
	need "$1"
	make_same
	truncate -s 400M "$T/$type.img"
	"$@" "$T/$type.img" >&2
	mkdir "$T/$type"
	export -f diff_id_on as as_user user_home user_runtime make_corpus
	export same TEST_USER
	unshare -m bash -eu -c '
		mount -t "$1" -o loop "$2" "$3"
		chmod 755 "$3"
		install -d -o "$TEST_USER" "$3/user"
		mkdir "$3/root"
		diff_id_on root "$3/root"
		! id "$TEST_USER" >/dev/null 2>&1 || diff_id_on user "$3/user"
		make_corpus "$3/tree" $same
		"$top_builddir/tests/layer-tool" digest - "$3/tree" | cut -d" " -f1
	' - "$type" "$T/$type.img" "$T/$type" >"$T/$type.ids"
	cat "$T/$type.ids" >&2
	[ "$(sort -u "$T/$type.ids")" = "$golden" ]
	[ "$(wc -l <"$T/$type.ids")" -ge 2 ]
}

@test "the same bytes on ext4, as root and as an ordinary user" { fs_test ext4 mkfs.ext4 -q; }
@test "the same bytes on xfs, as root and as an ordinary user" { fs_test xfs mkfs.xfs -q; }
@test "the same bytes on btrfs, as root and as an ordinary user" { fs_test btrfs mkfs.btrfs -q; }
@test "the same bytes on tmpfs, as root and as an ordinary user" {
	mkfs_nothing() { :; }
	fs_test tmpfs mkfs_nothing
}
