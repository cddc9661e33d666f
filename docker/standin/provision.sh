#!/bin/sh
# provision.sh X.Y, inside the new root file system, as root: turns a minimal
# Debian into the layout of the Lambda image.
set -eu

version=$1
recipe=${0%/*}
lang=/var/lang/bin

case $(uname -m) in
aarch64 | arm64) rie=aws-lambda-rie-arm64 ;;
*) rie=aws-lambda-rie-x86_64 ;;
esac

apt() {
    DEBIAN_FRONTEND=noninteractive apt-get --quiet --yes \
        -o DPkg::Options::=--force-unsafe-io \
        ${PIP_CERT:+-o "Acquire::https::CaInfo=$PIP_CERT"} "$@"
}
apt update
apt install --no-install-recommends ca-certificates "python$version-venv"

# The interpreter, with pip. One copy of the binary under three names.
"python$version" -m venv --copies /var/lang
for name in python python3; do
    ln -sf "python$version" "$lang/$name"
done
rm -f $lang/activate* $lang/Activate*

pip() {
    subcommand=$1
    shift
    $lang/python -m pip --quiet --disable-pip-version-check --no-cache-dir \
        "$subcommand" --constraint "$recipe/pins.txt" "$@"
}

mkdir -p /var/runtime /var/task /opt
pip install boto3
pip install --target /var/runtime awslambdaric
install -m 755 "$recipe/bootstrap" "$recipe/bootstrap.py" /var/runtime
install -m 755 "$recipe/lambda-entrypoint.sh" /

# SAM CLI carries the Runtime Interface Emulator; nothing else of it is needed.
pip download --no-deps --only-binary :all: --dest "$recipe/wheel" aws-sam-cli
$lang/python - "$recipe"/wheel/*.whl "samcli/local/rapid/$rie" /usr/local/bin/aws-lambda-rie <<'PYTHON'
import os, shutil, sys, zipfile

wheel, member, target = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, open(target, "wb") as out:
    shutil.copyfileobj(source, out)
os.chmod(target, 0o755)
PYTHON
