#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Containers as docker's users know them: in the background, stopped, entered, committed; volumes, devices, security,
# namespaces of the host and of each other, a network of their own.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
	wait_for_others
	make_scratch
	import_busybox
}
teardown_file() { remove_scratch; }
need() { need_builder "$1"; }
# until WHO PATTERN CMD…: its output has the line, ten seconds at most
until_says() {
	local who=$1 pattern=$2 i
	shift 2
	for i in $(seq 200); do
		as "$who" "$@" 2>&1 | grep -q -- "$pattern" && return 0
		sleep 0.05
	done
	as "$who" "$@"
	return 1
}

background() {
	need "$1"
	local id
	id=$(as "$1" imgrun -d --name web --label kind=test localhost/bb sh -c 'echo out; echo err >&2; trap "echo bye; exit 7" TERM; while :; do sleep 0.1; done')
	[ ${#id} = 64 ]
	until_says "$1" '^err$' imgstore logs web
	as "$1" imgstore ps | grep -q "^${id:0:12} .* running  *web$"
	[ "$(as "$1" imgstore ps --format json | jq -r '.[0].State.Labels[0]')" = kind=test ]
	as "$1" imgstore inspect web "${id:0:12}" localhost/bb | jq -e '.[0].Name == "web" and .[0].Running and .[0] == .[1] and .[2].RepoTags == ["localhost/bb:latest"]'
	refused "$1" 3 "not in the store" imgstore inspect --platform linux/amd64 web
	refused "$1" 3 "container 'web' is running" imgstore rm web
	as "$1" imgstore stop web
	as "$1" imgstore ps | grep -q 'exited (7)  *web$'
	[ "$(as "$1" imgstore logs -f web)" = $'out\nerr\nbye' ]
	[ "$(as "$1" imgstore logs -n 1 web)" = bye ]
	[ -z "$(as "$1" imgstore logs -n 0 web)" ]
	refused "$1" 3 'is not running' imgstore kill web
	as "$1" imgstore stop web # it is
	as "$1" imgstore rm web
	assert_store_idle "$(store_of "$1")"
}
@test "root: in the background: logs, stop, ps, rm" { background root; }
@test "user: in the background: logs, stop, ps, rm" { background user; }

background_failures() {
	need "$1"
	run -127 as "$1" imgrun -d --name n1 localhost/bb nothing-of-that-name
	[ "$output" = "imgrun: execute 'nothing-of-that-name': not found in PATH" ]
	run -125 as "$1" imgrun -d localhost/nothing true
	run -125 as "$1" imgrun -d -i localhost/bb true
	[[ "$output" == *"who runs in the background reads nothing"* ]]
	[ -z "$(as "$1" imgstore ps | grep n1 || true)" ]
}
@test "root: a container that cannot begin in the background is told of" { background_failures root; }
@test "user: a container that cannot begin in the background is told of" { background_failures user; }

kills() {
	need "$1"
	as "$1" imgrun -d --rm --name k localhost/bb sleep 1000
	as "$1" imgstore kill k
	[ -z "$(as "$1" imgstore ps | grep ' k$' || true)" ]
	# one that does not care is killed after its time
	as "$1" imgrun -d --name d --stop-signal USR1 --stop-timeout 1 localhost/bb sh -c 'trap "" USR1; while :; do sleep 1; done'
	as "$1" imgstore stop d
	as "$1" imgstore ps | grep -q 'exited (137)  *d$'
	as "$1" imgrun -d --name s --stop-signal USR1 localhost/bb sh -c 'trap "exit 9" USR1; echo ready; while :; do sleep 0.1; done'
	until_says "$1" ready imgstore logs s
	as "$1" imgstore stop s
	as "$1" imgstore ps | grep -q 'exited (9)  *s$'
	as "$1" imgrun -d --name f localhost/bb sleep 1000
	as "$1" imgstore rm -f f d s
	[ "$(as "$1" imgstore ps | wc -l)" = 1 ]
}
@test "root: kill, stop signals, rm --force" { kills root; }
@test "user: kill, stop signals, rm --force" { kills user; }

killed_in_the_background() {
	need "$1"
	local pid
	as "$1" imgrun -d --name gone localhost/bb sleep 1000
	pid=$(as "$1" imgstore ps --format json | jq -r '.[] | select(.Name == "gone") | .State.Pid')
	# who runs it: the parent of the sandbox, which is the parent of the first process
	kill -KILL $(ps -o ppid= -p $(ps -o ppid= -p "$pid")) # unquoted: ps pads its numbers
	for i in $(seq 100); do [ -d "/proc/$pid" ] || break; sleep 0.05; done
	[ ! -d "/proc/$pid" ]
	as "$1" imgstore ps | grep -q 'stopped  *gone$'
	as "$1" imgstore rm gone
	assert_store_idle "$(store_of "$1")"
}
@test "root: a container ends with the process that runs it" { killed_in_the_background root; }
@test "user: a container ends with the process that runs it" { killed_in_the_background user; }

entered() {
	need "$1"
	as "$1" imgrun -d --name e -e A=1 -w /tmp --cap-drop CHOWN localhost/bb sleep 1000
	run as "$1" imgstore exec -e B=2 e sh -c 'echo $A$B; pwd; ls /proc | grep -c "^[0-9]"; hostname; exit 5'
	[ "$status" = 5 ]
	[ "${lines[0]} ${lines[1]}" = "12 /tmp" ]
	[ "${lines[2]}" -ge 2 ]
	# its rights are the container's, not ours
	run as "$1" imgstore exec e grep -E '^(Cap(Inh|Eff|Bnd)|Seccomp):' /proc/self/status
	[ "$output" = $'CapInh:\t0000000000000000\nCapEff:\t00000000a80425fa\nCapBnd:\t00000000a80425fa\nSeccomp:\t2' ]
	for ns in pid mnt ipc uts net cgroup user; do
		[ "$(as "$1" imgstore exec e readlink /proc/1/ns/$ns)" = "$(as "$1" imgstore exec e readlink /proc/self/ns/$ns)" ]
	done
	[ "$(as "$1" imgstore exec -u alice e id -un)" = alice ]
	[ "$(echo typed | as "$1" imgstore exec -i e cat)" = typed ]
	[ -z "$(echo typed | as "$1" imgstore exec e cat)" ]
	run -127 as "$1" imgstore exec e nothing-of-that-name
	run -125 as "$1" imgstore exec nobody true
	# nothing of ours is left in it
	run as "$1" imgstore exec e sh -c 'ls /proc/$$/fd; true'
	[ "$output" = $'0\n1\n2' ]
	run as "$1" imgstore exec e ps
	[[ "$output" != *sandbox* ]]
	as "$1" imgstore rm -f e
}
@test "root: exec in a running container" { entered root; }
@test "user: exec in a running container" { entered user; }

committed() {
	need "$1"
	as "$1" imgrun --name c localhost/bb sh -c 'echo new >/new; rm /etc/group; echo x >>/etc/hosts; mkdir -p /made/dir'
	as "$1" imgstore commit -m why c localhost/made:1
	run as "$1" imgstore diff localhost/made:1
	echo "$output"
	[[ "$output" == *"/new"* ]]
	[[ "$output" == *"/etc/group"* ]]
	[[ "$output" != *"/etc/hosts"* ]]
	[[ "$output" != *resolv.conf* ]]
	as "$1" imgstore history localhost/made:1 | grep -q 'why'
	[ "$(as "$1" imgrun --rm localhost/made:1 cat /new)" = new ]
	# the container is as it was, and the same changes are the same layer
	as "$1" imgstore commit c localhost/made:2
	[ "$(as "$1" imgstore inspect localhost/made:1 | jq -c '.[0].RootFS.Layers // .[0].Layers')" = "$(as "$1" imgstore inspect localhost/made:2 | jq -c '.[0].RootFS.Layers // .[0].Layers')" ]
	as "$1" imgrun --rm --commit localhost/made:3 localhost/bb sh -c 'echo three >/three'
	[ "$(as "$1" imgrun --rm localhost/made:3 cat /three)" = three ]
	# what failed is not kept
	run as "$1" imgrun --rm --commit localhost/made:4 localhost/bb sh -c 'exit 3'
	[ "$status" = 3 ]
	run -125 as "$1" imgrun --rm --pull=never localhost/made:4 true
	as "$1" imgstore rm c
	as "$1" imgstore check >&2
}
@test "root: a container's changes become an image" { committed root; }
@test "user: a container's changes become an image" { committed user; }

volumes() {
	need "$1"
	mkdir -p "$T/host.$1"
	chmod 777 "$T/host.$1"
	as "$1" sh -c 'echo host >"$0"' "$T/host.$1/f"
	as "$1" imgrun --rm -v "v$1:/etc" localhost/bb sh -c 'test -s /etc/passwd && echo kept >/etc/mine'
	[ "$(as "$1" imgrun --rm -v "v$1:/x" localhost/bb cat /x/mine)" = kept ]
	as "$1" imgrun --rm -v "$T/host.$1:/h:O" localhost/bb sh -c 'echo over >/h/f; echo new >/h/g; cat /h/f' | grep -q over
	[ "$(cat "$T/host.$1/f")" = host ]
	[ ! -e "$T/host.$1/g" ]
	run as "$1" imgrun --rm --tmpfs /t:size=64k,mode=0700 --mount type=tmpfs,target=/u,tmpfs-size=32k --mount "type=bind,src=$T/host.$1,dst=/b,ro" -v /anon localhost/bb sh -c '
		stat -c %a /t; df -k /t | tail -1 | { read a b c; echo $b; }; df -k /u | tail -1 | { read a b c; echo $b; }
		echo no >/b/f || echo read-only; echo yes >/anon/f && cat /anon/f'
	echo "$output"
	[[ "$output" == $'700\n64\n32\n'*read-only*yes ]]
	while IFS='|' read -r args says; do
		run -125 as "$1" imgrun --rm $args localhost/bb true
		echo "$args: $output"
		[[ "$output" == *"$says"* ]]
	done <<-'END'
		-v a/b:/c|'a/b' is neither a path nor a volume's name
		-v ..:c|'c' is no absolute path
		-v name:/x:O|'O' is for paths of the host
		--tmpfs /t:what|'what' is no option of a tmpfs
		--mount type=bind,target=/x|its source is no path
		--mount target=/x,bind-propagation=shared|'bind-propagation' is not supported
		--mount type=bind,source=/tmp|it has no target
	END
}
@test "root: volumes by name, over the host's, in memory" { volumes root; }
@test "user: volumes by name, over the host's, in memory" { volumes user; }

init_process() {
	need "$1"
	run as "$1" imgrun --rm --init localhost/bb sh -c 'echo $$; (sleep 0.2 & ) ; sleep 0.5; ps | grep -c "\[sleep\]"; exit 4'
	[ "$status" = 4 ]
	[ "${lines[0]}" != 1 ]
	[ "${lines[1]}" = 0 ] # who lost its parent was taken in
	# it has no more rights than the command
	run as "$1" imgrun --rm --init localhost/bb sh -c 'grep CapEff /proc/1/status; ls -l /proc/1/exe'
	[[ "$output" == *$'CapEff:\t00000000a80425fb'* ]]
	[[ "$output" == *denied* ]]
	# a signal reaches the command
	as "$1" imgrun -d --init --name i localhost/bb sh -c 'trap "exit 8" TERM; echo ready; while :; do sleep 0.1; done'
	until_says "$1" ready imgstore logs i
	as "$1" imgstore stop i
	as "$1" imgstore ps | grep -q 'exited (8)  *i$'
	as "$1" imgstore rm i
}
@test "root: --init" { init_process root; }
@test "user: --init" { init_process user; }

security() {
	need "$1"
	run as "$1" imgrun --rm --security-opt no-new-privileges localhost/bb grep NoNewPrivs /proc/self/status
	[ "$output" = $'NoNewPrivs:\t1' ]
	# an ordinary user's devices are recorded by a filter that is none of ours to leave out
	local filters
	filters=$(as "$1" imgrun --rm localhost/bb sed -n 's/^Seccomp_filters:.//p' /proc/self/status)
	[ "$(as "$1" imgrun --rm --security-opt seccomp=unconfined localhost/bb sed -n 's/^Seccomp_filters:.//p' /proc/self/status)" = $((filters - 1)) ]
	printf '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":2},{"names":["chmod","fchmodat"],"action":"SCMP_ACT_ERRNO","excludes":{"caps":["CAP_CHOWN"]}}]}' >"$T/profile"
	chmod 644 "$T/profile"
	run as "$1" imgrun --rm --security-opt "seccomp=$T/profile" localhost/bb sh -c 'mkdir /x; chmod 700 /tmp && echo changed'
	[[ "$output" == *"mkdir: can't create directory '/x': No such file or directory"* ]]
	[[ "$output" == *changed ]]
	run as "$1" imgrun --rm --cap-drop CHOWN --security-opt "seccomp=$T/profile" localhost/bb chmod 700 /tmp
	[ "$status" != 0 ]
	run as "$1" imgrun --rm --security-opt unmask=/proc/keys --security-opt mask=/etc/group localhost/bb sh -c 'cat /etc/group | wc -c; grep -c " /proc/keys " /proc/self/mountinfo'
	[ "$output" = $'0\n0' ]
	run as "$1" imgrun --rm --privileged localhost/bb sh -c 'grep -E "^(Seccomp_filters|CapInh):" /proc/self/status; grep -c " /proc/" /proc/self/mountinfo'
	[ "$output" = $'CapInh:\t0000000000000000\nSeccomp_filters:\t'$((filters - 1))$'\n0' ]
	while IFS='|' read -r args says; do
		run -125 as "$1" imgrun --rm $args localhost/bb true
		echo "$args: $output"
		[[ "$output" == *"$says"* ]]
	done <<-END
		--security-opt what|'what' is not supported
		--security-opt no-new-privileges=maybe|it is true or false
		--security-opt seccomp=/nowhere|open the seccomp profile '/nowhere'
		--security-opt seccomp=$T/bb.tar|bb.tar
		--security-opt mask=x|'x' is no absolute path
		--cap-add FLY|'FLY' is not a capability
	END
}
@test "root: --security-opt, --privileged" { security root; }
@test "user: --security-opt, --privileged" { security user; }

shared_namespaces() {
	need "$1"
	local ns
	for ns in pid ipc uts; do
		[ "$(as "$1" imgrun --rm --$ns=host localhost/bb readlink /proc/self/ns/$ns)" = "$(readlink /proc/self/ns/$ns)" ]
		[ "$(as "$1" imgrun --rm localhost/bb readlink /proc/self/ns/$ns)" != "$(readlink /proc/self/ns/$ns)" ]
	done
	[ "$(as "$1" imgrun --rm --cgroupns=host localhost/bb readlink /proc/self/ns/cgroup)" = "$(readlink /proc/self/ns/cgroup)" ]
	as "$1" imgrun -d --name pod --network=none -h box localhost/bb sleep 1000
	run as "$1" imgrun --rm --pid=container:pod --ipc=container:pod --uts=container:pod --network=container:pod localhost/bb sh -c 'hostname; ps -o args | grep -c "^sleep 1000"; ls /sys/class/net'
	[ "$output" = $'box\n1\nlo' ]
	for ns in pid ipc uts net; do
		[ "$(as "$1" imgstore exec pod readlink /proc/self/ns/$ns)" = "$(as "$1" imgrun --rm --pid=container:pod --ipc=container:pod --uts=container:pod --network=container:pod localhost/bb readlink /proc/self/ns/$ns)" ]
	done
	as "$1" imgstore rm -f pod
	refused "$1" 125 "there is no container 'pod'" imgrun --rm --pid=container:pod localhost/bb true
	refused "$1" 125 "--pid is private, host or container:NAME, not 'x'" imgrun --rm --pid=x localhost/bb true
}
@test "root: namespaces of the host, and of another container" { shared_namespaces root; }
@test "user: namespaces of the host, and of another container" { shared_namespaces user; }

orphans_end() {
	need "$1"
	as "$1" imgrun --rm --pid=host localhost/bb sh -c 'sh -c "exec -a orphan-$0 sleep 7654" & echo started' | grep -q started
	for i in $(seq 40); do ps -eo args | grep -q '[s]leep 7654' || break; sleep 0.05; done
	[ -z "$(ps -eo args | grep '[s]leep 7654' || true)" ]
}
@test "root: without a process namespace what the command leaves ends with it" { orphans_end root; }
@test "user: without a process namespace what the command leaves ends with it" { orphans_end user; }

clocks() {
	need "$1"
	local here there
	here=$(cut -d. -f1 /proc/uptime)
	there=$(as "$1" imgrun --rm --time-offset 500000 localhost/bb sh -c 'cut -d. -f1 /proc/uptime')
	[ $((there - here)) -ge 500000 ]
	[ $((there - here)) -le 500100 ]
	refused "$1" 125 "--time-offset: 'x' is no number" imgrun --rm --time-offset x localhost/bb true
}
@test "root: a time namespace" { clocks root; }
@test "user: a time namespace" { clocks user; }

# need_helper WHO PROGRAM
need_helper() {
	need "$1"
	command -v "$2" >/dev/null || skip "$2 is not installed"
	as "$1" test -w /dev/net/tun || skip "$1 may not use /dev/net/tun here"
	# pasta asks for it when it begins
	[ "$2" = slirp4netns ] || [ -n "$(awk '$2 == "00000000" && $8 == "00000000"' /proc/net/route)" ] || skip "this host has no way out"
}
# helpers PROGRAM: how many of them run
helpers() { pgrep -cf "^$1 " || true; }
helpers_are() { # PROGRAM COUNT
	local i
	for i in $(seq 40); do [ "$(helpers "$1")" = "$2" ] && return 0; sleep 0.05; done
	pgrep -af "^$1 "
	return 1
}
own_network() {
	need_helper "$1" "$2"
	command -v curl >/dev/null || skip "curl is not installed"
	local port before
	port=$((20000 + RANDOM % 10000))
	before=$(helpers "$2")
	as "$1" imgrun -d --name net --network="$2" -p "127.0.0.1:$port:80" localhost/bb sh -c 'echo served >/index.html; httpd -f -p 80 -h /'
	[ "$(helpers "$2")" = $((before + 1)) ]
	run as "$1" imgstore exec net sh -c 'ip addr show tap0 | grep -o "inet [0-9.]*"; cat /etc/resolv.conf | head -1; hostname'
	[[ "$output" == $'inet 10.0.2.100\nnameserver 10.0.2.3\n'* ]]
	for i in $(seq 50); do [ "$(curl -s -m 2 "http://127.0.0.1:$port/")" = served ] && break; sleep 0.1; done
	[ "$(curl -s -m 2 "http://127.0.0.1:$port/")" = served ]
	run -125 as "$1" imgrun --rm --network="$2" -p "127.0.0.1:$port:80" localhost/bb true
	[[ "$output" == *"--publish '127.0.0.1:$port:80': "* ]]
	helpers_are "$2" $((before + 1)) # that of the refused one has ended
	as "$1" imgstore rm -f net
	helpers_are "$2" "$before"
	refused "$1" 125 "needs --network=private" imgrun --rm -p 80 localhost/bb true
	refused "$1" 125 "is not [ADDRESS:][HOST:]CONTAINER" imgrun --rm --network="$2" -p x localhost/bb true
}
@test "root: a network of its own by pasta, with ports of the host" { own_network root pasta; }
@test "root: a network of its own by slirp4netns, with ports of the host" { own_network root slirp4netns; }
@test "user: a network of its own by pasta, with ports of the host" { own_network user pasta; }
@test "user: a network of its own by slirp4netns, with ports of the host" { own_network user slirp4netns; }

publish_all() { # WHO PROGRAM
	need_helper "$1" "$2"
	command -v curl >/dev/null || skip "curl is not installed"
	local port i
	mkdir -p "$T/exposes"
	printf 'FROM localhost/bb\nEXPOSE 80 53/udp 9999\nCMD echo served >/index.html; httpd -f -p 80 -h /\n' >"$T/exposes/Buildfile"
	as "$1" imgbuild -q -t localhost/exposes "$T/exposes"
	as "$1" imgrun -d --name net --network="$2" -P -p 127.0.0.1:$((20000 + RANDOM % 10000)):9999 localhost/exposes
	run as "$1" imgstore inspect net
	port=$(jq -r '.[0].State.Ports[] | select(test(":80$")) | split(":")[0]' <<<"$output")
	[ "$(jq '.[0].State.Ports | length' <<<"$output")" = 3 ]
	jq -e '[.[0].State.Ports[] | select(test("^[0-9]+:53/udp$"))] | length == 1' <<<"$output"
	as "$1" imgstore ps | grep -F ":80 "
	for i in $(seq 50); do [ "$(curl -s -m 2 "http://127.0.0.1:$port/")" = served ] && break; sleep 0.1; done
	[ "$(curl -s -m 2 "http://127.0.0.1:$port/")" = served ]
	as "$1" imgstore stop -t 0 net
	not grep -F ":80" <(as "$1" imgstore ps)
	as "$1" imgstore rm -f net
}
@test "root: all ports that an image exposes by pasta" { publish_all root pasta; }
@test "root: all ports that an image exposes by slirp4netns" { publish_all root slirp4netns; }
@test "user: all ports that an image exposes by pasta" { publish_all user pasta; }
@test "ports that an image exposes need a private network" {
	need_user
	refused user 125 "--publish-all needs --network=private" imgrun --rm -P localhost/bb true
}
@test "root: pasta where this host has no default route" {
	need root
	command -v pasta >/dev/null || skip "pasta is not installed"
	run -125 as root unshare -n sh -c 'ip link set lo up; exec imgrun --rm --network=private localhost/bb true'
	echo "$output"
	[[ "$output" == *"pasta could not set up the network: this host has no default route: "* ]]
	[[ "$output" == *"ip route add default"*"--network=slirp4netns"* ]]
	if [ -w /dev/net/tun ] && command -v slirp4netns >/dev/null; then
		as root unshare -n sh -c 'ip link set lo up; exec imgrun --rm --network=slirp4netns localhost/bb true'
	fi
}

# ask_udp PORT: the answer of the host's outer address
ask_udp() {
	python3 - "$1" <<-'E'
		import socket, sys
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.connect(('198.51.100.1', 9))
		here = s.getsockname()[0]
		s.connect((here, int(sys.argv[1])))
		s.settimeout(0.2)
		for i in range(25):
		    try:
		        s.send(b'?')
		        print(s.recv(64).decode())
		        break
		    except OSError:
		        pass
	E
}
udp_port() {
	need_helper "$1" "$2"
	[ -x /usr/bin/python3 ] || skip "python3 is not installed"
	local port answers="import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('0.0.0.0', 81))
while True: s.sendto(b'heard', s.recvfrom(64)[1])"
	port=$((20000 + RANDOM % 10000))
	as "$1" imgrun -d --name udp --network="$2" -p "$port:81/udp" -v /:/host:ro localhost/bb chroot /host /usr/bin/python3 -c "$answers"
	run ask_udp "$port"
	as "$1" imgstore rm -f udp
	[ "$output" = heard ]
}
@test "root: a udp port of a network of its own by pasta" { udp_port root pasta; }
@test "root: a udp port of a network of its own by slirp4netns" { udp_port root slirp4netns; }
@test "user: a udp port of a network of its own by pasta" { udp_port user pasta; }
@test "user: a udp port of a network of its own by slirp4netns" { udp_port user slirp4netns; }

# The host's loopback is out of reach, its outer address is not.
way_out() {
	need_helper "$1" "$2"
	[ -x /usr/bin/curl ] || skip "curl is not installed"
	local port loopback outer served
	port=$((20000 + RANDOM % 10000))
	mkdir -p "$T/inner" "$T/outer"
	echo secret >"$T/inner/f"
	echo public >"$T/outer/f"
	busybox httpd -f -p "127.0.0.1:$port" -h "$T/inner" 3>&- &
	loopback=$!
	busybox httpd -f -p $((port + 1)) -h "$T/outer" 3>&- &
	outer=$!
	# busybox, linked statically, resolves no names by itself
	run as "$1" imgrun --rm --network="$2" --add-host out:host-gateway -v /:/host:ro localhost/bb sh -c "
		out=\$(awk '\$2 == \"out\" { print \$1 }' /etc/hosts)
		for host in 127.0.0.1 10.0.2.2 10.0.2.3 \$out; do chroot /host /usr/bin/curl -sf -m 1 http://\$host:$port/f; done
		chroot /host /usr/bin/curl -sf -m 5 http://\$out:$((port + 1))/f"
	echo "$output"
	served=$(curl -s -m 2 "http://127.0.0.1:$port/f" || true)
	kill $loopback $outer
	[ "$served" = secret ]
	[ "$output" = public ]
}
@test "root: what pasta leads to" { way_out root pasta; }
@test "root: what slirp4netns leads to" { way_out root slirp4netns; }
@test "user: what pasta leads to" { way_out user pasta; }
@test "user: what slirp4netns leads to" { way_out user slirp4netns; }

# The host's name server is on its loopback, as a stub is.
@test "root: the host's name server is asked for a network of its own" {
	need_helper root slirp4netns
	need_helper root pasta
	cat >"$T/names" <<-'E'
		import socket
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.bind(('127.0.0.1', 53))
		while True:
		    d, a = s.recvfrom(512)
		    s.sendto(d[:2] + b'\x85\x80\0\1\0\1\0\0\0\0' + d[12:] + b'\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\1\2\3\4', a)
	E
	echo 'nameserver 127.0.0.1' >"$T/resolv"
	cat >"$T/ask" <<-'E'
		mount --bind "$T/resolv" /etc/resolv.conf
		python3 "$T/names" &
		server=$!
		for helper in pasta slirp4netns; do
			imgrun --rm --network=$helper localhost/bb nslookup -type=a name.example | grep -c 'Address: 1.2.3.4'
		done
		kill $server
	E
	# the names' port is the host's if nothing else has it
	[ -z "$(awk 'NR > 1 && $2 ~ /:0035$/ && $2 ~ /^(0100007F|00000000)/' /proc/net/udp)" ] || skip "this host has a name server on its loopback"
	run as root unshare -m sh -euc '. "$0"' "$T/ask"
	echo "$output"
	[ "$output" = $'1\n1' ]
}
no_helper() {
	need "$1"
	local file
	mkdir -p "$T/bin"
	for file in newuidmap newgidmap; do ln -sf "$(command -v $file)" "$T/bin/"; done
	refused "$1" 125 "install the package passt or slirp4netns" /usr/bin/env PATH="$top_builddir:$T/bin" imgrun --rm --network=private localhost/bb true
	refused "$1" 125 "install the package passt, or" /usr/bin/env PATH="$top_builddir:$T/bin" imgrun --rm --network=pasta localhost/bb true
	refused "$1" 125 "install the package slirp4netns, or" /usr/bin/env PATH="$top_builddir:$T/bin" imgrun --rm --network=slirp4netns localhost/bb true
	# the first that is there
	printf '#!/bin/sh\nexit 1\n' >"$T/bin/pasta"
	cp "$T/bin/pasta" "$T/bin/slirp4netns"
	chmod 755 "$T/bin/pasta" "$T/bin/slirp4netns"
	refused "$1" 125 "pasta could not set up" /usr/bin/env PATH="$top_builddir:$T/bin:/bin" imgrun --rm --network=private localhost/bb true
	rm "$T/bin/pasta"
	refused "$1" 125 "slirp4netns could not set up" /usr/bin/env PATH="$top_builddir:$T/bin" imgrun --rm --network=private localhost/bb true
	rm "$T/bin/slirp4netns"
}
@test "root: which program leads out, and that there is none" { no_helper root; }
@test "user: which program leads out, and that there is none" { no_helper user; }

@test "root: devices" {
	need root
	[ -c /dev/fuse ] || skip "this host has no /dev/fuse"
	run as root imgrun --rm --device /dev/fuse localhost/bb sh -c 'stat -c %t:%T /dev/fuse; dd if=/dev/fuse of=/dev/null count=0 2>&1 && echo opened'
	[[ "$output" == $'a:e5\n'*opened ]]
	run as root imgrun --rm --device /dev/fuse:/dev/sub/other:r localhost/bb sh -c 'cat /dev/sub/other; sh -c ": >/dev/sub/other" || echo no'
	[[ "$output" == *"read error"*"Operation not permitted"*no ]] # fuse gives nothing to read
	run as root imgrun --rm localhost/bb sh -c ': </dev/fuse'
	[ "$status" != 0 ]
	# nodes of others that it makes beside them do not open
	run as root imgrun --rm --device /dev/fuse localhost/bb sh -c 'mknod /dev/m c 1 11; mknod /m c 1 11; head -c 1 /dev/m || head -c 1 /m || echo closed'
	[[ "$output" == *closed ]]
	# all in a directory: this host's have nodes of their own beside them
	[ ! -d /dev/input ] && [ ! -d /dev/mapper ] || {
		local dir
		dir=$(ls -d /dev/mapper /dev/input 2>/dev/null | head -1)
		run as root imgrun --rm --device "$dir:/dev/all:r" localhost/bb sh -c 'ls /dev/all | sort'
		[ "$output" = "$(find "$dir" -maxdepth 1 \( -type c -o -type b \) -printf '%f\n' | sort)" ]
	}
	mkdir -p "$T/none.d"
	refused root 125 "there is no device in '$T/none.d'" imgrun --rm --device "$T/none.d:/dev/none" localhost/bb true
	refused root 125 "names of CDI are not supported" imgrun --rm --device vendor.com/class=all localhost/bb true
	IMGBUILD_ISOLATION=chroot imgstore --root "$T/chroot-store" import "$T/bb.tar" localhost/bb
	refused root 125 "a chroot gets no device of the host" imgrun --root "$T/chroot-store" --rm --isolation chroot --device /dev/fuse localhost/bb true
	refused root 125 "'/etc/passwd' is no device" imgrun --rm --device /etc/passwd localhost/bb true
	refused root 125 "is not HOST[:CONTAINER][:rwm]" imgrun --rm --device fuse localhost/bb true
}
@test "root: nodes that it makes open where a group confines it, as far as it has the device" {
	need root
	local group before
	group=/sys/fs/cgroup/devices$(sed -n 's/^[0-9]*:devices://p' /proc/self/cgroup | sed 's,^/$,,')
	[ -e /sys/fs/cgroup/cgroup.controllers ] || [ "$(cat "$group/devices.list" 2>/dev/null)" = 'a *:* rwm' ] ||
		skip "no group confines devices here"
	before=$(stat -c '%a %u %g %Z' /dev/null /dev/zero)
	cat >"$T/nodes" <<-'E'
		mknod /null c 1 3 && echo lost >/null && mknod /dev/z c 1 5 && [ "$(head -c 2 /dev/z | wc -c)" = 2 ] && echo opened
		mknod /kmsg c 1 11 && { head -c 1 /kmsg 2>&1 || true; }
		mknod /dev/disk b 7 0 && { head -c 1 /dev/disk 2>&1 || true; }
		chmod 600 /dev/null /null && chown 5:6 /dev/null /null /dev/zero && echo its own
		rm /null /kmsg
	E
	local closed=$'head: /kmsg: Operation not permitted\nhead: /dev/disk: Operation not permitted\nits own'
	run as root imgrun --rm -v "$T/nodes:/nodes:ro" localhost/bb sh -e /nodes
	[ "$output" = $'opened\n'"$closed" ]
	# the same in a step, whose layer has none of it, and for a second command
	mkdir "$T/nodes.d"
	printf 'FROM localhost/bb\nCOPY nodes /\nRUN sh -e /nodes\n' >"$T/nodes.d/Buildfile"
	cp "$T/nodes" "$T/nodes.d/"
	run as root imgbuild --progress plain "$T/nodes.d"
	[[ "$output" == *opened*"/kmsg: Operation not permitted"*"/dev/disk: Operation not permitted"*"its own"* ]]
	as root imgrun -d --name nodes -v "$T/nodes:/nodes:ro" localhost/bb sleep 50 >&2
	run as root imgstore exec nodes sh -e /nodes
	as root imgstore rm --force nodes >&2
	[ "$output" = $'opened\n'"$closed" ]
	[ "$(stat -c '%a %u %g %Z' /dev/null /dev/zero)" = "$before" ]
	# where no group can be made nothing opens
	run as root unshare -m sh -euc '
		for m in $(sed -n "s,^[^ ]* \(/sys/fs/cgroup[^ ]*\) .*,\1,p" /proc/mounts); do mount -o remount,bind,ro "$m"; done
		exec imgrun --rm localhost/bb sh -c "mknod /null c 1 3; : </null"'
	[[ "$output" == *"can't open /null: Permission denied"* ]]
}
@test "user: devices" {
	need user
	[ -c /dev/fuse ] || skip "this host has no /dev/fuse"
	run as user imgrun --rm --device /dev/fuse localhost/bb sh -c ': </dev/fuse && echo opened'
	[ "$output" = opened ]
}

labels_of_modules() { # WHO
	need "$1"
	as "$1" imgrun --rm --security-opt label=disable --security-opt apparmor=unconfined localhost/bb true
	if [ ! -e /sys/fs/selinux/enforce ]; then
		refused "$1" 125 "--security-opt label=type:container_t: this host has no SELinux" imgrun --rm --security-opt label=type:container_t localhost/bb true
		refused "$1" 125 "this host has no SELinux" imgrun --rm --security-opt label=level:s0:c1,c2 localhost/bb true
	fi
	if [ ! -e /sys/kernel/security/apparmor ]; then
		refused "$1" 125 "--security-opt apparmor=docker-default: this host has no AppArmor" imgrun --rm --security-opt apparmor=docker-default localhost/bb true
	fi
	refused "$1" 125 "it is a profile, or unconfined" imgrun --rm --security-opt apparmor localhost/bb true
}
@test "root: labels of AppArmor and SELinux" { labels_of_modules root; }
@test "user: labels of AppArmor and SELinux" { labels_of_modules user; }
@test "root: a label that the kernel does not take starts no container" {
	need root
	[ ! -e /sys/fs/selinux/enforce ] && [ ! -e /sys/kernel/security/apparmor ] || skip "this host has one of them"
	[ -d /sys/kernel/security ] || skip "there is no securityfs to cover"
	# one that says that it has them
	local fakes='mount -t tmpfs x /sys/kernel/security && mkdir /sys/kernel/security/apparmor && mount -t tmpfs x /sys/fs && mkdir /sys/fs/selinux && : >/sys/fs/selinux/enforce; exec "$0" "$@"'
	run -125 as root unshare -m sh -c "$fakes" imgrun --rm --security-opt apparmor=docker-default localhost/bb echo ran
	echo "$output"
	[[ "$output" == *"AppArmor profile 'docker-default': "* ]]
	[[ "$output" != *ran* ]]
	run -125 as root unshare -m sh -c "$fakes" imgrun --rm --security-opt label=type:container_t localhost/bb echo ran
	echo "$output"
	[[ "$output" == *"--security-opt label=type:container_t: "* ]]
	[[ "$output" != *ran* ]]
}

volumes_from() { # WHO OPTIONS…
	local who=$1 dir
	shift
	need "$who"
	dir="$T/user/lent dir of $who"
	as "$who" mkdir -p "$dir"
	as "$who" sh -c 'echo of-the-host >"$0/f"' "$dir"
	as "$who" imgrun "$@" --name lender -v "$dir:/a b" -v "lent-$who:/named" -v /own --tmpfs /gone -v "$dir:/over:O" -v "$dir/f:/file:ro" localhost/bb \
		sh -c 'echo named >/named/f; echo own >/own/f; chown 3:4 /own/f; echo gone >/gone/f'
	# stopped as it is
	run as "$who" imgrun "$@" --rm --volumes-from lender localhost/bb \
		sh -c 'cat "/a b/f" /named/f /own/f /file; stat -c %u:%g /own/f; ls -d /gone /over; echo more >/own/g; echo x >/file || echo closed'
	echo "$output"
	[ "${lines[*]:0:5}" = "of-the-host named own of-the-host 3:4" ]
	[[ "$output" == *"ls: /gone: No such"*"ls: /over: No such"*closed ]]
	# handed on, to be read alone; an own one goes before
	as "$who" imgrun "$@" -d --name second --volumes-from lender:ro -v "lent-$who:/own" localhost/bb sleep 1000 3>&-
	run as "$who" imgrun "$@" --rm --volumes-from second localhost/bb sh -c 'cat /own/f /named/f; echo x >"/a b/g" || echo closed; echo x >/own/new && rm /own/new && echo opened'
	echo "$output"
	[[ "$output" == $'named\nnamed\n'*closed*opened ]]
	as "$who" imgstore inspect second | jq -e '.[0].State.Volumes | length == 4'
	as "$who" imgstore rm -f second
	[ "$(as "$who" imgrun "$@" --rm --volumes-from lender localhost/bb cat /own/g)" = more ]
	# what was without a name goes with its container
	as "$who" imgrun "$@" --name third --volumes-from lender localhost/bb true
	as "$who" imgstore rm lender
	refused "$who" 125 "volume at '/own': the container that it is of was removed" imgrun "$@" --rm --volumes-from third localhost/bb true
	as "$who" imgstore rm third
	refused "$who" 125 "--volumes-from: there is no container 'lender'" imgrun --rm --volumes-from lender localhost/bb true
	refused "$who" 125 "--volumes-from 'a:x' is not NAME[:ro|rw]" imgrun --rm --volumes-from a:x localhost/bb true
}
@test "root: volumes of another container" { volumes_from root; }
@test "user: volumes of another container" { volumes_from user; }
@test "root: volumes of another container by runc" {
	command -v runc >/dev/null || skip "runc is not installed"
	need root
	as root imgrun --name lender -v /own localhost/bb sh -c 'echo own >/own/f'
	[ "$(as root imgrun --rm --runtime runc --volumes-from lender localhost/bb cat /own/f)" = own ]
	as root imgstore rm lender
}

sysctls() { # WHO
	need "$1"
	local before
	before=$(cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax /proc/sys/kernel/domainname)
	run as "$1" imgrun --rm --network none --sysctl kernel.shmmax=12345678 --sysctl kernel.domainname=dom.example --sysctl fs.mqueue.msg_max=20 \
		--sysctl net.ipv4.ip_forward=1 --sysctl net/ipv4/conf/lo/rp_filter=2 localhost/bb \
		sh -c 'cd /proc/sys; cat kernel/shmmax kernel/domainname fs/mqueue/msg_max net/ipv4/ip_forward net/ipv4/conf/lo/rp_filter; echo 3 >kernel/shmmax || echo closed'
	[ "${lines[*]:0:5}" = "12345678 dom.example 20 1 2" ]
	[ "${lines[-1]}" = closed ]
	[ "$(cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax /proc/sys/kernel/domainname)" = "$before" ]
	if command -v runc >/dev/null; then
		run as "$1" imgrun --rm --runtime runc --network none --sysctl net.ipv4.conf.lo.rp_filter=2 localhost/bb cat /proc/sys/net/ipv4/conf/lo/rp_filter
		[[ "$output" == *2 ]]
		refused "$1" 125 "is not supported by other runtimes" imgrun --rm --runtime runc --network private --sysctl net.ipv4.ip_forward=1 localhost/bb true
	fi
	refused "$1" 125 "--sysctl 'net.ipv4.ip_forward=1' needs a network of its own: --network=private or --network=none" imgrun --rm --sysctl net.ipv4.ip_forward=1 localhost/bb true
	refused "$1" 125 "needs --ipc=private" imgrun --rm --ipc=host --sysctl kernel.sem=1 localhost/bb true
	refused "$1" 125 "needs --uts=private" imgrun --rm --uts=host --sysctl kernel.domainname=1 localhost/bb true
	refused "$1" 125 "--sysctl 'kernel.panic=1': no container has that of its own" imgrun --rm --sysctl kernel.panic=1 localhost/bb true
	refused "$1" 125 "--hostname gives a host name" imgrun --rm --sysctl kernel.hostname=x localhost/bb true
	refused "$1" 125 "--sysctl 'net/../kernel/panic=1' is not NAME=VALUE" imgrun --rm --network none --sysctl net/../kernel/panic=1 localhost/bb true
	refused "$1" 125 "this kernel has no '/proc/sys/net/no/such'" imgrun --rm --network none --sysctl net.no.such=1 localhost/bb true
	refused "$1" 125 "write 'x' into '/proc/sys/kernel/shmmax'" imgrun --rm --sysctl kernel.shmmax=x localhost/bb true
}
@test "root: settings of the kernel" { sysctls root; }
@test "user: settings of the kernel" { sysctls user; }

devices_of_steps() { # WHO OPTIONS…: steps have them, the layer has not, and the cache knows
	local who=$1 said id
	shift
	need "$who"
	[ -c /dev/fuse ] || skip "this host has no /dev/fuse"
	mkdir -p "$T/devices.d"
	printf 'FROM localhost/bb\nRUN test ! -e /dev/sub && { : </dev/fuse; } && echo ope""ned && ls /dev >/list # %s\n' "$who $*" >"$T/devices.d/Buildfile"
	not as "$who" imgbuild "$@" "$T/devices.d"
	said=$(as "$who" imgbuild "$@" --device /dev/fuse "$T/devices.d" 2>&1)
	[[ "$said" == *opened* ]]
	said=$(as "$who" imgbuild "$@" --device /dev/fuse "$T/devices.d" 2>&1)
	[[ "$said" == *CACHED* ]]
	not as "$who" imgbuild "$@" --device /dev/fuse:/dev/sub/fuse "$T/devices.d"
	id=$(as "$who" imgbuild -q "$@" --device /dev/fuse "$T/devices.d")
	as "$who" imgrun --rm "$id" grep fuse /list
	not as "$who" imgrun --rm "$id" test -e /dev/fuse
	refused "$who" 2 "is not HOST[:CONTAINER][:rwm]" imgbuild --device fuse "$T/devices.d"
	refused "$who" 5 "stat '/dev/no-such'" imgbuild --no-cache --device /dev/no-such "$T/devices.d"
}
@test "root: devices of steps" { devices_of_steps root; }
@test "user: devices of steps" { devices_of_steps user; }
by_runc() { # WHO
	command -v runc >/dev/null || skip "runc is not installed"
	devices_of_steps "$1" --runtime=runc
}
@test "root: devices of steps by runc" { by_runc root; }
@test "user: devices of steps by runc" { by_runc user; }
@test "root: --device for steps that are confined in no group, or privileged" {
	need root
	[ -c /dev/fuse ] || skip "this host has no /dev/fuse"
	printf 'FROM localhost/bb\nRUN --security=insecure : </dev/fuse && mknod /none b 4095 1048575 && ! dd if=/none 2>/said; grep "No such device" /said\n' >"$T/insecure"
	as root imgbuild --allow security.insecure --device /dev/fuse -f "$T/insecure" "$T/none.d"
}

names_and_files() {
	need "$1"
	rm -f "$T/user/cid" "$T/cid"
	local file=$T/cid
	[ "$1" = root ] || file=$T/user/cid
	printf '# comment\na=1\nb\n' >"$T/labels"
	chmod 644 "$T/labels"
	as "$1" imgrun --name l --cidfile "$file" --label-file "$T/labels" -l c=3 localhost/bb true
	[ "$(as "$1" imgstore ps --format json | jq -r '.[] | select(.Name == "l") | .Id')" = "$(cat "$file")" ]
	[ "$(as "$1" imgstore ps --format json | jq -c '.[] | select(.Name == "l") | .State.Labels')" = '["a=1","b=","c=3"]' ]
	run -125 as "$1" imgrun --rm --cidfile "$file" localhost/bb true
	[[ "$output" == *"--cidfile: make"* ]]
	as "$1" imgstore rm l
}
@test "root: labels, --cidfile" { names_and_files root; }
@test "user: labels, --cidfile" { names_and_files user; }

rights_of_steps() {
	need "$1"
	local d=$T/rights.$1
	mkdir "$d"
	printf 'FROM localhost/bb\nRUN grep -E "^(CapBnd|NoNewPrivs)" /proc/self/status; mkdir /d || echo no dir\n' >"$d/Buildfile"
	printf '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":2}]}' >"$d/profile"
	run as "$1" imgbuild --progress plain --cap-drop ALL --cap-add CHOWN --security-opt no-new-privileges "$d"
	echo "$output"
	[[ "$output" == *$'CapBnd:\t0000000000000001'* ]]
	[[ "$output" == *$'NoNewPrivs:\t1'* ]]
	run as "$1" imgbuild --progress plain --security-opt "seccomp=$d/profile" "$d"
	[[ "$output" == *$'CapBnd:\t00000000a80425fb'*"no dir"* ]]
	# what is said makes another step, and the same is found again: by what a profile says
	cp "$d/profile" "$d/copy"
	run as "$1" imgbuild --progress plain --security-opt "seccomp=$d/copy" "$d"
	[[ "$output" != *CapBnd:* ]]
	echo ' ' >>"$d/copy"
	run as "$1" imgbuild --progress plain --security-opt "seccomp=$d/copy" "$d"
	[[ "$output" == *CapBnd:* ]]
	run as "$1" imgbuild --progress plain --security-opt seccomp=unconfined "$d"
	[[ "$output" == *CapBnd:* ]]
	refused "$1" 2 "'FLY' is not a capability" imgbuild --cap-add FLY "$d"
	refused "$1" 5 "open the seccomp profile '$d/none'" imgbuild --security-opt "seccomp=$d/none" "$d"
}
@test "root: --cap-add, --cap-drop and --security-opt of steps" { rights_of_steps root; }
@test "user: --cap-add, --cap-drop and --security-opt of steps" { rights_of_steps user; }
