#!/bin/sh
set -eu

usage() {
    cat <<'END'
Usage: package_lambda.sh [--layer | --fat] [--clean] [OPTIONS] [NAME]...

Build the functions of a project, or those named.
The project is that of the current folder, or else the one that this script lies in.

Options:
  --layer              A slim zip for each function, and the layers they use. [default]
  --fat                One zip with everything for each, for runtimes that ignore layers, such as LocalStack Community.
  --clean              Remove what earlier builds made, once this one has succeeded, and nothing else.
  -h, --help           Show this message and exit.
  All others are those of lambdabuild package; lambdabuild package --help shows them.

Variables:
  PYTHON_VERSION       The runtime to build for, such as 3.13. [default: from pyproject.toml]
  OUTPUT_DIR           The folder of the zips. [default: dist/lambda in the project]
  LAMBDABUILD_BUILDER  docker, host or auto: in the Lambda image, on this machine, or where it can be. [default: auto]

Example:
  PYTHON_VERSION=3.13 OUTPUT_DIR=build scripts/package_lambda.sh --fat --clean
END
}

for word in "$@"; do
    case $word in -h | --help)
        usage
        exit
        ;;
    esac
done

root=$(cd "$(dirname "$0")/.." && pwd -P)
lambdabuild=$root/.venv/bin/lambdabuild
if [ ! -x "$lambdabuild" ] && ! lambdabuild=$(command -v lambdabuild); then
    echo "package_lambda.sh: lambdabuild is neither in $root/.venv/bin nor on PATH: install it there" >&2
    exit 4
fi

# The checkout of lambdabuild is no project for Lambda itself: there it is the example.
project=$root
if [ -d "$root/examples/spectra" ]; then
    project=$root/examples/spectra
    [ "$(pwd -P)" != "$root" ] || set -- --project "$project" "$@"
fi
exec "$lambdabuild" package --project-default "$project" --upload-default direct \
    ${PYTHON_VERSION:+--python "$PYTHON_VERSION"} ${OUTPUT_DIR:+--output "$OUTPUT_DIR"} "$@"
