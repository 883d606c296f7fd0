#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Metadata and special files in layers: rows 25 to 42. Every image is compared on every way (layers.bash), as root
# and as an ordinary user.

load lib
load layers

setup_file() {
	make_scratch
	bases_setup
	tool_setup
}
teardown_file() {
	remove_scratch
}

cap=0100000200200000000000000000000000000000 # cap_net_raw+ep
acl=0200000001000600ffffffff020004000700000004000400ffffffff10000400ffffffff20000000ffffffff # u::rw-,u:7:r--,g::r--,m::r--,o::---
names_of() { cut -d' ' -f1 "$T/same" | grep -vE '^(\.|bin|etc|tmp|root|bin/.*|etc/(passwd|group))$'; }
# line PATH: that of the tree's dump
line() { grep -a -m1 "^$1 " "$T/same"; }

row25() { # capabilities made by a step
	mkdir -p "$T/$1-row25"
	echo x >"$T/$1-row25/x"
	build "$1" row25 <<E
FROM localhost/tool
RUN cp /bin/step-tool /prog && step-tool xattr /prog security.capability $cap && cp /prog /lost && chown 5:6 /lost && chmod 755 /lost
COPY x /x
RUN ln /prog /prog2 && echo y >/y
RUN chown 1000:1001 /prog && step-tool xattr /prog security.capability $cap && chmod 4755 /prog
E
	[ "$(records 2 prog)" = "SCHILY.xattr.security.capability=$cap" ]
	[ -z "$(records 2 lost)" ]
	# a further name brings the file, whole
	[ "$(names 4)" = $'prog\nprog2\ny' ]
	[ "$(records 4 prog)" = "SCHILY.xattr.security.capability=$cap" ]
	[[ $(line prog) == "prog file 4755 1000:1001 "*" security.capability=$cap @"* ]]
	[[ $(line lost) == "lost file 0755 5:6 "* ]]
	not grep -q capability <(line lost)
	# once more after another pull
	as "$1" imgpush -q --compression zstd row25 "oci:$OUT:zstd" >&2
	as "$1" imgpull -q "oci:$OUT:zstd" localhost/again >&2
	push "$1" localhost/again
	same "$1" localhost/again
	grep -q "^prog2 .* security.capability=$cap " "$T/same"
}
@test "row 25: capabilities survive links, later steps, push and pull (root)" { need_root; row25 root; }
@test "row 25: the same as an ordinary user" { need_user; row25 user; }

row26() { # capabilities that come with files
	local dir=$T/$1-row26
	mkdir -p "$dir"
	cp "$top_builddir/tests/step-tool" "$dir/prog"
	python3 "$top_srcdir/tests/make-tar.py" "$dir/a.tar" <<-END
		file in-tar mode=755 uid=5 pax:SCHILY.xattr.security.capability=$(sed 's/../\\x&/g' <<<$cap)
	END
	local text='FROM localhost/tool
COPY prog /copied
COPY --chown=7:8 --chmod=755 prog /owned
ADD a.tar /
FROM localhost/tool
COPY --from=0 /copied /owned /in-tar /from/'
	# the tests' root gives it for both; an ordinary user sees it in his namespace, too
	if is_root; then
		"$top_builddir/tests/step-tool" xattr "$dir/prog" security.capability $cap
	fi
	build "$1" row26 <<<"$text"
	[[ $(line from/in-tar) == "from/in-tar file 0755 5:0 "*" security.capability=$cap "* ]]
	is_root || return 0
	[[ $(line from/copied) == "from/copied file 0755 0:0 "*" security.capability=$cap "* ]]
	[[ $(line from/owned) == "from/owned file 0755 7:8 "*" security.capability=$cap "* ]]
}
@test "row 26: capabilities of files that are copied or unpacked (root)" { need_root; row26 root; }
@test "row 26: the same as an ordinary user" { need_user; row26 user; }

@test "row 27: labels of the host stay out of layers, and are not taken from them" {
	need_root
	local dir=$T/root-row27
	mkdir "$dir"
	echo x >"$dir/f"
	"$top_builddir/tests/step-tool" xattr "$dir/f" security.selinux 6162 || skip "this host does not let one set labels"
	"$top_builddir/tests/step-tool" xattr "$dir/f" security.ima 0102
	"$top_builddir/tests/step-tool" xattr "$dir/f" user.kept 01
	build root row27 <<-'END'
		FROM localhost/tool
		COPY f /f
		RUN cp /f /g && chmod 600 /f
	END
	[ "$(records 2 f)" = SCHILY.xattr.user.kept=01 ]
	[ "$(records 3 f)" = SCHILY.xattr.user.kept=01 ]
	not grep -qE 'security\.(selinux|ima)' "${LAYERS[@]}"
	mk 27.tar <<-'END'
		file labelled pax:SCHILY.xattr.security.selinux=label pax:SCHILY.xattr.security.ima=sum pax:SCHILY.xattr.user.u=u
		dir d pax:SCHILY.xattr.security.selinux=label
	END
	python3 "$top_srcdir/tests/layout-of.py" "$T/in-27" latest "$T/tool.tar" "$T/27.tar"
	as root imgpull -q "oci:$T/in-27:latest" localhost/row27b >&2
	unshare -m bash -eu -c 'export IMGBUILD_ROOT=$1; p=$(imgstore mount localhost/row27b); getfattr -d -m - "$p/labelled" "$p/d"' \
		- "$ROOT_STORE" >"$T/attrs"
	grep 'user.u="u"' "$T/attrs"
	not grep -q security "$T/attrs"
}

row28() { # overlay's own attributes
	build "$1" row28 <<'E'
FROM localhost/tool
RUN mkdir -p /d/sub && echo x >/d/f && ln /d/f /d/g && touch /d/sub/f && step-tool xattr /d/f user.mine 6b657074
RUN rm -rf /d/sub && mkdir /d/sub && echo y >>/d/f && chmod 700 /d && echo z >>/etc/passwd && mkdir /etc/new && mv /bin/step-tool /tool
E
	for layer in "${LAYERS[@]}"; do
		not grep -aqE 'overlay\.(opaque|origin|impure|nlink|redirect|metacopy|upper|uuid|protattr)' "$layer"
	done
	[[ $(line d/f) == *" user.mine=6b657074 "* ]]
}
@test "row 28: none of overlayfs' own attributes is in a layer (root)" { need_root; row28 root; }
@test "row 28: the same as an ordinary user" { need_user; row28 user; }

row29() { # an image that holds an overlay's tree
	build "$1" row29 <<'E'
FROM localhost/tool
RUN mkdir -p /d/old /e && touch /d/old/f && step-tool xattr /e user.overlay.redirect 2f78
RUN step-tool xattr /d user.overlay.opaque 79 && step-tool xattr /d/old/f user.overlay.metacopy "" && touch /d/new
E
	[ "$(records 2 e/)" = SCHILY.xattr.user.overlay.redirect=2f78 ]
	[ "$(records 3 d/)" = SCHILY.xattr.user.overlay.opaque=79 ]
	# it is an attribute like others and hides nothing
	lacks 3 'wh\.'
	[ "$(names_of | tr '\n' ' ')" = "d d/new d/old d/old/f e " ]
	[[ $(line d) == *" user.overlay.opaque=79 "* ]]
	[[ $(line e) == *" user.overlay.redirect=2f78 "* ]]
}
@test "row 29: overlay's names for attributes of an image's own files (root)" { need_root; row29 root; }
@test "row 29: the same as an ordinary user" { need_user; row29 user; }

@test "row 29: an overlay's tree of root's goes in and out" {
	need_root
	mk 29.tar <<-'END'
		dir lower
		file lower/f content=f
		dir upper pax:SCHILY.xattr.trusted.overlay.opaque=y pax:SCHILY.xattr.trusted.overlay.overlay.opaque=y
		file upper/f pax:SCHILY.xattr.trusted.overlay.origin=o pax:SCHILY.xattr.user.overlay.upper=u
	END
	pulled root row29b tool.tar 29.tar
	[[ $(line upper) == *" trusted.overlay.opaque=79 trusted.overlay.overlay.opaque=79 "* ]]
	[[ $(line upper/f) == *" trusted.overlay.origin=6f user.overlay.upper=75 "* ]]
	build root row29c <<-'END'
		FROM localhost/row29b
		FROM localhost/tool
		COPY --from=0 / /copied
	END
	[[ $(line copied/upper) == *" trusted.overlay.opaque=79 trusted.overlay.overlay.opaque=79 "* ]]
	[[ $(line copied/upper/f) == *" trusted.overlay.origin=6f user.overlay.upper=75 "* ]]
	build root row29d <<-'END'
		FROM localhost/row29b
		RUN chmod 700 /upper && echo x >>/upper/f
	END
	[ "$(records 3 upper/)" = $'SCHILY.xattr.trusted.overlay.opaque=79\nSCHILY.xattr.trusted.overlay.overlay.opaque=79' ]
	[ "$(records 3 upper/f)" = $'SCHILY.xattr.trusted.overlay.origin=6f\nSCHILY.xattr.user.overlay.upper=75' ]
}

row30() { # attributes and names of any bytes
	local long odd
	long=$(printf 'ab%.0s' {1..1500})
	odd=$'latin\xe9\xff \t"\\n'
	mkdir -p "$T/$1-row30"
	printf 'odd' >"$T/$1-row30/$odd"
	build "$1" row30 <<E
FROM localhost/tool
RUN touch /nul /long /empty /nonutf /acl && mkdir -m 750 /d \\
 && step-tool xattr /nul user.nul 00610062000a3d00 && step-tool xattr /long user.long $long && step-tool xattr /empty user.empty "" \\
 && step-tool xattr /nonutf "\$(printf 'user.\\351\\377 x')" fffe && step-tool xattr /nonutf user.second 01 \\
 && step-tool xattr /acl system.posix_acl_access $acl \\
 && step-tool xattr /d system.posix_acl_default $acl && touch /d/inherits
COPY latin* /copied/
RUN ln -s "\$(printf 'caf\\351')" "\$(printf '/caf\\351')" && ln -s cafe "\$(printf '/cafe\\314\\201')" && ln -s cafe "\$(printf '/caf\\303\\251')" && step-tool xattr /acl user.more 01
E
	[ "$(records 2 nul)" = SCHILY.xattr.user.nul=00610062000a3d00 ]
	[ "$(records 2 long)" = "SCHILY.xattr.user.long=$long" ]
	[ "$(records 2 acl)" = "SCHILY.xattr.system.posix_acl_access=$acl" ]
	[ "$(records 4 acl)" = "SCHILY.xattr.system.posix_acl_access=$acl"$'\nSCHILY.xattr.user.more=01' ]
	[[ $(line nul) == *" user.nul=00610062000a3d00 "* ]]
	[[ $(line long) == *" user.long=$long "* ]]
	[[ $(line empty) == *" user.empty= "* ]]
	[[ $(line nonutf) == *"=fffe "* ]]
	[[ $(line acl) == "acl file 0640 "*" system.posix_acl_access=$acl "* ]]
	[[ $(line d) == *" system.posix_acl_default=$acl "* ]]
	[[ $(line d/inherits) == *" system.posix_acl_access="* ]]
	[ "$(grep -ac '^caf' "$T/same")" = 3 ]
	[ "$(grep -ac '^copied/latin' "$T/same")" = 1 ]
}
@test "row 30: attributes with NULs, long and odd ones, access control lists, names of any bytes (root)" { need_root; row30 root; }
@test "row 30: the same as an ordinary user" { need_user; row30 user; }

row30_refused() { # the format cannot hold it
	mkdir -p "$T/$1-equals"
	printf 'FROM localhost/tool\nRUN touch /f && step-tool xattr /f user.a=b 01\n' >"$T/$1-equals/Buildfile"
	chmod -R a+rX "$T/$1-equals"
	run as "$1" imgbuild -q "$T/$1-equals"
	echo "$output"
	[ "$status" = 3 ]
	[[ $output == *"'f' has the attribute 'user.a=b': a layer cannot hold a name with '=' in it"* ]]
}
@test "row 30: an attribute with = in its name is refused (root)" { need_root; row30_refused root; }
@test "row 30: the same refusal as an ordinary user" { need_user; row30_refused user; }

row32() { # a further name for a file of an earlier layer
	build "$1" row32 <<'E'
FROM localhost/tool
RUN mkdir /d && echo content >/d/old && ln -s target /d/link
RUN ln /d/old /d/new && ln /d/link /d/link2
RUN echo more >>/d/new
RUN rm /d/old
E
	[ "$(names 3)" = $'d/\nd/link\nd/link2\nd/new\nd/old' ]
	[[ $(tar -tvf "${LAYERS[2]}" d/old) == *" d/old link to d/new" ]]
	[ "$(tar -xOf "${LAYERS[2]}" d/new)" = content ]
	# one file all the while: a change through one name is a change of both
	[ "$(tar -xOf "${LAYERS[3]}" d/new)" = $'content\nmore' ]
	[ "$(names 5)" = $'d/\nd/.wh.old' ]
	[ "$(as "$1" imgrun --rm row32 cat /d/new)" = $'content\nmore' ]
}
@test "row 32: a link to a file of an earlier layer (root)" { need_root; row32 root; }
@test "row 32: the same as an ordinary user" { need_user; row32 user; }

row33() { # one of several names is changed or deleted
	build "$1" row33 <<'E'
FROM localhost/tool
RUN mkdir /d /e && echo x >/d/a && ln /d/a /d/b && ln /d/a /e/c && echo y >/e/p && ln /e/p /e/q
RUN echo y >>/d/b
RUN rm /d/a && chmod 700 /d
RUN rm /e/p && ln /e/q /e/r && touch -d @1500000000 /e
E
	[ "$(names 3)" = $'d/\nd/b' ] || [ "$(names 3)" = d/b ] || names 3
	[ "$(tar -xOf "${LAYERS[2]}" d/b)" = $'x\ny' ]
	[ "$(names 4)" = $'d/\nd/.wh.a' ]
	[ "$(names 5)" = $'e/\ne/.wh.p\ne/q\ne/r' ]
	[ "$(as "$1" imgrun --rm row33 cat /d/b /e/c /e/q /e/r)" = $'x\ny\nx\ny\ny' ]
	[[ $(line e/r) == *" same-as:e/q "* ]]
}
@test "row 33: one of several names is written, deleted, linked again (root)" { need_root; row33 root; }
@test "row 33: the same as an ordinary user" { need_user; row33 user; }

used_kib() { as "$1" imgstore unshare du -sk "$2" | cut -f1; }
row34() { # holes
	mkdir -p "$T/$1-row34"
	truncate -s 300M "$T/$1-row34/holes"
	printf end >>"$T/$1-row34/holes"
	build "$1" row34 <<'E'
FROM localhost/tool
RUN mkdir -p /var/log && step-tool write /var/log/lastlog 300000000 end && touch /other
RUN echo more >>/var/log/lastlog
COPY holes /holes
E
	[ "$(tar -xOf "${LAYERS[2]}" var/log/lastlog | tail -c +300000001)" = $'endmore' ]
	[[ $(line var/log/lastlog) == *" 300000008 "* ]]
	if [ "$1" = user ]; then store=$USER_STORE; else store=$ROOT_STORE; fi
	# on disk holes stay holes: made here, and pulled
	[ "$(used_kib "$1" "$store/layers")" -lt 30000 ]
	if [ "$1" = user ]; then EXTRA_ENV=IMGBUILD_ROOT=$T/user/other; other=$T/user/other; else other=$T/other; fi
	as "$1" env IMGBUILD_ROOT="$other" imgpull -q "oci:$OUT:latest" localhost/holes >&2
	[ "$(used_kib "$1" "$other/layers")" -lt 30000 ]
	as "$1" imgstore unshare rm -rf "$other"
}
@test "row 34: sparse files take no place on disk, made or pulled (root)" { need_root; row34 root; }
@test "row 34: the same as an ordinary user" { need_user; row34 user; }

@test "row 35: the largest ids" {
	need_root
	build root row35 <<-'END'
		FROM localhost/tool
		RUN touch /a /b /c && chown 2097152:2097151 /a && chown 4294967294:2147483648 /b && chown -h 3000000000:3000000000 /c
		RUN chown 4294967294:4294967294 /tmp
	END
	[ "$(records 2 a)" = uid=32303937313532 ]
	[[ $(line a) == "a file 0644 2097152:2097151 "* ]]
	[[ $(line b) == "b file 0644 4294967294:2147483648 "* ]]
	[[ $(line c) == "c file 0644 3000000000:3000000000 "* ]]
	[[ $(line tmp) == "tmp dir 1777 4294967294:4294967294 "* ]]
	need_user
	run as user imgpull -q "oci:$OUT:latest" localhost/ids
	echo "$output"
	[ "$status" = 5 ]
	[[ $output == *"give '"*"' to the owner "*": Invalid argument"*"give the user more subordinate ids"* ]]
}

@test "row 36: devices in a base image, and an ordinary user who builds on it" {
	need_root
	need_user
	mk 36.tar <<-'END'
		dir dev
		char dev/mine 1 3 mode=666
		block dev/disk 8 0
		hard dev/other dev/mine mode=666
		file f
	END
	pulled root row36 tool.tar 36.tar
	[[ $(line dev/mine) == "dev/mine char 0666 0:0 "*"same-as:dev/mine 1,3 "* ]]
	as user imgpull -q "oci:$OUT:latest" localhost/row36 2>"$T/err" >&2
	[ "$(grep -c '3 devices are left out of the unpacked tree' "$T/err")" = 1 ]
	mkdir "$T/user-36"
	printf 'FROM localhost/row36\nRUN [ ! -e /dev/mine ] && touch /built\n' >"$T/user-36/Buildfile"
	chmod -R a+rX "$T/user-36"
	as user imgbuild -q --no-cache -t localhost/on36 "$T/user-36" >&2
	push user localhost/on36
	chmod -R a+rX "$OUT"
	# where devices can be made they are there
	as root imgpull -q "oci:$OUT:latest" localhost/on36 >&2
	same root localhost/on36
	[[ $(line dev/other) == "dev/other char 0666 0:0 "*" 1,3 "* ]]
	[ -n "$(line built)" ]
}

row37() { # sockets and fifos, made by a step and in the context
	local dir=$T/$1-row37
	mkdir -p "$dir/dir"
	[ -p "$dir/dir/pipe" ] || mkfifo -m 640 "$dir/dir/pipe"
	touch "$dir/dir/f"
	(cd "$dir/dir" && "$top_builddir/tests/step-tool" socket sock)
	cat >"$dir/Buildfile" <<-'END'
		FROM localhost/tool
		RUN mkdir /d && step-tool socket /d/made && mkfifo -m 600 /d/pipe && echo x >/was
		RUN rm /was && step-tool socket /was
		COPY dir /copied
	END
	chmod -R a+rX "$dir"
	as "$1" imgbuild -q --no-cache -t row37 "$dir" 2>"$T/err" >&2
	cat "$T/err" >&2
	grep "warning: .*'d/made' is a socket, which a layer cannot hold: left out" "$T/err"
	grep "warning: .*'was' is a socket, which a layer cannot hold: left out" "$T/err"
	grep "warning: .*sock.* is a socket" "$T/err"
	push "$1" row37
	same "$1" row37
	[ "$(names_of | tr '\n' ' ')" = "copied copied/f copied/pipe d d/pipe " ]
	[[ $(line d/pipe) == "d/pipe fifo 0600 "* ]]
	[[ $(line copied/pipe) == "copied/pipe fifo 064"* ]]
}
@test "row 37: sockets are left out with a word, fifos kept (root)" { need_root; row37 root; }
@test "row 37: the same as an ordinary user" { need_user; row37 user; }

row38() { # times
	mk 38.tar <<-'END'
		dir t pax:mtime=1500000000.123456789
		file t/before content=b mtime=-86400
		file t/fraction content=f mtime=-1.25
		link t/link target mtime=1600000000.75
		file t/late content=l mtime=4294967296.5
		dir t/dir mtime=0
		file t/last mtime=15032385535
	END
	pulled "$1" row38 tool.tar 38.tar
	[[ $(line t) == *" @1500000000.123456789" ]]
	[[ $(line t/before) == *" @-86400.000000000" ]]
	[[ $(line t/fraction) == *" @-2.750000000" ]]
	[[ $(line t/late) == *" @4294967296.500000000" ]]
	[[ $(line t/last) == *" @15032385535.000000000" ]]
	build "$1" row38b <<'E'
FROM localhost/row38
RUN mkdir /n && for t in "1500000000 999999999" "-1 0" "-86400 500000000" "2147483648 0" "8589934592 1" "15032385535 0"; do f=/n/${t% *}; touch -- "$f" && step-tool times "$f" $t; done && ln -s x /n/l && step-tool times /n/l 4294967296 5 && step-tool times /n 1400000000 999999999
RUN chmod 600 /t/before && chmod 700 /t/dir
E
	[[ $(line n) == *" @1400000000.000000000" ]]
	for t in 1500000000 -1 -86400 2147483648 8589934592 15032385535; do
		[[ $(grep "^n/$t " "$T/same") == *" @$t.000000000" ]]
	done
	[[ $(line n/l) == *" @4294967296.000000000" ]]
	# what a step did not give another time has its own, but for the fraction
	[ "$(names 4)" = $'t/\nt/before\nt/dir/' ]
	[[ $(line t) == *" @1500000000.000000000" ]]
	[[ $(line t/before) == *" 0600 "*" @-86400.000000000" ]]
	[[ $(line t/fraction) == *" @-2.750000000" ]]
}
@test "row 38: times with fractions, before 1970, after 2038 and 2106 (root)" { need_root; row38 root; }
@test "row 38: the same as an ordinary user" { need_user; row38 user; }

row39() { # times of directories
	build "$1" row39 <<'E'
FROM localhost/tool
RUN mkdir -p /a/b/c && touch /a/f /a/b/f /a/b/c/f && touch -d @1500000003 /a/b/c && touch -d @1500000002 /a/b && touch -d @1500000001 /a
RUN echo x >>/a/b/c/f
RUN touch /a/b/g && touch -d @1500000005 /a/b
E
	[[ $(line a) == *" @1500000001.000000000" ]]
	[[ $(line a/b) == *" @1500000005.000000000" ]]
	[[ $(line a/b/c) == *" @1500000003.000000000" ]]
	[ "$(names 3)" = $'a/\na/b/\na/b/c/\na/b/c/f' ]
	mk 39.tar <<-'END'
		dir p/q mtime=1500000007
		dir p mtime=1500000006
		file p/q/late
		file p/late
		file p/q/.wh.none
	END
	pulled "$1" row39b tool.tar 39.tar
	[[ $(line p) == *" @1500000006.000000000" ]]
	[[ $(line p/q) == *" @1500000007.000000000" ]]
}
@test "row 39: directories have their times, whatever is put into them (root)" { need_root; row39 root; }
@test "row 39: the same as an ordinary user" { need_user; row39 user; }

row40() { # what cannot be read
	build "$1" row40 <<'E'
FROM localhost/tool
RUN mkdir -p /d/e && echo x >/d/f && echo y >/d/e/g && chmod 0 /d/f /d/e/g /d/e && chmod 500 /d && chown -R 1000:1001 /d
RUN echo z >>/d/e/g && mkdir /d/e/n && chmod 0 /d/e/n
RUN rm /d/f
E
	[[ $(line d) == "d dir 0500 1000:1001 "* ]]
	[[ $(line d/e) == "d/e dir 0000 1000:1001 "* ]]
	[[ $(line d/e/g) == "d/e/g file 0000 1000:1001 4 "* ]]
	[[ $(line d/e/n) == "d/e/n dir 0000 "* ]]
	[ -z "$(line d/f)" ]
	mk 40.tar <<-'END'
		dir a mode=0 uid=1000
		file a/f mode=0 uid=1000 content=f
		dir a/b mode=100
		file a/b/g mode=0
	END
	pulled "$1" row40b tool.tar 40.tar
	[[ $(line a/f) == "a/f file 0000 1000:0 1 "* ]]
	# and it can be thrown away
	as "$1" imgstore rm row40 localhost/row40b >&2
	as "$1" imgstore prune >&2
}
@test "row 40: directories and files without any permission (root)" { need_root; row40 root; }
@test "row 40: the same as an ordinary user" { need_user; row40 user; }

row41() { # setuid, setgid, sticky
	local dir=$T/$1-row41 text
	mkdir -p "$dir/dir"
	echo x >"$dir/dir/f"
	chmod 6755 "$dir/dir/f"
	chmod 3777 "$dir/dir"
	tar -C "$dir/dir" --owner=3 --group=4 -cf "$dir/a.tar" f
	text='FROM localhost/tool AS a
COPY dir /copied
COPY --chown=5:6 dir/f /owned
COPY --chmod=2711 dir/f /moded
ADD a.tar /added/
ADD --chown=7:8 a.tar /added-owned/
RUN mkdir -m 7777 /made && cp /owned /made/s && chmod 4711 /made/s && chown 9:9 /made/s && chmod 4711 /made/s && echo y >>/made/s && chmod 4711 /made/s
RUN chown 11:12 /copied && touch /copied/new
FROM localhost/tool
COPY --from=a /copied/ /owned /added /made /from/'
	build "$1" row41 <<<"$text"
	[[ $(line from/owned) == *" 6755 5:6 "* ]]
	[[ $(line from/s) == *" 4711 9:9 "* ]]
	build "$1" row41 --target a <<<"$text"
	[[ $(line copied) == *" 3777 11:12 "* ]]
	[[ $(line copied/f) == *" 6755 0:0 "* ]]
	[[ $(line owned) == *" 6755 5:6 "* ]]
	[[ $(line moded) == *" 2711 0:0 "* ]]
	[[ $(line added/f) == *" 6755 3:4 "* ]]
	[[ $(line added-owned/f) == *" 6755 7:8 "* ]]
	[[ $(line made) == *" 7777 0:0 "* ]]
	[[ $(line made/s) == *" 4711 9:9 "* ]]
}
@test "row 41: setuid, setgid and sticky bits survive COPY, ADD and a change of owner (root)" { need_root; row41 root; }
@test "row 41: the same as an ordinary user" { need_user; row41 user; }

row42() { # an entry below what an earlier one made a file
	mk 42.tar <<-'END'
		file a content=1
		file a/b content=2
		fifo p
		file p/q/r content=3
		dir d
		file d/f
		link d elsewhere
		dir d
		file d/g
	END
	pulled "$1" row42 tool.tar 42.tar
	[ "$(names_of | tr '\n' ' ')" = "a a/b d d/g p p/q p/q/r " ]
	[ "$(as "$1" imgrun --rm localhost/row42 cat a/b p/q/r)" = 23 ]
	# what a layer below made a file gives way, too
	mk 42b.tar <<-'END'
		dir etc
		file etc/passwd/sub content=4
	END
	pulled "$1" row42b tool.tar 42b.tar
	[[ $(line etc/passwd) == "etc/passwd dir 0755 "* ]]
	[ -n "$(line etc/passwd/sub)" ]
}
@test "row 42: an entry below a name that was no directory (root)" { need_root; row42 root; }
@test "row 42: the same as an ordinary user" { need_user; row42 user; }
