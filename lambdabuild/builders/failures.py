"""What is told of a program that failed: the end of what it said, and where the whole lies."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from lambdabuild.errors import BuildError
from lambdabuild.model.requirements import Pin

KeepLog = Callable[[str, str], "Path | None"]
"""Keeps a log under a name, and tells where; None where it cannot."""


def no_log(name: str, text: str) -> None:
    """Keeps nothing."""


def last_lines(text: str, most: int = 40) -> str:
    """The end of a program's output, indented, for a message."""
    return "\n".join(f"  {line}" for line in text.strip().splitlines()[-most:])


def build_failure(pin: Pin, said: str, *, keep_log: KeepLog, place: str = "") -> BuildError:
    """The error for a distribution that could not be built ``place`` (" in the builder image")."""
    log = keep_log(re.sub(r"[^\w.+-]", "-", f"{pin.name}-{pin.version or pin.commit or 'folder'}"), said)
    told = last_lines(said) + (f"\n  the whole log: {log}" if log is not None else "")
    if pin.no_wheel is None:
        return BuildError(f"building {pin} failed:\n{told}", hint="mend its build, or leave it out")
    return BuildError(
        f"{pin.no_wheel}; building it{place} failed:\n{told}",
        hint=f"choose a version of {pin.name} that has a wheel for the target, or leave it out",
    )
