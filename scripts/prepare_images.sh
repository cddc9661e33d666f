#!/bin/sh
# Usage: scripts/prepare_images.sh VERSION...        (VERSION: 3.11, 3.13, ...)
#
# Makes images for these Python versions ready and prints the template that
# lambdabuild takes for them (LAMBDABUILD_IMAGE): the real Lambda images where
# they are here or can be pulled, stand-ins for all versions otherwise.
set -eu

registry=public.ecr.aws/lambda/python
standin=lambdabuild-standin/python
scripts=$(cd "$(dirname "$0")" && pwd)

say() { echo "images: $*" >&2; }

[ $# -gt 0 ] || {
    say "usage: $0 VERSION..."
    exit 2
}

for docker in docker /usr/bin/docker ''; do
    [ -z "$docker" ] || ! timeout 20 "$docker" version >/dev/null 2>&1 || break
done
[ -n "$docker" ] || {
    say "no Docker Engine answers; scripts/prepare_engine.sh makes one"
    exit 1
}

# The stand-ins are for all versions or none, so the first failure decides.
have_real_images() {
    for version in "$@"; do
        image=$registry:$version
        "$docker" image inspect "$image" >/dev/null 2>&1 && continue
        say "pulling $image"
        if ! answer=$(timeout 120 "$docker" pull --quiet "$image" 2>&1); then
            say "not pulled: $(printf '%s\n' "${answer:-no end after 120 s}" | tail -n 1 | cut -c 1-200)"
            return 1
        fi
    done
}

if have_real_images "$@"; then
    template="$registry:{python}"
else
    say "using stand-ins, which are not Amazon Linux"
    DOCKER=$docker "$scripts/../docker/standin/build.sh" "$@" >&2
    template="$standin:{python}"
fi
printf '%s\n' "$template"
