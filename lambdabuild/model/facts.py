"""What a distribution's files tell when they are read once, at installation: kept with its segment.

Slimming, audit and lint decide on these when a tree is made, and need not unpack a file for it. No fact depends on the
Python that runs lambdabuild.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from lambdabuild.values import dataclass

DAMAGED = "damaged"
"""The machine of a file that begins like ELF and cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """A place in code that asks for the list of a distribution's files (RECORD)."""

    path: str
    line: int
    """0 in a binary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestImport:
    """A place in code that imports from a test directory."""

    __test__ = False  # not for pytest

    path: str
    line: int
    module: str
    """Full dotted name; for ``from a import b`` it is a.b, whatever b may be."""
    named: bool = False
    """Whether a string is that name, and nothing tells what becomes of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestData:
    """A module outside of test directories that names one of them and may open files in it."""

    __test__ = False

    path: str
    line: int
    names: tuple[str, ...]
    """The strings in it that may name files; of a whole distribution, the files in test directories that they name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """An ELF file, and what it asks of the system that loads it."""

    path: str
    machine: str
    """As the kernel names it: ``x86_64``, ``aarch64``; ``EM_…`` for others; ``DAMAGED``."""
    soname: str | None
    needed: tuple[str, ...]
    """DT_NEEDED."""
    versions: tuple[tuple[str, tuple[str, ...]], ...]
    """Library, and the symbol versions asked of it: ``("libc.so.6", ("GLIBC_2.17",))``."""
    program: bool = False
    """Whether it is run, and nothing loads it."""
    extension: bool = False
    """Whether it has what an import of a module of its name looks for, though the name tells no interpreter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Of one file, or of all files of a distribution."""

    lookups: tuple[Lookup, ...] = ()
    test_imports: tuple[TestImport, ...] = ()
    test_data: tuple[TestData, ...] = ()
    pth: tuple[tuple[str, str], ...] = ()
    """Path and text of the .pth files."""
    binaries: tuple[Binary, ...] = ()


def merge(parts: Iterable[Facts]) -> Facts:
    """The facts of all these files, in their order."""
    parts = tuple(parts)
    return Facts(
        lookups=tuple(one for part in parts for one in part.lookups),
        test_imports=tuple(one for part in parts for one in part.test_imports),
        test_data=tuple(one for part in parts for one in part.test_data),
        pth=tuple(one for part in parts for one in part.pth),
        binaries=tuple(one for part in parts for one in part.binaries),
    )


def without(facts: Facts, paths: Collection[str]) -> Facts:
    """The facts but those of these files."""
    return replace(
        facts,
        lookups=tuple(one for one in facts.lookups if one.path not in paths),
        test_imports=tuple(one for one in facts.test_imports if one.path not in paths),
        test_data=tuple(one for one in facts.test_data if one.path not in paths),
        pth=tuple((path, text) for path, text in facts.pth if path not in paths),
        binaries=tuple(one for one in facts.binaries if one.path not in paths),
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
        test_data=tuple(TestData(**{**one, "names": tuple(one["names"])}) for one in document.get("test_data", ())),
        pth=tuple((path, text) for path, text in document.get("pth", ())),
        binaries=tuple(_binary(**one) for one in document.get("binaries", ())),
    )


def _binary(*, needed: list[str], versions: list[list[Any]], **others: Any) -> Binary:
    asked = tuple((library, tuple(names)) for library, names in versions)
    return Binary(needed=tuple(needed), versions=asked, **others)
