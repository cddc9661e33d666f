"""Selection: of what a resolution offers, the one file of each distribution that the target gets.

Apart from ``requirements``, because a selection that was made before needs none of what reads locks and tags.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

from packaging.pylock import Package, PackageSdist, PackageWheel, Pylock, PylockValidationError
from packaging.tags import Tag
from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename

from lambdabuild.errors import BuildError, PolicyError
from lambdabuild.model.requirements import Pin
from lambdabuild.model.target import Runtime, Target
from lambdabuild.model.wheels import NoWheel, find_needed_glibc, runtimes_that_take, tags_of, wheel_tags


class NoUsableWheel(BuildError):
    """Distributions of the lock of which the target can use no file; ``refused`` says why, one by one."""

    code = "no-wheel"

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
        raise BuildError(f"this is not a lock that lambdabuild can read: {error}") from error
    ranks = {tag: rank for rank, tag in enumerate(wheel_tags(target))}
    runtimes = tuple(runtimes)
    environment: Any = {**target.marker_environment, "extras": frozenset(), "dependency_groups": frozenset()}
    choices = [
        _choose(package, target, ranks, runtimes)
        for package in lock.packages
        if package.marker is None or package.marker.evaluate(environment, context="lock_file")
    ]
    refused = [choice for choice in choices if isinstance(choice, NoWheel)]
    if refused:
        raise NoUsableWheel(refused)
    return tuple(sorted((choice for choice in choices if isinstance(choice, Pin)), key=lambda pin: pin.name))


def _choose(package: Package, target: Target, ranks: Mapping[Tag, int], runtimes: Sequence[Runtime]) -> Pin | NoWheel:
    if package.vcs is not None or package.directory is not None:
        return _source(package)
    wheels, sdist = _files(package)
    ranked = [
        (rank, wheel)
        for wheel in wheels
        if (rank := min((ranks[tag] for tag in tags_of(wheel.filename) if tag in ranks), default=None)) is not None
    ]
    if ranked:
        wheel = min(ranked, key=lambda pair: (pair[0], pair[1].filename))[1]
        return _file(package, "wheel", wheel)
    filenames = tuple(wheel.filename for wheel in wheels)
    no_wheel = NoWheel(
        name=package.name,
        version=_version(package, next(iter(filenames), "")) or "",
        target=target,
        wheels=filenames,
        needed_glibc=find_needed_glibc(filenames, target),
        usable_by=runtimes_that_take(filenames, runtimes, target.architecture),
    )
    if no_wheel.needed_glibc is not None or sdist is None:
        return no_wheel
    return _file(package, "sdist", sdist, no_wheel)


def _files(package: Package) -> tuple[Sequence[PackageWheel], PackageSdist | None]:
    """The files of a distribution; a direct URL is one of either kind, by its name."""
    archive = package.archive
    if archive is None:
        return package.wheels or (), package.sdist
    if urlsplit(archive.url or archive.path or "").path.endswith(".whl"):
        return (PackageWheel(url=archive.url, path=archive.path, hashes=archive.hashes),), None
    return (), PackageSdist(url=archive.url, path=archive.path, hashes=archive.hashes)


def _source(package: Package) -> Pin:
    """A distribution that is built from a folder or from a commit."""
    version = str(package.version) if package.version is not None else None
    folder = package.directory
    if folder is not None:
        return Pin(
            name=package.name, version=version, kind="folder", path=folder.path, subdirectory=folder.subdirectory
        )
    vcs = package.vcs
    if vcs is None or vcs.type != "git" or vcs.url is None:
        raise BuildError(
            f"{package.name}: the lock takes it from a repository that is not a git repository with a URL",
            hint="publish it to an index, or leave it out of what is packaged",
        )
    return Pin(
        name=package.name,
        version=version,
        kind="commit",
        url=vcs.url,
        commit=vcs.commit_id,
        subdirectory=vcs.subdirectory,
    )


def _file(
    package: Package, kind: Literal["wheel", "sdist"], file: PackageWheel | PackageSdist, why: NoWheel | None = None
) -> Pin:
    sha256 = file.hashes.get("sha256")
    if sha256 is None:
        raise PolicyError(
            f"{package.name} {package.version}: the lock gives no sha256 for {file.filename}, so it cannot be checked",
            hint=f"uv lock --refresh-package {package.name}",
        )
    subdirectory = package.archive.subdirectory if package.archive is not None else None
    return Pin(
        name=package.name,
        version=_version(package, file.filename),
        kind=kind,
        url=file.url or "",
        path=None if file.url else file.path,
        sha256=sha256,
        subdirectory=subdirectory,
        no_wheel=why,
        size=file.size,
    )


def _version(package: Package, filename: str) -> str | None:
    """The version that the lock tells, or else the name of the file; the archive of a tag may tell none."""
    if package.version is not None:
        return str(package.version)
    try:
        parse = parse_wheel_filename if filename.endswith(".whl") else parse_sdist_filename
        return str(parse(filename)[1])
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None


def _ways_out(no_wheel: NoWheel, newest: str | None) -> str | None:
    ways = []
    if newest is not None:
        ways.append(f"uv add '{no_wheel.name}<={newest}' (the newest with a wheel for {no_wheel.target})")
    elif no_wheel.needed_glibc is not None:
        ways.append(f"pin an older {no_wheel.name}")
    if no_wheel.newer_runtime is not None:
        ways.append(f'set python = "{no_wheel.newer_runtime.python}" or newer in [tool.lambdabuild]')
    return f"for {no_wheel.name}: " + ", or ".join(ways) if ways else None
