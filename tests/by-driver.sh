#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# by-driver.sh DIRECTORY "DRIVER…" FILE…: the command tests by storage drivers that are not this host's first choice.
# What each file said goes to DIRECTORY/DRIVER/NAME.tap; a line for each to stdout, and to DIRECTORY/table:
# file, driver, tests passed, failed, skipped, seconds. Status 1 when one has failed. A file has half an hour, or FILE_SECONDS.

set -u
: "${top_srcdir:?run by make check-drivers}" "${top_builddir:?run by make check-drivers}"
out=$1 drivers=$2
shift 2

count() { grep -cE "$1" "$tap"; }
failures=0
mkdir -p "$out"
: >"$out/table"
for driver in $drivers; do
	mkdir -p "$out/$driver"
	for file in "$@"; do
		case $file in
		*/every-driver.bats) continue ;; # does this to two of them
		*.bats) ;;
		*) continue ;;
		esac
		name=$(basename "$file" .bats)
		tap=$out/$driver/$name.tap
		began=$SECONDS status=0
		IMGBUILD_STORAGE_DRIVER=$driver timeout -k 10 "${FILE_SECONDS-1800}" bats --tap "$top_srcdir/tests/$name.bats" </dev/null >"$tap" 2>&1 || status=$?
		failed=$(count '^not ok ')
		[ "$status" = 0 ] || [ "$failed" != 0 ] || failed=1 # it did not come to an end
		printf '%-20s %-13s %4d %4d %4d %5d\n' "$name" "$driver" $(($(count '^ok ') - $(count '^ok .* # skip'))) \
			"$failed" "$(count '^ok .* # skip')" $((SECONDS - began)) | tee -a "$out/table"
		failures=$((failures + failed))
	done
done
echo "$failures failed; what they said is in $out"
[ "$failures" = 0 ]
