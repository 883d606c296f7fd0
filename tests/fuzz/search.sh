#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Run by "make fuzz" and "make fuzz-merge" in a build with --enable-fuzzing.
#
#   search.sh search DIR SECONDS TARGET…   DIR has the corpora and dictionaries
#   search.sh merge DIR TARGET…
#
# What a target found stands in findings/TARGET, its log in findings/TARGET.log; inputs that
# reached new code gather in gathered/TARGET, from which merge takes the least that reaches
# all of it. A corpus is kept below CORPUS_MAX_BYTES and CORPUS_MAX_FILES, the smallest first.
set -euo pipefail

CORPUS_MAX_BYTES=${CORPUS_MAX_BYTES:-100000}
CORPUS_MAX_FILES=${CORPUS_MAX_FILES:-200}
verb=$1 dir=$2
shift 2

options() { # options TARGET
	echo "-timeout=5 -rss_limit_mb=512 -artifact_prefix=findings/$1/"
	[ ! -e "$dir/dictionaries/$1" ] || echo "-dict=$dir/dictionaries/$1"
}

search() { # search SECONDS TARGET
	local target=$2 log=findings/$2.log
	mkdir -p "findings/$target" "gathered/$target"
	printf '%s: ' "$target"
	# shellcheck disable=SC2046
	# what is freed must not look like what is used
	if ASAN_OPTIONS=quarantine_size_mb=64:${ASAN_OPTIONS-} nice -n 10 "tests/fuzz/fuzz-$target" $(options "$target") -max_total_time="$1" -print_final_stats=1 \
		"gathered/$target" "$dir/corpus/$target" >"$log" 2>&1; then
		echo "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs," \
			"$(grep -o 'cov: [0-9]*' "$log" | tail -1)"
	else
		echo "found something, see $PWD/$log"
		return 1
	fi
}

merge() { # merge TARGET
	local target=$1 corpus=$dir/corpus/$1 least size count file bytes
	mkdir -p findings "gathered/$target"
	least=$(mktemp -d)
	# what is in the corpus stays: it was put there by hand, or was found and mended
	"tests/fuzz/fuzz-$target" -timeout=5 -rss_limit_mb=512 -merge=1 "$least" "$corpus" "gathered/$target" \
		>"findings/$target.merge.log" 2>&1
	size=$(find "$corpus" -type f -printf '%s\n' | awk '{ n += $1 } END { print n + 0 }')
	count=$(find "$corpus" -type f | wc -l)
	# libFuzzer names each by its SHA-1
	sha1sum "$corpus"/* >"$least.sums"
	while read -r bytes file; do
		[ $((size + bytes)) -le "$CORPUS_MAX_BYTES" ] && [ "$count" -lt "$CORPUS_MAX_FILES" ] || break
		! grep -q "^$file " "$least.sums" || continue
		cp "$least/$file" "$corpus/$file"
		size=$((size + bytes)) count=$((count + 1))
	done < <(find "$least" -type f -printf '%s %f\n' | sort -n)
	rm -rf "$least" "$least.sums"
	echo "$target: $count files, $size bytes"
}

status=0
case $verb in
search)
	seconds=$1
	shift
	for target in "$@"; do search "$seconds" "$target" || status=1; done
	;;
merge) for target in "$@"; do merge "$target"; done ;;
esac
exit $status
