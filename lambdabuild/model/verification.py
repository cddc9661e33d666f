"""What was tried in the runtime image and how it went, and what a report tells of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from lambdabuild.model.segment import Member

PROBE = "lambdabuild_probe"
"""The module of ours that imports others, beside a function's own."""
ROOTS = ("/opt/", "/var/task/")
"""Where artifacts are unpacked."""
_FAULT = re.compile(r'\s*File "(?P<file>[^"]+)", line (?P<line>\d+) in (?P<function>.+)')
"""A frame as Python's faulthandler writes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in code that was running."""

    file: str
    """Absolute, in the image."""
    line: int
    function: str
    text: str = ""
    """The line of code, where it is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unset:
    """A variable of the environment that was asked for and is not there."""

    name: str
    file: str
    """Whose code asked for it, absolute in the image."""
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """An exception of a chain."""

    type: str
    """With its module: ``builtins.KeyError``."""
    message: str
    place: Place | None
    """Where it was raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How an import failed."""

    kind: Literal["raised", "exited", "timeout"]
    type: str = ""
    """Of the exception, by its own name."""
    message: str = ""
    status: int = 0
    """Of an interpreter that exited; negative when a signal ended it."""
    signal: str = ""
    """Its name."""
    causes: tuple[Cause, ...] = ()
    """The exception and those that it came from."""
    places: tuple[Place, ...] = ()
    """Where it was, the innermost last."""
    unset: tuple[Unset, ...] = ()
    """The variables that were asked for in vain before."""
    enumerated: tuple[str, ...] = ()
    """The files of code that went through the whole environment before."""
    log: tuple[str, ...] = ()
    """The last lines that were written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """An import, and how it went."""

    name: str
    seconds: float
    failure: Failure | None = None
    opened: tuple[str, ...] = ()
    """Absolute paths that were opened below ``ROOTS``, where that was watched."""
    compiled: float | None = None
    """Seconds of the processor for a handler's import alone, with the bytecode of its artifacts; None where that
    was not measured."""
    uncompiled: float | None = None
    """The same without that bytecode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """A file that a rule left out of an artifact."""

    member: Member
    """Its path is the one in the archive."""
    owner: str
    rule: str
    """As messages name it."""
    keep: str
    """The pattern that brings it back."""


Status = Literal["ok", "optional", "unmet", "broken"]
"""``optional``: fails without slimming too. ``unmet``: needs what a function has in Lambda, and a sandbox has not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What came of one import."""

    name: str
    handler: bool
    owner: str | None
    """The distribution of a module; None for the project's own."""
    status: Status
    seconds: float
    message: str | None = None
    compiled: float | None = None
    """As in ``Tried``."""
    uncompiled: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedArtifact:
    """What was tried of one artifact."""

    file: str
    rows: tuple[Row, ...]
    remembered: bool
    """It was tried by an earlier run: the same bytes in the same image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Untried:
    """A function that cannot be tried."""

    file: str
    layer: str
    """Published by others, so that nothing is known of what is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a run tried."""

    artifacts: tuple[VerifiedArtifact, ...]
    images: tuple[str, ...]
    """The runtimes whose images it was in."""
    seconds: float
    untried: tuple[Untried, ...] = ()


def parse_handler(name: str, init: Mapping[str, Any], probed: Tried | None) -> Tried:
    """How the runtime's init phase went; ``probed`` is how the import of the handler's module went by itself.

    The runtime tells of an exception little but its message, so the other account is taken where it failed as well.
    """
    failure = _failure(init["failure"]) if "failure" in init else None
    if failure is not None and probed is not None and probed.failure is not None and probed.failure.kind == "raised":
        failure = probed.failure
    return Tried(name=name, seconds=init["seconds"], failure=failure)


def parse_module(name: str, answer: Mapping[str, Any]) -> Tried:
    """How the import of a module by the probe went."""
    if "failure" in answer:
        return Tried(name=name, seconds=answer["seconds"], failure=_failure(answer["failure"]))
    value = answer["value"]
    failure = _raised(value["failure"]) if value["failure"] else None
    return Tried(name=name, seconds=value["seconds"], failure=failure, opened=tuple(value["opened"]))


def with_import_times(tried: Tried, answers: Sequence[Mapping[str, Any]]) -> Tried:
    """With what the probe measured, with bytecode and without; nothing where an import failed."""
    values = [answer["value"] for answer in answers if "value" in answer and not answer["value"]["failure"]]
    if len(values) != 2:
        return tried
    return replace(tried, compiled=values[0]["processor"], uncompiled=values[1]["processor"])


def _failure(document: Mapping[str, Any]) -> Failure:
    """What the runtime API was told, or saw."""
    log = tuple(document["log"])
    if document["kind"] == "raised":
        error = document["error"]
        return Failure(kind="raised", type=error["errorType"], message=error["errorMessage"], log=log)
    return Failure(
        kind=document["kind"],
        status=document.get("status", 0),
        signal=document.get("signal", ""),
        places=find_fault(log),
        log=log,
    )


def _raised(document: Mapping[str, Any]) -> Failure:
    """What the probe tells of an exception."""
    causes = tuple(
        Cause(type=cause["type"], message=cause["message"], place=Place(**cause["place"]) if cause["place"] else None)
        for cause in document["causes"]
    )
    return Failure(
        kind="raised",
        type=document["type"],
        message=document["message"],
        causes=causes,
        places=_of_artifacts(Place(**place) for place in document["places"]),
        unset=tuple(Unset(name=name, file=file, line=line) for name, file, line in document["unset"]),
        enumerated=tuple(document["enumerated"]),
    )


def find_fault(log: Sequence[str]) -> tuple[Place, ...]:
    """The places in artifacts that Python's faulthandler wrote into a log, the innermost last."""
    found = [match for line in log if (match := _FAULT.fullmatch(line))]
    places = (Place(file=one["file"], line=int(one["line"]), function=one["function"]) for one in reversed(found))
    return _of_artifacts(places)


def _of_artifacts(places: Iterable[Place]) -> tuple[Place, ...]:
    probe = f"/{PROBE}.py"
    return tuple(place for place in places if place.file.startswith(ROOTS) and not place.file.endswith(probe))


def verification_document(verification: Verification) -> dict[str, Any]:
    """For JSON."""
    return {
        "images": list(verification.images),
        "seconds": round(verification.seconds, 3),
        "artifacts": [
            {
                "path": artifact.file,
                "ok": all(row.status != "broken" for row in artifact.rows),
                "remembered": artifact.remembered,
                "imports": rows_document(artifact.rows),
            }
            for artifact in verification.artifacts
        ],
        "untried": [asdict(one) for one in verification.untried],
    }


def rows_document(rows: Iterable[Row]) -> list[dict[str, Any]]:
    return [
        {name: round(value, 3) if isinstance(value, float) else value for name, value in asdict(row).items()}
        for row in rows
    ]


def parse_rows(document: Iterable[Mapping[str, Any]]) -> tuple[Row, ...]:
    """The inverse of ``rows_document``; raises TypeError for anything else."""
    return tuple(Row(**row) for row in document)
