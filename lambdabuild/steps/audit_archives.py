"""The binaries in finished archives against the runtime that will load them."""

from __future__ import annotations

import csv
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lambdabuild.errors import PolicyError
from lambdabuild.model.attempts import Code
from lambdabuild.model.complaints import audit
from lambdabuild.model.elf import MAGIC, read_binary
from lambdabuild.model.elfs import Elf, Unit
from lambdabuild.model.limits import Finding
from lambdabuild.model.target import Runtime, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Archives that are loaded together."""

    target: Target
    function: Path | None
    layers: tuple[Path, ...]
    complete: bool
    """Whether no layer of somebody else comes with them."""


def audit_archives(stacks: Iterable[Stack], *, runtimes: Sequence[Runtime]) -> list[Finding]:
    """What would fail when it is loaded; libraries of the runtime's image are not known here.

    Files are told of with the distribution whose RECORD lists them; without one, with their archive. Raises PolicyError
    for an archive that is damaged.
    """
    findings: dict[object, Finding] = {}
    read: dict[tuple[Path, tuple[str, ...]], _Archive] = {}
    for stack in stacks:
        wanted: list[tuple[Path, tuple[str, ...]]] = [(path, ()) for path in (stack.function,) if path is not None]
        wanted += [(path, _roots(stack.target.runtime)) for path in stack.layers]
        read |= {one: _read(*one) for one in wanted if one not in read}
        archives = [read[one] for one in wanted]
        unit = Unit(
            target=stack.target,
            archives=tuple(archive.path.name for archive in archives),
            elfs=tuple(elf for archive in archives for elf in archive.elfs),
            modules=frozenset((owner, path) for archive in archives for path, (owner, _) in archive.modules.items()),
            complete=stack.complete,
        )
        found = audit(unit, libraries=_unknown, read_code=partial(_code, archives), runtimes=runtimes)
        findings |= {key: finding for key, finding in found.items() if key not in findings}
    return list(findings.values())


def _unknown(_: Target) -> frozenset[str] | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Archive:
    path: Path
    elfs: tuple[Elf, ...]
    modules: Mapping[str, tuple[str, str]]
    """By path relative to the import path: the owner and the name in the archive of each ``.py`` file."""


def _roots(runtime: Runtime) -> tuple[str, ...]:
    """The folders of a layer that are on the import path, the longest first."""
    return (f"python/lib/{runtime.name}/site-packages/", "python/")


def _read(path: Path, roots: Sequence[str]) -> _Archive:
    elfs, modules = [], {}
    with _opened(path) as archive:
        names = {_relative(info.filename, roots): info.filename for info in archive.infolist() if not info.is_dir()}
        owners = _owners(archive, names)
        for relative, name in names.items():
            owner = owners.get(relative, path.name)
            if relative.endswith(".py"):
                modules[relative] = (owner, name)
                continue
            with archive.open(name) as file:
                head = file.read(len(MAGIC))
                binary = read_binary(relative, head + file.read()) if head == MAGIC else None
            if binary is not None:
                elfs.append(Elf(path=relative, owner=owner, binary=binary))
    return _Archive(path=path, elfs=tuple(elfs), modules=modules)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error) as error:
        raise PolicyError(f"{path} is damaged: {error}", hint="build it again", code="archive-damaged") from error


def _relative(name: str, roots: Sequence[str]) -> str:
    return name.removeprefix(next((root for root in roots if name.startswith(root)), ""))


def _owners(archive: zipfile.ZipFile, names: Mapping[str, str]) -> dict[str, str]:
    """The distributions of files, as far as the archive holds their RECORDs."""
    owners: dict[str, str] = {}
    for relative, name in names.items():
        folder, _, file = relative.partition("/")
        if file == "RECORD" and folder.endswith(".dist-info"):
            distribution, _, version = folder.removesuffix(".dist-info").rpartition("-")
            rows = csv.reader(archive.read(name).decode(errors="replace").splitlines())
            owners |= {row[0]: f"{distribution} {version}" for row in rows if row}
    return owners


def _code(archives: Iterable[_Archive], owner: str) -> Code:
    return Code({path: source for archive in archives for path, source in _sources(archive, owner)})


def _sources(archive: _Archive, owner: str) -> Iterator[tuple[str, bytes]]:
    with _opened(archive.path) as opened:
        for path, (of, name) in archive.modules.items():
            if of == owner:
                yield path, opened.read(name)
