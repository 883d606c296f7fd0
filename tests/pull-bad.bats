#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Pulls from a registry that misbehaves: each ends with the image, or with one clear error and status 4 (3 where the
# content is wrong) in its time, and credentials go nowhere else.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
	make_scratch
	. "$top_srcdir/tests/registry.bash"
	mkdir "$T/context"
	head -c 3000000 /dev/urandom >"$T/context/big"
	printf 'FROM scratch\nCOPY big /big\nCOPY Buildfile /small\n' >"$T/context/Buildfile"
	(
		export IMGBUILD_ROOT=$T/maker
		imgbuild -q -t image "$T/context" >&2
		imgpush -q image "oci:$T/in:v1" >&2
	)
	bad_registry_start bad
	skopeo copy -q --dest-tls-verify=false "oci:$T/in:v1" "docker://$(registry_of bad)/a/b:v1"
}
teardown_file() {
	registry_stop_all
	remove_scratch
}
setup() {
	H=$(registry_of bad)
	IMAGE=$H/a/b:v1
	MANIFEST=$(jq -r '.manifests[0].digest' "$T/in/index.json")
	WANT=$(jq -r .config.digest "$T/in/blobs/sha256/${MANIFEST#*:}")
	BIG=$(jq -r '.layers[0].digest' "$T/in/blobs/sha256/${MANIFEST#*:}")
	SIZE=$(stat -c %s "$T/in/blobs/sha256/${BIG#*:}")
	export IMGBUILD_ROOT=$T/store-$BATS_TEST_NUMBER IMGBUILD_REGISTRY_TIMEOUT=2
	CREDS=$REGISTRY_USER:$REGISTRY_PASSWORD
}
teardown() { rm -rf "$IMGBUILD_ROOT"; }
. "$top_srcdir/tests/registry.bash"

rules() { bad_registry_rules bad "$1"; }
asked() { bad_registry_log bad "$1"; }
pull() { timeout 60 imgpull -q --retry-delay=10ms "$@"; }
comes() { [ "$(pull "$@" "$IMAGE")" = "$WANT" ]; }
# fails STATUS TEXT OPTIONS...: one line that says TEXT, nothing named, no lock left; what is secret is not said
fails() {
	local status=$1 text=$2
	shift 2
	run "-$status" pull "$@" "$IMAGE"
	echo "$output"
	grep -E -e "$text" <<<"$output"
	[ "$(wc -l <<<"$output")" = 1 ]
	not grep -F "$REGISTRY_PASSWORD" <<<"$output"
	[ -z "$(imgstore ls -q)" ]
}
# bytes of the big layer's body that were sent
big_bytes() { jq -s "map(select(.path|endswith(\"$BIG\"))|.out)|add" "$T/registry/bad/log"; }

@test "all is well" {
	rules '{}'
	comes
}
@test "a body that breaks off is gone on with" {
	rules '{"rules":[{"match":"GET .*'"$BIG"'","do":"cut","after":1000000,"times":2}]}'
	comes
	[ "$(asked "select(.path|endswith(\"$BIG\"))|.range" | sort)" = "$(printf 'bytes=1000000-\nbytes=2000000-\nnull')" ]
	[ "$(big_bytes)" = "$SIZE" ]
}
@test "broken off at random bytes, again and again" {
	for seed in 1 2 3 4 5; do
		rules '{"rules":[{"match":"GET .*/blobs/","do":"cut","seed":'$seed',"times":3}]}'
		comes
		rm -rf "$IMGBUILD_ROOT"
	done
}
@test "broken off for ever: an error, and the next pull goes on" {
	rules '{"rules":[{"match":"GET .*'"$BIG"'","do":"cut","after":100000}]}'
	fails 4 "$BIG.*(closed|bytes)" --retry=2
	rules '{}'
	comes
	[ "$(asked "select(.path|endswith(\"$BIG\"))|.range")" = "bytes=300000-" ]
}
@test "broken off where ranges are not known" {
	rules '{"range":false,"rules":[{"match":"GET .*'"$BIG"'","do":"cut","after":1000000,"times":2}]}'
	comes
}
@test "a killed pull is gone on with; what was kept and is damaged is not" {
	rules '{"rules":[{"match":"GET .*'"$BIG"'","do":"drip","bytes":400000,"seconds":0.5}]}'
	imgpull -q "$IMAGE" & pid=$!
	sleep 1.5
	kill -9 "$pid"
	wait "$pid" || true
	local part=$(echo "$IMGBUILD_ROOT"/blobs/sha256/.part-*)
	local have=$(stat -c %s "$part")
	[ "$have" -gt 0 ]
	cmp -n "$have" "$part" "$T/in/blobs/sha256/${BIG#*:}"
	cp "$part" "$T/part"
	rules '{}'
	comes
	# the registry may notice late that the killed one, which asked for all, is gone
	[ "$(asked "select(.path|endswith(\"$BIG\"))|.range|values")" = "bytes=$have-" ]
	not compgen -G "$IMGBUILD_ROOT/blobs/sha256/.part-*"
	# the same with other bytes in it
	rm -rf "$IMGBUILD_ROOT"
	imgstore ls -q
	tr '\000-\377' '\001-\377\000' <"$T/part" >"$part"
	comes
}
@test "headers of docker's configuration go to the registry, and nowhere else" {
	mkdir -p "$T/docker"
	printf '{"HttpHeaders": {"X-Meta-Test": "who asks", "User-Agent": "none"}}' >"$T/docker/config.json"
	rules '{"rules":[{"match":"^host GET .*blobs","do":"redirect","to":"http://OTHER{path}"}]}'
	DOCKER_CONFIG=$T/docker comes
	[ "$(asked 'select(.door == "host") | .meta' | sort -u)" = 'who asks' ]
	[ "$(asked 'select(.door == "other") | .meta' | sort -u)" = null ]
	printf '{"HttpHeaders": {"X-Meta-Test": "a\\nHost: b"}}' >"$T/docker/config.json"
	DOCKER_CONFIG=$T/docker run -3 pull "$IMAGE"
	[[ $output == *"$T/docker/config.json': \"HttpHeaders\": 'X-Meta-Test' is no header" ]]
}
@test "prune removes what was kept" {
	rules '{"rules":[{"match":"GET .*'"$BIG"'","do":"cut","after":100000}]}'
	fails 4 "$BIG" --retry=0
	[ -n "$(compgen -G "$IMGBUILD_ROOT/blobs/sha256/.part-*")" ]
	imgstore prune -f
	not compgen -G "$IMGBUILD_ROOT/blobs/sha256/.part-*"
}
@test "not now: 429 and 503 are waited for, by seconds and by date" {
	rules '{"rules":[{"match":"manifests","do":"status","status":429,"headers":{"Retry-After":"1"},"times":1},
		{"match":"manifests","do":"status","status":503,"times":1},
		{"match":"blobs","do":"status","status":429,"headers":{"Retry-After":"Wed, 21 Oct 2015 07:28:00 GMT"},"times":3}]}'
	comes
	# what is asked is noted when it has been answered, which takes its time on a busy machine
	[ "$(asked 'select(.path|contains("manifests"))|.time' | jq -s '.[1]-.[0] >= 0.8')" = true ]
}
@test "what is tried again is told" {
	rules '{"rules":[{"match":"manifests","do":"status","status":503,"times":2}]}'
	timeout 60 imgpull --retry-delay=10ms "$IMAGE" 2>"$T/words"
	grep -qF "imgpull: GET 'http://$H/v2/a/b/manifests/v1': status 503 (not available now); try 2 of 5 in 0.0s" "$T/words"
}
@test "never: 500 is an error at last" {
	rules '{"rules":[{"match":"manifests","do":"status","status":500,"body":"{\"errors\":[{\"code\":\"UNKNOWN\",\"message\":\"a\\u001b[2Jb\"}]}"}]}'
	fails 4 'says 500: a \[2Jb' --retry=2
	[ "$(asked .status | sort | uniq -c | tr -s ' ')" = ' 3 500' ]
}
@test "a name that is not there is asked for once" {
	rules '{"rules":[{"match":"manifests","do":"status","status":404}]}'
	fails 4 'says 404 \(not found\)'
	[ "$(asked .status)" = 404 ]
}
@test "tokens: fetched, refused in the middle, fetched again" {
	rules '{"auth":"bearer","rules":[{"match":"GET .*blobs","do":"revoke","times":2}]}'
	comes
	comes --creds "$CREDS"
}
@test "tokens that never do" {
	rules '{"auth":"bearer","token_life":-100}'
	fails 4 '401'
	[ "$(asked 'select(.path|startswith("/token"))|.status' | wc -l)" -le 3 ]
}
@test "a password is sent when it is asked for, and to nobody else" {
	rules '{"auth":"basic","rules":[{"match":"^host GET .*blobs","do":"redirect","to":"http://OTHER{path}"}]}'
	fails 4 'says 401' --creds "$CREDS" # the other host wants one too
	[ "$(asked 'select(.door=="other")|.auth' | sort -u)" = null ]
	rules '{"auth":"bearer","rules":[{"match":"^host GET .*blobs","do":"redirect","to":"http://OTHER{path}"},
		{"match":"^other GET .*blobs","do":"status","status":401,"headers":{"WWW-Authenticate":"Basic realm=\"x\""}}]}'
	fails 4 'says 401' --creds "$CREDS"
	[ "$(asked 'select(.door=="other")|.auth' | sort -u)" = null ]
}
@test "blobs elsewhere come without credentials" {
	rules '{"rules":[{"match":"^host GET .*blobs","do":"redirect","to":"http://OTHER{path}"}]}'
	comes --creds "$CREDS"
	[ "$(asked 'select(.door=="other")|.auth' | sort -u)" = null ]
}
@test "round in circles" {
	rules '{"rules":[{"match":"GET .*blobs","do":"redirect","to":"http://'"$H"'{path}"}]}'
	fails 4 'more than 10 redirects'
	[ "$(asked 'select(.path|contains("blobs"))|.status' | wc -l)" -le 33 ]
}
@test "from https to http" {
	IMAGE=$(bad_registry_door bad tls)/a/b:v1
	rules '{"rules":[{"match":"^tls GET .*blobs","do":"redirect","to":"http://OTHER{path}"}]}'
	fails 4 'redirect from https to http'
	[ -z "$(asked 'select(.door=="other")|.path')" ]
}
@test "to where no registry is" {
	local to
	for to in file:///etc/passwd gopher://127.0.0.1/ ftp://127.0.0.1/x; do
		rules '{"rules":[{"match":"GET .*blobs","do":"redirect","to":"'$to'"}]}'
		fails 4 'redirect to nowhere'
	done
	rules '{"rules":[{"match":"GET .*blobs","do":"redirect","to":"http://169.254.169.254/x"}]}'
	fails 4 'an address where no registry sends anybody'
}
@test "a token server that must not be asked" {
	rules '{"auth":"bearer","realm":"http://169.254.169.254/token"}'
	fails 4 'an address where no registry sends anybody' --creds "$CREDS"
	rules '{"auth":"bearer","realm":"file:///etc/passwd"}'
	fails 4 'is no URL' --creds "$CREDS"
	IMAGE=$(bad_registry_door bad tls)/a/b:v1
	rules '{"auth":"bearer","realm":"http://OTHER/token"}'
	fails 4 'not reached by https' --creds "$CREDS" --tls-verify=true --cert-dir "$T/registry/certs"
	[ -z "$(asked 'select(.door=="other")|.path')" ]
}
@test "a token server that sends us on, or says nonsense" {
	rules '{"auth":"bearer","rules":[{"match":"GET /token","do":"redirect","to":"http://OTHER{path}"}]}'
	fails 4 'must not send us elsewhere' --creds "$CREDS"
	[ -z "$(asked 'select(.door=="other")|.path')" ]
	local body
	for body in '{}' '[' '{\"token\":\"a b\"}'; do
		rules '{"auth":"bearer","rules":[{"match":"GET /token","do":"bytes","body":"'"$body"'"}]}'
		fails 4 '/token.*its answer'
	done
	rules '{"auth":"bearer","rules":[{"match":"GET /token","do":"endless"}]}'
	fails 4 'more than 1048576 bytes'
}
@test "other content than the digest says" {
	rules '{"rules":[{"match":"GET .*'"$BIG"'","do":"corrupt"}]}'
	fails 3 "$BIG"
	rules '{}'
	comes
}
@test "a manifest with other content than its digest says" {
	IMAGE=$H/a/b@$MANIFEST
	rules '{"digest_header":false,"rules":[{"match":"GET .*manifests","do":"corrupt"}]}'
	fails 3 'not the one asked for'
	IMAGE=$H/a/b:v1
	rules '{"rules":[{"match":"GET .*manifests","do":"headers","headers":{"Docker-Content-Digest":"sha256:'$(printf '0%.0s' {1..64})'"}}]}'
	fails 3 'and sent sha256'
}
@test "a manifest of another type than it says" {
	local type
	for type in application/vnd.oci.image.index.v1+json application/vnd.docker.distribution.manifest.v2+json; do
		rules '{"rules":[{"match":"GET .*manifests","do":"headers","headers":{"Content-Type":"'$type'"}}]}'
		fails 3 'manifest'
	done
	rules '{"rules":[{"match":"GET .*manifests","do":"headers","headers":{"Content-Type":"application/vnd.oci.image.manifest.v1+json; charset=utf-8"}}]}'
	comes
}
@test "a manifest of the first schema" {
	rules '{"digest_header":false,"rules":[{"match":"GET .*manifests","do":"bytes","body":"{\"schemaVersion\":1,\"name\":\"a/b\",\"tag\":\"v1\",\"fsLayers\":[]}"}]}'
	fails 3 'schema'
}
@test "a bomb: some kilobytes that would be gigabytes" {
	command -v zstd >/dev/null || skip "zstd is not installed"
	local d=$T/bomb
	mkdir -p "$d/tree"
	truncate -s 2G "$d/tree/zeros"
	tar -C "$d/tree" -cf - zeros | tee >(sha256sum | cut -d' ' -f1 >"$d/diff-id") | zstd -q -T1 >"$d/layer"
	[ "$(stat -c %s "$d/layer")" -lt 300000 ]
	python3 - "$d" <<-'END'
		import hashlib, json, os, sys
		d = sys.argv[1]
		out = d + '/oci/blobs/sha256/'
		os.makedirs(out)
		def put(kind, body):
		    digest = hashlib.sha256(body).hexdigest()
		    open(out + digest, 'wb').write(body)
		    return {'mediaType': 'application/vnd.oci.image.' + kind, 'digest': 'sha256:' + digest, 'size': len(body)}
		layer = open(d + '/layer', 'rb').read()
		tar = open(d + '/diff-id').read().strip()
		config = put('config.v1+json', json.dumps({'architecture': 'amd64', 'os': 'linux', 'config': {},
		    'rootfs': {'type': 'layers', 'diff_ids': ['sha256:' + tar]}}).encode())
		manifest = put('manifest.v1+json', json.dumps({'schemaVersion': 2, 'mediaType': 'application/vnd.oci.image.manifest.v1+json',
		    'config': config, 'layers': [put('layer.v1.tar+zstd', layer)]}).encode())
		json.dump({'schemaVersion': 2, 'manifests': [manifest]}, open(d + '/oci/index.json', 'w'))
		json.dump({'imageLayoutVersion': '1.0.0'}, open(d + '/oci/oci-layout', 'w'))
	END
	rules '{}'
	skopeo copy -q --dest-tls-verify=false "oci:$d/oci" "docker://$H/bomb/a:v1"
	IMAGE=$H/bomb/a:v1
	fails 3 'unpacks to more than 1100 times its size: if it may, give --unpack-limit ratio=NUMBER'
	[ "$(du -sm "$IMGBUILD_ROOT" | cut -f1)" -lt 100 ]
}
@test "lengths that are wrong" {
	rules '{"rules":[{"match":"GET .*'"$BIG"'","do":"length","add":1000}]}'
	fails 4 "$BIG.*bytes" --retry=1
	rules '{"rules":[{"match":"GET .*'"$BIG"'","do":"length","add":-1000}]}'
	fails 4 "$BIG.*bytes" --retry=1
}
@test "bodies without end" {
	rules '{"rules":[{"match":"GET .*'"$BIG"'","do":"endless"}]}'
	fails 4 "$BIG.*more than $SIZE bytes"
	[ "$(big_bytes)" -lt 30000000 ]
	rules '{"rules":[{"match":"GET .*manifests","do":"endless"}]}'
	fails 4 "more than 4194304 bytes"
	rules '{"rules":[{"match":"GET .*manifests","do":"endless","size":0},{"match":"","do":"status","status":404}]}'
	fails 3 'v1'
}
@test "errors without end" {
	rules '{"rules":[{"match":"GET .*manifests","do":"redirect","to":"http://'"$H"'/x"},{"match":"/x","do":"endless"}]}'
	fails 4 'more than'
}
@test "headers without end" {
	rules '{"rules":[{"match":"GET .*manifests","do":"headers","headers":{"X-Long":"'$(head -c 300000 /dev/zero | tr '\0' x)'"}}]}'
	fails 4 "manifests/v1'.*too long" --retry=0
}
@test "drop by drop, and silence" {
	rules '{"rules":[{"match":"GET .*manifests","do":"drip","bytes":1,"seconds":0.05}]}'
	fails 4 'nothing, or nearly nothing, came' --retry=0
	rules '{"rules":[{"match":"GET .*'"$BIG"'","do":"drip","bytes":10,"seconds":0.1}]}'
	fails 4 'nothing, or nearly nothing, came' --retry=0
	rules '{"rules":[{"match":"GET .*manifests","do":"hang","seconds":4}]}'
	fails 4 'nothing, or nearly nothing, came' --retry=0
}
@test "ranges that were not asked for" {
	rules '{"rules":[{"match":"GET .*'"$BIG"'","do":"cut","after":1000000,"times":1},
		{"match":"GET .*'"$BIG"'","do":"headers","headers":{"Content-Range":"bytes 0-5/10"}}]}'
	fails 4 'a range that was not asked for'
}
@test "a warning is shown once" {
	rules '{"rules":[{"match":"GET","do":"headers","headers":{"Warning":"299 - \"this is old\""}}]}'
	run -0 pull "$IMAGE"
	[ "$(grep -c 'this is old' <<<"$output")" = 1 ]
}
@test "the program on the network has no capability while it works, and ends with the pull" {
	local pid child
	rules '{"rules":[{"match":"GET .*'"$BIG"'","do":"drip","bytes":100000,"seconds":0.2}]}'
	imgpull -q "$IMAGE" & pid=$!
	for _ in $(seq 100); do
		[ -z "$(asked "select(.path|contains(\"manifests\"))|.path")" ] || break
		sleep 0.1
	done
	child=$(pgrep -P "$pid" courier)
	for set in CapInh CapPrm CapEff CapBnd CapAmb; do
		grep -qE "^$set:\s+0+$" "/proc/$child/status"
	done
	grep -qE '^NoNewPrivs:\s+1$' "/proc/$child/status"
	kill "$pid"
	wait "$pid" || true
	for _ in $(seq 50); do
		[ -e "/proc/$child" ] || break
		sleep 0.1
	done
	[ ! -e "/proc/$child" ]
}
@test "Ctrl-C ends it at once" {
	rules '{"rules":[{"match":"GET .*'"$BIG"'","do":"hang","seconds":30}]}'
	imgpull -q "$IMAGE" & pid=$!
	sleep 1
	kill -TERM "$pid"
	how=0
	timeout 5 tail --pid="$pid" -f /dev/null
	wait "$pid" || how=$?
	[ "$how" = 130 ]
}
@test "three at once fetch each layer once" {
	rules '{"rules":[{"match":"GET .*'"$BIG"'","do":"drip","bytes":500000,"seconds":0.1}]}'
	pull "$IMAGE" >"$T/1" & one=$!
	pull "$IMAGE" >"$T/2" & two=$!
	pull "$IMAGE" >"$T/3"
	wait "$one"
	wait "$two"
	cmp "$T/1" "$T/2"
	cmp "$T/1" "$T/3"
	sleep 0.5 # it writes its log when the last drop has fallen
	[ "$(asked "select(.path|endswith(\"$BIG\"))|.out")" = "$SIZE" ]
}

@test "after one was killed three at once go on with what it left" {
	local pid pids= have
	rules '{"rules":[{"match":"GET .*'"$BIG"'","do":"drip","bytes":400000,"seconds":0.3}]}'
	imgpull -q "$IMAGE" & pid=$!
	sleep 1.5
	kill -9 "$pid"
	wait "$pid" || true
	have=$(stat -c %s "$IMGBUILD_ROOT"/blobs/sha256/.part-*)
	[ "$have" -gt 0 ]
	rules '{"rules":[{"match":"GET .*'"$BIG"'","do":"drip","bytes":500000,"seconds":0.1}]}'
	for pid in 1 2 3; do
		pull "$IMAGE" >"$T/$pid" & pids="$pids $!"
	done
	for pid in $pids; do wait "$pid"; done
	[ "$(cat "$T/1" "$T/2" "$T/3" | sort -u)" = "$WANT" ]
	sleep 0.5 # it writes its log when the last drop has fallen
	[ "$(asked "select((.path|endswith(\"$BIG\")) and .range)|[.range, .out]|join(\" \")")" = "bytes=$have- $((SIZE - have))" ]
	imgstore check >/dev/null
}

# ---- by way of others ----

# mirrors CONF...: registries.conf for the registry "primary.invalid", which is the door "other"
mirrors() {
	export CONTAINERS_REGISTRIES_CONF=$T/registries.conf
	printf '[[registry]]\nprefix = "primary.invalid"\nlocation = "%s"\ninsecure = true\n' "$(bad_registry_door bad other)" >"$T/registries.conf"
	printf '[[registry.mirror]]\nlocation = "%s"\ninsecure = true\n%s\n' "$@" >>"$T/registries.conf"
	IMAGE=primary.invalid/a/b:v1
}
@test "a mirror is asked first" {
	mirrors "$H" ''
	rules '{}'
	comes
	[ "$(asked .door | sort -u)" = host ]
	imgstore inspect primary.invalid/a/b:v1 >/dev/null
}
@test "what a mirror has not, or breaks off, comes from the registry itself" {
	mirrors "$H" ''
	rules '{"rules":[{"match":"^host .*manifests","do":"status","status":404}]}'
	comes
	rm -rf "$IMGBUILD_ROOT"
	rules '{"rules":[{"match":"^host .*'"$BIG"'","do":"status","status":404}]}'
	comes
	rm -rf "$IMGBUILD_ROOT"
	rules '{"rules":[{"match":"^host .*'"$BIG"'","do":"cut","after":1000000}]}'
	comes --retry=0
	[ "$(asked "select(.path|endswith(\"$BIG\"))|[.door,.range]|join(\" \")")" = $'host \nother bytes=1000000-' ]
	rm -rf "$IMGBUILD_ROOT"
	mirrors 127.0.0.1:1 ''
	comes --retry=0
}
@test "a mirror that lies is passed over for its manifest" {
	mirrors "$H" ''
	IMAGE=primary.invalid/a/b@$MANIFEST
	rules '{"digest_header":false,"rules":[{"match":"^host .*manifests","do":"corrupt"}]}'
	comes
}
@test "a mirror for digests alone is not asked for tags" {
	mirrors "$H" 'pull-from-mirror = "digest-only"'
	rules '{}'
	comes
	[ -z "$(asked 'select(.door=="host")|.path')" ]
}
# hosts LINE...: hosts.toml for the registry "primary.invalid"; HOST and OTHER stand for those doors
hosts() {
	export XDG_CONFIG_HOME=$T/config CONTAINERS_REGISTRIES_CONF=$T/empty.conf
	: >"$T/empty.conf"
	HOSTS=$XDG_CONFIG_HOME/containerd/certs.d/primary.invalid
	rm -rf "$XDG_CONFIG_HOME"
	mkdir -p "$HOSTS"
	printf '%s\n' "$@" | sed "s/HOST/$H/g; s/OTHER/$(bad_registry_door bad other)/g; s/TLS/$(bad_registry_door bad tls)/g" >"$HOSTS/hosts.toml"
	IMAGE=primary.invalid/a/b:v1
	rm -rf "$IMGBUILD_ROOT"
}
@test "a mirror of hosts.toml is asked first, and told whose it is" {
	hosts 'server = "http://OTHER"' '[host."http://HOST"]' '[host."http://HOST".header]' 'X-Meta-Test = "for the mirror"'
	rules '{}'
	comes
	[ "$(asked '[.door, .meta] | join(" ")' | sort -u)" = "host for the mirror" ]
	[ "$(asked 'select(.path | endswith("ns=primary.invalid") | not)')" = "" ]
	imgstore inspect primary.invalid/a/b:v1 >/dev/null
	# for every registry that has none of its own, and not where registries.conf knows better
	rm -rf "$IMGBUILD_ROOT"
	mv "$HOSTS" "$(dirname "$HOSTS")/_default"
	rules '{}'
	comes
	[ "$(asked .door | sort -u)" = host ]
	rm -rf "$IMGBUILD_ROOT"
	mirrors "$H" 'pull-from-mirror = "digest-only"'
	rules '{}'
	comes
	[ "$(asked .door | sort -u)" = other ]
}
@test "what a mirror of hosts.toml has not comes from the server, which is told nothing of it" {
	hosts 'server = "http://OTHER"' '[host."http://HOST"]' 'header = "not a table: passed over"' '[host."http://HOST".header]' 'X-Meta-Test = "m"'
	rules '{"rules":[{"match":"^host .*'"$BIG"'","do":"cut","after":1000000}]}'
	comes --retry=0
	[ "$(asked "select(.path|contains(\"$BIG\"))|[.door,.range]|join(\" \")")" = $'host \nother bytes=1000000-' ]
	[ "$(asked 'select(.door == "other") | [.meta, (.path | contains("ns="))] | tostring' | sort -u)" = '[null,false]' ]
}
@test "a mirror of hosts.toml does what it can: pull, resolve" {
	hosts 'server = "http://OTHER"' '[host."http://HOST"]' 'capabilities = ["pull"]'
	rules '{}'
	comes
	[ "$(asked 'select(.path | contains("/manifests/")) | .door' | sort -u)" = other ]
	[ "$(asked 'select(.path | contains("/blobs/")) | .door' | sort -u)" = host ]
	IMAGE=primary.invalid/a/b@$MANIFEST
	rm -rf "$IMGBUILD_ROOT"
	rules '{}'
	comes
	[ "$(asked .door | sort -u)" = host ]
	hosts 'server = "http://OTHER"' '[host."http://HOST"]' 'capabilities = ["resolve", "push"]'
	rules '{}'
	comes
	[ "$(asked .door | sort -u)" = other ]
	# and a push goes to no mirror
	rules '{}'
	imgpush -q primary.invalid/a/b:v1 primary.invalid/pushed/b:v1
	[ "$(asked .door | sort -u)" = other ]
}
@test "the path of a mirror stands before /v2, or in its place" {
	skopeo copy -q --dest-tls-verify=false "oci:$T/in:v1" "docker://$H/cache/x/a/b:v1"
	hosts 'server = "http://OTHER"' '[host."http://HOST/v2/cache/x/"]' 'override_path = true'
	rules '{}'
	comes
	[ "$(asked .door | sort -u)" = host ]
	[ "$(asked 'select(.path | startswith("/v2/cache/x/a/b/") | not)')" = "" ]
	hosts 'server = "http://OTHER"' '[host."http://HOST/sub"]'
	rules '{}'
	comes
	[ "$(asked 'select(.door == "host") | .path')" = "/sub/v2/a/b/manifests/v1?ns=primary.invalid" ]
}
@test "certificates of hosts.toml" {
	hosts 'server = "https://TLS"' 'ca = "ours.crt"'
	rules '{}'
	fails 5 "hosts.toml: open '.*/primary.invalid/ours.crt': No such file" --tls-verify=true
	cp "$T/registry/ca.crt" "$HOSTS/ours.crt"
	comes --tls-verify=true
	[ "$(asked .door | sort -u)" = tls ]
	hosts 'server = "https://TLS"'
	fails 4 "certificate" --tls-verify=true
	hosts 'server = "https://TLS"' 'skip_verify = true'
	comes
}
@test "a hosts.toml that cannot be understood ends the pull at its line" {
	hosts 'server = "http://OTHER"' '[host."http://HOST"]' 'capabilities = ["pul"]'
	fails 3 "hosts.toml:3: 'pul' is none of pull, resolve, push and referrers"
	hosts '[host."ftp://HOST"]'
	fails 3 "hosts.toml:1: 'ftp://.*' is no place: it begins with https:// or http://"
}
@test "through a proxy, but not to this machine" {
	# our registry takes whole URLs, as a proxy does
	export HTTP_PROXY=http://$(bad_registry_door bad other) HTTPS_PROXY=http://127.0.0.1:1
	rules '{}'
	comes
	[ "$(asked .door | sort -u)" = host ]
	rm -rf "$IMGBUILD_ROOT"
	IMAGE=registry.invalid/a/b:v1
	HTTPS_PROXY=$HTTP_PROXY
	rules '{}'
	comes --tls-verify=false
	[ "$(asked 'select(.method=="GET")|.door' | sort -u)" = other ]
	asked .path | grep -q '^http://registry.invalid/v2/a/b/manifests/v1$'
	rm -rf "$IMGBUILD_ROOT"
	NO_PROXY=.invalid fails 4 'resolve' --tls-verify=false
}
@test "more scopes are asked for once" {
	rules '{"auth":"bearer","rules":[{"match":"GET .*blobs","do":"status","status":403,
		"headers":{"WWW-Authenticate":"Bearer realm=\"http://'"$H"'/token\",service=\"bad\",scope=\"repository:a/b:pull repository:c:pull\",error=\"insufficient_scope\""},"times":1}]}'
	comes
	[ "$(asked 'select(.path|startswith("/token"))|.path' | grep -c 'scope=repository%3Ac%3Apull')" = 1 ]
}

# ---- what is shown on the way ----

slowly() { rules '{"rules":[{"match":"GET .*'"$BIG"'","do":"drip","bytes":500000,"seconds":0.3}]}'; }

@test "progress in lines" {
	slowly
	imgpull "$IMAGE" 2>"$T/words"
	[ "$(grep -c "^imgpull: layer $BIG ($SIZE bytes)$" "$T/words")" = 1 ]
	grep -qE "^imgpull: layer $BIG is there: [0-9.]+MB in [0-9.]+s, [0-9.]+[kM]B/s$" "$T/words"
	[ "$(wc -l <"$T/words")" = 5 ] # two layers, and the name
	imgpull --progress=plain "$IMAGE" 2>&1 >/dev/null | grep -qF "layer $BIG is there already"
	[ -z "$(imgpull --progress=quiet "$IMAGE" 2>&1 >/dev/null)" ]
}
@test "progress as JSON" {
	slowly
	imgpull --progress=json "$IMAGE" 2>"$T/events" >"$T/id"
	[ "$(cat "$T/id")" = "$WANT" ]
	[ "$(jq -r "select(.blob==\"$BIG\")|.event" "$T/events" | uniq | paste -sd' ')" = 'begin progress end' ]
	[ "$(jq -r "select(.blob==\"$BIG\" and .event==\"end\")|.result" "$T/events")" = done ]
	jq -e "select(.event==\"progress\" and .blob==\"$BIG\")|.total==$SIZE and .current<=$SIZE and .rate>0" "$T/events" | uniq >"$T/good"
	[ "$(cat "$T/good")" = true ]
	imgpull --progress=json "$IMAGE" 2>&1 >/dev/null | jq -e -s 'map(.result)==["present","present"]'
}
@test "progress on a terminal" {
	slowly
	TERM=xterm script -qec "stty cols 80 rows 24; imgpull $IMAGE" /dev/null >"$T/screen"
	local name=${BIG:7:12}
	# a bar, how much, how fast and how long; drawn over itself; then the end
	grep -qE "$name \[=+> *\] [0-9.]+[kM]B/[0-9.]+MB [0-9.]+[kM]B/s [0-9]+s" "$T/screen"
	grep -qF $'\e[2A' "$T/screen"
	grep -qE "$name [0-9.]+MB [0-9.]+[kM]B/s in [0-9.]+s" "$T/screen"
	not grep -qE '.{400}' <(tr '\r' '\n' <"$T/screen")
}
