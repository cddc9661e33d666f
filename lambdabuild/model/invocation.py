"""An invocation through the Runtime Interface Emulator: what it is given, and what its answer and log say."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lambdabuild.errors import UsageError

EMULATOR_TIMEOUT = 300
"""Seconds that the emulator gives a function when nobody says: AWS_LAMBDA_FUNCTION_TIMEOUT."""
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_OWN_LINE = r"\d\d \w{3} \d{4} \d\d:\d\d:\d\d,\d{3} \[[A-Z]+\] \(rapid\) "
_NOISE = re.compile(
    rf"(?:{_OWN_LINE}[^\n]*|START RequestId: {_UUID} Version: \S+|END RequestId: {_UUID}"
    rf"|REPORT RequestId: {_UUID}\t[^\n]*)(?:\n|\Z)"
)
_END = re.compile(rf"END RequestId: {_UUID}")
_INIT = re.compile(rf"{_OWN_LINE}INIT REPORT\(durationMs: (?P<ms>\d+(?:\.\d+)?)\)")
_RUN_START = re.compile(rf"{_OWN_LINE}INVOKE START\(")
_RUN = re.compile(rf"{_OWN_LINE}INVOKE RTDONE\(status: [^\n]* duration: (?P<ms>\d+(?:\.\d+)?)ms\)")
_ADVICE = re.compile(r"\[WARNING\]\t[^\n]*\tLAMBDA_WARNING: Unhandled exception\.[^\n]*(?:\n|\Z)")
_RECORD = re.compile(r"\[ERROR\] [^\n]*(?:\n|\Z)")
_IMPORTING = re.compile(r' *File "(?:<frozen importlib[^"]*>|[^"]*/importlib/__init__\.py)", ')
"""Frames of the import system, which Python's own traceback leaves out."""
_TRACEBACK = "Traceback (most recent call last):"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a function is invoked with."""

    event: str
    """JSON, as it was given."""
    environ: Mapping[str, str]
    timeout: int | None
    """Seconds; None: the emulator's own."""
    memory: int | None
    """MB; None: as much as the engine has."""
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionError:
    """How a function failed."""

    type: str
    message: str
    trace: tuple[str, ...] = ()
    """Frames as Python prints them, each one or more lines."""
    at_init: bool = False
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoked:
    """What came of the invocations of one call."""

    response: str | None
    """Of the last one; None when it failed."""
    error: FunctionError | None
    log: str
    """What the function wrote."""
    full_log: str
    """With what the emulator and the runtime wrote of it."""
    init_seconds: float | None
    """From the start of the runtime to its first request for an event; None when the emulator does not tell."""
    run_seconds: tuple[float, ...]
    """Of each invocation that was answered, the first after the init."""


def check_event(text: str, *, where: str) -> str:
    """The text of an event; raises UsageError for what is not JSON, with the place."""
    try:
        json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        problem = f"{where}:{error.lineno}:{error.colno}: the event is not JSON: {error.msg}"
        raise UsageError(problem) from None
    except ValueError as error:
        raise UsageError(f"{where}: the event is not JSON: {error}") from None
    return text


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is none of its values")


def read_answers(told: Mapping[str, Any], full_log: str, call: Call) -> Invoked:
    """What the program in the sandbox tells, and the log beside it, in our terms."""
    answers = told["answers"]
    parts = _by_invocation(full_log, len(answers))
    inits = [_milliseconds(_INIT, part) for part in parts]
    last = answers[-1]
    error = _find_error(last, call, init=inits[-1], ran=bool(_RUN_START.search(parts[-1])), oom=told["oom_kills"] > 0)
    runs = []
    for answer, part, init in zip(answers, parts, inits, strict=True):
        run = _milliseconds(_RUN, part)
        if run is None and not (error and answer is last):
            run = max(answer["seconds"] - (init or 0.0), 0.0)
        runs += [run] if run is not None else []
    return Invoked(
        response=None if error else last["body"],
        error=error,
        log=function_log(full_log, error),
        full_log=full_log.replace("\r", "\n"),
        init_seconds=inits[0],
        run_seconds=tuple(runs),
    )


def _by_invocation(log: str, count: int) -> list[str]:
    """The log's parts, each up to the line that ends an invocation; the last one has the rest."""
    cuts = [match.end() for match in _END.finditer(log)][: count - 1]
    starts = [0, *cuts]
    parts = [log[start:end] for start, end in zip(starts, [*cuts, len(log)], strict=True)]
    return parts + [""] * (count - len(parts))


def _milliseconds(pattern: re.Pattern[str], text: str) -> float | None:
    """The last duration that the emulator tells, in seconds: a runtime that died at init is started once more."""
    found = pattern.findall(text)
    return round(float(found[-1]) / 1000, 9) if found else None


def _find_error(
    answer: Mapping[str, Any], call: Call, *, init: float | None, ran: bool, oom: bool
) -> FunctionError | None:
    timeout = call.timeout or EMULATOR_TIMEOUT
    if answer.get("lost") == "timeout" or answer.get("body") == f"Task timed out after {timeout}.00 seconds":
        return _timed_out(timeout, init=init, ran=ran)
    if "lost" in answer:
        return FunctionError(type="Emulator", message=f"no answer: {answer['lost']}")
    document = _parsed(answer["body"])
    failed = answer["status"] != 200
    if not isinstance(document, dict) or "errorType" not in document or not (failed or "stackTrace" in document):
        return FunctionError(type="Emulator", message=f"HTTP status {answer['status']}") if failed else None
    kind = str(document["errorType"])
    message = re.sub(rf"^RequestId: {_UUID} Error: ", "", str(document.get("errorMessage") or ""))
    if kind == "Runtime.ExitError" and oom:
        limit = f"limit {call.memory} MB" if call.memory else "the engine's limit"
        hint = f"give it more: --memory {call.memory * 2}" if call.memory else "give the Docker Engine more memory"
        return FunctionError(type="Runtime.OutOfMemory", message=f"out of memory ({limit})", at_init=not ran, hint=hint)
    frames = (str(frame).rstrip("\n") for frame in document.get("stackTrace") or ())
    trace = tuple(frame for frame in frames if not _IMPORTING.match(frame))
    return FunctionError(type=kind, message=message, trace=trace, at_init=not ran)


def _timed_out(timeout: int, *, init: float | None, ran: bool) -> FunctionError:
    message = f"timed out after {timeout} s"
    hint = "give it more: --timeout"
    if not ran:
        message += ", in its init phase"
    elif init is not None:
        message += f", of which init took {init:.2f} s"
        hint += "; the emulator counts the init of a first invocation, Lambda does not"
    return FunctionError(type="Sandbox.Timedout", message=message, at_init=not ran, hint=hint)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def function_log(log: str, error: FunctionError | None) -> str:
    """The log without the emulator's own lines, and without the runtime's record of the error, which is told apart."""

    def without(pattern: re.Pattern[str], text: str) -> str:
        # What a function wrote without an end of line stands before ours on one line.
        return pattern.sub(lambda at: "\n" if at.start() and text[at.start() - 1] != "\n" else "", text)

    log = without(_NOISE, log)
    if error is not None:
        log = without(_ADVICE, log)
        record = f"[ERROR] {error.type}"
        log = _RECORD.sub(lambda at: "" if at[0].startswith(record) else at[0], log)
    return log.replace("\r", "\n")


def error_text(file: str, error: FunctionError) -> str:
    """An error as a message, with the trace as Python prints it."""
    if error.type in ("Sandbox.Timedout", "Runtime.OutOfMemory", "Emulator"):
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
