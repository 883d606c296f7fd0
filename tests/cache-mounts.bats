#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# RUN --mount=type=cache at work: apt's downloads and a compiler's results over builds, and builds that use the same
# cache at the same time. As root and as an ordinary user.

load lib

setup_file() {
	make_scratch
	import_busybox
}
teardown_file() {
	remove_scratch
}

# context WHO NAME: Buildfile on stdin; the directory on stdout
context() {
	local dir=$T/$1-$2
	mkdir -p "$dir"
	cat >"$dir/Buildfile"
	chmod -R a+rX "$dir"
	echo "$dir"
}

# ---- at the same time ----

# In the step, each build leaves its mark, waits for that of the other, and what it saw is in $T/saw: both marks when they
# share, its own alone when each has a cache of its own, and again its own alone when the second waits
together() {
	local who=$1 sharing=$2 n dir jobs=()
	dir=$(context "$who" "together-$sharing" <<E
FROM localhost/bb
ARG N
RUN --mount=type=cache,id=$sharing,target=/c,sharing=$sharing touch /c/here-\$N; for i in \$(seq 20); do [ "\$(ls /c/here-* | wc -l)" = 1 ] || break; sleep 0.1; done; ls /c | grep -c here >/saw; rm /c/here-\$N; echo \$N >/c/last
E
	)
	for n in 1 2; do
		as "$who" imgbuild -q --no-cache --build-arg N=$n -t "$sharing-$n" "$dir" >&2 3>&- &
		jobs+=($!)
	done
	for n in "${jobs[@]}"; do wait "$n"; done
	for n in 1 2; do as "$who" imgrun --rm "$sharing-$n" cat /saw; done | sort -u | tr '\n' ' ' >"$T/saw"
	# what is in it is still there afterwards
	as "$who" imgbuild -q --no-cache -t after - >&2 <<<$'FROM localhost/bb\nRUN --mount=type=cache,id='"$sharing"$',target=/c,sharing='"$sharing"$' [ -s /c/last ]'
}
all_together() {
	# one that ends after the other has begun has seen it, the other one saw it too or alone what was left
	together "$1" shared
	[[ $(cat "$T/saw") == *"2 "* ]]
	together "$1" locked
	[ "$(cat "$T/saw")" = "1 " ]
	together "$1" private
	[ "$(cat "$T/saw")" = "1 " ]
}
@test "two builds at the same time: shared, locked, private (root)" { need_root; all_together root; }
@test "two builds at the same time: shared, locked, private (user)" { need_user; all_together user; }

# ---- apt and a compiler ----

# localhost/tools: Debian with a compiler, made once and given to both
tools_base() {
	is_root || skip "mmdebstrap is run as root"
	command -v mmdebstrap >/dev/null || skip "mmdebstrap is not installed"
	if [ ! -e "$T/tools" ]; then
		IMGSTORE=$top_builddir/imgstore as root \
			"$top_srcdir/Buildfile-examples/debian/prepare" ${IMGBUILD_TEST_DEBIAN_TAR:+"$IMGBUILD_TEST_DEBIAN_TAR"} >&2
		as root imgbuild -q -t localhost/tools - >&2 <<'TOOLS'
FROM debian:12
RUN apt-get update && apt-get install -y --no-install-recommends ccache gcc libc6-dev && apt-get clean && rm -rf /var/lib/apt/lists/*
TOOLS
		mkdir "$T/tools"
		chmod 755 "$T/tools"
		as root imgpush -q --compression none localhost/tools "oci:$T/tools:latest" >&2
		chmod -R a+rX "$T/tools"
	fi
	as "$1" imgpull -q "oci:$T/tools:latest" localhost/tools >&2
}
apt_and_ccache() {
	local who=$1 dir
	tools_base "$who"
	dir=$(context "$who" tools <<'E'
FROM localhost/tools
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked --mount=type=cache,target=/var/lib/apt,sharing=locked \
	apt-get update && apt-get install -y --no-install-recommends jq
ENV CCACHE_DIR=/ccache
COPY main.c /
RUN --mount=type=cache,target=/ccache ccache --zero-stats >/dev/null && ccache gcc -O2 -c main.c && ccache --print-stats | grep -E '^(direct_cache_hit|cache_miss)'
E
	)
	printf '#include <stdio.h>\nint main(void) { return puts("x") < 0; }\n' >"$dir/main.c"
	chmod 644 "$dir/main.c"
	as "$who" imgbuild --progress=plain -t made "$dir" >"$T/first" 2>&1 || { cat "$T/first"; return 1; }
	grep -q 'cache_miss.1$' "$T/first"
	grep -qE 'Need to get [1-9]' "$T/first"
	# nothing is fetched, nothing is compiled
	as "$who" imgbuild --progress=plain --no-cache -t made "$dir" >"$T/second" 2>&1 || { cat "$T/second"; return 1; }
	grep -E 'Need to get|cache_' "$T/second"
	grep -qE 'Need to get 0 B/' "$T/second"
	grep -q 'direct_cache_hit.1$' "$T/second"
	grep -q 'cache_miss.0$' "$T/second"
	# and nothing of the caches is in the image
	as "$who" imgrun --rm made sh -ec '[ -z "$(find /var/cache/apt /var/lib/apt -name "*.deb" -o -name "*_Packages*")" ] && [ ! -e /ccache ] && [ -s /main.o ] && jq -n 1'
}
@test "apt's and a compiler's cache over builds (root)" { need_root; apt_and_ccache root; }
@test "apt's and a compiler's cache over builds (user)" { need_user; apt_and_ccache user; }
