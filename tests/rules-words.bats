#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Variables and here documents.

load rules

# ---- 1.3 variables ----

# expands WORD WANT: with u unset, e empty and v=value, p=/a/b.c.d
expands() {
	printf 'FROM scratch\nENV e="" v=value p=/a/b.c.d\nENV r=%s\n' "$1" | image
	env_is r "$2"
}
not_expanded() { printf 'FROM scratch\nENV e="" v=value p=/a/b.c.d\nENV r=%s\n' "$1" | refused 'Buildfile:3' "$2"; }

@test "1.3 \$x \${x}" {
	expands '$v-${v}s-$u.' 'value-values-.'
}
@test "1.3 \${x:-w} \${x-w}" {
	expands '${u:-w}${e:-w}${v:-w}' wwvalue
	expands '${u-w}${e-w}${v-w}' wvalue
	expands '${u:-${v}}' value
}
@test "1.3 \${x:+w} \${x+w}" {
	expands '${u:+w}.${e:+w}.${v:+w}' '..w'
	expands '${u+w}.${e+w}.${v+w}' '.w.w'
}
@test "1.3 \${x:?m} \${x?m}" {
	expands '${v:?no}${v?no}${e?no}' valuevalue
	not_expanded '${e:?no}' 'e: no'
	not_expanded '${u?no}' 'u: no'
	not_expanded '${u:?}' 'u: is not allowed'
}
@test "1.3 \${x#p} \${x##p} \${x%p} \${x%%p}" {
	expands '${p#*/}' a/b.c.d
	expands '${p##*/}' b.c.d
	expands '${p%.*}' /a/b.c
	expands '${p%%.*}' /a/b
}
@test "1.3 \${x/p/r} \${x//p/r}" {
	expands '${p/./-}' /a/b-c.d
	expands '${p//./-}' /a/b-c-d
	expands '${p/\/a/x}' x/b.c.d
}
@test "1.3: other modifiers, bad substitutions" {
	not_expanded '${v:#x}' "':#'"
	not_expanded '${}' 'bad substitution'
	not_expanded '${:x}' 'bad substitution'
	not_expanded '${{x}' 'bad substitution'
}
@test "1.3 patterns: ? and * , quoted ones, delimiters; no brackets, no other quotes; nested words" {
	expands '${p#?a}' /b.c.d
	expands '${p%\\*}' /a/b.c.d
	expands '${p/?.?/x}' /a/x.d
	expands '${p//?/x}' xxxxxxxx
	expands '${p/*./x}' xd
	expands '${p/\/a\/b/}' .c.d
	# quoted in what is put there, they do not end it, and the quote stays
	expands '"${p/b/\}}"' '/a/\}.c.d'
	expands '${u:-${e:-${v}s}}' values
	expands '${v:+"${p%%.*} x"}' '/a/b x'
	expands '${v/[a-z]/x}' value
	not_expanded '${v#\a}' pattern
}
@test "1.3: what has no end" {
	not_expanded '${v' '${'
	not_expanded '${v:-x' '}'
	not_expanded '"v' quote
	not_expanded "'v" quote
}
@test "1.3: variables in ADD --checksum, not in --exclude, --link, --parents" {
	printf 'FROM scratch\nARG s=md5:1\nADD --checksum=$s http://localhost/f /\n' | refused 'Buildfile:3' 'md5:1'
	echo x >'$v'
	printf 'FROM localhost/bb\nENV v=f\nCOPY --exclude=$v . /x/\nRUN [ -e /x/f ] && [ ! -e "/x/\\$v" ]\n' | image
	printf 'FROM scratch\nARG t=true\nCOPY --link=$t f /\n' | refused 'Buildfile:3' '--link'
	printf 'FROM scratch\nARG t=true\nCOPY --parents=$t f /\n' | refused 'Buildfile:3' '--parents'
}
@test "1.3: keys of ENV, LABEL and ARG" {
	printf 'FROM scratch\nENV k=name v=1\nENV $k=2 x$k=$v\nLABEL ${k}s=l\nARG $k.a=3\nENV e=${name}\n' | image
	env_is name 2
	env_is xname 1
	env_is e 2
	config .Labels '{"names":"l"}'
}
@test "1.3: FROM has the file's ARGs only" {
	printf 'FROM scratch\nARG i=localhost/bb\nFROM $i\n' | refused 'Buildfile:3' '$i'
	printf 'ARG i=localhost/bb p=linux\nFROM --platform=$p/${TARGETARCH} ${i:-x} AS n\nRUN true\n' | image
}
@test "1.3: an escaped dollar, quotes, special parameters" {
	expands '\$v' '$v'
	expands "'\$v'" '$v'
	expands '"$v \$v \" \n"' 'value $v " \n'
	expands '$1$@$?x' x
}
@test "1.3: one instruction sees one environment" {
	printf 'FROM scratch\nENV a=1\nENV a=2 b=$a\n' | image
	env_is a 2
	env_is b 1
}
@test "1.3: where variables are expanded" {
	image <<-'E'
		ARG base=bb
		FROM localhost/${base}
		ENV n=f dir=/w u=alice port="80 81"
		WORKDIR $dir
		COPY --chown=$u --chmod=${m:-600} $n $dir/$n.copy
		USER $u
		EXPOSE $port
		LABEL $n=$dir
		VOLUME $dir/v
		STOPSIGNAL SIG${s:-INT}
		ONBUILD RUN echo $dir
		CMD echo $dir
		HEALTHCHECK CMD $dir
		RUN [ "$(stat -c %U:%a /w/f.copy)" = alice:600 ]
	E
	config .WorkingDir '"/w"'
	config .User '"alice"'
	config '.ExposedPorts | keys' '["80/tcp","81/tcp"]'
	config .Labels '{"f":"/w"}'
	config .Volumes '{"/w/v":{}}'
	config .StopSignal '"SIGINT"'
	config .OnBuild '["RUN echo $dir"]'
	config .Cmd '["/bin/sh","-c","echo $dir"]'
	config .Healthcheck.Test '["CMD-SHELL","$dir"]'
	printf 'FROM scratch AS a\nARG x=a\nFROM scratch\nCOPY --from=$x f /\n' | refused 'Buildfile:4' '$x'
}

# ---- 1.4 here documents ----

@test "1.4 RUN <<EOF: a script for the shell; tabs are cut with <<-" {
	printf 'FROM localhost/bb\nSHELL ["/bin/sh","-ec"]\nRUN <<-E\n\tx=1\n\t[ $x = 1 ]\n\tprintf "a\\tb" >/x\n\tE\nRUN [ "$(wc -c </x)" = 3 ]\n' | image
}
@test "1.4 RUN <<EOF cmd: the shell reads it" {
	image <<-'E'
		FROM localhost/bb
		RUN <<A cat >/x && cat <<B >/y
		one $((1+1))
		A
		two
		B
		RUN [ "$(cat /x)" = "one 2" ] && [ "$(cat /y)" = two ]
	E
}
@test "1.4 COPY <<: files 0644 root, expanded unless quoted, beside paths" {
	image <<-'E'
		FROM localhost/bb
		ENV v=value
		COPY <<a <<"b" f /x/
		$v "q" \$v
		a
		$v
		b
		RUN cd /x && [ "$(cat a)" = 'value "q" $v' ] && [ "$(cat b)" = '$v' ] && [ "$(cat f)" = file ]
		RUN [ "$(stat -c %a:%u:%g /x/a)" = 644:0:0 ]
		COPY --chmod=755 --chown=1:2 <<c /y
		c
		RUN [ "$(stat -c %a:%u:%g:%s /y)" = 755:1:2:0 ]
	E
	history >"$T/history"
	cat "$T/history"
	grep -qxF 'COPY f <<a <<b /x/ # buildkit' "$T/history"
	grep -qxF 'COPY --chown=1:2 --chmod=755 <<c /y # buildkit' "$T/history"
}
@test "1.4: without an end, as a destination" {
	printf 'FROM scratch\nCOPY <<E /x\nno end\n' | refused 'Buildfile:2' "'E'"
	printf 'FROM scratch\nCOPY f <<E\nE\n' | refused 'Buildfile:2'
}
@test "1.4 RUN <<EOF with '#!': executed directly, read-only below /dev/pipes" {
	image <<-'E'
		FROM localhost/bb
		RUN <<X
		#!/bin/sh -e
		[ "$0" = /dev/pipes/X ]
		[ "$(stat -c %a "$0")" = 755 ]
		if echo >>"$0"; then exit 9; fi
		echo $((1+1)) >/x
		X
		RUN [ "$(cat /x)" = 2 ] && [ ! -e /dev/pipes ]
	E
}
@test "1.4 RUN <<EOF: variables are the shell's; the delimiter must stand alone; in SHELL; not with JSON" {
	image <<-'END'
		FROM localhost/bb
		ENV v=1
		RUN <<E
		v=2
		[ "$v
		 E" = "2
		 E" ]
		E
		RUN <<-"E" tr a-z A-Z >/x
			$v e
		E
		RUN [ "$(cat /x)" = '$V E' ]
		SHELL ["/bin/busybox", "sh", "-euc"]
		RUN <<E
		[ -z "${none-}" ]
		E
	END
	printf 'FROM localhost/bb\nRUN <<E\nexit 3\nE\n' >Buildfile
	run as "$WHO" imgbuild --progress=plain .
	same "$status" 1
	[[ $output == *'] RUN <<E (exit 3)'* ]]
	printf 'FROM localhost/bb\nCMD ["<<E"]\nLABEL a="<<E"\n' | image
	config .Cmd '["<<E"]'
}
@test "1.4 ADD <<, and in ONBUILD: the text is kept" {
	printf 'FROM localhost/bb AS a\nONBUILD COPY <<x <<y /o/\n1 $v\nx\n2\ny\nONBUILD RUN <<z\necho 3 >/o/z\nz\nFROM a AS b\nRUN [ "$(cat /o/x /o/y /o/z | xargs)" = "1 2 3" ]\nFROM a\nADD <<n /added/\nn\n' | image
	as "$WHO" imgbuild -q --target a -t onbuild . >&2
	same "$(as "$WHO" imgstore inspect onbuild | jq -c '.[0].Config.OnBuild')" '["COPY <<x <<y /o/\n1 $v\nx\n2\ny","RUN <<z\necho 3 >/o/z\nz"]'
	same "$(history | tail -1)" 'ADD <<n /added/ # buildkit'
}
@test "1.4: numbers before <<, and several on one line" {
	image <<-'E'
		FROM localhost/bb
		RUN { cat >/x && cat <&3 >/y; } <<A 3<<B
		one
		A
		two
		B
		RUN [ "$(cat /x /y | xargs)" = "one two" ]
	E
}
