# SPDX-License-Identifier: Apache-2.0
# Shared by tests of what steps see and leave (load steps, after load lib): a base with a busybox in each
# user's store, and for each test an empty context, which is the current directory.

steps_setup_file() {
	make_scratch
	PATH=$top_builddir:$top_builddir/storage:$PATH
	export PATH
	busybox_tar "$T/bb.tar"
	chmod 644 "$T/bb.tar"
	! is_root || as root imgstore import "$T/bb.tar" localhost/bb >&2
	! have_user || as user imgstore import "$T/bb.tar" localhost/bb >&2
}
setup() {
	CTX=$(mktemp -d "$T/ctx.XXXXXX")
	chmod 755 "$CTX"
	cd "$CTX" || return 1
}
# build WHO [OPTIONS…]: Buildfile on stdin, unless there is one; messages in $OUTPUT, the image is "test"
build() {
	local who=$1
	shift
	[ -t 0 ] || cat >Buildfile.new
	[ ! -s Buildfile.new ] || mv Buildfile.new Buildfile
	if [ "$who" = user ] && is_root; then chown -R "$TEST_USER:" "$CTX"; fi
	status=0
	OUTPUT=$(as "$who" imgbuild -t test "$@" "$CTX" 2>&1 >"$T/id") || status=$?
	echo "$OUTPUT"
	ID=$(cat "$T/id")
	return "$status"
}
# refused WHO STATUS PATTERN [OPTIONS…]: Buildfile on stdin
refused() {
	local who=$1 want=$2 pattern=$3
	shift 3
	build "$who" "$@" && { echo "was built"; return 1; }
	[ "$status" = "$want" ] || { echo "status $status"; return 1; }
	[[ $OUTPUT == *"$pattern"* ]] || { echo "not said: $pattern"; return 1; }
	assert_store_idle "$(store_of "$who")"
}
# exported WHO: $CONFIG, and $LAYERS: the layers' tars, lowest first; names and content are of the N-th
exported() {
	local out manifest
	out=$(mktemp -d "$T/out.XXXXXX")
	if [ "$1" = user ] && is_root; then chown "$TEST_USER" "$out"; fi
	as "$1" imgpush -q --compression none test "oci:$out/o:latest" >/dev/null
	manifest=$(jq -r '.manifests[0].digest' "$out/o/index.json" | cut -d: -f2)
	CONFIG=$out/o/blobs/sha256/$(jq -r .config.digest "$out/o/blobs/sha256/$manifest" | cut -d: -f2)
	mapfile -t LAYERS < <(jq -r '.layers[].digest' "$out/o/blobs/sha256/$manifest" | sed "s|sha256:|$out/o/blobs/sha256/|")
}
# names of layer N (1 is the base) on one line, without the root itself, whose time may have changed
names() { { tar -tf "${LAYERS[$(($1 - 1))]}" || echo "no list of layer $1"; } | { grep -vxF ./ || true; } | tr '\n' ' '; }
content() { tar -xOf "${LAYERS[$(($1 - 1))]}" "$2"; }
same() { [ "$1" = "$2" ] || { printf 'got:    %q\nwanted: %q\n' "$1" "$2"; return 1; }; }
cached() { grep -c '^#[0-9]* CACHED' <<<"$OUTPUT" || true; }
