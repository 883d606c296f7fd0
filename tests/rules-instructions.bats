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
	image --build-arg http_proxy=p:1 --build-arg NO_PROXY=local <<<$'FROM localhost/bb\nRUN [ "$http_proxy$HTTP_PROXY$no_proxy" = p:1p:1local ]'
	no_env http_proxy
	same "$(history | grep -c '|')" 0
}
@test "1.5 platform ARGs need an ARG line in a stage" {
	image <<-'E'
		FROM --platform=$BUILDPLATFORM localhost/bb AS named
		RUN [ -z "$TARGETARCH" ]
		ARG TARGETPLATFORM TARGETOS TARGETARCH BUILDOS TARGETSTAGE
		RUN [ "$TARGETPLATFORM" = "$TARGETOS/$TARGETARCH" ] && [ "$TARGETOS-$BUILDOS-$TARGETSTAGE" = linux-linux-named ]
	E
	image --build-arg TARGETOS=other <<<$'FROM localhost/bb\nARG TARGETOS TARGETSTAGE\nRUN [ "$TARGETOS$TARGETSTAGE" = otherdefault ]'
}
@test "1.5 FROM: one word or three, names, stages before, scratch" {
	printf 'FROM scratch one\n' | refused 'Buildfile:1' 'one or three'
	printf 'FROM scratch AS 1x\n' | refused 'Buildfile:1' "'1x'"
	printf 'FROM scratch AS A\nFROM a AS B.c-d_1\nENV x=1\nFROM b.C-d_1\n' | image
	env_is x 1
	printf 'FROM later\nFROM scratch AS later\n' | image --target later
	config '.Env[0]' '"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"'
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
		RUN [ "$(stat -c %u:%g /1 /2 /3 /n/4 /n | xargs)" = "1000:1000 1000:1 7:7 7:8 7:8" ]
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
}
@test "1.5 VOLUME: both forms; what is written below it later stays" {
	printf 'FROM localhost/bb\nVOLUME ["/v", "/w"]\nRUN mkdir /v && echo x >/v/x\nRUN [ "$(cat /v/x)" = x ]\nVOLUME /y /z\n' | image
	config '.Volumes | keys' '["/v","/w","/y","/z"]'
}
@test "1.5 USER: numbers and names" {
	printf 'FROM localhost/bb\nUSER alice\nRUN [ "$(id -u):$(id -g):$(id -G)" = "1000:1001:1001 100" ]\nUSER 7:8\nRUN [ "$(id -u):$(id -g)" = 7:8 ]\n' | image
	config .User '"7:8"'
}
@test "1.5 WORKDIR: relative to the one before, made even when unused, by its user" {
	printf 'FROM localhost/bb\nWORKDIR /a/\nUSER alice\nWORKDIR b\nWORKDIR ../c\nUSER 0\nRUN [ "$PWD" = /a/c ] && [ "$(stat -c %%U:%%a /a/b)" = alice:755 ]\n' | image
	config .WorkingDir '"/a/c"'
}
@test "1.5 ONBUILD: kept, run in the child, also of a stage; not ONBUILD, FROM, MAINTAINER" {
	printf 'FROM localhost/bb AS a\nONBUILD ENV t=1\nONBUILD RUN [ "$t" = 1 ] && touch /t\nFROM a\nRUN [ -e /t ]\n' | image
	env_is t 1
	config .OnBuild null
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
	printf 'FROM scratch\nHEALTHCHECK --interval=1us CMD x\n' | refused 'Buildfile:2' interval
	printf 'FROM scratch\nHEALTHCHECK --retries=-1 CMD x\n' | refused 'Buildfile:2' retries
}
@test "1.5 SHELL: JSON only; for later shell forms" {
	printf 'FROM scratch\nCMD a\nSHELL ["s", "-x"]\nENTRYPOINT b\n' | image
	config .Cmd '["/bin/sh","-c","a"]'
	config .Entrypoint '["s","-x","b"]'
	printf 'FROM scratch\nSHELL s\n' | refused 'Buildfile:2' JSON
}
@test "1.5 MAINTAINER: the author" {
	printf 'FROM scratch\nMAINTAINER A B <a@b>\n' | image
	same "$(as "$WHO" imgstore inspect test | jq -r '.[0].Author')" 'A B <a@b>'
}
