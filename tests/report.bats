#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# imgbuild --report and --report-file: what each step adds to the image, and what it ships again for nothing.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
	make_scratch
	busybox_tar "$T/bb.tar"
	chmod 644 "$T/bb.tar"
	mkdir "$T/ctx" "$T/ctx/app"
	head -c 300000 /dev/urandom >"$T/ctx/app/large"
	head -c 200000 /dev/urandom >"$T/ctx/app/middle"
	head -c 1000 /dev/urandom >"$T/ctx/app/small"
	touch "$T/ctx/app/empty"
	cat >"$T/ctx/Buildfile" <<'E'
FROM localhost/bb
COPY app /app
RUN chown -R 1000:1000 /app
RUN chmod 700 /app/large && echo more >>/app/small
ENV A=b
WORKDIR /app
RUN touch -d @1500000000 /app/middle
RUN rm /app/large
E
	chmod -R a+rX "$T/ctx"
	for who in root user; do
		can_build "$who" || continue
		as "$who" imgstore import "$T/bb.tar" localhost/bb >&2
	done
}
teardown_file() {
	remove_scratch
}

report() {
	need_builder "$1"
	if [ "$1" = user ] && is_root; then install -d -o "$TEST_USER" "$T/$1"; else mkdir -p "$T/$1"; fi
	for again in false true; do
		as "$1" imgbuild --report --report-file "$T/$1/report.json" "$T/ctx" >/dev/null 2>"$T/log"
		cat "$T/log"
		j() { jq -rc "$1" "$T/user/report.json" 2>/dev/null; }
		j() { jq -rc "$1" "$JSON"; }
		JSON=$T/$1/report.json
		[ "$(j '.steps | length')" = 6 ]
		[ "$(j '[.steps[].cached] | unique')" = "[$again]" ]
		[ "$(j '.steps[0] | .title, .size, .again')" = $'[2/7] COPY app /app\n501000\nnull' ]
		[ "$(j '.steps[0].largest')" = '[{"path":"/app/large","size":300000},{"path":"/app/middle","size":200000},{"path":"/app/small","size":1000}]' ]
		[ "$(j '.steps[1] | .size, .largest, .again.files, .again.size, .again.fields, .again.largest')" = $'501000\n[]\n3\n501000\n["owner"]\n/app/large' ]
		[ "$(j '.steps[1].again.advice')" = "COPY --chown gives files their owner; or do it in the RUN that makes the files" ]
		[ "$(j '.steps[2] | .size, .largest, .again.files, .again.size, .again.fields')" = $'301005\n[{"path":"/app/small","size":1005}]\n1\n300000\n["mode"]' ]
		[ "$(j '.steps[2].again.advice')" = "COPY --chmod gives files their mode; or do it in the RUN that makes the files" ]
		[ "$(j '.steps[3] | .entries, .size, .again')" = $'0\n0\nnull' ]
		[ "$(j '.steps[4].again | .size, .fields, .advice')" = $'200000\n["mtime"]\ndo it in the RUN that makes the files' ]
		[ "$(j '.steps[5] | .size, .largest, .again')" = $'0\n[]\nnull' ]
		[ "$(j '.size, .again')" = $'1503005\n1001000' ]
		[ "$(j '.steps[0].diffId')" = "$(as "$1" imgstore inspect "$(as "$1" imgbuild -q "$T/ctx")" | jq -r '.[0].RootFS.Layers[1]')" ]
		grep -qE '^#[0-9]+ [0-9.]+ layer: 501kB, [0-9]+ entries$' "$T/log"
		grep -qE '^#[0-9]+ [0-9.]+   300kB /app/large$' "$T/log"
		grep -qE '^#[0-9]+ [0-9.]+   501kB shipped again, of 3 files \(/app/large\) that changed only in: owner$' "$T/log"
		grep -qE '^#[0-9]+ [0-9.]+     to save that: COPY --chown gives files their owner; or do it in the RUN that makes the files$' "$T/log"
	done
	# not asked, not told
	as "$1" imgbuild "$T/ctx" 2>&1 | grep -c 'shipped again' | grep -qx 0
}
@test "sizes, the largest files, and what is shipped again (root)" { report root; }
@test "sizes, the largest files, and what is shipped again (user)" { report user; }

@test "the steps of several stages are in the order of the Buildfile" {
	need_builder root
	printf 'FROM localhost/bb AS a\nRUN sleep 1; echo a >/a\nFROM localhost/bb AS b\nRUN echo b >/b\nFROM localhost/bb\nCOPY --from=a /a /\nCOPY --from=b /b /\n' >"$T/stages"
	as root imgbuild -q -f "$T/stages" --report-file "$T/stages.json" "$T/ctx"
	[ "$(jq -rc '[.steps[].title]' "$T/stages.json")" = '["[a 2/2] RUN sleep 1; echo a >/a","[b 2/2] RUN echo b >/b","[stage-2 2/3] COPY --from=a /a /","[stage-2 3/3] COPY --from=b /b /"]' ]
	run ! as root imgbuild -q -f "$T/stages" --report-file "$T/none/x.json" "$T/ctx"
	[[ $output == *"open '$T/none/x.json'"* ]]
}
