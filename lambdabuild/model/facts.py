"""What a distribution's files tell when they are read once, at installation: kept with its segment.

Slimming, audit and lint decide on these when a tree is made, and need not unpack a file for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

OWN = ""
"""The name in a look-up of one's own distribution, before that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """A place in code that asks for the metadata of a distribution."""

    path: str
    line: int
    """0 in a binary."""
    name: str | None
    """Normalized. None: of any distribution, because an expression names it. ``OWN``: its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestImport:
    """A place in code, outside of test directories, that imports from one."""

    __test__ = False  # not for pytest

    path: str
    module: str
    """Full dotted name; for ``from a import b`` it is a.b, whatever b may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """An ELF file, and what it asks of the system that loads it."""

    path: str
    machine: str
    """As the kernel names it: ``x86_64``, ``aarch64``; what pyelftools calls it for others."""
    soname: str | None
    needed: tuple[str, ...]
    """DT_NEEDED."""
    versions: tuple[tuple[str, tuple[str, ...]], ...]
    """Library, and the symbol versions asked of it: ``("libc.so.6", ("GLIBC_2.17",))``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Of one file, or of all files of a distribution."""

    lookups: tuple[Lookup, ...] = ()
    test_imports: tuple[TestImport, ...] = ()
    entry_points: tuple[str, ...] = ()
    """Groups of entry points other than console_scripts and gui_scripts."""
    pth: tuple[tuple[str, str], ...] = ()
    """Path and text of the .pth files."""
    binaries: tuple[Binary, ...] = ()


def merge(parts: Iterable[Facts]) -> Facts:
    """The facts of all these files, in their order."""
    parts = tuple(parts)
    return Facts(
        lookups=tuple(one for part in parts for one in part.lookups),
        test_imports=tuple(one for part in parts for one in part.test_imports),
        entry_points=tuple(one for part in parts for one in part.entry_points),
        pth=tuple(one for part in parts for one in part.pth),
        binaries=tuple(one for part in parts for one in part.binaries),
    )


def facts_document(facts: Facts) -> dict[str, Any]:
    """For JSON, without what is empty."""
    return {name: value for name, value in asdict(facts).items() if value}


def parse_facts(document: Mapping[str, Any]) -> Facts:
    """The inverse of ``facts_document`` after JSON; raises TypeError, KeyError or ValueError for anything else."""
    unknown = document.keys() - set(Facts.__dataclass_fields__)
    if unknown:
        raise ValueError(f"facts of an unknown kind: {sorted(unknown)}")
    return Facts(
        lookups=tuple(Lookup(**one) for one in document.get("lookups", ())),
        test_imports=tuple(TestImport(**one) for one in document.get("test_imports", ())),
        entry_points=tuple(document.get("entry_points", ())),
        pth=tuple((path, text) for path, text in document.get("pth", ())),
        binaries=tuple(_binary(**one) for one in document.get("binaries", ())),
    )


def _binary(*, path: str, machine: str, soname: str | None, needed: list[str], versions: list[list[Any]]) -> Binary:
    asked = tuple((library, tuple(names)) for library, names in versions)
    return Binary(path=path, machine=machine, soname=soname, needed=tuple(needed), versions=asked)
