"""Binaries against the runtime that is to load them: what would fail at the first import, found before it is zipped.

What the runtime has comes from ``resources/runtimes.toml`` and never from what an image accepts: an image may be newer
than the service.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lambdabuild.model.elfs import Elf, Unit, by_owner
from lambdabuild.model.facts import DAMAGED
from lambdabuild.model.target import Libstdcxx, Runtime

Kind = Literal["damaged", "machine", "tag", "glibc", "libstdc++", "library"]

_NUMBERED = re.compile(r"(GLIBC|GLIBCXX|CXXABI)_(\d+(?:\.\d+)+)")
_GLIBC_FEATURES = {"GLIBC_ABI_DT_RELR": (2, 36)}
"""Versions that stand for a feature, and the glibc that brought it: https://sourceware.org/glibc/wiki/Release/2.36"""
_LIBSTDCXX = "libstdc++.so.6"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """Why a file cannot be loaded."""

    kind: Kind
    elf: Elf
    asked: tuple[str, ...] = ()
    """The symbol version, or the libraries, that are not there."""
    needs: tuple[int, ...] = ()
    """The number in the symbol version."""
    doubtful: bool = False
    """Whether it may be loaded all the same."""

    @property
    def family(self) -> str:
        """``GLIBCXX`` of GLIBCXX_3.4.30."""
        return self.asked[0].partition("_")[0]


def find_missing(unit: Unit) -> frozenset[str]:
    """The libraries that are neither in the archives nor known to be in the runtime: an image may know of more."""
    fitting = (elf for elf in unit.elfs if elf.binary.machine == unit.target.machine)
    return frozenset(name for elf in fitting for name in elf.needed) - _brought(unit) - unit.target.runtime.libraries


def check(unit: Unit, image: frozenset[str] | None) -> Iterator[Violation]:
    """What is wrong with the files of a unit; ``image`` are the libraries of the runtime's image, None when that is
    not at hand."""
    brought = _brought(unit)
    provided = brought | unit.target.runtime.libraries | (image or frozenset())
    for elfs in by_owner(unit.elfs).values():
        fitting = {elf.stem for elf in elfs if elf.binary.machine == unit.target.machine and elf.fits(unit.target)}
        for elf in elfs:
            if elf.binary.machine == DAMAGED:
                yield Violation(kind="damaged", elf=elf)
            elif elf.binary.machine != unit.target.machine:
                if elf.stem not in fitting:  # or it has brothers for other machines
                    yield Violation(kind="machine", elf=elf)
            elif not elf.fits(unit.target):
                if elf.stem not in fitting and not _has_fallback(elf, unit):
                    yield Violation(kind="tag", elf=elf)
            else:
                yield from _check_symbols(elf, unit.target.runtime, brought)
                missing = tuple(sorted(set(elf.needed) - provided))
                if missing:
                    unknown = image is None or not unit.complete
                    yield Violation(kind="library", elf=elf, asked=missing, doubtful=unknown)


def has_enough(violation: Violation, runtime: Runtime) -> bool:
    """Whether every instance of a runtime has the symbol version that a file asks for."""
    if violation.kind == "glibc":
        return violation.needs <= runtime.glibc
    return violation.needs <= numbers_of(violation.family, runtime.libstdcxx)


def numbers_of(family: str, libstdcxx: Libstdcxx) -> tuple[int, ...]:
    """The newest version of ``GLIBCXX`` or ``CXXABI``."""
    return libstdcxx.glibcxx if family == "GLIBCXX" else libstdcxx.cxxabi


def _brought(unit: Unit) -> frozenset[str]:
    """The libraries in the archives, whoever brings them: which folders the loader searches is known to their code."""
    fitting = (elf for elf in unit.elfs if elf.binary.machine == unit.target.machine)
    return frozenset(name for elf in fitting for name in elf.names)


def _has_fallback(elf: Elf, unit: Unit) -> bool:
    """Whether Python code stands in for an extension module that is not imported."""
    folder = elf.path[: -len(elf.name)]
    return (elf.owner, f"{folder}{elf.stem}.py") in unit.modules


def _check_symbols(elf: Elf, runtime: Runtime, brought: frozenset[str]) -> Iterator[Violation]:
    """Symbol versions that the system's libraries have not; of each library the highest."""
    worst: dict[str, Violation] = {}
    for library, versions in elf.binary.versions:
        if library in brought:
            continue
        for version in versions:
            violation = _check_version(elf, library, version, runtime)
            if violation is not None:
                family = version.partition("_")[0]
                if family not in worst or worst[family].needs < violation.needs:
                    worst[family] = violation
    yield from worst.values()


def _check_version(elf: Elf, library: str, version: str, runtime: Runtime) -> Violation | None:
    found = _NUMBERED.fullmatch(version)
    needs = tuple(map(int, found[2].split("."))) if found else _GLIBC_FEATURES.get(version)
    if needs is None:
        return None
    family = found[1] if found else "GLIBC"
    if family == "GLIBC":
        if needs <= runtime.glibc:
            return None
        return Violation(kind="glibc", elf=elf, asked=(version,), needs=needs)
    if library != _LIBSTDCXX or needs <= numbers_of(family, runtime.libstdcxx):
        return None
    doubtful = needs <= numbers_of(family, runtime.newest_libstdcxx)
    return Violation(kind="libstdc++", elf=elf, asked=(version,), needs=needs, doubtful=doubtful)
