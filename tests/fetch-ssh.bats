#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# git repositories over ssh: as sources of ADD and as contexts. The server is Debian's sshd on 127.0.0.1, run by the ordinary
# user with a host key and a configuration of its own.

load lib

setup_file() {
	make_scratch
	command -v /usr/sbin/sshd >/dev/null && command -v ssh-agent >/dev/null || return 0
	have_user || return 0
	local who
	SSH=$T/ssh
	mkdir -m 755 "$SSH" "$T/home" "$T/home/.ssh"
	make_repository >&2
	for who in host other-host mine stranger; do ssh-keygen -q -t ed25519 -N '' -C "$who" -f "$SSH/$who"; done
	cp "$SSH/mine.pub" "$SSH/authorized"
	PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	write_config "$PORT" >"$SSH/config"
	if is_root; then chown -R "$TEST_USER:" "$SSH"; fi
	as_user /usr/sbin/sshd -f "$SSH/config" -E "$SSH/log" 3>&-
	for _ in $(seq 100); do [ ! -s "$SSH/pid" ] || break; sleep 0.05; done
	for who in root user stranger; do start_agent "$who" 3>&-; done
	[ ! -e "$SSH/root.sock" ] || SSH_AUTH_SOCK=$SSH/root.sock ssh-add -q "$SSH/mine"
	SSH_AUTH_SOCK=$SSH/user.sock as_agent_user ssh-add -q "$SSH/mine"
	SSH_AUTH_SOCK=$SSH/stranger.sock as_agent_user ssh-add -q "$SSH/stranger"
	printf '[127.0.0.1]:%s %s\n' "$PORT" "$(cut -d' ' -f1,2 "$SSH/host.pub")" >"$T/home/.ssh/known_hosts"
	chmod -R a+rX "$T/home"
	URL=ssh://$(login)@127.0.0.1:$PORT$T/git
	export SSH PORT URL
	unset SSH_AUTH_SOCK
}
teardown_file() {
	local file
	for file in "$T"/ssh/pid "$T"/ssh/*.agent; do
		[ ! -s "$file" ] || kill "$(cat "$file")" || true
	done
	remove_scratch
}
login() { if is_root; then echo "$TEST_USER"; else id -un; fi; }
write_config() {
	cat <<E
ListenAddress 127.0.0.1:$1
HostKey $SSH/host
PidFile $SSH/pid
AuthorizedKeysFile $SSH/authorized
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
E
}
as_agent_user() { EXTRA_ENV="SSH_AUTH_SOCK=$SSH_AUTH_SOCK" as_user "$@"; }
# An agent answers to its own user only.
start_agent() {
	local text
	case $1 in
	root) is_root || return 0; text=$(ssh-agent -a "$SSH/root.sock") ;;
	*) text=$(as_user ssh-agent -a "$SSH/$1.sock") ;;
	esac
	sed -n 's/^SSH_AGENT_PID=\([0-9]*\);.*/\1/p' <<<"$text" >"$SSH/$1.agent"
}
git_as_author() { git -c user.name=n -c user.email=e@x -c init.defaultBranch=main -c safe.directory='*' "$@"; }
make_repository() (
	export GIT_COMMITTER_DATE='@1600000000 +0000' GIT_AUTHOR_DATE='@1600000000 +0000'
	git_as_author init -q "$T/work"
	cd "$T/work"
	mkdir dir
	echo one >file
	echo deep >dir/deep
	printf 'FROM scratch\nCOPY file /from-ssh\n' >Buildfile
	git_as_author add .
	git_as_author commit -qm one
	git_as_author tag v1
	echo two >file
	git_as_author commit -qam two
	mkdir "$T/git"
	git_as_author clone -q --bare . "$T/git/r.git"
	! is_root || chown -R "$TEST_USER:" "$T/git"
)
need_sshd() {
	[ -n "${PORT-}" ] || skip "sshd or the ordinary user is missing"
	case $1 in root) need_root ;; user) need_user ;; esac
}
setup() {
	CTX=$(mktemp -d "$T/ctx.XXXXXX")
	chmod 755 "$CTX"
	HOME_DIR=$T/home
}
# run_build WHO ARGUMENTS…: with HOME=$HOME_DIR and, if $AGENT is set, that agent in the environment; messages in $OUTPUT
run_build() {
	local who=$1
	shift
	status=0
	OUTPUT=$(EXTRA_ENV="HOME=$HOME_DIR ${AGENT:+SSH_AUTH_SOCK=$AGENT}"
		for v in $EXTRA_ENV; do export "${v?}"; done
		as "$who" imgbuild -t test "$@" 2>&1 >"$T/id" </dev/null) || status=$?
	echo "$OUTPUT"
	return "$status"
}
build() { # build WHO [OPTIONS…]: Buildfile on stdin
	local who=$1
	shift
	cat >"$CTX/Buildfile"
	run_build "$who" "$@" "$CTX"
}
# fails WHO STATUS PATTERN [OPTIONS…]
fails() {
	local who=$1 want=$2 pattern=$3
	shift 3
	build "$who" "$@" && { echo "was built"; return 1; }
	[ "$status" = "$want" ] || { echo "status $status"; return 1; }
	[[ $OUTPUT == *"$pattern"* ]] || { echo "not said: $pattern"; return 1; }
	assert_store_idle "$([ "$who" = root ] && echo "$ROOT_STORE" || echo "$USER_STORE")"
}
layer() {
	local out manifest
	out=$(mktemp -d "$T/out.XXXXXX")
	if [ "$1" = user ] && is_root; then chown "$TEST_USER" "$out"; fi
	as "$1" imgpush -q --compression none test "oci:$out/o:latest" >/dev/null
	manifest=$(jq -r '.manifests[0].digest' "$out/o/index.json" | cut -d: -f2)
	LAYER=$out/o/blobs/sha256/$(jq -r '.layers[0].digest' "$out/o/blobs/sha256/$manifest" | cut -d: -f2)
}
content() { tar -xOf "$LAYER" "$1"; }
names() { { tar -tf "$LAYER" || echo "no list of the layer"; } | { grep -vxF ./ || true; } | tr '\n' ' '; }
same() { [ "$1" = "$2" ] || { printf 'got:    %q\nwanted: %q\n' "$1" "$2"; return 1; }; }

add_test() {
	need_sshd "$1"
	AGENT=$SSH/$1.sock build "$1" --ssh default <<<"FROM scratch
ADD $URL/r.git /x"
	layer "$1"
	same "$(names)" "x/ x/Buildfile x/dir/ x/dir/deep x/file "
	same "$(content x/file)" two
	build "$1" --ssh "default=$SSH/$1.sock" <<<"FROM scratch
ADD --checksum=$(git -C "$T/work" rev-parse v1) $URL/r.git#v1:dir /y/"
	layer "$1"
	same "$(names)" "y/ y/deep "
	# what is known is not asked for again
	build "$1" <<<"FROM scratch
ADD $URL/r.git#$(git -C "$T/work" rev-parse HEAD) /z" && return 1
	build "$1" --ssh "default=$SSH/$1.sock" <<<"FROM scratch
ADD $URL/r.git#$(git -C "$T/work" rev-parse HEAD) /z"
	build "$1" <<<"FROM scratch
ADD $URL/r.git#$(git -C "$T/work" rev-parse HEAD) /z"
	grep -q CACHED <<<"$OUTPUT"
	assert_store_idle "$([ "$1" = root ] && echo "$ROOT_STORE" || echo "$USER_STORE")"
}
@test "ADD of a repository over ssh, with the agent that was lent (root)" { add_test root; }
@test "ADD of a repository over ssh, with the agent that was lent (user)" { add_test user; }

refused_test() {
	local from="FROM scratch
ADD $URL/r.git /x"
	need_sshd "$1"
	# the agent of the environment is not the Buildfile's
	AGENT=$SSH/$1.sock fails "$1" 3 "Buildfile:2:5: ADD: '$URL/r.git' is reached over ssh, and no SSH agent was lent" <<<"$from"
	grep -q "hint: imgbuild --ssh default lends" <<<"$OUTPUT"
	[ "$1" = root ] || {
		fails user 4 "Permission denied (publickey)" --ssh "default=$SSH/stranger.sock" <<<"$from"
		grep -q "hint: ssh-add -l" <<<"$OUTPUT"
	}
	fails "$1" 4 "git repository '$URL/none.git': " --ssh "default=$SSH/$1.sock" <<<"FROM scratch
ADD $URL/none.git /x"
	fails "$1" 3 "it has no branch or tag 'none'" --ssh "default=$SSH/$1.sock" <<<"FROM scratch
ADD $URL/r.git#none /x"
}
@test "over ssh: no agent, a key that is not known there, no repository (root)" { refused_test root; }
@test "over ssh: no agent, a key that is not known there, no repository (user)" { refused_test user; }

host_key_test() {
	local from="FROM scratch
ADD $URL/r.git /x"
	need_sshd "$1"
	HOME_DIR=$T/nobody
	mkdir -p "$HOME_DIR/.ssh"
	chmod -R a+rX "$HOME_DIR"
	rm -f "$HOME_DIR/.ssh/known_hosts"
	fails "$1" 4 "Host key verification failed" --ssh "default=$SSH/$1.sock" <<<"$from"
	grep -qF "hint: the server's key is not, or not so, in $HOME_DIR/.ssh/known_hosts" <<<"$OUTPUT"
	# nobody wrote it there
	[ ! -e "$HOME_DIR/.ssh/known_hosts" ]
	printf '[127.0.0.1]:%s %s\n' "$PORT" "$(cut -d' ' -f1,2 "$SSH/other-host.pub")" >"$HOME_DIR/.ssh/known_hosts"
	fails "$1" 4 "Host key verification failed" --ssh "default=$SSH/$1.sock" <<<"$from"
}
@test "over ssh: only a server whose key the user knows (root)" { host_key_test root; }
@test "over ssh: only a server whose key the user knows (user)" { host_key_test user; }

@test "over ssh: the file of known keys may have a blank in its name, and no dollar" {
	need_sshd root
	mkdir -p "$T/with blank/.ssh" "$T/with\$x/.ssh"
	cp "$T/home/.ssh/known_hosts" "$T/with blank/.ssh/"
	printf 'FROM scratch\nADD %s /x\n' "$URL/r.git" >"$CTX/Buildfile"
	HOME="$T/with blank" as root imgbuild --no-cache --ssh "default=$SSH/root.sock" "$CTX"
	run env HOME="$T/with\$x" IMGBUILD_ROOT="$ROOT_STORE" imgbuild --no-cache --ssh "default=$SSH/root.sock" "$CTX"
	same "$status" 3
	[[ $output == *"ssh cannot be told of a file with the name '$T/with\$x/.ssh/known_hosts'"* ]]
}

context_test() {
	need_sshd "$1"
	AGENT=$SSH/$1.sock run_build "$1" "$URL/r.git"
	layer "$1"
	same "$(names) $(content from-ssh)" "from-ssh  two"
	run_build "$1" --ssh "default=$SSH/$1.sock" "$URL/r.git#v1"
	layer "$1"
	same "$(content from-ssh)" one
	AGENT=$SSH/$1.sock build "$1" --build-context "r=$URL/r.git#v1" <<<"FROM scratch
COPY --from=r dir/deep /"
	layer "$1"
	same "$(names)" "deep "
	run_build "$1" "$URL/r.git" && return 1
	same "$status" 3
	[[ $OUTPUT == *"'$URL/r.git' is reached over ssh, and no SSH agent was lent"* ]]
}
@test "a context over ssh, with the user's own agent (root)" { context_test root; }
@test "a context over ssh, with the user's own agent (user)" { context_test user; }

@test "over ssh: without ssh it is told" {
	need_sshd root
	local tool
	mkdir "$T/bin"
	for tool in git sh; do ln -s "$(command -v $tool)" "$T/bin/$tool"; done
	printf 'FROM scratch\nADD %s /x\n' "$URL/r.git" >"$CTX/Buildfile"
	run env PATH="$T/bin" HOME="$T/home" IMGBUILD_ROOT="$ROOT_STORE" "$top_builddir/imgbuild" --no-cache --ssh "default=$SSH/root.sock" "$CTX"
	same "$status" 5
	[[ $output == *"ssh is not installed, and a git repository is asked for over it"* ]]
}

@test "git@host:path, at the port of ssh" {
	need_sshd root
	command -v busybox >/dev/null && unshare -n true 2>/dev/null || skip "needs a network name space"
	write_config 22 >"$SSH/config22"
	sed -i "s|^PidFile .*|PidFile $SSH/pid22|" "$SSH/config22"
	mkdir -p "$T/home22/.ssh"
	printf '127.0.0.1 %s\n' "$(cut -d' ' -f1,2 "$SSH/host.pub")" >"$T/home22/.ssh/known_hosts"
	printf 'FROM scratch\nADD %s@127.0.0.1:%s#v1:dir /x/\n' "$(login)" "$T/git/r.git" >"$CTX/Buildfile"
	export -f as as_user user_home user_runtime
	export CTX TEST_USER ROOT_STORE
	unshare -n bash -ec '
		busybox ip link set lo up
		echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start
		as_user /usr/sbin/sshd -f "$SSH/config22" -E "$SSH/log22" 3>&-
		for _ in $(seq 100); do [ ! -s "$SSH/pid22" ] || break; sleep 0.05; done
		status=0
		HOME=$T/home22 as root imgbuild -t test --ssh "default=$SSH/root.sock" "$CTX" || status=$?
		kill "$(cat "$SSH/pid22")"
		exit $status'
	layer root
	same "$(names)" "x/ x/deep "
}
