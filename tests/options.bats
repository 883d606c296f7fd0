#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Options of imgbuild that users of docker, buildah and podman know: what each does to the image and to what its steps see.
# As root and as an ordinary user where a step sees it.

load lib
load steps

setup_file() {
	steps_setup_file
	unset http_proxy HTTP_PROXY https_proxy HTTPS_PROXY ftp_proxy FTP_PROXY no_proxy NO_PROXY all_proxy ALL_PROXY
}
teardown_file() { remove_scratch; }

some_root() { if is_root; then echo root; else echo user; fi; }
# with_env CMD…: with the variables of $EXTRA_ENV, which the ordinary user has anyway
with_env() {
	local v result=0
	for v in $EXTRA_ENV; do export "${v?}"; done
	"$@" || result=$?
	for v in $EXTRA_ENV; do unset "${v%%=*}"; done
	return $result
}

# ---- what the plan is made of ----

@test "--build-arg-file: lines as --build-arg, which goes before them" {
	local who
	who=$(some_root)
	printf '# comment\n\nA=file\r\nB=file\nC=a = b\nFROM_ENV\nGONE=file\n' >args
	printf 'B=second\nGONE\n' >more
	EXTRA_ENV=FROM_ENV=env with_env build "$who" --build-arg A=line --build-arg-file args --build-arg-file more <<'E'
FROM localhost/bb
ARG A
ARG B
ARG C
ARG FROM_ENV
ARG GONE=default
LABEL a=$A b=$B c=$C env=$FROM_ENV gone=$GONE
E
	exported "$who"
	same "$(jq -c .config.Labels "$CONFIG")" '{"a":"line","b":"second","c":"a = b","env":"env","gone":"default"}'
	printf 'A=1\n=2\n' >bad
	refused "$who" 2 "--build-arg-file: bad:2: build argument '=2' has no name" --build-arg-file bad
	refused "$who" 5 "--build-arg-file: open 'none': No such file" --build-arg-file none
	printf 'A=\0\n' >nul
	refused "$who" 3 "'nul' holds a NUL byte" --build-arg-file nul
}

@test "--no-cache-filter: the steps of a stage, by name and number, and no others" {
	local who
	who=$(some_root)
	cat >Buildfile <<'E'
FROM localhost/bb AS One
RUN echo one >/one
FROM localhost/bb
RUN echo two >/two
FROM localhost/bb AS three
COPY --from=One /one /
COPY --from=1 /two /
RUN date +%N >/now
E
	build "$who"
	build "$who"
	same "$(cached)" 5
	build "$who" --no-cache-filter one
	# what takes its files finds the same content, so it is not done again
	same "$(cached)" 4
	build "$who" --no-cache-filter=1,three
	same "$(cached)" 1
	build "$who"
	same "$(cached)" 5
	refused "$who" 3 "--no-cache-filter: there is no stage 'four' in Buildfile" --no-cache-filter four
	refused "$who" 2 "--no-cache-filter 'one,': a stage has no name" --no-cache-filter one,
}

@test "--from replaces the base of the first stage, and no other" {
	local who
	who=$(some_root)
	build "$who" -t localhost/other <<'E'
FROM localhost/bb
LABEL is=other
RUN echo other >/file
E
	build "$who" --from localhost/other <<'E'
FROM no.such/image AS first
FROM first
RUN [ "$(cat /file)" = other ]
FROM localhost/bb
RUN [ ! -e /file ]
COPY --from=first /file /
LABEL a=b
E
	exported "$who"
	same "$(content 3 file)" other
	refused "$who" 3 "localhost/none" --from localhost/none
	refused "$who" 2 "--from names no image" --from ""
	# a stage without a base gets one, a named context is found
	mkdir "$CTX/dir"
	echo x >dir/in-context
	build "$who" --from ctx --build-context "ctx=$CTX/dir" <<<$'FROM scratch\nLABEL a=b'
	exported "$who"
	same "$(names 1)" "in-context "
}

@test "--skip-unused-stages=false: all stages before the target are done" {
	local who
	who=$(some_root)
	cat >Buildfile <<'E'
FROM localhost/bb AS unused
RUN echo unused-ran
FROM localhost/bb AS target
RUN echo target-ran
FROM localhost/bb AS later
RUN echo later-ran
E
	build "$who" --no-cache --target target
	not grep -q '^#[0-9]* [0-9.]* unused-ran' <<<"$OUTPUT"
	build "$who" --no-cache --target target --skip-unused-stages=false
	grep -q '^#[0-9]* [0-9.]* unused-ran' <<<"$OUTPUT"
	grep -q '^#[0-9]* [0-9.]* target-ran' <<<"$OUTPUT"
	not grep -q '^#[0-9]* [0-9.]* later-ran' <<<"$OUTPUT"
	exported "$who"
	grep -q 'target-ran' <<<"$(jq -r '.history[-1].created_by' "$CONFIG")"
	same "${#LAYERS[@]}" 2
	# what nobody needs can still fail
	refused "$who" 1 "exit status 3" --skip-unused-stages=false <<<$'FROM localhost/bb AS unused\nRUN exit 3\nFROM localhost/bb\n'
	build "$who" <<<$'FROM localhost/bb AS unused\nRUN exit 3\nFROM localhost/bb\n'
}

@test "--env is an ENV of each stage; --unsetenv and --unsetlabel take from the image" {
	local who
	who=$(some_root)
	build "$who" -t localhost/labelled <<<$'FROM localhost/bb\nLABEL keep=1 base=2\nENV BASE=old'
	EXTRA_ENV=OWN=mine with_env build "$who" --env A=1 --env 'B=x "y" $A \\' --env OWN --env NOT_SET --env C=env --unsetenv BASE --unsetenv C \
		--label given=1 --unsetlabel base --unsetlabel given --unsetlabel never <<'E'
FROM localhost/labelled AS one
RUN [ "$A" = 1 ] && [ "$OWN" = mine ] && [ "$BASE" = old ] && [ -z "${NOT_SET+x}" ]
FROM localhost/labelled
ENV C=file D=$A
RUN [ "$C" = file ] && [ "$D" = 1 ] && [ "$B" = 'x "y" $A \\' ]
COPY --from=one /etc/passwd /
E
	exported "$who"
	same "$(jq -c '.config.Env | sort' "$CONFIG")" '["A=1","B=x \"y\" $A \\\\","D=1","OWN=mine","PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]'
	same "$(jq -c .config.Labels "$CONFIG")" '{"keep":"1"}'
	refused "$who" 2 "--env '=x' has no name of a variable" --env =x
	refused "$who" 2 "--env 'A': its value has a line end" --env $'A=1\n2'
}

http_proxy_test() {
	cat >Buildfile <<'E'
FROM localhost/bb
RUN env | grep -i _proxy | sort | tr '\n' ' '; echo .
E
	EXTRA_ENV="http_proxy=http://small:1 HTTPS_PROXY=http://large:2 NO_PROXY=N no_proxy=n FTP_PROXY=" with_env build "$1" --no-cache
	grep -q ' HTTPS_PROXY=http://large:2 HTTP_PROXY=http://small:1 NO_PROXY=N http_proxy=http://small:1 https_proxy=http://large:2 no_proxy=n \.$' <<<"$OUTPUT"
	exported "$1"
	not grep -qi proxy= "$CONFIG"
	# no key has them
	EXTRA_ENV=http_proxy=http://other:3 with_env build "$1"
	same "$(cached)" 1
	EXTRA_ENV=http_proxy=http://small:1 with_env build "$1" --no-cache --build-arg http_proxy=http://arg
	grep -q ' HTTP_PROXY=http://arg http_proxy=http://arg \.$' <<<"$OUTPUT"
	EXTRA_ENV=http_proxy=http://small:1 with_env build "$1" --no-cache --http-proxy=false
	grep -q '^#[0-9]* [0-9.]* \.$' <<<"$OUTPUT"
}
@test "--http-proxy: steps have the proxies of the environment, image and keys have not (root)" { need_root; http_proxy_test root; }
@test "--http-proxy: steps have the proxies of the environment, image and keys have not (user)" { need_user; http_proxy_test user; }

@test "--layers=false: every step is done, and they are one layer" {
	local who
	who=$(some_root)
	cat >Buildfile <<'E'
FROM localhost/bb
RUN echo a >/a
RUN echo b >/b && rm /a
E
	build "$who"
	build "$who" --layers
	same "$(cached)" 2
	build "$who" --layers=false
	same "$(cached)" 0
	exported "$who"
	same "${#LAYERS[@]} $(names 2)" "2 b "
}

@test "options without effect, and one that is refused" {
	local who
	who=$(some_root)
	build "$who" --compress --disable-content-trust=false --layers --layers=true --rm <<<$'FROM localhost/bb\nLABEL a=b'
	refused "$who" 2 "no-such-option" --no-such-option
}

# ---- what steps see ----

hosts_test() {
	build "$1" --add-host db:10.0.0.7 --add-host 'one;two=10.0.0.8' --add-host six=[::2] --add-host here:host-gateway <<'E'
FROM localhost/bb
RUN sed -n '7,$p' /etc/hosts | tr '\t\n' ' ;'; echo; echo 10.9.9.9 mine >>/etc/hosts
RUN --network=none tail -n +7 /etc/hosts | tr '\t\n' ' ;'; echo .
E
	grep -q ' 10.0.0.7 db;10.0.0.8 one two;::2 six;127.0.0.1 here;$' <<<"$OUTPUT"
	grep -q ' 10.0.0.7 db;10.0.0.8 one two;::2 six;\.$' <<<"$OUTPUT"
	exported "$1"
	same "$(names 2)$(names 3)" ""
	not grep -q 10.0.0 "$CONFIG"
	# the key has the names, and not their addresses
	build "$1" --add-host db:10.1.1.1 --add-host 'one;two=10.1.1.2' --add-host six=10.1.1.3 --add-host here:10.1.1.4
	same "$(cached)" 2
	build "$1" --add-host other:10.1.1.1 --add-host 'one;two=10.1.1.2' --add-host six=10.1.1.3 --add-host here:10.1.1.4
	same "$(cached)" 0
	refused "$1" 2 "--add-host 'db': not of the form NAME:ADDRESS" --add-host db
	refused "$1" 2 "--add-host 'db:nowhere': 'nowhere' is not an address" --add-host db:nowhere
	refused "$1" 2 "without a network there is no gateway" --add-host h:host-gateway --network none
	refused "$1" 2 "--no-hosts leaves no file" --no-hosts --add-host db:10.0.0.7
}
@test "--add-host: in the steps' hosts, in no layer; names are in the key, addresses not (root)" { need_root; hosts_test root; }
@test "--add-host: in the steps' hosts, in no layer; names are in the key, addresses not (user)" { need_user; hosts_test user; }

own_files_test() {
	build "$1" -t localhost/own <<'E'
FROM localhost/bb
COPY <<hosts <<hostname <<resolv.conf /etc/
own hosts
hosts
own hostname
hostname
own resolv
resolv.conf
E
	cat >Buildfile <<'E'
FROM localhost/own
RUN cat /etc/hosts /etc/hostname /etc/resolv.conf | grep -c ^own; hostname; echo more >>/etc/hosts; echo more >>/etc/hostname; echo more >>/etc/resolv.conf
E
	build "$1" --no-hosts --no-hostname --dns none
	grep -q '^#[0-9]* [0-9.]* 3$' <<<"$OUTPUT"
	grep -q '^#[0-9]* [0-9.]* buildkitsandbox$' <<<"$OUTPUT"
	# they are the image's own files, and so is what is done to them
	exported "$1"
	same "$(names 3)" "etc/ etc/hostname etc/hosts etc/resolv.conf "
	same "$(content 3 etc/hosts)" $'own hosts\nmore'
	build "$1"
	same "$(cached)" 0
	grep -q '^#[0-9]* [0-9.]* 0$' <<<"$OUTPUT"
	exported "$1"
	same "$(names 3)" ""
}
@test "--no-hosts, --no-hostname, --dns none: the image's own files (root)" { need_root; own_files_test root; }
@test "--no-hosts, --no-hostname, --dns none: the image's own files (user)" { need_user; own_files_test user; }

dns_test() {
	cat >Buildfile <<'E'
FROM localhost/bb
RUN grep -v '^#' /etc/resolv.conf | tr '\n' ';'; echo .
E
	build "$1" --dns 10.0.0.1 --dns ::2 --dns-search a.example --dns-search b.example --dns-option ndots:3
	grep -q '[0-9 ;]nameserver 10.0.0.1;nameserver ::2;search a.example b.example;options ndots:3;\.$' <<<"$OUTPUT"
	same "$(grep -c nameserver <<<"$(grep -o 'nameserver' <<<"$OUTPUT")")" 2
	exported "$1"
	same "$(names 2)" ""
	build "$1" --no-cache --dns-search .
	not grep -q ' search ' <<<"$OUTPUT"
	refused "$1" 2 "--dns 'here' is not an address" --dns here
	refused "$1" 2 "--dns-search 'a b' is not a domain" --dns-search 'a b'
	refused "$1" 2 "mean nothing without a network" --dns 10.0.0.1 --network none
	refused "$1" 2 "--dns none leaves no file" --dns none --dns-option x
}
@test "--dns, --dns-search, --dns-option replace what the host says (root)" { need_root; dns_test root; }
@test "--dns, --dns-search, --dns-option replace what the host says (user)" { need_user; dns_test user; }

limits_test() {
	local hard
	cat >Buildfile <<'E'
FROM localhost/bb
RUN ulimit -Sn; ulimit -Hn; ulimit -Sc; df -k /dev/shm | awk '/shm/ { print $2 "k" }'
E
	build "$1" --ulimit nofile=100:200 --ulimit core=0 --shm-size 8m
	same "$(grep -E '^#[0-9]+ [0-9.]+ [0-9k]+$' <<<"$OUTPUT" | cut -d' ' -f3 | tr '\n' ' ')" "100 200 0 8192k "
	build "$1" --ulimit nofile=100:200 --ulimit core=0 --shm-size 8192k
	same "$(cached)" 1
	build "$1" --ulimit nofile=100:201 --ulimit core=0 --shm-size 8m
	same "$(cached)" 0
	build "$1" --ulimit host
	same "$(grep -E '^#[0-9]+ [0-9.]+ [0-9]+k$' <<<"$OUTPUT" | cut -d' ' -f3)" "65536k"
	refused "$1" 2 "there is no limit 'files'" --ulimit files=1
	refused "$1" 2 "--shm-size: 'x' is no size" --shm-size x
	refused "$1" 2 "--shm-size '0' leaves no room" --shm-size 0
}
@test "--ulimit and --shm-size (root)" { need_root; limits_test root; }
@test "--ulimit and --shm-size (user)" { need_user; limits_test user; }

@test "--ulimit above what we have needs CAP_SYS_RESOURCE" {
	need_user
	# a hard limit is lowered by anybody, and raised by nobody without the capability
	(ulimit -n 512 && refused user 5 "Buildfile:2:1: RUN: set limit 'nofile': only who has CAP_SYS_RESOURCE on the host may raise the hard one" \
		--ulimit nofile=1024 <<<$'FROM localhost/bb\nRUN true')
}

volume_test() {
	mkdir dir
	echo host >dir/file
	echo one >single
	[ "$1" != root ] || chmod -R a+rwX .
	build "$1" -v "$CTX/dir:/data/in" -v "$CTX/single:/one:ro" -v "$CTX/dir:/over:O" -v ./dir:/relative:ro,z <<'E'
FROM localhost/bb
RUN [ "$(cat /data/in/file)" = host ] && echo written >/data/in/new && [ "$(cat /one /relative/file | tr '\n' ' ')" = "one host " ] && ! touch /relative/x && ! sh -c 'echo x >>/one'
RUN [ "$(cat /over/new)" = written ] && echo lost >/over/file && rm /over/new && [ "$(cat /data/in/file)" = host ]
RUN [ "$(cat /over/file)" = host ]
RUN --mount=type=tmpfs,target=/data/in [ -z "$(ls /data/in)" ]
RUN --mount=type=tmpfs,target=/data/in/sub [ -e /data/in/file ]
E
	same "$(cat dir/new)" written
	same "$(cat dir/file)" host
	exported "$1"
	local i
	for i in 2 3 4 5 6; do same "$(names $i)" ""; done
	assert_store_idle "$(store_of "$1")"
	# where it lies on the host is not in the key
	mv dir moved
	build "$1" -v "$CTX/moved:/data/in" -v "$CTX/single:/one:ro" -v "$CTX/moved:/over:O" -v ./moved:/relative:ro,z
	same "$(cached)" 5
	refused "$1" 5 "--volume: open '/no/such'" -v /no/such:/x
	refused "$1" 2 "'U' is not supported" -v "$CTX:/x:U"
	refused "$1" 2 "'/' is no absolute path below '/'" -v "$CTX:/"
	refused "$1" 2 "'O' is for directories" -v "$CTX/single:/x:O" --no-cache
}
@test "--volume: seen by every step, in no layer; O throws writes away (root)" { need_root; volume_test root; }
@test "--volume: seen by every step, in no layer; O throws writes away (user)" { need_user; volume_test user; }

group_test() {
	build "$1" --group-add users --group-add 4321 <<'E'
FROM localhost/bb
USER daemon
RUN [ "$(id -G)" = "1 100 4321" ]
E
	refused "$1" 3 "there is no group 'nobodys'" --group-add nobodys --no-cache
	refused "$1" 2 "--group-add 'keep-groups'" --group-add keep-groups
}
@test "--group-add: by name and number (root)" { need_root; group_test root; }
@test "--group-add: by name and number (user)" { need_user; group_test user; }

# ---- what is told ----

@test "--metadata-file: names and digests, those of a later push" {
	local who out
	who=$(some_root)
	out=$(mktemp -d "$T/out.XXXXXX")
	[ "$who" = root ] || ! is_root || chown "$TEST_USER" "$out"
	build "$who" -t localhost/other:1 --metadata-file "$out/meta" <<<$'FROM localhost/bb\nRUN echo x >/x'
	as "$who" imgpush -q test "oci:$out/o:latest" >/dev/null
	same "$(jq -r '."containerimage.digest"' "$out/meta")" "$(jq -r '.manifests[0].digest' "$out/o/index.json")"
	same "$(jq -c '."containerimage.descriptor"' "$out/meta")" "$(jq -c '.manifests[0] | { mediaType, digest, size }' "$out/o/index.json")"
	same "$(jq -r '."containerimage.config.digest"' "$out/meta")" "$ID"
	same "$(jq -r '."image.name"' "$out/meta")" "docker.io/library/test:latest,localhost/other:1"
	refused "$who" 5 "open '/no/such/file'" --metadata-file /no/such/file
	build "$who" --platform linux/amd64,linux/arm64 --metadata-file "$out/meta" <<<$'FROM scratch\nCOPY Buildfile /'
	same "$(jq -r '."containerimage.digest"' "$out/meta")" "$ID"
	same "$(jq -r '."containerimage.descriptor".mediaType' "$out/meta")" application/vnd.oci.image.index.v1+json
	same "$(jq 'has("containerimage.config.digest")' "$out/meta")" false
	build "$who" --output type=cacheonly --metadata-file "$out/meta"
	same "$(jq -c . "$out/meta")" "{}"
}

# ---- a source policy ----

# policy RULES: in the file "policy"
policy() { printf '{ "version": 1, "rules": [ %s ] }\n' "$1" >policy; }

@test "--source-policy-file: images are allowed, denied and replaced" {
	local who
	who=$(some_root)
	build "$who" -t localhost/new:1 -t localhost/other:2 <<<$'FROM localhost/bb\nRUN echo new >/new'
	cat >Buildfile <<'E'
FROM localhost/bb AS one
FROM scratch
COPY --from=one /bin/busybox /
COPY --from=localhost/other:2 /new /
E
	policy '{ "action": "DENY", "selector": { "identifier": "docker-image://localhost/other:*" } }'
	refused "$who" 3 "Buildfile:4:1: COPY: --from=localhost/other:2: the source policy denies 'docker-image://localhost/other:2'" --source-policy-file policy
	# the last one counts
	policy '{ "action": "DENY", "selector": { "identifier": "docker-image://*" } },
		{ "action": "ALLOW", "selector": { "identifier": "docker-image://localhost/.*:[0-9l][a-z]*$", "match_type": "REGEX" } }'
	build "$who" --source-policy-file policy
	policy '{ "action": "DENY", "selector": { "identifier": "*" } }'
	refused "$who" 3 "the source policy denies 'local://dockerfile'" --source-policy-file policy
	policy '{ "action": "DENY", "selector": { "identifier": "*" } }, { "action": "ALLOW", "selector": { "identifier": "local://*" } }'
	refused "$who" 3 "Buildfile:1:6: FROM: the source policy denies 'docker-image://localhost/bb:latest'" --source-policy-file policy
	policy '{ "action": "CONVERT", "selector": { "identifier": "docker-image://localhost/b*:latest" }, "updates": { "identifier": "docker-image://localhost/new:1" } }'
	build "$who" --source-policy-file policy <<<$'FROM localhost/bb\nRUN [ "$(cat /new)" = new ]'
	policy '{ "action": "CONVERT", "selector": { "identifier": "docker-image://localhost/(old):(.*)", "match_type": "REGEX" },
		"updates": { "identifier": "docker-image://localhost/new:${2}" } }'
	build "$who" --source-policy-file policy <<<$'FROM localhost/old:1\nRUN [ "$(cat /new)" = new ]'
	policy '{ "action": "DENY", "selector": { "identifier": "docker-image://localhost/new:1", "match_type": "EXACT" } },
		{ "action": "CONVERT", "selector": { "identifier": "docker-image://localhost/bb:latest" }, "updates": { "identifier": "docker-image://localhost/new:1" } }'
	refused "$who" 3 "denies 'docker-image://localhost/new:1'" --source-policy-file policy <<<"FROM localhost/bb"
	policy '{ "action": "CONVERT", "selector": { "identifier": "docker-image://*" }, "updates": { "identifier": "docker-image://${1}x" } }'
	refused "$who" 3 "without end" --source-policy-file policy
	policy '{ "action": "CONVERT", "selector": { "identifier": "docker-image://localhost/bb*" }, "updates": { "identifier": "https://a/b" } }'
	refused "$who" 3 "makes 'https://a/b' of 'docker-image://localhost/bb:latest', which cannot be" --source-policy-file policy
	# as docker buildx is told of it
	policy '{ "action": "DENY", "selector": { "identifier": "docker-image://localhost/bb:latest" } }'
	EXTRA_ENV=EXPERIMENTAL_BUILDKIT_SOURCE_POLICY=policy with_env refused "$who" 3 "denies 'docker-image://localhost/bb:latest'"
}

@test "--source-policy-file: directories by their names" {
	local who
	who=$(some_root)
	mkdir named
	echo x >named/x
	printf 'FROM scratch\nCOPY --from=n x /\n' >Buildfile
	policy '{ "action": "DENY", "selector": { "identifier": "local://n" } }'
	refused "$who" 3 "--build-context n: the source policy denies 'local://n'" --build-context n=./named --source-policy-file policy
	policy '{ "action": "DENY", "selector": { "identifier": "local://context" } }'
	refused "$who" 3 "denies 'local://context'" --build-context n=./named --source-policy-file policy
	policy '{ "action": "DENY", "selector": { "identifier": "local://m" } }'
	build "$who" --build-context n=./named --source-policy-file policy
}

@test "--source-policy-file: what cannot be followed to the letter is refused" {
	local who
	who=$(some_root)
	printf 'FROM scratch\nLABEL a=b\n' >Buildfile
	bad() {
		policy "$1"
		refused "$who" 3 "imgbuild: source policy: policy: $2" --source-policy-file policy
	}
	bad '{ "action": "MAYBE", "selector": { "identifier": "x" } }' "rule 1: 'action': 'MAYBE' is not known"
	bad '{ "selector": { "identifier": "x" } }, { "action": "DENY", "selector": {} }' "rule 2: 'selector' has no 'identifier'"
	bad '{ "action": "DENY" }' "rule 1: 'selector' is not an object"
	bad '{ "action": "CONVERT", "selector": { "identifier": "x" } }' "rule 1: CONVERT has no 'updates'"
	bad '{ "action": "DENY", "selector": { "identifier": "x", "constraints": [] } }' "rule 1: 'constraints' in 'selector' is not supported"
	bad '{ "action": "DENY", "selector": { "identifier": "\\d+", "match_type": "REGEX" } }' "rule 1: the expression '\\d+' is more than a POSIX extended one"
	bad '{ "action": "DENY", "selector": { "identifier": "(a", "match_type": "REGEX" } }' "rule 1: '(a' is no regular expression"
	bad '{ "action": "DENY", "selector": { "identifier": "a**" } }' "rule 1: '**' in the wildcard 'a**'"
	bad '{ "action": "CONVERT", "selector": { "identifier": "a" }, "updates": { "attrs": { "http.header": "x" } } }' "rule 1: 'http.header' in 'attrs' is not supported"
	echo '{ "version": 2, "rules": [] }' >policy
	refused "$who" 3 "version 2 is not supported" --source-policy-file policy
	echo '{ "rule": [] }' >policy
	refused "$who" 3 "'rule' in the policy is not supported" --source-policy-file policy
	echo '{' >policy
	refused "$who" 3 "source policy: policy" --source-policy-file policy
	refused "$who" 5 "source policy: open 'none'" --source-policy-file none
}
