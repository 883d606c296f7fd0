# SPDX-License-Identifier: Apache-2.0
# Shared by the tests of imgoverlay (load fuse, after lib): scripts that run in a mount namespace of their own, in an
# empty directory with the directories l, l2, u, w, m and p, and these functions:
#
#   overlay [OPTION,…]   mounts l below u at m; the options come behind
#   unmount              and waits until the daemon is gone
#   kernel               mounts l and u at k by the kernel's overlayfs
#   dump DIR             its tree as text, times left out
#   same A B             the two trees are equal
#   daemon               its process id
#   tester …             tests/fs-tester

fuse_functions() {
	declare -f not
	cat <<'E'
set -eu
umask 022
mkdir l l2 u w m p k
overlay() { imgoverlay -o "lowerdir=${LOWERS-l},upperdir=u,workdir=w${1:+,$1}" m; }
daemon() {
	local p
	for p in $(pgrep -x imgoverlay); do
		[ "$(readlink "/proc/$p/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ] || echo "$p"
	done
}
unmount() {
	local p
	p=$(daemon)
	umount m
	for _ in $(seq 100); do
		kill -0 "$p" 2>/dev/null || return 0
		sleep 0.1
	done
	echo "the daemon did not end" >&2
	return 1
}
own=
[ "$(awk '$1 == 0 && $2 == 0 && $3 == 4294967295' /proc/self/uid_map)" ] || own=,userxattr
kernel() { mkdir -p kw; mount -t overlay overlay -o "lowerdir=u:${LOWERS-l}$own" k; }
dump() { python3 "$top_srcdir/tests/dump-tree.py" --no-times "$1"; }
same() { diff -u <(dump "$1") <(dump "$2") >&2; }
tester() { "$top_builddir/tests/fs-tester" "$@"; }
is() { [ "$1" = "$2" ] || { echo "'$1' is not '$2'" >&2; return 1; }; }
E
}

# fuse_as WHO SCRIPT [ARG…]: root, or user: an ordinary user as root of a namespace
fuse_as() {
	local who=$1 script=$2 place=$T/user/$1.$RANDOM
	shift 2
	case $who in
	root)
		mkdir "$place"
		(cd "$place" && exec unshare -m bash -c "$(fuse_functions)
$script" fuse "$@")
		;;
	user)
		as_user mkdir "$place"
		as_user env top_srcdir="$top_srcdir" top_builddir="$top_builddir" \
			unshare -U --map-root-user --map-auto -m bash -c "cd $place && exec bash -c \"\$0\" fuse \"\$@\"" "$(fuse_functions)
$script" "$@"
		;;
	esac
}

# both SCRIPT [ARG…]: as root and as an ordinary user, where that can be
both() {
	local tried=
	[ -e /dev/fuse ] || skip "there is no /dev/fuse"
	if is_root; then
		tried=root
		fuse_as root "$@"
	fi
	if can_user_overlay; then
		tried=$tried,user
		fuse_as user "$@"
	fi
	[ -n "$tried" ] || skip "needs root, or a user with subordinate ids"
}
