#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A Debian with packages that have users, setuid and setgid programs and file capabilities of their own: the same
# layers from every rung. What differs because packages were installed at another time is removed by the Buildfile.

bats_require_minimum_version 1.5.0
load lib
load peers
load ladder

setup_file() {
	is_root || return 0
	command -v mmdebstrap >/dev/null || return 0
	DEBIAN_DIR=$(mktemp -d)
	DEBIAN_TAR=${IMGBUILD_TEST_DEBIAN_TAR:-$DEBIAN_DIR/debian.tar}
	if [ ! -s "$DEBIAN_TAR" ]; then
		IMGBUILD_ROOT=$DEBIAN_DIR/none "$top_srcdir/Buildfile-examples/debian/prepare" "$DEBIAN_TAR" >&2 || DEBIAN_TAR=
		chmod -R u+rwX "$DEBIAN_DIR/none" && rm -rf "$DEBIAN_DIR/none"
	fi
	export DEBIAN_TAR DEBIAN_DIR
}
teardown_file() { [ -z "${DEBIAN_DIR-}" ] || rm -rf "$DEBIAN_DIR"; }

setup() {
	ladder_setup
	command -v mmdebstrap >/dev/null || skip "mmdebstrap is not installed"
	[ -s "${DEBIAN_TAR-}" ] || skip "mmdebstrap cannot make a Debian here"
	cp "$DEBIAN_TAR" "$T/context/base.tar"
}
teardown() { ladder_teardown; }

@test "apt-get install, useradd, chown and mknod" {
	cat >"$T/context/Buildfile" <<-'END'
		FROM scratch
		ADD base.tar /
		RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends \
			iputils-ping openssh-client man-db dbus sudo cron \
			&& rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/ldconfig/aux-cache /var/cache/man /var/log/* \
				/var/cache/debconf/*-old /var/lib/dpkg/*-old /etc/*- /etc/machine-id /var/lib/dbus/machine-id
		RUN useradd -m app && mkdir -p /srv/app && touch /srv/app/file && ln -s file /srv/app/link && chown -R app:app /srv/app \
			&& mknod /srv/null c 1 3 && setcap cap_net_bind_service+ep /srv/app/file 2>/dev/null; rm -f /etc/*-
		RUN cp -a /srv /srv2 && tar -C / -cf - srv2 | tar -C /opt -xf - && install -o app -g daemon -m 2755 /bin/true /usr/local/bin/mine
		RUN echo 'app ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/app && su app -s /bin/sh -c 'id >/tmp/su; touch ~/su'
		USER app
		RUN touch ~/mine && mkdir ~/dir && sudo sh -c 'id >/tmp/sudo; touch ~app/by-root' && sudo rm -rf /run/sudo && id >~/id
	END
	grep -q . "$T/context/Buildfile"
	make_outer
	local rungs=(user lone chroot)
	if command -v podman >/dev/null; then
		mkdir "$T/podman-store"
		rungs+=(podman)
	fi
	if command -v dockerd >/dev/null && docker_start; then
		mkdir "$T/docker-store"
		tar -C "$T/outer" -c . | p_docker import - outer >/dev/null
		rungs+=(docker)
	fi
	echo "# rungs: root ${rungs[*]}" >&3
	same_on "${rungs[@]}"
}
