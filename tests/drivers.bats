#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The storage drivers: the same image by each of them, which one is taken and why, and what the one
# without mounts leaves behind.

load lib

setup_file() {
	command -v jq >/dev/null || skip "needs jq"
	make_scratch
	export SOURCE_DATE_EPOCH=1700000000
	unset IMGBUILD_STORAGE_DRIVER
	busybox_tar "$T/bb.tar"
	chmod 644 "$T/bb.tar"
	for who in root user; do
		case $who in
		root) is_root || continue ;;
		user) have_user || continue ;;
		esac
		as $who imgstore import "$T/bb.tar" localhost/bb >&2
	done
	mkdir "$T/context"
	printf 'content\n' >"$T/context/f"
	tar -C "$T/context" -cf "$T/context/a.tar" f
}
teardown_file() { remove_scratch; }

same() { [ "$1" = "$2" ] || { printf 'got:    %s\nwanted: %s\n' "$1" "$2"; return 1; }; }
# build WHO DRIVER: the Buildfile is on stdin; the layers' diff IDs in $LAYERS, all steps done anew
build() {
	cat >"$T/context/Buildfile"
	IMGBUILD_STORAGE_DRIVER=$2 as "$1" imgbuild --no-cache --progress=plain -t "drivers-$2" "$T/context" >"$T/said" 2>&1 || {
		cat "$T/said"
		return 1
	}
	LAYERS=$(as "$1" imgstore inspect "drivers-$2" | jq -c '.[0].RootFS.Layers')
}
# equal WHO: the Buildfile on stdin gives the same layers by each driver
equal() {
	local text overlay
	text=$(cat)
	build "$1" overlay <<<"$text"
	overlay=$LAYERS
	for driver in $(drivers); do
		build "$1" "$driver" <<<"$text"
		same "$driver $LAYERS" "$driver $overlay"
	done
}
# Those beside overlay that can be used here
drivers() {
	echo overlay-mount
	[ ! -w /dev/fuse ] || [ ! -x "$top_builddir/imgoverlay" ] || echo fuse
	echo copy
}
# preload: $T/no-overlay.so, by which this kernel seems to have none
preload() {
	command -v cc >/dev/null || skip "needs a compiler"
	cc -shared -fPIC -o "$T/no-overlay.so" "$top_srcdir/tests/no-overlay.c"
	chmod 755 "$T/no-overlay.so"
	# what was tried out before is not asked again
	for who in root user; do
		rm -f "$(store_of $who)"/cache/overlay-* 2>/dev/null || as $who imgstore unshare sh -c 'rm -f "$1"/cache/overlay-*' x "$(store_of $who)"
	done
}
need_fuse() { drivers | grep -q fuse || skip "needs /dev/fuse, and imgoverlay built"; }

contents() {
	equal "$1" <<-'E'
		FROM localhost/bb AS one
		RUN mkdir -p /d/e /gone /kept && echo 1 >/d/e/f && echo 2 >/gone/f && echo 3 >/kept/f && mkfifo /pipe && ln /d/e/f /d/hard && ln -s d /link
		RUN echo more >>/d/e/f && rm -r /gone && chmod 700 /kept && chown 1:2 /link && touch -d @1000000000 /kept/f
		RUN rm -r /d && mkdir /d && echo new >/d/new && rm /bin/arch && echo x >/bin/arch && rm /bin/awk /pipe
		RUN rm /kept/f && mkdir /kept/f && rm -r /kept/f && mkdir /kept/f && mv /d /moved && rm /link && mkdir /link
		RUN true
		RUN rm -r /kept && mkdir /kept && rm -r /etc && mkdir /etc && echo new >/etc/new
		RUN chmod 4755 /bin/busybox && chmod 755 /bin/busybox && touch -d @1700000000 /bin/busybox; echo a >/etc/hosts; rm -f /etc/resolv.conf; ln -s /x /etc/resolv.conf
		RUN dd if=/dev/zero of=/sparse bs=1 count=1 seek=5000000 2>/dev/null && echo >>/sparse
		FROM localhost/bb
		WORKDIR /w/x
		COPY f /c/
		ADD a.tar /bin/
		COPY --from=one /moved /moved2
		RUN --mount=type=bind,from=one,target=/m,rw echo thrown >/m/away && cp /m/moved/new /w/n && rm /m/moved/new
		RUN --mount=type=bind,from=one,target=/m [ -e /m/moved/new ] && ! echo x 2>/dev/null >/m/x
	E
}
@test "one image by all (root)" { need_root; contents root; }
@test "one image by all (user)" { need_user; contents user; }

shown() { # WHO DRIVER: m and added of the mounted image
	IMGBUILD_STORAGE_DRIVER=$2 as "$1" imgstore unshare sh -euc 'm=$(imgstore mount drivers-overlay) &&
		python3 "$0" --whole "$m" && imgstore umount drivers-overlay' "$top_srcdir/tests/dump-tree.py" | grep -E '^(m|added)'
}
marks() { # an image's own files with the names that overlays' marks have
	local out
	out=$(dirname "$(store_of "$1")")/marks-$1
	python3 "$top_srcdir/tests/make-tar.py" "$T/context/marks.tar" <<-'END'
		dir m pax:SCHILY.xattr.user.overlay.opaque=y
		file m/new content=n pax:SCHILY.xattr.user.overlay.metacopy=m pax:SCHILY.xattr.user.fuseoverlayfs.origin=o
		file m/none pax:SCHILY.xattr.user.overlay.whiteout=y
		dir m/to pax:SCHILY.xattr.user.overlay.redirect=/bin
	END
	chmod 644 "$T/context/marks.tar"
	as "$1" imgstore import "$T/context/marks.tar" localhost/marks >&2
	equal "$1" <<-'E'
		FROM localhost/marks AS marks
		FROM localhost/bb
		COPY --from=marks /m /m
		RUN echo x >/m/low
		RUN [ -e /m/none ] && [ -z "$(ls /m/to)" ] && chmod 700 /m /m/to && echo x >>/m/new && [ -e /m/low ]
		ADD marks.tar /added/
	E
	as "$1" imgpush -q --compression none drivers-overlay "oci:$out" >&2
	[ "$(grep -rac 'SCHILY.xattr.user.overlay.opaque=y' "$out/blobs" | grep -vc ':0$')" = 4 ]
	# and who looks at the image sees them so
	shown "$1" overlay >"$T/seen"
	grep -q '^m dir .* user.overlay.opaque=79 ' "$T/seen"
	for driver in $(drivers); do shown "$1" "$driver" | diff "$T/seen" -; done
}
@test "attributes called like marks of an overlay are the image's (root)" { need_root; marks root; }
@test "attributes called like marks of an overlay are the image's (user)" { need_user; marks user; }

set_marks() { # attributes with the names of marks, set by steps
	cp "$top_builddir/tests/step-tool" "$T/context/"
	equal "$1" <<-'E'
		FROM localhost/bb
		COPY step-tool /bin/
		RUN mkdir -p /m/sub && echo x >/m/f && for f in /m /m/sub /m/f; do step-tool xattr $f user.overlay.opaque 79; done
		RUN [ -e /m/f ] && mkdir /m/n && step-tool xattr /m user.overlay.redirect 2f78 && step-tool xattr /m/f user.overlay.whiteout 79
		RUN [ -e /m/f ] && echo y >>/m/f && echo z >/m/sub/g
	E
}
@test "attributes called like marks that a step sets are the files' by all (root)" { need_root; set_marks root; }
@test "attributes called like marks that a step sets are the files' by all (user)" { need_user; set_marks user; }
taken_away() { # by a layer, from a directory
	python3 "$top_srcdir/tests/make-tar.py" "$T/with.tar" <<-'END'
		dir d pax:SCHILY.xattr.user.a=1 pax:SCHILY.xattr.user.b=1
		dir d/sub
	END
	python3 "$top_srcdir/tests/make-tar.py" "$T/without.tar" <<-'END'
		dir d pax:SCHILY.xattr.user.b=2
	END
	python3 "$top_srcdir/tests/layout-of.py" "$T/taken-$1" latest "$T/bb.tar" "$T/with.tar" "$T/without.tar"
	chmod -R a+rX "$T/taken-$1"
	as "$1" imgpull -q "oci:$T/taken-$1:latest" localhost/taken >&2
	equal "$1" <<-'E'
		FROM localhost/taken
		RUN [ -d /d/sub ] && touch /d/new
	E
}
@test "an attribute that a layer takes away from a directory is gone by all (root)" { need_root; taken_away root; }
@test "an attribute that a layer takes away from a directory is gone by all (user)" { need_user; taken_away user; }

# A file that is changed in the very moment after the tree was made, with its size and time kept
at_once() {
	equal "$1" <<-'E'
		FROM localhost/bb
		RUN touch -r /etc/group /bin/t && echo "toor:x:0:" >/g && cat /etc/group | sed 1d >>/g && cat /g >/etc/group && touch -r /bin/t /etc/group && rm /bin/t /g
	E
	build "$1" copy <<<$'FROM drivers-copy\nRUN grep -q toor /etc/group\n'
}
@test "content of the same size and time (root)" { need_root; at_once root; }
@test "content of the same size and time (user)" { need_user; at_once user; }

# What a command of the copy driver does must not reach the layers below it
untouched() {
	local driver
	for driver in $(drivers); do untouched_by "$1" "$driver"; done
}
untouched_by() {
	build "$1" "$2" <<<$'FROM localhost/bb\nRUN echo lower >/f && ln /f /g && ln -s f /l && mkdir /d\n'
	build "$1" "$2" <<<$'FROM drivers-'"$2"$'\nRUN echo changed >/f && chown -h 5:5 /l && chmod 0 /d && touch -d @1 /g /bin/busybox\n'
	build "$1" "$2" <<<$'FROM localhost/bb\nRUN echo lower >/f && ln /f /g && ln -s f /l && mkdir /d\nRUN [ "$(cat /f)" = lower ] && [ "$(stat -c %u /l)" = 0 ] && [ "$(stat -c %a /d)" = 755 ]\n'
	IMGBUILD_STORAGE_DRIVER=$2 as "$1" imgrun --rm "drivers-$2" sh -c 'rm -rf /f; echo x >/etc/passwd'
	IMGBUILD_STORAGE_DRIVER=$2 as "$1" imgrun --rm "drivers-$2" cat /f
}
@test "layers stay what they are (root)" { need_root; untouched root; assert_store_idle "$ROOT_STORE"; }
@test "layers stay what they are (user)" { need_user; untouched user; }

@test "which driver is in use, and a name that is none" {
	need_root
	same "$(as root imgstore info --format json | jq -r .Driver)" overlay
	same "$(IMGBUILD_STORAGE_DRIVER=copy as root imgstore info --format json | jq -r .Driver)" copy
	IMGBUILD_STORAGE_DRIVER=zfs run as root imgrun --rm localhost/bb true
	same "$status" 125
	[[ $output == *"the storage driver is 'overlay' or 'overlay-mount' or 'fuse' or 'copy', not 'zfs'"* ]]
	run as root imgbuild --storage-driver=zfs "$T/context"
	same "$status" 2
	IMGBUILD_STORAGE_DRIVER=zfs as root imgrun --storage-driver=copy --rm localhost/bb true
}

# A store on an overlay, which may not be an upper of another. on_overlay SCRIPT: $1 is $T; what it says in $T/said
on_overlay() {
	rm -rf "$T/l" "$T/u" "$T/w" "$T/m"
	mkdir "$T/l" "$T/u" "$T/w" "$T/m"
	unshare -m --propagation private bash -euc '
		mount -t tmpfs tmpfs "$1/u" && mkdir "$1/u/u" "$1/u/w"
		mount -t overlay overlay -o lowerdir="$1/l",upperdir="$1/u/u",workdir="$1/u/w" "$1/m"
		export IMGBUILD_ROOT=$1/m/store
		'"$1"'
		imgstore import "$1/bb.tar" localhost/bb
		imgstore info
		printf "FROM localhost/bb\nRUN echo a >/a\nRUN cat /a\n" | imgbuild --progress=plain -t made -
		imgrun --rm made cat /a
		'"$2"'
	' x "$T" >"$T/said" 2>&1 || { cat "$T/said"; return 1; }
	cat "$T/said"
	grep -q '^Driver-overlay: cannot be used: ' "$T/said"
}
@test "where there is no overlayfs, the daemon serves, and it is said once" {
	need_root
	need_fuse
	preload
	printf 'FROM localhost/bb\nRUN echo a >/a; rm /bin/awk\nRUN cat /a; [ ! -e /bin/awk ]\n' >"$T/context/Buildfile"
	for who in root user; do
		[ $who = root ] || can_build user || continue
		LD_PRELOAD=$T/no-overlay.so EXTRA_ENV="LD_PRELOAD=$T/no-overlay.so" as $who \
			sh -c 'imgstore info; imgbuild --no-cache --progress=plain -t served "$1"; imgrun --rm served cat /a' x "$T/context" >"$T/said" 2>&1
		cat "$T/said"
		grep -qx 'Driver: fuse' "$T/said"
		grep -q '^Driver-overlay: cannot be used: mount layers: this kernel has no overlayfs' "$T/said"
		same "$(grep -c '^imgbuild: .*layers are put together by the fuse driver' "$T/said")" 1
		same "$(tail -1 "$T/said")" a
	done
}
build_deletions() { # localhost/wanted: files and directories that go, come again
	cat >"$T/context/Buildfile" <<-'E'
		FROM localhost/bb
		RUN mkdir -p /d/e && echo 1 >/d/f && echo 2 >/d/e/f && echo a >/a
		RUN rm /a /bin/awk /d/f && rm -r /d/e && mkdir /d/e && echo 3 >/d/e/g
		RUN [ ! -e /a ] && [ ! -e /d/e/f ] && cp /d/e/g /b && echo again >/d/f
		RUN rm -r /d && mkdir /d
	E
	as root imgbuild --no-cache -q -t localhost/wanted "$T/context"
}
# A disk that is an overlay takes no devices 0:0 either: deletions are marked in another way there
@test "where there is no FUSE either, copies are made, and it is said once" {
	need_root
	build_deletions
	as root imgpush -q localhost/wanted "oci:$T/wanted:x"
	on_overlay '[ ! -e /dev/fuse ] || mount --bind /dev/null /dev/fuse' '
		imgbuild --no-cache -q -t localhost/got "$1/context"
		imgstore inspect localhost/got | jq -c ".[0].RootFS.Layers" >"$1/got"
		imgpull -q "oci:$1/wanted:x" localhost/pulled
		imgrun --rm localhost/pulled sh -c "ls -A /d; cat /b; [ ! -e /a ] && [ ! -e /bin/awk ]"
		imgstore export localhost/pulled >"$1/pulled.tar"
		imgstore export localhost/got >"$1/got.tar"
		imgstore check
		d=$(imgstore mount made)
		cat "$d/a"
		not touch "$d/a"
		imgstore umount made
		[ -z "$(ls "$IMGBUILD_ROOT/views")" ]
		imgstore check'
	grep -qx 'Driver: copy' "$T/said"
	grep -q '^Driver-fuse: cannot be used: ' "$T/said"
	same "$(grep -c '^imgbuild: .*layers are put together by the copy driver' "$T/said")" 2
	same "$(cat "$T/got")" "$(as root imgstore inspect localhost/wanted | jq -c '.[0].RootFS.Layers')"
	as root imgstore export localhost/wanted | cmp - "$T/pulled.tar"
	cmp "$T/got.tar" "$T/pulled.tar"
}

@test "on a disk that is an overlay the daemon gives the same image as overlayfs elsewhere" {
	need_root
	need_fuse
	build_deletions
	on_overlay '' '
		imgbuild --no-cache -q -t localhost/got "$1/context"
		imgstore inspect localhost/got | jq -c ".[0].RootFS.Layers" >"$1/got"
		imgrun --rm localhost/got sh -c "ls -A /d; cat /b; [ ! -e /a ] && [ ! -e /bin/awk ]"
		IMGBUILD_STORAGE_DRIVER=copy imgrun --rm localhost/got sh -c "[ ! -e /a ] && [ ! -e /bin/awk ]"
		imgstore check'
	grep -qx 'Driver: fuse' "$T/said"
	same "$(cat "$T/got")" "$(as root imgstore inspect localhost/wanted | jq -c '.[0].RootFS.Layers')"
}

@test "on an older kernel overlayfs is mounted by mount(2), and nobody need be told" {
	need_root
	preload
	export NO_OVERLAY=plus
	printf 'FROM localhost/bb\nRUN echo a >/a; rm /bin/awk\nRUN cat /a; [ ! -e /bin/awk ]\n' >"$T/context/Buildfile"
	for who in root user; do
		[ $who = root ] || can_build user || continue
		LD_PRELOAD=$T/no-overlay.so EXTRA_ENV="NO_OVERLAY=plus LD_PRELOAD=$T/no-overlay.so" as $who \
			sh -c 'imgstore info; imgbuild --no-cache --progress=plain -t served "$1"; imgrun --rm served cat /a' x "$T/context" >"$T/said" 2>&1
		cat "$T/said"
		grep -qx 'Driver: overlay-mount' "$T/said"
		grep -q '^Driver-overlay: cannot be used: ' "$T/said"
		not grep -q 'put together by' "$T/said"
		same "$(tail -1 "$T/said")" a
	done
	assert_store_idle "$ROOT_STORE"
}

# daemons STORE: those of the fuse driver that have one of its directories open
daemons() {
	local p
	for p in $(pgrep -x imgoverlay); do
		readlink "/proc/$p/fd/"* 2>/dev/null | grep -qF "$1/" && echo "$p"
	done
	return 0
}
@test "a daemon ends with its mount, whoever held it" {
	need_root
	need_fuse
	export IMGBUILD_STORAGE_DRIVER=fuse
	d=$(as root imgstore mount localhost/bb)
	same "$(daemons "$ROOT_STORE" | wc -l)" 1
	cat "$d/etc/group" >/dev/null
	as root imgstore umount localhost/bb
	IMGBUILD_ROOT=$ROOT_STORE imgrun --rm localhost/bb sleep 100 &
	runner=$!
	for i in $(seq 100); do
		[ "$(daemons "$ROOT_STORE" | wc -l)" = 0 ] || break
		sleep 0.1
	done
	[ "$(daemons "$ROOT_STORE" | wc -l)" -ge 1 ]
	kill -9 $runner
	wait $runner || true
	for i in $(seq 100); do
		[ "$(daemons "$ROOT_STORE" | wc -l)" != 0 ] || break
		sleep 0.1
	done
	same "$(daemons "$ROOT_STORE")" ""
	as root imgstore prune --force >&2
	assert_store_idle "$ROOT_STORE"
}
outlived() { # a namespace, private or not, that nobody but the daemon could keep
	local who=$1 how
	need_fuse
	export IMGBUILD_STORAGE_DRIVER=fuse
	for how in private shared slave; do
		as "$who" imgstore unshare unshare -m --propagation $how sh -euc '
			d=$(imgstore mount localhost/bb)
			[ "$(wc -c <"$d/etc/group")" -gt 0 ]
			imgstore umount localhost/bb && imgstore mount localhost/bb'
		for i in $(seq 100); do
			[ "$(daemons "$(store_of "$who")" | wc -l)" != 0 ] || break
			sleep 0.1
		done
		same "$(daemons "$(store_of "$who")")" ""
	done
	as "$who" imgstore prune --force >&2
	assert_store_idle "$(store_of "$who")"
}
@test "a mount by the daemon ends with its mount namespace (root)" { need_root; outlived root; }
@test "a mount by the daemon ends with its mount namespace (user)" { need_user; outlived user; }
@test "the daemon is in no chroot, and keeps no mount of others" {
	need_root
	need_fuse
	mkdir "$T/disk" "$T/chroot"
	export -f daemons
	IMGBUILD_STORAGE_DRIVER=fuse IMGBUILD_ROOT=$ROOT_STORE unshare -m --propagation private bash -eux -c '
		mount -t tmpfs disk "$T/disk"
		mount --rbind / "$T/chroot"
		chroot "$T/chroot" "$(realpath "$(command -v imgstore)")" mount localhost/bb
		pid=$(daemons "$IMGBUILD_ROOT")
		[ -n "$pid" ]
		cut -d" " -f5 "/proc/$pid/mountinfo" >"$T/mounts"
		umount "$T/disk"
	'
	cat "$T/mounts"
	grep -x /proc "$T/mounts"
	not grep -vE '^/((proc|sys|dev)(/|$)|$)' "$T/mounts"
}
@test "a daemon that is lost is an error, and no layer" {
	need_root
	need_fuse
	printf 'FROM localhost/bb\nRUN echo 1 >/one; sleep 3\n' >"$T/context/Buildfile"
	IMGBUILD_STORAGE_DRIVER=fuse as root imgbuild --no-cache -t lost "$T/context" >"$T/said" 2>&1 &
	builder=$!
	sleep 1.5
	kill -9 $(daemons "$ROOT_STORE")
	status=0
	wait $builder || status=$?
	cat "$T/said"
	[ "$status" != 0 ]
	not as root imgstore inspect lost
}

# A directory of the store is what is mounted, or where it lies; nobody can change the layers by it
lasting() {
	local who=$1 views
	views=$(store_of "$who")/views
	as "$who" imgstore unshare unshare -m sh -eucx '
		export IMGBUILD_STORAGE_DRIVER=copy
		d=$(imgstore mount localhost/bb)
		[ "$(cat "$d/etc/group")" = "$(imgrun --rm localhost/bb cat /etc/group)" ]
		if touch "$d/etc/group" 2>/dev/null; then exit 1; fi
		mkdir -p "$1"
		[ "$(imgstore mount localhost/bb "$1")" = "$1" ]
		if imgstore mount localhost/bb "$1" 2>/dev/null; then exit 1; fi
		if imgstore rm localhost/bb 2>/dev/null; then exit 1; fi
		imgstore umount "$d"
		[ -e "$1/etc/group" ]
		imgstore umount localhost/bb
		[ -z "$(ls "$1")" ]
		[ -z "$(ls "$2")" ]
		# what went without a word is swept
		imgstore mount localhost/bb "$1"
		umount "$1"
		[ -n "$(ls "$2")" ]
		imgstore prune --force
		[ -z "$(ls "$2")" ]' x "$(dirname "$(store_of "$who")")/lasting" "$views" >&2
}
@test "the copy driver mounts for longer than a command (root)" { need_root; lasting root; }
@test "the copy driver mounts for longer than a command (user)" { need_user; lasting user; }
@test "the copy driver copies nothing into itself" {
	need_root
	mkdir "$T/over"
	echo text >"$T/over/f"
	IMGBUILD_STORAGE_DRIVER=copy refused root 125 "cannot show a directory that the store lies in" imgrun --rm -v "$T:/x:O" localhost/bb true
	[ "$(IMGBUILD_STORAGE_DRIVER=copy as root imgrun --rm -v "$T/over:/x:O" localhost/bb sh -c 'echo more >>/x/f; cat /x/f' | tr '\n' ' ')" = "text more " ]
	[ "$(cat "$T/over/f")" = text ]
}
@test "where nothing can be mounted, an image is put into a directory" {
	need_root
	export IMGBUILD_ISOLATION=chroot ROOT_STORE=$T/chroot-store
	as root imgstore import "$T/bb.tar" localhost/bb >&2
	d=$(as root imgstore mount localhost/bb)
	same "$d" "$(as root imgstore mount localhost/bb)"
	cmp "$d/bin/busybox" "$(command -v busybox)"
	# it is nobody else's
	echo x >>"$d/etc/group"
	mkdir "$T/aside"
	refused root 3 "this host allows no mount" imgstore mount localhost/bb "$T/aside"
	refused root 3 "is mounted" imgstore rm localhost/bb
	as root imgstore umount localhost/bb
	[ ! -e "$d" ]
	as root imgstore check
}

# An image of as many layers as overlayfs and its users can be asked for
many_layers() {
	local c
	c=$(mktemp -d "$T/many.XXXXXX")
	chmod 755 "$c"
	{
		echo 'FROM localhost/bb'
		for i in $(seq 398); do printf 'COPY <<E /f%d\nE\n' "$i"; done
		echo 'RUN [ -e /f1 ] && [ -e /f398 ] && rm /f7'
	} >"$c/Buildfile"
	as "$1" imgbuild -q -t many "$c"
	same "$(as "$1" imgstore inspect many | jq '.[0].RootFS.Layers | length')" 400
	same "$(as "$1" imgrun --rm many sh -c 'ls / | grep -c "^f"')" 397
	image_tree "$1" many >"$T/many.tree"
	same "$(grep -c '^f' "$T/many.tree")" 397
}
@test "an image of 400 layers is built, run and mounted (root)" { need_root; many_layers root; }
@test "an image of 400 layers is built, run and mounted (user)" { need_user; many_layers user; }
@test "an image of 400 layers by the daemon, and by mount(2)" {
	need_root
	need_fuse
	as root imgstore inspect many >/dev/null || skip "it was not built"
	same "$(IMGBUILD_STORAGE_DRIVER=fuse as root imgrun --rm many sh -c 'ls / | grep -c "^f"')" 397
	same "$(IMGBUILD_STORAGE_DRIVER=overlay-mount as root imgrun --rm many sh -c 'ls / | grep -c "^f"')" 397
}
@test "more layers than overlayfs takes: one clear error" {
	need_root
	python3 "$top_srcdir/tests/many-layers.py" 501 "$T/501"
	as root imgpull -q "oci:$T/501" localhost/deep
	run as root imgrun --rm localhost/deep true
	same "$status" 125
	[[ $output == *"501 layers are more than the overlay driver can put together (500)"* ]]
}

# Package managers rename directories of lower layers: where the union says EXDEV they copy, and lose nothing.
renames() {
	equal "$1" <<-'E'
		FROM localhost/bb
		RUN mkdir -p /node/a/b && echo 1 >/node/a/f && echo 2 >/node/a/b/h && ln -s f /node/a/l && chmod 2750 /node/a && chown 5:6 /node/a/b && touch -d @1000000000 /node/a/b/h
		RUN mv /node/a /node/.a-old && mkdir /node/a && echo new >/node/a/f && [ "$(cat /node/.a-old/b/h /node/.a-old/l)" = "$(printf '2\n1')" ] && [ "$(stat -c %a:%u /node/.a-old)" = 2750:0 ] && [ "$(stat -c %u:%g /node/.a-old/b)" = 5:6 ]
		RUN mv /node/.a-old /kept && rm -r /node/a && mv /kept /node/a && [ "$(cat /node/a/f /node/a/b/h)" = "$(printf '1\n2')" ] && [ "$(stat -c %Y /node/a/b/h)" = 1000000000 ]
		RUN mkdir /n && mv /n /m && mv /node/a/b /m/b && [ ! -e /node/a/b ]
	E
	[ "$(as "$1" imgrun --rm drivers-overlay sh -c 'ls /node/a /m/b; cat /node/a/l')" = $'/m/b:\nh\n\n/node/a:\nf\nl\n1' ]
	# files of several names stay one where they went together, and only there
	equal "$1" <<-'E'
		FROM localhost/bb
		RUN mkdir -p /d/e /o && echo 1 >/d/f && ln /d/f /d/e/g && ln /d/f /o/h && ln /d/f /d/i && touch -d @1000000000 /d/e /d/f /d
		RUN echo more >>/d/i && mv /d /new
		RUN mkdir /in && mv /o /in/o && mv /new/e /in/e && mv /new/f /in/f
		RUN mv /in /x && rm -r /new && mv /x /new
	E
}
@test "row 73: directories of lower layers are renamed (root)" { need_root; renames root; }
@test "row 73: directories of lower layers are renamed (user)" { need_user; renames user; }
