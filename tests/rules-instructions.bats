#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Each instruction and each of its flags.

load rules

# ---- 1.5 instructions ----

@test "1.5 ARG before FROM: for FROM only, in order, --build-arg wins" {
	text=$'ARG a=b\nARG n=localhost/b$a\nFROM ${n}\nRUN [ -z "$a$n" ]'
	image <<<"$text"
	image --build-arg a=c --build-arg n=localhost/bb <<<"$text"
	refused 'Buildfile:3' localhost/bnothing <<<"${text/a=b/a=nothing}"
}
@test "1.5 ARG in a stage: from its line on, inherited, not in the image" {
	image --build-arg given=g <<-'E'
		ARG global=gl
		FROM localhost/bb AS one
		RUN [ -z "$own" ]
		ARG own=o
		ARG global given unset
		RUN [ "$own$global$given${unset-none}" = oglgnone ]
		FROM one
		RUN [ "$own$global$given" = oglg ]
		ENV own=e
		RUN [ "$own" = e ]
		ARG own=again
		RUN [ "$own" = again ]
	E
	env_is own e
	no_env global
	no_env given
}
@test "1.5 proxies need no ARG, in both cases, and leave no trace" {
	image --build-arg http_proxy=p:1 --build-arg NO_PROXY=local --build-arg HTTPS_PROXY=s --build-arg ftp_proxy=f --build-arg ALL_PROXY=a <<-'E'
		FROM localhost/bb
		RUN [ "$http_proxy$HTTP_PROXY$no_proxy$NO_PROXY" = p:1p:1locallocal ]
		RUN [ "$https_proxy$HTTPS_PROXY$ftp_proxy$FTP_PROXY$all_proxy$ALL_PROXY" = ssffaa ]
	E
	for name in http_proxy HTTP_PROXY https_proxy no_proxy NO_PROXY ALL_PROXY; do no_env $name; done
	same "$(history | grep -c '|')" 0
	image --build-arg http_proxy=p:1 <<<$'FROM localhost/bb\nARG http_proxy\nRUN true'
	same "$(history | tail -1)" 'RUN |1 http_proxy=p:1 /bin/sh -c true # buildkit'
}
@test "1.5 ARG: several on a line, with and without a value; what is given and not declared is told" {
	image --build-arg b=2 --build-arg nobody=1 <<<$'FROM localhost/bb\nARG a=1 b c= d\nRUN [ "$a-$b-${c-unset}-${d-unset}" = 1-2--unset ]'
	said "build argument 'nobody' is not declared"
	printf 'FROM localhost/bb\nENV x=env\nARG x=arg\nRUN [ $x = arg ]\nENV x=again\nRUN [ $x = again ]\n' | image
	env_is x again
	# with no value of its own it leaves that of the ENV alone
	printf 'FROM localhost/bb\nENV x=env\nARG x\nRUN [ $x = env ]\n' | image
	printf 'FROM scratch\nARG\n' | refused 'Buildfile:2'
	printf 'FROM scratch\nARG a b=1 =2\n' | refused 'Buildfile:2'
}
@test "1.5 platform ARGs need an ARG line in a stage" {
	image <<-'E'
		FROM --platform=$BUILDPLATFORM localhost/bb AS named
		RUN [ -z "$TARGETARCH" ]
		ARG TARGETPLATFORM TARGETOS TARGETARCH BUILDOS TARGETSTAGE
		RUN [ "$TARGETPLATFORM" = "$TARGETOS/$TARGETARCH" ] && [ "$TARGETOS-$BUILDOS-$TARGETSTAGE" = linux-linux-named ]
	E
	image <<-'E'
		FROM localhost/bb
		ARG BUILDPLATFORM BUILDARCH TARGETVARIANT BUILDVARIANT TARGETOSVERSION BUILDOSVERSION TARGETARCH
		RUN [ "$BUILDPLATFORM" = "linux/$BUILDARCH${BUILDVARIANT:+/$BUILDVARIANT}" ] && [ "$BUILDARCH" = "$TARGETARCH" ] && [ "$TARGETVARIANT" = "$BUILDVARIANT" ] && [ -z "$TARGETOSVERSION$BUILDOSVERSION" ]
	E
	image --build-arg TARGETOS=other <<<$'FROM localhost/bb\nARG TARGETOS TARGETSTAGE\nRUN [ "$TARGETOS$TARGETSTAGE" = otherdefault ]'
}
@test "1.5 BUILDKIT_SANDBOX_HOSTNAME: the name of the host in RUN" {
	image --build-arg BUILDKIT_SANDBOX_HOSTNAME=my.host <<<$'FROM localhost/bb\nRUN [ "$(hostname)" = my.host ] && grep -q my.host /etc/hosts && [ "$(cat /etc/hostname)" = my.host ]'
	image <<<$'FROM localhost/bb\nRUN [ "$(hostname)" = buildkitsandbox ]'
}
@test "1.5 BUILDKIT_CONTEXT_KEEP_GIT_DIR: .git of a repository that is the context" {
	command -v git >/dev/null || skip "git is not installed"
	server
	repository
	as "$WHO" imgbuild -q --build-arg BUILDKIT_CONTEXT_KEEP_GIT_DIR=1 -t test "$URL/git/r.git" >&2
	as "$WHO" imgrun --rm test sh -c '[ -e /c/.git/HEAD ] && [ -e /c/f ]'
	for value in 0 false; do
		as "$WHO" imgbuild -q --build-arg BUILDKIT_CONTEXT_KEEP_GIT_DIR=$value -t test "$URL/git/r.git" >&2
		as "$WHO" imgrun --rm test sh -c '[ ! -e /c/.git ] && [ -e /c/f ]'
	done
	run as "$WHO" imgbuild --build-arg BUILDKIT_CONTEXT_KEEP_GIT_DIR=perhaps "$URL/git/r.git"
	same "$status" 3
	[[ $output == *BUILDKIT_CONTEXT_KEEP_GIT_DIR*perhaps* ]]
}
@test "1.5 SOURCE_DATE_EPOCH as a build argument" {
	image --build-arg SOURCE_DATE_EPOCH=1600000000 <<<$'FROM scratch\nCOPY f /'
	same "$(as "$WHO" imgstore inspect test | jq -r '.[0].Created')" 2020-09-13T12:26:40Z
}
@test "1.5 other build arguments with a meaning are no unused ones; those that do nothing here are told" {
	image --build-arg BUILDKIT_BUILD_NAME=n --build-arg BUILDKIT_SYNTAX=docker/dockerfile:1 --build-arg BUILDKIT_DOCKERFILE_CHECK=skip=all --build-arg BUILDKIT_CACHE_MOUNT_NS=n <<<'FROM scratch'
	not grep warning "$T/messages"
	image --build-arg BUILDKIT_SBOM_SCAN_STAGE=1 <<<'FROM scratch'
	said BUILDKIT_SBOM_SCAN_STAGE
}
@test "1.5 FROM: one word or three, names, stages before, scratch" {
	printf 'FROM scratch one\n' | refused 'Buildfile:1' 'one or three'
	printf 'FROM\n' | refused 'Buildfile:1'
	printf 'FROM scratch as\n' | refused 'Buildfile:1'
	printf 'FROM scratch IS one\n' | refused 'Buildfile:1'
	printf 'FROM --platform=$none scratch\n' | refused 'Buildfile:1' platform
	printf 'FROM --plat=linux scratch\n' | refused 'Buildfile:1' '--platform'
	printf 'FROM scratch AS 1x\n' | refused 'Buildfile:1' "'1x'"
	printf 'FROM scratch AS A\nFROM a AS B.c-d_1\nENV x=1\nFROM b.C-d_1\n' | image
	env_is x 1
	printf 'FROM later\nFROM scratch AS later\n' | image --target later
	config '.Env[0]' '"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"'
}
@test "1.5 FROM: a tag is latest when there is none; by digest; the configuration is inherited, PATH only when missing" {
	printf 'FROM scratch\nENV x=1\nLABEL l=1\nCMD ["c"]\nWORKDIR /w\nUSER 5\nEXPOSE 5\n' | image -t localhost/base:latest
	printf 'FROM localhost/base\nENV y=2\n' | image
	config '.Env' '["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","x=1","y=2"]'
	config ' | [.Labels.l,.Cmd,.WorkingDir,.User,.ExposedPorts]' '["1",["c"],"/w","5",{"5/tcp":{}}]'
	printf 'FROM localhost/base:latest\n' | image
	local digest
	digest=$(as "$WHO" imgstore inspect localhost/base | jq -r '.[0].RepoDigests[0] // empty' | sed 's/.*@//')
	[ -z "$digest" ] || printf 'FROM localhost/base@%s\nFROM localhost/base:latest@%s\n' "$digest" "$digest" | image
	printf 'FROM localhost/base:none\n' | refused 'Buildfile:1' 'localhost/base:none'
	printf 'FROM scratch\nENV PATH=/mine\n' | image -t localhost/base:path
	printf 'FROM localhost/base:path\n' | image
	config .Env '["PATH=/mine"]'
}
@test "1.5 FROM: a later stage of the same name takes its place" {
	printf 'FROM scratch AS a\nENV x=1\nFROM scratch AS a\nENV x=2\nFROM a\n' | image
	env_is x 2
}
@test "1.5 RUN: the shell form and the exec form" {
	image <<-'E'
		FROM localhost/bb
		ENV v=1
		RUN [ "$v" = 1 ] && echo a > /x
		RUN ["/bin/busybox", "test", "$v", "!=", "1"]
		SHELL ["/bin/busybox", "sh", "-ec"]
		RUN false || true; [ "$v" = 1 ]
	E
}
@test "1.5 RUN: the exec form runs no shell; without a command it is refused" {
	printf 'FROM scratch\nCOPY --from=localhost/bb /bin/busybox /\nRUN ["/busybox", "test", "$v", "!=", ""]\n' | image
	printf 'FROM scratch\nCOPY --from=localhost/bb /bin/busybox /\nRUN true\n' >Buildfile
	run as "$WHO" imgbuild -q .
	same "$status" 1
	printf 'FROM scratch\nRUN\n' | refused 'Buildfile:2'
	printf 'FROM localhost/bb\nRUN []\n' | refused 'Buildfile:2'
}
@test "1.5 RUN --security: sandbox; insecure needs --allow" {
	printf 'FROM localhost/bb\nRUN --security=insecure true\n' | refused 'Buildfile:2' 'security.insecure'
	printf 'FROM localhost/bb\nRUN --security=insecure mount -t tmpfs none /tmp && grep -q "^Seccomp:.*0" /proc/self/status\nRUN --security=sandbox ! mount -t tmpfs none /tmp 2>/dev/null\n' | image --allow security.insecure
	printf 'FROM localhost/bb\nRUN --security=some true\n' | refused 'Buildfile:2' "'some'"
}
@test "1.5 RUN --device is refused" {
	printf 'FROM localhost/bb\nRUN --device=vendor.com/class=name true\n' | refused 'Buildfile:2' '--device'
}
@test "1.5 RUN --network=host: needs --allow where the steps have none" {
	printf 'FROM localhost/bb\nRUN --network=host true\n' >Buildfile
	run as "$WHO" imgbuild -q --network=none .
	same "$status" 3
	[[ $output == *'network.host'* ]]
	as "$WHO" imgbuild -q --network=none --allow network.host . >&2
}
@test "1.5 RUN --network" {
	printf 'FROM localhost/bb\nRUN --network=none [ "$(ls /sys/class/net)" = lo ]\nRUN --network=default true\n' | image
	printf 'FROM localhost/bb\nRUN --network=some true\n' | refused 'Buildfile:2' some
}
@test "1.5 COPY --from: a stage, a number, an image; not a later stage, no variable" {
	image <<-'E'
		FROM scratch AS one
		COPY f /a
		FROM localhost/bb
		COPY --from=ONE a /1
		COPY --from=0 /a /2
		COPY --from=localhost/bb etc/passwd /3
		RUN [ "$(cat /1)$(cat /2)" = filefile ] && grep -q root /3
	E
	printf 'FROM scratch\nCOPY --from=1 f /\nFROM scratch\n' | image --target 1
	printf 'FROM scratch\nCOPY --from=1 f /\nFROM scratch\n' >Buildfile
	run as "$WHO" imgbuild --target 0 .
	same "$status" 3
}
@test "1.5 COPY --chown: names of the stage that is written to; unknown ones are refused" {
	image <<-'E'
		FROM localhost/bb
		COPY --chown=alice f /1
		COPY --chown=alice:daemon f /2
		COPY --chown=7 f /3
		COPY --chown=7:8 f /n/4
		RUN [ "$(stat -c %u:%g /1 /2 /3 /n/4 /n | xargs)" = "1000:1001 1000:1 7:7 7:8 7:8" ]
	E
	printf 'FROM localhost/bb\nCOPY --chown=nobodyknows f /\n' | refused 'Buildfile:2' nobodyknows
}
@test "1.5 COPY --chmod: octal and symbolic" {
	image <<-'E'
		FROM localhost/bb
		COPY --chmod=4711 f /1
		COPY --chmod=u=rwX,go=rX f d/g /2/
		RUN [ "$(stat -c %a /1 /2/f | xargs)" = "4711 644" ]
	E
	printf 'FROM localhost/bb\nCOPY --chmod=99 f /\n' | refused 'Buildfile:2' 99
}
@test "1.5 COPY --chown, --chmod, ADD --checksum: one that comes out empty is none" {
	image <<-'E'
		FROM localhost/bb
		COPY --chown=$none --chmod= f /1
		ADD --checksum=${none} f /2
		RUN [ "$(stat -c %a:%u:%g /1 /2 | sort -u)" = 644:0:0 ]
	E
	same "$(history | grep -c -- '--ch')" 0
}
@test "1.5 COPY: two words at least; JSON for names with blanks; unknown flags" {
	echo x >'a b'
	printf 'FROM scratch\nCOPY f\n' | refused 'Buildfile:2'
	printf 'FROM scratch\nCOPY ["f"]\n' | refused 'Buildfile:2'
	printf 'FROM scratch\nCOPY --unpack f /\n' | refused 'Buildfile:2' '--unpack'
	printf 'FROM scratch\nCOPY --keep-git-dir f /\n' | refused 'Buildfile:2' '--keep-git-dir'
	printf 'FROM scratch\nCOPY http://localhost/f /\n' | refused 'Buildfile:2' ADD
	printf 'FROM scratch\nCOPY https://localhost/f.git /\n' | refused 'Buildfile:2' ADD
	printf 'FROM localhost/bb\nCOPY ["a b", "/c d/"]\nRUN [ "$(cat "/c d/a b")" = x ]\n' | image
}
@test "1.5 COPY --chown: with and without a group; parents that are made get it; numbers need no entry" {
	image <<-'E'
		FROM localhost/bb
		COPY --chown=alice:users f /u/p/1
		COPY --chown=:users f /2
		COPY --chown=12345:54321 f /3
		COPY --chown=1000:daemon f /4
		RUN [ "$(stat -c %u:%g /u /u/p /u/p/1 | sort -u)" = 1000:100 ] && [ "$(stat -c %g /2)" = 100 ]
		RUN [ "$(stat -c %u:%g /3 /4 | xargs)" = "12345:54321 1000:1" ]
	E
	printf 'FROM localhost/bb\nCOPY --chown=alice:nogroup f /\n' | refused 'Buildfile:2' nogroup
	printf 'FROM scratch\nCOPY --chown=alice f /\n' | refused 'Buildfile:2' alice
	printf 'FROM scratch\nCOPY --chown=5 f /\n' | image
	printf 'FROM scratch\nCOPY --chown=4294967295 f /\n' | refused 'Buildfile:2'
}
@test "1.5 COPY --chmod: of directories too, and of parents when it is octal; at most 07777" {
	image <<-'E'
		FROM localhost/bb
		COPY --chmod=750 d /1/d
		COPY --chmod=+x,g=u,o-r f /2
		COPY --chmod=02711 f /p/q/3
		RUN [ "$(stat -c %a /1 /1/d /1/d/g /2 /p /p/q /p/q/3 | xargs)" = "750 750 750 771 2711 2711 2711" ]
	E
	for mode in 10000 999 u=q x 0x7 -1; do printf 'FROM scratch\nCOPY --chmod=%s f /\n' $mode | refused 'Buildfile:2' "$mode"; done
}
@test "1.5 COPY --link: a layer of its own, links at the destination are not followed" {
	image <<-'E'
		FROM localhost/bb
		RUN mkdir /real && ln -s real /l && mkdir -m 700 /t
		COPY --link f /l/
		COPY --link=true --chmod=600 f /t/f
		COPY --link=false f /real/
		RUN [ ! -L /l ] && [ -f /l/f ] && [ -f /real/f ] && [ "$(stat -c %a /t/f)" = 600 ]
	E
}
@test "1.5 COPY --parents: the path is kept, /./ marks where from, ** goes through directories" {
	mkdir -p x/y/z
	touch x/y/z/1 x/y/2
	image <<-'E'
		FROM localhost/bb
		COPY --parents x/y/2 d /a/
		COPY --parents x/./y/2 /b/
		COPY --parents x/**/1 /c/
		COPY --parents=false x/y/2 /d/
		RUN [ -f /a/x/y/2 ] && [ -f /a/d/g ] && [ -f /b/y/2 ] && [ -f /c/x/y/z/1 ] && [ ! -e /c/x/y/2 ] && [ -f /d/2 ]
	E
	printf 'FROM scratch\nCOPY --parents x/none /a/\n' | refused 'Buildfile:2' "'x/none'"
}
@test "1.5 COPY --exclude: several, relative to the source, ** and !" {
	mkdir -p x/y
	touch x/1.c x/2.c x/y/1.c x/y/3.o
	image <<-'E'
		FROM localhost/bb
		COPY --exclude=*.c x /a
		COPY --exclude=**/*.c x /b
		COPY --exclude=*.c --exclude=y x/ /c/
		COPY --exclude=**/*.c --exclude=!y/1.c x /d
		ADD --exclude=y x /e
		RUN [ "$(cd /a && find . -type f | sort | xargs)" = "./y/1.c ./y/3.o" ] && [ "$(cd /b && find . -type f | xargs)" = ./y/3.o ]
		RUN [ -z "$(find /c -type f)" ] && [ "$(cd /d && find . -type f | sort | xargs)" = "./y/1.c ./y/3.o" ] && [ ! -e /e/y ] && [ -f /e/1.c ]
	E
}
@test "1.5 COPY --link, --parents, --exclude" {
	image <<-'E'
		FROM localhost/bb
		COPY --link f /l/f
		COPY --parents d/g /p/
		COPY --exclude=g --exclude=Buildfile . /e/
		RUN [ "$(cat /l/f)$(cat /p/d/g)" = filedeep ] && [ -e /e/f ] && [ ! -e /e/Buildfile ]
	E
}
@test "1.5 ADD: archives are unpacked by their content" {
	tar -cf t.tar f
	image <<<$'FROM localhost/bb\nADD t.tar f /x/\nCOPY t.tar /y\nRUN [ "$(cat /x/f)" = file ] && [ -s /y ] && [ ! -e /x/t.tar ]'
}
@test "1.5 ADD of a URL; --checksum of one URL or repository" {
	server
	echo u >"$SRV/files/u"
	local sum
	sum=sha256:$(sha256sum "$SRV/files/u" | cut -d' ' -f1)
	image <<<$'FROM localhost/bb\nADD --checksum='"$sum $URL/u /u"$'\nADD '"$URL/u /d/"$'\nRUN [ "$(cat /u)$(cat /d/u)" = uu ]'
	printf 'FROM scratch\nADD --checksum=sha256:%064d %s/u /u\n' 0 "$URL" | refused 'Buildfile:2' "$sum"
	printf 'FROM scratch\nADD --checksum=%s f /u\n' "$sum" | refused 'Buildfile:2' "'f' is none"
	printf 'FROM scratch\nADD --checksum=%s %s/u %s/u /u/\n' "$sum" "$URL" "$URL" | refused 'Buildfile:2' 'one source'
	printf 'FROM scratch\nADD --checksum=sha256:12 %s/u /u\n' "$URL" | refused 'Buildfile:2' 'sha256:12'
	printf 'FROM scratch\nCOPY --checksum=%s f /u\n' "$sum" | refused 'Buildfile:2' '--checksum'
}
@test "1.5 ADD of git: #ref:directory and keys of the URL; --checksum is a commit or its beginning" {
	command -v git >/dev/null || skip "git is not installed"
	server
	repository
	local commit
	commit=$(git -C "$SRV/git/r.git" rev-parse main)
	image <<-E
		FROM localhost/bb
		ADD $URL/git/r.git /1
		ADD $URL/git/r.git#main:d /2
		ADD $URL/git/r.git?branch=main&subdir=d /3
		ADD --checksum=$commit $URL/git/r.git#main /4
		ADD --checksum=${commit:0:10} $URL/git/r.git /5
		ADD $URL/git/r.git#$commit /6
		RUN [ -f /1/f ] && [ -f /2/g ] && [ ! -e /2/f ] && [ -f /3/g ] && [ -f /4/f ] && [ -f /5/f ] && [ -f /6/f ] && [ ! -e /1/.git ]
	E
	printf 'FROM scratch\nADD --checksum=%s %s/git/r.git /\n' "${commit//[0-9]/0}" "$URL" | refused 'Buildfile:2' "$commit"
	printf 'FROM scratch\nADD ftp://localhost/f /\n' | refused 'Buildfile:2'
}
@test "1.5 ADD --keep-git-dir: .git is kept; what contradicts the URL's own key is refused" {
	command -v git >/dev/null || skip "git is not installed"
	server
	repository
	image <<-E
		FROM localhost/bb
		ADD --keep-git-dir $URL/git/r.git /1
		ADD --keep-git-dir=false $URL/git/r.git /2
		ADD $URL/git/r.git?keep-git-dir=1 /3
		ADD --keep-git-dir=true $URL/git/r.git?keep-git-dir=true /4
		RUN [ -e /1/.git/HEAD ] && [ ! -e /2/.git ] && [ -e /3/.git/HEAD ] && [ -e /4/.git/HEAD ]
	E
	printf 'FROM scratch\nADD --keep-git-dir=false %s/git/r.git?keep-git-dir=1 /\n' "$URL" | refused 'Buildfile:2' '--keep-git-dir'
}
@test "1.5 ADD --unpack: archives are, URLs are not, unless it says so" {
	server
	tar -czf t.tgz f
	cp t.tgz "$SRV/files/"
	image <<-E
		FROM localhost/bb
		ADD t.tgz /1/
		ADD --unpack=false t.tgz /2/
		ADD $URL/t.tgz /3/
		ADD --unpack $URL/t.tgz /4/
		ADD --unpack=true t.tgz f /5/
		RUN [ -f /1/f ] && [ -f /2/t.tgz ] && [ -f /3/t.tgz ] && [ -f /4/f ] && [ "\$(ls /5)" = f ]
	E
}
@test "1.5 LABEL and ENV: both forms" {
	printf 'FROM scratch\nLABEL a b  c \nENV d e  "f"\nLABEL g=h i=j\n' | image
	config .Labels '{"a":"b  c","g":"h","i":"j"}'
	env_is d 'e  f'
	warns LegacyKeyValueFormat 2
	printf 'FROM scratch\nENV a\n' | refused 'Buildfile:2'
	printf 'FROM scratch\nENV =a\n' | refused 'Buildfile:2'
}
@test "1.5 EXPOSE: ranges, protocols, mappings" {
	printf 'FROM scratch\nEXPOSE 82-83 81/UDP 8080:80 9\n' | image
	config '.ExposedPorts | keys_unsorted' '["80/tcp","81/udp","82/tcp","83/tcp","9/tcp"]'
	warns ExposeProtoCasing 2
	warns ExposeInvalidFormat 2
	printf 'FROM scratch\nEXPOSE 127.0.0.1:80:81 [::1]:1:82/udp 7/sctp 9-8\n' | refused 'Buildfile:2' 9-8
	printf 'FROM scratch\nENV p=90-91/udp\nEXPOSE 127.0.0.1:80:81 [::1]:1:82/udp 7/sctp $p\n' | image
	config '.ExposedPorts | keys_unsorted' '["7/sctp","81/tcp","82/udp","90/udp","91/udp"]'
	printf 'FROM scratch\nEXPOSE\n' | refused 'Buildfile:2'
	printf 'FROM scratch\nEXPOSE 65536\n' | refused 'Buildfile:2' 65536
	printf 'FROM scratch\nEXPOSE 80/xyz\n' | refused 'Buildfile:2' xyz
}
@test "1.5 CMD and ENTRYPOINT: the last one, an inherited CMD goes, empty lists" {
	printf 'FROM scratch AS a\nCMD ["x"]\nFROM a\nENTRYPOINT ["e"]\nENTRYPOINT ["f"]\n' | image
	config .Entrypoint '["f"]'
	config .Cmd null
	printf 'FROM scratch\nCMD ["x"]\nENTRYPOINT ["e"]\n' | image
	config .Cmd '["x"]'
	config .ArgsEscaped true
	printf 'FROM scratch\nCMD []\nENTRYPOINT []\n' | image
	config '.Entrypoint' null
	printf 'FROM scratch AS a\nENTRYPOINT ["e"]\nCMD ["c"]\nFROM a\nENTRYPOINT []\n' | image
	config '.Entrypoint' null
	config .Cmd null
	printf 'FROM scratch AS a\nENTRYPOINT ["e"]\nFROM a\nCMD ["c"]\nENTRYPOINT f $x "y"\n' | image
	config .Entrypoint '["/bin/sh","-c","f $x \"y\""]'
	config .Cmd '["c"]'
	printf 'FROM scratch\nCMD a\nCMD ["b", "$x"]\n' | image
	config .Cmd '["b","$x"]'
}
@test "1.5 VOLUME: both forms; what is written below it later stays" {
	printf 'FROM localhost/bb\nVOLUME ["/v", "/w"]\nRUN mkdir /v && echo x >/v/x\nRUN [ "$(cat /v/x)" = x ]\nVOLUME /y /z\n' | image
	config '.Volumes | keys' '["/v","/w","/y","/z"]'
}
@test "1.5 USER: numbers and names" {
	printf 'FROM localhost/bb\nUSER alice\nRUN [ "$(id -u):$(id -g):$(id -G)" = "1000:1001:1001 100" ]\nUSER 7:8\nRUN [ "$(id -u):$(id -g)" = 7:8 ]\n' | image
	config .User '"7:8"'
	image <<-'E'
		FROM localhost/bb
		USER alice:daemon
		RUN [ "$(id -u):$(id -g):$(id -G)" = 1000:1:1 ]
		USER 1000
		RUN [ "$(id -u):$(id -g):$(id -G)" = "1000:1001:1001 100" ]
		USER 4711
		RUN [ "$(id -u):$(id -g)" = 4711:0 ] && [ "$HOME" = / ]
		USER alice
		RUN [ "$HOME" = /home/alice ]
	E
	printf 'FROM localhost/bb\nUSER nobodyknows\nRUN true\n' | refused 'Buildfile:3' nobodyknows
	printf 'FROM localhost/bb\nUSER alice:nogroup\nRUN true\n' | refused 'Buildfile:3' nogroup
	# in the configuration it may be whatever it is
	printf 'FROM scratch\nUSER nobodyknows\n' | image
	config .User '"nobodyknows"'
	printf 'FROM scratch\nUSER\n' | refused 'Buildfile:2'
}
@test "1.5 WORKDIR: relative to the one before, made even when unused, by its user" {
	printf 'FROM localhost/bb\nWORKDIR /a/\nUSER alice\nWORKDIR b\nWORKDIR ../c\nUSER 0\nRUN [ "$PWD" = /a/c ] && [ "$(stat -c %%U:%%a /a/b)" = alice:755 ]\n' | image
	config .WorkingDir '"/a/c"'
	printf 'FROM scratch\nWORKDIR /\n' | image
	same "$(layer_count)" 0
	printf 'FROM scratch\nWORKDIR /x//y/./z/../\n' | image
	config .WorkingDir '"/x/y"'
	printf 'FROM localhost/bb\nRUN mkdir -m 700 /is && chown 5:6 /is && ln -s is /l\nUSER alice\nWORKDIR /is\nWORKDIR /l/n\nUSER 0\nRUN [ "$(stat -c %%a:%%u:%%g /is)" = 700:5:6 ] && [ "$(stat -c %%a:%%U /is/n)" = 755:alice ] && [ -L /l ]\n' | image
}
@test "1.5 ONBUILD: kept, run in the child, also of a stage; not ONBUILD, FROM, MAINTAINER" {
	printf 'FROM localhost/bb AS a\nONBUILD ENV t=1\nONBUILD RUN [ "$t" = 1 ] && touch /t\nFROM a\nRUN [ -e /t ]\n' | image
	env_is t 1
	config .OnBuild null
	# of an image too, with --from, and only once
	printf 'FROM localhost/bb\nONBUILD COPY --from=localhost/bb /etc/group /g\nONBUILD ARG x=1\nONBUILD RUN echo $x >>/ran\nRUN [ ! -e /ran ]\n' | image -t localhost/trigger
	config .OnBuild '["COPY --from=localhost/bb /etc/group /g","ARG x=1","RUN echo $x >>/ran"]'
	printf 'FROM localhost/trigger AS one\nRUN [ "$(cat /ran)" = 1 ] && [ -e /g ]\nFROM one\nRUN [ "$(wc -l </ran)" = 1 ]\n' | image
	config .OnBuild null
	printf 'FROM scratch\nONBUILD\n' | refused 'Buildfile:2'
	printf 'FROM scratch\nONBUILD NONSENSE x\n' | refused 'Buildfile:2' NONSENSE
	for t in 'FROM x' 'ONBUILD RUN x' 'MAINTAINER x'; do
		printf 'FROM scratch\nONBUILD %s\n' "$t" | refused 'Buildfile:2' 'not allowed as an ONBUILD trigger'
	done
}
@test "1.5 STOPSIGNAL: names with and without SIG, numbers" {
	for s in SIGTERM TERM 15 SIGRTMIN+3; do
		printf 'FROM scratch\nSTOPSIGNAL %s\n' $s | image
		config .StopSignal "\"$s\""
	done
	printf 'FROM scratch\nSTOPSIGNAL SIGNONE\n' | refused 'Buildfile:2' SIGNONE
}
@test "1.5 HEALTHCHECK: durations, retries, NONE" {
	printf 'FROM scratch\nHEALTHCHECK --interval=1m --timeout=2s --start-period=3ms --start-interval=0s --retries=4 CMD ["a", "b"]\n' | image
	config .Healthcheck '{"Test":["CMD","a","b"],"Interval":60000000000,"Timeout":2000000000,"StartPeriod":3000000,"Retries":4}'
	printf 'FROM scratch\nHEALTHCHECK NONE\n' | image
	config .Healthcheck.Test '["NONE"]'
	printf 'FROM scratch\nHEALTHCHECK --interval=0 --timeout=1h1m1.5s CMD x $y\n' | image
	config .Healthcheck '{"Test":["CMD-SHELL","x $y"],"Timeout":3661500000000}'
	printf 'FROM scratch\nHEALTHCHECK CMD\n' | refused 'Buildfile:2'
	printf 'FROM scratch\nHEALTHCHECK NONE x\n' | refused 'Buildfile:2'
	printf 'FROM scratch\nHEALTHCHECK SOME x\n' | refused 'Buildfile:2' SOME
	printf 'FROM scratch\nHEALTHCHECK --interval=-1s CMD x\n' | refused 'Buildfile:2' interval
	printf 'FROM scratch\nHEALTHCHECK --interval=soon CMD x\n' | refused 'Buildfile:2' soon
	printf 'FROM scratch\nHEALTHCHECK --start-interval=999us CMD x\n' | refused 'Buildfile:2' start-interval
	printf 'FROM scratch\nHEALTHCHECK --interval=1us CMD x\n' | refused 'Buildfile:2' interval
	printf 'FROM scratch\nHEALTHCHECK --retries=-1 CMD x\n' | refused 'Buildfile:2' retries
}
@test "1.5 SHELL: JSON only; for later shell forms" {
	printf 'FROM scratch\nCMD a\nSHELL ["s", "-x"]\nENTRYPOINT b\n' | image
	config .Cmd '["/bin/sh","-c","a"]'
	config .Entrypoint '["s","-x","b"]'
	printf 'FROM localhost/bb AS a\nSHELL ["/bin/busybox", "sh", "-xc"]\nRUN [ "$-" = x ] || [[ $- == *x* ]]\nFROM a\nCMD c\n' | image
	config .Shell '["/bin/busybox","sh","-xc"]'
	config .Cmd '["/bin/busybox","sh","-xc","c"]'
	printf 'FROM scratch\nSHELL []\n' | refused 'Buildfile:2'
	printf 'FROM scratch\nSHELL s\n' | refused 'Buildfile:2' JSON
}
@test "1.5 MAINTAINER: the author" {
	printf 'FROM scratch\nMAINTAINER A B <a@b>\n' | image
	same "$(as "$WHO" imgstore inspect test | jq -r '.[0].Author')" 'A B <a@b>'
}
