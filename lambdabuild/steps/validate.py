"""Finished archives against Lambda's limits."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lambdabuild.errors import PolicyError, UsageError
from lambdabuild.manifest import NoFileError, check_published, file_sha256, open_file, read_manifest
from lambdabuild.model.limits import Finding, Sized, check_not_empty, check_unzipped, check_zipped
from lambdabuild.model.report import Artifact

_LAYER_FOLDERS = ("python", "lib", "bin", "extensions", "share", "etc")
"""What lies at the root of a layer; a function's archive has modules there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """An archive as it was found."""

    path: Path
    zipped_size: int
    files: int
    sized: Sized
    layers: tuple[str, ...] | None
    """Of a function: the files of its layers, as the manifest tells; None for a layer."""
    external: tuple[Sized, ...] = ()
    """Of a function: its layers that others published, as the manifest tells."""
    target: tuple[str, str] | None = None
    """Runtime and architecture, as the manifest tells."""


def find_artifacts(output: Path) -> tuple[Path, ...]:
    """The archives that the output folder's manifest tells of; raises UsageError when there are none."""
    paths = tuple(output / artifact.file for artifact in read_manifest(output))
    if not paths:
        raise UsageError(
            f"there is nothing to validate in {output}", hint="build first (lambdabuild package), or name the zips"
        )
    return paths


def inspect(paths: Sequence[Path]) -> tuple[Checked, ...]:
    """Read the archives; raises UsageError for one that is missing, PolicyError for one that is not a zip.

    What a manifest beside an archive tells of it counts as long as its sha256 holds. Without one, an archive with
    nothing but ``python/`` and the other folders of layers is a layer, anything else a function with all the layers
    that are inspected along with it.
    """
    for folder in dict.fromkeys(path.parent for path in paths):
        check_published(folder)
    read = [(path, _sizes(path), _recorded(path)) for path in paths]
    given = tuple(path.name for path, sizes, recorded in read if _is_layer(sizes, recorded))
    return tuple(
        Checked(
            path=path,
            zipped_size=path.stat().st_size,
            files=len(sizes),
            sized=recorded.sized() if recorded else _sized(path, sizes),
            layers=None if _is_layer(sizes, recorded) else _layer_files(recorded) if recorded else given,
            external=tuple(layer.sized() for layer in recorded.external_layers) if recorded else (),
            target=(recorded.runtime, recorded.architecture) if recorded else None,
        )
        for path, sizes, recorded in read
    )


def validate(checked: Sequence[Checked], *, direct_upload: bool) -> list[Finding]:
    """Everything about the archives that Lambda would refuse, or that needs S3."""
    by_file = {one.path.name: one for one in checked}
    findings: list[Finding] = []
    functions = [one for one in checked if one.layers is not None]
    for one in checked:
        findings += check_not_empty(one.path.name, one.files)
        findings += check_zipped(one.path.name, one.zipped_size, direct_upload=direct_upload)
    for function in functions:
        layers = [_layer(name, function, by_file) for name in function.layers or ()]
        findings += check_unzipped(function.sized, [*(layer.sized for layer in layers), *function.external])
    for one in _unused(checked):
        findings += check_unzipped(None, [one.sized])
    return findings


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


def _recorded(path: Path) -> Artifact | None:
    try:
        found = [artifact for artifact in read_manifest(path.parent) if artifact.file == path.name]
    except PolicyError:  # a manifest.json of something else
        return None
    return next((artifact for artifact in found if artifact.sha256 == file_sha256(path)), None)


def _is_layer(sizes: Iterable[tuple[str, int]], recorded: Artifact | None) -> bool:
    if recorded is not None:
        return recorded.kind == "layer"
    tops = {name.partition("/")[0] for name, _ in sizes}
    return bool(tops) and tops.issubset(_LAYER_FOLDERS)


def _layer_files(recorded: Artifact) -> tuple[str, ...]:
    external = {layer.name for layer in recorded.external_layers}
    return tuple(f"{name}.zip" for name in recorded.layers if name not in external)


def _sized(path: Path, sizes: Sequence[tuple[str, int]]) -> Sized:
    """The size of an archive that no manifest tells of, its bytes owned by top-level names."""
    shares: dict[str, int] = {}
    for name, size in sizes:
        top = name.removeprefix("python/").partition("/")[0]
        shares[top] = shares.get(top, 0) + size
    return Sized(name=path.name, unzipped_size=sum(size for _, size in sizes), shares=shares)
