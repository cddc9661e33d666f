"""How a run that did not go well ends: as text, or with ``--json`` a line on stderr and a document on stdout."""

from __future__ import annotations

import errno
import json
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import click

from lambdabuild.cli.streams import flush
from lambdabuild.errors import Code, LambdaBuildError, MachineError, Terminated, UsageError

_BUG = 5
_INTERRUPTED = 130
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM)
_NO_PATH = (errno.ELOOP, errno.ENAMETOOLONG)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What happened, what to do next, and what was found until then."""

    code: Code
    exit_code: int
    message: str
    text: str
    """For a person: the message with all that goes with it."""
    hint: str | None = None
    document: Mapping[str, Any] = field(default_factory=dict)


def tell(error: BaseException, argv: Sequence[str]) -> int:
    """Say what went wrong, as the command line asks for it, and give the exit status."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    failure = find_failure(error, argv)
    if wants_json(argv):
        known = {"code": failure.code, "message": failure.message, "hint": failure.hint, "exit_code": failure.exit_code}
        print(json.dumps({"event": "error", **known}), file=sys.stderr, flush=True)
        own = failure.document.get("error", {})
        print(json.dumps({**failure.document, "error": {**known, **own}}, indent=2))
    else:
        print(failure.text, file=sys.stderr, flush=True)
    with suppress(OSError):
        flush()
    return failure.exit_code


def wants_json(argv: Sequence[str]) -> bool:
    """Whether ``--json`` is among the words, also where the others cannot be understood."""
    return "--json" in argv[: argv.index("--") if "--" in argv else None]


def find_failure(error: BaseException, argv: Sequence[str]) -> Failure:
    """What there is to say of an error; ``argv`` tells which paths the user named."""
    error = _known(error, argv)
    if isinstance(error, KeyboardInterrupt):
        return Failure(code="interrupted", exit_code=_INTERRUPTED, message="interrupted", text="interrupted")
    if isinstance(error, Terminated):
        return Failure(code=error.code, exit_code=error.exit_code, message="terminated", text="terminated")
    if isinstance(error, LambdaBuildError):
        return Failure(
            code=error.code,
            exit_code=error.exit_code,
            message=error.message,
            text=f"error: {error}",
            hint=error.hint,
            document=error.document,
        )
    if isinstance(error, click.ClickException):
        return _of_click(error)
    trace = "".join(traceback.format_exception(error))
    advice = "this is a bug in lambdabuild; please report it with the lines above"
    return Failure(
        code="bug",
        exit_code=_BUG,
        message=f"{type(error).__name__}: {error}",
        text=f"{trace}error: {advice}",
        hint="this is a bug in lambdabuild; please report it with the traceback",
        document={"error": {"traceback": trace}},
    )


def _known(error: BaseException, argv: Sequence[str]) -> BaseException:
    """The error that a user can read, for what the system refused; else the error itself."""
    if isinstance(error, MemoryError):
        return MachineError("there is not enough memory", hint="close other programs, or give the machine more")
    if isinstance(error, UnicodeEncodeError):
        text = str(error.object)
        return UsageError(f"{text!r} is not UTF-8", hint="rename it") if _is_escaped(text) else error
    if isinstance(error, RuntimeError) and isinstance(error.__context__, OSError):
        error = error.__context__  # a link that loops, as pathlib tells it before Python 3.13
    if not isinstance(error, OSError):
        return error
    reason = error.strerror or str(error) or type(error).__name__
    path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes | os.PathLike) else None
    message = reason if path is None else f"{path}: {reason}"
    if error.errno in _FULL:
        return MachineError(message, hint="free some disk space", code="disk-full")
    hint = None
    if error.errno in _FORBIDDEN and path is not None:
        hint = f"check who may use it: ls -ld {path}"
    meant = error.errno in _NO_PATH or (path is not None and _is_named(path, argv))
    kind = UsageError if meant else MachineError
    return kind(message, hint=hint)


def _is_named(path: str, argv: Sequence[str]) -> bool:
    """Whether a path is one that the command line names, or a folder on the way to it."""
    with suppress(OSError):
        at = Path(path).absolute()
        named = (Path(word.partition("=")[2] if word.startswith("--") else word).absolute() for word in argv)
        return any(at in (word, *word.parents) for word in named)
    return False


def _is_escaped(text: str) -> bool:
    return any("\udc80" <= character <= "\udcff" for character in text)


def _of_click(error: click.ClickException) -> Failure:
    context = getattr(error, "ctx", None)
    hint = f"{context.command_path} --help" if context is not None else None
    text = StringIO()
    error.show(text)
    return Failure(
        code="usage",
        exit_code=error.exit_code,
        message=error.format_message(),
        text=text.getvalue().rstrip("\n"),
        hint=hint,
    )
