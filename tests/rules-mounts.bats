#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# RUN --mount: every type and every option, what each means, and what is refused.

load rules

# refuses OPTIONS PATTERN…: of a --mount, which the error points at
refuses() {
	local options=$1
	shift
	printf 'FROM localhost/bb\nRUN --mount=%s true\n' "$options" | refused 'Buildfile:2' "$@"
}
# agent_socket: the socket of an agent that nobody asks anything
agent_socket() { python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("agent")'; }

# ---- 1.6 all types ----

@test "1.6: comma-separated values, quoted or not; keys and types in any case; options in any order" {
	image <<-'E'
		FROM localhost/bb
		RUN --mount=TARGET=/m,Type=BIND,"source=f" [ "$(cat /m)" = file ]
		RUN --mount=\"target=/a,b\",source=f [ "$(cat /a,b)" = file ]
		RUN --mount=size=64k,target=/t,type=tmpfs grep -q ' /t tmpfs .*size=64k' /proc/mounts
	E
	refuses 'target=/m,' "unknown mount option ''"
	refuses 'source=f,\"target=/m' quote
}
@test "1.6 type: bind when it is not said; an unknown one is refused with a suggestion" {
	image <<<$'FROM localhost/bb\nRUN --mount=target=/m [ "$(cat /m/f)" = file ]'
	refuses type=cashe,target=/m "'cashe'" "'cache'"
	refuses type=,target=/m "''"
}
@test "1.6: an unknown option is refused with a suggestion, one without a value too" {
	refuses type=cache,targt=/m "'targt'" "'target'"
	refuses type=cache,target "'target' needs a value"
	refuses type=cache,target=/m,id "'id' needs a value"
}
@test "1.6 target, dst, destination: relative to WORKDIR" {
	image <<-'E'
		FROM localhost/bb
		WORKDIR /w
		RUN --mount=type=tmpfs,target=a --mount=type=tmpfs,dst=./b/ --mount=type=tmpfs,destination=../c grep -q ' /w/a tmpfs' /proc/mounts && grep -q ' /w/b tmpfs' /proc/mounts && grep -q ' /c tmpfs' /proc/mounts
		RUN --mount=target=. [ "$(cat /w/f)" = file ]
	E
}
@test "1.6 target: '/' is refused, in all spellings; none is, where the type has none of its own" {
	for target in / // /. /../ ../..; do
		refuses "type=tmpfs,target=$target" "nothing can be mounted on '/'"
	done
	for type in bind cache tmpfs; do
		refuses "type=$type" "a $type mount needs a 'target'"
	done
}
@test "1.6: variables in all values but that of from=" {
	image --secret id=s,src=f <<-'E'
		FROM localhost/bb
		ENV v=f t=tmpfs n=1m
		ARG id=s
		RUN --mount=type=${none:-bind},source=$v,target=/m/$v [ "$(cat /m/f)" = file ]
		RUN --mount=type=$t,target=/t,size=$n grep -q ' /t tmpfs .*size=1024k' /proc/mounts
		RUN --mount=type=secret,id=$id,mode=0${none:-440},required=${none:-true} [ "$(stat -c %a /run/secrets/s)" = 440 ]
	E
	printf 'FROM localhost/bb AS a\nARG a=a\nFROM localhost/bb\nARG a=a\nRUN --mount=from=$a,target=/m true\n' | refused 'Buildfile:5' "not expanded in 'from'" 'FROM $a AS NAME'
}

# ---- 1.6 bind ----

@test "1.6 bind source, src: '/' when it is not said; cut at the root; through links" {
	ln -s d/g way
	image <<-'E'
		FROM localhost/bb
		RUN --mount=type=bind,target=/m [ "$(cat /m/f /m/d/g | xargs)" = "file deep" ]
		RUN --mount=source=/d/g,target=/m [ "$(cat /m)" = deep ]
		RUN --mount=src=../../d/,target=/m [ "$(cat /m/g)" = deep ]
		RUN --mount=source=way,target=/m [ "$(cat /m)" = deep ]
	E
	refuses source=none,target=/m "'none' is not in the context"
}
@test "1.6 bind from: the context, a stage by name and number, an image, a named context; not a later stage" {
	image --build-context "named=$PWD/d" <<-'E'
		FROM localhost/bb AS one
		RUN echo one >/one
		FROM localhost/bb
		RUN --mount=from=one,source=/one,target=/m [ "$(cat /m)" = one ]
		RUN --mount=from=0,source=one,target=/m [ "$(cat /m)" = one ]
		RUN --mount=from=ONE,target=/m [ "$(cat /m/one)" = one ]
		RUN --mount=from=localhost/bb,source=etc,target=/m [ -e /m/passwd ] && [ ! -e /m/one ]
		RUN --mount=from=named,target=/m [ "$(cat /m/g)" = deep ]
		RUN --mount=from=,source=f,target=/m [ "$(cat /m)" = file ]
	E
	printf 'FROM localhost/bb AS a\nRUN --mount=from=b,target=/m true\nFROM localhost/bb AS b\nFROM a\n' | refused 'Buildfile:2' "from=b: that stage must stand before this one"
	refuses from=localhost/none,target=/m localhost/none
}
@test "1.6 bind ro, readonly, rw, readwrite: read-only when it is not said; what is written is thrown away" {
	image <<-'E'
		FROM localhost/bb AS one
		RUN mkdir /s && echo s >/s/s
		FROM localhost/bb
		RUN --mount=target=/m ! touch /m/new && ! echo >/m/f
		RUN --mount=target=/m,ro ! touch /m/new
		RUN --mount=target=/m,readonly=true ! touch /m/new
		RUN --mount=target=/m,rw=false ! touch /m/new
		RUN --mount=target=/m,rw touch /m/new && rm /m/f
		RUN --mount=target=/m,readwrite=true echo x >/m/f
		RUN --mount=target=/m,readonly=false echo x >/m/f
		RUN --mount=from=one,source=s,target=/m,rw echo t >/m/s && rm -r /m/s && touch /m/new
		RUN --mount=from=one,source=s,target=/m [ "$(cat /m/s)" = s ] && [ "$(ls -A /m)" = s ]
		RUN [ ! -e /m ]
	E
	same "$(cat f)" file
	[ ! -e new ]
	refuses target=/m,ro=perhaps "'ro'"
	refuses target=/m,rw= "'rw'"
}

# ---- 1.6 cache ----

@test "1.6 cache id: the cleaned target when it is not said; another id is another cache" {
	image --no-cache <<-'E'
		FROM localhost/bb
		RUN --mount=type=cache,target=/c/./x/ echo 1 >/c/x/f
		RUN --mount=type=cache,target=/c/x [ "$(cat /c/x/f)" = 1 ]
		RUN --mount=type=cache,id=/c/x,target=/elsewhere [ "$(cat /elsewhere/f)" = 1 ]
		RUN --mount=type=cache,id=other,target=/c/x [ ! -e /c/x/f ]
		WORKDIR /c
		RUN --mount=type=cache,target=x [ "$(cat /c/x/f)" = 1 ]
		RUN [ ! -e /c/x ]
	E
}
@test "1.6 cache: BUILDKIT_CACHE_MOUNT_NS sets its caches apart" {
	printf 'FROM localhost/bb\nRUN --mount=type=cache,target=/ns echo 1 >/ns/f\n' | image --no-cache
	printf 'FROM localhost/bb\nRUN --mount=type=cache,target=/ns [ ! -e /ns/f ]\n' | image --no-cache --build-arg BUILDKIT_CACHE_MOUNT_NS=mine
	printf 'FROM localhost/bb\nRUN --mount=type=cache,target=/ns [ -e /ns/f ]\n' | image --no-cache
}
@test "1.6 cache sharing=shared: many at a time; the default" {
	for sharing in '' ,sharing=shared ,sharing=SHARED; do
		image --no-cache <<-E
			FROM localhost/bb AS a
			RUN --mount=type=cache,id=sh$sharing,target=/c$sharing touch /c/a; for i in \$(seq 50); do [ ! -e /c/b ] || exit 0; sleep 0.1; done; exit 1
			FROM localhost/bb AS b
			RUN --mount=type=cache,id=sh$sharing,target=/c$sharing touch /c/b; for i in \$(seq 50); do [ ! -e /c/a ] || exit 0; sleep 0.1; done; exit 1
			FROM scratch
			COPY --from=a /etc/passwd /a
			COPY --from=b /etc/passwd /b
		E
	done
}
@test "1.6 cache sharing=private: a second one at the same time gets a new one" {
	image --no-cache <<-'E'
		FROM localhost/bb AS a
		RUN --mount=type=cache,id=pr,target=/c,sharing=private touch /c/x && sleep 0.7 && [ "$(ls /c)" = x ]
		FROM localhost/bb AS b
		RUN --mount=type=cache,id=pr,target=/c,sharing=private touch /c/y && sleep 0.7 && [ "$(ls /c)" = y ]
		FROM scratch
		COPY --from=a /etc/passwd /a
		COPY --from=b /etc/passwd /b
	E
	# and one after the other it is the same one again
	printf 'FROM localhost/bb\nRUN --mount=type=cache,id=pr,target=/c,sharing=private [ -n "$(ls /c)" ]\n' | image --no-cache
}
@test "1.6 cache sharing=locked: the second one waits" {
	image --no-cache <<-'E'
		FROM localhost/bb AS a
		RUN --mount=type=cache,id=lo,target=/c,sharing=locked [ ! -e /c/busy ] && touch /c/busy && sleep 0.7 && rm /c/busy
		FROM localhost/bb AS b
		RUN --mount=type=cache,id=lo,target=/c,sharing=locked [ ! -e /c/busy ] && touch /c/busy && sleep 0.7 && rm /c/busy
		FROM scratch
		COPY --from=a /etc/passwd /a
		COPY --from=b /etc/passwd /b
	E
	refuses type=cache,target=/c,sharing=lockd "'lockd'" "'locked'"
}
@test "1.6 cache ro: nothing can be written" {
	image --no-cache <<-'E'
		FROM localhost/bb
		RUN --mount=type=cache,id=ro,target=/c echo 1 >/c/f
		RUN --mount=type=cache,id=ro,target=/c,ro [ "$(cat /c/f)" = 1 ] && ! touch /c/g && ! rm /c/f
	E
}
@test "1.6 cache from, source: what a new one begins with" {
	image --no-cache <<-'E'
		FROM localhost/bb AS one
		RUN mkdir -p /s/t && echo seed >/s/t/f
		FROM localhost/bb
		RUN --mount=type=cache,id=seed,target=/c,from=one,source=/s [ "$(cat /c/t/f)" = seed ] && echo new >/c/t/f
		RUN --mount=type=cache,id=seed,target=/c,from=one,source=/s [ "$(cat /c/t/f)" = new ]
		RUN --mount=type=cache,id=whole,target=/c,from=one [ "$(cat /c/s/t/f)" = seed ]
		RUN --mount=type=cache,id=empty,target=/c [ -z "$(ls -A /c)" ]
	E
	refuses type=cache,target=/c,source=/s "only together with 'from'"
}
@test "1.6 cache mode, uid, gid: 0755 0:0, else as given, when it is made and not later" {
	image --no-cache <<-'E'
		FROM localhost/bb
		RUN --mount=type=cache,id=plain,target=/c [ "$(stat -c %a:%u:%g /c)" = 755:0:0 ]
		RUN --mount=type=cache,id=owned,target=/c,mode=0750,uid=7,gid=8 [ "$(stat -c %a:%u:%g /c)" = 750:7:8 ]
		RUN --mount=type=cache,id=owned,target=/c,mode=0700,uid=1,gid=1 [ "$(stat -c %a:%u:%g /c)" = 750:7:8 ]
		RUN --mount=type=cache,id=user,target=/c,uid=7 [ "$(stat -c %a:%u:%g /c)" = 755:7:0 ]
		RUN --mount=type=cache,id=group,target=/c,gid=7 [ "$(stat -c %a:%u:%g /c)" = 755:0:7 ]
	E
	refuses type=cache,target=/c,mode=99 "'99'" octal
	refuses type=cache,target=/c,uid=alice "'alice'"
	refuses type=cache,target=/c,gid=-1 "'-1'"
}
@test "1.6 cache: nothing of it in a layer, nor its target; what it holds is not in the key" {
	image --no-cache <<<$'FROM localhost/bb\nRUN --mount=type=cache,id=key,target=/kc echo 1 >/kc/f'
	same "$(layer 1)" sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef
	image --no-cache <<<$'FROM localhost/bb\nRUN --mount=type=cache,id=key,target=/kc echo 2 >/kc/f'
	image <<<$'FROM localhost/bb\nRUN --mount=type=cache,id=key,target=/kc echo 1 >/kc/f'
	cached 1
}

# ---- 1.6 tmpfs ----

@test "1.6 tmpfs size: in units; without one as much as there is; gone afterwards" {
	image <<-'E'
		FROM localhost/bb
		RUN --mount=type=tmpfs,target=/t touch /t/x && grep -q ' /t tmpfs' /proc/mounts
		RUN --mount=type=tmpfs,target=/t,size=100k [ ! -e /t/x ] && grep -q ' /t tmpfs .*size=100k' /proc/mounts
		RUN --mount=type=tmpfs,target=/t,size=2MB grep -q ' /t tmpfs .*size=2048k' /proc/mounts
		RUN --mount=type=tmpfs,target=/t,size=1G grep -q ' /t tmpfs .*size=1048576k' /proc/mounts
		RUN [ ! -e /t ]
	E
	refuses type=tmpfs,target=/t,size=some "'size'"
}

# ---- 1.6 secret ----

@test "1.6 secret id: the base name of the target when it is not said; source is another word for it" {
	image --secret id=s,src=f <<-'E'
		FROM localhost/bb
		RUN --mount=type=secret,id=s [ "$(cat /run/secrets/s)" = file ]
		RUN --mount=type=secret,source=s [ "$(cat /run/secrets/s)" = file ]
		RUN --mount=type=secret,src=s,dst=/x [ "$(cat /x)" = file ]
		RUN --mount=type=secret,target=/deep/er/s [ "$(cat /deep/er/s)" = file ]
		WORKDIR /w
		RUN --mount=type=secret,id=s,target=rel [ "$(cat /w/rel)" = file ]
		RUN [ ! -e /run/secrets ] && [ ! -e /deep ] && [ ! -e /x ]
	E
	refuses type=secret "'id', 'source' or 'target'"
	refuses type=secret,id=s,source=s "'source' or 'id'"
}
@test "1.6 secret env: a variable, and no file unless there is a target" {
	printf file >s
	image --secret id=s,src=s <<-'E'
		FROM localhost/bb
		RUN --mount=type=secret,id=s,env=V [ "$V" = file ] && [ ! -e /run/secrets/s ]
		RUN --mount=type=secret,id=s,env=V,target=/x [ "$V" = file ] && [ "$(cat /x)" = file ]
		RUN [ -z "$V" ]
	E
	no_env V
}
@test "1.6 secret required: missing ones are left out, unless they are required" {
	image <<<$'FROM localhost/bb\nRUN --mount=type=secret,id=no --mount=type=secret,id=no,env=V --mount=type=secret,id=no,required=false [ ! -e /run/secrets/no ] && [ -z "${V+set}" ]'
	refuses type=secret,id=no,required "'no' is required" --secret
	refuses type=secret,id=no,required=true "'no' is required"
}
@test "1.6 secret mode, uid, gid: 0400 0:0, on a tmpfs, read-only" {
	image --secret id=s,src=f <<-'E'
		FROM localhost/bb
		RUN --mount=type=secret,id=s [ "$(stat -c %a:%u:%g /run/secrets/s)" = 400:0:0 ] && grep -q ' /run/secrets/s tmpfs' /proc/mounts
		RUN --mount=type=secret,id=s,mode=0440,uid=5,gid=6 [ "$(stat -c %a:%u:%g /run/secrets/s)" = 440:5:6 ]
		RUN --mount=type=secret,id=s,uid=1000 [ "$(stat -c %a:%u:%g /run/secrets/s)" = 400:1000:0 ]
		RUN --mount=type=secret,id=s ! echo x >/run/secrets/s 2>/dev/null && [ "$(cat /run/secrets/s)" = file ]
	E
}
@test "1.6 secret: its value is in no key; it is not shown" {
	echo known-value >s
	echo other-value >t
	printf 'FROM localhost/bb\nRUN --mount=type=secret,id=s --mount=type=secret,id=s,env=V test -n "$V" # 161\n' >b
	image --secret id=s,src=s <b
	not grep known-value "$T/messages"
	image --secret id=s,src=t <b
	cached 1
}

# ---- 1.6 ssh ----

@test "1.6 ssh: SSH_AUTH_SOCK names the socket, /run/buildkit/ssh_agent.N, 0600 0:0" {
	agent_socket
	image --ssh "default=$PWD/agent" --ssh "two=$PWD/agent" <<-'E'
		FROM localhost/bb
		RUN --mount=type=ssh [ "$SSH_AUTH_SOCK" = /run/buildkit/ssh_agent.0 ] && [ "$(stat -c %F:%a:%u:%g $SSH_AUTH_SOCK)" = socket:600:0:0 ]
		RUN --mount=type=ssh --mount=type=ssh,id=two [ -S /run/buildkit/ssh_agent.0 ] && [ -S /run/buildkit/ssh_agent.1 ]
		RUN --mount=type=ssh,id=two,target=/a,mode=0660,uid=5,gid=6 [ "$SSH_AUTH_SOCK" = /a ] && [ "$(stat -c %a:%u:%g /a)" = 660:5:6 ]
		RUN [ -z "$SSH_AUTH_SOCK" ] && [ ! -e /run/buildkit ] && [ ! -e /a ]
	E
	no_env SSH_AUTH_SOCK
}
@test "1.6 ssh required: missing ones are left out, unless they are required; source is refused" {
	image <<<$'FROM localhost/bb\nRUN --mount=type=ssh --mount=type=ssh,id=x,required=false [ -z "$SSH_AUTH_SOCK" ]'
	refuses type=ssh,required "'default' is required" --ssh
	refuses type=ssh,id=x,required=true "'x' is required"
	refuses type=ssh,source=x "a ssh mount has no 'source' option"
}

# ---- 1.6 what fits no type ----

@test "1.6: mode, uid and gid of a bind or tmpfs are refused" {
	for type in bind tmpfs; do
		for option in mode=0700 uid=1 gid=1; do
			refuses "type=$type,target=/m,$option" "a $type mount has no '${option%=*}' option"
		done
	done
}
@test "1.6: required only of a secret or agent" {
	for type in bind cache tmpfs; do refuses "type=$type,target=/m,required" "a $type mount has no 'required' option"; done
}
@test "1.6: size only of a tmpfs" {
	for type in bind cache secret ssh; do refuses "type=$type,target=/m,size=1m" "a $type mount has no 'size' option"; done
}
@test "1.6: sharing only of a cache" {
	for type in bind tmpfs secret ssh; do refuses "type=$type,target=/m,sharing=locked" "a $type mount has no 'sharing' option"; done
}
@test "1.6: env only of a secret, from only of a bind or cache" {
	for type in bind cache tmpfs ssh; do refuses "type=$type,target=/m,env=V" "a $type mount has no 'env' option"; done
	for type in tmpfs secret ssh; do refuses "type=$type,target=/m,from=localhost/bb" "a $type mount has no 'from' option"; done
}
