#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# COPY and ADD: where files go, what they become, what a cached result depends on. Whole builds, as root and as
# an ordinary user with the same expectations; each layer is read as a tar.

load lib

setup_file() {
	make_scratch
	import_busybox
}
teardown_file() {
	remove_scratch
}

# A context of the test's own: an empty $CTX
setup() {
	CTX=$T/context
	rm -rf "$CTX"
	mkdir "$CTX"
	umask 022
}

# build WHO [OPTIONS]: Buildfile on stdin; what was said in $OUTPUT
build() {
	local who=$1
	shift
	cat >"$CTX/Buildfile"
	! is_root || [ "$who" = root ] || chown -hR "$TEST_USER" "$CTX"
	status=0
	OUTPUT=$(as "$who" imgbuild --progress plain -t copied "$@" "$CTX" 2>&1) || status=$?
	echo "$OUTPUT" >&2
	return "$status"
}
# LAYERS: the layer tars, lowest first; CONFIG
export_image() {
	local who=$1 out=$T/$1-out manifest
	rm -rf "$out"
	mkdir "$out"
	! is_root || [ "$who" = root ] || chown "$TEST_USER" "$out"
	as "$who" imgpush -q --compression none copied "oci:$out:latest" >&2
	manifest=$(jq -r '.manifests[0].digest' "$out/index.json" | cut -d: -f2)
	CONFIG=$out/blobs/sha256/$(jq -r .config.digest "$out/blobs/sha256/$manifest" | cut -d: -f2)
	mapfile -t LAYERS < <(jq -r '.layers[].digest' "$out/blobs/sha256/$manifest" | sed "s|sha256:|$out/blobs/sha256/|")
}
made() { build "$@" && export_image "$1"; }
# "drwxr-xr-x 0/0 path" for each entry of layer N but the root
layer() { tar --numeric-owner -tvf "${LAYERS[$1]}" | awk '$6 != "./" { $3 = $4 = $5 = ""; print }' | tr -s ' '; }
names() { { tar -tf "${LAYERS[$1]}" || echo "no list of layer $1"; } | grep -vxF './' | tr '\n' ' '; }
content() { tar -xOf "${LAYERS[$1]}" "$2"; }
same() { [ "$1" = "$2" ] || { printf 'got:    %s\nwanted: %s\n' "$1" "$2"; return 1; }; }
# refused WHO TEXT [OPTIONS]: Buildfile on stdin; bad input, and TEXT is in what is said
refused() {
	local who=$1 text=$2
	shift 2
	! build "$who" "$@" || return 1
	same "$status" 3
	[[ $OUTPUT == *"$text"* ]]
}
cached() { grep -c '^#[0-9]* CACHED$' <<<"$OUTPUT" || true; }

# ---- where files go ----

row43() { # a tree over a link to a directory
	mkdir -p "$CTX/rootfs/dir"
	echo new >"$CTX/rootfs/dir/new"
	made "$1" <<'E'
FROM localhost/bb
RUN mkdir -p /usr/dir && echo old >/usr/dir/old && ln -s usr/dir /dir && ln -s /usr/dir /abs
COPY rootfs/dir /dir
COPY rootfs/dir /abs/
RUN [ -L /dir ] && [ "$(ls /usr/dir | tr '\n' ' ')" = "new old " ]
E
	same "$(names 2)" "usr/ usr/dir/ usr/dir/new "
	same "$(names 3)" ""
}
row43_tree() { # a link inside the copied tree's place is no directory: refused, not replaced
	mkdir -p "$CTX/rootfs/bin"
	echo new >"$CTX/rootfs/bin/new"
	refused "$1" "'bin' is not a directory there" <<'E'
FROM localhost/bb
RUN mkdir -p /r/usr && ln -s usr /r/bin
COPY rootfs /r
E
}
row44() { # a destination below a link
	echo f >"$CTX/f"
	made "$1" <<'E'
FROM localhost/bb
RUN mkdir -p /data/real && ln -s ../data /opt && ln -s /data/real /data/link
COPY f /opt/link/dir/
COPY f /data/link/as
E
	same "$(names 2)" "data/ data/real/ data/real/dir/ data/real/dir/f "
	same "$(names 3)" "data/ data/real/ data/real/as "
}
row45() { # a destination that is a link itself
	echo new >"$CTX/f"
	mkdir "$CTX/links"
	ln -s target "$CTX/links/l"
	made "$1" <<'E'
FROM localhost/bb
RUN mkdir /d && echo old >/d/target && ln -s target /d/link && ln -s missing /d/dangling
COPY f /d/link
COPY f /d/dangling
COPY links /e
COPY links links /e/
RUN [ "$(cat /d/target)" = new ] && [ -L /d/link ] && [ -f /d/missing ] && [ "$(readlink /d/dangling)" = missing ]
E
	same "$(names 2)" "d/ d/target "
	same "$(names 3)" "d/ d/missing "
	same "$(layer 4)" "drwxr-xr-x 0/0 e/
lrwxrwxrwx 0/0 e/l -> target"
	# the directory alone, when the second has changed since it was copied into
	same "$(names 5 | sed 's|^e/ $||')" ""
}
row46() { # sources through links
	mkdir -p "$CTX/real/sub"
	echo in >"$CTX/real/sub/f"
	ln -s real "$CTX/rel"
	ln -s /real/sub "$CTX/abs"
	ln -s ../../../real/sub/f "$CTX/up"
	ln -s sub/f "$CTX/real/inner"
	made "$1" <<'E'
FROM localhost/bb AS base
RUN mkdir -p /r/sub && echo stage >/r/sub/f && ln -s /r/sub /l && ln -s ../l/f /r/lf
FROM localhost/bb
COPY rel/sub/f /1
COPY abs/f /2
COPY up /3
COPY rel /4
COPY --from=base /l/f /5
COPY --from=base /r/lf /l/ /6/
COPY rel/* /7/
E
	for i in 1 2 3; do
		same "$(names $i)" "$i "
		same "$(content $i $i)" in
	done
	same "$(names 4)" "4/ 4/inner 4/sub/ 4/sub/f "
	same "$(layer 4 | grep inner)" "lrwxrwxrwx 0/0 4/inner -> sub/f"
	same "$(content 5 5)" stage
	same "$(names 6)" "6/ 6/f 6/lf "
	same "$(layer 6 | grep -c '^-')" 2
	# a wildcard names what it matches: each is followed, and of a directory the contents are copied
	same "$(names 7)" "7/ 7/f 7/inner "
	same "$(content 7 7/inner)" in
}
out_of_context() {
	ln -s ../../../../../../etc/passwd "$CTX/escape"
	refused "$1" "'escape' is not in the context" <<'E'
FROM localhost/bb
COPY escape /
E
}

# ---- owners and modes ----

row47() { # --chown on what is there
	echo f >"$CTX/f"
	made "$1" <<'E'
FROM localhost/bb
RUN mkdir /d && echo old >/d/old && chmod 750 /d && chown 7:8 /d
COPY --chown=alice:users f /d/
E
	same "$(layer 2)" "drwxr-x--- 7/8 d/
-rw-r--r-- 1000/100 d/f"
}
row48() { # --chown and --chmod on directories that are made
	echo f >"$CTX/f"
	made "$1" <<'E'
FROM localhost/bb
COPY --chown=3:4 f /a/b/
COPY --chmod=0711 f /c/d/
COPY --chmod=go-r f /e/
COPY --chown=alice f /g/
COPY --chown=:9 f /h/
E
	same "$(layer 1)" "drwxr-xr-x 3/4 a/
drwxr-xr-x 3/4 a/b/
-rw-r--r-- 3/4 a/b/f"
	same "$(layer 2)" "drwx--x--x 0/0 c/
drwx--x--x 0/0 c/d/
-rwx--x--x 0/0 c/d/f"
	# a symbolic mode changes a mode: what is made has none yet
	same "$(layer 3)" "drwxr-xr-x 0/0 e/
-rw------- 0/0 e/f"
	same "$(layer 4)" "drwxr-xr-x 1000/1001 g/
-rw-r--r-- 1000/1001 g/f"
}
row49() { # the caller's umask
	echo f >"$CTX/f"
	mkdir "$CTX/d"
	echo g >"$CTX/d/g"
	tar -C "$CTX" -cf "$CTX/t.tar" d
	for mask in 000 022 077; do
		umask "$mask"
		made "$1" --no-cache <<'E'
FROM localhost/bb
COPY f /new/dir/
COPY d /d
ADD t.tar /t/
COPY <<here /h/
here
E
		umask 022
		for i in 1 2 3 4; do layer $i; done >"$T/listing.$mask"
		cmp "$T/listing.000" "$T/listing.$mask"
	done
	same "$(cat "$T/listing.077")" "drwxr-xr-x 0/0 new/
drwxr-xr-x 0/0 new/dir/
-rw-r--r-- 0/0 new/dir/f
drwxr-xr-x 0/0 d/
-rw-r--r-- 0/0 d/g
drwxr-xr-x 0/0 t/
drwxr-xr-x 0/0 t/d/
-rw-r--r-- 0/0 t/d/g
drwxr-xr-x 0/0 h/
-rw-r--r-- 0/0 h/here"
}
row50() { # symbolic modes, and what becomes of a file 0644, a file 0750 and a directory 0750
	local mode f x d n=0
	mkdir "$CTX/src"
	echo 1 >"$CTX/src/f"
	echo 2 >"$CTX/src/x"
	mkdir "$CTX/src/sub"
	chmod 644 "$CTX/src/f"
	chmod 750 "$CTX/src/x" "$CTX/src/sub"
	cat >"$T/modes" <<'E'
u=rwX,go=rX -rw-r--r-- -rwxr-xr-x drwxr-xr-x
go= -rw------- -rwx------ drwx------
+x -rwxr-xr-x -rwxr-x--x drwxr-x--x
+X -rw-r--r-- -rwxr-x--x drwxr-x--x
a-w -r--r--r-- -r-xr-x--- dr-xr-x---
g=u -rw-rw-r-- -rwxrwx--- drwxrwx---
o=g,g= -rw----r-- -rwx---r-x drwx---r-x
u+s,g+s -rwSr-Sr-- -rwsr-s--- drwsr-s---
+t -rw-r--r-T -rwxr-x--T drwxr-x--T
u=rw,g=r,o= -rw-r----- -rw-r----- drw-r-----
go+w-r -rw--w--w- -rwx-wx-w- drwx-wx-w-
4755 -rwsr-xr-x -rwsr-xr-x drwsr-xr-x
E
	made "$1" --no-cache < <(
		echo FROM localhost/bb
		while read -r mode f x d; do echo "COPY --chmod=$mode src /$((n += 1))"; done <"$T/modes"
	)
	n=0
	while read -r mode f x d; do
		n=$((n + 1))
		same "$mode $(layer $n | awk '$3 ~ "/(f|sub/|x)$" { printf "%s ", $1 }')" "$mode $f $d $x "
	done <"$T/modes"
}
row50_bad() {
	echo f >"$CTX/f"
	for mode in 8 07778 u u=q +r, ,+r rwx 10000; do
		refused "$1" "--chmod=$mode is neither an octal mode up to 07777 nor symbolic" <<<$'FROM localhost/bb\nCOPY --chmod='"$mode"' f /'
		[[ $OUTPUT == *"Buildfile:2:1: COPY: "* ]]
	done
}
row51() { # the top directory of a stage's
	made "$1" <<'E'
FROM localhost/bb AS base
RUN mkdir /dir && chmod 2750 /dir && chown 5:6 /dir && echo f >/dir/f && chown 7:8 /dir/f
FROM localhost/bb
COPY --from=base /dir/ /dir/
COPY --from=base /dir /there/new
COPY --from=base /dir /etc/group /several/
E
	same "$(layer 1)" "drwxr-s--- 5/6 dir/
-rw-r--r-- 7/8 dir/f"
	same "$(layer 2)" "drwxr-xr-x 0/0 there/
drwxr-s--- 5/6 there/new/
-rw-r--r-- 7/8 there/new/f"
	# what several go into is like none of them
	same "$(layer 3)" "drwxr-xr-x 0/0 several/
-rw-r--r-- 7/8 several/f
-rw-r--r-- 0/0 several/group"
}

# ---- --link ----

row52() { # as in BuildKit: a layer of its own, whose directories are 0755 0:0 whatever lies below
	echo f >"$CTX/f"
	made "$1" <<'E'
FROM localhost/bb
RUN mkdir -m 1777 /t && mkdir -p /real && ln -s real /l
COPY --link f /t/
COPY --link f /l/
COPY --link --chown=alice:users --chmod=600 f /o/
RUN [ -f /t/f ] && [ "$(stat -c %a /t)" = 755 ] && [ ! -L /l ] && [ -f /l/f ] && [ ! -e /real/f ]
E
	same "$(layer 2)" "drwxr-xr-x 0/0 t/
-rw-r--r-- 0/0 t/f"
	same "$(names 3)" "l/ l/f "
	same "$(layer 4)" "drw------- 1000/100 o/
-rw------- 1000/100 o/f"
	# the root is not in it: it says nothing of what it did not make
	tar -tf "${LAYERS[2]}" >"$T/list"
	not grep -xF ./ "$T/list"
}
link_key() { # the lower layers are not in the key, but what a name of --chown stands for there is
	local text=$'COPY --link f /t/\nCOPY --link --chown=alice f /u/\nCOPY f /v/'
	echo "$RANDOM$1" >"$CTX/f"
	build "$1" <<<$'FROM localhost/bb\nRUN echo 1 >/1\n'"$text"
	export_image "$1"
	local first="${LAYERS[2]##*/}"
	build "$1" <<<$'FROM localhost/bb\nRUN echo 22 >/1\n'"$text"
	export_image "$1"
	same "$(cached)" 2
	same "${LAYERS[2]##*/}" "$first"
	build "$1" <<<$'FROM localhost/bb\nRUN sed -i s/1000/1002/ /etc/passwd\n'"$text"
	same "$(cached)" 1
	export_image "$1"
	same "$(layer 3 | tail -1)" "-rw-r--r-- 1002/1001 u/f"
	# other content is another layer
	echo other >>"$CTX/f"
	build "$1" <<<$'FROM localhost/bb\nRUN echo 22 >/1\n'"$text"
	same "$(cached)" 1
}
link_more() { # directories, archives, here documents, stages
	mkdir "$CTX/d"
	echo f >"$CTX/d/f"
	tar -C "$CTX" --owner=5 --group=6 --numeric-owner -cf "$CTX/t.tar" d
	made "$1" <<'E'
FROM localhost/bb AS other
RUN mkdir /from && echo s >/from/s && chown 3:3 /from/s
FROM localhost/bb
RUN mkdir -p /x/d && echo old >/x/d/f && echo old >/x/d/old
COPY --link d /x/d
ADD --link t.tar /x/
COPY --link --from=other /from /x
COPY --link <<name /x/
text
name
WORKDIR /work
COPY --link d/f .
COPY --link=false d/f .
RUN [ "$(cat /x/d/f /x/s /x/name /x/d/old)" = "$(printf 'f\ns\ntext\nold')" ] && [ -f /work/f ]
E
	same "$(names 2)" "x/ x/d/ x/d/f "
	same "$(layer 3 | tail -1)" "-rw-r--r-- 5/6 x/d/f"
	same "$(layer 4 | tail -1)" "-rw-r--r-- 3/3 x/s"
	same "$(names 5)" "x/ x/name "
	same "$(names 7)" "work/ work/f "
	same "$(names 8)" ""
}

# ---- --parents ----

parents() {
	mkdir -p "$CTX/x/y/z" "$CTX/w/y"
	echo a >"$CTX/x/a.txt"
	echo b >"$CTX/x/y/b.txt"
	echo c >"$CTX/x/y/z/c.md"
	echo d >"$CTX/w/y/d.txt"
	chmod 700 "$CTX/w"
	ln -s x "$CTX/link"
	made "$1" <<'E'
FROM localhost/bb
COPY --parents x/a.txt ./x/y/b.txt /1/
COPY --parents x/./y/*.txt /2
COPY --parents **/*.txt /3
COPY --parents ./*/y /4/
COPY --parents link/./a.txt /5/
COPY --parents --exclude=**/b.* --chown=3:4 --chmod=u=rwX,go= x /6/
RUN mkdir -m 750 -p /7/x && chown 9:9 /7/x
COPY --parents x/a.txt /7/
COPY --from=localhost/bb --parents /etc/./group /etc/passwd /8/
COPY --parents=false x/a.txt /9/
E
	same "$(names 1)" "1/ 1/x/ 1/x/a.txt 1/x/y/ 1/x/y/b.txt "
	same "$(names 2)" "2/ 2/y/ 2/y/b.txt "
	same "$(names 3)" "3/ 3/w/ 3/w/y/ 3/w/y/d.txt 3/x/ 3/x/a.txt 3/x/y/ 3/x/y/b.txt "
	same "$(names 4)" "4/ 4/w/ 4/w/y/ 4/w/y/d.txt 4/x/ 4/x/y/ 4/x/y/b.txt 4/x/y/z/ 4/x/y/z/c.md "
	same "$(names 5)" "5/ 5/a.txt "
	same "$(layer 6)" "drwxr-xr-x 3/4 6/
drwx------ 3/4 6/x/
-rw------- 3/4 6/x/a.txt
drwx------ 3/4 6/x/y/
drwx------ 3/4 6/x/y/z/
-rw------- 3/4 6/x/y/z/c.md"
	# a directory on the way that is there stays what it is
	same "$(layer 8)" "drwxr-xr-x 0/0 7/
drwxr-x--- 9/9 7/x/
-rw-r--r-- 0/0 7/x/a.txt"
	same "$(names 9)" "8/ 8/etc/ 8/etc/passwd 8/group "
	same "$(names 10)" "9/ 9/a.txt "
	same "$(jq -r '.history[1].created_by' "$CONFIG")" 'COPY --parents x/a.txt ./x/y/b.txt /1/ # buildkit'
	same "$(jq -r '.history[6].created_by' "$CONFIG")" 'COPY --parents --chown=3:4 --chmod=u=rwX,go= x /6/ # buildkit'
}
parents_bad() {
	mkdir "$CTX/d"
	echo f >"$CTX/d/f"
	refused "$1" "'d/missing' is not in the context" <<<$'FROM localhost/bb\nCOPY --parents d/missing /x/'
	refused "$1" "'no/./d' is not in the context" <<<$'FROM localhost/bb\nCOPY --parents no/./d /x/'
	refused "$1" "no file in the context matches '**/*.nothing'" <<<$'FROM localhost/bb\nCOPY --parents **/*.nothing /x/'
	refused "$1" "syntax error in pattern" <<<$'FROM localhost/bb\nCOPY --parents d/[ /x/'
	refused "$1" "a wildcard cannot stand before '/./'" <<<$'FROM localhost/bb\nCOPY --parents */./f /x/'
}

# ---- --exclude ----

excludes() {
	mkdir -p "$CTX/d/sub/deep"
	touch "$CTX"/d/{a.txt,b.md,keep.txt} "$CTX"/d/sub/{c.txt,e.md} "$CTX/d/sub/deep/f.txt"
	tar -C "$CTX/d" -cf "$CTX/t.tar" .
	made "$1" <<'E'
FROM localhost/bb
COPY --exclude=*.txt d /1
COPY --exclude=**/*.txt --exclude=!keep.txt d/ /2/
COPY --exclude=sub d /3
COPY --exclude=* --exclude=!sub/deep d /4
COPY --exclude=*.md d/* /5/
COPY --exclude=a.txt d/a.txt d/b.md /6/
ADD --exclude=**/*.md d /7/
COPY --from=localhost/bb --exclude=pass* /etc /8
E
	same "$(names 1)" "1/ 1/b.md 1/sub/ 1/sub/c.txt 1/sub/deep/ 1/sub/deep/f.txt 1/sub/e.md "
	same "$(names 2)" "2/ 2/b.md 2/keep.txt 2/sub/ 2/sub/deep/ 2/sub/e.md "
	same "$(names 3)" "3/ 3/a.txt 3/b.md 3/keep.txt "
	same "$(names 4)" "4/ 4/sub/ 4/sub/deep/ 4/sub/deep/f.txt "
	same "$(names 5)" "5/ 5/a.txt 5/c.txt 5/deep/ 5/deep/f.txt 5/keep.txt "
	same "$(names 6)" "6/ 6/b.md "
	same "$(names 7)" "7/ 7/a.txt 7/keep.txt 7/sub/ 7/sub/c.txt 7/sub/deep/ 7/sub/deep/f.txt "
	same "$(names 8)" "8/ 8/group "
	refused "$1" "--exclude=[: syntax error in pattern '['" <<<$'FROM localhost/bb\nCOPY --exclude=[ d /x'
	refused "$1" "'nothing' is not in the context" <<<$'FROM localhost/bb\nCOPY --exclude=nothing nothing /x'
}

# ---- wildcards ----

row53() {
	mkdir -p "$CTX/dir/sub" "$CTX/other"
	touch "$CTX"/dir/{one,two} "$CTX/dir/sub/three" "$CTX/arr[0].txt" "$CTX/ünï.txt" "$CTX/x☺y" "$CTX/other/.hidden" "$CTX/other/seen" "$CTX/a b"
	made "$1" <<'E'
FROM localhost/bb
COPY dir/* /1/
COPY arr[[]0].txt /2/
COPY ün?.txt x?y /3/
COPY other/* /4/
COPY ["a b", "/5/with blank"]
COPY */one /6/
COPY [^a-c]ir/t[^h]o /7/
E
	# of a directory that matches, the contents: one level less
	same "$(names 1)" "1/ 1/one 1/three 1/two "
	same "$(tar --quoting-style=literal -tf "${LAYERS[2]}" | grep -v '^\./$' | tr '\n' ' ')" "2/ 2/arr[0].txt "
	same "$(tar --quoting-style=literal -tf "${LAYERS[3]}" | grep -v '^\./$' | tr '\n' ' ')" "3/ 3/x☺y 3/ünï.txt "
	same "$(names 4)" "4/ 4/.hidden 4/seen "
	same "$(tar --quoting-style=literal -tf "${LAYERS[5]}" | tail -1)" "5/with blank"
	same "$(names 6)" "6/ 6/one "
	refused "$1" "no file in the context matches 'no*'" <<<$'FROM localhost/bb\nCOPY no* /x/'
	refused "$1" "no file in the context matches 'no*'" <<<$'FROM localhost/bb\nCOPY dir/one no* /x/'
	refused "$1" "'missing' is not in the context" <<<$'FROM localhost/bb\nCOPY dir/one missing /x/'
	refused "$1" "matches several files, but the destination '/x' is not said to be a directory" <<<$'FROM localhost/bb\nCOPY dir/* /x'
}

# ---- archives ----

row54() {
	mkdir -p "$CTX/a/in/deep"
	echo f >"$CTX/a/in/deep/f"
	chmod 640 "$CTX/a/in/deep/f"
	(cd "$CTX/a" && tar --owner=5 --group=6 --numeric-owner -cf ../t.tar in &&
		tar --owner=5 --group=6 --numeric-owner -cf ../implied.tar in/deep/f)
	gzip -c "$CTX/t.tar" >"$CTX/t.tgz"
	bzip2 -c "$CTX/t.tar" >"$CTX/t.bz2"
	xz -c "$CTX/t.tar" >"$CTX/wrong-suffix.jpg"
	zstd -qc "$CTX/t.tar" >"$CTX/t.zst"
	echo text >"$CTX/text.tar"
	gzip -c "$CTX/text.tar" >"$CTX/text.gz"
	: >"$CTX/empty.tar.gz"
	made "$1" <<'E'
FROM localhost/bb
RUN mkdir -p /real /w && ln -s /real /link && ln -s /real /w/in
ADD t.tar /1/
ADD implied.tar t.tgz /2/
ADD t.bz2 wrong-suffix.jpg t.zst /3/
WORKDIR /rel
ADD t.tar sub
ADD --chown=alice:users --chmod=u=rwX,go= implied.tar /5/
ADD t.tar /link/6
ADD text.tar text.gz empty.tar.gz /7/
ADD --unpack=false t.tgz /8/
ADD --unpack=true t.tgz text.gz /9/
ADD t.t* /10/
COPY t.tar /11/
ADD implied.tar /w
RUN [ -f /w/real/deep/f ] && [ -L /w/in ]
E
	local listing="drwxr-xr-x 0/0 1/
drwxr-xr-x 5/6 1/in/
drwxr-xr-x 5/6 1/in/deep/
-rw-r----- 5/6 1/in/deep/f"
	same "$(layer 2)" "$listing"
	same "$(layer 3)" "$(sed 's| 1/| 2/|' <<<"$listing")"
	same "$(layer 4)" "$(sed 's| 1/| 3/|' <<<"$listing")"
	same "$(layer 6 | tail -1)" "-rw-r----- 5/6 rel/sub/in/deep/f"
	same "$(layer 7)" "drwxr-xr-x 1000/100 5/
drwx------ 1000/100 5/in/
drwx------ 1000/100 5/in/deep/
-rw------- 1000/100 5/in/deep/f"
	same "$(names 8)" "real/ real/6/ real/6/in/ real/6/in/deep/ real/6/in/deep/f "
	same "$(names 9)" "7/ 7/empty.tar.gz 7/text.gz 7/text.tar "
	same "$(names 10)" "8/ 8/t.tgz "
	same "$(names 11)" "9/ 9/in/ 9/in/deep/ 9/in/deep/f 9/text.gz "
	same "$(names 12)" "10/ 10/in/ 10/in/deep/ 10/in/deep/f "
	same "$(names 13)" "11/ 11/t.tar "
}
archive_bad() {
	echo f >"$CTX/f"
	tar -C "$CTX" -czf "$CTX/t.tgz" f f
	head -c 60 "$CTX/t.tgz" >"$CTX/short.tgz"
	tar -C "$CTX" --transform 's|^|../../|' -Pcf "$CTX/up.tar" f
	refused "$1" "up.tar" <<<$'FROM localhost/bb\nADD up.tar /x/'
	[[ $OUTPUT == *"Buildfile:2:"*": ADD: "* ]]
}

# ---- what is left out ----

row56() {
	mkdir -p "$CTX"/{a/x,a/y/z,b,c/d}
	touch "$CTX"/{top.py,top.txt} "$CTX"/a/{m.py,n.txt} "$CTX/a/x/b" "$CTX/a/y/b" "$CTX/a/y/z/o.py" "$CTX/b/p.py" "$CTX/c/d/q"
	# the patterns (one line, blanks between), and what is left of the tree
	while IFS='|' read -r patterns want; do
		printf '%b\n' "$patterns" >"$CTX/.dockerignore"
		made "$1" <<'E'
FROM localhost/bb
COPY --exclude=Buildfile --exclude=.dockerignore . /o/
E
		same "$patterns: $(tar -tf "${LAYERS[1]}" | grep -v '/$' | sed 's|^o/||' | tr '\n' ' ')" "$patterns: ${want:+$want }"
	done <<'E'
*\n!**/*.py|a/m.py a/y/z/o.py b/p.py top.py
a/*\n!a/*/b\nb\nc|a/x/b a/y/b top.py top.txt
a\nb/\n!a/y/z/o.py\n/c|a/y/z/o.py top.py top.txt
./a\n../b\nc/../c/d/q\n*.txt|b/p.py top.py
\xef\xbb\xbfa\r\n# b\r\n  b  \r\n\r\nc\r|top.py top.txt
#a\n\\\\#a\n**|
**/b\nc/**|a/m.py a/n.txt a/y/z/o.py top.py top.txt
E
}

# ---- the cache ----

row58() { # a directory becomes a file, and back
	mkdir "$CTX/thing"
	echo in >"$CTX/thing/f"
	made "$1" <<<$'FROM localhost/bb\nCOPY thing /to/thing'
	same "$(names 1)" "to/ to/thing/ to/thing/f "
	rm -r "$CTX/thing"
	echo file >"$CTX/thing"
	made "$1" <<<$'FROM localhost/bb\nCOPY thing /to/thing'
	same "$(names 1)" "to/ to/thing "
	same "$(content 1 to/thing)" file
	rm "$CTX/thing"
	mkdir "$CTX/thing"
	echo in >"$CTX/thing/f"
	made "$1" <<<$'FROM localhost/bb\nCOPY thing /to/thing'
	same "$(names 1)" "to/ to/thing/ to/thing/f "
	same "$(cached)" 1
}
row68() { # times do not count, content and the execute bit do
	mkdir "$CTX/d"
	echo "content $1" >"$CTX/d/f"
	chmod 755 "$CTX/d/f"
	local text=$'FROM localhost/bb\nCOPY d /d\nCOPY d/f /f'
	build "$1" <<<"$text"
	build "$1" <<<"$text"
	same "$(cached)" 2
	touch -d @1500000000 "$CTX/d/f" "$CTX/d"
	build "$1" <<<"$text"
	same "$(cached)" 2
	mv "$CTX/d" "$CTX/e"
	cp -r "$CTX/e" "$CTX/d"
	rm -r "$CTX/e"
	build "$1" <<<"$text"
	same "$(cached)" 2
	chmod a-x "$CTX/d/f"
	build "$1" <<<"$text"
	same "$(cached)" 0
	printf 'CONTENT %s\n' "$1" >"$CTX/d/f"
	build "$1" <<<"$text"
	same "$(cached)" 0
	# a same-sized file that takes its place with the old time
	touch -r "$CTX/d/f" "$T/time"
	printf 'Content %s\n' "$1" >"$CTX/d/new"
	mv "$CTX/d/new" "$CTX/d/f"
	touch -r "$T/time" "$CTX/d/f"
	build "$1" <<<"$text"
	same "$(cached)" 0
}
row68_large() { # a large file, several of them, one with two names: they are digested while the layer is packed
	mkdir "$CTX/d"
	for i in 1 2 3; do head -c $((i * 4500000)) /dev/urandom >"$CTX/d/$i"; done
	ln "$CTX/d/1" "$CTX/d/again"
	local text=$'FROM localhost/bb\nCOPY d /d\n' sums
	sums=$(cd "$CTX/d" && sha256sum 1 2 3 again)
	made "$1" <<<"$text"
	mkdir "$T/large"
	tar -xf "${LAYERS[1]}" -C "$T/large"
	same "$(cd "$T/large/d" && sha256sum 1 2 3 again)" "$sums"
	rm -r "$T/large"
	# what is read again for its new times has the digest that it was remembered by
	touch -d @1500000000 "$CTX/d/1" "$CTX/d/2"
	build "$1" <<<"$text"
	same "$(cached)" 1
	printf x | dd of="$CTX/d/2" bs=1 seek=8999999 conv=notrunc status=none
	touch -d @1500000000 "$CTX/d/2"
	build "$1" <<<"$text"
	same "$(cached)" 0
}
row69() { # a mode or owner that is given: the source's does not count
	echo "content $1" >"$CTX/f"
	chmod 644 "$CTX/f"
	local text=$'FROM localhost/bb\nCOPY --chmod=600 f /1/\nCOPY --chmod=go= f /2/\nCOPY f /3/'
	build "$1" <<<"$text"
	chmod 755 "$CTX/f"
	build "$1" <<<"$text"
	same "$(cached)" 1
	build "$1" <<<$'FROM localhost/bb AS a\nRUN echo same >/f\nFROM localhost/bb\nCOPY --from=a --chown=4:4 /f /\n'
	build "$1" <<<$'FROM localhost/bb AS a\nRUN echo same >/f && chown 3:3 /f\nFROM localhost/bb\nCOPY --from=a --chown=4:4 /f /\n'
	same "$(cached)" 1
}

# ---- sources that are not there ----

from_nowhere() {
	refused "$1" "--from=localhost/nowhere" <<<$'FROM localhost/bb\nCOPY --from=localhost/nowhere /etc/passwd /'
	[[ $OUTPUT == *"Buildfile:2:1: COPY: "* ]]
	refused "$1" "there is no such stage before this one" <<<$'FROM localhost/bb\nCOPY --from=7 /etc/passwd /'
	refused "$1" "'/nothing' is not in image 'localhost/bb'" <<<$'FROM localhost/bb\nCOPY --from=localhost/bb /nothing /'
}

# ---- names for WORKDIR and here documents ----

row60() {
	echo f >"$CTX/f"
	made "$1" <<'E'
FROM localhost/bb
ENV BASE=/from/env
RUN mkdir /real && ln -s real /sym
WORKDIR $BASE/
COPY f .
WORKDIR ../rel//x/./
COPY f ./
WORKDIR /sym/in
COPY f f
USER alice
WORKDIR owned
COPY f .
WORKDIR /
COPY f .
E
	same "$(names 2)" "from/ from/env/ "
	same "$(names 3)" "from/ from/env/ from/env/f "
	same "$(names 5)" "from/ from/rel/ from/rel/x/ from/rel/x/f "
	same "$(names 7)" "real/ real/in/ real/in/f "
	same "$(layer 8 | tail -1)" "drwxr-xr-x 1000/1001 real/in/owned/"
	same "$(layer 9 | tail -1)" "-rw-r--r-- 0/0 real/in/owned/f"
	same "$(names 10)" "f "
}
row61() { # which value wins
	made "$1" --build-arg given=line --build-arg global=line <<'E'
ARG global=global
ARG unused=g2
FROM localhost/bb
ARG given=default
ENV both="env $given"  quoted='a "b" $given' esc=a\ b
ARG both=arg
ARG global
ARG unused
ARG later
ENV multi=one\
two a=1 b=$a
LABEL "k 1"="v 1" k2=a\
b k3='$given'
COPY <<"raw" <<cooked /h/
$given
raw
$given|$both|$quoted|$esc|$global|$unused|$later|$multi|$b|
cooked
E
	same "$(content 1 h/raw)" '$given'
	same "$(content 1 h/cooked)" 'line|arg|a "b" $given|a b|line|g2||onetwo||'
	same "$(jq -rc '.config.Env[1:]' "$CONFIG")" '["both=env line","quoted=a \"b\" $given","esc=a b","multi=onetwo","a=1","b="]'
	same "$(jq -rc '.config.Labels' "$CONFIG")" '{"k 1":"v 1","k2":"ab","k3":"$given"}'
}
row62() { # here documents
	printf 'FROM localhost/bb\nENV v=value\nCOPY <<A <<-"B" <<C-D /h/\n$v \\$v ${none:-d} "q"\nA\n\t\tkept\t$v\n\tB\n  two\nC-D\nCOPY --chown=3:4 --chmod=600 <<one /as/this\nbody\none\nCOPY <<empty /h/\nempty\n' >"$T/text"
	made "$1" <"$T/text"
	same "$(content 1 h/A)" '$v $v d "q"' || same "$(content 1 h/A)" 'value $v d "q"'
	same "$(content 1 h/B)" $'kept\t$v'
	same "$(content 1 h/C-D)" '  two'
	same "$(layer 2 | tail -1)" "-rw------- 3/4 as/this"
	same "$(tar -tvf "${LAYERS[3]}" h/empty | awk '{ print $3 }')" 0
	# another text is another layer
	sed 's/^  two$/  2/' "$T/text" >"$T/text2"
	build "$1" <"$T/text2"
	same "$(cached)" 0
	build "$1" <"$T/text"
	same "$(cached)" 3
}

@test "row 43: a tree copied over a link to a directory goes where it leads (root)" { need_root; row43 root; }
@test "row 43: a tree copied over a link to a directory goes where it leads (user)" { need_user; row43 user; }
@test "row 43: a directory that would take the place of a link inside is refused (root)" { need_root; row43_tree root; }
@test "row 43: a directory that would take the place of a link inside is refused (user)" { need_user; row43_tree user; }
@test "row 44: a destination below links to directories (root)" { need_root; row44 root; }
@test "row 44: a destination below links to directories (user)" { need_user; row44 user; }
@test "row 45: a destination that is a link, dangling or not (root)" { need_root; row45 root; }
@test "row 45: a destination that is a link, dangling or not (user)" { need_user; row45 user; }
@test "row 46: sources through links, of the context and of a stage (root)" { need_root; row46 root; }
@test "row 46: sources through links, of the context and of a stage (user)" { need_user; row46 user; }
@test "a link does not lead out of the context (root)" { need_root; out_of_context root; }
@test "a link does not lead out of the context (user)" { need_user; out_of_context user; }
@test "row 47: --chown leaves what is there alone (root)" { need_root; row47 root; }
@test "row 47: --chown leaves what is there alone (user)" { need_user; row47 user; }
@test "row 48: --chown and --chmod of directories that are made (root)" { need_root; row48 root; }
@test "row 48: --chown and --chmod of directories that are made (user)" { need_user; row48 user; }
@test "row 49: the umask makes no difference (root)" { need_root; row49 root; }
@test "row 49: the umask makes no difference (user)" { need_user; row49 user; }
@test "row 50: symbolic modes (root)" { need_root; row50 root; }
@test "row 50: symbolic modes (user)" { need_user; row50 user; }
@test "row 50: a mode that is none (root)" { need_root; row50_bad root; }
@test "row 50: a mode that is none (user)" { need_user; row50_bad user; }
@test "row 51: owner and mode of a copied directory itself (root)" { need_root; row51 root; }
@test "row 51: owner and mode of a copied directory itself (user)" { need_user; row51 user; }
@test "row 52: --link makes its directories anew (root)" { need_root; row52 root; }
@test "row 52: --link makes its directories anew (user)" { need_user; row52 user; }
@test "--link: a change below does not make the copy again (root)" { need_root; link_key root; }
@test "--link: a change below does not make the copy again (user)" { need_user; link_key user; }
@test "--link with directories, archives, here documents, stages (root)" { need_root; link_more root; }
@test "--link with directories, archives, here documents, stages (user)" { need_user; link_more user; }
@test "--parents: pivot, wildcards, excludes, directories that are there (root)" { need_root; parents root; }
@test "--parents: pivot, wildcards, excludes, directories that are there (user)" { need_user; parents user; }
@test "--parents: what is refused (root)" { need_root; parents_bad root; }
@test "--parents: what is refused (user)" { need_user; parents_bad user; }
@test "--exclude: patterns, exceptions, files, stages (root)" { need_root; excludes root; }
@test "--exclude: patterns, exceptions, files, stages (user)" { need_user; excludes user; }
@test "row 53: wildcards (root)" { need_root; row53 root; }
@test "row 53: wildcards (user)" { need_user; row53 user; }
@test "row 54: archives (root)" { need_root; row54 root; }
@test "row 54: archives (user)" { need_user; row54 user; }
@test "row 54: an archive that leads out (root)" { need_root; archive_bad root; }
@test "row 54: an archive that leads out (user)" { need_user; archive_bad user; }
@test "row 56: .dockerignore (root)" { need_root; row56 root; }
@test "row 56: .dockerignore (user)" { need_user; row56 user; }
@test "row 58: a directory becomes a file (root)" { need_root; row58 root; }
@test "row 58: a directory becomes a file (user)" { need_user; row58 user; }
@test "row 68: what a cached copy depends on (root)" { need_root; row68 root; }
@test "row 68: what a cached copy depends on (user)" { need_user; row68 user; }
@test "row 68: large files (root)" { need_root; row68_large root; }
@test "row 68: large files (user)" { need_user; row68_large user; }
@test "row 69: with --chmod and --chown the source has no say (root)" { need_root; row69 root; }
@test "row 69: with --chmod and --chown the source has no say (user)" { need_user; row69 user; }
@test "--from of what is not there (root)" { need_root; from_nowhere root; }
@test "--from of what is not there (user)" { need_user; from_nowhere user; }
@test "row 60: WORKDIR and relative destinations (root)" { need_root; row60 root; }
@test "row 60: WORKDIR and relative destinations (user)" { need_user; row60 user; }
@test "row 61: which value wins (root)" { need_root; row61 root; }
@test "row 61: which value wins (user)" { need_user; row61 user; }
@test "row 62: here documents (root)" { need_root; row62 root; }
@test "row 62: here documents (user)" { need_user; row62 user; }
