"""The environment that a function is invoked with, as the command line and files give it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from lambdabuild.errors import UsageError

REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
"""Lambda sets both, to the same."""
_RUNTIMES = {"_HANDLER", "AWS_EXECUTION_ENV", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT"}
_RUNTIMES |= {f"AWS_LAMBDA_FUNCTION_{name}" for name in ("HANDLER", "MEMORY_SIZE", "NAME", "TIMEOUT", "VERSION")}
"""What the runtime's own environment has: nobody else may set it, in Lambda neither.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime"""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_LOG_STREAM = "2026/01/01/[$LATEST]00000000000000000000000000000000"
_REGION = "us-east-1"


def platform_environ(*, function: str, handler: str, runtime: str) -> dict[str, str]:
    """What Lambda itself sets for a function, but no credentials, which only the service can give.

    ``runtime`` is its name, ``python3.13``.
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
    """
    return {
        "_HANDLER": handler,
        "_X_AMZN_TRACE_ID": "Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0",
        "AWS_DEFAULT_REGION": _REGION,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{runtime}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
        "AWS_LAMBDA_FUNCTION_NAME": function,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function}",
        "AWS_LAMBDA_LOG_STREAM_NAME": _LOG_STREAM,
        "AWS_REGION": _REGION,
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "169.254.79.129:2000",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
    }


def find_variable_name_problem(name: str) -> str | None:
    """Whether a function's configuration may have a variable of this name."""
    if not _NAME.fullmatch(name):
        return f"{name!r} is not the name of a variable"
    return "is set by the runtime" if name in _RUNTIMES else None


def find_variable_problem(value: str) -> str | None:
    return "has a null character in its value" if "\0" in value else None


def parse_environment(lines: Iterable[tuple[str, str]]) -> dict[str, str]:
    """NAME=VALUE lines, each with its place; a later one wins.

    Raises UsageError, which never tells a value, for one that is not such a line, and for names that are the runtime's.
    """
    environ: dict[str, str] = {}
    for where, line in lines:
        name, equals, value = line.partition("=")
        if not equals:
            raise UsageError(f"{where}: no value is given", hint="write NAME=VALUE")
        if not _NAME.fullmatch(name):
            raise UsageError(f"{where}: {name!r} is not the name of a variable", hint="write NAME=VALUE")
        if name in _RUNTIMES:
            raise UsageError(f"{where}: {name} is set by the runtime")
        if "\0" in value:
            raise UsageError(f"{where}: {name} has a null character in its value")
        environ[name] = value
    return environ


def parse_env_file(text: str, *, path: str) -> list[tuple[str, str]]:
    """The NAME=VALUE lines of a file, each with its place, for ``parse_environment``.

    Empty lines and lines that begin with ``#`` count for nothing, ``export`` before a name neither, and of a value in
    quotes these; nothing else has a meaning of its own.
    """
    lines = []
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            name, equals, value = stripped.removeprefix("export ").partition("=")
            lines.append((f"{path}:{number}", f"{name.strip()}{equals}{_unquoted(value.strip())}"))
    return lines


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def with_region(environ: Mapping[str, str]) -> dict[str, str]:
    """With the region under both of its names, where it has one."""
    region = next((environ[name] for name in REGIONS if name in environ), None)
    return {**({} if region is None else dict.fromkeys(REGIONS, region)), **environ}
