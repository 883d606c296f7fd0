#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What FROM and COPY --from name, and imgrun, comes from registries.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
	make_scratch
	. "$top_srcdir/tests/registry.bash"
	command -v docker-registry >/dev/null || return 0
	registry_start plain plain
	registry_start htpasswd htpasswd
	mkdir "$T/image"
	cd "$T/image"
	export IMGBUILD_ROOT=$T/maker
	local n
	for n in 1 2; do
		printf 'FROM scratch\nCOPY Buildfile /which-%s\n' "$n" >Buildfile
		imgbuild -q -t image:"$n" . >&2
		imgpush -q image:"$n" "docker://$(registry_of plain)/base:$n" >&2
	done
	imgpush -q --creds "$REGISTRY_USER:$REGISTRY_PASSWORD" image:2 "docker://$(registry_of htpasswd)/secret:1" >&2
	for n in amd64 arm64; do
		printf 'FROM scratch\nCOPY Buildfile /%s\n' "$n" >Buildfile
		imgbuild -q --platform "linux/$n" -t image:"$n" . >&2
		imgpush -q image:"$n" "docker://$(registry_of plain)/one:$n" >&2
	done
	mkdir -p root/bin
	cp "$(command -v busybox)" root/bin/busybox
	ln -s busybox root/bin/sh
	printf 'FROM scratch\nCOPY root /\n' >Buildfile
	imgbuild -q -t image:bb . >&2
	imgpush -q image:bb "docker://$(registry_of plain)/bb:1" >&2
	printf 'FROM scratch\nARG TARGETARCH\nCOPY Buildfile /$TARGETARCH\n' >Buildfile
	imgbuild -q --platform linux/amd64,linux/arm64 -t image:both . >&2
	imgpush -q image:both "docker://$(registry_of plain)/both:1" >&2
}
teardown_file() {
	registry_stop_all
	remove_scratch
}
setup() {
	need_registry
	H=$(registry_of plain)
	export IMGBUILD_ROOT=$T/store-$BATS_TEST_NUMBER
	mkdir "$T/c-$BATS_TEST_NUMBER"
	cd "$T/c-$BATS_TEST_NUMBER"
}
teardown() { rm -rf "$IMGBUILD_ROOT"; }
. "$top_srcdir/tests/registry.bash"

# buildfile LINE...
buildfile() { printf '%s\n' "$@" >Buildfile; }
# has NAME FILE
has() {
	rm -rf files
	imgstore export "$1" | tar -xf - -C "$(mkdir files && echo files)"
	[ -e "files/$2" ]
}
# base_is N: from now on base:moving is base:N
base_is() {
	IMGBUILD_ROOT=$T/maker imgpush -q "image:$1" "docker://$H/base:moving"
}
asked() { grep -c "\"GET /v2/base/manifests/moving" "$T/registry/plain/log" || true; }

@test "what the store lacks is pulled, once for all that name it" {
	: >"$T/registry/plain/log"
	buildfile "FROM $H/base:1 AS a" "FROM $H/base:1" "COPY --from=$H/base:2 /which-2 /copied" "COPY --from=a /which-1 /again"
	imgbuild -q -t out .
	has out which-1
	has out copied
	has out again
	[ "$(grep -c '"GET /v2/base/manifests/1 ' "$T/registry/plain/log")" = 1 ]
	# and the second time nothing is asked
	: >"$T/registry/plain/log"
	imgbuild -q .
	not grep 'GET /v2' "$T/registry/plain/log"
}
@test "images that the store lacks are pulled at the same time" {
	bad_registry_start meeting
	local m=$(registry_of meeting) n
	for n in 1 2; do IMGBUILD_ROOT=$T/maker imgpush -q "image:$n" "docker://$m/base-$n:1"; done
	# one after the other they would never meet
	bad_registry_rules meeting '{"rules": [{"match": "GET /v2/base-./manifests/1$", "do": "meet", "count": 2, "seconds": 10}]}'
	buildfile "FROM $m/base-1:1 AS a" "FROM $m/base-2:1" "COPY --from=a /which-1 /copied"
	imgbuild -q -t out .
	has out which-2
	has out copied
	# one job is one pull at a time; an error stands at the line of the image
	for n in 1 2; do
		rm -rf "$IMGBUILD_ROOT"
		bad_registry_rules meeting '{"rules": [{"match": "base-'$n'/manifests/1$", "do": "status", "status": 403}]}'
		run -4 imgbuild -q .
		grep -F "Buildfile:$n:6: FROM: pull" <<<"$output"
	done
	bad_registry_rules meeting '{"rules": [{"match": "GET /v2/base-./manifests/1$", "do": "meet", "count": 2, "seconds": 0.2}]}'
	run -4 imgbuild -q --pull --jobs=1 .
}
@test "missing, newer, always, never" {
	buildfile "FROM $H/base:moving"
	base_is 1
	run -3 imgbuild -q --pull=never .
	grep -F 'is not in the store' <<<"$output"
	imgbuild -q -t out .
	base_is 2
	: >"$T/registry/plain/log"
	imgbuild -q -t out .
	imgbuild -q --pull=never -t out .
	imgbuild -q --pull=false -t out .
	has out which-1
	[ "$(asked)" = 0 ]
	imgbuild -q --pull=newer -t out .
	has out which-2
	base_is 1
	imgbuild -q --pull -t out .
	has out which-1
	run -2 imgbuild -q --pull=sometimes .
}
@test "newer makes do with what is there, always does not" {
	registry_start other plain
	local o=$(registry_of other)
	IMGBUILD_ROOT=$T/maker imgpush -q image:1 "docker://$o/base:1"
	buildfile "FROM $o/base:1"
	imgbuild -q -t out .
	registry_stop other
	run -0 imgbuild -q --pull=newer -t out .
	grep -F 'what the store has is used' <<<"$output"
	run -4 imgbuild -q --pull=always -t out .
	grep -F 'Buildfile:1:6: FROM' <<<"$output"
}
@test "credentials and certificates go on to the pull" {
	buildfile "FROM $(registry_of htpasswd)/secret:1"
	run -4 imgbuild -q .
	grep -F 'authentication required' <<<"$output"
	imgbuild -q --creds "$REGISTRY_USER:$REGISTRY_PASSWORD" --tls-verify --cert-dir "$T/registry/certs" .
}
@test "by digest" {
	local digest=$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$H/base:1")
	buildfile "FROM $H/base@$digest"
	imgbuild -q -t out .
	has out which-1
	: >"$T/registry/plain/log"
	imgbuild -q -t out .
	not grep 'GET /v2' "$T/registry/plain/log"
}
@test "the image for the platform, of an index and where the store has another's" {
	buildfile "FROM $H/both:1"
	imgbuild -q --platform linux/arm64 -t out .
	has out arm64
	imgbuild -q --platform linux/amd64,linux/arm64 -t out .
	run -3 imgbuild -q --platform linux/s390x -t out .
	grep -F 's390x' <<<"$output"
}
@test "a name without a registry stays in the store" {
	buildfile "FROM localhost/nothing"
	run -3 imgbuild -q --pull=always .
	grep -F "image 'localhost/nothing' is not in the store" <<<"$output"
}
@test "what cannot be had is one error at its line" {
	buildfile "FROM $H/base:none"
	run -4 imgbuild -q .
	[ "${lines[0]}" = "imgbuild: Buildfile:1:6: FROM: pull 'docker://$H/base:none': manifest 'none' of '$H/base': the registry says 404: manifest unknown" ]
}
@test "imgrun pulls what it runs" {
	run -125 imgrun --rm --pull=never "$H/bb:1" true
	grep -F 'is not in the store' <<<"$output"
	run -125 imgrun --rm "$H/bb:none" true
	grep -F 'says 404: manifest unknown' <<<"$output"
	run -125 imgrun --rm --tls-verify "$H/bb:1" true
	grep -F 'does not speak https' <<<"$output"
	[ "$(imgrun --rm "$H/bb:1" sh -c 'echo ran')" = ran ]
	: >"$T/registry/plain/log"
	[ "$(imgrun --rm "$H/bb:1" sh -c 'echo again')" = again ]
	not grep 'GET /v2' "$T/registry/plain/log"
	[ "$(imgrun --rm --pull=always "$H/bb:1" sh -c 'echo again')" = again ]
	grep -q 'GET /v2/bb/manifests/1' "$T/registry/plain/log"
}
