#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Pulls from registries: Debian's docker-registry, plain, with TLS, clients' certificates, passwords and tokens.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
	make_scratch
	. "$top_srcdir/tests/registry.bash"
	command -v docker-registry >/dev/null || return 0
	python3 "$top_srcdir/tests/make-layout.py" "$T/in" v1 -
	chmod -R a+rX "$T/in"
	local kind
	for kind in plain tls client htpasswd token; do
		registry_start "$kind" "$kind"
		skopeo copy -q --dest-creds "$REGISTRY_USER:$REGISTRY_PASSWORD" --dest-tls-verify=false \
			--dest-cert-dir "$T/registry/client-certs" "oci:$T/in:v1" "docker://$(registry_of "$kind")/a/b:v1"
	done
	chmod a+rX "$T" "$T/registry"
}
teardown_file() {
	registry_stop_all
	remove_scratch
}
setup() {
	need_registry
	OUT=$T/out-$BATS_TEST_NUMBER
	ROOT_STORE=$OUT/root-store
	USER_STORE=$OUT/user-store
	CERTS=$T/registry/certs
	CLIENT_CERTS=$T/registry/client-certs
	CREDS=$REGISTRY_USER:$REGISTRY_PASSWORD
	WANT=$(jq -r .config.digest "$T/in/blobs/sha256/$(jq -r '.manifests[0].digest' "$T/in/index.json" | cut -d: -f2)")
	MANIFEST=$(jq -r '.manifests[0].digest' "$T/in/index.json")
	mkdir -p "$OUT"
	if is_root && have_user; then chown "$TEST_USER:" "$OUT"; fi
}
teardown() { rm -rf "$OUT" 2>/dev/null || as_user unshare -r rm -rf "$OUT/user-store" || true; }
. "$top_srcdir/tests/registry.bash"

# pulls WHO KIND OPTIONS...: a/b:v1 comes, whole, and goes on with the same bytes
pulls() {
	local who=$1 ref=$(registry_of "$2")/a/b:v1
	shift 2
	[ "$(as "$who" imgpull -q "$@" "$ref")" = "$WANT" ]
	as "$who" imgpush -q "$ref" "oci:$OUT/back-$who:v1"
	(cd "$T/in/blobs/sha256" && sha256sum *) >"$T/want"
	(cd "$OUT/back-$who/blobs/sha256" && sha256sum *) >"$T/got"
	diff "$T/want" "$T/got"
	assert_store_idle "$OUT/$who-store"
}
# is_refused TEXT ARGS...: status 4, and one line that has TEXT
is_refused() {
	local text=$1
	shift
	run -4 as root imgpull -q --retry=0 "$@"
	grep -F -e "$text" <<<"$output"
	[ "$(wc -l <<<"$output")" = 1 ]
	not grep -F "$REGISTRY_PASSWORD" <<<"$output"
}

@test "a plain registry" { pulls root plain; }
@test "a plain registry, as an ordinary user" {
	need_user
	pulls user plain
}
@test "plain http is not spoken where certificates are wanted" {
	is_refused 'does not speak https' --tls-verify=true "$(registry_of plain)/a/b:v1"
}
@test "TLS with a CA of one's own" {
	is_refused '--cert-dir' --tls-verify=true "$(registry_of tls)/a/b:v1"
	pulls root tls --tls-verify=true --cert-dir "$CERTS"
}
@test "TLS without looking at certificates" { pulls root tls --tls-verify=false; }
@test "TLS with a client's certificate" {
	is_refused "a client's certificate" --tls-verify=true --cert-dir "$CERTS" "$(registry_of client)/a/b:v1"
	pulls root client --tls-verify=true --cert-dir "$CLIENT_CERTS"
}
@test "TLS with certificates that hosts.toml names" {
	local host=$(registry_of client)
	export XDG_CONFIG_HOME=$OUT/config
	mkdir -p "$XDG_CONFIG_HOME/containerd/certs.d/$host"
	cp "$T/registry/ca.crt" "$T/registry/client.crt" "$T/registry/client.key" "$XDG_CONFIG_HOME/containerd/certs.d/$host"
	printf 'ca = "ca.crt"\n' >"$XDG_CONFIG_HOME/containerd/certs.d/$host/hosts.toml"
	is_refused "a client's certificate" --tls-verify=true "$host/a/b:v1"
	printf 'client = [["client.crt", "client.key"]]\n' >>"$XDG_CONFIG_HOME/containerd/certs.d/$host/hosts.toml"
	chmod -R a+rX "$XDG_CONFIG_HOME"
	pulls root client --tls-verify=true
}
@test "a password, and a wrong one" {
	is_refused 'authentication required' "$(registry_of htpasswd)/a/b:v1"
	is_refused 'authentication required' --creds "$REGISTRY_USER:other" "$(registry_of htpasswd)/a/b:v1"
	pulls root htpasswd --creds "$CREDS"
}
@test "tokens, for nobody and for somebody" {
	pulls root token
	: >"$T/registry/token/token.log"
	pulls root token --creds "$CREDS"
}
@test "a token server that does not know us" {
	is_refused 'the token server says 401' --creds "$REGISTRY_USER:other" "$(registry_of token)/a/b:v1"
}
@test "a token is fetched once for all that a pull asks for" {
	: >"$T/registry/token/token.log"
	pulls root token
	[ "$(wc -l <"$T/registry/token/token.log")" = 1 ]
}
@test "an identity token, and a token for the registry" {
	local h=$(registry_of token) token
	: >"$T/registry/token/token.log"
	printf '{"auths":{"%s":{"identitytoken":"refresh-token-of-alice"}}}' "$h" >"$OUT/auth.json"
	pulls root token --authfile "$OUT/auth.json"
	[ "$(jq -r .method "$T/registry/token/token.log" | sort -u)" = POST ]
	printf '{"auths":{"%s":{"identitytoken":"another"}}}' "$h" >"$OUT/auth.json"
	is_refused 'the token server says 401' --authfile "$OUT/auth.json" "$h/a/b:v1"
	token=$(python3 -c 'import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())' \
		"$(sed -n 's/^realm //p' "$T/registry/token/token.out")?service=test-registry&scope=repository:a/b:pull" | jq -r .token)
	printf '{"auths":{"%s":{"registrytoken":"%s"}}}' "$h" "$token" >"$OUT/auth.json"
	: >"$T/registry/token/token.log"
	pulls root token --authfile "$OUT/auth.json"
	[ ! -s "$T/registry/token/token.log" ]
}
@test "an index whole, and one platform of it" {
	local h=$(registry_of plain) digest
	mkdir "$OUT/c"
	printf 'FROM scratch\nARG TARGETARCH\nCOPY Buildfile /$TARGETARCH\n' >"$OUT/c/Buildfile"
	as root imgbuild -q --platform linux/amd64,linux/arm64 -t made "$OUT/c"
	as root imgpush -q made "docker://$h/both:1"
	digest=$(skopeo inspect --raw --tls-verify=false "docker://$h/both:1" | sha256sum | cut -d' ' -f1)
	ROOT_STORE=$OUT/second
	[ "$(as root imgpull -q --all-platforms "$h/both:1")" = "sha256:$digest" ]
	as root imgpush -q "$h/both:1" "oci:$OUT/whole:1"
	[ "$(jq -r '.manifests[0].digest' "$OUT/whole/index.json")" = "sha256:$digest" ]
	as root imgpull -q --platform linux/arm64 "$h/both:1" one
	[ "$(as root imgstore inspect one | jq -r '.[0].Architecture // .[0].architecture')" = arm64 ]
	run -3 as root imgpull -q --platform linux/s390x "$h/both:1"
	grep -F s390x <<<"$output"
}
@test "by digest, which is its name; by docker://; under another name" {
	local h=$(registry_of plain)
	[ "$(as root imgpull -q "docker://$h/a/b@$MANIFEST")" = "$WANT" ]
	as root imgstore inspect "$h/a/b@$MANIFEST" >/dev/null
	[ "$(as root imgpull -q "$h/a/b:v1@$MANIFEST")" = "$WANT" ]
	[ "$(as root imgpull -q "docker://$h/a/b:v1" other:name)" = "$WANT" ]
	as root imgstore inspect other:name >/dev/null
}
@test "what is not there" {
	local h=$(registry_of plain)
	is_refused 'says 404: manifest unknown' "$h/a/b:none"
	is_refused 'says 404' "$h/none:v1"
	is_refused 'says 404' "$h/a/b@sha256:$(printf '0%.0s' $(seq 64))"
	is_refused "Couldn't connect" 127.0.0.1:1/a:b
	is_refused 'resolve' no-such-host.invalid/a:b
}
@test "a second pull reads no layer again" {
	local h=$(registry_of plain)
	as root imgpull -q "$h/a/b:v1"
	: >"$T/registry/plain/log"
	as root imgpull -q "$h/a/b:v1"
	not grep -q 'GET /v2/a/b/blobs/sha256:[0-9a-f]* HTTP.*octet' "$T/registry/plain/log"
	[ "$(grep -c '"GET /v2/a/b/blobs' "$T/registry/plain/log")" -le 1 ]
}
@test "where a layer was seen is remembered" {
	local h=$(registry_of plain)
	as root imgpull -q "$h/a/b:v1"
	[ "$(sqlite3 "$ROOT_STORE/store.db" "SELECT count(*) FROM origins WHERE place='docker://$h/a/b'")" -ge 3 ]
}
@test "the program on the network has no capability, and gets none by an exec" {
	need_root
	python3 - "$(dirname "$(command -v imgpull)")/registry/courier" "$OUT/status" <<-'END'
		import os, socket, subprocess, sys, time
		ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		p = subprocess.Popen([sys.argv[1]], stdin=theirs)
		time.sleep(1)
		open(sys.argv[2], 'w').write(open('/proc/%d/status' % p.pid).read())
		ours.close()
		theirs.close()
		sys.exit(p.wait())
	END
	for set in CapInh CapPrm CapEff CapBnd CapAmb; do
		grep -qE "^$set:\s+0+$" "$OUT/status"
	done
	grep -qE '^NoNewPrivs:\s+1$' "$OUT/status"
}
@test "neither imgpull nor imgbuild is linked with libcurl" {
	local p
	for p in imgpull imgpush imgbuild imgrun imgstore; do
		not grep -q libcurl <(ldd "$(command -v "$p")")
	done
}

@test "4a.12: nothing is fetched later: when the registry is gone, all files can be read and sent on" {
	need_root
	registry_start gone plain
	skopeo copy -q --dest-tls-verify=false "oci:$T/in:v1" "docker://$(registry_of gone)/a/b:v1"
	as root imgpull -q --tls-verify=false "$(registry_of gone)/a/b:v1"
	registry_stop gone
	run -4 as root imgpull -q --retry=0 --tls-verify=false "$(registry_of gone)/a/b:v1"
	# every byte of every file
	IMGBUILD_ROOT=$ROOT_STORE unshare -m sh -euc 'm=$(imgstore mount "$1"); tar -C "$m" -cf - . | wc -c; imgstore umount "$1"' x "$(registry_of gone)/a/b:v1"
	as root imgstore check --format json | jq -e '.Findings == []'
	as root imgpush -q "$(registry_of gone)/a/b:v1" "oci:$OUT/on:v1"
	[ "$(jq -r '.manifests[0].digest' "$OUT/on/index.json")" = "$MANIFEST" ]
}
