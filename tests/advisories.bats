#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Images and Buildfiles of ill will, by the advisories that they are from. Archives are in
# attacks.bats, mounts in mounts.bats, what comes from the network in fetch.bats.

load lib

setup_file() {
	make_scratch
	busybox_tar "$T/bb.tar"
	mkdir -m 777 "$T/work"
	chmod a+r "$T/bb.tar"
	ROOT_STORE=$T/root-store as root imgstore import "$T/bb.tar" localhost/bb >/dev/null
}
teardown_file() { remove_scratch; }
setup() {
	need_root
	OUT=$(mktemp -d "$T/work/XXXXXX")
	export IMGBUILD_ROOT=$ROOT_STORE
}
teardown() { rm -rf "$OUT"; }

# build [OPTION…]: the Buildfile on stdin, with $OUT as its context
build() {
	cat >"$OUT/Buildfile"
	status=0
	output=$(timeout 60 imgbuild -q "$@" "$OUT" 2>&1) || status=$?
	echo "$status: $output"
}
is() { # STATUS TEXT
	[ "$status" = "$1" ]
	[[ $output == *"$2"* ]]
}

# ---- users ----

@test "CVE-2024-40635: no user or group number wraps, and no name is taken for one" {
	for user in 4294967296 4294967295 18446744073709551616 65536:4294967296 0:4294967295 99999999999999999999; do
		build <<<$'FROM localhost/bb\nUSER '"$user"$'\nRUN id -u'
		is 3 'is too large for a user or group id'
		run imgrun --rm -u "$user" localhost/bb id
		is 125 'is too large for a user or group id'
		build <<<$'FROM localhost/bb\nCOPY --chown='"$user"$' Buildfile /f'
		is 3 'is too large for a user or group id'
	done
	for user in -1 65536:abc +5 0x10 1e3 '5 ' ' 5:abc' -1:-1; do
		build <<<$'FROM localhost/bb\nUSER "'"$user"$'"\nRUN id -u'
		[ "$status" != 0 ]
	done
	build <<<$'FROM localhost/bb\nUSER -1\nRUN id -u'
	is 3 "there is no user '-1'"
	build <<<$'FROM localhost/bb\nUSER 65536:abc\nRUN id -u'
	is 3 "there is no group 'abc'"
}

# passwd KIND: an image whose /etc/passwd and /etc/group are that
passwd_is() {
	rm -rf "$OUT/root"
	mkdir -p "$OUT/root/etc"
	tar -C "$OUT/root" -xf "$T/bb.tar" --exclude=./etc/passwd --exclude=./etc/group
	for file in passwd group; do
		case $1 in
		link) ln -s "../../../../../../etc/$file" "$OUT/root/etc/$file" ;;
		absolute) ln -s "$OUT/host-$file" "$OUT/root/etc/$file" ;;
		proc) ln -s /proc/self/environ "$OUT/root/etc/$file" ;;
		fifo) mkfifo "$OUT/root/etc/$file" ;;
		device) mknod "$OUT/root/etc/$file" c 1 5 ;;
		directory) mkdir "$OUT/root/etc/$file" ;;
		sparse) truncate -s 10G "$OUT/root/etc/$file" ;;
		esac
	done
	# COPY does not copy all of these: import does
	tar -C "$OUT/root" -S -cf "$OUT/image.tar" .
	rm -rf "$OUT/root"
	imgstore import --unpack-limit ratio=100m "$OUT/image.tar" "localhost/evil-$1" >/dev/null
	rm "$OUT/image.tar"
}
@test "CVE-2024-9676: /etc/passwd of an image is read as a small regular file of that image, or not at all" {
	printf 'hostuser:x:7:7::/:/bin/sh\n' >"$OUT/host-passwd"
	printf 'hostuser:x:7:\n' >"$OUT/host-group"
	for kind in link absolute fifo device directory; do
		passwd_is $kind
		for text in 'USER hostuser\nRUN id' 'USER 5:hostuser\nRUN id' 'COPY --chown=hostuser Buildfile /f' \
			'COPY --chown=5:hostuser Buildfile /f'; do
			build <<<"FROM localhost/evil-$kind"$'\n'"$(printf "$text")"
			[ "$status" = 3 ]
			[[ $output == *"hostuser"* || $output == *"is not a regular file"* || $output == *"a circle of symbolic links"* ]]
		done
		run timeout 20 imgrun --rm -u hostuser "localhost/evil-$kind" id
		[ "$status" = 125 ]
	done
}

@test "CVE-2024-9676: an /etc/passwd of 10 GB keeps nobody busy" {
	passwd_is sparse
	for text in 'USER hostuser\nRUN id' 'USER 5:hostuser\nRUN id' 'COPY --chown=hostuser Buildfile /f'; do
		build <<<"FROM localhost/evil-sparse"$'\n'"$(printf "$text")"
		[ "$status" = 3 ] || [ "$status" = 5 ]
		[[ $output == *"/etc/passwd"* || $output == *"/etc/group"* ]]
	done
	ulimit -v 2000000
	run timeout 20 imgrun --rm -u hostuser localhost/evil-sparse id
	[ "$status" = 125 ]
}

# ---- documents ----

# document WHAT: a layout with one thing wrong in it, by tests/make-layout.py
document() {
	python3 "$top_srcdir/tests/make-layout.py" "$OUT/layout" v1 "$1"
	status=0
	output=$(timeout 60 imgpull -q "oci:$OUT/layout:v1" localhost/evil 2>&1) || status=$?
	rm -rf "$OUT/layout"
	echo "$1: $status ${output:0:400}"
}

@test "CVE-2024-3727: a digest is 64 lower-case hex digits before it is a path" {
	document digest-is-a-path
	is 3 'is not a digest'
	python3 "$top_srcdir/tests/make-layout.py" "$OUT/layout" v1 -
	cp "$OUT/layout/index.json" "$OUT/good"
	local hex
	hex=$(jq -r '.manifests[0].digest[7:]' "$OUT/good")
	for digest in "sha256:${hex^^}" "sha256:$hex/../$hex" "sha256:${hex:1}" "sha256:${hex}0" "$hex" "sha256:../sha256/$hex" \
		"sha512:$hex" "sha256:$hex?x" "sha256: $hex" "" "sha256:" "../$hex"; do
		jq --arg d "$digest" '.manifests[0].digest = $d' "$OUT/good" >"$OUT/layout/index.json"
		run imgpull -q "oci:$OUT/layout:v1" localhost/evil
		echo "$digest: $output"
		[ "$status" = 3 ]
		[[ $output == *digest* ]]
	done
	run imgpull -q "oci:$OUT/layout@sha256:../../etc/passwd" localhost/evil
	[ "$status" = 2 ] || [ "$status" = 3 ]
}

@test "CVE-2021-41190: a document is of one kind, and of the one that it is called" {
	document manifest-and-index
	is 3 'members of a manifest and of an index'
	python3 "$top_srcdir/tests/make-layout.py" "$OUT/layout" v1 -
	jq '.manifests[0].mediaType = "application/vnd.oci.image.index.v1+json"' "$OUT/layout/index.json" >"$OUT/other"
	cp "$OUT/other" "$OUT/layout/index.json"
	run imgpull -q "oci:$OUT/layout:v1" localhost/evil
	[ "$status" = 3 ]
}

# huge PROGRAM: a layout whose documents are what the jq PROGRAM makes of config, then manifest
huge() {
	python3 - "$OUT/layout" "$1" <<-'END'
		import hashlib, json, os, sys
		out, what = sys.argv[1:]
		os.makedirs(out + '/blobs/sha256', exist_ok=True)
		def put(value, kind):
		    data = value if isinstance(value, bytes) else json.dumps(value).encode()
		    name = hashlib.sha256(data).hexdigest()
		    open(out + '/blobs/sha256/' + name, 'wb').write(data)
		    return {'mediaType': 'application/vnd.oci.image.' + kind + '.v1+json', 'digest': 'sha256:' + name, 'size': len(data)}
		machine = {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(os.uname().machine, os.uname().machine)
		config = {'architecture': machine, 'os': 'linux', 'config': {}, 'rootfs': {'type': 'layers', 'diff_ids': []}, 'history': []}
		many = ['k%d=%s' % (i, 'v' * 20) for i in range(200000)]
		if what == 'env': config['config']['Env'] = many
		if what == 'labels': config['config']['Labels'] = dict(e.split('=') for e in many)
		if what == 'history': config['history'] = [{'created_by': e, 'empty_layer': True} for e in many]
		if what == 'volumes': config['config']['Volumes'] = {'/' + e: {} for e in many}
		if what == 'layers': config['rootfs']['diff_ids'] = ['sha256:' + '0' * 64] * 5000
		if what == 'deep': config = ('{"architecture":' + '[' * 100000 + ']' * 100000 + '}').encode()
		manifest = {'schemaVersion': 2, 'mediaType': 'application/vnd.oci.image.manifest.v1+json',
		            'config': put(config, 'config'), 'layers': []}
		if what == 'layers':
		    manifest['layers'] = [{'mediaType': 'application/vnd.oci.image.layer.v1.tar', 'digest': 'sha256:' + '0' * 64, 'size': 1024}] * 5000
		if what == 'manifest': manifest['annotations'] = dict(e.split('=') for e in many)
		if what == 'said-size': manifest['config']['size'] = 1 << 50
		top = put(manifest, 'manifest')
		top['annotations'] = {'org.opencontainers.image.ref.name': 'v1'}
		json.dump({'schemaVersion': 2, 'manifests': [top]}, open(out + '/index.json', 'w'))
		open(out + '/oci-layout', 'w').write('{"imageLayoutVersion":"1.0.0"}')
	END
	status=0
	# no more than 600 MB for any of it
	output=$(ulimit -v 600000; timeout 60 imgpull -q "oci:$OUT/layout:v1" localhost/huge 2>&1) || status=$?
	rm -rf "$OUT/layout"
	echo "$1: $status ${output:0:300}"
}
@test "GHSA-72x6-4j93-7w86, CVE-2023-25153: documents without end are refused in bounded memory" {
	for what in env labels history volumes manifest; do
		huge $what
		is 3 'bytes'
	done
	huge layers
	is 3 'more than 4096 entries'
	huge deep
	[ "$status" = 3 ]
	huge said-size
	[ "$status" = 3 ]
	not imgstore inspect localhost/huge
}

# ---- what an image says about itself ----

@test "CVE-2022-23648: a VOLUME leads nowhere" {
	build -t localhost/volume <<-'END'
		FROM localhost/bb
		RUN ln -s / /up && ln -s ../../../../../../../../etc /etc2
		VOLUME /../../etc /up/etc /etc2 ../../..
		RUN cat /etc/passwd
	END
	[ "$status" = 0 ]
	run imgrun --rm localhost/volume sh -c 'cat /etc/passwd /etc2/passwd /up/etc/passwd'
	[ "$status" = 0 ]
	[[ $output != *daemon:x:1:1:daemon:/usr/sbin* ]]
	[ "$(grep -c alice <<<"$output")" = 3 ]
}

@test "CVE-2024-21626: no WORKDIR and no command finds a descriptor of the host's" {
	for fd in $(seq 3 20); do
		build <<<$'FROM localhost/bb\nWORKDIR /proc/self/fd/'"$fd"$'\nRUN cat ../../../../etc/hostname /etc/shadow; ls ../../..'
		[[ $output != *"root:"* ]]
		run timeout 20 imgrun --rm -w "/proc/self/fd/$fd" localhost/bb sh -c 'pwd; cat ../../../../etc/shadow'
		[ "$status" != 124 ]
		[[ $output != *"root:"* ]]
	done
	run imgrun --rm localhost/bb sh -c 'ls /proc/self/fd | tr "\n" " "'
	[ "$output" = "0 1 2 3 " ]
}

@test "CVE-2026-53488: labels of an image are text, whatever they are called" {
	build -t localhost/labels <<-'END'
		FROM localhost/bb
		LABEL io.containerd.image.layer=/etc io.buildah.version=1 containerd.io/restart.status=running \
		 io.imgbuild.root=/ org.opencontainers.image.ref.name=../../x imgbuild.unpack-limits=ratio=1
		RUN true
	END
	[ "$status" = 0 ]
	run imgrun --rm localhost/labels id -u
	[ "$status" = 0 ]
	[ "$output" = 0 ]
}

# ---- Buildfiles ----

@test "CVE-2022-4122, CVE-2020-10696: an ignore file that is a link shows nothing of the host" {
	echo 'secret-of-the-host[' >"$OUT/../secret"
	ln -s ../secret "$OUT/.dockerignore"
	build <<<$'FROM scratch\nCOPY . /'
	[[ $output != *secret-of-the-host* ]]
	rm "$OUT/.dockerignore" "$OUT/../secret"
}

@test "CVE-2019-18466: a wildcard through a link finds what the stage has, not the host" {
	build -t localhost/glob <<-'END'
		FROM localhost/bb AS a
		RUN ln -s / /up && ln -s /../../../../etc /e && mkdir /d && echo in >/d/shadow-not
		FROM localhost/bb
		COPY --from=a /e/pass* /got/
		COPY --from=a /up/d/shad* /got/
	END
	[ "$status" = 0 ]
	run imgrun --rm localhost/glob sh -c 'ls /got; cat /got/passwd'
	[[ $output == *alice* ]]
	[[ $output == *shadow-not* ]]
}

@test "CVE-2021-3602, CVE-2022-27651, GHSA-rc4r-wh2q-q6c4: a step sees its own processes and no privilege to pass on" {
	SECRET_OF_THE_CALLER=xyzzy build --progress=plain <<-'END'
		FROM localhost/bb
		RUN ! grep -al xyzzy /proc/[0-9]*/environ && ! env | grep xyzzy
		RUN grep -q '^CapInh:.*0000000000000000$' /proc/self/status && [ "$(id -G)" = 0 ]
		USER alice
		RUN grep -q '^CapInh:.*0000000000000000$' /proc/self/status && [ "$(id -G)" = "1001 100" ]
	END
	[ "$status" = 0 ]
}

@test "CVE-2024-24557: what was pulled is a base, and never the result of a step" {
	printf 'FROM scratch\nCOPY f /f\n' >"$OUT/Buildfile"
	echo right >"$OUT/f"
	mkdir "$OUT/evil"
	echo wrong >"$OUT/evil/f"
	# an image with the very history that the step would have
	printf 'FROM scratch\nCOPY f /f\n' >"$OUT/evil/Buildfile"
	imgbuild --root "$OUT/other" -q -t localhost/poison "$OUT/evil" >/dev/null
	imgpush -q --root "$OUT/other" localhost/poison "docker-archive:$OUT/poison.tar"
	imgpull -q "docker-archive:$OUT/poison.tar" >/dev/null
	id=$(imgbuild -q "$OUT")
	imgpush -q "$id" "oci:$OUT/out:x"
	layer=$(jq -r '.layers[0].digest[7:]' "$OUT/out/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' "$OUT/out/index.json")")
	[ "$(tar -xzOf "$OUT/out/blobs/sha256/$layer" f)" = right ]
}

@test "CVE-2024-25621: the store is its owner's, whatever the umask" {
	(umask 0 && IMGBUILD_ROOT=$OUT/open imgstore import "$T/bb.tar" localhost/x >/dev/null)
	[ "$(stat -c %a "$OUT/open")" = 700 ]
	(umask 277 && IMGBUILD_ROOT=$OUT/shut imgstore ls >/dev/null)
	[ "$(stat -c %a "$OUT/shut")" = 700 ]
}
