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
# need_owners [DRIVER]: for a container overlay and fuse can do it; an image to be looked at, DRIVER too
need_owners() {
	case ${IMGBUILD_STORAGE_DRIVER-} in
	'' | overlay | fuse | "${1-overlay}") ;;
	*) skip "the $IMGBUILD_STORAGE_DRIVER driver cannot show the owners of files as others" ;;
	esac
}

@test "mount --idmap: a user sees the owners of the image in his namespace" {
	need_root
	need_owners copy
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
	for driver in overlay copy; do
		IMGBUILD_STORAGE_DRIVER=$driver as root imgstore mount --idmap 0:100000:65536 owned "$T/m"
		[ "$(stat -c %u:%g "$T/m/d")" = 101000:101001 ]
		not touch "$T/m/new"
		IMGBUILD_STORAGE_DRIVER=$driver as root imgstore umount "$T/m"
	done
}

@test "what is written by a namespace has the image's owners on disk" {
	need_root
	need_owners
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
	need_builder user
	as user imgstore import "$T/bb.tar" localhost/bb >&2
	mkdir "$T/user/m"
	IMGBUILD_STORAGE_DRIVER=overlay refused user 3 "the overlay driver cannot show the owners of files as others but for root of the host: the fuse driver can" \
		imgstore unshare imgstore mount --idmap 0:1:1 localhost/bb "$T/user/m"
}

# ---- imgrun --userns ----

run_owned() { as root imgrun --rm "$@"; }
@test "--userns: files have the container's ids, on the host it is nobody, and nothing is copied" {
	need_root
	need_owners
	blocks() { du -s --block-size=1 "$ROOT_STORE/layers" | cut -f1; }
	before=$(blocks)
	out=$(run_owned --uidmap 0:200000:65536 --workdir /new/w owned sh -euc '
		cat /proc/self/uid_map | tr -s " "
		stat -c "%n %u:%g" / /d /d/s /high /new/w /etc/hosts
		cat /d/s
		rm /gone
		echo more >>/d/s
		chown 7:8 /d/s
		echo x >/dev/null
		pwd')
	echo "$out"
	[ "$out" = $' 0 200000 65536\n/ 0:0\n/d 1000:1001\n/d/s 0:0\n/high 65534:0\n/new/w 0:0\n/etc/hosts 0:0\nsecret\n/new/w' ]
	[ "$(blocks)" = "$before" ]
	as root imgstore check owned
	assert_store_idle "$ROOT_STORE"
}
@test "--userns: what it wrote has the image's owners in an image, and in volumes" {
	need_root
	need_owners
	run_owned --uidmap 0:200000:65536 -v shared:/v --commit written owned sh -euc '
		chown 5:6 /d/s; echo 1 >/by-root; echo 2 >/v/f; chown 7:8 /v/f; chmod 600 /v/f' >&2
	[ "$(run_owned written stat -c %u:%g /d/s /by-root | tr '\n' ' ')" = "5:6 0:0 " ]
	[ "$(run_owned -v shared:/v owned stat -c %u:%g /v/f)" = 7:8 ]
	[ "$(stat -c %u:%g "$ROOT_STORE/volumes/shared/f")" = 7:8 ]
	[ "$(run_owned --uidmap 0:300000:65536 -v shared:/v owned sh -c 'stat -c %u:%g /v/f; cat /v/f')" = $'7:8\n2' ]
}
@test "--userns: a container runs, is entered, stopped and looked at from the host" {
	need_root
	need_owners
	as root imgrun -d --name own --uidmap 0:200000:65536 --uidmap 70000:300000:10 --user 70003 owned sleep 100 >&2
	# on the host it is who the map says, and no one else
	[ "$(ps -o uid= -C sleep | grep -cw 300003)" -ge 1 ]
	out=$(as root imgstore exec --user 0 own sh -c 'id -u; stat -c %u /d; cat /d/s; kill -0 1 && echo may; touch /new')
	[ "$out" = $'0\n1000\nsecret\nmay' ]
	[ "$(as root imgstore exec own id -u)" = 70003 ]
	# its namespaces belong to its own ids
	refused root 125 "has user ids of its own" imgrun --rm --pid container:own owned true
	as root imgstore stop --time 1 own >&2
	as root imgstore rm own >&2
	assert_store_idle "$ROOT_STORE"
}
@test "--userns with networks of its own" {
	need_root
	need_owners
	[ "$(run_owned --uidmap 0:200000:65536 --network none owned sh -c 'ls /sys/class/net')" = lo ]
	for helper in pasta slirp4netns; do
		command -v $helper >/dev/null || skip "needs $helper"
		[ "$(run_owned --uidmap 0:200000:65536 --network $helper --cap-add NET_ADMIN owned sh -c 'ip link set tap0 mtu 1000 && cat /sys/class/net/tap0/mtu')" = 1000 ]
	done
}
# with FILE as /etc/subuid and /etc/subgid
with_subids() {
	local file=$1
	shift
	IMGBUILD_ROOT=$ROOT_STORE unshare -m sh -euc 'mount --bind "$1" /etc/subuid; mount --bind "$1" /etc/subgid; shift; exec "$@"' x "$file" "$@"
}
@test "--userns=auto: no two containers have ids in common; --subuidname" {
	need_root
	need_owners
	printf 'other:100000:65536\ncontainers:1000000:131072\nsmall:500000:10\n' >"$T/subids"
	mkfifo "$T/wait"
	first() { tr -s ' ' </proc/self/uid_map; }
	with_subids "$T/subids" imgrun --rm --userns=auto -i owned sh -c 'tr -s " " </proc/self/uid_map; cat' <"$T/wait" >"$T/1" &
	one=$!
	exec 9>"$T/wait"
	for i in $(seq 100); do [ ! -s "$T/1" ] || break; sleep 0.05; done
	[ "$(with_subids "$T/subids" imgrun --rm --userns=auto owned tr -s ' ' </dev/null)" = "" ]
	[ "$(with_subids "$T/subids" imgrun --rm --userns=auto owned sh -c 'tr -s " " </proc/self/uid_map')" = " 0 1065536 65536" ]
	run with_subids "$T/subids" imgrun --rm --userns=auto:size=65537 owned true
	[ "$status" = 125 ]
	[[ $output == *"no 65537 ids in a row of user containers are free"* ]]
	exec 9>&-
	wait $one
	[ "$(cat "$T/1")" = " 0 1000000 65536" ]
	# it is free again
	[ "$(with_subids "$T/subids" imgrun --rm --userns=auto:size=1000 owned sh -c 'tr -s " " </proc/self/uid_map')" = " 0 1000000 1000" ]
	[ "$(with_subids "$T/subids" imgrun --rm --subuidname=small owned sh -c 'tr -s " " </proc/self/gid_map')" = " 0 500000 10" ]
	rm "$T/wait"
}
@test "what --userns cannot do is said" {
	need_root
	refused root 125 "is host, private, keep-id, auto or auto:size=COUNT, not 'keep'" imgrun --rm --userns=keep owned true
	refused root 125 "--userns=keep-id is for ordinary users" imgrun --rm --userns=keep-id owned true
	for bad in : :x :uid= :uid=1x :uid=1,gid :uid=1:gid=2 x :uid=4294967295; do
		refused root 125 "--userns=keep-id takes ':uid=UID,gid=GID' alone" imgrun --rm "--userns=keep-id$bad" owned true
	done
	refused root 125 "is not for --uidmap" imgrun --rm --userns=keep-id --uidmap 0:1:1 owned true
	refused root 125 "--userns=auto takes ':size=COUNT' alone" imgrun --rm --userns=auto:size=0 owned true
	refused root 125 "needs its users" imgrun --rm --userns=private owned true
	refused root 125 "is not for --uidmap" imgrun --rm --userns=host --uidmap 0:1:1 owned true
	refused root 125 "of a map or of a user" imgrun --rm --subuidname x --uidmap 0:1:1 owned true
	refused root 125 "is not INSIDE:OUTSIDE" imgrun --rm --uidmap 0:1:1 --gidmap x owned true
	refused root 125 "the id 0 of the container is not mapped" imgrun --rm --uidmap 1:1:1 owned true
	refused root 125 "--bundle with --userns is not supported" imgrun --uidmap 0:1:1 --bundle "$T/b" owned true
	printf 'other:100000:65536\n' >"$T/subids"
	run with_subids "$T/subids" imgrun --rm --userns=auto owned true
	[[ $output == *"has no range for user containers"* ]]
	IMGBUILD_STORAGE_DRIVER=copy refused root 125 "the copy driver cannot show the owners of files as others" imgrun --rm --uidmap 0:200000:65536 owned true
	[ "$(as root imgrun --rm --userns=host owned id -u)" = 0 ]
	need_builder user
	as user imgstore import "$T/bb.tar" localhost/bb >&2
	refused user 125 "only root of the host" imgrun --rm --uidmap 0:1:10 localhost/bb true
}

# ---- ordinary users ----

need_fuse() {
	need_builder user
	[ -w /dev/fuse ] || skip "needs /dev/fuse"
	case ${IMGBUILD_STORAGE_DRIVER-} in
	'' | fuse) ;;
	*) skip "the $IMGBUILD_STORAGE_DRIVER driver cannot show the owners of files as others to a user" ;;
	esac
	as user imgstore inspect localhost/own >/dev/null 2>&1 || {
		as user imgstore import "$T/bb.tar" localhost/bb >&2
		printf 'FROM localhost/bb\nRUN mkdir /d && echo x >/d/s && chown 1000:1001 /d && chmod 4755 /bin/busybox && echo r >/mine && chmod 600 /mine\nCMD ["id"]\n' |
			as user imgbuild -q -t localhost/own - >&2
		as user sh -c 'printf "FROM localhost/own\nUSER alice\n" | imgbuild -q -t localhost/other -' >&2
	}
}
kept() { as user imgrun --rm --userns=keep-id "$@"; }

@test "--userns=keep-id: a user is himself in his container" {
	need_fuse
	uid=$(id -u "$TEST_USER") gid=$(id -g "$TEST_USER")
	[[ $(kept localhost/own) == "uid=$uid gid=$gid"* ]]
	out=$(kept localhost/own sh -c 'stat -c "%n %u:%g %a" / /d /d/s /bin/busybox /etc/hosts; cat /mine 2>/dev/null || echo refused; >/tmp/x; stat -c %u:%g /tmp/x; sed -n "s/^CapEff:.//p" /proc/self/status')
	echo "$out"
	[ "$out" = $'/ 0:0 755\n/d 1000:1001 755\n/d/s 0:0 644\n/bin/busybox 0:0 4755\n/etc/hosts 0:0 644\nrefused\n'"$uid:$gid"$'\n0000000000000000' ]
	# all ids that he has in any case, in another order
	ids=$(as user imgstore unshare cat /proc/self/uid_map | awk '{ n += $3 } END { print n }')
	kept localhost/own cat /proc/self/uid_map | tr -s ' ' >"$T/map"
	[ "$(awk '{ n += $3 } END { print n }' "$T/map")" = "$ids" ]
	grep -x " $uid 0 1" "$T/map"
	grep -x " 0 1 $uid" "$T/map"
	assert_store_idle "$USER_STORE"
}

@test "--userns=keep-id: what is written to a directory of the host is the user's" {
	need_fuse
	as user mkdir "$T/user/home"
	kept -v "$T/user/home:/home" localhost/own sh -c '[ -O /home ] && echo text >/home/f'
	[ "$(stat -c %U:%G "$T/user/home/f")" = "$TEST_USER:$(id -gn "$TEST_USER")" ]
	# its root is not he
	refused user 1 "" imgrun --rm --userns=keep-id -u 0 -v "$T/user/home:/home" localhost/own sh -c 'mknod /home/dev c 1 3'
	kept -u 0 -v "$T/user/home:/home" localhost/own sh -c 'touch /home/by-root; stat -c %u /home/by-root' >"$T/by-root"
	[ "$(cat "$T/by-root")" = 0 ]
	[ "$(stat -c %u "$T/user/home/by-root")" != "$(id -u "$TEST_USER")" ]
}

@test "--userns=keep-id: what is written to the container has the image's owners" {
	need_fuse
	as user imgrun --rm --userns=keep-id -u 0 --commit localhost/written localhost/own sh -euc '
		chown 5:6 /d/s; echo 1 >/by-root; echo 2 >/by-user; chown 1001:1001 /by-user; chmod 4700 /by-user; rm /mine; chown -h 1000 /bin/awk' >&2
	image_tree user localhost/written | grep -E '^/?(d/s|by-root|by-user|bin/awk|mine) ' >"$T/tree"
	cat "$T/tree"
	[ "$(awk '{ print $1, $3, $4 }' "$T/tree" | sort | tr '\n' ';')" = "bin/awk 0777 1000:0;by-root 0644 0:0;by-user 4700 1001:1001;d/s 0644 5:6;" ]
	# and the same image comes of it without
	as user imgstore check localhost/written
	[ "$(as user imgrun --rm localhost/written stat -c %u:%g /by-user)" = 1001:1001 ]
}

@test "--userns=keep-id: other numbers, the image's user, exec, and what cannot be" {
	need_fuse
	[[ $(kept -u 0 localhost/own id) == "uid=0(root) gid=0(root)"* ]]
	[[ $(kept localhost/other id) == "uid=1000(alice) gid=1001(alice)"* ]]
	[[ $(as user imgrun --rm --userns=keep-id:uid=5,gid=7 localhost/own id) == "uid=5 gid=7"* ]]
	[[ $(as user imgrun --rm --userns=keep-id:gid=1 localhost/own id) == "uid=$(id -u "$TEST_USER") gid=1(daemon)"* ]]
	[[ $(as user imgrun --rm --userns=keep-id:uid=3000000 localhost/own id) == "uid=3000000 "* ]]
	[[ $(as user imgrun --rm --userns=keep-id:uid=0,gid=0 localhost/own id) == "uid=0(root) gid=0(root)"* ]]
	as user imgrun -d --name kept --userns=keep-id localhost/own sleep 100
	[[ $(as user imgstore exec kept id) == "uid=$(id -u "$TEST_USER") "* ]]
	[ "$(as user imgstore exec -u 0 kept sh -c 'touch /f; stat -c %u /f')" = 0 ]
	as user imgstore rm -f kept
	IMGBUILD_STORAGE_DRIVER=copy refused user 125 "the copy driver cannot show the owners of files as others" imgrun --rm --userns=keep-id localhost/own true
	IMGBUILD_STORAGE_DRIVER=overlay refused user 125 "the fuse driver can" imgrun --rm --userns=keep-id localhost/own true
	assert_store_idle "$USER_STORE"
	USER_STORE=$T/user/single EXTRA_ENV=IMGBUILD_ISOLATION=single-id
	as user imgstore import "$T/bb.tar" localhost/bb >&2
	refused user 125 "--userns=keep-id needs subordinate ids" imgrun --rm --userns=keep-id localhost/bb true
}
