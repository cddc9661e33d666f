"""Finished archives against Lambda's limits."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lambdabuild.errors import PolicyError, UsageError
from lambdabuild.manifest import NoFileError, check_published, file_sha256, open_file, read_manifest
from lambdabuild.model.choices import Upload
from lambdabuild.model.layershape import find_misplaced, is_layer, root_modules
from lambdabuild.model.limits import (
    MAX_UNZIPPED,
    MAX_ZIPPED,
    Finding,
    Sized,
    check_files,
    check_unzipped,
    check_zipped,
)
from lambdabuild.model.report import Artifact
from lambdabuild.unpacking import check_unpacking

_HANDLER = re.compile(
    rb"(?m)^(?:async )?def (?:\w*handler\(|\w+\(\s*_?event\b)|^\w*handler\s*(?::[^=\n]+)?="
    rb"|^from [\w.]+ import [^\n]*handler\b"
)
"""A function's entry, or what may be one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """An archive as it was found."""

    path: Path
    name: str
    """Of the artifact, as the manifest tells, else after the file."""
    zipped_size: int
    files: int
    sized: Sized
    layers: tuple[str, ...] | None
    """Of a function: the files of its layers, as the manifest tells; None for a layer."""
    external: tuple[Sized, ...] = ()
    """Of a function: its layers that others published, as the manifest tells."""
    fat: bool = False
    target: tuple[str, str] | None = None
    """Runtime and architecture, as the manifest tells."""
    names: tuple[str, ...] = ()
    """Of its files, where no manifest tells of it."""


def find_artifacts(output: Path) -> tuple[Path, ...]:
    """The archives that the output folder's manifest tells of; raises UsageError when there are none."""
    paths = tuple(output / artifact.file for artifact in read_manifest(output))
    if not paths:
        raise UsageError(
            f"there is nothing to validate in {output}", hint="build first (lambdabuild package), or name the zips"
        )
    return paths


def inspect(paths: Sequence[Path]) -> tuple[Checked, ...]:
    """Read the archives; raises UsageError for one that is missing, PolicyError for one that is not a zip, or that
    nobody vouches for and that cannot be unpacked.

    What a manifest beside an archive tells of it counts as long as its sha256 holds. Without one, an archive with
    nothing but ``python/`` and the other folders of layers is a layer, anything else a function with all the layers
    that are inspected along with it.
    """
    for folder in dict.fromkeys(path.parent for path in paths):
        check_published(folder)
    read = [(path, _sizes(path), *_recorded(path)) for path in paths]
    for path, _, recorded, _ in read:
        if recorded is None:
            check_unpacking(path)
    given = tuple(path.name for path, sizes, recorded, _ in read if _is_layer(sizes, recorded))
    return tuple(
        Checked(
            path=path,
            name=recorded.name if recorded else path.stem,
            zipped_size=path.stat().st_size,
            files=len(sizes),
            sized=recorded.sized() if recorded else _sized(path, sizes),
            layers=None if _is_layer(sizes, recorded) else layers if recorded else given,
            external=tuple(layer.sized() for layer in recorded.external_layers) if recorded else (),
            fat=recorded is not None and recorded.kind == "fat-function",
            target=(recorded.runtime, recorded.architecture) if recorded else None,
            names=() if recorded else tuple(name for name, _ in sizes),
        )
        for path, sizes, recorded, layers in read
    )


def validate(checked: Sequence[Checked], *, upload: Upload | None, runtimes: Sequence[str]) -> list[Finding]:
    """Everything about the archives that Lambda would refuse, or that needs S3, or that it would not find: ``runtimes``
    are those that a layer may be for of which no manifest tells."""
    by_file = {one.path.name: one for one in checked}
    findings: list[Finding] = []
    functions = [one for one in checked if one.layers is not None]
    for one in checked:
        findings += check_files(one.path.name, one.files)
        layer = one.name if one.layers is None else None
        findings += check_zipped(one.sized, one.zipped_size, upload, layer=layer, fat=one.fat)
        findings += _check_place(one, runtimes)
    for function in functions:
        layers = [_layer(name, function, by_file) for name in function.layers or ()]
        findings += check_unzipped(function.sized, [*(layer.sized for layer in layers), *function.external])
    for one in _unused(checked):
        findings += check_unzipped(None, [one.sized])
    return findings


def measured(checked: Sequence[Checked], *, upload: Upload | None) -> list[str]:
    """The sizes of each archive, a line each, beside the limits that hold for them."""
    by_file = {one.path.name: one for one in checked}
    width = max(len(str(one.path)) for one in checked)
    lines = []
    for one in checked:
        attached = [_layer(name, one, by_file).sized for name in one.layers or ()] + [*one.external]
        total = one.sized.unzipped_size + sum(layer.unzipped_size for layer in attached)
        zipped = "bytes zipped, through S3" if upload == "s3" else f"of {MAX_ZIPPED:,} bytes zipped"
        names = " with " + ", ".join(layer.name for layer in attached) if attached else ""
        sizes = f"{one.zipped_size:,} {zipped}, {total:,} of {MAX_UNZIPPED:,} unzipped{names}"
        lines.append(f"{one.path!s:<{width}}  {sizes}")
    return lines


def _check_place(one: Checked, runtimes: Sequence[str]) -> Iterator[Finding]:
    """That Lambda finds the modules of a layer, or of what is none by its look and no function either."""
    place = find_misplaced(one.names, runtimes)
    if place is None and one.layers is not None and (modules := root_modules(one.names)):
        place = f"at the root ({modules}), and none has a handler" if not _has_handler(one.path) else None
    if place is not None:
        where = " and ".join(("python/", *(f"python/lib/{name}/site-packages/" for name in runtimes[-1:])))
        yield Finding(
            severity="error",
            code="misplaced-modules",
            message=f"{one.path.name}: the modules lie {place}; of a layer Lambda looks below {where} alone",
            hint="zip them below python/, as lambdabuild layer does",
        )


def _has_handler(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > MAX_UNZIPPED:  # it is refused for that, and is not read
            return True
        return any(_HANDLER.search(archive.read(one)) for one in members if one.filename.endswith(".py"))


def each_stack(checked: Sequence[Checked]) -> Iterator[tuple[Checked | None, tuple[Checked, ...]]]:
    """What is loaded together: each function with its layers, and each layer that no function uses."""
    by_file = {one.path.name: one for one in checked}
    for one in checked:
        if one.layers is not None:
            yield one, tuple(_layer(name, one, by_file) for name in one.layers)
    for one in _unused(checked):
        yield None, (one,)


def _unused(checked: Sequence[Checked]) -> list[Checked]:
    """The layers that no function uses."""
    used = {name for function in checked for name in function.layers or ()}
    return [one for one in checked if one.layers is None and one.path.name not in used]


def _layer(name: str, function: Checked, by_file: dict[str, Checked]) -> Checked:
    if name in by_file:
        return by_file[name]
    return inspect([function.path.parent / name])[0]


def _sizes(path: Path) -> list[tuple[str, int]]:
    try:
        with open_file(path) as file, zipfile.ZipFile(file) as archive:
            return [(info.filename, info.file_size) for info in archive.infolist() if not info.is_dir()]
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist", hint="build it first: lambdabuild package") from error
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise PolicyError(
            f"{path} is not a zip file: {error}", hint="build it again", code="archive-damaged"
        ) from error
    except NoFileError as error:
        raise PolicyError(f"{path} is not a zip file: {error.strerror}", code="archive-damaged") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error


def _recorded(path: Path) -> tuple[Artifact | None, tuple[str, ...]]:
    """What a manifest tells of an archive, and the files of its layers."""
    try:
        artifacts = read_manifest(path.parent)
    except PolicyError:  # a manifest.json of something else
        return None, ()
    for artifact in artifacts:
        if artifact.file == path.name and artifact.sha256 == file_sha256(path):
            external = {layer.name for layer in artifact.external_layers}
            layers = [one for one in artifacts if one.kind == "layer"]
            named = (_layer_files(name, layers) for name in artifact.layers if name not in external)
            return artifact, tuple(file for files in named for file in files)
    return None, ()


def _is_layer(sizes: Iterable[tuple[str, int]], recorded: Artifact | None) -> bool:
    if recorded is not None:
        return recorded.kind == "layer"
    return is_layer([name for name, _ in sizes])


def _layer_files(name: str, layers: Sequence[Artifact]) -> list[str]:
    """Of a layer of this name, or of the parts that it was split into."""
    whole = [layer.file for layer in layers if layer.name == name]
    return whole or [layer.file for layer in layers if layer.part_of == name] or [f"{name}.zip"]


def _sized(path: Path, sizes: Sequence[tuple[str, int]]) -> Sized:
    """The size of an archive that no manifest tells of, its bytes owned by top-level names."""
    shares: dict[str, int] = {}
    for name, size in sizes:
        top = name.removeprefix("python/").partition("/")[0]
        shares[top] = shares.get(top, 0) + size
    return Sized(name=path.name, unzipped_size=sum(size for _, size in sizes), shares=shares)
