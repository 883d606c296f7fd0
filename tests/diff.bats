#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a step's upper directory becomes as a layer, on the kernel's overlayfs: as root with trusted.overlay, and as an
# ordinary user in a user namespace with user.overlay. Each step is checked in four ways, see overlay-step.bash.
load lib
load overlay

setup() {
	make_scratch
	export top_srcdir top_builddir
}
teardown() {
	remove_overlay_work
	remove_scratch
}

@test "a step that changes nothing gives nothing" {
	check 'mkdir d; echo x >d/f' 'cat d/f >/dev/null' ''
}

@test "copy-ups that changed nothing leave no trace" {
	check 'mkdir d; echo x >d/f; echo y >d/g; chmod 640 d/g; touch -d @1000.5 d/h' \
		'touch -r d/f d/f; chmod 640 d/g; : >>d/f; touch -r d/f d/f; chmod 755 d; touch -r d/h d/h' ''
}

@test "deleted files and directories are whiteouts" {
	check 'mkdir -p a/b c; touch a/b/f a/b/g c/x top' 'rm a/b/f top; rm -r c' \
		'directory / 0755 0:0 NOW
whiteout /c
whiteout /top
directory /a 0755 0:0 1000
directory /a/b 0755 0:0 NOW
whiteout /a/b/f'
}

@test "what came and went in the step is not there" {
	check 'mkdir d' 'touch d/f; rm d/f; mkdir n; rmdir n; touch -d @1000 d .' ''
}

@test "a directory made anew is opaque and loses its old children" {
	check 'mkdir -p d/sub; echo old >d/f; echo old >d/sub/g' \
		'rm -rf d; mkdir d; echo new >d/n; touch -d @1000 d . d/n' \
		'directory /d 0755 0:0 1000
opaque mark /d
file /d/n 0644 0:0 1000 size=4'
}

@test "a directory made anew and left empty stays, empty" {
	check 'mkdir -p d/sub; echo old >d/f' 'rm -rf d; mkdir -m 700 d; touch -d @1000 d .' \
		'directory /d 0700 0:0 1000
opaque mark /d'
}

@test "a directory made anew with the same children has only lost the others" {
	check 'mkdir d; echo x >d/f; echo x >d/g' 'cp -a d e; rm -r d; cp -a e d; rm -r e; rm d/g; touch -d @1000 d .' \
		'directory /d 0755 0:0 1000
whiteout /d/g'
}

@test "a directory made anew with other children of the same names is not opaque" {
	check 'mkdir -p d/sub; echo x >d/f; echo x >d/sub/g' \
		'rm -r d; mkdir -p d/sub; echo new >d/f; echo new >d/sub/g; touch -d @1000 d/f d/sub/g d/sub d .' \
		'directory /d 0755 0:0 1000
file /d/f 0644 0:0 1000 size=4
directory /d/sub 0755 0:0 1000
file /d/sub/g 0644 0:0 1000 size=4'
}

@test "a new directory in a merged one is not opaque, though the kernel marks it" {
	check 'mkdir d; touch d/f' 'mkdir -m 750 d/new d/new/er; touch d/new/f; find d/new d -exec touch -d @1000 {} +' \
		'directory /d 0755 0:0 1000
directory /d/new 0750 0:0 1000
directory /d/new/er 0750 0:0 1000
file /d/new/f 0644 0:0 1000 size=0'
}

@test "a file becomes a directory and a directory a file" {
	check 'echo x >f; mkdir d; echo x >d/x; ln -s f l; ln -s d l2; mkdir d2; echo y >d2/y' \
		'rm f; mkdir f; echo n >f/n; rm -r d; echo d >d; rm l; mkdir l; rm l2; echo l2 >l2; rm -r d2; ln -s d d2
		touch -hd @1000 f/n f d l l2 d2 .' \
		'file /d 0644 0:0 1000 size=2
symlink /d2 -> d 0777 0:0 1000
directory /f 0755 0:0 1000
file /f/n 0644 0:0 1000 size=2
directory /l 0755 0:0 1000
file /l2 0644 0:0 1000 size=3'
}

@test "a renamed directory is there with its content" {
	check 'mkdir -p old/sub; echo x >old/sub/f' 'mv old new; touch -d @1000 .' \
		'whiteout /old
directory /new 0755 0:0 1000
directory /new/sub 0755 0:0 1000
file /new/sub/f 0644 0:0 1000 size=2'
}

@test "a tree renamed there and back is the same tree" {
	check 'mkdir -p d/sub/s; echo x >d/f; ln -s f d/l; mkfifo d/sub/p; ln d/f d/sub/h' 'mv d e; mv e d; touch -d @1000 .' ''
}

@test "of a tree renamed there and back what differs is given" {
	check 'mkdir -p d/sub/s d/gone; for i in 1 2 3 4 5 6; do echo $i >d/f$i; echo $i >d/sub/g$i; done; echo x >d/gone/x; ln d/f5 d/sub/h' \
		'mv d e; mv e d; rm -r d/gone d/f1 d/sub/g6; echo n >d/f2; chmod 600 d/f3; echo z >>d/f5
		echo new >d/sub/n; mkdir d/sub/m; rm d/f4; mkdir d/f4; touch -d @1000 . d d/* d/sub/*' \
		'directory /d 0755 0:0 1000
whiteout /d/f1
whiteout /d/gone
file /d/f2 0644 0:0 1000 size=2
file /d/f3 0600 0:0 1000 size=2
directory /d/f4 0755 0:0 1000
file /d/f5 0644 0:0 1000 size=4
directory /d/sub 0755 0:0 1000
whiteout /d/sub/g6
hard link /d/sub/h -> d/f5 0644 0:0 1000
directory /d/sub/m 0755 0:0 1000
file /d/sub/n 0644 0:0 1000 size=4'
}

@test "of a tree renamed there and back names of one file are looked for once" {
	# when y comes, a to c are out of the upper already
	check 'mkdir d; cd d; touch a b c y g1 g2 g3 g4 g5; ln y z' 'mv d e; mv e d; rm d/g?; touch -d @1000 . d' \
		'directory /d 0755 0:0 1000
whiteout /d/g1
whiteout /d/g2
whiteout /d/g3
whiteout /d/g4
whiteout /d/g5'
}

@test "a tree with more gone than left is opaque, also in one that is not" {
	check 'mkdir -p d/old; for i in 1 2 3 4 5 6; do echo $i >d/f$i; echo $i >d/old/g$i; done' \
		'mv d e; mv e d; rm d/old/g[1-5]; echo n >d/old/n; touch -d @1000 . d d/old d/old/n' \
		'directory /d 0755 0:0 1000
directory /d/old 0755 0:0 1000
opaque mark /d/old
file /d/old/g6 0644 0:0 1000 size=2
file /d/old/n 0644 0:0 1000 size=2'
	check 'mkdir d; for i in 1 2 3 4 5; do echo $i >d/f$i; done' 'mv d e; mv e d; rm d/f[1-4]; touch -d @1000 . d' \
		'directory /d 0755 0:0 1000
opaque mark /d
file /d/f5 0644 0:0 1000 size=2'
}

@test "content of the same size and time is a change" {
	check 'echo abc >f; ln -s abc l; echo same >g' \
		'echo abd >f; touch -d @1000 f; ln -sfn abd l; touch -hd @1000 l; echo same >g; touch -d @1000 g .' \
		'file /f 0644 0:0 1000 size=4
symlink /l -> abd 0777 0:0 1000'
}

@test "metadata of directories alone is a change" {
	check 'mkdir -p a/mode a/owner a/time a/same; touch a/mode/f' \
		'chmod 1777 a/mode; chown 5:6 a/owner; touch -d @7 a/time; chmod 755 a/same' \
		'directory /a 0755 0:0 1000
directory /a/mode 1777 0:0 1000
directory /a/owner 0755 5:6 1000
directory /a/time 0755 0:0 7'
}

@test "setuid, setgid and sticky bits are kept" {
	check 'touch f g' 'chmod 4755 f; chmod 2711 g; mkdir -m 3770 d; touch n; chmod 6000 n; touch -d @1000 d n .' \
		'directory /d 3770 0:0 1000
file /f 4755 0:0 1000 size=0
file /g 2711 0:0 1000 size=0
file /n 6000 0:0 1000 size=0'
}

@test "files without any permission are read" {
	check 'mkdir d; echo x >d/f' 'chmod 0 d/f d; mkdir n; echo y >n/f; chmod 0 n/f n; touch -d @1000 n n/f .' \
		'directory /d 0000 0:0 1000
file /d/f 0000 0:0 1000 size=2
directory /n 0000 0:0 1000
file /n/f 0000 0:0 1000 size=2'
}

@test "capabilities set by the step are in the layer" {
	command -v setcap >/dev/null || [ -x /usr/sbin/setcap ] || skip "setcap is not installed"
	local size=$(stat -Lc %s /bin/true)
	local cap='security.capability=\001\000\000\002\000\040\000\000\000\000\000\000\000\000\000\000\000\000\000\000'
	check 'cp /bin/true prog' 'PATH=$PATH:/sbin:/usr/sbin setcap cap_net_raw+ep prog; ln prog prog2; touch -d @1000 .' \
		"file /prog 0755 0:0 1000 size=$size $cap
hard link /prog2 -> prog 0755 0:0 1000 $cap"
}

@test "attributes with any bytes, and access control lists" {
	command -v setfattr >/dev/null || skip "setfattr is not installed"
	command -v setfacl >/dev/null || skip "setfacl is not installed"
	check 'touch f g same; mkdir d; setfattr -n user.old -v 1 g; setfattr -n user.k -v v same' \
		'setfattr -n user.bin -v 0x00ff0a003d f; setfattr -x user.old g; setfacl -m u:7:r d
		setfattr -n user.k -v w same; setfattr -n user.k -v v same' \
		'directory /d 0755 0:0 1000 system.posix_acl_access=\002\000\000\000\001\000\007\000\377\377\377\377\002\000\004\000\007\000\000\000\004\000\005\000\377\377\377\377\020\000\005\000\377\377\377\377\040\000\005\000\377\377\377\377
file /f 0644 0:0 1000 size=0 user.bin=\000\377\012\000=
file /g 0644 0:0 1000 size=0'
}

@test "an overlay tree inside the image keeps its attributes" {
	command -v setfattr >/dev/null || skip "setfattr is not installed"
	is_root || skip "needs root"
	run on root 'mkdir d; setfattr -n trusted.overlay.overlay.opaque -v y d; mkdir e' \
		'setfattr -n trusted.overlay.opaque -v y e; touch d/f; touch -d @1000 d d/f'
	echo "$output"
	# older kernels keep these names to themselves
	[[ $output != *"Operation not"* ]] || skip "this kernel does not nest overlays"
	[ "$status" = 0 ]
	[ "$output" = 'directory /d 0755 0:0 1000 trusted.overlay.opaque=y
file /d/f 0644 0:0 1000 size=0
directory /e 0755 0:0 1000 trusted.overlay.opaque=y' ]
}

@test "hard links of one step name the first" {
	check 'mkdir d' 'echo x >z; ln z d/y; ln d/y a; ln -s t s; ln s s2; mkfifo p; ln p p2; touch -hd @1000 a s p d .' \
		'file /a 0644 0:0 1000 size=2
directory /d 0755 0:0 1000
hard link /d/y -> a 0644 0:0 1000
fifo /p 0644 0:0 1000
hard link /p2 -> p 0644 0:0 1000
symlink /s -> t 0777 0:0 1000
hard link /s2 -> s 0777 0:0 1000
hard link /z -> a 0644 0:0 1000'
}

@test "a new name of an old file brings all its names in the upper" {
	check 'echo x >old; mkdir d' 'ln old d/new; touch -d @1000 d' \
		'directory /d 0755 0:0 1000
file /d/new 0644 0:0 1000 size=2
hard link /old -> d/new 0644 0:0 1000'
}

@test "a hard link written through one name is a file of its own" {
	check 'echo x >a; ln a b; ln a c; mkdir d' 'echo y >>b; rm c; touch -d @1000 b .; touch -r a a' \
		'whiteout /c
file /b 0644 0:0 1000 size=4'
}

@test "fifos are kept and sockets are left out" {
	NOT_THE_SAME=1
	check 'echo x >was' 'mkfifo -m 600 p; rm was
		python3 -c "import socket; [socket.socket(socket.AF_UNIX).bind(n) for n in (\"s\", \"was\")]"
		touch -d @1000 p .' \
		"layer-tool: warning: 's' is a socket, which a layer cannot hold: left out
layer-tool: warning: 'was' is a socket, which a layer cannot hold: left out
whiteout /was
fifo /p 0600 0:0 1000"
}

@test "devices are kept" {
	is_root || skip "needs root"
	run on root 'mknod a c 1 3; mknod b b 7 0; mknod c c 1 3' \
		'mknod n c 1 5; rm a; mknod a c 1 3; rm c; mknod c c 1 9; touch -d @1000 a c n .; chmod 600 b'
	echo "$output"
	[ "$output" = 'block device /b 0600 0:0 1000 7,0
character device /c 0644 0:0 1000 1,9
character device /n 0644 0:0 1000 1,5' ]
}

@test "large ids" {
	is_root || skip "needs root"
	run on root 'touch f' 'chown 4294967294:2097152 f; touch g; chown 3000000000:2097151 g; touch -d @1000 g .'
	echo "$output"
	[ "$output" = 'file /f 0644 4294967294:2097152 1000 size=0
file /g 0644 3000000000:2097151 1000 size=0' ]
}

@test "times: fractions, before 1970, after 2038 and 2242" {
	check 'touch f' 'touch -d @1000.9 f; touch -d @-3.5 a; touch -d @5000000000 b; touch -d @9000000000 c; touch -d @1000 .' \
		'file /a 0644 0:0 -4 size=0
file /b 0644 0:0 NOW size=0
file /c 0644 0:0 NOW size=0'
}

@test "long, odd and non-UTF-8 names" {
	local n=$(printf 'n%.0s' {1..200})
	check 'mkdir d' "mkdir -p $n/$n; touch $n/$n/f; ln -s $n/$n l; printf '' >\$'d/\\xff\\xfe \\n'; touch ' '
		find . -newermt @100000 -exec touch -hd @1000 {} +" \
		"file /\\040 0644 0:0 1000 size=0
directory /d 0755 0:0 1000
file /d/\\377\\376\\040\\012 0644 0:0 1000 size=0
symlink /l -> $n/$n 0777 0:0 1000
directory /$n 0755 0:0 1000
directory /$n/$n 0755 0:0 1000
file /$n/$n/f 0644 0:0 1000 size=0"
}

@test "a sparse file fills neither disk nor time" {
	check 'mkdir d' 'truncate -s 300M d/lastlog; echo x >>d/lastlog; touch -d @1000 d d/lastlog' \
		'directory /d 0755 0:0 1000
file /d/lastlog 0644 0:0 1000 size=314572802'
	[ "$(du -cm "$T"/user/*/upper | tail -1 | cut -f1)" -lt 10 ]
}

@test "the init layer and edits of its files leave no trace" {
	export INIT='mkdir -p etc proc dev/pts run/secrets opt; echo h >etc/hosts; echo n >etc/hostname; echo r >etc/resolv.conf'
	local drop=(--init init --drop etc/hosts --drop etc/hostname --drop etc/resolv.conf)
	# the image has /etc, without the three files
	check 'mkdir etc; echo x >etc/passwd' \
		'sed -i s/h/edited/ etc/hosts; rm etc/hostname; echo other >>etc/resolv.conf; touch -d @1000 etc' '' "${drop[@]}"
	# it has nothing: /etc itself is the init layer's
	check 'mkdir bin' 'sed -i s/h/edited/ etc/hosts; rm -r etc/hostname proc run/secrets; touch -d @1000 .' '' "${drop[@]}"
	# it has its own hosts file, which stays
	check 'mkdir etc; echo mine >etc/hosts' 'rm etc/hosts; echo new >etc/hosts; touch -d @1000 etc' '' "${drop[@]}"
}

@test "what a step makes at the places of the init layer is kept" {
	export INIT='mkdir -p etc proc dev/pts opt; echo h >etc/hosts; echo r >etc/resolv.conf'
	local drop=(--init init --drop etc/hosts --drop etc/resolv.conf)
	check 'mkdir bin' \
		'ln -sf ../run/stub etc/resolv.conf; touch dev/pts/0; chmod 711 opt; touch -hd @1000 etc/resolv.conf etc dev/pts dev/pts/0 .' \
		'directory /dev 0755 0:0 1000
directory /dev/pts 0755 0:0 1000
file /dev/pts/0 0644 0:0 1000 size=0
directory /etc 0755 0:0 1000
symlink /etc/resolv.conf -> ../run/stub 0777 0:0 1000
directory /opt 0711 0:0 1000' "${drop[@]}"
	# the image has the file: its deletion counts
	check 'mkdir etc; echo mine >etc/hosts' 'rm etc/hosts; touch -d @1000 etc' \
		'directory /etc 0755 0:0 1000
whiteout /etc/hosts' "${drop[@]}"
}

@test "a file that cannot be in a layer is refused" {
	is_root || skip "needs root"
	run on root 'mkdir d' 'touch d/.wh.x'
	[ "$status" = 3 ]
	[[ $output = "layer-tool: 'd/.wh.x' cannot be stored in a layer"* ]]
}

@test "an upper written with redirects or metacopy on is refused" {
	is_root || skip "needs root"
	BUILD_OPTIONS=redirect_dir=on,metacopy=off
	export BUILD_OPTIONS
	run on root 'mkdir d; touch d/f' 'mv d e'
	[ "$status" = 70 ]
	[[ $output = "layer-tool: 'e' was written with overlay's redirect_dir on"* ]]
	BUILD_OPTIONS=redirect_dir=on,metacopy=on
	run on root 'head -c 100000 /dev/zero >f' 'chmod 600 f'
	[ "$status" = 70 ]
	[[ $output = "layer-tool: 'f' was written with overlay's metacopy on"* ]]
}

@test "GNU tar, umoci and our own reading of a layer agree" {
	is_root || skip "needs root"
	local t=$top_builddir/tests/layer-tool
	mkdir "$T/tree" "$T/gnu"
	cd "$T/tree"
	mkdir -p a/b "$(printf 'l%.0s' {1..150})"
	echo x >a/b/f
	ln a/b/f a/g
	ln -s a l
	mkfifo p
	mknod dev c 1 3
	chown 3000000:5 a/g
	touch -d @-5 l -h
	setfattr -n user.x -v 0x00ff a/b
	find . -newermt @100000 -exec touch -hd @1000 {} +
	"$t" whole . >"$T/tree.tar"
	tar --xattrs --xattrs-include='*' --numeric-owner -xpf "$T/tree.tar" -C "$T/gnu"
	"$t" dump . >"$T/dump"
	"$t" dump "$T/gnu" | diff "$T/dump" -
	[ "$("$t" pack - . | sha256sum)" = "$(sha256sum <"$T/tree.tar")" ]
	[ "$("$t" layer . | sha256sum)" = "$(sha256sum <"$T/tree.tar")" ]
	command -v umoci >/dev/null || skip "umoci is not installed: GNU tar alone was asked"
	umoci init --layout "$T/oci"
	umoci new --image "$T/oci:x"
	umoci raw add-layer --image "$T/oci:x" "$T/tree.tar"
	umoci unpack --image "$T/oci:x" "$T/umoci"
	"$t" dump "$T/umoci/rootfs" | diff "$T/dump" -
}
