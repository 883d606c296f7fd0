#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Where the files of a build come from: directories, a tar on stdin, named contexts; and which ignore file
# holds for them. As root and as an ordinary user.

load lib

setup_file() {
	make_scratch
	import_busybox
}
teardown_file() {
	remove_scratch
}
setup() {
	D=$T/d
	rm -rf "$D" "$T/user/d"
	mkdir "$D" "$D/ctx"
	umask 022
}

# build WHO OPTIONS CONTEXT: stdin goes to it; what was said in $OUTPUT
build() {
	local who=$1
	shift
	status=0
	OUTPUT=$(cd "$D" && as "$who" imgbuild --progress plain -t made "$@" 2>&1) || status=$?
	echo "$OUTPUT" >&2
	return "$status"
}
# what the image has at PATH…
shown() {
	local who=$1
	shift
	as "$who" imgrun --rm made sh -c "$*"
}
idle() { as_user_of "$1" ls "$(store_of "$1")/tmp" | wc -l; }
as_user_of() { local who=$1; shift; as "$who" "$@"; }
same() { [ "$1" = "$2" ] || { printf 'got:    %s\nwanted: %s\n' "$1" "$2"; return 1; }; }
# refused WHO STATUS TEXT OPTIONS…
refused() {
	local who=$1 want=$2 text=$3
	shift 3
	! build "$who" "$@" || return 1
	same "$status" "$want"
	[[ $OUTPUT == *"$text"* ]]
}

# ---- stdin ----

tar_stdin() {
	mkdir -p "$D/ctx/sub"
	echo f >"$D/ctx/sub/f"
	echo out >"$D/ctx/left-out"
	printf 'left-out\n' >"$D/ctx/.dockerignore"
	printf 'FROM localhost/bb\nCOPY . /c/\n' >"$D/ctx/Dockerfile"
	printf 'FROM localhost/bb\nCOPY sub/f /other\n' >"$D/ctx/sub/Other"
	tar -C "$D/ctx" --owner=5 --group=6 --numeric-owner -cf "$D/ctx.tar" .
	for filter in cat gzip bzip2 xz 'zstd -q'; do
		$filter <"$D/ctx.tar" >"$D/packed"
		build "$1" --no-cache - <"$D/packed"
		same "$(shown "$1" 'cd /c && find . | sort | tr "\n" " "; stat -c %u:%g sub/f')" ". ./.dockerignore ./Dockerfile ./sub ./sub/Other ./sub/f 0:0"
		same "$(idle "$1")" 0
	done
	# through a pipe, in small pieces
	(head -c 700 "$D/ctx.tar"; sleep 0.3; tail -c +701 "$D/ctx.tar") | build "$1" -f sub/Other -
	same "$(shown "$1" cat /other)" f
	# the same content is the same copy, wherever it was unpacked
	build "$1" - <"$D/ctx.tar"
	same "$(grep -c CACHED <<<"$OUTPUT")" 1
	refused "$1" 5 "open 'sub/Missing'" -f sub/Missing - <"$D/ctx.tar"
	refused "$1" 2 "the Buildfile and the context cannot both come from stdin" -f - - <"$D/ctx.tar"
}
tar_stdin_bad() { # a tar of somebody else's
	ln -s /etc/passwd "$D/ctx/Buildfile"
	ln -s / "$D/ctx/root"
	tar -C "$D/ctx" -cf "$D/ctx.tar" .
	refused "$1" 3 "there is no Buildfile" - <"$D/ctx.tar"
	[[ $OUTPUT != *root:x* ]]
	rm "$D/ctx/Buildfile"
	printf 'FROM localhost/bb\nCOPY root/etc/passwd /p\n' >"$D/ctx/Buildfile"
	tar -C "$D/ctx" -cf "$D/ctx.tar" .
	refused "$1" 3 "'root/etc/passwd' is not in the context" - <"$D/ctx.tar"
	rm "$D/ctx/Buildfile"
	mkfifo "$D/ctx/Buildfile"
	tar -C "$D/ctx" -cf "$D/ctx.tar" .
	refused "$1" 3 "'Buildfile' is not a regular file" - <"$D/ctx.tar"
	rm "$D/ctx/Buildfile"
	tar -C "$D/ctx" -cf "$D/ctx.tar" .
	refused "$1" 3 "there is no Buildfile, Containerfile or Dockerfile in 'stdin'" - <"$D/ctx.tar"
	echo f >"$D/f"
	tar -C "$D" --transform 's|^|../|' -Pcf "$D/up.tar" f
	refused "$1" 3 "stdin" - <"$D/up.tar"
	gzip -c "$D/ctx.tar" | head -c 100 >"$D/short.tgz"
	refused "$1" 3 "stdin" - <"$D/short.tgz"
	same "$(idle "$1")" 0
}
text_stdin() {
	build "$1" - <<<$'FROM localhost/bb\nRUN echo made >/made\nCOPY <<f /\ntext\nf'
	same "$(shown "$1" cat /made /f)" $'made\ntext'
	refused "$1" 3 "stdin:2:6: COPY: 'f' is not in the context" - <<<$'FROM localhost/bb\nCOPY f /'
	refused "$1" 2 "stdin is a Buildfile, and '--file x' names another" -f x - <<<$'FROM localhost/bb'
	refused "$1" 3 "stdin: the file has no instructions" - </dev/null
	echo in >"$D/ctx/in"
	build "$1" -f - ctx <<<$'FROM localhost/bb\nCOPY in /in'
	same "$(shown "$1" cat /in)" in
	chmod 755 "$D"
}

# ---- which Buildfile and which ignore file ----

precedence() {
	local f
	touch "$D/ctx"/{a,b,c,d,e,f}
	mkdir "$D/ctx/sub"
	printf 'FROM localhost/bb\nCOPY . /c\n' | tee "$D/ctx/sub/File" "$D/ctx/Dockerfile" >"$D/ctx/Containerfile"
	left() { build "$1" "${@:3}" ctx && same "$(shown "$1" 'cd /c && ls [a-f] | tr -d "\n"')" "$2"; }
	left "$1" abcdef
	echo a >"$D/ctx/.dockerignore"
	left "$1" bcdef
	echo b >"$D/ctx/.containerignore"
	left "$1" acdef
	echo c >"$D/ctx/Containerfile.dockerignore"
	left "$1" abdef
	echo d >"$D/ctx/Containerfile.containerignore"
	left "$1" abcef
	left "$1" acdef -f ctx/Dockerfile
	echo e >"$D/ctx/sub/File.dockerignore"
	left "$1" abcdf -f ctx/sub/File
	left "$1" abcdf -f sub/File
	echo f >"$D/ignore"
	left "$1" abcde --ignorefile ignore
	left "$1" abcde --ignorefile "$D/ignore" -f ctx/sub/File
	refused "$1" 5 "open 'no-such'" --ignorefile no-such ctx
	# it may leave out itself and the Buildfile: they are read all the same, but not copied
	printf '*\n!keep\n' >"$D/ctx/Containerfile.containerignore"
	touch "$D/ctx/keep"
	build "$1" ctx
	same "$(shown "$1" 'ls -A /c')" keep
	printf 'x\n!\n' >"$D/ignore"
	refused "$1" 3 "ignore:2: '!' needs a pattern" --ignorefile ignore ctx
	# Buildfile before Containerfile before Dockerfile
	printf 'FROM localhost/bb\nRUN echo B >/which\n' >"$D/ctx/Buildfile"
	build "$1" ctx
	same "$(shown "$1" cat /which)" B
}

# ---- named contexts ----

named_dir() {
	mkdir -p "$D/extra/sub"
	echo x >"$D/extra/x"
	echo y >"$D/extra/sub/y"
	echo no >"$D/extra/no"
	echo no >"$D/extra/.dockerignore"
	echo main >"$D/ctx/x"
	cat >"$D/ctx/Buildfile" <<'E'
FROM localhost/bb AS built
RUN echo stage >/x
FROM localhost/bb
COPY --from=extra x /1
COPY --from=EXTRA . /2/
COPY --from=built /x /3
COPY x /4
COPY --from=extra --parents sub/y /5/
E
	build "$1" --build-context extra=extra ctx
	same "$(shown "$1" 'cat /1 /2/x /2/sub/y /3 /4 /5/sub/y; ls /2/no 2>/dev/null' || true)" $'x\nx\ny\nstage\nmain\ny'
	# it takes the place of a stage, which is not built then
	sed -i 's/^RUN.*/RUN false/' "$D/ctx/Buildfile"
	build "$1" --build-context extra=extra --build-context built=./extra ctx
	same "$(shown "$1" cat /3)" x
	# what changes in it is seen
	echo x2 >"$D/extra/x"
	build "$1" --build-context extra="$D/extra" --build-context built=./extra ctx
	same "$(shown "$1" cat /1 /3)" $'x2\nx2'
	refused "$1" 3 "COPY: 'x' is not in context 'extra'" --build-context extra=extra/sub --build-context built=extra ctx
	[[ $OUTPUT == *"Buildfile:4:19: COPY: "* ]]
	refused "$1" 5 "--build-context extra: open the context './none'" --build-context extra=./none ctx
	refused "$1" 2 "--build-context 'extra' is not NAME=VALUE" --build-context extra ctx
	refused "$1" 3 "--from=extra" --pull=never ctx
}
named_base() { # a directory as the base
	mkdir -p "$D/base/bin"
	cp "$(command -v busybox)" "$D/base/bin/busybox"
	ln -s busybox "$D/base/bin/sh"
	echo no >"$D/base/no"
	echo no >"$D/base/.dockerignore"
	printf 'FROM mybase\nRUN ["/bin/sh", "-c", "echo ran >/ran"]\n' >"$D/ctx/Buildfile"
	build "$1" --build-context mybase=base ctx
	same "$(as "$1" imgrun --rm made /bin/busybox ls -A / | tr '\n' ' ')" ".dockerignore bin dev etc proc ran sys "
	build "$1" --build-context mybase=base ctx
	same "$(grep -c CACHED <<<"$OUTPUT")" 2
}
named_image() {
	printf 'FROM debian:12 AS s\nCOPY --from=tools /etc/group /g\nRUN echo base >/base\n' >"$D/ctx/Buildfile"
	build "$1" --build-context debian:12=docker-image://localhost/bb --build-context tools=localhost/bb:latest ctx
	same "$(shown "$1" 'cat /base; grep -c alice /g')" $'base\n2'
	build "$1" --build-context docker.io/library/debian:12=docker-image://localhost/bb:latest --build-context tools=docker://localhost/bb ctx
	refused "$1" 3 "localhost/none" --build-context debian:12=docker-image://localhost/none --build-context tools=localhost/bb ctx
	[[ $OUTPUT == *"Buildfile:1:6: FROM: "* ]]
}
named_layout() {
	local digest
	mkdir "$D/out"
	! is_root || chown -R "$TEST_USER" "$D/out"
	as "$1" imgpush -q localhost/bb "oci:$D/out/layout:one"
	printf 'FROM base\nCOPY --from=Other /etc/passwd /p\nRUN echo x >/x\n' >"$D/ctx/Buildfile"
	digest=$(as "$1" cat "$D/out/layout/index.json" | jq -r '.manifests[0].digest')
	build "$1" --build-context base=oci-layout://out/layout:one --build-context Other="oci-layout://$D/out/layout@$digest" ctx
	same "$(shown "$1" 'cat /x; grep -c alice /p')" $'x\n1'
	build "$1" --build-context base=oci-layout://out/layout --build-context Other=localhost/bb ctx
	as "$1" imgstore ls | grep -q localhost/build-context/base
	refused "$1" 3 "OCI layout 'out/layout' has no image 'two'" --build-context base=oci-layout://out/layout:two ctx
	[[ $OUTPUT == *"--build-context base: oci-layout://out/layout:two: "*"has no image 'two'"* ]]
	refused "$1" 3 "has no image sha256:0000" --build-context base=oci-layout://out/layout@sha256:$(printf '0%.0s' $(seq 64)) ctx
	refused "$1" 5 "--build-context base" --build-context base=oci-layout://out/none ctx
}
interrupted() { # while stdin keeps us waiting
	local pid
	mkfifo "$D/fifo"
	(cd "$D" && exec imgbuild --root "$ROOT_STORE" - <"$D/fifo" >"$D/log" 2>&1) &
	pid=$!
	exec 9>"$D/fifo"
	sleep 0.3
	kill -INT "$pid"
	status=0
	wait "$pid" || status=$?
	exec 9>&-
	same "$status" 130
	grep -qx 'imgbuild: interrupted' "$D/log"
	same "$(ls "$ROOT_STORE/tmp" | wc -l)" 0
}

@test "a tar on stdin, of any compression (root)" { need_root; tar_stdin root; }
@test "a tar on stdin, of any compression (user)" { need_user; tar_stdin user; }
# GHSA-49p4-px3h-rq49
@test "a tar on stdin does not lead out of itself, and leaves nothing (root)" { need_root; tar_stdin_bad root; }
@test "a tar on stdin does not lead out of itself, and leaves nothing (user)" { need_user; tar_stdin_bad user; }
@test "a Buildfile on stdin (root)" { need_root; text_stdin root; }
@test "a Buildfile on stdin (user)" { need_user; text_stdin user; }
@test "row 57: which ignore file holds (root)" { need_root; precedence root; }
@test "row 57: which ignore file holds (user)" { need_user; precedence user; }
@test "a named context that is a directory (root)" { need_root; named_dir root; }
@test "a named context that is a directory (user)" { need_user; named_dir user; }
@test "a directory as the base (root)" { need_root; named_base root; }
@test "a directory as the base (user)" { need_user; named_base user; }
@test "a named context that is an image (root)" { need_root; named_image root; }
@test "a named context that is an image (user)" { need_user; named_image user; }
@test "a named context that is an OCI layout (root)" { need_root; named_layout root; }
@test "a named context that is an OCI layout (user)" { need_user; named_layout user; }
@test "a build that waits for stdin can be interrupted" { need_root; interrupted; }
