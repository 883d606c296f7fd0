#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Cases that builders got wrong in what a step leaves, and in when it is made again. As root and as an ordinary
# user, with the same expectations.

load lib
load layers

EMPTY_LAYER=5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef

setup_file() {
	make_scratch
	bases_setup
}
teardown_file() {
	remove_scratch
}

row59() { # what is written below a VOLUME later stays, whoever declared it
	mkdir -p "$T/$1-row59"
	echo f >"$T/$1-row59/f"
	build "$1" row59 <<'E'
FROM localhost/bb AS base
RUN mkdir -p /v/sub && echo below >/v/below && echo gone >/v/gone
VOLUME /v
FROM base
RUN echo run >/v/run && chown -R 1000:1001 /v/sub && rm /v/gone && [ "$(cat /v/below)" = below ]
COPY --chown=1000:1001 f /v/copied
VOLUME ["/w", "/v/sub"]
RUN mkdir /w && echo w >/w/w && chmod 700 /v/sub && echo in >/v/sub/in
WORKDIR /w/work
RUN [ "$(cat /v/run /v/copied /w/w /v/sub/in | xargs)" = "run f w in" ] && [ ! -e /v/gone ]
E
	[ "$(names 3)" = $'v/\nv/.wh.gone\nv/run\nv/sub/' ]
	[[ $(entry 3 v/sub/ | head -1) == "drwxr-xr-x 1000/1001 "* ]]
	[ "$(names 4)" = $'v/\nv/copied' ]
	[[ $(entry 4 v/copied) == "-rw-r--r-- 1000/1001 "* ]]
	[ "$(names 5)" = $'v/\nv/sub/\nv/sub/in\nw/\nw/w' ]
	[ "$(names 6)" = $'w/\nw/work/' ]
	[ "$(jq -c '.config.Volumes | keys' "$CONFIG")" = '["/v","/v/sub","/w"]' ]
}
@test "row 59: what is written below a VOLUME stays, of this file or inherited (root)" { need_root; row59 root; }
@test "row 59: what is written below a VOLUME stays, of this file or inherited (user)" { need_user; row59 user; }

row65() { # mounts leave no stub, no parent and no time behind
	local i
	mkdir -p "$T/$1-row65/d"
	echo f >"$T/$1-row65/d/f"
	echo secret >"$T/secret"
	chmod 644 "$T/secret"
	build "$1" row65 --secret "id=s,src=$T/secret" <<'E'
FROM localhost/bb AS other
RUN mkdir /o && echo o >/o/o
FROM localhost/bb
RUN mkdir -p /is/there && touch /is/file && touch -d @1500000000 /is/there /is/file /is /etc /
RUN --mount=target=/a/b/c cat /a/b/c/d/f
RUN --mount=source=d/f,target=/a/b/c cat /a/b/c
RUN --mount=target=/a/b/c,rw touch /a/b/c/new
RUN --mount=from=other,source=o,target=/a/b/c cat /a/b/c/o
RUN --mount=from=other,source=o,target=/is/there/x/y,rw touch /is/there/x/y/new
RUN --mount=type=cache,target=/a/b/c touch /a/b/c/new
RUN --mount=type=cache,target=/is/there touch /is/there/new
RUN --mount=type=tmpfs,target=/a/b/c touch /a/b/c/new
RUN --mount=type=secret,id=s,target=/a/b/c cat /a/b/c >/dev/null
RUN --mount=type=secret,id=s cat /run/secrets/s >/dev/null
RUN --mount=type=secret,id=s,target=/is/file cat /is/file >/dev/null
RUN --mount=type=secret,id=s,target=/etc/deep/er cat /etc/deep/er >/dev/null
RUN --mount=type=secret,id=missing,target=/a/b/c [ ! -e /a/b/c ]
RUN --mount=type=tmpfs,target=/a --mount=type=cache,target=/a/b --mount=type=bind,target=/a/b/c true
WORKDIR /is
RUN --mount=type=bind,target=there --mount=type=tmpfs,target=../etc/new/x true
RUN <<X
#!/bin/sh
true
X
E
	for i in $(seq 3 19); do
		[ "$i" != 17 ] || continue
		[[ ${LAYERS[$((i - 1))]} == *"/$EMPTY_LAYER" ]] || { echo "layer $i: $(names "$i")"; return 1; }
	done
	as "$1" imgrun --rm row65 sh -c '[ ! -e /a ] && [ "$(stat -c %Y /is/there /is/file /etc | sort -u)" = 1500000000 ] && [ ! -e /run/secrets ] && [ -z "$(ls -A /is/there)" ]'
	# what a step makes itself on the way is its own
	build "$1" row65-own <<'E'
FROM localhost/bb
RUN --mount=type=tmpfs,target=/a/b/c touch /a/mine
RUN --mount=type=tmpfs,target=/a/b/c mkdir -m 750 /p && cp /a/mine /p/ && rm /a/mine
E
	[ "$(names 2)" = $'a/\na/mine' ]
	[ "$(names 3)" = $'a/\na/.wh.mine\np/\np/mine' ]
}
@test "row 65: a mount leaves no file, no directory and no time behind (root)" { need_root; row65 root; }
@test "row 65: a mount leaves no file, no directory and no time behind (user)" { need_user; row65 user; }

row66() { # /run, /tmp and /var/run are the image's, /dev/shm is the sandbox's
	build "$1" row66 <<'E'
FROM localhost/bb
RUN mkdir -p /var && ln -s /run /var/run && mkdir /run /var/tmp
RUN for d in /run /tmp /var/tmp /dev/shm; do echo 1 >$d/f; done && echo 2 >/var/run/g && mkdir -p /run/lock/sub && touch /dev/mine
RUN [ "$(cat /run/f /tmp/f /var/tmp/f /run/g /var/run/g | xargs)" = "1 1 1 2 2" ] && [ -d /run/lock/sub ] && [ ! -e /dev/shm/f ] && [ ! -e /dev/mine ]
E
	[ "$(names 3)" = $'run/\nrun/f\nrun/g\nrun/lock/\nrun/lock/sub/\ntmp/\ntmp/f\nvar/\nvar/tmp/\nvar/tmp/f' ]
	[ -z "$(names 4)" ]
	# and where the image has none of them
	build "$1" row66-none <<'E'
FROM localhost/bb
RUN rm -r /tmp && [ ! -e /run ] && [ ! -e /var ]
RUN mkdir -p /run && echo x >/run/f
E
	[ "$(names 2)" = .wh.tmp ]
	[ "$(names 3)" = $'run/\nrun/f' ]
}
@test "row 66: files in /run, /tmp and /var/run are kept, those in /dev/shm are not (root)" { need_root; row66 root; }
@test "row 66: files in /run, /tmp and /var/run are kept, those in /dev/shm are not (user)" { need_user; row66 user; }

# again WHO [OPTION…]: Buildfile on stdin, the cache is used; what was said is in $SAID
again() {
	local who=$1
	CTX=$T/$who-again
	mkdir -p "$CTX"
	cat >"$CTX/Buildfile"
	chmod -R a+rX "$CTX"
	SAID=$(as "$who" imgbuild --progress=plain -t again "${@:2}" "$CTX" 2>&1)
}
found() { [ "$(grep -c ' CACHED$' <<<"$SAID")" = "$1" ] || { echo "$SAID"; return 1; }; }
inspect() { as "$1" imgstore inspect again | jq -c ".[0]$2"; }

row70() { # what must not be found
	# the text of a here document, of a script, of a script with an interpreter
	local text=$'FROM localhost/bb\nCOPY <<x /x\none\nx\nRUN <<y\necho one >/y\ny\nRUN <<z\n#!/bin/sh\necho one >/z\nz\n'
	again "$1" <<<"$text"
	again "$1" <<<"$text"
	found 3
	again "$1" <<<"${text/#*one$'\n'x/$'FROM localhost/bb\nCOPY <<x /x\ntwo\nx'}"
	as "$1" imgrun --rm again sh -c '[ "$(cat /x)" = two ]'
	again "$1" <<<"${text//one/three}"
	found 0
	as "$1" imgrun --rm again sh -c '[ "$(cat /x /y /z | xargs)" = "three three three" ]'
	# the content of a stage that is mounted: all of it, a path, for writing
	for mount in from=a from=a,source=/d from=a,source=d/f,rw from=a,type=cache,source=d; do
		text=$'FROM localhost/bb AS a\nRUN mkdir /d && echo one >/d/f\nFROM localhost/bb\nRUN --mount='$mount$',target=/m find /m -name f -o -path /m -type f | xargs cat >/got'
		again "$1" <<<"$text"
		again "$1" <<<"${text/one/other-$mount}"
		found 0
		as "$1" imgrun --rm again sh -c "grep -qxF 'other-$mount' /got"
	done
	# HEALTHCHECK, ONBUILD and other configuration: of the image, even if all layers are found
	again "$1" <<<$'FROM localhost/bb\nRUN echo 70\nHEALTHCHECK CMD one\nONBUILD RUN one\nSTOPSIGNAL INT\nVOLUME /one'
	again "$1" <<<$'FROM localhost/bb\nRUN echo 70\nHEALTHCHECK CMD two\nONBUILD RUN two\nSTOPSIGNAL TERM\nVOLUME /two'
	found 1
	[ "$(inspect "$1" '.Config | [.Healthcheck.Test[1], .OnBuild[0], .StopSignal, (.Volumes | keys[0])]')" = '["two","RUN two","TERM","/two"]' ]
	again "$1" <<<$'FROM localhost/bb\nRUN echo 70'
	[ "$(inspect "$1" '.Config | [.Healthcheck, .OnBuild]')" = '[null,null]' ]
	# a trigger of the base that has changed
	for word in one two; do
		again "$1" <<<$'FROM localhost/bb\nONBUILD RUN echo '$word$' >/triggered'
		as "$1" imgstore tag again localhost/trigger
		again "$1" <<<'FROM localhost/trigger'
		as "$1" imgrun --rm again sh -c "[ \$(cat /triggered) = $word ]"
	done
	# a global ARG that is used: by FROM, by a stage
	text=$'ARG g=one\nFROM localhost/bb AS one\nRUN echo one >/f\nFROM localhost/bb AS two\nRUN echo two >/f\nFROM $g\nARG g\nRUN echo "$g" >/g'
	again "$1" <<<"$text"
	again "$1" --build-arg g=two <<<"$text"
	as "$1" imgrun --rm again sh -c '[ "$(cat /f /g | xargs)" = "two two" ]'
	# the base behind the same name
	again "$1" <<<$'FROM localhost/bb\nRUN echo new >/new'
	as "$1" imgstore tag again localhost/moving
	again "$1" <<<$'FROM localhost/moving\nRUN cat /new >/seen'
	again "$1" <<<$'FROM localhost/bb\nRUN echo newer >/new'
	as "$1" imgstore tag again localhost/moving
	again "$1" <<<$'FROM localhost/moving\nRUN cat /new >/seen'
	as "$1" imgrun --rm again sh -c '[ "$(cat /seen)" = newer ]'
}
@test "row 70: texts, mounted stages, configuration, triggers and global ARGs that changed are seen (root)" { need_root; row70 root; }
@test "row 70: texts, mounted stages, configuration, triggers and global ARGs that changed are seen (user)" { need_user; row70 user; }

row72() { # many layers, in a store whose path is long
	local long i store
	long=$(printf 'x%.0s' $(seq 200))
	store=$T/$1-long/$long/$long/$long/store
	if [ "$1" = user ] && is_root; then install -d -o "$TEST_USER" "$T/$1-long"; else mkdir "$T/$1-long"; fi
	CTX=$T/$1-row72
	mkdir "$CTX"
	{
		echo 'FROM localhost/bb AS many'
		for i in $(seq 99); do echo "RUN echo $i >/f$i && echo $i >/last"; done
		echo 'FROM many AS more'
		for i in $(seq 100 130); do echo "RUN echo $i >/f$i && echo $i >/last && rm /f$((i - 99))"; done
		echo 'FROM localhost/bb'
		echo 'RUN --mount=from=many,target=/m [ "$(cat /m/last)" = 99 ] && [ "$(ls /m/f* | wc -l)" = 99 ] && ! touch /m/x'
		echo 'RUN --mount=from=many,target=/m,rw rm /m/f1 && echo x >/m/last && [ "$(ls /m/f* | wc -l)" = 98 ]'
		echo 'RUN --mount=from=more,target=/m --mount=from=many,source=f99,target=/n [ "$(cat /m/last /n | xargs)" = "130 99" ] && [ "$(ls /m/f* | wc -l)" = 99 ]'
		echo 'COPY --from=more /last /f99 /'
	} >"$CTX/Buildfile"
	chmod -R a+rX "$CTX"
	as "$1" mkdir -p "$store"
	as "$1" imgstore import --root "$store" "$T/bb.tar" localhost/bb >&2
	as "$1" imgbuild -q --root "$store" -t few "$CTX" >&2
	as "$1" imgbuild -q --root "$store" --target more -t more "$CTX" >&2
	[ "$(as "$1" imgstore inspect --root "$store" more | jq '.[0].RootFS.Layers | length')" = 131 ]
	as "$1" imgrun --root "$store" --rm more sh -c '[ "$(cat /last)" = 130 ] && [ "$(ls /f* | wc -l)" = 99 ] && [ ! -e /f1 ] && touch /new'
	as "$1" imgrun --root "$store" --rm few sh -c '[ "$(cat /last /f99 | xargs)" = "130 99" ]'
	if [ "$1" = user ]; then as_user imgstore unshare rm -rf "$store"; fi
	rm -rf "$T/$1-long"
}
@test "row 72: 131 layers, a stage of 100 in --mount=from, a store with a long path (root)" { need_root; row72 root; }
@test "row 72: 131 layers, a stage of 100 in --mount=from, a store with a long path (user)" { need_user; row72 user; }
