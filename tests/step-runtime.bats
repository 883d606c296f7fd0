#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# imgbuild --runtime: RUN steps by another OCI runtime come to the same layers, and are held to the same.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
	make_scratch
	import_busybox
	mkdir -p "$T/c"
	echo of-the-context >"$T/c/file"
	printf hidden-42 >"$T/secret"
	chmod -R a+rX "$T/c" "$T/secret"
}
teardown_file() { remove_scratch; }
teardown() {
	[ -z "$(find "$ROOT_STORE/tmp" "$USER_STORE/tmp" -mindepth 1 2>/dev/null)" ]
	[ -z "$(ls "$ROOT_STORE/cgroups" "$USER_STORE/cgroups" 2>/dev/null | grep -v :)" ]
}
# runtime WHO PROGRAM: skips where it does not run here
runtime() {
	need_builder "$1"
	command -v "$2" >/dev/null || skip "$2 is not installed"
	[[ "$(as "$1" imgrun --rm --runtime "$2" localhost/bb true 2>&1)" != *"hybrid mode not supported"* ]] ||
		skip "$2: cgroups in hybrid mode not supported"
}
buildfile() { cat >"$T/$1"; chmod a+r "$T/$1"; }
# build WHO OPTIONS…
build() {
	local who=$1
	shift
	as "$who" imgbuild --no-cache "$@" "$T/c"
}

same_layers() { # WHO RUNTIME
	runtime "$@"
	buildfile same <<'E'
FROM localhost/bb AS other
RUN mkdir /o && ln -s d /o/l && mkdir /o/d && echo of-other >/o/d/f
FROM localhost/bb
WORKDIR /made
RUN echo $HOME $PWD && id && mkdir -p a/b && echo hi >a/b/f && chown 1000:1001 a/b/f && ln -s f a/b/l && ln a/b/f a/b/h && rm -rf /etc/group
RUN cat /etc/hosts /etc/resolv.conf >/dev/null && rm -rf /etc/hosts && mkfifo /p && chmod 4755 /bin/busybox && rm -rf /tmp/*
RUN --mount=type=secret,id=s,target=/x/y test "$(md5sum </x/y)" = "f07996af9a172e70ff4080200f9ecd92  -" && ! touch /x/y
RUN --mount=type=secret,id=s,env=SECRET test "$(echo "$SECRET" | wc -c)" = 10
RUN --mount=type=cache,target=/c echo once >>/c/f
RUN --mount=type=cache,target=/c test "$(head -1 /c/f)" = once
RUN --mount=type=bind,target=/ctx,rw test "$(cat /ctx/file)" = of-the-context && echo changed >/ctx/file
RUN --mount=type=bind,target=/ctx test "$(cat /ctx/file)" = of-the-context && ! touch /ctx/new
RUN --mount=type=bind,from=other,source=/o/l,target=/o test "$(cat /o/f)" = of-other && cp /o/f /copied
RUN --mount=type=tmpfs,target=/t,size=1m test "$(df -k /t | tail -1 | awk '{print $2}')" = 1024 && echo x >/t/x
RUN --mount=type=ssh,mode=666 test -S $SSH_AUTH_SOCK
RUN --network=none test "$(ls /sys/class/net)" = lo
RUN <<X
#!/bin/sh
echo from $0 >/script
X
USER alice
RUN id -u >/tmp/mine && ! touch /root-only
E
	local options=(-f "$T/same" --secret "id=s,src=$T/secret" --ssh default)
	export SOURCE_DATE_EPOCH=1700000000
	eval "$(ssh-agent)" >/dev/null
	if [ "$1" = user ]; then
		kill "$SSH_AGENT_PID"
		SSH_AUTH_SOCK=$T/user/agent
		as user sh -c 'echo $$ >"$0"; exec ssh-agent -D -a "$1"' "$T/user/agent.pid" "$SSH_AUTH_SOCK" >/dev/null 3>&- &
		until [ -S "$SSH_AUTH_SOCK" ]; do sleep 0.05; done
		SSH_AGENT_PID=$(cat "$T/user/agent.pid")
	fi
	export EXTRA_ENV=SSH_AUTH_SOCK=$SSH_AUTH_SOCK
	local ours theirs how=0
	ours=$(build "$1" "${options[@]}" 2>"$T/said.ours") && theirs=$(build "$1" "${options[@]}" --runtime "$2" 2>"$T/said") || how=$?
	kill "$SSH_AGENT_PID"
	[ "$how" = 0 ] || { cat "$T/said.ours" "$T/said"; return 1; }
	echo "$ours $theirs"
	[ -n "$ours" ]
	[ "$ours" = "$theirs" ]
	[ "$(cat "$T/c/file")" = of-the-context ]
	not grep -rlF hidden-42 "$(store_of "$1")"
}
@test "root: runc makes the same image" { same_layers root runc; }
@test "user: runc makes the same image" { same_layers user runc; }
@test "root: crun makes the same image" { same_layers root crun; }

@test "root: nodes are made by runc, and not opened" {
	runtime root runc
	buildfile dev <<'E'
FROM localhost/bb
RUN mknod /null c 1 3 && mknod /loop b 7 0 && chmod 600 /loop && ! dd if=/loop of=/x bs=1 count=1 2>/dev/null
E
	export SOURCE_DATE_EPOCH=1700000000
	[ "$(build root -q -f "$T/dev")" = "$(build root -q -f "$T/dev" --runtime runc)" ]
}

rights() { # WHO RUNTIME
	runtime "$@"
	buildfile rights <<'E'
FROM localhost/bb
RUN exec 2>&1; grep -E '^(CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status; cat /proc/self/mountinfo | grep -c store; ls /proc/1/fd 2>/dev/null | head -3; echo first $$; ls -d /proc/acpi/* /proc/sys/kernel/hostname; echo x >/proc/sys/kernel/hostname; env | sort; ulimit -n
E
	local options n=0
	# the filter by which a user's devices are recorded stays where there is no other
	local unconfined=--security-opt=seccomp=unconfined
	[ "$1" = root ] || unconfined=--cap-drop=ALL
	for options in "" "--cap-drop=CHOWN --cap-add=SYS_PTRACE" "--security-opt=no-new-privileges" "$unconfined" "--ulimit=nofile=77"; do
		build "$1" $options -f "$T/rights" 2>&1 | grep '^#2 [0-9]*\.[0-9]' | cut -d' ' -f3- | sort >"$T/ours"
		build "$1" $options --runtime "$2" -f "$T/rights" 2>&1 | grep '^#2 [0-9]*\.[0-9]' | cut -d' ' -f3- | sort >"$T/theirs"
		grep -q CapBnd "$T/ours"
		diff -u "$T/ours" "$T/theirs"
		n=$((n + 1))
	done
	[ $n = 5 ]
}
@test "root: a step by runc has the rights of ours" { rights root runc; }
@test "user: a step by runc has the rights of ours" { rights user runc; }

@test "root: --security=insecure by runc" {
	runtime root runc
	buildfile insecure <<'E'
FROM localhost/bb
RUN --security=insecure grep CapEff /proc/self/status && mknod /dev/l b 7 0 && { dd if=/dev/l of=/dev/null bs=1 count=1 2>&1 | grep -v permitted; } && mkdir /m && mount -t tmpfs x /m && umount /m && rmdir /m
E
	build root --allow security.insecure -f "$T/insecure" 2>&1 | grep CapEff: | cut -d' ' -f3- | sort >"$T/ours"
	build root --allow security.insecure -f "$T/insecure" --runtime runc >"$T/said" 2>&1
	diff -u "$T/ours" <(grep CapEff: "$T/said" | cut -d' ' -f3- | sort)
}

@test "root: a failing step by runc says how and where" {
	runtime root runc
	buildfile fails <<'E'
FROM localhost/bb
RUN echo out; echo why >&2; exit 6
E
	run build root -f "$T/fails" --runtime runc
	echo "$output"
	[ "$status" = 1 ]
	[[ "$output" == *"fails:2:1: RUN echo out; echo why >&2; exit 6: exit status 6"* ]]
	[[ "$output" == *why* ]]
	buildfile absent <<'E'
FROM localhost/bb
RUN ["/no/such/program"]
E
	run build root -f "$T/absent" --runtime runc
	echo "$output"
	[ "$status" = 1 ]
	[[ "$output" == *"absent:2:1: RUN"* ]]
	[[ "$output" == *"/no/such/program"* ]]
}

@test "root: limits of a step by runc" {
	runtime root runc
	rmdir "$(mkdir -p "/sys/fs/cgroup/pids/${T##*/}" 2>/dev/null && echo "/sys/fs/cgroup/pids/${T##*/}")" 2>/dev/null || skip "no pids controller of version 1"
	buildfile hog <<'E'
FROM localhost/bb
RUN dd if=/dev/zero of=/dev/null bs=64M count=1
E
	build root -f "$T/hog" --runtime runc
	run build root -f "$T/hog" --runtime runc -m 16m
	echo "$output"
	[ "$status" = 1 ]
	[[ "$output" == *"exit status 137"* ]]
	buildfile bomb <<'E'
FROM localhost/bb
RUN for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done; wait; true
E
	run build root -f "$T/bomb" --runtime runc --pids-limit 5
	echo "$output"
	[ "$status" = 1 ]
	[[ "$output" == *"can't fork"* ]]
	buildfile spin <<'E'
FROM localhost/bb
RUN timeout 2 sh -c 'while :; do :; done'; awk '{print "used", $14 + $16, $15 + $17}' /proc/self/stat; awk '$1 == "nr_throttled" {print}' /dev/null; true
E
	build root -f "$T/spin" --runtime runc --cpu-period 100000 --cpu-quota 20000
}
@test "user: limits that a user cannot give are refused with runc, too" {
	runtime user runc
	buildfile one <<'E'
FROM localhost/bb
RUN true
E
	run build user -f "$T/one" --runtime runc -m 16m
	echo "$output"
	[ "$status" = 5 ]
	[[ "$output" == *"limit of memory"* ]]
}

parallel() { # WHO RUNTIME
	runtime "$@"
	buildfile parallel <<'E'
FROM localhost/bb AS a
RUN sleep 1; echo a >/a
FROM localhost/bb AS b
RUN sleep 1; echo b >/b
FROM localhost/bb AS c
RUN sleep 1; echo c >/c
FROM localhost/bb
COPY --from=a /a /
COPY --from=b /b /
COPY --from=c /c /
RUN cat /a /b /c >/all
E
	export SOURCE_DATE_EPOCH=1700000000
	[ "$(build "$1" -q -f "$T/parallel")" = "$(build "$1" -q -f "$T/parallel" --runtime "$2")" ]
}
@test "root: stages at the same time by runc" { parallel root runc; }
@test "user: stages at the same time by runc" { parallel user runc; }

# two steps by one runtime are one step to the cache: who runs it leaves no trace
@test "root: the cache does not ask who ran a step" {
	runtime root runc
	buildfile cached <<'E'
FROM localhost/bb
RUN echo cached-by-either >/x
E
	as root imgbuild -f "$T/cached" --runtime runc "$T/c"
	run as root imgbuild -f "$T/cached" "$T/c"
	[[ "$output" == *CACHED* ]]
}

@test "what --runtime cannot do is refused" {
	need_user
	buildfile none <<'E'
FROM localhost/bb
RUN true
E
	refused user 5 "runtime 'no-such-runtime' is not here" imgbuild --runtime no-such-runtime -f "$T/none" "$T/c"
	refused user 5 "--runtime needs isolation 'namespaces', and here it is 'single-id'" imgbuild --isolation single-id --runtime runc -f "$T/none" "$T/c"
	echo '{"defaultAction":"SCMP_ACT_ALLOW"}' >"$T/profile"
	chmod a+r "$T/profile"
	refused user 2 "--runtime with a seccomp profile is not supported" imgbuild --security-opt "seccomp=$T/profile" --runtime runc -f "$T/none" "$T/c"
}
