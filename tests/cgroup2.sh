#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# cgroup2.sh BUILD OUT: limits by control groups of version 2, in a machine of our own (qemu) with a kernel of Debian's,
# whatever this host has. The kernel is CGROUP2_KERNEL's directory, which holds boot/vmlinuz-* and lib/modules, or the
# package that is fetched into OUT. CGROUP2_ACCEL=kvm is faster where that works. Says TAP; what the machine wrote stays
# in OUT/console.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)

skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}
command -v qemu-system-x86_64 >/dev/null || skip_all "qemu-system-x86_64 is not installed"
command -v busybox >/dev/null || skip_all "busybox is not installed"
command -v mke2fs >/dev/null || skip_all "mke2fs is not installed"

find_kernel() {
	local package
	kernel=${CGROUP2_KERNEL:-$out/kernel}
	[ -n "$(ls "$kernel"/boot/vmlinuz-* 2>/dev/null)" ] && return 0
	package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-.*\)/\1/p' | head -1)
	[ -n "$package" ] || return 1
	(cd "$out" && apt-get -q download "$package" >&2) && dpkg-deb -x "$out/$package"_*.deb "$kernel"
}
find_kernel || skip_all "no kernel of Debian's can be fetched"

# put FILE…: into the machine at the same places, with the libraries that they need
put() {
	local f l
	for f; do
		mkdir -p "$root$(dirname "$f")"
		cp -L --preserve=mode "$f" "$root$f"
		{ ldd "$f" 2>/dev/null | grep -o '/[^ )]*' || true; } | sort -u | while read -r l; do
			mkdir -p "$root$(dirname "$l")"
			cp -Ln "$l" "$root$l"
		done
	done
}
make_root() {
	local f a
	root=$out/root
	rm -rf "$root"
	mkdir -p "$root"/{bin,etc,proc,sys,dev,tmp,run,store,new,build/sandbox,build/fuse-overlay,modules,home/u}
	cp "$(command -v busybox)" "$root/bin/busybox"
	for a in $(busybox --list); do [ "$a" = busybox ] || ln -s busybox "$root/bin/$a"; done
	put "$build"/{imgrun,imgbuild,imgstore} "$build"/sandbox/{sandbox,container} "$build/fuse-overlay/procview"
	mv "$root$build"/{imgrun,imgbuild,imgstore} "$root/build/"
	mv "$root$build"/sandbox/* "$root/build/sandbox/"
	mv "$root$build/fuse-overlay/procview" "$root/build/fuse-overlay/"
	rm -f "$root/bin/setpriv" "$root/bin/mke2fs"
	for f in newuidmap newgidmap setpriv mke2fs runc crun; do
		! command -v $f >/dev/null || put "$(command -v $f)"
	done
	chmod u+s "$root"/usr/bin/new[ug]idmap
	printf 'root:x:0:0:root:/:/bin/sh\nu:x:1000:1000::/home/u:/bin/sh\n' >"$root/etc/passwd"
	printf 'root:x:0:\nu:x:1000:\n' >"$root/etc/group"
	echo u:100000:65536 | tee "$root/etc/subuid" >"$root/etc/subgid"
	cp /etc/mke2fs.conf "$root/etc/"
	for f in overlay fuse loop; do
		cp "$(find "$kernel/lib/modules" -name "$f.ko" | head -1)" "$root/modules/"
	done
	cp "$here/cgroup2-inside.sh" "$root/test"
	printf '#!/bin/sh\nmount -t tmpfs -o size=400m,mode=755 none /new\nfor d in bin etc usr lib lib64 build modules home test; do [ ! -e /$d ] || cp -a /$d /new/; done\nmkdir -p /new/proc /new/sys /new/dev /new/tmp /new/run /new/store\nexec switch_root /new /bin/sh /test\n' >"$root/init"
	chmod 755 "$root/init" "$root/test"
	(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$out/initramfs"
	rm -rf "$root"
}
make_root
timeout -k 5 "${CGROUP2_TIMEOUT:-900}" qemu-system-x86_64 -accel "${CGROUP2_ACCEL:-tcg}" -m 1536 -smp 2 -display none -monitor none -no-reboot \
	-kernel "$(ls "$kernel"/boot/vmlinuz-* | head -1)" -initrd "$out/initramfs" -append 'console=ttyS0 panic=-1 quiet loglevel=3' \
	-serial "file:$out/console" </dev/null >&2 || true
tr -d '\r' <"$out/console" | sed -n '/^TAP /s///p' >"$out/tap"
cat "$out/tap"
planned=$(sed -n 's/^1\.\.//p' "$out/tap")
said=$(grep -cE '^(not )?ok ' "$out/tap" || true)
[ -n "$planned" ] && [ "$planned" = "$said" ] || {
	echo "the machine ended after $said of ${planned:-?} tests; at last it said:" >&2
	tail -20 "$out/console" >&2
	exit 1
}
! grep -q '^not ok' "$out/tap"
