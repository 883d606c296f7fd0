# SPDX-License-Identifier: Apache-2.0
# Shared by the files rules-*.bats, which prove the language rule by rule (load rules): a row for each, named by the
# rule's number where it has one. A row builds a few lines and looks at the image, or at the error. What the steps
# see of it as root and as an ordinary user is the other files' business: here one of the two does.

load lib

setup_file() {
	command -v jq >/dev/null || skip "needs jq"
	make_scratch
	if is_root; then WHO=root; else WHO=user; fi
	export WHO
	busybox_tar "$T/bb.tar"
	chmod 644 "$T/bb.tar"
	as "$WHO" imgstore import "$T/bb.tar" localhost/bb >&2
}
teardown_file() {
	[ ! -e "$T/server.pid" ] || kill "$(cat "$T/server.pid")" || true
	remove_scratch
}
setup() {
	CTX=$(mktemp -d "$T/ctx.XXXXXX")
	chmod 755 "$CTX"
	cd "$CTX" || return 1
	echo file >f
	mkdir d
	echo deep >d/g
}

# image OPTION…: the Buildfile is on stdin; the image is "test". May stand in a pipe: messages are kept in a file
image() {
	cat >Buildfile
	as "$WHO" imgbuild --progress=plain -t test "$@" . >"$T/messages" 2>&1 || {
		cat "$T/messages"
		return 1
	}
}
said() { grep -q "$@" "$T/messages" || { cat "$T/messages"; return 1; }; }
# refused PATTERN…: the Buildfile is on stdin, status 3, one error that has each of the patterns
refused() {
	local pattern
	cat >Buildfile
	run as "$WHO" imgbuild --progress=quiet .
	echo "status $status: $output"
	[ "$status" = 3 ]
	for pattern in "$@"; do
		[[ $output == *"$pattern"* ]] || { echo "not said: $pattern"; return 1; }
	done
}
same() { [ "$1" = "$2" ] || { printf 'got:    %q\nwanted: %q\n' "$1" "$2"; return 1; }; }
# config FILTER WANT: of the image's Config
config() { same "$(as "$WHO" imgstore inspect test | jq -c ".[0].Config$1")" "$2"; }
env_is() { config ".Env | map(select(startswith(\"$1=\"))) | .[]" "$(jq -cn --arg v "$1=$2" '$v')"; }
no_env() { config ".Env | map(select(startswith(\"$1=\")))" '[]'; }
layer_count() { as "$WHO" imgstore inspect test | jq '.[0].RootFS.Layers | length'; }
layer() { as "$WHO" imgstore inspect test | jq -re ".[0].RootFS.Layers[$1]" || echo "no layer $1"; }
# "empty_layer created_by", a line for each entry, the first step first
history() { as "$WHO" imgstore history --no-trunc --format json test | jq -r 'if type == "array" then reverse[] else . end | .CreatedBy'; }
warns() { said "^ - $1: .*(line $2)\$"; }
silent() { not grep "^ - $1: " "$T/messages"; }
# cached N: of the steps of the last build N were found
cached() { same "$(grep -c ' CACHED$' "$T/messages")" "$1" || { cat "$T/messages"; return 1; }; }
# server: tests/fetch-server.py at $URL with files/ and git/ in $SRV; ends with the file's last test
server() {
	SRV=$T/srv
	[ -e "$SRV/port" ] || {
		mkdir -p "$SRV/files" "$SRV/git"
		python3 "$top_srcdir/tests/fetch-server.py" "$SRV" >&2 2>"$T/server.err" 3>&- &
		echo $! >"$T/server.pid"
		for _ in $(seq 100); do [ ! -e "$SRV/port" ] || break; sleep 0.1; done
	}
	URL=http://127.0.0.1:$(cat "$SRV/port")
}
# repository: $URL/git/r.git with f, d/g and a Buildfile that copies all to /c; branches main and same
repository() {
	export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=n GIT_AUTHOR_EMAIL=e GIT_COMMITTER_NAME=n GIT_COMMITTER_EMAIL=e
	[ ! -e "$SRV/git/r.git" ] || return 0
	git -c init.defaultBranch=main init -q r
	cp -r d f r/
	printf 'FROM localhost/bb\nCOPY . /c\n' >r/Buildfile
	git -C r add .
	git -C r commit -qm 1
	git -C r branch same
	git clone -q --bare r "$SRV/git/r.git"
}
