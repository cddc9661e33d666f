#!/bin/sh
# Usage: scripts/prepare_engine.sh
#
# Makes sure that a Docker Engine answers. Where one does, nothing happens and
# nothing is said. Otherwise, for root on Debian or Ubuntu, it is installed and
# started; it stays in the background.
set -eu

log=/var/log/lambdabuild-dockerd.log

say() { echo "engine: $*" >&2; }

# The CLI on PATH may be broken or somebody's wrapper; Debian's is the second.
answers() {
    for docker in docker /usr/bin/docker; do
        timeout 20 "$docker" info >/dev/null 2>&1 && return
    done
    return 1
}

quietly() {
    if ! "$@" >"$output" 2>&1; then
        tail -n 30 "$output" >&2
        say "failed: $*"
        exit 1
    fi
}

install_engine() {
    say "installing docker.io"
    output=$(mktemp)
    trap 'rm -f "$output"' EXIT
    export DEBIAN_FRONTEND=noninteractive
    quietly apt-get -o DPkg::Lock::Timeout=60 update
    quietly apt-get -o DPkg::Lock::Timeout=60 install -y docker.io iproute2
}

start_engine() {
    say "starting dockerd, log in $log"
    if [ -d /run/systemd/system ]; then
        systemctl start docker >"$log" 2>&1 || true
    else
        setsid dockerd >"$log" 2>&1 </dev/null &
    fi
    deadline=$(($(date +%s) + 60))
    until answers; do
        if [ "$(date +%s)" -ge "$deadline" ]; then
            tail -n 20 "$log" >&2
            say "dockerd does not answer after 60 s"
            exit 1
        fi
        sleep 0.5
    done
}

# An engine of this machine whose bridge was removed under it starts containers
# that reach nobody.
restore_bridge() {
    [ "$(id -u)" = 0 ] && [ -s /run/docker.pid ] && kill -0 "$(cat /run/docker.pid)" 2>/dev/null || return 0
    [ ! -e /sys/class/net/docker0 ] || return 0
    # shellcheck disable=SC2016,SC2046  # a Go template; two or three words
    set -- $("$docker" network inspect bridge --format '{{with index .IPAM.Config 0}}
        {{index $.Options "com.docker.network.bridge.name"}} {{.Subnet}} {{.Gateway}}{{end}}')
    [ "${1-}" = docker0 ] || return 0
    gateway=${3:-${2%.*}.1}
    say "docker0 is gone, restoring it"
    ip link add docker0 type bridge
    ip addr add "$gateway/${2#*/}" brd + dev docker0
    ip link set docker0 up
}

if answers; then
    restore_bridge
    exit 0
fi
if [ -n "${DOCKER_HOST:-}" ]; then
    say "no Docker Engine answers at DOCKER_HOST=$DOCKER_HOST: start it, or unset DOCKER_HOST"
    exit 1
fi
if [ "$(id -u)" != 0 ] || ! grep -qsE '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release; then
    say "no Docker Engine answers: start Docker (Desktop), or install it: https://docs.docker.com/engine/install/"
    exit 1
fi
command -v dockerd >/dev/null || install_engine
answers || start_engine
restore_bridge
