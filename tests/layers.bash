# SPDX-License-Identifier: Apache-2.0
# Shared by the tests of layers (load layers, after lib): images are built or pulled, their layers read as tars, and
# their trees compared on every way: mounted from the store that made them, from another store that pulled
# them, and made of their tars by another program (tests/apply-layer.py).

# bases_setup: localhost/bb, a busybox, in both stores
bases_setup() {
	busybox_tar "$T/bb.tar"
	chmod 644 "$T/bb.tar"
	local -x SOURCE_DATE_EPOCH=1700000000
	! is_root || as root imgstore import "$T/bb.tar" localhost/bb >&2
	! have_user || as user imgstore import "$T/bb.tar" localhost/bb >&2
}

# tool_setup: localhost/tool, the busybox with tests/step-tool
tool_setup() {
	mkdir "$T/tool"
	tar -C "$T/tool" -xf "$T/bb.tar"
	cp "$top_builddir/tests/step-tool" "$T/tool/bin/"
	tar --sort=name --mtime=@1700000000 --owner=0 --group=0 --numeric-owner -C "$T/tool" -cf "$T/tool.tar" .
	rm -r "$T/tool"
	chmod 644 "$T/tool.tar"
	local -x SOURCE_DATE_EPOCH=1700000000
	! is_root || as root imgstore import "$T/tool.tar" localhost/tool >&2
	! have_user || as user imgstore import "$T/tool.tar" localhost/tool >&2
}

# the layers of the layout $OUT: $CONFIG, and $LAYERS, the tars, lowest first
find_layers() {
	local manifest
	manifest=$(jq -r '.manifests[0].digest' "$OUT/index.json" | cut -d: -f2)
	CONFIG=$OUT/blobs/sha256/$(jq -r .config.digest "$OUT/blobs/sha256/$manifest" | cut -d: -f2)
	mapfile -t LAYERS < <(jq -r '.layers[].digest' "$OUT/blobs/sha256/$manifest" | sed "s|sha256:|$OUT/blobs/sha256/|")
}

# push WHO NAME: as the layout $OUT, its layers as plain tars
push() {
	OUT=$T/$1-${2##*/}-oci
	if [ "$1" = user ] && is_root; then install -d -o "$TEST_USER" "$OUT"; fi
	as "$1" imgpush -q --compression none "$2" "oci:$OUT:latest" >&2
	find_layers
}

# build WHO NAME [OPTION…]: Buildfile on stdin, the context is $T/WHO-NAME; leaves $OUT, $LAYERS, $CONFIG and in
# $T/same the tree, which is the same on every way
build() {
	local who=$1 name=$2
	CTX=$T/$who-$name
	mkdir -p "$CTX"
	cat >"$CTX/Buildfile"
	chmod -R a+rX "$CTX"
	as "$who" imgbuild -q --no-cache -t "$name" "${@:3}" "$CTX" >&2
	push "$who" "$name"
	same "$who" "$name"
}

# names of layer N (1 is the base), one per line, without the root: a step that makes a name in / changes its time,
# and whether that falls into the second of the layer below is chance
names() {
	local list
	list=$(tar --quoting-style=literal -tf "${LAYERS[$(($1 - 1))]}") || { echo "no list of layer $1"; return 1; }
	grep -vxE '(\./)?' <<<"$list" || true
}
# lacks N PATTERN: no name in layer N is so
lacks() {
	names "$1" >"$T/listed"
	not grep "$2" "$T/listed"
}
# verbose listing of one entry of layer N
entry() { tar --numeric-owner --full-time -tvf "${LAYERS[$(($1 - 1))]}" "$2"; }
# PAX records of entry NAME in layer N, as KEY=VALUE in hexadecimal
records() {
	python3 - "${LAYERS[$(($1 - 1))]}" "$2" <<-'P' || echo "no entry $2"
		import sys, tarfile
		with tarfile.open(sys.argv[1], errors='surrogateescape') as tar:
		    for key, value in sorted(tar.getmember(sys.argv[2]).pax_headers.items()):
		        print(key + '=' + value.encode('utf-8', 'surrogateescape').hex())
	P
}
tree() { # the image unpacked elsewhere
	rm -rf "$T/unpacked"
	umoci unpack --image "$OUT:latest" "$T/unpacked" >&2
	dump_tree --no-times "$T/unpacked/rootfs"
}

# same WHO NAME: the tree of the image, dumped to $T/same, is one on every way; after push
same() {
	local dir=$T/$1-${2##*/}-same way
	rm -rf "$dir"
	mkdir "$dir"
	if [ "$1" = user ] && is_root; then chown "$TEST_USER:" "$dir"; fi
	case $1 in
	root) as root unshare -m bash "$top_srcdir/tests/every-way.bash" "$2" "$OUT" "$dir" "${LAYERS[@]}" >&2 ;;
	user) EXTRA_ENV="${EXTRA_ENV-} top_srcdir=$top_srcdir" as user imgstore unshare \
		bash "$top_srcdir/tests/every-way.bash" "$2" "$OUT" "$dir" "${LAYERS[@]}" >&2 ;;
	esac
	for way in pulled applied; do
		diff -u "$dir/made" "$dir/$way" >&2 || { echo "$1: $2 $way is another tree" >&2 && return 1; }
	done
	cp "$dir/made" "$T/same"
	if [ "$1" = user ]; then as user imgstore unshare rm -rf "$dir/store" "$dir/tree"; fi
	rm -rf "$dir"
}

# pulled WHO NAME TAR…: an image of these layers (names below $T), the lowest first, pulled into WHO's store as
# localhost/NAME; then as after build
pulled() {
	local who=$1 name=$2
	shift 2
	python3 "$top_srcdir/tests/layout-of.py" "$T/in-$name" latest "${@/#/$T/}"
	chmod -R a+rX "$T/in-$name"
	as "$who" imgpull -q "oci:$T/in-$name:latest" "localhost/$name" >&2
	push "$who" "localhost/$name"
	same "$who" "localhost/$name"
}
mk() { python3 "$top_srcdir/tests/make-tar.py" "$T/$1"; }
# shows TEXT: path and type of all in the tree but what the busybox brings
shows() { diff <(grep -vE '^(\.|bin|etc|tmp|root|bin/.*|etc/(passwd|group)) ' "$T/same" | cut -d' ' -f1,2) <(printf '%s' "$1") >&2; }
