"""Which wheels a target can use, and what the others would need: platform tags against the runtime's glibc."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from lambdabuild.model.target import Runtime, Target

_MANYLINUX = re.compile(r"manylinux_(\d+)_(\d+)_(\w+)")
_LEGACY_MANYLINUX = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}
_NEWEST_MINOR = 99  # above any glibc: used to ask "would it fit if the runtime's glibc were newer?"


def wheel_tags(target: Target) -> tuple[Tag, ...]:
    """All wheel tags that the target can use, best first (PEP 425, PEP 600), up to the runtime's glibc ceiling."""
    return _tags(target, target.runtime.wheel_glibc)


def find_needed_glibc(filenames: Iterable[str], target: Target) -> tuple[int, int] | None:
    """The lowest glibc that any of these wheels wants, among those that fit the target in everything but glibc.

    None when no wheel fits the target's interpreter and architecture at all.
    """
    if_newer = frozenset(_tags(target, (2, _NEWEST_MINOR)))
    needs = [_glibc_of(tag, target.machine) for filename in filenames for tag in tags_of(filename) if tag in if_newer]
    return min((need for need in needs if need is not None), default=None)


def runtimes_that_take(filenames: Sequence[str], runtimes: Iterable[Runtime], architecture: str) -> tuple[Runtime, ...]:
    """The runtimes, but for previews, that can use at least one of these wheels on the architecture."""
    tags = frozenset(tag for filename in filenames for tag in tags_of(filename))
    return tuple(
        runtime
        for runtime in runtimes
        if not runtime.preview and not tags.isdisjoint(wheel_tags(Target(runtime=runtime, architecture=architecture)))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NoWheel:
    """Why a distribution has no wheel for a target."""

    name: str
    version: str
    target: Target
    wheels: tuple[str, ...]
    """File names of the wheels that the lock offers; empty when it offers none."""
    needed_glibc: tuple[int, int] | None
    """The lowest glibc that would do, when glibc is all that is wrong."""
    usable_by: tuple[Runtime, ...]
    """Runtimes that could use one of the wheels."""
    no_binary: bool = False
    """Whether it is to be built, though it may have wheels."""

    def __str__(self) -> str:
        runtime = self.target.runtime
        subject = f"{self.name} {self.version}"
        if self.needed_glibc is not None:
            has = f"{runtime.name} ({runtime.os}) has {_dotted(runtime.glibc)}"
            if self.needed_glibc <= runtime.glibc:
                has += f", and takes wheels up to {_dotted(runtime.wheel_glibc)}"
            return f"{subject} needs glibc >= {_dotted(self.needed_glibc)}; {has}"
        if self.wheels:
            return f"{subject} has no wheel for {self.target}, only for others: {len(self.wheels)} of them"
        if self.no_binary:
            return f"{subject} is to be built from source: no-binary is set for it"
        return f"{subject} has no wheel for {self.target}, only a source distribution"

    @property
    def newer_runtime(self) -> Runtime | None:
        """The oldest other runtime that could use a wheel of this version."""
        others = (runtime for runtime in self.usable_by if runtime.python != self.target.runtime.python)
        return next(others, None)


def _tags(target: Target, ceiling: tuple[int, int]) -> tuple[Tag, ...]:
    major, minor = (int(part) for part in target.runtime.python.split("."))
    interpreter = f"cp{major}{minor}"
    platforms = list(_platforms(target.machine, ceiling))
    return (
        *cpython_tags((major, minor), [interpreter], platforms),
        *compatible_tags((major, minor), interpreter, platforms),
    )


def _platforms(machine: str, ceiling: tuple[int, int]) -> Iterator[str]:
    major, newest = ceiling
    for minor in range(newest, 4, -1):
        yield f"manylinux_{major}_{minor}_{machine}"
        legacy = _LEGACY_MANYLINUX.get((major, minor))
        if legacy is not None:
            yield f"{legacy}_{machine}"
    yield f"linux_{machine}"


def tags_of(filename: str) -> frozenset[Tag]:
    """The tags in a wheel's file name; none when the name is not a wheel's."""
    try:
        return parse_wheel_filename(filename)[3]
    except InvalidWheelFilename:
        return frozenset()


def _glibc_of(tag: Tag, machine: str) -> tuple[int, int] | None:
    match = _MANYLINUX.fullmatch(tag.platform)
    if match is not None and match[3] == machine:
        return int(match[1]), int(match[2])
    return None


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
