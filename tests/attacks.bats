#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Archives and images of ill will, each by every way in which it can come: nothing is written
# outside, the error is one and clear, nothing half-made stays. The advisories that each answers
# are named here and in make-attack.py.

load lib

setup_file() {
	make_scratch
	mkdir "$T/outside"
	echo secret >"$T/outside/canary"
	touch -d @1500000000 "$T/outside/canary" "$T/outside"
	python3 "$top_srcdir/tests/make-attack.py" "$T/attacks" "$T/outside" >"$T/list"
	mkdir -m 777 "$T/work"
	python3 - "$T" "$top_srcdir/tests" <<-'END'
		import runpy, sys
		top, tests = sys.argv[1:]
		for line in open(top + '/list'):
		    name = top + '/attacks/' + line.split()[0]
		    sys.argv = ['', name + '.layout', 'v1', name + '.tar']
		    runpy.run_path(tests + '/layout-of.py')
		    sys.argv = ['', name + '.docker', name + '.tar']
		    runpy.run_path(tests + '/docker-of.py')
	END
	chmod -R a+rX "$T/attacks"
}
teardown_file() { remove_scratch; }

setup() {
	OUT=$(mktemp -d "$T/work/XXXXXX")
	chmod 777 "$OUT"
	ROOT_STORE=$OUT/root-store
	USER_STORE=$OUT/user-store
	BEFORE=$(look_outside)
}
teardown() {
	rm -rf "$OUT" 2>/dev/null || as_user "$top_builddir/imgstore" unshare rm -rf "$OUT/user-store" || true
	rm -rf "$OUT"
}

look_outside() {
	echo "$T"/* /x* /etc/x*
	find "$T/outside" -printf '%p %M %U:%G %s %n %T@\n'
	cat "$T/outside/canary"
}
mk() { python3 "$top_srcdir/tests/make-tar.py" "$1"; }
layout() { python3 "$top_srcdir/tests/layout-of.py" "$OUT/layout" v1 "$@"; }

# ---- the ways in; all work in a directory with a file "canary" ----

by_import() { as "$1" imgstore import "$2" localhost/evil; }
by_add() {
	mkdir -p "$OUT/ctx"
	cp "$2" "$OUT/ctx/a.tar"
	printf 'FROM scratch\nADD a.tar /d/\n' >"$OUT/ctx/Buildfile"
	as "$1" imgbuild -q "$OUT/ctx"
}
by_stdin() { as "$1" imgbuild -q - <"$2"; }
by_layout() {
	as "$1" imgpull -q "oci:${2%.tar}.layout:v1" localhost/evil
}
by_archive() {
	as "$1" imgpull -q "docker-archive:${2%.tar}.docker"
}

# try WHO WAY TAR: $status and $output; nothing outside has changed
try() {
	status=0
	output=$(cd "$T/outside" && "by_$2" "$1" "$3" 2>&1) || status=$?
	echo "$1 $2 ${3##*/}: $status $output" | head -c 600
	[ "$(look_outside)" = "$BEFORE" ]
}
# refused PATTERN: by $output, in one line of ours, with status 3
refused() {
	[ "$status" = 3 ]
	[ "$(grep -c '^img[a-z]*: ' <<<"$output")" = 1 ]
	grep -qE -- "$1" <<<"$output"
}
# is STATUS TEXT: the outcome of run or two
is() {
	echo "$status: $output"
	[ "$status" = "$1" ]
	[[ $output == *"$2"* ]]
}
nothing_half_made() {
	assert_store_idle "$(store_of "$1")"
	[ "$(as "$1" imgstore ls -a --format json)" = '[]' ]
	[ "$(ls "$(store_of "$1")/layers" 2>/dev/null | wc -l)" = 0 ]
	[ "$(ls "$(store_of "$1")/blobs/sha256" 2>/dev/null | wc -l)" -le 1 ]
}

# all_by WHO WAY [SOME]: each attack of the list; with SOME one of each kind
all_by() {
	local name verdict pattern which=${3-.} refused=0 taken=0
	while read -r name verdict pattern; do
		[[ $verdict = refused && $name =~ $which ]] || continue
		try "$1" "$2" "$T/attacks/$name.tar"
		refused "$pattern"
		refused=$((refused + 1))
	done <"$T/list"
	nothing_half_made "$1"
	while read -r name verdict pattern; do
		[[ $verdict != refused && $name =~ $which ]] || continue
		try "$1" "$2" "$T/attacks/$name.tar"
		[ "$status" = 0 ] || harmless_all_the_same "$2"
		taken=$((taken + 1))
	done <"$T/list"
	[ "$refused" -gt 5 ]
	[ "$taken" -gt 5 ]
	assert_store_idle "$(store_of "$1")"
	[ -z "$(getfattr -m - "$T/outside" "$T/outside/canary" 2>/dev/null)" ]
}
# Some ways refuse what others take: COPY copies no fifos, and some dialects are none everywhere.
harmless_all_the_same() { [ "$status" = 3 ] && { [ "$verdict" = either ] || [ "$1" = stdin ]; }; }

SOME='[^1-9]$'
@test "hostile tars by imgstore import (root)" { need_root; all_by root import; }
@test "hostile tars by imgstore import (user)" { need_user; all_by user import "$SOME"; }
@test "hostile tars by ADD" { need_root; all_by root add "$SOME"; }
@test "hostile tars as a context on stdin" { need_root; all_by root stdin "$SOME"; }
@test "hostile tars as layers of an OCI layout (root)" { need_root; all_by root layout "$SOME"; }
@test "hostile tars as layers of an OCI layout (user)" { need_user; all_by user layout "$SOME"; }
@test "hostile tars as layers of a docker archive" { need_root; all_by root archive "$SOME"; }

# Links with more ".." than they need are common in base images: CVE-2026-28406's first fix refused them.
# deep_links WAY WANT FILE…: what these files of the image hold
deep_links() {
	local way=$1 want=$2
	shift 2
	"by_$way" root "$T/attacks/deep-links.tar" >"$OUT/id"
	as root imgstore tag "$(tail -1 "$OUT/id")" localhost/deep
	printf 'FROM localhost/deep\nCOPY busybox /bin/\n' >"$OUT/Buildfile"
	cp "$(command -v busybox)" "$OUT/busybox"
	as root imgbuild -q -t localhost/shown "$OUT"
	[ "$(as root imgrun --rm localhost/shown /bin/busybox cat "$@")" = "$want" ]
}
@test "CVE-2026-28406: legitimate links with many '..' come in, by every way" {
	need_root
	for way in import stdin layout archive; do
		deep_links "$way" rightrightinside /usr/share/doc/one /usr/share/doc/more /etc/through
	done
	# below another directory; what is written through them is written in that one
	deep_links add rightinside /d/usr/share/doc/one /d/etc/through
}

# ---- several layers ----

# two WHO FIRST SECOND: an image of these two layers
two() {
	mk "$OUT/first.tar" <<<"$2"
	mk "$OUT/second.tar" <<<"$3"
	rm -rf "$OUT/layout"
	layout "$OUT/first.tar" "$OUT/second.tar"
	chmod -R a+rX "$OUT/layout"
	status=0
	output=$(cd "$T/outside" && as "$1" imgpull -q "oci:$OUT/layout:v1" localhost/two 2>&1) || status=$?
	echo "$output"
	[ "$(look_outside)" = "$BEFORE" ]
}
layers() {
	# a link in one layer, what goes through it in the next (CVE-2021-29136 and its like)
	two "$1" "link l $T/outside" "file l/x content=evil"
	[ "$status" = 0 ]
	two "$1" "link l ../../../../../../../..$T/outside" $'file l/x content=evil\nfile l/.wh.canary\nfile l/.wh..wh..opq'
	[ "$status" = 0 ]
	two "$1" "link l $T/outside" $'dir l mode=777 uid=5\nfile l/x'
	[ "$status" = 0 ]
	two "$1" "link l $T/outside/canary" $'file l content=evil mode=777'
	[ "$status" = 0 ]
	# a hard link to a file of another layer has no file to name
	two "$1" "file f content=1" "hard h f"
	is 3 'is not an earlier entry of the archive'
	two "$1" "link l $T/outside" "hard h l/canary"
	is 3 'is not an earlier entry of the archive'
	assert_store_idle "$(store_of "$1")"
}
@test "links of one layer lead the next one nowhere else (root)" { need_root; layers root; }
@test "links of one layer lead the next one nowhere else (user)" { need_user; layers user; }

# ---- truncation ----

@test "an archive that is cut anywhere is refused, and nothing stays" {
	need_root
	mk "$OUT/whole.tar" <<-END
		dir d
		file d/f size=700
		file $(printf 'n%.0s' {1..180}) content=long
		link l $(printf 't%.0s' {1..150})
	END
	local size
	size=$(stat -c %s "$OUT/whole.tar")
	for cut in $(seq 1 211 $((size - 1024))); do
		head -c "$cut" "$OUT/whole.tar" >"$OUT/cut.tar"
		# between two entries it is an archive without an end mark
		try root import "$OUT/cut.tar"
		[ "$status" = 3 ] || [ $((cut % 512)) = 0 ]
	done
	gzip -c "$OUT/whole.tar" >"$OUT/whole.tgz"
	for cut in $(seq 1 7 $(($(stat -c %s "$OUT/whole.tgz") - 1))); do
		head -c "$cut" "$OUT/whole.tgz" >"$OUT/cut.tgz"
		try root import "$OUT/cut.tgz"
		refused 'cut.tgz'
	done
	nothing_half_made root
}

# ---- bombs ----

# bomb WHO WAY TEXT LIMIT: refused with TEXT, and taken when LIMIT is raised
bomb() {
	try "$1" "$2" "$OUT/bomb.tar"
	refused "$3"
	nothing_half_made "$1"
	export EXTRA_ENV="IMGBUILD_UNPACK_LIMITS=$4" IMGBUILD_UNPACK_LIMITS=$4
	try "$1" "$2" "$OUT/bomb.tar"
	unset EXTRA_ENV IMGBUILD_UNPACK_LIMITS
	[ "$status" = 0 ]
}
small_bombs() { # WHO WAY
	{
		echo 'file Buildfile content=FROM\sscratch\x0aCOPY\s.\s/\x0a'
		printf 'dir %s\n' "$(printf 'd/%.0s' {1..600})"
	} | mk "$OUT/bomb.tar"
	try "$1" "$2" "$OUT/bomb.tar"
	refused 'more components than are allowed: if it may, give --unpack-limit depth=NUMBER'
	{
		echo 'file Buildfile content=FROM\sscratch\x0aCOPY\s.\s/\x0a'
		seq 20 | sed 's/.*/file f& size=1000/'
	} | mk "$OUT/bomb.tar"
	for limit in entries=20 bytes=20000; do
		export EXTRA_ENV="IMGBUILD_UNPACK_LIMITS=$limit" IMGBUILD_UNPACK_LIMITS=$limit
		try "$1" "$2" "$OUT/bomb.tar"
		unset EXTRA_ENV IMGBUILD_UNPACK_LIMITS
		refused "--unpack-limit ${limit%%=*}=NUMBER"
	done
	nothing_half_made "$1"
	try "$1" "$2" "$OUT/bomb.tar"
	[ "$status" = 0 ]
}
@test "limits on bytes, entries and depth of what is unpacked" {
	need_root
	for way in import add stdin; do small_bombs root $way; rm -rf "$ROOT_STORE" "$OUT"/*; done
}

@test "--unpack-limit of every command, and what is none" {
	need_root
	seq 20 | sed 's/.*/file f& size=1000/' | mk "$OUT/a.tar"
	layout "$OUT/a.tar"
	export IMGBUILD_ROOT=$ROOT_STORE
	run imgpull --unpack-limit entries=5 "oci:$OUT/layout:v1" localhost/a
	is 3 '--unpack-limit entries=NUMBER'
	run imgstore import --unpack-limit bytes=1k "$OUT/a.tar" localhost/a
	is 3 '--unpack-limit bytes=NUMBER'
	mkdir "$OUT/ctx"
	cp "$OUT/a.tar" "$OUT/ctx"
	printf 'FROM base\nADD a.tar /\n' >"$OUT/ctx/Buildfile"
	run imgbuild --unpack-limit entries=21 --unpack-limit depth=1,entries=5 --build-context "base=$OUT/ctx" "$OUT/ctx"
	[ "$status" = 3 ]
		[[ $output == *"Buildfile:2:"*"--unpack-limit entries=NUMBER"* ]]
	# it reaches imgpull, which imgbuild starts
	run imgbuild --unpack-limit entries=5 --build-context "base=oci-layout://$OUT/layout:v1" "$OUT/ctx"
	[ "$status" = 3 ]
		[[ $output == *"layer sha256:"*"--unpack-limit entries=NUMBER"* ]]
	# the option goes before the environment
	IMGBUILD_UNPACK_LIMITS=entries=5,bytes=1g run imgpull -q --unpack-limit entries=1k "oci:$OUT/layout:v1" localhost/a
	[ "$status" = 0 ]
	for bad in x=1 entries entries= entries=0 entries=1q bytes=-1 bytes=99999999999999999999 bytes=18446744073709551615t ratio=1.5; do
		run imgpull --unpack-limit "$bad" "oci:$OUT/layout:v1" localhost/a
		[ "$status" = 2 ]
		[[ $output == "imgpull: --unpack-limit: '"* ]]
		IMGBUILD_UNPACK_LIMITS=$bad run imgstore import "$OUT/a.tar"
		[ "$status" = 2 ]
		[[ $output == "imgstore: IMGBUILD_UNPACK_LIMITS: '"* ]]
	done
}

@test "a bomb of some kilobytes: in a file, behind the end mark, and of holes" {
	need_root
	command -v zstd >/dev/null || skip "zstd is not installed"
	# 1.5 GiB of zeros behind a whole archive
	{
		head -c 10240 "$T/attacks/absolute.tar"
		head -c 1500M /dev/zero
	} | zstd -q -T1 >"$OUT/bomb.tar"
	[ "$(stat -c %s "$OUT/bomb.tar")" -lt 200000 ]
	for way in import add stdin; do
		try root $way "$OUT/bomb.tar"
		refused 'unpacks to more than 1100 times its size: if it may, give --unpack-limit ratio=NUMBER'
	done
	nothing_half_made root
	# in a file, by the ways that write it
	python3 -c '
import sys, tarfile
e = tarfile.TarInfo("f")
e.size = 1400 << 20
sys.stdout.buffer.write(e.tobuf())
for _ in range(1400): sys.stdout.buffer.write(bytes(1 << 20))
sys.stdout.buffer.write(bytes(1024))' | zstd -q -T1 >"$OUT/bomb.tar"
	bomb root import 'unpacks to more than 1100 times its size' ratio=100k
	# a layer of its own codec: the digest of the tar is right, the descriptor too
	rm -rf "$ROOT_STORE"
	zstd -dqc "$OUT/bomb.tar" >"$OUT/plain.tar"
	layout "$OUT/plain.tar"
	rm "$OUT/plain.tar"
	IMGBUILD_UNPACK_LIMITS=ratio=100 run as root imgpull -q "oci:$OUT/layout:v1" localhost/bomb
	is 3 'unpacks to more than 100 times its size'
	nothing_half_made root
	# and of an archive of such
	mkdir "$OUT/o"
	zstd -q <"$T/attacks/absolute.docker" >"$OUT/o/small.zst"
	as root imgpull -q "docker-archive:$OUT/o/small.zst"
}

# ---- races ----

# CVE-2025-47290: whoever may write in the store's half-made trees exchanges directories for links
@test "CVE-2025-47290: directories that become links while they are unpacked into lead nowhere" {
	need_root
	for i in $(seq 1 1500); do echo "file d/s/f$i content=x"; echo "file e/s/f$i content=x"; done | mk "$OUT/a.tar"
	mkdir -p "$T/outside/s"
	BEFORE=$(look_outside)
	python3 - "$ROOT_STORE/tmp" "$T/outside" "$OUT/stop" <<-'END' 3>&- &
		import glob, os, sys, time
		tmp, outside, stop = sys.argv[1:]
		end = time.time() + 60
		while time.time() < end and not os.path.exists(stop):
		    for path in glob.glob(tmp + '/*/*/[de]') + glob.glob(tmp + '/*/[de]'):
		        try:
		            os.rename(path, path + '.real')
		            os.symlink(outside, path)
		        except OSError:
		            pass
		        for undo in (lambda: os.unlink(path), lambda: os.rename(path + '.real', path)):
		            try:
		                undo()
		            except OSError:
		                pass
	END
	local swapper=$!
	for _ in 1 2 3; do
		try root import "$OUT/a.tar"
		# the race can be lost, as an ordinary failure
		[ "$status" = 0 ] || [ "$status" = 3 ] || [ "$status" = 5 ]
	done
	touch "$OUT/stop"
	wait $swapper
	[ -z "$(find "$T/outside/s" -type f)" ]
	rmdir "$T/outside/s"
	touch -d @1500000000 "$T/outside"
}
