#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# imgbuild --verify: a build that comes out the same again makes the image; one that does not names the first
# difference of each layer, exits 3 and names no image.

load lib

setup_file() {
	make_scratch
	busybox_tar "$T/bb.tar"
	chmod 644 "$T/bb.tar"
	mkdir -p "$T/ctx/dir"
	echo x >"$T/ctx/dir/f"
	chmod -R a+rX "$T/ctx"
	unset SOURCE_DATE_EPOCH
	for who in root user; do
		can_build "$who" || continue
		as "$who" imgstore import "$T/bb.tar" localhost/bb >&2
	done
}
teardown_file() {
	remove_scratch
}

# verify WHO OPTIONS…: Buildfile on stdin; sets status, and output to what is on stderr
verify() {
	cat >"$T/Buildfile"
	status=0
	as "$1" imgbuild -q --verify -t made "${@:2}" -f "$T/Buildfile" "$T/ctx" 2>"$T/stderr" >"$T/stdout" || status=$?
	output=$(cat "$T/stderr")
	echo "$status: $output"
}
layers_in() { as "$1" imgstore info --format json | jq .Layers; }

reproducible() {
	need_builder "$1"
	verify "$1" <<'E'
FROM localhost/bb AS a
RUN mkdir /d && seq 1000 >/d/n && ln /d/n /d/m && ln -s n /d/l
COPY dir /dir
FROM localhost/bb
COPY --from=a /d /d
COPY --link dir /linked
WORKDIR /w/x
RUN touch here && rm /etc/group
ENV A=b
E
	[ "$status" = 0 ]
	[ "$output" = "" ]
	[ "$(cat "$T/stdout")" = "$(as "$1" imgstore inspect made | jq -r '.[0].Id')" ]
	as "$1" imgrun --rm made test -L /d/l
	# the steps that it is made of are in the cache
	as "$1" imgbuild -f "$T/Buildfile" --source-date-epoch "$(date -d "$(as "$1" imgstore inspect made | jq -r '.[0].Created')" +%s)" "$T/ctx" 2>"$T/log"
	[ "$(grep -c CACHED "$T/log")" -ge 4 ]
	as "$1" imgstore rm made
}
@test "a build that comes out the same makes the image (root)" { reproducible root; }
@test "a build that comes out the same makes the image (user)" { reproducible user; }

differing() {
	need_builder "$1"
	before=$(layers_in "$1")
	verify "$1" <<'E'
FROM localhost/bb
RUN mkdir /same
RUN date >/x
RUN touch -d @$(($(date +%s) - 100000)) /same
RUN touch /first-$(date +%s)
RUN seq 1 $(($(date +%s) % 1000 + 10)) >/list; seq 1 10 >/short
RUN mkdir -m $([ -e /var/flag ] && echo 700 || echo 755) /moded; chown $(($(date +%s) % 60000)) /moded
E
	[ "$status" = 3 ]
	[ ! -s "$T/stdout" ]
	[ "$(wc -l <"$T/stderr")" = 6 ]
	[[ ${output} == *"imgbuild: layer 3 (RUN date >/x): x: content differs at byte "* ]]
	[[ ${output} == *"imgbuild: layer 4 (RUN touch -d @\$((\$(date +%s) - 100000)) /same): same: mtime "*" vs "* ]]
	[[ ${output} == *"imgbuild: layer 5 (RUN touch /first-\$(date +%s)): first-"*": only in the "* ]]
	[[ ${output} == *"): list: content differs at byte "* ]]
	[[ ${output} == *"): moded: owner "*":0 vs "*":0"* ]]
	[ "${output##*$'\n'}" = "imgbuild: two builds came to two images: 5 differences" ]
	not as "$1" imgstore inspect made 2>/dev/null
	# what the first build made is in the cache, what the second made is gone
	[ "$(layers_in "$1")" = $((before + 6)) ]
	case $1 in
	root) assert_store_idle "$ROOT_STORE" ;;
	user) assert_store_idle "$USER_STORE" ;;
	esac
	[ "$(as "$1" "$top_builddir/imgstore" unshare sh -c 'ls "$IMGBUILD_ROOT/layers" | wc -l')" = $((before + 6)) ]
}
@test "the first difference of each layer is named (root)" { differing root; }
@test "the first difference of each layer is named (user)" { differing user; }

@test "hard links, deletions, kinds, devices, attributes and links are told" {
	need_root
	# what the first build leaves in a cache mount the second one finds
	verify root <<'E'
FROM localhost/bb
RUN --mount=type=cache,target=/c echo a >/one; if [ -e /c/1 ]; then ln /one /two; else touch /c/1; cp /one /two; fi
E
	[ "$status" = 3 ]
	[[ ${output} == *"): two: file vs hard link"* ]]
	verify root <<'E'
FROM localhost/bb
RUN --mount=type=cache,target=/c if [ -e /c/2 ]; then rm /etc/group; else touch /c/2 /etc/group; fi
E
	[ "$status" = 3 ]
	[[ ${output} == *"): etc/group: deleted only in the second"* ]]
	verify root <<'E'
FROM localhost/bb
RUN --mount=type=cache,target=/c if [ -e /c/3 ]; then ln -s a /l; else touch /c/3; ln -s b /l; fi
RUN --mount=type=cache,target=/c if [ -e /c/4 ]; then mkdir /k; else touch /c/4 /k; fi
RUN --mount=type=cache,target=/c if [ -e /c/5 ]; then chmod 644 /k; else touch /c/5; chmod 700 /k; fi
E
	[ "$status" = 3 ]
	[[ ${output} == *"): l: symlink to 'b' vs 'a'"* ]]
	[[ ${output} == *"): k: file vs directory"* ]]
	[[ ${output} == *"two images: 3 differences" ]]
}

@test "with its files' times left alone a build differs in them" {
	need_root
	verify root --rewrite-timestamp=false <<'E'
FROM localhost/bb
RUN touch /x
E
	[ "$status" = 3 ]
	[[ ${output} == *"layer 2 (RUN touch /x): x: mtime "* ]]
	verify root --timestamp 7 <<'E'
FROM localhost/bb
RUN touch /x
E
	[ "$status" = 0 ]
	[ "$(as root imgstore inspect made | jq -r '.[0].Created')" = 1970-01-01T00:00:07Z ]
	as root imgstore rm made
}

@test "a step that fails in the second build alone is an error of that" {
	need_root
	verify root <<'E'
FROM localhost/bb
RUN --mount=type=cache,target=/c ! [ -e /c/failed ] && touch /c/failed
E
	[ "$status" = 1 ]
	[[ ${output} == *"the second build: "*"Buildfile:2:1: "* ]]
	assert_store_idle "$ROOT_STORE"
}
