#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Cases that builders got wrong: each is a real build on real overlayfs, its layers read as tars and the
# image unpacked by umoci. As root and as an ordinary user, with the same expectations.

load lib
load layers

setup_file() {
	make_scratch
	bases_setup
}
teardown_file() {
	remove_scratch
}

row1() { # deleted in one layer, made again with other content in the next
	build "$1" row1 <<'E'
FROM localhost/bb
RUN mkdir -p /d/sub && echo old >/d/old && echo old >/d/sub/old
RUN rm -r /d
RUN mkdir /d && echo new >/d/new
E
	[ "$(names 3)" = ".wh.d" ]
	[ "$(names 4)" = $'d/\nd/new' ]
	[ "$(tree | grep '^d' | cut -d' ' -f1,2)" = $'d dir\nd/new file' ]
	as "$1" imgrun --rm row1 sh -c '[ "$(ls /d)" = new ]'
}
@test "row 1: a directory made again in a later layer does not show old files (root)" { need_root; row1 root; }
@test "row 1: the same as an ordinary user" { need_user; row1 user; }

row2() { # types replaced by other types, both ways
	build "$1" row2 <<'E'
FROM localhost/bb
RUN mkdir -p /full/sub && echo x >/full/sub/f && echo x >/file && ln -s /full /link && mkdir /empty && mkfifo /pipe
RUN rm -r /full && echo y >/full && rm /file && mkdir /file && echo in >/file/in && rm /link && mkdir /link && echo in >/link/in && rmdir /empty && ln -s full /empty && rm /pipe && mkdir /pipe
E
	[ "$(names 3)" = $'empty\nfile/\nfile/in\nfull\nlink/\nlink/in\npipe/' ]
	tree >"$T/tree"
	grep -q '^full file ' "$T/tree"
	grep -q '^file dir ' "$T/tree"
	grep -q '^file/in file ' "$T/tree"
	grep -q '^link dir ' "$T/tree"
	grep -q '^empty link .* -> full$' "$T/tree"
	grep -q '^pipe dir ' "$T/tree"
	not grep -q '^full/' "$T/tree"
	as "$1" imgrun --rm row2 sh -c '[ "$(cat /full)" = y ] && [ "$(ls /link)" = in ] && [ "$(cat /empty)" = y ]'
}
@test "row 2: a file, link or fifo replaced by a directory and the reverse (root)" { need_root; row2 root; }
@test "row 2: the same as an ordinary user" { need_user; row2 user; }

row3() { # rm -rf d && mkdir d: stays, and is empty
	build "$1" row3 <<'E'
FROM localhost/bb
RUN mkdir /d && echo old >/d/old
RUN rm -rf /d && mkdir /d
RUN rm -rf /d && mkdir /d && echo new >/d/new
E
	[ "$(names 3)" = $'d/\nd/.wh..wh..opq' ]
	[ "$(tree | grep '^d' | cut -d' ' -f1,2)" = $'d dir\nd/new file' ]
	as "$1" imgrun --rm row3 sh -c '[ "$(ls /d)" = new ]'
}
@test "rows 3 and 4: a directory removed and made again in one step (root)" { need_root; row3 root; }
@test "rows 3 and 4: the same as an ordinary user" { need_user; row3 user; }

row4() {
	build "$1" row4 <<'E'
FROM localhost/bb
RUN mkdir /d && echo old >/d/old && echo old >/d/same
RUN rm -rf /d && mkdir /d && echo new >/d/new
E
	# the mark, never a whiteout of the directory beside the directory itself
	[ "$(names 3)" = $'d/\nd/.wh..wh..opq\nd/new' ]
	[ "$(tree | grep '^d' | cut -d' ' -f1,2)" = $'d dir\nd/new file' ]
}
@test "row 4: with a new file in it, the layer has an opaque mark (root)" { need_root; row4 root; }
@test "row 4: the same as an ordinary user" { need_user; row4 user; }

row13() { # a user's file called .wh.x
	mkdir -p "$T/$1-row13"
	printf 'FROM localhost/bb\nRUN echo x >/etc/.wh.passwd\n' >"$T/$1-row13/Buildfile"
	chmod a+rX "$T/$1-row13"
	run as "$1" imgbuild -q -t row13 "$T/$1-row13"
	echo "$output"
	# the daemon does not let the step make it
	[ "$status" = "$([ "${IMGBUILD_STORAGE_DRIVER-}" = fuse ] && echo 1 || echo 3)" ]
	[[ $output == *"etc/.wh.passwd"* ]]
	run as "$1" imgstore inspect row13
	[ "$status" = 3 ]
}
@test "row 13: a file whose name begins with .wh. is refused (root)" { need_root; row13 root; }
@test "row 13: the same as an ordinary user" { need_user; row13 user; }

row15() { # mv of a lower directory
	build "$1" row15 <<'E'
FROM localhost/bb
RUN mkdir -p /old/sub && echo content >/old/sub/f
RUN mv /old /new
E
	[ "$(names 3)" = $'.wh.old\nnew/\nnew/sub/\nnew/sub/f' ]
	[ "$(tar -xOf "${LAYERS[2]}" new/sub/f)" = content ]
	[ "$(tree | grep -E '^(new|old)' | cut -d' ' -f1)" = $'new\nnew/sub\nnew/sub/f' ]
}
@test "row 15: a renamed directory of a lower layer keeps its content (root)" { need_root; row15 root; }
@test "row 15: the same as an ordinary user" { need_user; row15 user; }

row16() { # chmod and chown only
	build "$1" row16 <<'E'
FROM localhost/bb
RUN echo content >/f && echo content >/g
RUN chmod 600 /f && chown 5:6 /g
E
	[ "$(names 3)" = $'f\ng' ]
	[ "$(tar -xOf "${LAYERS[2]}" f g)" = $'content\ncontent' ]
	[[ $(entry 3 f) == -rw-------\ 0/0\ * ]]
	[[ $(entry 3 g) == -rw-r--r--\ 5/6\ * ]]
}
@test "row 16: a file whose mode or owner alone changed has its content (root)" { need_root; row16 root; }
@test "row 16: the same as an ordinary user" { need_user; row16 user; }

row19() { # metadata of a lower directory
	build "$1" row19 <<'E'
FROM localhost/bb
RUN mkdir -p /p/d /p/e /p/t && echo x >/p/d/f && chmod 750 /p
RUN chmod 700 /p/d
RUN chown 7:8 /p/e
RUN touch -d @1600000000 /p/t
E
	# the parent comes along with its own mode, the children do not
	[ "$(names 3)" = $'p/\np/d/' ]
	[[ $(entry 3 p/d/) == drwx------\ 0/0\ * ]]
	[[ $(tar --numeric-owner -tvf "${LAYERS[2]}" | head -1) == drwxr-x---\ 0/0\ * ]]
	[[ $(entry 4 p/e/) == drwxr-xr-x\ 7/8\ * ]]
	[[ $(TZ=UTC entry 5 p/t/) == *"2020-09-13 12:26:40"* ]]
	tree | grep -q '^p/d/f file'
}
@test "row 19: a change of a directory's metadata alone (root)" { need_root; row19 root; }
@test "row 19: the same as an ordinary user" { need_user; row19 user; }

row22() { # a step that changes nothing
	build "$1" row22 <<'E'
FROM localhost/bb
RUN true
RUN touch -r /etc/passwd /etc/passwd && chmod 644 /etc/passwd && : >>/etc/group
E
	empty=sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef
	[ "$(jq -r '.rootfs.diff_ids[1]' "$CONFIG")" = "$empty" ]
	[ "$(jq -r '.rootfs.diff_ids[2]' "$CONFIG")" = "$empty" ]
}
@test "rows 20 and 22: a step that changes nothing gives the canonical empty layer (root)" { need_root; row22 root; }
@test "rows 20 and 22: the same as an ordinary user" { need_user; row22 user; }

row23() { # history and layers in step
	build "$1" row23 <<'E'
FROM localhost/bb
ENV A=1
RUN echo 1 >/1
ENV B=2
LABEL c=3
RUN true
WORKDIR /w
CMD ["x"]
E
	[ "$(jq '[.history[] | select(.empty_layer != true)] | length' "$CONFIG")" = "$(jq '.rootfs.diff_ids | length' "$CONFIG")" ]
	[ "$(jq -r '.history[1:][] | "\(.empty_layer // false) \(.created_by)"' "$CONFIG")" = 'true ENV A=1
false RUN /bin/sh -c echo 1 >/1 # buildkit
true ENV B=2
true LABEL c=3
false RUN /bin/sh -c true # buildkit
false WORKDIR /w
true CMD ["x"]' ]
}
@test "row 23: history and layers stay in step with empty layers between (root)" { need_root; row23 root; }
@test "row 23: the same as an ordinary user" { need_user; row23 user; }

row28() { # overlay's own attributes stay out
	build "$1" row28 <<'E'
FROM localhost/bb
RUN mkdir /d && echo x >/d/f && setfattr -n user.mine -v kept /d/f 2>/dev/null; ln /d/f /d/g
RUN rm -rf /d && mkdir /d && echo y >/d/f && echo z >>/etc/passwd && mkdir /etc/new
E
	for layer in "${LAYERS[@]}"; do
		not grep -aqE 'overlay\.(opaque|origin|impure|nlink|redirect|metacopy|upper|uuid)' "$layer"
	done
}
@test "row 28: no attribute of overlayfs is in a layer (root)" { need_root; row28 root; }
@test "row 28: the same as an ordinary user" { need_user; row28 user; }

row31() { # hard links of one step
	build "$1" row31 <<'E'
FROM localhost/bb
RUN echo content >/b && ln /b /a && mkdir /c && ln /b /c/d
E
	tar -tvf "${LAYERS[1]}" >"$T/list"
	# stored once, under the first name; each other name points to it and not to a chain
	[ "$(grep -c '^-' "$T/list")" = 1 ]
	grep -qE '^-.* a$' "$T/list"
	grep -q '^h.* b link to a$' "$T/list"
	grep -q '^h.* c/d link to a$' "$T/list"
	[ "$(tree | grep -c 'same-as:a$')" = 3 ]
}
@test "row 31: hard links of one step are stored once (root)" { need_root; row31 root; }
@test "row 31: the same as an ordinary user" { need_user; row31 user; }

row63() { # no trace of the sandbox
	build "$1" row63 <<'E'
FROM localhost/bb
RUN true
RUN cat /etc/hosts /etc/resolv.conf >/seen && ls /proc /sys /dev >/dev/null
E
	[ "$(names 3)" = seen ]
	mkdir -p "$T/$1-scratch"
	cp "$(command -v busybox)" "$T/$1-scratch/busybox"
	build "$1" scratch <<'E'
FROM scratch
COPY busybox /busybox
RUN ["/busybox", "true"]
RUN ["/busybox", "touch", "/made"]
E
	[ "$(names 1)" = busybox ]
	[ -z "$(names 2)" ]
	[ "$(names 3)" = made ]
	[ "$(tree | cut -d' ' -f1)" = $'.\nbusybox\nmade' ]
}
@test "row 63: hosts, resolv.conf, hostname and mount points leave no trace (root)" { need_root; row63 root; }
@test "row 63: the same as an ordinary user" { need_user; row63 user; }

row64() { # steps that edit or replace them
	build "$1" row64 <<'E'
FROM localhost/bb
RUN echo image >/etc/issue && touch -d @1600000000 /etc
RUN sed -i 's/localhost/other/' /etc/hosts && echo 10.0.0.1 x >>/etc/hosts && touch -d @1600000000 /etc
RUN rm -rf /etc/resolv.conf && ln -s ../run/resolv.conf /etc/resolv.conf && touch -d @1600000000 /etc
RUN rm /etc/hosts && touch -d @1600000000 /etc
RUN rm -rf /etc && mkdir /etc && echo alone >/etc/alone
E
	[ -z "$(names 3)" ]
	[ "$(names 4)" = $'etc/\netc/resolv.conf' ]
	[[ $(entry 4 etc/resolv.conf) == l*"../run/resolv.conf" ]]
	[ -z "$(names 5)" ]
	[ "$(names 6)" = $'etc/\netc/.wh..wh..opq\netc/alone' ]
	[ "$(tree | grep ^etc | cut -d' ' -f1)" = $'etc\netc/alone' ]
}
@test "row 64: a step that edits, replaces or removes them works, and only a link is kept (root)" { need_root; row64 root; }
@test "row 64: the same as an ordinary user" { need_user; row64 user; }

parents() { # no parent's time changes when a child is only looked at, copied up unchanged, or dropped
	build "$1" parents <<'E'
FROM localhost/bb
RUN mkdir -p /a/b/c && echo x >/a/b/c/f && echo x >/a/b/g && find /a -exec touch -d @1500000000 {} +
RUN : >>/a/b/c/f && chmod 644 /a/b/g
RUN echo y >>/a/b/g && touch -d @1500000001 /a/b/g
E
	[ -z "$(names 3)" ]
	[ "$(names 4)" = $'a/\na/b/\na/b/g' ]
	[ "$(TZ=UTC tar --full-time -tvf "${LAYERS[3]}" | awk '{ print $4, $5 }' | sort | uniq -c | awk '{ print $1, $3 }')" = $'2 02:40:00\n1 02:40:01' ]
}
@test "a parent's time is that of the step or of the image, never the sandbox's (root)" { need_root; parents root; }
@test "the same as an ordinary user" { need_user; parents user; }
