#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The same Buildfiles built by docker (BuildKit) and by us give the same image: every file with its mode, owner, times,
# links and attributes, and the config and history with all their words. What differs on purpose stands in the case's own
# file "differences", as lines of diff(1), docker's first; doc/docker-differences.md has the reasons.
#
#   docker/NAME/Buildfile, and the context beside it
#   docker/NAME/prepare        what git cannot keep: run in a copy of the context
#   docker/NAME/options        options of both builders, one a line; @T@ is the scratch directory
#   docker/NAME/differences    after a line "#" with the reasons

load lib
load peers

EPOCH=1700000000        # what is made during a build is from then, or later
CONTEXT_TIME=1600000000 # unless "prepare" sets another one

setup_file() {
	is_root || return 0
	command -v dockerd >/dev/null || return 0
	export SOURCE_DATE_EPOCH=$EPOCH
	# dockerd waits for the disk more than for anything else
	[ -n "${TMPDIR-}" ] || ! is_roomy /dev/shm || export TMPDIR=/dev/shm
	make_scratch
	peers_setup
	busybox_tar "$T/bare.tar"
	mkdir -p "$T/http/files" "$T/theirs" "$T/ours"
	docker_start
	bases
	printf 'known-secret\n' >"$T/secret"
	chmod 644 "$T/secret"
	start_agent
	start_server
}
is_roomy() { # a tmpfs of 4 GiB and more whose programs may run
	[ "$(findmnt -n -o FSTYPE -T "$1")" = tmpfs ] || return 1
	[[ $(findmnt -n -o OPTIONS -T "$1") != *noexec* ]] || return 1
	[ "$(df --output=avail -BG "$1" | tail -1 | tr -dc 0-9)" -ge 4 ]
}
teardown_file() {
	[ -n "${T-}" ] || return 0
	for pid in $(cat "$T"/*.pid 2>/dev/null); do kill "$pid" 2>/dev/null || true; done
	docker_stop
	peers_unmount
	remove_scratch
}
setup() {
	need_root
	command -v dockerd >/dev/null || skip "dockerd is not installed"
}

# share NAME: an image of root's store for docker and for the ordinary user
share() {
	as root imgpush -q "localhost/$1" "docker-archive:$T/$1.tar:localhost/$1:latest" >/dev/null
	p_docker load -q -i "$T/$1.tar" >&2
	! have_user || as user imgpull -q "docker-archive:$T/$1.tar" >&2
	rm "$T/$1.tar"
}
bases() {
	local name
	as root imgstore import "$T/bare.tar" localhost/bare >&2
	share bare
	for name in base rich; do
		context_of "$name" "$T/$name"
		as root imgbuild -q -t "localhost/$name" "$T/$name" >&2
		share "$name"
	done
}
# a Debian for the tests that need one, made once
debian() {
	[ ! -e "$T/no-debian" ] || skip "mmdebstrap cannot make a Debian here"
	[ ! -e "$T/has-debian" ] || return 0
	IMGSTORE=$top_builddir/imgstore as root "$top_srcdir/Buildfile-examples/debian/prepare" \
		"${IMGBUILD_TEST_DEBIAN_TAR:-$T/debian.tar}" >&2 || {
		touch "$T/no-debian"
		skip "mmdebstrap cannot make a Debian here"
	}
	context_of debian "$T/debian"
	as root imgbuild -q -t localhost/debian "$T/debian" >&2
	share debian
	touch "$T/has-debian"
}
start_agent() {
	command -v ssh-agent >/dev/null || return 0
	ssh-agent -D -a "$T/agent" >/dev/null 2>&1 3>&- 4>&- &
	echo $! >"$T/agent.pid"
	ssh-keygen -q -t ed25519 -N '' -f "$T/key"
	for _ in $(seq 50); do [ ! -S "$T/agent" ] || break; sleep 0.1; done
	SSH_AUTH_SOCK=$T/agent ssh-add -q "$T/key"
	! have_user || { chmod 666 "$T/agent" && chown "$TEST_USER" "$T/agent"; }
}
start_server() {
	printf 'from afar\n' >"$T/http/files/afar.txt"
	tar --mtime=@1500000000 --owner=3 --group=4 --numeric-owner -C "$T/http/files" -czf "$T/http/files/afar.tar.gz" afar.txt
	touch -d @1500000000 "$T/http/files/"*
	python3 "$top_srcdir/tests/fetch-server.py" "$T/http" >/dev/null 2>&1 3>&- 4>&- &
	echo $! >"$T/server.pid"
	for _ in $(seq 50); do [ ! -s "$T/http/port" ] || break; sleep 0.1; done
}

# context_of CASE DIR: its context, with times that every checkout has, readable by everyone
context_of() {
	local dir=$2
	cp -r "$top_srcdir/tests/docker/$1" "$dir"
	rm -f "$dir/differences" "$dir/options"
	chmod -R u=rwX,go=rX "$dir"
	if [ -f "$dir/prepare" ]; then chmod 755 "$dir/prepare"; fi
	! have_user || chown -R "$TEST_USER:" "$dir"
	touch_all "$dir"
	[ ! -f "$dir/prepare" ] || (
		cd "$dir"
		if have_user; then as_user sh -eu prepare; else sh -eu prepare; fi
	)
	rm -f "$dir/prepare"
	find "$dir" -newermt @$EPOCH -exec touch -h -d @$CONTEXT_TIME {} +
}
touch_all() { find "$1" -exec touch -h -d @$CONTEXT_TIME {} +; }

options_of() { # into OPTIONS
	OPTIONS=()
	local port
	port=$(cat "$T/http/port")
	[ ! -f "$top_srcdir/tests/docker/$1/options" ] ||
		mapfile -t OPTIONS < <(sed "s|@T@|$T|g;s|@PORT@|$port|g" "$top_srcdir/tests/docker/$1/options")
}

text_of() { # text_of ARCHIVE DIR CASE; the server's port is another one each time
	local port
	port=$(cat "$T/http/port")
	python3 "$top_srcdir/tests/image-text.py" "$1" "$2" $EPOCH
	sed -i "s/127\.0\.0\.1:$port/HERE/;s/PORT=$port/PORT=HERE/" "$2/$3"
}
by_docker() { # by_docker CASE CONTEXT
	DOCKER_BUILDKIT=1 p_docker build -q --network host --no-cache -t "localhost/$1" -f "$2/Buildfile" "${OPTIONS[@]}" "$2" >"$T/$1.docker" 2>&1 || {
		tail -20 "$T/$1.docker"
		return 1
	}
	p_docker save -o "$T/$1.theirs.tar" "localhost/$1"
	text_of "$T/$1.theirs.tar" "$T/theirs" "$1"
	rm "$T/$1.theirs.tar"
}
by_us() { # by_us WHO CASE CONTEXT
	as "$1" imgbuild -q --no-cache -t "localhost/$2" -f "$3/Buildfile" "${OPTIONS[@]}" "$3" >"$T/$2.$1"
}

# alike CASE: docker's image and ours differ in what the case says and in nothing else, and root's and the user's in nothing
alike() {
	local dir=$T/ctx-$1 expected=$top_srcdir/tests/docker/$1/differences docker
	context_of "$1" "$dir"
	options_of "$1"
	by_docker "$1" "$dir" &
	docker=$!
	by_us root "$1" "$dir"
	as root imgpush -q "localhost/$1" "docker-archive:$T/$1.ours.tar:localhost/$1:latest" >/dev/null
	text_of "$T/$1.ours.tar" "$T/ours" "$1"
	wait $docker
	rm -rf "$T/$1.ours.tar"
	diff "$T/theirs/$1" "$T/ours/$1" | grep '^[<>]' >"$T/differences" || true
	# what cannot be the same by a driver: a directory that mv renames there, it copies in a union
	[ ! -f "$expected-${IMGBUILD_STORAGE_DRIVER-}" ] || expected=$expected-$IMGBUILD_STORAGE_DRIVER
	[ -f "$expected" ] || expected=/dev/null
	diff -U0 <(grep -v '^#' "$expected") "$T/differences" || return 1
	[ "${2-}" != root-only ] && have_user || return 0
	by_us user "$1" "$dir"
	cmp "$T/$1.root" "$T/$1.user" || {
		as user imgpush -q "localhost/$1" "docker-archive:$T/user/$1.tar:localhost/$1:latest" >/dev/null
		mkdir -p "$T/users"
		text_of "$T/user/$1.tar" "$T/users" "$1"
		diff "$T/ours/$1" "$T/users/$1"
		return 1
	}
}

@test "RUN: what a base lacks to mount on leaves no trace" { alike bare; }
@test "RUN: files deleted, renamed, linked, of other modes and owners" { alike run-files; }
@test "RUN: directories deleted, renamed, replaced" { alike run-trees; }
@test "RUN: what changes and is as it was, the root directory" { alike run-metadata; }
@test "RUN: shell form, exec form, SHELL, environment" { alike run-forms; }
@test "RUN: devices, large ids" { alike devices root-only; }
@test "RUN: names of all kinds" { alike names; }
@test "RUN: owners, old times, holes, many files, every mode" { alike numbers; }
@test "RUN: capabilities and extended attributes" { debian; alike attributes; }
@test "RUN: apt-get and dpkg on Debian" { debian; alike packages; }
@test "COPY: where things go" { alike copy-place; }
@test "COPY: links in the image and in the context" { alike copy-links; }
@test "COPY: paths with dots, hard links, a mode from below" { alike copy-names; }
@test "COPY: onto links" { alike copy-over-links; }
@test "COPY: wildcards" { alike copy-globs; }
@test "COPY: --chown" { alike copy-chown; }
@test "COPY: --chmod" { alike copy-chmod; }
@test "COPY: --from stages and images" { alike copy-from; }
@test "COPY: --from through links" { alike copy-from-links; }
@test "COPY: directories above" { alike parents; }
@test "COPY: .dockerignore" { alike ignore; }
@test "ADD: archives" { alike add-archives; }
@test "ADD: members of archives, of all dialects" { alike add-members; }
@test "ADD: URLs" { alike add-url; }
@test "ARG and ENV: scopes, quotes, expansion" { alike variables; }
@test "ENV, ARG, LABEL: words and their quotes" { alike words; }
@test "ARG: platforms and proxies" { alike platform-args; }
@test "stages: several, one FROM the other, one not needed" { alike stages; }
@test "stages: --target, --label" { alike target; }
@test "config: everything in shell form" { alike config; }
@test "config: exec form, quotes" { alike config-exec; }
@test "config: what a child inherits and resets" { alike config-child; }
@test "config: what a grandchild inherits" { alike config-grandchild; }
@test "config: the last one counts" { alike reset; }
@test "ONBUILD: triggers kept" { alike onbuild; }
@test "ONBUILD: triggers that run" { alike onbuild-child; }
@test "WORKDIR and USER" { alike workdir-user; }
@test "WORKDIR: paths through links, owners" { alike workdir-paths; }
@test "VOLUME: changes below are kept" { alike volume; }
@test "RUN --mount: bind, tmpfs" { alike mount-bind; }
@test "RUN --mount: cache" { alike mount-cache; }
@test "RUN --mount: secret, ssh" {
	[ -S "$T/agent" ] || skip "ssh-agent is not installed"
	alike mount-secret
}
@test "another escape, lower case, comments between lines" { alike escape; }
@test "a web application" { alike web-app; }
