#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# imgstore diff and imgstore history: what images say of their layers. The differences are held against those of
# two mounted trees.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
	make_scratch
	busybox_tar "$T/bb.tar"
	chmod 644 "$T/bb.tar"
	mkdir "$T/ctx"
	cat >"$T/ctx/base" <<'E'
FROM localhost/bb
RUN mkdir -p /keep/sub /gone/sub /again/sub /hides /dirs/a/b && \
	for i in keep/a keep/b keep/sub/c gone/x gone/sub/y again/old again/sub/old hides/in mine dirs/a/b/f; do echo base $i >/$i; done && \
	ln /keep/a /keep/linked && ln -s keep /way && mknod /dev-a c 1 3 || mkfifo /dev-a
E
	cat >"$T/ctx/steps" <<'E'
FROM localhost/base
RUN mkdir -p /new/d && echo 1 >/new/d/one
RUN rm -r /gone /keep/linked && echo base keep/x >/keep/a && chmod 600 /keep/b && chown 1:2 /keep/sub/c
RUN rm -r /again && mkdir /again && echo new >/again/new
RUN rm -r /hides && echo a file now >/hides && rm /mine && mkdir /mine && echo in >/mine/in
RUN ln -sfn new /way && touch -d @1500000000 /etc/passwd && rm -f /dev-a && mkdir /dev-a
E
	cat >"$T/ctx/other" <<'E'
FROM localhost/base
RUN echo other >/keep/a && rm -r /dirs/a && mkdir -p /dirs/a/b && touch /dirs/a/b/g && echo 1 >/only
E
	chmod -R a+rX "$T/ctx"
	for who in root user; do
		can_build "$who" || continue
		as "$who" imgstore import "$T/bb.tar" localhost/bb >&2
		for name in base steps other; do
			as "$who" imgbuild -q -f "$T/ctx/$name" -t "localhost/$name" "$T/ctx" >&2
		done
	done
}
teardown_file() {
	remove_scratch
}

# What two dumps differ in: "A /path", "C /path", "D /path". How often a file has a name that does not show is
# overlayfs' own affair.
dumps_differ() {
	python3 - "$1" "$2" <<'E'
import re, sys
def load(path):
    with open(path) as f:
        lines = (re.sub(r' same-as:\S+', '', line.rstrip('\n')) for line in f)
        return dict(line.split(' ', 1) for line in lines)
a, b = load(sys.argv[1]), load(sys.argv[2])
for name in sorted(set(a) | set(b)):
    if name != '.' and a.get(name) != b.get(name):
        print('C' if name in a and name in b else 'A' if name in b else 'D', '/' + name)
E
}

against_dumps() {
	need_builder "$1"
	for pair in "base steps" "steps base" "steps other" "other steps" "bb other" "base base"; do
		set -- "$1" $pair
		image_tree "$1" "localhost/$2" >"$T/a"
		image_tree "$1" "localhost/$3" >"$T/b"
		dumps_differ "$T/a" "$T/b" | LC_ALL=C sort >"$T/theirs"
		as "$1" imgstore diff "localhost/$2" "localhost/$3" | tail -n +2 | sed -E 's/^(.) .* (\/[^ ]*)$/\1 \2/' | LC_ALL=C sort >"$T/ours"
		diff "$T/theirs" "$T/ours"
		[ "$2" = "$3" ] || [ -s "$T/ours" ]
	done
}
@test "two images differ in what their trees differ in (root)" { against_dumps root; }
@test "two images differ in what their trees differ in (user)" { against_dumps user; }

@test "the fields that changed, and sizes" {
	need_root
	as root imgstore diff localhost/base localhost/steps >"$T/table"
	cat "$T/table"
	head -1 "$T/table" | grep -qE '^CHANGE +SIZE +FIELDS +PATH$'
	line() { grep -E " $1\$" "$T/table" | sed 's/  */ /g'; }
	[ "$(line /new/d/one)" = "A 2B /new/d/one" ]
	[ "$(line /gone/x)" = "D 12B /gone/x" ]
	[ "$(line /gone)" = "D /gone" ]
	[[ $(line /keep/a) == "C 12B content"*" /keep/a" ]]
	[ "$(line /keep/b)" = "C 12B mode /keep/b" ]
	[ "$(line /keep/sub/c)" = "C 16B owner /keep/sub/c" ]
	[ "$(line /hides)" = "C 11B type /hides" ]
	[ "$(line /hides/in)" = "D 14B /hides/in" ]
	[ "$(line /mine)" = "C 10B type /mine" ]
	[[ $(line /way) == "C content"*" /way" ]]
	[ "$(line /etc/passwd)" = "C 107B mtime /etc/passwd" ]
	[ "$(as root imgstore diff localhost/other localhost/steps | grep ' /keep/a$' | sed 's/  */ /g' | cut -d' ' -f1-4)" = "C 6B -> 12B" ]
	as root imgstore diff --format json localhost/base localhost/steps >"$T/json"
	[ "$(jq -c '.[] | select(.Path == "/keep/b")' "$T/json")" = '{"Kind":"changed","Path":"/keep/b","Type":"file","Fields":["mode"],"OldSize":12,"Size":12}' ]
	[ "$(jq -c '.[] | select(.Path == "/gone/sub")' "$T/json")" = '{"Kind":"deleted","Path":"/gone/sub","Type":"directory"}' ]
	[ "$(jq -c '.[] | select(.Path == "/new/d/one")' "$T/json")" = '{"Kind":"added","Path":"/new/d/one","Type":"file","Size":2}' ]
	[ "$(jq -r '.[].Path' "$T/json" | wc -l)" = "$(tail -n +2 "$T/table" | wc -l)" ]
}

@test "of one image, what its last layer changes" {
	need_root
	[ "$(as root imgstore diff localhost/other | sed 's/  */ /g' | grep -c .)" -gt 4 ]
	as root imgstore diff localhost/other | grep -qE '^A +2B +/only$'
	[ "$(as root imgstore diff localhost/bb | grep -c '^A ')" -gt 100 ]
	[ "$(as root imgstore diff localhost/bb localhost/bb | wc -l)" = 1 ]
	[ "$(as root imgstore diff --format json localhost/bb localhost/bb | jq -c .)" = "[]" ]
	run -3 as root imgstore diff localhost/none
	[[ ${output} == "imgstore: image 'localhost/none' is not in the store"* ]]
}

@test "history: docker's columns, newest first" {
	need_root
	as root imgstore history localhost/other >"$T/table"
	cat "$T/table"
	head -1 "$T/table" | grep -qE '^IMAGE +CREATED +CREATED BY +SIZE +COMMENT$'
	id=$(as root imgstore inspect localhost/other | jq -r '.[0].Id')
	sed -n 2p "$T/table" | grep -qE "^${id:7:12} +.* ago +RUN /bin/sh -c echo other >/keep/a && rm -r … +8B +buildkit.dockerfile.v0$"
	sed -n 3p "$T/table" | grep -q '^<missing> '
	as root imgstore history --human=false --no-trunc localhost/other >"$T/table"
	sed -n 2p "$T/table" | grep -qE "^$id +20[0-9]{2}-[0-9-]*T[0-9:.]*Z +RUN .* touch /dirs/a/b/g && echo 1 >/only # buildkit +8 +buildkit"
	[ "$(as root imgstore history -q localhost/other)" = "${id:7:12}"$'\n<missing>\n<missing>' ]
	[ "$(as root imgstore history -q --no-trunc localhost/other | head -1)" = "$id" ]
	[ "$(as root imgstore history --format json localhost/other | jq -r '.[0].Id, .[0].Size')" = "$id"$'\n8' ]
}
