#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Disks that are full at each tenth of the way: one clear error with status 5, nothing is lost, and with no byte free rm
# and prune work and give space back.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
	make_scratch
	is_root || return 0
	busybox_tar "$T/bb.tar"
	mkdir -p "$T/ctx" "$T/l"
	head -c 12000000 /dev/urandom >"$T/ctx/big"
	printf 'FROM keep\nRUN head -c 6000000 /dev/urandom >/made\nCOPY big /big\n' >"$T/ctx/Buildfile"
	cp "$T/ctx/big" "$T/l/big"
	tar -C "$T/l" -cf "$T/l.tar" --sort=name --mtime=@1700000000 .
	python3 "$top_srcdir/tests/layout-of.py" "$T/layout" t "$T/l.tar"
}
teardown_file() {
	remove_scratch
}
teardown() {
	[ ! -d "$T/disk" ] || umount "$T/disk" 2>/dev/null || true
	rm -rf "$T/disk" "$T/disk.img"
}

# disk TYPE: a small file system with a store that has the images keep and other
disk() {
	need_root
	command -v "mkfs.$1" >/dev/null || skip "mkfs.$1 is not installed"
	mkdir "$T/disk"
	# mkfs.xfs refuses less than 300 MB
	truncate -s $([ "$1" = xfs ] && echo 300M || echo 96M) "$T/disk.img"
	"mkfs.$1" -q $([ "$1" = ext4 ] && echo -m 0) "$T/disk.img" >/dev/null
	mount -o loop "$T/disk.img" "$T/disk" || skip "no loop mounts here"
	ROOT_STORE=$T/disk/store
	as root imgstore import "$T/bb.tar" keep
	as root imgstore import "$T/l.tar" other
}
# leave_free BYTES: fill the disk up to there
leave_free() {
	local free
	rm -f "$T/disk/filler"
	sync -f "$T/disk"
	free=$(($(stat -f -c '%a * %S' "$T/disk")))
	[ "$free" -le "$1" ] || fallocate -l $((free - $1)) "$T/disk/filler" || true
	# what bookkeeping took meanwhile
	[ "$1" != 0 ] || { cat /dev/zero >>"$T/disk/filler" 2>/dev/null || true; sync -f "$T/disk"; cat /dev/zero >>"$T/disk/filler" 2>/dev/null || true; }
}
free_bytes() { sync -f "$T/disk"; echo $(($(stat -f -c '%a * %S' "$T/disk"))); }

# either it works or it says so in one line
fits_or_says_so() {
	run --separate-stderr as root "$@"
	echo "$* (with $tenth tenths): status $status: $output $stderr"
	if [ "$status" = 0 ]; then
		fitted=$((fitted + 1))
	else
		[ "$status" = 5 ]
		[ "$(grep -c 'No space left on device' <<<"$stderr")" = 1 ]
		failed=$((failed + 1))
	fi
}
whole() {
	as root imgstore check --format json >"$T/report" || { cat "$T/report"; return 1; }
	# to unpack a blob for comparison there is no room
	jq -e '.Clean and all(.Findings[]; .State == "unproven" and (.Problem | test("No space left")))' "$T/report" || { cat "$T/report"; return 1; }
	[ "$(as root imgstore ls --format json | jq -c '[.[].Names[]] | map(select(. == "keep:latest" or . == "other:latest")) | sort')" = '["keep:latest","other:latest"]' ]
	assert_store_idle "$ROOT_STORE"
}

each_tenth() {
	local tenth
	fitted=0
	failed=0
	disk "$1"
	for tenth in 0 1 2 3 4 5 6 7 8 9 10 14; do
		leave_free $((tenth * 3000000))
		fits_or_says_so imgbuild -q -t built "$T/ctx"
		whole
		as root imgstore rm built >/dev/null 2>&1 || true
		as root imgstore prune >/dev/null
		leave_free $((tenth * 3000000))
		fits_or_says_so imgpull -q "oci:$T/layout:t" pulled
		whole
		as root imgstore rm pulled >/dev/null 2>&1 || true
		as root imgstore prune >/dev/null
	done
	echo "$fitted fitted, $failed did not"
	[ "$fitted" -ge 4 ]
	[ "$failed" -ge 8 ]
}
@test "4a.4: builds and pulls with each tenth of the room that they need (ext4)" { each_tenth ext4; }
@test "4a.4: builds and pulls with each tenth of the room that they need (xfs)" { each_tenth xfs; }

no_byte() {
	disk "$1"
	as root imgbuild -q -t built "$T/ctx"
	leave_free 0
	before=$(free_bytes)
	[ "$before" -lt 100000 ]
	run as root imgstore prune
	echo "$output"
	[ "$status" = 0 ]
	leave_free 0
	run as root imgstore rm built
	echo "$output"
	[ "$status" = 0 ]
	after=$(free_bytes)
	echo "free before $before, after $after"
	[ "$after" -gt 15000000 ]
	whole
	# a look at a full disk works, too
	leave_free 0
	as root imgstore ls
	as root imgstore check
	rm "$T/disk/filler"
	as root imgrun --rm keep true
}
@test "4a.4: rm, prune and check with no byte free (ext4)" { no_byte ext4; }
@test "4a.4: rm, prune and check with no byte free (xfs)" { no_byte xfs; }
