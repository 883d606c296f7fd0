#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# imgbuild --platform: images for other machines, and indexes of images for several.

load lib

setup_file() {
	make_scratch
	import_busybox
	case $(uname -m) in
	x86_64) NATIVE=amd64 OTHER=arm64 ;;
	aarch64) NATIVE=arm64 OTHER=amd64 ;;
	*) NATIVE=$(uname -m) OTHER=amd64 ;;
	esac
	export NATIVE OTHER
}
teardown_file() {
	remove_scratch
}
setup() {
	CTX=$T/ctx-$BATS_TEST_NUMBER
	mkdir -m 755 "$CTX"
	cd "$CTX"
}

who_runs() { if is_root; then echo root; else echo user; fi; }
blob() { echo "$1/blobs/sha256/${2#sha256:}"; }
top_of() { jq -r '.manifests[0].digest' "$1/index.json"; }
# config DIR ARCHITECTURE: the configuration of that image of the layout's index, as a file
config() {
	local manifest
	manifest=$(jq -r ".manifests[] | select(.platform.architecture == \"$2\").digest" "$(blob "$1" "$(top_of "$1")")")
	blob "$1" "$(jq -r .config.digest "$(blob "$1" "$manifest")")"
}
# built WHO PLATFORMS [OPTION…]: build, and write what comes out to ./out
built() {
	local who=$1 platforms=$2
	shift 2
	as "$who" imgbuild -q --platform "$platforms" -t localhost/it "$@" "$CTX" >"$T/id"
	rm -rf "$T/out"
	if is_root && [ "$who" = user ]; then
		mkdir -m 777 "$T/out"
	fi
	as "$who" imgpush -q localhost/it "oci:$T/out:x" >"$T/pushed"
}

one_platform() {
	printf 'FROM scratch\nARG TARGETPLATFORM TARGETOS TARGETARCH TARGETVARIANT BUILDPLATFORM\nLABEL a="$TARGETPLATFORM $TARGETOS $TARGETARCH $TARGETVARIANT $BUILDPLATFORM"\nCOPY f /\n' >Buildfile
	echo f >f
	built "$1" linux/arm/v6
	# no index: a plain manifest
	[ "$(jq -r '.manifests[0].mediaType' "$T/out/index.json")" = application/vnd.oci.image.manifest.v1+json ]
	[ "$(as "$1" imgstore inspect localhost/it | jq -c '.[0] | [.Id, .Os, .Architecture, .Variant, .Config.Labels.a]')" = \
		"[\"$(cat "$T/id")\",\"linux\",\"arm\",\"v6\",\"linux/arm/v6 linux arm v6 linux/$NATIVE\"]" ]
	# what the files are does not change with what they are for
	layers=$(as "$1" imgstore inspect localhost/it | jq -c '.[0].RootFS.Layers')
	built "$1" linux/s390x
	[ "$(as "$1" imgstore inspect localhost/it | jq -c '.[0].RootFS.Layers')" = "$layers" ]
	[ "$(as "$1" imgstore inspect localhost/it | jq -r '.[0].Architecture')" = s390x ]
}
@test "an image for another platform as root" {
	need_root
	one_platform root
}
@test "an image for another platform as an ordinary user" {
	need_user
	one_platform user
}

several() {
	local who=$1
	cat >Buildfile <<-'E'
		FROM --platform=$BUILDPLATFORM localhost/bb AS tools
		RUN cat /proc/sys/kernel/random/uuid >/once && echo ran
		FROM tools AS build
		ARG TARGETARCH TARGETVARIANT
		RUN echo "$TARGETARCH$TARGETVARIANT $(uname -m)" >/made
		FROM scratch
		COPY --from=tools /once /
		COPY --from=build /made /
	E
	built "$who" "linux/$NATIVE,linux/arm/v7" --platform linux/s390x --iidfile "$T/user/iid-$who"
	[ "$(cat "$T/id")" = "$(top_of "$T/out")" ]
	[ "$(cat "$T/user/iid-$who")" = "$(top_of "$T/out")" ]
	[ "$(cat "$T/pushed")" = "$(top_of "$T/out")" ]
	[ "$(jq -c '[.mediaType, [.manifests[] | [.mediaType, .platform]]]' "$(blob "$T/out" "$(top_of "$T/out")")")" = \
		"$(jq -nc --arg a "$NATIVE" '["application/vnd.oci.image.index.v1+json", [{architecture: $a, os: "linux"}, {architecture: "arm", os: "linux", variant: "v7"}, {architecture: "s390x", os: "linux"} | ["application/vnd.oci.image.manifest.v1+json", .]]]')" ]
	for a in "$NATIVE" arm s390x; do
		[ "$(jq -r .architecture "$(config "$T/out" "$a")")" = "$a" ]
	done
	# the tools' stage ran once for all, its child once for each
	[ "$(for a in "$NATIVE" arm s390x; do jq -r '.rootfs.diff_ids[0]' "$(config "$T/out" "$a")"; done | sort -u | wc -l)" = 1 ]
	[ "$(for a in "$NATIVE" arm s390x; do jq -r '.rootfs.diff_ids[1]' "$(config "$T/out" "$a")"; done | sort -u | wc -l)" = 3 ]
	as "$who" imgbuild -q --platform linux/arm/v7 --target build -t localhost/made "$CTX" >&2
	[ "$(as "$who" imgrun --rm localhost/made cat /made)" = "armv7 $(uname -m)" ]
	# again: the same digest; without the cache the stage still runs once for all
	before=$(top_of "$T/out")
	built "$who" "linux/$NATIVE,linux/arm/v7,linux/s390x"
	[ "$(top_of "$T/out")" = "$before" ]
	as "$who" imgbuild --no-cache --platform "linux/$NATIVE,linux/arm/v7,linux/s390x" "$CTX" 2>"$T/user/log-$who" >&2
	# the stage's RUN, and the COPY of what it made, whose directory would have another time
	[ "$(grep -c CACHED "$T/user/log-$who")" = 4 ]
	built "$who" "linux/$NATIVE,linux/arm/v7,linux/s390x" --no-cache
	[ "$(top_of "$T/out")" != "$before" ]
	[ "$(for a in "$NATIVE" arm s390x; do jq -r '.rootfs.diff_ids[0]' "$(config "$T/out" "$a")"; done | sort -u | wc -l)" = 1 ]
}
@test "an index of images for several platforms as root" {
	need_root
	several root
	assert_store_idle "$ROOT_STORE"
}
@test "an index of images for several platforms as an ordinary user" {
	need_user
	several user
}

@test "one job, or one for each stage, gives the same index" {
	who=$(who_runs)
	printf 'FROM --platform=$BUILDPLATFORM localhost/bb AS a\nRUN echo 1 >/1\nFROM scratch\nCOPY --from=a /1 /\n' >Buildfile
	export SOURCE_DATE_EPOCH=1700000000
	built "$who" "linux/$NATIVE,linux/ppc64le,linux/riscv64" --jobs 1 --no-cache
	one=$(cat "$T/id")
	built "$who" "linux/$NATIVE,linux/ppc64le,linux/riscv64" --no-cache
	[ "$(cat "$T/id")" = "$one" ]
}

@test "what is shown says for which platform" {
	who=$(who_runs)
	printf 'FROM --platform=$BUILDPLATFORM localhost/bb AS a\nRUN echo hello >/1\nFROM scratch\nCOPY --from=a /1 /\n' >Buildfile
	run as "$who" imgbuild --platform "linux/$NATIVE,linux/$OTHER" "$CTX"
	echo "$output"
	[[ $output == *"[linux/$NATIVE a 2/2] RUN echo hello"* ]]
	[[ $output == *"[linux/$NATIVE->$OTHER a 2/2] RUN echo hello"* ]]
	[[ $output == *"[linux/$OTHER stage-1 2/2] COPY --from=a /1 /"* ]]
}

@test "FROM takes the image for the platform" {
	who=$(who_runs)
	printf 'FROM scratch\nARG TARGETARCH\nCOPY f /$TARGETARCH\n' >Buildfile
	echo f >f
	as "$who" imgbuild -q --platform "linux/$NATIVE,linux/s390x" -t localhost/base "$CTX" >&2
	printf 'FROM localhost/base\nCOPY --from=localhost/base / /copy/\n' >Buildfile
	built "$who" linux/s390x
	rm -rf tree
	mkdir tree
	jq -r '.layers[].digest' "$(blob "$T/out" "$(top_of "$T/out")")" | while read -r d; do tar -xzf "$(blob "$T/out" "$d")" -C tree; done
	[ "$(cd tree && find . -type f | sort | paste -s)" = "./copy/s390x	./s390x" ]
	printf 'FROM --platform=linux/s390x localhost/base\n' >Buildfile
	as "$who" imgbuild -q -t localhost/it "$CTX" >&2
	# nobody asked for a platform: it is the base's
	[ "$(as "$who" imgstore inspect localhost/it | jq -r '.[0].Architecture')" = s390x ]
	printf 'FROM localhost/base\n' >Buildfile
	refused "$who" 3 "Buildfile:1:6: FROM: 'localhost/base' has no image for linux/riscv64; there are: linux/$NATIVE, linux/s390x" \
		imgbuild --platform "linux/$NATIVE,linux/riscv64" "$CTX"
}

@test "a layout as a context gives the image for each platform" {
	who=$(who_runs)
	printf 'FROM scratch\nARG TARGETARCH\nCOPY f /$TARGETARCH\n' >Buildfile
	echo f >f
	built "$who" "linux/$NATIVE,linux/s390x"
	rm -rf "$T/base"
	cp -r "$T/out" "$T/base"
	chmod -R a+rX "$T/base"
	printf 'FROM base\n' >Buildfile
	built "$who" "linux/$NATIVE,linux/s390x" --build-context "base=oci-layout://$T/base:x"
	for a in "$NATIVE" s390x; do
		[ "$(jq -c .rootfs.diff_ids "$(config "$T/out" "$a")")" = "$(jq -c .rootfs.diff_ids "$(config "$T/base" "$a")")" ]
	done
}

@test "a base for another platform gets a warning, and a name of the platform asked for" {
	who=$(who_runs)
	printf 'FROM localhost/bb\nRUN uname -m >/machine\n' >Buildfile
	run as "$who" imgbuild --platform "linux/$OTHER" -t localhost/it "$CTX"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *"InvalidBaseImagePlatform"*"'localhost/bb' is for platform linux/$NATIVE, and linux/$OTHER is built"* ]]
	[ "$(as "$who" imgstore inspect localhost/it | jq -r '.[0].Architecture')" = "$OTHER" ]
	# with several, it is said once for the one that it is wrong for
	run as "$who" imgbuild --platform "linux/$NATIVE,linux/$OTHER" "$CTX"
	[ "$status" = 0 ]
	[ "$(grep -c 'is for platform' <<<"$output")" = 1 ]
	run as "$who" imgbuild --check --platform "linux/$NATIVE,linux/$OTHER" "$CTX"
	[ "$status" = 1 ]
	[ "$(grep -c 'is for platform' <<<"$output")" = 1 ]
}

@test "a RUN that cannot be done is refused before anything is" {
	who=$(who_runs)
	printf 'FROM localhost/bb AS first\nRUN echo first\nFROM scratch\nCOPY --from=first /bin/busybox /\nRUN ["/busybox", "true"]\n' >Buildfile
	refused "$who" 3 "Buildfile:5:1: RUN: programs for linux/pdp11 cannot be run on this machine" \
		imgbuild --platform linux/pdp11 "$CTX"
	[[ $output == *"qemu-user-static"* ]]
	[[ $output != *"first 2/2"* ]]
	refused "$who" 3 "RUN: programs for windows/amd64 cannot be run" imgbuild --platform windows/amd64 "$CTX"
	# nothing is asked of stages that run nothing, or that are not needed
	as "$who" imgbuild -q --platform linux/pdp11 --target first "$CTX" >&2
	printf 'FROM scratch\nWORKDIR /w\nCOPY Buildfile .\nENV a=b\n' >Buildfile
	as "$who" imgbuild -q --platform linux/pdp11 "$CTX" >&2
}

@test "--platform that is none is refused" {
	who=$(who_runs)
	printf 'FROM scratch\nCOPY Buildfile /\n' >Buildfile
	refused "$who" 2 "--platform: 'x y' is not a platform" imgbuild --platform 'linux/amd64,x y' "$CTX"
	refused "$who" 2 "--platform: '' is not a platform" imgbuild --platform linux/amd64, "$CTX"
	refused "$who" 2 "--platform: 'amiga' is neither" imgbuild --platform amiga "$CTX"
	# the same twice is once, "local" is this machine, BUILDKIT_MULTI_PLATFORM makes an index of one
	built "$who" "local,linux/$NATIVE"
	[ "$(jq -r '.manifests[0].mediaType' "$T/out/index.json")" = application/vnd.oci.image.manifest.v1+json ]
	built "$who" local --build-arg BUILDKIT_MULTI_PLATFORM=1
	[ "$(jq -r '.manifests[0].mediaType' "$T/out/index.json")" = application/vnd.oci.image.index.v1+json ]
}

# A program that writes what uname(2) says of the machine into /machine.
make_386() {
	cat >u.c <<-'E'
		static int call(int n, int a, int b, int c)
		{
			int r;
			__asm__ volatile("int $0x80" : "=a"(r) : "a"(n), "b"(a), "c"(b), "d"(c) : "memory");
			return r;
		}
		void _start(void)
		{
			char names[6 * 65], *machine = names + 4 * 65;
			int len = 0, fd;
			call(122, (int)names, 0, 0);
			while (machine[len])
				len++;
			fd = call(5, (int)"/machine", 01101, 0644);
			call(4, fd, (int)machine, len);
			call(4, 1, (int)machine, len);
			call(1, 0, 0, 0);
		}
	E
	gcc -m32 -O1 -ffreestanding -fno-pie -fno-stack-protector -nostdlib -static -no-pie -o u u.c
	./u >/dev/null 2>&1 || [ $? -lt 126 ]
}

narrow() {
	printf 'FROM scratch\nCOPY u /u\nRUN ["/u"]\n' >Buildfile
	built "$1" linux/386
	[ "$(tar -xzOf "$(blob "$T/out" "$(jq -r '.layers[-1].digest' "$(blob "$T/out" "$(top_of "$T/out")")")")" machine)" = i686 ]
	[ "$(as "$1" imgrun --rm localhost/it /u)" = i686 ]
	# the key of a step covers the platform: the other one is not taken from the cache
	built "$1" "linux/$NATIVE"
	[ "$(tar -xzOf "$(blob "$T/out" "$(jq -r '.layers[-1].digest' "$(blob "$T/out" "$(top_of "$T/out")")")")" machine)" = x86_64 ]
}
@test "a 386 image sees a 32 bit machine as root" {
	need_root
	[ "$(uname -m)" = x86_64 ] || skip "needs an x86_64 machine"
	make_386 || skip "386 programs cannot be made or run here"
	rm -f /machine machine
	narrow root
}
@test "a 386 image sees a 32 bit machine as an ordinary user" {
	need_user
	[ "$(uname -m)" = x86_64 ] || skip "needs an x86_64 machine"
	make_386 || skip "386 programs cannot be made or run here"
	rm -f /machine machine
	narrow user
}

# A program for arm64 that makes the directory /ran-on-arm64, 120 bytes of header first.
make_arm64() {
	python3 - <<-'E'
		import struct
		code = struct.pack('<7I',
		    0x92800c60,  # mov x0, #-100 (AT_FDCWD)
		    0x100000c1,  # adr x1, .+24: the name
		    0xd2803da2,  # mov x2, #0755
		    0xd2800448,  # mov x8, #34 (mkdirat)
		    0xd4000001,  # svc #0
		    0xd2800ba8,  # mov x8, #93 (exit), with mkdirat's result
		    0xd4000001) + b'/ran-on-arm64\0'
		head = b'\x7fELF\2\1\1' + bytes(9) + struct.pack('<HHIQQQIHHHHHH', 2, 183, 1, 0x400078, 64, 0, 0, 64, 56, 1, 0, 0, 0)
		size = 120 + len(code)
		part = struct.pack('<IIQQQQQQ', 1, 5, 0, 0x400000, 0x400000, size, size, 0x10000)
		open('prog', 'wb').write(head + part + code)
	E
	chmod 755 prog
}

# with_handlers CMD…: in a user namespace with handlers of its own, of which the host sees nothing
with_handlers() {
	local pid result=0
	mkfifo "$T/go"
	unshare -U -m sh -c 'read -r x <"$0" && exec "$@"' "$T/go" "$@" &
	pid=$!
	while [ "$(readlink "/proc/$pid/ns/user")" = "$(readlink /proc/self/ns/user)" ]; do sleep 0.02; done
	echo '0 0 4294967295' >"/proc/$pid/uid_map"
	echo '0 0 4294967295' >"/proc/$pid/gid_map"
	echo >"$T/go"
	wait "$pid" || result=$?
	rm "$T/go"
	return "$result"
}

@test "a program for another machine runs in the emulator that is registered" {
	need_root
	[ "$(uname -m)" = x86_64 ] || skip "needs an x86_64 machine"
	command -v qemu-aarch64-static >/dev/null || skip "qemu-user-static is not installed"
	make_arm64
	cat >register <<-'E'
		set -e
		mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
		printf '%s' ":imgbuild-test:M::\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00:\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff:$(command -v qemu-aarch64-static):$1" >/proc/sys/fs/binfmt_misc/register
		shift
		exec "$@"
	E
	with_handlers mount -t binfmt_misc none /proc/sys/fs/binfmt_misc || skip "binfmt_misc has no namespaces here"
	printf 'FROM scratch\nCOPY prog /prog\nRUN ["/prog"]\n' >Buildfile
	export IMGBUILD_ROOT=$CTX/store
	# without the flag F the emulator is looked for in the image
	run with_handlers sh register O imgbuild --platform linux/arm64 "$CTX"
	echo "$output"
	[ "$status" = 3 ]
	[[ $output == *"Buildfile:3:1: RUN: programs for linux/arm64 cannot be run on this machine"*"flag F"* ]]
	with_handlers sh register OF imgbuild -q --platform linux/arm64 -t localhost/arm "$CTX" >&2
	with_handlers sh register OF imgpush -q localhost/arm "oci:$CTX/out:x" >&2
	tar -tzf "$(blob "$CTX/out" "$(jq -r '.layers[-1].digest' "$(blob "$CTX/out" "$(top_of "$CTX/out")")")")" | grep -qx 'ran-on-arm64/'
	# an ordinary user's name space is below the one with the handler
	have_user && command -v newuidmap >/dev/null || return 0
	USER_STORE=$T/user/emulated
	with_handlers sh register OF setpriv --reuid "$TEST_USER" --regid "$TEST_USER" --init-groups \
		env -i HOME="$(user_home)" PATH="$PATH" IMGBUILD_ROOT="$USER_STORE" imgbuild -q --platform linux/arm64 -t localhost/arm "$CTX" >&2
	[ "$(as user imgstore inspect localhost/arm | jq -r '.[0].Architecture')" = arm64 ]
	[ "$(as user imgstore inspect localhost/arm | jq '.[0].RootFS.Layers | length')" = 2 ]
}

files_split() {
	printf 'FROM scratch\nARG TARGETARCH\nCOPY Buildfile /$TARGETARCH\n' >Buildfile
	as "$1" imgbuild -q --platform "linux/$NATIVE,linux/arm/v7" -o "$T/user/$1-files" "$CTX" >&2
	[ "$(cd "$T/user/$1-files" && find . -type f | sort | paste -s)" = "$(printf '%s\n' "./linux_$NATIVE/$NATIVE" ./linux_arm_v7/arm | sort | paste -s)" ]
	# one platform has no directory of its own
	as "$1" imgbuild -q --platform linux/arm/v7 -o "$T/user/$1-file" "$CTX" >&2
	[ "$(ls "$T/user/$1-file")" = arm ]
}
@test "files of several platforms come out in a directory for each as root" {
	need_root
	files_split root
}
@test "files of several platforms come out in a directory for each as an ordinary user" {
	need_user
	files_split user
}

@test "two builds of an index are compared image by image" {
	who=$(who_runs)
	printf 'FROM --platform=$BUILDPLATFORM localhost/bb AS a\nARG TARGETARCH\nRUN echo $TARGETARCH >/1; [ $TARGETARCH != s390x ] || cat /proc/sys/kernel/random/uuid >/1\nFROM scratch\nCOPY --from=a /1 /\n' >Buildfile
	as "$who" imgbuild -q --verify --platform "linux/$NATIVE,linux/riscv64" "$CTX" >&2
	run as "$who" imgbuild -q --verify --platform "linux/$NATIVE,linux/s390x" "$CTX"
	echo "$output"
	[ "$status" = 3 ]
	[[ $output == *"linux/s390x: layer 1 "* ]]
	[[ $output != *"linux/$NATIVE: "* ]]
	as "$who" imgbuild -q --squash --platform "linux/$NATIVE,linux/s390x" -t localhost/squashed "$CTX" >&2
	[ "$(as "$who" imgstore inspect --platform linux/s390x localhost/squashed | jq '.[0].RootFS.Layers | length')" = 1 ]
}
