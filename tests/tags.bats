#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The lists that a registry keeps: tags by pages, and what a bad one makes of them. Referrers are in copy-places.bats.

bats_require_minimum_version 1.5.0
load lib
load registry

setup_file() {
	make_scratch
	command -v docker-registry >/dev/null || return 0
	registry_start token token
	bad_registry_start bad
	mkdir "$T/ctx"
	printf 'FROM scratch\nCOPY Buildfile /\n' >"$T/ctx/Buildfile"
	IMGBUILD_ROOT=$T/maker imgbuild -q -t image "$T/ctx" >&2
	IMGBUILD_ROOT=$T/maker imgpush -q image "oci:$T/in:v1" >&2
	IMGBUILD_ROOT=$T/maker imgstore reset -f >&2
}
teardown_file() {
	registry_stop_all
	remove_scratch
}
setup() {
	need_registry
	H=$(registry_of bad)
	CREDS=$REGISTRY_USER:$REGISTRY_PASSWORD
	export IMGBUILD_REGISTRY_TIMEOUT=2
}

# many COUNT: so many tags in $H/a/b of the bad registry
many() {
	rm -f "$T"/registry/bad/data/a+b.manifest.*
	(cd "$T/registry/bad/data" && seq -f 'a+b.manifest.t%05g' "$1" | xargs -r touch)
	seq -f 't%05g' "$1" >"$T/want"
}
# comes: just these, in their order
comes() { imgpull tags --retry 0 "$@" "$H/a/b" | diff "$T/want" -; }
fails() { # STATUS TEXT OPTIONS
	local status=$1 text=$2
	shift 2
	run "-$status" timeout 60 imgpull tags --retry 0 "$@" "$H/a/b"
	echo "$output"
	[[ "$output" =~ $text ]]
	[ "$(wc -l <<<"$output")" = 1 ]
}

@test "tags of a repository, as skopeo shows them" {
	local ref tag
	ref=$(registry_of token)/some/where
	for tag in latest 1.0 v2-x_y; do
		skopeo copy -q --dest-tls-verify=false --dest-creds "$CREDS" "oci:$T/in:v1" "docker://$ref:$tag"
	done
	skopeo list-tags --tls-verify=false --creds "$CREDS" "docker://$ref" >"$T/theirs"
	imgpull tags --creds "$CREDS" --format json "$ref" >"$T/ours"
	[ "$(jq -c . "$T/ours")" = "$(jq -c . "$T/theirs")" ]
	[ "$(imgpull tags --creds "$CREDS" "docker://$ref")" = "$(jq -r '.Tags[]' "$T/theirs")" ]
	run -4 imgpull tags --creds "$CREDS" "$(registry_of token)/no/where"
	[[ "$output" == "imgpull: tags of "*"no/where'"*"404"* || "$output" == *"NAME_UNKNOWN"* || "$output" == *"not known"* ]]
}
@test "many tags come page by page" {
	bad_registry_rules bad '{}'
	many 2500
	comes
	[ "$(bad_registry_log bad .path | sed 's/.*?//')" = $'n=1000\nn=1000&last=t01000\nn=1000&last=t02000' ]
	# without links
	bad_registry_rules bad '{"rules":[{"match":"tags","do":"headers","headers":{"Link":null}}]}'
	comes
	[ "$(bad_registry_log bad .path | wc -l)" = 3 ]
	many 1000
	bad_registry_rules bad '{"rules":[{"match":"tags","do":"headers","headers":{"Link":null}}]}'
	comes
	many 0
	comes
	# one that knows no pages gives all, again and again
	many 1000
	bad_registry_rules bad "$(jq -nc --rawfile t "$T/want" '{rules: [{match: "tags", do: "bytes", body: ({tags: ($t | rtrimstr("\n") | split("\n"))} | tostring)}]}')"
	comes
	[ "$(bad_registry_log bad .path | wc -l)" = 2 ]
}
@test "a link that leads elsewhere is followed without credentials" {
	many 1500
	bad_registry_rules bad '{"auth":"basic","rules":[{"match":"^host .*tags","do":"headers","headers":{"Link":"<http://OTHER/v2/a/b/tags/list?n=1000&last=t01000>; rel=\"next\""}},{"match":"^other","do":"status","status":403}]}'
	fails 4 403 --creds "$CREDS"
	[ "$(bad_registry_log bad 'select(.door == "other") | .auth' | sort -u)" = null ]
}
@test "lists that are none" {
	many 3
	local body
	for body in '{\"tags\":[\"a b\"]}' '{\"tags\":[1]}' '[]' '{' '{\"tags\":[\"\\u001b[2J\"]}'; do
		bad_registry_rules bad '{"rules":[{"match":"tags","do":"bytes","body":"'"$body"'"}]}'
		fails 4 "tags of '$H/a/b': list of tags"
	done
	bad_registry_rules bad '{"rules":[{"match":"tags","do":"headers","headers":{"Link":"</v2/a/b/tags/list?n=1000>; rel=next"}}]}'
	fails 4 "leads back to where it is"
	bad_registry_rules bad '{"rules":[{"match":"tags","do":"endless"}]}'
	fails 4 "more than 4194304 bytes"
	bad_registry_rules bad '{"rules":[{"match":"tags","do":"status","status":500}]}'
	fails 4 500
	run -2 imgpull tags "$H/a/b:1"
	[[ "$output" == *"a repository is written without tag and digest"* ]]
	run -2 imgpull referrers 'not a name'
	run -2 imgpull tags
}
