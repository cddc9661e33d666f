"""What of the project's files a function's archive holds."""

from __future__ import annotations

from typing import Literal

from lambdabuild.model.segment import Member
from lambdabuild.values import dataclass

IgnoreRule = Literal["git", "gitignore"]
"""What decided on which sources are ignored: git, which ignores nothing that it tracks, or .gitignore files alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Which files, and from where."""

    owner: str
    """``functions.api``, for messages."""
    handler: str
    """As AWS gets it, relative to the archive's root."""
    source: str | None
    """The folder whose content becomes the archive's root."""
    folder: str | None
    """The same for a function that is a folder: the handler is relative to it."""
    reachable: bool
    """Only what the handler's imports reach."""
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    keep: tuple[str, ...]
    gitignore: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """The files that were taken."""

    members: tuple[Member, ...]
    left_out: tuple[str, ...] = ()
    """Modules that the handler's imports do not reach."""
    ignore_rule: IgnoreRule | None = None
    ignored: tuple[str, ...] = ()
    """What a .gitignore left out, folders with a slash at their end."""
