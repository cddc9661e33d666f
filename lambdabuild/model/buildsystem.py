"""What a pyproject.toml says of how its distribution is built: ``[build-system]``.

https://packaging.python.org/en/latest/specifications/pyproject-toml/#declaring-build-system-dependencies-the-build-system-table
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from packaging.requirements import InvalidRequirement, Requirement

_REQUIRES = ("setuptools >= 40.8.0",)
_BACKEND = "setuptools.build_meta:__legacy__"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSystem:
    """A build backend and what it takes to call it."""

    requires: tuple[str, ...] = _REQUIRES
    backend: str = _BACKEND
    folders: tuple[str, ...] = ()
    """Of the tree, where the backend itself lies in it (``backend-path``)."""


def parse_build_system(document: Mapping[str, object]) -> BuildSystem:
    """Raises ValueError, with what is wrong."""
    if "build-system" not in document:
        return BuildSystem()
    table = document["build-system"]
    if not isinstance(table, Mapping) or "requires" not in table:
        raise ValueError("[build-system] is no table with requires")
    backend = table.get("build-backend", _BACKEND)
    if not isinstance(backend, str) or not backend:
        raise ValueError("build-system.build-backend is not the name of a module")
    folders = texts(table.get("backend-path", []), "build-system.backend-path")
    for folder in map(PurePosixPath, folders):
        if folder.is_absolute() or ".." in folder.parts:
            raise ValueError(f"build-system.backend-path leads out of the source tree: {folder}")
    requires = texts(table["requires"], "build-system.requires")
    return BuildSystem(requires=check_requirements(requires, "build-system.requires"), backend=backend, folders=folders)


def texts(value: object, what: str) -> tuple[str, ...]:
    """An array of strings; raises ValueError for anything else."""
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise ValueError(f"{what} is not an array of strings")
    return tuple(value)


def refuse_addresses(requires: Iterable[str], what: str) -> None:
    """Raises ValueError for one with an address: whoever fetches it has the network, the files and the logins that the
    build is kept from."""
    for text in requires:
        if Requirement(text).url is not None:
            raise ValueError(
                f"{what}: {text!r} names an address, and only a build that may reach the network has those fetched"
            )


def check_requirements(requires: tuple[str, ...], what: str) -> tuple[str, ...]:
    """Raises ValueError for one that is none by PEP 508."""
    for text in requires:
        try:
            Requirement(text)
        except InvalidRequirement as error:
            raise ValueError(f"{what}: {text!r} is not a requirement: {str(error).splitlines()[0]}") from None
    return requires
