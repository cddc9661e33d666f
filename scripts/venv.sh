#!/bin/sh
# Makes or renews .venv: the development environment, hash-checked, with lambdabuild itself installed from this folder.
set -eu
cd "$(dirname "$0")/.."

[ -x .venv/bin/lambdabuild ] && cmp -s requirements-dev.txt .venv/requirements-dev.txt && exit 0

python=${PYTHON:-python3}
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
    echo "lambdabuild needs Python 3.10 or newer; $python is not. Name one with PYTHON=…" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && apt-get install -qq -y --no-install-recommends python3-venv >/dev/null
    else
        echo "$python has no venv module; on Debian: apt-get install python3-venv" >&2
        exit 1
    fi
fi
echo "making .venv …" >&2
"$python" -m venv --clear .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.txt
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
cp requirements-dev.txt .venv/requirements-dev.txt
