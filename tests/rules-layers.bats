#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Which step makes a layer, and what the history says of it.

load rules

# config_of IMAGE: $CONFIG is its configuration
config_of() {
	local out manifest
	out=$(mktemp -d "$T/out.XXXXXX")
	as "$WHO" imgpush -q --compression none "$1" "oci:$out/o:latest" >/dev/null
	manifest=$(jq -r '.manifests[0].digest' "$out/o/index.json" | cut -d: -f2)
	CONFIG=$out/o/blobs/sha256/$(jq -r .config.digest "$out/o/blobs/sha256/$manifest" | cut -d: -f2)
}
# says STEP… "EMPTY CREATED_BY…": what the history has of the last of the steps above a base; EMPTY is "layer" or "empty"
says() {
	local want=$1
	shift
	printf '%s\n' 'FROM localhost/bb' "$@" | image
	config_of test
	same "$(jq -r '.history[-1] | (if .empty_layer then "empty " else "layer " end) + .created_by' "$CONFIG")" "$want"
	# layers and entries are in step
	same "$(jq '[.history[] | select(.empty_layer | not)] | length' "$CONFIG")" "$(jq '.rootfs.diff_ids | length' "$CONFIG")"
}

# ---- 1.10 what makes a layer ----

@test "1.10 RUN: a layer, with the ARGs that are in scope, and their values" {
	says 'layer RUN /bin/sh -c true # buildkit' 'RUN true'
	says 'layer RUN /bin/true x y # buildkit' 'RUN ["/bin/true", "x", "y"]'
	says 'layer RUN |4 A=1 B= C=x y D= /bin/sh -c true # buildkit' 'ARG A=1' 'ARG B=' 'ARG C="x y"' 'ARG D' 'RUN true'
	says 'layer RUN |1 A=1 /bin/busybox sh -c true # buildkit' 'ARG A=1' 'SHELL ["/bin/busybox", "sh", "-c"]' 'RUN true'
	says 'layer RUN /bin/sh -c cat <<A
x
A # buildkit' $'RUN cat <<A\nx\nA'
	says $'layer RUN /bin/sh -c true\n # buildkit' $'RUN <<A\ntrue\nA'
	says 'layer RUN /bin/sh -c X=1; [ -n "$X" ] # buildkit' 'RUN --mount=target=/m X=1; [ -n "$X" ]'
}
@test "1.10 RUN: a step that changed nothing has a layer all the same" {
	printf 'FROM localhost/bb\nRUN true\nRUN true\n' | image
	same "$(layer_count)" 3
	same "$(layer 1)" "$(layer 2)"
}
@test "1.10 COPY and ADD: a layer; values, not variables; here documents" {
	says 'layer COPY f d /x/ # buildkit' 'COPY f d /x/'
	says 'layer COPY f /y # buildkit' 'ENV n=f t=/y' 'COPY $n $t'
	says 'layer COPY --parents --chown=1:2 --chmod=600 f /x/ # buildkit' 'COPY --chmod=600 --link --chown=1:2 --exclude=z --parents f /x/'
	says 'layer COPY etc/passwd /p # buildkit' 'COPY --from=localhost/bb etc/passwd /p'
	says 'layer COPY f <<x /y/ # buildkit' $'COPY <<x f /y/\nx'
	says 'layer ADD f . # buildkit' 'WORKDIR /w' 'ADD f .'
}
@test "1.10 WORKDIR: a layer, but not for '/'" {
	says 'layer WORKDIR /w' 'WORKDIR /w'
	says 'layer WORKDIR /w/x' 'WORKDIR /w' 'WORKDIR x/'
	says 'empty WORKDIR /' 'WORKDIR /'
	says 'layer WORKDIR /tmp' 'WORKDIR /tmp'
}
@test "1.10 ENV, LABEL, EXPOSE, USER, VOLUME: none" {
	says 'empty ENV a=1 b=x y' 'ENV a=1 b="x y"'
	says 'empty ENV a=b c' 'ENV a b c'
	says 'empty LABEL l=1 m=2' 'LABEL l=1 m=2'
	says 'empty EXPOSE [80/tcp 90/udp]' 'EXPOSE 90/udp 80'
	says 'empty USER alice' 'USER alice'
	says 'empty VOLUME [/a /b]' 'VOLUME /a /b'
	says 'empty VOLUME [/a /b]' 'VOLUME ["/a", "/b"]'
}
@test "1.10 CMD, ENTRYPOINT, HEALTHCHECK, STOPSIGNAL, SHELL, ARG, MAINTAINER: none" {
	says 'empty CMD ["a" "b \"c\""]' 'CMD ["a", "b \"c\""]'
	says 'empty CMD ["/bin/sh" "-c" "a b"]' 'CMD a b'
	says 'empty ENTRYPOINT ["/bin/sh" "-c" "e"]' 'ENTRYPOINT e'
	says 'empty HEALTHCHECK {Test:[CMD-SHELL x] Interval:1s Timeout:0s StartPeriod:1m30s StartInterval:0s Retries:2}' 'HEALTHCHECK --interval=1s --start-period=90s --retries=2 CMD x'
	says 'empty HEALTHCHECK {Test:[NONE] Interval:0s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0}' 'HEALTHCHECK NONE'
	says 'empty STOPSIGNAL INT' 'STOPSIGNAL INT'
	says 'empty SHELL [/bin/sh -c]' 'SHELL ["/bin/sh", "-c"]'
	says 'empty ARG A=1 B C=' 'ARG A=1 B C='
	says 'empty MAINTAINER x y' 'MAINTAINER x y'
}
@test "1.10 ONBUILD: no entry at all; its triggers have theirs in the child" {
	says 'empty ENV a=1' 'ENV a=1' 'ONBUILD ENV b=2'
	printf 'FROM localhost/bb AS p\nONBUILD RUN true\nONBUILD ENV b=2\nFROM p\n' | image
	same "$(history | tail -n 2)" $'RUN /bin/sh -c true # buildkit\nENV b=2'
}

# ---- 1.10 the history as a whole ----

@test "1.10 FROM: the history of the base is copied, of an image and of a stage" {
	printf 'FROM localhost/bb\nRUN true\nENV a=1\n' | image -t localhost/with-history
	config_of localhost/with-history
	jq -c '.history[]' "$CONFIG" >base
	printf 'FROM localhost/with-history AS p\nENV b=1\nFROM p\nCOPY f /\n' | image
	config_of test
	jq -c '.history[]' "$CONFIG" | head -n 3 | diff base -
	same "$(jq '.history | length' "$CONFIG")" 5
	printf 'FROM localhost/with-history\n' | image
	config_of test
	jq -c '.history[]' "$CONFIG" | diff base -
}
@test "1.10: the comment of each entry, and its time" {
	printf 'FROM localhost/bb\nENV first=1\nRUN true\nENV a=1\nCOPY f /\nENV b=1\n' | image --no-cache
	config_of test
	same "$(jq -c '[.history[1:][].comment] | unique' "$CONFIG")" '["buildkit.dockerfile.v0"]'
	# empty entries have the time of the first new layer, then that of the layer before
	jq -e '[.history[1:][].created] | .[0] == .[1] and .[1] == .[2] and .[3] == .[4] and .[1] < .[3]' "$CONFIG"
	jq -e '.created == .history[-1].created' "$CONFIG"
}
@test "1.10 SOURCE_DATE_EPOCH: all new entries have it, those of the base stay" {
	config_of localhost/bb
	local base
	base=$(jq -c '.history[0]' "$CONFIG")
	printf 'FROM localhost/bb\nENV a=1\nRUN true\nCOPY f /\nCMD x\n' >Buildfile
	SOURCE_DATE_EPOCH=1600000000 as "$WHO" imgbuild -q -t test . >&2
	config_of test
	same "$(jq -c '.history[0]' "$CONFIG")" "$base"
	same "$(jq -c '[.created, .history[1:][].created] | unique' "$CONFIG")" '["2020-09-13T12:26:40Z"]'
}
# base_with HISTORY: localhost/other has two layers and this history
base_with() {
	python3 "$top_srcdir/tests/make-layout.py" "$PWD/layout" x -
	python3 - "$PWD/layout" "$1" <<-'E'
		import hashlib, json, sys
		where, history = sys.argv[1], json.loads(sys.argv[2])
		def blob(digest): return where + '/blobs/sha256/' + digest.split(':')[1]
		def put(value):
		    data = json.dumps(value).encode()
		    digest = 'sha256:' + hashlib.sha256(data).hexdigest()
		    open(blob(digest), 'wb').write(data)
		    return dict(digest=digest, size=len(data))
		index = json.load(open(where + '/index.json'))
		manifest = json.load(open(blob(index['manifests'][0]['digest'])))
		config = json.load(open(blob(manifest['config']['digest'])))
		config['history'] = history
		manifest['config'].update(put(config))
		index['manifests'][0].update(put(manifest))
		json.dump(index, open(where + '/index.json', 'w'))
	E
	as "$WHO" imgpull -q "oci:$PWD/layout:x" localhost/other >&2
	printf 'FROM localhost/other\nCOPY f /\n' | image --no-cache
	config_of test
	same "$(jq '.rootfs.diff_ids | length' "$CONFIG")" 3
	same "$(jq '[.history[] | select(.empty_layer | not)] | length' "$CONFIG")" 3
}
@test "1.10: missing entries of a base are made up, those that are too many turn empty" {
	base_with '[{"created_by":"only one"}]'
	same "$(jq -c '[.history[].created_by]' "$CONFIG" | grep -c 'COPY f / # buildkit')" 1
	same "$(jq -c '[.history[] | select(.comment == "buildkit.exporter.image.v0")] | length' "$CONFIG")" 1
	base_with '[]'
	same "$(jq -c '[.history[] | select(.comment == "buildkit.exporter.image.v0")] | length' "$CONFIG")" 2
	base_with '[{"created_by":"1"},{"created_by":"2"},{"created_by":"3"},{"created_by":"e","empty_layer":true}]'
	# there are three layers: the entries from the fourth on have none
	same "$(jq -c '[.history[] | select(.empty_layer).created_by]' "$CONFIG")" '["e","COPY f / # buildkit"]'
}
