#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Whole builds: what each instruction does to the files and the configuration of the image, what the cache
# finds again, and the command's options. As root and as an ordinary user.

load lib
load steps

setup_file() { steps_setup_file; }
teardown_file() { remove_scratch; }

# build WHO [OPTIONS…]: Buildfile on stdin, unless there is one; messages in $OUTPUT, the image is "test"
build() {
	local who=$1
	shift
	[ -t 0 ] || cat >Buildfile.new
	[ ! -s Buildfile.new ] || mv Buildfile.new Buildfile
	chmod -R u+rwX,a+rX "$CTX"
	status=0
	OUTPUT=$(as "$who" imgbuild -t test "$@" "$CTX" 2>&1 >"$T/id") || status=$?
	echo "$OUTPUT"
	ID=$(cat "$T/id")
	return "$status"
}
# "mode uid/gid" of an entry in layer N
meta() { tar --numeric-owner -tvf "${LAYERS[$(($1 - 1))]}" "$2" | head -1 | awk '{ print $1, $2 }'; }

# ---- RUN ----

run_sees() {
	build "$1" --build-arg GIVEN=arg --build-arg https_proxy=p:1 <<'E'
FROM localhost/bb
ENV A=1 B="x y"
ARG GIVEN
ARG DEFAULT=d
WORKDIR /w
RUN [ "$A-$B-$GIVEN-$DEFAULT" = "1-x y-arg-d" ] && [ "$PWD" = /w ] && [ "$HOME" = /root ]
RUN [ "$https_proxy" = p:1 ] && [ "$HTTPS_PROXY" = p:1 ] && ! read x
RUN [ "$(id -u):$(id -g):$(id -G)" = 0:0:0 ] && [ "$(cat /proc/self/comm)" = cat ] && [ "$(hostname)" = buildkitsandbox ]
USER alice
RUN [ "$(id -u):$(id -g):$(id -G)" = "1000:1001:1001 100" ] && [ "$HOME" = /home/alice ]
USER 5
RUN [ "$(id -u):$(id -g)" = 5:0 ] && [ "$HOME" = / ]
USER alice:daemon
RUN [ "$(id -u):$(id -g):$(id -G)" = 1000:1:1 ]
USER 0
RUN ["busybox", "sh", "-c", "[ \"$0\" = '$A' ]", "$A"]
SHELL ["/bin/busybox", "sh", "-ec"]
RUN false || true; echo ok
RUN --network=none [ "$(ls /sys/class/net | tr '\n' ' ')" = "lo " ]
E
	exported "$1"
	not grep -i proxy= "$CONFIG"
	same "$(jq -r '.history[] | select(.created_by // "" | startswith("RUN")) | .created_by' "$CONFIG" | head -1)" \
		'RUN |2 GIVEN=arg DEFAULT=d /bin/sh -c [ "$A-$B-$GIVEN-$DEFAULT" = "1-x y-arg-d" ] && [ "$PWD" = /w ] && [ "$HOME" = /root ] # buildkit'
}
@test "RUN sees environment, ARGs, user, groups, directory (root)" { need_root; run_sees root; }
@test "RUN sees environment, ARGs, user, groups, directory (user)" { need_user; run_sees user; }

@test "all that a command writes is shown, and its end is in the error" {
	need_root
	! build root <<'E' || false
FROM localhost/bb
RUN i=0; while [ $i -lt 3000 ]; do echo "line $i"; i=$((i+1)); done; printf 'no newline' >&2; exit 3
E
	same "$(grep -E '^#2 [0-9.]+ line ' <<<"$OUTPUT" | cut -d' ' -f4)" "$(seq 0 2999)"
	grep -qE '^#2 [0-9.]+ no newline$' <<<"$OUTPUT"
	grep -qE '^imgbuild: Buildfile:2:1: RUN i=0; while .*: exit status 3$' <<<"$OUTPUT"
	[[ $OUTPUT == *$'line 2999\nno newline' ]]
	assert_store_idle "$ROOT_STORE"
}

@test "a command that is killed, one that does not exist, one that closes its output" {
	need_root
	! build root <<<$'FROM localhost/bb\nRUN sh -c \'kill -9 $$\'; exit $?' || false
	grep -q 'exit status 137' <<<"$OUTPUT"
	! build root <<<$'FROM localhost/bb\nRUN ["/no/such"]' || false
	grep -q '^imgbuild: Buildfile:2:1: RUN: .*/no/such' <<<"$OUTPUT"
	same "$status" 1
	! build root <<<$'FROM localhost/bb\nRUN exec >&- 2>&-; sleep 0.2; exit 5' || false
	grep -q 'exit status 5' <<<"$OUTPUT"
	build root <<<$'FROM localhost/bb\nRUN sleep 100 & echo started'
}

@test "a user that is not in the image, a directory that is not there" {
	need_root
	! build root <<<$'FROM localhost/bb\nUSER nobody1\nRUN true' || false
	same "$status" 3
	grep -q "^imgbuild: Buildfile:3:1: RUN: .*'nobody1'" <<<"$OUTPUT"
}

# ---- WORKDIR ----

workdir() {
	build "$1" <<'E'
FROM localhost/bb
WORKDIR /a/b/
WORKDIR ../c
USER alice:daemon
WORKDIR d/e
WORKDIR /etc
WORKDIR /
USER root
RUN mkdir -p /real && ln -s /real /link
WORKDIR /link/in
RUN [ "$(pwd -P)" = /real/in ] && [ -d /a/b ] && [ -d /a/c ]
# as in BuildKit, of a number the group is the same number, also of one that has a name
USER 1000
WORKDIR /n/thousand
USER 1234
WORKDIR /n/other
USER alice
WORKDIR /n/alice
RUN [ "$(stat -c %u:%g /n /n/thousand /n/other /n/alice | xargs)" = "1000:1000 1000:1000 1234:1234 1000:1001" ]
E
	exported "$1"
	same "$(names 2)" "a/ a/b/ "
	same "$(names 3)" "a/ a/c/ "
	same "$(names 4)" "a/ a/c/ a/c/d/ a/c/d/e/ "
	same "$(meta 4 a/c/d/)" "drwxr-xr-x 1000/1"
	same "$(meta 4 a/c/d/e/)" "drwxr-xr-x 1000/1"
	same "$(meta 4 a/c/)" "drwxr-xr-x 0/0"
	same "$(names 5)" ""
	same "$(jq -r .config.WorkingDir "$CONFIG")" /n/alice
}
@test "WORKDIR makes directories of the user, follows links, and '/' makes no layer (root)" { need_root; workdir root; }
@test "WORKDIR makes directories of the user, follows links, and '/' makes no layer (user)" { need_user; workdir user; }

@test "WORKDIR onto a file is refused" {
	need_root
	! build root <<<$'FROM localhost/bb\nWORKDIR /etc/passwd' || false
	same "$status" 3
	grep -q "^imgbuild: Buildfile:2:1: WORKDIR: '/etc/passwd'" <<<"$OUTPUT"
}

# ---- COPY ----

copy_touches() {
	echo f >f
	build "$1" <<'E'
FROM localhost/bb
COPY f /etc/f
COPY f /root/new/f
E
	exported "$1"
	same "$(tar -tf "${LAYERS[1]}" | tr '\n' ' ')" 'etc/ etc/f '
	same "$(tar -tf "${LAYERS[2]}" | tr '\n' ' ')" 'root/ root/new/ root/new/f '
}
@test "COPY changes the directory it puts a file into, not the ones above (root)" { need_root; copy_touches root; }
@test "COPY changes the directory it puts a file into, not the ones above (user)" { need_user; copy_touches user; }

make_files() {
	mkdir -p d/sub empty
	echo one >d/one
	echo two >d/sub/two
	ln d/one d/same
	ln -s sub/two d/link
	ln -s d dlink
	ln -s d/one flink
	echo a >a.txt
	echo b >b.txt
	echo s >s.sh
	chmod 4750 s.sh
	chmod 1777 d/sub
	touch -d @1500000000 d/one d/sub
	truncate -s 5M sparse
	echo end >>sparse
}

copy_places() {
	make_files
	build "$1" <<'E'
FROM localhost/bb
COPY a.txt /x/as
COPY a.txt /x/dir/
COPY a.txt /etc
COPY d /new
COPY d /tmp
COPY a.txt b.txt empty ./
COPY *.txt d/o?e /glob/
COPY dlink flink /links/
COPY [abc]*.txt /set/
COPY ../../a.txt /x/../up
COPY sparse s.sh /
COPY . /all/
RUN ln -s /etc /e && ln -s nowhere/file /dangling && ln -s passwd /etc/pw && mkdir -p /sub/dir
COPY a.txt /e/through
COPY a.txt /etc/pw
COPY a.txt /dangling
COPY b.txt /sub/dir
COPY a.txt /a.txt
E
	exported "$1"
	same "$(names 2)" "x/ x/as "
	same "$(names 3)" "x/ x/dir/ x/dir/a.txt "
	same "$(names 4)" "etc/ etc/a.txt "
	same "$(names 5)" "new/ new/link new/one new/same new/sub/ new/sub/two "
	same "$(meta 5 new/sub/)" "drwxrwxrwt 0/0"
	tar -tvf "${LAYERS[4]}" new/same | grep -q '^h.* new/same link to new/one$'
	same "$(TZ=UTC tar --full-time --no-recursion -tvf "${LAYERS[4]}" new/one new/sub/ | awk '{ print $4, $5 }' | sort -u)" "2017-07-14 02:40:00"
	same "$(names 6)" "tmp/ tmp/link tmp/one tmp/same tmp/sub/ tmp/sub/two "
	same "$(meta 6 tmp/)" "drwxrwxrwt 0/0"
	same "$(names 7)" "a.txt b.txt "
	same "$(names 8)" "glob/ glob/a.txt glob/b.txt glob/one "
	same "$(names 9)" "links/ links/flink links/link links/one links/same links/sub/ links/sub/two "
	same "$(content 9 links/flink)" one
	same "$(names 10)" "set/ set/a.txt set/b.txt "
	same "$(names 11)" "up "
	same "$(meta 12 s.sh)" "-rwsr-xr-x 0/0"
	same "$(content 12 sparse | tail -c 4)" end
	[[ $(names 13) == "all/ all/Buildfile all/a.txt "*"all/empty/ "* ]]
	same "$(meta 13 all/dlink | cut -c1)" l
	same "$(names 15)" "etc/ etc/through "
	same "$(names 16)" "etc/ etc/passwd "
	same "$(names 17)" "nowhere/ nowhere/file "
	same "$(names 18)" "sub/ sub/dir/ sub/dir/b.txt "
	# the same file again: nothing differs
	same "$(names 19)" ""
}
@test "COPY puts files where they belong (root)" { need_root; copy_places root; }
@test "COPY puts files where they belong (user)" { need_user; copy_places user; }

copy_owner() {
	make_files
	build "$1" <<'E'
FROM localhost/bb
COPY --chown=alice:users a.txt /own/deep/
COPY --chown=7 --chmod=2755 d /num
COPY --chmod=0600 a.txt s.sh /mode/
COPY --chown=alice d /tmp/
RUN mkdir /kept && chown 11:12 /kept && echo k >/kept/f && chown 13:14 /kept/f && chmod 4711 /kept/f
FROM localhost/bb
COPY --from=0 /kept /kept
COPY --from=0 /kept/f /
COPY --from=0 --chown=1:2 /kept/f /g
E
	exported "$1"
	same "$(meta 2 kept/)" "drwxr-xr-x 11/12"
	same "$(meta 2 kept/f)" "-rws--x--x 13/14"
	same "$(meta 3 f)" "-rws--x--x 13/14"
	same "$(meta 4 g)" "-rws--x--x 1/2"
	build "$1" --target 0
	exported "$1"
	same "$(meta 2 own/)" "drwxr-xr-x 1000/100"
	same "$(meta 2 own/deep/a.txt | cut -d' ' -f2)" "1000/100"
	same "$(meta 3 num/)" "drwxr-sr-x 7/7"
	same "$(meta 3 num/sub/two)" "-rwxr-sr-x 7/7"
	same "$(meta 4 mode/s.sh)" "-rw------- 0/0"
	# a name alone: the user's own group; what was there keeps its owner
	same "$(meta 5 tmp/one)" "-rw-r--r-- 1000/1001"
	same "$(meta 5 tmp/)" "drwxrwxrwt 0/0"
}
@test "owners and modes: --chown, --chmod, and what --from keeps (root)" { need_root; copy_owner root; }
@test "owners and modes: --chown, --chmod, and what --from keeps (user)" { need_user; copy_owner user; }

# refused STATUS PATTERN: the Buildfile on stdin fails so
refused() {
	! build root || return 1
	same "$status" "$1"
	grep -qF -- "$2" <<<"$OUTPUT" || { echo "not said: $2"; return 1; }
	assert_store_idle "$ROOT_STORE"
}

@test "COPY says what is wrong and where" {
	need_root
	make_files
	echo 'hidden*' >.dockerignore
	touch hidden.txt
	refused 3 "Buildfile:3:8: COPY: 'none' is not in the context" <<<$'FROM localhost/bb\nRUN true\n  COPY none /x'
	refused 3 "hint: it is left out by .dockerignore" <<<$'FROM localhost/bb\nCOPY hidden.txt /x'
	refused 3 "Buildfile:2:6: COPY: no file in the context matches 'h*.txt'" <<<$'FROM localhost/bb\nCOPY h*.txt /x'
	refused 3 "hint: end it with a slash: '/x/'" <<<$'FROM localhost/bb\nCOPY *.txt /x'
	refused 3 "'nobody1'" <<<$'FROM localhost/bb\nCOPY --chown=nobody1 a.txt /x'
	refused 3 "Buildfile:2:6: COPY: into '/etc/passwd': 'passwd' is not a directory there" <<<$'FROM localhost/bb\nCOPY d /etc/passwd'
	refused 3 "Buildfile:4:6: COPY: into '/f': 'sub' is not a directory there" <<<$'FROM localhost/bb\nCOPY d /f\nRUN rm -r /f/sub && echo x >/f/sub\nCOPY d /f'
	refused 3 "Buildfile:3:6: COPY: into '/f': 'sub' is not a directory there" <<<$'FROM localhost/bb\nRUN mkdir -p /real /f && ln -s /real /f/sub\nCOPY d /f'
	refused 3 "'a.txt' is a directory there" <<<$'FROM localhost/bb\nRUN mkdir -p /z/a.txt\nCOPY a.txt /z/'
	refused 3 "'/nope' is not in stage '0'" <<<$'FROM localhost/bb\nFROM localhost/bb\nCOPY --from=0 /nope /x'
	refused 3 "'/nope' is not in image 'localhost/bb'" <<<$'FROM localhost/bb\nCOPY --from=localhost/bb /nope /x'
}

@test "COPY --from takes stages by name and number, and images, and leaves links in their root" {
	need_root
	echo "of the host" >/tmp/imgbuild-test-secret.$$
	build root <<E
FROM localhost/bb AS Base
RUN ln -s /etc/passwd /abs && ln -s ../../../../../../etc/group /up && ln -s /tmp/imgbuild-test-secret.$$ /out && mkdir /dir && ln -s /dir /dirlink && echo x >/dir/x
FROM base
COPY --from=BASE /abs /1
COPY --from=0 /up /2
COPY --from=localhost/bb /etc/passwd /3
COPY --from=base /dirlink /4
COPY --from=base /dirlink/x /5
RUN cmp /1 /3 && cmp /2 /etc/group && [ "\$(ls /4)" = x ] && [ "\$(cat /5)" = x ]
E
	refused 3 "'/out' is not in stage '0'" <<<"FROM localhost/bb
RUN ln -s /tmp/imgbuild-test-secret.$$ /out
FROM localhost/bb
COPY --from=0 /out /x"
	rm /tmp/imgbuild-test-secret.$$
}

@test "the ignore file: what it leaves out is not there, the Buildfile's own comes first" {
	need_root
	mkdir -p keep/deep out
	touch keep/a keep/b.tmp keep/deep/c out/x out/y Buildfile
	printf '*\n!keep\n**/*.tmp\n!out/y\n' >.dockerignore
	build root <<<$'FROM localhost/bb\nCOPY . /c/'
	exported root
	same "$(names 2)" "c/ c/keep/ c/keep/a c/keep/deep/ c/keep/deep/c c/out/ c/out/y "
	printf 'keep\nBuildfile*\n.docker*\n' >Buildfile.dockerignore
	build root
	exported root
	same "$(names 2)" "c/ c/out/ c/out/x c/out/y "
}

@test "extended attributes are copied" {
	need_root
	echo x >f
	setfattr -n user.mine -v 'some value' f 2>/dev/null || skip "no user attributes here"
	build root <<<$'FROM localhost/bb\nCOPY f /f'
	exported root
	python3 - "${LAYERS[1]}" <<'E'
import sys, tarfile
headers = tarfile.open(sys.argv[1]).getmember('f').pax_headers
assert headers['SCHILY.xattr.user.mine'] == 'some value', headers
E
}

@test "texts in the Buildfile become files" {
	need_root
	build root <<'E'
FROM localhost/bb
ENV V=value
COPY --chmod=640 --chown=1:2 <<one <<"two" /t/
v=$V
one
v=$V
two
RUN <<E2
set -e
[ "$(cat /t/one)" = v=value ]
[ "$(cat /t/two)" = 'v=$V' ]
E2
E
	exported root
	same "$(meta 2 t/one)" "-rw-r----- 1/2"
}

# ---- ADD ----

add_archives() {
	make_files
	tar -cf plain.tar d
	tar -czf packed.bin d
	gzip -k <a.txt >text.gz
	: >empty.tar.gz
	tar --owner=21 --group=22 -cf owned.tar a.txt
	mkdir dotted
	cp a.txt dotted/
	chmod 700 dotted
	tar --owner=21 --group=22 -C dotted -cf dotted.tar .
	rm -r dotted
	mkdir -p r/bin
	echo new >r/bin/tool
	tar -C r -cf root.tar bin/tool
	build "$1" <<'E'
FROM localhost/bb
ADD plain.tar /p
ADD packed.bin /q/
ADD text.gz empty.tar.gz /r/
ADD owned.tar /s
ADD --chown=5:6 owned.tar /t
ADD d /u
ADD *.tar a.txt /v/
RUN mkdir -p /usr/bin && mv /bin/* /usr/bin/ && /usr/bin/busybox rmdir /bin && /usr/bin/busybox ln -s usr/bin /bin
ADD root.tar /
RUN [ "$(cat /usr/bin/tool)" = new ] && [ -L /bin ]
E
	exported "$1"
	same "$(names 2)" "p/ p/d/ p/d/link p/d/one p/d/same p/d/sub/ p/d/sub/two "
	same "$(names 3)" "q/ q/d/ q/d/link q/d/one q/d/same q/d/sub/ q/d/sub/two "
	same "$(names 4)" "r/ r/empty.tar.gz r/text.gz "
	same "$(meta 5 s/a.txt)" "-rw-r--r-- 21/22"
	same "$(meta 6 t/a.txt)" "-rw-r--r-- 5/6"
	# the destination is what it was, or 0755, whatever the archive says of "./"
	same "$(meta 8 v/)" "drwxr-xr-x 0/0"
	same "$(meta 8 v/a.txt)" "-rw-r--r-- 0/0"
	same "$(names 7)" "u/ u/link u/one u/same u/sub/ u/sub/two "
	[[ $(names 8) == *"v/a.txt "*"v/d/one "* ]]
}
@test "ADD unpacks archives by their content and copies all else (root)" { need_root; add_archives root; }
@test "ADD unpacks archives by their content and copies all else (user)" { need_user; add_archives user; }

# ---- configuration ----

@test "the configuration holds what the instructions say" {
	need_root
	build root --label given=1 --label b=over <<'E'
FROM localhost/bb
MAINTAINER me <me@example.org>
ENV A=1 PATH=/x:$PATH
LABEL a=1 b="two words"
EXPOSE 80 53/udp 8000-8001
VOLUME ["/v", "/w"]
USER alice
WORKDIR /srv
STOPSIGNAL SIGUSR1
SHELL ["/bin/ash", "-c"]
ENTRYPOINT ["/entry"]
CMD run me
HEALTHCHECK --interval=5s --retries=2 CMD ["check", "it"]
ONBUILD RUN echo later
E
	exported root
	same "$(jq -cS .config "$CONFIG")" "$(jq -cS . <<'J'
{"User":"alice","ExposedPorts":{"53/udp":{},"80/tcp":{},"8000/tcp":{},"8001/tcp":{}},
"Env":["PATH=/x:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","A=1"],
"Entrypoint":["/entry"],"Cmd":["/bin/ash","-c","run me"],"ArgsEscaped":true,"Volumes":{"/v":{},"/w":{}},
"WorkingDir":"/srv","Labels":{"a":"1","b":"over","given":"1"},"StopSignal":"SIGUSR1",
"Shell":["/bin/ash","-c"],"OnBuild":["RUN echo later"],
"Healthcheck":{"Test":["CMD","check","it"],"Interval":5000000000,"Retries":2}}
J
)"
	same "$(jq -r .author "$CONFIG")" "me <me@example.org>"
	same "$(jq -r '.history[1:][] | "\(.empty_layer // false) \(.comment) \(.created_by)"' "$CONFIG")" \
'true buildkit.dockerfile.v0 MAINTAINER me <me@example.org>
true buildkit.dockerfile.v0 ENV A=1 PATH=/x:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
true buildkit.dockerfile.v0 LABEL a=1 b=two words
true buildkit.dockerfile.v0 EXPOSE [53/udp 80/tcp 8000/tcp 8001/tcp]
true buildkit.dockerfile.v0 VOLUME [/v /w]
true buildkit.dockerfile.v0 USER alice
false buildkit.dockerfile.v0 WORKDIR /srv
true buildkit.dockerfile.v0 STOPSIGNAL SIGUSR1
true buildkit.dockerfile.v0 SHELL [/bin/ash -c]
true buildkit.dockerfile.v0 ENTRYPOINT ["/entry"]
true buildkit.dockerfile.v0 CMD ["/bin/ash" "-c" "run me"]
true buildkit.dockerfile.v0 HEALTHCHECK {Test:[CMD check it] Interval:5s Timeout:0s StartPeriod:0s StartInterval:0s Retries:2}'
	same "$(jq -r '.created == .history[-1].created and (.history | all(.created != null))' "$CONFIG")" true
}

@test "ONBUILD triggers run in the child, and only there" {
	need_root
	echo x >f
	build root <<<$'FROM localhost/bb\nONBUILD COPY f /f\nONBUILD RUN [ "$(cat /f)" = x ] && touch /ran'
	as root imgstore tag test localhost/parent
	exported root
	same "${#LAYERS[@]}" 1
	build root <<<$'FROM localhost/parent\nRUN [ -e /ran ]'
	grep -q 'ONBUILD COPY f /f' <<<"$OUTPUT"
	exported root
	same "${#LAYERS[@]}" 4
	same "$(jq -r .config.OnBuild "$CONFIG")" null
}

# ---- stages and options ----

@test "stages that the target does not need are not run" {
	need_root
	build root --target TWO <<<$'FROM localhost/bb AS one\nRUN false\nFROM localhost/bb AS two\nRUN true\nFROM one\nCOPY --from=two /etc/passwd /p'
	not grep -q '\[one' <<<"$OUTPUT"
	run as root imgbuild --target three "$CTX"
	same "$status" 3
	[[ $output == *"target stage 'three' is not in Buildfile"* ]]
}

@test "the Buildfile: default names, -f, stdin" {
	need_root
	run as root imgbuild "$CTX"
	same "$status" 3
	[[ $output == *"no Buildfile, Containerfile or Dockerfile"* ]]
	printf 'FROM localhost/bb\nLABEL from=docker\n' >Dockerfile
	printf 'FROM localhost/bb\nLABEL from=other\n' >other
	as root imgbuild -q -t test . >/dev/null
	exported root
	same "$(jq -r .config.Labels.from "$CONFIG")" docker
	(cd / && as root imgbuild -q -t test -f other "$CTX" >/dev/null)
	exported root
	same "$(jq -r .config.Labels.from "$CONFIG")" other
	printf 'FROM localhost/bb\nLABEL from=stdin\n' | as root imgbuild -q -t test -f - "$CTX" >/dev/null
	exported root
	same "$(jq -r .config.Labels.from "$CONFIG")" stdin
	printf 'FROM localhost/bb\nBAD\n' >Buildfile
	run as root imgbuild .
	same "$status" 3
	[[ $output == "imgbuild: Buildfile:2:1: "* ]]
}

@test "the ID goes to stdout and --iidfile, names to the image, nothing else to stdout" {
	need_root
	printf 'FROM localhost/bb\nRUN echo shown\n' >Buildfile
	as root imgbuild -t n1 -t localhost/n2:v --iidfile "$T/iid" . >"$T/stdout" 2>"$T/stderr"
	grep -qxE 'sha256:[0-9a-f]{64}' "$T/stdout"
	same "$(cat "$T/stdout")" "$(cat "$T/iid")"
	grep -q shown "$T/stderr"
	same "$(as root imgstore inspect n1 | jq -r '.[0].Id')" "$(cat "$T/iid")"
	same "$(as root imgstore inspect localhost/n2:v | jq -r '.[0].Id')" "$(cat "$T/iid")"
	as root imgbuild -q --no-cache . >"$T/stdout" 2>"$T/stderr"
	[ ! -s "$T/stderr" ]
	same "$(wc -l <"$T/stdout")" 1
}

@test "options that are not honoured are refused" {
	need_root
	printf 'FROM localhost/bb\n' >Buildfile
	for option in --pull=sometimes --network=bridge --secret=x=y --progress=tty; do
		run as root imgbuild "$option" .
		echo "$option: $status $output"
		[ "$status" = 2 ] || [ "$status" = 3 ]
		[[ $output == "imgbuild: "* ]]
		same "$(wc -l <<<"$output")" 1
	done
	run as root env SOURCE_DATE_EPOCH=tomorrow imgbuild .
	same "$status" 2
	[[ $output == *SOURCE_DATE_EPOCH* ]]
}

@test "build arguments: from the environment, unused ones are told" {
	need_root
	FROMENV=e build root --build-arg FROMENV --build-arg NOTSET --build-arg UNUSED=1 <<<$'FROM localhost/bb\nARG FROMENV\nARG NOTSET=d\nRUN [ "$FROMENV$NOTSET" = ed ]'
	grep -q "warning: .*'UNUSED'" <<<"$OUTPUT"
	not grep -q "'FROMENV'" <<<"$OUTPUT"
}

# ---- the cache ----

# cached N…: these steps were found, all others with a layer were made
cached() {
	local found
	found=$(grep -E '^#[0-9]+ CACHED' <<<"$OUTPUT" | tr -dc '0-9\n' | tr '\n' ' ')
	same "$found" "$(printf '%s ' "$@")"
}

cache() {
	mkdir d
	echo 1 >d/f
	echo 2 >d/g
	cat >Buildfile <<'E'
FROM localhost/bb
COPY d /d
RUN cat /d/f >/made
WORKDIR /w
ARG X=1
RUN echo $X >x
E
	build "$1" </dev/null
	first=$ID
	not grep -q CACHED <<<"$OUTPUT"
	sleep 1
	build "$1" </dev/null
	cached 2 3 4 5
	same "$ID" "$first"
	# times and the place of the context do not matter
	touch d/f d
	build "$1" </dev/null
	cached 2 3 4 5
	same "$ID" "$first"
	# a value that only a later step sees
	build "$1" --build-arg X=2 </dev/null
	cached 2 3 4
	# content and mode do, and what follows is made again
	echo 3 >d/g
	build "$1" </dev/null
	not grep -qE '^#[23] CACHED' <<<"$OUTPUT"
	echo 2 >d/g
	build "$1" </dev/null
	cached 2 3 4 5
	same "$ID" "$first"
	chmod 755 d/g
	build "$1" </dev/null
	not grep -qE '^#2 CACHED' <<<"$OUTPUT"
	chmod 644 d/g
	# --no-cache runs all, and what comes out is found afterwards
	build "$1" --no-cache </dev/null
	not grep -q CACHED <<<"$OUTPUT"
	second=$ID
	build "$1" </dev/null
	cached 2 3 4 5
	same "$ID" "$second"
}
@test "the cache finds what is the same, and only that (root)" { need_root; cache root; }
@test "the cache finds what is the same, and only that (user)" { need_user; cache user; }

@test "a copy from a stage is found by its content when the stage was made again" {
	need_root
	cat >Buildfile <<'E'
FROM localhost/bb AS one
ARG BUST
RUN echo $BUST >/other && echo same >/same && touch -d @1 /same
FROM localhost/bb
COPY --from=one /same /x
RUN cat /x
E
	build root --build-arg BUST=1 </dev/null
	first=$ID
	build root --build-arg BUST=2 </dev/null
	cached 4 5
	same "$ID" "$first"
	build root --build-arg BUST=2 </dev/null
	cached 2 4 5
}

@test "rm of a found layer's image and an empty cache make the step run again" {
	need_root
	printf 'FROM localhost/bb\nRUN date +%%N >/x\n' >Buildfile
	build root </dev/null
	as root imgstore rm test >/dev/null
	as root imgstore prune >/dev/null
	build root </dev/null
	not grep -q CACHED <<<"$OUTPUT"
}
