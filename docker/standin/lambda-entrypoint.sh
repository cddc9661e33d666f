#!/bin/sh
# ENTRYPOINT of the image: serve one handler, given as module.function.
if [ $# -ne 1 ]; then
    echo "lambda-entrypoint.sh: expected the handler as the only argument, got $# arguments" >&2
    exit 142
fi
export _HANDLER="$1"

# Somebody else speaks the runtime API: only the runtime is wanted.
if [ -n "${AWS_LAMBDA_RUNTIME_API:-}" ]; then
    exec "$LAMBDA_RUNTIME_DIR/bootstrap"
fi
exec /usr/local/bin/aws-lambda-rie "$LAMBDA_RUNTIME_DIR/bootstrap"
