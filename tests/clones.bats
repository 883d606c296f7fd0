#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Where the file system can, COPY clones large files; what was digested is then read from the original. The layer is
# that of a store that copies, whatever becomes of the original meanwhile.

load lib

setup_file() {
	make_scratch
	import_busybox
}
teardown_file() {
	remove_scratch
}

need_xfs() {
	need_root
	command -v mkfs.xfs >/dev/null || skip "mkfs.xfs is not installed"
	losetup -f >/dev/null 2>&1 || skip "there are no loop devices"
}
# inside WHO SCRIPT: on a file system with clones at $T/fs, its context $T/fs/WHO/context, its store beside it
inside() {
	mkdir -p "$T/fs"
	truncate -s 600M "$T/xfs.img"
	mkfs.xfs -qf -m reflink=1 "$T/xfs.img" >/dev/null || skip "no xfs with reflinks"
	WHO=$1 SCRIPT=$2 unshare -m bash -euc '
		. "$top_srcdir/tests/lib.bash"
		mount -o loop "$T/xfs.img" "$T/fs"
		D=$T/fs/$WHO
		mkdir -p "$D/context"
		printf "FROM localhost/bb\nCOPY big /\nCOPY big /again\n" >"$D/context/Buildfile"
		head -c "${BYTES:-8M}" /dev/urandom >"$D/context/big"
		[ "$WHO" = root ] || chown -R "$TEST_USER:" "$D"
		ROOT_STORE=$T/fs/root/store USER_STORE=$T/fs/user/store
		as "$WHO" imgstore import "$T/bb.tar" localhost/bb >&2
		export SOURCE_DATE_EPOCH=1000000000
		sleep 0.2 # what was just changed is copied
		build() { # NAME: the digests of the layers
			as "$WHO" imgbuild -q -t "$1" "$D/context" >&2
			as "$WHO" imgstore inspect "$1" | jq -ce ".[0].RootFS.Layers"
		}
		eval "$SCRIPT"' || return 1
	rm -f "$T/xfs.img"
}

clone() {
	inside "$1" '
		cloned=$(build cloned)
		big=$(find "$D/store" -type f -size +7M -printf "%s %p\n")
		[ "$(wc -l <<<"$big")" = 2 ]
		while read -r size path; do
			[ "$size" = 8388608 ]
			cmp "$path" "$D/context/big"
			filefrag -v "$path" | grep -q shared
		done <<<"$big"
		as "$WHO" imgstore check >&2
		mkdir -p "$T/plain-$WHO"
		cp -a "$D/context" "$T/plain-$WHO/"
		ROOT_STORE=$T/plain-$WHO/store USER_STORE=$T/plain-$WHO/store D=$T/plain-$WHO
		[ "$WHO" = root ] || chown "$TEST_USER:" "$D"
		as "$WHO" imgstore import "$T/bb.tar" localhost/bb >&2
		copied=$(build copied)
		echo "$cloned, $copied"
		[ -n "$cloned" ]
		[ "$cloned" = "$copied" ]'
}
@test "large files are cloned, and the layers are those of a store that cannot (root)" { need_xfs; clone root; }
@test "large files are cloned, and the layers are those of a store that cannot (user)" { need_xfs; need_user; clone user; }

@test "an original that changes while its clone is digested" {
	need_xfs
	BYTES=150M inside root '
		build raced >"$D/id" &
		for i in $(seq 2000); do
			[ -z "$(find "$D/store" -name big -size +100M 2>/dev/null)" ] || break
			kill -0 $! 2>/dev/null || break
		done
		for at in 0 50 100 149; do
			printf changed | dd of="$D/context/big" bs=1M seek=$at conv=notrunc status=none
		done
		wait $!
		as root imgstore check >&2
		[ "$(build raced)" != "$(cat "$D/id")" ]
		as root imgstore check >&2'
}
