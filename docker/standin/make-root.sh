#!/bin/sh
# make-root.sh VERSION WORK MIRROR: writes WORK/root.tar, the stand-in's files.
# build.sh runs it as root in mount and pid namespaces of its own, so that its
# mounts, and whatever it started, cannot outlive it.
set -eu

version=$1 work=$2 mirror=$3
recipe=$(cd "$(dirname "$0")" && pwd)
root=$work/root

case $version in
3.11) suite=bookworm ;;
3.13) suite=trixie ;;
3.14) suite=forky ;;
*) exit 1 ;;
esac

# A debootstrap that is older than the suite has no script for it.
script=/usr/share/debootstrap/scripts/$suite
[ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid

# In memory: 400 MB, and a third faster than on a disk.
mkdir "$root"
mount -t tmpfs -o mode=755 standin "$root"
debootstrap --variant=minbase "$suite" "$root" "$mirror" "$script"
mount -t proc proc "$root/proc"

# What the work inside needs of this machine: names, certificates, proxies.
inside=/tmp/standin
mkdir "$root$inside"
(cd "$recipe" && cp provision.sh pins.txt lambda-entrypoint.sh bootstrap bootstrap.py "$root$inside")
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
set -- HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin
if [ -n "${SSL_CERT_FILE:-}" ]; then
    cp -L "$SSL_CERT_FILE" "$root$inside/ca-bundle.pem"
    set -- "$@" "PIP_CERT=$inside/ca-bundle.pem"
fi
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY PIP_INDEX_URL; do
    value=$(printenv "$name") && set -- "$@" "$name=$value"
done
# A mirror that lags behind is this machine's apt's to accept.
apt-config dump 2>/dev/null | grep -E '^Acquire::Check-(Date|Valid-Until) ' \
    >"$root/etc/apt/apt.conf.d/90mirror" || rm "$root/etc/apt/apt.conf.d/90mirror"

chroot "$root" /usr/bin/env -i "$@" sh "$inside/provision.sh" "$version"

# Everything but what belongs to this machine or is of no use in an image.
tar --create --file "$work/root.tar" --directory "$root" \
    --numeric-owner --one-file-system --anchored \
    --exclude='./dev/*' --exclude='./run/*' --exclude='./tmp/*' --exclude='./root/.*' \
    --exclude=./etc/hostname --exclude=./etc/machine-id --exclude=./etc/resolv.conf \
    --exclude='./var/cache/*/*' --exclude='./var/lib/apt/lists/*' --exclude='./var/log/*' \
    --exclude='./usr/share/doc/*' --exclude='./usr/share/locale/*' --exclude='./usr/share/man/*' \
    .
