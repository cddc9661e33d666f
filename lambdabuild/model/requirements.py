"""Pinned requirements: the distributions of a resolution, each with the one thing that the target gets it from."""

from __future__ import annotations

import re
from dataclasses import field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from lambdabuild.values import dataclass

if TYPE_CHECKING:
    from lambdabuild.model.wheels import NoWheel

Kind = Literal["wheel", "sdist", "folder", "commit"]
_SEPARATORS = re.compile(r"[-_.]+")


def normalized(name: str) -> str:
    """The name of a distribution as all its spellings have it (PEP 503); packaging, which tells the same, takes long
    to import."""
    return _SEPARATORS.sub("-", name).lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One distribution of a resolution and what brings it."""

    name: str
    """Normalized (PEP 503)."""
    version: str | None
    """None for a folder or a commit whose version only its build tells."""
    kind: Kind
    url: str = ""
    """Of a file or a repository. It may hold credentials, so it is never shown, stored or hashed."""
    path: str | None = None
    """Of a folder, or of a file that no index serves; absolute, or relative to where the lock was read."""
    sha256: str = ""
    """Of a file; of a folder's content, once that is read."""
    commit: str | None = None
    subdirectory: str | None = None
    """Where in the commit, folder or archive the distribution lies."""
    no_wheel: NoWheel | None = None
    """Why it is an sdist."""
    file: str = ""
    """The name of a file where neither its URL nor its path tells it."""
    size: int | None = field(default=None, compare=False)
    """Bytes of a file, as far as the lock tells."""

    @property
    def filename(self) -> str:
        if self.file:
            return self.file
        if self.path is not None:
            return PurePosixPath(self.path).name
        return unquote(urlsplit(self.url).path.rpartition("/")[2])

    @property
    def identity(self) -> str:
        """What decides on its wheel, and nothing of where that is had."""
        return f"{self.kind} {self.name} {self.version} {self.commit or self.sha256} {self.subdirectory or '-'}"

    def __str__(self) -> str:
        return f"{self.name} {self.version}" if self.version else self.name
