#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# overlay-step.bash NS LOWER STEP [layer-tool option…]: run in a mount namespace of its own, as (some namespace's) root,
# in an empty directory. Makes a lower tree with the shell lines LOWER, mounts overlayfs on it as builds do, runs the
# lines STEP in it, and prints what the diff gives. NS is trusted or user. With $OVERLAY=fuse the step runs on
# imgoverlay, all else on the kernel's.
#
# Then it demands that four trees are one: what the step saw at its end, the lower with the settled upper mounted on
# it (unless there was an init layer, shell lines in $INIT, or $NOT_THE_SAME is set), the lower with the layer's tar applied by another program, and, for the tar itself, that the settled upper packs
# to the digest that was made of the unsettled one.
set -eu
ns=$1 lower_lines=$2 step_lines=$3
shift 3
tool=$top_builddir/tests/layer-tool
options=("$@")
own=
build=redirect_dir=off,metacopy=off,index=off,xino=off,volatile
if [ "$ns" = user ]; then
	options+=(--user)
	own=,userxattr
	build=redirect_dir=nofollow,metacopy=off,index=off,xino=off,volatile # "off" and userxattr exclude each other
fi
umask 022

# Every name as a file of its own: while it is mounted, an overlay with userxattr shows the names of an inode that was
# copied up as different files.
apart() {
	awk '{
		at = index($0, " /")
		kind = substr($0, 1, at - 1)
		rest = substr($0, at + 1)
		name = rest; sub(/ .*/, "", name); sub(/[^ ]* /, "", rest)
		if (kind == "hard link") {
			first = rest; sub(/^-> /, "", first); sub(/ .*/, "", first)
			kind = kinds["/" first]; rest = rests["/" first]
		}
		kinds[name] = kind; rests[name] = rest
		print kind, name, rest
	}'
}

mkdir lower upper work merged empty applied

(cd lower && eval "$lower_lines")
find lower -newermt @100000 -print0 | sort -rz | xargs -0r touch -hd @1000
touch -d @1000 lower
chown --reference=lower upper
chmod --reference=lower upper
touch -r lower upper

below=lower
if [ -n "${INIT-}" ]; then
	mkdir init
	(cd init && eval "$INIT")
	find init -newermt @100000 -print0 | sort -rz | xargs -0r touch -hd @1000
	below=init:lower
	NOT_THE_SAME=1
fi
case ${OVERLAY-kernel} in
kernel) mount -t overlay overlay -o "lowerdir=$below,upperdir=upper,workdir=work,${BUILD_OPTIONS-$build}$own" merged ;;
fuse) imgoverlay -o "lowerdir=$below,upperdir=upper,workdir=work,volatile,dev" merged ;;
esac
(cd merged && eval "$step_lines")
"$tool" dump merged >seen 2>warnings || {
	status=$?
	cat warnings >&2
	exit $status
}
umount merged

mount -t overlay overlay -o "lowerdir=lower:empty$own" merged
cp -a merged/. applied
"$tool" "${options[@]}" diff merged upper >given
"$tool" "${options[@]}" pack merged upper >layer.tar 2>/dev/null
"$tool" "${options[@]}" --settle digest merged upper >digest 2>/dev/null
umount merged

"$tool" "${options[@]}" layer upper >again.tar
echo "sha256:$(sha256sum <layer.tar | cut -d' ' -f1)" >packed
echo "sha256:$(sha256sum <again.tar | cut -d' ' -f1)" >>packed
cut -d' ' -f1 digest >>packed
[ "$(sort -u packed | wc -l)" = 1 ] || { echo "digests differ:" && cat packed && exit 1; } >&2

mount -t overlay overlay -o "lowerdir=upper:lower:empty$own" merged
"$tool" dump merged >settled
umount merged
python3 "$top_srcdir/tests/apply-layer.py" layer.tar applied
"$tool" dump applied >unpacked
if [ -z "${NOT_THE_SAME-}" ]; then
	diff -u <(apart <seen) <(apart <settled) >&2
fi
diff -u settled unpacked >&2
# the time of the step is not known beforehand, the content is compared above
sed -E 's/ [0-9]{10}( |$)/ NOW\1/; s/ content=[0-9a-f]+//' given
