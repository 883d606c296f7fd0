#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# imgstore mount and umount of containers, by each of the storage drivers: what is written there stays the container's,
# whoever is killed under way.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
	command -v jq >/dev/null || skip "needs jq"
	make_scratch
	export SOURCE_DATE_EPOCH=1700000000
	unset IMGBUILD_STORAGE_DRIVER
	import_busybox
	for who in root user; do
		! can_build $who || wanted $who
	done
}
teardown_file() { remove_scratch; }
setup() {
	C=c$BATS_TEST_NUMBER
	export C
}

need_driver() {
	[ "$(IMGBUILD_STORAGE_DRIVER=$2 as "$1" imgstore info --format json 2>/dev/null | jq -r .Driver)" = "$2" ] ||
		skip "the $2 driver cannot be used here"
}
# inside WHO DRIVER SCRIPT: in a mount namespace of its own, where WHO may mount; $T and $C are known
inside() {
	IMGBUILD_STORAGE_DRIVER=$2 as "$1" imgstore unshare unshare -m sh -euxc "T=\$1 C=\$2 PATH=\$3; $3" x "$T" "$C" "$PATH" >&2
}
# made WHO DRIVER: the container has changed and removed what is in the image, and made names of its own
made() {
	IMGBUILD_STORAGE_DRIVER=$2 as "$1" imgrun --name "$C" localhost/bb sh -c '
		echo one >/one; ln /one /two; rm /bin/arch; mkdir /d /old; echo x >/d/f; echo y >/old/g; rm -r /tmp; mkdir /tmp; echo y >/tmp/y
		chmod 700 /root; mkfifo /pipe; echo group >>/etc/group'
}
# what is done there afterwards, with the mount as $m
# shellcheck disable=SC2016
CHANGE='
	[ "$(cat "$m/one")" = one ]; [ "$(cat "$m/tmp/y")" = y ]; [ ! -e "$m/bin/arch" ]; [ -p "$m/pipe" ]; [ -e "$m/etc/hosts" ]
	echo more >>"$m/one"; [ "$(tail -n 1 "$m/two")" = more ]
	rm "$m/d/f"; mv "$m/d" "$m/e"; echo new >"$m/e/new"; rm -r "$m/tmp"; echo z >"$m/tmp"; rm -r "$m/old"; mkdir "$m/old"
	echo last >"$m/old/h"; ln -s /one "$m/link"; chown 7:8 "$m/etc/passwd"; rm "$m/bin/awk"; echo back >"$m/bin/arch"
	touch -h -d @1500000000 "$m/one" "$m/old" "$m/old/h" "$m/e" "$m/e/new" "$m/tmp" "$m/link" "$m/bin/arch" "$m/bin" "$m/pipe" "$m/etc/group" "$m/etc"'
changed() {
	cat <<-'E'
		/bin/arch /bin/awk /e /e/new /etc/group /etc/passwd /link /old /old/h /one /pipe /root /tmp /two
	E
}
# its_image WHO: what has become of the container, as a list of files
its_image() {
	as "$1" imgstore commit "$C" "image-$C" >&2
	image_tree "$1" "image-$C"
}

# wanted WHO: to $T/WHO-wanted, what the driver makes of it that is this host's first choice
wanted() {
	C=wanted
	made "$1" ''
	inside "$1" '' 'm=$(imgstore mount $C)
		'"$CHANGE"'
		imgstore umount $C'
	its_image "$1" >"$T/$1-wanted"
}

stays() {
	local who=$1 driver=$2
	need_driver "$who" "$driver"
	made "$who" "$driver"
	inside "$who" "$driver" 'm=$(imgstore mount $C); [ "$m" = "$(imgstore mount $C)" ]
		'"$CHANGE"'
		imgstore umount $C; [ ! -e "$m" ]
		if grep -F "$IMGBUILD_ROOT" /proc/self/mountinfo; then exit 1; fi'
	its_image "$who" >"$T/$who-$driver"
	# the names of one file are one, and the changes are all there, and nothing else
	grep -q '^/two .*same-as:/one\|^two .*same-as:one' "$T/$who-$driver" || { cat "$T/$who-$driver"; return 1; }
	[ "$(as "$who" imgstore diff --format json localhost/bb "image-$C" | jq -r '[.[].Path] | map(select(IN("/bin", "/etc") | not)) | sort | join(" ")')" = "$(changed)" ]
	diff "$T/$who-wanted" "$T/$who-$driver"
	assert_store_idle "$(store_of "$who")"
	as "$who" imgstore check --format json | jq -e '.Findings == []'
}
@test "what is written to a mounted container is its own: overlay (root)" { need_root; stays root overlay; }
@test "what is written to a mounted container is its own: overlay-mount (root)" { need_root; stays root overlay-mount; }
@test "what is written to a mounted container is its own: fuse (root)" { need_root; stays root fuse; }
@test "what is written to a mounted container is its own: copy (root)" { need_root; stays root copy; }
@test "what is written to a mounted container is its own: overlay (user)" { need_user; stays user overlay; }
@test "what is written to a mounted container is its own: overlay-mount (user)" { need_user; stays user overlay-mount; }
@test "what is written to a mounted container is its own: fuse (user)" { need_user; stays user fuse; }
@test "what is written to a mounted container is its own: copy (user)" { need_user; stays user copy; }

in_use() {
	local who=$1 driver=$2
	need_driver "$who" "$driver"
	made "$who" "$driver"
	inside "$who" "$driver" 'm=$(imgstore mount $C)
		for command in "rm $C" "commit $C x" "export $C" "reset --force"; do
			if imgstore $command >"$T/user/$C.out" 2>&1; then exit 1; fi
			grep "mounted at .$m" "$T/user/$C.out"
		done
		if imgstore rm localhost/bb 2>/dev/null; then exit 1; fi
		imgstore prune -a --force
		[ "$(cat "$m/one")" = one ]
		mkdir -p "$T/user/$C"
		if imgstore mount $C "$T/user/$C" 2>"$T/user/$C.out"; then exit 1; fi
		grep "is mounted at" "$T/user/$C.out"
		imgstore umount "$m"
		if imgstore umount $C 2>"$T/user/$C.out"; then exit 1; fi
		grep "is not mounted" "$T/user/$C.out"
		[ "$(imgstore mount $C "$T/user/$C")" = "$T/user/$C" ]
		if imgstore mount localhost/bb "$T/user/$C" 2>"$T/user/$C.out"; then exit 1; fi
		grep mounted "$T/user/$C.out"
		echo more >>"$T/user/$C/one"
		imgstore umount "$T/user/$C"
		[ -z "$(ls "$T/user/$C")" ]
		m=$(imgstore mount $C)
		[ "$(tail -n 1 "$m/two")" = more ]
		imgstore rm -f $C
		[ ! -e "$m" ]'
	as "$who" imgstore ps --format json | jq -e --arg c "$C" 'all(.[]; .Name != $c)'
	assert_store_idle "$(store_of "$who")"
}
@test "a mounted container is in use: overlay (root)" { need_root; in_use root overlay; }
@test "a mounted container is in use: fuse (root)" { need_root; in_use root fuse; }
@test "a mounted container is in use: copy (root)" { need_root; in_use root copy; }
@test "a mounted container is in use: overlay (user)" { need_user; in_use user overlay; }
@test "a mounted container is in use: fuse (user)" { need_user; in_use user fuse; }
@test "a mounted container is in use: copy (user)" { need_user; in_use user copy; }

# its namespace goes, with all that is in it: nobody has unmounted anything
left() {
	local who=$1 driver=$2 m
	need_driver "$who" "$driver"
	made "$who" "$driver"
	inside "$who" "$driver" 'm=$(imgstore mount $C)
		'"$CHANGE"'
		kill -9 $$' || true
	# the daemon is no child of anybody's who waits
	[ "$driver" != fuse ] || sleep 1
	its_image "$who" >"$T/left"
	diff "$T/left" "$T/$who-wanted"
	as "$who" imgstore rm "$C"
	assert_store_idle "$(store_of "$who")"
	as "$who" imgstore check --format json | jq -e '.Findings == []'
}
@test "a mount that was left, and what was written: overlay (root)" { need_root; left root overlay; }
@test "a mount that was left, and what was written: fuse (root)" { need_root; left root fuse; }
@test "a mount that was left, and what was written: copy (root)" { need_root; left root copy; }
@test "a mount that was left, and what was written: overlay (user)" { need_user; left user overlay; }
@test "a mount that was left, and what was written: fuse (user)" { need_user; left user fuse; }
@test "a mount that was left, and what was written: copy (user)" { need_user; left user copy; }

# until_done CMD…: killed later and later, until it came to its end with $status; in $killed how often
until_done() {
	local delay
	for delay in 001 002 003 004 005 006 008 010 012 015 02 03 05 08 1 2 4 8; do
		IMGBUILD_ROOT=$ROOT_STORE imgstore "$@" 2>"$T/said" 3>&- &
		sleep "0.$delay"
		kill -9 $! 2>/dev/null || true
		status=0
		wait $! || status=$?
		[ "$status" = 137 ] || return 0
		killed=$((killed + 1))
	done
}
@test "umount is killed again and again, by the copy driver: nothing is lost" {
	need_root
	made root copy
	killed=0
	IMGBUILD_STORAGE_DRIVER=copy as root imgstore mount "$C" >"$T/where"
	m=$(cat "$T/where")
	mkdir "$m/many"
	(cd "$m/many" && seq 2000 | xargs mkdir && for i in $(seq 2000); do echo "$i" >"$i/f"; done)
	eval "$CHANGE"
	rm -r "$m/many/7" && echo file >"$m/many/7"
	# whoever comes next goes on where the one before was killed
	until_done umount "$C"
	[ "$status" = 0 ] || grep "is not mounted" "$T/said"
	until_done export -o "$T/killed.tar" "$C"
	[ "$status" = 0 ]
	echo "$killed killed"
	[ "$killed" -ge 2 ]
	its_image root >"$T/killed"
	[ "$(grep -c '^/*many/[0-9]*/f ' "$T/killed")" = 1999 ]
	# the times of directories alone are those of the end
	diff <(grep -v '^/*many' "$T/killed" | sed '/ dir /s/ @.*//') <(sed '/ dir /s/ @.*//' "$T/root-wanted")
	assert_store_idle "$ROOT_STORE"
}

# a mount that is there is known, whenever who made it was killed
killed_mount() {
	local driver=$1
	need_root
	need_driver root "$driver"
	made root overlay
	IMGBUILD_STORAGE_DRIVER=$driver IMGBUILD_ROOT=$ROOT_STORE unshare -m bash -euc '
		killed=0 mounted=0
		for delay in 001 002 003 004 005 006 007 008 009 010 012 014 016 018 02 03 05 1 2 4 8; do
			for what in localhost/bb "$1"; do
				imgstore mount "$what" >"$2" 2>&1 &
				sleep "0.$delay"
				! kill -9 $! 2>/dev/null || killed=$((killed + 1))
				wait $! 2>/dev/null || true
				before=$(grep -cF "$IMGBUILD_ROOT/mounts/" /proc/self/mountinfo || true)
				status=0
				imgstore umount "$what" 2>"$2" || status=$?
				# who was killed a moment ago may have the container yet
				for i in $(seq 100); do grep -q "is running" "$2" || break; sleep 0.02; status=0; imgstore umount "$what" 2>"$2" || status=$?; done
				echo "$what after $delay: $before mounted, status $status: $(cat "$2")"
				[ "$before" = 0 ] || { mounted=$((mounted + 1)); [ "$status" = 0 ]; }
				if grep -F "$IMGBUILD_ROOT/mounts/" /proc/self/mountinfo; then exit 1; fi
			done
		done
		echo "$killed killed, $mounted mounted"
		[ "$killed" -gt 2 ]
		[ "$mounted" -ge 2 ]' x "$C" "$T/said" >&2
	as root imgstore commit "$C" "killed-$C"
	as root imgstore rm "$C"
	as root imgstore check --format json | jq -e '.Findings == []'
	assert_store_idle "$ROOT_STORE"
}
@test "a mount that was killed is known when it is there: overlay" { killed_mount overlay; }
@test "a mount that was killed is known when it is there: copy" { killed_mount copy; }
@test "a mount that was killed is known when it is there: fuse" { killed_mount fuse; }

@test "what a killed imgrun has written, by the copy driver, is in its container" {
	need_root
	IMGBUILD_ROOT=$ROOT_STORE IMGBUILD_STORAGE_DRIVER=copy imgrun --name "$C" localhost/bb sh -c "echo one >/one; rm /bin/arch; echo $T >/ready; sleep 60" 3>&- &
	for i in $(seq 200); do [ ! -s "$(find "$ROOT_STORE/containers" -path '*/work/tree/ready' 2>/dev/null)" ] || break; sleep 0.05; done
	kill -9 $!
	wait $! || true
	for i in $(seq 100); do ! as root imgstore commit "$C" killed 2>"$T/said" || break; sleep 0.05; done
	[ "$(as root imgstore diff --format json localhost/bb killed | jq -r '[.[].Path] | join(" ")')" = "/bin /bin/arch /one /ready" ]
	as root imgstore rm "$C"
}

running() {
	local who=$1 pid
	as "$who" imgrun -d --name "$C" localhost/bb sh -c 'echo inside >/f; sleep 60'
	for i in $(seq 100); do as "$who" imgstore exec "$C" test -e /f && break; sleep 0.05; done
	as "$who" imgstore mount "$C" >"$T/where"
	[[ $(cat "$T/where") == /proc/*/root ]]
	as "$who" cat "$(cat "$T/where")/f" >"$T/said"
	[ "$(cat "$T/said")" = inside ]
	refused "$who" 3 "is running" imgstore mount "$C" "$T/user"
	as "$who" imgstore umount "$C"
	if [ "$who" = user ]; then
		run as user imgstore unshare imgstore mount "$C"
		[[ $output == *"outside of imgstore unshare"* ]]
	fi
	as "$who" imgstore rm -f "$C"
}
@test "the files of a running container (root)" { need_root; running root; }
@test "the files of a running container (user)" { need_user; running user; }

@test "where nothing can be mounted, a container's files are in a directory" {
	need_root
	export IMGBUILD_ISOLATION=chroot ROOT_STORE=$T/chroot-store
	as root imgstore import "$T/bb.tar" localhost/bb >&2
	as root imgrun --name "$C" localhost/bb sh -c 'echo one >/one; rm /bin/arch'
	m=$(as root imgstore mount "$C")
	[ "$m" = "$(as root imgstore mount "$C")" ]
	[ "$(cat "$m/one")" = one ]
	[ ! -e "$m/bin/arch" ]
	echo two >"$m/two"
	refused root 3 "is mounted at" imgstore rm "$C"
	refused root 3 "this host allows no mount" imgstore mount "$C" "$T/user"
	as root imgstore umount "$C"
	[ ! -e "$m" ]
	as root imgstore commit "$C" committed
	as root imgstore diff localhost/bb committed
	[ "$(as root imgstore diff --format json localhost/bb committed | jq -r '[.[].Path] | map(select(. != "/bin")) | join(" ")')" = "/bin/arch /one /two" ]
	as root imgstore check
}

@test "what mount and umount refuse" {
	need_root
	as root imgrun --name "$C" localhost/bb true
	refused root 2 "--platform is for images, and '$C' is a container" imgstore mount --platform linux/amd64 "$C"
	refused root 2 "--idmap is for images, and '$C' is a container" imgstore mount --idmap 0:1000:1000 "$C" "$T/user"
	refused root 3 "container '$C' is not mounted" imgstore umount "$C"
	refused root 3 "image 'localhost/bb' is not mounted" imgstore umount localhost/bb
	refused root 3 "there is no image and no container 'nothing'" imgstore mount nothing
	refused root 3 "no image or container is mounted at or called 'nothing'" imgstore umount nothing
	refused root 3 "is not a directory" imgstore mount "$C" "$T/bb.tar"
}
