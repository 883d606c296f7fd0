#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Every example in Buildfile-examples/ is built and run, as root and as an ordinary user.

load lib

setup_file() {
	make_scratch
}
teardown_file() {
	remove_scratch
}

context_of() { # context_of WHO EXAMPLE: a copy of the example that WHO can read
	local dir=$T/$1-$2
	cp -r "$top_srcdir/Buildfile-examples/$2" "$dir"
	chmod -R u+w,a+rX "$dir"
	echo "$dir"
}

# the Debian base is made once and imported into both stores
debian_base() {
	is_root || skip "mmdebstrap is run as root"
	local who=$1
	IMGSTORE=$top_builddir/imgstore
	export IMGSTORE
	if [ ! -s "${DEBIAN_TAR:=${IMGBUILD_TEST_DEBIAN_TAR:-$T/debian.tar}}" ]; then
		IMGBUILD_ROOT=$T/none "$top_srcdir/Buildfile-examples/debian/prepare" "$DEBIAN_TAR" >&2
	fi
	chmod a+r "$DEBIAN_TAR"
	as "$who" imgstore inspect debian:12 >/dev/null 2>&1 || as "$who" imgstore import "$DEBIAN_TAR" debian:12 >&2
}

hello() {
	local who=$1 dir
	dir=$(context_of "$who" hello)
	"$top_srcdir/Buildfile-examples/hello/prepare" "$dir"
	as "$who" imgbuild -q -t hello "$dir"
	run as "$who" imgrun --rm hello
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = "Hello from a layered image" ]
}
@test "hello is built and run by root" { need_root; hello root; }
@test "hello is built and run by an ordinary user" { need_user; hello user; }

debian() {
	local who=$1 dir
	debian_base "$who"
	dir=$(context_of "$who" debian)
	as "$who" imgbuild -t web-tools "$dir" >&2
	run as "$who" imgrun --rm web-tools
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == jq-1.6* ]]
}
@test "debian is built and run by root" { need_root; debian root; }
@test "debian is built and run by an ordinary user" { need_user; debian user; }

multi_stage() {
	local who=$1 dir
	debian_base "$who"
	dir=$(context_of "$who" multi-stage)
	as "$who" imgbuild -t greet "$dir" >&2
	run as "$who" imgrun --rm greet reader
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = "Hello, reader, from an image with one file" ]
	# one file, one layer: nothing of the compiler's stage is in it
	[ "$(as "$who" imgstore inspect greet | jq '.[0].RootFS.Layers | length')" = 1 ]
}
@test "multi-stage is built and run by root" { need_root; multi_stage root; }
@test "multi-stage is built and run by an ordinary user" { need_user; multi_stage user; }
