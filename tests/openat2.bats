#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Names from outside are held where openat2(2) is missing as well as where it is not.

load lib

setup() {
	without=$top_builddir/tests/no-openat2
	test=$top_builddir/tests/unit/test-beneath
	[ -x "$test" ] || skip "built without cmocka"
	"$without" true || skip "seccomp filters cannot be installed here"
}

# openat2(AT_FDCWD, NULL, NULL, 0): the call itself says EINVAL
errno_of_openat2() {
	"$@" python3 -c '
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall(437, -100, None, None, 0)
print(ctypes.get_errno())'
}

@test "the filter takes openat2 away" {
	command -v python3 >/dev/null || skip "needs python3"
	[ "$(errno_of_openat2 "$without")" = 38 ]
	[ "$(errno_of_openat2 "$without" --eperm)" = 1 ]
}

@test "names stay beneath their root without openat2" {
	"$without" "$test"
}

@test "names stay beneath their root under a filter that is older than openat2" {
	"$without" --eperm "$test"
}
