#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The house rules that grep can hold: includes go down or stay, one library one room,
# no file called utils, an SPDX line everywhere.
set -u
cd "${top_srcdir:?}" || exit 99
shopt -s globstar nullglob

declare -A below=(
	[common]="common"
	[layers]="layers common"
	[storage]="storage layers common"
	[fuse-overlay]="fuse-overlay layers common"
	[sandbox]="sandbox storage layers common"
	[registry]="registry storage layers common"
	[builder]="builder registry sandbox storage layers common"
)
n=0
ok() { n=$((n + 1)); echo "ok $n - $1"; }
not_ok() { n=$((n + 1)); echo "not ok $n - $1"; sed 's/^/# /' <<<"$2"; }
verdict() { if [ -z "$2" ]; then ok "$1"; else not_ok "$1" "$2"; fi; }

for room in common layers storage fuse-overlay sandbox registry builder; do
	bad=
	for file in "$room"/*.[ch]; do
		while IFS=: read -r line text; do
			target=${text#*\"}
			target=${target%%/*}
			case " ${below[$room]} " in
			*" $target "*) ;;
			*) bad+="$file:$line: $text"$'\n' ;;
			esac
		done < <(grep -n '^#include "' "$file")
	done
	verdict "$room includes only itself and what is below" "$bad"
done

# library header -> the files that may know it
room_of() { # room_of HEADER ALLOWED-REGEX
	local bad
	bad=$(grep -nE "#include <$1" -- */*.[ch] | grep -vE "^($2)" || true)
	verdict "$1 is known to its room alone" "$bad"
}
room_of 'archive' 'layers/(unpack|tarindex)[a-z-]*\.[ch]:'
room_of 'openssl/' 'common/digest\.c:'
room_of '(isa-l|igzip|zlib|zstd|bzlib|lzma)' 'layers/codec[a-z0-9-]*\.[ch]:'
room_of 'jansson' 'common/json[a-z-]*\.c:'
room_of 'sqlite3' 'storage/db[a-z-]*\.[ch]:'
room_of 'seccomp\.h' '(sandbox/seccomp[a-z-]*\.[ch]|tests/)'
room_of 'curl/' 'registry/(transport-[a-z-]+|courier[a-z-]*|url)\.[ch]:'
room_of 'fuse' 'fuse-overlay/'

verdict "outside libraries stay out of public headers" \
	"$(grep -lE '#include <(archive|openssl|isa-l|zlib|zstd|jansson|sqlite3|seccomp\.h|curl)' -- */*.h | grep -v -- '-internal\.h' || true)"
verdict "no file is called utils" \
	"$(find common layers storage fuse-overlay sandbox registry builder tests -name '*util[s.]*')"
verdict "every C file names its licence first" \
	"$(for f in {common,layers,storage,fuse-overlay,sandbox,registry,builder}/*.[ch] tests/**/*.[ch]; do head -1 "$f" | grep -q 'SPDX-License-Identifier: Apache-2.0' || echo "$f"; done)"
verdict "no file is longer than 800 lines" "$(wc -l -- {common,layers,storage,fuse-overlay,sandbox,registry,builder,tests}/*.[ch] | awk '$2 != "total" && $1 > 800')"
verdict "names from outside are opened by beneath alone" \
	"$(grep -nE '\bopenat2\b' -- */*.c | grep -vE '^(common/beneath|sandbox/(program|perform|mountfd|seccomp-table|supervise)|tests/no-openat2)' || true)"

# What errexit does not look at: a negation, and all of "a && b" but the last. Quoted commands are other shells' affair.
verdict "a command that must fail is given to not, for '! CMD' alone never fails a test" \
	"$(grep -nE '^\s+! ' -- tests/*.ba{ts,sh} | grep -vF '||')"
verdict "assertions stand one by one, for when the first half of 'a && b' is false the test goes on" \
	"$(grep -nE '^\s+(\[|\[\[|same|exported|layer|build|as) ' -- tests/*.ba{ts,sh} | sed "s/'[^']*'//g" | grep -E ' && [^{]' |
		grep -vE '\|\||&& (break|continue|return|exit)\b|\$\(cd ')"
echo "1..$n"
