# SPDX-License-Identifier: Apache-2.0
# Shared by the tests of single steps on overlayfs (load overlay, after lib): overlay-step.bash as root and as an ordinary user.

# the kernel's work directories have mode 0, and the ordinary user's files have its subordinate ids
remove_overlay_work() {
	if is_root; then
		rm -rf "$T/user/"*
	else
		unshare -U --map-root-user --map-auto rm -rf "$T/user/"*
	fi
}

# on WHO LOWER STEP [OPTION…]: the lines of the diff in $output
on() {
	local who=$1 place=$T/user/$1.$RANDOM
	shift
	case $who in
	root)
		mkdir "$place"
		(cd "$place" && exec unshare -m bash "$top_srcdir/tests/overlay-step.bash" trusted "$@")
		;;
	user)
		as_user mkdir "$place"
		as_user env top_srcdir="$top_srcdir" top_builddir="$top_builddir" \
			NOT_THE_SAME="${NOT_THE_SAME-}" INIT="${INIT-}" OVERLAY="${OVERLAY-}" ${BUILD_OPTIONS+BUILD_OPTIONS=$BUILD_OPTIONS} \
			unshare -U --map-root-user --map-auto -m bash -c "cd $place && exec bash \"\$@\"" bash \
			"$top_srcdir/tests/overlay-step.bash" user "$@"
		;;
	esac
}

can_user_overlay() {
	have_user && command -v newuidmap >/dev/null &&
		as_user unshare -U --map-root-user --map-auto -m true 2>/dev/null
}

# check LOWER STEP EXPECTED [OPTION…]: as root and as an ordinary user, on each of $OVERLAYS (kernel)
check() {
	local lower=$1 step=$2 expected=$3 who how tried=
	shift 3
	for how in $(for o in ${OVERLAYS-kernel}; do echo $o:root $o:user; done); do
		who=${how#*:}
		if [ $who = root ]; then is_root || continue; fi
		if [ $who = user ]; then can_user_overlay || continue; fi
		OVERLAY=${how%:*} run on $who "$lower" "$step" "$@"
		echo "$how: $output"
		[ "$status" = 0 ]
		[ "$output" = "$expected" ]
		tried=yes
	done
	[ -n "$tried" ] || skip "needs root, or a user with subordinate ids"
}
