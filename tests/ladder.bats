#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The same image from every rung of the ladder: as root, as a user with subordinate ids, as one with no id but his
# own, and where nothing is allowed but chroot. Root's image is what the others are compared with.

bats_require_minimum_version 1.5.0
load lib
load peers
load ladder

setup() { ladder_setup; }
teardown() { ladder_teardown; }

@test "owners and devices of base layers, ADD and COPY --chown" {
	mkdir -p "$T/a/dir" "$T/context/files/sub"
	echo content >"$T/a/dir/file"
	ln -s file "$T/a/dir/link"
	mkfifo "$T/a/dir/pipe"
	mknod "$T/a/null" c 1 3
	mknod "$T/a/disk" b 8 1
	ln "$T/a/null" "$T/a/null2"
	chown -h 33:44 "$T/a/dir/file" "$T/a/dir/link" "$T/a/dir/pipe"
	chown 0:6 "$T/a/disk"
	chown 7:8 "$T/a/dir"
	chmod 2750 "$T/a/dir"
	chmod 4755 "$T/a/dir/file"
	tar --sort=name --mtime=@1600000000 --numeric-owner -C "$T/a" -cf "$T/context/a.tar" .
	echo one >"$T/context/files/one"
	ln -s one "$T/context/files/sub/link"
	cat >"$T/context/Buildfile" <<-'END'
		FROM scratch AS base
		ADD base.tar /
		ADD a.tar /made/
		FROM base
		COPY --from=base /made /copied
		COPY --chown=1000:1001 files /files
		COPY --chown=alice files /alice
		COPY --chown=12:13 --chmod=600 files/one /new/way/one
		WORKDIR /work
	END
	same_on user lone chroot
}

@test "RUN chown, mknod, setgid directories, and what another user makes" {
	cat >"$T/context/Buildfile" <<-'END'
		FROM scratch
		ADD base.tar /
		RUN mkdir /srv /srv/shared && echo one >/srv/one && ln -s one /srv/link && mkfifo /srv/pipe \
			&& chown 33:44 /srv/one && chown -h 5:6 /srv/link && chown 7:8 /srv/pipe \
			&& chgrp 50 /srv/shared && chmod 2775 /srv/shared && echo two >/srv/shared/two && mkdir /srv/shared/dir \
			&& mknod /srv/null c 1 3 && mknod /srv/disk b 8 1 && chown 0:6 /srv/disk
		RUN mv /srv/one /srv/moved && mv /srv/link /srv/link2 && touch -h /srv/link2 && mv /srv/null /srv/null2 && ln /srv/disk /srv/disk2
		RUN [ "$(stat -c %u:%g /srv/moved)" = 33:44 ] && [ "$(stat -c %u:%g /srv/link2)" = 5:6 ] && ls -l /srv/null2 | grep "^c.* 1, *3 " \
			&& cp -a /srv /copy && echo more >>/copy/moved
		RUN chmod 777 /srv && chmod 2777 /srv/shared
		USER alice
		RUN id >/srv/id && echo hers >/srv/hers && mkdir /srv/hers.d && ln -s hers /srv/hers.link && touch /srv/shared/three
	END
	same_on user lone chroot
}

@test "what another user may not do is refused, and shows in the same image" {
	cp "$top_builddir/tests/step-tool" "$T/context/"
	cat >"$T/context/try" <<-'END'
		#!/bin/sh
		# one line for each attempt: whether it came to pass
		try() { if ("$@") >/dev/null 2>&1; then echo "yes $*"; else echo "no $*"; fi; }
		write() { echo more >>"$1"; }
		reads() { cat <"$1"; }
		cd /srv
		try reads secret; try reads group; try reads open; try write open; try write hers; try write group; try write locked/in
		try stat locked/in; try stat dark/in; try ls dark; try ls listed; try stat listed/in; try ls locked; try stat link
		for f in secret group open hers none; do for m in r w x; do try test -$m $f; done; done
		try touch new; try touch hers.d/new; try mkdir locked/d; try mkdir hers.d/d; try ln -s a locked/l; try mkfifo locked/p
		try rm -f open; try rm -f hers.d/roots; try rmdir dark/d; try mv hers.d/d hers.d/e; try mv open hers.d/open; try mv hers.d/e locked/e
		try touch sticky/new; try rm -f sticky/roots; try rm -f sticky/hers; try mv sticky/roots sticky/mine; try ln open hers.d/linked; try ln hers locked/l
		try chmod 777 open; try chmod 640 hers; try chmod 2755 hers.d/tool; try chgrp 100 hers; try chgrp 0 hers; try chown 0 hers; try touch open
		try touch writable; try touch -d @9 writable; try touch -d @9 hers.d/mine; try truncate -s 0 open; try truncate -s 0 writable
		try ./run; try ./run-not; try /srv/dark/run; try cd dark; try cd listed; try cd locked; [ "$(id -u)" = 0 ] || try chroot / true; try mknod hers.d/null c 1 3
		try cat /root/x; try ls /root; try sh -c 'cd hers.d && touch ../new'; try sh -c 'cd hers.d && touch here'; try sh -c ': >hers.d/locked-now; chmod 0 hers.d/locked-now; cat hers.d/locked-now'
		try step-tool xattr open user.a 61; try step-tool xattr hers user.a 61; try step-tool xattr hers security.capability 0100000200040000000000000000000000000000
		try test -w /dev/null; try sh -c 'echo >/dev/null'; try test -r /proc/self/status; try cat /proc/self/environ; try sh -c 'cat /dev/stdin </srv/open'
	END
	chmod 755 "$T/context/try"
	cat >"$T/context/Buildfile" <<-'END'
		FROM scratch
		ADD base.tar /
		COPY try step-tool /bin/
		RUN umask 022; mkdir /srv && cd /srv && mkdir locked dark listed hers.d sticky dark/d && touch secret group open hers none writable locked/in dark/in listed/in \
			hers.d/roots hers.d/mine sticky/roots sticky/hers /root/x && ln -s dark/in link && for f in run run-not dark/run hers.d/tool; do echo '#!/bin/sh' >$f; chmod 755 $f; done \
			&& chmod 644 run-not && chmod 700 dark /root && chmod 711 listed && chmod 1777 sticky && chmod 600 secret && chmod 660 group && chgrp 100 group && chmod 0 none \
			&& chmod 666 writable && chown alice none hers hers.d hers.d/mine hers.d/tool sticky/hers && chgrp 33 hers.d/tool && rm -f /bin/lost
		USER alice
		RUN try >/tmp/tried
		USER 1000:1001
		RUN try >/tmp/tried-without-groups
		USER daemon
		RUN try >/tmp/tried-by-daemon
		USER root
		RUN try >/tmp/tried-by-root && cat /tmp/tried /tmp/tried-without-groups /tmp/tried-by-daemon /tmp/tried-by-root
	END
	same_on user lone chroot
}

@test "every storage driver records the same" {
	local driver
	cat >"$T/context/Buildfile" <<-'END'
		FROM scratch
		ADD base.tar /
		RUN mkdir /srv && touch /srv/a && chown 5:6 /srv/a && ln -s a /srv/link && chown -h 7 /srv/link && mknod /srv/null c 1 3
		RUN mv /srv /moved && chmod 600 /moved/a && mv /moved/link /moved/link2 && mkfifo /pipe && chown 9 /pipe && rm /moved/null
	END
	busybox_tar "$T/context/base.tar"
	build_on root >"$T/want"
	for driver in overlay fuse copy; do
		on lone env IMGBUILD_STORAGE_DRIVER=$driver IMGBUILD_ROOT="$T/lone/$driver" imgbuild -q "$T/context" >"$T/got"
		cmp "$T/got" "$T/want"
	done
}

@test "containers of imgrun on the lower rungs, and what they cannot have there" {
	busybox_tar "$T/context/base.tar"
	printf 'FROM scratch\nADD base.tar /\nRUN touch /file && chown 5:6 /file\n' >"$T/context/Buildfile"
	for rung in lone chroot; do
		build_on "$rung"
		run --separate-stderr on "$rung" imgrun --rm -u alice image sh -c 'id -u; stat -c %u:%g /file; echo lost >/dev/null; chown 0 /file || echo refused'
		[ "$output" = $'1000\n5:6\nrefused' ]
	done
	for option in "-v $T:/mnt" "--network none" "--read-only"; do
		run on chroot imgrun --rm $option image true
		[ "$status" = 125 ]
		[[ $output == *"with isolation 'chroot'"* ]]
	done
}

# executed RUNG: a second command in a container has its own ids, sees recorded owners, and records
executed() {
	cat >"$T/context/executed" <<-'END'
		set -eu
		imgrun -d --name beside image sleep 100 >/tmp/started 2>&1 || { cat /tmp/started; exit 1; }
		imgstore exec -u 0 beside sh -c 'id -u; stat -c %u:%g /one; touch /new && chown 7:8 /new; echo lost >/dev/null; mknod /made c 1 3'
		imgstore exec -u alice beside sh -c 'id -u; touch /tmp/hers; stat -c %u:%g /new /tmp/hers; chown 0 /new 2>/tmp/said || echo refused; stat -c %F /made'
		imgstore rm -f beside >/tmp/removed
	END
	chmod 755 "$T/context/executed"
	run --separate-stderr on "$1" sh "$T/context/executed"
	echo "$output; $stderr"
	[ "$status" = 0 ]
	[ "$output" = $'0\n33:44\n1000\n7:8\n1000:1001\nrefused\ncharacter special file' ]
}

@test "a second command in a container of the lower rungs" {
	write_mixed
	busybox_tar "$T/context/base.tar"
	for rung in lone chroot; do
		build_on "$rung"
		executed "$rung"
	done
}

# What the small image has: users, modes, owners, devices, and what nobody but root may change.
write_mixed() {
	cat >"$T/context/Buildfile" <<-'END'
		FROM scratch
		ADD base.tar /
		RUN echo one >/one && chown 33:44 /one && chmod 4755 /one && mknod /tmp/null c 1 3 && ln -s one /link && chown -h alice /link
		RUN echo lost >/dev/null && [ -c /dev/null ] && [ "$(head -c 9 /dev/zero | wc -c)" = 9 ] && [ -x /proc/self/exe ] \
			&& grep -q '^Name' /proc/self/status && echo seen >/dev/stderr && rm -f /dev/lost && stat -c '%u %g %a' /one >/stat
		# what package scripts and systemd-tmpfiles do about /proc
		RUN uname -n >/uname && [ -d /proc/sys/kernel ] && stat -f -c %T /proc >/statfs && exec 5</stat 6</tmp && chmod 751 /proc/self/fd/5 \
			&& chmod 1770 /proc/self/fd/6 && ls -d /proc/self/fd/6/. && exec 5<&- 6<&- && chmod 1777 /tmp
		COPY --chown=alice Buildfile /home/alice/
		USER alice
		RUN id -u >/tmp/id && cp /one /tmp/two && echo shared >/dev/shm/memory && rm /dev/shm/memory
	END
}

@test "in an ordinary container of podman" {
	command -v podman >/dev/null || skip "podman is not installed"
	mkdir "$T/podman-store"
	write_mixed
	make_outer
	same_on podman
	executed podman
	grep -F "isolation 'chroot'" "$T/podman.log"
}

@test "in an ordinary container of docker" {
	command -v dockerd >/dev/null || skip "docker is not installed"
	mkdir "$T/docker-store"
	write_mixed
	make_outer
	docker_start || skip "dockerd does not start here"
	tar -C "$T/outer" -c . | p_docker import - outer >/dev/null
	same_on docker
	executed docker
	grep -F "isolation 'chroot'" "$T/docker.log"
}

# in_chroot CMD…: in a directory that is no mount point; nothing is mounted there once this is over
in_chroot() {
	unshare -m sh -euc 'o=$1; shift; mount -t proc proc "$o/proc"; mount --bind /dev "$o/dev"
		exec chroot "$o" env IMGBUILD_STORAGE_DRIVER= PATH=/build:/bin SOURCE_DATE_EPOCH='"$SOURCE_DATE_EPOCH"' "$@"' sh "$T/outer" "$@"
}

@test "in a chroot that is no mount point" {
	write_mixed
	busybox_tar "$T/context/base.tar"
	make_outer
	mkdir -p "$T/outer/proc" "$T/outer/dev" "$T/outer/build/sandbox"
	cp -r "$T/context" "$T/outer/"
	cp "$top_builddir/imgbuild" "$top_builddir/imgstore" "$T/outer/build/"
	cp "$top_builddir/sandbox/sandbox" "$T/outer/build/sandbox/"
	[ "$(in_chroot imgbuild --root /store -q /context 2>"$T/log")" = "$(build_on root)" ]
	grep -F "isolation 'chroot': the root directory is no mount point" "$T/log"
	run in_chroot imgstore --root /store doctor
	[[ $output == *'user-namespaces  no '*'no mount point'*'mount --bind DIR DIR'* ]]
	# asked for all the same
	run in_chroot imgbuild --root /other -q --isolation=namespaces /context
	[ "$status" = 5 ]
	[[ $output == *'RUN: make the mounts private: the root directory is no mount point'*'mount --bind DIR DIR'* ]]
}

# A place on the host that no step may reach, with its own time, mode and attributes.
make_victim() {
	mkdir -p "$T/victim/dir"
	echo untouched >"$T/victim/file"
	chmod 777 "$T/victim" "$T/victim/dir"
	chmod 666 "$T/victim/file"
	victim_before=$(victim_now)
}
victim_now() { dump_tree "$T/victim"; find "$T/victim" -printf '%p %C@ %A@\n' | sort; }

@test "the supervisor is led to no file outside, by paths, links or races" {
	local rung
	make_victim
	busybox_tar "$T/context/base.tar"
	cp "$top_builddir/tests/step-tool" "$T/context/"
	cat >"$T/context/Buildfile" <<-END
		FROM scratch
		ADD base.tar /
		COPY step-tool /bin/
		# paths that are the host's, as they are, by "..", and through links
		RUN for p in $T/victim/file ../../../../../../../..$T/victim/file; do not=0; chown 5:5 \$p || not=1; [ \$not = 1 ] || exit 1; done
		RUN ln -s $T/victim/file /l && ln -s / /root/up && { chown 5:5 /l || true; } && { echo x >/root/up/../..$T/victim/new || true; } \\
			&& { chown 5:5 /proc/self/root/..$T/victim/file /proc/1/root$T/victim/file /proc/self/cwd/../..$T/victim/file || true; }
		# a path that changes between being looked at and being used
		RUN mkdir /w && touch /w/a && step-tool flip /w/a $T/victim/file 3000 && step-tool flip /w/b ../../..$T/victim/new 3000
		RUN cd /w && ln -s /w in && ln -s $T/victim out && (for i in \$(seq 300); do mv -T in x; mv -T out in; mv -T in out; mv -T x in; done) & \\
			step-tool flip /w/in/c /w/in/file 3000; wait
		# made on behalf of somebody else
		USER alice
		RUN step-tool flip /tmp/a $T/victim/new 3000; step-tool flip /tmp/b /l/../new 3000
	END
	for rung in lone chroot; do
		build_on "$rung"
		[ "$(victim_now)" = "$victim_before" ]
	done
}

@test "a step in a chroot sees nothing of what is outside" {
	mkdir "$T/outside"
	busybox_tar "$T/context/base.tar"
	cat >"$T/context/Buildfile" <<-'END'
		FROM scratch
		ADD base.tar /
		RUN cat /proc/1/environ /proc/1/root/etc/passwd /proc/self/mem /proc/self/root/etc/passwd; cat /proc/sysrq-trigger /proc/kcore /dev/mem; 			ls /proc/self/fd/ /proc/self/task /proc/self/ns; echo 1 >/proc/sys/kernel/hostname; kill -9 $PPID; kill -9 1; chroot / true; 			mknod /disk b 254 0 && head -c 9 /disk; mount -t tmpfs none /tmp; true
		RUN ls / >/seen; (setsid sleep 4711 &) ; true
	END
	on chroot imgbuild -t image "$T/context" 2>"$T/log" || { cat "$T/log"; false; }
	grep -E '^#[0-9]+ [0-9.]+ ' "$T/log" | sed 's/^#[0-9]* [0-9.]* //' | sort >"$T/said"
	cat "$T/said"
	not grep -v -e "can't open" -e "can't create" -e 'ls: ' -e 'chroot: ' -e 'mount: ' -e "can't kill" "$T/said"
	# nothing of it is left
	not pgrep -f 'sleep 4711'
}

@test "devices of the host are used, not changed" {
	local before rung
	busybox_tar "$T/context/base.tar"
	cp "$top_builddir/tests/step-tool" "$T/context/"
	cat >"$T/context/Buildfile" <<-'END'
		FROM scratch
		ADD base.tar /
		COPY step-tool /bin/
		RUN step-tool change /dev/full; chmod 666 /dev/full; chown 0:0 /dev/full; true
	END
	before=$(stat -c '%a %u %g %X %Y %z' /dev/full)
	for rung in root user lone chroot; do
		build_on "$rung"
		[ "$(stat -c '%a %u %g %X %Y %z' /dev/full)" = "$before" ] || { echo "changed on rung $rung"; false; }
	done
}

# doctor RUNG: what it answers, as NAME=yes|no lines
doctor() {
	on "$1" imgstore doctor --format json | jq -r 'to_entries[] | "\(.key)=\(if .value.Possible then "yes" else "no" end)"'
}

@test "imgstore doctor names the rung, why, and what would lift it" {
	for rung in root user lone chroot; do doctor "$rung" >"$T/$rung.doctor"; done
	grep -qx 'isolation=yes' "$T/root.doctor"
	grep -qx 'isolation=yes' "$T/user.doctor"
	grep -qx 'ids=yes' "$T/user.doctor"
	grep -qx 'isolation=no' "$T/lone.doctor"
	grep -qx 'overlay=yes' "$T/lone.doctor"
	grep -qx 'records=yes' "$T/lone.doctor"
	grep -qx 'overlay=no' "$T/chroot.doctor"
	run on lone imgstore doctor
	[[ ${lines[-1]} == 'isolation '*' no '*"single-id: /etc/subuid and /etc/subgid have no range for user $LONE; as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $LONE" ]]
	run on lone imgstore info
	[[ $output == *"Isolation: single-id"* ]]
}

@test "--isolation takes a rung, and one that cannot be had is an error that says why" {
	busybox_tar "$T/context/base.tar"
	printf 'FROM scratch\nADD base.tar /\nRUN id -u && touch /file && chown 5 /file\n' >"$T/context/Buildfile"
	as_user imgbuild -q --isolation single-id "$T/context" >"$T/single-id.id"
	IMGBUILD_ROOT=$T/by-chroot IMGBUILD_STORAGE_DRIVER='' imgbuild -q --isolation chroot "$T/context" >"$T/chroot.id"
	cmp "$T/single-id.id" "$T/chroot.id"
	IMGBUILD_ROOT=$T/none run imgbuild --isolation single-id "$T/context"
	[ "$status" = 5 ]
	[[ $output == *"isolation 'single-id' is for ordinary users"* ]]
	run on lone imgbuild --isolation namespaces "$T/context"
	[ "$status" = 5 ]
	[[ $output == *"isolation 'namespaces' is not possible: /etc/subuid and /etc/subgid have no range"* ]]
	run on lone imgbuild --isolation chroot "$T/context"
	[ "$status" = 5 ]
	[[ $output == *"isolation 'chroot' needs root with CAP_SYS_CHROOT"* ]]
	run on lone imgbuild --isolation vm "$T/context"
	[ "$status" = 2 ]
	# what was made on one rung is not taken for another's
	IMGBUILD_ROOT=$T/by-chroot run imgbuild -q "$T/context"
	[ "$status" = 3 ]
	[[ $output == *"was made where owners can only be recorded"*"--isolation=chroot"* ]]
	# said once, and only when it was not asked for
	on lone imgbuild -t image "$T/context" 2>"$T/log"
	[ "$(grep -c "isolation 'single-id'" "$T/log")" = 1 ]
	as_user imgbuild --isolation single-id -t image "$T/context" 2>"$T/log"
	not grep -q "isolation" "$T/log"
}
