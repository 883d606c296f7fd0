#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Suites that others wrote, over the imgoverlay of a build; called by `make check-suites`:
#
#   overlay-suites.sh SUITES BUILD OUT
#
# SUITES is a directory with the harnesses unionmount/run.sh, pjdfstest/run.sh and fuseovl/run.sh, which call what
# FUSE_CMD says in the place of fuse-overlayfs, and are not part of this tree. Needs root. What each printed is in
# OUT, line by line; so are the reports of the sanitizers that BUILD was configured with (OUT/reports). The status is
# that no report came and all ended; which checks pass is for who reads, or for diff with the OUT of another build.
# ONLY_SUITES="unionmount-on pjdfstest": not all of them.

suites=$1 build=$2 out=$3
[ -x "$suites/unionmount/run.sh" ] && [ -x "$build/imgoverlay" ] && [ -n "$out" ] || {
	echo "usage: ${0##*/} SUITES BUILD OUT" >&2
	exit 2
}
suites=$(cd "$suites" && pwd)
build=$(cd "$build" && pwd)
rm -rf "$out/reports"
mkdir -p "$out/reports"
out=$(cd "$out" && pwd)
chmod 1777 "$out/reports"

# ASan and UBSan end the daemon at their first report, which the harness sees as an error; TSan goes on
export ASAN_OPTIONS=log_path=$out/reports/asan:halt_on_error=1:detect_leaks=1:handle_abort=1
export UBSAN_OPTIONS=log_path=$out/reports/ubsan:print_stacktrace=1
export TSAN_OPTIONS=log_path=$out/reports/tsan:halt_on_error=0:second_deadlock_stack=1:history_size=4
export FUSE_CMD=$build/imgoverlay

suite() {
	local name=$1
	shift
	case " ${ONLY_SUITES:-$name} " in
	*" $name "*) ;;
	*) return ;;
	esac
	"$@" >"$out/$name.log" 2>&1 || {
		echo "$name did not end well, see $out/$name.log" >&2
		failed=1
	}
	echo "$name:"
	grep -hE '[0-9]+/[0-9]+.*pass' "$out/$name.log" | sed 's/^/    /'
}

failed=0
# each remounts many times, and would empty the caches of the whole machine at each
suite unionmount-on env NO_DROP=1 XDEV=0 FUSE_OPTS=redirect_dir=on LIMIT=900 "$suites/unionmount/run.sh" "$out/unionmount-on"
suite unionmount-off env NO_DROP=1 LIMIT=900 "$suites/unionmount/run.sh" "$out/unionmount-off"
suite pjdfstest env LIMIT=1800 "$suites/pjdfstest/run.sh" "$out/pjdfstest"
# a script of it that is not done by its limit does the same work over and over, and could take an hour
suite fuseovl env LIMIT=240 "$suites/fuseovl/run.sh" "$out/fuseovl"

for report in "$out"/reports/*; do
	[ -e "$report" ] || continue
	echo "a report: $report"
	grep -m 3 -E 'ERROR|WARNING|runtime error|SUMMARY' "$report" | sed 's/^/    /'
	failed=1
done
exit $failed
