#!/bin/sh
# The classic door to `lambdabuild package`: scripts/package_lambda.sh [--fat|--layer] [--clean]
# PYTHON_VERSION chooses the runtime (3.13), OUTPUT_DIR the folder of the artifacts.
set -eu
lambdabuild=$(dirname "$0")/../.venv/bin/lambdabuild
[ -x "$lambdabuild" ] || lambdabuild=lambdabuild
exec "$lambdabuild" package --upload-default direct ${PYTHON_VERSION:+--python "$PYTHON_VERSION"} ${OUTPUT_DIR:+--output "$OUTPUT_DIR"} "$@"
