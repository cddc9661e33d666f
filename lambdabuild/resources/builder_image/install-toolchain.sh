#!/bin/sh
# install-toolchain.sh CA_BUNDLE: adds what C and C++ extension modules need,
# with the package manager that the image has.
set -eu

ca_bundle=$1
python=/var/lang/bin/python3
export LC_ALL=C
# Packages' own scripts want these two; a Lambda image's PATH is without them.
export PATH="$PATH:/usr/sbin:/sbin"

# A Lambda image prefers /var/lang's libraries, with which the system's own
# programs do not always run.
system() { env -u LD_LIBRARY_PATH "$@"; }

with_rpm() {
    # No option of all of yum, dnf and microdnf names a CA bundle: the
    # system's own one is longer for a while.
    trusted=$(readlink -f /etc/pki/tls/certs/ca-bundle.crt || true)
    if [ -s "$ca_bundle" ] && [ -f "$trusted" ]; then
        cp -p "$trusted" "$ca_bundle.before"
        trap 'cp -p "$ca_bundle.before" "$trusted"' EXIT
        cat "$ca_bundle" >>"$trusted"
    fi
    system "$@" install -y --setopt=tsflags=nodocs binutils gcc gcc-c++ gzip make tar
    system "$@" clean all
    rm -rf /var/cache/dnf /var/cache/yum
}

with_apt() {
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if [ -s "$ca_bundle" ]; then
        set -- -o "Acquire::https::CaInfo=$ca_bundle"
    fi
    export DEBIAN_FRONTEND=noninteractive
    system apt-get --quiet "$@" update
    system apt-get --quiet "$@" install --yes --no-install-recommends \
        binutils g++ gcc gzip make tar "libpython$version-dev"
    system apt-get clean
    rm -rf /var/lib/apt/lists/*
}

if command -v microdnf; then
    with_rpm microdnf --setopt=install_weak_deps=0
elif command -v dnf; then
    with_rpm dnf --setopt=install_weak_deps=0
elif command -v yum; then
    with_rpm yum
elif command -v apt-get; then
    with_apt
else
    echo "the image has no package manager: microdnf, dnf, yum or apt-get" >&2
    exit 1
fi

for tool in gcc g++ make ld tar gzip; do
    command -v "$tool" || { echo "$tool is still missing" >&2 && exit 1; }
done
headers=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
[ -f "$headers/Python.h" ] || { echo "$headers/Python.h is missing" >&2 && exit 1; }
