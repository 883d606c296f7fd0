#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Tars of every dialect, and of ill will, through layers/unpack (tests/untar-tool).

load lib

setup() {
	make_scratch
	D=$T/d
	mkdir "$D"
	UNTAR=$top_builddir/tests/untar-tool
}
teardown() { remove_scratch; }

# mk NAME [OPTION…]: the list on stdin as $T/NAME
mk() {
	local name=$1
	shift
	python3 "$top_srcdir/tests/make-tar.py" "$@" "$T/$name"
}
untar() { "$UNTAR" "$@"; }
afresh() {
	rm -rf "$D"
	mkdir "$D"
}
# refused STATUS TEXT [ARG…]: the error is exactly that, and nothing is outside the directory
refused() {
	local status_wanted=$1 text=$2
	shift 2
	run untar "$@"
	echo "$output"
	[ "$status" = "$status_wanted" ]
	[ "${lines[0]}" = "untar-tool: $text" ]
}
whiteout() { [ "$(stat -c '%F %t %T' "$1")" = "character special file 0 0" ]; }
opaque() { [ "$(getfattr -h --only-values -n trusted.overlay.opaque "$1" 2>/dev/null)" = y ]; }
need_getfattr() { command -v getfattr >/dev/null || skip "getfattr is not installed"; }

# ---- dialects ----

make_sample() {
	need_root
	mkdir -p "$T/s/dir/sub" "$T/s/dir/$(printf 'n%.0s' {1..120})"
	printf 'hello\n' >"$T/s/dir/file"
	head -c 700000 /dev/zero | tr '\0' 'x' >"$T/s/large"
	ln "$T/s/dir/file" "$T/s/dir/hard"
	ln -s "../$(printf 't%.0s' {1..150})" "$T/s/dir/link"
	ln "$T/s/dir/link" -P "$T/s/dir/hard-to-link"
	mkfifo "$T/s/fifo"
	mknod "$T/s/null" c 1 3
	mknod "$T/s/loop" b 7 200
	printf 'x' >"$T/s/caf"$'\xc3\xa9'
	printf 'y' >"$T/s/latin"$'\xe9'
	printf 'z' >"$T/s/cafe"$'\xcc\x81'
	chmod 4755 "$T/s/dir/file"
	chmod 0 "$T/s/large"
	chmod 1777 "$T/s/dir/sub"
	chown 1234:4321 "$T/s/large"
	chown -h 55:66 "$T/s/dir/link"
	touch -d @1234567890 "$T/s/large" "$T/s/dir/file"
	touch -h -d @1111111111 "$T/s/dir/link"
	touch -d @1222222222 "$T/s/dir/sub" "$T/s/dir" "$T/s"
}

@test "GNU tar: gnu, posix, ustar and v7 archives give the tree" {
	make_sample
	dump_tree "$T/s" >"$T/want"
	for format in gnu posix; do
		afresh
		tar --format=$format --numeric-owner -C "$T/s" -cf "$T/a.tar" .
		untar "$T/a.tar" "$D"
		dump_tree "$D" | sed 's/\.[0-9]*$/.000000000/' >"$T/got"
		sed -i 's/\.[0-9]*$/.000000000/' "$T/want"
		diff "$T/want" "$T/got"
	done
	# the two older ones hold no long names
	rm -rf "$T/s/dir/"nnn* "$T/s/dir/link" "$T/s/dir/hard-to-link" "$T/s/null" "$T/s/loop" "$T/s/fifo"
	touch -d @1222222222 "$T/s/dir" "$T/s"
	dump_tree "$T/s" | sed 's/\.[0-9]*$/.000000000/' >"$T/want"
	for format in ustar v7; do
		afresh
		tar --format=$format --numeric-owner -C "$T/s" -cf "$T/a.tar" .
		untar "$T/a.tar" "$D"
		dump_tree "$D" >"$T/got"
		diff "$T/want" "$T/got"
	done
}

@test "PAX records: sub-second and negative times, large ids, long names" {
	need_root
	mk a.tar <<-END
		dir ./ mtime=1500000000.5
		file new mtime=1700000000.25 uid=4294967294 gid=3000000000
		file old mtime=-86400
		file older mtime=-1.25
		file late mtime=5000000000
		file $(printf 'p%.0s' {1..200})/$(printf 'q%.0s' {1..200})
	END
	run untar "$T/a.tar" "$D"
	[ "$output" = "entries=6 bytes=0 implicit=1" ]
	[ "$(stat -c '%.9Y %u:%g' "$D/new")" = "1700000000.250000000 4294967294:3000000000" ]
	[ "$(stat -c %.9Y "$D/old")" = "-86400.000000000" ]
	[ "$(python3 -c 'import os,sys; print(os.lstat(sys.argv[1]).st_mtime_ns)' "$D/older")" = -1250000000 ]
	[ "$(stat -c %Y "$D/late")" = 5000000000 ]
	[ "$(stat -c %.9Y "$D")" = "1500000000.500000000" ]
	[ -f "$D/$(printf 'p%.0s' {1..200})/$(printf 'q%.0s' {1..200})" ]
}

@test "names are the archive's own bytes in every dialect and locale" {
	for format in pax gnu ustar; do
		for locale in C C.UTF-8; do
			afresh
			mk a.tar --format=$format <<-'END'
				file caf\xc3\xa9 content=composed
				file cafe\xcc\x81 content=decomposed
				file latin\xe9 content=latin
				link l\xc3\xa9 cafe\xcc\x81
				hard h\xe9 latin\xe9
			END
			LC_ALL=$locale untar --owner="$(id -u):$(id -g)" "$T/a.tar" "$D"
			[ "$(cat "$D/caf"$'\xc3\xa9')" = composed ]
			[ "$(cat "$D/cafe"$'\xcc\x81')" = decomposed ]
			[ "$(cat "$D/latin"$'\xe9')" = latin ]
			[ "$(readlink "$D/l"$'\xc3\xa9')" = cafe$'\xcc\x81' ]
			[ "$D/h"$'\xe9' -ef "$D/latin"$'\xe9' ]
			[ "$(ls "$D" | wc -l)" = 5 ]
		done
	done
}

@test "attributes: SCHILY.xattr and LIBARCHIVE.xattr, capabilities, ACLs, values with NULs" {
	need_root
	need_getfattr
	mk a.tar <<-'END'
		file cap uid=7 pax:SCHILY.xattr.security.capability=\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00
		file acl mode=640 pax:SCHILY.xattr.system.posix_acl_access=\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x02\x00\x04\x00\x2a\x00\x00\x00\x04\x00\x00\x00\xff\xff\xff\xff\x10\x00\x04\x00\xff\xff\xff\xff\x20\x00\x00\x00\xff\xff\xff\xff
		file user pax:SCHILY.xattr.user.nul=a\x00b pax:LIBARCHIVE.xattr.user.b%3d64=aGVsbG8= pax:SCHILY.xattr.security.selinux=label
		file nested pax:SCHILY.xattr.trusted.overlay.opaque=y
		dir dir pax:SCHILY.xattr.user.d=dir
		file dir/in
	END
	untar --layer "$T/a.tar" "$D"
	[ "$(getfattr -h --absolute-names --only-values -n security.capability "$D/cap" | od -An -tx1 | tr -d " \n")" = 0100000200040000000000000000000000000000 ]
	[ "$(stat -c %a:%u "$D/cap")" = 644:7 ]
	[ "$(getfattr --absolute-names --only-values -e hex -n user.nul "$D/user" | od -An -tx1 | tr -d " \n")" = 610062 ]
	[ "$(getfattr --absolute-names --only-values -n 'user.b=64' "$D/user")" = hello ]
	[ -z "$(getfattr -n security.selinux "$D/user" 2>/dev/null)" ]
	[ "$(getfattr --absolute-names --only-values -n system.posix_acl_access "$D/acl" | od -An -tx1 -N4 | tr -d " \n")" = 02000000 ]
	[ "$(getfattr --absolute-names --only-values -n trusted.overlay.overlay.opaque "$D/nested")" = y ]
	not opaque "$D/nested"
	[ "$(getfattr --absolute-names --only-values -n user.d "$D/dir")" = dir ]
}

@test "access control lists as text become the kernel's, the attribute itself comes first" {
	need_root
	need_getfattr
	mk a.tar <<-'END'
		file f mode=640 pax:SCHILY.acl.access=user::rw-,user:lisa:r--:7,user:3:rwx,group::r--,mask::rw-,other::---
		file nomask mode=640 pax:SCHILY.acl.access=user::rw-,group:9:rw-,group::r--,other::---
		file both mode=600 pax:SCHILY.acl.access=user::rw-,user:7:rwx,group::r--,mask::rwx,other::--- pax:SCHILY.xattr.system.posix_acl_access=\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x02\x00\x04\x00\x2a\x00\x00\x00\x04\x00\x00\x00\xff\xff\xff\xff\x10\x00\x04\x00\xff\xff\xff\xff\x20\x00\x00\x00\xff\xff\xff\xff
		dir d mode=750 pax:SCHILY.acl.default=user::rwx,user:7:r-x,group::r-x,mask::r-x,other::---
		file named mode=640 pax:SCHILY.acl.access=user::rw-,user:lisa:r--,group::r--,mask::r--,other::---
		file plain mode=640 pax:SCHILY.acl.access=user::rw-,group::r--,other::---
	END
	run untar "$T/a.tar" "$D"
	echo "$output"
	[ "$status" = 0 ]
	[ "${lines[0]}" = "untar-tool: warning: the access control list of 'named' names users or groups without their ids: left out" ]
	acl() { getfattr -h --absolute-names --only-values -n "system.posix_acl_$2" "$D/$1" | od -An -v -tx1 -w1000 | tr -d ' \n'; }
	[ "$(acl f access)" = 0200000001000600ffffffff02000700030000000200040007000000"04000400ffffffff10000600ffffffff20000000ffffffff" ]
	[ "$(stat -c %a "$D/f")" = 660 ]
	[ "$(acl nomask access)" = 0200000001000600ffffffff04000400ffffffff080006000900000010000600ffffffff20000000ffffffff ]
	[[ $(acl both access) == 0200000001000600ffffffff020004002a000000* ]]
	[ "$(acl d default)" = 0200000001000700ffffffff020005000700000004000500ffffffff10000500ffffffff20000000ffffffff ]
	[ "$(stat -c %a "$D/named" "$D/plain" | tr '\n' ' ')" = "640 640 " ]
	not getfattr --absolute-names -n system.posix_acl_access "$D/named"
	not getfattr --absolute-names -n system.posix_acl_access "$D/plain"
}

@test "sparse files keep their holes" {
	need_root
	truncate -s 3G "$T/sparse"
	printf 'middle' | dd of="$T/sparse" bs=1 seek=1500000000 conv=notrunc status=none
	printf 'start' | dd of="$T/sparse" conv=notrunc status=none
	for option in "--format=gnu" "--format=posix --sparse-version=0.0" "--format=posix --sparse-version=0.1" \
		"--format=posix --sparse-version=1.0"; do
		afresh
		# shellcheck disable=SC2086
		tar $option -S -C "$T" -cf "$T/a.tar" sparse
		refused 3 "archive 'a.tar': the holes of its sparse files are more than 1100 times its size: if they may, give --unpack-limit ratio=NUMBER" "$T/a.tar" "$D"
		run untar --max-ratio=1000000 "$T/a.tar" "$D"
		[ "$output" = "entries=1 bytes=3221225472 implicit=0" ]
		[ "$(stat -c %s "$D/sparse")" = 3221225472 ]
		[ "$(stat -c %b "$D/sparse")" -lt 1000 ]
		[ "$(dd if="$D/sparse" bs=1 skip=1500000000 count=6 status=none)" = middle ]
		[ "$(head -c 5 "$D/sparse")" = start ]
	done
	refused 3 "archive 'a.tar': its files are larger than the limit allows: if they may, give --unpack-limit bytes=NUMBER" --max-bytes=3221225471 "$T/a.tar" "$D"
	# all that a file will be when it is read counts, and no sum wraps
	truncate -s 600M "$T/s1" "$T/s2"
	tar --format=gnu -S -C "$T" -cf "$T/a.tar" s1 s2
	refused 3 "archive 'a.tar': the holes of its sparse files are more than 1100 times its size: if they may, give --unpack-limit ratio=NUMBER" "$T/a.tar" "$D"
}

@test "compressed archives are found out" {
	need_root
	mk a.tar <<<'file f content=x'
	for c in gzip bzip2 xz zstd; do
		command -v $c >/dev/null || continue
		afresh
		$c -c "$T/a.tar" >"$T/a.tar.$c"
		untar "$T/a.tar.$c" "$D"
		[ "$(cat "$D/f")" = x ]
	done
}

# ---- order and duplicates ----

@test "the last of several entries for a name wins" {
	need_root
	mk a.tar <<-'END'
		file a content=1
		file a content=22 mode=600
		dir b
		file b/f
		file b content=was-dir
		link c nowhere
		file c content=was-link
		file e content=was-file
		dir e mode=700 uid=5
		file e/f
		dir g mode=711
		file g/keep
		dir g mode=750 mtime=7
		fifo h
		link h a
		hard i a
		file i content=own
	END
	untar "$T/a.tar" "$D"
	dump_tree --no-times "$D" >"$T/got"
	cut -d' ' -f1-4 <"$T/got" >"$T/short"
	diff - "$T/short" <<-'END'
		. dir 0755 0:0
		a file 0600 0:0
		b file 0644 0:0
		c file 0644 0:0
		e dir 0700 5:0
		e/f file 0644 0:0
		g dir 0750 0:0
		g/keep file 0644 0:0
		h link 0777 0:0
		i file 0644 0:0
	END
	[ "$(stat -c %Y "$D/g")" = 7 ]
	[ "$(cat "$D/a" "$D/b" "$D/c" "$D/i")" = 22was-dirwas-linkown ]
	[ "$(readlink "$D/h")" = a ]
}

@test "an entry below what an earlier entry made no directory replaces it" {
	need_root
	mk a.tar <<-'END'
		file a content=1
		file a/b content=2
		fifo p
		file p/q/r content=3
	END
	run untar "$T/a.tar" "$D"
	[ "$output" = "entries=4 bytes=3 implicit=1" ]
	[ "$(cat "$D/a/b")" = 2 ]
	[ "$(cat "$D/p/q/r")" = 3 ]
	# but what was there before the archive does not give way
	afresh
	echo mine >"$D/a"
	mk b.tar <<<'file a/b'
	refused 3 "archive 'b.tar': 'a' is not a directory, but 'a/b' is to be in it" "$T/b.tar" "$D"
	[ "$(cat "$D/a")" = mine ]
}

@test "directories get mode, owner and time after their files" {
	need_root
	mk a.tar <<-'END'
		dir ./ mode=711 mtime=1000 uid=3
		dir r mode=0 mtime=2000
		file r/f
		dir r/s mode=500 mtime=3000
		file r/s/f
	END
	untar "$T/a.tar" "$D"
	[ "$(stat -c '%a %u %Y' "$D")" = "711 3 1000" ]
	[ "$(stat -c '%a %Y' "$D/r")" = "0 2000" ]
	[ "$(stat -c '%a %Y' "$D/r/s")" = "500 3000" ]
}

@test "--owner overrides every owner" {
	need_root
	mk a.tar <<-'END'
		file p/f uid=1
		link l x uid=1
		dir d uid=1
	END
	untar --owner=77:88 "$T/a.tar" "$D"
	[ "$(stat -c %u:%g "$D/p/f" "$D/p" "$D/l" "$D/d" | sort -u)" = 77:88 ]
}

# ---- deletions ----

@test "whiteouts and opaque marks become the kernel's" {
	need_root
	mk a.tar <<-'END'
		dir d
		file d/.wh.gone
		dir o
		file o/.wh..wh..opq
		file o/new
		file .wh.top
		file .wh.top
		dir .wh.asdir
		file .wh..wh.aufs
		dir .wh..wh.plnk
		file .wh..wh.plnk/1.2 content=x
		char dev 0 0
	END
	untar --layer "$T/a.tar" "$D"
	whiteout "$D/d/gone"
	whiteout "$D/top"
	whiteout "$D/asdir"
	whiteout "$D/dev"
	opaque "$D/o"
	not opaque "$D/d"
	[ "$(ls -A "$D" | tr '\n' ' ')" = "asdir d dev o top " ]
	[ "$(ls -A "$D/o")" = new ]
}

@test "an entry wins over its own layer's whiteout, wherever that stands" {
	need_root
	mk a.tar <<-'END'
		file .wh.f1
		file f1 content=1
		file f2 content=2
		file .wh.f2
		file .wh.l1
		link l1 t
		link l2 t
		file .wh.l2
		file .wh.d1
		dir d1
		file d1/x
		dir d2
		file d2/x
		file .wh.d2
		file .wh.d3
		file d3/x
		dir d4
		file d4/x
		file d4/.wh..wh..opq
		file d4/y
		dir plain
	END
	untar --layer "$T/a.tar" "$D"
	[ "$(cat "$D/f1" "$D/f2")" = 12 ]
	[ "$(readlink "$D/l1" "$D/l2" | tr '\n' ' ')" = "t t " ]
	for d in d1 d2 d3 d4; do
		opaque "$D/$d"
		[ -f "$D/$d/x" ]
	done
	[ -f "$D/d4/y" ]
	not opaque "$D/plain"
}

@test "an opaque directory keeps no whiteouts, which the kernel would list" {
	need_root
	mk a.tar <<-'END'
		dir d
		file d/.wh.one
		file d/.wh.link
		link d/link target
		dir d/sub
		file d/sub/.wh.two
		file d/.wh..wh..opq
		file d/.wh.three
		dir e
		file e/.wh.stays
	END
	untar --layer "$T/a.tar" "$D"
	[ "$(ls -A "$D/d" | tr '\n' ' ')" = "link sub " ]
	[ "$(ls -A "$D/d/sub")" = "" ]
	whiteout "$D/e/stays"
	# as the kernel shows it
	mkdir "$T/low" "$T/low/d" "$T/low/e" "$T/m"
	touch "$T/low/d/one" "$T/low/d/old" "$T/low/e/stays" "$T/low/e/other"
	mount -t overlay overlay -o "lowerdir=$D:$T/low" "$T/m" || skip "no overlayfs here"
	run ls -A "$T/m/d" "$T/m/e"
	umount "$T/m"
	[ "$(echo "$output" | grep -v ':$' | tr '\n' ' ')" = "link sub  other " ]
}

@test "a directory that replaces what this layer had as a file shows nothing from below" {
	need_root
	mk a.tar <<-'END'
		file x
		dir x
		file x/new
	END
	untar --layer "$T/a.tar" "$D"
	opaque "$D/x"
}

@test "whiteouts through links, dead links and missing parents" {
	need_root
	mk a.tar <<-'END'
		dir usr
		dir usr/lib
		link lib usr/lib
		file lib/.wh.a
		link dead not/here
		file dead/.wh.b
		file new/dir/.wh.c
		link abs /usr
		file abs/.wh.d
	END
	run untar --layer "$T/a.tar" "$D"
	[ "$output" = "entries=9 bytes=0 implicit=1" ]
	whiteout "$D/usr/lib/a"
	whiteout "$D/not/here/b"
	whiteout "$D/new/dir/c"
	whiteout "$D/usr/d"
	[ -L "$D/lib" ]
	[ -L "$D/dead" ]
}

@test "whiteouts that would delete their directory or its parent are refused" {
	need_root
	for name in .wh. .wh.. .wh... d/.wh. d/.wh.. d/.wh... .wh./; do
		afresh
		mk a.tar <<<"file $name"
		refused 3 "archive 'a.tar': entry '${name%/}': it would delete its own directory or the one above" \
			--layer "$T/a.tar" "$D"
	done
	mk a.tar <<<'file .wh.d/x'
	refused 3 "archive 'a.tar': entry '.wh.d/x': a deletion, '.wh.d', has entries below it" --layer "$T/a.tar" "$D"
}

@test "deletions outside of layers are refused" {
	need_root
	for name in .wh.x d/.wh..wh..opq .wh.d/x; do
		mk a.tar <<<"file $name"
		refused 3 "archive 'a.tar': entry '$name': names beginning with \".wh.\" mean deletions in a layer" \
			"$T/a.tar" "$D"
	done
	mk a.tar <<<'char x 0 0'
	refused 3 "archive 'a.tar': entry 'x': a device 0:0 means a deletion in a layer" "$T/a.tar" "$D"
}

@test "implicit parents: said, and taken from below when it is given" {
	need_root
	mk a.tar <<-'END'
		file tmp/f
		file bin/tool
		hard bin/tool2 bin/tool
		dir etc
		file etc/x
	END
	run untar --layer "$T/a.tar" "$D"
	[ "$output" = "entries=5 bytes=0 implicit=1" ]
	[ "$(stat -c '%a %u %Y' "$D/tmp")" = "755 0 0" ]
	[ "$(stat -c '%a %u %Y' "$D")" = "755 0 0" ]
	[ "$(getfattr -h --absolute-names --only-values -n trusted.overlay.implied-root "$D")" = y ]

	mkdir -p "$T/below/usr/bin" "$T/below/tmp" "$T/below/etc"
	chmod 1777 "$T/below/tmp"
	chmod 700 "$T/below/etc"
	chown 9 "$T/below/tmp"
	ln -s usr/bin "$T/below/bin"
	touch -d @4000 "$T/below/tmp" "$T/below/usr/bin" "$T/below/usr" "$T/below"
	afresh
	untar --layer --below="$T/below" "$T/a.tar" "$D"
	[ "$(stat -c '%a %u %Y' "$D/tmp")" = "1777 9 4000" ]
	[ "$(stat -c %a "$D/etc")" = 755 ]
	[ "$(stat -c %h "$D/usr/bin/tool" "$D/usr/bin/tool2" | sort -u)" = 2 ]
	[ "$(stat -c %Y "$D/usr/bin" "$D/usr" "$D" | sort -u)" = 4000 ]
	[ ! -e "$D/bin" ]

	# what this layer has cut off is not looked for below
	mk b.tar <<-'END'
		file .wh.tmp
		file tmp/f
	END
	afresh
	untar --layer --below="$T/below" "$T/b.tar" "$D"
	[ "$(stat -c '%a %u' "$D/tmp")" = "755 0" ]
	opaque "$D/tmp"

	# but a directory that only hides what it holds below is itself still that one
	mk c.tar <<-'END'
		file tmp/.wh..wh..opq
		file tmp/sub/f
	END
	mkdir -m 700 "$T/below/tmp/sub"
	afresh
	untar --layer --below="$T/below" "$T/c.tar" "$D"
	[ "$(stat -c '%a %u' "$D/tmp")" = "1777 9" ]
	[ "$(stat -c '%a %u' "$D/tmp/sub")" = "755 0" ]
	opaque "$D/tmp"
}

@test "devices are left out when asked, and what else is called so" {
	need_root
	mk a.tar <<-'END'
		dir dev mtime=4000
		file dev/old content=x
		char dev/console 5 1
		char dev/old 1 3
		block dev/sda 8 0
		hard dev/link dev/console
		hard dev/link2 ./dev/link
		hard dev/sda dev/sda
		char back 1 5
		file back content=file
		link d dev
		hard after d/console
		fifo dev/pipe
		dir dev/sub
	END
	run untar --skip-devices "$T/a.tar" "$D"
	echo "$output"
	[ "$output" = "entries=14 bytes=5 implicit=0
after character device 5:1
dev/console hard link after
dev/link hard link after
dev/link2 hard link after
dev/old character device 1:3
dev/sda block device 8:0" ]
	[ "$(ls "$D" "$D/dev")" = "$D:
back
d
dev

$D/dev:
pipe
sub" ]
	[ "$(cat "$D/back")" = file ]
	[ "$(stat -c '%Y' "$D/dev")" = 4000 ]

	# the first name is the first of a walk, where "a" and what it holds come before "a-"
	mk a.tar <<-'END'
		dir z
		char z/dev 1 3 mode=666 uid=5
		dir a
		hard a-dev z/dev
		hard a/dev a-dev
	END
	afresh
	run untar --skip-devices "$T/a.tar" "$D"
	[ "$output" = "entries=5 bytes=0 implicit=0
a/dev character device 1:3
a-dev hard link a/dev
z/dev hard link a/dev" ]

	# nothing else is
	mk a.tar <<-'END'
		char dev/console 5 1
		hard x dev/nothing
	END
	afresh
	refused 3 "archive 'a.tar': the hard link 'x' names 'dev/nothing', which is not an earlier entry of the archive" \
		--skip-devices "$T/a.tar" "$D"
}

@test "a device that is left out of a layer hides what is below" {
	need_root
	mk a.tar <<-'END'
		dir dev
		char dev/null 1 3
		char dev/zero 1 5
		char dev/gone 0 0
		hard dev/other dev/null
		file usr/x
		char usr/lib/dev 1 3
	END
	mkdir -p "$T/below/dev" "$T/below/real" "$T/below/usr"
	ln -s ../real "$T/below/usr/lib"
	touch "$T/below/dev/null" "$T/below/dev/other" "$T/below/real/dev"
	run untar --layer --skip-devices --below="$T/below" "$T/a.tar" "$D"
	[ "$output" = "entries=7 bytes=0 implicit=1
dev/null character device 1:3
dev/other hard link dev/null
dev/zero character device 1:5
real/dev character device 1:3" ]
	[ "$(ls "$D/dev")" = $'gone\nnull\nother' ]
	whiteout "$D/dev/gone"
	whiteout "$D/dev/null"
	whiteout "$D/dev/other"
	whiteout "$D/real/dev"
	[ "$(ls "$D/usr")" = x ]

	afresh
	untar --layer --skip-devices "$T/a.tar" "$D"
	[ "$(ls "$D/dev")" = gone ]
}

# ---- ill will ----

# CVE-2026-28406
@test "names that lead upwards are refused, absolute ones are of the root" {
	need_root
	for name in ../x a/../../x a/.. .. /../x ./../x a/../b; do
		mk a.tar <<<"file $name content=evil"
		refused 3 "archive 'a.tar': the name '$name' leads upwards (\"..\")" "$T/a.tar" "$D"
		mk a.tar <<<"hard h $name"
		refused 3 "archive 'a.tar': the hard-link target '$name' leads upwards (\"..\")" "$T/a.tar" "$D"
	done
	[ ! -e "$T/x" ]
	mk a.tar <<-'END'
		file /abs content=1
		file //two///slashes content=2
		file ./dot/./f content=3
		hard h /abs
		link free ../../../../etc/passwd
	END
	untar "$T/a.tar" "$D"
	[ "$(cat "$D/abs" "$D/two/slashes" "$D/dot/f" "$D/h")" = 1231 ]
	[ "$(readlink "$D/free")" = ../../../../etc/passwd ]
}

@test "links never lead out" {
	need_root
	mkdir "$T/outside"
	echo secret >"$T/outside/f"
	mk a.tar <<-END
		link abs $T/outside
		file abs/x content=evil
		link up ../../../../../../../..$T/outside
		file up/x content=evil
		link last $T/outside/f
		file last content=evil
		link dirlink $T/outside
		dir dirlink mode=777 uid=12
		link modelink $T/outside/f
		fifo modelink mode=777
	END
	untar "$T/a.tar" "$D"
	[ "$(ls "$T/outside")" = f ]
	[ "$(cat "$T/outside/f")" = secret ]
	[ "$(stat -c %u:%a "$T/outside")" = 0:755 ]
	# both were resolved inside
	[ "$(cat "$D$T/outside/x")" = evil ]
	[ "$(cat "$D/last")" = evil ]
	[ -d "$D/dirlink" ]
	[ ! -L "$D/dirlink" ]
}

# CVE-2025-5981 and its like
@test "hard links never lead out, and name what is there" {
	need_root
	mkdir "$T/outside"
	echo secret >"$T/outside/f"
	mk a.tar <<-END
		link out $T/outside
		hard h out/f
	END
	refused 3 "archive 'a.tar': the hard link 'h' names 'out/f', which is not an earlier entry of the archive" \
		"$T/a.tar" "$D"
	afresh
	mk a.tar <<-'END'
		hard h later
		file later
	END
	refused 3 "archive 'a.tar': the hard link 'h' names 'later', which is not an earlier entry of the archive" \
		"$T/a.tar" "$D"
	mk a.tar <<-'END'
		dir d
		hard h d
	END
	refused 3 "archive 'a.tar': the hard link 'h' names 'd', which is a directory" "$T/a.tar" "$D"
	mk a.tar <<<'hard h ./'
	refused 3 "archive 'a.tar': the hard link 'h' names '', which is the root" "$T/a.tar" "$D"
	afresh
	mk a.tar <<-'END'
		file .wh.w
		hard h w
	END
	refused 3 "archive 'a.tar': the hard link 'h' names 'w', which the archive deletes" --layer "$T/a.tar" "$D"
	afresh
	mk a.tar <<-END
		link l $T/outside/f
		hard h l
		file f content=1
		hard f f
		hard g f
		hard g f
		hard l2 l
		link l2 other
	END
	untar "$T/a.tar" "$D"
	[ "$(readlink "$D/h")" = "$T/outside/f" ]
	[ "$(stat -c %h "$D/f")" = 2 ]
	[ "$(readlink "$D/l2")" = other ]
	mk a.tar <<-'END'
		dir d
		file d/f
		hard d d/f
	END
	afresh
	refused 3 "archive 'a.tar': the hard link 'd' names 'd/f', which it replaces" "$T/a.tar" "$D"
}

@test "hard links to files that were there need to be allowed" {
	need_root
	echo old >"$D/old"
	mk a.tar <<<'hard new old'
	refused 3 "archive 'a.tar': the hard link 'new' names 'old', which is not an earlier entry of the archive" \
		"$T/a.tar" "$D"
	untar --existing-links "$T/a.tar" "$D"
	[ "$D/new" -ef "$D/old" ]
	rm "$D/new"
	mk a.tar <<-'END'
		file own
		hard new own
	END
	untar "$T/a.tar" "$D"
	[ "$D/new" -ef "$D/own" ]
}

# CVE-2021-29136
@test "a root that is no directory is refused" {
	need_root
	for name in . ./ / '""' ./. //; do
		mk a.tar <<<"link $name /etc"
		refused 3 "archive 'a.tar': its root is not a directory but a symlink" --layer "$T/a.tar" "$D"
		mk a.tar <<<"fifo $name"
		refused 3 "archive 'a.tar': its root is not a directory but a fifo" "$T/a.tar" "$D"
	done
	[ -d "$D" ]
	[ ! -L "$D" ]
}

@test "loops of links, impossible owners and devices are refused" {
	need_root
	mk a.tar <<-'END'
		link a b
		link b a
		file a/x
	END
	refused 3 "archive 'a.tar': too many symbolic links on the way to 'a/x'" "$T/a.tar" "$D"
	mk a.tar <<<'file f pax:uid=4294967295'
	refused 3 "archive 'a.tar': entry 'f' has the owner 4294967295:0, which is none" "$T/a.tar" "$D"
	mk a.tar <<<'file f pax:gid=99999999999999999999'
	refused 3 "archive 'a.tar': entry 'f' has the owner 0:9223372036854775807, which is none" "$T/a.tar" "$D"
	mk a.tar <<<'char c 5000 1'
	refused 3 "archive 'a.tar': entry 'c' has device numbers that Linux has not" "$T/a.tar" "$D"
}

@test "limits: entries, depth, bytes, names, headers" {
	need_root
	mk a.tar <<-'END'
		file a size=1000
		file b size=1000
		file c
	END
	refused 3 "archive 'a.tar': it has more than the 2 entries that are allowed: if it may, give --unpack-limit entries=NUMBER" --max-entries=2 "$T/a.tar" "$D"
	refused 3 "archive 'a.tar': its files are larger than the limit allows: if they may, give --unpack-limit bytes=NUMBER" --max-bytes=1999 "$T/a.tar" "$D"
	untar --max-entries=3 --max-bytes=2000 "$T/a.tar" "$D"
	afresh
	mk a.tar <<<'file a/b/c/d'
	refused 3 "archive 'a.tar': entry 'a/b/c/d': its path has more components than are allowed: if it may, give --unpack-limit depth=NUMBER" \
		--max-depth=3 "$T/a.tar" "$D"
	untar --max-depth=4 "$T/a.tar" "$D"
	local long
	long=$(printf 'n%.0s' {1..256})
	mk a.tar <<<"file $long"
	refused 3 "archive 'a.tar': entry '$long' has a name of more than 255 bytes in its path" "$T/a.tar" "$D"
	long=$(printf 'nnnnnnnnn/%.0s' {1..410})
	mk a.tar <<<"file ${long}f"
	refused 3 "archive 'a.tar': entry '${long:0:256}...' has a path of more than 4095 bytes" "$T/a.tar" "$D"
	# as deep as a path may be
	long=$(printf 'n/%.0s' {1..500})
	mk a.tar <<<"file ${long}f"
	untar "$T/a.tar" "$D"
	[ -f "$D/${long}f" ]
}

@test "a sparse map without end is refused in bounded memory" {
	need_root
	python3 - "$T/a.tar" <<-'END'
		import sys, tarfile
		e = tarfile.TarInfo('GNUSparseFile.0/f')
		body = b'9999999\n' + b'0\n0\n' * 6000000
		e.size = len(body)
		e.pax_headers = {'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.name': 'f',
		                 'GNU.sparse.realsize': '1000'}
		with open(sys.argv[1], 'wb') as f:
		    f.write(e.tobuf(tarfile.PAX_FORMAT) + body + bytes(-len(body) % 512) + bytes(1024))
	END
	run untar "$T/a.tar" "$D"
	[ "$status" = 3 ]
	[ "$output" = "untar-tool: archive 'a.tar': an entry after '' has more than 8388608 bytes of headers" ]
}

@test "archives that are cut off, damaged, empty, or none" {
	need_root
	mk a.tar <<-'END'
		file first content=1
		file second size=2000
	END
	for cut in 1100 1536 2000 3000 3500; do
		head -c $cut "$T/a.tar" >"$T/cut.tar"
		afresh
		run untar "$T/cut.tar" "$D"
		echo "$cut: $output"
		[ "$status" = 3 ]
		case $cut in
		1100) [ "$output" = "untar-tool: archive 'cut.tar' ends in the middle of the header after 'first'" ] ;;
		*) [ "$output" = "untar-tool: archive 'cut.tar' ends in the middle of 'second'" ] ;;
		esac
	done
	: >"$T/empty"
	refused 3 "archive 'empty' is empty" "$T/empty" "$D"
	head -c 3000 /dev/urandom | tr '\0' x >"$T/noise"
	refused 3 "'noise' is not a tar archive" "$T/noise" "$D"
	head -c 1024 /dev/zero >"$T/zeros"
	run untar --layer "$T/zeros" "$(mktemp -d "$T/e.XXXXXX")"
	[ "$output" = "entries=0 bytes=0 implicit=0" ]
	printf 'X' | dd of="$T/a.tar" bs=1 seek=1030 conv=notrunc status=none
	refused 3 "archive 'a.tar' is damaged: the header after 'first': Damaged tar archive" "$T/a.tar" "$D"
	# without an end mark, but whole
	mk b.tar --no-end <<<'file only'
	run untar "$T/b.tar" "$(mktemp -d "$T/e.XXXXXX")"
	[ "$output" = "entries=1 bytes=0 implicit=0" ]
}

@test "damaged PAX records are refused" {
	need_root
	mk a.tar <<<'file f pax:SCHILY.xattr.user.a=value'
	# the length of the first record
	printf 'Z' | dd of="$T/a.tar" bs=1 seek=512 conv=notrunc status=none
	run untar "$T/a.tar" "$D"
	echo "$output"
	[ "$status" = 3 ]
	[[ $output == "untar-tool: archive 'a.tar' is damaged: "*"pax"* ]]
}

@test "a full disk is told, with the file" {
	need_root
	# no zeros, which take no room
	mk a.tar <<-END
		file small size=100
		file big content=$(head -c 2000000 /dev/zero | tr '\0' x)
	END
	mount -t tmpfs -o size=1m tmpfs "$D" || skip "cannot mount a tmpfs"
	run untar "$T/a.tar" "$D"
	umount "$D"
	[ "$status" = 5 ]
	[ "$output" = "untar-tool: archive 'a.tar': write 'big': No space left on device" ]
}

# CVE-2025-47290
@test "directories swapped for links while unpacking lead nowhere" {
	need_root
	mkdir -p "$T/outside/s"
	for i in $(seq 1 800); do echo "file d/s/f$i content=x"; echo "file e/s/f$i content=x"; done | mk a.tar
	python3 - "$D" "$T/outside" <<-'END' &
		import os, sys, time
		root, outside = sys.argv[1:]
		end = time.time() + 20
		while time.time() < end and not os.path.exists(outside + '/../done'):
		    for d in 'd', 'e':
		        path = root + '/' + d
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
	for _ in 1 2 3 4 5; do
		run untar "$T/a.tar" "$D"
		# it may lose the race, but as an ordinary failure
		[ "$status" = 0 ] || [ "$status" = 3 ] || [ "$status" = 5 ]
	done
	touch "$T/done"
	wait $swapper
	[ -z "$(find "$T/outside" -type f)" ]
	[ "$(stat -c %a "$T/outside")" = 755 ]
}

@test "without openat2 it is the same" {
	need_root
	mkdir "$T/outside"
	mk a.tar <<-END
		dir usr
		link lib usr/lib
		file lib/x content=1
		link out $T/outside
		file out/y content=2
		file f
		file f/g content=3
		file .wh.w
		hard h lib/x
	END
	untar --layer "$T/a.tar" "$D"
	mkdir "$T/d2"
	"$top_builddir/tests/no-openat2" "$UNTAR" --layer "$T/a.tar" "$T/d2"
	diff <(dump_tree --no-times "$D") <(dump_tree --no-times "$T/d2")
	[ -z "$(ls -A "$T/outside")" ]
	[ "$(cat "$T/d2/usr/lib/x" "$T/d2$T/outside/y" "$T/d2/f/g")" = 123 ]
}

@test "no control characters of a name reach the terminal" {
	need_root
	mk a.tar <<<'hard h\x1b[31m\x0ax missing'
	refused 3 "archive 'a.tar': the hard link 'h?[31m?x' names 'missing', which is not an earlier entry of the archive" \
		"$T/a.tar" "$D"
}

# ---- an ordinary user ----

@test "an ordinary user: in a namespace with subordinate ids" {
	need_user
	mkdir "$T/user/d"
	if is_root; then chown "$TEST_USER:" "$T/user/d"; fi
	mk a.tar <<-'END'
		dir d mode=0 uid=33 gid=33
		file d/f mode=4711 uid=65534 pax:SCHILY.xattr.security.capability=\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00
		file d/.wh.x
		dir o
		file o/.wh..wh..opq
		link l x uid=5
		hard h d/f
		fifo p
	END
	run as_user "$UNTAR" --userns --layer --user-marks "$T/a.tar" "$T/user/d"
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = "entries=8 bytes=0 implicit=0" ]
	mk b.tar <<<'char c 1 3'
	run as_user "$UNTAR" --userns "$T/b.tar" "$T/user/d"
	[ "$status" = 5 ]
	[ "${lines[0]}" = "untar-tool: archive 'b.tar': make the character device 'c': Operation not permitted" ]
	[ "${lines[1]}" = "only root on the host may make devices: run this as root" ]
	as_user "$UNTAR" --userns --skip-devices "$T/b.tar" "$T/user/d"
	mk c.tar <<<'file f uid=4000000000'
	run as_user "$UNTAR" --userns "$T/c.tar" "$T/user/d"
	[ "$status" = 5 ]
	[ "${lines[0]}" = "untar-tool: archive 'c.tar': give 'f' to the owner 4000000000:0: Invalid argument" ]
	[[ ${lines[1]} == *"more subordinate ids"* ]]
	if is_root; then
		[ "$(stat -c %a "$T/user/d/d/f")" = 4711 ]
		[ "$(getfattr -h --absolute-names --only-values -n user.overlay.opaque "$T/user/d/o")" = y ]
		[ "$(stat -c '%F %t %T' "$T/user/d/d/x")" = "character special file 0 0" ]
	fi
}
