# SPDX-License-Identifier: Apache-2.0
# The real peers, each with a state of its own below $T, so that nothing of the host's is touched.

peers_setup() {
	cat >"$T/containers.conf" <<'E'
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
E
	printf '[storage]\ndriver = "overlay"\nrunroot = "%s/c-run"\ngraphroot = "%s/c-store"\n' "$T" "$T" >"$T/storage.conf"
	printf '{"default":[{"type":"insecureAcceptAnything"}]}\n' >"$T/policy.json"
	export CONTAINERS_CONF=$T/containers.conf CONTAINERS_STORAGE_CONF=$T/storage.conf
}
p_podman() { podman --cgroup-manager cgroupfs --runtime runc --log-level error "$@"; }
p_buildah() { buildah --log-level error "$@"; }
p_skopeo() { skopeo --policy "$T/policy.json" "$@"; }
# Debian's, which brings its own BuildKit, not another one that may be first in PATH
DOCKER=/usr/bin/docker
p_docker() { "$DOCKER" -H "unix://$T/docker/docker.sock" "$@"; }

docker_start() {
	mkdir -p "$T/docker"
	dockerd --iptables=false --ip6tables=false --bridge=none --data-root "$T/docker/data" --exec-root "$T/docker/exec" \
		-H "unix://$T/docker/docker.sock" -p "$T/docker/pid" >"$T/docker/log" 2>&1 3>&- 4>&- </dev/null &
	local i
	for i in $(seq 100); do
		p_docker version >/dev/null 2>&1 && return 0
		sleep 0.2
	done
	tail -5 "$T/docker/log" >&2
	return 1
}
docker_stop() {
	local pid i
	pid=$(cat "$T/docker/pid" 2>/dev/null) || return 0
	kill "$pid" 2>/dev/null || return 0
	for i in $(seq 100); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	not kill -9 "$pid" 2>/dev/null
}
# dockerd leaves the mount of its network namespace, podman that of its store
peers_unmount() {
	local m
	awk -v t="$T/" 'index($5, t) == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r m; do
		umount "$m"
	done
}
