"""An invocation through the Runtime Interface Emulator: what it is given, and what its answer and log say."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambdabuild.errors import UsageError

EMULATOR_TIMEOUT = 300
"""Seconds that the emulator gives a function when nobody says: AWS_LAMBDA_FUNCTION_TIMEOUT."""
MOST_EVENT = 6_291_556
"""Bytes of an event of a synchronous invocation: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
OUT_OF_MEMORY, TIMED_OUT, EMULATOR = "Runtime.OutOfMemory", "Sandbox.Timedout", "Emulator"
"""Types of errors that are not an exception's."""
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_OWN_LINE = r"\d\d \w{3} \d{4} \d\d:\d\d:\d\d,\d{3} \[[A-Z]+\] \(rapid\) "
_NOISE = re.compile(
    rf"(?:{_OWN_LINE}[^\n]*|START RequestId: {_UUID} Version: \S+|END RequestId: {_UUID}"
    rf"|REPORT RequestId: {_UUID}\t[^\n]*)(?:\n|\Z)"
)
_END = re.compile(rf"END RequestId: {_UUID}")
_INIT = re.compile(rf"{_OWN_LINE}INIT REPORT\(durationMs: (?P<ms>\d+(?:\.\d+)?)\)")
_INIT_BEGUN = re.compile(rf"{_OWN_LINE}INIT START\(")
_INIT_DONE = re.compile(rf"{_OWN_LINE}INIT RTDONE\(status: success\)")
_RUN = re.compile(rf"{_OWN_LINE}INVOKE RTDONE\(status: [^\n]* duration: (?P<ms>\d+(?:\.\d+)?)ms\)")
_EXITED = re.compile(rf"{_OWN_LINE}Process runtime-\d+ exited: (?P<how>[^\n]*)")
_ADVICE = re.compile(r"\[WARNING\]\t[^\n]*\tLAMBDA_WARNING: Unhandled exception\.[^\n]*(?:\n|\Z)")
_RECORD = re.compile(r"\[ERROR\] [^\n]*(?:\n|\Z)")
_IMPORTING = re.compile(r' *File "(?:<frozen importlib[^"]*>|[^"]*/importlib/__init__\.py)", ')
"""Frames of the import system, which Python's own traceback leaves out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a function is invoked with."""

    event: str
    """JSON, as it was given."""
    environ: Mapping[str, str]
    timeout: int | None
    """Seconds; None: the emulator's own."""
    memory: int | None
    """MB; None: as much as Lambda gives, or the engine has."""
    temporary: int
    """MB of /tmp."""
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
    except RecursionError:
        raise UsageError(f"{where}: the event is nested too deeply to be read as JSON") from None
    return text


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is none of its values")


def read_answers(told: Mapping[str, Any], full_log: str, call: Call) -> Invoked:
    """What the program in the sandbox tells, and the log beside it, in our terms."""
    answers = told["answers"]
    parts = _by_invocation(full_log, len(answers))
    inits = [_milliseconds(_INIT, part) for part in parts]
    last = answers[-1]
    at_init = bool(_INIT_BEGUN.search(parts[-1])) and not _INIT_DONE.search(parts[-1])
    error = _find_error(last, call, parts[-1], init=inits[-1], at_init=at_init, oom=told["oom_kills"] > 0)
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
    """The longest duration that the emulator tells, in seconds: it tells of one more init after one that failed."""
    return max((round(float(ms) / 1000, 9) for ms in pattern.findall(text)), default=None)


def _find_error(
    answer: Mapping[str, Any], call: Call, log: str, *, init: float | None, at_init: bool, oom: bool
) -> FunctionError | None:
    timeout = call.timeout or EMULATOR_TIMEOUT
    if answer.get("lost") == "timeout" or answer.get("body") == f"Task timed out after {timeout}.00 seconds":
        return _timed_out(timeout, init=init, at_init=at_init)
    document = _parsed(answer.get("body", ""))
    told = isinstance(document, dict) and "errorType" in document
    if answer.get("status") == 200 and not (told and "stackTrace" in document):
        return None
    died = not told or document["errorType"] == "Runtime.ExitError"
    if died and oom:
        return _out_of_memory(call, at_init=at_init)
    if not told:
        return _unexplained(answer, log, at_init=at_init)
    kind = str(document["errorType"])
    message = re.sub(rf"^RequestId: {_UUID} Error: ", "", str(document.get("errorMessage") or ""))
    frames = (str(frame).rstrip("\n") for frame in document.get("stackTrace") or ())
    trace = tuple(frame for frame in frames if not _IMPORTING.match(frame))
    return FunctionError(type=kind, message=message, trace=trace, at_init=at_init)


def _out_of_memory(call: Call, *, at_init: bool) -> FunctionError:
    limit, hint = "the engine's limit", "give the Docker Engine more memory"
    if call.memory is not None:
        limit, hint = f"limit {call.memory} MB", f"give it more: --memory {call.memory * 2}"
    return FunctionError(type=OUT_OF_MEMORY, message=f"out of memory ({limit})", at_init=at_init, hint=hint)


def _unexplained(answer: Mapping[str, Any], log: str, *, at_init: bool) -> FunctionError:
    """Of an answer that tells nothing, as when the runtime's process ends at init; the log may."""
    exited = _EXITED.search(log)
    if exited is not None:
        message = f"Runtime exited with error: {exited['how']}"
        return FunctionError(type="Runtime.ExitError", message=message, at_init=at_init)
    why = f"no answer: {answer['lost']}" if "lost" in answer else f"HTTP status {answer['status']}"
    return FunctionError(type=EMULATOR, message=f"the emulator failed: {why}")


def _timed_out(timeout: int, *, init: float | None, at_init: bool) -> FunctionError:
    message = f"timed out after {timeout} s"
    hint = "give it more: --timeout"
    if at_init:
        message += ", in its init phase"
    elif init is not None:
        message += f", of which init took {init:.2f} s"
        hint += "; the emulator counts the init of a first invocation, Lambda does not"
    return FunctionError(type=TIMED_OUT, message=message, at_init=at_init, hint=hint)


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
