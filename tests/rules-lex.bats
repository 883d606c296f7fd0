#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Lines, words, flags and directives.

load rules

# ---- 1.1 lines ----

@test "L1: a byte order mark is dropped" {
	printf '\xef\xbb\xbfFROM scratch\nENV a=1\n' | image
	env_is a 1
}
@test "L2: a line has at most 65535 bytes" {
	{ printf 'FROM scratch\nLABEL a='; head -c 65527 /dev/zero | tr '\0' x; echo; } | image
	config '.Labels.a | length' 65527
	{ printf 'FROM scratch\nLABEL a='; head -c 65528 /dev/zero | tr '\0' x; echo; } | refused 'Buildfile:2' 65535
}
@test "L3: both line ends" {
	printf 'FROM scratch\r\nENV a=1 \\\r\n b=2\r\nENV c=3\n' | image
	env_is a 1
	env_is b 2
	env_is c 3
}
@test "L4: comments, also between continued lines; elsewhere # is an argument" {
	image <<-'E'
		FROM scratch
		  # a comment
		ENV a=1 \
		# another
		  # and one more
		    b=# c=x#y
	E
	env_is a 1
	env_is b '#'
	env_is c 'x#y'
}
@test "L5: blanks at the beginning of an instruction are dropped, those of continued lines stay" {
	printf 'FROM scratch\n \t CMD a\\\n  b\n' | image
	config .Cmd '["/bin/sh","-c","a  b"]'
}
@test "L6: continuation: blanks may follow the escape, a doubled one continues nothing" {
	printf 'FROM scratch\nENV a=1 \\ \t\n b=2\nCMD x\\\\\nENV c=3\n' | image
	env_is b 2
	env_is c 3
	config .Cmd '["/bin/sh","-c","x\\\\"]'
}
@test "L7: an empty line inside a continuation is skipped, with a warning" {
	printf 'FROM scratch\nENV a=1 \\\n\n b=2\n' | image
	env_is b 2
	warns NoEmptyContinuation 3
}
@test "L8: instructions in any case; an unknown one is refused with a suggestion" {
	image <<-'E'
		FrOm scratch
		eNv a=1
	E
	env_is a 1
	printf 'FROM scratch\nENVV a=1\n' | refused 'Buildfile:2:1' "unknown instruction 'ENVV'" "'ENV'"
}
@test "L9: flags: --, doubled, unknown, of both kinds" {
	image <<-'E'
		FROM scratch
		COPY --chown="1:2" -- f /--chmod=1
	E
	same "$(layer_count)" 1
	printf 'FROM scratch\nCOPY --chown=1 --chown=2 f /\n' | refused 'Buildfile:2' chown
	printf 'FROM scratch\nCOPY --chwn=1 f /\n' | refused 'Buildfile:2' '--chwn' '--chown'
	printf 'FROM scratch\nCOPY --chown f /\n' | refused 'Buildfile:2' '--chown'
	printf 'FROM scratch\nCOPY --link=perhaps f /\n' | refused 'Buildfile:2' '--link'
	printf 'FROM scratch\nCOPY --link= f /\n' | refused 'Buildfile:2' '--link'
	printf 'FROM scratch\nCOPY --link --link=false f /\n' | refused 'Buildfile:2' link
	printf 'FROM scratch\nCOPY --link=TRUE --exclude=a --exclude=b --cho\\wn=1 f /1\nCOPY --link=false f /2\n' | image
	# the words of a command are its own
	printf 'FROM localhost/bb\nRUN ["echo", "--network=x"]\nRUN -- true\n' | image
	printf 'FROM scratch\nENV --x=1\n' | refused 'Buildfile:2' "'--x'"
}
@test "L10: JSON form; what is no JSON is the shell form; other members than strings are refused" {
	printf 'FROM scratch\nCMD [ "a", "b\\u0041" ]\n' | image
	config .Cmd '["a","bA"]'
	printf 'FROM scratch\nCMD [a, b]\n' | image
	config .Cmd '["/bin/sh","-c","[a, b]"]'
	printf 'FROM scratch\nCMD ["a", 1]\n' | refused 'Buildfile:2'
}
@test "L11: lists of words are split at blanks, without quotes" {
	printf 'FROM scratch\nEXPOSE 1 \t 2\f3\nVOLUME /a\t/b\n' | image
	config '.ExposedPorts | keys' '["1/tcp","2/tcp","3/tcp"]'
	config '.Volumes | keys' '["/a","/b"]'
	cp f '"f'
	echo x >'g"'
	printf 'FROM scratch\nCOPY \\"f g\\" /x/\n' | image
}
@test "L12: words with quotes" {
	image <<-'E'
		FROM scratch
		ENV a="x y" b='$c \n' c=x\ y d="q\"q" e=p'q'"r"
		LABEL "k l"='v w' k2=a"b c"
	E
	env_is a 'x y'
	env_is b '$c \n'
	env_is c 'x y'
	env_is d 'q"q'
	env_is e pqr
	config .Labels '{"k l":"v w","k2":"ab c"}'
}
@test "L13: single strings take the rest of the line" {
	image <<-'E'
		FROM localhost/bb
		WORKDIR /a dir with blanks
		USER 1:1
	E
	config .WorkingDir '"/a dir with blanks"'
}
@test "L14: an empty file, and one with comments only" {
	printf '' | refused 'no instructions'
	printf '\n# nothing\n' | refused 'no instructions'
	printf 'ARG a\n' | refused 'no FROM'
}
@test "L15: a comment right above a stage or ARG is its description" {
	cat >Buildfile <<-'E'
		FROM scratch AS one
		# two is the second
		FROM scratch AS two
		# VERSION which one
		ARG VERSION=1
		#
		# OTHER is set apart
		#
		ARG OTHER=2
	E
	run as "$WHO" imgbuild --call=targets .
	[[ $output == *'two (default)   is the second'* ]]
	run as "$WHO" imgbuild --call=outline .
	[[ $output == *'VERSION     1       which one'* ]]
	[[ $output != *'set apart'* ]]
}
@test "L16: a check comment narrows the checks of its instruction" {
	image <<-'E'
		FROM scratch
		# check=skip=LegacyKeyValueFormat
		ENV a b
		ENV c d
	E
	warns LegacyKeyValueFormat 4
	not grep 'line 3' "$T/messages"
}

# ---- 1.2 directives ----

@test "1.2 syntax: docker's own front ends are built in; in any case, blanks around '='" {
	for s in docker/dockerfile:1 docker/dockerfile:1.7-labs docker/dockerfile-upstream:master; do
		printf '#SYNTAX = %s\nFROM scratch\nENV a=1\n' "$s" | image
		env_is a 1
	done
}
@test "1.2 syntax: of another front end a warning; BUILDKIT_SYNTAX goes first" {
	printf '# syntax=docker/dockerfile:1\nFROM scratch\nENV a=1\n' | image
	not grep 'front end' "$T/messages"
	printf '# syntax=my/front-end:2 with words\nFROM scratch\nENV a=1\n' | image
	said "warning: the front end 'my/front-end:2 with words' is not run"
	printf '# syntax=docker/dockerfiles:1\nFROM scratch\n' | image
	said "'docker/dockerfiles:1' is not run"
	printf '# syntax=my/front-end\nFROM scratch\n' | image --build-arg BUILDKIT_SYNTAX=docker.io/docker/dockerfile-upstream:master@sha256:0
	not grep 'front end' "$T/messages"
	printf 'FROM scratch\n' | image --build-arg BUILDKIT_SYNTAX=dockerfile.v0
	not grep 'front end' "$T/messages"
	printf 'FROM scratch\n' | image --build-arg BUILDKIT_SYNTAX=other
	said "'other' is not run"
}
@test "1.2 syntax: '// syntax=' and {\"syntax\":…} are other languages" {
	printf '// syntax=my/front-end\nFROM scratch\n' | refused 'Buildfile:1' "front end 'my/front-end'"
	printf '{"syntax": "my/front-end", "x": 1}\n' | refused 'Buildfile:1' "front end 'my/front-end'"
}
@test "1.2 escape: a backtick, and nothing else" {
	printf '# escape=`\nFROM scratch\nENV a=C:\\x `\n b="p`"q"\n' | image
	env_is a 'C:\x'
	env_is b 'p"q'
	printf '# escape=x\nFROM scratch\n' | refused 'Buildfile:1' escape
}
@test "1.2 check: skip and error" {
	printf '# check=skip=MaintainerDeprecated\nFROM scratch\nMAINTAINER x\n' | image
	silent MaintainerDeprecated
	printf '# check=error=true\nFROM scratch\nMAINTAINER x\n' | refused MaintainerDeprecated
	printf '# check=skip=MaintainerDeprecated,JSONArgsRecommended;error=true\nFROM scratch\nMAINTAINER x\nCMD x\n' | image
	printf '# check=experimental=all;error=false\n# wrong\nFROM scratch AS x\n' | image
	warns InvalidDefinitionDescription 3
	printf '# check=other=1\nFROM scratch\n' | refused 'Buildfile:1' other
}
@test "1.2: each directive once, and only at the very top" {
	printf '# escape=`\n# escape=`\nFROM scratch\n' | refused 'Buildfile:2' escape
	printf '#Escape = `\n#SYNTAX=docker/dockerfile:1\nFROM scratch\nENV a=`$x\n' | image
	env_is a '$x'
	printf '#!/bin/imgbuild\n# escape=`\nFROM scratch\nENV a=`$x\n' | image
	env_is a '$x'
	for first in '# a comment' '' '# unknown=1' 'ARG x'; do
		printf '%s\n# escape=`\nFROM scratch\nENV a=`\n' "$first" | image
		env_is a '`'
	done
}

# ---- size ----

@test "200 stages of which one is needed: only it runs" {
	{
		for i in $(seq 200); do printf 'FROM localhost/bb AS s%d\nRUN echo ran-%d && [ %d = 77 ]\n' "$i" "$i" "$i"; done
		printf 'FROM s77\n'
	} | image
	same "$(grep -c '] RUN ' "$T/messages")" 1
	said 'ran-77$'
}
@test "a Buildfile of 5000 instructions is read in less than 50 ms" {
	{
		echo 'FROM scratch'
		for i in $(seq 1250); do
			printf 'ENV a%d="v $x%d"\nCOPY --chown=1:2 a%d b /dst/\nLABEL k%d=v\nRUN echo \\\n  %d && true\n' "$i" "$i" "$i" "$i" "$i"
		done
	} >Buildfile
	best=1000
	# the machine may be busy: the best of some
	for i in 1 2 3 4 5; do
		from=$(date +%s%N)
		imgbuild --call=targets . >/dev/null
		took=$((($(date +%s%N) - from) / 1000000))
		[ "$took" -ge "$best" ] || best=$took
	done
	echo "$best ms"
	# a build with sanitizers is several times slower
	limit=50
	! ldd "$(command -v imgbuild)" 2>/dev/null | grep -q libasan || limit=500
	[ "$best" -lt "$limit" ]
}
