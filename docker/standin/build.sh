#!/usr/bin/env bash
# Usage: docker/standin/build.sh VERSION...        (VERSION: 3.11, 3.13, 3.14)
#
# Makes lambdabuild-standin/python:VERSION, which behaves like
# public.ecr.aws/lambda/python:VERSION in our tests on machines that reach no
# image registry. It is Debian and PyPI, not Amazon Linux: its glibc is newer,
# so it accepts wheels that Lambda refuses.
#
# Needs Linux, root, a Docker Engine, and (installed if missing) debootstrap.
# An image made by the very same recipe is left alone.
# DOCKER names the docker CLI, SSL_CERT_FILE a CA bundle for PyPI.
set -euo pipefail
umask 022

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
docker=${DOCKER:-docker}
recipe=$(cd "$here" && sha256sum build.sh make-root.sh provision.sh pins.txt \
    lambda-entrypoint.sh bootstrap bootstrap.py | sha256sum)
recipe=${recipe%% *}

say() { echo "standin: $*" >&2; }
die() {
    say "$*"
    exit 1
}

work=
child=
cleanup() {
    # Its namespaces go with it, and all that was mounted and started in them.
    [[ -z $child ]] || { kill -KILL "$child" && wait "$child"; } 2>/dev/null || true
    [[ -z $work ]] || rm -rf --one-file-system "$work"
    work='' child=''
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Runs a command that a signal interrupts; its output is shown if it fails.
quietly() {
    local status=0
    "$@" >"$work/log" 2>&1 </dev/null 9>&- &
    child=$!
    wait "$child" || status=$?
    child=
    ((status == 0)) && return
    tail -n 30 "$work/log" >&2
    die "failed: $*"
}

is_current() { # IMAGE
    local label='{{index .Config.Labels "dev.lambdabuild.recipe"}}'
    [[ $("$docker" image inspect --format "$label" "$1" 2>/dev/null) == "$recipe" ]]
}

need_debootstrap() {
    [[ $(uname -s) == Linux && $(id -u) == 0 ]] || die "needs root on Linux"
    command -v debootstrap >/dev/null && return
    command -v apt-get >/dev/null || die "needs debootstrap"
    say "installing debootstrap"
    quietly apt-get update
    quietly env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        debootstrap debian-archive-keyring
}

import() { # VERSION IMAGE
    local libraries=/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib
    local note="Stand-in for the AWS Lambda Python $1 image, made for lambdabuild's tests"
    note+=" from Debian and PyPI. Not Amazon Linux, not for production."
    quietly "$docker" import \
        --change 'ENV LANG=en_US.UTF-8' \
        --change 'ENV TZ=:/etc/localtime' \
        --change 'ENV PATH=/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin' \
        --change "ENV LD_LIBRARY_PATH=$libraries:/var/task:/var/task/lib:/opt/lib" \
        --change 'ENV LAMBDA_TASK_ROOT=/var/task' \
        --change 'ENV LAMBDA_RUNTIME_DIR=/var/runtime' \
        --change 'WORKDIR /var/task' \
        --change 'ENTRYPOINT ["/lambda-entrypoint.sh"]' \
        --change 'LABEL dev.lambdabuild.standin=true' \
        --change "LABEL dev.lambdabuild.recipe=$recipe" \
        --change "LABEL org.opencontainers.image.description=\"$note\"" \
        "$work/root.tar" "$2"
}

build() { # VERSION
    local image=lambdabuild-standin/python:$1 mirror start=$SECONDS
    if is_current "$image"; then return; fi
    # One build at a time; the one before may have made this very image.
    flock 9
    if is_current "$image"; then return; fi
    say "building $image, about a minute"
    work=$(mktemp -d "${TMPDIR:-/tmp}/lambdabuild-standin.XXXXXX")
    need_debootstrap
    # The machine's own Debian mirror; without one, debootstrap knows another.
    # shellcheck disable=SC2016  # these are apt's variables
    mirror=$(apt-get indextargets --format '$(REPO_URI)' \
        'Origin: Debian' 'Label: Debian' 2>/dev/null | sed -n 1p) || mirror=
    quietly unshare --mount --pid --fork --kill-child --mount-proc -- \
        "$here/make-root.sh" "$1" "$work" "$mirror"
    import "$1" "$image"
    cleanup
    say "built $image in $((SECONDS - start)) s"
}

(($#)) || die "usage: ${BASH_SOURCE[0]} VERSION..."
for version in "$@"; do
    [[ $version =~ ^3\.(11|13|14)$ ]] || die "Debian has no Python $version; there are 3.11, 3.13 and 3.14"
done
"$docker" version >/dev/null 2>&1 || die "no Docker Engine answers"
exec 9<"$here"
for version in "$@"; do build "$version"; done
