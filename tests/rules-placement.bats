#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Where COPY and ADD put files, and what the ignore file leaves out.

load rules

# ---- 1.7 placement ----

# sees COMMAND…: the image's own shell finds each of these true
sees() { as "$WHO" imgrun --rm test sh -ec "cd / && $(printf '%s &&' "$@") true" || { as "$WHO" imgrun --rm test sh -c 'find / -xdev -path /bin -prune -o -type f -exec ls -l {} +' ; return 1; }; }

@test "1.7 destination: absolute, relative to WORKDIR; '.' and '' are WORKDIR/" {
	image <<-'E'
		FROM localhost/bb
		COPY f /abs
		COPY f /abs/../dots
		WORKDIR /w
		COPY f rel
		COPY f sub/
		COPY f .
		WORKDIR /v
		COPY ["f", ""]
		WORKDIR /u
		COPY f ./
		COPY f ../up
	E
	sees '[ -f abs ]' '[ -f dots ]' '[ -f w/rel ]' '[ -f w/sub/f ]' '[ -f w/f ]' '[ -f v/f ]' '[ -f u/f ]' '[ -f up ]'
}
@test "1.7 source: a leading '/' and '..' are cut at the root of the context; a trailing slash is nothing" {
	image <<-'E'
		FROM localhost/bb
		COPY /f /1
		COPY ../f /2
		COPY ../../d/../f /3
		COPY d/ /4
		COPY /d/.//g /5
		COPY --from=localhost/bb ../etc/passwd /6
	E
	sees '[ "$(cat 1 2 3 | xargs)" = "file file file" ]' '[ "$(cat 4/g 5)" = "$(printf "deep\ndeep")" ]' 'grep -q alice 6'
}
@test "1.7 a file, and a destination without a slash that is not there or a file: written as that" {
	image <<-'E'
		FROM localhost/bb
		RUN echo longer than the other >/old && chmod 600 /old && chown 5:6 /old
		COPY f /new
		COPY f /old
		COPY f /a/b/c
	E
	sees '[ "$(cat new old a/b/c | xargs)" = "file file file" ]' '[ "$(stat -c %a:%u:%g old)" = "$(stat -c %a:%u:%g new)" ]'
}
@test "1.7 a file, and a destination that is a link: it is followed inside the root, at its end too" {
	image <<-'E'
		FROM localhost/bb
		RUN mkdir -p /real/dir && ln -s /real /way && echo old >/real/file && ln -s ../../../real/file /link && ln -s /real/dir /todir && ln -s nowhere /dangling
		COPY f /way/in
		COPY f /link
		COPY f /todir
		COPY f /dangling
	E
	sees '[ "$(cat real/in real/file real/dir/f nowhere | xargs)" = "file file file file" ]' '[ -L way ]' '[ -L link ]' '[ -L todir ]' '[ -L dangling ]'
}
@test "1.7 a file, and a destination with a slash or a directory that is there: into it by its name" {
	image <<-'E'
		FROM localhost/bb
		RUN mkdir /there
		COPY f /there
		COPY f /new/
		COPY d/g /new/deep/
	E
	sees '[ -f there/f ]' '[ -f new/f ]' '[ -f new/deep/g ]'
}
@test "1.7 a directory: its contents are copied; the destination becomes or merges it" {
	mkdir d/sub
	touch d/sub/x
	image <<-'E'
		FROM localhost/bb
		RUN mkdir -p /there/sub && touch /there/own /there/sub/own
		COPY d /new
		COPY d /there
		COPY d /slash/
		COPY d d /twice/
	E
	sees '[ -f new/g ] && [ -f new/sub/x ] && [ ! -e new/d ]' '[ -f there/g ] && [ -f there/own ] && [ -f there/sub/own ] && [ -f there/sub/x ]' '[ -f slash/g ] && [ ! -e slash/d ]' '[ -f twice/g ]'
}
@test "1.7 a directory: mode, owner, times and attributes are put on a new destination, not on one that is there" {
	chmod 700 d
	touch -d @1000000000 d
	setfattr -n user.x -v y d 2>/dev/null || true
	image <<-'E'
		FROM localhost/bb AS src
		RUN mkdir -m 710 /s && touch /s/x && chown 5:6 /s && touch -d @1100000000 /s
		FROM localhost/bb
		RUN mkdir -m 755 /there && touch -d @1200000000 /there
		COPY d /new
		COPY --from=src /s /news
		COPY d /there
	E
	sees '[ "$(stat -c %a:%u:%g:%Y new)" = 700:0:0:1000000000 ]' '[ "$(stat -c %a:%u:%g:%Y news)" = 710:5:6:1100000000 ]' '[ "$(stat -c %a:%u there)" = 755:0 ]'
}
@test "1.7 a file over a directory of that name is refused" {
	printf 'FROM localhost/bb\nRUN mkdir -p /t/f\nCOPY f /t/\n' | refused 'Buildfile:3' "into '/t': 'f' is a directory there"
	printf 'FROM localhost/bb\nRUN mkdir -p /t/g\nCOPY d /t\n' | refused 'Buildfile:3' "into '/t': 'g' is a directory there"
}
@test "1.7 a directory over what is none is refused" {
	printf 'FROM localhost/bb\nCOPY f /t\nCOPY d /t\n' | refused 'Buildfile:3' "'t' is not a directory there"
	mkdir -p e/g
	printf 'FROM localhost/bb\nCOPY d /t\nCOPY e /t\n' | refused 'Buildfile:3' "into '/t': 'g' is not a directory there"
	printf 'FROM localhost/bb\nCOPY f /t\nCOPY f /t/\n' | refused 'Buildfile:3' "'t' is not a directory there"
}
@test "1.7 several sources, or a wildcard with several matches: the destination must end with a slash" {
	echo 2 >f2
	printf 'FROM scratch\nCOPY f f2 /x\n' | refused 'Buildfile:2' '/x/'
	printf 'FROM scratch\nCOPY f* /x\n' | refused 'Buildfile:2' '/x/'
	printf 'FROM localhost/bb\nCOPY f f2 d /x/\nCOPY f* /y/\nCOPY f[3-9a] f2 d/g* /z/\n' | refused 'Buildfile:4' 'f[3-9a]'
	printf 'FROM localhost/bb\nCOPY f f2 d /x/\nCOPY f* /y/\nCOPY f?* /z\n' | image
	sees '[ -f x/f ] && [ -f x/f2 ] && [ -f x/g ]' '[ -f y/f ] && [ -f y/f2 ]' '[ "$(cat z)" = 2 ]'
}
@test "1.7 wildcards: * ? [a-z] [^a] \\x; * does not cross '/'; no ** without --parents" {
	mkdir -p w/sub/deep
	touch w/a.c w/b.c w/ab.c w/1.c 'w/*.x' w/y.x w/sub/s.c w/sub/deep/d.c
	image <<-'E'
		FROM localhost/bb
		COPY w/*.c /1/
		COPY w/?.c /2/
		COPY w/[a-b].c /3/
		COPY w/[^a-b].c /4/
		COPY w/\\*.x /5/
		COPY w/*/*.c /6/
		COPY w/**/*.c /7/
		COPY --parents w/**/*.c /8/
	E
	sees '[ "$(ls /1 | xargs)" = "1.c a.c ab.c b.c" ]' '[ "$(ls /2 | xargs)" = "1.c a.c b.c" ]' '[ "$(ls /3 | xargs)" = "a.c b.c" ]' \
		'[ "$(ls /4)" = 1.c ]' '[ "$(ls /5)" = "*.x" ]' '[ "$(ls /6)" = s.c ]' '[ "$(ls /7)" = s.c ]' '[ -f /8/w/a.c ] && [ -f /8/w/sub/deep/d.c ]'
}
@test "1.7 wildcards: in lexical order; no match is an error, and so is a literal name that is missing" {
	mkdir w
	for i in b a c; do mkdir "w/$i"; echo "$i" >"w/$i/same"; done
	printf 'FROM localhost/bb\nCOPY w/* /o/\n' | image
	sees '[ "$(cat o/same)" = c ]'
	printf 'FROM scratch\nCOPY none* /x/\n' | refused 'Buildfile:2' "'none*'"
	printf 'FROM scratch\nCOPY f none* /x/\n' | refused 'Buildfile:2:8' "'none*'"
	printf 'FROM scratch\nCOPY none /x/\n' | refused 'Buildfile:2' "'none' is not in the context"
}
@test "1.7 a link as a source is followed inside the root; links inside a directory stay links" {
	ln -s d/g link
	ln -s d dirlink
	ln -s ../../../f d/up
	ln -s /f d/abs
	image <<-'E'
		FROM localhost/bb
		COPY link /1
		COPY dirlink /2
		COPY d/up /3
		COPY d/abs /4
		COPY dirlink/g /5
	E
	sees '[ ! -L 1 ] && [ "$(cat 1)" = deep ]' '[ -f 2/g ] && [ "$(readlink 2/up)" = ../../../f ] && [ "$(readlink 2/abs)" = /f ]' \
		'[ ! -L 3 ] && [ "$(cat 3)" = file ]' '[ "$(cat 4)" = file ]' '[ "$(cat 5)" = deep ]'
}
@test "1.7 hard links in one copy are kept" {
	ln d/g d/h
	printf 'FROM localhost/bb\nCOPY d /x\nCOPY d/g d/h /y/\n' | image
	# in a container of the copy driver each name is a file of its own
	image_tree "$WHO" test >tree
	grep -E '^/?x/h .* same-as:/?x/g ' tree
}
@test "1.7 owner: 0:0 from the context and of here documents, that of the source with --from; --chown goes before both" {
	! is_root || chown -R 5:6 d
	image <<-'E'
		FROM localhost/bb AS src
		RUN mkdir /s && touch /s/x && chown -R 7:8 /s
		FROM localhost/bb
		COPY d /1
		COPY <<h /2
		h
		COPY --from=src /s /3
		COPY --chown=3:4 d /4
		COPY --chown=3:4 <<h /5
		h
		COPY --from=src --chown=3:4 /s /6
	E
	sees '[ "$(stat -c %u:%g 1 1/g 2 | sort -u)" = 0:0 ]' '[ "$(stat -c %u:%g 3 3/x | sort -u)" = 7:8 ]' '[ "$(stat -c %u:%g 4 4/g 5 6 6/x | sort -u)" = 3:4 ]'
}
@test "1.7 mode and times: those of the source" {
	chmod 6751 f
	chmod 1700 d
	touch -d @1000000000 f d/g
	image <<-'E'
		FROM localhost/bb
		COPY f /f
		COPY d /d
	E
	sees '[ "$(stat -c %a:%Y f)" = 6751:1000000000 ]' '[ "$(stat -c %a d)" = 1700 ]' '[ "$(stat -c %Y d/g)" = 1000000000 ]'
}
@test "1.7 parents that are made: 0755 root, or what --chmod and --chown say" {
	printf 'FROM localhost/bb\nCOPY f /a/b/f\nCOPY --chown=3:4 f /c/d/f\nCOPY --chmod=710 f /e/g/f\n' | image
	sees '[ "$(stat -c %a:%u:%g a a/b | sort -u)" = 755:0:0 ]' '[ "$(stat -c %a:%u:%g c c/d | sort -u)" = 755:3:4 ]' '[ "$(stat -c %a:%u:%g e e/g | sort -u)" = 710:0:0 ]'
}
@test "1.7 extended attributes are copied" {
	setfattr -n user.mine -v value f || skip "no attributes here"
	printf 'FROM localhost/bb\nCOPY f /f\n' | image
	as "$WHO" imgpush -q --compression none test "oci:$PWD/out:latest" >/dev/null
	grep -rqa SCHILY.xattr.user.mine=value out/blobs
}
@test "1.7 ADD of a URL: 0600 root, the server's time, the URL's or the server's name, not unpacked" {
	server
	echo hello >"$SRV/files/a.txt"
	tar -czf "$SRV/files/t.tgz" f
	image <<-E
		FROM localhost/bb
		ADD $URL/a.txt /1/
		ADD $URL?named /2/
		ADD $URL?plain /3/
		ADD $URL/t.tgz /4/
		ADD --unpack $URL/t.tgz /5/
	E
	sees '[ "$(stat -c %a:%u:%g:%Y 1/a.txt)" = 600:0:0:1700000000 ]' '[ -f "2/given name" ]' '[ -f 3/__unnamed__ ]' '[ -f 4/t.tgz ]' '[ "$(ls 5)" = f ]'
}
@test "1.7 ADD of an archive: by its content, each compression; --chown; the destination is made 0755" {
	for c in cat gzip bzip2 xz 'zstd -q'; do tar --owner=5 --group=6 --numeric-owner -cf - f d | $c >"${c%% *}.dat"; done
	tar -cf - f | gzip >real.txt
	gzip -c f >f.tar.gz
	: >empty.tar.gz
	image <<-'E'
		FROM localhost/bb
		ADD cat.dat /1/
		ADD gzip.dat /2
		ADD bzip2.dat /3
		ADD xz.dat /4
		ADD zstd.dat /5
		ADD --chown=7:8 cat.dat /6
		ADD real.txt f.tar.gz empty.tar.gz f /7/
		ADD *.dat /8/
		ADD --unpack=false cat.dat /9/
	E
	for i in 1 2 3 4 5 8; do sees "[ \"\$(stat -c %u:%g $i/f $i/d/g | sort -u)\" = 5:6 ]" "[ \"\$(stat -c %a:%u $i)\" = 755:0 ]"; done
	sees '[ "$(stat -c %u:%g 6/f 6/d/g | sort -u)" = 7:8 ]' '[ "$(ls 7 | xargs)" = "empty.tar.gz f f.tar.gz" ]' '[ "$(stat -c %s 7/empty.tar.gz)" = 0 ]' '[ "$(ls 9)" = cat.dat ]'
}
@test "1.7 what the ignore file leaves out does not exist: for COPY, ADD and binds" {
	printf 'f\nd/g\n' >.dockerignore
	printf 'FROM scratch\nCOPY f /\n' | refused 'Buildfile:2' "'f' is" .dockerignore
	printf 'FROM scratch\nADD d/g /\n' | refused 'Buildfile:2' "'d/g' is" .dockerignore
	printf 'FROM localhost/bb\nRUN --mount=target=/m,source=f true\n' | refused 'Buildfile:2' "'f' is" .dockerignore
	printf 'FROM localhost/bb\nCOPY . /x/\nRUN --mount=target=/m [ ! -e /m/f ] && [ ! -e /m/d/g ] && [ ! -e /x/f ] && [ ! -e /x/d/g ]\n' | image
}

# ---- 1.8 ignore files ----

# left IGNORE… NAMES: which of a, b/a, b/c, x.log, b/y.log and .e the patterns leave in
left() {
	local want=${*: -1}
	mkdir -p c/b
	touch c/a c/b/a c/b/c c/x.log c/b/y.log c/.e
	printf '%s\n' "${@:1:$#-1}" >c/.dockerignore
	printf 'FROM localhost/bb\nCOPY . /x/\nRUN echo "left:" $(cd /x && find . -type f ! -name .dockerignore ! -name Buildfile | sort)\n' >c/Buildfile
	OUTPUT=$(as "$WHO" imgbuild --no-cache --progress=plain c 2>&1)
	same "$(sed -n 's/.* left: \?//p' <<<"$OUTPUT" | grep -v '\$(')" "$want"
}
@test "1.8: one directory, any directory, names, exceptions" {
	left '# a' 'a' './.e ./b/a ./b/c ./b/y.log ./x.log'
	left '/b' './.e ./a ./x.log'
	left '*.log' './.e ./a ./b/a ./b/c ./b/y.log'
	left '**/*.log' './.e ./a ./b/a ./b/c'
	left 'b/*' '!b/a' './.e ./a ./b/a ./x.log'
	left '*' '!b' './b/a ./b/c ./b/y.log'
	left 'b/[a-b]' '?' './.e ./x.log'
}
@test "1.8: the Buildfile's own ignore file comes first; both files may be left out" {
	echo '*' >.dockerignore
	echo 'd' >Buildfile.dockerignore
	printf 'FROM localhost/bb\nCOPY . /x/\nRUN [ -e /x/f ] && [ ! -e /x/d ]\n' | image
	rm Buildfile.dockerignore
	printf 'FROM localhost/bb\nCOPY . /x/\nRUN [ -z "$(ls -A /x)" ]\n' | image
}
@test "1.8: lines: BOM, blanks, a lone '!', a pattern that is none" {
	printf '\xef\xbb\xbf  d  \n\n! f\n' >.dockerignore
	printf 'FROM localhost/bb\nCOPY . /x/\nRUN [ -e /x/f ] && [ ! -e /x/d ]\n' | image
	echo '!' >.dockerignore
	printf 'FROM scratch\n' | refused '.dockerignore:1' "'!'"
	echo '[a' >.dockerignore
	printf 'FROM scratch\n' | refused '.dockerignore:1' "'[a'"
}
@test "1.8 lines: comments at the beginning only, paths are cleaned, leading '/' and './' are nothing, CRLF" {
	left '#a' '\#a' './.e ./a ./b/a ./b/c ./b/y.log ./x.log'
	left ' # a' './.e ./a ./b/a ./b/c ./b/y.log ./x.log'
	left './a' 'b/../x.log' '/b//c' './.e ./b/a ./b/y.log'
	left '../a' 'b/' './.e ./a ./x.log'
	left $'a\r' $'b\r' './.e ./x.log'
	left '' '  ' '.' './.e ./a ./b/a ./b/c ./b/y.log ./x.log'
	left '*' '!   a' './a'
}
@test "1.8 match: the last pattern wins; a directory takes what is in it along; exceptions below it" {
	left 'b' '!b/a' './.e ./a ./b/a ./x.log'
	left '!b/a' 'b' './.e ./a ./x.log'
	left 'b' '!b' 'b/a' './.e ./a ./b/c ./b/y.log ./x.log'
	left '**' '!b/**' './b/a ./b/c ./b/y.log'
	left '*' '!*.log' '!**/*.log' './b/y.log ./x.log'
	left 'b/**' '!**/c' './.e ./a ./b/c ./x.log'
}
@test "1.8 tokens: * ? [] ** and quoted ones; all others are themselves" {
	left '?' './.e ./x.log'
	left '?.*' './.e ./a ./b/a ./b/c ./b/y.log'
	left 'b/[^a]' './.e ./a ./b/a ./b/y.log ./x.log'
	left '**/a' './.e ./b/c ./b/y.log ./x.log'
	left '**/b/**' './.e ./a ./x.log'
	left '\a' '.e' './b/a ./b/c ./b/y.log ./x.log'
	left 'x+log' 'x.lo{g}' '(a)' 'a|b' 'a$' './.e ./a ./b/a ./b/c ./b/y.log ./x.log'
}
@test "1.8 which file: --ignorefile, then the Buildfile's own, then the context's; containerignore before dockerignore" {
	printf 'FROM localhost/bb\nCOPY . /x/\n' >Buildfile
	rest() { as "$WHO" imgbuild -q -t test "$@" . >&2 && same "$(as "$WHO" imgrun --rm test sh -c 'cd /x && ls 1 2 3 4 5 2>/dev/null | xargs' || true)" "$WANT"; }
	touch 1 2 3 4 5
	echo 1 >.dockerignore
	WANT='2 3 4 5' rest
	echo 2 >.containerignore
	WANT='1 3 4 5' rest
	echo 3 >Buildfile.dockerignore
	WANT='1 2 4 5' rest
	echo 4 >Buildfile.containerignore
	WANT='1 2 3 5' rest
	echo 5 >other
	WANT='1 2 3 4' rest --ignorefile other
}
@test "1.8 named contexts have their own" {
	mkdir named
	touch named/a named/b named/f
	echo a >named/.dockerignore
	echo f >.dockerignore
	printf 'FROM localhost/bb\nCOPY --from=named . /x/\nRUN [ ! -e /x/a ] && [ -e /x/b ] && [ -e /x/f ]\n' | image --build-context named=named
}
