#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# RUN --mount of every type, RUN --security, scripts with an interpreter: what a step sees, that nothing of it
# stays in layer, history, key or store, and that no source leads out of where it belongs.

load lib
load steps

setup_file() { steps_setup_file; }
teardown_file() { remove_scratch; }

# ---- bind ----

bind_context() {
	mkdir dir
	echo one >dir/file
	ln -s dir/file link
	ln -s ../../../../etc outside
	echo hidden >ignored
	chmod 700 dir
	build "$1" <<'E'
FROM localhost/bb
WORKDIR /w
RUN --mount=target=. [ "$(cat dir/file)" = one ] && [ "$(stat -c %u:%g dir/file dir . | sort -u)" = 0:0 ] && [ "$(stat -c %a dir)" = 700 ] && ! touch dir/new
RUN --mount=type=bind,source=link,dst=/f cat /f >/out
RUN --mount=type=bind,src=/../dir/,target=/a/b/c,rw echo two >/a/b/c/file && rm -r /w/../a/b/c/* && echo x >/a/b/c/new
E
	exported "$1"
	same "$(names 3)" ""
	same "$(names 4)" "out "
	same "$(content 4 out)" one
	same "$(names 5)" ""
	# the files on the host are as they were
	same "$(find . -type f | sort | tr '\n' ' ')" "./Buildfile ./dir/file ./ignored "
	same "$(cat dir/file)" one
	assert_store_idle "$(store_of "$1")"
}
# CVE-2025-4953
@test "row 67: bind of the context: read-only, or writes thrown away; no trace (root)" { need_root; bind_context root; }
@test "row 67: bind of the context: read-only, or writes thrown away; no trace (user)" { need_user; bind_context user; }

bind_ignored() {
	mkdir d
	echo yes >d/kept
	echo no >d/secret
	echo d/secret >.dockerignore
	[ "$1" != root ] || chown 1234:1234 d/kept
	build "$1" <<'E'
FROM localhost/bb
RUN --mount=target=/c [ "$(ls /c/d)" = kept ] && [ "$(stat -c %u:%g /c/d/kept)" = 0:0 ]
RUN --mount=target=/c,source=d/kept [ "$(cat /c)" = yes ]
E
	refused "$1" 3 "Buildfile:2:" <<<$'FROM localhost/bb\nRUN --mount=target=/c,source=d/secret true'
	grep -q "left out by .dockerignore" <<<"$OUTPUT"
}
@test "bind of the context: what is ignored does not exist, all belongs to 0:0 (root)" { need_root; bind_ignored root; }
@test "bind of the context: what is ignored does not exist, all belongs to 0:0 (user)" { need_user; bind_ignored user; }

bind_from() {
	build "$1" <<'E'
FROM localhost/bb AS one
RUN mkdir -p /data/sub && echo text >/data/sub/file && ln -s /data /way && ln -s /etc /host && rm -r /root
FROM localhost/bb
ENV S=sub
RUN --mount=from=one,source=/data,target=/in cat /in/$S/file >/out && ! touch /in/x
RUN --mount=from=0,source=way/$S/file,target=/in cat /in >/out2
RUN --mount=from=one,target=/in [ ! -e /in/root ] && [ -e /in/bin/busybox ]
RUN --mount=from=one,source=/data,target=/in,rw echo more >>/in/sub/file && [ "$(wc -l </in/sub/file)" = 2 ] && touch /in/new
RUN --mount=from=one,source=/data,target=/in [ "$(wc -l </in/sub/file)" = 1 ] && [ ! -e /in/new ]
RUN --mount=from=localhost/bb,source=etc/passwd,target=/in,rw echo >>/in; grep -q alice /in
RUN --mount=from=one,source=host,target=/in [ "$(cat /in/group)" = "$(cat /etc/group)" ]
E
	exported "$1"
	same "$(names 2)$(names 3)" "out out2 "
	same "$(content 2 out)$(content 3 out2)" texttext
	local i
	for i in 4 5 6 7 8; do same "$(names $i)" ""; done
	assert_store_idle "$(store_of "$1")"
	refused "$1" 3 "'/no/such' is not in 'one'" <<<$'FROM localhost/bb AS one\nFROM localhost/bb\nRUN --mount=from=one,source=/no/such,target=/x true'
	refused "$1" 3 "that stage must stand before" <<<$'FROM localhost/bb AS a\nRUN --mount=from=late,target=/x true\nFROM localhost/bb AS late\nFROM a'
}
@test "row 67: bind from stages and images, by name, number and through links; writes are thrown away (root)" { need_root; bind_from root; }
@test "row 67: bind from stages and images, by name, number and through links; writes are thrown away (user)" { need_user; bind_from user; }

@test "bind and cache from a named context" {
	need_root
	mkdir "$T/named"
	echo text >"$T/named/file"
	build root --no-cache --build-context "other=$T/named" --build-context base=docker-image://localhost/bb <<'E'
FROM base
RUN --mount=from=other,target=/m [ "$(ls /m)" = file ] && ! touch /m/x
RUN --mount=from=other,source=file,target=/m,rw echo >>/m
RUN --mount=type=cache,from=other,target=/m [ "$(cat /m/file)" = text ] && rm /m/file
RUN --mount=from=base,source=etc,target=/m [ -e /m/passwd ]
E
	same "$(cat "$T/named/file")" text
	rm -r "$T/named"
}

@test "a step waits for all stages that its mounts are from" {
	need_root
	build root --no-cache <<'E'
FROM localhost/bb AS one
RUN sleep 0.7 && echo 1 >/f
FROM localhost/bb AS two
RUN sleep 1 && echo 2 >/f
FROM localhost/bb
RUN true
RUN --mount=from=one,target=/1 --mount=type=cache,from=two,target=/2,sharing=locked [ "$(cat /1/f /2/f | tr '\n' ' ')" = "1 2 " ]
FROM localhost/bb
RUN --mount=from=2,target=/m --mount=from=one,target=/1 --mount=from=two,target=/2 [ "$(cat /1/f /2/f | tr '\n' ' ')" = "1 2 " ]
E
}

@test "a bind's content, not its times, is in the key" {
	need_root
	echo a >file
	echo x >other
	printf 'FROM localhost/bb AS one\nCOPY other /o\nFROM localhost/bb\nRUN --mount=source=file,target=/f cat /f\nRUN --mount=from=one,source=/o,target=/f cat /f\n' >Buildfile
	build root </dev/null
	touch -d @1 file other
	build root </dev/null
	same "$(cached)" 3
	echo b >file
	build root </dev/null
	same "$(cached)" 1
	echo y >other
	build root </dev/null
	same "$(cached)" 1
}

# ---- targets ----

targets() {
	build "$1" <<'E'
FROM localhost/bb
RUN mkdir -p /real /l && ln -s ../real /l/ink && touch -d @1000000000 /l /real /etc
RUN --mount=type=tmpfs,target=/l/ink/new touch /real/new/x && mount | grep -q ' /real/new '
RUN --mount=type=tmpfs,target=/etc/some/where/deep --mount=type=tmpfs,target=/etc/some/where/deep/er/still true
RUN --mount=type=secret,id=s,target=/nest/in/a/secret --mount=type=tmpfs,target=/nest grep -q x /nest/in/a/secret
RUN --mount=type=tmpfs,target=/a/b/c touch /a/mine
E
	exported "$1"
	same "$(names 3)$(names 4)$(names 5)" ""
	same "$(names 6)" "a/ a/mine "
	same "$(as "$1" imgrun --rm test stat -c %Y /l /real /etc | tr '\n' ' ')" "1000000000 1000000000 1000000000 "
}
@test "targets: links, missing parents, one in another; parents keep their times (root)" { need_root; echo x >"$T/s"; targets_with root; }
@test "targets: links, missing parents, one in another; parents keep their times (user)" { need_user; echo x >"$T/s"; targets_with user; }
targets_with() {
	local real
	real=$(declare -f build)
	eval "plain_${real}"
	build() { plain_build "$@" --secret "id=s,src=$T/s"; }
	targets "$1"
}

@test "targets that are refused" {
	need_root
	local target
	for target in / . /../ /proc /proc/sys /sys/fs; do
		refused root 3 "Buildfile:2:" <<<$'FROM localhost/bb\nRUN --mount=type=tmpfs,target='"$target true"
		grep -q "nothing can be mounted" <<<"$OUTPUT"
	done
	refused root 3 "is a directory, its source is none" --secret id=s,env=HOME <<<$'FROM localhost/bb\nRUN --mount=type=secret,id=s,target=/etc true'
	refused root 3 "is not a directory" <<<$'FROM localhost/bb\nRUN --mount=type=tmpfs,target=/etc/passwd true'
}

tmpfs_mount() {
	build "$1" <<'E'
FROM localhost/bb
RUN --mount=type=tmpfs,target=/t,size=1m [ "$(stat -c %a /t)" = 1777 ] && echo kept >/t/x && ! dd if=/dev/zero of=/t/big bs=1M count=2 2>/dev/null
E
	exported "$1"
	same "$(names 2)" ""
}
@test "tmpfs, with a size (root)" { need_root; tmpfs_mount root; }
@test "tmpfs, with a size (user)" { need_user; tmpfs_mount user; }

# ---- cache ----

cache() {
	build "$1" --no-cache <<'E'
FROM localhost/bb AS seed
RUN mkdir -p /s/d && echo seeded >/s/d/f && chmod 750 /s
FROM localhost/bb
RUN --mount=type=cache,target=/c echo a >>/c/n && [ "$(stat -c '%a %u:%g' /c)" = "755 0:0" ]
RUN --mount=type=cache,target=/c/ echo b >>/c/n
RUN --mount=type=cache,id=/c,target=/elsewhere,ro [ "$(cat /elsewhere/n | tr '\n' ' ')" = "a b " ] && ! touch /elsewhere/x
RUN --mount=type=cache,target=/c,id=other [ -z "$(ls /c)" ]
RUN --mount=type=cache,target=/m,mode=0700,uid=7,gid=8 [ "$(stat -c '%a %u:%g' /m)" = "700 7:8" ]
RUN --mount=type=cache,target=/q,from=seed,source=/s [ "$(cat /q/d/f)" = seeded ] && [ "$(stat -c %a /q)" = 750 ] && echo changed >/q/d/f
RUN --mount=type=cache,target=/q,from=seed,source=/s [ "$(cat /q/d/f)" = changed ]
RUN --mount=type=cache,target=/x,id=twice --mount=type=cache,target=/y,id=twice,sharing=locked echo 1 >/x/1 && cat /y/1
E
	exported "$1"
	local i
	for i in 2 3 4 5 6 7 8 9; do same "$(names $i)" ""; done
	assert_store_idle "$(store_of "$1")"
	# another name space has other caches
	printf 'FROM localhost/bb\nRUN --mount=type=cache,target=/c [ -z "$(ls /c)" ]\n' |
		build "$1" --no-cache --build-arg BUILDKIT_CACHE_MOUNT_NS=mine
	# prune removes them
	printf 'FROM localhost/bb\nRUN --mount=type=cache,target=/c [ -z "$(ls /c)" ]\n' >Buildfile
	! build "$1" --no-cache </dev/null || return 1
	as "$1" imgstore prune
	build "$1" --no-cache </dev/null
}
@test "cache: kept, shared by id, seeded, owned; in no layer; pruned (root)" { need_root; cache root; }
@test "cache: kept, shared by id, seeded, owned; in no layer; pruned (user)" { need_user; cache user; }

@test "cache: locked ones wait, private ones do not, prune leaves what is used" {
	need_root
	as root imgstore prune >/dev/null
	mkdir a
	printf 'FROM localhost/bb\nARG N\nRUN --mount=type=cache,target=/c,sharing=locked [ ! -e /c/busy ] && touch /c/busy && sleep 1 && rm /c/busy\n' >Buildfile
	printf 'FROM localhost/bb\nARG N\nRUN --mount=type=cache,target=/p,sharing=private [ ! -e /p/busy ] && touch /p/busy && sleep 2 && rm /p/busy\n' >a/Buildfile
	as root imgbuild --build-arg N=1 . >/dev/null 2>"$T/1" 3>&- & local one=$!
	as root imgbuild --build-arg N=2 . >/dev/null 2>"$T/2" 3>&- & local two=$!
	as root imgbuild --build-arg N=1 a >/dev/null 2>"$T/3" 3>&- & local three=$!
	as root imgbuild --build-arg N=2 a >/dev/null 2>"$T/4" 3>&- & local four=$!
	sleep 0.7
	as root imgstore prune >/dev/null
	[ -n "$(ls "$ROOT_STORE/cache-mounts")" ]
	wait "$one" "$two"
	wait "$three"
	wait "$four"
	same "$(ls "$ROOT_STORE/cache-mounts" | grep -c -- '-1$')" 1
	as root imgstore prune >/dev/null
	same "$(ls "$ROOT_STORE/cache-mounts")" ""
}

@test "cache: a build that waits for a locked one can be interrupted" {
	need_root
	printf 'FROM localhost/bb\nARG N\nRUN --mount=type=cache,target=/l,sharing=locked sleep 3\n' >Buildfile
	as root imgbuild --build-arg N=1 . >/dev/null 2>&1 3>&- & local one=$!
	sleep 0.5
	IMGBUILD_ROOT=$ROOT_STORE imgbuild --build-arg N=2 . >/dev/null 2>"$T/waits" 3>&- & local two=$!
	sleep 0.5
	kill -TERM "$two"
	status=0
	wait "$two" || status=$?
	same "$status" 130
	wait "$one"
}

# CVE-2024-9675: an id is no path
hostile_ids() {
	local id
	for id in ../../../.. /etc /../.. . .. a/../../b "$(head -c 4000 /dev/zero | tr '\0' x)"; do
		printf 'FROM localhost/bb\nRUN --mount=type=cache,id=%s,target=/c [ -z "$(ls -A /c)" ] && touch /c/mine\n' "$id" |
			build "$1" --no-cache
	done
	refused "$1" 3 "only together with 'from'" <<<$'FROM localhost/bb\nRUN --mount=type=cache,source=../..,target=/c true'
	# CVE-2024-9407: no option goes to mount(2) as it is
	refused "$1" 3 "unknown mount option 'bind-propagation'" <<<$'FROM localhost/bb\nRUN --mount=target=/c,bind-propagation=shared,exec true'
	as "$1" imgstore prune >/dev/null
}
@test "cache ids that look like paths lead nowhere (root)" { need_root; hostile_ids root; }
@test "cache ids that look like paths lead nowhere (user)" { need_user; hostile_ids user; }

# CVE-2024-1753, CVE-2018-15664: the links of a stage end in the stage
@test "a source that is a link to the host's root shows the stage's" {
	need_root
	touch "$T/on-the-host"
	build root <<E
FROM localhost/bb AS evil
RUN ln -s / /up && ln -s /../../../.. /far && ln -s $T /there && ln -s /proc/1/root /magic && mkdir -p $T && touch $T/in-the-stage
FROM localhost/bb
RUN --mount=from=evil,source=/up,target=/m,rw [ -e /m$T/in-the-stage ] && [ ! -e /m$T/on-the-host ] && rm -r /m$T
RUN --mount=from=evil,source=/far,target=/m,rw [ -e /m$T/in-the-stage ] && [ ! -e /m$T/on-the-host ]
RUN --mount=from=evil,source=/there,target=/m,rw [ "\$(ls /m)" = in-the-stage ]
RUN --mount=type=cache,target=/m,from=evil,source=/there [ "\$(ls /m)" = in-the-stage ]
E
	refused root 3 "is not in 'evil'" <<<$'FROM localhost/bb AS evil\nRUN ln -s /proc/1/root /magic\nFROM localhost/bb\nRUN --mount=from=evil,source=/magic,target=/m true'
	# and those of the context in the context
	ln -s / up
	ln -s "$T" there
	build root <<'E'
FROM localhost/bb
RUN --mount=source=up,target=/m,rw [ -e /m/Buildfile ] && rm /m/Buildfile
E
	[ -e Buildfile ]
	refused root 3 "'there' is not in the context" <<<$'FROM localhost/bb\nRUN --mount=source=there,target=/m true'
}

# GHSA-5vpc-35f4-r8w6, CVE-2024-23651: a source that is exchanged under way never leads out
@test "a source in the context that is exchanged all the time never shows the host" {
	need_root
	mkdir sub evil "$T/host"
	echo inside >sub/file
	echo outside >"$T/host/file"
	ln -s "$T/host" link
	python3 - "$PWD" <<'E' 3>&- &
import ctypes, os, sys, time
os.chdir(sys.argv[1]); libc = ctypes.CDLL(None); end = time.time() + 5
while time.time() < end:
    libc.renameat2(-100, b"sub", -100, b"link", 2)
E
	local racer=$! i seen=0
	printf 'FROM localhost/bb\nRUN --mount=source=sub,target=/m [ "$(cat /m/file)" = inside ]\n' >Buildfile
	for i in $(seq 20); do
		if build root --no-cache </dev/null; then seen=$((seen + 1)); fi
		not grep -q outside <<<"$OUTPUT"
		[ "$status" = 0 ] || [ "$status" = 3 ] || [ "$status" = 5 ]
	done
	kill "$racer" || true
	wait "$racer" || true
	echo "$seen of 20 saw the file"
	assert_store_idle "$ROOT_STORE"
}

# CVE-2024-23652: nothing is cleaned up by path after a step
@test "a step that replaces the parent of a mount point removes nothing elsewhere" {
	need_root
	mkdir -p "$T/victim"
	touch "$T/victim/file"
	build root <<E
FROM localhost/bb
RUN --mount=type=tmpfs,target=/p/victim mv /p /p2 2>/dev/null; ln -s $T /p3; rm -rf /p2; true
E
	[ -e "$T/victim/file" ]
}

# ---- secrets ----

# of 26 characters, and another one than that of a suite that runs beside this one
SECRET=known-secret-$(printf %013d "$$$RANDOM")

# the secret is nowhere: store, image, messages, processes
nowhere() {
	local store left
	store=$(store_of "$1")
	! grep -q "$SECRET" <<<"$OUTPUT" || { echo "in the messages"; return 1; }
	left=$(in_store "$1" grep -rlF "$SECRET" "$store") || [ $? = 1 ]
	[ -z "$left" ] || { echo "in $left"; return 1; }
	# beside the store: temporary files, shared memory, the user's own directories
	left=$(grep -rlF "$SECRET" "$T" /dev/shm "$(user_home)" "$(user_runtime)" 2>/dev/null |
		grep -vE "^$T/(sec/file|sec-file|ctx\.)" || true)
	[ -z "$left" ] || { echo "in $left"; return 1; }
}

secrets() {
	mkdir -p "$T/sec"
	printf %s "$SECRET" >"$T/sec/file"
	chmod 644 "$T/sec/file"
	EXTRA_ENV="TOKEN=$SECRET" TOKEN=$SECRET build "$1" --secret "id=f,src=$T/sec/file" --secret id=TOKEN --secret type=env,id=e,src=TOKEN <<'E'
FROM localhost/bb
RUN --mount=type=secret,id=f [ "$(wc -c </run/secrets/f)" = 26 ] && [ "$(stat -c '%a %u:%g' /run/secrets/f)" = "400 0:0" ] && ! echo >/run/secrets/f
RUN --mount=type=secret,id=f,target=sub/x,mode=0440,uid=5,gid=6 [ "$(stat -c '%a %u:%g' /sub/x)" = "440 5:6" ] && grep ' /sub/x ' /proc/self/mountinfo | grep -q ' - tmpfs '
RUN --mount=type=secret,id=TOKEN,env=T --mount=type=secret,id=e,env=TOKEN2,target=/s [ ${#T} = 26 ] && [ "$T" = "$TOKEN2" ] && [ "$T" = "$(cat /s)" ] && [ ! -e /run/secrets/TOKEN ] && [ -z "$TOKEN" ]
RUN --mount=type=secret,id=missing [ ! -e /run/secrets/missing ] && [ ! -e /run/secrets/f ]
USER alice
RUN --mount=type=secret,target=/k/f,uid=1000 cat /k/f >/dev/null
E
	exported "$1"
	local i
	for i in 2 3 4 5 6; do
		same "$(names $i)" ""
		not grep -qF "$SECRET" "${LAYERS[$((i - 1))]}"
	done
	not grep -qF "$SECRET" "$CONFIG"
	as "$1" imgstore history --no-trunc test >"$T/told"
	as "$1" imgstore inspect test >>"$T/told"
	not grep -F "$SECRET" "$T/told"
	# the database and its log were among what is looked through
	[ -s "$(store_of "$1")/store.db" ]
	nowhere "$1"
	# another value is no other step
	printf %s other >"$T/sec/file"
	build "$1" --secret "id=f,src=$T/sec/file" --secret "id=TOKEN,src=$T/sec/file" --secret "id=e,src=$T/sec/file" </dev/null
	same "$(cached)" 5
	assert_store_idle "$(store_of "$1")"
}
@test "secrets: files and variables, and no trace of them (root)" { need_root; secrets root; }
@test "secrets: files and variables, and no trace of them (user)" { need_user; secrets user; }

# shown: the processes, but for the step's own, that show the secret
shown() {
	python3 - "$SECRET" <<-'E'
		import os, sys
		secret = sys.argv[1].encode()
		for pid in filter(str.isdigit, os.listdir('/proc')):
		    try:
		        if int(pid) == os.getpid() or os.readlink(f'/proc/{pid}/ns/pid') != os.readlink('/proc/self/ns/pid'):
		            continue
		        for what in ('cmdline', 'environ', 'comm'):
		            if secret in open(f'/proc/{pid}/{what}', 'rb').read():
		                print(what, 'of', open(f'/proc/{pid}/comm').read().strip())
		    except OSError:
		        pass # it has ended
	E
}
# start WHO OPTION…: a build that waits in its step, as $JOB; $BUILDER is imgbuild itself
start() {
	local who=$1 i mark=started-$RANDOM
	shift
	printf 'FROM localhost/bb\nRUN --mount=type=secret,id=f --mount=type=secret,id=TOKEN,env=V touch /%s; sleep 20\n' "$mark" >Buildfile
	if [ "$who" = user ] && is_root; then chown -R "$TEST_USER:" .; fi
	(
		ulimit -c unlimited 2>/dev/null || true
		case $who in
		root) TOKEN=$SECRET as root imgbuild --no-cache "$@" . ;;
		user) EXTRA_ENV="TOKEN=$SECRET" as_user imgbuild --no-cache "$@" . ;;
		esac >/dev/null 2>"$T/log"
	) 3>&- &
	JOB=$!
	for i in $(seq 100); do
		[ -z "$(find "$(store_of "$who")/tmp" -name "$mark" 2>/dev/null)" ] || break
		sleep 0.1
	done
	BUILDER=$(ps -eo pid,comm,args | awk -v f="id=f,src=$T/sec-file" '$2 == "imgbuild" && index($0, f) { print $1 }')
	[ -n "$BUILDER" ]
}
secret_processes() {
	printf %s "$SECRET" >"$T/sec-file"
	chmod 644 "$T/sec-file"
	start "$1" --secret "id=f,src=$T/sec-file" --secret id=TOKEN --secret type=env,id=again,src=TOKEN
	same "$(shown)" ""
	# nor is it in what is left of one that crashes
	kill -SEGV "$BUILDER"
	status=0
	wait "$JOB" || status=$?
	same "$status" 139
	same "$(find . "$T/user" -name 'core*')" ""
	OUTPUT=$(cat "$T/log")
	nowhere "$1"
	# the next build sweeps what is left, and there is no secret in the remains of one that was killed
	start "$1" --secret "id=f,src=$T/sec-file" --secret id=TOKEN
	kill -KILL "$BUILDER"
	status=0
	wait "$JOB" || status=$?
	same "$status" 137
	nowhere "$1"
	build "$1" <<<'FROM localhost/bb'
	nowhere "$1"
	assert_store_idle "$(store_of "$1")"
}
@test "secrets: in no process but the step, in no core file, in no remains (root)" { need_root; secret_processes root; }
@test "secrets: in no process but the step, in no core file, in no remains (user)" { need_user; secret_processes user; }

secret_failure() {
	printf %s "$SECRET" >"$T/sec-file"
	chmod 644 "$T/sec-file"
	refused "$1" 1 "exit status 3" --secret "id=f,src=$T/sec-file" <<<$'FROM localhost/bb\nRUN --mount=type=secret,id=f --mount=type=secret,id=f,env=F cat /run/secrets/f >/dev/null; echo -n; exit 3'
	nowhere "$1"
	# stopped in the middle; while it runs no process shows it
	printf 'FROM localhost/bb\nRUN --mount=type=secret,id=f --mount=type=secret,id=f,env=F touch /started; sleep 30\n' >Buildfile
	if [ "$1" = user ] && is_root; then chown -R "$TEST_USER:" .; fi
	as "$1" imgbuild --secret "id=f,src=$T/sec-file" . >/dev/null 2>"$T/log" 3>&- &
	local job=$! pid
	for i in $(seq 50); do
		[ -z "$(find "$(store_of "$1")/tmp" -name started 2>/dev/null)" ] || break
		sleep 0.1
	done
	ps -eo args >"$T/args"
	cat /proc/[0-9]*/cmdline >>"$T/args" 2>/dev/null || true # some have ended
	grep -aq imgbuild "$T/args"
	not grep -aF "$SECRET" "$T/args"
	pid=$(ps -eo pid,ppid,args | awk -v f="id=f,src=$T/sec-file" '$3 ~ /imgbuild$/ && index($0, f) { print $1 }' | tail -1)
	kill -INT "$pid"
	status=0
	wait "$job" || status=$?
	same "$status" 130
	OUTPUT=$(cat "$T/log")
	nowhere "$1"
	assert_store_idle "$(store_of "$1")"
}
@test "secrets: no trace after a failure and an interrupt (root)" { need_root; secret_failure root; }
@test "secrets: no trace after a failure and an interrupt (user)" { need_user; secret_failure user; }

@test "secrets and agents that are wrong" {
	need_root
	refused root 3 "the secret 'needed' is required and was not given" <<<$'FROM localhost/bb\nRUN --mount=type=secret,id=needed,required true'
	refused root 3 "the SSH agent 'default' is required" <<<$'FROM localhost/bb\nRUN --mount=type=ssh,required=true true'
	refused root 2 "needs 'id=NAME'" --secret src=/etc/passwd <<<'FROM localhost/bb'
	refused root 2 "'what' is not one of" --secret id=a,what=1 <<<'FROM localhost/bb'
	refused root 2 "is given twice" --secret id=a,env=HOME --secret id=a,env=HOME <<<'FROM localhost/bb'
	refused root 2 "the variable 'NOT_THERE' is not set" --secret id=a,env=NOT_THERE <<<'FROM localhost/bb'
	refused root 5 "/no/such" --secret id=a,src=/no/such <<<'FROM localhost/bb'
	refused root 2 "larger than" --secret id=a,src=/dev/zero <<<'FROM localhost/bb'
	SSH_AUTH_SOCK= refused root 2 "SSH_AUTH_SOCK is not set" --ssh default <<<'FROM localhost/bb'
	touch key
	refused root 2 "is not the socket of an agent" --ssh "default=$PWD/key" <<<'FROM localhost/bb'
	grep -q "ssh-add $PWD/key" <<<"$OUTPUT"
	refused root 2 "--allow is" --allow everything <<<'FROM localhost/bb'
}

# ---- ssh ----

# a real agent with a key, and its client with all it needs as a part of the context
ssh_agent() {
	command -v ssh-agent >/dev/null || skip "ssh-agent is not installed"
	local dir=$T/agent-$1 key agent lib
	dir=$dir/$(head -c 120 /dev/zero | tr '\0' d)
	mkdir -p "$dir"
	chmod 777 "$dir"
	ssh-keygen -q -t ed25519 -N '' -C the-key -f "$CTX/key"
	key=$(ssh-keygen -lf "$CTX/key" | cut -d' ' -f2)
	if [ "$1" = user ] && is_root; then chown -R "$TEST_USER:" "$CTX"; fi
	cd "$dir"
	as "$1" ssh-agent -D -a s >/dev/null 2>&1 3>&- &
	agent=$!
	AGENT=$agent
	# the socket is there before somebody listens to it; without a key the answer is status 1
	for _ in $(seq 50); do
		status=0
		EXTRA_ENV="SSH_AUTH_SOCK=s" SSH_AUTH_SOCK=s as "$1" ssh-add -l >/dev/null 2>&1 || status=$?
		[ "$status" = 2 ] || break
		sleep 0.1
	done
	EXTRA_ENV="SSH_AUTH_SOCK=s" SSH_AUTH_SOCK=s as "$1" ssh-add -q "$CTX/key"
	cd "$CTX"
	SECRET=$(sed -n 3p key)
	[ -n "$SECRET" ]
	rm key
	mkdir -p tools/lib
	cp "$(command -v ssh-add)" tools/
	for lib in $(ldd tools/ssh-add | grep -o '/[^ ]*'); do cp "$lib" tools/lib/; done
	ssh_builds "$1" "$dir/s" "$key"
	pkill_child "$agent"
	AGENT=
}
# one that is left by a test that failed would be waited for
teardown() { [ -z "${AGENT-}" ] || pkill_child "$AGENT"; }
# the agent itself, or what runs it
pkill_child() {
	local pid
	for pid in $(ps -o pid= --ppid "$1") "$1"; do kill "$pid" 2>/dev/null || true; done
	wait "$1" || true
}
ssh_builds() {
	local client='/tools/lib/ld-linux* --library-path /tools/lib /tools/ssh-add -l'
	cat >Buildfile <<E
FROM localhost/bb
RUN --mount=type=ssh --mount=target=/tools,source=tools [ "\$SSH_AUTH_SOCK" = /run/buildkit/ssh_agent.0 ] && [ "\$(stat -c '%F %a %u:%g' "\$SSH_AUTH_SOCK")" = "socket 600 0:0" ] && $client | grep -qF "$3 the-key"
USER alice
RUN --mount=type=ssh,id=two,target=/a,mode=0600,uid=1000,gid=4 --mount=target=/tools,source=tools for i in 1 2 3 4 5; do $client | grep -qF "$3 the-key" || exit 1; done
RUN --mount=type=ssh,id=absent [ -z "\$SSH_AUTH_SOCK" ] && [ ! -e /run/buildkit ]
E
	build "$1" --no-cache --ssh "default=$2" --ssh "two=$2" </dev/null
	exported "$1"
	same "$(names 2)$(names 3)$(names 4)" ""
	assert_store_idle "$(store_of "$1")"
	# neither the key nor where the agent is
	not grep -qF "$2" "$CONFIG" "${LAYERS[@]:1}"
	nowhere "$1"
	not build "$1" --no-cache --ssh "default=$2" <<<$'FROM localhost/bb\nRUN --mount=type=ssh --mount=target=/tools,source=tools '"${client/ -l/ -L}"' && exit 3'
	[[ $OUTPUT == *"exit status 3"* ]]
	nowhere "$1"
}
@test "ssh: the agent is in reach, and the socket is in no layer (root)" { need_root; ssh_agent root; }
@test "ssh: the agent is in reach, and the socket is in no layer (user)" { need_user; ssh_agent user; }

# ---- scripts, security, network ----

script() {
	build "$1" <<'E'
FROM localhost/bb
RUN <<EOF
#!/bin/awk -f
BEGIN { print "by awk" > "/out" }
EOF
USER alice
RUN <<-"two"
	#!/bin/sh -eu
	[ "$0" = /dev/pipes/two ]
	[ "$(stat -c '%a %u' "$0")" = "755 0" ]
	if echo >"$0"; then exit 9; fi
two
E
	exported "$1"
	same "$(names 2)" "out "
	same "$(content 2 out)" "by awk"
	same "$(names 3)" ""
	same "$(jq -r '.history[-1].created_by' "$CONFIG")" 'RUN /bin/sh -c /dev/pipes/two # buildkit'
	sed -i 's/by awk/by hand/' Buildfile
	build "$1" </dev/null
	same "$(cached)" 0
}
@test "a script with an interpreter of its own (root)" { need_root; script root; }
@test "a script with an interpreter of its own (user)" { need_user; script user; }

insecure() {
	printf 'FROM localhost/bb\nRUN --security=insecure grep -q "^Seccomp:.*0" /proc/self/status && mkdir /m && mount -t tmpfs none /m && umount /m && rmdir /m && echo ok >/out\n' >Buildfile
	refused "$1" 3 "Buildfile:2:1: RUN: --security=insecure is not allowed" </dev/null
	grep -q "imgbuild --allow security.insecure" <<<"$OUTPUT"
	build "$1" --allow security.insecure </dev/null
	exported "$1"
	same "$(names 2)" "out "
	refused "$1" 1 "exit status" --allow security.insecure <<<$'FROM localhost/bb\nRUN --security=sandbox mkdir /m && mount -t tmpfs none /m'
}
# GHSA-7236-3392-c5c6
@test "--security=insecure needs --allow and opens the sandbox (root)" { need_root; insecure root; }
@test "--security=insecure needs --allow and opens the sandbox (user)" { need_user; insecure user; }

@test "--security=insecure as real root opens devices" {
	need_root
	build root --allow security.insecure <<'E'
FROM localhost/bb
RUN --security=insecure mknod /zero c 1 5 && head -c 3 /zero >/out && rm /zero && mknod /dev/z c 1 5 && head -c 3 /dev/z && [ -w /proc/sys/kernel/hostname ] && touch /proc/sys/kernel/hostname
E
	refused root 1 "exit status" --no-cache <<<$'FROM localhost/bb\nRUN mknod /dev/z c 1 11 && head -c 3 /dev/z'
}

@test "--network=host where the steps have none needs --allow" {
	need_root
	printf 'FROM localhost/bb\nRUN --network=host [ "$(ls /sys/class/net | wc -l)" -gt 1 ] || [ "$(ls /sys/class/net)" = lo ]\n' >Buildfile
	build root </dev/null
	refused root 3 "--network=host is not allowed" --network=none </dev/null
	build root --network=none --allow network.host </dev/null
}
