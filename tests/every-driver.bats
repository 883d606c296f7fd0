#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What builds and runs do is the same whatever puts layers together: the tests of both, once more by each of the drivers
# that are not this host's first choice.

load lib

# by DRIVER FILE: the tests of FILE.bats pass by it
by() {
	local status=0
	IMGBUILD_STORAGE_DRIVER=$1 bats "$top_srcdir/tests/$2.bats" >"$BATS_TEST_TMPDIR/out" 2>&1 || status=$?
	not grep '^not ok' "$BATS_TEST_TMPDIR/out"
	[ "$(grep -c '^ok' "$BATS_TEST_TMPDIR/out")" -gt 10 ]
	[ "$status" = 0 ]
}
need_driver() {
	IMGBUILD_ROOT=$BATS_TEST_TMPDIR/store IMGBUILD_STORAGE_DRIVER=$1 imgstore info --format json >"$BATS_TEST_TMPDIR/info" 2>/dev/null || true
	[ "$(jq -r .Driver "$BATS_TEST_TMPDIR/info")" = "$1" ] || skip "the $1 driver cannot be used here"
}

@test "fuse: builds" { need_driver fuse; by fuse build; }
@test "fuse: containers" { need_driver fuse; by fuse run; }
@test "copy: builds" { need_driver copy; by copy build; }
@test "copy: containers" { need_driver copy; by copy run; }
@test "overlay-mount: containers" { need_driver overlay-mount; by overlay-mount run; }
