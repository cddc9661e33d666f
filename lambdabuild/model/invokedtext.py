"""What is told of an invocation: as text, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from lambdabuild.model.invocation import EMULATOR, OUT_OF_MEMORY, TIMED_OUT, FunctionError, Invoked

_TRACEBACK = "Traceback (most recent call last):"


def error_text(file: str, error: FunctionError) -> str:
    """An error as a message, with the trace as Python prints it."""
    if error.type in (OUT_OF_MEMORY, TIMED_OUT, EMULATOR):
        text = f"{file}: {error.message}"
    else:
        text = f"{file}{' fails at init' if error.at_init else ''}: {error.type}: {error.message}"
    return "\n".join((text, _TRACEBACK, *error.trace)) if error.trace else text


def invoked_document(invoked: Invoked, *, name: str, file: str) -> dict[str, Any]:
    """For JSON."""
    error, warm = invoked.error, invoked.run_seconds[1:]
    return {
        "name": name,
        "path": file,
        "response": None if invoked.response is None else response_value(invoked.response),
        "error": None
        if error is None
        else {"type": error.type, "message": error.message, "trace": list(error.trace), "at_init": error.at_init},
        "log": invoked.log,
        "init_seconds": invoked.init_seconds,
        "run_seconds": invoked.run_seconds[0] if invoked.run_seconds else None,
        "warm": _warm(warm) if warm else None,
    }


def response_value(response: str) -> Any:
    """A response as its value where it is JSON, else as it is."""
    try:
        return json.loads(response)
    except ValueError:
        return response


def response_text(response: str) -> str:
    """A response for a person: JSON set out, anything else as it is."""
    try:
        return json.dumps(json.loads(response), indent=2, ensure_ascii=False)
    except ValueError:
        return response


def times_text(invoked: Invoked) -> str:
    """A line of what was measured; empty when nothing was."""
    words = [] if invoked.init_seconds is None else [f"init {_ms(invoked.init_seconds)}"]
    first, *warm = invoked.run_seconds or (None,)
    if first is not None:
        words.append(f"run {_ms(first)}")
    if warm:
        told = _warm(warm)
        values = ", ".join(f"{name} {_ms(told[name])}" for name in ("min", "median", "max"))
        words.append(f"{told['count']} warm: {values}")
    return ", ".join(words)


def _warm(seconds: Sequence[float]) -> dict[str, Any]:
    ordered = sorted(seconds)
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return {"count": len(ordered), "min": ordered[0], "median": median, "max": ordered[-1]}


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
