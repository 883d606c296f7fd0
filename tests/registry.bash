# SPDX-License-Identifier: Apache-2.0
# Registries on 127.0.0.1 (load lib and make_scratch first): Debian's docker-registry in five kinds, and our own that
# misbehaves. Each has its state in $T/registry/NAME and a free port.
#
#   registry_start NAME KIND   KIND: plain, tls, client (TLS, and demands a client's certificate), htpasswd (TLS),
#                              token (plain, with tests/registry-token.py as the one who gives tokens)
#   bad_registry_start NAME    tests/registry-bad.py, see there; bad_registry_rules NAME JSON, bad_registry_log NAME FILTER
#   registry_of NAME           its HOST:PORT
#   registry_stop NAME, registry_stop_all
#
# User and password are "alice" and "secret pass:word" everywhere. The CA is $T/registry/ca.crt; $T/registry/certs and
# $T/registry/client-certs are what --cert-dir wants, the second with the client's pair.

REGISTRY_USER=alice
REGISTRY_PASSWORD='secret pass:word'

need_registry() { command -v docker-registry >/dev/null || skip "docker-registry is not installed"; }

# registry_cert NAME SUBJECT EXTENSION: signed by our CA
registry_cert() {
	local d=$T/registry
	openssl req -newkey rsa:2048 -nodes -subj "/CN=$2" -keyout "$d/$1.key" -out "$d/$1.csr" 2>/dev/null
	openssl x509 -req -in "$d/$1.csr" -CA "$d/ca.crt" -CAkey "$d/ca.key" -CAcreateserial -days 2 -out "$d/$1.crt" \
		-extfile <(printf '%s\n' "$3") 2>/dev/null
}

# The keys of all servers, made once.
registry_keys() {
	local d=$T/registry
	[ ! -e "$d/keys-made" ] || return 0
	mkdir -p "$d/certs" "$d/client-certs"
	openssl req -x509 -newkey rsa:2048 -nodes -subj "/CN=test CA" -days 2 -keyout "$d/ca.key" -out "$d/ca.crt" 2>/dev/null
	registry_cert server 127.0.0.1 "subjectAltName=IP:127.0.0.1,DNS:localhost"
	registry_cert client "a client" "extendedKeyUsage=clientAuth"
	openssl req -x509 -newkey rsa:2048 -nodes -subj "/CN=tokens" -days 2 -keyout "$d/token.key" -out "$d/token.crt" 2>/dev/null
	cat "$d/server.key" "$d/server.crt" >"$d/server.pem"
	cp "$d/ca.crt" "$d/certs/"
	cp "$d/ca.crt" "$d/client-certs/"
	cp "$d/client.crt" "$d/client-certs/client.cert"
	cp "$d/client.key" "$d/client-certs/client.key"
	# the ordinary user reads them too
	chmod -R a+rX "$d"
	chmod a+r "$d/client-certs/client.key"
	python3 -W ignore -c 'import crypt, sys; print(sys.argv[1] + ":" + crypt.crypt(sys.argv[2], crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))' \
		"$REGISTRY_USER" "$REGISTRY_PASSWORD" >"$d/passwords"
	: >"$d/keys-made"
}

# wait_for FILE PATTERN: the first match of the sed expression's group in what a server says
registry_wait_for() {
	local i found
	for i in $(seq 150); do
		found=$(sed -nE "$2" "$1" 2>/dev/null | head -1)
		[ -z "$found" ] || { echo "$found"; return 0; }
		sleep 0.1
	done
	tail -5 "$1" >&2
	return 1
}

# registry_kind KIND: the part of the configuration that differs
registry_kind() {
	local d=$T/registry
	case $1 in
	tls | client | htpasswd) printf '  tls:\n    certificate: %s/server.crt\n    key: %s/server.key\n' "$d" "$d" ;;
	esac
	case $1 in
	client) printf '    clientcas: [%s/ca.crt]\n' "$d" ;;
	htpasswd) printf 'auth:\n  htpasswd: {realm: test, path: %s/passwords}\n' "$d" ;;
	token) printf 'auth:\n  token: {realm: "%s", service: test-registry, issuer: test-issuer, rootcertbundle: %s/token.crt}\n' "$2" "$d" ;;
	esac
}

registry_start() {
	local name=$1 kind=$2 d=$T/registry/$1 realm=
	registry_keys
	mkdir -p "$d"
	if [ "$kind" = token ]; then
		python3 "$top_srcdir/tests/registry-token.py" "$T/registry" "$d" >"$d/token.out" 2>&1 3>&- 4>&- </dev/null &
		echo $! >"$d/token.pid"
		realm=$(registry_wait_for "$d/token.out" 's/^realm (.*)$/\1/p') || return 1
	fi
	{
		printf 'version: 0.1\nlog: {level: info, accesslog: {disabled: false}}\n'
		printf 'storage:\n  filesystem: {rootdirectory: %s/data}\n  delete: {enabled: true}\n' "$d"
		printf 'http:\n  addr: 127.0.0.1:%s\n  secret: s\n' "${REGISTRY_PORT:-0}"
		registry_kind "$kind" "$realm"
	} >"$d/config.yml"
	docker-registry serve "$d/config.yml" >"$d/log" 2>&1 3>&- 4>&- </dev/null &
	echo $! >"$d/pid"
	registry_wait_for "$d/log" 's/.*listening on (127\.0\.0\.1:[0-9]+).*/\1/p' >"$d/host"
}

bad_registry_start() {
	local d=$T/registry/$1
	registry_keys
	mkdir -p "$d"
	python3 "$top_srcdir/tests/registry-bad.py" "$T/registry" "$d" >"$d/out" 2>&1 3>&- 4>&- </dev/null &
	echo $! >"$d/pid"
	registry_wait_for "$d/out" 's/^host (.*)$/\1/p' >"$d/host"
}
# Its log lacks no line of what was answered already.
bad_registry_quiet() { curl -s --noproxy '*' "http://$(registry_of "$1")/quiet"; }
# bad_registry_rules NAME JSON: from now on; "OTHER" and "TLS" stand for those doors' HOST:PORT
bad_registry_rules() {
	local d=$T/registry/$1
	bad_registry_quiet "$1"
	printf '%s\n' "$2" | sed -e "s/OTHER/$(bad_registry_door "$1" other)/g; s/TLS/$(bad_registry_door "$1" tls)/g" >"$d/rules.new"
	mv "$d/rules.new" "$d/rules.json"
	: >"$d/log"
	: >"$d/hellos"
}
# bad_registry_door NAME other|tls: its HOST:PORT
bad_registry_door() { sed -n "s/^$2 //p" "$T/registry/$1/out"; }
# bad_registry_log NAME FILTER: what was asked of it, by jq
bad_registry_log() { bad_registry_quiet "$1" && jq -r "$2" "$T/registry/$1/log"; }

registry_of() { cat "$T/registry/$1/host"; }

registry_stop() {
	local f pid
	for f in "$T/registry/$1/pid" "$T/registry/$1/token.pid"; do
		[ -e "$f" ] || continue
		pid=$(cat "$f")
		rm "$f"
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
}
registry_stop_all() {
	local f
	for f in "$T"/registry/*/pid; do
		[ ! -e "$f" ] || registry_stop "$(basename "$(dirname "$f")")"
	done
}
