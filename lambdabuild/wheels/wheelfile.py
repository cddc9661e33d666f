"""A wheel at hand."""

from __future__ import annotations

from pathlib import Path

from lambdabuild.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelFile:
    """A wheel in a file, whatever that is called."""

    path: Path
    filename: str
    """By which an index serves it: it tells name, version and tags."""
