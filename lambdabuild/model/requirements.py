"""Pinned requirements: the distributions of a resolution, each with the one file that the target uses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from packaging.pylock import Package, PackageSdist, PackageWheel, Pylock, PylockValidationError
from packaging.tags import Tag

from lambdabuild.errors import BuildError, PolicyError
from lambdabuild.model.target import Runtime, Target
from lambdabuild.model.wheels import NoWheel, find_needed_glibc, runtimes_that_take, tags_of, wheel_tags


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a lock is asked for, in uv's words: the project's dependencies with these extras and groups."""

    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    only_groups: tuple[str, ...] = ()
    """When not empty: these groups alone, without the project's own dependencies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One distribution of a resolution and the file that brings it."""

    name: str
    """Normalized (PEP 503)."""
    version: str
    kind: Literal["wheel", "sdist"]
    url: str
    """Where the file is; may hold credentials, so it is never shown, stored or hashed."""
    sha256: str
    no_wheel: NoWheel | None = None
    """Why it is an sdist."""

    @property
    def filename(self) -> str:
        return unquote(urlsplit(self.url).path.rpartition("/")[2])

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class NoUsableWheel(BuildError):
    """Distributions of the lock of which the target can use no file; ``refused`` says why, one by one."""

    def __init__(self, refused: Sequence[NoWheel], *, newest: Mapping[str, str] | None = None) -> None:
        """``newest`` gives, by name, the last version that has a usable wheel, where that is known."""
        ways = (_ways_out(no_wheel, (newest or {}).get(no_wheel.name)) for no_wheel in refused)
        super().__init__("\n".join(map(str, refused)), hint="\n        ".join(way for way in ways if way) or None)
        self.refused = tuple(refused)

    @property
    def names(self) -> tuple[str, ...]:
        """The distributions that older versions might serve: those that have wheels, for a newer glibc."""
        return tuple(no_wheel.name for no_wheel in self.refused if no_wheel.needed_glibc is not None)


def select_pins(document: Mapping[str, Any], target: Target, runtimes: Iterable[Runtime]) -> tuple[Pin, ...]:
    """The pins of a parsed ``pylock.toml`` (PEP 751) that the target needs, by name.

    A distribution without a usable wheel is pinned to its sdist, unless its wheels fail for their glibc alone:
    compiling what upstream stopped building for that glibc seldom works, and never quickly.
    Raises NoUsableWheel with every distribution that cannot be had for the target, BuildError for a lock that
    cannot be read.
    """
    try:
        lock = Pylock.from_dict(document)
    except PylockValidationError as error:
        raise BuildError(f"uv's export is not a lock that lambdabuild can read: {error}") from error
    ranks = {tag: rank for rank, tag in enumerate(wheel_tags(target))}
    runtimes = tuple(runtimes)
    choices = [
        _choose(package, target, ranks, runtimes)
        for package in lock.packages
        if package.marker is None or package.marker.evaluate(target.marker_environment, context="lock_file")
    ]
    refused = [choice for choice in choices if isinstance(choice, NoWheel)]
    if refused:
        raise NoUsableWheel(refused)
    return tuple(sorted((choice for choice in choices if isinstance(choice, Pin)), key=lambda pin: pin.name))


def _choose(package: Package, target: Target, ranks: Mapping[Tag, int], runtimes: Sequence[Runtime]) -> Pin | NoWheel:
    _refuse_other_sources(package)
    version = str(package.version)
    wheels = [wheel for wheel in package.wheels or () if wheel.url is not None]
    ranked = [
        (rank, wheel)
        for wheel in wheels
        if (rank := min((ranks[tag] for tag in tags_of(wheel.filename) if tag in ranks), default=None)) is not None
    ]
    if ranked:
        wheel = min(ranked, key=lambda pair: (pair[0], pair[1].filename))[1]
        return _pin(package, "wheel", wheel)
    filenames = tuple(wheel.filename for wheel in wheels)
    no_wheel = NoWheel(
        name=package.name,
        version=version,
        target=target,
        wheels=filenames,
        needed_glibc=find_needed_glibc(filenames, target),
        usable_by=runtimes_that_take(filenames, runtimes, target.architecture),
    )
    if no_wheel.needed_glibc is not None or package.sdist is None or package.sdist.url is None:
        return no_wheel
    return _pin(package, "sdist", package.sdist, no_wheel)


def _pin(
    package: Package, kind: Literal["wheel", "sdist"], file: PackageWheel | PackageSdist, why: NoWheel | None = None
) -> Pin:
    sha256 = file.hashes.get("sha256")
    if sha256 is None or file.url is None:
        raise PolicyError(
            f"{package.name} {package.version}: the lock gives no sha256 for {file.filename}, so it cannot be checked",
            hint=f"uv lock --refresh-package {package.name}",
        )
    return Pin(name=package.name, version=str(package.version), kind=kind, url=file.url, sha256=sha256, no_wheel=why)


def _refuse_other_sources(package: Package) -> None:
    files = [*(package.wheels or ()), *((package.sdist,) if package.sdist else ())]
    if not any(file.url for file in files):
        source = "repository" if package.vcs else "directory" if package.directory else "direct URL"
        source = "local file" if files else source
        raise BuildError(
            f"{package.name}: the lock takes it from a {source}, which lambdabuild cannot build yet",
            hint="publish it to an index, or leave it out of what is packaged",
        )


def _ways_out(no_wheel: NoWheel, newest: str | None) -> str | None:
    ways = []
    if newest is not None:
        ways.append(f"uv add '{no_wheel.name}<={newest}' (the newest with a wheel for {no_wheel.target})")
    elif no_wheel.needed_glibc is not None:
        ways.append(f"pin an older {no_wheel.name}")
    if no_wheel.newer_runtime is not None:
        ways.append(f'set python = "{no_wheel.newer_runtime.python}" or newer in [tool.lambdabuild]')
    return f"for {no_wheel.name}: " + ", or ".join(ways) if ways else None
