#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What enters the key of a step, and what does not.

load rules

# two BUILDFILE BUILDFILE N: of the steps of the second N were found
two() {
	local n=$3
	image --no-cache <<<"$1"
	image <<<"$2"
	cached "$n" || { printf '%s\n--\n%s\n' "$1" "$2"; return 1; }
}
# The last step of the last build was found
last_found() { grep -E '^#[0-9]+ (CACHED|DONE)' "$T/messages" | tail -1 | grep -q CACHED; }
# found STEPS STEPS…: after the first steps, on a base, each of the others alone ends with the same step
found() {
	local other
	image --no-cache <<<$'FROM localhost/bb\n'"$1"
	for other in "${@:2}"; do
		image <<<$'FROM localhost/bb\n'"$other"
		last_found || { echo "not found: $other"; return 1; }
	done
}
# missed STEPS STEPS…: none of the others does
missed() {
	local other
	image --no-cache <<<$'FROM localhost/bb\n'"$1"
	for other in "${@:2}"; do
		image <<<$'FROM localhost/bb\n'"$other"
		! last_found || { echo "found: $other"; return 1; }
	done
}

# ---- 1.11 cache keys ----

@test "1.11 FROM: the image, not its name" {
	as "$WHO" imgstore tag localhost/bb localhost/same
	two $'FROM localhost/bb\nRUN echo 100' $'FROM localhost/same:latest\nRUN echo 100' 1
	printf 'FROM localhost/bb\nCOPY f /other\n' | image -t localhost/same
	image <<<$'FROM localhost/same\nRUN echo 100'
	cached 0
}
@test "1.11 context: only what is used counts, not where it is" {
	echo 101 >used
	printf 'FROM localhost/bb\nCOPY used /\nRUN --mount=source=d,target=/m echo 101\n' | image
	echo new >unused
	rm f
	image <<<"$(cat Buildfile)"
	cached 2
	cp -r . "$T/elsewhere"
	cd "$T/elsewhere"
	image <<<"$(cat Buildfile)"
	cached 2
	echo more >d/h
	image <<<"$(cat Buildfile)"
	cached 1
	rm -r "$T/elsewhere"
}
@test "1.11 COPY content: names below a directory, modes, sizes, types, links, contents, attributes count" {
	local change text=$'FROM localhost/bb\nCOPY d /d'
	ln -s g d/l
	for change in 'mv d/g d/h' 'chmod 600 d/h' 'echo longer >>d/h' 'ln -sf h d/l' 'rm d/l; mkdir d/l' 'echo LONGER >d/h' \
		'mkfifo d/p' 'touch d/empty' 'chmod 700 d' 'setfattr -n user.x -v 1 d/h || echo no attributes here >d/x' 'setfattr -n user.x -v 2 d/h || echo nor here >d/x'; do
		image <<<"$text"
		eval "$change"
		image <<<"$text"
		cached 0 || { echo "found after: $change"; return 1; }
	done
}
@test "1.11 COPY content: times, inodes, hard links, owners and the name of a directory do not" {
	local change text=$'FROM localhost/bb\nCOPY d /d'
	echo 103 >d/g
	cp -p d/g d/h
	image <<<"$text"
	for change in 'touch -d 2001-01-01 d/g d' 'cp -p d/g x; mv x d/g' 'ln -f d/g d/h' 'mv d e; mkdir d; cp -r e/* d/' '! is_root || chown 5:6 d d/g'; do
		eval "$change"
		image <<<"$text"
		cached 1 || { echo "not found after: $change"; return 1; }
	done
	mv d other
	image <<<$'FROM localhost/bb\nCOPY other /d'
	cached 1
}
@test "1.11 COPY content: no attribute of the host's counts, security.capability does" {
	is_root || skip "only root can set them"
	echo 104 >c
	setfattr -n security.mine -v 1 c || skip "no such attributes here"
	image <<<$'FROM localhost/bb\nCOPY c /c'
	setfattr -n security.mine -v 2 c
	image <<<$'FROM localhost/bb\nCOPY c /c'
	cached 1
	setfacl -m u:5:r c
	chmod 644 c
	image <<<$'FROM localhost/bb\nCOPY c /c'
	cached 1
	setcap cap_net_raw+ep c
	image <<<$'FROM localhost/bb\nCOPY c /c'
	cached 0
}
@test "1.11 COPY: destination, flags, owner, mode, patterns and the name of the source count; spacing does not" {
	echo 105 >c
	cp c c2
	mkdir -p e
	cp c e/c
	found 'COPY c /c' 'COPY  c   /c' $'# comment\ncopy c \\\n /c' 'COPY ["c", "/c"]' 'COPY ./e/../c /c' 'COPY --chown= c /c'
	missed 'COPY c /c' 'COPY c /c3' 'COPY c /c/' 'COPY --chown=0:0 c /c' 'COPY --chmod=600 c /c' 'COPY --link c /c' 'COPY --parents c /c' 'COPY --exclude=x c /c' 'ADD c /c' 'COPY c2 /c'
	missed 'COPY --exclude=x d /d' 'COPY --exclude=y d /d'
	found 'COPY c /c' 'COPY e/c /c'
}
@test "1.11 COPY: the key of what is below counts, but not with --link" {
	echo 106 >c
	two $'FROM localhost/bb\nRUN echo 1\nCOPY c /c' $'FROM localhost/bb\nRUN echo 2\nCOPY c /c' 0
	two $'FROM localhost/bb\nRUN echo 3\nCOPY --link c /c' $'FROM localhost/bb\nRUN echo 4\nCOPY --link c /c' 1
}
@test "1.11 COPY --from: the content, when the stage was made anew" {
	two $'FROM localhost/bb AS a\nRUN echo 107 >/107; echo 1 >/x\nFROM localhost/bb\nCOPY --from=a /107 /' \
		$'FROM localhost/bb AS a\nRUN echo 107 >/107; echo 2 >/x\nFROM localhost/bb\nCOPY --from=a /107 /' 1
	two $'FROM localhost/bb AS a\nRUN echo 107 >/107\nFROM localhost/bb\nCOPY --from=a /107 /' \
		$'FROM localhost/bb AS a\nRUN echo 108 >/107\nFROM localhost/bb\nCOPY --from=a /107 /' 0
}
@test "1.11 COPY <<: name and text count" {
	found $'COPY <<x /\n1\nx' $'COPY <<"x" /\n1\nx'
	two $'FROM localhost/bb\nCOPY <<x /\n1\nx' $'FROM localhost/bb\nCOPY <<x /\n2\nx' 0
	two $'FROM localhost/bb\nCOPY <<x /\n1\nx' $'FROM localhost/bb\nCOPY <<y /\n1\ny' 0
}
@test "1.11 ADD of a URL: content and name count; with --checksum the URL does not, nor is it asked for" {
	server
	echo 109 >"$SRV/files/u"
	cp "$SRV/files/u" "$SRV/files/v"
	mkdir -p "$SRV/files/w"
	cp "$SRV/files/u" "$SRV/files/w/u"
	found "ADD $URL/u /" "ADD $URL/u /" "ADD $URL/w/u /"
	missed "ADD $URL/u /" "ADD $URL/v /"
	echo changed >"$SRV/files/u"
	image <<<$'FROM localhost/bb\nADD '"$URL/u /"
	cached 0
	local sum
	sum=sha256:$(sha256sum "$SRV/files/v" | cut -d' ' -f1)
	image <<<$'FROM localhost/bb\nADD --checksum='"$sum $URL/v /"
	mkdir -p "$SRV/files/z"
	: >"$SRV/log"
	image <<<$'FROM localhost/bb\nADD --checksum='"$sum $URL/z/v /"
	cached 1
	[ ! -s "$SRV/log" ]
}
@test "1.11 ADD of git: commit, directory and --keep-git-dir count, the name of the branch does not" {
	command -v git >/dev/null || skip "git is not installed"
	server
	repository
	found "ADD $URL/git/r.git#main /r" "ADD $URL/git/r.git#same /r" "ADD $URL/git/r.git /r"
	missed "ADD $URL/git/r.git#main /r" "ADD $URL/git/r.git#main:d /r" "ADD --keep-git-dir $URL/git/r.git#main /r"
	git -C "$SRV/git/r.git" update-ref refs/heads/main "$(git -C "$SRV/git/r.git" commit-tree -p main -m 2 'main^{tree}')"
	image <<<$'FROM localhost/bb\nADD '"$URL/git/r.git#main /r"
	image <<<$'FROM localhost/bb\nADD '"$URL/git/r.git#main /r"
	cached 1
}
@test "1.11 RUN: the platform counts" {
	printf 'FROM scratch\nCOPY --from=localhost/bb / /\nRUN echo 118\n' >Buildfile
	image --platform linux/amd64 <<<"$(cat Buildfile)"
	image --platform linux/amd64 <<<"$(cat Buildfile)"
	cached 2
	# the copy is the same one, the command another
	image --platform linux/386 <<<"$(cat Buildfile)"
	cached 1
}
@test "1.11 RUN: command, environment, ARGs, directory, user, network, security, host name count; comments and spacing do not" {
	found 'RUN echo 111' $'# comment\nRUN   echo 111' $'run \\\n# comment\n echo 111' $'CMD x\nEXPOSE 1\nRUN echo 111'
	missed 'RUN echo 111' 'RUN echo  111' 'RUN ["echo", "111"]' $'ENV a=1\nRUN echo 111' $'ARG b=1\nRUN echo 111' $'USER 1\nRUN echo 111' \
		$'WORKDIR /tmp\nRUN echo 111' 'RUN --network=none echo 111' $'SHELL ["/bin/sh", "-ec"]\nRUN echo 111'
	local text=$'FROM localhost/bb\nRUN echo 11111'
	image <<<"$text"
	image --build-arg BUILDKIT_SANDBOX_HOSTNAME=other <<<"$text"
	cached 0
	image --network=none <<<"$text"
	cached 0
	image --allow security.insecure <<<"${text/RUN/RUN --security=insecure}"
	cached 0
	image <<<"$text"
	cached 1
}
@test "1.11 RUN: the order of the environment does not count, its values do" {
	found $'ENV a=1 b=2\nRUN echo 112' $'ENV b=2\nENV a=1\nRUN echo 112' $'ENV a=3 b=2 a=1\nRUN echo 112'
	missed $'ENV a=1 b=2\nRUN echo 112' $'ENV a=2 b=1\nRUN echo 112'
}
@test "1.11 RUN: type, target and access of mounts count" {
	missed 'RUN --mount=target=/m echo 113' 'RUN --mount=target=/n echo 113' 'RUN --mount=target=/m,rw echo 113' 'RUN --mount=type=cache,target=/m echo 113' \
		'RUN --mount=type=tmpfs,target=/m echo 113' 'RUN --mount=type=tmpfs,target=/m,size=1m echo 113' 'RUN echo 113'
}
@test "1.11 RUN --mount of a stage: the content of what it shows, when that is read-only and a path; else the stage" {
	two $'FROM localhost/bb AS a\nRUN echo 114 >/114; echo 1 >/x\nFROM localhost/bb\nRUN --mount=from=a,source=/114,target=/m cat /m' \
		$'FROM localhost/bb AS a\nRUN echo 114 >/114; echo 2 >/x\nFROM localhost/bb\nRUN --mount=from=a,source=/114,target=/m cat /m' 1
	two $'FROM localhost/bb AS a\nRUN echo 114 >/114\nFROM localhost/bb\nRUN --mount=from=a,source=/114,target=/m cat /m' \
		$'FROM localhost/bb AS a\nRUN echo 115 >/114\nFROM localhost/bb\nRUN --mount=from=a,source=/114,target=/m cat /m' 0
	two $'FROM localhost/bb AS a\nRUN echo 1 >/x\nFROM localhost/bb\nRUN --mount=from=a,target=/m cat /m/x' \
		$'FROM localhost/bb AS a\nRUN echo 2 >/x\nFROM localhost/bb\nRUN --mount=from=a,target=/m cat /m/x' 0
}
@test "1.11 RUN: names of --add-host and --ulimit count, addresses do not" {
	local text=$'FROM localhost/bb\nRUN echo 1155'
	image --add-host one:10.0.0.1 <<<"$text"
	image --add-host one:10.0.0.2 <<<"$text"
	cached 1
	image --add-host two:10.0.0.1 <<<"$text"
	cached 0
	image <<<"$text"
	cached 0
	image --ulimit nofile=100:200 <<<"$text"
	cached 0
	image --ulimit nofile=100:201 <<<"$text"
	cached 0
}
@test "1.11 RUN: proxies do not count" {
	printf 'FROM localhost/bb\nRUN echo 116\n' | image --build-arg http_proxy=a
	printf 'FROM localhost/bb\nRUN echo 116\n' | image --build-arg http_proxy=b
	cached 1
	# unless they are declared
	printf 'FROM localhost/bb\nARG http_proxy\nRUN echo 116\n' | image --build-arg http_proxy=a
	printf 'FROM localhost/bb\nARG http_proxy\nRUN echo 116\n' | image --build-arg http_proxy=b
	cached 0
}
@test "1.11 RUN: the values of secrets and agents do not count" {
	echo 1 >s1
	echo 2 >s2
	image --secret id=s,src=s1 <<<$'FROM localhost/bb\nRUN --mount=type=secret,id=s --mount=type=secret,id=s,env=V --mount=type=ssh echo 117'
	image --secret id=s,src=s2 <<<"$(cat Buildfile)"
	cached 1
	image <<<"$(cat Buildfile)"
	cached 1
	python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("agent")'
	image --ssh "default=$PWD/agent" <<<"$(cat Buildfile)"
	cached 1
	# which one is asked for does
	missed 'RUN --mount=type=secret,id=s,target=/x echo 117' 'RUN --mount=type=secret,id=t,target=/x echo 117' 'RUN --mount=type=secret,id=s,target=/x,mode=0444 echo 117'
}
@test "1.11 RUN: id and sharing of a cache do not count, unless it is the default one" {
	found 'RUN --mount=type=cache,target=/c,id=a echo 118' 'RUN --mount=type=cache,target=/c,id=b echo 118' 'RUN --mount=type=cache,target=/c,id=b,sharing=locked echo 118' \
		'RUN --mount=type=cache,target=/c,sharing=private echo 118'
	found 'RUN --mount=type=cache,target=/c echo 118' 'RUN --mount=type=cache,target=/c,id=/c,sharing=shared echo 118'
	missed 'RUN --mount=type=cache,target=/c echo 1181' 'RUN --mount=type=cache,target=/c,id=a echo 1181'
}
@test "1.11 WORKDIR: the path, the user and what is below" {
	found $'WORKDIR /w' $'WORKDIR /w/' $'WORKDIR /\nWORKDIR w' $'CMD x\nWORKDIR /w'
	missed 'WORKDIR /w' 'WORKDIR /v' $'USER 1\nWORKDIR /w' $'COPY f /\nWORKDIR /w'
}
@test "1.11 config-only steps count for nothing; ENV by what comes later" {
	found $'LABEL a=1\nCMD x\nRUN echo 119' $'LABEL a=2\nCMD y\nEXPOSE 1\nVOLUME /v\nSTOPSIGNAL INT\nHEALTHCHECK NONE\nENTRYPOINT e\nONBUILD RUN x\nMAINTAINER m\nRUN echo 119'
	found $'ENV a=1\nCOPY f /119' $'ENV a=2\nCOPY f /119'
	missed $'ENV a=f\nCOPY $a /119' $'ENV a=d\nCOPY $a /119'
}
@test "1.11 ARG: counts only where it is used, by a RUN or in a value" {
	printf 'FROM localhost/bb\nCOPY f /120\nARG a\n' | image --build-arg a=1
	printf 'FROM localhost/bb\nCOPY f /120\nARG a\n' | image --build-arg a=2
	cached 1
	printf 'FROM localhost/bb\nARG a\nCOPY f /120\n' | image --build-arg a=3
	cached 1
	printf 'FROM localhost/bb\nRUN echo 120\nARG a\nRUN echo 121\n' | image --build-arg a=1
	printf 'FROM localhost/bb\nRUN echo 120\nARG a\nRUN echo 121\n' | image --build-arg a=2
	cached 1
	missed $'ARG a=1\nCOPY f /120-$a' $'ARG a=2\nCOPY f /120-$a'
}
@test "1.11 ARG of the file: counts where FROM or a stage uses it" {
	printf 'ARG g\nFROM localhost/bb\nRUN echo 122\n' | image --build-arg g=1
	printf 'ARG g\nFROM localhost/bb\nRUN echo 122\n' | image --build-arg g=2
	cached 1
	printf 'ARG g\nFROM localhost/bb\nARG g\nRUN echo 122\n' | image --build-arg g=1
	printf 'ARG g\nFROM localhost/bb\nARG g\nRUN echo 122\n' | image --build-arg g=2
	cached 0
}
@test "1.11 --no-cache-filter: the steps of that stage run, and what comes after them" {
	local text=$'FROM localhost/bb AS a\nRUN cat /proc/sys/kernel/random/uuid >/124\nFROM localhost/bb AS b\nRUN echo 125\nFROM a\nRUN echo 126\nCOPY --from=b /bin/busybox /'
	image <<<"$text"
	image --no-cache-filter a <<<"$text"
	cached 1
	image --no-cache-filter b <<<"$text"
	cached 3
}
@test "1.11 --no-cache: everything runs" {
	printf 'FROM localhost/bb\nRUN echo 123\nCOPY f /\nWORKDIR /w\n' | image
	printf 'FROM localhost/bb\nRUN echo 123\nCOPY f /\nWORKDIR /w\n' | image --no-cache
	cached 0
}
