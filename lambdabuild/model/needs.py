"""Where the dependencies of an artifact come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """The project's uv.lock, in uv's words: the project's dependencies with these extras and groups."""

    package: str | None = None
    """A member of the workspace, in place of the project itself."""
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    only_groups: tuple[str, ...] = ()
    """When not empty: these groups alone, without the project's own dependencies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Required:
    """Requirements that need not be pinned: a file's, or these lines (PEP 508). Empty means none at all."""

    file: str | None = None
    """Relative to the project."""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LockFile:
    """A pylock.toml (PEP 751)."""

    file: str
    """Relative to the project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """The block of a script that tells its dependencies (PEP 723)."""

    file: str
    """Relative to the project."""


Needs: TypeAlias = Locked | Required | LockFile | Script

NOTHING = Required()
"""No dependencies."""
