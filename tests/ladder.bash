# SPDX-License-Identifier: Apache-2.0
# Shared by the tests of the ladder (load lib, peers, ladder): one Buildfile, built on several rungs.

LONE=4242 # nobody knows this user: no name, no subordinate ids

ladder_setup() {
	make_scratch
	need_root
	LONE_STORE=$T/lone/store
	CHROOT_STORE=$T/chroot/store
	mkdir "$T/lone" "$T/chroot" "$T/context"
	chown $LONE:$LONE "$T/lone"
	export SOURCE_DATE_EPOCH=1700000000
}
ladder_teardown() {
	docker_stop
	peers_unmount
	remove_scratch
}

# on RUNG CMD…: RUNG is root, user, lone (no subordinate ids) or chroot (root, by force). Where nothing can be mounted,
# the copy driver alone can be used, whichever the others are to use.
on() {
	local rung=$1
	shift
	case $rung in
	root | user) as "$rung" "$@" ;;
	lone) setpriv --reuid $LONE --regid $LONE --clear-groups env -i PATH="$PATH" HOME="$T/lone" \
		SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH IMGBUILD_ROOT="$LONE_STORE" \
		${IMGBUILD_STORAGE_DRIVER:+IMGBUILD_STORAGE_DRIVER=$IMGBUILD_STORAGE_DRIVER} "$@" ;;
	chroot) IMGBUILD_STORAGE_DRIVER='' IMGBUILD_ISOLATION=chroot IMGBUILD_ROOT=$CHROOT_STORE "$@" ;;
	podman | docker) "in_$rung" env PATH=/build:/bin SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH IMGBUILD_ROOT=/store "$@" ;;
	esac
}

# What an ordinary container is made of that runs our programs: static ones, and the libraries of the others.
make_outer() {
	local f
	mkdir -p "$T/outer/bin" "$T/outer/etc" "$T/outer/tmp" "$T/outer/store" "$T/outer/build" "$T/outer/context"
	cp "$(command -v busybox)" "$T/outer/bin/busybox"
	for f in env sh cat id; do ln -s busybox "$T/outer/bin/$f"; done
	echo 'root:x:0:0:root:/root:/bin/sh' >"$T/outer/etc/passwd"
	ldd "$top_builddir/imgbuild" "$top_builddir/imgstore" | grep -o '/[^ )]*' | grep -v ':$' | sort -u | while read -r f; do
		mkdir -p "$T/outer$(dirname "$f")"
		cp -L "$f" "$T/outer$f"
	done
}
# in_podman CMD…, in_docker CMD…: in a container with no right but what these give by default
in_podman() {
	XDG_RUNTIME_DIR=$T/run podman --root "$T/podman" --runroot "$T/podman-run" --cgroup-manager cgroupfs --runtime runc \
		--log-level error run --rm --network host --ulimit nofile=1024:1024 --ulimit nproc=4096:4096 \
		-v "$top_builddir:/build:ro" -v "$T/context:$T/context:ro" -v "$T/podman-store:/store" --rootfs "$T/outer" "$@"
}
in_docker() {
	p_docker run --rm --network host -v "$top_builddir:/build:ro" -v "$T/context:$T/context:ro" -v "$T/docker-store:/store" outer "$@"
}

# build_on RUNG: the image's ID; what it says goes to $T/RUNG.log
build_on() {
	on "$1" imgbuild -q -t image "$T/context" 2>"$T/$1.log" || { cat "$T/$1.log" >&2; return 1; }
}

# same_on RUNG…: the Buildfile gives root's very image there; if not, where the layers differ
same_on() {
	local rung want got
	[ -e "$T/context/base.tar" ] || busybox_tar "$T/context/base.tar"
	want=$(build_on root)
	on root imgstore export image >"$T/root.tar"
	for rung; do
		got=$(build_on "$rung")
		[ "$got" = "$want" ] && continue
		echo "on rung $rung: $got, as root: $want"
		on "$rung" imgstore export image >"$T/$rung.tar"
		diff <(tar --numeric-owner --xattrs -tvvf "$T/root.tar") <(tar --numeric-owner --xattrs -tvvf "$T/$rung.tar")
		return 1
	done
}
