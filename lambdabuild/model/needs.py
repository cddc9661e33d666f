"""Where the dependencies of an artifact come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TypeAlias

from lambdabuild.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """The project's uv.lock, in uv's words: the project's dependencies with these extras and groups."""

    folder: str | None = None
    """Another project, relative to this one, whose dependencies these are: a member, or one with a lock of its own."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the files of a project tell of needs, where the configuration does not."""

    functions: Mapping[str, Needs] = field(default_factory=dict)
    """What lies beside the handlers, by function; of others nothing is told but the project's own dependencies."""
    project: Needs | None = Locked()
    """The project's own dependencies. None: nothing tells of any."""
    unused: Mapping[str, str] = field(default_factory=dict)
    """By function, what is said of a file that lies there and is not used."""
