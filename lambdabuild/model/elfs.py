"""ELF files at their places in an artifact, and what their names tell an importer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lambdabuild.model.facts import Binary
from lambdabuild.model.target import Target

_SHARED = re.compile(r"(?P<module>[^/.]+)(\.(?P<tag>abi3|(cpython|pypy|graalpy)[\w-]*))?\.so")
"""The name of what can be an extension module: https://peps.python.org/pep-3149/, ``abi3`` of the stable ABI."""
_STABLE = "abi3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Elf:
    """An ELF file in an artifact."""

    path: str
    """Relative to the folder that is on the import path."""
    owner: str
    """``"numpy 2.4.6"``, or ``SOURCES``."""
    binary: Binary

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def names(self) -> frozenset[str]:
        """What another file may ask for to get it loaded."""
        return frozenset({self.name, self.binary.soname or self.name})

    @property
    def needed(self) -> Iterator[str]:
        """The names of the libraries that it asks for, wherever it looks for them."""
        return (name.rpartition("/")[2] for name in self.binary.needed)

    @property
    def tag(self) -> str | None:
        """What an extension module says of the interpreter that it is for: ``cpython-313-x86_64-linux-gnu``."""
        found = _SHARED.fullmatch(self.name)
        return found["tag"] if found else None

    @property
    def stem(self) -> str:
        """The name without what differs from one interpreter to the other."""
        found = _SHARED.fullmatch(self.name)
        return found["module"] if found else self.name

    @property
    def module(self) -> tuple[str, ...] | None:
        """The dotted name, in its parts, of the module that it would be."""
        parts = (*self.path.split("/")[:-1], self.stem)
        return parts if _SHARED.fullmatch(self.name) and all(part.isidentifier() for part in parts) else None

    def fits(self, target: Target) -> bool:
        """Whether an interpreter of the target would import it, by its name."""
        return self.tag in (None, _STABLE, tag_of(target))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What is loaded together: a function with its layers, or a layer alone."""

    target: Target
    archives: tuple[str, ...]
    elfs: tuple[Elf, ...]
    modules: frozenset[tuple[str, str]]
    """Owner and path of every ``.py`` file."""
    complete: bool = True
    """Whether nothing else comes with it: no layer that somebody else published."""
    built: frozenset[str] = frozenset()
    """Owners that were built in the image, without repair of their wheels."""


def tag_of(target: Target) -> str:
    """The tag of extension modules that are for just this interpreter (SOABI)."""
    return f"cpython-{target.runtime.python.replace('.', '')}-{target.machine}-linux-gnu"


def by_owner(elfs: Sequence[Elf]) -> dict[str, list[Elf]]:
    """The files of each owner."""
    grouped: dict[str, list[Elf]] = {}
    for elf in elfs:
        grouped.setdefault(elf.owner, []).append(elf)
    return grouped
