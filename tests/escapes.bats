#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Ways out of a running container, by the advisories that they are from: what a hostile image or command tries against
# the runtime, and that it gets nowhere. Those about files of images are in advisories.bats.

bats_require_minimum_version 1.5.0
load lib
load ladder

# beside root and user: lone, who has one id alone, and chroot, which is root's by force
eval "$(declare -f as | sed '1s/^as /as_by_lib /')"
as() {
	case $1 in
	lone) on "$@" ;;
	chroot) IMGBUILD_ISOLATION=chroot IMGBUILD_STORAGE_DRIVER=copy IMGBUILD_ROOT=$CHROOT_STORE "${@:2}" ;;
	*) as_by_lib "$@" ;;
	esac
}
setup_file() {
	make_scratch
	import_busybox
	LONE_STORE=$T/lone/store
	CHROOT_STORE=$T/chroot/store
	export LONE_STORE CHROOT_STORE
	if is_root; then
		mkdir "$T/lone" "$T/chroot"
		chown $LONE:$LONE "$T/lone"
		as chroot imgstore import "$T/bb.tar" localhost/bb >&2
		! can_be_lone || as lone imgstore import "$T/bb.tar" localhost/bb >&2
	fi
	sha256sum "$top_builddir/sandbox/sandbox" "$top_builddir/imgrun" >"$T/programs"
}
teardown_file() { remove_scratch; }
# the programs are what they were
teardown() { sha256sum --quiet -c "$T/programs"; }
can_be_lone() { setpriv --reuid $LONE --regid $LONE --clear-groups unshare -U true 2>/dev/null; }
need() {
	case $1 in
	lone) need_root && { can_be_lone || skip "this host allows no user namespaces"; } ;;
	chroot) need_root ;;
	*) need_builder "$1" ;;
	esac
}

# image WHO NAME: the Buildfile on stdin
image() {
	mkdir -p "$T/context.$1"
	cat >"$T/context.$1/Buildfile"
	as "$1" imgbuild -q -t "localhost/$2" "$T/context.$1" >/dev/null
}

overwriting_the_runtime() {
	need "$1"
	image "$1" exe <<-'END'
		FROM localhost/bb
		RUN printf '#!/proc/self/exe\n' >/script && chmod 755 /script && ln -s /proc/self/exe /link
	END
	# in a chroot there is no such file to execute
	local how=126 script=125
	[ "$1" != chroot ] || { how=127 script=127; }
	run -$how as "$1" imgrun --rm localhost/exe /proc/self/exe
	run -$how as "$1" imgrun --rm localhost/exe /link
	run -$script as "$1" imgrun --rm localhost/exe /script
	# who waits in a container for a command to be started there, and opens its program before it is the command
	as "$1" imgrun -d --name lurk localhost/exe sh -c '
		while :; do
			for p in /proc/[0-9]*; do
				[ "$p" = /proc/1 ] && continue
				(exec 9<"$p/exe" && case $(readlink "$p/exe") in */sandbox|*memfd*) echo evil >"$p/exe" && echo wrote;; esac) 2>/dev/null
			done
		done'
	for i in 1 2 3 4 5; do
		as "$1" imgstore exec lurk /script || true
		as "$1" imgstore exec lurk true
	done
	[ -z "$(as "$1" imgstore logs lurk | grep wrote || true)" ]
	as "$1" imgstore rm -f lurk
}
@test "root: CVE-2019-5736: no container writes over the program that runs it" { overwriting_the_runtime root; }
@test "user: CVE-2019-5736: no container writes over the program that runs it" { overwriting_the_runtime user; }
@test "single-id: CVE-2019-5736: no container writes over the program that runs it" { overwriting_the_runtime lone; }
@test "chroot: CVE-2019-5736: no container writes over the program that runs it" { overwriting_the_runtime chroot; }

@test "root: CVE-2019-5736: with all rights it finds a sealed copy" {
	need root
	run as root imgrun --rm --privileged --init localhost/bb sh -c 'readlink /proc/1/exe; echo evil >/proc/1/exe; echo "status $?"'
	echo "$output"
	[[ "$output" == *memfd:sandbox* ]]
	[[ "$output" != *"status 0"* ]]
	run as root imgrun --rm --privileged --pid=host localhost/bb sh -c 'p=$PPID; for q in $(grep -l "^Name:.sandbox$" /proc/[0-9]*/status); do echo evil >${q%status}exe && echo wrote; done; true'
	[[ "$output" != *wrote* ]]
}

# The kernel's own files are mounted where they belong or nowhere; what is mounted over follows nobody's links.
links_under_mounts() {
	need "$1"
	image "$1" links <<-'END'
		FROM localhost/bb
		RUN mkdir -p /real/a && ln -s /../../../../etc /out && ln -s ../../../../../../tmp /up && ln -s /real /vol
	END
	# a link in the target's way is followed in the container's root, never on the host's
	mkdir -p "$T/shared.$1"
	echo shown >"$T/shared.$1/f"
	run as "$1" imgrun --rm -v "$T/shared.$1:/vol/a" localhost/links cat /real/a/f
	[ "$output" = shown ]
	run as "$1" imgrun --rm -v "$T/shared.$1:/out/x" localhost/links cat /etc/x/f
	[ "$output" = shown ]
	[ ! -e /etc/x ]
	run as "$1" imgrun --rm --tmpfs /up/t localhost/links sh -c 'echo >/tmp/t/f; ls /tmp/t'
	[ "$output" = f ]
}
@test "root: CVE-2019-19921, CVE-2021-30465: mounts through links stay in the container" { links_under_mounts root; }
@test "user: CVE-2019-19921, CVE-2021-30465: mounts through links stay in the container" { links_under_mounts user; }
@test "single-id: CVE-2019-19921, CVE-2021-30465: mounts through links stay in the container" { links_under_mounts lone; }

# Two containers share a volume; one of them exchanges a directory for a link while the other mounts there.
racing_mounts() {
	need "$1"
	local i
	mkdir -p "$T/race.$1/d" "$T/inner.$1"
	chmod 777 "$T/race.$1" "$T/race.$1/d"
	echo inner >"$T/inner.$1/f"
	as "$1" imgrun -d --name flip -v "$T/race.$1:/r" localhost/bb sh -c 'cd /r; mkdir -p d/t; ln -s /etc l; while :; do mv d x; mv l d; mv d l; mv x d; done'
	for i in $(seq 15); do
		as "$1" imgrun --rm -v "$T/race.$1:/r" -v "$T/inner.$1:/r/d/t" localhost/bb cat /r/d/t/f >"$T/said" 2>&1 || true
		not grep -v -e inner -e '/r/d' -e 'there is no' -e "can't open" "$T/said"
	done
	as "$1" imgstore rm -f flip
	not grep -F "$T/inner" /proc/self/mountinfo
	[ ! -e /etc/t ]
}
@test "root: CVE-2021-30465: a directory that becomes a link while it is mounted on" { racing_mounts root; }
@test "user: CVE-2021-30465: a directory that becomes a link while it is mounted on" { racing_mounts user; }
@test "single-id: CVE-2021-30465: a directory that becomes a link while it is mounted on" { racing_mounts lone; }

# What covers /proc files is the host's null device, looked at; the image's /dev has no part in it.
masks_of_the_image() {
	need "$1"
	image "$1" masks <<-'END'
		FROM localhost/bb
		RUN echo over >/over
	END
	[ "$1" = chroot ] || masks_and_console "$1"
	# nothing of the host's own settings can be written, by whatever way it is named
	before=$(cat /proc/sys/kernel/core_pattern)
	as "$1" imgrun --rm localhost/masks sh -c 'for f in /proc/sys/kernel/core_pattern /proc/self/root/proc/sys/kernel/core_pattern /proc/1/root/proc/sys/kernel/core_pattern /proc/thread-self/root/proc/sys/kernel/core_pattern /proc/sysrq-trigger; do sh -c "echo x >$f" 2>/dev/null && echo "wrote $f"; done; true' >"$T/said"
	# what is made in a chroot's own directory of that name is a file like others
	[ "$1" = chroot ] || [ ! -s "$T/said" ]
	[ "$(cat /proc/sys/kernel/core_pattern)" = "$before" ]
}
masks_and_console() {
	run as "$1" imgrun --rm localhost/masks sh -c '{ rm /dev/null; ln -s /proc/sys/kernel/core_pattern /dev/null; } 2>&- ; cat /proc/kcore 2>&- | wc -c; cat /proc/keys | wc -c; echo x >/proc/sys/kernel/core_pattern'
	[ "${lines[0]}" = 0 ]
	[ "${lines[1]}" = 0 ]
	[[ "$output" == *"Read-only file system"* ]] || [[ "$output" == *"Permission denied"* ]] || [[ "$output" == *"can't create"* ]]
	# the terminal's device, exchanged between its making and its mounting, is taken from its own descriptor
	run as "$1" imgrun --rm -t localhost/masks sh -c 'stat -c %F /dev/console /dev/pts/0; tty'
	[[ "$output" == *"character special file"*"character special file"*/dev/pts/0* ]]
}
@test "root: CVE-2025-31133, -52565, -52881: masks, console and settings of the kernel" { masks_of_the_image root; }
@test "user: CVE-2025-31133, -52565, -52881: masks, console and settings of the kernel" { masks_of_the_image user; }
@test "single-id: CVE-2025-31133, -52565, -52881: masks, console and settings of the kernel" { masks_of_the_image lone; }
@test "chroot: CVE-2025-31133, -52565, -52881: masks, console and settings of the kernel" { masks_of_the_image chroot; }

# The program that enters a root loads nothing from it.
libraries_of_the_image() {
	need "$1"
	if ldd "$top_builddir/sandbox/sandbox" 2>&1 | grep -q 'not a dynamic'; then :; else skip "the sandbox program is not static here"; fi
	image "$1" nss <<-'END'
		FROM localhost/bb
		RUN mkdir -p /lib/x86_64-linux-gnu /etc && for l in libnss_files.so.2 libnss_compat.so.2 libc.so.6; do echo evil >/lib/x86_64-linux-gnu/$l; done; echo 'passwd: evil files' >/etc/nsswitch.conf; echo /lib/evil.so >/etc/ld.so.preload
	END
	[ "$(as "$1" imgrun --rm -u alice localhost/nss id -un)" = alice ]
	as "$1" imgrun -d --name nss localhost/nss sleep 100
	[ "$(as "$1" imgstore exec -u alice nss id -un)" = alice ]
	as "$1" imgstore rm -f nss
}
@test "root: CVE-2019-14271: no library of the image is loaded" { libraries_of_the_image root; }
@test "user: CVE-2019-14271: no library of the image is loaded" { libraries_of_the_image user; }
@test "single-id: CVE-2019-14271: no library of the image is loaded" { libraries_of_the_image lone; }
@test "chroot: CVE-2019-14271: no library of the image is loaded" { libraries_of_the_image chroot; }

capabilities_show() {
	need "$1"
	status_of() { as "$1" imgrun --rm "${@:2}" localhost/bb sed -n 's/^CapEff:.//p;s/^CapInh:.//p' /proc/self/status | tr '\n' ' '; }
	# nodes are recorded, not made, where there is one id alone
	local usual=a80425fb more=a80435fb
	[ "$1" != lone ] || { usual=a00425fb more=a00435fb; }
	[ "$(status_of "$1")" = "0000000000000000 00000000$usual " ]
	[ "$(status_of "$1" --cap-drop ALL)" = "0000000000000000 0000000000000000 " ]
	[ "$(status_of "$1" --cap-drop ALL --cap-add CHOWN)" = "0000000000000000 0000000000000001 " ]
	[ "$(status_of "$1" --cap-add NET_ADMIN)" = "0000000000000000 00000000$more " ]
	# there a change of user is recorded, too
	[ "$1" = lone ] || [ "$(status_of "$1" -u alice)" = "0000000000000000 0000000000000000 " ]
}
@test "root: what is dropped and added shows in /proc/self/status" { capabilities_show root; }
@test "user: what is dropped and added shows in /proc/self/status" { capabilities_show user; }
@test "single-id: what is dropped and added shows in /proc/self/status" { capabilities_show lone; }

# In a chroot there are few files of /proc, and those are answered for: none is of others.
nothing_by_proc() {
	exec 7</etc/passwd
	run as chroot imgrun --rm localhost/bb sh -c 'for f in /proc/1/environ /proc/$PPID/environ /proc/$PPID/root/etc/passwd /proc/self/fd/7 /proc/kcore /proc/1/fd/0 /dev/kmsg /dev/mem; do cat $f >/dev/null 2>&1 && echo "read $f"; done; echo $(ls /); kill -0 $PPID || kill -0 1 || echo kept'
	exec 7<&-
	echo "$output"
	[ "${lines[0]}" = "bin dev etc proc root sys tmp" ]
	[ "${lines[-1]}" = kept ]
	[[ "$output" != *read* ]]
}
# No file in the container is the host's, no process, no variable.
nothing_of_the_host() {
	need "$1"
	SECRET_OF_THE_HOST=1 EXTRA_ENV="SECRET_OF_THE_HOST=1" run as "$1" imgrun --rm localhost/bb sh -c 'env; cat /proc/[0-9]*/environ | tr "\0" "\n"'
	[[ "$output" != *SECRET_OF_THE_HOST* ]]
	[[ "$output" == *HOSTNAME=* ]]
	[ "$1" = chroot ] && { nothing_by_proc; return; }
	run as "$1" imgrun --rm localhost/bb sh -c 'ls /proc | grep -c "^[0-9]"; wc -l </proc/self/mountinfo; cat /proc/self/mountinfo'
	[ "${lines[0]}" -le 4 ]
	# but where the root is on the disk, which the kernel tells of every mount
	not grep -F "$T" <<<"$(awk '$5 != "/"' <<<"$output")"
	exec 7</etc/passwd
	run as "$1" imgrun --rm localhost/bb sh -c 'ls /proc/$$/fd; true'
	exec 7<&-
	[ "$output" = $'0\n1\n2' ]
}
@test "root: nothing of the host is seen" { nothing_of_the_host root; }
@test "user: nothing of the host is seen" { nothing_of_the_host user; }
@test "single-id: nothing of the host is seen" { nothing_of_the_host lone; }
@test "chroot: nothing of the host is seen" { nothing_of_the_host chroot; }
