#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Each check by its name: what it warns of, and what it does not.

load rules

# finds OPTION… FINDING…: the Buildfile is on stdin; all findings are "Rule line", in that order, and nothing is built
finds() {
	local options=() want
	while [[ ${1-} == -* ]]; do options+=("$1"); shift; done
	cat >Buildfile
	want=$(printf '%s\n' "$@")
	run as "$WHO" imgbuild --call=check,format=json "${options[@]}" .
	same "$(jq -r '.warnings[] | "\(.ruleName) \(.location.ranges[0].start.line)"' <<<"$output")" "$want" || { cat Buildfile; return 1; }
	same "$status" "$([ -n "$want" ] && echo 1 || echo 0)"
}

# ---- 1.9 the checks ----

@test "1.9 StageNameCasing" {
	printf 'FROM scratch AS Bad\nFROM scratch AS good-1.x_y\nFROM scratch\n' | finds 'StageNameCasing 1'
}
@test "1.9 FromAsCasing" {
	printf 'FROM scratch as a\nFROM scratch AS b\nFROM scratch\n' | finds 'FromAsCasing 1'
	printf 'from scratch AS a\nfrom scratch as b\n' | finds 'FromAsCasing 1'
	# mixed case is the other check's to say
	printf 'From scratch as a\nFROM scratch AS b\n' | finds 'ConsistentInstructionCasing 1'
}
@test "1.9 NoEmptyContinuation" {
	printf 'FROM scratch\nCOPY f \\\n\n/\nCOPY f \\\n/\n' | finds 'NoEmptyContinuation 3'
	printf 'FROM scratch\nENV a=1 \\\n# a comment is none\n b=2\n\n\nENV c=1\n' | finds
}
@test "1.9 ConsistentInstructionCasing" {
	printf 'FROM scratch\ncopy f /1\nCOPY f /2\n' | finds 'ConsistentInstructionCasing 2'
	printf 'from scratch\nCOPY f /1\ncopy f /2\n' | finds 'ConsistentInstructionCasing 2'
	printf 'FROM scratch\ncopy f /1\ncopy f /2\n' | finds 'ConsistentInstructionCasing 1'
	printf 'frOM scratch\nCopy f /1\ncopy f /2\n' | finds 'ConsistentInstructionCasing 1' 'ConsistentInstructionCasing 2'
	printf 'from scratch\ncopy f /1\n' | finds
	printf 'FROM scratch\nRUN <<E\nenv\nE\n' | finds
}
@test "1.9 DuplicateStageName" {
	printf 'FROM scratch AS b\nFROM scratch AS b\nFROM scratch AS c\nFROM scratch\nFROM scratch\n' | finds 'DuplicateStageName 2'
	printf 'FROM scratch AS b\nFROM scratch AS B\n' | finds 'StageNameCasing 2' 'DuplicateStageName 2'
}
@test "1.9 ReservedStageName: scratch, context" {
	printf 'FROM scratch AS scratch\nFROM scratch AS context\nFROM scratch AS scratches\nFROM scratch\n' | finds 'ReservedStageName 1' 'ReservedStageName 2'
}
@test "1.9 JSONArgsRecommended: CMD and ENTRYPOINT, unless there is a SHELL" {
	printf 'FROM scratch\nCMD x\nENTRYPOINT y\n' | finds 'JSONArgsRecommended 2' 'JSONArgsRecommended 3'
	printf 'FROM scratch\nCMD ["x"]\nENTRYPOINT ["y"]\nRUN z\nHEALTHCHECK CMD z\n' | finds
	printf 'FROM scratch\nSHELL ["sh"]\nCMD x\nENTRYPOINT y\n' | finds
	printf 'FROM scratch AS a\nSHELL ["sh"]\nFROM a\nENTRYPOINT y\n' | finds
}
@test "1.9 MaintainerDeprecated" {
	printf 'FROM scratch\nMAINTAINER me\nLABEL org.opencontainers.image.authors=me\n' | finds 'MaintainerDeprecated 2'
}
@test "1.9 UndefinedArgInFrom" {
	printf 'ARG base=scratch\nARG x\nFROM --platform=$BUILDPLATFORM $base\nFROM scratch$x\nFROM scra${x:-tch}\n' | finds
	printf 'ARG tag=latest\nFROM localhost/bb:${tag}${version}\n' | finds 'UndefinedArgInFrom 2'
	printf 'ARG version=1\nFROM localhost/bb:latest${verison}\n' | finds 'UndefinedArgInFrom 2'
	as "$WHO" imgbuild --check . | grep -q 'did you mean version?'
}
@test "1.9 WorkdirRelativePath: without an absolute one before, in this file" {
	printf 'FROM scratch\nWORKDIR app/\n' | finds 'WorkdirRelativePath 2'
	printf 'FROM localhost/bb\nWORKDIR app\nWORKDIR more\n' | finds 'WorkdirRelativePath 2'
	printf 'FROM scratch AS a\nWORKDIR /app\nFROM a\nWORKDIR sub\n' | finds
	printf 'FROM scratch\nWORKDIR /app\nWORKDIR sub\n' | finds
}
@test "1.9 UndefinedVar" {
	printf 'FROM localhost/bb\nARG x\nENV y=1\nCOPY f${x} /$y\nRUN echo $none\nCOPY ${y:-f} /${x+x}\nENV PATH=$PATH:/x\n' | finds
	printf 'FROM localhost/bb\nCOPY f$x /\nARG x=f\n' | finds 'UndefinedVar 2'
	printf 'FROM localhost/bb\nCOPY ${x:-f} /\n' | finds 'UndefinedVar 2'
	printf 'FROM localhost/bb\nARG DIR_ASSETS=a\nCOPY f$DIR_ASSET /\nENV PATH=$PAHT:/x\n' | finds 'UndefinedVar 3' 'UndefinedVar 4'
	as "$WHO" imgbuild --check . >out || true
	grep -q 'did you mean \$DIR_ASSETS?' out
	grep -q 'did you mean \$PATH?' out
	printf 'FROM scratch AS a\nARG x=f\nFROM a\nCOPY $x /\nFROM scratch\nCOPY f$x /\n' | finds 'UndefinedVar 6'
}
@test "1.9 MultipleInstructionsDisallowed: CMD, ENTRYPOINT, HEALTHCHECK of one stage" {
	printf 'FROM scratch\nENTRYPOINT ["a"]\nCMD ["a"]\nHEALTHCHECK CMD ["a"]\nENV x=1\nENTRYPOINT ["b"]\nCMD ["b"]\nHEALTHCHECK NONE\n' |
		finds 'MultipleInstructionsDisallowed 2' 'MultipleInstructionsDisallowed 3' 'MultipleInstructionsDisallowed 4'
	printf 'FROM scratch AS a\nENTRYPOINT ["a"]\nCMD ["a"]\nHEALTHCHECK NONE\nFROM a\nENTRYPOINT ["b"]\nCMD ["b"]\nHEALTHCHECK NONE\n' | finds
}
@test "1.9 LegacyKeyValueFormat: ENV and LABEL" {
	printf 'FROM scratch\nENV a b\nLABEL c d\nENV a=b\nLABEL c="d e"\n' | finds 'LegacyKeyValueFormat 2' 'LegacyKeyValueFormat 3'
}
@test "1.9 InvalidBaseImagePlatform: a base of another platform than the one that is built for" {
	python3 "$top_srcdir/tests/make-layout.py" "$PWD/layout" x - linux/s390x
	as "$WHO" imgpull -q --platform linux/s390x "oci:$PWD/layout:x" localhost/other >&2
	printf 'FROM localhost/other\n' | finds 'InvalidBaseImagePlatform 1'
	as "$WHO" imgbuild --check . | grep -q "'localhost/other' is for platform linux/s390x, and linux/.* is built"
	printf 'FROM localhost/bb\n' | finds
}
@test "1.9 RedundantTargetPlatform" {
	printf 'FROM --platform=$TARGETPLATFORM scratch\nFROM --platform=${TARGETPLATFORM} scratch\nFROM --platform=$BUILDPLATFORM scratch\n' |
		finds 'RedundantTargetPlatform 1' 'RedundantTargetPlatform 2'
}
@test "1.9 SecretsUsedInArgOrEnv: by the names" {
	printf 'FROM scratch\nARG SECRET_PASSPHRASE\nENV SUPER_Secret=foo\nENV password=bar secret=baz\nARG super_duper_secret_token=foo auth=bar\nENV apikey=bar sunflower=foo\nENV git_key=\n' |
		finds 'SecretsUsedInArgOrEnv '{2,3,4,4,5,5,6,7}
	printf 'FROM scratch\nENV PUBLIC_KEY=\nARG public_token\nARG SECRET_PASSPHRASE_FILE\nENV password_file=bar secret_File=baz\nARG AUTH_MODULE_VERSION\nENV keyboard=1 monkey=2\n' | finds
}
@test "1.9 InvalidDefaultArgInFrom" {
	printf 'ARG VERSION\nFROM localhost/bb:$VERSION\n' | finds --build-arg=VERSION=latest 'InvalidDefaultArgInFrom 2'
	printf 'ARG IMAGE\nFROM $IMAGE\n' | finds --build-arg=IMAGE=localhost/bb 'InvalidDefaultArgInFrom 2'
	printf 'ARG SFX="b:"\nFROM localhost/b${SFX}\n' | finds --build-arg=SFX=b:latest 'InvalidDefaultArgInFrom 2'
	printf 'ARG VERSION=latest\nARG X=""\nARG Y\nFROM localhost/bb:${VERSION}\nFROM localhost/bb:latest${X}\nFROM localhost/bb:latest${Y}\n' | finds
}
@test "1.9 FromPlatformFlagConstDisallowed: unless the stage's name says so" {
	printf 'FROM --platform=linux/amd64 scratch\nFROM --platform=linux/amd64 scratch AS my_amd64\nFROM --platform=linux/amd64 scratch AS linux\nFROM --platform=$BUILDPLATFORM scratch\n' |
		finds 'FromPlatformFlagConstDisallowed 1'
}
@test "1.9 CopyIgnoredFile: COPY and ADD, from the context only" {
	printf 'f\nd/*\n' >.dockerignore
	printf 'FROM scratch AS a\nCOPY f /\nADD d/g /\nCOPY . /\nCOPY e /\nFROM a\nCOPY --from=a f /\nADD http://localhost/f /\n' | finds 'CopyIgnoredFile 2' 'CopyIgnoredFile 3'
	echo '*' >.dockerignore
	printf 'FROM scratch\nCOPY . /\n' | finds 'CopyIgnoredFile 2'
	printf '.*\n' >.dockerignore
	printf 'FROM scratch\nCOPY . /\n' | finds
	printf '**\n!f\n' >.dockerignore
	printf 'FROM scratch\nCOPY ./f /\n' | finds
}
@test "1.9 ExposeProtoCasing" {
	printf 'FROM scratch\nEXPOSE 80/TcP 81/UDP 82/udp 83\n' | finds 'ExposeProtoCasing 2' 'ExposeProtoCasing 2'
}
@test "1.9 ExposeInvalidFormat" {
	printf 'FROM scratch\nEXPOSE 127.0.0.1:80:80 [::1]:8080:8080 5000:5000 8000 1-2\n' | finds 'ExposeInvalidFormat 2' 'ExposeInvalidFormat 2' 'ExposeInvalidFormat 2'
}
@test "1.9 InvalidDefinitionDescription: only when it is asked for" {
	local text=$'# other comment\nARG foo=bar\n# wrong\nFROM scratch AS base\n# base too\nARG v=1\n# not asked of others\nENV w=2\n#\nARG x=1\n# x\n\nARG x=1\n# b is one of them\nARG a=1 b=2\n'
	finds <<<"$text"
	finds 'InvalidDefinitionDescription 3' 'InvalidDefinitionDescription 5' 'InvalidDefinitionDescription 7' <<<"# check=experimental=InvalidDefinitionDescription
$text"
	finds 'InvalidDefinitionDescription 3' 'InvalidDefinitionDescription 5' 'InvalidDefinitionDescription 7' <<<"# check=experimental=all
$text"
}

# ---- 1.9 how they are asked ----

@test "1.9: warnings leave the status alone; error=true does not" {
	printf 'FROM scratch\nMAINTAINER x\n' | image
	warns MaintainerDeprecated 2
	printf 'FROM scratch\nMAINTAINER x\n' >Buildfile
	run as "$WHO" imgbuild --build-arg BUILDKIT_DOCKERFILE_CHECK=error=true .
	same "$status" 3
}
@test "1.9: skip=NAMES, skip=all, both with error=true; BUILDKIT_DOCKERFILE_CHECK goes first" {
	local text=$'FROM scratch as base\ncopy f /\n'
	finds 'FromAsCasing 1' 'ConsistentInstructionCasing 2' <<<"$text"
	finds <<<"# check=skip=all
$text"
	finds <<<"# check=skip=ConsistentInstructionCasing,FromAsCasing;error=true
$text"
	finds 'FromAsCasing 2' <<<"# check=skip=ConsistentInstructionCasing
$text"
	finds --build-arg=BUILDKIT_DOCKERFILE_CHECK=skip=ConsistentInstructionCasing 'FromAsCasing 2' <<<"# check=skip=all
$text"
	printf '# check=skip=all\n%s' "$text" >Buildfile
	run as "$WHO" imgbuild --build-arg "BUILDKIT_DOCKERFILE_CHECK=skip=ConsistentInstructionCasing;error=true" .
	same "$status" 3
	[[ $output == *FromAsCasing* ]]
}
@test "1.9: a check comment holds for its instruction only" {
	printf 'FROM scratch\n# check=skip=MaintainerDeprecated\nMAINTAINER a\nMAINTAINER b\n# check=skip=all // with a reason\nMAINTAINER c\n' | finds 'MaintainerDeprecated 4'
}
@test "1.9: --check looks at all stages, a build at those that it needs" {
	printf 'FROM localhost/bb AS one\nCOPY f$foo /\nFROM scratch AS two\nCOPY f$bar /\n' | finds 'UndefinedVar 2' 'UndefinedVar 4'
	image <<<"$(cat Buildfile)"
	warns UndefinedVar 4
	not grep 'line 2' "$T/messages"
}
