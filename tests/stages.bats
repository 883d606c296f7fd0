#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Several stages: which run, which run at the same time, which wait for which; that one failure ends all, and that
# nothing of it shows in the image. As root and as an ordinary user.

load lib

setup_file() {
	make_scratch
	busybox_tar "$T/bb.tar"
	# "now" prints hundredths of a second since boot
	mkdir "$T/bin"
	printf '#!/bin/sh\ncut -d" " -f1 /proc/uptime | tr -d .\n' >"$T/bin/now"
	chmod 755 "$T/bin/now"
	tar -C "$T" --owner=0 --group=0 --mtime=@1700000000 -rf "$T/bb.tar" bin/now
	chmod 644 "$T/bb.tar"
	! is_root || as root imgstore import "$T/bb.tar" localhost/bb >&2
	! have_user || as user imgstore import "$T/bb.tar" localhost/bb >&2
}
teardown_file() {
	remove_scratch
}
setup() {
	CTX=$(mktemp -d "$T/ctx.XXXXXX")
	chmod 755 "$CTX"
}

# build WHO [OPTIONS…]: Buildfile on stdin; messages in $OUTPUT, the image ID in $ID, milliseconds in $TOOK
build() {
	local who=$1 start
	shift
	cat >"$CTX/Buildfile"
	chmod -R a+rX "$CTX"
	start=$(date +%s%3N)
	status=0
	OUTPUT=$(as "$who" imgbuild -t test "$@" "$CTX" 2>&1 >"$T/id") || status=$?
	TOOK=$(($(date +%s%3N) - start))
	echo "$OUTPUT"
	echo "status $status, $TOOK ms"
	ID=$(cat "$T/id")
	return "$status"
}
same() { [ "$1" = "$2" ] || { printf 'got:    %q\nwanted: %q\n' "$1" "$2"; return 1; }; }
shows() { grep -qE "$1" <<<"$OUTPUT" || { echo "not shown: $1"; return 1; }; }
hides() { ! grep -qE "$1" <<<"$OUTPUT" || { echo "shown: $1"; return 1; }; }
in_test() { as "$1" imgrun --rm test sh -c "$2"; }

# stages s1 to sN that note when their command, which takes $2 seconds, begins and ends; $3 makes it another one
noted_sleeps() {
	local i
	for i in $(seq "$1"); do
		printf 'FROM localhost/bb AS s%d\nRUN now >/begin && sleep %s && now >/end && : %s\n' "$i" "$2" "$i$3"
	done
	echo FROM localhost/bb
	for i in $(seq "$1"); do echo "COPY --from=s$i /begin /end /s$i/"; done
}
overlap() {
	build "$1" < <(noted_sleeps 4 2)
	# all had begun before the first one ended
	in_test "$1" '[ "$(cat /s*/begin | sort -n | tail -1)" -lt "$(cat /s*/end | sort -n | head -1)" ]'
	[ "$TOOK" -lt 4000 ]
	assert_store_idle "$(store_of "$1")"
	build "$1" < <(noted_sleeps 4 2)
	same "$(grep -c CACHED <<<"$OUTPUT")" 8
}
@test "four stages sleep at the same time (root)" { need_root; overlap root; }
@test "four stages sleep at the same time (user)" { need_user; overlap user; }

jobs_limit() {
	build "$1" --jobs "$2" < <(noted_sleeps 3 0.5 "-$2")
	# how many were at work when each began
	in_test "$1" 'for a in 1 2 3; do
		n=0
		for b in 1 2 3; do
			[ "$(cat /s$b/begin)" -gt "$(cat /s$a/begin)" ] || [ "$(cat /s$b/end)" -le "$(cat /s$a/begin)" ] || n=$((n+1))
		done
		echo $n
	done | sort | tail -1' >"$T/most"
	same "$(cat "$T/most")" "$2"
}
@test "--jobs 1 and --jobs 2 are made use of, and not exceeded (root)" { need_root; jobs_limit root 1; jobs_limit root 2; }
@test "--jobs 1 and --jobs 2 are made use of, and not exceeded (user)" { need_user; jobs_limit user 1; jobs_limit user 2; }

@test "--jobs wants a number" {
	need_root
	for n in x -1 1.5 '' 99999999999999999999; do
		! build root "--jobs=$n" <<<'FROM localhost/bb' || false
		same "$status" 2
		shows "^imgbuild: --jobs '$n' is not a number"
	done
}

sibling_fails() {
	! build "$1" <<'E' || false
FROM localhost/bb AS slow
RUN sleep 30.25
FROM localhost/bb AS broken
RUN sleep 0.2; echo last words; exit 7
FROM localhost/bb
COPY --from=slow /etc/passwd /1
COPY --from=broken /etc/passwd /2
E
	same "$status" 1
	[ "$TOOK" -lt 5000 ]
	shows "^imgbuild: Buildfile:4:1: RUN sleep 0.2; echo last words; exit 7: exit status 7, in stage 'broken'$"
	shows '^last words$'
	shows '^#[0-9]+ CANCELED$'
	same "$(grep -c '^imgbuild: ' <<<"$OUTPUT")" 1
	assert_store_idle "$(store_of "$1")"
	! pgrep -f '^sleep 30.25$' || { echo "a step is still running"; return 1; }
}
@test "a stage that fails stops the others, and the error names it (root)" { need_root; sibling_fails root; }
@test "a stage that fails stops the others, and the error names it (user)" { need_user; sibling_fails user; }

@test "what a stopped build had done is found by the next one" {
	need_root
	! build root <<'E' || false
FROM localhost/bb AS a
RUN echo kept >/kept
RUN sleep 30
FROM localhost/bb AS b
RUN sleep 0.5; false
FROM localhost/bb
COPY --from=a /kept /
COPY --from=b /etc/passwd /
E
	build root <<'E'
FROM localhost/bb AS a
RUN echo kept >/kept
FROM localhost/bb
COPY --from=a /kept /
E
	grep -A1 'RUN echo kept' <<<"$OUTPUT" | grep -q CACHED
	in_test root '[ "$(cat /kept)" = kept ]'
}

@test "a COPY that fails in one stage stops a command in another" {
	need_root
	! build root <<'E' || false
FROM localhost/bb AS a
RUN sleep 30
FROM localhost/bb AS b
WORKDIR /w
COPY none /
FROM localhost/bb
COPY --from=a /etc/passwd /
COPY --from=b /etc/passwd /
E
	same "$status" 3
	[ "$TOOK" -lt 5000 ]
	shows "^imgbuild: Buildfile:5:6: COPY: .*'none'.*, in stage 'b'$"
}

interrupted() {
	local job pid
	cat >"$CTX/Buildfile" <<'E'
FROM localhost/bb AS a
RUN echo begun; sleep 30
FROM localhost/bb AS b
RUN echo begun; sleep 30; :
FROM localhost/bb
WORKDIR /x
COPY --from=a /etc/passwd /1
COPY --from=b /etc/passwd /2
E
	chmod -R a+rX "$CTX"
	as "$1" imgbuild "$CTX" >"$T/out" 2>&1 3>&- &
	job=$!
	for _ in $(seq 100); do
		[ "$(grep -cE '^#[0-9]+ [0-9.]+ begun' "$T/out")" != 2 ] || break
		sleep 0.1
	done
	# below the shells that wait for it
	pid=$job
	while [ -n "$pid" ] && [ "$(ps -o comm= -p "$pid")" != imgbuild ]; do pid=$(pgrep -P "$pid" | head -1); done
	kill -INT "$pid"
	status=0
	wait "$job" || status=$?
	cat "$T/out"
	same "$status" 130
	same "$(tail -1 "$T/out")" 'imgbuild: interrupted'
	same "$(grep -c CANCELED "$T/out")" 2
	assert_store_idle "$(store_of "$1")"
}
@test "an interruption stops all stages (root)" { need_root; interrupted root; }
@test "an interruption stops all stages (user)" { need_user; interrupted user; }

diamond() {
	build "$1" <<'E'
FROM localhost/bb AS top
RUN echo top >/top
FROM top AS left
RUN cp /top /left && echo left >>/left
FROM top AS right
RUN cp /top /right && echo right >>/right
FROM left AS bottom
COPY --from=right /right /right
RUN cat /left /right >/bottom
FROM scratch AS unused
RUN this is not run
FROM bottom
COPY --from=top /top /again
E
	hides 'not run|unused'
	in_test "$1" '[ "$(tr "\n" " " </bottom)" = "top left top right " ] && [ "$(cat /again)" = top ]'
	same "$(grep -cE '^#[0-9]+ \[top .* RUN echo top' <<<"$OUTPUT")" 1
}
@test "a diamond: each stage runs once, after what it needs (root)" { need_root; diamond root; }
@test "a diamond: each stage runs once, after what it needs (user)" { need_user; diamond user; }

@test "COPY --from waits for the very stage, the steps before it do not" {
	need_root
	build root <<'E'
FROM localhost/bb AS slow
RUN sleep 1; now >/end
FROM localhost/bb
RUN now >/begin
COPY --from=slow /end /
RUN now >/after
E
	in_test root '[ "$(cat /begin)" -lt "$(cat /end)" ] && [ "$(cat /end)" -lt "$(cat /after)" ]'
}

mounts_wait() {
	build "$1" <<'E'
FROM localhost/bb AS slow
RUN sleep 0.7; echo slow >/slow
FROM localhost/bb AS slower
RUN sleep 1; echo slower >/slower
FROM localhost/bb AS direct
RUN --mount=from=slower,target=/s cp /s/slower /direct
FROM localhost/bb
RUN echo own >/own
RUN --mount=target=/c --mount=from=slow,target=/a --mount=from=slower,target=/b cat /a/slow /b/slower /own >/all
COPY --from=direct /direct /
E
	in_test "$1" '[ "$(tr "\n" " " </all)" = "slow slower own " ] && [ "$(cat /direct)" = slower ]'
}
@test "RUN --mount waits for every stage that it mounts (root)" { need_root; mounts_wait root; }
@test "RUN --mount waits for every stage that it mounts (user)" { need_user; mounts_wait user; }

@test "stages that want the same two locked caches, in either order" {
	need_root
	build root <<'E'
FROM localhost/bb AS a
RUN --mount=type=cache,id=x,target=/x,sharing=locked --mount=type=cache,id=y,target=/y,sharing=locked echo in >/x/busy; sleep 0.3; rm /x/busy; echo a >/a
FROM localhost/bb AS b
RUN --mount=type=cache,id=y,target=/y,sharing=locked --mount=type=cache,id=x,target=/x,sharing=locked [ ! -e /x/busy ] && sleep 0.3 && echo b >/b
FROM localhost/bb
COPY --from=a /a /
COPY --from=b /b /
E
	in_test root '[ "$(cat /a /b | tr "\n" " ")" = "a b " ]'
}

unused() {
	build "$1" --target wanted <<'E'
FROM localhost/bb AS base
RUN echo base >/base
FROM localhost/bb AS aside
RUN exit 1
FROM aside AS aside2
RUN exit 2
FROM base AS wanted
RUN echo wanted >/wanted
FROM wanted
RUN exit 3
E
	hides 'aside|exit'
	in_test "$1" '[ "$(cat /base /wanted | tr "\n" " ")" = "base wanted " ]'
}
@test "stages that the target does not need are not run (root)" { need_root; unused root; }
@test "stages that the target does not need are not run (user)" { need_user; unused user; }

# every way that stages can be tied together
tangle() {
	cat <<'E'
FROM localhost/bb AS a
WORKDIR /a
RUN echo a >a; mkdir d; echo x >d/x
FROM localhost/bb AS b
ENV B=1
COPY Buildfile /b/
RUN --network=none echo b >/b/b
FROM a AS c
COPY --from=b /b /b
RUN rm d/x; echo c >/c
FROM a AS d
RUN rm -r /a/d
COPY --from=c /c /c
FROM scratch AS e
COPY --from=a /a /a
COPY --from=d / /d
FROM c
COPY --from=e / /e
COPY --from=0 /a/d /d
LABEL done=yes
E
}
any_jobs() {
	local first= jobs
	export SOURCE_DATE_EPOCH=1700000000
	for jobs in 1 2 3 0; do
		build "$1" --no-cache --jobs "$jobs" < <(tangle)
		: "${first:=$ID}"
		same "$ID" "$first"
	done
	build "$1" < <(tangle)
	same "$ID" "$first"
	[ -n "$ID" ]
}
@test "the image is the same with any number of jobs (root)" { need_root; any_jobs root; }
@test "the image is the same with any number of jobs (user)" { need_user; any_jobs user; }

@test "stages that begin with the same steps do them once, and a cached build gives the same image" {
	need_root
	local id text='FROM localhost/bb AS a
RUN cat /proc/sys/kernel/random/uuid >/uuid; sleep 0.3
WORKDIR /x/y
RUN cp /uuid /a
FROM localhost/bb AS b
RUN cat /proc/sys/kernel/random/uuid >/uuid; sleep 0.3
WORKDIR /x/y
RUN cp /uuid /b
FROM b
COPY --from=a /a /a'
	build root <<<"$text"
	same "$(grep -c CACHED <<<"$OUTPUT")" 2
	in_test root '[ "$(cat /a)" = "$(cat /b)" ]'
	id=$ID
	build root <<<"$text"
	same "$ID" "$id"
}

many() {
	local i
	{
		echo 'FROM localhost/bb AS s0'
		echo 'RUN echo 0 >/n'
		for i in $(seq 199); do
			echo "FROM localhost/bb AS s$i"
			if [ "$2" = chain ]; then
				echo "RUN echo $i >/own"
				echo "COPY --from=s$((i - 1)) /n /n"
				echo 'RUN echo $(($(cat /n)+1)) >/n'
			else
				echo "COPY --from=s0 /n /n$i"
			fi
		done
		echo FROM localhost/bb
		if [ "$2" = chain ]; then
			echo 'COPY --from=s199 /n /n'
		else
			for i in $(seq 199); do echo "COPY --from=s$i /n$i /n/"; done
		fi
	} | build "$1" -q
	if [ "$2" = chain ]; then
		in_test "$1" '[ "$(cat /n)" = 199 ]'
	else
		in_test "$1" '[ "$(ls /n | wc -l)" = 199 ]'
	fi
}
@test "200 stages in a row, each with a step that need not wait (root)" { need_root; many root chain; }
@test "200 stages in a row, each with a step that need not wait (user)" { need_user; many user chain; }
@test "200 stages side by side (root)" { need_root; many root wide; }
@test "200 stages side by side (user)" { need_user; many user wide; }

@test "a program that was just copied can be run, whatever other stages start" {
	need_root
	local i
	cp "$(command -v busybox)" "$CTX/busybox"
	{
		for i in 1 2 3 4 5 6; do
			echo "FROM localhost/bb AS s$i"
			printf 'COPY busybox /p%d-%d/\nRUN ["/p%d-%d/busybox", "true"]\n' $i 1 $i 1 $i 2 $i 2
		done
		echo FROM localhost/bb
		for i in 1 2 3 4 5 6; do echo "COPY --from=s$i /p$i-2/busybox /p$i"; done
	} | build root --no-cache
}

@test "what two stages write at the same time is never mixed within a line, and always under its title" {
	need_root
	build root --no-cache <<'E'
FROM localhost/bb AS a
RUN i=0; while [ $i -lt 2000 ]; do echo "aaaaaaaaaaaaaaaaaaaaaaaa $i"; i=$((i+1)); done
FROM localhost/bb AS b
RUN i=0; while [ $i -lt 2000 ]; do echo "bbbbbbbbbbbbbbbbbbbbbbbb $i"; i=$((i+1)); done
FROM localhost/bb
COPY --from=a /etc/passwd /1
COPY --from=b /etc/passwd /2
E
	for c in a b; do
		same "$(grep -E "^#[0-9]+ [0-9.]+ $c{24} [0-9]+$" <<<"$OUTPUT" | cut -d' ' -f4)" "$(seq 0 1999)"
	done
	# after an empty line a title; between two empty lines one number only
	awk 'BEGIN { RS = ""; FS = "\n" } {
		if ($1 !~ /^#[0-9]+ \[/) { print "no title: " $1; exit 1 }
		split($1, first, " ")
		for (i = 2; i <= NF; i++) { split($i, at, " "); if (at[1] != first[1]) { print "mixed: " $i; exit 1 } }
	}' <<<"$OUTPUT"
}

# Row 74: a sibling that fails takes nothing away that others share
sibling_shares() {
	local who=$1
	cat >"$CTX/with" <<-'E'
		FROM localhost/bb AS base
		RUN echo shared >/shared
		FROM base AS good
		RUN sleep 1; echo good >/good
		FROM base AS unused
		RUN exit 7
		FROM base AS bad
		COPY --from=good /shared /again
		RUN exit 3
		FROM base
		COPY --from=good /good /
		COPY --from=bad /again /
	E
	not build "$who" <"$CTX/with"
	[ "$status" = 1 ]
	as "$who" imgstore check localhost/bb
	sed -i 's/exit 3/exit 0/' "$CTX/with"
	build "$who" <"$CTX/with"
	[ "$status" = 0 ]
	[ "$(as "$who" imgrun --rm test cat /shared /good /again)" = $'shared\ngood\nshared' ]
	as "$who" imgstore check test
}
@test "row 74: a failing sibling, an unused stage, and layers that they share (root)" { need_root; sibling_shares root; }
@test "row 74: a failing sibling, an unused stage, and layers that they share (user)" { need_user; sibling_shares user; }
