"""Selection: of what a resolution offers, the one file of each distribution that the target gets.

Apart from ``requirements``, because a selection that was made before needs none of what reads locks and tags.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias, cast
from urllib.parse import urlsplit

from packaging.pylock import (
    Package,
    PackageArchive,
    PackageDirectory,
    PackageSdist,
    PackageVcs,
    PackageWheel,
    Pylock,
    PylockSelectError,
    PylockValidationError,
)
from packaging.specifiers import SpecifierSet
from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename

from lambdabuild.errors import BuildError, PolicyError
from lambdabuild.model.lockvalues import (
    check_commit,
    check_file_url,
    check_filename,
    check_repository,
    check_sha256,
    check_subdirectory,
)
from lambdabuild.model.requirements import Pin
from lambdabuild.model.runtimes import allows
from lambdabuild.model.target import Runtime, Target
from lambdabuild.model.wheels import NoWheel, find_needed_glibc, runtimes_that_take, tags_of, wheel_tags

_Source: TypeAlias = PackageVcs | PackageDirectory | PackageArchive | PackageSdist | PackageWheel

_NONE = {"sha256": ""}
"""Hashes of an sdist that is not there."""


class NoUsableWheel(BuildError):
    """Distributions of the lock of which the target can use no file; ``refused`` says why, one by one."""

    code = "no-wheel"

    def __init__(
        self, refused: Sequence[NoWheel], *, newest: Mapping[str, str] | None = None, narrowing: str = "uv add '{}'"
    ) -> None:
        """``newest`` gives, by name, the last version that has a usable wheel, where that is known; ``narrowing`` is
        how a requirement is written where these come from."""
        ways = (_ways_out(no_wheel, (newest or {}).get(no_wheel.name), narrowing) for no_wheel in refused)
        super().__init__("\n".join(map(str, refused)), hint="\n        ".join(way for way in ways if way) or None)
        self.refused = tuple(refused)

    @property
    def names(self) -> tuple[str, ...]:
        """The distributions that older versions might serve: those that have wheels, for a newer glibc."""
        return tuple(no_wheel.name for no_wheel in self.refused if no_wheel.needed_glibc is not None)


def select_pins(document: Mapping[str, Any], target: Target, runtimes: Iterable[Runtime]) -> tuple[Pin, ...]:
    """The pins of a parsed ``pylock.toml`` (PEP 751) that the target needs, by name, with the lock's default groups.

    A distribution without a usable wheel is pinned to its sdist, unless its wheels fail for their glibc alone:
    compiling what upstream stopped building for that glibc seldom works, and never quickly.
    Raises NoUsableWheel with every distribution that cannot be had for the target, BuildError for a lock that
    cannot be read, is not for the target, or gives what no command may be given.
    """
    try:
        lock = Pylock.from_dict(document)
        _check_python(lock.requires_python, target, "the lock")
        selectable = [_selectable(package) for package in lock.packages]
        written = {id(one): package for one, package in zip(selectable, lock.packages, strict=True)}
        selected = list(
            replace(lock, requires_python=None, packages=selectable).select(
                environment=cast(Any, target.marker_environment), tags=wheel_tags(target)
            )
        )
    except PylockValidationError as error:
        raise BuildError(f"this is not a lock that lambdabuild can read: {error}") from error
    except PylockSelectError as error:
        raise BuildError(f"this lock is not for {target}: {error}") from error
    runtimes = tuple(runtimes)
    choices = [_choose(written[id(package)], source, target, runtimes) for package, source in selected]
    refused = [choice for choice in choices if isinstance(choice, NoWheel)]
    if refused:
        raise NoUsableWheel(refused)
    return tuple(sorted((choice for choice in choices if isinstance(choice, Pin)), key=lambda pin: pin.name))


def _check_python(requires: SpecifierSet | None, target: Target, what: str) -> None:
    """PEP 751 asks for this check; which patch release the runtime has is not known, only that it is a new one."""
    if requires is not None and not allows(requires, target.runtime):
        raise BuildError(f"{what} is for Python {requires}, and {target.runtime.name} is none of these")


def _selectable(package: Package) -> Package:
    """The package in a form of which something is selected, so that all that is wrong with a lock is told at once.

    Of wheels that fit equally well the first is selected: that with the highest build number, as installers do. What
    has no wheel that fits has an sdist, if need be one of which nothing is told.
    """
    if not package.wheels:
        return replace(package, requires_python=None)
    wheels = sorted(package.wheels, key=lambda wheel: wheel.filename)
    wheels.sort(key=lambda wheel: parse_wheel_filename(wheel.filename)[2], reverse=True)
    return replace(package, requires_python=None, wheels=wheels, sdist=package.sdist or PackageSdist(hashes=_NONE))


def _choose(package: Package, source: _Source, target: Target, runtimes: Sequence[Runtime]) -> Pin | NoWheel:
    _check_python(package.requires_python, target, package.name)
    if isinstance(source, PackageDirectory):
        return _folder(package, source)
    if isinstance(source, PackageVcs):
        return _commit(package, source)
    wheels: Sequence[PackageWheel] = package.wheels or ()
    file = _archived(source) if isinstance(source, PackageArchive) else source
    if isinstance(file, PackageWheel):
        if isinstance(source, PackageWheel) or not tags_of(file.filename).isdisjoint(wheel_tags(target)):
            return _file(package, "wheel", file)
        wheels = (file,)
    filenames = tuple(wheel.filename for wheel in wheels)
    no_wheel = NoWheel(
        name=package.name,
        version=_version(package, next(iter(filenames), "")) or "",
        target=target,
        wheels=filenames,
        needed_glibc=find_needed_glibc(filenames, target),
        usable_by=runtimes_that_take(filenames, runtimes, target.architecture),
        no_binary=bool((package.tool or {}).get("lambdabuild", {}).get("no-binary")),
    )
    if no_wheel.needed_glibc is not None or isinstance(file, PackageWheel) or file.hashes is _NONE:
        return no_wheel
    return _file(package, "sdist", file, no_wheel)


def _archived(archive: PackageArchive) -> PackageWheel | PackageSdist:
    """A direct URL is one of either kind, by its name."""
    kind = PackageWheel if urlsplit(archive.url or archive.path or "").path.endswith(".whl") else PackageSdist
    return kind(url=archive.url, path=archive.path, size=archive.size, hashes=archive.hashes)


def _folder(package: Package, folder: PackageDirectory) -> Pin:
    return Pin(
        name=package.name,
        version=str(package.version) if package.version is not None else None,
        kind="folder",
        path=folder.path,
        subdirectory=check_subdirectory(folder.subdirectory, owner=package.name),
    )


def _commit(package: Package, vcs: PackageVcs) -> Pin:
    if vcs.type != "git" or vcs.url is None:
        raise BuildError(
            f"{package.name}: the lock takes it from a repository that is not a git repository with a URL",
            hint="publish it to an index, or leave it out of what is packaged",
        )
    return Pin(
        name=package.name,
        version=str(package.version) if package.version is not None else None,
        kind="commit",
        url=check_repository(vcs.url, owner=package.name),
        commit=check_commit(vcs.commit_id, owner=package.name),
        subdirectory=check_subdirectory(vcs.subdirectory, owner=package.name),
    )


def _file(
    package: Package, kind: Literal["wheel", "sdist"], file: PackageWheel | PackageSdist, why: NoWheel | None = None
) -> Pin:
    filename = check_filename(file.filename, owner=package.name)
    sha256 = file.hashes.get("sha256")
    if sha256 is None:
        raise PolicyError(
            f"{package.name} {package.version}: the lock gives no sha256 for {filename}, so it cannot be checked",
            hint=f"uv lock --refresh-package {package.name}",
        )
    subdirectory = package.archive.subdirectory if package.archive is not None else None
    pin = Pin(
        name=package.name,
        version=_version(package, filename),
        kind=kind,
        url=check_file_url(file.url, owner=package.name) if file.url else "",
        path=None if file.url else file.path,
        sha256=check_sha256(sha256, owner=package.name),
        subdirectory=check_subdirectory(subdirectory, owner=package.name),
        no_wheel=why,
        size=file.size,
    )
    return pin if pin.filename == filename else replace(pin, file=filename)


def _version(package: Package, filename: str) -> str | None:
    """The version that the lock tells, or else the name of the file; the archive of a tag may tell none."""
    if package.version is not None:
        return str(package.version)
    try:
        parse = parse_wheel_filename if filename.endswith(".whl") else parse_sdist_filename
        return str(parse(filename)[1])
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None


def _ways_out(no_wheel: NoWheel, newest: str | None, narrowing: str) -> str | None:
    ways = []
    if newest is not None:
        narrowed = narrowing.replace("{}", f"{no_wheel.name}<={newest}")
        ways.append(f"{narrowed} (the newest with a wheel for {no_wheel.target})")
    elif no_wheel.needed_glibc is not None:
        ways.append(f"pin an older {no_wheel.name}")
    if no_wheel.newer_runtime is not None:
        ways.append(f'set python = "{no_wheel.newer_runtime.python}" or newer in [tool.lambdabuild]')
    return f"for {no_wheel.name}: " + ", or ".join(ways) if ways else None
