#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Credentials: login and logout, the files of docker and podman, helpers. As root and as an ordinary user.

bats_require_minimum_version 1.5.0
load lib
load registry
load peers

setup_file() {
	make_scratch
	command -v docker-registry >/dev/null || return 0
	peers_setup
	registry_start htpasswd htpasswd
	registry_start token token
	bad_registry_start bad
	chmod a+rX "$T" "$T/registry"
	python3 "$top_srcdir/tests/make-layout.py" "$T/in" v1 -
	chmod -R a+rX "$T/in"
	local who
	for who in root user; do
		if can_build $who; then as $who imgpull -q "oci:$T/in:v1" in:v1 >&2; fi
	done
}
teardown_file() {
	registry_stop_all
	peers_unmount
	remove_scratch
}
setup() {
	need_registry
	CERTS=$T/registry/certs
	HTPASSWD=$(registry_of htpasswd)
	TOKEN=$(registry_of token)
	H=$T/home-$BATS_TEST_NUMBER
	mkdir -p "$H/run"
	if is_root && have_user; then chown -R "$TEST_USER:" "$H"; fi
	EXTRA_ENV="HOME=$H XDG_RUNTIME_DIR=$H/run"
}
# in_home WHO CMD…: without any file of credentials but those in $H
in_home() {
	local who=$1
	shift
	as "$who" env HOME="$H" XDG_RUNTIME_DIR="$H/run" XDG_CONFIG_HOME= DOCKER_CONFIG= REGISTRY_AUTH_FILE="${AUTH_FILE-}" "$@"
}
login() { # login WHO ARGUMENTS…
	local who=$1
	shift
	printf '%s\n' "$REGISTRY_PASSWORD" | in_home "$who" imgpull login --cert-dir "$CERTS" -u "$REGISTRY_USER" --password-stdin "$@"
}
pushes() { in_home "$1" imgpush -q --retry 0 --cert-dir "$CERTS" in:v1 "$2/x/$BATS_TEST_NUMBER:1"; }

@test "login, push, logout" {
	local who
	for who in root user; do
		can_build $who || continue
		run -4 pushes $who "$HTPASSWD"
		run -0 login $who "$HTPASSWD"
		[[ $output == *"logged in to $HTPASSWD; the credentials are in '$H/run/containers/auth.json'"* ]]
		[ "$(stat -c %a "$H/run/containers/auth.json" "$H/run/containers" | paste -sd' ')" = "600 700" ]
		pushes $who "$HTPASSWD"
		[ "$(in_home $who imgpull login --get-login "$HTPASSWD")" = "$REGISTRY_USER" ]
		in_home $who imgpull logout "$HTPASSWD"
		run -4 pushes $who "$HTPASSWD"
		run -3 in_home $who imgpull logout "$HTPASSWD"
		[ "$output" = "imgpull: not logged in to $HTPASSWD" ]
		rm -rf "$H/run/containers"
	done
}

@test "what the registry refuses is not kept" {
	need_root
	run -4 in_home root imgpull login --cert-dir "$CERTS" -u alice -p wrong "$HTPASSWD"
	[ "$output" = "imgpull: login: $HTPASSWD does not know this user with this password" ]
	[ ! -e "$H/run/containers/auth.json" ]
	run -4 in_home root imgpull login -u alice -p wrong "$TOKEN"
	login root "$TOKEN"
}

@test "podman uses our login, and we use podman's" {
	need_root
	login root --authfile "$H/auth.json" "$TOKEN"
	[ "$(p_podman login --authfile "$H/auth.json" --get-login "$TOKEN")" = "$REGISTRY_USER" ]
	AUTH_FILE=$H/auth.json pushes root "$TOKEN"
	p_skopeo inspect --authfile "$H/auth.json" --tls-verify=false "docker://$TOKEN/x/$BATS_TEST_NUMBER:1" >/dev/null
	p_podman logout --authfile "$H/auth.json" "$TOKEN"
	AUTH_FILE=$H/auth.json run -4 pushes root "$TOKEN"
	printf %s "$REGISTRY_PASSWORD" | p_podman login --authfile "$H/auth.json" --tls-verify=false -u "$REGISTRY_USER" --password-stdin "$TOKEN"
	AUTH_FILE=$H/auth.json pushes root "$TOKEN"
	in_home root imgpull logout --authfile "$H/auth.json" --all
	run not p_podman login --authfile "$H/auth.json" --get-login "$TOKEN"
}

@test "the files are looked at in their order" {
	need_root
	local good bad auth
	good=$(printf %s "$REGISTRY_USER:$REGISTRY_PASSWORD" | base64 -w0)
	bad=$(printf nobody:x | base64 -w0)
	write() { # write FILE AUTH
		mkdir -p "$(dirname "$1")"
		jq -n --arg h "$HTPASSWD" --arg a "$2" '{auths: {($h): {auth: $a}}}' >"$1"
	}
	jq -n --arg h "https://$HTPASSWD/v1/" --arg a "$good" '{($h): {auth: $a}}' >"$H/.dockercfg"
	pushes root "$HTPASSWD"
	write "$H/.docker/config.json" "$bad"
	run -4 pushes root "$HTPASSWD"
	write "$H/.config/containers/auth.json" "$good"
	pushes root "$HTPASSWD"
	write "$H/run/containers/auth.json" "$bad"
	run -4 pushes root "$HTPASSWD"
	write "$H/given.json" "$good"
	AUTH_FILE=$H/given.json pushes root "$HTPASSWD"
	write "$H/run/containers/auth.json" "$good"
	# the longer key is for this repository
	jq --arg h "$HTPASSWD/x" --arg a "$bad" '.auths[$h] = {auth: $a}' "$H/run/containers/auth.json" >"$H/new"
	mv "$H/new" "$H/run/containers/auth.json"
	run -4 pushes root "$HTPASSWD"
	echo '{"auths": 1' >"$H/run/containers/auth.json"
	run -3 pushes root "$HTPASSWD"
	[[ $output == *"$H/run/containers/auth.json"* ]]
}

@test "a credential helper is asked, told and told to forget" {
	need_root
	mkdir "$H/bin"
	cat >"$H/bin/docker-credential-test" <<-'E'
		#!/bin/sh
		d=$(dirname "$0")
		case $1 in
		get)
			read -r server
			[ -e "$d/kept" ] || { echo 'credentials not found in native keychain'; exit 1; }
			cat "$d/kept" ;;
		store) cat >"$d/kept" ;;
		erase) rm "$d/kept" ;;
		esac
	E
	chmod 755 "$H/bin/docker-credential-test"
	mkdir -p "$H/run/containers"
	jq -n --arg h "$HTPASSWD" '{credHelpers: {($h): "test"}}' >"$H/run/containers/auth.json"
	PATH=$H/bin:$PATH
	run -4 pushes root "$HTPASSWD"
	login root "$HTPASSWD"
	[ "$(jq -r .Secret "$H/bin/kept")" = "$REGISTRY_PASSWORD" ]
	not grep -q auths.*auth "$H/run/containers/auth.json"
	pushes root "$HTPASSWD"
	in_home root imgpull logout "$HTPASSWD"
	[ ! -e "$H/bin/kept" ]
	printf '#!/bin/sh\necho the keychain is locked\nexit 1\n' >"$H/bin/docker-credential-test"
	run -5 pushes root "$HTPASSWD"
	[[ $output == *"docker-credential-test get' failed: the keychain is locked"* ]]
	jq -n '{credsStore: "missing"}' >"$H/run/containers/auth.json"
	run -5 pushes root "$HTPASSWD"
	[[ $output == *"docker-credential-missing"* ]]
}

@test "an identity token is changed for tokens" {
	need_root
	mkdir -p "$H/run/containers"
	jq -n --arg h "$TOKEN" '{auths: {($h): {auth: "PHRva2VuPjo=", identitytoken: "refresh-token-of-alice"}}}' >"$H/run/containers/auth.json"
	: >"$T/registry/token/token.log"
	pushes root "$TOKEN"
	jq -e 'select(.grant_type == "refresh_token" and .status == 200)' "$T/registry/token/token.log"
}

@test "no secret is in what is said, and none in an argument" {
	need_root
	bad_registry_rules bad '{"auth": "basic", "rules": [{"match": "PUT", "do": "status", "status": 403}]}'
	login root "$(registry_of bad)"
	run -4 in_home root strace -f -qq -e trace=execve -s 500 -v imgpush in:v1 "$(registry_of bad)/x:1"
	[[ $output != *"$REGISTRY_PASSWORD"* ]]
	[[ $output != *"$(printf %s "$REGISTRY_USER:$REGISTRY_PASSWORD" | base64 -w0)"* ]]
}

@test "wrong use" {
	need_root
	run -2 in_home root imgpull login -u a --password-stdin -p x h.io
	run -2 in_home root imgpull login --password-stdin h.io
	run -2 in_home root imgpull login -u a:b -p x h.io
	run -2 in_home root imgpull login -u a -p x 'no such'
	run -2 in_home root imgpull logout --all h.io
	run -2 in_home root imgpull login -u a --password-stdin h.io </dev/null
	run -3 in_home root imgpull login --get-login h.io
	in_home root imgpull login --help | grep -q password-stdin
}
