#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Pushes to registries: Debian's docker-registry of five kinds, and one that misbehaves. As root and as an ordinary user.

bats_require_minimum_version 1.5.0
load lib
load registry
load peers

setup_file() {
	make_scratch
	command -v docker-registry >/dev/null || return 0
	peers_setup
	local kind who
	for kind in plain tls client htpasswd token; do registry_start "$kind" "$kind"; done
	bad_registry_start bad
	chmod a+rX "$T" "$T/registry"
	busybox_tar "$T/rootfs.tar"
	mkdir "$T/ctx"
	head -c 80000000 /dev/urandom >"$T/ctx/big"
	printf 'FROM scratch\nCOPY big /\n' >"$T/ctx/Buildfile"
	chmod -R a+rX "$T/ctx" "$T/rootfs.tar"
	for who in root user; do
		can_build $who || continue
		as $who imgstore import "$T/rootfs.tar" bb:1 >&2
		as $who imgbuild -q -t big:1 "$T/ctx" >&2
	done
}
teardown_file() {
	registry_stop_all
	peers_unmount
	remove_scratch
}
setup() {
	need_registry
	CREDS=$REGISTRY_USER:$REGISTRY_PASSWORD
	CERTS=$T/registry/certs
	CLIENT_CERTS=$T/registry/client-certs
	REPO=r$BATS_TEST_NUMBER/a
}

# arrived KIND REPO:TAG DIGEST OPTIONS…: skopeo finds just that there
arrived() {
	local ref=$1 want=$2
	shift 2
	p_skopeo inspect --raw "$@" "docker://$ref" >"$T/manifest"
	[ "sha256:$(sha256sum <"$T/manifest" | cut -d' ' -f1)" = "$want" ]
}
# pushes WHO KIND OPTIONS…: bb:1 gets there, with the digest that was printed
pushes() {
	local who=$1 kind=$2 digest ref
	ref=$(registry_of "$2")/$REPO/$1:1
	shift 2
	digest=$(as "$who" imgpush -q "$@" bb:1 "docker://$ref")
	arrived "$ref" "$digest" --tls-verify="$([ "$kind" = plain ] || [ "$kind" = token ] && echo false || echo true)" \
		--cert-dir "$CLIENT_CERTS" --creds "$CREDS"
}
# sent FILTER: what the bad registry was asked, by jq, a line each
sent() { bad_registry_log bad "select($1) | \"\(.method) \(.status) \(.in)\""; }
bytes_sent() { bad_registry_log bad '.in' | paste -sd+ | bc; }

@test "to a plain registry" {
	need_root
	pushes root plain
}
@test "to a plain registry, as a user" {
	need_builder user
	pushes user plain
}
@test "to a registry with TLS" {
	need_root
	pushes root tls --tls-verify --cert-dir "$CERTS"
	refused root 4 "certificate" imgpush -q --tls-verify --retry 0 bb:1 "$(registry_of tls)/$REPO:2"
}
@test "to a registry with TLS, as a user" {
	need_builder user
	pushes user tls --tls-verify --cert-dir "$CERTS"
}
@test "to a registry that demands a certificate" {
	need_root
	pushes root client --tls-verify --cert-dir "$CLIENT_CERTS"
	refused root 4 "certificate" imgpush -q --retry 0 --tls-verify --cert-dir "$CERTS" bb:1 "$(registry_of client)/$REPO:2"
}
@test "to a registry that demands a certificate, as a user" {
	need_builder user
	pushes user client --tls-verify --cert-dir "$CLIENT_CERTS"
}
@test "to a registry with a password" {
	need_root
	pushes root htpasswd --tls-verify --cert-dir "$CERTS" --creds "$CREDS"
	refused root 4 "401" imgpush -q --tls-verify --cert-dir "$CERTS" bb:1 "$(registry_of htpasswd)/$REPO:2"
	refused root 4 "401" imgpush -q --tls-verify --cert-dir "$CERTS" --creds alice:no bb:1 "$(registry_of htpasswd)/$REPO:2"
}
@test "to a registry with a password from auth.json, as a user" {
	need_builder user
	jq -n --arg h "$(registry_of htpasswd)" --arg a "$(printf %s "$CREDS" | base64 -w0)" '{auths: {($h): {auth: $a}}}' >"$T/auth.json"
	pushes user htpasswd --tls-verify --cert-dir "$CERTS" --authfile "$T/auth.json"
	refused user 2 "no file of credentials" imgpush -q --authfile "$T/none" bb:1 "$(registry_of htpasswd)/$REPO:2"
}
@test "to a registry with tokens" {
	need_root
	pushes root token --creds "$CREDS"
	refused root 4 "401" imgpush -q bb:1 "$(registry_of token)/$REPO:2"
}
@test "to a registry with tokens, as a user" {
	need_builder user
	pushes user token --creds "$CREDS"
}

@test "without a destination an image goes where its name says" {
	need_root
	local ref digest
	ref=$(registry_of plain)/$REPO:named
	as root imgpush -q bb:1 "oci:$T/named:x"
	as root imgpull -q "oci:$T/named:x" "$ref"
	digest=$(as root imgpush -q --digestfile "$T/digest" "$ref")
	[ "$(cat "$T/digest")" = "$digest" ]
	arrived "$ref" "$digest" --tls-verify=false
}

@test "by digest nothing but that is pushed, and no tag is made" {
	need_root
	local ref digest
	ref=$(registry_of plain)/$REPO
	digest=$(as root imgpush -q bb:1 "$ref-other:1")
	as root imgpull -q "$ref-other:1"
	# what is known beforehand is refused beforehand
	refused root 3 "the manifest has the digest $digest, not the one" \
		imgpush -q "$ref-other:1" "$ref@sha256:$(printf %064d 0)"
	not grep -F "/v2/$REPO/" "$T/registry/plain/log"
	refused root 3 "the manifest has the digest $digest, not the one" imgpush -q bb:1 "$ref@sha256:$(printf %064d 0)"
	[ "$(as root imgpush -q bb:1 "$ref@$digest")" = "$digest" ]
	arrived "$ref@$digest" "$digest" --tls-verify=false
	not grep -E "PUT /v2/$REPO/manifests/[^s]" "$T/registry/plain/log"
	[ "$(as root imgpush -q bb:1 "$ref:both@$digest")" = "$digest" ]
	[ "$(p_skopeo list-tags --tls-verify=false "docker://$ref" | jq -c .Tags)" = '["both"]' ]
}

@test "podman runs what was pushed, skopeo copies it with the same digest" {
	need_root
	local ref digest
	ref=$(registry_of plain)/$REPO:1
	digest=$(as root imgpush -q bb:1 "$ref")
	p_skopeo copy -q --src-tls-verify=false "docker://$ref" "oci:$T/copied:1"
	[ "$(jq -r '.manifests[0].digest' "$T/copied/index.json")" = "$digest" ]
	p_podman pull -q --tls-verify=false "$ref"
	[ "$(p_podman run --rm --network none "$ref" echo hello)" = hello ]
}

@test "what is there is not sent again, and another repository takes it over" {
	need_root
	bad_registry_rules bad '{}'
	as root imgpush -q bb:1 "$(registry_of bad)/$REPO:1"
	bad_registry_rules bad '{}'
	as root imgpush -q bb:1 "$(registry_of bad)/$REPO:2"
	[ "$(sent '.method == "HEAD"' | sort | uniq -c | sed 's/^ *//')" = "2 HEAD 200 0" ]
	[ -z "$(sent '.method == "POST" or .method == "PATCH"')" ]
	bad_registry_rules bad '{}'
	as root imgpush -q bb:1 "$(registry_of bad)/$REPO/other:1"
	[ "$(sent '.method == "POST"' | sort | uniq -c | sed 's/^ *//')" = "2 POST 201 0" ]
	# and where that is not done, it is sent
	bad_registry_rules bad '{"mount": false}'
	as root imgpush -q bb:1 "$(registry_of bad)/$REPO/third:1"
	[ "$(sent '.method == "PUT" and .in > 1000000' | wc -l)" = 1 ]
	# or not allowed
	for status in 401 403 404; do
		bad_registry_rules bad '{"rules": [{"match": "POST .*mount=", "do": "status", "status": '$status'}]}'
		as root imgpush -q bb:1 "$(registry_of bad)/$REPO/not-$status:1"
		[ "$(sent '.method == "PUT" and .in > 1000000' | wc -l)" = 1 ]
	done
}

@test "an image for several platforms goes whole, or one of them" {
	need_root
	local ref digest
	ref=$(registry_of plain)/$REPO
	printf 'FROM scratch\nARG TARGETARCH\nCOPY big-$TARGETARCH /\n' >"$T/ctx/Multi"
	echo amd64 >"$T/ctx/big-amd64"
	echo arm64 >"$T/ctx/big-arm64"
	as root imgbuild -q -f "$T/ctx/Multi" --platform linux/amd64,linux/arm64 -t multi:1 "$T/ctx"
	digest=$(as root imgpush -q multi:1 "$ref:all")
	arrived "$ref:all" "$digest" --tls-verify=false
	[ "$(jq -r '.manifests | length' "$T/manifest")" = 2 ]
	p_skopeo copy -q --all --src-tls-verify=false "docker://$ref:all" "oci:$T/all:1"
	digest=$(as root imgpush -q --platform linux/arm64 multi:1 "$ref:arm")
	arrived "$ref:arm" "$digest" --tls-verify=false
	[ "$(jq -r '.layers | length' "$T/manifest")" = 1 ]
	refused root 2 "exclude each other" imgpush --all-platforms --platform linux/arm64 multi:1 "$ref:x"
}

# index_travels WHO: to a registry of every kind, and back into an empty store, with the same bytes
index_travels() {
	local who=$1 kind ref digest options back
	printf 'FROM scratch\nARG TARGETARCH\nCOPY big-$TARGETARCH /\n' >"$T/ctx/Multi"
	echo amd64 >"$T/ctx/big-amd64"
	echo arm64 >"$T/ctx/big-arm64"
	back=$T/back-$who
	mkdir "$back"
	[ "$who" = root ] || chown "$TEST_USER:" "$back"
	as "$who" imgbuild -q -f "$T/ctx/Multi" --platform linux/amd64,linux/arm64 -t many:1 "$T/ctx"
	for kind in plain tls client htpasswd token; do
		ref=$(registry_of $kind)/$REPO/$who:1
		case $kind in
		plain) options= ;;
		tls) options="--tls-verify --cert-dir $CERTS" ;;
		client) options="--tls-verify --cert-dir $CLIENT_CERTS" ;;
		htpasswd) options="--tls-verify --cert-dir $CERTS --authfile $T/authfile" ;;
		token) options="--authfile $T/authfile" ;;
		esac
		jq -n --arg h "$(registry_of htpasswd)" --arg t "$(registry_of token)" --arg a "$(printf %s "$CREDS" | base64 -w0)" \
			'{auths: {($h): {auth: $a}, ($t): {auth: $a}}}' >"$T/authfile"
		# shellcheck disable=SC2086
		digest=$(as "$who" imgpush -q $options many:1 "$ref")
		# shellcheck disable=SC2086
		[ "$(as "$who" imgpull -q --root "$back/$kind" --all-platforms $options "$ref")" = "$digest" ]
		as "$who" imgpush -q --root "$back/$kind" --all-platforms "$ref" "oci:$back/$kind.oci:1"
		[ "$(jq -r '.manifests[0].digest' "$back/$kind.oci/index.json")" = "$digest" ]
		as "$who" imgstore --root "$back/$kind" reset -f
	done
	(cd "$back/plain.oci/blobs/sha256" && sha256sum *) >"$T/want"
	for kind in tls client htpasswd token; do
		(cd "$back/$kind.oci/blobs/sha256" && sha256sum *) | diff "$T/want" -
	done
}
@test "an index goes to every kind of registry and comes back" {
	need_root
	index_travels root
}
@test "an index goes to every kind of registry and comes back, as a user" {
	need_builder user
	index_travels user
}

@test "a layer that is compressed on the way is the one that a layout gets" {
	need_root
	local digest
	bad_registry_rules bad '{}'
	digest=$(as root imgpush -q --compression zstd big:1 "$(registry_of bad)/$REPO:zstd")
	as root imgpush -q --compression zstd big:1 "oci:$T/zstd:1"
	[ "$(jq -r '.manifests[0].digest' "$T/zstd/index.json")" = "$digest" ]
	# in pieces, each as soon as it was there
	# how many depends on who is faster, the compressor or the registry
	[ "$(sent '.method == "PATCH"' | wc -l)" -ge 2 ]
}

@test "format and compression are as asked for" {
	need_root
	local ref=$(registry_of plain)/$REPO:1 digest
	digest=$(as root imgpush -q --format docker --compression-level 6 bb:1 "$ref")
	arrived "$ref" "$digest" --tls-verify=false
	[ "$(jq -r .mediaType "$T/manifest")" = application/vnd.docker.distribution.manifest.v2+json ]
}

@test "an upload that breaks off goes on where the registry is" {
	need_root
	bad_registry_rules bad '{"mount": false, "rules": [{"match": "PATCH", "skip": 1, "times": 1, "do": "cut-upload", "after": 20000000}]}'
	as root imgpush -q --retry-delay 50ms big:1 "$(registry_of bad)/$REPO:1"
	[ "$(sent '.method == "GET"')" = "GET 204 0" ]
	[ "$(sent '.method == "PUT"' | wc -l)" = 3 ]
	# nothing twice, but for what the registry had read and not kept
	[ "$(bytes_sent)" -lt $((80100000 + 1048576)) ]
}

@test "the last piece ends the upload, and breaks off like any other" {
	need_root
	# after the config's
	bad_registry_rules bad '{"mount": false, "rules": [{"match": "PUT .*uploads", "skip": 1, "times": 1, "do": "cut-upload", "after": 3000000}]}'
	as root imgpush -q --retry-delay 50ms big:1 "$(registry_of bad)/$REPO:1"
	[ "$(sent '.method == "GET"')" = "GET 204 0" ]
	[ "$(sent '.method == "PUT" and .status == 0' | wc -l)" = 1 ]
	[ "$(sent '.method == "PUT" and (.path | contains("uploads")) and .in == 0' | wc -l)" = 0 ]
	[ "$(sent '.method == "PATCH" and .in < 8388608')" = "" ]
	[ "$(bytes_sent)" -lt $((80100000 + 1048576)) ]
}

@test "a registry that takes no piece with the end of an upload gets a layer in one" {
	need_root
	bad_registry_rules bad '{"mount": false, "rules": [{"match": "PUT .*uploads", "skip": 1, "times": 1, "do": "status", "status": 400}]}'
	as root imgpush -q big:1 "$(registry_of bad)/$REPO:1"
	[ "$(sent '.method == "PATCH" and .in > 70000000' | wc -l)" = 1 ]
	[ "$(sent '.method == "PUT" and (.path | contains("uploads")) and .status == 201 and .in == 0' | wc -l)" = 1 ]
}

@test "a registry that forgets an upload gets it from the beginning" {
	need_root
	bad_registry_rules bad '{"mount": false, "rules": [{"match": "PATCH", "skip": 1, "times": 1, "do": "forget"}]}'
	as root imgpush -q big:1 "$(registry_of bad)/$REPO:1"
	[ "$(sent '.method == "PATCH" and .status == 404' | wc -l)" = 1 ]
	bad_registry_rules bad '{"mount": false, "rules": [{"match": "PATCH", "do": "forget"}]}'
	refused root 4 "404" imgpush -q big:1 "$(registry_of bad)/$REPO/never:1"
}

@test "a registry that takes no pieces gets a layer in one" {
	need_root
	bad_registry_rules bad '{"mount": false, "rules": [{"match": "PATCH", "skip": 1, "times": 1, "do": "status", "status": 400}]}'
	as root imgpush -q big:1 "$(registry_of bad)/$REPO:1"
	[ "$(sent '.method == "PATCH" and .in > 70000000' | wc -l)" = 1 ]
}

@test "pieces are no smaller than the registry wants them" {
	need_root
	bad_registry_rules bad '{"mount": false, "min_chunk": 50000000}'
	as root imgpush -q big:1 "$(registry_of bad)/$REPO:1"
	[ "$(sent '.method == "PATCH" and .in >= 50000000' | wc -l)" = 1 ]
	[ "$(sent '.method == "PATCH"' | wc -l)" = 1 ]
	[ "$(sent '.method == "PUT" and .in > 20000000' | wc -l)" = 1 ]
}

@test "an upload that goes on at another host gives it no credentials" {
	need_root
	bad_registry_rules bad '{"mount": false, "auth": "basic", "rules": [{"match": "^host POST", "do": "move", "to": "http://OTHER"}, {"match": "^other", "do": "status", "status": 403}]}'
	refused root 4 "403" imgpush -q --creds "$CREDS" bb:1 "$(registry_of bad)/$REPO:1"
	[ "$(bad_registry_log bad 'select(.door == "other") | .auth' | sort -u)" = null ]
	# the registry itself had them
	[ -n "$(bad_registry_log bad 'select(.door == "host") | .auth // empty')" ]
}

@test "kill -9 in the middle: the next push sends what is missing" {
	need_root
	local pid
	bad_registry_rules bad '{"mount": false, "rules": [{"match": "PATCH", "skip": 1, "times": 1, "do": "hang", "seconds": 60}]}'
	IMGBUILD_ROOT=$ROOT_STORE imgpush -q big:1 "$(registry_of bad)/$REPO:1" 3>&- &
	pid=$!
	for _ in $(seq 100); do
		[ -z "$(sent '.method == "PATCH"')" ] || break
		sleep 0.1
	done
	kill -9 $pid
	wait $pid || true
	[ "$(sent '.method == "PATCH"')" = "PATCH 202 33554432" ]
	bad_registry_rules bad '{"mount": false}'
	as root imgpush -q big:1 "$(registry_of bad)/$REPO:1"
	[ "$(sent '.method == "GET"')" = "GET 204 0" ]
	# 80000000 bytes do not compress: less than that minus what was there already, and a little
	[ "$(bytes_sent)" -lt $((80100000 - 33554432)) ]
	[ -z "$(find "$ROOT_STORE/cache" -name 'upload-*')" ]
}

@test "kill -9 in the middle of a piece: not even that is sent twice, to docker-registry" {
	need_root
	local pid ref at
	ref=$(registry_of plain)/$REPO:1
	# it begins to write the second piece: then the process that sends dies, and its helper ends the piece
	IMGBUILD_ROOT=$ROOT_STORE imgpush -q big:1 "$ref" 3>&- &
	pid=$!
	for _ in $(seq 1000); do
		[ -z "$(find "$T/registry/plain/data/docker/registry/v2/repositories/$REPO/_uploads" -name data -size +33000k 2>/dev/null)" ] || break
		sleep 0.01
	done
	kill -9 $pid
	wait $pid || true
	run -0 as root imgpush big:1 "$ref"
	# or later, when the machine was faster than we are
	at=$(sed -n 's/.*the upload goes on at byte //p' <<<"$output")
	[ "${at:-$(grep -c "is there already" <<<"$output")000000000}" -ge 67108864 ]
}

@test "a prune forgets uploads that broke off" {
	need_root
	bad_registry_rules bad '{"mount": false, "rules": [{"match": "PATCH", "skip": 1, "do": "cut-upload", "after": 1000}, {"match": "GET .*uploads", "do": "status", "status": 500}]}'
	refused root 4 "500" imgpush -q --retry 0 big:1 "$(registry_of bad)/$REPO:1"
	[ "$(find "$ROOT_STORE/cache" -name 'upload-*' | wc -l)" = 1 ]
	as root imgstore prune >/dev/null
	[ -z "$(find "$ROOT_STORE/cache" -name 'upload-*')" ]
}

@test "4a.11: refusals end the push with what the registry says" {
	need_root
	local status
	for status in 403 413 507; do
		bad_registry_rules bad '{"mount": false, "rules": [{"match": "POST", "do": "status", "status": '$status', "body": "{\"errors\": [{\"code\": \"DENIED\", \"message\": \"quota is used up\"}]}"}]}'
		refused root 4 "$status" imgpush -q bb:1 "$(registry_of bad)/$REPO:1"
		[[ $output == *"quota is used up"* ]]
	done
	bad_registry_rules bad '{"rules": [{"match": "PUT .*manifests", "do": "status", "status": 409}]}'
	refused root 4 "409" imgpush -q bb:1 "$(registry_of bad)/$REPO:1"
	bad_registry_rules bad '{"rules": [{"match": "PUT .*manifests", "do": "headers", "headers": {"Docker-Content-Digest": "sha256:0000000000000000000000000000000000000000000000000000000000000000"}}]}'
	refused root 4 "not what was sent" imgpush -q bb:1 "$(registry_of bad)/$REPO:1"
}

@test "what passes is tried again" {
	need_root
	bad_registry_rules bad '{"mount": false, "rules": [{"match": "POST", "times": 1, "do": "status", "status": 503},
		{"match": "PUT .*blobs", "times": 1, "do": "status", "status": 429, "headers": {"Retry-After": "1"}},
		{"match": "PUT .*manifests", "times": 1, "do": "status", "status": 500}]}'
	as root imgpush -q --retry-delay 50ms bb:1 "$(registry_of bad)/$REPO:1"
	[ "$(sent '.status == 503 or .status == 429 or .status == 500' | wc -l)" = 3 ]
}

@test "whether https is spoken is asked once, however many blobs there are" {
	need_root
	bad_registry_rules bad '{"mount": false}'
	run -0 as root imgpush big:1 "$(registry_of bad)/$REPO:1"
	[[ "$output" != *"try 1 of"* ]]
	[ "$(sent '.method == "HEAD"' | wc -l)" = 2 ]
	[ "$(cat "$T/registry/bad/hellos")" = host ]
}

@test "a token that ends on the way is renewed" {
	need_root
	bad_registry_rules bad '{"mount": false, "auth": "bearer", "rules": [{"match": "PATCH", "skip": 1, "times": 1, "do": "revoke"}]}'
	as root imgpush -q --creds "$CREDS" big:1 "$(registry_of bad)/$REPO:1"
	[ "$(sent '(.path | startswith("/token"))' | wc -l)" -ge 2 ]
}

@test "a build is pushed by its tags, or where --output says" {
	need_root
	local h
	h=$(registry_of token)/$REPO
	as root imgbuild -q --push --creds "$CREDS" -t "$h:one" -t "$h:two" "$T/ctx"
	p_skopeo inspect --raw --tls-verify=false --creds "$CREDS" "docker://$h:one" >"$T/one"
	p_skopeo inspect --raw --tls-verify=false --creds "$CREDS" "docker://$h:two" | cmp - "$T/one"
	as root imgbuild -q --creds "$CREDS" -t local:1 -o "type=image,push=true,compression=zstd,name=$h:three" "$T/ctx"
	p_skopeo inspect --raw --tls-verify=false --creds "$CREDS" "docker://$h:three" | jq -e '.layers[0].mediaType | endswith("+zstd")'
	refused root 4 "the image was built, but not written to 'docker://$h:four'" imgbuild -q --push -t "$h:four" "$T/ctx"
	refused root 2 "needs a name" imgbuild -q --push "$T/ctx"
}

@test "a place that cannot be is refused before anything is asked" {
	need_root
	refused root 2 "lower case" imgpush -q bb:1 docker://127.0.0.1:1/Upper
	refused root 3 "not in the store" imgpush -q nothing:1 "$(registry_of plain)/$REPO:1"
	refused root 2 "jobs" imgpush -q --jobs 0 bb:1 "$(registry_of plain)/$REPO:1"
}
