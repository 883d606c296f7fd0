# SPDX-License-Identifier: Apache-2.0
# Shared by the command tests (load lib). Every test gets a directory of its own in $T and a
# store of its own per user; nothing is left when it ends.

: "${top_srcdir:?run by make check}" "${top_builddir:?run by make check}"
# the system's own programs go before what a user has put in front of them
PATH=$top_builddir:/usr/sbin:/usr/bin:/sbin:/bin:$PATH
TEST_USER=${IMGBUILD_TEST_USER:-imgbuild-test}

# as_user CMD…: as the ordinary user with subordinate ids (itself, when the tests are not run by root)
as_user() {
	if [ "$(id -u)" != 0 ]; then
		env IMGBUILD_ROOT="${USER_STORE-}" ${EXTRA_ENV-} "$@"
		return
	fi
	setpriv --reuid "$TEST_USER" --regid "$TEST_USER" --init-groups env -i \
		HOME="$(user_home)" USER="$TEST_USER" LOGNAME="$TEST_USER" LANG=C \
		PATH="$PATH" XDG_RUNTIME_DIR="$(user_runtime)" ${SOURCE_DATE_EPOCH:+SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH} \
		${IMGBUILD_STORAGE_DRIVER:+IMGBUILD_STORAGE_DRIVER=$IMGBUILD_STORAGE_DRIVER} \
		IMGBUILD_ROOT="${USER_STORE-}" ${EXTRA_ENV-} "$@"
}
user_home() { getent passwd "$TEST_USER" | cut -d: -f6; }
user_runtime() { echo "/run/user/$(id -u "$TEST_USER")"; }
have_user() { [ "$(id -u)" != 0 ] || id "$TEST_USER" >/dev/null 2>&1; }
is_root() { [ "$(id -u)" = 0 ]; }

# as WHO CMD…: WHO is root or user
as() {
	local who=$1
	shift
	case $who in
	root) IMGBUILD_ROOT=$ROOT_STORE "$@" ;;
	user) as_user "$@" ;;
	esac
}
# not CMD…: it fails ("! CMD" alone never fails a test), and has been at work: it was found, no signal ended it, and
# grep could read what it was given
not() {
	local how=0
	"$@" || how=$?
	case $1:$how in
	*:0)
		echo "should have failed: $*" >&2
		return 1
		;;
	grep:1) ;;
	grep:* | *:12[67] | *:129 | *:1[3-9]? | *:2??)
		echo "failed in another way than it should, status $how: $*" >&2
		return 1
		;;
	esac
}
export -f not # for scripts in another mount namespace
# refused WHO STATUS PATTERN CMD…: it fails so, and says that
refused() {
	local who=$1 want=$2 pattern=$3
	shift 3
	run as "$who" "$@"
	echo "status $status: $output"
	[ "$status" = "$want" ]
	[[ $output == *"$pattern"* ]]
}
# store_of WHO: where it is
store_of() { if [ "$1" = root ]; then echo "$ROOT_STORE"; else echo "$USER_STORE"; fi; }
# in_store WHO CMD…: with the rights by which the files of the store can be read
in_store() {
	local who=$1
	shift
	as "$who" imgstore unshare "$@"
}
# groups_of WHO: the control groups that his store has noted; other tests have theirs
groups_of() { sort -u "$(store_of "$1")"/cgroups/* 2>/dev/null || true; }
groups_are_gone() { # GROUPS, a line each
	local dir
	while read -r dir; do
		[ ! -e "$dir" ] || { echo "left: $dir"; return 1; }
	done <<<"$1"
}
# For setup_file of those who look at all processes or control groups of the host: one of them at a time, until its file
# has been run.
wait_for_others() {
	exec 8>"${TMPDIR:-/tmp}/imgbuild-test.lock.$(id -u)"
	flock 8
}
need_root() { is_root || skip "needs root"; }
need_user() {
	have_user || skip "there is no user $TEST_USER"
	command -v newuidmap >/dev/null || skip "newuidmap is not installed"
}

# can_build WHO, need_builder WHO: root or user, where this host lets that one build
can_build() {
	case $1 in
	root) is_root ;;
	user) have_user && as_user unshare -U true 2>/dev/null ;;
	esac
}
need_builder() {
	case $1 in
	root) need_root ;;
	user) need_user; can_build user || skip "this host allows no user namespaces" ;;
	esac
}

# A scratch directory that the ordinary user can enter, and a store for each of the two.
make_scratch() {
	# in lower case: peers make image names of it
	T=${TMPDIR:-/tmp}/imgbuild-test.$$.$RANDOM$RANDOM
	mkdir -m 755 "$T"
	ROOT_STORE=$T/root-store
	USER_STORE=$T/user/store
	mkdir -p "$T/user"
	if is_root && have_user; then
		chown "$TEST_USER:" "$T/user"
		mkdir -p "$(user_runtime)"
		chown "$TEST_USER:" "$(user_runtime)"
	fi
	export T ROOT_STORE USER_STORE
}
remove_scratch() {
	[ -n "${T-}" ] || return 0
	# the ordinary user's store holds files of its subordinate ids
	rm -rf "$T" 2>/dev/null || as_user "$top_builddir/imgstore" unshare rm -rf "$T/user" || true
	rm -rf "$T"
}

# busybox_tar FILE: a root file system with a static busybox, its links, passwd and group; the same bytes each time
busybox_tar() {
	local r
	r=$(mktemp -d "$T/rootfs.XXXXXX")
	mkdir -p "$r/bin" "$r/etc" "$r/tmp" "$r/root"
	chmod 755 "$r"
	chmod 1777 "$r/tmp"
	cp "$(command -v busybox)" "$r/bin/busybox"
	local a
	for a in $(busybox --list); do [ "$a" = busybox ] || ln -s busybox "$r/bin/$a"; done
	printf 'root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/:/bin/false\nalice:x:1000:1001:Alice:/home/alice:/bin/sh\n' >"$r/etc/passwd"
	printf 'root:x:0:\ndaemon:x:1:\nusers:x:100:alice\nalice:x:1001:\n' >"$r/etc/group"
	tar --sort=name --mtime=@1700000000 --owner=0 --group=0 --numeric-owner -C "$r" -cf "$1" .
	rm -rf "$r"
}

# That as localhost/bb in the store of each of the two; the tar stays in $T/bb.tar.
import_busybox() {
	busybox_tar "$T/bb.tar"
	chmod 644 "$T/bb.tar"
	! is_root || as root imgstore import "$T/bb.tar" localhost/bb >&2
	! have_user || as user imgstore import "$T/bb.tar" localhost/bb >&2
}

# dump_tree DIR: one line per file: path type mode ids size digest link device xattrs mtime
dump_tree() {
	python3 "$top_srcdir/tests/dump-tree.py" "$@"
}

# image_tree WHO IMAGE: the same of an image's files, as WHO mounts them
image_tree() {
	as "$1" "$top_builddir/imgstore" unshare sh -euc \
		'm=$(imgstore mount "$0") && python3 "$1" "$m" && imgstore umount "$0" >/dev/null' "$2" "$top_srcdir/tests/dump-tree.py"
}
# How often a file has a name that does not show is overlayfs' own affair.
without_links() {
	sed -E 's/^([^ ]+) (.*) same-as:\1 /\1 \2 /'
}

# No half-made thing, no mount and no process of ours is left for STORE.
assert_store_idle() {
	local store=$1 left
	left=$(find "$store/tmp" -mindepth 1 -maxdepth 1 2>/dev/null | head -3)
	[ -z "$left" ] || { echo "left in tmp/: $left"; return 1; }
	! grep -F "$store" /proc/self/mountinfo || { echo "a mount is left"; return 1; }
}
