#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Deletions, opaque directories and changes of type in layers that a build makes and in such as others made: rows 5 to 24.
# Every image is compared on every way (layers.bash), as root and as an ordinary user.

load lib
load layers

setup_file() {
	make_scratch
	bases_setup
	mk below.tar <<-'END'
		dir d mtime=1500000001
		file d/old content=old
		file d/gone content=gone
		dir d/sub mode=750
		file d/sub/deep content=deep
		link l d
		link dead not/here
		dir usr
		dir usr/lib
		file usr/lib/x content=x
		file usr/lib/y content=y
		link lib usr/lib
		file top content=top
	END
}
teardown_file() {
	remove_scratch
}

row5() { # the kernel marks every directory made in a merged one opaque
	build "$1" row5 <<'E'
FROM localhost/bb
RUN mkdir -m 750 /etc/new && mkdir -m 2711 /etc/new/er && echo x >/etc/new/f
RUN mkdir -m 700 /etc/new/er/deep && echo y >/etc/new/er/deep/f
RUN echo z >/etc/new/g
E
	[ "$(names 2)" = $'etc/\netc/new/\netc/new/er/\netc/new/f' ]
	[ "$(names 3)" = $'etc/\netc/new/\netc/new/er/\netc/new/er/deep/\netc/new/er/deep/f' ]
	[[ $(entry 2 etc/new/) == *'drwxr-x--- 0/0 '*etc/new/* ]]
	[[ $(entry 3 etc/new/ | head -1) == 'drwxr-x--- 0/0 '* ]]
	for i in 2 3 4; do lacks $i 'wh\.'; done
	grep -q '^etc/new dir 0750 ' "$T/same"
	grep -q '^etc/new/er dir 2711 ' "$T/same"
	[ "$(as "$1" imgrun --rm row5 sh -c 'echo /etc/new/* /etc/new/er/deep/*')" = \
		"/etc/new/er /etc/new/f /etc/new/g /etc/new/er/deep/f" ]
}
@test "row 5: a new directory in an old one deletes nothing, and keeps its mode (root)" { need_root; row5 root; }
@test "row 5: the same as an ordinary user" { need_user; row5 user; }

row6() { # deletions after their siblings
	mk 6.tar <<-'END'
		dir d
		file d/new content=new
		file d/old content=new
		file d/.wh.old
		file d/.wh.gone
		dir d/sub
		file d/sub/new content=new
		file d/sub/.wh..wh..opq
		dir usr
		file usr/lib content=file
		file usr/.wh.lib
	END
	pulled "$1" row6 bb.tar below.tar 6.tar
	shows 'd dir
d/new file
d/old file
d/sub dir
d/sub/new file
dead link
l link
lib link
top file
usr dir
usr/lib file
'
	[ "$(as "$1" imgrun --rm localhost/row6 cat d/old usr/lib)" = newfile ]
}
@test "row 6: deletions that come after new siblings delete none of them (root)" { need_root; row6 root; }
@test "row 6: the same as an ordinary user" { need_user; row6 user; }

row7() { # deleted in one layer, there again in the next
	mk 7a.tar <<-'END'
		file .wh.top
		dir d
		file d/.wh.old
		file .wh.usr
	END
	mk 7b.tar <<-'END'
		file top content=again
		dir d mtime=1500000007
		file d/old content=again
		dir usr mode=711
	END
	pulled "$1" row7 bb.tar below.tar 7a.tar 7b.tar
	shows 'd dir
d/gone file
d/old file
d/sub dir
d/sub/deep file
dead link
l link
lib link
top file
usr dir
'
	[ "$(as "$1" imgrun --rm localhost/row7 cat top d/old d/gone)" = againagaingone ]
	grep -q '^usr dir 0711 ' "$T/same"
}
@test "row 7: a file that a later layer has again is there (root)" { need_root; row7 root; }
@test "row 7: the same as an ordinary user" { need_user; row7 user; }

row8() { # all layers made one
	mk 8.tar <<-'END'
		dir d
		file d/.wh..wh..opq
		file d/new
		dir usr
		file usr/.wh.lib
	END
	pulled "$1" row8 bb.tar below.tar 8.tar
	cp "$T/same" "$T/$1-row8-tree"
	build "$1" flat <<'E'
FROM localhost/row8 AS all
FROM scratch
COPY --from=all / /
E
	[ ${#LAYERS[@]} = 1 ]
	lacks 1 'wh\.'
	diff <(grep -v '^\. ' "$T/$1-row8-tree") <(grep -v '^\. ' "$T/same")
	not grep -qE '^(d/(old|gone|sub|\.)|usr/lib)' "$T/same"
}
@test "row 8: what an opaque mark hides stays hidden when layers are made one (root)" { need_root; row8 root; }
@test "row 8: the same as an ordinary user" { need_user; row8 user; }

row9() { # deletion deep down
	build "$1" row9 <<'E'
FROM localhost/bb
RUN mkdir -p /a/b/c && touch /a/b/c/f /a/b/c/g /a/b/h && find /a -exec touch -d @1500000000 {} +
RUN rm /a/b/c/f /a/b/h && find /a -exec touch -d @1500000000 {} +
E
	[ "$(names 3)" = $'a/\na/b/\na/b/.wh.h\na/b/c/\na/b/c/.wh.f' ]
	shows 'a dir
a/b dir
a/b/c dir
a/b/c/g file
'
}
@test "row 9: the mark of a deletion is a name in its own directory (root)" { need_root; row9 root; }
@test "row 9: the same as an ordinary user" { need_user; row9 user; }

row10() { # an opaque mark, whiteouts and new things of the same names in one directory
	mk 10.tar <<-'END'
		dir d
		file d/.wh..wh..opq
		file d/.wh.old
		link d/old target
		file d/.wh.sub
		dir d/sub mode=711
		file d/.wh.never
	END
	pulled "$1" row10 bb.tar below.tar 10.tar
	shows 'd dir
d/old link
d/sub dir
dead link
l link
lib link
top file
usr dir
usr/lib dir
usr/lib/x file
usr/lib/y file
'
	[ "$(as "$1" imgrun --rm localhost/row10 sh -c 'ls -A d | tr "\n" " "')" = "old sub " ]
	build "$1" row10b <<'E'
FROM localhost/row10
RUN seen=$(ls -A /d) && echo $seen >/d/seen && rm /d/old && echo x >/d/old
E
	[ "$(names 4)" = $'d/\nd/old\nd/seen' ]
	[ "$(as "$1" imgrun --rm row10b cat /d/seen)" = "old sub" ]
}
@test "row 10: opaque mark, whiteouts and links of one name in a directory (root)" { need_root; row10 root; }
@test "row 10: the same as an ordinary user" { need_user; row10 user; }

row11() { # deletions of what cannot be deleted
	local name
	for name in .wh. .wh.. .wh... d/.wh. d/.wh.. d/.wh... .wh./; do
		mk 11.tar <<<"file $name"
		rm -rf "$T/in-row11"
		python3 "$top_srcdir/tests/layout-of.py" "$T/in-row11" latest "$T/below.tar" "$T/11.tar"
		chmod -R a+rX "$T/in-row11"
		run as "$1" imgpull -q "oci:$T/in-row11:latest" localhost/row11
		echo "$output"
		[ "$status" = 3 ]
		[[ $output == *"entry '${name%/}': it would delete its own directory or the one above" ]]
	done
	# not a mark, but a file called ".opq" that is deleted
	mk 11.tar <<-'END'
		dir d
		file d/.wh..opq
	END
	pulled "$1" row11b bb.tar below.tar 11.tar
	grep -q '^d/old file' "$T/same"
}
@test "row 11: a deletion of a directory itself or the one above is refused (root)" { need_root; row11 root; }
@test "row 11: the same as an ordinary user" { need_user; row11 user; }

row12() { # parents that are links, dead links, or not there
	mk 12.tar <<-'END'
		file lib/.wh.x
		file l/sub/.wh.deep
		file dead/.wh.z
		file nowhere/at/all/.wh.q
	END
	pulled "$1" row12 bb.tar below.tar 12.tar
	shows 'd dir
d/gone file
d/old file
d/sub dir
dead link
l link
lib link
not dir
not/here dir
nowhere dir
nowhere/at dir
nowhere/at/all dir
top file
usr dir
usr/lib dir
usr/lib/y file
'
	[ "$(as "$1" imgrun --rm localhost/row12 stat -c %a d/sub)" = 750 ]
}
@test "row 12: deletions below links, dead links and directories that are not there (root)" { need_root; row12 root; }
@test "row 12: the same as an ordinary user" { need_user; row12 user; }

row14() { # twice, of nothing, of a link
	mk 14.tar <<-'END'
		file .wh.top
		file .wh.never
		file .wh.top
		file .wh.l
		dir d
		file d/.wh.old
		file d/.wh.old
		file d/.wh..wh..opq
		file d/.wh..wh..opq
		file .wh.d
	END
	pulled "$1" row14 bb.tar below.tar 14.tar
	shows 'd dir
dead link
lib link
usr dir
usr/lib dir
usr/lib/x file
usr/lib/y file
'
	# what came and went leaves no mark, nor does what an earlier step deleted
	build "$1" row14b <<'E'
FROM localhost/bb
RUN mkdir /d && touch /d/f && ln -s f /d/l
RUN touch /d/n && rm /d/n /d/l
RUN rm -f /d/n /d/l && touch /d/l && rm /d/l
RUN rm -r /d && mkdir /d && rmdir /d
E
	[ "$(names 3)" = $'d/\nd/.wh.l' ]
	lacks 4 'wh\.'
	[ "$(names 5)" = .wh.d ]
}
@test "row 14: deletions said twice, and of what never was (root)" { need_root; row14 root; }
@test "row 14: the same as an ordinary user" { need_user; row14 user; }

row17() { # size and time are as they were
	build "$1" row17 <<'E'
FROM localhost/bb
RUN mkdir /d && echo abc >/d/f && ln -s abc /d/l && echo abc >/d/same && find /d -exec touch -hd @1500000000 {} +
RUN echo abd >/d/f && ln -sfn abd /d/l && echo abc >/d/same && find /d -exec touch -hd @1500000000 {} +
RUN f=$(cat /d/f) && rm /d/f && echo "$f" >/d/f && find /d -exec touch -hd @1500000000 {} +
E
	[ "$(names 3)" = $'d/\nd/f\nd/l' ]
	[ -z "$(names 4)" ]
	grep -q ' -> abd ' "$T/same"
	[ "$(as "$1" imgrun --rm row17 cat /d/f)" = abd ]
}
@test "row 17: content of the same size and time is a change (root)" { need_root; row17 root; }
@test "row 17: the same as an ordinary user" { need_user; row17 user; }

row18() { # there and back, by a tool that knows whole seconds
	mk 18.tar <<-'END'
		dir ./ mtime=1500000000
		dir d mtime=1500000001.75
		dir d/sub mtime=1500000002.25
		file d/sub/f content=f mtime=1500000003.125
		link d/l t mtime=1500000004.5
	END
	pulled "$1" row18 bb.tar 18.tar
	build "$1" row18b <<'E'
FROM localhost/row18
RUN for f in d/sub/f d/sub d; do touch -hd @$(stat -c %Y /$f) /$f; done; touch -d @1500000000 /
RUN mv /d/sub/f / && mv /f /d/sub/f && chmod 600 /d/sub/f && chmod 644 /d/sub/f && touch -d @1500000002 /d/sub && touch -d @1500000001 /d && touch -d @1500000000 /
RUN mv /d /e && mv /e /d && touch -d @1500000000 /
RUN mv /d /e && mv /e /d && rm /d/l && echo g >/d/sub/g && touch -d @1500000000 /
E
	# a fraction cut off is a change, once; then there is nothing more to change
	[ "$(names 3)" = $'d/\nd/sub/\nd/sub/f' ]
	[ -z "$(names 4)" ]
	case ${IMGBUILD_STORAGE_DRIVER-} in
	copy) [ -z "$(names 5)" ] ;; # mv renames what no union lets it
	*) [ "$(names 5)" = $'d/\nd/l' ] ;; # which had its fraction until it was copied
	esac
	[ "$(names 6)" = $'d/\nd/.wh.l\nd/sub/\nd/sub/g' ]
	[ "$(as "$1" imgrun --rm row18b find d | sort | tr '\n' ' ')" = "d d/sub d/sub/f d/sub/g " ]
}
@test "row 18: a tree that was moved there and back (root)" { need_root; row18 root; }
@test "row 18: the same as an ordinary user" { need_user; row18 user; }

row20() { # all that looks like a change
	build "$1" row20 <<'E'
FROM localhost/bb
RUN mkdir -m 711 /d && echo x >/d/f && chmod 640 /d/f && chown 5:6 /d/f && ln -s f /d/l && ln /d/f /d/g
RUN cd /d && touch -r f f && touch -r g g && chmod 640 f && chown 5:6 f && touch -hr l l && chmod 711 . && chown 0:0 . && : >>g && touch -r f g
RUN cd /d && touch -r /d /tmp/time && cp -a f h && mv h f2 && rm f2 && touch -r /tmp/time /d && rm /tmp/time
E
	[ -z "$(names 3)" ]
	lacks 4 '^d'
}
@test "row 20: what was touched and is as it was is not in the layer (root)" { need_root; row20 root; }
@test "row 20: the same as an ordinary user" { need_user; row20 user; }

@test "row 21: opaque directories and deletions of an ordinary user's build, read by root" {
	need_root
	need_user
	local user_config text='FROM localhost/bb
RUN mkdir -p /d/sub /e && touch /d/sub/f /d/f /e/x /e/y /tmp/f
RUN rm -r /d && mkdir /d && touch /d/n && rm /e/x && rm /tmp/f && mkdir /tmp/f
RUN rm -rf /d && mkdir -p /d/sub'
	export SOURCE_DATE_EPOCH=1700000000
	build user row21 <<<"$text"
	cp "$T/same" "$T/row21-user"
	user_config=$CONFIG
	# marks of either kind say the same
	as root imgpull -q "oci:$OUT:latest" localhost/of-user >&2
	push root localhost/of-user
	same root localhost/of-user
	diff "$T/row21-user" "$T/same"
	shows 'd dir
d/sub dir
e dir
e/y file
tmp/f dir
'
	build root row21 <<<"$text"
	diff "$T/row21-user" "$T/same"
	cmp "$user_config" "$CONFIG"
	chmod -R a+rX "$OUT"
	as user imgpull -q "oci:$OUT:latest" localhost/of-root >&2
	push user localhost/of-root
	same user localhost/of-root
	diff "$T/row21-user" "$T/same"
}

row24() { # nothing is skipped because of where it is
	local dirs="run run/systemd var/run var/lib/docker kaniko workspace busybox .buildah mnt/x media srv opt lost+found var/tmp tmp var/cache/apt etc" d
	build "$1" row24 <<E
FROM localhost/bb
RUN for d in $dirs; do mkdir -p /\$d && echo \$d >/\$d/f; done && echo x >/.dockerenv
E
	for d in $dirs; do
		grep -qxF "$d/f" <(names 2)
		grep -qF "$d/f file " "$T/same"
	done
	grep -qF '.dockerenv file' "$T/same"
}
@test "row 24: no directory is left out for its name (root)" { need_root; row24 root; }
@test "row 24: the same as an ordinary user" { need_user; row24 user; }
