#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Questions to a Buildfile: what is unwise in it, what it takes, what can be built from it.

load lib

setup_file() { make_scratch; }
teardown_file() { remove_scratch; }

context() { # Buildfile on stdin; directory on stdout
	local dir
	dir=$(mktemp -d "$T/ctx.XXXXXX")
	cat >"$dir/Buildfile"
	chmod -R a+rX "$dir"
	echo "$dir"
}
whoever() { if is_root; then echo root; else echo user; fi; }

# ask STATUS CONTEXT OPTION…: stdout is in $output, stderr in $stderr
ask() {
	local want=$1 dir=$2
	shift 2
	status=0
	output=$(as "$(whoever)" imgbuild "$@" "$dir" 2>"$T/stderr") || status=$?
	stderr=$(cat "$T/stderr")
	echo "status $status"
	echo "$output"
	echo "stderr: $stderr"
	[ "$status" = "$want" ]
}
has() { [[ $output == *"$1"* ]] || { echo "not said: $1"; return 1; }; }

findings() { # WHO
	local dir who=$1
	dir=$(printf 'FROM scratch\nMAINTAINER me\nCOPY nothing /\nRUN false\n' | context)
	whoever() { echo "$who"; }
	ask 1 "$dir" --check
	has 'Check complete, 1 warning found.'
	has 'WARNING: MaintainerDeprecated - https://docs.docker.com/go/dockerfile/rule/maintainer-deprecated/'
	has 'Buildfile:2'
	has '2 | MAINTAINER me'
	[ -z "$stderr" ]
}
@test "--check shows the rule and the place, and runs nothing (root)" { need_root; findings root; }
@test "--check shows the rule and the place, and runs nothing (user)" { need_user; findings user; }

@test "--check of a file without findings is status 0" {
	ask 0 "$(printf 'FROM scratch\nCOPY none /\n' | context)" --check
	[ "$output" = 'Check complete, no warnings found.' ]
}

@test "--call=check,ignorestatus: findings are status 0" {
	ask 0 "$(printf 'FROM scratch\nMAINTAINER me\n' | context)" --call=check,ignorestatus
	has MaintainerDeprecated
}

@test "--check says what makes a build impossible, after what else it found" {
	dir=$(printf 'FROM scratch\nMAINTAINER me\nENV a="${b:?nothing there}"\n' | context)
	ask 3 "$dir" --check
	has MaintainerDeprecated
	[[ $stderr == 'imgbuild: Buildfile:3:1: ENV: '*'nothing there'* ]]
}

@test "--check looks into all stages, with --target into those it needs" {
	dir=$(printf 'FROM scratch AS a\nENV x=$none\nFROM scratch AS b\nENV y=$none\n' | context)
	ask 1 "$dir" --check
	has 'Buildfile:2'
	has 'Buildfile:4'
	ask 1 "$dir" --check --target=b
	has 'Buildfile:4'
	[[ $output != *'Buildfile:2'* ]]
}

@test "--check needs no base image and no store" {
	dir=$(printf 'FROM localhost/not-there\nRUN x\nENV a=$b\nMAINTAINER me\n' | context)
	ask 1 "$dir" --check --root /proc/none
	has MaintainerDeprecated
	[[ $output != *UndefinedVar* ]]
}

@test "--check knows contexts by name: they take the place of stages and images" {
	dir=$(printf 'FROM scratch AS a\nENV v=1\nFROM a\nENV w=$v\nCOPY --from=b x /\n' | context)
	ask 0 "$dir" --check
	ask 1 "$dir" --check --build-context "a=$dir"
	has "Buildfile:4"
	has "variable '\$v' is not defined"
	ask 0 "$dir" --check --build-context a=docker-image://localhost/not-there
	ask 0 "$dir" --check --build-context a=oci-layout:///not/there:tag
}

@test "--check names files that the ignore file leaves out" {
	dir=$(printf 'FROM scratch\nCOPY a /\n' | context)
	echo a >"$dir/.dockerignore"
	ask 1 "$dir" --check
	has CopyIgnoredFile
}

@test "--call=check,format=json" {
	command -v python3 >/dev/null || skip "needs python3"
	dir=$(printf 'FROM scratch\nMAINTAINER me\n' | context)
	ask 1 "$dir" --call=check,format=json
	python3 -c '
import json, sys
d = json.load(sys.stdin)
w, = d["warnings"]
assert w["ruleName"] == "MaintainerDeprecated", w
assert w["location"]["ranges"] == [{"start": {"line": 2}, "end": {"line": 2}}], w
assert d["sources"][0]["filename"] == "Buildfile", d
assert "buildError" not in d' <<<"$output"
	ask 3 "$(printf 'FROM scratch\nNONSENSE\n' | context)" --call=check,format=json
	python3 -c '
import json, sys
d = json.load(sys.stdin)
assert d["warnings"] == [], d
assert "NONSENSE" in d["buildError"]["message"], d' <<<"$output"
}

@test "a build warns at its end, in one line each, and is a success" {
	dir=$(printf 'FROM scratch\nMAINTAINER me\nENV a b\n' | context)
	ask 0 "$dir" --progress=plain
	[[ $output == sha256:* ]]
	[[ $stderr == *' 2 warnings found (imgbuild --check shows the places):'*' - MaintainerDeprecated: '*' (line 2)'*' - LegacyKeyValueFormat: '*' (line 3)' ]]
	ask 0 "$dir" --progress=quiet
	[ -z "$stderr" ]
}

@test "error=true: nothing is built, status 3" {
	dir=$(printf '# check=error=true\nFROM scratch\nMAINTAINER me\n' | context)
	ask 3 "$dir" --progress=plain -t checked
	[[ $stderr == *' - MaintainerDeprecated: '*'imgbuild: checks that the Buildfile makes errors: MaintainerDeprecated' ]]
	[ -z "$output" ]
	run as "$(whoever)" imgstore inspect checked
	[ "$status" = 3 ]
	ask 3 "$dir" --check
	ask 0 "$dir" --progress=plain --build-arg BUILDKIT_DOCKERFILE_CHECK=skip=MaintainerDeprecated
	ask 3 "$dir" --build-arg BUILDKIT_DOCKERFILE_CHECK=skip
	[[ $stderr == *"build argument 'BUILDKIT_DOCKERFILE_CHECK': check option 'skip' is not NAME=VALUE"* ]]
}

outlined() {
	cat <<'END'
# VERSION of the base
ARG VERSION=1
ARG NAME=base-$VERSION
ARG UNUSED=u
FROM scratch AS aside
ARG ASIDE=1
FROM scratch AS below
# BELOW is deep
ARG BELOW=2
# main what is shipped
FROM below AS main
ARG NAME
ARG EMPTY
# MODE how it is made
ARG MODE=fast
ENV MODE=$MODE
END
}

@test "--call=outline: what a target takes" {
	ask 0 "$(outlined | context)" --call=outline
	has 'TARGET:      main'
	has 'DESCRIPTION: what is shipped'
	expected='BUILD ARG   VALUE    DESCRIPTION
VERSION     1        of the base
NAME        base-1
BELOW       2        is deep
EMPTY
MODE        fast     how it is made'
	has "$expected"
	[[ $output != *ASIDE* ]]
	[[ $output != *UNUSED* ]]
	ask 0 "$(outlined | context)" --call=outline --target=aside
	has 'ASIDE       1'
	[[ $output != *MODE* ]]
	ask 0 "$(outlined | context)" --call=outline --build-arg MODE=slow --build-arg VERSION=7
	has 'MODE        slow'
	has 'NAME        base-7'
}

@test "--call=outline,format=json" {
	command -v python3 >/dev/null || skip "needs python3"
	ask 0 "$(outlined | context)" --call=outline,format=json
	python3 -c '
import json, sys
d = json.load(sys.stdin)
assert d["name"] == "main" and d["description"] == "what is shipped", d
assert [a["name"] for a in d["args"]] == ["VERSION", "NAME", "BELOW", "EMPTY", "MODE"], d
assert d["args"][4]["value"] == "fast" and d["args"][4]["description"] == "how it is made", d
assert d["args"][4]["location"]["ranges"][0]["start"]["line"] == 15, d' <<<"$output"
}

@test "--call=outline: secrets, agents and caches of the stages that a target needs" {
	dir=$(context <<-'E'
		FROM scratch AS aside
		RUN --mount=type=secret,id=aside true
		FROM scratch AS one
		ARG MODE=fast
		RUN --mount=type=secret,id=$MODE,required --mount=type=ssh --mount=type=cache,target=/c true
		RUN --mount=type=secret,target=/x/token --mount=type=cache,id=named,target=/d true
		RUN --mount=type=secret,id=token,required true
		FROM one
	E
	)
	ask 0 "$dir" --call=outline
	has 'SECRET   REQUIRED
fast     true
token    true

SSH       REQUIRED
default

CACHE
/c
named'
	[[ $output != *aside* ]]
}

@test "--call=targets: the stages, the default marked" {
	ask 0 "$(outlined | context)" --call=targets
	[ "$output" = 'TARGET           DESCRIPTION
aside
below
main (default)   what is shipped' ]
	ask 0 "$(printf 'FROM scratch\nFROM scratch\n' | context)" --call=targets
	[ "$output" = 'TARGET      DESCRIPTION
0
(default)' ]
	ask 0 "$(outlined | context)" --call=targets,format=json
	has '"base": "below"'
	has '"default": true'
}

@test "--call: what is no question is status 2" {
	dir=$(printf 'FROM scratch\n' | context)
	ask 2 "$dir" --call=nothing
	[ "$stderr" = "imgbuild: --call: 'nothing' is none of build, check, outline, targets" ]
	ask 2 "$dir" --call=check,format=xml
	[ "$stderr" = "imgbuild: --call: 'format=xml' is none of format=text, format=json, ignorestatus" ]
	ask 0 "$dir" --call=build --progress=quiet
	[[ $output == sha256:* ]]
}

# CVE-2024-23650 and its like: no Buildfile keeps the builder busy or ends it
@test "tens of thousands of stages are looked at in no time" {
	local text
	text=$(seq 0 59999 | sed 's/.*/FROM scratch AS s&\nCOPY a \//')
	dir=$(context <<<"$text")
	ask 0 "$dir" --check
	# all of one name
	dir=$(seq 0 59999 | sed 's/.*/FROM scratch AS same\nCOPY a \//' | context)
	timeout 20 imgbuild --check "$dir" >"$dir/out" 2>&1 || [ $? = 1 ]
	grep -q DuplicateStageName "$dir/out"
}

@test "stages that need each the one before: not deeper than the stack" {
	{
		echo 'FROM scratch AS s0'
		seq 1 60000 | awk '{ print "FROM s" $1 - 1 " AS s" $1 }'
	} >"$T/deep"
	dir=$(context <"$T/deep")
	ask 0 "$dir" --check
	ask 3 "$dir" --call=outline
	[[ $stderr == *'Buildfile:59001:1: FROM: more than 1000 stages in a row need each the one before'* ]]
	{
		echo 'FROM scratch AS s0'
		seq 1 60000 | awk '{ print "FROM scratch AS s" $1 "\nCOPY --from=s" $1 - 1 " / /" }'
	} >"$T/deep"
	ask 3 "$(context <"$T/deep")" --call=outline
	[[ $stderr == *'more than 1000 stages in a row need each the one before'* ]]
}
