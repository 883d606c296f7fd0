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
