#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# every-way.bash NAME LAYOUT DIR TAR…: run in a mount namespace, as (some namespace's) root. Dumps of the tree of an
# image: DIR/made, mounted from the store; DIR/pulled, from another store that pulled LAYOUT;
# DIR/applied, made of the layers' tars by a program that is not ours.
set -eu
name=$1 layout=$2 dir=$3
shift 3
dump() { python3 "$top_srcdir/tests/dump-tree.py" --whole "$1"; }

dump "$(imgstore mount "$name")" >"$dir/made"
imgstore umount "$name"
export IMGBUILD_ROOT=$dir/store
imgpull -q "oci:$layout:latest" "$name" >/dev/null
dump "$(imgstore mount "$name")" >"$dir/pulled"
imgstore umount "$name"
mkdir -m 755 "$dir/tree"
touch -d @0 "$dir/tree"
for tar in "$@"; do python3 "$top_srcdir/tests/apply-layer.py" "$tar" "$dir/tree"; done
dump "$dir/tree" >"$dir/applied"
