"""Layers for several runtimes: what is in one must be the same for all of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from lambdabuild.model.limits import Finding
from lambdabuild.model.lint import listed
from lambdabuild.model.requirements import Pin

HINT = 'make a layer for each runtime (python = "3.12", python = "3.13"); compatible-runtimes is for pure Python'
_BOUND = re.compile(r"\.cpython-\d+[^/]*\.so")


def find_differences(own: Iterable[Pin], other: Iterable[Pin], *, runtimes: tuple[str, str]) -> list[str]:
    """What of a layer is bound to one of two runtimes, a line each."""
    mine, theirs = _by_name(own), _by_name(other)
    lines = []
    for name in sorted(mine.keys() | theirs.keys()):
        if name in mine and name in theirs:
            if _brought(mine[name]) != _brought(theirs[name]):
                pairs = zip(runtimes, (mine[name], theirs[name]), strict=True)
                lines.append(f"{name}: " + ", ".join(f"{pin.filename} for {runtime}" for runtime, pin in pairs))
        else:
            pin, runtime = (mine[name], runtimes[0]) if name in mine else (theirs[name], runtimes[1])
            lines.append(f"{pin}: for {runtime} alone")
    return lines


def check_bound(paths: Iterable[str], *, name: str, runtimes: Iterable[str]) -> list[Finding]:
    """That no extension module in a layer for several runtimes is built for one of them."""
    bound = sorted(path for path in paths if _BOUND.search(path))
    if not bound:
        return []
    return [
        Finding(
            severity="error",
            code="binary-tag",
            message=f"{name} is for {' and '.join(runtimes)}, and these are for one Python alone: {listed(bound)}",
            hint=HINT,
        )
    ]


def _by_name(pins: Iterable[Pin]) -> Mapping[str, Pin]:
    return {pin.name: pin for pin in pins}


def _brought(pin: Pin) -> tuple[str | None, ...]:
    return (pin.version, pin.kind, pin.filename, pin.sha256, pin.path, pin.commit, pin.subdirectory)
