#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a build takes from the network: URLs and git repositories, good and bad servers, credentials. The only
# server is tests/fetch-server.py on 127.0.0.1. As root and as an ordinary user.

load lib

setup_file() {
	make_scratch
	SRV=$T/srv
	mkdir -p "$SRV/files" "$SRV/git"
	echo hello >"$SRV/files/a.txt"
	echo sub >"$SRV/files/b"
	mkdir "$T/tree"
	echo packed >"$T/tree/packed"
	tar -C "$T/tree" -czf "$SRV/files/x.tar.gz" packed
	make_repository >&2
	if command -v openssl >/dev/null; then
		openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -days 2 \
			-keyout "$T/key" -out "$T/cert.pem" 2>/dev/null
		cat "$T/key" "$T/cert.pem" >"$SRV/tls.pem"
		chmod 644 "$T/cert.pem"
	fi
	python3 "$top_srcdir/tests/fetch-server.py" "$SRV" >&2 2>"$T/server.err" 3>&- &
	SERVER=$!
	for _ in $(seq 100); do
		[ ! -e "$SRV/port" ] || break
		sleep 0.1
	done
	URL=http://127.0.0.1:$(cat "$SRV/port")
	HOST=${URL#http://}
	OTHER=http://127.0.0.1:$(cat "$SRV/other-port")
	export SRV SERVER URL HOST OTHER
	unset http_proxy HTTP_PROXY https_proxy HTTPS_PROXY all_proxy ALL_PROXY
}
teardown_file() {
	kill "$SERVER" || true
	wait "$SERVER" 2>/dev/null || true
	remove_scratch
}
setup() {
	CTX=$(mktemp -d "$T/ctx.XXXXXX")
	chmod 755 "$CTX"
	: >"$SRV/log"
}

git_as_author() {
	git -c user.name=n -c user.email=e@x -c init.defaultBranch=main -c protocol.file.allow=always \
		-c safe.directory='*' -c advice.detachedHead=false "$@"
}
# r.git: two commits on main, a branch "dev", an annotated tag "v1" at the first, links that lead out; m.git: with r.git inside
make_repository() (
	export GIT_COMMITTER_DATE='@1600000000 +0000' GIT_AUTHOR_DATE='@1600000000 +0000'
	git_as_author init -q "$T/r"
	cd "$T/r"
	mkdir -p dir/deep
	echo one >file
	echo '#!/bin/sh' >dir/run
	chmod 755 dir/run
	echo deep >dir/deep/f
	ln -s /etc out
	ln -s dir in
	ln -s ../.. up
	printf 'FROM scratch\nCOPY file /from-git\n' >Buildfile
	printf 'FROM scratch\nCOPY deep/f /from-dir\n' >dir/Buildfile
	mkdir linked
	ln -s /etc/passwd linked/Buildfile
	git_as_author add .
	git_as_author commit -qm one
	git_as_author tag -a v1 -m v1
	git_as_author checkout -qb dev
	echo dev >file
	git_as_author commit -qam dev
	git_as_author checkout -q main
	echo two >file
	git_as_author commit -qam two
	cd ..
	git_as_author clone -q --bare r "$SRV/git/r.git"
	git_as_author clone -q --bare r "$SRV/git/private.git"
	git_as_author init -q m
	git_as_author -C m submodule --quiet add "$SRV/git/r.git" inner
	git_as_author -C m config -f .gitmodules submodule.inner.url ../r.git
	git_as_author -C m add .gitmodules
	git_as_author -C m commit -qm m
	git_as_author clone -q --bare m "$SRV/git/m.git"
	git_as_author -C m config -f .gitmodules submodule.inner.url "file://$SRV/git/r.git"
	git_as_author -C m commit -qam local
	git_as_author clone -q --bare m "$SRV/git/steals.git"
	git_as_author clone -q --bare r "$SRV/files/dumb.git"
	git -C "$SRV/files/dumb.git" update-server-info
)

# build WHO [OPTIONS…]: Buildfile on stdin; messages in $OUTPUT
build() {
	local who=$1
	shift
	cat >"$CTX/Buildfile"
	status=0
	OUTPUT=$(as "$who" imgbuild -t test "$@" "$CTX" 2>&1 >"$T/id") || status=$?
	echo "$OUTPUT"
	return "$status"
}
# fails WHO STATUS TEXT… with the Buildfile on stdin: each text is said, in one error, and nothing is left
fails() {
	local who=$1 want=$2 text store=$ROOT_STORE
	shift 2
	[ "$who" = root ] || store=$USER_STORE
	not build "$who"
	echo "status $status"
	[ "$status" = "$want" ]
	for text in "$@"; do [[ $OUTPUT == *"$text"* ]] || { echo "not said: $text"; return 1; }; done
	[ "$(grep -c '^imgbuild: ' <<<"$OUTPUT")" = 1 ]
	[[ $OUTPUT != *"error page"* ]]
	assert_store_idle "$store"
	not grep -rqs "error page" "$store/layers" "$store/cache"
}
# layer WHO N: $LAYER is the tar of the N-th layer
layer() {
	local out manifest
	out=$(mktemp -d "$T/out.XXXXXX")
	if [ "$1" = user ] && is_root; then chown "$TEST_USER" "$out"; fi
	as "$1" imgpush -q --compression none test "oci:$out/o:latest" >/dev/null
	manifest=$(jq -r '.manifests[0].digest' "$out/o/index.json" | cut -d: -f2)
	CONFIG=$out/o/blobs/sha256/$(jq -r .config.digest "$out/o/blobs/sha256/$manifest" | cut -d: -f2)
	LAYER=$out/o/blobs/sha256/$(jq -r ".layers[$(($2 - 1))].digest" "$out/o/blobs/sha256/$manifest" | cut -d: -f2)
}
entry() { TZ=UTC tar --numeric-owner --full-time -tvf "$LAYER" "$1" | head -1 | awk '{ print $1, $2, $3, $4, $5 }'; }
content() { tar -xOf "$LAYER" "$1"; }
names() { { tar -tf "$LAYER" || echo "no list of the layer"; } | { grep -vxF ./ || true; } | tr '\n' ' '; }
same() { [ "$1" = "$2" ] || { printf 'got:    %q\nwanted: %q\n' "$1" "$2"; return 1; }; }
requests() { awk '{ print $1, $2, $3 }' "$SRV/log" | tr '\n' ' '; }
sum() { echo "sha256:$(sha256sum "$1" | cut -d' ' -f1)"; }

# ---- URLs ----

url_file() {
	build "$1" <<<"FROM scratch
ADD $URL/a.txt /d/"
	layer "$1" 1
	same "$(names)" "d/ d/a.txt "
	same "$(entry d/a.txt)" "-rw------- 0/0 6 2023-11-14 22:13:20"
	same "$(content d/a.txt)" hello
	same "$(jq -r '.history[0].created_by' "$CONFIG")" "ADD $URL/a.txt /d/ # buildkit"
}
@test "a URL is a file of mode 0600 with the server's time (root)" { need_root; url_file root; }
@test "a URL is a file of mode 0600 with the server's time (user)" { need_user; url_file user; }

url_flags() {
	build "$1" <<<"FROM scratch
ADD --chown=5:6 --chmod=755 $URL/a.txt $URL/b /d/"
	layer "$1" 1
	same "$(names)" "d/ d/a.txt d/b "
	same "$(entry d/b)" "-rwxr-xr-x 5/6 4 2023-11-14 22:13:20"
}
@test "several URLs, with owner and mode (root)" { need_root; url_flags root; }
@test "several URLs, with owner and mode (user)" { need_user; url_flags user; }

@test "URLs, files and texts can be mixed" {
	need_root
	echo local >"$CTX/l"
	build root <<E
FROM scratch
ADD l $URL/a.txt <<T /d/
text
T
E
	layer root 1
	same "$(names)" "d/ d/T d/a.txt d/l "
}

@test "the name comes from the URL, else from the server, else there is none" {
	need_root
	build root <<<"FROM scratch
ADD $URL/named /1/
ADD $URL?named /2/
ADD $URL?plain /3/
ADD $URL/named /4"
	layer root 1
	same "$(names)" "1/ 1/named "
	layer root 2
	same "$(names)" "2/ 2/given name "
	layer root 3
	same "$(names)" "3/ 3/__unnamed__ "
	layer root 4
	same "$(names)" "4 "
}

@test "an archive stays one, unless --unpack is given" {
	need_root
	build root <<<"FROM scratch
ADD $URL/x.tar.gz /a/
ADD --unpack $URL/x.tar.gz /b/"
	layer root 1
	same "$(names)" "a/ a/x.tar.gz "
	layer root 2
	same "$(names)" "b/ b/packed "
}

@test "a body in chunks" {
	need_root
	build root <<<"FROM scratch
ADD $URL/chunked /c"
	layer root 1
	same "$(content c)" "chunk 0chunk 1chunk 2chunk 3chunk 4"
}

again() {
	local recipe="FROM scratch
ADD $URL/a.txt /again
ADD $URL/plain /plain"
	build "$1" --no-cache <<<"$recipe"
	: >"$SRV/log"
	build "$1" <<<"$recipe"
	same "$(requests)" "GET /a.txt 304 GET /plain 200 "
	same "$(grep -c CACHED <<<"$OUTPUT")" 2
	echo changed >"$SRV/files/a.txt"
	build "$1" <<<"$recipe"
	echo hello >"$SRV/files/a.txt"
	same "$(grep -c CACHED <<<"$OUTPUT" || true)" 0
	layer "$1" 1
	same "$(content again)" changed
}
@test "what was fetched is asked for again, and only fetched when it has changed (root)" { need_root; again root; }
@test "what was fetched is asked for again, and only fetched when it has changed (user)" { need_user; again user; }

@test "prune forgets what was fetched" {
	need_root
	build root <<<"FROM scratch
ADD $URL/a.txt /x"
	ls "$ROOT_STORE"/cache/fetched-* >/dev/null
	as root imgstore prune >&2
	not ls "$ROOT_STORE"/cache/fetched-* 2>/dev/null
	: >"$SRV/log"
	build root --no-cache <<<"FROM scratch
ADD $URL/a.txt /x"
	same "$(requests)" "GET /a.txt 200 "
}

checksum() {
	local recipe="FROM scratch
ADD --checksum=$(sum "$SRV/files/b") $URL/b /checked"
	build "$1" <<<"$recipe"
	: >"$SRV/log"
	build "$1" <<<"$recipe"
	same "$(requests)" ""
	same "$(grep -c CACHED <<<"$OUTPUT")" 1
}
@test "with its checksum known, nothing is asked for (root)" { need_root; checksum root; }
@test "with its checksum known, nothing is asked for (user)" { need_user; checksum user; }

wrong_checksum() {
	fails "$1" 3 "Buildfile:2:" "'$URL/a.txt' has the digest $(sum "$SRV/files/a.txt"), and $(sum "$SRV/files/b") is asked for" <<<"FROM scratch
ADD --checksum=$(sum "$SRV/files/b") $URL/a.txt /x"
}
@test "a wrong checksum (root)" { need_root; wrong_checksum root; }
@test "a wrong checksum (user)" { need_user; wrong_checksum user; }

@test "a variable in URL and checksum" {
	need_root
	build root --build-arg "SUM=$(sum "$SRV/files/b")" <<<"FROM scratch
ARG SUM
ARG NAME=b
ADD --checksum=\$SUM $URL/\$NAME /x"
}

status() {
	for code in 400 403 404 410 418 500 503 204 206; do
		fails "$1" 4 "Buildfile:2:5: ADD: get '$URL/status/$code': HTTP status $code" <<<"FROM scratch
ADD $URL/status/$code /x"
	done
}
@test "row 55: an error page never gets into an image (root)" { need_root; status root; }
@test "row 55: an error page never gets into an image (user)" { need_user; status user; }

@test "redirects: ten are followed, eleven are not, nor those to nowhere and to files" {
	need_root
	build root <<<"FROM scratch
ADD $URL/hops/10 /x"
	layer root 1
	same "$(content x)" hello
	fails root 4 "get '$URL/hops/11': more than 10 redirects" <<<"FROM scratch
ADD $URL/hops/11 /x"
	fails root 4 "a redirect to nowhere" <<<"FROM scratch
ADD $URL/nowhere /x"
	for to in file:///etc/passwd ftp://127.0.0.1/x gopher://127.0.0.1/x; do
		fails root 4 "redirected: '${to%%:*}://' is neither http nor https" <<<"FROM scratch
ADD $URL/to?$to /x"
	done
}

@test "https works, and is never left for http" {
	need_root
	[ -e "$SRV/tls-port" ] || skip "openssl is not installed"
	local tls
	tls=https://127.0.0.1:$(cat "$SRV/tls-port")
	fails root 4 "get '$tls/a.txt': " "certificate" <<<"FROM scratch
ADD $tls/a.txt /x"
	export SSL_CERT_FILE=$T/cert.pem
	build root <<<"FROM scratch
ADD $tls/a.txt /x
ADD $URL/to?$tls/b /y"
	layer root 2
	same "$(content y)" sub
	fails root 4 "a redirect from https to '$URL/b', which is not" <<<"FROM scratch
ADD $tls/to?$URL/b /x"
	fails root 4 "a redirect from https to '$URL/b', which is not" <<<"FROM scratch
ADD $URL/to?$tls/to?$URL/b /x"
}

@test "bodies that end too soon, never, or in nonsense" {
	need_root
	fails root 4 "get '$URL/short': " <<<"FROM scratch
ADD $URL/short /x"
	fails root 4 "get '$URL/broken-chunk': " <<<"FROM scratch
ADD $URL/broken-chunk /x"
	IMGBUILD_FETCH_MAX_BYTES=3000000 fails root 4 "get '$URL/endless': more than 3000000 bytes" <<<"FROM scratch
ADD $URL/endless /x"
	fails root 4 "get '$URL/endless-header': " <<<"FROM scratch
ADD $URL/endless-header /x"
	IMGBUILD_FETCH_TIMEOUT=2 fails root 4 "get '$URL/slow': nothing, or nearly nothing, came for 2 seconds" <<<"FROM scratch
ADD $URL/slow /x"
	fails root 4 "get 'http://127.0.0.1:1/x': " <<<"FROM scratch
ADD http://127.0.0.1:1/x /x"
	IMGBUILD_FETCH_TIMEOUT=soon fails root 2 "IMGBUILD_FETCH_TIMEOUT 'soon'" <<<"FROM scratch
ADD $URL/b /timeout"
}

@test "a fetch is stopped by Ctrl-C, with all that it started" {
	need_root
	printf 'FROM scratch\nADD %s/slow /x\n' "$URL" >"$CTX/Buildfile"
	IMGBUILD_ROOT=$ROOT_STORE imgbuild -t test "$CTX" 2>"$T/err" 3>&- &
	local pid=$!
	for _ in $(seq 100); do
		! grep -q /slow "$SRV/log" || break
		sleep 0.1
	done
	started=$(pgrep -P "$pid")
	[ -n "$started" ]
	# what is on the network has nothing to lose
	grep -qE '^NoNewPrivs:\s+1$' "/proc/$(pgrep -P "$pid" -x fetch)/status"
	for set in CapInh CapPrm CapEff CapBnd CapAmb; do
		grep -qE "^$set:\s+0+$" "/proc/$(pgrep -P "$pid" -x fetch)/status"
	done
	kill -TERM "$pid"
	status=0
	wait "$pid" || status=$?
	same "$status" 130
	assert_store_idle "$ROOT_STORE"
	for p in $started; do [ ! -e "/proc/$p" ]; done
}

# ---- credentials ----

secrets() {
	build "$1" <<<"FROM scratch
ARG P=s3cr3t
ADD http://me:s3cr3t@$HOST/private /x
ADD http://me:\$P@$HOST/private /y"
	layer "$1" 1
	same "$(content x)" private
	[[ $OUTPUT != *me:s3cr3t* ]]
	not grep -q me: "$CONFIG"
	fails "$1" 4 "get '$URL/status/404'" <<<"FROM scratch
ADD http://me:s3cr3t@$HOST/status/404 /x"
	[[ $OUTPUT != *s3cr3t* ]]
	fails "$1" 4 "get '$URL/private': HTTP status 401" <<<"FROM scratch
ADD http://me:wr0ng@$HOST/private /x"
	[[ $OUTPUT != *wr0ng* ]]
	not grep -rqsE 'me:s3|wr0ng' "$ROOT_STORE/cache" "$ROOT_STORE/blobs" "$ROOT_STORE/store.db" "$USER_STORE"
}
# CVE-2023-26054
@test "user and password of a URL are used, and told to nobody (root)" { need_root; secrets root; }
@test "user and password of a URL are used, and told to nobody (user)" { need_user; secrets user; }

# CVE-2020-15157
@test "a redirect to another server gets no password" {
	need_root
	build root <<<"FROM scratch
ADD http://me:s3cr3t@$HOST/to?$OTHER/a.txt /x"
	same "$(awk '{ print $2, $5 }' "$SRV/log" | tail -1)" "/a.txt -"
	grep -q "^GET /to?$OTHER/a.txt 307 .* Basic " "$SRV/log"
	fails root 4 "HTTP status 401" <<<"FROM scratch
ADD http://me:s3cr3t@$HOST/to?http://me:s3cr3t@${OTHER#http://}/private /y"
	build root <<<"FROM scratch
ADD http://me:s3cr3t@$HOST/to?/private /z"
}

# ---- git ----

git_add() {
	build "$1" <<<"FROM scratch
ADD $URL/git/r.git /main
ADD $URL/git/r.git#v1 /v1
ADD $URL/git/r.git#dev:dir /dir
ADD $URL/git/r.git?branch=dev&subdir=in /in"
	layer "$1" 1
	same "$(content main/file)" two
	same "$(names)" "main/ main/Buildfile main/dir/ main/dir/Buildfile main/dir/deep/ main/dir/deep/f main/dir/run main/file main/in main/linked/ main/linked/Buildfile main/out main/up "
	same "$(entry main/file)" "-rw-r--r-- 0/0 4 2020-09-13 12:26:40"
	same "$(entry main/dir/run)" "-rwxr-xr-x 0/0 10 2020-09-13 12:26:40"
	same "$(entry main/dir/)" "drwxr-xr-x 0/0 0 2020-09-13 12:26:40"
	layer "$1" 2
	same "$(content v1/file)" one
	layer "$1" 3
	same "$(names)" "dir/ dir/Buildfile dir/deep/ dir/deep/f dir/run "
	layer "$1" 4
	same "$(names)" "in/ in/Buildfile in/deep/ in/deep/f in/run "
}
@test "git: branches, tags, directories (root)" { need_root; git_add root; }
@test "git: branches, tags, directories (user)" { need_user; git_add user; }

@test "git: a commit, from a server with and without git, with its checksum" {
	need_root
	local first dev
	first=$(git -C "$T/r" rev-parse 'v1^{commit}')
	dev=$(git -C "$T/r" rev-parse dev)
	build root <<<"FROM scratch
ADD $URL/git/r.git#$first /a
ADD $URL/dumb.git#$first /b
ADD --checksum=${dev:0:10} $URL/dumb.git#dev /c
ADD $URL/git/r.git?commit=$dev /d"
	layer root 1
	same "$(content a/file)" one
	layer root 2
	same "$(content b/file)" one
	layer root 3
	same "$(content c/file)" dev
	layer root 4
	same "$(content d/file)" dev
	fails root 3 "'$URL/git/r.git#dev' is at commit $dev, and $first is asked for" <<<"FROM scratch
ADD --checksum=$first $URL/git/r.git#dev /x"
	fails root 4 "git repository '$URL/git/r.git': " <<<"FROM scratch
ADD $URL/git/r.git#0123456789012345678901234567890123456789 /x"
}

@test "git: the same commit is the same step, whatever the name; --keep-git-dir is not" {
	need_root
	local main
	main=$(git -C "$T/r" rev-parse main)
	build root <<<"FROM scratch
ADD $URL/git/r.git /x"
	build root <<<"FROM scratch
ADD $URL/git/r.git#refs/heads/main /x"
	same "$(grep -c CACHED <<<"$OUTPUT")" 1
	: >"$SRV/log"
	build root <<<"FROM scratch
ADD $URL/git/r.git#$main /x"
	same "$(grep -c CACHED <<<"$OUTPUT")" 1
	same "$(requests)" ""
	build root <<<"FROM scratch
ADD --keep-git-dir $URL/git/r.git /x"
	layer root 1
	tar -tf "$LAYER" x/.git/HEAD
	mkdir "$T/kept"
	tar -C "$T/kept" -xf "$LAYER"
	same "$(git -c safe.directory='*' -C "$T/kept/x" rev-parse HEAD)" "$main"
	same "$(git -c safe.directory='*' -C "$T/kept/x" status --porcelain)" ""
}

git_errors() {
	fails "$1" 3 "Buildfile:2:" "git repository '$URL/git/r.git': it has no branch or tag 'none'" <<<"FROM scratch
ADD $URL/git/r.git#none /x"
	fails "$1" 4 "git repository '$URL/git/none.git': " <<<"FROM scratch
ADD $URL/git/none.git /x"
	fails "$1" 3 "the directory '../../x' would leave the repository" <<<"FROM scratch
ADD $URL/git/r.git#main:../../x /x"
	for dir in out up linked/Buildfile none file; do
		fails "$1" 3 "'$URL/git/r.git#main:$dir': open '$dir': " <<<"FROM scratch
ADD $URL/git/r.git#main:$dir /x"
	done
	fails "$1" 3 "'.git' is not a directory of the repository" <<<"FROM scratch
ADD $URL/git/r.git#main:.git /x"
	fails "$1" 3 "'git@127.0.0.1:r.git' is reached over ssh, and no SSH agent was lent" <<<"FROM scratch
ADD git@127.0.0.1:r.git /x"
	fails "$1" 3 "'file:/" "is not in the context" <<<"FROM scratch
ADD file://$T/r/.git /x"
}
# GHSA-4vrq-3vrq-g6gg
@test "git: what is not there, and what would lead out (root)" { need_root; git_errors root; }
@test "git: what is not there, and what would lead out (user)" { need_user; git_errors user; }

@test "git: a password reaches the server and nothing else" {
	need_root
	build root <<<"FROM scratch
ADD --keep-git-dir http://me:s3cr3t@$HOST/git/private.git /x"
	grep -q "Basic $(printf me:s3cr3t | base64)" "$SRV/log"
	layer root 1
	mkdir "$T/private"
	tar -C "$T/private" -xf "$LAYER"
	not grep -rE 's3cr3t|me:' "$T/private"
	[[ $OUTPUT != *s3cr3t* ]]
	fails root 4 "git repository '$URL/git/private.git': " <<<"FROM scratch
ADD $URL/git/private.git /x"
	fails root 4 "git repository '$URL/git/none.git': " <<<"FROM scratch
ADD http://me:s3cr3t@$HOST/git/none.git /x"
	[[ $OUTPUT != *s3cr3t* ]]
}

@test "git: no configuration or hook of the user's is looked at" {
	need_root
	local home=$T/home
	mkdir -p "$home/template/hooks"
	printf '#!/bin/sh\ntouch %s/hooked\n' "$T" >"$home/template/hooks/post-checkout"
	chmod 755 "$home/template/hooks/post-checkout"
	cat >"$home/.gitconfig" <<E
[init]
	templateDir = $home/template
[core]
	hooksPath = $home/template/hooks
	fsmonitor = "touch $T/hooked; false"
[url "file://$T/r"]
	insteadOf = $URL/git/r.git
[credential]
	helper = "!touch $T/hooked; echo"
E
	export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=core.hooksPath GIT_CONFIG_VALUE_0="$home/template/hooks"
	export HOME=$home GIT_TRACE=$T/trace
	build root --no-cache <<<"FROM scratch
ADD $URL/git/r.git#dev /hooks"
	[ ! -e "$T/hooked" ]
	[ ! -e "$T/trace" ]
	grep -q /git/r.git/git-upload-pack "$SRV/log"
}

@test "git: submodules unless they are not wanted, and none from the disk" {
	need_root
	build root <<<"FROM scratch
ADD $URL/git/m.git?submodules=false /m
ADD $URL/git/m.git /s"
	layer root 1
	same "$(names)" "m/ m/.gitmodules m/inner/ "
	layer root 2
	same "$(content s/inner/file)" two
	not grep -q '[.]git/' <<<"$(names)"
	same "$(entry s/inner/file)" "-rw-r--r-- 0/0 4 2020-09-13 12:26:40"
	tar -tf "$LAYER" >"$T/listed"
	not grep -x s/inner/.git "$T/listed"
	fails root 4 "git repository '$URL/git/steals.git': git submodule: " <<<"FROM scratch
ADD $URL/git/steals.git /x"
}

@test "git: an endless pack stops at the limit" {
	need_root
	IMGBUILD_FETCH_MAX_BYTES=100 fails root 4 "git repository '$URL/git/r.git': " <<<"FROM scratch
ADD $URL/git/r.git#dev:dir/deep /limit"
}

@test "git is not installed" {
	need_root
	mkdir "$T/bin"
	printf 'FROM scratch\nADD %s/git/r.git /nogit\n' "$URL" >"$CTX/Buildfile"
	status=0
	OUTPUT=$(PATH=$T/bin IMGBUILD_ROOT=$ROOT_STORE "$top_builddir/imgbuild" "$CTX" 2>&1) || status=$?
	echo "$OUTPUT"
	[ "$status" = 5 ]
	[[ $OUTPUT == *"git is not installed"* ]]
}

# ---- contexts ----

# from WHO CONTEXT [OPTIONS…]: builds it, stdin is handed on
from() {
	local who=$1 context=$2
	shift 2
	status=0
	OUTPUT=$(cd / && as "$who" imgbuild -t test "$@" "$context" 2>&1 >"$T/id") || status=$?
	echo "$OUTPUT"
	return "$status"
}
# from_fails WHO STATUS CONTEXT TEXT…
from_fails() {
	local who=$1 want=$2 context=$3 text store=$ROOT_STORE
	shift 3
	[ "$who" = root ] || store=$USER_STORE
	not from "$who" "$context" </dev/null
	same "$status" "$want"
	for text in "$@"; do [[ $OUTPUT == *"$text"* ]] || { echo "not said: $text"; return 1; }; done
	assert_store_idle "$store"
}

git_context() {
	from "$1" "$URL/git/r.git"
	layer "$1" 1
	same "$(content from-git)" two
	same "$(entry from-git)" "-rw-r--r-- 0/0 4 2020-09-13 12:26:40"
	from "$1" "$URL/git/r.git#v1"
	layer "$1" 1
	same "$(content from-git)" one
	from "$1" "$URL/git/r.git#dev:dir"
	layer "$1" 1
	same "$(content from-dir)" deep
	from "$1" "$URL/dumb.git#:in"
	layer "$1" 1
	same "$(content from-dir)" deep
	from "$1" "$URL/git/r.git" -f dir/run && return 1
	[[ $OUTPUT == *"dir/run: the file has no instructions"* ]]
	from "$1" "$URL/git/r.git" -f - <<<"FROM scratch
COPY dir/deep /"
	layer "$1" 1
	same "$(names)" "f "
	assert_store_idle "$([ "$1" = root ] && echo "$ROOT_STORE" || echo "$USER_STORE")"
}
@test "a git repository is the context (root)" { need_root; git_context root; }
@test "a git repository is the context (user)" { need_user; git_context user; }

git_context_attacks() {
	from_fails "$1" 3 "$URL/git/r.git#main:linked" "there is no Buildfile, Containerfile or Dockerfile in '$URL/git/r.git#main:linked'"
	for dir in out up none; do
		from_fails "$1" 3 "$URL/git/r.git#main:$dir" "'$URL/git/r.git#main:$dir': open '$dir': "
	done
	from_fails "$1" 3 "$URL/git/r.git#main:../x" "the directory '../x' would leave the repository"
	from_fails "$1" 3 "$URL/git/r.git#none" "it has no branch or tag 'none'"
	from_fails "$1" 3 "http://me:s3cr3t@$HOST/git/r.git#main:linked" "there is no Buildfile"
	not grep -q s3cr3t <<<"$OUTPUT"
	# the links are in the context, and lead nowhere but there
	not from "$1" "$URL/git/r.git" -f - <<<"FROM scratch
COPY out/passwd /"
	same "$status" 3
	not from "$1" "$URL/git/r.git" -f up/../../../../etc/passwd </dev/null
	same "$status" 5
	[[ $OUTPUT == *"No such file"* ]]
}
# GHSA-49p4-px3h-rq49
@test "a git repository as context: nothing leads out of it (root)" { need_root; git_context_attacks root; }
@test "a git repository as context: nothing leads out of it (user)" { need_user; git_context_attacks user; }

make_context_tar() {
	mkdir -p "$T/tarred"
	printf 'FROM scratch\nCOPY . /\n' >"$T/tarred/Buildfile"
	printf 'Buildfile\n.dockerignore\nno\n' >"$T/tarred/.dockerignore"
	echo yes >"$T/tarred/yes"
	echo no >"$T/tarred/no"
	tar -C "$T/tarred" -czf "$SRV/files/context.tar.gz" .
	printf 'FROM scratch\nCOPY <<X /text\nhi\nX\n' >"$SRV/files/recipe"
}
url_context() {
	make_context_tar
	from "$1" "$URL/context.tar.gz"
	layer "$1" 1
	same "$(names)" "yes "
	from "$1" "$URL/recipe"
	layer "$1" 1
	same "$(content text)" hi
	from_fails "$1" 4 "$URL/status/404" "imgbuild: get '$URL/status/404': HTTP status 404"
	not from "$1" "$URL/recipe" -f other
	same "$status" 2
	[[ $OUTPUT == *"'$URL/recipe' is a Buildfile, and '--file other' names another"* ]]
}
@test "an archive or a Buildfile behind a URL is the context (root)" { need_root; url_context root; }
@test "an archive or a Buildfile behind a URL is the context (user)" { need_user; url_context user; }

@test "an archive that would write elsewhere is no context" {
	need_root
	python3 - "$SRV/files/evil.tar" <<'E'
import io, sys, tarfile
with tarfile.open(sys.argv[1], 'w') as t:
    for name in ('Buildfile', '../escaped'):
        data = b'FROM scratch\n'
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        t.addfile(entry, io.BytesIO(data))
E
	from_fails root 3 "$URL/evil.tar" "../escaped"
	[ -z "$(find "$ROOT_STORE" "$T" -name escaped)" ]
}

@test "named contexts from git and from an archive" {
	need_root
	make_context_tar
	printf 'FROM scratch\nCOPY --from=r dir/run /run\nCOPY --from=a yes no /a/\n' >"$CTX/Buildfile"
	sed -i 's/ no / /' "$CTX/Buildfile"
	from root "$CTX" --build-context "r=$URL/git/r.git#dev" --build-context "a=$URL/context.tar.gz"
	layer root 2
	same "$(names)" "a/ a/yes "
	not from root "$CTX" --build-context "r=$URL/git/r.git" --build-context "a=$URL/recipe"
	same "$status" 3
	[[ $OUTPUT == *"--build-context a: '$URL/recipe' is not an archive"* ]]
}

@test "a source policy: URLs and repositories, in ADD and as contexts" {
	need_root
	local sum first
	sum=$(sha256sum <"$SRV/files/a.txt" | cut -d' ' -f1)
	first=$(git -C "$T/r" rev-parse "v1^{commit}")
	# denied CONTEXT TEXT: by the policy that there is
	denied() {
		not from root "$1" --source-policy-file "$T/policy"
		same "$status" 3
		[[ $OUTPUT == *"$2"* ]]
		assert_store_idle "$ROOT_STORE"
	}
	policy() { printf '{ "rules": [ %s ] }\n' "$1" >"$T/policy"; }
	policy '{ "action": "DENY", "selector": { "identifier": "http://*" } }'
	printf 'FROM scratch\nADD %s /x\n' "$URL/a.txt" >"$CTX/Buildfile"
	denied "$CTX" "Buildfile:2:1: ADD: the source policy denies '$URL/a.txt'"
	denied "$URL/x.tar.gz" "the source policy denies '$URL/x.tar.gz'"
	# what is denied is not asked for
	not grep -q 'GET' "$SRV/log"
	policy '{ "action": "CONVERT", "selector": { "identifier": "'"$URL"'/a.txt" }, "updates": { "identifier": "'"$URL"'/b" } }'
	from root "$CTX" --source-policy-file "$T/policy"
	layer root 1
	same "$(content x)" sub
	policy '{ "action": "CONVERT", "selector": { "identifier": "'"$URL"'/*" }, "updates": { "attrs": { "http.checksum": "sha256:'"$sum"'" } } }'
	from root "$CTX" --source-policy-file "$T/policy"
	printf 'FROM scratch\nADD %s /x\n' "$URL/b" >"$CTX/Buildfile"
	denied "$CTX" "and sha256:$sum is asked for"
	printf 'FROM scratch\nADD --checksum=sha256:%064d %s /x\n' 0 "$URL/b" >"$CTX/Buildfile"
	denied "$CTX" "the source policy demands another --checksum"
	printf 'FROM scratch\nADD %s /x\n' "$URL/git/r.git#main" >"$CTX/Buildfile"
	policy '{ "action": "DENY", "selector": { "identifier": "git://'"$HOST"'/git/r.git#main" } }'
	denied "$CTX" "the source policy denies 'git://$HOST/git/r.git#main'"
	policy '{ "action": "CONVERT", "selector": { "identifier": "git://*#main" }, "updates": { "identifier": "git://${1}#v1:dir" } }'
	from root "$CTX" --source-policy-file "$T/policy"
	layer root 1
	same "$(names)" "x/ x/Buildfile x/deep/ x/deep/f x/run "
	policy '{ "action": "CONVERT", "selector": { "identifier": "git://*" }, "updates": { "attrs": { "git.checksum": "'"$first"'" } } }'
	denied "$URL/git/r.git" "and $first is asked for"
	from root "$URL/git/r.git#v1" --source-policy-file "$T/policy"
	policy '{ "action": "CONVERT", "selector": { "identifier": "git://*" }, "updates": { "identifier": "git://example.org/r.git" } }'
	denied "$URL/git/r.git" "which cannot be"
}
