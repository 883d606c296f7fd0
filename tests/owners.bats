#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# One store of root's for processes in user namespaces: files show other owners than on disk.

load lib

setup_file() {
	make_scratch
	busybox_tar "$T/bb.tar"
	is_root || return 0
	as root imgstore import "$T/bb.tar" localhost/bb >&2
	printf 'FROM localhost/bb\nRUN mkdir /d && echo secret >/d/s && chmod 600 /d/s && chown 1000:1001 /d && echo gone >/gone && echo x >/high && chown 3000000:0 /high\n' |
		as root imgbuild -q -t owned - >&2
}
teardown_file() { remove_scratch; }

@test "mount --idmap: a user sees the owners of the image in his namespace" {
	need_root
	need_builder user
	mkdir "$T/m"
	as root imgstore mount --idmap "$TEST_USER" owned "$T/m"
	inside=$(as user imgstore unshare sh -c 'cd "$1" && stat -c "%n %u:%g %a" d d/s gone high && cat d/s; id -u >d/new 2>/dev/null || echo "not written"' x "$T/m")
	echo "$inside"
	[ "$inside" = $'d 1000:1001 755\nd/s 0:0 600\ngone 0:0 644\nhigh 65534:0 644\nsecret\nnot written' ]
	# his own id is its root, and others are still others
	[ "$(stat -c %U "$T/m/d/s")" = "$TEST_USER" ]
	[ "$(as user cat "$T/m/d/s")" = secret ]
	not setpriv --reuid 12345 --regid 12345 --clear-groups cat "$T/m/d/s"
	as root imgstore umount "$T/m"
	# on disk nothing has changed
	as root imgstore check owned
	as root imgstore mount --idmap 0:100000:65536 owned "$T/m"
	[ "$(stat -c %u:%g "$T/m/d")" = 101000:101001 ]
	as root imgstore umount "$T/m"
}

@test "what is written by a namespace has the image's owners on disk" {
	need_root
	out=$(as root "$top_builddir/tests/owners-tool" owned 0:200000:65536 '
		[ "$(cat d/s)" = secret ]
		[ "$(stat -c %u:%g d d/s | tr "\n" " ")" = "1000:1001 0:0 " ]
		echo 1 >new
		chown 7:8 new
		echo more >>d/s
		rm gone
		mkdir e
		echo 2 >e/f
		mv e g
		rm -r d
		mkdir d
		chown 5 bin/busybox')
	echo "$out"
	[ "$out" = $'bin d 755 0:0\nbin/busybox f 755 5:0\nd d 755 0:0\ng d 755 0:0\ng/f f 644 0:0\ngone c 0 0:0\nnew f 644 7:8' ]
}

@test "what --idmap cannot do is said" {
	need_root
	mkdir -p "$T/m"
	refused root 2 "needs a directory" imgstore mount --idmap 0:1:1 owned
	refused root 2 "is not INSIDE:OUTSIDE" imgstore mount --idmap 0:x owned "$T/m"
	refused root 2 "mapped by an earlier range" imgstore mount --idmap 0:1:10 --idmap 20:5:3 owned "$T/m"
	refused root 2 "the id 0 of the image is not mapped" imgstore mount --idmap 1:1:1 owned "$T/m"
	refused root 3 "there is no user 'nobody-like-this'" imgstore mount --idmap nobody-like-this owned "$T/m"
	IMGBUILD_STORAGE_DRIVER=copy refused root 3 "the copy driver" imgstore mount --idmap 0:1:1 owned "$T/m"
	need_builder user
	as user imgstore import "$T/bb.tar" localhost/bb >&2
	mkdir "$T/user/m"
	refused user 3 "by root of the host" imgstore unshare imgstore mount --idmap 0:1:1 localhost/bb "$T/user/m"
}
